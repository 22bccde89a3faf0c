"""The end of a trading day as a page sees it: settled at the settlement price, with orders ended, freezes
gone and the lots yesterday's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.wire.messages import DescribeContract, ReadLists
from tests.integration.test_gateway_service import Page, World, a_contract, buy, held
from tests.support.waiting import eventually

CAPITAL = 1_000_000.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "data", counter_capital=CAPITAL)
    yield world
    world.close()


def account(page: Page) -> dict[str, Any]:
    """The newest `account_detail` event."""
    newest = page.waits_for("account_detail") and page.events("account_detail")[-1]
    return {pair["key"]: pair["value"] for pair in newest["data"]}


def test_the_page_hears_of_the_settlement_its_price_and_everything_that_starts_anew(world: World) -> None:
    _, page = world.log_in()
    symbol, tick = a_contract(page)
    contract, last = page.json(DescribeContract(symbol)), tick["last_price"]
    size, step = contract["size"], contract["pricetick"]
    instrument = symbol.partition(".")[0]
    world.fault(
        "set_quote", symbol=instrument, bid=last - step, bid_volume=100, ask=last, ask_volume=100, last=last
    )  # one fill takes all
    page.ask(buy(symbol, tick["limit_up"], 3))
    page.ask(buy(symbol, tick["limit_down"], 1))
    eventually(lambda: held(page), "the position is there")
    before = eventually(
        lambda: (row := account(page))["frozen_margin"] > 0 and row["margin"] > 0 and row,
        "margin and freezes are shown",
    )
    (trade,) = page.json(ReadLists())["trade_list"]
    settlement = trade["price"] + 7 * step  # not the close

    seen = len(page.pushes)
    world.fault("turn_day", prices={instrument: settlement}, new_day="20250609")
    after = eventually(
        lambda: (row := account(page))["trading_day"] == "20250609" and row,
        "the account of the new day is pushed",
    )
    worth = CAPITAL + (settlement - trade["price"]) * 3 * size - before["commission"]
    assert after["pre_balance"] == pytest.approx(worth, abs=0.005)
    assert (
        after["frozen_margin"],
        after["frozen_commission"],
        after["commission"],
        after["close_profit"],
    ) == (0, 0, 0, 0)
    assert after["margin"] > 0

    def pushed(name: str, fits: Any) -> bool:
        payloads = page.events(name)
        return any(push.name == name for push in page.pushes[seen:]) and fits(payloads[-1]["data"])

    eventually(
        lambda: pushed(
            "position", lambda rows: [(row["volume"], row["yd_volume"]) for row in rows] == [(3, 3)]
        ),
        "positions",
    )
    for name in ("order", "active_order", "trade"):
        eventually(lambda name=name: pushed(name, lambda rows: rows == []), f"{name} of the new day")  # type: ignore[misc]
    (row,) = held(page)
    assert (row["frozen"], row["available"]) == (0, 3)
    assert row["float_pnl"] - row["position_profit"] == pytest.approx(
        (settlement - trade["price"]) * 3 * size, abs=0.005
    )
    assert not page.events("error")
