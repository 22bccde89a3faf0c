"""vnpy_ctastrategy's backtest of benchmarks/backtest.py's market, by vnpy's own Python:
`python vnpy_backtest.py MARKET bars|ticks COUNT BAND`. A process of its own; prints one line of JSON.

The engine's own methods over history that is put in directly, as its tests do it; CPU time of the run alone.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from vnpy.trader.constant import Exchange, Interval
from vnpy.trader.object import BarData, TickData
from vnpy_ctastrategy import CtaTemplate
from vnpy_ctastrategy.backtesting import BacktestingEngine, BacktestingMode

FAST, SLOW = 4, 14
AWAY = 2.0


class Averages(CtaTemplate):  # type: ignore[misc]
    """benchmarks/parts/backtest_strategy.py, line by line."""

    parameters = ["band"]

    def __init__(self, engine: Any, name: str, symbol: str, setting: Any) -> None:
        self.band = 0.0
        super().__init__(engine, name, symbol, setting)
        self.prices: list[float] = []
        self.side = 0
        self.sent = 0

    def on_init(self) -> None:
        """Nothing is loaded before."""

    def on_bar(self, bar: Any) -> None:
        self.step(bar.close_price)

    def on_tick(self, tick: Any) -> None:
        self.step(tick.last_price)

    def step(self, price: float) -> None:
        self.prices = prices = [*self.prices[1 - SLOW :], price]
        if len(prices) < SLOW:
            return
        lead = sum(prices[-FAST:]) / FAST - sum(prices) / SLOW
        if lead > self.band and self.side <= 0:
            self.side = 1
            self.turn(price, True)
        elif lead < -self.band and self.side >= 0:
            self.side = -1
            self.turn(price, False)

    def turn(self, price: float, up: bool) -> None:
        self.cancel_all()
        price += AWAY if up else -AWAY
        if up:
            if self.pos < 0:
                self.cover(price, -self.pos)
                self.sent += 1
            self.buy(price, 1)
        else:
            if self.pos > 0:
                self.sell(price, self.pos)
                self.sent += 1
            self.short(price, 1)
        self.sent += 1


def main() -> None:
    path, kind, count, band = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        market = json.load(file)
    symbol, exchange = market["symbol"], Exchange(market["exchange"])
    rows = market[kind][: int(count)]
    history = [(bar if kind == "bars" else tick)(symbol, exchange, row) for row in rows]
    engine = BacktestingEngine()
    engine.output = lambda _text: None
    engine.set_parameters(
        vt_symbol=f"{symbol}.{exchange.value}",
        interval=Interval.MINUTE,
        start=history[0].datetime,
        end=history[-1].datetime,
        rate=0.0001,
        slippage=0,
        size=market["size"],
        pricetick=market["price_tick"],
        capital=1_000_000,
        mode=BacktestingMode.BAR if kind == "bars" else BacktestingMode.TICK,
    )
    engine.history_data = history
    engine.add_strategy(Averages, {"band": float(band)})
    del market
    gc.collect()
    began = time.process_time()
    engine.run_backtesting()
    took = time.process_time() - began
    print(
        json.dumps(
            {
                "seconds": took,
                "events": len(rows),
                "orders": engine.strategy.sent,
                "trades": engine.trade_count,
            }
        )
    )


def bar(symbol: str, exchange: Any, row: list[Any]) -> Any:
    return BarData(
        gateway_name="BACKTESTING",
        symbol=symbol,
        exchange=exchange,
        datetime=at(row[0]),
        interval=Interval.MINUTE,
        volume=row[5],
        turnover=row[6],
        open_interest=row[7],
        open_price=row[1],
        high_price=row[2],
        low_price=row[3],
        close_price=row[4],
    )


def tick(symbol: str, exchange: Any, row: list[Any]) -> Any:
    return TickData(
        gateway_name="BACKTESTING",
        symbol=symbol,
        exchange=exchange,
        datetime=at(row[0]),
        last_price=row[2],
        volume=row[3],
        turnover=row[4],
        bid_price_1=row[5],
        bid_volume_1=row[6],
        ask_price_1=row[7],
        ask_volume_1=row[8],
    )


def at(milliseconds: int) -> datetime:
    """Naive exchange time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).replace(tzinfo=None) + timedelta(hours=8)


if __name__ == "__main__":
    main()
