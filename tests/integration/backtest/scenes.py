"""Small worlds for backtests: bars by hand, and strategies as text, run in this process."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from app.backtest.engine.engine import Outcome, Plan, run
from app.backtest.engine.strategies import Program
from app.backtest.market_data.data import Data
from app.lib.bars import Bar
from app.lib.calendar import SHANGHAI

RB = "rb2401.SHFE"
HEAD = """
from ctpbee import CtpbeeApi
from ctpbee.constant import *

class Base(CtpbeeApi):
    def __init__(self, name):
        super().__init__(name)
        self.count = 0
    def on_tick(self, tick): pass
    def on_order(self, order): pass
    def on_trade(self, trade): pass
    def on_init(self, init): pass
    def held(self, symbol, side="long"):
        position = self.center.get_position(symbol)
        return getattr(position, side + "_volume") if position is not None else 0
"""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def bar(start: datetime, *prices: float, volume: int = 100, turnover: float = 0.0) -> Bar:
    """Open, high, low, close; one price for all four."""
    first, high, low, last = prices if len(prices) == 4 else prices * 4
    return Bar(int(start.timestamp() * 1000), first, high, low, last, volume, turnover, 1000.0)


def series(start: str, *bars: tuple[float, ...] | float, volume: int = 100) -> list[Bar]:
    """A bar each minute from `start` on."""
    begin = at(start)
    return [
        bar(begin + timedelta(minutes=number), *(one if isinstance(one, tuple) else (one,)), volume=volume)
        for number, one in enumerate(bars)
    ]


def bars_of(**by_symbol: list[Bar]) -> Data:
    """`rb2401_SHFE=[…]`."""
    return Data({name.replace("_", "."): found for name, found in by_symbol.items()}, [], {})


def strategy(folder: Path, text: str, name: str = "mine") -> Program:
    """`text`: the body of a class `Mine(Base)`."""
    path = folder / f"{name}.py"
    body = "\n".join(f"    {line}" for line in text.strip("\n").splitlines())
    path.write_text(f"{HEAD}\nclass Mine(Base):\n{body}\n\next = Mine({name!r})\n", "utf-8")
    return Program(name, path)


def outcome(folder: Path, data: Data, text: str, **plan: Any) -> Outcome:
    return run(data, Plan([strategy(folder, text)], **plan))


def trades(found: Outcome) -> list[tuple[Any, ...]]:
    """Time, side, offset, lots, price."""
    return [
        (
            one.trade.datetime[5:19],
            one.trade.direction.value,
            one.trade.offset.value,
            one.trade.volume,
            one.trade.price,
        )
        for one in found.account.trades
    ]


def statuses(found: Outcome) -> list[tuple[str, str]]:
    """Each order's last status and what was said of it."""
    return [
        (order.status.value, order.status_msg or order.error_message)
        for order in found.account.orders.values()
    ]
