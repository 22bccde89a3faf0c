"""What an account showed last, kept for its pages when the gateway starts while the counter rests. Gateway
process.

Orders and trades are in the journal already; kept beside it are the money, the positions, and the contract
list of the day.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import orjson

from app.gateway.account import AccountView, Past
from app.interfaces.ledger import Ledger
from app.lib import rows
from app.model.store import Store, StoreFailed
from app.wire.frames import InstrumentField

log = logging.getLogger(__name__)

SCOPE = "last_known"

T = TypeVar("T")


class Lists(msgspec.Struct):
    """The account's lists but for orders and trades, as they were at `as_of` (`YYYY-MM-DD HH:MM:SS.mmm`, the
    counter's clock).
    """

    as_of: str
    trading_day: str
    money: dict[str, Any]
    positions: list[dict[str, Any]]


class _Contracts(msgspec.Struct):
    trading_day: str
    instruments: list[InstrumentField]


class LastKnown:
    """Keeps it in the account's store. A store that fails costs it and nothing else. `now` is the counter's
    clock. Event thread only, but for `keep_contracts`.
    """

    def __init__(
        self, store: Store, account: AccountView, ledger: Ledger, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._account = account
        self._ledger = ledger
        self._now = now

    def keep(self) -> str:
        """What is shown now, unless the account has not loaded; returns the moment that it is of."""
        as_of = rows.time_text(self._now())
        if self._account.is_ready():
            lists = Lists(as_of, self._ledger.trading_day, self._account.money(), self._account.positions())
            self._put("lists", rows.to_json(msgspec.structs.asdict(lists)))
        return as_of

    def keep_contracts(self, trading_day: str, instruments: list[InstrumentField]) -> None:
        """The list of the day. From any thread: it is long."""
        self._put("contracts", msgspec.json.encode(_Contracts(trading_day, instruments)))

    def marked(self, was: str, state: str, reason: str) -> str:
        """The trading front's new state's reason, with the moment that the lists are of while it rests."""
        if was == "ready" and state not in ("ready", "loading"):
            self._account.as_of = self.keep()
        if state != "resting":
            return reason
        if not self._ledger.trading_day and not self._account.is_past:
            self._recall()
        as_of = self._account.as_of
        return f"{reason}；列表是 {as_of[:16]} 的" if as_of else reason

    def _recall(self) -> None:
        """Show what an earlier process showed last: this one comes up while the counter rests."""
        lists = _read(self._store.setting(SCOPE, "lists"), Lists)
        if lists is None:
            return
        contracts = _read(self._store.setting(SCOPE, "contracts"), _Contracts)
        self._ledger.set_contracts(contracts.instruments if contracts is not None else [])
        orders, trades = self._store.orders(lists.trading_day), self._store.trades(lists.trading_day)
        self._account.recall(Past(lists.money, lists.positions, orders, trades), lists.as_of)

    def _put(self, key: str, data: bytes) -> None:
        try:
            self._store.put_setting(SCOPE, key, data.decode())
        except StoreFailed as error:
            log.warning("%s of the account not kept: %s", key, error)


def _read(text: str | None, kind: type[T]) -> T | None:
    """None where there is nothing, or nothing that this version can read."""
    if text is None:
        return None
    try:
        return msgspec.convert(orjson.loads(text), kind)
    except (ValueError, msgspec.ValidationError) as error:
        log.warning("what was kept of the account cannot be read: %s", error)
        return None
