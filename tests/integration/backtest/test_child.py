"""The child itself, `python -m app.backtest`: the same bytes whatever the hash seed and the order of files,
and a run that its own first half does not bear out says so. Real processes.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.backtest.engine.job import Job
from tests.integration.backtest.scenes import HEAD
from tests.support.kept_calendar import keep_calendar

ROOT = Path(__file__).parents[3]
BARS = ROOT / "tests/recordings/SHFE.rb2401.1m.csv.gz"
TRADES = """
def on_bar(self, bar):
    self.count += 1
    long = self.held(bar.local_symbol)
    if {when}:
        self.action.buy_open(bar.close_price + 5, 1, bar)
    elif long and self.count % 40 == 0:
        self.action.buy_close(bar.close_price - 5, long, bar)
"""


def text_of(name: str, when: str, imports: str = "") -> str:
    body = "\n".join(f"    {line}" for line in TRADES.format(when=when).splitlines())
    return f"{imports}\n{HEAD}\nclass Mine(Base):\n{body}\n\next = Mine({name!r})\n"


def ran(
    folder: Path, files: list[Path], texts: dict[str, str], seed: str = "0", **more: Any
) -> dict[str, Any]:
    folder.mkdir()
    keep_calendar(folder)
    job = Job(version="0", strategies=texts, files=[str(path) for path in files], folder=str(folder), **more)
    done = subprocess.run(
        [sys.executable, "-m", "app.backtest"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed},
        input=msgspec.json.encode(job),
        capture_output=True,
    )
    assert done.returncode == 0, (done.stderr, (folder / "error.json").read_text())
    assert not (folder / "first-half").exists()
    found = json.loads((folder / "result.json").read_bytes())
    assert len(found["trades"]) > 10
    return {"bytes": (folder / "result.json").read_bytes(), **found}


@pytest.mark.full
def test_neither_the_hash_seed_nor_the_order_of_files_changes_a_byte(tmp_path: Path) -> None:
    """Two strategies, three files of two contracts."""
    files = []
    rows = gzip.decompress(BARS.read_bytes()).decode().splitlines()
    for name, symbol, part in (
        ("a.csv", "rb2401", rows[1:600]),
        ("b.csv", "hc2401", rows[1:900]),
        ("c.csv", "rb2401", rows[600:900]),
    ):
        path = tmp_path / name
        path.write_text("\n".join([rows[0], *(row.replace("rb2401", symbol) for row in part)]) + "\n")
        files.append(path)
    texts = {"one": text_of("one", "self.count % 40 == 20"), "two": text_of("two", "self.count % 17 == 5")}
    first = ran(tmp_path / "first", files, texts, "1")
    other = ran(tmp_path / "other", files[::-1], texts, "2")
    assert first["bytes"] == other["bytes"]
    assert {trade["symbol"] for trade in first["trades"]} == {"rb2401", "hc2401"}


AHEAD_BY_FRAMES = """
import sys
def rises(bar):
    frame = sys._getframe()
    while frame is not None:
        data = getattr(frame.f_locals.get("self"), "_data", None)
        if data is not None and hasattr(data, "bars"):
            return data.bars["rb2401.SHFE"][-1].close > bar.close_price
        frame = frame.f_back
"""
AHEAD_BY_MEMORY = """
import gc
from app.lib.bars import Bar
def rises(bar):
    now = bar.datetime.timestamp() * 1000
    ahead = [one for one in gc.get_objects() if isinstance(one, Bar) and one.timestamp > now]
    assert not ahead, ahead[0]
    return True
"""
BY_CHANCE = """
import random
def rises(bar):
    return random.random() > .5
"""


@pytest.mark.full
@pytest.mark.parametrize(
    ("imports", "is_told"),
    [
        pytest.param("def rises(bar): return bar.close_price % 2", False, id="honest"),
        pytest.param(AHEAD_BY_FRAMES, True, id="frames"),
        pytest.param(BY_CHANCE, True, id="chance"),
        # what is in memory before the run is out of the collector's sight: it finds nothing ahead
        pytest.param(AHEAD_BY_MEMORY, False, id="gc"),
    ],
)
def test_what_the_first_half_alone_does_not_bear_out_is_told(
    imports: str, is_told: bool, tmp_path: Path
) -> None:
    found = ran(
        tmp_path / "run", [BARS], {"mine": text_of("mine", "self.count % 9 == 0 and rises(bar)", imports)}
    )
    assert any("只用前一半行情" in warning for warning in found["warnings"]) == is_told, found["warnings"]


@pytest.mark.full
def test_how_large_its_parent_was_is_not_how_large_the_data_are(tmp_path: Path) -> None:
    """A process begins with its parent's highest memory as its own, over exec too: Linux' ru_maxrss."""
    large = b"x" * 500_000_000
    found = ran(tmp_path / "run", [BARS], {"mine": text_of("mine", "self.count % 9 == 0")})
    assert not any("没有用前一半行情" in warning for warning in found["warnings"]), len(large)
