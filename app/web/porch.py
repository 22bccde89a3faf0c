"""Where a new connection waits until the head of its first request is whole. Web process, Linux.

A green thread that reads a connection, with its files and its deadline, costs twenty times what it costs to
have one wait here, and hundreds that end together were hundreds of threads in one turn. Nothing is taken from
a connection before it is handed on: what has come is looked at.

(TCP_DEFER_ACCEPT has the system keep back those who say nothing. Who says half a request it lets through.)
"""

from __future__ import annotations

import logging
import select
import socket
from collections.abc import Callable
from typing import NamedTuple

from app.logs import Seldom
from app.web.crowd import Crowd

MOST_SEEN = 16384  # bytes; whoever reads it has a bound for a longer head
MOST_NEWS = 64  # at a time

log = logging.getLogger(__name__)
unwatched = Seldom(log, 10.0)


class Visitor(NamedTuple):
    sock: socket.socket
    address: str
    peer: tuple[object, ...]  # what accept said of it
    until: float  # by the clock


class Porch:
    """Its visitors are strangers of `crowd`; who is handed on stays one. `epoll`: one of the system's, whose
    descriptor a hub can wait for. `clock`: monotonic seconds; `seconds`: how long one may wait. One thread.
    """

    def __init__(self, crowd: Crowd, epoll: select.epoll, seconds: float, clock: Callable[[], float]) -> None:
        self._crowd = crowd
        self._epoll = epoll
        self._seconds = seconds
        self._clock = clock
        self._visitors: dict[int, Visitor] = {}  # by descriptor; who came first is first
        self._seen = bytearray(MOST_SEEN)
        self.fileno = epoll.fileno

    def __len__(self) -> int:
        return len(self._visitors)

    def watch(self, door: int) -> None:
        """A listening socket's descriptor, which is then among the news as long as somebody waits there."""
        self._epoll.register(door, select.EPOLLIN)

    def take(self, sock: socket.socket, address: str, peer: tuple[object, ...]) -> None:
        """A stranger who has a place in the crowd."""
        visitor = Visitor(sock, address, peer, self._clock() + self._seconds)
        self._visitors[sock.fileno()] = visitor
        try:
            # once for each thing that comes: what has been seen stays where it is
            self._epoll.register(sock.fileno(), select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)
        except OSError as error:  # there is a bound to what one user may watch
            unwatched.warning("a connection of %s was turned away: %s", address, error)
            self._dismiss(visitor)

    def news(self) -> list[tuple[int, int]]:
        """Whom to look at, and what is said of them. To be worked off before the next call, in which those
        who have waited too long are sent away.
        """
        now = self._clock()
        while self._visitors and (first := next(iter(self._visitors.values()))).until <= now:
            self._dismiss(first)
        return self._epoll.poll(0, MOST_NEWS)

    def next_late(self) -> float | None:
        """In how many seconds the first will have waited too long."""
        for first in self._visitors.values():
            return max(0.0, first.until - self._clock())
        return None

    def look_at(self, number: int, event: int) -> Visitor | None:
        """The visitor if it goes on from here, and is none any more. One that has gone is dismissed."""
        visitor = self._visitors[number]
        try:
            count = visitor.sock.recv_into(self._seen, 0, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            count = 0
        if count and self._is_whole(count):
            del self._visitors[number]
            self._epoll.unregister(number)
            return visitor
        if not count or event & ~select.EPOLLIN:
            self._dismiss(visitor)
        return None

    def close(self) -> None:
        for visitor in list(self._visitors.values()):
            self._dismiss(visitor)
        self._epoll.close()

    def _is_whole(self, count: int) -> bool:
        """Or nothing is gained by waiting: what is no request of HTTP (a browser that speaks TLS) the reader
        has an answer for.
        """
        seen = self._seen
        return (
            seen.find(b"\n\r\n", 0, count) >= 0
            or seen.find(b"\n\n", 0, count) >= 0
            or count == MOST_SEEN
            or not seen[:1].isalpha()
        )

    def _dismiss(self, visitor: Visitor) -> None:
        del self._visitors[visitor.sock.fileno()]
        visitor.sock.close()  # the system forgets to watch it
        self._crowd.leave(visitor.address, is_stranger=True)
