"""CTP's binding over the stand-in for the vendor's libraries: `python -m benchmarks.native`. Needs g++ and
ctpbee_api.

Snapshots that come at once: how long the gateway's callback takes for each, in the binding's thread, and
until the event thread has had the last one; beside it the same way with a callback that does nothing. What
the ledger and the pages do with them is not in it. Logins and logouts: threads, descriptors and memory of a
client's process, each with a new API object. The front is ours and on this machine: what a real one adds is
not in these figures.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

from benchmarks.parts.report import machine, percentile, table, thousands
from tests.ctp_front.build import environment
from tests.ctp_front.native import NativeClient
from tests.support.counter_process import CounterProcess, Session

WARM_UP = 20  # logins before the first look


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=10_000)
    parser.add_argument("--logins", type=int, default=1_000)
    options = parser.parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="native") as folder:
        counter = CounterProcess(Path(folder))
        try:
            print(burst(counter, options.ticks), flush=True)
            print(logins(counter, Path(folder), options.logins))
        finally:
            counter.end(signal.SIGTERM)


def burst(counter: CounterProcess, ticks: int) -> str:
    rows = []
    for name, kind in (("空回调（参照）", "nothing"), ("网关的回调", "gateway")):
        heard = snapshots(counter, kind, ticks)
        times = heard["times"]
        figures = (
            percentile(times, 0.5),
            percentile(times, 0.99),
            max(times),
            sum(times) / 1000,
            heard["drained"],
        )
        rows.append((name, thousands(heard["heard"]), *(f"{figure:.1f}" for figure in figures)))
    head = ("回调", "收到", "每笔 p50 µs", "p99 µs", "最长 µs", "回调合计 ms", "首笔到全部处理完 ms")
    return table(f"同时到来的 {thousands(ticks)} 笔行情", head, rows)


def snapshots(counter: CounterProcess, kind: str, ticks: int) -> dict[str, Any]:
    """Start a client, send it the burst once it has its first snapshot, and take what it counted."""
    symbol = next(
        row.InstrumentID for row in Session(counter.address).query("instrument") if row.ProductID == "rb"
    )
    counter.faults.set_quote(symbol, 3000, 1, 3001, 1, 3000)
    command = [sys.executable, "-m", "benchmarks.parts.native_client", kind, str(ticks)]
    environ = os.environ | environment(counter.address)
    with subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        print(symbol, file=client.stdin, flush=True)
        if client.stdout.readline() != "ready\n":
            raise RuntimeError("no snapshot came")
        counter.faults.burst(symbol, ticks)
        return dict(json.loads(client.stdout.readline()))


def logins(counter: CounterProcess, folder: Path, count: int) -> str:
    client = NativeClient(counter.address, folder, "coming", queries=0)
    try:
        for _ in range(WARM_UP):
            come_and_go(client)
        before = used(client)
        for _ in range(count):
            come_and_go(client)
        after = used(client)
    finally:
        client.close()
    rows = [
        (when, *(thousands(figure) for figure in figures))
        for when, figures in (("之前", before), ("之后", after))
    ]
    return table(
        f"{thousands(count)} 次登录、确认、登出（先热身 {WARM_UP} 次）",
        ("", "线程", "文件描述符", "内存 KB"),
        rows,
    )


def come_and_go(client: NativeClient) -> None:
    client.enter()
    client.ask("reqUserLogout", {})
    client.wait("onRspUserLogout")
    client.call("td", "renew")
    client.heard.clear()


def used(client: NativeClient) -> tuple[int, int, float]:
    process = psutil.Process(client.process.pid)
    return process.num_threads(), process.num_fds(), process.memory_info().rss / 1024


if __name__ == "__main__":
    main()
