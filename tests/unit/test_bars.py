"""Bars: what belongs to which minute, what closes one, and that they equal what was built from the recorded ticks."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lib.bars import CLOSE_GRACE, BarBuilder, ClosedBar, aggregate
from app.model.store import Bar

CHINA = timezone(timedelta(hours=8))
DATA = Path(__file__).parents[3] / "shared" / "data"
DAY = "20181008"


@dataclass(frozen=True)
class Print:
    datetime: datetime
    last_price: float
    volume: float
    trading_day: str = DAY
    local_symbol: str = "ru1901.SHFE"
    turnover: float = 0.0
    open_interest: float = 0.0


class RubberHours:
    """Hours of ru in 2018, written out by hand: 21:00–23:00, 9:00–10:15, 10:30–11:30, 13:30–15:00."""

    SECTIONS = (("21:00", "23:00"), ("09:00", "10:15"), ("10:30", "11:30"), ("13:30", "15:00"))

    def bar_start(self, product: str, trading_day: str, moment: datetime) -> datetime | None:
        clock = moment.strftime("%H:%M:%S.%f")
        for begin, end in self.SECTIONS:
            if f"{end}:00" <= clock < f"{end}:01":
                return moment.replace(second=0, microsecond=0) - timedelta(minutes=1)
            if begin <= clock < end:
                return moment.replace(second=0, microsecond=0)
            if clock[:5] == (datetime.strptime(begin, "%H:%M") - timedelta(minutes=1)).strftime("%H:%M"):
                return moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        return None

    def day_open(self, product: str, trading_day: str) -> datetime | None:
        if trading_day == DAY:
            return datetime(2018, 10, 8, 9, 0, tzinfo=CHINA)  # after National Day: no night
        return datetime.strptime(trading_day, "%Y%m%d").replace(hour=21, tzinfo=CHINA) - timedelta(days=1)


def builder() -> BarBuilder:
    return BarBuilder(RubberHours(), lambda local_symbol: "ru")


def at(clock: str, price: float = 12480.0, volume: float = 10, day: int = 8, **more: object) -> Print:
    moment = datetime.strptime(f"2018-10-{day:02d} {clock}", "%Y-%m-%d %H:%M:%S.%f" if "." in clock else "%Y-%m-%d %H:%M:%S")
    return Print(moment.replace(tzinfo=CHINA), price, volume, **more)  # type: ignore[arg-type]


def feed(*ticks: Print) -> tuple[BarBuilder, list[ClosedBar]]:
    made = builder()
    return made, [closed for tick in ticks for closed in made.on_tick(tick)]


def clock_of(bar: Bar) -> str:
    return datetime.fromtimestamp(bar.timestamp / 1000, CHINA).strftime("%H:%M")


def test_a_bar_closes_when_the_next_minute_begins() -> None:
    _, closed = feed(at("09:00:01", 100, 5), at("09:00:30", 103, 8), at("09:00:59", 99, 9), at("09:01:00", 101, 12))
    (bar,) = [item.bar for item in closed]
    assert (clock_of(bar), bar[1:6]) == ("09:00", (100, 103, 99, 99, 9))


def test_the_auction_print_counts_into_the_first_minute() -> None:
    made, closed = feed(at("08:59:00", 100, 30), at("09:00:10", 101, 40))
    assert not closed
    forming = made.forming("ru1901.SHFE")
    assert forming is not None and clock_of(forming) == "09:00" and forming.volume == 40 and forming.open == 100


def test_a_print_at_the_sections_end_counts_into_its_last_minute() -> None:
    made, closed = feed(at("09:00:00", volume=1), at("10:14:30", volume=5), at("10:15:00.000", 12485.0, 9), at("10:15:00.500", 12485.0, 9))
    assert [clock_of(item.bar) for item in closed] == ["09:00"]
    forming = made.forming("ru1901.SHFE")
    assert forming is not None and clock_of(forming) == "10:14" and forming.volume == 8 and forming.close == 12485.0


def test_a_bar_closes_on_time_when_no_further_tick_comes() -> None:
    made, _ = feed(at("09:00:30"))
    end = at("09:01:00").datetime
    assert made.on_clock(end) == []
    (closed,) = made.on_clock(end + CLOSE_GRACE)
    assert clock_of(closed.bar) == "09:00"
    assert made.on_clock(end + timedelta(hours=1)) == []


def test_a_tick_too_late_for_its_bar_changes_nothing_closed_but_its_volume_is_not_lost() -> None:
    made, _ = feed(at("09:00:30", volume=10))
    made.on_clock(at("09:01:02").datetime)
    assert made.on_tick(at("09:00:59", 20000, 14)) == []
    assert made.forming("ru1901.SHFE") is None
    made.on_tick(at("09:01:30", volume=15))
    forming = made.forming("ru1901.SHFE")
    assert forming is not None and forming.volume == 5 and forming.high == 12480.0


def test_the_same_tick_twice_is_one_tick() -> None:
    once, _ = feed(at("09:00:10", 100, 5), at("09:00:20", 101, 7))
    twice, _ = feed(at("09:00:10", 100, 5), at("09:00:10", 100, 5), at("09:00:20", 101, 7), at("09:00:20", 101, 7))
    assert once.forming("ru1901.SHFE") == twice.forming("ru1901.SHFE")


def test_a_tick_overtaken_by_a_newer_one_is_dropped() -> None:
    made, _ = feed(at("09:00:20", 101, 7), at("09:00:10", 90, 5))
    forming = made.forming("ru1901.SHFE")
    assert forming is not None and forming.low == 101 and forming.volume == 7


def test_who_joins_in_the_middle_of_the_day_does_not_count_the_mornings_volume() -> None:
    made, _ = feed(at("13:45:10", volume=188576), at("13:45:20", volume=188580))
    forming = made.forming("ru1901.SHFE")
    assert forming is not None and forming.volume == 4 and not forming.complete


def test_an_interruption_marks_the_bar_before_it_and_the_bar_after_it() -> None:
    made, _ = feed(at("09:00:10", volume=1))
    made.interrupted()
    closed = [*made.on_tick(at("09:03:10", volume=9)), *made.on_tick(at("09:04:10", volume=10)), *made.on_tick(at("09:05:10", volume=11))]
    assert [item.bar.complete for item in closed] == [False, False, True]
    assert sum(item.bar.volume for item in closed) == 10


def test_volume_restarts_with_the_trading_day() -> None:
    made, closed = feed(at("14:59:59", volume=257762, trading_day=DAY))
    closed = made.on_tick(at("21:00:00.500", volume=784, trading_day="20181009"))
    assert [item.trading_day for item in closed] == [DAY]
    forming = made.forming("ru1901.SHFE")
    assert forming is not None and forming.volume == 784 and forming.complete


def test_snapshots_outside_every_section_make_no_bar() -> None:
    made, closed = feed(at("15:30:00", volume=257762), at("19:29:00", volume=0))
    assert not closed and made.forming("ru1901.SHFE") is None


def test_a_tick_of_the_day_before_changes_nothing() -> None:
    made, _ = feed(at("21:00:01", volume=10, trading_day="20181009"))
    before = made.forming("ru1901.SHFE")
    assert made.on_tick(at("14:59:59", 1.0, 900, trading_day=DAY)) == []
    assert made.forming("ru1901.SHFE") == before


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 50), st.integers(12000, 13000)), min_size=1, max_size=60), st.data())
def test_the_volume_of_the_bars_is_the_volume_of_the_ticks_however_they_are_doubled_or_delayed(
    steps: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    ticks, volume = [], 1
    for seconds, traded, price in sorted(steps):
        volume += traded
        ticks.append(at((datetime(2018, 10, 8, 9) + timedelta(seconds=seconds)).strftime("%H:%M:%S"), price, volume))
    noisy = list(ticks)
    for _ in range(data.draw(st.integers(0, 5))):
        source = data.draw(st.integers(0, len(ticks) - 1))
        noisy.insert(data.draw(st.integers(source, len(noisy))), ticks[source])
    noisy.append(replace(ticks[-1], datetime=ticks[-1].datetime + timedelta(minutes=2)))
    made, closed = feed(*noisy)
    forming = made.forming("ru1901.SHFE")
    assert forming is not None
    if ticks[0].datetime.strftime("%H:%M") == "09:00":
        assert sum(item.bar.volume for item in closed) + forming.volume == volume
    starts = [item.bar.timestamp for item in closed]
    assert starts == sorted(set(starts))


def test_bars_of_the_recorded_ticks_equal_the_expected_bars_field_by_field() -> None:
    ticks, expected = DATA / "ticks" / "SHFE.ru1901_20181008-20181012.ctp.csv.gz", DATA / "bars_1m" / "SHFE.ru1901.from_ticks.1m.csv.gz"
    if not ticks.exists():
        pytest.skip("recorded data is not here: ../shared/data")
    made = builder()
    closed: list[ClosedBar] = []
    with gzip.open(ticks, "rt") as file:
        for row in csv.DictReader(file):
            moment = datetime.strptime(f"{row['ActionDay']} {row['UpdateTime']}.{row['UpdateMillisec']}", "%Y%m%d %H:%M:%S.%f")
            figures = (float(row[name]) for name in ("LastPrice", "Volume"))
            tick = Print(
                moment.replace(tzinfo=CHINA),
                *figures,
                row["TradingDay"],
                turnover=float(row["Turnover"]),
                open_interest=float(row["OpenInterest"]),
            )
            closed += made.on_tick(tick)
    closed += made.on_clock(moment.replace(tzinfo=CHINA) + timedelta(minutes=5))
    with gzip.open(expected, "rt") as file:
        rows = [
            (
                row["trading_day"],
                row["datetime"],
                *(float(row[name]) for name in ("open", "high", "low", "close", "volume", "turnover", "open_interest")),
            )
            for row in csv.DictReader(file)
        ]
    built = [
        (item.trading_day, datetime.fromtimestamp(item.bar.timestamp / 1000, CHINA).strftime("%Y-%m-%d %H:%M:%S"), *item.bar[1:8])
        for item in closed
    ]
    assert built == rows
    assert all(item.bar.complete for item in closed)


def test_longer_bars_stand_on_the_clock() -> None:
    start = int(datetime(2018, 10, 8, 9, 0, tzinfo=CHINA).timestamp() * 1000)
    minutes = [Bar(start + minute * 60_000, minute, minute + 2, minute - 1, minute + 1, 1, 2.0, minute) for minute in range(1, 8)]
    five = aggregate(minutes, "5m", lambda _ms: DAY)
    assert [(clock_of(bar), bar.open, bar.high, bar.low, bar.close, bar.volume, bar.open_interest) for bar in five] == [
        ("09:00", 1, 6, 0, 5, 4, 4),
        ("09:05", 5, 9, 4, 8, 3, 7),
    ]
    assert [clock_of(bar) for bar in aggregate(minutes, "1h", lambda _ms: DAY)] == ["09:00"]


def test_a_day_bar_holds_its_night_and_a_gap_marks_it() -> None:
    night = Bar(int(datetime(2018, 10, 12, 21, 0, tzinfo=CHINA).timestamp() * 1000), 10, 11, 9, 10, 5)
    monday = Bar(int(datetime(2018, 10, 15, 9, 0, tzinfo=CHINA).timestamp() * 1000), 10, 15, 10, 14, 7, complete=False)
    (day,) = aggregate([night, monday], "1d", lambda _ms: "20181015")
    assert (day.timestamp, day.open, day.high, day.low, day.close, day.volume, day.complete) == (night.timestamp, 10, 15, 9, 14, 12, False)


def test_an_unknown_interval_is_an_error() -> None:
    with pytest.raises(KeyError):
        aggregate([], "7m", lambda _ms: DAY)
