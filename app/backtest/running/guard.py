"""Starts a backtest's child, watches it and reads what it left. Whoever wants a run: the command, and the
process of backtests; a worker of a cluster.

A child is ended by who guards it, whatever its code does; nothing it wrote is trusted beyond its size and
shape. It dies with the thread that started it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import orjson

from app.backtest.engine.job import (
    COLUMNS_FILE,
    ERROR_FILE,
    MOST_RESULT,
    PROGRESS_FILE,
    REPORT_FILE,
    RESULT_FILE,
    Failure,
    Job,
    Progress,
)
from app.backtest.running.units import (
    CANCELLED,
    DONE,
    FAILED,
    MEGABYTE,
    Depot,
    Limits,
    NotInDepot,
    OnProgress,
    Outcome,
    Piece,
    Unit,
)
from app.lib import calendar, columns
from app.lib.errors import AppError
from app.process import child, family, left_behind
from app.process.child import Cage, Process
from app.settings import Settings
from app.strategy.output import FILE as LOG_FILE
from app.workshop.containment import Containment

LOOK = 0.05  # seconds between two looks at the child
SAMPLE = 0.3  # and at what it takes
ENDING = 1.5
RUN = "app.backtest"  # the children: a run,
MAKE = "app.backtest.child.columns"  # a file made into columns,
SHOW = "app.backtest.child.report"  # and a report of a result
MOST_SHOWING = 60.0  # seconds
MOST_SMALL = 1024 * 1024  # bytes, of what is told of progress and failure
MOST_PROCESSES = 32  # that the strategies may have started
ADDRESS_SPACE = 4  # times the memory that is allowed: a backstop
LEAST_FREE = 256 * 1024  # bytes: with less a result or a word of it cannot be written
MOST_LOG = 64 * 1024  # bytes of the end of what was printed
LONGEST_WORDS = 4_000  # characters of what a child says of its failure


def never() -> bool:
    """Nobody wants it to end."""
    return False


class BacktestFailed(AppError):
    """The run came to no result: the strategy raised, or the job cannot be; the message says which."""

    default_code = "BACKTEST_FAILED"

    def __init__(self, failure: Failure) -> None:
        where = f"策略 {failure.strategy}" + (f" 第 {failure.line} 行" if failure.line else "")
        whole = f"{where}：{failure.message}\n{failure.traceback}".rstrip()
        super().__init__(whole if failure.strategy else failure.message, code=failure.code)
        self.failure = failure


class Cancelled(AppError):
    """Somebody wanted it to end: run it again when it is wanted again."""

    default_code = "CANCELLED"


@contextmanager
def own_folder(keep_from: Path, inside: Path | None = None) -> Iterator[Path]:
    """A folder for one child, gone afterwards; with the calendar that is kept in `keep_from`. Raises
    OSError.
    """
    folder = Path(tempfile.mkdtemp(prefix="backtest-", dir=inside))
    try:
        with suppress(OSError):
            shutil.copy(keep_from / calendar.KEPT_FILE, folder)
        yield folder
    finally:
        left_behind.remove(folder)


def around(containment: Containment, folder: Path, seen: list[Path]) -> tuple[Cage | None, dict[str, str]]:
    """What closes a child in, None where strategies are not contained, and its environment: it sees these
    files, no network, and dies with who started it. Raises NotAllowed.
    """
    if not containment.check():
        return None, containment.environment(folder, contained=False)
    (program, *rest), calls = containment.cage(folder, seen, network=False)
    cage = Cage([program, "--die-with-parent", *rest], calls)
    return cage, containment.environment(folder, contained=True)


def run_unit(
    unit: Unit,
    depot: Depot,
    settings: Settings,
    on_progress: OnProgress,
    stopped: Callable[[], bool] = never,
    inside: Path | None = None,
) -> Outcome:
    """Run it in a child and wait for it. `inside`: where its folder is made. Never raises what is the unit's
    fault; raises NotInDepot, NotAllowed where no strategies may run, OSError.
    """
    containment = Containment(settings)
    containment.check()
    with own_folder(settings.data_dir, inside) as folder:
        try:
            seen = files_of(unit, depot, settings, on_progress, stopped, inside)
            job = job_of(unit, seen, folder)
            confined = around(containment, folder, seen)
            result = run(job, settings, *confined, on_progress, unit.limits, stopped)
        except Cancelled:
            return Outcome(state=CANCELLED)
        except BacktestFailed as error:
            return Outcome(state=FAILED, failure=error.failure, log=log_of(folder))
        return Outcome(state=DONE, result=result, log=log_of(folder))


def files_of(
    unit: Unit,
    depot: Depot,
    settings: Settings,
    on_progress: OnProgress,
    stopped: Callable[[], bool] = never,
    inside: Path | None = None,
) -> list[Path]:
    """Its data, all of them columns: what is text is made into them once, in a child that takes no more than
    a run may. Raises BacktestFailed for a file that cannot be read, Cancelled, and what `run_unit` does.
    """
    found = []
    for piece in unit.data:
        path = depot.path(piece)
        if not columns.is_columns(path):
            made = depot.made_of(piece, unit.symbol, unit.label, unit.calendar, unit.version)
            with _alone(depot.lock_of(made), stopped):
                try:
                    path = depot.path(made)
                except NotInDepot:
                    path = _made(made, path, unit, depot, settings, on_progress, stopped, inside)
        found.append(path)
    return found


@contextmanager
def _alone(lock: threading.Lock, stopped: Callable[[], bool]) -> Iterator[None]:
    """Raises Cancelled."""
    while not lock.acquire(timeout=LOOK):
        if stopped():
            raise Cancelled("已取消")
    try:
        yield
    finally:
        lock.release()


def _made(
    made: Piece,
    source: Path,
    unit: Unit,
    depot: Depot,
    settings: Settings,
    on_progress: OnProgress,
    stopped: Callable[[], bool],
    inside: Path | None,
) -> Path:
    """The columns of this file, kept. Nothing of a strategy has run there; the cage is for the parsers."""
    with own_folder(settings.data_dir, inside) as folder:
        job = job_of(unit, [source], folder)
        confined = around(Containment(settings), folder, [source])
        _guard(MAKE, job, settings, *confined, on_progress, unit.limits, stopped)
        with left_behind.opened(folder / COLUMNS_FILE) as file:
            return depot.keep(made, file)


def report_of(
    result: bytes,
    settings: Settings,
    limits: Limits,
    stopped: Callable[[], bool] = never,
    inside: Path | None = None,
) -> bytes:
    """A page for people, made of a result.json that may be anything: in a child that takes no more memory
    than the run might. Raises BacktestFailed where none can be made of it, Cancelled, NotAllowed, OSError.
    """
    limits = msgspec.structs.replace(limits, total=MOST_SHOWING)
    with own_folder(settings.data_dir, inside) as folder:
        (folder / RESULT_FILE).write_bytes(result)
        job = Job(version="", strategies={}, files=[], folder=str(folder), address_space=limits.memory)
        confined = around(Containment(settings), folder, [])
        _guard(SHOW, job, settings, *confined, lambda _progress: None, limits, stopped)
        return read_left(folder / REPORT_FILE, MOST_RESULT)


def job_of(unit: Unit, files: list[Path], folder: Path) -> Job:
    """It over these files, in this folder."""
    rates = calendar_file = ""
    if unit.rates:
        (folder / "rates.csv").write_text(unit.rates, "utf-8")
        rates = str(folder / "rates.csv")
    if unit.calendar:
        (folder / "calendar.toml").write_text(unit.calendar, "utf-8")
        calendar_file = str(folder / "calendar.toml")
    return Job(
        **unit.said(),
        files=[str(path) for path in files],
        folder=str(folder),
        rates=rates,
        calendar_file=calendar_file,
        address_space=ADDRESS_SPACE * unit.limits.memory,
    )


def run(
    job: Job,
    settings: Settings,
    cage: Cage | None,
    environment: dict[str, str],
    on_progress: OnProgress,
    limits: Limits | None = None,
    stopped: Callable[[], bool] = never,
) -> bytes:
    """The result.json of this job. Raises BacktestFailed, and Cancelled soon after `stopped` says so;
    whatever interrupts it ends the child.
    """
    _guard(RUN, job, settings, cage, environment, on_progress, limits, stopped)
    most = limits.result * MEGABYTE if limits is not None else MOST_RESULT
    return read_left(Path(job.folder) / RESULT_FILE, most)


def _guard(
    module: str,
    job: Job,
    settings: Settings,
    cage: Cage | None,
    environment: dict[str, str],
    on_progress: OnProgress,
    limits: Limits | None,
    stopped: Callable[[], bool],
) -> None:
    """Until the child has done it. Raises as `run` does."""
    job = msgspec.structs.replace(job, parent=os.getpid() if cage is None else 0)
    process = child.start(
        [sys.executable, "-m", module],
        settings,
        "backtest-run",
        stdin=msgspec.json.encode(job),
        environment=environment,
        cage=cage,
    )
    watch = Watch(process, Path(job.folder), limits, on_progress)
    try:
        while process.alive:
            if stopped():
                raise Cancelled("已取消")
            watch.look()
            time.sleep(LOOK)
    finally:
        family.kill(process.pid, watch.family, ENDING)
        process.wait(ENDING)
    if process.exit_code:
        raise BacktestFailed(why(Path(job.folder), process.exit_code))


class Watch:
    """How far the child is, and whether it takes more than it may."""

    def __init__(
        self, process: Process, folder: Path, limits: Limits | None, on_progress: OnProgress
    ) -> None:
        self._process = process
        self._folder = folder
        self.told_in = folder  # where the run says how far it is
        self._limits = limits
        self._on_progress = on_progress
        self._began = self._sampled = self._moved = time.monotonic()
        self._last = Progress("reading")
        self.family = family.known([process.pid])

    def look(self) -> None:
        """Raises BacktestFailed."""
        progress, now = progress_of(self.told_in), time.monotonic()
        if progress != self._last:
            self._last, self._moved = progress, now
        self._on_progress(progress)
        if self._limits is not None and now - self._sampled >= SAMPLE:
            self._sampled = now
            self._sample(self._limits, now - self._moved)
            if 0 < self._limits.total <= now - self._began:
                raise _excess("TIMEOUT", _not_whole(progress, self._limits.total))

    def _sample(self, limits: Limits, still: float) -> None:
        pids = family.family_of(self._process.pid, family.census())
        self.family = family.known(pids)
        if len(pids) > MOST_PROCESSES + 1:
            raise _excess(
                "TOO_MANY_PROCESSES", f"策略启动了 {len(pids) - 1} 个子进程，至多 {MOST_PROCESSES} 个"
            )
        memory = family.resident(pids)
        if memory > limits.memory * MEGABYTE:
            used = memory // MEGABYTE
            raise _excess(
                "OUT_OF_MEMORY", f"内存 {used} MB，超过上限 {limits.memory} MB（设置 backtest_memory）"
            )
        try:
            written = left_behind.size_of(self._folder) + family.unlinked(pids)
        except left_behind.Unmeasured as error:
            raise _excess("DISK_FULL", f"策略写下的{error}") from None
        if written > limits.disk * MEGABYTE:
            raise _excess(
                "DISK_FULL", f"写下的文件超过 {limits.disk} MB，删掉而仍打开的、memfd 与共享内存也算"
            )
        if still > limits.stall:
            raise _excess("TIMEOUT", f"{still:.0f} 秒没有进展：策略在某一次回调里没有返回")


def _not_whole(progress: Progress, seconds: float) -> str:
    """How far it came in that time."""
    length = f"{seconds / 60:.0f} 分钟" if seconds >= 60 else f"{seconds:g} 秒"
    limit = f"跑满 {length}（设置 backtest_minutes）还没有跑完"
    if progress.stage != "running" or progress.total <= 0:
        return f"{limit}：还在读取行情；请缩短范围或加大这个设置"
    share = min(max(progress.done / progress.total, 0.0), 1.0)
    day = f" {progress.trading_day[:8]}，" if progress.trading_day else ""
    return f"{limit}：做到{day or ' '}{share:.1%}；请缩短范围或加大这个设置"


def _excess(code: str, message: str) -> BacktestFailed:
    return BacktestFailed(Failure(f"{message}，已结束", code=code))


def progress_of(folder: Path) -> Progress:
    try:
        return msgspec.json.decode(read_left(folder / PROGRESS_FILE, MOST_SMALL), type=Progress)
    except (BacktestFailed, msgspec.DecodeError):
        return Progress("reading")  # nothing has been told yet


def why(folder: Path, exit_code: int) -> Failure:
    """What it has written down itself, not longer than anybody reads."""
    try:
        told = msgspec.json.decode(read_left(folder / ERROR_FILE, MOST_SMALL), type=Failure)
    except (BacktestFailed, msgspec.DecodeError):
        if _is_full(folder):
            return Failure("磁盘已满，回测的进度或结果写不下；腾出空间后重新回测", code="DISK_FULL")
        killed = exit_code == -signal.SIGKILL or exit_code == 128 + signal.SIGKILL
        why = "被系统结束，多半是内存不够" if killed else "内存不够，或策略结束了它"
        code = "OUT_OF_MEMORY" if killed else "BACKTEST_FAILED"
        return Failure(f"回测进程结束，退出码 {exit_code}：{why}", code=code)
    return Failure(
        told.message[:LONGEST_WORDS],
        told.traceback[-LONGEST_WORDS:].replace(f"{folder}{os.sep}", ""),
        told.line,
        told.strategy[:64],
        told.code[:64] or "BACKTEST_FAILED",
    )


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < LEAST_FREE
    except OSError:
        return False


def read_left(path: Path, most: int) -> bytes:
    """A plain file of the child's, not larger than it may be. Raises BacktestFailed."""
    try:
        with left_behind.opened(path) as file:
            content = file.read(most + 1)
    except OSError as error:
        raise BacktestFailed(
            Failure(f"回测没有留下可用的 {path.name}：{error.strerror}", code="BACKTEST_FAILED")
        ) from None
    if len(content) > most:
        text = f"{path.name} 超过 {most // MEGABYTE} MB：请缩短范围"
        raise BacktestFailed(Failure(text, code="RESULT_TOO_LARGE"))
    return content


def log_of(folder: Path) -> str:
    """The end of what the strategies printed."""
    try:
        with left_behind.opened(folder / LOG_FILE) as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - MOST_LOG))
            lines = file.read(MOST_LOG).decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    found = []
    for line in lines:
        with suppress(orjson.JSONDecodeError, TypeError, KeyError):
            found.append(str(orjson.loads(line)["message"]))
    return "\n".join(found)
