"""Trading days, nights and the trading day of a moment: the dates that went wrong for others."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lib import calendar
from app.lib.calendar import (
    SHANGHAI,
    compact,
    has_night,
    is_sure,
    is_trading_day,
    next_trading_day,
    nth_trading_day,
    parse_day,
    previous_trading_day,
    trading_day_of,
    wall_time,
)
from app.lib.errors import SettingsError
from tests.unit.recorded import DATA, needs_data


@pytest.fixture(params=["Asia/Shanghai", "UTC", "America/New_York"], autouse=True)
def host_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test here runs on hosts in three zones: nothing may depend on it."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("day", "following"),
    [
        ("2025-01-27", "2025-02-05"),  # Spring Festival
        ("2025-06-06", "2025-06-09"),
        ("2025-09-26", "2025-09-29"),  # over the working Sunday 09-28
        ("2025-09-30", "2025-10-09"),  # National Day; 10-11 is a working Saturday
        ("2025-10-10", "2025-10-13"),
        ("2026-02-13", "2026-02-24"),
        ("2018-10-12", "2018-10-15"),
        ("2023-09-28", "2023-10-09"),
        ("2024-02-08", "2024-02-19"),  # the eve 02-09 was closed too
    ],
)
def test_the_next_trading_day_jumps_weekends_and_holidays(day: str, following: str) -> None:
    assert next_trading_day(date.fromisoformat(day)) == date.fromisoformat(following)
    assert previous_trading_day(date.fromisoformat(following)) == date.fromisoformat(day)


@pytest.mark.parametrize("day", ["2025-09-28", "2025-10-11", "2025-02-08", "2024-02-09", "2025-01-28", "2025-06-07"])
def test_working_weekends_and_holidays_are_not_trading_days(day: str) -> None:
    assert not is_trading_day(date.fromisoformat(day))
    assert is_sure(date.fromisoformat(day))


@pytest.mark.parametrize(
    ("evening", "night"),
    [
        ("2025-06-05", True),  # a Thursday
        ("2025-06-06", True),  # a Friday, Monday is traded
        ("2025-06-07", False),  # Saturday
        ("2025-06-08", False),  # Sunday, although Monday is traded
        ("2025-01-27", False),
        ("2025-04-03", False),  # Thursday before a Friday holiday
        ("2025-05-30", False),  # Friday before a Monday holiday
        ("2026-04-03", False),
        ("2026-06-18", False),
        ("2026-09-24", False),
        ("2025-09-30", False),
        ("2026-02-13", False),
        ("2025-02-05", True),
        ("2020-01-23", False),
        ("2020-02-03", False),  # nights were suspended from here
        ("2020-04-29", False),
        ("2020-04-30", False),
        ("2020-05-06", True),  # the first night again, of trading day 05-07
    ],
)
def test_a_night_begins_only_before_a_trading_day_that_is_next_or_after_the_weekend(evening: str, night: bool) -> None:
    assert has_night(date.fromisoformat(evening)) is night


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2025-06-06 14:59:59", "20250606"),
        ("2025-06-06 19:59:59", "20250606"),
        ("2025-06-06 20:00:00", "20250609"),
        ("2025-06-06 21:00:00", "20250609"),
        ("2025-06-07 00:00:00", "20250609"),  # Saturday, the night of ag and sc
        ("2025-06-07 00:45:00", "20250609"),
        ("2025-06-07 02:30:00", "20250609"),
        ("2025-06-08 12:00:00", "20250609"),
        ("2025-06-09 14:00:00", "20250609"),
        ("2025-06-09 21:00:00", "20250610"),
        ("2025-06-10 01:00:00", "20250610"),
        ("2018-10-12 21:00:00", "20181015"),
        ("2023-09-28 15:00:00", "20230928"),
        ("2023-09-28 21:00:00", "20231009"),
        ("2025-01-27 15:00:00", "20250127"),
        ("2025-01-27 21:00:00", "20250205"),  # nothing trades, the day is over all the same
        ("2025-01-31 10:00:00", "20250205"),
        ("2025-09-28 10:00:00", "20250929"),
        ("2025-10-11 10:00:00", "20251013"),
    ],
)
def test_the_trading_day_of_a_moment(moment: str, day: str) -> None:
    local = at(moment)
    assert compact(trading_day_of(local)) == day
    assert compact(trading_day_of(local.astimezone(UTC))) == day


def test_three_exchanges_stamp_friday_night_differently_and_it_is_one_moment() -> None:
    true_day = date(2025, 6, 9)
    login = [wall_time(true_day, "21:00:00", ms) for ms in (500, 0, 0)]  # SHFE, DCE, CZCE: only the time of day is used
    assert [moment.isoformat() for moment in login] == [
        "2025-06-06T21:00:00.500000+08:00",
        "2025-06-06T21:00:00+08:00",
        "2025-06-06T21:00:00+08:00",
    ]
    assert {trading_day_of(moment) for moment in login} == {true_day}


@pytest.mark.parametrize(
    ("day", "update_time", "moment"),
    [
        ("20250609", "01:10:00", "2025-06-07 01:10:00"),  # Saturday
        ("20250609", "09:00:00", "2025-06-09 09:00:00"),
        ("20250610", "02:29:59", "2025-06-10 02:29:59"),
        ("20200803", "19:29:00", "2020-07-31 19:29:00"),  # a login snapshot of the Friday before
    ],
)
def test_a_ticks_wall_time_comes_from_the_trading_day_and_its_clock(day: str, update_time: str, moment: str) -> None:
    assert wall_time(parse_day(day), update_time) == at(moment)


@given(st.datetimes(datetime(2010, 1, 1), datetime(2026, 12, 1)))
def test_every_moment_has_one_trading_day_and_time_never_takes_it_back(naive: datetime) -> None:
    moment = naive.replace(tzinfo=SHANGHAI)
    day = trading_day_of(moment)
    assert is_trading_day(day)
    assert day >= moment.date()
    assert trading_day_of(moment + timedelta(minutes=37)) >= day


def test_beyond_the_library_weekdays_are_guessed_and_said_to_be_unsure() -> None:
    assert is_sure(date(2026, 12, 31))
    assert calendar.last_sure_day() >= date(2026, 12, 31)
    beyond = calendar.last_sure_day() + timedelta(days=30)
    while beyond.weekday() != 2:
        beyond += timedelta(days=1)
    assert not is_sure(beyond)
    assert is_trading_day(beyond)
    assert not is_trading_day(beyond + timedelta(days=3))


def test_an_override_file_closes_opens_and_extends(tmp_path: Path) -> None:
    far = calendar.last_sure_day() + timedelta(days=200)
    monday = far - timedelta(days=far.weekday())
    saturday = monday + timedelta(days=5)
    path = tmp_path / "calendar.toml"
    path.write_text(f"closed = [{monday}, 2025-06-06]\nopen = [{saturday}]\nsure_until = {saturday}\n", "utf-8")
    calendar.use_overrides(path)
    try:
        assert not is_trading_day(monday)
        assert is_trading_day(saturday)
        assert is_sure(saturday)
        assert next_trading_day(date(2025, 6, 5)) == date(2025, 6, 9)
        assert not has_night(date(2025, 6, 5))
    finally:
        calendar.use_overrides(None)
    assert is_trading_day(date(2025, 6, 6))


@pytest.mark.parametrize("text", ["closed = 3\n", "holidays = []\n", "closed = [", "sure_until = 2026-01-01T00:00:00\n", 'open = ["x"]\n'])
def test_a_wrong_override_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "calendar.toml"
    path.write_text(text, "utf-8")
    try:
        with pytest.raises(SettingsError, match=r"calendar\.toml"):
            calendar.use_overrides(path)
    finally:
        calendar.use_overrides(None)


def test_days_counted_within_a_month() -> None:
    assert nth_trading_day(2025, 3, 10) == date(2025, 3, 14)
    assert nth_trading_day(2025, 3, -4) == date(2025, 3, 26)
    assert nth_trading_day(2025, 12, -1) == date(2025, 12, 31)


@pytest.mark.parametrize("text", ["2025010", "202501011", "20250230", "2025-1-1", "２０２５０１０１", ""])
def test_what_is_not_a_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_day(text)


@needs_data
def test_the_calendar_agrees_with_a_list_of_holidays_of_fifteen_years() -> None:
    holidays = set(json.loads((DATA / "instruments" / "wt_holidays.json").read_text("utf-8"))["CHINA"])
    day = date(2008, 1, 1)
    while day <= parse_day(max(holidays)):
        assert is_trading_day(day) is (day.weekday() < 5 and compact(day) not in holidays), day
        day += timedelta(days=1)


@needs_data
def test_the_extra_closures_of_the_exchanges_are_not_trading_days() -> None:
    lines = (DATA / "instruments" / "extra_closures.csv").read_text("utf-8-sig").splitlines()[1:]
    assert lines
    assert not [line for line in lines if is_trading_day(date.fromisoformat(line.split(",")[1]))]
