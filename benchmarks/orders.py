"""Order round trip: `python -m benchmarks.orders`. POST until accepted, on the real server with the built-in
counter.

The reference slept 200 ms before it answered, whatever had become of the order: a server that does so is
asked in between. What of a round trip is work, and whose, is told by the processes' own time; the rest is
waiting: for the disk, and for each other.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jwt

from benchmarks.bars import KEY
from benchmarks.parts.report import machine, ms, percentile, ratio, table
from benchmarks.parts.stage import SERVER_CORE, Caller, Part, Server, free_port

USER = "orders"
PROCESSES = {"web": "web", f"gateway-sim-9999-{USER}": "网关", "counter": "柜台"}
WARM_UP = 20
REFERENCE_EVERY = 10  # orders
PRODUCT = re.compile(r"c\d{4}\.DCE")  # corn: a few thousand yuan of margin a lot


class Desk:
    """One trader's keep-alive connection, and a resting order that will not trade."""

    def __init__(self, server: Server, userid: str) -> None:
        self._caller = Caller(server.port, server.log_in(userid))
        self.symbol = next(symbol for symbol in server.contracts(userid) if PRODUCT.fullmatch(symbol))
        self._caller.ask("POST", "/market", symbol=self.symbol)
        self._price = self._caller.ask("GET", f"/contract?symbol={self.symbol}")["data"]["limit_down"]

    def place(self) -> tuple[float, str]:
        """µs until accepted, and the order's id."""
        began = time.perf_counter()
        answer: dict[str, Any] = self._caller.ask(
            "POST",
            "/order_solve",
            local_symbol=self.symbol,
            exchange=self.symbol.partition(".")[2],
            direction="long",
            offset="open",
            type="limit",
            price=self._price,
            volume=1,
        )
        took = (time.perf_counter() - began) * 1e6
        if "error" in answer:
            raise RuntimeError(f"not accepted in time: {answer}")
        return took, answer["order_id"]

    def cancel(self, order_id: str) -> float:
        """µs until confirmed."""
        began = time.perf_counter()
        self._caller.ask("DELETE", "/order_solve", order_id=order_id, local_symbol=self.symbol)
        return (time.perf_counter() - began) * 1e6

    def close(self) -> None:
        self._caller.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=500)
    options = parser.parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="orders-") as folder, ExitStack() as stack:
        server = Server(Path(folder), everything=True)
        stack.callback(server.close)
        desk = Desk(server, USER)
        stack.callback(desk.close)
        port = free_port()
        plain = Part.module("reference.plain_orders", str(port), core=SERVER_CORE, listens=port)
        stack.callback(plain.close)
        theirs = Caller(port, jwt.encode({"sub": "x"}, KEY, "HS256"))
        stack.callback(theirs.close)
        for _ in range(WARM_UP):
            desk.cancel(desk.place()[1])
        placed, cancelled, slept = [], [], []
        before = work(server)
        for number in range(options.orders):
            took, order_id = desk.place()
            placed.append(took)
            cancelled.append(desk.cancel(order_id))
            if number % REFERENCE_EVERY == 0:
                slept.append(reference(theirs, desk.symbol))
        spent = {name: (after - before[name]) / options.orders for name, after in work(server).items()}
    limit = percentile(slept, 0.99)
    rows = []
    for name, times in (
        ("参照：睡 200 ms 再答", slept),
        ("本项目：报单 → 已报", placed),
        ("本项目：撤单 → 已撤", cancelled),
    ):
        p99 = percentile(times, 0.99)
        rows.append((name, str(len(times)), f"{ms(percentile(times, 0.5))} / {ms(p99)}", ratio(limit, p99)))
    print(table("报单往返，内置柜台", ("方式", "次数", "p50 / p99 ms", "p99 快"), rows))
    print(
        "一笔报单加一笔撤单用去的处理器时间："
        + "、".join(f"{name} {seconds * 1000:.1f} ms" for name, seconds in spent.items())
    )


def reference(caller: Caller, symbol: str) -> float:
    """µs until it has answered."""
    began = time.perf_counter()
    caller.ask(
        "POST",
        "/order_solve",
        local_symbol=symbol,
        direction="long",
        offset="open",
        type="limit",
        price=1,
        volume=1,
    )
    return (time.perf_counter() - began) * 1e6


def work(server: Server) -> dict[str, float]:
    """Seconds of processor time so far, of each process on an order's way."""
    used = {name: server.process(process).cpu_times() for process, name in PROCESSES.items()}
    return {name: times.user + times.system for name, times in used.items()}


if __name__ == "__main__":
    main()
