"""The one place that knows the insides of python-socketio and python-engineio. Web process.

Their public `emit` walks, logs and copies for every event and never says how much a client has left unread. Here an encoded
packet goes straight into a client's queue (1.3 times the throughput), the queue's length is read, and clients are known at the
Engine.IO level, where one is open before it has said anything in Socket.IO. Written for python-socketio 5.18.1 and
python-engineio 4.15.1, pinned in requirements.txt; tests/integration/test_sockets.py fails when they are others.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import socketio
from engineio.packet import MESSAGE, Packet

SOCKETIO_VERSION = "5.18.1"
ENGINEIO_VERSION = "4.15.1"

TEXT_FRAME = 0x81  # the first byte of a whole frame of text
WEBSOCKET_CAPACITY = 32
POLLING_CAPACITY = 12  # python-engineio's own client refuses more than 16 packets in one answer


class _Shared(str):
    """Text for many clients, who get the same bytes: of its UTF-8, and of the WebSocket frame around it."""

    __slots__ = ("_bytes", "_frame")

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        try:
            return self._bytes
        except AttributeError:
            self._bytes: bytes = super().encode()
            return self._bytes

    @property
    def frame(self) -> bytes:
        """A server's frame of it: whole, unmasked, uncompressed."""
        try:
            return self._frame
        except AttributeError:
            payload = self.encode()
            size = len(payload)
            if size < 126:
                head = struct.pack(">BB", TEXT_FRAME, size)
            elif size < 1 << 16:
                head = struct.pack(">BBH", TEXT_FRAME, 126, size)
            else:
                head = struct.pack(">BBQ", TEXT_FRAME, 127, size)
            self._frame: bytes = head + payload
            return self._frame


def encode(text: str) -> Packet:
    """A packet that all its recipients share: it is encoded for the wire once."""
    packet = Packet(MESSAGE, text)
    packet.encode_cache = _Shared(f"{MESSAGE}{text}")
    return packet


class Joined:
    """Several packets that leave as one, joined once for all their recipients: those whose line `joins`."""

    __slots__ = ("_packets", "_frames")

    def __init__(self, packets: Sequence[Packet]) -> None:
        self._packets = packets
        self._frames: bytes | None = None

    def encode(self) -> bytes:
        """Their frames. Engine.IO's writer asks for this as for any packet's text."""
        if self._frames is None:
            self._frames = b"".join([packet.encode().frame for packet in self._packets])
        return self._frames


class _Joining:
    """eventlet's WebSocket with a `send` that keeps the frame: whoever has no more to send calls `flush`, and they leave in one call."""

    def __init__(self, websocket: Any) -> None:
        self.socket = websocket.socket  # engine.io sets its timeout
        self._websocket = websocket
        self._frames: list[bytes] = []

    def send(self, message: Any) -> None:
        if isinstance(message, _Shared):
            self._frames.append(message.frame)
        elif isinstance(message, bytes):  # of a Joined; nothing that we send is binary otherwise
            self._frames.append(message)
        else:
            self._frames.append(self._websocket._pack_message(message))

    def flush(self) -> None:
        if self._frames:
            frames, self._frames = self._frames, []
            self._websocket._send(b"".join(frames) if len(frames) > 1 else frames[0])

    def wait(self) -> Any:
        self.flush()
        return self._websocket.wait()

    def close(self) -> None:
        self._websocket.close()


def _join_frames(server: Any) -> None:
    """Let what waits for a page leave in one system call: a burst of quotes is many frames for every page. Under eventlet alone.

    Engine.IO's writer sends all that `poll` gave it, one by one, and polls again: that is when it has no more.
    """
    from engineio.async_drivers.eventlet import WebSocketWSGI

    class JoiningWebSocket(WebSocketWSGI):  # type: ignore[misc]
        def __init__(self, handler: Any, server: Any) -> None:
            engine_socket, empty = handler.__self__, server.get_queue_empty_exception()
            poll = engine_socket.poll

            def joined(websocket: Any) -> Any:
                frames = _Joining(websocket)

                def flush_and_poll() -> Any:
                    try:
                        frames.flush()
                    except OSError:
                        raise empty() from None  # the peer has gone: ends the writer, as a failed send does
                    return poll()

                engine_socket.poll = flush_and_poll
                return handler(frames)

            super().__init__(joined, server)

    server._async = {**server._async, "websocket": JoiningWebSocket}


class EngineLine:
    """One client's queue, which its writer empties into the WebSocket or its next poll takes away."""

    def __init__(self, socket: Any, joins: bool) -> None:
        self._socket = socket
        self._joins = joins

    @property
    def id(self) -> str:
        """The Engine.IO session id."""
        sid: str = self._socket.sid
        return sid

    @property
    def capacity(self) -> int:
        return WEBSOCKET_CAPACITY if self._socket.upgraded else POLLING_CAPACITY

    @property
    def joins(self) -> bool:
        return self._joins and bool(self._socket.upgraded)

    def backlog(self) -> int:
        length: int = self._socket.queue.qsize()
        return length

    def put(self, packet: Packet | Joined) -> None:
        if not self._socket.closed and not self._socket.closing:
            self._socket.queue.put(packet)

    def cut(self) -> None:
        """Drop what is queued and close it."""
        if self._socket.closed or self._socket.closing:
            return
        queue, empty = self._socket.queue, self._socket.server.get_queue_empty_exception()
        try:
            while True:
                queue.get(block=False)
                queue.task_done()
        except empty:
            self.close()

    def close(self) -> None:
        """An Engine.IO close, after which a page reconnects by itself (after a Socket.IO disconnect it would not)."""
        self._socket.close(wait=False, reason=self._socket.server.reason.SERVER_DISCONNECT)


class Engine:
    """A `socketio.Server`'s Engine.IO sockets."""

    def __init__(self, server: socketio.Server) -> None:
        self._server = server
        self._joins = server.eio.async_mode == "eventlet"
        if self._joins:
            _join_frames(server.eio)

    def line(self, sid: str) -> EngineLine:
        """The way out of a client, by its Socket.IO session id in the default namespace. Raises KeyError when it has gone."""
        return EngineLine(self._server.eio.sockets[self._server.manager.eio_sid_from_sid(sid, "/")], self._joins)

    def close(self, engine_id: str) -> None:
        """Close by Engine.IO session id; nothing when it has gone."""
        socket = self._server.eio.sockets.get(engine_id)
        if socket is not None:
            EngineLine(socket, self._joins).close()

    def close_all(self) -> None:
        for engine_id in list(self._server.eio.sockets):
            self.close(engine_id)

    def guard(self, on_open: Callable[[str, dict[str, Any]], bool], on_close: Callable[[str], None]) -> None:
        """`on_open(engine id, environ)` decides whether a client may connect; `on_close` hears when one that might has gone."""
        opened, closed = self._server.eio.handlers["connect"], self._server.eio.handlers["disconnect"]

        def connect(engine_id: str, environ: dict[str, Any]) -> Any:
            return opened(engine_id, environ) if on_open(engine_id, environ) else "too many connections without a token"

        def disconnect(engine_id: str, reason: str) -> None:
            try:
                closed(engine_id, reason)
            finally:
                on_close(engine_id)

        self._server.eio.on("connect", connect)
        self._server.eio.on("disconnect", disconnect)
