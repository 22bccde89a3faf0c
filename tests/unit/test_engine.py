"""app/engine.py: a packet is encoded once for all, and what waits for a page leaves together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from wsproto.frame_protocol import FrameProtocol

from app.engine import EngineLine, Joined, _Joining, encode


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
    assert below.sent == [FrameProtocol(client=False, extensions=[]).send_data(str(packet.encode()), fin=True)]


def test_joined_packets_are_their_frames_one_after_the_other_made_once() -> None:
    packets = [encode(f'2["tick",{number}]') for number in range(3)]
    whole = Joined(packets)
    below = FakeWebSocket()
    joined = _Joining(below)
    joined.send(whole.encode())
    joined.flush()
    assert below.sent == [b"".join(packet.encode().frame for packet in packets)]
    assert below.sent[0] is whole.encode()


@pytest.mark.parametrize(("upgraded", "eventlet", "joins"), [(True, True, True), (False, True, False), (True, False, False)])
def test_only_a_websocket_under_eventlet_takes_joined_packets(upgraded: bool, eventlet: bool, joins: bool) -> None:
    assert EngineLine(SimpleNamespace(upgraded=upgraded), eventlet).joins is joins
