"""The report: everything in one file that runs nothing, small enough to send, and nobody's text is markup."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from app.backtest import report
from app.backtest.engine import Plan, run
from app.backtest.result import Made, document, encoded
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
    assert page.count("<title>") > 100  # a mark for each trade, and the page's own
    assert "只列前 500 行" in page


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
