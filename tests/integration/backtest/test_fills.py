"""Where and when an order is filled by bars, worked by hand; and what is refused, as live."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.backtest.engine.fills import FillSettings
from app.lib.errors import BadInput
from tests.integration.backtest.scenes import bars_of, outcome, series, statuses, trades

BUY_AT_FIRST = """
def on_bar(self, bar):
    self.count += 1
    if self.count == 1:
        self.action.buy_open({price}, {volume}, bar)
"""


def buying(price: float, volume: int = 1) -> str:
    return BUY_AT_FIRST.format(price=price, volume=volume)


def test_an_order_meets_the_next_bars_open_a_tick_against_it(tmp_path: Path) -> None:
    """Sent when the bar of 21:00 has ended, at 3702; the next opens at 3700: bought at 3701."""
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3698.0, (3700, 3706, 3699, 3705), 3705.0))
    assert trades(outcome(tmp_path, data, buying(3702))) == [("09-25 21:01:00", "多", "开", 1, 3701.0)]


def test_slippage_is_added_to_the_spread_for_who_comes_in(tmp_path: Path) -> None:
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3698.0, (3700, 3706, 3699, 3705), 3705.0))
    found = outcome(tmp_path, data, buying(3710), fills=FillSettings(spread_ticks=2, slippage_ticks=3))
    assert trades(found) == [("09-25 21:01:00", "多", "开", 1, 3705.0)]


@pytest.mark.parametrize(("low", "fills"), [(3696.0, False), (3695.0, False), (3694.0, True)])
def test_an_order_that_rests_is_filled_at_its_own_price_when_the_market_trades_through(
    tmp_path: Path, low: float, fills: bool
) -> None:
    """A touch of 3695 may have been somebody else's turn; below it the order's was over."""
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0, (3700, 3701, low, 3701), 3701.0))
    expected = [("09-25 21:01:15", "多", "开", 1, 3695.0)] if fills else []
    assert trades(outcome(tmp_path, data, buying(3695))) == expected


def test_a_bar_that_fell_went_to_its_high_first(tmp_path: Path) -> None:
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0, (3700, 3701, 3690, 3691)))
    assert trades(outcome(tmp_path, data, buying(3695))) == [("09-25 21:01:30", "多", "开", 1, 3695.0)]


def test_one_side_takes_a_share_of_a_bars_volume_and_the_rest_waits(tmp_path: Path) -> None:
    """A quarter of 40 lots at the open; then the market runs away, and comes back under 3702."""
    prices = [3700.0, (3700, 3705, 3700, 3705), (3705, 3705, 3700, 3701)]
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", *prices, volume=40))
    assert trades(outcome(tmp_path, data, buying(3702, 15))) == [
        ("09-25 21:01:00", "多", "开", 10, 3701.0),
        ("09-25 21:02:30", "多", "开", 5, 3702.0),
    ]


def test_an_order_sent_as_a_section_ends_is_refused_by_the_exchange(tmp_path: Path) -> None:
    """The bar of 10:14 ends at 10:15:00, when nothing is taken any more; the looper and vnpy fill it at
    10:30.
    """
    data = bars_of(
        rb2401_SHFE=[
            *series("2023-09-25 10:14", 3700.0),
            *series("2023-09-25 10:30", 3700.0, 3700.0),
        ]
    )
    found = outcome(tmp_path, data, buying(3705))
    assert trades(found) == []
    assert statuses(found) == [("拒单", "已撤单报单被拒绝SHFE:当前状态禁止此项操作")]


@pytest.mark.parametrize(
    ("price", "volume", "said"),
    [(3700.5, 1, "最小变动价位"), (9999, 1, "涨停价"), (3700, 0, "正整数"), (3700, 501, "上限")],
)
def test_what_can_never_be_right_is_not_sent(tmp_path: Path, price: float, volume: int, said: str) -> None:
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0, 3700.0))
    found = outcome(tmp_path, data, buying(price, volume))
    assert not found.account.orders
    assert said in found.account.not_sent[0].reason


def test_too_little_money_is_refused_by_the_counter(tmp_path: Path) -> None:
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0, 3700.0))
    found = outcome(tmp_path, data, buying(3701, 3), capital=10_000.0)
    assert [(order.error_code, order.status.value) for order in found.account.orders.values()] == [
        ("CTP_31", "拒单")
    ]


def test_nobody_sells_at_the_upper_limit(tmp_path: Path) -> None:
    """The limit of a first day at 3700 is the table's 5 per cent: 3885. There one can sell, and not buy."""
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0, 3885.0, 3885.0, 3885.0))
    buying_there = outcome(tmp_path, data, buying(3885))
    assert (trades(buying_there), statuses(buying_there)) == ([], [("未成交", "未成交")])
    selling = buying(3800).replace("buy_open", "sell_open")
    assert trades(outcome(tmp_path, data, selling)) == [("09-25 21:01:00", "空", "开", 1, 3884.0)]


def test_a_cancel_between_two_bars_is_there_before_the_next_opens(tmp_path: Path) -> None:
    text = """
def on_bar(self, bar):
    self.count += 1
    if self.count == 1:
        self.order = self.action.buy_open(3690, 1, bar)
    if self.count == 2:
        for order in self.center.get_active_order(bar.local_symbol):
            self.action.cancel(order.order_id, order)
"""
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0, 3700.0, 3600.0, 3600.0))
    found = outcome(tmp_path, data, text)
    assert trades(found) == []
    assert statuses(found) == [("已撤销", "已撤单")]


