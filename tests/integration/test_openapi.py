"""/openapi.json against what is really served: every route, every parameter, and the limits where they
are.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask

from tests.integration.conftest import Auth, FakeGateways
from tests.integration.test_bad_input import ROUTES, Route
from tests.support.operations import OPERATIONS, Operation, Parameter

PAGE_FILES = {"/", "/docs", "/assets/<name>", "/favicon.svg"}
LIMITS = [
    (operation, parameter, limit)
    for operation in OPERATIONS
    for parameter in operation.parameters
    for limit in ("minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength", "enum", "pattern")
    if limit in parameter.schema
]


def test_every_route_and_method_is_described_and_none_more_but_the_page_s_files(app: Flask) -> None:
    served = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule not in PAGE_FILES
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = [(operation.method, operation.path) for operation in OPERATIONS]
    assert set(described) == served
    assert len(described) == len(set(described))


def test_it_is_served_to_everybody_as_it_stands(client: Any) -> None:
    answer = client.get("/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json["openapi"].startswith("3.1")
    assert set(answer.json["paths"]["/order_solve"]) == {"get", "post", "delete"}
    assert answer.json["paths"]["/order_solve"]["post"]["security"] == [{"Bearer": []}, {"JWT": []}]
    assert '"000000"' not in answer.text  # the default code


def test_a_row_s_own_kind_is_described_and_the_wire_s_tag_is_not(client: Any) -> None:
    schemas = client.get("/openapi.json").json["components"]["schemas"]
    kinds = {name: of["properties"]["kind"] for name, of in schemas.items() if "kind" in of["properties"]}
    assert kinds["BacktestRow"] == {"enum": ["run", "search"]}
    assert not [name for name, kind in kinds.items() if kind == {"enum": [name]}]


@pytest.mark.parametrize(
    "operation", OPERATIONS, ids=lambda operation: f"{operation.method} {operation.path}"
)
def test_what_is_said_to_be_open_is_open_and_nothing_else(client: Any, operation: Operation) -> None:
    answer = client.open(operation.path, method=operation.method)
    refused = (answer.json or {}).get("msg") == "token error"
    assert refused is not operation.open


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_the_parameters_are_those_that_the_views_read(route: Route) -> None:
    described = {parameter.name for parameter in _operation(route.method, route.path).parameters}
    assert set(route.right) <= described


def test_the_version_is_the_packages(client: Any) -> None:
    pyproject = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    assert client.get("/openapi.json").json["info"]["version"] == pyproject["project"]["version"]


def test_a_field_that_is_named_as_the_wires_tag_is_described(client: Any) -> None:
    schemas = client.get("/openapi.json").json["components"]["schemas"]
    assert "kind" in schemas["AuditEntry"]["required"]
    assert "kind" not in schemas["Limits"]["properties"]


BARE = [
    ("GET", "/order_solve"),
    ("GET", "/config"),
    ("PUT", "/market"),
    ("GET", "/account"),
    ("GET", "/risk"),
    ("GET", "/backtest"),
    ("GET", "/backtest/data"),
]
ASKED = [
    *((route.method, route.path, route.right) for route in ROUTES if not route.is_page),
    *((method, path, {}) for method, path in [*BARE, ("GET", "/contract"), ("GET", "/healthz")]),
]


@pytest.mark.parametrize(
    ("method", "path", "sent"), ASKED, ids=[f"{method} {path}" for method, path, _sent in ASKED]
)
def test_an_answer_has_the_shape_that_is_described(
    auth: Auth, gateways: FakeGateways, method: str, path: str, sent: dict[str, Any]
) -> None:
    auth.log_in()
    gateways.orders["1_77_1"] = "sim-9999-demo"
    document = auth.client.get("/openapi.json").json
    responses = document["paths"][path][method.lower()]["responses"]
    schema = responses["200"]["content"]["application/json"]["schema"]
    answer = auth.ask(method, path, json=sent)
    assert answer.json["success"], answer.json
    jsonschema_rs.validate(schema | {"components": document["components"]}, answer.json)


def _operation(method: str, path: str) -> Operation:
    return next(operation for operation in OPERATIONS if (operation.method, operation.path) == (method, path))


def _beyond(schema: dict[str, Any], limit: str) -> Any:
    """The nearest value that the limit forbids."""
    bound = schema[limit]
    match limit:
        case "minimum":
            return bound - 1
        case "exclusiveMinimum":
            return bound
        case "maximum":
            return bound + 1
        case "minLength":
            return "x" * (bound - 1)
        case "maxLength":
            return "x" * (bound + 1)
        case "pattern":
            return "../sideways"
    return "sideways"


@pytest.mark.parametrize(
    ("operation", "parameter", "limit"),
    LIMITS,
    ids=lambda part: getattr(part, "name", getattr(part, "path", part)),
)
def test_beyond_a_limit_is_refused_by_name(
    auth: Auth, gateways: FakeGateways, operation: Operation, parameter: Parameter, limit: str
) -> None:
    auth.log_in()
    routes = [route for route in ROUTES if (route.method, route.path) == (operation.method, operation.path)]
    right = next((route.right for route in routes if parameter.name in route.right), routes[0].right)
    answer = auth.ask(
        operation.method, operation.path, json=right | {parameter.name: _beyond(parameter.schema, limit)}
    )
    assert (answer.json["success"], answer.json.get("parameter")) == (False, parameter.name)
    assert gateways.sent == []


@pytest.mark.parametrize(
    ("operation", "parameter", "word"),
    [(*case[:2], word) for case in LIMITS if case[2] == "enum" for word in case[1].schema["enum"]],
    ids=lambda part: getattr(part, "name", getattr(part, "path", part)),
)
def test_every_word_that_is_described_is_known(
    auth: Auth, gateways: FakeGateways, operation: Operation, parameter: Parameter, word: str
) -> None:
    auth.log_in()
    route = next(
        route for route in ROUTES if (route.method, route.path) == (operation.method, operation.path)
    )
    answer = auth.ask(operation.method, operation.path, json=route.right | {parameter.name: word})
    if not answer.is_json:  # a file
        assert answer.status_code == 200
        return
    said = answer.json.get("parameter")
    # another exchange than the contract's, an interface without its fronts: known as words all the same
    assert answer.json["success"] or parameter.name in ("exchange", "interface"), answer.json
    assert said != parameter.name or "不符" in answer.json["msg"], answer.json
