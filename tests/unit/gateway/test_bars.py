"""The archive of bars: ranges are whole and newest first cut, and the cache never gives anything but what the
store has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.gateway.bars import MOST_CACHED, BarArchive, Range
from app.lib.bars import CUTS, INTERVALS, Bar, BarRow, bar_row
from app.lib.calendar import SHANGHAI, compact, trading_day_of
from app.lib.sessions import periods, sections
from app.model.sqlite import SqliteStore

MINUTE = 60_000
RUBBER, SILVER = "ru1901.SHFE", "ag1812.SHFE"
WEEK = ("20181009", "20181010", "20181011", "20181012", "20181015")


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1000)


def bar(timestamp: int, close: float = 12_500.0, volume: int = 3) -> Bar:
    return Bar(timestamp, 12_490.0, 12_600.0, 12_400.0, close, volume)


def day_of(timestamp: int) -> str:
    return compact(trading_day_of(datetime.fromtimestamp(timestamp / 1000, SHANGHAI)))


def minutes_of(*days: str, product: str = "ru") -> list[Bar]:
    """Every minute of a product's trading days, the nights first."""
    return [
        bar(timestamp)
        for day in days
        for section in sections(product, day)
        for timestamp in range(
            int(section.start.timestamp() * 1000), int(section.end.timestamp() * 1000), MINUTE
        )
    ]


def clocks(bars: list[Bar]) -> list[str]:
    return [
        datetime.fromtimestamp(found.timestamp / 1000, SHANGHAI).strftime("%m-%d %H:%M") for found in bars
    ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "account.db")
    yield opened
    opened.close()


@pytest.fixture
def archive(store: SqliteStore) -> BarArchive:
    return BarArchive(store, day_of, periods)


# ── ranges ──


def test_a_limit_alone_gives_the_newest_however_old_they_are(archive: BarArchive) -> None:
    archive.save(RUBBER, minutes_of(*WEEK))
    assert clocks(archive.bars(RUBBER, "1m", Range(limit=2))) == ["10-15 14:58", "10-15 14:59"]
    assert clocks(archive.bars(RUBBER, "1h", Range(limit=8)))[:3] == [
        "10-12 11:15",
        "10-12 14:15",
        "10-12 21:00",
    ]
    assert clocks(archive.bars(RUBBER, "1d", Range(limit=3))) == ["10-11 00:00", "10-12 00:00", "10-15 00:00"]


class Week(NamedTuple):
    """An archive with a week of silver that nobody writes to, and all its bars by interval and cut."""

    archive: BarArchive
    everything: dict[tuple[str, str], list[Bar]]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    store = SqliteStore(tmp_path_factory.mktemp("week") / "account.db")
    archive = BarArchive(store, cache(day_of), cache(periods))
    archive.save(SILVER, minutes_of(*WEEK, product="ag"))
    yield Week(
        archive,
        {
            (interval, cut): archive.bars(SILVER, interval, Range(), cut)
            for interval in INTERVALS
            for cut in CUTS
        },
    )
    store.close()


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("limit", [1, 2, 7, 500])
def test_what_a_limit_keeps_is_the_end_of_what_there_is(
    week: Week, interval: str, limit: int, cut: str
) -> None:
    everything = week.everything[interval, cut]
    assert week.archive.bars(SILVER, interval, Range(limit=limit), cut) == everything[-limit:]
    end = ms("2018-10-11 10:10")
    assert (
        week.archive.bars(SILVER, interval, Range(0, end, limit), cut)
        == [found for found in everything if found.timestamp < end][-limit:]
    )


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize(
    "start", ["2018-10-09 21:07", "2018-10-10 10:40", "2018-10-13 01:59", "2018-10-13 12:00"]
)
@pytest.mark.parametrize("hours", [1, 30, 80])
def test_a_bar_that_begins_in_the_range_is_whole_wherever_the_range_ends(
    week: Week, interval: str, start: str, hours: int, cut: str
) -> None:
    begin, end = ms(start), ms(start) + hours * 3_600_000
    assert week.archive.bars(SILVER, interval, Range(begin, end), cut) == [
        found for found in week.everything[interval, cut] if begin <= found.timestamp < end
    ]


