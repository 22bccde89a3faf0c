"""The rows and events that /openapi.json promises, against those of a real gateway on the built-in counter:
each fits its schema, and has no field that the schema does not know.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest

from app.views.openapi import bare_app, document
from app.web.outbox import TYPED_LISTS
from app.wire.messages import (
    DescribeContract,
    ListContracts,
    PlaceOrder,
    PreviewOrder,
    ReadAccount,
    ReadEquity,
    ReadEvents,
    ReadLists,
    Watch,
    WriteConfig,
)
from tests.integration.test_gateway_service import World, a_contract
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
DOCUMENT = document(bare_app())
SCHEMAS = DOCUMENT["components"]["schemas"]
EVENTS = SCHEMAS["SocketEvents"]["properties"]


def strict(schema: Any) -> Any:
    """The schema with nothing more allowed than it names."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(value) for name, value in schema.items()}
    return closed | {"additionalProperties": False} if "properties" in schema else closed


STRICT = {"components": {"schemas": strict(SCHEMAS)}}


def check(name: str, value: Any) -> None:
    jsonschema_rs.validate({"$ref": f"#/components/schemas/{name}"} | STRICT, value)


def check_event(name: str, payload: Any) -> None:
    jsonschema_rs.validate(strict(EVENTS[name]) | STRICT, payload)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("shapes") / "data")
    yield world
    world.close()


def test_rows_and_events_of_a_real_gateway_are_as_described(world: World) -> None:
    _, page = world.log_in("shapes")
    page.ask(WriteConfig({"SHARED_FUNC": True}))
    symbol, tick = a_contract(page)
    world.buys(page, symbol, tick)
    page.ask(PlaceOrder(symbol, "long", "open", "limit", tick["limit_down"], 1))  # rests
    page.ask(PlaceOrder(symbol, "long", "close", "limit", tick["limit_up"], 1))  # refused
    eventually(lambda: page.json(ReadEquity())["rows"], "a point")
    for name, answer in {
        "Lists": page.json(ReadLists()),
        "Funds": page.json(ReadAccount()),
        "ContractRow": page.json(DescribeContract(symbol)),
        "ContractList": page.json(ListContracts("SHFE", "rb")),
        "Events": page.json(ReadEvents(0)),
        "Equity": page.json(ReadEquity()),
        "Preview": page.json(PreviewOrder(symbol, "long", "open", "limit", 1.5, 1)),
    }.items():
        check(name, answer)
    picture = page.json(Watch())
    for name in TYPED_LISTS:
        check_event(name, {"type": name, "data": picture[name]})
    check_event("contract", picture["contract"])
    check_event("status", picture["status"] | {"gateway": picture["status"]["td"]})  # the web adds its own
    for name in ("tick", "order_update", "trade_update", "bar_update", "log", "shared"):
        page.waits_for(name, lambda _event: True)
        for payload in page.events(name):
            check_event(name, payload)
    assert {row["status"] for row in page.json(ReadLists())["order_list"]} == {"全部成交", "未成交", "拒单"}


def test_the_check_finds_a_field_that_is_missing_or_not_described() -> None:
    fund = {"key": "balance", "value": 1.0, "label": "动态权益"}
    check("LabelledFund", fund)
    for wrong in (fund | {"more": 1}, {"key": "balance", "value": 1.0}, fund | {"value": None}):
        with pytest.raises(jsonschema_rs.ValidationError):
            check("LabelledFund", wrong)


def test_the_description_is_written_without_a_server_and_twice_the_same() -> None:
    command = [sys.executable, "-m", "app.views.openapi"]
    once, twice = (
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60).stdout for _ in "ab"
    )
    assert once == twice
    assert orjson.loads(once) == DOCUMENT
