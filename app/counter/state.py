"""What the counter must never lose: accounts, lots, orders, trades, sequence numbers, trading day, the
market's state. Counter process.

One SQLite file (WAL, synchronous=FULL) with one writer, the counter's core thread. The core works inside
`transaction()`: all that a request or a moment of the market did is in the file, or none of it, before any
callback leaves.

A trading day is known by its number (`day`), which only rises, since a replay may visit the same date twice.
Lots are those of the day's start: with the day's trades they make the account's book.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from app import files
from app.lib.book import Lot
from app.wire.frames import InstrumentField, OrderField, TradeField

SCHEMA_VERSION = 2

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY, broker TEXT NOT NULL, user TEXT NOT NULL, password TEXT NOT NULL,
    pre_balance TEXT NOT NULL, UNIQUE (broker, user)
);
CREATE TABLE lots (
    account INTEGER NOT NULL, symbol TEXT NOT NULL, direction TEXT NOT NULL, open_date TEXT NOT NULL,
    trade_id TEXT NOT NULL, volume INTEGER NOT NULL, open_price REAL NOT NULL, base_price REAL NOT NULL
);
CREATE INDEX lots_by_account ON lots (account);
CREATE TABLE contracts (symbol TEXT PRIMARY KEY, row BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE orders (
    day INTEGER NOT NULL, place INTEGER NOT NULL, account INTEGER NOT NULL, number INTEGER NOT NULL,
    from_auction INTEGER NOT NULL, row BLOB NOT NULL, PRIMARY KEY (day, place)
) WITHOUT ROWID;
CREATE INDEX orders_by_number ON orders (number);
CREATE TABLE trades (
    day INTEGER NOT NULL, place INTEGER NOT NULL, account INTEGER NOT NULL, number INTEGER NOT NULL,
    row BLOB NOT NULL, PRIMARY KEY (day, place)
) WITHOUT ROWID;
CREATE INDEX trades_by_number ON trades (number);
"""
_STATEMENTS = """
CREATE TABLE statements (
    account INTEGER NOT NULL, trading_day TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (account, trading_day)
) WITHOUT ROWID;
"""
_STEPS = (_SCHEMA, _STATEMENTS)  # from version n to n + 1

_encode_row = msgspec.msgpack.Encoder().encode
_decode_contract = msgspec.msgpack.Decoder(InstrumentField).decode
_decode_order = msgspec.msgpack.Decoder(OrderField).decode
_decode_trade = msgspec.msgpack.Decoder(TradeField).decode


class StoredAccount(NamedTuple):
    id: int
    broker: str
    user: str
    password: str  # a hash
    pre_balance: str  # yuan, at the start of the day, exact


class StoredOrder(NamedTuple):
    place: int  # rises within the day, from 1, in the order in which the counter took them
    account: int
    number: int  # the exchange's sequence number, its time of priority; 0 while the exchange has not got it
    from_auction: bool  # entered in an auction that has not matched yet
    row: OrderField


class StoredTrade(NamedTuple):
    place: int
    account: int
    number: int  # the exchange's sequence number, the same on both sides of a trade between paper orders
    row: TradeField


class CounterState(Protocol):
    """What a core keeps its accounts in: a file (State, below), or memory alone
    (app/counter/memory_state.py). `State` says what each of these means.
    """

    def transaction(self) -> AbstractContextManager[None]: ...

    def put(self, key: str, value: Any) -> None: ...

    def get(self, key: str, default: Any) -> Any: ...

    def add_account(self, broker: str, user: str, password: str, pre_balance: str) -> StoredAccount: ...

    def set_password(self, account: int, password: str) -> None: ...

    def accounts(self) -> list[StoredAccount]: ...

    def lots(self, account: int) -> list[Lot]: ...

    def begin_day(self, account: int, pre_balance: str, lots: Iterable[Lot]) -> None: ...

    def save_contract(self, contract: InstrumentField) -> None: ...

    def contracts(self) -> dict[str, InstrumentField]: ...

    def save_statement(self, account: int, trading_day: str, text: str) -> None: ...

    def statement(self, account: int, trading_day: str = "") -> tuple[str, str]: ...

    def save_order(self, day: int, order: StoredOrder) -> None: ...

    def save_trade(self, day: int, trade: StoredTrade) -> None: ...

    def orders(self, day: int) -> list[StoredOrder]: ...

    def trades(self, day: int) -> list[StoredTrade]: ...

    def last_order_number(self) -> int: ...

    def last_trade_number(self) -> int: ...


class StateTooNew(Exception):
    """The file was written by a newer version of this program: run that one, or use another data
    directory.
    """


