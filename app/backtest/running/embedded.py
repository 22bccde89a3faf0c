"""The engine of this machine: threads that each guard one child at a time. The process of backtests and the
commands; any thread may submit and cancel.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from app.backtest.engine.job import Failure
from app.backtest.running import guard
from app.backtest.running.units import CANCELLED, FAILED, Depot, NotInDepot, OnProgress, Outcome, Unit
from app.lib.errors import AppError
from app.settings import Settings

RunUnit = Callable[[Unit, OnProgress, Callable[[], bool]], Outcome]

log = logging.getLogger(__name__)


class _Running:
    """A unit that waits or runs: a Handle of units.py."""

    def __init__(self, unit: Unit, on_progress: OnProgress) -> None:
        self.unit = unit
        self.on_progress = on_progress
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._cancelled = threading.Event()
        self._outcome: Outcome | None = None
        self._begun = False

    def wait(self, seconds: float | None = None) -> Outcome | None:
        self._ended.wait(seconds)
        return self._outcome

    def cancel(self) -> None:
        self._cancelled.set()
        with self._lock:
            waits = not self._begun
        if waits:
            self.end(Outcome(state=CANCELLED))

    # ── for the engine ──

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def begin(self) -> bool:
        """Whether it is still to run."""
        with self._lock:
            self._begun = not self._cancelled.is_set()
            return self._begun

    def end(self, outcome: Outcome) -> None:
        with self._lock:
            if self._outcome is None:
                self._outcome = outcome
        self._ended.set()


class EmbeddedEngine:
    """`run_unit(unit, on_progress, stopped)` is what becomes of one; `on_process(settings, depot, inside)`
    makes the usual one. `closing()` is called when it has ended.
    """

    def __init__(self, width: int, run_unit: RunUnit, closing: Callable[[], object] = lambda: None) -> None:
        assert width > 0
        self._closing = closing
        self._run_unit = run_unit
        self._waiting: deque[_Running] = deque()
        self._under_way: set[_Running] = set()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"unit-{number}", daemon=True) for number in range(width)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def width(self) -> int:
        return len(self._threads)

    def submit(self, unit: Unit, on_progress: OnProgress) -> _Running:
        running = _Running(unit, on_progress)
        with self._changed:
            if self._closed:
                running.cancel()
            else:
                self._waiting.append(running)
                self._changed.notify()
        return running

    def close(self) -> None:
        with self._changed:
            self._closed = True
            for running in (*self._waiting, *self._under_way):
                running.cancel()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(2 * guard.ENDING)
        self._closing()

    def _work(self) -> None:
        while (running := self._next()) is not None:
            try:
                outcome = self._outcome(running)
            finally:
                with self._changed:
                    self._under_way.discard(running)
            running.end(outcome)

    def _next(self) -> _Running | None:
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return None
                running = self._waiting.popleft()
                if running.begin():
                    self._under_way.add(running)
                    return running

    def _outcome(self, running: _Running) -> Outcome:
        try:
            return self._run_unit(running.unit, running.on_progress, lambda: running.is_cancelled)
        except NotInDepot:
            return _failed("行情的副本已不在，请重新开始这次回测", "NO_DATA")
        except AppError as error:
            return _failed(error.message, error.code)
        except OSError as error:
            return _failed(f"回测进程起不了：{error.strerror}", code_of(error))
        except Exception as error:  # the edge of the thread: it goes on with the next one
            log.exception("unit %s failed here", running.unit.id)
            return _failed(f"回测内部出错：{error!r}", "INTERNAL")


def on_process(settings: Settings, depot: Depot, inside: Path | None = None) -> RunUnit:
    """Each unit in a child of its own (app/backtest/running/guard.py), in a folder in `inside`."""
    return lambda unit, on_progress, stopped: guard.run_unit(
        unit, depot, settings, on_progress, stopped, inside
    )


def code_of(error: OSError) -> str:
    return "DISK_FULL" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "BACKTEST_FAILED"


def _failed(message: str, code: str) -> Outcome:
    return Outcome(state=FAILED, failure=Failure(message, code=code))
