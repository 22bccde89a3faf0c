"""Bars in the gateway's own process: what was imported is served, what is asked again comes from the cache, a
gap is marked.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app.gateway.bars import kind_of_hours
from app.lib.bars import Bar
from app.lib.calendar import SHANGHAI
from app.lib.errors import BadInput
from app.model import open_store
from app.settings import Settings
from app.wire.messages import (
    BARS_SAVED,
    Counted,
    ReadBars,
    ReadLists,
    ReadStatus,
    SaveBars,
    Subscribe,
    Unsubscribe,
    Watch,
)
from tests.integration.test_gateway_service import Page, World, a_contract
from tests.support.waiting import eventually

MINUTE = 60_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("bars") / "data")
    yield world
    world.close()


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1000)


def bar(timestamp: int, close: float = 3001.0) -> Bar:
    return Bar(timestamp, 3000.0, 3010.0, 2990.0, close, 7, 210_000.0, 1000.0)


def row(kept: Bar) -> list[float]:
    return [kept.timestamp, kept.open, kept.high, kept.low, kept.close, kept.volume]


def told(page: Page) -> list[str]:
    """The contracts of which it was told that bars have been saved."""
    return [push.symbol for push in list(page.pushes) if push.name == BARS_SAVED]


@pytest.mark.parametrize(
    ("interface", "settings", "hours"),
    [
        ("ctp", {}, "exchange"),
        ("ctp", {"ctp_hours": "always", "counter_hours": "exchange"}, "open"),
        ("sim", {"ctp_hours": "always", "counter_hours": "exchange"}, "exchange"),
        ("sim", {"counter_hours": "always"}, "always"),
        (
            "sim",
            {"counter_hours": "always", "counter_quotes": "replay", "counter_replay": Path(__file__)},
            "exchange",
        ),
    ],
)
def test_an_accounts_bars_have_the_hours_of_its_counter(
    interface: str, settings: dict[str, Any], hours: str
) -> None:
    assert kind_of_hours(interface, Settings(**settings)) == hours


def test_bars_that_are_handed_over_are_served_at_once_and_replace_what_was_there(world: World) -> None:
    _, page = world.log_in("hand")
    assert page.json(ReadBars("rb2510")) == []
    recent, old = bar(ms("2025-06-06 09:30")), bar(ms("2024-01-05 10:00"))
    assert page.ask(SaveBars("rb2510.SHFE", [old, recent])) == Counted(2)
    assert (
        page.json(ReadBars("rb2510")) == page.json(ReadBars("rb2510.SHFE")) == [row(recent)]
    )  # the newest three days
    assert page.json(ReadBars("rb2510", limit=5)) == [row(old), row(recent)]
    assert page.json(ReadBars("rb2510", "1d", limit=1)) == [
        [ms("2025-06-06 00:00"), *row(recent)[1:], "20250606"]
    ]
    for cut in ("clock", "session"):
        assert page.json(ReadBars("rb2510", "1h", limit=1, cut=cut)) == [
            [ms("2025-06-06 09:00"), *row(recent)[1:]]
        ]
    with pytest.raises(BadInput, match="cut"):
        page.ask(ReadBars("rb2510", "1h", cut="moon"))
    figures = ("open_interest", "turnover")
    for asked in (ReadBars("rb2510", fields=figures), ReadBars("rb2510", limit=1, fields=figures)):
        assert page.json(asked) == [[*row(recent), 1000.0, 210_000.0]]
    with pytest.raises(BadInput, match="fields"):
        page.ask(ReadBars("rb2510", fields=("volume",)))
    page.ask(SaveBars("rb2510.SHFE", [recent._replace(close=2995.0), bar(recent.timestamp + MINUTE)]))
    assert [closes[4] for closes in page.json(ReadBars("rb2510"))] == [2995.0, 3001.0]


def test_who_watches_is_told_of_bars_that_are_saved_those_of_quotes_and_those_that_are_handed_over(
    world: World,
) -> None:
    _, page = world.log_in("told")
    page.ask(Watch())
    page.ask(SaveBars("rb2510.SHFE", [bar(ms("2025-06-06 09:30"))]))
    assert eventually(lambda: told(page), "that bars were handed over") == ["rb2510.SHFE"]
    symbol, _ = a_contract(page, "ag")
    world.near_minutes_end(page.waits_for("bar_update", lambda event: event["local_symbol"] == symbol))
    eventually(lambda: symbol in told(page), "that a bar closed")
    assert all(said == {} for said in page.events(BARS_SAVED))  # JSON: an older web hands it on


def test_a_contract_that_is_not_listed_any_more_is_served_and_an_unknown_one_is_not(world: World) -> None:
    _, page = world.log_in("gone")
    old = bar(ms("2023-09-25 09:00"))
    page.ask(SaveBars("rb2401.SHFE", [old]))
    assert page.json(ReadBars("rb2401.SHFE", limit=10)) == [row(old)]
    assert page.json(ReadBars("rb2401.SHFE")) == []
    for asked in (
        ReadBars("rb2301.SHFE"),
        ReadBars("rb2301.SHFE", limit=1),
        SaveBars("rb2401", [old]),
        SaveBars("rb.SHFE", [old]),
    ):
        with pytest.raises(BadInput):
            page.ask(asked)


def test_a_day_that_was_assumed_a_holiday_is_a_trading_day_once_the_counter_says_so(tmp_path: Path) -> None:
    """The counter knows it from a file of its own, which the gateway has not."""
    file = tmp_path / "days.toml"
    file.write_text("open = [2027-02-12]")
    world = World(tmp_path / "data", counter_clock="2027-02-12T10:00:00", calendar_file=file)
    try:
        world.settings = Settings.load(
            None, {}, data_dir=tmp_path / "data", counter_clock="2027-02-12T10:00:00"
        )
        _, page = world.log_in("told")
        page.ask(SaveBars("rb2705.SHFE", [bar(ms("2027-02-12 10:00"))]))
        assert [row[-1] for row in page.json(ReadBars("rb2705.SHFE", "1d"))] == ["20270212"]
        eventually(
            lambda: page.json(ReadStatus())["calendar"]["state"] == "assumed", "the calendar is looked at"
        )
    finally:
        world.close()


def test_a_gateway_that_starts_anew_leaves_the_bar_of_the_last_print_as_it_is(world: World) -> None:
    gateway, page = world.log_in("anew")
    symbol, tick = a_contract(page, "cu")
    forming = page.waits_for("bar_update", lambda event: event["local_symbol"] == symbol)
    assert forming["open_interest"] > 0
    assert forming["turnover"] > 0 or forming["data"][5] == 0
    world.near_minutes_end(forming)
    after = page.waits_for(
        "bar_update", lambda event: event["local_symbol"] == symbol and event["data"][0] > forming["data"][0]
    )
    instrument, last = symbol.partition(".")[0], tick["last_price"]
    world.fault(
        "set_quote",
        symbol=instrument,
        bid=last,
        bid_volume=1,
        ask=last + 50,
        ask_volume=1,
        last=last + 30,
        traded=7,
    )
    world.near_minutes_end(after)  # that was the last print
    closed = page.waits_for(
        "bar", lambda event: (event["local_symbol"], event["data"][0]) == (symbol, after["data"][0])
    )["data"]
    kept = eventually(
        lambda: (rows := page.json(ReadBars(symbol))) and rows[-1] == closed and rows, "the bar is kept"
    )
    assert page.ask(Unsubscribe([symbol])) is not None
    gateway.kill()
    gateway.wait(30)

    _, page = world.log_in("anew")
    page.ask(Watch())
    page.ask(Subscribe([symbol]))
    page.waits_for("tick", lambda event: event["data"]["last_price"] == last + 30)
    page.ask(ReadLists())  # answered after whatever that tick has brought
    assert page.events("bar_update") == []
    assert page.json(ReadBars(symbol)) == kept
    world.fault("release_quote", symbol=instrument)


def test_a_lost_quote_front_marks_the_bar_it_fell_into_and_the_next(world: World) -> None:
    _, page = world.log_in("gap")
    symbol, _ = a_contract(page, "ag")
    closed: list[list[float]] = []
    for minute in ("joined in its middle", "whole", "with a gap", "after the gap", "whole again"):
        after = closed[-1][0] if closed else 0
        forming = page.waits_for(
            "bar_update",
            lambda event, after=after: event["local_symbol"] == symbol and event["data"][0] > after,
        )
        if minute == "with a gap":
            assert world.fault("drop", user="gap", front="md") == 1
            page.waits_for("status", lambda event: event["data"]["md"]["state"] == "lost")
        world.near_minutes_end(forming)
        bar = page.waits_for(
            "bar",
            lambda event, start=forming["data"][0]: (
                (event["local_symbol"], event["data"][0]) == (symbol, start)
            ),
        )
        closed.append(bar["data"])
    store = open_store(world.settings, "sim-9999-gap")
    try:
        kept = eventually(
            lambda: len(bars := store.read_bars(symbol, "1m")) == len(closed) and bars, "the bars are kept"
        )
    finally:
        store.close()
    assert [row(bar) for bar in kept] == closed
    assert [bar.complete for bar in kept] == [False, True, False, False, True]
