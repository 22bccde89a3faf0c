"""Recorded files as rows: every recorder's quirks, and errors that name file and line."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from app.counter.markets.readers import BadFile, Row, opened, read_rows
from app.lib.prices import on_tick
from tests.support.recorded import EACH, DayFacts, Recordings, on_each

CTP_HEADER = (
    "TradingDay,InstrumentID,ExchangeID,ExchangeInstID,LastPrice,PreSettlementPrice,PreClosePrice,"
    "PreOpenInterest,OpenPrice,HighestPrice,"
    "LowestPrice,Volume,Turnover,OpenInterest,ClosePrice,SettlementPrice,UpperLimitPrice,LowerLimitPrice,"
    "PreDelta,CurrDelta,UpdateTime,"
    "UpdateMillisec,BidPrice1,BidVolume1,AskPrice1,AskVolume1,AveragePrice,ActionDay"
)


def ctp_line(**values: str) -> str:
    base = dict.fromkeys(CTP_HEADER.split(","), "")
    base |= {
        "TradingDay": "20250609",
        "ActionDay": "20250606",
        "InstrumentID": "rb2510",
        "LastPrice": "3000",
        "Volume": "10",
    }
    base |= {"UpdateTime": "21:00:00", "UpdateMillisec": "500"}
    return ",".join((base | values).values())


def written(folder: Path, *lines: str, name: str = "ticks.csv", header: str = CTP_HEADER) -> Path:
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return path


def only(path: Path) -> Row:
    (row,) = read_rows(path)
    return row


@pytest.mark.parametrize(
    "nothing", ["", "N/A", "1.79769e+308", "1.7976931348623157e+308", "0.00", "nan", "inf", "-1.79769e+308"]
)
def test_every_way_to_say_no_value_is_zero(tmp_path: Path, nothing: str) -> None:
    fields = dict.fromkeys(
        ("BidPrice1", "AskPrice1", "SettlementPrice", "ClosePrice", "AveragePrice", "UpperLimitPrice"),
        nothing,
    )
    depth = only(written(tmp_path, ctp_line(**fields))).depth
    assert [getattr(depth, name) for name in fields] == [0.0] * len(fields)
    assert depth.LastPrice == 3000.0


@pytest.mark.parametrize(
    ("name", "instrument", "stated", "expected"),
    [
        ("ticks.csv", "rb2510", "", "SHFE"),  # by the product
        ("SHFE.rb2510.csv", "rb2510", "", "SHFE"),
        ("INE.what.csv", "zz2510", "", "INE"),  # by the file's name
        ("INE.what.csv", "rb2510", "SHFE", "SHFE"),  # by the column
    ],
)
def test_an_empty_exchange_is_found(
    tmp_path: Path, name: str, instrument: str, stated: str, expected: str
) -> None:
    row = only(written(tmp_path, ctp_line(InstrumentID=instrument, ExchangeID=stated), name=name))
    assert row.depth.ExchangeID == expected


def test_friday_night_of_three_exchanges_is_one_trading_day_at_one_time(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        ctp_line(InstrumentID="rb2510", TradingDay="20250609", ActionDay="20250606"),
        ctp_line(InstrumentID="m2509", TradingDay="20250609", ActionDay="20250609"),
        ctp_line(InstrumentID="SR509", TradingDay="20250606", ActionDay="20250606", UpdateMillisec="000"),
    )
    rows = list(read_rows(path))
    assert {row.trading_day for row in rows} == {"20250609"}
    assert [row.moment.isoformat() for row in rows] == [
        "2025-06-06T21:00:00.500000+08:00",
        "2025-06-06T21:00:00.500000+08:00",
        "2025-06-06T21:00:00+08:00",
    ]
    assert [row.depth.TradingDay for row in rows] == [
        "20250609",
        "20250609",
        "20250606",
    ]  # as they were stamped


def test_saturday_morning_belongs_to_monday(tmp_path: Path) -> None:
    row = only(
        written(tmp_path, ctp_line(InstrumentID="ag2508", ActionDay="20250607", UpdateTime="01:30:00"))
    )
    assert (row.trading_day, row.moment.isoformat()) == ("20250609", "2025-06-07T01:30:00.500000+08:00")


def test_plain_and_packed_files_read_alike_whatever_their_name(tmp_path: Path) -> None:
    plain = written(tmp_path, ctp_line(), ctp_line(UpdateTime="21:00:01"))
    packed = tmp_path / "packed.dat"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert list(read_rows(packed)) == list(read_rows(plain))


def test_skipping_rows_goes_on_behind_them(tmp_path: Path) -> None:
    path = written(tmp_path, *(ctp_line(UpdateTime=f"21:00:0{second}") for second in range(5)))
    assert list(opened(path)(3)) == list(read_rows(path))[3:]
    assert list(opened(path)(9)) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (ctp_line(LastPrice="3,000"), "列"),
        (ctp_line(LastPrice="abc"), "abc"),
        (ctp_line(Volume="many"), "many"),
        (ctp_line(UpdateTime="25:00:00"), "hour"),
        (ctp_line(UpdateTime=""), ""),
        (ctp_line(TradingDay="2025-06-09"), "2025-06-09"),
        (ctp_line(TradingDay=""), "not a day"),
        (ctp_line(InstrumentID="zz2510"), "zz"),
        (ctp_line(TradingDay="20250606"), "20250609"),  # the day goes back
        ("20250609,rb2510", "列"),
    ],
)
def test_a_bad_line_is_named_with_its_file(tmp_path: Path, line: str, reason: str) -> None:
    path = written(tmp_path, ctp_line(), line)
    rows = read_rows(path)
    assert next(rows).depth.LastPrice == 3000.0
    with pytest.raises(BadFile, match=r"ticks\.csv:3: ") as caught:
        next(rows)
    assert reason in caught.value.message


def test_files_that_are_none_of_ours_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"a\.csv:1: 表头缺少.*docs/replay\.md"):
        read_rows(written(tmp_path, "1,2", name="a.csv", header="x,y"))
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")
    with pytest.raises(BadFile, match=r"empty\.csv:1"):
        read_rows(empty)
    with pytest.raises(BadFile, match=r"missing\.csv"):
        read_rows(tmp_path / "missing.csv")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(BadFile, match=r"binary\.csv"):
        read_rows(binary)


def test_a_truncated_archive_is_named(tmp_path: Path) -> None:
    text = "\n".join(
        [CTP_HEADER, *(ctp_line(UpdateTime=f"21:{n // 60:02d}:{n % 60:02d}") for n in range(3000))]
    )
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress(text.encode())[:-2000])
    with pytest.raises(BadFile, match=r"cut\.csv\.gz:\d+"):
        list(read_rows(path))


BARS_HEADER = (
    "local_symbol,datetime,open_price,close_price,high_price,low_price,volume,turnover,open_interest"
)


def test_a_bar_becomes_four_snapshots_that_keep_its_prices_and_volume(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "rb2510.SHFE,2025-06-06 21:01:00,3000,3005,3008,2999,10,300300,1000",
        "rb2510.SHFE,2025-06-06 23:00:00,3005,3001,3006,3000,3,90090,1001",
        header=BARS_HEADER,
    )
    rows = list(read_rows(path))
    assert [row.depth.LastPrice for row in rows] == [3000, 2999, 3008, 3005, 3005, 3006, 3000, 3001]
    assert [row.depth.Volume for row in rows] == [2, 4, 6, 10, 10, 10, 10, 13]
    assert [row.depth.Turnover for row in rows][3::4] == [300300, 390390]
    assert [row.moment.strftime("%d %H:%M:%S.%f")[:14] for row in rows[:4]] == [
        "06 21:00:00.00",
        "06 21:00:15.00",
        "06 21:00:30.00",
        "06 21:00:59.50",
    ]
    assert rows[-1].moment.strftime("%H:%M:%S") == "22:59:59"
    assert {row.trading_day for row in rows} == {"20250609"}
    for row in rows:
        assert row.depth.LowestPrice <= row.depth.LastPrice <= row.depth.HighestPrice
        assert row.depth.BidPrice1 == row.depth.LastPrice - 1
        assert row.depth.AskPrice1 == row.depth.LastPrice + 1
        assert row.depth.LowerLimitPrice < row.depth.BidPrice1
        assert row.depth.AskPrice1 < row.depth.UpperLimitPrice


def test_limits_of_bars_are_widened_where_the_day_went_beyond(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "rb2510.SHFE,2025-06-06 21:01:00,3000,3300,3300,3000,10,300300,1000",
        header=BARS_HEADER,
    )
    bar_end = "rb2510.SHFE,2025-06-06 23:00:00,3300,3300,3300,3300,1,33000,1000"
    path.write_text(path.read_text("utf-8") + bar_end + "\n", "utf-8")
    depth = next(iter(read_rows(path))).depth
    assert (depth.LowerLimitPrice, depth.UpperLimitPrice) == (2700, 3300)


@pytest.mark.parametrize(
    "line",
    [
        "rb2510.SHFE,2025-06-06 21:01:00,3000,3005,3001,2999,10,300300,1000",  # the close above the high
        "rb2510.SHFE,2025-06-06 21:01:00,0,3005,3008,2999,10,300300,1000",
        "rb2510.SHFE,2025-06-06 21:01:00,3000,3005,3008,2999,-1,300300,1000",
        "rb2510.SHFE,tonight,3000,3005,3008,2999,10,300300,1000",
    ],
)
def test_a_bar_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(BadFile, match=r"ticks\.csv:2: "):
        list(read_rows(written(tmp_path, line, header=BARS_HEADER)))


def test_bars_whose_labels_tell_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="标签"):
        list(
            read_rows(
                written(
                    tmp_path,
                    "rb2510.SHFE,2025-06-06 21:05:00,3000,3005,3008,2999,10,300300,1000",
                    header=BARS_HEADER,
                )
            )
        )


@on_each
def test_rubber_keeps_its_volume_its_nights_and_its_absent_values(recorded: Recordings) -> None:
    rows = list(read_rows(recorded.rubber))
    assert Counter(row.trading_day for row in rows) == {
        day: facts.rows for day, facts in recorded.days["rubber"].items()
    }
    assert {row.kind for row in rows} == {"tick"}
    assert {row.depth.ExchangeID for row in rows} == {"SHFE"}
    assert all(before.moment <= after.moment for before, after in pairwise(rows))
    first, last = (
        {row.trading_day: row for row in reversed(rows)},
        {row.trading_day: row.depth for row in rows},
    )
    for (day, facts), before in zip(
        recorded.days["rubber"].items(), [DayFacts(), *recorded.days["rubber"].values()], strict=False
    ):
        assert first[day].depth.PreSettlementPrice == facts.pre_settlement
        assert before.close in (0, first[day].depth.PreClosePrice)
        if facts.settlement:
            assert (last[day].SettlementPrice, last[day].LastPrice, last[day].Volume) == (
                facts.settlement,
                facts.close,
                facts.volume,
            )
    assert {first[day].moment.date().isoformat() for day in ("20181009", "20181015")} == {
        "2018-10-08",
        "2018-10-12",
    }  # a Friday
    assert max(row.depth.AskPrice1 for row in rows) < 2 * last["20181008"].LastPrice  # no 1.79769e+308


@on_each
def test_apples_login_snapshots_are_marked_and_nothing_runs_backwards(recorded: Recordings) -> None:
    rows, days = list(read_rows(recorded.apple)), recorded.days["apple"]
    logins = [row for row in rows if row.kind == "login"]
    assert len(logins) == len({row.trading_day for row in rows}) == len(days)
    assert {row.moment.hour for row in logins} == {19}
    assert all(
        row.depth.Volume == 0 and row.moment.date().isoformat().replace("-", "") < row.trading_day
        for row in logins
    )
    assert all(before.moment <= after.moment for before, after in pairwise(rows))
    assert Counter(row.kind for row in rows) == {
        "tick": sum(facts.rows for facts in days.values()),
        "login": len(days),
    }
    assert {row.depth.UpdateMillisec for row in rows} == {0}
    assert any(
        before.moment == after.moment for before, after in pairwise(rows)
    )  # several a second, one stamp


@on_each
def test_index_settlement_snapshots_are_quotes_outside_the_hours_without_volume(recorded: Recordings) -> None:
    rows = list(read_rows(recorded.index))
    assert Counter(row.trading_day for row in rows if row.kind == "tick") == {
        day: facts.rows for day, facts in recorded.days["index"].items()
    }
    outside = [(before, row) for before, row in pairwise(rows) if row.kind == "outside"]
    assert len(outside) >= 8
    assert all(
        row.depth.Volume == before.depth.Volume and row.depth.SettlementPrice > 0 for before, row in outside
    )
    assert {row.trading_day: row.depth.SettlementPrice for _, row in outside} == {
        day: facts.settlement for day, facts in recorded.days["index"].items()
    }
    assert all(
        on_tick(row.depth.UpperLimitPrice, 0.2) and on_tick(row.depth.LowerLimitPrice, 0.2) for row in rows
    )
    assert (f"{rows[0].moment:%Y-%m-%d %H:%M}", rows[0].kind) == (
        "2021-01-04 09:29",
        "tick",
    )  # its auction's print


@pytest.mark.parametrize(
    ("path", "bars", "first", "last"),
    [
        pytest.param(
            getattr(recorded.values[0], name),
            bars,
            first,
            last,
            marks=recorded.marks,
            id=f"{recorded.id}-{name}",
        )
        for recorded in EACH
        for name, bars, first, last in [
            (
                "rebar_bars",
                1830,  # its five auctions' own bars are part of their first minutes
                "2023-09-25T09:00:00+08:00",
                "2023-10-10T14:59:59.500000+08:00",
            ),  # labelled with their ends
            (
                "rubber_bars",
                1725,
                "2018-10-08T09:00:00+08:00",
                "2018-10-12T22:59:59.500000+08:00",
            ),  # with their starts
        ]
    ],
)
def test_bar_files_begin_and_end_where_the_market_did(path: Path, bars: int, first: str, last: str) -> None:
    rows = list(read_rows(path))
    assert len(rows) == 4 * bars
    assert (rows[0].moment.isoformat(), rows[-1].moment.isoformat()) == (first, last)
    with gzip.open(path, "rt", encoding="utf-8") as file:
        total = sum(float(line["volume"]) for line in csv.DictReader(file))
    final = {row.trading_day: row.depth.Volume for row in rows}
    assert sum(final.values()) == total
    assert {row.kind for row in rows} == {"tick"}


@on_each
def test_the_settlement_made_of_bars_is_the_one_that_was_published(recorded: Recordings) -> None:
    made = {row.trading_day: row.depth.PreSettlementPrice for row in read_rows(recorded.rubber_bars)}
    days = list(recorded.days["rubber"].items())
    assert [made[day] for day, _ in days[1:]] == [facts.pre_settlement for _, facts in days[1:]]


@on_each
def test_the_bars_over_national_day_carry_the_right_trading_days(recorded: Recordings) -> None:
    days = sorted({row.trading_day for row in read_rows(recorded.rebar_bars)})
    assert (
        days
        == ["20230925", "20230926", "20230927", "20230928", "20231009", "20231010"]
        == list(recorded.days["rebar"])
    )


@pytest.mark.parametrize("unit", [1, 10])
def test_bars_of_czce_with_or_without_the_multiplier_in_their_turnover_are_ticks_without_it(
    tmp_path: Path, unit: int
) -> None:
    header = "symbol,datetime,open,high,low,close,volume,turnover,open_interest"
    lines = [
        f"AP510,2025-06-{day:02d} 09:00:00,8000,8010,7990,8005,4,{8000 * 4 * unit},100" for day in (9, 10)
    ]
    rows = list(read_rows(written(tmp_path, *lines, header=header)))
    assert [row.depth.Turnover for row in rows[:4]] == [8000, 16000, 24000, 32000]
    assert rows[4].depth.PreSettlementPrice == 8000  # the average of the day before
