"""The traders' strategies as files, `<strategies_dir>/<name>.py`, and every version that a file has had. Host process, any thread.

The files are what a start runs; they may be edited by hand, and dropped in. The store keeps each text that was saved, and each
that was found in a file when it was started or about to be replaced: scope `code` has a strategy's list of versions, scope
`code:<name>` the texts. A name becomes a path only when it is safe, and a path is read only when it stays inside the folder.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from app.lib.calendar import SHANGHAI
from app.lib.errors import AppError, BadInput, NotFound
from app.lib.strategy_lib import MAX_BYTES, BadCode, is_safe_name, parse
from app.model.store import Store

INDEX = "code"
SAVED, FOUND = "保存", "文件"  # where a version came from: POST /code, or a hand that edited the file

log = logging.getLogger(__name__)


class Version(msgspec.Struct, frozen=True):
    """One text that a strategy has had. Numbers begin with 1 and are never used again, not after a deletion either."""

    version: int
    sha: str
    time: str  # YYYY-MM-DD HH:MM:SS, exchange time
    source: str  # SAVED or FOUND


class CodeFile(NamedTuple):
    """A file in the folder. `problem` says why it cannot run, with its `line` (0: none in particular); empty when it can."""

    name: str
    updated: str  # YYYY-MM-DD HH:MM:SS, exchange time
    problem: str = ""
    line: int = 0


class StrategyFiles:
    """`now` gives the time of a version, aware."""

    def __init__(self, folder: Path, store: Store, now: Callable[[], datetime] = lambda: datetime.now(SHANGHAI)) -> None:
        self._folder = folder
        self._store = store
        self._now = now
        self._lock = threading.RLock()
        self._looked_at: dict[str, tuple[tuple[int, int, int], CodeFile]] = {}  # file name → what it was, what was found

    # ── what there is ────────────────────────────────────────────────────────────────────────────────────────────────

    def listed(self) -> list[CodeFile]:
        """All files of the folder that end in .py, by name; the broken ones too."""
        with self._lock:
            try:
                names = sorted(name for name in os.listdir(self._folder) if name.endswith(".py") and not name.startswith((".", "__")))
            except FileNotFoundError:
                return []
            found = [self._look_at(name) for name in names]
        return [file for file in found if file is not None]

    def find(self, name: str) -> CodeFile:
        """Raises NotFound."""
        with self._lock:
            found = self._look_at(f"{name}.py") if is_safe_name(name) else None
        if found is None:
            raise _unknown(name)
        return found

    def versions(self, name: str) -> list[Version]:
        """Oldest first; also those of a strategy that was deleted."""
        return msgspec.convert(self._store.setting(INDEX, name, []), list[Version])

    def source(self, name: str, version: int = 0) -> str:
        """The text of the file, or of that version. Raises NotFound, BadCode (not UTF-8, too long), BadInput (not ours to read)."""
        if version:
            text = self._store.setting(_texts(name), str(version)) if is_safe_name(name) else None
            if text is None:
                raise NotFound(f"没有策略 {name} 的版本 {version}", code="UNKNOWN_VERSION")
            return text
        with self._lock:
            self.find(name)
            return self._read(self._path(name))

    # ── what is done with it ─────────────────────────────────────────────────────────────────────────────────────────

    def save(self, text: str) -> tuple[str, Version]:
        """Keep the text as its strategy's newest version, and as the file. Raises BadCode, StoreFailed; what was there stays then.

        A text that is the newest version already makes no new one.
        """
        name = parse(text).name
        with self._lock:
            self._keep_hand_edit(name)
            kept = self._keep(name, text, SAVED)
            try:
                write_whole(self._path(name), text.encode())
            except OSError as error:
                log.error("%s cannot be written: %s", self._path(name), error)
                raise AppError(f"策略文件无法写入：{error.strerror}", code="CODE_NOT_WRITTEN") from error
        log.info("strategy %s saved, version %d", name, kept.version)
        return name, kept

    def take(self, name: str) -> Version:
        """What stands in the file now, as a version, to be run. Raises NotFound, BadCode, BadInput."""
        with self._lock:
            file = self.find(name)
            if file.problem:
                raise BadCode(file.problem, file.line or None)
            return self._keep(name, self._read(self._path(name)), FOUND)

    def delete(self, name: str) -> None:
        """Remove the file; its versions stay. Raises NotFound."""
        with self._lock:
            self.find(name)
            self._keep_hand_edit(name)
            self._path(name).unlink()
            self._looked_at.pop(f"{name}.py", None)
        log.info("strategy %s deleted", name)

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _path(self, name: str) -> Path:
        assert is_safe_name(name)
        return self._folder / f"{name}.py"

    def _look_at(self, file_name: str) -> CodeFile | None:
        """What is to be said of a file; None when there is none. Parsed once for each time it changes."""
        path = self._folder / file_name
        try:
            status = path.lstat()
        except (OSError, ValueError):  # ValueError: a NUL in the name
            return None
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = self._looked_at.get(file_name)
        if known is None or known[0] != stamp or path.is_symlink():
            known = self._looked_at[file_name] = stamp, self._examined(path, status.st_mtime)
        return known[1]

    def _examined(self, path: Path, modified: float) -> CodeFile:
        name = path.stem.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        updated = _text_of(datetime.fromtimestamp(modified, SHANGHAI))
        if not is_safe_name(name):
            return CodeFile(name, updated, "文件名不能作为策略名：应为字母、数字、_、- 或汉字，最多 64 个")
        try:
            found = parse(self._read(path))
        except AppError as error:
            return CodeFile(name, updated, error.message, error.extra.get("line") or 0)
        if found.name != name:
            return CodeFile(name, updated, f"ext 的名称是 {found.name}，文件名应为 {found.name}.py", found.line)
        return CodeFile(name, updated)

    def _read(self, path: Path) -> str:
        try:
            if path.resolve().parent != self._folder.resolve() or not path.is_file():
                raise BadInput("name", "策略文件应为策略目录中的普通文件，不能指向目录之外", code="UNSAFE_FILE")
            with open(path, "rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise BadInput("name", f"策略文件无法读取：{error.strerror}", code="UNREADABLE_FILE") from error
        if len(content) > MAX_BYTES:
            raise BadCode(f"代码过长，最多 {MAX_BYTES} 字节", code="CODE_TOO_LONG")
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise BadCode(f"第 {line} 行有不是 UTF-8 的字节", line, code="NOT_UTF8") from None

    def _keep_hand_edit(self, name: str) -> None:
        """A text that nobody has saved is not lost when the file is replaced. One that cannot be read was no strategy."""
        try:
            text = self.source(name)
        except AppError as error:
            log.info("nothing of %s to keep: %s", name, error.message)
            return
        self._keep(name, text, FOUND)

    def _keep(self, name: str, text: str, source: str) -> Version:
        """The version that this text is: the newest one, or a new one."""
        versions = self.versions(name)
        sha = hashlib.sha256(text.encode()).hexdigest()
        if versions and versions[-1].sha == sha:
            return versions[-1]
        new = Version(versions[-1].version + 1 if versions else 1, sha, _text_of(self._now()), source)
        self._store.put_setting(_texts(name), str(new.version), text)
        self._store.put_setting(INDEX, name, msgspec.to_builtins([*versions, new]))
        return new


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that whoever reads it finds all of it or what was there before, after a power cut too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _texts(name: str) -> str:
    return f"{INDEX}:{name}"


def _text_of(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _unknown(name: str) -> NotFound:
    shown = name if len(name) <= 64 and name.isprintable() else "（名称不合法）"
    return NotFound(f"没有策略 {shown}", code="UNKNOWN_STRATEGY")
