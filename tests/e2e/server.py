"""The real server in its own processes, and a trader who speaks to it with plain HTTP and python-socketio's
client.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import requests

from app.lib.calendar import SHANGHAI
from app.wire import channel
from app.wire.registry import Entry, Registry
from tests.support.faults import CounterFaults
from tests.support.kept_calendar import keep_calendar
from tests.support.socket_client import ClientInOrder
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]


class Server(Protocol):
    """What a trader has to know of it."""

    @property
    def url(self) -> str: ...

    @property
    def login(self) -> Mapping[str, str]:
        """What a login to it says beside who logs in."""

    def faults(self) -> CounterFaults: ...


class BackendServer:
    """`python3 run.py` on a free port with a data directory of its own."""

    login: Mapping[str, str] = MappingProxyType({"interface": "sim"})

    def __init__(self, data_dir: Path, **settings: object) -> None:
        self.data_dir = data_dir
        self.registry = Registry(data_dir)
        self.settings = {
            "order_timeout": 2,
            "login_per_address": 1000,
            "login_per_account": 1000,
            "max_accounts": 1000,
            "max_paper_accounts": 1000,
            "strategies_dir": data_dir / "strategies",
            "counter_clock": "2025-06-05T10:00:00",  # a Thursday on which rb2510 is alive
        } | settings
        self.fault_address = channel.new_address(data_dir / "run", "faults.sock")
        self.process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("CTPBEE_BACKEND_")}
        ours = {f"CTPBEE_BACKEND_{name.upper()}": str(value) for name, value in self.settings.items()}
        return (
            plain
            | ours
            | {"COUNTER_TEST_SOCKET": self.fault_address, "TZ": "UTC", "PYTHONWARNINGS": "ignore"}
        )

    def start(self, *arguments: str) -> BackendServer:
        (self.data_dir / "run").mkdir(parents=True, exist_ok=True)
        keep_calendar(self.data_dir)
        with open(self.data_dir / "console.log", "ab") as console:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    str(ROOT / "run.py"),
                    "--port",
                    "0",
                    "--data-dir",
                    str(self.data_dir),
                    *arguments,
                ],
                cwd=ROOT,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        return self.wait_ready()

    def wait_ready(self) -> BackendServer:
        eventually(
            lambda: self._supervised() and self.entry("host") and self._answers(),
            "the web answers /healthz",
            60,
        )
        return self

    def _supervised(self) -> bool:
        supervisor = self.entry("supervisor")
        return self.process is None or (supervisor is not None and supervisor.pid == self.process.pid)

    def _answers(self) -> bool:
        assert self.process is None or self.process.poll() is None, f"run.py ended: {self.console()}"
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except (requests.ConnectionError, AttributeError):
            return False

    def console(self) -> str:
        return (self.data_dir / "console.log").read_text("utf-8", "replace")

    def logs(self) -> str:
        """Everything that any process wrote."""
        return "\n".join(
            path.read_text("utf-8", "replace")
            for path in [self.data_dir / "console.log", *self.data_dir.glob("logs/*")]
        )

    def entry(self, name: str) -> Entry | None:
        return self.registry.find(name)

    @property
    def url(self) -> str:
        entry = self.entry("web")
        if entry is None:
            raise AttributeError("the web is not there")
        return entry.address

    def faults(self) -> CounterFaults:
        return CounterFaults(self.fault_address)

    def near_minutes_end(self, forming: Mapping[str, Any]) -> None:
        """The counter's clock jumps to the last second of the minute of this `bar_update`."""
        moment = datetime.fromtimestamp(forming["data"][0] / 1000, SHANGHAI).replace(tzinfo=None, second=59)
        faults = self.faults()
        try:
            faults.set_clock(moment.isoformat())
        finally:
            faults.close()

    def kill(self, name: str) -> Entry:
        """kill -9, and the entry of who was killed."""
        entry = self.entry(name)
        assert entry is not None, f"{name} does not run"
        os.kill(entry.pid, signal.SIGKILL)
        eventually(lambda: not entry.alive, f"{name} is dead")
        return entry

    def wait_replaced(self, old: Entry, seconds: float = 30) -> Entry:
        """The process that took the place of a killed one."""
        return eventually(
            lambda: (new := self.entry(old.name)) and (new.pid != old.pid or None) and new,
            f"a new {old.name}",
            seconds,
        )

    def stop(self, how: int = signal.SIGTERM) -> float:
        """End it as the user would; returns the seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        os.kill(self.process.pid, how)
        self.process.wait(timeout=30)
        self.process = None
        return time.monotonic() - began

    def leftovers(self) -> list[Entry]:
        return self.registry.living()

    def clean(self) -> None:
        """Whatever a test did: nothing of this server is left."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for entry in self.leftovers():
            os.kill(entry.pid, signal.SIGKILL)


