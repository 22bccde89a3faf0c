"""Every snapshot that a gateway is told of, kept by trading day, when the setting `record_ticks` says so.
Gateway process: taken in whichever thread has it, packed and written in one of its own.

A day is one file, `ticks/20261130.ticks` in the account's folder: a growing file of columns
(app/lib/tick_columns.py) that a backtest and the replay read as it is. A few seconds go into a block, which
is whole on the disk or not there: after a kill what it had not finished is cut off. A disk that is full
costs snapshots and nothing else. Old days go, by number and by size; the present one never does.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from app.data_dir import TICKS
from app.lib import columns, tick_columns
from app.lib.columns import BadColumns
from app.settings import Settings
from app.wire.frames import DepthField

SECONDS = 5.0  # of snapshots in a block: what a kill may cost
PIECE = 0.2  # seconds from one look at what has come to the next: little at once, for the ticks' sake
MOST_IN_BLOCK = 5000
MOST_WAITING = 200_000  # snapshots, about 150 MB: a disk that takes none costs the oldest of them
RETRY_SECONDS = 60.0
SUFFIX = ".ticks"

log = logging.getLogger(__name__)
shown = logging.getLogger("account")  # to the trader, whatever the level


class NoRecorder:
    """Nobody has asked for it."""

    def start(self) -> None: ...

    def take(self, _ticks: Sequence[DepthField]) -> None: ...

    def close(self, _timeout: float) -> None: ...


def recorder_of(settings: Settings, folder: Path, day: Callable[[], str]) -> TickRecorder | NoRecorder:
    """What the settings ask for, for the account whose folder this is."""
    if not settings.record_ticks:
        return NoRecorder()
    most_bytes = settings.record_ticks_mb << 20
    return TickRecorder(folder / TICKS, day, settings.record_ticks_days, most_bytes)


class TickRecorder:
    """`day()` is the counter's trading day, "" while it is not known. `start` and `close` from any thread."""

    def __init__(
        self, folder: Path, day: Callable[[], str], most_days: int, most_bytes: int, seconds: float = SECONDS
    ) -> None:
        self._folder, self._day = folder, day
        self._most_days, self._most_bytes = most_days, most_bytes
        self._seconds = seconds
        self._taken: deque[tuple[str, DepthField]] = deque(maxlen=MOST_WAITING)  # each with its day
        self._last: dict[str, DepthField] = {}
        self._packer = tick_columns.Packer()
        self._packed_at = 0.0
        self._packs_for = ""
        self._odd: set[str] = set()
        self._file: IO[bytes] | None = None
        self._file_day = ""
        self._is_failing = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self, ticks: Sequence[DepthField]) -> None:
        """From one thread. They are not changed afterwards, but for the exchange that a front left out."""
        day = self._day()  # as it is now: when they are packed it may be the next
        self._taken.extend([(day, tick) for tick in ticks])

    def close(self, timeout: float) -> None:
        """Write what waits."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    # ── its own thread ──

    def _run(self) -> None:
        while not self._closing.wait(RETRY_SECONDS if self._is_failing else min(PIECE, self._seconds)):
            self._write_safely(time.monotonic() - self._packed_at >= self._seconds)
        self._write_safely(at_once=True)
        if self._file is not None:
            self._file.close()

    def _write_safely(self, at_once: bool) -> None:
        try:
            self._write(at_once)
            if self._is_failing:
                shown.warning("行情录制恢复")
            self._is_failing = False
        except Exception as error:  # the edge of the thread: what follows is recorded again
            if not self._is_failing:
                shown.error("行情录制写不了，这期间的 tick 不留：%s", error)
                if not isinstance(error, OSError | BadColumns):
                    log.exception("recording failed")
            self._is_failing = True
            self._give_up()

    def _give_up(self) -> None:
        """The file is opened anew, and cut where it is sound, before anything more is written."""
        if self._file is not None:
            self._file.close()
        self._file, self._file_day = None, ""
        self._packer = tick_columns.Packer()

    def _write(self, at_once: bool) -> None:
        """Pack what has come, and write it when it is time, or much."""
        day = self._day()
        if not day:
            return  # what has come waits for its day
        for _ in range(len(self._taken)):  # more may come meanwhile
            taken_on, tick = self._taken.popleft()
            self._turn(taken_on or day)
            if self._is_news(tick):
                self._add(tick)
            if len(self._packer) >= MOST_IN_BLOCK:
                self._flush()
        if at_once:
            self._flush()

    def _turn(self, day: str) -> None:
        if day != self._packs_for:
            self._flush()
            self._packs_for = day

    def _add(self, tick: DepthField) -> None:
        try:
            self._packer.add(tick)
        except ValueError as error:  # a counter's stamp that is none: it costs itself alone
            if tick.InstrumentID not in self._odd:
                shown.error("行情录制：%s 的时间不合法，这样的 tick 不留：%s", tick.InstrumentID, error)
            self._odd.add(tick.InstrumentID)

    def _flush(self) -> None:
        self._packed_at = time.monotonic()
        if not len(self._packer):
            return
        if self._packs_for != self._file_day or self._file is None:
            self._open(self._packs_for)
        block = self._packer.block(self._packs_for)
        assert self._file is not None
        if self._file.write(block) != len(block):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _is_news(self, tick: DepthField) -> bool:
        """A front answers a subscription with its newest snapshot, which may be known already."""
        if not tick.UpdateTime or self._last.get(tick.InstrumentID) == tick:
            return False
        self._last[tick.InstrumentID] = tick
        return True

    def _open(self, day: str) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{day}{SUFFIX}"
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
        try:
            length = columns.sound_length(path) if path.stat().st_size >= len(columns.GROWING) else 0
            file.truncate(length)
            file.seek(length)
            if not length:
                file.write(columns.GROWING)
        except BaseException:
            file.close()
            raise
        self._file, self._file_day = file, day
        prune(self._folder, self._most_days, self._most_bytes, keep=path)


def recorded_days(folder: Path) -> dict[str, Path]:
    """The files of a recorder's folder by trading day, oldest first."""
    found = {path.stem: path for path in folder.glob(f"*{SUFFIX}") if path.stem.isdigit()}
    return dict(sorted(found.items()))


def prune(folder: Path, most_days: int, most_bytes: int, keep: Path) -> None:
    """Let the oldest go until there are no more days and bytes than these, 0 for any; `keep` stays."""
    days = recorded_days(folder)
    sizes = {path: path.stat().st_size for path in days.values()}
    for path in days.values():
        too_many = most_days and len(sizes) > most_days
        too_large = most_bytes and sum(sizes.values()) > most_bytes
        if path == keep or not (too_many or too_large):
            return
        path.unlink(missing_ok=True)
        del sizes[path]
        log.info("recorded ticks of %s are gone", path.stem)
