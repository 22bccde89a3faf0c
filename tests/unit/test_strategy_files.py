"""Strategies as files with versions: nothing that was ever run is lost, and no name or link leads out of the folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.gateway.host.strategy_files import StrategyFiles
from app.lib.calendar import SHANGHAI
from app.lib.errors import AppError, BadInput, NotFound
from app.lib.strategy_lib import MAX_BYTES, BadCode
from app.model.sqlite import SqliteStore

BEGIN = datetime(2025, 6, 5, 10, 0, tzinfo=SHANGHAI)


def code(name: str, remark: str = "") -> str:
    return f'from ctpbee import CtpbeeApi\n# {remark}\nclass Mine(CtpbeeApi):\n    pass\next = Mine("{name}")\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "策略"


@pytest.fixture
def files(tmp_path: Path, folder: Path) -> Iterator[StrategyFiles]:
    store = SqliteStore(tmp_path / "host.db")
    moments = iter(BEGIN + timedelta(minutes=n) for n in range(1000))
    yield StrategyFiles(folder, store, lambda: next(moments))
    store.close()


def put(folder: Path, name: str, content: str | bytes) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def problem(files: StrategyFiles, name: str) -> str:
    return next(file.problem for file in files.listed() if file.name == name)


def test_without_a_folder_there_are_none(files: StrategyFiles) -> None:
    assert files.listed() == []
    with pytest.raises(NotFound):
        files.find("均线")


def test_each_save_is_a_version_and_the_same_text_again_is_none(files: StrategyFiles, folder: Path) -> None:
    for remark in ("one", "two", "two"):
        files.save(code("均线", remark))
    assert [(version.version, version.time, version.source) for version in files.versions("均线")] == [
        (1, "2025-06-05 10:00:00", "保存"),
        (2, "2025-06-05 10:01:00", "保存"),
    ]
    assert files.source("均线", 1) == code("均线", "one")
    assert files.source("均线") == code("均线", "two") == (folder / "均线.py").read_text("utf-8")
    with pytest.raises(NotFound):
        files.source("均线", 3)


def test_what_is_saved_stands_in_the_file_to_the_byte(files: StrategyFiles, folder: Path) -> None:
    text = code("均线", "行尾").replace("\n", "\r\n")
    files.save(text)
    assert (folder / "均线.py").read_bytes() == text.encode()
    assert files.source("均线") == text
    assert [path.name for path in folder.iterdir()] == ["均线.py"]  # no half file beside it


def test_a_bad_text_changes_nothing(files: StrategyFiles) -> None:
    files.save(code("均线"))
    with pytest.raises(BadCode):
        files.save(code("均线") + "def (\n")
    assert files.source("均线") == code("均线") and len(files.versions("均线")) == 1


def test_a_file_that_was_edited_by_hand_is_kept_before_it_is_replaced(files: StrategyFiles, folder: Path) -> None:
    files.save(code("均线", "saved"))
    put(folder, "均线.py", code("均线", "by hand"))
    assert files.source("均线") == code("均线", "by hand")
    files.save(code("均线", "newer"))
    assert [version.source for version in files.versions("均线")] == ["保存", "文件", "保存"]
    assert files.source("均线", 2) == code("均线", "by hand")


def test_what_is_started_is_a_version_even_if_nobody_saved_it(files: StrategyFiles, folder: Path) -> None:
    put(folder, "均线.py", code("均线", "dropped in"))
    assert files.take("均线").version == 1 == files.take("均线").version
    put(folder, "均线.py", code("均线", "edited"))
    assert files.take("均线").version == 2


def test_a_deletion_leaves_the_versions_and_their_numbers(files: StrategyFiles, folder: Path) -> None:
    files.save(code("均线", "one"))
    put(folder, "均线.py", code("均线", "by hand"))
    files.delete("均线")
    with pytest.raises(NotFound):
        files.source("均线")
    assert files.source("均线", 2) == code("均线", "by hand")
    assert files.save(code("均线", "again"))[1].version == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe\x00", "不是 UTF-8"),
        (b"def (", "语法错误"),
        (b"x = 1\n", "没有绑定 ext"),
        (code("另一个"), "文件名应为 另一个.py"),
        (b"#" * (MAX_BYTES + 1), "代码过长"),
    ],
)
def test_a_broken_file_is_listed_with_the_reason_and_cannot_be_started(
    files: StrategyFiles, folder: Path, content: str | bytes, reason: str
) -> None:
    put(folder, "均线.py", content)
    assert reason in problem(files, "均线")
    with pytest.raises(BadCode, match=reason):
        files.take("均线")
    assert files.versions("均线") == []
    files.save(code("均线"))  # it can be replaced
    assert problem(files, "均线") == ""


def test_a_file_with_an_unsafe_name_is_listed_with_the_reason(files: StrategyFiles, folder: Path) -> None:
    put(folder, "my strategy.py", code("均线"))
    put(folder, "class.py", code("均线"))
    folder.joinpath(os.fsdecode(b"\xff.py")).write_text("x")
    assert all("文件名不能作为策略名" in file.problem for file in files.listed()) and len(files.listed()) == 3
    with pytest.raises(NotFound):
        files.find("my strategy")


def test_what_is_no_strategy_file_is_left_out(files: StrategyFiles, folder: Path) -> None:
    for name in ("README.md", "__init__.py", ".均线.py.12.tmp", ".hidden.py"):
        put(folder, name, "x")
    assert files.listed() == []


@pytest.mark.parametrize("name", ["../均线", "/etc/passwd", "a\x00b", "x" * 300, "", "class", ".", "a.b"])
def test_an_unsafe_name_is_never_a_path(files: StrategyFiles, folder: Path, name: str) -> None:
    put(folder, "均线.py", code("均线"))
    for act in (files.find, files.source, files.take, files.delete):
        with pytest.raises(NotFound):
            act(name)
    with pytest.raises(NotFound):
        files.source(name, 1)


def test_a_link_out_of_the_folder_is_refused(files: StrategyFiles, folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.key"
    secret.write_text(code("均线"), "utf-8")
    folder.mkdir()
    (folder / "均线.py").symlink_to(secret)
    assert "不能指向目录之外" in problem(files, "均线")
    with pytest.raises(BadInput):
        files.source("均线")
    with pytest.raises(AppError):
        files.take("均线")
    files.save(code("均线", "mine"))  # takes the link's place, not its target's
    assert secret.read_text("utf-8") == code("均线") and files.source("均线") == code("均线", "mine")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_refused_without_waiting(files: StrategyFiles, folder: Path, make: object) -> None:
    folder.mkdir()
    make(folder / "均线.py")  # type: ignore[operator]
    assert "普通文件" in problem(files, "均线")


def test_a_folder_that_cannot_be_written_is_said(files: StrategyFiles, folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    with pytest.raises(AppError, match="策略文件无法写入"):
        files.save(code("均线"))
