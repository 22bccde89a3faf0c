"""Live and backtest are one: a recorded day through the live stack, and as a backtest, gives the same orders,
the same fills and the same money to the cent.
"""

from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from app.backtest.engine.engine import Outcome, Plan, run
from app.backtest.engine.fills import FillSettings
from app.backtest.engine.strategies import Program
from app.backtest.market_data.data import load
from app.lib.rows import row_of
from tests.integration.backtest.live_stack import LiveStack
from tests.support.readme import README, block_with

RECORDINGS = Path(__file__).parents[2] / "recordings"
RU = RECORDINGS / "SHFE.ru1901_20181008-20181012.ctp.csv.gz"
CAPITAL = 1_000_000.0
BY_BARS = """
from ctpbee import CtpbeeApi
from ctpbee.constant import *

class Mine(CtpbeeApi):
    def __init__(self, name):
        super().__init__(name)
        self.instrument_set = {"ru1901.SHFE"}
        self.count = 0
    def on_tick(self, tick): pass
    def on_bar(self, bar):
        self.count += 1
        position = self.center.get_position(bar.local_symbol)
        long = position.long_volume if position is not None else 0
        short = position.short_volume if position is not None else 0
        for order in self.center.get_active_order(bar.local_symbol):
            self.action.cancel(order.order_id, order)
        up = bar.close_price >= bar.open_price
        if self.count % 5 == 0 and long + short < 6:
            price = bar.close_price + (5 if up else -5) * (self.count % 3)
            (self.action.buy_open if up else self.action.sell_open)(price, 1 + self.count % 3, bar)
        elif self.count % 11 == 0 and long:
            self.action.buy_close(bar.close_price - 10, long, bar)
        elif self.count % 13 == 0 and short:
            self.action.sell_close(bar.close_price + 10, short, bar)

ext = Mine("mine")
"""
BY_TICKS = """
from ctpbee import CtpbeeApi
from ctpbee.constant import *

class Mine(CtpbeeApi):
    def __init__(self, name):
        super().__init__(name)
        self.instrument_set = {"ru1901.SHFE"}
        self.count = 0
    def on_bar(self, bar): pass
    def on_tick(self, tick):
        self.count += 1
        position = self.center.get_position(tick.local_symbol)
        if self.count % 37 == 0:
            self.action.buy_open(tick.bid_price_1, 1, tick)
        elif self.count % 53 == 0:
            self.action.sell_open(tick.bid_price_1, 2, tick, type=OrderType.FAK)
        elif self.count % 41 == 0 and position is not None:
            if position.long_volume:
                self.action.buy_close(tick.ask_price_1, 1, tick)
            elif position.short_volume:
                self.action.sell_close(tick.ask_price_1, 1, tick)
        elif self.count % 60 == 0:
            for order in self.center.get_active_order(tick.local_symbol):
                self.action.cancel(order.order_id, order)

ext = Mine("mine")
"""

ROOT = Path(__file__).parents[3]
EXAMPLE = (ROOT / "strategies/double_average.py").read_text("utf-8")
OF_THE_EXAMPLE = EXAMPLE.replace('"rb", 3, 8', '"ru", 2, 4')  # the recording's product, shorter averages
OF_THE_README = block_with(README.read_text("utf-8"), "策略", "class TwoTicks").replace(
    'TwoTicks("两跳", "m2705.DCE")', 'TwoTicks("mine", "ru1901.SHFE")'
)
LIKE_CTPBEES_EXAMPLES = """
from collections import deque

from ctpbee import CtpbeeApi
from ctpbee.constant import *


class Breakout(CtpbeeApi):
    \"\"\"As the examples in ctpbee's repository are made: parameters on the class, both callbacks, its own
    count of what it holds, everything cancelled before something new.
    \"\"\"

    window, volume = 6, 2

    def __init__(self, name):
        super().__init__(name)
        self.instrument_set = {"ru1901.SHFE"}
        self.highs, self.lows = deque(maxlen=self.window), deque(maxlen=self.window)
        self.holding = 0
        self.last = 0.0

    def on_tick(self, tick):
        self.last = tick.last_price

    def on_bar(self, bar):
        if len(self.highs) == self.window:
            self.action.cancel_all()
            if bar.close_price > max(self.highs) and self.holding <= 0:
                if self.holding < 0:
                    self.action.sell(self.last + 10, -self.holding, bar)
                self.action.buy(self.last + 10, self.volume, bar)
            elif bar.close_price < min(self.lows) and self.holding >= 0:
                if self.holding > 0:
                    self.action.cover(self.last - 10, self.holding, bar)
                self.action.short(self.last - 10, self.volume, bar)
        self.highs.append(bar.high_price)
        self.lows.append(bar.low_price)

    def on_order(self, order): pass

    def on_trade(self, trade):
        self.holding += trade.volume if trade.direction == Direction.LONG else -trade.volume


ext = Breakout("mine")
"""


