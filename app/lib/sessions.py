"""Trading hours: the sections of a product's trading day, its auctions, and which minute bar a print belongs
to.

Pure: every question names its product and day or moment. Any process, any thread. The hours, with their
history, lie in sessions.toml beside this file; which evenings have a night session is the calendar's to say.
Products are known by their code (`rb`, `AP`); one that is not in the table (listed after its date) gets the
longest hours there are, so that nothing it trades is lost. Rules: docs/domain.md, Time 2 to 5.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from app.lib.calendar import (
    ONE_DAY,
    SHANGHAI,
    compact,
    has_night,
    on_forget,
    parse_day,
    previous_trading_day,
    trading_day_of,
)

Phase = Literal["auction", "continuous", "closed"]

TABLE = Path(__file__).with_name("sessions.toml")
MINUTE = timedelta(minutes=1)
END_GRACE = timedelta(seconds=1)  # a section's closing print is stamped with its end, or half a second later
AUCTION_LEAD = timedelta(minutes=5)  # orders are taken for four minutes, then matched for one
SECOND_AUCTION = date(
    2023, 5, 26
)  # from then on SHFE, INE and DCE have a second auction, between the night and the morning
NIGHT_OPEN = time(21, 0)
ALWAYS_TURN = time(15, 30)  # when the trading day turns where nothing ever pauses
LONGEST = "02:30"  # for products that the table does not know

COMMODITY = ((time(9, 0), time(10, 15)), (time(10, 30), time(11, 30)), (time(13, 30), time(15, 0)))
DAYS = {
    "day": COMMODITY,
    "index": ((time(9, 30), time(11, 30)), (time(13, 0), time(15, 0))),
    "bond": ((time(9, 30), time(11, 30)), (time(13, 0), time(15, 15))),
    "index-2010": ((time(9, 15), time(11, 30)), (time(13, 0), time(15, 15))),
}


class Section(NamedTuple):
    """Continuous trading from `start` to `end`, aware. `auction`: an auction comes before it."""

    start: datetime
    end: datetime
    auction: bool = False


class _Regime(NamedTuple):
    since: date
    hours: str  # a key of DAYS, or the end of the night session


class _Hours(NamedTuple):
    exchange: str
    regimes: tuple[_Regime, ...]  # oldest first


@lru_cache(maxsize=1)
def _table() -> dict[str, _Hours]:
    table: dict[str, _Hours] = {}
    for exchange, products in tomllib.loads(TABLE.read_text("utf-8")).items():
        for product, lines in products.items():
            regimes = tuple(_Regime(date.fromisoformat(line.split()[0]), line.split()[1]) for line in lines)
            table[product] = _Hours(exchange, regimes)
    return table


def is_known(product: str) -> bool:
    """Whether the table has this product's own hours."""
    return product in _table()


def products_on(trading_day: date) -> list[str]:
    """The products of the table that had been listed by this day."""
    return [product for product, known in _table().items() if known.regimes[0].since <= trading_day]


def listed_since(product: str) -> date:
    """The product's first trading day, or the first one that the table knows of. Raises KeyError for a
    product not in it.
    """
    return _table()[product].regimes[0].since


def hours_of(product: str, trading_day: date) -> str:
    """The hours in force: a key of DAYS, or the end of the night session (`23:00`)."""
    known = _table().get(product)
    if known is None:
        return LONGEST
    place = bisect_right(known.regimes, trading_day, key=lambda regime: regime.since)
    return known.regimes[max(place - 1, 0)].hours


def sections(product: str, trading_day: str | date) -> tuple[Section, ...]:
    """The sections of a trading day (YYYYMMDD or a date), in order: its night, if there was one, begins on an
    evening before.
    """
    return _sections(product, compact(trading_day) if isinstance(trading_day, date) else trading_day)


@lru_cache(maxsize=8192)
def _sections(product: str, trading_day: str) -> tuple[Section, ...]:
    day = parse_day(trading_day)
    hours = hours_of(product, day)
    night_end = None if hours in DAYS else time.fromisoformat(hours)
    result: list[Section] = []
    evening = previous_trading_day(day)
    if (
        night_end is not None and has_night(evening) and day != _first_day(product)
    ):  # a product's first day begins at 9:00
        end = datetime.combine(evening if night_end > NIGHT_OPEN else evening + ONE_DAY, night_end, SHANGHAI)
        result.append(Section(datetime.combine(evening, NIGHT_OPEN, SHANGHAI), end, auction=True))
    auction = not result or (day >= SECOND_AUCTION and exchange_of(product) in ("SHFE", "INE", "DCE"))
    for opens, closes in DAYS.get(hours, COMMODITY):
        result.append(
            Section(datetime.combine(day, opens, SHANGHAI), datetime.combine(day, closes, SHANGHAI), auction)
        )
        auction = False
    return tuple(result)


on_forget(_sections.cache_clear)


def _first_day(product: str) -> date | None:
    return listed_since(product) if is_known(product) else None


def exchange_of(product: str) -> str:
    """The exchange that trades this product; "" for one not in the table."""
    known = _table().get(product)
    return known.exchange if known else ""


def section_ends(product: str, trading_day: str | date) -> list[datetime]:
    """When the sections end, aware, in order."""
    return [section.end for section in sections(product, trading_day)]


