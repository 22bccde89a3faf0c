"""A tab of Chromium that shows the page, and forgives nothing: an error in the console, an exception, or a
request to another origin fails the test when the tab is closed.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect

from tests.e2e.server import ROOT, BackendServer, Trader

DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
SHOTS = ROOT / "build" / "shots"
CUT = r"ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|WebSocket connection to .* failed"
"""What Chromium itself writes to the console when the server is away."""

SERIOUS = """async () => {
    const plain = new CSSStyleSheet()
    plain.replaceSync('.stale { opacity: 1 !important; filter: none !important }')
    document.adoptedStyleSheets.push(plain)
    try {
        const { violations } = await axe.run(document, { resultTypes: ['violations'] })
        return violations
            .filter(({ impact }) => impact === 'serious' || impact === 'critical')
            .flatMap(({ nodes }) => nodes)
            .slice(0, 4)
            .map(({ target, failureSummary }) => [target, failureSummary])
    } finally {
        document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== plain)
    }
}"""
"""The first elements of which axe says so, each with why. What is stale is pale on purpose: not meanwhile."""

_LOCAL = ("data", "blob", "about")


class Screen:
    """One tab. `page` is Playwright's."""

    def __init__(
        self,
        browser: Browser,
        server: BackendServer,
        *,
        phone: bool = False,
        dark: bool = False,
        **context: Any,
    ) -> None:
        self.server = server
        self.origin = server.url  # which nobody can be asked for while the web is away
        self.context = browser.new_context(
            viewport=PHONE if phone else DESK,
            has_touch=phone,
            color_scheme="dark" if dark else "light",
            locale="zh-CN",
            timezone_id="America/New_York",  # a browser may be anywhere: times on the page are the exchange's
            **context,
        )
        self.context.set_default_timeout(15_000)
        expect.set_options(timeout=15_000)
        self.faults: list[str] = []
        self._forgiven: list[str] = []
        self.page = self.context.new_page()
        self._listen(self.page)

    def _listen(self, page: Page) -> None:
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console {message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in _LOCAL and parts.netloc != urlsplit(self.origin).netloc:
            self.faults.append(f"request to another origin: {request.url}")

    def forgive(self, pattern: str) -> None:
        """This test makes such an error on purpose, as when it kills the server."""
        self._forgiven.append(pattern)

    def open(self, path: str = "#/") -> Screen:
        self.page.goto(f"{self.origin}/{path}")
        return self

    def keep(self, name: str, value: Any) -> None:
        """What this browser has kept from before, unless the page has changed it since."""
        text = json.dumps(json.dumps(value, ensure_ascii=False))
        self.page.add_init_script(f"localStorage[{json.dumps(name)}] ??= {text}")

    def enter(self, *traders: Trader, path: str = "#/") -> Screen:
        """Open the page with these accounts logged in, the last one in front."""
        kept = [{"id": trader.key, "token": trader.token} for trader in traders]
        accounts = json.dumps({"kept": kept, "active": kept[-1]["id"]})
        self.page.add_init_script(
            "if (!sessionStorage.getItem('ctpbee.accounts'))"
            f" sessionStorage.setItem('ctpbee.accounts', {json.dumps(accounts)})"
        )
        return self.open(path)

    def see(self, text: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_text(text).first).to_be_visible()

    def shot(self, name: str) -> None:
        """A picture of it in build/shots, to be looked at."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")

    def check_access(self) -> None:
        """axe finds nothing serious in what is shown now; what is stale is pale on purpose."""
        source = (ROOT / "page" / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
        self.page.evaluate(source)  # by the debugger: the page's policy would not load it
        serious = self.page.evaluate(SERIOUS)
        assert not serious, serious

    def check(self) -> None:
        unforgiven = [
            fault for fault in self.faults if not any(re.search(pattern, fault) for pattern in self._forgiven)
        ]
        assert not unforgiven, unforgiven

    def close(self) -> None:
        self.context.close()


def press_enter(button: Locator) -> None:
    """Unlike a click, Playwright's press does not wait until the button can be pressed."""
    expect(button).to_be_enabled()
    button.press("Enter")
