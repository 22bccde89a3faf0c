"""`record_ticks` in a real gateway on the counter's process: over a kill, and as a backtest's data."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.backtest.data import load
from app.counter.markets.readers import Row, read_rows
from app.data_dir import ticks_folder
from app.gateway.tick_recorder import recorded_days
from app.wire.messages import Subscribe
from tests.integration.test_gateway_service import World
from tests.support.waiting import eventually

SYMBOLS = ("rb2510.SHFE", "m2509.DCE")


def rows_of(folder: Path) -> list[Row]:
    return [row for path in recorded_days(folder).values() for row in read_rows(path)]


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
