"""Tick fan-out: `python -m benchmarks.ticks`. From a gateway's push, through the web, to lean WebSocket pages.

Ours (`tick` and `ticks`) beside Flask-SocketIO's plain emit, and vnpy_webtrader where `--vnpy` names a Python that has it. What is
searched is the highest load at which every tick reaches every page with p99 below 100 ms; then latency at 1,000 ticks a second.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from benchmarks.report import machine, ms, ratio, table, thousands
from benchmarks.stage import LOAD_CORE, SERVER_CORE, Part, Server, free_port, token_of, until

ACCOUNT = "sim-9999-benchmark"
P99_LIMIT = 100_000  # µs
STEADY_RATE = 1000
STEP = 1.35
SETUP = "uv venv -p 3.11 DIR && uv pip install --python DIR/bin/python vnpy_webtrader，再加 --vnpy DIR/bin/python"


class Serving(Protocol):
    """The process under test."""

    def seconds_used(self) -> float: ...


class Target(NamedTuple):
    """A server with its feed, and how a page connects to it."""

    name: str
    server: Serving
    feed: Part
    opening: dict[str, Any]


class Load(NamedTuple):
    """What came of one load."""

    delivered: float  # ticks a second, over all pages
    whole: bool
    p50: float
    p99: float
    server: float  # share of its core


def socketio_pages(port: int, say: list[str], until_text: str) -> dict[str, Any]:
    return {
        "port": port,
        "path": "/socket.io/?EIO=4&transport=websocket",
        "say": say,
        "until": until_text,
        "tick_head": '42["tick',
    }


def our_pages(server: Server, batch: bool, symbols: list[str] | None = None) -> dict[str, Any]:
    subscribe = json.dumps({"symbols": symbols, "batch": batch})
    hello = [f'40{{"token":"{token_of(server.data_dir, ACCOUNT)}"}}', f'42["subscribe",{subscribe}]']
    return socketio_pages(server.port, hello, '42["snapshot"')


def run_load(target: Target, pages: Part, count: int, rate: float, seconds: float) -> Load:
    pages.ask("begin")
    before = target.server.seconds_used()
    fed = target.feed.ask("feed", rate=rate, seconds=seconds)
    got = pages.ask("end", expected=fed["sent"])
    used = target.server.seconds_used() - before
    whole = got["least"] == fed["sent"] and got["ticks"] == fed["sent"] * count and not got["closed"]
    return Load(got["ticks"] / fed["seconds"], whole, got["p50"], got["p99"], used / fed["seconds"])


def highest(target: Target, pages: Part, count: int, start: float, seconds: float, tell: Callable[[str], None]) -> Load:
    """Raise the load until it is too much, then halve the gap three times."""

    def good(rate: float) -> Load | None:
        for _ in range(3):  # a hiccup of the machine is no limit of the server
            load = run_load(target, pages, count, rate, seconds)
            tell(f"{target.name} {count} 页 {rate:.0f} 笔/s: 送达 {load.delivered:.0f} p99 {load.p99 / 1000:.0f} ms 全 {load.whole}")
            if load.whole and load.p99 < P99_LIMIT and load.delivered > 0.95 * rate * count:
                return load
        return None

    low, best = 0.0, Load(0.0, False, 0.0, 0.0, 0.0)
    rate, high = start, 0.0
    while not high:
        if load := good(rate):
            low, best = rate, load
            rate *= STEP
        else:
            high = rate
            if not low:
                rate, high = rate / 2, 0.0
                if rate < 50:
                    return best
    for _ in range(3):
        middle = (low + high) / 2
        if load := good(middle):
            low, best = middle, load
        else:
            high = middle
    return best


class Stage:
    """All servers of this benchmark, one at a time."""

    def __init__(self, folder: Path, vnpy: str | None) -> None:
        self._folder = folder
        self._vnpy = vnpy

    def names(self) -> list[str]:
        return ["plain", "nodelay", "tick", "ticks", *(["vnpy"] if self._vnpy else [])]

    def open(self, name: str, stack: ExitStack) -> Target:
        data_dir = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._folder))
        if name == "vnpy":
            return self._open_vnpy(data_dir, stack)
        feed = Part.module("feeder", str(data_dir), ACCOUNT)
        stack.callback(feed.close)
        if name in ("plain", "nodelay"):
            port = free_port()
            plain = Part.module("plain_emit", str(data_dir), str(port), name, core=SERVER_CORE, listens=port)
            stack.callback(plain.close)
            target = Target(LABELS[name], plain, feed, socketio_pages(port, ["40"], '40{"sid"'))
        else:
            server = Server(data_dir, everything=False)
            stack.callback(server.close)
            target = Target(LABELS[name], server, feed, our_pages(server, batch=name == "ticks"))
        until(lambda: feed.ask("watchers")["watchers"], "the server watches its gateway")
        return target

    def _open_vnpy(self, data_dir: Path, stack: ExitStack) -> Target:
        python, port, rep, pub = str(self._vnpy), free_port(), free_port(), free_port()
        addresses = [f"tcp://127.0.0.1:{rep}", f"tcp://127.0.0.1:{pub}"]
        names = {"username": "vnpy", "password": "vnpy", "req_address": addresses[0], "sub_address": addresses[1]}
        (data_dir / ".vntrader").mkdir()
        (data_dir / ".vntrader" / "web_trader_setting.json").write_text(json.dumps(names), "utf-8")
        feed = Part([python, str(Path(__file__).with_name("vnpy_feeder.py")), *addresses], LOAD_CORE)
        stack.callback(feed.close)
        command = [python, str(Path(__file__).with_name("vnpy_web.py")), str(port)]
        server = Part(command, SERVER_CORE, listens=port, folder=data_dir)
        stack.callback(server.close)
        claim = "from jose import jwt; print(jwt.encode({'sub': 'vnpy'}, 'test', algorithm='HS256'))"
        token = subprocess.run([python, "-c", claim], capture_output=True, text=True, check=True).stdout.strip()
        opening = {"port": port, "path": f"/ws/?token={token}", "say": [], "until": "", "tick_head": '{"topic": "eTick.'}
        return Target(LABELS["vnpy"], server, feed, opening)


LABELS = {
    "plain": "Flask-SocketIO emit（参照）",
    "nodelay": "同上，加 TCP_NODELAY",
    "tick": "本项目 tick",
    "ticks": "本项目 ticks（成批）",
    "vnpy": "vnpy_webtrader",
}
FIRST_RATE = {1: 4000.0, 10: 2000.0, 50: 600.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
    parser.add_argument("--only", nargs="+", default=[], help="plain nodelay tick ticks vnpy")
    parser.add_argument("--vnpy", metavar="PYTHON", help="a Python that has vnpy_webtrader")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    tell = (lambda text: print(text, file=sys.stderr, flush=True)) if options.verbose else (lambda text: None)
    print(machine(), flush=True)
    most: dict[tuple[str, int], Load] = {}
    steady: dict[tuple[str, int], Load] = {}
    with tempfile.TemporaryDirectory(prefix="ticks-") as folder:
        stage = Stage(Path(folder), options.vnpy)
        names = [name for name in stage.names() if not options.only or name in options.only]
        for count in options.clients:
            for name in names:  # next to each other in time: whatever else the machine does is the same for all
                with ExitStack() as stack:
                    target = stage.open(name, stack)
                    pages = Part.module("pages")
                    stack.callback(pages.close)
                    pages.ask("open", count=count, **target.opening)
                    run_load(target, pages, count, 200, 1.0)  # warm
                    steady[name, count] = run_load(target, pages, count, STEADY_RATE, options.seconds * 2)
                    most[name, count] = highest(target, pages, count, FIRST_RATE.get(count, 1000.0), options.seconds, tell)
    rows = []
    for count in options.clients:
        for name in names:
            high, calm, reference = most[name, count], steady[name, count], most.get(("plain", count))
            slow = steady.get(("plain", count))
            rows.append(
                (
                    str(count),
                    LABELS[name],
                    thousands(high.delivered),
                    ratio(high.delivered, reference.delivered) if reference else "—",
                    f"{high.server:.0%}",
                    f"{ms(calm.p50)} / {ms(calm.p99)}" + ("" if calm.whole else "（未全部送达）"),
                    f"{calm.p99 / slow.p99:.2f}" if slow and slow.p99 else "—",
                    f"{calm.server:.0%}",
                )
            )
    head = ("页数", "服务", "最高送达 笔/s", "与参照", "当时 CPU", "1,000 笔/s 时 p50 / p99 ms", "p99 与参照", "当时 CPU")
    print(table("行情扇出：每页每笔都送达且 p99 < 100 ms 的最高负载，与每秒 1,000 笔时的延迟", head, rows))
    if not options.vnpy:
        print(f"vnpy_webtrader 未测：{SETUP}")


if __name__ == "__main__":
    main()
