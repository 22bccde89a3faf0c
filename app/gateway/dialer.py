"""Keeps a real account connected in the hours in which its counter answers, and only then. Gateway process,
event thread.

A login by hand outside these hours is tried once: what is reached stays until it is lost, what is not reached
rests.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from app.lib.calendar import SHANGHAI
from app.lib.dialing import Window, window_from
from app.process.event_loop import EventLoop, Timer

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds


class Dialled(Protocol):
    """A front that can be let go and dialled again."""

    @property
    def state(self) -> str: ...

    @property
    def is_given_up(self) -> bool: ...

    def rest(self, until: datetime) -> None: ...

    def wake(self) -> None: ...


def now() -> datetime:
    """The host's clock: who rests hears no other."""
    return datetime.now(SHANGHAI)


class Dialer:
    """`fronts` are both of an account, connected when this is started; `clock` gives an aware moment."""

    def __init__(
        self, loop: EventLoop, fronts: Callable[[], Sequence[Dialled]], clock: Callable[[], datetime] = now
    ) -> None:
        self._loop = loop
        self._fronts = fronts
        self._clock = clock
        self._was_open = False
        self._window: Window | None = None
        self._timer: Timer | None = None

    def start(self) -> None:
        self._timer = self._loop.every(lambda: LOOK_EVERY, self.look)

    def look(self) -> None:
        """Dial or let go, if it is time to."""
        moment = self._clock()
        window = window_from(moment)  # anew each time: the calendar may have been corrected
        if window != self._window and not window.sure:
            log.warning("交易日历不能确定 %s 交易与否，按推定连接前置；请核对休市公告", window.trading_day)
        self._window = window
        is_open = window.start <= moment
        for front in self._fronts():
            if is_open and front.state == "resting":
                front.wake()
            elif (
                not is_open
                and front.state != "resting"
                and not front.is_given_up
                and (self._was_open or front.state in ("lost", "refused"))
            ):
                front.rest(window.start)
        self._was_open = is_open
