"""The chart: what it draws, read from what it tells whoever cannot see a canvas."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.page.screen import Screen
from tests.e2e.server import BackendServer, Trader
from tests.support.waiting import eventually

Tab = Callable[..., Screen]
RB = "rb2510.SHFE"


def at_chart(screen: Screen, trader: Trader, interval: str = "1m", **workspace: Any) -> Locator:
    """The trading screen with this contract's chart; answers the canvas' place."""
    kept = json.dumps({"symbol": RB, "interval": interval, "indicators": ["MA", "VOL"]} | workspace)
    screen.page.add_init_script(
        f"if (!localStorage['ctpbee.workspace.{trader.key}'])"
        f" localStorage['ctpbee.workspace.{trader.key}'] = {json.dumps(kept)}"
    )
    screen.enter(trader)
    return screen.page.locator("[data-count]")


def close_minute(server: BackendServer, trader: Trader) -> None:
    """A minute of the contract ends, and is in the store."""
    before = len(trader.do("POST", "/bar", local_symbol=RB))
    page = trader.page or trader.open_page()
    forming = eventually(lambda: page.last("bar_update"), "a minute forms")
    server.near_minutes_end(forming)
    eventually(lambda: len(trader.do("POST", "/bar", local_symbol=RB)) > before, "the minute is closed")


@pytest.fixture
def charted(shared_server: BackendServer, someone: Trader) -> Trader:
    """The contract's quotes move by themselves, whatever a test before has fixed."""
    someone.do("POST", "/market", symbol=RB)
    shared_server.faults().release_quote("rb2510")
    return someone


def test_bars_appear_and_the_newest_moves_with_the_quotes(
    shared_server: BackendServer, tab: Tab, charted: Trader
) -> None:
    canvas = at_chart(tab(shared_server), charted)
    expect(canvas).to_have_attribute("data-count", re.compile(r"[1-9]"))
    quote = charted.fix_quote(RB)
    shared_server.faults().set_quote("rb2510", quote.bid + 5, 9, quote.ask + 5, 9, quote.bid + 5, 3)
    expect(canvas).to_have_attribute("aria-label", re.compile(rf"收 {quote.bid + 5:g}"))


def test_an_order_stands_at_its_price_until_it_is_cancelled(
    shared_server: BackendServer, tab: Tab, charted: Trader
) -> None:
    quote = charted.fix_quote(RB)
    canvas = at_chart(tab(shared_server), charted)
    expect(canvas).to_have_attribute("data-own", "")
    price = quote.bid - 3 * quote.tick
    order_id = charted.order(RB, "long", "open", price, 2)["order_id"]
    expect(canvas).to_have_attribute("data-own", re.compile(rf"买开 2 @ {price:g}"))
    charted.do("DELETE", "/order_solve", order_id=order_id, local_symbol=RB)
    expect(canvas).to_have_attribute("data-own", "")


def y_of(canvas: Locator, price: float) -> float:
    """Where the chart has this price on the screen, by what it says of itself."""
    scale, box = json.loads(canvas.get_attribute("data-scale") or "{}"), canvas.bounding_box()
    assert box is not None
    return float(box["y"] + (scale["high"] - price) / (scale["high"] - scale["low"]) * scale["height"])


def working(trader: Trader) -> list[tuple[float, int]]:
    """Price and lots of what rests."""
    return [(row["price"], row["volume"]) for row in trader.lists()["active_order_list"]]


