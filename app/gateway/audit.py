"""The account's audit log: what happens is appended to files of the day, chained by hashes
(app/lib/audit.py). Gateway process; records come from any thread, one thread writes.

What the journal has and this log has not, since a gateway was killed, is written at the next start.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from datetime import datetime
from itertools import accumulate, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from app.lib import audit, rows
from app.lib.audit import Head
from app.lib.calendar import SHANGHAI
from app.model.store import Store, StoreFailed

SCOPE, HEAD, BEGUN = "audit", "head", "begun"
LINGER = 0.05  # seconds in which what is said is written together
RETRY = 1.0  # seconds between two attempts to write
KEEP_HEAD = 5.0  # seconds between two times that the newest entry is written down elsewhere
FIELDS = (
    "local_symbol",
    "direction",
    "offset",
    "price",
    "volume",
    "status",
    "traded",
    "order_id",
    "strategy",
)
MORE = ("error_code", "error_message", "tradeid", "client_order_id", "datetime")

log = logging.getLogger(__name__)


class _Said(NamedTuple):
    moment: datetime
    kind: str
    text: str
    data: dict[str, Any]

    @property
    def day(self) -> str:
        return f"{self.moment:%Y%m%d}"


class AuditBook(logging.Handler):
    """Keeps in `folder` what the loggers `account` and `ctpbee` say and every warning, and the rows of orders
    and trades. Written off the caller's thread, what comes within `LINGER` in one go: an order is not kept
    waiting by what is said of it. `close_book` ends it.
    """

    def __init__(self, folder: Path, store: Store) -> None:
        super().__init__(logging.INFO)
        self.folder = folder
        self._store = store
        self._waiting: queue.SimpleQueue[_Said | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._journaled = store.last_seq()  # before this gateway: what comes later is heard
        self._head = Head()
        self._kept = 0.0
        self._file, self._open_day = -1, ""  # that is appended to, and the day that it is of
        self._day = ""  # of the newest file, over restarts
        self._thread = threading.Thread(target=self._write, name="audit", daemon=True)
        self._thread.start()

    # ── what is heard ──

    def emit(self, record: logging.LogRecord) -> None:
        root = record.name.partition(".")[0]
        if record.name == __name__ or root not in ("account", "ctpbee") and record.levelno < logging.WARNING:
            return
        moment = datetime.fromtimestamp(record.created, SHANGHAI)
        data = {"level": record.levelname, "logger": record.name}
        self._waiting.put(_Said(moment, _kind_of(record), record.getMessage(), data))

    def hearing(self, on_written: Callable[[str, int, dict[str, Any]], None]) -> Callable[..., None]:
        """`on_written(event, seq, row)` of the journal, which is heard here too: each row is news."""

        def heard(event: str, seq: int, row: dict[str, Any]) -> None:
            self._waiting.put(_said_by_journal(event, seq, row))
            on_written(event, seq, row)

        return heard

    def close_book(self, timeout: float) -> bool:
        """Write what waits and end. False when that took longer than `timeout` seconds."""
        self._waiting.put(None)
        self._closing.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # ── the writing thread ──

    def _write(self) -> None:
        try:
            self._head = self._begin()
            self._catch_up()
            goes_on = True
            while goes_on:
                goes_on = self._append_some()
            self._keep_head()
            if self._file >= 0:
                os.close(self._file)
        except Exception:  # the edge of this thread: orders do not stop for it
            log.exception("the audit log has ended")

    def _begin(self) -> Head:
        """Where the chain goes on. A line that a crash has left half written never was an entry: it goes."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        files = sorted(self.folder.glob(audit.FILES), reverse=True)
        self._day = files[0].stem if files else ""
        for path in files:
            lines = path.read_bytes().splitlines(keepends=True)
            while lines and not lines[-1].endswith(b"\n"):
                lines.pop()
                os.truncate(path, sum(map(len, lines)))
            if lines:
                head = audit.head_of(lines[-1])
                if head is not None:
                    return head
        return Head()

    def _catch_up(self) -> None:
        """Rows of the journal that a killed gateway had no time to write here. Those from before the log was
        begun, as after an update from a version without one, are none of them.
        """
        try:
            if self._head == Head():
                self._store.put_setting(SCOPE, BEGUN, self._journaled)
                return
            since = self._last_of_journal()
            while since < self._journaled:
                events = self._store.events(since)
                missed = [event for event in events if event.seq <= self._journaled]
                if not missed:
                    break
                self._append_all(
                    [_said_by_journal(event.event, event.seq, event.data, "（补记）") for event in missed]
                )
                since = missed[-1].seq
        except StoreFailed as error:
            log.warning("the audit log has not caught up with the journal: %s", error)

    def _last_of_journal(self) -> int:
        """The newest row of the journal that is written here; where none is, the newest that was there when
        the log was begun.
        """
        for path in sorted(self.folder.glob(audit.FILES), reverse=True):
            lines = reversed(path.read_bytes().splitlines())
            for entry in audit.entries(lines, audit.TRADE):
                data = entry.get("data")
                seq = data.get("journal") if isinstance(data, dict) else None
                if isinstance(seq, int):  # else somebody has spoilt the line, or it is of a log's record
                    return seq
        return int(self._store.setting(SCOPE, BEGUN, 0))

    def _append_some(self) -> bool:
        """What is said next, and soon after. Returns whether there may be more."""
        item = self._waiting.get()
        self._closing.wait(LINGER)
        some: list[_Said] = []
        while item is not None:
            some.append(item)
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                break
        self._append_all(some)
        return item is not None

    def _append_all(self, some: list[_Said]) -> None:
        """In one go for each day. Never in an earlier day's file than the last: threads may come in another
        order than they spoke, the clock may be put back, and the chain goes through the files in theirs.
        """
        days = accumulate((item.day for item in some), max, initial=self._day)
        next(days)
        for day, together in groupby(zip(days, some, strict=True), itemgetter(0)):
            head, lines = self._head, b""
            for _, item in together:
                head, line = audit.entry_after(head, rows.time_text(item.moment), *item[1:])
                lines += line
            self._append(day, lines, head)

    def _append(self, day: str, lines: bytes, head: Head) -> None:
        """Tried until they are written, or until this process ends: what waits is kept meanwhile."""
        self._open(day)
        size = os.fstat(self._file).st_size
        failed = False
        while True:
            try:
                self._put(lines)
                break
            except OSError as error:
                os.ftruncate(self._file, size)  # part of it may be there
                if not failed:
                    log.error("审计日志写入失败，将重试：请检查磁盘空间（%s）", error.strerror)
                failed = True
                time.sleep(RETRY)
        self._head = head
        if time.monotonic() - self._kept > KEEP_HEAD:
            self._keep_head()

    def _open(self, day: str) -> None:
        if day != self._open_day:
            if self._file >= 0:
                os.close(self._file)
            path = self.folder / f"{day}.jsonl"
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._open_day = self._day = day

    def _put(self, line: bytes) -> None:
        while line:
            line = line[os.write(self._file, line) :]

    def _keep_head(self) -> None:
        """The newest entry, in the database: that the end of a file was cut off is seen by it."""
        self._kept = time.monotonic()
        try:
            self._store.put_setting(SCOPE, HEAD, list(self._head))
        except StoreFailed as error:
            log.warning("the audit log's newest entry is not kept: %s", error)


def _said_by_journal(event: str, seq: int, row: dict[str, Any], how: str = "") -> _Said:
    what = "成交" if event == "trade_update" else "委托"
    data = {name: row[name] for name in (*FIELDS, *MORE) if row.get(name) not in (None, "")}
    return _Said(datetime.now(SHANGHAI), audit.TRADE, what + how, data | {"journal": seq})


def _kind_of(record: logging.LogRecord) -> str:
    if record.levelno >= logging.ERROR:
        return audit.ERROR
    if record.name == "account.risk":
        return audit.WATCH
    return audit.TRADE if record.name == "account.order" else audit.RUN


def kept_head(store: Store) -> Head | None:
    """The entry that the store knows to have been written."""
    kept = store.setting(SCOPE, HEAD)
    return Head(*kept) if kept else None
