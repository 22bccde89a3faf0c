"""Which contract of a product is its main one on each day, and what changing from one to the next is. Pure;
backtest's child.

A contract becomes the main one when its open interest at the end of a day is more than 1.1 times that of the
present one: from the next trading day on, whose night comes first. It is decided by the day before alone, the
change is never taken back, and goes to later months only. Prices are never rewritten: what the two differed
by is noted. Strategies trade the real contracts, and pay for rolling what they hold
(app/backtest/engine/rolling.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby, pairwise
from typing import NamedTuple

from app.backtest.market_data.data import NoData, TradingDays
from app.counter.contracts import contract_named, product_code_of
from app.counter.products import products
from app.lib.bars import Bar
from app.lib.calendar import parse_day
from app.lib.errors import BadInput

AHEAD = 1.1  # times the present main contract's open interest


class Daily(NamedTuple):
    """A contract at the end of a trading day."""

    close: float
    open_interest: float
    volume: int


class Segment(NamedTuple):
    """A contract is the main one on these trading days, both included."""

    local_symbol: str
    first: str
    last: str


class Roll(NamedTuple):
    """From the trading day on the main contract is another. Figures are those at the end of the day before,
    on which it was decided; `difference` is the new price less the old one.
    """

    trading_day: str
    decided: str
    old: str
    new: str
    old_close: float
    new_close: float
    difference: float
    old_open_interest: float
    new_open_interest: float


class Main(NamedTuple):
    """A product's main contracts over all the days of some data."""

    segments: list[Segment]
    rolls: list[Roll]

    def on(self, trading_day: str) -> str:
        """The main contract of that day, "" before the first is known."""
        found = (one.local_symbol for one in self.segments if one.first <= trading_day <= one.last)
        return next(found, "")


Dailies = Mapping[str, Mapping[str, Daily]]
"""By local symbol and trading day."""


def dailies(bars: Mapping[str, Sequence[Bar]]) -> dict[str, dict[str, Daily]]:
    """What the bars come to by day. An open interest that a day's last bars do not tell is the last one
    told.
    """
    days = TradingDays()
    found: dict[str, dict[str, Daily]] = {}
    for local_symbol, series in bars.items():
        of_days: dict[str, Daily] = {}
        for day, group in groupby(series, lambda bar: days.of(bar.timestamp)):
            of_day = list(group)
            interest = next((bar.open_interest for bar in reversed(of_day) if bar.open_interest), 0.0)
            of_days[day] = Daily(of_day[-1].close, interest, sum(bar.volume for bar in of_day))
        found[local_symbol] = of_days
    return found


def products_of(names: Sequence[str], bars: Mapping[str, Sequence[Bar]]) -> dict[str, list[str]]:
    """The contracts of each of these products in the data. Raises BadInput for an unknown product, NoData for
    one that the data has not.
    """
    found: dict[str, list[str]] = {}
    for name in names:
        if name not in products():
            raise BadInput("main", f"不认识的品种 {name}，应形如 rb、m、SR")
        found[name] = [one for one in bars if product_code_of(one.partition(".")[0]) == name]
        if not found[name]:
            raise NoData(f"行情里没有品种 {name} 的合约")
    return found


def main_of(by_day: Dailies) -> Main:
    """Of one product's contracts. Raises NoData where the data does not tell: less than two days, or no open
    interest.
    """
    days = sorted({day for of_days in by_day.values() for day in of_days})
    if len(days) < 2:
        raise NoData("主力由前一交易日的持仓量决定：至少要有两个交易日的行情")
    segments: list[Segment] = []
    rolls: list[Roll] = []
    present = ""
    for before, day in pairwise(days):
        chosen = _next(by_day, present, before)
        if chosen != present:
            if present:
                rolls.append(_roll(by_day, present, chosen, before, day))
            segments.append(Segment(chosen, day, day))
            present = chosen
        elif present:
            segments[-1] = segments[-1]._replace(last=day)
    if not segments:
        raise NoData("行情里没有持仓量，判断不了主力合约：请用带持仓量的 1 分钟 K 线")
    return Main(segments, rolls)


def _next(by_day: Dailies, present: str, before: str) -> str:
    """The main contract of the day after `before`."""
    day = parse_day(before)
    interest = {name: of_days[before].open_interest for name, of_days in by_day.items() if before in of_days}
    later = {
        name: lots
        for name, lots in interest.items()
        if lots > 0 and (not present or _expiry(name, day) > _expiry(present, day))
    }
    if not later:
        return present
    best = max(later, key=lambda name: (later[name], name))
    return best if later[best] > AHEAD * interest.get(present, 0.0) else present


def _expiry(local_symbol: str, day: date) -> date:
    contract = contract_named(local_symbol.partition(".")[0], day)
    return contract.last_day if contract is not None else date.min


def _roll(by_day: Dailies, old: str, new: str, before: str, day: str) -> Roll:
    last = by_day[old][max(known for known in by_day[old] if known <= before)]
    first = by_day[new][before]
    difference = round(first.close - last.close, 6)
    interest = last.open_interest, first.open_interest
    return Roll(day, before, old, new, last.close, first.close, difference, *interest)
