"""A Dask cluster for backtests on loopback, with TLS: a scheduler and two workers, as run.py starts them."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from app.backtest.running.cluster import ClusterDown, DaskEngine
from app.lib import columns
from app.settings import Settings
from tests.support.kept_calendar import keep_calendar
from tests.support.mongodb import free_port
from tests.support.waiting import eventually

RUN = str(Path(__file__).parents[2] / "run.py")


def certificates(folder: Path) -> Path:
    """One that vouches for itself, for all."""
    folder.mkdir(parents=True)
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=backtest", "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    (folder / "ca.pem").write_bytes((folder / "cert.pem").read_bytes())
    return folder


class Cluster:
    """`settings`: of who uses it. Each worker is a machine of its own: its own data directory."""

    def __init__(self, folder: Path, workers: int = 2) -> None:
        self.folder = folder
        self.tls = certificates(folder / "tls")
        self.address = f"tls://127.0.0.1:{free_port()}"
        self.settings = self._settings(folder / "client")
        self.output = folder / "cluster.txt"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.start("scheduler")
        for number in range(workers):
            self.start(f"worker-{number}")

    def _settings(self, data_dir: Path) -> Settings:
        keep_calendar(data_dir)
        return Settings.load(
            None,
            {},
            data_dir=data_dir,
            log_to="stdout",
            strategies="contained",
            backtest_scheduler=self.address,
            backtest_tls=self.tls,
        )

    def start(self, name: str) -> None:
        role, _, number = name.partition("-")
        settings = self._settings(self.folder / name)
        with self.output.open("ab") as output:
            self.processes[name] = subprocess.Popen(
                [sys.executable, RUN, "backtest-cluster", role, *(["--processes", "1"] if number else [])],
                env=settings.to_environment() | {"PYTHONWARNINGS": "ignore"},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """With all that it has started, as a machine that loses its power."""
        process = self.processes.pop(name)
        for one in _family(process.pid):
            with suppress(psutil.Error):
                one.kill()
        process.wait(30.0)

    def family(self, name: str) -> list[psutil.Process]:
        """All that it has started, and itself."""
        return _family(self.processes[name].pid)

    def cached(self, name: str) -> list[str]:
        """The files that were sent to a worker, not what it has made of them."""
        found = (self.folder / name / "backtest" / "cache").glob("*/*")
        return sorted(path.name for path in found if not columns.is_columns(path))

    def listening(self) -> set[str]:
        """The addresses at which anything of it listens."""
        found = set()
        for process in self.processes.values():
            for one in _family(process.pid):
                with suppress(psutil.Error):
                    found |= {at.laddr.ip for at in one.net_connections() if at.status == "LISTEN"}
        return found

    def close(self) -> None:
        for name in list(self.processes):
            self.kill(name)


def wait_until_it_has_room(width: int, cluster: Cluster, engine: DaskEngine) -> None:
    def is_there() -> bool:
        try:
            engine.connect()
        except ClusterDown:
            return False
        return True

    def has_room() -> bool:
        for name, process in cluster.processes.items():
            assert process.poll() is None, f"{name} has ended: {cluster.output.read_text()[-3000:]}"
        return engine.width >= width

    eventually(is_there, "the scheduler is there", 60.0)
    eventually(has_room, f"the cluster has {width} places", 60.0)


def _family(pid: int) -> list[psutil.Process]:
    try:
        return [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]
    except psutil.NoSuchProcess:
        return []
