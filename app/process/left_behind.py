"""Reading, measuring and removing what a strategy has written: that may be a link to what it may not read, a
pipe that nobody writes to, or folders in each other without end. Host process, and the one that guards a
backtest.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

DEEPEST = 100  # folders in each other, and
MOST_NAMES = 20_000  # files and folders: with more it is not measured


class Unmeasured(Exception):
    """There are too many names, or folders too deep or closed to us: the message says which."""


def opened(path: Path) -> BinaryIO:
    """The file there, for reading. Raises OSError, also where it is no plain file."""
    file = os.fdopen(
        os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)), "rb"
    )
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "no plain file", str(path))
    return file


def size_of(folder: Path) -> int:
    """Bytes of disk that it takes with all that is in it. In bounded time; raises Unmeasured where that is
    not enough.
    """
    total = names = 0
    waiting = [(str(folder), 0)]
    while waiting:
        path, depth = waiting.pop()
        if depth > DEEPEST:
            raise Unmeasured(f"文件夹套了 {DEEPEST} 层以上")
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    names += 1
                    if names > MOST_NAMES:
                        raise Unmeasured(f"文件多于 {MOST_NAMES} 个")
                    total += _blocks_of(entry)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, depth + 1))
        except (FileNotFoundError, NotADirectoryError):
            continue  # gone meanwhile
        except OSError as error:
            raise Unmeasured(f"有一个文件夹读不了（{error.strerror}）") from None
    return total


def _blocks_of(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
    except FileNotFoundError:
        return 0


def remove(folder: Path) -> None:
    """All of it, as far as it is ours to remove; raises nothing. Nobody writes there any more.

    What lies deeper is moved up first: no path grows long, and no call is nested.
    """
    number = 0
    while True:
        removed = False
        try:
            os.chmod(folder, 0o700)
            with os.scandir(folder) as entries:
                found = [entry.path for entry in entries]
            if not found:
                os.rmdir(folder)
                return
        except OSError:
            return
        for path in found:
            try:
                if stat.S_ISDIR(os.lstat(path).st_mode):
                    number = _empty(path, folder, number)
                    os.rmdir(path)
                else:
                    os.unlink(path)
                removed = True
            except OSError:
                continue
        if not removed:
            return


def _empty(path: str, to: Path, number: int) -> int:
    """Its files removed, its folders moved into `to`, under numbers after this one; the last of them."""
    os.chmod(path, 0o700)
    with os.scandir(path) as entries:
        found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for inner, is_folder in found:
        if is_folder:
            os.chmod(inner, 0o700)
            number += 1
            while (to / f"moved-{number}").exists():
                number += 1
            os.rename(inner, to / f"moved-{number}")
        else:
            os.unlink(inner)
    return number