def test_fridays_night_belongs_to_mondays_bar_which_has_mondays_date(archive: BarArchive) -> None:
    archive.save(RUBBER, minutes_of(*WEEK))
    (monday,) = archive.bars(RUBBER, "1d", Range(start=ms("2018-10-12 21:00")))
    assert (clocks([monday]), monday.volume) == (["10-15 00:00"], 3 * (120 + 225))
    assert archive.rows(RUBBER, "1d", Range(limit=1)) == [(*monday[:6], "20181015")]
    assert archive.bars(RUBBER, "1d", Range(start=ms("2018-10-15 00:01"))) == []


def test_days_of_products_with_and_without_a_night_stand_side_by_side(archive: BarArchive) -> None:
    archive.save(RUBBER, minutes_of(*WEEK))
    archive.save("IF1811.CFFEX", minutes_of(*WEEK, product="IF"))
    rubber, index = archive.rows(RUBBER, "1d", Range()), archive.rows("IF1811.CFFEX", "1d", Range())
    assert [(row[0], row[-1]) for row in rubber] == [(row[0], row[-1]) for row in index]
    assert [row[-1] for row in rubber] == list(WEEK)


def test_both_cuts_are_kept_apart(archive: BarArchive) -> None:
    archive.save(RUBBER, minutes_of("20181009"))
    start = ms("2018-10-08 21:00")
    by_trading = archive.read_recent(RUBBER, "1h", start)
    by_clock = archive.read_recent(RUBBER, "1h", start, "clock")
    assert [row[0] for row in told(by_trading)][2:] == [
        ms(f"2018-10-09 {clock}") for clock in ("09:00", "10:00", "11:15", "14:15")
    ]
    assert [row[0] for row in told(by_clock)][2:] == [
        ms(f"2018-10-09 {hour}:00") for hour in ("09", "10", "11", "13", "14")
    ]
    assert archive.recent(RUBBER, "1h", start) == by_trading
    assert archive.recent(RUBBER, "1h", start, "clock") == by_clock


def test_the_end_of_a_page_is_the_beginning_of_the_one_before(archive: BarArchive) -> None:
    archive.save(RUBBER, minutes_of(*WEEK))
    pages: list[Bar] = []
    while page := archive.bars(RUBBER, "30m", Range(end=pages[0].timestamp if pages else 0, limit=7)):
        pages = page + pages
    assert pages == archive.bars(RUBBER, "30m", Range())


def test_a_product_that_trades_until_half_past_two_has_one_bar_for_its_day(archive: BarArchive) -> None:
    night = ["2025-06-06 21:00", "2025-06-06 23:59", "2025-06-07 00:00", "2025-06-07 02:29"]
    archive.save(
        "ag2508.SHFE", [bar(ms(moment)) for moment in [*night, "2025-06-09 09:29", "2025-06-09 14:59"]]
    )
    assert [found.volume for found in archive.bars("ag2508.SHFE", "1d", Range())] == [18]
    assert clocks(archive.bars("ag2508.SHFE", "1h", Range())) == [
        "06-06 21:00",
        "06-06 23:00",
        "06-07 00:00",
        "06-07 02:00",
        "06-09 14:45",
    ]


# ── the cache ──


def told(payload: bytes | None) -> list[list[float]]:
    assert payload is not None
    rows: list[list[float]] = json.loads(payload)
    return rows


