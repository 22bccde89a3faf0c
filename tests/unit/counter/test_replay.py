"""The replayed market: the file drives clock, day and quotes; silence is jumped; a restart goes on at the
same row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from app.counter.__main__ import open_market
from app.counter.markets.market import DayTurn
from app.counter.markets.readers import read_rows
from app.counter.markets.replay import BATCH, GAP, ReplayedMarket
from app.lib.calendar import SHANGHAI
from app.lib.errors import SettingsError
from app.settings import Settings
from app.wire.frames import DepthField
from tests.support.recorded import EACH, REAL, Recordings, needs_data, on_each
from tests.unit.counter.test_readers import ctp_line, written

POLLS = 100_000


class Wall:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, 0, tzinfo=SHANGHAI)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def replaying(path: Path, speed: float = 1.0, watch: str = "") -> tuple[ReplayedMarket, Wall]:
    wall = Wall()
    market = ReplayedMarket(path, speed, wall)
    if watch:
        market.watch({watch})
    return market, wall


def events(market: ReplayedMarket, wall: Wall, step: float = 1.0) -> Iterator[DepthField | DayTurn]:
    """All that comes, in order, until the file is over. What was due before the clock moves comes first."""
    for _ in range(POLLS):
        yield from market.poll()
        if market._next is None:
            return
        wall.move(step)
    raise AssertionError("the file does not end")


def file_of(folder: Path, *stamps: tuple[str, str], **fields: str) -> Path:
    """Ticks of rb2510 at (trading day, time)."""
    lines = [
        ctp_line(TradingDay=day, UpdateTime=clock, UpdateMillisec="0", Volume=str(10 + place), **fields)
        for place, (day, clock) in enumerate(stamps)
    ]
    return written(folder, *lines)


def test_the_first_row_sets_day_and_clock_and_they_stand_until_something_is_watched(tmp_path: Path) -> None:
    market, wall = replaying(file_of(tmp_path, ("20250609", "21:00:00"), ("20250609", "21:00:01")))
    wall.move(3600)
    assert market.poll() == []
    assert market.now().isoformat() == "2025-06-06T21:00:00+08:00"
    assert market.trading_day() == "20250609"
    assert market.quote("rb2510") is None
    market.watch({"rb2510"})
    (first,) = market.poll()
    assert isinstance(first, DepthField)
    assert first.UpdateTime == "21:00:00"
    assert market.quote("rb2510") == first


def test_rows_come_at_the_recorded_pace_times_the_speed(tmp_path: Path) -> None:
    path = file_of(tmp_path, *(("20250609", f"21:00:0{second}") for second in range(5)))
    for speed in (1.0, 4.0):
        market, wall = replaying(path, speed, "rb2510")
        counts = []
        for _ in range(4):
            counts.append(len(market.poll()))
            wall.move(0.5)
        assert counts == ([1, 0, 1, 0] if speed == 1.0 else [1, 2, 2, 0])


def test_the_clock_never_passes_a_row_that_was_not_handed_out(tmp_path: Path) -> None:
    market, wall = replaying(
        file_of(tmp_path, ("20250609", "21:00:00"), ("20250609", "21:00:04")), 1.0, "rb2510"
    )
    market.poll()
    wall.move(2)
    assert market.now().isoformat() == "2025-06-06T21:00:02+08:00"
    wall.move(20)
    assert market.now().isoformat() == "2025-06-06T21:00:04+08:00"
    assert len(market.poll()) == 1


def test_a_silence_is_jumped_after_a_few_seconds(tmp_path: Path) -> None:
    path = file_of(tmp_path, ("20250609", "22:59:59"), ("20250609", "09:00:00"), ("20250609", "09:00:01"))
    market, wall = replaying(path, 1.0, "rb2510")
    assert len(market.poll()) == 1
    wall.move(GAP.total_seconds() - 0.1)
    assert market.poll() == []
    assert market.phase("rb2510") == "closed"
    assert market.now().isoformat() == "2025-06-06T23:00:03.900000+08:00"
    wall.move(0.1)
    (morning,) = market.poll()
    assert isinstance(morning, DepthField)
    assert morning.UpdateTime == "09:00:00"
    assert market.now().isoformat() == "2025-06-09T09:00:00+08:00"
    assert market.phase("rb2510") == "continuous"
    wall.move(1)
    assert len(market.poll()) == 1


def test_a_new_trading_day_settles_the_old_one_at_its_presettlement_and_ends_the_batch(
    tmp_path: Path,
) -> None:
    path = written(
        tmp_path,
        ctp_line(
            TradingDay="20250609",
            UpdateTime="14:59:59",
            LastPrice="3010",
            PreSettlementPrice="2990",
            UpperLimitPrice="3100",
        ),
        ctp_line(
            TradingDay="20250610",
            UpdateTime="21:00:00",
            LastPrice="3011",
            PreSettlementPrice="3003",
            UpperLimitPrice="3111",
        ),
    )
    market, wall = replaying(path, 1000.0, "rb2510")
    assert len(market.poll()) == 1
    assert market.instruments()["rb2510"].UpperLimitPrice == 3100
    wall.move(10)
    batch = market.poll()
    assert batch == [DayTurn("20250609", "20250610", {"rb2510": 3003.0})]
    assert market.trading_day() == "20250610"
    assert market.instruments()["rb2510"].PreSettlementPrice == 3003
    assert market.instruments()["rb2510"].UpperLimitPrice == 3111  # known before its first row is out
    (first,) = market.poll()
    assert isinstance(first, DepthField)
    assert first.LastPrice == 3011


def test_other_contracts_of_the_file_settle_at_what_the_day_said(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        ctp_line(InstrumentID="rb2510", UpdateTime="14:59:58", LastPrice="3010"),
        ctp_line(InstrumentID="hc2510", UpdateTime="14:59:59", LastPrice="3200", SettlementPrice="3195"),
        ctp_line(InstrumentID="wr2510", UpdateTime="14:59:59", LastPrice="3300"),
        ctp_line(
            InstrumentID="rb2510", TradingDay="20250610", UpdateTime="21:00:00", PreSettlementPrice="3003"
        ),
    )
    market, wall = replaying(path, 1000.0, "rb2510")
    (turn,) = [event for event in events(market, wall) if isinstance(event, DayTurn)]
    assert turn.settlement == {"rb2510": 3003, "hc2510": 3195, "wr2510": 3300}


def test_only_what_is_watched_streams_and_the_rest_is_there_on_demand(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        ctp_line(InstrumentID="rb2510"),
        ctp_line(InstrumentID="hc2510", LastPrice="3200"),
        ctp_line(InstrumentID="rb2510", UpdateTime="21:00:01"),
    )
    market, wall = replaying(path, 1.0, "rb2510")
    assert {event.InstrumentID for event in events(market, wall) if isinstance(event, DepthField)} == {
        "rb2510"
    }
    quote = market.quote("hc2510")
    assert quote is not None
    assert quote.LastPrice == 3200
    assert market.quote("cu2507") is None


def test_everything_of_the_day_is_listed_with_the_files_contract_among_it(tmp_path: Path) -> None:
    market, _ = replaying(
        file_of(tmp_path, ("20250609", "21:00:00"), UpperLimitPrice="3100", LowerLimitPrice="2900")
    )
    fields = market.instruments()
    assert (fields["rb2510"].UpperLimitPrice, fields["rb2510"].LowerLimitPrice) == (3100, 2900)
    assert (fields["cu2507"].UpperLimitPrice, fields["cu2507"].VolumeMultiple) == (0, 5)
    assert "rb2701" not in fields
    assert all(field.OpenDate <= "20250609" <= field.ExpireDate for field in fields.values())


def test_after_the_last_row_the_clock_goes_on_and_quotes_stand_still(tmp_path: Path) -> None:
    market, wall = replaying(
        file_of(tmp_path, ("20250609", "21:00:00"), ("20250609", "21:00:01")), 1000.0, "rb2510"
    )
    wall.move(1)
    assert len(market.poll()) == 2
    last = market.quote("rb2510")
    wall.move(90)
    assert market.poll() == []
    assert market.now().isoformat() == "2025-06-06T21:01:31+08:00"
    assert market.quote("rb2510") == last
    assert market.trading_day() == "20250609"
    wall.move(3 * 24 * 3600)
    assert (market.trading_day(), market.phase("rb2510")) == ("20250609", "closed")


def test_a_row_that_cannot_be_read_ends_the_replay_and_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path, ctp_line(), ctp_line(LastPrice="what"), ctp_line(UpdateTime="21:00:02"))
    market, wall = replaying(path, 1.0, "rb2510")
    assert len(list(events(market, wall))) == 1
    assert "ticks.csv:3" in caplog.text


def test_a_poll_hands_out_a_bounded_batch(tmp_path: Path) -> None:
    stamps = [("20250609", f"21:{second // 60:02d}:{second % 60:02d}") for second in range(2 * BATCH)]
    market, wall = replaying(file_of(tmp_path, *stamps), 1e6, "rb2510")
    wall.move(1)
    sizes = [len(market.poll()) for _ in range(3)]
    assert sizes == [BATCH, BATCH, 0]


def test_a_restart_goes_on_at_the_same_row_and_time(tmp_path: Path) -> None:
    path = file_of(
        tmp_path, *(("20250609", f"21:00:0{second}") for second in range(6)), UpperLimitPrice="3100"
    )
    market, wall = replaying(path, 1.0, "rb2510")
    wall.move(2.4)
    assert len(market.poll()) == 3
    state = json.loads(json.dumps(market.state()))
    wall.move(1000)
    restarted = ReplayedMarket(path, 1.0, wall)
    restarted.resume(state)
    assert restarted.now().isoformat() == "2025-06-06T21:00:02.400000+08:00"
    assert restarted.quote("rb2510") == market.quote("rb2510")
    assert restarted.instruments()["rb2510"] == market.instruments()["rb2510"]
    assert restarted.poll() == []
    restarted.watch({"rb2510"})
    wall.move(0.5)
    assert restarted.poll() == []
    wall.move(0.1)
    (following,) = restarted.poll()
    assert isinstance(following, DepthField)
    assert following.UpdateTime == "21:00:03"


def test_what_orders_have_met_already_is_not_handed_out_again_after_a_kill(tmp_path: Path) -> None:
    """The state is written once a second, an order's own transaction says how far the replay was by then."""
    path = file_of(
        tmp_path, *(("20250609", f"21:00:0{second}") for second in range(6)), ("20250610", "21:00:00")
    )
    market, wall = replaying(path, 1.0, "rb2510")
    wall.move(1)
    market.poll()
    state = json.loads(json.dumps(market.state()))
    wall.move(2)
    market.poll()
    restarted = ReplayedMarket(path, 1.0, wall)
    restarted.resume(state, market.progress())
    assert restarted.quote("rb2510") == market.quote("rb2510")
    assert restarted.now() == market.now()
    assert restarted.progress() == market.progress()
    restarted.watch({"rb2510"})
    wall.move(1)
    assert [depth.UpdateTime for depth in restarted.poll() if isinstance(depth, DepthField)] == ["21:00:04"]
    restarted.resume(state, 100)
    assert restarted.trading_day() == "20250609"
    assert restarted.progress() == 6


