"""The lower half of the trading screen: what it lists, in which colours, by hand and by keys, in two pages
and for two accounts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.page.screen import Screen
from tests.e2e.server import BackendServer, Quote, Trader
from tests.support.faults import CounterFaults

RB = "rb2510.SHFE"
Tab = Callable[..., Screen]


@pytest.fixture
def faults(shared_server: BackendServer) -> Iterator[CounterFaults]:
    made = shared_server.faults()
    yield made
    made.close()


@pytest.fixture
def quote(someone: Trader) -> Quote:
    return someone.fix_quote("rb2510")


def part(screen: Screen, name: str) -> Locator:
    """The table of one tab, in sight."""
    screen.page.get_by_role("tab", name=re.compile(f"^{name}")).click()
    return screen.page.get_by_role("grid", name=name)


def rows(table: Locator) -> Locator:
    return table.locator("tbody[role=rowgroup] tr")


def test_positions_come_with_their_profit_and_close_by_the_keyboard(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote, faults: CounterFaults
) -> None:
    assert someone.order(RB, "long", "open", quote.ask, 3)["success"]
    screen = tab(shared_server).enter(someone)
    table = part(screen, "持仓")
    expect(rows(table)).to_have_count(1)
    expect(rows(table).first).to_contain_text("-30.00")  # one tick of 10 tons, three lots
    rise = quote.ask + 9 * quote.tick
    faults.set_quote("rb2510", rise, 100, rise + quote.tick, 100, rise)
    expect(rows(table).first).to_contain_text("270.00")
    expect(rows(table).first.locator("td.up", has_text="270.00").first).to_be_visible()
    table.press("ArrowDown")
    table.press("Enter")
    dialog = screen.page.get_by_role("dialog", name="平仓 rb2510 多")
    dialog.get_by_label(re.compile("手数")).fill("4")
    expect(dialog.get_by_role("button", name=re.compile("^平仓"))).to_have_attribute(
        "title", "手数应为 1 到 3 的整数"
    )
    screen.check_access()
    dialog.get_by_label(re.compile("手数")).fill("2")
    dialog.get_by_label(re.compile("手数")).press("Enter")
    expect(rows(table).first.get_by_role("gridcell").nth(2)).to_have_text("1")
    screen.see(re.compile("成交 rb2510 空平今 2 手"))


def test_a_position_is_closed_at_a_limit_that_rests_and_freezes_it(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote
) -> None:
    assert someone.order(RB, "long", "open", quote.ask, 2)["success"]
    screen = tab(shared_server).enter(someone)
    row = rows(part(screen, "持仓")).first
    row.get_by_role("button", name="平仓").click()
    dialog = screen.page.get_by_role("dialog")
    dialog.get_by_label("限价").check()
    dialog.get_by_label("委托价").fill(str(quote.ask + 0.5))
    expect(dialog.get_by_text("价格应为最小变动价位 1 的整数倍").first).to_be_visible()
    dialog.get_by_label("委托价").fill(f"{quote.ask + 5 * quote.tick:g}")
    dialog.get_by_role("button", name=re.compile("^平仓")).click()
    expect(row.get_by_role("button", name=re.compile("^平仓"))).to_have_attribute(
        "title", "2 手被 1 笔平仓挂单冻结：先撤单"
    )
    resting = rows(part(screen, "挂单")).first
    expect(resting).to_contain_text("空平今")
    expect(resting).to_contain_text(f"{quote.ask + 5 * quote.tick:g}")


@pytest.mark.parametrize("how", ["button", "double click", "Delete"])
def test_a_working_order_is_cancelled(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote, how: str
) -> None:
    assert someone.order(RB, "long", "open", quote.bid - 10 * quote.tick, 3)["success"]
    screen = tab(shared_server).enter(someone)
    table = part(screen, "挂单")
    if how == "button":
        rows(table).first.get_by_role("button", name="撤单").click()
    elif how == "double click":
        rows(table).first.dblclick(position={"x": 20, "y": 10})
    else:
        expect(rows(table)).to_have_count(1)
        table.press("ArrowDown")
        table.press("Delete")
    expect(screen.page.get_by_text("没有挂单", exact=True)).to_be_visible()
    screen.see("rb2510 多开 已撤销，成交 0/3 手")
    expect(screen.page.locator(".toast")).to_have_count(1)  # said once
    expect(rows(part(screen, "委托")).first).to_contain_text("已撤销")


def test_a_refused_cancel_is_told_and_the_order_stays(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote, faults: CounterFaults
) -> None:
    assert someone.order(RB, "long", "open", quote.bid - 10 * quote.tick, 3)["success"]
    screen = tab(shared_server).enter(someone)
    table = part(screen, "挂单")
    faults.refuse_next("cancel", 26, "CTP:此刻不能撤单")
    rows(table).first.get_by_role("button", name="撤单").click()
    screen.see(re.compile("此刻不能撤单"))
    expect(rows(table)).to_have_count(1)


def test_a_partly_filled_order_shows_how_far_and_a_refusal_its_whole_reason(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote, faults: CounterFaults
) -> None:
    faults.set_quote("rb2510", quote.bid, 100, quote.ask, 1, quote.bid)
    assert someone.order(RB, "long", "open", quote.ask, 3)["success"]
    screen = tab(shared_server).enter(someone)
    row = rows(part(screen, "挂单")).first
    expect(row).to_contain_text("部分成交")
    expect(row.get_by_role("gridcell").nth(5)).to_have_text("1")
    faults.reject_next("交易所：这是一段很长的说明文字，应当能完整看到而不是被截断在表格里")
    assert not someone.order(RB, "long", "open", quote.bid - quote.tick, 1)["success"]
    refused = rows(part(screen, "委托")).filter(has_text="拒单")
    refused.click()
    expect(screen.page.get_by_test_id("reason")).to_contain_text("而不是被截断在表格里")
    screen.check_access()


def test_what_nobody_confirmed_stands_first_until_the_counter_speaks(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote, faults: CounterFaults
) -> None:
    assert someone.order(RB, "long", "open", quote.bid - 10 * quote.tick, 3)["success"]
    faults.mute(someone.userid)
    try:
        screen = tab(shared_server).enter(someone)
        part(screen, "持仓")
        answer = someone.order(RB, "long", "open", quote.bid - 20 * quote.tick, 1)
        assert answer["error"] == "ORDER_STATE_UNKNOWN"
        first = rows(part(screen, "挂单")).first
        expect(first).to_contain_text("未确认，请勿重复下单")
        expect(first).to_have_class(re.compile("unsure"))
        screen.shot("book-unconfirmed")
        screen.check_access()
    finally:
        faults.unmute(someone.userid)
    table = screen.page.get_by_role("grid", name="挂单")
    expect(table.locator("tr.unsure")).to_have_count(0)
    expect(rows(table)).to_have_count(2)


def test_other_terminals_and_forced_closes_are_marked(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote, faults: CounterFaults
) -> None:
    assert someone.order(RB, "long", "open", quote.ask, 2)["success"]
    faults.place_conditional(someone.userid, "rb2510", "long", 1, quote.bid - 20 * quote.tick)
    screen = tab(shared_server).enter(someone)
    row = rows(part(screen, "挂单")).first
    expect(row).to_contain_text("其它终端")
    expect(row).to_contain_text("未触发")
    faults.force_close(someone.userid, "rb2510", "long", 1)
    screen.see(re.compile(r"强平 rb2510 空平\S* 1 手"))
    expect(rows(part(screen, "成交")).first).to_contain_text("强平")


def test_two_pages_of_one_account_agree(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote
) -> None:
    one, other = (tab(shared_server).enter(someone) for _ in range(2))
    tables = [part(screen, "挂单") for screen in (one, other)]
    assert someone.order(RB, "long", "open", quote.bid - 10 * quote.tick, 3)["success"]
    for table in tables:
        expect(rows(table)).to_have_count(1)
    rows(tables[0]).first.get_by_role("button", name="撤单").click()
    for screen in (one, other):
        expect(screen.page.get_by_text("没有挂单", exact=True)).to_be_visible()
        screen.see("rb2510 多开 已撤销，成交 0/3 手")


def test_two_accounts_in_one_page_never_mix(
    shared_server: BackendServer, tab: Tab, someone: Trader, quote: Quote
) -> None:
    other = Trader(shared_server, f"{someone.userid}b").log_in()
    assert someone.order(RB, "long", "open", quote.ask, 2)["success"]
    assert other.order(RB, "short", "open", quote.bid, 5)["success"]
    screen = tab(shared_server).enter(someone, other)
    table = screen.page.get_by_role("grid", name="持仓")
    expect(rows(table)).to_have_count(1)
    expect(rows(table).first.get_by_role("gridcell").nth(2)).to_have_text("5")
    screen.page.get_by_role("button", name=re.compile(f"{re.escape(someone.key)}$")).click()
    expect(rows(table)).to_have_count(1)
    expect(rows(table).first.get_by_role("gridcell").nth(2)).to_have_text("2")
    rows(table).first.get_by_role("button", name="平仓").click()
    screen.page.get_by_role("dialog").get_by_role("button", name=re.compile("^平仓")).click()
    expect(screen.page.get_by_text("没有持仓", exact=True)).to_be_visible()
    assert other.position(RB, "short")["volume"] == 5
    assert [row["direction"] for row in other.lists()["order_list"]] == ["空"]


def test_the_log_is_searched_and_funds_have_their_names(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server).enter(someone)
    funds = part(screen, "资金")
    expect(funds).to_contain_text("动态权益")
    expect(funds).to_contain_text("1,000,000.00")
    screen.page.get_by_role("tab", name="日志").click()
    log = screen.page.get_by_role("log")
    expect(log).to_contain_text("行情前置：就绪")
    screen.page.get_by_label("搜索日志").fill("交易前置")
    expect(log).not_to_contain_text("行情前置：就绪")
    screen.page.get_by_label("级别").select_option("ERROR")
    expect(log).to_contain_text("没有符合的日志")
    screen.page.get_by_role("tab", name="结算单").click()
    expect(screen.page.get_by_text("内置柜台没有结算单").first).to_be_visible()
    screen.check_access()
