"""Which files a run takes, of which days; and what is said of those that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.backtest.data import NoData, Span, TradingDays, checked_day, load
from app.counter.markets.readers import BadFile
from app.lib.errors import BadInput
from tests.integration.backtest.scenes import at

RECORDINGS = Path(__file__).parents[2] / "recordings"
BARS = RECORDINGS / "SHFE.rb2401.1m.csv.gz"
TICKS = RECORDINGS / "SHFE.ru1901_20181008-20181012.ctp.csv.gz"
HEAD = "symbol,datetime,open,high,low,close,volume\n"


def test_a_range_is_of_trading_days_nights_included() -> None:
    whole, part = load([BARS]), load([BARS], Span("20230926", "20230927"))
    days = TradingDays()
    expected = [
        bar for bar in whole.bars["rb2401.SHFE"] if days.of(bar.timestamp) in ("20230926", "20230927")
    ]
    assert part.bars["rb2401.SHFE"] == expected
    assert at("2023-09-25 21:00").timestamp() * 1000 == expected[0].timestamp
    assert {row.trading_day for row in load([TICKS], Span("20181009", "20181009")).ticks} == {"20181009"}


def test_bars_and_ticks_are_not_mixed() -> None:
    with pytest.raises(BadInput, match="是 tick"):
        load([BARS, TICKS])


def test_two_files_that_disagree_on_a_minute_are_refused_and_equal_ones_are_one(tmp_path: Path) -> None:
    row = "rb2401.SHFE,2023-09-25 09:00:00,3700,3701,3699,3700,{}\n"
    one, other, same = (tmp_path / name for name in ("one.csv", "other.csv", "same.csv"))
    for path, volume in ((one, 10), (other, 11), (same, 10)):
        path.write_text(HEAD + row.format(volume))
    assert len(load([one, same]).bars["rb2401.SHFE"]) == 1
    with pytest.raises(BadFile, match="同一分钟"):
        load([one, other])


def test_no_data_and_a_range_that_ends_before_it_begins() -> None:
    with pytest.raises(NoData):
        load([BARS], Span("20300101"))
    with pytest.raises(BadInput, match="之后"):
        load([BARS], Span("20231010", "20230901"))


def test_days_are_written_in_two_ways() -> None:
    assert [checked_day(text, "start") for text in ("2024-01-31", "20240131", "")] == ["20240131"] * 2 + [""]
    with pytest.raises(BadInput, match="2024-01-31"):
        checked_day("昨天", "start")
