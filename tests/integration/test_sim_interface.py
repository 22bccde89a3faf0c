"""The sim interface against a hand-written front: login, loading, orders, losses, and the days after one
another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from ctpbee.constant import CancelRequest, Exchange, OrderType, Status

from app.interfaces import market, trader
from app.interfaces.sim import link
from app.lib.errors import BadInput, NotFound, NotReady, OrderRefused
from app.lib.rows import row_of
from app.model.sqlite import SqliteStore
from app.model.store import DuplicateIntent, Intent, Store, StoreFailed
from app.wire import frames
from app.wire.channel import ChannelClosed
from tests.fakes.app import Gateway, request
from tests.fakes.front import DAY, FakeFront, account, depth, detail, instrument, order, trade
from tests.support.waiting import eventually


@pytest.fixture
def front(tmp_path: Path) -> Iterator[FakeFront]:
    front = FakeFront(tmp_path)
    front.start()
    yield front
    front.stop()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = SqliteStore(tmp_path / "account.db")
    yield store
    store.close()


@pytest.fixture
def launch(front: FakeFront, store: Store, tmp_path: Path) -> Iterator[Callable[[], Gateway]]:
    """Starts gateways one after the other on the same store, as restarts do."""
    running: list[Gateway] = []

    def start() -> Gateway:
        while running:
            running.pop().stop()
        running.append(Gateway(front.address, store, tmp_path))
        running[0].start()
        return running[0]

    yield start
    while running:
        running.pop().stop()


@pytest.fixture
def gateway(launch: Callable[[], Gateway]) -> Gateway:
    gateway = launch()
    gateway.ready()
    return gateway


# ── login and loading ──


def test_a_login_goes_through_its_states_and_ends_ready(gateway: Gateway) -> None:
    assert [state for side, state, _ in gateway.states if side == "td"] == [
        "connecting",
        "connected",
        "logging_in",
        "logged_in",
        "loading",
        "ready",
    ]
    assert gateway.bee.trader.trading_day == DAY
    assert gateway.bee.trader.counter_now().isoformat().startswith("2025-06-09T09:30:0")
    assert list(gateway.ledger.contracts) == ["rb2510.SHFE"]
    eventually(lambda: gateway.ears.of("init"), "on_init")


def test_the_day_so_far_is_loaded_and_told_once_although_replay_and_query_both_have_it(
    front: FakeFront, launch: Callable[[], Gateway]
) -> None:
    front.details = [detail(2), detail(1, open_date=DAY, TradeID="t1", OpenPrice=3000.0)]
    front.orders = [order(status="5", VolumeTraded=1, SessionID=3)]
    front.trades = [trade("t1")]
    front.account = account(CurrMargin=9000.0, Commission=2.0)
    gateway = launch()
    gateway.ready()
    eventually(lambda: gateway.ears.of("init"), "loaded")
    assert gateway.ears.statuses("1_3_1") == [Status.CANCELLED]
    assert [row.tradeid for row in gateway.ears.of("trade")] == ["t1"]
    position = gateway.ledger.book.position("rb2510", "long")
    assert position is not None
    assert (position.volume, position.yd_volume) == (3, 2)
    assert gateway.differences == []


def test_a_refused_password_is_not_tried_again(front: FakeFront, launch: Callable[[], Gateway]) -> None:
    front.login_error = (3, "CTP:不合法的登录")
    gateway = launch()
    eventually(lambda: gateway.state("td") == "refused", "refused")
    eventually(
        lambda: not any(thread.name == "td-front" for thread in threading.enumerate()),
        "nobody tries any more",
    )
    logins = [
        frame for frame in front.heard if isinstance(frame, frames.ReqUserLogin) and frame.front == "td"
    ]
    assert len(logins) == 1
    assert (gateway.bee.trader.refusal.code, gateway.bee.trader.refusal.message) == (
        "CTP_3",
        "CTP:不合法的登录",
    )


def test_a_counter_that_is_not_initialised_is_asked_again(
    front: FakeFront, launch: Callable[[], Gateway]
) -> None:
    front.login_error = (7, "")
    gateway = launch()
    eventually(lambda: ("td", "lost", "柜台还没有初始化，请稍后再试") in gateway.states, "told why")
    front.login_error = (0, "")
    gateway.ready()


def test_a_trade_between_the_two_figures_makes_them_be_asked_again(
    front: FakeFront, launch: Callable[[], Gateway]
) -> None:
    def fill_meanwhile(query: frames.ReqQry) -> None:
        if query.what == "account" and not front.trades:
            front.orders, front.trades = [order(status="1", VolumeTraded=1, SessionID=3)], [trade("t1")]
            front.send(frames.RtnOrder(order=front.orders[0]), frames.RtnTrade(trade=front.trades[0]))
            front.details = [detail(1, open_date=DAY, TradeID="t1", OpenPrice=3000.0)]
            front.account = account(CurrMargin=3000.0, Commission=2.0)

    front.before_answer = fill_meanwhile
    gateway = launch()
    gateway.ready()
    assert (front.asked("position_detail"), gateway.differences) == (2, [])
    position = gateway.ledger.book.position("rb2510", "long")
    assert position is not None
    assert position.volume == 1


def test_a_book_that_differs_from_the_counters_is_told_and_the_counters_taken(
    front: FakeFront, launch: Callable[[], Gateway]
) -> None:
    front.details = [detail(1, open_date=DAY)]
    front.account = account(CurrMargin=2950.0, Commission=2.0)
    gateway = launch()
    gateway.ready()
    assert gateway.differences == ["rb2510 多 今仓：账本 0 手，柜台 1 手，以柜台为准"]
    position = gateway.ledger.book.position("rb2510", "long")
    assert position is not None
    assert position.volume == 1


# ── orders ──


def test_an_order_is_journalled_before_it_is_sent(front: FakeFront, gateway: Gateway, store: Store) -> None:
    seen: list[Intent | None] = []
    front.on_insert = lambda insert: seen.append(store.intent(f"1_7_{insert.OrderRef}"))
    order_id = gateway.send(client_order_id="mine")
    eventually(lambda: seen, "the order at the front")
    assert seen[0] is not None
    assert (seen[0].order_id, seen[0].state, seen[0].client_order_id) == (
        order_id,
        "sending",
        "mine",
    )
    assert {
        name: seen[0].request[name]
        for name in ("local_symbol", "direction", "offset", "type", "price", "volume")
    } == {
        "local_symbol": "rb2510.SHFE",
        "direction": "long",
        "offset": "open",
        "type": "limit",
        "price": 3000.0,
        "volume": 2,
    }


def test_submitted_is_told_after_send_order_has_returned_and_frozen_at_once(gateway: Gateway) -> None:
    def handler() -> tuple[str, int, float]:
        order_id = gateway.bee.trader.send_order(request())
        return order_id, len(gateway.ears.of("order")), float(gateway.ledger.money().frozen_margin)

    order_id, told, frozen = gateway.do(handler)
    assert (told, frozen) == (0, 6000.0)
    eventually(lambda: gateway.ears.statuses(order_id) == [Status.SUBMITTING], "提交中")


def test_a_remark_on_an_order_that_nobody_has_answered_is_news_and_gone_with_the_answer(
    front: FakeFront, gateway: Gateway
) -> None:
    order_id = gateway.send()
    for _ in range(2):
        gateway.do(lambda: gateway.bee.trader.remark(order_id, "柜台未确认"))
    told = [(row.status, row.status_msg) for row in gateway.ears.of("order")]
    assert told[-1] == (Status.SUBMITTING, "柜台未确认")
    assert [text for _, text in told].count("柜台未确认") == 1
    assert gateway.ledger.orders[order_id].status_msg == "柜台未确认"
    assert gateway.ledger.money().frozen_margin > 0
    front.send(frames.RtnOrder(order=order(status="3")))
    eventually(lambda: gateway.ears.statuses(order_id)[-1:] == [Status.NOTTRADED], "answered")
    gateway.do(lambda: gateway.bee.trader.remark(order_id, "柜台未确认"))
    assert gateway.ledger.orders[order_id].status_msg != "柜台未确认", "it has been answered meanwhile"


def test_an_order_is_followed_to_its_end(front: FakeFront, gateway: Gateway) -> None:
    order_id = gateway.send()
    front.send(
        frames.RtnOrder(order=order()),
        frames.RtnOrder(order=order(status="3")),
        frames.RtnTrade(trade=trade("t1")),
        frames.RtnOrder(order=order(status="1", VolumeTraded=1)),
        frames.RtnTrade(trade=trade("t1")),
        frames.RtnTrade(trade=trade("t2")),
        frames.RtnOrder(order=order(status="3")),
        frames.RtnOrder(order=order(status="0", VolumeTraded=2)),
    )
    eventually(lambda: Status.ALLTRADED in gateway.ears.statuses(order_id), "filled")
    gateway.do(lambda: None)
    assert gateway.ears.statuses(order_id) == [
        Status.SUBMITTING,
        Status.NOTTRADED,
        Status.PARTTRADED,
        Status.ALLTRADED,
    ]
    assert [row.tradeid for row in gateway.ears.of("trade")] == ["t1", "t2"]


def test_a_refusal_by_the_counter_is_told_once_with_its_text(front: FakeFront, gateway: Gateway) -> None:
    order_id = gateway.send()
    for kind in (frames.RspOrderInsert, frames.ErrRtnOrderInsert):
        front.send(kind(order=order(), ErrorID=31, ErrorMsg="CTP:资金不足"))
    front.send(frames.ErrRtnOrderInsert(order=order(SessionID=99), ErrorID=30, ErrorMsg="x"))
    eventually(lambda: Status.REJECTED in gateway.ears.statuses(order_id), "refused")
    gateway.do(lambda: None)
    assert gateway.ears.statuses(order_id) == [Status.SUBMITTING, Status.REJECTED]
    shown = gateway.ledger.orders[order_id]
    assert (shown.error_code, shown.error_message) == ("CTP_31", "CTP:资金不足")
    assert list(gateway.ledger.orders) == [order_id]
    assert gateway.ledger.money().frozen_margin == 0


def test_the_same_client_order_id_is_sent_once(front: FakeFront, gateway: Gateway) -> None:
    gateway.send(client_order_id="once")
    with pytest.raises(DuplicateIntent):
        gateway.send(client_order_id="once")
    gateway.send(client_order_id="twice")
    eventually(lambda: len(front.inserted()) == 2, "two orders at the front")


def test_order_refs_rise_over_restarts_and_above_the_counters(
    front: FakeFront, launch: Callable[[], Gateway], gateway: Gateway
) -> None:
    first = gateway.send()
    front.max_order_ref = "41"
    again = launch()
    again.ready()
    second = again.send()
    assert (first, second) == ("1_7_1", "1_8_42")
    front.max_order_ref = "0"
    last = launch()
    last.ready()
    assert last.send() == "1_9_43"


def test_an_unsupported_order_and_an_unknown_contract_are_told_before_anything_is_written(
    gateway: Gateway, store: Store
) -> None:
    with pytest.raises(BadInput):
        gateway.send(type=OrderType.STOP)
    with pytest.raises(BadInput):
        gateway.send(symbol="zz9999", exchange=None)
    assert store.intents(DAY) == []


def test_an_order_that_could_not_leave_is_settled_as_never_sent(
    gateway: Gateway, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_args: Any) -> None:
        raise ChannelClosed("gone")

    monkeypatch.setattr(gateway.bee.trader._link.connection._connection, "send", closed)
    with pytest.raises(OrderRefused) as error:
        gateway.send()
    assert error.value.code == "NEVER_SENT"
    (intent,) = store.intents(DAY)
    assert (intent.state, intent.order_id) == ("never_sent", error.value.extra["order_id"])
    assert gateway.ledger.orders == {}


def test_an_order_that_cannot_be_journalled_is_not_sent_and_says_so(
    front: FakeFront, gateway: Gateway, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_intent: Intent) -> None:
        raise StoreFailed("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store, "write_intent", full)
        with pytest.raises(NotReady, match="报单未发出") as error:
            gateway.send()
    assert error.value.code == "JOURNAL_FAILED"
    gateway.send()
    eventually(front.inserted, "the next one is sent")
    assert len(front.inserted()) == 1


def test_what_fails_once_an_order_has_left_does_not_make_it_look_unsent(
    front: FakeFront, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_row: Any) -> None:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(gateway.ledger, "submit", broken)
    order_id = gateway.send()
    eventually(front.inserted, "sent")
    front.send(frames.RtnOrder(order=order(status="3")))
    eventually(lambda: gateway.ears.statuses(order_id) == [Status.NOTTRADED], "followed all the same")


def test_a_send_from_another_thread_has_the_same_effect(front: FakeFront, gateway: Gateway) -> None:
    order_id = gateway.bee.trader.send_order(request())
    eventually(lambda: gateway.ears.statuses(order_id) == [Status.SUBMITTING], "提交中")


# ── cancels ──


def test_a_cancel_goes_by_the_triple_and_the_sysid_as_the_exchange_gave_it(
    front: FakeFront, gateway: Gateway
) -> None:
    order_id = gateway.send()
    front.send(frames.RtnOrder(order=order(status="3", OrderSysID="       42")))
    eventually(lambda: Status.NOTTRADED in gateway.ears.statuses(order_id), "queueing")
    gateway.do(lambda: gateway.bee.action.cancel(f"sim.{order_id}", gateway.ledger.orders[order_id]))
    cancel = eventually(
        lambda: [frame for frame in front.heard if isinstance(frame, frames.ReqOrderAction)], "the cancel"
    )[0]
    assert (cancel.FrontID, cancel.SessionID, cancel.OrderRef, cancel.OrderSysID) == (1, 7, "1", "       42")


def test_ctpbees_cancel_of_a_gfex_order_finds_its_exchange(
    front: FakeFront, launch: Callable[[], Gateway]
) -> None:
    front.instruments = [instrument("si2509", "GFEX")]
    front.orders = [order(status="3", InstrumentID="si2509", ExchangeID="GFEX", SessionID=3)]
    gateway = launch()
    gateway.ready()
    gateway.do(lambda: gateway.bee.action.cancel("sim.1_3_1", gateway.ledger.orders["1_3_1"]))
    cancel = eventually(
        lambda: [frame for frame in front.heard if isinstance(frame, frames.ReqOrderAction)], "the cancel"
    )[0]
    assert (cancel.InstrumentID, cancel.ExchangeID) == ("si2509", "GFEX")


def cancel(gateway: Gateway, order_id: str) -> None:
    gateway.do(
        lambda: gateway.bee.trader.cancel_order(
            CancelRequest(order_id=order_id, symbol="rb2510", exchange=Exchange.SHFE)
        )
    )


CANCEL_REFUSED: dict[str, Any] = {
    "InstrumentID": "rb2510",
    "ExchangeID": "SHFE",
    "OrderRef": "1",
    "FrontID": 1,
    "SessionID": 7,
    "OrderSysID": "",
    "ErrorID": 26,
    "ErrorMsg": "CTP:报单已全成交",
}


def test_a_refused_cancel_is_told_with_the_counters_code(front: FakeFront, gateway: Gateway) -> None:
    order_id = gateway.send()
    cancel(gateway, order_id)
    front.send(frames.RspOrderAction(**CANCEL_REFUSED))
    eventually(lambda: gateway.cancel_refusals == [(order_id, "CTP_26", "CTP:报单已全成交")], "the refusal")


def test_refusals_of_cancels_that_did_not_leave_from_here_are_no_news_and_the_days_are_told_once(
    front: FakeFront, gateway: Gateway
) -> None:
    order_id = gateway.send()
    front.send(frames.RspOrderAction(**CANCEL_REFUSED))  # of the night, or of another terminal's cancel
    cancel(gateway, order_id)
    front.send(frames.RspOrderAction(**CANCEL_REFUSED))
    eventually(lambda: gateway.cancel_refusals, "the refusal")
    front.drop("td")
    gateway.ready(times=2)
    front.send(frames.RspOrderAction(**CANCEL_REFUSED))  # RESTART: the login tells the day again
    front.send(frames.RtnOrder(order=order(status="3")))
    eventually(lambda: gateway.ears.statuses(order_id)[-1:] == [Status.NOTTRADED], "all is heard")
    assert len(gateway.cancel_refusals) == 1


def test_a_refused_cancel_of_the_night_is_no_news_once_a_later_one_has_cancelled_the_order(
    front: FakeFront, gateway: Gateway
) -> None:
    order_id = gateway.send()
    cancel(gateway, order_id)
    front.send(frames.RspOrderAction(**CANCEL_REFUSED))
    eventually(lambda: gateway.cancel_refusals, "the refusal")
    cancel(gateway, order_id)
    front.orders = [order(status="5")]
    front.send(frames.RtnOrder(order=order(status="5")))
    eventually(lambda: gateway.ears.statuses(order_id)[-1:] == [Status.CANCELLED], "cancelled")
    front.drop("td")
    gateway.ready(times=2)
    front.send(frames.RspOrderAction(**CANCEL_REFUSED))  # RESTART: the login tells the day again
    front.send(frames.RtnOrder(order=order(2, status="3")))
    eventually(lambda: gateway.ears.statuses("1_7_2") == [Status.NOTTRADED], "all is heard")
    assert len(gateway.cancel_refusals) == 1


def test_a_cancel_of_an_unknown_order_is_not_sent(gateway: Gateway) -> None:
    unknown = CancelRequest(order_id="9_9_9", symbol="rb2510", exchange=Exchange.SHFE)
    with pytest.raises(NotFound):
        gateway.do(lambda: gateway.bee.trader.cancel_order(unknown))


# ── quotes ──


def subscribed(front: FakeFront) -> set[str]:
    """What the market side streams by now."""
    streamed: set[str] = set()
    for frame in list(front.heard):
        if isinstance(frame, frames.ReqSubMarketData) and frame.subscribe:
            streamed.update(frame.InstrumentIDs)
        elif isinstance(frame, frames.ReqSubMarketData):
            streamed.difference_update(frame.InstrumentIDs)
    return streamed


def test_a_subscription_brings_ticks_and_its_end_ends_them(front: FakeFront, gateway: Gateway) -> None:
    gateway.do(lambda: gateway.bee.subscribe("rb2510.SHFE"))
    eventually(lambda: subscribed(front) == {"rb2510"}, "subscribed")
    front.send(
        frames.RtnDepthMarketData(
            ticks=[depth(), depth(LastPrice=3011.0, UpdateMillisec=0, UpdateTime="09:30:01")]
        ),
        side="md",
    )
    eventually(lambda: len(gateway.ears.of("tick")) == 2, "two ticks")
    assert [
        (tick.local_symbol, tick.last_price, tick.trading_day, tick.name) for tick in gateway.ears.of("tick")
    ] == [
        ("rb2510.SHFE", 3010.0, DAY, "螺纹钢2510"),
        ("rb2510.SHFE", 3011.0, DAY, "螺纹钢2510"),
    ]
    gateway.do(lambda: gateway.bee.unsubscribe("rb2510.SHFE"))
    eventually(lambda: subscribed(front) == set(), "unsubscribed")


def test_what_the_account_holds_is_streamed_and_moves_its_money(
    front: FakeFront, launch: Callable[[], Gateway]
) -> None:
    front.details, front.account = [detail(2)], account(CurrMargin=6000.0)
    gateway = launch()
    gateway.ready()
    eventually(lambda: subscribed(front) == {"rb2510"}, "held, hence streamed")
    front.send(frames.RtnDepthMarketData(ticks=[depth(LastPrice=3020.0)]), side="md")
    eventually(lambda: float(gateway.ledger.money().position_profit) == 400.0, "profit of 2 lots, 20 up")


def test_subscriptions_come_back_after_the_market_front_was_lost(front: FakeFront, gateway: Gateway) -> None:
    gateway.do(lambda: gateway.bee.subscribe("rb2510"))
    eventually(lambda: subscribed(front) == {"rb2510"}, "subscribed")
    before = len(front.heard)
    front.drop("md")
    eventually(lambda: ("md", "lost", "与前置的连接已断开") in gateway.states, "lost")
    eventually(
        lambda: any(isinstance(frame, frames.ReqSubMarketData) for frame in front.heard[before:]),
        "subscribed again",
    )


def test_ticks_conflate_per_contract_when_the_event_thread_lags(
    front: FakeFront, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market, "TICK_BACKLOG", 10)
    gateway.do(lambda: gateway.bee.subscribe("rb2510"))
    eventually(lambda: subscribed(front) == {"rb2510"}, "subscribed")
    gate = threading.Event()
    gateway.loop.post(gate.wait, 10)
    for number in range(100):
        front.send(frames.RtnDepthMarketData(ticks=[depth(Volume=number)]), side="md")
    eventually(
        lambda: gateway.bee.market._ticks and gateway.bee.market._ticks[-1].Volume == 99, "all ticks read"
    )
    gate.set()
    eventually(lambda: gateway.ears.of("tick") and gateway.ears.of("tick")[-1].volume == 99, "the newest")
    assert len(gateway.ears.of("tick")) <= 11


# ── losses ──


def test_a_lost_front_refuses_orders_then_comes_back_and_tells_nothing_twice(
    front: FakeFront, gateway: Gateway
) -> None:
    order_id = gateway.send()
    front.orders, front.trades = [order(status="1", VolumeTraded=1)], [trade("t1")]
    front.details = [detail(1, open_date=DAY, TradeID="t1", OpenPrice=3000.0)]
    front.account = account(CurrMargin=3000.0, Commission=2.0)
    front.send(frames.RtnOrder(order=front.orders[0]), frames.RtnTrade(trade=front.trades[0]))
    eventually(lambda: gateway.ears.of("trade"), "the fill")
    told = gateway.ears.statuses(order_id)
    front.stop()
    eventually(lambda: gateway.state("td") == "lost", "lost")
    with pytest.raises(NotReady):
        gateway.send()
    front.start()
    gateway.ready(times=2)
    assert gateway.ears.statuses(order_id) == told
    assert [row.tradeid for row in gateway.ears.of("trade")] == ["t1"]
    assert len(gateway.ears.of("init")) == 1
    assert gateway.differences == []
    assert [(row.order_id, row.traded) for row in gateway.ledger.active_orders()] == [(order_id, 1)]


def test_an_order_in_flight_that_the_counter_has_is_settled_as_accepted(
    front: FakeFront, gateway: Gateway, store: Store
) -> None:
    order_id = gateway.send()
    eventually(front.inserted, "the order at the front")
    front.orders = [order(status="3")]
    front.drop("td")
    gateway.ready(times=2)
    eventually(lambda: gateway.ears.statuses(order_id)[-1:] == [Status.NOTTRADED], "found")
    eventually(lambda: getattr(store.intent(order_id), "state", "") == "accepted", "settled")
    assert len(front.inserted()) == 1


def test_an_order_that_never_came_to_the_counter_is_refused_after_a_second_look(
    front: FakeFront, gateway: Gateway, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trader, "ARRIVAL_GRACE", 0.05)
    order_id = gateway.send()
    eventually(front.inserted, "sent")
    asked = front.asked("order")
    with front.holds_back("order", after=1):
        front.drop("td")
        gateway.ready(times=2)
        assert gateway.ledger.money().frozen_margin > 0
    eventually(lambda: gateway.ears.statuses(order_id)[-1:] == [Status.REJECTED], "settled")
    assert front.asked("order") == asked + 3
    intent = store.intent(order_id)
    assert intent is not None
    assert (intent.state, intent.code) == ("refused", "NEVER_ARRIVED")
    assert DAY in intent.message
    assert "没有这笔报单" in intent.message
    assert len(front.inserted()) == 1
    assert gateway.ledger.money().frozen_margin == 0
    front.send(frames.RtnOrder(order=order(status="3")))  # against all reason it lives
    eventually(lambda: gateway.ears.statuses(order_id)[-1:] == [Status.NOTTRADED], "alive")
    assert gateway.ledger.money().frozen_margin > 0


def test_an_order_that_arrives_late_is_found_by_the_second_look(
    front: FakeFront, gateway: Gateway, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trader, "ARRIVAL_GRACE", 0.05)
    order_id = gateway.send()
    eventually(front.inserted, "sent")
    with front.holds_back("order", after=1):
        front.drop("td")
        gateway.ready(times=2)
        front.orders = [order(status="3")]
    eventually(lambda: gateway.ears.statuses(order_id)[-1:] == [Status.NOTTRADED], "alive")
    assert Status.REJECTED not in gateway.ears.statuses(order_id)


# ── the counter's core restarts from its flow ──

ANEW = {"FrontID": 2, "SessionID": 991, "OrderRef": "5"}


def test_after_the_cores_restart_from_its_flow_an_order_is_the_one_it_was_also_for_a_new_gateway(
    front: FakeFront, gateway: Gateway, store: Store, launch: Callable[[], Gateway]
) -> None:
    order_id = gateway.send(client_order_id="mine")
    front.send(frames.RtnOrder(order=order(status="3")))
    eventually(lambda: gateway.ears.statuses(order_id)[-1:] == [Status.NOTTRADED], "taken")
    frozen = gateway.ledger.book.money().frozen_margin
    front.orders = [order(status="3", **ANEW)]
    front.drop("td")
    gateway.ready(times=2)
    assert list(gateway.ledger.orders) == [order_id]
    assert gateway.ledger.book.money().frozen_margin == frozen > 0
    store.save_order(
        DAY, order_id, row_of(gateway.ledger.orders[order_id])
    )  # what the gateway's journal does
    again = launch()
    again.ready()
    assert list(again.ledger.orders) == [order_id]
    assert (again.ledger.orders[order_id].client_order_id, again.ledger.orders[order_id].is_local) == (
        "mine",
        True,
    )
    cancel(again, order_id)
    asked = eventually(
        lambda: [frame for frame in front.heard if isinstance(frame, frames.ReqOrderAction)], "the cancel"
    )[0]
    assert (asked.FrontID, asked.SessionID, asked.OrderRef, asked.OrderSysID.strip()) == (2, 991, "5", "1")


def test_an_unanswered_order_is_never_refused_while_the_counter_shows_one_like_it_that_nobody_owns(
    front: FakeFront,
    gateway: Gateway,
    store: Store,
    launch: Callable[[], Gateway],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trader, "ARRIVAL_GRACE", 0.05)
    order_id = gateway.send(client_order_id="mine")
    eventually(front.inserted, "sent")
    front.orders = [order(status="3", **ANEW)]
    front.drop("td")
    eventually(lambda: gateway.notices, "told")
    ((code, text),) = gateway.notices
    assert code == "ORDER_ALIKE"
    assert "2_991_5" in text
    assert "勿重复下单" in text
    shown = gateway.ledger.orders[order_id]
    assert (shown.status.value, shown.error_code) == ("状态未知", "")
    intent = eventually(
        lambda: (found := store.intent(order_id)) and found.state == "unknown" and found, "kept as unknown"
    )
    assert (intent.code, "2_991_5" in intent.message) == ("ORDER_ALIKE", True)
    one = gateway.ledger.orders["2_991_5"]
    assert not one.is_local
    assert gateway.ledger.book.money().frozen_margin == 6000
    again = launch()
    again.ready()
    eventually(lambda: order_id in again.ledger.orders, "looked for again")
    assert again.notices == []
    assert again.ledger.orders[order_id].status.value == "状态未知"
    assert len(front.inserted()) == 1


def test_an_order_out_of_sight_is_not_cancelled_by_a_triple_that_is_another_orders_by_now(
    front: FakeFront, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trader, "ARRIVAL_GRACE", 0.05)
    order_id = gateway.send()
    eventually(front.inserted, "sent")
    front.orders = [
        order(status="3", **ANEW),
        order(status="3", OrderSysID="2", TraderID="seat1", OrderLocalID="9", LimitPrice=2900.0),
    ]
    front.drop("td")
    eventually(lambda: gateway.notices, "told")
    assert gateway.ledger.orders[order_id].status.value == "状态未知"
    with pytest.raises(NotFound, match="另一张"):
        cancel(gateway, order_id)
    cancel(gateway, f"{order_id}-SHFE-9")
    asked = eventually(
        lambda: [frame for frame in front.heard if isinstance(frame, frames.ReqOrderAction)], "the cancel"
    )
    assert [frame.OrderSysID for frame in asked] == ["2"]


@pytest.mark.parametrize("looks_without_it", [1, 2])
def test_one_answer_that_lacks_an_order_decides_nothing(
    front: FakeFront, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, looks_without_it: int
) -> None:
    """The core that answers queries may be behind the one that takes orders."""
    monkeypatch.setattr(trader, "ARRIVAL_GRACE", 0.05)
    order_id = gateway.send()
    eventually(front.inserted, "sent")
    before = front.asked("order")

    def late(request: frames.ReqQry) -> None:
        if request.what == "order" and front.asked("order") > before + 1 + looks_without_it:
            front.orders = [order(status="3")]

    front.before_answer = late
    front.drop("td")
    last = Status.NOTTRADED if looks_without_it == 1 else Status.REJECTED
    eventually(lambda: gateway.ears.statuses(order_id)[-1:] == [last], "decided")
    assert (Status.REJECTED in gateway.ears.statuses(order_id)) is (looks_without_it == 2)


@pytest.mark.parametrize("by", ["this process", "another process"])
def test_an_order_that_the_counter_has_forgotten_is_told_once_and_freezes_nothing(
    front: FakeFront,
    gateway: Gateway,
    store: Store,
    launch: Callable[[], Gateway],
    monkeypatch: pytest.MonkeyPatch,
    by: str,
) -> None:
    monkeypatch.setattr(trader, "ARRIVAL_GRACE", 0.05)
    order_id = gateway.send()
    front.send(frames.RtnOrder(order=order()), frames.RtnOrder(order=order(9, status="3", SessionID=55)))
    eventually(lambda: "1_55_9" in gateway.ledger.orders, "taken by the counter, and another terminal's too")
    store.settle_intent(order_id, "accepted", "", "")
    if by == "this process":
        front.drop("td")
    else:
        gateway = launch()
    told = 2 if by == "this process" else 1
    eventually(lambda: len(gateway.notices) >= told, "told")
    assert {code for code, _ in gateway.notices} == {"ORDER_FORGOTTEN"}
    assert any(order_id in text for _, text in gateway.notices)
    assert gateway.ledger.orders[order_id].status.value == "状态未知"
    assert gateway.ledger.money().frozen_margin == 0
    intent = store.intent(order_id)
    assert intent is not None
    assert (intent.state, intent.code) == ("unknown", "ORDER_FORGOTTEN")
    assert len(gateway.notices) == told
    asked = front.asked("order")
    front.drop("td")
    eventually(lambda: front.asked("order") == asked + 3, "looked for again")
    front.send(frames.RtnOrder(order=order(status="3")))
    eventually(lambda: gateway.ears.statuses(order_id)[-1:] == [Status.NOTTRADED], "it lives after all")
    assert len(gateway.notices) == told
    assert gateway.ledger.money().frozen_margin > 0


def test_an_order_that_has_ended_is_not_missed(
    front: FakeFront,
    gateway: Gateway,
    store: Store,
    launch: Callable[[], Gateway],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trader, "ARRIVAL_GRACE", 0.05)
    order_id = gateway.send()
    front.send(frames.RtnOrder(order=order(status="5")))
    eventually(lambda: gateway.ears.statuses(order_id)[-1:] == [Status.CANCELLED], "ended")
    store.settle_intent(order_id, "accepted", "", "")
    store.save_order(DAY, order_id, row_of(gateway.ledger.orders[order_id]))
    front.drop("td")
    gateway.ready(times=2)
    asked = front.asked("order")
    again = launch()
    again.ready()
    assert front.asked("order") == asked + 1  # the load's
    assert not gateway.bee.trader._missing
    assert not again.bee.trader._missing
    assert gateway.notices == again.notices == []


def test_a_killed_gateway_finds_its_orders_and_its_refusals_again(
    front: FakeFront, gateway: Gateway, store: Store, launch: Callable[[], Gateway]
) -> None:
    alive, refused = gateway.send(client_order_id="alive"), gateway.send()
    eventually(lambda: len(front.inserted()) == 2, "sent")
    front.send(frames.RspOrderInsert(order=order(2), ErrorID=31, ErrorMsg="CTP:资金不足"))
    eventually(lambda: Status.REJECTED in gateway.ears.statuses(refused), "refused")
    store.settle_intent(
        refused, "refused", "CTP_31", "CTP:资金不足"
    )  # what the gateway's journal does with a refusal
    before = row_of(gateway.ledger.orders[refused])
    front.orders = [order(status="3")]
    again = launch()
    again.ready()
    eventually(lambda: refused in again.ledger.orders, "the refusal, from the journal")
    assert again.ledger.orders[alive].client_order_id == "alive"
    assert again.ledger.orders[alive].is_local
    assert (again.ledger.orders[refused].status, again.ledger.orders[refused].error_code) == (
        Status.REJECTED,
        "CTP_31",
    )
    assert row_of(again.ledger.orders[refused]) == before  # the journal has it so: no news
    assert len(front.inserted()) == 2


def test_no_new_connection_is_made_before_the_loss_of_the_old_one_was_heard(
    front: FakeFront, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what the event thread still does for the old session, an order above all, would go over the new
    connection.
    """
    monkeypatch.setattr(link, "SHORTEST_PAUSE", 0.0)
    trader = gateway.bee.trader
    trader._link.settled()
    lost, lagging, seen = trader._link.connection, threading.Event(), []
    gateway.loop.post(lagging.wait, 10)
    gateway.loop.post(lambda: seen.append(trader._link.connection))
    front.drop("td")
    eventually(lambda: lost.closed, "the reader has seen it")
    again, connect = threading.Event(), link.channel.connect
    monkeypatch.setattr(link.channel, "connect", lambda address: again.set() or connect(address))
    assert not again.wait(0.3)
    lagging.set()
    gateway.ready(times=2)
    assert seen == [lost]


