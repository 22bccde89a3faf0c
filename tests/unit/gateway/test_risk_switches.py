"""The dead man's switches: silence at, below and above their seconds, over a break, the night, a restart and
a front that is away. The exchanges' hours, and a clock driven by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.gateway.risk.switches import Switches
from app.lib.calendar import SHANGHAI
from app.lib.sessions import ExchangeHours
from app.lib.switches import Switch
from app.lib.symbols import product_of
from app.model.sqlite import SqliteStore

DAY = "20250609"  # a Monday
RB, AG, IF = "rb2510.SHFE", "ag2512.SHFE", "IF2509.CFFEX"
PAGE, MARKET = Switch("page", 30.0, "cancel"), Switch("market", 20.0)


class World:
    """One gateway's process, looked at every second."""

    def __init__(self, store: SqliteStore, at: str = "10:00:00", switches: tuple[Switch, ...] = ()) -> None:
        self.now = datetime.fromisoformat(f"2025-06-09 {at}").replace(tzinfo=SHANGHAI)
        self.began = self.now
        self.day = DAY
        self.ready = True
        self.contracts = [RB]
        self.newest: dict[str, object] = {}
        self.events: list[tuple[str, str]] = []
        self.switches = Switches(
            store=store,
            account=self,
            silent=lambda switch, seconds: self.events.append(("silent", f"{switch.key} {seconds:.0f}")),
            heard=lambda switch: self.events.append(("heard", switch.key)),
            clock=lambda: 500.0 + (self.now - self.began).total_seconds(),
        )
        if switches:
            self.switches.write(list(switches))

    # what of the account is asked
    def is_ready(self) -> bool:
        return self.ready

    def subscribed(self) -> list[str]:
        return self.contracts

    at_stake = subscribed

    def is_open(self, local_symbols: Any) -> bool:
        products = {product_of(name) for name in local_symbols}
        return ExchangeHours().is_open(products, self.day, self.now)

    def tick(self, local_symbol: str) -> object | None:
        return self.newest.get(local_symbol)

    # what happens
    def quote(self, local_symbol: str = RB) -> None:
        self.newest[local_symbol] = object()

    def wait(self, seconds: int) -> list[tuple[str, str]]:
        """What was told in that time."""
        self.events.clear()
        for _ in range(seconds):
            self.now += timedelta(seconds=1)
            self.switches.look()
        return list(self.events)

    def at(self, time: str, day: str = "2025-06-09") -> None:
        self.now = datetime.fromisoformat(f"{day} {time}").replace(tzinfo=SHANGHAI)
        self.events.clear()
        self.switches.look()

    def state(self) -> str:
        return str(self.switches.shown()[0]["state"])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "account.db")
    yield store
    store.close()


def test_by_default_nobody_is_watched(store: SqliteStore) -> None:
    world = World(store)
    assert world.wait(3600) == []
    assert world.switches.shown() == []


def test_silence_counts_from_its_seconds_on_and_is_told_once(store: SqliteStore) -> None:
    world = World(store, switches=(PAGE,))
    world.wait(1)  # counted from here
    assert world.wait(29) == []
    assert world.state() == "watching"
    assert world.wait(1) == [("silent", "page 30")]
    assert world.state() == "silent"
    assert world.wait(500) == []


def test_each_sign_begins_it_anew_and_the_first_after_a_silence_is_told(store: SqliteStore) -> None:
    world = World(store, switches=(PAGE,))
    for _ in range(10):
        world.wait(29)
        world.switches.sign("page")
    assert world.wait(29) == []
    world.switches.sign("script", "another")
    assert world.wait(1) == [("silent", "page 30")]
    world.switches.sign("page")
    assert world.events[-1] == ("heard", "page")
    assert world.wait(29) == []
    assert world.wait(1) == [("silent", "page 30")]


def test_scripts_are_told_apart_by_name(store: SqliteStore) -> None:
    world = World(
        store, switches=(Switch("script", 10.0, "warn", "甲"), Switch("script", 10.0, "warn", "乙"))
    )
    world.wait(6)
    assert world.switches.sign("script", "甲") == Switch("script", 10.0, "warn", "甲")
    assert world.switches.sign("script", "丙") is None
    assert world.wait(8) == [("silent", "script 乙 10")]


