"""How far a job is, and what a row shows of its figures."""

from __future__ import annotations

from typing import Any

import pytest

from app.backtest.engine.job import Progress
from app.backtest.jobs.jobs import Moving
from app.backtest.jobs.results import brief_figures


def test_a_run_tells_its_share_its_speed_and_how_long_it_still_takes() -> None:
    moving = Moving(1, 100.0)
    moving.take(Progress("reading", 5000), 101.0)
    assert (moving.as_row(101.0)["percent"], moving.as_row(101.0)["rest"]) == (0.0, None)
    moving.take(Progress("running", 0, 1000, "20240102"), 102.0)
    moving.take(Progress("running", 250, 1000, "20240103"), 104.0)
    row = moving.as_row(104.0)
    assert (row["percent"], row["rate"], row["rest"], row["trading_day"]) == (25.0, 125, 6.0, "20240103")


def test_a_child_that_lies_moves_no_row_beyond_its_bounds() -> None:
    moving = Moving(1, 0.0)
    moving.take(Progress("x" * 99, -5, -1, "y" * 99), 1.0)
    assert moving.as_row(1.0)["stage"] == "reading"
    moving.take(Progress("running", 10**18, 10, "y" * 99), 2.0)
    row = moving.as_row(3.0)
    assert (row["percent"], row["rest"], len(row["trading_day"])) == (100.0, None, 8)


@pytest.mark.parametrize(
    ("done", "total"),
    [(10**400, 1), (1, 10**400), (-(10**400), 10**400)],
    ids=["done", "total", "less"],
)
def test_counts_beyond_any_number_break_no_row(done: int, total: int) -> None:
    moving = Moving(1, 0.0)
    moving.take(Progress("running", 1, 10), 1.0)
    moving.take(Progress("running", done, total), 2.0)
    assert 0 <= moving.as_row(3.0)["percent"] <= 100


def test_a_search_counts_its_units() -> None:
    moving = Moving(10, 0.0)
    moving.units_done = 4
    row = moving.as_row(8.0)
    assert (row["percent"], row["rest"], row["units"], row["units_done"]) == (40.0, 12.0, 10, 4)


def test_the_figures_of_a_row_are_plain_and_few() -> None:
    figures: dict[str, Any] = {"net_profit": 1.5, "by_month": {"202401": {}}, "drawdown": {"share": 0.1}}
    figures |= {f"x{number}": number for number in range(500)} | {"day": "2" * 999}
    found = brief_figures(figures)
    assert found["net_profit"] == 1.5
    assert found["drawdown"] == {"share": 0.1}
    assert "by_month" not in found
    assert len(found) <= 100


def test_a_figure_with_a_long_name_makes_no_long_row() -> None:
    figures = {"drawdown": {"k" * 999: 1}, "n" * 999: 1}
    found = brief_figures(figures)
    assert max(map(len, [*found, *found["drawdown"]])) == 64


@pytest.mark.parametrize("figures", [None, [], {"drawdown": 5}, {"drawdown": {"a": {}}}])
def test_figures_that_are_none_are_refused(figures: Any) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError, KeyError)):
        brief_figures(figures)
