"""Making an order and sending it: each test in a real browser, against the real server and counter."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.e2e.page.desk import RB, at_desk, buy, choose, sell, settings, tab_to
from tests.e2e.page.screen import Screen
from tests.e2e.server import BackendServer, Trader
from tests.support.waiting import eventually

Tab = Callable[..., Screen]


def test_from_login_to_a_filled_order_and_back_with_the_keyboard_alone(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    someone.fix_quote("rb2510")
    screen = tab(shared_server).open()
    page, press = screen.page, screen.page.keyboard.press
    page.get_by_label("账号", exact=True).focus()
    for text in (someone.userid, someone.password):
        page.keyboard.type(text)
        press("Tab")
    press("Enter")
    expect(page.locator(".quote").first).to_be_visible()

    press("/")
    page.keyboard.type("rb2510")
    press("Enter")
    tab_to(page, ".level")  # the ask: its price, and on to the button that buys
    press("Enter")
    expect(buy(page)).to_be_focused()
    press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("买入 开多")
    press("Enter")
    expect(page.get_by_test_id("last-order")).to_contain_text("全部成交")
    assert eventually(lambda: someone.position(RB, "long"), "it is held")["volume"] == 1

    tab_to(page, "input[type=radio]")
    press("ArrowRight")
    expect(page.get_by_label("平今")).to_be_checked()
    tab_to(page, ".quick button")  # the opposite price in place of the level's
    press("Enter")
    tab_to(page, "[data-testid=sell]")
    expect(sell(page)).to_contain_text("平今多")
    press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("平今多")
    press("Enter")
    eventually(lambda: someone.position(RB, "long") is None, "it is closed")
    expect(page.get_by_test_id("last-order")).to_contain_text("平今多")


def test_a_double_click_sends_one_order(shared_server: BackendServer, tab: Tab, someone: Trader) -> None:
    screen = settings(tab(shared_server), confirmOrders=False)
    at_desk(screen, someone)
    buy(screen.page).dblclick()
    expect(screen.page.get_by_text("没有再发")).to_be_visible()
    expect(screen.page.get_by_test_id("last-order")).to_contain_text("全部成交")
    assert len(someone.lists()["order_list"]) == 1


def test_enter_held_down_sends_one_order_and_reads_no_dialog_away(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server)
    at_desk(screen, someone)
    page = screen.page
    buy(page).focus()
    for _ in range(8):  # from the second on it is the key's repetition
        page.keyboard.down("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert someone.lists()["order_list"] == []
    page.keyboard.up("Enter")
    for _ in range(8):
        page.keyboard.down("Enter")
    expect(page.get_by_test_id("last-order")).to_contain_text("全部成交")
    assert len(someone.lists()["order_list"]) == 1
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_an_order_on_which_the_counter_is_silent_is_unconfirmed_until_it_speaks(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = settings(tab(shared_server), confirmOrders=False)
    at_desk(screen, someone)
    page, last = screen.page, screen.page.get_by_test_id("last-order")
    faults = shared_server.faults()
    faults.mute(someone.userid)
    buy(page).click()
    expect(last).to_contain_text("未确认")
    assert "unsure" in (last.get_attribute("class") or "")
    expect(page.locator(".toasts")).to_contain_text("请勿重复下单")
    screen.check_access()

    buy(page).click()  # another one of the same side is asked for, whatever the settings say
    expect(page.get_by_role("dialog")).to_contain_text("还未确认")
    page.get_by_role("dialog").get_by_role("button", name="取消").click()
    page.reload()
    expect(last).to_contain_text("未确认")

    faults.unmute(someone.userid)
    faults.close()
    expect(last).to_contain_text("全部成交")
    expect(page.locator(".toasts")).to_contain_text("有结果了")
    assert len(someone.lists()["order_list"]) == 1


def test_what_cannot_be_sent_is_said_beside_its_field_and_the_buttons_are_off(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = settings(tab(shared_server), confirmOrders=False)
    at_desk(screen, someone)
    page = screen.page
    details = someone.contract("rb2510")
    price = page.get_by_label("价格", exact=True)
    lots = page.get_by_label("手数", exact=True)
    for field, text, problem in [
        (price, f"{details['limit_up'] + 1:g}", "高于涨停价"),
        (price, f"{details['limit_down'] - 1:g}", "低于跌停价"),
        (price, f"{details['limit_up'] - 0.5:g}", "不是最小变动价位 1 的整数倍"),
        (price, "abc", "没有价格"),
        (lots, "501", "超过每笔上限 500 手"),
        (lots, "0", "手数应为正整数"),
    ]:
        before = field.input_value()
        field.fill(text)
        expect(field).to_have_attribute("aria-invalid", "true")
        for button in (buy(page), sell(page)):
            expect(button).to_have_attribute("aria-disabled", "true")
            expect(button).to_contain_text(problem)
        field.press("Enter")
        field.fill(before or f"{details['pre_settlement_price']:g}")
        expect(field).not_to_have_attribute("aria-invalid", "true")
    page.get_by_text("平今", exact=True).click()
    expect(sell(page)).to_contain_text("没有可平的仓")
    expect(page.get_by_label("市价")).to_be_disabled()  # SHFE has none
    expect(page.get_by_title("SHFE 不收市价单")).to_be_visible()
    screen.check_access()
    assert someone.lists()["order_list"] == []


def test_more_than_is_closable_is_refused_beside_the_lots(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = settings(tab(shared_server), confirmOrders=False)
    quote = at_desk(screen, someone)
    someone.order(RB, "long", "open", quote.ask, 2)
    page = screen.page
    expect(page.get_by_test_id("closable-多")).to_have_text("今 2 昨 0")
    page.get_by_text("平今", exact=True).click()
    page.get_by_label("手数", exact=True).fill("3")
    expect(sell(page)).to_contain_text("可平只有 2 手")
    page.get_by_label("手数", exact=True).press("ArrowDown")
    sell(page).click()
    expect(page.get_by_test_id("last-order")).to_contain_text("全部成交")
    eventually(lambda: someone.position(RB, "long") is None, "it is closed")


def test_a_refusal_stands_in_the_ticket_with_its_reason(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = settings(tab(shared_server), confirmOrders=False)
    at_desk(screen, someone)
    faults = shared_server.faults()
    faults.reject_next("交易所说不行")
    faults.close()
    sell(screen.page).click()
    last = screen.page.get_by_test_id("last-order")
    expect(last).to_contain_text("拒单")
    expect(last).to_contain_text("交易所说不行")


def test_margin_fee_and_the_largest_lots_are_the_gateways(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server)
    quote = at_desk(screen, someone)
    page = screen.page
    page.get_by_label("手数", exact=True).fill("3")
    told = someone.do(
        "GET",
        "/order_preview",
        local_symbol=RB,
        direction="long",
        offset="open",
        type="limit",
        price=quote.ask,
        volume=3,
    )
    expect(page.get_by_test_id("margin")).to_have_text(f"{told['margin']:,.2f}")
    expect(page.get_by_test_id("fee")).to_have_text(f"{told['fee']:,.2f}")
    expect(page.get_by_text(f"最多可开 {told['largest']['long']['open']} 手").first).to_be_visible()


def test_the_price_moves_by_the_tick_and_a_level_of_the_depth_gives_its_own(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server)
    quote = at_desk(screen, someone)
    page = screen.page
    price = page.get_by_label("价格", exact=True)
    levels = page.get_by_role("region", name="五档").get_by_role("button")
    expect(levels).to_have_count(2)  # the counter quotes one of each side; levels that are 0 are not shown
    levels.filter(has_text="买一").click()
    expect(price).to_have_value(f"{quote.bid:g}")
    expect(sell(page)).to_be_focused()
    price.press("ArrowUp")
    expect(price).to_have_value(f"{quote.bid + quote.tick:g}")
    price.press("Shift+ArrowDown")
    expect(price).to_have_value(f"{quote.bid - 9 * quote.tick:g}")
    page.get_by_role("button", name="对手价").click()
    expect(page.get_by_text(f"买入 {quote.ask:g} · 卖出 {quote.bid:g}")).to_be_visible()


def test_another_contract_begins_with_a_clean_ticket(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server)
    at_desk(screen, someone)
    page = screen.page
    page.get_by_label("手数", exact=True).fill("50")
    page.get_by_label("价格", exact=True).fill("3000")
    choose(page, "ag2510")
    expect(page.get_by_label("手数", exact=True)).to_have_value("1")
    expect(page.get_by_label("价格", exact=True)).to_have_value("")
    expect(page.get_by_role("button", name="对手价")).to_have_attribute("aria-pressed", "true")
