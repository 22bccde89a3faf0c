"""The tables that files of bars are: CSV, plain or gzipped, and Parquet. The importing command and the
replaying counter; pure but for reading the file.

Told by its first bytes and its column names, never by the file's name. Taken are the layout of ctpbee's
examples (`local_symbol, datetime, open_price, …`), the plain one (`symbol, datetime, open, …`), our own
(`local_symbol, timestamp`, then the names of Bar), and what terminals export: Chinese names, in UTF-8 or GBK,
with commas or tabs, a title above the header and the source's name below the rows, date and time in two
columns. Whatever else a file has is left alone. A file may come from anybody: lines, rows and what is
unpacked are bounded.
"""

from __future__ import annotations

import csv
import gzip
import re
import sqlite3
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from io import BufferedReader
from pathlib import Path
from typing import Any

from app.lib.errors import AppError, BadInput

MOST_LINE = 4096  # bytes
MOST_SAID = 200  # characters of a header
MOST_ROWS = 1_000_000  # of a file: a year of ten contracts; about 1 GB of memory
MOST_BYTES = 1 << 30  # unpacked
GZIP_MAGIC, PARQUET_MAGIC, SQLITE_MAGIC = b"\x1f\x8b", b"PAR1", b"SQLite format 3\0"

NAMES = {
    "open": ("open", "open_price", "开盘价", "开盘"),
    "high": ("high", "high_price", "最高价", "最高"),
    "low": ("low", "low_price", "最低价", "最低"),
    "close": ("close", "close_price", "收盘价", "收盘"),
    "volume": ("volume", "vol", "成交量"),
    "turnover": ("turnover", "amount", "total_turnover", "money", "成交额", "成交金额"),
    "open_interest": (
        *("open_interest", "position", "close_oi", "openinterest", "hold", "oi"),
        *("持仓量", "持仓"),
    ),
    "complete": ("complete",),
    "symbol": ("local_symbol", "symbol", "order_book_id", "ts_code", "合约", "合约代码"),
    "exchange": ("exchange",),
    "date": ("date", "日期"),
    "time": ("timestamp", "datetime", "trade_time", "datetime_nano", "time", "日期时间", "时间"),
}
"""What a column may be called, in whatever case."""
TITLES = {
    **{"open": "开", "high": "高", "low": "低", "close": "收", "volume": "成交量", "turnover": "成交额"},
    **{"open_interest": "持仓量", "complete": "完整", "symbol": "合约", "exchange": "交易所"},
    **{"date": "日期", "time": "时间"},
}
"""What our names are called to people."""
KNOWN = {name for names in NAMES.values() for name in names}
TITLE_LINES = 5  # within which the header stands
SOURCE = "数据来源"  # what a terminal's last line begins with
ABSENT = ("", "N/A", "nan", "NaN")
NEEDED = ("time", "open", "high", "low", "close", "volume")


class BadBarFile(AppError):
    """A file of bars is not what it should be: mend what the message names and import it again; nothing of it
    was kept.
    """

    default_code = "BAD_BAR_FILE"


def given_columns(text: str) -> dict[str, str]:
    """Which of our names stands in which column, as somebody writes it: `open=Op,volume=成交(手)`. Raises
    BadInput.
    """
    found: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        ours, equals, theirs = part.partition("=")
        if not equals or ours.strip() not in NAMES or not theirs.strip():
            raise BadInput(
                "map", f"--map 应形如 time=日期,open=Op；左边是 {'、'.join(NAMES)} 之一，不是 {part!r}"
            )
        found[ours.strip()] = _plain(theirs)
    return found


def read_table(path: Path, given: Mapping[str, str] | None = None) -> Iterator[tuple[int, Sequence[Any]]]:
    """The header, then every row, each with its number; `given` as of `given_columns`. Raises BadBarFile, and
    what reading a file raises.
    """
    also = frozenset((given or {}).values())
    if not stat.S_ISREG(path.stat().st_mode):
        raise BadBarFile(f"{path.name}: 不是普通文件")
    with path.open("rb") as file:
        magic = file.read(len(SQLITE_MAGIC))
    if magic == SQLITE_MAGIC:
        return _vnpy(path)
    if magic.startswith(PARQUET_MAGIC):
        return _parquet(path, also)
    return _unfolded(_csv(path, magic.startswith(GZIP_MAGIC), also))


