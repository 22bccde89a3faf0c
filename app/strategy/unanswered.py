"""A strategy's orders that may have left and have had no answer: what is known of them, under which id, and
how they end. Strategy process, event thread.

Such an order has a provisional id, its client_order_id, and keeps it in this process for as long as that
lives: what send_order returned is what on_order and on_trade come with, and what a cancel goes by, whatever
the order is called elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ctpbee.constant import OrderData, OrderRequest, Status, TradeData

from app.lib.calendar import SHANGHAI


@dataclass
class Unanswered:
    """One of them, until somebody knows."""

    order: OrderData  # as the recorder has it, 提交中
    words: str
    asked_from: float | None = None
    """Since when the gateway can be asked for it; None as long as it may still be on its way there."""
    is_unwanted: bool = False  # to be cancelled as soon as it is found


class UnansweredOrders:
    """Those of one strategy, by client_order_id."""

    def __init__(self) -> None:
        self.open: dict[str, Unanswered] = {}
        self._provisional: set[str] = (
            set()
        )  # all that ever were: one that was given up may turn up all the same
        self._ids: dict[str, str] = {}  # provisional id → the gateway's
        self._names: dict[str, str] = {}  # and back

    def add(self, client_order_id: str, order: OrderData, words: str) -> None:
        self.open[client_order_id] = Unanswered(order, words)
        self._provisional.add(client_order_id)

    def of(self, symbol: str) -> Unanswered | None:
        """One in this contract (without its exchange)."""
        return next((one for one in self.open.values() if one.order.symbol == symbol), None)

    def real_id(self, order_id: str) -> str:
        """What the gateway calls the order that this strategy calls so."""
        return self._ids.get(order_id, order_id)

    def rename(self, entity: OrderData | TradeData) -> str:
        """Give an order or trade of the gateway's the id that the strategy knows it by. Returns the
        client_order_id of an order that turns up with this, "" else.
        """
        if not self._provisional:
            return ""
        client_order_id = getattr(entity, "client_order_id", "")
        if client_order_id in self._provisional:
            self._ids[client_order_id], self._names[entity.order_id] = entity.order_id, client_order_id
        name = self._names.get(entity.order_id)
        if name is None:
            return ""
        vars(entity).update(order_id=name, local_order_id=f"{entity.gateway_name}.{name}")
        return client_order_id if client_order_id in self.open else ""


def submitted(
    req: OrderRequest,
    order_id: str,
    *,
    gateway_name: str,
    trading_day: str,
    client_order_id: str,
    strategy: str,
) -> OrderData:
    """The order as it is asked for, 提交中: what is known of it before the gateway has said a word."""
    return OrderData(
        symbol=req.symbol.partition(".")[0],
        exchange=req.exchange,
        order_id=order_id,
        type=req.type,
        direction=req.direction,
        offset=req.offset,
        price=req.price,
        volume=int(req.volume),
        status=Status.SUBMITTING,
        time=datetime.now(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S.000"),
        gateway_name=gateway_name,
        trading_day=trading_day,
        order_sys_id="",
        status_msg="",
        error_code="",
        error_message="",
        client_order_id=client_order_id,
        strategy=strategy,
    )


def changed(order: OrderData, **values: object) -> OrderData:
    """The same order with other values."""
    made = object.__new__(OrderData)
    vars(made).update(vars(order) | values)
    return made