def rows_of(orders: list[dict[str, Any]], trades: list[dict[str, Any]]) -> tuple[Any, ...]:
    told = [
        tuple(
            row[name]
            for name in ("trading_day", "order_sys_id", "price", "volume", "traded", "status", "time")
        )
        for row in orders
    ]
    filled = [
        tuple(row[name] for name in ("trade_key", "price", "volume", "offset", "direction", "time"))
        for row in trades
    ]
    return told, filled


def beginning(folder: Path, lines: int) -> Path:
    """The first lines of the week, a day's turn among them."""
    path = folder / "SHFE.ru1901.ctp.csv.gz"
    with gzip.open(RU, "rt") as whole, gzip.open(path, "wt") as part:
        part.writelines(islice(whole, lines))
    return path


def of_backtest(found: Outcome) -> tuple[Any, ...]:
    return rows_of(
        [row_of(order) for order in found.account.orders.values()],
        [row_of(one.trade) for one in found.account.trades],
    )


DAY_AND_A_NIGHT = 1500  # lines of the recording
TWO_DAYS = 3500
WEEK = 9000


@pytest.mark.parametrize(
    ("text", "lines", "trades"),
    [
        pytest.param(BY_BARS, DAY_AND_A_NIGHT, 20, id="bars-day"),
        pytest.param(BY_TICKS, DAY_AND_A_NIGHT, 20, id="ticks-day"),
        pytest.param(OF_THE_README, TWO_DAYS, 10, marks=pytest.mark.full, id="readme"),
        pytest.param(OF_THE_EXAMPLE, TWO_DAYS, 20, marks=pytest.mark.full, id="example"),
        pytest.param(LIKE_CTPBEES_EXAMPLES, TWO_DAYS, 10, marks=pytest.mark.full, id="breakout"),
        pytest.param(BY_BARS, WEEK, 100, marks=pytest.mark.full, id="bars-week"),
        pytest.param(BY_TICKS, WEEK, 100, marks=pytest.mark.full, id="ticks-week"),
    ],
)
def test_a_recording_gives_the_same_orders_fills_and_money(
    text: str, lines: int, trades: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text, "utf-8")
    recording = beginning(tmp_path, lines)
    live = LiveStack(tmp_path, recording, path, monkeypatch, CAPITAL)
    heard: dict[str, Any] = {}
    fills: list[dict[str, Any]] = []
    _listen(live, heard, fills)
    live.run()
    money = live.gateway.app.ledger.book.money()
    live.close()
    found = run(load([recording]), Plan([Program("mine", path)], CAPITAL, FillSettings(latency_ms=0)))
    told, filled = rows_of(list(heard.values()), fills)
    assert len(filled) > trades
    own_told, own_filled = of_backtest(found)
    for one, other in zip(own_filled, filled, strict=False):
        assert one == other
    assert own_filled == filled
    assert own_told == told
    assert found.account.ledger.book.money() == money


def _listen(live: LiveStack, orders: dict[str, Any], trades: list[dict[str, Any]]) -> None:
    """What the gateway's journal is told."""
    journal = live.gateway._journal
    order, trade = journal.order, journal.trade

    def on_order(day: str, order_id: str, row: dict[str, Any]) -> bool:
        orders[f"{day} {order_id}"] = row
        return bool(order(day, order_id, row))

    def on_trade(day: str, key: str, row: dict[str, Any]) -> None:
        trades.append(row)
        trade(day, key, row)

    journal.order, journal.trade = on_order, on_trade  # type: ignore[method-assign]
