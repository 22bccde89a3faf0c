"""The processes of a benchmark: the real server, the parts that load it or stand beside it, each on its core.
The benchmark's own process.

A part is a Python process that reads one JSON object a line and answers each with one; `answering` is its
side of that.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil

from app.model.sqlite import SqliteStore
from app.settings import Settings
from app.web.credentials import Tokens, signing_key
from app.wire import peer
from app.wire.messages import Watch
from app.wire.registry import Entry, Registry, gateway_of
from app.wire.rpc import RpcClient

ROOT = Path(__file__).parents[2]
SERVER_CORE, LOAD_CORE = 0, 1
START_SECONDS = 60.0


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """What is started in here runs on this core, where there is more than one and the system can."""
    if (
        core is None
        or not hasattr(os, "sched_setaffinity")
        or core not in (before := os.sched_getaffinity(0))
    ):
        yield
        return
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(probe: Callable[[], Any], what: str, seconds: float = START_SECONDS) -> Any:
    """The first truthy value of `probe`. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not (value := probe()):
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.02)
    return value


def token_of(data_dir: Path, account: str) -> str:
    """A token of an account that nobody has logged in: its gateway is a stand-in."""
    store = SqliteStore(data_dir / "server.db")
    try:
        return Tokens(signing_key(data_dir / "secret.key"), store, 24).issue(account)
    finally:
        store.close()


class Part:
    """One process, and what it answers."""

    def __init__(
        self,
        command: Sequence[str],
        core: int | None,
        folder: Path = ROOT,
        listens: int = 0,
        settings: Settings | None = None,
    ) -> None:
        """With `listens` it is no part that answers, but a server of its own: it is waited for on that
        port.
        """
        with on_core(core):
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={
                    **os.environ,
                    **(settings.to_environment() if settings else {}),
                    "PYTHONWARNINGS": "ignore",
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if not listens else subprocess.DEVNULL,
                text=True,
                bufsize=1,
            )
        self._usage = psutil.Process(self._process.pid)
        if listens:
            until(lambda: self._is_heard(listens), f"{command} listens")

    @classmethod
    def module(cls, name: str, *arguments: str, core: int | None = LOAD_CORE, listens: int = 0) -> Part:
        return cls([sys.executable, "-m", f"benchmarks.{name}", *arguments], core, listens=listens)

    def ask(self, do: str, **what: Any) -> Any:
        """Have it do something; its answer."""
        self.tell(do, **what)
        return self.hear()

    def tell(self, do: str, **what: Any) -> None:
        """Have it do something, and go on; `hear` has the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **what}) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended, exit code {self._process.wait(5)}")
        return json.loads(line)

    def seconds_used(self) -> float:
        """Of processor time."""
        used = self._usage.cpu_times()
        return float(used.user + used.system)

    def rss(self) -> int:
        return int(self._usage.memory_info().rss)

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # it had gone before it read the last line

    def _is_heard(self, port: int) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"{self._process.args!r} ended, exit code {self._process.returncode}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """run.py on a data directory: `web` alone, or everything. Its web has the server's core, the rest of it
    the other.
    """

    def __init__(self, data_dir: Path, *, everything: bool, **settings: Any) -> None:
        self.data_dir = data_dir
        self.registry = Registry(data_dir)
        made = Settings(data_dir=data_dir, port=0, **{"login_per_address": 1000} | settings)
        command = [sys.executable, str(ROOT / "run.py"), *([] if everything else ["web"])]
        self._everything = everything
        with on_core(LOAD_CORE if everything else SERVER_CORE):
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**made.to_environment(), "PYTHONWARNINGS": "ignore"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # it is in the logs
                start_new_session=True,
            )
        self.url: str = until(self._address, "the web listens")
        if everything:
            until(lambda: self.registry.find("host"), "the host listens")
            self._pin(self.process("web"))

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def process(self, name: str) -> psutil.Process:
        """`web`, `counter`, `gateway-…`."""
        entry: Entry = until(lambda: self.registry.find(name), f"{name} runs")
        return psutil.Process(entry.pid)

    def seconds_used(self) -> float:
        """Of processor time, by the web."""
        used = self.process("web").cpu_times()
        return float(used.user + used.system)

    def rss(self) -> int:
        """Of the web."""
        return int(self.process("web").memory_info().rss)

    def log_in(self, userid: str) -> str:
        """A token of a paper account."""
        caller = Caller(self.port)
        try:
            answer = caller.ask(
                "POST",
                "/login",
                authorization="000000",
                userid=userid,
                password="benchmark",
                brokerid="9999",
                interface="sim",
            )
        finally:
            caller.close()
        token: str = answer["data"]
        return token

    @contextmanager
    def gateway(self, userid: str) -> Iterator[RpcClient]:
        """A connection of one's own to an account's gateway."""
        entry = until(lambda: self.registry.find(gateway_of(f"sim-9999-{userid}")), "the gateway runs")
        with closing(peer.connect(entry)) as client:
            yield client

    def contracts(self, userid: str) -> list[str]:
        """The local symbols of everything that is listed."""
        with self.gateway(userid) as gateway:
            contracts: list[str] = json.loads(gateway.call(Watch()).payload)["contract"]
        return contracts

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _address(self) -> str:
        if self._process.poll() is not None:
            raise RuntimeError(f"run.py ended, exit code {self._process.returncode}")
        entry = self.registry.find("web")
        if entry is None:
            return ""
        try:
            with urllib.request.urlopen(f"{entry.address}/healthz", timeout=5):
                return entry.address
        except OSError:
            return ""

    @staticmethod
    def _pin(process: psutil.Process) -> None:
        if hasattr(process, "cpu_affinity") and SERVER_CORE in (os.sched_getaffinity(0)):
            for thread in process.threads():
                os.sched_setaffinity(thread.id, {SERVER_CORE})


class Caller:
    """One keep-alive connection to the REST side."""

    def __init__(self, port: int, token: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )

    def ask(self, method: str, path: str, **fields: Any) -> dict[str, Any]:
        """The envelope of a success. Raises RuntimeError."""
        self._connection.request(method, path, json.dumps(fields) if fields else None, self._headers)
        envelope: dict[str, Any] = json.loads(self._connection.getresponse().read())
        if not envelope["success"]:
            raise RuntimeError(f"{method} {path}: {envelope}")
        return envelope

    def close(self) -> None:
        self._connection.close()


def answering(act: Callable[[str, dict[str, Any]], Any]) -> None:
    """A part's main loop: answer each line of stdin until there is no more."""
    for line in sys.stdin:
        what = json.loads(line)
        sys.stdout.write(json.dumps(act(what.pop("do"), what)) + "\n")
        sys.stdout.flush()
