"""/order_solve: orders, and the lists that a page starts from. Web process.

What was sent is never reported as failed: an order whose fate is not known by the time of the answer is a
success of its own kind (ORDER_STATE_UNKNOWN). Placing is never tried twice.
"""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, Response
from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler, field_validator, model_validator

from app.auth import auth_required
from app.lib.errors import BadInput, OrderRefused
from app.lib.symbols import (
    OFFSET_TEXT,
    TYPE_TEXT,
    LocalSymbol,
    agreed,
    parse_offset,
    parse_type,
    right_way_round,
)
from app.views import answers
from app.views.asking import ask, ask_or_none
from app.views.described import described
from app.views.envelope import ours, succeed
from app.views.parameters import (
    AnyContract,
    Direction,
    ExchangeField,
    Flag,
    Number,
    OfContract,
    Request,
    Text,
    Volume,
    Word,
)
from app.wire.messages import (
    CancelAll,
    CancelOrder,
    OrderOutcome,
    PlaceOrder,
    PreviewOrder,
    ReadLists,
    VoidOrder,
)

UNKNOWN_STATE = "ORDER_STATE_UNKNOWN"
UNKNOWN_TEXT = "报单已发出，柜台未确认，请勿重复下单"
UNKNOWN_CANCEL = "CANCEL_STATE_UNKNOWN"
UNCONFIRMED_CANCEL = "撤单已发出，柜台未确认，请核对委托列表"
HIGHEST_PRICE = 1e9

blueprint = Blueprint("orders", __name__)


class OrderTerms(OfContract):
    """What order it is. The one who sends and the one who only asks mean the same by the same names."""

    direction: Direction = Field(description="买卖方向：long 买、short 卖，平空为 long，平多为 short")
    offset: Annotated[str, Word(parse_offset, OFFSET_TEXT)] = Field(description="开平；与 direction 写反亦可")
    type: Annotated[str, Word(parse_type, TYPE_TEXT)] = Field(description="报单类型")
    volume: Volume
    price: Annotated[float, Number(0.0, HIGHEST_PRICE)] = Field(
        None, validate_default=True, description="价格，最小变动价位的整数倍；市价单不需要"
    )

    @model_validator(mode="before")
    @classmethod
    def _put_right(cls, sent: dict[str, Any]) -> dict[str, Any]:
        sent["direction"], sent["offset"] = right_way_round(sent["direction"], sent["offset"])
        return sent

    @field_validator("price", mode="wrap")
    @classmethod
    def _has_a_price(cls, price: Any, judge: ValidatorFunctionWrapHandler, info: ValidationInfo) -> float:
        """A market order has none: the page sends 0 or nothing."""
        is_market = info.data["type"] == "market"
        price = 0.0 if is_market and price is None else judge(price)
        if not price and not is_market:
            raise BadInput("price", "参数 price 应大于 0")
        return price


class PreviewRequest(OrderTerms):
    volume: Volume = Field(1, description="手数，算保证金与手续费用")


class OrderRequest(OrderTerms):
    client_order_id: Annotated[str, Text()] = Field(
        "", description="客户端自定的编号：同一个号只下一张单，以前的交易日用过的被拒"
    )

    def command(self) -> PlaceOrder:
        return PlaceOrder(
            local_symbol=self.contract,
            direction=self.direction,
            offset=self.offset,
            type=self.type,
            price=self.price,
            volume=self.volume,
            client_order_id=self.client_order_id,
        )


