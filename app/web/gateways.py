"""The web's connections to the host and to the gateways. Web process only; plain threads.

One `GatewayConnection`, with a thread of its own, per account whose gateway runs: it finds the gateway by
the registry (so a dead host does not matter), watches it, and when the connection breaks says so at once and
looks for the gateway again. Under eventlet and gevent the web's monkey patching makes all of this green.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

import msgspec

from app.lib.errors import AppError, GatewayDown, NeedsLogin
from app.settings import Settings
from app.web.recent_bars import RecentBars
from app.wire import deadlines, peer
from app.wire.messages import (
    BARS_SAVED,
    Accounts,
    AnyRequest,
    AwaitLogin,
    Beat,
    CancelAll,
    CancelOrder,
    CancelSelected,
    ClosePosition,
    Json,
    ListAccounts,
    LoggedIn,
    LoggedOut,
    LogIn,
    LogOut,
    PlaceOrder,
    Push,
    ReadBars,
    ReadMetrics,
    ReadStatus,
    SetRiskState,
    StartBacktests,
    Visited,
    Watch,
)
from app.wire.peer import StandingConnection
from app.wire.registry import PROTOCOL, Entry, Registry, gateway_of
from app.wire.rpc import RpcClient

NEEDS_LOGIN = "needs_login"
"""The reason given to `on_lost` when nobody will bring the gateway back: the account has to log in again."""

VISITED_SECONDS = 60.0  # how often the host is told which accounts somebody looks at
SCAN_SECONDS = 1.0  # how often the registry is looked at for gateways that somebody else started
SNAPSHOT_LIMIT = 3.0  # from connecting to the first one
HOST_TIMEOUT = 3.0  # for asking the host how an account stands
GRACE = 2.0  # how long a call waits for the connection to a gateway that runs
DEFAULT_TIMEOUT = 10.0
BACKTEST = "backtest"  # its name in the registry, and its kind
BACKTEST_TIMEOUT = 30.0  # a year of bars is read before a run is queued
SILENCES = (GatewayDown.default_code, "GATEWAY_TIMEOUT")  # of any process: the line broke, or no answer came
BACKTEST_SILENT = {
    True: "回测进程没有应答，所要求的可能已经做了：请先看回测的列表，再试",
    False: "回测进程没有应答，请稍后重试",
}
MARGIN = deadlines.HAND_OVER  # on top of what the gateway itself waits for the counter
BEAT = 1.0  # seconds between two questions whether a gateway is there
MOST_MISSED = 3  # beats without an answer: it is stopped, or so busy that it amounts to the same
FROZEN_TEXT = "网关没有应答：停顿或过忙"
LOGIN_MARGIN = (
    35.0  # on top of login_timeout: starting the counter and the gateway's process on a busy machine
)
PUSHES_PER_TURN = 128  # green threads: after so many pushes in a row the writers get their turn

log = logging.getLogger(__name__)


class GatewayConnection(StandingConnection):
    """One account's connection to its gateway, made again as often as it breaks."""

    def __init__(self, account: str, owner: Gateways) -> None:
        super().__init__(
            f"to-gateway-{account}", lambda: owner.registry.find(gateway_of(account)), Watch(), SNAPSHOT_LIMIT
        )
        self.account = account
        self.ready = threading.Event()  # the first snapshot of this connection is there
        self.is_frozen = False
        self._owner = owner
        self._reported = False  # whether on_lost has been called since the last snapshot
        self._pushed = 0

    def request_snapshot(self) -> None:
        """Have `on_snapshot` called, in order with the pushes. Without a connection it is called when there
        is one.
        """
        client = self.client
        if client is None:
            self.hurry()
            return
        try:
            client.ask(Watch(), self._on_snapshot)
        except GatewayDown:
            log.debug("the connection to %s has just broken; the next one brings a snapshot", self.account)

    # ── in the reader thread ──

    def on_open(self, snapshot: Json) -> None:
        """Pushes that follow are newer than this."""
        self._reported = False
        self._owner.on_snapshot(self.account, snapshot.payload)
        self.ready.set()

    def on_push(self, push: Push) -> None:
        if push.name == BARS_SAVED:
            self._owner.recent_bars.saved(self.account, push.symbol)
        else:
            self._owner.on_push(self.account, push)
        self._pushed += 1
        if self._pushed % PUSHES_PER_TURN == 0:
            time.sleep(0)

    def _on_snapshot(self, answer: Future[Any]) -> None:
        """One that was asked for once more."""
        error = answer.exception()
        if error is None:
            self.on_open(answer.result())
            return
        log.warning("no snapshot of %s: %s", self.account, error)
        client = self.client
        if client is not None:
            client.close()  # who waits for it gets the one of the next connection

    # ── in its own thread ──

    def goes_on(self) -> bool:
        if self._owner.given_up(self.account):
            self._owner.end(self, NEEDS_LOGIN)
            return False
        self._report("网关未连接，正在等待其恢复")
        return True

    def stay(self, client: RpcClient, entry: Entry, closed: threading.Event) -> None:
        log.info("connected to the gateway of %s, pid %d", self.account, entry.pid)
        self._listen_for_beats(client, closed)

    def on_broken(self, entry: Entry) -> None:
        self.is_frozen = False
        self.ready.clear()
        self._owner.recent_bars.forget(self.account)
        self._report("与网关的连接中断" if entry.alive else "网关进程已退出")

    def _listen_for_beats(self, client: RpcClient, closed: threading.Event) -> None:
        """Ask every second, until the connection breaks; the answer comes from the gateway's event thread,
        through which orders go.

        What is counted is turns without an answer and not seconds: a web that was stopped itself has missed
        one turn when it wakes.
        """
        answered, missed = threading.Event(), 0
        answered.set()
        while not closed.wait(BEAT) and not client.closed:
            if not answered.is_set():
                missed += 1
                if missed >= MOST_MISSED and not self.is_frozen:
                    self._freeze(True)
                continue
            missed = 0
            if self.is_frozen:
                self._freeze(False)
            answered.clear()
            client.ask(Beat(self._owner.has_pages(self.account)), lambda _answer: answered.set())

    def _freeze(self, is_frozen: bool) -> None:
        self.is_frozen = is_frozen
        log.warning("the gateway of %s %s", self.account, "does not answer" if is_frozen else "answers again")
        self._owner.on_frozen(self.account, FROZEN_TEXT if is_frozen else "")

    def _report(self, reason: str) -> None:
        """Once per loss."""
        if not self._reported and not self._stopped.is_set():
            self._reported = True
            log.warning("the gateway of %s is lost: %s", self.account, reason)
            self._owner.on_lost(self.account, reason)


