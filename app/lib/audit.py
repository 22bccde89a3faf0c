"""The audit log's lines: each names the hash of the one before, so that a change in the middle is found.
Pure; any process.

A file holds the entries of one natural day (exchange time) as JSON lines, `YYYYMMDD.jsonl`; the chain runs
through all files of an account. An entry: `seq` (from 1), `time`, `kind`, `text`, `data` (a flat object),
`prev`, `hash`: SHA-256 of the entry without `hash`, as JSON with its keys in order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

TRADE, RUN, WATCH, ERROR = KINDS = ("trade", "run", "watch", "error")
KIND_TEXT = {TRADE: "交易", RUN: "运行", WATCH: "监测", ERROR: "错误"}
FILES = "[0-9]" * 8 + ".jsonl"
"""The days' files in an account's folder; a copy that somebody keeps beside them is none."""
COLUMNS = ("seq", "time", "kind", "text", "local_symbol", "direction", "offset", "price", "volume", "status")
"""Of the CSV: a trade entry's data has the last six."""
COLUMN_TEXT = ("序号", "时间", "类别", "内容", "合约", "方向", "开平", "价格", "手数", "状态")


class Head(NamedTuple):
    """The newest entry of a chain."""

    seq: int = 0
    hash: str = ""


NONE_YET = Head()


class Fault(NamedTuple):
    """Where a chain is broken, in words."""

    file: str
    line: int
    why: str


def entry_after(head: Head, time: str, kind: str, text: str, data: dict[str, Any]) -> tuple[Head, bytes]:
    """The next entry's line, with its end, and the head that it makes."""
    entry = {"seq": head.seq + 1, "time": time, "kind": kind, "text": text, "data": data, "prev": head.hash}
    digest = _hash(entry)
    return Head(head.seq + 1, digest), _json(entry | {"hash": digest}) + b"\n"


def head_of(line: bytes) -> Head | None:
    """What an entry's line makes the head; None for one that is not whole."""
    try:
        entry = orjson.loads(line)
        return Head(int(entry["seq"]), str(entry["hash"])) if line.endswith(b"\n") else None
    except (ValueError, KeyError, TypeError):
        return None


def verify(
    lines: Iterable[tuple[str, int, bytes]], head: Head | None = None, last: Head = NONE_YET
) -> tuple[Head, Fault | None]:
    """Walks through (file, line number, line) in their order: of all files, or of those after the entry
    `last`. `head`: an entry that is known to have been written; that it is missing is a fault too. Returns
    the last good entry and the first fault.
    """
    seen_head = head is None or head.seq <= last.seq
    for file, number, line in lines:
        why = _wrong(last, line)
        if why:
            return last, Fault(file, number, why)
        found = head_of(line)
        assert found is not None
        last = found
        seen_head = seen_head or last == head
    if not seen_head and head is not None:
        return last, Fault(
            "", 0, f"第 {head.seq} 条写过而不在了：末尾被截去或被换过（现在到第 {last.seq} 条）"
        )
    return last, None


def entries(lines: Iterable[bytes], kind: str = "") -> Iterator[dict[str, Any]]:
    """Those of a kind, "" for all; what is no entry is passed over: `verify` tells of it."""
    for line in lines:
        try:
            entry = orjson.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and kind in ("", entry.get("kind")):
            yield entry


def csv_row(entry: dict[str, Any]) -> list[Any]:
    """An entry in COLUMNS' order, its kind in Chinese."""
    flat = entry.get("data", {}) | entry
    return [KIND_TEXT.get(flat["kind"], "") if name == "kind" else flat.get(name, "") for name in COLUMNS]


def line_of(entry: dict[str, Any]) -> str:
    """An entry as its line has it."""
    return _json(entry).decode()


def _wrong(last: Head, line: bytes) -> str:
    try:
        entry = orjson.loads(line)
        digest = entry.pop("hash")
        seq, prev = entry["seq"], entry["prev"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "不是一条完整的记录"
    if _hash(entry) != digest:
        return f"第 {seq} 条的内容与它的散列不符：被改过"
    if seq != last.seq + 1 or prev != last.hash:
        return f"第 {seq} 条接不上第 {last.seq} 条：中间有增删，或被换过"
    return ""


def _json(entry: dict[str, Any]) -> bytes:
    return orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)


def _hash(entry: dict[str, Any]) -> str:
    return hashlib.sha256(_json(entry)).hexdigest()
