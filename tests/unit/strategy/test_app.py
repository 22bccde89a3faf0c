"""The ctpbee app of a strategy, without a process or a gateway: ordinary strategies run unchanged on what it
is told.
"""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ctpbee import CtpbeeApi
from ctpbee import level as ctpbee_level
from ctpbee import log as ctpbee_log
from ctpbee.constant import (
    BarData,
    ContractData,
    Direction,
    Exchange,
    Interval,
    Offset,
    OrderData,
    OrderType,
    Product,
    Status,
    TickData,
    TradeData,
)
from ctpbee.signals import common_signals

from app.bee import entities
from app.bee.entities import Book, State
from app.lib.book import Position
from app.lib.calendar import SHANGHAI
from app.lib.errors import AppError, BadInput, GatewayDown, NotFound, NotReady, OrderRefused
from app.lib.rows import OtherStatus
from app.strategy.app import StrategyApp
from app.strategy.loader import NotAStrategy, failure, load, prepare
from app.wire.messages import (
    AnyRequest,
    CancelOrder,
    Done,
    FindOrder,
    OrderOutcome,
    PlaceOrder,
    Subscribe,
    Symbols,
    WatchTicks,
)

ROOT = Path(__file__).parents[3]
DAY = "20250606"
SYMBOL = "rb2510.SHFE"
CONFIG = {
    "INSTRUMENT_INDEPEND": False,
    "CLOSE_PATTERN": "today",
    **{f"SLIPPAGE_{what}": 0 for what in ("BUY", "SELL", "SHORT", "COVER")},
}


class Gateway:
    """Takes what it is asked, fills every order at once, and has the app hear its position. `answers` by kind
    of request.
    """

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answers: dict[type, Any] = {}
        self.lots: dict[tuple[str, str], int] = {}
        self.app: StrategyApp | None = None
        self.now = 100.0
        self.untold: list[OrderData] = []

    def tell(self) -> None:
        """The events of what was sent."""
        while self.untold and self.app is not None:
            self.app.hear_own("order", self.untold.pop(0))

    def call(self, request: AnyRequest, _timeout: float, _late: Callable[[Any], None] | None = None) -> Any:
        self.asked.append(request)
        answer = self.answers.get(type(request))
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        if isinstance(request, PlaceOrder):
            self._fill(request)
            self.untold.append(
                order(len(self.orders()), Status.ALLTRADED, request.client_order_id, traded=request.volume)
            )
            return OrderOutcome(f"1_7_{len(self.orders())}", "sent")
        return Symbols(request.symbols) if isinstance(request, Subscribe) else Done()

    def orders(self) -> list[PlaceOrder]:
        return [request for request in self.asked if isinstance(request, PlaceOrder)]

    def words(self) -> list[str]:
        return [f"{order.direction} {order.offset}" for order in self.orders()]

    def _fill(self, order: PlaceOrder) -> None:
        assert self.app is not None
        opens = order.offset == "open"
        side = order.direction if opens else {"long": "short", "short": "long"}[order.direction]
        key = order.local_symbol, side
        self.lots[key] = self.lots.get(key, 0) + (order.volume if opens else -order.volume)
        assert self.lots[key] >= 0, "it closes what is not there"
        held = [position(symbol, side, lots) for (symbol, side), lots in self.lots.items() if lots]
        self.app.take_book(entities.Book(held, None))


def position(symbol: str, side: str, volume: int, yd_volume: int = 0) -> Position:
    return Position(
        symbol, "SHFE", side, volume, yd_volume, volume - yd_volume, 0, volume, 3000.0, 3000.0, 0.0, 0.0, 0.0
    )


def contract(symbol: str = "rb2510") -> ContractData:
    expires = date(2000 + int(symbol[2:4]), int(symbol[4:]), 15)
    return ContractData(
        symbol=symbol,
        exchange=Exchange.SHFE,
        name=symbol,
        product=Product.FUTURES,
        size=10,
        pricetick=1.0,
        gateway_name="sim",
        expire_date=expires,
    )


def bar(number: int, price: float, symbol: str = "rb2510", volume: int = 10) -> BarData:
    moment = datetime(2025, 6, 6, 9, 0, tzinfo=SHANGHAI) + timedelta(minutes=number)
    return BarData(
        symbol=symbol, exchange=Exchange.SHFE, datetime=moment, interval=Interval.MINUTE, gateway_name="sim",
        open_price=price, high_price=price + 2, low_price=price - 2, close_price=price, volume=volume,
    )  # fmt: skip


def tick(symbol: str = "rb2510", price: float = 3000.0) -> TickData:
    return TickData(
        symbol=symbol,
        exchange=Exchange.SHFE,
        datetime=datetime(2025, 6, 6, 9, 0, tzinfo=SHANGHAI),
        gateway_name="sim",
        last_price=price,
    )


def order(
    ref: int = 1, status: Status | OtherStatus = Status.NOTTRADED, client_order_id: str = "", traded: int = 0
) -> OrderData:
    return OrderData(
        symbol="rb2510", exchange=Exchange.SHFE, order_id=f"1_7_{ref}", type=OrderType.LIMIT,
        direction=Direction.LONG, offset=Offset.OPEN, price=3000.0, volume=2, traded=traded, status=status,
        time="", gateway_name="sim", is_local=True, trading_day=DAY, order_sys_id=str(ref), status_msg="",
        error_code="", error_message="", client_order_id=client_order_id, strategy="a",
    )  # fmt: skip


def trade(number: int = 1) -> TradeData:
    return TradeData(
        symbol="rb2510", exchange=Exchange.SHFE, order_id="1_7_1", tradeid=str(number),
        direction=Direction.LONG, offset=Offset.OPEN, price=3000.0, volume=1, time="",
        gateway_name="sim", trading_day=DAY,
    )  # fmt: skip


