"""`python -m app.workshop.keeper`: keeps one run of a trader's text within its limits. A child of the web,
one for each run.

It reads a Job as JSON from stdin and writes what came of it, a Ran, to stdout. It is the reaper of all that
the text starts: a process that has left its parents and its session is found and ended all the same. When the
web dies, it ends them and itself.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import psutil

from app.process.death import adopt_orphans, die_with
from app.workshop import sandbox

LOOK = 0.05  # seconds between two looks at the clock and the memory
ENDING = 5.0  # at most, for ending what was started
_CHUNK = 64 * 1024


class Job(msgspec.Struct):
    """What is to be run, and how far it may go."""

    text: str
    parent: int
    program: str
    """bubblewrap's; empty where there is none and Landlock has to do."""
    hidden: list[str]
    """Directories that it must not see, wherever they lie."""
    seconds: float
    memory: int
    """Bytes resident, of all processes together."""
    output: int
    """Bytes."""


class Ran(msgspec.Struct):
    """What came of it."""

    output: str
    """stdout and stderr as they were written."""
    limit: str
    """Which limit ended it: time, memory or output; empty where none did."""
    exit_code: int
    """Negative or above 128: the signal that ended it."""


def run(job: Job, stop: list[bool]) -> Ran:
    """Run it to its end, or until a limit or `stop`; afterwards nothing of it is left."""
    with tempfile.TemporaryDirectory(prefix="run-code-", ignore_cleanup_errors=True) as home:
        source = Path(__file__).with_name("launcher.py").read_text("utf-8")
        if job.program:
            command = [
                *sandbox.bubblewrap(job.program, [Path(name) for name in job.hidden]),
                *sandbox.launch(source, sandbox.BUBBLEWRAP),
            ]
            home = "/tmp"
        else:
            command = sandbox.launch(source, sandbox.LANDLOCK)
        receiving, sending = os.pipe()
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=sending,
                stderr=sending,
                env=sandbox.environment(home),
                cwd=None if job.program else home,
                start_new_session=True,
            )
            os.close(sending)
            try:
                return _watch(job, child, receiving, stop)
            finally:
                end_all(child)
        finally:
            os.close(receiving)


def _watch(job: Job, child: subprocess.Popen[bytes], receiving: int, stop: list[bool]) -> Ran:
    assert child.stdin is not None
    try:
        child.stdin.write(job.text.encode())
        child.stdin.close()
    except BrokenPipeError:
        pass  # what it printed says why
    output = bytearray()
    limit = ""
    deadline = time.monotonic() + job.seconds
    while child.poll() is None and not limit and not stop[0]:
        if time.monotonic() > deadline:
            limit = "time"
        elif _resident() > job.memory:
            limit = "memory"
        elif not _read(receiving, output, job.output, LOOK):
            limit = "output"
    end_all(child)
    if not _read(receiving, output, job.output, 0.0):
        limit = limit or "output"
    return Ran(output[: job.output].decode("utf-8", "replace"), limit, child.wait())


def _read(receiving: int, output: bytearray, most: int, wait: float) -> bool:
    """Take what is there, for at most LOOK seconds. False once it is more than `most`."""
    deadline = time.monotonic() + LOOK
    while select.select([receiving], [], [], wait)[0] and time.monotonic() < deadline:
        chunk = os.read(receiving, _CHUNK)
        if not chunk:  # nobody can write any more, whoever may still run
            time.sleep(wait)
            break
        output += chunk
        if len(output) > most:
            return False
        wait = 0.0
    return True


def _resident() -> int:
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue  # it has just ended
    return total


def end_all(child: subprocess.Popen[bytes]) -> None:
    """End every descendant: first stop all of them, since what forks faster than it is killed would go on for
    ever.
    """
    deadline = time.monotonic() + ENDING
    stopped: set[psutil.Process] = set()
    while time.monotonic() < deadline:
        child.poll()
        living = {
            process for process in psutil.Process().children(recursive=True) if not _reaped(process, child)
        }
        if not living:
            return
        fresh = living - stopped
        for process in fresh or living:
            try:
                process.send_signal(signal.SIGSTOP if fresh else signal.SIGKILL)
            except psutil.Error:
                continue  # it has just ended
        stopped |= fresh
        time.sleep(0.0 if fresh else 0.005)


def _reaped(process: psutil.Process, child: subprocess.Popen[bytes]) -> bool:
    """Whether it is dead; one that has become our child is reaped."""
    try:
        if process.status() != psutil.STATUS_ZOMBIE:
            return False
        if process.pid != child.pid and process.ppid() == os.getpid():
            os.waitpid(process.pid, os.WNOHANG)
        return True
    except (psutil.Error, ChildProcessError):
        return True


def main() -> None:
    stop = [False]
    signal.signal(signal.SIGTERM, lambda *_: stop.__setitem__(0, True))
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    die_with(job.parent, signal.SIGTERM)
    adopt_orphans()
    ran = run(job, stop)
    if not stop[0]:  # else there is nobody to tell
        sys.stdout.buffer.write(msgspec.json.encode(ran))


if __name__ == "__main__":
    main()
