"""Runs over main contracts: what strategies hear, what a roll costs, and that it is orders as any other."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.backtest.engine.engine import Outcome, Plan, by_its_data, run
from app.backtest.engine.rolling import ROLLER, RollingRun, made, mains, products_named, text_on
from app.backtest.market_data.data import Data
from app.backtest.report.report import page
from app.backtest.report.result import Made, document, encoded
from app.lib.bars import Bar
from app.lib.errors import BadInput
from tests.integration.backtest.scenes import at, strategy, trades

NEAR, FAR = "rb2401.SHFE", "rb2405.SHFE"
NIGHTS = ["2023-10-09 21:00", "2023-10-10 21:00", "2023-10-11 21:00", "2023-10-12 21:00"]
DAYS = ["20231010", "20231011", "20231012", "20231013"]


def series(prices: list[float], interest: list[float], volume: int = 400) -> list[Bar]:
    """Three bars each night: the price, one more, two more."""
    return [
        Bar(
            int((at(night) + timedelta(minutes=minute)).timestamp() * 1000),
            *[price + minute] * 4,
            volume=volume,
            open_interest=lots,
        )
        for night, price, lots in zip(NIGHTS, prices, interest, strict=True)
        for minute in range(3)
    ]


def two_contracts(volume: int = 400) -> Data:
    """From the third night on rb2405 is the main one."""
    return Data(
        {
            NEAR: series([3700.0, 3710.0, 3720.0, 3730.0], [1000, 1000, 500, 400], volume),
            FAR: series([3600.0, 3610.0, 3620.0, 3630.0], [100, 1200, 1300, 1400], volume),
        },
        [],
        {},
    )


def rolled(folder: Path, text: str, data: Data | None = None, warm_up: int = 10, **plan: Any) -> Outcome:
    data = data or two_contracts()
    wanted = mains(data, ["rb"], warm_up)
    return run(
        data,
        Plan([strategy(folder, text)], **plan),
        made=lambda data, plan: RollingRun(data, plan, wanted),
    )


NIGHT_OF_THE_ROLL = int(at(NIGHTS[2]).timestamp() * 1000)
WANTS = """
own = "{}"
"""
HEARS = """
def on_bar(self, bar):
    with open({path!r}, "a") as file:
        file.write(f"{{id(type(self))}} {{bar.local_symbol}} {{bar.trading_day}} {{bar.close_price}}\\n")
"""


def test_strategies_hear_the_main_contract_alone_and_begin_anew_with_the_days_before(tmp_path: Path) -> None:
    path = tmp_path / "heard.txt"
    rolled(tmp_path, HEARS.format(path=str(path)))
    lines = [line.split() for line in path.read_text().splitlines()]
    heard = [(symbol, day) for _, symbol, day, _ in lines]
    # the first day decides only; a new instance hears its own contract's days before
    before = [(NEAR, DAYS[0])] * 3
    assert heard == [
        *before,
        *[(NEAR, DAYS[1])] * 3,
        *[(FAR, day) for day in DAYS[:2] for _ in range(3)],
        *[(FAR, day) for day in DAYS[2:] for _ in range(3)],
    ]
    assert len({instance for instance, *_ in lines}) == 2


def test_contracts_of_other_products_are_heard_as_ever_and_a_strategy_of_theirs_goes_on(
    tmp_path: Path,
) -> None:
    data = two_contracts()
    data.bars["m2401.DCE"] = [bar for bar in data.bars[NEAR] if bar.timestamp < NIGHT_OF_THE_ROLL + 1]
    path = tmp_path / "heard.txt"
    wanted = mains(data, ["rb"], 10)
    one = strategy(tmp_path, HEARS.format(path=str(path)) + WANTS.format("rb2401.SHFE"), "one")
    other = strategy(
        tmp_path, HEARS.format(path=str(tmp_path / "other.txt")) + WANTS.format("m2401.DCE"), "other"
    )
    run(data, Plan([one, other]), made=lambda data, plan: RollingRun(data, plan, wanted))
    heard = [line.split() for line in (tmp_path / "other.txt").read_text().splitlines()]
    assert len({instance for instance, *_ in heard}) == 1
    assert [day for _, symbol, day, _ in heard if symbol == "m2401.DCE"] == [
        *(day for day in DAYS[:2] for _ in range(3)),
        DAYS[2],
    ]
    instances = {line.split()[0] for line in path.read_text().splitlines()}
    assert len(instances) == 2


def test_a_position_is_rolled_by_orders_and_the_new_instance_finds_it(tmp_path: Path) -> None:
    """Bought at the second night's second bar; the third night's first open rolls it, a tick away each."""
    text = """
def on_init(self, init):
    position = self.center.get_position("rb2401.SHFE")
    self.lots = position.long_volume if position is not None else 0
def on_bar(self, bar):
    self.count += 1
    if bar.trading_day == "20231011" and not self.lots and bar.close_price == 3710.0:
        self.action.buy_open(bar.close_price + 5, 2, bar)
    if self.lots == 2 and bar.trading_day == "20231013" and bar.close_price == 3630.0:
        self.action.buy_close(bar.close_price - 5, 2, bar)
