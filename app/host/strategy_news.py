"""What the pages hear of strategies: told to the account's gateway, which passes it on. Host process."""

from __future__ import annotations

import logging
import queue
import threading

from app.lib.errors import AppError
from app.wire import peer
from app.wire.messages import StrategyChanged
from app.wire.registry import Registry, gateway_of

log = logging.getLogger(__name__)


class StrategyNews:
    """From `start` to `stop` a thread of its own: a gateway that does not answer holds nothing else up."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._waiting: queue.SimpleQueue[tuple[str, StrategyChanged] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._tell_forever, name="strategy-news", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Once what waits has been told."""
        self._waiting.put(None)

    def tell(self, account: str, news: StrategyChanged) -> None:
        """In its turn. Never blocks."""
        self._waiting.put((account, news))

    def _tell_forever(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            account, news = waiting
            entry = self._registry.find(gateway_of(account))
            if entry is None:
                continue  # when it is back it is told how things stand then
            try:
                peer.call(entry, news, timeout=2.0, connect_limit=1.0)
            except AppError as error:
                log.warning("%s was not told of strategy %s: %s", entry.name, news.name, error.message)
            except Exception:  # the edge of the thread: it serves every strategy
                log.exception("telling %s failed", entry.name)
