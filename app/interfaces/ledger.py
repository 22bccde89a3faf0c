"""What an account has and did today, as far as its gateway knows: contracts, orders, trades, and the book.
Gateway process, event thread.

Rows of the counter come in any order and more than once (each login replays the day): the ledger drops what
is old or known, so that whoever listens behind it hears every change once. An order's row comes before its
trades (SHFE's FAK has ended before its first trade is heard), so what it says is filled is shown at once; the
book counts trades alone. The counter's own position and money answers are compared with it, and where they
differ, the counter's count.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple, TypeAlias

import msgspec
from ctpbee.constant import ContractData, OrderData, Status, TradeData

from app.bee import fields
from app.bee.fields import Refusal
from app.lib.book import Book, Fill, Lot, Money, Position, Terms, WorkingOrder
from app.lib.lots import cents
from app.lib.prices import exact, is_absent
from app.lib.rows import WORKING
from app.wire.frames import (
    InstrumentField,
    OrderField,
    PositionDetailField,
    PositionField,
    TradeField,
    TradingAccountField,
    terms_of,
)

log = logging.getLogger(__name__)

Change: TypeAlias = OrderData | TradeData
TradeKey = tuple[str, str, str, str]
Name = tuple[
    str, str, str
]  # exchange, whose number it is ("sys": the exchange's, "local": the counter's seat's), number
BOTH = 2  # names of an order that the exchange has
Side = tuple[str, str]  # symbol, long or short
CENT = Decimal("0.01")

COUNTED_MONEY = {
    "pre_balance": ("PreBalance", "昨结存"),
    "commission": ("Commission", "手续费"),
    "close_profit": ("CloseProfit", "平仓盈亏"),
    "margin": ("CurrMargin", "保证金"),
}
"""What is compared and told: amounts that fills alone move. Profit moves with each quote, freezes with orders
that are on their way.
"""

BY_RATES = ("commission", "margin")
SHARE = Decimal("0.01")
"""A difference of these is one of terms (fills and lots having been compared): told once, and again when its
share has changed so much.
"""

FROZEN_MONEY = {"frozen_margin": "FrozenMargin", "frozen_commission": "FrozenCommission"}

REMARKED = {
    "Deposit": "入金",
    "Withdraw": "出金",
    "CashIn": "权利金",
    "Mortgage": "质押金额",
    "Credit": "资金冻结",
    "DeliveryMargin": "交割保证金",
    "Reserve": "基础保证金",
}
"""Amounts that the counter alone knows: a change is nobody's fault."""


class Difference(NamedTuple):
    """Between the book and the counter, in words for the trader."""

    text: str
    is_fault: bool = True  # False: nothing is wrong, and the trader may want to know


class _Amount(NamedTuple):
    """One amount as the counter and as the book has it."""

    name: str  # Money's
    word: str
    counted: Decimal
    booked: Decimal
    tolerance: Decimal

    @property
    def difference(self) -> Decimal:
        return self.counted - self.booked

    @property
    def size(self) -> Decimal:
        """Of the difference: of what rates make, its share."""
        whole = max(abs(self.counted), abs(self.booked))
        return self.difference / whole if self.name in BY_RATES and whole else self.difference

    @property
    def told(self) -> Difference:
        """A margin is not at fault: lots having been compared, the counter's terms are others, those of a
        portfolio say.
        """
        return Difference(
            f"{self.word}：账本 {self.booked:.2f}，柜台 {self.counted:.2f}，以柜台为准",
            is_fault=self.name != "margin",
        )


class _Opening(msgspec.Struct, frozen=True, gc=False):
    """What is known of a lot from the trade that opened it."""

    symbol: str
    price: float
    volume: int


class _Beside(NamedTuple):
    """What of the account's money the counter alone knows, under Money's names; of one answer, which is of
    one moment in itself.
    """

    deposit: Decimal
    withdraw: Decimal
    other_funds: Decimal
    withheld: Decimal
    withdraw_quota: Decimal


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Who sent an order of this gateway's."""

    client_order_id: str = ""  # "" for none
    strategy: str = ""  # "" for a page


NOBODY = Origin()


class _Order(msgspec.Struct):
    """What is known of one order."""

    row: OrderField  # the newest that counts
    rank: tuple[int, int]  # (stage, VolumeTraded) of that row
    counted: int = 0  # lots, from trades
    refusal: Refusal | None = None
    frozen: tuple[object, ...] = ()  # what the book has it frozen by: lots, price, offset
    gist: tuple[object, ...] = ()  # of the entity that was told last

    @property
    def traded(self) -> int:
        """Lots to show: the order's row comes before its trades, and of what is not in the book there is the
        row alone.
        """
        return max(self.counted, self.row.VolumeTraded)

    @property
    def remaining(self) -> int:
        """Lots that may still be filled: what is frozen for, unless the order was refused or is out of
        sight.
        """
        expected = self.row.VolumeTraded if self.row.OrderStatus == "5" else self.row.VolumeTotalOriginal
        return max(0, expected - self.counted)


