"""The gateway's one event thread: everything that happens to an account happens here, in order. Gateway
process.

Callbacks of the fronts, timers, calls of the web: each is posted and run one after the other, so that none of
them ever sees another half done. The thread that calls `run` is the event thread.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

SHORTEST_PERIOD = 0.05  # seconds; a repeated timer set to nothing must not starve the rest


class Timer:
    """What is to be called later; `cancel` from any thread."""

    def __init__(self, due: float, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.due = due
        self.function = function
        self.args = args
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def __lt__(self, other: Timer) -> bool:
        return self.due < other.due


class EventLoop:
    """See the module's docstring. `post`, `call_later`, `every` and `stop` may be called from any
    thread.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._timers: list[Timer] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: int | None = None

    @property
    def is_current(self) -> bool:
        """Whether the caller runs in the event thread."""
        return self._thread == threading.get_ident()

    @property
    def waiting(self) -> int:
        """How many events wait for their turn."""
        return len(self._waiting)

    def post(self, function: Callable[..., Any], *args: Any) -> None:
        """Run it after everything that was posted before. Never blocks."""
        with self._changed:
            self._waiting.append((function, args))
            self._changed.notify_all()

    def throttle(self, limit: int) -> None:
        """Wait until fewer than `limit` events wait: for reader threads, whose peer then waits with its
        sending.
        """
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < limit or self._stopping)

    def call_later(self, seconds: float, function: Callable[..., Any], *args: Any) -> Timer:
        """Run it once, not before `seconds` have passed."""
        timer = Timer(self._clock() + seconds, function, args)
        with self._changed:
            heapq.heappush(self._timers, timer)
            self._changed.notify_all()
        return timer

    def every(self, seconds: Callable[[], float], function: Callable[[], Any]) -> Timer:
        """Run it again and again; `seconds` is asked before each wait, so that a changed setting counts at
        once after the next.
        """

        def again() -> None:
            repeating.due = self._clock() + max(SHORTEST_PERIOD, seconds())
            with self._changed:
                heapq.heappush(self._timers, repeating)
            function()

        repeating = self.call_later(max(SHORTEST_PERIOD, seconds()), again)
        return repeating

    def run(self) -> None:
        """Be the event thread until `stop`. What was posted before the stop is still run."""
        self._thread = threading.get_ident()
        try:
            while True:
                pause = self.run_due()
                with self._changed:
                    if self._waiting:
                        continue
                    if self._stopping:
                        return
                    if self._timers:
                        pause = self._timers[0].due - self._clock()
                    if pause is None or pause > 0:
                        self._changed.wait(pause)
        finally:
            self._thread = None

    def run_due(self) -> float | None:
        """Run all that is due now, in the calling thread; returns the seconds to the next timer, None for no
        timer.
        """
        owner, self._thread = self._thread, threading.get_ident()
        try:
            while True:
                with self._changed:
                    now = self._clock()
                    while self._timers and self._timers[0].due <= now:
                        timer = heapq.heappop(self._timers)
                        self._waiting.append((self._fire, (timer,)))
                    if not self._waiting:
                        return self._timers[0].due - now if self._timers else None
                    function, args = self._waiting.popleft()
                    self._changed.notify_all()
                self._call(function, args)
        finally:
            self._thread = owner

    def stop(self) -> None:
        """`run` returns once what is posted by now has been run. Timers that are not due are forgotten."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    @staticmethod
    def _fire(timer: Timer) -> None:
        if not timer.cancelled:
            timer.function(*timer.args)

    @staticmethod
    def _call(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            function(*args)
        except Exception:  # the edge of a handler: the stream goes on
            log.exception("handler %s failed", getattr(function, "__qualname__", repr(function)))
