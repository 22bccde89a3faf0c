"""/code, /check_code and /run_code as a page and a script meet them, in front of a host and a workshop
written by hand.
"""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from app.lib.errors import GatewayDown, NotFound, RateLimited, RunCodeUnavailable
from app.lib.strategy_lib import BadCode
from app.wire.messages import CodeSaved, Json, ReadCode, SaveCode
from app.workshop.workshop import Printed
from tests.integration.conftest import Auth, FakeGateways
from tests.integration.test_bad_input import STRATEGY

ACCOUNT = "sim-9999-demo"


@pytest.fixture
def trader(auth: Auth) -> Auth:
    return auth.log_in()


def test_saving_goes_to_the_host_as_it_was_sent(trader: Auth, gateways: FakeGateways) -> None:
    text = "\n  \n" + STRATEGY + "\t \n"
    answer = trader.ask("POST", "/code", data={"text": text})
    assert answer.json == {
        "success": True,
        "msg": "添加成功",
        "data": "",
        "name": "双均线",
        "version": 3,
        "running": False,
    }
    assert gateways.asked(SaveCode) == [SaveCode(ACCOUNT, text)]


def test_saving_what_runs_says_that_it_has_to_be_restarted(trader: Auth, gateways: FakeGateways) -> None:
    gateways.answers[SaveCode] = CodeSaved("双均线", 4, True)
    answer = trader.ask("POST", "/code", json={"text": STRATEGY}).json
    assert (answer["success"], answer["running"]) == (True, True)
    assert "重启" in answer["msg"]


@pytest.mark.parametrize("scheme", ["JWT", "Bearer"])
def test_a_text_that_is_no_strategy_is_refused_with_line_and_reason_and_goes_nowhere(
    trader: Auth, gateways: FakeGateways, scheme: str
) -> None:
    trader.scheme = scheme
    answer = trader.ask("POST", "/code", data={"text": STRATEGY + "ext = 1\n"})
    assert answer.status_code == (400 if scheme == "Bearer" else 200)
    assert answer.json["success"] is False
    assert answer.json["msg"] == f"添加失败：{answer.json['reason']}"
    assert (answer.json["line"], answer.json["error"], answer.json["parameter"]) == (9, "EXT_TWICE", "text")
    assert "第 9 行" in answer.json["reason"]
    assert gateways.asked(SaveCode) == []


def test_bytes_that_are_no_utf_8_are_refused(trader: Auth, gateways: FakeGateways) -> None:
    raw = STRATEGY.encode("gbk")
    for body in (b"text=" + raw.replace(b"=", b"%3D"), b"text=" + quote(raw).encode()):
        answer = trader.ask("POST", "/code", data=body, content_type="application/x-www-form-urlencoded")
        assert (answer.json["success"], answer.json["error"]) == (False, "NOT_UTF8")
    answer = trader.ask(
        "POST",
        "/code",
        data={"text": (io.BytesIO(raw), None, "text/plain")},
        content_type="multipart/form-data",
    )
    assert answer.json["success"] is False
    assert gateways.asked(SaveCode) == []


def test_the_hosts_refusal_is_told_too(trader: Auth, gateways: FakeGateways) -> None:
    gateways.answers[SaveCode] = GatewayDown("网关管理进程未运行，请稍后重试", code="HOST_DOWN")
    answer = trader.ask("POST", "/code", data={"text": STRATEGY})
    assert (answer.status_code, answer.json["msg"], answer.json["error"]) == (
        503,
        "添加失败：网关管理进程未运行，请稍后重试",
        "HOST_DOWN",
    )


def test_code_is_read_by_name_and_version(trader: Auth, gateways: FakeGateways) -> None:
    assert trader.ask("GET", "/code", query_string={"name": "双均线"}).json["data"] == {"双均线": "source"}
    gateways.answers[ReadCode] = Json(b'{"a":"old"}')
    assert trader.ask("GET", "/code?name=a&version=2").json["data"] == {"a": "old"}
    assert gateways.asked(ReadCode) == [ReadCode("双均线", 0, ACCOUNT), ReadCode("a", 2, ACCOUNT)]


