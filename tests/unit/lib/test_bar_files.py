"""Files of bars: every layout, both labels, and that a bad row is named and nothing of its file is given."""

from __future__ import annotations

import csv
import gzip
import os
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app.counter.products import products
from app.lib import bar_tables
from app.lib.bar_files import EDGES, MOST_NAMED, read_bar_documents, read_bar_file
from app.lib.bar_tables import MOST_LINE, BadBarFile
from app.lib.bars import Bar
from app.lib.calendar import SHANGHAI
from app.lib.errors import BadInput
from app.lib.sessions import sections
from tests.support.recorded import Recordings, on_each

PLAIN = "symbol,trading_day,datetime,open,high,low,close,volume,turnover,open_interest"
CTPBEE = "local_symbol,datetime,open_price,close_price,high_price,low_price,volume,turnover,open_interest"
OURS = "local_symbol,timestamp,open,high,low,close,volume,turnover,open_interest,complete"


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1000)


def clock(bar: Bar) -> str:
    return datetime.fromtimestamp(bar.timestamp / 1000, SHANGHAI).strftime("%Y-%m-%d %H:%M")


def written(folder: Path, *lines: str, header: str = PLAIN, name: str = "bars.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return path


def line(when: str, **changes: Any) -> str:
    values = {
        "symbol": "rb2510",
        "trading_day": "20250609",
        "datetime": when,
        "open": 3000,
        "high": 3010,
        "low": 2990,
        "close": 3005,
    }
    values |= {"volume": 12, "turnover": 360_600, "open_interest": 1000}
    return ",".join(str(value) for value in (values | changes).values())


def test_bars_come_by_contract_oldest_first_with_all_their_figures(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        line("2025-06-09 09:01:00"),
        line("2025-06-09 09:00:00"),
        line("2025-06-09 10:30:00", symbol="m2509"),
    )
    found = read_bar_file(path)
    assert list(found) == ["m2509.DCE", "rb2510.SHFE"]
    assert found["rb2510.SHFE"] == [
        Bar(ms(f"2025-06-09 09:0{at}"), 3000, 3010, 2990, 3005, 12, 360_600, 1000) for at in (0, 1)
    ]


def test_a_packed_file_is_read_whatever_its_name_says(tmp_path: Path) -> None:
    path = written(tmp_path, line("2025-06-09 09:00:00"))
    plain = read_bar_file(path)
    path.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    assert read_bar_file(path) == plain


def test_our_own_layout_is_taken_as_it_is(tmp_path: Path) -> None:
    kept = [
        Bar(ms("2025-06-08 03:33"), 3000.5, 3010, 2990, 3005, 12, 1.5, 7, False),
        Bar(ms("2025-06-09 15:00"), 1, 1, 1, 1, 0),
    ]
    path = tmp_path / "ours.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(OURS.split(","))
        writer.writerows([("rb2510.SHFE", *bar) for bar in kept])
    assert read_bar_file(path) == {"rb2510.SHFE": kept}


def test_labels_of_ends_are_shifted_and_an_auctions_own_bar_goes_into_the_first_minute(
    tmp_path: Path,
) -> None:
    lines = [
        f"rb2510.SHFE,2025-06-06 {when}:00,{price},{price},{price},{price},5,50,{price}"
        for when, price in (("21:00", 3000), ("21:01", 3010), ("23:00", 3020))
    ]
    (bars,) = read_bar_file(written(tmp_path, *lines, header=CTPBEE)).values()
    assert [(clock(bar)[11:], bar.open, bar.high, bar.close, bar.volume) for bar in bars] == [
        ("21:00", 3000, 3010, 3010, 10),
        ("22:59", 3020, 3020, 3020, 5),
    ]


def test_a_closing_print_kept_as_a_bar_of_its_own_goes_into_the_last_minute(tmp_path: Path) -> None:
    path = written(tmp_path, line("2025-06-09 14:59:00"), line("2025-06-09 15:00:00", close=3009))
    (bars,) = read_bar_file(path, label="start").values()
    assert [(clock(bar)[11:], bar.close, bar.volume) for bar in bars] == [("14:59", 3009, 24)]


def test_a_night_that_ends_on_saturday_is_shifted_over_midnight(tmp_path: Path) -> None:
    times = ("2025-06-07 00:00", "2025-06-07 02:30")
    (bars,) = read_bar_file(
        written(tmp_path, *(line(f"{when}:00", symbol="ag2508") for when in times))
    ).values()
    assert [clock(bar) for bar in bars] == ["2025-06-06 23:59", "2025-06-07 02:29"]


@pytest.mark.parametrize("whens", [("09:05", "09:06"), ("10:30", "11:30")])
def test_where_labels_do_not_tell_they_must_be_told(tmp_path: Path, whens: tuple[str, str]) -> None:
    path = written(tmp_path, *(line(f"2025-06-09 {when}:00") for when in whens))
    with pytest.raises(BadBarFile, match="--label"):
        read_bar_file(path)
    starts, ends = (read_bar_file(path, label=label)["rb2510.SHFE"] for label in ("start", "end"))
    assert starts[0].timestamp - ends[0].timestamp == 60_000


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"open": "what"}, "open 不是数"),
        ({"open": ""}, "不成 K 线"),
        ({"high": 2999}, "不成 K 线"),
        ({"low": 0}, "不成 K 线"),
        ({"close": "inf"}, "不是数"),
        ({"volume": -1}, "成交量"),
        ({"volume": 1.5}, "成交量"),
        ({"datetime": "yesterday"}, "时间不合法"),
        ({"datetime": "2025-06-09 09:01:30"}, "整分钟"),
        ({"datetime": "1749430860"}, "毫秒"),
        ({"datetime": "2025-06-09 09:00:00"}, "两次"),
        ({"symbol": "rb"}, "不合法"),
        ({"symbol": "zz2510"}, "哪个交易所"),
        ({"open_interest": "1,2"}, "11 列"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line_and_the_file_gives_nothing(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    path = written(
        tmp_path,
        line("2025-06-09 09:00:00"),
        line(**({"when": "2025-06-09 09:01:00"} | changes)),
        name="bad.csv",
    )
    with pytest.raises(BadBarFile) as bad:
        read_bar_file(path)
    assert bad.value.message.startswith("bad.csv:3: ")
    assert reason in bad.value.message


def test_all_bad_rows_are_named_up_to_a_bound_and_counted(tmp_path: Path) -> None:
    path = written(tmp_path, *(line(f"2025-06-09 09:{minute:02d}:00", high=1) for minute in range(30)))
    with pytest.raises(BadBarFile) as bad:
        read_bar_file(path)
    told = bad.value.message.splitlines()
    assert len(told) == MOST_NAMED + 1
    assert told[1].startswith("bars.csv:3: ")
    assert told[-1] == "…… 共 30 处"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "空文件"),
        (b"datetime,open,high,low\n", "close/close_price"),
        (PLAIN.encode() + b"\n", "没有 K 线"),
        (b"datetime,open,high,low,close,volume\n2025-06-09 09:00:00,1,1,1,1,1\n", "--symbol"),
        (gzip.compress(PLAIN.encode() + b"\n", mtime=0)[:-9], "读不了"),
        ("代码,时间\n".encode("gb18030"), "表头缺少 open/open_price/开盘价/开盘"),
        (b"\xff\n", "读不了"),
        (b"PAR1 and nothing else", "Parquet"),
    ],
)
def test_a_file_that_is_none_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(BadBarFile, match="broken") as bad:
        read_bar_file(path)
    assert reason in bad.value.message


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadBarFile, match=r"没有文件 .*missing\.csv$"):
        read_bar_file(tmp_path / "missing.csv")


