"""app/crowd.py: how many connections there may be, in all and from one address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.crowd import KEPT_SECONDS, Crowd, Places, Turn, places


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_address_has_so_many_places_and_others_have_theirs() -> None:
    crowd = Crowd(Places(total=10, per_address=3, strangers=3), Clock())
    assert [crowd.enter("a") for _ in range(4)] == [True, True, True, False]
    assert crowd.enter("b")
    crowd.known("a")
    crowd.leave("a", is_stranger=False)
    assert crowd.enter("a") and not crowd.enter("a")


def test_those_whose_first_request_is_not_whole_have_fewer() -> None:
    crowd = Crowd(Places(total=100, per_address=50, strangers=2), Clock())
    assert crowd.enter("a") and crowd.enter("a") and not crowd.enter("a")
    crowd.known("a")
    assert crowd.enter("a") and not crowd.enter("a")


def test_the_place_of_one_that_went_without_having_asked_is_free_after_a_second() -> None:
    clock = Clock()
    crowd = Crowd(Places(total=100, per_address=50, strangers=2), clock)
    assert crowd.enter("a") and crowd.enter("a")
    crowd.leave("a", is_stranger=True)
    assert len(crowd) == 1 and not crowd.enter("a") and crowd.enter("b")
    clock.now += KEPT_SECONDS
    assert crowd.enter("a") and not crowd.enter("a")


def test_of_an_address_that_comes_and_goes_without_a_word_so_many_a_second_are_let_in() -> None:
    clock = Clock()
    crowd = Crowd(Places(total=1000, per_address=500, strangers=20), clock)
    let_in = 0
    for _ in range(10_000):  # in ten seconds
        if crowd.enter("a"):
            let_in += 1
            crowd.leave("a", is_stranger=True)
        clock.now += 0.001
    assert let_in == pytest.approx(10 * 20, abs=20)


def test_a_turn_is_over_after_its_time_and_begins_anew() -> None:
    clock = Clock()
    turn = Turn(1.0, clock)
    assert not turn.is_over()
    clock.now += 1.0
    assert turn.is_over()
    turn.begin()
    assert not turn.is_over()


def test_all_together_have_a_bound() -> None:
    crowd = Crowd(Places(total=3, per_address=3, strangers=3), Clock())
    assert [crowd.enter(address) for address in "abcd"] == [True, True, True, False]
    assert len(crowd) == 3


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_whoever_came_and_went_has_left_nothing(visits: list[tuple[str, bool]]) -> None:
    clock = Clock()
    crowd = Crowd(Places(total=20, per_address=15, strangers=10), clock)
    inside = []
    for address, becomes_known in visits:
        if crowd.enter(address):
            if becomes_known:
                crowd.known(address)
            inside.append((address, not becomes_known))
    assert len(crowd) == len(inside)
    for address, is_stranger in inside:
        crowd.leave(address, is_stranger)
    assert len(crowd) == 0
    clock.now += KEPT_SECONDS
    assert [crowd.enter("a") for _ in range(11)] == [True] * 10 + [False]


@pytest.mark.parametrize("descriptors", [64, 256, 1024, 4096, 65536])
@pytest.mark.parametrize("has_proxy", [True, False])
def test_descriptors_are_left_for_what_is_no_client(descriptors: int, has_proxy: bool) -> None:
    bounds = places(descriptors, has_proxy)
    assert 0 < bounds.strangers <= bounds.per_address <= bounds.total
    assert bounds.total <= max(64, descriptors - 200)
    assert has_proxy or bounds.per_address < bounds.total  # one address never takes them all
