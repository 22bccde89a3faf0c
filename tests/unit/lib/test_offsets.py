import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.lib.book import Closable
from app.lib.errors import BadInput, OrderRefused
from app.lib.offsets import close_price, price_to_meet, split_close
from app.lib.prices import on_tick


@pytest.mark.parametrize(
    ("volume", "pattern", "legs"),
    [
        (2, "today", [("closetoday", 2)]),
        (3, "today", [("closetoday", 3)]),
        (4, "today", [("closetoday", 3), ("closeyesterday", 1)]),
        (5, "yesterday", [("closeyesterday", 5)]),
        (8, "yesterday", [("closeyesterday", 5), ("closetoday", 3)]),
    ],
)
def test_where_today_is_apart_the_pattern_says_which_bucket_goes_first(volume, pattern, legs):
    assert split_close(volume, Closable(today=3, yesterday=5), pattern, splits_today=True) == legs


@pytest.mark.parametrize("pattern", ["today", "yesterday"])
def test_elsewhere_a_close_is_one_plain_close(pattern):
    assert split_close(8, Closable(today=3, yesterday=5), pattern, splits_today=False) == [("close", 8)]


@pytest.mark.parametrize(
    ("closable", "splits_today", "text"),
    [
        (Closable(3, 0), True, "平今仓位不足"),
        (Closable(0, 3), True, "平昨仓位不足"),
        (Closable(2, 1), True, "平仓量超过持仓量"),
        (Closable(0, 0), True, "平仓量超过持仓量"),
        (Closable(0, 3), False, "平仓量超过持仓量"),
    ],
)
def test_more_than_is_closable_is_refused_as_a_whole(closable, splits_today, text):
    with pytest.raises(OrderRefused, match=text) as refusal:
        split_close(4, closable, "today", splits_today)
    assert refusal.value.code == "CLOSABLE_EXCEEDED"


@pytest.mark.parametrize("volume", [0, -1])
def test_no_volume_is_bad_input(volume):
    with pytest.raises(BadInput):
        split_close(volume, Closable(3, 3), "today", True)


@settings(max_examples=200)
@given(
    today=st.integers(0, 50),
    yesterday=st.integers(0, 50),
    volume=st.integers(1, 100),
    pattern=st.sampled_from(["today", "yesterday"]),
    splits=st.booleans(),
)
def test_the_legs_add_up_and_no_leg_takes_more_than_its_bucket_has(today, yesterday, volume, pattern, splits):
    if volume > today + yesterday:
        with pytest.raises(OrderRefused):
            split_close(volume, Closable(today, yesterday), pattern, splits)
        return
    legs = split_close(volume, Closable(today, yesterday), pattern, splits)
    assert sum(leg.volume for leg in legs) == volume
    room = {"closetoday": today, "closeyesterday": yesterday, "close": today + yesterday}
    assert all(0 < leg.volume <= room[leg.offset] for leg in legs)


@pytest.mark.parametrize(
    ("last", "direction", "slippage", "tick", "lower", "upper", "price"),
    [
        (3900, "long", 0, 1, 3500, 4300, 3900),
        (3900, "long", 3, 1, 3500, 4300, 3897),
        (3900, "short", 3, 1, 3500, 4300, 3903),
        (5892.6, "long", 0.3, 0.2, 5300, 6480, 5892.2),  # 5892.3 moves on downwards
        (5892.6, "short", 0.3, 0.2, 5300, 6480, 5893),  # 5892.9 moves on upwards
        (3900, "long", 1000, 1, 3500, 4300, 3500),
        (3900, "short", 1000, 1, 3500, 4300, 4300),
        (3900, "long", -1000, 1, 3500, 4300, 4300),
        (3900, "short", 1000, 1, 0, 0, 4900),
        (3900, "long", 5000, 1, 0, 0, 1),
    ],
)
def test_the_price_gives_way_by_the_slippage_onto_the_tick_and_inside_the_limits(
    last, direction, slippage, tick, lower, upper, price
):
    assert close_price(last, direction, slippage, tick, lower, upper) == price


@pytest.mark.parametrize("last", [0, math.nan, 1.79769e308, -5])
def test_without_a_last_price_nothing_is_sent(last):
    with pytest.raises(OrderRefused) as refusal:
        close_price(last, "long", 1, 1)
    assert refusal.value.code == "NO_LAST_PRICE"


@pytest.mark.parametrize(
    ("direction", "bid", "ask", "last", "price"),
    [
        ("long", 99, 101, 100, 99),  # a long position sells to who bids
        ("short", 99, 101, 100, 101),
        ("long", 99, 101, 150, 99),  # the last price may be old
        ("long", 99, 0, 0, 99),
        ("long", 0, 105, 100, 100),  # nobody bids: at the last price,
        ("long", 0, 105, 110, 105),  # or where the others stand who want to sell
        ("long", 0, 105, 0, 105),
        ("long", 0, 0, 100, 100),
        ("short", 95, 0, 100, 100),
        ("short", 95, 1.79769e308, 90, 95),
        ("short", 95, 0, 0, 95),
    ],
)
def test_a_close_meets_who_stands_opposite_else_joins_the_best_of_its_own_side(
    direction, bid, ask, last, price
):
    assert price_to_meet(direction, bid, ask, last) == price


def test_where_there_is_no_price_at_all_there_is_none_to_meet():
    assert price_to_meet("long", 0, 0, 0) == price_to_meet("short", 0, 1.79769e308, math.nan) == 0


@settings(max_examples=200)
@given(
    last=st.integers(1000, 9000),
    slippage=st.floats(0, 50),
    direction=st.sampled_from(["long", "short"]),
    tick=st.sampled_from([0.2, 1, 2, 5]),
)
def test_the_price_is_on_the_tick_and_never_less_willing_than_asked(last, slippage, direction, tick):
    price = close_price(last, direction, slippage, tick)
    assert on_tick(price, tick)
    assert price <= last - slippage + 1e-8 if direction == "long" else price >= last + slippage - 1e-8
