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
from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal, NamedTuple

import orjson

from app.lib import rows
from app.lib.bars import (
    CUTS,
    FIGURES,
    INTERVAL_MINUTES,
    INTERVALS,
    Bar,
    aggregate,
    bar_figures,
    day_of_start,
)
from app.lib.calendar import EVENING, SHANGHAI, compact, trading_day_of
from app.lib.errors import BadInput
from app.lib.interface_names import CTP_INTERFACES
from app.lib.sessions import ALWAYS_TURN
from app.lib.symbols import parse_symbol, product_of
from app.model.store import Store
from app.settings import Settings
from app.wire.messages import Counted, Json, ReadBars, SaveBars

MINUTE = 60_000
DAY_MINUTES = 1440
LONGEST_REACH = 30 * DAY_MINUTES  # minutes from a daily bar's first to its last: over the longest holiday
WEEKEND_REACH = 3 * DAY_MINUTES  # from a shorter bar's first to its last: Saturday 02:00 to Monday 09:30
MOST_CACHED = 64
MOST_ROWS = 1 << 53
NEVER = 1 << 53
DEFAULT_RANGE = timedelta(days=3)


Row = tuple[Any, ...]
"""A BarRow; of a day with its trading day behind; behind that the figures that were asked for."""
Figures = tuple[str, ...]
"""Which of FIGURES, in the order in which they were asked for."""


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

    def __init__(self, start: int, bars: Sequence[Row]) -> None:
        self._start = start  # complete from here on
        self._keep(bars)

    def _keep(self, bars: Sequence[Row]) -> None:
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

    def append(self, bars: Sequence[Row]) -> None:
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
        self._recent: OrderedDict[tuple[str, str, str, Figures], _Recent] = OrderedDict()
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
                if key[1] != "1m" or not self._append(self._recent[key], bars, key[3]):
                    del self._recent[key]
        self._on_saved(local_symbol)
        return saved

    @staticmethod
    def _append(recent: _Recent, bars: Sequence[Bar], fields: Figures) -> bool:
        newest = recent.newest
        for bar in bars:
            if bar.timestamp <= newest:
                return False  # it replaces one, or lies between two
            newest = bar.timestamp
        recent.append([_row(bar, "1m", fields) for bar in bars])
        return True

    def has(self, local_symbol: str) -> bool:
        """Whether there is any bar of this contract."""
        return self._store.last_bar(local_symbol, "1m") is not None

    def recent(
        self, local_symbol: str, interval: str, start: int, cut: str = "session", fields: Figures = ()
    ) -> bytes | None:
        """The JSON of all bars since `start`, if the cache has it: at once."""
        key = local_symbol, interval, cut, fields
        with self._lock:
            recent = self._recent.get(key)
            if recent is None:
                return None
            self._recent.move_to_end(key)
            return recent.since(start)

    def read_recent(
        self, local_symbol: str, interval: str, start: int, cut: str = "session", fields: Figures = ()
    ) -> bytes:
        """The same from the store; the next who asks finds it in the cache."""
        with self._lock:
            writes = self._writes[local_symbol]
        recent = _Recent(start, self.rows(local_symbol, interval, Range(start), cut, fields))
        payload = recent.since(start)
        assert payload is not None
        with self._lock:
            if self._writes[local_symbol] == writes:
                self._recent[local_symbol, interval, cut, fields] = recent
                while len(self._recent) > MOST_CACHED:
                    self._recent.popitem(last=False)
        return payload

    def read(
        self, local_symbol: str, interval: str, wanted: Range, cut: str = "session", fields: Figures = ()
    ) -> bytes:
        """The JSON of any range."""
        return rows.to_json(self.rows(local_symbol, interval, wanted, cut, fields))

    def rows(
        self, local_symbol: str, interval: str, wanted: Range, cut: str = "session", fields: Figures = ()
    ) -> Sequence[Row]:
        """The bars of a range as a page gets them."""
        if interval == "1m" and not fields:
            return self._store.read_bar_rows(local_symbol, "1m", *wanted)
        return [_row(bar, interval, fields) for bar in self.bars(local_symbol, interval, wanted, cut)]

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


