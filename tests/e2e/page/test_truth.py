"""The page never lies: what is cut off, killed or asleep is said, nothing old is shown as of now, and what
happened meanwhile is there afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Error, Route, expect

from tests.e2e.page.screen import CUT, Screen
from tests.e2e.server import BackendServer, Trader
from tests.support.waiting import eventually

Tab = Callable[..., Screen]
RB = "rb2510.SHFE"
NOT_READY = r"status of 503"
"""What the server answers while a gateway is away, and Chromium writes down."""


@pytest.fixture
def looking(server: BackendServer, tab: Tab) -> Iterator[tuple[Screen, Trader]]:
    """A page of an account that holds one lot, with one more waiting below the quote."""
    trader = Trader(server, "truth").log_in()
    quote = trader.fix_quote(RB)
    trader.order(RB, "long", "open", quote.ask, 1)
    trader.order(RB, "long", "open", quote.bid - quote.tick, 1)
    screen = tab(server).enter(trader)
    screen.forgive(CUT)
    screen.forgive(NOT_READY)
    expect(light(screen, "page")).to_have_attribute("data-light", "good")
    expect(light(screen, "td")).to_have_attribute("data-light", "good")
    return screen, trader


def light(screen: Screen, part: str) -> object:
    return screen.page.locator(f"[data-part={part}]")


def banner(screen: Screen) -> object:
    return screen.page.locator(".banner")


def test_every_part_has_a_light_that_says_it_in_words(looking: tuple[Screen, Trader]) -> None:
    screen, _ = looking
    for part in ("page", "gateway", "td", "md", "store", "host"):
        expect(light(screen, part)).to_have_attribute("data-light", "good")
    screen.page.get_by_role("button", name="各部分的连接").click()
    expect(screen.page.get_by_role("definition").filter(has_text="就绪")).to_have_count(2)


def test_a_web_that_is_killed_is_said_and_the_gap_is_closed_when_it_is_back(
    server: BackendServer, looking: tuple[Screen, Trader]
) -> None:
    """While the web is away the counter fills the order that waits: no page heard of it."""
    screen, trader = looking
    details = trader.contract(RB)
    tick, base = details["pricetick"], details["pre_settlement_price"]
    old = server.kill("web")
    expect(banner(screen)).to_contain_text("页面与服务器断开")
    expect(light(screen, "td")).to_have_attribute("data-light", "unknown")
    server.faults().set_quote("rb2510", base - 3 * tick, 50, base - 2 * tick, 50, base - 2 * tick, 5)
    server.wait_replaced(old)
    expect(banner(screen)).to_have_count(0)
    screen.see(re.compile("已重新连接：断开 \\d+ 秒，其间委托变动 [1-9]\\d* 次、成交 1 笔"))
    assert trader.position(RB, "long")["volume"] == 2  # type: ignore[index]


def test_a_gateway_that_is_killed_is_said_until_another_has_loaded(
    server: BackendServer, looking: tuple[Screen, Trader]
) -> None:
    screen, trader = looking
    server.kill(f"gateway-{trader.key}")
    expect(banner(screen)).to_contain_text("网关")
    expect(banner(screen)).to_have_count(0, timeout=40_000)
    expect(light(screen, "gateway")).to_have_attribute("data-light", "good")


def test_a_counter_that_is_killed_turns_the_fronts_lights_and_no_order_can_be_sent(
    server: BackendServer, looking: tuple[Screen, Trader]
) -> None:
    screen, _ = looking
    server.kill("counter")
    expect(banner(screen)).to_contain_text("交易前置未就绪")
    expect(banner(screen)).to_have_count(0, timeout=40_000)
    expect(light(screen, "td")).to_have_attribute("data-light", "good")


def test_a_host_that_is_killed_is_seen_when_the_page_looks(
    server: BackendServer, looking: tuple[Screen, Trader]
) -> None:
    screen, _ = looking
    screen.page.route(
        "**/healthz",
        lambda route: route.fulfill(json={"success": False, "data": {"host": "down"}}),
    )
    expect(light(screen, "host")).to_have_attribute("data-light", "bad", timeout=30_000)


def test_a_line_that_is_cut_and_a_lid_that_is_closed_are_said(looking: tuple[Screen, Trader]) -> None:
    screen, trader = looking
    screen.forgive("ERR_INTERNET_DISCONNECTED")
    screen.context.set_offline(True)
    expect(banner(screen)).to_contain_text("页面与服务器断开", timeout=60_000)
    trader.do("DELETE", "/order_solve", all=1)
    screen.context.set_offline(False)
    screen.see(re.compile("已重新连接：断开 \\d+ 秒，其间委托变动 1 次、成交 0 笔"))


def test_after_a_sleep_the_page_takes_a_new_line_at_once(server: BackendServer, tab: Tab) -> None:
    """Its socket looks alive although the server may have given it up long ago."""
    trader = Trader(server, "sleeper").log_in()
    screen = tab(server)
    screen.page.clock.install()
    screen.enter(trader)
    expect(light(screen, "page")).to_have_attribute("data-light", "good")
    expect(banner(screen)).to_have_count(0)
    screen.page.clock.fast_forward("01:00:00")
    screen.see(re.compile("已重新连接：断开 \\d+ 秒"))
    expect(banner(screen)).to_have_count(0)


def test_an_upgrade_loads_an_open_page_anew_once(server: BackendServer, tab: Tab) -> None:
    trader = Trader(server, "upgraded").log_in()
    screen = tab(server).enter(trader)
    screen.forgive(CUT)
    screen.forgive(NOT_READY)
    expect(light(screen, "page")).to_have_attribute("data-light", "good")
    loads: list[str] = []
    screen.page.on("load", lambda page: loads.append(page.url))
    another = {"success": True, "msg": "", "data": {"build": "another"}}

    def upgraded(route: Route) -> None:
        try:
            route.fetch()
        except Error:  # nobody is there to say so
            route.abort("connectionrefused")
        else:
            route.fulfill(json=another)

    screen.page.route("**/build.json", upgraded)
    with screen.page.expect_event("load", timeout=40_000):
        old = server.kill("web")
        server.wait_replaced(old)
    expect(light(screen, "page")).to_have_attribute("data-light", "good")
    old = server.kill("web")
    expect(banner(screen)).to_contain_text("页面与服务器断开")
    server.wait_replaced(old)
    expect(banner(screen)).to_have_count(0)
    assert len(loads) == 1, "it is loaded anew once for a build"


def test_a_page_whose_screen_loads_slowly_misses_nothing_of_the_snapshot(
    server: BackendServer, tab: Tab
) -> None:
    """Its line is opened when somebody listens: what comes before that nobody would hear."""
    trader = Trader(server, "slow").log_in()
    quote = trader.fix_quote(RB)
    trader.order(RB, "long", "open", quote.bid - quote.tick, 1)
    screen = tab(server)
    held: list[Any] = []
    screen.page.route("**/assets/AccountScreen-*.js", lambda route: held.append(route))
    screen.enter(trader)
    eventually(lambda: screen.page.wait_for_timeout(50) or held, "the screen's script is asked for")
    with screen.page.expect_event("websocket"):
        held[0].continue_()
    expect(banner(screen)).to_have_count(0)
    expect(screen.page.get_by_role("tab", name="挂单")).to_contain_text("1")
