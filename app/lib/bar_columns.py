"""1-minute bars in files of columns (app/lib/columns.py): what a backtest loads. Any process; pure but for
reading the file.

What was read from another file says in its notes which one, and its SHA-256; what comes out of a store has
the SHA-256 of its content there.
"""

from __future__ import annotations

import gc
import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from operator import lt
from pathlib import Path
from typing import NamedTuple

from app.lib import columns
from app.lib.bars import Bar
from app.lib.columns import BadColumns, Block, Meta
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


def read(path: Path, start: int = 0, end: int = 0) -> Kept:
    """Those that begin from `start` on and before `end`, in epoch ms, 0 for open. Raises BadColumns,
    OSError.
    """
    bars: dict[str, list[Bar]] = {}
    sources: list[Source] = []
    for block in columns.blocks(path, _is_bars):
        if is_half_used():
            raise BadColumns(f"{path.name}: 内存不够，请分成几个文件")
        if list(block.meta.types) != list(TYPES):
            raise BadColumns(f"{path.name}: {block.meta.name} 的列不是 {'、'.join(TYPES)}")
        stamps, known = block.columns["timestamp"], bars.setdefault(block.meta.name, [])
        if not all(map(lt, stamps, stamps[1:])) or (known and stamps and stamps[0] <= known[-1].timestamp):
            raise BadColumns(f"{path.name}: {block.meta.name} 的 K 线次序不对")
        with _without_collections():
            known.extend(_bars_of(block, start, end))
        source = Source(str(block.meta.note.get("source", "")), str(block.meta.note.get("sha256", "")))
        if source not in sources:
            sources.append(source)
    return Kept(bars, sources)


def _bars_of(block: Block, start: int, end: int) -> Iterator[Bar]:
    stamps = block.columns["timestamp"]
    first, last = bisect_left(stamps, start), bisect_left(stamps, end) if end else len(stamps)
    *figures, complete = (column[first:last].tolist() for column in block.columns.values())
    return map(partial(tuple.__new__, Bar), zip(*figures, map(bool, complete), strict=True))


@contextmanager
def _without_collections() -> Iterator[None]:
    """A hundred thousand tuples are no garbage, though the collector looks at each again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _is_bars(meta: Meta) -> bool:
    return meta.kind == KIND


def _hash(series: Sequence[Bar]) -> str:
    digest = hashlib.sha256()
    for bar in series:
        digest.update(repr(tuple(bar)).encode())
    return digest.hexdigest()