def test_the_symbol_may_be_told_and_must_not_contradict_the_file(tmp_path: Path) -> None:
    nameless = written(
        tmp_path, "2025-06-09 09:00:00,1,1,1,1,1", header="datetime,open,high,low,close,volume"
    )
    assert (
        list(read_bar_file(nameless, "rb2510"))
        == list(read_bar_file(nameless, "rb2510.SHFE"))
        == ["rb2510.SHFE"]
    )
    named = written(tmp_path, line("2025-06-09 09:00:00"))
    assert list(read_bar_file(named, "rb2510.SHFE")) == ["rb2510.SHFE"]
    with pytest.raises(BadBarFile, match=r"bars\.csv:2"):
        read_bar_file(named, "hc2510.SHFE")
    for symbol, label in (("rb", ""), ("", "middle")):
        with pytest.raises(BadInput):
            read_bar_file(named, symbol, label)


def test_the_files_name_says_the_exchange_where_nothing_else_does(tmp_path: Path) -> None:
    assert list(
        read_bar_file(written(tmp_path, line("2025-06-09 09:00:00", symbol="zz2510"), name="GFEX.zz2510.csv"))
    ) == ["zz2510.GFEX"]


def test_every_row_is_told_to_who_shows_the_progress(tmp_path: Path) -> None:
    counts: list[int] = []
    read_bar_file(
        written(tmp_path, line("2025-06-09 09:00:00"), line("2025-06-09 09:01:00")), on_row=counts.append
    )
    assert counts == [1, 1]


