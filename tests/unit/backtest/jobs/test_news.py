"""What pages hear of backtests: each job's newest word, and no gateway holds another up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson
import pytest

from app.backtest.jobs import news
from app.backtest.jobs.news import BacktestNews
from app.lib.errors import GatewayDown
from app.wire.messages import BacktestChanged
from tests.support.waiting import eventually


class Entry(NamedTuple):
    name: str


class Gateways:
    """Stands where the registry and the channel do."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.gate = threading.Event()
        self.broken = ""

    def find(self, name: str) -> Entry | None:
        return None if name == "gateway-gone" else Entry(name)

    def call(self, entry: Entry, request: BacktestChanged, timeout: float, connect_limit: float) -> None:
        self.gate.wait(30.0)
        if entry.name == self.broken:
            raise GatewayDown("网关未运行")
        self.told.append((entry.name, orjson.loads(request.payload)["data"]))


@pytest.fixture
def gateways(monkeypatch: pytest.MonkeyPatch) -> Gateways:
    made = Gateways()
    monkeypatch.setattr(news.peer, "call", made.call)
    return made


@pytest.fixture
def telling(gateways: Gateways) -> Iterator[BacktestNews]:
    made = BacktestNews(gateways)  # type: ignore[arg-type]
    made.start()
    yield made
    gateways.gate.set()
    made.stop()


def test_of_what_waits_for_a_slow_gateway_the_newest_of_each_job_is_told(
    telling: BacktestNews, gateways: Gateways
) -> None:
    for number in range(50):
        for job in ("one", "two"):
            telling.tell("a", job, {"id": job, "at": number})
    gateways.gate.set()
    eventually(
        lambda: {data["id"] for _, data in gateways.told if data["at"] == 49} == {"one", "two"}, "told"
    )
    assert len(gateways.told) <= 3  # the first was on its way
    assert {name for name, _ in gateways.told} == {"gateway-a"}


def test_a_gateway_that_is_gone_or_fails_holds_up_no_other_and_the_end_tells_what_waits(
    telling: BacktestNews, gateways: Gateways
) -> None:
    gateways.broken = "gateway-broken"
    for account in ("gone", "broken", "well"):
        telling.tell(account, account, {"id": account})
    gateways.gate.set()
    telling.stop(5.0)
    assert gateways.told == [("gateway-well", {"id": "well"})]
