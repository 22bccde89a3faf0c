"""app/web/engine.py: a packet is encoded once for all, and what waits for a page leaves together."""

from __future__ import annotations

import importlib
import sys
import threading
import time
import weakref
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from wsproto.frame_protocol import FrameProtocol

from app.web.engine import EngineLine, Joined, _Joining, _Judged, _Pings, encode
from app.web.inbound import Inbound
from tests.support.waiting import eventually


class FakeWebSocket:
    """eventlet's, as far as it is used: what left in which call."""

    socket = None

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def _pack_message(self, message: str) -> bytes:
        return b"<%b>" % message.encode("utf-8")

    def _send(self, frame: bytes) -> None:
        self.sent.append(frame)

    def wait(self) -> Any:
        return "from the page"


def test_a_packet_gives_every_client_the_same_bytes() -> None:
    packet = encode('2["log",{"message":"金"}]')
    text = packet.encode()
    assert text == '42["log",{"message":"金"}]'
    assert text.encode("utf-8") == str(text).encode("utf-8")
    assert text.encode("utf-8") is packet.encode().encode("utf-8")


def test_frames_leave_together_and_in_order_when_there_are_no_more() -> None:
    below = FakeWebSocket()
    joined = _Joining(below)
    for text in ("a", "b", "c"):
        joined.send(text)
    assert below.sent == []
    joined.flush()
    joined.flush()
    assert below.sent == [b"<a><b><c>"]


def test_an_answer_leaves_before_the_page_is_listened_to() -> None:
    below = FakeWebSocket()
    joined = _Joining(below)
    joined.send("pong")
    assert joined.wait() == "from the page"
    assert below.sent == [b"<pong>"]


@pytest.mark.parametrize("size", [0, 100, 125, 126, 65_535, 65_536, 200_000])
def test_a_packets_frame_is_what_another_library_makes_of_it(size: int) -> None:
    packet = encode('2["log","' + "金" * (size // 3) + "x" * (size % 3) + '"]')
    below = FakeWebSocket()
    joined = _Joining(below)
    joined.send(packet.encode())
    joined.flush()
    assert below.sent == [
        FrameProtocol(client=False, extensions=[]).send_data(str(packet.encode()), fin=True)
    ]


def test_joined_packets_are_their_frames_one_after_the_other_made_once() -> None:
    packets = [encode(f'2["tick",{number}]') for number in range(3)]
    whole = Joined(packets)
    below = FakeWebSocket()
    joined = _Joining(below)
    joined.send(whole.encode())
    joined.flush()
    assert below.sent == [b"".join(packet.encode().frame for packet in packets)]
    assert below.sent[0] is whole.encode()


@pytest.mark.parametrize(
    ("upgraded", "eventlet", "joins"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_only_a_websocket_under_eventlet_takes_joined_packets(
    upgraded: bool, eventlet: bool, joins: bool
) -> None:
    assert EngineLine(SimpleNamespace(upgraded=upgraded), eventlet).joins is joins


class Client:
    """As far as it is pinged."""

    def __init__(self, breaks: bool = False) -> None:
        self.closing = self.closed = False
        self.last_ping: float | None = None
        self.sent: list[str] = []
        self._breaks = breaks

    def send(self, packet: Any) -> None:
        if self._breaks:
            raise OSError("gone")
        self.sent.append(packet.encode())


def test_every_client_is_pinged_in_its_time_by_one_thread_which_keeps_none_that_has_gone() -> None:
    started: list[threading.Thread] = []
    all_is_ready = threading.Event()

    def start(target: Any) -> None:
        started.append(threading.Thread(target=lambda: all_is_ready.wait(30) and target(), daemon=True))
        started[-1].start()

    pings = _Pings(SimpleNamespace(ping_interval=0.05, sleep=time.sleep, start_background_task=start))
    broken, closed, good, gone = Client(breaks=True), Client(), Client(), Client()
    closed.closed = True
    for client in (broken, closed, good, gone):
        pings.schedule(client)  # type: ignore[arg-type]
    kept = weakref.ref(gone)
    del client, gone
    assert kept() is None
    assert good.sent == []
    all_is_ready.set()
    eventually(lambda: good.sent == ["2"] and good.last_ping, "it is pinged")
    assert closed.sent == []
    assert len(started) == 1
    eventually(lambda: not started[0].is_alive(), "nobody waits any more")
    pings.schedule(good)  # type: ignore[arg-type]
    eventually(lambda: good.sent == ["2", "2"], "it is pinged again")


class _Cut:
    """An Engine.IO socket as far as its judge needs it."""

    closed = False
    server = SimpleNamespace(sleep=lambda _seconds: None)

    def __init__(self) -> None:
        self.inbound = Inbound()
        self.why = ""

    def cut(self, why: object) -> None:
        self.closed, self.why = True, str(why)


@pytest.fixture
def uwsgi(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What uWSGI gives the programs that it runs."""
    pytest.importorskip("gevent")
    module = ModuleType("uwsgi")
    monkeypatch.setitem(sys.modules, "uwsgi", module)
    monkeypatch.delitem(sys.modules, "engineio.async_drivers.gevent_uwsgi", raising=False)
    yield module
    sys.modules.pop("engineio.async_drivers.gevent_uwsgi", None)


@pytest.mark.full  # has gevent
@pytest.mark.parametrize("waiting", [[b"4" * 60_000] * 500, [b"x"] * 500, [b'42["subscribe",{}]'] * 500])
def test_under_uwsgi_a_page_is_read_no_further_than_the_first_that_no_page_says(
    uwsgi: Any, waiting: list[bytes]
) -> None:
    left = list(waiting)
    uwsgi.websocket_recv_nb = lambda: left.pop() if left else b""
    below = importlib.import_module("engineio.async_drivers.gevent_uwsgi").uWSGIWebSocket(None, None)
    below._req_ctx = None
    below._event, below._send_queue = threading.Event(), SimpleNamespace(get=_nothing_to_send)
    below._event.set()
    client = _Cut()
    assert _Judged(below, client).wait() is None  # type: ignore[arg-type]
    assert client.why
    assert len(left) > 470  # 20 at once are a page's before it has shown a token


def _nothing_to_send(block: bool) -> Any:
    from gevent.queue import Empty

    raise Empty
