"""Which contract is the main one: by the day before alone, later months only, and never back."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backtest.market_data.continuous import Daily, Segment, dailies, main_of, products_of
from app.backtest.market_data.data import NoData
from app.lib.bars import Bar
from app.lib.calendar import SHANGHAI
from app.lib.errors import BadInput

DAYS = ["20231009", "20231010", "20231011", "20231012", "20231013"]
NEAR, FAR, FARTHEST = "rb2401.SHFE", "rb2405.SHFE", "rb2410.SHFE"


def table(**interest: list[float]) -> dict[str, dict[str, Daily]]:
    """`rb2401_SHFE=[…]`, a figure a day; 0 where the contract did not trade."""
    return {
        name.replace("_", "."): {
            day: Daily(100.0 + at, lots, 1)
            for at, (day, lots) in enumerate(zip(DAYS, row, strict=False))
            if lots
        }
        for name, row in interest.items()
    }


def test_more_than_a_tenth_above_the_present_one_and_from_the_next_day_on() -> None:
    found = main_of(table(rb2401_SHFE=[100, 100, 100, 90, 50], rb2405_SHFE=[10, 110, 110.1, 60, 10]))
    assert found.segments == [Segment(NEAR, DAYS[1], DAYS[2]), Segment(FAR, DAYS[3], DAYS[4])]
    (roll,) = found.rolls
    assert (roll.trading_day, roll.decided, roll.old, roll.new) == (DAYS[3], DAYS[2], NEAR, FAR)
    assert (roll.old_close, roll.new_close, roll.difference) == (102.0, 102.0, 0.0)
    assert (roll.old_open_interest, roll.new_open_interest) == (100, 110.1)
    assert [found.on(day) for day in DAYS] == ["", NEAR, NEAR, FAR, FAR]


def test_never_back_and_never_to_an_earlier_month() -> None:
    found = main_of(
        table(rb2401_SHFE=[10, 500, 500, 500], rb2405_SHFE=[100, 100, 100, 50], rb2410_SHFE=[1, 1, 120, 1])
    )
    assert [one.local_symbol for one in found.segments] == [FAR, FARTHEST]
    assert found.on(DAYS[3]) == FARTHEST


def test_one_that_trades_no_more_is_followed_by_the_largest_of_the_later() -> None:
    found = main_of(
        table(rb2401_SHFE=[100, 100, 0, 0], rb2405_SHFE=[10, 10, 10, 10], rb2410_SHFE=[20, 20, 20, 20])
    )
    assert [one.local_symbol for one in found.segments] == [NEAR, FARTHEST]
    assert found.segments[1].first == DAYS[3]


def test_the_year_of_an_exchange_with_one_digit_is_that_of_the_day() -> None:
    day = {"20191010": Daily(1.0, 100.0, 1), "20191011": Daily(1.0, 100.0, 1)}
    later = {"20191010": Daily(1.0, 200.0, 1), "20191011": Daily(1.0, 200.0, 1)}
    found = main_of({"SR911.CZCE": day, "SR001.CZCE": later})
    assert found.segments[0].local_symbol == "SR001.CZCE"


LOTS = st.integers(0, 300)


@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(0, 300), st.integers(0, 300)), min_size=2, max_size=5)
)
def test_what_comes_later_changes_nothing_before(rows: list[tuple[int, int, int]]) -> None:
    names = ("rb2401_SHFE", "rb2405_SHFE", "rb2410_SHFE")
    whole = main_of(table(**dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))))
    for length in range(2, len(rows) + 1):
        part = main_of(table(**dict(zip(names, map(list, zip(*rows[:length], strict=True)), strict=True))))
        assert [part.on(day) for day in DAYS[:length]] == [whole.on(day) for day in DAYS[:length]]
    order = [one.local_symbol for one in whole.segments]
    assert order == sorted(set(order))


def bar(moment: datetime, close: float, interest: float) -> Bar:
    return Bar(int(moment.timestamp() * 1000), close, close, close, close, 5, 0.0, interest)


def test_a_days_figures_have_its_night_and_the_last_open_interest_that_was_told() -> None:
    night = datetime(2023, 10, 9, 21, tzinfo=SHANGHAI)
    bars = [
        bar(night, 1.0, 7.0),
        bar(night + timedelta(minutes=1), 2.0, 8.0),
        bar(night + timedelta(hours=12), 3.0, 0.0),
    ]
    assert dailies({NEAR: bars}) == {NEAR: {"20231010": Daily(3.0, 8.0, 15)}}


def test_what_cannot_be_told_is_said() -> None:
    with pytest.raises(NoData, match="两个交易日"):
        main_of(table(rb2401_SHFE=[100]))
    with pytest.raises(NoData, match="没有持仓量"):
        main_of({NEAR: {day: Daily(1.0, 0.0, 1) for day in DAYS}})
    with pytest.raises(BadInput, match="不认识的品种 zz"):
        products_of(["zz"], {})
    with pytest.raises(NoData, match="没有品种 m "):
        products_of(["m"], {NEAR: []})
