"""Calls and pushes over a channel: who asks gets exactly one answer or one error, and pushes come in between.
Any process.

Wire: msgpack of `Call`, `Reply`, `Fault` or `Push`. What may stand in a call or a reply is the closed union
in messages.py.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, NamedTuple

import msgspec

from app import logs
from app.lib.errors import AppError, GatewayDown, StoreDown
from app.model.store import StoreFailed
from app.wire import channel
from app.wire.channel import ChannelClosed, Connection
from app.wire.messages import AnyReply, AnyRequest, Push

LAST_ANSWER = 1.0  # seconds that a last answer gets to leave

log = logging.getLogger(__name__)


class Last(NamedTuple):
    """An answer after which this process ends: `then`, which begins the end, is called once the answer is on
    the wire.
    """

    reply: AnyReply
    then: Callable[[], Any]


class Call(msgspec.Struct, tag=True, array_like=True):
    id: int
    body: AnyRequest
    request_id: str = ""  # of the HTTP request that it is part of, for the log


class UnknownCall(msgspec.Struct, tag="Call", array_like=True):
    """A call whose request this side cannot read: that of a newer program."""

    id: int
    body: msgspec.Raw


class Reply(msgspec.Struct, tag=True, array_like=True):
    id: int
    body: AnyReply


class Fault(msgspec.Struct, tag=True, array_like=True):
    id: int
    kind: str
    code: str
    message: str
    extra: dict[str, Any]


_encoder = msgspec.msgpack.Encoder()
_calls = msgspec.msgpack.Decoder(Call)
_unknown_calls = msgspec.msgpack.Decoder(UnknownCall)
_answers = msgspec.msgpack.Decoder(Reply | Fault | Push)


def encode_push(push: Push) -> bytes:
    """The frame of a push, encoded once for all who get it."""
    return _encoder.encode(push)


Responder = Callable[[AnyReply | Last | BaseException], None]
"""Sends the one answer of a call, from any thread: what that thread sends to the caller afterwards comes
after it. An AppError reaches the caller as it is; of what else went wrong it hears that it did.
"""


def respond(reply: Responder, make: Callable[[], Any]) -> None:
    """Reply with what `make` returns or raises; where it returns a future, with that one's end."""
    try:
        answer = make()
    except Exception as error:  # the edge of a call: it becomes a Fault
        reply(error)
        return
    if isinstance(answer, Future):
        answer.add_done_callback(lambda future: reply(future.exception() or future.result()))
    else:
        reply(answer)


def _unknown() -> GatewayDown:
    text = "这个请求须由更新的程序应答，请重启网关主机与网关，之后重新登录"
    return GatewayDown(text, code="VERSION_MISMATCH", asked=False)


class RpcServer:
    """Answers calls. `handle(connection, request, reply)` calls `reply` once, now or later, or raises.

    It runs in the connection's reader thread, in a context that has the request's id: what is to run
    elsewhere takes the context along.
    """

    def __init__(
        self,
        address: str,
        handle: Callable[[Connection, AnyRequest, Responder], None],
        on_close: Callable[[Connection], None] = lambda _connection: None,
    ) -> None:
        self._handle = handle
        self._server = channel.Server(address, self._on_frame, on_close)
        self.address = self._server.address

    def start(self) -> None:
        self._server.start()

    def close(self, flush: float = 0.5) -> None:
        self._server.close(flush)

    def _on_frame(self, connection: Connection, frame: bytes) -> None:
        try:
            call = _calls.decode(frame)
        except msgspec.ValidationError:  # what else is asked on this connection is not to suffer for it
            self._answer(connection, _unknown_calls.decode(frame).id, _unknown())
            return
        logs.request_id.set(call.request_id)

        def reply(answer: AnyReply | Last | BaseException) -> None:
            if isinstance(answer, Last):
                self._answer(connection, call.id, answer.reply)
                connection.flush(LAST_ANSWER)
                answer.then()
            else:
                self._answer(connection, call.id, answer)

        try:
            self._handle(connection, call.body, reply)
        except Exception as error:
            reply(error)

    @staticmethod
    def _answer(connection: Connection, call_id: int, outcome: AnyReply | BaseException) -> None:
        if isinstance(outcome, StoreFailed):
            log.error("the store failed: %s", outcome)
            outcome = StoreDown()
        if isinstance(outcome, AppError):
            frame = _encoder.encode(
                Fault(call_id, type(outcome).__name__, outcome.code, outcome.message, outcome.extra)
            )
        elif isinstance(outcome, BaseException):
            log.error("call failed", exc_info=outcome)
            frame = _encoder.encode(Fault(call_id, "AppError", "INTERNAL", "服务内部错误，详见日志", {}))
        else:
            frame = _encoder.encode(Reply(call_id, outcome))
        try:
            connection.send(frame)
        except ChannelClosed:
            log.info("the caller left before its answer")