"""
    found = rolled(tmp_path, text)
    assert trades(found) == [
        ("10-10 21:01:00", "多", "开", 2, 3712.0),
        ("10-11 21:00:00", "空", "平昨", 2, 3719.0),
        ("10-11 21:00:00", "多", "开", 2, 3621.0),
        ("10-12 21:01:00", "空", "平昨", 2, 3630.0),
    ]
    symbols = [one.trade.symbol for one in found.account.trades]
    assert symbols == ["rb2401", "rb2401", "rb2405", "rb2405"]
    assert [one.trade.strategy for one in found.account.trades] == ["mine", ROLLER, ROLLER, "mine"]
    assert all(one.commission > 0 for one in found.account.trades)
    money = found.days[-1].after
    by_hand = (
        1_000_000
        + ((3719 - 3712) + (3630 - 3621)) * 2 * 10
        - sum(one.commission for one in found.account.trades)
    )
    assert float(money.balance) == pytest.approx(by_hand, abs=0.01)
    assert found.continuous is not None
    (roll,) = found.continuous["products"]["rb"]["rolls"]
    assert (roll["trading_day"], roll["old"], roll["new"], roll["difference"]) == (DAYS[2], NEAR, FAR, -100.0)
    assert found.continuous["not_rolled"] == []
    assert sorted(found.bars) == [NEAR, FAR]
    assert [len(one) for one in found.bars.values()] == [3, 6]


def test_a_large_position_is_rolled_over_several_minutes_as_the_volume_allows(tmp_path: Path) -> None:
    text = """
def on_bar(self, bar):
    if bar.trading_day == "20231011":
        self.action.sell_open(bar.close_price - 9, 1, bar)
"""
    found = rolled(tmp_path, text, two_contracts(volume=4))
    rolls = [one.trade for one in found.account.trades if one.trade.strategy == ROLLER]
    assert [(one.datetime[11:16], one.symbol, one.direction.value, one.volume) for one in rolls] == [
        (minute, symbol, side, 1)
        for minute in ("21:00", "21:01")
        for symbol, side in (("rb2401", "多"), ("rb2405", "空"))
    ]
    assert [(lot.symbol, lot.direction) for lot in found.days[-1].lots] == [("rb2405", "short")] * 2


def test_what_cannot_be_rolled_is_told_and_nothing_waits_for_it(tmp_path: Path) -> None:
    """So little money that the new contract's margin is not there while the old one's is frozen."""
    text = """
def on_bar(self, bar):
    if bar.trading_day == "20231011" and not self.count:
        self.count = 1
        self.action.buy_open(bar.close_price + 9, 9, bar)
    if bar.local_symbol == "rb2405.SHFE":
        self.info("hears it")
"""
    found = rolled(tmp_path, text, capital=60_000.0)
    assert found.continuous is not None
    (told,) = found.continuous["not_rolled"]
    assert (told["trading_day"], told["old"], told["new"], told["not_opened"]) == (DAYS[2], NEAR, FAR, 9)


def test_a_strategys_text_names_the_main_contract_in_the_old_ones_place() -> None:
    text = (
        'from ctpbee import CtpbeeApi\n\nclass A(CtpbeeApi):\n    """rb2401.SHFE and more"""\n'
        '    code = "rb2401"\n    other = "m2405.DCE"\n'
        '    third = f"{1}rb2401.SHFE"\n\next = A("mine", "rb2401.SHFE")\n'
    )
    changed = text_on(text, {"rb": "rb2410.SHFE"})
    assert "    code = 'rb2410'" in changed
    assert '"m2405.DCE"' in changed
    assert '"""rb2401.SHFE and more"""' in changed
    assert 'f"{1}rb2401.SHFE"' in changed
    assert "'rb2410.SHFE')" in changed
    assert changed.count("\n") == text.count("\n")
    assert products_named(text) == {"rb", "m"}


def test_the_beginning_alone_rolls_as_the_whole_does(tmp_path: Path) -> None:
    text = """
def on_bar(self, bar):
    self.count += 1
    if self.count % 2:
        self.action.buy_open(bar.close_price + 9, 1, bar)
"""
    whole = rolled(tmp_path, text)
    end = int(at("2023-10-12 20:00").timestamp() * 1000)
    bars = {
        name: [bar for bar in series if bar.timestamp < end] for name, series in two_contracts().bars.items()
    }
    part = rolled(tmp_path, text, Data(bars, [], {}))
    assert len(trades(part)) == 3
    assert trades(part) == trades(whole)[: len(trades(part))]


def test_what_cannot_be_is_said() -> None:
    data = two_contracts()
    with pytest.raises(BadInput, match="main_warm_up|预热"):
        made(data, ["rb"], -1)
    with pytest.raises(BadInput, match="不用 tick"):
        made(Data({}, [], {}), ["rb"], 10)
    assert made(data, [], 10) is by_its_data


def test_the_document_and_its_report_have_the_rolls(tmp_path: Path) -> None:
    data = two_contracts()
    plan = Plan([strategy(tmp_path, "def on_bar(self, bar): pass")])
    outcome = run(data, plan, made=made(data, ["rb"], 10))
    found = document(outcome, plan, data, Made("1", {"mine": ""}))
    assert found["continuous"]["products"]["rb"]["segments"][1]["local_symbol"] == FAR
    assert any("换月 rb 1 次" in text for text in found["warnings"])
    html = page(found)
    assert "<h2>换月</h2>" in html
    assert "rb2401.SHFE → rb2405.SHFE" in html
    assert encoded(found) == encoded(document(outcome, plan, data, Made("1", {"mine": ""})))
