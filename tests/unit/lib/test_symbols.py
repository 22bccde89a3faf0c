import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.lib.errors import BadInput
from app.lib.symbols import (
    DIRECTION_TEXT,
    EXCHANGES,
    OFFSET_TEXT,
    TYPE_TEXT,
    LocalSymbol,
    agreed,
    parse_any_symbol,
    parse_direction,
    parse_exchange,
    parse_offset,
    parse_symbol,
    parse_type,
    product_of,
    right_way_round,
)


@pytest.mark.parametrize(
    ("text", "exchange", "symbol"),
    [
        ("rb2501.SHFE", "", LocalSymbol("rb2501", "SHFE")),
        ("rb2501", "", LocalSymbol("rb2501")),
        ("rb2501", None, LocalSymbol("rb2501")),
        ("rb2501", "SHFE", LocalSymbol("rb2501", "SHFE")),
        ("rb2501.SHFE", "SHFE", LocalSymbol("rb2501", "SHFE")),
        (" AP010.CZCE ", "", LocalSymbol("AP010", "CZCE")),
        ("IF2101.CFFEX", "", LocalSymbol("IF2101", "CFFEX")),
        ("sc2506.INE", "", LocalSymbol("sc2506", "INE")),
        ("l2602F.DCE", "", LocalSymbol("l2602F", "DCE")),
    ],
)
def test_a_contract_is_read_with_or_without_its_exchange(text, exchange, symbol):
    assert agreed(parse_symbol(text), parse_exchange(exchange)) == symbol


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        None,
        5,
        2.5,
        ["rb2501"],
        "rb",
        "2501",
        "rb25",
        "rb2513",
        "rb2500",
        "rb250101",
        "x" * 27 + "2501",
        "a" * 5000,
    ]
    + [
        "rb2501.",
        ".SHFE",
        "rb2501.NYSE",
        "rb2501.shfe",
        "rb2501.SHFE.SHFE",
        "rb 2501",
        "../rb2501",
        "rb2501;",
        "IO2509-C-3300",
    ]
    + ["rb2501\n", "rb2501\x00.SHFE", "\trb2501", "r\u200bb2501", "rb２５０１", "螺纹2501"],
)
def test_what_is_no_contract_name_is_refused_by_the_parameter_it_came_in(text):
    with pytest.raises(BadInput) as refusal:
        parse_symbol(text, parameter="symbol")
    assert refusal.value.extra["parameter"] == "symbol"
    assert len(refusal.value.message) < 200
    assert refusal.value.message.isprintable()


@pytest.mark.parametrize("name", ["SPC a2509&m2509", "SPD TA109&TA110", "IO2509-C-3300", "rb2501"])
def test_an_order_that_is_there_may_be_in_any_contract(name):
    contract = LocalSymbol(name, "DCE")
    assert parse_any_symbol(f"{name}.DCE") == agreed(parse_any_symbol(name), "DCE") == contract


def test_a_spread_is_refused_as_what_it_is():
    with pytest.raises(BadInput, match="套利合约") as refusal:
        parse_symbol("SPC a2509&m2509.DCE")
    assert refusal.value.code == "NOT_TRADABLE"


@pytest.mark.parametrize("text", ["", ".DCE", "rb2501.", "rb2501.NYSE", "x" * 500, "rb2501\n", 5, None])
def test_what_no_contract_can_be_called_is_refused_for_orders_too(text):
    with pytest.raises(BadInput):
        parse_any_symbol(text)


def test_two_exchanges_that_disagree_are_refused():
    with pytest.raises(BadInput, match="不符") as refusal:
        agreed(parse_symbol("rb2501.SHFE"), "DCE")
    assert refusal.value.extra["parameter"] == "exchange"


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_the_six_exchanges_are_known(exchange):
    assert parse_exchange(exchange) == exchange


@pytest.mark.parametrize("text", ["NYSE", "shfe", "SHFE\n", 7, True])
def test_another_exchange_is_refused(text):
    with pytest.raises(BadInput) as refusal:
        parse_exchange(text)
    assert refusal.value.extra["parameter"] == "exchange"


@settings(max_examples=200)
@given(st.text(max_size=40))
def test_whatever_is_typed_is_a_symbol_or_bad_input_and_nothing_else(text):
    try:
        symbol = parse_symbol(text)
    except BadInput:
        return
    assert parse_symbol(str(symbol)) == symbol


@pytest.mark.parametrize(
    ("symbol", "product"), [("rb2501", "rb"), ("AP010", "AP"), ("a2501", "a"), ("IF2101", "IF"), ("rb", "rb")]
)
def test_the_product_is_the_letters_in_front(symbol, product):
    assert product_of(symbol) == product


@pytest.mark.parametrize(
    ("parse", "texts", "words"),
    [
        (
            parse_direction,
            DIRECTION_TEXT,
            {"long": ["long", "LONG", "多"], "short": ["short", " Short ", "空"]},
        ),
        (
            parse_offset,
            OFFSET_TEXT,
            {
                "open": ["open", "开"],
                "close": ["close", "平"],
                "closetoday": ["closetoday", "平今"],
                "closeyesterday": ["CLOSEYESTERDAY", "平昨"],
            },
        ),
        (
            parse_type,
            TYPE_TEXT,
            {
                "limit": ["limit", "限价"],
                "market": ["market", "市价"],
                "fak": ["fak", "FAK"],
                "fok": ["fok", "FOK"],
            },
        ),
    ],
)
def test_every_word_is_known_in_chinese_and_english_and_shown_as_it_can_be_typed(parse, texts, words):
    assert set(texts) == set(words)
    for word, names in words.items():
        assert {parse(name) for name in [*names, texts[word]]} == {word}


@pytest.mark.parametrize(
    ("parse", "parameter"), [(parse_direction, "direction"), (parse_offset, "offset"), (parse_type, "type")]
)
@pytest.mark.parametrize("word", ["", None, "net", "净", "stop", 1, True, "long\n", "x" * 10_000, ["open"]])
def test_a_word_that_means_nothing_is_refused_with_its_parameter(parse, parameter, word):
    with pytest.raises(BadInput) as refusal:
        parse(word)
    assert refusal.value.extra["parameter"] == parameter
    assert len(refusal.value.message) < 200


@pytest.mark.parametrize("direction", ["long", "空"])
@pytest.mark.parametrize("offset", ["open", "平今", "closeyesterday", "平"])
def test_direction_and_offset_are_understood_either_way_round(direction, offset):
    assert right_way_round(direction, offset) == right_way_round(offset, direction) == (direction, offset)


@pytest.mark.parametrize(
    ("direction", "offset"),
    [("long", "short"), ("open", "close"), ("", "open"), ("long", None), ("up", "open"), (1, ["open"])],
)
def test_two_words_that_do_not_make_a_pair_stay_as_they_are(direction, offset):
    assert right_way_round(direction, offset) == (direction, offset)
