"""The commands. `python run.py` alone is all in one; `python run.py --help` lists the parts.

Nothing but click is imported up here: the web replaces parts of the standard library as the first thing it does, and
that is only safe before other modules have taken hold of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from app.lib.errors import AppError, SettingsError

if TYPE_CHECKING:
    from flask import Flask

    from app.auth import AuthorizationCode
    from app.gateway.transfer.bar_import import Save
    from app.gateway.transfer.mongo_import import Notes, Source
    from app.gateway.transfer.moving import Moved
    from app.lib.brokers import Brokers
    from app.settings import Settings

PROGRAM = Path(__file__).resolve()
END_LIMIT = 1.1  # seconds
MOST_NAMED = 20  # documents that are no bar, of one collection


class Commands(click.Group):
    """Says what went wrong in one line on stderr: exit code 2 for a setting, 1 for the rest."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            click.echo(f"设置错误：{error.message}", err=True)
            sys.exit(2)
        except AppError as error:
            click.echo(error.message, err=True)
            sys.exit(1)
        except PermissionError as error:
            click.echo(f"没有权限：{error.filename or error}。请以数据目录属主的身份执行（如 sudo -u ctpbee …）", err=True)
            sys.exit(1)


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every command takes, before or after its name. What they accept is for Settings to say."""
    for option in reversed(
        [
            click.option("--host", metavar="ADDRESS", help="监听地址，缺省 127.0.0.1；不是回环地址即视为对外服务"),
            click.option("--port", metavar="PORT", help="监听端口，缺省 5000；0 为任选空闲端口"),
            click.option("--data-dir", metavar="DIR", help="数据目录，缺省 data"),
            click.option("--interface", metavar="NAME", help="登录未给 interface 时用哪个：sim（内置柜台，缺省）、ctp、ctp_se"),
            click.option("--config", metavar="FILE", type=click.Path(path_type=Path), help="TOML 设置文件，见 config.example.toml"),
        ]
    ):
        command = option(command)
    return command


def _version() -> str:
    import tomllib

    return str(tomllib.loads((PROGRAM.parent / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def _show_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"ctpbee_backend {_version()}")
        ctx.exit()


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="每一项设置也可用环境变量 CTPBEE_BACKEND_<大写名> 或 TOML 文件给出；命令行优先，其次环境变量。",
)
@settings_options
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="显示版本")
@click.pass_context
def main(ctx: click.Context, **options: Any) -> None:
    """ctpbee 的后台服务。不带命令：启动全部，Ctrl-C 结束全部。"""
    ctx.obj = options
    if ctx.invoked_subcommand is None:
        sys.exit(_run_all(_ready_settings(ctx, {})))


@main.command()
@settings_options
@click.option("--instance", metavar="N", help="编号：几个网页进程同用一个数据目录时各有一个，端口也各有一个")
@click.pass_context
def web(ctx: click.Context, **options: Any) -> None:
    """只运行网页服务（REST 与 Socket.IO）；重启它不影响已登录的账户。"""
    from app.async_mode import patch

    patch(_merged(ctx, options)["config"])
    try:
        code = _run_web(_ready_settings(ctx, options))
    except SystemExit:  # a signal asked for the end
        code = 0
    _leave(code)


@main.command()
@settings_options
@click.pass_context
def host(ctx: click.Context, **options: Any) -> None:
    """只运行网关主机：启动并看护各账户的网关与内置柜台。"""
    from app import logs, supervisor
    from app.gateway.host import host as gateway_host
    from app.gateway.process import AlreadyRunning
    from app.private import hide_memory

    settings = _ready_settings(ctx, options)
    hide_memory()
    logs.set_up(settings, "host", console=True)
    try:
        gateway_host.run(settings)
    except AlreadyRunning:
        click.echo(supervisor.who_runs(settings), err=True)
        sys.exit(supervisor.EXIT_ALREADY_RUNS)


@main.command()
@settings_options
@click.pass_context
def stop(ctx: click.Context, **options: Any) -> None:
    """结束这个数据目录仍在运行的全部进程，不论由谁启动。"""
    from app import supervisor

    settings = _settings(ctx, options)
    ended = supervisor.end_all(settings)
    for entry in ended:
        click.echo(f"已结束 {entry.name}（pid {entry.pid}）")
    if not ended:
        click.echo(f"数据目录 {settings.data_dir} 没有在运行的进程")


@main.command()
@settings_options
@click.option("--td-address", metavar="ADDRESS", help="要试连的交易前置，形如 tcp://180.168.146.187:10201，几个用逗号隔开")
@click.option("--md-address", metavar="ADDRESS", help="要试连的行情前置")
@click.pass_context
def doctor(ctx: click.Context, td_address: str | None, md_address: str | None, **options: Any) -> None:
    """检查本机与数据目录：交易日历、时钟、磁盘、存储、CTP 所需的库与 locale。有异常则退出码为 1。"""
    from app import doctor as examination

    given = {"交易前置": td_address, "行情前置": md_address}
    lines = examination.examine(_settings(ctx, options), {word: address for word, address in given.items() if address})
    for line in examination.table(lines):
        click.echo(line)
    sys.exit(1 if examination.failed(lines) else 0)


@main.command()
@settings_options
@click.argument("target", metavar="FILE|DIR", type=click.Path(path_type=Path))
@click.pass_context
def backup(ctx: click.Context, target: Path, **options: Any) -> None:
    """把数据目录与策略备份成一个文件；不必停机。给目录则在其中新建一个。"""
    from app.backup import back_up

    written = back_up(_settings(ctx, options), target, click.echo)
    click.echo(f"已备份到 {written}（{written.stat().st_size / 1e6:.1f} MB）")


@main.command()
@settings_options
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="数据目录不是空的：先把现有的移到旁边")
@click.option("--stop", "stop_first", is_flag=True, help="先结束这个数据目录仍在运行的全部进程")
@click.pass_context
def restore(ctx: click.Context, source: Path, replace: bool, stop_first: bool, **options: Any) -> None:
    """从备份恢复数据目录与策略；之后各账户须重新登录。"""
    from app import backup as backups
    from app import supervisor

    settings = _settings(ctx, options)
    if stop_first:
        supervisor.end_all(settings)
    backups.restore(settings, source, replace, click.echo)


@main.command("auth-code")
@settings_options
@click.option("--code", metavar="CODE", help="新的授权码；不给则提示输入，不会留在命令历史里")
@click.pass_context
def auth_code(ctx: click.Context, code: str | None, **options: Any) -> None:
    """设置服务器的授权码（登录与注销时要用），只保存其散列。"""
    settings = _ready_settings(ctx, options)
    if code is None:
        code = click.prompt("新的授权码", hide_input=True, confirmation_prompt="再输入一次")
    with _authorization(settings) as authorization:
        authorization.change(code)
    click.echo("授权码已修改")


@main.command("fronts")
@settings_options
@click.argument("action", metavar="[list|allow|forget]", type=click.Choice(["list", "allow", "forget"]), default="list")
@click.argument("account", metavar="[账户]", default="")
@click.argument("front", metavar="[前置]", default="")
@click.pass_context
def fronts(ctx: click.Context, action: str, account: str, front: str, **options: Any) -> None:
    """各账户可登录的期货公司前置。缺省列出；allow 再许一组（名单上的名字，或“交易前置 行情前置”）；forget 忘掉，以下次登录成功的为准。"""
    from contextlib import closing

    from app.gateway.identity import Identity
    from app.gateway.transfer.bar_import import find_account
    from app.lib.brokers import Brokers, front_of
    from app.model import open_store

    settings = _ready_settings(ctx, options)
    brokers = Brokers(settings.fronts)
    if action == "list":
        _list_fronts(settings, brokers)
        return
    account = find_account(settings, account)
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
    from contextlib import closing

    from app.gateway.identity import Identity
    from app.model import open_store, store_path

    for name in brokers.names:
        click.echo(f"名单  {name}  {brokers.front(name)}")
    for folder in sorted(settings.data_dir.glob("accounts/ctp*")):
        if store_path(settings.data_dir, folder.name).exists():
            with closing(open_store(settings, folder.name, ship=False)) as store:
                click.echo(f"账户  {folder.name}  {'；'.join(Identity(store).fronts) or '尚未登录成功，或已忘掉'}")


@main.command("import-bars")
@settings_options
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--account", metavar="KEY", default="", help="账户，如 sim-9999-demo；或用后两项；只有一个账户时可省")
@click.option("--brokerid", metavar="ID", default="", help="经纪商代码；模拟账户可省")
@click.option("--userid", metavar="ID", default="", help="用户代码")
@click.option("--symbol", metavar="SYMBOL", default="", help="文件中没有合约列时，是哪个合约，如 rb2401.SHFE")
@click.option("--label", type=click.Choice(["start", "end"]), help="时间是 K 线的开始还是结束；不给则由交易节首尾的 K 线判断")
@click.pass_context
def import_bars(
    ctx: click.Context, files: tuple[Path, ...], account: str, brokerid: str, userid: str, symbol: str, label: str | None, **options: Any
) -> None:
    """导入 1 分钟 K 线：CSV（可压缩为 gz）与 Parquet。可重复执行：相同时刻的以文件为准；有坏行的文件整个不导入。"""
    from app.gateway.identity import account_of
    from app.gateway.registry import PAPER_BROKER
    from app.gateway.transfer import bar_import
    from app.lib import calendar, memory

    memory.bound()
    settings = _ready_settings(ctx, options)
    calendar.use_overrides(settings.calendar_file)
    if not account and (brokerid or userid):
        paper = settings.interface == "sim"
        account = account_of(settings, "sim" if paper else "ctp", brokerid or (PAPER_BROKER if paper else ""), userid)
    account = bar_import.find_account(settings, account)
    if not all([_import_file(settings, account, path, symbol, label or "") for path in files]):
        sys.exit(1)


def _import_file(settings: Settings, account: str, path: Path, symbol: str, label: str) -> bool:
    """One file, its progress on stderr where that is a terminal. Returns whether it went well."""
    from tqdm import tqdm

    from app.gateway.transfer.bar_import import account_writer, save_in_chunks
    from app.lib.bar_files import read_bar_file

    try:
        with tqdm(desc=f"读取 {path.name}", unit=" 根", leave=False, disable=None) as progress:
            series = read_bar_file(path, symbol, label, progress.update)
        total = sum(map(len, series.values()))
        with tqdm(desc=f"写入 {path.name}", unit=" 根", total=total, leave=False, disable=None) as progress:
            with account_writer(settings, account) as save:
                for local_symbol, bars in series.items():
                    for count in save_in_chunks(save, local_symbol, bars):
                        progress.update(count)
    except AppError as error:
        click.echo(error.message, err=True)
        click.echo(f"{path}：未导入", err=True)
        return False
    for local_symbol, bars in series.items():
        click.echo(f"{path}：{local_symbol} {len(bars)} 根，{_minute(bars[0].timestamp)} 至 {_minute(bars[-1].timestamp)}")
    return True


@main.command("import-mongo")
@settings_options
@click.option("--uri", metavar="URI", envvar="SOURCE_MONGO_URI", help="来源；含密码时写在环境变量 SOURCE_MONGO_URI；缺省为 mongo_uri")
@click.option("--database", metavar="NAME", default="ctp_bar", show_default=True, help="来源的库：每个合约一个集合")
@click.option("--account", metavar="KEY", default="", help="账户，如 sim-9999-demo；只有一个账户时可省")
@click.option("--label", type=click.Choice(["start", "end"]), help="时间是 K 线的开始还是结束；不给则由交易节首尾的 K 线判断")
@click.pass_context
def import_mongo(ctx: click.Context, uri: str | None, database: str, account: str, label: str | None, **options: Any) -> None:
    """导入原后端存在 MongoDB 里的 1 分钟 K 线（不改动来源）。中断后再次执行即接着导入；没有变化的合约不再读。"""
    from contextlib import closing

    from app.gateway.transfer.bar_import import account_writer, find_account
    from app.gateway.transfer.mongo_import import Notes, Source
    from app.lib import calendar

    settings = _ready_settings(ctx, options)
    calendar.use_overrides(settings.calendar_file)
    account = find_account(settings, account)
    if not (uri or settings.mongo_uri):
        raise SettingsError("请用 --uri 指明来源", parameter="uri")
    with closing(Source(uri or settings.mongo_uri, database)) as source, account_writer(settings, account) as save:
        notes = Notes(settings.data_dir / "accounts" / account, source.name)
        results = [_import_collection(source, name, label or "", save, notes) for name in source.collections()]
    click.echo(f"{source.name}：{len(results)} 个集合，导入 {sum(count for _, count in results)} 根")
    if not all(good for good, _ in results):
        sys.exit(1)


def _import_collection(source: Source, name: str, label: str, save: Save, notes: Notes) -> tuple[bool, int]:
    """One collection, its progress on stderr where that is a terminal. Returns whether all of it is here now, and how many bars came in."""
    from tqdm import tqdm

    from app.gateway.transfer.bar_import import CannotSave
    from app.gateway.transfer.mongo_import import SourceFailed, import_collection

    extent = source.extent(name)
    if notes.has(name, extent):
        click.echo(f"{name}：已导入，没有变化")
        return True, 0
    try:
        with (
            tqdm(desc=f"读取 {name}", unit=" 份", total=extent[0], leave=False, disable=None) as read,
            tqdm(desc=f"写入 {name}", unit=" 根", total=extent[0], leave=False, disable=None) as written,
        ):
            found = import_collection(source, name, label, save, read.update, written.update)
    except (SourceFailed, CannotSave):  # no other collection would fare better
        raise
    except AppError as error:
        click.echo(f"{name}：未导入：{error.message}", err=True)
        return False, 0
    for problem in found.problems[:MOST_NAMED]:
        click.echo(problem, err=True)
    left_out = f"，{len(found.problems)} 份不是 K 线，未导入" if found.problems else ""
    repeated = f"，{found.repeated} 份重复，以后写的为准" if found.repeated else ""
    if found.bars:
        span = f"，{_minute(found.first)} 至 {_minute(found.last)}"
        click.echo(f"{name}：{found.documents} 份，导入 {found.bars} 根{span}{repeated}{left_out}")
    else:
        click.echo(f"{name}：{found.documents} 份，没有可导入的 K 线{left_out}")
    if not found.problems:
        notes.add(name, extent)
    return not found.problems, found.bars


@main.command("export")
@settings_options
@click.option("--to", "target", metavar="DIR", required=True, type=click.Path(path_type=Path), help="写到哪里：空目录，或尚不存在")
@click.option("--bars", type=click.Choice(["csv", "parquet"]), default="parquet", show_default=True, help="K 线的格式")
@click.pass_context
def export(ctx: click.Context, target: Path, bars: str, **options: Any) -> None:
    """导出全部账户的 K 线、流水、设置与策略（须先停止服务）；用于备份、换机器、换存储。"""
    from tqdm import tqdm

    from app.gateway.transfer import moving

    settings = _ready_settings(ctx, options)
    with moving.stopped_server(settings), tqdm(desc="导出", unit=" 行", leave=False, disable=None) as progress:
        moved = moving.export(settings, target, bars, progress.update)
    _say_moved(moved)
    click.echo(f"已导出到 {target}")


@main.command("import")
@settings_options
@click.argument("source", metavar="DIR", type=click.Path(path_type=Path))
@click.pass_context
def import_(ctx: click.Context, source: Path, **options: Any) -> None:
    """导入 export 写的目录（须先停止服务）：已有的同键行以导入的为准，其余不动。可重复执行。"""
    from tqdm import tqdm

    from app.gateway.transfer import moving

    settings = _ready_settings(ctx, options)
    total = sum(entry.rows for entry in moving.read_manifest(source))
    with moving.stopped_server(settings), tqdm(desc="导入", unit=" 行", total=total, leave=False, disable=None) as progress:
        moved = moving.load(settings, source, progress.update)
    _say_moved(moved)
    click.echo(f"已导入 {source}")


def _say_moved(moved: list[Moved]) -> None:
    from itertools import groupby

    for scope, entries in groupby(moved, key=lambda entry: entry.scope):
        click.echo(f"{scope}：{'，'.join(f'{entry.table} {entry.rows} 行' for entry in entries)}")


def _minute(timestamp: int) -> str:
    from datetime import datetime

    from app.lib.calendar import SHANGHAI

    return datetime.fromtimestamp(timestamp / 1000, SHANGHAI).strftime("%Y-%m-%d %H:%M")


def _merged(ctx: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """What was given after the command's name goes before what was given in front of it."""
    return (ctx.obj or {}) | {key: value for key, value in options.items() if value is not None}


