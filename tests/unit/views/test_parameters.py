"""Parameters: typed, or refused by name; a model's fields are judged in their order."""

from __future__ import annotations

import math
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import create_model

from app.lib.errors import BadInput
from app.views.orders import CancelRequest, OrderRequest
from app.views.parameters import AsSent, Choice, Flag, Kind, Number, OfContract, Request, Text, Whole
from app.views.positions import CloseRequest


def taken(value: Any, kind: Kind, **default: Any) -> Any:
    """What a model with this one parameter makes of it."""
    model = create_model("Model", __base__=Request, x=(Annotated[Any, kind], default.get("default", ...)))
    return model.of({"x": [value]}).x  # type: ignore[attr-defined]


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
    assert taken(value, Whole(-10, 10)) == number


@pytest.mark.parametrize("value", NOT_WHOLE)
def test_what_is_no_whole_number_is_refused_by_name(value: Any) -> None:
    with pytest.raises(BadInput) as refused:
        taken(value, Whole(-(10**9), 10**9))
    assert refused.value.extra["parameter"] == "x"


@pytest.mark.parametrize("value", [-1, "11", 10**30])
def test_a_whole_number_outside_its_range_is_refused(value: Any) -> None:
    with pytest.raises(BadInput):
        taken(value, Whole(0, 10))


@pytest.mark.parametrize(
    ("value", "number"),
    [("3500.5", 3500.5), (3500, 3500.0), ("1e3", 1000.0), (".5", 0.5), ("-0.2", -0.2), ("5.", 5.0)],
)
def test_numbers_come_as_text_or_as_json(value: Any, number: float) -> None:
    got = taken(value, Number(-1, 1e9))
    assert got == number
    assert isinstance(got, float)


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_what_is_no_finite_number_is_refused_by_name(value: Any) -> None:
    with pytest.raises(BadInput) as refused:
        taken(value, Number(-1e18, 1e18))
    assert refused.value.extra["parameter"] == "x"


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.lists(st.integers()), st.none()))
def test_whatever_is_sent_a_number_is_finite_and_in_its_range_or_refused(value: Any) -> None:
    for kind in (Number(0, 1000), Whole(0, 1000)):
        try:
            got = taken(value, kind)
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
        got = taken(value, Text())
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
    assert taken(value, Flag()) is truth


@pytest.mark.parametrize("value", NOT_FLAGS)
def test_what_is_neither_yes_nor_no_is_refused(value: Any) -> None:
    with pytest.raises(BadInput):
        taken(value, Flag())


@pytest.mark.parametrize("value", NOT_TEXT)
def test_what_is_no_printable_text_is_refused(value: Any) -> None:
    with pytest.raises(BadInput):
        taken(value, Text())


def test_ids_that_look_like_numbers_may_come_as_json_numbers() -> None:
    assert taken(9999, Text()) == "9999"


def test_blanks_around_text_go_but_stay_in_a_password() -> None:
    assert taken(" demo ", Text()) == "demo"
    assert taken(" pass ", Text(strip=False)) == " pass "


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_empty_value_is_a_missing_one(value: Any) -> None:
    for kind in (Text(), Whole(0, 10), Number(0, 10), Flag(), Choice(["a"])):
        assert taken(value, kind, default=5) == 5
        with pytest.raises(BadInput, match="缺少参数 x"):
            taken(value, kind)


def test_an_empty_value_of_a_setting_is_judged_by_who_gets_it() -> None:
    assert taken("", AsSent({"type": "number"}), default=5) == ""


def test_a_choice_is_one_of_its_words() -> None:
    assert taken("1m", Choice(["1m", "5m"])) == "1m"
    with pytest.raises(BadInput, match="1m 5m"):
        taken("2m", Choice(["1m", "5m"]))


def test_a_pattern_is_told_by_its_example() -> None:
    day = Text(pattern="20[0-9]{6}", example="20250606")
    assert taken("20250607", day) == "20250607"
    with pytest.raises(BadInput, match="参数 x 应形如 20250606"):
        taken("2025-06-06", day)


# ── models
# ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Pair(Request):
    first: Annotated[int, Whole(0, 9)]
    second: Annotated[int, Whole(0, 9)] = 7
    third: Annotated[Any, AsSent({})] = None


def refusal(model: type[Request], values: dict[str, list[Any]]) -> BadInput:
    with pytest.raises(BadInput) as refused:
        model.of(values)
    return refused.value


def test_what_is_no_field_is_not_looked_at_and_a_default_stands_for_what_is_not_sent() -> None:
    pair = Pair.of({"first": ["1"], "other": ["x", "y"]})
    assert (pair.first, pair.second) == (1, 7)


@pytest.mark.parametrize("name", ["first", "second", "third"])
def test_a_parameter_given_twice_is_refused(name: str) -> None:
    refused = refusal(Pair, {"first": [1], name: [1, 1]})
    assert (refused.extra["parameter"], refused.message) == (name, f"参数 {name} 重复")


@pytest.mark.parametrize(
    ("values", "parameter"),
    [
        ({"first": ["x"], "second": ["x"]}, "first"),
        ({"second": ["x"]}, "first"),
        ({"first": [1, 1], "second": ["x"]}, "first"),
        ({"first": [10], "second": [1, 1]}, "first"),
        ({"first": [1], "second": [10]}, "second"),
    ],
)
def test_the_first_field_that_is_wrong_is_told(values: dict[str, list[Any]], parameter: str) -> None:
    assert refusal(Pair, values).extra["parameter"] == parameter


