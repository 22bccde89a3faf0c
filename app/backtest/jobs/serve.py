"""`python -m app.backtest.jobs.serve`: the process of backtests. Settings come through the environment.

Ends at SIGTERM or SIGINT within some seconds; what runs then is run again by the next one. Exit codes: 0
asked to end, 1 it could not start (the log says why).
"""

from __future__ import annotations

import contextvars
import logging
import os
import signal
import sys
import threading

from app import logs
from app.backtest.jobs.keeper import Keeper
from app.backtest.jobs.news import BacktestNews
from app.backtest.jobs.preparing import Preparing
from app.backtest.jobs.shelf import Shelf
from app.backtest.running.engines import engine_of
from app.lib import calendar, memory
from app.lib.errors import AppError
from app.process.end_signal import EndSignal
from app.process.private import hide_memory, keep_to_itself
from app.settings import Settings
from app.wire import channel
from app.wire.channel import Connection
from app.wire.messages import AnyRequest
from app.wire.registry import Registry
from app.wire.rpc import Responder, RpcServer, respond

NAME = "backtest"
NICENESS = 5

log = logging.getLogger("app.backtest")


def run(settings: Settings, end: EndSignal) -> None:
    """Until `end`. Raises StoreDown."""
    registry = Registry(settings.data_dir)
    shelf = Shelf(settings.data_dir)
    news = BacktestNews(registry)
    engine = engine_of(settings, shelf.depot, max(settings.backtest_jobs, 1), shelf.work)
    keeper = Keeper(settings, shelf, engine, news, Preparing(settings, shelf.depot, shelf.folder))

    def handle(_connection: Connection, request: AnyRequest, reply: Responder) -> None:
        context = contextvars.copy_context()  # the request's id goes into what is logged there
        work = (respond, reply, lambda: keeper.answer(request))
        threading.Thread(target=context.run, args=work, name="call", daemon=True).start()

    registry.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = RpcServer(channel.new_address(registry.run_dir, f"{NAME}.sock"), handle)
    news.start()
    keeper.start()
    server.start()
    registry.register(name=NAME, kind=NAME, address=server.address)
    log.info("the process of backtests listens, %d at once", engine.width)
    end.wait()
    server.close()
    registry.unregister(NAME)
    keeper.stop()
    news.stop()
    shelf.close()
    log.info("the process of backtests ends")


def main() -> int:
    keep_to_itself()
    hide_memory()
    end = EndSignal()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: end.set())
    try:
        settings = Settings.load()
        calendar.keep_in(settings.data_dir)
        calendar.use_overrides(settings.calendar_file)
    except AppError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    logs.set_up(settings, NAME)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    memory.bound()
    try:
        run(settings, end)
    except AppError as error:
        log.error("%s", error.message)
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    os._exit(code)  # a thread that reads a store must not keep the process
