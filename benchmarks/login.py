"""Login to first tick: `python -m benchmarks.login`. POST /login, connect, POST /market, and the first `tick`
is there.

The first login of a fresh server starts the counter and the account's gateway; a later account finds the
counter running; a second page of an account finds everything. The counter quotes a contract every half
second: that much of each figure is waiting for it.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.parts.report import machine, ms, percentile, table
from benchmarks.parts.stage import Caller, Part, Server

CONTRACT = re.compile(r"rb\d{4}\.SHFE")


def first_tick(server: Server, pages: Part, userid: str, symbol: Callable[[], str]) -> tuple[float, float]:
    """µs until the login is answered, and until the first tick."""
    began = time.perf_counter()
    token = server.log_in(userid)
    answered = time.perf_counter()
    opening = {"port": server.port, "path": "/socket.io/?EIO=4&transport=websocket", "tick_head": '42["tick'}
    pages.ask("open", count=1, say=[f'40{{"token":"{token}"}}'], until='42["snapshot"', **opening)
    pages.ask("begin")
    caller = Caller(server.port, token)
    caller.ask("POST", "/market", symbol=symbol())
    caller.close()
    got = pages.ask("end", expected=1, seconds=10.0)
    took = time.perf_counter() - began
    if not got["ticks"]:
        raise RuntimeError("no tick came")
    pages.ask("close")
    return (answered - began) * 1e6, took * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=5)
    options = parser.parse_args()
    print(machine(), flush=True)
    cold, warm, again = [], [], []
    with tempfile.TemporaryDirectory(prefix="login-") as folder, ExitStack() as stack:
        pages = Part.module("parts.pages")
        stack.callback(pages.close)
        for number in range(options.accounts):
            server = Server(Path(folder) / str(number), everything=True)
            try:
                symbol = next_symbol(server, "first")
                cold.append(first_tick(server, pages, "first", symbol))
                warm.append(first_tick(server, pages, "second", symbol))
                again.append(first_tick(server, pages, "second", symbol))
            finally:
                server.close()
    rows = []
    reference = percentile([took for _, took in cold], 0.5)
    for name, times in (
        ("全新服务的首次登录（参照）", cold),
        ("柜台已在运行的新账户", warm),
        ("账户已登录，再开一页", again),
    ):
        answered, took = (percentile([pair[at] for pair in times], 0.5) for at in (0, 1))
        rows.append(
            (name, ms(answered), ms(took), ms(max(pair[1] for pair in times)), f"{took / reference:.2f}")
        )
    print(
        table(
            f"登录到第一笔行情，各 {len(cold)} 次",
            ("情形", "登录应答 p50 ms", "首笔 p50 ms", "首笔最长 ms", "与参照"),
            rows,
        )
    )


def next_symbol(server: Server, userid: str) -> Callable[[], str]:
    """Which contract to subscribe: asked of the gateway once it runs."""
    known: list[str] = []

    def symbol() -> str:
        if not known:
            known.extend(symbol for symbol in server.contracts(userid) if CONTRACT.fullmatch(symbol))
        return known[0]

    return symbol


if __name__ == "__main__":
    main()