class Ledger:
    """See the module's docstring. `orders`, `trades` and `contracts` are for reading; they are of
    `trading_day` alone.
    """

    def __init__(self, gateway_name: str = "sim") -> None:
        self.gateway_name = gateway_name
        self.trading_day = ""
        self.untraded: list[Position] = []  # what is held and not traded here (options), for showing
        self.rates_come_apart = (
            False  # the list of contracts has not this account's own rates: see `set_rates`
        )
        self.orders: dict[str, OrderData] = {}
        self.trades: list[TradeData] = []
        self.contracts: dict[str, ContractData] = {}
        self.book = Book(self.terms, "", 0)
        self._instruments: dict[str, InstrumentField] = {}
        self._terms: dict[str, Terms] = {}
        self._rated: set[str] = set()  # contracts whose rates came apart from the list
        self._states: dict[str, _Order] = {}
        self._own: dict[str, Origin] = {}  # by order_id, of what this gateway has sent
        self._sent: dict[str, OrderField] = {}  # by order_id, as this gateway sent it
        self._names: dict[
            Name, str
        ] = {}  # the order_id of what the exchange, and the counter's seat there, call so today
        self._early: defaultdict[Name, list[TradeField]] = defaultdict(
            list
        )  # trades before their order's names
        self._fills: dict[TradeKey, Fill] = {}
        self._opened: dict[
            TradeKey, _Opening
        ] = {}  # by the day's trades, those included that wait for their order
        self._dated_by_trades: dict[
            Side, bool
        ] = {}  # whether its lots of today are what the trades opened, or else what the dates say
        self._prices: dict[str, tuple[float, float]] = {}
        self._account: TradingAccountField | None = None  # the counter's last answer
        self._beside: _Beside | None = None  # of that answer
        self._corrections: dict[
            str, Decimal
        ] = {}  # the counter's amounts less the book's, when they were compared last
        self._told: dict[str, Decimal] = {}  # the difference that was told last, of BY_RATES its share
        self._frozen_seen: dict[
            str, Decimal
        ] = {}  # the difference in what is frozen, when it was looked at last

    # ── contracts ──

    def set_contracts(self, rows: Iterable[InstrumentField]) -> list[ContractData]:
        """The counter's whole list; returns those that are new or have changed. Options and combinations are
        left out.
        """
        listed = {
            row.InstrumentID: row for row in rows if fields.is_served(row.ProductClass, row.CombinationType)
        }
        new = {symbol: row for symbol, row in listed.items() if row != self._instruments.get(symbol)}
        changed = [fields.contract_of(row, self.gateway_name) for row in new.values()]
        for symbol in self._instruments.keys() - listed.keys():
            self.contracts.pop(f"{symbol}.{self._instruments[symbol].ExchangeID}", None)
        self.contracts.update({contract.local_symbol: contract for contract in changed})
        self._rated &= listed.keys() - new.keys()
        self._instruments = listed
        self._terms.clear()
        return changed

    def instruments(self) -> list[InstrumentField]:
        """CTP's rows of all contracts."""
        return list(self._instruments.values())

    def has_rates(self, symbol: str) -> bool:
        """Whether `set_rates` has been called for it since its day's list came."""
        return symbol in self._rated

    def set_rates(self, symbol: str, rates: dict[str, float]) -> ContractData:
        """Rates that the counter tells apart from its list (InstrumentField's names); returns the contract as
        it is with them.
        """
        row = self._instruments[symbol] = msgspec.structs.replace(self._instruments[symbol], **rates)
        self._rated.add(symbol)
        self._terms.pop(symbol, None)
        self._renew_terms(symbol)
        contract = self.contracts[f"{symbol}.{row.ExchangeID}"] = fields.contract_of(row, self.gateway_name)
        return contract

    def instrument(self, symbol: str) -> InstrumentField | None:
        """CTP's row of the contract, by its symbol without exchange."""
        return self._instruments.get(symbol)

    def terms(self, symbol: str) -> Terms:
        """What the book has to know of the contract. Raises KeyError for one that is not listed."""
        terms = self._terms.get(symbol)
        if terms is None:
            terms = self._terms[symbol] = terms_of(self._instruments[symbol])
        return terms

    def _renew_terms(self, symbol: str) -> None:
        """The book counts anew. What the counter has said of fees and margin stays shown until it says
        more.
        """
        before = self.book.money()
        self.book.renew_terms(symbol)
        after = self.book.money()
        if self._corrections:
            for name in BY_RATES:
                self._corrections[name] += getattr(before, name) - getattr(after, name)
        for name in FROZEN_MONEY:
            self._corrections.pop(name, None)
        self._frozen_seen = {}

    # ── orders and trades ──

    def begin_day(self, trading_day: str) -> set[str]:
        """Forget what belongs to another day. The book stays as it was until `rebuild` has the new day's
        figures.

        Orders of ours that nobody has answered stay ours: sent while the day turned, they are the new day's
        at the counter. Returns their ids.
        """
        self.trading_day = trading_day
        self._own = {
            order_id: origin for order_id, origin in self._own.items() if self.is_unconfirmed(order_id)
        }
        self._sent = {order_id: row for order_id, row in self._sent.items() if order_id in self._own}
        self.orders.clear()
        self.trades.clear()
        for table in (
            self._states,
            self._names,
            self._early,
            self._fills,
            self._opened,
            self._dated_by_trades,
        ):
            table.clear()
        self._corrections, self._told = {}, {}
        return set(self._own)

    def own(
        self, order_id: str, client_order_id: str = "", strategy: str = "", row: OrderField | None = None
    ) -> None:
        """This gateway has sent it, in this session or an earlier one; `row` is what it sent."""
        self._own[order_id] = Origin(client_order_id, strategy)
        if row is not None:
            self._sent[order_id] = row

    def is_own(self, order_id: str) -> bool:
        return order_id in self._own

    def active_orders(self) -> list[OrderData]:
        """Those that may still be filled, 提交中 and conditional ones that wait included."""
        return [order for order in self.orders.values() if order.status.value in WORKING]

    def opening(self, strategy: str, symbol: str) -> int:
        """Lots by which this strategy's orders may still add to what it holds: those to come, of orders out
        of sight too, since they may live, and those whose trade is to come.
        """
        sent = (
            self._states.get(order_id)
            for order_id, origin in self._own.items()
            if origin.strategy == strategy
        )
        return sum(
            state.remaining
            for state in sent
            if state is not None
            and state.refusal is None
            and (state.row.InstrumentID, state.row.CombOffsetFlag[:1]) == (symbol, "0")
        )

    def order_row(self, order_id: str) -> OrderField | None:
        """CTP's row of an order of the day, its OrderSysID verbatim."""
        state = self._states.get(order_id)
        return state.row if state else None

    def order_of_sys_id(self, exchange: str, sys_id: str) -> str:
        """The order that the exchange calls so today; "" when there is none."""
        return self._names.get((exchange, "sys", sys_id.strip()), "")

    def order_of_triple(self, triple: str) -> str:
        """The order that the counter's newest row shows under this FrontID_SessionID_OrderRef; "" when there
        is none.
        """
        shown = (
            (order_id, state)
            for order_id, state in self._states.items()
            if fields.order_id_of(state.row) == triple
        )
        return next(
            (
                order_id
                for order_id, state in shown
                if state.row.OrderStatus and state.rank[0] != fields.UNSENT
            ),
            "",
        )

    def known_as(self, order_id: str, exchange: str, sys_id: str, local_id: str) -> None:
        """An earlier process has heard what this order of the day is called: OrderData's order_sys_id and
        order_local_id.
        """
        self._names.update(
            {
                (exchange, kind, number): order_id
                for kind, number in (("sys", sys_id), ("local", local_id))
                if number
            }
        )

    def id_of(self, row: OrderField) -> str:
        """Which order this row is of. Where the counter's core has restarted from its flow, the triple is
        another one, perhaps one that another order had before: the numbers of the exchange and of the seat
        last (the vendor's guide, 交易序号, 1.1-1.3).
        """
        return self._id_of(row, _names(row))

    def _id_of(self, row: OrderField, names: list[Name]) -> str:
        for name in names:
            if name in self._names:
                return self._names[name]
        order_id = fields.order_id_of(row)
        state = self._states.get(order_id)
        known = state.row if state is not None else self._sent.get(order_id)
        if known is None or _may_be(known, row, names):
            return order_id
        return "-".join((order_id, row.ExchangeID, (row.OrderLocalID.strip() or row.OrderSysID.strip())))

    def alike(self, row: OrderField) -> list[str]:
        """Orders that this gateway did not send, and that look as this one of its own does: one of them may
        be it.
        """
        return [
            order_id
            for order_id, state in self._states.items()
            if order_id not in self._own and _is_alike(state.row, row)
        ]

    def lose_sight(self, order_id: str, row: OrderField, text: str) -> list[Change]:
        """The counter does not show this order (any more), and nothing says what has become of it: nothing is
        frozen for it, and the next row of the counter's counts, whatever it says. `row` is what is known
        where nothing has been heard of it.
        """
        state = self._states.setdefault(order_id, _Order(row, (fields.UNSENT, 0)))
        state.row = msgspec.structs.replace(state.row, OrderStatus="", StatusMsg=text)
        state.rank = min(state.rank, (fields.UNTOLD, 0))
        for name in ("frozen_margin", "frozen_commission"):
            self._corrections.pop(name, None)  # they are of a moment when it was frozen for
        return self._restate(order_id)

    def remark(self, order_id: str, text: str) -> list[Change]:
        """Words on an order that is 提交中, in place of the counter's: they are news although nothing has
        changed, and nothing does.
        """
        state, order = self._states.get(order_id), self.orders.get(order_id)
        if (
            state is None
            or order is None
            or order.status is not Status.SUBMITTING
            or order.status_msg == text
        ):
            return []
        state.row = msgspec.structs.replace(state.row, StatusMsg=text)
        return self._restate(order_id, is_news=True)

    def is_unconfirmed(self, order_id: str) -> bool:
        """Whether the counter has not said a word about it yet."""
        state = self._states.get(order_id)
        return state is None or (state.rank[0] == fields.UNSENT and state.refusal is None)

    def submit(self, row: OrderField) -> list[Change]:
        """An order of ours that has just left: shown as 提交中 and frozen for, unless the counter was
        faster.
        """
        order_id = fields.order_id_of(row)
        if order_id in self._states:
            return []
        self._states[order_id] = _Order(row, (fields.UNSENT, 0))
        return self._restate(order_id)

    def apply_order(self, row: OrderField) -> list[Change]:
        """What the row changes: the order, and the trades that have waited for its OrderSysID. Empty for an
        old or known row.
        """
        if row.TradingDay != self.trading_day:
            log.info("order row of trading day %s ignored, it is %s", row.TradingDay, self.trading_day)
            return []
        names = _names(row)
        order_id = self._id_of(row, names)
        state = self._states.get(order_id)
        stage = fields.STAGE_OF.get(row.OrderStatus)
        if stage is None:
            log.warning("order %s has status %r, which says nothing of it", order_id, row.OrderStatus)
            stage = fields.UNTOLD
            if state is not None and state.refusal is None:  # it is as far as it was, and the counter has it
                row, stage = (
                    msgspec.structs.replace(row, OrderStatus=state.row.OrderStatus),
                    max(state.rank[0], fields.TAKEN),
                )
        rank = (stage, row.VolumeTraded)
        changes: list[Change] = []
        if state is None:
            self._states[order_id] = _Order(row, rank)
            changes = self._restate(order_id)
        elif state.refusal is not None or (rank >= state.rank and state.rank[0] != fields.FINAL):
            # a living order is the truth even where a refusal had been taken for it
            state.row = row if len(names) == BOTH else _with_names(row, state.row)
            state.rank, state.refusal = rank, None
            changes = self._restate(order_id)
        elif set(names) - set(_names(state.row)):
            state.row = _with_names(state.row, row)  # late, but it names the order
            changes = self._restate(order_id)
        for name in names:
            self._names[name] = order_id
        if self._early:
            changes += self._release_early(names, order_id)
        return changes

    def apply_refusal(self, row: OrderField, refusal: Refusal) -> list[Change]:
        """The order never came to live. Counts for our own orders alone, once, and never against a row of the
        counter's.
        """
        order_id = fields.order_id_of(row)
        if order_id not in self._own:
            log.info("refusal %s of another session's order %s ignored", refusal.code, order_id)
            return []
        state = self._states.get(order_id)
        if state is None:
            state = self._states[order_id] = _Order(row, (fields.UNSENT, 0))
        elif state.refusal is not None or state.rank[0] != fields.UNSENT:
            log.info("refusal %s of order %s is known, or the order lives", refusal.code, order_id)
            return []
        state.refusal = refusal
        return self._restate(order_id)

    def apply_trade(self, row: TradeField) -> list[Change]:
        """The trade and its order's new state; empty when it is known, or waits for its order."""
        if row.TradingDay != self.trading_day:
            log.info("trade row of trading day %s ignored, it is %s", row.TradingDay, self.trading_day)
            return []
        key = _trade_key(row)
        self._note_opening(row, key)
        names = _names(row)
        if (
            key in self._fills
            or self._early
            and any(_trade_key(other) == key for name in names for other in self._early.get(name, ()))
        ):
            return []
        for name in names:
            order_id = self._names.get(name)
            if order_id is not None:
                return self._count(row, key, order_id)
        for name in names:
            self._early[name].append(row)  # counted under the name that is heard first
        return []

    def _release_early(self, names: list[Name], order_id: str) -> list[Change]:
        """Count what has waited for the order under one of these names."""
        early = {_trade_key(trade): trade for name in names for trade in self._early.pop(name, ())}
        return [
            change
            for key, trade in early.items()
            if key not in self._fills
            for change in self._count(trade, key, order_id)
        ]

    def _count(self, row: TradeField, key: TradeKey, order_id: str) -> list[Change]:
        trade = fields.trade_of(
            row,
            order_id=order_id,
            gateway_name=self.gateway_name,
            is_local=order_id in self._own,
            strategy=self._own.get(order_id, NOBODY).strategy,
        )
        fill = self._fills[key] = fields.fill_of(row, order_id)
        self.trades.append(trade)
        state = self._states[order_id]
        if (
            row.InstrumentID == state.row.InstrumentID
        ):  # a combination's trades are those of its legs, and say nothing of how far it is
            state.counted += row.Volume
        if row.InstrumentID in self._instruments:
            self.book.apply_fill(fill)
        else:
            log.warning("trade in %s, which is not in the contract list: not in the book", row.InstrumentID)
        return [trade, *self._restate(order_id)]

    def _restate(self, order_id: str, is_news: bool = False) -> list[Change]:
        """Bring the order's entity and what the book freezes for it up to its state; the entity, if there is
        news in it.
        """
        state = self._states[order_id]
        self._freeze(order_id, state)
        traded = state.traded
        gist = fields.gist_of(state.row, traded, state.refusal)
        if gist == state.gist and not is_news:
            return []
        state.gist = gist
        origin = self._own.get(order_id, NOBODY)
        order = fields.order_of(
            state.row,
            order_id=order_id,
            gateway_name=self.gateway_name,
            traded=traded,
            refusal=state.refusal,
            is_local=order_id in self._own,
            client_order_id=origin.client_order_id,
            strategy=origin.strategy,
        )
        self.orders[order_id] = order
        return [order]

    def _freeze(self, order_id: str, state: _Order) -> None:
        row = state.row
        if row.InstrumentID not in self._instruments:
            return
        if state.refusal is not None or row.OrderStatus not in fields.FREEZING:
            self.book.forget_order(order_id)
            state.frozen = ()
            return
        frozen = state.remaining, row.LimitPrice, row.CombOffsetFlag, row.VolumeTotalOriginal
        if frozen == state.frozen and row.LimitPrice:  # without a price, by what it costs now
            return
        state.frozen = frozen
        symbol, side = row.InstrumentID, fields.SIDE_OF[row.Direction]
        offset = fields.book_offset(row.CombOffsetFlag[:1])
        price = row.LimitPrice or self.freezing_price(symbol, side, 0.0)
        self.book.apply_order(
            WorkingOrder(order_id, symbol, side, offset, price, frozen[0], row.VolumeTotalOriginal)
        )

    def freezing_price(self, symbol: str, side: str, price: float) -> float:
        """What an order freezes by: its own price; without one, of a market order, as the counter has it: to
        buy the upper limit, to sell the newest price. 0 where none is known.
        """
        if price:
            return price
        instrument = self._instruments[symbol]
        last = self._prices.get(symbol, (0.0, 0.0))[0] or instrument.PreSettlementPrice
        return instrument.UpperLimitPrice or last if side == "buy" else last

    # ── book and money ──

    def set_price(self, symbol: str, last_price: float, pre_settlement: float = 0.0) -> None:
        """A quote for the book."""
        if symbol in self._instruments:
            self._prices[symbol] = (last_price, pre_settlement)
            self.book.set_price(symbol, last_price, pre_settlement)

    def rebuild(
        self,
        account: TradingAccountField,
        details: Iterable[PositionDetailField],
        orders: Iterable[OrderField],
        trades: Iterable[TradeField],
    ) -> list[Change]:
        """The book anew from the day's start and all that is known since; returns what of the rows is new,
        each order once, as it is.
        """
        trades = list(trades)
        for row in trades:
            self._note_opening(row, _trade_key(row))
        lots = [
            _lot(row, row.Volume + row.CloseVolume, row.LastSettlementPrice)
            for row in self._known(details)
            if row.OpenDate < self.trading_day and row.Volume + row.CloseVolume
        ]
        self._new_book(account, lots, list(self._fills.values()))
        changes = [change for row in orders for change in self.apply_order(row)]
        changes += [change for row in trades for change in self.apply_trade(row)]
        return [
            change
            for change in changes
            if isinstance(change, TradeData) or change is self.orders[change.order_id]
        ]

    def are_dates_doubtful(
        self, details: Iterable[PositionDetailField], trades: Iterable[TradeField] = ()
    ) -> bool:
        """Whether lots that the day's trades opened have the date of another day, and `hear_positions` has
        not settled it.

        A night's lot may have the natural day for its date, as a night's trade of SHFE has, and no source
        says whether it does.
        """
        for trade in trades:
            self._note_opening(trade, _trade_key(trade))
        return any(self._is_doubtful(row) and _side(row) not in self._dated_by_trades for row in details)

    def hear_positions(
        self, positions: Iterable[PositionField], details: Iterable[PositionDetailField]
    ) -> None:
        """Settle it by how much of a doubtful side the counter says is today's. Answers that do not belong
        together settle nothing.
        """
        held: defaultdict[Side, Counter[str]] = defaultdict(Counter)
        for row in details:
            by_date = row.OpenDate >= self.trading_day
            held[_side(row)].update(
                all=row.Volume,
                dated=row.Volume * by_date,
                traded=row.Volume * (by_date or self._is_doubtful(row)),
            )
        doubtful = {_side(row) for row in details if self._is_doubtful(row)}
        told: defaultdict[Side, Counter[str]] = defaultdict(Counter)
        for position in positions:
            side = position.InstrumentID, fields.SIDE_OF_POSITION[position.PosiDirection]
            told[side].update(all=position.Position, today=position.TodayPosition)
        for side in doubtful - self._dated_by_trades.keys():
            ours, theirs = held[side], told[side]
            if ours["all"] == theirs["all"] and theirs["today"] in (ours["dated"], ours["traded"]):
                self._dated_by_trades[side] = theirs["today"] == ours["traded"]
                log.info(
                    "today's lots of %s %s are told apart by %s",
                    *side,
                    "trades" if self._dated_by_trades[side] else "date",
                )

    def hear_account(self, account: TradingAccountField) -> list[str]:
        """Take what the counter alone knows of the money; returns, in words for the trader, what of it is new
        since its last answer.
        """
        before, self._account = self._account, account
        self._beside = _beside(account)
        if before is None or before.TradingDay != account.TradingDay:
            return []
        amounts = (
            (word, getattr(before, field), getattr(account, field)) for field, word in REMARKED.items()
        )
        return [f"{word}：{old:.2f} → {new:.2f}" for word, old, new in amounts if _yuan(old) != _yuan(new)]

    def reconcile(
        self, account: TradingAccountField, details: Iterable[PositionDetailField], is_complete: bool = False
    ) -> list[Difference]:
        """Compare the counter's answers with the book and take the counter's; returns the differences that
        are news.

        Both answers must be from one moment, after everything that the ledger has been given. A trade that
        waits for its order makes the book uneven: nothing is compared then, unless all orders are known
        (`is_complete`) and it waits in vain.
        """
        if any(self._early.values()) and not is_complete:
            return []
        known = self._known(details)
        differences = self._position_differences(known)
        if differences:
            live = [row for row in known if row.Volume]
            history = [
                _lot(row, row.Volume, row.LastSettlementPrice)
                for row in live
                if row.OpenDate < self.trading_day
            ]
            self._new_book(
                account, history, [_opening(row) for row in live if row.OpenDate >= self.trading_day]
            )
        compared = self._compared(account)
        news = [amount for amount in compared if self._is_news(amount)]
        self._told |= {amount.name: amount.size for amount in news}
        for amount in compared:
            if abs(amount.difference) <= amount.tolerance:
                self._told.pop(amount.name, None)
        self._corrections = self._frozen_corrections(account, is_complete) | {
            amount.name: amount.difference for amount in compared
        }
        return differences + [amount.told for amount in news]

    def differences(
        self, account: TradingAccountField, details: Iterable[PositionDetailField]
    ) -> list[Difference]:
        """What `reconcile` would find first, lots or else money; nothing is changed."""
        if any(self._early.values()):
            return []
        return self._position_differences(self._known(details)) or [
            amount.told for amount in self._compared(account) if self._is_news(amount)
        ]

    def money(self) -> Money:
        """The account's money: the counter's as it told it last, and what the book has seen change since."""
        money = self.book.money()
        if self._beside is None and not self._corrections:
            return money
        amounts = msgspec.structs.asdict(money)
        del amounts["balance"], amounts["available"]
        if self._beside is not None:
            amounts.update(self._beside._asdict())
        for name, amount in self._corrections.items():
            amounts[name] += amount
        return Money.of(**amounts)

    def last_price(self, symbol: str) -> float:
        """Of the newest quote, before the first one the last settlement; 0 where neither is known."""
        last, pre_settlement = self._prices.get(symbol, (0.0, 0.0))
        return next((price for price in (last, pre_settlement) if not is_absent(price)), 0.0)

    def holdings(self) -> list[str]:
        """Symbols of which the account has lots or resting orders: their prices matter to the book."""
        held = {position.symbol for position in self.book.positions()}
        return sorted(
            held | {order.symbol for order in self.active_orders() if order.symbol in self._instruments}
        )

    def _note_opening(self, row: TradeField, key: TradeKey) -> None:
        if row.TradingDay == self.trading_day and row.OffsetFlag == "0":
            self._opened[key] = _Opening(row.InstrumentID, row.Price, row.Volume)

    def _is_doubtful(self, row: PositionDetailField) -> bool:
        """Of another day by its date, of today by its trade. A TradeID alone says nothing, it comes again on
        other days.
        """
        opened = self._opened.get((self.trading_day, row.ExchangeID, row.TradeID.strip(), row.Direction))
        return row.OpenDate < self.trading_day and opened == _Opening(
            row.InstrumentID, row.OpenPrice, row.Volume + row.CloseVolume
        )

    def _dated(self, details: Iterable[PositionDetailField]) -> list[PositionDetailField]:
        """With the trading day as the date of today's lots. Until the counter's positions say otherwise, what
        a trade of today opened is today's, whatever its date.
        """
        return [
            msgspec.structs.replace(row, OpenDate=self.trading_day)
            if self._is_doubtful(row) and self._dated_by_trades.get(_side(row), True)
            else row
            for row in details
        ]

    def _known(self, details: Iterable[PositionDetailField]) -> list[PositionDetailField]:
        """Those that the book can keep; the rest are shown as the counter has them."""
        rows = self._dated(details)
        others = [row for row in rows if row.InstrumentID not in self._instruments and row.Volume]
        symbols = {row.InstrumentID for row in others}
        for symbol in symbols - {position.symbol for position in self.untraded}:
            log.warning("a position in %s, which is not in the contract list: shown, not in the book", symbol)
        self.untraded = [
            _shown([row for row in others if (row.InstrumentID, row.Direction) == side], self.trading_day)
            for side in sorted({(row.InstrumentID, row.Direction) for row in others})
        ]
        return [row for row in rows if row.InstrumentID in self._instruments]

    def _new_book(self, account: TradingAccountField, lots: list[Lot], fills: list[Fill]) -> None:
        self.book = Book(
            self.terms,
            self.trading_day,
            str(account.PreBalance),
            lots,
            deposit=str(account.Deposit),
            withdraw=str(account.Withdraw),
        )
        for symbol, (last_price, pre_settlement) in self._prices.items():
            if symbol in self._instruments:
                self.book.set_price(symbol, last_price, pre_settlement)
        for fill in fills:
            if fill.symbol in self._instruments:
                self.book.apply_fill(fill)
        for order_id, state in self._states.items():
            state.frozen = ()
            self._freeze(order_id, state)

    def _position_differences(self, details: list[PositionDetailField]) -> list[Difference]:
        counted = self._volumes(
            (row.InstrumentID, fields.POSITION_SIDE_OF[row.Direction], row.OpenDate, row.Volume)
            for row in details
            if row.Volume
        )
        booked = self._volumes(
            (lot.symbol, lot.direction, lot.open_date, lot.volume) for lot in self.book.open_lots()
        )
        differences = []
        for key in sorted(counted.keys() | booked.keys()):
            if counted[key] != booked[key]:
                symbol, direction, age = key
                side = {"long": "多", "short": "空"}[direction]
                differences.append(
                    Difference(
                        f"{symbol} {side} {age}：账本 {booked[key]} 手，柜台 {counted[key]} 手，以柜台为准"
                    )
                )
        return differences

    def _all_rated(self) -> bool:
        """Whether what was traded today and what is held has the account's own rates."""
        fills = {fill.symbol for fill in self._fills.values()}
        return fills | {position.symbol for position in self.book.positions()} <= self._rated

    def _volumes(self, lots: Iterable[tuple[str, str, str, int]]) -> Mapping[tuple[str, str, str], int]:
        volumes: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        for symbol, direction, open_date, volume in lots:
            volumes[symbol, direction, "昨仓" if open_date < self.trading_day else "今仓"] += volume
        return volumes

    def _compared(self, account: TradingAccountField) -> list[_Amount]:
        """The counter's amounts beside the book's. The book rounds the fee and profit of each fill and the
        margin of each lot to the cent, the counter does not: so much they may be apart.
        """
        money = self.book.money()
        fills = len(self.book.fills())
        rounded = {"commission": fills, "close_profit": fills, "margin": len(self.book.open_lots())}
        return [
            _Amount(
                name,
                word,
                _yuan(getattr(account, field)),
                getattr(money, name),
                CENT + rounded.get(name, 0) * CENT / 2,
            )
            for name, (field, word) in COUNTED_MONEY.items()
        ]

    def _is_news(self, amount: _Amount) -> bool:
        """Whether the trader has to hear of the difference. Before its rates are there, the book's amount
        says nothing.
        """
        if abs(amount.difference) <= amount.tolerance:
            return False
        if amount.name in BY_RATES and self.rates_come_apart and not self._all_rated():
            return False
        told = self._told.get(amount.name)
        limit = SHARE if amount.name in BY_RATES else amount.tolerance
        return told is None or abs(amount.size - told) > limit

    def _frozen_corrections(self, account: TradingAccountField, is_complete: bool) -> dict[str, Decimal]:
        """What the counter freezes beside what the book does: for orders that are not ours to freeze for.
        Orders are on their way at any time: it counts where two answers in a row agree, and none of ours is
        unanswered.
        """
        before = {name: amount for name, amount in self._corrections.items() if name in FROZEN_MONEY}
        if any(self.is_unconfirmed(order.order_id) for order in self.book.working_orders()):
            return before
        money = self.book.money()
        frozen = {
            name: _yuan(getattr(account, field)) - getattr(money, name)
            for name, field in FROZEN_MONEY.items()
        }
        is_steady, self._frozen_seen = is_complete or frozen == self._frozen_seen, frozen
        return frozen if is_steady else before


