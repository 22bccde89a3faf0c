"""The generated market: seeded, inside its limits, adding up, turning its day, going on after a restart."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from app.counter.__main__ import open_market
from app.counter.contracts import listed_on
from app.counter.markets.generator import GeneratedMarket
from app.counter.markets.market import DayTurn
from app.counter.products import products
from app.lib.calendar import SHANGHAI, compact, parse_day
from app.lib.errors import SettingsError
from app.lib.prices import limits, on_tick
from app.settings import Settings
from app.wire.frames import DepthField

HALF = timedelta(seconds=0.5)
WATCHED = {"rb2510", "IF2506", "AP510", "sc2507", "T2509", "m2509", "SR509"}


class Wall:
    """A clock that stands until it is moved."""

    def __init__(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **span: float) -> None:
        self.now += timedelta(**span)

    def to(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def ticks(market: GeneratedMarket, wall: Wall, count: int) -> list[DepthField]:
    """What `count` half seconds bring."""
    found: list[DepthField] = []
    for _ in range(count):
        wall.now += HALF
        found += [item for item in market.poll() if isinstance(item, DepthField)]
    return found


def market_at(
    text: str, seed: int = 1, hours: str = "always", watch: set[str] = frozenset(WATCHED)
) -> tuple[GeneratedMarket, Wall]:  # type: ignore[assignment]
    wall = Wall(text)
    market = GeneratedMarket(seed, hours, wall=wall)
    market.watch(set(watch))
    return market, wall


def test_two_snapshots_a_second_of_each_watched_contract_and_of_no_other() -> None:
    market, wall = market_at("2025-06-08 03:00:00")  # a Sunday night
    found = ticks(market, wall, 20)
    assert len(found) == 20 * len(WATCHED)
    assert {depth.InstrumentID for depth in found} == WATCHED
    assert market.poll() == []
    assert {depth.TradingDay for depth in found} == {"20250609"}
    assert {depth.ActionDay for depth in found} == {"20250608"}


def test_a_contract_of_next_year_is_told_of_now_and_then_and_its_quote_stands_meanwhile() -> None:
    market, wall = market_at("2025-06-09 10:00:00", watch={"sc2609", "sc2507"})
    first = market.quote("sc2609")
    assert first is not None
    assert 0 < first.BidPrice1 < first.AskPrice1
    half_hour = ticks(market, wall, 3600)
    quiet = [tick for tick in half_hour if tick.InstrumentID == "sc2609"]
    assert 5 <= len(quiet) <= 30
    assert len(half_hour) - len(quiet) == 3600
    assert market.quote("sc2609") == quiet[-1]
    assert (
        len({(tick.Volume, tick.BidVolume1, tick.AskVolume1) for tick in [first, *quiet]}) == len(quiet) + 1
    )  # each is a change


def test_the_same_seed_gives_the_same_stream_and_another_seed_another() -> None:
    streams = []
    for seed, watched in ((1, WATCHED), (1, {"rb2510"}), (2, WATCHED)):
        market, wall = market_at("2025-06-09 10:00:00", seed, watch=watched)
        streams.append([depth for depth in ticks(market, wall, 200) if depth.InstrumentID == "rb2510"])
    assert streams[0] == streams[1]
    assert streams[0] != streams[2]


def test_figures_of_a_day_add_up_and_stay_inside_the_limits() -> None:
    market, wall = market_at("2025-06-09 09:00:00")
    terms = market.instruments()
    series: dict[str, list[DepthField]] = {}
    for depth in ticks(market, wall, 4000):
        series.setdefault(depth.InstrumentID, []).append(depth)
    for name, depths in series.items():
        field, tick = terms[name], terms[name].PriceTick
        size = 1 if field.ExchangeID == "CZCE" else field.VolumeMultiple  # of the average alone
        turnover = depths[0].Turnover
        for before, after in pairwise(depths):
            traded = after.Volume - before.Volume
            assert traded >= 0
            assert after.OpenInterest > 0
            turnover += traded * after.LastPrice * field.VolumeMultiple
            assert after.Turnover == pytest.approx(turnover)
            assert (traded > 0) or after.LastPrice == before.LastPrice
        for depth in depths:
            assert (
                field.LowerLimitPrice
                <= depth.LowestPrice
                <= depth.LastPrice
                <= depth.HighestPrice
                <= field.UpperLimitPrice
            )
            assert depth.LowestPrice <= depth.OpenPrice <= depth.HighestPrice
            assert depth.LowestPrice * size <= depth.AveragePrice + 1e-3
            assert depth.AveragePrice <= depth.HighestPrice * size + 1e-3
            for price in (
                depth.LastPrice,
                depth.OpenPrice,
                depth.BidPrice1,
                depth.AskPrice1,
                depth.PreSettlementPrice,
                depth.PreClosePrice,
            ):
                assert on_tick(price, tick)
            assert round((depth.AskPrice1 - depth.BidPrice1) / tick) in (1, 2)
            assert depth.BidVolume1 > 0
            assert depth.AskVolume1 > 0
        assert len({depth.LastPrice for depth in depths}) > 5
        assert depths[-1].Volume > 500


def test_at_a_locked_limit_one_side_is_absent() -> None:
    market, wall = market_at("2025-06-09 09:00:00", watch={"rb2510"})
    ticks(market, wall, 1)
    walk, day = market._walks["rb2510"], market._days["rb2510"]
    walk.last = day.upper
    market._days["rb2510"] = day._replace(fair=day.upper * 2)  # pulls up, against the limit
    found = ticks(market, wall, 60)
    locked = [depth for depth in found if depth.AskPrice1 == 0]
    assert locked
    assert all(
        depth.AskVolume1 == 0 and depth.BidPrice1 > 0 and depth.LastPrice <= depth.UpperLimitPrice
        for depth in locked
    )


def test_a_quote_is_made_on_demand_and_then_stands_for_its_moment() -> None:
    market, wall = market_at("2025-06-09 10:00:00", watch=set())
    first = market.quote("cu2507")
    assert first is not None
    assert first.Volume > 0
    assert first.UpdateTime == "10:00:00"
    assert market.quote("cu2507") == first
    wall.move(minutes=10)
    later = market.quote("cu2507")
    assert later is not None
    assert later.UpdateTime == "10:10:00"
    assert later.Volume >= first.Volume
    assert market.quote("cu2307") is None
    assert market.quote("") is None
    assert market.poll() == []


def test_a_watched_contracts_quote_is_its_newest_snapshot() -> None:
    market, wall = market_at("2025-06-09 10:00:00", watch={"rb2510"})
    newest = ticks(market, wall, 10)[-1]
    wall.move(seconds=0.2)
    assert market.quote("rb2510") == newest


def test_a_late_poll_brings_the_newest_snapshots_only() -> None:
    market, wall = market_at("2025-06-09 10:00:00", watch={"rb2510"})
    wall.move(minutes=5)
    found = [item for item in market.poll() if isinstance(item, DepthField)]
    assert 1 <= len(found) <= 4
    assert (found[-1].UpdateTime, found[-1].UpdateMillisec) == ("10:05:00", 0)


@pytest.mark.parametrize("hours", ["always", "exchange"])
def test_the_day_turns_at_half_past_three_with_the_settlement(hours: str) -> None:
    market, wall = market_at("2025-06-06 14:58:00", hours=hours)
    before = market.instruments()
    ticks(market, wall, 100)
    newest = {name: market.quote(name) for name in WATCHED}
    wall.to("2025-06-06 15:29:59")
    assert market.trading_day() == "20250606"
    market.poll()
    wall.to("2025-06-06 15:30:00")
    (turn,) = market.poll()
    assert isinstance(turn, DayTurn)
    assert (turn.old_day, turn.new_day) == ("20250606", "20250609")  # a Friday
    assert market.trading_day() == "20250609"
    assert set(turn.settlement) == set(before)
    after = market.instruments()
    for name in WATCHED:
        depth = newest[name]
        assert depth is not None
        assert after[name].PreSettlementPrice == turn.settlement[name]
        assert depth.LowestPrice <= turn.settlement[name] <= depth.HighestPrice
    for name in set(after) & set(before):
        assert after[name].PreSettlementPrice == turn.settlement[name]
        product = products()[after[name].ProductID]
        assert (after[name].UpperLimitPrice, after[name].LowerLimitPrice) == limits(
            turn.settlement[name], product.limit_ratio, product.price_tick, product.exchange
        )


def test_commodities_settle_at_the_average_of_the_day_rounded_down_to_the_tick() -> None:
    market, wall = market_at("2025-06-06 15:20:00", watch={"rb2510", "SR509"})
    ticks(market, wall, 300)
    average = {name: market.quote(name).AveragePrice for name in ("rb2510", "SR509")}  # type: ignore[union-attr]
    wall.to("2025-06-06 15:30:00")
    (turn,) = market.poll()
    assert isinstance(turn, DayTurn)
    assert turn.settlement["rb2510"] == average["rb2510"] / 10 // 1
    assert turn.settlement["SR509"] == average["SR509"] // 1  # CZCE's average has no multiplier


def test_indices_settle_at_the_average_of_the_last_hour() -> None:
    market, wall = market_at("2025-06-06 13:59:00", watch={"IF2506"})
    at_two = ticks(market, wall, 119)[-1]  # 13:59:59.5
    newest = ticks(market, wall, 400)[-1]
    hour = (newest.Turnover - at_two.Turnover) / (newest.Volume - at_two.Volume) / 300
    wall.to("2025-06-06 15:30:00")
    (turn,) = market.poll()
    assert isinstance(turn, DayTurn)
    assert 0 <= hour - turn.settlement["IF2506"] < 0.2


def test_the_new_day_starts_again_from_the_old_ones_close() -> None:
    market, wall = market_at("2025-06-06 15:29:50", watch={"rb2510"})
    last = ticks(market, wall, 15)[-1]
    wall.to("2025-06-06 15:30:00")
    (turn,) = market.poll()
    assert isinstance(turn, DayTurn)
    first = ticks(market, wall, 1)[0]
    assert first.PreClosePrice == last.LastPrice
    assert first.PreSettlementPrice == turn.settlement["rb2510"]
    assert first.PreOpenInterest == last.OpenInterest
    assert first.Volume < last.Volume
    assert first.OpenPrice == first.HighestPrice == first.LowestPrice == first.LastPrice
    assert (first.TradingDay, first.ActionDay) == ("20250609", "20250606")


def test_an_expired_contract_is_settled_and_gone() -> None:
    market, wall = market_at("2025-05-30 15:00:00", watch={"sc2506"})
    ticks(market, wall, 5)
    wall.to("2025-05-30 15:30:00")
    (turn,) = market.poll()
    assert isinstance(turn, DayTurn)
    assert turn.new_day == "20250603"
    assert turn.settlement["sc2506"] > 0
    assert "sc2506" not in market.instruments()
    assert ticks(market, wall, 4) == []
    assert market.quote("sc2506") is None
    assert market.phase("sc2506") == "closed"


def test_days_that_nobody_polled_turn_one_by_one() -> None:
    market, wall = market_at("2025-06-09 10:00:00")
    wall.to("2025-06-13 16:00:00")
    turns = [market.poll() for _ in range(5)]
    assert [(turn[0].old_day, turn[0].new_day) for turn in turns if isinstance(turn[0], DayTurn)] == [
        ("20250609", "20250610"),
        ("20250610", "20250611"),
        ("20250611", "20250612"),
        ("20250612", "20250613"),
        ("20250613", "20250616"),
    ]
    assert all(isinstance(item, DepthField) for item in market.poll())


def test_exchange_hours_quote_in_sessions_only() -> None:
    market, wall = market_at("2025-06-09 10:14:58", hours="exchange", watch={"rb2510", "IF2506"})
    found = ticks(market, wall, 8)  # until 10:15:02: the break of rb, none of IF
    assert [depth.UpdateTime for depth in found if depth.InstrumentID == "rb2510"] == [
        "10:14:58",
        "10:14:59",
        "10:14:59",
    ]
    assert len([depth for depth in found if depth.InstrumentID == "IF2506"]) == 8
    assert (market.phase("rb2510"), market.phase("IF2506")) == ("closed", "continuous")
    wall.to("2025-06-08 12:00:00")
    assert market.phase("IF2506") == "closed"


def test_exchange_hours_before_the_first_trade_show_yesterdays_prices() -> None:
    market, _ = market_at("2025-06-07 12:00:00", hours="exchange", watch=set())
    depth = market.quote("rb2510")
    assert depth is not None
    assert depth.Volume == 0
    assert depth.AveragePrice == 0
    assert depth.OpenPrice == 0
    assert depth.LastPrice == depth.PreClosePrice == depth.PreSettlementPrice > 0


def test_nothing_trades_in_the_night_before_the_new_year_nor_on_it() -> None:
    market, wall = market_at("2026-12-31 14:59:00", hours="exchange", watch={"rb2705", "IF2703"})
    assert market.phase("rb2705") == "continuous"
    for moment in ("2026-12-31 21:00:30", "2027-01-01 10:00:00", "2027-01-03 21:30:00"):
        wall.to(moment)
        while any(isinstance(row, DayTurn) for row in market.poll()):
            pass
        assert market.poll() == []
        assert market.trading_day() == "20270104"
        assert market.phase("rb2705") == market.phase("IF2703") == "closed"
    wall.to("2027-01-04 09:00:30")
    market.poll()
    assert market.phase("rb2705") == "continuous"


def test_friday_night_is_stamped_as_each_exchange_stamps_it() -> None:
    market, wall = market_at("2025-06-06 21:00:00", hours="exchange", watch={"rb2510", "m2509", "SR509"})
    stamps = {
        depth.ExchangeID: (depth.TradingDay, depth.ActionDay, depth.UpdateMillisec)
        for depth in ticks(market, wall, 1)
    }
    assert stamps == {
        "SHFE": ("20250609", "20250606", 500),
        "DCE": ("20250609", "20250609", 500),
        "CZCE": ("20250606", "20250606", 0),
    }
    assert market.trading_day() == "20250609"


def test_the_eve_of_a_holiday_has_no_night() -> None:
    market, wall = market_at("2025-05-30 21:10:00", hours="exchange", watch={"ag2508"})
    assert ticks(market, wall, 10) == []
    assert market.trading_day() == "20250603"
    assert market.phase("ag2508") == "closed"


def test_a_restarted_market_goes_on_as_if_nothing_had_happened() -> None:
    undisturbed, wall = market_at("2025-06-09 10:00:00")
    ticks(undisturbed, wall, 50)
    state = json.loads(json.dumps(undisturbed.state()))
    restarted = GeneratedMarket(1, wall=wall)
    restarted.resume(state)
    restarted.watch(set(WATCHED))
    assert restarted.trading_day() == undisturbed.trading_day()
    for _ in range(100):
        wall.now += HALF
        assert restarted.poll() == undisturbed.poll()


def test_a_restart_after_the_day_has_turned_settles_the_old_day_first() -> None:
    market, wall = market_at("2025-06-09 15:00:00")
    ticks(market, wall, 50)
    state, traded = market.state(), market.quote("rb2510")
    wall.to("2025-06-10 09:00:00")
    restarted = GeneratedMarket(1, wall=wall)
    restarted.resume(state)
    assert restarted.trading_day() == "20250609"
    (turn,) = restarted.poll()
    assert isinstance(turn, DayTurn)
    assert traded is not None
    assert traded.LowestPrice <= turn.settlement["rb2510"] <= traded.HighestPrice
    assert restarted.trading_day() == "20250610"


def test_a_clock_that_is_set_jumps_forward_and_never_back() -> None:
    wall = datetime(2025, 6, 6, 2, 0, tzinfo=UTC)
    market = GeneratedMarket(1, clock="2025-06-06T10:00:00", wall=lambda: wall)
    for moment in ("2025-06-06T10:00:59+08:00", "2025-06-06T10:00:30+08:00"):
        market.set_clock(datetime.fromisoformat(moment))
        assert market.now() == datetime.fromisoformat("2025-06-06T10:00:59+08:00")


def test_a_set_clock_starts_there_runs_at_the_walls_speed_and_goes_on_after_a_restart() -> None:
    wall = Wall("2026-11-23 09:00:00")
    market = GeneratedMarket(1, "exchange", "2025-06-06T21:00:00", wall)
    assert market.now().isoformat() == "2025-06-06T21:00:00+08:00"
    assert market.trading_day() == "20250609"
    assert "rb2507" in market.instruments()
    assert "rb2701" not in market.instruments()
    wall.move(minutes=10)
    assert market.now().isoformat() == "2025-06-06T21:10:00+08:00"
    restarted = GeneratedMarket(1, "exchange", "2025-06-06T21:00:00", wall)
    restarted.resume(market.state())
    assert restarted.now() == market.now()


def test_a_clock_before_the_day_already_reached_is_refused() -> None:
    market, wall = market_at("2025-06-09 10:00:00")
    earlier = GeneratedMarket(1, "always", "2025-06-03T10:00:00", wall)
    with pytest.raises(SettingsError, match="20250609"):
        earlier.resume(market.state())


def test_a_state_of_another_seed_or_kind_is_ignored() -> None:
    market, wall = market_at("2025-06-09 10:00:00")
    ticks(market, wall, 50)
    other = GeneratedMarket(2, wall=wall)
    expected = other.state()
    other.resume(market.state())
    other.resume({"kind": "replay"})
    other.resume({})
    assert other.state() == expected


@pytest.mark.parametrize("clock", ["yesterday", "2025-06-31T10:00:00", "10:00"])
def test_a_clock_that_is_no_moment_is_named(clock: str) -> None:
    with pytest.raises(SettingsError, match="counter_clock"):
        GeneratedMarket(1, clock=clock)


def test_the_hosts_zone_does_not_matter() -> None:
    wall = datetime(2025, 6, 6, 16, 45, tzinfo=UTC)
    market = GeneratedMarket(1, "exchange", wall=lambda: wall)
    assert market.now().isoformat() == "2025-06-07T00:45:00+08:00"
    assert market.trading_day() == "20250609"
    assert market.phase("ag2508") == "continuous"


def test_instruments_are_those_listed_on_the_day_with_the_tables_rates() -> None:
    market, _ = market_at("2025-06-09 10:00:00")
    fields = market.instruments()
    assert set(fields) == {contract.instrument for contract in listed_on(parse_day("20250609"))}
    rebar = fields["rb2510"]
    assert (rebar.ExchangeID, rebar.ProductID, rebar.VolumeMultiple, rebar.PriceTick) == (
        "SHFE",
        "rb",
        10,
        1.0,
    )
    assert (rebar.PositionDateType, rebar.MaxMarginSideAlgorithm, rebar.ExpireDate) == ("1", "1", "20251015")
    assert rebar.InstrumentName == "螺纹钢2510"
    assert (rebar.OpenRatioByMoney, rebar.CloseTodayRatioByMoney) == (0.0001, 0.0001)
    for field in fields.values():
        assert field.OpenDate <= "20250609" <= field.ExpireDate <= field.EndDelivDate
        assert 0 < field.LowerLimitPrice < field.PreSettlementPrice < field.UpperLimitPrice


def test_untouched_contracts_settle_where_their_next_day_starts() -> None:
    market, wall = market_at("2025-06-09 15:29:59", watch=set())
    wall.move(seconds=1)
    (turn,) = market.poll()
    assert isinstance(turn, DayTurn)
    fresh = GeneratedMarket(1, wall=wall)
    assert {
        name: field.PreSettlementPrice
        for name, field in fresh.instruments().items()
        if name in turn.settlement
    } == {name: price for name, price in turn.settlement.items() if name in fresh.instruments()}


def test_a_hundred_watched_contracts_cost_little() -> None:
    from time import process_time

    market, wall = market_at("2025-06-09 10:00:00")
    busy = [contract.instrument for contract in listed_on(date(2025, 6, 9)) if contract.year == 2025]
    market.watch(set(sorted(busy)[::4][:100]))
    ticks(market, wall, 2)
    spent = []
    for _ in range(100):
        wall.now += HALF
        begun = process_time()
        assert len(market.poll()) == 100
        spent.append(process_time() - begun)
    assert sorted(spent)[50] < 0.004  # 1 ms here; the bound leaves room for a slow machine


def test_the_settings_choose_the_market() -> None:
    market = open_market(
        Settings(counter_seed=7, counter_hours="exchange", counter_clock="2025-06-06T21:00:00")
    )
    assert isinstance(market, GeneratedMarket)
    assert compact(market.now().date()) == "20250606"
