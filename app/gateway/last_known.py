"""What an account showed last, kept for its pages when the gateway starts while the counter rests. Gateway
process.

Orders and trades are in the journal already; kept beside it are the money, the positions, and the contract
list of the day.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import orjson

from app.lib import rows
from app.model.store import Store, StoreFailed
from app.wire.frames import InstrumentField

log = logging.getLogger(__name__)

SCOPE = "last_known"


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
    """Keeps it in the account's store. A store that fails costs it and nothing else."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep_contracts(self, trading_day: str, instruments: list[InstrumentField]) -> None:
        """The list of the day. From any thread: it is long."""
        self._put("contracts", msgspec.json.encode(_Contracts(trading_day, instruments)))

    def keep(self, lists: Lists) -> None:
        """What is shown now."""
        self._put("lists", rows.to_json(msgspec.structs.asdict(lists)))

    def lists(self) -> Lists | None:
        """What was kept last; None where there is nothing, or nothing that this version can read."""
        text = self._store.setting(SCOPE, "lists")
        return _read(text, Lists)

    def instruments(self) -> list[InstrumentField]:
        found = _read(self._store.setting(SCOPE, "contracts"), _Contracts)
        return [] if found is None else found.instruments

    def orders(self, trading_day: str) -> list[dict[str, Any]]:
        return self._store.orders(trading_day)

    def trades(self, trading_day: str) -> list[dict[str, Any]]:
        return self._store.trades(trading_day)

    def _put(self, key: str, data: bytes) -> None:
        try:
            self._store.put_setting(SCOPE, key, data.decode())
        except StoreFailed as error:
            log.warning("%s of the account not kept: %s", key, error)


def _read(text: str | None, kind: type[Any]) -> Any:
    if text is None:
        return None
    try:
        return msgspec.convert(orjson.loads(text), kind)
    except (ValueError, msgspec.ValidationError) as error:
        log.warning("what was kept of the account cannot be read: %s", error)
        return None
