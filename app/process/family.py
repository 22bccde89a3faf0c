"""A process and all that came out of it: how much memory they take, and how to end them, whatever they do.
Host, supervisor, strategies.

A strategy is the leader of its session. What it starts is found by its parents, and, where a parent has died,
by the session. Elsewhere than on POSIX parents alone count, and nothing is frozen (written to be portable,
not tried).
"""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Iterable
from typing import NamedTuple

import psutil

from app.process.child import Process, ask_to_end

POLL = 0.02
FREEZE_ROUNDS = 25


class Kin(NamedTuple):
    """One process: by whom it was started, and the session that it is in."""

    parent: int
    session: int


Census = dict[int, Kin]


def census() -> Census:
    """All processes that live now, zombies left out."""
    found: Census = {}
    for process in psutil.process_iter(["ppid", "status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE:
            found[process.pid] = Kin(process.info["ppid"], _session_of(process.pid))
    return found


def family_of(root: int, everybody: Census) -> set[int]:
    """The living of the session that `root` leads or led, and all that came out of any of them."""
    children: dict[int, list[int]] = {}
    for pid, kin in everybody.items():
        children.setdefault(kin.parent, []).append(pid)
    waiting = [pid for pid, kin in everybody.items() if kin.session == root]
    found: set[int] = set()
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting.extend(children.get(pid, ()))
    return found


def resident(pids: Iterable[int]) -> int:
    """Bytes of memory that these hold; what they share is counted for each."""
    total = 0
    for pid in pids:
        try:
            total += psutil.Process(pid).memory_info().rss
        except psutil.Error:
            continue  # it has ended, or is not ours to look at
    return total


def unlinked(pids: Iterable[int]) -> int:
    """Bytes of the files that these hold open or mapped and no folder has any more: on the disk, or in memory
    (memfd_create, shared memory without a file), and seen nowhere else. Linux; elsewhere 0.
    """
    found: dict[tuple[int, int], int] = {}
    for pid in pids:
        for file, size in _shared_of(pid):
            found[file] = max(size, found.get(file, 0))
        try:
            handles = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue  # it has ended, or is not ours to look at
        for handle in handles:
            try:
                about = os.stat(f"/proc/{pid}/fd/{handle}")
            except OSError:
                continue
            if stat.S_ISREG(about.st_mode) and not about.st_nlink:
                found[about.st_dev, about.st_ino] = about.st_blocks * 512
    return sum(found.values())


def _shared_of(pid: int) -> list[tuple[tuple[int, int], int]]:
    """The mapped files of that kind, by device and inode, and how far each is mapped: it may take less."""
    found = []
    try:
        with open(f"/proc/{pid}/maps", "rb") as lines:
            for line in lines:
                if line.endswith(b" (deleted)\n"):
                    span, rights, offset, device, inode, _ = line.split(None, 5)
                    first, last = span.split(b"-")
                    if rights.endswith(b"s"):
                        major, minor = device.split(b":")
                        file = os.makedev(int(major, 16), int(minor, 16)), int(inode)
                        found.append((file, int(offset, 16) + int(last, 16) - int(first, 16)))
    except OSError:
        pass  # it has ended, or is not ours to look at
    return found


def known(pids: Iterable[int]) -> list[psutil.Process]:
    """To be told from others that get their pids later."""
    found = []
    for pid in pids:
        try:
            found.append(psutil.Process(pid))
        except psutil.NoSuchProcess:
            continue  # it was faster
    return found


def kill(root: int, others: Iterable[psutil.Process] = (), seconds: float = 1.0) -> bool:
    """End the family of `root`, and `others` that were of it, within that time; whether nobody is left.

    All are frozen first, until no new ones appear: a killed parent's children could not be told from others
    any more. What has left the session and lost its parent before is found among `others` alone.
    """
    frozen = {process.pid for process in others if process.is_running()}
    for pid in frozen:
        _send(pid, "SIGSTOP")
    for _ in range(FREEZE_ROUNDS):
        new = family_of(root, census()) - frozen
        if not new:
            break
        for pid in new:
            _send(pid, "SIGSTOP")
        frozen |= new
    for pid in frozen:
        _send(pid, "SIGKILL")
    deadline = time.monotonic() + seconds
    while rest := frozen & (living := census()).keys() | family_of(root, living):
        if time.monotonic() > deadline:
            return False
        for pid in rest:
            _send(pid, "SIGKILL")
        time.sleep(POLL)
    return True


def end(processes: Iterable[Process], grace: float) -> None:
    """Terminate all together, and after `grace` seconds kill what still lives of them and of all that came
    out of them: of one that has just ended by itself too.
    """
    processes = list(processes)
    everybody = census() if processes else {}
    families = [(process, known(family_of(process.pid, everybody))) for process in processes]
    ask_to_end(processes, grace)
    for process, others in families:
        kill(process.pid, others)
    for process in processes:
        process.wait(1.0)


def end_descendants(root: int, seconds: float = 2.0) -> bool:
    """End all that came out of `root`, which is not ended itself, within that time; whether nobody is
    left.
    """
    deadline = time.monotonic() + seconds
    while found := family_of(root, census()) - {root}:
        if time.monotonic() > deadline:
            return False
        for pid in found:
            _send(pid, "SIGKILL")
        time.sleep(POLL)
    return True


def _send(pid: int, name: str) -> None:
    number = getattr(signal, name, None)
    try:
        if number is not None:
            os.kill(pid, number)
        elif name == "SIGKILL":
            psutil.Process(pid).kill()
    except (ProcessLookupError, PermissionError, psutil.Error):
        pass  # it was faster, or is not ours


def _session_of(pid: int) -> int:
    """Where there are no sessions everybody leads one of its own."""
    try:
        return os.getsid(pid) if hasattr(os, "getsid") else pid
    except (ProcessLookupError, PermissionError):
        return 0
