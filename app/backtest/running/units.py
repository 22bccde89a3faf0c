"""The unit of work of a backtest: one run, on whichever machine; what makes units run (`Engine`), and where
their data lies (`Depot`). The process of backtests, a command, a worker of a cluster.

A unit names no path: its data are known by their hashes, its texts and rates stand in it. So it is the same
unit wherever it runs, its result is the same bytes, and to run it twice does no harm.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from app.backtest.engine.job import Failure, Progress, Run
from app.settings import Settings

DONE, FAILED, CANCELLED, LOST = "done", "failed", "cancelled", "lost"
"""How a unit ends. LOST: who ran it is gone, its code is not at fault: it can be run again."""
MEGABYTE = 1024 * 1024
CHUNK = 4 * MEGABYTE
SPARED = 60.0  # seconds that what was used last stays in a depot, whoever needs it


class Piece(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of bars or ticks. The name says its format, and sometimes its contract: market_data/data.py."""

    name: str
    sha256: str


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a unit's process may take. Memory, disk and result in MB."""

    memory: int = 1024  # it and what it has started, resident
    disk: int = 512  # what it writes into its folder
    result: int = 256  # of what is left: more is not read
    stall: float = 600.0  # seconds without any progress
    total: float = 0.0  # seconds in all, 0 for no end


def limits_of(settings: Settings) -> Limits:
    """Those of a unit that runs here."""
    return Limits(memory=settings.backtest_memory, total=60.0 * settings.backtest_minutes)


class Unit(Run, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a run depends on. `number`: its place in a search, which takes no part in its id."""

    data: tuple[Piece, ...]
    rates: str = ""  # the text of a rates.csv
    calendar: str = ""  # the text of the setting calendar_file
    limits: Limits = Limits()
    number: int = 0

    @property
    def id(self) -> str:
        """The same for the same run: 16 hexadecimal digits."""
        of_all = msgspec.structs.replace(self, number=0, limits=Limits())
        return hashlib.sha256(msgspec.json.encode(of_all, order="sorted")).hexdigest()[:16]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended: with `result`, the bytes of result.json, where it is DONE; with `failure` where it has
    failed.
    """

    state: str
    result: bytes = b""
    failure: Failure | None = None
    log: str = ""  # the end of what the strategies printed


OnProgress = Callable[[Progress], object]
"""Called now and then from a thread of the engine's."""


class Handle(Protocol):
    """A unit under way."""

    def wait(self, seconds: float | None = None) -> Outcome | None:
        """Its outcome, or None when it has not ended within that time. Raises nothing of the unit's."""

    def cancel(self) -> None:
        """End it within 2 s whatever its code does; its outcome is CANCELLED unless it had ended. Returns at
        once. May be called again.
        """


class Engine(Protocol):
    """What runs units: this machine's processes, or a cluster's."""

    @property
    def width(self) -> int:
        """How many units run at once: it pays to have so many submitted."""

    def submit(self, unit: Unit, on_progress: OnProgress) -> Handle:
        """Run it as soon as there is room; in the order of their submission. Raises nothing of the unit's."""

    def close(self) -> None:
        """Cancel what runs, and end."""


class NotInDepot(KeyError):
    """The depot has no file of that hash."""


class Depot:
    """Files by their hashes, each whole or not there: `<folder>/<sha256>/<name>`; and what was made of one,
    by a hash of what it was made of. Any thread, and any number of processes at once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks: dict[str, threading.Lock] = {}

    def add(self, source: Path) -> Piece:
        """A copy of the file, which later changes of it do not touch. Raises OSError."""
        with source.open("rb") as file:
            return self._copied(file, source.name)

    def put(self, name: str, content: bytes) -> Piece:
        """Raises OSError."""
        temporary = self._temporary()
        try:
            temporary.write_bytes(content)
            return self._keep(temporary, Piece(name, hashlib.sha256(content).hexdigest()))
        finally:
            temporary.unlink(missing_ok=True)

    def made_of(self, piece: Piece, *how: str) -> Piece:
        """As what that is known which was made of this one in this way: it need not be there yet."""
        told = json.dumps([piece.sha256, piece.name, *how])
        return Piece(piece.name, hashlib.sha256(told.encode()).hexdigest())

    def lock_of(self, made: Piece) -> threading.Lock:
        """Held by who makes it, so that it is made once."""
        return self._locks.setdefault(made.sha256, threading.Lock())

    def keep(self, made: Piece, content: BinaryIO) -> Path:
        """Where it is now. Raises OSError."""
        self._copied(content, made.name, made.sha256)
        return self.path(made)

    def path(self, piece: Piece) -> Path:
        """Raises NotInDepot."""
        path = self._path(piece)
        if not path.is_file():
            raise NotInDepot(piece.sha256)
        os.utime(path.parent)  # used last
        return path

    def prune(self, most: int, needed: set[str]) -> None:
        """Remove what was not used for longest until it is within `most` bytes; never the `needed` hashes,
        nor what was used a moment ago: a child may be about to open it.
        """
        found, spared = [], time.time() - SPARED
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
            found.append((folder.stat().st_mtime, size, folder))
        total = sum(size for _, size, _ in found)
        for used, size, folder in sorted(found):
            if total > most and used < spared and folder.name not in needed:
                shutil.rmtree(folder, ignore_errors=True)
                total -= size

    def _temporary(self) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._folder.parent / f".{self._folder.name}.{secrets.token_hex(8)}.tmp"

    def _copied(self, file: BinaryIO, name: str, sha256: str = "") -> Piece:
        """Under this hash, or its own."""
        temporary = self._temporary()
        digest = hashlib.sha256()
        try:
            with temporary.open("wb") as copy:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
                    copy.write(chunk)
            return self._keep(temporary, Piece(name, sha256 or digest.hexdigest()))
        finally:
            temporary.unlink(missing_ok=True)

    def _path(self, piece: Piece) -> Path:
        if len(piece.sha256) != 64 or not piece.sha256.isalnum() or Path(piece.name).name != piece.name:
            raise NotInDepot(piece.sha256)
        return self._folder / piece.sha256 / piece.name

    def _keep(self, temporary: Path, piece: Piece) -> Piece:
        path = self._path(piece)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        os.replace(temporary, path)
        return piece
