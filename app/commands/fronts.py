"""`run.py fronts`: at which brokers' fronts an account may log in. A command's own process."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import click

from app.commands.common import ready_settings, settings_options
from app.commands.import_bars import find_argument
from app.data_dir import accounts
from app.lib.brokers import Brokers, front_of
from app.lib.errors import AppError, BadInput
from app.model import open_store, store_path
from app.model.identity import Identity
from app.settings import Settings


@click.command("fronts")
@settings_options
@click.argument(
    "action", metavar="[list|allow|forget]", type=click.Choice(["list", "allow", "forget"]), default="list"
)
@click.argument("account", metavar="[账户]", default="")
@click.argument("front", metavar="[前置]", default="")
@click.pass_context
def fronts_command(ctx: click.Context, action: str, account: str, front: str, **options: Any) -> None:
    """各账户可登录的期货公司前置：列出、再许一组、忘掉。

    list（缺省）列出；allow 再许一组（名单上的名字，或“交易前置 行情前置”）；forget
    忘掉，以下次登录成功的为准。
    """
    if action == "allow" and not front:
        raise BadInput("front", "请写明账户与前置，如 fronts allow ctp-9999-100001 simnow")
    settings = ready_settings(ctx, options)
    brokers = Brokers(settings.fronts)
    if action == "list":
        _list_fronts(settings, brokers)
        return
    account = find_argument(settings, account)
    with closing(open_store(settings, account, ship=False)) as store:
        identity = Identity(store)
        if action == "forget":
            identity.forget()
            click.echo(f"{account}：以下次登录成功的前置为准")
            return
        try:
            identity.allow(front if front in brokers else brokers.text_of(front_of(front)))
        except ValueError as error:
            known = f"名单（设置 fronts）上有：{'、'.join(brokers.names)}" if brokers else "没有设置 fronts"
            raise AppError(f"不认识的前置：{error}；{known}") from None
        click.echo(f"{account}：可登录 {'；'.join(identity.fronts)}。已登录的先注销，再以新的前置登录")


def _list_fronts(settings: Settings, brokers: Brokers) -> None:
    real = [
        account
        for account in accounts(settings.data_dir)
        if account.startswith("ctp") and store_path(settings.data_dir, account).exists()
    ]
    if not brokers.names and not real:
        click.echo("没有设置 fronts，也没有登录过真实账户：模拟账户不用前置")
    for name in brokers.names:
        click.echo(f"名单  {name}  {brokers.front(name)}")
    for account in real:
        with closing(open_store(settings, account, ship=False)) as store:
            click.echo(f"账户  {account}  {'；'.join(Identity(store).fronts) or '尚未登录成功，或已忘掉'}")
