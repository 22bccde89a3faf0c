"""Files of 1-minute bars, read whole. The importing command and the replaying counter; pure but for reading
the file.

What a table of them looks like is app/lib/bar_tables.py's. A contract that no column names is that of the
file's name, where there is one (`rb2510.SHFE.csv`, `30#RB2510.txt`). Times are epoch milliseconds (or
nanoseconds), or dates, in exchange time unless they have a zone. Where date and time are apart, the date of a
night may be that of its trading day, as 通达信 writes it: a night that stands before the day of its own date
tells. A bar is labelled with its start or its end: where nobody says which, milliseconds are starts (they are
ours), and of dates those at the edges of trading sections tell. Where a recorder kept an auction's print, or
one at a section's end, as a bar of its own, it is merged into the minute that it belongs to (docs/domain.md,
Time 4 and 5), as bars of ticks have it; milliseconds are taken as they are.

Either the whole file is sound or nothing of it is given: BadBarFile names the bad rows by file and line. What
is said of them is bounded.
"""

from __future__ import annotations

import csv
import math
import re
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, time
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from app.lib import bar_columns
from app.lib.bar_sources import Source, source_of
from app.lib.bar_tables import NAMES, NEEDED, BadBarFile, columns_of, read_table
from app.lib.bars import Bar, merge
from app.lib.calendar import SHANGHAI, compact, trading_day_of, wall_time
from app.lib.columns import BadColumns
from app.lib.errors import BadInput
from app.lib.memory import is_half_used
from app.lib.sessions import bar_start, exchange_of, sections
from app.lib.symbols import EXCHANGES, parse_symbol, product_of

MINUTE = 60_000
NO_MEMORY = "内存不够，请分成几个文件"
ROWS_A_LOOK = 1000  # from one look at the memory to the next
MOST_NAMED = 20
MOST_SAID = 200  # characters of each
LABELS = ("start", "end")
NOTHING = ("", "N/A", "nan", "NaN", "None")

EVENING = time(18)
CHANCE = 10**6  # against it that bars of a minute lie as regularly as those of a longer period
DAY = 24 * 60 * MINUTE
EDGES = 5 * MINUTE  # trading sections begin and end on multiples of it
LEAST_PER_DAY = 4  # bars, from which a period can be told
NANOSECONDS = 19  # digits
OLDEST = 10**11  # ms, 1973: what is below was meant in another unit
YEARS = range(1990, 2101)  # there were futures in China, and calendars go no further
NEWEST = int(datetime(YEARS.stop, 1, 1, tzinfo=SHANGHAI).timestamp() * 1000)
OUT_OF_YEARS = f"时间 {{}} 不在 {YEARS.start} 至 {YEARS.stop - 1} 年"
WAN = 10_000
LEAST_SHARE = 0.5  # of the price, that a lot's turnover has in yuan
ONE_SIDED = int(datetime(2020, 1, 1, tzinfo=SHANGHAI).timestamp() * 1000)
MOST_FIGURE = 1e15  # yuan, lots: what a double tells exactly, and a store holds


class _Bad(Exception):
    """What is wrong with one row."""


class _Labelled(NamedTuple):
    """A bar whose timestamp may still be that of its end."""

    line: int
    local_symbol: str
    bar: Bar
    is_date: bool  # the time was written as a date, not in milliseconds
    apart: bool = False  # date and time in two columns

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.bar.timestamp / 1000, SHANGHAI)


class Told(NamedTuple):
    """How a file was understood, for who reads it: of which program it looks (bar_sources.py), in which
    column each of our names stands, whether its times are starts or ends and why, one contract as it is
    called there and here, and what else there is to say.
    """

    source: str
    columns: dict[str, str]
    label: str
    why: str
    named: tuple[str, str]
    notes: list[str]


class Reading(NamedTuple):
    """How a file is read. `given`: columns as `bar_tables.given_columns` has them; `wan`: whether turnovers
    are in 10,000 yuan, None to be found out; `on_repeated(local_symbol)`: a minute that is there twice is no
    error, the later row counts; `on_told`: hears once how the file was understood.
    """

    given: Mapping[str, str] = {}
    wan: bool | None = None
    on_repeated: Callable[[str], object] | None = None
    on_told: Callable[[Told], object] = lambda _told: None


