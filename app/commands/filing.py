"""`run.py filing`: the pack for a broker's test of a program (程序化交易报备), and the description of this
one. A command's own process; the server that the pack is made on is started for it.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from app import data_dir
from app.commands.common import settings_of, settings_options
from app.filing import description, form, pack, report
from app.filing.fronts import check_is_for_tests
from app.filing.guide import Guide
from app.filing.outcome import PASSED, Outcome
from app.filing.run import run_all
from app.filing.station import Ticket
from app.lib.account_names import PAPER_BROKER
from app.lib.brokers import Brokers, Front, addresses
from app.lib.calendar import SHANGHAI
from app.lib.errors import BadInput
from app.settings import Settings

PASSWORD, AUTH_CODE = "FILING_PASSWORD", "FILING_AUTH_CODE"
"""In the environment, for who has no terminal; never an option, which every user of the machine can see."""
PAPER_USER = "filing"


@click.command("filing")
@settings_options
@click.argument(
    "action",
    metavar="[describe|template]",
    type=click.Choice(["pack", "describe", "template"]),
    default="pack",
)
@click.option("--sim", "on", flag_value="sim", help="在内置柜台上做，不需要期货公司")
@click.option("--ctp", "on", flag_value="ctp", help="在期货公司的测试前置上做，会真的报单、撤单")
@click.option("--to", type=click.Path(path_type=Path), help="放材料的目录，须不存在或是空的；zip 在它旁边")
@click.option("--guided", is_flag=True, help="每项之前停下来等你，可给出自己的截图、自己断开网络")
@click.option("--template", type=click.Path(path_type=Path), help="期货公司自己的 docx 表，见 docs/filing.md")
@click.option("--symbol", default="", metavar="NAME", help="交易哪个合约，如 rb2701.SHFE；缺省螺纹钢次近月")
@click.option("--td", default="", metavar="ADDRESS", help="交易前置；或设置 fronts 里的名字")
@click.option("--md", default="", metavar="ADDRESS", help="行情前置")
@click.option("--brokerid", default="", help="期货公司代码")
@click.option("--userid", default="", help="账号")
@click.option("--appid", default="", help="终端标识 AppID")
@click.option("--i-know", is_flag=True, help="声明所给的前置是测试环境：不在已知名单上的没有它就不做")
@click.option("--days", type=click.IntRange(1, 3650), default=30, help="describe：最高报单速度看最近几天")
@click.pass_context
def filing_command(
    ctx: click.Context, action: str, on: str | None, to: Path | None, template: Path | None, **options: Any
) -> None:
    """程序化交易报备：依次做期货公司的十一项测试，得到材料。

    describe 写系统说明，template 写空白的表。

    全部通过才以 0 结束。没有做到的一律写未通过与原因，从不代填。密码在终端里问，或由环境变量
    FILING_PASSWORD、FILING_AUTH_CODE 给出。
    """
    own = {name: options.pop(name) for name in OWN}
    settings = settings_of(ctx, options)
    form.check_installed()
    if to is None:
        raise BadInput("to", "请以 --to 说明写到哪里")
    if action == "template":
        _write_template(to)
    elif action == "describe":
        _describe(settings, to, own)
    else:
        sys.exit(_make_pack(settings, on, to, template, own))


OWN = ("guided", "symbol", "td", "md", "brokerid", "userid", "appid", "i_know", "days")
"""The options that are no settings."""


def _make_pack(
    settings: Settings, on: str | None, to: Path, template: Path | None, own: dict[str, Any]
) -> int:
    """Everything that can be wrong is found before anything is sent. Returns the exit code."""
    if on is None:
        raise BadInput("sim", "请以 --sim 或 --ctp 说明在哪里做")
    content = report.check_template(template) if template is not None else None
    ticket = _paper() if on == "sim" else _real(settings, own)
    folder = pack.new_folder(to)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))  # the server is ended on the way out
    outcomes, about = run_all(
        folder, ticket, settings, Guide(own["guided"]), own["symbol"], lambda outcome: _say(outcome)
    )
    archive = pack.write(folder, outcomes, about, content)
    passed = sum(outcome.state == PASSED for outcome in outcomes)
    click.echo(f"{passed}/{len(outcomes)} 项通过；材料在 {folder} 与 {archive}")
    return 0 if passed == len(outcomes) else 1


def _say(outcome: Outcome) -> None:
    click.echo(
        f"{outcome.id} {outcome.name}：{outcome.state}{f'（{outcome.reason}）' if outcome.reason else ''}"
    )


def _paper() -> Ticket:
    return Ticket("sim", PAPER_BROKER, PAPER_USER, secrets.token_urlsafe(12), what="内置柜台（模拟）")


def _real(settings: Settings, own: dict[str, Any]) -> Ticket:
    """Raises BadInput for what is missing, and for a front that is not known to be for tests."""
    td, md = own["td"], own["md"]
    brokers = Brokers(settings.fronts)
    if td in brokers:
        td, md = (",".join(side) for side in brokers.front(td))
    for name, value in (("td", td), ("md", md)):
        try:
            addresses(value)
        except ValueError as error:
            raise BadInput(name, f"--{name} {value!r} 不是前置的地址：{error}") from None
    for name in ("brokerid", "userid", "appid"):
        if not own[name]:
            raise BadInput(name, f"--ctp 须给出 --{name}")
    what = check_is_for_tests(Front(addresses(td), addresses(md)), settings.fronts, own["i_know"])
    return Ticket(
        "ctp",
        own["brokerid"],
        own["userid"],
        _secret(PASSWORD, "密码"),
        own["appid"],
        _secret(AUTH_CODE, "终端认证码 AuthCode"),
        td,
        md,
        what,
    )


def _secret(name: str, what: str) -> str:
    if name in os.environ:
        return os.environ[name]
    if not sys.stdin.isatty():
        raise BadInput(name, f"没有终端可以问{what}：请由环境变量 {name} 给出")
    return str(click.prompt(what, hide_input=True, default="", show_default=False))


def _write_template(to: Path) -> None:
    if to.exists():
        raise BadInput("to", f"{to} 已存在，不会覆盖")
    try:
        to.write_bytes(form.report_form())
    except OSError as error:
        raise BadInput("to", f"{to} 不能写：{error.strerror}") from None
    click.echo(f"已写到 {to}：改成期货公司的样子，再以 --template 给出")


def _describe(settings: Settings, to: Path, own: dict[str, Any]) -> None:
    data_dir.prepare(settings.data_dir)
    folder, now = pack.new_folder(to), datetime.now(SHANGHAI)
    found = description.sections(settings, own["appid"], own["days"], now)
    changed = description.compared(found, description.last(settings.data_dir))
    described = description.whole([*found, changed], now)
    pack.write_description(folder, described)
    description.keep(settings.data_dir, described)
    click.echo(f"系统说明在 {folder}")
    click.echo(f"{changed.title}：")
    for name, text in changed.rows.items():
        click.echo(f"  {name}：{text}")
