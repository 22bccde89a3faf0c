"""Every route by itself: what it asks of the gateway, what it answers, and with which status."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import orjson
import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from app import logs
from app.lib import account_config
from app.lib.errors import (
    AppError,
    BadInput,
    FrontUnreachable,
    GatewayDown,
    LoginRefused,
    NeedsLogin,
    NotFound,
    NotReady,
    OrderRefused,
)
from app.model.store import StoreFailed
from app.web.readiness import LEAST_ROOM, add_check, up
from app.wire.figures import Figure
from app.wire.messages import (
    AccountInfo,
    Accounts,
    CancelAll,
    CancelOrder,
    CheckPassword,
    CloseOutcome,
    ClosePosition,
    DescribeContract,
    Done,
    Json,
    ListAccounts,
    ListContracts,
    ListStrategies,
    LoggedIn,
    LogIn,
    OrderOutcome,
    PlaceOrder,
    PreviewOrder,
    PushContracts,
    ReadAccount,
    ReadAudit,
    ReadBars,
    ReadEquity,
    ReadEvents,
    ReadLists,
    ReadMetrics,
    ReadStatus,
    ReadTick,
    SetRiskState,
    Subscribe,
    Unsubscribe,
    VoidOrder,
    WriteConfig,
    WriteRisk,
)
from tests.integration.conftest import (
    AUDIT,
    CONTRACT,
    EQUITY,
    FUNDS,
    LISTS,
    PREVIEW,
    RB2501,
    TICK,
    WRONG_PASSWORD,
    Auth,
    FakeGateways,
)

ACCOUNT = "sim-9999-demo"
ORDER = {
    "local_symbol": "rb2501.SHFE",
    "direction": "long",
    "offset": "open",
    "type": "limit",
    "price": "3500",
    "volume": "2",
    "exchange": "SHFE",
}
CLOSE = {
    "local_symbol": "rb2501.SHFE",
    "volume": "2",
    "direction": "long",
    "exchange": "SHFE",
    "symbol": "rb2501",
}
UNKNOWN_TEXT = "报单已发出，柜台未确认，请勿重复下单"
FRONTS = {"td_address": "tcp://180.168.146.187:10201", "md_address": "tcp://180.168.146.187:10211"}


# ── /login ──


def test_a_login_answers_with_a_token_and_nothing_else(auth: Auth, gateways: FakeGateways) -> None:
    answer = auth.try_log_in(userid="demo", password="secret-pass")
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert set(answer.json) == {"success", "msg", "data"}
    assert answer.json["success"] is True
    assert answer.json["msg"] == "登录成功"
    assert gateways.asked(LogIn) == [
        LogIn(interface="sim", brokerid="9999", userid="demo", password="secret-pass")
    ]
    auth.token = answer.json["data"]
    assert auth.ask("GET", "/config").status_code == 200


@pytest.mark.parametrize("header", ["JWT null", "JWT undefined", "Bearer garbage", "Basic eDp5", ""])
def test_a_login_ignores_the_header_that_the_page_still_sends(client: Any, header: str) -> None:
    fields = {"authorization": "000000", "userid": "demo", "password": "p"}
    answer = client.post("/login", data=fields, headers={"Authorization": header})
    assert answer.status_code == 200
    assert answer.json["success"]


@pytest.mark.parametrize("way", ["data", "query_string", "json"])
def test_parameters_may_come_in_any_of_three_ways(client: Any, way: str) -> None:
    fields = {
        "authorization": "000000",
        "userid": "demo",
        "password": "p",
        "brokerid": "9999",
        "unknown": "extra",
    }
    answer = client.post("/login", **{way: fields})
    assert answer.json["success"], answer.json


def test_without_an_interface_it_is_the_configured_one(
    make_app: Callable[..., Flask], gateways: FakeGateways
) -> None:
    client: Any = make_app(interface="ctp").test_client()
    client.post(
        "/login",
        data={"authorization": "000000", "userid": "1", "password": "p", "brokerid": "9999"} | FRONTS,
    )
    assert gateways.asked(LogIn)[0].interface == "ctp"
    assert gateways.asked(LogIn)[0].td_address == FRONTS["td_address"]


def test_the_paper_counter_needs_no_fronts_and_whatever_stands_there_is_ignored(
    auth: Auth, gateways: FakeGateways
) -> None:
    auth.log_in(td_address="whatever", md_address="")
    assert gateways.asked(LogIn)[0].td_address == ""


def test_a_front_is_named_by_its_addresses_one_or_several_a_side_or_by_its_brokers_name(
    client: Any, gateways: FakeGateways
) -> None:
    fields = {
        "authorization": "000000",
        "userid": "1",
        "password": "p",
        "brokerid": "9999",
        "interface": "ctp",
    }
    assert client.post(
        "/login", data=fields | {"td_address": "tcp://a:1, tcp://b:2", "md_address": "tcp://c:3"}
    ).json["success"]
    assert client.post("/login", data=fields | {"front": "simnow"} | FRONTS).json["success"]
    shown = [(asked.front, asked.td_address, asked.md_address) for asked in gateways.asked(LogIn)]
    assert shown == [("", "tcp://a:1,tcp://b:2", "tcp://c:3"), ("simnow", "", "")]
    bad = client.post("/login", data=fields | {"td_address": "tcp://a:1,b:2", "md_address": "tcp://c:3"})
    assert (bad.json["error"], bad.json["parameter"]) == ("BAD_INPUT", "td_address")
    assert "tcp://" in bad.json["msg"]


def test_a_second_page_with_the_same_password_gets_a_token_of_its_own(client: Any) -> None:
    first, second = Auth(client).log_in(), Auth(client).log_in()
    assert first.token != second.token
    assert first.ask("GET", "/config").status_code == second.ask("GET", "/config").status_code == 200


def test_a_refused_password_is_told_in_the_counters_words_and_tried_once(
    auth: Auth, gateways: FakeGateways
) -> None:
    auth.log_in()
    answer = auth.try_log_in(userid="demo", password="wrong")
    assert answer.status_code == 200
    assert answer.json == {"success": False, "msg": WRONG_PASSWORD, "data": "", "error": "CTP_3"}
    assert len(gateways.asked(LogIn)) == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FrontUnreachable("前置不可达"), "FRONT_UNREACHABLE"),
        (GatewayDown("网关管理进程未运行", code="HOST_DOWN", asked=False), "HOST_DOWN"),
        (LoginRefused("连续登录失败次数超限", code="CTP_75"), "CTP_75"),
    ],
)
def test_the_page_can_read_every_fail_of_a_login(
    auth: Auth, gateways: FakeGateways, error: AppError, code: str
) -> None:
    gateways.answers[LogIn] = error
    answer = auth.try_log_in(userid="demo", password="p")
    assert (answer.status_code, answer.json["success"], answer.json["error"]) == (200, False, code)


def test_a_wrong_authorization_code_does_not_reach_the_counter(auth: Auth, gateways: FakeGateways) -> None:
    answer = auth.try_log_in(userid="demo", password="p", authorization="111111")
    assert (answer.status_code, answer.json["error"]) == (200, "AUTH_CODE_WRONG")
    assert gateways.heard == []


def test_logins_from_one_address_are_limited_whatever_they_say(
    make_app: Callable[..., Flask], gateways: FakeGateways
) -> None:
    auth = Auth(make_app(login_per_address=3).test_client())
    for code in ("111111", "222222", "333333"):
        assert (
            auth.try_log_in(userid="demo", password="p", authorization=code).json["error"]
            == "AUTH_CODE_WRONG"
        )
    limited = auth.try_log_in(userid="demo", password="p")
    assert (limited.status_code, limited.json["error"]) == (200, "RATE_LIMITED")
    assert 1 <= int(limited.headers["Retry-After"]) <= 60
    assert gateways.heard == []


def test_wrong_passwords_stop_before_the_counter_would_lock_the_account(
    make_app: Callable[..., Flask], gateways: FakeGateways
) -> None:
    auth = Auth(make_app(login_per_account=2).test_client()).log_in()
    errors = [auth.try_log_in(userid="demo", password="guess").json["error"] for _ in range(4)]
    assert errors == ["CTP_3", "CTP_3", "RATE_LIMITED", "RATE_LIMITED"]
    assert len(gateways.asked(LogIn)) == 3
    assert auth.try_log_in(userid="other", password="p").json["success"]


def test_behind_a_named_proxy_the_limit_counts_the_real_addresses(make_app: Callable[..., Flask]) -> None:
    client: Any = make_app(login_per_address=1, proxies=1).test_client()

    def tried(address: str) -> str:
        answer = client.post("/login", data={"authorization": "x"}, headers={"X-Forwarded-For": address})
        return answer.json["error"]

    assert [tried("1.2.3.4"), tried("5.6.7.8"), tried("1.2.3.4")] == [
        "AUTH_CODE_WRONG",
        "AUTH_CODE_WRONG",
        "RATE_LIMITED",
    ]


def test_without_a_named_proxy_nobody_can_choose_the_address_he_is_counted_under(
    make_app: Callable[..., Flask],
) -> None:
    client: Any = make_app(login_per_address=1).test_client()
    errors = [
        client.post("/login", data={"authorization": "x"}, headers={"X-Forwarded-For": f"1.2.3.{n}"}).json[
            "error"
        ]
        for n in range(2)
    ]
    assert errors == ["AUTH_CODE_WRONG", "RATE_LIMITED"]


def test_a_public_server_asks_for_a_code_of_its_own_first(
    make_app: Callable[..., Flask], gateways: FakeGateways
) -> None:
    app = make_app(public=True, origins=["https://desk.example"])
    auth = Auth(app.test_client())
    answer = auth.try_log_in(userid="demo", password="p")
    assert not answer.json["success"]
    assert "python3 run.py auth-code" in answer.json["msg"]
    assert gateways.heard == []
    app.config["AUTHORIZATION"].change("our-own-code")
    auth.log_in(authorization="our-own-code")


# ── /logout ──


def test_logout_ends_every_token_and_says_how_many_orders_stay(client: Any, gateways: FakeGateways) -> None:
    first, second = Auth(client).log_in(), Auth(client).log_in()
    gateways.working = 3
    answer = first.ask("POST", "/logout", data={"authorization": "000000"})
    assert answer.json["success"]
    assert "3" in answer.json["msg"]
    assert gateways.running == set()
    for auth in (first, second):
        refused = auth.ask("GET", "/order_solve")
        assert (refused.status_code, refused.json["msg"]) == (401, "token error")


def test_logout_needs_the_code(auth: Auth, gateways: FakeGateways) -> None:
    auth.log_in()
    answer = auth.ask("POST", "/logout", data={"authorization": "111111"})
    assert (answer.status_code, answer.json["error"]) == (200, "AUTH_CODE_WRONG")
    assert gateways.running == {ACCOUNT}
    assert auth.ask("GET", "/config").status_code == 200


def test_an_account_whose_gateway_is_gone_can_still_log_out(auth: Auth, gateways: FakeGateways) -> None:
    auth.log_in()
    gateways.running.clear()
    assert auth.ask("POST", "/logout", data={"authorization": "000000"}).json["success"]
    assert auth.ask("GET", "/config").status_code == 401


def test_rules_that_left_without_an_answer_are_not_told_as_refused(
    auth: Auth, gateways: FakeGateways
) -> None:
    gateways.answers[WriteRisk] = GatewayDown("网关连接已断开", asked=True)
    answer = auth.log_in().ask("PUT", "/risk", json={"rules": []})
    assert (answer.status_code, answer.json["error"]) == (202, "RISK_STATE_UNKNOWN")
    assert "核对" in answer.json["msg"]
    gateways.answers[WriteRisk] = GatewayDown("网关正在重启", asked=False)
    answer = auth.ask("PUT", "/risk", json={"rules": []})
    assert (answer.status_code, answer.json["success"]) == (503, False)


def test_a_strategy_that_there_is_not_cannot_be_stopped_and_who_asked_hears_it(
    auth: Auth, gateways: FakeGateways
) -> None:
    auth.log_in()
    gateways.answers[ListStrategies] = NotFound("没有策略 均线x", code="UNKNOWN_STRATEGY")
    answer = auth.ask("POST", "/risk/state", data={"state": "halted", "strategy": "均线x"})
    assert (answer.status_code, answer.json["error"]) == (404, "UNKNOWN_STRATEGY")
    assert gateways.asked(SetRiskState) == []
    auth.ask("POST", "/risk/state", data={"state": "active", "strategy": "均线x"})  # of one that was deleted
    gateways.answers[ListStrategies] = GatewayDown("主机没有运行", code="HOST_DOWN")
    auth.ask("POST", "/risk/state", data={"state": "halted", "strategy": "均线"})  # without a host it stops
    assert [request.state for request in gateways.asked(SetRiskState)] == ["active", "halted"]
    assert gateways.host_limits == [2.0, 2.0]  # a frozen host does not keep a halt waiting


def test_a_logout_by_force_needs_no_code_and_says_who_and_why(auth: Auth, gateways: FakeGateways) -> None:
    auth.log_in()
    assert not auth.ask("POST", "/risk/logout").json["success"]
    answer = auth.ask("POST", "/risk/logout", data={"why": "程序失控"})
    assert answer.json["msg"].startswith("已强制退出，")
    assert gateways.logged_out_by == "网页（127.0.0.1），程序失控"
    assert auth.ask("GET", "/risk").status_code == 401


# ── /risk/audit ──


def test_a_day_of_the_audit_log_is_taken_along_page_by_page(auth: Auth, gateways: FakeGateways) -> None:
    auth.log_in()

    def pages(asked: ReadAudit) -> Json:
        first, entry = asked.place == 0, AUDIT["entries"][0]
        page = AUDIT | {"entries": [entry | {"seq": 7 if first else 8}], "place": 99 if first else None}
        return Json(orjson.dumps(page))

    gateways.answers[ReadAudit] = pages
    table = auth.ask("GET", "/risk/audit?format=csv&kind=trade")
    assert table.headers["Content-Disposition"] == 'attachment; filename="audit-20250609-trade.csv"'
    lines = table.data.decode("utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in lines] == ["序号", "7", "8"]
    assert "rb2510.SHFE" in lines[1]
    asked = gateways.asked(ReadAudit)
    assert [(one.day, one.of_kind, one.place, one.onward) for one in asked] == [
        ("", "trade", 0, True),
        ("20250609", "trade", 99, True),
    ]
    lines = auth.ask("GET", "/risk/audit?format=jsonl").data.splitlines()
    assert [orjson.loads(line)["seq"] for line in lines] == [7, 8]


def test_a_day_that_has_no_log_is_told_and_no_file_begins(auth: Auth, gateways: FakeGateways) -> None:
    auth.log_in()
    gateways.answers[ReadAudit] = BadInput("day", "20250101 没有审计日志")
    answer = auth.ask("GET", "/risk/audit?format=csv&day=20250101")
    assert (answer.status_code, answer.json["success"]) == (400, False)


def test_after_a_logout_the_same_account_logs_in_afresh(auth: Auth) -> None:
    old = auth.log_in().token
    auth.ask("POST", "/logout", data={"authorization": "000000"})
    auth.log_in()
    assert auth.ask("GET", "/config").status_code == 200
    assert auth.ask("GET", "/config", headers={"Authorization": f"Bearer {old}"}).status_code == 401


def test_tokens_and_the_code_survive_a_restart_of_the_web(make_app: Callable[..., Flask]) -> None:
    auth = Auth(make_app().test_client()).log_in()
    auth.ask("POST", "/auth_code", data={"password": "secret-pass", "authorization": "new-code"})
    auth.client = make_app().test_client()
    assert auth.ask("GET", "/config").status_code == 200
    assert auth.try_log_in(userid="demo", password="secret-pass").json["error"] == "AUTH_CODE_WRONG"
    auth.log_in(authorization="new-code")


# ── /auth_code ──


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_the_code_is_changed_by_who_knows_the_accounts_password(auth: Auth, method: str) -> None:
    auth.log_in()
    answer = auth.ask(method, "/auth_code", data={"password": "secret-pass", "authorization": "new-code"})
    assert (answer.status_code, answer.json) == (200, {"success": True, "msg": "修改成功", "data": ""})
    assert auth.try_log_in(userid="demo", password="secret-pass").json["error"] == "AUTH_CODE_WRONG"
    auth.log_in(authorization="new-code")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_on_a_public_server_no_trader_changes_the_code_of_all(
    make_app: Callable[..., Flask], gateways: FakeGateways, method: str
) -> None:
    app = make_app(public=True, origins=["https://desk.example"])
    app.config["AUTHORIZATION"].change("our-own-code")
    auth = Auth(app.test_client()).log_in(authorization="our-own-code")
    answer = auth.ask(method, "/auth_code", data={"password": "secret-pass", "authorization": "mine-alone"})
    assert (answer.status_code, answer.json["error"]) == (
        403,
        "AUTH_CODE_BY_COMMAND",
    )
    assert "run.py auth-code" in answer.json["msg"]
    assert gateways.asked(CheckPassword) == []
    auth.log_in(authorization="our-own-code")


def test_guesses_at_an_account_from_elsewhere_do_not_keep_it_out(make_app: Callable[..., Flask]) -> None:
    client: Any = make_app(login_per_account=2, proxies=1).test_client()
    fields = {"authorization": "000000", "userid": "demo", "brokerid": "9999", "interface": "sim"}

    def tried(address: str, password: str) -> str:
        sent = client.post(
            "/login", data=fields | {"password": password}, headers={"X-Forwarded-For": address}
        )
        return sent.json.get("error", "")

    assert tried("10.0.0.1", "right") == ""
    assert [tried("6.6.6.6", "guess") for _ in range(3)] == ["CTP_3", "CTP_3", "RATE_LIMITED"]
    assert tried("10.0.0.1", "right") == ""
    assert tried("10.0.0.2", "right") == ""


def test_a_wrong_password_changes_nothing_and_counts(
    make_app: Callable[..., Flask], gateways: FakeGateways
) -> None:
    auth = Auth(make_app(login_per_account=2).test_client()).log_in()
    answers = [
        auth.ask("POST", "/auth_code", data={"password": "guess", "authorization": "new-code"})
        for _ in range(3)
    ]
    assert [(a.json["msg"], a.json["error"]) for a in answers[:2]] == [("修改失败", "CTP_3")] * 2
    assert (answers[2].status_code, answers[2].json["error"]) == (429, "RATE_LIMITED")
    assert "Retry-After" in answers[2].headers
    assert len(gateways.asked(CheckPassword)) == 2
    assert auth.try_log_in(userid="demo", password="secret-pass").json["error"] == "RATE_LIMITED"


# ── the market ──


@pytest.mark.parametrize(
    ("symbol", "symbols"),
    [
        ("rb2501.SHFE", ["rb2501.SHFE"]),
        ("rb2501", ["rb2501"]),
        ("rb2501.SHFE, ag2412", ["rb2501.SHFE", "ag2412"]),
        ("rb2501,rb2501,", ["rb2501"]),
    ],
)
def test_contracts_are_subscribed_by_their_names(
    auth: Auth, gateways: FakeGateways, symbol: str, symbols: list[str]
) -> None:
    answer = auth.log_in().ask("POST", "/market", data={"symbol": symbol})
    assert answer.json == {"success": True, "msg": f"订阅{','.join(symbols)}成功", "data": ""}
    assert gateways.asked(Subscribe) == [Subscribe(symbols)]


def test_one_unknown_contract_and_none_is_subscribed(auth: Auth, gateways: FakeGateways) -> None:
    answer = auth.log_in().ask("POST", "/market", data={"symbol": "rb2501,zz9912"})
    assert (answer.status_code, answer.json["msg"]) == (400, "订阅rb2501,zz9912失败")
    assert answer.json["parameter"] == "symbol"
    assert answer.json["reason"] == "不认识的合约"
    assert gateways.sent == []


def test_the_contract_list_is_asked_for(auth: Auth, gateways: FakeGateways) -> None:
    answer = auth.log_in().ask("PUT", "/market")
    assert answer.json == {"success": True, "msg": "更新合约列表完成", "data": ""}
    gateways.answers[PushContracts] = NotReady("合约尚未加载完成")
    failed = auth.ask("PUT", "/market")
    assert (failed.status_code, failed.json["msg"], failed.json["reason"]) == (
        503,
        "更新合约失败",
        "合约尚未加载完成",
    )


def test_a_contract_is_unsubscribed(auth: Auth, gateways: FakeGateways) -> None:
    assert auth.log_in().ask("DELETE", "/market?symbol=rb2501.SHFE").json["success"]
    assert gateways.asked(Unsubscribe) == [Unsubscribe(["rb2501.SHFE"])]


def test_a_contract_is_described_and_an_unknown_one_is_not_found(auth: Auth, gateways: FakeGateways) -> None:
    answer = auth.log_in().ask("GET", "/contract?symbol=rb2501")
    assert answer.json["data"] == CONTRACT
    assert auth.ask("GET", "/contract?symbol=zz9912").status_code == 404
    auth.scheme = "JWT"
    assert (
        auth.ask("GET", "/contract?symbol=zz9912").status_code == 404
    )  # our own route: honest for everybody
    assert gateways.asked(DescribeContract)[0] == DescribeContract("rb2501")


def test_an_order_is_previewed_by_the_parameters_of_an_order_and_none_is_sent(
    auth: Auth, gateways: FakeGateways
) -> None:
    query = "symbol=x&local_symbol=rb2501&exchange=SHFE&direction=多&offset=开&type=限价&price=3500"
    answer = auth.log_in().ask("GET", f"/order_preview?{query}")
    assert answer.json["data"] == PREVIEW
    auth.ask("GET", f"/order_preview?{query.replace('限价', 'market').replace('&price=3500', '')}&volume=7")
    assert gateways.asked(PreviewOrder) == [
        PreviewOrder("rb2501.SHFE", "long", "open", "limit", 3500.0, 1),
        PreviewOrder("rb2501.SHFE", "long", "open", "market", 0.0, 7),
    ]
    assert gateways.sent == []


def test_without_a_symbol_the_contracts_are_listed_by_exchange_and_product(
    auth: Auth, gateways: FakeGateways
) -> None:
    answer = auth.log_in().ask("GET", "/contract")
    assert answer.json["data"] == {"contracts": [RB2501], "as_of": ""}
    assert auth.ask("GET", "/contract?exchange=SHFE&product=螺纹钢").json["success"]
    assert gateways.asked(ListContracts) == [ListContracts(), ListContracts("SHFE", "螺纹钢")]
    gateways.answers[ListContracts] = BadInput("product", "没有品种 RB 的合约")
    refused = auth.ask("GET", "/contract?product=RB")
    assert (refused.status_code, refused.json["parameter"]) == (400, "product")


def test_the_last_tick_is_read_and_where_there_was_none_that_is_said(
    auth: Auth, gateways: FakeGateways
) -> None:
    answer = auth.log_in().ask("GET", "/tick?symbol=rb2501&exchange=SHFE")
    assert answer.json["data"] == TICK
    assert gateways.asked(ReadTick) == [ReadTick("rb2501.SHFE")]
    gateways.answers[ReadTick] = NotFound("rb2501.SHFE 还没有行情", code="NO_TICK")
    for auth.scheme in ("Bearer", "JWT"):
        refused = auth.ask("GET", "/tick?symbol=rb2501.SHFE")
        assert (refused.status_code, refused.json["error"]) == (404, "NO_TICK")


def test_the_funds_are_read(auth: Auth, gateways: FakeGateways) -> None:
    answer = auth.log_in().ask("GET", "/account")
    assert answer.json == {"success": True, "msg": "", "data": orjson.loads(FUNDS)}
    assert gateways.asked(ReadAccount) == [ReadAccount()]


# ── orders ──


def test_what_a_gateway_encoded_goes_out_as_the_bytes_it_came_as(auth: Auth, gateways: FakeGateways) -> None:
    odd = b'{"position_list":[ 1.50, 1e2 ],"order_list":[]}'
    gateways.answers[ReadLists] = Json(odd)
    assert auth.log_in().ask("GET", "/order_solve").data == b'{"success":true,"msg":"","data":' + odd + b"}\n"


def test_the_five_lists(auth: Auth) -> None:
    answer = auth.log_in().ask("GET", "/order_solve")
    assert answer.json == {"success": True, "msg": "", "data": orjson.loads(LISTS)}


def test_an_order_is_placed_and_its_id_stands_at_the_top(auth: Auth, gateways: FakeGateways) -> None:
    answer = auth.log_in().ask("POST", "/order_solve", data=ORDER)
    assert (answer.status_code, answer.json) == (
        200,
        {"success": True, "msg": "成功下单", "data": "", "order_id": "1_77_1"},
    )
    assert gateways.heard[-1] == (ACCOUNT, PlaceOrder("rb2501.SHFE", "long", "open", "limit", 3500.0, 2))


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ({"direction": "open", "offset": "long"}, ("long", "open", "limit")),
        ({"direction": "空", "offset": "平今"}, ("short", "closetoday", "limit")),
        ({"direction": "平昨", "offset": "多"}, ("long", "closeyesterday", "limit")),
        ({"type": "限价"}, ("long", "open", "limit")),
        ({"type": "FAK"}, ("long", "open", "fak")),
        ({"type": "FOK", "offset": "平"}, ("long", "close", "fok")),
        ({"local_symbol": "rb2501"}, ("long", "open", "limit")),
    ],
)
def test_words_of_the_page_and_of_scripts_mean_the_same(
    auth: Auth, gateways: FakeGateways, words: dict[str, str], meant: tuple[str, ...]
) -> None:
    assert auth.log_in().ask("POST", "/order_solve", json=ORDER | words).json["success"]
    [order] = gateways.asked(PlaceOrder)
    assert (order.direction, order.offset, order.type) == meant
    assert order.local_symbol == "rb2501.SHFE"


@pytest.mark.parametrize("price", ["", "0", None])
def test_a_market_order_needs_no_price(auth: Auth, gateways: FakeGateways, price: str | None) -> None:
    assert (
        auth.log_in()
        .ask("POST", "/order_solve", json=ORDER | {"type": "market", "price": price})
        .json["success"]
    )
    assert gateways.asked(PlaceOrder)[0].price == 0.0


def test_a_refused_order_is_a_documented_fail_with_the_counters_text(
    auth: Auth, gateways: FakeGateways
) -> None:
    gateways.answers[PlaceOrder] = OrderOutcome("1_77_5", "refused", "CTP_31", "CTP:资金不足")
    answer = auth.log_in().ask("POST", "/order_solve", data=ORDER)
    assert answer.status_code == 200
    said = {"success": False, "msg": "CTP:资金不足", "data": "", "error": "CTP_31"}
    assert answer.json == said | {"order_id": "1_77_5", "refused_by": "counter"}


@pytest.mark.parametrize("scheme", ["Bearer", "JWT"])
def test_an_orders_answer_has_its_status_beside_the_one_of_http(
    auth: Auth, gateways: FakeGateways, scheme: str
) -> None:
    gateways.answers[PlaceOrder] = OrderOutcome(
        "1_77_1", "accepted", message="部分成交", status="部分成交", traded=1
    )
    auth.log_in()
    auth.scheme = scheme
    answer = auth.ask("POST", "/order_solve", json=ORDER)
    assert (answer.status_code, answer.json["status"], answer.json["traded"]) == (200, "部分成交", 1)


@pytest.mark.parametrize(("scheme", "status"), [("Bearer", 202), ("JWT", 200)])
def test_an_order_without_reply_is_reported_as_unknown(
    auth: Auth, gateways: FakeGateways, scheme: str, status: int
) -> None:
    gateways.answers[PlaceOrder] = OrderOutcome("1_77_5", "unknown", "ORDER_STATE_UNKNOWN", UNKNOWN_TEXT)
    auth.log_in().scheme = scheme
    answer = auth.ask("POST", "/order_solve", data=ORDER)
    assert answer.status_code == status
    assert answer.json["success"] is True
    assert answer.json["msg"] == UNKNOWN_TEXT
    assert (answer.json["error"], answer.json["order_id"]) == ("ORDER_STATE_UNKNOWN", "1_77_5")


@pytest.mark.parametrize(
    "path_and_fields", [("/order_solve", ORDER), ("/close_position", CLOSE)], ids=["order", "close"]
)
@pytest.mark.parametrize(("scheme", "status"), [("Bearer", 202), ("JWT", 200)])
def test_a_gateway_that_dies_with_an_order_in_hand_has_not_refused_it(
    auth: Auth, gateways: FakeGateways, path_and_fields: tuple[str, dict[str, str]], scheme: str, status: int
) -> None:
    path, fields = path_and_fields
    gateways.answers[PlaceOrder] = gateways.answers[ClosePosition] = GatewayDown("网关连接已断开", asked=True)
    auth.log_in().scheme = scheme
    answer = auth.ask("POST", path, data=fields)
    assert answer.status_code == status
    assert answer.json["success"] is True
    assert answer.json["msg"] == UNKNOWN_TEXT
    assert answer.json["error"] == "ORDER_STATE_UNKNOWN"
    assert len(gateways.asked(PlaceOrder) + gateways.asked(ClosePosition)) == 1  # never asked twice


def test_an_unknown_order_with_an_id_of_the_clients_own_may_be_asked_for_again(
    auth: Auth, gateways: FakeGateways
) -> None:
    gateways.answers[PlaceOrder] = GatewayDown("网关未在限定时间内应答", asked=True)
    answer = auth.log_in().ask("POST", "/order_solve", data=ORDER | {"client_order_id": "mine-1"})
    assert answer.json["client_order_id"] == "mine-1"
    assert "client_order_id" in answer.json["advice"]


@pytest.mark.parametrize(
    "path_and_fields", [("/order_solve", ORDER), ("/close_position", CLOSE)], ids=["order", "close"]
)
@pytest.mark.parametrize(
    "error",
    [
        GatewayDown("网关正在重启", asked=False),
        GatewayDown("网关正在重启"),
        NeedsLogin("请重新登录"),
        NotReady("前置断开"),
    ],
)
def test_what_was_certainly_not_sent_is_a_fail(
    auth: Auth, gateways: FakeGateways, path_and_fields: tuple[str, dict[str, str]], error: AppError
) -> None:
    path, fields = path_and_fields
    gateways.answers[PlaceOrder] = gateways.answers[ClosePosition] = error
    answer = auth.log_in().ask("POST", path, data=fields)
    assert (answer.status_code, answer.json["success"], answer.json["error"]) == (503, False, error.code)
    auth.scheme = "JWT"
    assert auth.ask("POST", path, data=fields).status_code == 200


def test_an_order_is_cancelled(auth: Auth, gateways: FakeGateways) -> None:
    order_id = auth.log_in().ask("POST", "/order_solve", data=ORDER).json["order_id"]
    fields = {"local_symbol": "rb2501.SHFE", "order_id": order_id, "exchange": "SHFE"}
    answer = auth.ask("DELETE", "/order_solve", data=fields).json
    assert answer == {"success": True, "msg": "成功撤单", "data": "", "order_id": order_id}
    assert auth.ask("DELETE", f"/order_solve?order_id={order_id}").json["success"]
    assert gateways.asked(CancelOrder) == [CancelOrder(order_id, "rb2501.SHFE"), CancelOrder(order_id, "")]


def test_an_order_of_another_terminal_in_a_spread_is_cancelled(auth: Auth, gateways: FakeGateways) -> None:
    order_id = auth.log_in().ask("POST", "/order_solve", data=ORDER).json["order_id"]
    fields = {"local_symbol": "SPC a2509&m2509.DCE", "order_id": order_id, "exchange": "DCE"}
    assert auth.ask("DELETE", "/order_solve", data=fields).json["success"]
    assert gateways.asked(CancelOrder) == [CancelOrder(order_id, "SPC a2509&m2509.DCE")]


def test_all_orders_are_cancelled_only_when_that_is_said(auth: Auth, gateways: FakeGateways) -> None:
    answer = auth.log_in().ask("DELETE", "/order_solve?all=1")
    assert answer.json["success"]
    assert "2" in answer.json["msg"]
    assert len(gateways.asked(CancelAll)) == 1
    assert auth.ask("DELETE", "/order_solve?all=0").status_code == 400
    assert auth.ask("DELETE", "/order_solve").status_code == 400
    assert len(gateways.asked(CancelAll)) == 1


def test_a_cancel_that_comes_too_late_is_told_in_the_counters_words(
    auth: Auth, gateways: FakeGateways
) -> None:
    gateways.answers[CancelOrder] = OrderRefused("CTP:报单已全成交或已撤销，不能再撤", code="CTP_26")
    answer = auth.log_in().ask("DELETE", "/order_solve", data={"order_id": "1_77_1"})
    assert (answer.status_code, answer.json["success"], answer.json["error"]) == (200, False, "CTP_26")


@pytest.mark.parametrize("fields", [{"order_id": "1_77_1"}, {"all": "1"}], ids=["one", "all"])
def test_a_cancel_that_left_without_an_answer_is_no_fail(
    auth: Auth, gateways: FakeGateways, fields: dict[str, str]
) -> None:
    gateways.answers[CancelOrder] = gateways.answers[CancelAll] = GatewayDown("网关连接已断开", asked=True)
    answer = auth.log_in().ask("DELETE", "/order_solve", data=fields)
    assert (answer.status_code, answer.json["success"], answer.json["error"]) == (
        202,
        True,
        "CANCEL_STATE_UNKNOWN",
    )
    assert "未确认" in answer.json["msg"]
    gateways.answers[CancelOrder] = gateways.answers[CancelAll] = GatewayDown("网关正在重启", asked=False)
    answer = auth.ask("DELETE", "/order_solve", data=fields)
    assert (answer.status_code, answer.json["success"], answer.json["error"]) == (503, False, "GATEWAY_DOWN")


def test_a_cancel_that_the_counter_has_not_confirmed_says_so(auth: Auth, gateways: FakeGateways) -> None:
    gateways.answers[CancelOrder] = Done("撤单已发出，柜台未确认")
    answer = auth.log_in().ask("DELETE", "/order_solve", data={"order_id": "1_77_1"})
    assert (answer.status_code, answer.json["success"], answer.json["error"]) == (
        202,
        True,
        "CANCEL_STATE_UNKNOWN",
    )


def test_an_order_that_never_came_is_voided_by_its_own_id(auth: Auth, gateways: FakeGateways) -> None:
    gateways.answers[VoidOrder] = OrderOutcome("", "voided")
    answer = auth.log_in().ask("DELETE", "/order_solve", data={"client_order_id": "lost", "cancel": "1"})
    assert (answer.status_code, answer.json["success"], answer.json["voided"]) == (200, True, True)
    assert gateways.asked(VoidOrder) == [VoidOrder("lost")]
    assert not gateways.asked(CancelOrder)


@pytest.mark.parametrize(
    ("state", "cancel", "cancelled"),
    [("sent", "0", False), ("sent", "1", True), ("unknown", "1", True), ("refused", "1", False)],
)
def test_an_order_that_came_is_found_by_its_own_id_and_cancelled_where_that_is_asked(
    auth: Auth, gateways: FakeGateways, state: str, cancel: str, cancelled: bool
) -> None:
    order_id = auth.log_in().ask("POST", "/order_solve", data=ORDER).json["order_id"]
    gateways.answers[VoidOrder] = OrderOutcome(order_id, state)
    answer = auth.ask("DELETE", "/order_solve", data={"client_order_id": "mine", "cancel": cancel}).json
    assert (answer["success"], answer["order_id"]) == (True, order_id)
    assert bool(gateways.asked(CancelOrder)) == cancelled
    assert answer.get("state") == (None if cancelled else state)


def test_an_order_id_goes_before_the_client_order_id(auth: Auth, gateways: FakeGateways) -> None:
    order_id = auth.log_in().ask("POST", "/order_solve", data=ORDER).json["order_id"]
    assert auth.ask("DELETE", "/order_solve", data={"order_id": order_id, "client_order_id": "x"}).json[
        "success"
    ]
    assert not gateways.asked(VoidOrder)


def test_nobody_cancels_another_accounts_order(client: Any, gateways: FakeGateways) -> None:
    order_id = Auth(client).log_in("alice").ask("POST", "/order_solve", data=ORDER).json["order_id"]
    before = list(gateways.sent)
    answer = Auth(client).log_in("bob").ask("DELETE", "/order_solve", data={"order_id": order_id})
    assert (answer.status_code, answer.json["success"], answer.json["error"]) == (200, False, "NOT_FOUND")
    assert gateways.sent == before


# ── positions ──


@pytest.mark.parametrize(
    "names",
    [
        {"local_symbol": "rb2501.SHFE"},
        {"local_symbol": "rb2501", "exchange": "SHFE"},
        {"symbol": "rb2501", "exchange": "SHFE"},
        {"symbol": "rb2501.SHFE"},
        {"local_symbol": "rb2501", "symbol": "rb2501.SHFE"},
        {"local_symbol": "rb2501.SHFE", "exchange": "SHFE", "symbol": "rb2501.SHFE"},
    ],
)
def test_a_position_is_closed_by_any_of_its_names(
    auth: Auth, gateways: FakeGateways, names: dict[str, str]
) -> None:
    answer = auth.log_in().ask("POST", "/close_position", json={"volume": 2, "direction": "long"} | names)
    assert answer.status_code == 200
    assert answer.json == {
        "success": True,
        "msg": "平仓请求发送成功",
        "data": "",
        "order_id": "1_77_8",
        "order_ids": ["1_77_8", "1_77_9"],
    }
    assert gateways.asked(ClosePosition) == [ClosePosition("rb2501.SHFE", "long", 2)]


def test_a_close_takes_a_price_and_an_id(auth: Auth, gateways: FakeGateways) -> None:
    auth.log_in().ask("POST", "/close_position", data=CLOSE | {"price": "3301", "client_order_id": "c-1"})
    (asked,) = gateways.asked(ClosePosition)
    assert (asked.price, asked.client_order_id) == (3301.0, "c-1")


def test_a_close_without_an_answer_says_that_its_id_can_be_asked_again(
    auth: Auth, gateways: FakeGateways
) -> None:
    gateways.answers[ClosePosition] = GatewayDown("网关连接已断开", asked=True)
    answer = auth.log_in().ask("POST", "/close_position", data=CLOSE | {"client_order_id": "c-1"}).json
    assert (answer["error"], answer["client_order_id"]) == ("ORDER_STATE_UNKNOWN", "c-1")
    assert "同一 client_order_id" in answer["advice"]


def test_more_than_is_closable_is_a_documented_fail(auth: Auth, gateways: FakeGateways) -> None:
    answer = auth.log_in().ask("POST", "/close_position", data=CLOSE | {"volume": "6"})
    assert (answer.status_code, answer.json["success"], answer.json["msg"]) == (
        200,
        False,
        "平仓量超过持仓量",
    )
    assert gateways.sent == []


def outcome(number: int, state: str, code: str = "", message: str = "") -> OrderOutcome:
    return OrderOutcome(f"1_77_{number}", state, code, message)


@pytest.mark.parametrize(
    ("legs", "status", "success", "error", "order_ids"),
    [
        ([outcome(1, "refused", "CTP_51", "平昨仓位不足")], 200, False, "CTP_51", ["1_77_1"]),
        (
            [outcome(1, "refused", "CTP_51", "x"), outcome(2, "refused", "CTP_50", "y")],
            200,
            False,
            "CTP_51",
            ["1_77_1", "1_77_2"],
        ),
        (
            [outcome(1, "accepted"), outcome(2, "unknown")],
            202,
            True,
            "ORDER_STATE_UNKNOWN",
            ["1_77_1", "1_77_2"],
        ),
        (
            [outcome(1, "accepted"), outcome(2, "refused", "CTP_50", "平今仓位不足")],
            200,
            True,
            "CTP_50",
            ["1_77_1"],
        ),
    ],
)
def test_a_close_is_a_fail_only_when_no_leg_was_sent(
    auth: Auth,
    gateways: FakeGateways,
    legs: list[OrderOutcome],
    status: int,
    success: bool,
    error: str,
    order_ids: list[str],
) -> None:
    gateways.answers[ClosePosition] = CloseOutcome(legs)
    answer = auth.log_in().ask("POST", "/close_position", data=CLOSE)
    got = answer.json
    assert got is not None
    assert (answer.status_code, got["success"], got["error"], got["order_ids"]) == (
        status,
        success,
        error,
        order_ids,
    )
    assert got["data"] == ""
    assert got["msg"]


def test_a_leg_that_was_refused_is_told_also_where_the_other_is_unknown(
    auth: Auth, gateways: FakeGateways
) -> None:
    gateways.answers[ClosePosition] = CloseOutcome(
        [outcome(1, "refused", "CTP_50", "平今仓位不足"), outcome(2, "unknown")]
    )
    answer = auth.log_in().ask("POST", "/close_position", data=CLOSE)
    assert (answer.json["error"], answer.json["order_ids"]) == ("ORDER_STATE_UNKNOWN", ["1_77_2"])
    assert answer.json["msg"].startswith(UNKNOWN_TEXT)
    assert "平今仓位不足" in answer.json["msg"]
    assert answer.json["refused"] == [{"order_id": "1_77_1", "error": "CTP_50", "msg": "平今仓位不足"}]


# ── bars, config, events ──


def test_bars_are_read(auth: Auth, gateways: FakeGateways) -> None:
    answer = auth.log_in().ask("POST", "/bar", data={"local_symbol": "rb2501.SHFE"})
    assert answer.json == {
        "success": True,
        "msg": "",
        "data": [[1733100000000, 3300.0, 3310.0, 3295.0, 3305.0, 120]],
    }
    asked = {
        "local_symbol": "rb2501",
        "exchange": "SHFE",
        "interval": "5m",
        "start": 1,
        "end": 2,
        "limit": 10,
        "cut": "clock",
        "fields": "open_interest,turnover",
    }
    auth.ask("POST", "/bar", json=asked)
    assert gateways.asked(ReadBars) == [
        ReadBars("rb2501.SHFE"),
        ReadBars("rb2501.SHFE", "5m", 1, 2, 10, "clock", ("open_interest", "turnover")),
    ]


def test_config_is_read_and_written_typed(auth: Auth, gateways: FakeGateways) -> None:
    assert auth.log_in().ask("GET", "/config").json == {
        "success": True,
        "msg": "",
        "data": account_config.DEFAULTS,
    }
    values = {
        "REFRESH_INTERVAL": "0.5",
        "SHARED_FUNC": "true",
        "SLIPPAGE_COVER": "2",
        "CLOSE_PATTERN": "yesterday",
        "OTHER": "ignored",
    }
    answer = auth.ask("PUT", "/config", data=values)
    assert answer.json == {"success": True, "msg": "修改成功", "data": ""}
    assert gateways.asked(WriteConfig)[0].values == {
        "REFRESH_INTERVAL": 0.5,
        "SHARED_FUNC": True,
        "SLIPPAGE_COVER": 2,
        "CLOSE_PATTERN": "yesterday",
    }


def test_events_since_a_number(auth: Auth, gateways: FakeGateways) -> None:
    answer = auth.log_in().ask("GET", "/events?since=5&limit=100")
    assert answer.json["data"] == {"seq": 7, "events": []}
    assert gateways.asked(ReadEvents) == [ReadEvents(5, 100)]


def test_equity_is_read_of_the_account_and_of_a_strategy(auth: Auth, gateways: FakeGateways) -> None:
    answer = auth.log_in().ask("GET", "/equity")
    assert (answer.status_code, answer.json["data"]) == (200, EQUITY)
    auth.ask("GET", "/equity?interval=day&strategy=双均线&start=1&end=2&limit=3")
    assert gateways.asked(ReadEquity) == [ReadEquity(), ReadEquity("day", 1, 2, 3, "双均线")]
    auth.scheme = "JWT"  # our own route: honest for everybody
    assert auth.ask("GET", "/equity?start=5&end=5").status_code == 400


# ── health ──


def test_the_web_says_that_it_lives_to_anybody(client: Any) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json["success"]) == (200, True)
    assert answer.json["data"] == {"web": "up", "host": "up", "fronts": []}


def test_the_web_lives_without_its_host_and_says_so(client: Any, gateways: FakeGateways) -> None:
    gateways.host_lives = False
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json["data"]["host"]) == (200, "down")


def test_healthz_tells_where_each_accounts_fronts_stand_and_not_whose_they_are(
    auth: Auth, gateways: FakeGateways
) -> None:
    auth.log_in()
    (fronts,) = auth.client.get("/healthz").json["data"]["fronts"]
    assert fronts["td"]["state"] == fronts["md"]["state"] == "ready"
    assert "demo" not in str(fronts)
    gateways.answers[ReadStatus] = GatewayDown("网关连接已断开", asked=True)
    answer = auth.client.get("/healthz")
    assert (answer.status_code, answer.json["data"]["fronts"][0]["gateway"]) == (200, "down")


def test_an_account_is_the_same_by_both_names_of_its_interface(client: Any, gateways: FakeGateways) -> None:
    sent = {"authorization": "000000", "userid": "demo", "password": "secret-pass", "brokerid": "9999"}
    sent |= {"td_address": "tcp://1.2.3.4:10201", "md_address": "tcp://1.2.3.4:10211"}
    for name in ("ctp", "ctp_se"):
        assert client.post("/login", data=sent | {"interface": name}).json["success"]
    assert {
        (account, request.interface) for account, request in gateways.heard if isinstance(request, LogIn)
    } == {("ctp-9999-demo", "ctp")}


def test_the_server_is_ready_when_host_store_and_gateways_answer(auth: Auth, gateways: FakeGateways) -> None:
    auth.log_in()
    answer = auth.client.get("/readyz")
    assert answer.status_code == 200
    up = {"up": 1, "down": 0}
    assert answer.json["data"] == {
        "host": "up",
        "store": "up",
        "gateways": up,
        "fronts": {"up": 2, "down": 0},
        "calendar": "unknown",
    }
    gateways.answers[ReadStatus] = GatewayDown("网关连接已断开", asked=True)
    answer = auth.client.get("/readyz")
    assert (answer.status_code, answer.json["success"]) == (503, False)
    assert answer.json["data"]["gateways"] == {"up": 0, "down": 1}
    assert "demo" not in answer.text


def test_the_server_is_not_ready_while_a_front_is_lost(auth: Auth, gateways: FakeGateways) -> None:
    auth.log_in()
    lost = {
        "td": {"state": "lost", "reason": "", "since": ""},
        "md": {"state": "ready", "reason": "", "since": ""},
    }
    gateways.answers[ReadStatus] = Json(orjson.dumps(lost))
    answer = auth.client.get("/readyz")
    assert (answer.status_code, answer.json["not_ready"]) == (503, ["fronts"])
    assert answer.json["data"]["fronts"] == {"up": 1, "down": 1}


def test_the_server_is_ready_although_its_calendar_ends_soon_and_says_so(
    auth: Auth, gateways: FakeGateways
) -> None:
    auth.log_in()
    status = {part: {"state": "ready", "reason": "", "since": ""} for part in ("td", "md")}
    status["calendar"] = {"state": "assumed", "reason": "确知到 2026-12-31", "since": ""}
    gateways.answers[ReadStatus] = Json(orjson.dumps(status))
    answer = auth.client.get("/readyz")
    assert (answer.status_code, answer.json["data"]["calendar"]) == (200, "assumed")


@pytest.mark.parametrize(
    ("state", "status"), [("restarting", 503), ("ready", 503), ("starting", 200), ("needs_login", 200)]
)
def test_the_server_is_not_ready_while_an_accounts_gateway_is_to_come_back(
    client: Any, gateways: FakeGateways, state: str, status: int
) -> None:
    gateways.answers[ListAccounts] = Accounts([AccountInfo(ACCOUNT, "sim", "9999", "demo", state)])
    answer = client.get("/readyz")
    assert answer.status_code == status
    assert answer.json["data"]["gateways"] == {"up": 0, "down": int(status == 503)}


def test_a_part_that_is_added_is_asked_too(app: Flask, client: Any) -> None:
    add_check(app, "moon", lambda: up(False))
    answer = client.get("/readyz")
    assert answer.json["data"]["moon"] == "down"
    assert "moon" in answer.json["not_ready"]


FIGURES = [
    Figure("ctpbee_ticks", "counter", "Quotes.", 42),
    Figure("ctpbee_front_ready", "gauge", "Fronts.", 1, {"front": "td", "state": "ready"}),
    Figure("ctpbee_order_seconds", "histogram", "Orders.", 0.5, buckets=[("0.1", 1.0), ("+Inf", 2.0)]),
]


def test_prometheus_gets_the_webs_numbers_and_every_gateways(auth: Auth, gateways: FakeGateways) -> None:
    gateways.answers[ReadMetrics] = Json(msgspec.json.encode(FIGURES))
    auth.log_in()
    auth.log_in("other")
    auth.ask("GET", "/config")
    auth.ask("GET", "/nonsense/4711")
    answer = auth.client.get("/metrics")
    assert answer.status_code == 200
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["ctpbee_ticks_total", ACCOUNT] == samples["ctpbee_ticks_total", "sim-9999-other"] == 42
    assert samples["ctpbee_front_ready", ACCOUNT, "td", "ready"] == 1
    assert (
        samples["ctpbee_order_seconds_bucket", ACCOUNT, "+Inf"]
        == samples["ctpbee_order_seconds_count", ACCOUNT]
        == 2
    )
    assert samples["ctpbee_http_request_seconds_count", "GET", "/config", "200"] == 1
    assert samples["ctpbee_http_request_seconds_count", "GET", "none", "404"] == 1
    assert samples["ctpbee_pages",] == 0


def test_methods_that_a_client_makes_up_are_one_line_of_the_metrics(auth: Auth) -> None:
    for number in range(3):
        auth.client.open("/healthz", method=f"MADEUP{number}")
    page = auth.client.get("/metrics").text
    assert "MADEUP" not in page
    assert 'method="other"' in page


def test_what_is_logged_after_a_request_does_not_wear_its_id(auth: Auth) -> None:
    auth.client.get("/healthz", headers={"X-Request-Id": "0123456789abcdef"})
    assert logs.request_id.get() == ""


def test_a_gateway_that_does_not_answer_is_left_out_of_the_metrics(
    auth: Auth, gateways: FakeGateways
) -> None:
    gateways.answers[ReadMetrics] = GatewayDown("网关连接已断开", asked=True)
    auth.log_in()
    answer = auth.client.get("/metrics")
    assert answer.status_code == 200
    assert ACCOUNT not in answer.text


@pytest.mark.parametrize(
    "come",
    [
        {"environ_overrides": {"REMOTE_ADDR": "10.0.0.7"}},
        {"headers": {"X-Forwarded-For": "10.0.0.7"}},
        {"headers": {"X-Real-IP": "10.0.0.7"}},
        {"headers": {"Forwarded": "for=10.0.0.7"}},
    ],
)
def test_metrics_are_for_this_machine_alone(client: Any, come: dict[str, Any]) -> None:
    answer = client.get("/metrics", **come)
    assert (answer.status_code, answer.json["error"]) == (403, "FORBIDDEN")


def test_with_a_token_of_their_own_metrics_are_for_who_shows_it(make_app: Callable[..., Flask]) -> None:
    client: Any = make_app(metrics_token="scrape-me").test_client()
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer guess"}).status_code == 403
    far = {"environ_overrides": {"REMOTE_ADDR": "10.0.0.7"}, "headers": {"Authorization": "Bearer scrape-me"}}
    assert client.get("/metrics", **far).status_code == 200


@pytest.mark.parametrize("asked", [False, True])
def test_without_a_host_that_answers_the_server_is_not_ready(
    client: Any, gateways: FakeGateways, asked: bool
) -> None:
    gateways.answers[ListAccounts] = GatewayDown("网关管理进程没有应答", code="HOST_DOWN", asked=asked)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["data"]["host"] == "down"


def test_without_its_store_the_server_is_not_ready(
    app: Flask, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise OSError("no such disk")

    monkeypatch.setattr(app.config["STORE"], "setting", broken)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["data"]["store"] == "down"


def test_a_full_disk_is_not_ready_for_orders(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    free = {"free": LEAST_ROOM}
    monkeypatch.setattr("app.web.readiness.shutil.disk_usage", lambda _path: SimpleNamespace(**free))
    assert client.get("/readyz").json["data"]["store"] == "up"
    free["free"] -= 1
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["data"]["store"], answer.json["not_ready"]) == (
        503,
        "full",
        ["store"],
    )


def test_a_data_directory_that_has_become_read_only_is_not_ready_for_orders(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.readiness.os.access", lambda _path, mode: mode != os.W_OK)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["data"]["store"]) == (503, "readonly")


@pytest.mark.parametrize(
    "error", [StoreFailed("database or disk is full"), sqlite3.OperationalError("a readonly database")]
)
def test_a_store_that_fails_is_said_and_is_not_the_traders_fault(
    app: Flask, auth: Auth, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    auth.log_in()

    def broken(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(app.config["STORE"], "setting", broken)
    answer = auth.ask("GET", "/config")
    assert (answer.status_code, answer.json["error"]) == (503, "STORE_FAILED")
    assert "磁盘" in answer.json["msg"]
    assert "readonly" not in answer.text


def test_the_web_tells_of_mongodb_what_the_host_has_noted_and_connects_to_none_itself(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.model.mongo.MongoClient", None)
    app = make_app(mongo_uri="mongodb://127.0.0.1:1/")
    assert app.test_client().get("/readyz").json["data"]["store"] == "down"
    with app.config["STORE"]._writing() as db:  # as the host's shipper does
        db.execute("UPDATE spool_state SET state = 'up'")
    assert app.test_client().get("/readyz").json["data"]["store"] == "up"


# ── what every answer has ──


@pytest.mark.parametrize("path", ["/nothing", "/.//login", "/login/", "/static/x", "/%00"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_does_not_exist_is_an_envelope_of_404(auth: Auth, method: str, path: str) -> None:
    auth.log_in()
    for auth.scheme in ("JWT", "Bearer"):
        answer = auth.ask(method, path)
        assert answer.status_code == 404
        assert answer.json == {"success": False, "msg": "没有这个接口", "data": "", "error": "NOT_FOUND"}


def test_a_method_that_a_route_does_not_have_is_an_envelope_of_405(auth: Auth) -> None:
    auth.log_in().scheme = "JWT"
    answer = auth.ask("PATCH", "/order_solve")
    assert (answer.status_code, answer.json["success"], answer.json["error"]) == (
        405,
        False,
        "METHOD_NOT_ALLOWED",
    )
    assert "POST" in answer.headers["Allow"]
    assert auth.client.get("/login").status_code == 405


@pytest.mark.parametrize("scheme", ["JWT", "Bearer"])
def test_our_own_fault_is_a_500_with_an_id_that_the_log_has_too(
    auth: Auth, gateways: FakeGateways, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    gateways.answers[ReadLists] = ZeroDivisionError("the inside of the house")
    auth.log_in().scheme = scheme
    answer = auth.ask("GET", "/order_solve")
    got: Any = answer.json
    assert (answer.status_code, got["success"], got["data"], got["error"]) == (500, False, "", "INTERNAL")
    assert got["error_id"] in got["msg"]
    assert "inside of the house" not in answer.text
    assert "Traceback" not in answer.text
    [record] = [
        record
        for record in caplog.records
        if record.levelno == logging.ERROR and record.name.startswith("app.")
    ]
    assert got["error_id"] in record.getMessage()
    assert record.exc_info is not None


def test_a_fault_inside_a_gateway_is_a_500_with_an_id_too(auth: Auth, gateways: FakeGateways) -> None:
    gateways.answers[ReadLists] = AppError("服务内部错误，详见日志")
    answer = auth.log_in().ask("GET", "/order_solve")
    assert answer.status_code == 500
    assert answer.json["error_id"]


def test_no_password_and_no_code_reaches_the_log(auth: Auth, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    auth.log_in(password="pa55-particular")
    auth.client.post("/login?password=pa55-particular&authorization=c0de-particular&userid=demo")
    auth.ask("POST", "/auth_code", data={"password": "pa55-particular", "authorization": "c0de-particular"})
    auth.ask("GET", "/config")
    assert "/login" in caplog.text
    assert ACCOUNT in caplog.text
    assert "particular" not in caplog.text
    assert auth.token not in caplog.text


def test_answers_are_not_to_be_kept_or_guessed_at(auth: Auth) -> None:
    answer = auth.log_in().ask("GET", "/config")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("shown", ["0123456789abcdef", "3f2b8c1e-7d50-4a8e-9a57-aa30f4b3b0f1", "req_17.42-x"])
def test_a_request_keeps_the_id_that_it_came_with(auth: Auth, shown: str) -> None:
    assert auth.ask("GET", "/config", headers={"X-Request-ID": shown}).headers["X-Request-Id"] == shown


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "short",
        "x" * 65,
        "编号0123456789".encode().decode("latin-1"),
        "a b c d e f g h",
        "<script>alert</script>",
    ],
)
def test_an_id_that_does_not_belong_in_a_log_is_replaced(auth: Auth, shown: str) -> None:
    given = auth.ask("GET", "/config", headers={"X-Request-ID": shown}).headers["X-Request-Id"]
    assert given != shown
    assert given.isalnum()


@pytest.mark.parametrize("origin", ["http://localhost:8080", "http://127.0.0.1"])
def test_a_page_of_this_machine_may_ask_and_another_may_not(auth: Auth, origin: str) -> None:
    auth.log_in()
    assert (
        auth.ask("GET", "/config", headers={"Origin": origin}).headers["Access-Control-Allow-Origin"]
        == origin
    )
    assert (
        "Access-Control-Allow-Origin"
        not in auth.ask("GET", "/config", headers={"Origin": "https://evil.example"}).headers
    )


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/order_solve"), ("PUT", "/market"), ("POST", "/market?symbol=rb2501")]
)
def test_an_account_that_must_log_in_again_is_told_so_and_the_page_goes_to_its_login(
    auth: Auth, gateways: FakeGateways, method: str, path: str
) -> None:
    auth.log_in()
    gateways.running.clear()
    answer = auth.ask(method, path)
    assert (answer.status_code, answer.json["error"]) == (503, "NEEDS_LOGIN")
    assert "重新登录" in answer.json["msg"]
    auth.scheme = "JWT"
    answer = auth.ask(method, path)
    assert (answer.status_code, answer.json["error"], answer.json["msg"]) == (
        200,
        "NEEDS_LOGIN",
        "token error",
    )
    assert "重新登录" in answer.json["reason"]


def test_the_account_key_of_an_odd_name_is_the_gateways(auth: Auth, gateways: FakeGateways) -> None:
    gateways.answers[LogIn] = LoggedIn("sim-9999-______-0123456789", True)
    gateways.running.add("sim-9999-______-0123456789")
    auth.log_in("张三/../x")
    assert auth.ask("GET", "/config").status_code == 200
    assert gateways.heard[-1][0] == "sim-9999-______-0123456789"
