"""A broker's test front for `run.py filing --ctp`: the built-in counter behind real TCP ports, which the C++
stand-in for the vendor's library dials as it would a front.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from app.wire.registry import Registry
from tests.ctp_front.build import environment
from tests.e2e.server import ROOT, BackendServer
from tests.support.kept_calendar import keep_calendar
from tests.support.waiting import eventually

CLOCK = "2025-06-05T21:05:00"  # a Thursday night: rb trades, the index futures' market is closed


class Bridge:
    """A TCP port that is a Unix socket."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._lead, args=(near,), daemon=True).start()

    def _lead(self, near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far:
            far.connect(self._path)
            back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
            back.start()
            self._pump(near, far)
            back.join()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                sink.sendall(chunk)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class TestFront:
    """`td` and `md` are its addresses, `environment` what a process needs to dial them."""

    __test__ = False

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="front")  # a socket's path has to be short
        data_dir = Path(self._folder.name)
        keep_calendar(data_dir)
        (data_dir / "run").mkdir(exist_ok=True)
        settings = BackendServer(data_dir, counter_hours="exchange", counter_clock=CLOCK).environment()
        settings |= {"CTPBEE_BACKEND_DATA_DIR": str(data_dir)}
        self._counter = subprocess.Popen([sys.executable, "-m", "app.counter"], cwd=ROOT, env=settings)
        registry = Registry(data_dir)
        entry = eventually(lambda: registry.find("counter"), "the counter listens", 30)
        self._bridges = [Bridge(entry.address.removeprefix("unix:")) for _ in range(2)]
        self.td, self.md = (bridge.address for bridge in self._bridges)
        self.environment = {
            **environment(entry.address, "tcp://nowhere:1", "tcp://nowhere:2", queries=0),
            "CTP_FRONT_TCP": "1",
            "CTPBEE_BACKEND_CTP_QUERY_INTERVAL": "0.01",
        }

    def close(self) -> None:
        for bridge in self._bridges:
            bridge.close()
        os.kill(self._counter.pid, signal.SIGTERM)
        self._counter.wait(20)
        self._folder.cleanup()
