"""What 1-minute bars, or the minutes that ticks fall into, are worth: where they begin and end, and what is
missing by the exchange's sessions and the calendar. Pure; any process.

A minute in which nobody traded has no bar with most recorders, so single minutes that are missing say little
of a quiet contract; sections and days that are missing as a whole say a lot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from app.lib.bars import Bar
from app.lib.calendar import SHANGHAI, compact, next_trading_day, parse_day, trading_day_of
from app.lib.sessions import sections
from app.lib.symbols import product_of

MINUTE = 60_000
HOUR = 60 * MINUTE
FLAT_SHARE = 0.5  # of the bars with volume: real minutes move
LEAST_FLAT = 30  # bars, from which a share tells something
MOST_NAMED = 20


class Stretch(NamedTuple):
    """Minutes that are missing one behind the other within a section: the first one (epoch ms), and how
    many.
    """

    start: int
    minutes: int


class Gaps(NamedTuple):
    """What is missing between the first minute and the last. `sections`: whole ones of days that are there,
    by their first minute; `minutes`: all that are missing of days that are there.
    """

    days: list[str]
    sections: list[int]
    minutes: int
    longest: Stretch


class Quality(NamedTuple):
    """A series of bars. Times in epoch ms, of minutes' starts."""

    local_symbol: str
    first: int
    last: int
    bars: int
    days: int
    repeated: int  # rows of a minute that was there already
    outside: int  # minutes outside of all sections
    flat: int  # with volume, and one price for all four
    flat_share: float  # of those with volume
    incomplete: int
    gaps: Gaps

    @property
    def is_flat(self) -> bool:
        """As no real market is: a converter that wrote the close four times."""
        return self.flat >= LEAST_FLAT and self.flat_share > FLAT_SHARE

    @property
    def remarks(self) -> list[str]:
        """What is to be looked at, in words."""
        found = []
        if self.is_flat:
            found.append(f"{self.flat_share:.0%} 的 K 线四价相同：多半是转换时写错了，请重新导出")
        if self.gaps.days:
            found.append(f"缺整个交易日：{_few(self.gaps.days)}")
        if self.gaps.sections:
            found.append(f"缺整节：{_few([moment(one) for one in self.gaps.sections])}")
        if self.outside:
            found.append(f"{self.outside} 根在交易时段之外")
        if self.repeated:
            found.append(f"{self.repeated} 行重复")
        if self.incomplete:
            found.append(f"{self.incomplete} 根不完整（录制时断过线）")
        return found


def quality(local_symbol: str, bars: Sequence[Bar], repeated: int = 0) -> Quality:
    """Of at least one bar, oldest first."""
    stamps = [bar.timestamp for bar in bars]
    traded = [bar for bar in bars if bar.volume]
    flat = sum(bar.open == bar.high == bar.low == bar.close for bar in traded)
    by_day, outside = _by_day(local_symbol, stamps)
    return Quality(
        local_symbol,
        stamps[0],
        stamps[-1],
        len(bars),
        len(by_day),
        repeated,
        outside,
        flat,
        flat / len(traded) if traded else 0.0,
        sum(not bar.complete for bar in bars),
        _gaps(product_of(local_symbol), by_day, stamps[0], stamps[-1]),
    )


def gaps_of(local_symbol: str, minutes: Collection[int]) -> Gaps:
    """Of the minutes in which something came, in epoch ms; at least one."""
    stamps = sorted(minutes)
    by_day, _ = _by_day(local_symbol, stamps)
    return _gaps(product_of(local_symbol), by_day, stamps[0], stamps[-1])


def moment(timestamp: int) -> str:
    """Epoch ms as exchange time, to the minute."""
    return f"{datetime.fromtimestamp(timestamp / 1000, SHANGHAI):%Y-%m-%d %H:%M}"


def _by_day(local_symbol: str, stamps: Sequence[int]) -> tuple[dict[str, set[int]], int]:
    """The minutes of each trading day, and how many lie outside of its sections."""
    product = product_of(local_symbol)
    hours: dict[int, str] = {}
    by_day: dict[str, set[int]] = {}
    for stamp in stamps:
        hour = stamp // HOUR
        if hour not in hours:
            hours[hour] = compact(trading_day_of(datetime.fromtimestamp(stamp / 1000, SHANGHAI)))
        by_day.setdefault(hours[hour], set()).add(stamp)
    outside = 0
    for day, found in by_day.items():
        outside += len(found.difference(*(_minutes(span) for span in _spans(product, day))))
    return by_day, outside


def _gaps(product: str, by_day: dict[str, set[int]], first: int, last: int) -> Gaps:
    missing_days: list[str] = []
    missing_sections: list[int] = []
    count, longest = 0, Stretch(0, 0)
    for day in _days(min(by_day), max(by_day)):
        there = by_day.get(day)
        if there is None:
            missing_days.append(day)
            continue
        for span in _spans(product, day):
            wanted = [minute for minute in _minutes(span) if first <= minute <= last]
            absent = [minute for minute in wanted if minute not in there]
            count += len(absent)
            if wanted and len(absent) == len(_minutes(span)):
                missing_sections.append(span[0])
            else:
                longest = max(longest, *_stretches(absent), key=lambda one: one.minutes)
    return Gaps(missing_days, missing_sections, count, longest)


def _days(first: str, last: str) -> Iterator[str]:
    """The trading days from one to the other, both included."""
    day, end = parse_day(first), parse_day(last)
    while day <= end:
        yield compact(day)
        day = next_trading_day(day)


def _spans(product: str, day: str) -> list[tuple[int, int]]:
    return [
        (int(section.start.timestamp() * 1000), int(section.end.timestamp() * 1000))
        for section in sections(product, day)
    ]


def _minutes(span: tuple[int, int]) -> range:
    return range(*span, MINUTE)


def _stretches(absent: Sequence[int]) -> list[Stretch]:
    found = [Stretch(0, 0)]
    for minute in absent:
        last = found[-1]
        if last.minutes and minute == last.start + last.minutes * MINUTE:
            found[-1] = Stretch(last.start, last.minutes + 1)
        else:
            found.append(Stretch(minute, 1))
    return found


def _few(names: Sequence[str]) -> str:
    rest = f" 等 {len(names)} 个" if len(names) > MOST_NAMED else ""
    return f"{'、'.join(names[:MOST_NAMED])}{rest}"
