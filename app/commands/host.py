"""`run.py host`: the host alone. The host's own process."""

from __future__ import annotations

import sys
from typing import Any

import click

from app import logs
from app.commands import supervisor
from app.commands.common import check_quotes, ready_settings, settings_options
from app.host import host, strategy_place
from app.process.child import AlreadyRunning
from app.process.private import hide_memory


@click.command("host")
@settings_options
@click.pass_context
def host_command(ctx: click.Context, **options: Any) -> None:
    """只运行网关主机：启动并看护各账户的网关与内置柜台。"""
    settings = ready_settings(ctx, options)
    check_quotes(settings)
    hide_memory()
    logs.set_up(settings, "host", console=True)
    strategy_place.make_ready(settings)
    try:
        host.run(settings)
    except AlreadyRunning:
        click.echo(supervisor.who_runs(settings), err=True)
        sys.exit(supervisor.EXIT_ALREADY_RUNS)
