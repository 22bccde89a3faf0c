"""Recordings of markets: those in tests/recordings, made by the generator, and the real ones beside the
repository where they are.

Tests of readers, bars, days and replay run on both (`on_each`); on the real ones they skip where these are
absent. What is true of one recording alone, its prices and counts, is in its `days`.
"""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import NamedTuple

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"
MADE_FOLDER = Path(__file__).parents[1] / "recordings"

needs_data = pytest.mark.recorded  # tests/conftest.py skips them where the data is absent


class DayFacts(NamedTuple):
    """What is known of a recorded trading day by another way than the product's; 0 for what is not. `rows`:
    those within the sections.
    """

    pre_settlement: float = 0.0
    settlement: float = 0.0
    close: float = 0.0
    volume: int = 0
    rows: int = 0


class Recordings(NamedTuple):
    """Ticks as CTP sends them and as wondertrader keeps them; bars of rubber's ticks, labelled with their
    starts, and of rebar, with their ends. `days`: by file and trading day, in order.
    """

    rubber: Path
    apple: Path
    index: Path
    rubber_bars: Path
    rebar_bars: Path
    days: dict[str, dict[str, DayFacts]]


def _made() -> Recordings:
    told = json.loads((MADE_FOLDER / "facts.json").read_text("utf-8"))
    return Recordings(
        rubber=MADE_FOLDER / "SHFE.ru1901_20181008-20181012.ctp.csv.gz",
        apple=MADE_FOLDER / "CZCE.AP010_20200806-20200811.ctp.csv.gz",
        index=MADE_FOLDER / "CFFEX.IF.HOT_20210104-20210106.wt.csv.gz",
        rubber_bars=MADE_FOLDER / "SHFE.ru1901.from_ticks.1m.csv.gz",
        rebar_bars=MADE_FOLDER / "SHFE.rb2401.1m.csv.gz",
        days={name: {day: DayFacts(**facts) for day, facts in days.items()} for name, days in told.items()},
    )


MADE = _made()
REAL = Recordings(
    rubber=DATA / "ticks" / "SHFE.ru1901_20181008-20181012.ctp.csv.gz",
    apple=DATA / "ticks" / "CZCE.AP010_20200803-20200814.ctp.csv.gz",
    index=DATA / "ticks" / "CFFEX.IF.HOT_20210104-20210106.wt.csv.gz",
    rubber_bars=DATA / "bars_1m" / "SHFE.ru1901.from_ticks.1m.csv.gz",
    rebar_bars=DATA / "bars_1m" / "SHFE.rb2401.1m.csv.gz",
    days={
        "rubber": {
            "20181008": DayFacts(12_285, 12_310, 12_330, 257_762, 24_331),
            "20181009": DayFacts(12_310, 12_620, 12_750, 740_820, 40_448),
            "20181010": DayFacts(12_620, 12_610, 12_585, 335_828, 37_744),
            "20181011": DayFacts(12_610, 12_300, 12_160, 534_092, 39_291),
            "20181012": DayFacts(12_300, 12_255, 12_305, 318_952, 37_072),
            "20181015": DayFacts(12_255, rows=13_278),
        },
        "apple": {
            "20200803": DayFacts(7_233, 7_104, 7_144, 220_577, 12_514),
            "20200804": DayFacts(7_104, 7_159, 7_174, 143_994, 11_870),
            "20200805": DayFacts(rows=12_280),
            "20200806": DayFacts(rows=12_178),
            "20200807": DayFacts(rows=13_053),
            "20200810": DayFacts(rows=12_769),
            "20200811": DayFacts(rows=12_996),
            "20200812": DayFacts(rows=12_922),
            "20200813": DayFacts(rows=12_694),
            "20200814": DayFacts(rows=12_748),
        },
        "index": {
            "20210104": DayFacts(5_216.2, 5_278.6, 5_260.0, 84_288, 27_953),
            "20210105": DayFacts(5_278.6, 5_357.0, 5_359.8, 88_203, 28_251),
            "20210106": DayFacts(5_357.0, 5_397.8, 5_408.4, 94_934, 28_135),
        },
        "rebar": dict.fromkeys(
            ("20230925", "20230926", "20230927", "20230928", "20231009", "20231010"), DayFacts()
        ),
    },
)

EACH = [pytest.param(MADE, id="made"), pytest.param(REAL, id="real", marks=needs_data)]
on_each = pytest.mark.parametrize("recorded", EACH)


def table(name: str) -> list[dict[str, str]]:
    """A CSV of the instruments folder, plain or packed."""
    path = DATA / "instruments" / name
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.DictReader(text.decode("utf-8-sig").splitlines()))
