"""The traders' strategies as files, and the versions that they have had. Host process, any thread.

An account's own are `<strategies_dir>/<account>/<name>.py`: what it saves goes there, and nobody else sees
it. What lies directly in `<strategies_dir>` is shared: every account sees it and may run it, until it has one
of its own by that name. The files are what a start runs; they may be edited by hand, and dropped in. A name
becomes a path only when it is safe, and a path is read only when it stays inside its folder.

The store keeps, for each account, each text that it saved, and each that was found in a file when it was
started or about to be replaced: scope `code/<account>` has a strategy's list of versions,
`code/<account>/<name>` the texts. Those of the time when all accounts had one folder are in scopes `code` and
`code:<name>`: an account goes on from them where it used the strategy then, and where the file is still
shared.
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

from app.files import write_whole
from app.lib.calendar import SHANGHAI
from app.lib.errors import AppError, BadInput, NotFound
from app.lib.strategy_lib import MAX_BYTES, BadCode, is_safe_name, parse
from app.model.store import Store

MOST_VERSIONS = 200
"""Of one strategy. The oldest go first, but for those that run."""
MOST_KEPT = 64 * 1024 * 1024
"""Bytes of all versions of one account, those of deleted strategies among them."""
ROW = 256  # bytes that a version takes beside its text
COMMON = "code"  # the scope of the time of one folder for all
SAVED, FOUND = "保存", "文件"  # where a version came from: POST /code, or a hand that edited the file

log = logging.getLogger(__name__)


class Version(msgspec.Struct, frozen=True):
    """One text that a strategy has had. Numbers begin with 1 and are never used again, not after a deletion
    either.
    """

    version: int
    sha: str
    time: str  # YYYY-MM-DD HH:MM:SS, exchange time
    source: str  # SAVED or FOUND
    size: int = 0  # bytes of the text; 0: it is not the account's own, but of the time of one folder for all


class CodeFile(NamedTuple):
    """A file as an account sees it. `problem` says why it cannot run, with its `line` (0: none in
    particular); empty when it can.
    """

    name: str
    updated: str  # YYYY-MM-DD HH:MM:SS, exchange time
    problem: str = ""
    line: int = 0
    shared: bool = False  # it is everybody's


class StrategyFiles:
    """`now` gives the time of a version, aware; `in_use(account, name)` the versions that are to be kept
    whatever else there is.
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        most: int = 50,
        now: Callable[[], datetime] = lambda: datetime.now(SHANGHAI),
        in_use: Callable[[str, str], set[int]] = lambda _account, _name: set(),
    ) -> None:
        self._folder = folder
        self._store = store
        self._most = most
        self._now = now
        self._in_use = in_use
        self._lock = threading.RLock()
        self._looked_at: dict[
            Path, tuple[tuple[int, int, int], CodeFile]
        ] = {}  # what the file was, what was found

    # ── what there is ──

    def listed(self, account: str) -> list[CodeFile]:
        """All files that the account sees and that end in .py, by name; the broken ones too."""
        with self._lock:
            shared = {path.name: path for path in _python_files(self._folder)}
            paths = shared | {path.name: path for path in _python_files(self._own(account))}
            found = [self._look_at(path) for _, path in sorted(paths.items())]
        return [file for file in found if file is not None]

    def find(self, account: str, name: str) -> CodeFile:
        """The account's own, or the shared one. Raises NotFound."""
        with self._lock:
            found = (
                (self._look_at(self._own(account, name)) or self._look_at(self._shared(name)))
                if is_safe_name(name)
                else None
            )
        if found is None:
            raise _unknown(name)
        return found

    def versions(self, account: str, name: str) -> list[Version]:
        """Oldest first; also those of a strategy that was deleted."""
        own = self._store.setting(_index(account), name, [])
        if not own and is_safe_name(name) and self._look_at(self._shared(name)) is not None:
            own = self._store.setting(COMMON, name, [])
        return msgspec.convert(own, list[Version])

    def source(self, account: str, name: str, version: int = 0) -> str:
        """The text of the file, or of that version. Raises NotFound, BadCode (not UTF-8, too long), BadInput
        (not ours to read).
        """
        if version:
            known = (
                {each.version: each for each in self.versions(account, name)} if is_safe_name(name) else {}
            )
            text = self._text(account, name, known[version]) if version in known else None
            if text is None:
                raise NotFound(f"没有策略 {name} 的版本 {version}", code="UNKNOWN_VERSION")
            return text
        with self._lock:
            return self._read(self._path(account, name, self.find(account, name)))

    # ── what is done with it ──

    def save(self, account: str, text: str) -> tuple[str, Version]:
        """Keep the text as its strategy's newest version, and as the account's own file.

        A text that is the newest version already makes no new one. Raises BadCode, BadInput (too many),
        StoreFailed; what was there stays then.
        """
        name = parse(text).name
        with self._lock:
            path = self._own(account, name)
            if not os.path.lexists(path) and len(_python_files(path.parent)) >= self._most:
                raise BadInput(
                    "text",
                    f"策略过多：每个账户至多 {self._most} 个，请先删除不用的",
                    code="TOO_MANY_STRATEGIES",
                )
            self._keep_hand_edit(account, name)
            kept = self._keep(account, name, text, SAVED)
            try:
                write_whole(path, text.encode())
            except OSError as error:
                log.error("%s cannot be written: %s", path, error)
                raise AppError(f"策略文件无法写入：{error.strerror}", code="CODE_NOT_WRITTEN") from error
        log.info("strategy %s of %s saved, version %d", name, account, kept.version)
        return name, kept

    def take(self, account: str, name: str) -> Version:
        """What stands in the file now, as a version of the account's, to be run. Raises NotFound, BadCode,
        BadInput.
        """
        with self._lock:
            file = self.find(account, name)
            if file.problem:
                raise BadCode(file.problem, file.line or None)
            return self._keep(account, name, self._read(self._path(account, name, file)), FOUND)

    def delete(self, account: str, name: str) -> None:
        """Remove the file that the account sees; its versions stay. Raises NotFound, BadInput (no file that
        could be removed).
        """
        with self._lock:
            path = self._path(account, name, self.find(account, name))
            self._keep_hand_edit(account, name)
            try:
                path.unlink()
            except OSError as error:
                raise BadInput(
                    "name", f"{path.name} 不能删除：{error.strerror}", code="UNREADABLE_FILE"
                ) from error
            self._looked_at.pop(path, None)
        log.info("strategy %s deleted by %s", name, account)

    def go_on(self, account: str, name: str) -> None:
        """The account has used the strategy: the versions of the time of one folder for all are its own from
        now on.
        """
        if not self._store.setting(_index(account), name):
            common = self._store.setting(COMMON, name)
            if common:
                self._store.put_setting(_index(account), name, common)

    # ── inside ──

    def _own(self, account: str, name: str = "") -> Path:
        assert account
        assert account == os.path.basename(account)
        assert not account.startswith(".")
        assert not name or is_safe_name(name)
        return self._folder / account / f"{name}.py" if name else self._folder / account

    def _shared(self, name: str) -> Path:
        assert is_safe_name(name)
        return self._folder / f"{name}.py"

    def _path(self, account: str, name: str, file: CodeFile) -> Path:
        return self._shared(name) if file.shared else self._own(account, name)

    def _look_at(self, path: Path) -> CodeFile | None:
        """What is to be said of a file; None when there is none. Parsed once for each time it changes."""
        try:
            status = path.lstat()
        except (OSError, ValueError):  # ValueError: a NUL in the name
            return None
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = self._looked_at.get(path)
        if known is None or known[0] != stamp or path.is_symlink():
            found = self._examined(path, status.st_mtime)._replace(shared=path.parent == self._folder)
            known = self._looked_at[path] = stamp, found
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
            return CodeFile(
                name, updated, f"ext 的名称是 {found.name}，文件名应为 {found.name}.py", found.line
            )
        return CodeFile(name, updated)

    def _read(self, path: Path) -> str:
        try:
            if path.resolve().parent != path.parent.resolve() or not path.is_file():
                raise BadInput(
                    "name", "策略文件应为策略目录中的普通文件，不能指向目录之外", code="UNSAFE_FILE"
                )
            with open(path, "rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise BadInput("name", f"策略文件无法读取：{error.strerror}", code="UNREADABLE_FILE") from error
        except RuntimeError:  # a link that leads to itself
            raise BadInput("name", "策略文件是指向自己的链接", code="UNREADABLE_FILE") from None
        if len(content) > MAX_BYTES:
            raise BadCode(f"代码过长，最多 {MAX_BYTES} 字节", code="CODE_TOO_LONG")
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise BadCode(f"第 {line} 行有不是 UTF-8 的字节", line, code="NOT_UTF8") from None

    def _keep_hand_edit(self, account: str, name: str) -> None:
        """A text that nobody has saved is not lost when the file is replaced. One that cannot be read was no
        strategy.
        """
        try:
            text = self.source(account, name)
        except AppError as error:
            log.info("nothing of %s to keep: %s", name, error.message)
            return
        self._keep(account, name, text, FOUND)

    def _keep(self, account: str, name: str, text: str, source: str) -> Version:
        """The version that this text is: the newest one, or a new one."""
        versions = self.versions(account, name)
        encoded = text.encode()
        sha = hashlib.sha256(encoded).hexdigest()
        if versions and versions[-1].sha == sha:
            self.go_on(account, name)
            return versions[-1]
        new = Version(
            versions[-1].version + 1 if versions else 1, sha, _text_of(self._now()), source, len(encoded)
        )
        self._store.put_setting(_texts(account, name), str(new.version), text)
        self._store.put_setting(_index(account), name, msgspec.to_builtins([*versions, new]))
        self._forget_oldest(account, name)
        return new

    def _text(self, account: str, name: str, version: Version) -> str | None:
        for scope in (_texts(account, name), f"{COMMON}:{name}"):
            text: str | None = self._store.setting(scope, str(version.version))
            if text is not None and hashlib.sha256(text.encode()).hexdigest() == version.sha:
                return text
        return None

    def _forget_oldest(self, account: str, changed: str) -> None:
        """Keep an account within its bounds. What runs is kept, and the newest version of what there is."""
        index = msgspec.convert(self._store.settings(_index(account)), dict[str, list[Version]])
        needed = {(name, number) for name in index for number in self._needed(account, name, index[name])}
        surplus = {(changed, version.version) for version in index[changed][:-MOST_VERSIONS]} - needed
        kept = [
            (version, name)
            for name in index
            for version in index[name]
            if (name, version.version) not in surplus
        ]
        total = sum(version.size + ROW for version, _ in kept)
        for version, name in sorted(kept, key=lambda pair: pair[0].time):
            if total > MOST_KEPT and (name, version.version) not in needed:
                surplus.add((name, version.version))
                total -= version.size + ROW
        for name in {name for name, _ in surplus}:
            rest = [each for each in index[name] if (name, each.version) not in surplus]
            if rest:
                self._store.put_setting(_index(account), name, msgspec.to_builtins(rest))
            else:
                self._store.delete_setting(_index(account), name)
        for name, number in surplus:
            self._store.delete_setting(_texts(account, name), str(number))

    def _needed(self, account: str, name: str, versions: list[Version]) -> set[int]:
        newest = {versions[-1].version} if os.path.lexists(self._own(account, name)) else set()
        return self._in_use(account, name) | newest


def _python_files(folder: Path) -> list[Path]:
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(
        folder / name for name in names if name.endswith(".py") and not name.startswith((".", "__"))
    )


def _index(account: str) -> str:
    return f"{COMMON}/{account}"


def _texts(account: str, name: str) -> str:
    return f"{COMMON}/{account}/{name}"


def _text_of(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _unknown(name: str) -> NotFound:
    shown = name if len(name) <= 64 and name.isprintable() else "（名称不合法）"
    return NotFound(f"没有策略 {shown}", code="UNKNOWN_STRATEGY")
