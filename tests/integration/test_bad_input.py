"""Bad input, over every route: a clear envelope that names the parameter, never a 500, and nothing is
sent.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import jwt
import orjson
import pytest
from flask import Flask

from app.wire.messages import LogIn
from tests.integration.conftest import Auth, FakeGateways, apps

# What can be wrong with a value, by what the parameter is. "missing" is not sent at all.
MISSING = object()
ANYTHING: dict[str, Any] = {"missing": MISSING, "empty": "", "null": None}
CONTROL = {
    "newline": "a\nb",
    "nul": "a\x00b",
    "escape": "\x1b[2J",
    "surrogate": "\ud800",
    "line separator": "a\u2028b",
}
NOT_TEXT = {"bool for text": True, "list": ["a"], "object": {"a": 1}, "fraction": 1.5, "huge": "x" * 100_000}
NOT_NUMBER = {
    "word": "abc",
    "bool": True,
    "list": [1],
    "object": {},
    "NaN": math.nan,
    "NaN text": "NaN",
    "infinity": math.inf,
    "infinity text": "-inf",
    "overflow": "1e999",
    "huge": 10**400,
    "huge text": "9" * 5000,
    "other digits": "١٢",
    "underscore": "1_0",
    "nul": "1\x00",
}
TEXT = NOT_TEXT | CONTROL
SYMBOL = TEXT | {
    "unknown contract": "zz9912.SHFE",
    "unknown exchange": "rb2501.NYSE",
    "no contract": ".SHFE",
    "no exchange after the dot": "rb2501.",
    "path": "../../etc/passwd",
    "sql": "rb2501' OR '1'='1",
}
EXCHANGE = TEXT | {"unknown": "NYSE", "another one": "DCE"}
WORD = TEXT | {"unknown": "sideways", "number": 1}
VOLUME = NOT_NUMBER | {
    "negative": -1,
    "zero": 0,
    "fraction": 1.5,
    "more than the contract allows": 501,
    "more than anybody has": 10**9,
}
PRICE = NOT_NUMBER | {
    "negative": -3500,
    "zero": 0,
    "off the tick": 3500.5,
    "above the limit": 4001,
    "below the limit": 2999,
    "more than money": 1e12,
}
COUNT = NOT_NUMBER | {"negative": -1, "fraction": 1.5, "too many": 10**18}
FLAG = {"word": "maybe", "number": 2, "list": [1], "object": {}, "fraction": 0.5}
CONFIG_NUMBER = {name: NOT_NUMBER[name] for name in NOT_NUMBER if name not in ("underscore", "other digits")}


class Route(NamedTuple):
    """A route with parameters that are right, and what can be wrong with each; `optional` ones may be left
    out or empty.
    """

    method: str
    path: str
    right: dict[str, Any]
    wrong: dict[str, dict[str, Any]]
    optional: frozenset[str] = frozenset()
    ours: bool = False
    is_page: bool = False  # it answers HTML

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


ORDERS = {"measure": "orders", "limit": 5}
RULES = NOT_NUMBER | {
    "text": "rules",
    "number": 5,
    "of no objects": [1],
    "unknown measure": [{"measure": "colour", "limit": 5}],
    "negative": [ORDERS | {"limit": -1}],
    "huge": [ORDERS | {"limit": 10**400}],
    "nested": [ORDERS | {"limit": [5]}],
    "surrogate": [ORDERS | {"name": "\ud800"}],
    "not a number": [ORDERS | {"limit": math.nan}],
    "twice": [ORDERS, ORDERS],
    "too many": [ORDERS] * 501,
}
PAGE = {"watch": "page", "seconds": 30}
SWITCHES = NOT_NUMBER | {
    "text": "page",
    "of no objects": [1],
    "unknown watch": [PAGE | {"watch": "moon"}],
    "too short": [PAGE | {"seconds": 4}],
    "not a number": [PAGE | {"seconds": math.nan}],
    "twice": [PAGE, PAGE],
    "too many": [PAGE] * 51,
}
FRONT = TEXT | {
    "no scheme": "1.2.3.4:5",
    "http": "http://1.2.3.4:5",
    "ssl": "ssl://1.2.3.4:5",
    "no port": "tcp://1.2.3.4",
    "port out of range": "tcp://1.2.3.4:70000",
    "a second that is none": "tcp://1.2.3.4:5,1.2.3.5:6",
    "nothing behind the comma": "tcp://1.2.3.4:5,",
}
LOGIN = {
    "authorization": "000000",
    "userid": "demo",
    "password": "secret-pass",
    "brokerid": "9999",
    "interface": "sim",
    "auth_code": "a",
    "appid": "b",
}
ORDER = {
    "local_symbol": "rb2501.SHFE",
    "direction": "long",
    "offset": "open",
    "type": "limit",
    "price": 3500,
    "volume": 1,
    "exchange": "SHFE",
    "client_order_id": "mine-1",
}
BAR = {
    "local_symbol": "rb2501.SHFE",
    "interval": "1m",
    "fields": "turnover",
    "cut": "session",
    "start": 1000,
    "end": 2000,
    "limit": 10,
}
CONFIG = {
    "REFRESH_INTERVAL": 3,
    "INSTRUMENT_INDEPEND": False,
    "SLIPPAGE_SHORT": 0,
    "SLIPPAGE_BUY": 0,
    "SLIPPAGE_COVER": 0,
    "SLIPPAGE_SELL": 0,
    "CLOSE_PATTERN": "today",
    "SHARED_FUNC": False,
}
CLOSE = {
    "local_symbol": "rb2501.SHFE",
    "volume": 2,
    "direction": "long",
    "exchange": "SHFE",
    "symbol": "rb2501",
}

STRATEGY_NAME = TEXT | {
    "path": "../../etc/passwd",
    "keyword": "class",
    "device": "nul",
    "too long": "x" * 300,
    "file": "a.py",
}
STRATEGY = "from ctpbee import CtpbeeApi\n\n\nclass Mine(CtpbeeApi):\n    pass\n\n\next = Mine('双均线')\n"
CODE = {what: value for what, value in NOT_TEXT.items() if what != "huge"} | {
    "too long": "x" * (256 * 1024 + 1)
}

ROUTES = [
    Route(
        "POST",
        "/login",
        LOGIN,
        {
            "authorization": NOT_TEXT | CONTROL,
            "userid": TEXT | {"too long": "u" * 33},
            "password": TEXT | {"too long": "p" * 129},
            "brokerid": TEXT,
            "interface": TEXT | {"unknown": "ib"},
            "auth_code": TEXT,
            "appid": TEXT,
        },
        optional=frozenset({"brokerid", "interface", "auth_code", "appid"}),
    ),
    Route(
        "POST",
        "/login",
        LOGIN
        | {
            "interface": "ctp",
            "td_address": "tcp://1.2.3.4:10201",
            "md_address": "tcp://front.example:10211",
        },
        {"brokerid": TEXT, "td_address": FRONT, "md_address": FRONT},
    ),
    Route(
        "POST",
        "/password",
        LOGIN
        | {
            "interface": "ctp",
            "td_address": "tcp://1.2.3.4:10201",
            "md_address": "tcp://front.example:10211",
            "new_password": "better",
        },
        {
            "new_password": TEXT | {"too long": "p" * 41},
            "password": TEXT | {"too long": "p" * 129},
            "userid": TEXT | {"too long": "u" * 33},
            "brokerid": TEXT,
            "interface": TEXT | {"unknown": "ib", "the built-in one": "sim"},
            "td_address": FRONT,
        },
        optional=frozenset({"interface"}),
        ours=True,
    ),
    Route("POST", "/logout", {"authorization": "000000"}, {"authorization": TEXT}),
    Route(
        "POST",
        "/auth_code",
        {"password": "secret-pass", "authorization": "new-code"},
        {"password": TEXT, "authorization": TEXT | {"short": "12345"}},
    ),
    Route(
        "PUT",
        "/auth_code",
        {"password": "secret-pass", "authorization": "new-code"},
        {"password": TEXT, "authorization": TEXT | {"short": "12345"}},
    ),
    Route(
        "POST",
        "/market",
        {"symbol": "rb2501.SHFE"},
        {
            "symbol": SYMBOL
            | {
                "commas": ",,",
                "one of two": "rb2501,zz9912",
                "too many": ",".join(f"a{n:04d}" for n in range(2000)),
            }
        },
    ),
    Route("DELETE", "/market", {"symbol": "rb2501.SHFE"}, {"symbol": SYMBOL}, ours=True),
    Route(
        "GET",
        "/contract",
        {"symbol": "rb2501.SHFE", "exchange": "SHFE", "product": "rb"},
        {"symbol": SYMBOL, "exchange": EXCHANGE, "product": TEXT | {"too long": "x" * 33}},
        optional=frozenset({"symbol", "exchange", "product"}),
        ours=True,
    ),
    Route(
        "GET",
        "/tick",
        {"symbol": "rb2501.SHFE", "exchange": "SHFE"},
        {"symbol": SYMBOL, "exchange": EXCHANGE},
        optional=frozenset({"exchange"}),
        ours=True,
    ),
    Route(
        "POST",
        "/order_solve",
        ORDER,
        {
            "local_symbol": SYMBOL,
            "direction": WORD,
            "offset": WORD,
            "type": WORD,
            "price": PRICE,
            "volume": VOLUME,
            "exchange": EXCHANGE,
            "client_order_id": TEXT,
        },
        optional=frozenset({"exchange", "client_order_id"}),
    ),
    Route(
        "GET",
        "/order_preview",
        {name: value for name, value in ORDER.items() if name != "client_order_id"},
        {
            "local_symbol": SYMBOL,
            "direction": WORD,
            "offset": WORD,
            "type": WORD,
            # what is wrong with its contract's rules is part of the answer
            "price": NOT_NUMBER | {"negative": -3500, "zero": 0, "more than money": 1e12},
            "volume": NOT_NUMBER
            | {"negative": -1, "zero": 0, "fraction": 1.5, "more than anybody has": 10**9},
            "exchange": EXCHANGE,
        },
        optional=frozenset({"exchange", "volume"}),
        ours=True,
    ),
    Route(
        "DELETE",
        "/order_solve",
        {"order_id": "1_77_1", "local_symbol": "rb2501.SHFE", "exchange": "SHFE", "all": 0},
        {
            "order_id": TEXT,
            "local_symbol": {k: v for k, v in SYMBOL.items() if k != "unknown contract"},
            "exchange": EXCHANGE,
            "all": FLAG,
        },
        optional=frozenset({"local_symbol", "exchange", "all"}),
    ),
    Route(
        "POST",
        "/close_position",
        CLOSE,
        {
            "local_symbol": SYMBOL,
            "volume": {
                what: value for what, value in VOLUME.items() if what != "more than the contract allows"
            },
            "direction": WORD,
            "exchange": EXCHANGE,
            "symbol": SYMBOL | {"another contract": "ag2412", "another exchange": "rb2501.DCE"},
        },
        optional=frozenset({"local_symbol", "exchange", "symbol"}),
    ),
    Route(
        "POST",
        "/bar",
        BAR,
        {
            "local_symbol": SYMBOL,
            "interval": TEXT | {"unknown": "2m"},
            "cut": TEXT | {"unknown": "moon"},
            "start": COUNT,
            "end": COUNT | {"before start": 500},
            "limit": COUNT,
            "fields": TEXT | {"unknown": "volume", "gap": "turnover,", "twice": "turnover,turnover"},
        },
        optional=frozenset({"interval", "cut", "start", "end", "limit", "fields"}),
    ),
    Route(
        "PUT",
        "/config",
        CONFIG,
        {
            "REFRESH_INTERVAL": CONFIG_NUMBER | {"zero": 0, "negative": -1, "empty": "", "null": None},
            "INSTRUMENT_INDEPEND": FLAG | {"empty": "", "null": None},
            "SHARED_FUNC": FLAG | {"empty": "", "null": None},
            "CLOSE_PATTERN": TEXT | {"unknown": "tomorrow", "empty": "", "null": None},
        }
        | {f"SLIPPAGE_{side}": CONFIG_NUMBER | {"empty": ""} for side in ("SHORT", "BUY", "COVER", "SELL")},
        optional=frozenset(CONFIG),
    ),
    Route("GET", "/strategy", {"name": "双均线"}, {"name": STRATEGY_NAME}, optional=frozenset({"name"})),
    Route(
        "PUT",
        "/strategy",
        {"name": "双均线", "operation": "开启"},
        {"name": STRATEGY_NAME, "operation": WORD | {"english": "start"}},
    ),
    Route("DELETE", "/strategy", {"name": "双均线"}, {"name": STRATEGY_NAME}),
    Route(
        "PUT",
        "/strategy/limits",
        {
            "name": "双均线",
            "contracts": "rb2501.SHFE",
            "max_order_volume": 2,
            "max_position": 5,
            "max_orders_per_minute": 10,
        },
        {
            "name": STRATEGY_NAME,
            "contracts": {what: value for what, value in SYMBOL.items() if what != "unknown contract"}
            | {"gap": "rb2501.SHFE,,"},
            "max_order_volume": COUNT,
            "max_position": COUNT,
            "max_orders_per_minute": COUNT,
        },
        optional=frozenset({"contracts", "max_order_volume", "max_position", "max_orders_per_minute"}),
        ours=True,
    ),
    Route(
        "GET",
        "/strategy/log",
        {"name": "双均线", "before": "12-34", "limit": 10},
        {"name": STRATEGY_NAME, "before": TEXT, "limit": COUNT | {"zero": 0}},
        optional=frozenset({"before", "limit"}),
        ours=True,
    ),
    Route(
        "PUT",
        "/risk",
        {"rules": [{"measure": "orders", "limit": 5}], "switches": [PAGE]},
        {"rules": RULES, "switches": SWITCHES},
        optional=frozenset({"rules", "switches"}),
        ours=True,
    ),
    Route("POST", "/risk/logout", {"why": "试"}, {"why": TEXT}, ours=True),
    Route(
        "GET",
        "/risk/audit",
        {"day": "20250609", "kind": "trade", "limit": 10, "place": 5, "format": "json"},
        {
            "day": {"dashes": "2025-06-09", "word": "today", "path": "../x", "list": [1]},
            "kind": WORD,
            "limit": COUNT | {"zero": 0},
            "place": COUNT,
            "format": WORD,
        },
        optional=frozenset({"day", "kind", "limit", "place", "format"}),
        ours=True,
    ),
    Route("POST", "/risk/heartbeat", {"name": "套利"}, {"name": TEXT}, ours=True),
    Route(
        "POST",
        "/risk/state",
        {"state": "halted", "strategy": "双均线", "why": "试", "cancel": "1"},
        {"state": WORD, "strategy": STRATEGY_NAME, "why": TEXT, "cancel": FLAG},
        optional=frozenset({"strategy", "why", "cancel"}),
        ours=True,
    ),
    Route(
        "POST",
        "/risk/cancel",
        {
            "local_symbol": "rb2501.SHFE",
            "direction": "long",
            "strategy": "双均线",
            "older": 5,
            "filled": "part",
            "order_ids": "1_2_3,1_2_4",
        },
        {
            "local_symbol": {what: SYMBOL[what] for what in ("unknown exchange", "path", "sql", "list")},
            "direction": WORD,
            "strategy": STRATEGY_NAME,
            "older": NOT_NUMBER | {"negative": -1},
            "filled": WORD,
            "order_ids": TEXT,
        },
        optional=frozenset({"local_symbol", "direction", "strategy", "older", "filled", "order_ids"}),
        ours=True,
    ),
    Route(
        "GET",
        "/code",
        {"name": "双均线", "version": 1},
        {"name": STRATEGY_NAME, "version": COUNT},
        optional=frozenset({"version"}),
    ),
    Route(
        "POST",
        "/code",
        {"text": STRATEGY},
        {"text": TEXT | CODE | {"class": STRATEGY.replace("(CtpbeeApi)", "")}},
    ),
    Route("POST", "/check_code", {"text": STRATEGY}, {"text": CODE}),
    Route("POST", "/run_code", {"text": "print(1)"}, {"text": CODE}),
    Route(
        "GET",
        "/events",
        {"since": 0, "limit": 10},
        {"since": COUNT, "limit": COUNT},
        optional=frozenset({"since", "limit"}),
        ours=True,
    ),
    Route(
        "GET",
        "/equity",
        {"interval": "day", "start": 1000, "end": 2000, "limit": 10, "strategy": "双均线"},
        {
            "interval": TEXT | {"unknown": "week"},
            "start": COUNT,
            "end": COUNT | {"before start": 500},
            "limit": COUNT,
            "strategy": STRATEGY_NAME,
        },
        optional=frozenset({"interval", "start", "end", "limit", "strategy"}),
        ours=True,
    ),
    Route(
        "GET",
        "/settlement",
        {"day": "20250606"},
        {"day": {"dashes": "2025-06-06", "word": "today", "old": "19990101", "list": [1], "object": {}}},
        optional=frozenset({"day"}),
        ours=True,
    ),
]
BACKTEST = {
    **{"text": STRATEGY, "contracts": "rb2401.SHFE,m2405.DCE", "start": "2024-01-02", "end": "20240131"},
    **{"capital": 1000000, "parameters": {"fast": 5}, "spread_ticks": 1, "slippage_ticks": 0},
    **{"participation": 0.25, "latency_ms": 0, "rates": "product,since\n", "by": "bars", "title": "试"},
    **{"search": {"kind": "grid", "space": {"fast": [5, 10]}}, "version": 0, "label": "end"},
}
BACKTEST_ID = {"path": "../../etc", "long": "0" * 17, "word": "x", "list": ["a"]}
DOCUMENT = {
    **{"word": "x", "list": [1], "number": 1, "of a list": "[1]", "twice": '{"a":1,"a":2}'},
    **{"deep": {"a": {"b": {"c": {"d": {"e": 1}}}}}, "control": {"a": "b\nc"}, "NaN": {"a": math.nan}},
}
COUNTED = {"word": "x", "negative": -1, "huge": 10**9, "fraction": 1.5, "bool": True}
ROUTES += [
    Route(
        "POST",
        "/backtest",
        BACKTEST,
        {
            "text": {"list": ["a"], "too long": "x" * (256 * 1024 + 1)},
            "name": {"path": "../../etc/passwd", "keyword": "class"},
            "contracts": {"no exchange": ".SHFE", "commas": ",,", "list": ["a"]},
            "start": {"word": "today", "number": 1.5},
            "end": {"slashes": "2024/01/02", "list": [1]},
            "capital": {"word": "x", "NaN": math.nan, "infinity": math.inf, "list": [1]},
            "parameters": DOCUMENT,
            "search": DOCUMENT,
            "spread_ticks": COUNTED,
            "slippage_ticks": COUNTED,
            "latency_ms": COUNTED,
            "participation": {"above": 1.5, "word": "x"},
            "rates": {"list": [1], "surrogate": "\ud800", "too long": "x" * (256 * 1024 + 1)},
            "by": {"unknown": "minutes"},
            "label": {"unknown": "middle"},
            "files": {"commas": "a,,b", "twice": "a,a", "list": [1]},
            "main": {"commas": "rb,", "many": ",".join(f"p{n}" for n in range(21))},
            "symbol": {"newline": "a\nb"},
            "rates_of": BACKTEST_ID,
            "title": {"newline": "a\nb", "long": "x" * 65},
            "version": COUNTED | {"huge": 10**10},
        },
        optional=frozenset({*BACKTEST, "name", "files", "main", "symbol", "rates_of"}),
        ours=True,
    ),
    Route(
        "GET",
        "/backtest",
        {"id": "0123456789abcdef"},
        {"id": BACKTEST_ID},
        optional=frozenset({"id"}),
        ours=True,
    ),
    Route(
        "PUT",
        "/backtest",
        {"id": "0123456789abcdef", "operation": "取消"},
        {"id": BACKTEST_ID, "operation": {"unknown": "开启"}},
        ours=True,
    ),
    Route("DELETE", "/backtest", {"id": "0123456789abcdef"}, {"id": BACKTEST_ID}, ours=True),
    Route("GET", "/backtest/compare", {"ids": "a,b"}, {"ids": {"twice": "a,a"}}, ours=True),
    Route("GET", "/backtest/log", {"id": "0123456789abcdef"}, {"id": {"path": "../../etc"}}, ours=True),
    Route("GET", "/backtest/result", {"id": "0123456789abcdef"}, {"id": BACKTEST_ID}, ours=True),
    Route(
        "GET", "/backtest/report", {"id": "0123456789abcdef"}, {"id": BACKTEST_ID}, ours=True, is_page=True
    ),
    Route(
        "POST",
        "/backtest/parameters",
        {"text": STRATEGY, "version": 0},
        {"text": {"list": ["a"]}, "name": {"keyword": "class"}, "version": COUNTED | {"huge": 10**10}},
        optional=frozenset({"text", "name", "version"}),
        ours=True,
    ),
]
OURS_BARE = [
    ("GET", "/backtest/data"),
    ("POST", "/settlement"),
    ("GET", "/account"),
    ("GET", "/risk"),
    ("GET", "/risk/connections"),
]
BARE = [("GET", "/order_solve"), ("GET", "/config"), ("PUT", "/market"), *OURS_BARE]
OPEN = ("/login", "/password")
PROTECTED = [(route.method, route.path) for route in ROUTES if route.path not in OPEN] + BARE


def cases() -> Iterator[Any]:
    for route in ROUTES:
        for parameter, wrong in route.wrong.items():
            everything = wrong if parameter in route.optional else ANYTHING | wrong
            for what, value in everything.items():
                yield pytest.param(route, parameter, value, id=f"{route.name} {parameter}: {what}")


CASES = list(cases())


def test_the_table_has_every_route_with_parameters(app: Flask) -> None:
    served = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.methods is not None
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert served == {
        *PROTECTED,
        *(("POST", path) for path in OPEN),
        *(("GET", path) for path in ("/healthz", "/readyz", "/metrics")),
        *(("GET", path) for path in ("/fronts", "/build.json", "/openapi.json")),
        *(("GET", path) for path in ("/", "/docs", "/assets/<name>", "/favicon.svg")),
    }


@pytest.fixture(scope="module")
def one_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flask, FakeGateways]]:
    """One for the whole table, which is long."""
    gateways = FakeGateways()
    with apps(tmp_path_factory.mktemp("table"), gateways) as make:
        yield make(), gateways


@pytest.fixture
def app(one_app: tuple[Flask, FakeGateways]) -> Flask:
    one_app[0].config["STORE"].delete_setting("server", "authorization")  # the table has a right one too
    return one_app[0]


@pytest.fixture
def gateways(one_app: tuple[Flask, FakeGateways]) -> FakeGateways:
    one_app[1].forget()
    return one_app[1]


@pytest.fixture
def trader(auth: Auth, gateways: FakeGateways) -> Auth:
    auth.log_in()
    gateways.orders["1_77_1"] = "sim-9999-demo"
    gateways.heard.clear()
    return auth


def as_json(values: dict[str, Any]) -> dict[str, Any]:
    """As a body: NaN and lone surrogates too, as the standard library writes them."""
    import json

    return {"data": json.dumps(values), "content_type": "application/json"}


def envelope(answer: Any) -> dict[str, Any]:
    """Whatever happened, this is what the answer looks like."""
    assert answer.mimetype == "application/json"
    body: dict[str, Any] = orjson.loads(answer.data)
    assert isinstance(body["success"], bool)
    assert isinstance(body["msg"], str)
    assert "data" in body
    return body


def nothing_was_sent(gateways: FakeGateways) -> bool:
    return gateways.sent == [] and gateways.asked(LogIn) == []


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_what_is_right_is_taken(trader: Auth, route: Route) -> None:
    answer = trader.ask(route.method, route.path, **as_json(route.right))
    if route.is_page:
        assert (answer.status_code, answer.mimetype) == (200, "text/html")
        return
    assert (answer.status_code, envelope(answer)["success"]) == (200, True)


@pytest.mark.parametrize(("route", "parameter", "value"), CASES)
def test_what_is_wrong_is_named_and_nothing_is_sent(
    trader: Auth, gateways: FakeGateways, route: Route, parameter: str, value: Any
) -> None:
    sent = {name: right for name, right in route.right.items() if name != parameter}
    if value is not MISSING:
        sent[parameter] = value
    for trader.scheme, honest in (("Bearer", route.path != "/login"), ("JWT", route.ours)):
        answer = trader.ask(route.method, route.path, **as_json(sent))
        body = envelope(answer)
        shown = (
            body["msg"] if route.path == "/run_code" else ""
        )  # where the existing page shows nothing but `data`
        assert body["success"] is False
        assert body["data"] == shown
        assert body["error"]
        if body["error"] == "NOT_FOUND":  # an unknown contract
            assert (answer.status_code, route.path in ("/contract", "/tick")) == (404, True)
        else:
            assert answer.status_code == (400 if honest else 200)
            assert body["parameter"] in (
                parameter,
                "exchange" if parameter in ("local_symbol", "symbol") else parameter,
                "symbol",
            )
        assert "Traceback" not in body["msg"]
        assert len(body["msg"]) < 200
        assert nothing_was_sent(gateways)


FORM = {
    "missing",
    "empty",
    "newline",
    "nul",
    "unknown contract",
    "unknown exchange",
    "unknown",
    "word",
    "NaN text",
    "overflow",
    "huge text",
}


@pytest.mark.parametrize(
    ("route", "parameter", "value"), [case for case in CASES if (case.id or "").rpartition(": ")[2] in FORM]
)
@pytest.mark.parametrize("way", ["data", "query_string"])
def test_forms_and_query_strings_are_read_as_strictly(
    trader: Auth, gateways: FakeGateways, route: Route, parameter: str, value: Any, way: str
) -> None:
    sent = {name: str(right) for name, right in route.right.items() if name != parameter}
    if value is not MISSING:
        sent[parameter] = str(value)
    answer = trader.ask(route.method, route.path, **{way: sent})
    body = envelope(answer)
    assert body["success"] is False
    assert answer.status_code in (200, 400, 404)
    assert nothing_was_sent(gateways)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_parameter_given_twice_is_not_guessed_at(
    trader: Auth, gateways: FakeGateways, route: Route
) -> None:
    for parameter, right in route.right.items():
        answer = trader.ask(
            route.method, route.path, query_string={parameter: str(right)}, **as_json(route.right)
        )
        body = envelope(answer)
        assert (body["success"], body["parameter"]) == (False, parameter)
    assert nothing_was_sent(gateways)


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"null", b"\xff\xfe\x00", b"[" * 50_000, b'{"a":' * 50_000]
)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_body_that_is_no_json_object_is_refused(
    trader: Auth, gateways: FakeGateways, route: Route, body: bytes
) -> None:
    answer = trader.ask(route.method, route.path, data=body, content_type="application/json")
    assert answer.status_code == (200 if route.path == "/login" else 400)
    assert envelope(answer)["parameter"] == "body"
    assert nothing_was_sent(gateways)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "text/plain",
        "application/xml",
        "nonsense",
        "",
    ],
)
@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.method == "POST"], ids=lambda route: route.name
)
def test_a_body_of_another_kind_is_as_good_as_none(
    trader: Auth, gateways: FakeGateways, route: Route, content_type: str
) -> None:
    answer = trader.ask(route.method, route.path, data=b"\x00\xff--x\r\nwhatever", content_type=content_type)
    assert answer.status_code in (200, 400)
    assert envelope(answer)["success"] is False
    assert nothing_was_sent(gateways)


@pytest.mark.parametrize(("method", "path"), [*PROTECTED, ("POST", "/login"), ("GET", "/nowhere")])
def test_a_body_over_the_limit_is_413_for_everybody(
    trader: Auth, gateways: FakeGateways, method: str, path: str
) -> None:
    for trader.scheme in ("Bearer", "JWT"):
        for content_type in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
            answer = trader.ask(method, path, data=b"x" * (1024 * 1024 + 1), content_type=content_type)
            assert (answer.status_code, envelope(answer)["error"]) == (413, "BODY_TOO_LARGE")
    assert gateways.heard == []


def test_a_body_without_a_length_is_refused_rather_than_cut_off(trader: Auth, gateways: FakeGateways) -> None:
    chunked = {"wsgi.input_terminated": True, "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    body = io.BytesIO(b"symbol=rb2501&padding=" + b"x" * 1024 * 1024)
    answer = trader.ask(
        "POST",
        "/market",
        input_stream=body,
        content_type="application/x-www-form-urlencoded",
        environ_overrides=chunked,
    )
    assert (answer.status_code, envelope(answer)["error"]) == (411, "LENGTH_REQUIRED")
    assert gateways.heard == []


# ── tokens ──


def bad_headers(app: Flask, good: str) -> dict[str, str]:
    claims = jwt.decode(good, options={"verify_signature": False})
    key = app.config["TOKENS"]._key
    expired = claims | {"iat": int(time.time()) - 7200, "exp": int(time.time()) - 3600}
    foreign = claims | {"sub": "sim-9999-somebody-else"}
    return {
        "no header": "",
        "no token": "JWT",
        "null": "JWT null",
        "garbled": f"JWT {good[:-4]}",
        "not ascii": "JWT é",
        "nested": f"JWT {'W' * 1900}.e30.x",
        "another scheme": f"Basic {good}",
        "no scheme": good,
        "expired": f"JWT {jwt.encode(expired, key, algorithm='HS256')}",
        "signed with none": f"JWT {jwt.encode(claims, None, algorithm='none')}",  # type: ignore[arg-type]
        "signed with another key": f"JWT {jwt.encode(claims, b'x' * 64, algorithm='HS256')}",
        "another algorithm": f"JWT {jwt.encode(claims, key, algorithm='HS512')}",
        "of an account without a session": f"JWT {jwt.encode(foreign, key, algorithm='HS256')}",
        "two tokens": f"JWT {good}, JWT {good}",
        "with a blank inside": f"JWT {good[:50]} {good[50:]}",
    }


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_without_a_living_token_there_is_nothing_but_token_error(
    app: Flask, trader: Auth, gateways: FakeGateways, method: str, path: str
) -> None:
    ours = (method, path) in {*((route.method, route.path) for route in ROUTES if route.ours), *OURS_BARE}
    for what, header in bad_headers(app, trader.token).items():
        for scheme in ("JWT", "Bearer"):
            shown = header.replace("JWT", scheme)
            answer = trader.client.open(
                path,
                method=method,
                json=LOGIN | ORDER | CLOSE,
                headers={"Authorization": shown} if shown else {},
            )
            body = envelope(answer)
            assert (body["success"], body["msg"], body["error"]) == (False, "token error", "TOKEN_ERROR"), (
                what
            )
            page = shown.startswith("JWT") and not ours
            assert answer.status_code == (200 if page else 401), what
    assert gateways.heard == []


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_a_revoked_token_is_none(
    app: Flask, trader: Auth, gateways: FakeGateways, method: str, path: str
) -> None:
    app.config["TOKENS"].revoke_account("sim-9999-demo")
    answer = trader.ask(method, path, json=ORDER)
    assert (answer.status_code, envelope(answer)["msg"]) == (401, "token error")
    assert gateways.heard == []


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_a_token_in_the_query_string_is_not_looked_at(
    trader: Auth, gateways: FakeGateways, method: str, path: str
) -> None:
    answer = trader.client.open(
        f"{path}?token={trader.token}&Authorization=JWT {trader.token}", method=method
    )
    assert (answer.status_code, envelope(answer)["msg"]) == (401, "token error")
    assert gateways.heard == []
