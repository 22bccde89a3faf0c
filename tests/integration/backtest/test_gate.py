"""The gate of the gateway stands before a backtest's orders too, by the market's clock."""

from __future__ import annotations

from pathlib import Path

from app.backtest.engine import Outcome
from tests.integration.backtest.scenes import bars_of, outcome, series, statuses

WAITS = """
def on_bar(self, bar):
    self.count += 1
    if self.count == 1:
        for _ in range(6):
            try:
                self.action.buy_open(3600, 1, bar)
            except Exception:
                pass
    elif self.count == 2:
        self.action.buy_open(3600, 1, bar)
"""
MEETS_ITSELF = """
def on_bar(self, bar):
    self.count += 1
    if self.count == 1:
        self.action.buy_open(3690, 1, bar)
    elif self.count == 3:
        try:
            self.action.sell_open(3690, 1, bar)
        except Exception:
            pass
        self.action.sell_open(3691, 1, bar)
    elif self.count == 4:
        for order in self.center.active_orders:
            self.action.cancel(order.order_id, order)
    elif self.count == 6:
        self.action.sell_open(3690, 1, bar)
"""


def refused(found: Outcome) -> list[tuple[str, str]]:
    return [(one.moment[:19], one.reason) for one in found.account.not_sent]


def test_the_fifth_alike_within_a_second_of_the_market_is_refused_and_one_a_minute_later_is_not(
    tmp_path: Path,
) -> None:
    found = outcome(tmp_path, bars_of(rb2401_SHFE=series("2023-09-25 21:00", *[3700.0] * 5)), WAITS)
    assert len(found.account.orders) == 5
    assert [moment[-8:] for moment, _ in refused(found)] == ["21:01:00"] * 2
    assert {reason for _, reason in refused(found)} == {"1 秒内第 5 张相同的报单（重复报单），报单未发出"}


def test_an_order_that_would_meet_the_strategys_own_is_refused_until_that_is_cancelled(
    tmp_path: Path,
) -> None:
    prices = series("2023-09-25 21:00", *[3700.0] * 9)
    found = outcome(tmp_path, bars_of(rb2401_SHFE=prices), MEETS_ITSELF)
    ((moment, reason),) = refused(found)
    assert moment[-8:] == "21:03:00"
    assert "自成交" in reason
    assert len(found.account.orders) == 3
    assert [status for status, _ in statuses(found)][0] == "已撤销"
