"""The ctpbee app of one strategy: its market and trader are the account's gateway. Strategy process, event
thread.

What differs from a plain CtpBee: ticks, orders and the rest come from the gateway; positions and money are
the gateway's one book; a callback that the strategy has not written is not called; an exception in a callback
comes through and ends the strategy.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from ctpbee import CtpBee
from ctpbee.constant import (
    CancelRequest,
    Event,
    Offset,
    OrderData,
    OrderRequest,
    OrderType,
    Status,
    TradeData,
)
from ctpbee.signals import common_signals

from app.bee import entities, fields
from app.bee.extensions import Called, Extensions
from app.bee.logger import BeeLogger
from app.bee.positions import BookCenter, BookPositions, position_data
from app.lib.book import Position
from app.lib.errors import AppError, BadInput, GatewayDown, NotFound, OrderRefused
from app.lib.rows import WORKING, OtherStatus
from app.strategy.unanswered import Unanswered, UnansweredOrders, changed, submitted
from app.wire import deadlines
from app.wire.messages import (
    AnyRequest,
    CancelOrder,
    FindOrder,
    OrderOutcome,
    PlaceOrder,
    Subscribe,
    WatchTicks,
)

ARRIVAL_LIMIT = 5.0
"""Seconds after a new joining in which an order of the old connection may still arrive at the gateway."""
FIND_LIMIT = 2.0
"""Seconds that the gateway gets to say what became of an order; it is asked again."""
CALL_LIMIT = 10.0
"""Seconds that a call to the gateway may take; what it was asked to do may happen all the same."""

UNDER_WAY = (Status.SUBMITTING, Status.NOTTRADED, Status.PARTTRADED)

log = logging.getLogger("strategy.gateway")


class Call(Protocol):
    """Asks the gateway, as Relay.call does. `late` gets what it says after the caller has given up, in the
    event thread.
    """

    def __call__(
        self, request: AnyRequest, timeout: float, late: Callable[[Any], None] | None = None
    ) -> Any: ...


class _Watching(BookPositions):
    """The book's positions; ctpbee's recorder tells its position manager of each order and trade before the
    strategy hears of it, and that is when its table of active orders is put right.
    """

    app: StrategyApp

    def update_order(self, order: OrderData) -> None:
        if self.app.is_under_way(order):
            self.app.recorder.active_orders[order.local_order_id] = order

    def update_trade(self, trade: TradeData) -> None:
        self.app.note_fill(trade)
        order = self.app.recorder.orders.get(trade.local_order_id)
        if order is not None and not self.app.is_under_way(order) and not self.app.awaits_fills(order):
            self.app.recorder.active_orders.pop(order.local_order_id, None)


class RelayMarket:
    """ctpbee's market. A subscription is the account's: its pages hear the contract too."""

    def __init__(self, app: StrategyApp) -> None:
        self._app = app

    @property
    def md_status(self) -> bool:
        return self._app.fronts.get("md", {}).get("state") == "ready"

    def subscribe(self, symbol: str) -> int:
        """0 once the gateway has it, -1 when it would not take it (logged)."""
        try:
            self._app.call(Subscribe([symbol]), CALL_LIMIT)
        except AppError as error:
            log.warning("订阅 %s 未成功：%s", symbol, error.message)
            return -1
        return 0

    def unsubscribe(self, symbol: str) -> int:
        """Nothing: the account's subscriptions are others' too."""
        return 0

    def close(self) -> None:
        """The connection is the process's."""


