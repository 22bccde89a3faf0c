"""eventlet's WSGI server, with bounds that it does not have: on connections, and on how long a request takes
to arrive. Web process.

It takes a byte a minute for a request under way, waits for ever when its pool is full, ends the process when
there is no descriptor left for the next connection, lets nobody else run as long as there is a next
connection, and gives a green thread to each, whatever it says.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import time
from typing import Any

import eventlet
import eventlet.wsgi
from eventlet import greenio, hubs, patcher
from flask import Flask

from app.logs import Seldom
from app.web.crowd import Crowd, Turn, places
from app.web.porch import Porch

IDLE_SECONDS = 75  # a connection between two requests; with a byte a minute it would last for ever
HEADER_SECONDS = 15
BODY_SECONDS = 30
NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
GONE = {errno.ECONNABORTED, errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN, errno.EINTR, errno.EAGAIN}
PAUSE = 0.1
TURN_SECONDS = 0.002  # for some 50 connections that come, say half a request, go or are turned away

log = logging.getLogger(__name__)
full = Seldom(log, 10.0)


class _Listener:
    """A listening socket whose `accept` goes on whatever happens, lets in only whom there is a place for, and
    lets the others run.
    """

    def __init__(self, sock: Any, crowd: Crowd, turn: Turn) -> None:
        self._sock = sock
        self._crowd = crowd
        self._turn = turn
        self._spare = os.open(os.devnull, os.O_RDONLY)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def accept(self) -> tuple[Any, Any]:
        while True:
            self._give_way()
            if (taken := self._take()) is not None:
                return taken

    def _give_way(self) -> None:
        if self._turn.is_over():
            eventlet.sleep(0)
            self._turn.begin()

    def _take(self) -> tuple[Any, Any] | None:
        """The next connection, or None if that has no place or is gone."""
        try:
            client, address = self._sock.accept()
        except OSError as error:
            if error.errno in NO_DESCRIPTOR:
                self._turn_one_away(error)
            elif error.errno not in GONE:
                raise
            return None
        if self._crowd.enter(_host(address)):
            return client, address
        full.warning("a connection of %s was turned away: %d are open", _host(address), len(self._crowd))
        client.close()
        return None

    def _turn_one_away(self, error: OSError) -> None:
        """With the descriptor that is kept for this: who waits in the queue is told, and does not wait for
        ever.
        """
        full.warning("no connection can be taken: %s", error)
        os.close(self._spare)
        try:
            with contextlib.suppress(OSError):
                self._sock.accept()[0].close()
        finally:
            eventlet.sleep(PAUSE)
            self._spare = self._reserve()

    def _reserve(self) -> int:
        while True:
            try:
                return os.open(os.devnull, os.O_RDONLY)
            except OSError:
                eventlet.sleep(PAUSE)


class _PatientListener(_Listener):
    """Its `accept` gives out only connections the head of whose first request has come."""

    def __init__(self, sock: Any, crowd: Crowd, turn: Turn, porch: Porch) -> None:
        super().__init__(sock, crowd, turn)
        self._porch = porch
        self._news: list[tuple[int, int]] = []
        self._door = sock.fileno()
        sock.setblocking(False)  # a green socket then gives out the system's sockets, and never waits
        porch.watch(self._door)

    def accept(self) -> tuple[Any, Any]:
        while True:
            self._give_way()
            if not self._news:
                self._news = self._porch.news()
                if not self._news:
                    self._wait()
                continue
            number, event = self._news.pop()
            if number == self._door:
                if (taken := self._take()) is not None:
                    client, peer = taken
                    self._porch.take(client, _host(peer), peer)
            elif (visitor := self._porch.look_at(number, event)) is not None:
                hubs.notify_opened(number)
                return greenio.GreenSocket(visitor.sock), visitor.peer

    def _wait(self) -> None:
        with eventlet.Timeout(self._porch.next_late(), False):
            hubs.trampoline(self._porch.fileno(), read=True)
        self._turn.begin()

    def close(self) -> None:
        self._porch.close()
        self._sock.close()


class _Headers:
    """The lines of a request's head. `ended`: the peer went before the empty one."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.ended = False

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._file.readline(size)
        self.ended = self.ended or not line
        return line


