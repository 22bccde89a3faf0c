"""Files made into columns: what is loaded is the same, made once, and nothing depends on it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.backtest.market_data import cache as cached
from app.backtest.market_data.cache import ColumnCache, How
from app.backtest.market_data.data import load
from app.lib import columns
from app.lib.bar_tables import BadBarFile

RECORDINGS = Path(__file__).parents[2] / "recordings"
FILES = sorted(path for path in RECORDINGS.iterdir() if path.name.endswith(".gz"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_recording_loads_from_columns_as_from_its_file(tmp_path: Path, path: Path) -> None:
    kept = ColumnCache(tmp_path).columns_of(path)
    assert columns.is_columns(kept)
    assert load([kept]) == load([path])


def test_it_is_made_once_and_again_for_another_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bars = next(path for path in FILES if path.name.startswith("SHFE.rb2401"))
    cache, counted = ColumnCache(tmp_path / "cache"), []
    first = cache.columns_of(bars, on_row=counted.append)
    assert sum(counted) == 1830 + 5
    assert ColumnCache(tmp_path / "cache").columns_of(bars, on_row=counted.append) == first
    assert sum(counted) == 1830 + 5
    other = cache.columns_of(bars, How(label="start"), counted.append)
    assert other != first
    assert cache.columns_of(first) == first
    monkeypatch.setattr(cached, "version", lambda: "another")
    assert cache.columns_of(bars) not in (first, other)


def test_what_was_used_last_stays(tmp_path: Path) -> None:
    bars = next(path for path in FILES if path.name.startswith("SHFE.rb2401"))
    cache = ColumnCache(tmp_path / "cache", most_bytes=1)
    found = []
    for name in ("one.csv.gz", "two.csv.gz"):
        shutil.copy(bars, tmp_path / name)
        found.append(cache.columns_of(tmp_path / name))
    assert [path.exists() for path in found] == [False, True]


def test_where_nothing_can_be_kept_the_file_itself_is_read(tmp_path: Path) -> None:
    bars = next(path for path in FILES if path.name.startswith("SHFE.rb2401"))
    (tmp_path / "cache").write_text("a file in the folder's place")
    assert ColumnCache(tmp_path / "cache").columns_of(bars) == bars
    bad = tmp_path / "bad.csv"
    bad.write_text("symbol,datetime,open,high,low,close,volume\nrb2401,2023-10-10 09:00:00,1,0,1,1,1\n")
    with pytest.raises(BadBarFile, match="bad.csv:2"):
        ColumnCache(tmp_path / "kept").columns_of(bad)


def test_columns_that_are_named_by_hand_are_read_so(tmp_path: Path) -> None:
    path = tmp_path / "rb2401.csv"
    path.write_text("when,o,h,l,c,lots\n2023-10-10 09:00:00,3,4,2,3,7\n")
    given = {"time": "when", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "lots"}
    kept = ColumnCache(tmp_path / "cache").columns_of(path, How(label="start", given=given))
    ((bar,),) = load([kept]).bars.values()
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (3, 4, 2, 3, 7)
