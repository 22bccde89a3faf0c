"""Where the recorded market data lies, beside the repository; tests that need it skip where it is absent."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"
RUBBER = DATA / "ticks" / "SHFE.ru1901_20181008-20181012.ctp.csv.gz"
APPLE = DATA / "ticks" / "CZCE.AP010_20200803-20200814.ctp.csv.gz"
INDEX = DATA / "ticks" / "CFFEX.IF.HOT_20210104-20210106.wt.csv.gz"
REBAR_BARS = DATA / "bars_1m" / "SHFE.rb2401.1m.csv.gz"
RUBBER_BARS = DATA / "bars_1m" / "SHFE.ru1901.from_ticks.1m.csv.gz"

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded market data (../shared/data) is not here")


def table(name: str) -> list[dict[str, str]]:
    """A CSV of the instruments folder, plain or packed."""
    path = DATA / "instruments" / name
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.DictReader(text.decode("utf-8-sig").splitlines()))
