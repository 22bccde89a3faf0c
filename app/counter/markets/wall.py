"""The machine's clock as the counter goes by it: it never goes back. Counter process, the core's thread.

A clock that is set back (by hand, by a time server after hours of drift) would have trades before their
orders and a day that ends twice: time then runs on from where it was. A clock that is set forward is
followed, as after a machine has slept.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from app.lib.calendar import SHANGHAI


def shanghai_now() -> datetime:
    """The wall clock."""
    return datetime.now(SHANGHAI)


class SteadyWall:
    """`wall` is the clock that somebody may set."""

    def __init__(self, wall: Callable[[], datetime] = shanghai_now) -> None:
        self._wall = wall
        self._ahead = timedelta()
        self._last = wall()

    def __call__(self) -> datetime:
        """Aware, Asia/Shanghai; never before what it said last."""
        now = self._wall() + self._ahead
        if now < self._last:
            self._ahead += self._last - now
            now = self._last
        self._last = now
        return now
