"""Bars as vendors and other programs write them: each file's own names, order, labels and way to name a
contract come out as the same three bars.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.lib.bar_files import Reading, Told, read_bar_file
from app.lib.bar_quality import moment
from app.lib.bar_tables import BadBarFile, given_columns
from app.lib.bars import Bar
from app.lib.errors import BadInput
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


# ── what is guessed is told, and can be overridden ──


def told_of(path: Path, label: str = "", **how: Any) -> tuple[list[Bar], Told]:
    told: list[Told] = []
    (series,) = read_bar_file(path, "", label, reading=Reading(on_told=told.append, **how)).values()
    return series, told[0]


@pytest.mark.parametrize(
    ("name", "text", "source", "label"),
    [
        ("rqdata.csv", RQDATA, "rqdata", "end"),
        ("tushare.csv", TUSHARE, "tushare", "end"),
        ("jqdata.csv", JQDATA, "聚宽", "end"),
        ("rb2401.csv", WTPY, "wtpy", "end"),
        ("vnpy.csv", VNPY, "vnpy", "start"),
    ],
)
def test_a_file_tells_its_program_and_a_piece_of_it_is_labelled_as_that_one_does(
    tmp_path: Path, name: str, text: str, source: str, label: str
) -> None:
    """Of the piece's only row nothing shows whether it is a start or an end."""
    path = tmp_path / name
    path.write_text(text, "utf-8")
    whole, told = told_of(path)
    assert (told.source, told.label, told.why) == (source, label, "由交易节首尾的 K 线判断")
    header, *rows = text.splitlines()
    path.write_text("\n".join([header, rows[1].replace("11:29", "11:15").replace("11:30", "11:16")]))
    (bar,), told = told_of(path)
    assert moment(bar.timestamp) == "2023-09-25 11:15"
    assert (told.label, told.why) == (label, f"照 {source} 的习惯（交易节首尾看不出）")


def test_columns_contract_and_order_are_told(tmp_path: Path) -> None:
    path = tmp_path / "tushare.csv"
    path.write_text(TUSHARE, "utf-8")
    _, told = told_of(path)
    assert told.columns["time"] == "trade_time"
    assert told.columns["turnover"] == "amount"
    assert told.named == ("RB2401.SHF", "rb2401.SHFE")
    assert told.notes == ["文件里新的在前，已按时间排好"]
    lines = RQDATA.splitlines()
    path.write_text("\n".join([lines[0], lines[2], lines[1], lines[3]]))
    assert told_of(path)[1].notes == ["文件里的次序是乱的，已按时间排好"]


def test_columns_that_nobody_knows_are_named_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "rb2401.csv"
    path.write_text(csv_of("when,o,h,l,c,lots", "{when},{open},{high},{low},{close},{volume}", STARTS))
    with pytest.raises(BadBarFile, match="表头缺少"):
        read_bar_file(path)
    given = given_columns("time=when, open=o,high=H,low=l,close=c,volume=lots")
    bars, told = told_of(path, given=given)
    assert bars == [bar._replace(turnover=0.0, open_interest=0.0) for bar in BARS]
    assert told.columns["open"] == "o"
    with pytest.raises(BadBarFile, match="--map 指明的列 opening 不在表头里；表头有：when、o、h"):
        read_bar_file(
            path, reading=Reading(given_columns("time=when,open=opening,high=h,low=l,close=c,volume=lots"))
        )


def test_a_column_that_is_taken_for_another_is_put_right(tmp_path: Path) -> None:
    """`amount` is mostly yuan: here it is lots, and `money` the yuan."""
    path = tmp_path / "rb2401.csv"
    header = "datetime,open,high,low,close,volume,amount,money"
    path.write_text(csv_of(header, "{when},{open},{high},{low},{close},0,{volume},{turnover}", STARTS))
    bars, _ = told_of(path, given=given_columns("volume=amount,turnover=money"))
    assert [(bar.volume, bar.turnover) for bar in bars] == [(bar.volume, bar.turnover) for bar in BARS]


