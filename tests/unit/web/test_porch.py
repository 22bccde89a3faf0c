"""app/web/porch.py: a connection waits until the head of its first request is whole. Sockets and epoll are
of the system.
"""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.web.crowd import KEPT_SECONDS, Crowd, Places
from app.web.porch import MOST_NEWS, MOST_SEEN, Porch

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="Linux has it")

SECONDS = 15.0
HEAD = b"POST /login HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Place:
    """A porch, and those who come to it."""

    def __init__(self, epoll: Any = None, strangers: int = 1000) -> None:
        self.clock = Clock()
        self.crowd = Crowd(Places(1000, 1000, strangers), self.clock)
        self.porch = Porch(self.crowd, epoll or select.epoll(), SECONDS, self.clock)
        self._opened = ExitStack()

    def close(self) -> None:
        self.porch.close()
        self._opened.close()

    def come(self, said: bytes = b"") -> tuple[socket.socket, socket.socket]:
        """The client's end and ours, which is on the porch."""
        client, ours = (self._opened.enter_context(sock) for sock in socket.socketpair())
        client.sendall(said)
        assert self.crowd.enter("a")
        self.porch.take(ours, "a", ("a", 1))
        return client, ours

    def handed_on(self) -> list[socket.socket]:
        seen = [self.porch.look_at(*news) for news in self.porch.news()]
        return [visitor.sock for visitor in seen if visitor is not None]


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    yield made
    made.close()


def ended(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:  # what it had said was never read
        return True


@pytest.mark.parametrize(
    "head", [HEAD, HEAD.replace(b"\r\n", b"\n"), b"GET / HTTP/1.0\r\n\n", b"GET / HTTP/1.0\n\r\n"]
)
def test_one_is_handed_on_when_its_head_is_whole_and_has_lost_nothing(place: Place, head: bytes) -> None:
    client, ours = place.come()
    for byte in head[:-1]:
        client.send(bytes([byte]))
        assert place.handed_on() == []
    client.send(head[-1:] + b"userid=")
    assert place.handed_on() == [ours]
    assert ours.recv(1024) == head + b"userid="
    assert len(place.porch) == 0
    assert len(place.crowd) == 1  # it is inside, a stranger until its request is understood


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=60,
)
@given(data=st.data())
def test_however_it_is_cut_up(place: Place, data: st.DataObject) -> None:
    said = HEAD + data.draw(st.binary(max_size=20))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(said) - 1), max_size=8)))
    client, ours = place.come()
    come = 0
    for begin, end in zip([0, *cuts], [*cuts, len(said)], strict=True):
        client.sendall(said[begin:end])
        is_whole = come < len(HEAD) <= end
        assert place.handed_on() == ([ours] if is_whole else [])
        come = end
    assert ours.recv(1024) == said


def test_who_says_no_more_is_not_looked_at_again(place: Place) -> None:
    place.come(HEAD[:-1])
    assert place.handed_on() == []
    assert place.porch.news() == []


def test_what_is_no_request_is_handed_on_at_once(place: Place) -> None:
    """A browser that was told https:// waits for an answer, and its hello never has an empty line."""
    _, ours = place.come(b"\x16\x03\x01\x02\x00")
    assert place.handed_on() == [ours]


def test_a_head_longer_than_is_looked_at_is_handed_on(place: Place) -> None:
    client, ours = place.come(b"GET /" + b"x" * (MOST_SEEN - 6))
    assert place.handed_on() == []
    client.send(b"x")
    assert place.handed_on() == [ours]


@pytest.mark.parametrize("said", [b"", HEAD[:-1]], ids=["nothing", "half"])
@pytest.mark.parametrize("is_seen_before", [True, False])
def test_one_that_goes_gives_its_place_and_its_descriptor_back(
    place: Place, said: bytes, is_seen_before: bool
) -> None:
    client, ours = place.come(said)
    if is_seen_before:
        assert place.handed_on() == []
    client.close()
    assert place.handed_on() == []
    assert ours.fileno() == -1
    assert (len(place.porch), len(place.crowd)) == (0, 0)


def test_one_that_has_said_all_and_will_say_no_more_is_answered(place: Place) -> None:
    client, ours = place.come(HEAD)
    client.shutdown(socket.SHUT_WR)
    assert place.handed_on() == [ours]


def test_who_waits_too_long_is_sent_away_even_if_it_goes_on_talking(place: Place) -> None:
    assert place.porch.next_late() is None
    first, _ = place.come(HEAD[:4])
    place.clock.now += 5.0
    second, _ = place.come(HEAD[:4])
    assert place.porch.next_late() == 10.0
    place.clock.now += 9.0
    first.send(b"x")
    assert place.handed_on() == []
    assert not ended(first)
    place.clock.now += 1.0
    first.send(b"x")
    assert place.handed_on() == []
    assert ended(first)
    assert not ended(second)
    assert place.porch.next_late() == 5.0
    place.clock.now += 60.0
    assert place.porch.next_late() == 0.0
    place.porch.news()
    assert ended(second)
    assert len(place.crowd) == 0


def test_the_place_of_one_that_went_is_kept_for_a_second() -> None:
    place = Place(strangers=1)
    client, _ = place.come()
    client.close()
    place.handed_on()
    assert not place.crowd.enter("a")
    place.clock.now += KEPT_SECONDS
    assert place.crowd.enter("a")
    place.close()


def test_news_come_so_many_at_a_time_and_none_is_lost(place: Place) -> None:
    all_of_them = [place.come(HEAD)[1] for _ in range(2 * MOST_NEWS + 1)]
    rounds = [place.handed_on() for _ in range(4)]
    assert [len(each) for each in rounds] == [MOST_NEWS, MOST_NEWS, 1, 0]
    assert {sock.fileno() for each in rounds for sock in each} == {sock.fileno() for sock in all_of_them}


def test_the_door_is_among_the_news_as_long_as_somebody_waits_at_it(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        place.porch.watch(door.fileno())
        assert place.porch.news() == []
        with socket.create_connection(door.getsockname()):
            assert [number for number, _ in place.porch.news()] == [door.fileno()]
            assert [number for number, _ in place.porch.news()] == [door.fileno()]
            door.accept()[0].close()
            assert place.porch.news() == []


class Full:
    """A system that lets this user watch nothing more."""

    def fileno(self) -> int:
        return -1

    def register(self, number: int, events: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        pass


def test_one_that_cannot_be_watched_is_turned_away_and_the_others_go_on() -> None:
    place = Place(Full())
    client, ours = place.come()
    assert ours.fileno() == -1
    assert ended(client)
    assert (len(place.porch), len(place.crowd)) == (0, 0)
    place.close()


def test_who_is_still_there_at_the_end_is_told() -> None:
    place = Place()
    client, _ = place.come(HEAD[:4])
    place.porch.close()
    assert ended(client)
    place.close()
