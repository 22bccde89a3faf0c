"""The real binding in a process of its own, told what to call and telling what it was called back:
`NativeClient` is the test's end.

`python -m tests.ctp_front.native` reads JSON lines `[front, method, arguments…]` and answers each with
`{"returned": …}`; what the binding calls back goes out as `{"front", "name", "args"}` in between. bytes are
written as Latin-1 text. The method `renew` is ours: it ends that front's API and makes a new one.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.ctp_front.build import MD, TD, environment

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 20.0


class Called(NamedTuple):
    """A callback; a response's args are (data, error, request id, last), a push's (data,)."""

    front: str
    name: str
    args: list[Any]

    @property
    def data(self) -> Any:
        return self.args[0]

    @property
    def error(self) -> Any:
        return self.args[1]


class NativeClient:
    """Both fronts of one user, each method in the test's thread."""

    def __init__(
        self,
        counter: str,
        folder: Path,
        user: str = "trader",
        password: str = "secret",
        **environment_options: Any,
    ) -> None:
        self.user, self.password = user, password
        self.heard: list[Called] = []
        self._request = 0
        self._ref = 0
        self._inbox: queue.Queue[Called | None] = queue.Queue()
        self._returned: queue.Queue[Any] = queue.Queue()
        environ = os.environ | environment(counter, **environment_options) | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "tests.ctp_front.native"]
        self.process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)
            if "returned" in message:
                self._returned.put(message["returned"])
            else:
                self._inbox.put(Called(**message))
        self._inbox.put(None)

    def call(self, front: str, method: str, *arguments: Any) -> Any:
        """What the binding's method returned."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([front, method, *arguments]).encode() + b"\n")
        self.process.stdin.flush()
        return self._returned.get(timeout=DEADLINE)

    def wait(
        self, name: str, fits: Callable[[Called], bool] = lambda _called: True, seconds: float = DEADLINE
    ) -> Called:
        """The next callback of that name that fits; those before it are kept in `heard` too."""
        until = time.monotonic() + seconds
        while True:
            called = self._inbox.get(timeout=max(0.01, until - time.monotonic()))
            assert called is not None, "the client's process has ended"
            self.heard.append(called)
            if called.name == name and fits(called):
                return called

    def ask(self, method: str, request: dict[str, Any], front: str = "td") -> int:
        """A request with the next request id; what it returned."""
        self._request += 1
        return self.call(
            front,
            method,
            {"BrokerID": "9999", "UserID": self.user, "InvestorID": self.user} | request,
            self._request,
        )

    def start(self, front: str = "td", address: str = "") -> None:
        """Make the front's API and let it connect; onFrontConnected will tell."""
        if front == "td":
            self.call("td", "createFtdcTraderApi", "flow/td")
            self.call("td", "subscribePrivateTopic", 0)
            self.call("td", "subscribePublicTopic", 0)
        else:
            self.call("md", "createFtdcMdApi", "flow/md")
        self.call(front, "registerFront", address or (TD if front == "td" else MD))
        self.call(front, "init")

    def log_in(self, front: str = "td") -> Called:
        assert self.ask("reqUserLogin", {"Password": self.password}, front) == 0
        return self.wait("onRspUserLogin", lambda called: called.front == front)

    def enter(self) -> Called:
        """Connect, authenticate, log in and confirm the settlement; the login's answer."""
        self.start()
        self.wait("onFrontConnected")
        assert self.ask("reqAuthenticate", {"AppID": "app", "AuthCode": "code"}) == 0
        assert self.wait("onRspAuthenticate").error["ErrorID"] == 0
        login = self.log_in()
        assert login.error["ErrorID"] == 0, login
        assert self.ask("reqSettlementInfoConfirm", {}) == 0
        assert self.wait("onRspSettlementInfoConfirm").error["ErrorID"] == 0
        return login

    def query(self, method: str, request: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """All rows of an answer."""
        assert self.ask(method, request or {}) == 0
        name, rows = "onRspQry" + method.removeprefix("reqQry"), []
        while True:
            data, error, _, last = self.wait(name).args
            assert not error or error["ErrorID"] == 0, error
            rows += [data] if data else []
            if last:
                return rows

    def order(
        self, symbol: str, exchange: str, side: str, offset: str, price: float, volume: int, **more: Any
    ) -> str:
        """Insert a limit order; its OrderRef."""
        self._ref += 1
        request = {
            "InstrumentID": symbol,
            "ExchangeID": exchange,
            "OrderRef": str(self._ref),
            "Direction": side,
            "CombOffsetFlag": offset,
            "CombHedgeFlag": "1",
            "OrderPriceType": "2",
            "TimeCondition": "3",
            "VolumeCondition": "1",
            "ContingentCondition": "1",
            "ForceCloseReason": "0",
            "MinVolume": 1,
            "LimitPrice": price,
            "VolumeTotalOriginal": volume,
        }
        assert self.ask("reqOrderInsert", request | more) == 0
        return str(self._ref)

    def wait_status(self, status: str) -> dict[str, Any]:
        return self.wait("onRtnOrder", lambda called: called.data["OrderStatus"] == status).data

    def close(self) -> None:
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        if self.process.stdout is not None:
            self.process.stdout.close()


def end(api: Any) -> None:
    """What the binding's exit() does, but without Python's lock.

    exit() waits for the binding's own thread while it holds the lock, and that thread may need the lock to
    get out of a callback: then both wait for ever. The same function called through ctypes lets the lock go.
    `id(api) + 16` is where pybind11 keeps the object.
    """
    bound = type(api).__mro__[-3]
    library = ctypes.CDLL(sys.modules[bound.__module__].__file__)
    getattr(library, f"_ZN5{bound.__name__}4exitEv")(
        ctypes.c_void_p.from_address(id(api) + object.__basicsize__)
    )


def main() -> None:
    """The client's process."""
    from ctpbee_api.ctp import MdApi, TdApi

    speaking = threading.Lock()

    def say(message: dict[str, Any]) -> None:
        line = json.dumps(message, default=lambda data: data.decode("latin-1")) + "\n"
        with speaking:
            sys.stdout.write(line)
            sys.stdout.flush()

    def recorder(front: str, name: str) -> Callable[..., None]:
        return lambda _api, *args: say({"front": front, "name": name, "args": args})

    def recording(front: str, base: type) -> Any:
        names = [name for name in dir(base) if name.startswith("on")]
        return type(front, (base,), {name: recorder(front, name) for name in names})()

    fronts = {"td": recording("td", TdApi), "md": recording("md", MdApi)}
    for line in sys.stdin:
        front, method, *arguments = json.loads(line)
        if method == "renew":
            end(fronts[front])
            fronts[front] = recording(front, {"td": TdApi, "md": MdApi}[front])
            say({"returned": None})
            continue
        say({"returned": getattr(fronts[front], method)(*arguments)})
    sys.stdout.flush()
    # the binding's exit() waits for its thread with Python's lock held, and that thread may be waiting for it
    os._exit(0)


if __name__ == "__main__":
    main()
