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
from app.lib.sessions import phase
from tests.support.recorded import DATA, needs_data


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


@pytest.mark.parametrize(
    "day", ["2025-09-28", "2025-10-11", "2025-02-08", "2024-02-09", "2025-01-28", "2025-06-07"]
)
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
def test_a_night_begins_only_before_a_trading_day_that_is_next_or_after_the_weekend(
    evening: str, night: bool
) -> None:
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
    login = [
        wall_time(true_day, "21:00:00", ms) for ms in (500, 0, 0)
    ]  # SHFE, DCE, CZCE: only the time of day is used
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
def test_a_ticks_wall_time_comes_from_the_trading_day_and_its_clock(
    day: str, update_time: str, moment: str
) -> None:
    assert wall_time(parse_day(day), update_time) == at(moment)


@given(st.datetimes(datetime(2010, 1, 1), datetime(2026, 12, 1)))
def test_every_moment_has_one_trading_day_and_time_never_takes_it_back(naive: datetime) -> None:
    moment = naive.replace(tzinfo=SHANGHAI)
    day = trading_day_of(moment)
    assert is_trading_day(day)
    assert day >= moment.date()
    assert trading_day_of(moment + timedelta(minutes=37)) >= day


def test_beyond_the_library_and_the_package_weekdays_are_guessed_and_said_to_be_unsure() -> None:
    assert is_sure(date(2026, 12, 31))
    beyond = date(2031, 7, 2)  # a Wednesday
    assert not is_sure(beyond)
    assert is_trading_day(beyond)
    assert not is_trading_day(beyond + timedelta(days=3))


@pytest.mark.parametrize(
    ("day", "following"),
    [
        ("2026-12-31", "2027-01-04"),
        ("2027-02-04", "2027-02-15"),
        ("2027-04-02", "2027-04-06"),
        ("2027-04-30", "2027-05-06"),
        ("2027-06-08", "2027-06-10"),
        ("2027-09-14", "2027-09-16"),
        ("2027-09-30", "2027-10-08"),
    ],
)
def test_the_holidays_of_2027_are_known_before_the_library_has_them(day: str, following: str) -> None:
    assert next_trading_day(date.fromisoformat(day)) == date.fromisoformat(following)
    assert previous_trading_day(date.fromisoformat(following)) == date.fromisoformat(day)
    assert not has_night(date.fromisoformat(day))


def test_no_weekend_of_2027_is_traded_whatever_working_days_are_made_of_them() -> None:
    days = [date(2027, 1, 1) + timedelta(days=number) for number in range(365)]
    assert not [day for day in days if day.weekday() >= 5 and is_trading_day(day)]


def test_the_packages_holidays_fall_on_the_lunar_calendars_days() -> None:
    """By another hand: the library's own table of the lunar calendar, which goes further than its Shanghai
    sessions.
    """
    from exchange_calendars import lunisolar_holidays  # with pandas: only the process that runs this pays

    spring = {stamp.date() for stamp in lunisolar_holidays.chinese_lunar_new_year_dates}
    for year, holidays in calendar.packaged().items():
        new_year = next(day for day in spring if day.year == year)
        of_law = [
            date(year, 1, 1),
            new_year - timedelta(days=1),
            date(year, 5, 1),
            date(year, 5, 2),
            date(year, 10, 1),
        ]
        for table in ("qingming_festival_dates", "dragon_boat_festival_dates", "mid_autumn_festival_dates"):
            of_law += [stamp.date() for stamp in getattr(lunisolar_holidays, table) if stamp.year == year]
        assert len(of_law) == 8
        assert not [day for day in of_law if is_trading_day(day)]
        assert all(day.weekday() < 5 and day.year == year for day in holidays.closed)


def test_what_is_only_assumed_is_never_said_to_be_known() -> None:
    holidays = calendar.packaged()[2027]
    assert holidays.assumed
    assert not is_sure(date(2027, 1, 4))
    assert "推定到 2027-12-31" in calendar.outlook(date(2028, 1, 3)).text
    assert not is_sure(date(2027, 2, 8))
    assert not is_sure(date(2027, 3, 10))


def test_a_year_whose_notice_has_been_read_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    read = {2027: calendar.Holidays(False, frozenset({date(2027, 3, 10)}))}
    monkeypatch.setattr(calendar, "packaged", lambda: read)
    calendar.forget()
    try:
        assert calendar.outlook(date(2027, 6, 1)).text == "确知到 2027-12-31"
        assert "推定到" not in calendar.outlook(date(2028, 1, 3)).text
        assert not is_trading_day(date(2027, 3, 10))
        assert is_sure(date(2027, 3, 10))
        assert is_sure(date(2027, 3, 11))
    finally:
        monkeypatch.undo()
        calendar.forget()


