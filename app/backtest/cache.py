"""Files of bars and ticks as columns, made once and found again by their hashes: a contract-year of minutes
loads in a tenth of a second. Whoever prepares a run: the command, and the process of backtests.

It is a convenience: where nothing can be written, the file itself is what is read.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from app.counter.markets.readers import holds_ticks, read_rows
from app.files import write_whole
from app.lib import bar_columns, columns, tick_columns
from app.lib.bar_columns import Source
from app.lib.bar_files import read_bar_file
from app.lib.program import version

FOLDER = "columns"
SUFFIX = ".columns"
MOST_BYTES = 2 << 30
ROWS = 65_536  # of ticks in a block

OnRow = Callable[[int], object]


def _nobody(_count: int) -> None:
    """Nobody counts the rows."""


class ColumnCache:
    """`<folder>/<key>/<name>.columns`. Any thread, and any number of processes at once."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder, self._most = folder, most_bytes

    def columns_of(self, path: Path, symbol: str = "", label: str = "", on_row: OnRow = _nobody) -> Path:
        """The same bars or ticks as columns; the file itself where it has columns, or none can be kept.
        `symbol` and `label` as of read_bar_file. Raises BadBarFile, BadFile and BadInput for what cannot be
        read.
        """
        if columns.is_columns(path):
            return path
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        # how a file is understood is the program's affair, and what a day is the calendar's
        told = "\0".join([digest, path.name, symbol, label, version()])
        kept = self._folder / hashlib.sha256(told.encode()).hexdigest()[:32] / f"{path.name}{SUFFIX}"
        try:
            if not kept.is_file():
                write_whole(kept, _packed(path, Source(path.name, digest), symbol, label, on_row))
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


def _packed(path: Path, source: Source, symbol: str, label: str, on_row: OnRow) -> bytes:
    if not holds_ticks(path):
        return bar_columns.encoded(read_bar_file(path, symbol, label, on_row), source)
    note = {"source": source.name, "sha256": source.sha256}
    rows = read_rows(path)
    blocks = [columns.WHOLE]
    while part := list(islice(rows, ROWS)):
        on_row(len(part))
        blocks.append(tick_columns.packed((row.depth for row in part), note=note))
    return b"".join(blocks)
