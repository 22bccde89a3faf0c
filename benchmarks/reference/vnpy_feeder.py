"""The feeder for vnpy_webtrader: its own RpcServer publishing its own TickData, as its WebEngine does. Runs
under a Python that has vnpy.

Of the product it imports nothing: it stands in an environment of its own. The stamp is the tick's turnover
here too.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from typing import Any

from vnpy.rpc import RpcServer  # type: ignore[import-not-found]
from vnpy.trader.constant import Exchange  # type: ignore[import-not-found]
from vnpy.trader.object import TickData  # type: ignore[import-not-found]

STAMP_BASE = 10**15


def _tick(number: int) -> Any:
    depth = {
        f"{side}_{what}_{level}": 3500.0 + level
        for side in ("bid", "ask")
        for what in ("price", "volume")
        for level in range(1, 6)
    }
    return TickData(
        gateway_name="CTP", symbol=f"rb{number:05d}", exchange=Exchange.SHFE,
        datetime=datetime(2025, 6, 5, 10), name="螺纹钢", volume=812345, turnover=0, open_interest=1712345,
        last_price=3501, last_volume=12, limit_up=3712, limit_down=3288, open_price=3490,
        high_price=3521, low_price=3478, pre_close=3495, **depth,
    )  # fmt: skip


def _feed(server: Any, ticks: list[Any], rate: float, seconds: float) -> dict[str, float]:
    total, contracts = round(rate * seconds), max(20, round(rate / 10))
    while len(ticks) < contracts:
        ticks.append(_tick(len(ticks)))
    sent, began = 0, time.monotonic()
    while sent < total:
        due = min(total, int((time.monotonic() - began) * rate) + 1)
        for number in range(sent, due):
            tick = ticks[number % contracts]
            tick.turnover = float(STAMP_BASE + time.monotonic_ns() // 1000)
            server.publish("eTick.", tick)
        sent = due
        time.sleep(0.001)
    return {"sent": sent, "seconds": time.monotonic() - began}


def main(rep_address: str, pub_address: str) -> None:
    server = RpcServer()
    server.start(rep_address, pub_address)
    ticks: list[Any] = []
    for line in sys.stdin:
        what = json.loads(line)
        answer = _feed(server, ticks, what["rate"], what["seconds"]) if what["do"] == "feed" else {}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    server.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
