"""`run.py backtest` as a trader types it: a result and a report without a server, the same bytes each time,
strategy code confined, and clear words where it cannot be.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Commands
from tests.support.kept_calendar import keep_calendar

BARS = Path(__file__).parents[1] / "recordings" / "SHFE.rb2401.1m.csv.gz"
STRATEGY = """
from ctpbee import CtpbeeApi

class Mine(CtpbeeApi):
    def __init__(self, name):
        super().__init__(name)
        self.count = 0
    def on_tick(self, tick): pass
    def on_bar(self, bar):
        self.count += 1
        position = self.center.get_position(bar.local_symbol)
        if self.count % 60 == 30:
            self.action.buy_open(bar.close_price + 2, 1, bar)
        elif self.count % 60 == 0 and position is not None and position.long_volume:
            self.action.buy_close(bar.close_price - 2, position.long_volume, bar)
        {more}

ext = Mine("mine")
"""


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    made = Commands(tmp_path)
    keep_calendar(made.data_dir)
    return made


def backtest(commands: Commands, more: str = "pass", *options: str, text: str = "") -> Any:
    path = commands.output.parent / "mine.py"
    path.write_text(text or STRATEGY.format(more=more), "utf-8")
    target = commands.output.parent / "结果"
    return commands.run("backtest", str(path), "--data", str(BARS), "--to", str(target), *options)


def test_a_result_and_a_report_the_same_bytes_each_time(commands: Commands) -> None:
    target = commands.output.parent / "结果"
    results = []
    for _ in range(2):
        done = backtest(commands)
        assert done.returncode == 0, done.stderr
        results.append((target / "result.json").read_bytes())
    assert results[0] == results[1]
    found = json.loads(results[0])
    assert len(found["trades"]) > 20
    assert found["figures"]["trades"] == len(found["trades"])
    net = found["days"][-1]["balance"] - found["settings"]["capital"]
    assert found["figures"]["net_profit"] == pytest.approx(net)
    assert "净利润" in done.stdout
    page = (target / "report.html").read_text("utf-8")
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert len(page) < 400_000
    assert "成交的假定" in page


def test_a_strategy_that_fails_is_told_with_its_line_and_has_seen_nothing_of_ours(commands: Commands) -> None:
    """Neither the server's data nor the network; and what it prints without end is left out."""
    (commands.data_dir / "secret.txt").write_text("secret")
    looking = f"""print("x" * 10_000)
        if self.count == 100:
            import socket
            seen = []
            for look in (
                lambda: open({str(commands.data_dir / "secret.txt")!r}),
                lambda: socket.create_connection(("127.0.0.1", 9), 2),
            ):
                try:
                    seen.append(look())
                except OSError as error:
                    seen.append(type(error).__name__)
            raise ValueError(seen)"""
    done = backtest(commands, looking)
    assert done.returncode == 1
    assert "策略 mine 第 28 行：ValueError: ['FileNotFoundError', 'ConnectionRefusedError']" in done.stderr
    assert "xxxx" not in done.stdout + done.stderr
    assert not (commands.output.parent / "结果" / "result.json").exists()


@pytest.mark.full
def test_an_accounts_own_bars_give_the_same_as_the_file_they_came_from(commands: Commands) -> None:
    target = commands.output.parent / "结果"
    backtest(commands)
    by_file = json.loads((target / "result.json").read_bytes())
    (commands.data_dir / "accounts" / "sim-9999-demo").mkdir(parents=True)
    assert commands.run("import-bars", str(BARS)).returncode == 0
    path = str(commands.output.parent / "mine.py")
    arguments = ("backtest", path, "--to", str(target), "--from-store")
    missing = commands.run(*arguments)
    assert "库里有：rb2401.SHFE" in missing.stderr
    done = commands.run(*arguments, "--contract", "rb2401.SHFE")
    assert done.returncode == 0, done.stderr
    found = json.loads((target / "result.json").read_bytes())
    assert list(found["settings"].pop("data")) == ["rb2401.SHFE"]
    del by_file["settings"]["data"]
    assert found == by_file
    both = commands.run(*arguments, "--data", str(BARS))
    assert "只选一种" in both.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--start", "2030-01-01"), "没有这段时间"),
        (("--participation", "2"), "participation"),
        (("--data", "no-such-file.csv"), "没有文件"),
    ],
)
def test_bad_input_is_named(commands: Commands, options: tuple[str, ...], said: str) -> None:
    done = backtest(commands, "pass", *options)
    assert done.returncode == 1
    assert said in done.stderr
