"""The chain of the audit log: whatever is changed, taken out, put in or cut off is found where it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lib import audit
from app.lib.audit import Head

TIME = "2026-11-30 09:00:00.000"


def chain(count: int) -> tuple[list[bytes], Head]:
    lines, head = [], Head()
    for number in range(count):
        head, line = audit.entry_after(head, TIME, audit.KINDS[number % 4], f"第 {number} 件", {"n": number})
        lines.append(line)
    return lines, head


def check(lines: list[bytes], head: Head | None = None) -> tuple[Head, audit.Fault | None]:
    return audit.verify((("a.jsonl", number, line) for number, line in enumerate(lines, 1)), head)


@given(st.integers(0, 20))
def test_a_chain_that_nobody_has_touched_is_whole(count: int) -> None:
    lines, head = chain(count)
    assert check(lines, head) == (head, None)


@given(st.integers(1, 12), st.data())
def test_any_changed_byte_is_found_where_it_is(count: int, data: st.DataObject) -> None:
    lines, head = chain(count)
    at = data.draw(st.integers(0, count - 1))
    column = data.draw(st.integers(0, len(lines[at]) - 2))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != lines[at][column]))
    lines[at] = lines[at][:column] + bytes([byte]) + lines[at][column + 1 :]
    _last, fault = check(lines, head)
    assert fault is not None
    assert fault.line == at + 1


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: lines.pop(2), 3),
        (lambda lines: lines.pop(0), 1),
        (lambda lines: lines.insert(2, lines[1]), 3),
        (lambda lines: lines.reverse(), 1),
        (lambda lines: lines.insert(3, b"\n"), 4),
    ],
)
def test_what_is_taken_out_put_in_or_moved_is_found(change: object, line: int) -> None:
    lines, head = chain(5)
    change(lines)  # type: ignore[operator]
    assert check(lines, head)[1].line == line  # type: ignore[union-attr]


def test_one_that_was_written_anew_with_its_hash_breaks_the_next() -> None:
    lines, head = chain(4)
    entry = json.loads(lines[1])
    _head, lines[1] = audit.entry_after(Head(1, entry["prev"]), TIME, "trade", "改过的", {})
    assert check(lines, head)[1].line == 3  # type: ignore[union-attr]


def test_an_end_that_was_cut_off_is_found_by_the_head_that_was_kept() -> None:
    lines, head = chain(4)
    assert check(lines[:3]) == (audit.head_of(lines[2]), None)
    fault = check(lines[:3], head)[1]
    assert fault is not None
    assert "第 4 条" in fault.why
    more_head, more = audit.entry_after(head, TIME, "run", "其后", {})
    assert check([*lines, more], head) == (more_head, None)


def test_a_row_of_the_csv_has_the_fields_that_brokers_ask_for() -> None:
    data = {"local_symbol": "rb2510.SHFE", "direction": "多", "offset": "开", "price": 3000.0, "volume": 2}
    _head, line = audit.entry_after(Head(), TIME, "trade", "委托", data | {"status": "未成交"})
    (entry,) = audit.entries([line], "trade")
    assert audit.csv_row(entry) == [1, TIME, "交易", "委托", "rb2510.SHFE", "多", "开", 3000.0, 2, "未成交"]
    assert list(audit.entries([line, b"{"], "error")) == []
