"""The account of a backtest: what a gateway is to its strategies, without journal, wires and pages.
Backtest's child.

Orders are checked, judged and sent, and the counter's rows taken in, as a gateway does it
(app/gateway/orders.py, app/interfaces/trader.py): its own checks, its own gate, its own ledger. What the
counter says waits until the strategy's callback has returned, as it does in an event thread.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, NamedTuple, Protocol

import msgspec
from ctpbee.constant import AccountData, ContractData, OrderData, OrderRequest, TickData, TradeData
from msgspec.structs import asdict

from app.backtest.engine.core import BacktestCore
from app.backtest.engine.gate import Owned, gate_of
from app.backtest.engine.job import NO_RISK, Risk
from app.backtest.engine.strategies import BacktestApp
from app.bee import entities, fields
from app.gateway.order_check import checked_contract, checked_order
from app.interfaces.ledger import Change, Ledger
from app.interfaces.trader import insert_of
from app.lib.bars import Bar
from app.lib.book import Position
from app.lib.errors import AppError, BadInput, NotFound, OrderRefused
from app.lib.market_orders import market_orders
from app.lib.prices import PriceLimits, is_absent
from app.wire import frames as f
from app.wire.messages import (
    AnyRequest,
    CancelOrder,
    Done,
    FindOrder,
    OrderOutcome,
    PlaceOrder,
    Subscribe,
    WatchTicks,
)

BROKER, USER, PASSWORD = "9999", "backtest", "backtest"
LINK = "td"
GATEWAY = "sim"

log = logging.getLogger("backtest")


class Traded(msgspec.Struct, frozen=True):
    """A trade, and what it did to the account: yuan, profit by date."""

    trade: TradeData
    commission: float
    close_profit: float
    slippage: float  # what it paid beyond the middle of the quote that its order met; 0 for one that rested


class NotSent(NamedTuple):
    """An order that never left: why."""

    moment: str
    strategy: str
    request: PlaceOrder
    reason: str


class BooksDiffer(Exception):
    """The counter's book and the gateway's: an error of ours, which no result may hide."""


class Sender(Protocol):
    """Who asks for something: a strategy's app, or what rolls its positions."""

    wanted: frozenset[str] | None

    @property
    def name(self) -> str: ...

    def know(self, order: OrderData) -> None: ...


