"""`python -m app.backtest.child.worker`: many runs over the same data in one child, confined like a strategy.
It imports once, loads the data once, and forks for each run (trial.py).

On stdin Jobs come as lines: the first says what is loaded, all days of it, and is not run; each further one
is run in a fork as soon as the one before has ended, which is told by `ended.json` in the worker's folder.
Whatever a run does, it does to its fork: what it started ends with it. When stdin ends, so does the worker,
also in the middle of a run: whoever watched it is gone. Exit codes: 0, and 2 with error.json where the data
cannot be loaded.
"""

from __future__ import annotations

import gc
import hashlib
import os
import select
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import msgspec

from app.backtest.child.trial import Teller, end, leave, run_alone, use_calendar
from app.backtest.engine.job import ENDED_FILE, EXIT_NOT_RUN, Ended, Failure, Job
from app.backtest.market_data.data import Data, Span, load, within
from app.counter.markets.readers import holds_ticks
from app.files import write_whole
from app.lib import bar_columns, calendar, columns
from app.lib.bar_columns import Source
from app.lib.bar_files import read_bar_file
from app.lib.errors import AppError
from app.process.death import adopt_orphans, die_with
from app.process.family import end_descendants
from app.process.private import hide_memory
from app.strategy.__main__ import limit_process

STDIN = 0
LOOK = 0.005  # seconds between two looks at a run that is under way
MOST_LINE = 64 * 1024 * 1024  # bytes: the texts of a few strategies


def main() -> int:
    lines = _lines()
    base = msgspec.json.decode(next(lines), type=Job)
    folder = Path(base.folder)
    if base.parent:
        die_with(base.parent, signal.SIGKILL)
    limit_process(base.address_space)
    hide_memory()  # nor is what it has open, such as its log, opened by a run
    adopt_orphans()
    failed = _prepared(base, folder)
    if failed:
        return failed
    use_calendar(base, folder)
    data = load(_columns(base, folder), Span(), base.symbol, base.label, contracts=base.contracts)
    gc.collect()
    gc.freeze()  # forks share what is not touched
    for number, line in enumerate(lines, 1):
        job = msgspec.json.decode(line, type=Job)
        exit_code = _forked(job, data)
        if exit_code is None:
            break
        write_whole(folder / ENDED_FILE, msgspec.json.encode(Ended(number, exit_code)))
    return 0


def _prepared(base: Job, folder: Path) -> int:
    """What needs memory that no run needs, in a fork of its own: the calendar out of its library, and files
    of text made into columns. An exit code other than 0 with error.json.
    """
    pid = os.fork()
    if not pid:
        end(_prepare(base, folder))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _prepare(base: Job, folder: Path) -> int:
    teller = Teller(folder)
    try:
        use_calendar(base, folder)
        calendar.load()
        for name, to in zip(base.files, _columns(base, folder), strict=True):
            path = Path(name)
            if path != to:
                bars = read_bar_file(path, base.symbol, base.label, teller.read)
                source = Source(path.name, hashlib.sha256(path.read_bytes()).hexdigest())
                to.write_bytes(bar_columns.encoded(bars, source))
    except AppError as error:
        leave(folder, Failure(error.message, code=error.code))
    except MemoryError:
        leave(folder, Failure("内存不够，载入不了行情", code="OUT_OF_MEMORY"))
    except Exception as error:  # the process's edge
        leave(folder, Failure(f"载入行情时出错：{error!r}", traceback.format_exc()))
    else:
        return 0
    return EXIT_NOT_RUN


def _columns(base: Job, folder: Path) -> list[Path]:
    """Where the data are loaded from: of bars in files of text, what was made of them."""
    paths = [Path(name) for name in base.files]
    return [
        path if columns.is_columns(path) or holds_ticks(path) else folder / f"{number}.columns"
        for number, path in enumerate(paths)
    ]


def _forked(job: Job, data: Data) -> int | None:
    """The run's exit code, or minus the signal that ended it; None when stdin has ended meanwhile."""
    pid = os.fork()
    if not pid:
        end(_trial(job, data))
    try:
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            if select.select([STDIN], [], [], LOOK)[0]:
                return None  # nobody speaks while a run is under way
    finally:
        end_descendants(os.getpid())
        _bury()


def _trial(job: Job, data: Data) -> int:
    """In the fork. It leads a session, so that what it starts is found; stdin is not for it."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, STDIN)
    os.close(nothing)
    return run_alone(job, lambda _teller: within(data, Span(job.start, job.end), job.contracts))


def _bury() -> None:
    """The orphans that came to us."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass  # none is left


def _lines() -> Iterator[bytes]:
    """Of stdin, unbuffered: what is not read yet must be seen by select."""
    rest = b""
    while chunk := os.read(STDIN, 1024 * 1024):
        rest += chunk
        *whole, rest = rest.split(b"\n")
        yield from whole
        if len(rest) > MOST_LINE:
            raise ValueError("a line without end")


if __name__ == "__main__":
    sys.exit(main())
