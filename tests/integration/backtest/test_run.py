"""Whole runs: money to the cent worked by hand, days and nights, several contracts and strategies, the same
inputs the same outcome, and nobody sees what has not happened yet.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.backtest.engine.engine import Outcome, Plan, run
from app.backtest.market_data.data import Data, load, minutes
from app.backtest.report.result import Made, brief
from app.lib.bars import Bar
from app.lib.errors import BadInput
from app.lib.program import ROOT
from tests.integration.backtest.scenes import (
    RB,
    at,
    bar,
    bars_of,
    outcome,
    series,
    statuses,
    strategy,
    trades,
)

RECORDED = ROOT / "tests" / "recordings" / "SHFE.ru1901_20181008-20181012.ctp.csv.gz"
TEN_TRADES = """
ORDERS = {
    1: ("buy_open", 3702, 2), 2: ("sell_open", 3690, 1), 3: ("buy_close", 3690, 1),
    4: ("sell_close", 3720, 1), 5: ("buy_open", 3720, 1),
    6: ("buy_close", 3600, 1), 8: ("sell_open", 3700, 3), 9: ("sell_close", 3760, 1),
    10: ("buy_close", 3700, 1), 11: ("sell_close", 3760, 2),
}
def on_bar(self, bar):
    self.count += 1
    if self.count in self.ORDERS:
        what, price, volume = self.ORDERS[self.count]
        getattr(self.action, what)(price, volume, bar)
"""


def money(found: Outcome) -> list[tuple[Any, ...]]:
    """Fee and profit by date of each trade."""
    return [(one.commission, one.close_profit) for one in found.account.trades]


def test_ten_trades_worked_by_hand(tmp_path: Path) -> None:
    """rb: 10 t, one ten-thousandth of the turnover for each side, closing today the same. Two nights, of the
    26th and the 27th. The first settles at its last price, 3730, as no turnover is told.
    """
    first = series("2023-09-25 21:00", 3700.0, 3700.0, 3710.0, 3705.0, 3715.0, 3710.0, 3730.0)
    second = series("2023-09-26 21:00", 3735.0, 3735.0, 3740.0, 3745.0, 3740.0)
    found = outcome(tmp_path, bars_of(rb2401_SHFE=[*first, *second]), TEN_TRADES)
    assert trades(found) == [
        ("09-25 21:01:00", "多", "开", 2, 3701.0),
        ("09-25 21:02:00", "空", "开", 1, 3709.0),
        ("09-25 21:03:00", "空", "平今", 1, 3704.0),
        ("09-25 21:04:00", "多", "平今", 1, 3716.0),
        ("09-25 21:05:00", "多", "开", 1, 3711.0),
        ("09-25 21:06:00", "空", "平今", 1, 3729.0),
        ("09-26 21:01:00", "空", "开", 3, 3734.0),
        ("09-26 21:02:00", "多", "平今", 1, 3741.0),
        ("09-26 21:03:00", "空", "平昨", 1, 3744.0),
        ("09-26 21:04:00", "多", "平今", 2, 3741.0),
    ]
    assert money(found) == [
        (7.40, 0.0),  # 3701 × 10 × 2 ÷ 10000 = 7.402
        (3.71, 0.0),
        (3.70, 30.0),  # (3704 − 3701) × 10, the older of the two
        (3.72, -70.0),  # (3709 − 3716) × 10
        (3.71, 0.0),
        (3.73, 280.0),  # (3729 − 3701) × 10: the lot of 21:01, first in first out
        (11.20, 0.0),
        (3.74, -70.0),  # (3734 − 3741) × 10
        (3.74, 140.0),  # (3744 − 3730) × 10: yesterday's lot counts from the settlement
        (7.48, -140.0),
    ]
    monday, tuesday = found.days
    # 240.00 of closes, 25.97 of fees, and the lot of 21:05 from 3711 to the settlement, 3730: 190.00
    assert (monday.trading_day, float(monday.after.balance)) == ("20230926", 1_000_000 + 240 - 25.97 + 190)
    assert float(tuesday.after.balance) == pytest.approx(1_000_404.03 - 70 + 140 - 140 - 26.16, abs=1e-9)
    assert tuesday.lots == []
    # each met its bar's open, a tick to its disadvantage: 14 lots of 10 t
    assert [one.slippage for one in found.account.trades] == [20, 10, 10, 10, 10, 10, 30, 10, 10, 20]
    told = brief(found, Plan([]), bars_of(rb2401_SHFE=[*first, *second]), Made("0", {}))["figures"]
    assert told["slippage_cost"] == 140.0
    # of twelve minutes all but the first and the last: a lot is held over the day's turn
    assert told["exposure"] == 10 / 12


def test_a_settlement_is_the_days_average_price_where_turnover_tells_it(tmp_path: Path) -> None:
    """100 lots at 3700 and 300 at 3720: 3715."""
    day = [
        bar(at("2023-09-25 09:00"), 3700.0, volume=100, turnover=100 * 3700 * 10.0),
        bar(at("2023-09-25 09:01"), 3720.0, volume=300, turnover=300 * 3720 * 10.0),
    ]
    text = """
