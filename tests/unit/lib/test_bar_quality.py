"""What is missing of a series, by the sessions and the calendar, and what is odd about it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from app.lib.bar_quality import Quality, Stretch, gaps_of, moment, quality
from app.lib.bars import Bar
from app.lib.calendar import SHANGHAI
from app.lib.sessions import sections

RB = "rb2401.SHFE"


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1000)


def whole(*days: str, product: str = "rb") -> list[int]:
    """Every minute of these trading days."""
    found = []
    for day in days:
        for section in sections(product, day):
            at = section.start
            while at < section.end:
                found.append(int(at.timestamp() * 1000))
                at += timedelta(minutes=1)
    return found


def bars(stamps: list[int], **changes: float) -> list[Bar]:
    return [Bar(stamp, 3700.0, 3702.0, 3699.0, 3701.0, 5)._replace(**changes) for stamp in stamps]


def test_whole_days_lack_nothing_over_a_weekend_and_a_holiday() -> None:
    """20230928 is the last day before the holiday; no night before it ends."""
    found = quality(RB, bars(whole("20230927", "20230928", "20231009", "20231010")))
    assert (found.days, found.bars, found.gaps) == (4, 345 * 3 + 225, ([], [], 0, Stretch(0, 0)))
    assert moment(found.first) == "2023-09-26 21:00"
    assert found.remarks == []


def test_a_day_a_section_and_minutes_that_are_missing_are_told_apart() -> None:
    stamps = whole("20231010", "20231012", "20231013")
    gone = {ms("2023-10-12 10:30") + 60_000 * at for at in range(60)}  # a section of its own
    gone |= {ms("2023-10-13 09:10"), ms("2023-10-13 09:11"), ms("2023-10-13 14:00")}
    found = quality(RB, bars([stamp for stamp in stamps if stamp not in gone]))
    assert found.gaps.days == ["20231011"]
    assert found.gaps.sections == [ms("2023-10-12 10:30")]
    assert found.gaps.minutes == 63
    assert found.gaps.longest == Stretch(ms("2023-10-13 09:10"), 2)
    assert found.remarks == ["缺整个交易日：20231011", "缺整节：2023-10-12 10:30"]


def test_what_lies_before_the_first_and_behind_the_last_is_not_missing() -> None:
    stamps = [
        stamp for stamp in whole("20231010") if ms("2023-10-10 09:30") <= stamp < ms("2023-10-10 11:00")
    ]
    assert gaps_of(RB, stamps) == ([], [], 0, Stretch(0, 0))


def test_bars_outside_of_the_sections_are_counted() -> None:
    found = quality(RB, bars([*whole("20231010"), ms("2023-10-10 15:00"), ms("2023-10-10 16:00")]))
    assert found.outside == 2
    assert found.remarks == ["2 根在交易时段之外"]


@pytest.mark.parametrize(("flat", "is_flat"), [(345, True), (200, True), (100, False)])
def test_a_series_whose_bars_have_one_price_is_no_real_one(flat: int, is_flat: bool) -> None:
    stamps = whole("20231010")
    one_price = dict.fromkeys(("open", "high", "low", "close"), 3700.0)
    found = quality(RB, bars(stamps[:flat], **one_price) + bars(stamps[flat:]))
    assert (found.flat, found.is_flat) == (flat, is_flat)
    assert any("四价相同" in text for text in found.remarks) == is_flat


def test_minutes_without_a_trade_are_not_flat_and_odd_rows_are_told() -> None:
    stamps = whole("20231010")
    one_price = dict.fromkeys(("open", "high", "low", "close"), 3700.0)
    found: Quality = quality(RB, bars(stamps, volume=0, complete=False, **one_price), repeated=3)
    assert (found.flat, found.is_flat) == (0, False)
    assert found.remarks == ["3 行重复", "345 根不完整（录制时断过线）"]
