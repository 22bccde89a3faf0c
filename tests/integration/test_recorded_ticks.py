"""`record_ticks` in a real gateway on the counter's process: over a kill, and as a backtest's data."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.backtest.market_data.data import load
from app.counter.markets.readers import Row, read_rows
from app.data_dir import ticks_folder
from app.gateway.tick_recorder import recorded_days
from app.wire.messages import Subscribe
from tests.integration.test_gateway_service import World
from tests.support.waiting import eventually

RU = Path(__file__).parents[1] / "recordings" / "SHFE.ru1901_20181008-20181012.ctp.csv.gz"
SYMBOLS = ("rb2510.SHFE", "m2509.DCE")


def rows_of(folder: Path) -> list[Row]:
    return [row for path in recorded_days(folder).values() for row in read_rows(path)]


@pytest.mark.full
def test_what_a_replay_streams_is_recorded_row_for_row_over_days_and_nights(tmp_path: Path) -> None:
    """The replay's clock stands until somebody subscribes: nothing is missed. Its login snapshots are not
    streamed.
    """
    streamed = [row for row in read_rows(RU) if row.kind != "login"]
    world = World(
        tmp_path,
        record_ticks=True,
        counter_quotes="replay",
        counter_replay=RU,
        counter_speed=5_000.0,
        counter_clock="",
    )
    folder = ticks_folder(tmp_path, "sim-9999-demo")
    try:
        _gateway, page = world.log_in()
        page.ask(Subscribe(["ru1901.SHFE"]))
        last = streamed[-1].depth
        eventually(lambda: (rows := rows_of(folder)) and rows[-1].depth == last, "all is recorded", 90.0)
    finally:
        world.close()
    recorded, expected = by_day(rows_of(folder)), by_day(distinct(streamed))
    assert recorded.keys() == expected.keys()
    for day, rows in recorded.items():
        # From its end to its turn are hours in the world, here a millisecond: the last rows may come late.
        assert rows == expected[day][: len(rows)]
        assert len(rows) > len(expected[day]) * 0.9


def by_day(rows: list[Row]) -> dict[str, list[Row]]:
    days: dict[str, list[Row]] = {}
    for row in rows:
        days.setdefault(row.trading_day, []).append(row)
    return days


def distinct(rows: list[Row]) -> list[Row]:
    """Without those that say nothing new."""
    return [one for at, one in enumerate(rows) if not at or one.depth != rows[at - 1].depth]


@pytest.mark.full
def test_a_killed_gateway_leaves_whole_ticks_and_its_successor_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path, record_ticks=True, counter_hours="exchange", counter_clock="2025-06-09T09:01:00")
    folder = ticks_folder(tmp_path, "sim-9999-demo")
    try:
        gateway, page = world.log_in()
        page.ask(Subscribe(list(SYMBOLS)))
        before = eventually(lambda: len(found := rows_of(folder)) > 10 and found, "ticks are recorded", 30.0)
        gateway.kill()
        gateway.wait()
        (path,) = recorded_days(folder).values()
        with path.open("ab") as file:
            file.write(b"\x93BLK half a block")
        assert rows_of(folder)[: len(before)] == before
        count = len(rows_of(folder))
        _gateway, again = world.log_in()
        again.ask(Subscribe(list(SYMBOLS)))
        after = eventually(lambda: len(found := rows_of(folder)) > count + 5 and found, "it goes on", 30.0)
        assert after[: len(before)] == before
        assert path.stem == "20250609" == after[-1].trading_day
    finally:
        world.close()
    whole = load([path])
    assert whole.local_symbols == sorted(SYMBOLS)
    alone = load([path], contracts=["m2509.DCE"])
    assert alone.ticks == [row for row in whole.ticks if row.depth.InstrumentID == "m2509"]
    assert [row.moment for row in whole.ticks if row.kind != "tick"] == []