class RpcClient:
    """Asks, and hears pushes. `on_push` and `on_close` run in the reader thread and must not call back into
    `call`.
    """

    def __init__(
        self,
        address: str,
        on_push: Callable[[Push], None] = lambda _push: None,
        on_close: Callable[[], None] = lambda: None,
        timeout: float = 5.0,
    ) -> None:
        self._on_push = on_push
        self._on_close = on_close
        self._waiting: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()
        self._next = 0
        self._connection = channel.connect(address, timeout)
        threading.Thread(target=self._read, name="rpc-reader", daemon=True).start()

    @property
    def closed(self) -> bool:
        return self._connection.closed

    def call(
        self, request: AnyRequest, timeout: float = 10.0, late: Callable[[Future[Any]], None] | None = None
    ) -> Any:
        """The reply. Raises the AppError that the other side raised, or GatewayDown when it left or did not
        answer in time.

        GatewayDown after an order was handed over means that its outcome is unknown: `extra["asked"]` is True
        when the request had left this process. `late` gets the answer that comes when nobody waits for it any
        more, as `on_answer` of `ask`.
        """
        future: Future[Any] = Future()
        call_id = self._send(request, future)
        try:
            return future.result(timeout)
        except (FutureTimeout, TimeoutError):
            if late is None:
                self._waiting.pop(call_id, None)
            else:
                future.add_done_callback(late)
            raise GatewayDown("网关未在限定时间内应答", code="GATEWAY_TIMEOUT", asked=True) from None

    def ask(self, request: AnyRequest, on_answer: Callable[[Future[Any]], None]) -> None:
        """Send without waiting. `on_answer` runs in the reader thread: before any push that the other side
        sent after its answer.

        Raises GatewayDown when the other side is gone already.
        """
        future: Future[Any] = Future()
        future.add_done_callback(on_answer)
        self._send(request, future)

    def _send(self, request: AnyRequest, future: Future[Any]) -> int:
        with self._lock:
            self._next += 1
            call_id = self._next
            self._waiting[call_id] = future
        try:
            self._connection.send(_encoder.encode(Call(call_id, request, logs.request_id.get())))
        except ChannelClosed:
            self._waiting.pop(call_id, None)
            raise GatewayDown("网关连接已断开", asked=False) from None
        return call_id

    def close(self, flush: float = 0.0) -> None:
        """With `flush`, what is queued gets that many seconds to leave."""
        self._connection.close(flush)

    def _read(self) -> None:
        for frame in self._connection.frames():
            message = _answers.decode(frame)
            if isinstance(message, Push):
                try:
                    self._on_push(message)
                except Exception:  # a failing handler never stops the stream
                    log.exception("push handler failed for %s", message.name)
                continue
            future = self._waiting.pop(message.id, None)
            if future is None:
                log.info("an answer came after its caller had given up")
            elif isinstance(message, Fault):
                future.set_exception(
                    AppError.rebuild(message.kind, message.code, message.message, message.extra)
                )
            else:
                future.set_result(message.body)
        with self._lock:
            waiting, self._waiting = list(self._waiting.values()), {}
        for future in waiting:
            future.set_exception(GatewayDown("网关连接已断开", asked=True))
        self._on_close()
