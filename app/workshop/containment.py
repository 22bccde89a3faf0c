"""Whether strategies run here, and what closes them in. Host, backtests, `run.py doctor`: any process, any
thread.

What each value of the setting `strategies` means is in docs/strategies.md; what a strategy sees inside is in
app/workshop/sandbox.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from app.lib.errors import NotAllowed
from app.process.child import Cage
from app.settings import Settings
from app.workshop import sandbox, syscalls

PATIENCE = 10.0  # seconds that bubblewrap has to show that it works
INHERITED = ("TZ", "LANG", "LC_ALL")
OF_THE_NETWORK = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
OURS = ("CTPBEE_BACKEND_", "MONGO_URI", "SOURCE_MONGO_URI")
"""What a strategy's environment has not, contained or not: settings with passwords and tokens in them are
among these.
"""


class Containment:
    """bubblewrap is tried when it is needed first, and again until it works."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._program = ""

    def check(self) -> bool:
        """Whether a strategy that is started now is contained. Raises NotAllowed when none may be started."""
        how = self._settings.strategies
        if how == "off":
            raise NotAllowed("本服务不运行策略（设置 strategies = off）", code="STRATEGIES_OFF")
        if how == "uncontained":
            return False
        problem = self._problem()
        if problem and (how == "contained" or self._settings.is_public):
            what = (
                "设置 strategies = contained" if how == "contained" else "对外服务只在 bubblewrap 里运行策略"
            )
            raise NotAllowed(f"策略不能启动：{what}，而{problem}", code="STRATEGIES_OFF")
        return not problem

    def said(self) -> tuple[bool, str]:
        """Whether all is well, and in words: for doctor."""
        try:
            if self.check():
                return True, f"在 bubblewrap 里隔离运行，{'可以' if self.network else '不能'}访问网络"
        except NotAllowed as error:
            return self._settings.strategies == "off", error.message
        if self._settings.strategies == "uncontained":
            return (
                False,
                "没有隔离（strategies = uncontained）：策略能读写服务器的一切，"
                "每个能登录的人都等于拥有服务器",
            )
        return (
            False,
            f"没有隔离：{self._problem()}。策略能读写服务器的一切，只运行信任的代码，或 apt-get install "
            "bubblewrap",
        )

    @property
    def network(self) -> bool:
        how = self._settings.strategy_network
        is_closed = self._settings.is_public or self._has_open_scheduler
        return how == "on" or (how == "auto" and not is_closed)

    @property
    def _has_open_scheduler(self) -> bool:
        """Whoever reaches a scheduler without TLS runs code outside of every sandbox, and a strategy with a
        network reaches this machine's ports.
        """
        return self._settings.backtest_scheduler.startswith("tcp://")

    def cage(self, folder: Path, seen: Iterable[Path], network: bool | None = None) -> Cage:
        """What closes a strategy in that has `folder` for its own, and sees `seen`. `network`: whether it
        has one, None for what the settings say.
        """
        settings = self._settings
        arguments = sandbox.bubblewrap_of_a_strategy(
            self._program,
            folder=folder,
            seen=seen,
            readable=settings.strategy_paths,
            hidden=[settings.data_dir, settings.strategies_dir],
            network=self.network if network is None else network,
        )
        return Cage(arguments, syscalls.program())

    def environment(self, folder: Path, contained: bool) -> dict[str, str]:
        """All that is in a strategy's environment."""
        settings = {
            "CTPBEE_BACKEND_DATA_DIR": str(self._settings.data_dir),
            "CTPBEE_BACKEND_LOG_LEVEL": self._settings.log_level,
        }
        if not contained:
            return {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | settings
        names = (
            (*INHERITED, *OF_THE_NETWORK, *(name.upper() for name in OF_THE_NETWORK))
            if self.network
            else INHERITED
        )
        inherited = {name: os.environ[name] for name in names if name in os.environ}
        return sandbox.environment(str(folder)) | inherited | settings

    def _problem(self) -> str:
        """Why bubblewrap cannot be used here; empty when it can."""
        with self._lock:
            if self._program:
                return ""
            program = shutil.which("bwrap")
            if sys.platform != "linux" or program is None:
                return "这里没有 bubblewrap"
            command = [
                *sandbox.bubblewrap(program, [self._settings.data_dir]),
                sandbox.python(),
                "-I",
                "-c",
                "",
            ]
            try:
                subprocess.run(
                    command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=True
                )
            except (OSError, subprocess.SubprocessError):
                return "bubblewrap 在这里不能使用（容器或内核不许建命名空间？）"
            self._program = program
            return ""
