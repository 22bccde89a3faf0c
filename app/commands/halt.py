"""`run.py halt`: stopping an account or a strategy, and letting it go on, with or without the web. A
command's own process: it speaks to the account's gateway itself, and writes to its store where none runs.
"""

from __future__ import annotations

import getpass
from contextlib import closing, suppress
from datetime import datetime
from typing import Any

import click
import orjson

from app.commands.common import ready_settings, settings_options
from app.commands.import_bars import find_argument
from app.gateway.risk.states import State, put_offline
from app.lib import rows
from app.lib.calendar import SHANGHAI
from app.lib.errors import AppError, BadInput, GatewayDown, StoreDown
from app.lib.risk import ACTIVE, HALTED, REDUCE_ONLY, STATE_TEXT
from app.model import open_store
from app.model.store import StoreFailed
from app.process.child import Process
from app.settings import Settings
from app.wire import peer
from app.wire.messages import ListStrategies, LogOut, ReadRisk, SetRiskState, ShutDown
from app.wire.registry import Registry, gateway_of

ACTIONS = {"all": HALTED, "orders": HALTED, "opens": REDUCE_ONLY, "resume": ACTIVE}
"""What each asks for; `all` cancels as well, `logout` and `status` are others' affair."""
LIMIT = 15.0  # seconds to wait for an answer
LOOK_LIMIT = 2.0  # seconds for whether there is such a strategy


@click.command("halt")
@settings_options
@click.argument(
    "action",
    metavar="all|orders|opens|resume|logout|status",
    type=click.Choice([*ACTIONS, "logout", "status"]),
)
@click.argument("account", metavar="[账户]", default="")
@click.option("--strategy", metavar="NAME", default="", help="只对这个策略，缺省为整个账户")
@click.option("--why", metavar="TEXT", default="", help="原因，记入日志")
@click.pass_context
def halt_command(
    ctx: click.Context, action: str, account: str, strategy: str, why: str, **options: Any
) -> None:
    """停下账户或策略：全停、暂停开仓、限制、强制退出、恢复；网页不在时也能用。从不自动平仓。

    all 全停（不许再报单，并撤全部挂单）；orders 限制账户或暂停策略（不许再报单，挂单留着）；opens
    暂停开仓（只可平仓）；resume 恢复；logout 强制退出（结束网关，挂单留在柜台）；status 现在怎样。
    """
    settings = ready_settings(ctx, options)
    account = find_argument(settings, account)
    if action == "logout":
        _log_out(settings, account, _by(_who(), why))
    elif action == "status":
        _show(settings, account)
    else:
        _change(settings, account, SetRiskState(ACTIONS[action], strategy, why, _who(), action == "all"))


def _by(*parts: str) -> str:
    return "，".join(filter(None, parts))


def _who() -> str:
    return f"命令行（{getpass.getuser()}）"


def _change(settings: Settings, account: str, request: SetRiskState) -> None:
    registry = Registry(settings.data_dir)
    if request.strategy and request.state != ACTIVE:
        _look_for(registry, account, request.strategy)
    whose = f"{account}{f' 的策略 {request.strategy}' if request.strategy else ''}"
    entry = registry.find(gateway_of(account))
    if entry is None:
        _keep(settings, account, request)
        entry = registry.find(gateway_of(account))  # it may have read what was kept before that
    if entry is None:
        click.echo(f"{whose}：{STATE_TEXT[request.state]}（网关没有运行，登录后生效；挂单在柜台，没有撤）")
        return
    try:
        answer = orjson.loads(peer.call(entry, request, LIMIT).payload)
    except GatewayDown as error:
        if not error.extra.get("asked"):
            raise
        raise AppError(f"{whose}：已交给网关，没有得到应答，请以 halt status 核对") from None
    click.echo(f"{whose}：{STATE_TEXT[request.state]}")
    for row in answer["orders"]:
        click.echo(f"  撤单 {row['order_id']} {row['local_symbol']}：{_result(row)}")


def _look_for(registry: Registry, account: str, strategy: str) -> None:
    """Raises NotFound: a mistyped name would stop nobody. Without a host it is taken as it is."""
    host = registry.find("host")
    if host is not None:
        with suppress(GatewayDown):
            peer.call(host, ListStrategies(account, strategy), LOOK_LIMIT)


def _result(row: dict[str, Any]) -> str:
    words = {"cancelled": "已撤", "failed": "失败", "sent": "已发出，未确认", "queued": "排队中，随后发出"}
    return "，".join(filter(None, (words[row["state"]], row["msg"])))


def _keep(settings: Settings, account: str, request: SetRiskState) -> None:
    when = rows.time_text(datetime.now(SHANGHAI))
    with closing(open_store(settings, account, ship=False)) as store:
        try:
            put_offline(store, request.strategy, State(request.state, request.who, when, request.why))
        except StoreFailed as error:
            raise StoreDown() from error


def _show(settings: Settings, account: str) -> None:
    entry = Registry(settings.data_dir).find(gateway_of(account))
    if entry is None:
        raise BadInput("account", f"{account} 的网关没有运行")
    states = orjson.loads(peer.call(entry, ReadRisk(), LIMIT).payload)["states"]
    for name, state in [("账户", states["account"]), *states["strategies"].items()]:
        by = _by(state["who"], state["why"], state["when"])
        click.echo(f"{name}：{STATE_TEXT[state['state']]}{f'（{by}）' if by else ''}")


def _log_out(settings: Settings, account: str, by: str) -> None:
    """By the host, which would start the gateway again; where there is none, by the gateway itself."""
    registry = Registry(settings.data_dir)
    host, gateway = registry.find("host"), registry.find(gateway_of(account))
    if host is not None:
        peer.call(host, LogOut(account, by), LIMIT)
    elif gateway is not None:
        peer.call(gateway, ShutDown(by), LIMIT)
        if not Process(gateway.name, entry=gateway).wait(LIMIT):
            raise AppError(f"{account} 的网关已受命结束，{LIMIT:.0f} 秒后仍在运行：请查看它的日志")
    else:
        raise peer.not_running("host")
    click.echo(f"{account}：已强制退出，挂单留在柜台")
