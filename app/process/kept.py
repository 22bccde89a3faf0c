"""Processes that are to run: taken over or started, and started again when they die. Host, supervisor."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from app.process.child import AlreadyRunning, Process
from app.wire.registry import Registry

log = logging.getLogger(__name__)


def adopt(registry: Registry, name: str) -> Process | None:
    """The process of that name which an earlier process of ours left running."""
    entry = registry.find(name)
    return Process(name, entry=entry) if entry is not None else None


class Backoff:
    """How long to wait before starting again what died: at first hardly, then longer, from the start again
    once it lived long.
    """

    def __init__(self, first: float = 0.2, last: float = 30.0, settled: float = 60.0) -> None:
        self._first, self._last, self._settled = first, last, settled
        self._next = first

    def after(self, lived: float) -> float:
        """Seconds to wait when the process has died after `lived` seconds."""
        if lived >= self._settled:
            self._next = self._first
        pause, self._next = self._next, min(self._next * 2, self._last)
        return pause


class Kept:
    """A process that is to run: adopted or started, and started again when it dies. Used from one thread at a
    time.
    """

    def __init__(
        self,
        registry: Registry,
        name: str,
        launch: Callable[[], Process],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._name = name
        self._launch = launch
        self._clock = clock
        self._backoff = Backoff()
        self._since = 0.0
        self._due: float | None = None
        self.process: Process | None = None

    def ensure(self) -> Process:
        """The living process: known, adopted or started now. Raises AlreadyRunning while another one is just
        starting.
        """
        if self.process is None or not self.process.alive:
            self.process = adopt(self._registry, self._name) or self._launch()
            self._since, self._due = self._clock(), None
        return self.process

    def look(self) -> Process | None:
        """To be called often. Starts it when its time has come; returns the process that has just been found
        dead.
        """
        if self.process is not None and not self.process.alive:
            dead, self.process = self.process, None
            pause = self._backoff.after(self._clock() - self._since)
            self._due = self._clock() + pause
            code = "" if dead.exit_code is None else f", exit code {dead.exit_code}"
            log.warning(
                "%s (pid %d) is dead%s; starting it again in %.1f s", self._name, dead.pid, code, pause
            )
            return dead
        if self.process is None and (self._due is None or self._clock() >= self._due):
            try:
                self.ensure()
            except (AlreadyRunning, OSError) as error:
                log.warning("%s cannot be started yet: %r", self._name, error)
                self._due = self._clock() + self._backoff.after(0.0)
        return None