class RelayTrader:
    """ctpbee's trader. When `send_order` returns an id, the order may have left, the recorder knows it, and
    it is never sent twice.
    """

    def __init__(self, app: StrategyApp) -> None:
        self._app = app
        self._prefix = app.order_prefix
        self._numbers = itertools.count(1)
        self.unanswered = UnansweredOrders()
        self._unheard: list[OrderData] = []  # of an earlier day, whose end may have been told while away

    @property
    def td_status(self) -> bool:
        return self._app.fronts.get("td", {}).get("state") == "ready"

    def send_order(self, req: OrderRequest, **_more: Any) -> str:
        """The order's local_order_id; it is in the recorder then, on_order comes later. "" when it was not
        sent or was refused (logged).

        One that may have left although the gateway has not answered has a provisional id: see
        app/strategy/unanswered.py. Until it is known what became of it, nothing more is opened in its
        contract.
        """
        client_order_id = f"{self._prefix}-{next(self._numbers)}"
        try:
            request = _placed(req, client_order_id)
            self._check_unanswered(request)
            outcome = self._app.call(
                request, CALL_LIMIT, lambda answer: self._answered_late(client_order_id, answer)
            )
        except AppError as error:
            if not _may_have_left(error):
                log.error("报单 %s 未发出：%s", _words(req), error.message)
                return ""
            words = _words(req)
            log.error("报单 %s 可能已发出，网关未应答：请勿重复下单，弄清之前不再开仓这个合约", words)
            order = self._submitted(req, client_order_id, client_order_id)
            self.unanswered.add(client_order_id, order, words)
            self._note_answer(client_order_id, error)
            return self._app.know(order)
        if outcome.state == "refused":
            log.error("报单 %s 被拒：%s", _words(req), outcome.message)
            return ""
        if outcome.book:
            self._app.take_book(msgspec.msgpack.decode(outcome.book, type=entities.Book))
        known = f"{self._app.gateway_name}.{outcome.order_id}"
        if not outcome.order and known in self._app.recorder.orders:
            return known
        order = (
            entities.decode(outcome.order)
            if outcome.order
            else self._submitted(req, outcome.order_id, client_order_id)
        )
        return self._app.know(order)

    def cancel_order(self, req: CancelRequest, **_more: Any) -> int:
        """0 once the cancel has left, or will leave as soon as the order is found; -1 when it has not, or
        nobody knows (logged): then it may be asked for again, a second cancel does no harm.
        """
        order_id = req.order_id.rpartition(".")[2]
        unanswered = self.unanswered.open.get(order_id)
        if unanswered is not None:
            unanswered.is_unwanted = True
            log.warning("报单 %s 去向未明：一经找到即撤", unanswered.words)
            return 0
        try:
            self._app.call(CancelOrder(self.unanswered.real_id(order_id), wait=False), CALL_LIMIT)
        except AppError as error:
            left = "可能已发出，可以再撤" if _may_have_left(error) else "未发出"
            log.error("撤单 %s %s：%s", req.order_id, left, error.message)
            return -1
        return 0

    def query_account(self) -> int:
        """0: the gateway asks the counter by itself, every REFRESH_INTERVAL seconds."""
        return 0

    query_position = query_account

    def close(self) -> None:
        """The connection is the process's."""

    # ── orders without an answer ──

    def recognise(self, entity: OrderData | TradeData) -> Unanswered | None:
        """Give it the id that the strategy knows it by; the unanswered order that it is, found with this."""
        client_order_id = self.unanswered.rename(entity)
        if not client_order_id:
            return None
        log.warning(
            "报单 %s 已发出，编号 %s",
            self.unanswered.open[client_order_id].words,
            self.unanswered.real_id(entity.order_id),
        )
        return self.unanswered.open.pop(client_order_id)

    def rejoined(self) -> None:
        """Nothing is on its way to the gateway any more: it can be asked."""
        for unanswered in self.unanswered.open.values():
            unanswered.asked_from = self._app.clock()
        self._unheard = self._app.sent_before_today()
        self.look_for_unanswered()

    def look_for_unanswered(self) -> None:
        """Ask what became of the orders whose sending nobody confirmed."""
        for client_order_id, unanswered in list(self.unanswered.open.items()):
            if unanswered.asked_from is None:
                continue
            try:
                self._settle(client_order_id, self._app.call(FindOrder(client_order_id), FIND_LIMIT))
            except NotFound:
                if self._app.clock() - unanswered.asked_from > ARRIVAL_LIMIT:
                    self._end(client_order_id, _refusal("NEVER_SENT", "没有发出：网关没有收到它"))
            except AppError:
                return  # again in a second
        self._look_for_unheard()

    def _look_for_unheard(self) -> None:
        """Ask how the orders ended that were sent as the day turned, if that was told while nobody heard."""
        for order in list(self._unheard):
            if order in self._app.sent_before_today():
                try:
                    outcome = self._app.call(FindOrder(order.client_order_id), FIND_LIMIT)
                except AppError:
                    return  # again in a second
                end = _end_of(outcome)
                if outcome.order:
                    self._app.hear_own("order", entities.decode(outcome.order))
                elif end:
                    self._app.hear("order", changed(order, **end))
                else:
                    continue  # the gateway looks for it
            self._unheard.remove(order)

    def _check_unanswered(self, request: PlaceOrder) -> None:
        """Raises OrderRefused for an open beside one that may live although nobody has answered for it, or
        the counter shows it no more.
        """
        if request.offset != "open":
            return
        symbol = request.local_symbol.partition(".")[0]
        unanswered = self.unanswered.of(symbol)
        named = unanswered.words if unanswered is not None else self._app.open_out_of_sight(symbol)
        if named:
            raise OrderRefused(f"报单 {named} 去向未明，弄清之前不再开仓这个合约", code="ORDER_STATE_UNKNOWN")

    def _answered_late(self, client_order_id: str, answer: Any) -> None:
        """What the gateway said after this strategy had given up waiting for it."""
        if client_order_id not in self.unanswered.open:
            return  # an event of it was faster
        if isinstance(answer, OrderOutcome):
            self._settle(client_order_id, answer)
        elif isinstance(answer, AppError) and not _may_have_left(answer):
            self._end(client_order_id, _refusal(answer.code, answer.message))
        else:
            self._note_answer(client_order_id, answer)

    def _note_answer(self, client_order_id: str, error: Any) -> None:
        """An answer that says nothing: but it has been there, and can be asked for."""
        if not isinstance(error, GatewayDown):
            self.unanswered.open[client_order_id].asked_from = self._app.clock()

    def _settle(self, client_order_id: str, outcome: OrderOutcome) -> None:
        if outcome.book:
            self._app.take_book(msgspec.msgpack.decode(outcome.book, type=entities.Book))
        if outcome.order:
            self._app.hear_own("order", entities.decode(outcome.order))
        elif outcome.state == "sent":  # by a gateway of before answers had the order
            order = self.unanswered.open[client_order_id].order
            self._app.hear_own("order", changed(order, order_id=outcome.order_id))
        elif end := _end_of(outcome):
            self._end(client_order_id, end)

    def _end(self, client_order_id: str, end: dict[str, Any]) -> None:
        unanswered = self.unanswered.open.pop(client_order_id)
        log.warning("报单 %s %s", unanswered.words, end["status_msg"])
        self._app.hear("order", changed(unanswered.order, **end))

    def _submitted(self, req: OrderRequest, order_id: str, client_order_id: str) -> OrderData:
        app = self._app
        return submitted(
            req,
            order_id,
            gateway_name=app.gateway_name,
            trading_day=app.trading_day,
            client_order_id=client_order_id,
            strategy=app.name,
        )


