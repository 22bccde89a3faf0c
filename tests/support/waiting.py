"""Waiting for a condition with a deadline, never for a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T | None], what: str, seconds: float = 30.0) -> T:
    """The first truthy value of `probe`; fails with `what` when there is none within `seconds`."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"never happened within {seconds} s: {what} (last seen: {value!r})")
        pause.wait(0.02)
