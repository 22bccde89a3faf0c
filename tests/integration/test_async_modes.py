"""The web as it is really run, in a process of its own under each async mode: nothing that a gateway pushes
gets lost.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
import requests
import websocket

from app.model.sqlite import SqliteStore
from app.settings import Settings
from app.web.credentials import Tokens, signing_key
from tests.fakes.rpc_servers import FakeGateway
from tests.integration.test_sockets import Page
from tests.support.confinement import confined
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
ACCOUNT = "sim-9999-demo"

WEB = """
from app.web.async_mode import patch
patch(None)
import signal
import sys
from app import create_app
from app.settings import Settings
from app.web.serving import listening_socket, serve

exec(sys.argv[1])

def end(*_):
    raise SystemExit

settings = Settings.load()
app = create_app(settings)
signal.signal(signal.SIGTERM, end)
listener = listening_socket("127.0.0.1", 0)
print(listener.getsockname()[1], flush=True)
serve(app, settings, listener)
"""


MODES = ["eventlet", *(pytest.param(mode, marks=pytest.mark.full) for mode in ("gevent", "threading"))]
"""Of the web; make test-full has gevent."""


class WebProcess:
    """A web on a data directory, with a token of the account."""

    def __init__(self, data_dir: Path, mode: str, preparation: str = "", descriptors: int = 0) -> None:
        """`preparation` is run in it before it serves; `descriptors`: how many it may have, 0 for as many as
        we.
        """
        store = SqliteStore(data_dir / "server.db")
        self.token = Tokens(signing_key(data_dir / "secret.key"), store, 1).issue(ACCOUNT)
        store.close()
        settings = Settings(data_dir=data_dir, async_mode=mode)  # type: ignore[arg-type]
        self.mode = mode
        self.temporary = data_dir / "temporary"
        self.temporary.mkdir()
        self._stderr = data_dir / "stderr"
        with open(self._stderr, "wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", WEB, preparation],
                cwd=ROOT,
                env=settings.to_environment() | {"TMPDIR": str(self.temporary)},
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors)))
                if descriptors
                else None,
            )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def said(self) -> str:
        """What it wrote to stderr, which is where warnings go in it."""
        return self._stderr.read_text("utf-8", "replace")

    def stop(self) -> float:
        """SIGTERM; the seconds it took to end."""
        began = time.monotonic()
        self.process.terminate()
        self.process.wait(20)
        return time.monotonic() - began

    def close(self) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[FakeGateway]:
    made = FakeGateway(tmp_path, ACCOUNT)
    yield made
    made.die()


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    if request.param == "gevent":
        pytest.importorskip("gevent", reason="gevent is an option, not a requirement")
    return str(request.param)


@pytest.fixture
def web(mode: str, tmp_path: Path, gateway: FakeGateway) -> Iterator[WebProcess]:
    made = WebProcess(tmp_path, mode)
    yield made
    made.close()


@pytest.fixture
def hasty_web(mode: str, tmp_path: Path) -> Iterator[WebProcess]:
    """It gives the reading of a text a second and a half."""
    made = WebProcess(
        tmp_path, mode, preparation="from app.workshop import workshop; workshop.CHECK_SECONDS = 1.5"
    )
    yield made
    made.close()


def test_a_thousand_pushes_all_arrive_in_order_and_the_web_ends_in_time(
    web: WebProcess, gateway: FakeGateway
) -> None:
    pages = [Page(web.url, web.token, "websocket"), Page(web.url, web.token, "polling")]
    for _ in range(1000):
        gateway.update()
    for page in pages:
        page.wait("order_update", 1000)
        assert [event["seq"] for event in page.all("order_update")] == list(range(1, 1001))
    for number in range(1000):
        gateway.push(
            "tick",
            {"type": "tick", "data": {"local_symbol": f"x{number}", "last_price": number}},
            f"x{number}",
        )
    for page in pages:
        page.wait("tick", 1000)
        assert {event["data"]["last_price"] for event in page.all("tick")} == set(range(1000))
    assert web.stop() < 15  # it waits for no page: a connection may idle for longer
    assert web.process.returncode == 0
    for page in pages:
        page.wait_closed()


def test_a_page_that_reads_slowly_gets_every_byte_as_it_was_sent(
    web: WebProcess, gateway: FakeGateway
) -> None:
    ws = websocket.create_connection(
        f"ws://127.0.0.1:{web.port}/socket.io/?EIO=4&transport=websocket", timeout=20
    )
    try:
        assert str(ws.recv()).startswith("0{")
        ws.send("40")
        assert str(ws.recv()).startswith('40{"sid"')
        ws.send(f'42["identify",{{"token":"{web.token}"}}]')
        while '"snapshot"' not in str(ws.recv()):
            pass
        texts = [
            str(number) + "金" * 100_000 for number in range(24)
        ]  # 7 MB, more than the system's buffers hold
        for text in texts:
            gateway.push("log", {"message": text})
        gateway.update()
        pause = threading.Event()
        heard: list[str] = []
        while len(heard) <= len(texts):
            pause.wait(0.02)  # it is slow, that is the point
            packet = str(ws.recv())
            if packet.startswith(('42["log"', '42["order_update"')):
                heard.append(orjson.loads(packet[2:])[1].get("message", "the last"))
        good = heard == [*texts, "the last"]
        assert good, [text[:10] for text in heard]  # not the megabytes
    finally:
        ws.shutdown()


@confined
def test_while_code_runs_others_are_served_and_it_dies_with_the_web(
    web: WebProcess, gateway: FakeGateway
) -> None:
    page = Page(web.url, web.token, "websocket")
    headers = {"Authorization": f"Bearer {web.token}"}
    ended: list[Any] = []

    def ask(path: str, text: str) -> None:
        try:
            ended.append(
                requests.post(f"{web.url}{path}", data={"text": text}, headers=headers, timeout=30).json()[
                    "data"
                ]
            )
        except requests.ConnectionError:
            ended.append("the web was killed")

    running = threading.Thread(
        target=ask, args=("/run_code", "print(1, flush=True)\nimport time\ntime.sleep(60)")
    )
    running.start()
    eventually(lambda: "strategy.py" in commands(web), "the text runs")
    ask("/check_code", "x = 1\n")
    gateway.update()
    page.wait("order_update", 1)
    assert [rows[0]["error"] for rows in ended] == ["no-ext"]
    children = psutil.Process(web.process.pid).children(recursive=True)
    assert len(children) > 2
    web.process.kill()
    eventually(lambda: not any(child.is_running() for child in children), "nothing of the run is left")
    running.join()
    assert ended[1:] == ["the web was killed"]
    page.wait_closed()


TAKES_TOO_LONG = "x = 1\n" + "if x:\n    x = 2\n" * 8000


def test_code_that_takes_too_long_to_read_is_called_too_complex_and_leaves_nothing(
    hasty_web: WebProcess,
) -> None:
    """Under eventlet subprocess's own TimeoutExpired is a class that no name of ours catches: it was a
    500.
    """
    headers = {"Authorization": f"Bearer {hasty_web.token}"}
    answer = requests.post(
        f"{hasty_web.url}/check_code", data={"text": TAKES_TOO_LONG}, headers=headers, timeout=30
    )
    assert (answer.status_code, answer.json().get("error")) == (400, "TOO_COMPLEX")
    assert list(hasty_web.temporary.iterdir()) == []
    assert "app.workshop" not in commands(hasty_web)


HANGING = """
from app.web import hang
hang.LIMIT = 1.5

