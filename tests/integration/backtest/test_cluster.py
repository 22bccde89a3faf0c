"""A cluster of a scheduler and two workers on loopback, with TLS: a search over it comes to what this machine
comes to, whatever dies meanwhile.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import orjson
import psutil
import pytest

from app.backtest.jobs.driving import drive_search
from app.backtest.running import embedded
from app.backtest.running.cluster import ClusterDown, DaskEngine
from app.backtest.running.embedded import EmbeddedEngine
from app.backtest.running.units import FAILED, Depot, Engine
from app.backtest.search.search import Search, SearchRequest
from app.lib.strategy_parameters import parameters
from tests.integration.backtest.test_engines import BARS, STRATEGY, unit_of
from tests.support.cluster import RUN, Cluster, certificates, wait_until_it_has_room
from tests.support.confinement import confined
from tests.support.waiting import eventually

pytest.importorskip("distributed")
pytestmark = [pytest.mark.full, confined]
EVERY = [20, 30, 40, 50, 60, 70]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def depot(tmp_path_factory: pytest.TempPathFactory) -> Depot:
    return Depot(tmp_path_factory.mktemp("depot") / "depot")


@pytest.fixture
def engine(cluster: Cluster, depot: Depot) -> Iterator[DaskEngine]:
    made = DaskEngine(cluster.settings, depot)
    wait_until_it_has_room(2, cluster, made)
    yield made
    made.close()


def search_of(depot: Depot, seconds: float = 0.0) -> Search:
    """`seconds` that each trial takes at least."""
    base = unit_of(depot, f"time.sleep({seconds})")
    request = SearchRequest(space={"every": EVERY}, out_of_sample="20230928", warm_up=1)
    return Search(request, base, parameters(STRATEGY))


def drive(search: Search, engine: Engine, on_ended: Callable[[int], object] = lambda _count: None) -> bytes:
    count = [0]

    def ended(_unit_id: str, _found: Any) -> None:
        count[0] += 1
        on_ended(count[0])

    drive_search(search, engine, ended, lambda _progress: None, lambda: False, 1_000_000.0)
    return orjson.dumps(search.document())


@pytest.fixture(scope="module")
def expected(cluster: Cluster, depot: Depot) -> bytes:
    """What this machine comes to."""
    engine = EmbeddedEngine(2, embedded.on_process(cluster.settings, depot))
    document = drive(search_of(depot, 0.3), engine)
    engine.close()
    return document


def lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def seen_at(engine: DaskEngine, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """By the token of each unit the workers that told of it, as long as they do."""
    found: dict[str, set[str]] = {}
    hear = engine._on_event

    def listen(event: tuple[float, dict[str, Any]]) -> None:
        found.setdefault(event[1]["token"], set()).add(event[1]["worker"])
        hear(event)

    engine.connect().unsubscribe_topic(engine._topic)
    engine.connect().subscribe_topic(engine._topic, listen)
    return found


def test_a_search_is_the_same_bytes_and_the_data_travel_once(
    cluster: Cluster, engine: DaskEngine, depot: Depot, expected: bytes
) -> None:
    assert drive(search_of(depot, 0.3), engine) == expected
    for name in ("worker-0", "worker-1"):
        assert cluster.cached(name) == ["SHFE.rb2401.1m.csv.gz"]
        assert not list((cluster.folder / name / "backtest" / "incoming").iterdir())
    assert cluster.listening() == {"127.0.0.1"}


def test_a_worker_that_dies_costs_its_unit_alone_and_its_child_dies_with_it(
    cluster: Cluster, engine: DaskEngine, depot: Depot, expected: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = seen_at(engine, monkeypatch)
    dead: list[psutil.Process] = []

    def kill_one(count: int) -> None:
        if count == 2:
            worker = psutil.Process(cluster.processes["worker-0"].pid)
            (nanny,) = [one for one in worker.children(True) if "spawn_main" in " ".join(one.cmdline())]
            dead.extend([*nanny.children(recursive=True), nanny])
            nanny.kill()

    assert drive(search_of(depot, 0.3), engine, kill_one) == expected
    assert len(dead) > 1
    eventually(
        lambda: not any(one.is_running() and one.status() != "zombie" for one in dead), "all are dead", 2.0
    )
    assert sum(len(workers) > 1 for workers in seen.values()) <= 2  # that one, and one that waited there
    wait_until_it_has_room(2, cluster, engine)


def test_a_scheduler_that_starts_again_is_found_and_what_was_lost_is_run_again(
    cluster: Cluster, engine: DaskEngine, depot: Depot, expected: bytes
) -> None:
    def restart(count: int) -> None:
        if count == 2:
            cluster.kill("scheduler")
            threading.Timer(0.5, cluster.start, ["scheduler"]).start()

    assert drive(search_of(depot, 0.3), engine, restart) == expected


def test_who_asked_dies_and_nothing_goes_on_at_the_workers(cluster: Cluster, tmp_path: Path) -> None:
    """A command, with trials that never return."""
    strategy = tmp_path / "mine.py"
    strategy.write_text(STRATEGY.replace('what = ""', 'what = "while True: pass"'), "utf-8")
    line = [
        "backtest",
        str(strategy),
        "--data",
        str(BARS),
        "--to",
        str(tmp_path / "out"),
        "--grid",
        "every=20,30",
    ]
    environment = cluster.settings.to_environment() | {"PYTHONWARNINGS": "ignore"}
    command = subprocess.Popen([sys.executable, RUN, *line], env=environment, stdout=subprocess.DEVNULL)

    def trials() -> int:
        """Forks of workers: those under way."""
        count = 0
        for one in (*cluster.family("worker-0"), *cluster.family("worker-1")):
            with suppress(psutil.Error):
                parent = one.parent()
                of_a_worker = parent is not None and parent.cmdline()[-1:] == ["app.backtest.child.worker"]
                count += of_a_worker and parent.name() != "bwrap" and lives(one)
        return count

    eventually(lambda: trials() == 2, "both workers have a trial", 60.0)
    command.kill()
    command.wait(30.0)
    eventually(lambda: not trials(), "no trial goes on")


def test_a_worker_of_another_version_says_so(engine: DaskEngine, depot: Depot) -> None:
    other = msgspec.structs.replace(unit_of(depot), version="0.0.1")
    found = engine.submit(other, lambda _progress: None).wait(30.0)
    assert found is not None
    assert found.state == FAILED
    assert found.failure is not None
    assert "发来的是 0.0.1：请装成同一版本" in found.failure.message


def test_without_the_clusters_certificate_nobody_gets_in(cluster: Cluster, tmp_path: Path) -> None:
    other = certificates(tmp_path / "other")
    for settings in (
        cluster.settings.model_copy(update={"backtest_tls": other}),
        cluster.settings.model_copy(
            update={"backtest_scheduler": cluster.address.replace("tls://", "tcp://")}
        ),
    ):
        engine = DaskEngine(settings, Depot(tmp_path / "depot"))
        with pytest.raises(ClusterDown, match="连不上"):
            engine.connect()
        engine.close()
