"""The dead man's switches at work: who has given a sign when, and who has been silent for too long. Gateway
process, event thread only.

Silence is counted while the market is open for what is at stake, and begins anew with each opening: over a
break, the night and a holiday nobody is silent. What is due waits for the trading front: a cancel could not
leave before. After a start of the process it begins anew as well; what was told stays told until a sign
comes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from app.lib.switches import MARKET, STRATEGY, WATCH_TEXT, Switch, checked_switches
from app.model.store import Store, StoreFailed

SCOPE, SWITCHES, SILENT = "risk", "switches", "silent"
OFF, COUNTING, GONE, RESTING = "closed", "watching", "silent", "stopped"
"""How one stands: nothing is open, signs are awaited, none has come, its strategy was stopped by hand."""

log = logging.getLogger("account.risk")


class SilentAccount(Protocol):
    """What of the account is asked here; contracts are local symbols."""

    def is_ready(self) -> bool: ...

    def subscribed(self) -> Iterable[str]: ...

    def at_stake(self) -> Iterable[str]:
        """Subscribed, held, or with an order that works."""

    def is_open(self, local_symbols: Iterable[str]) -> bool:
        """Whether any of them trades now."""

    def tick(self, local_symbol: str) -> Any:
        """The newest; another object for each."""


class _Watched:
    """A switch, and since when silence is counted (None: not now)."""

    def __init__(self, switch: Switch, is_silent: bool) -> None:
        self.switch = switch
        self.since: float | None = None
        self.is_silent = is_silent  # told already
        self.ticks: dict[str, Any] = {}  # that were there at the last look


class Switches:
    """`silent(switch, seconds)` does what the switch says, once; `heard(switch)` is told of the sign that
    came after that. `clock` is a steady one.
    """

    def __init__(
        self,
        *,
        store: Store,
        account: SilentAccount,
        silent: Callable[[Switch, float], None],
        heard: Callable[[Switch], None],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._account = account
        self._silent = silent
        self._heard = heard
        self._clock = clock
        self._stopped: set[str] = set()  # strategies that were stopped by hand
        told = store.setting(SCOPE, SILENT, [])
        self._adopt(checked_switches(store.setting(SCOPE, SWITCHES, [])), told)

    def write(self, switches: list[Switch]) -> None:
        """All of them anew, in force at once and after a restart: silence counts from now on. Raises
        StoreFailed.
        """
        self._store.put_settings(SCOPE, kept_switches(switches))
        self.adopt(switches)

    def adopt(self, switches: list[Switch]) -> None:
        """Those that are kept now."""
        self._adopt(switches, [])
        self._keep()
        log.info("失联保护已修改：%d 个", len(switches))

    def _adopt(self, switches: list[Switch], told: list[str]) -> None:
        self._watched = {switch.key: _Watched(switch, switch.key in told) for switch in switches}

    # ── signs ──

    def sign(self, watch: str, name: str = "") -> Switch | None:
        """A page, script or strategy lives. The switch that waits for it."""
        watched = self._watched.get(f"{watch} {name}" if name else watch)
        if watched is None:
            return None
        self._sign(watched, self._clock())
        return watched.switch

    def _sign(self, watched: _Watched, now: float) -> None:
        if watched.since is not None:
            watched.since = now
        if watched.is_silent:
            watched.is_silent = False
            self._keep()
            self._heard(watched.switch)

    def strategy_is(self, name: str, is_stopped: bool) -> None:
        """Who stops a strategy by hand waits for no sign of it; of one that failed he does."""
        (self._stopped.add if is_stopped else self._stopped.discard)(name)

    # ── looking ──

    def look(self) -> None:
        """Every second or so."""
        if not self._watched:
            return
        now, stake = self._clock(), list(self._account.at_stake())
        stake_is_open = self._account.is_open(stake)
        for watched in list(self._watched.values()):
            if watched.switch.watch == MARKET:
                self._look_at_market(watched, now)
            else:
                stopped = watched.switch.watch == STRATEGY and watched.switch.name in self._stopped
                self._count(watched, stake_is_open and not stopped, now)

    def _look_at_market(self, watched: _Watched, now: float) -> None:
        """Any tick of any contract that counts is a sign. A front that is not there yet owes none."""
        contracts = watched.switch.contracts
        subscribed = [name for name in self._account.subscribed() if not contracts or name in contracts]
        ticks = {name: self._account.tick(name) for name in subscribed}
        if any(tick is not None and tick is not watched.ticks.get(name) for name, tick in ticks.items()):
            self._sign(watched, now)
        watched.ticks = ticks
        self._count(watched, self._account.is_ready() and self._account.is_open(subscribed), now)

    def _count(self, watched: _Watched, counts: bool, now: float) -> None:
        if not counts:
            watched.since = None
            return
        if watched.since is None:
            watched.since = now
        silence = now - watched.since
        if silence >= watched.switch.seconds and not watched.is_silent and self._account.is_ready():
            watched.is_silent = True
            self._keep()
            self._silent(watched.switch, silence)

    # ── showing ──

    def shown(self) -> list[dict[str, Any]]:
        now = self._clock()
        return [
            _kept(watched.switch)
            | {
                "text": WATCH_TEXT[watched.switch.watch],
                "state": self._state(watched),
                "silent": None if watched.since is None else round(now - watched.since, 1),
            }
            for watched in self._watched.values()
        ]

    def _state(self, watched: _Watched) -> str:
        if watched.is_silent:
            return GONE
        if watched.switch.watch == STRATEGY and watched.switch.name in self._stopped:
            return RESTING
        return OFF if watched.since is None else COUNTING

    def _keep(self) -> None:
        silent = [key for key, watched in self._watched.items() if watched.is_silent]
        try:
            self._store.put_setting(SCOPE, SILENT, silent)
        except StoreFailed as error:
            log.error("失联保护的状况未能落盘，重启后可能再动作一次：%s", error)


def kept_switches(switches: list[Switch]) -> dict[str, Any]:
    """The setting, in the scope of the rules."""
    return {SWITCHES: [_kept(switch) for switch in switches]}


def _kept(switch: Switch) -> dict[str, Any]:
    return switch._asdict() | {"contracts": ",".join(switch.contracts)}
