"""The last step into the confinement: take the text from stdin, take on the limits, become `python
strategy.py`. The confined child process.

The keeper hands this file's source to an interpreter that is inside already, where nothing of ours can be
imported: standard library only. Its argument is JSON: `limits` (by the names of resource), the `user` to
become (0: stay), the `calls` that are filtered (a BPF program in hexadecimal), and where there is no
bubblewrap around it what is `readable`: Landlock then forbids every other file, and what else the kernel's
Landlock knows.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import struct
import sys

# linux/landlock.h
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1
_FILE_RIGHTS = (
    1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
)  # execute, write, read, truncate, ioctl: what a plain file can be asked
_READING = 1 << 0 | 1 << 2 | 1 << 3  # execute, read a file, read a directory
_ALL_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many there are, by version; 16 later on
_TCP, _SCOPES = 0b11, 0b11  # bind and connect, from version 4; abstract sockets and signals, from version 6
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2


def main(limits: dict[str, int], user: int, calls: str, readable: list[str]) -> None:
    os.umask(0o022)  # the web's is for what is the owner's alone; this text is read by whom we become
    with open("strategy.py", "wb") as file:
        file.write(sys.stdin.buffer.read())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.nice(10)
    if user:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    for name, limit in limits.items():
        resource.setrlimit(getattr(resource, name), (limit, limit))
    _control(_NO_NEW_PRIVILEGES, 1)
    if readable:
        _lock(readable, os.getcwd())
    if calls:
        _filter(bytes.fromhex(calls))
    os.execv(sys.executable, [sys.executable, "strategy.py"])


def _lock(readable: list[str], writable: str) -> None:
    """From now on, for this process and all that it starts. Raises OSError."""
    version = _call(_CREATE_RULESET, None, 0, _ASK_VERSION)
    everything = (1 << _ALL_RIGHTS.get(version, 16)) - 1
    handled = struct.pack("QQQ", everything, _TCP, _SCOPES)[: 8 if version < 4 else 16 if version < 6 else 24]
    rules = _call(_CREATE_RULESET, handled, len(handled), 0)
    for path in [*readable, os.devnull, writable]:
        rights = _READING if path in readable else everything
        if not os.path.isdir(path):
            rights &= _FILE_RIGHTS & everything
        handle = os.open(path, os.O_PATH)
        _call(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", rights, handle), 0)
        os.close(handle)
    _call(_RESTRICT_SELF, rules, 0)


def _filter(program: bytes) -> None:
    """From now on, for this process and all that it starts. Raises OSError."""
    steps = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(steps))  # struct sock_fprog
    _control(_SET_SECCOMP, _FILTER, ctypes.c_char_p(described))


def _control(option: int, value: int, more: ctypes.c_char_p | None = None) -> None:
    zero = ctypes.c_ulong(0)
    if ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(value), more, zero, zero) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def _call(number: int, *arguments: int | bytes | None) -> int:
    words = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    result = ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *words)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"landlock: {os.strerror(ctypes.get_errno())}")
    return int(result)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
