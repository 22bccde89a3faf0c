"""The strategies that are joined to this gateway: what they hear, what they send, what they say. Gateway
process, event thread only.

A strategy is a process of its own and a connection of the channel. It hears what a ctpbee extension in this
process would: ticks and bars of the contracts that it wants, orders, trades, positions, money, contracts. An
entity is encoded once for all who hear it. Ticks, positions and money conflate while they wait for a slow
strategy; bars, orders and trades are never dropped. The book goes out before the order or trade that changed
it, so that a callback finds it as it is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from ctpbee.constant import (
    AccountData,
    ContractData,
    OrderData,
    PositionData,
    TickData,
    TradeData,
)

from msgspec.structs import asdict

from app.bee import entities
from app.bee.extensions import OwnExtension
from app.gateway.account import AccountView, Fronts
from app.gateway.app import BackendApp
from app.gateway.futures import done
from app.gateway.logbook import LogBook
from app.gateway.orders import OrderDesk
from app.gateway.publisher import Publisher, Throttle
from app.gateway.risk.limits import StrategyLimits
from app.gateway.strategies.books import StrategyBooks
from app.lib import rows
from app.lib.bars import ClosedBar
from app.lib.errors import BadInput
from app.model.store import Store
from app.process.event_loop import EventLoop
from app.wire.channel import ChannelClosed, Connection
from app.wire.messages import (
    Done,
    FindOrder,
    JoinStrategy,
    Json,
    OrderOutcome,
    PlaceOrder,
    Push,
    ReadStrategy,
    SetStrategyLimits,
    StrategySaid,
    StrategyState,
    WatchTicks,
)
from app.wire.rpc import encode_push

BOOK_INTERVAL = 0.5
"""Seconds between two books that a moving price alone makes."""

log = logging.getLogger("account")


@dataclass(eq=False)
class _Joined:
    """One strategy's connection."""

    connection: Connection
    name: str
    wanted: frozenset[str] | None = frozenset()  # None: all contracts

    def wants(self, local_symbol: str) -> bool:
        return self.wanted is None or local_symbol in self.wanted


