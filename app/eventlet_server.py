"""eventlet's WSGI server, with bounds that it does not have: on connections, and on how long a request takes to arrive. Web process.

It takes a byte a minute for a request under way, waits for ever when its pool is full, ends the process when there is no descriptor
left for the next connection, and lets nobody else run as long as there is a next connection.
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
from eventlet import greenio
from flask import Flask

from app.crowd import Crowd, Turn, places
from app.logs import Seldom

IDLE_SECONDS = 75  # a connection between two requests; with a byte a minute it would last for ever
HEADER_SECONDS = 15
BODY_SECONDS = 30
NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
GONE = {errno.ECONNABORTED, errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN, errno.EINTR, errno.EAGAIN}
PAUSE = 0.1
TURN_SECONDS = 0.002  # some 25 that are let in, whose readers then take 6 ms, or 60 that are turned away

log = logging.getLogger(__name__)
full = Seldom(log, 10.0)


class _Listener:
    """A listening socket whose `accept` goes on whatever happens, lets in only whom there is a place for, and lets the others run."""

    def __init__(self, sock: Any, crowd: Crowd, turn: Turn) -> None:
        self._sock = sock
        self._crowd = crowd
        self._turn = turn
        self._spare = os.open(os.devnull, os.O_RDONLY)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def accept(self) -> tuple[Any, Any]:
        while True:
            if self._turn.is_over():
                eventlet.sleep(0)
                self._turn.begin()
            try:
                client, address = self._sock.accept()
            except OSError as error:
                if error.errno in NO_DESCRIPTOR:
                    self._turn_one_away(error)
                elif error.errno not in GONE:
                    raise
                continue
            if self._crowd.enter(_host(address)):
                return client, address
            full.warning("a connection of %s was turned away: %d are open", _host(address), len(self._crowd))
            client.close()

    def _turn_one_away(self, error: OSError) -> None:
        """With the descriptor that is kept for this: who waits in the queue is told, and does not wait for ever."""
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


class _Headers:
    """The lines of a request's head. `ended`: the peer went before the empty one."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.ended = False

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._file.readline(size)
        self.ended = self.ended or not line
        return line


def _protocol(crowd: Crowd) -> type:
    """The server's reader of one connection, with deadlines for all that it reads."""

    class Protocol(eventlet.wsgi.HttpProtocol):  # type: ignore[misc]
        rfile: Any
        close_connection: Any

        def __init__(self, conn_state: Any, server: Any) -> None:
            self._address = _host(conn_state[0])
            self._is_stranger = True
            self._deadline: Any = None
            try:
                super().__init__(conn_state, server)
            finally:
                crowd.leave(self._address, self._is_stranger)

        def finish(self) -> None:
            """Its files hold the descriptor: with what cannot be sent any more the library leaves one open, until the garbage collector
            comes by."""
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
            """A head that was cut off is none: the library takes what has come for a whole request, and works on it."""
            headers = self.rfile = _Headers(self.rfile)
            is_one = bool(super().parse_request()) and not headers.ended
            self.close_connection = self.close_connection or not is_one
            return is_one

        def handle_one_response(self) -> None:
            """The headers are whole."""
            self._no_deadline()
            if self._is_stranger:
                self._is_stranger = False
                crowd.known(self._address)
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
            """What is being read ends as if the peer had gone. With a body that is whole the request is only being worked on."""
            if body is None or not self._is_whole(body):
                self.close_connection = True
                greenio.shutdown_safe(self.connection)

        @staticmethod
        def _is_whole(body: Any) -> bool:
            if body.chunked_input:
                return bool(body.chunk_length == 0)
            return bool(body.position >= body.content_length)

    return Protocol


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
        _Listener(sock, crowd, Turn(TURN_SECONDS, time.monotonic)),
        app,
        log=log,
        log_output=False,
        debug=False,
        protocol=_protocol(crowd),
        custom_pool=Pool(bounds.total + 1),  # the crowd is the bound: a full pool would stop accepting without a word
        keepalive=IDLE_SECONDS,
        socket_timeout=IDLE_SECONDS,
    )


def _host(address: Any) -> str:
    return str(address[0]) if isinstance(address, tuple) and address else "unix"
