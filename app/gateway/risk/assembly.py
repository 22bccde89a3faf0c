"""The gate with all that it hears and asks, put together for one account. Gateway process, event thread
only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ctpbee.constant import AccountData, ContractData, OrderData, TickData, TradeData

from app.bee.extensions import OwnExtension
from app.gateway.account import AccountView
from app.gateway.app import BackendApp
from app.gateway.journal import Journal
from app.gateway.orders import OrderDesk
from app.gateway.risk.desk import RiskDesk
from app.gateway.risk.gate import Gate
from app.gateway.risk.group import Group
from app.gateway.risk.switches import Switches
from app.interfaces.ledger import Ledger
from app.lib import thresholds
from app.lib.risk_counts import CONTRACT
from app.lib.sessions import Hours
from app.lib.symbols import product_of
from app.model.store import Store

LOOK_EVERY = 1.0  # seconds between two looks at the money
SCOPE, CANCELLING = "risk", "cancelling"


class CountedAccount:
    """The account as the gate asks it. `strategy_held(name, symbol)`: a strategy's own lots."""

    def __init__(
        self, account: AccountView, ledger: Ledger, journal: Journal, strategy_held: Callable[[str, str], int]
    ) -> None:
        self.gate: Gate  # set once there is one
        self._account = account
        self._ledger = ledger
        self._journal = journal
        self._strategy_held = strategy_held

    def contract(self, symbol: str) -> ContractData | None:
        return self._account.contract(symbol)

    def quote(self, local_symbol: str) -> TickData | None:
        return self._account.quote(local_symbol)

    def orders(self) -> Iterable[OrderData]:
        return self._ledger.orders.values()

    def trades(self) -> Iterable[TradeData]:
        return self._ledger.trades

    def journal_rows(self, trading_day: str) -> Iterable[Mapping[str, Any]]:
        return self._journal.orders(trading_day)

    def held(self, strategy: str, symbol: str) -> int:
        if strategy:
            return self._strategy_held(strategy, symbol)
        positions = (self._ledger.book.position(symbol, direction) for direction in ("long", "short"))
        return sum(position.volume for position in positions if position is not None)

    def opening(self, strategy: str, symbol: str) -> int:
        return (
            self._ledger.opening(strategy, symbol)
            if strategy
            else self.gate.counting.tally.of((CONTRACT, symbol)).opening
        )


class AccountAtStake:
    """The account as its dead man's switches ask it; contracts are local symbols."""

    def __init__(
        self, account: AccountView, ledger: Ledger, subscribed: Callable[[], Iterable[str]], hours: Hours
    ) -> None:
        self._account = account
        self._ledger = ledger
        self.subscribed = subscribed
        self._hours = hours
        self.is_ready = account.is_ready
        self.tick = account.tick

    def at_stake(self) -> set[str]:
        held = (self._account.resolve(symbol) for symbol in self._ledger.book.held())
        return {
            *self.subscribed(),
            *(order.local_symbol for order in self._account.working_orders()),
            *(name for name in held if name is not None),
        }

    def is_open(self, local_symbols: Iterable[str]) -> bool:
        products = {product_of(name.partition(".")[0]) for name in local_symbols}
        if not products:
            return False
        return self._hours.is_open(products, self._account.trading_day(), self._account.now())


class RiskFeed(OwnExtension):
    """The extension through which the gate hears what becomes of orders, whoever sent them."""

    def __init__(self, name: str, app: BackendApp, gate: Gate, folder: Path) -> None:
        super().__init__(name, app, folder)
        self._gate = gate

    def on_order(self, order: OrderData) -> None:
        self._gate.on_order(order)

    def on_trade(self, trade: TradeData) -> None:
        self._gate.on_trade(trade)

    def on_tick(self, tick: TickData) -> None:
        """Prices change no count."""

    def on_account(self, account: AccountData) -> None:
        """Looked at by the clock."""


class Risk:
    """`gate` stands before the order desk, `desk` answers what is asked of it."""

    def __init__(
        self,
        *,
        app: BackendApp,
        account: AccountView,
        journal: Journal,
        store: Store,
        strategy_held: Callable[[str, str], int],
        subscribed: Callable[[], Iterable[str]],
        hours: Hours,
        orders: Callable[[], OrderDesk],
        push: Callable[[bytes], None],
        override: Path | None,
        has_flow_control: bool,
        timeout: float,
        folder: Path,
        group: Callable[[Callable[[str, str], None]], Group],
    ) -> None:
        self._app = app
        self._has_flow_control = has_flow_control
        counted = CountedAccount(account, app.ledger, journal, strategy_held)
        now: Callable[[], datetime] = lambda: app.trader.counter_now()  # noqa: E731 - the trader is made later
        self.desk = RiskDesk(
            desk=orders,
            working=account.working_orders,
            loop=app.loop,
            push=push,
            pace=self._pace,
            now=now,
            timeout=timeout,
            keep=lambda order_ids: journal.setting(SCOPE, CANCELLING, order_ids),
        )
        self._left: list[str] = store.setting(SCOPE, CANCELLING, [])  # by an earlier process
        self.group = self.desk.group = group(self.desk.lost_member)
        self.gate = self.desk.gate = counted.gate = Gate(
            store=store,
            account=counted,
            thresholds=thresholds.load(override),
            now=now,
            told=self.desk.told,
            group=self.group,
            keep=journal.setting,
        )
        self.switches = self.desk.switches = Switches(
            store=store,
            account=AccountAtStake(account, app.ledger, subscribed, hours),
            silent=self.desk.silent,
            heard=self.desk.heard,
            clock=time.monotonic,
        )
        RiskFeed("risk", app, self.gate, folder)
        app.loop.every(lambda: LOOK_EVERY, self._look)

    def _look(self) -> None:
        """Once in a while: what moves by itself."""
        if self._left and self._app.trader.ready:
            left, self._left = self._left, []
            self.desk.resume(left)
        if self.gate.money.watched and self._app.trader.ready:
            self.gate.money.look(self._app.ledger.money())
        self.switches.look()

    def _pace(self) -> float:
        """Cancels of a selection a second: as the trader's rule of flow has it, else what counters are said
        to take; 0 at one that takes any number.
        """
        own = self.gate.book.one("flow")
        if own is not None:
            return max(1.0, own.limit / own.seconds)
        row = self.gate.book.thresholds.of("flow", "", "")
        return float(row.limit) if self._has_flow_control and row is not None else 0.0