# ── the days ──


def test_a_new_trading_day_starts_with_empty_lists_and_the_new_figures(
    front: FakeFront, gateway: Gateway
) -> None:
    order_id = gateway.send()
    front.send(frames.RtnOrder(order=order(status="3")), frames.RtnTrade(trade=trade("t1")))
    eventually(lambda: gateway.ears.of("trade"), "the fill")
    front.trading_day, front.now = "20250610", "2025-06-09T21:00:00.000"
    front.instruments = [instrument(), instrument("rb2605")]
    front.details = [
        detail(
            1,
            open_date=DAY,
            TradingDay="20250610",
            TradeID="t1",
            OpenPrice=3000.0,
            LastSettlementPrice=3010.0,
        )
    ]
    front.account = account(TradingDay="20250610", PreBalance=1_000_100.0, CurrMargin=3010.0)
    front.beat()
    gateway.ready(times=2)
    assert ("td", "loading", "新交易日 20250610") in gateway.states
    assert gateway.bee.trader.trading_day == "20250610"
    assert not gateway.ledger.orders
    assert not gateway.ledger.trades
    assert not gateway.bee.recorder.orders
    position = gateway.ledger.book.position("rb2510", "long")
    assert position is not None
    assert (position.yd_volume, position.price, position.open_price) == (
        1,
        3010.0,
        3000.0,
    )
    assert float(gateway.ledger.money().pre_balance) == 1_000_100.0
    assert "rb2605.SHFE" in gateway.ledger.contracts
    assert gateway.differences == []
    front.send(frames.RtnOrder(order=order(status="5")))  # of the day before, late
    assert gateway.do(lambda: order_id in gateway.ledger.orders) is False


