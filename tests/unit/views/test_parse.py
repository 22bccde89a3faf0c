"""Parameters: typed, or refused by name."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lib.errors import BadInput
from app.views.parse import Parameters, read_form, read_json_object


def sent(value: Any) -> Parameters:
    return Parameters({"x": [value]})


NOT_WHOLE = [
    "abc",
    "1.5",
    1.5,
    "1e3",
    "١",
    "1_000",
    "0x10",
    "--1",
    "1 2",
    True,
    False,
    [1],
    {"a": 1},
    "NaN",
    math.nan,
    math.inf,
    10**400,
    "9" * 400,
]
NOT_NUMBERS = [
    "abc",
    "NaN",
    "nan",
    "inf",
    "-Infinity",
    "1e999",
    math.nan,
    math.inf,
    -math.inf,
    True,
    [],
    {},
    "1,5",
    "１",
    "1_0",
    10**400,
    "9" * 400,
    "",
]
NOT_FLAGS = ["maybe", "2", 2, -1, 0.5, [], {}, "真"]
NOT_TEXT = [True, 1.5, [], {}, "a\nb", "a\x00b", "\x1b[31m", "\ud800", "a\u2028b", "x" * 65, 2**60]


@pytest.mark.parametrize(
    ("value", "number"), [("7", 7), (" 7 ", 7), (7, 7), (7.0, 7), ("+7", 7), ("007", 7), ("-7", -7)]
)
def test_whole_numbers_come_as_text_or_as_json(value: Any, number: int) -> None:
    assert sent(value).integer("x", least=-10, most=10) == number


@pytest.mark.parametrize("value", NOT_WHOLE)
def test_what_is_no_whole_number_is_refused_by_name(value: Any) -> None:
    with pytest.raises(BadInput) as refused:
        sent(value).integer("x", least=-(10**9), most=10**9)
    assert refused.value.extra["parameter"] == "x"


@pytest.mark.parametrize("value", [-1, "11", 10**30])
def test_a_whole_number_outside_its_range_is_refused(value: Any) -> None:
    with pytest.raises(BadInput):
        sent(value).integer("x", least=0, most=10)


@pytest.mark.parametrize(
    ("value", "number"),
    [("3500.5", 3500.5), (3500, 3500.0), ("1e3", 1000.0), (".5", 0.5), ("-0.2", -0.2), ("5.", 5.0)],
)
def test_numbers_come_as_text_or_as_json(value: Any, number: float) -> None:
    got = sent(value).number("x", least=-1, most=1e9)
    assert got == number
    assert isinstance(got, float)


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_what_is_no_finite_number_is_refused_by_name(value: Any) -> None:
    with pytest.raises(BadInput) as refused:
        sent(value).number("x", least=-1e18, most=1e18)
    assert refused.value.extra["parameter"] == "x"


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.lists(st.integers()), st.none()))
def test_whatever_is_sent_a_number_is_finite_and_in_its_range_or_refused(value: Any) -> None:
    for read in (sent(value).number, sent(value).integer):
        try:
            got = read("x", least=0, most=1000)
        except BadInput as refused:
            named = refused.extra["parameter"]
        else:
            assert math.isfinite(got)
            assert 0 <= got <= 1000
            continue
        assert named == "x"


@given(st.text())
def test_text_that_is_let_in_can_be_stored_sent_and_shown(value: str) -> None:
    try:
        got = sent(value).text("x")
    except BadInput:
        return
    assert got.isprintable()
    assert 0 < len(got) <= 64
    got.encode()


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        ("1", True),
        (1, True),
        (True, True),
        ("TRUE", True),
        ("0", False),
        (0, False),
        (False, False),
        ("off", False),
    ],
)
def test_flags(value: Any, truth: bool) -> None:
    assert sent(value).flag("x") is truth


@pytest.mark.parametrize("value", NOT_FLAGS)
def test_what_is_neither_yes_nor_no_is_refused(value: Any) -> None:
    with pytest.raises(BadInput):
        sent(value).flag("x")


@pytest.mark.parametrize("value", NOT_TEXT)
def test_what_is_no_printable_text_is_refused(value: Any) -> None:
    with pytest.raises(BadInput):
        sent(value).text("x")


def test_ids_that_look_like_numbers_may_come_as_json_numbers() -> None:
    assert sent(9999).text("x") == "9999"


def test_blanks_around_text_go_but_stay_in_a_password() -> None:
    assert sent(" demo ").text("x") == "demo"
    assert sent(" pass ").text("x", strip=False) == " pass "


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_empty_value_is_a_missing_one(value: Any) -> None:
    for read in (sent(value).text, Parameters({}).text):
        assert read("x", "default") == "default"
        with pytest.raises(BadInput, match="缺少参数 x"):
            read("x")
    assert sent(value).integer("x", 5, least=0, most=10) == 5


def test_a_parameter_given_twice_is_refused_and_others_do_not_care() -> None:
    twice = Parameters({"x": ["1", "1"], "y": ["2"]})
    assert twice.integer("y", least=0, most=9) == 2
    with pytest.raises(BadInput, match="重复"):
        twice.integer("x", least=0, most=9)


def test_a_choice_is_one_of_its_words() -> None:
    assert sent("1m").choice("x", ["1m", "5m"]) == "1m"
    with pytest.raises(BadInput, match="1m 5m"):
        sent("2m").choice("x", ["1m", "5m"])


def test_json_members_given_twice_are_both_seen() -> None:
    assert [name for name, _ in read_json_object(b'{"volume":1,"volume":2}')] == ["volume", "volume"]


@pytest.mark.parametrize("body", [b"", b"  "])
def test_an_empty_body_has_no_members(body: bytes) -> None:
    assert list(read_json_object(body)) == []


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[1]",
        b"null",
        b'"text"',
        b"3",
        b"\xff\xfe{",
        b"{'a':1}",
        b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        read_json_object(body)
    assert refused.value.extra["parameter"] == "body"


def test_a_form_of_hundreds_of_fields_is_refused_before_they_are_looked_at() -> None:
    assert len(read_form(b"&".join([b"a=1"] * 200))) == 200
    with pytest.raises(BadInput) as refused:
        read_form(b"&".join([b"="] * 340_000))
    assert (refused.value.code, refused.value.extra["parameter"]) == ("TOO_MANY_FIELDS", "body")
