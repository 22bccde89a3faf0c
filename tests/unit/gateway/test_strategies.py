"""What the gateway gives its strategies, and in whose name it takes their orders."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from ctpbee.constant import AccountData, BarData, Exchange

from app.bee import entities
from app.bee.entities import Book, State
from app.bee.fields import tick_of
from app.gateway.futures import done
from app.gateway.risk.limits import StrategyLimits
from app.gateway.strategies.joined import Strategies, said_rows
from app.interfaces.ledger import Ledger
from app.lib import rows
from app.lib.bars import Bar, ClosedBar
from app.lib.calendar import SHANGHAI
from app.lib.errors import BadInput, NotFound
from app.model.sqlite import SqliteStore
from app.wire.channel import ChannelClosed
from app.wire.messages import (
    FindOrder,
    JoinStrategy,
    OrderOutcome,
    PlaceOrder,
    Push,
    ReadStrategy,
    StrategySaid,
    WatchTicks,
)
from app.wire.rpc import _answers
from tests.fakes.front import DAY, account, depth, detail, instrument, order, trade

MOMENT = datetime(2025, 6, 9, 9, 30, tzinfo=SHANGHAI)
RB, M = "rb2510.SHFE", "m2509.DCE"


class Connection:
    """What a strategy's process would read, in order."""

    def __init__(self) -> None:
        self.sent: list[tuple[Push, str | None]] = []
        self.frames: list[bytes] = []
        self.closed = False

    def send(self, data: bytes, key: str | None = None) -> None:
        if self.closed:
            raise ChannelClosed("gone")
        push = _answers.decode(data)
        assert isinstance(push, Push)
        self.sent.append((push, key))
        self.frames.append(data)

    def heard(self) -> list[str]:
        return [push.name for push, _ in self.sent]


