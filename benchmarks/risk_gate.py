"""What the gate adds to an order: `python -m benchmarks.risk_gate`. Judging it, counting it as sent and
hearing its row, with nothing and with 10,000 orders in the day, by the process's own time: the machine may
be busy.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ctpbee.constant import Direction, Exchange, Offset, OrderData, OrderRequest, OrderType, Status

from app.gateway.risk.gate import Gate
from app.lib import thresholds
from app.lib.calendar import SHANGHAI
from app.model.sqlite import SqliteStore
from benchmarks.parts.report import machine, percentile, table

DAY = "20261130"
TARGET = 200.0  # µs an order
RULES: list[dict[str, Any]] = [
    {"measure": "orders", "limit": 1e6, "action": "refuse"},
    {"measure": "cancels", "scope": "contract", "limit": 1e6, "action": "refuse"},
    {"measure": "order_rate", "limit": 1e6, "seconds": 60, "action": "refuse"},
    {"measure": "order_lots", "limit": 1000, "action": "refuse"},
    {"measure": "order_value", "limit": 1e9, "action": "refuse"},
    {"measure": "price_gap", "limit": 1.0, "action": "refuse"},
    {"measure": "flow", "limit": 1e6, "seconds": 1, "action": "delay"},
]
"""Beside the exchanges' and the guards: one of each kind."""


class Account:
    """No account at all: what the gate asks is answered at once."""

    def contract(self, _symbol: str) -> Any:
        return SimpleNamespace(size=10, max_limit_order_volume=500)

    def quote(self, _local_symbol: str) -> Any:
        return SimpleNamespace(last_price=3000.0, bid_price_1=2999.0, ask_price_1=3001.0)

    def orders(self) -> list[Any]:
        return []

    def trades(self) -> list[Any]:
        return []

    def journal_rows(self, _day: str) -> list[Any]:
        return []

    def held(self, _strategy: str, _symbol: str) -> int:
        return 0

    def opening(self, _strategy: str, _symbol: str) -> int:
        return 0


def request_of(number: int) -> OrderRequest:
    return OrderRequest(
        symbol="rb2705",
        exchange=Exchange.SHFE,
        direction=Direction.LONG,
        offset=Offset.OPEN,
        type=OrderType.LIMIT,
        price=2000.0 + number % 997,
        volume=1,
    )


def heard_of(number: int, request: OrderRequest) -> OrderData:
    return OrderData(
        order_id=f"1_1_{number}",
        symbol=request.symbol,
        exchange=request.exchange,
        direction=request.direction,
        offset=request.offset,
        type=request.type,
        price=request.price,
        volume=request.volume,
        traded=0,
        status=Status.NOTTRADED if number % 2 else Status.CANCELLED,
        error_code="",
        strategy="",
        trading_day=DAY,
        gateway_name="sim",
    )


def cost(gate: Gate, number: int) -> float:
    """µs of one order's way through the gate."""
    request = request_of(number)
    heard = heard_of(number, request)
    began = time.thread_time_ns()
    gate.judge(request, "")
    gate.sent(f"1_1_{number}", request, "")
    gate.on_order(heard)
    return (time.thread_time_ns() - began) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000)
    options = parser.parse_args()
    logging.disable()
    print(machine(), flush=True)
    start, now = datetime(2026, 11, 30, 9, tzinfo=SHANGHAI), [0.0]
    with tempfile.TemporaryDirectory() as folder, closing(SqliteStore(Path(folder) / "account.db")) as store:
        gate = Gate(
            store=store,
            account=Account(),
            thresholds=thresholds.load(),
            now=lambda: start + timedelta(seconds=now[0]),
            told=lambda _event: None,
            clock=lambda: now[0],
        )
        gate.write(RULES)
        gate.on_day(DAY)
        rows: list[tuple[str, ...]] = []
        for what, count in (
            ("当日头 1,000 张", 1000),
            (f"之后到第 {options.orders:,} 张", options.orders - 1000),
        ):
            costs: list[float] = []
            for _ in range(count):
                now[0] += 0.01
                costs.append(cost(gate, len(rows) * 1000 + len(costs)))
            rows.append(_row(what, costs))
        costs = []
        for number in range(1000):
            now[0] += 0.01
            costs.append(cost(gate, options.orders + number))
        rows.append(_row(f"其后 1,000 张（当日已有 {options.orders:,} 张）", costs))
        print(
            table(f"关口给一张报单加的时间，微秒（目标 {TARGET:g} 以内）", ("", "p50", "p99", "最大"), rows)
        )


def _row(what: str, costs: list[float]) -> tuple[str, ...]:
    return what, *(f"{percentile(costs, share):.0f}" for share in (0.5, 0.99)), f"{max(costs):.0f}"


if __name__ == "__main__":
    main()
