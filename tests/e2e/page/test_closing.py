"""Getting out: 全撤, 全平, 反手, against a counter that fills in part, refuses, and is silent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.page.screen import Screen
from tests.e2e.page.test_book import RB, part, rows
from tests.e2e.server import BackendServer, Quote, Trader
from tests.support.faults import CounterFaults

Tab = Callable[..., Screen]


@pytest.fixture
def faults(shared_server: BackendServer) -> Iterator[CounterFaults]:
    made = shared_server.faults()
    yield made
    made.close()


@pytest.fixture
def quote(someone: Trader) -> Quote:
    return someone.fix_quote("rb2510")


def reverse(screen: Screen) -> Locator:
    """Press 反手 for the first position; its steps."""
    rows(part(screen, "持仓")).first.get_by_role("button", name="反手").click()
    screen.page.get_by_role("dialog").get_by_role("button", name="确定").click()
    return screen.page.get_by_role("dialog", name="反手").locator("ol > li")


def states(steps: Locator) -> list[str | None]:
    return [step.get_attribute("data-state") for step in steps.all()]


def ended(screen: Screen) -> Locator:
    return screen.page.get_by_role("dialog").get_by_role("status")


def test_a_position_is_reversed_step_by_step(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote
) -> None:
    assert someone.order(RB, "long", "open", quote.ask, 3)["success"]
    screen = tab(shared_server).enter(someone)
    steps = reverse(screen)
    expect(ended(screen)).to_have_text("反手完成")
    assert states(steps) == ["done"] * 4
    screen.shot("reverse-done")
    screen.check_access()
    assert someone.position(RB, "long") is None
    assert someone.position(RB, "short")["volume"] == 3
    offsets = [row["offset"] for row in someone.lists()["order_list"]]
    assert offsets == ["开", "平今", "开"]


def test_a_reversal_whose_close_fills_in_part_opens_nothing(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote, faults: CounterFaults
) -> None:
    assert someone.order(RB, "long", "open", quote.ask, 3)["success"]
    faults.set_quote("rb2510", quote.bid, 1, quote.ask, 100, quote.bid)
    screen = tab(shared_server).enter(someone)
    steps = reverse(screen)
    expect(steps.nth(1)).to_contain_text("成交 1/3 手")
    screen.shot("reverse-waits")
    resting = next(row for row in someone.lists()["order_list"] if row["status"] == "部分成交")
    someone.do("DELETE", "/order_solve", order_id=resting["order_id"])
    expect(ended(screen)).to_contain_text("没有开仓：成交 1/3 手，已撤销")
    assert states(steps) == ["done", "failed", "stopped", "stopped"]
    assert someone.position(RB, "long")["volume"] == 2
    assert someone.position(RB, "short") is None


def test_a_reversal_stopped_by_hand_opens_nothing_when_its_close_fills_later(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote, faults: CounterFaults
) -> None:
    assert someone.order(RB, "long", "open", quote.ask, 3)["success"]
    faults.set_quote("rb2510", quote.bid, 1, quote.ask, 100, quote.bid)
    screen = tab(shared_server).enter(someone)
    steps = reverse(screen)
    expect(steps.nth(1)).to_contain_text("成交 1/3 手")
    screen.page.keyboard.press("Escape")  # the dialog cannot be closed while it runs: this stops it
    expect(ended(screen)).to_contain_text("已手动停止")
    faults.set_quote("rb2510", quote.bid, 100, quote.ask, 100, quote.bid, 5)
    screen.page.get_by_role("dialog").get_by_role("button", name="关闭").last.click()
    expect(screen.page.get_by_text("没有持仓", exact=True)).to_be_visible()
    assert someone.position(RB, "short") is None


def test_a_reversal_whose_close_is_refused_says_why(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote, faults: CounterFaults
) -> None:
    assert someone.order(RB, "long", "open", quote.ask, 3)["success"]
    screen = tab(shared_server).enter(someone)
    part(screen, "持仓")
    faults.refuse_next("order", 50, "CTP:平今仓位不足")
    steps = reverse(screen)
    expect(ended(screen)).to_contain_text("没有开仓：")
    expect(ended(screen)).to_contain_text("平今仓位不足")
    assert states(steps) == ["failed", "stopped", "stopped", "stopped"]


def test_a_reversal_does_not_go_on_after_the_page_was_loaded_anew(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote, faults: CounterFaults
) -> None:
    assert someone.order(RB, "long", "open", quote.ask, 3)["success"]
    faults.set_quote("rb2510", quote.bid, 1, quote.ask, 100, quote.bid)
    screen = tab(shared_server).enter(someone)
    expect(reverse(screen).nth(1)).to_contain_text("成交 1/3 手")
    screen.page.reload()
    screen.see(re.compile("反手 rb2510.SHFE：平仓已发出，没有开仓；页面重新载入"))
    faults.set_quote("rb2510", quote.bid, 100, quote.ask, 100, quote.bid, 5)
    expect(screen.page.get_by_text("没有持仓", exact=True)).to_be_visible()
    assert someone.position(RB, "short") is None


def test_a_close_that_the_counter_does_not_answer_is_unconfirmed_and_sent_once(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote, faults: CounterFaults
) -> None:
    assert someone.order(RB, "long", "open", quote.ask, 2)["success"]
    screen = tab(shared_server).enter(someone)
    row = rows(part(screen, "持仓")).first
    row.wait_for()
    faults.mute(someone.userid)
    try:
        row.get_by_role("button", name="平仓").click()
        screen.page.get_by_role("dialog").get_by_role("button", name=re.compile("^平仓")).click()
        screen.see(re.compile("rb2510.SHFE 报单已发出，柜台未确认，请勿重复下单"))
        title = re.compile("未确认，请勿重复下单|冻结")
        expect(row.get_by_role("button", name=re.compile("^平仓"))).to_have_attribute("title", title)
        unsure = rows(part(screen, "挂单")).first
        expect(unsure).to_contain_text("未确认，请勿重复下单")
        screen.shot("close-unconfirmed")
    finally:
        faults.unmute(someone.userid)
    screen.see(re.compile("未确认的报单有结果了"))
    part(screen, "持仓")
    expect(screen.page.get_by_text("没有持仓", exact=True)).to_be_visible()
    assert [row["offset"] for row in someone.lists()["order_list"]] == ["开", "平今"]


def test_a_double_click_closes_once(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote
) -> None:
    assert someone.order(RB, "long", "open", quote.ask, 4)["success"]
    screen = tab(shared_server).enter(someone)
    rows(part(screen, "持仓")).first.get_by_role("button", name="平仓").click()
    dialog = screen.page.get_by_role("dialog")
    dialog.get_by_label(re.compile("手数")).fill("2")
    dialog.get_by_role("button", name=re.compile("^平仓")).dblclick()
    expect(rows(part(screen, "持仓")).first.get_by_role("gridcell").nth(2)).to_have_text("2")
    assert [row["volume"] for row in someone.lists()["order_list"]] == [4, 2]


def test_all_positions_are_closed_each_by_its_own_call(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote, faults: CounterFaults
) -> None:
    silver = someone.fix_quote("ag2512")
    assert someone.order(RB, "long", "open", quote.ask, 2)["success"]
    assert someone.order(RB, "short", "open", quote.bid, 1)["success"]
    assert someone.order(silver.local_symbol, "long", "open", silver.ask, 1)["success"]
    screen = tab(shared_server).enter(someone)
    expect(rows(part(screen, "持仓"))).to_have_count(3)
    screen.page.get_by_role("button", name=re.compile("^全平")).click()
    dialog = screen.page.get_by_role("dialog")
    expect(dialog.locator("li")).to_have_count(3)
    screen.shot("close-all-asks")
    dialog.get_by_role("button", name="确定").click()
    expect(ended(screen)).to_have_text("3 个持仓，3 个的平仓已报")
    screen.page.get_by_role("dialog").get_by_role("button", name="关闭").last.click()
    expect(screen.page.get_by_text("没有持仓", exact=True)).to_be_visible()


def test_all_is_cancelled_and_what_was_not_is_named(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote, faults: CounterFaults
) -> None:
    for step in (10, 11):
        assert someone.order(RB, "long", "open", quote.bid - step * quote.tick, 1)["success"]
    screen = tab(shared_server).enter(someone)
    expect(rows(part(screen, "挂单"))).to_have_count(2)
    faults.refuse_next("cancel", 26, "CTP:此刻不能撤单")
    screen.page.get_by_role("button", name=re.compile("^全撤")).click()
    screen.page.get_by_role("dialog").get_by_role("button", name="确定").click()
    expect(ended(screen)).to_have_text("已发出 2 笔撤单请求；1 笔没有撤掉")
    steps = screen.page.get_by_role("dialog").locator("ol > li")
    assert sorted(str(state) for state in states(steps)) == ["done", "failed"]
    expect(steps.filter(has_text="此刻不能撤单")).to_have_count(1)
    screen.check_access()


def test_buttons_that_are_off_say_why(shared_server: BackendServer, tab: Tab, someone: Trader) -> None:
    screen = tab(shared_server).enter(someone)
    part(screen, "持仓")
    expect(screen.page.get_by_role("button", name=re.compile("^全平"))).to_have_attribute(
        "title", "没有可平的持仓"
    )
    expect(screen.page.get_by_role("button", name=re.compile("^全撤"))).to_have_attribute(
        "title", "没有挂单可撤"
    )
