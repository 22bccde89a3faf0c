"""Whatever comes in, over every route that /openapi.json describes: no 500, no hang, always the envelope.

schemathesis makes requests that fit the description and requests that do not; hypothesis makes headers,
queries and bodies that fit nothing at all. Both are derandomised: a failure is there again in the next run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson
import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.integration.conftest import Auth, FakeGateways, apps
from tests.support.operations import OPERATIONS, Operation

EXAMPLES = int(os.environ.get("CTPBEE_FUZZ_EXAMPLES", "12"))
PATIENCE = 20.0  # seconds for any answer, on a busy machine: what hangs takes longer
HONEST = {200, 202, 400, 401, 404, 405, 411, 413, 429, 503}
ASKS_NOBODY = ("/check_code", "/run_code")  # the workshop does it, in the web
LOGOUTS = ("/logout", "/risk/logout")  # the host does it
FOR_THE_PAGE = {200, 404, 405, 413, 411}
ACCOUNT = "sim-9999-demo"

operations = pytest.mark.parametrize(
    "operation", OPERATIONS, ids=lambda operation: f"{operation.method} {operation.path}"
)
schemes = pytest.mark.parametrize("scheme", ["Bearer", "JWT"])


class Server(NamedTuple):
    """An app as it is served: what goes wrong inside becomes an answer."""

    app: Flask
    auth: Auth
    gateways: FakeGateways
    schema: Any


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    gateways = FakeGateways()
    with apps(tmp_path_factory.mktemp("fuzz"), gateways) as make:
        app = make()
        app.testing = False
        yield Server(
            app, Auth(app.test_client()), gateways, schemathesis.openapi.from_wsgi("/openapi.json", app)
        )


@pytest.fixture
def trader(server: Server) -> Server:
    server.gateways.forget()
    ready(server)
    return server


def ready(server: Server) -> None:
    """The account is logged in and the code is the default, whatever the request before did."""
    server.app.config["STORE"].delete_setting("server", "authorization")
    server.auth.log_in()


def fuzz(examples: int) -> settings:
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=slow
    )


def check(
    operation: Operation, scheme: str, status: int, content_type: str, content: bytes, seconds: float
) -> None:
    """The answer is one that a client can read, and came in time."""
    is_foreign = status == 403 and (operation.path == "/metrics" or b"FOREIGN_ORIGIN" in content)
    assert status in HONEST or is_foreign, (status, content[:500])
    assert seconds < PATIENCE, f"{seconds:.1f} s"
    if operation.path == "/metrics" and status == 200:
        assert content_type.startswith("text/plain")
        assert content.endswith(b"\n")
        return
    if operation.path == "/risk/audit" and status == 200 and not content_type.startswith("application/json"):
        assert content_type.startswith(("text/csv", "application/x-ndjson"))
        return
    if operation.path == "/backtest/report" and status == 200:
        assert content_type.startswith("text/html")
        return
    assert content_type.startswith("application/json")
    body = orjson.loads(content)
    if operation.path == "/openapi.json" and status == 200:
        return
    assert isinstance(body["success"], bool)
    assert isinstance(body["msg"], str)
    assert "data" in body
    assert body["success"] or body["error"]
    assert "Traceback" not in body["msg"]
    if operation.path == "/login" or (
        scheme == "JWT" and operation.path in ("/order_solve", "/close_position", "/bar", "/config")
    ):
        assert status in FOR_THE_PAGE or is_foreign


@schemes
@operations
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_requests_by_the_description_and_against_it(
    trader: Server, operation: Operation, scheme: str, mode: GenerationMode
) -> None:
    described = trader.schema[operation.path][operation.method]
    if mode is GenerationMode.NEGATIVE and not operation.parameters:
        return  # there is nothing that could be against it

    def try_it(case: Any, knows_the_code: bool) -> None:
        if knows_the_code and operation.path in ("/login", "/logout") and isinstance(case.body, dict):
            case.body["authorization"] = "000000"  # else nothing ever comes further than that
        began = time.monotonic()
        answer = case.call(headers={"Authorization": f"{scheme} {trader.auth.token}"})
        check(
            operation,
            scheme,
            answer.status_code,
            answer.headers["content-type"][0],
            answer.content,
            time.monotonic() - began,
        )
        if operation.path in (*LOGOUTS, "/auth_code"):
            ready(trader)

    def try_some(examples: int) -> bool:
        """Whether one of them came all the way."""
        strategy = described.as_strategy(generation_mode=mode)
        fuzz(examples)(given(case=strategy, knows_the_code=st.booleans())(try_it))()
        return bool(trader.gateways.heard)

    trader.gateways.heard.clear()
    has_arrived = try_some(EXAMPLES)
    # nothing made at random is a strategy, and hardly anything a rule
    unlikely = (operation.method, operation.path) in (("POST", "/code"), ("PUT", "/risk")) or (
        operation.method == "POST" and operation.path in ("/backtest", "/backtest/parameters")
    )
    asks_nobody = operation.open or operation.path in (*LOGOUTS, "/auth_code", *ASKS_NOBODY)
    if mode is GenerationMode.POSITIVE and not asks_nobody and not unlikely:
        # Hypothesis takes constants from whatever modules are loaded: which are made is never sure.
        assert has_arrived or try_some(EXAMPLES * 20)


def as_json(value: Any) -> bytes:
    """With NaN and lone surrogates, as the standard library writes them."""
    return json.dumps(value).encode()


LATIN = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)
NAMES = st.sampled_from(
    sorted({parameter.name for operation in OPERATIONS for parameter in operation.parameters})
)
KINDS = st.sampled_from(
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/json; charset=utf-16",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)
BODIES = st.binary(max_size=200) | JSON.map(as_json) | st.dictionaries(NAMES, JSON, max_size=8).map(as_json)


@schemes
@operations
def test_requests_of_no_kind_at_all(trader: Server, operation: Operation, scheme: str) -> None:
    client: Any = trader.app.test_client()

    @fuzz(EXAMPLES)
    @given(
        body=BODIES,
        kind=KINDS | LATIN,
        query=st.dictionaries(NAMES, st.text(max_size=30), max_size=5),
        headers=st.dictionaries(
            st.sampled_from(
                [
                    "X-Forwarded-For",
                    "Accept",
                    "Cookie",
                    "Range",
                    "Origin",
                    "Content-Encoding",
                    "If-Match",
                    "X-Request-Id",
                ]
            ),
            LATIN,
        ),
        token=st.none() | LATIN,
    )
    def try_it(
        body: bytes, kind: str, query: dict[str, str], headers: dict[str, str], token: str | None
    ) -> None:
        shown = {"Authorization": f"{scheme} {trader.auth.token if token is None else token}"}
        began = time.monotonic()
        answer = client.open(
            operation.path,
            method=operation.method,
            data=body,
            content_type=kind,
            query_string=query,
            headers=headers | shown,
        )
        check(
            operation, scheme, answer.status_code, answer.content_type, answer.data, time.monotonic() - began
        )

    try_it()


PAGES = ("/", "/docs", "/favicon.svg")
"""Documents and files, which have no envelope: tests/integration/test_page.py."""


@given(
    path=st.text(max_size=60),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "NONSENSE"]),
)
@fuzz(EXAMPLES * 5)
def test_paths_and_methods_that_nobody_serves(server: Server, path: str, method: str) -> None:
    answer = server.app.test_client().open(f"/{path}", method=method, headers={"Authorization": "JWT null"})
    assume(answer.request.path not in PAGES)
    assert answer.status_code < 500
    if method != "OPTIONS":  # Flask's own, a list of methods in a header
        assert orjson.loads(answer.data)["success"] in (True, False)