create_plain = create_app

def create_app(settings):
    import time
    app = create_plain(settings)

    def wait():
        time.sleep(2.5)
        return "done"

    def the_line_that_hangs():
        {hang}

    app.add_url_rule("/wait", view_func=wait)
    app.add_url_rule("/hang", view_func=the_line_that_hangs)
    return app
"""
# A loop of green threads is stopped by one that does not yield; plain threads only by a native call that
# keeps the interpreter's lock.
HANGS = {
    "eventlet": "while True: pass",
    "gevent": "while True: pass",
    "threading": "return str(sum(range(10**12)))",
}


@pytest.fixture
def hanging_web(mode: str, tmp_path: Path) -> Iterator[WebProcess]:
    """It may hang for a second and a half, and does at /hang; at /wait one request waits for longer."""
    made = WebProcess(tmp_path, mode, HANGING.format(hang=HANGS[mode]))
    yield made
    made.close()


def test_a_web_whose_loop_hangs_says_where_and_ends_and_one_that_waits_goes_on(
    hanging_web: WebProcess,
) -> None:
    assert requests.get(f"{hanging_web.url}/wait", timeout=20).text == "done"
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{hanging_web.url}/hang", timeout=20)
    assert hanging_web.process.wait(30) == 1
    assert "in the_line_that_hangs" in hanging_web.said()


@pytest.fixture
def crowded_web(tmp_path: Path) -> Iterator[WebProcess]:
    made = WebProcess(tmp_path, "eventlet", HANGING.format(hang="pass"), descriptors=200)
    yield made
    made.close()


def test_a_web_whose_places_are_all_taken_by_good_pages_goes_on(crowded_web: WebProcess) -> None:
    url = f"ws://127.0.0.1:{crowded_web.port}/socket.io/?EIO=4&transport=websocket"
    pages: list[websocket.WebSocket] = []
    try:

        def fill() -> None:
            while len(pages) < 200:
                pages.append(websocket.create_connection(url, timeout=10))
                assert str(pages[-1].recv()).startswith("0{")
                pages[-1].send(f'40{{"token":"{crowded_web.token}"}}')

        with pytest.raises((OSError, websocket.WebSocketException)):
            fill()
        seen_full_until = time.monotonic() + 2.5
        while time.monotonic() < seen_full_until:
            with pytest.raises(requests.ConnectionError):
                requests.get(f"{crowded_web.url}/healthz", timeout=10)
            threading.Event().wait(0.05)
        assert crowded_web.process.poll() is None
        assert len(pages) > 30
    finally:
        for page in pages:
            page.shutdown()


def commands(web: WebProcess) -> str:
    """Of everything that the web has started."""
    found = ""
    for process in psutil.Process(web.process.pid).children(recursive=True):
        try:
            found += " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            continue
    return found


def test_a_gateway_that_comes_back_is_seen_by_every_page(web: WebProcess, gateway: FakeGateway) -> None:
    page = Page(web.url, web.token, "websocket")
    gateway.seq = 50
    gateway.hang_up()
    page.wait("snapshot", 2)
    assert page.all("snapshot") == [{"seq": 0}, {"seq": 50}]
    states = [status["gateway"]["state"] for status in page.all("status")]
    assert states == ["connected", "lost", "connected"]
    eventually(lambda: gateway.watchers == 1, "one watcher")
    web.stop()
    page.wait_closed()