NEXT = "20250610"


def turn(front: FakeFront, gateway: Gateway, day: str = NEXT) -> None:
    """A front that is not restarted: its heartbeat tells of the new day, and its figures are of that."""
    before = gateway.states.count(("td", "ready", ""))
    front.trading_day = day
    front.orders, front.account = [], account(TradingDay=day)
    front.beat()
    gateway.ready(times=before + 1)


def ended(gateway: Gateway, order_id: str) -> list[Any]:
    return [
        row for row in gateway.ears.of("order") if row.order_id == order_id and row.status is Status.CANCELLED
    ]


@pytest.mark.parametrize("by", ["this process", "another process"])
def test_an_order_that_nobody_answered_before_the_day_turned_ends_with_it_after_two_answers_that_lack_it(
    front: FakeFront,
    gateway: Gateway,
    store: Store,
    launch: Callable[[], Gateway],
    monkeypatch: pytest.MonkeyPatch,
    by: str,
) -> None:
    monkeypatch.setattr(trader, "ARRIVAL_GRACE", 0.05)
    order_id = gateway.send(client_order_id="mine", strategy="pair")
    eventually(front.inserted, "sent")
    store.save_order(
        DAY, order_id, row_of(gateway.ledger.orders[order_id])
    )  # 提交中: what the gateway's journal does
    before = front.asked("order")
    if by == "this process":
        turn(front, gateway)
    else:
        front.trading_day, front.account = NEXT, account(TradingDay=NEXT)
        gateway = launch()
        gateway.ready()
    told = eventually(lambda: ended(gateway, order_id), "ended")
    assert front.asked("order") == before + 3
    assert [(row.trading_day, row.client_order_id, row.strategy, row.traded) for row in told] == [
        (DAY, "mine", "pair", 0)
    ]
    assert DAY in told[0].status_msg
    assert NEXT in told[0].status_msg
    assert "持仓" in told[0].status_msg
    intent = eventually(
        lambda: (found := store.intent(order_id)) and found.state == "accepted" and found, "settled"
    )
    assert intent.message == told[0].status_msg
    assert [code for code, _ in gateway.notices] == ["ENDED_WITH_DAY"]
    assert order_id in gateway.notices[0][1]
    assert not gateway.ledger.orders, "it is none of the new day's"
    asked = front.asked("order")
    front.drop("td")
    eventually(
        lambda: gateway.states.count(("td", "ready", "")) > 1 and front.asked("order") == asked + 1,
        "loaded again",
    )
    assert not gateway.bee.trader._missing
    assert len(gateway.notices) == len(ended(gateway, order_id)) == 1, "told once"
    assert len(front.inserted()) == 1