def state(
    *,
    orders: list[OrderData] | None = None,
    trades: list[TradeData] | None = None,
    positions: list[Position] | None = None,
    day: str = DAY,
    **config: Any,
) -> State:
    made = State(
        trading_day=day,
        config=CONFIG | config,
        fronts={"td": {"state": "ready"}, "md": {"state": "ready"}},
        contracts=entities.dicts([contract(), contract("rb2601")]),
        positions=positions or [],
        account={
            "__name__": "AccountData",
            "accountid": "demo",
            "gateway_name": "sim",
            "balance": 1e6,
            "available": 1e6,
            "frozen": 0.0,
        },
        orders=entities.dicts(orders or []),
        trades=entities.dicts(trades or []),
        ticks=[],
    )
    return msgspec.msgpack.decode(entities.encode(made), type=State)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def prepared(tmp_path: Path) -> Iterator[None]:
    """ctpbee as it is in a strategy's process, and afterwards as it was."""
    before, known = (ctpbee_level.get_ctpbee_path, ctpbee_log.VLogger), set(vars(CtpbeeApi))
    prepare(tmp_path)
    yield
    ctpbee_level.get_ctpbee_path, ctpbee_log.VLogger = before
    for added in ("success", "name"):
        if added not in known:
            delattr(CtpbeeApi, added)


@pytest.fixture
def run(tmp_path: Path, gateway: Gateway, prepared: None) -> Iterator[Callable[..., Any]]:
    """`run(text, **state)`: the strategy of this text, after on_init."""
    apps = []

    def start(text: str, **found: Any) -> Any:
        app = gateway.app = StrategyApp("test", lambda *asked: gateway.call(*asked), lambda: gateway.now)
        apps.append(app)
        app.take(state(**found))
        path = tmp_path / "strategy.py"
        path.write_text(text, "utf-8")
        extension = load(path)
        app.add_extension(extension)
        app.tell_found()
        app.begin()
        return extension

    yield start
    for app in apps:
        for event in common_signals.event:
            getattr(common_signals, f"{event}_signal").disconnect(app.recorder.get_func(event))


# ── ordinary strategies: the API that ctpbee's own examples use ──

SHAPE = """
from ctpbee import CtpbeeApi
from ctpbee.constant import BarData, TickData
from ctpbee.indicator.indicator import {indicators}
from ctpbee.log import VLogger


class Shape(CtpbeeApi):
    logger = VLogger

    def __init__(self, name: str, code):
        super().__init__(name)
        self.instrument_set = set([code])
        self.close, self.high, self.low = [], [], []
        self.pos = 0
        self.name = name
        self.logger.info(f"合约 {{code}}", owner=self.name)

    def on_tick(self, tick: TickData) -> None:
        pass

    def on_bar(self, bar: BarData):
        moment = bar.datetime.strftime("%Y-%m-%d %H:%M:%S")
        self.logger.debug(f"{{bar.local_symbol}} {{moment}} {{bar.close_price}}", owner=self.name)
        self.close.append(bar.close_price)
        self.high.append(bar.high_price)
        self.low.append(bar.low_price)
        if len(self.close) < 60:
            return
        up, down = self.signals(bar.close_price)
        if self.pos == 1 and down:
            self.logger.success("平多", owner=self.name)
            self.action.buy_close(bar.close_price, 1, bar)
            self.pos = 0
        elif self.pos == -1 and up:
            self.action.sell_close(bar.close_price, 1, bar)
            self.pos = 0
        elif up and self.pos == 0:
            self.action.buy_open(bar.close_price, 1, bar)
            self.pos = 1
        elif down and self.pos == 0:
            self.action.sell_open(bar.close_price, 1, bar)
            self.pos = -1

    def signals(self, price):
        {signals}


ext = Shape("形", "rb2510.SHFE")
"""

