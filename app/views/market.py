"""/market and /contract: which contracts there are, and which an account watches. Web process."""

from __future__ import annotations

from flask import Blueprint, Response

from app.auth import auth_required
from app.lib.errors import BadInput
from app.lib.symbols import parse_symbol
from app.views.asking import ask, parameters
from app.views.envelope import failing_as, ours, succeed
from app.views.parse import Parameters
from app.wire.messages import DescribeContract, PushContracts, Subscribe, Unsubscribe

MOST_SYMBOLS = 500

blueprint = Blueprint("market", __name__)


@blueprint.post("/market")
@auth_required
def subscribe() -> Response:
    """POST /market: symbol, one or several comma separated, all or none. Token."""
    text, symbols = _symbols(parameters())
    with failing_as(f"订阅{text}失败"):
        ask(Subscribe(symbols))
    return succeed(msg=f"订阅{text}成功")


@blueprint.delete("/market")
@auth_required
@ours
def unsubscribe() -> Response:
    """DELETE /market: symbol, as for POST. Token."""
    text, symbols = _symbols(parameters())
    with failing_as(f"取消订阅{text}失败"):
        ask(Unsubscribe(symbols))
    return succeed(msg=f"取消订阅{text}成功")


@blueprint.put("/market")
@auth_required
def push_contracts() -> Response:
    """PUT /market: the contract list comes by the event `contract`. Token."""
    with failing_as("更新合约失败"):
        note = ask(PushContracts()).note
    return succeed(msg=f"更新合约列表完成{f'（{note}）' if note else ''}")


@blueprint.get("/contract")
@auth_required
@ours
def describe_contract() -> Response:
    """GET /contract: symbol → the contract's details. Token."""
    sent = parameters()
    symbol = parse_symbol(sent.one("symbol"), sent.one("exchange"), "symbol")
    return succeed(ask(DescribeContract(str(symbol))))


def _symbols(sent: Parameters) -> tuple[str, list[str]]:
    """The parameter as text for the answer, and its symbols, each once."""
    text = sent.text("symbol", longest=MOST_SYMBOLS * 40)
    symbols = list(
        dict.fromkeys(
            str(parse_symbol(part, parameter="symbol")) for part in text.split(",") if part.strip(" ")
        )
    )
    if not symbols:
        raise BadInput("symbol", "缺少参数 symbol")
    if len(symbols) > MOST_SYMBOLS:
        raise BadInput("symbol", f"一次最多 {MOST_SYMBOLS} 个合约")
    return ",".join(symbols), symbols
