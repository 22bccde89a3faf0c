"""Strategies: `python -m benchmarks.strategies`. From the gateway's callback to on_tick, from on_tick to the
counter, and a start.

Ticks of 100 contracts, two a second each, spread evenly or all at one moment, to 1 and to 10 strategies that
hear them all. Beside it the same tick in an in-process ctpbee extension of the gateway, behind everything
that the gateway itself does with it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.data_dir import strategy_folder
from app.process import child
from app.process.child import Process
from app.settings import Settings
from app.wire import door
from app.wire.registry import Registry
from app.workshop.containment import Containment
from benchmarks.parts.hand_fed import ACCOUNT
from benchmarks.parts.report import machine, percentile, table
from benchmarks.parts.stage import ROOT, Part, until

RATE = 2.0

HEARS = """
import json, signal, time
from ctpbee import CtpbeeApi

class Hears(CtpbeeApi):
    def __init__(self, name, file):
        super().__init__(name)
        self.file, self.taken, self.written = file, [], 0

    def on_tick(self, tick):
        stamp = tick.__dict__.get("stamp")
        if stamp is not None:
            self.taken.append(time.monotonic_ns() - stamp)

    def on_realtime(self):
        if len(self.taken) != self.written:
            self.written = len(self.taken)
            with open(self.file, "w") as file:
                json.dump(self.taken, file)

ext = Hears("hears", {file!r})
"""

TRADES = """
import json, time
from ctpbee import CtpbeeApi

class Trades(CtpbeeApi):
    def __init__(self, name, file, symbol, orders):
        super().__init__(name)
        self.file, self.symbol, self.orders = file, symbol, orders
        self.began, self.sent, self.heard = dict(), [], []

    def on_tick(self, tick):
        if tick.local_symbol == self.symbol and len(self.sent) < self.orders:
            began = time.monotonic_ns()
            order_id = self.action.buy_open(tick.limit_down, 1, tick)
            self.sent.append(time.monotonic_ns() - began)
            self.began[order_id] = began

    def on_order(self, order):
        if order.status.name == "NOTTRADED" and order.local_order_id in self.began:
            self.heard.append(time.monotonic_ns() - self.began.pop(order.local_order_id))
            self.action.cancel(order.order_id, order)
            if len(self.heard) == self.orders:
                with open(self.file, "w") as file:
                    json.dump([self.sent, self.heard], file)

