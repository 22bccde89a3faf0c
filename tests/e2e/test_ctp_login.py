"""Logins of a real account end to end, over the stand-in: each way to fail has an answer of its own, and some
mend themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from app.lib.calendar import SHANGHAI
from tests.e2e.ctp_server import CtpServer
from tests.e2e.server import Refused, Trader
from tests.support.waiting import eventually

pytestmark = pytest.mark.full

users = (f"login{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CtpServer]:
    made = CtpServer(tmp_path_factory.mktemp("ctp"), login_timeout=8)
    made.start()
    yield made
    made.clean()


@pytest.fixture
def trader(server: CtpServer) -> Iterator[Trader]:
    """A user of the test's own, not logged in; the counter's rules are off again after it."""
    made = Trader(server, next(users))
    yield made
    server.faults().set_rules()
    server.reach()
    made.close_page()


def refused(trader: Trader, **changes: str) -> dict[str, Any]:
    with pytest.raises(Refused) as error:
        trader.log_in(**changes)
    return error.value.body


def log_in(trader: Trader, **changes: str) -> dict[str, Any]:
    """What POST /login answers, be it yes or no."""
    try:
        trader.log_in(**changes)
    except Refused as error:
        return error.body
    return {"data": trader.token}


def test_a_terminal_that_is_not_registered_is_told_so(server: CtpServer, trader: Trader) -> None:
    server.faults().set_rules(app_ids={"client": "0000000000000000"})
    body = refused(trader, appid="client", auth_code="wrong")
    assert body["error"] in ("CTP_63", "CTP_64")
    assert "appid 和 auth_code" in body["msg"]
    trader.log_in(appid="client", auth_code="0000000000000000")


def test_a_wrong_password_is_refused_and_not_tried_again(server: CtpServer, trader: Trader) -> None:
    trader.log_in()
    trader.do("POST", "/logout", authorization="000000")
    body = refused(trader, password="wrong")
    assert body["error"] == "CTP_3"
    assert "不合法的登录" in body["msg"]
    assert server.entry(f"gateway-{trader.key}") is None or eventually(
        lambda: server.entry(f"gateway-{trader.key}") is None, "gone"
    )


def test_a_locked_user_is_told_not_to_try_again(server: CtpServer, trader: Trader) -> None:
    trader.log_in()
    trader.do("POST", "/logout", authorization="000000")
    server.faults().set_rules(lock_after=2)
    for _ in range(2):
        assert refused(trader, password="wrong")["error"] == "CTP_3"
    body = refused(trader)
    assert body["error"] == "CTP_75"
    assert "不要再试" in body["msg"]


def test_a_password_that_must_be_changed_first_is_changed_through_its_route(
    server: CtpServer, trader: Trader
) -> None:
    server.faults().set_rules(must_change={trader.userid: 140})
    assert refused(trader)["error"] == "CTP_140"
    fields = {
        "authorization": "000000",
        "userid": trader.userid,
        "brokerid": trader.brokerid,
        "password": trader.password,
    }
    answer = requests.post(
        f"{server.url}/password", data=fields | dict(server.login) | {"new_password": "better-1"}, timeout=60
    )
    assert answer.json()["success"], answer.text
    trader.token = answer.json()["data"]
    assert trader.lists()["order_list"] == []
    assert refused(trader)["error"] == "PASSWORD_DIFFERS"
    trader.password = "better-1"
    trader.log_in()
    entry = server.kill(f"gateway-{trader.key}")
    server.wait_replaced(entry)  # the host knows the new one
    eventually(lambda: trader.ask("GET", "/order_solve")["success"], "logged in again", 30)


def test_a_counter_that_is_not_ready_for_the_day_says_so_and_is_logged_in_to_later_by_itself(
    server: CtpServer, trader: Trader
) -> None:
    server.faults().set_rules(uninitialised=2)
    body = refused(trader)
    assert body["error"] == "CTP_7"
    assert "稍后再试" in body["msg"]
    body = refused(trader)  # the gateway is there, and goes on asking
    assert body["error"] in ("CTP_7", "LOGIN_DELAYED")
    assert "柜台尚未核对密码" in body["msg"]
    assert not body["data"]
    eventually(lambda: log_in(trader)["data"], "the counter has taken it", 40)
    eventually(lambda: trader.ask("GET", "/order_solve")["success"], "logged in by itself", 40)


def test_a_front_that_cannot_be_reached_is_told_by_its_address(server: CtpServer, trader: Trader) -> None:
    server.reach(td=False)
    body = refused(trader)
    assert body["error"] == "FRONT_UNREACHABLE"
    assert server.login["td_address"] in body["msg"]


@pytest.mark.parametrize(
    ("changes", "code"), [({"password": "x" * 41}, "FIELD_TOO_LONG"), ({"appid": "client"}, "AUTH_FIELDS")]
)
def test_what_the_library_would_stumble_over_is_told_before_it_is_called(
    trader: Trader, changes: dict[str, str], code: str
) -> None:
    assert refused(trader, **changes)["error"] == code


def test_a_settlement_statement_can_be_read_by_its_day_and_is_confirmed(
    server: CtpServer, trader: Trader
) -> None:
    trader.log_in()
    quote = trader.fix_quote("rb2510.SHFE")
    trader.order("rb2510.SHFE", "long", "open", quote.ask, 1)
    page = trader.open_page()
    server.faults().turn_day({"rb2510": quote.bid})
    page.wait("status", lambda event: event["td"]["state"] == "loading", 30)
    page.settles("status", lambda event: event["td"]["state"] == "ready", 30)
    found = eventually(
        lambda: (answer := trader.ask("GET", "/settlement"))["success"] and answer["data"],
        "the statement",
        20,
    )
    assert found["day"] == "20250605"
    assert "rb2510" in found["text"]
    assert "结算" in found["text"]
    assert trader.do("GET", "/settlement", day="20250605") == found
    assert trader.ask("GET", "/settlement", day="20250101")["error"] == "NO_SETTLEMENT"
    assert trader.ask("POST", "/settlement")["success"]


def test_orders_wait_for_the_confirmation_where_the_setting_says_so(
    make_ctp: Callable[..., CtpServer],
) -> None:
    trader = Trader(make_ctp(settlement_confirm="false"), "careful").log_in()
    quote = trader.fix_quote("rb2510.SHFE")
    answer = trader.order("rb2510.SHFE", "long", "open", quote.ask, 1)
    assert answer["error"] == "CTP_42"
    assert "确认结算单" in answer["msg"]
    assert trader.ask("POST", "/settlement")["success"]
    assert trader.order("rb2510.SHFE", "long", "open", quote.ask, 1)["success"]


def test_a_front_that_has_said_yes_is_logged_in_however_long_its_lists_take(
    make_ctp: Callable[..., CtpServer],
) -> None:
    trader = Trader(make_ctp(queries=1, ctp_query_interval=2.5, login_timeout=3), "slow").log_in()
    status = trader.open_page().wait("status", lambda event: event["td"]["state"] in ("loading", "ready"))
    assert status["td"]["state"] == "loading"
    eventually(lambda: trader.ask("GET", "/order_solve")["success"], "loaded", 60)
    quote = trader.fix_quote("rb2510.SHFE")
    assert trader.order("rb2510.SHFE", "long", "open", quote.ask, 1)["success"]
    trader.close_page()


def test_outside_the_hours_a_login_by_hand_is_tried_and_what_cannot_be_reached_rests(
    make_ctp: Callable[..., CtpServer], tmp_path: Path
) -> None:
    today = datetime.now(SHANGHAI).date()
    holiday = tmp_path / "days.toml"
    holiday.write_text(f"closed = [{', '.join(str(today + timedelta(days=days)) for days in range(-3, 10))}]")
    server = make_ctp(ctp_hours="exchange", calendar_file=holiday)
    trader = Trader(server, "early").log_in()
    lists = trader.lists()
    assert (lists["order_list"], lists["as_of"]) == ([], "")  # what is reached stays
    trader.do("POST", "/logout", authorization="000000")
    server.reach(td=False, md=False)
    for _ in range(2):  # nobody has judged this one, and the server has the account's lists and code
        body = refused(trader, password="anybody's guess")
        assert body["error"] == "OUT_OF_HOURS"
        assert "08:35 起自动登录" in body["msg"]
        assert "柜台尚未核对密码" in body["msg"]
        assert not body["data"]
    trader.log_in()  # the counter has taken this one today: the gateway waits for the day with it
    status = trader.open_page().settles(
        "status", lambda event: event["td"]["state"] == event["md"]["state"] == "resting"
    )
    assert "不在交易时段" in status["td"]["reason"]
    answer = trader.order("rb2510.SHFE", "long", "open", 3000, 1)
    assert answer["error"] == "NOT_READY"
    assert "不在交易时段" in answer["msg"]
    lists = trader.lists()  # as they were when this account was in, and marked
    assert lists["order_list"] == []
    assert lists["as_of"]
    assert trader.contract("rb2510.SHFE")["as_of"] == lists["as_of"]
    assert lists["as_of"][:16] in trader.ask("PUT", "/market")["msg"]
    trader.close_page()


@pytest.fixture
def make_ctp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., CtpServer]]:
    servers: list[CtpServer] = []

    def make(**settings: Any) -> CtpServer:
        servers.append(CtpServer(tmp_path_factory.mktemp("own"), **settings))
        servers[-1].start()
        return servers[-1]

    yield make
    for server in servers:
        server.clean()
