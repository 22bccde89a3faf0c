"""Talking to another process of this data directory: the one client of the wire. Any process.

Who is talked to is an entry of the registry and speaks this program's PROTOCOL, or nothing is sent. `call`
asks once; `connect` gives a connection to ask by more often; a `StandingConnection` is made again as often as
it breaks.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from app.lib.errors import AppError, GatewayDown
from app.wire.messages import AnyRequest, Push
from app.wire.registry import PROTOCOL, Entry
from app.wire.rpc import RpcClient

CONNECT_LIMIT = 3.0  # seconds
FIRST_RETRY, LAST_RETRY = 0.1, 1.0  # seconds between two tries to connect
NAMES = {
    "gateway": "账户的网关",
    "host": "网关管理进程",
    "strategy": "策略",
    "backtest": "回测进程",
}
"""What users are told that a process of this kind is."""
DOWN = {"gateway": "GATEWAY_DOWN", "host": "HOST_DOWN", "backtest": "BACKTEST_DOWN"}

log = logging.getLogger(__name__)


def not_running(kind: str) -> GatewayDown:
    """What is said where the registry has no such process."""
    return GatewayDown(f"{NAMES[kind]}未运行，请稍后重试", code=DOWN[kind], asked=False)


def other_version(kind: str) -> GatewayDown:
    """What is said instead of talking to a process of another PROTOCOL."""
    return GatewayDown(
        f"{NAMES[kind]}由另一版本的程序启动，须一并重启网关主机，之后请重新登录",
        code="VERSION_MISMATCH",
        asked=False,
    )


def connect(
    entry: Entry,
    on_push: Callable[[Push], None] = lambda _push: None,
    on_close: Callable[[], None] = lambda: None,
    limit: float = CONNECT_LIMIT,
) -> RpcClient:
    """A connection to that process, to be closed. Raises GatewayDown with `asked` False: VERSION_MISMATCH, or
    it does not listen (HOST_DOWN for the host).
    """
    if entry.protocol != PROTOCOL:
        raise other_version(entry.kind)
    try:
        return RpcClient(entry.address, on_push, on_close, limit)
    except OSError as error:
        message = f"{NAMES[entry.kind]}没有应答，请稍后重试"
        raise GatewayDown(message, code=DOWN[entry.kind], asked=False) from error


def call(entry: Entry, request: AnyRequest, timeout: float, connect_limit: float = CONNECT_LIMIT) -> Any:
    """The answer of that process, over a connection of its own. Raises what it raised, or GatewayDown:
    `asked` says whether the request had left.
    """
    with contextlib.closing(connect(entry, limit=connect_limit)) as client:
        return client.call(request, timeout)


class StandingConnection(ABC):
    """A connection that is made again as often as it breaks, by a thread of its own.

    `find` says to whom, None while there is nobody. `opening` is asked first; with its answer, which may take
    `opening_limit` seconds, the connection is open. A subclass says what becomes of what comes: `on_open` and
    `on_push` run in the connection's reader thread, in the order in which the other side sent, and must not
    wait for an answer there.
    """

    def __init__(
        self, name: str, find: Callable[[], Entry | None], opening: AnyRequest, opening_limit: float
    ) -> None:
        self.client: RpcClient | None = None  # while open
        self._find = find
        self._opening = opening
        self._opening_limit = opening_limit
        self._connected: RpcClient | None = None  # open or not yet
        self._turn = threading.Lock()  # between an answer and the end of waiting for it
        self._stopped = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, flush: float = 0.0) -> None:
        """End for good, quietly; what was sent last gets `flush` seconds to leave."""
        self._stopped.set()
        self._wake.set()
        connected = self._connected
        if connected is not None:
            connected.close(flush)

    def hurry(self) -> None:
        """There is reason to think that the other side is there: look now."""
        self._wake.set()

    # ── what a subclass says ──

    @abstractmethod
    def on_open(self, reply: Any) -> None:
        """The answer to `opening`: what is pushed from now on is newer."""

    @abstractmethod
    def on_push(self, push: Push) -> None: ...

    def stay(self, client: RpcClient, entry: Entry, closed: threading.Event) -> None:
        """While it is open; to return when it is closed. Raises GatewayDown as `client` does."""
        closed.wait()

    def on_broken(self, entry: Entry) -> None:  # noqa: B027  a subclass need not care
        """It was open and has broken by itself."""

    def goes_on(self) -> bool:
        """It could not be opened: whether to try again."""
        return True

    # ── how ──

    def _run(self) -> None:
        pause = FIRST_RETRY
        while not self._stopped.is_set():
            try:
                if self._stay_connected():
                    pause = FIRST_RETRY
                elif not self._stopped.is_set() and not self.goes_on():
                    return
            except Exception:  # the edge of this thread: it has to go on looking
                log.exception("%s failed", self._thread.name)
            self._wake.wait(pause)
            self._wake.clear()
            pause = min(pause * 2, LAST_RETRY)

    def _stay_connected(self) -> bool:
        """Connect, open and stay until it breaks. False when it could not be opened."""
        entry = self._find()
        if entry is None or not entry.address:
            return False
        closed, answered = threading.Event(), threading.Event()
        try:
            connected = connect(entry, self.on_push, closed.set)
        except GatewayDown as error:
            log.debug("%s is not connected to: %s", entry.name, error.message)
            return False

        opened = False

        def on_answer(answer: Future[Any]) -> None:
            nonlocal opened
            error = answer.exception()
            if error is None:
                with self._turn:
                    opened = self._connected is connected  # not given up for lack of an answer in time
                    if opened:
                        self.client = connected
                if opened:
                    self.on_open(answer.result())
            else:
                text = error.message if isinstance(error, AppError) else error
                log.info("%s does not open the connection: %s", entry.name, text)
            answered.set()

        self._connected = connected
        try:
            connected.ask(self._opening, on_answer)
            if not answered.wait(self._opening_limit) or not opened:
                return False
            self.stay(connected, entry, closed)
        except GatewayDown:
            pass  # it broke while something was asked
        finally:
            with self._turn:
                self.client = self._connected = None
            connected.close()
            if opened and not self._stopped.is_set():
                self.on_broken(entry)
        return opened
