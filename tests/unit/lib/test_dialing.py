"""When to be connected: the dates of docs/domain.md, with the clock passed in, in Shanghai's time and in
others.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lib import calendar
from app.lib.calendar import SHANGHAI
from app.lib.dialing import is_open, window_from, windows

MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def spans(first: str, last: str) -> list[str]:
    """What somebody does who looks at the clock every minute: `dialled - hung up` of each connection between
    two moments.
    """
    result, moment, since = [], at(first), ""
    while moment < at(last):
        now = f"{moment:%m-%d %H:%M}"
        if is_open(moment):
            since = since or now
        elif since:
            result.append(f"{since} - {now}")
            since = ""
        moment += MINUTE
    return result


def test_an_ordinary_week_has_a_night_before_each_day_and_fridays_night_is_mondays() -> None:
    assert spans("2025-06-05T12:00", "2025-06-10T12:00") == [
        "06-05 12:00 - 06-05 15:30",
        "06-05 20:35 - 06-06 02:45",
        "06-06 08:35 - 06-06 15:30",
        "06-06 20:35 - 06-07 02:45",
        "06-09 08:35 - 06-09 15:30",
        "06-09 20:35 - 06-10 02:45",
    ]
    assert window_from(at("2025-06-07T01:10")).trading_day == date(2025, 6, 9)


@pytest.mark.parametrize(
    ("eve", "back"),
    [
        ("2025-01-27", "2025-02-05"),
        ("2025-04-03", "2025-04-07"),
        ("2025-05-30", "2025-06-03"),
        ("2025-09-30", "2025-10-09"),  # with a working Sunday before it and a working Saturday after it
        ("2026-02-13", "2026-02-24"),
        ("2026-04-03", "2026-04-07"),
        ("2026-06-18", "2026-06-22"),
        ("2026-09-24", "2026-09-28"),
    ],
)
def test_before_a_holiday_there_is_no_night_and_nobody_dials_until_the_morning_after(
    eve: str, back: str
) -> None:
    assert is_open(at(f"{eve}T15:29"))
    ahead = window_from(at(f"{eve}T15:30"))
    assert ahead.start == at(f"{back}T08:35")
    assert ahead.trading_day == date.fromisoformat(back)
    assert ahead.sure


@pytest.mark.parametrize("day", ["2025-09-28", "2025-10-11", "2025-06-08"])
def test_working_weekends_are_not_dialled(day: str) -> None:
    assert not any(is_open(at(f"{day}T{hour:02d}:30")) for hour in range(4, 24))


def test_the_moment_counts_not_the_hosts_zone() -> None:
    for zone in ("UTC", "America/New_York"):
        moment = at("2025-06-06T21:00").astimezone(ZoneInfo(zone))
        assert is_open(moment)
        assert window_from(moment).trading_day == date(2025, 6, 9)
        assert not is_open(at("2025-06-06T16:30").astimezone(ZoneInfo(zone)))


def test_without_nights_at_all_the_days_are_dialled_alone() -> None:
    assert [(window.start, window.end) for window in windows(date(2020, 3, 3))] == [
        (at("2020-03-03T08:35"), at("2020-03-03T15:30"))
    ]


def test_beyond_the_calendar_weekdays_are_dialled_nights_too_and_said_to_be_unsure() -> None:
    assert window_from(at("2026-12-30T22:00")).sure
    beyond = window_from(at("2027-03-09T22:00"))
    assert beyond.start == at("2027-03-09T20:35")
    assert beyond.trading_day == date(2027, 3, 10)
    assert not beyond.sure


@pytest.fixture
def overridden(tmp_path: Path) -> Iterator[None]:
    file = tmp_path / "days.toml"
    file.write_text("closed = [2027-03-10]\nsure_until = 2027-12-31\n")
    calendar.use_overrides(file)
    yield
    calendar.use_overrides(None)


@pytest.mark.usefixtures("overridden")
def test_an_override_file_closes_a_day_and_its_evening() -> None:
    ahead = window_from(at("2027-03-09T15:30"))
    assert ahead.start == at("2027-03-11T08:35")
    assert ahead.sure


@given(st.datetimes(datetime(2015, 1, 5), datetime(2030, 1, 1)))
def test_a_window_is_found_for_any_moment_and_lies_not_behind_it(naive: datetime) -> None:
    moment = naive.replace(tzinfo=SHANGHAI)
    window = window_from(moment)
    assert moment < window.end
    assert window.start < window.end
    assert window.start - moment < timedelta(days=13)
    assert window_from(window.start) == window
    assert window_from(window.end - MINUTE) == window
