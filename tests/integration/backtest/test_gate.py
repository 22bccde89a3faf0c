"""The gate of the gateway stands before a backtest's orders too, by the market's clock."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.backtest.engine.engine import Outcome, Plan, run
from app.backtest.engine.job import Risk
from app.lib.errors import BadInput
from tests.integration.backtest.scenes import bars_of, outcome, series, statuses, strategy

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


BUYS = """
def on_bar(self, bar):
    self.count += 1
    try:
        self.action.buy_open(bar.close_price + 5 + self.count % 3, 1, bar)
    except Exception:
        pass
"""


def risky(**risk: Any) -> dict[str, Any]:
    return {"risk": Risk(**risk)}


def test_a_strategys_limits_hold_for_what_it_holds_itself(tmp_path: Path) -> None:
    """Two strategies of an account: one may hold two lots, the other as many as it likes."""
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", *[3700.0] * 7))
    programs = [strategy(tmp_path, BUYS, name) for name in ("few", "many")]
    found = run(data, Plan(programs, risk=Risk(limits={"few": {"max_position": 2}})))
    lots = Counter(one.trade.strategy for one in found.account.trades)
    assert lots == {"few": 2, "many": 6}
    assert {one.strategy for one in found.account.not_sent} == {"few"}
    assert "至多持有 2 手" in found.account.not_sent[0].reason


def test_limits_go_on_over_the_night(tmp_path: Path) -> None:
    days = [
        *series("2023-09-25 21:00", *[3700.0] * 4),
        *series("2023-09-26 21:00", *[3700.0] * 4),
    ]
    found = outcome(tmp_path, bars_of(rb2401_SHFE=days), BUYS, **risky(limits={"mine": {"max_position": 2}}))
    assert len(found.account.trades) == 2


def test_the_traders_own_rule_of_a_days_loss_keeps_positions_from_being_opened(tmp_path: Path) -> None:
    """Bought at 3701; at 3690 each lot has lost 110 yuan, and nothing more is opened until the next day."""
    days = [
        *series("2023-09-25 21:00", 3700.0, 3700.0, 3690.0, 3690.0, 3690.0),
        *series("2023-09-26 21:00", 3690.0, 3690.0, 3690.0),
    ]
    rule = {"id": "mine", "measure": "day_loss", "limit": 100, "action": "refuse"}
    found = outcome(tmp_path, bars_of(rb2401_SHFE=days), BUYS, **risky(rules=[rule]))
    assert {one.moment[5:16] for one in found.account.not_sent} == {
        "09-25 21:03",
        "09-25 21:04",
        "09-25 21:05",
    }
    assert [one.trade.datetime[5:16] for one in found.account.trades][-1] == "09-26 21:02"


def test_rules_that_cannot_be_are_refused(tmp_path: Path) -> None:
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0))
    for wrong in ({"rules": [{"measure": "luck"}]}, {"limits": {"mine": {"max_position": -1}}}):
        with pytest.raises(BadInput):
            outcome(tmp_path, data, BUYS, **risky(**wrong))