def parquet(folder: Path, zone: str = "", **changes: list[Any]) -> Path:
    import pandas  # type: ignore[import-untyped]
    from fastparquet import write

    columns: dict[str, list[Any]] = {
        "local_symbol": ["rb2510.SHFE", "rb2510.SHFE", "rb2510.SHFE"],
        "datetime": [datetime.fromisoformat(f"2025-06-09 {clock}") for clock in ("09:00", "10:30", "10:31")],
        "open": [3000.0, 3001.0, 3002.0],
        "high": [3010.0, 3011.0, 3012.0],
        "low": [2990.0, 2991.0, 2992.0],
        "close": [3005.0, 3006.0, 3007.0],
        "volume": [12, 13, 14],
    }
    frame = pandas.DataFrame(columns | changes)
    if zone:
        frame["datetime"] = frame["datetime"].dt.tz_localize("Asia/Shanghai").dt.tz_convert(zone)
    path = folder / "bars.parquet"
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # between that library and pandas, in writing alone
        write(str(path), frame, row_group_offsets=[0, 2])
    return path


@pytest.mark.parametrize("zone", ["", "Asia/Shanghai", "UTC"])
def test_parquet_is_read_row_group_by_row_group_with_and_without_a_zone(tmp_path: Path, zone: str) -> None:
    (bars,) = read_bar_file(parquet(tmp_path, zone)).values()
    assert [(clock(bar), bar.open, bar.volume) for bar in bars] == [
        ("2025-06-09 09:00", 3000, 12),
        ("2025-06-09 10:30", 3001, 13),
        ("2025-06-09 10:31", 3002, 14),
    ]


def test_a_bad_row_of_parquet_is_named_by_its_number(tmp_path: Path) -> None:
    with pytest.raises(BadBarFile, match=r"bars\.parquet:3: 价格不成 K 线"):
        read_bar_file(parquet(tmp_path, high=[3010.0, 3011.0, float("nan")]))


def test_a_damaged_parquet_gives_nothing(tmp_path: Path) -> None:
    path = parquet(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:40] + bytes(len(content) // 3) + content[40 + len(content) // 3 :])
    with pytest.raises(BadBarFile, match=r"bars\.parquet"):
        read_bar_file(path)


@on_each
def test_the_recorded_bars_of_both_layouts_are_read_with_the_right_labels(recorded: Recordings) -> None:
    (rubber,) = read_bar_file(recorded.rubber_bars).values()
    assert (len(rubber), clock(rubber[0]), clock(rubber[-1])) == (
        1725,
        "2018-10-08 09:00",
        "2018-10-12 22:59",
    )
    found = read_bar_file(recorded.rebar_bars)
    (rebar,) = found.values()
    assert list(found) == ["rb2401.SHFE"]
    assert (len(rebar), clock(rebar[0]), clock(rebar[-1])) == (1830, "2023-09-25 09:00", "2023-10-10 14:59")
    with gzip.open(recorded.rebar_bars, "rt") as file:
        written = list(csv.DictReader(file))
    # Five auctions' own bars are in the first minutes.
    assert sum(bar.volume for bar in rebar) == sum(float(row["volume"]) for row in written)
    (eve,) = [bar for bar in rebar if clock(bar) == "2023-09-28 14:59"]
    following = rebar[rebar.index(eve) + 1]
    auction = next(row for row in written if row["datetime"] > "2023-10-09")
    # No night before the holiday; the auction's print, which was recorded as a bar of its own.
    assert (clock(following), following.open) == ("2023-10-09 09:00", float(auction["open_price"]))
    assert auction["datetime"] == "2023-10-09 09:00:00"


# ── files that are meant to harm ──


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("9999-12-31 23:59:00", "不在 1990 至 2100 年"),
        ("9999-12-31T23:59:00-14:00", "不在 1990 至 2100 年"),
        ("0001-01-01T00:00:00+14:00", "不在 1990 至 2100 年"),
        ("1989-06-09 09:00:00", "不在 1990 至 2100 年"),
        (f"{253_402_300_740_000}", "不在 1990 至 2100 年"),
        ("9" * 40, "不在 1990 至 2100 年"),
        ("9" * 4_000, "时间 999"),
        ("x" * 4_000, "时间不合法：xxx"),
    ],
)
def test_a_time_of_no_exchange_is_named_by_file_and_line(tmp_path: Path, when: str, reason: str) -> None:
    path = written(tmp_path, line("2025-06-09 09:00:00"), line(when))
    with pytest.raises(BadBarFile) as bad:
        read_bar_file(path, label="end")
    assert bad.value.message.startswith("bars.csv:3: ")
    assert reason in bad.value.message
    assert len(bad.value.message) < 300