class Strategies:
    """`config` gives the account's eight settings as they are now; `name` is the account's."""

    def __init__(
        self,
        *,
        name: str,
        app: BackendApp,
        account: AccountView,
        fronts: Fronts,
        desk: OrderDesk,
        store: Store,
        loop: EventLoop,
        config: Callable[[], dict[str, Any]],
        log_book: LogBook,
        publisher: Publisher,
        limits: StrategyLimits,
    ) -> None:
        self._name = name
        self._log_book = log_book
        self._publisher = publisher
        self._app = app
        self._account = account
        self._fronts = fronts
        self._desk = desk
        self._config = config
        self._books = StrategyBooks(store, app.ledger)
        self._limits = limits
        self._joined: dict[Connection, _Joined] = {}
        self._last_cut = 0
        self._price_moved = Throttle(
            loop, BOOK_INTERVAL, lambda _key: self._tell("book", self._book(), "book")
        )

    # ── who is there ──

    def join(self, connection: Connection, request: JoinStrategy) -> StrategyState:
        """The account as it is; what this connection gets from now on is newer."""
        self._joined[connection] = _Joined(connection, request.name)
        log.info("策略 %s（版本 %d）已连接", request.name, request.version, extra={"owner": request.name})
        ledger, recorder = self._app.ledger, self._app.recorder
        state = entities.State(
            trading_day=ledger.trading_day,
            config=self._config(),
            fronts=self._fronts.data(),
            contracts=entities.dicts(ledger.contracts.values()),
            positions=ledger.book.positions(),
            account=self._money(),
            orders=entities.dicts(ledger.orders.values()),
            trades=entities.dicts(ledger.trades),
            ticks=entities.dicts(recorder.get_all_ticks()),
            cut=self._cut(),
        )
        return StrategyState(entities.encode(state))

    def forget(self, connection: Connection) -> None:
        """It has gone; its orders stay."""
        joined = self._joined.pop(connection, None)
        if joined is not None:
            log.info("策略 %s 已断开", joined.name, extra={"owner": joined.name})

    def watch_ticks(self, connection: Connection, request: WatchTicks) -> Done:
        joined = self._joined.get(connection)
        if joined is None:
            raise BadInput("request", "先发 JoinStrategy")
        joined.wanted = None if request.symbols is None else frozenset(request.symbols)
        return Done()

    def held(self, name: str, symbol: str) -> int:
        """Lots of one contract that the strategy holds, both directions together."""
        return self._books.held(name, symbol)

    # ── what they do ──

    def place(self, connection: Connection, request: PlaceOrder) -> Future[OrderOutcome]:
        """The order, in the name of the strategy whose connection it came by. Raises what the desk raises: then
        nothing was sent.

        A strategy knows its order, and what is frozen for it, from the answer on: it must not send it again
        because the event of it still waits behind a tick.
        """
        joined = self._joined.get(connection)
        if joined is not None:
            request = msgspec.structs.replace(request, strategy=joined.name)
        placed = self._desk.place(request)
        return done(self._shown(placed.result())) if joined is not None and placed.done() else placed

    def find(self, request: FindOrder) -> OrderOutcome:
        """What became of an order whose answer was lost. Raises NotFound when it never got here."""
        return self._shown(self._desk.find(request.client_order_id))

    def _shown(self, outcome: OrderOutcome) -> OrderOutcome:
        """With the order and the book as they are now."""
        order = self._app.ledger.orders.get(outcome.order_id)
        if order is None:
            return outcome
        return msgspec.structs.replace(outcome, order=entities.encode(order), book=self._book()())

    def said(self, line: StrategySaid) -> Done:
        """A line of a strategy's log, for the account's pages."""
        shown, own = said_rows(self._name, line)
        self._log_book.keep(shown)
        self._publisher.push("strategy_log", rows.to_json(own))
        return Done()

    def limit(self, request: SetStrategyLimits) -> Done:
        self._limits.put(request.name, request.limits)
        log.info("策略 %s 的限制已修改", request.name, extra={"owner": request.name})
        return Done()

    def read(self, request: ReadStrategy) -> Json:
        """What this strategy alone has and did; empty for one that never traded."""
        name = request.name
        row = {
            "name": name,
            "orders": [row for row in self._account.orders() if row["strategy"] == name],
            "trades": [row for row in self._account.trades() if row["strategy"] == name],
            **self._books.report(name),
            "limits": self._limits.of(name)._asdict(),
        }
        return Json(rows.to_json(row))

    def profits(self) -> dict[str, dict[str, float]]:
        """Of each that runs or holds something: `{close_profit, float_pnl, commission, net}` in yuan."""
        names = self._books.owners() | {joined.name for joined in self._joined.values()}
        return {name: self._books.report(name)["profit"] for name in sorted(names)}

    # ── what they hear ──

    def tick(self, tick: TickData) -> None:
        """On the path of every tick."""
        frame = b""
        for joined in list(self._joined.values()):
            if joined.wants(tick.local_symbol):
                frame = frame or encode_push(Push("tick", entities.encode(tick), tick.local_symbol))
                self._send(joined, frame, f"tick:{tick.local_symbol}")
        if self._joined and self._account.holds(tick.symbol):
            self._price_moved("book")

    def bar(self, closed: ClosedBar) -> None:
        """A 1-minute bar has closed."""
        contract = self._account.contract(closed.local_symbol)
        wanting = [joined for joined in self._joined.values() if joined.wants(closed.local_symbol)]
        if contract is None or not wanting:
            return
        bar = entities.bar_data(closed.bar, contract, closed.trading_day)
        frame = encode_push(Push("bar", entities.encode(bar)))
        for joined in wanting:
            self._send(joined, frame)

    def loaded(self) -> None:
        """The account has loaded: after a login, a reconnect or a day's turn."""
        self._books.rebuild()
        self.tell_book()

    def trade(self, trade: TradeData) -> None:
        self._books.on_trade(trade)
        self.change("trade", trade)

    def change(self, name: str, entity: OrderData | TradeData) -> None:
        """`order` or `trade`, after the book that it made."""
        self.tell_book()
        self._tell(name, lambda: entities.encode(entity))

    def account(self, account: AccountData) -> None:
        """The money was asked for anew."""
        self._tell("account", lambda: entities.encode(vars(account) | {"cut": self._cut()}), "account:")

    def conflated(self, name: str, key: str, entity: PositionData | ContractData) -> None:
        """`position` or `contract`: the newest of its key counts."""
        self._tell(name, lambda: entities.encode(entity), f"{name}:{key}")

    def tell_book(self) -> None:
        """The book has changed, and not by a price alone."""
        self._tell("book", self._book())

    def tell_day(self, trading_day: str) -> None:
        """Another trading day has begun: orders and trades are no more."""
        self._tell("day", lambda: entities.encode(trading_day))

    def tell_config(self) -> None:
        self._tell("config", lambda: entities.encode(self._config()), "config")

    def tell_fronts(self) -> None:
        self._tell("fronts", lambda: entities.encode(self._fronts.data()), "fronts")

    def _book(self) -> Callable[[], bytes]:
        return lambda: entities.encode(
            entities.Book(self._app.ledger.book.positions(), self._money(), self._cut())
        )

    def _cut(self) -> int:
        """The number of a cut through the account: higher than any before, of an earlier gateway on this
        machine too.
        """
        self._last_cut = max(self._last_cut + 1, time.monotonic_ns())
        return self._last_cut

    def _money(self) -> dict[str, Any] | None:
        account = self._app.recorder.account
        if account is None:
            return None
        amounts = {name: float(amount) for name, amount in asdict(self._app.ledger.money()).items()}
        return vars(account) | amounts | {"frozen": amounts["frozen_margin"] + amounts["frozen_commission"]}

    def _tell(self, name: str, payload: Callable[[], bytes], key: str | None = None) -> None:
        if not self._joined:
            return
        frame = encode_push(Push(name, payload()))
        for joined in list(self._joined.values()):
            self._send(joined, frame, key)

    def _send(self, joined: _Joined, frame: bytes, key: str | None = None) -> None:
        try:
            joined.connection.send(frame, key)
        except ChannelClosed:
            self.forget(joined.connection)


