"""The strategies' screen: written in the editor, saved, started, watched, broken, stopped and deleted."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.page.screen import Screen
from tests.e2e.server import BackendServer, Trader

CHECKED = 60_000
"""ms until pylint has answered on a busy machine."""

Tab = Callable[..., Screen]

ORDERS = '''from ctpbee import CtpbeeApi


class Bids(CtpbeeApi):
    """Bids once, far below the market, and says so."""

    sent = ""

    def on_init(self, init):
        self.instrument_set = {"rb2510.SHFE"}

    def on_tick(self, tick):
        if tick.local_symbol == "rb2510.SHFE" and not self.sent:
            self.sent = self.action.buy_open(tick.limit_down, 1, tick)
            print("<b>已报</b>", self.sent)


ext = Bids("页面")
'''
BREAKS = ORDERS.replace("            print(", "            1 / 0\n            print(")
BROKEN_LINE = BREAKS.splitlines().index("            1 / 0") + 1


def write(page: Page, text: str) -> None:
    """All of the editor's text is this now, typed over what was there."""
    editor = page.get_by_test_id("editor").get_by_role("textbox")
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def save(page: Page) -> None:
    page.keyboard.press("Control+s")
    expect(page.get_by_text("未保存")).to_have_count(0)


def test_a_strategy_is_written_saved_started_and_followed(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server).enter(someone, path="#/strategies")
    screen.forgive(r"status of 4\d\d")  # a limit is refused below
    page = screen.page
    page.get_by_role("button", name="新建").click()
    editor = page.get_by_test_id("editor")
    expect(editor).to_contain_text("class DoubleAverage(CtpbeeApi)")  # the project's own example
    write(page, ORDERS.replace("self.sent)", "nothing)"))
    expect(page.get_by_text("检查：1 处错误，0 处提醒")).to_be_visible(timeout=CHECKED)
    line = next(n for n, text in enumerate(ORDERS.splitlines(), 1) if "print(" in text)
    expect(page.get_by_role("button", name=re.compile("E0602"))).to_contain_text(f"第 {line} 行")
    expect(editor.locator(".cm-lintRange-error")).to_have_text(re.compile(r"print\(.*nothing\)"))

    expect(editor).to_have_attribute("data-typing", "ready")  # completion and search come behind the code
    write(page, "import ctpbee\nself.action.buy")
    page.keyboard.press("Control+Space")
    expect(editor.get_by_role("listbox", name="补全")).to_contain_text("buy_open")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+f")
    expect(editor.get_by_placeholder("查找")).to_be_visible()
    page.keyboard.press("Escape")

    write(page, ORDERS)
    expect(page.get_by_text("检查：没有问题")).to_be_visible(timeout=CHECKED)
    page.keyboard.press("Control+s")
    card = page.get_by_test_id("strategy-页面")
    expect(card).to_contain_text("第 1 版")
    expect(page).to_have_url(re.compile("#/strategies/"))
    screen.check_access()
    screen.shot("strategies-code")

    page.get_by_role("button", name="启动 页面").first.click()
    expect(card).to_contain_text("运行中")
    page.get_by_role("tab", name="日志").click()
    expect(page.get_by_role("log")).to_contain_text("<b>已报</b>")  # as text
    screen.shot("strategies-log")

    page.get_by_role("tab", name="代码").click()
    write(page, BREAKS)
    save(page)
    expect(card).to_contain_text("运行的是第 1 版，已存第 2 版")
    page.get_by_role("button", name="重启").click()
    expect(card).to_contain_text("异常")
    expect(card).to_contain_text(f"第 {BROKEN_LINE} 行")
    expect(editor.locator(".cm-broken")).to_have_text(re.compile("1 / 0"))
    page.get_by_role("button", name=f"看第 {BROKEN_LINE} 行").click()
    expect(editor.locator(".cm-activeLine")).to_have_text(re.compile("1 / 0"))
    screen.check_access()
    screen.shot("strategies-broken")

    page.get_by_role("tab", name="委托与持仓").click()
    expect(page.get_by_role("grid", name="委托")).to_contain_text("多开")
    page.get_by_label("每笔手数至多").fill("0.5")
    page.get_by_role("button", name="保存限制").click()
    expect(page.get_by_label("每笔手数至多")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("每笔手数至多").fill("3")
    page.get_by_role("button", name="保存限制").click()
    expect(page.get_by_role("button", name="保存限制 没有改动")).to_be_visible()  # read again, and the same
    assert someone.do("GET", "/strategy", name="页面")["limits"]["max_order_volume"] == 3
    screen.check_access()
    screen.shot("strategies-book")

    page.get_by_role("tab", name="版本").click()
    changed = page.get_by_test_id("difference").locator(".cm-insertedLine")
    expect(changed.filter(has_text="1 / 0")).to_have_count(1)
    screen.shot("strategies-versions")
    page.get_by_role("button", name="取回到编辑器").click()
    expect(page.get_by_text("未保存").first).to_be_visible()
    expect(editor).not_to_contain_text("1 / 0")

    page.get_by_role("button", name="删除").click()
    page.get_by_role("dialog").get_by_role("button", name="确定").click()
    expect(card).to_have_count(0)


def test_on_a_phone_a_strategy_is_started_and_stopped_and_its_code_is_to_be_read(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    someone.do("POST", "/code", text=ORDERS)
    screen = tab(shared_server, phone=True, dark=True).enter(someone, path="#/strategies")
    page = screen.page
    card = page.get_by_test_id("strategy-页面")
    card.get_by_role("button", name="启动").click()
    expect(card).to_contain_text("运行中")
    screen.shot("strategies-phone-dark")
    card.get_by_role("button", name="页面", exact=True).click()
    editor = page.get_by_test_id("editor").get_by_role("textbox")
    expect(editor).to_have_attribute("contenteditable", "false")
    screen.check_access()
    screen.shot("strategies-phone-code-dark")
    page.get_by_role("button", name="返回列表").click()
    card.get_by_role("button", name="停止").click()
    page.get_by_role("dialog").get_by_role("button", name="确定").click()
    expect(card.get_by_role("button", name="启动")).to_be_visible()
