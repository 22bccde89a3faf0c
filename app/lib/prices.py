"""Prices as whole ticks: on the tick or not, rounding, the day's limits, and what counts as no price at all.

Pure functions, any process. Floats come in and go out since that is what counter and page speak; between the
two everything is computed in Decimal on the shortest text of the float, because 5892.6 % 0.2 is not 0 in
binary. A difference below 0.00000001 is noise of somebody's float sums (5806.2 + 0.2 is 5806.400000000001 in
recorded files and in JavaScript) and not a price of its own.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

Rounding = Literal["down", "up", "nearest"]

HIGHEST = 1e12
"""No future costs more, in whatever currency: above it a number is CTP's 1.79769e+308 or somebody's
mistake.
"""

MOST_WRITTEN = 16_384  # floats of which the Decimal is kept, and prices of which it is known how many ticks
_written: dict[float, Decimal] = {}

_NOISE = Decimal("1e-8")

_MODES = {"down": ROUND_FLOOR, "up": ROUND_CEILING, "nearest": ROUND_HALF_UP}

_LIMIT_ROUNDING: dict[str, tuple[Rounding, Rounding]] = {
    # Upper, lower. Measured on recorded days: SHFE (ru1901), CZCE (AP010), CFFEX (IF2101). Assumed: INE
    # (SHFE's own system), DCE and GFEX (never outside the percentage, as on SHFE for the upper limit).
    "SHFE": ("down", "down"),
    "INE": ("down", "down"),
    "DCE": ("down", "down"),
    "GFEX": ("down", "down"),
    "CZCE": ("up", "down"),
    "CFFEX": ("down", "up"),
}


class PriceLimits(NamedTuple):
    """A day's; 0 where they are not known."""

    upper: float
    lower: float


def is_absent(price: float) -> bool:
    """True where a price field has no value: 0, NaN, CTP's 1.79769e+308, infinity, anything below zero."""
    return not 0 < price < HIGHEST  # NaN compares false


def has_multiplier(lot: float, price: float, size: float) -> bool:
    """Whether what a lot is said to be worth on average has the multiplier in it, rather than being a price:
    by which it is nearer to.

    That is the counter's habit and not the exchange's: of CZCE, CTP's turnover has it since 6.7.1 and had not
    before, its multicast front's has not, and its average price never (docs/domain.md, Prices).
    """
    return lot > price * math.sqrt(size)


def exact(number: float | Decimal | str) -> Decimal:
    """The number as it is written: 5892.6 is 5892.6 and not the binary fraction next to it.

    Floats come again and again: ratios, and prices on the tick.
    """
    if type(number) is float:
        known = _written.get(number)
        if known is None:
            known = Decimal(str(number))
            if number:  # 0.0 and -0.0 are one key
                if len(_written) >= MOST_WRITTEN:
                    _written.clear()
                _written[number] = known
        return known
    return number if isinstance(number, Decimal) else Decimal(str(number))


@lru_cache(MOST_WRITTEN)
def on_tick(price: float, tick: float) -> bool:
    """Whether the price is a positive whole number of ticks. Absent prices are not."""
    size = _checked(tick)
    if is_absent(price):
        return False
    written = exact(price).quantize(_NOISE)
    return written > 0 and written % size == 0


@lru_cache(MOST_WRITTEN)
def in_ticks(price: float, tick: float) -> int:
    """How many ticks the price is, the nearest whole number."""
    return int((exact(price) / exact(tick)).to_integral_value())


def round_to_tick(price: float | Decimal, tick: float, direction: Rounding = "nearest") -> float:
    """The price on the tick at or below (`down`), at or above (`up`) or nearest. A price on the tick stays as
    it is.
    """
    if not -HIGHEST < price < HIGHEST:  # NaN compares false
        raise ValueError(f"not a price: {price!r}")
    return float(_to_tick(exact(price), _checked(tick), direction))


def limits(pre_settlement: float, ratio: float, tick: float, exchange: str) -> PriceLimits:
    """The day's price limits. `ratio` (0.09 is nine per cent) is of the day, not of the product; rounding:
    docs/domain.md, Prices.
    """
    if is_absent(pre_settlement) or not 0 < ratio < 1:
        raise ValueError(f"no limits from pre-settlement {pre_settlement!r} and ratio {ratio!r}")
    up, down = _LIMIT_ROUNDING[exchange]
    base, size, width = exact(pre_settlement), _checked(tick), exact(ratio)
    return PriceLimits(
        float(_to_tick(base * (1 + width), size, up)), float(_to_tick(base * (1 - width), size, down))
    )


def _to_tick(price: Decimal, tick: Decimal, direction: Rounding) -> Decimal:
    return (price.quantize(_NOISE) / tick).to_integral_value(_MODES[direction]) * tick


def _checked(tick: float) -> Decimal:
    if is_absent(tick):
        raise ValueError(f"not a tick: {tick!r}")
    return exact(tick)