class StrategyFeed(OwnExtension):
    """The extension through which the strategies hear what happens in this process."""

    def __init__(self, name: str, app: BackendApp, strategies: Strategies, folder: Path) -> None:
        super().__init__(name, app, folder)
        self._strategies = strategies

    def on_tick(self, tick: TickData) -> None:
        self._strategies.tick(tick)

    def on_order(self, order: OrderData) -> None:
        self._strategies.change("order", order)

    def on_trade(self, trade: TradeData) -> None:
        self._strategies.trade(trade)

    def on_position(self, position: PositionData) -> None:
        self._strategies.conflated("position", position.local_position_id, position)

    def on_account(self, account: AccountData) -> None:
        self._strategies.account(account)

    def on_contract(self, contract: ContractData) -> None:
        self._strategies.conflated("contract", contract.local_symbol, contract)


def said_rows(account: str, line: StrategySaid) -> tuple[dict[str, Any], dict[str, Any]]:
    """A strategy's line as the `log` event has it, and as `strategy_log` has it."""
    level = line.level if line.level in ("INFO", "ERROR", "DEBUG", "WARNING") else "INFO"
    shown = {
        "created": line.created,
        "name": account,
        "levelname": level,
        "owner": line.name,
        "message": line.message,
    }
    return shown, {"name": line.name, "created": line.created, "levelname": level, "message": line.message}
