"""`run.py backtest-cluster`: a scheduler or workers of a cluster for backtests, as Dask's own programs with
what keeps them closed, in a process of theirs below the command's. docs/cluster.md
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import click

from app.commands.common import ready_settings, settings_options
from app.lib.errors import BadInput, SettingsError
from app.process.child import ROOT
from app.settings import Settings

AGAIN = 2.0  # seconds from a worker's end to the next one
# even without a dashboard Dask answers HTTP, on every address unless it is told otherwise
CLOSED = ("--no-dashboard", "--dashboard-address", "127.0.0.1:0")


@click.command("backtest-cluster")
@settings_options
@click.argument("role", type=click.Choice(["scheduler", "worker"]))
@click.option(
    "--processes",
    type=click.IntRange(1, 1024),
    default=os.cpu_count() or 1,
    help="worker：同时跑几个回测，缺省为处理器的个数",
)
@click.pass_context
def backtest_cluster_command(ctx: click.Context, role: str, processes: int, **options: Any) -> None:
    """在这台机器上运行回测集群的 scheduler 或 worker（Dask），直到 Ctrl-C。

    地址与证书是设置 backtest_scheduler 与 backtest_tls，各台相同；怎样建见 docs/cluster.md。
    """
    settings = ready_settings(ctx, options)
    if not settings.backtest_scheduler:
        raise SettingsError("集群的地址没有写：设置 backtest_scheduler", parameter="backtest_scheduler")
    if find_spec("distributed") is None:
        raise BadInput("role", "没有装 Dask：pip install --no-deps -r requirements-dask.lock")
    arguments = scheduler(settings) if role == "scheduler" else worker(settings, processes)
    environment = settings.to_environment() | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    sys.exit(_run([sys.executable, "-m", *arguments], environment, is_kept=role == "worker"))


def _run(command: list[str], environment: dict[str, str], is_kept: bool) -> int:
    """Until we are told to end, or it ends; its exit code. A worker ends when its scheduler does: it
    `is_kept`, started again.
    """
    asked: list[int] = []

    def ask(number: int, _frame: Any) -> None:
        asked.append(number)
        process.send_signal(number)

    while True:
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, ask)
        code = process.wait()
        if asked or not is_kept:
            return 0 if asked else code
        click.echo(f"worker 结束了（退出码 {code}，多半是 scheduler 不在）：{AGAIN:g} 秒后再连", err=True)
        time.sleep(AGAIN)


def scheduler(settings: Settings) -> list[str]:
    """It listens at the setting's address alone."""
    parts = urlsplit(settings.backtest_scheduler)
    at = ["--host", str(parts.hostname), "--port", str(parts.port), "--protocol", parts.scheme]
    return ["distributed.cli.dask_scheduler", *at, *CLOSED, *_tls(settings)]


def worker(settings: Settings, processes: int) -> list[str]:
    """A thread in each process; what a unit takes is bounded by who guards it."""
    how = ["--nworkers", str(processes), "--nthreads", "1", "--memory-limit", "0"]
    scratch = ["--local-directory", str(settings.data_dir / "backtest" / "dask")]
    where = ["--host", _own_address(settings.backtest_scheduler)]
    address = settings.backtest_scheduler
    return ["distributed.cli.dask_worker", address, *how, *scratch, *where, *CLOSED, *_tls(settings)]


def _own_address(scheduler: str) -> str:
    """This machine's, as the scheduler sees it: others than that do not reach the worker. Raises BadInput."""
    parts = urlsplit(scheduler)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_DGRAM)
        with socket.socket(found[0][0], socket.SOCK_DGRAM) as probe:  # nothing is sent
            probe.connect(found[0][4])
            return str(probe.getsockname()[0])
    except OSError as error:
        raise BadInput("backtest_scheduler", f"到 {scheduler} 没有路：{error}") from None


def _tls(settings: Settings) -> list[str]:
    folder = settings.backtest_tls
    if folder is None or not settings.backtest_scheduler.startswith("tls://"):
        return []
    named = (("--tls-ca-file", "ca.pem"), ("--tls-cert", "cert.pem"), ("--tls-key", "key.pem"))
    return [part for option, name in named for part in (option, str(folder / name))]
