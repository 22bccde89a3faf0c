"""/strategy over HTTP, with a host and a gateway that answer as told."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.lib.errors import GatewayDown, NeedsLogin, NotFound, StrategyFailed, StrategyRuns
from app.wire.messages import (
    DeleteStrategy,
    Done,
    Json,
    ListStrategies,
    ReadStrategy,
    ReadStrategyLog,
    RestartStrategy,
    SetStrategyLimits,
    StartStrategy,
    StopStrategy,
)
from tests.integration.conftest import Auth, FakeGateways

ACCOUNT = "sim-9999-demo"
ROW = {"name": "双均线", "status": "运行中", "state": "运行中", "pid": 7}


@pytest.fixture
def trader(auth: Auth) -> Auth:
    return auth.log_in()


def test_the_list_is_the_hosts(trader: Auth, gateways: FakeGateways) -> None:
    gateways.answers[ListStrategies] = Json(orjson.dumps([ROW]))
    assert trader.ask("GET", "/strategy").json == {"success": True, "msg": "", "data": [ROW]}
    assert gateways.asked(ListStrategies) == [ListStrategies(ACCOUNT)]


def test_one_strategy_has_what_host_and_gateway_know_of_it(trader: Auth, gateways: FakeGateways) -> None:
    book = {
        "orders": [{"order_id": "1"}],
        "trades": [],
        "positions": [],
        "profit": {"total": 1.5},
        "limits": {"max_position": 3},
    }
    gateways.answers[ListStrategies] = Json(orjson.dumps(ROW))
    gateways.answers[ReadStrategy] = Json(orjson.dumps({"name": "双均线"} | book))
    assert trader.ask("GET", "/strategy?name=双均线").json["data"] == ROW | book


def test_without_a_gateway_what_the_host_knows_is_still_answered(
    trader: Auth, gateways: FakeGateways
) -> None:
    gateways.answers[ReadStrategy] = GatewayDown("账户的网关正在重启，请稍后重试")
    answer = trader.ask("GET", "/strategy?name=双均线")
    assert (answer.status_code, answer.json["success"], answer.json["error"]) == (200, True, "GATEWAY_DOWN")
    assert (answer.json["data"]["name"], answer.json["data"]["orders"]) == ("双均线", None)


@pytest.mark.parametrize(
    ("operation", "kind"), [("开启", StartStrategy), ("关闭", StopStrategy), ("重启", RestartStrategy)]
)
def test_an_operation_is_asked_of_the_host_and_said_in_words(
    trader: Auth, gateways: FakeGateways, operation: str, kind: type[Any]
) -> None:
    fields = {"name": "双均线", "operation": operation}
    assert trader.ask("PUT", "/strategy", data=fields).json == {
        "success": True,
        "msg": f"{operation}双均线成功",
        "data": "",
    }
    assert gateways.asked(kind) == [kind(ACCOUNT, "双均线")]
    gateways.answers[kind] = Done("策略正在启动")
    assert trader.ask("PUT", "/strategy", data=fields).json["msg"] == "策略正在启动"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StrategyFailed("策略启动失败：ValueError: 坏了", line=7), 200, "STRATEGY_FAILED"),
        (NotFound("没有策略 双均线", code="UNKNOWN_STRATEGY"), 200, "UNKNOWN_STRATEGY"),
        (NeedsLogin("账户没有登录"), 503, "NEEDS_LOGIN"),
    ],
)
def test_an_operation_that_fails_says_why(
    trader: Auth, gateways: FakeGateways, error: Exception, status: int, code: str
) -> None:
    gateways.answers[StartStrategy] = error
    fields = {"name": "双均线", "operation": "开启"}
    answer = trader.ask("PUT", "/strategy", data=fields)
    assert (answer.status_code, answer.json["success"], answer.json["error"]) == (status, False, code)
    trader.scheme = "JWT"
    assert trader.ask("PUT", "/strategy", data=fields).status_code == 200
    if code == "STRATEGY_FAILED":
        assert answer.json["line"] == 7


def test_a_deletion_succeeds_or_fails_in_the_words_of_the_reference(
    trader: Auth, gateways: FakeGateways
) -> None:
    assert trader.ask("DELETE", "/strategy?name=双均线").json == {
        "success": True,
        "msg": "删除双均线成功",
        "data": "",
    }
    assert gateways.asked(DeleteStrategy) == [DeleteStrategy(ACCOUNT, "双均线")]
    gateways.answers[DeleteStrategy] = StrategyRuns("运行中的策略请先停止")
    answer = trader.ask("DELETE", "/strategy?name=双均线").json
    assert (answer["success"], answer["msg"], answer["reason"]) == (
        False,
        "删除双均线失败：运行中的策略请先停止",
        "运行中的策略请先停止",
    )


def test_limits_are_asked_of_the_gateway_for_a_strategy_that_there_is(
    trader: Auth, gateways: FakeGateways
) -> None:
    fields = {
        "name": "双均线",
        "contracts": "rb2510.SHFE,ag2512.SHFE",
        "max_position": "5",
        "max_order_volume": "0",
    }
    answer = trader.ask("PUT", "/strategy/limits", data=fields)
    assert (answer.status_code, answer.json["success"]) == (200, True)
    limits = {"contracts": ["rb2510.SHFE", "ag2512.SHFE"], "max_position": 5}
    assert gateways.asked(SetStrategyLimits) == [SetStrategyLimits("双均线", limits)]
    gateways.answers[ListStrategies] = NotFound("没有策略 双均线", code="UNKNOWN_STRATEGY")
    assert trader.ask("PUT", "/strategy/limits", data=fields).status_code == 404
    assert len(gateways.asked(SetStrategyLimits)) == 1


def test_the_log_comes_by_page(trader: Auth, gateways: FakeGateways) -> None:
    page = {
        "lines": [{"created": "2025-06-05 10:00:00", "levelname": "INFO", "message": "开仓"}],
        "before": "12-34",
    }
    gateways.answers[ReadStrategyLog] = Json(orjson.dumps(page))
    assert trader.ask("GET", "/strategy/log?name=双均线&before=12-99&limit=1").json["data"] == page
    assert gateways.asked(ReadStrategyLog) == [ReadStrategyLog(ACCOUNT, "双均线", "12-99", 1)]
