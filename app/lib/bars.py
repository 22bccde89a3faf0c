"""Bars out of ticks, and longer bars out of 1-minute bars. Pure: time comes with the ticks and with
`on_clock`.

Which minute a snapshot belongs to is the exchange's affair (auction prints, section ends, breaks, the night):
an `Hours` says it (app/lib/sessions.py), None for what makes no bar, such as a settlement snapshot. Every
other snapshot counts, traded or not; a bar's volume and turnover are differences of the cumulative figures,
which restart each trading day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple, Protocol

from app.lib.calendar import SHANGHAI, compact, parse_day
from app.lib.prices import has_multiplier

MINUTE = timedelta(minutes=1)
CLOSE_GRACE = timedelta(seconds=2)
"""How long after its minute a bar waits for its last print: a section's closing print is stamped in the
minute that follows.
"""

INTERVAL_MINUTES = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60}
INTERVALS = (*INTERVAL_MINUTES, "1d")
CUTS = ("session", "clock")
"""How bars of more than a minute are cut: by trading minutes, as terminals do, or by the clock."""
FIGURES = ("turnover", "open_interest")
"""What a row may have beside the reference's six: yuan, and lots at the bar's end."""


class Bar(NamedTuple):
    """One bar: start in epoch ms (UTC), prices in yuan, volume in lots, turnover in yuan, open interest at
    its end. A turnover of 0 beside a volume, and an open interest of 0, are not known: files of bars often
    lack them.
    """

    timestamp: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    turnover: float = 0.0
    open_interest: float = 0.0
    complete: bool = True  # False: an interruption fell into it


BarRow = tuple[int, float, float, float, float, int]
"""Timestamp, open, high, low, close, volume."""


class Hours(Protocol):
    """The trading hours as bars need them; aware datetimes."""

    def bar_start(self, product: str, trading_day: str, moment: datetime) -> datetime | None:
        """Start of the minute that a print of this moment belongs to; None when it belongs to none."""

    def day_open(self, product: str, trading_day: str) -> datetime | None:
        """Start of the trading day's first minute; None when the product never pauses."""

    def periods(self, product: str, trading_day: str, minutes: int) -> Mapping[int, int]:
        """Where the longer bar of each minute of the sections begins, both in epoch ms; what is not in it
        stands on the clock.
        """


class Tick(Protocol):
    """What of a tick makes bars; ctpbee's TickData has it. Volume and turnover are the trading day's so far,
    as the exchange sends them.
    """

    local_symbol: str
    datetime: datetime
    trading_day: str
    last_price: float
    volume: float
    turnover: float
    open_interest: float


class ClosedBar(NamedTuple):
    """A bar that will not change any more."""

    local_symbol: str
    trading_day: str
    bar: Bar


@dataclass(slots=True)
class _Forming:
    """The bar that is not closed yet: on the way of every tick, so no Bar each time."""

    timestamp: int
    open: float
    high: float
    low: float
    close: float
    complete: bool
    volume: int = 0
    turnover: float = 0.0
    open_interest: float = 0.0

    @property
    def bar(self) -> Bar:
        return Bar(
            self.timestamp,
            self.open,
            self.high,
            self.low,
            self.close,
            self.volume,
            self.turnover,
            self.open_interest,
            self.complete,
        )


@dataclass(slots=True)
class _Series:
    """One contract between two ticks, within one trading day."""

    product: str
    trading_day: str
    unit: float  # yuan, of the ticks' turnover
    volume: float  # cumulative, up to the newest print that is in a bar
    turnover: float
    missed: bool  # something may have been missed since that print
    forming: _Forming | None = None
    behind: timedelta = (
        timedelta()
    )  # how far its newest print was behind the counter's clock, be it the clock that is wrong
    start: datetime | None = (
        None  # of it, or of the last one that closed: nothing before it, nor it once closed, changes again
    )

    def has_minute_of(self, tick: Tick) -> bool:
        """Whether the tick is of the forming bar's own minute: sections begin and end with one, so that
        nobody has to be asked.
        """
        return (
            self.forming is not None
            and self.start is not None
            and tick.trading_day == self.trading_day
            and self.start <= tick.datetime < self.start + MINUTE
        )

    def take(self, tick: Tick) -> None:
        """Into the forming bar."""
        forming, last, volume, turnover = self.forming, tick.last_price, tick.volume, tick.turnover
        assert forming is not None
        if last > forming.high:
            forming.high = last
        elif last < forming.low:
            forming.low = last
        forming.close = last
        forming.volume += int(volume - self.volume)
        forming.turnover += (turnover - self.turnover) * self.unit
        forming.open_interest = tick.open_interest
        self.volume, self.turnover = volume, turnover


