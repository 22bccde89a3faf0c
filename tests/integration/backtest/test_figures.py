"""The figures by hand, and beside an oracle: empyrical-reloaded 0.7.1, whose answers for returns drawn from
these seeds were taken down once (it would bring scipy and more into every checkout).
"""

from __future__ import annotations

import random
from itertools import accumulate
from typing import Any

import pytest

from app.backtest.report import figures
from app.backtest.report.figures import Day, Fill, Held
from tests.integration.backtest.oracle import ORACLE


def days_of(capital: float, balances: list[float], first: int = 20230901) -> list[Day]:
    return [Day(str(first + number), balance, 0.0, 0.0, 0.0, 0.0) for number, balance in enumerate(balances)]


@pytest.mark.parametrize("told", ORACLE, ids=lambda told: f"seed {told['seed']}")
def test_ratios_are_the_oracles(told: dict[str, Any]) -> None:
    chance = random.Random(told["seed"])
    returns = [round(chance.gauss(0.0005, told["scale"]), 6) for _ in range(told["n"])]
    balances = list(accumulate(returns, lambda balance, one: balance * (1 + one), initial=1e6))[1:]
    days = days_of(1e6, balances)
    found = figures.daily_returns(1e6, days)
    fall = figures.drawdown(1e6, days)
    assert found == pytest.approx(returns, abs=1e-12)
    assert figures.annual_return(found) == pytest.approx(told["annual_return"], rel=1e-9)
    assert figures.sharpe(found) == pytest.approx(told["sharpe"], rel=1e-9)
    assert figures._deviation(found) * 242**0.5 == pytest.approx(told["volatility"], rel=1e-9)
    assert figures.sortino(found) == pytest.approx(told["sortino"], rel=1e-9)
    assert -fall.share == pytest.approx(told["max_drawdown"], rel=1e-6)  # of balances to the cent
    assert figures.calmar(found, fall) == pytest.approx(told["calmar"], rel=1e-6)


def test_a_drawdown_has_its_days_and_is_under_water_until_the_peak_is_reached_again() -> None:
    days = days_of(100.0, [110.0, 99.0, 104.5, 110.0, 105.0, 108.0, 107.0])
    fall = figures.drawdown(100.0, days)
    assert (fall.amount, round(fall.share, 6)) == (11.0, 0.1)
    assert (fall.peak_day, fall.lowest_day, fall.recovered_day) == ("20230901", "20230902", "20230904")
    assert fall.days_under_water == 3


def test_a_fall_from_the_start_on_has_no_peak_day() -> None:
    fall = figures.drawdown(100.0, days_of(100.0, [90.0, 80.0]))
    assert (fall.amount, fall.peak_day, fall.recovered_day, fall.days_under_water) == (20.0, "", "", 2)


def fill(moment: str, side: str, offset: str, volume: int, price: float, fee: float = 0.0) -> Fill:
    return Fill(moment[:10].replace("-", ""), f"{moment}:00", "rb2401", side, offset, volume, price, 10, fee)


def test_round_trips_take_the_oldest_lots_of_the_days_that_the_close_means() -> None:
    trips = figures.round_trips(
        [
            fill("2023-09-25 09:00", "多", "开", 2, 3700.0, 2.0),
            fill("2023-09-26 09:00", "多", "开", 1, 3710.0, 1.0),
            fill("2023-09-26 09:10", "空", "平今", 1, 3720.0, 3.0),
            fill("2023-09-26 09:20", "空", "平昨", 2, 3690.0, 4.0),
            fill("2023-09-26 10:00", "空", "开", 3, 3700.0),
            fill("2023-09-27 10:00", "多", "平", 2, 3680.0),
        ]
    )
    assert [(trip.direction, trip.volume, trip.profit, trip.commission) for trip in trips] == [
        ("long", 1, 100.0, 4.0),
        ("long", 2, -200.0, 6.0),
        ("short", 2, 400.0, 0.0),
    ]
    assert [trip.seconds for trip in trips] == [600.0, 87_600.0, 86_400.0]


def test_figures_of_a_run_by_hand() -> None:
    fills = [
        fill("2023-09-25 09:00", "多", "开", 1, 3700.0, 4.0),
        fill("2023-09-25 09:30", "空", "平今", 1, 3720.0, 4.0),
        fill("2023-10-09 09:00", "空", "开", 1, 3700.0, 4.0),
        fill("2023-10-09 09:10", "多", "平今", 1, 3705.0, 4.0),
    ]
    days = [Day("20230925", 10_192.0, 0, 8, 200, 0), Day("20231009", 10_134.0, 0, 8, -50, 0)]
    found = figures.figures(10_000.0, days, fills, 3700.0)
    expected = {
        "net_profit": 134.0,
        "net_profit_closed": 134.0,
        "open_profit": 0.0,
        "commission": 16.0,
        "win_rate": 0.5,
        "profit_factor": 192 / 58,
        "expectancy": 67.0,
        "average_holding_seconds": 1200.0,
        "turnover": 148_250.0,
        "margin_peak_share": 0.37,
        "days_won": 1,
        "days_lost": 1,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert {month: of["net"] for month, of in found["by_month"].items()} == {"202309": 192.0, "202310": -58.0}
    assert found["by_side"]["long"]["net"] == 192.0
    assert found["by_contract"]["rb2401"]["lots"] == 2


def test_what_cannot_be_counted_is_none() -> None:
    found = figures.figures(10_000.0, days_of(10_000.0, [10_000.0]), [], 0.0)
    for name in ("sharpe", "sortino", "calmar", "win_rate", "profit_factor", "expectancy"):
        assert found[name] is None


def test_a_lost_account_has_no_annual_return() -> None:
    assert figures.daily_returns(100.0, days_of(100.0, [0.0, 50.0])) == [-1.0]
    assert figures.annual_return([-1.0]) is None


def test_what_is_held_without_a_break_is_one_time_and_sides_and_contracts_are_apart() -> None:
    found = figures.held(
        [
            fill("2023-09-25 09:00", "多", "开", 2, 3700.0),
            fill("2023-09-25 09:05", "空", "开", 1, 3700.0),
            fill("2023-09-25 09:10", "空", "平今", 1, 3700.0),
            fill("2023-09-25 09:20", "空", "平今", 1, 3700.0),
            fill("2023-09-25 09:30", "多", "开", 1, 3700.0),
        ]
    )
    assert found == [
        Held("rb2401", "2023-09-25 09:00:00", "2023-09-25 09:20:00"),
        Held("rb2401", "2023-09-25 09:05:00", ""),
        Held("rb2401", "2023-09-25 09:30:00", ""),
    ]


def test_the_share_of_the_minutes_in_which_something_is_held() -> None:
    """Ten minutes, and ten more after a break, with the second and third held, the break, and half of the
    rest twice over.
    """
    minutes = [60_000 * number for number in [*range(10), *range(100, 110)]]
    spans = [(60_000, 180_000), (540_001, 60_000 * 103), (60_000 * 102, 60_000 * 105)]
    assert figures.covered(minutes, spans) == (2 + 1 + 5) / 20
    assert figures.covered(minutes, []) == 0.0
    assert figures.covered([], spans) is None
