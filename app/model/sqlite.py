"""The embedded store: one SQLite file, WAL, one writing process. Any process that owns such a file.

Writes go through one connection under a lock; `synchronous=FULL` makes what a call has written survive a
power cut by the time it returns. Reads use connections of their own, so that a long range read never waits
for a writer.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from app.lib.bars import Bar, BarRow
from app.lib.errors import SettingsError
from app.lib.program import command
from app.model.store import (
    OPEN_INTENT,
    DuplicateIntent,
    EquityPoint,
    Event,
    Intent,
    StoreFailed,
    StoreState,
)
from app.model.tables import ROWID, Row, Table

PAGE = 5000  # rows of a table read at once
DELETED_AT_ONCE = 500  # rows
# seconds to wait for a file that somebody else has locked: an order waits so long twice and is still answered
# in time
LOCK_TIMEOUT = 1.0

_SCHEMA = """
CREATE TABLE bars (
    local_symbol TEXT NOT NULL, interval TEXT NOT NULL, timestamp INTEGER NOT NULL,
    open REAL NOT NULL, high REAL NOT NULL, low REAL NOT NULL, close REAL NOT NULL,
    volume INTEGER NOT NULL, turnover REAL NOT NULL, open_interest REAL NOT NULL, complete INTEGER NOT NULL,
    PRIMARY KEY (local_symbol, interval, timestamp)
) WITHOUT ROWID;
CREATE TABLE intents (
    order_id TEXT PRIMARY KEY, client_order_id TEXT NOT NULL, order_ref INTEGER NOT NULL,
    trading_day TEXT NOT NULL, created TEXT NOT NULL, request BLOB NOT NULL, state TEXT NOT NULL,
    code TEXT NOT NULL, message TEXT NOT NULL
);
CREATE UNIQUE INDEX intents_by_client ON intents (client_order_id) WHERE client_order_id <> '';
CREATE INDEX intents_by_day ON intents (trading_day);
CREATE INDEX intents_by_ref ON intents (order_ref);
CREATE TABLE orders (
    trading_day TEXT NOT NULL, order_id TEXT NOT NULL, position INTEGER NOT NULL, row BLOB NOT NULL,
    PRIMARY KEY (trading_day, order_id)
);
CREATE TABLE trades (
    trading_day TEXT NOT NULL, key TEXT NOT NULL, position INTEGER NOT NULL, row BLOB NOT NULL,
    PRIMARY KEY (trading_day, key)
);
CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, data BLOB NOT NULL);
CREATE TABLE settings (
    scope TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (scope, key)
) WITHOUT ROWID;
"""
_EQUITY = """
CREATE TABLE equity (
    owner TEXT NOT NULL, interval TEXT NOT NULL, timestamp INTEGER NOT NULL, trading_day TEXT NOT NULL,
    figures BLOB NOT NULL, PRIMARY KEY (owner, interval, timestamp)
) WITHOUT ROWID;
"""
_STEPS = (_SCHEMA, _EQUITY)  # what each version added
SCHEMA_VERSION = len(_STEPS)


class SchemaTooNew(SettingsError):
    """The file was written by a newer version of this program: run that one, or use another data
    directory.
    """


class StoreBroken(SettingsError):
    """The file is no database any more: bring it back from a backup."""


class SqliteStore:
    """See app/model/store.py for what each method promises."""

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)
        Path(self._path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._idle: deque[sqlite3.Connection] = deque()
        self._open: list[sqlite3.Connection] = []
        try:
            self._writer = self._connect()
            if os.name == "posix":
                os.chmod(self._path, 0o600)
            self._migrate()
        except (sqlite3.DatabaseError, StoreFailed) as error:
            self.close()
            broken = not isinstance(error, sqlite3.OperationalError | StoreFailed)
            hint = f"文件已损坏，请从备份恢复（{command('restore')}）" if broken else "请检查磁盘空间与权限"
            raise StoreBroken(
                f"数据库 {self._path} 打不开（{error}）：{hint}", parameter="data_dir"
            ) from error

    # ── connections ──

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        with self._lock:
            self._open.append(connection)
        return connection

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows. Connections go from read to read: one per thread would leak under eventlet, where every
        request is one.
        """
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            return connection.execute(query, values).fetchall()
        finally:
            self._idle.append(connection)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: everything in it or nothing. Raises StoreFailed when the file cannot be
        written.
        """
        with self._lock:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException as error:
                if self._writer.in_transaction:  # a full disk may have ended it already
                    self._writer.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    raise StoreFailed(str(error)) from error
                raise

    def _migrate(self) -> None:
        with self._writing() as db:  # two processes may open a new file at once: one of them makes it
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise SchemaTooNew(f"{self._path} 的结构版本为 {version}，本程序只认识到 {SCHEMA_VERSION}")
            for step in _STEPS[version:]:
                for statement in filter(str.strip, step.split(";")):
                    db.execute(statement)
            if version < SCHEMA_VERSION:
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()

    # ── bars ──

    def save_bars(self, local_symbol: str, interval: str, bars: Iterable[Bar]) -> int:
        rows = [(local_symbol, interval, *bar) for bar in bars]
        with self._writing() as db:
            db.executemany("INSERT OR REPLACE INTO bars VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)
        return len(rows)

    def read_bars(
        self, local_symbol: str, interval: str, start: int = 0, end: int = 0, limit: int = 0
    ) -> list[Bar]:
        rows = self._read(
            "SELECT timestamp, open, high, low, close, volume, turnover, open_interest, complete FROM bars "
            "WHERE local_symbol = ? AND interval = ? AND timestamp >= ? AND timestamp < ? ORDER BY timestamp "
            "DESC LIMIT ?",
            (local_symbol, interval, start, end or 1 << 62, limit or -1),
        )
        return [Bar._make((*row[:8], bool(row[8]))) for row in reversed(rows)]

    def read_bar_rows(
        self, local_symbol: str, interval: str, start: int = 0, end: int = 0, limit: int = 0
    ) -> list[BarRow]:
        rows = self._read(
            "SELECT timestamp, open, high, low, close, volume FROM bars WHERE local_symbol = ? AND interval "
            "= ? "
            "AND timestamp >= ? AND timestamp < ? ORDER BY timestamp "
            f"{'DESC LIMIT ?' if limit else 'LIMIT ?'}",
            (local_symbol, interval, start, end or 1 << 62, limit or -1),
        )
        if limit:
            rows.reverse()
        return rows

    def last_bar(self, local_symbol: str, interval: str) -> Bar | None:
        bars = self.read_bars(local_symbol, interval, limit=1)
        return bars[0] if bars else None

    def series(self) -> list[tuple[str, str]]:
        return self._read("SELECT DISTINCT local_symbol, interval FROM bars ORDER BY local_symbol, interval")

    def extent(self, local_symbol: str, interval: str) -> tuple[int, int, int]:
        (found,) = self._read(
            "SELECT COALESCE(MIN(timestamp), 0), COALESCE(MAX(timestamp), 0), COUNT(*) FROM bars "
            "WHERE local_symbol = ? AND interval = ?",
            (local_symbol, interval),
        )
        first, last, count = found
        return first, last, count

    # ── journal of intents ──

    def write_intent(self, intent: Intent) -> None:
        values = intent._asdict() | {
            "order_ref": int(intent.order_id.rpartition("_")[2]),
            "request": orjson.dumps(intent.request),
        }
        try:
            with self._writing() as db:
                db.execute(
                    "INSERT INTO intents (order_id, client_order_id, order_ref, trading_day, created, "
                    "request, state, code, message) "
                    "VALUES (:order_id, :client_order_id, :order_ref, :trading_day, :created, :request, "
                    ":state, :code, :message)",
                    values,
                )
        except sqlite3.IntegrityError as error:
            raise DuplicateIntent(str(error)) from None

    def settle_intent(self, order_id: str, state: str, code: str = "", message: str = "") -> None:
        with self._writing() as db:
            db.execute(
                "UPDATE intents SET state = ?, code = ?, message = ? WHERE order_id = ?",
                (state, code, message, order_id),
            )

    def intent(self, order_id: str) -> Intent | None:
        found = self._intents("order_id = ?", order_id)
        return found[0] if found else None

    def intent_of_client(self, client_order_id: str) -> Intent | None:
        found = self._intents("client_order_id = ? AND client_order_id <> ''", client_order_id)
        return found[0] if found else None

    def intents(self, trading_day: str) -> list[Intent]:
        return self._intents("trading_day = ?", trading_day)

    def open_intents(self, before: str) -> list[Intent]:
        states = ", ".join(f"'{state}'" for state in OPEN_INTENT)
        return self._intents(f"trading_day < ? AND state IN ({states})", before)

    def _intents(self, condition: str, value: str) -> list[Intent]:
        rows = self._read(
            "SELECT order_id, client_order_id, trading_day, created, request, state, code, message FROM "
            "intents "
            f"WHERE {condition} ORDER BY rowid",
            (value,),
        )
        return [
            Intent(order_id, client_id, day, created, orjson.loads(request), state, code, message)
            for order_id, client_id, day, created, request, state, code, message in rows
        ]

    def max_order_ref(self) -> int:
        return self._read("SELECT COALESCE(MAX(order_ref), 0) FROM intents")[0][0]

    # ── journal of orders and trades ──

    def save_order(self, trading_day: str, order_id: str, row: dict[str, Any]) -> int:
        data = orjson.dumps(row)
        with self._writing() as db:
            seq = self._append(db, "order_update", data)
            db.execute(
                "INSERT INTO orders VALUES (?, ?, ?, ?) ON CONFLICT (trading_day, order_id) DO UPDATE SET "
                "row = excluded.row",
                (trading_day, order_id, seq, data),
            )
        return seq

    def save_trade(self, trading_day: str, key: str, row: dict[str, Any]) -> int:
        data = orjson.dumps(row)
        with self._writing() as db:
            if db.execute(
                "SELECT 1 FROM trades WHERE trading_day = ? AND key = ?", (trading_day, key)
            ).fetchone():
                return 0
            seq = self._append(db, "trade_update", data)
            db.execute("INSERT INTO trades VALUES (?, ?, ?, ?)", (trading_day, key, seq, data))
        return seq

    @staticmethod
    def _append(db: sqlite3.Connection, event: str, data: bytes) -> int:
        seq = db.execute("INSERT INTO events (event, data) VALUES (?, ?)", (event, data)).lastrowid
        assert seq is not None
        return seq

    def orders(self, trading_day: str) -> list[dict[str, Any]]:
        rows = self._read("SELECT row FROM orders WHERE trading_day = ? ORDER BY position", (trading_day,))
        return [orjson.loads(row[0]) for row in rows]

    def order_row(self, trading_day: str, order_id: str) -> dict[str, Any] | None:
        found = self._read(
            "SELECT row FROM orders WHERE trading_day = ? AND order_id = ?", (trading_day, order_id)
        )
        return orjson.loads(found[0][0]) if found else None

    def trades(self, trading_day: str) -> list[dict[str, Any]]:
        rows = self._read("SELECT row FROM trades WHERE trading_day = ? ORDER BY position", (trading_day,))
        return [orjson.loads(row[0]) for row in rows]

    def last_seq(self) -> int:
        return self._read("SELECT COALESCE(MAX(seq), 0) FROM events")[0][0]

    def events(self, since: int, limit: int = 1000) -> list[Event]:
        rows = self._read(
            "SELECT seq, event, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (since, limit)
        )
        return [Event(seq, event, orjson.loads(data)) for seq, event, data in rows]

    def prune(self, before: str) -> int:
        removed = 0
        for table in ("intents", "orders", "trades"):
            old = f"trading_day < ? AND trading_day < (SELECT MAX(trading_day) FROM {table})"
            removed += self._delete(table, old, before)
        positions = "SELECT position FROM orders UNION ALL SELECT position FROM trades"
        (oldest,) = self._read(f"SELECT MIN(position) FROM ({positions})")[0]
        return removed + (self._delete("events", "seq < ?", oldest) if oldest is not None else 0)

    def _delete(self, table: str, condition: str, *values: Any, key: str = ROWID) -> int:
        """In small transactions: an order that has to be written down waits no longer than for one of
        these.
        """
        removed = 0
        while True:
            with self._writing() as db:
                some = f"SELECT {key} FROM {table} WHERE {condition} LIMIT {DELETED_AT_ONCE}"
                count = db.execute(f"DELETE FROM {table} WHERE ({key}) IN ({some})", values).rowcount
            removed += count
            if count < DELETED_AT_ONCE:
                return removed

    # ── history of equity ──

    def save_equity(self, points: Iterable[EquityPoint]) -> None:
        rows = [(*point[:4], orjson.dumps(point.figures)) for point in points]
        with self._writing() as db:
            db.executemany("INSERT OR REPLACE INTO equity VALUES (?, ?, ?, ?, ?)", rows)

    def equity(
        self, owner: str, interval: str, start: int = 0, end: int = 0, limit: int = 0
    ) -> list[EquityPoint]:
        rows = self._read(
            "SELECT owner, interval, timestamp, trading_day, figures FROM equity WHERE owner = ? AND "
            "interval = ? AND timestamp >= ? AND timestamp < ? ORDER BY timestamp DESC LIMIT ?",
            (owner, interval, start, end or 1 << 62, limit or -1),
        )
        return [EquityPoint._make((*row[:4], orjson.loads(row[4]))) for row in reversed(rows)]

    def prune_equity(self, before: int) -> int:
        owners = self._read("SELECT DISTINCT owner FROM equity")
        old, key = "owner = ? AND interval = 'minute' AND timestamp < ?", "owner, interval, timestamp"
        return sum(self._delete("equity", old, owner, before, key=key) for (owner,) in owners)

    # ── settings ──

    def put_setting(self, scope: str, key: str, value: Any) -> None:
        self.put_settings(scope, {key: value})

    def put_settings(self, scope: str, values: dict[str, Any]) -> None:
        rows = [(scope, key, orjson.dumps(value)) for key, value in values.items()]
        with self._writing() as db:
            db.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?, ?)", rows)

    def setting(self, scope: str, key: str, default: Any = None) -> Any:
        rows = self._read("SELECT value FROM settings WHERE scope = ? AND key = ?", (scope, key))
        return orjson.loads(rows[0][0]) if rows else default

    def settings(self, scope: str) -> dict[str, Any]:
        rows = self._read("SELECT key, value FROM settings WHERE scope = ? ORDER BY key", (scope,))
        return {key: orjson.loads(value) for key, value in rows}

    def delete_setting(self, scope: str, key: str) -> None:
        with self._writing() as db:
            db.execute("DELETE FROM settings WHERE scope = ? AND key = ?", (scope, key))

    # ── its state ──

    def state(self) -> StoreState:
        self._read("SELECT 1 FROM settings LIMIT 1")
        return StoreState("up")

    def on_state(self, listener: Callable[[StoreState], object]) -> None:
        """A file that can be opened stays."""

    def flush(self, seconds: float) -> bool:
        return True

    # ── as tables ──

    def tables(self) -> dict[str, Table]:
        """All that is kept, by name."""
        found = {}
        for name, keyed in self._read(
            "SELECT name, wr FROM pragma_table_list WHERE type = 'table' AND schema = 'main' "
            "AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'spool%' ORDER BY name"
        ):
            columns = self._read("SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid", (name,))
            key = tuple(column for _, column in sorted((pk, column) for column, _, pk in columns if pk))
            numbered = len(key) == 1 and any(pk and kind == "INTEGER" for _, kind, pk in columns)
            blobs = frozenset(column for column, kind, _ in columns if kind == "BLOB")
            found[name] = Table(
                name,
                tuple(column for column, _, _ in columns),
                key,
                blobs,
                ordered=not keyed and not numbered,
            )
        return found

    def rows(self, table: Table) -> Iterator[Row]:
        """Every row of a table: in the order of their making where it has one, else by key."""
        by = (ROWID,) if table.ordered else table.key
        columns = (ROWID, *table.columns) if table.ordered else table.columns
        places = [columns.index(column) for column in by]
        select = f"SELECT {', '.join(columns)} FROM {table.name}"
        order = f"ORDER BY {', '.join(by)} LIMIT {PAGE}"
        page = self._read(f"{select} {order}")
        while page:
            yield from (_decoded(table, columns, row) for row in page)
            last = [page[-1][place] for place in places]
            page = (
                self._read(f"{select} WHERE ({', '.join(by)}) > ({', '.join('?' * len(by))}) {order}", last)
                if len(page) == PAGE
                else []
            )

    def rows_of(self, table: Table, keys: Sequence[Sequence[Any]]) -> list[Row]:
        """The rows of these keys, in their order, in one question; a key that is not there has none."""
        columns = (ROWID, *table.columns) if table.ordered else table.columns
        same = " AND ".join(
            f"kept.{column} = json_extract(asked.value, '$[{at}]')" for at, column in enumerate(table.key)
        )
        found = self._read(
            f"SELECT {', '.join(f'kept.{column}' for column in columns)} "
            f"FROM json_each(?) AS asked CROSS JOIN {table.name} AS kept ON {same}",
            (orjson.dumps(keys).decode(),),
        )
        return [_decoded(table, columns, row) for row in found]

    def load(self, table: Table, rows: Iterable[Row], replace: bool = True) -> int:
        """Write rows as `rows` gave them, in one transaction. With `replace` they take the place of those
        with their key, else those stay. Returns how many there were. Raises StoreFailed, too, where another
        row has what must be unique.
        """
        try:
            with self._writing() as db:
                return self._load(db, table, rows, replace)
        except sqlite3.IntegrityError as error:
            raise StoreFailed(f"{table.name} 与已有的行冲突（{error}）") from None

    @staticmethod
    def _load(db: sqlite3.Connection, table: Table, rows: Iterable[Row], replace: bool) -> int:
        values = [
            tuple(orjson.dumps(row[c]) if c in table.json else row[c] for c in table.columns) for row in rows
        ]
        others = [column for column in table.columns if column not in table.key]
        change = (
            f"UPDATE SET {', '.join(f'{column} = excluded.{column}' for column in others)}"
            if replace and others
            else "NOTHING"
        )
        conflict = (
            f"({', '.join(table.key)})" if replace else ""
        )  # without: whatever is unique keeps what is there
        db.executemany(
            f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES "
            f"({', '.join('?' * len(table.columns))}) "
            f"ON CONFLICT {conflict} DO {change}",
            values,
        )
        return len(values)


def _decoded(table: Table, columns: Sequence[str], values: Sequence[Any]) -> Row:
    row = dict(zip(columns, values, strict=True))
    for column in table.json:
        row[column] = orjson.loads(row[column])
    return row
