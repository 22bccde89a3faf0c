"""The risk screen: the day's counts, the states and what the gate has told of, as they change."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.page.screen import Screen
from tests.e2e.server import BackendServer, Trader

Tab = Callable[..., Screen]


@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_counts_states_and_warnings_are_those_of_now(
    shared_server: BackendServer, tab: Tab, someone: Trader, phone: bool
) -> None:
    contract = someone.contract("rb2510")
    low, symbol = contract["limit_down"], contract["local_symbol"]
    screen = tab(shared_server, phone=phone).enter(someone, path="#/risk")
    screen.see("当日还没有报单")
    first = someone.order(symbol, "long", "open", low, 1)["order_id"]
    someone.order(symbol, "long", "open", low, 1)
    someone.do("DELETE", "/order_solve", order_id=first)
    table = screen.page.get_by_role("region", name="当日的数").get_by_role("row")
    for row in (table.filter(has_text="账户").nth(1), table.filter(has_text=symbol)):
        expect(row.get_by_role("cell")).to_have_text(["2", "1", "1", "0", "0", "3", "0"])
    expect(screen.page.get_by_role("region", name="近来的事")).to_contain_text("重复报单")
    someone.do("POST", "/risk/state", state="halted", why="试一试")
    state = screen.page.get_by_role("region", name="状态")
    expect(state).to_contain_text("暂停交易")
    expect(state).to_contain_text("试一试")
    assert screen.page.evaluate("document.documentElement.scrollWidth") <= (390 if phone else 1440)
    screen.shot(f"risk-{'phone' if phone else 'desk'}")
    screen.check_access()
