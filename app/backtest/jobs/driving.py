"""How a job is driven through an engine, until all its units have ended: one run, or a search. The process of
backtests, a thread for each job that runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from app.backtest.engine.job import Failure
from app.backtest.running.units import (
    CANCELLED,
    FAILED,
    LOST,
    Engine,
    Handle,
    OnProgress,
    Outcome,
    Unit,
)
from app.backtest.search.search import Search, Tried, tried

POLL = 0.05  # seconds
MOST_LOST = 3  # times that a unit is run again whose engine has lost it

log = logging.getLogger(__name__)


def drive(unit: Unit, engine: Engine, on_progress: OnProgress, stopped: Callable[[], bool]) -> Outcome:
    """One unit; again where it is lost."""
    times = 0
    while True:
        handle = engine.submit(unit, on_progress)
        while (outcome := handle.wait(POLL)) is None:
            if stopped():
                handle.cancel()
        if outcome.state != LOST or stopped():
            return outcome
        times += 1
        if times == MOST_LOST:
            return _lost(outcome)
        log.warning("unit %s was lost, and is run again", unit.id)


def drive_search(
    search: Search,
    engine: Engine,
    on_ended: Callable[[str, Tried], object],
    on_progress: OnProgress,
    stopped: Callable[[], bool],
    capital: float,
) -> None:
    """All that is due: as many at once as the engine has room for, and as many that wait, so that none of its
    places is empty. `on_ended(unit id, what is kept of it)`; one that was cancelled is not told. Returns once
    nothing runs any more.
    """
    running: dict[str, Handle] = {}
    lost: dict[str, int] = {}
    while True:
        if not stopped():
            _fill(running, search.due(), engine, on_progress)
        if not running:
            return
        if stopped():
            for handle in running.values():
                handle.cancel()
        for unit_id, outcome in _ended(running):
            del running[unit_id]
            if outcome.state == LOST:
                lost[unit_id] = lost.get(unit_id, 0) + 1
                if lost[unit_id] < MOST_LOST:
                    continue  # it is due again
                outcome = _lost(outcome)
            if outcome.state != CANCELLED:
                found = tried(outcome, capital)
                search.take(unit_id, found)
                on_ended(unit_id, found)


def _fill(running: dict[str, Handle], due: Iterable[Unit], engine: Engine, on_progress: OnProgress) -> None:
    for unit in due:
        if len(running) >= 2 * engine.width:
            return
        if unit.id not in running:
            running[unit.id] = engine.submit(unit, on_progress)


def _ended(running: dict[str, Handle]) -> list[tuple[str, Outcome]]:
    """Those that have, after a moment's wait for the first of them."""
    found = []
    for number, (unit_id, handle) in enumerate(running.items()):
        outcome = handle.wait(0.0 if number else POLL)
        if outcome is not None:
            found.append((unit_id, outcome))
    return found


def _lost(last: Outcome) -> Outcome:
    why = f"；最后一次：{last.failure.message}" if last.failure is not None else ""
    message = f"运行它的进程没有了，{MOST_LOST} 次都是如此{why}"
    return Outcome(state=FAILED, failure=Failure(message, code="INTERRUPTED"))
