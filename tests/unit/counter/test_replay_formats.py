"""docs/replay.md shows what files can be replayed and imported: each sample there is read as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.commands.common import check_quotes
from app.counter.markets.readers import BadFile, read_rows
from app.counter.markets.replay import CHECKED_ROWS, ReplayedMarket, check_replay
from app.lib import columns, tick_columns
from app.lib.bar_files import read_bar_file
from app.lib.errors import SettingsError
from app.settings import Settings
from app.wire.registry import Registry

DOC = Path(__file__).parents[3] / "docs/replay.md"
SAMPLES = dict(re.findall(r'```\w+ title="(.+?)"\n(.+?)```', DOC.read_text("utf-8"), re.DOTALL))
TICKS = {"rb2510.csv": "rb2510", "if2101.csv": "IF2101"}
HEADER = "local_symbol,datetime,open_price,high_price,low_price,close_price,volume"


def written(folder: Path, name: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text(SAMPLES[name], encoding)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_can_be_replayed_in_either_encoding(tmp_path: Path, name: str, encoding: str) -> None:
    rows = list(read_rows(written(tmp_path, name, encoding)))
    assert {row.depth.InstrumentID for row in rows} == {TICKS.get(name, "rb2510")}
    assert {row.kind for row in rows} == {"tick"}
    assert all(before.moment <= after.moment for before, after in zip(rows, rows[1:], strict=False))


@pytest.mark.parametrize("name", sorted(SAMPLES.keys() - TICKS.keys()))
def test_what_is_imported_is_what_is_replayed(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name)
    bars = read_bar_file(path)["rb2510.SHFE"]
    rows = list(read_rows(path))
    assert len(rows) == 4 * len(bars)
    assert [row.depth.LastPrice for row in rows] == [
        price
        for bar in bars
        for price in (
            bar.open,
            *((bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)),
            bar.close,
        )
    ]
    assert [row.moment.timestamp() * 1000 for row in rows[::4]] == [bar.timestamp for bar in bars]


def test_a_night_that_is_written_with_its_trading_day_is_replayed_when_it_was(tmp_path: Path) -> None:
    rows = list(read_rows(written(tmp_path, "30#RB2510.txt", "gb18030")))
    assert [f"{row.moment:%m-%d %H:%M}" for row in rows[::4]] == [
        "06-06 21:00",
        "06-06 21:01",
        "06-09 09:00",
        "06-09 09:01",
        "06-09 14:59",
    ]
    assert {row.trading_day for row in rows} == {"20250609"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"{HEADER}\nrb2510.SHFE,2025-06-09 09:00:00,3,2,1,1,1\n", r"bad\.csv:2: 价格不成 K 线"),
        ("x,y\n1,2\n", r"bad\.csv:1: 表头缺少"),
        (SAMPLES["rb2510.csv"].replace(",2977,", ",abc,"), r"bad\.csv:3: .*abc"),
        (f"{HEADER}\n", "没有 K 线"),
        (SAMPLES["rb2510.csv"].splitlines()[0], "没有可回放的数据"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_told_before_anything_starts(
    tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content, "utf-8")
    settings = Settings(data_dir=tmp_path, counter_quotes="replay", counter_replay=path)
    with pytest.raises(SettingsError, match=said) as told:
        check_quotes(settings)
    assert told.value.extra["parameter"] == "counter_replay"
    check_quotes(Settings(data_dir=tmp_path, counter_replay=path))  # it is not asked for


def test_a_file_that_cannot_be_replayed_keeps_no_real_account_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is the built-in counter's alone. A host that had died did not come back for it."""
    missing = tmp_path / "gone.csv"

    def check(**more: str) -> str:
        check_quotes(Settings(data_dir=tmp_path, counter_quotes="replay", counter_replay=missing, **more))  # type: ignore[arg-type]
        return capfd.readouterr().err

    registry = Registry(tmp_path)
    registry.register(name="gateway-sim-9999-demo", kind="gateway", interface="sim")
    with pytest.raises(SettingsError, match=r"gone\.csv"):
        check()
    told = check(interface="ctp")
    assert "gone.csv" in told
    assert "模拟账户不能登录，实盘账户照常" in told
    registry.register(name="gateway-ctp-9999-demo", kind="gateway", interface="ctp")
    assert "gone.csv" in check()
    registry.unregister("gateway-ctp-9999-demo")
    with pytest.raises(SettingsError):
        check()


def test_a_bad_row_far_behind_does_not_keep_the_server_from_starting(tmp_path: Path) -> None:
    header, first, _ = SAMPLES["rb2510.csv"].splitlines()
    path = tmp_path / "long.csv"
    path.write_text("\n".join([header, *[first] * CHECKED_ROWS, "bad"]), "utf-8")
    check_replay(path)
    with pytest.raises(BadFile, match=rf"long\.csv:{CHECKED_ROWS + 2}"):
        list(read_rows(path))
    assert ReplayedMarket(path).trading_day() == "20250609"


def test_recorded_ticks_in_columns_are_replayed_as_their_rows_and_go_on_where_they_were(
    tmp_path: Path,
) -> None:
    from_csv = written(tmp_path, "rb2510.csv")
    rows = list(read_rows(from_csv))
    path = tmp_path / "20250609.ticks"
    blocks = [tick_columns.packed([row.depth], "20250609") for row in rows]
    path.write_bytes(columns.GROWING + b"".join(blocks) + b"a torn tail")
    check_replay(path)
    assert [row.depth for row in read_rows(path)] == [row.depth for row in rows]
    market = ReplayedMarket(path, speed=1e6)
    assert market.trading_day() == "20250609"
    later = ReplayedMarket(path)
    later.resume(market.state() | {"taken": 1})
    assert later.progress() == 1
    path.write_bytes(columns.GROWING)
    with pytest.raises(SettingsError, match="没有可回放的数据"):
        check_replay(path)
