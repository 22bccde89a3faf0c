"""Starts a backtest's child, watches it and reads what it left. Whoever wants a run: the command, and the
queue's process.

A child is ended by who guards it, whatever its code does; nothing it wrote is trusted beyond its size and
shape.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from app.backtest.job import ERROR_FILE, MOST_RESULT, PROGRESS_FILE, RESULT_FILE, Failure, Job, Progress
from app.lib import calendar
from app.lib.errors import AppError
from app.process import child
from app.process.child import Cage
from app.settings import Settings

LOOK = 0.1  # seconds between two looks at the child
ENDING = 2.0
MOST_SMALL = 1024 * 1024  # bytes, of what is told of progress and failure


class BacktestFailed(AppError):
    """The run came to no result: the strategy raised, or the job cannot be; the message says which."""

    default_code = "BACKTEST_FAILED"


@contextmanager
def own_folder(keep_from: Path) -> Iterator[Path]:
    """A folder for one child, gone afterwards; with the calendar that is kept in `keep_from`."""
    folder = Path(tempfile.mkdtemp(prefix="backtest-"))
    try:
        with suppress(OSError):
            shutil.copy(keep_from / calendar.KEPT_FILE, folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(
    job: Job,
    settings: Settings,
    cage: Cage | None,
    environment: dict[str, str],
    on_progress: Callable[[Progress], object],
) -> bytes:
    """The result.json of this job. Raises BacktestFailed; whatever interrupts it ends the child."""
    folder = Path(job.folder)
    process = child.start(
        [sys.executable, "-m", "app.backtest"],
        settings,
        "backtest",
        stdin=msgspec.json.encode(job),
        environment=environment,
        cage=cage,
    )
    try:
        while process.alive:
            time.sleep(LOOK)
            on_progress(_progress(folder))
    finally:
        child.end([process], ENDING)
    if process.exit_code:
        raise BacktestFailed(_why(folder, process.exit_code))
    return _read(folder / RESULT_FILE, MOST_RESULT)


def _progress(folder: Path) -> Progress:
    try:
        return msgspec.json.decode(_read(folder / PROGRESS_FILE, MOST_SMALL), type=Progress)
    except (BacktestFailed, msgspec.DecodeError):
        return Progress("reading")  # nothing has been told yet


def _why(folder: Path, exit_code: int) -> str:
    try:
        failed = msgspec.json.decode(_read(folder / ERROR_FILE, MOST_SMALL), type=Failure)
    except (BacktestFailed, msgspec.DecodeError):
        return f"回测进程结束，退出码 {exit_code}：内存不够，或策略结束了它"
    where = f"策略 {failed.strategy}" + (f" 第 {failed.line} 行" if failed.line else "")
    return f"{where}：{failed.message}\n{failed.traceback}".rstrip() if failed.strategy else failed.message


def _read(path: Path, most: int) -> bytes:
    """A plain file of the child's, not larger than it may be. Raises BacktestFailed."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > most:
            raise BacktestFailed(f"回测没有留下可用的 {path.name}")
        return path.read_bytes()
    except OSError as error:
        raise BacktestFailed(f"回测没有留下可用的 {path.name}：{error}") from None
