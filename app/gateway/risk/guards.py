"""The guards that look at one order: does it meet our own, is it a duplicate, has the counter room for it, is
it too large or too far. Gateway process, event thread only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from app.gateway.risk.counting import Counting, RiskAccount
from app.gateway.risk.group import Met
from app.gateway.risk.rulebook import RuleBook
from app.gateway.risk.telling import DUPLICATE, LIMIT, REFUSED, WARNING, Finding
from app.lib import risk
from app.lib.risk import Rule
from app.lib.risk_counts import CANCELLED, Facts, Repeats, Slots


class OtherAccounts(Protocol):
    """The accounts of the same group (app/gateway/risk/group.py)."""

    def met_by(self, order: Facts, reach: float | None) -> Met | None: ...

    def change(self, facts: Facts) -> None: ...

    def renew(self, orders: Iterable[Facts]) -> None: ...

    def begin_day(self) -> None: ...


class SelfTradeGuard:
    """Orders that would trade with a resting one of ours."""

    def __init__(self, account: RiskAccount, counting: Counting, group: OtherAccounts | None) -> None:
        self._account = account
        self._counting = counting
        self._group = group

    def met(self, order: Facts) -> str:
        """The resting order that it would meet first; "" for none."""
        return self._counting.tally.resting.met_by(order.symbol, order.side, self._reach(order))

    def findings(self, rule: Rule, order: Facts) -> Iterator[Finding]:
        met = self.met(order)
        if not met or rule.action == risk.CANCEL:
            return
        own = self._counting.tally.order(met)
        price = f"，价 {own.price:g}" if own is not None else ""
        yield Finding(
            REFUSED,
            "RISK_SELF_TRADE",
            f"会与自己的挂单 {met}{price} 成交（自成交），报单未发出：请先撤那一张，或改价",
        )

    def findings_in_group(self, order: Facts) -> Iterator[Finding]:
        """Whatever the trader's own rules say: the group is the administrator's."""
        met = self._group.met_by(order, self._reach(order)) if self._group is not None else None
        if met is not None:
            yield Finding(
                REFUSED,
                "RISK_SELF_TRADE",
                f"会与同组账户 {met.account} 的挂单 {met.order_id}，价 {met.price:g} 成交（自成交），"
                "报单未发出：请改价",
            )

    def _reach(self, order: Facts) -> float | None:
        """The price up to which it may trade. A market order, which takes what is there, by the other side's
        best; None where that is not known.
        """
        if order.kind != "market":
            return order.price
        quote = self._account.quote(f"{order.symbol}.{order.exchange}")
        best = 0.0 if quote is None else quote.ask_price_1 if order.side == "buy" else quote.bid_price_1
        return best or None


class DuplicateGuard:
    """Equal orders within a moment. One that is cancelled by now is out of the way: who places it again means
    it; it counts as a duplicate all the same.
    """

    def __init__(self, book: RuleBook, counting: Counting) -> None:
        self._book = book
        self._counting = counting
        self._repeats = Repeats(risk.LONGEST_WINDOW)

    def findings(self, rule: Rule, order: Facts, now: float) -> Iterator[Finding]:
        if rule.action != risk.REFUSE:
            return
        equal = self._standing(order, rule.seconds, now)
        if equal + 1 >= rule.limit:
            text = f"{rule.seconds:g} 秒内第 {equal + 1} 张相同的报单（重复报单），报单未发出"
            yield Finding(REFUSED, "RISK_DUPLICATE", text)

    def sent(self, order: Facts, now: float) -> Finding | None:
        """It has left: counted where it is one, and what is to be told of it."""
        seconds = self._book.repeat_seconds
        equal = self._repeats.before(order, seconds, now)
        standing = self._standing(order, seconds, now) if equal else 0
        self._repeats.add(order, now)
        if not equal:
            return None
        rule = self._book.one("repeat")
        self._counting.tally.duplicate(order)
        if rule is None or not standing or not rule.level(equal + 1):
            return None
        text = f"{seconds:g} 秒内第 {equal + 1} 张相同的报单（重复报单）"
        return Finding(DUPLICATE, "RISK_DUPLICATE", text, rule.id)

    def _standing(self, order: Facts, seconds: float, now: float) -> int:
        return self._repeats.before(order, seconds, now, self._still_counts)

    def _still_counts(self, order_id: str) -> bool:
        known = self._counting.tally.order(order_id)
        return known is None or known.end != CANCELLED


class FlowGuard:
    """The counter's budget of orders and cancels."""

    def __init__(self) -> None:
        self._slots = Slots(risk.LONGEST_WINDOW)

    def wait(self, rule: Rule, now: float) -> float:
        """Seconds until there is room for one more."""
        return max(0.0, self._slots.next(int(rule.limit), rule.seconds, now) - now)

    def keep(self, moment: float) -> None:
        """One leaves at that moment, be there room or not."""
        self._slots.take(moment)


class OrderGuard:
    """An order by itself: its lots, its value, its price."""

    def __init__(self, account: RiskAccount) -> None:
        self._account = account

    def findings(self, rules: tuple[Rule, ...], order: Facts) -> Iterator[Finding]:
        for rule in rules:
            value = self._value(rule.measure, order)
            if value > rule.limit:
                text = f"{rule.text} {value:g}，超过 {rule.limit:g}"
                if rule.action == risk.REFUSE:
                    yield Finding(REFUSED, "RISK_ORDER", f"{text}，报单未发出", rule.id)
                else:
                    yield Finding(LIMIT, "RISK_LIMIT", text, rule.id)
            elif rule.warn and value > rule.warn * rule.limit:
                yield Finding(WARNING, "RISK_WARNING", f"{rule.text} {value:g}，限 {rule.limit:g}", rule.id)

    def _value(self, measure: str, order: Facts) -> float:
        if measure == "order_lots":
            return order.volume
        local_symbol = f"{order.symbol}.{order.exchange}"
        quote = self._account.quote(local_symbol)
        last = quote.last_price if quote is not None else 0.0
        price = order.price if order.kind != "market" else last
        if measure == "order_value":
            contract = self._account.contract(local_symbol)
            return price * order.volume * (float(contract.size) if contract is not None else 1.0)
        return abs(price - last) / last if last else 0.0