PLAINLY = Reading()


def read_bar_file(
    path: Path,
    symbol: str = "",
    label: str = "",
    on_row: Callable[[int], object] = lambda _count: None,
    reading: Reading = PLAINLY,
) -> dict[str, list[Bar]]:
    """The file's bars by local symbol, oldest first. Raises BadBarFile, and BadInput for a `symbol` or
    `label` that is none.

    `symbol` names the contract where the file does not; where it does, they must agree. `on_row(1)` is called
    for every row.
    """
    if label not in ("", *LABELS):
        raise BadInput("label", f"label 应为 {'、'.join(LABELS)} 之一")
    if _is_columns(path):
        return _of_columns(path, on_row)
    given = _local_symbol(symbol, "") if symbol else ""
    try:
        table = _sound_rows(path, given, on_row, reading)
    except FileNotFoundError:
        raise BadBarFile(f"没有文件 {path}") from None
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise BadBarFile(f"{path.name}: 读不了：{error}") from None
    except MemoryError:  # of a table that comes whole, such as Parquet's
        raise BadBarFile(f"{path.name}: {NO_MEMORY}") from None
    found, notes = table.rows, _order_notes(table.rows)
    if _dates_are_trading_days(found):
        notes.append("日期是交易日的：夜盘已换成真实的日期")
        found = [_at_its_real_date(row) for row in found]
    _check_period(path.name, found)
    found, of_money = in_yuan(found, False if "complete" in table.columns else reading.wan)
    decided = _label_of(path.name, found, label, table.source)
    shift = MINUTE if decided.is_end else 0
    labelled: dict[str, dict[int, _Labelled]] = {}
    problems = _Problems()
    for row in found:
        rows = labelled.setdefault(row.local_symbol, {})
        if row.bar.timestamp in rows:
            if reading.on_repeated is None:
                problems.add(f"{path.name}:{row.line}: {row.local_symbol} 的这一分钟出现了两次")
            else:
                reading.on_repeated(row.local_symbol)
        rows[row.bar.timestamp] = row
    problems.raise_if_any()
    notes += [*of_money, *_both_sides_notes(found), *decided.notes]
    name = table.source.name if table.source is not None else ""
    label = "end" if decided.is_end else "start"
    reading.on_told(
        Told(name, table.columns, label, decided.why, (table.called, found[0].local_symbol), notes)
    )
    return {local_symbol: _in_their_minutes(rows, shift) for local_symbol, rows in sorted(labelled.items())}


def _is_columns(path: Path) -> bool:
    try:
        return path.is_file() and bar_columns.holds_bars(path)
    except (OSError, BadColumns) as error:
        raise BadBarFile(f"{path.name}: 读不了：{error}") from None


def _of_columns(path: Path, on_row: Callable[[int], object]) -> dict[str, list[Bar]]:
    """Our own, which says its contracts and has the starts of minutes."""
    try:
        bars = bar_columns.read(path).bars
    except (OSError, BadColumns) as error:
        raise BadBarFile(f"{path.name}: 读不了：{error}") from None
    on_row(sum(map(len, bars.values())))
    return bars


class Documents(NamedTuple):
    """What came of reading documents: the bars, how many took the place of an earlier one, and what is wrong
    with the rest.
    """

    bars: list[Bar]
    repeated: int
    problems: list[str]


def read_bar_documents(
    name: str, documents: Iterable[Mapping[str, Any]], label: str = ""
) -> tuple[str, Documents]:
    """The bars of one contract, called `name`, as a recorder left them in a database: `{timestamp,
    open_price, …}`, in their order there.

    Unlike a file, a collection is read as far as it goes: of a minute that is there twice the later document
    counts, and documents that are no bar are named and left out. Returns the local symbol, and the bars
    oldest first. Raises BadInput for a name that is no contract's, BadBarFile when nobody can tell what the
    labels are.
    """
    local_symbol = _local_symbol(name, "")
    found: dict[int, _Labelled] = {}
    problems: list[str] = []
    repeated = 0
    for number, document in enumerate(documents, 1):
        try:
            row = {
                ours: document[theirs]
                for ours, known in NAMES.items()
                for theirs in reversed(known)
                if theirs in document
            }
            missing = [needed for needed in NEEDED if needed not in row]
            if missing:
                raise _Bad(f"缺少 {'、'.join('/'.join(NAMES[one]) for one in missing)}")
            moment = row["time"]
            whole = int(moment) if isinstance(moment, float) and moment.is_integer() else moment
            timestamp, is_date = _time(whole)
            repeated += timestamp in found
            found[timestamp] = _Labelled(number, local_symbol, _bar_of(row, timestamp), is_date)
        except (_Bad, ValueError, OverflowError) as error:
            problems.append(f"{name} 第 {number} 份：{error}")
    _check_period(name, found.values())
    shift = MINUTE if found and _label_of(name, list(found.values()), label).is_end else 0
    return local_symbol, Documents(_in_their_minutes(found, shift), repeated, problems)


