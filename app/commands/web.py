"""`run.py web`, and the web's application for uWSGI and gunicorn. The web's own process, main thread.

It is patched as the first thing, so nothing but click and what the commands share is imported up here.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from app.commands.common import merged, ready_settings, settings_options
from app.lib.program import version

if TYPE_CHECKING:
    from flask import Flask

    from app.settings import Settings

END_LIMIT = 1.1  # seconds


@click.command("web")
@settings_options
@click.option("--instance", metavar="N", help="编号：几个网页进程同用一个数据目录时各有一个，端口也各有一个")
@click.option("--quiet", is_flag=True, help="启动后不打印地址等各行")
@click.pass_context
def web_command(ctx: click.Context, quiet: bool, **options: Any) -> None:
    """只运行网页服务（REST 与 Socket.IO）；重启它不影响已登录的账户。"""
    from app.web.async_mode import patch

    patch(merged(ctx, options)["config"])
    try:
        code = _serve(ready_settings(ctx, options), quiet)
    except SystemExit:  # a signal asked for the end
        code = 0
    _leave(code)


def _serve(settings: Settings, quiet: bool) -> int:
    """Until a signal asks for the end. Returns the exit code."""
    import logging

    from app import create_app, logs
    from app.commands import supervisor
    from app.commands.auth_code import check_public
    from app.process.child import AlreadyRunning, Lock
    from app.process.private import hide_memory
    from app.web.serving import listening_socket, serve
    from app.wire.registry import Registry

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
        click.echo(supervisor.cannot_bind(settings, error), err=True)
        return supervisor.EXIT_CANNOT_BIND
    try:
        _end_on_signals()
        default_code = check_public(settings)
        app = create_app(settings)
        port = sock.getsockname()[1]
        address = _address(settings.host, port)
        registry.register(
            name=settings.web_name, kind="web", address=address, bound=f"{settings.host}:{port}"
        )
        logging.getLogger("app.web").info("ctpbee_backend %s serves at %s", version(), address)
        if not quiet and settings.log_to != "stdout":  # there are lines of the log alone there
            _say_where(settings, address, default_code)
        serve(app, settings, sock)
    finally:
        registry.unregister(settings.web_name)
        sock.close()
        claim.close()
    return 0


def _say_where(settings: Settings, address: str, default_code: bool) -> None:
    click.echo(f"ctpbee_backend {version()} 的网页服务已启动：{address}")
    click.echo(f"数据目录：{settings.data_dir}，日志在其中的 logs/{settings.web_name}.log")
    click.echo(f"账户登录要有网关主机：另行运行 {settings.command('host')}")
    if default_code:
        click.echo(f"授权码是缺省的 000000，可用 {settings.command('auth-code')} 修改")
    sys.stdout.flush()


def _address(host: str, port: int) -> str:
    """Where to find the web from this machine."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _leave(code: int) -> NoReturn:
    """End now: all is said and closed, and taking a web's interpreter apart takes longer than a user should
    wait.
    """
    import logging
    import os

    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _end_on_signals() -> None:
    """End the web by SystemExit, and hard when something has swallowed that: it holds no state that would be
    lost.
    """
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


def serve_under_another() -> Flask:
    """The application for a server that listens and ends it. Raises what a bad setting raises."""
    from app.web.async_mode import patch

    # uWSGI's own gevent-monkey-patch comes only after this function, when threads of ours run already
    patch(None)
    from app import create_app, data_dir, logs
    from app.commands.auth_code import check_public
    from app.process.child import AlreadyRunning, Lock
    from app.process.private import hide_memory, keep_to_itself
    from app.settings import Settings

    keep_to_itself()
    hide_memory()
    settings = Settings.load()
    data_dir.prepare(settings.data_dir)
    logs.set_up(settings, settings.web_name, console=True)
    check_public(settings)
    app = create_app(settings)
    try:
        # held while this process lives: a restore asks for it
        app.extensions["claim"] = Lock(settings.data_dir, settings.web_name)
    except AlreadyRunning:  # gunicorn starts a new worker before it ends the old one
        app.logger.warning("another web has the number %d: each needs one of its own", settings.instance)
    _watch_a_worker()
    return app


def _watch_a_worker() -> None:
    """Let a worker of uWSGI whose loop hangs end itself. Not its master, which has no loop; gunicorn watches
    its workers itself.
    """
    import atexit

    from app.web.hang import HangWatch

    try:
        import uwsgi  # type: ignore[import-untyped]
    except ImportError:  # it is there in uWSGI's processes alone
        return
    if uwsgi.worker_id():
        watch = HangWatch()
        watch.start()
        atexit.register(watch.stop)
