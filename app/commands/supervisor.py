"""All in one: what `run.py` without a command does, and `run.py stop`. A plain process, no trading state,
nothing monkey-patched.

It starts the host and the web as the commands `host` and `web`, or takes over those that an earlier one left
when it was killed, starts again what dies, and at its end ends everything of its data directory. When it is
killed itself, all goes on, and the next `run.py` takes over.
"""

from __future__ import annotations

import http.client
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import click

from app import logs
from app.commands.auth_code import check_public
from app.commands.common import check_quotes, settings_of, settings_options, to_stop
from app.commands.greeting import greeting, named, taken_over
from app.host.strategy_records import starting
from app.lib.errors import AppError
from app.process import child, family
from app.process.child import AlreadyRunning, Lock, Process
from app.process.end_signal import StopSignal
from app.process.kept import Kept
from app.settings import Settings
from app.web.built_page import is_built
from app.wire import channel
from app.wire.registry import Entry, Registry

EXIT_CANNOT_BIND = 4
EXIT_ALREADY_RUNS = 5

LOOK_EVERY = 0.1
PULSE_EVERY = 1.0
ANSWER_LIMIT = 5.0  # seconds that /healthz may take
SILENT_LIMIT = 15.0  # seconds without an answer, after which the web is ended, so that another one serves
GRACE_WEB = 1.3
GRACE_HOST = 3.2  # the host itself needs up to 3 s when gateways are stubborn
GRACE_OTHERS = 2.0
ORDER_OF_END = ("supervisor", "web", "host", "strategy", "backtest", "gateway", "counter")

log = logging.getLogger(__name__)


@click.command("stop")
@settings_options
@click.pass_context
def stop_command(ctx: click.Context, **options: Any) -> None:
    """结束这个数据目录仍在运行的全部进程，不论由谁启动。"""
    settings = settings_of(ctx, options)
    ended = end_all(settings)
    for entry in ended:
        click.echo(f"已结束 {entry.name}（pid {entry.pid}）")
    if not ended:
        click.echo(f"数据目录 {settings.data_dir} 没有在运行的进程")


def run_all(settings: Settings) -> int:
    """Everything, until a signal asks for the end. Returns the exit code; raises CannotBind."""
    check_quotes(settings)
    # here already, lest the web is started only to be told so; a new directory learns of the code
    default_code = check_public(settings, ship=True)
    logs.set_up(settings, "supervisor", console=True)
    say = click.echo if settings.log_to == "files" else log.info  # there are lines of the log alone there

    def greet(address: str) -> None:
        _say(say, greeting(settings, address, default_code, is_built(), datetime.now(UTC)))

    try:
        supervisor = Supervisor(settings, greet)
    except AlreadyRunning:
        click.echo(who_runs(settings), err=True)
        return 1
    _say(say, taken_over(settings, Registry(settings.data_dir).living()))
    code = supervisor.run()
    if not code:
        _say(say, ["已全部停止"])
    else:
        web_log = settings.data_dir / "logs" / "web.log"
        click.echo(f"网页服务没能启动（退出码 {code}），原因见上面，或日志 {web_log}", err=True)
    return code


def _say(say: Callable[[str], object], lines: Iterable[str]) -> None:
    """A terminal that has gone is no reason to end what is kept."""
    try:
        for line in lines:
            say(line)
        sys.stdout.flush()
    except OSError as error:
        log.warning("what starts is not read by anybody: %s", error)


class CannotBind(AppError):
    """The web's address cannot be had: choose another port, or end who has it."""

    default_code = "CANNOT_BIND"


class Pulse:
    """Asks the web whether it lives, in a thread of its own, and ends one that has been silent for too long:
    it may have no thread left to answer with, or take no connection any more, which app/web/hang.py does not
    see. A connection that is turned away is an answer too.
    """

    def __init__(
        self,
        registry: Registry,
        silent_limit: float = SILENT_LIMIT,
        answer_limit: float = ANSWER_LIMIT,
        every: float = PULSE_EVERY,
    ) -> None:
        self._registry = registry
        self._every = every
        self._silent_limit = silent_limit
        self._answer_limit = answer_limit
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="web-pulse", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        asked, heard = 0, time.monotonic()  # the pid of whom was asked, and when it last answered
        while not self._stopped.wait(self._every):
            entry = self._registry.find("web")
            if entry is None or not entry.address or entry.pid != asked or self._answers(entry.address):
                asked, heard = (0 if entry is None else entry.pid), time.monotonic()
            elif time.monotonic() - heard > self._silent_limit and not self._stopped.is_set():
                log.error(
                    "the web (pid %d) has not answered for %.0f s: it is ended",
                    entry.pid,
                    time.monotonic() - heard,
                )
                child.end([Process(entry.name, entry=entry)], 0.0)

    def _answers(self, address: str) -> bool:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=self._answer_limit)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except TimeoutError:
            return False
        except (OSError, http.client.HTTPException):
            return True
        finally:
            connection.close()
        return True


