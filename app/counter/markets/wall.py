"""The machine's clock as the counter goes by it: it never goes back. Counter process, the core's thread.

A clock that is set back (by hand, by a time server after hours of drift) would have trades before their
orders and a day that ends twice: time then runs on from where it was, at half its speed until the clock has
caught up, for a night session that begins hours early is one that is missed. A clock that is set forward is
followed, as after a machine has slept.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from app.lib.calendar import SHANGHAI


def shanghai_now() -> datetime:
    """The wall clock."""
    return datetime.now(SHANGHAI)


class SteadyWall:
    """`wall` is the clock that somebody may set."""

    def __init__(self, wall: Callable[[], datetime] = shanghai_now) -> None:
        self._wall = wall
        self._seen = self._last = wall()

    def __call__(self) -> datetime:
        """Aware, Asia/Shanghai; never before what it said last."""
        seen, before = self._wall(), self._seen
        self._seen = seen
        ahead = self._last - before
        if seen > before:
            ahead -= min(ahead, (seen - before) / 2)
        self._last = max(self._last, seen + ahead)
        return self._last