def _settings(ctx: click.Context, options: dict[str, Any]) -> Settings:
    from app.settings import Settings

    return Settings.load(**_merged(ctx, options))


def _ready_settings(ctx: click.Context, options: dict[str, Any]) -> Settings:
    """The settings of a command that uses the data directory, which is there and fit for use."""
    from app import data_dir

    settings = _settings(ctx, options)
    data_dir.prepare(settings.data_dir)
    return settings


@contextmanager
def _authorization(settings: Settings, ship: bool = True) -> Iterator[AuthorizationCode]:
    from app.auth import AuthorizationCode
    from app.model import SERVER, open_store

    store = open_store(settings, SERVER, ship)
    try:
        yield AuthorizationCode(store, settings.is_public)
    finally:
        store.close()


def _check_public(settings: Settings, ship: bool = False) -> bool:
    """Refuse to serve others unsafely; returns whether the authorization code is still the default."""
    with _authorization(settings, ship) as authorization:
        settings.check_public(authorization.is_default)
        return authorization.is_default


def _run_all(settings: Settings) -> int:
    from app import logs, supervisor
    from app.gateway.process import AlreadyRunning

    _check_public(settings, ship=True)  # here already, lest the web is started only to be told so; a new directory learns of the code
    logs.set_up(settings, "supervisor", console=True)
    try:
        code = supervisor.Supervisor(settings, PROGRAM).run()
        if code:
            click.echo(f"网页服务没能启动（退出码 {code}），原因见上面，或日志 {settings.data_dir / 'logs' / 'web.log'}", err=True)
        return code
    except AlreadyRunning:
        click.echo(supervisor.who_runs(settings), err=True)
        return 1