def _in_their_minutes(rows: Mapping[int, _Labelled], shift: int) -> list[Bar]:
    minutes: dict[int, list[Bar]] = {}
    product = next((product_of(row.local_symbol) for row in rows.values()), "")
    for timestamp in sorted(rows):
        row, start = rows[timestamp], timestamp - shift
        if row.is_date:
            moment = datetime.fromtimestamp(start / 1000, SHANGHAI)
            minute = bar_start(product, compact(trading_day_of(moment)), moment)
            start = int(minute.timestamp() * 1000) if minute is not None else start
        minutes.setdefault(start, []).append(row.bar)
    return [
        merge(bars, start) if len(bars) > 1 else bars[0]._replace(timestamp=start)
        for start, bars in minutes.items()
    ]


class _Table(NamedTuple):
    """A file's rows, and how they were found in it."""

    rows: list[_Labelled]
    columns: dict[str, str]  # ours → as the header has it
    source: Source | None
    called: str  # the first row's contract as it is written there, "" for none


def _sound_rows(path: Path, given: str, on_row: Callable[[int], object], reading: Reading) -> _Table:
    table = read_table(path, reading.given)
    _, header = next(table)
    columns = columns_of(path, header, reading.given)
    if "symbol" not in columns:
        given = given or _symbol_in(path.name)
    if "symbol" not in columns and not given:
        raise BadBarFile(
            f"{path.name}:1: 没有合约列（local_symbol 或 symbol），"
            "请用 --symbol 指明合约，或让文件名以合约开头，如 rb2510.SHFE.csv"
        )
    said = path.name.partition(".")[0]
    exchange = said if said in EXCHANGES else ""
    found: list[_Labelled] = []
    called = ""
    problems = _Problems()
    for line, values in table:
        on_row(1)
        if not len(found) % ROWS_A_LOOK and is_half_used():
            raise BadBarFile(f"{path.name}: {NO_MEMORY}")
        try:
            if any(str(value).strip() for value in values[len(header) :]) or len(values) < len(header):
                raise _Bad(f"{len(values)} 列，表头有 {len(header)} 列")
            row = {name: values[at] for name, at in columns.items()}
            called = called or str(row.get("symbol", ""))
            local_symbol = _symbol_of(row, given, exchange)
            when, apart = _when(row)
            timestamp, is_date = _time(when)
            found.append(_Labelled(line, local_symbol, _bar_of(row, timestamp), is_date, apart))
        except (_Bad, ValueError) as error:
            problems.add(f"{path.name}:{line}: {error}")
    problems.raise_if_any()
    if not found:
        raise BadBarFile(f"{path.name}: 没有 K 线")
    names = {ours: str(header[at]).strip() for ours, at in columns.items()}
    return _Table(found, names, source_of(header, called), called)


class _Problems:
    """What is wrong with rows: the first few, and how many there are."""

    def __init__(self) -> None:
        self._named: list[str] = []
        self._count = 0

    def add(self, problem: str) -> None:
        self._count += 1
        if self._count <= MOST_NAMED:
            self._named.append(problem if len(problem) <= MOST_SAID else f"{problem[:MOST_SAID]}…")

    def raise_if_any(self) -> None:
        if self._count:
            rest = [f"…… 共 {self._count} 处"] if self._count > MOST_NAMED else []
            raise BadBarFile("\n".join([*self._named, *rest]))


# ── rows ──