def test_the_second_time_the_same_bytes_are_given_without_the_store(archive: BarArchive) -> None:
    bars = minutes_of("20181009")
    archive.save(RUBBER, bars)
    start = bars[0].timestamp
    assert archive.recent(RUBBER, "1m", start) is None
    payload = archive.read_recent(RUBBER, "1m", start)
    assert told(payload) == [bar_row(found) for found in bars]
    assert archive.recent(RUBBER, "1m", start) is archive.recent(RUBBER, "1m", start) is not None
    assert archive.recent(RUBBER, "1m", start) == payload


def test_a_bar_that_closes_is_appended_and_old_ones_fall_off(archive: BarArchive) -> None:
    bars = minutes_of("20181009")
    archive.save(RUBBER, bars[:10])
    archive.read_recent(RUBBER, "1m", bars[0].timestamp)
    archive.save(RUBBER, bars[10:12])
    assert told(archive.recent(RUBBER, "1m", bars[3].timestamp)) == [bar_row(found) for found in bars[3:12]]
    assert (
        archive.recent(RUBBER, "1m", bars[2].timestamp) is None
    )  # gone: the clock went back, the store knows


def test_a_bar_that_replaces_another_is_read_anew(archive: BarArchive) -> None:
    bars = minutes_of("20181009")[:5]
    archive.save(RUBBER, bars)
    archive.read_recent(RUBBER, "1m", bars[0].timestamp)
    archive.save(RUBBER, [bars[2]._replace(close=12_555.0)])
    assert archive.recent(RUBBER, "1m", bars[0].timestamp) is None
    assert told(archive.read_recent(RUBBER, "1m", bars[0].timestamp))[2][4] == 12_555.0


def test_longer_bars_are_read_anew_when_a_minute_of_theirs_closes_and_other_contracts_are_left_alone(
    archive: BarArchive,
) -> None:
    bars = minutes_of("20181009")
    for symbol in (RUBBER, "ru1905.SHFE"):
        archive.save(symbol, bars[:6])
        archive.read_recent(symbol, "5m", bars[0].timestamp)
    archive.save(RUBBER, bars[6:7])
    assert archive.recent(RUBBER, "5m", bars[0].timestamp) is None
    assert [row[5] for row in told(archive.read_recent(RUBBER, "5m", bars[0].timestamp))] == [15, 6]
    assert archive.recent("ru1905.SHFE", "5m", bars[0].timestamp) is not None


def test_what_was_read_before_a_write_is_not_kept_after_it(store: SqliteStore) -> None:
    bars = minutes_of("20181009")[:4]

    class Slow(SqliteStore):
        """A bar closes while the range is being read."""

        def read_bar_rows(
            self, local_symbol: str, interval: str, start: int = 0, end: int = 0, limit: int = 0
        ) -> list[BarRow]:
            found = super().read_bar_rows(local_symbol, interval, start, end, limit)
            if len(found) == 3:
                reading.save(RUBBER, bars[3:])
            return found

    store.save_bars(RUBBER, "1m", bars[:3])
    slow = Slow(store._path)
    try:
        reading = BarArchive(slow, day_of, periods)
        assert len(told(reading.read_recent(RUBBER, "1m", bars[0].timestamp))) == 3
        assert reading.recent(RUBBER, "1m", bars[0].timestamp) is None
        assert len(told(reading.read_recent(RUBBER, "1m", bars[0].timestamp))) == 4
    finally:
        slow.close()