@pytest.mark.parametrize("text", ["open", "price=close", "open="])
def test_a_map_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="--map"):
        given_columns(text)


def test_amounts_in_ten_thousands_are_noticed_and_the_unit_can_be_said(tmp_path: Path) -> None:
    path = tmp_path / "rqdata.csv"
    path.write_text(RQDATA.replace("370000.0", "37.0"))
    bars, told = told_of(path)
    assert [bar.turnover for bar in bars] == [370_000.0] * 3
    assert told.notes == ["成交额看来以万元为单位，已乘 10000（不是的话用 --turnover yuan）"]
    assert [bar.turnover for bar in told_of(path, wan=False)[0]] == [37.0] * 3
    path.write_text(RQDATA)
    assert [bar.turnover for bar in told_of(path, wan=True)[0]] == [3_700_000_000.0] * 3


def test_volumes_of_both_sides_before_2020_are_said_but_not_of_cffex(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    header = "symbol,datetime,open,high,low,close,volume"
    path.write_text(f"{header}\nrb1901.SHFE,2018-10-08 09:00:00,3700,3701,3699,3700,10\n")
    assert [note[:8] for note in told_of(path)[1].notes] == ["2020 年以前，"[:8]]
    path.write_text(f"{header}\nIF1901.CFFEX,2018-10-08 13:00:00,3200,3201,3199,3200,10\n")
    assert told_of(path, "start")[1].notes == []


def test_qmts_milliseconds_may_be_ends_too(tmp_path: Path) -> None:
    path = tmp_path / "rb2401.SF.csv"
    header = "time,open,high,low,close,volume,amount,settle,openInterest,preClose,suspendFlag"
    rows = [
        f"{ms(when)},{{open}},{{high}},{{low}},{{close}},{{volume}},{{turnover}},0,{{oi}},0,0".format(
            **figures(at)
        )
        for at, when in enumerate(ENDS)
    ]
    path.write_text("\n".join([header, *rows]))
    bars, told = told_of(path)
    assert bars == BARS
    assert (told.source, told.label) == ("QMT", "end")


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("SHFE.rb.2401_m1.csv", "rb2401.SHFE"),
        ("SHFE.rb2401.1m.csv", "rb2401.SHFE"),
        ("28#SR2401.txt", "SR401.CZCE"),
        ("CZCE.SR.401.csv", "SR401.CZCE"),
        ("RB2401.csv", "rb2401.SHFE"),
    ],
)
def test_a_contract_that_only_the_files_name_says(tmp_path: Path, name: str, symbol: str) -> None:
    path = tmp_path / name
    path.write_text(WTPY)
    assert list(read_bar_file(path)) == [symbol]


@pytest.mark.parametrize("name", ["bars.csv", "SHFE.rb.HOT_m1.csv", "rb2401x.csv", "xx2401.csv"])
def test_a_name_that_says_no_contract_asks_for_one(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(WTPY)
    with pytest.raises(BadBarFile, match="--symbol"):
        read_bar_file(path)


def test_a_repeated_minute_is_an_error_unless_somebody_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "rqdata.csv"
    path.write_text(RQDATA + RQDATA.splitlines()[-1].replace("3704.0", "3703.0") + "\n")
    with pytest.raises(BadBarFile, match="出现了两次"):
        read_bar_file(path)
    repeated: list[str] = []
    bars, _ = told_of(path, on_repeated=repeated.append)
    assert repeated == ["rb2401.SHFE"]
    assert bars[-1].close == 3703.0


def test_angle_brackets_around_names_are_no_part_of_them(tmp_path: Path) -> None:
    path = tmp_path / "rb2401.csv"
    header = "<Date>, <Time>, <Open>, <High>, <Low>, <Close>, <Volume>"
    path.write_text(csv_of(header, "{day},{clock},{open},{high},{low},{close},{volume}", ENDS))
    assert [bar._replace(turnover=0.0, open_interest=0.0) for bar in BARS] == read_bar_file(path)[
        "rb2401.SHFE"
    ]
