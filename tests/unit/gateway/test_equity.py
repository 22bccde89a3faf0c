"""The history of equity: a point a minute where all of it is known, a gap where it is not, and what a day was
settled with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.gateway.equity import EquityHistory
from app.lib.calendar import SHANGHAI
from app.lib.equity import ACCOUNT
from app.lib.errors import BadInput
from app.lib.sessions import hours_named
from app.model.sqlite import SqliteStore
from app.wire.messages import ReadEquity

FRIDAY, MONDAY, TUESDAY = "20250606", "20250609", "20250610"


class AtOnce(Executor):
    """Runs what it is given while it is given it."""

    def submit(self, function: Any, /, *args: Any, **more: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*args, **more))
        return future


class House:
    """An account with silver (its night ends at 2:30), its clock and its store."""

    def __init__(self, folder: Path) -> None:
        self.store = SqliteStore(folder / "account.db")
        self.at = datetime(2025, 6, 9, 9, 0, 3, tzinfo=SHANGHAI)
        self.day = MONDAY
        self.valued = True
        self.row: dict[str, Any] = dict.fromkeys(ACCOUNT, 0.0) | {"balance": 1000.0, "pre_balance": 990.0}
        self.strategies: dict[str, dict[str, float]] = {}
        self.history = EquityHistory(
            self.store,
            self,
            lambda: self.strategies,
            hours_named("exchange"),
            AtOnce(),
        )

    def now(self) -> datetime:
        return self.at

    def trading_day(self) -> str:
        return self.day

    def is_valued(self) -> bool:
        return self.valued

    def money(self) -> dict[str, Any]:
        return self.row

    def products(self) -> set[str]:
        return {"ag", "IF"}

    def live(self, seconds: int, **changes: Any) -> None:
        """So many seconds, one look in each; from the first on the account's row has these figures."""
        self.row |= changes
        for _ in range(seconds):
            self.history.look()
            self.at += timedelta(seconds=1)

    def minutes(self, name: str = "balance") -> list[tuple[str, Any]]:
        told = self.read(ReadEquity(limit=1000))
        return [(clock(row[0]), row[told["fields"].index(name)]) for row in told["rows"]]

    def days(self) -> list[tuple[str, Any, Any]]:
        told = self.read(ReadEquity("day"))
        balance, settled = told["fields"].index("balance"), told["fields"].index("settled")
        return [(row[1], row[balance], row[settled]) for row in told["rows"]]

    def read(self, request: ReadEquity) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.history.read(request).payload)
        return answer


def clock(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, SHANGHAI).strftime("%m-%d %H:%M")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.store.close()


def test_each_minute_has_one_point_of_its_first_second(house: House) -> None:
    house.live(57)
    house.live(1, balance=1001.0)
    house.live(70, balance=1002.0)
    assert house.minutes() == [("06-09 09:00", 1000.0), ("06-09 09:01", 1001.0), ("06-09 09:02", 1002.0)]


def test_what_is_not_known_is_a_gap_and_a_minute_that_is_known_late_has_its_point(house: House) -> None:
    house.live(57)
    house.valued = False
    house.live(120)
    assert house.minutes() == [("06-09 09:00", 1000.0)]
    house.live(10)
    house.valued = True
    house.live(1, balance=1003.0)
    assert house.minutes() == [("06-09 09:00", 1000.0), ("06-09 09:03", 1003.0)]


@pytest.mark.parametrize(
    ("at", "day", "points"),
    [
        ("2025-06-09 08:59:00", MONDAY, ["06-09 09:00"]),
        ("2025-06-09 15:00:00", MONDAY, ["06-09 15:00"]),
        ("2025-06-09 20:59:30", TUESDAY, ["06-09 21:00"]),
        ("2025-06-10 02:30:00", TUESDAY, ["06-10 02:30"]),
        (
            "2025-06-07 02:29:30",
            MONDAY,
            ["06-07 02:29", "06-07 02:30"],
        ),  # Saturday: Friday's night is Monday's
        ("2025-06-07 09:00:00", MONDAY, []),
        ("2025-06-09 21:00:00", MONDAY, []),  # the counter has not turned to the new day yet
    ],
)
def test_there_are_points_while_something_trades_the_end_of_a_section_included(
    house: House, at: str, day: str, points: list[str]
) -> None:
    house.at, house.day = datetime.fromisoformat(at).replace(tzinfo=SHANGHAI), day
    house.live(90)
    assert [when for when, _ in house.minutes()] == points


