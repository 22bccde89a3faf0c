"""The account's ledger: lots, money and frozen volume as a function of the day's facts.

The facts are the lots and the balance of the day before, the SET of the day's fills, the working orders and
the last prices: the same fill twice, or fills in another order, make the same book. Rules: docs/domain.md,
"Close today, close yesterday, positions" and "Money".

Money is Decimal yuan. One rounding rule: the fee of each fill, its close profit, the margin of each lot, the
profit of each position and what each working order freezes are rounded half up to the cent; all sums are of
these.

Pure, without a clock or a thread: the built-in counter keeps it as the account's truth, a gateway as its view
of the account.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from app.lib.lots import ZERO, Count, Fees, Fill, Leg, Lot, Terms, cents
from app.lib.prices import exact, is_absent

__all__ = ["Book", "Closable", "Fees", "Fill", "Lot", "Money", "Position", "Terms", "WorkingOrder"]

logger = logging.getLogger(__name__)

SIDES = ("buy", "sell")
OFFSETS = ("open", "close", "closetoday", "closeyesterday", "forced")


class WorkingOrder(msgspec.Struct, frozen=True, gc=False):
    """An order as far as it freezes something. A market order has no price: the caller puts in the one to
    freeze by.
    """

    order_id: str
    symbol: str
    side: str  # buy sell
    offset: str  # open close closetoday closeyesterday forced
    price: float
    remaining: int  # 0: no longer working
    # as it was ordered; given, a fill that comes before its order's row unfreezes at once. 0: not known
    volume: int = 0

    @property
    def direction(self) -> str:
        """Of the position that it opens or closes."""
        return "long" if (self.side == "buy") == (self.offset == "open") else "short"


class Closable(NamedTuple):
    """Volume that a new close may take, per bucket. Where the product does not split, the sum is what
    counts.
    """

    today: int
    yesterday: int

    def by(self, offset: str, splits_today: bool) -> int:
        """What one close order of this offset may take. Where today's lots are apart (SHFE, INE) a plain
        close takes history, elsewhere every close takes either.
        """
        if not splits_today:
            return self.today + self.yesterday
        return self.today if offset == "closetoday" else self.yesterday


class Position(NamedTuple):
    """One side of one contract, for showing: money as floats, to the cent."""

    symbol: str
    exchange: str
    direction: str  # long short
    volume: int
    yd_volume: int  # history that is still there, not the start-of-day figure
    today_volume: int
    frozen: int  # by working closes
    available: int
    price: float  # average cost by date
    open_price: float  # average open
    position_profit: float  # by date
    float_pnl: float  # by trade
    margin: float  # of this side alone, whatever the larger side is


class Money(msgspec.Struct, frozen=True, gc=False):
    """The account in yuan, to the cent.

    balance = pre_balance + deposit − withdraw + close_profit + position_profit − commission + other_funds
    available = balance − margin − frozen_margin − frozen_commission − withheld

    The last three are a counter's: a book knows nothing of them.
    """

    pre_balance: Decimal
    deposit: Decimal
    withdraw: Decimal
    margin: Decimal
    frozen_margin: Decimal
    frozen_commission: Decimal
    commission: Decimal
    close_profit: Decimal  # by date, as the balance counts it
    position_profit: Decimal  # by date
    balance: Decimal
    available: Decimal
    other_funds: Decimal = ZERO  # in the balance beside all that: premiums of options, mortgage
    # there and not available: funds frozen by the broker, margin of deliveries, frozen premiums, a reserve
    withheld: Decimal = ZERO
    withdraw_quota: Decimal = ZERO  # what may be taken out

    @classmethod
    def of(
        cls,
        *,
        pre_balance: Decimal,
        deposit: Decimal,
        withdraw: Decimal,
        margin: Decimal,
        frozen_margin: Decimal,
        frozen_commission: Decimal,
        commission: Decimal,
        close_profit: Decimal,
        position_profit: Decimal,
        other_funds: Decimal = ZERO,
        withheld: Decimal = ZERO,
        withdraw_quota: Decimal = ZERO,
    ) -> Money:
        """With the two sums; nothing may be taken out that is not available."""
        balance = pre_balance + deposit - withdraw + close_profit + position_profit - commission + other_funds
        available = balance - margin - frozen_margin - frozen_commission - withheld
        return cls(
            pre_balance,
            deposit,
            withdraw,
            margin,
            frozen_margin,
            frozen_commission,
            commission,
            close_profit,
            position_profit,
            balance,
            available,
            other_funds,
            withheld,
            min(withdraw_quota, max(ZERO, available)),
        )


_Bucket = tuple[str, str, bool]  # the lots that a close takes: symbol, direction, today's only


class _Share(msgspec.Struct, frozen=True, gc=False):
    """What one order freezes."""

    margin: Decimal
    commission: Decimal
    bucket: _Bucket | None  # of a close
    volume: int


@dataclass(slots=True)
class _Frozen:
    """What all of them freeze together."""

    margin: Decimal = ZERO
    commission: Decimal = ZERO
    volumes: dict[_Bucket, int] = field(default_factory=dict)

    def add(self, share: _Share) -> None:
        self.margin += share.margin
        self.commission += share.commission
        if share.bucket is not None:
            self.volumes[share.bucket] = self.volumes.get(share.bucket, 0) + share.volume

    def take_away(self, share: _Share) -> None:
        self.margin -= share.margin
        self.commission -= share.commission
        if share.bucket is not None:
            self.volumes[share.bucket] -= share.volume


class _Counted(msgspec.Struct, frozen=True, gc=False):
    """What fills alone make of the day; no price changes it."""

    commission: Decimal
    close_profit: Decimal
    margin: Decimal


class Book:
    """One account on one trading day."""

    def __init__(
        self,
        terms: Callable[[str], Terms],
        trading_day: str,
        pre_balance: Decimal | float | str,
        lots: Iterable[Lot] = (),
        deposit: Decimal | float | str = 0,
        withdraw: Decimal | float | str = 0,
    ) -> None:
        """`lots` are those at the start of the day, with the last settlement as base: all of them are
        history, and what was opened on this day comes in as fills (given as a lot too, it would count twice).
        `terms` should hold for the whole day, `renew_terms` tells of others; what it raises for an unknown
        contract comes through and leaves the book as it was.
        """
        self.trading_day = trading_day
        self._terms = terms
        self._pre_balance, self._deposit, self._withdraw = (
            cents(exact(yuan)) for yuan in (pre_balance, deposit, withdraw)
        )
        self._fills: dict[tuple[str, str, str, str], Fill] = {}
        self._filled: dict[str, int] = {}  # by order id
        self._orders: dict[str, WorkingOrder] = {}
        self._working: set[str] = set()
        self._last: dict[str, float] = {}
        self._legs: dict[tuple[str, str], Leg] = {}
        self._in_order: list[Leg] = []  # by symbol, long before short; anew when there is another one
        by_leg: dict[tuple[str, str], list[Lot]] = {}
        for lot in lots:
            by_leg.setdefault((lot.symbol, lot.direction), []).append(lot)
        for (symbol, direction), history in by_leg.items():
            self._legs[symbol, direction] = Leg(terms(symbol), direction, history)
        self._money: Money | None = None
        self._counted: _Counted | None = None
        self._frozen = _Frozen()
        self._shares: dict[str, _Share] = {}  # by order id: what of it each has frozen
        self._moved: set[str] = set()  # orders whose share may be another now

    # ── what happens ──

    def apply_fill(self, fill: Fill) -> bool:
        """Count a fill. False: it was known, or is of another trading day, and nothing changed.

        A fill that closes more than is there (its open has not come yet, or was lost) is held: the position
        stays at zero, it is logged when the book is next read, and it counts once the open is there.
        """
        if (
            fill.side not in SIDES
            or fill.offset not in OFFSETS
            or fill.volume <= 0
            or not math.isfinite(fill.price)
        ):
            raise ValueError(f"not a fill: {fill}")
        if fill.trading_day != self.trading_day:
            logger.warning(
                "fill of %s is not counted in the book of %s: %s", fill.trading_day, self.trading_day, fill
            )
            return False
        key = fill.key
        if key in self._fills:
            return False
        side = symbol, direction = fill.symbol, fill.direction
        leg = self._legs.get(side)
        if leg is None:
            leg = self._legs[side] = Leg(self._terms(symbol), direction)
        leg.add(fill)
        self._fills[key] = fill
        if fill.order_id:
            self._filled[fill.order_id] = self._filled.get(fill.order_id, 0) + fill.volume
            self._moved.add(fill.order_id)
        self._money = self._counted = None
        return True

    def apply_order(self, order: WorkingOrder) -> None:
        """Freeze what the order still has working. What remains of an order only falls: an older row that
        comes late changes nothing.
        """
        if order.side not in SIDES or order.offset not in OFFSETS:
            raise ValueError(f"not an order: {order}")
        known = self._orders.get(order.order_id)
        if known is not None and (order.remaining > known.remaining or order.volume < known.volume):
            order = replace(
                order,
                remaining=min(order.remaining, known.remaining),
                volume=max(order.volume, known.volume),
            )
        if order == known:
            return
        if known is None:
            self._terms(order.symbol)  # an unknown contract shows here and not when the money is asked
        self._orders[order.order_id] = order
        if order.remaining > 0:
            self._working.add(order.order_id)
        else:
            self._working.discard(order.order_id)
        self._moved.add(order.order_id)
        self._money = None

    def forget_order(self, order_id: str) -> None:
        """The counter has no such order: nothing is frozen for it, unless it turns up after all."""
        if self._orders.pop(order_id, None) is not None:
            self._working.discard(order_id)
            self._moved.add(order_id)
            self._money = None

    def renew_terms(self, symbol: str) -> None:
        """`terms` has learned what holds for the contract: all of the day, what was counted and frozen before
        included.
        """
        for direction in ("long", "short"):
            if (symbol, direction) in self._legs:
                self._legs[symbol, direction].renew(self._terms(symbol))
        self._moved |= self._working
        self._money = self._counted = None

    def set_price(self, symbol: str, last_price: float, pre_settlement: float = 0.0) -> None:
        """The newest price, or before the first one the last settlement. Absent prices change nothing. On the
        path of every tick.
        """
        if is_absent(last_price):
            if symbol in self._last or is_absent(pre_settlement):
                return
            last_price = pre_settlement
        if self._last.get(symbol) != last_price:
            self._last[symbol] = last_price
            if (symbol, "long") in self._legs or (symbol, "short") in self._legs:
                self._money = None

    # ── what there is ──

    def working_orders(self) -> list[WorkingOrder]:
        """Those that something is frozen for, each with what it may still fill."""
        orders = (
            replace(order, remaining=self._left(order))
            for order in map(self._orders.__getitem__, self._working)
        )
        return [order for order in orders if order.remaining]

    def positions(self) -> list[Position]:
        """Every side that holds something, by symbol, long before short."""
        return [self._position(count) for count in self._counts() if count.volume]

    def position(self, symbol: str, direction: str) -> Position | None:
        leg = self._legs.get((symbol, direction))
        return self._position(leg.now) if leg is not None and leg.now.volume else None

    def closable(self, symbol: str, direction: str, apart_from: Collection[str] = ()) -> Closable:
        """What a new close may take; of the orders `apart_from`, by id, as if they were not there."""
        leg = self._legs.get((symbol, direction))
        if leg is None:
            return Closable(0, 0)
        volumes = self._freezes().volumes
        if apart_from:
            volumes = volumes.copy()
            for share in (self._shares[order_id] for order_id in self._shares.keys() & apart_from):
                if share.bucket is not None:
                    volumes[share.bucket] -= share.volume
        return self._closable(leg.now, volumes)

    @staticmethod
    def _closable(count: Count, volumes: Mapping[_Bucket, int]) -> Closable:
        symbol, direction = count.terms.symbol, count.direction
        of_today = volumes.get((symbol, direction, True), 0)
        of_history = volumes.get((symbol, direction, False), 0)
        if count.terms.splits_today:
            of_today += max(
                0, of_history - count.yd_volume
            )  # a forced close takes today's where history is not enough
            return Closable(max(0, count.today_volume - of_today), max(0, count.yd_volume - of_history))
        left = max(0, count.volume - of_history)
        yesterday = max(0, count.yd_volume - of_history)  # closes take history first
        return Closable(left - yesterday, yesterday)

    def money(self) -> Money:
        """Cheap to ask again and again: kept until a fill, an order or a price of something held changes
        it.
        """
        if self._money is None:
            self._money = self._money_at(self._last)
        return self._money

    def taken(self) -> tuple[Decimal, Decimal]:
        """The day's fees and close profit so far."""
        counted = self._count()
        return counted.commission, counted.close_profit

    def margin(self) -> Decimal:
        """Of all lots."""
        return self._count().margin

    def exact_commission(self) -> Decimal:
        """The day's fees, no fill's rounded."""
        return sum((count.exact_commission for count in self._counts()), ZERO)

    def margin_of(self, symbol: str, side: str, price: float, volume: int) -> Decimal:
        """What an open order freezes as margin. In full, also where only the larger side of the product
        counts: the cautious reading, no source says how freezes enter that rule.
        """
        return self._terms(symbol).margin("long" if side == "buy" else "short", price, volume)

    def fee_of(self, symbol: str, offset: str, price: float, volume: int) -> Decimal:
        """What an order freezes as commission. Where a product does not split, and of a forced close, which
        lots it will be charged for shows at the fill: the dearer of the two is frozen.
        """
        terms, at = self._terms(symbol), exact(price)
        if offset == "open":
            return cents(terms.fee("open", at, volume))
        if terms.splits_today and offset != "forced":
            return cents(terms.fee("closetoday" if offset == "closetoday" else "close", at, volume))
        return cents(max(terms.fee("close", at, volume), terms.fee("closetoday", at, volume)))

    def open_lots(self) -> list[Lot]:
        """By symbol, long before short, oldest first."""
        return [lot for count in self._counts() for lot in count.lots()]

    def held(self) -> set[str]:
        """The contracts of which there is something."""
        return {symbol for (symbol, _direction), leg in self._legs.items() if leg.now.volume}

    def holds(self, symbol: str) -> bool:
        """Whether there is something of it."""
        legs = self._legs.get((symbol, "long")), self._legs.get((symbol, "short"))
        return any(leg is not None and leg.now.volume for leg in legs)

    def start_lots(self) -> list[Lot]:
        """Those at the start of the day, by symbol, long before short, oldest first."""
        return [lot for _, leg in sorted(self._legs.items()) for lot in leg.start]

    def fills(self) -> list[Fill]:
        """The day's, in order of arrival."""
        return list(self._fills.values())

    def settle(self, prices: Mapping[str, float], next_day: str) -> Book:
        """The book of the next trading day; this one stays as it is.

        Both profits, at the settlement prices, and the fees go into its balance; every lot is history whose
        base is the settlement price; working orders end. A contract without a settlement price settles at its
        last price, one without either at its base.
        """
        for count in self._counts():
            if count.held:
                logger.error(
                    "%s %s: closes of %d lots never found their open",
                    count.terms.symbol,
                    count.direction,
                    count.held,
                )
        at = self._last | {symbol: price for symbol, price in prices.items() if not is_absent(price)}
        lots = [lot._replace(base_price=at.get(lot.symbol, lot.base_price)) for lot in self.open_lots()]
        settled = Book(self._terms, next_day, self._money_at(at).balance, lots)
        settled._last = {lot.symbol: lot.base_price for lot in lots}
        return settled

    # ── how ──

    def _counts(self) -> list[Count]:
        """By symbol, long before short."""
        if len(self._in_order) != len(self._legs):
            self._in_order = [leg for _, leg in sorted(self._legs.items())]
        return [leg.now for leg in self._in_order]

    def _position(self, count: Count) -> Position:
        symbol, volume, totals = count.terms.symbol, count.volume, count.totals
        available = sum(self._closable(count, self._freezes().volumes))
        last = self._last.get(symbol)
        by_date, by_trade = count.profit(None if last is None else exact(last))
        return Position(
            symbol=symbol,
            exchange=count.terms.exchange,
            direction=count.direction,
            volume=volume,
            yd_volume=count.yd_volume,
            today_volume=count.today_volume,
            frozen=volume - available,
            available=available,
            price=float(totals.at_base / volume),
            open_price=float(totals.at_open / volume),
            position_profit=float(by_date),
            float_pnl=float(by_trade),
            margin=float(totals.margin),
        )

    def _money_at(self, prices: Mapping[str, float]) -> Money:
        position_profit = ZERO
        for count in self._counts():
            if count.volume:
                price = prices.get(count.terms.symbol)
                position_profit += count.profit_by_date(None if price is None else exact(price))
        counted, frozen = self._count(), self._freezes()
        return Money.of(
            pre_balance=self._pre_balance,
            deposit=self._deposit,
            withdraw=self._withdraw,
            margin=counted.margin,
            frozen_margin=frozen.margin,
            frozen_commission=frozen.commission,
            commission=counted.commission,
            close_profit=counted.close_profit,
            position_profit=position_profit,
        )

    def _count(self) -> _Counted:
        if self._counted is None:
            commission = close_profit = margin = ZERO
            sides: dict[tuple[str, str], dict[str, Decimal]] = {}
            for count in self._counts():
                commission += count.commission
                close_profit += count.close_profit
                if not count.volume:
                    continue
                terms = count.terms
                if terms.max_side:
                    product = sides.setdefault((terms.exchange, terms.product), {"long": ZERO, "short": ZERO})
                    product[count.direction] += count.totals.margin
                else:
                    margin += count.totals.margin
            for product in sides.values():  # under that rule only the larger of a product's sides counts
                margin += max(product.values())
            self._counted = _Counted(commission, close_profit, margin)
        return self._counted

    def _freezes(self) -> _Frozen:
        """Brought up to the orders that have moved since somebody asked: what the others freeze stands."""
        while self._moved:
            order_id = next(iter(self._moved))
            share = self._share(self._orders[order_id]) if order_id in self._working else None
            before = self._shares.pop(order_id, None)
            if before is not None:
                self._frozen.take_away(before)
            if share is not None:
                self._shares[order_id] = share
                self._frozen.add(share)
            self._moved.discard(order_id)
        return self._frozen

    def _share(self, order: WorkingOrder) -> _Share | None:
        left = self._left(order)
        if not left:
            return None
        commission = self.fee_of(order.symbol, order.offset, order.price, left)
        if order.offset == "open":
            margin = self.margin_of(order.symbol, order.side, order.price, left)
            return _Share(margin, commission, None, left)
        of_today = order.offset == "closetoday" and self._terms(order.symbol).splits_today
        return _Share(ZERO, commission, (order.symbol, order.direction, of_today), left)

    def _left(self, order: WorkingOrder) -> int:
        """Lots that it may still fill."""
        if not order.volume:
            return max(0, order.remaining)
        return max(0, min(order.remaining, order.volume - self._filled.get(order.order_id, 0)))