def _symbol_of(row: Mapping[str, Any], given: str, exchange: str) -> str:
    if "symbol" not in row:
        return given
    try:
        named = _local_symbol(str(row["symbol"]), str(row.get("exchange") or "") or exchange)
    except BadInput as error:
        raise _Bad(error.message) from None
    if given and named != given:
        raise _Bad(f"合约 {named} 不是 --symbol 指明的 {given}")
    return named


def _symbol_in(file_name: str) -> str:
    """The contract that a file's name begins with, after the number that 通达信 gives its market (it writes
    all products in upper case), or after an exchange (wtpy: `SHFE.rb.2401_m1.csv`); or nothing.
    """
    named = _IN_NAME.match(file_name)
    for product in (named[1], named[1].lower(), named[1].upper()) if named else ():
        if exchange_of(product) and named:
            return _local_symbol(f"{product}{named[2]}.{exchange_of(product)}", "")
    return ""


_IN_NAME = re.compile(rf"(?:\d+#|(?:{'|'.join(EXCHANGES)})\.)?([A-Za-z]{{1,2}})\.?(\d{{3,4}})(?![A-Za-z0-9])")


@lru_cache(maxsize=256)
def _local_symbol(name: str, exchange: str) -> str:
    """With its exchange: its own, the one the file's name begins with, or the product's. Vendors write an
    exchange and a product's case, and CZCE's years, each in their own way.
    """
    head, dot, suffix = name.strip().partition(".")
    symbol = parse_symbol(f"{head}{dot}{VENDORS_EXCHANGES.get(suffix.upper(), suffix)}")
    product, exchanges = product_of(symbol.symbol), {symbol.exchange, exchange} - {""}
    cased = next(
        (one for one in (product, product.lower(), product.upper()) if exchange_of(one)),
        product,
    )
    known = symbol.exchange or exchange or exchange_of(cased)
    if not known:
        raise BadInput("symbol", f"不知道 {name} 属于哪个交易所，请写成 {name}.SHFE 的样子")
    if exchanges and exchange_of(cased) not in exchanges:
        cased = product  # the same letters mean something else there
    month = symbol.symbol[len(product) :]
    if known == "CZCE" and len(month) == 4:
        month = month[1:]
    return f"{cased}{month}.{known}"


VENDORS_EXCHANGES = {
    **dict.fromkeys(("SHF", "XSGE", "SF"), "SHFE"),  # 同花顺、Wind、tushare; 聚宽; QMT
    **dict.fromkeys(("XDCE", "DF"), "DCE"),
    **dict.fromkeys(("CZC", "ZCE", "XZCE", "ZF"), "CZCE"),
    **dict.fromkeys(("CFE", "CFX", "CCFX", "IF"), "CFFEX"),
    **dict.fromkeys(("XINE",), "INE"),
    **dict.fromkeys(("GFE", "GF"), "GFEX"),
}
"""What vendors call the exchanges in their contracts' names."""


def _bar_of(row: Mapping[str, Any], timestamp: int) -> Bar:
    first, high, low, last = (_number(row, name) for name in ("open", "high", "low", "close"))
    if not 0 < low <= min(first, last) <= max(first, last) <= high:
        raise _Bad(f"价格不成 K 线：开 {first} 高 {high} 低 {low} 收 {last}")
    volume, turnover, interest = (
        _number(row, name) if name in row else 0.0 for name in ("volume", "turnover", "open_interest")
    )
    if volume < 0 or volume != int(volume) or interest < 0:
        raise _Bad(f"成交量 {volume} 或持仓量 {interest} 不合法")
    if max(high, volume, abs(turnover), interest) > MOST_FIGURE:
        raise _Bad(f"数不合法：超过 {MOST_FIGURE:g}")
    complete = str(row.get("complete", True)).lower() not in ("false", "0", "0.0")
    return Bar(timestamp, first, high, low, last, int(volume), turnover, interest, complete)


def _number(row: Mapping[str, Any], name: str) -> float:
    """Nothing at all is 0, which only a price must not be."""
    value = row[name]
    if value is None or str(value).strip() in NOTHING:
        return 0.0
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _Bad(f"{name} 不是数：{value}") from None
    if not math.isfinite(number):
        raise _Bad(f"{name} 不是数：{value}")
    return number


