"""An account's bars as they are asked for and kept: the store behind them, and a cache of what pages ask
most. Gateway process.

What a page opens with is the default range (the newest three days of one contract). Its JSON is kept: a bar
that has been saved is appended, old ones are cut off the front as the clock moves on, and as long as neither
happens the very bytes are given again. Safe to call from any thread; a write is in the store before the cache
has it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import orjson

from app.lib import rows
from app.lib.bars import INTERVAL_MINUTES, Bar, BarRow, aggregate, day_of_start
from app.lib.symbols import product_of
from app.model.store import Store

MINUTE = 60_000
DAY_MINUTES = 1440
LONGEST_REACH = 30 * DAY_MINUTES  # minutes from a daily bar's first to its last: over the longest holiday
WEEKEND_REACH = 3 * DAY_MINUTES  # from a shorter bar's first to its last: Saturday 02:00 to Monday 09:30
MOST_CACHED = 64
MOST_ROWS = 1 << 53
NEVER = 1 << 53


DayRow = tuple[int, float, float, float, float, int, str]


class Range(NamedTuple):
    """Which bars: `start` and `end` in epoch ms, `end` exclusive, 0 for open; with `limit` the newest that
    many.
    """

    start: int = 0
    end: int = 0
    limit: int = 0


class _Recent:
    """The default range of one contract and interval, as JSON."""

    __slots__ = ("_start", "_first", "_payload", "newest")

    def __init__(self, start: int, bars: Sequence[BarRow | DayRow]) -> None:
        self._start = start  # complete from here on
        self._keep(bars)

    def _keep(self, bars: Sequence[BarRow | DayRow]) -> None:
        self._payload = rows.to_json(bars)
        self._first = bars[0][0] if bars else NEVER
        self.newest = bars[-1][0] if bars else self._start - 1

    def since(self, start: int) -> bytes | None:
        """None where older bars are asked than there are."""
        if start < self._start:
            return None
        self._start = start
        if self._first < start:
            self._keep([bar for bar in orjson.loads(self._payload) if bar[0] >= start])
        return self._payload

    def append(self, bars: Sequence[BarRow]) -> None:
        """Those that follow the newest."""
        if self._first == NEVER:
            self._keep(bars)
        elif bars:
            self._payload = self._payload[:-1] + b"," + rows.to_json(bars)[1:]
            self.newest = bars[-1][0]


class BarArchive:
    """See the module's docstring.

    `trading_day_of(ms)` is what daily bars go by, `periods(product, trading_day, minutes)` what shorter ones
    do that are cut by trading minutes (app/lib/sessions.py); `on_saved(local_symbol)` runs in the thread that
    saves.
    """

    def __init__(
        self,
        store: Store,
        trading_day_of: Callable[[int], str],
        periods: Callable[[str, str, int], Mapping[int, int]],
        on_saved: Callable[[str], object] = lambda _local_symbol: None,
    ) -> None:
        self._store = store
        self._trading_day_of = trading_day_of
        self._periods = periods
        self._on_saved = on_saved
        self._lock = threading.Lock()
        self.written = 0
        self._recent: OrderedDict[tuple[str, str, str], _Recent] = OrderedDict()
        self._writes: defaultdict[str, int] = defaultdict(
            int
        )  # by contract: what was read before a write must not be cached after it

    def save(self, local_symbol: str, bars: Sequence[Bar]) -> int:
        """Keep 1-minute bars, in place of those of the same minutes."""
        saved = self._store.save_bars(local_symbol, "1m", bars)
        with self._lock:
            self.written += saved
            self._writes[local_symbol] += 1
            for key in [key for key in self._recent if key[0] == local_symbol]:
                if key[1] != "1m" or not self._append(self._recent[key], bars):
                    del self._recent[key]
        self._on_saved(local_symbol)
        return saved

    @staticmethod
    def _append(recent: _Recent, bars: Sequence[Bar]) -> bool:
        newest = recent.newest
        for bar in bars:
            if bar.timestamp <= newest:
                return False  # it replaces one, or lies between two
            newest = bar.timestamp
        recent.append([bar[:6] for bar in bars])
        return True

    def has(self, local_symbol: str) -> bool:
        """Whether there is any bar of this contract."""
        return self._store.last_bar(local_symbol, "1m") is not None

    def recent(self, local_symbol: str, interval: str, start: int, cut: str = "session") -> bytes | None:
        """The JSON of all bars since `start`, if the cache has it: at once."""
        with self._lock:
            recent = self._recent.get((local_symbol, interval, cut))
            if recent is None:
                return None
            self._recent.move_to_end((local_symbol, interval, cut))
            return recent.since(start)

    def read_recent(self, local_symbol: str, interval: str, start: int, cut: str = "session") -> bytes:
        """The same from the store; the next who asks finds it in the cache."""
        with self._lock:
            writes = self._writes[local_symbol]
        recent = _Recent(start, self.rows(local_symbol, interval, Range(start), cut))
        payload = recent.since(start)
        assert payload is not None
        with self._lock:
            if self._writes[local_symbol] == writes:
                self._recent[local_symbol, interval, cut] = recent
                while len(self._recent) > MOST_CACHED:
                    self._recent.popitem(last=False)
        return payload

    def read(self, local_symbol: str, interval: str, wanted: Range, cut: str = "session") -> bytes:
        """The JSON of any range."""
        return rows.to_json(self.rows(local_symbol, interval, wanted, cut))

    def rows(
        self, local_symbol: str, interval: str, wanted: Range, cut: str = "session"
    ) -> Sequence[BarRow | DayRow]:
        """The bars of a range as a page gets them; those of a day with their trading day behind."""
        if interval == "1m":
            return self._store.read_bar_rows(local_symbol, "1m", *wanted)
        bars = self.bars(local_symbol, interval, wanted, cut)
        return (
            [(*bar[:6], day_of_start(bar.timestamp)) for bar in bars]
            if interval == "1d"
            else [bar[:6] for bar in bars]
        )

    def bars(self, local_symbol: str, interval: str, wanted: Range, cut: str = "session") -> list[Bar]:
        """The bars whose timestamps are in the range, oldest first, each made of all its minutes wherever the
        range ends.
        """
        start, end, limit = wanted
        if interval == "1m":
            return self._store.read_bars(local_symbol, "1m", start, end, limit)
        span = INTERVAL_MINUTES.get(interval, DAY_MINUTES)
        reach = LONGEST_REACH if interval == "1d" else WEEKEND_REACH if cut == "session" else span
        # The newest `limit` are whole in so many: a bar may have the minutes of its period, and those outside
        # the sections of its clock.
        most = min(2 * limit * span + reach, MOST_ROWS) if limit else 0
        first, last = max(0, start - reach * MINUTE), end + reach * MINUTE if end else 0
        minutes = self._store.read_bars(local_symbol, "1m", first, last, most)
        periods = partial(self._periods, product_of(local_symbol)) if cut == "session" else None
        longer = aggregate(minutes, interval, self._trading_day_of, periods)
        found = [bar for bar in longer if bar.timestamp >= start and (not end or bar.timestamp < end)]
        return found[-limit:] if limit else found
