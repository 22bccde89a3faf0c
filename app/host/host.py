"""The host: what of it answers which call, and its life. A process of its own.

It starts one gateway per account (gateway_keeper.py), the built-in counter (counter_keeper.py), the accounts'
strategies (strategy_keeper.py) and the process of backtests (backtest_keeper.py), watches them, and says
where they are. It has no trading state:
when it is killed all of them go on, and the next host takes them over by the registry. Threads: one per
caller of the RPC server, one per call under way that may take long, one that watches, and the keepers'.
"""

from __future__ import annotations

import contextvars
import itertools
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from app.host.backtest_keeper import BACKTEST, BacktestKeeper
from app.host.counter_keeper import COUNTER, CounterKeeper
from app.host.gateway_keeper import GATEWAY, GatewayKeeper
from app.host.launcher import Launcher
from app.host.leftovers import Leftovers
from app.host.strategy_keeper import STRATEGY, StrategyKeeper
from app.lib.errors import BadInput
from app.model import HOST, SERVER, open_store
from app.model.sessions import Sessions
from app.process.child import Lock
from app.process.end_signal import StopSignal
from app.settings import Settings
from app.wire import channel
from app.wire.channel import Connection
from app.wire.messages import (
    AnyReply,
    AnyRequest,
    DeleteStrategy,
    Done,
    ListAccounts,
    ListStrategies,
    LogIn,
    LogOut,
    ReadCode,
    ReadStrategyLog,
    RestartStrategy,
    SaveCode,
    ShutDown,
    StartBacktests,
    StartStrategy,
    StopStrategy,
    Visited,
)
from app.wire.registry import Registry
from app.wire.rpc import Last, Responder, RpcServer, respond

LOOK_EVERY = 0.2
ADOPT_EVERY = 5  # looks
AT_ONCE = (ListAccounts, Visited)
"""What is answered in the caller's thread; all else may take long, and has one of its own."""

log = logging.getLogger(__name__)


class Host:
    """See the module. `gateway`, `counter` and `strategy` are the commands that start those."""

    def __init__(
        self,
        settings: Settings,
        gateway: Sequence[str] = GATEWAY,
        counter: Sequence[str] = COUNTER,
        strategy: Sequence[str] = STRATEGY,
        backtest: Sequence[str] = BACKTEST,
    ) -> None:
        self._registry = Registry(settings.data_dir)
        self._store = open_store(settings, HOST)
        self._server_store = open_store(settings, SERVER, ship=False)
        self._launch = Launcher(settings)
        self._counter = CounterKeeper(self._registry, self._launch, counter)
        self._backtests = BacktestKeeper(settings, self._registry, self._launch, backtest)
        self._strategies = StrategyKeeper(
            settings, self._registry, self._store, self._launch, lambda: self._gateways.ready(), strategy
        )
        self._gateways = GatewayKeeper(
            settings,
            self._registry,
            self._launch,
            self._counter,
            self._strategies,
            Sessions(self._server_store),
            gateway,
        )
        self._handlers: dict[type[AnyRequest], Callable[[Any], AnyReply]] = {
            LogIn: self._gateways.log_in,
            LogOut: self._gateways.log_out,
            ListAccounts: self._gateways.list_accounts,
            Visited: self._gateways.visited,
            ListStrategies: self._strategies.rows,
            StartStrategy: self._strategies.run,
            StopStrategy: self._strategies.stop,
            RestartStrategy: self._strategies.run_again,
            DeleteStrategy: self._strategies.delete,
            SaveCode: self._strategies.save_code,
            ReadCode: self._strategies.read_code,
            ReadStrategyLog: self._strategies.read_log,
            StartBacktests: self._start_backtests,
        }
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._registry.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._server = RpcServer(channel.new_address(self._registry.run_dir, "host.sock"), self._handle)

    def start(self) -> None:
        """Adopt what an earlier host left, watch, and listen."""
        self._gateways.start()
        self._strategies.start()
        self._watcher.start()
        self._server.start()
        self._registry.register(name="host", kind="host", address=self._server.address)
        log.info("host listens, %d gateways adopted", len(self._registry.living("gateway")))

    def ask_to_stop(self) -> None:
        self._launch.stopping.set()

    def wait(self, asked: Callable[[], bool]) -> None:
        """Until told to stop by a call, or `asked` (a signal) says so."""
        while not asked() and not self._launch.stopping.wait(0.1):
            pass

    def stop(self) -> None:
        """End strategies, gateways, backtests and counter, within 4 s, and leave no entry behind."""
        self._launch.stop()
        self._watcher.join(1.0)
        strategies = threading.Thread(target=self._strategies.end_all, name="end-strategies")
        backtests = threading.Thread(target=self._backtests.end, name="end-backtests")
        backtests.start()
        strategies.start()  # beside the gateways: those that have to be killed must not add up
        self._gateways.end_all()
        strategies.join()
        backtests.join()
        self._counter.end()
        self._registry.forget_the_dead()
        self._server.close()
        self._registry.unregister("host")
        self._store.close()
        self._server_store.close()
        log.info("host ends")

    def answer(self, request: AnyRequest) -> AnyReply:
        """The answer to any call but ShutDown. Raises what the message says."""
        handler = self._handlers.get(type(request))
        if handler is None:
            raise BadInput("request", f"网关主机不答 {type(request).__name__}")
        return handler(request)

    def _start_backtests(self, _request: StartBacktests) -> Done:
        self._backtests.ensure()
        return Done()

    def _handle(self, _connection: Connection, request: AnyRequest, reply: Responder) -> None:
        if isinstance(request, ShutDown):
            reply(Last(Done(), self.ask_to_stop))
        elif isinstance(request, AT_ONCE):
            reply(self.answer(request))
        else:
            _in_a_thread(reply, lambda: self.answer(request))

    def _watch(self) -> None:
        rounds = itertools.count()
        while not self._launch.stopping.wait(LOOK_EVERY):
            try:
                if next(rounds) % ADOPT_EVERY == 0:
                    self._gateways.adopt_the_living()
                    self._strategies.adopt_the_living()
                self._gateways.look()
                self._strategies.look()
                self._backtests.look()
            except Exception:  # the edge of the thread: whatever it was, watching goes on
                log.exception("watching failed")


def _in_a_thread(reply: Responder, function: Callable[[], AnyReply]) -> None:
    """Reply with what `function` returns or raises, later. A daemon thread: a login that waits for a front
    does not hold up the end.
    """
    context = contextvars.copy_context()  # the request's id goes into what is logged there
    threading.Thread(target=context.run, args=(respond, reply, function), name="call", daemon=True).start()


def run(
    settings: Settings,
    gateway: Sequence[str] = GATEWAY,
    counter: Sequence[str] = COUNTER,
    strategy: Sequence[str] = STRATEGY,
) -> None:
    """The host process, until SIGTERM, SIGINT or ShutDown. Raises AlreadyRunning."""
    claim = Lock(settings.data_dir, "host")
    server = (
        open_store(settings, SERVER) if settings.mongo_uri else None
    )  # the web's file: it writes there, this process ships
    host = Host(settings, gateway, counter, strategy)
    stop = StopSignal()
    leftovers = Leftovers(settings, server) if server is not None else None
    host.start()
    if leftovers is not None:
        leftovers.start()
    host.wait(lambda: stop.asked)
    if leftovers is not None:
        leftovers.stop()
    host.stop()
    if server is not None:
        server.close()
    claim.close()