def _run_web(settings: Settings) -> int:
    import logging

    from app import create_app, logs, supervisor
    from app.ext import listening_socket, serve
    from app.gateway.process import AlreadyRunning, Lock
    from app.gateway.registry import Registry
    from app.private import hide_memory

    hide_memory()
    logs.set_up(settings, settings.web_name, console=True)
    registry = Registry(settings.data_dir)
    try:
        claim = Lock(settings.data_dir, settings.web_name)
    except AlreadyRunning:
        click.echo(supervisor.who_runs(settings), err=True)
        return supervisor.EXIT_ALREADY_RUNS
    try:
        sock = listening_socket(settings.host, settings.port)
    except OSError as error:
        click.echo(f"无法监听 {settings.host}:{settings.port}：{error.strerror or error}。换一个端口（--port）试试", err=True)
        return supervisor.EXIT_CANNOT_BIND
    try:
        _end_on_signals()
        default_code = _check_public(settings)
        app = create_app(settings)
        address = _address(settings.host, sock.getsockname()[1])
        registry.register(name=settings.web_name, kind="web", address=address)
        say = logging.getLogger("app.web").info if settings.log_to == "stdout" else click.echo  # there are lines of the log alone there
        say(f"ctpbee_backend {_version()} 已启动：{address}")
        say(f"数据目录：{settings.data_dir}")
        if default_code:
            say("授权码是缺省的 000000，可用 python run.py auth-code 修改")
        sys.stdout.flush()
        serve(app, settings, sock)
    finally:
        registry.unregister(settings.web_name)
        sock.close()
        claim.close()
    return 0


