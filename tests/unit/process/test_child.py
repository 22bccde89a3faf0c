"""Who may be what of a data directory, and how processes are ended together."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.process.child import AlreadyRunning, Lock


def test_a_lock_has_one_holder_and_data_directories_do_not_meet(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "一", "host")
    with pytest.raises(AlreadyRunning, match="host"):
        Lock(tmp_path / "一", "host")
    Lock(tmp_path / "二", "host").close()
    Lock(tmp_path / "一", "web").close()
    lock.close()
    Lock(tmp_path / "一", "host").close()
