"""The store of those who have MongoDB: what is written is on this disk before the call returns, and a thread
brings it to the server.

The file is the SqliteStore that serves those without MongoDB. Triggers note the key of every row that
changes, in the transaction that changes it (`spool`); the shipper reads the notes in order, sends the rows as
they are now, and strikes out what has arrived. A batch whose answer is lost is sent again and replaces
itself. So an order's intent never waits for a network, and a server that is down, slow or gone for a week
costs nothing but disk. Journal and settings stay in the file too; of bars it keeps the newest week, the rest
is asked of the server.

A file that meets a database takes over what that has of its scope, and ships all it has itself: it may have
been in use without MongoDB, or with another. A database is told by what `MongoTables.born` says. Several
processes may have the file open: one of them ships, who holds the file's lock. Threads: the shipper, the
callers.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import orjson

from app import files
from app.lib.bars import Bar, BarRow
from app.model.mongo import MongoTables, Refused
from app.model.sqlite import SqliteStore
from app.model.store import StoreFailed, StoreState
from app.model.tables import BARS, EVENTS, Row, Table

BATCH = 5000  # rows in one go; fewer where the server does not take so many in its time
LEAST_BATCH = 100
WRITE = 2000  # rows in one transaction on this disk: an order's intent waits no longer than for that
ENOUGH = 200  # rows that are worth a go at once: fewer are waited for
LOOK_EVERY = 0.1  # seconds
PING_EVERY = 2.0
RETRY = 1.0
RETRY_LONGEST = 10.0
RETRY_REFUSED = 60.0  # a password is no better for being tried often, and servers lock accounts
MOST_BARS = (
    1_000_000  # that wait, but those that were here already: three weeks of a hundred contracts, 200 MB
)
KEEP_BARS = 7 * 86_400_000  # ms that bars stay here after they have arrived
TRIM_EVERY = 6 * 3600.0
CLOSING_LIMIT = 1.0
WHOLE_SERIES_LIMIT = 120.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS spool (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, key TEXT NOT NULL, UNIQUE (name, key)
);
CREATE TABLE IF NOT EXISTS spool_state (
    one INTEGER PRIMARY KEY CHECK (one = 1), state TEXT NOT NULL, reason TEXT NOT NULL, since TEXT NOT NULL
);
INSERT OR IGNORE INTO spool_state (one, state, reason, since) VALUES (1, 'down', '尚未连接', '');
CREATE TABLE IF NOT EXISTS spool_known (
    one INTEGER PRIMARY KEY CHECK (one = 1), born TEXT NOT NULL, backlog INTEGER NOT NULL
);
INSERT OR IGNORE INTO spool_known VALUES (1, '', 0);
"""

log = logging.getLogger(__name__)


