"""Reading a strategy's log back, page by page and newest first, from its rotating files. Host process, any
thread.

A cursor names a place in a file by the file's own number (inode) and the offset: it stays right when the
files are rotated, and lines that are added meanwhile move nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from app.lib.errors import BadInput
from app.process import left_behind

FILE = "strategy.log"
BLOCK = 64 * 1024
LONGEST_LINE = 1024 * 1024  # a longer one is not one of ours
_CURSOR = re.compile(r"([0-9]{1,20})-([0-9]{1,15})", re.ASCII)


class Place(NamedTuple):
    """A line begins at `offset` of the file numbered `inode`."""

    inode: int
    offset: int


def page(folder: Path, before: str, limit: int) -> dict[str, Any]:
    """`{"lines": [{created, levelname, message}, …], "before": cursor of the next page, "" at the end}`.
    Raises BadInput("before").
    """
    place = _place_of(before)
    lines: list[dict[str, Any]] = []
    for at, line in _backwards(folder, place):
        try:
            lines.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            continue  # cut off by a crash
        if len(lines) == limit:
            return {"lines": lines, "before": f"{at.inode}-{at.offset}"}
    return {"lines": lines, "before": ""}


def _place_of(cursor: str) -> Place | None:
    if not cursor:
        return None
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise BadInput("before", "参数 before 应为上一页给出的 before")
    return Place(int(match[1]), int(match[2]))


def _backwards(folder: Path, before: Place | None) -> Iterator[tuple[Place, bytes]]:
    """Each line with where it begins, the newest first. Files that were rotated away meanwhile end it."""
    reached = before is None
    for path in _files(folder):
        try:
            with left_behind.opened(path) as file:
                status = os.fstat(file.fileno())
                end = status.st_size
                if not reached and before is not None:
                    if status.st_ino != before.inode:
                        continue
                    reached, end = True, min(before.offset, end)
                for offset, line in _lines_backwards(file, end):
                    yield Place(status.st_ino, offset), line
        except OSError:  # it was rotated away, or is no log
            continue


def _files(folder: Path) -> list[Path]:
    """The log and what it was rotated to, newest first."""
    numbered = [
        (int(path.suffix[1:]), path) for path in folder.glob(f"{FILE}.*") if path.suffix[1:].isdigit()
    ]
    return [folder / FILE, *(path for _, path in sorted(numbered))]


def _lines_backwards(file: Any, end: int) -> Iterator[tuple[int, bytes]]:
    """Whole lines that begin before `end`, last first, with their offsets."""
    rest = b""
    while end > 0:
        begin = max(0, end - BLOCK)
        file.seek(begin)
        rest = file.read(end - begin) + rest
        end = begin
        first, *lines = rest.split(b"\n")
        offset = begin + len(rest)
        for line in reversed(lines):
            offset -= len(line)
            if line:
                yield offset, line
            offset -= 1
        rest = first if len(first) <= LONGEST_LINE else b""
    if rest:
        yield 0, rest
