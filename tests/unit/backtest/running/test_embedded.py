"""The engine of this machine: so many units at once, in their order; a unit that is cancelled, raises or
cannot be started ends with its outcome.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.backtest.running.embedded import EmbeddedEngine
from app.backtest.running.units import (
    CANCELLED,
    DONE,
    FAILED,
    Handle,
    NotInDepot,
    OnProgress,
    Outcome,
    Piece,
    Unit,
)
from app.lib.errors import NotAllowed
from tests.support.waiting import eventually


def unit(number: int) -> Unit:
    return Unit(version="1", strategies={}, data=(Piece("a", "0" * 64),), number=number)


class Runs:
    """Stands where a child is guarded: each unit runs until it is let go, or stopped."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.let_go = threading.Event()
        self.raises: Exception | None = None

    def __call__(self, unit: Unit, on_progress: OnProgress, stopped: Callable[[], bool]) -> Outcome:
        self.begun.append(unit.number)
        if self.raises is not None:
            raise self.raises
        while not self.let_go.wait(0.002):
            if stopped():
                return Outcome(state=CANCELLED)
        return Outcome(state=DONE, result=b"%d" % unit.number)


@pytest.fixture
def runs() -> Runs:
    return Runs()


@pytest.fixture
def engine(runs: Runs) -> Iterator[EmbeddedEngine]:
    made = EmbeddedEngine(2, runs)
    yield made
    made.close()


def ended(handle: Handle) -> Outcome:
    outcome = handle.wait(30.0)
    assert outcome is not None
    return outcome


def test_two_at_once_the_others_in_their_order(engine: EmbeddedEngine, runs: Runs) -> None:
    handles = [engine.submit(unit(number), lambda _: None) for number in range(5)]
    eventually(lambda: len(runs.begun) == 2, "two run")
    assert handles[0].wait(0.0) is None
    runs.let_go.set()
    assert [ended(handle).result for handle in handles] == [b"0", b"1", b"2", b"3", b"4"]
    assert runs.begun in ([0, 1, 2, 3, 4], [1, 0, 2, 3, 4])


def test_one_that_waits_is_cancelled_without_having_run_and_one_that_runs_is_stopped(
    engine: EmbeddedEngine, runs: Runs
) -> None:
    handles = [engine.submit(unit(number), lambda _: None) for number in range(3)]
    eventually(lambda: len(runs.begun) == 2, "two run")
    handles[2].cancel()
    assert ended(handles[2]).state == CANCELLED
    handles[0].cancel()
    assert ended(handles[0]).state == CANCELLED
    assert 2 not in runs.begun
    runs.let_go.set()
    assert ended(handles[1]).state == DONE
    handles[1].cancel()  # too late: it stays what it is
    assert ended(handles[1]).state == DONE


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (NotInDepot("x"), "NO_DATA"),
        (NotAllowed("off", code="STRATEGIES_OFF"), "STRATEGIES_OFF"),
        (OSError(errno.ENOSPC, "full"), "DISK_FULL"),
        (ZeroDivisionError(), "INTERNAL"),
    ],
)
def test_what_goes_wrong_here_is_the_outcome_and_the_next_one_runs(
    engine: EmbeddedEngine, runs: Runs, raised: Any, code: str
) -> None:
    runs.raises = raised
    outcome = ended(engine.submit(unit(1), lambda _: None))
    assert outcome.state == FAILED
    assert outcome.failure is not None
    assert outcome.failure.code == code
    runs.raises = None
    runs.let_go.set()
    assert ended(engine.submit(unit(2), lambda _: None)).state == DONE


def test_what_runs_and_waits_when_the_engine_closes_is_cancelled(runs: Runs) -> None:
    engine = EmbeddedEngine(1, runs)
    handles = [engine.submit(unit(number), lambda _: None) for number in range(2)]
    eventually(lambda: runs.begun == [0], "the first runs")
    engine.close()
    late = engine.submit(unit(3), lambda _: None)
    assert {ended(handle).state for handle in (*handles, late)} == {CANCELLED}
