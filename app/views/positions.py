"""/close_position: closing what is held, in as many legs as it takes. Web process."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from app.auth import auth_required
from app.lib.errors import BadInput, OrderRefused
from app.lib.symbols import LocalSymbol, parse_direction, parse_symbol
from app.views.asking import ask_or_none, parameters
from app.views.envelope import succeed
from app.views.orders import MOST_LOTS, UNKNOWN_TEXT, unknown_order
from app.views.parse import Parameters
from app.wire.messages import CloseOutcome, ClosePosition, OrderOutcome

blueprint = Blueprint("positions", __name__)


@blueprint.post("/close_position")
@auth_required
def close_position() -> Response:
    """POST /close_position: local_symbol, volume, direction (of the position), exchange, symbol → order_id,
    order_ids. Token.
    """
    sent = parameters()
    command = ClosePosition(
        local_symbol=str(_contract(sent)),
        direction=parse_direction(sent.one("direction")),
        volume=sent.integer("volume", least=1, most=MOST_LOTS),
    )
    outcome: CloseOutcome | None = ask_or_none(command)
    if outcome is None:
        return unknown_order(order_ids=[])
    return _answer(outcome.outcomes)


def _answer(legs: list[OrderOutcome]) -> Response:
    """One answer for all legs: a fail only when nothing was sent. `order_ids` are those that were; refused
    ones stand in `refused`.
    """
    refused = [leg for leg in legs if leg.state == "refused"]
    sent = [leg for leg in legs if leg.state != "refused"]
    order_ids = [leg.order_id for leg in sent]
    if not sent:
        raise OrderRefused(
            refused[0].message, code=refused[0].code, order_ids=[leg.order_id for leg in refused]
        )
    added: dict[str, Any] = {}
    if refused:
        added["refused"] = [
            {"order_id": leg.order_id, "error": leg.code, "msg": leg.message} for leg in refused
        ]
    if any(leg.state == "unknown" for leg in sent):
        text = (
            f"{UNKNOWN_TEXT}；另有 {len(refused)} 笔被拒（{refused[0].message}）" if refused else UNKNOWN_TEXT
        )
        return unknown_order(order_ids[0], text, order_ids=order_ids, **added)
    if refused:
        text = f"部分平仓请求发送成功：{len(sent)} 笔已报，{len(refused)} 笔被拒（{refused[0].message}）"
        return succeed(msg=text, order_id=order_ids[0], order_ids=order_ids, error=refused[0].code, **added)
    return succeed(msg="平仓请求发送成功", order_id=order_ids[0], order_ids=order_ids)


def _contract(sent: Parameters) -> LocalSymbol:
    """The contract by `local_symbol`, or by `symbol`; where both are given they name the same one."""
    exchange = sent.one("exchange")
    if not sent.one("symbol"):
        return parse_symbol(sent.one("local_symbol"), exchange)
    named = parse_symbol(sent.one("symbol"), exchange, "symbol")
    if not sent.one("local_symbol"):
        return named
    contract = parse_symbol(sent.one("local_symbol"), exchange)
    if named.symbol != contract.symbol or (
        named.exchange and contract.exchange and named.exchange != contract.exchange
    ):
        raise BadInput("symbol", "参数 symbol 与 local_symbol 不是同一合约")
    return contract if contract.exchange else named
