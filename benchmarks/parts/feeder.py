"""A stand-in for a gateway that pushes ticks as fast as it is told: the product's own channel and messages. A
process of its own.

A tick is encoded beforehand, with a stamp of fixed width (microseconds of the monotonic clock) in place of
its turnover. Its contracts are so many that none comes twice within a tenth of a second: what is conflated on
the way would not count as delivered.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from app.lib.errors import NotFound
from app.wire import channel
from app.wire.channel import Connection
from app.wire.messages import AnyRequest, Json, Push, Watch
from app.wire.registry import Registry
from app.wire.rpc import Responder, RpcServer, encode_push
from benchmarks.parts.stage import answering

STAMP_BASE = 10**15  # makes every stamp 16 digits
FIELDS = 45


def stamp() -> int:
    return STAMP_BASE + time.monotonic_ns() // 1000


def tick_of(number: int) -> dict[str, Any]:
    """A tick as the page gets it: 45 fields, about 1 kB."""
    depth = {f"{side}_{what}_{level}": 3500.0 + level if what == "price" else 10 * level
             for side in ("bid", "ask") for what in ("price", "volume") for level in range(1, 6)}  # fmt: skip
    symbol = f"rb{number:05d}"
    return {
        "gateway_name": "sim", "symbol": symbol, "exchange": "SHFE", "local_symbol": f"{symbol}.SHFE",
        "name": f"螺纹钢{number}", "datetime": "2025-06-05 10:00:00.500", "trading_day": "20250605",
        "action_day": "20250605", "update_time": "10:00:00", "update_millisec": 500, "last_price": 3501.0,
        "last_volume": 12, "volume": 812345, "turnover": 0, "open_interest": 1712345.0,
        "average_price": 34987.6, "limit_up": 3712.0, "limit_down": 3288.0, "open_price": 3490.0,
        "high_price": 3521.0, "low_price": 3478.0, "pre_close": 3495.0, "pre_settlement_price": 3500.0,
        "pre_open_interest": 1700123.0, "preSettlementPrice": 3500.0, **depth,
    }  # fmt: skip


def pace(rate: float, seconds: float, send: Callable[[int], None]) -> dict[str, float]:
    """Send number after number, at this rate: a millisecond's worth at a time."""
    total, sent, began = round(rate * seconds), 0, time.monotonic()
    while sent < total:
        due = min(total, int((time.monotonic() - began) * rate) + 1)
        for number in range(sent, due):
            send(number)
        sent = due
        time.sleep(0.001)
    return {"sent": sent, "seconds": time.monotonic() - began}


class Feeder:
    """A gateway as far as Watch and ticks go."""

    def __init__(self, data_dir: Path, account: str) -> None:
        self._registry = Registry(data_dir)
        self._watchers: list[Connection] = []
        self._ticks: list[tuple[str, str, bytes, bytes]] = []
        self._server = RpcServer(
            channel.new_address(self._registry.run_dir, "feeder.sock"), self._answer, self._forget
        )
        self._server.start()
        self._registry.register(
            name=f"gateway-{account}", kind="gateway", address=self._server.address, account=account
        )

    def act(self, do: str, what: dict[str, Any]) -> Any:
        if do == "feed":
            return self._feed(what["rate"], what["seconds"])
        return {"watchers": len(self._watchers)}

    def _feed(self, rate: float, seconds: float) -> dict[str, float]:
        contracts = max(20, round(rate / 10))
        while len(self._ticks) < contracts:
            tick = tick_of(len(self._ticks))
            assert len(tick) == FIELDS
            before, _, after = orjson.dumps({"type": "tick", "data": tick}).partition(b'"turnover":0')
            self._ticks.append(
                (tick["local_symbol"], f"tick:{tick['local_symbol']}", before + b'"turnover":', after)
            )

        def push(number: int) -> None:
            symbol, key, before, after = self._ticks[number % contracts]
            frame = encode_push(Push("tick", b"%b%d%b" % (before, stamp(), after), symbol))
            for watcher in self._watchers:
                watcher.send(frame, key)

        return pace(rate, seconds, push)

    def _answer(self, connection: Connection, request: AnyRequest, reply: Responder) -> None:
        if not isinstance(request, Watch):
            raise NotFound("only ticks here")
        if connection not in self._watchers:
            self._watchers.append(connection)
        front = {"state": "ready", "reason": "", "since": ""}
        reply(Json(orjson.dumps({"seq": 0, "status": {"td": front, "md": front}})))

    def _forget(self, connection: Connection) -> None:
        if connection in self._watchers:
            self._watchers.remove(connection)


if __name__ == "__main__":
    answering(Feeder(Path(sys.argv[1]), sys.argv[2]).act)
