"""What a store can do. Two scopes use the same interface: the server's (authorization, sessions) and one per
account.

Timestamps of bars are epoch milliseconds of the bar's start. Rows of orders and trades are the wire rows
(JSON objects) and their exchange keys. Every method is safe to call from any thread of the process that owns
the store; one process writes. What writes raises StoreFailed when it cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from app.lib.bars import Bar, BarRow
from app.model.tables import Row, Table

OPEN_INTENT = ("sending", "sent", "unknown")
"""States of an intent of which nobody has said what became of it."""


class Intent(NamedTuple):
    """What we are about to send, written before it is sent."""

    order_id: str  # front_session_ref
    client_order_id: str  # "" for none
    trading_day: str
    created: str  # ISO 8601, exchange time
    request: dict[str, Any]  # the order as asked
    state: str = "sending"  # sending, then sent / never_sent / accepted / refused / unknown
    code: str = ""
    message: str = ""


class Event(NamedTuple):
    """One line of the journal: `seq` rises by one per account and never restarts."""

    seq: int
    event: str  # order_update, trade_update
    data: dict[str, Any]


class EquityPoint(NamedTuple):
    """What an account, or a strategy of it, was worth at a moment: app/lib/equity.py says which figures."""

    owner: str  # the strategy's name, "" for the account
    interval: str  # minute, or day: the newest of its day
    timestamp: int  # ms, of the minute; of a day its midnight in Shanghai
    trading_day: str  # YYYYMMDD
    figures: list[float | None]


class StoreState(NamedTuple):
    """Where the rows are: `up`; `down`, `refused` (the server does not take our name or password) while they
    wait on this disk.
    """

    state: str
    reason: str = ""  # for people
    since: str = ""  # ISO 8601 with its offset, "" for always
    waiting: int = 0  # rows that are not at the server yet


class Store(Protocol):
    """See the module's docstring; the contract is tests/integration/test_store_contract.py, run on every
    backend.
    """

    def close(self) -> None: ...

    def state(self) -> StoreState:
        """How it is now. Raises whatever reading raises when the store cannot be read at all."""

    def on_state(self, listener: Callable[[StoreState], object]) -> None:
        """Have `listener` called, in a thread of the store's, whenever `state` or `reason` changes."""

    def flush(self, seconds: float) -> bool:
        """Whether everything is where it is to stay, within that time."""

    def tables(self) -> dict[str, Table]:
        """All that is kept, as plain tables by name: for moving it."""

    def rows(self, table: Table) -> Iterator[Row]: ...

    def load(self, table: Table, rows: Iterable[Row], replace: bool = True) -> int: ...

    # bars
    def save_bars(self, local_symbol: str, interval: str, bars: Iterable[Bar]) -> int:
        """Insert or replace by (local_symbol, interval, timestamp); returns how many were written."""

    def read_bars(
        self, local_symbol: str, interval: str, start: int = 0, end: int = 0, limit: int = 0
    ) -> list[Bar]:
        """Oldest first, start inclusive, end exclusive, 0 for open ends; with `limit` the newest that
        many.
        """

    def read_bar_rows(
        self, local_symbol: str, interval: str, start: int = 0, end: int = 0, limit: int = 0
    ) -> list[BarRow]:
        """The same bars as a page has them: without the rest of a Bar, reading takes half the time."""

    def last_bar(self, local_symbol: str, interval: str) -> Bar | None: ...

    def series(self) -> list[tuple[str, str]]:
        """Of which contracts and intervals there are bars, sorted."""

    def extent(self, local_symbol: str, interval: str) -> tuple[int, int, int]:
        """The timestamps of the first and the last bar there is, and how many there are: 0, 0, 0 for none."""

    # journal of intents: durable (synchronous) before the call returns
    def write_intent(self, intent: Intent) -> None:
        """Raises DuplicateIntent when the order_id or a non-empty client_order_id is there already."""

    def settle_intent(self, order_id: str, state: str, code: str = "", message: str = "") -> None: ...

    def intent(self, order_id: str) -> Intent | None: ...

    def intent_of_client(self, client_order_id: str) -> Intent | None: ...

    def intents(self, trading_day: str) -> list[Intent]: ...

    def open_intents(self, before: str) -> list[Intent]:
        """Those of the trading days before `before` (YYYYMMDD) of which nobody has said what became of them,
        the oldest first.
        """

    def max_order_ref(self) -> int:
        """The highest OrderRef ever used in an intent, 0 for none: the next session starts above it."""

    # journal of orders and trades, by their exchange keys
    def save_order(self, trading_day: str, order_id: str, row: dict[str, Any]) -> int:
        """Insert or replace, append an `order_update` event, return its seq."""

    def save_trade(self, trading_day: str, key: str, row: dict[str, Any]) -> int:
        """Insert once; returns its seq, or 0 when this key was there already (nothing is changed then)."""

    def orders(self, trading_day: str) -> list[dict[str, Any]]: ...

    def order_row(self, trading_day: str, order_id: str) -> dict[str, Any] | None: ...

    def trades(self, trading_day: str) -> list[dict[str, Any]]: ...

    def last_seq(self) -> int: ...

    def events(self, since: int, limit: int = 1000) -> list[Event]: ...

    def prune(self, before: str) -> int:
        """Forget the journal of the trading days before `before` (YYYYMMDD), little by little; returns how
        many rows that were. What is newest stays whatever its day: numbers go on from it.
        """

    # history of equity
    def save_equity(self, points: Iterable[EquityPoint]) -> None:
        """Insert or replace by (owner, interval, timestamp), all or nothing."""

    def equity(
        self, owner: str, interval: str, start: int = 0, end: int = 0, limit: int = 0
    ) -> list[EquityPoint]:
        """As of `read_bars`."""

    def prune_equity(self, before: int) -> int:
        """Forget the minutes before that moment (ms), little by little; returns how many. Days stay."""

    # settings: small JSON values by (scope, key), e.g. ("config", "CLOSE_PATTERN"), ("session", account)
    def put_setting(self, scope: str, key: str, value: Any) -> None: ...

    def put_settings(self, scope: str, values: dict[str, Any]) -> None:
        """All or nothing."""

    def setting(self, scope: str, key: str, default: Any = None) -> Any: ...

    def settings(self, scope: str) -> dict[str, Any]: ...

    def delete_setting(self, scope: str, key: str) -> None: ...


class DuplicateIntent(Exception):
    """An intent with this order_id or client_order_id is in the journal already."""


class StoreFailed(Exception):
    """The disk is full, or the store is locked or unreachable: nothing was written."""
