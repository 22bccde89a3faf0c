"""Bars as vendors and other programs write them: each file's own names, order, labels and way to name a
contract come out as the same three bars.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from app.lib.bar_files import read_bar_file
from app.lib.bar_tables import BadBarFile
from app.lib.bars import Bar
from tests.unit.lib.test_bar_files import ms

STARTS = ("2023-09-25 09:00:00", "2023-09-25 11:29:00", "2023-09-25 14:59:00")
ENDS = ("2023-09-25 09:01:00", "2023-09-25 11:30:00", "2023-09-25 15:00:00")
BARS = [
    Bar(ms(start), 3700.0 + at, 3705.0 + at, 3695.0 + at, 3702.0 + at, 10 + at, 370_000.0, 1000.0 + at)
    for at, start in enumerate(STARTS)
]


def figures(at: int) -> dict[str, float]:
    bar = BARS[at]
    return {
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
        "turnover": bar.turnover,
        "oi": bar.open_interest,
    }


def csv_of(header: str, row: str, whens: tuple[str, ...], newest_first: bool = False) -> str:
    lines = [
        row.format(when=when, day=when[:10], clock=when[11:], **figures(at)) for at, when in enumerate(whens)
    ]
    return "\n".join([header, *(reversed(lines) if newest_first else lines)]) + "\n"


RQDATA = csv_of(
    "order_book_id,datetime,open,high,low,close,volume,total_turnover,open_interest,trading_date",
    "RB2401,{when},{open},{high},{low},{close},{volume},{turnover},{oi},2023-09-25",
    ENDS,
)
TUSHARE = csv_of(
    "ts_code,trade_time,open,close,high,low,vol,amount,oi",
    "RB2401.SHF,{when},{open},{close},{high},{low},{volume},{turnover},{oi}",
    ENDS,
    newest_first=True,
)
JQDATA = csv_of(
    "symbol,time,open,close,high,low,volume,money,open_interest",
    "RB2401.XSGE,{when},{open},{close},{high},{low},{volume},{turnover},{oi}",
    ENDS,
)
WTPY = csv_of(
    "date,time,open,high,low,close,volume,turnover,hold",
    "{day},{clock},{open},{high},{low},{close},{volume},{turnover},{oi}",
    ENDS,
)
VNPY = csv_of(
    "symbol,exchange,datetime,interval,volume,turnover,open_interest,open_price,high_price,low_price,close_price",
    "rb2401,SHFE,{when},1m,{volume},{turnover},{oi},{open},{high},{low},{close}",
    STARTS,
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rqdata.csv", RQDATA),
        ("tushare.csv", TUSHARE),
        ("jqdata.csv", JQDATA),
        ("rb2401.csv", WTPY),
        ("vnpy.csv", VNPY),
    ],
)
def test_each_vendors_file_comes_out_as_the_same_bars(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    assert read_bar_file(path) == {"rb2401.SHFE": BARS}


def test_qmts_milliseconds_and_its_name_for_the_exchange(tmp_path: Path) -> None:
    path = tmp_path / "rb2401.SF.csv"
    rows = [
        f"{ms(when)},{{open}},{{high}},{{low}},{{close}},{{volume}},{{turnover}},{{oi}}" for when in STARTS
    ]
    lines = [row.format(**figures(at)) for at, row in enumerate(rows)]
    path.write_text("\n".join(["time,open,high,low,close,volume,amount,openInterest", *lines]))
    assert read_bar_file(path) == {"rb2401.SHFE": BARS}


def test_tqsdks_contracts_side_by_side_with_minutes_that_one_lacks(tmp_path: Path) -> None:
    names = ("open", "high", "low", "close", "volume", "open_oi", "close_oi")
    header = ["datetime", "datetime_nano"]
    header += [f"{symbol}.{name}" for symbol in ("SHFE.rb2401", "CZCE.SR401") for name in names]
    lines = []
    for at, when in enumerate(STARTS):
        bar = BARS[at]
        own = [bar.open, bar.high, bar.low, bar.close, bar.volume, 0, bar.open_interest]
        other = ["N/A"] * 7 if at == 1 else own
        lines.append(",".join(map(str, [f"{when}.000000000", ms(when) * 10**6, *own, *other])))
    path = tmp_path / "download.csv"
    path.write_text("\n".join([",".join(header), *lines]))
    bars = [bar._replace(turnover=0.0) for bar in BARS]
    assert read_bar_file(path) == {"rb2401.SHFE": bars, "SR401.CZCE": [bars[0], bars[2]]}


def vnpy_file(path: Path, table: str = "dbbardata") -> Path:
    with sqlite3.connect(path) as database:
        database.execute(
            f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, symbol, exchange, datetime, interval, volume, "
            "turnover, open_interest, open_price, high_price, low_price, close_price)"
        )
        for bar, when in zip(BARS, STARTS, strict=True):
            for interval in ("1m", "1h"):
                values = (
                    "rb2401",
                    "SHFE",
                    when,
                    interval,
                    bar.volume,
                    bar.turnover,
                    bar.open_interest,
                    *bar[1:5],
                )
                database.execute(f"INSERT INTO {table} VALUES (NULL,?,?,?,?,?,?,?,?,?,?,?)", values)
    database.close()
    return path


def test_vnpys_database_is_read_as_it_is_and_left_alone(tmp_path: Path) -> None:
    path = vnpy_file(tmp_path / "database.db")
    before = path.read_bytes()
    assert read_bar_file(path) == {"rb2401.SHFE": BARS}
    assert path.read_bytes() == before


def test_a_view_in_place_of_the_table_is_not_asked(tmp_path: Path) -> None:
    path = vnpy_file(tmp_path / "database.db", "something")
    with sqlite3.connect(path) as database:
        database.execute("CREATE VIEW dbbardata AS SELECT * FROM something")
    database.close()
    with pytest.raises(BadBarFile, match="没有表 dbbardata"):
        read_bar_file(path)


def test_another_database_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(BadBarFile, match="dbbardata"):
        read_bar_file(vnpy_file(tmp_path / "other.db", "something"))


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("SR2401.ZCE", "SR401.CZCE"),
        ("SR2401.XZCE", "SR401.CZCE"),
        ("IF2401.CCFX", "IF2401.CFFEX"),
        ("M2401.XDCE", "m2401.DCE"),
        ("SC2401.XINE", "sc2401.INE"),
        ("LC2401.GFE", "lc2401.GFEX"),
        ("RB2401", "rb2401.SHFE"),
    ],
)
def test_a_contracts_name_is_put_right(tmp_path: Path, name: str, symbol: str) -> None:
    row: Callable[..., str] = "{when},{open},{high},{low},{close},{volume}".format
    lines = [f"{name},{row(when=when, **figures(at))}" for at, when in enumerate(STARTS)]
    path = tmp_path / "bars.csv"
    path.write_text("\n".join(["symbol,datetime,open,high,low,close,volume", *lines]))
    assert list(read_bar_file(path, label="start")) == [symbol]
