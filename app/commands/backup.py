"""`run.py backup` and `run.py restore`: the data directory as one file, and back. A process of its own.

A backup may be made while everything runs: each database is copied by SQLite's online backup, as it is at one
moment, and holds up nobody. The counter's is copied last, so that what an account's journal has the counter's
copy has too; what it has beyond that a login brings to the journal. Passwords are in no file, so in no backup
either: the archive has the key that signs tokens, the hash of the authorization code, and the traders'
strategies, and is its owner's alone.

What runs, its locks, its logs, the login attempts of the last minutes and what an earlier restore put aside
are left out. So is, and that is said, what is no plain file of the directory's owner: whoever can write into
the folders (a strategy can) could otherwise have a backup wait at a pipe for ever, fill the disk from a
device, or copy what he may not read himself.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import sqlite3
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import click
import msgspec

from app import data_dir
from app.commands import supervisor
from app.commands.common import settings_of, settings_options
from app.host import strategy_place
from app.lib import calendar
from app.lib.errors import AppError, SettingsError
from app.lib.strategy_lib import MAX_BYTES
from app.process.child import AlreadyRunning, Lock
from app.settings import Settings
from app.wire.registry import Registry

FORMAT = 1
MANIFEST = "manifest.json"
DATA, STRATEGIES = "data", "strategies"
LEFT_OUT = (
    *("run", "locks", "logs", "attempts.db", calendar.KEPT_FILE),
    *("backtest-scratch", data_dir.CACHE),
)
ASIDE = "before-"  # and a time: where a restore puts what it found
HEADER = b"SQLite format 3\0"
STAMP = "%Y%m%d-%H%M%S"  # Beijing's time
NAMES = ("supervisor", "host", "web", "counter", "backtest")
MOST_MANIFEST = 4 * 1024 * 1024  # bytes
CHUNK = 1024 * 1024

Say = Callable[[str], None]


class BadBackup(AppError):
    """The file is no backup of this program's, or not whole, or of a newer version: nothing was changed."""

    default_code = "BAD_BACKUP"


class CannotWrite(AppError):
    """Where the backup should go, or in the data directory, something cannot be read or written: the reason
    is said.
    """

    default_code = "CANNOT_WRITE"


class StillRunning(AppError):
    """Something of the data directory runs: end it first. Nothing was changed."""

    default_code = "STILL_RUNNING"


class Manifest(msgspec.Struct, kw_only=True):
    """What the archive has: the first member of it."""

    format: int
    version: int  # of the data directory
    created: str  # Beijing's time, with its offset
    files: dict[str, str]  # member → SHA-256


@click.command("backup")
@settings_options
@click.argument("target", metavar="FILE|DIR", type=click.Path(path_type=Path))
@click.pass_context
def backup_command(ctx: click.Context, target: Path, **options: Any) -> None:
    """把数据目录与策略备份成一个文件；不必停机。给目录则在其中新建一个。"""
    written = back_up(settings_of(ctx, options), target, click.echo)
    click.echo(f"已备份到 {written}（{written.stat().st_size / 1e6:.1f} MB）")


@click.command("restore")
@settings_options
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="数据目录不是空的：先把现有的移到旁边")
@click.option("--stop", "stop_first", is_flag=True, help="先结束这个数据目录仍在运行的全部进程")
@click.pass_context
def restore_command(
    ctx: click.Context, source: Path, replace: bool, stop_first: bool, **options: Any
) -> None:
    """从备份恢复数据目录与策略；之后各账户须重新登录。"""
    settings = settings_of(ctx, options)
    if stop_first:
        supervisor.end_all(settings)
    restore(settings, source, replace, click.echo)


# ── backup ──


def back_up(settings: Settings, target: Path, say: Say) -> Path:
    """Write everything to `target`, or to a new file in it when it is a directory. Returns the file: whole,
    or not there.

    Raises SettingsError, BadBackup for a database that is broken, CannotWrite.
    """
    try:
        return _back_up(settings, target, say)
    except OSError as error:
        raise CannotWrite(
            f"未能备份到 {target}：{data_dir.reason(error)}（{error.filename or target}）"
        ) from error


def _back_up(settings: Settings, target: Path, say: Say) -> Path:
    if target.resolve().is_relative_to(settings.data_dir):
        raise SettingsError(f"备份请放在数据目录 {settings.data_dir} 之外", parameter="target")
    if not (settings.data_dir / data_dir.FILE).exists():
        raise SettingsError(f"{settings.data_dir} 不是本程序的数据目录", parameter="data_dir")
    if target.is_dir():
        target = target / f"ctpbee_backend-{datetime.now(calendar.SHANGHAI).strftime(STAMP)}.tar.gz"
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".ctpbee_backend-") as folder:
        copies = dict(_copies(settings, Path(folder), say))
        manifest = Manifest(
            format=FORMAT,
            version=data_dir.version_of(settings.data_dir),
            created=datetime.now(calendar.SHANGHAI).isoformat(timespec="seconds"),
            files={member: _digest(path) for member, path in copies.items()},
        )
        try:
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as archive:
                    encoded = msgspec.json.encode(manifest)
                    entry = tarfile.TarInfo(MANIFEST)
                    entry.size, entry.mode = len(encoded), 0o600
                    archive.addfile(entry, io.BytesIO(encoded))
                    for member, path in copies.items():
                        archive.add(path, member, recursive=False, filter=_anonymous)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
    return target


