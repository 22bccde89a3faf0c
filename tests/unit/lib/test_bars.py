"""Bars: what belongs to which minute, what closes one, and that they equal what was built from the recorded
ticks.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.counter.markets.readers import Row, read_rows
from app.counter.products import products
from app.lib.bars import CLOSE_GRACE, Bar, BarBuilder, ClosedBar, Hours, Periods, aggregate, day_of_start
from app.lib.calendar import compact, trading_day_of
from app.lib.sessions import hours_named, periods
from app.lib.symbols import product_of
from tests.support.recorded import Recordings, on_each

CHINA = timezone(timedelta(hours=8))
DAY = "20181008"


@dataclass
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
    moment = datetime.strptime(
        f"2018-10-{day:02d} {clock}", "%Y-%m-%d %H:%M:%S.%f" if "." in clock else "%Y-%m-%d %H:%M:%S"
    )
    return Print(moment.replace(tzinfo=CHINA), price, volume, **more)  # type: ignore[arg-type]


def feed(*ticks: Print) -> tuple[BarBuilder, list[ClosedBar]]:
    made = builder()
    return made, [closed for tick in ticks for closed in made.on_tick(tick)]


def clock_of(bar: Bar) -> str:
    return datetime.fromtimestamp(bar.timestamp / 1000, CHINA).strftime("%H:%M")


def test_a_bar_closes_when_the_next_minute_begins() -> None:
    _, closed = feed(
        at("09:00:01", 100, 5), at("09:00:30", 103, 8), at("09:00:59", 99, 9), at("09:01:00", 101, 12)
    )
    (bar,) = [item.bar for item in closed]
    assert (clock_of(bar), bar[1:6]) == ("09:00", (100, 103, 99, 99, 9))


def test_the_auction_print_counts_into_the_first_minute() -> None:
    made, closed = feed(at("08:59:00", 100, 30), at("09:00:10", 101, 40))
    assert not closed
    forming = made.forming("ru1901.SHFE")
    assert forming is not None
    assert clock_of(forming) == "09:00"
    assert forming.volume == 40
    assert forming.open == 100


def test_a_print_at_the_sections_end_counts_into_its_last_minute() -> None:
    made, closed = feed(
        at("09:00:00", volume=1),
        at("10:14:30", volume=5),
        at("10:15:00.000", 12485.0, 9),
        at("10:15:00.500", 12485.0, 9),
    )
    assert [clock_of(item.bar) for item in closed] == ["09:00"]
    forming = made.forming("ru1901.SHFE")
    assert forming is not None
    assert clock_of(forming) == "10:14"
    assert forming.volume == 8
    assert forming.close == 12485.0


def test_a_bar_closes_on_time_when_no_further_tick_comes() -> None:
    made, _ = feed(at("09:00:30"))
    end = at("09:01:00").datetime
    assert made.on_clock(end) == []
    (closed,) = made.on_clock(end + CLOSE_GRACE)
    assert clock_of(closed.bar) == "09:00"
    assert made.on_clock(end + timedelta(hours=1)) == []


@pytest.mark.parametrize(
    "off", [timedelta(minutes=40), timedelta(seconds=90), -timedelta(seconds=90), timedelta(hours=-7)]
)
def test_a_clock_that_is_another_than_the_exchanges_cuts_no_bar_short(off: timedelta) -> None:
    """Each print counts, and the bar closes when its minute is over by the contract's own prints."""
    made = builder()
    made.on_tick(at("08:59:00", 99, 1), at("08:59:00").datetime)  # when all was well
    for volume, (clock, price) in enumerate(
        (("09:00:01", 100), ("09:00:20", 120), ("09:00:40", 80), ("09:00:50", 110)), 2
    ):
        tick = at(clock, price, volume)
        made.on_tick(tick, tick.datetime + off)
        assert made.on_clock(tick.datetime + off) == []
    (closed,) = made.on_clock(at("09:01:02").datetime + off)
    assert closed.bar[1:5] == (99, 120, 80, 110)


