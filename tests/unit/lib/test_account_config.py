"""app/lib/account_config.py: the eight keys."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lib.account_config import DEFAULTS, checked
from app.lib.errors import BadInput


def test_the_defaults_are_values_that_pass() -> None:
    assert checked(DEFAULTS) == DEFAULTS
    assert len(DEFAULTS) == 8


@pytest.mark.parametrize(
    ("key", "given_value", "value"),
    [
        ("REFRESH_INTERVAL", "1.5", 1.5),
        ("REFRESH_INTERVAL", 3, 3),
        ("SLIPPAGE_BUY", "2", 2),
        ("SLIPPAGE_SELL", -1.0, -1),
        ("INSTRUMENT_INDEPEND", "true", True),
        ("INSTRUMENT_INDEPEND", "False", False),
        ("SHARED_FUNC", "1", True),
        ("SHARED_FUNC", 0, False),
        ("SHARED_FUNC", "ON", True),
        ("SHARED_FUNC", "off", False),
        ("SHARED_FUNC", "yes", True),
        ("SHARED_FUNC", " No ", False),
        ("CLOSE_PATTERN", "Yesterday", "yesterday"),
    ],
)
def test_text_and_numbers_become_typed_values(key: str, given_value: Any, value: Any) -> None:
    result = checked({key: given_value})
    assert result == {key: value}
    assert type(result[key]) is type(value)


@pytest.mark.parametrize(
    "key", ["REFRESH_INTERVAL", "SLIPPAGE_SHORT", "SLIPPAGE_BUY", "SLIPPAGE_COVER", "SLIPPAGE_SELL"]
)
@pytest.mark.parametrize(
    "value", ["", "abc", "nan", "inf", math.nan, math.inf, True, None, [], {}, "1e999", 10**400, "\x00"]
)
def test_what_is_no_finite_number_is_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(BadInput) as refusal:
        checked({key: value})
    assert refusal.value.extra["parameter"] == key


@pytest.mark.parametrize("value", [0, -1, "0", "-0.1", 1e9])
def test_an_interval_that_would_never_or_always_fire_is_refused(value: Any) -> None:
    with pytest.raises(BadInput):
        checked({"REFRESH_INTERVAL": value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SHARED_FUNC", "ja"),
        ("SHARED_FUNC", 2),
        ("SHARED_FUNC", None),
        ("CLOSE_PATTERN", "both"),
        ("CLOSE_PATTERN", 1),
    ],
)
def test_a_word_that_is_none_of_the_choices_is_refused(key: str, value: Any) -> None:
    with pytest.raises(BadInput) as refusal:
        checked({key: value})
    assert refusal.value.extra["parameter"] == key


def test_one_bad_value_refuses_all_of_them() -> None:
    with pytest.raises(BadInput):
        checked({"SLIPPAGE_BUY": 1, "CLOSE_PATTERN": "never"})


def test_unknown_keys_are_ignored_unless_there_is_nothing_else() -> None:
    assert checked({"SLIPPAGE_BUY": 1, "csrf": "x"}) == {"SLIPPAGE_BUY": 1}
    with pytest.raises(BadInput):
        checked({"csrf": "x"})


@given(
    st.sampled_from(sorted(DEFAULTS)),
    st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.none(), st.binary()),
)
def test_whatever_comes_in_is_a_sound_value_or_a_named_refusal(key: str, value: Any) -> None:
    try:
        result = checked({key: value})
    except BadInput as refusal:
        named = refusal.extra["parameter"]
    else:
        assert checked(result) == result
        return
    assert named == key