def _copies(settings: Settings, folder: Path, say: Say) -> Iterator[tuple[str, Path]]:
    """Members of the archive and their copies in `folder`, the counter's last."""
    owner = settings.data_dir.stat().st_uid
    members = sorted(_files(settings.data_dir), key=lambda path: (path.parts[0] == "counter", path))
    for number, name in enumerate(members):
        copy = folder / str(number)
        if _copy(settings.data_dir / name, copy, {owner}, None, say):
            yield f"{DATA}/{name.as_posix()}", copy
    strategies = strategy_place.in_use(settings)
    if not strategies.is_dir():
        return
    owners = {owner, strategies.stat().st_uid}
    for number, path in enumerate(_strategies(strategies)):
        copy = folder / f"strategy-{number}"
        if _copy(path, copy, owners, MAX_BYTES, say):
            yield f"{STRATEGIES}/{path.relative_to(strategies).as_posix()}", copy


def _files(root: Path) -> Iterator[Path]:
    """What a backup is about, relative to `root`; links to directories among it, so that they are told of."""
    for folder, folders, names in os.walk(root):
        for name in [*names, *(name for name in folders if os.path.islink(os.path.join(folder, name)))]:
            path = (Path(folder) / name).relative_to(root)
            if (
                _is_kept(path.parts[0])
                and not name.endswith(("-wal", "-shm", "-journal", ".lock"))
                and not name.startswith(".")
            ):
                yield path


def _strategies(root: Path) -> list[Path]:
    """The shared files and those of each account; a link to a folder among them, so that it is told of."""
    folders = [path for path in root.iterdir() if path.is_dir()]
    own = [path for folder in folders if not folder.is_symlink() for path in folder.glob("*.py")]
    return sorted({*root.glob("*.py"), *own, *(folder for folder in folders if folder.is_symlink())})


def _is_kept(top: str) -> bool:
    """Whether a backup has what is called so directly below the data directory."""
    return top not in LEFT_OUT and not top.startswith((ASIDE, "."))


def _copy(source: Path, copy: Path, owners: set[int], most: int | None, say: Say) -> bool:
    """Copy one file as it is at one moment; False, and said, where it is none that a backup takes. A file may
    just have gone.
    """
    try:
        file = os.fdopen(
            os.open(source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)), "rb"
        )
    except FileNotFoundError:  # it was there a moment ago: a log that was rotated away
        return False
    except OSError as error:
        say(
            f"{source} 没有备份："
            f"{'不是普通文件' if source.is_symlink() or not source.is_file() else data_dir.reason(error)}"
        )
        return False
    with file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            say(f"{source} 没有备份：不是普通文件")
        elif found.st_uid not in owners:
            say(f"{source} 没有备份：属于别的用户")
        elif most is not None and found.st_size > most:
            say(f"{source} 没有备份：大于 {most // 1024} KB，不是策略")
        elif file.read(len(HEADER)) == HEADER:
            _copy_database(source, copy)
            return True
        else:
            file.seek(0)
            with open(copy, "wb") as written:
                shutil.copyfileobj(file, written, CHUNK)
            return True
    return False


def _copy_database(source: Path, copy: Path) -> None:
    try:
        with (
            contextlib.closing(sqlite3.connect(source, timeout=10.0)) as database,
            contextlib.closing(sqlite3.connect(copy)) as written,
        ):
            database.backup(written)
    except sqlite3.DatabaseError as error:
        raise BadBackup(f"{source} 读不出来：{error}") from error


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o600
    return entry


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ── restore ──


def restore(settings: Settings, source: Path, replace: bool, say: Say) -> None:
    """Put the data directory back as `source` has it. What is there goes aside, with `replace`, else it is
    refused.

    Raises BadBackup, StillRunning, SettingsError: nothing was changed then. CannotWrite: what was there is
    where it says, or aside.
    """
    try:
        _restore(settings, source, replace, say)
    except OSError as error:
        raise CannotWrite(
            f"未能恢复：{data_dir.reason(error)}（{error.filename or settings.data_dir}）"
        ) from error


