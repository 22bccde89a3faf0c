"""The strategy's connection to its account's gateway: made again as often as it breaks. Strategy process.

A thread of its own looks for the gateway and joins it; what the gateway pushes arrives in the connection's
reader thread and is handed on in order. Ticks wait here per contract, the newest alone, while the strategy is
busy: a strategy in an endless loop costs its gateway nothing and this process no memory.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

import msgspec

from app.bee import entities
from app.lib.errors import AppError, GatewayDown
from app.wire.messages import AnyRequest, JoinStrategy, Push, StrategyState
from app.wire.rpc import RpcClient

FIRST_RETRY, LAST_RETRY = 0.1, 1.0
CONNECT_TIMEOUT = 3.0
JOIN_TIMEOUT = 10.0

log = logging.getLogger("strategy.gateway")


class Listener(Protocol):
    """Who hears; `post` from any thread, the rest in the thread that it runs things in."""

    def post(self, function: Callable[..., Any], *args: Any) -> None: ...

    def on_state(self, state: entities.State) -> None:
        """The whole account, after each joining."""

    def on_push(self, name: str, payload: bytes) -> None: ...

    def on_lost(self) -> None: ...


class Relay:
    """`find` says where the gateway listens for strategies, "" while it does not; `call` from any thread but
    the reader's.
    """

    def __init__(self, find: Callable[[], str], request: JoinStrategy, listener: Listener) -> None:
        self._find = find
        self._request = request
        self._listener = listener
        self._client: RpcClient | None = None  # while joined
        self._ticks: dict[str, bytes] = {}  # by contract, waiting
        self._ticks_lock = threading.Lock()
        self._draining = False  # whether somebody has been asked to take them
        self._stopped = threading.Event()
        self.joined = threading.Event()
        """Set at the first joining."""
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, flush: float) -> None:
        """Leave; what was told last gets `flush` seconds to go."""
        self._stopped.set()
        client = self._client
        if client is not None:
            client.close(flush)

    def call(self, request: AnyRequest, timeout: float, late: Callable[[Any], None] | None = None) -> Any:
        """The gateway's reply. Raises what the gateway raised; GatewayDown with `asked` True when the outcome
        is unknown.

        `late` gets the reply or the exception that came after that, in the listener's thread and in its turn
        among the pushes.
        """
        client = self._client
        if client is None:
            raise GatewayDown("与账户网关的连接已断开", asked=False)
        if late is None:
            return client.call(request, timeout)
        return client.call(
            request, timeout, lambda answer: self._listener.post(late, answer.exception() or answer.result())
        )

    def tell(self, request: AnyRequest) -> bool:
        """Send without waiting; whether it left."""
        client = self._client
        if client is None:
            return False
        try:
            client.ask(request, lambda _answer: None)
        except GatewayDown:
            return False
        return True

    # ── the connection
    # ───────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        pause = FIRST_RETRY
        while not self._stopped.is_set():
            try:
                stayed = self._stay_joined()
            except Exception:  # the edge of this thread: it has to go on looking
                log.exception("the connection to the gateway failed")
                stayed = False
            pause = FIRST_RETRY if stayed else min(pause * 2, LAST_RETRY)
            self._stopped.wait(pause)

    def _stay_joined(self) -> bool:
        """Connect, join and stay until the connection breaks; False when there was nothing to join."""
        address = self._find()
        if not address:
            return False
        closed, answered = threading.Event(), threading.Event()
        try:
            client = RpcClient(address, self._on_push, closed.set, CONNECT_TIMEOUT)
        except OSError:
            return False

        def on_answer(answer: Future[Any]) -> None:
            error = answer.exception()
            if error is None:
                self._client = client
                self._on_joined(answer.result())
            else:
                log.info(
                    "joining the gateway failed: %s", error.message if isinstance(error, AppError) else error
                )
            answered.set()

        try:
            client.ask(self._request, on_answer)
            if not answered.wait(JOIN_TIMEOUT) or self._client is None:
                return False
            closed.wait()
        except GatewayDown:
            return False
        finally:
            client.close()
            if self._client is not None:
                self._client = None
                if not self._stopped.is_set():
                    self._listener.post(self._listener.on_lost)
        return True

    def _on_joined(self, state: StrategyState) -> None:
        with self._ticks_lock:
            self._ticks.clear()
        self._listener.post(
            self._listener.on_state, msgspec.msgpack.decode(state.payload, type=entities.State)
        )
        self.joined.set()

    def _on_push(self, push: Push) -> None:
        if push.name != "tick":
            self._listener.post(self._listener.on_push, push.name, push.payload)
            return
        with self._ticks_lock:
            self._ticks.pop(push.symbol, None)  # the newer goes to the end, as in the channel
            self._ticks[push.symbol] = push.payload
            begin, self._draining = not self._draining, True
        if begin:
            self._listener.post(self._drain)

    def _drain(self) -> None:
        """In the listener's thread: as many ticks as wait now, each as new as it is by its turn; then others
        have theirs.
        """
        for _ in range(len(self._ticks)):
            with self._ticks_lock:
                symbol = next(iter(self._ticks), None)
                if symbol is None:
                    break
                payload = self._ticks.pop(symbol)
            self._listener.on_push("tick", payload)
        with self._ticks_lock:
            more = self._draining = bool(self._ticks)
        if more:
            self._listener.post(self._drain)
