"""The backtests' screen: asked for in its form, watched, read, put side by side, searched, cancelled, and
led to what broke.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.page.screen import Screen, press_enter
from tests.e2e.server import ROOT, BackendServer, Trader

BARS = ROOT / "tests" / "recordings" / "SHFE.rb2401.1m.csv.gz"
RB = "rb2401.SHFE"
DONE = 60_000
"""ms until a run of six days has ended on a busy machine."""

Tab = Callable[..., Screen]

TURNS = '''from ctpbee import CtpbeeApi


class Turns(CtpbeeApi):
    """Buys a lot and sells it again, every so many bars; and asks once for what no counter gives."""

    def __init__(self, name, every):
        super().__init__(name)
        self.instrument_set = {"rb2401.SHFE"}
        self.every = every
        self.bars = 0

    def on_bar(self, bar):
        self.bars += 1
        if self.bars == 2:
            self.action.buy_open(bar.close_price, 100_000, bar)
        if self.bars % self.every == 0:
            held = self.center.get_position(bar.local_symbol)
            if held is not None and held.long_volume:
                self.action.buy_close(bar.close_price - 5, held.long_volume, bar)
            else:
                self.action.buy_open(bar.close_price + 5, 1, bar)


ext = Turns("来回", 30)
'''
ENDLESS = TURNS.replace('"来回"', '"无尽"').replace(
    "        self.bars += 1\n", "        while True:\n            pass\n"
)
BREAKS = TURNS.replace('"来回"', '"坏的"').replace(
    "        self.bars += 1\n", "        print('<b>到此</b>')\n        1 / 0\n"
)
BROKEN_LINE = BREAKS.splitlines().index("        1 / 0") + 1


def import_bars(trader: Trader) -> None:
    command = [sys.executable, "run.py", "import-bars", str(BARS), "--account", trader.key]
    subprocess.run([*command, "--data-dir", str(trader.server.data_dir)], cwd=ROOT, check=True)


def choose_contract(page: Page) -> None:
    """By the keyboard, as it is found."""
    box = page.get_by_role("combobox", name="合约")
    box.fill("rb24")
    options = page.get_by_role("listbox", name="合约").get_by_role("option")
    expect(options).to_have_count(1)
    expect(options).to_contain_text("2023-09-25")
    box.press("Enter")
    expect(page.get_by_role("button", name=f"去掉 {RB}")).to_be_visible()


def done(page: Page) -> None:
    detail = page.locator("section.detail")
    expect(detail.locator("header")).to_contain_text("完成", timeout=DONE)


def test_a_strategy_is_run_from_the_form_read_run_again_and_put_side_by_side(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    import_bars(someone)
    someone.do("POST", "/code", text=TURNS)
    screen = tab(shared_server).enter(someone, path="#/strategies/来回")
    screen.forgive(r"status of 400")  # a capital is refused below
    page = screen.page
    page.get_by_role("button", name="回测", exact=True).click()
    form = page.get_by_role("form", name="新建回测")
    expect(form.get_by_label("策略", exact=True)).to_have_value("来回")
    expect(form.get_by_label("every", exact=True)).to_have_value("30")
    choose_contract(page)
    form.get_by_label("资金").fill("0")
    press_enter(form.get_by_role("button", name="开始回测"))
    expect(form.get_by_label("资金")).to_have_attribute("aria-invalid", "true")
    expect(form.get_by_label("资金")).to_be_focused()
    screen.check_access()
    screen.shot("backtest-form")

    form.get_by_label("资金").fill("500000")
    form.get_by_label("资金").press("Enter")
    expect(page).to_have_url(re.compile("#/backtest/[0-9a-f]{16}"))
    done(page)
    report = page.get_by_role("region", name="报告")
    figures = report.get_by_role("region", name="指标")
    expect(figures).to_contain_text("夏普比率")
    expect(report.get_by_role("figure")).to_have_attribute("data-marks", re.compile("[1-9]"))
    for part in ("权益", "回撤", "各月收益", "各合约", "多空"):
        expect(report.get_by_role("region", name=part, exact=True)).to_be_visible()
    refused = report.get_by_role("grid", name="委托")
    expect(refused).to_contain_text("0/100000")  # and why
    expect(refused).to_contain_text(re.compile("资金|手数|上限"))
    screen.check_access()
    screen.shot("backtest-report")
    with page.expect_download() as saved:
        report.get_by_role("button", name="下载报告").click()
    assert "回测" in saved.value.path().read_text("utf-8")

    page.get_by_role("button", name="再做一次").click()
    expect(form.get_by_label("资金")).to_have_value("500000")
    form.get_by_label("every", exact=True).fill("7")
    form.get_by_role("button", name="开始回测").click()
    done(page)
    for mark in page.get_by_role("checkbox", name=re.compile("选来对比")).all():
        mark.check()
    page.get_by_role("button", name="对比", exact=True).click()
    beside = page.get_by_role("region", name="对比")
    expect(beside.get_by_role("row").filter(has_text="参数")).to_contain_text("every=7")
    expect(beside.get_by_role("row").filter(has_text="参数")).to_contain_text("不同")
    expect(beside.get_by_role("row").filter(has_text="净利润（盯市）")).to_contain_text("最好")
    screen.check_access()
    screen.shot("backtest-compare")


def test_a_search_has_its_map_and_its_best(shared_server: BackendServer, tab: Tab, someone: Trader) -> None:
    import_bars(someone)
    someone.do("POST", "/code", text=TURNS)
    screen = tab(shared_server, dark=True).enter(someone, path="#/backtest?strategy=来回")
    page = screen.page
    choose_contract(page)
    page.get_by_text("网格", exact=True).click()
    page.get_by_label("every 取").fill("10:30:10")
    screen.see("共 3 组")
    page.get_by_role("button", name="开始搜索").click()
    done(page)
    best = page.get_by_role("region", name="最好的十组").get_by_role("row")
    expect(best).to_have_count(4)  # with the head
    expect(page.get_by_role("region", name="every", exact=True).get_by_role("cell")).to_have_count(3)
    screen.check_access()
    screen.shot("backtest-search-dark")
    best.nth(1).get_by_role("button", name=re.compile("用它")).click()
    every = page.get_by_label("every", exact=True)
    expect(every).to_have_value(re.compile("10|20|30"))
    expect(page.get_by_role("button", name="开始回测")).to_be_visible()


def test_on_a_phone_an_endless_one_is_cancelled_and_a_broken_one_leads_to_its_line(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    import_bars(someone)
    for text in (ENDLESS, BREAKS):
        someone.do("POST", "/code", text=text)
    screen = tab(shared_server, phone=True).enter(someone, path="#/backtest")
    page = screen.page
    screen.see("还没有回测")
    someone.do("POST", "/backtest", name="无尽", contracts=RB)
    card = page.get_by_test_id(re.compile("^backtest-")).filter(has_text="无尽")
    expect(card).to_contain_text("运行中", timeout=DONE)
    card.get_by_role("button", name="无尽").click()
    page.get_by_role("button", name="取消", exact=True).click()
    expect(page.locator("section.detail header")).to_contain_text("已取消", timeout=5_000)
    screen.check_access()
    page.get_by_role("button", name="返回列表").click()

    someone.do("POST", "/backtest", name="坏的", contracts=RB)
    card = page.get_by_test_id(re.compile("^backtest-")).filter(has_text="坏的")
    expect(card).to_contain_text(f"第 {BROKEN_LINE} 行", timeout=DONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    screen.shot("backtest-phone")
    card.get_by_role("button", name="坏的").click()
    expect(page.get_by_role("alert")).to_contain_text("ZeroDivisionError")
    page.get_by_text("策略打印的").click()
    screen.see("<b>到此</b>")  # as text
    screen.check_access()
    page.get_by_role("button", name=f"看第 {BROKEN_LINE} 行").click()
    expect(page.get_by_test_id("editor").locator(".cm-activeLine")).to_have_text(re.compile("1 / 0"))
    page.get_by_role("link", name="回测").click()
    card.get_by_role("button", name="坏的").click()
    page.get_by_role("button", name="删除").click()
    page.get_by_role("dialog").get_by_role("button", name="确定").click()
    expect(card).to_have_count(0)
