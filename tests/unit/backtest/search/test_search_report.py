"""A search's page: everything is in it, nothing runs in it, whatever a strategy has written."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.backtest.running.units import FAILED, Outcome
from app.backtest.search.search_report import page, summary
from tests.unit.backtest.search.test_search import drive, search_of


def document(**request: Any) -> dict[str, Any]:
    search = search_of(**request)
    drive(search)
    return search.document()


def test_the_best_the_map_and_the_inputs_are_on_it() -> None:
    found = document(out_of_sample="20240301", warm_up=3, where=["fast<slow"])
    text = page(found)
    best = found["best"][0]
    assert f"{best['in_sample']['sharpe']:.3f}" in text
    assert f"{best['out_of_sample']['sharpe']:.3f}" in text
    assert len(re.findall("<rect ", text)) == 4 * 2 - 1  # fast 20 is not below slow 20
    assert "<title>fast=10 slow=30" in text
    assert "试了 7 组" in text
    assert "fast&lt;slow" in text
    assert "stop（不搜索）" in text
    assert len(text) < 400_000


def test_a_walk_forward_shows_its_windows_and_the_tests_joined() -> None:
    found = document(kind="walk_forward", space={"fast": "8:12:2"}, train=20, test=10)
    text = page(found)
    assert text.count("fast=10</td>") == len(found["walk_forward"]["windows"])
    assert "<polyline" in text
    assert any(line.startswith("样本外净利润") for line in summary(found))


def test_one_parameter_has_a_line_of_cells() -> None:
    assert page(document(space={"fast": "5:20:5"})).count("<rect ") == 4


def test_where_all_failed_it_says_so_and_what_a_strategy_wrote_is_text() -> None:
    search = search_of()
    drive(search, lambda _unit: Outcome(state=FAILED))
    text = page(search.document() | {"warnings": ["<script>alert(1)</script>"], "strategy": "<b>"})
    assert "<script" not in text
    assert "<b>" not in text
    assert "失败 8 次" in text


@pytest.mark.parametrize("objective", ["net_profit", "return", "win_rate"])
def test_each_objective_is_shown_as_what_it_is(objective: str) -> None:
    found = document(objective=objective)
    assert any("fast=" in line for line in summary(found)) == (found["best"] != [])
    assert "http" not in page(found).replace("http-equiv", "")
