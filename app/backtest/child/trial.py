"""One run in a process of its own, confined like a strategy: the whole of `python -m app.backtest`, and each
fork of a worker (worker.py). Backtest's child.

result.json, progress.json or error.json, and the strategies' output as strategy.log, are left in the job's
folder. Exit codes: 0 done, 2 the job is wrong, 5 a strategy failed.
"""

from __future__ import annotations

import errno
import os
import time
import traceback
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NoReturn

import msgspec

from app.backtest.child.recheck import Recheck
from app.backtest.engine import rolling
from app.backtest.engine.account import BooksDiffer
from app.backtest.engine.engine import Outcome, Plan, run
from app.backtest.engine.job import (
    ERROR_FILE,
    EXIT_NOT_RUN,
    EXIT_STRATEGY_FAILED,
    PROGRESS_FILE,
    RESULT_FILE,
    Failure,
    Job,
    Progress,
)
from app.backtest.engine.market import todays_table
from app.backtest.engine.strategies import Program
from app.backtest.market_data.data import Data
from app.backtest.market_data.rates import DatedRates
from app.backtest.report import result
from app.files import write_whole
from app.lib import calendar, memory
from app.lib.calendar import SHANGHAI
from app.lib.errors import AppError
from app.lib.strategy_parameters import with_parameters
from app.process.family import end_descendants
from app.strategy.loader import failure, prepare
from app.strategy.output import Output

TOLD = 0.2  # seconds from one look at the progress to the next
LOOK = 2000  # rows that are read from one look at the clock to the next


class Teller:
    """Leaves how far the run is, now and then."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PROGRESS_FILE
        self._at = 0.0
        self.rows = 0

    def tell(self, progress: Progress, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now - self._at >= TOLD:
            self._at = now
            write_whole(self._path, msgspec.json.encode(progress))

    def read(self, count: int) -> None:
        before, self.rows = self.rows, self.rows + count
        if before // LOOK < self.rows // LOOK:
            self.tell(Progress("reading", self.rows))


def run_alone(job: Job, data_of: Callable[[Teller], Data], recheck: Recheck | None = None) -> int:
    """The exit code, with what it leaves in the job's folder. `data_of` gives what it runs over; Teller hears
    how far that is. The process is the run's own: its output is taken over. `recheck`: what the run is held
    against.
    """
    folder = Path(job.folder)
    output = Output(folder, lambda _level, _created, _message: None)
    output.begin("ERROR")
    try:
        return told(folder, lambda: _run(job, folder, data_of, recheck))
    finally:
        output.end()


def told(folder: Path, work: Callable[[], int]) -> int:
    """Its exit code; where it raises, why is left in the folder."""
    try:
        return work()
    except AppError as error:
        leave(folder, Failure(error.message, code=error.code))
        return EXIT_NOT_RUN
    except MemoryError:
        leave(folder, Failure("内存不够；请缩短范围", code="OUT_OF_MEMORY"))
        return EXIT_NOT_RUN
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        leave(folder, Failure(f"不能读写：{error.strerror or error}", code="DISK_FULL" if full else ""))
        return EXIT_NOT_RUN
    except Exception as error:  # the process's edge
        leave(folder, Failure(f"回测内部出错：{error!r}", traceback.format_exc()))
        return EXIT_NOT_RUN


def use_calendar(job: Job, folder: Path) -> None:
    calendar.keep_in(folder)
    calendar.use_overrides(Path(job.calendar_file) if job.calendar_file else None)


def end(exit_code: int) -> NoReturn:
    """With all that the strategies have started, and whatever their threads do."""
    end_descendants(os.getpid())
    os._exit(exit_code)


def _run(job: Job, folder: Path, data_of: Callable[[Teller], Data], recheck: Recheck | None) -> int:
    teller = Teller(folder)
    data = data_of(teller)
    if recheck is not None:
        recheck.begin(data)
    prepare(folder)
    programs = []
    for name, text in job.strategies.items():
        path = folder / f"{name}.py"
        path.write_text(with_parameters(text, job.parameters.get(name, {})), "utf-8", "surrogatepass")
        programs.append(Program(name, path))
    rates = DatedRates(Path(job.rates)) if job.rates else None
    plan = Plan(programs, job.capital, job.fills, rates or todays_table, job.risk, job.trade_from)
    total = len(data.ticks) or sum(map(len, data.bars.values()))
    teller.tell(Progress("running", 0, total), at_once=True)
    memory.settle()
    try:
        tell = partial(_tell_running, teller, total)
        outcome = run(data, plan, tell, rolling.made(data, job.main, job.main_warm_up))
    except (AppError, BooksDiffer):
        raise
    except BaseException as error:  # the edge of the strategies: whatever comes out of one ends the run
        leave(folder, _failure(error, programs))
        return EXIT_STRATEGY_FAILED
    return _finish(job, folder, data, plan, outcome, recheck)


def _tell_running(teller: Teller, total: int, done: int, day: str) -> None:
    teller.tell(Progress("running", done, total, day))


def _finish(job: Job, folder: Path, data: Data, plan: Plan, outcome: Outcome, recheck: Recheck | None) -> int:
    rates = plan.rates
    made = result.Made(
        job.version,
        job.strategies,
        job.start,
        job.end,
        result.hashed(Path(job.rates)) if job.rates else "",
        sorted(rates.unknown) if isinstance(rates, DatedRates) else [],
        job.parameters,
    )
    made_of = result.document if job.keep == "result" else result.brief
    document = made_of(outcome, plan, data, made)
    if recheck is not None and (warning := recheck.warning(document["trades"])):
        document["warnings"].insert(0, warning)
    write_whole(folder / RESULT_FILE, result.encoded(document))
    return 0


def _failure(error: BaseException, programs: list[Program]) -> Failure:
    """By the strategy whose file it came out of."""
    reports = [(program.name, failure(error, program.path, datetime.now(SHANGHAI))) for program in programs]
    name, report = next(((name, report) for name, report in reports if report.line), reports[0])
    return Failure(report.message, report.traceback, report.line, name, "STRATEGY_FAILED")


def leave(folder: Path, failed: Failure) -> None:
    """Say why there is no result."""
    write_whole(folder / ERROR_FILE, msgspec.json.encode(failed))