def _yuan(amount: float) -> Decimal:
    """To the cent: the counter's sums are not."""
    return cents(exact(amount))


def _beside(account: TradingAccountField) -> _Beside:
    counted = (
        account.PreBalance
        + account.Deposit
        - account.Withdraw
        + account.CloseProfit
        + account.PositionProfit
        - account.Commission
    )
    used = account.CurrMargin + account.FrozenMargin + account.FrozenCommission + account.Available
    return _Beside(
        deposit=_yuan(account.Deposit),
        withdraw=_yuan(account.Withdraw),
        other_funds=_yuan(account.Balance - counted),
        withheld=_yuan(account.Balance - used),
        withdraw_quota=_yuan(account.WithdrawQuota),
    )


def _side(row: PositionDetailField) -> Side:
    return row.InstrumentID, fields.POSITION_SIDE_OF[row.Direction]


def _trade_key(row: TradeField) -> TradeKey:
    return row.TradingDay, row.ExchangeID, row.TradeID.strip(), row.Direction


def _names(row: OrderField | TradeField) -> list[Name]:
    """What the order is called, within a day, whatever becomes of the counter's core: by the exchange, and at
    the counter's seat.
    """
    exchange, number, at_seat = row.ExchangeID, row.OrderSysID.strip(), fields.local_id_of(row)
    if number and at_seat:
        return [(exchange, "sys", number), (exchange, "local", at_seat)]
    return [(exchange, kind, name) for kind, name in (("sys", number), ("local", at_seat)) if name]


