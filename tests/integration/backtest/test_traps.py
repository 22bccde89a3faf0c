"""What a backtest is easily wrong about, each worked by hand: what strategies hear, what is frozen and
charged, what becomes of too little money, and what a result says of itself.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.backtest.child.recheck import middle_of
from app.backtest.engine.engine import Outcome, Plan, run
from app.backtest.engine.fills import FillSettings
from app.backtest.market_data.data import load
from app.backtest.market_data.rates import DatedRates
from app.backtest.report import result
from app.backtest.report.result import Made, document
from app.lib.bars import Bar
from tests.integration.backtest.scenes import (
    at,
    bar,
    bars_of,
    outcome,
    series,
    statuses,
    strategy,
    trades,
)

RU = Path(__file__).parents[2] / "recordings/SHFE.ru1901_20181008-20181012.ctp.csv.gz"
NOTES = """
def on_init(self, init):
    self.heard = []
def on_tick(self, tick):
    self.heard.append("tick")
def on_bar(self, bar):
    self.count += 1
    self.heard.append((bar.datetime.strftime("%d %H:%M"), bar.close_price))
    money, position = self.center.account, self.center.get_position(bar.local_symbol)
    lots = position and (position.long_volume, position.long_frozen)
    self.heard.append((money.available, money.frozen, lots))
    if self.count in self.ORDERS:
        what, price, volume = self.ORDERS[self.count]
        getattr(self.action, what)(price, volume, bar)
