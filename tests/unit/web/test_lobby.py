"""Anonymous connections: so many per address, and only for so long."""

from __future__ import annotations

import pytest

from app.web.lobby import Lobby


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lobby(clock: Clock) -> Lobby:
    return Lobby(2, 600, clock)


def test_over_the_limit_of_an_address_its_oldest_anonymous_connection_makes_room(lobby: Lobby) -> None:
    """Twenty images of any page kept the trader's own page out."""
    assert lobby.open("c1", "10.0.0.1") == lobby.open("c2", "10.0.0.1") == lobby.open("c3", "10.0.0.2") == ""
    assert lobby.open("c4", "10.0.0.1") == "c1"
    lobby.closed("c1")
    assert lobby.open("c5", "10.0.0.1") == "c2"
    lobby.let_in("c4")
    assert lobby.open("c6", "10.0.0.1") == ""


def test_who_shows_a_token_or_leaves_makes_room(lobby: Lobby) -> None:
    lobby.open("c1", "x")
    lobby.open("c2", "x")
    lobby.let_in("c1")
    assert not lobby.open("c3", "x")
    lobby.closed("c2")
    assert not lobby.open("c4", "x")
    lobby.closed("c2")  # twice is once
    lobby.closed("c1")
    assert lobby.open("c5", "x") == "c3"


def test_anonymous_for_too_long_is_overdue_and_known_ones_never_are(lobby: Lobby, clock: Clock) -> None:
    lobby.open("c1", "x")
    lobby.open("c2", "x")
    lobby.let_in("c2")
    clock.now = 599
    assert lobby.overdue() == []
    clock.now = 600
    assert lobby.overdue() == ["c1"]


def test_who_is_sent_back_has_its_time_from_then_on(lobby: Lobby, clock: Clock) -> None:
    lobby.open("c1", "x")
    lobby.let_in("c1")
    clock.now = 1000
    lobby.send_back("c1")
    lobby.send_back("c1")
    assert lobby.overdue() == []
    clock.now = 1600
    assert lobby.overdue() == ["c1"]
    lobby.closed("c1")
    lobby.send_back("c1")
    assert lobby.overdue() == []
    assert lobby.open("c2", "x") == lobby.open("c3", "x") == ""
