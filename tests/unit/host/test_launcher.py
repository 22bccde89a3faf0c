"""The host's children: none is started once the host is ending."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.host.launcher import Launcher
from app.lib.errors import GatewayDown
from app.process.child import AlreadyRunning, Lock
from app.settings import Settings


def test_a_child_holds_its_name_as_long_as_it_lives(tmp_path: Path) -> None:
    launch = Launcher(Settings.load(environment={}, data_dir=tmp_path))
    child = launch("cat", ["sleep", "60"])
    try:
        with pytest.raises(AlreadyRunning):
            launch("cat", ["true"])
    finally:
        child.kill()
    assert child.wait(30.0)
    Lock(tmp_path, "cat").close()


def test_none_is_started_once_the_host_is_ending(tmp_path: Path) -> None:
    launch = Launcher(Settings.load(environment={}, data_dir=tmp_path))
    launch.stop()
    with pytest.raises(GatewayDown, match="正在停止"):
        launch("cat", ["true"])
    assert launch.stopping.is_set()
    Lock(tmp_path, "cat").close()
