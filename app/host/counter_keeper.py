"""The built-in counter: started for the first paper account, and again when it dies. Host process."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Sequence

from app.host.launcher import START_LIMIT, Launcher
from app.lib.errors import FrontUnreachable
from app.process import child
from app.process.child import AlreadyRunning, Process
from app.process.kept import Kept, adopt
from app.wire import channel
from app.wire.registry import Registry

COUNTER = (sys.executable, "-m", "app.counter")
NAME = "counter"
GRACE = 1.0


class CounterKeeper:
    """`command` is the one that is a counter. Any thread."""

    def __init__(self, registry: Registry, launch: Launcher, command: Sequence[str] = COUNTER) -> None:
        self._registry = registry
        self._stopping = launch.stopping
        self._lock = threading.Lock()
        self._kept = Kept(registry, NAME, lambda: launch(NAME, command))

    def look(self) -> None:
        """To be called often while somebody needs it."""
        with self._lock:
            self._kept.look()

    def end(self) -> None:
        counter = self._kept.process or adopt(self._registry, NAME)
        if counter is not None:
            child.end([counter], GRACE)

    def known_address(self) -> str:
        """Where it listens, or will."""
        entry = self._registry.find(NAME, only_living=False)
        return (
            entry.address
            if entry is not None
            else channel.new_address(self._registry.run_dir, "counter.sock")
        )

    def ensure(self) -> None:
        """It listens; started if it does not run. Raises FrontUnreachable."""
        deadline = time.monotonic() + START_LIMIT
        launched: Process | None = None
        while time.monotonic() < deadline and not self._stopping.is_set():
            entry = self._registry.find(NAME)
            if entry is not None and _listens(entry.address):
                return
            with self._lock, contextlib.suppress(AlreadyRunning):
                if launched is not None and not launched.alive:
                    break
                known = self._kept.process
                if self._kept.ensure() is not known:
                    launched = self._kept.process
            self._stopping.wait(child.POLL)
        raise FrontUnreachable("内置柜台未能启动，详见日志 counter", code="COUNTER_FAILED")


def _listens(address: str) -> bool:
    try:
        channel.connect(address, timeout=1.0).close()
    except OSError:
        return False
    return True
