"""What only the embedded store has to keep: its files."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from app.model.sqlite import LOCK_TIMEOUT, SqliteStore, StoreBroken
from app.model.store import Intent, StoreFailed
from app.settings import Settings

try:
    import resource
except ImportError:  # not POSIX
    resource = None  # type: ignore[assignment]


@pytest.mark.skipif(not psutil.POSIX, reason="counts file descriptors")
def test_readers_that_come_and_go_leave_no_open_files(tmp_path: Path) -> None:
    """Under eventlet every request is a thread of its own: one connection for each would use up the
    descriptors.
    """
    store = SqliteStore(tmp_path / "store.db")
    store.put_setting("scope", "key", 1)
    before = psutil.Process().num_fds()
    seen: list[int] = []
    for _ in range(50):
        thread = threading.Thread(target=lambda: seen.append(store.setting("scope", "key")))
        thread.start()
        thread.join()
    assert seen == [1] * 50
    assert psutil.Process().num_fds() - before < 10
    store.close()


def test_readers_at_one_moment_do_not_share_a_connection(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    store.put_settings("scope", {f"key-{number}": number for number in range(200)})
    failed: list[BaseException] = []

    def read() -> None:
        try:
            for number in range(200):
                assert store.setting("scope", f"key-{number}") == number
        except BaseException as error:  # told in the main thread
            failed.append(error)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    store.close()


def test_an_order_learns_that_the_file_is_locked_before_its_caller_gives_up(tmp_path: Path) -> None:
    """Else the caller hears that it may have been sent, and it may be, seconds later. The journal's own write
    may go before it.
    """
    assert Settings().order_timeout > 2 * LOCK_TIMEOUT
    store = SqliteStore(tmp_path / "store.db")
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFailed):
        store.write_intent(Intent("1_2_3", "", "20241202", "2024-12-02T10:00:00", {}))
    other.execute("ROLLBACK")
    other.close()
    store.write_intent(Intent("1_2_3", "", "20241202", "2024-12-02T10:00:00", {}))
    store.close()


@contextmanager
def a_full_disk(*paths: Path) -> Iterator[None]:
    """No file of this process can grow beyond what the largest of these has now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(path.stat().st_size for path in paths), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.skipif(resource is None, reason="limits the size of files")
def test_after_a_full_disk_the_store_writes_again(tmp_path: Path) -> None:
    """A transaction that could not be committed must not stay open: every later order would be refused."""
    store = SqliteStore(tmp_path / "store.db")
    intent = Intent("1_2_3", "mine", "20241202", "2024-12-02T10:00:00", {})
    with a_full_disk(tmp_path / "store.db", tmp_path / "store.db-wal"), pytest.raises(StoreFailed):
        store.write_intent(intent)
    assert store.intents("20241202") == []
    store.write_intent(intent)
    assert store.intents("20241202") == [intent]
    store.close()


def filled(path: Path, count: int) -> None:
    """A store as a power cut leaves it: its newest rows stand in the write-ahead log alone."""
    store = SqliteStore(path)
    for number in range(count):
        store.put_setting("scope", f"key-{number:03}", number)
    kept = {name: Path(f"{path}{name}").read_bytes() for name in ("", "-wal")}
    store.close()
    for name, data in kept.items():
        Path(f"{path}{name}").write_bytes(data)


@pytest.mark.parametrize("lost", [1, 100, 4096, 5000])
def test_a_write_ahead_log_whose_tail_is_torn_costs_the_last_rows_alone(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "store.db"
    filled(path, 50)
    wal = Path(f"{path}-wal")
    wal.write_bytes(wal.read_bytes()[:-lost] + b"\0" * (lost // 2))
    store = SqliteStore(path)
    keys = list(store.settings("scope"))
    assert keys == [f"key-{number:03}" for number in range(len(keys))]
    assert 46 <= len(keys) < 50
    store.put_setting("scope", "after", 1)
    store.close()


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"\0" * 5000)
    with pytest.raises(StoreBroken, match="restore"):
        SqliteStore(tmp_path / "store.db")
    (tmp_path / "other.db").write_bytes(b"half a page of something else entirely" * 40)
    with pytest.raises(StoreBroken, match="restore"):
        SqliteStore(tmp_path / "other.db")
