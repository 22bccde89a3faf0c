"""The report: everything in one file that runs nothing, small enough to send, and nobody's text is markup."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.backtest.engine.engine import Plan, run
from app.backtest.engine.strategies import Program
from app.backtest.report import report
from app.backtest.report.result import Made, document, encoded
from app.lib.bars import day_start
from benchmarks.parts import backtest_market, backtest_run
from tests.integration.backtest.scenes import bars_of, series, strategy

BUSY = """
def on_bar(self, bar):
    self.count += 1
    if self.count % 2:
        self.action.buy_open(bar.close_price + 5, 1, bar)
    else:
        self.action.buy_close(bar.close_price - 5, 1, bar)
    self.action.buy_open(9, 1, bar)
"""


def result_of(folder: Path, minutes: int) -> dict[str, Any]:
    data = bars_of(
        rb2401_SHFE=series("2023-09-25 21:00", *[3700.0 + number % 7 for number in range(minutes)])
    )
    plan = Plan([strategy(folder, BUSY)])
    return document(run(data, plan), plan, data, Made("0", {"mine": BUSY}))


def test_a_busy_run_is_a_page_of_its_own_and_not_too_large(tmp_path: Path) -> None:
    result = result_of(tmp_path, 120)
    result |= {"trades": result["trades"] * 20, "not_sent": result["not_sent"] * 20}
    result["equity"] = [["2023-09-25T21:00:00", 1e6 + number, 0.0] for number in range(5000)]
    result["candles"]["rb2401.SHFE"]["rows"] *= 4
    page = report.page(result)
    assert len(page.encode()) < 400_000
    assert not re.search(r"<script|<link|<img|https?://", page)
    assert page.count("<title>") > 100  # a mark for each minute with a trade, and the page's own
    assert "只列前 500 行" in page


def test_trades_of_one_candle_are_one_mark_a_side_and_a_nights_are_the_next_days(tmp_path: Path) -> None:
    result = result_of(tmp_path, 4)
    (of,) = result["candles"].values()
    by_minute = report._marks("rb2401.SHFE", of, result["trades"])
    assert [(mark.candle, mark.bought, mark.price) for mark in by_minute] == [
        (1, True, 3702.0),
        (2, False, 3701.0),
        (3, True, 3704.0),
    ]
    days = [day_start(day) for day in ("20230925", "20230926", "20230927")]
    by_day = report._marks(
        "rb2401.SHFE", {"interval": "1d", "rows": [[day, 1, 1, 1, 1, 1] for day in days]}, result["trades"]
    )
    assert [(mark.candle, mark.bought, mark.price) for mark in by_day] == [
        (1, True, 3703.0),
        (1, False, 3701.0),
    ]
    assert "买 2 笔 2 手，均价 3703.00" in by_day[0].words


@pytest.mark.full
def test_a_contract_years_report_is_within_400_kb(tmp_path: Path) -> None:
    """The year of the benchmark, with some thousand orders; tables and marks are bounded (above)."""
    path = tmp_path / "market.json"
    backtest_market.write(path, 100_000, 0)
    data = backtest_run.data_of(json.loads(path.read_text()), "bars", 100_000)
    text = backtest_run.STRATEGY.format(local_symbol="rb2401.SHFE", band=6.4)
    (tmp_path / "averages.py").write_text(text)
    plan = Plan([Program("averages", tmp_path / "averages.py")])
    result = document(run(data, plan), plan, data, Made("0", {"averages": text}))
    assert result["figures"]["trading_days"] == 242
    assert len(result["trades"]) > 900
    assert len(report.page(result).encode()) < 400_000


def test_what_a_strategy_writes_is_text_and_no_markup(tmp_path: Path) -> None:
    result = result_of(tmp_path, 4)
    evil = "<img src=x onerror=alert(1)>"
    result["warnings"] = [evil]
    result["not_sent"][0]["reason"] = evil
    result["orders"][0] |= {"error_message": evil, "traded": 0}
    result["settings"]["strategies"] = {evil: evil}
    result["candles"] = {evil: result["candles"]["rb2401.SHFE"]}
    page = report.page(result)
    assert "<img" not in page
    assert page.count("&lt;img") >= 6


def test_a_run_without_trades_says_so_and_counts_nothing(tmp_path: Path) -> None:
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0, 3701.0))
    plan = Plan([strategy(tmp_path, "def on_bar(self, bar): pass")])
    result = document(run(data, plan), plan, data, Made("0", {"mine": ""}))
    assert "没有" in report.page(result)
    assert any("夏普比率：—" in line for line in report.summary(result))


def test_the_document_is_the_same_bytes_for_the_same_run(tmp_path: Path) -> None:
    assert encoded(result_of(tmp_path, 30)) == encoded(result_of(tmp_path, 30))


def test_the_rules_that_orders_were_judged_by_are_in_the_report(tmp_path: Path) -> None:
    result = result_of(tmp_path, 4)
    assert ">缺省的规则<" in report.page(result)
    rule = {"id": "mine", "measure": "day_loss", "limit": 100}
    result["settings"]["risk"] = {"rules": [rule], "limits": {"mine": {"max_position": 2, "contracts": []}}}
    assert "缺省的规则；自己的规则 mine；策略的限制 mine（max_position 2）" in report.page(result)
