"""Whether the account's money is that of now: it is not as long as a price that moves it is missing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.gateway.account import AccountView, Fronts

DAY = "20250609"


class House:
    """An account that holds rb2510, with a quote of today that comes."""

    def __init__(self) -> None:
        self.held, self.live = {"rb2510"}, {"rb2510"}
        self.tick: Any = SimpleNamespace(symbol="rb2510", trading_day=DAY)
        contract = SimpleNamespace(local_symbol="rb2510.SHFE")
        ledger = SimpleNamespace(
            book=SimpleNamespace(held=lambda: self.held),
            contracts={"rb2510.SHFE": contract},
            instrument=lambda symbol: SimpleNamespace(ExchangeID="SHFE") if symbol == "rb2510" else None,
            trading_day=DAY,
        )
        app: Any = SimpleNamespace(
            ledger=ledger,
            recorder=SimpleNamespace(get_tick=lambda _symbol: self.tick),
            market=SimpleNamespace(is_live=lambda symbol: symbol in self.live),
        )
        self.fronts = Fronts()
        self.fronts.update("td", "ready", "")
        self.view = AccountView(app, self.fronts, "sim", "demo", lambda _ms: DAY)


def test_with_a_quote_of_today_for_all_that_it_holds_it_is_valued() -> None:
    assert House().view.is_valued()


@pytest.mark.parametrize("state", ["loading", "lost", "resting"])
def test_without_the_counter_it_is_not(state: str) -> None:
    house = House()
    house.fronts.update("td", state, "")
    assert not house.view.is_valued()


def test_without_a_quote_of_something_that_it_holds_it_is_not() -> None:
    silent, yesterdays, none_yet, unknown, empty = House(), House(), House(), House(), House()
    silent.live = set()  # the market front is away
    yesterdays.tick.trading_day = "20250606"
    none_yet.tick = None
    unknown.held = {"rb2510", "IO2510-C-4000"}
    empty.held, empty.live = set(), set()
    assert [house.view.is_valued() for house in (silent, yesterdays, none_yet, unknown)] == [False] * 4
    assert empty.view.is_valued()  # no price moves it
