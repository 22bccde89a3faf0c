"""1-minute bars out of a file of recorded ticks, made by the code that makes them live. The importing
command; pure but for reading the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from app.counter.contracts import product_code_of
from app.counter.markets.readers import Row, read_rows
from app.counter.products import products
from app.lib.bars import Bar, BarBuilder, ClosedBar
from app.lib.sessions import ExchangeHours
from app.lib.symbols import product_of

OVER = timedelta(hours=1)  # after the last snapshot every minute is over


@dataclass(slots=True)
class _Tick:
    """What a BarBuilder looks at."""

    local_symbol: str
    datetime: datetime
    trading_day: str
    last_price: float
    volume: float
    turnover: float
    open_interest: float


def bars_of_ticks(path: Path, on_row: Callable[[int], object]) -> dict[str, list[Bar]]:
    """By local symbol, oldest first. Raises BadFile."""
    builder = BarBuilder(ExchangeHours(), product_of, _size_of)
    found: dict[str, list[Bar]] = {}
    last = None
    for row in read_rows(path):
        on_row(1)
        last = row.moment
        if row.kind == "tick":
            _keep(found, builder.on_tick(_tick(row)))
    if last is not None:
        _keep(found, builder.on_clock(last + OVER))
    return dict(sorted(found.items()))


def _keep(found: dict[str, list[Bar]], closed: list[ClosedBar]) -> None:
    for local_symbol, _day, bar in closed:
        found.setdefault(local_symbol, []).append(bar)


def _tick(row: Row) -> _Tick:
    depth = row.depth
    return _Tick(
        f"{depth.InstrumentID}.{depth.ExchangeID}",
        row.moment,
        row.trading_day,
        depth.LastPrice,
        depth.Volume,
        depth.Turnover,
        depth.OpenInterest,
    )


def _size_of(local_symbol: str) -> float:
    product = products().get(product_code_of(local_symbol.partition(".")[0]))
    return float(product.multiplier) if product is not None else 1.0
