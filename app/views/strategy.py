"""/strategy: the account's strategies, started, watched, limited, stopped and deleted. Web process. Their
code is in code.py.
"""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from flask import Blueprint, Response, g
from pydantic import Field

from app.auth import auth_required
from app.views import answers, pushed
from app.views.asking import ask, ask_host, ask_or_why
from app.views.described import described
from app.views.envelope import failing_as, ours, succeed
from app.views.parameters import MOST_LOTS, Choice, Contracts, Request, StrategyName, Text, Whole
from app.wire.messages import (
    DeleteStrategy,
    Done,
    ListStrategies,
    ReadStrategy,
    ReadStrategyLog,
    RestartStrategy,
    SetStrategyLimits,
    StartStrategy,
    StopStrategy,
)

MOST_LINES = 1000
OPERATIONS: dict[str, type[StartStrategy] | type[StopStrategy] | type[RestartStrategy]] = {
    "开启": StartStrategy,
    "关闭": StopStrategy,
    "重启": RestartStrategy,
}
BOOK = ("orders", "trades", "positions", "profit", "limits")
"""What the gateway knows of a strategy."""
Limit = Annotated[int, Whole(0, MOST_LOTS)]

blueprint = Blueprint("strategy", __name__)


class OfStrategy(Request):
    name: Annotated[str, StrategyName()] = Field(description="策略名")


class StrategiesRequest(Request):
    name: Annotated[str, StrategyName()] = Field(
        "", description="策略名；给出则另有版本、委托、成交、持仓、盈亏、限制"
    )


class OperationRequest(OfStrategy):
    operation: Annotated[str, Choice(OPERATIONS)] = Field(description="操作")


class LimitsRequest(OfStrategy):
    contracts: Annotated[list[str], Contracts(gaps=False)] = Field(
        [], description="只可交易这些合约，带交易所，多个用逗号"
    )
    max_order_volume: Limit = Field(0, description="每笔手数")
    max_position: Limit = Field(0, description="每个合约的持仓手数")
    max_orders_per_minute: Limit = Field(0, description="每分钟报单数")

    def limits(self) -> dict[str, Any]:
        """Those that limit anything."""
        return {name: limit for name, limit in self.model_dump(exclude={"name"}).items() if limit}


class LogRequest(OfStrategy):
    before: Annotated[str, Text()] = Field("", description="上一页答复中的 before；不给则从最新开始")
    limit: Annotated[int, Whole(1, MOST_LINES)] = Field(100, description="最多几行")


@blueprint.get("/strategy")
@auth_required
@described(
    "策略列表；给出 name 则为那一个的明细",
    StrategiesRequest,
    data=(list[pushed.StrategyRow], answers.StrategyDetail),
)
def read_strategies(sent: StrategiesRequest) -> Response:
    """GET /strategy → a row for each; with name one row, with its versions, orders, trades, positions, profit
    and limits. Token.
    """
    if not sent.name:
        return succeed(ask_host(ListStrategies(g.caller.account)))
    row = orjson.loads(ask_host(ListStrategies(g.caller.account, sent.name)).payload)
    answer, why_not = ask_or_why(ReadStrategy(sent.name))
    if why_not is not None:  # without a gateway what the host knows is still worth an answer
        return succeed(
            row | dict.fromkeys(BOOK), msg=f"持仓与委托暂不可得：{why_not.message}", error=why_not.code
        )
    book = orjson.loads(answer.payload)
    return succeed(row | {key: book[key] for key in BOOK})


@blueprint.put("/strategy")
@auth_required
@described("启停策略", OperationRequest)
def operate_strategy(sent: OperationRequest) -> Response:
    """PUT /strategy: 开启, 关闭 or 重启. Token."""
    done: Done = ask_host(OPERATIONS[sent.operation](g.caller.account, sent.name))
    return succeed(msg=done.note or f"{sent.operation}{sent.name}成功")


@blueprint.put("/strategy/limits")
@auth_required
@ours
@described("策略的限制，整组替换；不给或为 0 即不限", LimitsRequest, data=answers.Limits)
def change_limits(sent: LimitsRequest) -> Response:
    """PUT /strategy/limits: all of them anew; 0 or nothing: no limit. Token."""
    ask_host(ListStrategies(g.caller.account, sent.name))  # there is such a strategy
    limits = sent.limits()
    ask(SetStrategyLimits(sent.name, limits))
    return succeed(limits, msg=f"修改{sent.name}的限制成功")


@blueprint.delete("/strategy")
@auth_required
@described("删除策略文件；各版本代码留存；运行中的须先停止", OfStrategy)
def delete_strategy(sent: OfStrategy) -> Response:
    """DELETE /strategy: the file; its versions stay. Token."""
    with failing_as(f"删除{sent.name}失败", why=True):
        done: Done = ask_host(DeleteStrategy(g.caller.account, sent.name))
    return succeed(msg=done.note or f"删除{sent.name}成功")


@blueprint.get("/strategy/log")
@auth_required
@ours
@described("策略的日志，新在前", LogRequest, data=answers.LogPage)
def read_log(sent: LogRequest) -> Response:
    """GET /strategy/log → {lines, before}, newest first. Token."""
    return succeed(ask_host(ReadStrategyLog(g.caller.account, sent.name, sent.before, sent.limit)))
