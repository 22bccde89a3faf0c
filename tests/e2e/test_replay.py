"""The main job on recorded ticks: ru1901 of October 2018, replayed faster than life."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from tests.e2e.server import BackendServer, Trader
from tests.support.recorded import MADE, REAL, Recordings, needs_data
from tests.support.waiting import eventually

RU = "ru1901.SHFE"
CHINA = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    "recorded",
    [pytest.param(MADE, id="made"), pytest.param(REAL, id="real", marks=[needs_data, pytest.mark.full])],
)
def test_the_main_job_on_a_replay_of_recorded_ticks(
    make_server: Callable[..., BackendServer], recorded: Recordings
) -> None:
    server = make_server(
        counter_quotes="replay",
        counter_replay=recorded.rubber,
        counter_speed=60,
        counter_hours="exchange",
        counter_clock="",
    ).start()
    trader = Trader(server).log_in()
    page = trader.open_page()
    trader.do("POST", "/market", symbol=RU)
    tick = page.wait("tick", lambda event: event["data"]["local_symbol"] == RU)["data"]
    assert tick["trading_day"] == "20181008"
    assert tick["pre_settlement_price"] == recorded.days["rubber"]["20181008"].pre_settlement

    opened = trader.order(RU, "long", "open", tick["limit_up"], 1)  # whatever the price has become meanwhile
    assert opened["success"], opened
    fill = page.wait("trade_update", lambda event: event["data"]["order_id"] == opened["order_id"])["data"]
    assert tick["limit_down"] <= fill["price"] <= tick["limit_up"]
    assert fill["price"] % 5 == 0
    assert fill["trading_day"] == "20181008"
    position = eventually(lambda: trader.position(RU, "long"), "the position")
    assert position["price"] == fill["price"]

    answer = trader.ask(
        "POST", "/close_position", local_symbol=RU, volume=1, direction="long", exchange="SHFE"
    )
    assert answer["success"], answer

    page.wait("bar", lambda event: event["local_symbol"] == RU, seconds=30)
    eventually(lambda: len(trader.do("POST", "/bar", local_symbol=RU)) >= 5, "five bars", 30)
    with gzip.open(recorded.rubber_bars, "rt") as file:
        expected = {
            row["datetime"]: [float(row[name]) for name in ("open", "high", "low", "close", "volume")]
            for row in csv.DictReader(file)
        }
    served = trader.do("POST", "/bar", local_symbol=RU)[1:]  # the first minute was joined in its middle
    for timestamp, *figures in served:
        assert (
            figures == expected[datetime.fromtimestamp(timestamp / 1000, CHINA).strftime("%Y-%m-%d %H:%M:%S")]
        )
    trader.close_page()
