"""The counter's core in a backtest: without a file, with orders that take their time to arrive. Backtest's
child.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import nullcontext
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from app.counter.accounts import Order, PaperAccount, Session
from app.counter.core import Core, Link, Out
from app.counter.markets.market import Market
from app.counter.memory_state import MemoryState
from app.lib.book import Book, Lot, Money
from app.wire import frames as f

WITHOUT_A_DISK = nullcontext()


class OnItsWay(msgspec.Struct, frozen=True):
    """An order that the exchange has not got yet, or a cancel of one."""

    order: Order
    is_cancel: bool
    sent: datetime

    @property
    def symbol(self) -> str:
        return self.order.row.InstrumentID


class SettledDay(NamedTuple):
    """An account at the end of a trading day."""

    trading_day: str
    before: Money
    after: Money  # at the settlement prices
    lots: list[Lot]


class BacktestCore(Core):
    """`cancels_travel`: a cancel takes as long as an order; else it is there at once, as between two bars it
    is.
    """

    def __init__(self, market: Market, capital: float, cancels_travel: bool) -> None:
        self._cancels_travel = cancels_travel
        self._on_way: list[OnItsWay] = []
        self.settled: list[SettledDay] = []
        self._only: PaperAccount  # once it has logged in
        super().__init__(MemoryState(), market, capital)

    def _transaction(self) -> Any:
        """Nothing is on disk, and nothing is taken back: a run whose core fails is given up."""
        self._out = []
        return WITHOUT_A_DISK

    def _watch(self) -> None:
        """The engine knows what is wanted of the market."""

    def _note_watched(self, account: PaperAccount, symbol: str) -> None:
        """See `_watch`."""

    def _save(self, order: Order) -> None:
        """It is in memory, and nowhere else."""
        self._index(order)

    def _save_trade(self, account: PaperAccount, trade: f.TradeField, number: int) -> None:
        """See `_save`."""

    def take_arriving(self, has_arrived: Callable[[OnItsWay], bool]) -> list[OnItsWay]:
        """Those on their way of which this is true, in the order in which they were sent; to be handed to
        `arrive`.
        """
        if not self._on_way:
            return []
        arriving: list[OnItsWay] = []
        staying: list[OnItsWay] = []
        for one in self._on_way:
            (arriving if has_arrived(one) else staying).append(one)
        self._on_way = staying
        return arriving

    def take_first(self) -> list[OnItsWay]:
        """The one that was sent first."""
        first, self._on_way = self._on_way[:1], self._on_way[1:]
        return first

    @property
    def first_sent(self) -> datetime | None:
        """When what has been on its way longest was sent."""
        return self._on_way[0].sent if self._on_way else None

    def arrive(self, arriving: Iterable[OnItsWay]) -> Out:
        """They are at the exchange now. What has ended meanwhile, and a cancel that comes too late, come to
        nothing.
        """
        with self._transaction():
            for one in arriving:
                order = one.order
                if not order.working:
                    continue
                if one.is_cancel:
                    self._finish_cancelled(order)
                else:
                    super()._send_to_exchange(order)
        self._watch()
        return self._taken()

    def is_idle(self) -> bool:
        """Whether no order works anywhere and none is on its way: asked for each bar."""
        return not (self._on_way or self._only.working)

    def is_working(self, symbol: str, apart_from: Collection[OnItsWay] = ()) -> bool:
        """Whether an order works in this contract, of others than those that arrive only now."""
        coming = 0
        for one in apart_from:
            if not one.is_cancel and one.order.working:
                coming += 1
        for account in self._accounts.values():  # noqa: SIM110 - no generator for each bar with orders
            if len(account.working.get(symbol, ())) > coming:
                return True
        return False

    def may_fill(self, symbol: str, low: float, high: float) -> bool:
        """Whether an order rests in this contract that a market between these prices trades through."""
        for account in self._accounts.values():
            for order in account.working.get(symbol, {}).values():
                limit = order.row.LimitPrice
                if low < limit if order.row.Direction == "0" else high > limit:
                    return True
        return False

    def _send_to_exchange(self, order: Order) -> None:
        """A closed exchange says so at once: an order that leaves after a section's last bar does not wait
        for the next section.
        """
        if self._market.phase(order.row.InstrumentID) == "closed":
            super()._send_to_exchange(order)
        else:
            self._on_way.append(OnItsWay(order, False, self._market.now()))

    def _is_held_back(self, kind: str) -> bool:
        return kind == "cancel" and self._cancels_travel

    def _cancel(self, link: Link, session: Session | None, request: f.ReqOrderAction) -> None:
        super()._cancel(link, session, request)
        order = self._find(session, request)
        if (
            order is not None
            and order.cancelling
            and not any(one.is_cancel and one.order is order for one in self._on_way)
        ):
            self._on_way.append(OnItsWay(order, True, self._market.now()))

    def _account_of(self, request: f.ReqUserLogin) -> PaperAccount | None:
        """The one account, whose password nobody has to guess."""
        stored = self._state.add_account(
            request.BrokerID, request.UserID, "", str(Decimal(str(self._capital)))
        )
        self._only = self._accounts[stored.broker, stored.user] = self._open_account(stored, [])
        return self._only

    def _write_statement(self, account: PaperAccount, settled: Book) -> None:
        """Instead of a text: the figures themselves."""
        self.settled.append(
            SettledDay(self._trading_day, account.book.money(), settled.money(), settled.open_lots())
        )

    def _begin_day(self, trading_day: str) -> None:
        self._on_way.clear()
        super()._begin_day(trading_day)