def _address(host: str, port: int) -> str:
    """Where to find the web from this machine."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _leave(code: int) -> NoReturn:
    """End now: all is said and closed, and taking a web's interpreter apart takes longer than a user should wait."""
    import logging
    import os

    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _end_on_signals() -> None:
    """End the web by SystemExit, and hard when something has swallowed that: it holds no state that would be lost."""
    import os
    import signal

    def end_now(_number: int, _frame: object) -> None:
        os._exit(0)

    def end(_number: int, _frame: object) -> None:
        if hasattr(signal, "SIGALRM"):
            signal.signal(signal.SIGALRM, end_now)
            signal.setitimer(signal.ITIMER_REAL, END_LIMIT)
        raise SystemExit(0)

    for name in ("SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), end)


def wsgi_app() -> Flask:
    """The web for uWSGI (uwsgi.ini) or gunicorn, which listens and ends it; settings by environment."""
    from app.async_mode import patch

    patch(None)  # uWSGI's own gevent-monkey-patch comes only after this function, when threads of ours run already
    from app import create_app, data_dir, logs
    from app.gateway.process import AlreadyRunning, Lock
    from app.private import hide_memory, keep_to_itself
    from app.settings import Settings

    keep_to_itself()
    hide_memory()
    settings = Settings.load()
    data_dir.prepare(settings.data_dir)
    logs.set_up(settings, settings.web_name, console=True)
    _check_public(settings)
    app = create_app(settings)
    try:
        app.extensions["claim"] = Lock(settings.data_dir, settings.web_name)  # held while this process lives: a restore asks for it
    except AlreadyRunning:  # gunicorn starts a new worker before it ends the old one
        app.logger.warning("another web has the number %d: each needs one of its own", settings.instance)
    _watch_a_worker()
    return app


def _watch_a_worker() -> None:
    """Let a worker of uWSGI whose loop hangs end itself. Not its master, which has no loop; gunicorn watches its workers itself."""
    import atexit

    from app.hang import HangWatch

    try:
        import uwsgi  # type: ignore[import-untyped]
    except ImportError:  # it is there in uWSGI's processes alone
        return
    if uwsgi.worker_id():
        watch = HangWatch()
        watch.start()
        atexit.register(watch.stop)


def _as_a_program() -> None:
    """What it writes is its owner's alone; who imports this module keeps the habits of his own process."""
    from app.private import keep_to_itself

    keep_to_itself()
    main()


if __name__ == "__main__":
    _as_a_program()
