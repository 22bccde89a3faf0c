"""What the commands share: their options, the settings they make of them, how errors are said. A command's
own process; next to nothing is imported here, since the web imports it before it is patched.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.lib.errors import AppError, SettingsError

if TYPE_CHECKING:
    from app.settings import Settings


@contextmanager
def errors_said() -> Iterator[None]:
    """What goes wrong in one line on stderr, and the exit code: 2 for a setting, 1 for the rest."""
    try:
        yield
    except SettingsError as error:
        click.echo(f"设置错误：{error.message}", err=True)
        sys.exit(2)
    except AppError as error:
        click.echo(error.message, err=True)
        sys.exit(1)
    except PermissionError as error:
        click.echo(
            f"没有权限：{error.filename or error}。请以数据目录属主的身份执行（如 sudo -u ctpbee …）",
            err=True,
        )
        sys.exit(1)


def settings_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every command takes, before or after its name. What they accept is for Settings to
    say.
    """
    for option in reversed(
        [
            click.option(
                "--host", metavar="ADDRESS", help="监听地址，缺省 127.0.0.1；不是回环地址即视为对外服务"
            ),
            click.option("--port", metavar="PORT", help="监听端口，缺省 5000；0 为任选空闲端口"),
            click.option(
                "--data-dir",
                metavar="DIR",
                help="数据目录，缺省 data；用 pip 安装的在 ~/.local/share/ctpbee-backend",
            ),
            click.option(
                "--interface",
                metavar="NAME",
                help="登录未给 interface 时用哪个：sim（内置柜台，缺省）、ctp、ctp_se",
            ),
            click.option(
                "--config",
                metavar="FILE",
                type=click.Path(path_type=Path),
                help="TOML 设置文件，见 config.example.toml",
            ),
        ]
    ):
        function = option(function)
    return function


def merged(ctx: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """What was given after the command's name goes before what was given in front of it."""
    return (ctx.obj or {}) | {key: value for key, value in options.items() if value is not None}


def settings_of(ctx: click.Context, options: dict[str, Any]) -> Settings:
    """The settings of a command. Raises SettingsError."""
    from app.settings import Settings

    return Settings.load(**merged(ctx, options))


def ready_settings(ctx: click.Context, options: dict[str, Any]) -> Settings:
    """The settings of a command that uses the data directory, which is there and fit for use."""
    from app import data_dir

    settings = settings_of(ctx, options)
    data_dir.prepare(settings.data_dir)
    return settings


def check_quotes(settings: Settings) -> None:
    """What the built-in counter would show can be read; said here, lest only the first login of a paper
    account fails. Raises SettingsError, which names file, line and remedy; where real accounts are served it
    is said on stderr alone: they need no such file, and a server that does not start keeps them out.
    """
    if settings.counter_quotes != "replay" or settings.counter_replay is None:
        return
    from app.counter.markets.replay import check_replay
    from app.lib import calendar

    calendar.keep_in(settings.data_dir)
    calendar.use_overrides(settings.calendar_file)
    try:
        check_replay(settings.counter_replay)
    except SettingsError as error:
        if not _serves_real_accounts(settings):
            raise
        click.echo(f"{error.message}。改好之前模拟账户不能登录，实盘账户照常", err=True)


def _serves_real_accounts(settings: Settings) -> bool:
    """By the settings, or a gateway of one lives: after a host that has died, or beside a web that starts
    again.
    """
    from app.wire.registry import Registry

    gateways = Registry(settings.data_dir).living("gateway")
    return settings.interface != "sim" or any(gateway.interface != "sim" for gateway in gateways)


def to_stop(settings: Settings) -> str:
    """What ends everything of these settings."""
    line = settings.command("stop")
    return f"{line}，或 make stop" if line == "python3 run.py stop" else line


def minute(timestamp: int) -> str:
    """Epoch ms as exchange time."""
    from datetime import datetime

    from app.lib.calendar import SHANGHAI

    return datetime.fromtimestamp(timestamp / 1000, SHANGHAI).strftime("%Y-%m-%d %H:%M")
