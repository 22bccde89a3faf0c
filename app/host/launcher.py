"""Starting the host's children: none any more once the host is ending. Host process, any thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from app.lib.errors import GatewayDown
from app.process import child
from app.process.child import Cage, Lock, Process
from app.settings import Settings

START_LIMIT = 30.0  # seconds a child may take until it listens; imports on a busy machine take most of it


class Launcher:
    """`stopping` is set once the host is to end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._launching = threading.Lock()
        self.stopping = threading.Event()

    def __call__(
        self,
        name: str,
        command: Sequence[str],
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        cage: Cage | None = None,
    ) -> Process:
        """Start a child that holds the lock of its name. Raises GatewayDown when the host is ending,
        AlreadyRunning, OSError.
        """
        with self._launching:
            if self.stopping.is_set():
                raise GatewayDown("服务正在停止")
            lock = Lock(self._settings.data_dir, name)
            return child.start(
                command, self._settings, name, stdin=stdin, lock=lock, environment=environment, cage=cage
            )

    def stop(self) -> None:
        """Start no more; who is just being started is known to who starts it from here on."""
        self.stopping.set()
        with self._launching:
            pass
