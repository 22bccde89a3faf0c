"""What a backtest runs over: bars or ticks of some contracts, by trading day. Backtest's child; pure but for
reading files.

Files are what the counter replays and `import-bars` takes (docs/replay.md), and files of columns made of
them or of a store's bars (app/lib/bar_columns.py), which load at once; one run is by bars or by ticks.

A run over a store's bars: `bars_from_store(store, contracts, span)` in the process that may read the store,
written down as `bar_columns.encoded(bars)`, and the name of that file among the job's.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, time, timedelta
from heapq import merge
from pathlib import Path
from typing import NamedTuple, Protocol

from app.counter.contracts import product_code_of
from app.counter.markets.readers import BadFile, Row, holds_ticks, read_rows
from app.lib import bar_columns, columns
from app.lib.bar_files import read_bar_file
from app.lib.bars import Bar
from app.lib.calendar import EVENING, SHANGHAI, compact, parse_day, trading_day_of
from app.lib.errors import AppError, BadInput
from app.lib.symbols import product_of

HOUR = 3_600_000


class NoData(AppError):
    """There is nothing to run over: choose another range, or other files."""

    default_code = "NO_DATA"


Minute = tuple[int, list[tuple[str, Bar]]]
"""Its start in epoch ms, and its bars with their local symbols."""


class Span(NamedTuple):
    """Trading days YYYYMMDD, both included; "" for open."""

    start: str = ""
    end: str = ""

    def has(self, trading_day: str) -> bool:
        return self.start <= trading_day and (not self.end or trading_day <= self.end)


EVERYTHING = Span()
FURTHEST_NIGHT = timedelta(days=30)  # no trading day begins earlier before its date
LAST_END = timedelta(days=1)


class BarStore(Protocol):
    """What of a store (app/model/store.py) is asked for bars."""

    def read_bars(
        self, local_symbol: str, interval: str, start: int = 0, end: int = 0, limit: int = 0
    ) -> list[Bar]: ...

    def series(self) -> list[tuple[str, str]]: ...


class Data(NamedTuple):
    """One of the two, oldest first. Ticks are those of the trading hours and around them, as recorded."""

    bars: dict[str, list[Bar]]  # by local symbol
    ticks: list[Row]
    hashes: dict[str, str]  # by file name: sha256

    @property
    def local_symbols(self) -> list[str]:
        if self.bars:
            return sorted(self.bars)
        return sorted({f"{row.depth.InstrumentID}.{row.depth.ExchangeID}" for row in self.ticks})

    @property
    def codes(self) -> set[str]:
        """The products."""
        return {product_code_of(symbol.partition(".")[0]) for symbol in self.local_symbols}


def load(
    files: Sequence[Path],
    span: Span = EVERYTHING,
    symbol: str = "",
    label: str = "",
    on_row: Callable[[int], object] = lambda _count: None,
    contracts: Sequence[str] = (),
) -> Data:
    """`contracts`: these alone, of all that the files have. Raises BadInput, NoData, BadFile and BadBarFile,
    which name file and line.
    """
    _check(span)
    files = sorted(files, key=lambda path: path.name)  # in whatever order they are named: the same outcome
    by_ticks = [path for path in files if holds_ticks(path)]
    if by_ticks and len(by_ticks) < len(files):
        raise BadInput("data", f"一次回测或用 tick 或用 K 线：{by_ticks[0].name} 是 tick，另有文件是 K 线")
    hashes = {name: digest for path in files for name, digest in _sources(path)}
    if by_ticks:
        wanted = [local_symbol.partition(".")[0] for local_symbol in contracts]
        each = (_counted(read_rows(path, wanted), span, on_row) for path in files)
        data = Data({}, list(merge(*each, key=lambda row: row.moment)), hashes)
    else:
        bars = _bars(files, span, symbol, label, on_row)
        wanted = list(contracts or bars)
        data = Data({name: series for name, series in bars.items() if name in wanted}, [], hashes)
    return _whole(data, span, contracts)


def _whole(data: Data, span: Span, contracts: Sequence[str]) -> Data:
    missing = sorted({*contracts} - {*data.local_symbols})
    if missing or (not data.bars and not data.ticks):
        raise NoData(f"文件里没有{' ' if missing else ''}{'、'.join(missing)}这段时间{_said(span)}的行情")
    return data


def _sources(path: Path) -> list[tuple[str, str]]:
    """What the file's content comes from, by name, and its SHA-256: the file itself, or what its columns
    say.
    """
    metas = columns.metas(path) if columns.is_columns(path) else []
    noted = {str(meta.note["source"]): str(meta.note["sha256"]) for meta in metas if "sha256" in meta.note}
    return sorted(noted.items()) or [(path.name, hashlib.sha256(path.read_bytes()).hexdigest())]


def bars_from_store(
    store: BarStore, contracts: Sequence[str], span: Span = EVERYTHING
) -> dict[str, list[Bar]]:
    """The 1-minute bars of these contracts (`rb2401.SHFE`) on these trading days, oldest first. Raises
    NoData for a contract that has none, with what there is of it; BadInput for a range that ends before it
    begins, or no contract.
    """
    _check(span)
    if not contracts:
        raise BadInput("contracts", "没有写明合约")
    days = TradingDays()
    start, end = _moments(span)
    found: dict[str, list[Bar]] = {}
    for local_symbol in sorted(set(contracts)):
        series = store.read_bars(local_symbol, "1m", start, end)
        found[local_symbol] = _on_days(series, span, days)
        if not found[local_symbol]:
            raise NoData(
                f"行情库里没有 {local_symbol}{_said(span) or ' '}的 K 线；{_there(store, local_symbol)}"
            )
    return found


def bars_of_products(store: BarStore, names: Sequence[str], span: Span) -> dict[str, list[Bar]]:
    """All contracts of these products that have anything in the range. Raises NoData."""
    found: dict[str, list[Bar]] = {}
    for local_symbol, interval in store.series():
        if interval == "1m" and product_of(local_symbol) in names:
            with suppress(NoData):
                found |= bars_from_store(store, [local_symbol], span)
    if not found:
        raise NoData(f"行情库里没有品种 {'、'.join(names)} 这段时间的 K 线")
    return found


def _there(store: BarStore, local_symbol: str) -> str:
    """What a store has of a contract, or which contracts it has of the product."""
    series = store.read_bars(local_symbol, "1m")
    days = TradingDays()
    if series:
        return f"有的是交易日 {days.of(series[0].timestamp)} 至 {days.of(series[-1].timestamp)}"
    code = product_code_of(local_symbol.partition(".")[0])
    alike = [
        name
        for name, interval in store.series()
        if interval == "1m" and product_code_of(name.partition(".")[0]) == code
    ]
    return f"这个品种有：{'、'.join(alike)}" if alike else "这个品种一根也没有，请先导入（import-bars）"


def _moments(span: Span) -> tuple[int, int]:
    """Epoch ms around these trading days, 0 for open: wide enough for the longest holiday before them."""
    start = _midnight(span.start) - FURTHEST_NIGHT if span.start else None
    end = _midnight(span.end) + LAST_END if span.end else None
    return tuple(int(moment.timestamp() * 1000) if moment else 0 for moment in (start, end))  # type: ignore[return-value]


def _midnight(day: str) -> datetime:
    return datetime.combine(parse_day(day), time(), SHANGHAI)


def _said(span: Span) -> str:
    return f"（{span.start or '最早'} 至 {span.end or '最晚'}）" if span != EVERYTHING else ""


def _check(span: Span) -> None:
    if span.start and span.end and span.start > span.end:
        raise BadInput("start", f"开始的交易日 {span.start} 在结束的 {span.end} 之后")


def _counted(rows: Iterator[Row], span: Span, on_row: Callable[[int], object]) -> Iterator[Row]:
    for row in rows:
        on_row(1)
        if span.has(row.trading_day):
            yield row


def _bars(
    files: Sequence[Path], span: Span, symbol: str, label: str, on_row: Callable[[int], object]
) -> dict[str, list[Bar]]:
    found: dict[str, list[Bar]] = {}
    days = TradingDays()
    for path in files:
        if columns.is_columns(path):  # what lies far outside is not even made
            series = bar_columns.read(path, *_moments(span)).bars
            on_row(sum(map(len, series.values())))
        else:
            series = read_bar_file(path, symbol, label, on_row)
        for local_symbol, bars in series.items():
            part = _on_days(bars, span, days)
            known = found.get(local_symbol, [])
            found[local_symbol] = _merged(path, local_symbol, known, part) if known else part
    return {local_symbol: bars for local_symbol, bars in sorted(found.items()) if bars}


def _merged(path: Path, local_symbol: str, known: list[Bar], more: list[Bar]) -> list[Bar]:
    """Raises BadFile where they differ on a minute."""
    by_minute = {bar.timestamp: bar for bar in known}
    for bar in more:
        if by_minute.setdefault(bar.timestamp, bar) != bar:
            raise BadFile(f"{path.name}: {local_symbol} 的同一分钟在两个文件里不同")
    return [by_minute[timestamp] for timestamp in sorted(by_minute)]


def _on_days(series: list[Bar], span: Span, days: TradingDays) -> list[Bar]:
    """Of bars that are in order, those of these trading days."""

    def day_of(bar: Bar) -> str:
        return days.of(bar.timestamp)

    first = bisect_left(series, span.start, key=day_of) if span.start else 0
    end = bisect_right(series, span.end, key=day_of) if span.end else len(series)
    return series[first:end]


class TradingDays:
    """The trading day of a moment; they begin on whole hours."""

    def __init__(self) -> None:
        self._by_hour: dict[int, str] = {}

    def of(self, timestamp: int) -> str:
        hour = timestamp // HOUR
        found = self._by_hour.get(hour)
        if found is None:
            moment = datetime.fromtimestamp(hour * HOUR / 1000, SHANGHAI)
            found = self._by_hour[hour] = compact(trading_day_of(moment))
        return found

    @staticmethod
    def end(day: str) -> int:
        """Epoch ms from which on moments are of a later one."""
        return int(datetime.combine(parse_day(day), EVENING, SHANGHAI).timestamp() * 1000)


def within(data: Data, span: Span, contracts: Sequence[str] = ()) -> Data:
    """What `load` gives for this span, of data that has all days and these contracts alone. Raises as `load`
    does.
    """
    _check(span)
    days = TradingDays()
    bars = {local_symbol: _on_days(series, span, days) for local_symbol, series in data.bars.items()}
    found = Data(
        {local_symbol: series for local_symbol, series in bars.items() if series},
        [row for row in data.ticks if span.has(row.trading_day)],
        data.hashes,
    )
    return _whole(found, span, contracts)


def minutes(bars: dict[str, list[Bar]]) -> Iterator[Minute]:
    """All contracts' bars by time; within a minute by symbol."""
    if len(bars) == 1:
        ((local_symbol, series),) = bars.items()
        for bar in series:
            yield bar[0], [(local_symbol, bar)]
        return
    by_minute: dict[int, list[tuple[str, Bar]]] = {}
    for local_symbol in sorted(bars):
        for bar in bars[local_symbol]:
            by_minute.setdefault(bar.timestamp, []).append((local_symbol, bar))
    for timestamp in sorted(by_minute):
        yield timestamp, by_minute[timestamp]


def checked_day(text: str, parameter: str) -> str:
    """YYYYMMDD of `2024-01-31` or `20240131`; "" stays. Raises BadInput."""
    if not text:
        return ""
    try:
        return compact(parse_day(text.replace("-", "").replace("/", "")))
    except ValueError:
        raise BadInput(parameter, f"日期 {text} 应形如 2024-01-31") from None
