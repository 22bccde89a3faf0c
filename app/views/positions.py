"""/close_position: closing what is held, in as many legs as it takes. Web process."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, Response
from pydantic import Field, ValidationInfo, field_validator

from app.auth import auth_required
from app.lib.errors import BadInput, OrderRefused
from app.lib.symbols import LocalSymbol, agreed
from app.views import answers
from app.views.asking import ask_or_none
from app.views.described import described
from app.views.envelope import succeed
from app.views.orders import HIGHEST_PRICE, UNKNOWN_TEXT, unknown_order
from app.views.parameters import Contract, Direction, ExchangeField, Number, Request, Text, Volume
from app.wire.messages import CloseOutcome, ClosePosition, OrderOutcome

blueprint = Blueprint("positions", __name__)


class CloseRequest(Request):
    """The contract by `local_symbol`, or by `symbol`; where both are given they name the same one."""

    symbol: Annotated[LocalSymbol | None, Contract()] = Field(
        None, description="合约；两者都给出时须是同一个"
    )
    local_symbol: Annotated[LocalSymbol | None, Contract()] = Field(None, description="合约；或用 symbol")
    exchange: ExchangeField = Field("", validate_default=True)
    direction: Direction
    volume: Volume
    price: Annotated[float, Number(0.0, HIGHEST_PRICE)] = Field(
        0.0, description="限价；不给或为 0 则取对手盘"
    )
    client_order_id: Annotated[str, Text(62)] = Field(
        "", description="客户端自定的编号：同一个号只平一次；第二腿的是它加 .2"
    )

    @field_validator("exchange")
    @classmethod
    def _of_one_contract(cls, exchange: str, info: ValidationInfo) -> str:
        names = [info.data[name] for name in ("symbol", "local_symbol") if info.data[name] is not None]
        if not names:
            raise BadInput("local_symbol", "缺少合约名称")
        contracts = {agreed(name, exchange) for name in names}
        exchanges = {contract.exchange for contract in contracts} - {""}
        if len({contract.symbol for contract in contracts}) > 1 or len(exchanges) > 1:
            raise BadInput("symbol", "参数 symbol 与 local_symbol 不是同一合约")
        return exchanges.pop() if exchanges else ""

    @property
    def contract(self) -> str:
        """The contract, with its exchange where any of the three says it."""
        named = self.local_symbol or self.symbol
        assert named is not None, "one of both was given"
        return str(LocalSymbol(named.symbol, self.exchange))


@blueprint.post("/close_position")
@auth_required
@described("平仓：按 CLOSE_PATTERN 分平今平昨", CloseRequest, added=answers.Closed)
def close_position(sent: CloseRequest) -> Response:
    """POST /close_position: `direction` is the position's → order_id, order_ids. Token."""
    named = {"client_order_id": sent.client_order_id} if sent.client_order_id else {}
    outcome: CloseOutcome | None = ask_or_none(
        ClosePosition(sent.contract, sent.direction, sent.volume, sent.price, sent.client_order_id)
    )
    if outcome is None:
        return unknown_order(order_ids=[], **named)
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
