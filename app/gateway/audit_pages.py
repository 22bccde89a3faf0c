"""The account's audit log, a page at a time: the newest first to look at, or onward to export. Gateway
process, any thread; the log may be written meanwhile.

Where a page goes on is a place in the day's file: entries never move.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from app.lib import audit
from app.lib.errors import BadInput
from app.wire.messages import Json, ReadAudit

MOST = 5000  # entries in one answer


class AuditPages:
    """`folder` is where AuditBook writes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, request: ReadAudit) -> Json:
        """See ReadAudit. Raises BadInput."""
        if request.of_kind not in ("", *audit.KINDS):
            raise BadInput("kind", f"kind 应为 {'、'.join(audit.KINDS)} 之一")
        if not 1 <= request.limit <= MOST:
            raise BadInput("limit", f"limit 应在 1 与 {MOST} 之间")
        days = sorted(path.stem for path in self._folder.glob("*.jsonl"))
        if request.day and request.day not in days:
            raise BadInput("day", f"{request.day} 没有审计日志")
        day = request.day or (days[-1] if days else "")
        content = (self._folder / f"{day}.jsonl").read_bytes() if day else b""
        if not 0 <= request.place <= len(content):
            raise BadInput("place", "place 应为上一页所答的")
        lines = _onward(content, request.place) if request.onward else _back(content, request.place)
        entries, place = _page(lines, request.of_kind, request.limit)
        return Json(orjson.dumps({"days": days, "day": day, "entries": entries, "place": place}))


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
