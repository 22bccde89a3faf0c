"""The values that a search tries."""

from __future__ import annotations

from typing import Any

import pytest

from app.backtest.search.space import space_of
from app.lib.errors import BadInput
from app.lib.strategy_parameters import Parameter

KNOWN = [
    Parameter("fast", 5, "int"),
    Parameter("slow", 20, "int"),
    Parameter("stop", 1.5, "float"),
    Parameter("on", True, "bool"),
    Parameter("mode", "a", "text"),
]


def test_a_range_has_both_ends_and_the_last_axis_is_fastest() -> None:
    space = space_of({"fast": "5:15:5", "stop": "0.1:0.3:0.1", "on": "true,false"}, KNOWN)
    points = space.grid()
    assert len(points) == space.size == 18
    assert points[0] == {"fast": 5, "stop": 0.1, "on": True}
    assert points[1]["on"] is False
    assert [point["stop"] for point in points[:6:2]] == [0.1, 0.2, 0.3]
    assert points[-1] == {"fast": 15, "stop": 0.3, "on": False}


def test_conditions_leave_points_out() -> None:
    space = space_of({"fast": "5:15:5", "slow": [10, 15]}, KNOWN, ["fast<slow", "slow != 12", "fast >= 5"])
    assert [tuple(point.values()) for point in space.grid()] == [(5, 10), (5, 15), (10, 15)]


def test_the_same_seed_draws_the_same_points_and_none_twice() -> None:
    space = space_of({"fast": "1:100:1", "stop": "0.1:0.9", "mode": "a,b"}, KNOWN, ["fast<50"])
    drawn = space.drawn(200, 7)
    assert drawn == space.drawn(200, 7) != space.drawn(200, 8)
    assert len({tuple(point.values()) for point in drawn}) == 200
    assert all(point["fast"] < 50 and 0.1 <= point["stop"] <= 0.9 for point in drawn)  # type: ignore[operator]


def test_of_a_small_grid_no_more_is_drawn_than_there_is() -> None:
    space = space_of({"fast": "1:3:1", "on": "true,false"}, KNOWN, ["fast<3"])
    assert len(space.drawn(100, 1)) == 4
    assert len(space.drawn(3, 1)) == 3


@pytest.mark.parametrize(
    ("written", "conditions", "said"),
    [
        ({}, [], "1 至 8 个"),
        ({"none": "1:2:1"}, [], "没有参数 none"),
        ({"fast": "5:50"}, [], None),
        ({"fast": "50:5:5"}, [], "前一个应小于"),
        ({"fast": "5:50:0"}, [], "步长 0"),
        ({"fast": "5:50:-1"}, [], "步长 -1"),
        ({"fast": "1:9999:1"}, [], "至多 1000 个值"),
        ({"fast": "1:2:0.5"}, [], "fast 应为整数"),
        ({"fast": "x:y:z"}, [], "应形如 5:50:5"),
        ({"fast": "1:1e400:1"}, [], "应形如 5:50:5"),
        ({"fast": "1,1"}, [], "重复"),
        ({"fast": []}, [], "1 至 1000 个值"),
        ({"fast": [1.5]}, [], "fast 应为整数"),
        ({"fast": "1:9:1"}, ["fast=3"], "应形如 fast<slow"),
        ({"fast": "1:9:1"}, ["none<fast"], "应形如 fast<slow"),
        ({"fast": "1:9:1"}, ["fast>9"], "没有一组参数满足"),
        ({"stop": "0.1:0.9"}, [], "要步长"),
        ({"fast": "1:1000:1", "slow": "1:1000:1"}, [], "1000000 组参数，至多 10000 组"),
        ({"fast": "1:1000:1", "slow": "1:1000:1"}, ["fast<slow"], "多于 10000 组"),
    ],
)
def test_a_wrong_space_is_named(written: dict[str, Any], conditions: list[str], said: str | None) -> None:
    if said is None:
        assert len(space_of(written, KNOWN, conditions).grid()) == 46  # whole numbers: a step of 1
        return
    with pytest.raises(BadInput, match=said):
        space_of(written, KNOWN, conditions).grid()


@pytest.mark.parametrize("count", [0, -1, 10_001])
def test_a_number_of_draws_has_its_bounds(count: int) -> None:
    with pytest.raises(BadInput, match="1 至 10000"):
        space_of({"fast": "1:9:1"}, KNOWN).drawn(count, 1)
