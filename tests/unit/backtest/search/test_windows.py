"""In and out of the sample, by trading days."""

from __future__ import annotations

import pytest

from app.backtest.search.windows import Stretch, split, walk
from app.lib.errors import BadInput


def test_out_of_the_sample_begins_on_its_day_and_the_days_before_only_warm_up() -> None:
    """2024-01-01 is a holiday, and the 30th and 31st are a weekend."""
    window = split("20230901", "20240301", "20240102", 2)
    assert window.train == Stretch("20230901", "20231229")
    assert window.test == Stretch("20231228", "20240301", "20240102")


@pytest.mark.parametrize("day", ["20230901", "20230801", "20240302"])
def test_a_day_outside_of_the_range_is_refused(day: str) -> None:
    with pytest.raises(BadInput, match="样本外"):
        split("20230901", "20240301", day, 0)


def test_windows_move_on_by_what_they_try_and_the_last_may_be_shorter() -> None:
    """20240102 to 20240112 has nine trading days."""
    windows = walk("20240102", "20240112", 4, 3, 1)
    assert [(window.train.start, window.train.end) for window in windows] == [
        ("20240102", "20240105"),
        ("20240105", "20240110"),
    ]
    assert [(window.test.start, window.test.trade_from, window.test.end) for window in windows] == [
        ("20240105", "20240108", "20240110"),
        ("20240110", "20240111", "20240112"),
    ]


def test_anchored_windows_all_train_from_the_start() -> None:
    windows = walk("20240102", "20240112", 4, 3, 0, anchored=True)
    assert [window.train for window in windows] == [
        Stretch("20240102", "20240105"),
        Stretch("20240102", "20240110"),
    ]


@pytest.mark.parametrize(
    ("start", "end", "train", "test", "said"),
    [
        ("", "20240112", 4, 3, "要写明"),
        ("20240102", "", 4, 3, "要写明"),
        ("20240102", "20240112", 0, 3, "各至少 1"),
        ("20240102", "20240112", 9, 3, "只有 9 个交易日"),
        ("20200102", "20240112", 10, 1, "至多 200 段"),
    ],
)
def test_windows_that_cannot_be_are_refused(start: str, end: str, train: int, test: int, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        walk(start, end, train, test, 0)