def test_what_is_sent_while_a_bar_is_matched_arrives_with_the_next(tmp_path: Path) -> None:
    """on_trade knows only that the low of 21:01 was reached: what it sends must not meet that bar's close, be
    it in another contract.
    """
    text = """
def on_bar(self, bar):
    self.count += 1
    if self.count == 1:
        self.action.buy_open(3695, 1, bar)
def on_trade(self, trade):
    if trade.offset == Offset.OPEN:
        self.action.buy_close(3600, 1, trade)
"""
    data = bars_of(
        rb2401_SHFE=series("2023-09-25 21:00", 3700.0, (3700, 3750, 3690, 3740), (3650, 3650, 3650, 3650))
    )
    found = outcome(tmp_path, data, text)
    assert trades(found) == [
        ("09-25 21:01:15", "多", "开", 1, 3695.0),
        ("09-25 21:02:00", "空", "平今", 1, 3649.0),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [("latency_ms", -1), ("spread_ticks", -1), ("slippage_ticks", -2), ("participation", 0)],
)
def test_settings_that_cannot_be_are_named(tmp_path: Path, name: str, value: float) -> None:
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0))
    with pytest.raises(BadInput, match=name):
        outcome(tmp_path, data, buying(3700), fills=FillSettings(**{name: value}))


def test_an_order_that_is_cancelled_on_its_way_never_arrives(tmp_path: Path) -> None:
    text = """
def on_bar(self, bar):
    self.count += 1
    if self.count == 1:
        order_id = self.action.buy_open(3705, 1, bar)
        order = self.recorder.get_order(order_id)
        self.action.cancel(order.order_id, order)
"""
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0, 3700.0, 3600.0))
    found = outcome(tmp_path, data, text)
    assert (trades(found), statuses(found)) == ([], [("已撤销", "已撤单")])


def test_an_order_waits_for_its_own_contracts_next_bar(tmp_path: Path) -> None:
    text = """
def on_bar(self, bar):
    self.count += 1
    if self.count == 1:
        self.action.buy_open(3705, 1, bar)
"""
    data = bars_of(
        rb2401_SHFE=[*series("2023-09-25 21:00", 3700.0), *series("2023-09-25 21:05", 3702.0)],
        m2401_DCE=series("2023-09-25 21:01", 4000.0, 4000.0, 4000.0),
    )
    assert trades(outcome(tmp_path, data, text)) == [("09-25 21:05:00", "多", "开", 1, 3703.0)]


def test_the_second_days_limits_are_the_tables_share_of_the_settlement(tmp_path: Path) -> None:
    """3700 settles; 5 per cent of it on either side, cut to the tick."""
    text = """
def on_bar(self, bar):
    contract = self.recorder.get_contract(bar.local_symbol)
    self.seen = (contract.PreSettlementPrice, contract.UpperLimitPrice, contract.LowerLimitPrice)
"""
    data = bars_of(
        rb2401_SHFE=[*series("2023-09-25 09:00", 3690.0, 3700.0), *series("2023-09-26 09:00", 3750.0)]
    )
    (extension,) = dict.values(outcome(tmp_path, data, text).account.apps[0]._extensions)
    assert extension.seen == (3700.0, 3885.0, 3515.0)


@pytest.mark.parametrize(("price", "expected"), [(3695, 0.0), (3710, 4 * 10.0)])
def test_who_rests_pays_no_slippage_and_who_comes_in_pays_spread_and_slippage(
    tmp_path: Path, price: float, expected: float
) -> None:
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0, (3700, 3701, 3690, 3701), 3701.0))
    found = outcome(tmp_path, data, buying(price), fills=FillSettings(spread_ticks=1, slippage_ticks=3))
    assert [one.slippage for one in found.account.trades] == [expected]


def test_limits_that_the_market_has_gone_beyond_are_wider_for_the_next_order(tmp_path: Path) -> None:
    """From 3700 to 4200 while nobody has an order; then one at 4200 is taken, and one far beyond is not."""
    text = """
def on_bar(self, bar):
    self.count += 1
    if self.count == 2:
        self.action.buy_open(4200, 1, bar)
        self.action.buy_open(4700, 2, bar)
"""
    found = outcome(tmp_path, bars_of(rb2401_SHFE=series("2023-09-25 09:00", 3700.0, 4200.0, 4199.0)), text)
    assert [one.trade.price for one in found.account.trades] == [4200.0]
    assert [one.request.price for one in found.account.not_sent] == [4700.0]


def test_a_timer_within_a_minute_does_not_see_in_the_limits_how_far_the_minute_goes(tmp_path: Path) -> None:
    text = """
def on_bar(self, bar):
    self.count += 1
    self.bar = bar
def on_realtime(self):
    if self.count == 1:
        self.count += 1
        self.action.buy_open(4200, 1, self.bar)
"""
    found = outcome(tmp_path, bars_of(rb2401_SHFE=series("2023-09-25 09:00", 3700.0, 4200.0, 4199.0)), text)
    assert [one.request.price for one in found.account.not_sent] == [4200.0]
    assert not found.account.orders
