"""Bars out of files of ticks, and files that lack what nothing depends on."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

from app.counter.markets.readers import CTP_OPTIONAL, read_rows
from app.counter.markets.tick_bars import bars_of_ticks
from app.lib.bar_files import read_bar_file

RECORDINGS = Path(__file__).parents[2] / "recordings"
TICKS = RECORDINGS / "SHFE.ru1901_20181008-20181012.ctp.csv.gz"
BARS = RECORDINGS / "SHFE.ru1901.from_ticks.1m.csv.gz"


def test_a_recorded_weeks_bars_are_those_that_were_made_of_it() -> None:
    counted: list[int] = []
    found = bars_of_ticks(TICKS, counted.append)
    expected = read_bar_file(BARS)
    assert list(found) == ["ru1901.SHFE"]
    figures = [bar[:6] for bar in found["ru1901.SHFE"]]
    assert figures == [bar[:6] for bar in expected["ru1901.SHFE"]]
    assert sum(counted) == 8160


def test_a_recorder_that_leaves_columns_out_is_read_all_the_same(tmp_path: Path) -> None:
    with gzip.open(TICKS, "rt", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))[:50]
    path = tmp_path / "SHFE.ru1901.csv"
    names = [name for name in rows[0] if name not in CTP_OPTIONAL]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    found = list(read_rows(path))
    whole = list(read_rows(TICKS))[:50]
    assert [row.moment.replace(microsecond=0) for row in found] == [
        row.moment.replace(microsecond=0) for row in whole
    ]
    assert [row.depth.LastPrice for row in found] == [row.depth.LastPrice for row in whole]
    assert {row.depth.ExchangeID for row in found} == {"SHFE"}
    assert {row.depth.SettlementPrice for row in found} == {0}
