"""Many pages at once, as lean as Python can be one: raw sockets, no Socket.IO library, no JSON. A process of
its own.

python-socketio's client would be slower than the server it measures. Here a frame is found, counted, and the
stamp of its first tick read; in a batch the first has waited longest, so a batch is judged by its worst.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import selectors
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks.parts.feeder import stamp
from benchmarks.parts.report import percentile

STAMP_KEY = b'"turnover":'
UPDATE = b'42["order_update"'
ONE_TICK = 1500  # a shorter frame has one tick in it
RECEIVE = 1 << 20


@dataclass(slots=True)
class Page:
    socket: socket.socket
    rest: bytes = b""
    messages: int = 0
    ticks: int = 0
    bytes: int = 0
    seqs: list[int] = field(default_factory=list)
    closed: bool = False


class Pages:
    """See the module's docstring. Commands arrive on stdin and are answered between two reads."""

    def __init__(self) -> None:
        self._pages: list[Page] = []
        self._latencies: list[int] = []
        self._selector = selectors.DefaultSelector()
        self._selector.register(sys.stdin, selectors.EVENT_READ, None)
        self._tick_head = b'42["tick'

    def run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    line = sys.stdin.readline()
                    if not line:
                        return
                    what = json.loads(line)
                    sys.stdout.write(json.dumps(getattr(self, f"do_{what.pop('do')}")(**what)) + "\n")
                    sys.stdout.flush()
                else:
                    self._read(key.data)

    # ── commands ──

    def do_open(
        self, port: int, path: str, count: int, say: list[str], until: str, tick_head: str
    ) -> dict[str, int]:
        """Connect one after the other; each says its lines and has heard `until` before the next comes."""
        self._tick_head = tick_head.encode()
        for _ in range(count):
            page = _connect(port, path)
            self._pages.append(page)
            for text in say:
                page.socket.sendall(_masked(text.encode()))
            page.socket.settimeout(20)
            while until.encode() not in page.rest:
                page.rest += page.socket.recv(RECEIVE)
            page.socket.setblocking(False)
            self._selector.register(page.socket, selectors.EVENT_READ, page)
        return {"open": len(self._pages)}

    def do_begin(self) -> dict[str, int]:
        """Count from here."""
        self._latencies.clear()
        for page in self._pages:
            page.messages = page.ticks = page.bytes = 0
        return {}

    def do_end(self, expected: int, seconds: float = 2.0, skip: int = 0) -> dict[str, Any]:
        """What came since `begin`, once every page but the first `skip` has `expected` ticks, or `seconds`
        have gone by.
        """
        deadline = time.monotonic() + seconds
        pages = self._pages[skip:]
        while min(page.ticks for page in pages) < expected and time.monotonic() < deadline:
            self._read_ready(0.02)
        return {
            "messages": sum(page.messages for page in pages),
            "ticks": sum(page.ticks for page in pages),
            "least": min(page.ticks for page in pages),
            "p50": percentile(self._latencies, 0.5),
            "p99": percentile(self._latencies, 0.99),
            "max": max(self._latencies, default=0),
            "closed": sum(page.closed for page in pages),
        }

    def do_stall(self, count: int) -> dict[str, int]:
        """The first `count` pages stop reading."""
        for page in self._pages[:count]:
            self._selector.unregister(page.socket)
        return {}

    def do_seqs(self) -> dict[str, Any]:
        """Of the order events: how many, and how many pages have not heard exactly the same as the first,
        gapless and in order.
        """
        first = self._pages[0].seqs
        whole = first == sorted(set(first))
        return {
            "events": len(first),
            "newest": first[-1] if first else 0,
            "differ": sum(page.seqs != first for page in self._pages),
            "ordered": whole,
            "closed": sum(page.closed for page in self._pages),
        }

    def do_close(self) -> dict[str, int]:
        """All pages go, abruptly."""
        for page in self._pages:
            if not page.closed:
                self._forget(page)
        self._pages.clear()
        return {}

    # ── reading ──

    def _read_ready(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            if key.data is not None:
                self._read(key.data)

    def _read(self, page: Page) -> None:
        data = self._received(page)
        if not data:
            return
        now = stamp()
        page.bytes += len(data)
        buffer = page.rest + data if page.rest else data
        at, end, head = 0, len(buffer), self._tick_head
        while end - at >= 2:
            size, start = buffer[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(buffer[at + 2 : at + 4]), at + 4
            elif size == 127:
                size, start = int.from_bytes(buffer[at + 2 : at + 10]), at + 10
            after = start + size
            if start > end or after > end:
                break
            if buffer.startswith(head, start):
                mark = buffer.find(STAMP_KEY, start, after) + len(STAMP_KEY)
                mark += buffer[mark] == 32
                try:  # noqa: SIM105 - for every tick, and suppress() would take longer than what is in it
                    self._latencies.append(now - int(buffer[mark : mark + 16]))
                except ValueError:
                    pass  # a tick of the real server: its turnover is one
                page.messages += 1
                page.ticks += 1 if size < ONE_TICK else buffer.count(STAMP_KEY, start, after)
            elif size == 1 and buffer[start] == 50:  # Engine.IO's ping
                page.socket.sendall(_masked(b"3"))
            elif buffer.startswith(UPDATE, start):
                page.seqs.append(json.loads(buffer[start + 2 : after])[1]["seq"])
            at = after
        page.rest = buffer[at:]

    def _received(self, page: Page) -> bytes:
        """Nothing where nothing has come, and where the page is closed."""
        if page.socket.fileno() < 0:
            return b""  # closed by a command that was heard in the same turn
        try:
            data = page.socket.recv(RECEIVE)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            page.closed = True
            self._forget(page)
        return data

    def _forget(self, page: Page) -> None:
        with contextlib.suppress(KeyError):  # it had stopped reading
            self._selector.unregister(page.socket)
        page.socket.close()


def _connect(port: int, path: str) -> Page:
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        received = sock.recv(65536)
        if not received:
            raise ConnectionError(answer.decode("utf-8", "replace"))
        answer += received
    head, _, rest = answer.partition(b"\r\n\r\n")
    if b" 101 " not in head.split(b"\r\n")[0]:
        raise ConnectionError(head.decode("utf-8", "replace"))
    return Page(sock, rest)


def _masked(text: bytes) -> bytes:
    """A client's text frame; masked with zeros, which is a mask too."""
    size = (
        struct.pack(">B", 0x80 | len(text)) if len(text) < 126 else struct.pack(">BH", 0x80 | 126, len(text))
    )
    return b"\x81" + size + b"\0\0\0\0" + text


if __name__ == "__main__":
    Pages().run()
