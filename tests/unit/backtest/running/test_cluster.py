"""The engine of a cluster, at a connection by hand: what becomes of a unit whatever comes back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.backtest.engine.job import Progress
from app.backtest.running import cluster, cluster_task
from app.backtest.running.cluster import ClusterDown, DaskEngine
from app.backtest.running.cluster_task import Answer
from app.backtest.running.units import CANCELLED, DONE, FAILED, LOST, Depot, Outcome, Piece, Unit
from app.settings import Settings
from tests.support.waiting import eventually

WORKER = "tls://10.0.0.7:4000"


class Future:
    """Ends as it is told to."""

    def __init__(self) -> None:
        self.status = "pending"
        self.answer: Any = None
        self.is_cancelled = False
        self._done: list[Callable[[Any], object]] = []

    def add_done_callback(self, function: Callable[[Any], object]) -> None:
        self._done.append(function)

    def end(self, status: str, answer: Any = None) -> None:
        self.status, self.answer = status, answer
        for function in self._done:
            function(self)

    def result(self, timeout: float) -> Any:
        return self.answer

    def exception(self, timeout: float) -> Any:
        return self.answer

    def cancel(self) -> None:
        self.is_cancelled = True


class Client:
    """Dask's, as far as it is asked."""

    def __init__(self) -> None:
        self.status = "running"
        self.futures: list[Future] = []
        self.has: set[str] = set()
        self.parts: list[bytes] = []

    def submit(self, function: Any, *_arguments: Any, **_options: Any) -> Future:
        assert function is cluster_task.run
        self.futures.append(Future())
        return self.futures[-1]

    def run(self, function: Any, *about: Any, workers: list[str]) -> dict[str, Any]:
        if function is cluster_task.has:
            return {workers[0]: about[0] in self.has}
        self.parts.append(about[4])
        return {workers[0]: None}

    def nthreads(self) -> dict[str, int]:
        return {WORKER: 4, "tls://10.0.0.8:4000": 2}

    def close(self, timeout: float) -> None:
        self.status = "closed"


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    return Depot(tmp_path / "depot")


@pytest.fixture
def engine(client: Client, depot: Depot, monkeypatch: pytest.MonkeyPatch) -> Iterator[DaskEngine]:
    made = DaskEngine(Settings.load(None, {}, backtest_scheduler="tcp://127.0.0.1:8786"), depot)
    monkeypatch.setattr(made, "_connected", lambda: client)
    yield made
    made.close()


def unit(*data: Piece) -> Unit:
    return Unit(version="1", strategies={}, data=data)


def answer(**fields: Any) -> bytes:
    return msgspec.msgpack.encode(Answer(**fields))


def submitted(engine: DaskEngine, client: Client, *data: Piece) -> Any:
    count = len(client.futures)
    handle = engine.submit(unit(*data), lambda _progress: None)
    eventually(lambda: len(client.futures) > count, "it is at the cluster")
    return handle


def ended(handle: Any) -> Outcome:
    found = handle.wait(30.0)
    assert found is not None
    return found  # type: ignore[no-any-return]


def test_a_unit_ends_as_its_task_says(engine: DaskEngine, client: Client) -> None:
    handle = submitted(engine, client)
    client.futures[0].end("finished", answer(outcome=Outcome(state=DONE, result=b"x")))
    assert ended(handle) == Outcome(state=DONE, result=b"x")


def test_data_that_a_worker_lacks_are_sent_in_parts_and_the_unit_again(
    engine: DaskEngine, client: Client, depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PART", 4)
    pieces = depot.put("a.csv", b"0123456789"), depot.put("b.csv", b"there")
    client.has.add(pieces[1].sha256)
    handle = submitted(engine, client, *pieces)
    client.futures[0].end("finished", answer(lacks=list(pieces), worker=WORKER))
    eventually(lambda: len(client.futures) == 2, "it is sent again")
    assert client.parts == [b"0123", b"4567", b"89"]
    client.futures[1].end("finished", answer(outcome=Outcome(state=DONE)))
    assert ended(handle).state == DONE


def test_data_that_are_gone_here_fail_the_unit(engine: DaskEngine, client: Client) -> None:
    handle = submitted(engine, client)
    client.futures[0].end("finished", answer(lacks=[Piece("a", "0" * 64)], worker=WORKER))
    assert ended(handle).failure.code == "NO_DATA"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("status", "said", "state"),
    [
        ("cancelled", None, LOST),
        ("lost", None, LOST),
        ("error", OSError("closed"), LOST),
        ("finished", b"not an answer", LOST),
        ("error", ValueError("ours"), FAILED),
    ],
)
def test_what_the_cluster_lost_may_be_run_again_and_what_is_wrong_not(
    engine: DaskEngine, client: Client, status: str, said: Any, state: str
) -> None:
    pytest.importorskip("distributed")
    handle = submitted(engine, client)
    client.futures[0].end(status, said)
    assert ended(handle).state == state


def test_a_unit_that_killed_its_workers_is_lost(engine: DaskEngine, client: Client) -> None:
    scheduler = pytest.importorskip("distributed.scheduler")
    handle = submitted(engine, client)
    client.futures[0].end("error", scheduler.KilledWorker("task", None, 3))
    assert ended(handle).state == LOST


def test_a_cancelled_one_is_cancelled_there(engine: DaskEngine, client: Client) -> None:
    handle = submitted(engine, client)
    handle.cancel()
    assert ended(handle).state == CANCELLED
    eventually(lambda: client.futures[0].is_cancelled, "nobody wants it there")


def test_without_a_scheduler_a_unit_waits_and_is_lost_in_the_end(
    engine: DaskEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> Any:
        raise ClusterDown("连不上 tcp://127.0.0.1:8786")

    monkeypatch.setattr(engine, "_connected", refused)
    monkeypatch.setattr(cluster, "PATIENCE", 0.05)
    monkeypatch.setattr(cluster, "BETWEEN", 0.01)
    found = ended(engine.submit(unit(), lambda _progress: None))
    assert found.state == LOST
    assert "连不上" in found.failure.message  # type: ignore[union-attr]


def test_a_lost_connection_is_made_anew(
    engine: DaskEngine, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(engine, client)
    client.status = "connecting"
    other = Client()
    monkeypatch.setattr(engine, "_connected", lambda: other)
    submitted(engine, other)
    assert client.status == "closed"


def test_how_far_it_is_is_told_to_who_asked(engine: DaskEngine, client: Client) -> None:
    heard: list[Progress] = []
    task = engine.submit(unit(), heard.append)
    engine._on_event((0.0, {"token": task.token, "progress": {"stage": "running", "done": 3}}))
    engine._on_event((0.0, {"token": "another", "progress": {"stage": "running"}}))
    assert heard == [Progress("running", 3)]


def test_as_wide_as_the_cluster_and_closed_it_runs_nothing(engine: DaskEngine, client: Client) -> None:
    handle = submitted(engine, client)
    assert engine.width == 6
    engine.close()
    assert ended(handle).state == CANCELLED
    assert ended(engine.submit(unit(), lambda _progress: None)).state == CANCELLED


def test_where_dask_is_not_installed_it_says_so(depot: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    engine = DaskEngine(Settings.load(None, {}, backtest_scheduler="tcp://127.0.0.1:8786"), depot)
    with pytest.raises(ClusterDown, match=r"requirements-dask\.lock"):
        engine.connect()
    engine.close()
