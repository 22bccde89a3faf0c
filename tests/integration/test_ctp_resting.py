"""Resting and waking over the real binding: its library is taken apart in a living process, ten times, and
nothing is left of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.counter_process import ROOT, CounterProcess

pytestmark = pytest.mark.full


def test_threads_and_files_are_flat_over_ten_rests(tmp_path: Path) -> None:
    from tests.ctp_front.build import environment  # needs ctpbee_api and a compiler

    with tempfile.TemporaryDirectory(prefix="counter") as folder:  # a socket's path has to be short
        counter = CounterProcess(Path(folder))
        done = subprocess.run(
            [sys.executable, "-m", "tests.ctp_front.resting", str(tmp_path), "10"],
            cwd=ROOT,
            env=os.environ | environment(counter.address, queries=0),
            capture_output=True,
            text=True,
            timeout=90,
        )
        counter.end(signal.SIGTERM)
    assert (done.returncode, done.stderr) == (0, "")
    rounds = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rounds) == 10
    assert {row["objects"] for row in rounds} == {2}
    assert rounds[-1]["threads"] == rounds[0]["threads"], rounds
    assert rounds[-1]["files"] == rounds[0]["files"], rounds
