"""/strategy: the account's strategies, started, watched, limited, stopped and deleted. Web process. Their
code is in code.py.
"""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, g

from app.auth import auth_required
from app.lib.errors import BadInput
from app.lib.strategy_lib import LONGEST_NAME, is_safe_name
from app.lib.symbols import parse_symbol
from app.views.asking import ask, ask_host, ask_or_why, parameters
from app.views.envelope import failing_as, ours, succeed
from app.views.market import MOST_SYMBOLS
from app.views.orders import MOST_LOTS
from app.views.parse import Parameters
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
LIMITS = ("max_order_volume", "max_position", "max_orders_per_minute")
BOOK = ("orders", "trades", "positions", "profit", "limits")
"""What the gateway knows of a strategy."""

blueprint = Blueprint("strategy", __name__)


@blueprint.get("/strategy")
@auth_required
def read_strategies() -> Response:
    """GET /strategy → a row for each; with name one row, with its versions, orders, trades, positions, profit
    and limits. Token.
    """
    sent = parameters()
    if sent.one("name") in (None, ""):
        return succeed(ask_host(ListStrategies(g.identity.account)))
    name = _name(sent)
    row = orjson.loads(ask_host(ListStrategies(g.identity.account, name)).payload)
    answer, why_not = ask_or_why(ReadStrategy(name))
    if why_not is not None:  # without a gateway what the host knows is still worth an answer
        return succeed(
            row | dict.fromkeys(BOOK), msg=f"持仓与委托暂不可得：{why_not.message}", error=why_not.code
        )
    book = orjson.loads(answer.payload)
    return succeed(row | {key: book[key] for key in BOOK})


@blueprint.put("/strategy")
@auth_required
def operate() -> Response:
    """PUT /strategy: name, operation 开启, 关闭 or 重启. Token."""
    sent = parameters()
    name, operation = _name(sent), sent.choice("operation", OPERATIONS)
    done: Done = ask_host(OPERATIONS[operation](g.identity.account, name))
    return succeed(msg=done.note or f"{operation}{name}成功")


@blueprint.put("/strategy/limits")
@auth_required
@ours
def change_limits() -> Response:
    """PUT /strategy/limits: name, contracts, max_order_volume, max_position, max_orders_per_minute; 0 or
    nothing: no limit. Token.
    """
    sent = parameters()
    name, limits = _name(sent), _limits(sent)
    ask_host(ListStrategies(g.identity.account, name))  # there is such a strategy
    ask(SetStrategyLimits(name, limits))
    return succeed(limits, msg=f"修改{name}的限制成功")


@blueprint.delete("/strategy")
@auth_required
def delete() -> Response:
    """DELETE /strategy: name. Token."""
    name = _name(parameters())
    with failing_as(f"删除{name}失败", why=True):
        done: Done = ask_host(DeleteStrategy(g.identity.account, name))
    return succeed(msg=done.note or f"删除{name}成功")


@blueprint.get("/strategy/log")
@auth_required
@ours
def read_log() -> Response:
    """GET /strategy/log: name, before (of the page before), limit → {lines, before}, newest first. Token."""
    sent = parameters()
    name = _name(sent)
    before, limit = sent.text("before", ""), sent.integer("limit", 100, least=1, most=MOST_LINES)
    return succeed(ask_host(ReadStrategyLog(g.identity.account, name, before, limit)))


def _name(sent: Parameters) -> str:
    name = sent.text("name", longest=LONGEST_NAME)
    if not is_safe_name(name):
        raise BadInput("name", "参数 name 不是策略名")
    return name


def _limits(sent: Parameters) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    contracts = sent.text("contracts", "", longest=MOST_SYMBOLS * 40)
    if contracts:
        symbols = (str(parse_symbol(part, parameter="contracts")) for part in contracts.split(","))
        limits["contracts"] = list(dict.fromkeys(symbols))
    for name in LIMITS:
        number = sent.integer(name, 0, least=0, most=MOST_LOTS)
        if number:
            limits[name] = number
    return limits