class BarDesk:
    """What is asked of the bars. `read` runs in the event thread, and what it has to look up in the
    archive's; `save` in the archive's. `resolve` gives a known contract's local symbol, `now` the counter's
    clock.
    """

    def __init__(
        self,
        archive: BarArchive,
        store: Store,
        resolve: Callable[[str], str | None],
        now: Callable[[], datetime],
        in_archive: Callable[[Callable[[], Json]], Future[Json]],
    ) -> None:
        self._archive = archive
        self._store = store
        self._resolve = resolve
        self._now = now
        self._in_archive = in_archive

    def read(self, request: ReadBars) -> Json | Future[Json]:
        _check(request)
        listed = self._resolve(request.local_symbol)
        local_symbol = listed or request.local_symbol
        is_default = not request.start and not request.limit
        start = self._default_start(request.end) if is_default else request.start
        is_recent = is_default and not request.end
        shape = request.cut, request.fields
        if is_recent:
            cached = self._archive.recent(local_symbol, request.interval, start, *shape)
            if cached is not None:
                return Json(cached)

        def look_up() -> Json:
            # one that is not listed any more may have bars from when it was
            if listed is None and not self._archive.has(local_symbol):
                raise BadInput("local_symbol", "不认识的合约", code="UNKNOWN_SYMBOL")
            if is_recent:
                return Json(self._archive.read_recent(local_symbol, request.interval, start, *shape))
            wanted = Range(start, request.end, request.limit)
            return Json(self._archive.read(local_symbol, request.interval, wanted, *shape))

        return self._in_archive(look_up)

    def save(self, request: SaveBars) -> Counted:
        symbol = parse_symbol(request.local_symbol)
        if not symbol.exchange:
            raise BadInput("local_symbol", "合约名称应带交易所，形如 rb2501.SHFE")
        return Counted(self._archive.save(str(symbol), request.bars), self._store.state().waiting)

    def _default_start(self, end: int) -> int:
        newest = end or int(self._now().timestamp() * 1000)
        return max(0, newest - int(DEFAULT_RANGE.total_seconds() * 1000))


def _row(bar: Bar, interval: str, fields: Figures) -> Row:
    row: Row = (*bar[:6], day_of_start(bar.timestamp)) if interval == "1d" else bar[:6]
    if not fields:
        return row
    figures = bar_figures(bar)
    return (*row, *(figures[field] for field in fields))


def _check(request: ReadBars) -> None:
    if request.interval not in INTERVALS:
        raise BadInput("interval", f"interval 应为 {'、'.join(INTERVALS)} 之一")
    if request.cut not in CUTS:
        raise BadInput("cut", f"cut 应为 {'、'.join(CUTS)} 之一")
    if not set(request.fields) <= set(FIGURES):
        raise BadInput("fields", f"fields 只可有 {'、'.join(FIGURES)}")
    for name in ("start", "end", "limit"):
        if not 0 <= getattr(request, name) <= NEVER:
            raise BadInput(name, f"{name} 应为不小于 0 的整数")
    if request.end and request.start >= request.end:
        raise BadInput("start", "start 应早于 end")


def kind_of_hours(interface: str, settings: Settings) -> Literal["always", "exchange", "open"]:
    """Which hours the account's bars have, as app/lib/sessions.py names them."""
    if interface in CTP_INTERFACES:
        return "open" if settings.ctp_hours == "always" else "exchange"
    return settings.counter_hours if settings.counter_quotes == "generated" else "exchange"


def trading_day_by(kind: str) -> Callable[[int], str]:
    """What gives the trading day (YYYYMMDD) of a moment in epoch ms, in hours of that kind."""
    turn = ALWAYS_TURN if kind == "always" else EVENING

    def trading_day(timestamp: int) -> str:
        return compact(trading_day_of(datetime.fromtimestamp(timestamp / 1000, SHANGHAI), turn))

    return trading_day