@pytest.mark.parametrize("by", ["this process", "another process"])
@pytest.mark.parametrize("seen_by", ["a push", "the load", "the second look"])
def test_an_order_sent_just_before_the_turn_that_reaches_the_counter_after_it_is_the_new_days_and_ours(
    front: FakeFront,
    gateway: Gateway,
    store: Store,
    launch: Callable[[], Gateway],
    monkeypatch: pytest.MonkeyPatch,
    by: str,
    seen_by: str,
) -> None:
    monkeypatch.setattr(trader, "ARRIVAL_GRACE", 0.05)
    order_id = gateway.send(client_order_id="mine", strategy="pair")
    eventually(front.inserted, "sent")
    arrived, before = order(status="3", TradingDay=NEXT), front.asked("order")
    looks = {"the load": 1, "the second look": 3}.get(seen_by, 99)

    def arrive(request_: frames.ReqQry) -> None:
        if request_.what == "order" and front.asked("order") >= before + looks:
            front.orders = [arrived]

    front.before_answer = arrive
    with front.holds_back("order", after=1) if seen_by == "a push" else nullcontext():
        if by == "this process":
            turn(front, gateway)
        else:
            front.trading_day, front.account = NEXT, account(TradingDay=NEXT)
            gateway = launch()
            gateway.ready()
        if seen_by == "a push":
            front.orders = [arrived]
            front.send(frames.RtnOrder(order=arrived))
    eventually(lambda: gateway.ears.statuses(order_id)[-1:] == [Status.NOTTRADED], "alive")
    shown = gateway.ledger.orders[order_id]
    assert (shown.client_order_id, shown.strategy, shown.is_local, shown.trading_day) == (
        "mine",
        "pair",
        True,
        NEXT,
    )
    front.orders = [arrived]
    store.save_order(NEXT, order_id, row_of(shown))  # what the gateway's journal does
    store.settle_intent(order_id, "accepted")
    again = launch()
    again.ready()
    eventually(lambda: order_id in again.ledger.orders, "loaded")
    assert again.ledger.orders[order_id].strategy == "pair", "the next process knows whose it is, too"
    assert ended(gateway, order_id) == ended(again, order_id) == gateway.notices == again.notices == []