"""


def noted(folder: Path, bars: list[Bar], orders: dict[int, tuple[str, float, int]], **plan: Any) -> list[Any]:
    """What a strategy heard that sent these orders at the bars of these numbers."""
    return notes(outcome(folder, bars_of(rb2401_SHFE=bars), f"ORDERS = {orders!r}\n{NOTES}", **plan))


def notes(found: Outcome, number: int = 0) -> list[Any]:
    (extension,) = dict.values(found.account.apps[number]._extensions)
    return list(extension.heard)


def test_of_bars_a_strategy_hears_no_ticks_and_each_bar_once_with_its_start(tmp_path: Path) -> None:
    """Two of an account too, although ctpbee's signals are the process's."""
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0, (3700, 3710, 3690, 3705)))
    text = f"ORDERS = {{}}\n{NOTES}"
    found = run(data, Plan([strategy(tmp_path, text, "one"), strategy(tmp_path, text, "two")]))
    for number in (0, 1):
        assert notes(found, number)[::2] == [("25 21:00", 3700.0), ("25 21:01", 3705.0)]


@pytest.mark.parametrize(
    ("last", "following"),
    [("10:14", "10:30"), ("11:29", "13:30"), ("14:59", "21:00"), ("22:59", "09:00")],
)
def test_at_a_sections_end_the_exchange_takes_nothing_any_more(
    last: str, following: str, tmp_path: Path
) -> None:
    day = "2023-09-25"
    next_day = "2023-09-26" if last == "22:59" else day
    data = bars_of(rb2401_SHFE=[*series(f"{day} {last}", 3700.0), *series(f"{next_day} {following}", 3700.0)])
    found = outcome(tmp_path, data, "def on_bar(self, bar): self.action.buy_open(3705, 1, bar)")
    first, *_ = statuses(found)
    assert first == ("拒单", "已撤单报单被拒绝SHFE:当前状态禁止此项操作")
    assert trades(found) == []


def test_an_order_that_rests_freezes_money_and_a_close_lots(tmp_path: Path) -> None:
    """One lot at 3690: 16 per cent of 36,900 yuan by the table, and a ten-thousandth."""
    bars = series("2023-09-25 21:00", *[3700.0] * 6)
    heard = noted(
        tmp_path, bars, {1: ("buy_open", 3690, 1), 2: ("buy_open", 3705, 2), 4: ("buy_close", 3800, 1)}
    )
    at_start, resting, both, closing = heard[1], heard[3], heard[5], heard[9]
    assert at_start == (1_000_000.0, 0.0, None)
    available, frozen, _ = resting
    assert frozen == pytest.approx(36_900 * 0.16 + 3.69, abs=0.01)
    assert available == pytest.approx(1_000_000 - frozen, abs=0.01)
    assert both[2] == (2, 0)
    assert closing[2] == (2, 1)
    assert closing[1] == pytest.approx(frozen + 3.80, abs=0.01)  # the close freezes its fee


def test_closing_today_is_charged_as_such_and_yesterdays_is_not(tmp_path: Path) -> None:
    """Opened for 1 yuan a lot, closed for 2, the same day for 5."""
    path = tmp_path / "rates.csv"
    path.write_text("product,since,margin,open,close,close_today\nrb,2023-01-01,0.1,1/lot,2/lot,5/lot\n")
    bars = [*series("2023-09-25 21:00", *[3700.0] * 4), *series("2023-09-26 21:00", *[3700.0] * 3)]
    orders = {1: ("buy_open", 3705, 3), 2: ("buy_close", 3695, 1), 5: ("buy_close", 3695, 2)}
    text = f"ORDERS = {orders!r}\n{NOTES}"
    found = outcome(tmp_path, bars_of(rb2401_SHFE=bars), text, rates=DatedRates(path))
    assert [(one.trade.offset.value, one.commission) for one in found.account.trades] == [
        ("开", 3.0),
        ("平今", 5.0),
        ("平昨", 4.0),
    ]


def test_where_lots_are_not_apart_a_close_takes_yesterdays_first(tmp_path: Path) -> None:
    """m at DCE: one of yesterday's (settled at 4010) and one of today's; the close takes the older."""
    bars = [*series("2023-09-25 21:00", 4000.0, 4000.0, 4010.0), *series("2023-09-26 21:00", *[4020.0] * 4)]
    orders = {1: ("buy_open", 4005, 1), 4: ("buy_open", 4025, 1), 5: ("buy_close", 4015, 1)}
    found = outcome(tmp_path, bars_of(m2401_DCE=bars), f"ORDERS = {orders!r}\n{NOTES}")
    assert [(one.trade.offset.value, one.close_profit) for one in found.account.trades] == [
        ("开", 0.0),
        ("开", 0.0),
        ("平", (4019 - 4010) * 10.0),
    ]


def test_an_account_below_its_margin_is_told_and_opens_nothing_more(tmp_path: Path) -> None:
    """Ten lots take 59,216 of 62,000 yuan; 151 yuan a ton further down 15,100 are lost, and at the settlement
    price the margin is 56,800.
    """
    bars = [
        *series("2023-09-25 21:00", 3700.0, 3700.0, *range(3690, 3549, -20)),
        *series("2023-09-26 21:00", 3550.0, 3550.0),
    ]
    text = """
def on_bar(self, bar):
    self.count += 1
    if self.count == 1:
        self.action.buy_open(3705, 10, bar)
    elif bar.trading_day == "20230927":
        self.action.buy_open(3600, 1, bar)