def test_nothing_is_counted_over_a_break_nor_over_the_night(store: SqliteStore) -> None:
    world = World(store, "10:14:50", switches=(PAGE,))
    assert world.wait(60) == []  # the break begins at 10:15
    assert world.state() == "closed"
    world.at("10:30:00")
    assert world.wait(29) == []
    assert world.wait(1) == [("silent", "page 30")]
    world.at("14:59:50")
    world.switches.sign("page")
    assert world.wait(120) == []
    world.at("20:59:59")
    world.day = "20250610"
    assert world.wait(30) == []  # of these the first is 21:00:00
    assert world.wait(1) == [("silent", "page 30")]


def test_what_trades_on_keeps_it_counting(store: SqliteStore) -> None:
    """The index futures know no break at 10:15."""
    world = World(store, "10:14:50", switches=(PAGE,))
    world.contracts = [RB, IF]
    world.wait(1)
    assert world.wait(30) == [("silent", "page 30")]


def test_with_nothing_at_stake_nobody_is_missed(store: SqliteStore) -> None:
    world = World(store, switches=(PAGE,))
    world.contracts = []
    assert world.wait(120) == []


def test_what_is_due_while_the_front_is_away_comes_when_it_is_back(store: SqliteStore) -> None:
    world = World(store, switches=(PAGE,))
    world.ready = False
    assert world.wait(100) == []
    world.ready = True
    assert world.wait(1) == [("silent", "page 100")]


def test_a_restart_counts_anew_and_what_was_told_stays_told_until_a_sign(store: SqliteStore) -> None:
    world = World(store, switches=(PAGE,))
    world.wait(20)
    again = World(store)
    again.wait(1)
    assert again.wait(29) == []
    assert again.wait(1) == [("silent", "page 30")]
    third = World(store)
    assert third.wait(300) == []
    assert third.state() == "silent"
    third.switches.sign("page")
    assert third.events == [("heard", "page")]
    assert third.wait(30) == [("silent", "page 30")]


def test_setting_them_anew_counts_anew(store: SqliteStore) -> None:
    world = World(store, switches=(PAGE,))
    world.wait(300)
    world.switches.write([PAGE])
    world.wait(1)
    assert world.wait(29) == []
    assert world.wait(1) == [("silent", "page 30")]
    world.switches.write([])
    assert world.wait(300) == []
    assert World(store).switches.shown() == []


# ── strategies ──


def test_a_strategy_that_was_stopped_by_hand_is_not_missed_and_one_that_failed_is(store: SqliteStore) -> None:
    world = World(store, switches=(Switch("strategy", 10.0, "cancel", "均线"),))
    world.switches.strategy_is("均线", is_stopped=True)
    assert world.wait(60) == []
    assert world.state() == "stopped"
    world.switches.strategy_is("均线", is_stopped=False)
    world.wait(1)
    world.switches.sign("strategy", "均线")
    assert world.wait(9) == []
    assert world.wait(1) == [("silent", "strategy 均线 10")]


# ── the market ──


def test_any_quote_of_what_is_subscribed_is_a_sign_of_the_market(store: SqliteStore) -> None:
    world = World(store, switches=(MARKET,))
    world.contracts = [RB, AG]
    world.quote(RB)
    world.wait(1)
    for name in (AG, RB, AG):
        world.wait(15)
        world.quote(name)
    world.wait(1)
    assert world.wait(19) == []
    assert world.wait(1) == [("silent", "market 20")]
    world.quote(RB)
    assert world.wait(1) == [("heard", "market")]


def test_only_the_named_contracts_count_for_the_market(store: SqliteStore) -> None:
    world = World(store, switches=(MARKET._replace(contracts=(RB,)),))
    world.contracts = [RB, AG]
    world.wait(1)
    world.quote(AG)
    assert world.wait(20) == [("silent", "market 20")]


def test_the_market_is_silent_only_while_a_contract_that_counts_trades(store: SqliteStore) -> None:
    world = World(store, "22:59:55", switches=(MARKET._replace(contracts=(RB,)),))
    world.day = "20250610"
    world.contracts = [RB, AG]  # ag goes on until 02:30
    assert world.wait(600) == []
    world.contracts = [AG]  # the named one is subscribed no more
    assert world.wait(600) == []


def test_a_market_is_given_its_time_after_the_front_is_back(store: SqliteStore) -> None:
    world = World(store, switches=(MARKET,))
    world.ready = False
    world.wait(60)
    world.ready = True
    world.wait(1)
    assert world.wait(19) == []
    assert world.wait(1) == [("silent", "market 20")]