class BarBuilder:
    """1-minute bars of many contracts, from one thread."""

    def __init__(
        self,
        hours: Hours,
        product_of: Callable[[str], str],
        size_of: Callable[[str], float] = lambda _local_symbol: 1.0,
    ) -> None:
        """`size_of(local_symbol)` is a contract's multiplier: a bar's turnover is yuan, whether or not the
        counter has it in its own.

        What CTP computes for CZCE counts the day's average in whole yuan times the volume: there a day's
        turnover is right, a minute's only about right.
        """
        self._hours = hours
        self._product_of = product_of
        self._size_of = size_of
        self._series: dict[str, _Series] = {}

    def on_tick(self, tick: Tick, now: datetime | None = None) -> list[ClosedBar]:
        """Take a snapshot; returns the bars that it closes. A late or repeated one changes nothing that is
        closed.

        `now` is the counter's clock. By it the first snapshot of a contract, which a front answers a
        subscription with, is known to be of a minute that is over: whoever was there then has made that bar,
        and it is only where counting begins.
        """
        series = self._series.get(tick.local_symbol)
        if series is not None and tick.trading_day < series.trading_day:
            return []
        product = series.product if series else self._product_of(tick.local_symbol)
        start = self._start_of(series, product, tick)
        closed: list[ClosedBar] = []
        if series is None or tick.trading_day != series.trading_day:
            if start is None or tick.volume <= 0:
                return []  # a login snapshot or a quote before anything has traded
            if series is not None:
                closed = self._close(tick.local_symbol, series)
            series = self._series[tick.local_symbol] = self._begin_day(
                product, tick, start, watched=series is not None and not series.missed
            )
            if now is not None and now >= start + MINUTE + CLOSE_GRACE:
                series.volume, series.turnover, series.missed, series.start = (
                    tick.volume,
                    tick.turnover,
                    True,
                    start,
                )
                return closed
        if now is not None:
            series.behind = now - tick.datetime
        if start is None or tick.last_price <= 0 or tick.volume < series.volume:
            return closed
        if series.start is not None and (
            start < series.start or (start == series.start and series.forming is None)
        ):
            return closed  # its minute is over: the volume goes to the next bar, so that the day's sum holds
        if start != series.start:
            closed += self._close(tick.local_symbol, series)
            price = tick.last_price
            series.start = start
            timestamp = int(start.timestamp() * 1000)
            series.forming = _Forming(timestamp, price, price, price, price, complete=not series.missed)
            series.missed = False
        series.take(tick)
        return closed

    def _start_of(self, series: _Series | None, product: str, tick: Tick) -> datetime | None:
        if series is not None and series.has_minute_of(tick):
            return series.start
        return self._hours.bar_start(product, tick.trading_day, tick.datetime)

    def _begin_day(self, product: str, tick: Tick, start: datetime, watched: bool) -> _Series:
        """The day's volume before this print is counted into its bar only where it can be nobody else's."""
        size = self._size_of(tick.local_symbol)
        unit = 1.0 if has_multiplier(tick.turnover / tick.volume, tick.last_price, size) else size
        if watched or start == self._hours.day_open(product, tick.trading_day):
            return _Series(product, tick.trading_day, unit, volume=0.0, turnover=0.0, missed=False)
        return _Series(
            product, tick.trading_day, unit, volume=tick.volume, turnover=tick.turnover, missed=True
        )

    def on_clock(self, now: datetime) -> list[ClosedBar]:
        """Close what is over although no further tick came. `now` is the counter's clock, aware.

        What is over is judged by each contract's own prints: one clock that goes wrong, or is another than
        the exchange's, would close every bar at its first print.
        """
        return [
            closed
            for local_symbol, series in self._series.items()
            if series.forming is not None
            and series.start is not None
            and now - series.behind >= series.start + MINUTE + CLOSE_GRACE
            for closed in self._close(local_symbol, series)
        ]

    def interrupted(self, local_symbols: Iterable[str] | None = None) -> None:
        """Ticks may have been missed, of these contracts or of all: the forming bar and the next of each are
        marked as not complete.
        """
        for local_symbol in list(self._series) if local_symbols is None else local_symbols:
            series = self._series.get(local_symbol)
            if series is None:
                continue
            series.missed = True
            if series.forming is not None:
                series.forming.complete = False

    def trading_day(self, local_symbol: str) -> str:
        """Of the bar that is not closed yet."""
        return self._series[local_symbol].trading_day

    def starts(self, local_symbol: str) -> dict[str, int]:
        """By interval: the timestamp of the longer bar that the one which is not closed yet goes into."""
        series = self._series[local_symbol]
        assert series.forming is not None
        timestamp = series.forming.timestamp
        found = {"1d": day_start(series.trading_day)}
        for interval, minutes in INTERVAL_MINUTES.items():
            of_day = self._hours.periods(series.product, series.trading_day, minutes)
            found[interval] = of_day.get(timestamp, clock_start(timestamp, minutes))
        return found

    def forming(self, local_symbol: str) -> Bar | None:
        """The bar that is not closed yet."""
        series = self._series.get(local_symbol)
        return series.forming.bar if series is not None and series.forming is not None else None

    def forming_at(self, local_symbol: str) -> int:
        """Its timestamp; 0 where there is none."""
        series = self._series.get(local_symbol)
        return series.forming.timestamp if series is not None and series.forming is not None else 0

    @staticmethod
    def _close(local_symbol: str, series: _Series) -> list[ClosedBar]:
        forming, series.forming = series.forming, None
        return [] if forming is None else [ClosedBar(local_symbol, series.trading_day, forming.bar)]


