"""When a real account is to be connected: from shortly before the night's or the morning's first auction to
shortly after the last close.

Pure: the moment is passed in. A counter outside these hours is settling or switched off: dialling it fills
logs and, after a wrong answer, locks accounts. Of a year whose closures are assumed these are kept, and
beyond that weekdays are taken for trading days, nights included; `sure` says no to both: a front that is not
there then costs some attempts, a night session missed costs money. Rules: docs/domain.md, Time 2, 3, 6 and 7.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from app.lib.calendar import (
    EVENING,
    is_sure,
    next_trading_day,
    on_forget,
    previous_trading_day,
    trading_day_of,
)
from app.lib.sessions import AUCTION_LEAD, Section, products_on, sections

LEAD = timedelta(minutes=20)
"""Before the first auction takes orders: 20:35 and 08:35. Fronts open at about half past."""
LINGER = timedelta(minutes=15)
"""After the last close, for the last callbacks: 15:30, and 02:45 after the longest night."""


class Window(NamedTuple):
    """A span in which to be connected, both ends aware, `end` exclusive."""

    start: datetime
    end: datetime
    trading_day: date
    sure: bool  # False: the calendar does not reach so far


def windows(trading_day: date) -> tuple[Window, ...]:
    """Of one trading day: its night, if there is one, on an evening before, then the day."""
    return _windows(trading_day)


@lru_cache(maxsize=256)
def _windows(trading_day: date) -> tuple[Window, ...]:
    of_all = [section for product in products_on(trading_day) for section in sections(product, trading_day)]
    night = [section for section in of_all if section.start.time() >= EVENING]
    day = [section for section in of_all if section.start.time() < EVENING]
    sure = is_sure(trading_day) and is_sure(previous_trading_day(trading_day))
    return tuple(_around(part, trading_day, sure) for part in (night, day) if part)


on_forget(_windows.cache_clear)


def _around(part: list[Section], trading_day: date, sure: bool) -> Window:
    first, last = min(section.start for section in part), max(section.end for section in part)
    return Window(first - AUCTION_LEAD - LEAD, last + LINGER, trading_day, sure)


def window_from(moment: datetime) -> Window:
    """The window that `moment` (aware) lies in, or the next one: `window.start <= moment` tells which."""
    trading_day = trading_day_of(moment)
    while True:
        for window in windows(trading_day):
            if moment < window.end:
                return window
        trading_day = next_trading_day(trading_day)


def is_open(moment: datetime) -> bool:
    """Whether to be connected at `moment` (aware)."""
    return window_from(moment).start <= moment