def _with_names(row: OrderField, other: OrderField) -> OrderField:
    """The row, with the names that it lacks from the other row of the same order."""
    if not row.OrderSysID.strip() and other.OrderSysID:
        row = msgspec.structs.replace(row, OrderSysID=other.OrderSysID)
    if not fields.local_id_of(row) and (other.TraderID or other.OrderLocalID):
        row = msgspec.structs.replace(row, TraderID=other.TraderID, OrderLocalID=other.OrderLocalID)
    return row


def _is_alike(one: OrderField, other: OrderField) -> bool:
    """Whether both ask for the same. The counter may make another close of a close, and a price of any
    price.
    """
    by_limit = one.OrderPriceType == other.OrderPriceType == "2"
    return (
        one.InstrumentID == other.InstrumentID
        and one.Direction == other.Direction
        and one.VolumeTotalOriginal == other.VolumeTotalOriginal
        and (one.CombOffsetFlag[:1] == "0") == (other.CombOffsetFlag[:1] == "0")
        and (not by_limit or one.LimitPrice == other.LimitPrice)
    )


def _may_be(known: OrderField, row: OrderField, names: list[Name]) -> bool:
    """Whether two rows of one triple are of one order: they ask for the same, and no name of theirs is
    another. `names`: the row's.
    """
    if not _is_alike(known, row):
        return False
    before = {name[:2]: name for name in _names(known)}
    return not before or all(before.get(name[:2], name) == name for name in names)


