"""What is kept of strategies: which are meant to run, what became of them, and which process each is. Host
process; `starting` is the supervisor's too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from app.data_dir import accounts, strategies_folder
from app.model import HOST, open_store, store_path
from app.process.child import Process
from app.settings import Settings
from app.wire.registry import Entry, Registry, strategy_name

STOPPED, STARTING, RUNNING, FAILED, STOPPING = "停止", "启动中", "运行中", "异常", "停止中"
STATUS = {STOPPED: STOPPED, FAILED: STOPPED, STARTING: RUNNING, RUNNING: RUNNING, STOPPING: RUNNING}
"""The two words of the reference."""


class Record(msgspec.Struct):
    """What the store keeps of a strategy of one account: scope `strategy:<account>`, key its name."""

    wanted: bool = False  # to run again after a crash, a login, a new host
    state: str = STOPPED
    version: int = 0  # that runs, or ran last
    started: str = ""  # YYYY-MM-DD HH:MM:SS, exchange time
    updated: str = ""
    error: dict[str, Any] | None = None
    """The last failure since it was started by hand: message, line, traceback, time. It is of `version`."""
    restarts: list[float] = []  # epoch seconds of those in the last RESTART_WINDOW
    pid: int = 0  # of its process, and what tells it from others with that pid: see registry.Entry
    pid_started: float = 0.0
    boot: str = ""
    ticks: int = 0
    contained: bool = False  # it runs in bubblewrap, or ran last


def starting(settings: Settings) -> list[Process]:
    """Strategies that a dead host was just starting: they live, and have not registered yet."""
    if not store_path(settings.data_dir, HOST).exists():
        return []
    registry, store = Registry(settings.data_dir), open_store(settings, HOST, ship=False)
    found = []
    for account in accounts_with_strategies(settings.data_dir):
        for name, record in store.settings(scope(account)).items():
            entry = entry_of(account, name, msgspec.convert(record, Record))
            if entry.pid and entry.alive and registry.find(entry.name) is None:
                found.append(Process(entry.name, entry=entry))
    store.close()
    return found


def accounts_with_strategies(data_dir: Path) -> list[str]:
    """Those that have ever run a strategy."""
    return [account for account in accounts(data_dir) if strategies_folder(data_dir, account).is_dir()]


def entry_of(account: str, name: str, record: Record) -> Entry:
    """The process as the registry would have it."""
    return Entry(
        name=strategy_name(account, name),
        kind="strategy",
        pid=record.pid,
        started=record.pid_started,
        boot=record.boot,
        ticks=record.ticks,
        account=account,
        strategy=name,
        version=record.version,
    )


def scope(account: str) -> str:
    return f"strategy:{account}"
