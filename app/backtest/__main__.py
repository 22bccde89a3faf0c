"""`python -m app.backtest`: one run, in a process of its own, confined like a strategy.

The Job comes as JSON on stdin; what is left, and the exit codes, are said in trial.py.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import msgspec

from app.backtest.data import Data, Span, load
from app.backtest.job import Job
from app.backtest.trial import Teller, end, run_alone, use_calendar
from app.process.death import die_with
from app.strategy.__main__ import limit_process


def main() -> int:
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    if job.parent:
        die_with(job.parent, signal.SIGKILL)
    limit_process(job.address_space)

    def read(teller: Teller) -> Data:
        use_calendar(job, Path(job.folder))
        files = [Path(name) for name in job.files]
        span = Span(job.start, job.end)
        return load(files, span, job.symbol, job.label, teller.read, job.contracts)

    return run_alone(job, read)


if __name__ == "__main__":
    end(main())
