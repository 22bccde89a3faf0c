"""Who may do what: the account's and its strategies' states, kept over restarts. Gateway process, event
thread only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from app.lib import rows
from app.lib.risk import ACTIVE, HALTED, REDUCE_ONLY, STATE_TEXT, STATES
from app.model.store import Store, StoreFailed

SCOPE = "risk_state"
ACCOUNT = ""  # the account's own name among the strategies'

log = logging.getLogger("account.risk")


class State(NamedTuple):
    """Since when, by whom and why: `who` is a page's, a command's or a rule's name."""

    state: str = ACTIVE
    who: str = ""
    when: str = ""  # as on the wire
    why: str = ""


NEVER_STOPPED = State()


class States:
    """`now` is the counter's clock."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._states: dict[str, State] = {}
        self.read()

    def read(self) -> None:
        """As they are kept: at the start, and once more when this gateway can be found, for a command may
        have kept a halt (`put_offline`) until then.
        """
        self._states |= {_name(key): State(**kept) for key, kept in self._store.settings(SCOPE).items()}

    def of(self, strategy: str = ACCOUNT) -> State:
        return self._states.get(strategy, NEVER_STOPPED)

    def judged(self, strategy: str) -> tuple[str, State]:
        """Whose state counts for an order, the stricter one of the account's and the strategy's: his name
        and it.
        """
        account, own = self.of(), self.of(strategy)
        if own is account:
            return ACCOUNT, account
        return (strategy, own) if strictness(own) > strictness(account) else (ACCOUNT, account)

    def now_text(self) -> str:
        return rows.time_text(self._now())

    def change(self, strategy: str, state: str, who: str, why: str) -> State:
        """In force at once; a disk that does not take it is told of and stops nothing."""
        new = self._states[strategy] = State(state, who, self.now_text(), why)
        try:
            self._store.put_setting(SCOPE, _key(strategy), new._asdict())
        except StoreFailed as error:
            log.error("风控状态未能落盘，重启后可能不在：%s", error)
        return new

    def forget(self, strategy: str) -> None:
        """It is deleted: another of its name begins as any other does."""
        self._states.pop(strategy, None)
        try:
            self._store.delete_setting(SCOPE, _key(strategy))
        except StoreFailed as error:
            log.error("风控状态未能删去，重启后可能还在：%s", error)

    def shown(self) -> dict[str, Any]:
        """`{"account": {state, who, when, why}, "strategies": {name: {…}}}`; those that were never stopped
        are not there.
        """
        strategies = {name: state._asdict() for name, state in sorted(self._states.items()) if name}
        return {"account": self.of()._asdict(), "strategies": strategies}


def strictness(state: State) -> int:
    return STATES.index(state.state)


def whose(strategy: str) -> str:
    """In words."""
    return f"策略 {strategy}" if strategy else "账户"


def why_not(strategy: str, state: State, is_open: bool) -> str:
    """Why an order may not leave in this state; "" where it may."""
    if state.state == HALTED or (state.state == REDUCE_ONLY and is_open):
        by = "，".join(filter(None, (state.who, state.why, state.when)))
        return f"{whose(strategy)}{STATE_TEXT[state.state]}（{by}）"
    return ""


def put_offline(store: Store, strategy: str, state: State) -> None:
    """For a gateway that does not run: in force when it starts. Raises StoreFailed."""
    store.put_setting(SCOPE, _key(strategy), state._asdict())


def _key(strategy: str) -> str:
    return f"strategy:{strategy}" if strategy else "account"


def _name(key: str) -> str:
    return key.partition(":")[2]
