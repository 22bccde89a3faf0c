"""A filter of system calls for confined code, as a classic BPF program for seccomp. Pure; whoever starts the
code has it installed.

What a namespace does not take away: making a user namespace (in which one is root, and meets far more of the
kernel), sockets that no network namespace holds, such as those between a virtual machine and its host
(AF_VSOCK), and memory that no process is seen to hold (System V's shared segments). All else is left to the
kernel.
"""

from __future__ import annotations

import errno
import platform
import socket
import struct
from typing import NamedTuple

CLONE_NEWUSER = 0x10000000
FAMILIES = (
    socket.AF_UNIX,
    socket.AF_INET,
    socket.AF_INET6,
    16,
)  # 16: AF_NETLINK, by which the C library asks for addresses
X32 = 0x40000000  # the calls of a second numbering on x86-64

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _ARCH, _ARGUMENT = (
    0,
    4,
    16,
)  # offsets in struct seccomp_data; the argument's lower half (little endian)


class Machine(NamedTuple):
    """The numbers of one architecture (linux/audit.h, asm/unistd.h)."""

    arch: int
    clone: int
    clone3: int
    unshare: int
    setns: int
    socket: int
    socketpair: int
    io_uring_setup: int
    shmget: int


MACHINES = {
    "x86_64": Machine(0xC000003E, 56, 435, 272, 308, 41, 53, 425, 29),
    "aarch64": Machine(0xC00000B7, 220, 435, 97, 268, 198, 199, 425, 194),
}


def program(machine: str = "") -> bytes:
    """An array of struct sock_filter for this machine, or the one named; empty for one that is not known
    here.
    """
    known = MACHINES.get(machine or platform.machine())
    if known is None:
        return b""
    code = [
        _LOAD_ARCH,
        *_when(_EQUAL, known.arch, [], [_no(errno.ENOSYS)]),
        _LOAD_NUMBER,
        *_when(_AT_LEAST, X32, [_no(errno.ENOSYS)]),
    ]
    for number in (
        known.clone3,
        known.io_uring_setup,
    ):  # what they ask for stands in memory; the C library then asks the older way
        code += _when(_EQUAL, number, [_no(errno.ENOSYS)])
    for number in (known.setns, known.shmget):
        code += _when(_EQUAL, number, [_no(errno.EPERM)])
    for number in (known.clone, known.unshare):
        code += _when(
            _EQUAL, number, [_LOAD_ARGUMENT, *_when(_ANY_BIT, CLONE_NEWUSER, [_no(errno.EPERM)]), _YES]
        )
    for number in (known.socket, known.socketpair):
        allowed = [step for family in FAMILIES for step in _when(_EQUAL, int(family), [_YES])]
        code += _when(_EQUAL, number, [_LOAD_ARGUMENT, *allowed, _no(errno.EAFNOSUPPORT)])
    return b"".join([*code, _YES])


def _step(code: int, operand: int, when: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when, otherwise, operand)


def _no(reason: int) -> bytes:
    return _step(_RETURN, _ERRNO | reason)


def _when(test: int, operand: int, then: list[bytes], otherwise: list[bytes] | None = None) -> list[bytes]:
    """Do `then` where the test says yes, or else `otherwise`: one of the two is empty. What follows is for
    who is left.
    """
    skipped = then or otherwise or []
    return [_step(test, operand, 0, len(then)) if then else _step(test, operand, len(skipped), 0), *skipped]


_LOAD_ARCH, _LOAD_NUMBER, _LOAD_ARGUMENT = _step(_LOAD, _ARCH), _step(_LOAD, _NUMBER), _step(_LOAD, _ARGUMENT)
_YES = _step(_RETURN, _ALLOW)
