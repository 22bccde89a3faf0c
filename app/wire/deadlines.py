"""Until when an order may leave, on a clock that all processes of one machine share. Any process.

Who hands an order over stops waiting for its answer after some seconds; one that a stopped or overloaded
gateway gets to only then would leave at the price of another moment, after its sender has been told not to
count on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

TOO_LATE = "NEVER_SENT_TOO_LATE"
TOO_LATE_TEXT = "报单迟到：交到网关时已超过时限，报单未发出"
HAND_OVER = 2.0
"""Seconds from an order's asking to its leaving. Less than who asked waits for the answer (Gateways:
order_timeout + MARGIN).
"""


def _machines_clock() -> Callable[[], float]:
    """Counts on while the machine sleeps, as a laptop does, and is not moved when its time is set.

    Linux: CLOCK_BOOTTIME; its CLOCK_MONOTONIC stands still in sleep. macOS: CLOCK_MONOTONIC, where Python's
    time.monotonic stands still. Windows: time.monotonic.
    """
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):
        number = getattr(time, name, None)
        if number is not None:
            return lambda: time.clock_gettime(number)
    return time.monotonic


now = _machines_clock()


def from_now(seconds: float = HAND_OVER) -> float:
    """What `is_over` tells from then on."""
    return now() + seconds


def is_over(deadline: float) -> bool:
    """Whether it has passed; 0 is none."""
    return bool(deadline) and now() > deadline
