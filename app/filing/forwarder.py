"""A line between gateway and front that can be cut: whoever connects here is passed on to the front, until
`cut()` ends every connection and takes no new one, as a pulled cable does; `mend()` takes them again. No root
is needed for it. Threads of its own, in the command's process.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from pathlib import Path
from urllib.parse import urlsplit

CONNECT = 5.0  # seconds to reach the front
CHUNK = 256 * 1024
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing says nothing more to the other side

Place = tuple[str, int] | str
"""Of a socket: host and port, or the path of a Unix one."""


class Forwarder:
    """To one front, `tcp://host:port` or `unix:/path`. `address` is where to connect to instead: of the same
    kind, on 127.0.0.1 or in `folder`.
    """

    def __init__(self, target: str, folder: Path) -> None:
        self._target, self.target = _place(target), target
        self._family = socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET
        self._here: Place = ("127.0.0.1", 0) if self._family == socket.AF_INET else str(folder / "line.sock")
        self._lock = threading.Lock()
        self._through: set[socket.socket] = set()
        self._listening: socket.socket | None = None
        self.passed_on = 0  # connections that reached the front
        self.mend()
        self.address = f"unix:{self._here}" if isinstance(self._here, str) else self._as_tcp(self._here)

    @property
    def connections(self) -> int:
        """How many lead through it now."""
        with self._lock:
            return len(self._through) // 2

    def mend(self) -> None:
        """Take connections, at the same address as before. Raises OSError when it is somebody else's by
        now.
        """
        if self._listening is not None:
            return
        listening = socket.socket(self._family, socket.SOCK_STREAM)
        try:
            if isinstance(self._here, str):
                Path(self._here).unlink(missing_ok=True)
            else:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(self._here)
            listening.listen()
        except OSError:
            listening.close()
            raise
        if not isinstance(self._here, str):
            self._here = listening.getsockname()[:2]
        self._listening = listening
        threading.Thread(target=self._accept, args=(listening,), name="line-accept", daemon=True).start()

    def cut(self) -> int:
        """End what leads through it and take nothing more; returns how many connections that were."""
        listening, self._listening = self._listening, None
        if listening is not None:
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listening.close()
        with self._lock:
            through, self._through = self._through, set()
        for end in through:
            _drop(end)
        return len(through) // 2

    def close(self) -> None:
        self.cut()
        if isinstance(self._here, str):
            Path(self._here).unlink(missing_ok=True)

    def _as_tcp(self, here: tuple[str, int]) -> str:
        """With the secret that a channel's address ends with (app/wire/channel.py)."""
        _, hash_, secret = self.target.partition("#")
        return f"tcp://127.0.0.1:{here[1]}{hash_}{secret}"

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(near, listening), daemon=True).start()

    def _pass_on(self, near: socket.socket, listening: socket.socket) -> None:
        far = socket.socket(self._family, socket.SOCK_STREAM)
        try:
            far.settimeout(CONNECT)
            far.connect(self._target)
            far.settimeout(None)
        except OSError:
            _drop(near)
            far.close()
            return
        with self._lock:
            if self._listening is not listening:  # it was cut meanwhile
                _drop(near)
                _drop(far)
                return
            self._through |= {near, far}
            self.passed_on += 1
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        """One direction; the end of either is the end of both."""
        with contextlib.suppress(OSError):
            while chunk := source.recv(CHUNK):
                sink.sendall(chunk)
        with self._lock:
            ended = {source, sink} & self._through
            self._through -= ended
        for end in ended:
            _drop(end)


def _place(address: str) -> Place:
    if address.startswith("unix:"):
        return address.removeprefix("unix:")
    parts = urlsplit(address)
    assert parts.hostname is not None, address
    assert parts.port is not None, address
    return parts.hostname, parts.port


def _drop(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)  # a thread may wait on it
    end.close()
