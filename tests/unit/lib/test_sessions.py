"""Trading hours: sections, auctions, phases, and the minute that a print belongs to."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lib import sessions
from app.lib.calendar import (
    SHANGHAI,
    compact,
    has_night,
    is_trading_day,
    next_trading_day,
    previous_trading_day,
    trading_day_of,
)
from app.lib.sessions import (
    AlwaysHours,
    ExchangeHours,
    bar_start,
    hours_named,
    hours_of,
    periods,
    phase,
    products_on,
    section_ends,
    sections,
)
from tests.support.recorded import needs_data, table

MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def told(product: str, day: str) -> list[str]:
    return [
        f"{section.start:%m-%d %H:%M}-{section.end:%m-%d %H:%M}"
        for section in sessions.sections(product, day)
    ]


DAY_SECTIONS = ["09:00-10:15", "10:30-11:30", "13:30-15:00"]


def of_day(day: str, spans: list[str]) -> list[str]:
    return ["-".join(f"{day} {clock}" for clock in span.split("-")) for span in spans]


@pytest.mark.parametrize(
    ("product", "day", "expected"),
    [
        ("ru", "20181008", of_day("10-08", DAY_SECTIONS)),  # after National Day: no night
        ("ru", "20181015", ["10-12 21:00-10-12 23:00", *of_day("10-15", DAY_SECTIONS)]),  # Friday night
        ("rb", "20231009", of_day("10-09", DAY_SECTIONS)),
        ("rb", "20231010", ["10-09 21:00-10-09 23:00", *of_day("10-10", DAY_SECTIONS)]),
        (
            "rb",
            "20160503",
            ["04-29 21:00-04-30 01:00", *of_day("05-03", DAY_SECTIONS)][1:],
        ),  # the eve of Labour Day
        ("rb", "20160504", ["05-03 21:00-05-03 23:00", *of_day("05-04", DAY_SECTIONS)]),
        ("rb", "20160420", ["04-19 21:00-04-20 01:00", *of_day("04-20", DAY_SECTIONS)]),
        ("AP", "20200804", of_day("08-04", DAY_SECTIONS)),
        ("IF", "20210104", of_day("01-04", ["09:30-11:30", "13:00-15:00"])),
        ("IF", "20151231", of_day("12-31", ["09:15-11:30", "13:00-15:15"])),
        ("T", "20250609", of_day("06-09", ["09:30-11:30", "13:00-15:15"])),
        ("ag", "20250609", ["06-06 21:00-06-07 02:30", *of_day("06-09", DAY_SECTIONS)]),
        ("cu", "20250610", ["06-09 21:00-06-10 01:00", *of_day("06-10", DAY_SECTIONS)]),
        ("sc", "20250603", of_day("06-03", DAY_SECTIONS)),
        ("sc", "20180326", of_day("03-26", DAY_SECTIONS)),  # its first day
        ("m", "20200420", of_day("04-20", DAY_SECTIONS)),  # nights suspended
        ("m", "20200507", ["05-06 21:00-05-06 23:00", *of_day("05-07", DAY_SECTIONS)]),
    ],
)
def test_the_sections_of_a_trading_day(product: str, day: str, expected: list[str]) -> None:
    assert told(product, day) == expected


@pytest.mark.parametrize(
    ("product", "moment", "expected"),
    [
        ("rb", "2025-06-06 20:54:59", "closed"),
        ("rb", "2025-06-06 20:55:00", "auction"),
        ("rb", "2025-06-06 20:58:59.9", "auction"),
        ("rb", "2025-06-06 20:59:00", "closed"),  # matching
        ("rb", "2025-06-06 21:00:00", "continuous"),
        ("rb", "2025-06-06 23:00:00", "closed"),
        ("ag", "2025-06-07 02:29:59", "continuous"),
        ("ag", "2025-06-07 02:30:00", "closed"),
        ("rb", "2025-06-09 08:56:00", "auction"),  # the second one, since 2023-05-26
        ("rb", "2023-05-25 08:56:00", "closed"),
        ("rb", "2023-05-26 08:56:00", "auction"),
        ("SR", "2025-06-09 08:56:00", "closed"),  # CZCE's night products: cancel only
        ("SR", "2025-06-03 08:56:00", "auction"),  # no night before
        ("AP", "2025-06-09 08:56:00", "auction"),
        ("rb", "2025-06-09 10:20:00", "closed"),
        ("rb", "2025-06-09 10:29:00", "closed"),
        ("IF", "2025-06-09 09:25:00", "auction"),
        ("IF", "2025-06-09 09:29:00", "closed"),
        ("IF", "2025-06-09 10:20:00", "continuous"),
        ("IF", "2025-06-09 13:00:00", "continuous"),
        ("IF", "2025-06-09 15:00:00", "closed"),
        ("T", "2025-06-09 15:14:59", "continuous"),
        ("rb", "2025-06-08 10:00:00", "closed"),
        ("rb", "2025-05-30 21:30:00", "closed"),  # the eve of a holiday
        ("rb", "2025-09-28 10:00:00", "closed"),  # a working Sunday
    ],
)
def test_the_phase_of_a_moment(product: str, moment: str, expected: str) -> None:
    assert phase(product, at(moment)) == expected
    assert phase(product, at(moment).astimezone(UTC)) == expected


@pytest.mark.parametrize(
    ("product", "day", "moment", "expected"),
    [
        ("ru", "20181008", "2018-10-08 09:00:00.5", "2018-10-08 09:00"),
        ("ru", "20181008", "2018-10-08 09:00:59.999", "2018-10-08 09:00"),
        ("ru", "20181008", "2018-10-08 08:59:00.5", "2018-10-08 09:00"),  # the auction's print
        ("ru", "20181009", "2018-10-08 20:59:00.5", "2018-10-08 21:00"),
        ("ru", "20181009", "2018-10-09 08:59:00", None),  # no auction in the morning then
        ("ru", "20181008", "2018-10-08 10:15:00", "2018-10-08 10:14"),
        ("ru", "20181008", "2018-10-08 10:15:00.5", "2018-10-08 10:14"),
        ("ru", "20181008", "2018-10-08 10:15:02", None),
        ("ru", "20181008", "2018-10-08 10:30:00", "2018-10-08 10:30"),
        ("ru", "20181008", "2018-10-08 11:30:00", "2018-10-08 11:29"),
        ("ru", "20181008", "2018-10-08 15:00:00.5", "2018-10-08 14:59"),
        ("ru", "20181015", "2018-10-12 23:00:00", "2018-10-12 22:59"),
        ("ag", "20250609", "2025-06-07 02:30:00", "2025-06-07 02:29"),
        ("cu", "20250610", "2025-06-10 01:00:00", "2025-06-10 00:59"),
        ("AP", "20200804", "2020-08-03 19:22:55", None),  # a login snapshot
        ("AP", "20200804", "2020-08-04 14:59:59", "2020-08-04 14:59"),
        ("IF", "20210104", "2021-01-04 09:29:00.4", "2021-01-04 09:30"),
        ("IF", "20210104", "2021-01-04 10:20:00", "2021-01-04 10:20"),
        ("IF", "20210104", "2021-01-04 13:00:00", "2021-01-04 13:00"),
        ("IF", "20210104", "2021-01-04 15:00:00.4", "2021-01-04 14:59"),
        ("IF", "20210104", "2021-01-04 15:30:48.9", None),  # a settlement snapshot
        ("T", "20250609", "2025-06-09 15:15:00", "2025-06-09 15:14"),
    ],
)
def test_the_minute_a_print_belongs_to(product: str, day: str, moment: str, expected: str | None) -> None:
    start = bar_start(product, day, at(moment))
    assert start == (at(expected) if expected else None)
    assert bar_start(product, day, at(moment).astimezone(UTC)) == start


def test_section_ends_are_where_bars_of_a_day_are_cut() -> None:
    assert section_ends("ru", "20181015") == [
        at("2018-10-12 23:00"),
        at("2018-10-15 10:15"),
        at("2018-10-15 11:30"),
        at("2018-10-15 15:00"),
    ]


def test_an_unknown_product_has_the_longest_hours_so_that_nothing_is_lost() -> None:
    assert not sessions.is_known("zz")
    assert told("zz", "20250609")[0] == "06-06 21:00-06-07 02:30"
    assert bar_start("zz", "20250609", at("2025-06-07 01:15:30")) == at("2025-06-07 01:15")


def test_where_a_front_never_rests_minutes_out_of_session_are_bars_and_the_sessions_own_are_as_ever() -> None:
    saturday = datetime(2025, 6, 7, 11, 0, 20, tzinfo=SHANGHAI)
    never_rests, exchange = hours_named("open"), hours_named("exchange")
    assert exchange.bar_start("rb", "20250609", saturday) is None
    assert never_rests.bar_start("rb", "20250609", saturday) == saturday.replace(second=0)
    for moment in (
        datetime(2025, 6, 9, 8, 59, 30, tzinfo=SHANGHAI),
        datetime(2025, 6, 9, 15, 0, 0, 500_000, SHANGHAI),
    ):
        assert (
            never_rests.bar_start("rb", "20250609", moment)
            == exchange.bar_start("rb", "20250609", moment)
            is not None
        )


def test_a_market_that_never_pauses_has_a_bar_every_minute() -> None:
    hours = hours_named("always")
    assert isinstance(hours, AlwaysHours)
    assert hours.bar_start("rb", "20250609", at("2025-06-08 03:33:33.5")) == at("2025-06-08 03:33")
    assert hours.day_open("rb", "20250609") is None
    assert hours.section_ends("rb", "20250609") == []
    assert hours.phase("rb", at("2025-06-08 03:33:33")) == "continuous"


def test_the_exchanges_hours_know_where_the_day_begins() -> None:
    hours = hours_named("exchange")
    assert isinstance(hours, ExchangeHours)
    assert hours.day_open("ru", "20181015") == at("2018-10-12 21:00")
    assert hours.day_open("ru", "20181008") == at("2018-10-08 09:00")
    assert hours.bar_start("ru", "20181008", at("2018-10-08 15:00:00")) == at("2018-10-08 14:59")
    assert hours.phase("IF", at("2025-06-09 09:26:00")) == "auction"
    assert hours.section_ends("IF", "20250609")[-1] == at("2025-06-09 15:00")


@given(
    st.sampled_from(["rb", "ag", "IF", "T", "AP", "SR"]),
    st.datetimes(datetime(2022, 1, 1), datetime(2026, 6, 1)),
)
def test_a_moment_of_continuous_trading_lies_in_its_own_minute_and_in_one_section_only(
    product: str, naive: datetime
) -> None:
    moment = naive.replace(tzinfo=SHANGHAI)
    day = trading_day_of(moment)
    start = bar_start(product, day, moment)
    inside = [section for section in sessions.sections(product, day) if section.start <= moment < section.end]
    if phase(product, moment) == "continuous":
        assert len(inside) == 1
        assert start is not None
        assert start <= moment < start + MINUTE
    else:
        assert not inside


SHARED_DAYS = {
    "day-0900-1500": "day",
    "day-0930-1500": "index",
    "day-0930-1515": "bond",
    "day-0915-1515": "index-2010",
}
GONE = {"ER", "GN", "RO", "ME", "TC", "WS", "WT", "LR"}  # codes that are not traded any more


@needs_data
def test_hours_agree_with_the_recorded_history_of_every_product() -> None:
    """On the day each line takes effect and on a day a month later. The suspension of 2020 is the calendar's,
    so only nights count.
    """
    rows = [
        row
        for row in table("future_session_events.csv")
        if row["session"] != "delisted" and row["product"] not in GONE
    ]
    changes = {(row["product"], row["effective_trade_date"]) for row in rows}
    seen = set()
    for row in rows:
        product = row["product"] if row["exchange"] in ("CFFEX", "CZCE") else row["product"].lower()
        since = date.fromisoformat(row["effective_trade_date"])
        seen.add(product)
        for day in (since, next_trading_day(since)):
            if day != since and (row["product"], day.isoformat()) in changes:
                continue
            sections = sessions.sections(product, day)
            told_night = row["session"].startswith("night")
            night = sections[0].start.time() == time(21, 0)
            assert night == (
                told_night and has_night(previous_trading_day(day)) and day != sessions.listed_since(product)
            ), (row, day)
            if night:
                assert sections[0].end.strftime("%H%M") == row["session"][-4:], (row, day)
            if not told_night and row["reason"] != "COVID19暂停夜盘" and product != "pg":
                assert hours_of(product, day) == SHARED_DAYS[row["session"]], (row, day)
    assert seen == set(sessions._table())


def cut(product: str, day: str, minutes: int) -> list[str]:
    """Where the day's longer bars begin, each with how many minutes it has."""
    counts: dict[int, int] = {}
    for start in periods(product, day, minutes).values():
        counts[start] = counts.get(start, 0) + 1
    clocks = {start: datetime.fromtimestamp(start / 1000, SHANGHAI).strftime("%H:%M") for start in counts}
    return [
        clocks[start] if count == minutes else f"{clocks[start]} ({count})" for start, count in counts.items()
    ]