class CancelRequest(Request):
    all: Annotated[bool, Flag()] = Field(False, description="撤全部；其它参数就不看了")
    client_order_id: Annotated[str, Text()] = Field(
        "",
        description="下单时的编号，没有 order_id 时看：答此刻的结果；没有收到过的就此作废，到达也不发出",
    )
    cancel: Annotated[bool, Flag()] = Field(False, description="以 client_order_id 找到的报单也撤")
    order_id: Annotated[str, Text()] = Field(
        None, validate_default=True, description="委托编号，可带网关前缀；all 与 client_order_id 未给时必填"
    )
    local_symbol: Annotated[LocalSymbol | None, AnyContract()] = Field(
        None, description="合约，给出则须与委托一致"
    )
    exchange: ExchangeField = Field("", description="交易所；只在给出合约时看")

    @field_validator("order_id", mode="wrap")
    @classmethod
    def _is_named(cls, value: Any, judge: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        is_found = value is None and info.data.get("client_order_id")
        return None if info.data["all"] or is_found else judge(value)

    @field_validator("local_symbol", mode="wrap")
    @classmethod
    def _of_one(cls, value: Any, judge: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        return None if info.data["all"] else judge(value)

    @field_validator("exchange", mode="wrap")
    @classmethod
    def _of_its_contract(cls, value: Any, judge: ValidatorFunctionWrapHandler, info: ValidationInfo) -> str:
        """Without a contract it says nothing: no cancel is refused for it."""
        contract = info.data["local_symbol"]
        return "" if contract is None else agreed(contract, judge(value)).exchange

    @property
    def contract(self) -> str:
        """The contract, with its exchange where either of both says it; "" for none."""
        return str(agreed(self.local_symbol, self.exchange)) if self.local_symbol else ""


@blueprint.get("/order_solve")
@auth_required
@described("持仓、挂单、成交、委托、日志", data=answers.Lists)
def read_lists() -> Response:
    """GET /order_solve: position_list, active_order_list, trade_list, order_list, log_history. Token."""
    return succeed(ask(ReadLists()))


@blueprint.post("/order_solve")
@auth_required
@described(
    "下单；答 ORDER_STATE_UNKNOWN 或没有应答时，以同一 client_order_id 再发是安全的",
    OrderRequest,
    added=answers.Ordered,
)
def place_order(sent: OrderRequest) -> Response:
    """POST /order_solve → order_id. Token."""
    command = sent.command()
    outcome: OrderOutcome | None = ask_or_none(command)
    if outcome is None:
        return unknown_order(client_order_id=command.client_order_id)
    if outcome.state == "refused":
        raise OrderRefused(outcome.message, code=outcome.code, order_id=outcome.order_id)
    if outcome.state == "unknown":
        return unknown_order(outcome.order_id, client_order_id=command.client_order_id)
    present: dict[str, Any] = {"status": outcome.status, "traded": outcome.traded} if outcome.status else {}
    return succeed(msg="成功下单", order_id=outcome.order_id, **present)


@blueprint.get("/order_preview")
@auth_required
@ours
@described(
    "报单预估：保证金、手续费、最大可报手数；不报单，也不查询柜台",
    PreviewRequest,
    data=answers.Preview,
)
def preview_order(sent: PreviewRequest) -> Response:
    """GET /order_preview → what POST /order_solve with the same parameters would freeze. Token."""
    asked = PreviewOrder(
        local_symbol=sent.contract,
        direction=sent.direction,
        offset=sent.offset,
        type=sent.type,
        price=sent.price,
        volume=sent.volume,
    )
    return succeed(ask(asked))


@blueprint.delete("/order_solve")
@auth_required
@described("撤单", CancelRequest, added=answers.Cancelled)
def cancel_order(sent: CancelRequest) -> Response:
    """DELETE /order_solve: one, or `all`. Token. A cancel without an answer is no fail: it may have left.

    With client_order_id alone: what became of that order; where none came, none will be sent by that id.
    """
    if sent.all:
        answer = ask_or_none(CancelAll())
        if answer is None:
            return succeed(msg=UNCONFIRMED_CANCEL, http_status=202, error=UNKNOWN_CANCEL)
        return succeed(msg=f"已发出 {answer.count} 笔撤单请求" if answer.count else "没有可撤的委托")
    if not sent.order_id:
        return _void(sent)
    return _cancel(sent.order_id, sent.contract)


def _void(sent: CancelRequest) -> Response:
    outcome: OrderOutcome = ask(VoidOrder(sent.client_order_id))
    if outcome.state == "voided":
        return succeed(msg="没有收到过这张报单，编号已作废：之后到达也不发出", voided=True)
    if sent.cancel and outcome.state != "refused":
        return _cancel(outcome.order_id, sent.contract)
    msg = outcome.message or "报单已发出，结果见委托列表"
    return succeed(msg=msg, voided=False, order_id=outcome.order_id, state=outcome.state)


def _cancel(order_id: str, contract: str) -> Response:
    done = ask_or_none(CancelOrder(order_id, contract))
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
