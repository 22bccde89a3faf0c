"""Where the server's backtests are kept: `<data>/backtest/`, its SQLite file and a folder for each job's
result. The process of backtests, any thread; nobody else writes there.

What could not be written is tried again (`settle`): a full disk stops no run, and what is said of it is right
meanwhile; a process that is killed then runs again what it had not written down.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
import threading
from pathlib import Path

import msgspec

from app.backtest.jobs.jobs import Record
from app.backtest.running.units import Depot
from app.backtest.search.search import Tried
from app.files import write_whole
from app.lib.errors import StoreDown
from app.process import left_behind

FOLDER = "backtest"
SCRATCH = "backtest-scratch"  # what need not outlive a move: copies of data, and children's folders
RESULT, SEARCH, REPORT, LOG = "result.json", "search.json", "report.html", "strategy.log"
BRIEF = "brief.json"  # what runs are compared by: some parts of a result
LOCK_TIMEOUT = 2.0  # seconds
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, number INTEGER NOT NULL, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS trials (
    job TEXT NOT NULL, unit TEXT NOT NULL, tried BLOB NOT NULL, PRIMARY KEY (job, unit)
) WITHOUT ROWID;
"""

log = logging.getLogger(__name__)


class Shelf:
    """Raises StoreDown where its file cannot be opened."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / FOLDER
        self._scratch = data_dir / SCRATCH
        self.depot = Depot(self._scratch / "depot")
        self.work = self._scratch / "work"
        self._lock = threading.RLock()
        self._unwritten: dict[str, Record | None] = {}  # None: to be deleted
        try:
            for folder in (self.folder, self.work):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                self.folder / "jobs.db",
                timeout=LOCK_TIMEOUT,
                isolation_level=None,
                check_same_thread=False,
            )
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise StoreDown(f"回测的存储打不开：{error}") from None

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def clean(self) -> None:
        """Remove what a killed process left half done."""
        left_behind.remove(self.work)
        self.work.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._scratch.glob(".depot.*.tmp"):
            path.unlink(missing_ok=True)

    # ── jobs ──

    def records(self) -> list[Record]:
        """All, in the order of their numbers; one that cannot be read is left out, and said."""
        found = []
        with self._lock:
            rows = self._db.execute("SELECT id, record FROM jobs ORDER BY number").fetchall()
        for name, blob in rows:
            try:
                found.append(msgspec.json.decode(blob, type=Record))
            except msgspec.DecodeError as error:  # of another version of this program
                log.warning("backtest %s cannot be read: %s", name, error)
        return found

    def add(self, record: Record) -> None:
        """Raises StoreDown, and there is none then."""
        try:
            self._write(record)
        except sqlite3.Error as error:
            raise StoreDown from error

    def keep(self, record: Record) -> None:
        """As it is now, as soon as it can be written."""
        with self._lock:
            self._unwritten[record.id] = record
        self.settle()

    def remove(self, job: str) -> None:
        shutil.rmtree(self.folder_of(job), ignore_errors=True)
        with self._lock:
            self._unwritten[job] = None
        self.settle()

    def settle(self) -> None:
        """Write what is not yet written. To be called now and then."""
        with self._lock:
            for job, record in list(self._unwritten.items()):
                try:
                    if record is None:
                        self._db.execute("DELETE FROM jobs WHERE id = ?", (job,))
                        self._db.execute("DELETE FROM trials WHERE job = ?", (job,))
                    else:
                        self._write(record)
                except sqlite3.Error as error:
                    log.error("the state of backtest %s is not kept yet: %s", job, error)
                    return
                del self._unwritten[job]

    def _write(self, record: Record) -> None:
        with self._lock:
            self._db.execute(
                "INSERT OR REPLACE INTO jobs VALUES (?, ?, ?)",
                (record.id, record.number, msgspec.json.encode(record)),
            )

    # ── what came of them ──

    def trials(self, job: str) -> dict[str, Tried]:
        """By unit; those that cannot be read are run again."""
        with self._lock:
            rows = self._db.execute("SELECT unit, tried FROM trials WHERE job = ?", (job,)).fetchall()
        found = {}
        for unit, blob in rows:
            try:
                found[unit] = msgspec.json.decode(blob, type=Tried)
            except msgspec.DecodeError as error:
                log.warning("trial %s of backtest %s cannot be read: %s", unit, job, error)
        return found

    def keep_trial(self, job: str, unit: str, tried: Tried) -> None:
        """One that cannot be written is run again by the next process."""
        try:
            with self._lock:
                self._db.execute(
                    "INSERT OR REPLACE INTO trials VALUES (?, ?, ?)", (job, unit, msgspec.json.encode(tried))
                )
        except sqlite3.Error as error:
            log.error("trial %s of backtest %s is not kept: %s", unit, job, error)

    def folder_of(self, job: str) -> Path:
        assert job.isalnum()
        return self.folder / "jobs" / job

    def write(self, job: str, name: str, content: bytes) -> int:
        """Bytes of all that the job has left. Raises OSError, and nothing has changed then."""
        folder = self.folder_of(job)
        write_whole(folder / name, content)
        return sum(path.stat().st_size for path in folder.iterdir())

    def read(self, job: str, name: str) -> bytes:
        """Raises OSError."""
        return (self.folder_of(job) / name).read_bytes()
