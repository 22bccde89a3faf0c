"""How ctpbee's recorder calls the extensions of our apps."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from ctpbee import CtpbeeApi
from ctpbee.constant import EVENT_ORDER, EVENT_TICK, Event

from app.bee.extensions import Called, Everything, Extensions, Guarded, OwnExtension


class Failing(CtpbeeApi):
    """What it hears goes wrong in it."""

    def on_tick(self, tick: Any) -> None:
        raise ValueError(f"tick {tick}")

    def on_order(self, order: Any) -> None:
        raise ValueError(f"order {order}")

    def on_realtime(self) -> None:
        raise ValueError("timer")


class Deaf(CtpbeeApi):
    """Has not written on_tick; the base's raises TypeError."""

    def on_order(self, order: Any) -> None:
        raise ValueError("heard")


def test_what_goes_wrong_in_a_strategy_comes_through(tmp_path: Path) -> None:
    called = Called(Failing("failing", cache_path=str(tmp_path)))
    for kind in (EVENT_TICK, EVENT_ORDER):
        with pytest.raises(ValueError, match=f"{kind} 7"):
            called(Event(kind, 7))
    with pytest.raises(ValueError, match="timer"):
        called.on_realtime()


def test_what_goes_wrong_in_a_guarded_one_is_logged_with_its_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guarded = Guarded(Failing("failing", cache_path=str(tmp_path)))
    guarded(Event(EVENT_TICK, 7))
    guarded.on_realtime()
    assert [record.message for record in caplog.records] == [
        "extension failing failed on tick",
        "extension failing failed on timer",
    ]
    assert all(record.levelno == logging.ERROR for record in caplog.records)


@pytest.mark.parametrize("seen_as", [Called, Guarded])
def test_a_callback_that_is_not_written_is_not_called_and_others_are(
    seen_as: type[Called], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen = seen_as(Deaf("deaf", cache_path=str(tmp_path)))
    seen(Event(EVENT_TICK, 7))
    assert caplog.records == []
    if seen_as is Called:
        with pytest.raises(ValueError, match="heard"):
            seen(Event(EVENT_ORDER, 7))
    else:
        seen(Event(EVENT_ORDER, 7))
        assert len(caplog.records) == 1


def test_who_runs_through_the_table_may_change_it(tmp_path: Path) -> None:
    table = Extensions(Guarded)
    table["a"] = table["b"] = Deaf("deaf", cache_path=str(tmp_path))
    for seen in table.values():
        assert isinstance(seen, Guarded)
        table.clear()
    assert list(table.values()) == []


def test_an_extension_of_our_own_hears_every_contract_and_makes_no_folder(tmp_path: Path) -> None:
    extension = OwnExtension("own", None, tmp_path)
    assert isinstance(extension.instrument_set, Everything)
    assert "rb2510.SHFE" in extension.instrument_set
    assert list(tmp_path.iterdir()) == []
