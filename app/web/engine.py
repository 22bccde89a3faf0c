"""The one place that knows the insides of python-socketio and python-engineio. Web process.

Their public `emit` walks, logs and copies for every event and never says how much a client has left unread.
Here an encoded packet goes straight into a client's queue (1.3 times the throughput), the queue's length is
read, and clients are known at the Engine.IO level, where one is open before it has said anything in
Socket.IO. What a client says is judged here before they read it (app/web/inbound.py), and one that says what
no page says is cut. Written for python-socketio 5.18.1 and python-engineio 4.15.1, pinned in
requirements.txt; tests/integration/test_sockets.py fails when they are others.
"""

from __future__ import annotations

import logging
import struct
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import socketio
from engineio.exceptions import EngineIOError
from engineio.packet import CLOSE, MESSAGE, PING, Packet
from engineio.socket import Socket

from app.logs import Seldom
from app.web.inbound import MAX_PACKET, BadPacket, Inbound

SOCKETIO_VERSION = "5.18.1"
ENGINEIO_VERSION = "4.15.1"

TEXT_FRAME = 0x81  # the first byte of a whole frame of text
WEBSOCKET_CAPACITY = 32
POLLING_CAPACITY = 12  # python-engineio's own client refuses more than 16 packets in one answer
TOO_BIG = 1009  # WebSocket's code for it

log = logging.getLogger(__name__)
cuts = Seldom(log, 10.0)


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
    """eventlet's WebSocket with a `send` that keeps the frame: whoever has no more to send calls `flush`, and
    they leave in one call.
    """

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


