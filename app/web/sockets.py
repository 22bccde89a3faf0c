"""What a page says over Socket.IO, and who may listen. Web process.

A page is anonymous until it shows a token: header `token` at connect, `auth: {token}`, or the event
`identify`; with a bad one it is told so and stays anonymous. Then it gets its account's snapshot (account,
position, active_order, order, trade, contract, status, and last `snapshot` `{"seq": N}`) and from there on
what is newer. `subscribe` `{"symbols": […] or null, "batch": bool, "forming": […] or null}` narrows its
quotes. What goes wrong is told with the event `error`, in the words of the REST envelope: `{"error": code,
"msg": text}`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import uuid
from typing import Any

from flask import request
from flask_socketio import SocketIO

from app.lib.errors import AppError, BadInput, TokenError
from app.web.credentials import Tokens
from app.web.engine import Engine
from app.web.gateways import Gateways
from app.web.hub import Hub
from app.web.lobby import Lobby

MAX_SYMBOLS = 2000
MAX_SYMBOL = 64
LOOKS_SOON = 5  # one a second: a logout first ends the gateway, which other webs see, and then the tokens
ABSENT = ("", "null", "undefined")  # what a page's header holds before its first login

log = logging.getLogger(__name__)


class Sockets:
    """The handlers of one app's Socket.IO server, and the watch over tokens that end while a page is
    connected.
    """

    def __init__(self, socketio: SocketIO, hub: Hub, tokens: Tokens, gateways: Gateways) -> None:
        self._hub = hub
        self._tokens = tokens
        self._gateways = gateways
        self._engine = Engine(socketio.server)
        self._lobby = Lobby(hub.limits.anonymous_per_address, hub.limits.anonymous_seconds)
        self._engine_ids: dict[str, str] = {}
        self._watch: threading.Thread | None = None
        self._starting = threading.Lock()
        self._hurry = threading.Event()
        self._looks_soon = 0
        self._stopped = False
        self._engine.guard(self._opened, self._lobby.closed)
        socketio.on_event("connect", self._connect)
        socketio.on_event("disconnect", self._disconnect)
        socketio.on_event("identify", self._identify)
        socketio.on_event("subscribe", self._subscribe)
        socketio.on_error_default(self._failed)

    def stop(self) -> None:
        """Close every page's connection; pages reconnect when there is a server again."""
        self._stopped = True
        self._hurry.set()
        self._hub.stop()
        self._engine.close_all()

    def disconnect_account(self, account: str) -> None:
        """The account's tokens are no longer good: its pages are told and hear nothing more."""
        for member in self._hub.members():
            if member.account == account:
                self._dismiss(member.sid)

    def look_soon(self) -> None:
        """There is reason to think that tokens are being revoked, maybe by another web: look now, and a few
        times more.
        """
        self._looks_soon = LOOKS_SOON
        self._hurry.set()

    # ── handlers, inside a request context ──

    def _opened(self, engine_id: str, environ: dict[str, Any]) -> None:
        with self._starting:
            if self._watch is None:
                self._watch = threading.Thread(target=self._watch_forever, name="socket-watch", daemon=True)
                self._watch.start()
                self._hub.start()
        oldest = self._lobby.open(engine_id, environ.get("REMOTE_ADDR", ""))
        if oldest:
            self._engine.close(oldest)

    def _connect(self, auth: Any = None) -> None:
        sid = _sid()
        line = self._engine.line(sid)
        self._engine_ids[sid] = line.id
        self._hub.connect(sid, line)
        shown = auth.get("token") if isinstance(auth, dict) else None
        if shown is None:
            shown = request.headers.get("token", "")
        if shown not in ABSENT:
            self._admit(sid, shown)

    def _disconnect(self, _reason: str = "") -> None:
        sid = _sid()
        self._hub.disconnect(sid)
        self._lobby.send_back(self._engine_ids.pop(sid, ""))  # the connection below may stay open

    def _identify(self, data: Any = None) -> None:
        self._admit(_sid(), data.get("token") if isinstance(data, dict) else data)

    def _subscribe(self, data: Any = None) -> None:
        if not isinstance(data, dict):
            raise BadInput("subscribe", "订阅参数应为对象")
        batch = data.get("batch", False)
        if not isinstance(batch, bool):
            raise BadInput("batch", "batch 应为 true 或 false")
        self._hub.subscribe(_sid(), _symbols(data, "symbols"), batch, _symbols(data, "forming"))

    def _failed(self, error: Exception) -> None:
        if isinstance(error, AppError):
            self._hub.send(_sid(), "error", {"error": error.code, "msg": error.message, **error.extra})
            return
        error_id = uuid.uuid4().hex[:12]
        log.error("socket event %s failed, error id %s", request.event["message"], error_id, exc_info=error)  # type: ignore[attr-defined]
        self._hub.send(
            _sid(),
            "error",
            {"error": "INTERNAL", "msg": f"服务内部错误，编号 {error_id}", "error_id": error_id},
        )

    # ── who may listen ──

    def _admit(self, sid: str, shown: Any) -> None:
        token = shown.removeprefix("JWT ").removeprefix("Bearer ").strip() if isinstance(shown, str) else ""
        try:
            account = self._tokens.verify(token).account
        except TokenError:
            self._dismiss(
                sid
            )  # stays connected: a page does not come back from a disconnect, and shows its next token here
            return
        self._hub.join(sid, account, token)
        self._admitted(sid, True)
        self._lobby.let_in(self._engine_ids.get(sid, ""))
        self._gateways.request_snapshot(account)

    def _dismiss(self, sid: str) -> None:
        error = TokenError()
        self._hub.leave(sid)
        self._hub.send(sid, "error", {"error": error.code, "msg": error.message})
        self._admitted(sid, False)
        self._lobby.send_back(self._engine_ids.get(sid, ""))

    def _admitted(self, sid: str, is_known: bool) -> None:
        with contextlib.suppress(KeyError):  # it has just gone
            self._engine.line(sid).admit(is_known)

    def _watch_forever(self) -> None:
        while True:
            self._hurry.wait(1.0 if self._looks_soon else self._hub.limits.check_seconds)
            self._hurry.clear()
            self._looks_soon = max(0, self._looks_soon - 1)
            if self._stopped:
                return
            try:
                self._look()
            except Exception:  # the edge of this thread
                log.exception("looking after the sockets failed")

    def _look(self) -> None:
        for engine_id in self._lobby.overdue():
            self._engine.close(engine_id)
        for member in self._hub.members():
            try:
                good = self._tokens.verify(member.token).account == member.account
            except TokenError:
                good = False
            if not good:
                self._dismiss(member.sid)


def _symbols(data: dict[str, Any], name: str) -> list[str] | None:
    """Raises BadInput."""
    symbols = data.get(name)
    if symbols is not None and not (
        isinstance(symbols, list)
        and len(symbols) <= MAX_SYMBOLS
        and all(isinstance(symbol, str) and 0 < len(symbol) <= MAX_SYMBOL for symbol in symbols)
    ):
        raise BadInput(name, f"{name} 应为合约代码的列表")
    return symbols


def _sid() -> str:
    sid: str = request.sid  # type: ignore[attr-defined]  # Flask-SocketIO puts it there
    return sid