class State:
    """See the module's docstring. One thread uses it."""

    def __init__(self, path: str | Path) -> None:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._db = sqlite3.connect(str(path), timeout=1.0, isolation_level=None, check_same_thread=False)
        self._let_go = self._claim(Path(path))
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        if os.name == "posix":
            os.chmod(path, 0o600)
        with self.transaction():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise StateTooNew(f"{path} 的结构版本为 {version}，本程序只认识到 {SCHEMA_VERSION}")
            for statement in filter(str.strip, "".join(_STEPS[version:]).split(";")):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _claim(self, path: Path) -> Callable[[], object]:
        """A second counter on this file cannot even start; a backup may read it. Returns what lets go of it
        again.

        Raises sqlite3.OperationalError.
        """
        if not files.CAN_LOCK:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            return lambda: None
        claim = files.locked(path.with_name(f"{path.name}.lock"))
        if claim is None:
            self._db.close()
            raise sqlite3.OperationalError("database is locked")
        return weakref.finalize(self, claim.close)

    def close(self) -> None:
        self._db.close()
        self._let_go()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything in it or nothing. It begins at once and is on disk when this block is left."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    # ── single values ──

    def put(self, key: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, msgspec.json.encode(value)))

    def get(self, key: str, default: Any) -> Any:
        found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return default if found is None else msgspec.json.decode(found[0])

    # ── accounts, and their lots at the start of the day ──

    def add_account(self, broker: str, user: str, password: str, pre_balance: str) -> StoredAccount:
        cursor = self._db.execute(
            "INSERT INTO accounts (broker, user, password, pre_balance) VALUES (?,?,?,?)",
            (broker, user, password, pre_balance),
        )
        assert cursor.lastrowid is not None
        return StoredAccount(cursor.lastrowid, broker, user, password, pre_balance)

    def set_password(self, account: int, password: str) -> None:
        """`password` is a hash."""
        self._db.execute("UPDATE accounts SET password = ? WHERE id = ?", (password, account))

    def accounts(self) -> list[StoredAccount]:
        return [
            StoredAccount(*row)
            for row in self._db.execute(
                "SELECT id, broker, user, password, pre_balance FROM accounts ORDER BY id"
            )
        ]

    def lots(self, account: int) -> list[Lot]:
        columns = "symbol, direction, open_date, trade_id, volume, open_price, base_price"
        rows = self._db.execute(f"SELECT {columns} FROM lots WHERE account = ? ORDER BY rowid", (account,))
        return [Lot(*row) for row in rows]

    def begin_day(self, account: int, pre_balance: str, lots: Iterable[Lot]) -> None:
        """What settlement left of an account."""
        self._db.execute("UPDATE accounts SET pre_balance = ? WHERE id = ?", (pre_balance, account))
        self._db.execute("DELETE FROM lots WHERE account = ?", (account,))
        self._db.executemany("INSERT INTO lots VALUES (?,?,?,?,?,?,?,?)", [(account, *lot) for lot in lots])

    # ── contracts that were ever traded: held lots need them, though the market lists them no more ──

    def save_contract(self, contract: InstrumentField) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO contracts VALUES (?, ?)", (contract.InstrumentID, _encode_row(contract))
        )

    def contracts(self) -> dict[str, InstrumentField]:
        return {
            symbol: _decode_contract(row)
            for symbol, row in self._db.execute("SELECT symbol, row FROM contracts")
        }

    # ── settlement statements ──

    def save_statement(self, account: int, trading_day: str, text: str) -> None:
        """A day that a replay visits again has the newer one."""
        self._db.execute("INSERT OR REPLACE INTO statements VALUES (?,?,?)", (account, trading_day, text))

    def statement(self, account: int, trading_day: str = "") -> tuple[str, str]:
        """Trading day and text; the newest without a day; both empty where there is none."""
        of_day = "AND trading_day = ?" if trading_day else "AND ? = '' ORDER BY trading_day DESC LIMIT 1"
        query = f"SELECT trading_day, text FROM statements WHERE account = ? {of_day}"
        return self._db.execute(query, (account, trading_day)).fetchone() or ("", "")

    # ── orders and trades ──

    def save_order(self, day: int, order: StoredOrder) -> None:
        values = (
            day,
            order.place,
            order.account,
            order.number,
            int(order.from_auction),
            _encode_row(order.row),
        )
        self._db.execute("INSERT OR REPLACE INTO orders VALUES (?,?,?,?,?,?)", values)

    def save_trade(self, day: int, trade: StoredTrade) -> None:
        self._db.execute(
            "INSERT INTO trades VALUES (?,?,?,?,?)",
            (day, trade.place, trade.account, trade.number, _encode_row(trade.row)),
        )

    def orders(self, day: int) -> list[StoredOrder]:
        rows = self._db.execute(
            "SELECT place, account, number, from_auction, row FROM orders WHERE day = ? ORDER BY place",
            (day,),
        )
        return [
            StoredOrder(place, account, number, bool(auction), _decode_order(row))
            for place, account, number, auction, row in rows
        ]

    def trades(self, day: int) -> list[StoredTrade]:
        rows = self._db.execute(
            "SELECT place, account, number, row FROM trades WHERE day = ? ORDER BY place", (day,)
        )
        return [
            StoredTrade(place, account, number, _decode_trade(row)) for place, account, number, row in rows
        ]

    def last_order_number(self) -> int:
        """The highest number the exchange ever gave, so that none is given twice, whatever the day."""
        return int(self._db.execute("SELECT COALESCE(MAX(number), 0) FROM orders").fetchone()[0])

    def last_trade_number(self) -> int:
        return int(self._db.execute("SELECT COALESCE(MAX(number), 0) FROM trades").fetchone()[0])
