import csv
import gzip
import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.lib.prices import exact, is_absent, limits, on_tick, round_to_tick
from tests.support.recorded import on_each

tick_sizes = st.sampled_from([0.002, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10])


@pytest.mark.parametrize(
    ("price", "tick"),
    [
        (5892.6, 0.2),
        (3912.0, 1),
        (12750, 5),
        (0.2, 0.2),
        (101.235, 0.005),
        (555.58, 0.02),
        (5806.2 + 0.2, 0.2),
    ],
)
def test_a_price_that_is_a_whole_number_of_ticks_is_on_the_tick(price, tick):
    assert on_tick(price, tick)


@pytest.mark.parametrize(
    ("price", "tick"),
    [(5892.5, 0.2), (12751, 5), (3912.0000001, 1), (1e-300, 0.2), (1e-9, 0.2), (0, 1), (-5, 5)]
    + [(math.nan, 1), (math.inf, 1), (-math.inf, 1), (1.79769e308, 1), (1e12, 1)],
)
def test_anything_else_is_not_on_the_tick(price, tick):
    assert not on_tick(price, tick)


@pytest.mark.parametrize(
    "price", [0, 0.0, -0.0, math.nan, math.inf, -math.inf, 1.79769e308, 1.7976931348623157e308, -1, -0.2]
)
def test_a_field_without_a_value_is_absent(price):
    assert is_absent(price)


@pytest.mark.parametrize("price", [0.002, 1, 5892.6, 999_999.0])
def test_a_price_is_not_absent(price):
    assert not is_absent(price)


@pytest.mark.parametrize(
    ("price", "tick", "down", "nearest", "up"),
    [
        (5892.6, 0.2, 5892.6, 5892.6, 5892.6),
        (5892.65, 0.2, 5892.6, 5892.6, 5892.8),
        (5892.7, 0.2, 5892.6, 5892.8, 5892.8),
        (12753, 5, 12750, 12755, 12755),
        (5806.400000000001, 0.2, 5806.4, 5806.4, 5806.4),
        (5806.399999999999, 0.2, 5806.4, 5806.4, 5806.4),
        (-0.3, 1, -1, 0, 0),
    ],
)
def test_rounding_goes_where_it_is_told(price, tick, down, nearest, up):
    assert [round_to_tick(price, tick, direction) for direction in ("down", "nearest", "up")] == [
        down,
        nearest,
        up,
    ]


@pytest.mark.parametrize("price", [math.nan, math.inf, -math.inf, 1.79769e308])
def test_what_is_no_number_is_not_rounded(price):
    with pytest.raises(ValueError, match="not a price"):
        round_to_tick(price, 1)


@pytest.mark.parametrize("tick", [0, -1, math.nan, math.inf])
def test_what_is_no_tick_is_refused(tick):
    with pytest.raises(ValueError, match="not a tick"):
        round_to_tick(100, tick)


@settings(max_examples=200)
@given(price=st.floats(0.01, 1e6), tick=tick_sizes)
def test_rounded_prices_enclose_the_price_and_are_on_the_tick(price, tick):
    down, up = (round_to_tick(price, tick, direction) for direction in ("down", "up"))
    assert down - 1e-8 <= price <= up + 1e-8
    assert exact(up) - exact(down) in (0, exact(tick))
    assert on_tick(up, tick)
    assert down == 0 or on_tick(down, tick)


@settings(max_examples=200)
@given(count=st.integers(1, 1_000_000), tick=tick_sizes)
def test_every_multiple_of_the_tick_is_on_it_and_stays_where_it_is(count, tick):
    price = float(count * Decimal(str(tick)))
    assert on_tick(price, tick)
    assert round_to_tick(price, tick, "down") == round_to_tick(price, tick, "up") == price


@pytest.mark.parametrize(
    ("exchange", "pre_settlement", "ratio", "tick", "upper", "lower"),
    [
        ("SHFE", 12285, 0.09, 5, 13390, 11175),  # ru1901, 20181008
        ("CZCE", 7233, 0.06, 1, 7667, 6799),  # AP010, 20200803
        ("CFFEX", 5216.2, 0.1, 0.2, 5737.8, 4694.6),  # IF2101, 20210104
    ],
)
def test_limits_round_as_the_exchange_does(exchange, pre_settlement, ratio, tick, upper, lower):
    assert limits(pre_settlement, ratio, tick, exchange) == (upper, lower)


@settings(max_examples=200)
@given(
    exchange=st.sampled_from(["SHFE", "INE", "DCE", "GFEX", "CZCE", "CFFEX"]),
    count=st.integers(100, 100_000),
    tick=tick_sizes,
    percent=st.integers(3, 20),
)
def test_limits_are_on_the_tick_and_within_a_tick_of_the_percentage(exchange, count, tick, percent):
    pre_settlement = float(count * Decimal(str(tick)))
    upper, lower = limits(pre_settlement, percent / 100, tick, exchange)
    assert on_tick(upper, tick)
    assert on_tick(lower, tick)
    assert lower < pre_settlement < upper
    width = exact(pre_settlement) * percent / 100
    assert abs(exact(upper) - exact(pre_settlement) - width) < exact(tick)
    assert abs(exact(pre_settlement) - exact(lower) - width) < exact(tick)


@pytest.mark.parametrize(
    ("pre_settlement", "ratio"),
    [(0, 0.1), (math.nan, 0.1), (1.79769e308, 0.1), (100, 0), (100, 1), (100, math.nan)],
)
def test_there_are_no_limits_without_a_settlement_and_a_ratio(pre_settlement, ratio):
    with pytest.raises(ValueError, match="no limits"):
        limits(pre_settlement, ratio, 1, "SHFE")


CTP = ("TradingDay", "PreSettlementPrice", "UpperLimitPrice", "LowerLimitPrice")
WONDERTRADER = ("trading_date", "pre_settle", "upper_limit", "lower_limit")


@on_each
@pytest.mark.parametrize(
    ("name", "exchange", "tick", "columns"),
    [("rubber", "SHFE", 5, CTP), ("apple", "CZCE", 1, CTP), ("index", "CFFEX", 0.2, WONDERTRADER)],
)
def test_limits_are_the_recorded_ones_on_every_day(recorded, name, exchange, tick, columns):
    path, days = getattr(recorded, name), len(recorded.days[name])
    recorded = {}
    with gzip.open(path, "rt") as file:
        rows = csv.reader(file)
        header = next(rows)
        at_day, *at_prices = (header.index(column) for column in columns)
        for row in rows:
            if row[at_day] not in recorded:
                recorded[row[at_day]] = tuple(float(row[at]) for at in at_prices)
    assert len(recorded) == days
    for day, (pre_settlement, upper, lower) in recorded.items():
        written = round(upper, 6), round(lower, 6)  # the IF file has 5806.400000000001
        fitting = [
            percent
            for percent in range(3, 21)
            if limits(pre_settlement, percent / 100, tick, exchange) == written
        ]
        assert len(fitting) == 1, f"{day}: {pre_settlement} {upper} {lower}"
