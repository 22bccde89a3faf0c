"""What an order would freeze and how large it could be, before it is sent. Gateway process, event thread
only.

By the book's own functions, which freeze for orders that have been sent: one rule in one place. Nothing is
sent, and the counter is not asked; but for a contract whose rates are this account's own and not known yet
(CTP tells them one by one) they are, once a day.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any, Protocol

from ctpbee.constant import ContractData, OrderRequest, OrderType

from app.bee import fields
from app.gateway.order_check import checked_contract, checked_words
from app.gateway.risk.telling import Finding
from app.interfaces.ledger import Ledger
from app.lib import rows
from app.lib.errors import BadInput
from app.lib.market_orders import MarketOrders
from app.lib.prices import is_absent
from app.wire.messages import Json, PlaceOrder, PreviewOrder

SIDES = {"long": "buy", "short": "sell"}
CLOSES = ("close", "closetoday", "closeyesterday")
MOST_LOTS = 1_000_000


class PreviewedAccount(Protocol):
    """The account as it is now."""

    def contract(self, symbol: str) -> ContractData | None: ...

    def has_rates(self, symbol: str) -> bool: ...


class PreviewDesk:
    """`checked` is what an order passes before it is sent, `want_rates` hears of contracts whose rates are
    not known, `said_of` is what the gate would say.
    """

    def __init__(
        self,
        account: PreviewedAccount,
        ledger: Ledger,
        checked: Callable[[PlaceOrder], OrderRequest],
        want_rates: Callable[[str], None],
        market_orders: MarketOrders,
        said_of: Callable[[OrderRequest], list[Finding]],
    ) -> None:
        self._account = account
        self._ledger = ledger
        self._checked = checked
        self._want_rates = want_rates
        self._market_orders = market_orders
        self._said_of = said_of

    def preview(self, request: PreviewOrder) -> Json:
        """Raises BadInput for what says of no order what it would be."""
        contract = checked_contract(self._account.contract(request.local_symbol), self._ledger.trading_day)
        _, _, kind = checked_words(request)
        is_rated, is_market = self._account.has_rates(contract.symbol), kind is OrderType.MARKET
        if not is_rated:
            self._want_rates(contract.symbol)
        asked_price = 0.0 if is_market else request.price
        side = SIDES[request.direction]
        price = self._ledger.freezing_price(contract.symbol, side, asked_price)
        checked, problem = self._problem(request)
        said = self._said_of(checked) if checked is not None else []
        answer = {
            "price": price,
            "margin": self._margin(contract, request, side, price),
            "fee": self._fee(contract, request, price) if is_rated else None,
            "available": float(self._ledger.money().available),
            "largest": {way: self._largest(contract, way, asked_price) for way in SIDES},
            "order_limit": contract.max_market_order_volume if is_market else contract.max_limit_order_volume,
            "rates": "account" if is_rated else "listed",
            "problem": problem,
            "risk": [
                {"what": one.what, "error": one.code, "msg": one.text, "rule": one.rule} for one in said
            ],
        }
        return Json(rows.to_json(answer))

    def _margin(self, contract: ContractData, request: PreviewOrder, side: str, price: float) -> float | None:
        if request.offset != "open":
            return 0.0
        if is_absent(price):
            return None
        return float(self._ledger.book.margin_of(contract.symbol, side, price, request.volume))

    def _fee(self, contract: ContractData, request: PreviewOrder, price: float) -> float | None:
        if is_absent(price):
            return None
        return float(self._ledger.book.fee_of(contract.symbol, request.offset, price, request.volume))

    def _largest(self, contract: ContractData, direction: str, asked_price: float) -> dict[str, int | None]:
        """By offset; an open by the money, closes by the lots of the other side."""
        symbol, side = contract.symbol, SIDES[direction]
        price = self._ledger.freezing_price(symbol, side, asked_price)
        closable = self._ledger.book.closable(symbol, "short" if side == "buy" else "long")
        splits_today = self._ledger.terms(symbol).splits_today
        closes = {offset: closable.by(offset, splits_today) for offset in CLOSES}
        return {"open": None if is_absent(price) else self._most_opened(symbol, side, price), **closes}

    def _most_opened(self, symbol: str, side: str, price: float) -> int:
        """The lots of which margin and fee together are not above what is available: the counter refuses one
        more.
        """
        book, available = self._ledger.book, self._ledger.money().available

        def needed(lots: int) -> Any:
            return book.margin_of(symbol, side, price, lots) + book.fee_of(symbol, "open", price, lots)

        return bisect_right(range(1, MOST_LOTS + 1), available, key=needed)

    def _problem(self, request: PreviewOrder) -> tuple[OrderRequest | None, dict[str, Any] | None]:
        """The order as it would be sent, or why it would not be as it stands."""
        order = PlaceOrder(
            local_symbol=request.local_symbol,
            direction=request.direction,
            offset=request.offset,
            type=request.type,
            price=request.price,
            volume=request.volume,
        )
        try:
            checked = self._checked(order)
            fields.conditions_of(checked.type, checked.exchange.value, self._market_orders)
        except BadInput as refused:
            return None, {
                "error": refused.code,
                "msg": refused.message,
                "parameter": refused.extra["parameter"],
            }
        return checked, None
