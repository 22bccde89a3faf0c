"""Trading days, night sessions, and the trading day of a moment. Pure but for its files: the moment is passed
in. Any process, any thread.

Days come from exchange_calendars' Shanghai calendar (XSHG), read at the first question, or from the file that
it was kept in (`keep_in`). It ends a year or less ahead: the years after it come from holidays.toml beside
this file, where a year may be `assumed`, and beyond that weekdays count as trading days; `is_sure` says no to
both. An override file (`use_overrides`, `refresh`) corrects or extends all that, and the counter's own
TradingDay (`confirm`) is the last word. All moments are aware; the exchanges' wall time is Asia/Shanghai
whatever the host's zone is. Rules: docs/domain.md, Time 1, 2, 6 and 7.
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
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from app.lib.errors import SettingsError

SHANGHAI = ZoneInfo("Asia/Shanghai")
EVENING = time(20, 0)  # from here on an evening belongs to the next trading day
SMALL_HOURS = time(6, 0)  # until here a night session may run on (the longest ends 02:30)
FIRST_DAY = "2005-01-01"
ONE_DAY = timedelta(days=1)
KEPT_FILE = "calendar.json"
HOLIDAYS = Path(__file__).with_name("holidays.toml")
AHEAD = timedelta(days=30)
"""How long before the end of what is known it is told."""

# No night session, in evenings: suspended for the epidemic, from the first day after the Spring Festival to
# the holiday in May.
NO_NIGHTS = (date(2020, 2, 3), date(2020, 5, 5))


log = logging.getLogger(__name__)


class _Days(NamedTuple):
    """What is known of the days: `sessions` up to `last`, then weekdays; `opened` and `closed` come before
    both.
    """

    sessions: frozenset[date]
    first: date
    last: date  # of the library's sessions
    sure_until: date  # its bound, that of a year whose notice was read, or what the override file says
    assumed_until: date  # of the years whose notice was not read; `sure_until` where there is none
    closed: frozenset[date] = frozenset()
    opened: frozenset[date] = frozenset()
    sure: frozenset[date] = (
        frozenset()
    )  # single days beyond `sure_until` that somebody named: the file, the counter


class Holidays(NamedTuple):
    """A year of holidays.toml. `assumed`: by the rules of law and custom, its notice was not read. `closed`:
    weekdays.
    """

    assumed: bool
    closed: frozenset[date]


class Outlook(NamedTuple):
    """How far the calendar reaches from some day, in a state and in words for users; `broken`: its override
    file cannot be read.
    """

    state: Literal["sure", "assumed", "guessed", "broken"]
    text: str


class _Corrections(NamedTuple):
    """What the override file says."""

    closed: frozenset[date] = frozenset()
    opened: frozenset[date] = frozenset()
    sure_until: date = date.min


class _Kept(msgspec.Struct):
    """What `keep_in` keeps, in dates' ordinals; of this version of the library alone."""

    library: str
    sessions: list[int]
    sure_until: int


_kept: Path | None = None
_overrides: Path | None = None
_seen: tuple[int, int, int] | None = None  # the override file as it was when it was last read
_problem: SettingsError | None = None  # why it could not be read then
_corrections = _Corrections()
_confirmed: frozenset[date] = frozenset()


def keep_in(folder: Path | None) -> None:
    """Keep the library's days in a file of this folder: who reads it is spared the library, and most of a
    second of pandas.

    Called once when a process starts. The override file is read anew each time. A file that is broken, of
    another version of the library, or that cannot be written costs that second again and nothing else.
    """
    global _kept
    _kept = None if folder is None else folder / KEPT_FILE
    forget()


def use_overrides(path: Path | None) -> None:
    """Correct the calendar by a TOML file: `closed = [2027-02-08]`, `open = [2027-02-20]`, `sure_until =
    2027-12-31`, each optional.

    Up to `sure_until` the file has every closure that the library has not: what the package assumes for these
    days is dropped. Called once when a process starts; `refresh` reads the file again. Raises SettingsError
    for a file that is not like that.
    """
    global _overrides, _seen, _problem, _corrections, _confirmed
    _overrides, _seen, _problem, _corrections, _confirmed = path, None, None, _Corrections(), frozenset()
    if path is not None:
        _seen = _stamp(path)
        _corrections = _read(path)
    forget()


