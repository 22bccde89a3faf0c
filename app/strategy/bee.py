"""The ctpbee app of one strategy: its market and trader are the account's gateway. Strategy process, event thread.

What differs from a plain CtpBee: ticks, orders and the rest come from the gateway; positions and money are the gateway's one book; a
callback that the strategy has not written is not called; an exception in a callback comes through and ends the strategy.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import sys
import time
from collections.abc import Callable
from typing import Any

from ctpbee import CtpBee, CtpbeeApi
from ctpbee.constant import EVENT_TICK, CancelRequest, Event, OrderRequest, OrderType
from ctpbee.signals import common_signals

from app.gateway import entities
from app.gateway.bee_logger import BeeLogger
from app.gateway.interfaces import fields
from app.gateway.messages import AnyRequest, CancelOrder, PlaceOrder, Subscribe, WatchTicks
from app.gateway.positions import BookPositions, position_data
from app.lib.book import Position
from app.lib.errors import AppError, BadInput, GatewayDown

ARRIVAL_LIMIT = 5.0
"""Seconds after a new joining in which an order of the old connection may still turn up: the gateway asks the counter for it."""
CALL_LIMIT = 10.0
"""Seconds that a call to the gateway may take; what it was asked to do may have happened all the same."""

log = logging.getLogger("strategy.gateway")

Call = Callable[[AnyRequest, float], Any]


class _Called:
    """A strategy as ctpbee's recorder sees it: the base's on_tick, which raises TypeError, is not called."""

    def __init__(self, extension: CtpbeeApi) -> None:
        self._extension = extension

    @property
    def instrument_set(self) -> Any:
        return self._extension.instrument_set

    def __call__(self, event: Event) -> None:
        if event.type != EVENT_TICK or self._extension.map.get(EVENT_TICK) is not CtpbeeApi.on_tick:
            self._extension(event)

    def on_realtime(self) -> None:
        self._extension.on_realtime()


class _Extensions(dict[str, CtpbeeApi]):
    """ctpbee's table of extensions; who runs through it gets a copy that may change meanwhile."""

    def values(self) -> Any:
        return [_Called(extension) for extension in super().values()]


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
    """ctpbee's trader. An order is on its way to the counter when `send_order` returns, and is never sent twice."""

    def __init__(self, app: StrategyApp) -> None:
        self._app = app
        self._prefix = f"s{secrets.token_hex(6)}"
        self._numbers = itertools.count(1)
        self.unknown: dict[str, tuple[str, float]] = {}  # by client_order_id, orders that may have left: their words, and since when

    @property
    def td_status(self) -> bool:
        return self._app.fronts.get("td", {}).get("state") == "ready"

    def send_order(self, req: OrderRequest, **_more: Any) -> str:
        """The order's local_order_id once it has left; "" when it was refused, or nobody knows (logged). on_order comes later."""
        client_order_id = f"{self._prefix}-{next(self._numbers)}"
        try:
            request = _placed(req, client_order_id)
            outcome = self._app.call(request, CALL_LIMIT)
        except GatewayDown as error:
            if error.extra.get("asked"):
                self.unknown[client_order_id] = _words(req), self._app.clock()
                log.error("报单 %s 可能已发出，网关未应答：请勿重复下单，恢复连接后会在委托中找到它", _words(req))
            else:
                log.error("报单 %s 未发出：%s", _words(req), error.message)
            return ""
        except AppError as error:
            log.error("报单 %s 未发出：%s", _words(req), error.message)
            return ""
        if outcome.state == "refused":
            log.error("报单 %s 被拒：%s", _words(req), outcome.message)
            return ""
        return f"{self._app.gateway_name}.{outcome.order_id}"

    def cancel_order(self, req: CancelRequest, **_more: Any) -> int:
        """0 once the cancel has left, -1 when it has not (logged)."""
        try:
            self._app.call(CancelOrder(req.order_id, wait=False), CALL_LIMIT)
        except AppError as error:
            log.error("撤单 %s 未发出：%s", req.order_id, error.message)
            return -1
        return 0

    def query_account(self) -> int:
        """0: the gateway asks the counter by itself, every REFRESH_INTERVAL seconds."""
        return 0

    query_position = query_account

    def close(self) -> None:
        """The connection is the process's."""

    def look_for_unknown(self) -> None:
        """What became of the orders whose sending nobody confirmed. One that is not among the account's orders has not left; that is
        said only once the connection is a new one and the gateway has had time to look for it at the counter."""
        app = self._app
        found = {order.client_order_id: order.order_id for order in app.recorder.orders.values()}
        for client_order_id, (words, since) in list(self.unknown.items()):
            if client_order_id in found:
                log.warning("报单 %s 已发出，编号 %s", words, found[client_order_id])
            elif since < app.joined_at < app.clock() - ARRIVAL_LIMIT:
                log.warning("报单 %s 没有发出：账户的委托中没有它", words)
            else:
                continue
            del self.unknown[client_order_id]


