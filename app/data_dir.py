"""The data directory as a whole: made, found writable, and of a version that this program knows. Any process
that is about to use it.

`<data>/version` says by which layout its files lie; a directory without that file is of version 0, from
before there was one. What is inside a database has a version of its own, which its store brings up to date
when it opens it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from app.files import write_whole
from app.lib.errors import SettingsError

ACCOUNTS = "accounts"
TICKS = "ticks"
CACHE = "cache"  # what can be made again: in no backup
FILE = "version"
MIGRATIONS: tuple[Callable[[Path], None], ...] = (lambda _data_dir: None,)
"""From version n to n + 1. 0 → 1: nothing has moved, the version is written down from here on."""
VERSION = len(MIGRATIONS)


def accounts(data_dir: Path) -> list[str]:
    """The accounts that this data directory has ever had, by their keys."""
    folder = data_dir / ACCOUNTS
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def account_folder(data_dir: Path, account: str) -> Path:
    """Where everything of an account lies."""
    return data_dir / ACCOUNTS / account


def strategies_folder(data_dir: Path, account: str) -> Path:
    """Where its strategies have their folders; there once one has run."""
    return account_folder(data_dir, account) / "strategies"


def strategy_folder(data_dir: Path, account: str, name: str) -> Path:
    """Where a strategy of an account runs and leaves what is its own."""
    return strategies_folder(data_dir, account) / name


def ticks_folder(data_dir: Path, account: str) -> Path:
    """Where its gateway records ticks, a file a trading day (app/gateway/tick_recorder.py)."""
    return account_folder(data_dir, account) / TICKS


def prepare(data_dir: Path) -> None:
    """Make it, or bring it up to this program's version. Raises SettingsError where it cannot be used, and
    says why.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(data_dir)
        version = version_of(data_dir)
        if version > VERSION:
            raise SettingsError(
                f"数据目录 {data_dir} 的版本为 {version}，由更新的程序写成，本程序只认识到 {VERSION}："
                "请用那个版本，或另选数据目录",
                parameter="data_dir",
            )
        for migrate in MIGRATIONS[version:]:
            migrate(data_dir)
        # each time: whether it can be written is what has to be known
        write_whole(data_dir / FILE, f"{VERSION}\n".encode())
    except OSError as error:
        raise SettingsError(f"数据目录 {data_dir} 不能用：{reason(error)}", parameter="data_dir") from None


def _close_to_others(data_dir: Path) -> None:
    """One that was made beforehand is mostly open to all, and what lies in it may be older than our umask."""
    mode = stat.S_IMODE(data_dir.stat().st_mode)
    if os.name != "posix" or not mode & 0o077:
        return
    try:
        data_dir.chmod(mode & ~0o077)
    except PermissionError:
        text = (
            f"数据目录 {data_dir} 对别的用户开放（{mode:04o}），又不归本用户，改不了：请由属主 chmod "
            "700，或另选数据目录"
        )
        raise SettingsError(text, parameter="data_dir") from None


def version_of(data_dir: Path) -> int:
    """Raises SettingsError when the file says nothing that could be a version."""
    try:
        text = (data_dir / FILE).read_text("ascii", "replace").strip()
    except FileNotFoundError:
        return 0
    if not text.isascii() or not text.isdecimal():
        raise SettingsError(
            f"{data_dir / FILE} 已损坏：应为一个整数，本程序的版本是 {VERSION}", parameter="data_dir"
        )
    return int(text)


def reason(error: OSError) -> str:
    """Why the system refused, as the user is told."""
    reasons = {
        errno.ENOSPC: "磁盘已满",
        errno.EDQUOT: "超出磁盘配额",
        errno.EROFS: "文件系统只读",
        errno.EACCES: "没有写的权限",
    }
    return reasons.get(error.errno or 0, error.strerror or str(error))
