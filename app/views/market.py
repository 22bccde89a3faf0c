"""/market, /contract and /tick: which contracts there are, which an account watches, and the last quote. Web
process.
"""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response
from pydantic import Field, ValidationInfo, field_validator

from app.auth import auth_required
from app.lib.symbols import LocalSymbol, agreed
from app.views import answers, pushed
from app.views.asking import ask
from app.views.described import described
from app.views.envelope import failing_as, ours, succeed
from app.views.parameters import Contract, Contracts, ExchangeField, Request, Text
from app.wire.messages import DescribeContract, ListContracts, PushContracts, ReadTick, Subscribe, Unsubscribe

blueprint = Blueprint("market", __name__)


class SymbolsRequest(Request):
    symbol: Annotated[list[str], Contracts(gaps=True)] = Field(description="合约，多个用逗号")


class TickRequest(Request):
    symbol: Annotated[LocalSymbol, Contract()] = Field(description="合约，rb2510.SHFE 或 rb2510")
    exchange: ExchangeField = Field("", validate_default=True)

    @field_validator("exchange")
    @classmethod
    def _agrees(cls, exchange: str, info: ValidationInfo) -> str:
        return agreed(info.data["symbol"], exchange).exchange

    @property
    def contract(self) -> str:
        """The contract, with its exchange where either of both says it."""
        return str(LocalSymbol(self.symbol.symbol, self.exchange))


class ContractsRequest(Request):
    """One contract, or the list, whole or of an exchange or a product."""

    symbol: Annotated[LocalSymbol | None, Contract()] = Field(
        None, description="合约，答它的明细；不给则答合约列表"
    )
    exchange: ExchangeField = Field("", description="交易所；不给 symbol 时只列它的合约")
    product: Annotated[str, Text(32)] = Field(
        "", description="不给 symbol 时只列这个品种的合约：品种代码或中文名，rb 或 螺纹钢"
    )

    @field_validator("exchange")
    @classmethod
    def _agrees(cls, exchange: str, info: ValidationInfo) -> str:
        contract = info.data["symbol"]
        return exchange if contract is None else agreed(contract, exchange).exchange


@blueprint.post("/market")
@auth_required
@described("订阅行情；一个不认识则全不订", SymbolsRequest)
def subscribe(sent: SymbolsRequest) -> Response:
    """POST /market: all of them or none. Token."""
    text = ",".join(sent.symbol)
    with failing_as(f"订阅{text}失败"):
        ask(Subscribe(sent.symbol))
    return succeed(msg=f"订阅{text}成功")


@blueprint.delete("/market")
@auth_required
@ours
@described("退订行情", SymbolsRequest)
def unsubscribe(sent: SymbolsRequest) -> Response:
    """DELETE /market: as for POST. Token."""
    text = ",".join(sent.symbol)
    with failing_as(f"取消订阅{text}失败"):
        ask(Unsubscribe(sent.symbol))
    return succeed(msg=f"取消订阅{text}成功")


@blueprint.put("/market")
@auth_required
@described("推送合约列表")
def push_contracts() -> Response:
    """PUT /market: the contract list comes by the event `contract`. Token."""
    with failing_as("更新合约失败"):
        note = ask(PushContracts()).note
    return succeed(msg=f"更新合约列表完成{f'（{note}）' if note else ''}")


@blueprint.get("/contract")
@auth_required
@ours
@described("合约明细，或合约列表", ContractsRequest, data=(answers.ContractRow, answers.ContractList))
def read_contracts(sent: ContractsRequest) -> Response:
    """GET /contract → the contract's details; without a symbol `{contracts, as_of}`. Token."""
    if sent.symbol is None:
        return succeed(ask(ListContracts(sent.exchange, sent.product)))
    return succeed(ask(DescribeContract(str(agreed(sent.symbol, sent.exchange)))))


@blueprint.get("/tick")
@auth_required
@ours
@described("最新一笔行情，同 tick 事件的 data；是何时的看 datetime", TickRequest, data=pushed.Tick)
def read_tick(sent: TickRequest) -> Response:
    """GET /tick → the contract's last tick, as the event has it. Token."""
    return succeed(ask(ReadTick(sent.contract)))
