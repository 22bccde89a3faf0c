"""The page in Chromium against the real web and a real gateway: `python -m benchmarks.page`.

After `make page`. Printed are the goals: what is loaded, frames and the main thread's share while quotes
stream, a socket's event to the paint, a press of 买入 to the order's state on the screen, a cold login form.
Beside ours, in the same call and of the same quotes, a plain Vue table. Absolute times are this machine's,
and its load's: compare the two.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

from app.settings import Settings
from benchmarks.parts.hand_fed import ACCOUNT
from benchmarks.parts.page_sizes import sizes
from benchmarks.parts.report import machine, percentile, ratio, table
from benchmarks.parts.stage import LOAD_CORE, ROOT, Part, Server, token_of, until

PARTS = Path(__file__).parent / "parts"
MODULES = ROOT / "page" / "node_modules"
SENDING = "发送中"
REFERENCE = {
    "vue.js": MODULES / "vue/dist/vue.global.prod.js",
    "socket.io.js": MODULES / "socket.io-client/dist/socket.io.min.js",
}
WARM_SECONDS = 3.0
SLICE_MINUTES = 5.0
"""Of a long stream: each slice tells its heap, so that growth is told from what a start takes."""
LOCAL = "--disable-features=LocalNetworkAccessChecks"
"""The reference's page comes from no address, and could not call a local server otherwise."""


class Stream(NamedTuple):
    """What came of one stream of quotes; ms, but for `busy`."""

    frame: tuple[float, float, float]  # p50, p95, p99
    long_tasks: int
    longest: float
    busy: float  # the main thread's share
    painted: tuple[float, float]  # p50, p99
    heap: float  # MB after a collection


class Stage:
    """The web, a gateway that is fed, and a browser."""

    def __init__(self, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="page-")))
        settings = Settings(data_dir=folder)
        counter = Part([sys.executable, "-m", "app.counter"], LOAD_CORE, settings=settings)
        stack.callback(counter.close)
        self.feed = Part.module("parts.page_feeder", str(folder))
        stack.callback(self.feed.close)
        self.server = Server(folder, everything=False)
        stack.callback(self.server.close)
        until(lambda: self.feed.ask("watchers")["watchers"], "the web watches its gateway")
        self.token = token_of(folder, ACCOUNT)
        playwright = stack.enter_context(sync_playwright())
        self.browser: Browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--js-flags=--expose-gc", LOCAL],
        )
        stack.callback(self.browser.close)

    def context(self) -> BrowserContext:
        context = self.browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
        context.set_default_timeout(60_000)
        context.add_init_script(path=PARTS / "page_probe.js")
        return context

    def ours(self, symbol: str) -> Page:
        """The trading screen with its chart, all contracts listed."""
        kept = {"kept": [{"id": ACCOUNT, "token": self.token}], "active": ACCOUNT}
        page = self._with(
            sessionStorage={"ctpbee.accounts": kept},
            localStorage={
                f"ctpbee.workspace.{ACCOUNT}": {"symbol": symbol, "list": "all"},
                "ctpbee.settings": {"confirmOrders": False, "sound": False},
            },
        )
        page.goto(self.server.url)
        page.get_by_test_id("buy").wait_for()
        page.locator("canvas").first.wait_for()
        return page

    def reference(self, symbols: list[str]) -> Page:
        page = self._with(sessionStorage={"reference": {"token": self.token, "symbols": symbols}})

        def answer(route: Route) -> None:
            name = route.request.url.rpartition("/")[2]
            route.fulfill(path=REFERENCE.get(name, PARTS / "page_reference.html"))

        page.route("**/reference/*", answer)
        page.goto(f"{self.server.url}/reference/page.html")
        page.locator("tr").nth(len(symbols) - 1).wait_for(state="attached")
        return page

    def _with(self, **stores: dict[str, Any]) -> Page:
        """A page whose stores hold this from the start."""
        context = self.context()
        for store, items in stores.items():
            for name, value in items.items():
                wanted = f"{json.dumps(name)}, {json.dumps(json.dumps(value))}"
                context.add_init_script(f"window.{store}.setItem({wanted})")
        return context.new_page()

    def stream(self, page: Page, count: int, seconds: float) -> Stream:
        """Feed so many contracts twice a second each."""
        rate = count * 2.0
        self.feed.ask("feed", count=count, rate=rate, seconds=WARM_SECONDS)
        metrics = page.context.new_cdp_session(page)
        metrics.send("Performance.enable")
        page.evaluate("Object.assign(__probe, {frames: [], tasks: [], painted: [], on: true})")
        before, began = task_seconds(metrics), time.monotonic()
        self.feed.tell("feed", count=count, rate=rate, seconds=seconds)
        self.feed.hear()
        busy = (task_seconds(metrics) - before) / (time.monotonic() - began)
        page.evaluate("__probe.on = false")
        probe = page.evaluate("({frames: __probe.frames, tasks: __probe.tasks, painted: __probe.painted})")
        page.evaluate("Object.assign(__probe, {frames: [], tasks: [], painted: []})")  # not the page's own
        heap = page.evaluate("(gc(), performance.memory.usedJSHeapSize)") / 1e6
        frames, painted = probe["frames"], probe["painted"]
        return Stream(
            (percentile(frames, 0.5), percentile(frames, 0.95), percentile(frames, 0.99)),
            len(probe["tasks"]),
            max(probe["tasks"], default=0.0),
            busy,
            (percentile(painted, 0.5), percentile(painted, 0.99)),
            heap,
        )

    def cold_login(self) -> float:
        """Milliseconds until a login form can be typed into, with nothing cached."""
        context = self.context()
        page = context.new_page()
        page.goto(self.server.url, wait_until="commit")
        page.get_by_label("账号", exact=True).fill("cold")
        took: float = page.evaluate("performance.now()")
        context.close()
        return took


