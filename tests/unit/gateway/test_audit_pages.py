"""The audit log by day and kind, a page at a time, back from the newest or onward; while it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from app.gateway.audit_pages import MOST, AuditPages
from app.lib import audit
from app.lib.audit import Head
from app.lib.errors import BadInput
from app.wire.messages import ReadAudit

KINDS = ("trade", "run", "watch", "error", "trade")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two days of five entries each."""
    head = Head()
    for day in ("20250609", "20250610"):
        lines = b""
        for number, kind in enumerate(KINDS):
            head, line = audit.entry_after(head, f"{day} {number}", kind, f"第{number}条", {})
            lines += line
        (tmp_path / f"{day}.jsonl").write_bytes(lines)
    return tmp_path


def read(folder: Path, **asked: Any) -> tuple[list[int], int | None]:
    """The numbers of the entries, and where it goes on."""
    answer = orjson.loads(AuditPages(folder).read(ReadAudit(**asked)).payload)
    return [entry["seq"] for entry in answer["entries"]], answer["place"]


def test_the_newest_day_comes_back_to_front(folder: Path) -> None:
    assert read(folder) == ([10, 9, 8, 7, 6], None)
    assert read(folder, day="20250609") == ([5, 4, 3, 2, 1], None)
    first, place = read(folder, limit=2)
    second, further = read(folder, limit=2, place=place)
    assert (first, second, read(folder, limit=2, place=further)) == ([10, 9], [8, 7], ([6], None))


def test_it_can_be_read_onward(folder: Path) -> None:
    first, place = read(folder, day="20250609", limit=3, onward=True)
    assert (first, read(folder, day="20250609", limit=3, onward=True, place=place)) == (
        [1, 2, 3],
        ([4, 5], None),
    )


def test_a_kind_is_picked_out_over_pages(folder: Path) -> None:
    assert read(folder, of_kind="trade") == ([10, 6], None)
    first, place = read(folder, of_kind="trade", limit=1)
    assert (first, read(folder, of_kind="trade", limit=1, place=place)[0]) == ([10], [6])
    assert read(folder, of_kind="error", onward=True) == ([9], None)


def test_an_entry_that_is_just_being_written_is_not_there_yet(folder: Path) -> None:
    path = folder / "20250610.jsonl"
    path.write_bytes(path.read_bytes() + b'{"seq":11,"kind":"tra')
    assert read(folder)[0] == [10, 9, 8, 7, 6]
    assert read(folder, onward=True)[0] == [6, 7, 8, 9, 10]


def test_an_account_without_a_log_has_no_days(tmp_path: Path) -> None:
    answer = orjson.loads(AuditPages(tmp_path / "none").read(ReadAudit()).payload)
    assert answer == {"days": [], "day": "", "entries": [], "place": None}


@pytest.mark.parametrize(
    "asked",
    [
        {"day": "20250611"},
        {"day": "../audit"},
        {"of_kind": "secret"},
        {"limit": 0},
        {"limit": MOST + 1},
        {"place": -1},
        {"place": 10**9},
    ],
)
def test_what_is_wrong_is_named(folder: Path, asked: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        read(folder, **asked)


def verified(folder: Path, day: str = "", head: Head | None = None) -> dict[str, Any]:
    answer = AuditPages(folder, lambda: head).read(ReadAudit(day, limit=1, verify=True))
    found: dict[str, Any] = orjson.loads(answer.payload)["verified"]
    return found


@pytest.mark.parametrize("day", ["20250609", "20250610"])
def test_a_day_that_nobody_has_touched_is_whole(folder: Path, day: str) -> None:
    assert verified(folder, day) == {"entries": 5, "fault": None}


def test_an_entry_that_is_just_being_written_is_no_fault(folder: Path) -> None:
    path = folder / "20250610.jsonl"
    path.write_bytes(path.read_bytes() + b'{"seq":11,"kind":"tra')
    assert verified(folder) == {"entries": 5, "fault": None}


@pytest.mark.parametrize("day", ["20250609", "20250610"])
def test_a_change_in_the_middle_of_a_day_is_found_at_its_line(folder: Path, day: str) -> None:
    path = folder / f"{day}.jsonl"
    path.write_bytes(path.read_bytes().replace("第2条".encode(), "第9条".encode()))
    found = verified(folder, day)
    assert (found["entries"], found["fault"]["line"]) == (2, 3)


def cut_end(folder: Path, day: str) -> Head | None:
    """Returns what was the last entry."""
    *kept, last = (folder / f"{day}.jsonl").read_bytes().splitlines(keepends=True)
    (folder / f"{day}.jsonl").write_bytes(b"".join(kept))
    return audit.head_of(last)


def test_a_newest_day_whose_end_is_cut_off_is_found_by_what_is_known_to_be_written(folder: Path) -> None:
    head = cut_end(folder, "20250610")
    assert "截去" in verified(folder, "20250610", head)["fault"]["why"]
    assert verified(folder, "20250609", head)["fault"] is None


def test_a_day_whose_end_is_cut_off_is_found_by_the_next(folder: Path) -> None:
    cut_end(folder, "20250609")
    assert "接不上" in verified(folder, "20250609")["fault"]["why"]
    assert verified(folder, "20250610")["fault"]["line"] == 1


def test_an_account_without_a_log_has_nothing_to_verify(tmp_path: Path) -> None:
    assert verified(tmp_path / "none") == {"entries": 0, "fault": None}
