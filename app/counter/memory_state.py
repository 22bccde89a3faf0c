"""A core's state without a file: for a backtest, which begins anew each time. The process that runs it.

Accounts and their lots are kept, since a day's turn reads them again. Orders and trades are not: a core reads
those only after a restart. A transaction that fails is not undone: whoever runs a core on this gives the run
up then.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from app.counter.state import StoredAccount, StoredOrder, StoredTrade
from app.lib.book import Lot
from app.wire.frames import InstrumentField


class MemoryState:
    """A CounterState (app/counter/state.py)."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._accounts: dict[int, StoredAccount] = {}
        self._lots: dict[int, list[Lot]] = {}
        self._contracts: dict[str, InstrumentField] = {}
        self._all_or_nothing = nullcontext()

    def transaction(self) -> AbstractContextManager[None]:
        return self._all_or_nothing

    def put(self, key: str, value: Any) -> None:
        self._values[key] = value

    def get(self, key: str, default: Any) -> Any:
        return self._values.get(key, default)

    def add_account(self, broker: str, user: str, password: str, pre_balance: str) -> StoredAccount:
        number = len(self._accounts) + 1
        self._accounts[number] = StoredAccount(number, broker, user, password, pre_balance)
        return self._accounts[number]

    def set_password(self, account: int, password: str) -> None:
        self._accounts[account] = self._accounts[account]._replace(password=password)

    def accounts(self) -> list[StoredAccount]:
        return list(self._accounts.values())

    def lots(self, account: int) -> list[Lot]:
        return list(self._lots.get(account, ()))

    def begin_day(self, account: int, pre_balance: str, lots: Iterable[Lot]) -> None:
        self._accounts[account] = self._accounts[account]._replace(pre_balance=pre_balance)
        self._lots[account] = list(lots)

    def save_contract(self, contract: InstrumentField) -> None:
        self._contracts[contract.InstrumentID] = contract

    def contracts(self) -> dict[str, InstrumentField]:
        return dict(self._contracts)

    def save_statement(self, account: int, trading_day: str, text: str) -> None:
        """Nobody asks for it."""

    def statement(self, account: int, trading_day: str = "") -> tuple[str, str]:
        return "", ""

    def save_order(self, day: int, order: StoredOrder) -> None:
        """See the module's docstring."""

    def save_trade(self, day: int, trade: StoredTrade) -> None:
        """See the module's docstring."""

    def orders(self, day: int) -> list[StoredOrder]:
        return []

    def trades(self, day: int) -> list[StoredTrade]:
        return []

    def last_order_number(self) -> int:
        return 0

    def last_trade_number(self) -> int:
        return 0
