"""The exchange's side of the counter: what it refuses, and its books for all contracts. Counter process, core
thread.

It takes prices as they are on the wire and hands deals back in ticks; the matching itself is
app/counter/matching.py. docs/domain.md's split of judgement: limits, tick, phase and order types in auctions
belong to the exchange, everything about accounts to the counter.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.counter.markets.market import Market
from app.counter.matching import Deal, OrderBook, Quote, Resting, Side
from app.lib.prices import exact, in_ticks, is_absent, on_tick
from app.wire.frames import DepthField, InstrumentField, OrderField

LIMIT_PRICE = "2"  # any other: a market order
IOC, GFD = "1", "3"
ANY_VOLUME, COMPLETE = "1", "3"


class Exchange:
    """All six exchanges: their contracts of the day, the newest snapshots, and a book for each contract that
    has had an order.
    """

    def __init__(self, market: Market, day_before: Mapping[str, DepthField]) -> None:
        """`day_before` is what `begin_day` returned when this day began."""
        self._market = market
        self._books: dict[str, OrderBook] = {}
        self._snapshots: dict[str, DepthField] = {}
        self._of_the_day_before = dict(day_before)
        self.contracts: dict[str, InstrumentField] = market.instruments()

    def begin_day(self) -> dict[str, DepthField]:
        """The contracts of a new day; whatever rested is gone. Returns the last snapshots of the days before,
        to be kept over a restart.
        """
        self._books.clear()
        self.contracts = self._market.instruments()
        seen, self._snapshots = self._of_the_day_before | self._snapshots, {}
        self._of_the_day_before = {
            symbol: depth for symbol, depth in seen.items() if symbol in self.contracts
        }
        return self._of_the_day_before

    # ── quotes ──

    def newest(self, symbol: str) -> DepthField | None:
        """The newest snapshot there is, asked of the market."""
        return self._market.quote(symbol) or self._snapshots.get(symbol)

    def _current(self, symbol: str) -> DepthField | None:
        """The newest snapshot of this day: the day before's last one, shown until the next comes, is no depth
        and no price any more.
        """
        snapshot = self.newest(symbol)
        return snapshot if snapshot != self._of_the_day_before.get(symbol) else None

    def last_seen(self, symbol: str) -> DepthField | None:
        """The newest snapshot that went through here today."""
        return self._snapshots.get(symbol)

    def last_price(self, symbol: str) -> float:
        """What positions are valued at; 0 where there is no price yet."""
        snapshot = self._current(symbol)
        return snapshot.LastPrice if snapshot is not None and not is_absent(snapshot.LastPrice) else 0.0

    def limits(self, symbol: str) -> tuple[float, float]:
        """Lower and upper price limit of the day; 0 where not known."""
        contract, snapshot = self.contracts[symbol], self._current(symbol)
        lower, upper = (
            (snapshot.LowerLimitPrice, snapshot.UpperLimitPrice) if snapshot is not None else (0.0, 0.0)
        )
        return (
            contract.LowerLimitPrice if is_absent(lower) else lower,
            contract.UpperLimitPrice if is_absent(upper) else upper,
        )

    def on_snapshot(self, depth: DepthField) -> list[Deal]:
        """A new snapshot; the deals that resting orders made with it. The same one again changes nothing."""
        symbol = depth.InstrumentID
        before = self._snapshots.get(symbol)
        if depth is before or depth == before:
            return []
        self._snapshots[symbol] = depth
        book = self._books.get(symbol)
        if book is None:
            return []
        traded = max(0, depth.Volume - before.Volume) if before is not None else 0
        phase = self._market.phase(symbol)
        if (
            phase == "auction" or phase == "closed" and not traded
        ):  # a print with volume shows that the exchange was matching
            return []
        return book.on_quote(self._in_ticks(depth, traded))

    def _in_ticks(self, depth: DepthField, traded: int = 0) -> Quote:
        tick, bid, ask = self.contracts[depth.InstrumentID].PriceTick, depth.BidPrice1, depth.AskPrice1
        last = depth.LastPrice
        return Quote(
            None if is_absent(bid) else in_ticks(bid, tick),
            depth.BidVolume1,
            None if is_absent(ask) else in_ticks(ask, tick),
            depth.AskVolume1,
            None if is_absent(last) else in_ticks(last, tick),
            traded,
        )

    # ── orders ──

    def refusal(self, order: OrderField) -> str:
        """Why the exchange does not take this order, in its words; empty when it does."""
        phase = self._market.phase(order.InstrumentID)
        if phase == "closed" or phase == "auction" and ends_at_once(order):
            return "当前状态禁止此项操作"
        if order.OrderPriceType != LIMIT_PRICE:
            return ""
        lower, upper = self.limits(order.InstrumentID)
        if order.LimitPrice <= 0 or order.LimitPrice < lower:
            return "价格跌破跌停板"
        if upper and order.LimitPrice > upper:
            return "价格超出涨停板"
        if not on_tick(order.LimitPrice, self.contracts[order.InstrumentID].PriceTick):
            return "价格非最小单位倍数"
        return ""

    def insert(self, number: int, order: OrderField, in_auction: bool) -> list[Deal]:
        """An order that `refusal` let pass; the deals it made. What is left of one that ends at once does not
        rest.
        """
        symbol = order.InstrumentID
        limit = self._ticks(symbol, order.LimitPrice) if order.OrderPriceType == LIMIT_PRICE else None
        if in_auction:
            self.rest(number, order, from_auction=True)
            return []
        book = self._book(symbol)
        return book.insert(
            number,
            _side(order),
            limit,
            order.VolumeTotal,
            rests=not ends_at_once(order),
            complete=limit is not None and order.VolumeCondition == COMPLETE,
        )

    def refresh(self, symbol: str) -> list[Deal]:
        """Bring the contract's book to the newest snapshot, so that an order meets what is quoted now."""
        if symbol not in self._books:
            snapshot = self._current(symbol)
            book = self._books[symbol] = OrderBook()
            if snapshot is not None:
                self._snapshots[symbol] = snapshot
                book.on_quote(self._in_ticks(snapshot))
            return []
        snapshot = self._current(symbol)
        return self.on_snapshot(snapshot) if snapshot is not None else []

    def rest(self, number: int, order: OrderField, from_auction: bool) -> None:
        """An order that rests without being matched: in an auction, or again after a restart."""
        limit = self._ticks(order.InstrumentID, order.LimitPrice)
        self._book(order.InstrumentID).rest(
            Resting(number, _side(order), limit, order.VolumeTotal, from_auction)
        )

    def is_in_auction(self, number: int, symbol: str) -> bool:
        """Whether the order still waits for the snapshot that ends its auction."""
        return symbol in self._books and self._books[symbol].is_in_auction(number)

    def cancel(self, number: int, symbol: str) -> None:
        if symbol in self._books:
            self._books[symbol].cancel(number)

    def price(self, symbol: str, ticks: int) -> float:
        """The price as people write it: 5892.6, not 5892.600000000001."""
        return float(ticks * exact(self.contracts[symbol].PriceTick))

    def _ticks(self, symbol: str, price: float) -> int:
        return in_ticks(price, self.contracts[symbol].PriceTick)

    def _book(self, symbol: str) -> OrderBook:
        return self._books.setdefault(symbol, OrderBook())


def ends_at_once(order: OrderField) -> bool:
    """Whether what it does not fill at once is cancelled: also of a market order for the day, as CZCE has
    it.
    """
    return order.TimeCondition == IOC or order.OrderPriceType != LIMIT_PRICE


def _side(order: OrderField) -> Side:
    return "buy" if order.Direction == "0" else "sell"
