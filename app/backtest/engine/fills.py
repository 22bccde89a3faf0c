"""How orders are filled: the settings, and the prices of a bar as the matcher sees them. Pure.

What a bar's four prices stand for in between nobody knows. So its path exists inside the matcher alone, and
every guess is against the trader: docs/backtest.md, 成交.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from app.lib.bars import Bar
from app.lib.errors import BadInput
from app.lib.prices import is_absent
from app.wire.frames import DepthField

SECONDS = (0.0, 15.0, 30.0, 59.0)
"""Into the minute: when the matcher sees a bar's four prices."""


class FillSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Printed in every report."""

    latency_ms: int | None = None
    """Ticks: how long an order or a cancel is on its way; 0 meets the quote that the strategy has just seen,
    as an unconflated replay of the built-in counter does. None: it meets the contract's next snapshot.
    """
    spread_ticks: int = 1
    """Bars: an order that comes in meets a quote so many ticks from the bar's open, to its disadvantage."""
    slippage_ticks: int = 0
    """And so many more, of ticks' quotes too."""
    participation: float = 0.25
    """Bars: the share of a bar's volume that one side's orders may take, a lot at the least."""


def checked(settings: FillSettings) -> FillSettings:
    """Raises BadInput naming the setting that is wrong."""
    for name in ("latency_ms", "spread_ticks", "slippage_ticks"):
        value = getattr(settings, name)
        if value is not None and not 0 <= value <= 100_000:
            raise BadInput(name, f"{name} 应为 0 到 100000 的整数，现在是 {value}")
    if not 0 < settings.participation <= 1:
        raise BadInput(
            "participation", f"participation 应大于 0、不大于 1，现在是 {settings.participation:g}"
        )
    return settings


class Point(NamedTuple):
    """A price of a bar, so many seconds into its minute."""

    seconds: float
    price: float


def path(bar: Bar) -> Iterator[Point]:
    """A bar that rose went to its low first, one that fell to its high."""
    middle = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
    return map(Point, SECONDS, (bar.open, *middle, bar.close))


def middle(depth: DepthField) -> float:
    """Of a quote; the last price where it has only one side."""
    if is_absent(depth.BidPrice1) or is_absent(depth.AskPrice1):
        return depth.LastPrice
    return (depth.BidPrice1 + depth.AskPrice1) / 2


def room(bar: Bar, settings: FillSettings) -> int:
    """Lots of a bar that one side's orders may take."""
    return max(1, int(bar.volume * settings.participation)) if bar.volume > 0 else 0
