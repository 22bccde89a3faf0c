"""Files that are there whole or not at all, and files that are locked. Any process, any thread.

What is written here is the owner's alone. A temporary file beside it is renamed once it is on the disk, so
that whoever reads finds all of the new or all of the old, after a power cut too.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import IO

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # not POSIX
    fcntl = None

CAN_LOCK = fcntl is not None


def write_whole(path: Path, content: bytes) -> None:
    """Write the file, in place of what was there; its folder is made. Raises OSError, and nothing has changed
    then.
    """
    with _written(path, content) as temporary:
        os.replace(temporary, path)


def make_once(path: Path, content: bytes) -> None:
    """Make the file unless it is there: of several who do so at once, one succeeds, and the others leave it
    alone. Raises OSError.
    """
    with _written(path, content) as temporary, contextlib.suppress(FileExistsError):
        os.link(temporary, path)  # unlike a rename this never replaces what somebody else has just made


def locked(path: Path) -> IO[bytes] | None:
    """The file, locked as long as it, or what a child has of it, is open; None when somebody else holds it.
    Where files cannot be locked (CAN_LOCK) nobody ever holds one. Raises OSError.
    """
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return None
    return file


@contextlib.contextmanager
def _written(path: Path, content: bytes) -> Iterator[Path]:
    """A temporary file beside it with this content, on the disk; it is gone afterwards, and what was done
    with it is on the disk too.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        # O_EXCL: what is there already may be a link that somebody has laid
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
