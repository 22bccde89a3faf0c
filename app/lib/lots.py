"""One side of one contract: its lots, first in first out, and the fees and profit that the day's fills make
of them.

Pure; the book (app/lib/book.py) holds one Leg per contract and direction and is what others use, in whatever
process.
"""

from __future__ import annotations

import logging
from bisect import bisect
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import NamedTuple

import msgspec

from app.lib.prices import exact

logger = logging.getLogger(__name__)

CENT = Decimal("0.01")
ZERO = Decimal("0.00")


def cents(amount: Decimal) -> Decimal:
    """Rounded half up to the cent, the one rule of money here."""
    return amount.quantize(CENT, ROUND_HALF_UP)


class Fees(NamedTuple):
    """Of one contract: a ratio of the turnover plus yuan per lot, each."""

    open_by_money: float
    open_by_volume: float
    close_by_money: float
    close_by_volume: float
    close_today_by_money: float
    close_today_by_volume: float


class _Terms(NamedTuple):
    symbol: str
    exchange: str
    product: str
    multiplier: int
    price_tick: float
    long_margin_ratio: float
    short_margin_ratio: float
    splits_today: bool  # PositionDateType '1': today's and history are closed apart (SHFE, INE)
    max_side: bool  # MaxMarginSideAlgorithm '1': the larger of the product's two sides counts
    fees: Fees
    long_margin_per_lot: float = 0.0  # yuan, added to the one by ratio
    short_margin_per_lot: float = 0.0


