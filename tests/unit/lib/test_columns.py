"""Files of columns: what goes in comes out, damage is told, and a torn tail of a growing one is no damage."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

from app.lib import bar_columns, columns
from app.lib.bar_columns import Source
from app.lib.bars import Bar
from app.lib.columns import BadColumns

TYPES = {"at": "q", "price": "d", "volume": "i", "flag": "B"}
ROWS = [(1 << 40, 3700.5, 7, 1), (2 << 40, -0.1, -3, 0)]


def block(name: str = "rb2401.SHFE", rows: list[tuple[object, ...]] = ROWS) -> bytes:  # type: ignore[assignment]
    return columns.packed("ticks", name, TYPES, zip(*rows, strict=True), {"source": "here"})


def written(folder: Path, *parts: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(b"".join(parts))
    return path


def test_blocks_come_back_by_column_and_only_those_that_are_wanted(tmp_path: Path) -> None:
    path = written(tmp_path, columns.WHOLE, block(), block("m2401.DCE"))
    (found,) = columns.blocks(path, lambda meta: meta.name == "m2401.DCE")
    assert found.meta == ("ticks", "m2401.DCE", 2, TYPES, {"source": "here"})
    assert list(zip(*found.columns.values(), strict=True)) == ROWS
    assert [meta.name for meta in columns.metas(path)] == ["rb2401.SHFE", "m2401.DCE"]
    assert block() == block()


def test_numpy_reads_a_column_as_it_lies(tmp_path: Path) -> None:
    (found,) = columns.blocks(written(tmp_path, columns.WHOLE, block()))
    assert numpy.frombuffer(found.columns["price"]).tolist() == [3700.5, -0.1]


@pytest.mark.parametrize("at", [20, -3])
def test_damage_anywhere_in_a_whole_file_is_told(tmp_path: Path, at: int) -> None:
    content = bytearray(columns.WHOLE + block())
    content[at] ^= 1
    path = written(tmp_path, content)
    with pytest.raises(BadColumns, match="第 8 字节起"):
        list(columns.blocks(path))
    path.write_bytes((columns.WHOLE + block())[:-1])
    with pytest.raises(BadColumns, match="第 8 字节起"):
        list(columns.blocks(path))
    path.write_bytes(b"something else")
    with pytest.raises(BadColumns, match="不是列文件"):
        list(columns.blocks(path))


def test_a_growing_file_ends_with_its_last_sound_block_wherever_it_was_cut(tmp_path: Path) -> None:
    first, second = columns.GROWING + block(), block("m2401.DCE")
    for length in range(len(second)):
        path = written(tmp_path, first, second[:length])
        assert [found.meta.name for found in columns.blocks(path)] == ["rb2401.SHFE"]
        assert columns.sound_length(path) == len(first)
    assert columns.sound_length(written(tmp_path, first, second)) == len(first + second)


def test_a_block_that_says_more_rows_than_it_has_is_no_way_to_fill_the_memory(tmp_path: Path) -> None:
    huge = columns.packed("ticks", "rb2401.SHFE", {"flag": "B"}, [bytes(1 << 20)])
    meta = huge[16 : 16 + huge[4]]
    lying = meta.replace(b'"rows":1048576', b'"rows":1048575')
    import zlib

    payload = huge[16 + len(meta) :]
    head = columns._HEAD.pack(columns._MARK, len(lying), len(payload), zlib.crc32(payload, zlib.crc32(lying)))
    with pytest.raises(BadColumns, match="内容不符"):
        list(columns.blocks(written(tmp_path, columns.WHOLE, head, lying, payload)))


def test_bars_of_a_range_and_bars_out_of_order(tmp_path: Path) -> None:
    series = [Bar(60_000 * at, 1, 1, 1, 1, at) for at in range(5)]
    path = written(tmp_path, bar_columns.encoded({"rb2401.SHFE": series}))
    assert bar_columns.read(path, 60_000, 180_000).bars == {"rb2401.SHFE": series[1:3]}
    assert bar_columns.read(path, 200_000).bars == {"rb2401.SHFE": series[4:]}
    for wrong in (series[::-1], [*series, series[-1]]):
        path = written(tmp_path, bar_columns.encoded({"rb2401.SHFE": wrong}))
        with pytest.raises(BadColumns, match="次序不对"):
            bar_columns.read(path)


def test_bars_beyond_half_of_the_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, bar_columns.encoded({"rb2401.SHFE": [Bar(0, 1, 1, 1, 1, 1)]}))
    monkeypatch.setattr(bar_columns, "is_half_used", lambda: True)
    with pytest.raises(BadColumns, match="内存不够"):
        bar_columns.read(path)


def test_bars_come_back_with_what_they_came_from(tmp_path: Path) -> None:
    bars = {
        "rb2401.SHFE": [Bar(60_000 * at, 3.0, 4.0, 2.0, 3.5, at, 7.5, 9.0, at != 1) for at in range(3)],
        "m2401.DCE": [],
    }
    path = written(tmp_path, bar_columns.encoded(bars, Source("rb.csv", "ab12")))
    assert bar_columns.read(path) == (bars, [Source("rb.csv", "ab12")])
    own = bar_columns.read(written(tmp_path, bar_columns.encoded(bars))).sources
    assert [one.name for one in own] == ["m2401.DCE", "rb2401.SHFE"]
    assert len({one.sha256 for one in own}) == 2