SHAPES = {
    "two averages": ("ma", "fast, slow = ma(self.close, 3), ma(self.close, 12); return fast[-1] > slow[-1], "
                           "fast[-1] < slow[-1]"),
    "range": ("atr, sma", "wide = atr(self.high, self.low, self.close, 14)[-1] > 0; middle = sma(self.close, "
                          "20)[-1]; "
              "return wide and price > middle, wide and price < middle"),
    "strength": ("rsi", "strength = rsi(self.close, 14)[-1]; return strength < 30, strength > 70"),
    "convergence": ("macd", "line, signal, _ = macd(self.close, 12, 26, 9); return line[-1] > signal[-1], "
                            "line[-1] < signal[-1]"),
    "bands": ("bollinger_bands", "upper, _, lower = bollinger_bands(self.close, 20, 1); return price < "
                                 "lower[-1], price > upper[-1]"),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_a_strategy_on_closed_bars_and_an_indicator_opens_and_closes_both_ways(
    run: Callable[..., Any], gateway: Gateway, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    indicators, signals = SHAPES[shape]
    with caplog.at_level(logging.DEBUG, "strategy"):
        strategy = run(SHAPE.format(indicators=indicators, signals=signals))
        for number in range(200):
            strategy.app.hear("bar", bar(number, 3000 + round(50 * math.sin(number / 10))))
    words = gateway.words()
    assert {"long open", "short closetoday", "short open", "long closetoday"} <= set(words), (
        "cover closes LONG by selling, sell closes SHORT by buying"
    )
    assert "合约 rb2510.SHFE" in caplog.text
    assert "平多" in caplog.text
    assert {order.local_symbol for order in gateway.orders()} == {"rb2510"}


def test_a_strategy_that_speaks_of_its_name_without_having_set_it_has_the_one_of_ext(
    run: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    indicators, signals = SHAPES["strength"]
    text = SHAPE.format(indicators=indicators, signals=signals)
    with caplog.at_level(logging.INFO, "strategy"):
        assert run(text.replace("        self.name = name\n", "")).name == "形"
    assert {record.owner for record in caplog.records if record.getMessage() == "合约 rb2510.SHFE"} == {"形"}  # type: ignore[attr-defined]
    assert run(text.replace("self.name = name", "self.name = 'mine'")).name == "mine"


SPREAD = """
from ctpbee import CtpbeeApi


class Spread(CtpbeeApi):
    def __init__(self, name, near, far):
        super().__init__(name, )
        self.near, self.far = near, far
        self.instrument_set = set([near, far])
        self.bars = {}
        self.pos = 0

    def on_tick(self, tick):
        pass

    def on_bar(self, bar):
        self.bars[bar.local_symbol] = bar
        if len(self.bars) < 2:
            return
        near, far = self.bars[self.near], self.bars[self.far]
        gap = near.close_price - far.close_price
        if self.pos == 0 and gap > 20:
            self.success(f"入场 {gap}")
            self.action.sell_open(near.close_price, 1, near)
            self.action.buy_open(far.close_price, 1, far)
            self.pos = -1
        elif self.pos == -1 and gap < 5:
            self.action.sell_close(near.close_price, 1, near)
            self.action.buy_close(far.close_price, 1, far)
            self.pos = 0

    def on_trade(self, trade):
        self.success(f"成交 {trade.local_trade_id} {trade.volume * trade.price}")


ext = Spread("跨期", "rb2510.SHFE", "rb2601.SHFE")
"""


def test_a_strategy_on_two_contracts_trades_both_legs(run: Callable[..., Any], gateway: Gateway) -> None:
    strategy = run(SPREAD)
    for number, gap in enumerate((0, 10, 25, 30, 4, 0)):
        strategy.app.hear("bar", bar(number, 3000 + gap))
        strategy.app.hear("bar", bar(number, 3000, "rb2601"))
    assert [f"{order.local_symbol} {order.direction} {order.offset}" for order in gateway.orders()] == [
        "rb2510 short open",
        "rb2601 long open",
        "rb2510 long closetoday",
        "rb2601 short closetoday",
    ]
    assert gateway.asked[:2] == [Subscribe(["rb2510.SHFE"]), Subscribe(["rb2601.SHFE"])]


EXAMPLE = (ROOT / "strategies" / "double_average.py").read_text("utf-8")


def test_the_example_in_strategies_opens_one_lot_each_way_on_the_busiest_month(
    run: Callable[..., Any], gateway: Gateway
) -> None:
    strategy = run(EXAMPLE)
    assert strategy.instrument_set == {"rb2510.SHFE", "rb2601.SHFE"}
    for number in range(120):
        strategy.app.hear("bar", bar(number, 3000.0, "rb2510", 5))
        strategy.app.hear("bar", bar(number, 3000 + round(50 * math.sin(number / 10)), "rb2601", 7))
        gateway.tell()
    assert {order.local_symbol for order in gateway.orders()} == {"rb2601"}
    assert {order.volume for order in gateway.orders()} == {1}
    assert {"long open", "short closetoday", "short open", "long closetoday"} == set(gateway.words())
    assert sum(gateway.lots.values()) == 1, "never more than one lot"


def test_the_example_in_strategies_trades_what_there_are_bars_of(
    run: Callable[..., Any], gateway: Gateway
) -> None:
    strategy = run(EXAMPLE)
    for number in range(60):
        strategy.app.hear("bar", bar(number, 3000 + round(50 * math.sin(number / 10))))
        gateway.tell()
    assert {order.local_symbol for order in gateway.orders()} == {"rb2510"}


def test_the_example_in_strategies_goes_on_with_what_the_account_holds(run: Callable[..., Any]) -> None:
    strategy = run(EXAMPLE, positions=[position("rb2601", "long", 1)])
    assert strategy.instrument_set == {"rb2601.SHFE"}


# ── what it hears ──

NOTES = """
from ctpbee import CtpbeeApi


class Notes(CtpbeeApi):
    def __init__(self, name):
        super().__init__(name)
        self.instrument_set = {"rb2510.SHFE"}
        self.heard = []

    def on_bar(self, bar):
        self.heard.append(("bar", bar.local_symbol))

    def on_order(self, order):
        self.heard.append(("order", order.status.name))

    def on_trade(self, trade):
        self.heard.append(("trade", trade.tradeid))

    def on_contract(self, contract):
        self.heard.append(("contract", self.app.replaying))


ext = Notes("notes")
"""


def test_a_callback_that_is_not_written_is_not_called(run: Callable[..., Any]) -> None:
    strategy = run(NOTES)
    strategy.app.hear("tick", tick())
    assert strategy.center.get_tick(SYMBOL).last_price == 3000.0


def test_what_was_there_before_it_started_is_in_the_center_and_told_as_replayed(
    run: Callable[..., Any],
) -> None:
    strategy = run(NOTES, orders=[order(1)], trades=[trade(1)])
    assert strategy.heard == [("contract", True), ("contract", True)]
    assert [row.order_id for row in strategy.center.active_orders] == ["1_7_1"]
    assert len(strategy.center.trades) == 1
    assert strategy.get_strategy("another") is None
    assert not strategy.app.replaying
    assert strategy.center.account.balance == 1e6
    assert strategy.app.td_login_status
    assert strategy.app.md_login_status


def test_with_independent_instruments_only_its_own_are_asked_for_and_heard(
    run: Callable[..., Any], gateway: Gateway
) -> None:
    strategy = run(NOTES, INSTRUMENT_INDEPEND=True)
    assert gateway.asked[-1] == WatchTicks([SYMBOL])
    strategy.heard.clear()
    strategy.app.hear("bar", bar(1, 3000.0, "rb2601"))
    strategy.app.hear("bar", bar(1, 3000.0))
    assert strategy.heard == [("bar", SYMBOL)]
    strategy.instrument_set.add("rb2601.SHFE")
    strategy.app.on_timer()
    assert gateway.asked[-2:] == [Subscribe(["rb2601.SHFE"]), WatchTicks([SYMBOL, "rb2601.SHFE"])]


def test_without_it_every_contract_is_heard(run: Callable[..., Any], gateway: Gateway) -> None:
    run(NOTES)
    assert gateway.asked[-1] == WatchTicks(None)


def test_what_the_gateway_could_not_be_asked_is_asked_again_and_what_it_refuses_is_said_once(
    run: Callable[..., Any], gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.answers[Subscribe] = GatewayDown("断开", asked=False)
    strategy = run(NOTES)
    assert gateway.asked == [Subscribe([SYMBOL])]
    gateway.answers[Subscribe] = BadInput("symbol", "不认识的合约")
    strategy.app.on_timer()
    strategy.app.on_timer()
    assert gateway.asked[1:] == [Subscribe([SYMBOL]), WatchTicks(None)]
    assert caplog.text.count("不认识的合约") == 1


def test_after_a_broken_connection_what_came_meanwhile_is_told_once(
    run: Callable[..., Any], gateway: Gateway
) -> None:
    strategy = run(NOTES, orders=[order(1)], trades=[trade(1)])
    strategy.heard.clear()

    def later() -> State:
        return state(orders=[order(1, Status.ALLTRADED, traded=2), order(2)], trades=[trade(1), trade(2)])

    strategy.app.catch_up(later())
    news = [("trade", "2"), ("order", "ALLTRADED"), ("order", "NOTTRADED")]
    assert strategy.heard == news
    strategy.app.catch_up(later())
    assert strategy.heard == news
    assert gateway.asked[-1] == WatchTicks(None), "the new connection has to be told again"


def test_another_day_begins_without_the_orders_of_the_last(run: Callable[..., Any]) -> None:
    strategy = run(NOTES, orders=[order(1)], trades=[trade(1)])
    strategy.app.catch_up(state(day="20250609"))
    assert strategy.center.orders == strategy.center.trades == strategy.center.active_orders == []


# ── what it sends ──


def test_send_order_returns_the_orders_local_id(run: Callable[..., Any], gateway: Gateway) -> None:
    strategy = run(NOTES)
    assert strategy.action.buy_open(3000.0, 2.0, tick()) == "sim.1_7_1"
    (sent,) = gateway.orders()
    assert (sent.volume, sent.type, sent.wait) == (2, "limit", False)
    assert sent.client_order_id
    strategy.action.buy_open(0, 1, tick(), price_type=OrderType.MARKET)
    assert gateway.orders()[1].client_order_id != sent.client_order_id
    assert gateway.orders()[1].type == "market"


@pytest.mark.parametrize(
    "error",
    [
        OrderRefused("超出策略限制", code="STRATEGY_LIMIT"),
        GatewayDown("断开", asked=False),
        BadInput("price", "价格"),
    ],
)
def test_an_order_that_was_not_sent_has_no_id_and_is_logged(
    run: Callable[..., Any], gateway: Gateway, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    strategy = run(NOTES)
    gateway.answers[PlaceOrder] = error
    assert strategy.action.buy_open(3000.0, 1, tick()) == ""
    assert "未发出" in caplog.text


@pytest.mark.parametrize("volume", [1.5, "two", None, float("nan")])
def test_what_no_order_can_be_never_leaves(run: Callable[..., Any], gateway: Gateway, volume: Any) -> None:
    assert run(NOTES).action.buy_open(3000.0, volume, tick()) == ""
    assert gateway.orders() == []


def test_a_cancel_goes_by_the_id_that_send_order_gave(
    run: Callable[..., Any], gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    strategy = run(NOTES, orders=[order(1)])
    assert strategy.action.cancel("sim.1_7_1") == 0
    assert gateway.asked[-1] == CancelOrder("1_7_1", wait=False)
    gateway.answers[CancelOrder] = OrderRefused("已成交")
    assert strategy.action.cancel("sim.1_7_1") == -1
    assert "撤单 1_7_1 未发出：已成交" in caplog.text
    gateway.answers[CancelOrder] = GatewayDown("网关未在限定时间内应答", asked=True)
    assert strategy.action.cancel("sim.1_7_1") == -1
    assert "撤单 1_7_1 可能已发出，可以再撤" in caplog.text


def test_closing_goes_by_the_accounts_position_todays_and_history_apart(
    run: Callable[..., Any], gateway: Gateway
) -> None:
    strategy = run(NOTES)
    strategy.app.take_book(Book([position("rb2510", "long", 5, yd_volume=3)], None))
    gateway.lots["rb2510", "long"] = 5
    ids = strategy.action.buy_close(2990.0, 4, tick())
    assert ids == ["sim.1_7_1", "sim.1_7_2"]
    assert [(sent.offset, sent.volume, sent.direction) for sent in gateway.orders()] == [
        ("closetoday", 2, "short"),
        ("closeyesterday", 2, "short"),
    ]


# ── what it knows of its orders, and when ──

PAIR = """
from ctpbee import CtpbeeApi


class Pair(CtpbeeApi):
    def __init__(self, name, near, far):
        super().__init__(name)
        self.near, self.far = near, far
        self.instrument_set = {near, far}
        self.frozen = []

    def on_tick(self, tick):
        if self.center.positions or self.center.active_orders:
            return
        near, far = self.center.get_tick(self.near), self.center.get_tick(self.far)
        if near and far:
            self.action.sell_open(near.last_price, 1, near)
            self.action.buy_open(far.last_price, 1, far)
            self.frozen.append(self.center.account.frozen)


ext = Pair("pair", "rb2510.SHFE", "rb2601.SHFE")
"""


class Slow(Gateway):
    """Takes orders and answers as a gateway does, with the order and the book at one cut; their events wait
    until `tell`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cut = 0
        self.frozen = 0.0
        self.placed: list[OrderData] = []
        self.stalled: list[tuple[PlaceOrder, Callable[[Any], None] | None]] = []
        self.stalls = False

    def call(self, request: AnyRequest, timeout: float, late: Callable[[Any], None] | None = None) -> Any:
        if not isinstance(request, PlaceOrder | FindOrder) or type(request) in self.answers:
            return super().call(request, timeout)
        self.asked.append(request)
        if isinstance(request, FindOrder):
            return self.find(request)
        if self.stalls:
            self.stalled.append((request, late))
            raise GatewayDown("网关未在限定时间内应答", code="GATEWAY_TIMEOUT", asked=True)
        return self.take(request)

    def take(self, request: PlaceOrder) -> OrderOutcome:
        number = len(self.placed) + 1
        made = order(number, Status.SUBMITTING, request.client_order_id)
        words = (
            {"long": Direction.LONG, "short": Direction.SHORT},
            {"open": Offset.OPEN, "close": Offset.CLOSE},
        )
        symbol = request.local_symbol
        vars(made).update(
            symbol=symbol,
            local_symbol=f"{symbol}.SHFE",
            direction=words[0][request.direction],
            volume=request.volume,
        )
        vars(made).update(offset=words[1].get(request.offset, Offset.CLOSETODAY), strategy="test")
        self.placed.append(made)
        self.frozen += 3000.0
        return self.outcome(made)

    def outcome(self, made: OrderData) -> OrderOutcome:
        return OrderOutcome(
            made.order_id, "sent", order=entities.encode(made), book=entities.encode(self.book())
        )

    def find(self, request: FindOrder) -> OrderOutcome:
        for made in self.placed:
            if made.client_order_id == request.client_order_id:
                return self.outcome(made)
        raise NotFound("没有这样的报单")

    def book(self) -> Book:
        self.cut += 1
        return Book(
            [],
            {"__name__": "AccountData", "accountid": "demo", "gateway_name": "sim", "frozen": self.frozen},
            self.cut,
        )

    def event(self, number: int = 1, **changes: Any) -> OrderData:
        """The order as a push has it."""
        made = entities.decode(entities.encode(self.placed[number - 1]))
        vars(made).update(changes)
        assert isinstance(made, OrderData)
        return made

    def fill(self, number: int = 1) -> TradeData:
        made = self.placed[number - 1]
        fields = {
            name: getattr(made, name)
            for name in ("symbol", "order_id", "direction", "offset", "price", "volume")
        }
        return TradeData(
            exchange=Exchange.SHFE, tradeid=str(number), time="", gateway_name="sim", trading_day=DAY,
            strategy="test", **fields
        )  # fmt: skip

    def late_answer(self, answer: Any = None) -> None:
        """What the stalled order is answered at last; the gateway takes it if there is no other answer."""
        request, late = self.stalled.pop(0)
        assert late is not None
        late(self.take(request) if answer is None else answer)


@pytest.fixture
def slow(run: Callable[..., Any], gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Slow:
    """In place of the gateway that fills at once."""
    made = Slow()
    monkeypatch.setattr(gateway, "call", made.call)
    made.app = gateway.app
    return made


def test_when_send_order_returns_the_order_is_known_and_frozen_for(
    run: Callable[..., Any], slow: Slow
) -> None:
    strategy = run(NOTES)
    strategy.heard.clear()
    order_id = strategy.action.buy_open(3000.0, 1, tick())
    known = strategy.app.recorder.get_order(order_id)
    assert (known.status, known.volume, known.local_order_id) == (Status.SUBMITTING, 1, order_id)
    assert [one.local_order_id for one in strategy.center.active_orders] == [order_id]
    assert strategy.center.account.frozen == 3000.0
    assert strategy.heard == [], "on_order comes later"
    strategy.app.hear_own("order", slow.event())
    assert strategy.heard == [("order", "SUBMITTING")]


def test_a_pair_is_opened_once_although_both_ticks_come_before_the_events_of_its_orders(
    run: Callable[..., Any], slow: Slow
) -> None:
    strategy = run(PAIR)
    for symbol in ("rb2510", "rb2601", "rb2510"):
        strategy.app.hear("tick", tick(symbol))
    assert [(one.local_symbol, one.direction) for one in slow.orders()] == [
        ("rb2510", "short"),
        ("rb2601", "long"),
    ]
    assert strategy.frozen == [6000.0]


def test_between_the_row_that_says_filled_and_its_fill_a_strategys_order_is_still_under_way(
    run: Callable[..., Any], slow: Slow
) -> None:
    """SHFE, INE and CFFEX tell the order before the trade (docs/domain.md, Orders 1)."""
    strategy = run(PAIR)
    strategy.app.hear("tick", tick("rb2510"))
    strategy.app.hear("tick", tick("rb2601"))
    for number in (1, 2):
        strategy.app.hear_own("order", slow.event(number, status=Status.ALLTRADED, traded=1))
    strategy.app.hear("tick", tick("rb2510"))
    assert len(slow.orders()) == 2
    for number in (1, 2):
        strategy.app.take_book(Book([position("rb2510", "short", 1)], None, slow.cut))
        strategy.app.hear_own("trade", slow.fill(number))
    assert strategy.center.active_orders == []
    strategy.app.hear("tick", tick("rb2510"))
    assert len(slow.orders()) == 2


def test_nobody_goes_through_the_days_trades_for_the_fills_of_one_order(
    run: Callable[..., Any], slow: Slow
) -> None:
    """A strategy of 3,000 trades a day spent more time on that than on everything else."""

    class Closed(dict[str, Any]):
        def values(self) -> Any:
            raise AssertionError("the day's trades are gone through")

    strategy = run(NOTES)
    strategy.app.recorder.trades = Closed()
    strategy.action.buy_open(3000.0, 1, tick())
    strategy.app.hear_own("order", slow.event(1, status=Status.ALLTRADED, traded=1))
    assert len(strategy.center.active_orders) == 1
    strategy.app.hear_own("trade", slow.fill(1))
    assert strategy.center.active_orders == []


def test_an_order_can_be_cancelled_in_the_callback_that_sent_it(run: Callable[..., Any], slow: Slow) -> None:
    strategy = run(NOTES)
    order_id = strategy.action.buy_open(3000.0, 1, tick())
    assert strategy.action.cancel(order_id) == 0
    strategy.action.cancel_all()
    assert slow.asked[-2:] == [CancelOrder("1_7_1", wait=False)] * 2


def test_what_has_waited_since_before_the_answer_is_older_than_it(
    run: Callable[..., Any], slow: Slow
) -> None:
    strategy = run(NOTES)
    book = slow.book()
    money = entities.entity({**(book.account or {}), "cut": slow.book().cut})
    state_of_before = state()
    state_of_before.cut = slow.book().cut
    order_id = strategy.action.buy_open(3000.0, 1, tick())
    strategy.app.take_book(book)
    strategy.app.take_account(money)
    strategy.app.forget_day(DAY)
    strategy.app.catch_up(state_of_before)
    assert strategy.center.account.frozen == 3000.0
    assert strategy.app.recorder.get_order(order_id) is not None
    assert len(strategy.center.active_orders) == 1
    slow.frozen = 0.0
    strategy.app.take_book(slow.book())
    assert strategy.center.account.frozen == 0.0
    strategy.app.forget_day("20250609")
    assert strategy.center.active_orders == strategy.center.orders == []


def test_an_answer_that_is_read_after_the_orders_own_events_changes_nothing(
    run: Callable[..., Any], slow: Slow
) -> None:
    """A strategy may send from a thread of its own, while the event thread hears."""
    strategy = run(NOTES)
    take = slow.take

    def filled_meanwhile(request: PlaceOrder) -> OrderOutcome:
        outcome = take(request)
        slow.frozen = 0.0
        strategy.app.take_book(slow.book())
        strategy.app.hear_own("order", slow.event(status=Status.ALLTRADED, traded=1))
        strategy.app.hear_own("trade", slow.fill())
        return outcome

    slow.take = filled_meanwhile  # type: ignore[method-assign]
    order_id = strategy.action.buy_open(3000.0, 1, tick())
    assert strategy.app.recorder.get_order(order_id).status is Status.ALLTRADED
    assert strategy.center.active_orders == []
    assert strategy.center.account.frozen == 0.0


# ── orders that may have left ──


def test_an_order_that_may_have_left_has_an_id_is_under_way_and_nothing_more_is_opened_in_its_contract(
    run: Callable[..., Any], slow: Slow, caplog: pytest.LogCaptureFixture
) -> None:
    strategy = run(NOTES)
    slow.stalls = True
    order_id = strategy.action.buy_open(3000.0, 1, tick())
    assert order_id
    assert "请勿重复下单" in caplog.text
    known = strategy.app.recorder.get_order(order_id)
    assert (known.status, known.volume, known.local_symbol, known.strategy) == (
        Status.SUBMITTING,
        1,
        SYMBOL,
        "test",
    )
    assert [one.local_order_id for one in strategy.center.active_orders] == [order_id]
    slow.stalls = False
    assert strategy.action.buy_open(3001.0, 1, tick()) == strategy.action.sell_open(2999.0, 1, tick()) == ""
    assert caplog.text.count("去向未明，弄清之前不再开仓这个合约") == 2
    assert len(slow.orders()) == 1
    assert strategy.action.buy_open(3000.0, 1, tick("rb2601")), "another contract"
    strategy.app.take_book(Book([position("rb2510", "long", 1)], None, slow.cut))
    assert strategy.action.buy_close(2990.0, 1, tick()) == ["sim.1_7_2"], "who wants to get out can"
    strategy.app.forget_day("20250609")
    assert [one.local_order_id for one in strategy.center.active_orders] == [order_id], (
        "it may be the new day's"
    )


def sent_as_the_day_turned(strategy: Any, slow: Slow) -> str:
    """An order that the gateway has sent, and of which the counter has not said a word when the day turns."""
    take = slow.take

    def unconfirmed(request: PlaceOrder) -> OrderOutcome:
        take(request)
        vars(slow.placed[-1]).update(order_sys_id="")
        return slow.outcome(slow.placed[-1])

    slow.take = unconfirmed  # type: ignore[method-assign]
    order_id = str(strategy.action.buy_open(3000.0, 1, tick()))
    strategy.app.trading_day = "20250609"
    strategy.app.forget_day("20250609")
    return order_id


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.ALLTRADED, Status.REJECTED])
def test_an_order_that_was_sent_as_the_day_turned_is_under_way_until_an_event_settles_it(
    run: Callable[..., Any], slow: Slow, status: Status
) -> None:
    strategy = run(NOTES)
    order_id = sent_as_the_day_turned(strategy, slow)
    assert [one.local_order_id for one in strategy.center.active_orders] == [order_id], (
        "it may be the new day's: who opens when nothing is under way would open twice"
    )
    strategy.app.hear_own("order", slow.event(status=status))
    assert strategy.center.active_orders == []


def test_an_order_that_ended_with_its_day_waits_for_no_fills_of_that_day(
    run: Callable[..., Any], slow: Slow
) -> None:
    strategy = run(NOTES)
    strategy.action.buy_open(3000.0, 2, tick())
    strategy.app.trading_day = "20250609"
    strategy.app.forget_day("20250609")
    strategy.app.hear_own("order", slow.event(status=Status.CANCELLED, traded=1))
    assert strategy.center.active_orders == []


def test_an_order_that_the_counter_had_taken_ends_with_its_day(run: Callable[..., Any], slow: Slow) -> None:
    strategy = run(NOTES)
    strategy.action.buy_open(3000.0, 1, tick())
    strategy.app.hear_own("order", slow.event(status=Status.SUBMITTING, order_local_id="17"))
    strategy.app.forget_day("20250609")
    assert strategy.center.active_orders == strategy.center.orders == []


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (OrderOutcome("1_7_1", "accepted", "", "交易日 20250606 已结束"), Status.CANCELLED),
        (OrderOutcome("1_7_1", "refused", "NEVER_ARRIVED", "未到达柜台"), Status.REJECTED),
    ],
)
def test_what_became_of_it_while_the_gateway_was_away_is_asked_for(
    run: Callable[..., Any], slow: Slow, outcome: OrderOutcome, status: Status
) -> None:
    strategy = run(NOTES)
    order_id = sent_as_the_day_turned(strategy, slow)
    strategy.app.on_timer()
    assert not any(isinstance(request, FindOrder) for request in slow.asked), "its event will say so"
    slow.answers[FindOrder] = OrderOutcome("1_7_1", "unknown", "ORDER_STATE_UNKNOWN", "没有回音")
    strategy.app.catch_up(state(day="20250609"))
    assert [one.local_order_id for one in strategy.center.active_orders] == [order_id], "it is looked for"
    strategy.heard.clear()
    slow.answers[FindOrder] = outcome
    for _ in range(2):
        strategy.app.on_timer()
    assert strategy.heard == [("order", status.name)]
    assert strategy.app.recorder.get_order(order_id).status_msg.endswith(outcome.message)
    assert strategy.center.active_orders == []


def test_an_order_out_of_the_counters_sight_is_under_way_and_nothing_more_is_opened_in_its_contract(
    run: Callable[..., Any], slow: Slow, caplog: pytest.LogCaptureFixture
) -> None:
    strategy = run(NOTES)
    order_id = strategy.action.buy_open(3000.0, 1, tick())
    strategy.app.hear_own(
        "order", slow.event(status=OtherStatus.UNKNOWN, status_msg="柜台没有这个编号的报单，但有一张同样的")
    )
    assert [one.local_order_id for one in strategy.center.active_orders] == [order_id], (
        "it may be filled any moment"
    )
    assert strategy.action.buy_open(3000.0, 1, tick()) == ""
    assert len(slow.orders()) == 1
    assert f"报单 {order_id} 去向未明，弄清之前不再开仓这个合约" in caplog.text
    assert strategy.action.buy_open(3000.0, 1, tick("rb2601")), "another contract"
    strategy.app.hear_own("order", slow.event(status=Status.CANCELLED))
    assert strategy.action.buy_open(3000.0, 1, tick()) == "sim.1_7_3", "it is known now what became of it"


def test_a_close_out_of_the_counters_sight_keeps_no_strategy_from_getting_out(
    run: Callable[..., Any], slow: Slow
) -> None:
    strategy = run(NOTES)
    strategy.app.take_book(Book([position("rb2510", "long", 1)], None, 1))
    (order_id,) = strategy.action.buy_close(2990.0, 1, tick())
    assert [one.local_order_id for one in strategy.center.active_orders] == [order_id]
    strategy.app.hear_own("order", slow.event(status=OtherStatus.UNKNOWN))
    assert strategy.center.active_orders == [], (
        "a second close takes no more than there is, as the counter sees to"
    )
    strategy.app.take_book(Book([position("rb2510", "long", 1)], None, slow.cut))
    assert strategy.action.buy_close(2990.0, 1, tick()) == ["sim.1_7_2"]


def test_somebody_elses_order_in_a_state_that_says_nothing_keeps_no_strategy_from_opening(
    run: Callable[..., Any], slow: Slow
) -> None:
    strategy = run(NOTES)
    vars(theirs := order(9, OtherStatus.UNKNOWN, "")).update(strategy="")
    strategy.app.hear_own("order", theirs)
    assert strategy.center.active_orders == []
    assert strategy.action.buy_open(3000.0, 1, tick())


def test_it_keeps_the_id_that_send_order_gave_whatever_the_order_is_called_elsewhere(
    run: Callable[..., Any], slow: Slow
) -> None:
    strategy = run(NOTES)
    slow.stalls = True
    order_id = strategy.action.buy_open(3000.0, 1, tick())
    slow.stalls = False
    slow.late_answer()
    assert [one.local_order_id for one in strategy.center.orders] == [order_id]
    assert strategy.center.account.frozen == 3000.0
    assert strategy.action.cancel(order_id) == 0
    assert slow.asked[-1] == CancelOrder("1_7_1", wait=False)
    strategy.app.hear_own("order", slow.event(status=Status.ALLTRADED, traded=1))
    trade = slow.fill()
    strategy.app.hear_own("trade", trade)
    assert trade.local_order_id == order_id
    assert strategy.app.recorder.get_order(order_id).status is Status.ALLTRADED
    assert strategy.center.active_orders == []
    assert len(strategy.center.orders) == 1
    assert strategy.action.buy_open(3000.0, 1, tick()) == "sim.1_7_2", "it is known now what became of it"


def test_an_event_of_the_order_settles_it_before_any_answer(run: Callable[..., Any], slow: Slow) -> None:
    strategy = run(NOTES)
    slow.stalls = True
    order_id = strategy.action.buy_open(3000.0, 1, tick())
    request, late = slow.stalled.pop()
    answer = slow.take(request)
    strategy.heard.clear()
    strategy.app.hear_own("order", slow.event(status=Status.ALLTRADED, traded=1))
    assert late is not None
    late(answer)
    assert strategy.heard == [("order", "ALLTRADED")]
    assert strategy.app.recorder.get_order(order_id).status is Status.ALLTRADED


@pytest.mark.parametrize(
    "answer",
    [
        OrderRefused("超出策略限制：每笔至多 1 手", code="STRATEGY_LIMIT"),
        BadInput("price", "价格不在最小变动价位上"),
        OrderOutcome("1_7_1", "refused", "NEVER_SENT", "连接已断开，未发出"),
    ],
)
def test_a_late_no_ends_it_as_refused_with_the_reason(
    run: Callable[..., Any], slow: Slow, answer: Any
) -> None:
    strategy = run(NOTES)
    slow.stalls = True
    order_id = strategy.action.buy_open(3000.0, 1, tick())
    strategy.heard.clear()
    slow.late_answer(answer)
    known = strategy.app.recorder.get_order(order_id)
    assert known.status is Status.REJECTED
    assert (known.error_code, known.error_message) == (
        answer.code,
        answer.message,
    )
    assert strategy.heard == [("order", "REJECTED")]
    assert strategy.center.active_orders == []
    slow.stalls = False
    assert strategy.action.buy_open(3000.0, 1, tick()) == "sim.1_7_1"


def test_after_rejoining_it_is_asked_for_and_what_was_filled_meanwhile_is_its_own(
    run: Callable[..., Any], slow: Slow
) -> None:
    strategy = run(NOTES)
    slow.stalls = True
    order_id = strategy.action.buy_open(3000.0, 1, tick())
    slow.take(slow.stalled[0][0])
    strategy.heard.clear()
    found = slow.event(status=Status.ALLTRADED, traded=1)
    fill = slow.fill()
    strategy.app.catch_up(state(orders=[found], trades=[fill]))
    assert strategy.heard == [("trade", "1"), ("order", "ALLTRADED")]
    (trade,) = strategy.center.trades
    assert trade.local_order_id == order_id == strategy.center.orders[0].local_order_id
    assert not any(isinstance(request, FindOrder) for request in slow.asked)


def test_one_that_never_got_to_the_gateway_is_ended_once_that_is_sure(
    run: Callable[..., Any], slow: Slow, gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    strategy = run(NOTES)
    slow.stalls = True
    order_id = strategy.action.buy_open(3000.0, 1, tick())
    gateway.now += 60
    strategy.app.on_timer()
    assert not any(isinstance(request, FindOrder) for request in slow.asked), (
        "the same connection may still bring it"
    )
    strategy.app.catch_up(state())
    strategy.app.on_timer()
    assert strategy.app.recorder.get_order(order_id).status is Status.SUBMITTING, (
        "the gateway may still be reading the old connection"
    )
    strategy.heard.clear()
    gateway.now += 6
    strategy.app.on_timer()
    strategy.app.on_timer()
    assert strategy.heard == [("order", "REJECTED")]
    assert caplog.text.count("没有发出：网关没有收到它") == 1
    assert len(slow.orders()) == 1, "nothing is sent again"
    strategy.app.hear_own("order", order(9, client_order_id=slow.orders()[0].client_order_id))
    assert strategy.app.recorder.get_order(order_id).status is Status.NOTTRADED, (
        "given up, and alive all the same: it is that order"
    )


def test_while_the_gateway_does_not_know_either_it_is_asked_again(
    run: Callable[..., Any], slow: Slow, gateway: Gateway
) -> None:
    strategy = run(NOTES)
    slow.stalls = True
    order_id = strategy.action.buy_open(3000.0, 1, tick())
    slow.answers[FindOrder] = OrderOutcome(
        "1_7_1", "unknown", "ORDER_STATE_UNKNOWN", "报单已发出，柜台未确认，请勿重复下单"
    )
    strategy.app.catch_up(state())
    gateway.now += 60
    strategy.app.on_timer()
    slow.answers[FindOrder] = GatewayDown("断开", asked=False)
    strategy.app.on_timer()
    slow.answers[FindOrder] = NotReady("正在载入")
    strategy.app.on_timer()
    assert strategy.app.recorder.get_order(order_id).status is Status.SUBMITTING
    slow.answers[FindOrder] = OrderOutcome(
        "1_7_1", "accepted", message="全部成交", status="全部成交", traded=1
    )
    strategy.app.on_timer()
    known = strategy.app.recorder.get_order(order_id)
    assert (known.status, known.traded) == (Status.ALLTRADED, 1), (
        "of the day before: it has ended as its row says"
    )


@pytest.mark.parametrize("by", ["a push", "an answer"])
def test_one_that_ended_with_its_day_keeps_nothing_from_being_opened_on_the_next(
    run: Callable[..., Any], slow: Slow, by: str
) -> None:
    strategy = run(NOTES)
    slow.stalls = True
    order_id = strategy.action.buy_open(3000.0, 1, tick())
    slow.stalls = False
    slow.answers[FindOrder] = OrderOutcome(
        "1_7_1", "unknown", "ORDER_STATE_UNKNOWN", "报单已发出，柜台未确认，请勿重复下单"
    )
    strategy.app.catch_up(state(day="20250609"))
    strategy.app.on_timer()
    assert strategy.action.buy_open(3000.0, 1, tick()) == "", "it may have been in flight as the day turned"
    slow.take(slow.orders()[0])
    if by == "a push":
        strategy.app.hear_own(
            "order", slow.event(status=Status.CANCELLED, status_msg="交易日 20250606 已结束")
        )
    else:
        slow.answers[FindOrder] = OrderOutcome(
            "1_7_1", "accepted", message="已撤销，成交 0/1 手", status="已撤销"
        )
        strategy.app.on_timer()
    assert strategy.app.recorder.get_order(order_id).status is Status.CANCELLED
    assert strategy.center.active_orders == []
    assert strategy.action.buy_open(3000.0, 1, tick()) == "sim.1_7_2"


def test_a_gateway_that_fails_over_an_order_may_have_sent_it(
    run: Callable[..., Any], slow: Slow, gateway: Gateway
) -> None:
    strategy = run(NOTES)
    slow.answers[PlaceOrder] = AppError("服务内部错误，详见日志")
    order_id = strategy.action.buy_open(3000.0, 1, tick())
    assert strategy.app.recorder.get_order(order_id).status is Status.SUBMITTING
    slow.take(slow.orders()[0])
    strategy.app.on_timer()
    assert strategy.action.cancel(order_id) == 0
    assert slow.asked[-1] == CancelOrder("1_7_1", wait=False)


def test_a_cancel_of_an_order_that_nobody_has_found_yet_leaves_when_it_is_found_alive(
    run: Callable[..., Any], slow: Slow
) -> None:
    strategy = run(NOTES)
    slow.stalls = True
    order_id = strategy.action.buy_open(3000.0, 1, tick())
    assert strategy.action.cancel(order_id) == 0
    strategy.action.cancel_all()
    assert not any(isinstance(request, CancelOrder) for request in slow.asked)
    slow.late_answer()
    assert [request for request in slow.asked if isinstance(request, CancelOrder)] == [
        CancelOrder("1_7_1", wait=False)
    ]


def test_readmes_example_ends_with_one_lot_although_the_gateway_stalls_over_its_order(
    run: Callable[..., Any], slow: Slow
) -> None:
    (text,) = re.findall(
        r"```python\n(.*?class TwoTicks.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S
    )
    strategy = run(text.replace("m2705.DCE", SYMBOL).replace('"两跳"', '"test"'))

    def quote(bid: float) -> None:
        made = tick(price=bid)
        vars(made).update(bid_price_1=bid, ask_price_1=bid + 1)
        strategy.app.hear("tick", made)

    slow.stalls = True
    quote(3000.0)
    slow.stalls = False
    for _ in range(3):
        quote(3000.0)
    assert len(slow.orders()) == 1
    slow.late_answer(OrderRefused("前置未就绪", code="NOT_READY"))
    quote(3000.0)
    assert len(slow.orders()) == 2, "what was not sent after all is tried again"
    strategy.app.take_book(Book([position("rb2510", "long", 1)], None, slow.cut))
    strategy.app.hear_own("order", slow.event(status=Status.ALLTRADED, traded=1))
    strategy.app.hear_own("trade", slow.fill())
    quote(3001.0)
    quote(3002.0)
    quote(3003.0)
    assert [f"{one.direction} {one.offset}" for one in slow.orders()] == [
        "long open",
        "long open",
        "short closetoday",
    ]


# ── what is wrong with a file ──


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("x = 1\n1 / 0\n", "ZeroDivisionError: division by zero", 2),
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'", 1),
        ("def broken(:\n    pass\n", "SyntaxError: invalid syntax", 1),
        ("def f():\n    raise SystemExit\n\nf()\n", "策略调用了 sys.exit()", 2),
        ("raise KeyError\n", "KeyError", 1),
        ("x = 1\n", "没有 ext", 0),
        ("ext = 7\n", "ext 应为 CtpbeeApi 子类的实例，现在是 int", 0),
        ("import json\njson.loads('{')\n", "JSONDecodeError: ", 2),
        ("def f():\n    f()\n\nf()\n", "RecursionError: ", 2),
        (
            "class E(Exception):\n    def __str__(self):\n        return 1 / 0\n\nraise E\n",
            "E: （它的 __str__",
            5,
        ),
        ("raise ValueError('\\udc80')\n", "ValueError: \\udc80", 1),
    ],
)
def test_a_failure_names_the_reason_and_the_line_of_the_strategys_own_file(
    tmp_path: Path, prepared: None, text: str, message: str, line: int
) -> None:
    path = tmp_path / "strategy.py"
    path.write_text(text, "utf-8")
    with pytest.raises(BaseException) as error:  # noqa: PT011 - SystemExit too
        load(path)
    report = failure(error.value, path, datetime(2025, 6, 6, 9, 0))
    assert report.message.startswith(message)
    assert report.line == line
    assert len(report.traceback) < 25_000
    assert msgspec.json.encode(report)
    assert report.time == "2025-06-06 09:00:00"
    if isinstance(error.value, NotAStrategy):
        assert report.traceback.count("\n") == 1
    else:
        assert "importlib" not in report.traceback, "only what happened in and below the strategy"


def test_a_file_that_is_written_anew_within_a_second_is_loaded_anew(tmp_path: Path) -> None:
    """As a roll does it: one contract in another's place, the same size, the same moment."""
    prepare(tmp_path)
    path = tmp_path / "mine.py"
    found = []
    for symbol in ("rb2401", "rb2405"):
        path.write_text(
            f"from ctpbee import CtpbeeApi\nclass Mine(CtpbeeApi): symbol = '{symbol}'\next = Mine('mine')\n"
        )
        os.utime(path, (1_700_000_000, 1_700_000_000))
        found.append(load(path).symbol)
    assert found == ["rb2401", "rb2405"]
