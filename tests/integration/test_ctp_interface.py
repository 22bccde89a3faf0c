"""The ctp interface over a binding written by hand: login and its refusals, queries, orders, losses; the
faults of ctpbee's own avoided.
"""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ctpbee.constant import CancelRequest, Exchange, Offset, OrderType, Status

from app.gateway.dialer import Dialer
from app.interfaces import market, trader
from app.interfaces.ctp import fronts as ctp
from app.interfaces.ctp import link, preflight
from app.lib.calendar import SHANGHAI
from app.lib.errors import BadInput, LoginRefused, NotReady, OrderRefused
from app.lib.market_orders import market_orders
from app.model.sqlite import SqliteStore
from app.model.store import Store
from app.wire import frames
from tests.fakes.app import Gateway
from tests.fakes.front import DAY, account, depth, detail, instrument, order, position, trade
from tests.fakes.native import Desk, as_dict
from tests.support.waiting import eventually

FRONTS = {"td_address": "tcp://127.0.0.1:41205", "md_address": "tcp://127.0.0.1:41213"}


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    monkeypatch.setattr(link, "native_classes", desk.classes)
    monkeypatch.setattr(preflight, "of_this_machine", lambda: iter(()))  # nothing native is called here
    monkeypatch.setattr(link, "SHORTEST_PAUSE", 0.05)
    monkeypatch.setattr(link, "_let_go", lambda api: api.exit())
    return desk


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = SqliteStore(tmp_path / "account.db")
    yield store
    store.close()


@pytest.fixture
def launch(
    desk: Desk, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Gateway]]:
    running: list[Gateway] = []
    monkeypatch.setattr("app.lib.interface_names.find_spec", lambda _name: object())

    def start(**changes: Any) -> Gateway:
        while running:
            running.pop().stop()
        info = {"auth_code": "", "appid": "", "new_password": "", "password_taken": False}
        info |= {"query_interval": 0.0, "settlement_confirm": True, "never_rests": False}
        info |= FRONTS | {"flow_dir": tmp_path / "flow"} | changes
        running.append(Gateway("", store, tmp_path, "ctp", **info))
        running[0].start()
        return running[0]

    yield start
    while running:
        running.pop().stop()


@pytest.fixture
def gateway(launch: Callable[..., Gateway]) -> Gateway:
    gateway = launch()
    gateway.ready()
    return gateway


def states(gateway: Gateway) -> list[str]:
    return [state for side, state, _ in gateway.states if side == "td"]


def sent(desk: Desk, gateway: Gateway, **changes: Any) -> tuple[str, dict[str, Any]]:
    """An order, and what the binding was given for it."""
    before = len(desk.asked("reqOrderInsert"))
    order_id = gateway.send(**changes)
    eventually(lambda: len(desk.asked("reqOrderInsert")) > before, "sent")
    return order_id, desk.asked("reqOrderInsert")[-1]


# ── login ──


def test_a_login_goes_through_every_state_of_a_real_front(desk: Desk, launch: Callable[..., Gateway]) -> None:
    gateway = launch(auth_code="0000000000000000", appid="simnow_client_test")
    gateway.ready()
    assert states(gateway) == [
        "connecting",
        "connected",
        "authenticating",
        "logging_in",
        "logged_in",
        "confirming",
        "loading",
        "ready",
    ]
    assert ("td", "connected", FRONTS["td_address"]) in gateway.states
    (asked,) = desk.asked("reqAuthenticate")
    assert asked == {
        "AppID": "simnow_client_test",
        "AuthCode": "0000000000000000",
        "BrokerID": "9999",
        "UserID": "demo",
    }
    assert list(gateway.ledger.contracts) == ["rb2510.SHFE"]
    assert gateway.bee.trader.trading_day == DAY


def test_each_account_has_a_flow_directory_of_its_own_for_each_front(
    desk: Desk, gateway: Gateway, tmp_path: Path
) -> None:
    flows = [desk.asked(f"createFtdc{kind}Api")[0]["flow"] for kind in ("Trader", "Md")]
    assert flows == [f"{tmp_path / 'flow' / 'td'}/", f"{tmp_path / 'flow' / 'md'}/"]
    assert all(Path(flow).is_dir() for flow in flows)


