"""The gateway's gate in a backtest: the same judge, by the market's clock. Backtest's child.

The guards and the exchanges' numbers are in force as they are by default (app/lib/thresholds.toml of the
trading day), and what a trader has set of his own where the run is given it. What is told goes to the log;
nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from ctpbee.constant import ContractData, OrderData, TickData, TradeData

from app.backtest.engine.job import Risk
from app.bee import fields
from app.gateway.risk.gate import Gate
from app.interfaces.ledger import Ledger
from app.lib import thresholds
from app.lib.book import Lot, Terms
from app.lib.owners import Owners
from app.lib.risk_counts import CONTRACT
from app.wire.frames import TradeField


class _Kept:
    """What the gate keeps, for the run alone: of a store (app/model/store.py) what it asks."""

    def __init__(self) -> None:
        self._settings: dict[tuple[str, str], Any] = {}

    def setting(self, scope: str, key: str, default: Any = None) -> Any:
        return self._settings.get((scope, key), default)

    def settings(self, scope: str) -> dict[str, Any]:
        return {key: value for (kept, key), value in self._settings.items() if kept == scope}

    def put_setting(self, scope: str, key: str, value: Any) -> None:
        self._settings[scope, key] = value

    def put_settings(self, scope: str, values: dict[str, Any]) -> None:
        self._settings |= {(scope, key): value for key, value in values.items()}

    def intents(self, _trading_day: str) -> list[Any]:
        return []


class Owned:
    """Which strategy holds which lots, as a gateway counts it (app/gateway/strategies/books.py)."""

    def __init__(self, ledger: Ledger, has_limits: bool) -> None:
        """`has_limits`: whether there are limits or rules of the trader's own; else nobody asks."""
        self._ledger, self._has_limits = ledger, has_limits
        self._owners = Owners(self._terms, "")

    def _terms(self, symbol: str) -> Terms | None:
        return self._ledger.terms(symbol) if self._ledger.instrument(symbol) is not None else None

    def begin(self, trading_day: str, lots: Iterable[Lot]) -> None:
        """A trading day, with what the account holds."""
        if self._has_limits:
            self._owners = Owners(self._terms, trading_day, self._owners.lots())
            self._owners.fit(lots)

    def take(self, row: TradeField, strategy: str) -> None:
        if self._has_limits:
            self._owners.apply(fields.fill_of(row, ""), strategy)

    def held(self, strategy: str, symbol: str) -> int:
        return self._owners.held(strategy, symbol)


class _Seconds:
    """The market's clock as a steady one. An order and what comes of it are of one moment."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._moment: datetime | None = None
        self._seconds = 0.0

    def __call__(self) -> float:
        moment = self._now()
        if moment is not self._moment:
            self._moment, self._seconds = moment, moment.timestamp()
        return self._seconds


class _Counted:
    """The account as the gate asks it."""

    def __init__(
        self,
        ledger: Ledger,
        contract: Callable[[str], ContractData | None],
        quote: Callable[[str], TickData | None],
        owned: Owned,
    ) -> None:
        self.gate: Gate  # set once there is one
        self._owned = owned
        self._ledger = ledger
        self.contract = contract
        self.quote = quote

    def orders(self) -> Iterable[OrderData]:
        return self._ledger.orders.values()

    def trades(self) -> Iterable[TradeData]:
        return self._ledger.trades

    def journal_rows(self, _trading_day: str) -> Iterable[Mapping[str, Any]]:
        return []

    def held(self, strategy: str, symbol: str) -> int:
        if strategy:
            return self._owned.held(strategy, symbol)
        positions = (self._ledger.book.position(symbol, direction) for direction in ("long", "short"))
        return sum(position.volume for position in positions if position is not None)

    def opening(self, strategy: str, symbol: str) -> int:
        if strategy:
            return self._ledger.opening(strategy, symbol)
        return self.gate.counting.tally.of((CONTRACT, symbol)).opening


def gate_of(
    ledger: Ledger,
    now: Callable[[], datetime],
    contract: Callable[[str], ContractData | None],
    quote: Callable[[str], TickData | None],
    owned: Owned,
    risk: Risk,
) -> Gate:
    """`now()`: the market's clock, aware. It is the steady one too: it never goes back. Raises BadInput for
    rules or limits that cannot be.
    """
    counted = _Counted(ledger, contract, quote, owned)
    store: Any = _Kept()
    counted.gate = Gate(
        store=store,
        account=counted,
        thresholds=thresholds.load(),
        now=now,
        told=lambda _event: None,
        clock=_Seconds(now),
    )
    if risk.rules:
        counted.gate.write(risk.rules)
    for name, values in risk.limits.items():
        counted.gate.limits.put(name, values)
    return counted.gate
