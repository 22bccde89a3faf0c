"""The counter's time, as its gateway knows it. Set in the event thread, read from any."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from app.lib.calendar import SHANGHAI

LEAP = timedelta(hours=1)  # a quote further ahead than this says something about its stamp and nothing about the time


class CounterClock:
    """Both fronts of an account set it, since they are of one counter; between two of its words it runs on, for a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said = datetime.now(SHANGHAI)  # before its first word the host's clock has to do
        self._heard = clock()
        self._connected = False  # it then speaks once a second; a replay may be slower than real time, so more is not assumed

    def set(self, text: str) -> None:
        """`YYYY-MM-DDTHH:MM:SS.mmm`, naive exchange time."""
        self._hear(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI))
        self._connected = True

    def start(self, moment: datetime) -> None:
        """It is this moment there, and no further word is to come: it runs on as the host's does."""
        self._hear(moment)
        self._connected = False

    def advance(self, moment: datetime) -> None:
        """It is at least as late as this quote: a replay may run hours between two words."""
        if timedelta(0) < moment - self.now() < LEAP:
            self._hear(moment)

    def lost(self) -> None:
        """No further word for now: it is taken to run on as the host's does."""
        self._connected = False

    def now(self) -> datetime:
        """Aware, Asia/Shanghai."""
        passed = self._clock() - self._heard
        return self._said + timedelta(seconds=min(passed, 1.0) if self._connected else passed)

    def _hear(self, moment: datetime) -> None:
        self._said, self._heard = moment, self._clock()
