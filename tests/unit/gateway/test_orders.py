"""app/gateway/orders.py and order_check.py: placing, waiting, cancelling, closing. Hand-written fakes, a
clock driven by hand.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from concurrent.futures import Future
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from ctpbee.constant import (
    CancelRequest,
    ContractData,
    Direction,
    Exchange,
    Offset,
    OrderData,
    OrderRequest,
    Product,
    Status,
    TickData,
)
from hypothesis import given
from hypothesis import strategies as st

from app.bee.fields import request_words
from app.gateway.order_check import checked_price
from app.gateway.orders import CANCEL_SENT_TEXT, UNKNOWN_TEXT, OrderDesk
from app.lib import rows
from app.lib.book import Closable
from app.lib.calendar import SHANGHAI
from app.lib.errors import AppError, BadInput, NotFound, NotReady, OrderRefused
from app.lib.prices import PriceLimits, on_tick
from app.lib.rows import OtherStatus
from app.model.store import Intent, StoreFailed
from app.process.event_loop import EventLoop
from app.wire import deadlines
from app.wire.messages import (
    CancelAll,
    CancelOrder,
    ClosePosition,
    Counted,
    Done,
    OrderOutcome,
    PlaceOrder,
    VoidOrder,
)

TIMEOUT = 3.0
NOW = datetime(2024, 12, 2, 10, 0, tzinfo=SHANGHAI)
DAY = "20241202"


def a_contract(**values: Any) -> ContractData:
    fields: dict[str, Any] = {
        "symbol": "rb2501",
        "exchange": Exchange.SHFE,
        "name": "螺纹钢2501",
        "product": Product.FUTURES,
        "size": 10,
        "pricetick": 1.0,
        "expire_date": date(2025, 1, 15),
        "position_date_type": "1",
        "min_limit_order_volume": 2,
        "max_limit_order_volume": 500,
        "min_market_order_volume": 2,
        "max_market_order_volume": 30,
        "UpperLimitPrice": 3500.0,
        "LowerLimitPrice": 3100.0,
        "gateway_name": "sim",
    }
    return ContractData(**(fields | values))


def a_tick(price: float = 3300.0, age: float = 1.0, trading_day: str = DAY, **values: Any) -> TickData:
    """Bid and asked a tick around the price, unless said otherwise."""
    fields: dict[str, Any] = {
        "symbol": "rb2501",
        "exchange": Exchange.SHFE,
        "datetime": NOW - timedelta(seconds=age),
        "trading_day": trading_day,
        "last_price": price,
        "bid_price_1": price - 1 if price else 0.0,
        "ask_price_1": price + 1 if price else 0.0,
        "limit_up": 3500.0,
        "limit_down": 3100.0,
        "gateway_name": "sim",
    }
    return TickData(**(fields | values))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Book:
    """What is closable; each order in the way (all of today's lots) leaves as many more when it is not
    counted.
    """

    def __init__(self, closable: Closable, in_the_way: dict[str, int]) -> None:
        self._closable = closable
        self._in_the_way = in_the_way

    def closable(self, _symbol: str, _direction: str, apart_from: Collection[str] = ()) -> Closable:
        more = sum(self._in_the_way[order_id] for order_id in apart_from)
        return self._closable._replace(today=self._closable.today + more)


class Desk:
    """The desk in a house of fakes; it is account, trader, store and journal at once, and keeps what it was
    told.
    """

    trading_day = DAY

    def __init__(self, voided: dict[str, Any] | None = None) -> None:
        self.voided = voided or {}
        self.clock = Clock()
        self.loop = EventLoop(self.clock)
        self.ready = True
        self.loading = False  # after a login
        self.contracts = {"rb2501.SHFE": a_contract()}
        self.ticks: dict[str, TickData] = {"rb2501.SHFE": a_tick()}
        self.orders_by_id: dict[str, OrderData] = {}
        self.intents: dict[str, Intent] = {}
        self.sent: list[OrderRequest] = []
        self.cancels: list[CancelRequest] = []
        self.remarks: list[tuple[str, str]] = []
        self.settled: list[tuple[str, str, str, str]] = []
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}  # of the journal, by day and order
        self.subscribed: list[str] = []
        self.streamed = True  # every contract that has a tick
        self.market_trouble = ""
        self.unheard: list[OrderOutcome] = []
        self.unheard_ids: list[str] = []  # their senders' own ids
        self.closable = Closable(3, 2)
        self.in_the_way: dict[str, int] = {}  # lots that a working close holds, by its id
        self.config = {"CLOSE_PATTERN": "today", "SLIPPAGE_COVER": 2, "SLIPPAGE_SELL": 1}
        self.line_is_down = False
        self.room = 1_000  # intents that the disk still takes
        self.desk = OrderDesk(
            account=self,
            trader=lambda: self,
            book=lambda: Book(self.closable, self.in_the_way),
            config=self.config,
            store=self,  # type: ignore[arg-type]
            journal=self,  # type: ignore[arg-type]
            loop=self.loop,
            timeout=TIMEOUT,
            subscribe=self.subscribed.append,
            refused_unheard=self._refused_unheard,
        )

    def _refused_unheard(self, outcome: OrderOutcome, client_order_id: str) -> None:
        self.unheard.append(outcome)
        self.unheard_ids.append(client_order_id)

    # account
    def is_ready(self) -> bool:
        return self.ready

    def is_logged_in(self) -> bool:
        return self.ready or self.loading

    def front_reason(self) -> str:
        return "" if self.ready else "网络读失败"

    def contract(self, symbol: str) -> ContractData | None:
        return self.contracts.get(symbol) or self.contracts.get(f"{symbol}.SHFE")

    def tick(self, local_symbol: str) -> TickData | None:
        return self.ticks.get(local_symbol)

    def quote(self, local_symbol: str) -> TickData | None:
        return self.ticks.get(local_symbol) if self.streamed else None

    def market_reason(self) -> str:
        return self.market_trouble

    def order(self, order_id: str) -> OrderData | None:
        return self.orders_by_id.get(order_id)

    def working_orders(self) -> list[OrderData]:
        return [order for order in self.orders_by_id.values() if rows.is_working(rows.row_of(order))]

    # trader
    def remark(self, order_id: str, text: str) -> None:
        self.remarks.append((order_id, text))

    def counter_now(self) -> datetime:
        return NOW

    def send_order(
        self, request: OrderRequest, client_order_id: str = "", strategy: str = "", deadline: float = 0.0
    ) -> str:
        order_id = f"1_2_{len(self.sent) + 1}"
        self.intents[order_id] = Intent(
            order_id, client_order_id, DAY, NOW.isoformat(), request_words(request)
        )
        if len(self.intents) > self.room:
            del self.intents[order_id]
            raise NotReady("报单日志写入失败，报单未发出", code="JOURNAL_FAILED")
        if self.line_is_down:
            self.intents[order_id] = self.intents[order_id]._replace(
                state="never_sent", code="NEVER_SENT", message="连接已断开，未发出"
            )
            raise OrderRefused("连接已断开，未发出", code="NEVER_SENT", order_id=order_id)
        if deadlines.is_over(deadline):
            text = "报单迟到，未发出"
            self.intents[order_id] = self.intents[order_id]._replace(
                state="never_sent", code=deadlines.TOO_LATE, message=text
            )
            raise OrderRefused(text, code=deadlines.TOO_LATE, order_id=order_id)
        self.sent.append(request)
        return order_id

    def cancel_order(self, request: CancelRequest) -> int:
        self.cancels.append(request)
        return 0

    # journal and store
    def settle_intent(self, order_id: str, state: str, code: str, message: str) -> None:
        self.settled.append((order_id, state, code, message))
        if order_id in self.intents:
            self.intents[order_id] = self.intents[order_id]._replace(state=state, code=code, message=message)

    def intent_of_client(self, client_order_id: str) -> Intent | None:
        return next(
            (intent for intent in self.intents.values() if intent.client_order_id == client_order_id), None
        )

    def settings(self, _scope: str) -> dict[str, Any]:
        return self.voided

    def put_setting(self, _scope: str, key: str, value: Any) -> None:
        if not self.room:
            raise StoreFailed
        self.voided[key] = value

    def delete_setting(self, _scope: str, key: str) -> None:
        self.voided = {name: value for name, value in self.voided.items() if name != key}

    def order_row(self, trading_day: str, order_id: str) -> dict[str, Any] | None:
        return self.rows.get((trading_day, order_id))

    # what tests do
    def see_close(self, order_id: str, volume: int, **more: Any) -> None:
        """A working close of today's lots, sent here or elsewhere."""
        self.in_the_way[order_id] = volume
        self.orders_by_id[order_id] = OrderData(
            symbol="rb2501",
            exchange=Exchange.SHFE,
            order_id=order_id,
            volume=volume,
            status=Status.NOTTRADED,
            gateway_name="sim",
            **more,
        )

    def hear(
        self,
        order_id: str,
        status: Status | OtherStatus,
        traded: int = 0,
        is_news: bool = True,
        **extras: Any,
    ) -> None:
        request = self.sent[int(order_id.rpartition("_")[2]) - 1]
        order = OrderData(
            symbol=request.symbol,
            exchange=request.exchange,
            order_id=order_id,
            type=request.type,
            direction=request.direction,
            offset=request.offset,
            price=request.price,
            volume=request.volume,
            traded=traded,
            status=status,
            gateway_name="sim",
            **{"error_code": "", **extras},
        )
        self.orders_by_id[order_id] = order
        self.desk.on_order(rows.row_of(order), is_news)

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        self.loop.run_due()


@pytest.fixture
def house() -> Desk:
    return Desk()


def an_order(**values: Any) -> PlaceOrder:
    fields: dict[str, Any] = {
        "local_symbol": "rb2501.SHFE",
        "direction": "long",
        "offset": "open",
        "type": "limit",
        "price": 3300.0,
        "volume": 2,
    }
    return PlaceOrder(**(fields | values))


def refusal(future: Future[Any]) -> AppError:
    error = future.exception(timeout=0)
    assert isinstance(error, AppError)
    return error


# ── placing ──


def test_an_order_is_answered_when_the_exchange_has_taken_it(house: Desk) -> None:
    future = house.desk.place(an_order())
    house.hear("1_2_1", Status.SUBMITTING)
    assert not future.done()
    house.hear("1_2_1", Status.NOTTRADED)
    assert future.result(0) == OrderOutcome("1_2_1", "accepted", message="未成交", status="未成交")
    assert house.settled == [("1_2_1", "accepted", "", "未成交")]
    request = house.sent[0]
    assert (request.direction, request.offset, request.volume, request.price) == (
        Direction.LONG,
        Offset.OPEN,
        2,
        3300.0,
    )


@pytest.mark.parametrize(
    ("status", "traded", "message"),
    [
        (Status.PARTTRADED, 1, "部分成交 1/2 手"),
        (Status.ALLTRADED, 2, "全部成交"),
        (Status.CANCELLED, 1, "已撤销，成交 1/2 手"),
    ],
)
def test_an_order_that_goes_further_at_once_is_accepted_and_says_how_far(
    house: Desk, status: Status, traded: int, message: str
) -> None:
    future = house.desk.place(an_order(type="fak"))
    house.hear("1_2_1", status, traded)
    assert future.result(0) == OrderOutcome(
        "1_2_1", "accepted", message=message, status=status.value, traded=traded
    )


def test_a_refusal_has_the_counters_text_and_a_line_of_advice(house: Desk) -> None:
    future = house.desk.place(an_order())
    house.hear("1_2_1", Status.REJECTED, error_code="CTP_31", error_message="CTP:资金不足")
    outcome = future.result(0)
    assert (outcome.state, outcome.code) == ("refused", "CTP_31")
    assert outcome.message.startswith("CTP:资金不足")
    assert "可用资金不足" in outcome.message
    assert house.unheard == []


@pytest.mark.parametrize(
    ("code", "text", "told"),
    [
        ("CTP_31", "CTP:资金不足", "报单 1_2_1 被拒，ErrorID 31：CTP:资金不足。"),
        ("EXCHANGE_REJECT", "已撤单报单被拒绝SHFE:停板", "报单 1_2_1 被拒：已撤单报单被拒绝SHFE:停板"),
    ],
)
def test_the_log_has_the_counters_own_id_of_a_refusal_and_the_exchange_has_none(
    house: Desk, caplog: pytest.LogCaptureFixture, code: str, text: str, told: str
) -> None:
    house.desk.place(an_order())
    house.hear("1_2_1", Status.REJECTED, error_code=code, error_message=text)
    assert [
        record.getMessage().startswith(told) for record in caplog.records if record.levelname == "ERROR"
    ] == [True]


def test_the_exchanges_refusal_has_its_own_code(house: Desk) -> None:
    future = house.desk.place(an_order())
    house.hear(
        "1_2_1",
        Status.REJECTED,
        error_code="EXCHANGE_REJECT",
        error_message="已撤单报单被拒绝SHFE:价格非最小变动价位",
    )
    assert future.result(0).code == "EXCHANGE_REJECT"
    assert "价格非最小变动价位" in future.result(0).message


def test_an_order_without_reply_is_reported_as_unknown_and_never_as_failed(house: Desk) -> None:
    future = house.desk.place(an_order())
    house.pass_time(TIMEOUT - 0.01)
    assert not future.done()
    house.pass_time(0.02)
    assert future.result(0) == OrderOutcome("1_2_1", "unknown", "ORDER_STATE_UNKNOWN", UNKNOWN_TEXT)
    assert house.settled[-1][:3] == ("1_2_1", "unknown", "ORDER_STATE_UNKNOWN")
    assert house.remarks == [("1_2_1", UNKNOWN_TEXT)], (
        "every page is to see it, not the one alone that sent it"
    )
    assert len(house.sent) == 1


def test_a_refusal_that_comes_too_late_reaches_the_pages_as_an_error(house: Desk) -> None:
    house.desk.place(an_order())
    house.pass_time(TIMEOUT)
    house.hear("1_2_1", Status.REJECTED, error_code="CTP_31", error_message="资金不足")
    assert [outcome.code for outcome in house.unheard] == ["CTP_31"]
    assert house.settled[-1] == ("1_2_1", "refused", "CTP_31", "资金不足")


def test_the_journal_keeps_the_counters_own_text_and_who_asks_again_gets_our_advice_with_it_once(
    house: Desk,
) -> None:
    first = house.desk.place(an_order(client_order_id="a-1"))
    house.hear("1_2_1", Status.REJECTED, error_code="CTP_31", error_message="CTP:资金不足")
    assert house.settled == [
        ("1_2_1", "refused", "CTP_31", "CTP:资金不足")
    ]  # what the order is shown with after a restart
    house.orders_by_id.clear()
    again = house.desk.place(an_order(client_order_id="a-1")).result(0)
    assert again.message == first.result(0).message
    assert again.message.count("可用资金不足") == 1


def test_an_order_out_of_sight_answers_as_unknown_and_its_intent_is_left_to_who_lost_sight_of_it(
    house: Desk,
) -> None:
    house.desk.place(an_order(client_order_id="a-1"))
    house.hear("1_2_1", Status.NOTTRADED)
    house.hear("1_2_1", OtherStatus.UNKNOWN, status_msg="柜台不再显示这张报单")
    outcome = house.desk.place(an_order(client_order_id="a-1")).result(0)
    assert (outcome.state, outcome.message) == ("unknown", "柜台不再显示这张报单")
    house.hear("1_2_1", Status.NOTTRADED)  # it lives
    assert [state for _, state, _, _ in house.settled] == ["accepted", "accepted"]


def test_a_refusal_that_a_login_replays_is_no_news(house: Desk) -> None:
    house.desk.place(an_order())
    house.pass_time(TIMEOUT)
    house.hear("1_2_1", Status.REJECTED, is_news=False, error_code="CTP_31", error_message="资金不足")
    assert house.unheard == []


def test_an_order_that_never_left_is_refused_and_says_so(house: Desk) -> None:
    house.line_is_down = True
    outcome = house.desk.place(an_order()).result(0)
    assert (outcome.state, outcome.code) == ("refused", "NEVER_SENT")


def test_an_order_that_comes_too_late_is_not_sent_and_pages_hear_of_it_since_who_asked_has_left(
    house: Desk,
) -> None:
    late = an_order(client_order_id="a-1", deadline=deadlines.now() - 0.001)
    outcome = house.desk.place(late).result(0)
    assert (outcome.state, outcome.code) == ("refused", "NEVER_SENT_TOO_LATE")
    assert "未发出" in outcome.message
    assert (house.unheard, house.unheard_ids) == ([outcome], ["a-1"])
    assert (
        house.desk.place(an_order(client_order_id="a-1")).result(0) == outcome
    )  # asked again: what became of it, and none is sent
    assert house.sent == []
    house.desk.place(an_order(client_order_id="a-2", deadline=deadlines.from_now()))
    assert len(house.sent) == 1


def test_whatever_else_is_wrong_with_an_order_that_comes_too_late_pages_hear_that_it_was_not_sent(
    house: Desk,
) -> None:
    house.ready = False
    with pytest.raises(NotReady):
        house.desk.place(an_order(client_order_id="a-3", deadline=deadlines.now() - 0.001))
    with pytest.raises(NotReady):
        house.desk.close_position(ClosePosition("rb2501.SHFE", "long", 1, deadline=deadlines.now() - 0.001))
    assert [outcome.code for outcome in house.unheard] == ["NOT_READY", "NOT_READY"]
    assert house.unheard_ids == ["a-3", ""]
    assert house.sent == []


def test_no_leg_of_a_close_that_comes_too_late_is_sent(house: Desk) -> None:
    closed = house.desk.close_position(
        ClosePosition("rb2501.SHFE", "long", 5, deadline=deadlines.now() - 0.001)
    ).result(0)
    assert [leg.code for leg in closed.outcomes] == ["NEVER_SENT_TOO_LATE"] * 2
    assert house.sent == []
    assert house.unheard == closed.outcomes


def test_nothing_is_sent_while_the_front_is_not_ready(house: Desk) -> None:
    house.ready = False
    with pytest.raises(NotReady):
        house.desk.place(an_order())
    assert house.sent == []


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        ("local_symbol", {"local_symbol": "xx9999.SHFE"}),
        ("local_symbol", {"local_symbol": ""}),
        ("local_symbol", {"local_symbol": "rb2501.DCE"}),
        ("direction", {"direction": "up"}),
        ("direction", {"direction": ""}),
        ("offset", {"offset": "forced"}),
        ("type", {"type": "stop"}),
        ("volume", {"volume": 0}),
        ("volume", {"volume": -1}),
        ("volume", {"volume": 501}),
        ("volume", {"volume": 10**30}),
        ("volume", {"volume": 1}),  # below the contract's least, for an open
        ("volume", {"volume": 31, "type": "market"}),
        ("price", {"price": math.nan}),
        ("price", {"price": math.inf}),
        ("price", {"price": 0.0}),
        ("price", {"price": -3300.0}),
        ("price", {"price": 1e308}),
        ("price", {"price": 3300.5}),
        ("price", {"price": 3501.0}),
        ("price", {"price": 3099.0}),
        ("price", {"price": 3300.5, "type": "fak"}),
        ("client_order_id", {"client_order_id": "x" * 65}),
        ("client_order_id", {"client_order_id": "a b"}),
        ("client_order_id", {"client_order_id": "a\n"}),
        ("client_order_id", {"client_order_id": "单"}),
    ],
)
def test_a_bad_parameter_is_named_and_nothing_is_sent(
    house: Desk, parameter: str, values: dict[str, Any]
) -> None:
    with pytest.raises(BadInput) as bad:
        house.desk.place(an_order(**values))
    assert bad.value.extra["parameter"] == parameter
    assert house.sent == []
    assert house.intents == {}