def test_each_front_of_a_side_is_registered_in_turn_before_the_library_connects(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    td, md = ["tcp://a:1", "tcp://b:2"], ["tcp://c:3", "tcp://d:4"]
    gateway = launch(td_address=", ".join(td), md_address=",".join(md))
    gateway.ready()
    assert [request["address"] for request in desk.asked("td.registerFront")] == td
    assert [request["address"] for request in desk.asked("md.registerFront")] == md
    assert ("td", "connected", "tcp://a:1, tcp://b:2") in gateway.states


@pytest.mark.parametrize("error_id", [3, 12, 60, 75, 131, 140, 141, 143, 144, 145, 4060])
def test_a_refused_login_is_told_with_its_id_and_never_tried_again(
    desk: Desk, launch: Callable[..., Gateway], error_id: int
) -> None:
    desk.errors["onRspUserLogin"] = {"ErrorID": error_id, "ErrorMsg": "CTP：不行"}
    gateway = launch()
    eventually(lambda: gateway.state("td") == "refused", "refused")
    assert (gateway.bee.trader.refusal.code, gateway.bee.trader.refusal.message) == (
        f"CTP_{error_id}",
        "CTP：不行",
    )
    assert ("td", "refused", f"CTP：不行（CTP_{error_id}）") in gateway.states
    desk.td.call("onFrontDisconnected", 0x1001)
    desk.td.call("onFrontConnected")  # the library goes on by itself
    desk.td.call("onFrontConnected")
    desk.td.catch_up()
    gateway.do(lambda: None)
    assert len(desk.asked("reqUserLogin")) == 1


@pytest.mark.parametrize("error_id", [63, 64])
def test_a_refused_authentication_ends_the_login_before_the_password_is_sent(
    desk: Desk, launch: Callable[..., Gateway], error_id: int
) -> None:
    desk.errors["onRspAuthenticate"] = {"ErrorID": error_id, "ErrorMsg": "CTP:客户端认证失败"}
    gateway = launch(auth_code="x", appid="y")
    eventually(lambda: gateway.state("td") == "refused", "refused")
    assert gateway.bee.trader.refusal.code == f"CTP_{error_id}"
    assert desk.asked("reqUserLogin") == []


def test_a_counter_that_is_not_initialised_is_asked_again_without_a_word_for_each_attempt(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.errors["onRspUserLogin"] = {"ErrorID": 7, "ErrorMsg": "CTP:还没有初始化"}
    gateway = launch()
    eventually(lambda: len(desk.asked("reqUserLogin")) >= 3, "asked again")
    assert gateway.bee.trader.delay.code == "CTP_7"
    assert states(gateway) == ["connecting", "connected", "logging_in", "lost"]
    assert ("td", "lost", "CTP:还没有初始化") in gateway.states
    desk.errors.clear()
    gateway.ready()
    assert gateway.bee.trader.delay is None


@pytest.mark.parametrize(
    "request_", ["reqAuthenticate", "reqUserLogin", "md.reqUserLogin", "reqSettlementInfoConfirm"]
)
def test_a_login_whose_requests_the_library_does_not_take_is_begun_anew_after_a_pause(
    desk: Desk, launch: Callable[..., Gateway], request_: str
) -> None:
    desk.returns[request_] = [-3]
    launch(auth_code="0000000000000000", appid="simnow_client_test").ready()
    assert len(desk.asked(request_)) == 2


@pytest.mark.parametrize("request_", ["reqAuthenticate", "reqUserLogin", "md.reqUserLogin"])
def test_a_login_in_which_the_library_fails_is_begun_anew_after_a_pause(
    desk: Desk, launch: Callable[..., Gateway], request_: str
) -> None:
    desk.returns[request_] = [RuntimeError("bad cast")]
    gateway = launch(auth_code="0000000000000000", appid="simnow_client_test")
    gateway.ready()
    assert len(desk.asked(request_)) == 2
    assert ("md" if "md" in request_ else "td", "lost", "CTP 库出错：bad cast") in gateway.states


def test_who_was_logged_in_is_not_shut_out_by_his_own_lost_session(desk: Desk, gateway: Gateway) -> None:
    """A counter counts a session until it has noticed that the line is gone: 60 passes by itself then."""
    desk.errors["onRspUserLogin"] = {"ErrorID": 60, "ErrorMsg": "CTP:用户在线会话超出上限"}
    for api in (desk.td, desk.md):
        api.call("onFrontDisconnected", 0x2001)
        api.call("onFrontConnected")
    eventually(
        lambda: len(desk.asked("reqUserLogin")) >= 3 and len(desk.asked("md.reqUserLogin")) >= 3,
        "asked again",
    )
    assert gateway.bee.trader.delay.code == "CTP_60"
    desk.errors.clear()
    gateway.ready(times=2)
    assert "refused" not in states(gateway)


def test_a_front_that_cannot_be_reached_is_told_once_and_waited_for(
    desk: Desk, launch: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "CONNECT_LIMIT", 0.2)
    desk.reachable = False
    gateway = launch()
    eventually(lambda: gateway.state("td") == "lost", "told")
    assert ("td", "lost", f"连接不上前置 {FRONTS['td_address']}") in gateway.states
    desk.td.call("onFrontConnected")
    eventually(
        lambda: ("md", "lost", f"连接不上前置 {FRONTS['md_address']}") in gateway.states, "told of the other"
    )
    desk.md.call("onFrontConnected")
    gateway.ready()


def test_a_load_that_takes_long_and_goes_on_is_not_begun_anew(
    desk: Desk, launch: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctp.CtpTrader, "login_limit", 3.0)
    desk.quotes, desk.orders, desk.trades = (
        [as_dict(depth())],
        [order(status="3", SessionID=50)],
        [trade(OrderSysID="another's")],
    )
    launch(query_interval=0.7).ready()  # six queries, of which the last leaves after 3.5 s
    assert len(desk.asked("reqUserLogin")) == 1


def test_a_load_that_never_ends_is_begun_anew_by_a_login_after_a_logout(
    desk: Desk, launch: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second login on a connection that has one is refused with 5, and that for good."""
    monkeypatch.setattr(ctp.CtpTrader, "login_limit", 0.3)
    desk.silent = {"reqQryOrder"}
    gateway = launch()
    eventually(lambda: len(desk.asked("reqUserLogin")) >= 2, "logged in anew")
    monkeypatch.setattr(ctp.CtpTrader, "login_limit", ctp.LOGIN_LIMIT)
    desk.silent = set()
    gateway.ready()
    logins = [what for what, _ in list(desk.heard) if what in ("reqUserLogin", "reqUserLogout")]
    assert logins[:3] == ["reqUserLogin", "reqUserLogout", "reqUserLogin"]


def test_a_password_that_must_be_changed_is_changed_and_the_new_one_logs_in(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.errors["onRspUserLogin"] = {"ErrorID": 140, "ErrorMsg": "CTP:首次登录必须修改密码"}
    gateway = launch(new_password="better")
    eventually(lambda: desk.asked("reqUserPasswordUpdate"), "asked to change")
    desk.errors.clear()
    eventually(lambda: states(gateway)[-1] in ("ready", "logging_in", "refused"), "on its way")
    (asked,) = desk.asked("reqUserPasswordUpdate")
    assert (asked["OldPassword"], asked["NewPassword"]) == ("secret", "better")
    eventually(lambda: gateway.passwords == ["better"], "told who keeps it")
    assert desk.asked("reqUserLogin")[-1]["Password"] == "better"


def test_a_password_that_need_not_be_changed_is_changed_within_the_one_login(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    gateway = launch(new_password="better")
    gateway.ready()
    assert gateway.passwords == ["better"]
    assert [request["Password"] for request in desk.asked("reqUserLogin")] == ["secret"]
    desk.td.call("onFrontDisconnected", 0x1001)
    desk.td.call("onFrontConnected")
    gateway.ready(times=2)
    assert desk.asked("reqUserLogin")[-1]["Password"] == "better"
    assert len(desk.asked("reqUserPasswordUpdate")) == 1


def test_a_new_password_that_is_refused_says_why(desk: Desk, launch: Callable[..., Gateway]) -> None:
    desk.errors["onRspUserPasswordUpdate"] = {"ErrorID": 142, "ErrorMsg": "CTP:新旧密码不能相同"}
    gateway = launch(new_password="secret")
    eventually(lambda: gateway.state("td") == "refused", "refused")
    assert gateway.bee.trader.refusal.code == "CTP_142"
    assert gateway.passwords == []


def test_what_is_wrong_before_any_native_call_ends_the_login_with_its_remedy(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    gateway = launch(td_address="ssl://127.0.0.1:41205")
    eventually(lambda: gateway.state("td") == gateway.state("md") == "refused", "refused")
    assert gateway.bee.trader.refusal.code == "FRONT_ADDRESS"
    assert "tcp://" in gateway.bee.trader.refusal.message
    assert desk.heard == []


def test_a_binding_that_cannot_be_loaded_ends_the_login_with_its_remedy(
    desk: Desk, launch: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load() -> tuple[type, type]:
        raise ImportError("undefined symbol: _Py_NoneStruct")

    monkeypatch.setattr(link, "native_classes", load)
    gateway = launch()
    eventually(lambda: gateway.state("td") == gateway.state("md") == "refused", "refused")
    assert gateway.bee.trader.refusal.code == "VENDOR_LIBRARY"
    assert "undefined symbol" in gateway.bee.trader.refusal.message
    assert "make ctp" in gateway.bee.trader.refusal.message


def refused(error_id: int, text: str = "CTP：不行") -> dict[str, Any]:
    return {"ErrorID": error_id, "ErrorMsg": text}


def lose(desk: Desk, *apis: Any) -> None:
    """The connections are lost, and the library makes new ones."""
    for api in apis or (desk.td, desk.md):
        api.call("onFrontDisconnected", 0x2001)
        api.call("onFrontConnected")


def test_the_market_front_is_dialled_once_the_trading_front_has_logged_in(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.silent = {"reqUserLogin"}
    gateway = launch()
    eventually(lambda: gateway.state("td") == "logging_in", "on its way")
    desk.td.catch_up()
    gateway.do(lambda: None)
    assert desk.md is None
    assert gateway.state("md") == "connecting"
    assert ("md", "connecting", "等交易前置登录") in gateway.states
    desk.silent = set()
    lose(desk, desk.td)
    gateway.ready()
    assert len(desk.asked("md.reqUserLogin")) == 1


def test_a_market_front_whose_trading_front_cannot_be_reached_is_lost_too_until_that_is_in(
    desk: Desk, launch: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside the hours it then rests with the other."""
    monkeypatch.setattr(link, "CONNECT_LIMIT", 0.2)
    desk.reachable = False
    gateway = launch()
    eventually(lambda: gateway.state("td") == gateway.state("md") == "lost", "told")
    moment = datetime(2025, 6, 7, 12, 0, tzinfo=SHANGHAI)
    dialer = Dialer(gateway.loop, lambda: (gateway.bee.trader, gateway.bee.market), lambda: moment)
    gateway.do(dialer.look)
    assert gateway.state("td") == gateway.state("md") == "resting"
    desk.reachable, moment = True, datetime(2025, 6, 9, 8, 35, tzinfo=SHANGHAI)
    gateway.do(dialer.look)
    gateway.ready()


def test_a_market_front_that_knows_the_new_login_late_is_asked_again(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.errors["md.onRspUserLogin"] = refused(3, "CTP:不合法的登录")
    gateway = launch()
    eventually(lambda: len(desk.asked("md.reqUserLogin")) >= 2, "asked again")
    eventually(lambda: gateway.state("td") == "ready", "trading is in")
    assert gateway.state("md") == "lost"
    assert ("md", "lost", "CTP:不合法的登录") in gateway.states
    desk.errors.clear()
    gateway.ready()


def test_a_market_front_of_a_new_day_waits_for_the_trading_front_where_it_verifies(
    desk: Desk, gateway: Gateway
) -> None:
    desk.login = desk.login | {"TradingDay": "20250610"}
    desk.account = as_dict(account(TradingDay="20250610"))
    desk.td.call("onFrontDisconnected", 0x2001)
    eventually(lambda: gateway.state("td") == "lost", "lost")
    lose(desk, desk.md)
    eventually(lambda: ("md", "lost", "等交易前置登录") in gateway.states, "it waits")
    assert len(desk.asked("md.reqUserLogin")) == 2
    desk.td.call("onFrontConnected")
    gateway.ready(times=2)
    assert len(desk.asked("md.reqUserLogin")) == 3


@pytest.mark.parametrize("front", ["", "md."])
def test_a_login_that_came_too_soon_is_made_again(
    desk: Desk, launch: Callable[..., Gateway], front: str
) -> None:
    """LoginFreq (HQLK 2): the guide has its text and no id."""
    desk.errors[f"{front}onRspUserLogin"] = refused(-1, "CTP: api login over limit freq")
    gateway = launch()
    eventually(lambda: len(desk.asked(f"{front}reqUserLogin")) >= 2, "asked again")
    desk.errors.clear()
    gateway.ready()
    assert "refused" not in [state for _, state, _ in gateway.states]


def test_a_market_front_that_was_refused_for_good_is_dialled_again_in_the_next_window(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.errors["md.onRspUserLogin"] = refused(75)
    gateway = launch()
    eventually(lambda: gateway.state("md") == "refused", "refused")
    moment = datetime(2025, 6, 9, 14, 0, tzinfo=SHANGHAI)
    dialer = Dialer(gateway.loop, lambda: (gateway.bee.trader, gateway.bee.market), lambda: moment)
    gateway.do(dialer.look)
    moment = datetime(2025, 6, 9, 15, 30, tzinfo=SHANGHAI)
    gateway.do(dialer.look)
    assert gateway.state("td") == gateway.state("md") == "resting"
    assert len(desk.asked("md.reqUserLogin")) == 1
    desk.errors.clear()
    moment = datetime(2025, 6, 9, 20, 35, tzinfo=SHANGHAI)
    gateway.do(dialer.look)
    eventually(lambda: gateway.state("md") == "ready", "it is in")


@pytest.mark.parametrize(
    ("front", "error_id"), [("", 2), ("", 4), ("", 5), ("", 6), ("", 5002), ("", 9999), ("md.", 5)]
)
def test_who_was_in_is_not_given_up_for_a_refusal_that_says_nothing_of_his_password(
    desk: Desk, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, front: str, error_id: int
) -> None:
    monkeypatch.setattr(link, "LONGEST_PAUSE", 0.2)
    desk.errors[f"{front}onRspUserLogin"] = refused(error_id)
    lose(desk, desk.md if front else desk.td)
    eventually(lambda: len(desk.asked(f"{front}reqUserLogin")) >= 3, "asked again")
    eventually(lambda: len(gateway.notices) >= 2, "told each time")
    assert {code for code, _ in gateway.notices} == {f"CTP_{error_id}"}
    assert "CTP：不行" in gateway.notices[0][1]
    assert gateway.state("md" if front else "td") == "lost"
    desk.errors.clear()
    gateway.ready(times=1 if front else 2)
    assert "refused" not in [state for _, state, _ in gateway.states]


def test_such_a_refusal_is_answered_with_the_long_pause_at_once(
    desk: Desk, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    later = gateway.loop.call_later
    monkeypatch.setattr(
        gateway.loop, "call_later", lambda seconds, *args: pauses.append(seconds) or later(seconds, *args)
    )
    desk.errors["onRspUserLogin"] = refused(5)
    lose(desk, desk.td)
    eventually(lambda: gateway.notices, "told")
    gateway.do(lambda: None)
    assert link.LONGEST_PAUSE in pauses
    assert link.SHORTEST_PAUSE not in pauses
    assert gateway.bee.trader.delay.code == "CTP_5"


@pytest.mark.parametrize(
    "error_id", [3, 12, 13, 49, 63, 64, 75, 131, 140, 141, 143, 144, 145, 3039, 4040, 4042, 4043, 4060]
)
def test_what_locks_or_concerns_the_password_ends_a_relogin_as_it_ends_a_first_one(
    desk: Desk, gateway: Gateway, error_id: int
) -> None:
    desk.errors["onRspUserLogin"] = refused(error_id)
    lose(desk, desk.td)
    eventually(lambda: gateway.state("td") == "refused", "refused")
    assert gateway.bee.trader.refusal.code == f"CTP_{error_id}"


@pytest.mark.parametrize("error_id", [5, 60])
def test_a_gateway_started_again_with_a_password_that_was_taken_does_not_give_it_up_either(
    desk: Desk, launch: Callable[..., Gateway], error_id: int
) -> None:
    """The session of the one that was killed may still be counted, its login still be under way."""
    desk.errors["onRspUserLogin"] = refused(error_id)
    gateway = launch(password_taken=True)
    eventually(lambda: gateway.state("td") == "lost", "refused for now")
    assert gateway.bee.trader.delay.code == f"CTP_{error_id}"


# ── queries ──


def test_queries_that_the_library_or_the_counter_cannot_take_are_asked_again(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.returns["reqQryInstrument"] = [-3, -2]
    desk.returns["reqQryTradingAccount"] = [-1]
    gateway = launch()
    gateway.ready()
    assert len(desk.asked("reqQryInstrument")) == 3
    assert len(desk.asked("reqQryTradingAccount")) == 2


def test_an_account_with_nothing_in_it_is_answered_with_empty_dicts(desk: Desk, gateway: Gateway) -> None:
    """The binding hands over an empty dict where CTP hands over no row: ctpbee's own interface fails on
    it.
    """
    assert gateway.ledger.orders == {}
    assert gateway.ledger.trades == []
    assert float(gateway.ledger.money().balance) == 1_000_000.0


def test_options_spreads_and_contracts_from_elsewhere_are_left_out(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.instruments += [
        as_dict(instrument("rb2510C3000", ProductClass="2")),
        as_dict(instrument("600000", "SSE")),
        as_dict(instrument("lc2510", "GFEX")),
        as_dict(instrument("SP a2509&a2511", "DCE", ProductClass="3")),
        as_dict(instrument("SPD TA509&TA511", "CZCE", ProductClass="1", CombinationType="2")),
        as_dict(instrument("hc2510", LongMarginRatio=1.7976931348623157e308)),
    ]
    gateway = launch()
    gateway.ready()
    assert sorted(gateway.ledger.contracts) == ["hc2510.SHFE", "lc2510.GFEX", "rb2510.SHFE"]
    assert gateway.ledger.contracts["hc2510.SHFE"].long_margin_ratio == 0.0


def test_a_counter_that_is_only_just_up_is_asked_until_it_has_contracts_and_money(
    desk: Desk, launch: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctp, "LIST_AGAIN", 0.05)
    monkeypatch.setattr(trader, "QUERY_AGAIN", 0.05)
    contracts, desk.instruments = desk.instruments, []
    money, desk.account = desk.account, {}
    gateway = launch()
    eventually(lambda: len(desk.asked("reqQryInstrument")) >= 2, "asked again")
    desk.instruments = contracts
    eventually(lambda: len(desk.asked("reqQryTradingAccount")) >= 2, "asked again")
    desk.account = money
    gateway.ready()
    assert list(gateway.ledger.contracts) == ["rb2510.SHFE"]


def test_a_quote_of_dces_night_has_its_own_evening_though_the_market_front_names_no_exchange(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.instruments = [as_dict(instrument("a2509", "DCE"))]
    desk.login = desk.login | {"LoginTime": "21:00:01"}  # on Friday, of Monday's trading day
    gateway = launch()
    gateway.ready()
    gateway.do(lambda: gateway.bee.subscribe("a2509"))
    eventually(lambda: desk.asked("subscribeMarketData"), "subscribed")
    night = {"ExchangeID": "", "TradingDay": DAY, "ActionDay": DAY, "UpdateTime": "21:00:02"}
    desk.md.call("onRtnDepthMarketData", as_dict(depth("a2509", **night)))
    desk.md.call("onRtnDepthMarketData", as_dict(depth("a2509", **night | {"UpdateTime": ""})))
    eventually(lambda: gateway.ears.of("tick"), "a quote")
    (tick,) = gateway.ears.of("tick")
    assert tick.datetime.isoformat() == "2025-06-06T21:00:02.500000+08:00"
    assert tick.trading_day == DAY


def test_orders_and_fills_of_a_night_have_its_natural_date_whatever_the_exchange_writes(
    desk: Desk, gateway: Gateway
) -> None:
    desk.td.call(
        "onRtnOrder", as_dict(order(5, status="3", SessionID=50, InsertDate=DAY, InsertTime="21:00:05"))
    )
    desk.td.call("onRtnTrade", as_dict(trade("t1", 5, TradeDate=DAY, TradeTime="00:30:00")))
    eventually(lambda: gateway.ledger.trades, "both")
    assert gateway.ledger.orders["1_50_5"].datetime == "2025-06-06 21:00:05.000"
    assert gateway.ledger.trades[0].datetime == "2025-06-07 00:30:00.000"


@pytest.mark.parametrize(
    ("written", "clock", "date"),
    [
        ("20250607", "11:00:00", "20250607"),  # on a Saturday, on a front that never rests
        ("20250609", "11:00:00", "20250609"),
        ("20250606", "21:00:05", "20250606"),  # as SHFE writes Friday's night
        ("20250609", "21:00:05", "20250606"),  # as DCE does
        ("20250609", "01:00:00", "20250607"),
        ("", "21:00:05", "20250606"),
        ("20250609", "", "20250609"),
        ("nonsense", "10:00:00", "20250609"),
    ],
)
def test_the_date_that_a_counter_writes_is_told_unless_it_is_a_nights_trading_day(
    written: str, clock: str, date: str
) -> None:
    assert link.natural_day(written, "20250609", clock, None) == date


@pytest.mark.parametrize(
    ("clock", "now", "date"),
    [
        ("21:00:05", "2025-06-06T21:00:06", "20250606"),
        ("21:00:05", "2025-06-09T14:59:00", "20250606"),
        ("20:00:00", "2025-06-09T20:00:01", "20250609"),  # its day goes on after 15:00
        ("01:00:00", "2025-06-09T01:00:01", "20250609"),
        ("01:00:00", "2025-06-07T01:00:01", "20250607"),
        ("11:00:00", "2025-06-09T11:00:05", "20250609"),
    ],
)
def test_where_a_front_never_rests_its_clock_says_which_evening_it_was(
    clock: str, now: str, date: str
) -> None:
    assert (
        link.natural_day("20250609", "20250609", clock, datetime.fromisoformat(now).replace(tzinfo=SHANGHAI))
        == date
    )


def test_an_order_of_a_saturday_on_a_front_that_never_rests_has_that_date(
    desk: Desk, gateway: Gateway
) -> None:
    desk.td.call(
        "onRtnOrder",
        as_dict(order(5, status="3", SessionID=50, InsertDate="20250607", InsertTime="11:00:00")),
    )
    desk.td.call("onRtnTrade", as_dict(trade("t5", ref=5, TradeDate="20250607", TradeTime="11:00:01")))
    eventually(lambda: gateway.ears.of("trade"), "the fill")
    assert gateway.ears.of("order")[0].datetime == "2025-06-07 11:00:00.000"
    assert gateway.ears.of("trade")[0].datetime == "2025-06-07 11:00:01.000"


def test_the_days_limits_come_from_the_quotes_since_the_list_of_contracts_has_none(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.instruments = [as_dict(instrument(UpperLimitPrice=0.0, LowerLimitPrice=0.0, PreSettlementPrice=0.0))]
    desk.quotes = [as_dict(depth(ActionDay=""))]
    gateway = launch()
    gateway.ready()
    contract = gateway.ledger.contracts["rb2510.SHFE"]
    assert (contract.UpperLimitPrice, contract.LowerLimitPrice, contract.PreSettlementPrice) == (
        3300.0,
        2700.0,
        3000.0,
    )


def test_a_counter_that_will_not_tell_all_quotes_does_not_hold_up_the_login(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.errors["onRspQryDepthMarketData"] = {"ErrorID": 27, "ErrorMsg": "CTP:不支持的功能"}
    launch().ready()


def test_the_long_list_of_contracts_is_asked_for_once_a_day(desk: Desk, gateway: Gateway) -> None:
    desk.td.call("onFrontDisconnected", 0x2001)
    desk.td.call("onFrontConnected")
    gateway.ready(times=2)
    assert len(desk.asked("reqQryInstrument")) == 1
    desk.login = desk.login | {"TradingDay": "20250610"}
    desk.account = as_dict(account(TradingDay="20250610"))
    desk.td.call("onFrontDisconnected", 0x2001)
    desk.td.call("onFrontConnected")
    gateway.ready(times=3)
    assert len(desk.asked("reqQryInstrument")) == 2


def test_money_that_our_terms_do_not_have_still_gives_the_counters_balance(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.account = as_dict(account(Mortgage=50_000.0))
    gateway = launch()
    gateway.ready()
    money = gateway.ledger.money()
    assert (money.pre_balance, money.balance, money.available) == (1_000_000, 1_050_000, 1_050_000)


def test_what_is_available_is_what_the_counter_says_and_a_deposit_is_a_remark(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.account = as_dict(account(Credit=-750_000.0, WithdrawQuota=240_000.0))
    gateway = launch()
    gateway.ready()
    money = gateway.ledger.money()
    assert (money.available, money.withdraw_quota, money.balance) == (250_000, 240_000, 1_000_000)
    assert gateway.do(lambda: gateway.bee.recorder.get_account().available) == 250_000.0
    desk.account = as_dict(account(Credit=-750_000.0, WithdrawQuota=240_000.0, Deposit=50_000.0))
    told = len(gateway.ears.of("account"))
    gateway.do(lambda: (gateway.bee.trader.query_position(), gateway.bee.trader.query_account()))
    eventually(lambda: len(gateway.ears.of("account")) > told, "answered")
    assert gateway.ears.of("account")[-1].available == 300_000.0
    assert (gateway.remarks, gateway.differences) == (["入金：0.00 → 50000.00"], [])


def margin_rate(long: float, short: float, by_volume: float = 0.0, **more: Any) -> dict[str, Any]:
    return {
        "InstrumentID": "rb2510",
        "LongMarginRatioByMoney": long,
        "LongMarginRatioByVolume": by_volume,
        "ShortMarginRatioByMoney": short,
        "ShortMarginRatioByVolume": by_volume,
    } | more


def commission_rate(**more: Any) -> dict[str, Any]:
    """By product, as CTP may answer."""
    fees = {
        f"{what}RatioBy{how}": 0.0 for what in ("Open", "Close", "CloseToday") for how in ("Money", "Volume")
    }
    return fees | {"InstrumentID": "rb"} | more


def test_rates_of_what_is_held_are_asked_once_and_kept_for_the_day(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.details = [as_dict(detail(1))]
    desk.account = as_dict(account(CurrMargin=3600.0))
    desk.margins = [margin_rate(0.12, 0.13)]
    desk.commissions = [commission_rate(OpenRatioByMoney=0.0001)]
    gateway = launch()
    gateway.ready()
    eventually(lambda: gateway.ledger.has_rates("rb2510"), "rates")
    row = gateway.ledger.instrument("rb2510")
    assert row is not None
    assert (row.LongMarginRatio, row.ShortMarginRatio, row.OpenRatioByMoney) == (
        0.12,
        0.13,
        0.0001,
    )
    again = launch()
    again.ready()
    eventually(lambda: again.ledger.has_rates("rb2510"), "from the store")
    assert len(desk.asked("reqQryInstrumentMarginRate")) == 1


def test_rates_that_somebody_wants_are_asked_once_a_day_and_of_one_contract_at_a_time(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.instruments.append(as_dict(instrument("ag2512")))
    desk.margins = [margin_rate(0.12, 0.13)]
    desk.commissions = [commission_rate(OpenRatioByMoney=0.0001)]
    gateway = launch()
    gateway.ready()

    def want(*symbols: str) -> None:
        gateway.do(lambda: [gateway.bee.trader.want_rates(symbol) for symbol in symbols])

    want(*["rb2510", "ag2512", "nope"] * 20)  # as somebody types
    eventually(lambda: gateway.ledger.has_rates("rb2510"), "rates")
    want("rb2510")
    assert [asked["InstrumentID"] for asked in desk.asked("reqQryInstrumentMarginRate")] == ["rb2510"]
    want("ag2512")
    eventually(lambda: gateway.ledger.has_rates("ag2512"), "the other's")
    assert len(desk.asked("reqQryInstrumentMarginRate")) == 2


def test_rates_of_what_is_held_at_the_login_are_those_of_its_margin(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.details = [as_dict(detail(1))]
    desk.account = as_dict(account(CurrMargin=4100.0))
    desk.margins, desk.commissions = [margin_rate(0.12, 0.13, by_volume=500.0)], [commission_rate()]
    gateway = launch()
    gateway.ready()
    eventually(lambda: gateway.ledger.has_rates("rb2510"), "rates")
    assert gateway.do(lambda: (gateway.ledger.book.money().margin, gateway.ledger.money().margin)) == (
        4100,
        4100,
    )
    contract = gateway.ledger.contracts["rb2510.SHFE"]
    assert (contract.long_margin_ratio, contract.LongMarginRatioByVolume) == (0.12, 500.0)
    assert (gateway.differences, gateway.remarks) == ([], [])


def test_a_margin_that_is_charged_relative_to_the_exchanges_is_on_top_of_it(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.details = [as_dict(detail(1))]
    desk.account = as_dict(account(CurrMargin=3700.0))
    desk.margins, desk.commissions = (
        [margin_rate(0.02, 0.03, by_volume=40.0, IsRelative=1)],
        [commission_rate()],
    )
    desk.exchange_margins = [margin_rate(0.1, 0.11, by_volume=60.0)]
    gateway = launch()
    gateway.ready()
    eventually(lambda: gateway.ledger.has_rates("rb2510"), "rates")
    row = gateway.ledger.instrument("rb2510")
    assert row is not None
    assert (row.LongMarginRatio, row.ShortMarginRatio) == (
        pytest.approx(0.12),
        pytest.approx(0.14),
    )
    assert (row.LongMarginRatioByVolume, row.ShortMarginRatioByVolume) == (100.0, 100.0)
    (asked,) = desk.asked("reqQryExchangeMarginRate")
    assert asked.items() >= {"BrokerID": "9999", "InstrumentID": "rb2510", "HedgeFlag": "1"}.items()
    assert gateway.do(lambda: gateway.ledger.book.money().margin) == 3700


def test_where_the_exchanges_margin_is_not_told_it_is_the_one_of_the_contract_list(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.details = [as_dict(detail(1))]
    desk.margins, desk.commissions = [margin_rate(0.02, 0.02, IsRelative=1)], [commission_rate()]
    desk.errors["onRspQryExchangeMarginRate"] = {"ErrorID": 9, "ErrorMsg": "CTP:无权限"}
    gateway = launch()
    gateway.ready()
    eventually(lambda: gateway.ledger.has_rates("rb2510"), "rates")
    row = gateway.ledger.instrument("rb2510")
    assert row is not None
    assert row.LongMarginRatio == pytest.approx(0.12)


def test_a_statement_in_pieces_is_put_together_before_it_is_decoded(
    desk: Desk, launch: Callable[..., Gateway], store: Store
) -> None:
    text = "交易结算单\r\n期末结存：1000000.00"
    encoded = text.encode("gb18030")
    desk.statement = [encoded[:3], encoded[3:8], encoded[8:]]  # cut within characters
    gateway = launch()
    gateway.ready()
    eventually(lambda: store.setting("settlement", "20250606") == text, "kept by its day")


def test_a_statement_of_another_day_is_asked_for_and_one_that_there_is_not_is_nothing(
    desk: Desk, gateway: Gateway
) -> None:
    assert gateway.do(lambda: gateway.bee.trader.fetch_statement("20250101")).result(30) == ("", "")
    desk.statement = ["结算单".encode("gb18030")]
    assert gateway.do(lambda: gateway.bee.trader.fetch_statement("20250606")).result(30) == (
        "20250606",
        "结算单",
    )
    assert "20250606" in [request["TradingDay"] for request in desk.asked("reqQrySettlementInfo")]


def test_a_settlement_is_confirmed_by_request_where_the_setting_says_so(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    gateway = launch(settlement_confirm=False)
    gateway.ready()
    assert desk.asked("reqSettlementInfoConfirm") == []
    assert "confirming" not in states(gateway)
    assert gateway.do(lambda: gateway.bee.trader.confirm_settlement()).result(30) is None
    desk.errors["onRspSettlementInfoConfirm"] = {"ErrorID": 90, "ErrorMsg": "CTP:查询未就绪"}
    with pytest.raises(OrderRefused) as refused:
        gateway.do(lambda: gateway.bee.trader.confirm_settlement()).result(30)
    assert refused.value.code == "CTP_90"


def test_a_password_is_changed_while_logged_in_and_a_refusal_leaves_the_old_one(
    desk: Desk, gateway: Gateway
) -> None:
    desk.errors["onRspUserPasswordUpdate"] = {"ErrorID": 142, "ErrorMsg": "CTP:新旧密码不能相同"}
    with pytest.raises(LoginRefused) as refused:
        gateway.do(lambda: gateway.bee.trader.change_password("secret")).result(30)
    assert refused.value.code == "CTP_142"
    assert gateway.state("td") == "ready"
    desk.errors.clear()
    gateway.do(lambda: gateway.bee.trader.change_password("better")).result(30)
    assert gateway.passwords == ["better"]
    desk.td.call("onFrontDisconnected", 0x1001)
    desk.td.call("onFrontConnected")
    gateway.ready(times=2)
    assert desk.asked("reqUserLogin")[-1]["Password"] == "better"


def test_a_password_change_whose_answer_is_late_counts_and_leaves_the_account_logged_in(
    desk: Desk, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctp, "ANSWER_LIMIT", 0.05)
    desk.silent = {"reqUserPasswordUpdate"}
    for error_id, passwords in ((142, []), (0, ["better"])):
        with pytest.raises(NotReady):
            gateway.do(lambda: gateway.bee.trader.change_password("better")).result(30)
        with pytest.raises(NotReady):
            gateway.do(lambda: gateway.bee.trader.change_password("other"))
        desk.td.call("onRspUserPasswordUpdate", {}, {"ErrorID": error_id, "ErrorMsg": ""}, 1, True)
        desk.td.catch_up()
        gateway.do(lambda: None)
        assert gateway.passwords == passwords
        assert gateway.state("td") == "ready"
    assert len(desk.asked("reqUserLogin")) == 1


def test_a_loss_while_the_password_is_changed_ends_the_wait_and_the_next_login_is_an_ordinary_one(
    desk: Desk, gateway: Gateway
) -> None:
    desk.silent = {"reqUserPasswordUpdate"}
    changing = gateway.do(lambda: gateway.bee.trader.change_password("better"))
    desk.td.call("onFrontDisconnected", 0x1001)
    with pytest.raises(NotReady):
        changing.result(30)
    desk.td.call("onFrontConnected")
    gateway.ready(times=2)
    assert len(desk.asked("reqUserPasswordUpdate")) == 1


def test_what_the_library_did_not_take_from_somebody_who_waits_is_told_at_once(
    desk: Desk, gateway: Gateway
) -> None:
    desk.returns["reqSettlementInfoConfirm"] = [-1]
    with pytest.raises(NotReady):
        gateway.do(lambda: gateway.bee.trader.confirm_settlement()).result(30)
    assert gateway.do(lambda: gateway.bee.trader.confirm_settlement()).result(30) is None


def test_a_new_password_that_did_not_leave_is_not_set_at_a_later_login(desk: Desk, gateway: Gateway) -> None:
    desk.returns["reqUserPasswordUpdate"] = [-3]
    with pytest.raises(NotReady):
        gateway.do(lambda: gateway.bee.trader.change_password("better")).result(30)
    desk.td.call("onFrontDisconnected", 0x1001)
    desk.td.call("onFrontConnected")
    gateway.ready(times=2)
    assert len(desk.asked("reqUserPasswordUpdate")) == 1
    assert gateway.passwords == []
    assert desk.asked("reqUserLogin")[-1]["Password"] == "secret"


def test_who_waits_for_a_statement_is_told_when_the_front_is_lost(desk: Desk, gateway: Gateway) -> None:
    desk.returns["reqQrySettlementInfo"] = [-2] * 1000
    asked = gateway.do(lambda: gateway.bee.trader.fetch_statement("20250606"))
    desk.td.call("onFrontDisconnected", 0x1001)
    with pytest.raises(NotReady):
        asked.result(30)


def test_a_statement_that_somebody_waits_for_does_not_wait_for_rates(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.returns["reqQryInstrumentMarginRate"] = [-2] * 1000
    desk.instruments += [as_dict(instrument(f"rb26{month:02}")) for month in range(1, 6)]
    desk.details = [as_dict(detail(1, InstrumentID=f"rb26{month:02}")) for month in range(1, 6)]
    gateway = launch()
    gateway.ready()
    desk.statement = ["结算单".encode("gb18030")]
    waited = gateway.do(lambda: gateway.bee.trader.fetch_statement("20250606"))
    assert waited.result(30) == ("20250606", "结算单")
    assert not gateway.ledger.has_rates("rb2605")


def test_what_is_asked_while_the_front_is_lost_is_told_so_at_once(desk: Desk, gateway: Gateway) -> None:
    desk.td.call("onFrontDisconnected", 0x1001)
    eventually(lambda: gateway.state("td") == "lost", "lost")
    for ask in (
        lambda: gateway.bee.trader.confirm_settlement(),
        lambda: gateway.bee.trader.change_password("x"),
        lambda: gateway.bee.trader.fetch_statement(),
    ):
        with pytest.raises(NotReady):
            gateway.do(ask)


# ── orders ──


@pytest.mark.parametrize(
    ("kind", "conditions", "price"),
    [
        (OrderType.LIMIT, ("2", "3", "1"), 3000.0),
        (OrderType.MARKET, ("3", "1", "1"), 0.0),
        (OrderType.FAK, ("2", "1", "1"), 3000.0),
        (OrderType.FOK, ("2", "1", "3"), 3000.0),
    ],
)
def test_an_order_leaves_in_ctps_words_and_is_read_back_as_what_it_was(
    desk: Desk,
    launch: Callable[..., Gateway],
    kind: OrderType,
    conditions: tuple[str, str, str],
    price: float,
) -> None:
    gateway = launch(market_orders=market_orders(["SHFE=best"]))
    gateway.ready()
    order_id, asked = sent(desk, gateway, type=kind)
    assert (asked["OrderPriceType"], asked["TimeCondition"], asked["VolumeCondition"]) == conditions
    assert (asked["LimitPrice"], asked["VolumeTotalOriginal"], asked["ExchangeID"]) == (price, 2, "SHFE")
    assert (
        asked["CombHedgeFlag"],
        asked["ContingentCondition"],
        asked["ForceCloseReason"],
        asked["MinVolume"],
    ) == ("1", "1", "0", 1)
    assert (asked["BrokerID"], asked["InvestorID"], asked["UserID"], asked["OrderRef"]) == (
        "9999",
        "demo",
        "demo",
        "1",
    )
    names = ("OrderPriceType", "TimeCondition", "VolumeCondition")
    desk.td.call("onRtnOrder", as_dict(order(status="3", **dict(zip(names, conditions, strict=True)))))
    eventually(lambda: gateway.ledger.orders[order_id].status is Status.NOTTRADED, "taken")
    assert gateway.ledger.orders[order_id].type is kind


def test_a_market_order_where_there_are_none_is_refused_and_neither_journalled_nor_sent(
    desk: Desk, gateway: Gateway, store: Store
) -> None:
    with pytest.raises(BadInput) as error:
        gateway.send(type=OrderType.MARKET)
    assert error.value.code == "NO_MARKET_ORDERS"
    assert (store.intents(DAY), desk.asked("reqOrderInsert"), gateway.ledger.orders) == ([], [], {})


def test_gfex_contracts_are_traded_although_ctpbees_map_lacks_the_exchange(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.instruments = [as_dict(instrument("lc2510", "GFEX"))]
    gateway = launch()
    gateway.ready()
    _, asked = sent(desk, gateway, symbol="lc2510", exchange=Exchange.GFEX, offset=Offset.CLOSETODAY)
    assert (asked["ExchangeID"], asked["CombOffsetFlag"]) == ("GFEX", "3")


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (-1, "NEVER_SENT_NETWORK"),
        (-2, "NEVER_SENT_UNANSWERED"),
        (-3, "NEVER_SENT_TOO_FAST"),
        (-9, "NEVER_SENT"),
    ],
)
def test_what_the_library_did_not_send_is_refused_with_its_own_code(
    desk: Desk, gateway: Gateway, store: Store, result: int, code: str
) -> None:
    desk.returns["reqOrderInsert"] = [result]
    with pytest.raises(OrderRefused) as error:
        gateway.send()
    assert error.value.code == code
    (intent,) = store.intents(DAY)
    assert (intent.state, intent.code) == ("never_sent", code)
    assert gateway.ledger.orders == {}


def test_a_refusal_of_the_counter_counts_for_our_order_and_its_echo_to_all_sessions_for_none(
    desk: Desk, gateway: Gateway
) -> None:
    order_id, asked = sent(desk, gateway)
    error = {"ErrorID": 31, "ErrorMsg": "CTP:资金不足"}
    desk.td.call("onErrRtnOrderInsert", asked, error)  # may be another session's order of the same reference
    desk.td.catch_up()
    gateway.do(lambda: None)
    assert gateway.ledger.orders[order_id].status is Status.SUBMITTING
    desk.td.call("onRspOrderInsert", asked, error, 1, True)
    eventually(lambda: gateway.ledger.orders[order_id].status is Status.REJECTED, "refused")
    assert gateway.ledger.orders[order_id].error_code == "CTP_31"


def test_a_refusal_of_the_exchange_is_a_rejection_with_its_text(desk: Desk, gateway: Gateway) -> None:
    order_id, _ = sent(desk, gateway)
    desk.td.call(
        "onRtnOrder",
        as_dict(order(status="5", OrderSubmitStatus="4", StatusMsg="已撤单报单被拒绝INE:合约未开市")),
    )
    eventually(lambda: gateway.ledger.orders[order_id].status is Status.REJECTED, "refused")
    found = gateway.ledger.orders[order_id]
    assert (found.error_code, found.error_message) == ("EXCHANGE_REJECT", "已撤单报单被拒绝INE:合约未开市")


@pytest.mark.parametrize("status", ["2", "4", "b", "\0"])
def test_a_status_that_ctpbee_fails_on_leaves_the_order_as_it_was(
    desk: Desk, gateway: Gateway, status: str
) -> None:
    order_id, _ = sent(desk, gateway)
    desk.td.call("onRtnOrder", as_dict(order(status="3")))
    eventually(lambda: gateway.ledger.orders[order_id].status is Status.NOTTRADED, "taken")
    desk.td.call("onRtnOrder", as_dict(order(status=status, OrderSysID=f"{1:>12}")))
    desk.td.call("onRtnTrade", as_dict(trade()))
    eventually(lambda: gateway.ledger.orders[order_id].status is Status.PARTTRADED, "the stream goes on")


@pytest.mark.parametrize(("offset", "word"), [("2", "强平"), ("5", "强减"), ("6", "本地强平")])
def test_a_close_that_was_forced_is_an_order_like_others_and_told_once(
    desk: Desk, gateway: Gateway, offset: str, word: str
) -> None:
    row = as_dict(order(9, status="3", SessionID=99, CombOffsetFlag=offset, Direction="1"))
    desk.td.call("onRtnOrder", row)
    desk.td.call("onRtnOrder", row)
    eventually(lambda: "1_99_9" in gateway.ledger.orders, "shown")
    assert gateway.ledger.orders["1_99_9"].offset is Offset.CLOSE
    ((code, message),) = gateway.notices
    assert code == "FORCED_CLOSE"
    assert message.startswith(f"{word}：rb2510 2 手")


def test_a_forced_close_of_the_next_day_is_told_although_its_numbers_are_those_of_one_before(
    desk: Desk, gateway: Gateway
) -> None:
    row = as_dict(order(9, status="3", FrontID=0, SessionID=0, CombOffsetFlag="2", Direction="1"))
    desk.td.call("onRtnOrder", row)
    eventually(lambda: len(gateway.notices) == 1, "told")
    desk.login = desk.login | {"TradingDay": "20250610"}
    desk.account = as_dict(account(TradingDay="20250610"))
    desk.td.call("onFrontDisconnected", 0x2001)
    desk.td.call("onFrontConnected")
    gateway.ready(times=2)
    desk.td.call("onRtnOrder", row | {"TradingDay": "20250610"})
    eventually(lambda: len(gateway.notices) == 2, "told again")


def test_a_conditional_order_of_a_terminal_is_cancelled_by_its_own_number(
    desk: Desk, gateway: Gateway
) -> None:
    desk.td.call("onRtnOrder", as_dict(order(5, status="b", FrontID=2, SessionID=99, OrderSysID="TJBD_7")))
    eventually(lambda: "2_99_5" in gateway.ledger.orders, "shown")
    assert gateway.ledger.orders["2_99_5"].status.value == "未触发"
    gateway.do(
        lambda: gateway.bee.trader.cancel_order(
            CancelRequest(order_id="2_99_5", symbol="rb2510", exchange=Exchange.SHFE)
        )
    )
    assert [(asked["OrderSysID"], asked["ExchangeID"]) for asked in desk.asked("reqOrderAction")] == [
        ("TJBD_7", "SHFE")
    ]


def test_what_a_condition_triggered_and_the_counter_refused_is_told_when_it_happens(
    desk: Desk, gateway: Gateway
) -> None:
    refused = as_dict(
        order(5, status="c", FrontID=2, SessionID=99, OrderSysID="TJBD_7", Direction="1", CombOffsetFlag="3")
    )
    refused |= {"ErrorID": 50, "ErrorMsg": "CTP:平今仓位不足"}
    desk.td.call("onRtnErrorConditionalOrder", refused)
    eventually(lambda: gateway.notices, "told")
    assert gateway.notices == [
        ("CONDITIONAL_ORDER_REFUSED", "条件单触发后被拒：rb2510 空平今 2 手，CTP:平今仓位不足")
    ]
    desk.again = [("onRtnErrorConditionalOrder", refused)]
    desk.td.call("onFrontDisconnected", 0x2001)
    desk.td.call("onFrontConnected")
    gateway.ready(times=2)
    assert len(gateway.notices) == 1


def test_orders_of_another_session_are_shown_and_cancelled_by_the_exchanges_number(
    desk: Desk, gateway: Gateway
) -> None:
    desk.td.call("onRtnOrder", as_dict(order(5, status="3", FrontID=2, SessionID=99)))
    eventually(lambda: "2_99_5" in gateway.ledger.orders, "shown")
    assert not gateway.ledger.orders["2_99_5"].is_local
    gateway.do(
        lambda: gateway.bee.trader.cancel_order(
            CancelRequest(order_id="2_99_5", symbol="rb2510", exchange=Exchange.SHFE)
        )
    )
    (asked,) = desk.asked("reqOrderAction")
    assert (asked["OrderSysID"], asked["ExchangeID"], asked["ActionFlag"]) == (
        f"{5:>12}",
        "SHFE",
        "0",
    )  # verbatim, blanks and all
    assert "OrderRef" not in asked
    _, own = sent(desk, gateway)
    assert own["OrderRef"] == "1"  # another session's references are its own


def test_an_order_without_a_number_is_cancelled_by_its_triple(desk: Desk, gateway: Gateway) -> None:
    order_id, _ = sent(desk, gateway)
    gateway.do(
        lambda: gateway.bee.trader.cancel_order(
            CancelRequest(order_id=order_id, symbol="rb2510", exchange=Exchange.SHFE)
        )
    )
    (asked,) = desk.asked("reqOrderAction")
    assert (asked["FrontID"], asked["SessionID"], asked["OrderRef"]) == (1, 7, "1")
    assert "OrderSysID" not in asked


def test_after_a_blip_a_cancel_leaves_as_soon_as_the_login_is_taken_and_an_order_when_all_is_loaded(
    desk: Desk, gateway: Gateway
) -> None:
    order_id, _ = sent(desk, gateway)
    unnumbered, _ = sent(desk, gateway)
    desk.orders = [order(status="3")]
    desk.td.call("onRtnOrder", as_dict(desk.orders[0]))
    eventually(lambda: gateway.ledger.orders[order_id].status is Status.NOTTRADED, "taken")

    def cancel(order_id: str) -> int:
        request = CancelRequest(order_id=order_id, symbol="rb2510", exchange=Exchange.SHFE)
        return int(gateway.do(lambda: gateway.bee.trader.cancel_order(request)))

    desk.td.call("onFrontDisconnected", 0x2001)
    eventually(lambda: gateway.state("td") == "lost", "lost")
    with pytest.raises(NotReady):
        cancel(order_id)
    desk.silent = {"reqQryOrder"}
    desk.td.call("onFrontConnected")
    eventually(lambda: gateway.state("td") == "loading", "it loads")
    assert cancel(order_id) == 0
    assert [asked["OrderSysID"] for asked in desk.asked("reqOrderAction")] == [f"{1:>12}"]
    with pytest.raises(NotReady):
        cancel(unnumbered)  # its triple may be another order's by now
    with pytest.raises(NotReady):
        gateway.send()
    echo = {"OrderRef": "", "FrontID": 0, "SessionID": 0} | desk.asked("reqOrderAction")[0]
    desk.td.call("onRspOrderAction", echo, refused(26), 1, True)
    eventually(lambda: gateway.cancel_refusals, "its refusal is told meanwhile")


def test_a_cancel_of_the_day_before_does_not_leave_after_the_login_of_a_new_day(
    desk: Desk, gateway: Gateway
) -> None:
    """Numbers begin anew each day: it would cancel another order."""
    order_id, _ = sent(desk, gateway)
    desk.td.call("onRtnOrder", as_dict(order(status="3")))
    eventually(lambda: gateway.ledger.orders[order_id].status is Status.NOTTRADED, "taken")
    desk.login, desk.silent = desk.login | {"TradingDay": "20250610"}, {"reqSettlementInfoConfirm"}
    lose(desk, desk.td)
    eventually(lambda: gateway.state("td") == "confirming", "logged in, and not yet loading")
    with pytest.raises(NotReady):
        gateway.do(
            lambda: gateway.bee.trader.cancel_order(
                CancelRequest(order_id=order_id, symbol="rb2510", exchange=Exchange.SHFE)
            )
        )
    assert desk.asked("reqOrderAction") == []


def test_a_cancel_that_the_library_did_not_send_says_so(desk: Desk, gateway: Gateway) -> None:
    order_id, _ = sent(desk, gateway)
    desk.returns["reqOrderAction"] = [-2]
    with pytest.raises(NotReady) as error:
        gateway.do(
            lambda: gateway.bee.trader.cancel_order(
                CancelRequest(order_id=order_id, symbol="rb2510", exchange=Exchange.SHFE)
            )
        )
    assert error.value.code == "NEVER_SENT_UNANSWERED"
    assert "撤单未发出" in error.value.message


def test_a_refused_cancel_is_told_once_though_counter_and_exchange_both_refuse(
    desk: Desk, gateway: Gateway
) -> None:
    order_id, _ = sent(desk, gateway)
    desk.td.call("onRtnOrder", as_dict(order(status="3")))
    eventually(lambda: gateway.ledger.orders[order_id].status is Status.NOTTRADED, "taken")
    gateway.do(
        lambda: gateway.bee.trader.cancel_order(
            CancelRequest(order_id=order_id, symbol="rb2510", exchange=Exchange.SHFE)
        )
    )
    (asked,) = desk.asked("reqOrderAction")
    echo = {"OrderRef": "", "FrontID": 0, "SessionID": 0} | asked
    error = {"ErrorID": 26, "ErrorMsg": "CTP:报单已全成交或已撤销，不能再撤"}
    desk.td.call("onRspOrderAction", echo, error, 1, True)
    desk.td.call("onErrRtnOrderAction", echo, error)
    desk.td.catch_up()
    gateway.do(lambda: None)
    assert gateway.cancel_refusals == [(order_id, "CTP_26", "CTP:报单已全成交或已撤销，不能再撤")]


def test_a_refused_cancel_is_told_although_the_night_has_had_one_of_the_same_number(
    desk: Desk, gateway: Gateway
) -> None:
    """A gateway that logs in again counts its cancels from one; the login tells those of the night once
    more.
    """
    order_id, _ = sent(desk, gateway)
    desk.td.call("onRtnOrder", as_dict(order(status="3")))
    eventually(lambda: gateway.ledger.orders[order_id].status is Status.NOTTRADED, "taken")
    echo = {
        "InstrumentID": "rb2510",
        "ExchangeID": "SHFE",
        "OrderSysID": f"{1:>12}",
        "OrderRef": "",
        "FrontID": 0,
        "SessionID": 0,
    }
    desk.td.call("onErrRtnOrderAction", echo | {"OrderActionRef": 1}, refused(26))
    desk.td.catch_up()
    gateway.do(lambda: None)
    assert not gateway.cancel_refusals
    gateway.do(
        lambda: gateway.bee.trader.cancel_order(
            CancelRequest(order_id=order_id, symbol="rb2510", exchange=Exchange.SHFE)
        )
    )
    (asked,) = desk.asked("reqOrderAction")
    assert asked["OrderActionRef"] == 1
    desk.td.call("onErrRtnOrderAction", echo | asked, refused(26))
    eventually(lambda: [told[0] for told in gateway.cancel_refusals] == [order_id], "the refusal")


def test_two_exchanges_may_use_one_number_for_orders_and_for_fills(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.instruments += [as_dict(instrument("a2509", "DCE"))]
    gateway = launch()
    gateway.ready()
    for ref, symbol, exchange in ((1, "rb2510", "SHFE"), (2, "a2509", "DCE")):
        number = {"OrderSysID": f"{77:>12}", "InstrumentID": symbol, "ExchangeID": exchange, "SessionID": 5}
        desk.td.call("onRtnOrder", as_dict(order(ref, status="3", **number)))
        del number["SessionID"]
        desk.td.call("onRtnTrade", as_dict(trade("t1", ref, **number)))
    eventually(lambda: len(gateway.ledger.trades) == 2, "both fills")
    assert [fill.order_id for fill in gateway.ledger.trades] == ["1_5_1", "1_5_2"]


def test_ines_yesterday_volume_is_counted_like_shfes(desk: Desk, launch: Callable[..., Gateway]) -> None:
    desk.instruments = [as_dict(instrument("sc2510", "INE"))]
    row = {"InstrumentID": "sc2510", "ExchangeID": "INE"}
    desk.details = [
        as_dict(detail(2, **row)),
        as_dict(detail(1, open_date=DAY, TradeID="t1", OpenPrice=3000.0, **row)),
    ]
    desk.orders = [order(status="0", VolumeTraded=1, VolumeTotalOriginal=1, SessionID=3, **row)]
    desk.trades = [trade("t1", **row)]
    desk.account = as_dict(account(CurrMargin=9000.0, Commission=2.0))
    gateway = launch()
    gateway.ready()
    position = gateway.ledger.book.position("sc2510", "long")
    assert position is not None
    assert (position.volume, position.yd_volume) == (3, 2)
    assert gateway.differences == []


# ── losses ──


NEXT = "20250610"


def day_begun(gateway: Gateway, times: int = 2) -> None:
    gateway.ready(times)
    eventually(lambda: gateway.bee.trader.trading_day == NEXT, "the new day")


def test_a_day_that_turns_without_a_disconnect_is_seen_in_the_money_and_everything_is_loaded_anew(
    desk: Desk, gateway: Gateway
) -> None:
    gateway.do(lambda: gateway.bee.subscribe("rb2510"))
    order_id, _ = sent(desk, gateway)
    desk.td.call("onRtnOrder", as_dict(order(status="3")))
    eventually(lambda: gateway.ledger.orders[order_id].status is Status.NOTTRADED, "taken")
    desk.account = as_dict(account(TradingDay=NEXT, PreBalance=990_000.0, Balance=990_000.0))
    gateway.do(gateway.bee.trader.query_account)
    day_begun(gateway)
    assert gateway.ledger.orders == {}
    assert ("td", "loading", f"新交易日 {NEXT}") in gateway.states
    assert gateway.ledger.money().balance == 990_000
    assert len(desk.asked("reqUserLogin")) == 1
    assert len(desk.asked("reqQryInstrument")) == 2
    order_id, _ = sent(desk, gateway)
    desk.td.call("onRtnOrder", as_dict(order(2, status="3", TradingDay=NEXT)))
    eventually(
        lambda: gateway.ledger.orders[order_id].status is Status.NOTTRADED,
        "an order of the new day is heard of",
    )
    assert told_quote(desk, gateway, TradingDay=NEXT).trading_day == NEXT
    desk.account = as_dict(account())  # an answer that is late says nothing
    gateway.do(gateway.bee.trader.query_account)
    eventually(lambda: len(desk.asked("reqQryTradingAccount")) >= 4, "asked")
    desk.td.catch_up()
    gateway.do(lambda: None)
    assert gateway.bee.trader.trading_day == NEXT
    assert gateway.ready() is None


@pytest.mark.parametrize("account_is_late", [False, True])
def test_an_order_of_ours_that_comes_back_of_a_newer_day_turns_it_and_stays_ours(
    desk: Desk, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, account_is_late: bool
) -> None:
    """The counter may answer queries of the day before for a moment."""
    monkeypatch.setattr(trader, "QUERY_AGAIN", 0.05)
    monkeypatch.setattr(trader, "MOST_RELOADS", 1000)  # the moment is this test's
    order_id, _ = sent(desk, gateway)
    row = order(status="3", TradingDay=NEXT, InsertDate=NEXT)
    if not account_is_late:
        desk.account = as_dict(account(TradingDay=NEXT))
    before = len(desk.asked("reqQryTradingAccount"))
    desk.td.call("onRtnOrder", as_dict(row))
    if account_is_late:
        eventually(lambda: len(desk.asked("reqQryTradingAccount")) >= before + 2, "asked again")
        desk.account = as_dict(account(TradingDay=NEXT))
    day_begun(gateway)
    told = gateway.ledger.orders[order_id]
    assert (told.status, told.is_local, told.trading_day) == (Status.NOTTRADED, True, NEXT)
    assert gateway.bee.trader.cancel_order(told.create_cancel_request()) == 0


def test_with_the_trading_front_lost_orders_are_refused_at_once_while_quotes_go_on(
    desk: Desk, gateway: Gateway
) -> None:
    gateway.do(lambda: gateway.bee.subscribe("rb2510"))
    eventually(lambda: desk.asked("subscribeMarketData"), "subscribed")
    desk.td.call("onFrontDisconnected", 0x1001)
    eventually(lambda: gateway.state("td") == "lost", "lost")
    assert ("td", "lost", "与前置的连接已断开：网络读失败 0x1001") in gateway.states
    with pytest.raises(NotReady):
        gateway.send()
    desk.md.call("onRtnDepthMarketData", as_dict(depth(ExchangeID="", BidPrice1=1.7976931348623157e308)))
    eventually(lambda: gateway.ears.of("tick"), "a quote")
    (tick,) = gateway.ears.of("tick")
    assert (tick.exchange, tick.bid_price_1, tick.trading_day) == (Exchange.SHFE, 0.0, DAY)


def told_quote(desk: Desk, gateway: Gateway, **changes: Any) -> Any:
    """The tick that comes of a quote of rb2510."""
    before = len(gateway.ears.of("tick"))
    desk.md.call("onRtnDepthMarketData", as_dict(depth(ExchangeID="", **changes)))
    eventually(lambda: len(gateway.ears.of("tick")) > before, "a quote")
    return gateway.ears.of("tick")[-1]


def test_a_contract_is_live_once_a_quote_of_the_day_has_come_and_until_the_front_is_lost(
    desk: Desk, gateway: Gateway
) -> None:
    front = gateway.bee.market
    gateway.do(lambda: gateway.bee.subscribe("rb2510"))
    eventually(lambda: desk.asked("subscribeMarketData"), "subscribed")
    assert not front.is_live("rb2510")  # asked for, and nothing has come
    told_quote(desk, gateway, TradingDay="20250606", UpdateTime="15:00:00")
    assert not front.is_live("rb2510")  # the day before's, which a front may answer with
    told_quote(desk, gateway)
    assert front.is_live("rb2510")
    desk.md.call("onFrontDisconnected", 0x2001)
    eventually(lambda: gateway.state("md") == "lost", "lost")
    assert not front.is_live("rb2510")
    desk.md.call("onFrontConnected")
    gateway.ready()
    assert not front.is_live("rb2510")  # what it told before it was lost says nothing of now
    told_quote(desk, gateway)
    assert front.is_live("rb2510")
    gateway.do(
        lambda: gateway.ledger.begin_day("20250610")
    )  # the trading front has heard of the next day; there is no new login
    assert not front.is_live("rb2510")  # its newest quote is of the day that is over
    told_quote(desk, gateway)  # the last of that day, which was on its way
    assert not front.is_live("rb2510")
    told_quote(desk, gateway, TradingDay="20250610")
    assert front.is_live("rb2510")
    gateway.do(lambda: front.unsubscribe("rb2510"))
    eventually(lambda: not front.is_live("rb2510"), "unsubscribed")


def test_a_quote_of_the_day_before_keeps_its_day_so_that_neither_limits_nor_bars_take_it_for_todays(
    desk: Desk, gateway: Gateway
) -> None:
    gateway.do(lambda: gateway.bee.subscribe("rb2510"))
    eventually(lambda: desk.asked("subscribeMarketData"), "subscribed")
    assert told_quote(desk, gateway, TradingDay="20250606", UpdateTime="15:00:00").trading_day == "20250606"
    assert told_quote(desk, gateway).trading_day == DAY
    assert told_quote(desk, gateway, TradingDay="").trading_day == DAY, "real market fronts may leave it out"
    gateway.do(lambda: gateway.ledger.begin_day("20250610"))
    assert told_quote(desk, gateway).trading_day == DAY, "on its way as the day turned"


def test_a_quote_whose_stamp_is_far_ahead_is_told_with_the_moment_at_which_it_came(
    desk: Desk, gateway: Gateway
) -> None:
    gateway.do(lambda: gateway.bee.subscribe("rb2510"))
    eventually(lambda: desk.asked("subscribeMarketData"), "subscribed")
    for stamp in ("10:10:00", "10:10:00"):
        assert told_quote(desk, gateway, UpdateTime=stamp).datetime < datetime(
            2025, 6, 9, 9, 31, tzinfo=SHANGHAI
        )
    assert gateway.bee.trader.counter_now() < datetime(2025, 6, 9, 9, 31, tzinfo=SHANGHAI)


def test_the_login_tells_how_far_an_exchanges_clock_is_from_the_counters(
    desk: Desk, launch: Callable[..., Gateway]
) -> None:
    desk.login |= {
        "SHFETime": "09:32:00",
        "DCETime": "--:--:--",
        "CZCETime": "",
        "FFEXTime": "09:29:59",
        "INETime": "20:15:00",
    }
    gateway = launch()
    gateway.ready()
    gateway.do(lambda: gateway.bee.subscribe("rb2510"))
    eventually(lambda: desk.asked("subscribeMarketData"), "subscribed")
    assert told_quote(desk, gateway, UpdateTime="09:31:59").datetime == datetime(
        2025, 6, 9, 9, 31, 59, 500_000, tzinfo=SHANGHAI
    )
    assert gateway.bee.trader.counter_now() < datetime(2025, 6, 9, 9, 30, 30, tzinfo=SHANGHAI)


def test_exchanges_clocks_are_compared_over_midnight_and_nonsense_is_left_out() -> None:
    def login(**times: str) -> frames.RspUserLogin:
        return frames.RspUserLogin(front="td", now="23:59:59", **times)

    ahead = ctp.clocks_ahead(
        login(SHFETime="00:00:04", DCETime="23:59:58", CZCETime="--:--:--", FFEXTime="15:15:00")
    )
    assert ahead == {"SHFE": timedelta(seconds=5), "DCE": timedelta(seconds=-1)}


def test_a_subscription_that_the_library_did_not_take_is_made_again(
    desk: Desk, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market, "STREAM_AGAIN", 0.05)
    desk.returns["subscribeMarketData"] = [0, -3]
    gateway.do(lambda: [gateway.bee.subscribe(symbol) for symbol in ("rb2510", "rb2601")])
    eventually(
        lambda: [request["symbol"] for request in desk.asked("subscribeMarketData")].count("rb2601") == 2,
        "asked again",
    )
    desk.md.call("onRtnDepthMarketData", as_dict(depth()))
    eventually(lambda: gateway.ears.of("tick"), "a quote")


def test_after_a_loss_everything_is_done_again_and_what_happened_meanwhile_appears(
    desk: Desk, gateway: Gateway
) -> None:
    gateway.do(lambda: gateway.bee.subscribe("rb2510"))
    order_id, _ = sent(desk, gateway)
    desk.td.call("onRtnOrder", as_dict(order(status="3")))
    eventually(lambda: gateway.ledger.orders[order_id].status is Status.NOTTRADED, "taken")
    for api in (desk.td, desk.md):
        api.call("onFrontDisconnected", 0x2001)
    eventually(lambda: gateway.state("td") == gateway.state("md") == "lost", "both lost")
    desk.orders = [order(status="0", VolumeTraded=2), order(3, status="3", SessionID=50)]
    desk.trades = [trade("t1", Volume=2)]
    desk.details = [as_dict(detail(2, open_date=DAY, TradeID="t1", OpenPrice=3000.0))]
    desk.account = as_dict(account(CurrMargin=6000.0, Commission=4.0))
    desk.login = desk.login | {"SessionID": 8}
    for api in (desk.td, desk.md):
        api.call("onFrontConnected")
    gateway.ready(times=2)
    assert gateway.ledger.orders[order_id].status is Status.ALLTRADED
    assert "1_50_3" in gateway.ledger.orders
    assert [row.tradeid for row in gateway.ears.of("trade")] == ["t1"]
    assert len(desk.asked("reqUserLogin")) == 2
    eventually(lambda: len(desk.asked("subscribeMarketData")) >= 2, "subscribed again")
    assert gateway.differences == []


def test_an_order_whose_answer_was_lost_with_the_gateway_is_found_again_by_its_triple_and_not_sent_twice(
    desk: Desk, launch: Callable[..., Gateway], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trader, "ARRIVAL_GRACE", 0.2)
    gateway = launch()
    gateway.ready()
    order_id, _ = sent(desk, gateway)
    desk.orders = [order(status="3")]
    desk.login = desk.login | {"SessionID": 8}
    again = launch()
    again.ready()
    eventually(lambda: again.ledger.orders[order_id].status is Status.NOTTRADED, "found")
    assert again.ledger.orders[order_id].is_local
    assert len(desk.asked("reqOrderInsert")) == 1
    eventually(lambda: store.intents(DAY)[0].state == "accepted", "settled")


def test_who_rests_logs_out_and_lets_the_library_go_and_who_wakes_logs_in_with_a_new_one(
    desk: Desk, gateway: Gateway
) -> None:
    until = datetime(2025, 6, 9, 20, 35, tzinfo=SHANGHAI)
    gateway.do(lambda: gateway.bee.subscribe("rb2510"))
    first, sides = desk.td, (gateway.bee.trader, gateway.bee.market)
    gateway.do(lambda: [side.rest(until) for side in sides])
    assert ("td", "resting", "不在交易时段，2025-06-09 20:35 再登录") in gateway.states
    assert gateway.state("md") == "resting"
    assert len(desk.asked("reqUserLogout")) == len(desk.asked("md.reqUserLogout")) == 1
    with pytest.raises(NotReady):
        gateway.send()
    eventually(lambda: first.ended, "the library is let go")
    desk.login = desk.login | {"TradingDay": "20250610", "SessionID": 8}
    desk.account = as_dict(account(TradingDay="20250610"))
    gateway.do(lambda: [side.wake() for side in sides])
    gateway.ready(times=2)
    assert desk.td is not first
    assert gateway.bee.trader.trading_day == "20250610"
    eventually(lambda: len(desk.asked("subscribeMarketData")) == 2, "subscribed again")


@pytest.mark.skipif(sys.platform == "win32", reason="the library is left alone there")
def test_the_bindings_own_library_is_asked_to_let_go_whatever_our_class_over_it_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rest of it is tried on the real binding: test_ctp_resting.py."""
    called: list[tuple[str, str]] = []
    done = threading.Event()

    class Library:
        def __init__(self, path: str) -> None:
            self.path = path

        def __getattr__(self, symbol: str) -> Callable[[object], None]:
            return lambda _address: (called.append((self.path, symbol)), done.set())[1]

    binding = types.ModuleType("binding")
    binding.__file__ = "/there/binding.so"
    monkeypatch.setitem(sys.modules, "binding", binding)
    monkeypatch.setattr(link.ctypes, "CDLL", Library)
    foreign = type("pybind11_object", (), {"__slots__": ("held",)})
    bound = type("TdApi", (foreign,), {"__module__": "binding"})
    link._let_go(type("TdApi", (link.TraderCallbacks, bound), {})())
    assert done.wait(30)
    assert called == [("/there/binding.so", "_ZN5TdApi4exitEv")]


def test_what_is_wrong_on_the_machine_when_it_is_time_to_dial_is_looked_at_again_and_again(
    desk: Desk, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account whose night begins while a disk is full is not given up for that."""
    moment = datetime(2025, 6, 6, 20, 0, tzinfo=SHANGHAI)
    sides = (gateway.bee.trader, gateway.bee.market)
    dialer = Dialer(gateway.loop, lambda: sides, lambda: moment)
    gateway.do(lambda: [side.rest(moment) for side in sides])
    gateway.do(dialer.look)
    wrong = preflight.Finding(
        "流文件目录", "", "不能写：No space left on device", "请腾出空间", "FLOW_DIRECTORY"
    )
    monkeypatch.setattr(preflight, "of_this_machine", lambda: iter((wrong,)))
    moment = datetime(2025, 6, 6, 20, 35, tzinfo=SHANGHAI)
    gateway.do(dialer.look)
    gateway.do(dialer.look)
    assert [reason for side, state, reason in gateway.states if (side, state) == ("td", "resting")][1:] == [
        "流文件目录：不能写：No space left on device。请腾出空间"
    ]
    assert gateway.state("td") == gateway.state("md") == "resting"
    monkeypatch.setattr(preflight, "of_this_machine", lambda: iter(()))
    gateway.do(dialer.look)
    gateway.ready(times=2)


def test_a_difference_counts_when_it_is_there_twice_since_a_fill_and_an_answer_may_overtake_each_other(
    desk: Desk, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctp, "SUSPECT_AGAIN", 3600.0)  # first the test says when

    def ask() -> list[int]:
        """How many answers about money were heard before this question; none where an earlier one is not
        answered yet.
        """
        trader = gateway.bee.trader
        if trader._queue.has("position_detail") or trader._queue.has("account"):
            return []
        assert trader.query_position() == trader.query_account() == 0
        return [len(gateway.ears.of("account"))]

    def compare() -> None:
        (told,) = eventually(lambda: gateway.do(ask), "earlier questions have been answered")
        eventually(lambda: len(gateway.ears.of("account")) > told, "compared")

    order_id, _ = sent(desk, gateway, volume=1)
    eventually(lambda: gateway.ledger.has_rates("rb2510"), "its rates")
    compare()
    desk.details = [as_dict(detail(1, open_date=DAY, TradeID="t1", OpenPrice=3000.0))]
    desk.account = as_dict(account(CurrMargin=3000.0, Commission=2.0, Balance=999_998.0))
    compare()  # the counter's lots know of the fill, we do not yet
    desk.td.call("onRtnOrder", as_dict(order(status="0", VolumeTotalOriginal=1, VolumeTraded=1)))
    desk.td.call("onRtnTrade", as_dict(trade("t1")))
    eventually(lambda: gateway.ledger.trades, "the fill")
    compare()
    assert gateway.differences == []
    assert gateway.ledger.orders[order_id].status is Status.ALLTRADED
    monkeypatch.setattr(ctp, "SUSPECT_AGAIN", 0.05)
    desk.details = [as_dict(detail(3, open_date=DAY, TradeID="t1", OpenPrice=3000.0))]
    compare()
    eventually(lambda: gateway.differences, "asked again by itself, and seen twice")
    assert gateway.differences[0] == "rb2510 多 今仓：账本 1 手，柜台 3 手，以柜台为准"
    position = gateway.ledger.book.position("rb2510", "long")
    assert position is not None
    assert position.volume == 3


def test_a_lot_of_the_night_that_is_dated_by_the_natural_day_is_asked_about_once_and_is_no_difference(
    desk: Desk, gateway: Gateway
) -> None:
    sent(desk, gateway, volume=1)
    desk.td.call("onRtnOrder", as_dict(order(status="0", VolumeTotalOriginal=1, VolumeTraded=1)))
    desk.td.call("onRtnTrade", as_dict(trade("t1")))
    eventually(lambda: gateway.ledger.trades and gateway.ledger.has_rates("rb2510"), "the fill")
    desk.details = [as_dict(detail(1, open_date="20250606", TradeID="t1", OpenPrice=3000.0))]
    desk.positions = [as_dict(row) for row in position(1, 0)]
    desk.account = as_dict(account(CurrMargin=3000.0, Commission=2.0))
    for _ in range(3):
        eventually(
            lambda: (
                not gateway.do(
                    lambda: [w for w in ("position", "account") if gateway.bee.trader._queue.has(w)]
                )
            ),
            "all answered",
        )
        told = len(gateway.ears.of("account"))
        assert (
            gateway.do(lambda: gateway.bee.trader.query_position())
            == gateway.do(lambda: gateway.bee.trader.query_account())
            == 0
        )
        eventually(lambda told=told: len(gateway.ears.of("account")) > told, "compared")
    held = gateway.do(lambda: gateway.ledger.book.position("rb2510", "long"))
    assert (held.today_volume, held.yd_volume) == (1, 0)
    assert (len(desk.asked("reqQryInvestorPosition")), gateway.differences, gateway.remarks) == (1, [], [])


@pytest.mark.parametrize("open_date", ["20250609", "20250607"])
def test_a_friday_night_is_mondays_and_its_lots_are_yesterdays_on_monday_evening(
    desk: Desk, launch: Callable[..., Gateway], store: Store, open_date: str
) -> None:
    """Dialled by the calendar: an order at 00:45 on Saturday, the front lost at 01:10 and back at 01:12, a
    weekend, a day, a night.

    `open_date` is what the counter writes for the lot: the trading day, or the natural day.
    """
    monday, tuesday = "20250609", "20250610"
    desk.login = desk.login | {"TradingDay": monday, "LoginTime": "20:36:00"}
    gateway = launch()
    gateway.ready()
    moment = datetime(2025, 6, 6, 20, 36, tzinfo=SHANGHAI)
    dialer = Dialer(gateway.loop, lambda: (gateway.bee.trader, gateway.bee.market), lambda: moment)

    def at(day: int, hour: int, minute: int) -> str:
        nonlocal moment
        moment = datetime(2025, 6, day, hour, minute, tzinfo=SHANGHAI)
        gateway.do(dialer.look)
        return gateway.state("td")

    def long() -> tuple[int, int]:
        position = gateway.ledger.book.position("rb2510", "long")
        assert position is not None
        return position.today_volume, position.yd_volume

    assert at(7, 0, 45) == "ready"
    order_id, _ = sent(desk, gateway, volume=1)
    filled = order(status="0", VolumeTotalOriginal=1, VolumeTraded=1, InsertTime="00:45:00")
    desk.orders, desk.trades = [filled], [trade("t1", TradeTime="00:45:01")]
    desk.td.call("onRtnOrder", as_dict(filled))
    desk.td.call("onRtnTrade", as_dict(desk.trades[0]))
    eventually(lambda: gateway.ledger.trades, "the fill")
    desk.details = [as_dict(detail(1, open_date=open_date, TradeID="t1", OpenPrice=3000.0))]
    desk.positions = [as_dict(row) for row in position(1, 0)]
    desk.account = as_dict(account(CurrMargin=3000.0, Commission=2.0, Balance=999_998.0))
    desk.td.call("onFrontDisconnected", 0x1001)
    eventually(lambda: gateway.state("td") == "lost", "lost")
    assert at(7, 1, 10) == "lost"  # within the hours that is left to the library
    desk.login = desk.login | {"LoginTime": "01:12:00", "SessionID": 8}
    desk.td.call("onFrontConnected")
    gateway.ready(times=2)
    assert gateway.bee.trader.trading_day == monday
    assert long() == (1, 0)
    assert gateway.ledger.orders[order_id].datetime == "2025-06-07 00:45:00.000"

    assert at(7, 2, 45) == "resting"
    assert at(8, 21, 0) == "resting"  # a Sunday
    desk.login = desk.login | {"LoginTime": "08:35:00", "SessionID": 9}
    at(9, 8, 35)
    gateway.ready(times=3)
    assert at(9, 14, 0) == "ready"
    assert long() == (1, 0)
    assert len(gateway.ledger.trades) == 1
    assert len(gateway.ears.of("trade")) == 1

    assert at(9, 15, 30) == "resting"
    desk.orders, desk.trades = [], []
    desk.login = desk.login | {"TradingDay": tuesday, "LoginTime": "20:35:00", "SessionID": 10}
    desk.details = [
        as_dict(
            detail(
                1,
                open_date=open_date,
                TradingDay=tuesday,
                TradeID="t1",
                OpenPrice=3000.0,
                LastSettlementPrice=3010.0,
            )
        )
    ]
    desk.account = as_dict(account(TradingDay=tuesday, CurrMargin=3010.0))
    at(9, 20, 35)
    gateway.ready(times=4)
    assert gateway.bee.trader.trading_day == tuesday
    assert long() == (0, 1)
    assert gateway.ledger.orders == {}
    assert gateway.ledger.trades == []
    assert gateway.differences == []
    assert len(desk.asked("reqQryInvestorPosition")) == (
        0 if open_date == monday else 1
    )  # settled once a day


def test_a_broken_callback_is_logged_and_the_next_one_heard(
    desk: Desk, gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    desk.td.call("onRtnOrder", {"OrderRef": "1"})
    desk.td.call("onRtnOrder", as_dict(order(4, status="3", SessionID=50)))
    eventually(lambda: "1_50_4" in gateway.ledger.orders, "the stream goes on")
    assert "callback onRtnOrder failed" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="its C library names locales otherwise")
def test_the_locale_check_knows_what_the_c_library_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "LOCALE", "zz_ZZ.NOTHING")
    assert not preflight.has_locale()
    monkeypatch.setattr(preflight, "LOCALE", "C")
    assert preflight.has_locale()


def test_the_counters_moment_is_of_the_hosts_date_where_their_clocks_agree_else_of_its_trading_day() -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)

    assert ctp.login_moment("20250609", "20:59:58", at("2025-06-06T21:00:00")) == at("2025-06-06T20:59:58")
    assert ctp.login_moment("20250609", "12:00:00", at("2025-06-07T12:10:00")) == at(
        "2025-06-07T12:00:00"
    )  # on a Saturday
    assert ctp.login_moment("20250609", "00:00:01", at("2025-06-06T23:59:59")) == at("2025-06-07T00:00:01")
    assert ctp.login_moment("20250609", "21:05:00", at("2026-11-23T08:00:00")) == at("2025-06-06T21:05:00")
    assert ctp.login_moment("20250605", "10:00:00", at("2026-11-28T09:20:00")) == at(
        "2025-06-05T10:00:00"
    )  # the hour alone agrees
    assert ctp.login_moment("20250205", "10:00:00", at("2025-01-28T10:00:00")) == at(
        "2025-01-28T10:00:00"
    )  # in a holiday
    assert ctp.login_moment("20250609", "", at("2025-06-09T08:00:00")) == at("2025-06-09T08:00:00")