class Gateways:
    """The web's view of host and gateways. Thread-safe.

    `on_push(account, push)` and `on_snapshot(account, json)` run in the connection's reader thread, in the
    gateway's order: what is pushed after a snapshot is newer than it. `on_lost(account, reason)` is called
    once per loss, and once more with NEEDS_LOGIN when the host says that the gateway will not come back.
    `on_frozen(account, reason)` is called when a gateway that is connected has not answered for some seconds,
    and with "" when it does again. `pages` says which accounts have a page open. None of them may call back
    into `call`.
    """

    def __init__(
        self,
        settings: Settings,
        on_push: Callable[[str, Push], None],
        on_snapshot: Callable[[str, bytes], None],
        on_lost: Callable[[str, str], None],
        on_frozen: Callable[[str, str], None] = lambda _account, _reason: None,
        pages: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._pages = pages
        self._asked: set[str] = set()  # accounts, since the host was last told
        self.registry = Registry(settings.data_dir)
        self.recent_bars = RecentBars()
        self.on_push = on_push
        self.on_snapshot = on_snapshot
        self.on_lost = on_lost
        self.on_frozen = on_frozen
        order = settings.order_timeout + MARGIN
        self._login_timeout = settings.login_timeout + LOGIN_MARGIN
        self._host_limit = settings.login_timeout
        self._timeouts: dict[type[Any], float] = {
            PlaceOrder: order,
            ClosePosition: order,
            CancelOrder: order,
            CancelAll: order,
            CancelSelected: order,
            SetRiskState: order,
            AwaitLogin: settings.login_timeout + MARGIN,
            ListAccounts: HOST_TIMEOUT,
            ReadBars: 20.0,
        }
        self._connections: dict[str, GatewayConnection] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._scout = threading.Thread(target=self._scan_forever, name="gateway-scout", daemon=True)

    def start(self) -> None:
        """Connect to all living gateways, and to those that come up later."""
        self._scan()
        self._scout.start()

    def stop(self) -> None:
        """Close every connection; gateways go on."""
        self._stopped.set()
        with self._lock:
            connections, self._connections = list(self._connections.values()), {}
        for connection in connections:
            connection.stop()

    def accounts(self) -> list[Entry]:
        """The living gateways."""
        return self.registry.living("gateway")

    def call(self, account: str, request: AnyRequest, timeout: float | None = None) -> Any:
        """Ask the account's gateway. Raises what it raised, NeedsLogin, or GatewayDown. Recent bars may be
        those of a moment ago.

        GatewayDown with `extra["asked"]` True: the request had left, its outcome is unknown. An order is
        given its deadline here, and is not handed to a gateway that does not answer; a cancel is: it is as
        good later as now.
        """
        if isinstance(request, PlaceOrder | ClosePosition):
            return self._call(
                account, msgspec.structs.replace(request, deadline=deadlines.from_now()), timeout
            )
        if isinstance(request, ReadBars):
            wanted = request
            return self.recent_bars.read(account, wanted, lambda: self._call(account, wanted, timeout))
        return self._call(account, request, timeout)

    def _call(self, account: str, request: AnyRequest, timeout: float | None) -> Any:
        if not isinstance(request, ReadStatus | ReadMetrics):  # machines ask for these
            self._asked.add(account)
        client = self._client(account)
        if client is None:
            raise self._why_not(account)
        if isinstance(request, PlaceOrder | ClosePosition) and self._is_frozen(account):
            again = "以同一个 client_order_id " if request.client_order_id else ""
            text = f"{FROZEN_TEXT}，这次没有发出，请稍后{again}再试"  # an earlier try may have left
            raise GatewayDown(text, code="GATEWAY_FROZEN", asked=False)
        return client.call(
            request, self._timeouts.get(type(request), DEFAULT_TIMEOUT) if timeout is None else timeout
        )

    def request_snapshot(self, account: str) -> None:
        """Have the account's snapshot handed to `on_snapshot` once more; `on_lost` is called instead when
        there is no gateway.
        """
        self._attach(account).request_snapshot()

    def host_is_there(self) -> bool:
        """Whether the host's process lives; whether it answers, only a question tells."""
        return self.registry.find("host") is not None

    def ask_host(self, request: AnyRequest, timeout: float | None = None) -> Any:
        """What the host answers. Raises what it raised, or GatewayDown (HOST_DOWN when there is no host)."""
        limit = self._timeouts.get(type(request), DEFAULT_TIMEOUT) if timeout is None else timeout
        return self._ask_host(request, limit)

    def ask_backtests(self, request: AnyRequest) -> Any:
        """What the process of backtests answers; the host is asked to start it where there is none. Raises
        what it raised, or GatewayDown (BACKTEST_DOWN, HOST_DOWN).
        """
        entry = self.registry.find(BACKTEST)
        if entry is None:
            self._ask_host(StartBacktests(), LOGIN_MARGIN)
            entry = self.registry.find(BACKTEST)
        if entry is None or not entry.address:
            raise peer.not_running(BACKTEST)
        try:
            return peer.call(entry, request, BACKTEST_TIMEOUT)
        except GatewayDown as error:
            if error.code not in SILENCES:
                raise
            asked = bool(error.extra.get("asked"))  # else the words would be of the gateway, which trades on
            raise GatewayDown(BACKTEST_SILENT[asked], code=peer.DOWN[BACKTEST], asked=asked) from None

    def log_in(self, request: LogIn) -> LoggedIn:
        """Ask the host. Raises LoginRefused, FrontUnreachable, or GatewayDown (HOST_DOWN when there is no
        host).
        """
        self._await_host()
        reply: LoggedIn = self._ask_host(request, self._login_timeout)
        self._attach(reply.account).hurry()
        return reply

    def log_out(self, account: str, by: str = "") -> LoggedOut:
        """Ask the host to end the account's gateway; `by`: who does so by force, and why. Raises NotFound, or
        GatewayDown (HOST_DOWN when there is no host).
        """
        reply: LoggedOut = self._ask_host(LogOut(account, by), DEFAULT_TIMEOUT)
        with self._lock:
            connection = self._connections.pop(account, None)
        if connection is not None:
            connection.stop()
        return reply

    # ── for the connections ──

    def has_pages(self, account: str) -> bool:
        """Whether a page of the account's is connected to this web."""
        return account in self._pages()

    def given_up(self, account: str) -> bool:
        """Whether the host says that nobody will bring this account's gateway back. An absent host says
        nothing.
        """
        if self.registry.find(gateway_of(account)) is not None:
            return False
        try:
            return self._state(account) in ("", NEEDS_LOGIN)
        except GatewayDown:
            return False

    def end(self, connection: GatewayConnection, reason: str) -> None:
        """This connection has no reason to go on."""
        with self._lock:
            if self._connections.get(connection.account) is not connection:
                return
            del self._connections[connection.account]
        self.on_lost(connection.account, reason)

    # ── inside ──

    def _scan_forever(self) -> None:
        told = time.monotonic()
        while not self._stopped.wait(SCAN_SECONDS):
            try:
                self._scan()
                if time.monotonic() - told > VISITED_SECONDS:
                    told = time.monotonic()
                    self.tell_visited()
            except Exception:  # the edge of this thread
                log.exception("looking for gateways failed")

    def tell_visited(self) -> None:
        """Tell the host which accounts have pages or were asked for: it ends paper ones at which nobody
        looks.
        """
        asked, self._asked = self._asked, set()
        accounts = sorted(asked | set(self._pages()))
        if not accounts:
            return
        try:
            self.ask_host(Visited(accounts))
        except AppError as error:
            self._asked |= asked
            log.info("the host was not told who is looked at: %s", error.message)

    def _scan(self) -> None:
        for entry in self.accounts():
            self._attach(entry.account)

    def _attach(self, account: str) -> GatewayConnection:
        with self._lock:
            connection = self._connections.get(account)
            if connection is None:
                connection = GatewayConnection(account, self)
                if not self._stopped.is_set():
                    self._connections[account] = connection
                    connection.start()
            return connection

    def _client(self, account: str) -> RpcClient | None:
        """The connection, which a gateway that runs is given a moment for."""
        with self._lock:
            connection = self._connections.get(account)
        if connection is None or not connection.ready.is_set():
            if self.registry.find(gateway_of(account)) is None:
                return None
            connection = self._attach(account)
            connection.hurry()
            connection.ready.wait(GRACE)
        return connection.client if connection.ready.is_set() else None

    def _is_frozen(self, account: str) -> bool:
        with self._lock:
            connection = self._connections.get(account)
        return connection is not None and connection.is_frozen

    def _why_not(self, account: str) -> AppError:
        entry = self.registry.find(gateway_of(account))
        if entry is not None and entry.protocol != PROTOCOL:
            return peer.other_version("gateway")
        if entry is not None:
            return GatewayDown("账户的网关没有应答，请稍后重试", asked=False)
        try:
            state = self._state(account)
        except GatewayDown:
            state = NEEDS_LOGIN  # neither host nor gateway: the password went with them
        if state in ("", NEEDS_LOGIN):
            return NeedsLogin("账户的网关已退出，请重新登录")
        return GatewayDown("账户的网关正在重启，请稍后重试", asked=False)

    def _state(self, account: str) -> str:
        """What the host says of the account; empty when it does not know it. Raises GatewayDown without a
        host.
        """
        accounts: Accounts = self.ask_host(ListAccounts())
        return next((known.state for known in accounts.accounts if known.account == account), "")

    def _await_host(self) -> None:
        """A host that is just being started, or started again, is waited for: who logs in would only try once
        more. With a MongoDB that does not answer it takes some seconds.
        """
        deadline = time.monotonic() + self._host_limit
        while self.registry.find("host") is None and time.monotonic() < deadline:
            if self._stopped.wait(0.05):
                return

    def _ask_host(self, request: AnyRequest, timeout: float) -> Any:
        entry = self.registry.find("host")
        if entry is None or not entry.address:
            raise peer.not_running("host")
        return peer.call(entry, request, timeout)
