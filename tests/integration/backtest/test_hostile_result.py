"""A result.json that a strategy has written itself, as large as may be kept, and so that it unfolds to many
times its size: what it costs the process of backtests. In a process of its own, whose most is counted.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from app.backtest.engine.job import Failure
from app.backtest.jobs import keeper
from app.backtest.report import report
from app.backtest.running import guard
from app.backtest.running.units import DONE, Depot, Limits
from app.settings import Settings
from tests.integration.backtest.test_engines import unit_of
from tests.support.confinement import confined
from tests.support.kept_calendar import keep_calendar
from tests.unit.backtest.jobs.test_keeper import result

pytestmark = [pytest.mark.full, confined]
ROOT = Path(__file__).parents[3]
MOST = 200  # MB: the result's own bytes six times; unfolded it takes 750
KEEPS = """
import json, sys
from pathlib import Path

from app.backtest.running.units import DONE, Outcome
from app.wire.messages import CompareBacktests, ReadBacktest
from tests.unit.backtest.jobs.test_keeper import World


def of_memory(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


world = World(Path(sys.argv[1]))
job = world.submit()
handle = world.engine.one()
before = of_memory("VmRSS")
handle.end(Outcome(state=DONE, result=Path(sys.argv[2]).read_bytes()))
row = world.ends(job)
if row["state"] == "完成":
    world.keeper.compare(CompareBacktests("a", [job]))
    world.keeper.read(ReadBacktest("a", job))
world.keeper.stop()
left = sorted(path.name for path in world.shelf.folder_of(job).glob("*"))
print(json.dumps({"state": row["state"], "left": left, "grown": of_memory("VmHWM") - before}))
"""


def kept(folder: Path, written: bytes) -> dict[str, Any]:
    keep_calendar(folder / "data")
    (folder / "result.json").write_bytes(written)
    command = [sys.executable, "-c", KEEPS, str(folder / "data"), str(folder / "result.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("where", "state"),
    [("trades", "完成"), ("days", "完成"), ("settings", "完成"), ("figures", "失败"), ("warnings", "失败")],
)
def test_a_result_that_unfolds_takes_little_of_the_process_of_backtests(
    where: str, state: str, tmp_path: Path
) -> None:
    head, tail = result(more={where: "HERE"}).split(b'"HERE"')
    many = (keeper.MOST_RESULT - len(head + tail) - len("[0]")) // len("[[]],")
    found = kept(tmp_path, head + b"[" + b"[[]]," * many + b"0]" + tail)
    assert found["state"] == state, found
    assert found["grown"] < MOST, found
    assert "report.html" not in found["left"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    keep_calendar(tmp_path / "data")
    return Settings.load(None, {}, data_dir=tmp_path / "data", strategies="contained")


def test_a_report_that_is_made_elsewhere_is_the_same_page(settings: Settings, tmp_path: Path) -> None:
    depot = Depot(tmp_path / "depot")
    found = guard.run_unit(unit_of(depot), depot, settings, lambda _: None)
    assert found.state == DONE
    page = guard.report_of(found.result, settings, Limits(), inside=tmp_path)
    assert page.decode() == report.page(orjson.loads(found.result))


def test_a_report_that_takes_too_much_or_too_long_or_that_nobody_wants_is_none(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(psutil.Process().children(recursive=True))  # another test's browser, say
    inside = tmp_path / "inside"
    inside.mkdir()
    large = result(more={"trades": "HERE"}).replace(b'"HERE"', b"[" + b"[[]]," * 4_000_000 + b"0]")
    assert "memory" in failure(large, settings, Limits(memory=200), inside).message  # orjson's own words
    assert "KeyError" in failure(result(), settings, Limits(), inside).message
    with pytest.raises(guard.Cancelled):
        guard.report_of(large, settings, Limits(), lambda: True, inside)
    monkeypatch.setattr(guard, "MOST_SHOWING", 0.01)
    monkeypatch.setattr(guard, "SAMPLE", 0.0)
    assert failure(large, settings, Limits(), inside).code == "TIMEOUT"
    assert list(inside.iterdir()) == []
    assert set(psutil.Process().children(recursive=True)) <= before


def failure(written: bytes, settings: Settings, limits: Limits, inside: Path) -> Failure:
    with pytest.raises(guard.BacktestFailed) as caught:
        guard.report_of(written, settings, limits, inside=inside)
    return caught.value.failure
