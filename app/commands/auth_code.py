"""`run.py auth-code`: the server's authorization code, and whether what there is will do. A command's own
process, and those that are about to serve.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from app.commands.common import ready_settings, settings_options
from app.model import SERVER, open_store
from app.settings import Settings
from app.web.credentials import AuthorizationCode


@click.command("auth-code")
@settings_options
@click.option("--code", metavar="CODE", help="新的授权码；不给则提示输入，不会留在命令历史里")
@click.pass_context
def auth_code_command(ctx: click.Context, code: str | None, **options: Any) -> None:
    """设置服务器的授权码（登录与注销时要用），只保存其散列。"""
    settings = ready_settings(ctx, options)
    if code is None:
        code = click.prompt("新的授权码", hide_input=True, confirmation_prompt="再输入一次")
    with _authorization(settings) as authorization:
        authorization.change(code)
    click.echo("授权码已修改")


def check_public(settings: Settings, ship: bool = False) -> bool:
    """Refuse to serve others unsafely; returns whether the authorization code is still the default."""
    with _authorization(settings, ship) as authorization:
        settings.check_public(authorization.is_default)
        return authorization.is_default


@contextmanager
def _authorization(settings: Settings, ship: bool = True) -> Iterator[AuthorizationCode]:
    store = open_store(settings, SERVER, ship)
    try:
        yield AuthorizationCode(store, settings.is_public)
    finally:
        store.close()