class Terms(_Terms):
    """What the book needs to know of a contract, as it holds on the trading day."""

    def fee(self, bucket: str, price: Decimal, volume: int) -> Decimal:
        """Exact fee of a volume in one bucket: open, close (of history) or closetoday."""
        by_price, by_lot = self._of_a_lot[bucket]
        return (price * by_price + by_lot) * volume

    def margin(self, direction: str, price: float, volume: int) -> Decimal:
        """Margin of one lot or one order, to the cent."""
        by_price, by_lot = self._of_a_lot[direction]
        return cents((exact(price) * by_price + by_lot) * volume)

    @cached_property
    def _of_a_lot(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Fees by bucket and margins by direction, of one lot: so much of its price, and yuan."""
        fees = self.fees
        rates = {
            "open": (fees.open_by_money, fees.open_by_volume),
            "close": (fees.close_by_money, fees.close_by_volume),
            "closetoday": (fees.close_today_by_money, fees.close_today_by_volume),
            "long": (self.long_margin_ratio, self.long_margin_per_lot),
            "short": (self.short_margin_ratio, self.short_margin_per_lot),
        }
        return {name: (exact(ratio) * self.multiplier, exact(yuan)) for name, (ratio, yuan) in rates.items()}


class Lot(NamedTuple):
    """What one fill opened and nobody has closed yet."""

    symbol: str
    direction: str  # long short
    open_date: str  # the trading day of the fill, YYYYMMDD
    trade_id: str
    volume: int
    open_price: float
    # what profit by date and margin count from: the last settlement for history, the open price for today's
    base_price: float


class Fill(msgspec.Struct, frozen=True, gc=False):
    """A trade of the account. `key` is what makes it one and the same; the order's id alone never does."""

    trading_day: str
    exchange: str
    trade_id: str
    side: str  # buy sell
    order_id: str
    symbol: str
    # open close closetoday closeyesterday; forced: by the broker or the exchange, which says not of which
    # lots
    offset: str
    price: float
    volume: int
    time: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.trading_day, self.exchange, self.trade_id.strip(), self.side

    @property
    def direction(self) -> str:
        """Of the position that it opens or closes: who sells to close was long."""
        return "long" if (self.side == "buy") == (self.offset == "open") else "short"


class Totals(msgspec.Struct, frozen=True, gc=False):
    """Sums over one side's lots."""

    volume: int
    at_base: Decimal  # Σ base price × volume
    at_open: Decimal  # Σ open price × volume
    margin: Decimal


@dataclass(slots=True)
class _Close:
    fill: Fill
    waiting: int  # volume for which no lot is there (yet)
    fee: Decimal = ZERO  # exact, of the volume that found its lots
    profit: Decimal = ZERO
    counted_fee: Decimal = ZERO  # to the cent, as the sums have it
    counted_profit: Decimal = ZERO


class Count:
    """What one side of one contract came to, with the fills that `add` was given, in their order.

    A close with no lot left to take waits for its open and has no effect until then.
    """

    def __init__(self, terms: Terms, direction: str, history: Iterable[Lot]) -> None:
        self.terms = terms
        self.direction = direction
        self.history = deque(history)
        self.today: deque[Lot] = deque()
        self.yd_volume = sum(lot.volume for lot in self.history)
        self.today_volume = 0
        self.volume = self.yd_volume  # both together
        self.commission = ZERO
        self.exact_commission = ZERO  # as a counter has it that rounds no fill
        self.close_profit = ZERO  # by date
        self.held = 0  # volume of closes that found no lot: their opens are not known here
        self._scale = terms.multiplier if direction == "long" else -terms.multiplier
        self._closes: list[_Close] = []  # waiting
        self._today_for_fee = 0  # today's opens that no close was charged for as closing today
        self._totals: Totals | None = None

    @property
    def totals(self) -> Totals:
        if self._totals is None:
            at_base = at_open = margin = ZERO
            for lot in self.lots():
                at_base += exact(lot.base_price) * lot.volume
                at_open += exact(lot.open_price) * lot.volume
                margin += self.terms.margin(self.direction, lot.base_price, lot.volume)
            self._totals = Totals(self.volume, at_base, at_open, margin)
        return self._totals

    def lots(self) -> list[Lot]:
        """Oldest first."""
        return [*self.history, *self.today]

    def profit(self, last_price: Decimal | None) -> tuple[Decimal, Decimal]:
        """Profit of what is open, by date and by trade, to the cent. No price yet: at the base, so by date it
        is nothing.
        """
        totals = self.totals
        worth = totals.at_base if last_price is None else last_price * totals.volume
        return cents((worth - totals.at_base) * self._scale), cents((worth - totals.at_open) * self._scale)

    def profit_by_date(self, last_price: Decimal | None) -> Decimal:
        """The first of the two alone: this is asked with each price."""
        if last_price is None:
            return ZERO
        totals = self.totals
        return cents((last_price * totals.volume - totals.at_base) * self._scale)

    def add(self, fill: Fill) -> None:
        if fill.offset == "open":
            self.today.append(
                Lot(
                    fill.symbol,
                    self.direction,
                    fill.trading_day,
                    fill.trade_id,
                    fill.volume,
                    fill.price,
                    fill.price,
                )
            )
            self.today_volume += fill.volume
            self.volume += fill.volume
            self._today_for_fee += fill.volume
            fee = self.terms.fee("open", exact(fill.price), fill.volume)
            self.commission += cents(fee)
            self.exact_commission += fee
        else:
            self._closes.append(_Close(fill, fill.volume))
        self._totals = None
        if self._closes:
            for close in self._closes:
                self._settle_close(close)
            self._closes = [close for close in self._closes if close.waiting]
            self.held = sum(close.waiting for close in self._closes) if self._closes else 0

    def _settle_close(self, close: _Close) -> None:
        """Take what lots there are for the close. Fee and profit are rounded per fill, however many steps it
        took.
        """
        volume = min(close.waiting, self._reach(close.fill.offset))
        if not volume:
            return
        more = self._closing_fee(close.fill, volume)  # before the lots go: it asks what is there
        close.fee += more
        close.profit += self._take(close.fill, volume)
        close.waiting -= volume
        fee, profit = cents(close.fee), cents(close.profit)
        self.commission += fee - close.counted_fee
        self.exact_commission += more
        self.close_profit += profit - close.counted_profit
        close.counted_fee, close.counted_profit = fee, profit

    def _reach(self, offset: str) -> int:
        """How many lots a close of this offset can take: one bucket where today's and history are apart,
        everything elsewhere, and whatever is there where it is forced.
        """
        if not self.terms.splits_today or offset == "forced":
            return self.volume
        return self.today_volume if offset == "closetoday" else self.yd_volume

    def _closing_fee(self, fill: Fill, volume: int) -> Decimal:
        """Split products: by the bucket. Elsewhere today's opens count first for the fee where closing today
        is cheaper, else last.
        """
        price = exact(fill.price)
        if self.terms.splits_today:
            today = volume if fill.offset == "closetoday" else 0
            if fill.offset == "forced":
                today = max(0, volume - self.yd_volume)
        elif self.terms.fee("closetoday", price, 1) < self.terms.fee("close", price, 1):
            today = min(volume, self._today_for_fee)
        else:
            today = max(0, volume - (self.volume - self._today_for_fee))
        self._today_for_fee -= today
        if not today or today == volume:
            return self.terms.fee("closetoday" if today else "close", price, volume)
        return self.terms.fee("closetoday", price, today) + self.terms.fee("close", price, volume - today)

    def _take(self, fill: Fill, volume: int) -> Decimal:
        """Remove the volume from the oldest lots in reach and return its exact profit by date."""
        only_today = self.terms.splits_today and fill.offset == "closetoday"
        price, gained = exact(fill.price), ZERO
        while volume:
            queue = self.today if only_today or not self.history else self.history
            lot = queue[0]
            part = min(volume, lot.volume)
            gained += (price - exact(lot.base_price)) * part
            if part == lot.volume:
                queue.popleft()
            else:
                queue[0] = lot._replace(volume=lot.volume - part)
            if queue is self.today:
                self.today_volume -= part
            else:
                self.yd_volume -= part
            self.volume -= part
            volume -= part
        return gained * self._scale


class Leg:
    """The long or the short side of one contract on one trading day: its lots at the start and the set of its
    fills.

    Fills count in the order of TradeID, which rises with time within an exchange and day, opens before closes
    where one id has both. After one that came in late they are counted again from the start of the day, so
    that the order of arrival changes nothing.
    """

    def __init__(self, terms: Terms, direction: str, history: Iterable[Lot] = ()) -> None:
        self.terms = terms
        self.direction = direction
        self.start = sorted(history, key=lambda lot: (lot.open_date, natural(lot.trade_id)))
        self._fills: list[Fill] = []
        self._newest: _Place | None = None  # of the last of them
        self._count = Count(terms, direction, self.start)
        self._is_stale = False  # the count has to begin anew
        self._reported = 0

    def add(self, fill: Fill) -> None:
        """One that was not added before."""
        place = _sequence(fill)
        if self._newest is not None and place < self._newest:
            self._fills.insert(bisect(self._fills, place, key=_sequence), fill)
            self._is_stale = True
            return
        self._newest = place
        self._fills.append(fill)
        if not self._is_stale:
            self._count.add(fill)

    def renew(self, terms: Terms) -> None:
        """The contract's terms are these, and were from the start of the day."""
        self.terms = terms
        self._is_stale = True

    @property
    def now(self) -> Count:
        """With all fills so far. Closes that wait for their open are logged here, when somebody looks:
        before, they may only be early.
        """
        if self._is_stale:
            self._count = Count(self.terms, self.direction, self.start)
            for fill in self._fills:
                self._count.add(fill)
            self._is_stale = False
        if self._count.held > self._reported:
            self._reported = self._count.held
            logger.warning(
                "%s %s: %d lots more are closed than are there; they wait for their open",
                self.terms.symbol,
                self.direction,
                self._reported,
            )
        return self._count


_Place = tuple[int, str, bool, str]


def natural(trade_id: str) -> tuple[int, str]:
    """Sorts ids as numbers, blank-padded or not: 9 before 10."""
    text = trade_id.strip()
    return len(text), text


def _sequence(fill: Fill) -> _Place:
    return *natural(fill.trade_id), fill.offset != "open", fill.side
