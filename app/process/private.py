"""What keeps a process with keys or passwords closed to others: its files, its memory. Web, host and
gateway processes, first thing in their main thread.
"""

from __future__ import annotations

import os

from app.process.death import prctl

_PR_SET_DUMPABLE = 4


def keep_to_itself() -> None:
    """Whatever it and its children write is the owner's alone, and a crash leaves no image of its memory on
    the disk.
    """
    os.umask(0o077)
    try:
        import resource
    except ImportError:  # not POSIX
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def hide_memory() -> None:
    """No other process of the same user reads this one's memory: a strategy that looks for passwords is one.
    Linux; root still may.
    """
    prctl(_PR_SET_DUMPABLE, 0)
