"""Starting, looking at and ending processes: our children, and those that an earlier process of ours left
running. Host, supervisor, run.py.

A child gets a session of its own (Ctrl-C in the terminal is not for it), the settings by environment and its
secrets by stdin; it is started with subprocess, never forked. Those that were taken over are not our
children: they are known by pid and start time from the registry. Signals and locks are POSIX; elsewhere
processes are terminated hard and the registry alone keeps two of a kind apart (written to be portable, not
tried).
"""

from __future__ import annotations

import json
import logging
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import psutil

from app import files
from app.settings import Settings
from app.wire.registry import Entry

ROOT = Path(__file__).parents[2]  # where `python -m app.…` finds the package
POLL = 0.02
CAGE_LIMIT = 5.0  # seconds that bubblewrap may take to start what is inside
OUT_LIMIT = 5 * 1024 * 1024

log = logging.getLogger(__name__)


class AlreadyRunning(Exception):
    """Another process of this data directory is this already."""


class Lock:
    """An exclusive claim on a name below one data directory, held until closed or until its last holder is
    dead.

    A lock that is handed to a child is the child's: it holds as long as the child lives, whoever starts,
    restarts or dies around it.
    """

    def __init__(self, data_dir: Path, name: str) -> None:
        """Raises AlreadyRunning when somebody holds it."""
        folder = data_dir / "locks"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = files.locked(folder / f"{name}.lock")
        if file is None:
            raise AlreadyRunning(name)
        self._file = file

    @property
    def handles(self) -> tuple[int, ...]:
        """What a child must inherit to hold the lock."""
        return (self._file.fileno(),) if files.CAN_LOCK else ()

    def close(self) -> None:
        self._file.close()


class Cage(NamedTuple):
    """bubblewrap around a command: its own command line without the `--`, and the calls that it is to filter
    (syscalls.py).
    """

    arguments: Sequence[str]
    calls: bytes


class Process:
    """A running process: `child` when we started it, else as the registry has it. In a cage the process is
    the one `inside`, known by its pid out here, and the child is bubblewrap, which waits for it and ends as
    it did.
    """

    def __init__(
        self,
        name: str,
        child: subprocess.Popen[bytes] | None = None,
        entry: Entry | None = None,
        inside: int = 0,
    ) -> None:
        assert child is not None or entry is not None
        self.name = name
        self.pid = inside or (child.pid if child is not None else entry.pid if entry is not None else 0)
        self._child = child
        self._inside = inside
        self._entry = entry
        self.stdin: IO[bytes] | None = None  # while it is open to us: `keep_stdin`

    @property
    def adopted(self) -> bool:
        return self._child is None

    @property
    def alive(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        return self._entry is not None and self._entry.alive

    @property
    def exit_code(self) -> int | None:
        """None while it lives, and always for an adopted one: only a parent is told."""
        code = self._child.poll() if self._child is not None else None
        return (
            128 - code if self._inside and code is not None and code > 128 else code
        )  # bubblewrap's way to tell of a signal

    def terminate(self) -> None:
        if self._child is not None and not self._inside:
            self._child.terminate()
        else:
            self._signal(psutil.Process.terminate)

    def kill(self) -> None:
        if self._child is not None and not self._inside:
            self._child.kill()
        else:
            self._signal(psutil.Process.kill)

    def wait(self, seconds: float) -> bool:
        """Whether it is dead within that time."""
        deadline = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL)
        return True

    def _signal(self, send: Callable[[psutil.Process], None]) -> None:
        if not self.alive:
            return
        try:
            send(psutil.Process(self.pid))
        except psutil.NoSuchProcess:
            pass  # it was faster
        except psutil.AccessDenied:
            log.warning("%s (pid %d) is not ours to end", self.name, self.pid)


def start(
    command: Sequence[str],
    settings: Settings,
    name: str,
    *,
    stdin: bytes = b"",
    lock: Lock | None = None,
    console: bool = False,
    environment: Mapping[str, str] | None = None,
    cage: Cage | None = None,
    keep_stdin: bool = False,
) -> Process:
    """Start a child. `stdin` is all that it reads there, or with `keep_stdin` the beginning of it; `lock`
    becomes its own. Its output goes to `<data>/logs/<name>.out.log`, or with `console`, and where logs go to
    stdout, to where ours goes. `environment`: all of it; left out, ours and the settings.
    """
    pass_fds = lock.handles if lock is not None else ()
    around = _Around(cage) if cage is not None else None
    if around is not None:
        command, pass_fds = [*around.arguments, "--", *command], (*pass_fds, *around.handles)
    output = None if console or settings.log_to == "stdout" else _output(settings.data_dir, name)
    try:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=settings.to_environment() if environment is None else environment,
            stdin=subprocess.PIPE if stdin or keep_stdin else subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=pass_fds,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    finally:
        if output is not None:
            output.close()
        if lock is not None:
            lock.close()  # the child has it now
        inside = around.pid() if around is not None else 0
    if child.stdin is not None:
        try:
            child.stdin.write(stdin)
            child.stdin.flush() if keep_stdin else child.stdin.close()
        except OSError:
            log.warning("%s ended before it read its input", name)
    log.info("%s started, pid %d", name, inside or child.pid)
    process = Process(name, child=child, inside=inside)
    process.stdin = child.stdin if keep_stdin else None
    return process


class _Around:
    """What bubblewrap is told, and tells, by descriptors of its own while it starts."""

    def __init__(self, cage: Cage) -> None:
        self._told, tell = os.pipe()
        self.handles = [tell]
        self.arguments = [*cage.arguments, "--info-fd", str(tell)]
        if cage.calls:
            calls, write = os.pipe()  # it holds far more than such a program
            os.write(write, cage.calls)
            os.close(write)
            self.handles.append(calls)
            self.arguments += ["--seccomp", str(calls)]

    def pid(self) -> int:
        """Of the process inside, once it has been started; 0 when it was not. To be asked once, and in any
        case.
        """
        for handle in self.handles:
            os.close(handle)
        text, deadline = b"", time.monotonic() + CAGE_LIMIT
        try:
            while select.select([self._told], [], [], max(0.0, deadline - time.monotonic()))[0]:
                chunk = os.read(self._told, 4096)
                text += chunk
                if not chunk or b"}" in text:
                    break
        finally:
            os.close(self._told)
        try:
            return int(json.loads(text)["child-pid"])
        except (ValueError, KeyError, TypeError):
            log.error("bubblewrap did not say what it started")
            return 0


def ask_to_end(processes: Iterable[Process], grace: float) -> list[Process]:
    """Terminate all together; those that still live after `grace` seconds."""
    living = [process for process in processes if process.alive]
    for process in living:
        process.terminate()
    deadline = time.monotonic() + grace
    return [process for process in living if not process.wait(max(0.0, deadline - time.monotonic()))]


def end(processes: Iterable[Process], grace: float) -> list[Process]:
    """Terminate all, and kill what still lives after `grace` seconds. Returns those that had to be killed."""
    stubborn = ask_to_end(processes, grace)
    for process in stubborn:
        log.warning("%s (pid %d) did not end within %.1f s: killed", process.name, process.pid, grace)
        process.kill()
    for process in stubborn:
        process.wait(1.0)
    return stubborn


def _output(data_dir: Path, name: str) -> IO[bytes]:
    """Where a child's bare stdout and stderr go; begun anew once it has grown large."""
    folder = data_dir / "logs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{name}.out.log"
    large = path.exists() and os.path.getsize(path) > OUT_LIMIT
    return open(path, "wb" if large else "ab")
