"""app/web/eventlet_server.py: who comes in a crowd holds up nobody who is inside. The server as a whole is in
test_hostile_pages.py.
"""

from __future__ import annotations

import select
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from app.web.crowd import Crowd, Places, Turn
from app.web.porch import Porch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # eventlet says that it is deprecated
    import eventlet
    from eventlet.green import socket as green

    from app.web.eventlet_server import _Listener, _PatientListener

CROWD = 100
EACH = 1 / 1024  # seconds that taking one takes; sums of it are exact


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Client:
    is_closed = False

    def close(self) -> None:
        self.is_closed = True


class Queue:
    """A listening socket where so many wait that `accept` never has to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.taken: list[Client] = []

    def accept(self) -> tuple[Client, tuple[str, int]]:
        if len(self.taken) == CROWD:
            raise KeyboardInterrupt
        self._clock.now += EACH
        self.taken.append(Client())
        return self.taken[-1], ("127.0.0.66", len(self.taken))


class Other:
    """Somebody who is inside: what was counted each time that it was its turn."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self.seen: list[int] = []

    def __call__(self) -> None:
        while True:
            self.seen.append(self._count())
            eventlet.sleep(0)

    @property
    def longest(self) -> int:
        return max(abs(after - before) for before, after in zip(self.seen, self.seen[1:], strict=False))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> Queue:
    return Queue(clock)


@pytest.fixture
def other(queue: Queue) -> Iterator[Other]:
    made = Other(lambda: len(queue.taken))
    thread = eventlet.spawn(made)
    yield made
    thread.kill()


def accept_until_the_end(listener: _Listener) -> None:
    while True:
        listener.accept()


@pytest.mark.parametrize(
    "places", [Places(1000, 1000, 1000), Places(1000, 1000, 20)], ids=["let in", "turned away"]
)
def test_while_a_crowd_is_at_the_door_the_others_have_their_turn(
    clock: Clock, queue: Queue, other: Other, places: Places
) -> None:
    listener = _Listener(queue, Crowd(places, clock), Turn(5 * EACH, clock))
    with pytest.raises(KeyboardInterrupt):
        accept_until_the_end(listener)
    assert sum(not client.is_closed for client in queue.taken) == min(CROWD, places.strangers)
    assert other.longest == 5


def test_a_listener_that_has_waited_lets_the_others_run_once_and_goes_on(
    clock: Clock, queue: Queue, other: Other
) -> None:
    listener = _Listener(queue, Crowd(Places(1000, 1000, 1000), clock), Turn(5 * EACH, clock))
    clock.now += 60.0
    for _ in range(4):
        listener.accept()
    assert other.seen == [0]


class TickingClock:
    """Whoever asks it has needed so much again."""

    now = 0.0

    def __call__(self) -> float:
        self.now += EACH
        return self.now


class Street:
    """A patient listener on a real port, and those who come to it."""

    def __init__(self, seconds: float) -> None:
        self.crowd = Crowd(Places(1000, 1000, 1000), time.monotonic)
        self.porch = Porch(self.crowd, select.epoll(), seconds, time.monotonic)
        door = green.create_server(("127.0.0.1", 0), backlog=CROWD)
        self.listener = _PatientListener(door, self.crowd, Turn(5 * EACH, TickingClock()), self.porch)
        self.handed_on: list[tuple[object, object]] = []
        self._opened = ExitStack()
        self._opened.callback(self.listener.close)
        self._opened.callback(eventlet.spawn(self._accept).kill)

    def close(self) -> None:
        self._opened.close()

    def _accept(self) -> None:
        while True:
            self.handed_on.append(self.listener.accept())

    def come(self, said: bytes) -> socket.socket:
        client = self._opened.enter_context(socket.create_connection(self.listener.getsockname()))
        client.sendall(said)
        return client


@pytest.fixture
def street(request: pytest.FixtureRequest) -> Iterator[Street]:
    if not hasattr(select, "epoll"):
        pytest.skip("Linux has it")
    made = Street(getattr(request, "param", 60.0))
    yield made
    made.close()


def until(condition: Callable[[], bool]) -> None:
    with eventlet.Timeout(10):
        while not condition():
            eventlet.sleep(0)


def test_a_connection_is_given_out_when_its_head_is_whole(street: Street) -> None:
    client = street.come(b"GET / HTTP/1.1\r\n")
    until(lambda: len(street.porch) == 1)
    assert street.handed_on == []
    client.sendall(b"\r\nbody")
    until(lambda: bool(street.handed_on))
    [(sock, peer)] = street.handed_on
    assert peer == client.getsockname()
    assert isinstance(sock, green.socket)
    assert sock.recv(100) == b"GET / HTTP/1.1\r\n\r\nbody"
    assert len(street.crowd) == 1
    sock.close()


def test_while_a_crowd_comes_and_leaves_together_the_others_have_their_turn(street: Street) -> None:
    """Each of them had a green thread, and all of those ended in one turn."""
    other = Other(lambda: len(street.porch))
    thread = eventlet.spawn(other)
    crowd = [street.come(b"GET / HTTP/1.1\r\n") for _ in range(CROWD)]
    until(lambda: len(street.porch) == CROWD)
    for client in crowd:
        client.close()
    until(lambda: len(street.porch) == 0)
    thread.kill()
    assert max(other.seen) == CROWD
    assert other.longest <= 5
    assert street.handed_on == []
    assert len(street.crowd) == 0


def has_ended(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False


@pytest.mark.parametrize("street", [0.2], indirect=True)
def test_one_that_says_nothing_is_sent_away_in_time_though_nothing_else_happens(street: Street) -> None:
    client = street.come(b"")
    until(lambda: has_ended(client))
    assert len(street.crowd) == 0


def test_the_end_of_the_server_is_the_end_of_those_who_wait(street: Street) -> None:
    client = street.come(b"")
    until(lambda: len(street.porch) == 1)
    street.listener.close()
    assert has_ended(client)
