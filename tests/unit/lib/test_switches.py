"""How a dead man's switch is written: what is wrong is named, and nothing is taken then."""

from __future__ import annotations

from typing import Any

import pytest

from app.lib.errors import BadInput
from app.lib.switches import LONGEST, SHORTEST, Switch, checked_switches


def test_switches_are_taken_as_they_are_written() -> None:
    entries = [
        {"watch": "page", "seconds": 30},
        {"watch": "script", "name": "套利", "seconds": 2, "action": "reduce_only"},
        {"watch": "market", "seconds": 10, "action": "cancel", "contracts": "rb2510.SHFE, IF2509.CFFEX"},
    ]
    assert checked_switches(entries) == [
        Switch("page", 30.0),
        Switch("script", 2.0, "reduce_only", "套利"),
        Switch("market", 10.0, "cancel", "", ("rb2510.SHFE", "IF2509.CFFEX")),
    ]
    assert checked_switches([]) == []


@pytest.mark.parametrize("watch", SHORTEST)
def test_seconds_are_from_the_shortest_to_the_longest(watch: str) -> None:
    entry = {"watch": watch, "name": "a" if watch in ("script", "strategy") else ""}
    for seconds in (SHORTEST[watch], LONGEST):
        assert checked_switches([entry | {"seconds": seconds}])[0].seconds == seconds
    for seconds in (SHORTEST[watch] - 0.1, LONGEST + 1, 0, -1, float("nan"), "30", True, None):
        with pytest.raises(BadInput, match="seconds"):
            checked_switches([entry | {"seconds": seconds}])


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ("page", "列表"),
        (["page"], "第 1 个"),
        ([{"watch": "page", "seconds": 9}, {"watch": "moon", "seconds": 9}], "第 2 个"),
        ([{"watch": "page", "seconds": 9, "action": "halt"}], "action"),
        ([{"watch": "page", "seconds": 9, "every": 1}], "every"),
        ([{"watch": "page", "seconds": 9, "name": "a"}], "没有 name"),
        ([{"watch": "script", "seconds": 9}], "应写 name"),
        ([{"watch": "script", "seconds": 9, "name": "a\n"}], "name"),
        ([{"watch": "script", "seconds": 9, "name": "a" * 65}], "name"),
        ([{"watch": "page", "seconds": 9, "contracts": "rb2510.SHFE"}], "没有 contracts"),
        ([{"watch": "market", "seconds": 10, "contracts": "rb2510"}], "带交易所"),
        ([{"watch": "market", "seconds": 10, "contracts": "rb2510.NYSE"}], "NYSE"),
        ([{"watch": "market", "seconds": 10, "contracts": 5}], "contracts"),
        ([{"watch": "page", "seconds": 9}, {"watch": "page", "seconds": 8}], "两次"),
    ],
)
def test_what_is_wrong_is_named(entries: Any, says: str) -> None:
    with pytest.raises(BadInput, match=says) as refusal:
        checked_switches(entries)
    assert refusal.value.extra["parameter"] == "switches"


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"watch": "nobody", "seconds": 9}, "watch"),
        ({"watch": "page", "seconds": 1}, "seconds"),
        ({"watch": "page", "seconds": 9, "action": "halt"}, "action"),
        ({"watch": "script", "seconds": 9}, "name"),
        ({"watch": "page", "seconds": 9}, "watch"),  # there is one already
        ({"watch": "market", "seconds": 10, "contracts": "rb2510"}, "contracts"),
        ({"watch": "market", "seconds": 10, "contracts": "rb2510.NYSE"}, "contracts"),
        (5, ""),
    ],
)
def test_a_refusal_says_which_entry_and_which_field_of_it(entry: Any, field: str) -> None:
    with pytest.raises(BadInput) as refusal:
        checked_switches([{"watch": "page", "seconds": 9}, entry])
    assert (refusal.value.extra["number"], refusal.value.extra["field"]) == (2, field)
