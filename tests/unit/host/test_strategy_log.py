"""A strategy's log page by page, whatever is written and rotated meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.host.strategy_log import BLOCK, FILE, page
from app.lib.errors import BadInput


def write(folder: Path, messages: list[str], file: str = FILE) -> None:
    with open(folder / file, "a", encoding="utf-8") as log:
        for message in messages:
            log.write(
                json.dumps(
                    {"created": "2025-06-05 10:00:00", "levelname": "INFO", "message": message},
                    ensure_ascii=False,
                )
                + "\n"
            )


def messages(folder: Path, limit: int, before: str = "") -> tuple[list[str], str]:
    found = page(folder, before, limit)
    return [line["message"] for line in found["lines"]], found["before"]


def everything(folder: Path, limit: int) -> list[str]:
    seen, before = messages(folder, limit)
    while before:
        more, before = messages(folder, limit, before)
        seen += more
    return seen


def test_without_a_log_there_is_nothing(tmp_path: Path) -> None:
    assert messages(tmp_path, 10) == ([], "")


def test_pages_go_from_the_newest_line_through_the_rotated_files(tmp_path: Path) -> None:
    write(tmp_path, ["1", "2"], f"{FILE}.2")
    write(tmp_path, ["3", "4", "5"], f"{FILE}.1")
    write(tmp_path, ["6", "7"])
    for limit in (1, 2, 3, 7, 100):
        assert everything(tmp_path, limit) == ["7", "6", "5", "4", "3", "2", "1"]


def test_what_is_written_and_rotated_between_two_pages_moves_nothing(tmp_path: Path) -> None:
    write(tmp_path, ["1", "2", "3", "4"])
    first, before = messages(tmp_path, 2)
    (tmp_path / FILE).rename(tmp_path / f"{FILE}.1")
    write(tmp_path, ["5"])
    assert (first, messages(tmp_path, 2, before)[0]) == (["4", "3"], ["2", "1"])


def test_a_page_whose_file_has_been_rotated_away_is_the_end(tmp_path: Path) -> None:
    write(tmp_path, ["1", "2"])
    _, before = messages(tmp_path, 1)
    (tmp_path / FILE).rename(tmp_path / "elsewhere")
    write(tmp_path, ["3"])
    assert messages(tmp_path, 1, before) == ([], "")


def test_a_line_that_a_crash_has_cut_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, ["1"])
    with open(tmp_path / FILE, "a") as log:
        log.write('{"created": "2025')
    assert everything(tmp_path, 10) == ["1"]


@pytest.mark.parametrize("cursor", ["x", "1", "-", "1-", "-1-2", "1-2-3", "1" * 40 + "-1", "１-２"])
def test_a_cursor_that_is_none_is_refused_by_name(tmp_path: Path, cursor: str) -> None:
    with pytest.raises(BadInput) as refused:
        page(tmp_path, cursor, 10)
    assert refused.value.extra["parameter"] == "before"


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(1, 2 * BLOCK), max_size=12), limit=st.integers(1, 5))
def test_lines_of_any_length_come_back_whole(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    lines = [f"{number}:" + "行" * (size // 3) for number, size in enumerate(sizes)]
    write(folder, lines)
    assert everything(folder, limit) == lines[::-1]