@pytest.mark.parametrize(
    "figures",
    [
        {"volume": 10**19},
        {"volume": "1e300"},
        {"turnover": "1e300"},
        {"open_interest": "1e300"},
        {"high": "1e300"},
    ],
)
def test_figures_that_no_store_holds_are_named(tmp_path: Path, figures: dict[str, Any]) -> None:
    with pytest.raises(BadBarFile, match="bars.csv:2: .*不合法"):
        read_bar_file(written(tmp_path, line("2025-06-09 09:00:00", **figures)))


def test_a_line_may_be_as_long_as_a_line_is_and_no_longer(tmp_path: Path) -> None:
    row = line("2025-06-09 09:00:00")
    path = written(tmp_path, row + "," + "x" * (MOST_LINE - len(row) - 2), header=PLAIN + ",note")
    assert read_bar_file(path)
    path = written(tmp_path, row, row + "," + "x" * MOST_LINE, header=PLAIN + ",note")
    with pytest.raises(BadBarFile, match="bars.csv:3: 这一行超过"):
        read_bar_file(path)


def test_more_rows_than_are_read_at_a_time_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bar_tables, "MOST_ROWS", 3)
    path = written(tmp_path, *(line(f"2025-06-09 09:0{minute}:00") for minute in range(3)))
    assert read_bar_file(path, label="start")
    monkeypatch.setattr(bar_tables, "MOST_ROWS", 1)
    for more in (path, parquet(tmp_path)):
        with pytest.raises(BadBarFile, match="超过 1 行.*分成几个"):
            read_bar_file(more, label="start")


def test_what_a_parquet_would_unpack_to_is_looked_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bar_tables, "MOST_BYTES", 100)
    with pytest.raises(BadBarFile, match="解开后"):
        read_bar_file(parquet(tmp_path))


def test_only_a_plain_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    for name in ("zero", "pipe", "folder"):
        with pytest.raises(BadBarFile, match=f"{name}.csv: 不是普通文件"):
            read_bar_file(tmp_path / f"{name}.csv")


def every(minutes: int, count: int, **changes: Any) -> list[str]:
    """Bars from 09:00 on, their labels so far apart; a night is left out."""
    return [
        line(f"2025-06-09 {9 + at * minutes // 60:02d}:{at * minutes % 60:02d}:00", **changes)
        for at in range(count)
    ]


@pytest.mark.parametrize(("minutes", "count"), [(2, 30), (3, 20), (5, 12), (15, 8), (30, 6), (60, 6)])
def test_bars_of_a_longer_period_are_noticed_and_refused_with_what_to_do(
    tmp_path: Path, minutes: int, count: int
) -> None:
    with pytest.raises(BadBarFile, match=f"rb2510.SHFE 看来是 {minutes} 分钟 K 线.*重新导出"):
        read_bar_file(written(tmp_path, *every(1, 30, symbol="m2509"), *every(minutes, count)))


