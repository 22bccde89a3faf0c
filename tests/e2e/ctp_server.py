"""The real server with `interface=ctp`: the real binding in its gateways, our stand-in before the vendor's
libraries.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from app.wire.registry import Registry
from tests.ctp_front.build import MD, TD, environment, write_map
from tests.e2e.server import ROOT, BackendServer
from tests.support.faults import CounterFaults
from tests.support.kept_calendar import keep_calendar
from tests.support.waiting import eventually


class CtpServer(BackendServer):
    """`python3 run.py`, and beside it the counter that stands behind CTP's fronts; queries are not held back
    unless said so.
    """

    login = {
        "interface": "ctp",
        "td_address": f"tcp://127.0.0.1:1,{TD}",
        "md_address": MD,
    }  # nobody listens at the first of two

    def __init__(self, data_dir: Path, queries: int = 0, **settings: object) -> None:
        super().__init__(data_dir, **{"ctp_query_interval": 0.01, "ctp_hours": "always"} | settings)
        self._queries = queries
        self._folder = tempfile.TemporaryDirectory(prefix="ctp")  # a socket's path has to be short
        self.counter_registry = Registry(Path(self._folder.name))
        keep_calendar(Path(self._folder.name))
        self.fault_address = f"unix:{self._folder.name}/faults.sock"
        self._counter: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        entry = self.counter_registry.find("counter")
        assert entry is not None
        plain = {
            name: value for name, value in super().environment().items() if name != "COUNTER_TEST_SOCKET"
        }
        return plain | environment(entry.address, queries=self._queries)

    def start(self, *arguments: str) -> CtpServer:
        if self._counter is None:
            self.start_counter()
        super().start(*arguments)
        return self

    def start_counter(self) -> None:
        own = {"CTPBEE_BACKEND_DATA_DIR": self._folder.name, "COUNTER_TEST_SOCKET": self.fault_address}
        self._counter = subprocess.Popen(
            [sys.executable, "-m", "app.counter"], cwd=ROOT, env=BackendServer.environment(self) | own
        )
        eventually(lambda: self.counter_registry.find("counter"), "the counter listens", 30)

    def reach(self, td: bool = True, md: bool = True) -> None:
        """Which fronts can be connected to, from the next attempt on."""
        entry = self.counter_registry.find("counter")
        assert entry is not None
        path = Path(entry.address.removeprefix("unix:"))
        write_map(
            path.parent / "ctp_fronts.map", {front: path for front, there in ((TD, td), (MD, md)) if there}
        )

    def faults(self) -> CounterFaults:
        return CounterFaults(self.fault_address)

    def clean(self) -> None:
        super().clean()
        if self._counter is not None:
            os.kill(self._counter.pid, signal.SIGTERM)
            self._counter.wait(20)
        self._folder.cleanup()
