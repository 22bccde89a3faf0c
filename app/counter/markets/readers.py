"""Recorded market data as rows in the order of time: raw CTP ticks, wondertrader ticks, those that a gateway
has recorded, and the 1-minute bars that app/lib/bar_files.py takes. Counter process. Pure but for reading the
file.

The layout is told by the header, never by the file's name; plain or gzipped. docs/replay.md shows each. What
a recorder writes where there is no value (N/A, nothing, 1.79769e+308, 0.00) becomes 0. Every row gets the
moment at which it really was and its true trading day, whatever its exchange stamped it with, and says
whether it lies in the trading hours. Errors are BadFile and name file and line.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Literal, NamedTuple

from app.counter.contracts import product_code_of
from app.counter.products import Product, products
from app.lib import columns, sessions, tick_columns
from app.lib.bar_files import read_bar_file
from app.lib.bar_tables import BadBarFile
from app.lib.bars import Bar
from app.lib.calendar import SHANGHAI, compact, next_trading_day, parse_day, trading_day_of, wall_time
from app.lib.columns import BadColumns
from app.lib.errors import AppError, BadInput
from app.lib.prices import limits, round_to_tick
from app.wire.frames import DepthField

Kind = Literal["tick", "login", "outside"]

NOTHING = ("", "N/A")
ABSENT = 1e300  # above it: CTP's "no value", 1.79769e+308
GZIP_MAGIC = b"\x1f\x8b"
EVENING = "20:00:00"
POINTS = (0.0, 15.0, 30.0, 59.5)  # seconds into the minute at which a bar's four prices are shown
WIDEST = 0.5  # no price limit is wider


class BadFile(AppError):
    """A market data file is not what it should be: mend the line that the message names, or choose another
    file.
    """

    default_code = "BAD_MARKET_FILE"


class Row(NamedTuple):
    """One snapshot. `kind`: `login` is what a front sends at login before anything traded (CZCE, about 19:20,
    the evening before); `outside` comes after hours and has no volume of its own (CFFEX sends settlement
    prices until 15:44).
    """

    moment: datetime  # aware
    trading_day: str
    kind: Kind
    depth: DepthField


def read_rows(path: Path, wanted: Sequence[str] = ()) -> Iterator[Row]:
    """All rows of the file, or those of the contracts (`rb2401`) that are named. Raises BadFile, at once when
    the header is unknown.
    """
    if wanted and holds_ticks(path) and columns.is_columns(path):
        return _columns_as_rows(path, wanted)
    rows = opened(path)(0)
    return (row for row in rows if row.depth.InstrumentID in wanted) if wanted else rows


def holds_ticks(path: Path) -> bool:
    """Whether the file has ticks, as far as its beginning tells; else bars are looked for. Raises BadFile."""
    with _told(path):
        if columns.is_columns(path):
            return tick_columns.holds_ticks(path)
    names = column_names(path)
    return any(needed <= names for needed, _ in LAYOUTS)


def opened(path: Path) -> Callable[[int], Iterator[Row]]:
    """What gives the file's rows without so many first ones, as often as it is asked; bars are read once.
    Raises BadFile, as `read_rows` does.
    """
    with _told(path):
        if columns.is_columns(path) and tick_columns.holds_ticks(path):
            return partial(_read_columns, path)
    names = column_names(path)
    for needed, reader in LAYOUTS:
        if needed <= names:
            return partial(reader, _Lines(path))
    bars = _bars(path)
    return lambda skip: islice(_bars_as_rows(bars), skip, None)


def column_names(path: Path) -> set[str]:
    """Of a CSV file in UTF-8, plain or gzipped; none of what only bars come in: GBK, Parquet."""
    with suppress(BadFile):
        return set(_Lines(path).header)
    return set()


def _bars(path: Path) -> list[_RecordedBar]:
    """All bars of a file by time; of those of one minute, by contract."""
    try:
        series = read_bar_file(path)
    except (BadBarFile, BadInput) as error:
        raise BadFile(f"{error.message}（能回放的格式见 docs/replay.md）") from None
    bars = [
        _RecordedBar(symbol, exchange, datetime.fromtimestamp(bar.timestamp / 1000, SHANGHAI), bar)
        for symbol, _, exchange, found in ((*name.partition("."), found) for name, found in series.items())
        for bar in found
    ]
    return sorted(bars, key=lambda recorded: (recorded.start, recorded.instrument))


class _Lines:
    """The lines of a CSV file below its header, with their numbers. The file is open only while it is
    iterated.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 1
        with closing(self._lines()) as lines:
            self.header = next(lines, [])
        if not self.header:
            raise self.bad("空文件")

    def _lines(self) -> Generator[list[str], None, None]:
        try:
            with self.path.open("rb") as file:
                packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            opened = gzip.open if packed else open
            with opened(self.path, "rt", encoding="utf-8-sig", newline="") as text:
                reader = csv.reader(text)
                for line in reader:
                    self.number = reader.line_num
                    yield line
        except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
            raise self.bad(str(error)) from None

    def __iter__(self) -> Iterator[list[str]]:
        lines = self._lines()
        next(lines)
        for line in lines:
            if line:
                if len(line) != len(self.header):
                    raise self.bad(f"{len(line)} 列，表头有 {len(self.header)} 列")
                yield line

    def bad(self, reason: str) -> BadFile:
        return BadFile(f"{self.path.name}:{self.number}: {reason}")

    def column(self, name: str) -> int:
        return self.header.index(name)

    @property
    def exchange(self) -> str:
        """The exchange that the file's name begins with (`SHFE.ru1901…`), or nothing."""
        first = self.path.name.partition(".")[0]
        return first if first in {product.exchange for product in products().values()} else ""