def on_bar(self, bar):
    self.count += 1
    if self.count == 1:
        self.action.buy_open(3730, 1, bar)
"""
    found = outcome(tmp_path, bars_of(rb2401_SHFE=[*day, *series("2023-09-25 21:00", 3716.0)]), text)
    assert [lot.base_price for lot in found.days[0].lots] == [3715.0]
    assert float(found.days[0].after.balance) == 1_000_000 - 3.72 + (3715 - 3721) * 10


def test_friday_night_is_mondays_and_an_order_lives_for_its_day(tmp_path: Path) -> None:
    text = """
def on_bar(self, bar):
    self.count += 1
    self.info(f"{bar.trading_day} {bar.datetime:%m-%d %H:%M}")
    if self.count == 1:
        self.action.buy_open(3690, 1, bar)
"""
    data = bars_of(
        rb2401_SHFE=[
            *series("2023-09-22 21:00", 3700.0),
            *series("2023-09-25 09:00", 3700.0),
            *series("2023-09-25 21:00", (3680, 3680, 3600, 3600)),
        ]
    )
    found = outcome(tmp_path, data, text)
    assert [day.trading_day for day in found.days] == ["20230925", "20230926"]
    assert trades(found) == []


def test_an_open_position_ends_with_its_contract(tmp_path: Path) -> None:
    """rb2310 trades until 16 October 2023; of what is held after it there is nothing, and its money stays."""
    text = """
def on_bar(self, bar):
    if bar.symbol == "rb2310" and not self.count:
        self.count = 1
        self.action.buy_open(3710, 1, bar)
"""
    data = bars_of(
        rb2310_SHFE=series("2023-10-16 14:00", 3700.0, 3700.0, 3720.0),
        rb2401_SHFE=[*series("2023-10-16 14:00", 3600.0), *series("2023-10-17 09:00", 3600.0)],
    )
    found = outcome(tmp_path, data, text)
    expired, after = found.days
    assert (len(expired.lots), after.lots) == (1, [])
    assert float(after.before.balance) == 1_000_000 - 3.70 + (3720 - 3701) * 10


def test_two_contracts_share_the_money_and_minutes_may_lack_one(tmp_path: Path) -> None:
    text = """
def on_bar(self, bar):
    self.info(bar.local_symbol)
    if not self.held(bar.local_symbol) and not self.center.get_active_order(bar.local_symbol):
        self.action.buy_open(bar.close_price + 5, 2, bar)
"""
    data = bars_of(
        m2401_DCE=series("2023-09-25 21:00", 4000.0, 4000.0, 4000.0, 4000.0),
        rb2401_SHFE=[bar(at("2023-09-25 21:01"), 3700.0), bar(at("2023-09-25 21:03"), 3700.0)],
    )
    found = outcome(tmp_path, data, text, capital=12_000.0)
    assert [(time, price) for time, _, _, _, price in trades(found)] == [("09-25 21:01:00", 4001.0)]
    assert "CTP:资金不足" in [said for _, said in statuses(found)]


@pytest.mark.parametrize("closes", [(3720.0, 0.0), (3710.0, 0.0, 3720.0, 0.0, 0.0), (0.0, 3720.0)])
def test_a_bar_without_a_close_leaves_what_is_held_at_the_price_before(
    tmp_path: Path, closes: tuple[float, ...]
) -> None:
    text = """
def on_bar(self, bar):
    self.count += 1
    if self.count == 1:
        self.action.buy_open(3705, 1, bar)
