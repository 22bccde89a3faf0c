"""What a trader's text may see and use while it is tried out or runs: the command that confines it. The
keeper's process, the web's probe, and the host, which starts strategies.

With bubblewrap: no network, no other process, no file but the system's, Python's and an empty /tmp, and as
root a user number that is nobody's. Without it, never as root: Landlock, which forbids the same files, and
the network and signals as far as the kernel's version of it can. Both ways system calls are filtered too
(syscalls.py). docs/code.md says what that does and does not contain, docs/strategies.md what there is for a
strategy that runs.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import psutil

from app.lib.program import is_checkout
from app.process.child import ROOT
from app.workshop import syscalls

BUBBLEWRAP = "bubblewrap"
LANDLOCK = "landlock"

ADDRESS_SPACE = 2 * 1024**3  # a backstop: numpy with pandas peaks at 900 MB
FILE_SIZE = 64 * 1024**2
PROCESSES = 64
# a user number without an account: the limit of processes means nothing to root, and counts per user
NOBODYS = 64_777
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin")
_ETC = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
_ETC_OF_THE_NETWORK = (
    *(
        "/etc/resolv.conf",
        "/etc/hosts",
        "/etc/host.conf",
        "/etc/nsswitch.conf",
        "/etc/gai.conf",
        "/etc/services",
        "/etc/protocols",
    ),
    *(
        "/etc/ssl/certs",
        "/etc/ssl/openssl.cnf",
        "/etc/pki/tls/certs",
        "/etc/pki/ca-trust/extracted",
        "/etc/ca-certificates",
    ),
)


def python() -> str:
    """This interpreter. Under uWSGI sys.executable is uWSGI."""
    found = Path(sys.prefix, "bin", "python")
    return str(found) if found.exists() else sys.executable


def environment(home: str) -> dict[str, str]:
    """All that is in the environment of the text: nothing of ours."""
    return {
        "HOME": home,
        "PATH": f"{os.path.dirname(python())}:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",  # stdout and stderr in the order they were written
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def bubblewrap(program: str, hidden: Iterable[Path]) -> list[str]:
    """The beginning of a command line that confines what follows, for a short while; its working directory
    and HOME is /tmp.
    """
    arguments = [program, "--die-with-parent", "--new-session", *_namespaces(network=False)]
    if os.getuid() == 0:  # in a user namespace of one's own one cannot become another user
        arguments += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return [*arguments, *_view(_ETC, [], hidden), "--remount-ro", "/", "--chdir", "/tmp", "--"]


def bubblewrap_of_a_strategy(
    program: str,
    *,
    folder: Path,
    seen: Iterable[Path],
    readable: Iterable[Path],
    hidden: Iterable[Path],
    network: bool,
) -> list[str]:
    """The same for a strategy: it outlives who started it, is the first process of its namespace and leads
    its session.

    It writes into `folder` alone and sees of ours the package and `seen`, whatever is `hidden`; `readable` is
    what else of the machine it may read. The working directory is the project's.
    """
    arguments = [program, "--new-session", "--as-pid-1", *_namespaces(network)]
    arguments += _view((*_ETC, *_ETC_OF_THE_NETWORK) if network else _ETC, readable, hidden)
    for path in (ROOT / "app", *seen):
        arguments += _show(path)
    for parent in reversed(folder.parents[:-1]):
        arguments += ["--perms", "0755", "--dir", str(parent)]
    return [*arguments, "--bind", str(folder), str(folder), "--remount-ro", "/", "--chdir", str(ROOT)]


def _namespaces(network: bool) -> list[str]:
    if os.getuid() == 0:
        arguments = [
            "--unshare-ipc",
            "--unshare-pid",
            "--unshare-uts",
            "--unshare-cgroup-try",
            "--cap-drop",
            "ALL",
        ]
        return arguments if network else [*arguments, "--unshare-net"]
    return ["--unshare-all", "--share-net"] if network else ["--unshare-all"]


def _view(etc: Iterable[str], readable: Iterable[Path], hidden: Iterable[Path]) -> list[str]:
    """The files: the system's, Python's, and what is `readable`, but for what is `hidden`; nothing of
    ours.
    """
    arguments: list[str] = []
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            arguments += ["--symlink", os.readlink(path), name]
        elif path.exists():
            arguments += ["--ro-bind", name, name]
    arguments += ["--perms", "0755", "--dir", "/etc"]
    for name in etc:
        arguments += ["--ro-bind-try", name, name]
    arguments += [
        "--proc",
        "/proc",
        "--remount-ro",
        "/proc",
        "--dev",
        "/dev",
        "--remount-ro",
        "/dev",
        *_empty("/dev/shm"),
        *_empty("/tmp"),
    ]
    ours = [Path(prefix) for prefix in _prefixes()]
    others = [
        *(prefix for prefix in ours if not _is_below(prefix, [Path("/usr"), ROOT])),
        *(path for path in readable if path.exists()),
    ]
    for prefix in others:
        arguments += _show(prefix)
    shown = [Path("/usr"), *others]
    if is_checkout():  # an installed package lies among Python's own, and has nothing to hide
        arguments += _hide(ROOT, shown)
    for prefix in ours:
        if _is_below(prefix, [ROOT]):
            arguments += _show(prefix)
            shown.append(prefix)
    for folder in hidden:
        arguments += _hide(folder, shown)
    return arguments


def launch(source: str, confinement: str) -> list[str]:
    """What is run inside: the launcher's source, with its limits."""
    confined = confinement == BUBBLEWRAP
    limits = {
        "RLIMIT_AS": ADDRESS_SPACE,
        "RLIMIT_FSIZE": FILE_SIZE,
        "RLIMIT_NPROC": PROCESSES if confined else PROCESSES + _tasks_of_ours(),
        "RLIMIT_NOFILE": 256,
        "RLIMIT_CORE": 0,
    }
    user = NOBODYS if confined and os.getuid() == 0 else 0
    readable = [] if confined else [name for name in (*_SYSTEM, *_ETC, *_prefixes()) if os.path.exists(name)]
    argument = {"limits": limits, "user": user, "calls": syscalls.program().hex(), "readable": readable}
    return [python(), "-I", "-c", source, json.dumps(argument)]


