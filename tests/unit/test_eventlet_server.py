"""app/eventlet_server.py: who comes in a crowd holds up nobody who is inside. The server as a whole is in test_hostile_pages.py."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from app.crowd import Crowd, Places, Turn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # eventlet's own farewell
    import eventlet

    from app.eventlet_server import _Listener

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
    """Somebody who is inside: how many were taken each time that it was its turn."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.seen: list[int] = []

    def __call__(self) -> None:
        while True:
            self.seen.append(len(self._queue.taken))
            eventlet.sleep(0)

    @property
    def longest(self) -> int:
        return max(after - before for before, after in zip(self.seen, self.seen[1:], strict=False))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> Queue:
    return Queue(clock)


@pytest.fixture
def other(queue: Queue) -> Iterator[Other]:
    made = Other(queue)
    thread = eventlet.spawn(made)
    yield made
    thread.kill()


@pytest.mark.parametrize("places", [Places(1000, 1000, 1000), Places(1000, 1000, 20)], ids=["let in", "turned away"])
def test_while_a_crowd_is_at_the_door_the_others_have_their_turn(clock: Clock, queue: Queue, other: Other, places: Places) -> None:
    listener = _Listener(queue, Crowd(places, clock), Turn(5 * EACH, clock))
    with pytest.raises(KeyboardInterrupt):
        while True:
            listener.accept()
    assert sum(not client.is_closed for client in queue.taken) == min(CROWD, places.strangers)
    assert other.longest == 5


def test_a_listener_that_has_waited_lets_the_others_run_once_and_goes_on(clock: Clock, queue: Queue, other: Other) -> None:
    listener = _Listener(queue, Crowd(Places(1000, 1000, 1000), clock), Turn(5 * EACH, clock))
    clock.now += 60.0
    for _ in range(4):
        listener.accept()
    assert other.seen == [0]
