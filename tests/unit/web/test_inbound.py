"""app/web/inbound.py: what a page may say, and how much of it."""

from __future__ import annotations

import pytest

from app.web.inbound import MAX_ANONYMOUS, MAX_PACKET, BadPacket, Inbound


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    "packet", ["40", '40{"token":"x"}', "3", "2probe", "5", "1", '42["subscribe",{}]', '420["x"]', "43", "41"]
)
def test_what_pages_say_is_taken(clock: Clock, packet: str) -> None:
    Inbound(clock).packet(packet)


@pytest.mark.parametrize(
    "packet",
    ["", "x", "0", "6", "9", "2", "2x", "4", "44", "45-[]", "46-[]", "4x", "bAAAA", "d=4", "٤", b"4", b""],
)
def test_what_no_page_says_is_not(clock: Clock, packet: str | bytes) -> None:
    with pytest.raises(BadPacket):
        Inbound(clock).packet(packet)


def test_an_anonymous_page_may_say_less_than_a_known_one(clock: Clock) -> None:
    inbound = Inbound(clock)
    with pytest.raises(BadPacket):
        inbound.packet("42" + "x" * MAX_ANONYMOUS)
    inbound.admitted = True
    inbound.packet("42" + "x" * MAX_ANONYMOUS)
    with pytest.raises(BadPacket):
        inbound.packet("42" + "x" * MAX_PACKET)
    with pytest.raises(BadPacket):  # its bytes are what counts
        inbound.packet("42" + "价" * (MAX_PACKET // 2))


@pytest.mark.parametrize(("admitted", "burst", "rate"), [(False, 20, 2), (True, 100, 20)])
def test_a_burst_is_taken_and_then_so_many_a_second(
    clock: Clock, admitted: bool, burst: int, rate: int
) -> None:
    inbound = Inbound(clock)
    inbound.admitted = admitted
    for _ in range(burst):
        inbound.packet("3")
    with pytest.raises(BadPacket):
        inbound.packet("3")
    for _ in range(3):
        clock.now += 1
        for _ in range(rate):
            inbound.packet("3")
        with pytest.raises(BadPacket):
            inbound.packet("3")
    clock.now += 86_400  # nothing is saved up beyond the burst
    for _ in range(burst):
        inbound.packet("3")
    with pytest.raises(BadPacket):
        inbound.packet("3")


def test_bytes_have_an_allowance_of_their_own(clock: Clock) -> None:
    inbound = Inbound(clock)
    inbound.admitted = True
    large = "42" + "x" * (MAX_PACKET - 2)
    for _ in range(3):
        inbound.packet(large)
    with pytest.raises(BadPacket):
        inbound.packet(large)
    clock.now += 1
    inbound.packet(large)


def test_a_page_that_answers_pings_and_subscribes_now_and_then_is_never_cut(clock: Clock) -> None:
    inbound = Inbound(clock)
    inbound.packet("40")
    inbound.packet('42["identify",{"token":"x"}]')
    inbound.admitted = True
    for _ in range(1_000):
        clock.now += 25
        inbound.packet("3")
        for _ in range(10):
            inbound.packet('42["subscribe",{"symbols":["rb2510.SHFE"]}]')


def test_frames_and_what_is_held_of_a_message_are_bounded(clock: Clock) -> None:
    inbound = Inbound(clock)
    with pytest.raises(BadPacket):
        inbound.frame(MAX_ANONYMOUS + 1)
    inbound = Inbound(clock)
    for _ in range(400):
        inbound.frame(1)
    with pytest.raises(BadPacket):
        inbound.frame(1)


def test_a_body_of_long_polling_has_few_packets_and_each_is_judged(clock: Clock) -> None:
    assert Inbound(clock).payload(b"40\x1e3") == ["40", "3"]
    for body in (b"", b"40\x1e9x", b"\xff", b"\x1e".join([b"3"] * 17), b"40\x1e"):
        with pytest.raises(BadPacket):
            Inbound(clock).payload(body)
