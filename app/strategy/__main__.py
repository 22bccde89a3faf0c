"""`python -m app.strategy`: one strategy of one account, a process of its own, started by the host.

Who it is comes as one JSON line on stdin, everything else by environment. It joins its account's gateway,
hears how things stand, runs on_init, says so by a file in its folder (it may be confined, and cannot register
itself), and goes on until SIGTERM; when the gateway restarts it joins again. The first exception in a
callback ends it; what went wrong is in error.json beside its log. Its working orders stay at the counter
however it ends. Exit codes: 0 asked to end, 2 not startable, 5 the strategy failed. Threads: the main one
waits for the end, so that a signal is heard whatever the strategy does; the event thread runs the strategy,
from its import on; the relay's and the channel's have their own.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from app.bee import entities
from app.data_dir import strategy_folder
from app.files import write_whole
from app.lib.calendar import SHANGHAI
from app.lib.errors import AppError
from app.process.death import adopt_orphans
from app.process.end_signal import EndSignal
from app.process.event_loop import EventLoop
from app.process.family import end_descendants
from app.settings import Settings
from app.strategy.app import StrategyApp
from app.strategy.loader import failure, load, prepare
from app.strategy.output import Output
from app.strategy.relay import Relay
from app.wire.messages import (
    ERROR_FILE,
    EXIT_STRATEGY_FAILED,
    READY_FILE,
    JoinStrategy,
    StrategyBeat,
    StrategySaid,
    StrategyStart,
)
from app.wire.registry import PROTOCOL, Entry, Registry

EXIT_NOT_STARTABLE = 2
GATEWAY_LIMIT = 30.0
BEAT = 1.0  # seconds between two signs of life
"""Seconds within which the gateway has to be found at the start."""
NICENESS = 5
MEGABYTE = 1024 * 1024

log = logging.getLogger("strategy")


class Runner:
    """The strategy in its event thread. `on_end(exit code)` is called once, when it has failed."""

    def __init__(
        self,
        start: StrategyStart,
        find: Callable[[], Entry | None],
        folder: Path,
        on_end: Callable[[int], None],
    ) -> None:
        self._start = start
        self._folder = folder
        self._on_end = on_end
        self._failed = False
        self._app: StrategyApp | None = None
        self.loop = EventLoop()
        self.relay = Relay(find, JoinStrategy(start.name, start.version, start.secret, PROTOCOL), self)

    def say(self, level: str, created: str, message: str) -> None:
        """A line for the page. Any thread."""
        self.relay.tell(StrategySaid(self._start.name, level, created, message))

    def beat(self) -> None:
        """A sign of life, from the thread that runs the strategy."""
        self.relay.tell(StrategyBeat(self._start.name))

    def fail(self, error: BaseException) -> None:
        """End the process, with the reason in its folder (ERROR_FILE)."""
        self._failed = True
        try:
            report = failure(error, Path(self._start.path), datetime.now(SHANGHAI))
            log.error("策略异常，已停止：%s\n%s", report.message, report.traceback)
            write_whole(self._folder / ERROR_FILE, msgspec.json.encode(report))
        finally:  # it ends, even where the disk is full or memory has run out
            self._on_end(EXIT_STRATEGY_FAILED)

    # ── what the relay tells ──

    def post(self, function: Callable[..., Any], *args: Any) -> None:
        self.loop.post(self._run, function, *args)

    def on_state(self, state: entities.State) -> None:
        if self._app is None:
            self._begin(state)
        else:
            log.info("已重新连接账户网关")
            self._app.catch_up(state)

    def on_push(self, name: str, payload: bytes) -> None:
        app = self._app
        assert app is not None  # pushes come after the state
        match name:
            case "book":
                app.take_book(msgspec.msgpack.decode(payload, type=entities.Book))
            case "day":
                app.trading_day = msgspec.msgpack.decode(payload, type=str)
                app.forget_day(app.trading_day)
            case "config":
                app.config.update(msgspec.msgpack.decode(payload, type=dict[str, Any]))
                app.watch()
            case "fronts":
                app.fronts = msgspec.msgpack.decode(payload, type=dict[str, dict[str, str]])
            case "tick" | "bar" | "position" | "contract":
                app.hear(name, entities.decode(payload))
            case "order" | "trade":
                app.hear_own(name, entities.decode(payload))
            case "account":
                app.take_account(entities.decode(payload))

    def on_lost(self) -> None:
        log.warning("与账户网关的连接已断开，正在重连；策略继续运行，其间不能报单")

    # ── how ──

    def _begin(self, state: entities.State) -> None:
        """From the file to a running strategy."""
        prepare(self._folder)
        app = self._app = StrategyApp(self._start.name, self.relay.call)
        app.take(state)
        extension = load(Path(self._start.path))
        app.add_extension(extension)
        app.tell_found()
        app.begin()
        self.loop.every(lambda: float(app.config["TIMER_INTERVAL"]), lambda: self._run(app.on_timer))
        self.loop.every(lambda: BEAT, self.beat)
        (self._folder / READY_FILE).touch()
        log.info("策略 %s（版本 %d）已启动", self._start.name, self._start.version)

    def _run(self, function: Callable[..., Any], *args: Any) -> None:
        """The edge of the strategy: whatever comes out of it ends it."""
        if self._failed:
            return
        try:
            function(*args)
        except BaseException as error:
            self.fail(error)


def run(settings: Settings, start: StrategyStart) -> int:
    """Be the strategy until asked to end or until it fails; returns the exit code."""
    end = EndSignal()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: end.set(0))
    folder = strategy_folder(settings.data_dir, start.account, start.name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (ERROR_FILE, READY_FILE):
        (folder / name).unlink(missing_ok=True)
    if not Path(start.path).is_file():
        sys.stderr.write(f"没有策略文件 {start.path}\n")
        return EXIT_NOT_STARTABLE
    registry = Registry(settings.data_dir)
    runner = Runner(start, lambda: _gateway(registry, start), folder, end.set)
    faulthandler.enable(os.dup(2))  # the process's own stderr: a crash is not caught by what follows
    output = Output(folder, runner.say)
    output.begin(settings.log_level)
    threading.Thread(target=runner.loop.run, name="events", daemon=True).start()
    runner.relay.start()
    threading.Thread(
        target=_await_gateway, args=(runner.relay, start, end), name="gateway", daemon=True
    ).start()
    code = end.wait()
    if code == 0:
        log.info("策略 %s 停止", start.name)
    output.end()
    runner.relay.stop(flush=0.2)
    return code


def _gateway(registry: Registry, start: StrategyStart) -> Entry | None:
    """The account's gateway at its door for strategies. One that is confined cannot read the registry: it has
    been told the door, and the gateway itself looks at its PROTOCOL.
    """
    if start.door:
        return Entry(name=start.gateway, kind="gateway", pid=0, started=0.0, address=start.door)
    entry = registry.find(start.gateway)
    return msgspec.structs.replace(entry, address=entry.door) if entry is not None else None


def _await_gateway(relay: Relay, start: StrategyStart, end: EndSignal) -> None:
    if not relay.joined.wait(GATEWAY_LIMIT):
        log.error("%d 秒内没有找到账户的网关 %s", GATEWAY_LIMIT, start.gateway)
        end.set(EXIT_NOT_STARTABLE)


def limit_process(address_space: int) -> None:
    """Below everybody else's priority, and no more address space than this many MB (0: any): a backstop,
    POSIX only.
    """
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if address_space:
        limit = address_space * MEGABYTE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> int:
    try:
        settings = Settings.load()
        start = msgspec.json.decode(sys.stdin.buffer.readline(), type=StrategyStart)
        limit_process(start.address_space)
        adopt_orphans()  # what the strategy starts can be found, and ended, however it hides
        return run(settings, start)
    except (AppError, msgspec.DecodeError, OSError) as error:
        sys.stderr.write(f"策略无法启动：{error}\n")
        return EXIT_NOT_STARTABLE


if __name__ == "__main__":
    exit_code = main()
    end_descendants(os.getpid())  # what it has started meanwhile the host could not find any more
    os._exit(exit_code)  # a strategy that does not end must not keep the process