ext = Trades("trades", {file!r}, {symbol!r}, {orders})
"""


class Stage:
    """A counter, a gateway fed by hand, and strategies."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings.load(environment={}, data_dir=folder)
        self.registry = Registry(folder)
        self._counter = subprocess.Popen(
            [sys.executable, "-m", "app.counter"],
            cwd=ROOT,
            env=self.settings.to_environment(),
            stdin=subprocess.DEVNULL,
        )
        self.gateway = Part.module("parts.strategy_gateway", str(folder), core=None)

    def start(self, name: str, text: str) -> tuple[Process, float]:
        """A strategy that runs as the host has it run, and how many seconds it took from its process's start
        until on_init had returned.
        """
        folder = self.folder(name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ready").unlink(missing_ok=True)
        path = folder / f"{name}.py"
        path.write_text(text, "utf-8")
        address = door.address(self.registry.run_dir, ACCOUNT)
        seen, containment = door.folder(address), Containment(self.settings)
        contained = containment.check() and seen is not None
        line = {
            "account": ACCOUNT,
            "name": name,
            "path": str(path),
            "gateway": f"gateway-{ACCOUNT}",
            "secret": door.secret(self.registry.run_dir, ACCOUNT, name),
            "door": address,
        }
        began = time.monotonic()
        started = child.start(
            [sys.executable, "-m", "app.strategy"],
            self.settings,
            name,
            stdin=json.dumps(line).encode() + b"\n",
            environment=containment.environment(folder, contained),
            cage=containment.cage(folder, [seen]) if contained and seen is not None else None,
        )
        until(lambda: (folder / "ready").exists(), f"{name} runs")
        return started, time.monotonic() - began

    def folder(self, name: str) -> Path:
        return strategy_folder(self.settings.data_dir, ACCOUNT, name)

    def result(self, name: str, fits: Any = bool) -> Any:
        def read() -> Any:
            try:
                found = json.loads(Path(self.file(name)).read_text())
            except (FileNotFoundError, json.JSONDecodeError):
                return None
            return found if fits(found) else None

        return until(read, f"{name} has its figures")

    def file(self, name: str) -> str:
        return str(self.folder(name) / f"{name}.json")

    @contextmanager
    def hearing(self, count: int) -> Iterator[tuple[list[str], list[float]]]:
        names = [f"hears{number}" for number in range(count)]
        started = [self.start(name, HEARS.format(file=self.file(name))) for name in names]
        try:
            yield names, [seconds for _, seconds in started]
        finally:
            for child, _ in started:
                child.terminate()
            for child, _ in started:
                child.wait(5)

    def close(self) -> None:
        self.gateway.close()
        self._counter.terminate()
        self._counter.wait(10)


def measure(stage: Stage, count: int, burst: bool, contracts: list[str], seconds: float) -> list[str]:
    with stage.hearing(count) as (names, started):
        fed = stage.gateway.ask("feed", contracts=contracts, rate=RATE, seconds=seconds, burst=burst)
        taken = [
            nanoseconds / 1e6
            for name in names
            for nanoseconds in stage.result(name, lambda found: len(found) >= 0.99 * fed["sent"])
        ]
        for name in names:
            Path(stage.file(name)).unlink()
    whole = len(taken) / (fed["sent"] * count)
    return [
        f"{count}",
        "同一时刻" if burst else "均匀",
        f"{percentile(taken, 0.5):.2f}",
        f"{percentile(taken, 0.99):.2f}",
        f"{max(taken):.1f}",
        f"{whole:.1%}",
        f"{fed['p50'] / 1000:.2f} / {fed['p99'] / 1000:.2f}",
        f"{percentile(started, 0.5):.2f}",
    ]


def measure_orders(stage: Stage, orders: int, contract: str) -> list[str]:
    child, _ = stage.start("trades", TRADES.format(file=stage.file("trades"), symbol=contract, orders=orders))
    try:
        stage.gateway.ask("feed", contracts=[contract], rate=20.0, seconds=orders / 20 + 1, burst=True)
        taken = stage.result("trades")
    finally:
        child.terminate()
        child.wait(5)
    sent, heard = ([nanoseconds / 1e6 for nanoseconds in values] for values in taken)
    return [
        *(f"{percentile(values, share):.2f}" for values in (sent, heard) for share in (0.5, 0.99)),
        str(orders),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each measurement")
    parser.add_argument("--contracts", type=int, default=100)
    parser.add_argument("--strategies", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--orders", type=int, default=200)
    options = parser.parse_args()
    sys.stdout.write(f"{machine()}\n\n")
    with tempfile.TemporaryDirectory(prefix="strategies-") as folder:
        stage = Stage(Path(folder))
        try:
            contracts = stage.gateway.ask("contracts", count=options.contracts)
            rows = [
                measure(stage, count, burst, contracts, options.seconds)
                for burst in (False, True)
                for count in options.strategies
            ]
            orders = measure_orders(stage, options.orders, contracts[0])
        finally:
            stage.close()
    head = ["策略", "来法", "p50", "p99", "最大", "送达", "参照：网关内扩展 p50 / p99", "启动 s"]
    sys.stdout.write(
        table(f"网关回调 → on_tick，毫秒（{options.contracts} 个合约，每个每秒 {RATE:g} 笔）", head, rows)
        + "\n"
    )
    head = ["send_order 返回 p50", "p99", "柜台回报到 on_order p50", "p99", "报单"]
    sys.stdout.write(table("on_tick → 报单，毫秒（返回时已落盘并发出）", head, [orders]) + "\n")


if __name__ == "__main__":
    main()
