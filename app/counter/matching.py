"""The exchange behind the counter: one contract's paper orders against the quoted depth and against each
other.

Pure; prices are integer ticks, orders are known by their number, which is also their time: a lower number
came earlier. Price comes first, then time; a fill is at the resting side's price. The quoted market
("outside") counts as an order like any other:

- An order that comes in takes what is quoted at its price or better, up to the quoted volume. What it took
  stays taken until the contract's next snapshot.
- An order that rests is filled at its own price when a later snapshot quotes its price or better on the other
  side, up to the volume quoted, or when trades are printed beyond its price, up to the volume printed.
- At one price an order that rested before the outside came to that price goes first, otherwise the outside
  does.
- What was entered in an auction comes in anew, in order of time, with the first snapshot after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

Side = Literal["buy", "sell"]


class Quote(msgspec.Struct, frozen=True, gc=False):
    """What a snapshot says, in ticks; None where a side is absent. `traded` is the volume since the snapshot
    before.
    """

    bid: int | None = None
    bid_volume: int = 0
    ask: int | None = None
    ask_volume: int = 0
    last: int | None = None
    traded: int = 0


class Deal(msgspec.Struct, frozen=True, gc=False):
    """One trade. A side that is None was the outside market; both given: two paper orders, or one account's
    own two.
    """

    price: int
    volume: int
    buyer: int | None
    seller: int | None


@dataclass(slots=True)
class Resting:
    """A paper order in the book."""

    number: int
    side: Side
    price: int
    remaining: int
    from_auction: bool = False


@dataclass(slots=True)
class _Level:
    """The outside's best price of one side."""

    price: int
    volume: int
    since: int  # the newest order's number when the outside came to this price

    def goes_before(self, order: Resting) -> bool:
        return self.since < order.number


class OrderBook:
    """One contract. Every call returns the deals it made, in order."""

    def __init__(self) -> None:
        self._orders: dict[int, Resting] = {}
        self._outside: dict[Side, _Level | None] = {"buy": None, "sell": None}
        self._newest = 0

    def is_in_auction(self, number: int) -> bool:
        return number in self._orders and self._orders[number].from_auction

    def remaining(self, number: int) -> int:
        return self._orders[number].remaining if number in self._orders else 0

    def rest(self, order: Resting) -> None:
        """Take an order without matching it: in an auction, or one that rested before a restart."""
        self._newest = max(self._newest, order.number)
        self._orders[order.number] = order

    def cancel(self, number: int) -> None:
        self._orders.pop(number, None)

    def insert(
        self,
        number: int,
        side: Side,
        limit: int | None,
        volume: int,
        *,
        rests: bool = True,
        complete: bool = False,
    ) -> list[Deal]:
        """An order comes in. `limit` None: at any price. What is not filled rests, or is dropped where
        `rests` is False.

        `complete`: all of it at once or nothing.
        """
        self._newest = max(self._newest, number)
        if complete and sum(size for _, size in self._available(side, limit)) < volume:
            return []
        deals = self._take(number, side, limit, volume)
        if rests and limit is not None:
            left = volume - sum(deal.volume for deal in deals)
            if left:
                self._orders[number] = Resting(number, side, limit, left)
        return deals

    def on_quote(self, quote: Quote) -> list[Deal]:
        """A new snapshot: its depth replaces what was left of the last one."""
        self._renew("buy", quote.bid, quote.bid_volume)
        self._renew("sell", quote.ask, quote.ask_volume)
        deals: list[Deal] = []
        if not self._orders:
            return deals
        for order in sorted(
            (order for order in self._orders.values() if order.from_auction), key=lambda order: order.number
        ):
            del self._orders[order.number]
            deals += self.insert(order.number, order.side, order.price, order.remaining)
        deals += self._fill_crossed("buy")
        deals += self._fill_crossed("sell")
        if quote.last is not None and quote.traded > 0:
            deals += self._fill_traded_through("buy", quote.last, quote.traded)
            deals += self._fill_traded_through("sell", quote.last, quote.traded)
        return deals

    # ── an order that comes in ──

    def _take(self, number: int, side: Side, limit: int | None, volume: int) -> list[Deal]:
        deals = []
        for source, size in list(self._available(side, limit)):
            if not volume:
                break
            size = min(size, volume)
            volume -= size
            if isinstance(source, Resting):
                self._reduce(source, size)
                deals.append(_deal(side, source.price, size, number, source.number))
            else:
                source.volume -= size
                deals.append(_deal(side, source.price, size, number, None))
        return deals

    def _available(self, side: Side, limit: int | None) -> Iterator[tuple[Resting | _Level, int]]:
        """What an order of this side can take, best first: price, then time."""
        other: Side = "sell" if side == "buy" else "buy"
        level = self._outside[other]
        if level is not None and (level.volume <= 0 or not _crosses(side, limit, level.price)):
            level = None
        for order in self._queue(other):
            if not _crosses(side, limit, order.price):
                break
            if level is not None and (
                _better(other, level.price, order.price)
                or level.price == order.price
                and level.goes_before(order)
            ):
                yield level, level.volume
                level = None
            yield order, order.remaining
        if level is not None:
            yield level, level.volume

    # ── orders that rest ──

    def _queue(self, side: Side) -> list[Resting]:
        """The resting orders of a side, best price first, then the earliest. Those of an auction do not trade
        yet.
        """
        orders = [order for order in self._orders.values() if order.side == side and not order.from_auction]
        if len(orders) > 1:
            orders.sort(key=lambda order: (-order.price if side == "buy" else order.price, order.number))
        return orders

    def _fill_crossed(self, side: Side) -> list[Deal]:
        level = self._outside["sell" if side == "buy" else "buy"]
        deals = []
        for order in self._queue(side):
            if level is None or level.volume <= 0 or not _crosses(side, order.price, level.price):
                break
            size = min(order.remaining, level.volume)
            level.volume -= size
            deals.append(_deal(side, order.price, size, order.number, None))
            self._reduce(order, size)
        return deals

    def _fill_traded_through(self, side: Side, last: int, traded: int) -> list[Deal]:
        deals = []
        for order in self._queue(side):
            if not traded or not _better(side, order.price, last):
                break
            size = min(order.remaining, traded)
            traded -= size
            deals.append(_deal(side, order.price, size, order.number, None))
            self._reduce(order, size)
        return deals

    def _reduce(self, order: Resting, size: int) -> None:
        order.remaining -= size
        if not order.remaining:
            del self._orders[order.number]

    def _renew(self, side: Side, price: int | None, volume: int) -> None:
        level = self._outside[side]
        if price is None or volume <= 0:
            self._outside[side] = None
        elif level is not None and level.price == price:
            level.volume = volume
        else:
            self._outside[side] = _Level(price, volume, self._newest)


def _crosses(side: Side, limit: int | None, price: int) -> bool:
    """Whether an order of this side and limit can trade at `price`."""
    return limit is None or (price <= limit if side == "buy" else price >= limit)


def _better(side: Side, price: int, other: int) -> bool:
    """Whether `price` comes before `other` in the queue of this side."""
    return price > other if side == "buy" else price < other


def _deal(side: Side, price: int, volume: int, number: int, counterpart: int | None) -> Deal:
    return (
        Deal(price, volume, number, counterpart)
        if side == "buy"
        else Deal(price, volume, counterpart, number)
    )
