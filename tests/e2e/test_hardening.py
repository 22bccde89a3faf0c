"""Orders flow while processes are killed and callbacks lost, doubled, swapped and delayed; then all books are
equal.

CTPBEE_DRILL_SEED repeats a run's choices, CTPBEE_DRILL_SECONDS its length.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.drill import Drill
from tests.e2e.server import BackendServer

SEED = int(
    os.environ.get("CTPBEE_DRILL_SEED", "1")
)  # the same in every run of CI; another one finds what this one does not
SECONDS = float(os.environ.get("CTPBEE_DRILL_SECONDS", "0"))
SETTLING = 30.0


@pytest.fixture
def drill(make_server: Callable[..., BackendServer]) -> Iterator[Callable[[int, int, float], None]]:
    def run(seed: int, days: int, seconds: float) -> None:
        drilled(make_server(counter_capital=100_000_000, order_timeout=1).start(), seed, days, seconds)

    yield run
    gc.collect()


def drilled(server: BackendServer, seed: int, days: int, seconds: float) -> None:
    print(f"CTPBEE_DRILL_SEED={seed} CTPBEE_DRILL_SECONDS={seconds:g}")
    drill = Drill(server, seed)
    try:
        for day in range(days):
            if day:
                drill.next_day()
            drill.run(seconds / days)
            drill.quiet()
            faults = settled(drill)
            print(f"day {day + 1}:", dict(drill.chaos.done), [len(desk.attempts) for desk in drill.desks])
            assert [fault for desk in drill.desks for fault in desk.strange] == []
            assert faults == []
            assert all(
                len(desk.attempts) > seconds / days / 2 for desk in drill.desks
            )  # there was something to compare
        assert "Traceback" not in server.logs()
    finally:
        for desk in drill.desks:
            desk.stop()


def settled(drill: Drill) -> list[str]:
    """What is still different once everything had its time."""
    deadline = time.monotonic() + SETTLING
    while (faults := drill.audit()) and time.monotonic() < deadline:
        pass  # each audit asks everybody again
    return faults


@pytest.mark.timeout(240)
def test_whatever_breaks_while_orders_flow_all_books_are_equal_at_the_end(
    drill: Callable[[int, int, float], None],
) -> None:
    drill(SEED, 2, SECONDS or 30)


@pytest.mark.full
@pytest.mark.alone
@pytest.mark.timeout(900)
@pytest.mark.parametrize("run", [1, 2])
def test_the_same_for_longer(drill: Callable[[int, int, float], None], run: int) -> None:
    drill(SEED + run, 3, SECONDS or 90)


@pytest.mark.full
@pytest.mark.alone
@pytest.mark.timeout(400)
def test_the_same_behind_ctps_library(tmp_path: Path) -> None:
    """The counter stands outside: it is not among those that are killed."""
    from tests.e2e.ctp_server import CtpServer  # needs ctpbee_api and a compiler

    server = CtpServer(tmp_path / "data", counter_capital=100_000_000, order_timeout=1)
    try:
        drilled(server.start(), SEED, 2, SECONDS or 40)
    finally:
        server.clean()
        gc.collect()