class _Protocol(eventlet.wsgi.HttpProtocol):  # type: ignore[misc]
    """The server's reader of one connection, with deadlines for all that it reads."""

    crowd: Crowd  # of the server that has it
    rfile: Any
    close_connection: Any

    def __init__(self, conn_state: Any, server: Any) -> None:
        self._address = _host(conn_state[0])
        self._is_stranger = True
        self._deadline: Any = None
        try:
            super().__init__(conn_state, server)
        finally:
            self.crowd.leave(self._address, self._is_stranger)

    def finish(self) -> None:
        """Its files hold the descriptor: with what cannot be sent any more the library leaves one open,
        until the garbage collector comes by.
        """
        try:
            super().finish()
        finally:
            for held in (self.wfile, self.rfile, self.connection):
                with contextlib.suppress(OSError):
                    held.close()

    def handle_one_request(self) -> None:
        self._within(HEADER_SECONDS if self._is_stranger else IDLE_SECONDS + HEADER_SECONDS)
        try:
            super().handle_one_request()
        finally:
            self._no_deadline()

    def parse_request(self) -> bool:
        """A head that was cut off is none: the library takes what has come for a whole request, and works
        on it.
        """
        headers = self.rfile = _Headers(self.rfile)
        is_one = bool(super().parse_request()) and not headers.ended
        self.close_connection = self.close_connection or not is_one
        return is_one

    def handle_one_response(self) -> None:
        """The headers are whole."""
        self._no_deadline()
        if self._is_stranger:
            self._is_stranger = False
            self.crowd.known(self._address)
        body = self.environ["eventlet.input"]
        if body.chunked_input or body.content_length:
            self._within(BODY_SECONDS, body)
        super().handle_one_response()

    def _within(self, seconds: float, body: Any = None) -> None:
        self._deadline = eventlet.hubs.get_hub().schedule_call_global(seconds, self._too_late, body)

    def _no_deadline(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.cancel()

    def _too_late(self, body: Any) -> None:
        """What is being read ends as if the peer had gone. With a body that is whole the request is only
        being worked on.
        """
        if body is None or not self._is_whole(body):
            self.close_connection = True
            greenio.shutdown_safe(self.connection)

    @staticmethod
    def _is_whole(body: Any) -> bool:
        if body.chunked_input:
            return bool(body.chunk_length == 0)
        return bool(body.position >= body.content_length)


def serve(app: Flask, sock: socket.socket, descriptors: int, has_proxy: bool) -> None:
    """Until SystemExit or KeyboardInterrupt. `descriptors`: how many this process may have."""
    bounds = places(descriptors, has_proxy)
    crowd = Crowd(bounds, time.monotonic)

    class Pool(eventlet.GreenPool):  # type: ignore[misc]
        """Its server waits for every connection at the end; ours are sent away."""

        def waitall(self) -> None:
            app.extensions["sockets"].stop()
            with eventlet.Timeout(1, False):
                super().waitall()

    eventlet.wsgi.server(
        _listener(sock, crowd),
        app,
        log=log,
        log_output=False,
        debug=False,
        protocol=type("Protocol", (_Protocol,), {"crowd": crowd}),
        custom_pool=Pool(
            bounds.total + 1
        ),  # the crowd is the bound: a full pool would stop accepting without a word
        keepalive=IDLE_SECONDS,
        socket_timeout=IDLE_SECONDS,
    )


def _listener(sock: socket.socket, crowd: Crowd) -> _Listener:
    turn = Turn(TURN_SECONDS, time.monotonic)
    epoll = getattr(patcher.original("select"), "epoll", None)
    if epoll is None:
        return _Listener(sock, crowd, turn)
    return _PatientListener(sock, crowd, turn, Porch(crowd, epoll(), HEADER_SECONDS, time.monotonic))


def _host(address: Any) -> str:
    return str(address[0]) if isinstance(address, tuple) and address else "unix"