class SpooledStore(SqliteStore):
    """See app/model/store.py for what each method promises. Without `remote` this process leaves shipping to
    another.
    """

    def __init__(self, path: str | Path, remote: MongoTables | None) -> None:
        self._remote = remote
        self._listeners: list[Callable[[StoreState], object]] = []
        self._closing = threading.Event()
        self._claim: IO[bytes] | None = None
        self._shipper: threading.Thread | None = None
        self._told = ""
        self._trimmed = 0.0
        self._batch = BATCH
        self._pause, self._due = RETRY, 0.0  # of the shipper: after a failure, and until it must be heard of
        self._shipped = 0
        super().__init__(path)  # which closes what it cannot open
        self._prepare()
        if remote is not None:
            self._first_meeting()
            self._shipper = threading.Thread(target=self._run, name="shipper", daemon=True)
            self._shipper.start()

    # ── its state ──

    def state(self) -> StoreState:
        state, reason, since = self._read("SELECT state, reason, since FROM spool_state")[0]
        return StoreState(state, reason, since, self._read("SELECT COUNT(*) FROM spool")[0][0])

    def on_state(self, listener: Callable[[StoreState], object]) -> None:
        self._listeners.append(listener)

    def flush(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while self._waits():
            if time.monotonic() > deadline:
                return False
            pause.wait(0.02)
        return True

    def close(self) -> None:
        """What waits gets a moment to leave; the rest leaves when the file is next opened."""
        if self._closing.is_set():
            return
        if self._shipper is not None and self._is_up():
            self.flush(CLOSING_LIMIT)
        self._closing.set()
        if self._shipper is not None:
            self._shipper.join(CLOSING_LIMIT)
        if self._remote is not None:
            self._remote.close()
        if self._claim is not None:
            self._claim.close()
        super().close()

    def _waits(self) -> bool:
        return bool(self._read("SELECT 1 FROM spool LIMIT 1"))

    def _is_up(self) -> bool:
        return self._read("SELECT state FROM spool_state")[0][0] == "up"

    def _tell(self, state: str, reason: str = "") -> None:
        """Note the state for every process that has the file open, log it and let listeners hear, when it is
        news.
        """
        known = self._read("SELECT state, reason FROM spool_state")[0]
        if known == (state, reason) and self._told == state:
            return
        if known != (state, reason):
            since = datetime.now(UTC).isoformat(timespec="milliseconds")
            with self._writing() as db:
                db.execute("UPDATE spool_state SET state = ?, reason = ?, since = ?", (state, reason, since))
        if self._told != state:
            assert self._remote is not None
            if state == "up":
                log.info("MongoDB（%s）已连接", self._remote.server)
            else:
                log.warning(
                    "MongoDB（%s）不可用：%s；数据先存在本机，恢复后补写", self._remote.server, reason
                )
        self._told = state
        for listener in self._listeners:
            listener(self.state())

    # ── bars ──

    def save_bars(self, local_symbol: str, interval: str, bars: Iterable[Bar]) -> int:
        """Raises StoreFailed too when a million bars wait for the server already: orders and trades are never
        refused for it.
        """
        new = "FROM spool WHERE id > (SELECT backlog FROM spool_known)"
        first, last = self._read(f"SELECT COALESCE(MIN(id), 0), COALESCE(MAX(id), 0) {new}")[0]
        if (
            last - first >= MOST_BARS
            and self._read(f"SELECT COUNT(*) {new} AND name = ?", (BARS,))[0][0] >= MOST_BARS
        ):
            raise StoreFailed(f"等待写入 MongoDB 的 K 线已达 {MOST_BARS} 根，不再接收：请恢复 MongoDB")
        return super().save_bars(local_symbol, interval, bars)

    def read_bars(
        self, local_symbol: str, interval: str, start: int = 0, end: int = 0, limit: int = 0
    ) -> list[Bar]:
        """What the server has and what waits here; while the server is away, what this file has: the newest
        week.
        """
        here = super().read_bars(local_symbol, interval, start, end, limit)
        if self._remote is None or not self._is_up():
            return here
        try:
            there = self._remote.read_bars(local_symbol, interval, start, end, limit)
        except StoreFailed as error:
            log.warning("K 线只有本机的：%s", error)  # whether it is down is for the shipper to find out
            return here
        newest = self._merged(there, here)
        return newest[-limit:] if limit else newest

    def extent(self, local_symbol: str, interval: str) -> tuple[int, int, int]:
        if self._remote is None or not self._is_up():
            return super().extent(local_symbol, interval)
        here = [row[0] for row in super().read_bar_rows(local_symbol, interval)]
        try:
            return self._remote.extent(local_symbol, interval, here)
        except StoreFailed as error:
            log.warning("K 线只有本机的：%s", error)
            return super().extent(local_symbol, interval)

    def series(self) -> list[tuple[str, str]]:
        """While the server is away, those of which this file has something."""
        here = super().series()
        if self._remote is None or not self._is_up():
            return here
        try:
            return sorted({*self._remote.series(), *here})
        except StoreFailed as error:
            log.warning("K 线只有本机的：%s", error)
            return here

    @staticmethod
    def _merged(there: list[Bar], here: list[Bar]) -> list[Bar]:
        """Both, oldest first; of a minute that both have, ours may be newer."""
        if not here:
            return there
        bars = {bar.timestamp: bar for bar in there} | {bar.timestamp: bar for bar in here}
        return [bars[timestamp] for timestamp in sorted(bars)]

    def read_bar_rows(
        self, local_symbol: str, interval: str, start: int = 0, end: int = 0, limit: int = 0
    ) -> list[BarRow]:
        return [bar[:6] for bar in self.read_bars(local_symbol, interval, start, end, limit)]

    def rows(self, table: Table) -> Iterator[Row]:
        """Every row, those that only the server has too. Raises StoreFailed when it cannot be asked for
        them.
        """
        if table.name != BARS:
            return super().rows(table)
        return self._all_bars(table)

    def _all_bars(self, table: Table) -> Iterator[Row]:
        if self._remote is None:
            raise StoreFailed("这个进程不连 MongoDB")
        series = {*self._remote.series(), *SqliteStore.series(self)}
        for local_symbol, interval in sorted(series):
            there = self._remote.read_bars(local_symbol, interval, seconds=WHOLE_SERIES_LIMIT)
            for bar in self._merged(there, SqliteStore.read_bars(self, local_symbol, interval)):
                yield dict(
                    zip(table.columns, (local_symbol, interval, *bar[:8], int(bar.complete)), strict=True)
                )

    # ── the file ──

    def _prepare(self) -> None:
        """Notes and triggers. Rows from before there were any are noted too: a file that served without
        MongoDB is shipped whole.
        """
        with self._writing() as db:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                db.execute(statement)
            watched = db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for table in self.tables().values():
                if (f"spool_{table.name}_insert",) not in watched:
                    self._watch(db, table)
                    db.execute("UPDATE spool_known SET backlog = (SELECT COALESCE(MAX(id), 0) FROM spool)")

    @staticmethod
    def _watch(db: sqlite3.Connection, table: Table) -> None:
        for event, side in (("insert", "NEW"), ("update", "NEW"), ("delete", "OLD")):
            if (event, table.name) == ("delete", BARS):
                continue  # bars leave this file once they have arrived
            key = f"json_array({', '.join(f'{side}.{column}' for column in table.key)})"
            db.execute(
                f"CREATE TRIGGER spool_{table.name}_{event} AFTER {event} ON {table.name} BEGIN "
                # a newer note comes behind those that are on their way
                f"DELETE FROM spool WHERE name = '{table.name}' AND key = {key}; "
                f"INSERT INTO spool (name, key) VALUES ('{table.name}', {key}); END"
            )
        db.execute(
            f"INSERT INTO spool (name, key) SELECT '{table.name}', json_array({', '.join(table.key)}) FROM "
            f"{table.name}"
        )

    def _first_meeting(self) -> None:
        """A new file learns what the server has before anybody reads it. Without a server it numbers its
        events above all that may be there.
        """
        if self._known() or not self._claimed():
            return
        try:
            self._meet()
            self._tell("up")
        except StoreFailed as error:
            self._tell("refused" if isinstance(error, Refused) else "down", str(error))
            with self._writing() as db:
                if not db.execute("SELECT 1 FROM sqlite_sequence WHERE name = ?", (EVENTS,)).fetchone():
                    db.execute(
                        "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)",
                        (EVENTS, time.time_ns() // 1_000_000),
                    )

    def _known(self) -> str:
        """Which database this file has met, "" for none."""
        born: str = self._read("SELECT born FROM spool_known")[0][0]
        return born

    def _meet(self) -> None:
        """Where the database is news: learn everything it has of this scope but its bars, and have it learn
        everything that is here. Of what both have, ours stays.
        """
        assert self._remote is not None
        born = self._remote.born()
        if born == self._known():
            return
        found = {
            table: list(self._remote.rows(table)) for table in self.tables().values() if table.name != BARS
        }
        self._note_everything()
        with self._writing() as db:
            last = db.execute("SELECT COALESCE(MAX(id), 0) FROM spool").fetchone()[0]
            for table, rows in found.items():
                self._load(db, table, rows, replace=False)
            db.execute("DELETE FROM spool WHERE id > ?", (last,))  # the server knows
            db.execute("UPDATE spool_known SET born = ?, backlog = ?", (born, last))

    def _note_everything(self) -> None:
        """In small transactions."""
        for table in self.tables().values():
            keys = map(table.key_of, SqliteStore.rows(self, table))
            note = (
                f"INSERT OR IGNORE INTO spool (name, key) VALUES ('{table.name}', "
                f"json_array({', '.join('?' * len(table.key))}))"
            )
            while some := list(itertools.islice(keys, WRITE)):
                with self._writing() as db:
                    db.executemany(note, some)

    def _trim(self) -> bool:
        """Let go of some bars that have arrived and are older than a week before the newest. Returns whether
        those were the last.
        """
        oldest = self._read("SELECT COALESCE(MAX(timestamp), 0) FROM bars")[0][0] - KEEP_BARS
        arrived = (
            "NOT EXISTS (SELECT 1 FROM spool WHERE name = 'bars' AND key = json_array(local_symbol, "
            "interval, timestamp))"
        )
        old = self._read(
            f"SELECT local_symbol, interval, timestamp FROM bars WHERE timestamp < ? AND {arrived} LIMIT ?",
            (oldest, WRITE),
        )
        with self._writing() as db:
            db.executemany(
                f"DELETE FROM bars WHERE local_symbol = ? AND interval = ? AND timestamp = ? AND {arrived}",
                old,
            )
        return len(old) < WRITE

    # ── the shipper ──

    def _run(self) -> None:
        if self._told == "refused":  # at the first meeting, just now
            self._closing.wait(RETRY_REFUSED)
        while not self._closing.is_set():
            wait = LOOK_EVERY
            try:
                if self._claimed():
                    wait = self._ship_or_rest()
            except Refused as error:
                wait = RETRY_REFUSED
                self._failed("refused", error)
            except StoreFailed as error:
                wait, self._pause = self._pause, min(self._pause * 2, RETRY_LONGEST)
                self._failed("down", error)
            except (
                Exception
            ) as error:  # the edge of this thread: what we do not expect must not end it for good
                if self._closing.is_set():
                    return  # the file was closed under a server that does not answer
                log.exception("写入 MongoDB 的线程出错，将重试")
                wait = RETRY_LONGEST
                self._failed(
                    "down", StoreFailed(f"写入 MongoDB 的线程出错（{type(error).__name__}），见日志")
                )
            self._closing.wait(wait)

    def _ship_or_rest(self) -> float:
        """A batch, or what there is time for without one. Returns the seconds until the next."""
        sent = self._ship()
        self._shipped += sent
        if not sent and time.monotonic() >= self._due:
            assert self._remote is not None
            self._remote.ping()
        if sent or time.monotonic() >= self._due:
            self._tell("up")
            self._pause, self._due = RETRY, time.monotonic() + PING_EVERY
        if (
            not sent
            and (self._shipped >= BATCH * 10 or time.monotonic() > self._trimmed + TRIM_EVERY)
            and self._trim()
        ):
            self._shipped, self._trimmed = 0, time.monotonic()
        return 0.0 if sent >= ENOUGH else LOOK_EVERY

    def _failed(self, state: str, error: StoreFailed) -> None:
        if self._closing.is_set():
            return
        with contextlib.suppress(StoreFailed, sqlite3.Error):  # the disk is full as well: others say so
            self._tell(state, str(error))

    def _ship(self) -> int:
        """One batch; returns how many notes were struck out."""
        assert self._remote is not None
        if self._told != "up":
            self._meet()  # which gives up sooner than a batch does
        notes = self._read("SELECT id, name, key FROM spool ORDER BY id LIMIT ?", (self._batch,))
        if not notes:
            return 0
        tables = self.tables()
        batch, self._batch = (
            self._batch,
            max(LEAST_BATCH, self._batch // 4),
        )  # should this one be too much for the server
        keys: dict[str, list[list[Any]]] = {}
        for _, name, key in notes:
            keys.setdefault(name, []).append(orjson.loads(key))
        for name in sorted(keys, key=lambda name: name == EVENTS):  # who sees an event finds its order
            rows = self.rows_of(tables[name], keys[name])
            self._remote.load(tables[name], rows)
            if len(rows) < len(keys[name]) and name != BARS:
                there = {tables[name].key_of(row) for row in rows}
                self._remote.remove(tables[name], [key for key in keys[name] if tuple(key) not in there])
        self._batch = min(BATCH, batch + LEAST_BATCH)
        with self._writing() as db:
            db.execute("DELETE FROM spool WHERE id <= ?", (notes[-1][0],))
        return len(notes)

    def _claimed(self) -> bool:
        """Whether it is this process that ships: two would overtake each other."""
        if self._claim is None:
            self._claim = files.locked(Path(f"{self._path}.ship"))
        return self._claim is not None
