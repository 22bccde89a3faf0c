"""The built-in counter as a process of its own, and a session that speaks its frames."""

from __future__ import annotations

import itertools
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.wire import frames as f
from app.wire.channel import connect
from app.wire.registry import Entry, Registry
from tests.support.faults import CounterFaults
from tests.support.kept_calendar import keep_calendar
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 20.0
BUY, SELL, OPEN, CLOSE = "0", "1", "0", "1"


class Session:
    """A logged-in connection that keeps what it hears."""

    def __init__(
        self, address: str, user: str = "trader", password: str = "secret", front: str = "td"
    ) -> None:
        self.connection = connect(address)
        self.heard: list[Any] = []
        self._inbox: queue.Queue[Any] = queue.Queue()
        self._refs = itertools.count(1)
        threading.Thread(target=self._listen, daemon=True).start()
        self.ask(f.ReqUserLogin(front=front, BrokerID="9999", UserID=user, Password=password))
        self.login = self.wait(lambda frame: isinstance(frame, f.RspUserLogin))

    def _listen(self) -> None:
        for data in self.connection.frames():
            self._inbox.put(f.decode_callback(data))
        self._inbox.put(None)

    def ask(self, request: f.Frame) -> None:
        self.connection.send(f.encode(request))

    def wait(self, fits: Callable[[Any], bool]) -> Any:
        """The next frame that fits; None fits at the connection's end."""
        until = time.monotonic() + DEADLINE
        while True:
            frame = self._inbox.get(timeout=max(0.0, until - time.monotonic()))
            if frame is not None and not isinstance(frame, f.Heartbeat | f.RtnDepthMarketData):
                self.heard.append(frame)
            if fits(frame):
                return frame
            assert frame is not None, "the connection ended"

    def order(self, symbol: str, exchange: str, side: str, offset: str, price: float, volume: int) -> str:
        ref = str(next(self._refs))
        request = f.ReqOrderInsert(
            InstrumentID=symbol,
            ExchangeID=exchange,
            OrderRef=ref,
            Direction=side,
            CombOffsetFlag=offset,
            OrderPriceType="2",
            TimeCondition="3",
            VolumeCondition="1",
            LimitPrice=price,
            VolumeTotalOriginal=volume,
        )
        self.ask(request)
        return ref

    def wait_status(self, status: str) -> f.OrderField:
        return self.wait(
            lambda frame: isinstance(frame, f.RtnOrder) and frame.order.OrderStatus == status
        ).order

    def wait_trade(self) -> f.TradeField:
        return self.wait(lambda frame: isinstance(frame, f.RtnTrade)).trade

    def query(self, what: str) -> list[Any]:
        self.ask(f.ReqQry(what=what))
        rows: list[Any] = []
        while True:
            answer = self.wait(lambda frame: isinstance(frame, f.RspQry))
            rows += answer.rows
            if answer.last:
                return rows

    def cancel(self, row: f.OrderField) -> None:
        self.ask(
            f.ReqOrderAction(
                InstrumentID=row.InstrumentID, ExchangeID=row.ExchangeID, OrderSysID=row.OrderSysID
            )
        )

    def told(self, since: int = 0) -> list[str]:
        """What was heard of orders and trades, shortly."""
        words: dict[type, Callable[[Any], str]] = {
            f.RtnOrder: lambda frame: frame.order.OrderStatus,
            f.RtnTrade: lambda frame: "T",
        }
        return [words[type(frame)](frame) for frame in self.heard[since:] if type(frame) in words]


class CounterProcess:
    """`python -m app.counter` on a data directory of its own."""

    def __init__(self, data_dir: Path) -> None:
        self.registry = Registry(data_dir)
        keep_calendar(data_dir)
        self.faults_address = f"unix:{data_dir / 'faults.sock'}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CTPBEE_BACKEND_")}
        own = {"CTPBEE_BACKEND_DATA_DIR": str(data_dir), "CTPBEE_BACKEND_COUNTER_CAPITAL": "1000000"}
        self.environment = clean | own | {"COUNTER_TEST_SOCKET": self.faults_address}
        self.log = data_dir / "logs" / "counter.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "app.counter"], cwd=ROOT, env=self.environment)
        self.address = eventually(self._registered, "the counter listens", DEADLINE).address
        self.faults = CounterFaults(self.faults_address)

    def _registered(self) -> Entry | None:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        entry = self.registry.find("counter")
        return entry if entry is not None and entry.pid == self.process.pid else None

    def end(self, number: int) -> int:
        assert self.process is not None
        self.faults.close()
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)
