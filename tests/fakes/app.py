"""A ctpbee app of ours with its event thread, as the gateway process has it, and an extension that writes
down what it hears.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ctpbee import CtpbeeApi
from ctpbee.constant import Direction, Exchange, Offset, OrderRequest, OrderType, Status

from app.gateway.app import BackendApp
from app.interfaces.ledger import Ledger
from app.interfaces.wiring import Listener
from app.lib.market_orders import market_orders
from app.model.store import Store
from app.process.event_loop import EventLoop
from tests.support.in_loop import in_loop
from tests.support.waiting import eventually


class Ears(CtpbeeApi):
    """Writes down what ctpbee tells, in order."""

    def __init__(self, bee: BackendApp, folder: Path) -> None:
        super().__init__("ears", bee, cache_path=str(folder))
        self.heard: list[tuple[str, Any]] = []

    def on_order(self, data: Any) -> None:
        self.heard.append(("order", data))

    def on_trade(self, data: Any) -> None:
        self.heard.append(("trade", data))

    def on_tick(self, data: Any) -> None:
        self.heard.append(("tick", data))

    def on_account(self, data: Any) -> None:
        self.heard.append(("account", data))

    def on_init(self, data: Any) -> None:
        self.heard.append(("init", data))

    def of(self, kind: str) -> list[Any]:
        return [data for what, data in list(self.heard) if what == kind]

    def statuses(self, order_id: str) -> list[Status]:
        return [data.status for data in self.of("order") if data.order_id == order_id]


class Gateway(Listener):
    """An app with its event thread, as the gateway process has it, and what its interface told."""

    def __init__(self, address: str, store: Store, folder: Path, interface: str = "sim", **info: Any) -> None:
        self.states: list[tuple[str, str, str]] = []
        self.cancel_refusals: list[tuple[str, str, str]] = []
        self.differences: list[str] = []
        self.loop = EventLoop()
        self.ledger = Ledger(interface)
        self.notices: list[tuple[str, str]] = []
        self.remarks: list[str] = []
        self.passwords: list[str] = []
        self.bee = BackendApp(
            "account",
            self.loop,
            store,
            self.ledger,
            interface,
            {
                "brokerid": "9999",
                "userid": "demo",
                "password": "secret",
                "counter_address": address,
                "market_orders": market_orders(),
            }
            | info,
        )
        self.bee.listener = self
        self.bee.config["REFRESH_INTERVAL"] = 3600  # a test asks for itself
        self.ears = Ears(self.bee, folder)
        self._thread = threading.Thread(target=self.loop.run, name="events", daemon=True)

    def on_status(self, front: str, state: str, reason: str) -> None:
        self.states.append((front, state, reason))

    def on_cancel_refused(self, order_id: str, code: str, message: str) -> None:
        self.cancel_refusals.append((order_id, code, message))

    def on_difference(self, differences: list[str]) -> None:
        self.differences += differences

    def on_notice(self, code: str, message: str) -> None:
        self.notices.append((code, message))

    def on_remark(self, text: str) -> None:
        self.remarks.append(text)

    def on_password(self, password: str) -> None:
        self.passwords.append(password)

    def start(self) -> None:
        self._thread.start()
        self.do(
            self.bee.start
        )  # as the service does: both sides are connected before either has heard a word

    def stop(self) -> None:
        self.bee.release()
        self.loop.stop()
        self._thread.join(30)

    def state(self, side: str) -> str:
        return next((state for name, state, _ in reversed(self.states) if name == side), "")

    def ready(self, times: int = 1) -> None:
        eventually(lambda: self.states.count(("td", "ready", "")) >= times, f"ready {times} times")
        eventually(lambda: self.state("md") == "ready", "market ready")

    def do(self, function: Callable[[], Any]) -> Any:
        """In the event thread, as every handler is."""
        return in_loop(self.loop, function)

    def send(self, client_order_id: str = "", strategy: str = "", **changes: Any) -> str:
        return self.do(
            lambda: self.bee.trader.send_order(
                request(**changes), client_order_id=client_order_id, strategy=strategy
            )
        )


def request(**changes: Any) -> OrderRequest:
    values: dict[str, Any] = {
        "symbol": "rb2510",
        "exchange": Exchange.SHFE,
        "direction": Direction.LONG,
        "offset": Offset.OPEN,
        "type": OrderType.LIMIT,
        "price": 3000.0,
        "volume": 2,
    }
    return OrderRequest(**values | changes)