@pytest.mark.parametrize("query", ["", "?name=", "?name=%20"])
def test_no_name_is_said_as_the_page_knows_it(trader: Auth, query: str) -> None:
    trader.scheme = "JWT"
    answer = trader.ask("GET", f"/code{query}")
    assert (answer.status_code, answer.json["success"], answer.json["msg"]) == (200, False, "name is none")


@pytest.mark.parametrize("name", ["nobody", "../run", "..", "a/b", "x" * 64, "class", "策略.py"])
def test_an_unknown_name_is_said_as_the_page_knows_it_and_an_unsafe_one_never_reaches_the_host(
    trader: Auth, gateways: FakeGateways, name: str
) -> None:
    gateways.answers[ReadCode] = NotFound("没有这个策略")
    answer = trader.ask("GET", "/code", query_string={"name": name})
    assert (answer.json["success"], answer.json["msg"]) == (False, "unknown name")
    assert [request.name for request in gateways.asked(ReadCode)] == (
        [name] if name in ("nobody", "x" * 64) else []
    )


def test_a_check_gives_rows_and_null_where_there_is_nothing_to_say(trader: Auth) -> None:
    assert trader.ask("POST", "/check_code", data={"text": STRATEGY}).json == {
        "success": True,
        "msg": "",
        "data": None,
    }
    (row,) = trader.ask("POST", "/check_code", data={"text": "x = 1"}).json["data"]
    assert set(row) == {"code", "error", "message", "line", "error_info"}
    assert row["error"] == "no-ext"


def test_a_run_gives_what_was_printed_and_which_limit_fired(
    app: Flask, trader: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = trader.ask("POST", "/run_code", data={"text": "print(1)"})
    assert answer.json == {"success": True, "msg": "", "data": "printed\n", "limit": "", "exit_code": 0}
    assert app.config["WORKSHOP"].ran == ["print(1)"]
    monkeypatch.setattr(
        app.config["WORKSHOP"], "run", lambda *_: Printed("x\n[时间到]\n", "time", -9, "时间到")
    )
    answer = trader.ask("POST", "/run_code", data={"text": "print(1)"})
    assert answer.json == {
        "success": True,
        "msg": "时间到",
        "data": "x\n[时间到]\n",
        "limit": "time",
        "exit_code": -9,
    }


@pytest.mark.parametrize(
    ("path", "method", "error", "status"),
    [
        ("/check_code", "check", BadCode("代码过于复杂，没能读完", code="TOO_COMPLEX"), 400),
        ("/check_code", "check", RateLimited("同时检查的代码过多", 5, code="CHECK_CODE_BUSY"), 429),
        ("/run_code", "run", RunCodeUnavailable("对外服务不提供试运行", code="RUN_CODE_OFF"), 503),
        ("/run_code", "run", RateLimited("正在试运行", 5, code="RUN_CODE_BUSY"), 429),
    ],
)
def test_what_the_workshop_refuses_is_told(
    app: Flask,
    trader: Auth,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    method: str,
    error: Exception,
    status: int,
) -> None:
    def refuse(*_: Any) -> None:
        raise error

    monkeypatch.setattr(app.config["WORKSHOP"], method, refuse)
    for trader.scheme, expected in (("Bearer", status), ("JWT", 200)):
        answer = trader.ask("POST", path, data={"text": "x"})
        assert (answer.status_code, answer.json["success"], answer.json["error"]) == (
            expected,
            False,
            error.code,
        )  # type: ignore[attr-defined]
        assert answer.json["data"] == (
            answer.json["msg"] if path == "/run_code" else ""
        )  # all that the page's drawer shows


def test_a_run_without_a_text_is_told_where_the_page_shows_what_was_printed(trader: Auth) -> None:
    answer = trader.ask("POST", "/run_code", data={"text": ""})
    assert (answer.json["success"], answer.json["msg"], answer.json["data"]) == (
        False,
        "缺少参数 text",
        "缺少参数 text",
    )