def phase(product: str, moment: datetime) -> Phase:
    """What the exchange takes at this moment: `auction` while an auction takes orders, `closed` too in its
    minute of matching.
    """
    return phase_on(product, trading_day_of(moment), moment)


def phase_on(product: str, trading_day: str | date, moment: datetime) -> Phase:
    """Likewise, `closed` where the moment is not of this trading day."""
    for section in sections(product, trading_day):
        if section.start <= moment < section.end:
            return "continuous"
        if section.auction and section.start - AUCTION_LEAD <= moment < section.start - MINUTE:
            return "auction"
    return "closed"


def bar_start(product: str, trading_day: str | date, moment: datetime) -> datetime | None:
    """Start of the minute that a print of this moment belongs to; None when it is outside the day's sections.

    An auction's print, in the minute of its matching, goes into the first minute; one stamped with a
    section's end into the last.
    """
    for section in sections(product, trading_day):
        if moment < section.start:
            return section.start if section.auction and section.start - MINUTE <= moment else None
        if moment < section.end:
            return _floor(moment)
        if moment <= section.end + END_GRACE:
            return section.end - MINUTE
    return None


def periods(product: str, trading_day: str, minutes: int) -> Mapping[int, int]:
    """Where the longer bar of each minute of the day's sections begins; both in epoch ms.

    A bar is so many minutes of trading, counted from the day's first minute, the night's if there is one: the
    time between sections does not count, so an hour of rb runs from 10:00 to 11:15 and from 11:15 to 14:15,
    one of ag from 02:00 to 09:30. So do the terminals that traders use; sources: docs/domain.md, Time 9.
    """
    return _periods(product, trading_day, minutes)


@lru_cache(maxsize=64)
def _periods(product: str, trading_day: str, minutes: int) -> dict[int, int]:
    spans = [
        (int(section.start.timestamp()), int(section.end.timestamp()))
        for section in sections(product, trading_day)
    ]
    traded = [second * 1000 for start, end in spans for second in range(start, end, 60)]
    return {minute: traded[number - number % minutes] for number, minute in enumerate(traded)}


on_forget(_periods.cache_clear)


def _floor(moment: datetime) -> datetime:
    return moment.astimezone(SHANGHAI).replace(second=0, microsecond=0)


class ExchangeHours:
    """The exchanges' hours as bars ask for them (app/lib/bars.py)."""

    def bar_start(self, product: str, trading_day: str, moment: datetime) -> datetime | None:
        return bar_start(product, trading_day, moment)

    def sections(self, product: str, trading_day: str) -> tuple[Section, ...]:
        return sections(product, trading_day)

    def day_open(self, product: str, trading_day: str) -> datetime | None:
        """Start of the trading day's first minute."""
        return sections(product, trading_day)[0].start

    def is_open(self, products: Iterable[str], trading_day: str, moment: datetime) -> bool:
        """Whether any of these products trades on that day at that moment, the end of a section included."""
        return any(
            section.start <= moment <= section.end
            for product in products
            for section in sections(product, trading_day)
        )

    def section_ends(self, product: str, trading_day: str) -> list[datetime]:
        return section_ends(product, trading_day)

    def periods(self, product: str, trading_day: str, minutes: int) -> Mapping[int, int]:
        return periods(product, trading_day, minutes)

    def phase(self, product: str, moment: datetime) -> Phase:
        return phase(product, moment)


class AlwaysHours:
    """A generated market that never pauses: every minute is a bar. Its trading day turns at 15:30."""

    def bar_start(self, product: str, trading_day: str, moment: datetime) -> datetime | None:
        return _floor(moment)

    def sections(self, product: str, trading_day: str) -> tuple[Section, ...]:
        """One, of the whole day, weekends included."""
        day = parse_day(trading_day)
        start, end = (
            datetime.combine(turn, ALWAYS_TURN, SHANGHAI) for turn in (previous_trading_day(day), day)
        )
        return (Section(start, end),)

    def day_open(self, product: str, trading_day: str) -> datetime | None:
        return None

    def is_open(self, products: Iterable[str], trading_day: str, moment: datetime) -> bool:
        return True

    def section_ends(self, product: str, trading_day: str) -> list[datetime]:
        return []

    def periods(self, product: str, trading_day: str, minutes: int) -> Mapping[int, int]:
        """Longer bars stand on the clock."""
        return {}

    def phase(self, product: str, moment: datetime) -> Phase:
        return "continuous"


class OpenHours(ExchangeHours):
    """A front that goes on outside the exchanges' hours, as SimNow's 7×24: there each minute is a bar, inside
    all is as ever.
    """

    def bar_start(self, product: str, trading_day: str, moment: datetime) -> datetime | None:
        return bar_start(product, trading_day, moment) or _floor(moment)

    def is_open(self, products: Iterable[str], trading_day: str, moment: datetime) -> bool:
        return True


Hours = ExchangeHours | AlwaysHours


def hours_named(name: Literal["always", "exchange", "open"]) -> Hours:
    """The hours of the setting `counter_hours`. Real accounts and replays are `exchange`, fronts that never
    rest `open`.
    """
    kinds: dict[str, Callable[[], Hours]] = {
        "always": AlwaysHours,
        "exchange": ExchangeHours,
        "open": OpenHours,
    }
    return kinds[name]()
