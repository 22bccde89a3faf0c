"""Who is turned away before anything looks at his request: requests for a foreign host, and pages of foreign
origin. Web process.

A page that the trader visits can reach this server through his browser: by its address, or by a name of its
own that it lets point here (DNS rebinding). The browser tells on it: `Host` is the name that was asked for,
`Origin` and `Sec-Fetch-Site` say whose page asks. A program that is no browser sends what it likes, and is
kept out by the authorization code and the token alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from app.settings import Settings

LOCAL_ORIGIN = re.compile(r"^https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$")
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
SOCKETS = "/socket.io"
READING = ("GET", "HEAD", "OPTIONS")

Application = Callable[..., Iterable[bytes]]


class Doorway:
    """Around the whole application, Socket.IO too."""

    def __init__(self, application: Application, settings: Settings) -> None:
        self._application = application
        self._origins = settings.origins
        named = [settings.host, *(urlsplit(origin).hostname or "" for origin in settings.origins)]
        self._hosts = {host.casefold() for host in (*LOCAL_HOSTS, *named)}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        refusal = self._refusal(environ)
        if refusal is None:
            return self._application(environ, start_response)
        status, code, text = refusal
        body = orjson.dumps({"success": False, "msg": text, "data": "", "error": code})
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def _refusal(self, environ: dict[str, Any]) -> tuple[str, str, str] | None:
        host = environ.get("HTTP_HOST", "")
        if host and "*" not in self._origins and _hostname(host) not in self._hosts:
            return (
                "421 Misdirected Request",
                "FOREIGN_HOST",
                f"本服务不叫 {host[:100]}：请用 127.0.0.1，或在 origins 中写明网址",
            )
        is_socket = environ.get("PATH_INFO", "").startswith(SOCKETS)
        if (is_socket or environ["REQUEST_METHOD"] not in READING) and self._is_foreign(environ):
            return (
                "403 Forbidden",
                "FOREIGN_ORIGIN",
                "请求来自别的网站的网页：要让它使用本服务，在 origins 中写明它的来源",
            )
        if (
            is_socket
            and "websocket" in environ.get("HTTP_UPGRADE", "").lower()
            and "HTTP_SEC_WEBSOCKET_VERSION" not in environ
        ):
            return (
                "400 Bad Request",
                "OLD_WEBSOCKET",
                "只支持 RFC 6455 的 WebSocket",
            )  # the drafts before it bound nothing
        if is_socket and "j" in parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True):
            return "400 Bad Request", "NO_JSONP", "不支持 JSONP"  # any page could read it
        return None

    def _is_foreign(self, environ: dict[str, Any]) -> bool:
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            return environ.get("HTTP_SEC_FETCH_SITE") == "cross-site"
        return not is_ours(origin, environ, self._origins)


def is_ours(origin: str | None, environ: dict[str, Any], origins: list[str]) -> bool:
    """Whether a page of this origin may use the server: of the same host, one of those named, of this machine
    where none is named.

    Who sends no origin is no page in a browser, and not kept out by origins.
    """
    if origin is None:
        return True
    if "*" in origins or origin in origins or urlsplit(origin).netloc == environ.get("HTTP_HOST"):
        return True
    return not origins and LOCAL_ORIGIN.match(origin) is not None


def _hostname(host: str) -> str:
    """Without the port and an address's brackets; "" for what is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").casefold().removesuffix(".")
    except ValueError:
        return ""
