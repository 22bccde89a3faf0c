"""The recorded market of a backtest as the counter's core knows markets: the engine says what happens and
when, nothing here looks ahead. Backtest's child.

A trading day's limits are known at its start, from the day before: of bars, which tell none, they are the
table's, and grow when the market itself goes beyond them. Settlement prices of bars are the day's average
price, as the exchanges have it; ticks bring the next day's PreSettlementPrice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, reduce
from operator import add
from typing import Any

from msgspec.structs import replace

from app.counter.contracts import product_code_of
from app.counter.instruments import DayPrices
from app.counter.markets.listing import ListedDay
from app.counter.markets.market import DayTurn, Phase
from app.counter.products import Product, products
from app.lib import sessions
from app.lib.bars import Bar
from app.lib.calendar import wire_clock
from app.lib.prices import HIGHEST, exact, is_absent, limits, round_to_tick
from app.wire.frames import DepthField, InstrumentField

WIDEST = 0.5  # no price limit is wider
LAST_PRICES = 4096  # of which it is remembered what is quoted around them: they come again and again
Rates = Callable[[InstrumentField, str], InstrumentField]


def todays_table(row: InstrumentField, _day: str) -> InstrumentField:
    """The rates of the contract table, whatever the day."""
    return row


class HistoricMarket:
    """A Market (app/counter/markets/market.py). `clock` is set by the engine and never goes back.

    `codes`: the products that are listed; `rates(row, trading_day)` gives a contract's row with the fees and
    margins of a day.
    """

    def __init__(
        self, day: str, clock: datetime, codes: Collection[str], rates: Rates = todays_table
    ) -> None:
        self.clock = clock
        self._codes = codes
        self._rates = rates
        self._due: list[DepthField | DayTurn] = []
        self._quotes: dict[str, DepthField] = {}
        self._phases: dict[str, Phase] = {}  # of the minute `_phases_of`
        self._phases_of: tuple[int, ...] = ()
        self._phases_at: datetime | None = None  # the moment of it that was asked for last
        self._rated: tuple[dict[str, InstrumentField], dict[str, InstrumentField]] | None = None
        self._begin(day)

    def _begin(self, day: str) -> None:
        self._day = day
        self._listed = ListedDay(day, self._codes)
        self._quotes.clear()
        self._phases.clear()

    # ── what the engine says ──

    def show(self, depth: DepthField) -> None:
        """The next snapshot, which the core gets with its next `advance`."""
        self._quotes[depth.InstrumentID] = depth
        self._due.append(depth)

    def turn(self, new_day: str, settlement: Mapping[str, float]) -> None:
        """The day is settled at these prices, and another one has begun."""
        self._due.append(DayTurn(self._day, new_day, settlement))
        self._begin(new_day)

    # ── what the core asks ──

    def now(self) -> datetime:
        return self.clock

    def trading_day(self) -> str:
        return self._day

    def poll(self) -> list[DepthField | DayTurn]:
        due, self._due = self._due, []
        return due

    def watch(self, instruments: set[str]) -> None:
        """The engine knows what is wanted."""

    def quote(self, instrument: str) -> DepthField | None:
        return self._quotes.get(instrument)

    def instruments(self) -> dict[str, InstrumentField]:
        listed = self._listed.instruments()
        return {symbol: self._rates(row, self._day) for symbol, row in listed.items()}

    def phase(self, instrument: str) -> Phase:
        clock = self.clock
        if clock is not self._phases_at:
            self._phases_at = clock
            minute = clock.year, clock.month, clock.day, clock.hour, clock.minute
            if minute != self._phases_of:  # they change with a minute
                self._phases_of = minute
                self._phases.clear()
        found = self._phases.get(instrument)
        if found is None:
            found = self._phases[instrument] = self._phase(instrument)
        return found

    def _phase(self, instrument: str) -> Phase:
        if instrument not in self._listed:
            return "closed"
        return sessions.phase_on(product_code_of(instrument), self._day, self.clock)

    # ── restarts: there are none ──

    def state(self) -> dict[str, Any]:
        return {}

    def progress(self) -> int:
        return 0

    def resume(self, state: dict[str, Any], progress: int = 0) -> None:
        """A backtest begins at its beginning."""


class TickMarket(HistoricMarket):
    """Snapshots tell everything themselves."""

    def learn(self, depth: DepthField) -> None:
        """The limits and the last settlement of its contract, which are known before it trades."""
        self._listed.learn(depth)

    def take(self, depth: DepthField) -> None:
        """It is the newest one now. The core is given it by `show`, where it matters there. What holds all
        day was learnt as the day began: of a later one it is the settlement that is new.
        """
        self._quotes[depth.InstrumentID] = depth
        if depth.SettlementPrice:
            self._listed.learn(depth)

    def slipped(self, depth: DepthField, ticks: int) -> DepthField:
        """The quote as an order finds it that comes too late for this one: so many ticks further away, within
        the limits.
        """
        tick = self.instruments()[depth.InstrumentID].PriceTick
        away = exact(tick) * ticks
        bid, ask = depth.BidPrice1, depth.AskPrice1
        if not is_absent(bid):
            bid = max(float(exact(bid) - away), depth.LowerLimitPrice)
        if not is_absent(ask):
            ask = min(float(exact(ask) + away), depth.UpperLimitPrice or HIGHEST)
        return replace(depth, BidPrice1=bid, AskPrice1=ask)

    def settlement(self) -> dict[str, float]:
        """What the day settles at as far as it has told itself: the settlement price where a snapshot had
        one, else the last price.
        """
        last = {symbol: depth.LastPrice for symbol, depth in self._quotes.items() if depth.LastPrice}
        return last | self._listed.settled


@dataclass(slots=True)
class _Running:
    """A contract's figures of the day so far, out of its bars."""

    product: Product | None
    open: float
    high: float
    low: float
    close: float
    volume: int = 0
    turnover: float = 0.0
    open_interest: float = 0.0

    def settlement(self) -> float:
        """The average price of the day on the tick, where turnover tells it; else the last price."""
        if self.product is None or not self.volume or not self.turnover:
            return self.close
        lot = self.turnover / self.volume
        average = lot / self.product.multiplier if lot > 2 * self.high else lot
        on_tick = round_to_tick(average, self.product.price_tick, "down")
        return min(max(on_tick, self.low), self.high)


