"""Strategies as files with versions: nothing that was ever run is lost, and no name or link leads out of the
folder.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.host import strategy_files
from app.host.strategy_files import StrategyFiles
from app.lib.calendar import SHANGHAI
from app.lib.errors import AppError, BadInput, NotFound
from app.lib.strategy_lib import MAX_BYTES, BadCode
from app.model.sqlite import SqliteStore

MINE, OTHER = "sim-9999-demo", "sim-9999-other"
BEGIN = datetime(2025, 6, 5, 10, 0, tzinfo=SHANGHAI)


def code(name: str, remark: str = "") -> str:
    return (
        f'from ctpbee import CtpbeeApi\n# {remark}\nclass Mine(CtpbeeApi):\n    pass\next = Mine("{name}")\n'
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "策略"


@pytest.fixture
def own(folder: Path) -> Path:
    return folder / MINE


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "host.db")
    yield opened
    opened.close()


@pytest.fixture
def files(store: SqliteStore, folder: Path) -> StrategyFiles:
    moments = iter(BEGIN + timedelta(minutes=n) for n in range(1000))
    return StrategyFiles(folder, store, most=3, now=lambda: next(moments))


def put(folder: Path, name: str, content: str | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def problem(files: StrategyFiles, name: str) -> str:
    return next(file.problem for file in files.listed(MINE) if file.name == name)


def test_without_a_folder_there_are_none(files: StrategyFiles) -> None:
    assert files.listed(MINE) == []
    with pytest.raises(NotFound):
        files.find(MINE, "均线")


def test_each_save_is_a_version_and_the_same_text_again_is_none(files: StrategyFiles, own: Path) -> None:
    for remark in ("one", "two", "two"):
        files.save(MINE, code("均线", remark))
    assert [(version.version, version.time, version.source) for version in files.versions(MINE, "均线")] == [
        (1, "2025-06-05 10:00:00", "保存"),
        (2, "2025-06-05 10:01:00", "保存"),
    ]
    assert files.source(MINE, "均线", 1) == code("均线", "one")
    assert files.source(MINE, "均线") == code("均线", "two") == (own / "均线.py").read_text("utf-8")
    with pytest.raises(NotFound):
        files.source(MINE, "均线", 3)


def test_what_is_saved_stands_in_the_file_to_the_byte(files: StrategyFiles, own: Path) -> None:
    text = code("均线", "行尾").replace("\n", "\r\n")
    files.save(MINE, text)
    assert (own / "均线.py").read_bytes() == text.encode()
    assert files.source(MINE, "均线") == text
    assert [path.name for path in own.iterdir()] == ["均线.py"]  # no half file beside it


def test_a_bad_text_changes_nothing(files: StrategyFiles) -> None:
    files.save(MINE, code("均线"))
    with pytest.raises(BadCode):
        files.save(MINE, code("均线") + "def (\n")
    assert files.source(MINE, "均线") == code("均线")
    assert len(files.versions(MINE, "均线")) == 1


def test_a_file_that_was_edited_by_hand_is_kept_before_it_is_replaced(
    files: StrategyFiles, own: Path
) -> None:
    files.save(MINE, code("均线", "saved"))
    put(own, "均线.py", code("均线", "by hand"))
    assert files.source(MINE, "均线") == code("均线", "by hand")
    files.save(MINE, code("均线", "newer"))
    assert [version.source for version in files.versions(MINE, "均线")] == ["保存", "文件", "保存"]
    assert files.source(MINE, "均线", 2) == code("均线", "by hand")


def test_what_is_started_is_a_version_even_if_nobody_saved_it(files: StrategyFiles, folder: Path) -> None:
    put(folder, "均线.py", code("均线", "dropped in"))
    assert files.take(MINE, "均线").version == 1 == files.take(MINE, "均线").version
    put(folder, "均线.py", code("均线", "edited"))
    assert files.take(MINE, "均线").version == 2


def test_a_deletion_leaves_the_versions_and_their_numbers(files: StrategyFiles, own: Path) -> None:
    files.save(MINE, code("均线", "one"))
    put(own, "均线.py", code("均线", "by hand"))
    files.delete(MINE, "均线")
    with pytest.raises(NotFound):
        files.source(MINE, "均线")
    assert files.source(MINE, "均线", 2) == code("均线", "by hand")
    assert files.save(MINE, code("均线", "again"))[1].version == 3


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
        files.take(MINE, "均线")
    assert files.versions(MINE, "均线") == []
    files.save(MINE, code("均线"))  # it can be replaced
    assert problem(files, "均线") == ""


def test_a_file_with_an_unsafe_name_is_listed_with_the_reason(files: StrategyFiles, folder: Path) -> None:
    put(folder, "my strategy.py", code("均线"))
    put(folder, "class.py", code("均线"))
    folder.joinpath(os.fsdecode(b"\xff.py")).write_text("x")
    assert all("文件名不能作为策略名" in file.problem for file in files.listed(MINE))
    assert len(files.listed(MINE)) == 3
    with pytest.raises(NotFound):
        files.find(MINE, "my strategy")


def test_what_is_no_strategy_file_is_left_out(files: StrategyFiles, folder: Path) -> None:
    for name in ("README.md", "__init__.py", ".均线.py.12.tmp", ".hidden.py"):
        put(folder, name, "x")
    assert files.listed(MINE) == []


@pytest.mark.parametrize(
    "name", ["../均线", "/etc/passwd", "a\x00b", "x" * 300, "", "class", ".", "a.b", "__init__"]
)
def test_an_unsafe_name_is_never_a_path(files: StrategyFiles, folder: Path, name: str) -> None:
    put(folder, "均线.py", code("均线"))
    for act in (files.find, files.source, files.take, files.delete):
        with pytest.raises(NotFound):
            act(MINE, name)
    with pytest.raises(NotFound):
        files.source(MINE, name, 1)


def test_a_link_out_of_the_folder_is_refused(files: StrategyFiles, folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.key"
    secret.write_text(code("均线"), "utf-8")
    folder.mkdir()
    (folder / "均线.py").symlink_to(secret)
    assert "不能指向目录之外" in problem(files, "均线")
    with pytest.raises(BadInput):
        files.source(MINE, "均线")
    with pytest.raises(AppError):
        files.take(MINE, "均线")
    files.save(MINE, code("均线", "mine"))  # takes the link's place, not its target's
    assert secret.read_text("utf-8") == code("均线")
    assert files.source(MINE, "均线") == code("均线", "mine")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_refused_without_waiting(files: StrategyFiles, folder: Path, make: object) -> None:
    folder.mkdir()
    make(folder / "均线.py")  # type: ignore[operator]
    assert "普通文件" in problem(files, "均线")


def test_a_folder_that_is_called_like_a_strategy_is_not_deleted_and_that_is_said(
    files: StrategyFiles, own: Path
) -> None:
    (own / "均线.py").mkdir(parents=True)
    with pytest.raises(BadInput, match="不能删除"):
        files.delete(MINE, "均线")
    with pytest.raises(AppError, match="策略文件无法写入"):
        files.save(MINE, code("均线"))


def test_a_link_that_leads_to_itself_keeps_nobody_from_the_rest(files: StrategyFiles, folder: Path) -> None:
    files.save(MINE, code("均线"))
    (folder / "绕.py").symlink_to("绕.py")
    assert "链接" in problem(files, "绕")
    assert problem(files, "均线") == ""
    files.delete(MINE, "绕")
    assert [file.name for file in files.listed(MINE)] == ["均线"]


# ── whose they are ──


def test_what_an_account_saves_no_other_sees_or_overwrites(files: StrategyFiles) -> None:
    files.save(MINE, code("均线", "mine"))
    assert files.listed(OTHER) == []
    assert files.versions(OTHER, "均线") == []
    for version in (0, 1):
        with pytest.raises(NotFound):
            files.source(OTHER, "均线", version)
    with pytest.raises(NotFound):
        files.delete(OTHER, "均线")
    assert files.save(OTHER, code("均线", "theirs"))[1].version == 1
    assert files.source(MINE, "均线") == code("均线", "mine")
    assert files.source(MINE, "均线", 1) == code("均线", "mine")
    files.delete(OTHER, "均线")
    assert [file.name for file in files.listed(MINE)] == ["均线"]


def test_a_shared_file_is_everybodys_until_an_account_has_one_of_its_own(
    files: StrategyFiles, folder: Path
) -> None:
    shared = put(folder, "均线.py", code("均线", "example"))
    assert (
        [(file.name, file.shared) for file in files.listed(MINE)]
        == [("均线", True)]
        == [(file.name, file.shared) for file in files.listed(OTHER)]
    )
    assert files.take(MINE, "均线").version == 1
    assert files.versions(OTHER, "均线") == []
    files.save(MINE, code("均线", "mine"))
    assert [(file.name, file.shared) for file in files.listed(MINE)] == [("均线", False)]
    assert files.source(OTHER, "均线") == code("均线", "example") == shared.read_text("utf-8")
    files.delete(MINE, "均线")
    assert files.find(MINE, "均线").shared
    assert files.source(MINE, "均线", 2) == code("均线", "mine")


def test_versions_of_the_time_of_one_folder_stay_those_of_who_used_them(
    files: StrategyFiles, folder: Path, store: SqliteStore
) -> None:
    texts = [code("均线", "one"), code("均线", "two")]
    rows = [
        {
            "version": n,
            "sha": hashlib.sha256(text.encode()).hexdigest(),
            "time": f"2025-06-04 10:0{n}:00",
            "source": "保存",
        }
        for n, text in enumerate(texts, 1)
    ]
    store.put_setting("code", "均线", rows)
    for number, text in enumerate(texts, 1):
        store.put_setting("code:均线", str(number), text)
    path = put(folder, "均线.py", texts[1])
    assert [version.version for version in files.versions(OTHER, "均线")] == [
        1,
        2,
    ]  # as shared as the file is
    assert files.source(MINE, "均线", 1) == texts[0]
    assert files.take(MINE, "均线").version == 2
    assert files.save(MINE, code("均线", "three"))[1].version == 3
    path.unlink()
    assert files.source(MINE, "均线", 1) == texts[0]
    assert files.versions(OTHER, "均线") == []  # it never used it
    files.go_on(OTHER, "均线")  # it did
    assert files.source(OTHER, "均线", 2) == texts[1]
    with pytest.raises(NotFound):
        files.source(OTHER, "均线", 3)


# ── how many ──


def test_an_account_has_so_many_strategies_and_no_more(files: StrategyFiles) -> None:
    for name in ("甲", "乙", "丙"):
        files.save(MINE, code(name))
    with pytest.raises(BadInput, match="至多 3 个") as refused:
        files.save(MINE, code("丁"))
    assert refused.value.code == "TOO_MANY_STRATEGIES"
    assert files.versions(MINE, "丁") == []
    files.save(MINE, code("甲", "a new version of what is there"))
    files.save(OTHER, code("丁"))  # others are not concerned
    files.delete(MINE, "丙")
    files.save(MINE, code("丁"))


def test_the_oldest_versions_go_but_for_those_that_run(
    store: SqliteStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy_files, "MOST_VERSIONS", 3)
    files = StrategyFiles(
        folder, store, in_use=lambda account, name: {2} if (account, name) == (MINE, "均线") else set()
    )
    for number in range(1, 7):
        files.save(MINE, code("均线", str(number)))
    assert [version.version for version in files.versions(MINE, "均线")] == [2, 4, 5, 6]
    assert files.source(MINE, "均线", 2) == code("均线", "2")
    with pytest.raises(NotFound):
        files.source(MINE, "均线", 3)
    assert sorted(store.settings(f"code/{MINE}/均线")) == ["2", "4", "5", "6"]
    assert files.save(MINE, code("均线", "7"))[1].version == 7


def test_all_versions_of_an_account_together_have_a_bound(
    store: SqliteStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy_files, "MOST_KEPT", 4000)
    moments = iter(BEGIN + timedelta(minutes=n) for n in range(1000))
    files = StrategyFiles(folder, store, now=lambda: next(moments))
    files.save(MINE, code("先", "x" * 500))
    for number in range(20):  # made, and deleted again: their versions are what would grow for ever
        files.save(MINE, code(f"弃{number}", "x" * 500))
        files.delete(MINE, f"弃{number}")
    for number in range(10):
        files.save(MINE, code("后", f"{number}" * 500))
    kept = [
        text
        for scope in ("先", "后", *(f"弃{number}" for number in range(20)))
        for text in store.settings(f"code/{MINE}/{scope}").values()
    ]
    assert 2000 < sum(len(text.encode()) for text in kept) <= 4000
    assert len(kept) == sum(map(len, store.settings(f"code/{MINE}").values()))
    assert files.source(MINE, "先", 1) == code("先", "x" * 500)  # the only one of a file that is there
    assert files.source(MINE, "后", 10) == code("后", "9" * 500)


def test_a_folder_that_cannot_be_written_is_said(files: StrategyFiles, folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    with pytest.raises(AppError, match="策略文件无法写入"):
        files.save(MINE, code("均线"))