_FOLDED = re.compile(r"([A-Z]+)\.([A-Za-z]+\d+)\.(\w+)")


def _unfolded(table: Iterator[tuple[int, Sequence[Any]]]) -> Iterator[tuple[int, Sequence[Any]]]:
    """Of a table that has its contracts side by side, as 天勤's downloader writes it (`SHFE.rb2401.open`): a
    row for each contract. Any other stays as it is. Its N/A is a minute in which a contract has no bar.
    """
    number, header = next(table)
    folded = [
        (at, found) for at, name in enumerate(header) if (found := _FOLDED.fullmatch(str(name).strip()))
    ]
    if not folded:
        yield number, header
        yield from table
        return
    times = [at for at in range(len(header)) if at not in {at for at, _ in folded}]
    contracts: dict[str, dict[str, int]] = {}
    for at, found in folded:
        contracts.setdefault(f"{found[2]}.{found[1]}", {})[found[3]] = at
    names = sorted({name for columns in contracts.values() for name in columns})
    yield number, ["symbol", *(header[at] for at in times), *names]
    for number, row in table:
        for symbol, columns in contracts.items():
            values = [row[columns[name]] if columns.get(name, MOST_LINE) < len(row) else "" for name in names]
            if any(str(value).strip() not in ABSENT for value in values):
                yield number, [symbol, *(row[at] for at in times), *values]


def _vnpy(path: Path) -> Iterator[tuple[int, Sequence[Any]]]:
    """The 1-minute bars of vnpy's SQLite file (`dbbardata`); rows count from 1."""
    columns = ("symbol", "exchange", "datetime", "open_price", "high_price", "low_price", "close_price")
    more = ("volume", "turnover", "open_interest")
    query = f"SELECT {', '.join(columns + more)} FROM dbbardata WHERE interval = '1m' ORDER BY datetime"
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_LINE * 1024)
            kind = database.execute("SELECT type FROM sqlite_master WHERE name = 'dbbardata'").fetchone()
            if kind != ("table",):  # a view may be anything, and take for ever
                raise BadBarFile(f"{path.name}: 不是 vnpy 的行情库：没有表 dbbardata")
            yield 0, [*columns, *more]
            for number, row in enumerate(database.execute(query), 1):
                if number > MOST_ROWS:
                    raise _too_many(path)
                yield number, row
    except sqlite3.Error as error:
        raise BadBarFile(f"{path.name}: 不是 vnpy 的行情库：{error}") from None


def _csv(path: Path, packed: bool, also: Collection[str]) -> Iterator[tuple[int, Sequence[Any]]]:
    with gzip.open(path) if packed else path.open("rb") as file:
        reader = csv.reader(_lines(path, file))
        first = next(reader, None)
        if not first:
            raise BadBarFile(f"{path.name}:1: 空文件")
        header, above = first, [first]
        while not _is_header(header, also) and len(above) < TITLE_LINES:
            header = next(reader, [])
            above.append(header)
        if not _is_header(header, also):
            raise _no_header(path, first, also)
        while not header[-1].strip():
            header.pop()
        yield reader.line_num, header
        for line in reader:
            if line and not line[0].lstrip("# ").startswith(SOURCE):
                yield reader.line_num, line


def _is_header(names: Sequence[str], also: Collection[str]) -> bool:
    known = KNOWN.union(also)
    return len(known.intersection(map(_plain, names))) >= len(NEEDED) or any(
        _FOLDED.fullmatch(name.strip()) for name in names
    )


def _no_header(path: Path, first: Sequence[str], also: Collection[str]) -> BadBarFile:
    if absent := sorted(set(also).difference(map(_plain, first))):
        return _not_there(path, absent, first)
    missing = _missing({ours for ours, known in NAMES.items() if set(map(_plain, first)) & set(known)})
    return BadBarFile(f"{path.name}:1: 表头缺少 {missing}")


