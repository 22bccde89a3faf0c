"""Figures as a person reads them: percentiles, slopes, the machine, and tables in Markdown that can be pasted
as they are.
"""

from __future__ import annotations

import os
import platform
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the least-squares line through (x, y)."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def ratio(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.2f} 倍" if theirs else "—"


def thousands(value: float) -> str:
    return f"{value:,.0f}"


def ms(microseconds: float) -> str:
    return f"{microseconds / 1000:.1f}"


def machine() -> str:
    """One line: what this ran on, when, and how busy that was already."""
    load = " ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "?"
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{now}，{os.cpu_count()} 核 {_processor()}，Python {platform.python_version()}，开始时负载 {load}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(
                (line.partition(":")[2].strip() for line in file if line.startswith("model name")),
                platform.machine(),
            )
    except OSError:
        return platform.processor() or platform.machine()


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns stand under each other in a terminal too."""
    lines = [list(head), *[list(row) for row in rows]]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    padded = (
        [cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)]
        for line in lines
    )
    text = ["| " + " | ".join(cells) + " |" for cells in padded]
    return "\n".join([f"**{title}**", "", *text, ""])


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