@dataclass(slots=True)
class _Before:
    settlement: float
    close: float
    open_interest: float


class BarMarket(HistoricMarket):
    """Bars tell prices and volume; the rest is made of the days before."""

    def __init__(
        self, day: str, clock: datetime, codes: Collection[str], rates: Rates = todays_table
    ) -> None:
        self._before: dict[str, _Before] = {}
        self._running: dict[str, _Running] = {}
        self._exchanges: dict[str, str] = {}
        self._limits: dict[str, tuple[float, float]] = {}  # lower, upper
        self._passed: dict[str, list[Bar]] = {}  # that are not in the day's figures yet
        super().__init__(day, clock, codes, rates)

    def _begin(self, day: str) -> None:
        super()._begin(day)
        self._running.clear()
        self._passed.clear()
        self._limits.clear()
        for symbol, before in self._before.items():
            if symbol in self._listed:
                self._set_limits(symbol, before.settlement)

    def take(self, symbol: str, exchange: str, bar: Bar) -> None:
        """The minute of this bar begins: until it has `passed`, what it does is the matcher's affair."""
        if symbol in self._running:
            self._count_passed(symbol)
        else:
            self._exchanges[symbol] = exchange
            # the data's first day of it: nothing else says where it came from
            before = self._before.setdefault(symbol, _Before(bar.open, bar.open, bar.open_interest))
            if symbol not in self._limits:
                self._set_limits(symbol, before.settlement)
            product = products().get(product_code_of(symbol))
            self._running[symbol] = _Running(product, bar.open, bar.open, bar.open, bar.open)
            self._passed[symbol] = []

    def passed(self, symbol: str, exchange: str, bar: Bar) -> None:
        """Its minute is over. On the way of every bar."""
        passed = self._passed.get(symbol)
        if passed is None:
            self.take(symbol, exchange, bar)
            passed = self._passed[symbol]
        passed.append(bar)

    def _count_passed(self, symbol: str) -> None:
        """Bring the contract's figures of the day up to its newest bar, since somebody asks."""
        passed = self._passed.get(symbol)
        if not passed:
            return
        self._passed[symbol] = []
        _, _, highs, lows, _, volumes, turnovers, _, _ = zip(*passed, strict=True)
        high, low = max(highs), min(lows)
        running, newest = self._running[symbol], passed[-1]
        running.high, running.low = max(running.high, high), min(running.low, low)
        running.close, running.open_interest = newest.close, newest.open_interest
        running.volume += sum(volumes)
        running.turnover = reduce(add, turnovers, running.turnover)  # not `sum`, whose rounding is its own
        self._quotes.pop(symbol, None)  # made anew when it is asked for
        lower, upper = self._limits[symbol]
        if upper and not lower <= low <= high <= upper:
            for bar in passed:
                self._admit(symbol, bar)

    def _admit(self, symbol: str, bar: Bar) -> None:
        """Let the limits be wider where the market has gone beyond them."""
        lower, upper = self._limits[symbol]
        if upper and not lower <= bar.low <= bar.high <= upper:
            self._set_limits(symbol, self._before[symbol].settlement, bar.low, bar.high)

    def quote(self, instrument: str) -> DepthField | None:
        """Between two bars: the last price of the day, without depth."""
        self._count_passed(instrument)
        known = self._quotes.get(instrument)
        if known is None and instrument in self._running:
            known = self._quotes[instrument] = self.depth(instrument, self._running[instrument].close, 0, 0)
        return known

    def limits(self, symbol: str) -> tuple[float, float]:
        """Lower and upper; 0 where not known."""
        self._count_passed(symbol)
        return self._limits.get(symbol, (0.0, 0.0))

    def depth(self, symbol: str, price: float, ticks: int, volume: int) -> DepthField:
        """A snapshot at this price, quoted `ticks` to either side, `volume` lots each. Nobody sells at the
        upper limit, nobody buys at the lower.
        """
        self._count_passed(symbol)
        running, before = self._running[symbol], self._before[symbol]
        lower, upper = self._limits[symbol]
        bid = ask = price
        if running.product is not None:
            bid, ask = _around(running.product.price_tick, price, ticks)
        action_day, update_time = wire_clock(self.clock)
        bid = max(bid, lower) if price > lower else 0.0
        ask = min(ask, upper) if upper and price < upper else 0.0 if upper else ask
        return DepthField(
            InstrumentID=symbol,
            ExchangeID=self._exchanges[symbol],
            TradingDay=self._day,
            ActionDay=action_day,
            UpdateTime=update_time,
            UpdateMillisec=0,
            LastPrice=price,
            Volume=running.volume,
            Turnover=running.turnover,
            OpenInterest=running.open_interest,
            OpenPrice=running.open,
            HighestPrice=running.high,
            LowestPrice=running.low,
            PreSettlementPrice=before.settlement,
            PreClosePrice=before.close,
            PreOpenInterest=before.open_interest,
            UpperLimitPrice=upper,
            LowerLimitPrice=lower,
            BidPrice1=bid if volume else 0.0,
            BidVolume1=volume if bid else 0,
            AskPrice1=ask if volume else 0.0,
            AskVolume1=volume if ask else 0,
        )

    def settlement(self) -> dict[str, float]:
        """The day is over: what it settles at, which is also where the next one begins."""
        found = {}
        for symbol, running in self._running.items():
            self._count_passed(symbol)
            found[symbol] = running.settlement()
            self._before[symbol] = _Before(found[symbol], running.close, running.open_interest)
        return found

    def _set_limits(self, symbol: str, settlement: float, low: float = 0.0, high: float = 0.0) -> None:
        """By the table's share of the day before's settlement; wider where the market has gone from `low` to
        `high`, a per cent at a time.
        """
        product = products().get(product_code_of(symbol))
        lower = upper = 0.0
        ratio = product.limit_ratio if product is not None else 1.0
        while product is not None and ratio <= WIDEST:
            upper, lower = limits(settlement, ratio, product.price_tick, product.exchange)
            if (not low or lower <= low) and high <= upper:
                break
            lower, upper, ratio = 0.0, 0.0, ratio + 0.01
        self._limits[symbol] = lower, upper
        self._listed.know(symbol, DayPrices(settlement, upper, lower))


@lru_cache(LAST_PRICES)
def _around(price_tick: float, price: float, ticks: int) -> tuple[float, float]:
    away = price_tick * ticks
    return round(price - away, 4), round(price + away, 4)
