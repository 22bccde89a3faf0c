"""Pages in a real browser: the README's own lines of JavaScript, in Chromium, against the real server.

The second page does as the original one does: Vue 2, vue-socket.io, a quote panel whose fields Vue does not
watch, `Authorization: JWT`.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.server import ROOT, BackendServer, Trader
from tests.support.waiting import eventually

pytestmark = pytest.mark.full
RB = "rb2510.SHFE"
SCRIPTS = (
    "socket.io-client/dist/socket.io.min.js",
    "vue/dist/vue.min.js",
    "vue-socket.io/dist/vue-socketio.js",
)
ORIGINAL_PAGE = """<!doctype html><meta charset="utf-8">
<div id="app">
<table id="quote"><tr v-for="(value, key) in quote"><td>{{key}}</td><td>{{value}}</td></tr></table>
<pre id="held">{{held}}</pre></div><pre id="out"></pre>
<script src="vue.min.js"></script><script src="vue-socketio.js"></script>
<script src="socket.io.min.js"></script>
<script>
const URL = "SERVER/";
CHANGE
const told = (text) => { document.getElementById("out").textContent += text + "\\n"; };
const ask = (method, path, fields) => fetch(URL + path, {
  method, body: new URLSearchParams(fields),
  headers: {Authorization: "JWT " + sessionStorage.getItem("token")},
}).then((answer) => answer.json());
const app = new Vue({
  el: "#app",
  data: {quote: {}, held: []},
  sockets: {
    connect() { told("connected"); },
    tick({data}) {
      if (data.local_symbol !== "rb2510.SHFE") return;
      for (const key of ["last_price", "datetime"]) this.quote[key] = data[key];
    },
    position({data}) { this.held = data; },
  },
  methods: {
    async login() {
      const fields = {
        authorization: "000000", interface: "", userid: "original", password: "secret-9", brokerid: "9999",
      };
      const answer = await ask("POST", "login", fields);
      told(answer.msg);
      sessionStorage.setItem("token", answer.data);
      this.$socket.emit("identify", {token: answer.data});
      told((await ask("POST", "market", {symbol: "rb2510.SHFE"})).msg);
    },
  },
});
</script>"""


@pytest.fixture(scope="module")
def script_folder() -> Path:
    """What the pages load, from the npm registry, kept between runs."""
    folder = ROOT / "build" / "js"
    modules = folder / "node_modules"
    if not all((modules / path).exists() for path in SCRIPTS):
        folder.mkdir(parents=True, exist_ok=True)
        packages = ["socket.io-client@4", "vue@2", "vue-socket.io@3"]
        npm = ["sh", str(ROOT / "tools" / "node.sh"), "npm"]
        subprocess.run(
            [*npm, "install", "--silent", "--ignore-scripts", "--prefix", str(folder), *packages],
            check=True,
            timeout=300,
            env=os.environ | {"VENV": sys.prefix},
        )
    return modules


@pytest.fixture
def site(tmp_path: Path, script_folder: Path) -> Iterator[str]:
    """A web server of the page's own, on another port than ours: a cross-origin page on localhost. In a
    process of its own.
    """
    for path in SCRIPTS:
        shutil.copy(script_folder / path, tmp_path)
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as served:
        try:
            assert served.stdout is not None
            found = re.search(r"port (\d+)", served.stdout.readline())
            assert found is not None
            yield f"http://localhost:{found[1]}"
        finally:
            served.terminate()


def readme_scripts() -> list[str]:
    """A page of one's own, and what to change in the original page."""
    blocks = re.findall(r"```js\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    assert len(blocks) == 2, "the README's js blocks"
    return blocks


@pytest.fixture
def browser() -> Iterator[object]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for argument in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
    ):
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
    script = readme_scripts()[0]
    assert "http://127.0.0.1:5000" in script
    script = script.replace("http://127.0.0.1:5000", shared_server.url)
    for name, value in {
        "userid": trader.userid,
        "password": trader.password,
        "brokerid": trader.brokerid,
    }.items():
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


def test_the_original_page_changed_as_the_readme_says_shows_quotes_through_logins_and_a_killed_web(
    make_server: Callable[..., BackendServer], site: str, tmp_path: Path, browser: Any
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = make_server().start("--port", str(port))
    change = readme_scripts()[1]
    assert change.startswith("import {io}")  # the page here has no bundler
    page = ORIGINAL_PAGE.replace("SERVER", server.url)
    (tmp_path / "page.html").write_text(page.replace("CHANGE", change.split("\n", 1)[1]), "utf-8")
    (tmp_path / "old.html").write_text(
        page.replace("CHANGE", "Vue.use(new VueSocketIO({connection: URL}));"), "utf-8"
    )

    def text(element: str) -> str:
        return str(browser.find_element("id", element).text)

    browser.get(f"{site}/old.html")
    why = (
        "return fetch('%s/socket.io/?EIO=3&transport=polling').then((answer) => "
        "answer.json()).then((said) => said.msg)"
    )
    assert "socket.io-client 4" in browser.execute_script(
        why % server.url
    )  # the browser lets the page read it
    assert "connected" not in text("out")

    browser.execute_script("sessionStorage.setItem('token', 'a.stale.token')")
    browser.get(f"{site}/page.html")
    eventually(lambda: "connected" in text("out"), "the page is connected")
    browser.execute_script("app.login()")
    eventually(lambda: f"登录成功\n订阅{RB}成功" in text("out"), f"the login on the page: {text('out')}")
    trader = Trader(server, "original").log_in()

    def moves() -> None:
        before = text("quote")
        trader.fix_quote(RB)
        eventually(lambda: text("quote") not in ("", before), "the quote on the page moves")
        assert text("held") == "[]"

    moves()
    browser.refresh()
    moves()
    killed = server.kill("web")
    server.wait_replaced(killed)
    eventually(lambda: text("out").count("connected") == 2, "the page is back")
    moves()
