"""The contract of engines, against each of them with real processes: the same result, to the byte; what a
unit does is its own affair; and it ends when it is told to.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.backtest.engine.job import Progress
from app.backtest.running import embedded
from app.backtest.running.cluster import DaskEngine
from app.backtest.running.embedded import EmbeddedEngine
from app.backtest.running.units import CANCELLED, DONE, FAILED, Depot, Engine, Limits, Outcome, Unit
from app.backtest.running.workers import Workers
from app.lib.program import version
from app.settings import Settings
from tests.support.cluster import Cluster, wait_until_it_has_room
from tests.support.confinement import confined
from tests.support.kept_calendar import keep_calendar
from tests.support.waiting import eventually

BARS = Path(__file__).parents[2] / "recordings" / "SHFE.rb2401.1m.csv.gz"
STRATEGY = """
import os, signal, time
from ctpbee import CtpbeeApi

class Mine(CtpbeeApi):
    what = ""
    each = 0.0
    def __init__(self, name, every=60):
        super().__init__(name)
        self.every, self.count = every, 0
        self.instrument_set = {"rb2401.SHFE"}
    def on_tick(self, tick): pass
    def on_bar(self, bar):
        self.count += 1
        time.sleep(self.each)
        if self.count == 100:
            exec(self.what)
        position = self.center.get_position(bar.local_symbol)
        if self.count % self.every == 1:
            self.action.buy_open(bar.close_price + 2, 1, bar)
        elif self.count % self.every == self.every // 2 and position is not None and position.long_volume:
            self.action.buy_close(bar.close_price - 2, position.long_volume, bar)

ext = Mine("mine")
"""
LINE = STRATEGY[: STRATEGY.index("exec(")].count("\n") + 1
PATIENCE = 60.0  # a busy machine's
pytestmark = [pytest.mark.full, confined]  # what these strategies do they must not do to this machine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("engines")
    keep_calendar(made / "data")
    return made


@pytest.fixture(scope="module")
def depot(folder: Path) -> Depot:
    return Depot(folder / "depot")


@pytest.fixture(scope="module")
def settings(folder: Path) -> Settings:
    return Settings.load(None, {}, data_dir=folder / "data", log_to="stdout", strategies="contained")


@pytest.fixture(scope="module", params=["a child each", "workers", "dask"])
def engine(
    request: pytest.FixtureRequest, settings: Settings, depot: Depot, folder: Path
) -> Iterator[Engine]:
    """Of one place: what comes after a unit finds what it has left."""
    if request.param == "dask":
        pytest.importorskip("distributed")
        cluster = Cluster(folder / "cluster", workers=1)
        dask = DaskEngine(cluster.settings, depot)
        wait_until_it_has_room(1, cluster, dask)
        yield dask
        dask.close()
        cluster.close()
        return
    if request.param == "workers":
        workers = Workers(settings, depot)
        made: Engine = EmbeddedEngine(1, workers)
        yield made
        made.close()
        workers.close()
    else:
        made = EmbeddedEngine(1, embedded.on_process(settings, depot))
        yield made
        made.close()


@pytest.fixture(scope="module")
def keep(engine: Engine) -> str:
    """What the units of this engine keep: a search's run in workers, which fork."""
    in_workers = isinstance(engine, DaskEngine) or isinstance(engine._run_unit, Workers)  # type: ignore[attr-defined]
    return "figures" if in_workers else "result"


def unit_of(depot: Depot, what: str = "", **more: Any) -> Unit:
    parameters = {"mine": {"what": what} | more.pop("parameters", {})}
    piece = depot.add(BARS)
    texts = {"mine": STRATEGY}
    return Unit(version=version(), strategies=texts, parameters=parameters, data=(piece,), **more)


def outcome(engine: Engine, unit: Unit) -> Outcome:
    handle = engine.submit(unit, lambda _progress: None)
    found = handle.wait(PATIENCE)
    handle.cancel()
    assert found is not None
    return found


def result(engine: Engine, unit: Unit) -> dict[str, Any]:
    found = outcome(engine, unit)
    assert found.state == DONE, found
    read: dict[str, Any] = orjson.loads(found.result)
    return read


@pytest.fixture(scope="module")
def plain(settings: Settings, depot: Depot, keep: str) -> bytes:
    """What a child of its own makes of the plain unit."""
    unit = unit_of(depot, keep=keep)
    found = embedded.on_process(settings, depot)(unit, lambda _progress: None, lambda: False)
    assert found.state == DONE, found
    return found.result


def test_the_result_is_the_same_bytes_whatever_ran_before(
    engine: Engine, depot: Depot, plain: bytes, keep: str
) -> None:
    assert outcome(engine, unit_of(depot, keep=keep)).result == plain
    other = result(engine, unit_of(depot, parameters={"every": 40}, keep=keep))
    assert other["figures"]["trades"] != orjson.loads(plain)["figures"]["trades"]
    assert outcome(engine, unit_of(depot, keep=keep)).result == plain


