"""The newest bars of the contracts that pages ask most for, held in the web: opening a page again need not
ask the gateway. Web process.

Only the default range is held. It is dropped when the gateway says that bars of the contract were saved, when
the connection to the gateway ends, and after `HELD_SECONDS`, since old bars leave the range as the counter's
clock moves on. Safe to call from any thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from cachetools import TTLCache

from app.wire.messages import Json, ReadBars

MOST_HELD = 64  # answers; one of three days has about 80 KB
HELD_SECONDS = 1.0


class RecentBars:
    """See the module's docstring. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._held: TTLCache[tuple[str, str, str, str, tuple[str, ...]], Json] = TTLCache(
            MOST_HELD, HELD_SECONDS, clock
        )
        self._changes = 0  # what was asked for before one of them must not be held after it
        self._lock = threading.Lock()

    def read(self, account: str, wanted: ReadBars, ask: Callable[[], Json]) -> Json:
        """What `ask` answers, or has answered a moment ago. Raises what it raises."""
        if wanted.start or wanted.end or wanted.limit:
            return ask()
        key = account, wanted.local_symbol, wanted.interval, wanted.cut, wanted.fields
        with self._lock:
            held, changes = self._held.get(key), self._changes
        if held is None:
            held = ask()
            with self._lock:
                if changes == self._changes:
                    self._held[key] = held
        return held

    def saved(self, account: str, local_symbol: str) -> None:
        """The gateway has saved bars of this contract."""
        symbol = _bare(local_symbol)
        self._drop(lambda of, name: of == account and _bare(name) == symbol)

    def forget(self, account: str) -> None:
        """Nobody says any more what the account's gateway saves."""
        self._drop(lambda of, _name: of == account)

    def _drop(self, gone: Callable[[str, str], bool]) -> None:
        with self._lock:
            self._changes += 1
            for key in list(self._held):
                if gone(key[0], key[1]):
                    self._held.pop(key, None)


def _bare(local_symbol: str) -> str:
    """Without its exchange: a page may leave it out."""
    return local_symbol.partition(".")[0]