"""
    bars = series("2023-09-25 21:00", 3700.0, 3700.0, *[3720.0] * len(closes))
    bars[2:] = [one._replace(close=close) for one, close in zip(bars[2:], closes, strict=True)]
    found = outcome(tmp_path, bars_of(rb2401_SHFE=bars), text)
    assert float(found.days[-1].after.position_profit) == (3720 - 3701) * 10


def test_each_strategy_of_an_account_has_its_own_orders(tmp_path: Path) -> None:
    text = """
def on_bar(self, bar):
    self.count += 1
    if self.count == 1:
        self.action.buy_open(3705, 1, bar)
def on_trade(self, trade):
    self.info(f"{trade.strategy} {trade.price}")
"""
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0, 3700.0, 3700.0))
    found = run(data, Plan([strategy(tmp_path, text, "one"), strategy(tmp_path, text, "two")]))
    assert [(one.trade.strategy, one.trade.price) for one in found.account.trades] == [
        ("one", 3701.0),
        ("two", 3701.0),
    ]


def test_what_a_strategy_raises_ends_the_run(tmp_path: Path) -> None:
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0))
    with pytest.raises(ZeroDivisionError):
        outcome(tmp_path, data, "def on_bar(self, bar):\n    1 / 0")


def test_a_plan_that_cannot_be_is_refused(tmp_path: Path) -> None:
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0))
    one = strategy(tmp_path, "def on_bar(self, bar): pass")
    for plan in (Plan([one], capital=0.0), Plan([one, one]), Plan([])):
        with pytest.raises(BadInput):
            run(data, plan)


# ── nobody sees what has not happened ──

CHURNING = """
def on_bar(self, bar):
    self.count += 1
    up = bar.close_price > bar.open_price
    if self.count % 2:
        (self.action.buy_open if up else self.action.sell_open)(bar.close_price + (3 if up else -3), 1, bar)
    else:
        for order in self.center.get_active_order(bar.local_symbol):
            self.action.cancel(order.order_id, order)
        if self.held(bar.local_symbol):
            self.action.buy_close(bar.close_price - 2, self.held(bar.local_symbol), bar)
        if self.held(bar.local_symbol, "short"):
            self.action.sell_close(bar.close_price + 2, self.held(bar.local_symbol, "short"), bar)
"""

_steps = st.lists(
    st.tuples(st.integers(-6, 6), st.integers(0, 8), st.integers(0, 8)), min_size=8, max_size=30
)


def _walk(steps: list[tuple[int, int, int]]) -> list[Bar]:
    """Bars through a section's end and a night."""
    starts = [at("2023-09-25 14:50") + timedelta(minutes=number) for number in range(10)]
    starts += [at("2023-09-25 21:00") + timedelta(minutes=number) for number in range(len(steps))]
    last, found = 3700, []
    for start, (move, above, below) in zip(starts, steps, strict=False):
        first, last = last, last + move
        high, low = max(first, last) + above, min(first, last) - below
        found.append(bar(start, float(first), float(high), float(low), float(last), volume=12))
    return found


def _gist(found: Outcome) -> list[tuple[Any, ...]]:
    return [
        (order_id, order.status_msg, order.traded, order.price)
        for (_, order_id), order in found.account.orders.items()
    ] + [(*row, *sums) for row, sums in zip(trades(found), money(found), strict=True)]


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=_steps, at_end=st.integers(1, 7))
def test_the_beginning_alone_gives_the_beginning_of_the_whole(
    tmp_path: Path, steps: list[tuple[int, int, int]], at_end: int
) -> None:
    """What the last minutes bring cannot change what was traded before them."""
    whole = _walk(steps)
    part = whole[: len(whole) - at_end]
    last = part[-1].timestamp / 1000 + 60
    ended = outcome(tmp_path, bars_of(rb2401_SHFE=part), CHURNING)
    went_on = outcome(tmp_path, bars_of(rb2401_SHFE=whole), CHURNING)
    known = trades(ended)
    assert trades(went_on)[: len(known)] == known
    assert money(went_on)[: len(known)] == money(ended)
    assert all(at(f"2023-{time}").timestamp() >= last for time, *_ in trades(went_on)[len(known) :])


