"""A data directory is found fit for use, brought up to date, or refused with the reason."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from app import data_dir
from app.data_dir import VERSION
from app.lib.errors import SettingsError


def test_a_new_directory_is_its_owners_and_has_a_version(tmp_path: Path) -> None:
    data_dir.prepare(tmp_path / "数据" / "dir")
    assert data_dir.version_of(tmp_path / "数据" / "dir") == VERSION
    assert stat.S_IMODE((tmp_path / "数据" / "dir").stat().st_mode) == 0o700


def test_one_that_was_made_beforehand_is_closed_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    data_dir.prepare(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_one_of_somebody_else_that_is_open_to_all_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path, _mode: int) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refuse)
    data_dir.prepare(tmp_path / "closed")
    os.chmod(tmp_path, 0o755)
    with pytest.raises(SettingsError, match="0755.*chmod 700"):
        data_dir.prepare(tmp_path)


def test_one_from_before_there_were_versions_is_brought_up_to_date(tmp_path: Path) -> None:
    (tmp_path / "server.db").write_bytes(b"")
    assert data_dir.version_of(tmp_path) == 0
    data_dir.prepare(tmp_path)
    assert data_dir.version_of(tmp_path) == VERSION
    assert sorted(path.name for path in tmp_path.iterdir()) == ["server.db", "version"]


def test_the_steps_from_its_version_on_are_taken_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    monkeypatch.setattr(
        data_dir, "MIGRATIONS", (lambda _: taken.append("0 to 1"), lambda _: taken.append("1 to 2"))
    )
    monkeypatch.setattr(data_dir, "VERSION", 2)
    (tmp_path / "version").write_text("1\n")
    data_dir.prepare(tmp_path)
    assert taken == ["1 to 2"]
    assert data_dir.version_of(tmp_path) == 2


def test_one_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "version").write_text(f"{VERSION + 1}\n")
    with pytest.raises(SettingsError, match="更新的程序"):
        data_dir.prepare(tmp_path)
    assert (tmp_path / "version").read_text() == f"{VERSION + 1}\n"


@pytest.mark.parametrize("left", [b"", b"\0\0\0", "一".encode(), b"1.5", b"-1"])
def test_a_version_that_a_power_cut_left_half_written_is_said(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "version").write_bytes(left)
    with pytest.raises(SettingsError, match="已损坏"):
        data_dir.prepare(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root may write everywhere")
def test_one_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SettingsError, match="没有写的权限"):
        data_dir.prepare(tmp_path)
    tmp_path.chmod(0o700)


def test_a_file_where_the_directory_should_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(SettingsError, match="不能用"):
        data_dir.prepare(tmp_path / "data")


def test_accounts_are_the_folders_that_have_been_made_for_them(tmp_path: Path) -> None:
    assert data_dir.accounts(tmp_path) == []
    for account in ("sim-9999-b", "ctp-9999-a"):
        data_dir.strategy_folder(tmp_path, account, "均线").mkdir(parents=True)
    (data_dir.account_folder(tmp_path, "sim-9999-b").parent / "a file").touch()
    assert data_dir.accounts(tmp_path) == ["ctp-9999-a", "sim-9999-b"]
