"""Slow and many: `python -m benchmarks.crowd`. 200 pages of 20 contracts at 2 ticks a second on the real
server, for 10 minutes.

Memory and descriptors of every process are sampled, orders go through all the while and every page has to
hear every order event. Order times stand beside those of the same server before the pages came. Then a page
that stops reading, among ten that read: the others' latency and the web's memory, beside Flask-SocketIO's
plain emit with the same page.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app.wire.messages import ReadEvents
from benchmarks.orders import Desk
from benchmarks.parts.report import machine, ms, percentile, slope, table
from benchmarks.parts.stage import Caller, Part, Server
from benchmarks.ticks import Stage, Target, run_load

USER = "crowd"
SAMPLE_SECONDS = 5.0
WARM_SHARE = 0.25  # of the run: what a process takes up while it settles is no slope
MB = 1024 * 1024


class Sampler:
    """Memory and descriptors of the server's processes over time."""

    def __init__(self, server: Server) -> None:
        self._processes = {
            name: server.process(name) for name in ("web", "host", "counter", f"gateway-sim-9999-{USER}")
        }
        self._samples: dict[str, list[tuple[float, float, float]]] = {name: [] for name in self._processes}
        self._began = time.monotonic()

    def sample(self) -> None:
        now = time.monotonic() - self._began
        for name, process in self._processes.items():
            self._samples[name].append((now, process.memory_info().rss / MB, process.num_fds()))

    def rows(self) -> list[tuple[str, str, str, str, str, str]]:
        rows = []
        for name, samples in self._samples.items():
            settled = samples[int(len(samples) * WARM_SHARE) :]
            memory = [(at / 60, rss) for at, rss, _ in settled]
            later = memory[len(memory) // 2 :]
            descriptors = slope([(at / 60, count) for at, _, count in settled])
            rows.append(
                (
                    name.removesuffix(f"-sim-9999-{USER}"),
                    f"{settled[0][1]:.1f} → {settled[-1][1]:.1f}",
                    f"{slope(memory):+.2f}",
                    f"{slope(later):+.2f}",
                    f"{settled[0][2]:.0f} → {settled[-1][2]:.0f}",
                    f"{descriptors:+.2f}",
                )
            )
        return rows


def crowd(folder: Path, pages_count: int, contracts: int, minutes: float, orders_a_second: float) -> None:
    with ExitStack() as stack:
        server = Server(folder, everything=True)
        stack.callback(server.close)
        desk = Desk(server, USER)
        stack.callback(desk.close)
        symbols = [symbol for symbol in server.contracts(USER) if symbol != desk.symbol][: contracts * 2]
        caller = Caller(server.port, server.log_in(USER))
        for symbol in symbols:
            caller.ask("POST", "/market", symbol=symbol)
        idle = _orders(desk, 500)
        pages = Part.module("parts.pages")
        stack.callback(pages.close)
        token = server.log_in(USER)
        for number in range(pages_count):
            begin = number % len(symbols)  # few pages want quite the same
            wanted = (symbols * 2)[begin : begin + contracts]
            subscribe = json.dumps({"symbols": wanted, "batch": False})
            pages.ask(
                "open",
                count=1,
                port=server.port,
                path="/socket.io/?EIO=4&transport=websocket",
                say=[f'40{{"token":"{token}"}}', f'42["subscribe",{subscribe}]'],
                until='42["snapshot"',
                tick_head='42["tick',
            )
        sampler = Sampler(server)
        pages.ask("begin")
        began, used = time.monotonic(), server.seconds_used()
        busy: list[float] = []
        next_sample = 0.0
        while (gone := time.monotonic() - began) < minutes * 60:
            if gone >= next_sample:
                sampler.sample()
                next_sample += SAMPLE_SECONDS
            if orders_a_second:
                busy += _orders(desk, 1)
            due = len(busy) / orders_a_second if orders_a_second else next_sample
            time.sleep(max(0.0, due - (time.monotonic() - began)))
        took_seconds = time.monotonic() - began
        share = (server.seconds_used() - used) / took_seconds
        with server.gateway(USER) as gateway:
            newest = json.loads(gateway.call(ReadEvents(0, 1)).payload)["seq"]
        got = pages.ask("end", expected=10**9, seconds=1.0)
        seqs = pages.ask("seqs")
    print(table(f"{pages_count} 页 × {contracts} 个合约，{minutes:g} 分钟：内存与描述符（前 {WARM_SHARE:.0%} "
                "不计）",
                ("进程", "内存 MB", "每分钟", "其后半", "描述符", "每分钟"), sampler.rows()))  # fmt: skip
    if busy:
        calm, loaded = percentile(idle, 0.99), percentile(busy, 0.99)
        rows = [
            ("无页面（参照）", str(len(idle)), f"{ms(percentile(idle, 0.5))} / {ms(calm)}", "1.00"),
            (
                f"{pages_count} 页",
                str(len(busy)),
                f"{ms(percentile(busy, 0.5))} / {ms(loaded)}",
                f"{loaded / calm:.2f}",
            ),
        ]
        print(table("其间的报单", ("情形", "笔", "p50 / p99 ms", "p99 与参照"), rows))
        whole = not seqs["differ"] and seqs["ordered"] and seqs["newest"] == newest and not seqs["closed"]
        print(
            f"每页委托事件 {seqs['events']} 条，流水最后一号 {newest}，"
            f"{'每页都完整、同序' if whole else f'有缺失：{seqs}'}。"
        )
    print(
        f"送达行情 {got['ticks']:,} 笔，{got['ticks'] / took_seconds:,.0f} 笔/s；web 占用 {share:.0%} 核。\n"
    )


def _orders(desk: Desk, count: int) -> list[float]:
    times = []
    for _ in range(count):
        took, order_id = desk.place()
        desk.cancel(order_id)
        times.append(took)
    return times


def stalled(folder: Path, seconds: float, rate: float) -> None:
    """Ten pages that read, and then one more that has stopped."""
    stage, rows = Stage(folder, None), []
    for name in ("plain", "tick", "ticks"):
        with ExitStack() as stack:
            target = stage.open(name, stack)
            pages = Part.module("parts.pages")
            stack.callback(pages.close)
            pages.ask("open", count=11, **target.opening)
            run_load(target, pages, 11, rate, 3.0)
            calm = run_load(target, pages, 11, rate, seconds)
            before = _rss(target)
            pages.ask("stall", count=1)
            peak = before
            pages.ask("begin")
            target.feed.tell("feed", rate=rate, seconds=seconds)
            ended = time.monotonic() + seconds
            while time.monotonic() < ended:
                peak = max(peak, _rss(target))
                time.sleep(0.2)
            fed = target.feed.hear()
            worst = pages.ask("end", expected=fed["sent"], skip=1)
            rows.append(
                (
                    target.name,
                    f"{ms(calm.p50)} / {ms(calm.p99)}",
                    f"{ms(worst['p50'])} / {ms(worst['p99'])}",
                    "是" if worst["least"] == fed["sent"] else "否",
                    f"{(peak - before) / MB:+.1f}",
                    f"{(peak - before) / MB / fed['seconds']:+.2f}",
                )
            )
    head = ("服务", "都在读 p50 / p99 ms", "一页停读时其余 10 页", "全部送达", "web 内存 MB", "每秒 MB")
    print(table(f"一页停止读取，{rate:.0f} 笔/s，{seconds:.0f} 秒", head, rows))


def _rss(target: Target) -> int:
    server: Any = target.server
    return int(server.rss())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--contracts", type=int, default=20)
    parser.add_argument(
        "--orders",
        type=float,
        default=1.0,
        help="a second; 0: none, so that what grows does not grow by them",
    )
    parser.add_argument("--stall-seconds", type=float, default=30.0)
    parser.add_argument("--stall-rate", type=float, default=1000.0)
    options = parser.parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="crowd-") as folder:
        stalled(Path(folder), options.stall_seconds, options.stall_rate)
        crowd(Path(folder) / "crowd", options.pages, options.contracts, options.minutes, options.orders)


if __name__ == "__main__":
    main()