Periods = Callable[[str, int], Mapping[int, int]]
"""Of a trading day and a number of minutes: where the longer bar of each minute of the sections begins
(app/lib/sessions.py).
"""


def aggregate(
    bars: Iterable[Bar], interval: str, trading_day_of: Callable[[int], str], periods: Periods | None = None
) -> list[Bar]:
    """Longer bars from 1-minute bars, oldest first. Up to 1h they are cut by `periods`, outside of these by
    the clock.

    A bar's timestamp is where its period begins, whether or not that minute traded. 1d is the trading day,
    its night first, and has that day's midnight in Shanghai as its timestamp. `trading_day_of(ms)` gives the
    trading day of a minute. Raises KeyError for other intervals.
    """
    if interval == "1m":
        return list(bars)
    if interval == "1d":
        return [
            merge(list(group), day_start(day))
            for day, group in groupby(bars, lambda bar: trading_day_of(bar.timestamp))
        ]
    minutes = INTERVAL_MINUTES[interval]
    groups: dict[int, list[Bar]] = {}
    of_day: Mapping[int, int] = {}
    for bar in bars:
        start = of_day.get(bar.timestamp)
        if start is None and periods is not None:
            of_day = periods(trading_day_of(bar.timestamp), minutes)
            start = of_day.get(bar.timestamp)
        if start is None:
            start = clock_start(bar.timestamp, minutes)
        groups.setdefault(start, []).append(bar)
    return [merge(groups[start], start) for start in sorted(groups)]


def clock_start(timestamp: int, minutes: int) -> int:
    """Shanghai is a whole number of hours from UTC: epoch and clock agree."""
    return timestamp - timestamp % (minutes * 60_000)


@lru_cache(maxsize=1024)
def day_start(trading_day: str) -> int:
    """A daily bar's timestamp: the trading day's midnight in Shanghai, of products with and without a night
    alike.
    """
    return int(datetime.combine(parse_day(trading_day), time(), SHANGHAI).timestamp() * 1000)


def day_of_start(timestamp: int) -> str:
    """The trading day of a daily bar's timestamp."""
    return compact(datetime.fromtimestamp(timestamp / 1000, SHANGHAI).date())


def merge(bars: list[Bar], timestamp: int) -> Bar:
    """One bar of several, oldest first. Its turnover is known where that of each is: part of it is none."""
    known = all(bar.turnover or not bar.volume for bar in bars)
    return Bar(
        timestamp,
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        sum(bar.volume for bar in bars),
        sum(bar.turnover for bar in bars) if known else 0.0,
        bars[-1].open_interest,
        all(bar.complete for bar in bars),
    )


def bar_row(bar: Bar) -> list[float]:
    """`[ms, open, high, low, close, volume]`."""
    return [bar.timestamp, bar.open, bar.high, bar.low, bar.close, bar.volume]


def bar_figures(bar: Bar) -> dict[str, float | None]:
    """FIGURES of a bar, None where they are not known."""
    return {
        "turnover": round(bar.turnover, 2) if bar.turnover or not bar.volume else None,
        "open_interest": bar.open_interest or None,
    }
