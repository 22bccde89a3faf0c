"""What a strategy may not do is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.gateway.risk.limits import Allowance, StrategyLimits
from app.lib.errors import BadInput, OrderRefused
from app.lib.risk_counts import Facts, Window
from app.model.sqlite import SqliteStore
from app.model.store import Store


@pytest.fixture
def store(tmp_path: Any) -> Iterator[Store]:
    store = SqliteStore(tmp_path / "account.db")
    yield store
    store.close()


class World:
    """A strategy's holdings, set by hand, and a clock."""

    def __init__(self, store: Store) -> None:
        self.held, self.opening, self.now = 0, 0, 100.0
        self._window = Window(60.0)
        self.limits = StrategyLimits(
            store,
            lambda *_: self.held,
            lambda *_: self.opening,
            lambda name, seconds: self._window.within(name, seconds, self.now),
        )

    def order(
        self, volume: int = 1, offset: str = "open", symbol: str = "rb2510.SHFE", name: str = "a"
    ) -> None:
        name_of, _, exchange = symbol.partition(".")
        is_open = offset == "open"
        facts = Facts("", name_of, exchange, "buy", is_open, "limit", 3000.0, volume, strategy=name)
        for finding in self.limits.findings(facts):
            raise OrderRefused(finding.text, code=finding.code)
        self._window.add(name, self.now)  # it has left

    def refuses(self, **order: Any) -> str:
        with pytest.raises(OrderRefused) as refusal:
            self.order(**order)
        assert refusal.value.code == "STRATEGY_LIMIT"
        return refusal.value.message


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def test_one_without_limits_may_do_anything(world: World) -> None:
    for _ in range(1000):
        world.order(volume=500)


def test_other_contracts_are_refused(world: World) -> None:
    world.limits.put("a", {"contracts": ["rb2510.SHFE", "ag2512.SHFE"]})
    world.order()
    assert world.refuses(symbol="cu2510.SHFE") == "超出策略限制：只可交易 rb2510.SHFE、ag2512.SHFE"
    world.order(symbol="cu2510.SHFE", name="b")


def test_too_many_lots_in_one_order_are_refused(world: World) -> None:
    world.limits.put("a", {"max_order_volume": 3})
    world.order(volume=3)
    assert "每笔至多 3 手" in world.refuses(volume=4)
    assert "每笔至多 3 手" in world.refuses(volume=4, offset="close")


def test_holdings_and_working_opens_count_towards_what_it_may_hold(world: World) -> None:
    world.limits.put("a", {"max_position": 5})
    world.held, world.opening = 2, 1
    world.order(volume=2)
    assert "至多持有 5 手：已有 2 手，挂单 1 手，本笔 3 手" in world.refuses(volume=3)
    world.order(volume=9, offset="closetoday")


def test_orders_a_minute_are_counted_over_the_minute_that_has_passed(world: World) -> None:
    world.limits.put("a", {"max_orders_per_minute": 2})
    world.order()
    world.now += 30
    world.order()
    assert "每分钟至多 2 笔" in world.refuses()
    world.now += 30
    world.order()
    world.refuses()


def test_limits_are_there_after_a_restart(store: Store, world: World) -> None:
    world.limits.put("a", {"contracts": ["rb2510.SHFE"], "max_position": 4})
    assert World(store).limits.of("a") == Allowance(("rb2510.SHFE",), max_position=4)
    world.limits.put("a", {})
    assert World(store).limits.of("a") == Allowance()


@pytest.mark.parametrize(
    ("values", "parameter"),
    [
        ({"max_orders": 1}, "max_orders"),
        ({"max_position": -1}, "max_position"),
        ({"max_position": 1.5}, "max_position"),
        ({"max_order_volume": True}, "max_order_volume"),
        ({"max_orders_per_minute": "3"}, "max_orders_per_minute"),
        ({"contracts": "rb2510.SHFE"}, "contracts"),
        ({"contracts": ["rb2510"]}, "contracts"),
        ({"contracts": [7]}, "contracts"),
        ({"contracts": ["rb2510.SHFE"] * 501}, "contracts"),
    ],
)
def test_a_bad_limit_is_refused_by_name_and_the_old_ones_stay(
    world: World, values: dict[str, Any], parameter: str
) -> None:
    world.limits.put("a", {"max_position": 4})
    with pytest.raises(BadInput) as error:
        world.limits.put("a", values)
    assert error.value.extra["parameter"] == parameter
    assert world.limits.of("a").max_position == 4
