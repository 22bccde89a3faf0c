"""`python -m app.process.bound PARENT COMMAND…`: becomes the command, which gets SIGTERM when PARENT, the
process that started it, dies, however that was. For a child that is a program of its own (Linux; elsewhere
the command alone).
"""

from __future__ import annotations

import os
import signal
import sys

from app.process.death import die_with


def bound(command: list[str]) -> list[str]:
    """The command line of this, for a child of ours. To be started by the main thread: with the thread that
    started it the child's parent is dead.
    """
    return [sys.executable, "-m", "app.process.bound", str(os.getpid()), *command]


if __name__ == "__main__":
    die_with(int(sys.argv[1]), signal.SIGTERM)
    os.execv(sys.argv[2], sys.argv[2:])  # what was asked for is kept over it