def test_a_day_has_its_newest_minute_and_then_what_the_counter_settled_it_with(house: House) -> None:
    house.live(70, balance=1010.0)
    house.live(57, balance=1020.0)
    assert house.days() == [(MONDAY, 1020.0, None)]
    house.day, house.at = TUESDAY, datetime(2025, 6, 9, 20, 58, tzinfo=SHANGHAI)
    house.row |= {"pre_balance": 1015.5}
    house.history.loaded()
    assert house.days() == [(MONDAY, 1020.0, 1015.5)]
    house.live(180, balance=1030.0)
    house.history.loaded()  # a second login of the day
    assert house.days() == [(MONDAY, 1020.0, 1015.5), (TUESDAY, 1030.0, None)]


def test_what_a_day_further_back_was_settled_with_is_not_guessed(house: House) -> None:
    house.live(10)
    house.day, house.row["pre_balance"] = "20250611", 5000.0
    house.history.loaded()
    assert house.days() == [(MONDAY, 1000.0, None)]


def test_a_deposit_can_be_told_from_a_profit(house: House) -> None:
    house.live(57)
    house.live(1, balance=1500.0, deposit=500.0)
    assert house.minutes("deposit") == [("06-09 09:00", 0.0), ("06-09 09:01", 500.0)]
    assert house.minutes("withdraw")[-1] == ("06-09 09:01", 0.0)


def test_a_strategys_profit_has_a_curve_of_its_own(house: House) -> None:
    house.strategies = {"双均线": {"close_profit": 30.0, "float_pnl": 5.0, "commission": 2.0, "net": 33.0}}
    house.live(3)
    told = house.read(ReadEquity(strategy="双均线"))
    assert told["fields"] == ["timestamp", "trading_day", "net", "close_profit", "float_pnl", "commission"]
    assert told["rows"] == [[1_749_430_800_000, MONDAY, 33.0, 30.0, 5.0, 2.0]]
    assert house.read(ReadEquity("day", strategy="双均线"))["rows"][0][1:] == [MONDAY, 33.0, 30.0, 5.0, 2.0]
    assert house.read(ReadEquity(strategy="nobody"))["rows"] == []
    assert len(house.minutes()) == 1


def test_a_new_gateway_goes_on_where_the_last_one_ended(house: House, tmp_path: Path) -> None:
    house.live(3)
    house.store.close()
    again = House(tmp_path)
    again.live(120, balance=1111.0)
    assert again.minutes() == [("06-09 09:00", 1111.0), ("06-09 09:01", 1111.0), ("06-09 09:02", 1111.0)]
    again.store.close()


def test_minutes_are_kept_for_so_many_trading_days_and_days_for_good(house: House) -> None:
    house.at, house.day = datetime(2025, 6, 5, 21, 0, tzinfo=SHANGHAI), FRIDAY
    house.live(3)
    house.at = datetime(2025, 6, 6, 9, 0, tzinfo=SHANGHAI)
    house.live(3)
    house.at, house.day = datetime(2025, 6, 6, 21, 0, tzinfo=SHANGHAI), MONDAY
    house.live(3)
    house.history.prune(TUESDAY, 2)
    assert len(house.minutes()) == 3
    house.history.prune(TUESDAY, 1)
    assert [when for when, _ in house.minutes()] == ["06-06 21:00"]
    assert [day for day, *_ in house.days()] == [FRIDAY, MONDAY]


def test_minutes_are_read_of_the_newest_three_days_and_days_all(house: House) -> None:
    house.live(3)
    house.at += timedelta(days=3)
    assert house.read(ReadEquity())["rows"] == []
    assert len(house.read(ReadEquity("day"))["rows"]) == 1
    assert len(house.read(ReadEquity(start=1))["rows"]) == 1
    for wrong in (ReadEquity("week"), ReadEquity(start=-1), ReadEquity(start=5, end=5)):
        with pytest.raises(BadInput):
            house.history.read(wrong)
