"""Tick fan-out: `python -m benchmarks.ticks`. From a gateway, through the web, to lean WebSocket pages.

Ours (`tick` and `ticks`) beside Flask-SocketIO's plain emit, and vnpy_webtrader where `--vnpy` names a Python
that has it. What is searched is the highest load at which every tick reaches every page with p99 below 100
ms; then latency at 1,000 ticks a second. Here the gateway is a stand-in that only pushes, or it would be what
is measured. The second table begins where the counter calls a real gateway back: latency at 1,000 ticks a
second, of both ways through the same gateway.
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

from app.settings import Settings
from benchmarks.parts.hand_fed import ACCOUNT
from benchmarks.parts.report import machine, ms, ratio, table, thousands
from benchmarks.parts.stage import LOAD_CORE, SERVER_CORE, Part, Server, free_port, token_of, until

REFERENCE = Path(__file__).parent / "reference"
P99_LIMIT = 100_000  # µs
STEADY_RATE = 1000
STEP = 1.35
SETUP = (
    "uv venv -p 3.11 DIR && uv pip install --python DIR/bin/python vnpy_webtrader，再加 --vnpy DIR/bin/python"
)


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
    feed: float  # the gateway's


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
    before, fed_before = target.server.seconds_used(), target.feed.seconds_used()
    fed = target.feed.ask("feed", rate=rate, seconds=seconds)
    got = pages.ask("end", expected=fed["sent"])
    used, feed_used = target.server.seconds_used() - before, target.feed.seconds_used() - fed_before
    whole = got["least"] == fed["sent"] and got["ticks"] == fed["sent"] * count and not got["closed"]
    return Load(
        got["ticks"] / fed["seconds"],
        whole,
        got["p50"],
        got["p99"],
        used / fed["seconds"],
        feed_used / fed["seconds"],
    )


def highest(
    target: Target, pages: Part, count: int, start: float, seconds: float, tell: Callable[[str], None]
) -> Load:
    """Raise the load until it is too much, then halve the gap three times."""

    def good(rate: float) -> Load | None:
        for _ in range(3):  # a hiccup of the machine is no limit of the server
            load = run_load(target, pages, count, rate, seconds)
            tell(
                f"{target.name} {count} 页 {rate:.0f} 笔/s: 送达 {load.delivered:.0f} p99 "
                f"{load.p99 / 1000:.0f} ms 全 {load.whole}"
            )
            if load.whole and load.p99 < P99_LIMIT and load.delivered > 0.95 * rate * count:
                return load
        return None

    low, best = 0.0, Load(0.0, False, 0.0, 0.0, 0.0, 0.0)
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

    def open(self, name: str, stack: ExitStack, called_back: bool = False) -> Target:
        data_dir = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._folder))
        if name == "vnpy":
            return self._open_vnpy(data_dir, stack)
        if called_back:
            counter = Part(
                [sys.executable, "-m", "app.counter"], LOAD_CORE, settings=Settings(data_dir=data_dir)
            )
            stack.callback(counter.close)
            feed = Part.module("parts.callback_feeder", str(data_dir))
        else:
            feed = Part.module("parts.feeder", str(data_dir), ACCOUNT)
        stack.callback(feed.close)
        if name in ("plain", "nodelay"):
            port = free_port()
            plain = Part.module(
                "reference.plain_emit", str(data_dir), str(port), name, core=SERVER_CORE, listens=port
            )
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
        names = {
            "username": "vnpy",
            "password": "vnpy",
            "req_address": addresses[0],
            "sub_address": addresses[1],
        }
        (data_dir / ".vntrader").mkdir()
        (data_dir / ".vntrader" / "web_trader_setting.json").write_text(json.dumps(names), "utf-8")
        feed = Part([python, str(REFERENCE / "vnpy_feeder.py"), *addresses], LOAD_CORE)
        stack.callback(feed.close)
        command = [python, str(REFERENCE / "vnpy_web.py"), str(port)]
        server = Part(command, SERVER_CORE, listens=port, folder=data_dir)
        stack.callback(server.close)
        claim = "from jose import jwt; print(jwt.encode({'sub': 'vnpy'}, 'test', algorithm='HS256'))"
        token = subprocess.run(
            [python, "-c", claim], capture_output=True, text=True, check=True
        ).stdout.strip()
        opening = {
            "port": port,
            "path": f"/ws/?token={token}",
            "say": [],
            "until": "",
            "tick_head": '{"topic": "eTick.',
        }
        return Target(LABELS["vnpy"], server, feed, opening)


LABELS = {
    "plain": "Flask-SocketIO emit（参照）",
    "nodelay": "同上，加 TCP_NODELAY",
    "tick": "本项目 tick",
    "ticks": "本项目 ticks（成批）",
    "vnpy": "vnpy_webtrader",
}
CALLED_BACK = ("plain", "tick", "ticks")
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
    whole: dict[tuple[str, int], Load] = {}
    with tempfile.TemporaryDirectory(prefix="ticks-") as folder:
        stage = Stage(Path(folder), options.vnpy)
        names = [name for name in stage.names() if not options.only or name in options.only]
        called_back = [name for name in CALLED_BACK if name in names]
        for count in options.clients:
            for (
                name
            ) in names:  # next to each other in time: whatever else the machine does is the same for all
                with ExitStack() as stack:
                    target, pages, steady[name, count] = calm(
                        stage.open(name, stack), stack, count, options.seconds
                    )
                    most[name, count] = highest(
                        target, pages, count, FIRST_RATE.get(count, 1000.0), options.seconds, tell
                    )
            for name in called_back:
                with ExitStack() as stack:
                    _, _, whole[name, count] = calm(
                        stage.open(name, stack, called_back=True), stack, count, options.seconds
                    )
    rows = []
    for count in options.clients:
        for name in names:
            high, reference = most[name, count], most.get(("plain", count))
            rows.append(
                (
                    str(count),
                    LABELS[name],
                    thousands(high.delivered),
                    ratio(high.delivered, reference.delivered) if reference else "—",
                    f"{high.server:.0%}",
                    *latency(steady[name, count], steady.get(("plain", count))),
                )
            )
    head = (
        "页数",
        "服务",
        "最高送达 笔/s",
        "与参照",
        "当时 CPU",
        "1,000 笔/s 时 p50 / p99 ms",
        "p99 与参照",
        "当时 CPU",
    )
    print(table("行情扇出：每页每笔都送达且 p99 < 100 ms 的最高负载，与每秒 1,000 笔时的延迟", head, rows))
    of_callbacks = [
        (
            str(count),
            LABELS[name],
            *latency(whole[name, count], whole.get(("plain", count))),
            f"{whole[name, count].feed:.0%}",
        )
        for count in options.clients
        for name in called_back
    ]
    head_of_callbacks = ("页数", "服务", "p50 / p99 ms", "p99 与参照", "web CPU", "网关 CPU")
    if of_callbacks:
        print(table("从柜台回调算起（真网关，每秒 1,000 笔）", head_of_callbacks, of_callbacks))
    if not options.vnpy:
        print(f"vnpy_webtrader 未测：{SETUP}")


def calm(target: Target, stack: ExitStack, count: int, seconds: float) -> tuple[Target, Part, Load]:
    """With pages that have warmed up, at the steady rate."""
    pages = Part.module("parts.pages")
    stack.callback(pages.close)
    pages.ask("open", count=count, **target.opening)
    run_load(target, pages, count, 200, 1.0)  # warm
    return target, pages, run_load(target, pages, count, STEADY_RATE, seconds * 2)


def latency(load: Load, reference: Load | None) -> tuple[str, str, str]:
    """As the tables have it: p50 and p99, p99 beside the reference's, the web's share of its core."""
    return (
        f"{ms(load.p50)} / {ms(load.p99)}" + ("" if load.whole else "（未全部送达）"),
        f"{load.p99 / reference.p99:.2f}" if reference and reference.p99 else "—",
        f"{load.server:.0%}",
    )


if __name__ == "__main__":
    main()