@pytest.mark.parametrize(
    ("product", "day", "minutes", "starts"),
    [
        ("rb", "20250610", 60, "21:00 22:00 09:00 10:00 11:15 14:15 (45)"),
        ("rb", "20250205", 60, "09:00 10:00 11:15 14:15 (45)"),  # after the Spring Festival: no night
        (
            "rb",
            "20250609",
            30,
            "21:00 21:30 22:00 22:30 09:00 09:30 10:00 10:45 11:15 13:45 14:15 14:45 (15)",
        ),
        (
            "AP",
            "20250610",
            15,
            "09:00 09:15 09:30 09:45 10:00 10:30 10:45 11:00 11:15 13:30 13:45 14:00 14:15 14:30 14:45",
        ),
        ("cu", "20250610", 60, "21:00 22:00 23:00 00:00 09:00 10:00 11:15 14:15 (45)"),
        ("ag", "20250609", 60, "21:00 22:00 23:00 00:00 01:00 02:00 09:30 10:45 13:45 14:45 (15)"),
        ("AP", "20250610", 60, "09:00 10:00 11:15 14:15 (45)"),
        ("IF", "20250610", 60, "09:30 10:30 13:00 14:00"),
        ("T", "20250610", 60, "09:30 10:30 13:00 14:00 15:00 (15)"),
        ("T", "20250610", 30, "09:30 10:00 10:30 11:00 13:00 13:30 14:00 14:30 15:00 (15)"),
    ],
)
def test_longer_bars_are_cut_by_trading_minutes_from_the_days_first_on(
    product: str, day: str, minutes: int, starts: str
) -> None:
    assert " ".join(cut(product, day, minutes)) == starts


@given(
    st.sampled_from(sorted(products_on(date(2026, 6, 1)))),
    st.dates(date(2024, 1, 2), date(2027, 12, 31)),
    st.sampled_from([3, 5, 15, 30, 60]),
)
def test_every_minute_of_the_sections_has_its_longer_bar_and_only_the_last_is_shorter(
    product: str, day: date, minutes: int
) -> None:
    trading_day = compact(day if is_trading_day(day) else next_trading_day(day))
    found = periods(product, trading_day, minutes)
    of_sections = [
        minute * 1000
        for section in sections(product, trading_day)
        for minute in range(int(section.start.timestamp()), int(section.end.timestamp()), 60)
    ]
    assert list(found) == of_sections
    assert all(start <= minute and found[start] == start for minute, start in found.items())
    counts = Counter(found.values())
    assert [counts[start] for start in sorted(counts)][:-1] == [minutes] * (len(counts) - 1)
