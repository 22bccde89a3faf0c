"""/market and /contract: which contracts there are, and which an account watches. Web process."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response
from pydantic import Field, ValidationInfo, field_validator

from app.auth import auth_required
from app.lib.symbols import LocalSymbol, agreed
from app.views import answers
from app.views.asking import ask
from app.views.envelope import failing_as, ours, succeed
from app.views.operation import operation
from app.views.parameters import Contract, Contracts, ExchangeField, Request
from app.wire.messages import DescribeContract, PushContracts, Subscribe, Unsubscribe

blueprint = Blueprint("market", __name__)


class SymbolsRequest(Request):
    symbol: Annotated[list[str], Contracts(gaps=True)] = Field(description="合约，多个用逗号")


class ContractRequest(Request):
    symbol: Annotated[LocalSymbol, Contract()] = Field(description="合约，rb2510.SHFE 或 rb2510")
    exchange: ExchangeField = Field("", validate_default=True)

    @field_validator("exchange")
    @classmethod
    def _agrees(cls, exchange: str, info: ValidationInfo) -> str:
        return agreed(info.data["symbol"], exchange).exchange


@blueprint.post("/market")
@auth_required
@operation("订阅行情；一个不认识则全不订", SymbolsRequest)
def subscribe(sent: SymbolsRequest) -> Response:
    """POST /market: all of them or none. Token."""
    text = ",".join(sent.symbol)
    with failing_as(f"订阅{text}失败"):
        ask(Subscribe(sent.symbol))
    return succeed(msg=f"订阅{text}成功")


@blueprint.delete("/market")
@auth_required
@ours
@operation("退订行情", SymbolsRequest)
def unsubscribe(sent: SymbolsRequest) -> Response:
    """DELETE /market: as for POST. Token."""
    text = ",".join(sent.symbol)
    with failing_as(f"取消订阅{text}失败"):
        ask(Unsubscribe(sent.symbol))
    return succeed(msg=f"取消订阅{text}成功")


@blueprint.put("/market")
@auth_required
@operation("推送合约列表")
def push_contracts() -> Response:
    """PUT /market: the contract list comes by the event `contract`. Token."""
    with failing_as("更新合约失败"):
        note = ask(PushContracts()).note
    return succeed(msg=f"更新合约列表完成{f'（{note}）' if note else ''}")


@blueprint.get("/contract")
@auth_required
@ours
@operation("合约明细", ContractRequest, data=answers.Row)
def describe_contract(sent: ContractRequest) -> Response:
    """GET /contract → the contract's details. Token."""
    return succeed(ask(DescribeContract(str(LocalSymbol(sent.symbol.symbol, sent.exchange)))))