def test_the_cache_holds_a_bounded_number_of_contracts(archive: BarArchive) -> None:
    for number in range(MOST_CACHED + 1):
        archive.read_recent(f"rb{number}.SHFE", "1m", 0)
    assert archive.recent("rb0.SHFE", "1m", 0) is None
    assert archive.recent(f"rb{MOST_CACHED}.SHFE", "1m", 0) == b"[]"


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
@given(
    st.lists(
        st.tuples(st.sampled_from(["save", "read"]), st.integers(0, 40), st.sampled_from(["1m", "5m"])),
        max_size=25,
    )
)
def test_whatever_is_saved_and_asked_the_cache_says_what_the_store_says(
    tmp_path: Path, steps: list[tuple[str, int, str]]
) -> None:
    store = SqliteStore(tmp_path / "any.db")
    store._writer.execute("DELETE FROM bars")
    archive, base = BarArchive(store, day_of, periods), ms("2018-10-09 09:00")
    start = base
    try:
        for number, (what, place, interval) in enumerate(steps):
            if what == "save":
                archive.save(RUBBER, [bar(base + place * MINUTE, 12_400.0 + number, number)])
                continue
            start = max(start, base + (place - 30) * MINUTE)
            found = archive.recent(RUBBER, interval, start) or archive.read_recent(RUBBER, interval, start)
            assert told(found) == [bar_row(known) for known in archive.bars(RUBBER, interval, Range(start))]
    finally:
        store.close()


def test_bars_of_a_quiet_contract_stay_cached_while_the_clock_moves_on(archive: BarArchive) -> None:
    bars = minutes_of("20181009")
    archive.save(RUBBER, bars)
    archive.read_recent(RUBBER, "1m", 0)
    later = ms("2018-10-09 15:00") + int(timedelta(days=3).total_seconds() * 1000)
    assert archive.recent(RUBBER, "1m", later) == b"[]"
    assert archive.has(RUBBER)
    assert not archive.has("ru1905.SHFE")


# ── turnover and open interest ──

KNOWN = ("turnover", "open_interest")


def test_figures_stand_behind_the_row_in_the_order_asked(archive: BarArchive) -> None:
    minute = bar(ms("2018-10-09 09:00"))._replace(turnover=375_000.5, open_interest=4321.0)
    archive.save(RUBBER, [minute])
    plain, day = (*minute[:6],), (ms("2018-10-09 00:00"), *minute[1:6], "20181009")
    assert archive.rows(RUBBER, "1m", Range(), "session", KNOWN) == [(*plain, 375_000.5, 4321.0)]
    assert archive.rows(RUBBER, "1m", Range(), "session", KNOWN[::-1]) == [(*plain, 4321.0, 375_000.5)]
    assert archive.rows(RUBBER, "1h", Range(), "session", KNOWN[1:]) == [(*plain, 4321.0)]
    assert archive.rows(RUBBER, "1d", Range(), "session", KNOWN) == [(*day, 375_000.5, 4321.0)]


def test_a_figure_that_nobody_has_written_down_is_none(archive: BarArchive) -> None:
    """Files of bars often lack them. A longer bar that lacks a part of its turnover has none."""
    first = bar(ms("2018-10-09 09:00"))._replace(turnover=375_000.0, open_interest=4321.0)
    bare, idle = bar(first.timestamp + MINUTE), bar(first.timestamp + 2 * MINUTE, volume=0)
    archive.save(RUBBER, [first, bare, idle])
    by_minute = archive.rows(RUBBER, "1m", Range(), "session", KNOWN)
    assert [row[6:] for row in by_minute] == [(375_000.0, 4321.0), (None, None), (0.0, None)]
    assert [row[6:] for row in archive.rows(RUBBER, "5m", Range(), "session", KNOWN)] == [(None, None)]


def test_rows_with_figures_are_cached_apart_and_go_on_with_theirs(archive: BarArchive) -> None:
    bars = [found._replace(turnover=1.0, open_interest=2.0) for found in minutes_of("20181009")[:4]]
    start = bars[0].timestamp
    archive.save(RUBBER, bars[:3])
    archive.read_recent(RUBBER, "1m", start)
    archive.read_recent(RUBBER, "1m", start, fields=KNOWN)
    archive.save(RUBBER, bars[3:])
    assert told(archive.recent(RUBBER, "1m", start)) == [bar_row(found) for found in bars]
    with_figures = told(archive.recent(RUBBER, "1m", start, fields=KNOWN))
    assert with_figures == [[*bar_row(found), 1.0, 2.0] for found in bars]
