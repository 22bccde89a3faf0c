"""The account as it is now: its fronts, contracts and lists, and what is asked of the lists. Gateway process,
event thread only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from ctpbee.constant import ContractData, OrderData, TickData

from app.gateway.app import BackendApp
from app.gateway.logbook import LogBook
from app.interfaces.front import LOGGED_IN
from app.lib import rows
from app.lib.calendar import SHANGHAI
from app.wire.messages import Json, ReadAccount, ReadLists

STATE_TEXT = {
    "connecting": "正在连接",
    "connected": "已连接",
    "authenticating": "正在认证",
    "logging_in": "正在登录",
    "logged_in": "已登录",
    "confirming": "正在确认结算单",
    "loading": "正在载入",
    "ready": "就绪",
    "lost": "已断开",
    "refused": "登录被拒",
    "resting": "休市",
}


class Fronts:
    """State of the trading and the market front, of the store behind them and of the calendar: what the
    `status` event says.
    """

    def __init__(self) -> None:
        self._states = {
            front: {"state": "connecting", "reason": "", "since": self._now()} for front in ("td", "md")
        }
        self._states["store"] = {"state": "up", "reason": "", "since": self._now()}
        self._states["calendar"] = {"state": "unknown", "reason": "", "since": self._now()}

    def update(self, front: str, state: str, reason: str) -> bool:
        """Returns whether that is news."""
        known = self._states[front]
        if (known["state"], known["reason"]) == (state, reason):
            return False
        since = known["since"] if known["state"] == state else self._now()
        self._states[front] = {"state": state, "reason": reason, "since": since}
        return True

    def state(self, front: str) -> str:
        return self._states[front]["state"]

    def trouble(self, front: str) -> str:
        """The state that is not ready, with its reason, in words; "" where it is."""
        state, reason = self._states[front]["state"], self._states[front]["reason"]
        return (
            "" if state == "ready" else f"{STATE_TEXT.get(state, state)}{f'（{reason}）' if reason else ''}"
        )

    def data(self) -> dict[str, dict[str, str]]:
        """`{"td": {"state", "reason", "since"}, "md": {…}, "store": {…}, "calendar": {…}}`."""
        return {front: dict(state) for front, state in self._states.items()}

    @staticmethod
    def _now() -> str:
        return rows.time_text(datetime.now(SHANGHAI))


class Past(NamedTuple):
    """The lists as an earlier process showed them last."""

    money: dict[str, Any]
    positions: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    trades: list[dict[str, Any]]


class AccountView:
    """Reads the app's ledger; rows are made once per entity, since a change makes a new one. `day_of` gives
    the trading day of a moment in epoch ms.
    """

    def __init__(
        self, app: BackendApp, fronts: Fronts, interface: str, userid: str, day_of: Callable[[int], str]
    ) -> None:
        self._app = app
        self._ledger = app.ledger
        self._fronts = fronts
        self._interface = interface
        self._userid = userid
        self._day_of = day_of
        self._rows: dict[str, tuple[Any, dict[str, Any]]] = {}
        self._past: Past | None = None
        self.as_of = ""  # when the lists were so, as on the wire; "" while they are of now
        self.lists = {
            "account": lambda: rows.account_pairs(self.money()),
            "account_detail": lambda: rows.account_detail(self.money()),
            "position": self.positions,
            "active_order": self.active_orders,
            "order": self.orders,
            "trade": self.trades,
            "contract": self.contracts,
            "status": fronts.data,
        }
        """The data of each event that shows a whole, by its name."""

    # ── what others ask ──

    def is_ready(self) -> bool:
        """Whether orders can be sent."""
        return self._fronts.state("td") == "ready"

    def is_logged_in(self) -> bool:
        """Whether the counter takes cancels."""
        return self._fronts.state("td") in LOGGED_IN

    def now(self) -> datetime:
        """The counter's clock, aware."""
        now: datetime = self._app.trader.counter_now()
        return now

    def trading_day(self) -> str:
        """The counter's, YYYYMMDD; before it has told any, its clock's."""
        return self._ledger.trading_day or self._day_of(int(self.now().timestamp() * 1000))

    def front_reason(self) -> str:
        """What the trading front is in, in words; "" where there is nothing to say."""
        return self._fronts.data()["td"]["reason"]

    def contract(self, symbol: str) -> ContractData | None:
        """By `rb2501.SHFE` or `rb2501`."""
        symbol = symbol.strip()
        found = self._ledger.contracts.get(symbol)
        if found is None and (instrument := self._ledger.instrument(symbol)) is not None:
            found = self._ledger.contracts.get(f"{symbol}.{instrument.ExchangeID}")
        return found

    def resolve(self, symbol: str) -> str | None:
        """The local symbol of a known contract."""
        contract = self.contract(symbol)
        return None if contract is None else contract.local_symbol

    def size_of(self, local_symbol: str) -> float:
        """The contract's multiplier; 1 of one that is not known."""
        contract = self.contract(local_symbol)
        return 1.0 if contract is None else float(contract.size)

    def tick(self, local_symbol: str) -> TickData | None:
        return self._app.recorder.get_tick(local_symbol)

    def quote(self, local_symbol: str) -> TickData | None:
        """The newest tick, where it says what holds now: fronts tell changes alone, so its age says
        nothing.
        """
        tick = self.tick(local_symbol)
        if (
            tick is None
            or tick.trading_day != self._ledger.trading_day
            or not self._app.market.is_live(tick.symbol)
        ):
            return None
        return tick

    def market_reason(self) -> str:
        """What keeps quotes from coming, in words; "" where they come."""
        return self._fronts.trouble("md")

    def order(self, order_id: str) -> OrderData | None:
        return self._ledger.orders.get(order_id)

    def working_orders(self) -> list[OrderData]:
        return self._ledger.active_orders()

    def holds(self, symbol: str) -> bool:
        """Whether its price moves the account."""
        book = self._ledger.book
        return book.position(symbol, "long") is not None or book.position(symbol, "short") is not None

    def is_valued(self) -> bool:
        """Whether the money is that of now: the account has loaded, and quotes come for all that it holds."""
        held = (self.contract(symbol) for symbol in self._ledger.book.held())
        return self.is_ready() and all(
            contract is not None and self.quote(contract.local_symbol) is not None for contract in held
        )

    def products(self) -> set[str]:
        """Of all its contracts."""
        return {contract.ProductID for contract in self._ledger.contracts.values()}

    # ── lists ──

    @property
    def is_past(self) -> bool:
        """Whether the lists are those of an earlier process: this one has loaded none."""
        return self._past is not None

    def recall(self, past: Past, as_of: str) -> None:
        """Show these until the account has loaded."""
        self._past, self.as_of = past, as_of

    def is_loaded(self) -> None:
        self._past, self.as_of = None, ""

    def money(self) -> dict[str, Any]:
        if self._past is not None:
            return self._past.money
        return rows.account_row(self._ledger.money(), self._userid, self._interface, self._ledger.trading_day)

    def positions(self) -> list[dict[str, Any]]:
        if self._past is not None:
            return self._past.positions
        return [
            rows.position_row(position)
            for position in (*self._ledger.book.positions(), *self._ledger.untraded)
        ]

    def orders(self) -> list[dict[str, Any]]:
        if self._past is not None:
            return self._past.orders
        return [self.row(f"order {order_id}", order) for order_id, order in self._ledger.orders.items()]

    def active_orders(self) -> list[dict[str, Any]]:
        return [row for row in self.orders() if rows.is_working(row)]

    def trades(self) -> list[dict[str, Any]]:
        if self._past is not None:
            return self._past.trades
        return [self.row(f"trade {trade.trade_key}", trade) for trade in self._ledger.trades]

    def contracts(self) -> list[str]:
        """In the reference's order, which does not know capitals from small letters."""
        return sorted(self._ledger.contracts, key=str.upper)

    def listed_contracts(self) -> list[ContractData]:
        """All of them, in the same order."""
        return [self._ledger.contracts[name] for name in self.contracts()]

    def has_rates(self, symbol: str) -> bool:
        """Whether the contract's margin and fees are this account's own, and not only what the counter's list
        says of all.
        """
        return not self._ledger.rates_come_apart or self._ledger.has_rates(symbol)

    def row(self, key: str, entity: Any) -> dict[str, Any]:
        """The entity's row. Shared: read it, never change it."""
        known = self._rows.get(key)
        if known is None or known[0] is not entity:
            known = self._rows[key] = (entity, rows.row_of(entity))
        return known[1]

    def forget_rows(self) -> None:
        """A new trading day has begun."""
        self._rows.clear()


class AccountDesk:
    """What is asked of the funds and the lists."""

    def __init__(self, account: AccountView, log_book: LogBook) -> None:
        self._account = account
        self._log_book = log_book

    def read_lists(self, _request: ReadLists) -> Json:
        lists = {
            "position_list": self._account.positions(),
            "active_order_list": self._account.active_orders(),
            "trade_list": self._account.trades(),
            "order_list": self._account.orders(),
            "log_history": list(self._log_book.lines),
            "as_of": self._account.as_of,
        }
        return Json(rows.to_json(lists))

    def read_account(self, _request: ReadAccount) -> Json:
        shown = ("account", "account_detail")
        funds = {name: self._account.lists[name]() for name in shown}
        return Json(rows.to_json(funds | {"as_of": self._account.as_of}))
