"""`run.py data`: of files, of the account's store and its recorded ticks, as a table and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner, Result

from app.commands.data import data_command, table
from app.counter.markets.readers import read_rows
from app.gateway.tick_recorder import TickRecorder
from app.lib.bars import Bar
from app.model import store_path
from app.model.sqlite import SqliteStore

RECORDINGS = Path(__file__).parents[2] / "recordings"
ACCOUNT = "sim-9999-demo"
HEAD = "symbol,datetime,open,high,low,close,volume\n"


def run(data_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(data_command, ["--data-dir", str(data_dir), *arguments])


def listed(data_dir: Path, *arguments: str) -> list[dict[str, Any]]:
    done = run(data_dir, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return list(orjson.loads(done.stdout))


def test_an_accounts_bars_and_recorded_ticks(tmp_path: Path) -> None:
    store = SqliteStore(store_path(tmp_path, ACCOUNT))
    start = 1_696_899_600_000  # 2023-10-10 09:00
    store.save_bars("rb2401.SHFE", "1m", [Bar(start + 60_000 * at, 1, 2, 1, 2, 5) for at in (0, 1, 4)])
    store.save_bars("rb2401.SHFE", "5m", [Bar(start, 1, 2, 1, 2, 5)])
    store.close()
    rows = list(read_rows(RECORDINGS / "CZCE.AP010_20200806-20200811.ctp.csv.gz"))
    recorder = TickRecorder(tmp_path / "accounts" / ACCOUNT / "ticks", lambda: "20200806", 0, 0)
    recorder.take([row.depth for row in rows if row.trading_day == "20200806"])
    recorder._write_safely(at_once=True)
    recorder._give_up()
    bars, ticks = listed(tmp_path)
    assert {name: bars[name] for name in ("local_symbol", "kind", "source", "first", "last", "rows")} == {
        "local_symbol": "rb2401.SHFE",
        "kind": "1m",
        "source": ACCOUNT,
        "first": "2023-10-10 09:00",
        "last": "2023-10-10 09:04",
        "rows": 3,
    }
    assert (bars["missing_minutes"], bars["longest_gap"], bars["longest_gap_at"]) == (
        2,
        2,
        "2023-10-10 09:02",
    )
    assert (ticks["local_symbol"], ticks["kind"], ticks["days"]) == ("AP010.CZCE", "tick", 1)
    assert ticks["rows"] > 900
    text = run(tmp_path).stdout.splitlines()
    assert text[0].split() == [
        *("合约", "类", "来源", "首", "末", "数", "交易日"),
        *("缺日", "缺节", "缺分钟", "最长", "重复", "四价同", "说明"),
    ]
    assert text[1].startswith("rb2401.SHFE  1m    sim-9999-demo  2023-10-10 09:00  2023-10-10 09:04  3 ")


def test_files_with_repeated_rows_and_flat_bars_and_one_that_cannot_be_read(tmp_path: Path) -> None:
    odd, bad = tmp_path / "odd.csv", tmp_path / "bad.csv"
    rows = [f"rb2401.SHFE,2023-10-10 09:{at:02}:00,3700,3700,3700,3700,10" for at in range(40)]
    odd.write_text(HEAD + "\n".join([*rows, rows[-1]]))
    bad.write_text(HEAD + rows[0].replace("3700,10", "3800,10"))
    done = run(tmp_path, str(odd), str(bad), "--json")
    assert done.exit_code == 1
    (found,) = orjson.loads(done.stdout)
    assert (found["source"], found["repeated"], found["flat"], found["is_flat"]) == ("odd.csv", 1, 40, True)
    assert found["remarks"][0].startswith("100% 的 K 线四价相同")
    assert "bad.csv:2: 价格不成 K 线" in done.stderr


def test_nothing_is_said_to_be_nothing(tmp_path: Path) -> None:
    (tmp_path / "accounts" / ACCOUNT).mkdir(parents=True)
    assert run(tmp_path).stdout == "没有行情\n"


def test_columns_stand_under_each_other_with_chinese_in_them() -> None:
    assert table(("合约", "数", "说明"), [("rb", "10", "缺"), ("螺纹", "9", "—")]) == (
        "合约  数  说明\nrb    10  缺\n螺纹  9   —"
    )
