"""The account screen: funds, the curve, the codes, and the two ways out."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.e2e.page.screen import Screen
from tests.e2e.server import BackendServer, Trader
from tests.support.waiting import eventually

Tab = Callable[..., Screen]


def test_the_account_shows_its_funds_and_the_line_of_what_it_was_worth(
    make_server: Callable[..., BackendServer], tab: Tab
) -> None:
    server = make_server().start()
    trader = Trader(server, "saver").log_in()
    quote = trader.fix_quote("rb2510")
    assert trader.order(quote.local_symbol, "long", "open", quote.ask, 10)["success"]
    page = trader.open_page()
    server.near_minutes_end(page.wait("bar_update"))
    eventually(lambda: trader.do("GET", "/equity")["rows"], "a point of the curve")
    trader.close_page()
    screen = tab(server).enter(trader, path="#/account")
    expect(screen.page.get_by_test_id("balance")).to_have_text(re.compile(r"^999,\d{3}\.\d\d$"))
    curve = screen.page.get_by_role("img", name=re.compile("权益从"))
    expect(curve).to_be_visible()
    expect(screen.page.get_by_role("grid", name="每日权益")).to_contain_text("20250605")
    screen.page.get_by_role("button", name="每日").click()
    expect(curve).to_have_accessible_name(re.compile("2025-06-05"))
    screen.shot("account")
    screen.check_access()


def test_the_authorization_code_is_changed_by_who_knows_the_password(
    make_server: Callable[..., BackendServer], tab: Tab
) -> None:
    server = make_server().start()
    trader = Trader(server, "keeper").log_in()
    screen = tab(server).enter(trader, path="#/account")
    form = screen.page.get_by_role("form", name="修改授权码")
    form.get_by_label("账户密码").fill("wrong-pass")
    form.get_by_label("新授权码").fill("another-code")
    form.get_by_role("button", name="修改").click()
    expect(form.get_by_role("alert")).to_be_visible()
    form.get_by_label("账户密码").fill(trader.password)
    form.get_by_role("button", name="修改").click()
    expect(form.get_by_role("status")).to_have_text("修改成功")
    assert Trader(server, "guest").log_in(authorization="another-code").token


def test_a_paper_account_says_that_its_password_is_not_to_be_changed(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server).enter(someone, path="#/account")
    form = screen.page.get_by_role("form", name="修改密码")
    expect(form).to_contain_text("内置柜台的密码不能修改")
    expect(form.get_by_role("button", name=re.compile("^修改"))).to_have_attribute("aria-disabled", "true")


def test_closing_an_account_here_leaves_its_gateway_alone(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server).enter(someone, path="#/account")
    screen.page.get_by_role("button", name="只在本页退出").click()
    expect(screen.page.get_by_role("heading", name="ctpbee 交易终端")).to_be_visible()
    assert someone.lists()["position_list"] == []


def test_logging_out_ends_the_gateway_and_says_what_stays_at_the_counter(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    quote = someone.fix_quote("rb2510")
    assert someone.order(quote.local_symbol, "long", "open", quote.bid - 10 * quote.tick, 1)["success"]
    screen = tab(shared_server).enter(someone, path="#/account")
    section = screen.page.get_by_role("region", name="退出")
    expect(section).to_contain_text("1 笔挂单留在柜台")
    section.get_by_label("授权码").fill("000000")
    section.get_by_role("button", name=re.compile("^注销")).click()
    screen.see(re.compile("已注销，1 笔未成交委托仍然有效"))
    expect(screen.page.get_by_role("heading", name="ctpbee 交易终端")).to_be_visible()
    assert someone.ask("GET", "/order_solve")["status"] == 401


def test_a_phone_shows_the_account(shared_server: BackendServer, tab: Tab, someone: Trader) -> None:
    screen = tab(shared_server, phone=True, dark=True).enter(someone, path="#/account")
    expect(screen.page.get_by_test_id("balance")).to_have_text("1,000,000.00")
    screen.shot("account-phone-dark")
    screen.check_access()
