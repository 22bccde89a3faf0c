"""What pages hear of backtests: told to the account's gateway, which passes it on. The process of backtests.

A gateway that does not answer holds nothing else up, and of what waits for it only the newest of each job is
told.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict

import orjson

from app.lib.errors import AppError
from app.wire import peer
from app.wire.messages import BacktestChanged
from app.wire.registry import Registry, gateway_of

log = logging.getLogger(__name__)


class BacktestNews:
    """From `start` to `stop` a thread of its own."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._waiting: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._tell_forever, name="backtest-news", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float = 1.0) -> None:
        """Once what waits has been told, or that time is over."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join(seconds)

    def tell(self, account: str, job: str, data: object) -> None:
        """In its turn. Never blocks."""
        payload = orjson.dumps({"type": "backtest", "data": data})
        with self._changed:
            self._waiting[job] = account, payload
            self._changed.notify()

    def _tell_forever(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopped)
                if not self._waiting:
                    return
                _, (account, payload) = self._waiting.popitem(last=False)
            self._tell(account, payload)

    def _tell(self, account: str, payload: bytes) -> None:
        entry = self._registry.find(gateway_of(account))
        if entry is None:
            return  # nobody is there to see it
        try:
            peer.call(entry, BacktestChanged(payload), timeout=2.0, connect_limit=1.0)
        except AppError as error:
            log.info("%s was not told of a backtest: %s", entry.name, error.message)
        except Exception:  # the edge of the thread: it serves every account
            log.exception("telling %s failed", entry.name)