def refresh() -> bool:
    """Read the override file again if it has changed; returns whether the calendar has. To be called every
    few seconds.

    Raises SettingsError at each call while the file is broken or gone: what it said before holds on.
    """
    global _seen, _problem, _corrections
    if _overrides is None:
        return False
    stamp = _stamp(_overrides)
    if stamp == _seen:
        if _problem is not None:
            raise _problem
        return False
    _seen, _problem = stamp, None
    try:
        corrections = _read(_overrides)
    except SettingsError as error:
        _problem = error
        raise
    changed, _corrections = corrections != _corrections, corrections
    if changed:
        forget()
    return changed


def confirm(day: date) -> None:
    """The counter says that this is a trading day: it is one, whatever is known or assumed. A weekend is not
    believed.

    A front that never rests has its own days, at weekends too.
    """
    global _confirmed
    if day.weekday() < 5 and not is_trading_day(day):
        _confirmed |= {day}
        forget()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def load() -> None:
    """Read the calendar now: the first question may cost most of a second of pandas, on a busy machine
    several.
    """
    _days()


def forget() -> None:
    """Drop what is cached, here and in those who registered with `on_forget`."""
    _days_with.cache_clear()
    for clear in _dependants:
        clear()


_dependants: list[Callable[[], None]] = []


def on_forget(clear: Callable[[], None]) -> None:
    """`clear` is called when the calendar changes: for caches that are built on it."""
    _dependants.append(clear)


def _days() -> _Days:
    return _days_with(_corrections, _confirmed)


@lru_cache(maxsize=1)
def _days_with(corrections: _Corrections, confirmed: frozenset[date]) -> _Days:
    return _confirmed_by(confirmed, _corrected(_extended(_read_kept() or _from_library()), corrections))


@lru_cache(maxsize=1)
def packaged() -> dict[int, Holidays]:
    """The years of holidays.toml."""
    years = tomllib.loads(HOLIDAYS.read_text("utf-8"))
    return {
        int(year): Holidays(told["assumed"], frozenset(told["closed"]))
        for year, told in sorted(years.items())
    }


def _extended(days: _Days) -> _Days:
    """The package's years behind the library's last day."""
    for year, told in packaged().items():
        if (end := date(year, 12, 31)) <= days.sure_until:
            continue
        days = days._replace(
            closed=days.closed | {day for day in told.closed if day > days.sure_until}, assumed_until=end
        )
        if not told.assumed and days.sure_until >= date(year, 1, 1) - ONE_DAY:
            days = days._replace(sure_until=end)
    return days


def _from_library() -> _Days:
    from exchange_calendars import (
        get_calendar,  # heavy (pandas): only those who ask for a day pay for it, see `load` and `keep_in`
    )

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # between that library and pandas, nothing of ours
        calendar = get_calendar("XSHG", start=FIRST_DAY)
        bound = calendar.bound_max()
        if (
            bound is not None and calendar.sessions[-1] < bound
        ):  # it goes no further than a year from now by itself
            calendar = get_calendar("XSHG", start=FIRST_DAY, end=bound)
    sessions = frozenset(stamp.date() for stamp in calendar.sessions)
    sure_until = max(sessions) if bound is None else bound.date()
    days = _Days(sessions, min(sessions), max(sessions), sure_until, sure_until)
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
        sure_until = date.fromordinal(kept.sure_until)
        return _Days(sessions, min(sessions), max(sessions), sure_until, sure_until)
    except (OSError, ValueError, OverflowError):
        return None


def _keep(days: _Days) -> None:
    if _kept is None:
        return
    temporary = _kept.with_name(f".{_kept.name}.{uuid.uuid4().hex}")
    kept = _Kept(
        version("exchange_calendars"),
        sorted(day.toordinal() for day in days.sessions),
        days.sure_until.toordinal(),
    )
    try:
        temporary.write_bytes(msgspec.json.encode(kept))
        temporary.replace(_kept)
    except OSError as error:
        log.info("the calendar is not kept in %s: %s", _kept, error)
    finally:
        with suppress(OSError):
            temporary.unlink()


def _read(path: Path) -> _Corrections:
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"交易日历文件 {path} 读不了：{error}", parameter="calendar") from None
    for key, value in table.items():
        listed = value if key in ("closed", "open") and isinstance(value, list) else [value]
        if key not in ("closed", "open", "sure_until") or not all(type(item) is date for item in listed):
            raise SettingsError(
                f"交易日历文件 {path}：{key} 不合法（closed、open 为日期列表，sure_until 为日期）",
                parameter="calendar",
            )
    return _Corrections(
        frozenset(table.get("closed", ())),
        frozenset(table.get("open", ())),
        table.get("sure_until", date.min),
    )


