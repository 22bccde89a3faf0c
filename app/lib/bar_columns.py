"""1-minute bars in files of columns (app/lib/columns.py): what a backtest loads. Any process; pure but for
reading the file.

What was read from another file says in its notes which one, and its SHA-256; what comes out of a store has
the SHA-256 of its content there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from app.lib import columns
from app.lib.bars import Bar
from app.lib.columns import BadColumns, Meta
from app.lib.memory import is_half_used

KIND = "bars"
TYPES = {
    "timestamp": "q",
    "open": "d",
    "high": "d",
    "low": "d",
    "close": "d",
    "volume": "q",
    "turnover": "d",
    "open_interest": "d",
    "complete": "B",
}
FAST = 1  # of zlib: made once in a while by somebody who waits


class Source(NamedTuple):
    """What bars were read from: a file's name, or a contract's in a store; and its SHA-256 in hex."""

    name: str
    sha256: str


class Kept(NamedTuple):
    """Bars by local symbol, oldest first, and what they came from."""

    bars: dict[str, list[Bar]]
    sources: list[Source]


def encoded(bars: Mapping[str, Sequence[Bar]], source: Source | None = None) -> bytes:
    """A whole file of these; the same bars give the same bytes. Without a source each contract is its own."""
    blocks = []
    for local_symbol, series in sorted(bars.items()):
        source_of = source or Source(local_symbol, _hash(series))
        values = zip(*series, strict=True) if series else [[] for _ in TYPES]
        note = {"source": source_of.name, "sha256": source_of.sha256}
        blocks.append(columns.packed(KIND, local_symbol, TYPES, values, note, FAST))
    return columns.WHOLE + b"".join(blocks)


def holds_bars(path: Path) -> bool:
    """Whether it is such a file. Raises OSError, BadColumns."""
    return columns.is_columns(path) and any(meta.kind == KIND for meta in columns.metas(path))


def read(path: Path) -> Kept:
    """Raises BadColumns, OSError."""
    bars: dict[str, list[Bar]] = {}
    sources: list[Source] = []
    for block in columns.blocks(path, _is_bars):
        if is_half_used():
            raise BadColumns(f"{path.name}: 内存不够，请分成几个文件")
        if list(block.meta.types) != list(TYPES):
            raise BadColumns(f"{path.name}: {block.meta.name} 的列不是 {'、'.join(TYPES)}")
        *figures, complete = (column.tolist() for column in block.columns.values())
        series = map(Bar._make, zip(*figures, map(bool, complete), strict=True))
        bars.setdefault(block.meta.name, []).extend(series)
        source = Source(str(block.meta.note.get("source", "")), str(block.meta.note.get("sha256", "")))
        if source not in sources:
            sources.append(source)
    return Kept(bars, sources)


def _is_bars(meta: Meta) -> bool:
    return meta.kind == KIND


def _hash(series: Sequence[Bar]) -> str:
    digest = hashlib.sha256()
    for bar in series:
        digest.update(repr(tuple(bar)).encode())
    return digest.hexdigest()