"""
    data = bars_of(rb2401_SHFE=bars)
    plan = Plan([strategy(tmp_path, text)], capital=62_000.0)
    found = run(data, plan)
    assert len(trades(found)) == 1
    assert found.days[0].after.available < 0
    assert [order.error_code for order in list(found.account.orders.values())[1:]] == ["CTP_31"] * 2
    assert any("追加保证金" in warning for warning in result.warnings(found, data, Made("0", {})))


def test_what_is_open_at_the_end_is_valued_and_not_closed(tmp_path: Path) -> None:
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0, 3700.0, 3720.0))
    plan = Plan([strategy(tmp_path, f"ORDERS = {{1: ('buy_open', 3705, 1)}}\n{NOTES}")])
    told = document(run(data, plan), plan, data, Made("0", {"mine": ""}))
    assert len(told["trades"]) == 1
    assert [(lot["symbol"], lot["volume"]) for lot in told["positions"]] == [("rb2401", 1)]
    assert told["figures"]["open_profit"] == (3720 - 3701) * 10
    assert told["figures"]["net_profit"] == pytest.approx(190 - 3.70)
    assert any("仍有持仓" in warning for warning in told["warnings"])


def test_a_result_says_what_it_was_made_of(tmp_path: Path) -> None:
    data = bars_of(rb2401_SHFE=series("2023-09-25 21:00", 3700.0))._replace(hashes={"a.csv": "ab12"})
    plan = Plan([strategy(tmp_path, "def on_bar(self, bar): pass")])
    found = document(run(data, plan), plan, data, Made("1.2.3", {"mine": "text"}))
    settings = found["settings"]
    assert settings["version"] == "1.2.3"
    assert settings["strategies"] == {
        "mine": "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"
    }
    assert settings["data"] == {"a.csv": "ab12"}
    assert settings["rates"].startswith("products.csv ")
    assert settings["fills"] == {
        "latency_ms": None,
        "spread_ticks": 1,
        "slippage_ticks": 0,
        "participation": 0.25,
    }
    assert "now" not in json.dumps(settings)


def test_a_night_before_a_holiday_is_the_first_day_afters(tmp_path: Path) -> None:
    """28 September 2023 was the last day before a week of holidays and has no night: 9 October is next. What
    has a bar in between is of the 9th.
    """
    data = bars_of(rb2401_SHFE=[*series("2023-09-28 14:50", 3700.0), bar(at("2023-10-09 09:00"), 3710.0)])
    text = "def on_bar(self, bar): self.count += 1"
    found = outcome(tmp_path, data, text)
    assert [day.trading_day for day in found.days] == ["20230928", "20231009"]
    assert found.last - found.first > timedelta(days=10)


def test_the_first_half_is_of_the_days_that_trade(tmp_path: Path) -> None:
    """What warms up alone has nothing to be held against."""
    days = ("2023-09-25", "2023-09-26", "2023-09-27", "2023-09-28")
    data = bars_of(rb2401_SHFE=[one for day in days for one in series(f"{day} 09:00", 3700.0)])
    assert middle_of(data) == "20230926"
    assert middle_of(data, "20230926") == "20230926"
    assert middle_of(data, "20230927") == "20230927"
    assert middle_of(data, "20230928") == ""


def test_the_clock_that_a_strategy_can_ask_is_the_bars_end(tmp_path: Path) -> None:
    text = """
def on_init(self, init):
    self.heard = []
def on_bar(self, bar):
    self.heard.append(self.app.clock() - bar.datetime.timestamp())
def on_trade(self, trade):
    self.heard.append(self.app.clock())
"""
    found = outcome(tmp_path, bars_of(rb2401_SHFE=series("2023-09-25 21:00", *[3700.0] * 3)), text)
    assert notes(found) == [60.0] * 3


@pytest.mark.parametrize("latency", [None, 0, 700])
def test_the_first_ticks_alone_give_the_beginning_of_the_whole(tmp_path: Path, latency: int | None) -> None:
    """A day and a night of a recording, cut in the middle of the day."""
    text = """
def on_init(self, init):
    self.instrument_set = {"ru1901.SHFE"}
def on_bar(self, bar):
    pass
def on_tick(self, tick):
    self.count += 1
    long = self.held(tick.local_symbol)
    if self.count % 40 == 0 and not long:
        self.action.buy_open(tick.bid_price_1, 1, tick)
    elif self.count % 55 == 0 and long:
        self.action.buy_close(tick.ask_price_1 - 5, long, tick)
"""
    data = load([RU])
    whole = data._replace(ticks=data.ticks[:1500])
    part = data._replace(ticks=data.ticks[:700])
    plan = Plan([strategy(tmp_path, text)], fills=FillSettings(latency_ms=latency))
    went_on, ended = (run(one, plan) for one in (whole, part))
    known = [(one.commission, one.slippage) for one in ended.account.trades]
    assert len(known) > 5
    assert trades(went_on)[: len(known)] == trades(ended)
    assert [(one.commission, one.slippage) for one in went_on.account.trades][: len(known)] == known
