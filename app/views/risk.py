"""/risk: what the gate before the orders counts and allows; stopping; cancelling a selection. Web process."""

from __future__ import annotations

import logging
from typing import Annotated

from flask import Blueprint, Response, g, request
from pydantic import Field

from app.auth import auth_required
from app.lib.errors import BadInput, GatewayDown
from app.lib.risk import ACTIVE, MOST_RULES, STATE_TEXT, STATES
from app.lib.switches import LONGEST_NAME, MOST_SWITCHES
from app.lib.symbols import LocalSymbol
from app.views import answers, leaving
from app.views.asking import ask, ask_host, ask_or_none
from app.views.described import described
from app.views.envelope import ours, succeed
from app.views.parameters import AnyContract, Choice, Flag, Number, Records, Request, StrategyName, Text
from app.wire.messages import (
    CancelSelected,
    GiveSign,
    ListStrategies,
    ReadConnections,
    ReadRisk,
    SetRiskState,
    WriteRisk,
)

LONGEST_AGE = 86_400.0  # seconds
LONGEST_IDS = 20_000
LOOK_LIMIT = 2.0  # seconds for whether there is such a strategy
UNCONFIRMED = "RISK_STATE_UNKNOWN"
UNCONFIRMED_CANCELS = "CANCEL_STATE_UNKNOWN"

blueprint = Blueprint("risk", __name__)
log = logging.getLogger(__name__)


class RulesRequest(Request):
    rules: Annotated[list[dict[str, object]] | None, Records(MOST_RULES)] = Field(
        None, description="自己的规则，整组替换；不给则不改"
    )
    switches: Annotated[list[dict[str, object]] | None, Records(MOST_SWITCHES)] = Field(
        None, description="失联保护，整组替换；不给则不改"
    )

    def command(self) -> WriteRisk:
        """Raises BadInput where neither is given."""
        if self.rules is None and self.switches is None:
            raise BadInput("rules", "缺少参数 rules 或 switches")
        return WriteRisk(self.rules, self.switches)


class WhyRequest(Request):
    why: Annotated[str, Text(200)] = Field(description="原因")


class SignRequest(Request):
    name: Annotated[str, Text(LONGEST_NAME)] = Field(description="程序的名字，同失联保护里的 name")


class StateRequest(Request):
    state: Annotated[str, Choice(STATES)] = Field(description="正常、只可平仓、暂停交易")
    strategy: Annotated[str, StrategyName()] = Field("", description="哪个策略；不给则为整个账户")
    why: Annotated[str, Text(200)] = Field("", description="原因")
    cancel: Annotated[bool, Flag()] = Field(False, description="随即撤其全部挂单；与 halted 合用即“全停”")


class SelectionRequest(Request):
    local_symbol: Annotated[LocalSymbol | None, AnyContract()] = Field(None, description="合约")
    direction: Annotated[str, Choice(("long", "short"))] = Field("", description="买卖方向")
    strategy: Annotated[str, StrategyName()] = Field("", description="策略")
    older: Annotated[float, Number(0.0, LONGEST_AGE)] = Field(0.0, description="报出至少这么多秒的")
    filled: Annotated[str, Choice(("none", "part"))] = Field("", description="未成交的、部分成交的")
    order_ids: Annotated[str, Text(LONGEST_IDS)] = Field("", description="只在这些委托编号里选，多个用逗号")

    def command(self) -> CancelSelected:
        """Raises BadInput where nothing is asked for: a body that could not be read must not cancel all."""
        selection = CancelSelected(
            local_symbol=str(self.local_symbol or ""),
            direction=self.direction,
            strategy=self.strategy,
            older=self.older,
            filled=self.filled,
            order_ids=[order_id.strip() for order_id in self.order_ids.split(",") if order_id.strip()],
        )
        if selection == CancelSelected():
            raise BadInput(
                "local_symbol", "没有给出任何条件，什么也没有撤；撤全部用 DELETE /order_solve 的 all=1"
            )
        return selection