class Account:
    """Of the account what is asked: contracts, rows, and whether a price matters."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.held: set[str] = set()

    def contract(self, symbol: str) -> Any:
        return next(
            (one for one in self._ledger.contracts.values() if symbol in (one.symbol, one.local_symbol)), None
        )

    def resolve(self, symbol: str) -> str | None:
        contract = self.contract(symbol)
        return contract.local_symbol if contract is not None else None

    def holds(self, symbol: str) -> bool:
        return symbol in self.held

    def orders(self) -> list[dict[str, Any]]:
        return [rows.row_of(one) for one in self._ledger.orders.values()]

    def trades(self) -> list[dict[str, Any]]:
        return [rows.row_of(one) for one in self._ledger.trades]


class Loop:
    def call_later(self, *_args: Any) -> None:
        """Nothing is made up for here."""


class World:
    def __init__(self, store: SqliteStore) -> None:
        self.ledger = Ledger()
        self.ledger.begin_day(DAY)
        self.ledger.set_contracts([instrument(), instrument("m2509", "DCE")])
        self.ledger.rebuild(account(), [], [], [])
        self.store = store
        self.placed: list[PlaceOrder] = []
        self.lines: list[dict[str, Any]] = []
        self.pushed: list[tuple[str, bytes]] = []
        self.account = Account(self.ledger)
        recorder = SimpleNamespace(
            account=AccountData(accountid="demo", gateway_name="sim"), get_all_ticks=lambda: []
        )
        self.strategies = Strategies(
            name="sim-9999-demo",
            log_book=SimpleNamespace(keep=self.lines.append),  # type: ignore[arg-type]
            publisher=SimpleNamespace(push=lambda name, row: self.pushed.append((name, row))),  # type: ignore[arg-type]
            app=SimpleNamespace(ledger=self.ledger, recorder=recorder),  # type: ignore[arg-type]
            account=self.account,  # type: ignore[arg-type]
            fronts=SimpleNamespace(data=lambda: {"td": {"state": "ready"}}),  # type: ignore[arg-type]
            desk=SimpleNamespace(place=self._place, find=self._find),  # type: ignore[arg-type]
            store=store,
            loop=Loop(),  # type: ignore[arg-type]
            config=lambda: {"INSTRUMENT_INDEPEND": False},
            limits=StrategyLimits(store, lambda *_: 0, self.ledger.opening, lambda *_: 0),
        )

    def _place(self, request: PlaceOrder) -> Future[OrderOutcome]:
        self.placed.append(request)
        ref = len(self.placed)
        self.ledger.own(f"1_7_{ref}", request.client_order_id, request.strategy)
        self.ledger.submit(order(ref, VolumeTotalOriginal=request.volume))
        return done(OrderOutcome(f"1_7_{ref}", "sent"))

    def _find(self, client_order_id: str) -> OrderOutcome:
        found = next(
            (one for one in self.ledger.orders.values() if one.client_order_id == client_order_id), None
        )
        if found is None:
            raise NotFound("没有这样的报单")
        return OrderOutcome(found.order_id, "sent")

    def join(self, name: str, symbols: list[str] | None = None) -> Connection:
        connection: Any = Connection()
        self.strategies.join(connection, JoinStrategy(name, 1))
        self.strategies.watch_ticks(connection, WatchTicks(symbols))
        return connection

    def tick(self, symbol: str = "rb2510", exchange: str = "SHFE") -> None:
        row = depth(symbol, exchange)
        self.strategies.tick(
            tick_of(
                row, name="", exchange=Exchange[exchange], trading_day=DAY, now=MOMENT, gateway_name="sim"
            )
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = SqliteStore(tmp_path / "account.db")
    yield World(store)
    store.close()


# ── what they hear ──


def test_who_joins_is_given_the_whole_account(world: World) -> None:
    for change in world.ledger.apply_order(order(status="3")):
        assert change.order_id == "1_7_1"
    connection: Any = Connection()
    state = msgspec.msgpack.decode(
        world.strategies.join(connection, JoinStrategy("a", 3)).payload, type=State
    )
    assert (state.trading_day, len(state.contracts), len(state.orders)) == (DAY, 2, 1)
    assert state.account is not None
    assert state.account["balance"] == 1_000_000.0
    assert entities.entity(state.contracts[0]).local_symbol in (RB, M)


def test_ticks_go_to_those_that_want_the_contract_and_are_encoded_once(world: World) -> None:
    everything, only_m, nothing = world.join("a"), world.join("b", [M]), world.join("c", [])
    also_everything = world.join("d")
    world.tick()
    world.tick("m2509", "DCE")
    assert [key for _, key in everything.sent] == [f"tick:{RB}", f"tick:{M}"]
    assert [key for _, key in only_m.sent] == [f"tick:{M}"]
    assert nothing.sent == []
    assert everything.frames[0] is also_everything.frames[0]
    assert entities.decode(everything.sent[0][0].payload).last_price == depth().LastPrice


def test_the_book_comes_before_what_changed_it_and_neither_is_ever_dropped(world: World) -> None:
    connection = world.join("a")
    world.ledger.own("1_7_1", "", "a")
    for one in world.ledger.apply_order(order(status="3")):
        world.strategies.change("order", one)
    for change in world.ledger.apply_trade(trade()):
        if hasattr(change, "tradeid"):
            world.strategies.trade(change)
        else:
            world.strategies.change("order", change)
    assert connection.heard() == ["book", "order", "book", "trade", "book", "order"]
    assert {key for _, key in connection.sent} == {None}
    book = msgspec.msgpack.decode(connection.sent[2][0].payload, type=Book)
    assert [(position.symbol, position.volume) for position in book.positions] == [("rb2510", 1)]


def test_a_price_that_moves_the_account_moves_the_book(world: World) -> None:
    connection = world.join("a", [])
    world.tick()
    assert connection.sent == []
    world.account.held.add("rb2510")
    world.tick()
    assert [(push.name, key) for push, key in connection.sent] == [("book", "book")]


def test_a_closed_bar_is_ctpbees_bar_of_one_minute(world: World) -> None:
    connection, other = world.join("a", [RB]), world.join("b", [M])
    world.strategies.bar(ClosedBar(RB, DAY, Bar(int(MOMENT.timestamp() * 1000), 1.0, 4.0, 0.5, 2.0, 7)))
    bar = entities.decode(connection.sent[0][0].payload)
    assert isinstance(bar, BarData)
    assert (bar.local_symbol, bar.datetime, bar.interval.value) == (
        RB,
        MOMENT,
        "1m",
    )
    assert (bar.open_price, bar.high_price, bar.low_price, bar.close_price, bar.volume) == (
        1.0,
        4.0,
        0.5,
        2.0,
        7,
    )
    assert other.sent == []


def test_one_that_has_gone_is_forgotten_and_the_others_hear_on(world: World) -> None:
    gone, there = world.join("a"), world.join("b")
    gone.closed = True
    world.tick()
    gone.closed = False
    world.tick()
    assert gone.sent == []
    assert len(there.sent) == 2


def test_only_who_has_joined_may_choose_its_ticks(world: World) -> None:
    stranger: Any = Connection()
    with pytest.raises(BadInput):
        world.strategies.watch_ticks(stranger, WatchTicks(None))


# ── what they do ──


def test_an_order_is_in_the_name_of_the_connection_it_came_by(world: World) -> None:
    connection: Any = world.join("a")
    page: Any = Connection()
    world.strategies.place(
        connection, PlaceOrder(RB, "long", "open", "limit", 3000.0, 1, strategy="somebody else")
    )
    world.strategies.place(page, PlaceOrder(RB, "long", "open", "limit", 3000.0, 1))
    assert [request.strategy for request in world.placed] == ["a", ""]


def test_the_answer_to_a_strategy_has_its_order_and_the_book_that_freezes_for_it_of_one_cut(
    world: World,
) -> None:
    connection: Any = world.join("a")
    world.strategies.tell_book()
    outcome = world.strategies.place(
        connection, PlaceOrder(RB, "long", "open", "limit", 3000.0, 2, "mine", wait=False)
    ).result(0)
    world.strategies.tell_book()
    known = entities.decode(outcome.order)
    assert (known.order_id, known.status.value, known.volume, known.strategy, known.client_order_id) == (
        "1_7_1",
        "提交中",
        2,
        "a",
        "mine",
    )
    before, answered, after = (
        msgspec.msgpack.decode(payload, type=Book)
        for payload in (connection.sent[0][0].payload, outcome.book, connection.sent[1][0].payload)
    )
    assert before.account is not None
    assert answered.account is not None
    assert before.account["frozen"] == 0.0
    assert answered.account["frozen"] == 6004.0, "margin and fee of two lots"
    assert before.cut < answered.cut < after.cut
    world.strategies.account(AccountData(accountid="demo", gateway_name="sim"))
    assert entities.decode(connection.sent[2][0].payload).cut > after.cut
    assert world.strategies.find(FindOrder("mine")).order == outcome.order
    with pytest.raises(NotFound):
        world.strategies.find(FindOrder("nobody's"))


def test_the_lots_that_a_close_freezes_are_in_its_answer(world: World) -> None:
    world.ledger.rebuild(account(), [detail(3)], [], [])
    connection: Any = world.join("a")
    world.ledger.own("1_7_1", "", "a")
    changes = world.ledger.submit(order(1, Direction="1", CombOffsetFlag="4", VolumeTotalOriginal=2))
    assert len(changes) == 1
    outcome = world.strategies._shown(OrderOutcome("1_7_1", "sent"))
    (held,) = msgspec.msgpack.decode(outcome.book, type=Book).positions
    assert (held.volume, held.frozen, held.available) == (3, 2, 1)
    assert connection.sent == []


def test_a_later_gateways_cuts_are_newer(world: World) -> None:
    connection: Any = world.join("a")
    world.strategies.tell_book()
    first = msgspec.msgpack.decode(connection.sent[0][0].payload, type=Book)
    names = ("name", "app", "account", "fronts", "desk", "config", "log_book", "publisher", "limits")
    parts = {name: getattr(world.strategies, f"_{name}") for name in names}
    again = Strategies(**parts, store=world.store, loop=Loop())  # type: ignore[arg-type]
    state = msgspec.msgpack.decode(again.join(connection, JoinStrategy("a", 1)).payload, type=State)
    assert state.cut > first.cut


def test_what_a_strategy_did_is_its_own(world: World) -> None:
    world.strategies.loaded()
    world.ledger.own("1_7_1", "", "a")
    world.ledger.apply_order(order(status="3"))
    world.ledger.apply_order(order(2, status="3"))
    read = msgspec.json.decode(world.strategies.read(ReadStrategy("a")).payload)
    assert [row["order_id"] for row in read["orders"]] == ["1_7_1"]
    assert read["trades"] == read["positions"] == []
    assert read["profit"] == {"close_profit": 0.0, "float_pnl": 0.0, "commission": 0.0, "net": 0.0}


def test_profits_are_told_of_those_that_run_and_those_that_still_hold_something(world: World) -> None:
    world.strategies.loaded()
    world.ledger.own("1_7_1", "", "stopped")
    world.ledger.apply_order(order(status="3"))
    world.ledger.apply_order(order(2, status="3"))
    for change in (*world.ledger.apply_trade(trade()), *world.ledger.apply_trade(trade("t2", 2))):
        if hasattr(change, "trade_key"):
            world.strategies.trade(change)
    gone = world.join("gone")
    world.join("runs")
    world.strategies.forget(gone)
    profits = world.strategies.profits()
    assert list(profits) == ["runs", "stopped"]  # of what nobody in particular holds there is none
    assert profits["stopped"]["commission"] == 2.0


def test_what_a_strategy_says_is_a_line_of_the_log_and_one_of_its_own() -> None:
    shown, own = said_rows("sim-9999-demo", StrategySaid("a", "NOTICE", "2025-06-09 09:30:00", "好"))
    assert shown == {
        "created": "2025-06-09 09:30:00",
        "name": "sim-9999-demo",
        "levelname": "INFO",
        "owner": "a",
        "message": "好",
    }
    assert own == {"name": "a", "created": "2025-06-09 09:30:00", "levelname": "INFO", "message": "好"}


def test_what_a_strategy_says_goes_to_the_pages_log_and_to_its_own(world: World) -> None:
    world.strategies.said(StrategySaid("a", "INFO", "2025-06-09 09:30:00", "好"))
    assert [(line["name"], line["owner"]) for line in world.lines] == [("sim-9999-demo", "a")]
    assert [(name, msgspec.json.decode(row)["name"]) for name, row in world.pushed] == [("strategy_log", "a")]
