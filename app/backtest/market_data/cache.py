"""Files of bars and ticks as columns: a contract-year of minutes loads in a tenth of a second. The command,
which makes them once and finds them again by their hashes; the child that makes them for the server.

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

from app.counter.markets.readers import Row, holds_ticks, read_rows
from app.files import write_whole
from app.lib import bar_columns, columns, tick_columns
from app.lib.bar_columns import Source
from app.lib.bar_files import Reading, read_bar_file
from app.lib.program import version
from app.wire.frames import DepthField

FOLDER = "columns"
SUFFIX = ".columns"
MOST_BYTES = 2 << 30
ROWS = 65_536  # of ticks in a block


OnRow = Callable[[int], object]


class NoColumns(Exception):
    """Columns would not give back what the file says, a time as `09:00:00.500`, say: it is to be read
    itself.
    """


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
        source = source_of(path)
        told = json.dumps([source.sha256, source.name, *how, version()])
        kept = self._folder / hashlib.sha256(told.encode()).hexdigest()[:32] / f"{path.name}{SUFFIX}"
        try:
            if not kept.is_file():
                write_whole(kept, packed(path, source, how, on_row))
                self._prune(kept.parent)
            os.utime(kept.parent)  # used last
        except (OSError, NoColumns):
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


def source_of(path: Path) -> Source:
    """It is read whole for its hash. Raises OSError."""
    with path.open("rb") as file:
        return Source(path.name, hashlib.file_digest(file, "sha256").hexdigest())


def packed(path: Path, source: Source, how: How = PLAINLY, on_row: OnRow = _nobody) -> bytes:
    """The file's bars or ticks as a file of columns, which says what it was made of. Raises BadBarFile,
    BadFile and BadInput for what cannot be read, NoColumns, OSError.
    """
    try:
        return _packed(path, source, how, on_row)
    except (ValueError, OverflowError) as error:
        raise NoColumns(str(error)) from None


def _packed(path: Path, source: Source, how: How, on_row: OnRow) -> bytes:
    """Raises ValueError and OverflowError for what columns cannot hold."""
    if not holds_ticks(path):
        bars = read_bar_file(path, how.symbol, how.label, on_row, Reading(how.given))
        return bar_columns.encoded(bars, source)
    note = {"source": source.name, "sha256": source.sha256}
    rows = read_rows(path)
    blocks = [columns.WHOLE]
    while part := list(islice(rows, ROWS)):
        on_row(len(part))
        blocks.append(tick_columns.packed(map(_plain, part), note=note))
    return b"".join(blocks)


def _plain(row: Row) -> DepthField:
    """Raises ValueError where its time would come back otherwise."""
    if len(row.depth.UpdateTime) != len("09:00:00"):
        raise ValueError(row.depth.UpdateTime)
    return row.depth