def test_a_restart_after_the_last_row_stays_at_the_end(tmp_path: Path) -> None:
    path = file_of(tmp_path, ("20250609", "21:00:00"))
    market, wall = replaying(path, 1.0, "rb2510")
    assert len(market.poll()) == 1
    restarted = ReplayedMarket(path, 1.0, wall)
    restarted.resume(market.state())
    restarted.watch({"rb2510"})
    wall.move(7)
    assert restarted.poll() == []
    assert restarted.now().isoformat() == "2025-06-06T21:00:07+08:00"
    assert restarted.quote("rb2510") == market.quote("rb2510")


def test_a_state_of_another_file_is_ignored(tmp_path: Path) -> None:
    market, _ = replaying(file_of(tmp_path, ("20250609", "21:00:00")), 1.0, "rb2510")
    expected = market.state()
    market.resume(expected | {"file": "other.csv", "taken": 1})
    market.resume({"kind": "generated"})
    market.resume({})
    assert market.state() == expected


def test_a_file_without_rows_or_none_at_all_is_a_bad_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="没有可回放"):
        ReplayedMarket(written(tmp_path))
    with pytest.raises(SettingsError, match=r"missing\.csv"):
        ReplayedMarket(tmp_path / "missing.csv")
    with pytest.raises(SettingsError, match="表头"):
        ReplayedMarket(written(tmp_path, "1", header="x"))


