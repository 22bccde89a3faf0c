"""Order round trip: `python -m benchmarks.orders`. POST until accepted, on the real server with the built-in counter.

The reference slept 200 ms before it answered, whatever had become of the order: a constant, which is not run.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.report import machine, ms, percentile, ratio, table
from benchmarks.stage import Caller, Server

REFERENCE_SLEEP = 200_000  # µs
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
        desk = Desk(server, "orders")
        stack.callback(desk.close)
        placed, cancelled = [], []
        for number in range(options.orders + 20):
            took, order_id = desk.place()
            back = desk.cancel(order_id)
            if number >= 20:  # warm
                placed.append(took)
                cancelled.append(back)
    rows = [("参照：固定睡眠（常数，未运行）", f"{ms(REFERENCE_SLEEP)} / {ms(REFERENCE_SLEEP)}", "—")]
    for name, times in (("本项目：报单 → 已报", placed), ("本项目：撤单 → 已撤", cancelled)):
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        rows.append((name, f"{ms(p50)} / {ms(p99)}", f"p99 快 {ratio(REFERENCE_SLEEP, p99)}"))
    print(table(f"报单往返，{len(placed)} 笔，内置柜台", ("方式", "p50 / p99 ms", "与参照"), rows))


if __name__ == "__main__":
    main()
