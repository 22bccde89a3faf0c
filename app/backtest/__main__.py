"""`python -m app.backtest`: one run, in a process of its own, confined like a strategy.

The Job comes as JSON on stdin; what is left, and the exit codes, are said in trial.py.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec

from app.backtest.child.recheck import Recheck
from app.backtest.child.trial import Teller, end, run_alone, use_calendar
from app.backtest.engine.job import Job
from app.backtest.market_data.data import Data, Span, load
from app.process.death import die_with
from app.strategy.__main__ import limit_process


def main() -> int:
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    if job.parent:
        die_with(job.parent, signal.SIGKILL)
    limit_process(job.address_space)
    home = Path(job.folder)
    has_recheck = job.recheck and job.keep == "result" and hasattr(os, "fork")
    recheck = Recheck(job, lambda half: run_job(half, home)) if has_recheck else None
    return run_job(job, home, recheck)


def run_job(job: Job, home: Path, recheck: Recheck | None = None) -> int:
    """`home`: where the calendar is kept."""

    def read(teller: Teller) -> Data:
        use_calendar(job, home)
        files = [Path(name) for name in job.files]
        span = Span(job.start, job.end)
        return load(files, span, job.symbol, job.label, teller.read, job.contracts)

    return run_alone(job, read, recheck)


if __name__ == "__main__":
    end(main())
