"""app/commands/supervisor.py: a web that does not answer is ended, so that another one serves."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.commands.supervisor import Pulse
from app.wire.registry import Registry
from tests.support.waiting import eventually

REGISTERING = """
import sys
from pathlib import Path
from app.wire.registry import Registry
Registry(Path(sys.argv[1])).register(name="web", kind="web", address=sys.argv[2])
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def web(tmp_path: Path, listener: socket.socket) -> Iterator[subprocess.Popen[str]]:
    """A process in the registry whose address is `listener`."""
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    command = [sys.executable, "-c", REGISTERING, str(tmp_path), address]
    made = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert made.stdout is not None
    assert made.stdin is not None
    assert made.stdout.readline() == "ready\n"
    yield made
    made.stdin.close()
    made.wait(30)
    made.stdout.close()


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    made = Pulse(Registry(tmp_path), silent_limit=1.0, answer_limit=0.3, every=0.05)
    yield made
    made.stop()


def test_a_web_that_takes_connections_and_never_answers_is_ended(
    web: subprocess.Popen[str], pulse: Pulse
) -> None:
    pulse.start()
    eventually(lambda: web.poll() is not None, "the silent web is ended", 20)


def test_a_web_that_turns_connections_away_lives(
    web: subprocess.Popen[str], pulse: Pulse, listener: socket.socket
) -> None:
    """It is full, and says so: to end it would send all its pages away."""
    pulse.start()
    for _ in range(40):  # more than the limit of silence
        listener.accept()[0].close()
    assert web.poll() is None
    assert os.getpid() != web.pid
