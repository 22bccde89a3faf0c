"""Two accounts of one group: an order that would meet the other's resting one is refused, also while the
other is away; two gates, wired together as their gateways are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from ctpbee.constant import Direction, Offset, OrderType

from app.gateway.risk.group import Group
from app.lib.errors import NotAllowed
from app.model.sqlite import SqliteStore
from app.process.event_loop import EventLoop
from app.wire.channel import ChannelClosed
from app.wire.messages import Json, Push, WatchResting
from tests.unit.gateway.test_risk_gate import World, asked, close

A, B = "sim-9999-a", "sim-9999-b"


class Wire:
    """The connection from one gateway to the other: what is pushed arrives at once."""

    def __init__(self, watching: Group, account: str) -> None:
        self.watching, self.account = watching, account
        self.is_cut = False
        self.pushes = 0

    def send(self, data: bytes, key: str | None = None) -> None:
        if self.is_cut:
            raise ChannelClosed
        self.pushes += 1
        self.watching.take(self.account, msgspec.msgpack.decode(data, type=Push).payload)


class Member(World):
    def __init__(self, store: SqliteStore, name: str, other: str) -> None:
        self.lost: list[str] = []
        loop = EventLoop()
        self.group = Group(
            name, [other], lambda _account: None, loop, lambda account, _: self.lost.append(account)
        )
        super().__init__(store)
        self.gate._group = self.gate._self_trades._group = self.group
        self.name = name

    def hears(self, other: Member) -> Wire:
        """From now on this one knows what rests of the other."""
        wire = Wire(self.group, other.name)
        self.group.take(other.name, other.group.watch(wire, WatchResting(self.name)).payload)
        return wire


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Member, Member]]:
    stores = [SqliteStore(tmp_path / f"{name}.db") for name in "ab"]
    yield Member(stores[0], A, B), Member(stores[1], B, A)
    for store in stores:
        store.close()


def both(pair: tuple[Member, Member]) -> tuple[Member, Member, Wire]:
    a, b = pair
    a.hears(b)
    return a, b, b.hears(a)


def test_an_order_that_would_meet_the_others_resting_one_is_refused(pair: Any) -> None:
    a, b, _ = both(pair)
    resting = a.send(asked(3000.0))
    assert b.refuses(close(3000.0)) == "RISK_SELF_TRADE"
    assert f"{A} 的挂单 {resting}，价 3000" in b.told[-1]["msg"]
    assert b.refuses(close(2999.0)) == "RISK_SELF_TRADE"
    b.gate.judge(close(3001.0), "")
    b.gate.judge(asked(3000.0), "")
    b.gate.judge(close(3000.0, symbol="rb2511"), "")
    b.send(close(3005.0))
    assert a.refuses(asked(3005.0)) == "RISK_SELF_TRADE"


@pytest.mark.parametrize("status", ["0", "5"])
def test_what_has_ended_is_met_no_more(pair: Any, status: str) -> None:
    a, b, _ = both(pair)
    a.end(a.send(asked(3000.0)), status, VolumeTraded=2)
    b.gate.judge(close(3000.0), "")


def test_what_never_rests_is_not_told(pair: Any) -> None:
    a, b, wire = both(pair)
    for kind in (OrderType.FAK, OrderType.FOK):
        a.send(asked(3000.0, type=kind))
    assert wire.pushes == 0
    b.gate.judge(close(3000.0), "")


def test_a_market_order_is_measured_by_the_best_price(pair: Any) -> None:
    a, b, _ = both(pair)
    a.send(asked(2990.0))
    market = close(0.0, type=OrderType.MARKET)
    b.gate.judge(market, "")
    b.last = 2991.0  # its bid, 2990, is a's
    assert b.refuses(market) == "RISK_SELF_TRADE"


def test_the_traders_own_rules_do_not_take_the_group_away(pair: Any) -> None:
    a, b, _ = both(pair)
    a.send(asked(3000.0))
    for action in ("off", "cancel"):
        b.rules({"id": "self_trade", "action": action})
        assert b.refuses(close(3000.0)) == "RISK_SELF_TRADE"


def test_who_comes_later_is_told_what_rests_already(pair: Any) -> None:
    a, b = pair
    a.send(asked(3000.0))
    b.gate.judge(close(3000.0), "")  # nothing is known of a
    assert b.group.shown() == [{"account": A, "state": "unknown", "orders": 0}]
    b.hears(a)
    assert b.refuses(close(3000.0)) == "RISK_SELF_TRADE"
    assert b.group.shown() == [{"account": A, "state": "connected", "orders": 1}]


def test_while_the_other_is_away_its_last_orders_count_and_this_is_told_once(pair: Any) -> None:
    a, b, wire = both(pair)
    a.send(asked(3000.0))
    wire.is_cut = True
    for _ in range(2):
        b.group.lost(A)
    assert b.lost == [A]
    assert b.refuses(close(3000.0)) == "RISK_SELF_TRADE"
    again = a.restart()  # the counter shows it the order that rests
    again.name, again.group = A, a.group
    again.gate._group = a.group
    again.gate.loaded()
    b.hears(again)
    assert b.refuses(close(3000.0)) == "RISK_SELF_TRADE"
    again.end("1_7_1")
    b.gate.judge(close(3000.0), "")


def test_the_day_ends_the_orders_of_who_is_away_and_of_who_is_there(pair: Any) -> None:
    a, b, wire = both(pair)
    a.send(asked(3000.0))
    a.gate.on_day("20250610")
    b.gate.judge(close(3000.0), "")
    a.gate.on_day("20250611")
    wire.is_cut = True
    a.trading_day = "20250611"
    b.group.take(
        A, orjson.dumps({"whole": True, "orders": [["1", "rb2510", "buy", "limit", 3000.0]], "ended": []})
    )
    b.group.lost(A)
    assert b.refuses(close(3000.0)) == "RISK_SELF_TRADE"
    b.gate.on_day("20250611")
    b.gate.judge(close(3000.0), "")


def test_a_watcher_that_has_gone_costs_nothing(pair: Any) -> None:
    a, b, wire = both(pair)
    wire.is_cut = True
    a.send(asked(3000.0))
    a.send(asked(2999.0))
    assert wire.pushes == 0


def test_a_stranger_is_told_nothing(pair: Any) -> None:
    a, b = pair
    with pytest.raises(NotAllowed):
        a.group.watch(Wire(b.group, A), WatchResting("sim-9999-other"))


def test_the_direction_of_both_sides_is_kept(pair: Any) -> None:
    a, b, _ = both(pair)
    a.send(asked(3010.0, direction=Direction.SHORT, offset=Offset.OPEN))
    assert b.refuses(asked(3010.0)) == "RISK_SELF_TRADE"
    b.gate.judge(asked(3009.0), "")
    assert isinstance(a.group.watch(Wire(b.group, A), WatchResting(B)), Json)
