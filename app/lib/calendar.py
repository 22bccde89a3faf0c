"""Trading days, night sessions, and the trading day of a moment. Pure: the moment is passed in. Any process, any thread.

Days come from exchange_calendars' Shanghai calendar (XSHG), read at the first question, or from the file that it was kept in (`keep_in`).
It ends a year or less ahead: beyond its bound weekdays count as trading days and `is_sure` says no. An override file (`use_overrides`)
corrects or extends it; the counter's own TradingDay stays the last word. All moments are aware; the exchanges' wall time is
Asia/Shanghai whatever the host's zone is. Rules: docs/domain.md, Time 1, 2, 6 and 7.
"""

from __future__ import annotations

import logging
import tomllib
import uuid
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from app.lib.errors import SettingsError

SHANGHAI = ZoneInfo("Asia/Shanghai")
EVENING = time(20, 0)  # from here on an evening belongs to the next trading day
SMALL_HOURS = time(6, 0)  # until here a night session may run on (the longest ends 02:30)
FIRST_DAY = "2005-01-01"
ONE_DAY = timedelta(days=1)
KEPT_FILE = "calendar.json"

# No night session, in evenings: suspended for the epidemic, from the first day after the Spring Festival to the holiday in May.
NO_NIGHTS = (date(2020, 2, 3), date(2020, 5, 5))


log = logging.getLogger(__name__)


class _Days(NamedTuple):
    """What is known of the days: `sessions` up to `sure_until`, then weekdays, both corrected by the override file."""

    sessions: frozenset[date]
    first: date
    last: date  # of the library's sessions
    sure_until: date  # its bound, or what the override file says
    closed: frozenset[date] = frozenset()
    opened: frozenset[date] = frozenset()


class _Kept(msgspec.Struct):
    """What `keep_in` keeps, in dates' ordinals; of this version of the library alone."""

    library: str
    sessions: list[int]
    sure_until: int


_overrides: Path | None = None
_kept: Path | None = None


def keep_in(folder: Path | None) -> None:
    """Keep the library's days in a file of this folder: who reads it is spared the library, and most of a second of pandas.

    Called once when a process starts. The override file is read anew each time. A file that is broken, of another version of the
    library, or that cannot be written costs that second again and nothing else.
    """
    global _kept
    _kept = None if folder is None else folder / KEPT_FILE
    forget()


def use_overrides(path: Path | None) -> None:
    """Correct the calendar by a TOML file: `closed = [2027-02-08]`, `open = [2027-02-20]`, `sure_until = 2027-12-31`, each optional.

    Called once when a process starts. Raises SettingsError for a file that is not like that.
    """
    global _overrides
    _overrides = path
    forget()
    if path is not None:
        load()


def load() -> None:
    """Read the calendar now: the first question may cost most of a second of pandas, on a busy machine several."""
    _days()


def forget() -> None:
    """Drop what is cached, here and in those who registered with `on_forget`."""
    _days.cache_clear()
    for clear in _dependants:
        clear()


_dependants: list[Callable[[], None]] = []


def on_forget(clear: Callable[[], None]) -> None:
    """`clear` is called when the calendar changes: for caches that are built on it."""
    _dependants.append(clear)


@lru_cache(maxsize=1)
def _days() -> _Days:
    days = _read_kept() or _from_library()
    return days if _overrides is None else _corrected(days, _overrides)


def _from_library() -> _Days:
    from exchange_calendars import get_calendar  # heavy (pandas): only those who ask for a day pay for it, see `load` and `keep_in`

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # between that library and pandas, nothing of ours
        calendar = get_calendar("XSHG", start=FIRST_DAY)
        bound = calendar.bound_max()
        if bound is not None and calendar.sessions[-1] < bound:  # it goes no further than a year from now by itself
            calendar = get_calendar("XSHG", start=FIRST_DAY, end=bound)
    sessions = frozenset(stamp.date() for stamp in calendar.sessions)
    days = _Days(sessions, min(sessions), max(sessions), max(sessions) if bound is None else bound.date())
    if bound is not None:  # else it ends a year from today, whenever that is
        _keep(days)
    return days


def _read_kept() -> _Days | None:
    if _kept is None:
        return None
    try:
        kept = msgspec.json.decode(_kept.read_bytes(), type=_Kept)
        if kept.library != version("exchange_calendars"):
            return None
        sessions = frozenset(map(date.fromordinal, kept.sessions))
        return _Days(sessions, min(sessions), max(sessions), date.fromordinal(kept.sure_until))
    except (OSError, ValueError, OverflowError):
        return None