def test_an_order_out_of_sight_at_its_days_end_has_ended_with_it(
    front: FakeFront, gateway: Gateway, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trader, "ARRIVAL_GRACE", 0.05)
    order_id = gateway.send()
    front.send(frames.RtnOrder(order=order(status="1", VolumeTraded=1)))
    eventually(lambda: gateway.ears.statuses(order_id)[-1:] == [Status.PARTTRADED], "taken by the counter")
    store.settle_intent(order_id, "accepted")
    front.drop("td")
    eventually(lambda: gateway.notices, "forgotten")
    store.save_order(DAY, order_id, row_of(gateway.ledger.orders[order_id]))
    turn(front, gateway)
    told = eventually(lambda: ended(gateway, order_id), "ended")
    assert [(row.trading_day, row.traded) for row in told] == [(DAY, 1)]
    intent = store.intent(order_id)
    assert intent is not None
    assert intent.state == "accepted"
    assert not gateway.bee.trader._missing
    assert [code for code, _ in gateway.notices] == ["ORDER_FORGOTTEN"], (
        "that it was out of sight has been told"
    )


def test_an_order_in_flight_at_the_turn_like_which_the_new_day_shows_one_may_be_that_one_until_the_days_end(
    front: FakeFront,
    gateway: Gateway,
    store: Store,
    launch: Callable[[], Gateway],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trader, "ARRIVAL_GRACE", 0.05)
    order_id = gateway.send()
    eventually(front.inserted, "sent")
    store.save_order(
        DAY, order_id, row_of(gateway.ledger.orders[order_id])
    )  # what the gateway's journal does
    with front.holds_back("order", after=1):
        turn(front, gateway)
        front.orders = [order(status="3", TradingDay=NEXT, **ANEW)]
    eventually(lambda: gateway.notices, "told")
    assert [code for code, _ in gateway.notices] == ["ORDER_ALIKE"]
    shown = gateway.ledger.orders[order_id]
    assert (shown.status.value, shown.trading_day) == ("状态未知", NEXT)
    store.save_order(NEXT, order_id, row_of(shown))
    again = launch()
    again.ready()
    eventually(lambda: order_id in again.ledger.orders, "looked for again")
    assert again.ledger.orders[order_id].status.value == "状态未知"
    assert ended(again, order_id) == again.notices == []
    turn(front, again, "20250611")
    eventually(lambda: ended(again, order_id), "the day is over")