def _corrected(days: _Days, corrections: _Corrections) -> _Days:
    closed, opened, sure_until = corrections
    sure_until = max(days.sure_until, sure_until)
    return days._replace(
        closed=frozenset(day for day in days.closed if not days.sure_until < day <= sure_until) - opened
        | closed,
        opened=opened,
        sure_until=sure_until,
        assumed_until=max(days.assumed_until, sure_until),
        sure=closed | opened,
    )


def _confirmed_by(confirmed: frozenset[date], days: _Days) -> _Days:
    return days._replace(
        closed=days.closed - confirmed, opened=days.opened | confirmed, sure=days.sure | confirmed
    )


def is_sure(day: date) -> bool:
    """Whether the calendar knows this day, rather than assuming or guessing it."""
    days = _days()
    return day in days.sure or days.first <= day <= days.sure_until


def outlook(today: date, ahead: timedelta = AHEAD) -> Outlook:
    """What is to be told of the calendar's end, `ahead` of it: nothing is to be done only in state `sure`."""
    days = _days()
    text = f"确知到 {days.sure_until:%Y-%m-%d}"
    if days.sure_until - today > ahead:
        return Outlook("sure", text)
    if today <= days.sure_until:
        text += f"，还有 {(days.sure_until - today).days} 天"
    if days.assumed_until - today > ahead:
        text += f"；之后到 {days.assumed_until:%Y-%m-%d} 的休市日是按放假办法推定的"
        return Outlook(
            "assumed", f"{text}：请核对国务院与交易所的休市公告，不同则用设置 calendar_file 更正，或升级"
        )
    if days.assumed_until > days.sure_until:
        text += f"，推定到 {days.assumed_until:%Y-%m-%d}"
    return Outlook(
        "guessed", f"{text}；再往后按工作日推算，节假日会当成交易日：请升级，或用设置 calendar_file 补上"
    )


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
    """Whether a night session begins on the evening of this date: not before a holiday, and not on a day
    without trading.
    """
    if not is_trading_day(evening) or NO_NIGHTS[0] <= evening <= NO_NIGHTS[1]:
        return False
    ahead = (next_trading_day(evening) - evening).days
    return ahead == 1 or (ahead == 3 and evening.weekday() == 4)


def trading_day_of(moment: datetime, turn: time = EVENING) -> date:
    """The trading day a moment belongs to: from `turn` on, and on days without trading, it is the next one.

    Friday 21:00 and Saturday 01:00 are Monday's; so is the evening before a holiday the first day after it,
    though nothing trades.
    """
    local = moment.astimezone(SHANGHAI)
    day = local.date()
    return day if is_trading_day(day) and local.time() < turn else next_trading_day(day)


def wall_time(trading_day: date, update_time: str, millisec: int = 0) -> datetime:
    """When a tick really was, from its true trading day and its UpdateTime (`HH:MM:SS`). Aware.

    The tick's own dates do not help: DCE stamps a night with the trading day twice, CZCE with the natural
    date twice.
    """
    clock = time(int(update_time[:2]), int(update_time[3:5]), int(update_time[6:8]), millisec * 1000)
    if clock >= time(19, 0):  # login snapshots of the evening come from 19:20 on
        day = previous_trading_day(trading_day)
    elif clock < SMALL_HOURS:
        day = previous_trading_day(trading_day) + ONE_DAY
    else:
        day = trading_day
    return datetime.combine(day, clock, SHANGHAI)


def wire_clock(moment: datetime) -> tuple[str, str]:
    """`20250606` and `21:00:01` of a moment in its own zone: CTP's date and time. strftime takes ten times as
    long.
    """
    global _newest
    known = _newest
    if moment is known[0]:
        return known[1]
    clock = compact(moment.date()), moment.time().isoformat("seconds")
    _newest = moment, clock
    return clock


_newest: tuple[datetime | None, tuple[str, str]] = None, ("", "")
"""An order and what comes of it are of one moment, which is asked for again and again."""


def compact(day: date) -> str:
    """YYYYMMDD, as CTP writes days."""
    return day.isoformat().replace("-", "")


@lru_cache(maxsize=1024)
def parse_day(text: str) -> date:
    """A day from YYYYMMDD. Raises ValueError."""
    if len(text) != 8 or not text.isascii() or not text.isdigit():
        raise ValueError(f"not a day: {text!r}")
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))
