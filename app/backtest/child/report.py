"""`python -m app.backtest.child.report`: the page that shows a result, in a process of its own, since a
strategy may have written the result itself, and so that it unfolds to many times its size. Backtest's child;
nothing of a strategy is run.

The Job comes as JSON on stdin; of it the folder and the limits count. Of `result.json` there report.html is
left, or error.json. Exit codes: 0 done, 2 not.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import msgspec
import orjson

from app.backtest.child.trial import told
from app.backtest.engine.job import REPORT_FILE, RESULT_FILE, Job
from app.backtest.report import report
from app.process.death import die_with
from app.strategy.__main__ import limit_process


def main() -> int:
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    if job.parent:
        die_with(job.parent, signal.SIGKILL)
    limit_process(job.address_space)
    return told(Path(job.folder), lambda: _make(Path(job.folder)))


def _make(folder: Path) -> int:
    document = orjson.loads((folder / RESULT_FILE).read_bytes())
    (folder / REPORT_FILE).write_bytes(report.page(document).encode("utf-8", "replace"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