def _restore(settings: Settings, source: Path, replace: bool, say: Say) -> None:
    root = settings.data_dir
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        for name in sorted({*NAMES, *(path.stem for path in (root / "locks").glob("*.lock"))}):
            try:
                held.enter_context(contextlib.closing(Lock(root, name)))
            except AlreadyRunning:
                raise _still_running(settings, name) from None
        if Registry(root).living():
            raise _still_running(settings, "")
        there = [
            path
            for path in root.iterdir()
            if path.name not in ("run", "locks") and not path.name.startswith(ASIDE)
        ]
        if there and not replace:
            raise SettingsError(
                f"数据目录 {root} 不是空的：加 --replace 则先把现有的移到其中的 {ASIDE}…",
                parameter="data_dir",
            )
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(dir=root, prefix=".restoring-")))
        manifest = _unpack(source, folder)
        stamp = datetime.now(calendar.SHANGHAI).strftime(STAMP)
        if there:
            aside = root / f"{ASIDE}{stamp}"
            aside.mkdir(mode=0o700)
            for path in there:
                os.replace(path, aside / path.name)
            say(f"原有的数据移到了 {aside}")
        Registry(root).forget_the_dead()
        for path in (folder / DATA).iterdir():
            os.replace(path, root / path.name)
        _put_strategies_back(folder / STRATEGIES, settings.strategies_dir, stamp, say)
        say(f"已恢复到 {manifest.created} 的备份")


def _still_running(settings: Settings, claimed: str) -> StillRunning:
    """`claimed`: a name whose lock somebody holds, who may not be in the registry (yet)."""
    root = settings.data_dir
    names = "、".join(f"{entry.name}（pid {entry.pid}）" for entry in Registry(root).living()) or claimed
    return StillRunning(
        f"数据目录 {root} 仍有进程在运行：{names}。请先停止：{settings.command('stop')}"
        "（由 supervisord 或 systemd 看护的用它们停止）"
    )


def _unpack(source: Path, folder: Path) -> Manifest:
    """The archive's members below `folder`, each found whole, each database sound."""
    try:
        with tarfile.open(source, "r:gz") as archive:
            manifest = _read_manifest(source, archive)
            for entry in archive:
                _extract(archive, entry, folder, manifest)
    except FileNotFoundError:
        raise BadBackup(f"没有文件 {source}") from None
    except (tarfile.TarError, EOFError, OSError, msgspec.DecodeError) as error:
        raise BadBackup(f"{source} 读不出来，或不完整：{error}") from error
    for member, digest in manifest.files.items():
        path = folder / member
        if not path.is_file() or _digest(path) != digest:
            raise BadBackup(f"{source} 中的 {member} 不完整")
        with open(path, "rb") as file:
            if file.read(len(HEADER)) == HEADER:
                _check_database(path, member)
    (folder / DATA).mkdir(exist_ok=True)
    return manifest


def _read_manifest(source: Path, archive: tarfile.TarFile) -> Manifest:
    """The first member. Raises BadBackup where that is none, or names what is none of ours."""
    first = archive.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > MOST_MANIFEST:
        raise BadBackup(f"{source} 不是本程序的备份")
    text = archive.extractfile(first)
    assert text is not None  # of a regular member
    manifest = msgspec.json.decode(text.read(), type=Manifest)
    if manifest.format > FORMAT or manifest.version > data_dir.VERSION:
        raise BadBackup(f"{source} 由更新的程序写成：请用那个版本恢复")
    for member in manifest.files:
        if not _is_ours(member):
            raise BadBackup(f"{source} 中的 {member} 不是备份里会有的")
    return manifest


def _is_ours(member: str) -> bool:
    """Whether a backup of ours may have a member of this name: a file that `restore` puts where it was."""
    parts = PurePosixPath(member).parts
    if len(parts) < 2 or ".." in parts or "\0" in member or member != "/".join(parts):
        return False
    if parts[0] == STRATEGIES:
        return (
            len(parts) in (2, 3)
            and parts[-1].endswith(".py")
            and not any(part.startswith(".") for part in parts)
        )
    return parts[0] == DATA and _is_kept(parts[1])


def _extract(archive: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path, manifest: Manifest) -> None:
    """One member; those that the manifest does not name, and what is no plain file, are none of ours. Raises
    BadBackup, OSError.
    """
    if entry.name not in manifest.files or not entry.isreg():
        return
    if entry.name.startswith(f"{STRATEGIES}/") and entry.size > MAX_BYTES:
        raise BadBackup(f"{entry.name} 大于 {MAX_BYTES // 1024} KB，不是策略")
    if entry.size > shutil.disk_usage(folder).free // 2:
        raise BadBackup(f"{entry.name} 有 {entry.size / 1e9:.1f} GB，磁盘放不下")
    content = archive.extractfile(entry)
    assert content is not None  # of a regular member
    target = folder / entry.name
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(content, file, CHUNK)


def _check_database(path: Path, member: str) -> None:
    try:
        with contextlib.closing(sqlite3.connect(path)) as database:
            found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise BadBackup(f"备份中的数据库 {member} 已损坏：{found}")


def _put_strategies_back(source: Path, target: Path, stamp: str, say: Say) -> None:
    if not source.is_dir():
        return
    for path in _strategies(source):
        there = target / path.relative_to(source)
        there.parent.mkdir(parents=True, exist_ok=True)
        if there.exists():
            if _digest(there) == _digest(path):
                continue
            os.replace(there, there.with_name(f"{path.name}.before-{stamp}"))
            say(f"原有的策略文件 {path.name} 改名为 {path.name}.before-{stamp}")
        shutil.copyfile(path, there)