class StrategyApp(CtpBee):
    """`call` asks the gateway. `replaying` is True while the strategy hears how things stood before it started."""

    market: RelayMarket
    trader: RelayTrader

    def __init__(self, name: str, call: Call, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name, __name__, instance_path=sys.prefix)  # the path is only looked at for configuration files
        self.config.update(INTERFACE="relay", TD_FUNC=True, MD_FUNC=True, LOG_OUTPUT=False)
        self.call = call
        self.clock = clock
        self.joined_at = clock()  # when the connection that there is began
        self.logger = BeeLogger("strategy")
        self.replaying = True
        self.gateway_name = ""
        self.trading_day = ""
        self.fronts: dict[str, dict[str, str]] = {}
        self.positions: list[Position] = []
        self._extensions = _Extensions()
        self._watched: list[str] | None = []
        self._subscribed: set[str] = set()
        self.recorder.position_manager = BookPositions(self, lambda: self.positions)
        self.r = False  # not None: ctpbee starts no refresh thread of its own
        self.active = self._init_interface = True
        self.market, self.trader = RelayMarket(self), RelayTrader(self)

    def init_interface(self) -> None:
        """The interface is there from the start."""

    def get_contract(self, local_symbol: str) -> Any:
        """ctpbee's position manager asks this of any app that is not exactly a CtpBee."""
        return self.recorder.get_contract(local_symbol)

    # ── the account as it was found ──────────────────────────────────────────────────────────────────────────────────

    def take(self, state: entities.State) -> None:
        """The account at the first joining: into the recorder, without a word to the strategy, which is not there yet."""
        self._take_common(state)
        for contract in map(entities.entity, state.contracts):
            self.recorder.contracts[contract.local_symbol] = contract
        for order in map(entities.entity, state.orders):
            self._record_order(order)
        for trade in map(entities.entity, state.trades):
            self.recorder.trades[trade.local_trade_id] = trade

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
        """The connection is back: tell the orders and trades that came meanwhile, each once, as what they are."""
        if state.trading_day != self.trading_day:
            self.forget_day()
        self._take_common(state)
        for contract in map(entities.entity, state.contracts):
            known = self.recorder.contracts.get(contract.local_symbol)
            if known is None or vars(known) != vars(contract):
                self.hear("contract", contract)
        for trade in map(entities.entity, state.trades):
            if trade.local_trade_id not in self.recorder.trades:
                self.hear("trade", trade)
        for order in map(entities.entity, state.orders):
            known = self.recorder.orders.get(order.local_order_id)
            if known is None or fields.gist(known) != fields.gist(order):
                self.hear("order", order)
        self.joined_at = self.clock()
        self.trader.look_for_unknown()
        self._watched = []
        self.watch()

    def _take_common(self, state: entities.State) -> None:
        self.trading_day, self.fronts, self.positions = state.trading_day, state.fronts, state.positions
        self.config.update(state.config)
        if state.account is not None:
            self.recorder.account = entities.entity(state.account)
        for tick in map(entities.entity, state.ticks):
            self.recorder.ticks[tick.local_symbol] = tick
        if state.contracts:
            self.gateway_name = state.contracts[0]["gateway_name"]

    def _record_order(self, order: Any) -> None:
        self.recorder.orders[order.local_order_id] = order
        if order._is_active():
            self.recorder.active_orders[order.local_order_id] = order

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────────────────────

    def hear(self, name: str, entity: Any) -> None:
        """An event of ctpbee's: `tick`, `bar`, `order`, `trade`, `position`, `account`, `contract`."""
        signal = getattr(common_signals if name in ("tick", "bar") else self.app_signal, f"{name}_signal")
        event = Event(type=name, data=entity)
        if len(signal.receivers) == 1:  # ctpbee's recorder alone: asking the signal for it costs as much as all the rest
            self.recorder.get_func(name)(event)
        else:
            signal.send(event)

    def take_book(self, book: entities.Book) -> None:
        """The account's positions and money, as they are now."""
        self.positions = book.positions
        if book.account is not None:
            self.recorder.account = entities.entity(book.account)

    def forget_day(self) -> None:
        """Another trading day: the orders and trades of the last are no more."""
        for table in (self.recorder.orders, self.recorder.active_orders, self.recorder.trades, self.recorder.positions):
            table.clear()
        self.recorder.errors.clear()
        self.recorder.logs.clear()

    def on_timer(self) -> None:
        """Once a second: ctpbee's on_realtime."""
        common_signals.timer_signal.send(Event(type="timer"))
        self.trader.look_for_unknown()
        self.watch()

    def watch(self) -> None:
        """Subscribe what `instrument_set` names, and hear what is wanted: those alone with INSTRUMENT_INDEPEND, else every contract."""
        named = {str(symbol) for extension in dict.values(self._extensions) for symbol in extension.instrument_set}
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
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadInput("request", f"不支持的报单：{error!r}") from None


def _words(req: OrderRequest) -> str:
    parts = (getattr(part, "value", part) for part in (req.direction, req.offset, req.type))
    return f"{req.symbol} {''.join(map(str, parts))} {req.price} × {req.volume}"
