"""A file is there whole or not at all, is its owner's alone, and a locked one has one holder."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from app import files


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("write", [files.write_whole, files.make_once])
def test_a_file_is_the_owners_alone_and_its_folder_is_made(tmp_path: Path, write: object) -> None:
    path = tmp_path / "run" / "key"
    before = os.umask(0)
    try:
        write(path, b"content")  # type: ignore[operator]
    finally:
        os.umask(before)
    assert path.read_bytes() == b"content"
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert os.listdir(path.parent) == ["key"]


def test_what_cannot_be_written_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "settings"
    files.write_whole(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["settings"]


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "path"
    victim.write_bytes(b"another's")
    path.symlink_to(victim)
    files.write_whole(path, b"new")
    assert victim.read_bytes() == b"another's"
    assert not path.is_symlink()


def test_of_many_who_make_it_at_once_one_does_and_all_find_the_same(tmp_path: Path) -> None:
    path, start = tmp_path / "key", threading.Barrier(8)
    found = []

    def make(number: int) -> None:
        start.wait()
        files.make_once(path, bytes([number]) * 32)
        found.append(path.read_bytes())

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert os.listdir(tmp_path) == ["key"]


@pytest.mark.skipif(not files.CAN_LOCK, reason="files cannot be locked here")
def test_a_locked_file_has_one_holder_until_the_last_copy_of_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = files.locked(path)
    assert held is not None
    assert files.locked(path) is None
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[held.fileno()]
    )
    held.close()
    assert files.locked(path) is None, "the child holds it"
    child.communicate(b"\n")
    again = files.locked(path)
    assert again is not None
    again.close()
    assert mode(path) == 0o600
