"""Brokers and their fronts: how they are written, and which are the same broker's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lib.brokers import Brokers, Front, addresses, front_of, listed

A, B, C = "tcp://a.example:1", "tcp://b.example:2", "tcp://10.0.0.3:41213"


def test_a_side_has_one_address_or_several() -> None:
    assert addresses(A) == (A,)
    assert addresses(f" {A}, {B} ,{A}") == (A, B)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "a.example:1",
        "ssl://a:1",
        "tcp://a",
        "tcp://a:0",
        "tcp://a:65536",
        f"{A};{B}",
        f"{A} {B}",
        "tcp://a b:1",
    ]
    + [
        "tcp://甲:1",
        f"{A},x",
        f"{A},",
        ",".join(f"tcp://a:{port}" for port in range(1, 100)),
        "tcp://" + "a" * 2000 + ":1",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="应形如"):
        addresses(text)


def test_brokers_are_written_as_a_table_or_in_one_line() -> None:
    table = {"simnow": {"td": [A, B], "md": C}, "某期货": {"td": A, "md": f"{B}, {C}"}}
    kept = {"simnow": f"{A},{B} {C}", "某期货": f"{A} {B},{C}"}
    assert listed(table) == kept
    assert listed(kept) == kept
    assert listed(f"simnow={A},{B} {C}; 某期货 = {A}  {B},{C} ;") == kept
    assert listed("") == listed({}) == {}


@pytest.mark.parametrize(
    "value",
    [
        [A],
        3,
        {"x": A},
        {"x": {"td": A}},
        {"x": {"td": A, "md": B, "more": C}},
        {"x": {"td": 1, "md": B}},
        {"x": {"td": [], "md": B}},
    ]
    + [
        {"a b": f"{A} {B}"},
        {"": f"{A} {B}"},
        {"a;b": f"{A} {B}"},
        f"x={A}",
        f"{A} {B}",
        f"x={A} {B};x={A} {B}",
    ]
    + [{"x": {"td": [1], "md": B}}],
)
def test_a_broker_that_is_not_whole_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"应|两次"):
        listed(value)


def test_a_front_is_a_brokers_when_all_its_addresses_are() -> None:
    brokers = Brokers({"one": f"{A},{B} {C}"})
    assert brokers
    assert "one" in brokers
    assert brokers.names == ["one"]
    assert brokers.name_of(Front((B, A), (C,))) == brokers.name_of(Front((B,), (C,))) == "one"
    assert brokers.name_of(Front((A,), (B,))) == brokers.name_of(Front((A, C), (C,))) == ""


def test_what_is_kept_is_the_same_front_by_its_addresses_or_by_its_broker() -> None:
    one, two = Front((A,), (C,)), Front((B,), (C,))
    nobody, listing = Brokers({}), Brokers({"one": f"{A},{B} {C}"})
    assert nobody.are_same(nobody.text_of(one), one)
    assert not nobody.are_same(nobody.text_of(one), two)
    assert listing.are_same(str(one), two)
    assert listing.are_same(listing.text_of(one), two)
    assert listing.text_of(one) == "one"
    moved = Brokers(
        {"one": f"{B} {C}"}
    )  # the broker has other addresses now: who is kept by its name goes on
    assert moved.are_same("one", two)
    assert not moved.are_same("one", one)
    assert not nobody.are_same("one", one)  # listed no more


SIDES = st.lists(st.sampled_from([A, B, C, "tcp://d:4"]), min_size=1, max_size=4, unique=True).map(tuple)


@given(SIDES, SIDES)
def test_a_front_is_read_as_it_is_written_and_its_order_says_nothing(
    td: tuple[str, ...], md: tuple[str, ...]
) -> None:
    front = Front(td, md)
    assert front_of(str(front)) == front
    assert Brokers({}).are_same(str(front), Front(td[::-1], md[::-1]))
    assert listed(f"x={front}") == {"x": str(front)}
