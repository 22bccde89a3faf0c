"""Days before those that count: a strategy hears them, and sends nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.backtest.engine.engine import Plan, run
from app.backtest.report import result
from app.lib.errors import BadInput
from tests.integration.backtest.scenes import bars_of, outcome, series, strategy, trades

EVERY_OTHER = """
def on_bar(self, bar):
    self.count += 1
    if self.count % 4 == 1:
        self.action.buy_open(bar.close_price + 5, 1, bar)
    elif self.count % 4 == 3 and self.held(bar.local_symbol):
        self.action.buy_close(bar.close_price - 5, 1, bar)
"""
DATA = bars_of(
    rb2401_SHFE=[
        *series("2023-09-25 21:00", *[3700.0] * 8),
        *series("2023-09-26 21:00", *[3700.0] * 8),
        *series("2023-09-27 21:00", *[3700.0] * 8),
    ]
)


def test_before_its_day_no_order_is_sent_and_nothing_counts(tmp_path: Path) -> None:
    whole = outcome(tmp_path, DATA, EVERY_OTHER)
    warm = outcome(tmp_path, DATA, EVERY_OTHER, trade_from="20230927")
    assert [moment[:5] for moment, *_ in trades(whole)] == ["09-25"] * 4 + ["09-26"] * 4 + ["09-27"] * 4
    assert trades(warm) == trades(whole)[4:]
    assert [day.trading_day for day in warm.days] == ["20230927", "20230928"]
    assert float(warm.days[0].before.pre_balance) == 1_000_000.0
    assert not warm.account.not_sent
    assert min(point.moment for point in warm.equity) > min(point.moment for point in whole.equity)


def test_what_it_heard_in_those_days_it_knows(tmp_path: Path) -> None:
    """The third trade of a count that began with the warm-up: a run that begins at the day sends another."""
    text = EVERY_OTHER.replace("% 4 == 1", "== 10").replace("% 4 == 3", "== 12")
    warm = outcome(tmp_path, DATA, text, trade_from="20230927")
    assert [moment for moment, *_ in trades(warm)] == ["09-26 21:02:00", "09-26 21:04:00"]


def test_a_day_after_the_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="20231009 起没有行情"):
        outcome(tmp_path, DATA, EVERY_OTHER, trade_from="20231009")


def test_a_brief_result_is_the_whole_ones_beginning(tmp_path: Path) -> None:
    program = strategy(tmp_path, EVERY_OTHER)
    plan = Plan([program], trade_from="20230927")
    found = run(DATA, plan)
    made = result.Made("1", {"mine": program.path.read_text("utf-8")})
    whole, brief = (of(found, plan, DATA, made) for of in (result.document, result.brief))
    assert list(whole)[: len(brief)] == list(brief) == ["format", "settings", "figures", "warnings", "days"]
    assert {name: whole[name] for name in brief} == brief
    assert brief["settings"]["trade_from"] == "20230927"