def test_what_was_settled_before_the_turn_is_not_looked_for_after_it(
    front: FakeFront, gateway: Gateway, store: Store
) -> None:
    order_id = gateway.send()
    front.send(frames.RtnOrder(order=order(status="3")))
    eventually(lambda: gateway.ears.statuses(order_id)[-1:] == [Status.NOTTRADED], "taken")
    store.save_order(DAY, order_id, row_of(gateway.ledger.orders[order_id]))
    front.trading_day, front.account = NEXT, account(TradingDay=NEXT)
    asked = front.asked("order")
    turn(front, gateway)
    assert not gateway.bee.trader._missing
    assert front.asked("order") == asked + 1
    assert eventually(
        lambda: (found := store.intent(order_id)) and found.state == "accepted",
        "settled, as its row says it lived",
    )
    assert ended(gateway, order_id) == gateway.notices == []


def test_account_and_positions_are_compared_when_asked(front: FakeFront, gateway: Gateway) -> None:
    front.account = account(Commission=5.0)
    gateway.do(lambda: (gateway.bee.trader.query_position(), gateway.bee.trader.query_account()))
    eventually(lambda: gateway.differences == ["手续费：账本 0.00，柜台 5.00，以柜台为准"], "the difference")
    eventually(lambda: gateway.ears.of("account")[-1].commission == 5.0, "told as ctpbee's account")
    assert gateway.do(lambda: gateway.bee.recorder.get_account().balance) == 999_995.0


def test_two_queries_of_one_kind_do_not_pile_up(front: FakeFront, gateway: Gateway) -> None:
    asked = front.asked("account")
    answers = gateway.do(lambda: [gateway.bee.trader.query_account() for _ in range(3)])
    assert answers == [0, -1, -1]
    eventually(lambda: front.asked("account") == asked + 1, "one query")