def _plain(name: Any) -> str:
    """As it is looked for: `<Open>` of MultiCharts and wtpy is open."""
    return str(name).strip().lower().removeprefix("<").removesuffix(">")


def _lines(path: Path, file: gzip.GzipFile | BufferedReader) -> Iterator[str]:
    """As they come, none longer, no more and altogether no larger than a file of bars has them. Terminals on
    Windows write GBK; tabs are as good as commas.
    """
    size = number = 0
    encoding = "utf-8-sig"
    while line := file.readline(MOST_LINE + 1):
        number += 1
        size += len(line)
        if len(line) > MOST_LINE:
            raise BadBarFile(f"{path.name}:{number}: 这一行超过 {MOST_LINE} 个字节")
        if number > MOST_ROWS + 1:
            raise _too_many(path)
        if size > MOST_BYTES:
            raise _too_large(path)
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError:
            encoding = "gb18030"
            text = line.decode(encoding)
        yield text.replace("\t", ",")


def _too_many(path: Path) -> BadBarFile:
    return BadBarFile(f"{path.name}: 超过 {MOST_ROWS} 行，请分成几个文件")


def _too_large(path: Path) -> BadBarFile:
    return BadBarFile(f"{path.name}: 解开后超过 {MOST_BYTES >> 20} MB，请分成几个文件")


def _parquet(path: Path, also: Collection[str]) -> Iterator[tuple[int, Sequence[Any]]]:
    """Rows count from 1. One row group in memory at a time."""
    from fastparquet import ParquetFile  # with pandas: only who has such a file pays for it

    with ExitStack() as opened:  # the library leaves its files to the garbage collector
        try:
            file = ParquetFile(
                str(path), open_with=lambda name, mode="rb": opened.enter_context(open(name, mode))
            )
            names = [name for name in file.columns if _plain(name) in KNOWN.union(also)]
            _check_size(path, file.row_groups)
            groups = file.iter_row_groups(columns=names, index=False)
            yield 0, names
            number = 0
            while (frame := next(groups, None)) is not None:
                for values in frame.itertuples(index=False, name=None):
                    number += 1
                    yield number, values
        except (AppError, OSError, MemoryError):
            raise
        except Exception as error:  # whatever that library meets in a damaged file
            raise BadBarFile(f"{path.name}: 不是可读的 Parquet 文件：{error}") from None


def _check_size(path: Path, groups: Iterable[Any]) -> None:
    """By what the file says of itself; one that lies ends where memory does (app/lib/memory.py)."""
    rows = size = 0
    for group in groups:
        rows += group.num_rows
        size += sum(column.meta_data.total_uncompressed_size for column in group.columns)
    if rows > MOST_ROWS:
        raise _too_many(path)
    if size > MOST_BYTES:
        raise _too_large(path)


def columns_of(path: Path, header: Sequence[str], given: Mapping[str, str] | None = None) -> dict[str, int]:
    """Where each of our names stands: as it is given, else as it is known."""
    names = [_plain(name) for name in header]
    absent = [theirs for theirs in (given or {}).values() if theirs not in names]
    if absent:
        raise _not_there(path, absent, header)
    columns = {
        ours: names.index(name) for ours, known in NAMES.items() for name in reversed(known) if name in names
    }
    columns |= {ours: names.index(theirs) for ours, theirs in (given or {}).items()}
    if "time" not in columns and "date" in columns:
        columns["time"] = columns.pop("date")
    if missing := _missing(columns.keys()):
        raise BadBarFile(f"{path.name}:1: 表头缺少 {missing}")
    return columns


def _not_there(path: Path, absent: Sequence[str], header: Sequence[Any]) -> BadBarFile:
    there = "、".join(str(name) for name in header)[:MOST_SAID]
    return BadBarFile(f"{path.name}:1: --map 指明的列 {'、'.join(absent)} 不在表头里；表头有：{there}")


def _missing(found: Collection[str]) -> str:
    """The needed columns that are not among those found, with all their names."""
    there = {*found, "time"} if "date" in found else found
    return "、".join("/".join(NAMES[name]) for name in NEEDED if name not in there)
