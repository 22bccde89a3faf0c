"""What README.md says to type, as it stands there, against the real server."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.e2e.server import ROOT, BackendServer

README = (ROOT / "README.md").read_text("utf-8")


def block(language: str, server: BackendServer) -> str:
    """The first block of that language, for this server and the date of its counter's clock."""
    found = re.search(rf"```{language}\n(.*?)```", README, re.S)
    assert found, f"README.md has no block of {language}"
    return found.group(1).replace("http://127.0.0.1:5000", server.url).replace("m2705", "m2509")


def printed_by(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_the_tour_of_the_readme_works_as_printed(shared_server: BackendServer) -> None:
    lines = block("sh", shared_server).strip().splitlines()
    assert len(lines) == 10
    printed = printed_by("bash", "-c", "\n".join(f"{line}\necho" for line in lines))
    assert '"success":false' not in printed, printed
    assert printed.count('"success":true') == 5
    assert "'direction': 'long', 'volume': 1" in printed
    assert re.search(r"^2025-06-05 10:\d\d:\d\d\.\d{3} 多 开 1 ", printed, re.M)


# The example waits for seconds, in which a busy machine may not be done: here it waits for what it prints.
# One line at a time: two threads print.
PATIENT = """
import builtins, re, threading, time
import socketio

printed, one_at_a_time, plain = [], threading.Lock(), print
awaited = iter([r"m2509\\.DCE \\d+\\.\\d", r"报单 \\S+ 全部成交 1"])

def say(*words):
    with one_at_a_time:
        printed.append(" ".join(map(str, words)))
        plain(printed[-1])

def sleep(_client, _seconds):
    wanted, deadline = next(awaited), time.monotonic() + 60
    while not any(re.search(wanted, line) for line in list(printed)) and time.monotonic() < deadline:
        time.sleep(0.05)

builtins.print, socketio.Client.sleep = say, sleep
"""


def test_the_python_example_of_the_readme_hears_ticks_and_its_order(shared_server: BackendServer) -> None:
    example = block("py", shared_server).replace('"userid": "demo"', '"userid": "python"')
    assert example.count("client.sleep(") == 2
    printed = printed_by(sys.executable, "-c", PATIENT + example)
    assert "订阅m2509.DCE成功" in printed
    assert re.search(r"^m2509\.DCE \d+\.\d", printed, re.M)
    assert re.search(r"^报单 \S+ 全部成交 1$", printed, re.M)
