"""How a process's main thread hears that it is to end. Gateway, strategies, host, supervisor."""

from __future__ import annotations

import os
import signal


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


class StopSignal:
    """Whether this process was asked to end. A plain flag to be polled: a signal handler must not take locks.
    Main thread only.
    """

    def __init__(self) -> None:
        self.asked = False
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):  # SIGHUP: the terminal was closed
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._ask)

    def _ask(self, _number: int, _frame: object) -> None:
        self.asked = True
