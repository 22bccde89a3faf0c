"""The K-lines of a report: each contract's bars in as many candles as a page can show. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.backtest.market_data.data import TradingDays
from app.lib.bars import INTERVAL_MINUTES, INTERVALS, Bar, aggregate
from app.lib.sessions import periods
from app.lib.symbols import product_of

MOST = 420


def candles(bars: dict[str, list[Bar]]) -> dict[str, dict[str, Any]]:
    """By local symbol: the interval, and rows `[epoch ms, open, high, low, close, volume]`; the shortest
    interval that fits.
    """
    return {local_symbol: _of(local_symbol, series) for local_symbol, series in bars.items() if series}


def _of(local_symbol: str, series: Sequence[Bar]) -> dict[str, Any]:
    days = TradingDays()
    product = product_of(local_symbol)

    def of_day(trading_day: str, minutes: int) -> Any:
        return periods(product, trading_day, minutes)

    for interval in INTERVALS:
        if len(series) > MOST * INTERVAL_MINUTES.get(interval, len(series)):
            continue  # a candle has a bar a minute at the most: there would be too many
        found = aggregate(series, interval, days.of, of_day)
        if len(found) <= MOST:
            break
    return {"interval": interval, "rows": [list(bar[:6]) for bar in found[-MOST:]]}