def test_an_order_that_is_refused_before_it_leaves_is_told_of_in_the_log(
    house: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(BadInput) as bad:
        house.desk.place(an_order(price=3300.5))
    (told,) = [record for record in caplog.records if record.name == "account.order"]
    assert (told.levelname, told.getMessage()) == (
        "ERROR",
        f"报单未发出：rb2501.SHFE 2 手：{bad.value.message}",
    )


def test_a_close_may_be_below_the_least_volume(house: Desk) -> None:
    house.desk.place(an_order(offset="closetoday", direction="short", volume=1))
    assert house.sent[0].volume == 1


def test_a_market_orders_price_does_not_matter(house: Desk) -> None:
    house.desk.place(an_order(type="market", price=math.nan))
    assert house.sent[0].price == 0.0


@pytest.mark.parametrize(
    "contract",
    [a_contract(product=Product.OPTION), a_contract(expire_date=date(2024, 12, 1))],
    ids=["option", "expired"],
)
def test_options_and_expired_contracts_cannot_be_traded(house: Desk, contract: ContractData) -> None:
    house.contracts["rb2501.SHFE"] = contract
    with pytest.raises(BadInput) as bad:
        house.desk.place(an_order())
    assert bad.value.extra["parameter"] == "local_symbol"
    assert house.sent == []


def test_a_tick_of_yesterday_does_not_set_todays_limits(house: Desk) -> None:
    house.contracts["rb2501.SHFE"] = a_contract(UpperLimitPrice=3200.0)
    house.ticks["rb2501.SHFE"] = a_tick(trading_day="20241129")
    with pytest.raises(BadInput):
        house.desk.place(an_order(price=3300.0))


@given(st.floats(), st.sampled_from([1.0, 0.2, 5.0, 0.005]))
def test_a_price_that_passes_is_on_the_tick_and_inside_the_limits(price: float, tick: float) -> None:
    try:
        checked_price(price, a_contract(pricetick=tick), PriceLimits(3500.0, 3100.0))
    except BadInput:
        return
    assert on_tick(price, tick)
    assert 3100.0 <= price <= 3500.0


# ── client_order_id ──


def test_the_same_client_order_id_twice_is_one_order_and_one_answer(house: Desk) -> None:
    first = house.desk.place(an_order(client_order_id="a-1"))
    second = house.desk.place(an_order(client_order_id="a-1", local_symbol="rb2501"))
    house.hear("1_2_1", Status.NOTTRADED)
    assert len(house.sent) == 1
    assert first.result(0) == second.result(0)


def test_asked_again_later_it_is_the_orders_state_by_then(house: Desk) -> None:
    house.desk.place(an_order(client_order_id="a-1"))
    house.hear("1_2_1", Status.NOTTRADED)
    house.hear("1_2_1", Status.ALLTRADED, 2)
    again = house.desk.place(an_order(client_order_id="a-1")).result(0)
    assert (again.message, again.status, again.traded) == ("全部成交", "全部成交", 2)
    assert len(house.sent) == 1


@pytest.mark.parametrize(
    ("row", "end"),
    [
        ({"status": "全部成交", "traded": 2}, "全部成交，成交 2/2 手"),
        ({"status": "部分成交", "traded": 1}, "当日结束时未成交部分已失效，成交 1/2 手"),
        ({"status": "未成交", "traded": 0}, "当日结束时未成交部分已失效，成交 0/2 手"),
        ({"status": "拒单", "traded": 0}, "拒单，成交 0/2 手"),
        (None, "报单已发出，柜台未确认，请勿重复下单"),
    ],
)
@pytest.mark.parametrize("values", [{}, {"volume": 3}])
def test_the_client_order_id_of_an_earlier_trading_day_is_refused_with_that_days_order_and_sends_nothing(
    house: Desk, row: dict[str, Any] | None, end: str, values: dict[str, Any]
) -> None:
    """An answer 成功下单 with yesterday's order is a position that nobody has."""
    house.desk.place(an_order(client_order_id="open-rb"))
    house.pass_time(TIMEOUT)
    if row is not None:
        house.rows[DAY, "1_2_1"] = {"order_id": "1_2_1", "volume": 2} | row
    house.trading_day = "20241203"
    with pytest.raises(BadInput) as bad:
        house.desk.place(an_order(client_order_id="open-rb", **values))
    assert bad.value.code == "CLIENT_ORDER_ID_REUSED"
    assert len(house.sent) == 1
    assert {name: bad.value.extra[name] for name in ("order_id", "trading_day", "end")} == {
        "order_id": "1_2_1",
        "trading_day": DAY,
        "end": end,
    }
    assert DAY in bad.value.message
    assert "1_2_1" in bad.value.message
    assert end in bad.value.message


def test_an_order_that_was_sent_as_the_day_turned_is_the_new_days(house: Desk) -> None:
    house.desk.place(an_order(client_order_id="a-1"))
    house.trading_day = "20241203"
    house.hear("1_2_1", Status.NOTTRADED)
    assert house.desk.place(an_order(client_order_id="a-1")).result(0).status == "未成交"


def test_before_the_trading_day_is_known_no_client_order_id_is_answered_as_todays(house: Desk) -> None:
    house.desk.place(an_order(client_order_id="a-1"))
    house.pass_time(TIMEOUT)
    house.trading_day, house.ready = "", False
    with pytest.raises(NotReady, match="以同一编号再试"):
        house.desk.place(an_order(client_order_id="a-1"))
    assert len(house.sent) == 1


def test_an_order_whose_answer_was_lost_is_found_by_its_client_order_id(house: Desk) -> None:
    with pytest.raises(NotFound):
        house.desk.find("a-1")
    house.desk.place(an_order(client_order_id="a-1"))
    house.pass_time(TIMEOUT)
    assert (house.desk.find("a-1").order_id, house.desk.find("a-1").state) == ("1_2_1", "unknown")
    house.hear("1_2_1", Status.NOTTRADED)
    assert house.desk.find("a-1").state == "sent"
    assert len(house.sent) == 1


@pytest.mark.parametrize(
    "values",
    [{"volume": 3}, {"price": 3301.0}, {"direction": "short"}, {"type": "fok"}, {"local_symbol": "nope"}],
)
def test_the_same_client_order_id_with_other_content_is_refused(house: Desk, values: dict[str, Any]) -> None:
    house.desk.place(an_order(client_order_id="a-1"))
    with pytest.raises(BadInput) as bad:
        house.desk.place(an_order(client_order_id="a-1", **values))
    assert bad.value.code == "CLIENT_ORDER_ID_REUSED"
    assert len(house.sent) == 1


def test_an_unknown_outcome_stays_unknown_when_asked_again_and_is_not_sent_again(house: Desk) -> None:
    house.desk.place(an_order(client_order_id="a-1"))
    house.pass_time(TIMEOUT)
    assert house.desk.place(an_order(client_order_id="a-1")).result(0).code == "ORDER_STATE_UNKNOWN"
    assert len(house.sent) == 1


def test_an_order_that_never_left_gives_the_same_answer_again(house: Desk) -> None:
    house.line_is_down = True
    first = house.desk.place(an_order(client_order_id="a-1")).result(0)
    house.line_is_down = False
    assert house.desk.place(an_order(client_order_id="a-1")).result(0) == first
    assert house.sent == []


@pytest.mark.parametrize("name", ["rb2501.SHFE", "rb2501"])
def test_asked_again_while_the_contracts_are_still_loading_it_is_the_same_order(
    house: Desk, name: str
) -> None:
    """After a restart of the gateway, or once the contract has expired."""
    house.desk.place(an_order(client_order_id="a-1"))
    house.contracts, house.ready = {}, False
    house.pass_time(TIMEOUT)
    assert house.desk.place(an_order(client_order_id="a-1", local_symbol=name)).result(0).state == "unknown"
    assert len(house.sent) == 1


def test_an_order_taken_for_lost_that_turns_up_is_settled_as_accepted(house: Desk) -> None:
    house.desk.place(an_order(client_order_id="a-1"))
    house.pass_time(TIMEOUT)
    house.hear("1_2_1", Status.REJECTED, error_code="NEVER_ARRIVED", error_message="未到达柜台")
    house.hear("1_2_1", Status.NOTTRADED)
    assert [state for _, state, _, _ in house.settled] == ["unknown", "refused", "accepted"]
    assert house.desk.place(an_order(client_order_id="a-1")).result(0).state == "accepted"


def test_an_answer_is_given_again_although_the_front_is_lost(house: Desk) -> None:
    house.desk.place(an_order(client_order_id="a-1"))
    house.hear("1_2_1", Status.NOTTRADED)
    house.ready = False
    assert house.desk.place(an_order(client_order_id="a-1")).result(0).state == "accepted"


# ── cancelling ──


@pytest.mark.parametrize("order_id", ["1_2_1", "sim.1_2_1", " 1_2_1 "])
def test_a_cancel_is_done_when_the_order_is_gone(house: Desk, order_id: str) -> None:
    house.desk.place(an_order())
    house.hear("1_2_1", Status.NOTTRADED)
    future = house.desk.cancel(CancelOrder(order_id, "rb2501.SHFE"))
    assert not future.done()
    assert house.cancels[0].order_id == "1_2_1"
    house.hear("1_2_1", Status.CANCELLED)
    assert future.result(0) == Done()


def test_a_refused_cancel_says_why(house: Desk) -> None:
    house.desk.place(an_order())
    house.hear("1_2_1", Status.NOTTRADED)
    future = house.desk.cancel(CancelOrder("1_2_1"))
    house.hear("1_2_1", Status.ALLTRADED, 2)
    house.desk.on_cancel_refused("1_2_1", "CTP_26", "报单已全成交或已撤销")
    assert isinstance(refusal(future), OrderRefused)
    assert refusal(future).code == "CTP_26"


def test_a_second_cancel_waits_for_the_first_and_is_not_sent(house: Desk) -> None:
    """The counter would refuse it with 24, and the first one's caller would hear of a refusal although his
    cancel works.
    """
    house.desk.place(an_order())
    house.hear("1_2_1", Status.NOTTRADED)
    first, second = house.desk.cancel(CancelOrder("1_2_1")), house.desk.cancel(CancelOrder("1_2_1"))
    assert len(house.cancels) == 1
    house.hear("1_2_1", Status.CANCELLED)
    assert first.result(0) == second.result(0) == Done()


def test_a_cancel_without_reply_has_left(house: Desk) -> None:
    house.desk.place(an_order())
    house.hear("1_2_1", Status.NOTTRADED)
    future = house.desk.cancel(CancelOrder("1_2_1"))
    house.pass_time(TIMEOUT)
    assert future.result(0) == Done(CANCEL_SENT_TEXT)


@pytest.mark.parametrize("order_id", ["9_9_9", "", "sim.", "' OR 1=1", "1_2_1\x00", "x" * 10_000])
def test_somebody_elses_order_is_not_found_and_nothing_is_sent(house: Desk, order_id: str) -> None:
    house.desk.place(an_order())
    with pytest.raises(NotFound):
        house.desk.cancel(CancelOrder(order_id))
    assert house.cancels == []


@pytest.mark.parametrize("status", [Status.ALLTRADED, Status.CANCELLED, Status.REJECTED])
def test_a_cancel_of_an_order_that_has_ended_is_refused_at_once_and_not_sent(
    house: Desk, status: Status
) -> None:
    house.desk.place(an_order())
    house.hear("1_2_1", status)
    with pytest.raises(OrderRefused, match=status.value) as refused:
        house.desk.cancel(CancelOrder("1_2_1"))
    assert (refused.value.code, house.cancels) == ("ORDER_ENDED", [])


def test_an_order_that_is_only_taken_for_lost_can_be_cancelled(house: Desk) -> None:
    house.desk.place(an_order())
    house.hear("1_2_1", Status.REJECTED, error_code="NEVER_ARRIVED")
    house.desk.cancel(CancelOrder("1_2_1"))
    assert len(house.cancels) == 1


def test_a_cancel_that_names_another_contract_is_refused(house: Desk) -> None:
    house.desk.place(an_order())
    house.hear("1_2_1", Status.NOTTRADED)
    with pytest.raises(BadInput):
        house.desk.cancel(CancelOrder("1_2_1", "hc2501.SHFE"))
    assert house.cancels == []


def test_cancel_all_cancels_what_still_works_and_counts_it(house: Desk) -> None:
    for _ in range(4):
        house.desk.place(an_order())
    for number, status in enumerate(
        [Status.SUBMITTING, Status.NOTTRADED, Status.PARTTRADED, Status.ALLTRADED], 1
    ):
        house.hear(f"1_2_{number}", status)
    assert house.desk.cancel_all(CancelAll()).count == 3
    assert [request.order_id for request in house.cancels] == ["1_2_1", "1_2_2", "1_2_3"]


def test_cancel_all_twice_sends_each_cancel_once(house: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "account.order")
    for number in (1, 2):
        house.desk.place(an_order())
        house.hear(f"1_2_{number}", Status.NOTTRADED)
    waiting = house.desk.cancel(CancelOrder("1_2_1"))
    assert house.desk.cancel_all(CancelAll()) == house.desk.cancel_all(CancelAll()) == Counted(2)
    assert [request.order_id for request in house.cancels] == ["1_2_1", "1_2_2"]
    assert [line for line in caplog.messages if "撤单已发出" in line] == [
        "撤单已发出：1_2_1",
        "撤单已发出：1_2_2",
    ]
    house.hear("1_2_1", Status.CANCELLED)
    assert waiting.result(0) == Done()
    house.pass_time(TIMEOUT)  # nobody has answered the other: it may be asked for again
    assert house.desk.cancel_all(CancelAll()) == Counted(1)
    assert len(house.cancels) == 3


def test_a_refused_cancel_that_nobody_waits_for_is_told_to_all_pages(house: Desk) -> None:
    house.desk.place(an_order())
    house.hear("1_2_1", Status.NOTTRADED)
    house.desk.cancel_all(CancelAll())
    house.desk.on_cancel_refused("1_2_1", "CTP_26", "报单已全成交或已撤销")
    assert [(outcome.order_id, outcome.code) for outcome in house.unheard] == [("1_2_1", "CTP_26")]


# ── closing ──


def test_a_close_takes_todays_lots_first_at_the_bid_less_slippage(house: Desk) -> None:
    future = house.desk.close_position(ClosePosition("rb2501", "long", 4))
    assert [(leg.direction, leg.offset, leg.volume, leg.price) for leg in house.sent] == [
        (Direction.SHORT, Offset.CLOSETODAY, 3, 3297.0),
        (Direction.SHORT, Offset.CLOSEYESTERDAY, 1, 3297.0),
    ]
    house.hear("1_2_2", Status.ALLTRADED, 1)
    assert not future.done()
    house.hear("1_2_1", Status.NOTTRADED)
    assert [outcome.order_id for outcome in future.result(0).outcomes] == ["1_2_1", "1_2_2"]


def test_a_leg_that_could_not_be_sent_does_not_hide_the_one_that_was(house: Desk) -> None:
    house.room = 1
    future = house.desk.close_position(ClosePosition("rb2501.SHFE", "long", 5))
    house.hear("1_2_1", Status.NOTTRADED)
    first, second = future.result(0).outcomes
    assert (first.order_id, first.state) == ("1_2_1", "accepted")
    assert (second.order_id, second.state, second.code) == ("", "refused", "JOURNAL_FAILED")


def test_a_close_that_is_asked_for_twice_under_one_id_is_sent_once(house: Desk) -> None:
    close = ClosePosition("rb2501.SHFE", "long", 4, client_order_id="c-1")
    first = house.desk.close_position(close)
    assert [intent.client_order_id for intent in house.intents.values()] == ["c-1", "c-1.2"]
    house.closable = Closable(0, 1)  # what the working legs leave
    again = house.desk.close_position(close)
    house.hear("1_2_1", Status.ALLTRADED, 3)
    house.hear("1_2_2", Status.NOTTRADED)
    assert len(house.sent) == 2
    assert first.result(0) == again.result(0)
    assert [leg.status for leg in again.result(0).outcomes] == ["全部成交", "未成交"]


def test_a_close_that_nobody_answered_stays_unknown_when_asked_again_also_after_a_restart(
    house: Desk,
) -> None:
    close = ClosePosition("rb2501.SHFE", "long", 2, client_order_id="c-1")
    house.desk.close_position(close)
    house.pass_time(TIMEOUT)
    house.ready = False
    assert [leg.code for leg in house.desk.close_position(close).result(0).outcomes] == [
        "ORDER_STATE_UNKNOWN"
    ]
    assert len(house.sent) == 1


@pytest.mark.parametrize(
    "change",
    [{"volume": 3}, {"direction": "short"}, {"local_symbol": "hc2501.SHFE"}, {"price": 3200.0}],
)
def test_an_id_of_one_close_is_not_taken_for_another(house: Desk, change: dict[str, Any]) -> None:
    fields = {"local_symbol": "rb2501.SHFE", "direction": "long", "volume": 2, "client_order_id": "c-1"}
    house.desk.close_position(ClosePosition(**fields))
    with pytest.raises(BadInput) as bad:
        house.desk.close_position(ClosePosition(**(fields | change)))
    assert (bad.value.code, bad.value.extra["order_id"]) == ("CLIENT_ORDER_ID_REUSED", "1_2_1")
    assert len(house.sent) == 1


def test_an_id_of_an_opening_order_closes_nothing(house: Desk) -> None:
    house.desk.place(an_order(client_order_id="c-1"))
    with pytest.raises(BadInput) as bad:
        house.desk.close_position(ClosePosition("rb2501.SHFE", "long", 2, client_order_id="c-1"))
    assert bad.value.code == "CLIENT_ORDER_ID_REUSED"


def test_an_id_of_a_close_of_the_day_before_closes_nothing(house: Desk) -> None:
    close = ClosePosition("rb2501.SHFE", "long", 2, client_order_id="c-1")
    house.desk.close_position(close)
    house.pass_time(TIMEOUT)
    house.trading_day = "20241203"
    with pytest.raises(BadInput) as bad:
        house.desk.close_position(close)
    assert bad.value.extra["trading_day"] == DAY
    assert len(house.sent) == 1


def test_a_close_may_name_its_price_and_needs_no_quote_then(house: Desk) -> None:
    house.streamed = False
    house.desk.close_position(ClosePosition("rb2501.SHFE", "long", 4, price=3333.0))
    assert [leg.price for leg in house.sent] == [3333.0, 3333.0]
    with pytest.raises(BadInput) as bad:
        house.desk.close_position(ClosePosition("rb2501.SHFE", "long", 1, price=3333.5))
    assert bad.value.extra["parameter"] == "price"


def test_a_refused_first_leg_does_not_stop_the_second(house: Desk) -> None:
    future = house.desk.close_position(ClosePosition("rb2501.SHFE", "long", 5))
    house.hear("1_2_1", Status.REJECTED, error_code="CTP_50", error_message="平今仓位不足")
    house.hear("1_2_2", Status.NOTTRADED)
    assert [(leg.state, leg.code) for leg in future.result(0).outcomes] == [
        ("refused", "CTP_50"),
        ("accepted", ""),
    ]


def test_a_short_position_is_bought_back_above_the_ask(house: Desk) -> None:
    house.config["CLOSE_PATTERN"] = "yesterday"
    house.desk.close_position(ClosePosition("rb2501.SHFE", "short", 3))
    assert [(leg.direction, leg.offset, leg.volume, leg.price) for leg in house.sent] == [
        (Direction.LONG, Offset.CLOSEYESTERDAY, 2, 3302.0),
        (Direction.LONG, Offset.CLOSETODAY, 1, 3302.0),
    ]


def test_a_product_that_does_not_split_is_closed_in_one_order(house: Desk) -> None:
    house.contracts["rb2501.SHFE"] = a_contract(position_date_type="2")
    house.desk.close_position(ClosePosition("rb2501", "long", 5))
    assert [(leg.offset, leg.volume) for leg in house.sent] == [(Offset.CLOSE, 5)]


def test_the_closing_price_stays_inside_the_days_limits(house: Desk) -> None:
    house.config["SLIPPAGE_COVER"] = 1000
    house.desk.close_position(ClosePosition("rb2501", "long", 1))
    assert house.sent[0].price == 3100.0


def test_more_than_is_closable_is_refused_as_a_whole(house: Desk) -> None:
    with pytest.raises(OrderRefused):
        house.desk.close_position(ClosePosition("rb2501", "long", 6))
    assert house.sent == []


def test_where_only_another_sessions_order_is_in_the_way_the_counter_judges_the_close(house: Desk) -> None:
    """It may have ended long ago, or be one that we understand wrongly: who wants to get out is not to be
    held by that.
    """
    house.closable = Closable(0, 2)
    house.see_close("1_55_9", 3, is_local=False)
    house.desk.close_position(ClosePosition("rb2501", "long", 5))
    assert [(leg.offset, leg.volume) for leg in house.sent] == [
        (Offset.CLOSETODAY, 3),
        (Offset.CLOSEYESTERDAY, 2),
    ]


def test_what_another_session_holds_is_not_touched_where_the_rest_is_enough(house: Desk) -> None:
    house.closable = Closable(0, 2)
    house.see_close("1_55_9", 3, is_local=False)
    house.desk.close_position(ClosePosition("rb2501", "long", 2))
    assert [(leg.offset, leg.volume) for leg in house.sent] == [(Offset.CLOSEYESTERDAY, 2)]


@pytest.mark.parametrize("order", [{"is_local": True}, {"is_local": False}])
def test_a_close_of_more_than_is_held_or_than_our_own_orders_leave_is_refused_by_us(
    house: Desk, order: dict[str, Any]
) -> None:
    house.closable = Closable(0, 2)
    house.see_close("1_2_1", 3, **order)
    with pytest.raises(OrderRefused, match="可平昨 2 手，要平 6 手"):
        house.desk.close_position(ClosePosition("rb2501", "long", 6))
    if order["is_local"]:
        with pytest.raises(OrderRefused, match="可平昨 2 手，要平 5 手"):
            house.desk.close_position(ClosePosition("rb2501", "long", 5))
    assert house.sent == []


def test_a_quiet_contract_is_closed_at_the_quote_that_still_stands(house: Desk) -> None:
    """Fronts push on change alone: what was said an hour ago is what holds, as long as the contract is
    streamed.
    """
    house.ticks["rb2501.SHFE"] = a_tick(age=3600)
    house.desk.close_position(ClosePosition("rb2501", "long", 1))
    assert [order.price for order in house.sent] == [3297.0]


@pytest.mark.parametrize("tick", [None, a_tick()])
def test_of_a_contract_that_is_not_streamed_nothing_is_sent_and_it_is_subscribed(
    house: Desk, tick: TickData | None
) -> None:
    """A tick that is left from before it was unsubscribed, or from before the front was lost, says nothing of
    now.
    """
    house.ticks = {} if tick is None else {"rb2501.SHFE": tick}
    house.streamed = False
    with pytest.raises(OrderRefused, match="已订阅") as refused:
        house.desk.close_position(ClosePosition("rb2501", "long", 1))
    assert refused.value.code == "NO_FRESH_PRICE"
    assert house.sent == []
    assert house.subscribed == ["rb2501.SHFE"]


def test_while_the_market_front_is_away_a_close_says_so_and_nothing_is_sent(house: Desk) -> None:
    house.streamed, house.market_trouble = False, "已断开（网络读失败）"
    with pytest.raises(OrderRefused, match="行情前置已断开（网络读失败）") as refused:
        house.desk.close_position(ClosePosition("rb2501", "long", 1))
    assert refused.value.code == "NO_FRESH_PRICE"
    assert house.sent == []


def test_a_locked_limit_is_queued_at(house: Desk) -> None:
    """At the lower limit nobody bids: who wants to get out stands in the queue there."""
    house.ticks["rb2501.SHFE"] = a_tick(3100.0, bid_price_1=0.0, ask_price_1=3100.0)
    house.desk.close_position(ClosePosition("rb2501", "long", 1))
    house.ticks["rb2501.SHFE"] = a_tick(3500.0, bid_price_1=3500.0, ask_price_1=0.0)
    house.desk.close_position(ClosePosition("rb2501", "short", 1))
    assert [order.price for order in house.sent] == [3100.0, 3500.0]


def test_where_there_is_neither_a_quote_nor_a_price_nothing_is_sent(house: Desk) -> None:
    house.ticks["rb2501.SHFE"] = a_tick(price=0.0)
    with pytest.raises(OrderRefused) as refused:
        house.desk.close_position(ClosePosition("rb2501", "long", 1))
    assert refused.value.code == "NO_LAST_PRICE"
    assert house.sent == []


@pytest.mark.parametrize(
    ("parameter", "request_"),
    [
        ("volume", ClosePosition("rb2501", "long", 0)),
        ("volume", ClosePosition("rb2501", "long", 501)),
        ("direction", ClosePosition("rb2501", "多", 1)),
        ("local_symbol", ClosePosition("nope", "long", 1)),
    ],
)
def test_a_bad_close_is_named_and_nothing_is_sent(
    house: Desk, parameter: str, request_: ClosePosition
) -> None:
    with pytest.raises(BadInput) as bad:
        house.desk.close_position(request_)
    assert bad.value.extra["parameter"] == parameter
    assert house.sent == []


def test_nothing_is_closed_or_cancelled_while_the_front_is_not_ready(house: Desk) -> None:
    house.desk.place(an_order())
    house.hear("1_2_1", Status.NOTTRADED)
    house.ready = False
    for ask in (
        lambda: house.desk.close_position(ClosePosition("rb2501", "long", 1)),
        lambda: house.desk.cancel(CancelOrder("1_2_1")),
        lambda: house.desk.cancel_all(CancelAll()),
    ):
        with pytest.raises(NotReady):
            ask()
    assert len(house.sent) == 1
    assert house.cancels == []


def test_while_the_account_is_loading_after_a_login_cancels_leave_and_orders_do_not(house: Desk) -> None:
    house.desk.place(an_order())
    house.hear("1_2_1", Status.NOTTRADED)
    house.ready, house.loading = False, True
    with pytest.raises(NotReady):
        house.desk.close_position(ClosePosition("rb2501", "long", 1))
    house.desk.cancel(CancelOrder("1_2_1"))
    house.pass_time(TIMEOUT)
    assert house.desk.cancel_all(CancelAll()) == Counted(1)
    assert len(house.cancels) == 2


# ── ids that are dead ──


def test_an_id_that_never_came_is_dead_from_then_on_over_a_restart_too(house: Desk) -> None:
    assert house.desk.void(VoidOrder("lost")) == OrderOutcome("", "voided")
    assert house.desk.void(VoidOrder("lost")) == OrderOutcome("", "voided")
    for desk in (house, Desk(house.voided)):
        with pytest.raises(BadInput) as caught:
            desk.desk.place(an_order(client_order_id="lost"))
        assert caught.value.code == "CLIENT_ORDER_ID_REUSED"
        with pytest.raises(BadInput, match="已作废"):
            desk.desk.close_position(ClosePosition("rb2501.SHFE", "long", 1, client_order_id="lost"))
        assert not desk.sent
        desk.desk.place(an_order(client_order_id="another"))
        assert len(desk.sent) == 1


def test_an_order_that_came_is_answered_and_its_id_lives(house: Desk) -> None:
    house.desk.place(an_order(client_order_id="mine"))
    assert house.desk.void(VoidOrder("mine")).order_id == "1_2_1"
    house.hear("1_2_1", Status.NOTTRADED)
    assert house.desk.void(VoidOrder("mine")) == OrderOutcome("1_2_1", "sent")
    assert not house.voided
    assert house.desk.place(an_order(client_order_id="mine")).result(0).order_id == "1_2_1"
    assert len(house.sent) == 1


def test_an_id_that_could_not_be_written_down_is_not_called_dead(house: Desk) -> None:
    house.room = 0
    with pytest.raises(NotReady):
        house.desk.void(VoidOrder("lost"))
    house.room = 1
    house.desk.place(an_order(client_order_id="lost"))
    assert len(house.sent) == 1


def test_dead_ids_are_forgotten_after_a_month() -> None:
    now = datetime.now(UTC)
    desk = Desk(
        {"old": (now - timedelta(days=31)).isoformat(), "new": (now - timedelta(days=29)).isoformat()}
    )
    assert list(desk.voided) == ["new"]


@pytest.mark.parametrize("bad", ["", "a b", "a" * 65])
def test_what_is_no_id_is_not_made_dead(house: Desk, bad: str) -> None:
    with pytest.raises(BadInput):
        house.desk.void(VoidOrder(bad))
    assert not house.voided
