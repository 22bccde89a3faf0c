"""`python -m app.backtest.child.worker`: many runs over the same data in one child, confined like a strategy.
It imports once, loads the data once, columns all of them, and forks for each run (trial.py).

On stdin Jobs come as lines: the first says what is loaded, all days of it, and is not run; each further one
is run in a fork as soon as the one before has ended, which is told by `ended.json` in the worker's folder.
Whatever a run does, it does to its fork: what it started ends with it. When stdin ends, so does the worker,
also in the middle of a run: whoever watched it is gone. Exit codes: 0, and 2 with error.json where the data
cannot be loaded.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from app.backtest.child.trial import end, run_alone, told, use_calendar
from app.backtest.engine.job import ENDED_FILE, Ended, Job
from app.backtest.market_data.data import Data, Span, load, within
from app.files import write_whole
from app.lib import calendar
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
    use_calendar(base, folder)
    return _calendar_kept(folder) or told(folder, lambda: _serve(lines, base, folder))


def _calendar_kept(folder: Path) -> int:
    """What needs memory that no run needs, in a fork of its own: the calendar out of its library. An exit
    code other than 0 with error.json.
    """
    pid = os.fork()
    if not pid:
        end(told(folder, _load_calendar))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _load_calendar() -> int:
    calendar.load()
    return 0


def _serve(lines: Iterator[bytes], base: Job, folder: Path) -> int:
    files = [Path(name) for name in base.files]
    data = load(files, Span(), base.symbol, base.label, contracts=base.contracts)
    gc.collect()
    gc.freeze()  # forks share what is not touched
    for number, line in enumerate(lines, 1):
        job = msgspec.json.decode(line, type=Job)
        exit_code = _forked(job, data)
        if exit_code is None:
            break
        write_whole(folder / ENDED_FILE, msgspec.json.encode(Ended(number, exit_code)))
    return 0


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
