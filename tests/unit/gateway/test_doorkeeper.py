"""By the strategies' door nobody comes in but a strategy of the account, and it asks in its own name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.gateway.strategies.doorkeeper import Doorkeeper
from app.lib.errors import GatewayDown, NotAllowed
from app.wire import door
from app.wire.messages import (
    JoinStrategy,
    PlaceOrder,
    ReadLists,
    StrategyBeat,
    StrategySaid,
    WatchTicks,
    WriteConfig,
)
from app.wire.registry import PROTOCOL

ACCOUNT = "sim-9999-demo"


class World:
    def __init__(self, run_dir: Path) -> None:
        self.asked: list[Any] = []
        self.run_dir = run_dir
        self.doorkeeper = Doorkeeper(
            run_dir, ACCOUNT, lambda _connection, request, _reply: self.asked.append(request)
        )
        self.connection: Any = object()

    def ask(self, request: Any) -> None:
        self.doorkeeper.handle(self.connection, request, lambda _answer: None)

    def join(self, name: str = "双均线", **changes: Any) -> None:
        secret = door.secret(self.run_dir, ACCOUNT, name)
        self.ask(JoinStrategy(**{"name": name, "secret": secret, "protocol": PROTOCOL} | changes))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_who_has_not_proved_to_be_a_strategy_may_ask_nothing(world: World) -> None:
    for request in (WatchTicks(None), ReadLists()):
        with pytest.raises(NotAllowed):
            world.ask(request)
    assert world.asked == []


def test_another_ones_secret_lets_nobody_in(world: World) -> None:
    with pytest.raises(NotAllowed) as refused:
        world.join(secret=door.secret(world.run_dir, ACCOUNT, "another"))
    assert refused.value.code == "NOT_THIS_STRATEGY"
    with pytest.raises(GatewayDown):
        world.join(protocol=PROTOCOL + 1)
    assert world.asked == []


def test_a_strategy_orders_and_speaks_in_its_own_name_alone(world: World) -> None:
    world.join()
    world.ask(PlaceOrder("rb2510", "long", "open", "limit", 3000.0, 1, strategy="another"))
    world.ask(StrategySaid("another", "INFO", "", "x"))
    world.ask(StrategyBeat("another"))
    assert [getattr(request, "strategy", "") or request.name for request in world.asked[1:]] == ["双均线"] * 3


def test_a_strategy_may_not_ask_what_is_the_pages(world: World) -> None:
    world.join()
    with pytest.raises(NotAllowed) as refused:
        world.ask(WriteConfig({"CLOSE_PATTERN": "today"}))
    assert refused.value.code == "NOT_FOR_STRATEGIES"
    assert len(world.asked) == 1


def test_a_connection_that_has_gone_is_nobodys(world: World) -> None:
    world.join()
    world.doorkeeper.forget(world.connection)
    with pytest.raises(NotAllowed):
        world.ask(WatchTicks(None))
