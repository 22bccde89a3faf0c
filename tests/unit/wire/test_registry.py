"""Who is running: told from the dead after a kill, a power cut, or a clock that was set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil
import pytest

from app.wire.registry import PROTOCOL, Entry, Registry, boot_id, start_ticks
from tests.support.waiting import eventually

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@on_linux
def test_a_living_process_stays_alive_when_the_clock_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time at which a process was created is counted from the machine's start: it moves with the wall's
    clock.
    """
    registry = Registry(tmp_path)
    registry.register(name="web", kind="web")
    created = psutil.Process().create_time()
    monkeypatch.setattr(psutil.Process, "create_time", lambda _self: created + 3600)
    found = registry.find("web")
    assert found is not None
    assert found.alive


@on_linux
def test_the_same_pid_of_another_start_or_of_another_run_of_the_machine_is_somebody_else(
    tmp_path: Path,
) -> None:
    mine = Registry(tmp_path).register(name="web", kind="web")
    ours = {"name": "web", "kind": "web", "pid": mine.pid, "started": mine.started}
    assert Entry(**ours, boot=mine.boot, ticks=mine.ticks).alive
    assert not Entry(**ours, boot=mine.boot, ticks=mine.ticks + 1).alive
    assert not Entry(**ours, boot="another", ticks=mine.ticks).alive


@on_linux
def test_the_dead_and_zombies_have_no_start() -> None:
    assert boot_id()
    assert start_ticks(os.getpid()) > 0
    child = subprocess.Popen([sys.executable, "-c", ""])
    eventually(lambda: start_ticks(child.pid) == 0, "it is a zombie")
    child.wait()
    assert start_ticks(child.pid) == 0


def test_an_entry_that_an_older_version_wrote_is_still_understood(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    created = psutil.Process().create_time()
    (run / "host.json").write_text(
        f'{{"name":"host","kind":"host","pid":{os.getpid()},"started":{created},"unheard_of":1}}'
    )
    found = Registry(tmp_path).find("host")
    assert found is not None
    assert found.alive
    assert found.protocol == PROTOCOL


def test_who_was_killed_is_told_from_the_living_until_it_is_forgotten(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    assert registry.killed("gateway") == registry.living() == []
    mine = registry.register(name="gateway-a", kind="gateway", account="a")
    killed = registry.write(msgspec.structs.replace(mine, name="gateway-b", account="b", boot="another"))
    registry.write(msgspec.structs.replace(killed, name="web", kind="web"))
    assert (registry.killed("gateway"), registry.living("gateway")) == ([killed], [mine])
    registry.forget_the_dead()
    assert (registry.killed("gateway"), registry.living()) == ([], [mine])


@pytest.mark.parametrize("left", [b"", b"{", b'{"name":"host","kind":"ho', b"\0" * 200, b"[]"])
def test_an_entry_that_a_power_cut_left_half_written_is_nobody(tmp_path: Path, left: bytes) -> None:
    registry = Registry(tmp_path)
    registry.run_dir.mkdir()
    (registry.run_dir / "host.json").write_bytes(left)
    assert registry.find("host") is None
    assert registry.living() == []
    registry.forget_the_dead()
    assert list(registry.run_dir.iterdir()) == []
    registry.register(name="host", kind="host")
    assert registry.find("host") is not None