def _lot(row: PositionDetailField, volume: int, base_price: float) -> Lot:
    return Lot(
        row.InstrumentID,
        fields.POSITION_SIDE_OF[row.Direction],
        row.OpenDate,
        row.TradeID.strip(),
        volume,
        row.OpenPrice,
        base_price,
    )


def _shown(rows: list[PositionDetailField], trading_day: str) -> Position:
    """One side of a contract of which nothing is known but the counter's lots: nothing of it can be closed
    here.
    """
    volume = sum(row.Volume for row in rows)
    history = sum(row.Volume for row in rows if row.OpenDate < trading_day)
    price = round(sum(row.OpenPrice * row.Volume for row in rows) / volume, 4)
    return Position(
        symbol=rows[0].InstrumentID,
        exchange=rows[0].ExchangeID,
        direction=fields.POSITION_SIDE_OF[rows[0].Direction],
        volume=volume,
        yd_volume=history,
        today_volume=volume - history,
        frozen=0,
        available=0,
        price=price,
        open_price=price,
        position_profit=0.0,
        float_pnl=0.0,
        margin=0.0,
    )


def _opening(row: PositionDetailField) -> Fill:
    """What is left of a lot of today's, as if it had been opened so: the book knows lots of the day as fills
    alone.
    """
    side = "buy" if fields.POSITION_SIDE_OF[row.Direction] == "long" else "sell"
    return Fill(
        row.TradingDay,
        row.ExchangeID,
        row.TradeID.strip(),
        side,
        "",
        row.InstrumentID,
        "open",
        row.OpenPrice,
        row.Volume,
        "",
    )
