"""Two averages, as strategies/double_average.py has them: the strategy of benchmarks/backtest.py in ctpbee's
looper and in ours. Its twin for vnpy is in benchmarks/reference/vnpy_backtest.py. Any process.

When the fast one leads by a band, it cancels what waits, closes what is against it and opens a lot: the wider
the band, the rarer the orders, at the same cost of everything else.
"""

from __future__ import annotations

from typing import Any

from ctpbee import CtpbeeApi

FAST, SLOW = 4, 14
AWAY = 2.0  # from the price: to be filled at once


class Averages(CtpbeeApi):  # type: ignore[misc]
    """`sent` counts its orders."""

    def __init__(self, name: str, local_symbol: str, band: float) -> None:
        super().__init__(name)
        self.instrument_set = {local_symbol}
        self.band = band
        self.prices: list[float] = []
        self.side = 0
        self.sent = 0

    def on_bar(self, bar: Any) -> None:
        self.step(bar, bar.close_price)

    def on_tick(self, tick: Any) -> None:
        self.step(tick, tick.last_price)

    def step(self, event: Any, price: float) -> None:
        self.prices = prices = [*self.prices[1 - SLOW :], price]
        if len(prices) < SLOW:
            return
        lead = sum(prices[-FAST:]) / FAST - sum(prices) / SLOW
        if lead > self.band and self.side <= 0:
            self.side = 1
            self.turn(event, price, True)
        elif lead < -self.band and self.side >= 0:
            self.side = -1
            self.turn(event, price, False)

    def turn(self, event: Any, price: float, up: bool) -> None:
        for order in self.center.get_active_order(event.local_symbol):
            self.action.cancel(order.order_id, order)
        position = self.center.get_position(event.local_symbol)
        if up:
            if position is not None and position.short_volume:
                self.action.sell_close(price + AWAY, position.short_volume, event)
                self.sent += 1
            self.action.buy_open(price + AWAY, 1, event)
        else:
            if position is not None and position.long_volume:
                self.action.buy_close(price - AWAY, position.long_volume, event)
                self.sent += 1
            self.action.sell_open(price - AWAY, 1, event)
        self.sent += 1
