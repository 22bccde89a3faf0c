"""Fees and margins by date: which row holds on a day, what it changes in the money, wrong files by row."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.backtest.engine.engine import Plan
from app.backtest.market_data.rates import BadRates, DatedRates
from app.backtest.report import report
from app.backtest.report.result import Made, document
from tests.fakes.market import contract
from tests.integration.backtest.scenes import bars_of, outcome, series

HEAD = "product,since,margin,open,close,close_today\n"
ROWS = """rb,2023-06-01,0.13,0.0001,0.0001,0.0002
rb,2022-01-04,0.1,,,3/lot
rb2401,2023-12-01,0.2,,,
"""


def rates(folder: Path, text: str) -> DatedRates:
    path = folder / "rates.csv"
    path.write_text(HEAD + text, "utf-8")
    return DatedRates(path)


def test_the_newest_row_of_the_contract_or_else_of_its_product_holds(tmp_path: Path) -> None:
    dated = rates(tmp_path, ROWS)
    row = contract("rb2401", "SHFE", LongMarginRatio=0.09, CloseTodayRatioByMoney=0.5)
    found = {
        day: (of.LongMarginRatio, of.CloseTodayRatioByMoney, of.CloseTodayRatioByVolume)
        for day in ("20211231", "20220104", "20230601", "20231130", "20231201")
        for of in (dated(row, day),)
    }
    assert found == {
        "20211231": (0.09, 0.5, 0.0),
        "20220104": (0.1, 0.0, 3.0),
        "20230601": (0.13, 0.0002, 0.0),
        "20231130": (0.13, 0.0002, 0.0),
        "20231201": (0.2, 0.5, 0.0),
    }
    assert dated.unknown == {"rb"}


def test_a_fee_that_changed_over_night_is_paid_from_its_day_on(tmp_path: Path) -> None:
    text = """
def on_bar(self, bar):
    self.count += 1
    if self.count in (1, 4):
        self.action.buy_open(3710, 1, bar)
"""
    data = bars_of(
        rb2401_SHFE=[
            *series("2023-09-25 09:00", 3700.0, 3700.0, 3700.0),
            *series("2023-09-26 09:00", 3700.0, 3700.0),
        ]
    )
    dated = rates(tmp_path, "rb,2023-01-01,0.1,1/lot,,\nrb,2023-09-26,0.1,7/lot,,\n")
    found = outcome(tmp_path, data, text, rates=dated)
    assert [one.commission for one in found.account.trades] == [1.0, 7.0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("zz,2023-01-01,,,,\n", "rates.csv:2: 不认识的品种"),
        ("rb,昨天,,,,\n", "rates.csv:2: since"),
        ("rb,2023-01-01,9,,,\n", "rates.csv:2: margin"),
        ("rb,2023-01-01,,0.1,,\nrb,2023-02-01,,a,,\n", "rates.csv:3: open 不是数"),
        ("rb,2023-01-01,,nan,,\n", "rates.csv:2: open"),
        ("rb,2023-01-01,,,,\nrb,20230101,,,,\n", "rb 的同一天有两行"),
        ("", "没有一行"),
        ("rb,2023-01-01,0.1,0.0001,0.0001,\nrb,2023-02-01,0.1,0.0001\n", "rates.csv:3: 列数与表头不同"),
        ("rb,2023-01-01,0.1,0.0001,0.0001,0.0001,7\n", "rates.csv:2: 列数与表头不同"),
        ("rb,2023-13-01,,,,\n", "rates.csv:2: since 应形如 2024-01-31"),
        ("rb,2023-01-01,,-1/lot,,\n", "rates.csv:2: open"),
    ],
)
def test_a_wrong_file_is_named_by_its_row(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadRates, match=said):
        rates(tmp_path, text)


def test_a_file_without_its_columns_says_which(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("product,since\nrb,20230101\n")
    with pytest.raises(BadRates, match="缺少列 margin、open、close、close_today"):
        DatedRates(path)


def test_a_report_without_rates_of_the_days_says_so_in_red_and_with_them_not(tmp_path: Path) -> None:
    data = bars_of(rb2401_SHFE=series("2023-09-25 09:00", 3700.0, 3700.0))
    found = outcome(tmp_path, data, "def on_bar(self, bar): pass")

    def page_of(made: Made) -> str:
        return report.page(document(found, Plan([]), data, made))

    note = '<p class="warn">手续费与保证金按随程序的合约表（见其日期），不是当时的'
    assert note in page_of(Made("1", {}))
    with_rates = page_of(Made("1", {}, rates="rates.csv 0123"))
    assert note not in with_rates
    assert "费率文件里没有" not in with_rates
    partly = page_of(Made("1", {}, rates="rates.csv 0123", unrated=["rb"]))
    assert '<p class="warn">费率文件里没有当时的 rb：按随程序的合约表计算' in partly