class StrategyApp(CtpBee):
    """`call` asks the gateway. `replaying` is True while the strategy hears how things stood before it
    started.
    """

    market: RelayMarket
    trader: RelayTrader

    def __init__(
        self, name: str, call: Call, clock: Callable[[], float] = time.monotonic, order_prefix: str = ""
    ) -> None:
        """`order_prefix`: what its client_order_ids begin with; none was there before, and where it is not
        given none is.
        """
        self.order_prefix = order_prefix or f"s{secrets.token_hex(6)}"
        super().__init__(
            name, __name__, instance_path=sys.prefix
        )  # the path is only looked at for configuration files
        self.config.update(INTERFACE="relay", TD_FUNC=True, MD_FUNC=True, LOG_OUTPUT=False)
        self.call = call
        self.clock = clock
        self.logger = BeeLogger("strategy")
        self.replaying = True
        self.gateway_name = ""
        self.trading_day = ""
        self.fronts: dict[str, dict[str, str]] = {}
        self.positions: list[Position] = []
        self._cut = 0  # how new positions and money are
        self._taking = threading.Lock()  # a strategy may have threads of its own that send orders
        self._extensions = Extensions(Called)
        self._fills: dict[
            str, dict[str, float]
        ] = {}  # lots by trade, by local_order_id: the recorder's trades
        self._watched: list[str] | None = []
        self._subscribed: set[str] = set()
        self.recorder.position_manager = _Watching(self, lambda: self.positions)
        self.center = BookCenter(self)
        self.r = False  # not None: ctpbee starts no refresh thread of its own
        self.active = self._init_interface = True
        self.market, self.trader = RelayMarket(self), RelayTrader(self)

    def init_interface(self) -> None:
        """The interface is there from the start."""

    def get_contract(self, local_symbol: str) -> Any:
        """ctpbee's position manager asks this of any app that is not exactly a CtpBee."""
        return self.recorder.get_contract(local_symbol)

    # ── the account as it was found ──

    def take(self, state: entities.State) -> None:
        """The account at the first joining: into the recorder, without a word to the strategy, which is not
        there yet.
        """
        self._take_common(state)
        for contract in map(entities.entity, state.contracts):
            self.recorder.contracts[contract.local_symbol] = contract
        for order in map(entities.entity, state.orders):
            self._record_order(order)
        for trade in map(entities.entity, state.trades):
            self.recorder.trades[trade.local_trade_id] = trade
            self.note_fill(trade)

    def tell_found(self) -> None:
        """What a ctpbee strategy hears before on_init: each contract and position, and the account."""
        signals = self.app_signal
        for contract in list(self.recorder.contracts.values()):
            signals.contract_signal.send(Event(type="contract", data=contract))
        for position in self.positions:
            if position.volume:
                signals.position_signal.send(Event(type="position", data=position_data(position)))
        if self.recorder.account is not None:
            signals.account_signal.send(Event(type="account", data=self.recorder.account))

    def begin(self) -> None:
        """on_init, after which everything is news."""
        self.app_signal.init_signal.send(Event(type="init", data=True))
        self.replaying = False
        self.watch()

    def catch_up(self, state: entities.State) -> None:
        """The connection is back: tell the orders and trades that came meanwhile, each once, as what they
        are.
        """
        if state.trading_day != self.trading_day:
            self.forget_day(state.trading_day)
        self._take_common(state)
        for contract in map(entities.entity, state.contracts):
            known = self.recorder.contracts.get(contract.local_symbol)
            if known is None or vars(known) != vars(contract):
                self.hear("contract", contract)
        orders = [(order, self.trader.recognise(order)) for order in map(entities.entity, state.orders)]
        for trade in map(entities.entity, state.trades):
            if trade.local_trade_id not in self.recorder.trades:
                self.hear_own("trade", trade)
        for order, found in orders:
            known = self.recorder.orders.get(order.local_order_id)
            if found is not None or known is None or fields.gist(known) != fields.gist(order):
                self._hear_order(order, found)
        self.trader.rejoined()
        self._watched = []
        self.watch()

    def _take_common(self, state: entities.State) -> None:
        self.trading_day, self.fronts = state.trading_day, state.fronts
        self.config.update(state.config)
        self.take_book(entities.Book(state.positions, state.account, state.cut))
        for tick in map(entities.entity, state.ticks):
            self.recorder.ticks[tick.local_symbol] = tick
        if state.contracts:
            self.gateway_name = state.contracts[0]["gateway_name"]

    def _record_order(self, order: Any) -> None:
        self.recorder.orders[order.local_order_id] = order
        if self.is_under_way(order):
            self.recorder.active_orders[order.local_order_id] = order

    # ── what happens ──

    def hear(self, name: str, entity: Any) -> None:
        """An event of ctpbee's: `tick`, `bar`, `order`, `trade`, `position`, `account`, `contract`."""
        signal = getattr(common_signals if name in ("tick", "bar") else self.app_signal, f"{name}_signal")
        event = Event(type=name, data=entity)
        if (
            len(signal.receivers) == 1
        ):  # ctpbee's recorder alone: asking the signal for it costs as much as all the rest
            self.recorder.get_func(name)(event)
        else:
            signal.send(event)

    def hear_own(self, name: str, entity: OrderData | TradeData) -> None:
        """`order` or `trade`, by the id that this strategy knows it by."""
        found = self.trader.recognise(entity)
        if isinstance(entity, OrderData):
            self._hear_order(entity, found)
        else:
            self.hear(name, entity)

    def _hear_order(self, order: OrderData, found: Unanswered | None) -> None:
        self.hear("order", order)
        if not self.is_under_way(order) and self.awaits_fills(order):
            # The row that says filled comes before the fill: who looks for orders and positions in between
            # must not find neither.
            self.recorder.active_orders[order.local_order_id] = order
        if found is not None and found.is_unwanted and self.is_under_way(order):
            self.trader.cancel_order(order.create_cancel_request())

    def is_under_way(self, order: OrderData) -> bool:
        """What ctpbee calls active, 提交中, and an open of this strategy's that is out of the counter's
        sight: it may be filled any moment. A close like that is not, perhaps for all of the day: it must keep
        nobody from getting out, and the counter sees to it that a second one takes no more than the account
        has.
        """
        status = order.status
        if status is OtherStatus.UNKNOWN:
            return bool(order.strategy == self.name and order.offset is Offset.OPEN)
        return status in UNDER_WAY

    def open_out_of_sight(self, symbol: str) -> str:
        """The local_order_id of one of this strategy's own that opens this contract; "" for none."""
        return next(
            (
                str(order.local_order_id)
                for order in list(self.recorder.active_orders.values())
                if order.status is OtherStatus.UNKNOWN and order.symbol == symbol
            ),
            "",
        )

    def awaits_fills(self, order: OrderData) -> bool:
        """Whether this strategy's order has fills that are not in the book yet. Those of an earlier day
        are.
        """
        if order.strategy != self.name or order.trading_day != self.trading_day:
            return False
        fills = self._fills.get(order.local_order_id)
        return bool(order.traded > (sum(fills.values()) if fills else 0))

    def note_fill(self, trade: TradeData) -> None:
        """The recorder has this trade. Its table is the whole day's: nobody has to go through all of it for
        one order's.
        """
        self._fills.setdefault(trade.local_order_id, {})[trade.local_trade_id] = trade.volume

    def know(self, order: OrderData) -> str:
        """An order of this strategy's own, as soon as it may have left; its local_order_id. What is known of
        it already is newer.
        """
        if order.local_order_id not in self.recorder.orders:
            self._record_order(order)
        return str(order.local_order_id)

    def take_book(self, book: entities.Book) -> None:
        """The account's positions and money, unless newer ones are known: an answer is newer than pushes that
        have waited since.
        """
        with self._taking:
            if book.cut < self._cut:
                return
            self._cut, self.positions = book.cut, book.positions
            if book.account is not None:
                self.recorder.account = entities.entity(book.account)

    def take_account(self, account: Any) -> None:
        """The account's money, likewise."""
        with self._taking:
            cut = vars(account).get("cut", self._cut)
            if cut < self._cut:
                return
            self._cut = cut
        self.hear("account", account)

    def forget_day(self, trading_day: str) -> None:
        """Another trading day: the orders and trades of the last are no more, but for those that may be the
        new one's: the gateway looks for them there, and an event says what became of them.
        """
        unanswered = self.trader.unanswered.open
        kept = [
            order
            for order in self.recorder.orders.values()
            if getattr(order, "trading_day", "") == trading_day
            or order.client_order_id in unanswered
            or self._is_unconfirmed(order)
        ]
        for table in (
            self.recorder.orders,
            self.recorder.active_orders,
            self.recorder.trades,
            self.recorder.positions,
        ):
            table.clear()
        self._fills.clear()
        self.recorder.errors.clear()
        self.recorder.logs.clear()
        for order in kept:
            self._record_order(order)

    def sent_before_today(self) -> list[OrderData]:
        """Orders of this strategy's that were sent as the day turned, and of which nobody has said a word."""
        unanswered = self.trader.unanswered.open
        return [
            order
            for order in list(self.recorder.active_orders.values())
            if order.trading_day != self.trading_day
            and order.client_order_id not in unanswered
            and self._is_unconfirmed(order)
        ]

    def _is_unconfirmed(self, order: OrderData) -> bool:
        """Whether it is this strategy's own, and has left, and the counter has not said a word about it. An
        order that the counter had is good for its day alone.
        """
        return (
            order.strategy == self.name
            and order.status is Status.SUBMITTING
            and not order.order_sys_id
            and not getattr(order, "order_local_id", "")
        )

    def on_timer(self) -> None:
        """Once a second: ctpbee's on_realtime."""
        common_signals.timer_signal.send(Event(type="timer"))
        self.trader.look_for_unanswered()
        self.watch()

    def watch(self) -> None:
        """Subscribe what `instrument_set` names, and hear what is wanted: those alone with
        INSTRUMENT_INDEPEND, else every contract.
        """
        named = {
            str(symbol) for extension in dict.values(self._extensions) for symbol in extension.instrument_set
        }
        for symbol in sorted(named - self._subscribed):
            try:
                self.call(Subscribe([symbol]), CALL_LIMIT)
            except GatewayDown:
                return  # again in a second
            except AppError as error:
                log.warning("instrument_set 中的 %s 订阅未成功：%s", symbol, error.message)
            self._subscribed.add(symbol)
        wanted = sorted(named) if self.config["INSTRUMENT_INDEPEND"] else None
        if wanted != self._watched:
            try:
                self.call(WatchTicks(wanted), CALL_LIMIT)
            except GatewayDown:
                return
            self._watched = wanted


