"""What the guard reads of what a child left."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.backtest.running.guard import BacktestFailed, read_left


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