class Refused(Exception):
    """The server said success: false."""

    def __init__(self, body: dict[str, Any], status: int) -> None:
        super().__init__(f"{status} {body}")
        self.body = body
        self.status = status


class Trader:
    """One account on one server: REST with a Bearer token, and a page that remembers what it was told."""

    def __init__(
        self, server: Server, userid: str = "demo", password: str = "secret-9", brokerid: str = "9999"
    ) -> None:
        self.server = server
        self.userid, self.password, self.brokerid = userid, password, brokerid
        self.token = ""
        self.page: Page | None = None

    @property
    def key(self) -> str:
        return f"{self.server.login['interface']}-{self.brokerid}-{self.userid}"

    def log_in(self, **changes: str) -> Trader:
        fields = {
            "authorization": "000000",
            "userid": self.userid,
            "password": self.password,
            "brokerid": self.brokerid,
        } | dict(self.server.login)
        answer = requests.post(f"{self.server.url}/login", data=fields | changes, timeout=60).json()
        if not answer["success"]:
            raise Refused(answer, 200)
        self.token = answer["data"]
        if self.page is not None:  # as a page does: its token may have ended with the login before
            self.page.show(self.token)
        return self

    def ask(self, method: str, path: str, **fields: Any) -> dict[str, Any]:
        """The whole envelope, whatever it says."""
        headers = {"Authorization": f"Bearer {self.token}"}
        in_query, in_body = (fields, None) if method == "GET" else (None, fields)
        reply = requests.request(
            method, f"{self.server.url}{path}", headers=headers, timeout=60, params=in_query, json=in_body
        )
        return reply.json() | {"status": reply.status_code}

    def do(self, method: str, path: str, **fields: Any) -> Any:
        """The `data` of a success; raises Refused otherwise."""
        answer = self.ask(method, path, **fields)
        if not answer["success"]:
            raise Refused(answer, answer["status"])
        return answer["data"]

    def order(
        self, local_symbol: str, direction: str, offset: str, price: float, volume: int, **more: Any
    ) -> dict[str, Any]:
        """The envelope of a limit order."""
        fields = {"type": "limit", "exchange": local_symbol.partition(".")[2]} | more
        return self.ask(
            "POST",
            "/order_solve",
            local_symbol=local_symbol,
            direction=direction,
            offset=offset,
            price=price,
            volume=volume,
            **fields,
        )

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        return self.do("GET", "/order_solve")

    def order_row(self, order_id: str) -> dict[str, Any]:
        rows = [row for row in self.lists()["order_list"] if row["order_id"] == order_id]
        assert len(rows) == 1, rows
        return rows[0]

    def position(self, local_symbol: str, direction: str) -> dict[str, Any] | None:
        rows = [
            row
            for row in self.lists()["position_list"]
            if (row["local_symbol"], row["direction"]) == (local_symbol, direction)
        ]
        assert len(rows) <= 1, rows
        return rows[0] if rows else None

    def contract(self, symbol: str) -> dict[str, Any]:
        return self.do("GET", "/contract", symbol=symbol)

    def fix_quote(self, symbol: str, bid_volume: int = 100, ask_volume: int = 100) -> Quote:
        """Subscribe, and let the counter quote this contract one tick apart around its newest price until
        told otherwise.
        """
        self.do("POST", "/market", symbol=symbol)
        details = self.contract(symbol)
        tick, base = details["pricetick"], details["pre_settlement_price"]
        quote = Quote(symbol, base, base + tick, tick)
        self._tell(quote, bid_volume, ask_volume)
        return quote

    def _tell(self, quote: Quote, bid_volume: int = 100, ask_volume: int = 100) -> None:
        self.server.faults().set_quote(quote.symbol, quote.bid, bid_volume, quote.ask, ask_volume, quote.bid)

    def close_position(self, quote: Quote, direction: str, volume: int, **more: Any) -> dict[str, Any]:
        """The envelope of a close at a fixed quote, which is told once: it holds as long as nothing else is
        told.
        """
        fields = {"local_symbol": quote.local_symbol, "exchange": quote.local_symbol.partition(".")[2]} | more
        return self.ask("POST", "/close_position", direction=direction, volume=volume, **fields)

    def open_page(self, **connect: Any) -> Page:
        self.page = Page(self.server.url, self.token, **connect)
        return self.page

    def close_page(self) -> None:
        if self.page is not None:
            self.page.close()


