"""The counter's time, as its gateway knows it. Gateway process: set in the event thread, read
from any."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from app.lib.calendar import SHANGHAI

WORD_LEAP = timedelta(
    hours=1
)  # as far as a quote may lead where the counter's next word, within a second, puts it right
LEAP = timedelta(
    seconds=5
)  # where no word comes: what leads by more says something about its stamp and nothing about the time
FAR = timedelta(
    minutes=1
)  # no exchange's clock is as far from the counter's: a stamp that is further ahead is wrong


class CounterClock:
    """Both fronts of an account set it, since they are of one counter; between two of its words it runs on,
    for a second.

    Exchanges have clocks of their own, which quotes are stamped by: `now` of an exchange is that one's, where
    the counter has said at the login how far it is apart.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said = datetime.now(SHANGHAI)  # before its first word the host's clock has to do
        self._heard = clock()
        # it then speaks once a second; a replay may be slower than real time, so more is not assumed
        self._connected = False
        self._ahead: Mapping[str, timedelta] = {}  # by exchange
        self._lead = timedelta()  # of the newest quote

    def set(self, text: str) -> None:
        """`YYYY-MM-DDTHH:MM:SS.mmm`, naive exchange time."""
        self._hear(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI))
        self._connected = True

    def start(self, moment: datetime, ahead: Mapping[str, timedelta] | None = None) -> None:
        """It is this moment there, and no further word is to come: it runs on as the host's does. `ahead`:
        what exchanges' clocks show beyond it.
        """
        self._hear(moment)
        self._connected, self._ahead, self._lead = False, ahead or {}, timedelta()

    def advance(self, moment: datetime, exchange: str = "") -> None:
        """It is at least as late as this quote says: a replay may run hours between two words.

        Where no word comes, seconds are believed, and only what two quotes in a row say: nothing would ever
        put it back.
        """
        lead = moment - self.now(exchange)
        before, self._lead = self._lead, lead
        if not self._connected:
            lead = min(lead, before)
        if timedelta(0) < lead < (WORD_LEAP if self._connected else LEAP):
            self._hear(self.now() + lead)
            self._lead -= lead

    def believed(self, moment: datetime, exchange: str) -> datetime:
        """A quote's own stamp, or, where that is too far ahead to be true, the moment at which it came."""
        now = self.now(exchange)
        return now if not self._connected and moment - now > FAR else moment

    def lost(self) -> None:
        """No further word for now: it is taken to run on as the host's does."""
        self._connected = False

    def now(self, exchange: str = "") -> datetime:
        """Aware, Asia/Shanghai."""
        passed = self._clock() - self._heard
        now = self._said + timedelta(seconds=min(passed, 1.0) if self._connected else passed)
        return now + self._ahead.get(exchange, timedelta())

    def _hear(self, moment: datetime) -> None:
        self._said, self._heard = moment, self._clock()
