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
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from io import BufferedReader
from pathlib import Path
from typing import Any

from app.lib.errors import AppError

MOST_LINE = 4096  # bytes
MOST_ROWS = 1_000_000  # of a file: a year of ten contracts; about 1 GB of memory
MOST_BYTES = 1 << 30  # unpacked
GZIP_MAGIC, PARQUET_MAGIC = b"\x1f\x8b", b"PAR1"

NAMES = {
    "open": ("open", "open_price", "开盘价", "开盘"),
    "high": ("high", "high_price", "最高价", "最高"),
    "low": ("low", "low_price", "最低价", "最低"),
    "close": ("close", "close_price", "收盘价", "收盘"),
    "volume": ("volume", "成交量"),
    "turnover": ("turnover", "amount", "成交额", "成交金额"),
    "open_interest": ("open_interest", "position", "close_oi", "持仓量", "持仓"),
    "complete": ("complete",),
    "symbol": ("local_symbol", "symbol", "合约", "合约代码"),
    "date": ("date", "日期"),
    "time": ("timestamp", "datetime", "datetime_nano", "time", "日期时间", "时间"),
}
"""What a column may be called, in whatever case."""
KNOWN = {name for names in NAMES.values() for name in names}
TITLE_LINES = 5  # within which the header stands
SOURCE = "数据来源"  # what a terminal's last line begins with
NEEDED = ("time", "open", "high", "low", "close", "volume")


class BadBarFile(AppError):
    """A file of bars is not what it should be: mend what the message names and import it again; nothing of it
    was kept.
    """

    default_code = "BAD_BAR_FILE"


def read_table(path: Path) -> Iterator[tuple[int, Sequence[Any]]]:
    """The header, then every row, each with its number. Raises BadBarFile, and what reading a file raises."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise BadBarFile(f"{path.name}: 不是普通文件")
    with path.open("rb") as file:
        magic = file.read(len(PARQUET_MAGIC))
    return _parquet(path) if magic == PARQUET_MAGIC else _csv(path, packed=magic.startswith(GZIP_MAGIC))


def _csv(path: Path, packed: bool) -> Iterator[tuple[int, Sequence[Any]]]:
    with gzip.open(path) if packed else path.open("rb") as file:
        reader = csv.reader(_lines(path, file))
        first = next(reader, None)
        if not first:
            raise BadBarFile(f"{path.name}:1: 空文件")
        header, above = first, [first]
        while len(KNOWN.intersection(map(_plain, header))) < len(NEEDED) and len(above) < TITLE_LINES:
            header = next(reader, [])
            above.append(header)
        if len(KNOWN.intersection(map(_plain, header))) < len(NEEDED):
            raise _no_header(path, first)
        while not header[-1].strip():
            header.pop()
        yield reader.line_num, header
        for line in reader:
            if line and not line[0].lstrip("# ").startswith(SOURCE):
                yield reader.line_num, line


def _no_header(path: Path, first: Sequence[str]) -> BadBarFile:
    missing = _missing({ours for ours, known in NAMES.items() if set(map(_plain, first)) & set(known)})
    return BadBarFile(f"{path.name}:1: 表头缺少 {missing}")


def _plain(name: Any) -> str:
    return str(name).strip().lower()


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


def _parquet(path: Path) -> Iterator[tuple[int, Sequence[Any]]]:
    """Rows count from 1. One row group in memory at a time."""
    from fastparquet import ParquetFile  # with pandas: only who has such a file pays for it

    with ExitStack() as opened:  # the library leaves its files to the garbage collector
        try:
            file = ParquetFile(
                str(path), open_with=lambda name, mode="rb": opened.enter_context(open(name, mode))
            )
            names = [name for name in file.columns if _plain(name) in KNOWN]
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


def columns_of(path: Path, header: Sequence[str]) -> dict[str, int]:
    """Where each of our names stands."""
    names = [_plain(name) for name in header]
    columns = {
        ours: names.index(name) for ours, known in NAMES.items() for name in reversed(known) if name in names
    }
    if "time" not in columns and "date" in columns:
        columns["time"] = columns.pop("date")
    if missing := _missing(columns.keys()):
        raise BadBarFile(f"{path.name}:1: 表头缺少 {missing}")
    return columns


def _missing(found: Collection[str]) -> str:
    """The needed columns that are not among those found, with all their names."""
    there = {*found, "time"} if "date" in found else found
    return "、".join("/".join(NAMES[name]) for name in NEEDED if name not in there)
