"""/backtest over HTTP, with a process of backtests that answers as told."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest

from app.lib.errors import BadInput, GatewayDown, NotAllowed, NotDone, NotFound, RateLimited
from app.wire.messages import (
    CancelBacktest,
    CompareBacktests,
    DeleteBacktest,
    Json,
    ListStrategies,
    ReadBacktest,
    ReadBacktests,
    ReadCode,
    SubmitBacktest,
)
from tests.integration.conftest import BACKTEST, Auth, FakeGateways

ACCOUNT = "sim-9999-demo"
TEXT = """from ctpbee import CtpbeeApi
class Mine(CtpbeeApi):
    every = 60
ext = Mine("mine", )
"""
ID = BACKTEST["id"]


@pytest.fixture
def trader(auth: Auth) -> Auth:
    return auth.log_in()


@pytest.fixture
def saved(gateways: FakeGateways) -> FakeGateways:
    """The strategy `mine` has two versions, of which the second is the file."""
    versions = [
        {"version": 1, "sha": hashlib.sha256(b"old").hexdigest()},
        {"version": 2, "sha": hashlib.sha256(TEXT.encode()).hexdigest()},
    ]
    gateways.answers[ReadCode] = lambda request: Json(orjson.dumps({request.name: TEXT}))
    gateways.answers[ListStrategies] = Json(orjson.dumps({"name": "mine", "versions": versions}))
    return gateways


def test_a_text_is_queued_with_all_that_was_given(trader: Auth, gateways: FakeGateways) -> None:
    more = {"start": "2024-01-02", "capital": 5e5, "parameters": {"every": 40}, "slippage_ticks": 2}
    answer = trader.ask("POST", "/backtest", json={"text": TEXT, "contracts": "rb2405.SHFE,m2405.DCE"} | more)
    assert (answer.json["success"], answer.json["msg"], answer.json["id"]) == (True, "已排队", ID)
    assert answer.json["data"] == BACKTEST
    (asked,) = gateways.asked(SubmitBacktest)
    assert asked == SubmitBacktest(account=ACCOUNT, text=TEXT, contracts=["rb2405.SHFE", "m2405.DCE"], **more)


def test_a_form_takes_objects_as_their_json(trader: Auth, gateways: FakeGateways) -> None:
    search = {"kind": "grid", "space": {"every": [40, 60]}}
    fields = {"text": TEXT, "files": "a.csv", "parameters": '{"every": 40}', "search": orjson.dumps(search)}
    assert trader.ask("POST", "/backtest", data=fields).json["success"]
    (asked,) = gateways.asked(SubmitBacktest)
    assert (asked.parameters, asked.search, asked.files) == ({"every": 40}, search, ["a.csv"])


def test_of_a_saved_strategy_the_version_is_known_and_a_file_edited_by_hand_is_none(
    trader: Auth, saved: FakeGateways
) -> None:
    fields = {"name": "mine", "contracts": "rb2405.SHFE"}
    for sent, version in (({}, 2), ({"version": 1}, 1)):
        trader.ask("POST", "/backtest", json=fields | sent)
        assert saved.asked(SubmitBacktest)[-1].version == version
        assert saved.asked(ReadCode)[-1] == ReadCode("mine", sent.get("version", 0), ACCOUNT)
    saved.answers[ReadCode] = Json(orjson.dumps({"mine": TEXT + "# by hand\n"}))
    trader.ask("POST", "/backtest", json=fields)
    assert saved.asked(SubmitBacktest)[-1].version == 0


def test_what_can_be_set_of_a_strategy_is_told_for_the_form(trader: Auth, saved: FakeGateways) -> None:
    for sent in ({"name": "mine"}, {"text": TEXT}):
        assert trader.ask("POST", "/backtest/parameters", json=sent).json["data"] == {
            "name": "mine",
            "parameters": [{"name": "every", "default": 60, "kind": "int"}],
        }


@pytest.mark.parametrize(
    ("sent", "parameter", "code"),
    [
        ({}, "name", "BAD_INPUT"),
        ({"name": "mine", "text": TEXT}, "name", "BAD_INPUT"),
        ({"text": "x = 1"}, "text", "NO_EXT"),
    ],
)
def test_a_strategy_is_given_once_and_is_one(
    trader: Auth, gateways: FakeGateways, sent: dict[str, Any], parameter: str, code: str
) -> None:
    for path in ("/backtest", "/backtest/parameters"):
        answer = trader.ask("POST", path, json=sent)
        assert (answer.status_code, answer.json["error"]) == (400, code)
        assert answer.json["parameter"] == parameter
    assert gateways.asked(SubmitBacktest) == []


def test_an_unknown_strategy_is_no_backtest(trader: Auth, gateways: FakeGateways) -> None:
    gateways.answers[ReadCode] = NotFound("没有策略 mine")
    answer = trader.ask("POST", "/backtest", json={"name": "mine", "contracts": "rb2405.SHFE"})
    assert (answer.status_code, answer.json["error"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (BadInput("contracts", "行情库里没有 rb2405.SHFE", code="NO_BARS"), 400),
        (NotAllowed("本服务不回测", code="BACKTESTS_OFF"), 403),
        (RateLimited("排队过多", code="TOO_MANY_BACKTESTS"), 429),
        (GatewayDown("回测进程未运行，请稍后重试", code="BACKTEST_DOWN"), 503),
    ],
)
def test_what_the_process_of_backtests_refuses_comes_out_as_it_is(
    trader: Auth, gateways: FakeGateways, raised: Any, status: int
) -> None:
    gateways.answers[SubmitBacktest] = raised
    answer = trader.ask("POST", "/backtest", json={"text": TEXT, "contracts": "rb2405.SHFE"})
    assert (answer.status_code, answer.json["error"], answer.json["msg"]) == (
        status,
        raised.code,
        raised.message,
    )


def test_each_route_asks_for_the_callers_own(trader: Auth, gateways: FakeGateways) -> None:
    asked = [
        ("GET", "/backtest", {}, ReadBacktests(ACCOUNT)),
        ("GET", "/backtest", {"id": ID}, ReadBacktests(ACCOUNT, [ID])),
        ("PUT", "/backtest", {"id": ID, "operation": "取消"}, CancelBacktest(ACCOUNT, ID)),
        ("DELETE", "/backtest", {"id": ID}, DeleteBacktest(ACCOUNT, ID)),
        ("GET", "/backtest/compare", {"ids": f"{ID},b"}, CompareBacktests(ACCOUNT, [ID, "b"])),
        ("GET", "/backtest/result", {"id": ID}, ReadBacktest(ACCOUNT, ID)),
        ("GET", "/backtest/log", {"id": ID}, ReadBacktest(ACCOUNT, ID, "log")),
        ("GET", "/backtest/report", {"id": ID}, ReadBacktest(ACCOUNT, ID, "report")),
    ]
    for method, path, fields, request in asked:
        assert trader.ask(method, path, json=fields).status_code == 200
        assert gateways.heard[-1] == (ACCOUNT, request)


def test_a_report_stands_alone_wherever_it_is_opened(trader: Auth, gateways: FakeGateways) -> None:
    answer = trader.ask("GET", "/backtest/report", json={"id": ID})
    assert answer.data == b"<!doctype html>"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="report-{ID}.html"'
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    gateways.answers[ReadBacktest] = NotDone("这次回测还没有结果：运行")
    answer = trader.ask("GET", "/backtest/report", json={"id": ID})
    assert (answer.status_code, answer.json["error"]) == (409, "BACKTEST_NOT_DONE")