@blueprint.get("/risk")
@auth_required
@ours
@described("风控：状态、规则、当日的数与用量、交易所的标准", data=answers.Risk)
def read_risk() -> Response:
    """GET /risk. Token."""
    return succeed(ask(ReadRisk()))


@blueprint.put("/risk")
@auth_required
@ours
@described("自己的风控规则、失联保护，各整组替换；一条不合法或互相矛盾则全不改，立即生效", RulesRequest)
def write_risk(sent: RulesRequest) -> Response:
    """PUT /risk: all of the trader's own rules, or switches, anew. Token. Without an answer they may be in
    force.
    """
    if ask_or_none(sent.command()) is None:
        return _unconfirmed()
    return succeed(msg="修改成功")


@blueprint.post("/risk/heartbeat")
@auth_required
@ours
@described("程序的动静：失联保护所看的程序每隔不到 seconds 秒来一次", SignRequest, data=answers.Heartbeat)
def give_sign(sent: SignRequest) -> Response:
    """POST /risk/heartbeat. Token."""
    return succeed(ask(GiveSign(sent.name)))


@blueprint.post("/risk/state")
@auth_required
@ours
@described("暂停、只可平仓、恢复：整个账户或一个策略；撤单从不受限", StateRequest, data=answers.Stopped)
def change_state(sent: StateRequest) -> Response:
    """POST /risk/state. Token."""
    who = f"网页（{request.remote_addr}）"
    if sent.strategy and sent.state != ACTIVE:
        _look_for(sent.strategy)
    answer = ask_or_none(SetRiskState(sent.state, sent.strategy, sent.why, who, sent.cancel))
    if answer is None:
        return _unconfirmed()
    whose = f"策略{sent.strategy}" if sent.strategy else "账户"
    return succeed(answer, msg=f"{whose}：{STATE_TEXT[sent.state]}")


@blueprint.post("/risk/logout")
@auth_required
@ours
@described("强制退出：立即结束网关，吊销令牌，挂单留在柜台；不需要授权码，记入审计日志", WhyRequest)
def force_logout(sent: WhyRequest) -> Response:
    """POST /risk/logout. Token."""
    by = f"网页（{request.remote_addr}），{sent.why}"
    return succeed(msg=f"已强制退出，{leaving.log_out(g.caller.account, by)}")


@blueprint.get("/risk/connections")
@auth_required
@ours
@described("断线记录：两个前置、存储、网关各次中断的起止与原因，新的在前", data=answers.Connections)
def read_connections() -> Response:
    """GET /risk/connections. Token."""
    return succeed(ask(ReadConnections()))


@blueprint.post("/risk/cancel")
@auth_required
@ours
@described("批量撤单：符合所给各条件的挂单，按柜台流控分批，各有结果", SelectionRequest, data=answers.Batch)
def cancel_selected(sent: SelectionRequest) -> Response:
    """POST /risk/cancel. Token. A cancel without an answer is no fail: it may have left."""
    answer = ask_or_none(sent.command())
    if answer is None:
        return succeed(
            msg="撤单已交给网关，没有得到应答，请核对委托列表", http_status=202, error=UNCONFIRMED_CANCELS
        )
    return succeed(answer)


def _unconfirmed() -> Response:
    return succeed(msg="已交给网关，没有得到应答，请以 GET /risk 核对", http_status=202, error=UNCONFIRMED)


def _look_for(strategy: str) -> None:
    """Raises NotFound: a mistyped name would stop nobody. Without a host, or with one that is frozen, it is
    taken as it is: a halt does not wait.
    """
    try:
        ask_host(ListStrategies(g.caller.account, strategy), LOOK_LIMIT)
    except GatewayDown:
        log.warning("no answer of the host: whether there is a strategy %s is not known", strategy)
