"""Live and backtest are one: a recorded day through the live stack, and as a backtest, gives the same orders,
the same fills and the same money to the cent.
"""

from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from app.backtest.data import load
from app.backtest.engine import Outcome, Plan, run
from app.backtest.fills import FillSettings
from app.backtest.strategies import Program
from app.lib.rows import row_of
from tests.integration.backtest.live_stack import LiveStack

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
WEEK = 9000


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param(BY_BARS, DAY_AND_A_NIGHT, id="bars-day"),
        pytest.param(BY_TICKS, DAY_AND_A_NIGHT, id="ticks-day"),
        pytest.param(BY_BARS, WEEK, marks=pytest.mark.full, id="bars-week"),
        pytest.param(BY_TICKS, WEEK, marks=pytest.mark.full, id="ticks-week"),
    ],
)
def test_a_recording_gives_the_same_orders_fills_and_money(
    text: str, lines: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text, "utf-8")
    recording = beginning(tmp_path, lines)
    live = LiveStack(tmp_path, recording, path, monkeypatch, CAPITAL)
    heard: dict[str, Any] = {}
    trades: list[dict[str, Any]] = []
    _listen(live, heard, trades)
    live.run()
    money = live.gateway.app.ledger.book.money()
    live.close()
    found = run(load([recording]), Plan([Program("mine", path)], CAPITAL, FillSettings(latency_ms=0)))
    told, filled = rows_of(list(heard.values()), trades)
    assert len(filled) > 20
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