class _Clock:
    """Order and place in time of a file's rows; remembers what the rows before have settled."""

    def __init__(self) -> None:
        self._day = ""

    def place(
        self, product: str, trading_day: str, update_time: str, millisec: int, volume: int
    ) -> tuple[datetime, Kind]:
        if trading_day < self._day:
            raise ValueError(f"交易日 {trading_day} 在 {self._day} 之后")
        self._day = trading_day
        moment = wall_time(parse_day(trading_day), update_time, millisec)
        if sessions.bar_start(product, trading_day, moment) is not None:
            return moment, "tick"
        return moment, "outside" if volume else "login"


def _number(text: str) -> float:
    if text in NOTHING:
        return 0.0
    value = float(text)
    return value if -ABSENT < value < ABSENT else 0.0


def _whole(text: str) -> int:
    return 0 if text in NOTHING else int(float(text))


def _price(text: str) -> float:
    """wondertrader's 5806.400000000001 is 5806.4."""
    return round(_number(text), 4)


CTP_PRICES = (
    "LastPrice",
    "PreSettlementPrice",
    "PreClosePrice",
    "PreOpenInterest",
    "OpenPrice",
    "HighestPrice",
    "LowestPrice",
    "Turnover",
    "OpenInterest",
    "ClosePrice",
    "SettlementPrice",
    "UpperLimitPrice",
    "LowerLimitPrice",
    "BidPrice1",
    "AskPrice1",
    "AveragePrice",
)
CTP_OPTIONAL = {
    *("PreClosePrice", "PreOpenInterest", "ClosePrice", "SettlementPrice", "AveragePrice", "ActionDay"),
    *("ExchangeID", "UpdateMillisec"),
}
"""What recorders leave out that nothing depends on: 0, or nothing."""
CTP_VOLUMES = ("Volume", "UpdateMillisec", "BidVolume1", "AskVolume1")
CTP_TEXTS = ("TradingDay", "InstrumentID", "ExchangeID", "UpdateTime", "ActionDay")


def _read_ctp(rows: _Lines, skip: int) -> Iterator[Row]:
    """CThostFtdcDepthMarketDataField, as many of its 44 columns as are needed. The depth keeps the dates as
    they were stamped.
    """
    there = set(rows.header)
    absent: dict[str, object] = {name: 0 for name in (*CTP_PRICES, *CTP_VOLUMES) if name not in there}
    absent |= {name: "" for name in CTP_TEXTS if name not in there}
    prices = [(name, rows.column(name)) for name in CTP_PRICES if name in there]
    volumes = [(name, rows.column(name)) for name in CTP_VOLUMES if name in there]
    texts = [(name, rows.column(name)) for name in CTP_TEXTS if name in there]
    file_exchange, clock = rows.exchange, _Clock()
    for line in islice(rows, skip, None):
        try:
            values: dict[str, object] = absent | {name: line[index] for name, index in texts}
            for name, index in volumes:
                values[name] = _whole(line[index])
            for name, index in prices:
                values[name] = _number(line[index])
            depth = DepthField(**values)  # type: ignore[arg-type]
            product = product_code_of(depth.InstrumentID)
            depth.ExchangeID = depth.ExchangeID or file_exchange or _exchange_of(product)
            trading_day = _true_trading_day(depth)
            moment, kind = clock.place(
                product, trading_day, depth.UpdateTime, depth.UpdateMillisec, depth.Volume
            )
        except ValueError as error:
            raise rows.bad(str(error)) from None
        yield Row(moment, trading_day, kind, depth)


def _true_trading_day(depth: DepthField) -> str:
    """CZCE stamps the evening with the natural date, as trading day too."""
    if (
        depth.ExchangeID == "CZCE"
        and depth.UpdateTime >= EVENING
        and depth.ActionDay in ("", depth.TradingDay)
    ):
        return compact(next_trading_day(parse_day(depth.TradingDay)))
    return compact(parse_day(depth.TradingDay))


