"""What the web adds to Flask: Socket.IO with the fan-out behind it, CORS, and the server that runs it all. Web process.

`init_app` wires an app; `listening_socket` and `serve` run it. Only `serve` and the setting `async_mode` know which concurrency
that is.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

import orjson
from flask import Flask, Response, current_app
from flask_cors import CORS
from flask_socketio import SocketIO

from app.doorway import LOCAL_ORIGIN, Doorway, is_ours
from app.engine import Joined, encode
from app.gateway.client import NEEDS_LOGIN
from app.hang import HangWatch
from app.inbound import MAX_PACKET
from app.lib.errors import SettingsError
from app.push import Hub, Limits
from app.settings import Settings
from app.sockets import Sockets

OLD_ENGINES = ("1", "2", "3")  # of Engine.IO, as clients before socket.io-client 3 say
OLD_CLIENT = "这个 socket.io-client 太旧（EIO={}，2.x 或更早）：本服务是 Socket.IO 5，请换成 socket.io-client 4，换法见 README 的“接上网页”"
BACKLOG = 4096  # with 512, a burst of strangers made a page's connection wait for TCP's second try, a second later
MOST_DESCRIPTORS = 65536
UNREAD_SECONDS = 60  # a connection whose peer takes nothing for so long is closed by the system

log = logging.getLogger(__name__)


def init_app(app: Flask, settings: Settings, limits: Limits = Limits()) -> Hub:  # noqa: B008 - immutable
    """Put Socket.IO and CORS around the app. The hub is where the gateways' events go in."""
    for name in ("socketio.server", "engineio.server"):
        logging.getLogger(name).setLevel(logging.ERROR)  # at INFO every message, tokens included; at WARNING what any stranger says
    CORS(app, origins=settings.origins or [LOCAL_ORIGIN], expose_headers=["Retry-After"])
    socketio = SocketIO(
        app,
        async_mode=settings.async_mode,
        async_handlers=False,  # a page's messages are handled in its order
        always_connect=True,  # so that a bad token can be told, and a better one shown
        manage_session=False,
        cors_allowed_origins=lambda origin, environ: is_ours(origin, environ, settings.origins),
        cors_credentials=False,
        max_http_buffer_size=MAX_PACKET,
        http_compression=False,
        logger=logging.getLogger("socketio.server"),
        engineio_logger=logging.getLogger("engineio.server"),
    )
    hub = Hub(encode, Joined, limits)
    app.extensions["hub"] = hub
    app.extensions["sockets"] = Sockets(app, socketio, hub)
    app.wsgi_app = Doorway(_without_compression(_refusing_old_clients(app.wsgi_app, settings)), settings)  # type: ignore[method-assign]
    return hub


def disconnect_account(account: str) -> None:
    """Tell the account's pages that their tokens are no longer good; they hear nothing more. Inside an application context."""
    current_app.extensions["sockets"].disconnect_account(account)


def loss_handler(app: Flask) -> Callable[[str, str], None]:
    """What is to be done when an account's gateway is lost: its pages are told, and those whose token went with it sent away."""
    hub, sockets = app.extensions["hub"], app.extensions["sockets"]

    def lost(account: str, reason: str) -> None:
        hub.lost(account, reason)
        if reason == NEEDS_LOGIN:  # maybe logged out by way of another web
            sockets.look_soon()

    return lost


def listening_socket(host: str, port: int) -> socket.socket:
    """A listening socket whose connections send at once (TCP_NODELAY) and give up on a peer that takes nothing."""
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
    """As many descriptors as this process may give itself, and how many that is: 1,024, as most systems begin with, is 1,000 pages."""
    try:
        import resource
    except ImportError:  # not POSIX
        return 8192
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # a system that has a bound of its own below its hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else min(soft, MOST_DESCRIPTORS)


def serve(app: Flask, settings: Settings, sock: socket.socket) -> None:
    """Serve until SystemExit or KeyboardInterrupt; pages are closed then, and nothing is waited for longer than a second."""
    servers = {"eventlet": _serve_eventlet, "gevent": _serve_gevent, "threading": _serve_threading}
    if settings.async_mode not in servers:
        raise SettingsError(f"async_mode 为 {settings.async_mode} 时由 uWSGI 提供服务：uwsgi --ini uwsgi.ini", parameter="async_mode")
    watch = HangWatch()
    watch.start()
    try:
        servers[settings.async_mode](app, settings, sock)
    finally:
        watch.stop()


def _serve_eventlet(app: Flask, settings: Settings, sock: socket.socket) -> None:
    from app import eventlet_server  # imports eventlet

    eventlet_server.serve(app, sock, raise_descriptor_limit(), settings.proxies > 0)


def _serve_gevent(app: Flask, _settings: Settings, sock: socket.socket) -> None:
    from gevent import lock, pywsgi
    from gevent import socket as gevent_socket

    class WholeSocket(gevent_socket.socket):  # type: ignore[misc]
        """`send` sends all, as simple-websocket takes for granted; gevent's sends what fits, which cuts frames short (tried)."""

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


def _refusing_old_clients(wsgi_app: Callable[..., Iterable[bytes]], settings: Settings) -> Callable[..., Iterable[bytes]]:
    """Say to a Socket.IO 2 client (EIO=3) what is wrong, so that its page can read it: the library's own answer lacks the CORS header,
    and the browser then blames that. Not before it was asked whether the page may send its header `token`."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        version = parse_qs(environ.get("QUERY_STRING", "")).get("EIO", [""])[0]
        if not environ.get("PATH_INFO", "").startswith("/socket.io") or version not in OLD_ENGINES:
            return wsgi_app(environ, start_response)
        headers = {"Cache-Control": "no-store", "Vary": "Origin"}
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and is_ours(origin, environ, settings.origins):
            headers["Access-Control-Allow-Origin"] = origin
        if environ["REQUEST_METHOD"] == "OPTIONS":
            headers["Access-Control-Allow-Headers"] = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
            return Response(status=204, headers=headers)(environ, start_response)
        envelope = {"success": False, "msg": OLD_CLIENT.format(version), "data": "", "error": "SOCKET_CLIENT_TOO_OLD"}
        return Response(orjson.dumps(envelope), 400, headers, mimetype="application/json")(environ, start_response)

    return application


def _without_compression(wsgi_app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Browsers offer permessage-deflate, which costs 30 µs a message and page: it is not negotiated."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        return wsgi_app(environ, start_response)

    return application
