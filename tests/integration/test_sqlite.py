"""What only the embedded store has to keep: its files."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil
import pytest

from app.model.sqlite import SqliteStore


@pytest.mark.skipif(not psutil.POSIX, reason="counts file descriptors")
def test_readers_that_come_and_go_leave_no_open_files(tmp_path: Path) -> None:
    """Under eventlet every request is a thread of its own: one connection for each would use up the descriptors."""
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