class Supervisor:
    """Keeps host and web of one data directory running until asked to stop."""

    def __init__(self, settings: Settings, on_up: Callable[[str], None]) -> None:
        """`on_up` is called once when web and host run, with the web's address. Raises AlreadyRunning."""
        self._settings = settings
        self._on_up: Callable[[str], None] | None = on_up
        self._registry = Registry(settings.data_dir)
        self._claim = Lock(settings.data_dir, "supervisor")
        self._web_has_run = False
        self._pulse = Pulse(self._registry)
        self._web = Kept(self._registry, "web", lambda: self._launch("web", "--quiet"))
        self._host = Kept(self._registry, "host", lambda: self._launch("host"))

    def run(self) -> int:
        """Until a signal asks to stop; then ends everything. When the web cannot be started at all, ends with
        its exit code and leaves alone what ran before. Returns the exit code.
        """
        stop = StopSignal()
        if self._registry.find("web") is None:
            _probe(self._settings)
        self._registry.register(name="supervisor", kind="supervisor")
        self._pulse.start()
        try:
            while not stop.asked:
                hopeless = self._look_at_the_web()
                if hopeless:
                    return hopeless
                # a host is started for a web that works only, since with its host everything ends
                if self._web_has_run:
                    self._host.look()
                    self._tell_once_up()
                time.sleep(LOOK_EVERY)
            self._end_everything()
            return 0
        finally:
            self._pulse.stop()
            self._registry.unregister("supervisor")
            self._claim.close()

    def _look_at_the_web(self) -> int:
        """0, or the exit code of a web that has never come up."""
        if not self._web_has_run and (entry := self._registry.find("web")) is not None:
            self._web_has_run = True
            if (
                entry.address
            ):  # a restarted web must be found where it was, even when any port would have done
                self._settings = self._settings.model_copy(update={"port": urlsplit(entry.address).port})
        dead = self._web.look()
        if self._web_has_run or dead is None or dead.exit_code is None or dead.exit_code == EXIT_ALREADY_RUNS:
            return 0
        return max(dead.exit_code, 0)  # below 0: somebody killed it, which says nothing against another try

    def _tell_once_up(self) -> None:
        if self._on_up is None or self._registry.find("host") is None:
            return
        if (web := self._registry.find("web")) is not None:
            self._on_up(web.address)
            self._on_up = None

    def _launch(self, name: str, *options: str) -> Process:
        command = [sys.executable, "-m", "app.commands", name, *options]
        return child.start(command, self._settings, name, console=True)

    def _end_everything(self) -> None:
        """The web first, so that nobody asks for what is just going; then the host, which ends what it
        watches; then what is left.
        """
        for kept, grace in ((self._web, GRACE_WEB), (self._host, GRACE_HOST)):
            if kept.process is not None:
                child.end([kept.process], grace)
        left = [
            Process(entry.name, entry=entry)
            for entry in self._registry.living()
            if entry.kind != "supervisor"
        ]
        child.end([*left, *starting(self._settings)], 0.0)
        self._registry.forget_the_dead()
        channel.forget_addresses(self._registry.run_dir)


def end_all(settings: Settings) -> list[Entry]:
    """End whatever of this data directory still runs, whoever started it. Returns what that was."""
    registry = Registry(settings.data_dir)
    ended = registry.living()
    # each ends what it watches, so that there is mostly nothing left for the later ones
    for kind in ORDER_OF_END:
        grace = (
            GRACE_WEB + GRACE_HOST + 1.0
            if kind == "supervisor"
            else GRACE_HOST
            if kind == "host"
            else GRACE_OTHERS
        )
        left = [Process(entry.name, entry=entry) for entry in registry.living(kind)]
        if kind == "strategy":
            family.end([*left, *starting(settings)], grace)
        else:
            child.end(left, grace)
    registry.forget_the_dead()
    channel.forget_addresses(registry.run_dir)
    return ended


def who_runs(settings: Settings) -> str:
    """A sentence about what runs on this data directory, for who wanted to start it twice."""
    entries = Registry(settings.data_dir).living()
    web = next((entry.address for entry in entries if entry.kind == "web"), "")
    where = f"，地址 {web}" if web else ""
    return (
        f"数据目录 {settings.data_dir} 已在使用：{named(entries) or '另一个进程'}{where}。"
        f"要停止：{to_stop(settings)}；要换端口等设置，先停止再启动"
    )


def cannot_bind(settings: Settings, error: OSError) -> str:
    """A sentence about an address that the web cannot have."""
    where = f"{settings.host}:{settings.port}"
    return f"无法监听 {where}：{error.strerror or error}。换一个端口（--port），或先结束占用它的程序"


def _probe(settings: Settings) -> None:
    """Raise CannotBind when the web could not listen there, before anything is started for nothing."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host or None, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as sock:
            if sys.platform != "win32":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
    except OSError as error:
        raise CannotBind(cannot_bind(settings, error)) from None
