"""The settings' screen: the account's eight keys, and how the page looks."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.e2e.page.screen import Screen
from tests.e2e.server import BackendServer, Trader

Tab = Callable[..., Screen]


def test_a_setting_that_is_refused_says_so_beside_it_and_none_is_changed(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server).enter(someone, path="#/settings")
    screen.forgive(r"status of 4\d\d")
    page = screen.page
    interval = page.get_by_label("查询间隔（秒）")
    expect(interval).to_have_value("3")
    page.get_by_label("平仓次序").select_option("先平昨")
    interval.fill("0")
    page.get_by_role("button", name="保存").click()
    expect(interval).to_have_attribute("aria-invalid", "true")
    expect(interval).to_have_accessible_description("REFRESH_INTERVAL 应大于 0 且不超过 86400 秒")
    assert someone.do("GET", "/config")["CLOSE_PATTERN"] == "today"

    interval.fill("5")
    page.get_by_role("button", name="保存").click()
    screen.see("设置已保存")
    kept = someone.do("GET", "/config")
    assert (kept["REFRESH_INTERVAL"], kept["CLOSE_PATTERN"]) == (5, "yesterday")
    screen.check_access()
    screen.shot("settings")


def test_the_pages_own_settings_are_in_force_at_once_and_stay(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server, phone=True).enter(someone, path="#/settings")
    page = screen.page
    page.get_by_label("外观").select_option("深色")
    page.get_by_label("涨跌颜色").select_option("绿涨红跌")
    page.get_by_label("提示音").uncheck()
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(root).to_have_attribute("data-theme", "dark")
    expect(root).to_have_attribute("data-up", "green")
    expect(page.get_by_label("提示音")).not_to_be_checked()
    screen.check_access()
    screen.shot("settings-phone-dark")
    page.get_by_label("语言").select_option("English")
    expect(page.get_by_label("Looks")).to_have_value("dark")
