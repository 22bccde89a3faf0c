"""Who is connected without having shown a token, from where and since when. Web process; pure, the clock is
passed in.

Anonymous sockets hear nothing and cost memory: there is a limit per address and a limit in time. Over the
limit the oldest one makes room: a page needs a moment to show its token, and strangers of its address could
otherwise keep it out by staying.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable


class Lobby:
    """Anonymous connections by their id. Every method may be called from any thread."""

    def __init__(self, per_address: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_address = per_address
        self._seconds = seconds
        self._clock = clock
        self._addresses: dict[str, str] = {}  # of every open connection
        self._since: dict[str, float] = {}  # of the anonymous ones, the oldest first
        self._count: Counter[str] = Counter()
        self._lock = threading.Lock()

    def open(self, connection: str, address: str) -> str:
        """A new connection. Returns the one that has to be closed for it, which then is no longer counted; ""
        when there is room.
        """
        with self._lock:
            oldest = ""
            if self._count[address] >= self._per_address:
                oldest = next(other for other in self._since if self._addresses[other] == address)
                self._forget(oldest)
            self._addresses[connection] = address
            self._wait(connection)
            return oldest

    def let_in(self, connection: str) -> None:
        """It has shown a token."""
        with self._lock:
            self._forget(connection)

    def send_back(self, connection: str) -> None:
        """It is anonymous again."""
        with self._lock:
            if connection in self._addresses and connection not in self._since:
                self._wait(connection)

    def closed(self, connection: str) -> None:
        """It has gone."""
        with self._lock:
            self._forget(connection)
            self._addresses.pop(connection, None)

    def overdue(self) -> list[str]:
        """Those that have been anonymous for too long."""
        limit = self._clock() - self._seconds
        with self._lock:
            return [connection for connection, since in self._since.items() if since <= limit]

    def _wait(self, connection: str) -> None:
        self._since[connection] = self._clock()
        self._count[self._addresses[connection]] += 1

    def _forget(self, connection: str) -> None:
        if self._since.pop(connection, None) is None:
            return
        address = self._addresses[connection]
        self._count[address] -= 1
        if not self._count[address]:
            del self._count[address]
