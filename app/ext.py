"""What the web adds to Flask: Socket.IO with the fan-out behind it, and CORS. Web process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

import orjson
from flask import Flask, Response, current_app
from flask_cors import CORS
from flask_socketio import SocketIO

from app.settings import Settings
from app.web.credentials import Tokens
from app.web.doorway import LOCAL_ORIGIN, Doorway, is_ours
from app.web.gateways import NEEDS_LOGIN, Gateways
from app.web.hub import Hub
from app.web.inbound import MAX_PACKET
from app.web.sockets import Sockets

OLD_ENGINES = ("1", "2", "3")  # of Engine.IO, as clients before socket.io-client 3 say
OLD_CLIENT = (
    "这个 socket.io-client 太旧（EIO={}，2.x 或更早）：本服务是 Socket.IO 5，请换成 "
    "socket.io-client 4，换法见 README 的“前端接入”"
)


def init_app(app: Flask, settings: Settings, hub: Hub, tokens: Tokens, gateways: Gateways) -> None:
    """Put Socket.IO and CORS around the app. The hub is where the gateways' events go in."""
    for name in ("socketio.server", "engineio.server"):
        logging.getLogger(name).setLevel(
            logging.ERROR
        )  # at INFO every message, tokens included; at WARNING what any stranger says
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
    app.extensions["hub"] = hub
    app.extensions["sockets"] = Sockets(socketio, hub, tokens, gateways)
    app.wsgi_app = Doorway(_without_compression(_refusing_old_clients(app.wsgi_app, settings)), settings)  # type: ignore[method-assign]


def disconnect_account(account: str) -> None:
    """Tell the account's pages that their tokens are no longer good; they hear nothing more. Inside an
    application context.
    """
    current_app.extensions["sockets"].disconnect_account(account)


def loss_handler(app: Flask, hub: Hub) -> Callable[[str, str], None]:
    """What is to be done when an account's gateway is lost: its pages are told, and those whose token went
    with it sent away.
    """

    def lost(account: str, reason: str) -> None:
        hub.lost(account, reason)
        if reason == NEEDS_LOGIN:  # maybe logged out by way of another web
            app.extensions["sockets"].look_soon()

    return lost


def _refusing_old_clients(
    wsgi_app: Callable[..., Iterable[bytes]], settings: Settings
) -> Callable[..., Iterable[bytes]]:
    """Say to a Socket.IO 2 client (EIO=3) what is wrong, so that its page can read it: the library's own
    answer lacks the CORS header, and the browser then blames that. Not before it was asked whether the page
    may send its header `token`.
    """

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
        envelope = {
            "success": False,
            "msg": OLD_CLIENT.format(version),
            "data": "",
            "error": "SOCKET_CLIENT_TOO_OLD",
        }
        return Response(orjson.dumps(envelope), 400, headers, mimetype="application/json")(
            environ, start_response
        )

    return application


def _without_compression(wsgi_app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Browsers offer permessage-deflate, which costs 30 µs a message and page: it is not negotiated."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        return wsgi_app(environ, start_response)

    return application
