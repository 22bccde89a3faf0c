"""What a process counts about itself, on its way to /metrics: plain numbers under Prometheus' names. Any
process, any thread.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Sequence

import msgspec

LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0)  # seconds


class Figure(msgspec.Struct):
    """One number, or one histogram where `buckets` is not empty."""

    name: str  # without Prometheus' suffixes
    kind: str  # counter gauge histogram
    help: str
    value: float = 0.0  # a histogram's sum
    labels: dict[str, str] = {}
    buckets: list[tuple[str, float]] = []  # upper bound, how many up to it


class Distribution:
    """How long something took, counted in buckets. Any thread."""

    def __init__(self, bounds: Sequence[float] = LATENCIES) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()

    def observe(self, seconds: float) -> None:
        with self._lock:
            self._counts[bisect_left(self._bounds, seconds)] += 1
            self._sum += seconds

    def figure(self, name: str, help: str, labels: dict[str, str] | None = None) -> Figure:
        with self._lock:
            counts, total = list(self._counts), self._sum
        buckets, so_far = [], 0
        for bound, count in zip([*map(str, self._bounds), "+Inf"], counts, strict=True):
            so_far += count
            buckets.append((bound, float(so_far)))
        return Figure(name, "histogram", help, total, labels or {}, buckets)
