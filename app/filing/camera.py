"""Pictures of the page for the pack: one tab stays open through all checks, so that what happens is seen to
happen. Under each picture stands when it was made, and for which check. Command's own process.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from app.filing.chromium import Chromium, Tab
from app.filing.trace import NoPicture
from app.lib import rows
from app.lib.calendar import SHANGHAI

WIDTH, HEIGHT, STRIP = 1440, 900, 36  # pixels; the page is above the strip, which hides nothing of it
PATIENCE = 20.0  # seconds until what is expected can be seen
POLL = 0.1

LOOK = """(({tab, search, texts}) => {
  const tabs = [...document.querySelectorAll('[role=tab]')]
  const button = tab && tabs.find((one) => one.textContent.trim().startsWith(tab))
  if (button && button.getAttribute('aria-selected') !== 'true') button.click()
  const box = document.querySelector('.log input[type=search]')
  if (box && box.value !== search) {
    box.value = search
    box.dispatchEvent(new Event('input', { bubbles: true }))
  }
  const cells = (row) => [...row.cells].map((cell) => cell.textContent.trim()).join(' ')
  const words = (one) => one.tagName === 'TR' ? cells(one) : one.textContent
  const has = (one, text) => words(one).includes(text)
  const holders = (text) => [...document.querySelectorAll('body *')].filter(
    (one) => has(one, text) && ![...one.children].some((child) => has(child, text)))
  const isSeen = (one) => {
    const box = one.getBoundingClientRect()
    const at = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)
    return box.width > 0 && at !== null && (one.contains(at) || at.contains(one))
  }
  const missing = () => texts.filter((text) => !holders(text).some(isSeen))
  for (const text of missing()) holders(text).at(-1)?.scrollIntoView({ block: 'nearest' })
  return missing()
})"""
STAMP = """((text) => {
  const strip = document.getElementById('filing-strip') ?? document.createElement('div')
  strip.id = 'filing-strip'
  strip.textContent = text
  strip.style.cssText = 'position:fixed;inset:auto 0 0;height:36px;padding:0 12px;background:#fff;color:#000;'
    + 'font:16px/36px sans-serif;z-index:2147483647'
  document.body.style.height = 'calc(100% - 36px)'
  document.body.style.transform = 'translate(0)' // what is fixed to the window is fixed to the body by it
  document.documentElement.append(strip)
  return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn())))
})"""


class Pass(NamedTuple):
    """What the page needs to be logged in: its address, the account and the token."""

    url: str
    account: str
    token: str


class PageCamera:
    """`shown()` is the pass in force now, `symbol()` the contract to look at. The browser is started with the
    first picture.
    """

    def __init__(
        self,
        shown: Callable[[], Pass],
        symbol: Callable[[], str] = str,
        browser: Callable[[], Chromium] = Chromium,
        now: Callable[[], datetime] = lambda: datetime.now(SHANGHAI),
    ) -> None:
        self._shown = shown
        self._symbol = symbol
        self._start = browser
        self._now = now
        self._browser: Chromium | None = None
        self._page: Tab | None = None
        self._pass: Pass | None = None
        self._script = ""

    def take(
        self, path: Path, caption: str, screen: str, tab: str, search: str, texts: Iterable[str]
    ) -> list[str]:
        """See Camera in trace.py."""
        page = self._opened(screen)
        asked = json.dumps({"tab": tab, "search": search, "texts": list(texts)}, ensure_ascii=False)
        deadline = time.monotonic() + PATIENCE
        while True:
            missing: list[str] = page.run(f"{LOOK}({asked})")
            if not missing or time.monotonic() > deadline:
                break
            time.sleep(POLL)  # a page that draws has nothing to wait on
        moment = rows.time_text(self._now())
        page.run(f"{STAMP}({json.dumps(f'{moment}（北京时间）　{caption}', ensure_ascii=False)})")
        path.write_bytes(page.picture())
        return missing

    def close(self) -> None:
        if self._browser is not None:
            self._browser.close()

    def _opened(self, screen: str) -> Tab:
        if self._browser is None:
            self._browser = self._start()
        if self._page is None:
            self._page = Tab(self._browser, WIDTH, HEIGHT + STRIP)
        shown = self._shown()
        if shown != self._pass:
            self._log_in(self._page, shown)
            self._pass = shown
        self._page.run(f"location.hash = {json.dumps('#' + screen)}")
        return self._page

    def _log_in(self, page: Tab, shown: Pass) -> None:
        """As a tab that has logged in before: the token lies where the page keeps it."""
        if self._script:
            page.forget(self._script)
        kept = json.dumps({"kept": [{"id": shown.account, "token": shown.token}], "active": shown.account})
        workspace = json.dumps({"symbol": self._symbol(), "favourites": [self._symbol()]})
        place = json.dumps(f"ctpbee.workspace.{shown.account}")
        self._script = page.before_each_page(
            f"sessionStorage.setItem('ctpbee.accounts', {json.dumps(kept)});"
            f"localStorage.setItem({place}, {json.dumps(workspace)});"
        )
        page.open("about:blank")
        page.open(f"{shown.url}/")


class NoCamera:
    """Where there is no browser: every picture says why."""

    def __init__(self, why: str) -> None:
        self._why = why

    def take(
        self, path: Path, caption: str, screen: str, tab: str, search: str, texts: Iterable[str]
    ) -> list[str]:
        raise NoPicture(self._why)

    def close(self) -> None:
        return
