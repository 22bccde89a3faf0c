"""Hotkeys: nothing without arming, and nothing more than was meant."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.page.desk import RB, at_desk
from tests.e2e.page.screen import Screen
from tests.e2e.server import BackendServer, Trader
from tests.support.waiting import eventually

Tab = Callable[..., Screen]


def arm(page: Page) -> None:
    """Once there is a price: without one a key sends nothing, as it should."""
    expect(page.get_by_text("最多可开").first).to_be_visible()
    page.get_by_role("button", name="启用快捷键").click()
    expect(page.get_by_test_id("armed-frame")).to_be_visible()


def is_off(page: Page) -> None:
    expect(page.get_by_test_id("armed-frame")).to_be_hidden()


def orders(trader: Trader) -> list[dict[str, object]]:
    return trader.lists()["order_list"]


def test_a_key_does_nothing_before_arming_and_sends_one_order_after_it(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server)
    quote = at_desk(screen, someone)
    page = screen.page
    page.keyboard.press("b")
    arm(page)
    screen.check_access()
    for _ in range(6):  # from the second on it is the key's repetition
        page.keyboard.down("b")
    page.keyboard.up("b")
    expect(page.get_by_test_id("last-order")).to_contain_text("全部成交")
    sent = orders(someone)
    assert [(row["direction"], row["offset"], row["price"], row["volume"]) for row in sent] == [
        ("多", "开", quote.ask, 1)
    ]


def test_queue_lots_and_close_by_keys(shared_server: BackendServer, tab: Tab, someone: Trader) -> None:
    screen = tab(shared_server)
    quote = at_desk(screen, someone)
    page = screen.page
    arm(page)
    for key in ("=", "=", "-", "b"):
        page.keyboard.press(key)
    assert eventually(lambda: someone.position(RB, "long"), "it is held")["volume"] == 2
    page.keyboard.press("-")  # the same lots so soon after would be a double press
    page.keyboard.press("Shift+B")
    eventually(lambda: [row for row in orders(someone) if row["status"] == "未成交"], "it queues")
    assert [row["price"] for row in orders(someone)] == [quote.ask, quote.bid]
    expect(page.get_by_test_id("last-order")).to_contain_text("未成交")
    page.keyboard.press("x")
    eventually(lambda: [row for row in orders(someone) if row["status"] == "已撤销"], "it is cancelled")
    expect(page.get_by_test_id("closable-多")).to_have_text("今 2 昨 0")
    page.keyboard.press("q")
    eventually(lambda: someone.position(RB, "long") is None, "it is closed")
    expect(page.get_by_test_id("closable-多")).to_have_text("今 0 昨 0")


def test_while_typing_only_cancel_all_works(shared_server: BackendServer, tab: Tab, someone: Trader) -> None:
    screen = tab(shared_server)
    quote = at_desk(screen, someone)
    for _ in range(2):
        assert someone.order(RB, "long", "open", quote.bid - 5, 1)["success"]
    page = screen.page
    arm(page)
    search = page.get_by_role("searchbox")
    search.press_sequentially("bsqx")
    expect(search).to_have_value("bsqx")
    assert len(orders(someone)) == 2
    search.press("F8")
    eventually(lambda: all(row["status"] == "已撤销" for row in orders(someone)), "all are cancelled")
    assert len(orders(someone)) == 2


def test_they_are_disarmed_by_esc_blur_a_hidden_page_and_a_cut_line(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server)
    at_desk(screen, someone)
    page = screen.page
    arm(page)
    page.keyboard.press("Escape")
    is_off(page)
    arm(page)
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    is_off(page)
    arm(page)
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange')); delete document.hidden"
    )
    is_off(page)
    arm(page)
    faults = shared_server.faults()
    faults.drop(someone.userid)
    faults.close()
    is_off(page)
    page.keyboard.press("b")
    expect(page.get_by_text("快捷键已停用").first).to_be_visible()
    assert orders(someone) == []


def test_a_key_is_changed_in_the_list_of_keys_and_kept(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server)
    at_desk(screen, someone)
    page = screen.page
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="快捷键")
    key = dialog.get_by_role("button", name="以对手价买入")
    expect(key).to_have_text("B")
    key.click()
    page.keyboard.press("s")
    expect(dialog.get_by_role("alert")).to_contain_text("已用于“以对手价卖出”")
    page.keyboard.press("k")
    expect(key).to_have_text("K")
    screen.check_access()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.reload()
    arm(page)
    page.keyboard.press("b")
    page.keyboard.press("k")
    expect(page.get_by_test_id("last-order")).to_contain_text("全部成交")
    assert len(orders(someone)) == 1