def test_longer_bars_are_noticed_in_a_collection_too() -> None:
    rows = [
        {"datetime": f"2025-06-09 09:{at:02d}:00", "open": 1, "high": 1, "low": 1, "close": 1, "volume": 1}
        for at in range(0, 60, 5)
    ]
    with pytest.raises(BadBarFile, match="5 分钟 K 线"):
        read_bar_documents("rb2510", rows)


def test_a_contract_that_hardly_trades_is_not_taken_for_one_of_longer_bars(tmp_path: Path) -> None:
    auctions = [
        line(f"2025-06-{day:02d} {clock}:00", symbol="rb2511")
        for day in (9, 10, 11, 12, 13, 16, 17, 18)
        for clock in ("09:00", "13:30", "21:00")
    ]
    few = [line(f"2025-06-09 {clock}:00", symbol="hc2511") for clock in ("09:00", "09:05", "09:15", "10:30")]
    assert len(read_bar_file(written(tmp_path, *auctions, *few))["rb2511.SHFE"]) == 24


@pytest.mark.parametrize(
    "when", ["2025/06/09 09:00", "2025/6/9 9:00", "202506090900", "20250609 09:00:00", "1749430800000000000"]
)
def test_times_as_terminals_and_spreadsheets_write_them(tmp_path: Path, when: str) -> None:
    (bar,) = read_bar_file(written(tmp_path, line(when)))["rb2510.SHFE"]
    assert clock(bar) == "2025-06-09 09:00"


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("2025-06-09", "日线"),
        ("20250609", "日线"),
        ("06/09/2025 09:00", "应形如"),
        ("2025/13/09 09:00", "应形如"),
    ],
)
def test_days_and_dates_in_another_order_are_refused_with_what_to_do(
    tmp_path: Path, when: str, said: str
) -> None:
    with pytest.raises(BadBarFile, match=rf"bars\.csv:2: .*{said}"):
        read_bar_file(written(tmp_path, line(when)))


TWO_COLUMNS = "日期,时间,开盘,最高,最低,收盘,成交量"


@pytest.mark.parametrize(
    "whens",
    [
        ["06/06,1500", "06/09,2101", "06/09,0001", "06/09,0901"],  # that of its trading day
        ["06/06,1500", "06/06,2101", "06/07,0001", "06/09,0901"],  # its own
        ["06/09,0901", "06/07,0001", "06/06,2101", "06/06,1500"],  # its own, the newest first
    ],
)
def test_a_night_may_have_its_own_date_or_its_trading_days(tmp_path: Path, whens: list[str]) -> None:
    rows = [f"2025/{when},3000,3010,2990,3005,12" for when in whens]
    bars = read_bar_file(written(tmp_path, *rows, header=TWO_COLUMNS, name="30#AG2508.txt"))["ag2508.SHFE"]
    assert [clock(bar)[5:] for bar in bars] == [
        "06-06 14:59",
        "06-06 21:00",
        "06-07 00:00",
        "06-09 09:00",
    ]


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("30#RB2510.txt", "rb2510.SHFE"),
        ("28#SR509.txt", "SR509.CZCE"),
        ("rb2510.SHFE.csv", "rb2510.SHFE"),
        ("rb25100.csv", ""),
        ("30#RBL9.txt", ""),
    ],
)
def test_a_contract_that_no_column_names_is_the_files(tmp_path: Path, name: str, symbol: str) -> None:
    path = written(
        tmp_path, "2025-06-09 09:00:00,1,1,1,1,1", header="时间,开盘价,最高价,最低价,收盘价,成交量", name=name
    )
    if symbol:
        assert list(read_bar_file(path)) == [symbol]
    else:
        with pytest.raises(BadBarFile, match="--symbol"):
            read_bar_file(path)


@pytest.mark.parametrize("day", ["20100609", "20150609", "20250609"])
def test_sections_begin_and_end_where_labels_are_looked_at(day: str) -> None:
    edges = {edge for name in products() for section in sections(name, day) for edge in section[:2]}
    assert edges
    assert not [edge for edge in edges if int(edge.timestamp() * 1000) % EDGES]
