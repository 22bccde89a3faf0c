"""The list of quotes, and the panels around it."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Route, expect

from tests.e2e.page.desk import choose
from tests.e2e.page.screen import Screen
from tests.e2e.server import BackendServer, Trader
from tests.support.waiting import eventually

Tab = Callable[..., Screen]


def test_a_contract_is_found_by_code_name_and_initials(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server).enter(someone)
    page = screen.page
    for query in ("rb2510", "螺纹钢2510", "lwg2510"):
        page.get_by_role("searchbox").fill(query)
        expect(page.locator(".quote .code")).to_have_text(["rb2510 螺纹钢"])
    page.get_by_role("searchbox").fill("不存在")
    screen.see("没有找到“不存在”")
    page.get_by_role("searchbox").fill("lwg2510")
    page.keyboard.press("Enter")
    expect(page.get_by_role("grid", name="行情")).to_be_focused()
    expect(page.get_by_role("region", name="五档")).to_contain_text("螺纹钢2510")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    screen.check_access()


def test_an_enter_before_the_contracts_are_there_opens_what_is_found_once_they_are(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server)
    page = screen.page
    held: list[Route] = []
    page.route("**/contract", lambda route: held.append(route))
    screen.enter(someone)
    page.get_by_role("searchbox").fill("lwg2510")
    page.keyboard.press("Enter")
    eventually(lambda: page.title() and held, "the page asks for the contracts")  # asking it lets it speak
    page.unroute("**/contract")  # what was held goes on
    expect(page.get_by_role("region", name="五档")).to_contain_text("螺纹钢2510")


def test_of_all_contracts_only_the_rows_in_sight_are_there_and_have_quotes(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server).enter(someone)
    page = screen.page
    page.get_by_role("tab", name="全部").click()
    grid = page.get_by_role("grid", name="行情")
    listed = len(someone.do("GET", "/contract")["contracts"])
    expect(grid).to_have_attribute("aria-rowcount", str(listed + 1))
    assert listed > 300
    assert grid.get_by_role("row").count() < 60
    expect(grid.locator(".quote .last").nth(3)).not_to_have_text("–")
    grid.focus()
    page.keyboard.press("End")
    last = grid.locator(f"[aria-rowindex='{listed + 1}']")
    expect(last).to_be_in_viewport()
    expect(last.locator(".last")).not_to_have_text("–")
    assert grid.get_by_role("row").count() < 60


def test_favourites_have_a_tab_and_an_order_that_are_kept(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server).enter(someone)
    page = screen.page
    page.get_by_role("tab", name="自选").click()
    screen.see("还没有自选")
    for code in ("rb2510", "ag2510", "cu2510"):
        page.get_by_role("searchbox").fill(code)
        page.locator(".quote", has_text=code).get_by_role("button").click()
    page.get_by_role("searchbox").fill("")
    codes = page.locator(".quote .code")
    expect(codes).to_have_text(["rb2510 螺纹钢", "ag2510 白银", "cu2510 铜"])
    page.get_by_role("grid", name="行情").focus()
    page.keyboard.press("c")  # a letter jumps
    page.keyboard.press("Alt+ArrowUp")
    moved = ["rb2510 螺纹钢", "cu2510 铜", "ag2510 白银"]
    expect(codes).to_have_text(moved)
    page.reload()
    expect(codes).to_have_text(moved)
    page.get_by_role("grid", name="行情").focus()
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    expect(codes).to_have_text(moved[1:])


def test_the_main_contract_is_the_one_of_most_open_interest(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server).enter(someone)
    page = screen.page
    page.get_by_role("tab", name="主力").click()
    grid = page.get_by_role("grid", name="行情")
    first = grid.locator(".quote").first
    expect(first.locator(".code")).not_to_have_class("code muted")  # all its months have a quote now
    code = first.locator(".code").inner_text().split()[0]
    product = code.rstrip("0123456789")
    months = [
        row["symbol"]
        for row in someone.do("GET", "/contract", product=product)["contracts"]
        if row["product"] == product
    ]
    held = {month: someone.do("GET", "/tick", symbol=month)["open_interest"] for month in months}
    assert held[code] == max(held.values())


def test_a_page_that_is_loaded_anew_shows_a_contract_whose_quote_stands_still(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    quote = someone.fix_quote("rb2510")
    screen = tab(shared_server).enter(someone)
    choose(screen.page, "rb2510")
    for _ in range(2):
        expect(screen.page.get_by_role("region", name="五档")).to_contain_text(f"{quote.ask:g}")
        screen.page.reload()


def test_panels_are_resized_by_keys_kept_and_reset(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    screen = tab(shared_server).enter(someone)
    page = screen.page
    bar = page.get_by_role("separator", name="行情列表")
    width = page.get_by_role("region", name="行情").bounding_box
    before = (width() or {})["width"]
    bar.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(bar).to_have_attribute("aria-valuenow", "364")
    assert (width() or {})["width"] == before + 64
    page.reload()
    expect(bar).to_have_attribute("aria-valuenow", "364")
    bar.hover()
    page.mouse.down()
    page.mouse.move(440, 400, steps=4)
    page.mouse.up()
    assert int(bar.get_attribute("aria-valuenow") or 0) > 400
    page.get_by_role("button", name="恢复布局").click()
    expect(bar).to_have_attribute("aria-valuenow", "300")


def test_a_phone_shows_one_panel_at_a_time_and_nothing_runs_over_its_edge(
    shared_server: BackendServer, tab: Tab, someone: Trader
) -> None:
    someone.fix_quote("rb2510")
    screen = tab(shared_server, phone=True).enter(someone)
    page = screen.page
    choose_on_phone(screen)
    for name, sign in [
        ("行情", page.get_by_role("grid", name="行情")),
        ("下单", page.get_by_test_id("buy")),
        ("持仓", page.get_by_role("tab", name="持仓")),
        ("委托", page.get_by_role("tab", name="持仓")),
    ]:
        page.get_by_role("navigation", name="交易屏").get_by_role("button", name=name).click()
        expect(sign).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        screen.check_access()
    expect(page.get_by_test_id("buy")).to_be_hidden()


def choose_on_phone(screen: Screen) -> None:
    screen.page.get_by_role("searchbox").fill("rb2510")
    screen.page.locator(".quote", has_text="rb2510").click()
    expect(
        screen.page.get_by_role("navigation", name="交易屏").get_by_role("button", name="图表")
    ).to_have_attribute("aria-current", "page")
