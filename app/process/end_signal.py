"""How a process's main thread waits for its end. Gateway and strategy processes."""

from __future__ import annotations

import os


class EndSignal:
    """What the main thread waits for: set from a signal handler or any thread. A pipe, since a handler may
    not touch a lock.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def set(self, code: int = 0) -> None:
        """The first code counts."""
        os.write(self._write, bytes([code]))

    def wait(self) -> int:
        return os.read(self._read, 1)[0]