def _when(row: Mapping[str, Any]) -> tuple[Any, bool]:
    """The time as `_time` takes it, and whether its date stood in a column of its own."""
    when = row["time"]
    if "date" not in row or not _CLOCK.fullmatch(str(when).strip()):
        return when, False
    clock = str(when).strip().replace(":", "").zfill(4)
    return f"{str(row['date']).strip()} {clock[:2]}:{clock[2:4]}:{clock[4:] or '00'}", True


_CLOCK = re.compile(r"\d{3,4}|\d{1,2}:\d{2}(:\d{2})?")
_DATE = re.compile(r"(\d{4})[-/.]?(\d{1,2})[-/.]?(\d{1,2})(?:[ T]*(\d{1,2}):?(\d{2})(?::?(\d{2}))?)?")
"""As terminals and spreadsheets write it, when it is not ISO 8601."""


def _time(value: Any) -> tuple[int, bool]:
    """The label in epoch ms, on a whole minute, and whether it was written as a date."""
    text = str(value).strip()
    compact_date = len(text) in (8, 12, 14) and text[:2] in ("19", "20")  # 20250609, 202506090901
    is_date = not text.isdigit() or compact_date
    if not is_date:
        timestamp = int(text) // 10**6 if len(text) == NANOSECONDS else int(text)
        if timestamp < OLDEST:
            raise _Bad(f"时间 {text} 不是毫秒")
        if timestamp > NEWEST:
            raise _Bad(OUT_OF_YEARS.format(text))
    else:
        moment = value if isinstance(value, datetime) and value == value else _moment(text)
        if moment.year not in YEARS:
            raise _Bad(OUT_OF_YEARS.format(text))
        timestamp = round((moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)).timestamp() * 1000)
    if timestamp % MINUTE:
        raise _Bad(f"时间 {text} 不是整分钟：只收 1 分钟 K 线")
    return timestamp, is_date


def _moment(text: str) -> datetime:
    with suppress(ValueError):
        if len(text) >= len("2025-06-09 09:01"):
            return datetime.fromisoformat(text)  # faster than what follows
    found = _DATE.fullmatch(text)
    try:
        if found is None:
            return datetime.fromisoformat(text)
        if found[4] is None:
            raise _Bad(f"时间 {text} 只有日期，没有时刻：只收 1 分钟 K 线，日线请勿导入")
        return datetime(*(int(part or 0) for part in found.groups()))  # type: ignore[arg-type]
    except ValueError:
        raise _Bad(f"时间不合法：{text}，应形如 2025-06-09 09:01:00") from None


def _dates_are_trading_days(rows: Sequence[_Labelled]) -> bool:
    """Whether the date of a night is that of its trading day: then it stands before that day in the file."""
    steps = [(one.moment, other.moment) for one, other in pairwise(rows) if one.apart and other.apart]
    rising = sum(one < other for one, other in steps)
    return rising > len(steps) / 2 and any(
        one.date() == other.date() and one.time() > EVENING > other.time() for one, other in steps
    )


def _at_its_real_date(row: _Labelled) -> _Labelled:
    moment = wall_time(row.moment.date(), f"{row.moment:%H:%M:%S}")
    return row._replace(bar=row.bar._replace(timestamp=int(moment.timestamp() * 1000)))


# ── period ──


def _check_period(name: str, rows: Iterable[_Labelled]) -> None:
    """Raises BadBarFile for bars of more than a minute."""
    stamps: dict[str, set[int]] = {}
    for row in rows:
        stamps.setdefault(row.local_symbol, set()).add(row.bar.timestamp)
    for local_symbol, found in stamps.items():
        minutes = _period(found)
        if minutes > 1:
            raise BadBarFile(
                f"{name}: {local_symbol} 看来是 {minutes} 分钟 K 线（各根相隔都是 {minutes} 分钟的倍数）："
                "只收 1 分钟 K 线，请以 1 分钟周期重新导出；更长的周期由本服务合成"
            )


