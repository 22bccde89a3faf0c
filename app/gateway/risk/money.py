"""Loss, drawdown and margin of the account against the rules that limit them. Gateway process, event thread
only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from app.gateway.risk.crossings import Crossings
from app.gateway.risk.rulebook import Measured, measured
from app.lib.book import Money
from app.lib.risk import REFUSE, Rule
from app.model.store import Store, StoreFailed

SCOPE, PEAK = "risk", "peak"
KEY = ("account", "")

log = logging.getLogger("account.risk")


class MoneyWatch:
    """`look` with the money as it is, every second or so while there are rules."""

    def __init__(self, store: Store, crossings: Crossings) -> None:
        self._store = store
        self._crossings = crossings
        self._day = ""
        self._peak: float | None = None  # the day's highest equity, payments apart; None: not known yet
        self.watched: list[Measured] = []
        self.values: dict[str, float] = {}

    def begin(self, trading_day: str) -> None:
        kept = self._store.setting(SCOPE, PEAK, {})
        self._day = trading_day
        self._peak = kept["peak"] if kept.get("day") == trading_day else None
        self.values = {}

    def adopt(self, rules: Iterable[Rule]) -> None:
        """Those of the rules in force that are about money."""
        self.watched = [measured(rule, KEY) for rule in rules if rule.of == "money"]

    def look(self, money: Money) -> None:
        if not self.watched:
            return
        equity = float(money.balance - money.deposit + money.withdraw)
        if self._peak is None or equity > self._peak:
            self._peak = equity
            self._keep()
        lost = float(money.commission - money.close_profit - money.position_profit)
        self.values = {
            "day_loss": max(0.0, lost),
            "drawdown": (self._peak - equity) / self._peak if self._peak > 0 else 0.0,
            "margin_ratio": float(money.margin / money.balance)
            if money.balance > 0
            else float(money.margin > 0),
        }
        for one in self.watched:
            self._crossings.look(one, self.values[one.rule.measure])

    def refusing(self) -> Rule | None:
        """The first rule that keeps positions from being opened now."""
        for one in self.watched:
            if one.rule.action == REFUSE and self._crossings.level(one) == 2:
                return one.rule
        return None

    def _keep(self) -> None:
        try:
            self._store.put_setting(SCOPE, PEAK, {"day": self._day, "peak": self._peak})
        except StoreFailed as error:
            log.error("当日最高权益未能落盘：%s", error)