class _Pings:
    """Who is to be pinged when, in one thread. The library has one for each client, which keeps what it knew
    of a client that has gone for the 25 seconds until it would have pinged it: 11 KB, and a stranger can come
    and go a thousand times in each of them.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        self._due: deque[tuple[float, weakref.ref[_Socket]]] = (
            deque()
        )  # in their order: the interval is the same for all
        self._lock = threading.Lock()
        self._runs = False

    def schedule(self, client: _Socket) -> None:
        with self._lock:
            self._due.append((time.monotonic() + self._server.ping_interval, weakref.ref(client)))
            if self._runs:
                return
            self._runs = True
        self._server.start_background_task(self._run)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._due:
                    self._runs = False
                    return
                at, waiting = self._due[0]
                pause = at - time.monotonic()
                if pause <= 0:
                    self._due.popleft()
            if pause > 0:
                self._server.sleep(pause)
            else:
                self._ping(waiting())

    @staticmethod
    def _ping(client: _Socket | None) -> None:
        if client is None or client.closing or client.closed:
            return
        client.last_ping = time.time()
        try:
            client.send(Packet(PING))
        except Exception:  # the edge of this client: the others want theirs
            log.exception("a client could not be pinged")


class _Socket(Socket):  # type: ignore[misc]
    """Engine.IO's socket with its ears guarded. Those that the library makes become one when they are opened:
    `guard` sees to it.
    """

    inbound: Inbound
    address: str
    pings: _Pings
    last_ping: float | None
    joining: _Joining | None = None

    def poll(self) -> Any:
        """The writer sends all that this gave it, one by one, and asks again: that is when it has no more to
        send.
        """
        if self.joining is not None:
            try:
                self.joining.flush()
            except OSError:
                # the peer has gone: ends the writer, as a failed send does
                raise self.server.get_queue_empty_exception()() from None
        return super().poll()

    def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:
        """Never waits for what is queued to be taken: who is closed for what he said may take nothing, and a
        thread of ours with him.
        """
        super().close(wait=False, abort=abort, reason=reason)

    def schedule_ping(self) -> None:
        if self.last_ping:  # the one before has been answered, or this is the first
            self.last_ping = None
            self.pings.schedule(self)

    def cut(self, why: object) -> None:
        """For what it said. Drops what is queued."""
        if not self.closed and not self.closing:
            cuts.warning("a connection of %s was cut: %s", self.address, why)
            self.close(abort=True, reason=self.server.reason.SERVER_DISCONNECT)

    def handle_post_request(self, environ: dict[str, Any]) -> None:
        """A body of long-polling. One that no page sends ends the connection, and is answered at once with
        400.
        """
        try:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            if length > self.inbound.longest:
                raise BadPacket("body too long")
            for packet in self.inbound.payload(environ["wsgi.input"].read(length)):
                read = Packet(encoded_packet=packet)
                self.receive(read)
                if self.closed and read.packet_type != CLOSE:
                    raise BadPacket("unreadable message")
        except (BadPacket, EngineIOError, ValueError) as error:
            self.cut(error)
            self.server.sockets.pop(self.sid, None)
            raise EngineIOError from None


class _Heard(list[Any]):
    """What uWSGI's WebSocket has read and not given out yet. It reads on as long as bytes are there, whole
    messages or parts of one, and lets nobody else run meanwhile: the first that no page says ends that.
    """

    def __init__(self, inbound: Inbound) -> None:
        super().__init__()
        self._inbound = inbound

    def append(self, message: Any) -> None:
        self._inbound.packet(message)
        super().append(message)


class _Judged:
    """A WebSocket of which only what a page may say is heard; of the rest it says, as if the page had gone,
    None.
    """

    def __init__(self, websocket: Any, engine_socket: _Socket) -> None:
        self._websocket = websocket
        self._engine_socket = engine_socket
        self._judges_itself = hasattr(websocket, "received_messages")
        if self._judges_itself:
            websocket.received_messages = _Heard(engine_socket.inbound)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._websocket, name)

    def wait(self) -> Any:
        self._engine_socket.server.sleep(0)  # between two messages it is the others' turn
        if self._engine_socket.closed:
            return None
        try:
            message = self._websocket.wait()
            if message is not None and not self._judges_itself:
                self._engine_socket.inbound.packet(message)
        except BadPacket as error:
            self._engine_socket.cut(error)
            return None
        return message


def _judge_websockets(server: Any) -> None:
    """Under every concurrency: whatever waits for a client's next message waits for one that has been
    judged.
    """
    websocket_class, is_eventlet = server._async["websocket"], server.async_mode == "eventlet"
    if websocket_class is None:
        return

    def made(handler: Any, server: Any) -> Any:
        engine_socket: _Socket = handler.__self__

        def judged(websocket: Any) -> Any:
            if not is_eventlet:
                return handler(_Judged(websocket, engine_socket))
            _bound_frames(websocket, engine_socket)
            engine_socket.joining = _Joining(websocket)
            try:
                return handler(_Judged(engine_socket.joining, engine_socket))
            finally:
                engine_socket.joining = None

        websocket = websocket_class(judged, server)
        if hasattr(
            websocket, "server_args"
        ):  # simple-websocket's: without it a message over its fragments has no bound
            websocket.server_args["max_message_size"] = MAX_PACKET
        return websocket

    server._async = {**server._async, "websocket": made}


def _bound_frames(websocket: Any, engine_socket: _Socket) -> None:
    """eventlet's WebSocket bounds a frame, but not a message over its fragments, nor how many come; it never
    yields while bytes are there, and takes the mask off byte by byte in Python.
    """
    from eventlet import websocket as eventlet_websocket

    receive, inbound = websocket._recv_frame, engine_socket.inbound

    def bounded(message: Any = None) -> Any:
        engine_socket.server.sleep(0)
        websocket.max_frame_length = inbound.longest
        got = receive(message=message)
        seen, held = getattr(got, "counted", (0, 0))
        held += sum(map(len, got.data[seen:]))
        got.counted = len(got.data), held
        try:
            inbound.frame(held)
        except BadPacket as error:
            engine_socket.cut(error)
            raise eventlet_websocket.FailedConnectionError(TOO_BIG, str(error)) from None
        return got

    websocket._recv_frame = bounded
    websocket._apply_mask = _unmasked


def _unmasked(data: bytes, mask: Sequence[int], length: int, offset: int = 0) -> bytes:
    turned = bytes(mask[(offset + i) % 4] for i in range(4))
    key = int.from_bytes((turned * (length // 4 + 1))[:length])
    return (int.from_bytes(data) ^ key).to_bytes(length)


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
        """An Engine.IO close, after which a page reconnects by itself (after a Socket.IO disconnect it would
        not).
        """
        self._socket.close(reason=self._socket.server.reason.SERVER_DISCONNECT)

    def admit(self, is_known: bool) -> None:
        """Whether it has shown a good token: it may then say more."""
        self._socket.inbound.admitted = is_known


class Engine:
    """A `socketio.Server`'s Engine.IO sockets."""

    def __init__(self, server: socketio.Server) -> None:
        self._server = server
        self._joins = server.eio.async_mode == "eventlet"
        _judge_websockets(server.eio)

    def line(self, sid: str) -> EngineLine:
        """The way out of a client, by its Socket.IO session id in the default namespace. Raises KeyError when
        it has gone.
        """
        return EngineLine(
            self._server.eio.sockets[self._server.manager.eio_sid_from_sid(sid, "/")], self._joins
        )

    def close(self, engine_id: str) -> None:
        """Close by Engine.IO session id; nothing when it has gone."""
        socket = self._server.eio.sockets.get(engine_id)
        if socket is not None:
            EngineLine(socket, self._joins).close()

    def close_all(self) -> None:
        for engine_id in list(self._server.eio.sockets):
            self.close(engine_id)

    def guard(self, on_open: Callable[[str, dict[str, Any]], None], on_close: Callable[[str], None]) -> None:
        """`on_open(engine id, environ)` hears of each client, `on_close(engine id)` when it has gone; in
        between it is judged.
        """
        eio = self._server.eio
        pings = _Pings(eio)
        opened, closed, heard = eio.handlers["connect"], eio.handlers["disconnect"], eio.handlers["message"]

        def connect(engine_id: str, environ: dict[str, Any]) -> Any:
            socket = eio.sockets[engine_id]
            socket.__class__ = _Socket
            socket.inbound, socket.address, socket.pings = Inbound(), environ.get("REMOTE_ADDR", ""), pings
            on_open(engine_id, environ)
            return opened(engine_id, environ)

        def disconnect(engine_id: str, reason: str) -> None:
            try:
                closed(engine_id, reason)
            finally:
                on_close(engine_id)

        def message(engine_id: str, data: Any) -> None:
            """What fails here is the reading of it: what goes wrong in a handler of ours is told to the page
            by Sockets. Of what a client begins that has been closed (a CONNECT that was on its way) the
            library would never hear the end, and keep it for ever.
            """
            client = eio.sockets.get(engine_id)
            if client is None or client.closing:
                return
            try:
                heard(engine_id, data)
            except Exception as error:  # the edge of a connection
                client.cut(repr(error))
            if client.closing:  # meanwhile, maybe before what this began was there to be ended
                closed(engine_id, eio.reason.SERVER_DISCONNECT)

        eio.on("connect", connect)
        eio.on("disconnect", disconnect)
        eio.on("message", message)
