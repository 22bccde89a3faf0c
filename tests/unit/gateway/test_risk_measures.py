"""Every count that a rule may limit, below, at and above its limit; over a restart, a reconnect and a day's
turn, and of another terminal's orders. And what no count ever stops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ctpbee.constant import OrderType
from hypothesis import given, settings
from hypothesis import strategies as st

from app.lib.risk import DAY_COUNTS, MEASURES, REFUSE
from app.model.sqlite import SqliteStore
from tests.fakes.front import order, trade
from tests.unit.gateway.test_risk_gate import World, asked, close

REACHED = 3  # what each of these makes
Making = Callable[[World], None]


def sent(world: World, times: int = REACHED) -> None:
    for _ in range(times):
        world.seconds += 1.5  # no duplicates
        world.send(asked(2990.0, 1))


def refused(world: World) -> None:
    for _ in range(REACHED):
        world.seconds += 1.5
        order_id = world.send(asked(2990.0, 1))
        row, said = world.at_counter.pop(order_id), msgspec.defstruct("Said", ["code", "message"])
        (change,) = world.ledger.apply_refusal(row, said("CTP_31", "资金不足"))  # type: ignore[arg-type]
        world._tell(change)


def cancelled(world: World) -> None:
    world.place_and_cancel(REACHED, price=2990.0)


def cancelled_large(world: World) -> None:
    world.place_and_cancel(REACHED, price=2990.0, volume=300)


def cancels_sent(world: World) -> None:
    for order_id in [world.send(asked(2990.0 + at, 1)) for at in range(REACHED)]:
        world.gate.cancel_sent(order_id)


def filled(world: World) -> None:
    for _ in range(REACHED):
        world.seconds += 1.5
        world.end(world.send(asked(2990.0, 1)), "0", VolumeTraded=1)


def one_of_four_filled(world: World) -> None:
    sent(world, REACHED)
    world.seconds += 1.5
    world.end(world.send(asked(2990.0, 1)), "0", VolumeTraded=1)


def repeated(world: World) -> None:
    for _ in range(REACHED + 1):
        world.send(asked(2990.0, 1))


def met_itself(world: World) -> None:
    for at in range(REACHED):
        for ref, side in ((2 * at + 1, "0"), (2 * at + 2, "1")):
            world.hear(order(ref, "3", Direction=side, OrderSysID=f"{ref:>12}"))
            world.hear_trade(trade(f"t{at}", ref, Direction=side))


MAKING: dict[str, Making] = {
    "orders": sent,
    "refusals": refused,
    "cancels": cancelled,
    "large_cancels": cancelled_large,
    "self_trades": met_itself,
    "opened": filled,
    "messages": sent,
    "otr": one_of_four_filled,
    "duplicates": repeated,
    "order_rate": sent,
    "cancel_rate": cancels_sent,
}
RATES = ("order_rate", "cancel_rate")
PROBE = asked(2000.0, 1)


def rule(measure: str, limit: float, action: str) -> dict[str, Any]:
    window = {"seconds": 60} if measure in RATES else {}
    return {"measure": measure, "limit": limit, "action": action} | window


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = SqliteStore(tmp_path / "account.db")
    yield World(store)
    store.close()


def test_every_count_of_the_day_and_every_rate_is_made_here() -> None:
    assert set(MAKING) == {*DAY_COUNTS, *RATES}


@pytest.mark.parametrize("measure", MAKING)
def test_a_limit_refuses_opens_from_it_on_and_stops_the_account_once_it_is_come_to(
    world: World, measure: str
) -> None:
    MAKING[measure](world)
    stops = "reduce_only"
    world.rules({"id": "repeat", "action": "off"}, rule(measure, REACHED + 1, stops))
    world.gate.judge(PROBE, "")
    if REFUSE in MEASURES[measure].actions:
        for limit, code in ((REACHED + 1, ""), (REACHED, "RISK_LIMIT"), (REACHED - 1, "RISK_LIMIT")):
            world.rules(rule(measure, limit, REFUSE))
            if code:
                assert world.refuses(PROBE) == code, limit
            else:
                world.gate.judge(PROBE, "")
    for limit in (REACHED, REACHED - 1):
        world.gate.change_state("", "active", "页面", "")
        world.rules({"id": f"at {limit}"} | rule(measure, limit, stops))
        assert world.refuses(PROBE) == "RISK_REDUCE_ONLY", limit
    world.gate.judge(close(3050.0), "")


@pytest.mark.parametrize("measure", MAKING)
def test_a_restart_a_reconnect_and_a_second_derivation_find_the_same(world: World, measure: str) -> None:
    action = REFUSE if REFUSE in MEASURES[measure].actions else "warn"
    world.rules(rule(measure, 100, action))
    MAKING[measure](world)

    def value(of: World) -> float:
        (measured,) = (
            one
            for one in of.gate.book.fitting("rb2510", "SHFE", "").watched
            if one.rule.id.startswith(f"{measure}.account")
        )
        return of.gate.counting.value(measured, "rb2510", "")

    assert value(world) == REACHED
    again = world.restart()
    again.told.clear()
    for _ in range(2):
        again.gate.loaded()
        assert value(again) == REACHED
    assert again.told == []


def test_cancels_that_left_over_a_restart_count_by_strategy_and_only_as_long_as_their_rule_looks_back(
    world: World,
) -> None:
    world.rules({"measure": "cancel_rate", "limit": 100, "seconds": 60, "action": "warn"})
    world.gate.cancel_sent(world.send(asked(2990.0, 1), "均线"))
    world.seconds += 30
    world.gate.cancel_sent(world.send(asked(2991.0, 1)))
    again = world.restart()  # 5 seconds later
    for order_id in list(again.at_counter)[:1]:  # while it loads, or soon after
        again.gate.cancel_sent(order_id)
    rate = again.gate.counting.rate
    assert (rate("cancel_rate", "", 60.0), rate("cancel_rate", "均线", 60.0)) == (3, 2)
    assert rate("cancel_rate", "", 10.0) == 2
    again.seconds += 30
    third = again.restart()
    assert third.gate.counting.rate("cancel_rate", "", 60.0) == 2
    assert len(third.store.setting("risk", "cancels")) == 3
    third.rules()
    third.gate.cancel_sent(list(third.at_counter)[0])
    assert len(third.store.setting("risk", "cancels")) == 3  # nobody asks: nothing is written


@pytest.mark.parametrize("measure", [name for name in MAKING if name not in RATES])
def test_another_day_begins_with_nothing(world: World, measure: str) -> None:
    world.rules({"id": "repeat", "action": "off"}, rule(measure, REACHED, REFUSE))
    MAKING[measure](world)
    assert world.refuses(PROBE) == "RISK_LIMIT"
    world.ledger.begin_day("20250610")
    world.gate.on_day("20250610")
    world.gate.judge(PROBE, "")
    world.gate.loaded()
    world.gate.judge(PROBE, "")


@pytest.mark.parametrize(
    ("measure", "status", "more"),
    [
        ("orders", "3", {}),
        ("messages", "3", {}),
        ("cancels", "5", {}),
        ("large_cancels", "5", {"VolumeTotalOriginal": 300}),
        ("opened", "0", {"VolumeTotalOriginal": 1, "VolumeTraded": 1}),
    ],
)
def test_another_terminals_count_as_ones_own(
    world: World, measure: str, status: str, more: dict[str, Any]
) -> None:
    reached = REACHED if measure != "messages" else 2 * REACHED
    world.rules(rule(measure, reached, REFUSE))
    rows = [
        order(ref, status, FrontID=9, SessionID=9, OrderSysID=f"x{ref}", OrderLocalID=str(ref), **more)
        for ref in range(reached)
    ]
    for row in rows[:-1]:
        world.hear(row)
    world.gate.judge(PROBE, "")
    world.hear(rows[-1])
    assert world.refuses(PROBE) == "RISK_LIMIT"
    assert world.restart().refuses(PROBE) == "RISK_LIMIT"


_stores = count()


@settings(max_examples=20, deadline=None)
@given(
    counted=st.sets(st.sampled_from([name for name in MAKING if name not in RATES]), min_size=1),
    limit=st.integers(0, 4),
    actions=st.lists(st.sampled_from(["open", "cancel", "fill"]), max_size=8),
)
def test_closes_and_cancels_are_blocked_by_no_count_of_opens(
    tmp_path_factory: pytest.TempPathFactory, counted: set[str], limit: int, actions: list[str]
) -> None:
    store = SqliteStore(tmp_path_factory.getbasetemp() / f"risk-{next(_stores)}.db")
    try:
        world = World(store)
        world.rules(
            *(rule(name, limit, REFUSE) for name in sorted(counted)),
            {"measure": "order_rate", "limit": 1, "seconds": 60, "action": REFUSE},
            {"measure": "held", "limit": limit, "action": REFUSE},
        )
        for at, action in enumerate(actions):
            world.seconds += 1.5
            order_id = world.send(close(3050.0 + at))  # always leaves
            if action != "open":
                world.gate.cancel_sent(order_id)  # is never judged
                world.end(order_id, "5" if action == "cancel" else "0", VolumeTraded=int(action == "fill"))
        world.gate.judge(close(3100.0), "")
        world.gate.judge(close(3100.0, type=OrderType.FAK), "")
    finally:
        store.close()
