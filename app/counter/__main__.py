"""`python -m app.counter`: the built-in counter's process. Settings come through the environment.

Ends at SIGTERM or SIGINT within a second. Exit codes: 0 asked to, 1 it could not start (the log says why).
"""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import sys

from app import logs
from app.counter.core import Core
from app.counter.markets.market import Market
from app.counter.server import CounterServer, Outgoing
from app.counter.state import State, StateTooNew
from app.lib import calendar
from app.lib.errors import SettingsError
from app.lib.market_orders import market_orders
from app.settings import Settings
from app.wire.channel import new_address
from app.wire.registry import Registry

TEST_SOCKET = "COUNTER_TEST_SOCKET"

log = logging.getLogger("app.counter")


def main() -> int:
    try:
        settings = Settings.load()
        calendar.keep_in(settings.data_dir)
        calendar.use_overrides(settings.calendar_file)
    except SettingsError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    logs.set_up(settings, "counter")
    try:
        market = open_market(settings)
        state = State(settings.data_dir / "counter" / "counter.db")
        server = _server(settings, state, market)
    except (SettingsError, StateTooNew) as error:
        log.error("%s", error)
        return 1
    except sqlite3.OperationalError as error:
        log.error("柜台数据库打不开（是否已有一个柜台在运行？）：%s", error)
        return 1
    except sqlite3.DatabaseError as error:
        log.error("柜台数据库已损坏，请从备份恢复（%s）：%s", settings.command("restore"), error)
        return 1
    registry = Registry(settings.data_dir)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    registry.register(name="counter", kind="counter", address=server.address)
    log.info("counter is up, trading day %s", market.trading_day())
    try:
        server.run()
    finally:
        registry.unregister("counter")
        state.close()
    log.info("counter ended")
    return 0


def open_market(settings: Settings) -> Market:
    """The market that the settings ask for. Raises SettingsError when the file to replay is missing or
    unreadable.
    """
    if settings.counter_quotes == "generated":
        from app.counter.markets.generator import GeneratedMarket

        return GeneratedMarket.open(settings)
    from app.counter.markets.replay import ReplayedMarket

    return ReplayedMarket.open(settings)


def _server(settings: Settings, state: State, market: Market) -> CounterServer:
    address = new_address(Registry(settings.data_dir).run_dir, "counter.sock")
    taken = market_orders(settings.market_orders)
    test_address = os.environ.get(TEST_SOCKET)
    if not test_address:
        return CounterServer(Core(state, market, settings.counter_capital, taken), address, Outgoing())
    from app.counter.faults import FaultListener, FaultyCore, FaultyMarket, FaultyOutgoing

    core = FaultyCore(state, FaultyMarket(market), settings.counter_capital, taken)
    outgoing = FaultyOutgoing(core)
    server = CounterServer(core, address, outgoing)
    FaultListener(test_address, server, core, outgoing).start()
    return server


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    os._exit(
        code
    )  # all is on disk and closed; taking the interpreter apart costs most of a second on a busy machine