def test_a_tick_too_late_for_its_bar_changes_nothing_closed_but_its_volume_is_not_lost() -> None:
    made, _ = feed(at("09:00:30", volume=10))
    made.on_clock(at("09:01:02").datetime)
    assert made.on_tick(at("09:00:59", 20000, 14)) == []
    assert made.forming("ru1901.SHFE") is None
    made.on_tick(at("09:01:30", volume=15))
    forming = made.forming("ru1901.SHFE")
    assert forming is not None
    assert forming.volume == 5
    assert forming.high == 12480.0


def test_the_same_tick_twice_is_one_tick() -> None:
    once, _ = feed(at("09:00:10", 100, 5), at("09:00:20", 101, 7))
    twice, _ = feed(
        at("09:00:10", 100, 5), at("09:00:10", 100, 5), at("09:00:20", 101, 7), at("09:00:20", 101, 7)
    )
    assert once.forming("ru1901.SHFE") == twice.forming("ru1901.SHFE")


def test_a_tick_overtaken_by_a_newer_one_is_dropped() -> None:
    made, _ = feed(at("09:00:20", 101, 7), at("09:00:10", 90, 5))
    forming = made.forming("ru1901.SHFE")
    assert forming is not None
    assert forming.low == 101
    assert forming.volume == 7


def test_who_joins_in_the_middle_of_the_day_does_not_count_the_mornings_volume() -> None:
    made, _ = feed(at("13:45:10", volume=188576), at("13:45:20", volume=188580))
    forming = made.forming("ru1901.SHFE")
    assert forming is not None
    assert forming.volume == 4
    assert not forming.complete


@pytest.mark.parametrize(
    ("clock", "now"),
    [("10:15:00", "10:20:00"), ("15:00:00", "15:01:02"), ("09:00:10", "10:05:00"), ("10:03:20", "10:04:02")],
)
def test_a_subscription_answered_with_the_print_of_a_minute_that_is_over_makes_no_bar_of_it(
    clock: str, now: str
) -> None:
    made = builder()
    moment = at(now).datetime
    assert made.on_tick(at(clock, 12500, 50), moment) == []
    assert made.forming("ru1901.SHFE") is None
    assert made.on_clock(moment) == []
    made.on_tick(at("21:30:05", 12510, 53), at("21:30:06").datetime)
    forming = made.forming("ru1901.SHFE")
    assert forming is not None
    assert forming[1:6] == (12510, 12510, 12510, 12510, 3)
    assert not forming.complete


def test_a_subscription_answered_within_its_minute_begins_a_bar() -> None:
    made = builder()
    made.on_tick(at("10:03:20", 12500, 50), at("10:04:01.900").datetime)
    forming = made.forming("ru1901.SHFE")
    assert forming is not None
    assert clock_of(forming) == "10:03"
    assert not forming.complete


def test_an_interruption_marks_the_bar_before_it_and_the_bar_after_it() -> None:
    made, _ = feed(at("09:00:10", volume=1))
    made.interrupted()
    closed = [
        *made.on_tick(at("09:03:10", volume=9)),
        *made.on_tick(at("09:04:10", volume=10)),
        *made.on_tick(at("09:05:10", volume=11)),
    ]
    assert [item.bar.complete for item in closed] == [False, False, True]
    assert sum(item.bar.volume for item in closed) == 10


def test_volume_restarts_with_the_trading_day() -> None:
    made, closed = feed(at("14:59:59", volume=257762, trading_day=DAY))
    closed = made.on_tick(at("21:00:00.500", volume=784, trading_day="20181009"))
    assert [item.trading_day for item in closed] == [DAY]
    forming = made.forming("ru1901.SHFE")
    assert forming is not None
    assert forming.volume == 784
    assert forming.complete


def test_snapshots_outside_every_section_make_no_bar() -> None:
    made, closed = feed(at("15:30:00", volume=257762), at("19:29:00", volume=0))
    assert not closed
    assert made.forming("ru1901.SHFE") is None


