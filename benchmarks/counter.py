"""What the counter does around each request: `python -m benchmarks.counter`. With few and with many orders of
the day, resting or ended.

After each request and each moment of the market the counter tells the market whose stream is needed. The
reference is the walk through all of the day's orders and lots that this was; both are measured in the same
call.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.counter.core import Core
from app.counter.state import State
from app.wire import frames as f
from benchmarks.parts.report import machine, percentile, ratio, table
from tests.fakes.market import FakeMarket

SYMBOL = "rb2510"


class Desk:
    """A core on a market of the hand, with one trader and his orders."""

    def __init__(self, folder: Path, orders: int, ended: bool) -> None:
        self._market = FakeMarket()
        self._state = State(folder / f"{orders}-{ended}.db")
        self.core = Core(self._state, self._market, 1e9)
        self._ask(f.ReqUserLogin(front="td", BrokerID="9999", UserID="bench", Password="secret"), "td")
        self._ask(f.ReqUserLogin(front="md", BrokerID="9999", UserID="bench", Password="secret"), "md")
        self._ask(f.ReqSubMarketData(InstrumentIDs=[SYMBOL], subscribe=True), "md")
        self._market.depth(SYMBOL, 2999, 5, 3001, 5)
        self.core.advance()
        for ref in range(1, orders + 1):
            self._place(str(ref))
            if ended:
                self._ask(
                    f.ReqOrderAction(
                        InstrumentID=SYMBOL, ExchangeID="SHFE", OrderRef=str(ref), FrontID=1, SessionID=1
                    ),
                    "td",
                )

    def close(self) -> None:
        self._state.close()

    def walk(self) -> None:
        """As it was until now."""
        core = self.core
        wanted = {symbol for session in core._sessions.values() for symbol in session.subscribed}
        for account in core._accounts.values():
            wanted |= {lot.symbol for lot in account.book.open_lots()}
            wanted.update(order.row.InstrumentID for order in account.orders.values() if order.working)
        wanted &= core._exchange.contracts.keys()
        assert wanted == core._watched

    def _place(self, ref: str) -> None:
        self._ask(
            f.ReqOrderInsert(
                InstrumentID=SYMBOL,
                ExchangeID="SHFE",
                OrderRef=ref,
                Direction="0",
                CombOffsetFlag="0",
                OrderPriceType="2",
                TimeCondition="3",
                VolumeCondition="1",
                LimitPrice=2900.0,
                VolumeTotalOriginal=1,
                RequestID=1,
            ),
            "td",
        )

    def _ask(self, request: Any, link: str) -> None:
        self.core.handle(link, request)


def measure(action: Callable[[], Any], times: int) -> float:
    """The median, in µs."""
    taken = []
    for _ in range(times):
        began = time.perf_counter_ns()
        action()
        taken.append((time.perf_counter_ns() - began) / 1000)
    return percentile(taken, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, nargs="+", default=[10, 400, 4000])
    parser.add_argument("--times", type=int, default=300)
    options = parser.parse_args()
    sys.stdout.write(f"{machine()}\n\n")
    rows = []
    with tempfile.TemporaryDirectory(prefix="counter-") as folder:
        for ended in (False, True):
            for orders in options.orders:
                desk = Desk(Path(folder), orders, ended)
                assert [len(account.orders) for account in desk.core._accounts.values()] == [orders]
                ours, walk = measure(desk.core._watch, options.times), measure(desk.walk, options.times)
                rows.append(
                    [
                        f"{orders}",
                        "已撤" if ended else "挂着",
                        f"{ours:.1f}",
                        f"{walk:.1f}",
                        ratio(walk, ours),
                    ]
                )
                desk.close()
    head = ["当日委托", "状态", "现在 p50 µs", "逐笔走一遍 p50 µs（参照）", "参照是我们的"]
    sys.stdout.write(table("柜台每次请求之后看要哪些合约的行情", head, rows) + "\n")


if __name__ == "__main__":
    main()