def test_the_settings_choose_file_and_speed(tmp_path: Path) -> None:
    path = file_of(tmp_path, ("20250609", "21:00:00"))
    market = open_market(Settings(counter_quotes="replay", counter_replay=path, counter_speed=60))
    assert isinstance(market, ReplayedMarket)
    assert market.trading_day() == "20250609"


@on_each
def test_rubber_settles_at_the_days_average_and_not_at_its_last_price(recorded: Recordings) -> None:
    market, wall = replaying(recorded.rubber, 1e5, "ru1901")
    days = list(recorded.days["rubber"].items())
    day = market.instruments()["ru1901"]
    assert day.PreSettlementPrice == days[0][1].pre_settlement
    assert day.LowerLimitPrice < day.PreSettlementPrice < day.UpperLimitPrice
    seen: list[tuple[str, str, float, float]] = []
    last: DepthField | None = None
    for event in events(market, wall):
        if isinstance(event, DayTurn):
            assert last is not None
            seen.append((event.old_day, event.new_day, event.settlement["ru1901"], last.LastPrice))
            if event.old_day == "20181009":
                break
        else:
            last = event
    assert seen == [
        (day, after, facts.settlement, facts.close) for (day, facts), (after, _) in pairwise(days[:3])
    ]
    assert all(facts.settlement != facts.close for _, facts in days[:2])
    fields = market.instruments()
    assert fields["ru1901"].ExpireDate == "20190115"
    assert "rb1901" in fields
    assert "ru2509" not in fields
    assert "lc2401" not in fields


