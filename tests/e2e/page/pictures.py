"""The pictures of README and docs, of the real page: `python -m tests.e2e.page.pictures` after `make page`.

They stand in docs/images. Prices and bars are made up; what is shown of them is the page's own doing.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.page import test_backtest
from tests.e2e.page.screen import Screen
from tests.e2e.server import ROOT, BackendServer, Trader
from tests.support.waiting import eventually

IMAGES = ROOT / "docs" / "images"
RB = "rb2510.SHFE"
FAVOURITES = [
    RB,
    "ag2508.SHFE",
    "au2508.SHFE",
    "i2509.DCE",
    "m2509.DCE",
    "MA509.CZCE",
    "IF2506.CFFEX",
    "sc2508.INE",
]
DAYS = ("2025-06-03", "2025-06-04", "2025-06-05")
SECTIONS = (("21:00", "23:00", -1), ("09:00", "10:15", 0), ("10:30", "11:30", 0), ("13:30", "15:00", 0))
NOW = datetime(2025, 6, 5, 10, 0)


def minutes() -> Iterator[datetime]:
    """The trading minutes of the days, as far as the counter's clock has come."""
    for day in DAYS:
        for begin, end, shift in SECTIONS:
            moment, last = (
                datetime.fromisoformat(f"{day} {at}") + timedelta(days=shift) for at in (begin, end)
            )
            while moment < min(last, NOW):
                yield moment
                moment += timedelta(minutes=1)


def write_bars(path: Path, last: float) -> None:
    """A walk that ends at this price, oldest first."""
    dice = random.Random(7)
    moments = list(minutes())
    closes = [last]
    for _ in moments:
        closes.append(closes[-1] + dice.choice((-3, -2, -1, -1, 0, 0, 1, 1, 2, 3)))
    closes.reverse()
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["datetime", "open", "high", "low", "close", "volume", "turnover", "open_interest"])
        for at, moment in enumerate(moments):
            before, close = closes[at], closes[at + 1]
            high, low = max(before, close) + dice.randrange(3), min(before, close) - dice.randrange(3)
            lots = dice.randrange(200, 2500)
            rows.writerow([moment, before, high, low, close, lots, lots * close * 10, 1_500_000 + at])


@contextmanager
def trading() -> Iterator[tuple[BackendServer, Trader]]:
    """A server with an account that has traded, and a strategy that runs."""
    folder = Path(tempfile.mkdtemp(prefix="pictures-"))
    server = BackendServer(folder / "data").start()
    try:
        trader = Trader(server, "trader").log_in()
        quote = trader.fix_quote(RB)
        write_bars(folder / "rb.csv", quote.bid)
        importing = [sys.executable, "run.py", "import-bars", str(folder / "rb.csv"), "--symbol", RB]
        more = ["--label", "start", "--account", trader.key, "--data-dir", str(server.data_dir)]
        subprocess.run(importing + more, cwd=ROOT, check=True)
        trader.do("POST", "/market", symbol=",".join(FAVOURITES[1:]))
        trader.order(RB, "long", "open", quote.ask, 3)
        trader.order(RB, "long", "open", quote.bid - 4 * quote.tick, 2)
        trader.order(RB, "short", "closetoday", quote.ask + 6 * quote.tick, 1)
        trader.order(RB, "long", "open", quote.bid + 0.5, 1)  # off the tick: refused
        text = (ROOT / "strategies" / "double_average.py").read_text("utf-8")
        name = trader.ask("POST", "/code", text=text)["name"]
        trader.do("PUT", "/strategy", name=name, operation="开启")
        server.faults().release_quote("rb2510")
        yield server, trader
    finally:
        server.clean()
        shutil.rmtree(folder, ignore_errors=True)


