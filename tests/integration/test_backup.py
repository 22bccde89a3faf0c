"""run.py backup and restore on real files: whole while they are written, refused where they would do harm."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import re
import socket
import stat
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from app import data_dir
from app.commands.backup import BadBackup, CannotWrite, Manifest, StillRunning, back_up, restore
from app.counter.state import State
from app.lib.errors import SettingsError
from app.model import open_store
from app.process.child import Lock
from app.settings import Settings
from app.wire.registry import Registry
from tests.support.waiting import eventually

ACCOUNT = "sim-9999-demo"
Said = list[str]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data directory as a server leaves it, with a strategy beside it."""
    made = Settings(data_dir=tmp_path / "数据", strategies_dir=tmp_path / "strategies")
    data_dir.prepare(made.data_dir)
    (made.data_dir / "secret.key").write_bytes(b"k" * 64)
    for scope in ("server", "host", ACCOUNT):
        store = open_store(made, scope)
        store.put_setting("scope", "of", scope)
        store.close()
    state = State(made.data_dir / "counter" / "counter.db")
    with state.transaction():
        state.put("clock", "now")
    state.close()
    for name in ("logs/web.log", "run/host.sock", "accounts/sim-9999-demo/strategies/双均线/strategy.log"):
        (made.data_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (made.data_dir / name).write_text(name)
    made.strategies_dir.mkdir()
    (made.strategies_dir / "双均线.py").write_text("# one", "utf-8")
    (made.strategies_dir / ACCOUNT).mkdir()
    (made.strategies_dir / ACCOUNT / "双均线.py").write_text("# my own", "utf-8")
    return made


@pytest.fixture
def elsewhere(tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path / "elsewhere" / "data", strategies_dir=tmp_path / "elsewhere" / "strategies"
    )


@pytest.fixture
def archive(settings: Settings, tmp_path: Path) -> Path:
    return back_up(settings, tmp_path / "b.tar.gz", print)


def test_what_is_restored_is_what_was_backed_up_and_nothing_of_what_ran(
    settings: Settings, elsewhere: Settings, archive: Path
) -> None:
    said: Said = []
    restore(elsewhere, archive, False, said.append)
    for scope in ("server", "host", ACCOUNT):
        store = open_store(elsewhere, scope)
        assert store.setting("scope", "of") == scope
        store.close()
    state = State(elsewhere.data_dir / "counter" / "counter.db")
    assert state.get("clock", "") == "now"
    state.close()
    assert (elsewhere.data_dir / "secret.key").read_bytes() == b"k" * 64
    assert (elsewhere.data_dir / "accounts" / ACCOUNT / "strategies" / "双均线" / "strategy.log").exists()
    assert (elsewhere.strategies_dir / "双均线.py").read_text("utf-8") == "# one"
    assert (elsewhere.strategies_dir / ACCOUNT / "双均线.py").read_text("utf-8") == "# my own"
    assert not (elsewhere.data_dir / "logs").exists()
    assert not (elsewhere.data_dir / "run" / "host.sock").exists()
    assert data_dir.version_of(elsewhere.data_dir) == data_dir.VERSION
    data_dir.prepare(elsewhere.data_dir)
    assert re.fullmatch(r"已恢复到 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00 的备份", said[-1])
    with tarfile.open(archive) as members:
        names = members.getnames()
    assert names.index("data/counter/counter.db") > names.index(
        f"data/accounts/{ACCOUNT}/account.db"
    )  # the truth is the newest


def test_the_archive_is_its_owners_alone_and_a_directory_gets_a_new_one_each_time(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    made = back_up(settings, folder, print)
    assert made.parent == folder
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [made.name]  # nothing half done beside it


def test_a_backup_of_what_is_being_written_is_sound_and_holds_the_writers_up_not_at_all(
    settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    store = open_store(settings, ACCOUNT)
    state = State(settings.data_dir / "counter" / "counter.db")
    written, stopped = [0], threading.Event()

    def write() -> None:
        while not stopped.is_set():
            store.put_settings("pairs", {"a": written[0], "b": written[0]})
            with state.transaction():
                state.put("count", written[0])
            written[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        eventually(lambda: written[0] > 5, "it writes")
        before = written[0]
        archive = back_up(settings, tmp_path / "b.tar.gz", print)
        eventually(lambda: written[0] > before + 5, "it goes on")
    finally:
        stopped.set()
        writer.join()
        store.close()
        state.close()
    restore(elsewhere, archive, False, lambda _: None)
    copy = open_store(elsewhere, ACCOUNT)
    pairs = copy.settings("pairs")
    copy.close()
    counter = State(elsewhere.data_dir / "counter" / "counter.db")
    assert pairs["a"] == pairs["b"] >= before - 1  # whole transactions, none from before the backup began
    assert counter.get("count", 0) >= pairs["a"] - 1
    counter.close()


@pytest.fixture
def running(settings: Settings) -> Iterator[None]:
    registry = Registry(settings.data_dir)
    registry.register(name="gateway-x", kind="gateway")
    yield
    registry.unregister("gateway-x")


@pytest.mark.usefixtures("running")
def test_nothing_is_restored_under_what_runs(settings: Settings, archive: Path) -> None:
    with pytest.raises(StillRunning, match="gateway-x"):
        restore(settings, archive, True, lambda _: None)
    assert (settings.data_dir / "secret.key").exists()


def test_nothing_is_restored_under_a_web_of_uwsgi_which_only_its_lock_tells_of(
    settings: Settings, archive: Path
) -> None:
    claim = Lock(settings.data_dir, "web-3")
    with pytest.raises(StillRunning, match="web-3"):
        restore(settings, archive, True, lambda _: None)
    claim.close()
    restore(settings, archive, True, lambda _: None)


def test_what_is_there_is_kept_aside_and_only_when_asked_for(settings: Settings, archive: Path) -> None:
    (settings.data_dir / "secret.key").write_bytes(b"n" * 64)
    (settings.strategies_dir / "双均线.py").write_text("# two", "utf-8")
    with pytest.raises(SettingsError, match="--replace"):
        restore(settings, archive, False, lambda _: None)
    restore(settings, archive, True, lambda _: None)
    assert (settings.data_dir / "secret.key").read_bytes() == b"k" * 64
    (aside,) = settings.data_dir.glob("before-*")
    assert (aside / "secret.key").read_bytes() == b"n" * 64
    assert (settings.strategies_dir / "双均线.py").read_text("utf-8") == "# one"
    (kept,) = settings.strategies_dir.glob("双均线.py.before-*")
    assert kept.read_text("utf-8") == "# two"


def _with_manifest(archive: Path, **changes: object) -> None:
    with tarfile.open(archive) as whole:
        members = [
            (entry, file.read() if (file := whole.extractfile(entry)) is not None else b"") for entry in whole
        ]
    manifest = msgspec.structs.replace(msgspec.json.decode(members[0][1], type=Manifest), **changes)
    with tarfile.open(archive, "w:gz") as changed:
        for number, (entry, data) in enumerate(members):
            data = data if number else msgspec.json.encode(manifest)
            entry.size = len(data)
            changed.addfile(entry, io.BytesIO(data))


def _break(archive: Path, how: str) -> None:
    data = archive.read_bytes()
    match how:
        case "cut":
            archive.write_bytes(data[: len(data) // 2])
        case "empty":
            archive.write_bytes(b"")
        case "no archive":
            archive.write_bytes(b"something else" * 100)
        case "foreign":
            archive.write_bytes(gzip.compress(b"\0" * 10240))
        case "changed":
            _with_manifest(archive, files={"data/secret.key": "0" * 64})
        case "newer":
            _with_manifest(archive, version=data_dir.VERSION + 1)
        case "absent":
            archive.unlink()


@pytest.mark.parametrize("how", ["cut", "empty", "no archive", "foreign", "changed", "newer", "absent"])
def test_a_backup_that_is_not_whole_changes_nothing(settings: Settings, archive: Path, how: str) -> None:
    _break(archive, how)
    (settings.data_dir / "secret.key").write_bytes(b"n" * 64)
    with pytest.raises(BadBackup):
        restore(settings, archive, True, lambda _: None)
    assert (settings.data_dir / "secret.key").read_bytes() == b"n" * 64
    assert not list(settings.data_dir.glob(".restoring-*"))
    assert not list(settings.data_dir.glob("before-*"))


def test_a_member_that_would_leave_the_directory_is_not_taken_out(
    settings: Settings, elsewhere: Settings, archive: Path
) -> None:
    with tarfile.open(archive) as whole:
        (key,) = [
            data.read()
            for entry in whole
            if entry.name == "data/secret.key" and (data := whole.extractfile(entry))
        ]
    with tarfile.open(archive, "w:gz") as crafted:
        manifest = Manifest(
            format=1, version=1, created="", files={"../../evil": hashlib.sha256(key).hexdigest()}
        )
        for name, data in (("manifest.json", msgspec.json.encode(manifest)), ("../../evil", key)):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            crafted.addfile(entry, io.BytesIO(data))
    with pytest.raises(BadBackup):
        restore(elsewhere, archive, False, lambda _: None)
    assert not (elsewhere.data_dir.parent.parent / "evil").exists()
    assert not (elsewhere.data_dir.parent / "evil").exists()


def _entry(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.type, entry.size, entry.linkname = (
        kind,
        len(data),
        "data/secret.key" if kind == tarfile.LNKTYPE else "/etc/passwd",
    )
    return entry, data


@pytest.mark.parametrize(
    "hostile",
    [
        _entry("data/secret.key", kind=tarfile.SYMTYPE),
        _entry("data/x", kind=tarfile.LNKTYPE),
        _entry("data/pipe", kind=tarfile.FIFOTYPE),
        _entry("data/locks/x", b"x"),
        _entry("data/run/x", b"x"),
        _entry("data/before-1/x", b"x"),
        _entry("data/../x", b"x"),
        _entry("data//x", b"x"),
        _entry("strategies/sub/sub/x.py", b"x"),
        _entry("strategies/.sub/x.py", b"x"),
        _entry("strategies/x.so", b"x"),
        _entry("strategies/x.py", b"x" * (256 * 1024 + 1)),
    ],
    ids=lambda hostile: f"{hostile[0].name}-{hostile[0].type.decode()}",
)
def test_a_crafted_archive_changes_nothing(
    settings: Settings, archive: Path, hostile: tuple[tarfile.TarInfo, bytes]
) -> None:
    """Each was in part put in place, or an exception of tarfile's."""

    def everything() -> dict[Path, bytes]:
        return {
            path: path.read_bytes()
            for path in settings.data_dir.rglob("*")
            if path.is_file() and "locks" not in path.parts
        }

    before = everything()
    entry, data = hostile
    key = b"k" * 64
    files = {"data/secret.key": hashlib.sha256(key).hexdigest(), entry.name: hashlib.sha256(data).hexdigest()}
    members = [
        _entry("manifest.json", msgspec.json.encode(Manifest(format=1, version=1, created="", files=files))),
        hostile,
    ]
    if entry.name != "data/secret.key":
        members.append(_entry("data/secret.key", key))
    with tarfile.open(archive, "w:gz") as crafted:
        for member, content in members:
            crafted.addfile(member, io.BytesIO(content))
    with pytest.raises(BadBackup):
        restore(settings, archive, True, lambda _: None)
    assert everything() == before


def test_a_manifest_of_megabytes_is_not_read(settings: Settings, archive: Path) -> None:
    with tarfile.open(archive, "w:gz") as crafted:
        entry, data = _entry("manifest.json", b" " * (5 * 1024 * 1024))
        crafted.addfile(entry, io.BytesIO(data))
    with pytest.raises(BadBackup, match="不是本程序的备份"):
        restore(settings, archive, True, lambda _: None)


@pytest.mark.timeout(60)
def test_a_backup_takes_plain_files_of_the_owner_alone_and_says_what_it_left(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe held it up for ever, a link to a device filled the disk, a link to another's file was copied."""
    (tmp_path / "another's").write_text("secret")
    strategies, running = settings.strategies_dir, settings.data_dir / "accounts" / ACCOUNT / "strategies"
    links = {
        strategies / "loop.py": strategies / "loop.py",
        strategies / "dangling.py": tmp_path / "none",
        strategies / "zero.py": Path("/dev/zero"),
        strategies / "link.py": tmp_path / "another's",
        strategies / "sim-9999-link": tmp_path,
        settings.data_dir / "accounts" / "elsewhere": tmp_path,
    }
    for path, target in links.items():
        path.symlink_to(target)
    pipes = [strategies / "pipe.py", running / "pipe"]
    for path in pipes:
        os.mkfifo(path)
    (strategies / "folder.py").mkdir()
    (strategies / "long.py").write_text("#" * (256 * 1024 + 1))
    monkeypatch.chdir(running)  # a socket's path has a limit
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    said: Said = []
    made = back_up(settings, tmp_path / "b.tar.gz", said.append)
    left = [*links, *pipes, strategies / "folder.py", strategies / "long.py", running / "socket"]
    assert sorted(line.partition(" 没有备份")[0] for line in said) == sorted(map(str, left))
    with tarfile.open(made) as members:
        assert {entry.name for entry in members if entry.name.startswith("strategies/")} == {
            "strategies/双均线.py",
            f"strategies/{ACCOUNT}/双均线.py",
        }


def test_what_is_no_data_directory_is_not_backed_up(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        back_up(Settings(data_dir=tmp_path), tmp_path / "b.tar.gz", print)


def test_a_place_that_cannot_be_written_is_said_and_nothing_is_left_there(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="file"):
        back_up(settings, tmp_path / "file" / "b.tar.gz", print)


@pytest.mark.parametrize(("number", "said"), [(errno.ENOSPC, "磁盘已满"), (errno.EACCES, "没有写的权限")])
def test_a_backup_that_the_system_breaks_off_says_why_and_leaves_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def refuse(_file: int) -> None:
        raise OSError(number, "refused")

    folder = tmp_path / "backups"
    folder.mkdir()
    monkeypatch.setattr("app.commands.backup.os.fsync", refuse)
    with pytest.raises(CannotWrite, match=said):
        back_up(settings, folder, print)
    assert list(folder.iterdir()) == []


def test_a_data_directory_that_cannot_be_restored_to_is_said(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="file"):
        restore(Settings(data_dir=tmp_path / "file" / "data"), archive, False, lambda _: None)


def test_a_backup_does_not_go_where_the_next_one_would_take_it_in(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="之外"):
        back_up(settings, settings.data_dir / "b.tar.gz", print)