def test_a_stretch_with_a_warm_up_and_figures_alone(engine: Engine, depot: Depot) -> None:
    stretch: dict[str, Any] = {"start": "20230926", "end": "20230928", "trade_from": "20230927"}
    found = result(engine, unit_of(depot, **stretch))
    assert [day["trading_day"] for day in found["days"]] == ["20230927", "20230928"]
    assert found["trades"]
    brief = result(engine, unit_of(depot, keep="figures", **stretch))
    assert "trades" not in brief
    assert brief == {name: found[name] for name in brief}


def test_a_unit_that_fails_says_where_and_the_next_one_runs(
    engine: Engine, depot: Depot, plain: bytes, keep: str
) -> None:
    found = outcome(engine, unit_of(depot, "print('before'); raise ValueError('x')", keep=keep))
    assert found.state == FAILED
    assert found.failure is not None
    failure = found.failure
    assert (failure.code, failure.line, failure.strategy) == ("STRATEGY_FAILED", LINE, "mine")
    assert "before" in found.log
    assert outcome(engine, unit_of(depot, keep=keep)).result == plain


@pytest.mark.parametrize(
    "what",
    [
        pytest.param("os._exit(0)", id="ends without a result"),
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", id="kills itself"),
        pytest.param("os.kill(-1, signal.SIGKILL)", id="kills all it can"),
        pytest.param("os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)", id="kills who started it"),
        pytest.param("os.fork(); os.fork(); os._exit(3)", id="leaves processes behind"),
    ],
)
def test_after_a_unit_that_ends_itself_or_others_the_next_one_runs(
    engine: Engine, depot: Depot, plain: bytes, keep: str, what: str
) -> None:
    """The first process of its namespace cannot be killed from inside: then the run just goes on."""
    found = outcome(engine, unit_of(depot, what, keep=keep, limits=Limits(stall=3.0)))
    assert found.state == FAILED or "os.kill" in what
    assert outcome(engine, unit_of(depot, keep=keep)).result == plain


def test_a_unit_that_never_returns_is_cancelled_within_two_seconds(
    engine: Engine, depot: Depot, plain: bytes, keep: str
) -> None:
    heard: list[Progress] = []
    handle = engine.submit(unit_of(depot, "while True: pass", keep=keep), heard.append)
    eventually(lambda: any(one.stage == "running" for one in heard), "the unit runs", PATIENCE)
    assert handle.wait(0.1) is None
    asked = time.monotonic()
    handle.cancel()
    found = handle.wait(PATIENCE)
    assert time.monotonic() - asked < 2.0
    assert found is not None
    assert found.state == CANCELLED
    assert outcome(engine, unit_of(depot, keep=keep)).result == plain


def test_a_unit_that_is_silent_for_too_long_is_ended(engine: Engine, depot: Depot, keep: str) -> None:
    found = outcome(engine, unit_of(depot, "while True: pass", keep=keep, limits=Limits(stall=2.0)))
    assert found.failure is not None
    assert found.failure.code == "TIMEOUT"


def test_a_unit_that_moves_but_takes_too_long_is_ended(engine: Engine, depot: Depot, keep: str) -> None:
    slow = unit_of(depot, parameters={"each": 0.05}, keep=keep, limits=Limits(total=3.0))
    found = outcome(engine, slow)
    assert found.failure is not None
    assert found.failure.code == "TIMEOUT"
    assert "跑满 3 秒（设置 backtest_minutes）还没有跑完" in found.failure.message


def test_what_cannot_be_loaded_is_told(engine: Engine, depot: Depot, keep: str) -> None:
    bad = unit_of(depot)
    broken = depot.put("rb2401.SHFE.csv", b"time,open\n1,2\n")
    found = outcome(engine, Unit(version=version(), strategies=bad.strategies, data=(broken,), keep=keep))
    assert found.state == FAILED
    assert found.failure is not None
    assert "rb2401.SHFE.csv" in found.failure.message


def test_no_data_in_the_range_and_a_wrong_parameter_are_told(engine: Engine, depot: Depot, keep: str) -> None:
    nothing = outcome(engine, unit_of(depot, start="20300101", keep=keep))
    assert nothing.failure is not None
    assert nothing.failure.code == "NO_DATA"
    wrong = outcome(engine, unit_of(depot, parameters={"none": 1}, keep=keep))
    assert wrong.failure is not None
    assert "没有参数 none" in wrong.failure.message


def test_a_worker_with_nothing_to_do_ends(settings: Settings, depot: Depot) -> None:
    workers = Workers(settings, depot, idle=0.4)
    found = workers(unit_of(depot, keep="figures"), lambda _progress: None)
    assert found.state == DONE
    (worker,) = workers._by_thread.values()
    eventually(lambda: not worker._process.alive, "the worker has ended")
    eventually(lambda: not worker._folder.exists(), "its folder is gone")
    assert workers(unit_of(depot, keep="figures"), lambda _progress: None).result == found.result
    workers.close()
