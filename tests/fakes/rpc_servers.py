"""A gateway and a host written by hand: real RPC servers in this process, registered as the real ones are."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import orjson

from app.lib.account_names import account_key
from app.lib.errors import LoginRefused, NotFound, NotReady
from app.wire import channel
from app.wire.channel import ChannelClosed, Connection
from app.wire.messages import (
    BARS_SAVED,
    AccountInfo,
    Accounts,
    AnyReply,
    AnyRequest,
    Beat,
    Counted,
    Done,
    Json,
    ListAccounts,
    LoggedIn,
    LoggedOut,
    LogIn,
    LogOut,
    PlaceOrder,
    Push,
    PushContracts,
    ReadBars,
    ReadStatus,
    StartBacktests,
    Visited,
    Watch,
)
from app.wire.registry import Registry
from app.wire.rpc import Responder, RpcServer, encode_push, respond


def snapshot(seq: int, **lists: Any) -> bytes:
    """What a gateway answers to Watch."""
    empty: dict[str, Any] = {
        name: [] for name in ("account", "position", "active_order", "order", "trade", "contract")
    }
    front = {"state": "ready", "reason": "", "since": "2025-06-05 10:00:00.000"}
    return orjson.dumps({"seq": seq, **empty, "status": {"td": front, "md": front}, **lists})


class FakeGateway:
    """Answers Watch with a snapshot of its `seq`, and pushes on demand; both in one order, as the real one's
    event thread does.
    """

    def __init__(self, data_dir: Path, account: str, seq: int = 0) -> None:
        self.account = account
        self.seq = seq
        self.bars = 1
        self.is_frozen = False
        self._beats: list[Responder] = []
        self.requests: list[AnyRequest] = []
        self.unanswered: Future[AnyReply] = Future()  # PlaceOrder waits for it
        self._watchers: list[Connection] = []
        self._lock = threading.Lock()
        self._registry = Registry(data_dir)
        self._name = f"gateway-{account}"
        address = channel.new_address(self._registry.run_dir, f"gw-{account}")
        self._server = RpcServer(address, self._handle, self._forget)
        self._server.start()
        self._registry.register(
            name=self._name, kind="gateway", address=self._server.address, account=account
        )

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    def push(self, name: str, payload: Any, symbol: str = "") -> None:
        with self._lock:
            self._send(Push(name, orjson.dumps(payload), symbol))

    def save_bars(self, local_symbol: str) -> None:
        """Bars have been saved: ReadBars is answered with one more."""
        with self._lock:
            self.bars += 1
            self._send(Push(BARS_SAVED, b"{}", local_symbol))

    def update(self) -> int:
        """The next `order_update`; its seq."""
        with self._lock:
            self.seq += 1
            self._send(
                Push("order_update", orjson.dumps({"type": "order_update", "seq": self.seq, "data": {}}))
            )
            return self.seq

    def hang_up(self) -> None:
        """Break every connection, and go on listening."""
        with self._lock:
            for connection in self._watchers:
                connection.close()

    def thaw(self) -> None:
        """Answer what was asked while it was frozen, and what is asked from now on."""
        self.is_frozen = False
        for beat in self._beats:
            beat(Json(b"{}"))

    def die(self) -> None:
        """Gone, as after a kill: nothing listens, no living entry."""
        self._registry.unregister(self._name)
        self._server.close(flush=0)

    def _send(self, push: Push) -> None:
        frame = encode_push(push)
        for connection in self._watchers:
            try:
                connection.send(frame)
            except ChannelClosed:
                continue  # the web has gone; its on_close follows

    def _handle(self, connection: Connection, request: AnyRequest, reply: Responder) -> None:
        self.requests.append(request)
        if isinstance(request, Watch):
            self._watch(connection, reply)
        elif isinstance(request, PlaceOrder):
            respond(reply, lambda: self.unanswered)
        elif isinstance(request, PushContracts):
            reply(Counted(3))
        elif isinstance(request, ReadBars):
            reply(Json(orjson.dumps([[number] for number in range(self.bars)])))
        elif isinstance(request, Beat) and self.is_frozen:
            self._beats.append(reply)
        elif isinstance(request, ReadStatus | Beat):
            raise NotReady("账户正在加载")
        else:
            raise NotFound(f"no such request: {request}")

    def _watch(self, connection: Connection, reply: Responder) -> None:
        with self._lock:
            if connection not in self._watchers:
                self._watchers.append(connection)
            reply(Json(snapshot(self.seq)))

    def _forget(self, connection: Connection) -> None:
        with self._lock:
            if connection in self._watchers:
                self._watchers.remove(connection)


class FakeBacktests:
    """The process of backtests: registered as the real one, with nothing to list. `falls`: instead of an
    answer, "silent" says nothing and "dead" dies.
    """

    def __init__(self, data_dir: Path) -> None:
        self.asked: list[AnyRequest] = []
        self.falls = ""
        self._registry = Registry(data_dir)
        address = channel.new_address(self._registry.run_dir, "backtest.sock")
        self._server = RpcServer(address, self._handle)
        self._server.start()
        self._registry.register(name="backtest", kind="backtest", address=self._server.address)

    def die(self) -> None:
        self._registry.unregister("backtest")
        self._server.close(flush=0)

    def _handle(self, connection: Connection, request: AnyRequest, reply: Responder) -> None:
        self.asked.append(request)
        if self.falls == "dead":
            connection.close(0)
        elif not self.falls:
            reply(Json(b'{"jobs":[]}'))


class FakeHost:
    """Knows accounts by their state; a login starts a FakeGateway, a logout ends it. `starts_backtests`: it
    has the process of backtests run when it is asked to. `frozen`: it answers nothing.
    """

    def __init__(self, data_dir: Path) -> None:
        self.states: dict[str, str] = {}
        self.visited: list[list[str]] = []
        self.gateways: dict[str, FakeGateway] = {}
        self.starts_backtests = True
        self.frozen = False
        self.backtests: list[FakeBacktests] = []
        self._data_dir = data_dir
        self._registry = Registry(data_dir)
        self._server = RpcServer(
            channel.new_address(self._registry.run_dir, "host.sock"),
            lambda _connection, request, reply: None if self.frozen else reply(self._answer(request)),
        )
        self._server.start()
        self._registry.register(name="host", kind="host", address=self._server.address)

    def die(self) -> None:
        self._registry.unregister("host")
        self._server.close(flush=0)

    def _answer(self, request: AnyRequest) -> AnyReply:
        if isinstance(request, ListAccounts):
            return Accounts(
                [AccountInfo(account, "sim", "9999", "x", state) for account, state in self.states.items()]
            )
        if isinstance(request, Visited):
            self.visited.append(request.accounts)
            return Done()
        if isinstance(request, StartBacktests):
            if self.starts_backtests:
                self.backtests.append(FakeBacktests(self._data_dir))
            return Done()
        if isinstance(request, LogIn):
            if request.password != "right":
                raise LoginRefused("CTP:不合法的登录", code="CTP_3")
            account = account_key(request.interface, request.brokerid, request.userid)
            self.gateways[account] = FakeGateway(self._data_dir, account)
            self.states[account] = "ready"
            return LoggedIn(account, True)
        if isinstance(request, LogOut):
            if request.account not in self.gateways:
                raise NotFound("账户没有登录")
            self.gateways.pop(request.account).die()
            del self.states[request.account]
            return LoggedOut(2)
        raise NotFound(f"no such request: {request}")
