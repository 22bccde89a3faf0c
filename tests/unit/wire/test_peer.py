"""One process talks to another: by its entry in the registry, of this version alone, again after it broke."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.lib.errors import GatewayDown, NotReady
from app.wire import peer
from app.wire.channel import Connection, new_address
from app.wire.messages import Done, Push, ReadStatus, Watch
from app.wire.registry import PROTOCOL, Entry
from app.wire.rpc import Responder, RpcServer, encode_push
from tests.support.waiting import eventually


class Other:
    """The other side. `answers` is what it answers with or raises."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[Any] = []
        self.answers: Callable[[], Any] = Done
        self.connections: list[Connection] = []
        self.server = RpcServer(new_address(folder, "other.sock"), self._handle)
        self.server.start()
        self.entry = Entry(name="gateway-x", kind="gateway", pid=0, started=0.0, address=self.server.address)

    def _handle(self, connection: Connection, request: Any, reply: Responder) -> None:
        self.asked.append(request)
        self.connections.append(connection)
        reply(self.answers())

    def hang_up(self) -> None:
        self.connections[-1].close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Other]:
    made = Other(tmp_path)
    yield made
    made.server.close(0.0)


def refuse() -> Any:
    raise NotReady("账户正在加载")


def test_a_call_is_answered_or_raises_what_the_other_side_raised(other: Other) -> None:
    assert peer.call(other.entry, ReadStatus(), 5.0) == Done()
    other.answers = refuse
    with pytest.raises(NotReady, match="账户正在加载"):
        peer.call(other.entry, ReadStatus(), 5.0)
    assert other.asked == [ReadStatus(), ReadStatus()]


@pytest.mark.parametrize(("kind", "name"), [("gateway", "账户的网关"), ("host", "网关管理进程")])
def test_a_process_of_another_version_is_sent_nothing_and_what_to_do_is_said(
    other: Other, kind: str, name: str
) -> None:
    newer = msgspec.structs.replace(other.entry, kind=kind, protocol=PROTOCOL + 1)
    with pytest.raises(GatewayDown, match=f"{name}由另一版本的程序启动，须一并重启") as refused:
        peer.call(newer, ReadStatus(), 5.0)
    assert (refused.value.code, refused.value.extra["asked"]) == ("VERSION_MISMATCH", False)
    assert other.asked == []


@pytest.mark.parametrize(("kind", "code"), [("gateway", "GATEWAY_DOWN"), ("host", "HOST_DOWN")])
def test_where_nobody_listens_nothing_was_asked(tmp_path: Path, kind: str, code: str) -> None:
    gone = Entry(name=kind, kind=kind, pid=0, started=0.0, address=new_address(tmp_path, "gone.sock"))
    for down in (
        peer.not_running(kind),
        pytest.raises(GatewayDown, peer.call, gone, ReadStatus(), 5.0).value,
    ):
        assert (down.code, down.extra["asked"]) == (code, False)


class Kept(peer.StandingConnection):
    """One that writes down what it lives through, with `tries` to open it before it gives up."""

    def __init__(self, find: Callable[[], Entry | None], tries: int, limit: float) -> None:
        super().__init__("kept", find, Watch(), limit)
        self.tries = tries
        self.heard: list[Any] = []

    def on_open(self, reply: Any) -> None:
        self.heard.append(reply)

    def on_push(self, push: Push) -> None:
        self.heard.append(push.name)

    def on_broken(self, entry: Entry) -> None:
        self.heard.append(f"{entry.name} broke")

    def goes_on(self) -> bool:
        self.tries -= 1
        return self.tries > 0


@pytest.fixture
def keep() -> Iterator[Callable[..., Kept]]:
    made: list[Kept] = []

    def start(find: Callable[[], Entry | None], tries: int = 1000, limit: float = 5.0) -> Kept:
        made.append(Kept(find, tries, limit))
        made[-1].start()
        return made[-1]

    yield start
    for kept in made:
        kept.stop()


def test_a_standing_connection_is_made_again_when_it_breaks_and_says_so_between(
    other: Other, keep: Callable[..., Kept]
) -> None:
    kept = keep(lambda: other.entry)
    eventually(lambda: kept.client, "it is open")
    other.connections[-1].send(encode_push(Push("tick", b"")))
    eventually(lambda: kept.heard == [Done(), "tick"], "what was pushed")
    other.hang_up()
    eventually(lambda: kept.heard[2:] == ["gateway-x broke", Done()], "it is open again")
    assert other.asked == [Watch(), Watch()]


def test_it_waits_for_one_that_does_not_run_yet_and_for_one_that_does_not_open_yet(
    other: Other, keep: Callable[..., Kept]
) -> None:
    found: list[Entry | None] = [None, None]
    other.answers = refuse
    kept = keep(lambda: found.pop() if found else other.entry)
    eventually(lambda: other.asked, "it was found")
    assert kept.client is None
    other.answers = Done
    kept.hurry()
    eventually(lambda: kept.heard == [Done()], "it is open")


def test_it_sends_nothing_to_one_of_another_version(other: Other, keep: Callable[..., Kept]) -> None:
    kept = keep(lambda: msgspec.structs.replace(other.entry, protocol=PROTOCOL + 1), tries=2)
    kept.hurry()
    eventually(lambda: kept.tries == 0, "it was tried")
    assert (other.asked, kept.heard) == ([], [])


class Slow:
    """A connection whose answers come when the test says so."""

    def __init__(self) -> None:
        self.answers: list[Callable[[Future[Any]], None]] = []
        self.closed = threading.Event()

    def ask(self, _request: Any, on_answer: Callable[[Future[Any]], None]) -> None:
        self.answers.append(on_answer)

    def close(self, _flush: float = 0.0) -> None:
        self.closed.set()


def test_an_answer_that_comes_after_its_time_opens_nothing(
    other: Other, keep: Callable[..., Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Slow] = []
    monkeypatch.setattr(peer, "connect", lambda *_args: made.append(Slow()) or made[-1])
    kept = keep(lambda: other.entry, limit=0.05)
    eventually(lambda: len(made) > 1, "the first one was too slow")
    assert made[0].closed.is_set()
    late: Future[Any] = Future()
    late.set_result(Done())
    made[0].answers[0](late)
    assert (kept.client, kept.heard) == (None, [])


def test_it_ends_when_it_is_given_up_and_when_it_is_stopped_without_a_word_of_loss(
    other: Other, keep: Callable[..., Kept]
) -> None:
    given_up = keep(lambda: None, tries=1)
    given_up._thread.join(30.0)
    assert not given_up._thread.is_alive()
    kept = keep(lambda: other.entry)
    eventually(lambda: kept.client, "it is open")
    kept.stop()
    kept._thread.join(30.0)
    assert kept.heard == [Done()]
    assert not kept._thread.is_alive()
