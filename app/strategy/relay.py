"""The strategy's connection to its account's gateway: made again as often as it breaks. Strategy process.

A thread of its own looks for the gateway and joins it; what the gateway pushes arrives in the connection's
reader thread and is handed on in order. Ticks wait here per contract, the newest alone, while the strategy is
busy: a strategy in an endless loop costs its gateway nothing and this process no memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from app.bee import entities
from app.lib.errors import GatewayDown
from app.wire.messages import AnyRequest, JoinStrategy, Push, StrategyState
from app.wire.peer import StandingConnection
from app.wire.registry import Entry

JOIN_TIMEOUT = 10.0


class Listener(Protocol):
    """Who hears; `post` from any thread, the rest in the thread that it runs things in."""

    def post(self, function: Callable[..., Any], *args: Any) -> None: ...

    def on_state(self, state: entities.State) -> None:
        """The whole account, after each joining."""

    def on_push(self, name: str, payload: bytes) -> None: ...

    def on_lost(self) -> None: ...


class Relay(StandingConnection):
    """`find` says who the gateway is, with the address where it listens for strategies; `call` from any
    thread but the reader's.
    """

    def __init__(self, find: Callable[[], Entry | None], request: JoinStrategy, listener: Listener) -> None:
        super().__init__("relay", find, request, JOIN_TIMEOUT)
        self._listener = listener
        self._ticks: dict[str, bytes] = {}  # by contract, waiting
        self._ticks_lock = threading.Lock()
        self._draining = False  # whether somebody has been asked to take them
        self.joined = threading.Event()
        """Set at the first joining."""

    def call(self, request: AnyRequest, timeout: float, late: Callable[[Any], None] | None = None) -> Any:
        """The gateway's reply. Raises what the gateway raised; GatewayDown with `asked` True when the outcome
        is unknown.

        `late` gets the reply or the exception that came after that, in the listener's thread and in its turn
        among the pushes.
        """
        client = self.client
        if client is None:
            raise GatewayDown("与账户网关的连接已断开", asked=False)
        if late is None:
            return client.call(request, timeout)
        return client.call(
            request, timeout, lambda answer: self._listener.post(late, answer.exception() or answer.result())
        )

    def tell(self, request: AnyRequest) -> bool:
        """Send without waiting; whether it left."""
        client = self.client
        if client is None:
            return False
        try:
            client.ask(request, lambda _answer: None)
        except GatewayDown:
            return False
        return True

    # ── the connection ──

    def on_open(self, state: StrategyState) -> None:
        with self._ticks_lock:
            self._ticks.clear()
        self._listener.post(
            self._listener.on_state, msgspec.msgpack.decode(state.payload, type=entities.State)
        )
        self.joined.set()

    def on_push(self, push: Push) -> None:
        if push.name != "tick":
            self._listener.post(self._listener.on_push, push.name, push.payload)
            return
        with self._ticks_lock:
            self._ticks.pop(push.symbol, None)  # the newer goes to the end, as in the channel
            self._ticks[push.symbol] = push.payload
            begin, self._draining = not self._draining, True
        if begin:
            self._listener.post(self._drain)

    def on_broken(self, _entry: Entry) -> None:
        self._listener.post(self._listener.on_lost)

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
