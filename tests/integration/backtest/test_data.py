"""Which files a run takes, of which days; and what is said of those that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.backtest.market_data.data import (
    NoData,
    Span,
    TradingDays,
    bars_from_store,
    checked_day,
    load,
    within,
)
from app.counter.markets.readers import BadFile
from app.lib import bar_columns
from app.lib.errors import AppError, BadInput
from app.model.sqlite import SqliteStore
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
    end = days.end("20230927")
    assert (days.of(end - 1), days.of(end)) == ("20230927", "20230928")
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


def test_of_files_with_more_the_contracts_that_are_named_alone(tmp_path: Path) -> None:
    row = "{},2023-09-25 09:00:00,3700,3701,3699,3700,10\n"
    path = tmp_path / "several.csv"
    path.write_text(HEAD + row.format("rb2401.SHFE") + row.format("rb2405.SHFE"))
    assert list(load([path]).bars) == ["rb2401.SHFE", "rb2405.SHFE"]
    assert list(load([path], contracts=["rb2405.SHFE"]).bars) == ["rb2405.SHFE"]
    with pytest.raises(NoData, match="没有 rb2410.SHFE"):
        load([path], contracts=["rb2405.SHFE", "rb2410.SHFE"])
    day = Span("20181009", "20181009")
    assert load([TICKS], day, contracts=["ru1901.SHFE"]).ticks == load([TICKS], day).ticks
    with pytest.raises(NoData, match="没有 rb2410.SHFE"):
        load([TICKS], day, contracts=["rb2410.SHFE"])


def test_a_stores_bars_of_a_range_are_the_files_and_load_from_columns(tmp_path: Path) -> None:
    (whole, hashes) = load([BARS])[0], load([BARS]).hashes
    store = SqliteStore(tmp_path / "account.db")
    store.save_bars("rb2401.SHFE", "1m", whole["rb2401.SHFE"])
    store.save_bars("rb2405.SHFE", "5m", whole["rb2401.SHFE"][:1])
    span = Span("20230926", "20230927")
    found = bars_from_store(store, ["rb2401.SHFE"], span)
    assert found == load([BARS], span).bars
    path = tmp_path / "store.bars"
    path.write_bytes(bar_columns.encoded(found))
    kept = load([path])
    assert kept.bars == found
    assert list(kept.hashes) == ["rb2401.SHFE"]
    path.write_bytes(bar_columns.encoded(whole, bar_columns.Source(BARS.name, hashes[BARS.name])))
    assert load([path]) == load([BARS])
    store.close()


def test_a_store_without_the_bars_says_which_and_what_there_is(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "account.db")
    store.save_bars("rb2401.SHFE", "1m", load([BARS]).bars["rb2401.SHFE"])
    with pytest.raises(
        NoData, match="没有 rb2401.SHFE（20240101 至 最晚）的 K 线；有的是交易日 20230925 至 20231010"
    ):
        bars_from_store(store, ["rb2401.SHFE"], Span("20240101"))
    with pytest.raises(NoData, match="rb2405.SHFE 的 K 线；这个品种有：rb2401.SHFE"):
        bars_from_store(store, ["rb2401.SHFE", "rb2405.SHFE"])
    with pytest.raises(NoData, match="一根也没有"):
        bars_from_store(store, ["m2405.DCE"])
    with pytest.raises(BadInput, match="之后"):
        bars_from_store(store, ["rb2401.SHFE"], Span("20240101", "20230101"))
    with pytest.raises(BadInput, match="合约"):
        bars_from_store(store, [])
    store.close()


@pytest.mark.parametrize(
    "span", [Span(), Span("20230926"), Span("", "20230926"), Span("20230927", "20230927")]
)
def test_a_part_of_what_is_loaded_is_what_loading_the_part_gives(span: Span) -> None:
    assert within(load([BARS]), span) == load([BARS], span)
    assert within(load([TICKS]), Span("20181009")) == load([TICKS], Span("20181009"))


def test_a_part_with_nothing_in_it_is_refused() -> None:
    data = load([BARS])
    with pytest.raises(NoData, match="20300101"):
        within(data, Span("20300101"))
    with pytest.raises(BadInput, match="20230927"):
        within(data, Span("20230927", "20230926"))


def test_a_price_below_zero_as_back_adjusted_ones_may_be_is_refused_by_its_row(tmp_path: Path) -> None:
    """No order can be at such a price: backtests take the real contracts'."""
    path = tmp_path / "rb2401.csv"
    rows = [
        f"rb2401.SHFE,2023-09-25 09:0{minute}:00,{price},{price},{price},{price},10"
        for minute, price in enumerate((5, -5))
    ]
    path.write_text(HEAD + "\n".join(rows) + "\n")
    with pytest.raises(AppError, match="rb2401.csv:3"):
        load([path])