class Account:
    """`now()` is the market's clock; `limits(symbol)` gives the day's lower and upper limit as they are
    known. `orders` and `trades` are the whole run's. On trading days before `trade_from` no order is sent.
    `risk`: the trader's own rules, and limits of strategies.
    """

    def __init__(
        self,
        core: BacktestCore,
        now: Callable[[], Any],
        limits: Callable[[str], tuple[float, float]],
        trade_from: str = "",
        risk: Risk = NO_RISK,
    ) -> None:
        self.core = core
        self._ledger = Ledger(GATEWAY)
        self.contracts = self._ledger.contracts
        self._moved: dict[str, tuple[float, float]] = {}  # prices that the ledger has not been told
        self._minutes: list[list[tuple[str, Bar]]] = []  # likewise, of bars
        self.apps: list[BacktestApp] = []
        self.orders: dict[tuple[str, str], OrderData] = {}
        self.trades: list[Traded] = []
        self.margin_peak = 0.0
        self.sizes: dict[str, int] = {}  # multipliers of what was traded
        self.not_sent: list[NotSent] = []
        self.cancels_refused: list[str] = []
        self.is_warming = False  # a strategy listens to bars of days before: no order is sent
        self._now, self._limits, self._trade_from = now, limits, trade_from
        self._market_orders = market_orders()
        self._heard: deque[f.Frame | OrderData] = deque()
        self._is_telling = False
        self._met = 0.0
        self._ref = 0
        self._positions: list[Position] | None = None
        self._money: AccountData | None = None
        (answer,) = self._ask(f.ReqUserLogin(front="td", BrokerID=BROKER, UserID=USER, Password=PASSWORD))
        assert isinstance(answer, f.RspUserLogin)
        self._session = answer.FrontID, answer.SessionID
        self._quotes: dict[str, TickData] = {}
        self._owned = Owned(self._ledger, has_limits=bool(risk.limits or risk.rules))
        self._gate = gate_of(self._ledger, now, self._contract, self._quotes.get, self._owned, risk)
        self._load(answer.TradingDay)

    @property
    def ledger(self) -> Ledger:
        """With the newest prices: it is told of them when somebody looks. Most bars nobody does."""
        if self._moved or self._minutes:
            self._tell_prices()
        return self._ledger

    # ── strategies ──

    def join(self, app: BacktestApp) -> None:
        """The account as it is, to an app that has no strategy yet."""
        self.apps.append(app)
        state = entities.State(
            trading_day=self.ledger.trading_day,
            config={},
            fronts={front: {"state": "ready", "reason": "", "since": ""} for front in ("td", "md")},
            contracts=entities.dicts(self.ledger.contracts.values()),
            positions=self.ledger.book.positions(),
            account=vars(self.money()),
            orders=[],
            trades=[],
            ticks=[],
        )
        app.take(msgspec.msgpack.decode(entities.encode(state), type=entities.State))

    def part(self, app: BacktestApp) -> None:
        """It hears no more, and what it has sent stays."""
        self.apps.remove(app)
        app.release()

    def call(self, app: Sender, request: AnyRequest) -> Any:
        """What a gateway answers a strategy. Raises what it raises."""
        match request:
            case PlaceOrder():
                return self._place(app, request)
            case CancelOrder():
                return self._cancel(request)
            case Subscribe():
                return self._subscribe(request)
            case WatchTicks():
                app.wanted = None if request.symbols is None else frozenset(request.symbols)
                return Done()
            case FindOrder():
                raise NotFound("没有这样的报单：没有发出", code="ORDER_NOT_FOUND")
        raise BadInput("request", f"回测不答 {type(request).__name__}")

    def _subscribe(self, request: Subscribe) -> Done:
        """All that the data has is subscribed already; whatever is listed may be asked for."""
        unknown = [symbol for symbol in request.symbols if self._contract(symbol) is None]
        if unknown:
            raise BadInput("local_symbol", f"不认识的合约 {'、'.join(unknown)}", code="UNKNOWN_SYMBOL")
        return Done()

    def _place(self, app: Sender, request: PlaceOrder) -> OrderOutcome:
        if self.is_warming:
            raise OrderRefused("换月后的预热，不报单", code="WARMING_UP")
        ledger = self.ledger
        if ledger.trading_day < self._trade_from:
            raise OrderRefused(f"预热到 {self._trade_from} 为止，不报单", code="WARMING_UP")
        try:
            order = self._checked(request)
            for met in self._gate.judge(order, app.name).cancel:  # a rule has them cancelled first
                self._cancel(CancelOrder(met))
        except AppError as error:
            self.not_sent.append(NotSent(str(self._now()), app.name, request, error.message))
            raise
        row = self._row(order)
        order_id = fields.order_id_of(row)
        ledger.own(order_id, request.client_order_id, app.name, row)
        answers = self._ask(insert_of(row))
        for change in ledger.submit(row):
            assert isinstance(change, OrderData)
            self._keep(change)
            app.know(entities.copy_of(change))
            self._heard.append(change)
        self._gate.sent(order_id, order, app.name)
        self._heard.extend(answers)
        self._book_has_changed()
        return OrderOutcome(order_id, "sent")

    def _checked(self, request: PlaceOrder) -> OrderRequest:
        contract = checked_contract(self._contract(request.local_symbol), self._ledger.trading_day)
        lower, upper = self._limits(contract.symbol)
        limits = PriceLimits(upper or contract.UpperLimitPrice, lower or contract.LowerLimitPrice)
        return checked_order(request, contract, limits)

    def _row(self, order: OrderRequest) -> f.OrderField:
        """The order as it leaves, with the next number."""
        exchange = order.exchange.value
        conditions = fields.conditions_of(order.type, exchange, self._market_orders)
        self._ref += 1
        return fields.order_row(
            order,
            broker=BROKER,
            investor=USER,
            exchange=exchange,
            key=(*self._session, str(self._ref)),
            trading_day=self._ledger.trading_day,
            moment=self._now(),
            conditions=conditions,
        )

    def _cancel(self, request: CancelOrder) -> Done:
        row = self.ledger.order_row(request.order_id)
        if row is None:
            raise NotFound("本账户没有这张报单", code="ORDER_NOT_FOUND")
        answers = self._ask(
            f.ReqOrderAction(
                InstrumentID=row.InstrumentID,
                ExchangeID=row.ExchangeID,
                OrderRef=row.OrderRef,
                FrontID=row.FrontID,
                SessionID=row.SessionID,
                OrderSysID=row.OrderSysID,
            )
        )
        self._gate.cancel_sent(request.order_id)
        self._heard.extend(answers)
        return Done()

    def _contract(self, symbol: str) -> ContractData | None:
        found = self.contracts.get(symbol)
        if found is None and (row := self._ledger.instrument(symbol)) is not None:
            found = self.contracts.get(f"{symbol}.{row.ExchangeID}")
        return found

    # ── what the counter says ──

    def _ask(self, request: f.AnyRequestFrame) -> list[f.Frame]:
        return [frame for _link, frame in self.core.handle(LINK, request)]

    def deliver(self, out: Iterable[tuple[Any, f.Frame]], met: float = 0.0) -> int:
        """Take it in and tell the strategies, until nothing more is said. Returns the lots traded. `met`: the
        middle of the quote, where orders have just met one.
        """
        self._heard.extend(frame for _link, frame in out)
        before, self._met = len(self.trades), met
        self.tell()
        self._met = 0.0
        return sum(int(traded.trade.volume) for traded in self.trades[before:])

    def tell(self) -> None:
        """What waits. A callback that sends an order while it is told something only adds to it."""
        if self._is_telling:
            return
        self._is_telling = True
        try:
            while self._heard:
                self._hear(self._heard.popleft())
        finally:
            self._is_telling = False

    def _hear(self, said: f.Frame | OrderData) -> None:
        ledger = self.ledger
        match said:
            case OrderData():
                if ledger.orders.get(said.order_id) is said:  # else the counter was faster
                    self._tell([said])
            case f.RtnOrder():
                self._tell(ledger.apply_order(said.order))
            case f.RtnTrade():
                self._on_trade(said.trade)
            case f.RspOrderInsert() | f.ErrRtnOrderInsert():
                refusal = fields.refusal_of(said.ErrorID, said.ErrorMsg)
                self._tell(ledger.apply_refusal(said.order, refusal))
            case f.RspOrderAction():
                self.cancels_refused.append(f"{said.InstrumentID} {said.OrderRef} {said.ErrorMsg}")
                log.warning("撤单被拒：%s", said.ErrorMsg)
            case f.Heartbeat():
                if said.TradingDay != ledger.trading_day:
                    self._begin_day(said.TradingDay)
            case _:
                raise TypeError(f"unexpected frame {said!r}")

    def _on_trade(self, row: f.TradeField) -> None:
        ledger = self.ledger
        book = ledger.book
        fees, profit = book.taken()
        changes = ledger.apply_trade(row)
        fees_now, profit_now = book.taken()
        self.margin_peak = max(self.margin_peak, float(book.margin()))
        for change in changes:
            if isinstance(change, TradeData):
                self._owned.take(row, change.strategy)
                size = self.sizes[row.InstrumentID] = ledger.terms(row.InstrumentID).multiplier
                beyond = (row.Price - self._met) * (1 if row.Direction == "0" else -1) if self._met else 0.0
                slippage = round(beyond * row.Volume * size, 4)
                self.trades.append(
                    Traded(change, float(fees_now - fees), float(profit_now - profit), slippage)
                )
        self._tell(changes)

    def _tell(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._book_has_changed()
            kind = "order" if isinstance(change, OrderData) else "trade"
            if kind == "order":
                self._keep(change)
                self._gate.on_order(change)
            else:
                self._gate.on_trade(change)
            for app in self.apps:
                app.hear_own(kind, entities.copy_of(change))

    def _keep(self, order: OrderData) -> None:
        self.orders[order.trading_day, order.order_id] = order

    # ── quotes ──

    def set_price(self, symbol: str, last_price: float, pre_settlement: float) -> None:
        """On the way of every tick. 0 for a settlement that is not known."""
        if is_absent(last_price):  # the one before it counts
            self._tell_prices()
        self._moved[symbol] = last_price, pre_settlement
        if self._gate.money.watched:
            self._gate.money.look(self.ledger.book.money())

    def set_prices(self, bars: list[tuple[str, Bar]]) -> None:
        """The closes of a minute's bars, by local_symbol. On the way of every bar."""
        if not self._gate.money.watched:
            self._minutes.append(bars)
            return
        for local_symbol, bar in bars:  # a rule is asked after each
            self.set_price(local_symbol.partition(".")[0], bar.close, 0.0)

    def _tell_prices(self) -> None:
        minutes, self._minutes = self._minutes, []
        for local_symbol, newest in dict(chain.from_iterable(minutes)).items():
            symbol = local_symbol.partition(".")[0]
            if is_absent(newest.close):  # the one before it counts
                for name, bar in chain.from_iterable(minutes):
                    if name == local_symbol and not is_absent(bar.close):
                        self._ledger.set_price(symbol, bar.close)
            self._ledger.set_price(symbol, newest.close)
        moved, self._moved = self._moved, {}
        for symbol, (last_price, pre_settlement) in moved.items():
            self._ledger.set_price(symbol, last_price, pre_settlement)
        self._book_has_changed()

    def hear(self, name: str, local_symbol: str, entity: Any) -> None:
        """A `tick` or `bar`, to all who want it, and what comes of it. On the way of each."""
        if name == "tick":
            self._quotes[local_symbol] = entity
        is_alone = len(self.apps) == 1
        for app in self.apps:
            if app.wanted is None or local_symbol in app.wanted:
                app.hear_market(name, local_symbol, entity if is_alone else entities.copy_of(entity))
        if self._heard:
            self.tell()

    # ── the book as strategies see it ──

    def positions(self) -> list[Position]:
        """As they are now; made anew where something has changed them."""
        ledger = self.ledger
        if self._positions is None:
            self._positions = ledger.book.positions()
        return self._positions

    def money(self) -> AccountData:
        """As ctpbee has it, likewise."""
        ledger = self.ledger
        if self._money is None:
            amounts = {name: float(amount) for name, amount in asdict(ledger.money()).items()}
            frozen = amounts["frozen_margin"] + amounts["frozen_commission"]
            self._money = AccountData(accountid=USER, gateway_name=GATEWAY, frozen=frozen, **amounts)
        return self._money

    def holds_something(self) -> bool:
        """Whatever the prices."""
        return bool(self._ledger.book.held())

    def _book_has_changed(self) -> None:
        self._positions = self._money = None

    # ── the trading day ──

    def _begin_day(self, trading_day: str) -> None:
        changed = self._load(trading_day)
        for app in self.apps:
            app.trading_day = trading_day
            app.forget_day(trading_day)
            for contract in changed:
                app.hear("contract", entities.copy_of(contract))

    def _load(self, trading_day: str) -> list[ContractData]:
        """As a gateway loads the account after a login and a day's turn. Returns the contracts that are new
        or have changed.
        """
        ledger = self.ledger
        ledger.begin_day(trading_day)
        account = self._rows("account")[0]
        details = self._rows("position_detail")
        changed = ledger.set_contracts(self._rows("instrument"))
        ledger.hear_account(account)
        ledger.rebuild(account, details, [], [])
        differences = ledger.reconcile(account, details, is_complete=True)
        if differences:
            raise BooksDiffer(f"{trading_day}: {'; '.join(difference.text for difference in differences)}")
        self._book_has_changed()
        self._owned.begin(trading_day, ledger.book.open_lots())
        self._gate.on_day(trading_day)
        self._gate.loaded()
        return changed

    def _rows(self, what: str) -> list[Any]:
        answers = self._ask(f.ReqQry(what=what))
        return [row for answer in answers if isinstance(answer, f.RspQry) for row in answer.rows]
