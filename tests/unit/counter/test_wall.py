"""The counter's clock when somebody sets the machine's."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.counter.markets.wall import SteadyWall
from app.lib.calendar import SHANGHAI

BEGAN = datetime(2025, 6, 5, 10, 0, tzinfo=SHANGHAI)


def test_a_clock_that_is_set_forward_is_followed() -> None:
    machine = BEGAN
    wall = SteadyWall(lambda: machine)
    for step in (timedelta(seconds=1), timedelta(0), timedelta(hours=3)):
        machine += step
        assert wall() == machine


def test_a_clock_that_is_set_back_never_goes_back_and_is_caught_up_with() -> None:
    machine = BEGAN
    wall = SteadyWall(lambda: machine)
    machine -= timedelta(hours=1)
    assert wall() == wall() == BEGAN
    machine += timedelta(seconds=2)
    assert wall() == BEGAN + timedelta(seconds=1)
    machine -= timedelta(minutes=1)  # and once more
    said = wall()
    assert said == BEGAN + timedelta(seconds=1)
    for _ in range(2 * 62):
        machine += timedelta(minutes=1)
        before, said = said, wall()
        assert said > before
    assert said == machine
