"""`run.py backtest --grid …` as a trader types it: the search, killed and gone on with; the same document
whatever the number of workers.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Commands
from tests.support.kept_calendar import keep_calendar
from tests.support.waiting import eventually

BARS = Path(__file__).parents[1] / "recordings" / "SHFE.rb2401.1m.csv.gz"
STRATEGY = """
from ctpbee import CtpbeeApi

class Mine(CtpbeeApi):
    away = 2.0
    def __init__(self, name, every=60):
        super().__init__(name)
        self.every, self.count = every, 0
        self.instrument_set = {"rb2401.SHFE"}
    def on_tick(self, tick): pass
    def on_bar(self, bar):
        self.count += 1
        position = self.center.get_position(bar.local_symbol)
        if self.count % self.every == 1:
            self.action.buy_open(bar.close_price + self.away, 1, bar)
        elif self.count % self.every == self.every // 2 and position is not None and position.long_volume:
            self.action.buy_close(bar.close_price - self.away, position.long_volume, bar)
        MORE

ext = Mine("mine")
"""
pytestmark = pytest.mark.full


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    made = Commands(tmp_path)
    keep_calendar(made.data_dir)
    return made


def line(commands: Commands, target: str, *options: str, more: str = "pass") -> list[str]:
    path = commands.output.parent / "mine.py"
    path.write_text(STRATEGY.replace("MORE", more), "utf-8")
    return [
        "backtest",
        str(path),
        "--data",
        str(BARS),
        "--to",
        str(commands.output.parent / target),
        *options,
    ]


def document(commands: Commands, target: str) -> Any:
    return json.loads((commands.output.parent / target / "search.json").read_text("utf-8"))


SPLIT = ("--grid", "every=20:60:20", "--grid", "away=1,2", "--out-of-sample", "2023-09-28", "--warm-up", "1")


def test_one_worker_and_two_find_the_same_and_what_is_done_is_not_done_again(commands: Commands) -> None:
    for target, workers in (("one", "1"), ("two", "2")):
        done = commands.run(*line(commands, target, *SPLIT, "--workers", workers))
        assert done.returncode == 0, done.stderr
    one, two = ((commands.output.parent / target / "search.json").read_bytes() for target in ("one", "two"))
    assert one == two
    found = document(commands, "one")
    assert (found["count"], found["done"], len(found["best"])) == (6, 6, 6)
    assert all(row["out_of_sample"]["trading_days"] for row in found["best"])
    page = (commands.output.parent / "one" / "search.html").read_text("utf-8")
    assert page.count("<rect ") == 6
    again = commands.run(*line(commands, "one", *SPLIT))
    assert "已有 12 次的结果" in again.stdout
    assert (commands.output.parent / "one" / "search.json").read_bytes() == one


def test_interrupted_it_keeps_what_it_has_and_goes_on(commands: Commands) -> None:
    kept = commands.output.parent / "out" / "trials.jsonl"
    never = "while self.every == 40: pass"
    process = commands.start(*line(commands, "out", *SPLIT, "--workers", "2", more=never))
    eventually(lambda: kept.exists() and len(kept.read_bytes().splitlines()) >= 2, "two have ended", 60.0)
    process.send_signal(signal.SIGINT)
    assert process.wait(20.0) == 130
    assert document(commands, "out")["partial"]
    assert "同样的命令接着做" in commands.output.read_text("utf-8")


def test_a_trial_that_fails_costs_itself_alone_and_where_all_fail_the_command_does(
    commands: Commands,
) -> None:
    done = commands.run(
        *line(commands, "out", "--grid", "every=20:60:20", more="assert self.every != 40, 'no 40'")
    )
    assert done.returncode == 0, done.stderr
    found = document(commands, "out")
    assert [row["state"] for row in found["trials"]] == ["done", "failed", "done"]
    assert "AssertionError: no 40" in found["trials"][1]["error"]
    failed = commands.run(*line(commands, "none", "--grid", "every=20:60:20", more="raise ValueError('no')"))
    assert failed.returncode == 1
    assert "全部 3 次试算都失败了" in failed.stderr


def test_a_walk_forward_joins_what_each_window_tried(commands: Commands) -> None:
    days = ("--start", "2023-09-26", "--end", "2023-10-10", "--walk-forward", "2:2", "--warm-up", "1")
    done = commands.run(*line(commands, "out", "--grid", "every=30:60:30", *days))
    assert done.returncode == 0, done.stderr
    walked = document(commands, "out")["walk_forward"]
    assert len(walked["windows"]) == 2
    assert [day for day, _ in walked["days"]] == ["20230928", "20231009", "20231010"]


def test_a_single_run_takes_parameters(commands: Commands) -> None:
    done = commands.run(*line(commands, "out", "--set", "every=20", "--set", "away=1"))
    assert done.returncode == 0, done.stderr
    result = json.loads((commands.output.parent / "out" / "result.json").read_text("utf-8"))
    assert result["settings"]["parameters"] == {"mine": {"away": 1.0, "every": 20}}
