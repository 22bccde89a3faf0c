"""`python -m app.backtest.child.columns`: a file of text made into columns, in a process of its own, since a
parser takes more memory than what comes of it. Backtest's child; nothing of a strategy is run.

The Job comes as JSON on stdin; of it the file, how it is understood, and the limits count. `data.columns` is
left in its folder, progress.json meanwhile, and error.json where the file cannot be read. Exit codes: 0 done,
2 not.
"""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path

import msgspec

from app.backtest.child.trial import Teller, told, use_calendar
from app.backtest.engine.job import COLUMNS_FILE, Job
from app.backtest.market_data.cache import How, NoColumns, packed, source_of
from app.process.death import die_with
from app.strategy.__main__ import limit_process


def main() -> int:
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    if job.parent:
        die_with(job.parent, signal.SIGKILL)
    limit_process(job.address_space)
    return told(Path(job.folder), lambda: _make(job, Path(job.folder)))


def _make(job: Job, folder: Path) -> int:
    use_calendar(job, folder)
    (path,) = map(Path, job.files)
    to = folder / COLUMNS_FILE
    try:
        to.write_bytes(packed(path, source_of(path), How(job.symbol, job.label), Teller(folder).read))
    except NoColumns:
        shutil.copyfile(path, to)  # it is read as it is, each time
    return 0


if __name__ == "__main__":
    sys.exit(main())
