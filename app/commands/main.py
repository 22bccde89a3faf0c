"""The group of all commands. Every command's own process.

Before a command is known nothing but click is imported: the web replaces parts
of the standard library as the first thing it does, and that is only safe before other modules have taken hold
of them.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, NamedTuple

import click

from app.commands.common import errors_said, ready_settings, settings_options
from app.lib.program import command, version


class Listed(NamedTuple):
    """A command: its file in this folder, and the first sentence of its help."""

    file: str
    help: str


COMMANDS = {
    "stop": Listed("supervisor", "结束这个数据目录仍在运行的全部进程，不论由谁启动。"),
    "web": Listed("web", "只运行网页服务（REST 与 Socket.IO）；重启它不影响已登录的账户。"),
    "host": Listed("host", "只运行网关主机：启动并看护各账户的网关与内置柜台。"),
    "doctor": Listed("doctor", "检查本机与数据目录：交易日历、时钟、磁盘、存储、CTP 所需的库与 locale。"),
    "auth-code": Listed("auth_code", "设置服务器的授权码（登录与注销时要用），只保存其散列。"),
    "fronts": Listed("fronts", "各账户可登录的期货公司前置：列出、再许一组、忘掉。"),
    "halt": Listed("halt", "停下账户或策略：全停、暂停开仓、限制、强制退出、恢复；网页不在时也能用。"),
    "audit": Listed("audit", "审计日志：核对是否被改过（verify），按日、按类导出（export）。"),
    "filing": Listed("filing", "程序化交易报备：依次做期货公司的十一项测试，得到材料。"),
    "backup": Listed("backup", "把数据目录与策略备份成一个文件；不必停机。"),
    "restore": Listed("backup", "从备份恢复数据目录与策略；之后各账户须重新登录。"),
    "backtest": Listed("backtest", "回测：策略在 K 线或 tick 文件上照柜台的规矩走一遍，不必启动服务。"),
    "backtest-cluster": Listed(
        "backtest_cluster", "在这台机器上运行回测集群的 scheduler 或 worker（Dask），直到 Ctrl-C。"
    ),
    "data": Listed("data", "列出有哪些行情：各合约的首末、数量，缺的日、节与分钟，重复与四价相同的。"),
    "import-bars": Listed(
        "import_bars", "导入 1 分钟 K 线：CSV（可压缩为 gz）与 Parquet；tick 文件合成 K 线。"
    ),
    "import-mongo": Listed("import_mongo", "导入原后端存在 MongoDB 里的 1 分钟 K 线（不改动来源）。"),
    "export": Listed("export", "导出全部账户的 K 线、流水、设置与策略（须先停止服务）。"),
    "import": Listed("export", "导入 export 写的目录（须先停止服务）。"),
}
"""In the order in which they are listed. The command `import-bars` is `import_bars_command` in its file."""


class Commands(click.Group):
    """Imports a command when it is called, and says what went wrong with it in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"app.commands.{COMMANDS[cmd_name].file}")
        found: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.UsageError(f"没有命令 {args[0]}；有：{'、'.join(COMMANDS)}", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, listed.help) for name, listed in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        with errors_said():
            return super().invoke(ctx)


def _show_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"ctpbee_backend {version()}")
        ctx.exit()


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="每一项设置也可用环境变量 CTPBEE_BACKEND_<大写名> 或 TOML 文件给出；命令行优先，其次环境变量。",
)
@settings_options
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="显示版本"
)
@click.pass_context
def main(ctx: click.Context, **options: Any) -> None:
    """ctpbee 的后台服务。不带命令：启动全部，Ctrl-C 结束全部。"""
    ctx.obj = options
    if ctx.invoked_subcommand is None:
        from app.commands.supervisor import run_all

        sys.exit(run_all(ready_settings(ctx, {})))


def program() -> None:
    """What it writes is its owner's alone; who imports this module keeps the habits of his own process."""
    from app.process.private import keep_to_itself

    keep_to_itself()
    main(prog_name=command(""))
