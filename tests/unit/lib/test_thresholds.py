"""The exchanges' numbers: each row whole, of its day, and overridden by name."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from app.lib.symbols import EXCHANGES
from app.lib.thresholds import FILE, Threshold, Thresholds, load, read

ROW = """[[threshold]]
measure = "cancels"
exchange = "SHFE"
limit = 500
source = "s"
date = 2026-01-01
confidence = "M"
"""


def test_every_row_of_ours_says_where_it_is_from() -> None:
    rows = read(FILE)
    assert all(
        row.source and row.date <= date(2026, 11, 28) and row.exchange in ("", *EXCHANGES) for row in rows
    )


@pytest.mark.parametrize(
    ("day", "limit", "counts_fak"), [(date(2026, 5, 31), 400, False), (date(2026, 6, 1), 500, True)]
)
def test_the_newest_row_that_is_in_force_counts(day: date, limit: int, counts_fak: bool) -> None:
    row = Thresholds(load(), day).of("cancels", "CFFEX", "IF")
    assert row is not None
    assert (row.limit, row.counts_fak) == (limit, counts_fak)
    assert Thresholds(load(), day).of("cancels", "CFFEX", "T") is None


@pytest.mark.parametrize("first", [date(2025, 1, 1), date(2026, 5, 31), date(2026, 6, 1), date(2026, 7, 1)])
@pytest.mark.parametrize("other", [date(2025, 1, 1), date(2026, 5, 31), date(2026, 6, 1), date(2026, 7, 1)])
def test_rows_hold_on_another_day_where_none_has_come_into_force_between(first: date, other: date) -> None:
    rows = Thresholds(load(), first)
    assert rows.hold_on(other) == (rows.rows == Thresholds(load(), other).rows)


def test_an_admins_row_stands_in_place_of_ours_and_a_new_one_beside(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(ROW.replace("500", "300") + ROW.replace('"SHFE"', '"GFEX"').replace("500", "7"))
    found = Thresholds(load(mine), date(2026, 11, 30))
    assert [found.of("cancels", exchange, "x").limit for exchange in ("SHFE", "GFEX", "INE")] == [300, 7, 500]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ROW + ROW.replace('"SHFE"', '"NYSE"'), "第 2 条（cancels NYSE）.*不认识的交易所 NYSE"),
        (ROW.replace("500", "-1"), "第 1 条（cancels SHFE）的 limit"),
        (ROW.replace("500", "0"), "limit 应为不小于 1"),
        (ROW.replace("500", '"500"'), "第 1 条.*limit"),
        (ROW.replace('source = "s"\n', ""), "第 1 条.*source"),
        (ROW.replace('"cancels"', '"large_cancels"'), "lots 或 share"),
        (ROW.replace('"cancels"', '"cancelz"'), "第 1 条.*measure"),
        (ROW + "colour = 1\n", "第 1 条.*colour"),
        (ROW + ROW, "第 2 条（cancels.SHFE）与前面的一条重复"),
        (
            ROW.replace("limit = 500", "steps = [5, 3]\nfee = [[0, 0], [1, 1], [2, 2]]").replace(
                "cancels", "messages"
            ),
            "递增",
        ),
        ("rows = 1\n", "不认识 rows"),
        ("[[threshold", "不是合法的 TOML"),
    ],
)
def test_a_bad_row_is_named_and_nothing_of_its_file_is_taken(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=says):
        load(file)


@pytest.mark.parametrize(
    ("messages", "otr", "yuan"),
    [
        (4000, 3, 0),
        (4001, 3, 0.5),
        (8000, 3, 2000),
        (8001, 3, 2002.5),
        (8001, 2, 1001.25),
        (40_001, 2.5, 82_050),
    ],
)
def test_the_message_fee_goes_by_steps(messages: int, otr: float, yuan: float) -> None:
    row = Thresholds(load(), date(2026, 11, 30)).of("messages", "SHFE", "rb")
    assert row is not None
    assert row.cost(messages, otr) == yuan


def test_a_large_cancel_is_one_of_so_many_lots_or_of_such_a_share() -> None:
    def row(**size: float) -> Threshold:
        about = {"measure": "large_cancels", "exchange": "DCE", "limit": 5, "source": "s", "confidence": "L"}
        return Threshold.model_validate({**about, **size, "date": date(2026, 1, 1)})

    assert [row(lots=300).is_large(lots, 500) for lots in (299, 300)] == [False, True]
    assert [row(share=0.8).is_large(lots, 1000) for lots in (799, 800)] == [False, True]
    assert not row(share=0.8).is_large(800, 0)
