"""Keep-alive HTTP connections that ask again as soon as they are answered: raw sockets, one thread. A process
of its own.
"""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks.parts.report import percentile
from benchmarks.parts.stage import answering

RECEIVE = 1 << 20
SUCCESS = b'"success":true'


@dataclass(slots=True)
class Caller:
    socket: socket.socket
    asked: float = 0.0
    expected: int = 0
    answer: bytearray = field(default_factory=bytearray)


class Load:
    """`requests` are asked in turn, over all connections."""

    def __init__(self, requests: list[bytes]) -> None:
        self._requests = requests
        self._next = 0
        self._latencies: list[float] = []
        self._sizes: set[int] = set()

    def run(self, port: int, connections: int, seconds: float) -> dict[str, Any]:
        selector = selectors.DefaultSelector()
        for _ in range(connections):
            sock = socket.create_connection(("127.0.0.1", port), timeout=20)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            caller = Caller(sock)
            selector.register(sock, selectors.EVENT_READ, caller)
            self._ask(caller)
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            for key, _ in selector.select(1.0):
                self._read(key.data)
        took = time.monotonic() - began
        for key in list(selector.get_map().values()):
            key.data.socket.close()
        selector.close()
        return {
            "rate": len(self._latencies) / took,
            "p50": percentile(self._latencies, 0.5) * 1e6,
            "p99": percentile(self._latencies, 0.99) * 1e6,
            "bytes": max(self._sizes, default=0),
        }

    def _ask(self, caller: Caller) -> None:
        request = self._requests[self._next % len(self._requests)]
        self._next += 1
        caller.asked, caller.expected, caller.answer = time.monotonic(), 0, bytearray()
        caller.socket.sendall(request)

    def _read(self, caller: Caller) -> None:
        data = caller.socket.recv(RECEIVE)
        if not data:
            raise ConnectionError("the server closed the connection")
        caller.answer += data
        if not caller.expected:
            head, blank, _ = caller.answer.partition(b"\r\n\r\n")
            if not blank:
                return
            if b" 200 " not in head.split(b"\r\n")[0]:
                raise ConnectionError(caller.answer[:500].decode("utf-8", "replace"))
            size = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            caller.expected = len(head) + 4 + int(size.partition(b":")[2])
        if len(caller.answer) >= caller.expected:
            if SUCCESS not in caller.answer:
                raise ConnectionError(caller.answer[:500].decode("utf-8", "replace"))
            self._latencies.append(time.monotonic() - caller.asked)
            self._sizes.add(caller.expected)
            self._ask(caller)


def act(_do: str, what: dict[str, Any]) -> dict[str, Any]:
    requests = [
        f"POST {what['path']} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: JWT {what['token']}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "
        f"{len(body)}\r\n\r\n{body}".encode()
        for body in what["bodies"]
    ]
    return Load(requests).run(what["port"], what["connections"], what["seconds"])


if __name__ == "__main__":
    answering(act)
