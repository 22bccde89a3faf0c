"""Where a command leaves its results. A command's own process."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from app.files import write_whole
from app.lib.errors import AppError


class CannotWrite(AppError):
    """The folder for the results cannot be written: choose another one with --to."""

    default_code = "CANNOT_WRITE"


def make(target: Path) -> None:
    """The folder, so that what is computed is not lost in the end. Raises CannotWrite."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        if not os.access(target, os.W_OK):
            raise CannotWrite(f"不能写到 {target}")
        shutil.disk_usage(target)
    except OSError as error:
        raise CannotWrite(f"不能写到 {target}：{error}") from None


def write(path: Path, content: bytes) -> None:
    """Raises CannotWrite."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise CannotWrite(f"不能写 {path}：{error}") from None
