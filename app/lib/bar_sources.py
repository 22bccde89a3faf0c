"""Which program has written a table of bars, as its columns tell, and whether that one labels a minute with
its start or its end. Pure; any process.

What a file shows itself (a bar at a section's first or last moment) goes before what its program usually
does. Where each of these is known from: docs/replay.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Source(NamedTuple):
    """`columns`: those that no other has together; `label`: start, end, "" where it is not known;
    `is_foreign`: its times in milliseconds are not ours, and may be ends.
    """

    name: str
    columns: frozenset[str]
    label: str
    is_foreign: bool = False


SOURCES = (
    Source("rqdata", frozenset({"order_book_id", "total_turnover"}), "end"),
    Source("tushare", frozenset({"ts_code", "trade_time"}), "end"),
    Source("天勤", frozenset({"datetime_nano"}), "start"),
    Source("天勤", frozenset({"open_oi", "close_oi"}), "start"),
    Source("vnpy", frozenset({"open_price", "interval", "exchange"}), "start"),
    Source("vnpy", frozenset({"open_price", "turnover", "exchange"}), "start"),
    Source("QMT", frozenset({"time", "preclose", "suspendflag"}), "", is_foreign=True),
    Source("QMT", frozenset({"time", "amount", "openinterest"}), "", is_foreign=True),
    Source("wtpy", frozenset({"date", "time", "hold"}), "end"),
    Source("聚宽", frozenset({"money", "open_interest"}), "end"),
    Source("聚宽", frozenset({"money", "time"}), "end"),
    Source("ctpbee", frozenset({"local_symbol", "open_price"}), ""),
    Source("通达信", frozenset({"日期", "时间", "持仓量"}), "end"),
    Source("文华", frozenset({"时间", "开盘", "收盘"}), ""),
)
SUFFIXES = {".XSGE": "聚宽", ".XDCE": "聚宽", ".XZCE": "聚宽", ".CCFX": "聚宽", ".XINE": "聚宽", ".SF": "QMT"}


def source_of(header: Sequence[object], called: str = "") -> Source | None:
    """By its header, and by how it calls a contract."""
    names = {str(name).strip().lower() for name in header}
    suffix = SUFFIXES.get(f".{called.rpartition('.')[2]}" if "." in called else "")
    for source in SOURCES:
        if source.columns <= names and suffix in (None, source.name):
            return source
    return next((source for source in SOURCES if source.name == suffix), None)
