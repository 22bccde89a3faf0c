"""What the guard reads of what a child left, and when it ends one."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from app.backtest.engine.job import PROGRESS_FILE, Progress
from app.backtest.running import guard
from app.backtest.running.guard import BacktestFailed, Watch, read_left
from app.backtest.running.units import Limits


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: None, "BACKTEST_FAILED"),
        (lambda path: path.symlink_to("/etc/hostname"), "BACKTEST_FAILED"),
        (lambda path: path.write_bytes(bytes(11)), "RESULT_TOO_LARGE"),
    ],
    ids=["none", "link", "large"],
)
def test_what_cannot_be_read_is_a_failure_with_its_code(tmp_path: Path, make: object, code: str) -> None:
    assert callable(make)
    make(tmp_path / "result.json")
    with pytest.raises(BacktestFailed, match="result.json") as caught:
        read_left(tmp_path / "result.json", 10)
    assert caught.value.failure.code == code


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        (None, "还在读取行情"),
        (Progress("running", 0, 1000), "做到 0.0%"),
        (Progress("running", 430, 1000, "20240105"), "做到 20240105，43.0%"),
        (Progress("running", 7, 1, "2024" * 99), "做到 20242024，100.0%"),
    ],
    ids=["it reads", "it has begun", "it moves", "it lies"],
)
def test_a_run_that_moves_for_too_long_is_ended_and_how_far_it_came_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, progress: Progress | None, said: str
) -> None:
    now = [0.0]
    monkeypatch.setattr(guard, "time", SimpleNamespace(monotonic=lambda: now[0]))
    process: Any = SimpleNamespace(pid=os.getpid())
    watch = Watch(process, tmp_path, Limits(memory=1 << 20, stall=1e9, total=7200.0), lambda _progress: None)
    if progress is not None:
        (tmp_path / PROGRESS_FILE).write_bytes(msgspec.json.encode(progress))
    now[0] = 7199.0
    watch.look()
    now[0] = 7200.0
    with pytest.raises(BacktestFailed, match=r"跑满 120 分钟（设置 backtest_minutes）还没有跑完") as caught:
        watch.look()
    assert caught.value.failure.code == "TIMEOUT"
    assert said in caught.value.failure.message
