"""Logging in, on the page."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.page.screen import Screen
from tests.e2e.server import BackendServer, Trader

Tab = Callable[..., Screen]
OUR_REFUSALS = r"status of 4\d\d"
"""What Chromium writes of an answer that is no 200, which a test asks for here."""


def test_one_click_opens_a_paper_account_that_says_it_is_one(shared_server: BackendServer, tab: Tab) -> None:
    screen = tab(shared_server).open()
    screen.see("模拟账户，不是真钱")
    screen.check_access()
    screen.page.get_by_role("button", name="一键试用（模拟）").click()
    expect(screen.page.get_by_role("button", name=re.compile("sim-9999-try"))).to_be_visible()
    expect(screen.page.get_by_text("模拟", exact=True)).to_be_visible()


def test_a_user_logs_in_with_the_keyboard_alone(shared_server: BackendServer, tab: Tab) -> None:
    screen = tab(shared_server).open()
    screen.page.get_by_label("账号", exact=True).focus()
    for text in ("keys", "secret-9"):
        screen.page.keyboard.type(text)
        screen.page.keyboard.press("Tab")
    screen.page.keyboard.press("Enter")
    expect(screen.page.get_by_role("button", name="sim-9999-keys")).to_be_visible()


def test_a_wrong_code_is_said_with_its_own_code(shared_server: BackendServer, tab: Tab) -> None:
    screen = tab(shared_server).open()
    screen.page.get_by_label("账号", exact=True).fill("someone")
    screen.page.get_by_label("密码", exact=True).fill("secret-9")
    screen.page.get_by_label("授权码").fill("wrong-code")
    screen.page.get_by_label("密码", exact=True).press("Enter")
    alert = screen.page.get_by_role("alert")
    expect(alert).to_contain_text("授权码错误")
    expect(alert).to_contain_text("AUTH_CODE_WRONG")
    expect(screen.page.get_by_label("账号", exact=True)).to_have_value("someone")


def test_a_tab_that_is_loaded_anew_goes_on_and_keeps_no_password(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server).open()
    screen.page.get_by_label("账号", exact=True).fill(someone.userid)
    screen.page.get_by_label("密码", exact=True).fill(someone.password)
    screen.page.get_by_label("密码", exact=True).press("Enter")
    expect(screen.page.get_by_role("button", name=someone.key)).to_be_visible()
    kept = screen.page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
    assert someone.password not in kept
    screen.page.reload()
    expect(screen.page.get_by_role("button", name=someone.key)).to_be_visible()
    screen.check_access()


def test_a_token_that_is_revoked_leads_back_to_the_login_and_says_so(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server).enter(someone)
    screen.forgive(OUR_REFUSALS)
    screen.forgive("status of 503")  # what was on its way when the gateway ended
    expect(screen.page.get_by_role("button", name=someone.key)).to_be_visible()
    someone.do("POST", "/logout", authorization="000000")
    expect(screen.page.get_by_role("alert")).to_contain_text(f"账户 {someone.key} 须重新登录")


def test_a_brokers_counter_is_reached_by_a_preset_that_stays(shared_server: BackendServer, tab: Tab) -> None:
    screen = tab(shared_server).open()
    page = screen.page
    page.get_by_role("tab", name="期货公司（CTP）").click()
    page.get_by_label("预设", exact=True).select_option("SimNow")
    expect(page.get_by_label("终端标识 AppID")).to_have_value("simnow_client_test")
    page.get_by_label("交易前置").fill("tcp://127.0.0.1:1")
    page.get_by_label("密码", exact=True).fill("hunter-2")
    page.get_by_text("存为预设").click()
    page.get_by_label("预设的名字").fill("我的期货公司")
    page.get_by_role("button", name="保存").click()
    page.reload()
    page.get_by_role("tab", name="期货公司（CTP）").click()
    page.get_by_label("预设", exact=True).select_option("我的期货公司")
    expect(page.get_by_label("交易前置")).to_have_value("tcp://127.0.0.1:1")
    assert "hunter-2" not in page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")


def test_where_fronts_are_listed_no_address_is_asked_for(
    make_server: Callable[..., BackendServer], tab: Tab
) -> None:
    server = make_server(fronts="模拟前置=tcp://127.0.0.1:1 tcp://127.0.0.1:2").start()
    page = tab(server).open().page
    page.get_by_role("tab", name="期货公司（CTP）").click()
    expect(page.get_by_label("前置", exact=True)).to_be_visible()
    page.get_by_label("前置", exact=True).select_option("模拟前置")
    expect(page.get_by_label("交易前置")).to_have_count(0)


def test_the_login_can_be_read_in_english(shared_server: BackendServer, tab: Tab) -> None:
    screen = tab(shared_server).open()
    screen.page.get_by_role("button", name="English").click()
    expect(screen.page.get_by_role("button", name="Log in", exact=True)).to_be_visible()
    assert screen.page.evaluate("document.documentElement.lang") == "en"
    screen.page.reload()
    expect(screen.page.get_by_role("button", name="Log in", exact=True)).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_the_login_looks_right(shared_server: BackendServer, tab: Tab, dark: bool, phone: bool) -> None:
    screen = tab(shared_server, dark=dark, phone=phone).open()
    screen.page.get_by_role("tab", name="期货公司（CTP）").click()
    expect(screen.page.get_by_label("交易前置")).to_be_visible()
    screen.check_access()
    wide = screen.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, "it scrolls sideways"
    screen.shot(f"login-{'phone' if phone else 'desk'}-{'dark' if dark else 'light'}")