@needs_data
def test_the_limits_of_the_real_rubber_are_those_of_its_days() -> None:
    market, wall = replaying(REAL.rubber, 1e5, "ru1901")
    assert (
        market.instruments()["ru1901"].UpperLimitPrice,
        market.instruments()["ru1901"].LowerLimitPrice,
    ) == (13_390, 11_175)
    turns = (event for event in events(market, wall) if isinstance(event, DayTurn))
    assert (next(turns).new_day, market.instruments()["ru1901"].UpperLimitPrice) == ("20181009", 13_170)


@on_each
def test_bars_of_a_week_stream_through_nights_and_the_weekend(recorded: Recordings) -> None:
    market, wall = replaying(recorded.rubber_bars, 1e5, "ru1901")
    found = list(events(market, wall))
    turns = [event for event in found if isinstance(event, DayTurn)]
    assert [turn.new_day for turn in turns] == ["20181009", "20181010", "20181011", "20181012", "20181015"]
    assert turns[1].settlement == {"ru1901": recorded.days["rubber"]["20181009"].settlement}
    assert len(found) - len(turns) == len(list(read_rows(recorded.rubber_bars)))


@on_each
def test_apples_day_turns_at_the_login_snapshot_which_is_no_tick(recorded: Recordings) -> None:
    market, wall = replaying(recorded.apple, 1e5, "AP010")
    (first, facts), (second, _) = list(recorded.days["apple"].items())[:2]
    assert market.trading_day() == first
    assert f"{market.now():%H:%M}" == "19:29"
    assert f"{market.now():%Y%m%d}" < first
    stamps: list[str] = []
    for event in events(market, wall):
        if isinstance(event, DayTurn):
            assert (event.old_day, event.new_day, event.settlement) == (
                first,
                second,
                {"AP010": facts.settlement},
            )
            break
        stamps.append(event.UpdateTime)
    assert f"{stamps[0][:5]} {max(stamps)}" == "08:59 14:59:59"
    assert (
        f"{market.now():%Y%m%d %H:%M:%S}" == f"{first} 15:00:04"
    )  # it has not yet handed out anything of the evening


@pytest.mark.parametrize(
    ("path", "code", "day", "phase"),
    [
        pytest.param(
            getattr(recorded.values[0], name), *expected, marks=recorded.marks, id=f"{recorded.id}-{name}"
        )
        for recorded in EACH
        for name, *expected in [
            ("index", "IF2101", "20210104", "closed"),
            ("rebar_bars", "rb2401", "20230925", "continuous"),
            ("rubber", "ru1901", "20181008", "continuous"),
        ]
    ],
)
def test_every_recorded_file_opens_on_its_first_day(path: Path, code: str, day: str, phase: str) -> None:
    market, _ = replaying(path, 1.0, code)
    assert market.trading_day() == day
    (first,) = market.poll()
    assert isinstance(first, DepthField)
    assert first.InstrumentID == code
    assert market.phase(code) == phase  # IF begins with the print of its auction
    assert market.instruments()[code].OpenDate <= day <= market.instruments()[code].ExpireDate
