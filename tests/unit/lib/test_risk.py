"""Counts of a day and the rules upon them. Orders and trades come in any order and more than once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lib import risk
from app.lib.errors import BadInput
from app.lib.risk import GUARDS, Rule, checked_rules, default_rules, merged
from app.lib.risk_counts import (
    CANCELLED,
    FILLED,
    REFUSED,
    REJECTED,
    SHARED,
    Counts,
    Facts,
    Repeats,
    Resting,
    Slots,
    Tally,
    Window,
)
from app.lib.thresholds import load

CONTRACT = ("contract", "rb2510")


def facts(order_id: str = "1", **more: Any) -> Facts:
    values: dict[str, Any] = {
        "order_id": order_id,
        "symbol": "rb2510",
        "exchange": "SHFE",
        "side": "buy",
        "is_open": True,
        "kind": "limit",
        "price": 3000.0,
        "volume": 2,
    }
    return Facts(**values | more)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (facts(), {"orders": 1, "messages": 1, "working": 1, "opening": 2}),
        (facts(traded=1), {"orders": 1, "messages": 1, "working": 1, "opening": 1, "opened": 1, "filled": 1}),
        (facts(traded=2, end=FILLED), {"orders": 1, "messages": 1, "opened": 2, "filled": 1}),
        (facts(is_open=False, traded=2, end=FILLED), {"orders": 1, "messages": 1, "filled": 1}),
        (facts(end=CANCELLED), {"orders": 1, "messages": 2, "cancels": 1}),
        (facts(kind="fak", end=CANCELLED), {"orders": 1, "messages": 2, "fak_cancels": 1}),
        (
            facts(kind="fak", traded=1, end=CANCELLED),
            {"orders": 1, "messages": 1, "fak_cancels": 1, "filled": 1, "opened": 1},
        ),
        (facts(volume=300, end=CANCELLED), {"orders": 1, "messages": 2, "cancels": 1, "large_cancels": 1}),
        (facts(end=REJECTED), {"orders": 1, "messages": 1, "refusals": 1}),
        (facts(end=REFUSED), {"orders": 1, "refusals": 1}),
    ],
)
def test_what_an_order_counts_as(order: Facts, expected: dict[str, int]) -> None:
    tally = Tally(lambda facts: facts.volume >= 300)
    tally.apply(order)
    counts = tally.of(CONTRACT)
    assert {name: getattr(counts, name) for name in Counts.FIELDS if getattr(counts, name)} == expected


def test_an_order_counts_for_contract_product_exchange_strategy_and_account() -> None:
    tally = Tally()
    tally.apply(facts("1", strategy="a"))
    tally.apply(facts("2", symbol="rb2511"))
    tally.apply(facts("3", symbol="cu2510"))
    tally.apply(facts("4", symbol="m2509", exchange="DCE"))
    keys = [CONTRACT, ("product", "rb"), ("exchange", "SHFE"), ("strategy", "a"), ("account", "")]
    assert [tally.of(key).orders for key in keys] == [1, 2, 3, 1, 4]


HISTORIES = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.sampled_from(["", FILLED, CANCELLED, REFUSED, REJECTED]),
        st.integers(0, 2),
        st.sampled_from(["limit", "fak", "market"]),
        st.sampled_from(["", "a", "b"]),
        st.booleans(),
    ),
    max_size=40,
)


def all_counts(tally: Tally) -> dict[Any, dict[str, float]]:
    keys = [(scope, name) for scope in risk.SCOPES for name in tally.keys(scope)]
    found = {key: tally.of(key).as_dict() for key in keys}
    return {key: counts for key, counts in found.items() if any(counts.values())}


@given(HISTORIES, st.randoms(use_true_random=False))
def test_counts_are_those_of_the_orders_as_they_are_however_they_got_there(history: Any, random: Any) -> None:
    step_by_step, newest = Tally(), {}
    for number, end, traded, kind, strategy, is_open in history:
        order = facts(str(number), end=end, traded=traded, kind=kind, strategy=strategy, is_open=is_open)
        step_by_step.apply(order)
        step_by_step.apply(order)  # a replay
        newest[order.order_id] = order
    orders = list(newest.values())
    random.shuffle(orders)
    at_once = Tally()
    for order in orders:
        at_once.apply(order)
    assert all_counts(step_by_step) == all_counts(at_once)


def test_both_sides_of_one_trade_are_a_self_trade_once() -> None:
    tally = Tally()
    for side in ("buy", "buy", "sell", "sell", "buy"):
        tally.trade("SHFE", "t1", "rb2510", side)
    tally.trade("INE", "t2", "sc2510", "buy")
    tally.trade("SHFE", "t2", "rb2510", "sell")
    assert tally.of(CONTRACT).self_trades == 1
    assert tally.of(("account", "")).self_trades == 1


@pytest.mark.parametrize(
    ("side", "price", "meets"),
    [
        ("buy", 2999, ""), ("buy", 3000, "1"), ("buy", 3001, "1"), ("buy", None, "1"),
        ("sell", 2901, ""), ("sell", 2900, "2"), ("sell", 2899, "2"), ("sell", None, "2"),
    ],
)  # fmt: skip
def test_a_resting_order_of_ours_is_met_at_its_price_or_better(
    side: str, price: float | None, meets: str
) -> None:
    resting = Resting()
    resting.apply(facts("0", side="sell", price=3100.0))
    resting.apply(facts("1", side="sell", price=3000.0))
    resting.apply(facts("2", side="buy", price=2900.0))
    assert resting.met_by("rb2510", side, price) == meets
    assert resting.met_by("rb2511", side, price) == ""


def test_what_has_ended_never_rests_or_is_out_of_sight_is_not_met() -> None:
    resting = Resting()
    resting.apply(facts("1", side="sell", price=3000.0))
    resting.apply(facts("2", side="sell", price=3050.0))
    resting.apply(facts("3", side="sell", price=2900.0, kind="fak"))
    resting.apply(facts("4", side="sell", price=2900.0, rests=False))
    resting.apply(facts("1", side="sell", price=3000.0, end=CANCELLED))
    assert resting.met_by("rb2510", "buy", 3060.0) == "2"
    resting.apply(facts("2", side="sell", price=3050.0, end=FILLED))
    assert resting.met_by("rb2510", "buy", None) == ""


@given(st.lists(st.floats(0, 5), max_size=80), st.floats(0.5, 10))
def test_a_window_counts_what_is_younger(steps: list[float], seconds: float) -> None:
    window, now, times = Window(10.0), 0.0, []
    for step in steps:
        now += step
        window.add("x", now)
        times.append(now)
        assert window.within("x", seconds, now) == sum(1 for time in times if time > now - seconds)


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=60), st.integers(1, 5))
def test_a_budget_is_never_exceeded_and_turns_come_in_order(steps: list[float], limit: int) -> None:
    slots, now, turns = Slots(10.0), 0.0, []
    for step in steps:
        now += step
        turn = slots.next(limit, 1.0, now)
        slots.take(turn)
        turns.append(turn)
    assert turns == sorted(turns)
    for first, last in zip(turns, turns[limit:], strict=False):
        assert last - first >= 1.0 - 1e-9


def test_equal_orders_are_those_of_the_last_second() -> None:
    repeats = Repeats(10.0)
    repeats.add(facts("1"), 0.0)
    repeats.add(facts("2", price=3001.0), 0.1)
    repeats.add(facts("3"), 0.5)

    def before(now: float) -> int:
        return repeats.before(facts("4"), 1.0, now)

    assert [before(now) for now in (0.9, 1.0, 1.5, 11.0)] == [2, 1, 0, 0]
    assert repeats.before(facts("4"), 1.0, 0.9, lambda order_id: order_id != "1") == 1


class Moment(float):
    """Says how often it has been looked at."""

    looked_at = 0

    def __rsub__(self, now: float) -> float:
        Moment.looked_at += 1
        return now - float(self)


def test_what_an_order_asks_does_not_grow_with_the_equal_ones_of_the_hour() -> None:
    repeats = Repeats(3600.0)
    for number in range(2000):
        repeats.add(facts(str(number)), Moment(number))
    Moment.looked_at = 0
    assert repeats.before(facts("x"), 3.0, 2000.0) == 2
    assert Moment.looked_at == 3


def test_what_is_old_is_forgotten() -> None:
    slots, window = Slots(10.0), Window(10.0)
    for number in range(5000):
        slots.take(number * 0.1)
        window.add("x", number * 0.1)
    assert len(slots._taken) <= 250
    assert len(window._times["x"]) <= 250


@given(HISTORIES)
def test_the_counts_that_are_said_to_change_are_those_that_do(history: Any) -> None:
    tally = Tally(lambda order: order.volume >= 3)
    for number, end, traded, kind, strategy, is_open in history:
        order = facts(str(number), end=end, traded=traded, kind=kind, strategy=strategy, is_open=is_open)
        before = tally.of((risk.ACCOUNT, "")).as_dict()
        changed = tally.apply(order)
        after = tally.of((risk.ACCOUNT, "")).as_dict()
        assert set(changed) >= {name for name in SHARED if before[name] != after[name]}


# ── rules ──


def test_by_default_nothing_is_stopped_but_self_trades_and_duplicates() -> None:
    rules = default_rules(load())
    assert {rule.id for rule in rules if rule.action != risk.WARN} == {"self_trade", "repeat"}
    assert {rule.warn for rule in rules if rule.source} == {0.8}
    assert {"cancels.SHFE", "self_trades.CFFEX"} <= {rule.id for rule in rules}


@pytest.mark.parametrize(("value", "level"), [(399, 0), (400, 1), (499, 1), (500, 2), (501, 2)])
def test_a_rule_warns_from_its_share_and_is_reached_at_its_limit(value: float, level: int) -> None:
    assert Rule("x", "cancels", 500, warn=0.8).level(value) == level
    assert Rule("x", "cancels", 500).level(value) == (2 if level == 2 else 0)


def test_a_rule_of_an_exchange_and_its_products_fits_those_alone() -> None:
    rule = Rule("x", "opened", 500, scope="product", exchange="CFFEX", products=("IF",))
    assert rule.fits("IF2512", "CFFEX", "IF", "")
    assert not rule.fits("IC2512", "CFFEX", "IC", "")
    assert not Rule("x", "orders", 5, scope="strategy").fits("rb2510", "SHFE", "rb", "")
    assert Rule("x", "orders", 5, scope="strategy", name="a").fits("rb2510", "SHFE", "rb", "a")
    assert not Rule("x", "orders", 5, scope="contract", name="rb2511").fits("rb2510", "SHFE", "rb", "a")


def test_a_default_rule_is_changed_by_its_id_and_taken_away_by_off() -> None:
    rules = {
        rule.id: rule
        for rule in merged([{"id": "cancels.SHFE", "limit": 300, "action": "refuse"}], default_rules(load()))
    }
    assert (rules["cancels.SHFE"].limit, rules["cancels.SHFE"].action, rules["cancels.SHFE"].warn) == (
        300,
        "refuse",
        0.8,
    )
    assert "repeat" not in {rule.id for rule in merged([{"id": "repeat", "action": "off"}], GUARDS)}


ORDERS = {"measure": "orders", "limit": 5}


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ("x", "列表"),
        ([7], "第 1 条规则：应为对象"),
        ([{"measure": "colour", "limit": 1}], "第 1 条规则：不认识的 measure"),
        ([{"measure": "orders", "limit": -1}], "limit 应在 0 与"),
        ([{"measure": "orders", "limit": "5"}], "limit 应为数字"),
        ([{"measure": "orders", "limit": True}], "limit 应为数字"),
        ([{"measure": "orders"}], "limit 应为数字"),
        ([{"measure": "orders", "limit": float("nan")}], "limit 应为数字"),
        ([{"measure": "orders", "limit": 5, "warn": 1.5}], "warn 应在 0 与 1 之间"),
        ([{"measure": "orders", "limit": 5, "scope": "planet"}], "scope 应为"),
        ([{"measure": "orders", "limit": 5, "scope": "exchange", "name": "NYSE"}], "不认识的交易所 NYSE"),
        ([{"measure": "orders", "limit": 5, "action": "explode"}], "orders 的 action 应为"),
        ([{"measure": "orders", "limit": 5, "action": "delay"}], "orders 的 action 应为"),
        ([{"measure": "orders", "limit": 5, "seconds": 1}], "没有 seconds"),
        ([{"measure": "order_rate", "limit": 5}], "seconds 应大于 0"),
        ([{"measure": "flow", "limit": 0, "seconds": 1, "action": "delay"}], "limit 应大于 0"),
        ([{"measure": "orders", "limit": 5, "colour": 1}], "不认识的 colour"),
        ([{"measure": "orders", "limit": 5}, {"measure": "orders", "limit": 6}], "写了两次"),
        ([ORDERS | {"id": "a"}, ORDERS | {"id": "b", "limit": 6}], "同一回事"),
        ([ORDERS | {"action": "refuse"}, ORDERS | {"limit": 9, "action": "halt"}], "永远到不了"),
        ([{"id": "repeat", "measure": "orders", "limit": 5}], "是已有的规则"),
        ([{"measure": "orders", "limit": 5}] * 501, "至多 500 条"),
    ],
)  # fmt: skip
def test_bad_and_contradicting_rules_are_named(entries: Any, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        checked_rules(entries, default_rules(load()))


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"measure": "nothing", "limit": 1}, "measure"),
        ({"measure": "flow", "limit": 1, "scope": "contract"}, "scope"),
        ({"measure": "orders", "limit": 1, "scope": "exchange", "name": "NYSE"}, "name"),
        ({"measure": "orders", "limit": 1, "scope": "contract", "name": "rb"}, "name"),
        ({"measure": "orders", "limit": "1"}, "limit"),
        ({"measure": "orders", "limit": -1}, "limit"),
        ({"measure": "day_loss", "limit": 0}, "limit"),
        ({"measure": "orders", "limit": 1, "warn": 1.1}, "warn"),
        ({"measure": "orders", "limit": 1, "action": "delay"}, "action"),
        ({"measure": "orders", "limit": 1, "seconds": 1}, "seconds"),
        ({"measure": "orders", "limit": 1, "id": "a\n"}, "id"),
        (5, ""),
    ],
)
def test_a_refusal_says_which_rule_and_which_field_of_it(entry: Any, field: str) -> None:
    with pytest.raises(BadInput) as refusal:
        checked_rules([{"measure": "cancels", "limit": 9}, entry], GUARDS)
    assert (refusal.value.extra["number"], refusal.value.extra["field"]) == (2, field)


def test_a_rule_says_which_of_the_own_ones_it_is() -> None:
    own = [
        {"id": "repeat", "action": "off"},
        {"id": "self_trade", "action": "cancel"},
        {"measure": "orders", "limit": 9},
    ]
    shown = [rule.shown() for rule in merged(own, [*GUARDS, Rule("x", "cancels", 5)])]
    assert {row["id"]: row["entry"] for row in shown} == {"self_trade": 2, "x": 0, "orders.account.warn": 3}


@pytest.mark.parametrize(
    ("milder", "stricter", "field"), [("refuse", "halt", "limit"), ("halt", "halt", "action")]
)
def test_a_contradiction_says_the_field_that_makes_it(milder: str, stricter: str, field: str) -> None:
    entries = [
        {"measure": "orders", "limit": 5 + at, "action": a, "id": f"{at}"}
        for at, a in enumerate((milder, stricter))
    ]
    with pytest.raises(BadInput) as refusal:
        checked_rules(entries, GUARDS)
    assert refusal.value.extra["field"] == field


def test_a_warning_below_a_refusal_below_a_halt_is_no_contradiction() -> None:
    entries = [
        {"measure": "orders", "limit": 5},
        {"measure": "orders", "limit": 9, "action": "refuse"},
        {"measure": "orders", "limit": 8, "action": "halt"},
    ]
    assert checked_rules(entries, GUARDS) == entries
