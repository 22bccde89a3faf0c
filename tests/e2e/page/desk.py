"""What the tests of the trading screen have in common."""

from __future__ import annotations

import json

from playwright.sync_api import Locator, Page, expect

from tests.e2e.page.screen import Screen
from tests.e2e.server import Quote, Trader

RB = "rb2510.SHFE"


def settings(screen: Screen, **values: object) -> Screen:
    """The page has these settings from its first load on."""
    text = json.dumps(json.dumps(values))
    screen.page.add_init_script(
        f"if (!localStorage.getItem('ctpbee.settings')) localStorage.setItem('ctpbee.settings', {text})"
    )
    return screen


def at_desk(screen: Screen, trader: Trader) -> Quote:
    """rb2510 in the ticket, at a quote that stands still."""
    quote = trader.fix_quote("rb2510")
    screen.enter(trader)
    choose(screen.page, "rb2510")
    expect(buy(screen.page)).to_contain_text(f"{quote.ask:g}")
    return quote


def choose(page: Page, code: str) -> None:
    search = page.get_by_role("searchbox")
    search.fill(code)
    expect(page.get_by_role("row").filter(has_text=code).first).to_be_visible()  # the list is there
    search.press("Enter")
    expect(page.get_by_role("region", name="五档")).to_contain_text(code[-4:])
    search.fill("")
    search.blur()  # nobody types now


def buy(page: Page) -> Locator:
    return page.get_by_test_id("buy")


def sell(page: Page) -> Locator:
    return page.get_by_test_id("sell")


def tab_to(page: Page, selector: str, most: int = 80) -> None:
    """Press Tab until what has the focus fits."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(f"document.activeElement.matches({json.dumps(selector)})"):
            return
    raise AssertionError(f"{most} times Tab, and never at {selector}")
