"""Calls over a channel whose other end is about to end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from app.lib.errors import BadInput, GatewayDown
from app.wire import channel
from app.wire.channel import Connection
from app.wire.messages import Done, Message, Push, ShutDown
from app.wire.rpc import Last, Responder, RpcClient, RpcServer, encode_push, respond
from tests.support.waiting import eventually


@pytest.fixture
def serve(tmp_path: Path) -> Any:
    servers: list[RpcServer] = []

    def start(handle: Callable[[Connection, Any, Responder], Any]) -> RpcServer:
        servers.append(RpcServer(channel.new_address(tmp_path, "peer.sock"), handle))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.close(0.0)


def test_the_last_answer_is_there_although_the_end_closes_every_connection_at_once(serve: Any) -> None:
    ended = threading.Event()

    def end() -> None:
        server.close(0.0)  # the main thread may be this fast
        ended.set()

    server = serve(lambda _connection, _request, reply: reply(Last(Done(), end)))
    client = RpcClient(server.address)
    assert client.call(ShutDown(), 30.0) == Done()
    assert ended.wait(30.0)
    eventually(lambda: client.closed, "the end was begun")


def test_the_end_does_not_begin_before_the_answer_has_left(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, may_write, ended = threading.Event(), threading.Event(), threading.Event()
    server = serve(lambda _connection, _request, reply: reply(Last(Done(), ended.set)))
    client = RpcClient(server.address)
    eventually(lambda: server._server._connections, "the connection is taken")
    (connection,) = server._server._connections
    plain = connection._sock

    class Slow:
        def sendall(self, data: bytes) -> None:
            written.set()
            assert may_write.wait(30.0)
            plain.sendall(data)

        def __getattr__(self, name: str) -> Any:
            return getattr(plain, name)

    connection._sock = Slow()
    answer: Future[Any] = Future()
    client.ask(ShutDown(), lambda future: answer.set_result(future.result()))
    assert written.wait(30.0)
    assert not ended.wait(0.05)
    may_write.set()
    assert answer.result(30.0) == Done()
    assert ended.wait(30.0)


def test_an_answer_that_comes_when_nobody_waits_for_it_any_more_is_heard_by_who_wants_it(serve: Any) -> None:
    """An order's: who gave up waiting has to learn what became of it."""
    replies: list[Responder] = []
    server = serve(lambda _connection, _request, reply: replies.append(reply))
    client = RpcClient(server.address)
    heard: list[Any] = []
    with pytest.raises(GatewayDown) as error:
        client.call(ShutDown(), 0.01, lambda late: heard.append(late.result()))
    assert error.value.extra["asked"] is True
    assert heard == []
    eventually(lambda: replies, "the question has arrived")
    replies[0](Done("late"))
    eventually(lambda: heard == [Done("late")], "the late answer is heard")
    assert client._waiting == {}


def test_who_waited_in_vain_hears_of_the_end_of_the_connection_too(serve: Any) -> None:
    server = serve(lambda _connection, _request, _reply: None)
    client = RpcClient(server.address)
    heard: list[Any] = []
    with pytest.raises(GatewayDown):
        client.call(ShutDown(), 0.01, lambda late: heard.append(late.exception()))
    client.close()
    eventually(lambda: heard, "it is heard")
    assert isinstance(heard[0], GatewayDown)
    assert heard[0].extra["asked"] is True


def test_what_is_sent_after_the_reply_comes_after_it_although_another_thread_replies(serve: Any) -> None:
    def handle(connection: Connection, _request: Any, reply: Responder) -> None:
        def work() -> None:
            reply(Done("the snapshot"))
            connection.send(encode_push(Push("tick", b"1")))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(30.0)  # it is done with both before this thread goes on

    heard: list[Any] = []
    client = RpcClient(serve(handle).address, heard.append)
    client.ask(ShutDown(), lambda answer: heard.append(answer.result()))
    eventually(lambda: len(heard) == 2, "both have come")
    assert heard == [Done("the snapshot"), Push("tick", b"1")]


def test_who_answers_later_answers_with_what_became_of_it() -> None:
    replies: list[Any] = []
    later: Future[Any] = Future()
    respond(replies.append, lambda: later)
    assert replies == []
    later.set_result(Done())
    broken: Future[Any] = Future()
    broken.set_exception(BadInput("x", "wrong"))
    respond(replies.append, lambda: broken)

    def fail() -> Any:
        raise ValueError("unexpected")

    respond(replies.append, fail)
    assert replies[0] == Done()
    assert [type(error) for error in replies[1:]] == [BadInput, ValueError]


class AskedByANewerProgram(Message):
    """A request that the answering side does not know."""


def test_a_request_that_is_not_known_is_refused_and_the_connection_goes_on(serve: Any) -> None:
    server = serve(lambda _connection, _request, reply: reply(Done()))
    client = RpcClient(server.address)
    unknown: Any = AskedByANewerProgram()
    with pytest.raises(GatewayDown) as refused:
        client.call(unknown, 5.0)
    assert (refused.value.code, refused.value.extra["asked"]) == ("VERSION_MISMATCH", False)
    assert client.call(ShutDown(), 30.0) == Done()
    assert not client.closed


def test_a_frame_that_is_no_call_ends_its_connection(serve: Any) -> None:
    server = serve(lambda _connection, _request, reply: reply(Done()))
    client = RpcClient(server.address)
    client._connection.send(b"\x93\xa4Call\xa3one\x80")
    eventually(lambda: client.closed, "the end of who sends no calls")
