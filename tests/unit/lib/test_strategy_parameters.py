"""What of a strategy's text can be set, and the text with other values in it."""

from __future__ import annotations

import pytest

from app.lib.errors import BadInput
from app.lib.strategy_lib import BadCode, parse
from app.lib.strategy_parameters import Parameter, parameters, with_parameters

TEXT = """
from ctpbee import CtpbeeApi

class Base(CtpbeeApi):
    深度 = 3  # 说明

class Mine(Base):
    window: int = 20
    ratio = -0.5; on = True
    names = ["a"]
    _hidden = 1

    def __init__(self, name, symbol, fast=5, slow=20, *, stop=1.5):
        super().__init__(name)
        self.fast = fast

ext = Mine(
    "均线",
    "rb2401.SHFE", slow=30,
)
after = 1 / 0
"""


def test_the_arguments_of_ext_and_the_constants_of_its_class_with_the_values_in_force() -> None:
    assert parameters(TEXT) == [
        Parameter("symbol", "rb2401.SHFE", "text"),
        Parameter("fast", 5, "int"),
        Parameter("slow", 30, "int"),
        Parameter("stop", 1.5, "float"),
        Parameter("window", 20, "int"),
        Parameter("ratio", -0.5, "float"),
        Parameter("on", True, "bool"),
        Parameter("深度", 3, "int"),
    ]


def test_other_values_stand_in_their_places_and_every_line_keeps_its_number() -> None:
    values = {
        "symbol": "ru2401.SHFE",
        "fast": 7,
        "slow": 40,
        "stop": 2,
        "window": 9,
        "ratio": "0.25",
        "on": "false",
        "深度": 4,
    }
    made = with_parameters(TEXT, values)
    assert {one.name: one.default for one in parameters(made)} == values | {
        "stop": 2.0,
        "ratio": 0.25,
        "on": False,
    }
    assert "深度 = 4  # 说明" in made
    assert parse(made).name == "均线"
    line = "after = 1 / 0"
    assert made.splitlines().index(line) == TEXT.splitlines().index(line)
    assert with_parameters(TEXT, {}) == TEXT


def test_a_text_with_a_mark_and_windows_ends_of_lines_is_set_as_well() -> None:
    text = "\ufeff" + TEXT.replace("\n", "\r\n")
    made = with_parameters(text, {"深度": 8, "fast": 6})
    assert made.startswith("\ufeff")
    assert {one.name: one.default for one in parameters(made)}["深度"] == 8


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"none": 1}, "没有参数 none"),
        ({"_hidden": 1}, "没有参数 _hidden"),
        ({"fast": 1.5}, "fast 应为整数"),
        ({"fast": True}, "fast 应为整数"),
        ({"fast": "x"}, "fast 应为整数"),
        ({"stop": "nan"}, "stop 应为数字"),
        ({"on": 2}, "on 应为true 或 false"),
        ({"symbol": 1}, "symbol 应为文字"),
        ({"symbol": "x" * 201}, "symbol 应为文字"),
    ],
)
def test_a_wrong_value_is_named(values: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        with_parameters(TEXT, values)
    assert caught.value.extra["parameter"] == "parameters"


def test_a_value_cannot_become_code() -> None:
    evil = '"); import os; ext = Mine("x'
    made = with_parameters(TEXT, {"symbol": evil})
    assert parse(made).args == (evil,)


def test_a_text_that_is_no_strategy_is_refused() -> None:
    with pytest.raises(BadCode):
        parameters("x = 1")


def test_an_argument_that_only_its_place_can_give_is_left_alone_where_ext_does_not_give_it() -> None:
    text = TEXT.replace("symbol, fast=5, slow=20, *, stop=1.5", "symbol, fast=5, /, slow=20")
    assert "fast" not in {one.name for one in parameters(text)}
    assert [one for one in parameters(text) if one.name == "symbol"]