def landlock_hides(folders: Iterable[Path]) -> bool:
    """Whether the kernel has Landlock and these lie outside of what it leaves readable: it cannot take
    anything out of that again.
    """
    shown = [Path(name) for name in (*_SYSTEM, *_prefixes())]
    return landlock_version() > 0 and not any(_is_below(folder, shown) for folder in folders)


def landlock_version() -> int:
    """What this kernel can: files from 1, TCP from 4, signals from 6. 0 or less: nothing."""
    return int(ctypes.CDLL(None).syscall(444, None, 0, 1)) if sys.platform == "linux" else 0


def _prefixes() -> list[str]:
    """Where Python is, and its packages."""
    return list(dict.fromkeys((sys.base_prefix, sys.prefix)))


def _empty(path: str) -> list[str]:
    return ["--perms", "1777", "--size", str(FILE_SIZE), "--tmpfs", path]


def _show(prefix: Path) -> list[str]:
    arguments: list[str] = []
    for parent in reversed(prefix.parents[:-1]):  # left to bubblewrap, they would be its own user's alone
        arguments += ["--perms", "0755", "--dir", str(parent)]
    return [*arguments, "--ro-bind", str(prefix), str(prefix)]


def _hide(folder: Path, shown: list[Path]) -> list[str]:
    """An empty directory in its place, where it lies in what is shown."""
    return ["--tmpfs", str(folder)] if folder.exists() and _is_below(folder, shown) else []


def _is_below(path: Path, folders: list[Path]) -> bool:
    return any(path.resolve().is_relative_to(folder.resolve()) for folder in folders)


def _tasks_of_ours() -> int:
    """Outside of a namespace of its own the limit counts every thread of the user."""
    count = 0
    for process in psutil.process_iter():
        try:
            if process.uids().real == os.getuid():
                count += process.num_threads()
        except psutil.Error:
            continue  # it has just ended
    return count
