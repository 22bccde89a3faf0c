"""One connection to a counter, kept alive: connects, reads, and connects again when it was lost. Gateway
process.

A thread of its own connects and reads; what it hears it hands to the event thread in order, so that a "lost"
never comes before the last frame.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import msgspec

from app.interfaces.front import NotSent
from app.lib.errors import AppError
from app.process.event_loop import EventLoop
from app.wire import channel
from app.wire.channel import ChannelClosed, Connection
from app.wire.frames import AnyCallbackFrame, AnyRequestFrame, decode_callback, encode

log = logging.getLogger(__name__)

SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds between two attempts
BACKLOG = 20_000  # frames that wait in the event thread before the reader stops reading


class FrameConnection:
    """A channel's connection that takes frames."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def closed(self) -> bool:
        return self._connection.closed

    def close(self) -> None:
        self._connection.close()

    def send(self, frame: AnyRequestFrame) -> None:
        """Raises NotSent only when it has not left and never will.

        That is how Connection.send is made: it raises under its lock, either before the frame is queued or
        after the whole queue, this frame in it, was thrown away. A frame that it has taken may still be lost
        on the way: then nothing is raised.
        """
        try:
            self._connection.send(encode(frame))
        except ChannelClosed:
            raise NotSent("与前置的连接已断开") from None


class SimLink:
    """`on_open`, `on_frame` and `on_lost(reason)` run in the event thread; `intake` in the reader's, before
    it hands a frame over.
    """

    def __init__(
        self,
        name: str,
        loop: EventLoop,
        address: Callable[[], str],
        on_open: Callable[[], None],
        on_frame: Callable[[AnyCallbackFrame], None],
        on_lost: Callable[[str], None],
        intake: Callable[[AnyCallbackFrame], bool] = lambda _frame: False,  # True: it has been taken
    ) -> None:
        self._loop = loop
        self._address = address
        self._on_open = on_open
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._intake = intake
        self._stop = threading.Event()
        self._pause = SHORTEST_PAUSE
        self.connection: FrameConnection | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def settled(self) -> None:
        """The counter has taken us: the next loss begins with the shortest pause again."""
        self._pause = SHORTEST_PAUSE

    def drop(self) -> None:
        """Let this connection go and make another one."""
        if self.connection is not None:
            self.connection.close()

    def close(self) -> None:
        """For good: no further attempt."""
        self._stop.set()
        self.drop()

    def _run(self) -> None:
        while not self._stop.is_set():
            reason = self._serve()
            self._let_go(reason)
            pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE)
            self._stop.wait(pause)

    def _let_go(self, reason: str) -> None:
        """Tell of the loss and wait until it has been heard: what is still to be done for this connection
        must not find the next one.
        """
        heard = threading.Event()

        def tell() -> None:
            try:
                self._on_lost(reason)
            finally:
                heard.set()

        self._loop.post(tell)
        while not heard.wait(0.1) and not self._stop.is_set():
            pass

    def _serve(self) -> str:
        """One connection from its beginning to its end; returns why it ended."""
        try:
            connection = channel.connect(self._address())
        except (OSError, AppError) as error:
            log.info("%s cannot connect: %s", self._thread.name, error)
            return "连接不上前置"
        self.connection = FrameConnection(connection)
        try:
            if self._stop.is_set():
                return "已关闭"
            self._loop.post(self._on_open)
            for data in connection.frames():
                frame = decode_callback(data)
                if not self._intake(frame):
                    self._loop.throttle(BACKLOG)
                    self._loop.post(self._on_frame, frame)
            return "与前置的连接已断开"
        except msgspec.DecodeError:
            log.exception("%s got a frame it does not know", self._thread.name)
            return "前置的报文不合规"
        finally:
            connection.close()
