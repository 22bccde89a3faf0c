"""Which limits have been come to, or near to, today: each crossing is told once, over restarts too. Gateway
process, event thread only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from app.gateway.risk.rulebook import Measured
from app.model.store import Store, StoreFailed

SCOPE, TOLD = "risk", "told"

log = logging.getLogger("account.risk")


class Crossings:
    """`on_crossing(measured, level, value)`: 1 near the limit, 2 at it. What falls may cross again; what
    the day counts never falls.
    """

    def __init__(self, store: Store, on_crossing: Callable[[Measured, int, float], None]) -> None:
        self._store = store
        self._on_crossing = on_crossing
        self._day = ""
        self._levels: dict[str, int] = {}

    def begin(self, trading_day: str) -> None:
        """What an earlier process has told of this day stays told."""
        kept = self._store.setting(SCOPE, TOLD, {})
        self._day = trading_day
        self._levels = dict(kept.get("levels", {})) if kept.get("day") == trading_day else {}

    def look(self, measured: Measured, value: float) -> None:
        if value < measured.floor and measured.name not in self._levels:
            return
        rule, name = measured.rule, measured.name
        level, before = rule.level(value), self._levels.get(name, 0)
        if level == before:
            return
        if level < before and measured.of == "day" and rule.measure != "otr":
            return  # a cancel that came to nothing: it was told of all the same
        self._levels[name] = level
        if rule.of != "rate":  # those are forgotten in a moment
            self._keep()
        if level > before:
            self._on_crossing(measured, level, value)

    def level(self, measured: Measured) -> int:
        return self._levels.get(measured.name, 0)

    def _keep(self) -> None:
        try:
            self._store.put_setting(SCOPE, TOLD, {"day": self._day, "levels": self._levels})
        except StoreFailed as error:
            log.error("风控的提醒未能落盘，重启后可能再提醒一次：%s", error)
