"""Files of columns: bars and ticks as plain arrays, compressed, that are read at once. Any process; pure but
for reading and writing the file.

A file is a mark and then blocks. A block is of one contract: a head (`_HEAD`), its meta as JSON (`kind`,
`name`, `rows`, `types`, and what its writer notes), and the columns one behind the other, little-endian, in
one zlib stream: `numpy.frombuffer` reads them as `array` does here. A whole file is written once, and
anything wrong in it is an error; a growing one (`GROWING`) is added to, block by block, and ends with its
last sound block: what a killed writer has left behind that is cut off.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from app.lib.errors import AppError

WHOLE, GROWING = b"CTPBCOL1", b"CTPBCOL+"
LEVEL = 6  # of zlib
_MARK = b"\x93BLK"
_HEAD = struct.Struct("<4sIII")  # mark, bytes of the meta, bytes of the columns, CRC-32 of both
MOST_META = 64 * 1024
MOST_COLUMNS = 1 << 28  # bytes of a block, unpacked
WIDTHS = {"q": 8, "d": 8, "i": 4, "B": 1}
"""Types of columns as `array` calls them, and the bytes of each: int64, float64, int32, uint8."""


class BadColumns(AppError):
    """A file of columns is not what it should be: make it anew from what it was made of."""

    default_code = "BAD_COLUMN_FILE"


class Meta(NamedTuple):
    """What a block says of itself. `note`: what its writer has noted."""

    kind: str  # bars, ticks
    name: str  # the contract, as `rb2401.SHFE`
    rows: int
    types: dict[str, str]  # by column, in their order
    note: dict[str, Any]


class Block(NamedTuple):
    """One contract's rows, or some of them, by column."""

    meta: Meta
    columns: dict[str, array[Any]]


def packed(
    kind: str,
    name: str,
    types: Mapping[str, str],
    columns: Iterable[Iterable[Any]],
    note: Mapping[str, Any] | None = None,
    level: int = LEVEL,
) -> bytes:
    """A block; the same content gives the same bytes. Raises OverflowError and TypeError for values that are
    none of their column's type.
    """
    made = [array(code, values) for code, values in zip(types.values(), columns, strict=True)]
    rows = len(made[0])
    content = b"".join(map(_bytes, made))
    meta = json.dumps(
        {"kind": kind, "name": name, "rows": rows, "types": dict(types), "note": dict(note or {})},
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    payload = zlib.compress(content, level)
    return _HEAD.pack(_MARK, len(meta), len(payload), zlib.crc32(payload, zlib.crc32(meta))) + meta + payload


def is_columns(path: Path) -> bool:
    """By its first bytes. Raises OSError."""
    with path.open("rb") as file:
        return file.read(len(WHOLE)) in (WHOLE, GROWING)


def metas(path: Path) -> list[Meta]:
    """Of all blocks, without unpacking them. Raises BadColumns, OSError."""
    return [meta for meta, _ in _scan(path, lambda _meta: False)]


def blocks(path: Path, wanted: Callable[[Meta], bool] = lambda _meta: True) -> Iterator[Block]:
    """Those that are wanted, in the file's order. Raises BadColumns, OSError."""
    for meta, payload in _scan(path, wanted):
        if payload is not None:
            yield Block(meta, _unpacked(path, meta, payload))


def sound_length(path: Path) -> int:
    """How many bytes of a growing file are whole blocks: what comes behind is a torn tail. Raises BadColumns
    when it is none.
    """
    with path.open("rb") as file:
        if file.read(len(GROWING)) != GROWING:
            raise BadColumns(f"{path.name}: 不是可以续写的列文件")
        reader = _Reader(path, file, growing=True)
        while reader.next(lambda _meta: True) is not None:
            pass
        return file.tell()


def _scan(path: Path, wanted: Callable[[Meta], bool]) -> Iterator[tuple[Meta, bytes | None]]:
    with path.open("rb") as file:
        mark = file.read(len(WHOLE))
        if mark not in (WHOLE, GROWING):
            raise BadColumns(f"{path.name}: 不是列文件")
        reader = _Reader(path, file, growing=mark == GROWING)
        while (found := reader.next(wanted)) is not None:
            yield found


class _Reader:
    """An open file that stands at the beginning of a block, or at its end."""

    def __init__(self, path: Path, file: IO[bytes], growing: bool) -> None:
        self._path, self._file, self._growing = path, file, growing
        self._size = os.fstat(file.fileno()).st_size

    def next(self, wanted: Callable[[Meta], bool]) -> tuple[Meta, bytes | None] | None:
        """The next block, unpacked only if it is wanted; None at the end, where the file stands then."""
        at = self._file.tell()
        if at >= self._size:
            return None
        try:
            return self._block(wanted)
        except (struct.error, ValueError, KeyError, TypeError) as error:
            if self._growing:
                self._file.seek(at)
                return None
            raise BadColumns(f"{self._path.name}: 第 {at} 字节起的一块已损坏：{error}") from None

    def _block(self, wanted: Callable[[Meta], bool]) -> tuple[Meta, bytes | None]:
        file = self._file
        mark, meta_size, size, crc = _HEAD.unpack(file.read(_HEAD.size))
        if mark != _MARK or meta_size > MOST_META or size > MOST_COLUMNS:
            raise ValueError("块的开头不对")
        text = file.read(meta_size)
        if file.tell() + size > self._size:
            raise ValueError("不完整")
        meta = _meta(text)
        if not wanted(meta):
            file.seek(size, os.SEEK_CUR)
            return meta, None
        payload = file.read(size)
        if zlib.crc32(payload, zlib.crc32(text)) != crc:
            raise ValueError("校验和不对")
        return meta, payload


def _meta(text: bytes) -> Meta:
    """Raises ValueError, KeyError and TypeError."""
    values = json.loads(text)
    meta = Meta(values["kind"], values["name"], int(values["rows"]), dict(values["types"]), values["note"])
    if meta.rows < 0 or meta.rows * _width(meta) > MOST_COLUMNS:
        raise ValueError(f"{meta.rows} 行")
    return meta


def _width(meta: Meta) -> int:
    return sum(WIDTHS[code] for code in meta.types.values())


def _unpacked(path: Path, meta: Meta, payload: bytes) -> dict[str, array[Any]]:
    size = meta.rows * _width(meta)
    try:
        content = zlib.decompressobj().decompress(payload, size + 1)
    except zlib.error as error:
        raise BadColumns(f"{path.name}: {meta.name} 解不开：{error}") from None
    if len(content) != size:
        raise BadColumns(f"{path.name}: {meta.name} 应有 {meta.rows} 行，内容不符")
    found, at = {}, 0
    for name, code in meta.types.items():
        column = array(code)
        column.frombytes(content[at : at + meta.rows * WIDTHS[code]])
        if sys.byteorder == "big":
            column.byteswap()
        found[name] = column
        at += meta.rows * WIDTHS[code]
    return found


def _bytes(column: array[Any]) -> bytes:
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column.tobytes()
