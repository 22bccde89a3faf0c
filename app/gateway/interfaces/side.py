"""What the two fronts of an account have in common, whatever they speak over: state, login, telling. Gateway process, event thread.

A front is reached over a link. The link connects, and connects again; what it hears it hands over as the frames of
app/counter/frames.py, one connection after the other. front.py is the built-in counter's link, native.py the vendor library's.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from ctpbee.constant import EVENT_TICK, Event
from ctpbee.signals import common_signals

from app.counter import frames
from app.gateway.interfaces import fields
from app.gateway.interfaces.wiring import Wiring
from app.lib.errors import LoginRefused

log = logging.getLogger(__name__)

LOGIN_LIMIT = 30.0  # seconds from connecting to ready; then the connection is made anew
NEVER_SENT = "NEVER_SENT"
LOGGED_IN = {"logged_in", "confirming", "loading", "ready"}
"""States of a front that has taken the login."""


class NotSent(Exception):
    """It has not left, and never will: `message` says why, `code` is what an order is refused with."""

    def __init__(self, message: str, code: str = NEVER_SENT) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Refused(Protocol):
    """An answer that says no."""

    ErrorID: int
    ErrorMsg: str


class Wire(Protocol):
    """One connection, from its opening to its loss. `send` from any thread; raises NotSent."""

    @property
    def closed(self) -> bool: ...

    def send(self, frame: frames.AnyRequestFrame) -> None: ...


class Link(Protocol):
    """A front that is connected to again and again; it calls `on_open`, `on_frame` and `on_lost` of its side in the event thread."""

    @property
    def connection(self) -> Wire | None: ...

    def start(self) -> None: ...

    def settled(self) -> None:
        """The counter has taken us: the next loss begins with the shortest pause again."""

    def drop(self) -> None:
        """Let this connection go and make another one."""

    def close(self) -> None:
        """For good: no further attempt."""


class Side(ABC):
    """What market and trader have in common: the front's state, and its login."""

    name: str
    login_limit = LOGIN_LIMIT

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._loop = wiring.loop
        self._ledger = wiring.ledger
        self._front: Link | None = None
        self.info: dict[str, Any] = {}
        self._clock = wiring.clock
        self._watchdog: Any = None
        self._said = ("", "")
        self.gateway_name = wiring.name
        self.state = ""
        self.refusal: LoginRefused | None = None
        self.is_taken = False  # the password, by this counter: at this front or at the other, in this process or in one before

    @property
    def ready(self) -> bool:
        return self.state == "ready"

    @property
    def is_given_up(self) -> bool:
        """Whether it was refused, and is not dialled again by itself."""
        return self.state == "refused"

    def connect(self, info: dict[str, Any]) -> None:
        """Begin to connect, and go on until `close` or a refused login."""
        self.info = info
        self.is_taken = self.is_taken or bool(info.get("password_taken"))
        self._say("connecting")
        self._front = self._make_front()
        self._front.start()

    def close(self) -> None:
        if self._front is not None:
            self._front.close()

    @abstractmethod
    def _make_front(self) -> Link:
        """The link of this account's front, as `_info` has it."""

    def _send(self, frame: frames.AnyRequestFrame) -> bool:
        """A question that is asked again at the next login anyway, should the front be gone. Whether it has left."""
        assert self._front is not None
        if self._front.connection is None:
            return False
        try:
            self._front.connection.send(frame)
        except NotSent as error:
            log.info("%s: %s not sent: %s", self.name, type(frame).__name__, error.message)
            return False
        return True

    def _say(self, state: str, reason: str = "") -> None:
        self.state = state
        if self._said != (state, reason):
            self._said = (state, reason)
            self._call(self._wiring.on_status, self.name, state, reason)

    def _on_open(self) -> None:
        self._say("connected")
        self._say("logging_in")
        self._watch()
        self._send_login()

    def _send_login(self) -> None:
        self._send(self._login())

    def _login(self) -> frames.ReqUserLogin:
        return frames.ReqUserLogin(front=self.name, BrokerID=self.info["brokerid"], UserID=self.info["userid"], Password=self._password())

    def _password(self) -> str:
        return ""

    def _hear_clock(self, frame: frames.RspUserLogin) -> None:
        self.is_taken = True
        self._clock.set(frame.now)

    def _watch(self) -> None:
        """From now on there is a limit to how long it may take to be ready."""
        self._unwatch()
        self._watchdog = self._loop.call_later(self.login_limit, self._give_up_login)

    def _unwatch(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()

    def _give_up_login(self) -> None:
        log.warning("%s: still %s after %g s, connecting anew", self.name, self.state, self.login_limit)
        if self._front is not None:
            self._front.drop()

    def _is_ready(self) -> None:
        self._unwatch()
        self._say("ready")

    def _on_lost(self, reason: str) -> None:
        self._unwatch()
        self._clock.lost()
        if self.state not in ("refused", "lost"):  # the first reason is the one that tells something
            self._say("lost", reason)

    def _on_login_refused(self, frame: Refused) -> None:
        assert self._front is not None
        code, message = fields.refusal_of(frame.ErrorID, frame.ErrorMsg)
        if self._passes(frame):
            self._say("lost", message)
            self._front.drop()
            return
        self._refuse(LoginRefused(message, code=code))

    def _passes(self, frame: Refused) -> bool:
        """Whether a login that was refused so is mended by waiting."""
        return frame.ErrorID in fields.PASSING_LOGIN_ERRORS or fields.LOGIN_TOO_SOON in frame.ErrorMsg

    def _refuse(self, refusal: LoginRefused) -> None:
        """It is not tried again."""
        self.refusal = refusal
        self._unwatch()
        self._say("refused", f"{refusal.message}（{refusal.code}）")
        if self._front is not None:
            self._front.close()

    def _on_frame(self, frame: frames.AnyCallbackFrame) -> None:
        handler = getattr(self, f"_on_{type(frame).__name__}", None)
        if handler is None:
            log.warning("%s: unexpected frame %s", self.name, type(frame).__name__)
        else:
            handler(frame)

    def _emit(self, kind: str, data: Any) -> None:
        signals = common_signals if kind == EVENT_TICK else self._wiring.signals
        self._call(getattr(signals, f"{kind}_signal").send, Event(type=kind, data=data))

    @staticmethod
    def _call(function: Callable[..., Any], *args: Any) -> None:
        """Tell somebody: his failure is his own and stops nothing here."""
        try:
            function(*args)
        except Exception:  # the edge of a handler
            log.exception("handler %s failed", getattr(function, "__qualname__", repr(function)))