def _exchange_of(product: str) -> str:
    known = products().get(product)
    if known is None:
        raise ValueError(f"不认识的品种 {product!r}，又没有交易所")
    return known.exchange


def _read_wondertrader(rows: _Lines, skip: int) -> Iterator[Row]:
    """Ticks as wondertrader keeps them: dates are right, prices carry binary noise, time is HHMMSSmmm as a
    number.
    """
    at = {name: rows.column(name) for name in rows.header}
    clock = _Clock()
    for line in islice(rows, skip, None):
        try:
            day, stamp = line[at["trading_date"]], f"{int(line[at['action_time']]):09d}"
            update_time, millisec = f"{stamp[:2]}:{stamp[2:4]}:{stamp[4:6]}", int(stamp[6:])
            volume, turnover = _whole(line[at["total_volume"]]), _number(line[at["total_turnover"]])
            depth = DepthField(
                InstrumentID=line[at["code"]],
                ExchangeID=line[at["exchg"]],
                TradingDay=day,
                ActionDay=line[at["action_date"]],
                UpdateTime=update_time,
                UpdateMillisec=millisec,
                LastPrice=_price(line[at["price"]]),
                Volume=volume,
                Turnover=turnover,
                OpenInterest=_number(line[at["open_interest"]]),
                OpenPrice=_price(line[at["open"]]),
                HighestPrice=_price(line[at["high"]]),
                LowestPrice=_price(line[at["low"]]),
                PreSettlementPrice=_price(line[at["pre_settle"]]),
                PreClosePrice=_price(line[at["pre_close"]]),
                PreOpenInterest=_number(line[at["pre_interest"]]),
                UpperLimitPrice=_price(line[at["upper_limit"]]),
                LowerLimitPrice=_price(line[at["lower_limit"]]),
                BidPrice1=_price(line[at["bid_price1"]]),
                BidVolume1=_whole(line[at["bid_qty1"]]),
                AskPrice1=_price(line[at["ask_price1"]]),
                AskVolume1=_whole(line[at["ask_qty1"]]),
                AveragePrice=round(turnover / volume, 4) if volume else 0.0,
                SettlementPrice=_price(line[at["settle"]]),
            )
            moment, kind = clock.place(
                product_code_of(depth.InstrumentID), day, update_time, millisec, volume
            )
        except ValueError as error:
            raise rows.bad(str(error)) from None
        yield Row(moment, day, kind, depth)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What is wrong with a file of columns, or with any file, as BadFile."""
    try:
        yield
    except BadColumns as error:
        raise BadFile(error.message) from None
    except OSError as error:
        raise BadFile(f"{path.name}: {error}") from None


def _read_columns(path: Path, skip: int) -> Iterator[Row]:
    """Snapshots in columns (app/lib/tick_columns.py). What a front repeated of a day before is left out."""
    return islice(_columns_as_rows(path), skip, None)


def _columns_as_rows(path: Path, wanted: Sequence[str] = ()) -> Iterator[Row]:
    clock = _Clock()
    with _told(path):
        for day, values in tick_columns.read(path, wanted):
            try:
                depth = DepthField(**values)
                product = product_code_of(depth.InstrumentID)
                depth.ExchangeID = depth.ExchangeID or _exchange_of(product)
                trading_day = _true_trading_day(depth)
                if day and trading_day < day:
                    continue
                moment, kind = clock.place(
                    product, trading_day, depth.UpdateTime, depth.UpdateMillisec, depth.Volume
                )
            except ValueError as error:
                raise BadFile(f"{path.name}: {values.get('InstrumentID')}: {error}") from None
            yield Row(moment, trading_day, kind, depth)


class _RecordedBar(NamedTuple):
    instrument: str
    exchange: str
    start: datetime
    bar: Bar


def _bars_as_rows(bars: list[_RecordedBar]) -> Iterator[Row]:
    """Four snapshots a bar. What bars do not tell is made from those before: settlement is the day's average
    price, limits are the table's, widened where the day went beyond; the book is one tick on either side of
    the last price.
    """
    seen: dict[str, _DayBefore] = {}
    for day, group in groupby(bars, lambda bar: trading_day_of(bar.start)):
        of_day = list(group)
        days = {
            name: _BarDay(day, [bar for bar in of_day if bar.instrument == name], seen.get(name))
            for name in sorted({bar.instrument for bar in of_day})
        }
        for bar in of_day:
            yield from days[bar.instrument].snapshots(bar)
        seen |= {name: bar_day.over() for name, bar_day in days.items()}


class _DayBefore(NamedTuple):
    settlement: float
    close: float
    open_interest: float


class _BarDay:
    """The running figures of one contract's trading day, out of its bars."""

    def __init__(self, day: date, recorded: list[_RecordedBar], before: _DayBefore | None) -> None:
        bars = [one.bar for one in recorded]
        first = bars[0]
        product = products().get(product_code_of(recorded[0].instrument))
        self._day, self._bars, self._product = compact(day), bars, product
        self._before = before or _DayBefore(first.open, first.open, first.open_interest)
        self._upper, self._lower = self._limits(product)
        self._high, self._low = first.open, first.open
        self._volume, self._turnover = 0, 0.0
        self._unit = self._turnover_unit(product)

    def _turnover_unit(self, product: Product | None) -> int:
        """CZCE's ticks leave the multiplier out of the turnover: where the bars have it in, they are divided
        by it.
        """
        if product is None or product.exchange != "CZCE":
            return 1
        average = sum(bar.turnover for bar in self._bars) / max(1, sum(bar.volume for bar in self._bars))
        return product.multiplier if average > 2 * max(bar.high for bar in self._bars) else 1

    def _limits(self, product: Product | None) -> tuple[float, float]:
        if product is None:
            return 0.0, 0.0
        high, low = max(bar.high for bar in self._bars), min(bar.low for bar in self._bars)
        ratio = product.limit_ratio
        while True:
            day = limits(self._before.settlement, ratio, product.price_tick, product.exchange)
            if day.lower <= low and high <= day.upper:
                return day.upper, day.lower
            ratio += 0.01
            if ratio > WIDEST:
                return 0.0, 0.0

    def snapshots(self, recorded: _RecordedBar) -> Iterator[Row]:
        bar = recorded.bar
        middle = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
        share = bar.volume // 4
        volumes = (share, share, share, bar.volume - 3 * share)
        for price, volume, seconds in zip((bar.open, *middle, bar.close), volumes, POINTS, strict=True):
            self._high, self._low = max(self._high, price), min(self._low, price)
            self._volume += volume
            self._turnover += bar.turnover / self._unit * volume / bar.volume if bar.volume else 0.0
            moment = recorded.start + timedelta(seconds=seconds)
            yield Row(moment, self._day, "tick", self._depth(recorded, price, max(volume, 1), moment))

    def _depth(self, recorded: _RecordedBar, price: float, depth: int, moment: datetime) -> DepthField:
        tick = self._product.price_tick if self._product else 0.0
        bid = round(price - tick, 4) if tick and price - tick >= self._lower else 0.0
        ask = round(price + tick, 4) if tick and (not self._upper or price + tick <= self._upper) else 0.0
        return DepthField(
            InstrumentID=recorded.instrument,
            ExchangeID=recorded.exchange,
            TradingDay=self._day,
            ActionDay=compact(moment.date()),
            UpdateTime=f"{moment:%H:%M:%S}",
            UpdateMillisec=moment.microsecond // 1000,
            LastPrice=price,
            Volume=self._volume,
            Turnover=round(self._turnover, 4),
            OpenInterest=recorded.bar.open_interest,
            OpenPrice=self._bars[0].open,
            HighestPrice=self._high,
            LowestPrice=self._low,
            PreSettlementPrice=self._before.settlement,
            PreClosePrice=self._before.close,
            PreOpenInterest=self._before.open_interest,
            UpperLimitPrice=self._upper,
            LowerLimitPrice=self._lower,
            BidPrice1=bid,
            BidVolume1=depth if bid else 0,
            AskPrice1=ask,
            AskVolume1=depth if ask else 0,
            AveragePrice=round(self._turnover / self._volume, 4) if self._volume else 0.0,
        )

    def over(self) -> _DayBefore:
        """What the next day starts from."""
        last = self._bars[-1]
        volume, turnover = sum(bar.volume for bar in self._bars), sum(bar.turnover for bar in self._bars)
        if self._product is None or not volume or not turnover:
            return _DayBefore(last.close, last.close, last.open_interest)
        size = 1 if self._product.exchange == "CZCE" else self._product.multiplier
        average = round_to_tick(turnover / self._unit / volume / size, self._product.price_tick, "down")
        inside = min(max(average, min(bar.low for bar in self._bars)), max(bar.high for bar in self._bars))
        return _DayBefore(inside, last.close, last.open_interest)


LAYOUTS: tuple[tuple[set[str], Callable[..., Iterator[Row]]], ...] = (
    ({*CTP_PRICES, *CTP_VOLUMES, *CTP_TEXTS} - CTP_OPTIONAL, _read_ctp),
    ({"exchg", "code", "price", "total_volume", "trading_date", "action_time"}, _read_wondertrader),
)
