"""Length-prefixed frames over a local socket, and calls over them. Any process.

Unix sockets where there are any; elsewhere TCP on 127.0.0.1 with a secret as the first frame. The address
text, with the secret, is only ever written to owner-only files (registry.py). Blocking sockets and plain
threads: under eventlet or gevent the web's monkey patching makes both green, so this module is the same on
every side.

A frame is a 4-byte big-endian length and that many bytes. Every connection has one writer thread and an
outbox. Frames sent with a `key` conflate: while an older frame of the same key still waits, it is dropped for
the newer, which goes to the end: no frame overtakes another that was sent before it. Frames without a key are
never dropped: a peer that lets more than `limit` bytes of those pile up is cut and finds the snapshot when it
is back.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import socket
import stat
import struct
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

MAX_FRAME = 32 * 1024 * 1024
OUTBOX_LIMIT = 64 * 1024 * 1024
ACCEPT_PAUSE = 0.1  # seconds until the next try when a connection could not be taken
RECEIVE = 256 * 1024  # many frames a call: ticks come in bursts
HAS_UNIX = hasattr(socket, "AF_UNIX") and os.name == "posix"

log = logging.getLogger(__name__)


class ChannelClosed(ConnectionError):
    """The other side is gone. What was asked and not answered has an unknown outcome."""


class Connection:
    """One end of a channel: `send` from any thread, `frames` from one."""

    def __init__(self, sock: socket.socket, limit: int = OUTBOX_LIMIT) -> None:
        self._sock = sock
        self._limit = limit
        self._pending: OrderedDict[Any, bytes] = OrderedDict()
        self._unkeyed = 0  # bytes waiting that may not be dropped
        self.conflated = 0  # frames that gave way to a newer one
        self._sending = False
        self._serial = 0
        self._wake = threading.Condition()
        self._closed = False
        self._users = 1  # threads that may be waiting on the socket: the last of them closes it
        self._writer = threading.Thread(target=self._write, name="channel-writer", daemon=True)
        self._writer.start()

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def waiting_bytes(self) -> int:
        """How much has not left yet."""
        with self._wake:
            return sum(map(len, self._pending.values()))

    def send(self, data: bytes, key: str | None = None) -> None:
        """Queue a frame. Raises ChannelClosed when the peer is gone or too slow for what may not be
        dropped.
        """
        with self._wake:
            if self._closed:
                raise ChannelClosed("channel is closed")
            if key is not None:
                if self._pending.pop(key, None) is not None:
                    self.conflated += 1
                self._pending[key] = data
            else:
                self._serial += 1
                self._pending[self._serial] = data
                self._unkeyed += len(data)
                if self._unkeyed > self._limit:
                    log.warning("peer does not read: %d bytes wait, cutting it", self._unkeyed)
                    self._abandon()
                    raise ChannelClosed("peer does not read")
            self._wake.notify()

    def frames(self) -> Iterator[bytes]:
        """Frames as they come, until the peer closes. Ends quietly; a broken frame ends it too."""
        with self._wake:
            self._users += 1
        try:
            buffer = bytearray()
            while True:
                at = 0
                while len(buffer) - at >= 4:
                    size = int.from_bytes(buffer[at : at + 4])
                    if size > MAX_FRAME:
                        log.error("frame of %d bytes refused", size)
                        return
                    if len(buffer) - at - 4 < size:
                        break
                    yield bytes(buffer[at + 4 : at + 4 + size])
                    at += 4 + size
                del buffer[:at]
                chunk = self._sock.recv(RECEIVE)
                if not chunk:
                    return
                buffer += chunk
        except OSError:
            return
        finally:
            self.close()
            self._leave()

    def close(self, flush: float = 0.0) -> None:
        """Close both directions; with `flush`, wait up to that many seconds for what is queued to leave."""
        if flush:
            self.flush(flush)
        with self._wake:
            self._abandon()

    def flush(self, seconds: float) -> None:
        """Wait until what is queued has left, at most so long; it is over too when the peer has gone."""
        with self._wake:
            self._wake.wait_for(lambda: self._closed or not (self._pending or self._sending), timeout=seconds)

    def _abandon(self) -> None:
        """Nothing goes either way any more, which wakes whoever waits on the socket.

        It is not closed here: under eventlet a descriptor that is closed while another thread waits on it
        keeps that waiter, and the next pipe of the same number can be read by nobody.
        """
        if self._closed:
            return
        self._closed = True
        self._pending.clear()
        self._wake.notify_all()
        with contextlib.suppress(OSError):  # the peer was faster
            self._sock.shutdown(socket.SHUT_RDWR)

    def _leave(self) -> None:
        """This thread will not touch the socket again."""
        with self._wake:
            self._users -= 1
            if not self._users:
                self._sock.close()

    def _write(self) -> None:
        try:
            self._write_batches()
        finally:
            self._leave()

    def _write_batches(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closed or self._pending)
                if self._closed:
                    return
                batch = list(self._pending.values())
                self._pending.clear()
                self._unkeyed = 0
                self._sending = True
            try:
                self._sock.sendall(b"".join(struct.pack(">I", len(item)) + item for item in batch))
            except OSError:
                self.close()
                return
            with self._wake:
                self._sending = False
                self._wake.notify_all()  # for close(flush)


def new_address(run_dir: Path, name: str) -> str:
    """An address for a listener called `name`: `unix:/path` below `run_dir`, or `tcp://127.0.0.1:0#secret`.
    One that is to be alone in its folder is called `folder/name`.

    A Unix socket's path has a limit of about 100 bytes: a deeper `run_dir` gets an owner-only folder in the
    temp directory.
    """
    if not HAS_UNIX:
        return f"tcp://127.0.0.1:0#{secrets.token_hex(16)}"
    folder = run_dir if len(os.fsencode(str(run_dir / name))) <= 90 else _short_folder(run_dir)
    path = folder / name
    _make_own(folder)
    _make_own(path.parent)
    return f"unix:{path}"


def _short_folder(run_dir: Path) -> Path:
    digest = hashlib.sha1(os.fsencode(str(run_dir.resolve()))).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"ctpbee-{os.getuid()}-{digest}"


def _make_own(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else")


def forget_addresses(run_dir: Path) -> None:
    """Remove the folder in the temp directory, if `run_dir` has one and nobody listens in it. To be called
    when all have ended; who is just starting makes it again.
    """
    if HAS_UNIX:
        _forget_folder(_short_folder(run_dir))


def _forget_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # none, or not empty: somebody listens
        for path in folder.iterdir():
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                _forget_folder(path)
            elif stat.S_ISSOCK(mode) and not _listens(path):
                path.unlink()
        folder.rmdir()


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True  # busy, or gone meanwhile: not ours to remove
        return True


def listen(address: str) -> tuple[socket.socket, str]:
    """A listening socket and the address to hand out (a TCP port 0 has become a real one)."""
    if address.startswith("unix:"):
        path = address.removeprefix("unix:")
        if os.path.exists(path):
            os.unlink(path)  # left by a kill -9; a living owner is known by the registry, not by the file
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(path)
        except FileNotFoundError:  # whoever ended last has just removed the folder
            _make_own(Path(path).parent)
            sock.bind(path)
        os.chmod(path, 0o600)
        sock.listen(64)
        return sock, address
    host, port, secret = _split_tcp(address)
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind((host, port))
    sock.listen(64)
    return sock, f"tcp://{host}:{sock.getsockname()[1]}#{secret}"


def connect(address: str, timeout: float = 5.0) -> Connection:
    """A connection to a listener. Raises OSError when nobody listens."""
    if address.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        try:
            sock.connect(address.removeprefix("unix:"))
        except OSError:
            sock.close()
            raise
        sock.settimeout(None)
        return Connection(sock)
    host, port, secret = _split_tcp(address)
    sock = socket.create_connection((host, port), timeout=timeout)
    sock.settimeout(None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = Connection(sock)
    connection.send(secret.encode())
    return connection


def _split_tcp(address: str) -> tuple[str, int, str]:
    rest, _, secret = address.removeprefix("tcp://").partition("#")
    host, _, port = rest.rpartition(":")
    return host, int(port), secret


class Server:
    """Accepts connections and reads each in a thread of its own.

    `on_frame(connection, frame)` is called in that connection's thread; `on_close(connection)` once at its
    end. An exception in `on_frame` is logged and ends that connection alone.
    """

    def __init__(
        self,
        address: str,
        on_frame: Callable[[Connection, bytes], None],
        on_close: Callable[[Connection], None] = lambda _connection: None,
    ) -> None:
        self._on_frame = on_frame
        self._on_close = on_close
        self._sock, self.address = listen(address)
        self._secret = _split_tcp(address)[2].encode() if address.startswith("tcp://") else b""
        self._connections: set[Connection] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._accept, name="channel-accept", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, flush: float = 0.5) -> None:
        """Stop accepting, let what is queued leave for up to `flush` seconds, close every connection."""
        self._closing = True
        with contextlib.suppress(OSError):  # a listening socket that nobody is waiting on
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        if self.address.startswith("unix:"):
            Path(self.address.removeprefix("unix:")).unlink(missing_ok=True)
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.close(flush)

    def _accept(self) -> None:
        while not self._closing:
            try:
                self._take(self._sock.accept()[0])
            except (
                OSError,
                RuntimeError,
            ) as error:  # no file or thread left, or the caller gone already: the next one may be taken
                if not self._closing:
                    log.warning("a connection cannot be taken: %s", error)
                    time.sleep(ACCEPT_PAUSE)

    def _take(self, sock: socket.socket) -> None:
        try:
            if sock.family != getattr(socket, "AF_UNIX", None):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock)
        except (OSError, RuntimeError):
            sock.close()
            raise
        with self._lock:
            self._connections.add(connection)
        try:
            threading.Thread(
                target=self._serve, args=(connection,), name="channel-reader", daemon=True
            ).start()
        except RuntimeError:
            connection.close()
            with self._lock:
                self._connections.discard(connection)
            raise

    def _serve(self, connection: Connection) -> None:
        try:
            frames = connection.frames()
            if self._secret and not secrets.compare_digest(next(frames, b""), self._secret):
                log.warning("a connection without the secret was refused")
                return
            for frame in frames:
                self._on_frame(connection, frame)
        except Exception:  # the edge of this connection's thread
            log.exception("connection handler failed")
        finally:
            connection.close()
            with self._lock:
                self._connections.discard(connection)
            self._on_close(connection)