def _period(stamps: Collection[int]) -> int:
    """The minutes of which all distances are multiples, where so many can be no chance; else 1. A contract
    that trades a few times a day tells nothing.
    """
    per_day = Counter(stamp // DAY for stamp in stamps)
    first = min(stamps, default=0)
    minutes = math.gcd(*((stamp - first) // MINUTE for stamp in stamps))
    is_sparse = max(per_day.values(), default=0) < LEAST_PER_DAY
    return 1 if is_sparse or minutes < 2 or minutes ** (len(stamps) - 1) < CHANCE else minutes


# ── labels ──


class _Decided(NamedTuple):
    is_end: bool
    why: str
    notes: list[str] = []


def _label_of(name: str, rows: Sequence[_Labelled], label: str, source: Source | None = None) -> _Decided:
    """Whether the rows are labelled with their end: as told, as those at the edges of sections show, or else
    as the program does that has written them. Raises BadBarFile where nobody can tell.
    """
    if label:
        return _Decided(label == "end", "照 --label")
    usual = source.label if source is not None else ""
    if not any(row.is_date for row in rows) and not (source is not None and source.is_foreign):
        return _Decided(False, "毫秒与纳秒当作开始")
    starts, ends, openings = _edges(rows)
    if (starts or ends or openings) and not (starts and ends):
        is_end = bool(ends)
        notes = []
        if usual and (usual == "end") != is_end and source is not None:
            usually, here = ("结束", "开始") if usual == "end" else ("开始", "结束")
            notes = [f"{source.name} 的时间通常标在{usually}，这个文件的标在{here}：照文件的"]
        return _Decided(is_end, "由交易节首尾的 K 线判断", notes)
    if usual and source is not None:
        return _Decided(usual == "end", f"照 {source.name} 的习惯（交易节首尾看不出）")
    raise BadBarFile(
        f"{name}: 看不出 K 线以开始还是结束时刻为标签：没有一根在交易节的首尾；"
        "请用 --label start 或 --label end 指明"
    )


def _edges(rows: Sequence[_Labelled]) -> tuple[int, int, int]:
    """How many stand at a section's start, at its end, and at its start with an auction before it: with
    labels of ends that is the auction's own bar.
    """
    starts = ends = openings = 0
    for row in rows:
        if row.bar.timestamp % EDGES:
            continue
        moment = row.moment
        for section in sections(product_of(row.local_symbol), compact(trading_day_of(moment))):
            starts += moment == section.start and not section.auction
            openings += moment == section.start and section.auction
            ends += moment == section.end
    return starts, ends, openings


# ── what is to be said ──


def in_yuan(rows: list[_Labelled], wan: bool | None) -> tuple[list[_Labelled], list[str]]:
    """With turnovers in yuan: one of a lot is the price times the multiplier, which is 1 at least, so what
    is far below the price is in 10,000 yuan.
    """
    if wan is None:
        shares = [
            row.bar.turnover / (row.bar.volume * row.bar.close)
            for row in rows[:ROWS_A_LOOK]
            if row.bar.volume and row.bar.turnover
        ]
        wan = bool(shares) and median(shares) < LEAST_SHARE
        notes = [f"成交额看来以万元为单位，已乘 {WAN}（不是的话用 --turnover yuan）"] if wan else []
    else:
        notes = [f"成交额照说明以万元为单位，已乘 {WAN}"] if wan else []
    if not wan:
        return rows, notes
    return [row._replace(bar=row.bar._replace(turnover=row.bar.turnover * WAN)) for row in rows], notes


def _order_notes(rows: Sequence[_Labelled]) -> list[str]:
    steps = [
        one.bar.timestamp < other.bar.timestamp
        for one, other in pairwise(rows)
        if one.local_symbol == other.local_symbol
    ]
    if not steps or all(steps):
        return []
    return ["文件里新的在前，已按时间排好"] if not any(steps) else ["文件里的次序是乱的，已按时间排好"]


def _both_sides_notes(rows: Sequence[_Labelled]) -> list[str]:
    """Exchanges but CFFEX counted both sides of a trade until the end of 2019."""
    if all(row.bar.timestamp >= ONE_SIDED or row.local_symbol.endswith(".CFFEX") for row in rows):
        return []
    return [
        "2020 年以前，中金所以外的成交量、成交额、持仓量是双边的，有的数据商已折成单边，有的没有："
        "照文件的，没有改"
    ]
