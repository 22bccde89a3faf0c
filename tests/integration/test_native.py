"""What needs a compiler or more than the usual packages: ctpbee's native part, the web under uWSGI and
gevent. `make test-full`.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests
import socketio

from tests.support.commands import Commands, healthy
from tests.support.waiting import eventually

pytestmark = pytest.mark.full

ROOT = Path(__file__).parents[2]


def test_the_native_part_loads_and_makes_and_releases_both_fronts(tmp_path: Path) -> None:
    script = """
from ctpbee_api.ctp import MdApi, TdApi
market, trader = MdApi(), TdApi()
market.createFtdcMdApi("market")
trader.createFtdcTraderApi("trader")
print(trader.getApiVersion())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d+\.\d+\.\d+", done.stdout)


@pytest.mark.skipif(
    not str(ROOT).isascii(), reason="uWSGI finds no virtualenv below a path that is not ASCII"
)
def test_uwsgi_serves_http_and_websocket_in_one_process(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ini = (ROOT / "uwsgi.ini").read_text("utf-8")
    assert "127.0.0.1:5000" in ini
    ini = (
        ini.replace("%d.venv", sys.prefix)
        .replace("%d", f"{ROOT}/")
        .replace("127.0.0.1:5000", f"127.0.0.1:{port}")
    )
    (tmp_path / "uwsgi.ini").write_text(ini, "utf-8")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("CTPBEE_BACKEND_")
    }
    environment["CTPBEE_BACKEND_DATA_DIR"] = str(tmp_path / "数据 目录")
    with (tmp_path / "output.txt").open("wb") as output:
        uwsgi = subprocess.Popen(
            [Path(sys.prefix) / "bin" / "uwsgi", str(tmp_path / "uwsgi.ini")],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        eventually(lambda: _healthy(port), f"uWSGI answers: {(tmp_path / 'output.txt').read_text()}", 60)
        for transport in ("websocket", "polling"):
            heard = threading.Event()
            page = socketio.Client()
            page.on("error", lambda _data, heard=heard: heard.set())
            page.connect(f"http://127.0.0.1:{port}", transports=[transport], wait_timeout=10)
            page.emit("identify", {"token": "not a token"})
            assert heard.wait(30), f"no word over {transport}"
            page.disconnect()
    finally:
        os.kill(uwsgi.pid, signal.SIGTERM)
        uwsgi.wait(20)


def test_the_web_serves_under_gevent_and_sigterm_ends_it(tmp_path: Path) -> None:
    commands = Commands(tmp_path)
    try:
        child = commands.start("web", "--port", "0", CTPBEE_BACKEND_ASYNC_MODE="gevent")
        (web,) = commands.up("web")
        assert healthy(web)
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0
        assert commands.registry.find("web", only_living=False) is None
        assert "Traceback" not in commands.printed()
    finally:
        commands.clean()


def _healthy(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
    except requests.RequestException:
        return False
