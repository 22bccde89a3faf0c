"""The dialer through days and weeks, by a clock that the test sets: when it dials, when it lets go, and a
login by hand outside hours.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.gateway.dialer import Dialer
from app.lib import calendar
from app.lib.calendar import SHANGHAI
from app.process.event_loop import EventLoop

MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


class Front:
    """Ready as soon as it is dialled, while its counter answers."""

    def __init__(self, week: Week) -> None:
        self._week = week
        self.state = "ready"
        self.is_given_up = False

    def rest(self, until: datetime) -> None:
        self.state = "resting"
        self._week.told.append(f"{self._week.now:%m-%d %H:%M} rest until {until:%m-%d %H:%M}")

    def wake(self) -> None:
        self.state = "ready"
        self._week.told.append(f"{self._week.now:%m-%d %H:%M} dial")


class Week:
    """Time that passes a minute a look."""

    def __init__(self, start: str) -> None:
        self.now = at(start)
        self.told: list[str] = []
        self.front = Front(self)
        self.dialer = Dialer(EventLoop(), lambda: [self.front], lambda: self.now)

    def until(self, end: str) -> list[str]:
        while self.now < at(end):
            self.dialer.look()
            self.now += MINUTE
        return self.told


def test_a_week_with_its_nights_a_friday_night_and_a_weekend() -> None:
    assert Week("2025-06-05T10:00").until("2025-06-10T10:00") == [
        "06-05 15:30 rest until 06-05 20:35",
        "06-05 20:35 dial",
        "06-06 02:45 rest until 06-06 08:35",
        "06-06 08:35 dial",
        "06-06 15:30 rest until 06-06 20:35",
        "06-06 20:35 dial",
        "06-07 02:45 rest until 06-09 08:35",
        "06-09 08:35 dial",
        "06-09 15:30 rest until 06-09 20:35",
        "06-09 20:35 dial",
        "06-10 02:45 rest until 06-10 08:35",
        "06-10 08:35 dial",
    ]


@pytest.mark.parametrize(
    ("eve", "back"),
    [
        ("2025-01-27", "2025-02-05"),
        ("2025-09-30", "2025-10-09"),
        ("2026-02-13", "2026-02-24"),
        ("2026-04-03", "2026-04-07"),
    ],
)
def test_before_a_holiday_there_is_no_night_and_nothing_is_dialled_until_it_is_over(
    eve: str, back: str
) -> None:
    told = Week(f"{eve}T14:00").until(f"{back}T09:00")
    assert told == [f"{eve[5:]} 15:30 rest until {back[5:]} 08:35", f"{back[5:]} 08:35 dial"]


def test_an_order_at_night_a_front_lost_and_back_are_left_to_the_library_within_the_hours() -> None:
    week = Week("2025-06-07T00:45")  # a Saturday's small hours: Friday's night
    week.front.state = "lost"
    assert week.until("2025-06-07T02:44") == []
    week.front.state = "ready"
    assert week.until("2025-06-07T03:00") == ["06-07 02:45 rest until 06-09 08:35"]


def test_a_login_by_hand_outside_the_hours_is_tried_and_rests_only_when_it_is_lost() -> None:
    week = Week("2025-06-07T12:00")
    week.front.state = "logging_in"
    assert week.until("2025-06-07T13:00") == []
    week.front.state = "ready"  # some counters answer on a Saturday
    assert week.until("2025-06-07T14:00") == []
    week.front.state = "lost"
    assert week.until("2025-06-07T14:01") == ["06-07 14:00 rest until 06-09 08:35"]


def test_a_refused_login_is_neither_let_go_nor_dialled_again() -> None:
    week = Week("2025-06-06T15:00")
    week.front.state, week.front.is_given_up = "refused", True
    assert week.until("2025-06-07T00:00") == []


def test_a_refused_market_front_is_dialled_again_at_each_window() -> None:
    week = Week("2025-06-06T15:00")
    week.front.state = "refused"
    assert week.until("2025-06-06T21:00") == ["06-06 15:30 rest until 06-06 20:35", "06-06 20:35 dial"]


def test_beyond_the_calendar_weekdays_are_dialled_and_it_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert Week("2027-03-09T15:00").until("2027-03-09T21:00") == [
        "03-09 15:30 rest until 03-09 20:35",
        "03-09 20:35 dial",
    ]
    assert (
        sum("交易日历不能确定" in record.getMessage() for record in caplog.records) == 2
    )  # the day's window, and the night's


@pytest.mark.parametrize(
    ("eve", "back"),
    [
        ("2026-12-31", "2027-01-04"),
        ("2027-02-04", "2027-02-15"),
        ("2027-04-30", "2027-05-06"),
        ("2027-09-30", "2027-10-08"),
    ],
)
def test_the_holidays_of_2027_are_not_dialled(eve: str, back: str) -> None:
    told = Week(f"{eve}T15:00").until(f"{back}T09:00")
    assert told == [f"{eve[5:]} 15:30 rest until {back[5:]} 08:35", f"{back[5:]} 08:35 dial"]


def test_a_calendar_that_is_corrected_while_it_rests_counts_at_once(tmp_path: Path) -> None:
    file = tmp_path / "days.toml"
    file.write_text("")
    calendar.use_overrides(file)
    try:
        week = Week("2027-02-11T15:00")
        week.front.state = "resting"
        assert week.until("2027-02-12T08:00") == []
        file.write_text("open = [2027-02-12]\n")
        calendar.refresh()
        assert week.until("2027-02-12T09:00") == ["02-12 08:35 dial"]
    finally:
        calendar.use_overrides(None)