def test_days_that_the_library_knows_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer library knows 2027 better than the package's table."""
    later = {2025: calendar.Holidays(True, frozenset({date(2025, 6, 6)}))}
    monkeypatch.setattr(calendar, "packaged", lambda: later)
    calendar.forget()
    try:
        assert is_trading_day(date(2025, 6, 6))
        assert is_sure(date(2025, 6, 6))
    finally:
        monkeypatch.undo()
        calendar.forget()


def test_the_counters_trading_day_is_traded_whatever_was_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trading_day_of(at("2027-02-12 10:00:00")) == date(2027, 2, 15)
    cleared: list[str] = []
    monkeypatch.setattr(calendar, "_dependants", [*calendar._dependants, lambda: cleared.append("cleared")])
    try:
        calendar.confirm(date(2027, 2, 12))
        calendar.confirm(date(2027, 2, 15))  # nothing new
        calendar.confirm(
            date(2027, 2, 13)
        )  # a Saturday is the day of a front that never rests, not of an exchange
        assert cleared == ["cleared"]
        assert trading_day_of(at("2027-02-12 10:00:00")) == date(2027, 2, 12)
        assert is_sure(date(2027, 2, 12))
        assert not is_trading_day(date(2027, 2, 13))
    finally:
        calendar.use_overrides(None)
    assert not is_trading_day(date(2027, 2, 12))


@pytest.mark.parametrize(
    ("today", "state", "words"),
    [
        ("2026-11-28", "sure", "2026-12-31"),
        ("2026-12-01", "assumed", "2027-12-31"),
        ("2027-06-01", "assumed", "2027-12-31"),
        ("2027-12-01", "guessed", "工作日"),
        ("2028-03-01", "guessed", "工作日"),
    ],
)
def test_the_end_of_what_is_known_is_told_thirty_days_ahead(today: str, state: str, words: str) -> None:
    told = calendar.outlook(date.fromisoformat(today))
    assert told.state == state
    assert words in told.text
    assert ("calendar_file" in told.text) is (state != "sure")


def test_an_override_file_closes_opens_and_extends(tmp_path: Path) -> None:
    far = date(2027, 7, 19)
    assert not is_sure(far)
    monday = far - timedelta(days=far.weekday())
    saturday = monday + timedelta(days=5)
    path = tmp_path / "calendar.toml"
    path.write_text(
        f"closed = [{monday}, 2025-06-06]\nopen = [{saturday}]\nsure_until = {saturday}\n", "utf-8"
    )
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


def test_a_file_corrects_what_was_assumed_and_one_that_is_sure_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "calendar.toml"
    path.write_text("open = [2027-02-12]\nclosed = [2027-06-10]\n", "utf-8")
    calendar.use_overrides(path)
    try:
        assert is_trading_day(date(2027, 2, 12))
        assert not is_trading_day(date(2027, 6, 10))
        assert not is_trading_day(date(2027, 2, 11))
        assert not is_sure(date(2027, 2, 11))
        path.write_text(
            "closed = [2027-01-01, 2027-02-05]\nsure_until = 2027-03-31\n", "utf-8"
        )  # up to here it has them all
        calendar.use_overrides(path)
        assert is_trading_day(date(2027, 2, 12))
        assert is_sure(date(2027, 2, 12))
        assert not is_trading_day(date(2027, 2, 5))
        assert not is_trading_day(date(2027, 4, 5))
        assert not is_sure(date(2027, 4, 5))
    finally:
        calendar.use_overrides(None)


def test_a_file_that_changes_is_read_again_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "calendar.toml"
    path.write_text("", "utf-8")
    calendar.use_overrides(path)
    try:
        assert not calendar.refresh()
        assert not has_night(date(2027, 2, 11))
        assert phase("rb", at("2027-02-12 10:00:00")) == "closed"
        path.write_text("open = [2027-02-12]\n", "utf-8")
        assert not is_trading_day(date(2027, 2, 12))  # nobody has looked yet
        assert calendar.refresh()
        assert not calendar.refresh()
        assert is_trading_day(date(2027, 2, 12))
        assert phase("rb", at("2027-02-12 10:00:00")) == "continuous"
        for broken in ("open = 3\n", None, "open = [\n"):
            path.unlink() if broken is None else path.write_text(broken, "utf-8")
            for _ in range(2):  # told for as long as it is so
                with pytest.raises(SettingsError, match=r"calendar\.toml"):
                    calendar.refresh()
            assert is_trading_day(date(2027, 2, 12))
        path.write_text("\n", "utf-8")
        assert calendar.refresh()
        assert not is_trading_day(date(2027, 2, 12))
    finally:
        calendar.use_overrides(None)


@pytest.mark.parametrize(
    "text",
    ["closed = 3\n", "holidays = []\n", "closed = [", "sure_until = 2026-01-01T00:00:00\n", 'open = ["x"]\n'],
)
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
    with pytest.raises(ValueError, match=r"not a day|day .*range"):
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