def test_a_dragged_order_is_cancelled_and_sent_anew_at_the_price_where_it_was_let_go(
    shared_server: BackendServer, tab: Tab, charted: Trader
) -> None:
    screen = tab(shared_server)
    canvas = at_chart(screen, charted)
    expect(canvas).to_have_attribute("data-count", re.compile(r"[1-9]"))
    quote = charted.fix_quote(RB)
    high, faults = quote.ask + 10 * quote.tick, shared_server.faults()
    faults.set_quote("rb2510", high - quote.tick, 9, high, 9, high, 3)  # so that the bar is as long as this
    expect(canvas).to_have_attribute("aria-label", re.compile(rf"收 {high:g}"))
    faults.set_quote("rb2510", quote.bid, 9, quote.ask, 9, quote.bid, 3)
    price, wanted = quote.ask + 6 * quote.tick, quote.ask + 4 * quote.tick
    charted.order(RB, "short", "open", price, 2)
    expect(canvas).to_have_attribute("data-own", re.compile(rf"卖开 2 @ {price:g}"))
    expect(canvas).to_have_attribute("aria-label", re.compile(rf"收 {quote.bid:g}"))  # with its scale
    box = canvas.bounding_box()
    assert box is not None
    mouse, x = screen.page.mouse, box["x"] + box["width"] / 3
    mouse.move(x, y_of(canvas, price))
    mouse.down()
    mouse.move(x, y_of(canvas, wanted), steps=8)
    mouse.up()
    dialog = screen.page.get_by_role("dialog", name="改价")
    expect(dialog).to_contain_text(f"{price:g} 改为 {wanted:g}")
    assert working(charted) == [(price, 2)]
    dialog.get_by_role("button", name="确定").click()
    expect(screen.page.get_by_text("改价完成")).to_be_visible()
    assert working(charted) == [(wanted, 2)]


def test_a_fill_is_marked_on_its_bar_and_the_position_at_its_price(
    shared_server: BackendServer, tab: Tab, charted: Trader
) -> None:
    canvas = at_chart(tab(shared_server), charted)
    expect(canvas).to_have_attribute("data-count", re.compile(r"[1-9]"))  # a fill stands on a bar
    quote = charted.fix_quote(RB)
    charted.order(RB, "short", "open", quote.bid, 3)
    expect(canvas).to_have_attribute("data-own", re.compile(rf"空 3 .*{quote.bid:g}; 卖 3 {quote.bid:g}"))


def test_the_intervals_gather_the_same_minutes(
    shared_server: BackendServer, tab: Tab, charted: Trader
) -> None:
    screen = tab(shared_server)
    canvas = at_chart(screen, charted)
    expect(canvas).to_have_attribute("data-count", re.compile(r"[1-9]"))
    for interval in ("5m", "1h", "1d", "分时"):
        screen.page.get_by_role("button", name=interval, exact=True).click()
        expect(canvas).to_have_attribute("data-count", re.compile(r"[1-9]"))
        shown = "1m" if interval == "分时" else interval
        expect(canvas).to_have_attribute("aria-label", re.compile(rf" {shown}，"))
    screen.check_access()


def moving_average(closes: list[float], count: int) -> float:
    return sum(closes[-count:]) / count


def ema(closes: list[float], count: int) -> list[float]:
    """As KLineChart has it: the first one is the mean of the first `count`."""
    out = [sum(closes[:count]) / count]
    for close in closes[count:]:
        out.append((2 * close + (count - 1) * out[-1]) / (count + 1))
    return out


def test_the_indicators_are_what_their_formulas_say(
    make_server: Callable[..., BackendServer], tab: Tab
) -> None:
    """On bars that nothing moves any more, against plain Python."""
    server = make_server(counter_hours="always").start()
    trader = Trader(server).log_in()
    trader.fix_quote(RB)
    bars = [[60_000 * at, *prices] for at, prices in enumerate(made_up_prices(120))]
    screen = tab(server)
    screen.page.route("**/bar", lambda route: route.fulfill(json=answer(bars, route.request.post_data)))
    canvas = at_chart(screen, trader, "3m", indicators=["MA", "EMA", "BOLL", "VOL", "MACD", "KDJ", "RSI"])
    values = eventually(lambda: told(canvas, "RSI"), "the indicators are told")
    closes = [bar[4] for bar in bars]
    approx = pytest.approx
    assert values["MA"]["ma1"] == approx(moving_average(closes, 5))
    assert values["MA"]["ma4"] == approx(moving_average(closes, 60))
    assert values["EMA"]["ema1"] == approx(ema(closes, 5)[-1])
    middle = moving_average(closes, 20)
    spread = (sum((close - middle) ** 2 for close in closes[-20:]) / 20) ** 0.5
    assert values["BOLL"] == approx({"mid": middle, "up": middle + 2 * spread, "dn": middle - 2 * spread})
    difs = [a - b for a, b in zip(ema(closes, 12)[14:], ema(closes, 26), strict=True)]
    dea = ema(difs, 9)[-1]
    assert values["MACD"] == approx({"dif": difs[-1], "dea": dea, "macd": 2 * (difs[-1] - dea)})
    assert values["KDJ"] == approx(kdj(bars))
    for key, count in (("rsi1", 6), ("rsi2", 12), ("rsi3", 24)):
        assert values["RSI"][key] == approx(rsi(closes, count)), key


