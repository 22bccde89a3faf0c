"""A unit's id says what it depends on, and the depot gives a file by its hash, whole or not at all."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import msgspec
import pytest

from app.backtest.engine.fills import FillSettings
from app.backtest.running.units import Depot, Limits, NotInDepot, Piece, Unit

UNIT = Unit(version="1", strategies={"a": "text"}, data=(Piece("a.csv", "0" * 64),))


def test_the_id_is_of_all_that_the_result_depends_on() -> None:
    changes = [
        {"version": "2"},
        {"strategies": {"a": "other"}},
        {"parameters": {"a": {"fast": 1}}},
        {"data": (Piece("a.csv", "1" * 64),)},
        {"capital": 1.0},
        {"start": "20240101"},
        {"fills": FillSettings(spread_ticks=2)},
        {"rates": "product"},
        {"calendar": "x"},
    ]
    ids = {UNIT.id, *(msgspec.structs.replace(UNIT, **change).id for change in changes)}
    assert len(ids) == len(changes) + 1
    assert msgspec.structs.replace(UNIT, number=3, limits=Limits(memory=1)).id == UNIT.id
    both = {"a": {"x": 1, "y": 2}}
    turned = {"a": {"y": 2, "x": 1}}
    first, second = (msgspec.structs.replace(UNIT, parameters=one) for one in (both, turned))
    assert first.id == second.id
    assert msgspec.json.decode(msgspec.json.encode(UNIT), type=Unit) == UNIT


def test_a_file_is_found_by_its_hash_and_a_later_change_of_it_is_not_seen(tmp_path: Path) -> None:
    depot = Depot(tmp_path / "depot")
    source = tmp_path / "rb.csv"
    source.write_bytes(b"old")
    piece = depot.add(source)
    source.write_bytes(b"new")
    assert piece == Piece("rb.csv", hashlib.sha256(b"old").hexdigest())
    assert depot.path(piece).read_bytes() == b"old"
    assert depot.put("rb.csv", b"old") == piece
    assert sorted(path.name for path in tmp_path.iterdir()) == ["depot", "rb.csv"]
    for wrong in (Piece("rb.csv", "0" * 64), Piece("../rb.csv", piece.sha256), Piece("rb.csv", "../../x")):
        with pytest.raises(NotInDepot):
            depot.path(wrong)


def test_what_was_not_used_for_longest_goes_first_and_what_is_needed_stays(tmp_path: Path) -> None:
    depot = Depot(tmp_path / "depot")
    pieces = [depot.put("a", bytes([number]) * 100) for number in range(4)]
    for age, piece in enumerate(reversed(pieces)):
        os.utime(depot.path(piece).parent, (1000 - age, 1000 - age))
    depot.prune(250, {pieces[0].sha256})
    left = {path.name for path in (tmp_path / "depot").iterdir()}
    assert left == {pieces[0].sha256, pieces[3].sha256}


def test_what_was_used_a_moment_ago_stays_whoever_needs_it(tmp_path: Path) -> None:
    """A child is about to open it."""
    depot = Depot(tmp_path / "depot")
    old, used = (depot.put("a", bytes([number]) * 100) for number in range(2))
    for piece in (old, used):
        os.utime(depot.path(piece).parent, (1000, 1000))
    depot.path(used)
    depot.prune(0, set())
    assert [path.name for path in (tmp_path / "depot").iterdir()] == [used.sha256]


def test_what_is_made_of_a_file_is_known_by_the_file_and_by_how(tmp_path: Path) -> None:
    depot = Depot(tmp_path / "depot")
    piece = depot.put("rb.csv", b"text")
    made = depot.made_of(piece, "rb2401.SHFE", "end")
    others = [
        depot.made_of(piece, "rb2401.SHFE", "start"),
        depot.made_of(piece, "rb2401.SHFEend", ""),
        depot.made_of(depot.put("rb.csv", b"other"), "rb2401.SHFE", "end"),
        depot.made_of(Piece("hc.csv", piece.sha256), "rb2401.SHFE", "end"),
    ]
    assert len({made, *others, piece}) == 6
    with pytest.raises(NotInDepot):
        depot.path(made)
    path = depot.keep(made, io.BytesIO(b"columns"))
    assert depot.path(depot.made_of(piece, "rb2401.SHFE", "end")) == path
    assert (path.name, path.read_bytes(), depot.path(piece).read_bytes()) == ("rb.csv", b"columns", b"text")