def _may_have_left(error: AppError) -> bool:
    """Whether an order that was answered so may be at the counter: nobody answered, or the gateway failed
    over it.
    """
    return (
        bool(error.extra.get("asked"))
        if isinstance(error, GatewayDown)
        else error.code == AppError.default_code
    )


def _refusal(code: str, message: str) -> dict[str, Any]:
    """The fields of an order that was refused."""
    return {
        "status": Status.REJECTED,
        "error_code": code,
        "error_message": message,
        "status_msg": message,
    }


def _end_of(outcome: OrderOutcome) -> dict[str, Any]:
    """The fields of an order that has ended and is not among those of today; {} as long as nobody knows."""
    if outcome.state == "refused":
        return _refusal(outcome.code, outcome.message)
    if outcome.state == "accepted":  # it ended with its day
        status = Status.CANCELLED if outcome.status in (*WORKING, "") else Status(outcome.status)
        text = f"已随其交易日结束：{outcome.message}"
        return _refusal("", text) | {"status": status, "traded": outcome.traded}
    return {}


def _placed(req: OrderRequest, client_order_id: str) -> PlaceOrder:
    """Raises BadInput for what no order can be."""
    try:
        volume = int(req.volume)
        if volume != req.volume:
            raise BadInput("volume", f"手数 {req.volume} 应为整数")
        return PlaceOrder(
            local_symbol=req.symbol,
            direction=fields.DIRECTION_WORD[req.direction],
            offset=fields.OFFSET_WORD[req.offset],
            type=fields.TYPE_WORD[req.type],
            price=0.0 if req.type is OrderType.MARKET else float(req.price),
            volume=volume,
            client_order_id=client_order_id,
            wait=False,
            deadline=deadlines.from_now(),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadInput("request", f"不支持的报单：{error!r}") from None


def _words(req: OrderRequest) -> str:
    parts = (getattr(part, "value", part) for part in (req.direction, req.offset, req.type))
    return f"{req.symbol} {''.join(map(str, parts))} {req.price} × {req.volume}"