def test_a_password_is_in_no_text_that_shows_a_request() -> None:
    from app.views.login import PasswordRequest

    shown = {name for name, field in PasswordRequest.model_fields.items() if field.repr}
    assert not shown & {"authorization", "password", "new_password"}


ORDER: dict[str, list[Any]] = {
    "local_symbol": ["rb2501"],
    "exchange": ["SHFE"],
    "direction": ["多"],
    "offset": ["开"],
    "type": ["limit"],
    "volume": ["1"],
    "price": ["3500"],
}


def test_an_order_of_a_form_is_typed() -> None:
    order = OrderRequest.of(ORDER | {"volume": [1.0], "direction": ["开"], "offset": ["多"]}).command()
    assert (order.local_symbol, order.direction, order.offset) == ("rb2501.SHFE", "long", "open")
    assert (order.volume, order.price, order.client_order_id) == (1, 3500.0, "")


@pytest.mark.parametrize(
    ("wrong", "parameter", "message"),
    [
        ({"volume": ["1.5"]}, "volume", "参数 volume 应为整数"),
        ({"volume": []}, "volume", "缺少参数 volume"),
        ({"volume": ["１"]}, "volume", "参数 volume 应为整数"),
        ({"price": ["0"]}, "price", "参数 price 应大于 0"),
        ({"price": [""]}, "price", "缺少参数 price"),
        (
            {"exchange": ["DCE"], "local_symbol": ["rb2501.SHFE"]},
            "exchange",
            "rb2501.SHFE 不符",
        ),
        ({"exchange": ["DCE"], "local_symbol": ["rb2501.SHFE"], "direction": ["up"]}, "exchange", "不符"),
        ({"local_symbol": [None]}, "local_symbol", "缺少合约名称"),
        ({"direction": ["short"], "offset": ["long"]}, "offset", "参数 offset 的值 long 不合法"),
        ({"volume": [0], "price": ["x"]}, "volume", "参数 volume 应在 1 与 1000000 之间"),
        ({"price": ["x"], "client_order_id": ["a\nb"]}, "price", "参数 price 应为数字"),
    ],
)
def test_the_first_thing_wrong_with_an_order_is_told(
    wrong: dict[str, list[Any]], parameter: str, message: str
) -> None:
    values = {name: found for name, found in (ORDER | wrong).items() if found}
    refused = refusal(OrderRequest, values)
    assert (refused.extra["parameter"], message in refused.message) == (parameter, True), refused.message


@pytest.mark.parametrize("price", [[], [""], ["0"], [0]])
def test_a_market_order_needs_no_price(price: list[Any]) -> None:
    values = {name: found for name, found in (ORDER | {"type": ["市价"], "price": price}).items() if found}
    assert OrderRequest.of(values).price == 0.0


@pytest.mark.parametrize(
    "values",
    [
        {"symbol": ["rb2501.SHFE"]},
        {"local_symbol": ["rb2501.SHFE"]},
        {"symbol": ["rb2501"], "exchange": ["SHFE"]},
        {"symbol": ["rb2501"], "local_symbol": ["rb2501.SHFE"]},
        {"symbol": ["rb2501.SHFE"], "local_symbol": ["rb2501"], "exchange": ["SHFE"]},
    ],
)
def test_a_position_is_named_by_either_name(values: dict[str, list[Any]]) -> None:
    assert CloseRequest.of(values | {"direction": ["long"], "volume": [1]}).contract == "rb2501.SHFE"


@pytest.mark.parametrize(
    ("values", "parameter"),
    [
        ({}, "local_symbol"),
        ({"symbol": ["rb2501"], "local_symbol": ["ag2512"]}, "symbol"),
        ({"symbol": ["rb2501.DCE"], "local_symbol": ["rb2501.SHFE"]}, "symbol"),
        ({"symbol": ["rb2501.DCE"], "exchange": ["SHFE"]}, "exchange"),
    ],
)
def test_two_names_are_those_of_one_contract(values: dict[str, list[Any]], parameter: str) -> None:
    refused = refusal(CloseRequest, values | {"direction": ["long"], "volume": [1]})
    assert refused.extra["parameter"] == parameter


def test_where_all_are_cancelled_nothing_else_is_looked_at() -> None:
    assert CancelRequest.of({"all": ["1"], "order_id": [1, 2], "exchange": ["NYSE"]}).all
    assert refusal(CancelRequest, {"all": ["0"]}).extra["parameter"] == "order_id"


def test_a_cancel_may_name_any_contract() -> None:
    one = {"order_id": ["1"], "local_symbol": ["SPC a2509&m2509"], "exchange": ["DCE"]}
    assert CancelRequest.of(one).contract == "SPC a2509&m2509.DCE"
    assert CancelRequest.of({"order_id": ["1"]}).contract == ""


@pytest.mark.parametrize("exchange", [["NYSE"], ["SHFE", "SHFE"], [True]])
def test_a_cancel_without_a_contract_is_not_refused_for_its_exchange(exchange: list[Any]) -> None:
    assert CancelRequest.of({"order_id": ["1"], "exchange": exchange}).contract == ""
    named = {"order_id": ["1"], "local_symbol": ["rb2501"], "exchange": exchange}
    assert refusal(CancelRequest, named).extra["parameter"] == "exchange"


def test_an_exchange_beside_a_contract_is_taken_from_either() -> None:
    assert OfContract.of({"local_symbol": ["rb2501.SHFE"]}).contract == "rb2501.SHFE"
    assert OfContract.of({"local_symbol": ["rb2501"]}).contract == "rb2501"
