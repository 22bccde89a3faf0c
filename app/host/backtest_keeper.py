"""The process of backtests: started for the first one that is asked for, with a host that finds some left by
an earlier one, and again when it dies. Host process.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Sequence

from app.host.launcher import START_LIMIT, Launcher
from app.lib.errors import GatewayDown, NotAllowed
from app.process import child
from app.process.child import AlreadyRunning, Process
from app.process.kept import Kept, adopt
from app.settings import Settings
from app.wire.registry import Registry

BACKTEST = (sys.executable, "-m", "app.backtest.jobs.serve")
NAME = "backtest"
GRACE = 3.0
KEPT = "backtest/jobs.db"  # there once there has been a backtest


class BacktestKeeper:
    """`command` is the one that is the process of backtests. Any thread."""

    def __init__(
        self, settings: Settings, registry: Registry, launch: Launcher, command: Sequence[str] = BACKTEST
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._stopping = launch.stopping
        self._lock = threading.Lock()
        self._kept = Kept(registry, NAME, lambda: launch(NAME, command))
        self._wanted = settings.backtest_jobs > 0 and (settings.data_dir / KEPT).exists()

    def look(self) -> None:
        """To be called often."""
        if self._wanted:
            with self._lock:
                self._kept.look()

    def end(self) -> None:
        found = self._kept.process or adopt(self._registry, NAME)
        if found is not None:
            child.end([found], GRACE)

    def ensure(self) -> None:
        """It listens; started if it does not run. Raises NotAllowed where this server has none, GatewayDown
        where it does not start.
        """
        if self._settings.backtest_jobs == 0:
            raise NotAllowed("本服务不回测（设置 backtest_jobs = 0）", code="BACKTESTS_OFF")
        deadline = time.monotonic() + START_LIMIT
        launched: Process | None = None
        while time.monotonic() < deadline and not self._stopping.is_set():
            if self._registry.find(NAME) is not None:
                self._wanted = True
                return
            with self._lock, contextlib.suppress(AlreadyRunning, OSError):
                if launched is not None and not launched.alive:
                    break
                known = self._kept.process
                if self._kept.ensure() is not known:
                    launched = self._kept.process
            self._stopping.wait(child.POLL)
        raise GatewayDown("回测进程未能启动，详见日志 backtest", code="BACKTEST_DOWN", asked=False)
