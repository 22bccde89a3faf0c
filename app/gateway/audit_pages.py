"""The account's audit log, a page at a time: the newest first to look at, or onward to export. Gateway
process, any thread; the log may be written meanwhile.

Where a page goes on is a place in the day's file: entries never move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from app.lib import audit
from app.lib.audit import Head
from app.lib.errors import BadInput
from app.wire.messages import Json, ReadAudit

MOST = 5000  # entries in one answer


class AuditPages:
    """`folder` is where AuditBook writes; `head` gives an entry that is known to have been written."""

    def __init__(self, folder: Path, head: Callable[[], Head | None] = lambda: None) -> None:
        self._folder = folder
        self._head = head

    def read(self, request: ReadAudit) -> Json:
        """See ReadAudit. Raises BadInput."""
        if request.of_kind not in ("", *audit.KINDS):
            raise BadInput("kind", f"kind 应为 {'、'.join(audit.KINDS)} 之一")
        if not 1 <= request.limit <= MOST:
            raise BadInput("limit", f"limit 应在 1 与 {MOST} 之间")
        head = self._head() if request.verify else None  # before the file is read: what comes later is in it
        days = sorted(path.stem for path in self._folder.glob(audit.FILES))
        if request.day and request.day not in days:
            raise BadInput("day", f"{request.day} 没有审计日志")
        day = request.day or (days[-1] if days else "")
        content = (self._folder / f"{day}.jsonl").read_bytes() if day else b""
        if not 0 <= request.place <= len(content):
            raise BadInput("place", "place 应为上一页所答的")
        lines = _onward(content, request.place) if request.onward else _back(content, request.place)
        entries, place = _page(lines, request.of_kind, request.limit)
        answer: dict[str, Any] = {"days": days, "day": day, "entries": entries, "place": place}
        if request.verify:
            answer["verified"] = self._verified(content, day, days, head)
        return Json(orjson.dumps(answer))

    def _verified(self, content: bytes, day: str, days: list[str], head: Head | None) -> dict[str, Any]:
        """Whether the day's chain is whole, follows the day before, and the day after it."""
        at = days.index(day) if day else 0
        before = (line for name in reversed(days[:at]) for _, line in _back(self._content(name), 0))
        start = audit.head_of(next(before, b"") + b"\n") or Head()
        lines = (line + b"\n" for _, line in _onward(content, 0))
        known = head if at + 1 >= len(days) else None
        last, fault = audit.verify(
            ((day, number, line) for number, line in enumerate(lines, 1)), known, start
        )
        found = {"line": fault.line, "why": fault.why} if fault is not None else None
        after = next((line for name in days[at + 1 :] for _, line in _onward(self._content(name), 0)), b"")
        if found is None and after and _prev(after) != last.hash:
            found = {"line": 0, "why": "下一天的第一条接不上：末尾被截去或被换过"}
        return {"entries": last.seq - start.seq, "fault": found}

    def _content(self, day: str) -> bytes:
        return (self._folder / f"{day}.jsonl").read_bytes()


def _prev(line: bytes) -> str:
    """The hash of the entry before this one, as it has it."""
    return next((str(entry.get("prev")) for entry in audit.entries([line])), "")


def _onward(content: bytes, place: int) -> Iterator[tuple[int, bytes]]:
    """Each whole line from there on, and where the next begins."""
    while (end := content.find(b"\n", place)) >= 0:
        yield end + 1, content[place:end]
        place = end + 1


def _back(content: bytes, place: int) -> Iterator[tuple[int, bytes]]:
    """Each whole line before that place (0: the end), the last first, and where it begins."""
    end = content.rfind(b"\n", 0, place or len(content))
    while end >= 0:
        begin = content.rfind(b"\n", 0, end) + 1
        yield begin, content[begin:end]
        end = begin - 1


def _page(
    lines: Iterator[tuple[int, bytes]], kind: str, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """So many entries of that kind, and where it goes on; None at the end."""
    entries: list[dict[str, Any]] = []
    for place, line in lines:
        entries += audit.entries([line], kind)
        if len(entries) == limit:
            return entries, place
    return entries, None