def made_up_prices(count: int) -> list[list[float]]:
    """Waves with a trend, no randomness: open, high, low, close, volume."""
    from math import sin

    closes = [3000 + at * 0.7 + 25 * sin(at / 5) + 7 * sin(at * 1.3) for at in range(count + 1)]
    rows = []
    for before, close in zip(closes, closes[1:], strict=False):
        rows.append([before, max(before, close) + 2, min(before, close) - 3, close, 100 + int(close) % 37])
    return rows


def answer(bars: list[list[float]], sent: str | None) -> dict[str, Any]:
    rows = [[*bar, 1.0, 2.0] for bar in bars]
    return {"success": True, "msg": "", "data": rows[-1:] if "limit=1&" in f"{sent}&" else rows}


def told(canvas: Locator, name: str) -> Any:
    values = json.loads(canvas.get_attribute("data-values") or "{}")
    return values if values.get(name) else None


def kdj(bars: list[list[float]], count: int = 9) -> dict[str, float]:
    """RSV smoothed as SMA(3, 1), from 50."""
    k = d = 50.0
    for at in range(count - 1, len(bars)):
        window = bars[at - count + 1 : at + 1]
        high, low = max(bar[2] for bar in window), min(bar[3] for bar in window)
        k = (2 * k + (bars[at][4] - low) / (high - low) * 100) / 3
        d = (2 * d + k) / 3
    return {"k": k, "d": d, "j": 3 * k - 2 * d}


def rsi(closes: list[float], count: int) -> float:
    """Means of rises and falls, smoothed as Wilder has it."""
    changes = [after - before for before, after in zip(closes, closes[1:], strict=False)]
    rise = sum(max(change, 0) for change in changes[:count]) / count
    fall = sum(max(-change, 0) for change in changes[:count]) / count
    for change in changes[count:]:
        rise = (rise * (count - 1) + max(change, 0)) / count
        fall = (fall * (count - 1) + max(-change, 0)) / count
    return 100 * rise / (rise + fall)


def test_bars_that_closed_while_the_page_was_away_are_there_when_it_is_back(
    shared_server: BackendServer, tab: Tab, charted: Trader
) -> None:
    screen = tab(shared_server)
    canvas = at_chart(screen, charted)
    expect(canvas).to_have_attribute("data-count", re.compile(r"[1-9]"))
    before = int(canvas.get_attribute("data-count") or 0)
    screen.forgive("ERR_INTERNET_DISCONNECTED")
    screen.context.set_offline(True)
    screen.see("页面与服务器断开")
    close_minute(shared_server, charted)
    screen.context.set_offline(False)
    expect(canvas).to_have_attribute("data-count", re.compile(rf"^{before + 1}|{before + 2}$"))


def test_bars_that_do_not_come_are_told_with_the_reason(
    shared_server: BackendServer, tab: Tab, charted: Trader
) -> None:
    screen = tab(shared_server)
    screen.forgive("status of 503")
    failing = {"success": False, "msg": "存储写不进", "data": "", "error": "STORE_FAILED"}
    screen.page.route("**/bar", lambda route: route.fulfill(status=503, json=failing))
    at_chart(screen, charted)
    screen.see("K 线没有取到：存储写不进")
    screen.page.unroute("**/bar")
    screen.page.get_by_role("button", name="再试").click()
    expect(screen.page.locator("[data-count]")).to_have_attribute("data-count", re.compile(r"\d"))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_chart_looks_right(shared_server: BackendServer, tab: Tab, charted: Trader, dark: bool) -> None:
    screen = tab(shared_server, dark=dark)
    canvas = at_chart(screen, charted, indicators=["MA", "VOL", "MACD"])
    expect(canvas).to_have_attribute("data-count", re.compile(r"[1-9]"))
    screen.check_access()
    screen.shot(f"chart-{'dark' if dark else 'light'}")
