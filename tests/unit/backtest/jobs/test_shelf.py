"""What is kept of the server's backtests outlives its process, a disk that takes nothing for a while, and a
record of another version.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.backtest.jobs.jobs import FAILED, QUEUED, Record
from app.backtest.jobs.shelf import RESULT, Shelf
from app.backtest.running.units import Piece, Unit
from app.backtest.search.search import Tried
from app.lib.errors import StoreDown

UNIT = Unit(version="1", strategies={"a": "text"}, data=(Piece("a", "0" * 64),))


def record(number: int) -> Record:
    return Record(
        id=f"{number:016x}",
        account="a",
        number=number,
        title="甲",
        kind="run",
        strategy="a",
        version=1,
        contracts=[],
        main=[],
        files=["a"],
        by="bars",
        unit=UNIT,
    )


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    made.close()


class Full:
    """A database whose disk takes nothing."""

    def execute(self, *_arguments: Any) -> Any:
        raise sqlite3.OperationalError("database or disk is full")

    def close(self) -> None: ...


def test_the_next_process_finds_all_of_it_in_order(shelf: Shelf, tmp_path: Path) -> None:
    for number in (2, 1):
        shelf.add(record(number))
    shelf.keep_trial(record(1).id, "unit", Tried(state="done", figures={"sharpe": 1.5}))
    shelf.write(record(1).id, RESULT, b"{}")
    (shelf.work / "left").mkdir()
    shelf.close()
    again = Shelf(tmp_path)
    again.clean()
    assert again.records() == [record(1), record(2)]
    assert again.trials(record(1).id)["unit"].figures == {"sharpe": 1.5}
    assert again.read(record(1).id, RESULT) == b"{}"
    assert list(again.work.iterdir()) == []
    again.remove(record(1).id)
    assert (again.records(), again.trials(record(1).id)) == ([record(2)], {})
    again.close()


def test_what_a_full_disk_does_not_take_is_written_as_soon_as_it_does(shelf: Shelf) -> None:
    kept = record(1)
    shelf.add(kept)
    database, shelf._db = shelf._db, Full()  # type: ignore[assignment]
    kept.state = FAILED
    shelf.keep(kept)
    shelf.keep_trial(kept.id, "unit", Tried(state="done"))
    with pytest.raises(StoreDown):
        shelf.add(record(2))
    shelf._db = database
    assert [one.state for one in shelf.records()] == [QUEUED]
    shelf.settle()
    assert [one.state for one in shelf.records()] == [FAILED]


def test_a_record_of_another_version_is_left_out_and_the_others_are_there(shelf: Shelf) -> None:
    shelf.add(record(1))
    shelf._db.execute("INSERT INTO jobs VALUES ('x', 2, ?)", (b'{"id": 5}',))
    shelf._db.execute("INSERT INTO trials VALUES (?, 'u', ?)", (record(1).id, b"nothing"))
    assert shelf.records() == [record(1)]
    assert shelf.trials(record(1).id) == {}


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "backtest").write_text("a file")
    with pytest.raises(StoreDown, match="打不开"):
        Shelf(tmp_path)