def test_a_tick_of_the_day_before_changes_nothing() -> None:
    made, _ = feed(at("21:00:01", volume=10, trading_day="20181009"))
    before = made.forming("ru1901.SHFE")
    assert made.on_tick(at("14:59:59", 1.0, 900, trading_day=DAY)) == []
    assert made.forming("ru1901.SHFE") == before


@given(
    st.lists(
        st.tuples(st.integers(0, 600), st.integers(0, 50), st.integers(12000, 13000)), min_size=1, max_size=60
    ),
    st.data(),
)
def test_the_volume_of_the_bars_is_the_volume_of_the_ticks_however_they_are_doubled_or_delayed(
    steps: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    ticks, volume = [], 1
    for seconds, traded, price in sorted(steps):
        volume += traded
        ticks.append(
            at((datetime(2018, 10, 8, 9) + timedelta(seconds=seconds)).strftime("%H:%M:%S"), price, volume)
        )
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


def test_one_contract_unsubscribed_marks_its_own_bars_alone() -> None:
    made, _ = feed(at("09:00:10", volume=1), at("09:00:11", volume=1, local_symbol="ru1905.SHFE"))
    made.interrupted(["ru1901.SHFE", "never2510.SHFE"])
    forming = {symbol: made.forming(symbol) for symbol in ("ru1901.SHFE", "ru1905.SHFE")}
    assert {symbol: bar.complete for symbol, bar in forming.items() if bar is not None} == {
        "ru1901.SHFE": False,
        "ru1905.SHFE": True,
    }


@pytest.mark.parametrize(
    ("symbol", "lot"),
    [
        ("AP010.CZCE", 12_480.0),  # a backend before 6.7.1, or the multicast front: average price × lots
        ("AP010.CZCE", 124_800.0),  # since 6.7.1: × multiplier
        ("ru1901.SHFE", 124_800.0),
    ],
)
def test_turnover_is_yuan_whether_or_not_the_counter_has_the_multiplier_in_it(
    symbol: str, lot: float
) -> None:
    made = BarBuilder(RubberHours(), lambda _symbol: "ru", lambda _symbol: 10.0)
    made.on_tick(at("09:00:01", volume=2, turnover=2 * lot, local_symbol=symbol))
    made.on_tick(at("09:00:02", 12_300, volume=3, turnover=3 * lot, local_symbol=symbol))
    forming = made.forming(symbol)
    assert forming is not None
    assert forming.turnover == 3 * 124_800.0


def test_turnover_that_a_front_does_not_tell_is_none_and_a_multiplier_of_one_changes_nothing() -> None:
    for size, turnover in ((10.0, 0.0), (1.0, 24_960.0)):
        made = BarBuilder(RubberHours(), lambda _symbol: "ru", lambda _symbol, size=size: size)  # type: ignore[misc]
        made.on_tick(at("09:00:01", volume=2, turnover=turnover))
        forming = made.forming("ru1901.SHFE")
        assert forming is not None
        assert forming.turnover == turnover


# ── recorded ticks, through the readers and the real hours ──


def recorded_ticks(rows: Iterable[Row]) -> Iterable[Print]:
    for row in rows:
        depth = row.depth
        yield Print(
            row.moment,
            depth.LastPrice,
            depth.Volume,
            row.trading_day,
            f"{depth.InstrumentID}.{depth.ExchangeID}",
            depth.Turnover,
            depth.OpenInterest,
        )


def size_of(local_symbol: str) -> float:
    return float(products()[product_of(local_symbol)].multiplier)


@lru_cache
def rows_of(path: Path) -> list[Row]:
    return list(read_rows(path))


def bars_by(hours: Hours, path: Path) -> list[ClosedBar]:
    """Every row of the file, login rows and settlement snapshots too, into a builder such as the gateway
    has.
    """
    made = BarBuilder(hours, product_of, size_of)
    closed = [closed for tick in recorded_ticks(rows_of(path)) for closed in made.on_tick(tick)]
    return closed + made.on_clock(rows_of(path)[-1].moment + timedelta(minutes=5))


@lru_cache
def bars_of(path: Path) -> tuple[list[ClosedBar], list[Row]]:
    return bars_by(hours_named("exchange"), path), rows_of(path)


def volume_of_days(rows: list[Row]) -> dict[str, int]:
    """CTP's own count at each day's end."""
    return {row.trading_day: row.depth.Volume for row in rows if row.kind == "tick"}


def day_sums(closed: list[ClosedBar]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for item in closed:
        sums[item.trading_day] += item.bar.volume
    return dict(sums)


@on_each
def test_bars_of_the_recorded_rubber_ticks_equal_the_expected_bars_field_by_field(
    recorded: Recordings,
) -> None:
    closed = bars_by(hours_named("exchange"), recorded.rubber)
    with gzip.open(recorded.rubber_bars, "rt") as file:
        expected = [
            (
                row["trading_day"],
                row["datetime"],
                *(
                    float(row[name])
                    for name in ("open", "high", "low", "close", "volume", "turnover", "open_interest")
                ),
            )
            for row in csv.DictReader(file)
        ]
    built = [
        (
            item.trading_day,
            datetime.fromtimestamp(item.bar.timestamp / 1000, CHINA).strftime("%Y-%m-%d %H:%M:%S"),
            *item.bar[1:8],
        )
        for item in closed
    ]
    assert built == expected
    assert all(item.bar.complete for item in closed)
    assert day_sums(closed) == volume_of_days(rows_of(recorded.rubber))


@on_each
def test_apples_login_rows_of_the_evening_make_no_bar_and_every_days_volume_adds_up(
    recorded: Recordings,
) -> None:
    closed, rows = bars_of(recorded.apple)
    logins = [row for row in rows if row.kind == "login"]
    assert len(logins) == len(recorded.days["apple"])
    assert {row.moment.strftime("%H") for row in logins} == {"19"}
    starts = [datetime.fromtimestamp(item.bar.timestamp / 1000, CHINA) for item in closed]
    assert {(start.strftime("%H:%M") >= "09:00", start.strftime("%H:%M") < "15:00") for start in starts} == {
        (True, True)
    }
    assert all(
        start.strftime("%Y%m%d") == item.trading_day for start, item in zip(starts, closed, strict=True)
    )
    assert day_sums(closed) == volume_of_days(rows)
    assert list(day_sums(closed)) == list(recorded.days["apple"])
    assert all(item.bar.complete for item in closed)


@on_each
def test_apples_turnover_of_a_day_is_yuan_for_lots_of_ten_tons(recorded: Recordings) -> None:
    """Of a minute it is near that only: CZCE's count is the day's average, in whole yuan, times the
    volume.
    """
    closed, rows = bars_of(recorded.apple)
    turnover: Counter[str] = Counter()
    for item in closed:
        turnover[item.trading_day] += round(item.bar.turnover)
    last = {row.trading_day: row.depth for row in rows if row.kind == "tick"}
    averages = {day: turnover[day] / depth.Volume / 10 for day, depth in last.items()}
    assert averages == {day: pytest.approx(depth.AveragePrice) for day, depth in last.items()}
    assert all(
        last[day].LowestPrice <= average <= last[day].HighestPrice for day, average in averages.items()
    )


@on_each
def test_the_indexes_settlement_snapshots_after_three_make_no_bar(recorded: Recordings) -> None:
    closed, rows = bars_of(recorded.index)
    late = [row for row in rows if row.kind == "outside"]
    assert late
    assert all(row.moment.strftime("%H:%M") > "15:01" for row in late)
    by_day: dict[str, list[str]] = {}
    for item in closed:
        by_day.setdefault(item.trading_day, []).append(clock_of(item.bar))
    assert list(by_day) == ["20210104", "20210105", "20210106"]
    assert {(clocks[0], clocks[-1], len(clocks)) for clocks in by_day.values()} == {("09:30", "14:59", 240)}
    assert day_sums(closed) == volume_of_days(rows)


def hourly(bars: list[Bar], interval: str, cut: Periods | None = None) -> dict[str, int]:
    return {clock_of(bar): bar.volume for bar in aggregate(bars, interval, lambda _ms: "20181012", cut)}


def periods_of_rubber(trading_day: str, minutes: int) -> Mapping[int, int]:
    return periods("ru", trading_day, minutes)


@on_each
def test_half_hours_and_hours_go_over_the_breaks_by_trading_minutes_and_by_the_clock_if_asked(
    recorded: Recordings,
) -> None:
    closed, _ = bars_of(recorded.rubber)
    friday = [item.bar for item in closed if item.trading_day == "20181012"]
    quarters: Counter[str] = Counter()
    for bar in friday:
        clock = clock_of(bar)
        quarters[f"{clock[:3]}{int(clock[3:]) // 15 * 15:02d}"] += bar.volume
    halves = hourly(friday, "30m")
    assert list(halves) == [
        "21:00",
        "21:30",
        "22:00",
        "22:30",
        "09:00",
        "09:30",
        "10:00",
        "10:30",
        "11:00",
        "13:30",
        "14:00",
        "14:30",
    ]
    assert halves["10:00"] == quarters["10:00"]
    assert halves["10:30"] == quarters["10:30"] + quarters["10:45"]
    hours = hourly(friday, "1h")
    assert list(hours) == ["21:00", "22:00", "09:00", "10:00", "11:00", "13:00", "14:00"]
    assert hours["10:00"] == sum(quarters[clock] for clock in ("10:00", "10:30", "10:45"))
    assert hours["13:00"] == halves["13:30"]
    halves, hours = hourly(friday, "30m", periods_of_rubber), hourly(friday, "1h", periods_of_rubber)
    assert list(halves) == [
        "21:00",
        "21:30",
        "22:00",
        "22:30",
        "09:00",
        "09:30",
        "10:00",
        "10:45",
        "11:15",
        "13:45",
        "14:15",
        "14:45",
    ]
    assert halves["10:00"] == quarters["10:00"] + quarters["10:30"]
    assert halves["11:15"] == quarters["11:15"] + quarters["13:30"]
    assert list(hours) == ["21:00", "22:00", "09:00", "10:00", "11:15", "14:15"]
    assert hours["11:15"] == sum(quarters[clock] for clock in ("11:15", "13:30", "13:45", "14:00"))
    assert sum(halves.values()) == sum(hours.values()) == sum(quarters.values())


@on_each
def test_daily_bars_are_trading_days_their_night_first_and_fridays_night_is_mondays(
    recorded: Recordings,
) -> None:
    def day_of(timestamp: int) -> str:
        return compact(trading_day_of(datetime.fromtimestamp(timestamp / 1000, CHINA)))

    closed, rows = bars_of(recorded.rubber)
    assert {item.trading_day for item in closed if day_of(item.bar.timestamp) != item.trading_day} == set()
    days = aggregate([item.bar for item in closed], "1d", day_of)
    assert [day_of_start(bar.timestamp) for bar in days] == [
        "20181008",
        "20181009",
        "20181010",
        "20181011",
        "20181012",
        "20181015",
    ]
    volumes = volume_of_days(rows)
    assert {day_of(bar.timestamp): bar.volume for bar in days} == volumes
    assert "20181015" in volumes
    (tuesday,) = [bar for bar in days if day_of(bar.timestamp) == "20181009"]
    last = [row.depth for row in rows if row.trading_day == "20181009" and row.kind == "tick"][-1]
    assert (tuesday.open, tuesday.close) == (last.OpenPrice, last.LastPrice)
    assert last.LowestPrice <= tuesday.low
    assert tuesday.high <= last.HighestPrice
    assert tuesday.turnover == pytest.approx(last.Turnover)


def test_without_periods_longer_bars_stand_on_the_clock() -> None:
    start = int(datetime(2018, 10, 8, 9, 0, tzinfo=CHINA).timestamp() * 1000)
    minutes = [
        Bar(start + minute * 60_000, minute, minute + 2, minute - 1, minute + 1, 1, 2.0, minute)
        for minute in range(1, 8)
    ]
    five = aggregate(minutes, "5m", lambda _ms: DAY)
    assert [
        (clock_of(bar), bar.open, bar.high, bar.low, bar.close, bar.volume, bar.open_interest) for bar in five
    ] == [
        ("09:00", 1, 6, 0, 5, 4, 4),
        ("09:05", 5, 9, 4, 8, 3, 7),
    ]
    assert [clock_of(bar) for bar in aggregate(minutes, "1h", lambda _ms: DAY)] == ["09:00"]


def test_a_day_bar_holds_its_night_and_a_gap_marks_it() -> None:
    night = Bar(int(datetime(2018, 10, 12, 21, 0, tzinfo=CHINA).timestamp() * 1000), 10, 11, 9, 10, 5)
    monday = Bar(
        int(datetime(2018, 10, 15, 9, 0, tzinfo=CHINA).timestamp() * 1000), 10, 15, 10, 14, 7, complete=False
    )
    (day,) = aggregate([night, monday], "1d", lambda _ms: "20181015")
    midnight = int(datetime(2018, 10, 15, tzinfo=CHINA).timestamp() * 1000)
    assert (day.timestamp, day.open, day.high, day.low, day.close, day.volume, day.complete) == (
        midnight,
        10,
        15,
        9,
        14,
        12,
        False,
    )


def hour_starts(*clocks: str) -> list[str]:
    """Where hours of rubber begin on a Friday without a night, for minutes at these times."""
    minutes = [
        int(datetime.fromisoformat(f"2018-10-12 {clock}").replace(tzinfo=CHINA).timestamp() * 1000)
        for clock in clocks
    ]
    bars = [Bar(minute, 1, 1, 1, 1, 1) for minute in minutes]
    return [clock_of(bar) for bar in aggregate(bars, "1h", lambda _ms: "20181012", periods_of_rubber)]


def test_an_hour_goes_on_after_a_break_and_begins_where_its_first_minute_would_be() -> None:
    assert hour_starts("10:14", "10:30", "11:14") == ["10:00"]
    assert hour_starts("11:14", "11:15", "11:29", "13:30", "14:14", "14:15") == ["10:00", "11:15", "14:15"]


def test_minutes_outside_the_sections_stand_on_the_clock_and_in_order() -> None:
    assert hour_starts("11:20", "11:40", "13:40", "16:05", "16:59") == ["11:00", "11:15", "16:00"]


def test_the_bar_that_forms_says_into_which_longer_ones_it_goes() -> None:
    builder = BarBuilder(hours_named("exchange"), product_of)
    builder.on_tick(Print(datetime(2018, 10, 11, 22, 59, 30, tzinfo=CHINA), 12_000.0, 5, "20181012"))
    builder.on_tick(Print(datetime(2018, 10, 12, 10, 31, 30, tzinfo=CHINA), 12_001.0, 6, "20181012"))
    assert builder.trading_day("ru1901.SHFE") == "20181012"
    starts = builder.starts("ru1901.SHFE")
    told = {
        interval: datetime.fromtimestamp(start / 1000, CHINA).strftime("%d %H:%M")
        for interval, start in starts.items()
    }
    assert told == {
        "1m": "12 10:31",
        "3m": "12 10:30",
        "5m": "12 10:30",
        "15m": "12 10:30",
        "30m": "12 10:00",
        "1h": "12 10:00",
        "1d": "12 00:00",
    }


def test_an_unknown_interval_is_an_error() -> None:
    with pytest.raises(KeyError):
        aggregate([], "7m", lambda _ms: DAY)
