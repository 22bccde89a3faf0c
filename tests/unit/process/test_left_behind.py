"""What a strategy has written is measured in bounded time, and removed whatever it is."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from app.backtest.jobs.shelf import Shelf
from app.process import family, left_behind
from app.process.left_behind import Unmeasured, remove, size_of


def deep(folder: Path, levels: int) -> None:
    """Folders in each other, deeper than a path may be long and than functions may be nested."""
    at = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=at)
        inner = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)


def test_folders_in_each_other_without_end_are_removed_and_no_link_is_followed(tmp_path: Path) -> None:
    kept, folder = tmp_path / "kept", tmp_path / "left"
    kept.mkdir()
    (kept / "file").write_text("x")
    folder.mkdir()
    (folder / "link").symlink_to(kept)
    (folder / "closed").mkdir()
    (folder / "closed" / "moved-1").mkdir()
    (folder / "closed" / "other").mkdir()
    (folder / "moved-1").write_text("x")
    (folder / "closed").chmod(0)
    deep(folder, 2_500)
    remove(folder)
    assert not folder.exists()
    assert (kept / "file").read_text() == "x"
    remove(folder)  # and there is nothing


def test_the_next_process_of_backtests_starts_over_what_a_strategy_left(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    deep(shelf.work, 2_500)
    shelf.clean()
    assert list(shelf.work.iterdir()) == []
    shelf.close()


def test_what_is_written_is_measured_or_said_to_be_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(bytes(1_000_000))
    (tmp_path / "hole").touch()
    os.truncate(tmp_path / "hole", 10**9)
    assert 1_000_000 <= size_of(tmp_path) < 1_100_000
    monkeypatch.setattr(left_behind, "MOST_NAMES", 3)
    with pytest.raises(Unmeasured, match="多于 3 个"):
        size_of(tmp_path)
    monkeypatch.undo()
    deep(tmp_path / "a", left_behind.DEEPEST)
    with pytest.raises(Unmeasured, match="层以上"):
        size_of(tmp_path)


def test_files_that_no_folder_has_any_more_count_as_long_as_they_are_open(tmp_path: Path) -> None:
    before = family.unlinked([os.getpid()])
    with (tmp_path / "file").open("wb") as file, os.fdopen(os.memfd_create("memory"), "wb") as memory:
        file.write(bytes(1_000_000))
        file.flush()
        assert family.unlinked([os.getpid()]) == before
        (tmp_path / "file").unlink()
        twice = os.dup(file.fileno())
        assert family.unlinked([os.getpid()]) - before in range(1_000_000, 1_100_000)
        os.close(twice)
        memory.write(bytes(2_000_000))
        memory.flush()
        assert family.unlinked([os.getpid()]) - before in range(3_000_000, 3_200_000)
    assert family.unlinked([os.getpid(), 2**30]) == before


def test_shared_memory_counts_though_no_process_touches_it(tmp_path: Path) -> None:
    before = family.unlinked([os.getpid()])
    with mmap.mmap(-1, 2_000_000) as memory:
        memory.write(bytes(2_000_000))
        memory.madvise(mmap.MADV_DONTNEED)
        assert family.unlinked([os.getpid()]) - before in range(2_000_000, 2_100_000)
        path = tmp_path / "file"
        path.write_bytes(bytes(1_000_000))
        with path.open("r+b") as file:
            mapped = mmap.mmap(file.fileno(), 0)
        path.unlink()
        assert family.unlinked([os.getpid()]) - before in range(3_000_000, 3_200_000)
        mapped.close()
    assert family.unlinked([os.getpid()]) == before
