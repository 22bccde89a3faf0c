"""Files of bars and ticks as columns, made once and found again by their hashes: a contract-year of minutes
loads in a tenth of a second. Whoever prepares a run: the command, and the process of backtests.

It is a convenience: where nothing can be written, the file itself is what is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from app.counter.markets.readers import holds_ticks, read_rows
from app.files import write_whole
from app.lib import bar_columns, columns, tick_columns
from app.lib.bar_columns import Source
from app.lib.bar_files import Reading, read_bar_file
from app.lib.program import version

FOLDER = "columns"
SUFFIX = ".columns"
MOST_BYTES = 2 << 30
ROWS = 65_536  # of ticks in a block

OnRow = Callable[[int], object]


def _nobody(_count: int) -> None:
    """Nobody counts the rows."""


class How(NamedTuple):
    """How a file is understood: `symbol`, `label` and `given` as of read_bar_file, and the text of the
    calendar's corrections that are in force, since labels depend on days.
    """

    symbol: str = ""
    label: str = ""
    given: Mapping[str, str] = {}
    calendar: str = ""


PLAINLY = How()


class ColumnCache:
    """`<folder>/<key>/<name>.columns`. Any thread, and any number of processes at once."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder, self._most = folder, most_bytes

    def columns_of(self, path: Path, how: How = PLAINLY, on_row: OnRow = _nobody) -> Path:
        """The same bars or ticks as columns; the file itself where it has columns, or none can be kept.
        Raises BadBarFile, BadFile and BadInput for what cannot be read.
        """
        if columns.is_columns(path):
            return path
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        told = json.dumps([digest, path.name, *how, version()])
        kept = self._folder / hashlib.sha256(told.encode()).hexdigest()[:32] / f"{path.name}{SUFFIX}"
        try:
            if not kept.is_file():
                write_whole(kept, _packed(path, Source(path.name, digest), how, on_row))
                self._prune(kept.parent)
            os.utime(kept.parent)  # used last
        except OSError:
            return path
        return kept

    def _prune(self, keep: Path) -> None:
        """What was not used for longest goes until the rest is small enough."""
        folders = [folder for folder in self._folder.iterdir() if folder.is_dir()]
        sizes = {folder: sum(one.stat().st_size for one in folder.iterdir()) for folder in folders}
        for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime):
            if sum(sizes.values()) <= self._most:
                return
            if folder != keep:
                shutil.rmtree(folder, ignore_errors=True)
                del sizes[folder]


def _packed(path: Path, source: Source, how: How, on_row: OnRow) -> bytes:
    if not holds_ticks(path):
        bars = read_bar_file(path, how.symbol, how.label, on_row, Reading(how.given))
        return bar_columns.encoded(bars, source)
    note = {"source": source.name, "sha256": source.sha256}
    rows = read_rows(path)
    blocks = [columns.WHOLE]
    while part := list(islice(rows, ROWS)):
        on_row(len(part))
        blocks.append(tick_columns.packed((row.depth for row in part), note=note))
    return b"".join(blocks)
