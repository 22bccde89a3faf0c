"""A strategy's process in bubblewrap: how it starts, hears, ends, and what it reaches from inside."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.process import child
from app.process.child import Process
from app.settings import Settings
from app.workshop import sandbox
from app.workshop.containment import Containment
from tests.support.confinement import confined
from tests.support.waiting import eventually


def caged(tmp_path: Path, text: str, **settings: Any) -> Process:
    here = Containment(
        Settings(data_dir=tmp_path / "data", strategies_dir=tmp_path / "strategies", **settings)
    )
    assert here.check()
    folder = tmp_path / "data" / "accounts" / "a" / "strategies" / "x"
    folder.mkdir(parents=True)
    command = [sandbox.python(), "-c", text]
    return child.start(
        command, here._settings, "x", environment=here.environment(folder, True), cage=here.cage(folder, [])
    )


@confined
@pytest.mark.parametrize(
    ("text", "code"), [("raise SystemExit(5)", 5), ("import ctypes\nctypes.string_at(0)", -11), ("1 / 0", 1)]
)
def test_how_it_ended_is_told_as_without_a_cage(tmp_path: Path, text: str, code: int) -> None:
    running = caged(tmp_path, text)
    assert running.wait(30)
    assert running.exit_code == code


@confined
def test_the_process_is_the_one_inside_and_hears_that_it_is_to_end(tmp_path: Path) -> None:
    text = """
import os, signal, sys, time
def end(*_):
    open(os.environ["HOME"] + "/heard", "w")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open(os.environ["HOME"] + "/there", "w")
time.sleep(60)
"""
    running = caged(tmp_path, text)
    folder = tmp_path / "data" / "accounts" / "a" / "strategies" / "x"
    eventually((folder / "there").exists, "it runs")
    assert os.getsid(running.pid) == running.pid
    assert "python" in psutil.Process(running.pid).name()
    running.terminate()
    assert running.wait(30)
    assert running.exit_code == 0
    assert (folder / "heard").exists()


@confined
def test_killed_from_outside_nothing_of_it_is_left(tmp_path: Path) -> None:
    running = caged(
        tmp_path, "import os, time\nos.fork()\nos.setsid() if os.getpid() > 1 else None\ntime.sleep(60)"
    )
    outside = eventually(
        lambda: len(psutil.Process(running.pid).children()) == 1 and psutil.Process(running.pid).children(),
        "it has a child",
    )
    running.kill()
    assert running.wait(30)
    assert running.exit_code == -9
    eventually(
        lambda: not outside[0].is_running() or outside[0].status() == psutil.STATUS_ZOMBIE,
        "its child has ended too",
    )


@confined
@pytest.mark.parametrize("network", ["on", "off"])
def test_the_network_is_there_where_it_may_be_and_what_may_be_read_but_nothing_of_ours(
    tmp_path: Path, network: Any
) -> None:
    (tmp_path / "quotes.csv").write_text("1,2")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret.key").write_text("the secret")
    text = f"""
import os, socket
from pathlib import Path
folder = Path({str(tmp_path)!r})
with open(os.environ["HOME"] + "/facts", "w") as out:
    print((folder / "quotes.csv").read_text(), (folder / "data" / "secret.key").exists(), file=out)
    try:
        (folder / "quotes.csv").write_text("3,4")
    except OSError as error:
        print(error.errno, file=out)
    try:
        socket.create_connection(("127.0.0.1", int(PORT)), 1)
        print("through", file=out)
    except OSError:
        print("closed", file=out)
"""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        text = text.replace("PORT", str(listener.getsockname()[1]))
        running = caged(tmp_path, text, strategy_network=network, strategy_paths=[tmp_path])
        assert running.wait(30)
        assert running.exit_code == 0
    facts = (tmp_path / "data" / "accounts" / "a" / "strategies" / "x" / "facts").read_text().splitlines()
    assert facts == ["1,2 False", "30", "through" if network == "on" else "closed"]
