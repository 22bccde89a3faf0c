"""Between the reader of a connection and a busy strategy: ticks conflate, everything else keeps its order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.lib.errors import GatewayDown, OrderRefused
from app.process.event_loop import EventLoop
from app.strategy.relay import Relay
from app.wire import channel
from app.wire.channel import Connection
from app.wire.messages import CancelAll, JoinStrategy, Push, StrategySaid
from app.wire.rpc import Responder, RpcClient, RpcServer, encode_push
from tests.support.waiting import eventually


class Listener:
    """A strategy that hears when `loop.run_due` lets it. `during` is called with each push."""

    def __init__(self) -> None:
        self.loop = EventLoop()
        self.heard: list[tuple[str, bytes]] = []
        self.during: Callable[[bytes], Any] = lambda _payload: None

    def post(self, function: Callable[..., Any], *args: Any) -> None:
        self.loop.post(function, *args)

    def on_push(self, name: str, payload: bytes) -> None:
        self.heard.append((name, payload))
        self.during(payload)

    def on_state(self, state: Any) -> None:
        raise AssertionError

    on_lost = post


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def relay(listener: Listener) -> Relay:
    return Relay(lambda: None, JoinStrategy("a", 1), listener)


def tick(symbol: str, payload: bytes) -> Push:
    return Push("tick", payload, symbol)


def test_of_the_ticks_that_wait_the_newest_of_each_contract_is_heard(
    relay: Relay, listener: Listener
) -> None:
    for push in (tick("a", b"a1"), tick("b", b"b1"), tick("a", b"a2"), tick("c", b"c1"), tick("a", b"a3")):
        relay.on_push(push)
    listener.loop.run_due()
    assert listener.heard == [("tick", b"b1"), ("tick", b"c1"), ("tick", b"a3")]


def test_what_comes_while_a_callback_runs_takes_the_place_of_what_waits(
    relay: Relay, listener: Listener
) -> None:
    relay.on_push(tick("a", b"a1"))
    relay.on_push(tick("b", b"b1"))
    listener.during = lambda payload: relay.on_push(tick("b", b"b2")) if payload == b"a1" else None
    listener.loop.run_due()
    assert listener.heard == [("tick", b"a1"), ("tick", b"b2")]
    relay.on_push(tick("a", b"a2"))
    listener.loop.run_due()
    assert listener.heard[-1] == ("tick", b"a2")


def test_an_order_that_came_before_is_heard_before_the_ticks_of_afterwards(
    relay: Relay, listener: Listener
) -> None:
    relay.on_push(Push("book", b"1"))
    relay.on_push(Push("order", b"2"))
    relay.on_push(tick("a", b"a1"))
    relay.on_push(Push("trade", b"3"))
    listener.loop.run_due()
    assert [name for name, _ in listener.heard] == ["book", "order", "tick", "trade"]


def test_without_a_connection_nothing_is_asked_and_that_is_said(relay: Relay) -> None:
    with pytest.raises(GatewayDown) as error:
        relay.call(CancelAll(), 1.0)
    assert error.value.extra["asked"] is False
    assert not relay.tell(StrategySaid("a", "INFO", "", "x"))


def test_a_late_answer_is_heard_in_its_turn_among_the_pushes(
    relay: Relay, listener: Listener, tmp_path: Path
) -> None:
    heard = listener.heard
    answers: list[Any] = []
    given: list[tuple[Connection, Responder]] = []

    def handle(connection: Connection, _request: Any, reply: Responder) -> None:
        given.append((connection, reply))

    server = RpcServer(channel.new_address(tmp_path, "gateway.sock"), handle)
    server.start()
    relay.client = RpcClient(server.address, relay.on_push)
    try:
        with pytest.raises(GatewayDown):
            relay.call(
                CancelAll(), 0.01, lambda answer: (heard.append(("answer", b"")), answers.append(answer))
            )
        eventually(lambda: given, "the gateway has it")
        connection, reply = given[0]
        connection.send(encode_push(Push("book", b"1")))
        reply(OrderRefused("超出限制", code="STRATEGY_LIMIT"))
        connection.send(encode_push(Push("order", b"2")))
        eventually(lambda: listener.loop.waiting == 3, "all has been read")
        listener.loop.run_due()
        assert [name for name, _ in heard] == ["book", "answer", "order"]
        assert isinstance(answers[0], OrderRefused)
        assert answers[0].code == "STRATEGY_LIMIT"
    finally:
        relay.stop(0.0)
        server.close(0.0)
