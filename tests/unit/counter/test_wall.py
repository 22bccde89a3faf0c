"""The counter's clock when somebody sets the machine's."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.counter.markets.wall import SteadyWall
from app.lib.calendar import SHANGHAI


def test_a_clock_that_is_set_back_runs_on_and_one_set_forward_is_followed() -> None:
    began = machine = datetime(2025, 6, 5, 10, 0, tzinfo=SHANGHAI)
    wall = SteadyWall(lambda: machine)
    machine += timedelta(seconds=1)
    assert wall() == began + timedelta(seconds=1)
    machine -= timedelta(days=1)
    assert wall() == began + timedelta(seconds=1)
    machine += timedelta(seconds=2)
    assert wall() == began + timedelta(seconds=3)
    machine += timedelta(hours=3)
    assert wall() == began + timedelta(hours=3, seconds=3)
