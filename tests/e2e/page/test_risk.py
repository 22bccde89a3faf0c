"""The risk screen: the day's counts, the states and what the gate has told of, as they change."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.page.desk import RB, at_desk, buy
from tests.e2e.page.screen import Screen, press_enter
from tests.e2e.server import BackendServer, Trader
from tests.support.waiting import eventually

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
    for row, fee in ((table.filter(has_text="账户").nth(1), "0"), (table.filter(has_text=symbol), "0")):
        expect(row.get_by_role("cell")).to_have_text(["2", "1", "1", "0", "0", "3", "0", "2", fee])
    expect(screen.page.get_by_role("region", name="近来的事")).to_contain_text("重复报单")
    found = screen.page.get_by_role("region", name="重复报单").get_by_role("row").nth(1)
    expect(found.get_by_role("cell")).to_have_text([symbol, "买", f"{low:g}", "1", ""])
    someone.do("POST", "/risk/state", state="halted", why="试一试")
    state = screen.page.get_by_role("region", name="状态")
    expect(state).to_contain_text("暂停交易")
    expect(state).to_contain_text("试一试")
    assert screen.page.evaluate("document.documentElement.scrollWidth") <= (390 if phone else 1440)
    screen.shot(f"risk-{'phone' if phone else 'desk'}")
    screen.check_access()


def test_the_account_is_stopped_and_resumed_by_its_buttons_and_says_why(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    contract = someone.contract("rb2510")
    low, symbol = contract["limit_down"], contract["local_symbol"]
    someone.order(symbol, "long", "open", low, 1)
    screen = tab(shared_server).enter(someone, path="#/risk")
    page = screen.page
    states = page.get_by_role("region", name="状态")

    def press(name: str, why: str) -> None:
        states.get_by_role("button", name=name, exact=True).click()
        dialog = page.get_by_role("dialog", name=name)
        dialog.get_by_label("原因").fill(why)
        screen.check_access()
        dialog.get_by_role("button", name="确定").click()

    press("暂停开仓", "先看看")
    expect(states).to_contain_text("只可平仓")
    refused = someone.order(symbol, "long", "open", low, 1)
    assert refused["error"] == "RISK_REDUCE_ONLY"
    assert "先看看" in refused["msg"]
    press("全停", "行情异常")
    expect(states).to_contain_text("行情异常")
    expect(page.get_by_role("region", name="批量撤单").get_by_role("listitem")).to_contain_text(symbol)
    eventually(lambda: not someone.lists()["active_order_list"], "what rested is cancelled")
    press("恢复", "")
    expect(states.locator("b").first).to_have_text("正常")
    assert someone.order(symbol, "long", "open", low, 2)["success"]
    screen.shot("risk-stopping")


def test_the_trading_screen_says_at_once_what_is_stopped_and_until_when(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server)
    quote = at_desk(screen, someone)
    page = screen.page
    banner = page.get_by_role("status").filter(has=page.get_by_role("link", name="到风控"))
    assert someone.order(RB, "long", "open", quote.ask, 1)["success"]
    close = page.get_by_role("grid", name="持仓").locator("button", has_text=re.compile("^平仓"))
    expect(close).to_be_visible()
    for state, words, opens, closes in (
        ("reduce_only", "账户只可平仓", False, True),
        ("halted", "账户暂停交易", False, False),
        ("active", "", True, True),
    ):
        someone.do("POST", "/risk/state", state=state, why="行情异常")
        expect(banner).to_have_count(1 if words else 0)
        if words:
            expect(banner).to_contain_text(f"{words}（网页")
            expect(buy(page)).to_have_attribute("title", re.compile(f"{words}.*行情异常"))
        expect(buy(page).and_(page.locator("[aria-disabled]"))).to_have_count(0 if opens else 1)
        expect(close.and_(page.locator("[aria-disabled]"))).to_have_count(0 if closes else 1)
        if state == "reduce_only":
            screen.shot("risk-banner")
            screen.check_access()
    someone.do("POST", "/risk/state", state="halted", why="再停")
    page.reload()  # a page that comes later has it of its snapshot
    expect(banner).to_contain_text("再停")
    banner.get_by_role("link").click()
    expect(page.get_by_role("region", name="状态")).to_contain_text("再停")


def test_what_is_picked_by_hand_is_cancelled_and_the_rest_stays(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    low = someone.contract("rb2510")["limit_down"]
    kept, *gone = [someone.order(RB, "long", "open", low + at, 1)["order_id"] for at in range(3)]
    screen = tab(shared_server).enter(someone)
    page = screen.page
    page.get_by_role("tab", name="挂单").click()
    table = page.get_by_role("grid", name="挂单")
    expect(table.get_by_role("checkbox")).to_have_count(3)
    for _ in gone:  # the newest is at the top
        table.press("ArrowDown")
        table.press(" ")
    screen.see("已选 2 笔")
    table.get_by_role("checkbox").nth(2).dblclick()  # on and off again: no cancel as of a row
    screen.see("已选 2 笔")
    screen.check_access()
    page.get_by_role("button", name="撤所选").click()
    page.get_by_role("dialog", name="撤所选").get_by_role("button", name="确定").click()
    results = page.get_by_role("list", name="所选撤单的结果").get_by_role("listitem")
    expect(results).to_have_count(2)
    for order_id in gone:
        expect(results.filter(has_text=order_id)).to_contain_text("已撤销")
    screen.shot("risk-picked")
    expect(table.get_by_role("checkbox")).to_have_count(1)
    assert [row["order_id"] for row in someone.lists()["active_order_list"]] == [kept]


def test_a_selection_is_cancelled_and_the_rest_stays(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    rb, cu = someone.contract("rb2510"), someone.contract("cu2510")
    kept = someone.order(cu["local_symbol"], "long", "open", cu["limit_down"], 1)["order_id"]
    gone = someone.order(rb["local_symbol"], "long", "open", rb["limit_down"], 1)["order_id"]
    screen = tab(shared_server).enter(someone, path="#/risk")
    part = screen.page.get_by_role("region", name="批量撤单")
    button = part.get_by_role("button", name="撤这些")
    expect(button).to_have_attribute("aria-disabled", "true")
    part.get_by_label("合约").select_option(rb["local_symbol"])
    button.click()
    screen.page.get_by_role("dialog").get_by_role("button", name="确定").click()
    expect(part.get_by_role("listitem")).to_contain_text(gone)
    eventually(
        lambda: [row["order_id"] for row in someone.lists()["active_order_list"]] == [kept], "one is left"
    )


def test_rules_and_switches_are_changed_by_keyboard_and_a_refusal_stands_at_its_field(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server).enter(someone, path="#/risk")
    screen.forgive("status of 400")
    page = screen.page
    page.get_by_role("tab", name="当日").focus()
    page.keyboard.press("ArrowRight")
    rules = page.get_by_role("region", name="生效的规则")
    expect(rules.get_by_role("row").filter(has_text="自成交防范")).to_contain_text("拒绝")
    numbers = page.get_by_role("region", name="交易所与柜台的数字")
    expect(numbers).to_contain_text("以交易所、期货公司通知为准")
    expect(numbers.get_by_role("row").filter(has_text="CFFEX").first).to_contain_text(re.compile(r"20\d\d-"))
    press_enter(rules.get_by_role("button", name="新规则"))
    dialog = page.get_by_role("dialog", name="新规则")
    dialog.get_by_label("数什么").select_option("order_lots")
    limit = dialog.get_by_label("上限", exact=True)
    limit.fill("三")
    limit.press("Enter")
    expect(limit).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_text("limit 应为数字")).to_be_visible()
    screen.check_access()
    dialog.get_by_label("到了之后").select_option("refuse")
    limit.fill("3")
    limit.press("Enter")
    expect(dialog).to_have_count(0)
    own = rules.get_by_role("row").filter(has_text="每笔手数")
    expect(own).to_contain_text("自己的规则")
    low = someone.contract("rb2510")["limit_down"]
    assert someone.order(RB, "long", "open", low, 4)["error"] == "RISK_ORDER"
    someone.do("PUT", "/risk", rules=json.dumps([]))  # elsewhere: what is shown here is not of now
    press_enter(own.get_by_role("button", name="删除 每笔手数 账户"))
    expect(rules.get_by_role("alert")).to_contain_text("别处刚改过")
    expect(own).to_have_count(0)
    screen.shot("risk-rules")
    screen.check_access()

    assert someone.order(RB, "long", "open", low, 1)["success"]  # something is at stake: it counts
    page.get_by_role("tab", name="失联保护").click()
    switches = page.get_by_role("region", name="失联保护")
    screen.see("没有设失联保护")
    press_enter(switches.get_by_role("button", name="新的失联保护"))
    dialog = page.get_by_role("dialog", name="新的失联保护")
    dialog.get_by_label("看谁").select_option("script")
    dialog.get_by_label("名字").fill("套利")
    seconds = dialog.get_by_label("几秒没有动静")
    seconds.fill("1")
    seconds.press("Enter")
    expect(seconds).to_have_attribute("aria-invalid", "true")
    seconds.fill("2")
    dialog.get_by_label("到了之后").select_option("reduce_only")
    seconds.press("Enter")
    row = switches.get_by_role("row").filter(has_text="程序 套利")
    expect(row).to_contain_text("失联，已动作")  # it never gave a sign: live, without a question in between
    screen.see("账户只可平仓（失联保护")
    press_enter(row.get_by_role("button", name="删除 程序 套利"))
    screen.see("没有设失联保护")
    screen.check_access()


def test_the_audit_log_is_read_by_kind_and_taken_along(
    shared_server: BackendServer, tab: Tab, someone: Trader, tmp_path: Path
) -> None:
    low = someone.contract("rb2510")["limit_down"]
    order_id = someone.order(RB, "long", "open", low, 1)["order_id"]
    eventually(lambda: order_id in str(someone.do("GET", "/risk/audit", kind="trade")), "it is written")
    screen = tab(shared_server, phone=True)
    screen.page.add_init_script("localStorage['ctpbee.language'] = 'en'")
    screen.enter(someone, path="#/risk/audit")
    page = screen.page
    part = page.get_by_role("region", name="Audit log")
    part.get_by_label("Kind").select_option("trade")
    entries = part.get_by_role("list", name="Entries of the audit log").get_by_role("listitem")
    expect(entries.filter(has_text=order_id).first).to_contain_text("rb2510.SHFE")
    expect(entries.filter(has_not_text="trade")).to_have_count(0)
    for button, suffix in (("Export CSV", "csv"), ("Export JSON lines", "jsonl")):
        with page.expect_download() as waiting:
            press_enter(part.get_by_role("button", name=button))
        download = waiting.value
        assert re.fullmatch(rf"audit-20\d{{6}}-trade\.{suffix}", download.suggested_filename)
        download.save_as(tmp_path / suffix)
        assert order_id in (tmp_path / suffix).read_text("utf-8")
    press_enter(part.get_by_role("button", name="Verify this day"))
    expect(part.get_by_role("status")).to_contain_text("the chain of hashes is whole")
    (log,) = (shared_server.data_dir / "accounts" / someone.key / "audit").glob("*.jsonl")
    log.write_bytes(log.read_bytes().replace(b'"price":2951', b'"price":2952', 1))
    press_enter(part.get_by_role("button", name="Verify this day"))
    expect(part.get_by_role("status")).to_contain_text(", line ")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    screen.shot("risk-audit")
    screen.check_access()


def test_a_forced_logout_wants_a_reason_and_leads_back_to_the_login(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server).enter(someone, path="#/risk")
    screen.forgive(r"status of (401|503)")  # its token has ended, and so has the gateway
    page = screen.page
    page.get_by_role("button", name="强制退出").click()
    dialog = page.get_by_role("dialog", name="强制退出")
    ok = dialog.get_by_role("button", name="确定")
    expect(ok).to_have_attribute("aria-disabled", "true")
    dialog.get_by_label("原因").fill("离开")
    ok.click()
    expect(page.get_by_label("账号", exact=True)).to_be_visible()
