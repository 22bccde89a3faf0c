"""`run.py import-bars --check`: how files would be read, without an account and with nothing imported."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from app.commands.import_bars import import_bars_command

RECORDINGS = Path(__file__).parents[2] / "recordings"
ROWS = "".join(f"2023-10-10 09:0{at}:00,3700,3702,3699,3701,10,37.01\n" for at in range(1, 5))


def check(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(
        import_bars_command, ["--data-dir", str(folder / "data"), "--check", *arguments]
    )


def test_columns_label_contract_and_what_to_mind_are_said(tmp_path: Path) -> None:
    path = tmp_path / "SHFE.rb.2401_m1.csv"
    path.write_text(f"when,open,high,low,close,volume,amount\n{ROWS}")
    done = check(tmp_path, str(path), "--map", "time=when", "--label", "end")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        f"{path.name}：看不出是谁写的",
        f"{path.name}：开 ← open，高 ← high，低 ← low，收 ← close，成交量 ← volume，成交额 ← amount，"
        "时间 ← when",
        f"{path.name}：合约 rb2401.SHFE；时间标在结束（照 --label）",
        f"{path.name}：成交额看来以万元为单位，已乘 10000（不是的话用 --turnover yuan）",
    ]
    plain = check(tmp_path, str(path), "--map", "time=when", "--label", "end", "--turnover", "yuan")
    assert "万元" not in plain.stdout


def test_a_file_of_ticks_is_said_to_be_one_and_a_bad_file_fails_the_check(tmp_path: Path) -> None:
    ticks = RECORDINGS / "CZCE.AP010_20200806-20200811.ctp.csv.gz"
    assert check(tmp_path, str(ticks)).stdout == f"{ticks.name}：是 tick，合成 1 分钟 K 线\n"
    bad = tmp_path / "bad.csv"
    bad.write_text("something\nelse\n")
    done = check(tmp_path, str(bad), str(ticks))
    assert done.exit_code == 1
    assert "bad.csv:1: 表头缺少" in done.stderr
    assert "是 tick" in done.stdout  # the others are looked at all the same