def run_backtests(trader: Trader) -> str:
    """Two of them, and a search; the id of the first."""
    test_backtest.import_bars(trader)
    trader.do("POST", "/code", text=test_backtest.TURNS)
    asked: list[dict[str, Any]] = [
        {"parameters": '{"every": 20}'},
        {"parameters": '{"every": 45}', "slippage_ticks": 1},
        {"search": '{"kind": "grid", "space": {"every": "10:60:5"}}', "title": "隔几根"},
    ]
    jobs = [
        trader.do("POST", "/backtest", name="来回", contracts=test_backtest.RB, **more)["id"]
        for more in asked
    ]
    for job in jobs:
        eventually(lambda job=job: trader.do("GET", "/backtest", id=job)["state"] == "完成", "it is done", 60)
    return str(jobs[0])


def open_at(browser: Browser, server: BackendServer, trader: Trader, path: str = "#/", **how: Any) -> Screen:
    """A tab at this screen, everything connected."""
    screen = Screen(browser, server, **how)
    kept = {"symbol": RB, "interval": "5m", "indicators": ["MA", "VOL", "MACD"], "favourites": FAVOURITES}
    screen.keep(f"ctpbee.workspace.{trader.key}", kept)
    screen.enter(trader, path=path)
    expect(screen.page.locator("[data-part=td]")).to_have_attribute("data-light", "good")
    return screen


def save(screen: Screen, name: str) -> None:
    screen.page.wait_for_timeout(
        1500
    )  # quotes have come, the chart is drawn: a picture has nothing to wait for
    screen.page.screenshot(path=IMAGES / f"{name}.png")
    screen.close()


def save_risk(browser: Browser, server: BackendServer, trader: Trader) -> None:
    """The risk screen, with something on each part of it. What rests is gone afterwards."""
    trader.order(RB, "long", "open", low := trader.contract(RB)["limit_down"], 1)
    trader.order(RB, "long", "open", low, 1)  # a duplicate
    trader.do("DELETE", "/order_solve", all=1)
    own = {"measure": "order_lots", "limit": 20, "action": "refuse"}
    trader.do("PUT", "/risk", rules=json.dumps([own, {"id": "cancels.SHFE", "limit": 300}]))
    trader.do(
        "PUT", "/risk", switches=json.dumps([{"watch": "page", "seconds": 30, "action": "reduce_only"}])
    )
    trader.do("POST", "/risk/state", state="reduce_only", why="收盘前只平不开")
    save(open_at(browser, server, trader, "#/risk"), "risk-light")
    save(open_at(browser, server, trader, "#/risk/rules", dark=True), "risk-dark")
    save(open_at(browser, server, trader, "#/risk", phone=True), "phone-risk")


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with trading() as (server, trader), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        save(Screen(browser, server).open(), "login")
        save(open_at(browser, server, trader), "trade-light")
        screen = open_at(browser, server, trader, dark=True)
        screen.page.get_by_role("tab", name="委托").click()
        save(screen, "trade-dark")
        screen = open_at(browser, server, trader)
        screen.page.get_by_role("button", name="分时", exact=True).click()
        save(screen, "day-line")
        for dark in (False, True):
            shade = "dark" if dark else "light"
            save(
                open_at(browser, server, trader, "#/strategies/double_average", dark=dark),
                f"strategy-{shade}",
            )
        save(open_at(browser, server, trader, f"#/backtest/{run_backtests(trader)}"), "backtest-light")
        save(open_at(browser, server, trader, "#/account"), "account-light")
        save(open_at(browser, server, trader, "#/settings", dark=True), "settings-dark")
        for panel in ("行情", "下单", "持仓"):
            screen = open_at(browser, server, trader, phone=True, dark=panel == "持仓")
            screen.page.get_by_role("button", name=panel, exact=True).click()
            save(screen, {"行情": "phone-quotes", "下单": "phone-ticket", "持仓": "phone-positions"}[panel])
        save(open_at(browser, server, trader, "#/strategies", phone=True), "phone-strategies")
        save_risk(browser, server, trader)
        browser.close()


if __name__ == "__main__":
    main()
