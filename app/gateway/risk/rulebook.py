"""The rules in force, and which of them an order is measured by: sorted out once for each contract and
strategy, so that an order looks nothing up. Gateway process, event thread only.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

from app.lib import risk
from app.lib.risk import Rule
from app.lib.risk_counts import Facts, Key, keys_of
from app.lib.symbols import product_of
from app.lib.thresholds import Threshold, Thresholds
from app.model.store import Store

SCOPE, RULES = "risk", "rules"

log = logging.getLogger("account.risk")


class Measured(NamedTuple):
    """A rule and what it counts."""

    rule: Rule
    key: Key
    of: str  # the rule's
    floor: float  # below it there is nothing to tell
    name: str  # among the crossings


class Fitting(NamedTuple):
    """What an order of one contract and strategy is measured by, by when it is asked."""

    self_trade: Rule | None
    repeat: Rule | None
    flow: Rule | None
    order: tuple[Rule, ...]  # of the order by itself
    refusing: tuple[Measured, ...]  # counts that keep a position from being opened
    watched: tuple[Measured, ...]  # counts that are looked at as orders change
    changed_by: dict[str, list[Measured]]  # those that change with a count of an order's life


class RuleBook:
    """The exchanges' numbers (`rows`), the guards, and over them the trader's `own` rules, as he wrote
    them.
    """

    def __init__(self, store: Store, rows: Iterable[Threshold], day: date) -> None:
        self._store = store
        self._rows = tuple(rows)
        self.own: list[dict[str, Any]] = store.setting(SCOPE, RULES, [])
        self.thresholds = Thresholds(self._rows, day)
        self._adopt()

    def begin(self, day: date) -> None:
        """The rules in force on a trading day: most days those of the day before."""
        if not self.thresholds.hold_on(day):
            self.thresholds = Thresholds(self._rows, day)
            self._adopt()

    def write(self, entries: Any, beside: dict[str, Any] | None = None) -> None:
        """The trader's own rules anew, and other settings of this scope with them. Raises BadInput and
        StoreFailed; then all is as it was.
        """
        kept = risk.checked_rules(entries, self._defaults())
        self._store.put_settings(SCOPE, {RULES: kept} | (beside or {}))
        self.own = kept
        self._adopt()
        log.info("风控规则已修改：%d 条", len(kept))

    def _adopt(self) -> None:
        self.rules = risk.merged(self.own, self._defaults())
        self._by_measure = {rule.measure: rule for rule in self.rules if rule.of != "day"}
        self._large: dict[str, Threshold | None] = {}
        self._fits: dict[tuple[str, str, str], Fitting] = {}

    def _defaults(self) -> list[Rule]:
        """Those of nobody's own."""
        return risk.default_rules(self.thresholds.rows)

    def one(self, measure: str) -> Rule | None:
        """The rule of a measure of which there is one at most."""
        return self._by_measure.get(measure)

    def longest(self, measure: str) -> float:
        """How many seconds the rules of this rate look back, 0 where there is none."""
        return max((rule.seconds for rule in self.rules if rule.measure == measure), default=0.0)

    @property
    def repeat_seconds(self) -> float:
        """Within how many equal orders are duplicates."""
        rule = self.one("repeat")
        return rule.seconds if rule is not None else risk.REPEAT_SECONDS

    def fitting(self, symbol: str, exchange: str, strategy: str) -> Fitting:
        """What an order in this contract, by this strategy, is measured by."""
        found = self._fits.get((symbol, exchange, strategy))
        if found is None:
            found = self._fits[symbol, exchange, strategy] = self._sorted_out(symbol, exchange, strategy)
        return found

    def _sorted_out(self, symbol: str, exchange: str, strategy: str) -> Fitting:
        keys, product = dict(keys_of(symbol, exchange, strategy)), product_of(symbol)
        rules = [rule for rule in self.rules if rule.fits(symbol, exchange, product, strategy)]
        watched = tuple(
            measured(rule, (rule.scope, keys[rule.scope])) for rule in rules if rule.measure in risk.WATCHED
        )
        changed_by: defaultdict[str, list[Measured]] = defaultdict(list)
        for one in watched:
            for count in one.rule.changed_by:
                changed_by[count].append(one)
        own = {rule.measure: rule for rule in rules}
        return Fitting(
            self_trade=own.get("self_trade"),
            repeat=own.get("repeat"),
            flow=own.get("flow"),
            order=tuple(rule for rule in rules if rule.of == "order" and rule.measure != "self_trade"),
            refusing=tuple(one for one in watched if one.rule.action == risk.REFUSE),
            watched=watched,
            changed_by=dict(changed_by),
        )

    def is_large(self, facts: Facts, largest: float) -> bool:
        """Whether its cancel is a large one; `largest`: of one order in that contract, 0 where that is not
        known.
        """
        if facts.symbol not in self._large:
            row = self.thresholds.of("large_cancels", facts.exchange, product_of(facts.symbol))
            self._large[facts.symbol] = row
        row = self._large[facts.symbol]
        return row is not None and row.is_large(facts.volume - facts.traded, largest)


def measured(rule: Rule, key: Key) -> Measured:
    """A rule of counts, made ready for looking at it."""
    return Measured(rule, key, rule.of, rule.limit * (rule.warn or 1.0), f"{rule.id} {key[1]}")
