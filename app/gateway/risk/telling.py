"""How what the gate finds is told: a line of the log and the `risk` event. Gateway process, event thread
only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from app.lib.risk_counts import Facts

WARNING, LIMIT, REFUSED, DUPLICATE, STATE = "warning", "limit", "refused", "duplicate", "state"
QUIET = 1.0  # seconds between two lines that say the same of the same

log = logging.getLogger("account.risk")


class Finding(NamedTuple):
    """What is to be said of an order: `what` REFUSED keeps it from leaving."""

    what: str
    code: str
    text: str
    rule: str = ""  # its id


class Telling:
    """`told(event)` hears all of it, as the `risk` event has it."""

    def __init__(self, told: Callable[[dict[str, Any]], None]) -> None:
        self.told = told
        self._quiet_until: dict[tuple[str, ...], float] = {}

    def of_order(self, finding: Finding, order: Facts, now: float, **more: Any) -> None:
        """The same of the same contract and strategy is said once a second."""
        about = (finding.code, order.symbol, order.strategy, finding.rule)
        if now < self._quiet_until.get(about, 0.0):
            return
        self._quiet_until[about] = now + QUIET
        side = "买" if order.side == "buy" else "卖"
        self.say(
            finding.what,
            finding.code,
            f"{order.symbol} {side} {order.volume} 手：{finding.text}",
            local_symbol=f"{order.symbol}.{order.exchange}",
            side=order.side,
            price=order.price,
            volume=order.volume,
            strategy=order.strategy,
            rule=finding.rule,
            **more,
        )

    def say(self, what: str, code: str, text: str, **more: Any) -> None:
        level = logging.ERROR if what == REFUSED else logging.WARNING
        log.log(level, "风控：%s", text, extra={"owner": more.get("strategy") or "risk"})
        self.told({"what": what, "code": code, "msg": text, **more})
