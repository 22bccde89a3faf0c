"""A process under the stand-in for CTP's libraries, for benchmarks/native.py: subscribes a contract and times
what it is called back.

`python -m benchmarks.parts.native_client gateway|nothing COUNT`. Reads the contract from stdin, prints
"ready" at its first snapshot, and after COUNT more a line of JSON: heard, the callbacks' µs, and the ms until
the event thread had the last one.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from typing import Any

from app.interfaces.ctp.link import MarketCallbacks, NativeMarketLink, native_classes
from app.process.event_loop import EventLoop
from app.wire.frames import DepthField, ReqSubMarketData, ReqUserLogin, RspUserLogin
from tests.ctp_front.build import MD

GIVE_UP = 60.0  # seconds after which the rest is lost


class Bare(MarketCallbacks):
    """Takes snapshots, and does nothing with them."""

    def onRtnDepthMarketData(self, data: dict[str, Any]) -> None:
        self.link.take([])


def timed(callbacks: type, times: list[int]) -> type[MarketCallbacks]:
    """The same, with each snapshot's ns noted."""

    def onRtnDepthMarketData(self: Any, data: dict[str, Any]) -> None:
        began = time.perf_counter_ns()
        callbacks.onRtnDepthMarketData(self, data)  # type: ignore[attr-defined]
        times.append(time.perf_counter_ns() - began)

    return type("Timed", (callbacks,), {"onRtnDepthMarketData": onRtnDepthMarketData})


def main(kind: str, count: int) -> None:
    symbol = sys.stdin.readline().strip()
    loop = EventLoop()
    times: list[int] = []
    moments: list[float] = []  # of the event thread, one for each snapshot
    done = threading.Event()

    def handle(ticks: list[DepthField]) -> None:
        moments.append(time.perf_counter())
        if len(moments) == 1:
            print("ready", flush=True)
        if len(moments) == count + 1:
            done.set()

    def opened() -> None:
        link.connection.send(ReqUserLogin(front="md", BrokerID="9999", UserID="watcher"))  # type: ignore[union-attr]

    def heard(frame: Any) -> None:
        if isinstance(frame, RspUserLogin):
            link.connection.send(ReqSubMarketData(InstrumentIDs=[symbol]))  # type: ignore[union-attr]

    info = {"brokerid": "9999", "userid": "watcher", "md_address": MD, "flow_dir": tempfile.mkdtemp()}
    api, _ = native_classes()
    link = NativeMarketLink(
        api, info, loop, opened, heard, print, take=lambda ticks: loop.post(handle, ticks)
    )
    link._callbacks = timed(MarketCallbacks if kind == "gateway" else Bare, times)
    threading.Thread(target=loop.run, daemon=True).start()
    loop.post(link.start)
    done.wait(GIVE_UP)
    began = moments[1] - times[1] / 1e9 if len(moments) > 1 else 0.0
    print(
        json.dumps(
            {
                "heard": len(moments) - 1,
                "times": [ns / 1000 for ns in times[1:]],
                "drained": (moments[-1] - began) * 1000,
            }
        ),
        flush=True,
    )
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
