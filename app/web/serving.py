"""The server that runs the web: one for each concurrency that `async_mode` names. Web process.

Only this and async_mode know which concurrency that is. Under uWSGI nothing here runs.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from typing import Any

from flask import Flask

from app.lib.errors import SettingsError
from app.settings import Settings
from app.web.hang import HangWatch

BACKLOG = 4096
"""With 512, a burst of strangers made a page's connection wait for TCP's second try, a second later."""
MOST_DESCRIPTORS = 65536
UNREAD_SECONDS = 60  # a connection whose peer takes nothing for so long is closed by the system

log = logging.getLogger(__name__)


def listening_socket(host: str, port: int) -> socket.socket:
    """A listening socket whose connections send at once (TCP_NODELAY) and give up on a peer that takes
    nothing.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def raise_descriptor_limit() -> int:
    """As many descriptors as this process may give itself, and how many that is: 1,024, as most systems begin
    with, is 1,000 pages.
    """
    try:
        import resource
    except ImportError:  # not POSIX
        return 8192
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(
            ValueError, OSError
        ):  # a system that has a bound of its own below its hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else min(soft, MOST_DESCRIPTORS)


def serve(app: Flask, settings: Settings, sock: socket.socket) -> None:
    """Serve until SystemExit or KeyboardInterrupt; pages are closed then, and nothing is waited for longer
    than a second.
    """
    servers = {"eventlet": _serve_eventlet, "gevent": _serve_gevent, "threading": _serve_threading}
    if settings.async_mode not in servers:
        raise SettingsError(
            f"async_mode 为 {settings.async_mode} 时由 uWSGI 提供服务：uwsgi --ini uwsgi.ini",
            parameter="async_mode",
        )
    watch = HangWatch()
    watch.start()
    try:
        servers[settings.async_mode](app, settings, sock)
    finally:
        watch.stop()


def _serve_eventlet(app: Flask, settings: Settings, sock: socket.socket) -> None:
    from app.web import eventlet_server  # imports eventlet

    eventlet_server.serve(app, sock, raise_descriptor_limit(), settings.proxies > 0)


def _serve_gevent(app: Flask, _settings: Settings, sock: socket.socket) -> None:
    from gevent import lock, pywsgi
    from gevent import socket as gevent_socket

    class WholeSocket(gevent_socket.socket):  # type: ignore[misc]
        """`send` sends all, as simple-websocket takes for granted; gevent's sends what fits, which cuts
        frames short (tried).
        """

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._sending = lock.RLock()

        def send(self, data: Any, *options: Any, **more: Any) -> int:
            rest = memoryview(data).cast("B")
            with self._sending:
                while rest:
                    rest = rest[super().send(rest, *options, **more) :]
            return len(data)

    class Server(pywsgi.WSGIServer):  # type: ignore[misc]
        def do_read(self) -> Any:
            accepted = super().do_read()
            if accepted is None:
                return None
            plain, address = accepted
            return WholeSocket(plain.family, plain.type, plain.proto, fileno=plain.detach()), address

    server = Server(sock, app, log=None, error_log=log)
    try:
        server.serve_forever()
    finally:
        app.extensions["sockets"].stop()
        server.stop(timeout=1)


def _serve_threading(app: Flask, _settings: Settings, sock: socket.socket) -> None:
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        """Without a log line per request."""

        def log_request(self, *_args: Any) -> None:
            return

    host, port = sock.getsockname()[:2]
    server = make_server(host, port, app, threaded=True, request_handler=Quiet, fd=sock.fileno())
    try:
        server.serve_forever()
    finally:
        app.extensions["sockets"].stop()
        server.server_close()
