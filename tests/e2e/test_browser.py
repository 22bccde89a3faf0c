"""A page in a real browser: the README's own lines of JavaScript, in Chromium, against the real server."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.server import ROOT, BackendServer, Trader
from tests.waiting import eventually

pytestmark = pytest.mark.full
RB = "rb2510.SHFE"


@pytest.fixture(scope="module")
def script_folder() -> Path:
    """socket.io-client from the npm registry, kept between runs."""
    folder = ROOT / "build" / "js"
    script = folder / "node_modules" / "socket.io-client" / "dist" / "socket.io.min.js"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--prefix", str(folder), "socket.io-client@4"], check=True, timeout=300)
    return script.parent


@pytest.fixture
def site(tmp_path: Path, script_folder: Path) -> Iterator[str]:
    """A web server of the page's own, on another port than ours: a cross-origin page on localhost."""
    shutil.copy(script_folder / "socket.io.min.js", tmp_path)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://localhost:{served.server_port}"
    served.shutdown()
    served.server_close()


def readme_script() -> str:
    block = re.search(r"```js\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    assert block, "the README has no js block"
    return block.group(1)


@pytest.fixture
def browser() -> Iterator[object]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for argument in ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"):
        options.add_argument(f"--{argument}")
    for argument in ("disable-component-update", "disable-sync", "disable-dev-shm-usage"):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


def test_the_readmes_lines_show_ticks_and_orders_in_a_browser(
    shared_server: BackendServer, site: str, tmp_path: Path, browser: object
) -> None:
    trader = Trader(shared_server, "browser").log_in()
    script = readme_script()
    assert "http://127.0.0.1:5000" in script
    script = script.replace("http://127.0.0.1:5000", shared_server.url)
    for name, value in {"userid": trader.userid, "password": trader.password, "brokerid": trader.brokerid}.items():
        script, replaced = re.subn(rf'{name}: "[^"]*"', f'{name}: "{value}"', script)
        assert replaced == 1, name
    (tmp_path / "page.html").write_text(
        '<!doctype html><meta charset="utf-8"><pre id="out"></pre><script src="socket.io.min.js"></script>'
        "<script>console.log = (...line) => { document.getElementById('out').textContent += line.map(part => "
        "typeof part === 'string' ? part : JSON.stringify(part)).join(' ') + '\\n'; };</script>"
        f'<script type="module">{script}</script>',
        "utf-8",
    )
    browser.get(f"{site}/page.html")  # type: ignore[attr-defined]

    def text() -> str:
        return browser.find_element("id", "out").text  # type: ignore[attr-defined]

    eventually(lambda: "前置" in text(), "the snapshot on the page")
    quote = trader.fix_quote(RB)
    eventually(lambda: RB in text(), "a tick on the page")
    assert trader.order(RB, "long", "open", quote.ask, 1)["success"]
    eventually(lambda: "全部成交" in text(), f"the order on the page: {text()}")
