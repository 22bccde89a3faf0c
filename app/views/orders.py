"""/order_solve: orders, and the lists that a page starts from. Web process.

What was sent is never reported as failed: an order whose fate is not known by the time of the answer is a
success of its own kind (ORDER_STATE_UNKNOWN). Placing is never tried twice.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from app.auth import auth_required
from app.lib.errors import BadInput, OrderRefused
from app.lib.symbols import direction_and_offset, parse_any_symbol, parse_symbol, parse_type
from app.views.asking import ask, ask_or_none, parameters
from app.views.envelope import succeed
from app.views.parse import REQUIRED, Parameters
from app.wire.messages import CancelAll, CancelOrder, OrderOutcome, PlaceOrder, ReadLists

UNKNOWN_STATE = "ORDER_STATE_UNKNOWN"
UNKNOWN_TEXT = "报单已发出，柜台未确认，请勿重复下单"
UNKNOWN_CANCEL = "CANCEL_STATE_UNKNOWN"
UNCONFIRMED_CANCEL = "撤单已发出，柜台未确认，请核对委托列表"
HIGHEST_PRICE = 1e9
MOST_LOTS = 1_000_000

blueprint = Blueprint("orders", __name__)


@blueprint.get("/order_solve")
@auth_required
def read_lists() -> Response:
    """GET /order_solve: position_list, active_order_list, trade_list, order_list, log_history. Token."""
    return succeed(ask(ReadLists()))


@blueprint.post("/order_solve")
@auth_required
def place_order() -> Response:
    """POST /order_solve: local_symbol, exchange, direction, offset, type, price, volume, client_order_id →
    order_id. Token.
    """
    command = _order_of(parameters())
    outcome: OrderOutcome | None = ask_or_none(command)
    if outcome is None:
        return unknown_order(client_order_id=command.client_order_id)
    if outcome.state == "refused":
        raise OrderRefused(outcome.message, code=outcome.code, order_id=outcome.order_id)
    if outcome.state == "unknown":
        return unknown_order(outcome.order_id, client_order_id=command.client_order_id)
    present: dict[str, Any] = {"status": outcome.status, "traded": outcome.traded} if outcome.status else {}
    return succeed(msg="成功下单", order_id=outcome.order_id, **present)


@blueprint.delete("/order_solve")
@auth_required
def cancel_order() -> Response:
    """DELETE /order_solve: order_id, local_symbol, exchange; or all=1. Token. A cancel without an answer is
    no fail: it may have left.
    """
    sent = parameters()
    if sent.flag("all", False):
        answer = ask_or_none(CancelAll())
        if answer is None:
            return succeed(msg=UNCONFIRMED_CANCEL, http_status=202, error=UNKNOWN_CANCEL)
        return succeed(msg=f"已发出 {answer.count} 笔撤单请求" if answer.count else "没有可撤的委托")
    order_id = sent.text("order_id")
    symbol = (
        parse_any_symbol(sent.one("local_symbol"), sent.one("exchange")) if sent.one("local_symbol") else ""
    )
    done = ask_or_none(CancelOrder(order_id, str(symbol)))
    if done is None or done.note:
        return succeed(msg=UNCONFIRMED_CANCEL, http_status=202, order_id=order_id, error=UNKNOWN_CANCEL)
    return succeed(msg="成功撤单", order_id=order_id)


def unknown_order(order_id: str = "", msg: str = UNKNOWN_TEXT, **added: object) -> Response:
    """The answer for an order that has left, or may have left, without word from the counter."""
    if order_id:
        advice = "结果将通过推送与委托列表给出"
    elif "client_order_id" not in added:
        advice = "网关中断，未得到委托编号，请先核对委托列表与持仓"
    elif added["client_order_id"]:
        advice = "以同一 client_order_id 再次提交是安全的：不会重复下单，只会得到这一笔的结果"
    else:
        advice = "网关中断，未得到委托编号，请先核对委托列表；下单时附带 client_order_id 即可安全重试"
    return succeed(msg=msg, http_status=202, order_id=order_id, error=UNKNOWN_STATE, advice=advice, **added)


def _order_of(sent: Parameters) -> PlaceOrder:
    symbol = parse_symbol(sent.one("local_symbol"), sent.one("exchange"))
    direction, offset = direction_and_offset(sent.one("direction"), sent.one("offset"))
    kind = parse_type(sent.one("type"))
    volume = sent.integer("volume", least=1, most=MOST_LOTS)
    # A market order has no price: the page sends 0 or nothing.
    price = sent.number("price", 0.0 if kind == "market" else REQUIRED, least=0.0, most=HIGHEST_PRICE)
    if kind != "market" and not price:
        raise BadInput("price", "参数 price 应大于 0")
    return PlaceOrder(
        local_symbol=str(symbol),
        direction=direction,
        offset=offset,
        type=kind,
        price=price,
        volume=volume,
        client_order_id=sent.text("client_order_id", ""),
    )
