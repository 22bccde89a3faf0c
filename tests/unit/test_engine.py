"""app/engine.py: a packet is encoded once for all, and what waits for a page leaves together."""

from __future__ import annotations

from typing import Any

from app.engine import _Joined, encode


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
    joined = _Joined(below)
    for text in ("a", "b", "c"):
        joined.send(text)
    assert below.sent == []
    joined.flush()
    joined.flush()
    assert below.sent == [b"<a><b><c>"]


def test_an_answer_leaves_before_the_page_is_listened_to() -> None:
    below = FakeWebSocket()
    joined = _Joined(below)
    joined.send("pong")
    assert joined.wait() == "from the page"
    assert below.sent == [b"<pong>"]
