"""A child that does not outlive who started it. Linux; elsewhere nothing happens. Child processes, first
thing in their main thread.
"""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def die_with(parent: int, signal: int) -> None:
    """Get `signal` when the process `parent`, which started this one, dies; exits at once if it is dead
    already.
    """
    if prctl(_PR_SET_PDEATHSIG, signal) and os.getppid() != parent:
        sys.exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, whatever session it is in: so that all can
    be found.
    """
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def prctl(option: int, value: int) -> bool:
    return sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0