def task_seconds(session: Any) -> float:
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def presses(page: Page, count: int) -> tuple[list[float], set[str]]:
    """Each press of 买入 until its order's state is on the screen; ms, and the states that were seen."""
    button = '[data-testid="buy"]'
    took, states = [], set()
    for _ in range(count):
        page.wait_for_timeout(1_100)  # the same order within a second is refused as a double click
        page.wait_for_function(
            "button => document.querySelector(button)?.getAttribute('aria-disabled') !== 'true'", arg=button
        )
        answer = page.evaluate("([button, sending]) => __probe.press(button, sending)", [button, SENDING])
        took.append(float(answer["took"]))
        states.add(str(answer["state"]))
    return took, states


def size_table(dist: Path) -> str:
    rows = [
        (size.name, f"{size.bytes / 1000:.1f}", f"≤ {size.goal / 1000:.0f}", mark(size.bytes <= size.goal))
        for size in sizes(dist)
    ]
    return table("载入多少，kB（gzip -9）", ("载入", "kB", "目标", ""), rows)


def stream_row(name: str, count: int, got: Stream, reference: Stream) -> tuple[str, ...]:
    return (
        f"{name}，{count} 个合约",
        " / ".join(f"{value:.1f}" for value in got.frame),
        f"{got.long_tasks}，最长 {got.longest:.0f}",
        f"{got.busy:.0%}",
        ratio(got.busy, reference.busy),
        " / ".join(f"{value:.1f}" for value in got.painted),
        ratio(got.painted[1], reference.painted[1]),
        f"{got.heap:.1f}",
    )


def mark(good: bool) -> str:
    return "达到" if good else "未达到"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contracts", type=int, nargs="+", default=[500], help="twice a second each")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each stream")
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="of a long stream, its heap told on the way"
    )
    parser.add_argument("--presses", type=int, default=20)
    options = parser.parse_args()
    print(machine(), flush=True)
    print(size_table(ROOT / "page" / "dist"), flush=True)
    with ExitStack() as stack:
        stage = Stage(stack)
        rows = []
        for count in options.contracts:
            symbols = stage.feed.ask("contracts", count=count)
            page = stage.reference(symbols)
            reference = stage.stream(page, len(symbols), options.seconds)
            page.context.close()
            page = stage.ours(symbols[0])
            got = stage.stream(page, len(symbols), options.seconds)
            rows += [stream_row("本页", len(symbols), got, reference)]
            rows += [stream_row("普通的 Vue 表", len(symbols), reference, reference)]
            gone = 0.0
            while gone < options.minutes:
                slice_ = min(SLICE_MINUTES, options.minutes - gone)
                late, gone = stage.stream(page, len(symbols), slice_ * 60), gone + slice_
                rows += [stream_row(f"本页，到第 {gone:g} 分钟", len(symbols), late, reference)]
                print(*rows[-1], sep="  ", flush=True)
        head = ("每个合约每秒 2 笔", "帧 p50 / p95 / p99 ms", "长任务", "主线程忙", "与参照",
                "事件到画出 p50 / p99 ms", "p99 与参照", "回收后的堆 MB")  # fmt: skip
        print(table("行情", head, rows), flush=True)
        took, states = presses(page, options.presses)
        p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
        seen = "、".join(sorted(states))
        print(
            f"点买入到屏上有结果（{seen}），{len(took)} 次：p50 {p50:.0f} ms，p99 {p99:.0f} ms（目标 ≤ 60）"
        )
        print(f"冷打开到登录框可输入：{stage.cold_login():.0f} ms（目标 ≤ 1000）")


if __name__ == "__main__":
    main()