class Quote(NamedTuple):
    """What the counter quotes by order of a test."""

    local_symbol: str
    bid: float
    ask: float
    tick: float

    @property
    def symbol(self) -> str:
        return self.local_symbol.partition(".")[0]


class Page:
    """A browser page's Socket.IO side: connects, identifies on every connect, remembers every event."""

    def __init__(
        self,
        url: str,
        token: str,
        identify: bool = True,
        transport: str = "websocket",
        headers: Mapping[str, str] = MappingProxyType({}),
        **connect: Any,
    ) -> None:
        self.events: list[tuple[str, Any]] = []
        session = requests.Session()
        session.headers.update(headers)
        self.client = ClientInOrder(
            reconnection=True, reconnection_delay=0.1, reconnection_delay_max=0.3, http_session=session
        )
        self.client.on("*", self._remember)
        self.token = token
        if identify:
            self.client.on("connect", lambda: self.client.emit("identify", {"token": self.token}))
        self.client.connect(
            url, headers=dict(headers), transports=[transport], wait_timeout=10, retry=True, **connect
        )

    def show(self, token: str) -> None:
        """Another token, now where it is connected and at each connect from here on."""
        self.token = token
        if self.client.connected:
            self.client.emit("identify", {"token": token})

    def _remember(self, event: str, data: Any = None) -> None:
        self.events.append((event, data))

    def all(self, event: str) -> list[Any]:
        return [data for name, data in list(self.events) if name == event]

    def last(self, event: str) -> Any:
        found = self.all(event)
        return found[-1] if found else None

    def wait(
        self, event: str, accept: Callable[[Any], Any] = lambda _data: True, seconds: float = 30.0
    ) -> Any:
        """The first event of that name that `accept` takes, of those heard and those to come."""
        return eventually(
            lambda: next(([data] for data in self.all(event) if accept(data)), None),
            f"event {event}",
            seconds,
        )[0]

    def settles(self, event: str, accept: Callable[[Any], Any], seconds: float = 30.0) -> Any:
        """The newest event of that name, once it is one that `accept` takes."""
        return eventually(
            lambda: (data := self.last(event)) is not None and accept(data) and [data],
            f"{event} settles",
            seconds,
        )[0]

    def mark(self) -> None:
        """Forget what was heard so far."""
        self.events.clear()

    def close(self) -> None:
        """For good: `disconnect` alone leaves a client that is just reconnecting at it for ever, in the tests
        that follow too.
        """
        self.client.shutdown()
