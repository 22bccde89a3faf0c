"""The counter's process around its core: connections in, callbacks out, the market polled. Counter process.

One thread, the core's, does everything that touches state. The channel's reader threads decode requests and
put them into one queue; it is bounded, and a full queue makes readers, and so their peers, wait. Requests are
handled as they come, the market is polled beside them. A request that fails is logged and costs its
connection: the peer logs in again and hears the day as it is.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import msgspec

from app.counter.core import Core, Out
from app.lib import calendar
from app.lib.errors import SettingsError
from app.wire import frames
from app.wire.channel import ChannelClosed, Connection, Server

log = logging.getLogger(__name__)

POLL_SECONDS = 0.05
BEAT_SECONDS = 1.0
CALENDAR_SECONDS = 1.0
QUEUE_LIMIT = 10_000


class Outgoing:
    """Callbacks on their way to their connections."""

    def send(self, out: Out) -> None:
        """In order. A frame that goes to many is encoded once."""
        encoded: dict[int, bytes] = {}
        for link, frame in out:
            data = encoded.get(id(frame))  # `out` keeps the frames alive, so an id names one
            if data is None:
                data = encoded[id(frame)] = frames.encode(frame)
            with contextlib.suppress(ChannelClosed):  # its end comes through the queue
                link.send(data, key="heartbeat" if isinstance(frame, frames.Heartbeat) else None)  # type: ignore[attr-defined]


class CounterServer:
    """Serves `core` at `address` until `stop()`."""

    def __init__(self, core: Core, address: str, outgoing: Outgoing) -> None:
        self._core = core
        self._outgoing = outgoing
        self._queue: queue.Queue[Callable[[], None]] = queue.Queue(QUEUE_LIMIT)
        self._stopping = False
        self._calendar_problem = ""
        self._channel = Server(address, self._on_frame, self._on_close)
        self.address = self._channel.address

    def run(self) -> None:
        """The core's thread. Returns when stopped, with everything on disk and all connections closed."""
        self._channel.start()
        next_poll = next_beat = next_look = time.monotonic()
        while not self._stopping:
            try:
                work = self._queue.get(timeout=max(0.0, min(next_poll, next_beat) - time.monotonic()))
            except queue.Empty:
                pass
            else:
                work()
            now = time.monotonic()
            if now >= next_poll:
                next_poll = now + (POLL_SECONDS if self._guarded(self.advance) else BEAT_SECONDS)
            if now >= next_beat:
                next_beat = now + BEAT_SECONDS
                self._guarded(self._beat)
            if now >= next_look:
                next_look = now + CALENDAR_SECONDS
                self._guarded(self._look_at_calendar)
        self._guarded(self._core.keep_market)
        self._channel.close(flush=0.2)

    def stop(self) -> None:
        """From any thread, and from a signal handler: it only sets a flag, which the loop sees within a
        poll.
        """
        self._stopping = True

    def call(self, function: Callable[[], Any]) -> Future[Any]:
        """Have the core's thread do something; from any other thread."""
        future: Future[Any] = Future()

        def work() -> None:
            try:
                future.set_result(function())
            except Exception as error:  # the caller's, raised there by result()
                future.set_exception(error)

        self._queue.put(work)
        return future

    def advance(self) -> None:
        """A moment of the market; in the core's thread."""
        self._outgoing.send(self._core.advance())

    def _beat(self) -> None:
        self._core.keep_market()
        self._outgoing.send(self._core.heartbeat())

    def _look_at_calendar(self) -> None:
        """The override file may have changed; what is wrong with it is said once."""
        problem = ""
        try:
            if calendar.refresh():
                log.info("the trading calendar was corrected")
        except SettingsError as error:
            problem = error.message
        if problem and problem != self._calendar_problem:
            log.error("%s；先前的内容仍然有效", problem)
        self._calendar_problem = problem

    @staticmethod
    def _guarded(function: Callable[[], None]) -> bool:
        """The edge of the core's thread: a failure is logged and the counter goes on."""
        try:
            function()
        except Exception:
            log.exception("%s failed", getattr(function, "__name__", function))
            return False
        return True

    # ── in the reader threads ──

    def _on_frame(self, connection: Connection, data: bytes) -> None:
        try:
            request = frames.decode_request(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("not a request, %d bytes: %s; closing that connection", len(data), error)
            connection.close()
            return
        self._queue.put(lambda: self._handle(connection, request))

    def _on_close(self, connection: Connection) -> None:
        self._queue.put(lambda: self._core.disconnected(connection))

    # ── in the core's thread ──

    def _handle(self, connection: Connection, request: frames.AnyRequestFrame) -> None:
        if connection.closed:
            return
        try:
            self._outgoing.send(self._core.handle(connection, request))
        except Exception:
            log.exception("%s failed; closing that connection", type(request).__name__)
            connection.close()