def test_the_same_inputs_give_the_same_outcome(tmp_path: Path) -> None:
    steps = [((number * 7) % 13 - 6, number % 5, (number * 3) % 7) for number in range(40)]
    data = bars_of(rb2401_SHFE=_walk(steps))
    first, second = (_gist(outcome(tmp_path, data, CHURNING)) for _ in range(2))
    assert first == second
    assert len(first) > 20


LOOKING = """
def on_init(self, init):
    self.seen = []
def on_bar(self, bar):
    contract = self.recorder.get_contract(bar.local_symbol)
    tick = self.recorder.get_tick(bar.local_symbol)
    self.seen.append((contract.UpperLimitPrice, contract.LowerLimitPrice, tick and tick.last_price,
                      bar.high_price, bar.low_price, len(self.recorder.bar)))
"""


def test_limits_ticks_and_bars_tell_nothing_of_what_comes(tmp_path: Path) -> None:
    """Two days that begin alike and end far apart: until then a strategy has seen the same."""
    begin = [*series("2023-09-25 09:00", 3700.0, 3702.0), *series("2023-09-25 21:00", 3700.0, 3702.0)]
    seen = []
    for end in (3702.0, 4100.0):
        data = bars_of(rb2401_SHFE=[*begin, *series("2023-09-26 14:00", end)])
        found = outcome(tmp_path, data, LOOKING)
        (extension,) = dict.values(found.account.apps[0]._extensions)
        seen.append(extension.seen)
    assert seen[0][:-1] == seen[1][:-1]
    assert seen[0][-1] != seen[1][-1]


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        (
            """
            def on_bar(self, bar):
                self.seen = [*getattr(self, "seen", []), bar.close_price]
                if bar.close_price == 2.0:
                    self.app.suspend_extension("mine")
            """,
            [1.0, 2.0],
        ),
        (
            """
            def __call__(self, event):
                if event.type == "bar":
                    self.seen = [*getattr(self, "seen", []), -event.data.close_price]
                super().__call__(event)
            """,
            [-1.0, -2.0, -3.0],
        ),
        (
            """
            def on_bar(self, bar):
                self.map["bar"] = type(self).later
                self.seen = [bar.close_price]
            def later(self, bar):
                self.seen.append(bar.close_price * 10)
            """,
            [1.0, 20.0, 30.0],
        ),
    ],
    ids=["suspended", "its own __call__", "another callback"],
)
def test_bars_come_to_a_strategy_as_ctpbee_brings_them(tmp_path: Path, text: str, heard: list[float]) -> None:
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 1.0, 2.0, 3.0))
    found = outcome(tmp_path, data, dedent(text))
    (extension,) = dict.values(found.account.apps[0]._extensions)
    assert extension.seen == heard


def test_minutes_of_several_contracts_come_in_the_order_of_time() -> None:
    data: Data = bars_of(
        rb2401_SHFE=series("2023-09-25 21:00", 1.0, 1.0), m2401_DCE=series("2023-09-25 21:01", 2.0, 2.0)
    )
    assert [[symbol for symbol, _ in bars] for _, bars in minutes(data.bars)] == [
        ["rb2401.SHFE"],
        ["m2401.DCE", "rb2401.SHFE"],
        ["m2401.DCE"],
    ]


@pytest.mark.parametrize(("named", "is_told"), [("rb2402.SHFE", True), (RB, False)])
def test_a_strategy_whose_contract_has_no_data_is_told_so(tmp_path: Path, named: str, is_told: bool) -> None:
    data = bars_of(rb2401_SHFE=series("2023-09-26 09:00", 3700.0, 3701.0))
    chooses = f"def on_init(self, init):\n    self.instrument_set = {{{named!r}}}"
    warnings = brief(outcome(tmp_path, data, chooses), Plan([]), data, Made("0", {}))["warnings"]
    assert (
        any("策略 mine 关注的 rb2402.SHFE 没有行情，有的是 rb2401.SHFE" in one for one in warnings) == is_told
    )


def test_ticks_of_less_than_a_minute_are_data_though_they_make_no_bar(tmp_path: Path) -> None:
    whole = load([RECORDED])
    data = whole._replace(ticks=whole.ticks[:2])
    chooses = "def on_init(self, init):\n    self.instrument_set = {'ru1901.SHFE'}"
    found = outcome(tmp_path, data, chooses)
    assert not found.bars
    assert not [one for one in brief(found, Plan([]), data, Made("0", {}))["warnings"] if "没有行情" in one]