def _keep(days: _Days) -> None:
    if _kept is None:
        return
    temporary = _kept.with_name(f".{_kept.name}.{uuid.uuid4().hex}")
    kept = _Kept(version("exchange_calendars"), sorted(day.toordinal() for day in days.sessions), days.sure_until.toordinal())
    try:
        temporary.write_bytes(msgspec.json.encode(kept))
        temporary.replace(_kept)
    except OSError as error:
        log.info("the calendar is not kept in %s: %s", _kept, error)
    finally:
        with suppress(OSError):
            temporary.unlink()


def _corrected(days: _Days, path: Path) -> _Days:
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"交易日历文件 {path} 读不了：{error}", parameter="calendar") from None
    for key, value in table.items():
        listed = value if key in ("closed", "open") and isinstance(value, list) else [value]
        if key not in ("closed", "open", "sure_until") or not all(type(item) is date for item in listed):
            raise SettingsError(f"交易日历文件 {path}：{key} 不合法（closed、open 为日期列表，sure_until 为日期）", parameter="calendar")
    return days._replace(
        closed=frozenset(table.get("closed", ())),
        opened=frozenset(table.get("open", ())),
        sure_until=max(days.sure_until, table.get("sure_until", days.sure_until)),
    )


def last_sure_day() -> date:
    """The bound of the calendar: beyond it a weekday is only guessed to be a trading day."""
    return _days().sure_until


def is_sure(day: date) -> bool:
    """Whether the calendar knows this day, rather than guessing by its weekday."""
    days = _days()
    return day in days.closed or day in days.opened or days.first <= day <= days.sure_until


def is_trading_day(day: date) -> bool:
    """Whether the exchanges trade on `day`. Working Saturdays and Sundays are not trading days."""
    days = _days()
    if day in days.opened:
        return True
    if day in days.closed:
        return False
    if days.first <= day <= days.last:
        return day in days.sessions
    return day.weekday() < 5


def next_trading_day(day: date) -> date:
    """The first trading day after `day`."""
    day += ONE_DAY
    while not is_trading_day(day):
        day += ONE_DAY
    return day


def previous_trading_day(day: date) -> date:
    """The last trading day before `day`."""
    day -= ONE_DAY
    while not is_trading_day(day):
        day -= ONE_DAY
    return day


def nth_trading_day(year: int, month: int, nth: int) -> date:
    """The nth trading day of a month; negative counts from its end, -1 being the last."""
    step = ONE_DAY if nth > 0 else -ONE_DAY
    day = date(year, month, 1) if nth > 0 else date(year + month // 12, month % 12 + 1, 1) - ONE_DAY
    left = abs(nth)
    while True:
        left -= is_trading_day(day)
        if left == 0:
            return day
        day += step


def has_night(evening: date) -> bool:
    """Whether a night session begins on the evening of this date: not before a holiday, and not on a day without trading."""
    if not is_trading_day(evening) or NO_NIGHTS[0] <= evening <= NO_NIGHTS[1]:
        return False
    ahead = (next_trading_day(evening) - evening).days
    return ahead == 1 or (ahead == 3 and evening.weekday() == 4)


def trading_day_of(moment: datetime, turn: time = EVENING) -> date:
    """The trading day a moment belongs to: from `turn` on, and on days without trading, it is the next one.

    Friday 21:00 and Saturday 01:00 are Monday's; so is the evening before a holiday the first day after it, though nothing trades.
    """
    local = moment.astimezone(SHANGHAI)
    day = local.date()
    return day if is_trading_day(day) and local.time() < turn else next_trading_day(day)


def wall_time(trading_day: date, update_time: str, millisec: int = 0) -> datetime:
    """When a tick really was, from its true trading day and its UpdateTime (`HH:MM:SS`). Aware.

    The tick's own dates do not help: DCE stamps a night with the trading day twice, CZCE with the natural date twice.
    """
    clock = time(int(update_time[:2]), int(update_time[3:5]), int(update_time[6:8]), millisec * 1000)
    if clock >= time(19, 0):  # login snapshots of the evening come from 19:20 on
        day = previous_trading_day(trading_day)
    elif clock < SMALL_HOURS:
        day = previous_trading_day(trading_day) + ONE_DAY
    else:
        day = trading_day
    return datetime.combine(day, clock, SHANGHAI)


def compact(day: date) -> str:
    """YYYYMMDD, as CTP writes days."""
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


@lru_cache(maxsize=1024)
def parse_day(text: str) -> date:
    """A day from YYYYMMDD. Raises ValueError."""
    if len(text) != 8 or not text.isascii() or not text.isdigit():
        raise ValueError(f"not a day: {text!r}")
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))
