"""The gate: every order is judged here before the desk sends it, whoever sends it. Gateway process, event
thread only.

An order counts once it has left: one that is judged and then not sent counts nowhere. What is counted, which
rules fit, what the guards find and how it is told are the files beside this one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from ctpbee.constant import OrderData, OrderRequest, TradeData

from app.gateway.risk.counting import (
    CANCELS,
    ORDERS,
    Counting,
    RiskAccount,
    facts_of_order,
    facts_of_request,
    not_kept,
)
from app.gateway.risk.crossings import Crossings
from app.gateway.risk.guards import DuplicateGuard, FlowGuard, OrderGuard, OtherAccounts, SelfTradeGuard
from app.gateway.risk.limits import StrategyLimits
from app.gateway.risk.money import MoneyWatch
from app.gateway.risk.rulebook import Fitting, Measured, RuleBook
from app.gateway.risk.states import State, States, strictness, whose, why_not
from app.gateway.risk.telling import LIMIT, REFUSED, STATE, WARNING, Finding, Telling
from app.gateway.risk.verdict import GO, Verdict
from app.lib import risk
from app.lib.calendar import SHANGHAI, parse_day
from app.lib.errors import OrderRefused
from app.lib.risk_counts import STRATEGY, Facts
from app.lib.thresholds import Threshold
from app.model.store import Store
from app.wire import deadlines

OUT_OF_TURN = "RISK_FLOW"
GO_ON = "开仓报单未发出；平仓与撤单照常"


class Gate:
    """`now` is the counter's clock, `clock` a steady one. `told(event)` hears each crossing, refusal and
    change of state, as the `risk` event has it. `group`: accounts that must not trade with this one.
    `keep(scope, key, value)` writes a setting soon.
    """

    def __init__(
        self,
        *,
        store: Store,
        account: RiskAccount,
        thresholds: Iterable[Threshold],
        now: Callable[[], datetime],
        told: Callable[[dict[str, Any]], None],
        clock: Callable[[], float] = time.monotonic,
        group: OtherAccounts | None = None,
        keep: Callable[[str, str, Any], None] = not_kept,
    ) -> None:
        self._group = group
        self._clock = clock
        self.trading_day = ""
        self.telling = Telling(told)
        self.states = States(store, now)
        self.book = RuleBook(store, thresholds, datetime.now(SHANGHAI).date())
        self.counting = Counting(
            store=store, account=account, book=self.book, now=now, clock=clock, keep=keep
        )
        self.limits = StrategyLimits(
            store,
            account.held,
            account.opening,
            lambda name, seconds: self.counting.rate(ORDERS, name, seconds),
        )
        self.crossings = Crossings(store, self._on_crossing)
        self.money = MoneyWatch(store, self.crossings)
        self.money.adopt(self.book.rules)
        self._self_trades = SelfTradeGuard(account, self.counting, group)
        self._duplicates = DuplicateGuard(self.book, self.counting)
        self._flow = FlowGuard()
        self._orders = OrderGuard(account)

    def write(self, entries: Any, beside: dict[str, Any] | None = None) -> None:
        """The trader's own rules anew, and settings that are kept with them or not at all. Raises BadInput
        and StoreFailed; then all is as it was.
        """
        self.book.write(entries, beside)
        self.money.adopt(self.book.rules)
        self._look_at_all()

    # ── judging ──

    def judge(
        self, request: OrderRequest, strategy: str, deadline: float = 0.0, has_turn: bool = False
    ) -> Verdict:
        """Before the order is journalled and sent. `has_turn`: it has waited for its turn already. Raises
        OrderRefused: nothing leaves then.
        """
        now, order = self._clock(), facts_of_request(request, strategy)
        fitting = self.book.fitting(order.symbol, order.exchange, strategy)
        for finding in self._findings(order, fitting, now):
            self.telling.of_order(finding, order, now)
            if finding.what == REFUSED:
                raise OrderRefused(finding.text, code=finding.code)
        if fitting.self_trade is not None and fitting.self_trade.action == risk.CANCEL:
            met = self._self_trades.met(order)
            if met:
                return Verdict(cancel=met)  # all of it is judged anew then
        if fitting.flow is not None and fitting.flow.action == risk.DELAY and not has_turn:
            return Verdict(wait=self._turn(fitting.flow, order, now, deadline))
        return GO

    def preview(self, request: OrderRequest, strategy: str = "") -> list[Finding]:
        """What would be said of it if it were sent now, and which of its counts are near a limit already.
        Nothing is told, counted or kept by it.
        """
        now, order = self._clock(), facts_of_request(request, strategy)
        fitting = self.book.fitting(order.symbol, order.exchange, strategy)
        found = list(self._findings(order, fitting, now))
        if fitting.self_trade is not None and fitting.self_trade.action == risk.CANCEL:
            met = self._self_trades.met(order)
            if met:
                found.append(
                    Finding(WARNING, "RISK_SELF_TRADE", f"会先撤自己的挂单 {met}，再报", "self_trade")
                )
        if fitting.flow is not None and fitting.flow.action == risk.DELAY:
            wait = self._flow.wait(fitting.flow, now)
            if wait:
                found.append(Finding(WARNING, OUT_OF_TURN, f"流控排队要 {wait:.1f} 秒", fitting.flow.id))
        refused = {finding.rule for finding in found}
        return found + [one for one in self._near(fitting, order) if one.rule not in refused]

    def _near(self, fitting: Fitting, order: Facts) -> Iterator[Finding]:
        """Of the counts that an order adds to."""
        for measured in fitting.watched:
            rule, value = measured.rule, self.counting.value(measured, order.symbol, order.strategy)
            level = rule.level(value)
            if level:
                text = f"{measured.key[1] or '账户'} {rule.text} {value:g}，限 {rule.limit:g}"
                code = "RISK_WARNING" if level < 2 else "RISK_LIMIT"
                yield Finding(WARNING if level < 2 else LIMIT, code, text, rule.id)

    def _findings(self, order: Facts, fitting: Fitting, now: float) -> Iterator[Finding]:
        """What there is to say of it, in the order in which it is judged."""
        stopped = self._of_state(order)
        if stopped is not None:
            yield stopped
        if order.strategy:
            yield from self.limits.findings(order)
        if fitting.self_trade is not None:
            yield from self._self_trades.findings(fitting.self_trade, order)
        if self._group is not None:
            yield from self._self_trades.findings_in_group(order)
        if fitting.repeat is not None:
            yield from self._duplicates.findings(fitting.repeat, order, now)
        if fitting.order:
            yield from self._orders.findings(fitting.order, order)
        if order.is_open:
            if fitting.refusing:
                yield from self._of_counts(fitting.refusing, order)
            yield from self._of_money()

    def _of_state(self, order: Facts) -> Finding | None:
        name, state = self.states.judged(order.strategy)
        why = why_not(name, state, order.is_open)
        if not why:
            return None
        code = "RISK_HALTED" if state.state == risk.HALTED else "RISK_REDUCE_ONLY"
        return Finding(REFUSED, code, f"{why}，报单未发出")

    def _of_counts(self, refusing: tuple[Measured, ...], order: Facts) -> Iterator[Finding]:
        """Opens alone: what counts orders never keeps a position from being closed."""
        for measured in refusing:
            rule = measured.rule
            value = self.counting.value(measured, order.symbol, order.strategy)
            if rule.measure in ("held", "opened"):
                beyond = value + order.volume > rule.limit
            else:
                beyond = value >= rule.limit
            if beyond:
                text = f"{rule.text} {value:g}，限 {rule.limit:g}，{GO_ON}"
                yield Finding(REFUSED, "RISK_LIMIT", text, rule.id)

    def _of_money(self) -> Iterator[Finding]:
        rule = self.money.refusing()
        if rule is not None:
            yield Finding(REFUSED, "RISK_LIMIT", f"{rule.text}已到 {rule.limit:g}，{GO_ON}", rule.id)

    def _turn(self, rule: risk.Rule, order: Facts, now: float, deadline: float) -> float:
        """Seconds until it is this order's turn, which is kept for it."""
        wait = self._flow.wait(rule, now)
        if not wait:
            return 0.0
        if deadline and deadlines.now() + wait > deadline:
            finding = Finding(REFUSED, OUT_OF_TURN, f"流控排队要 {wait:.1f} 秒，超过时限，报单未发出")
            self.telling.of_order(finding, order, now)
            raise OrderRefused(finding.text, code=finding.code)
        self._flow.keep(now + wait)
        return wait

    # ── what has left ──

    def sent(self, order_id: str, request: OrderRequest, strategy: str, has_turn: bool = False) -> None:
        """The order has left: it counts from now on, before anybody has said a word of it."""
        now, order = self._clock(), facts_of_request(request, strategy, order_id)
        self.counting.sent(ORDERS, strategy, now)
        if not has_turn:
            self._flow.keep(now)
        duplicate = self._duplicates.sent(order, now)
        if duplicate is not None:
            self.telling.of_order(duplicate, order, now, order_id=order_id)
        changed = [ORDERS, "duplicates"]
        if not self.counting.tally.knows(order_id):
            changed += self._apply(order)
        self._look(order.symbol, order.exchange, strategy, changed)

    def cancel_sent(self, order_id: str) -> None:
        """A cancel has left. None is ever judged."""
        now, order = self._clock(), self.counting.tally.order(order_id)
        self.counting.cancelled(order.strategy if order is not None else "", now)
        self._flow.keep(now)
        if order is not None:
            self._look(order.symbol, order.exchange, order.strategy, [CANCELS])

    # ── what is heard ──

    def on_order(self, order: OrderData) -> None:
        """An order of the day has changed, whoever sent it."""
        if order.trading_day != self.trading_day:
            return
        facts = facts_of_order(order)
        changed = self._apply(facts)
        if changed:
            self._look(facts.symbol, facts.exchange, facts.strategy, changed)

    def _apply(self, facts: Facts) -> Collection[str]:
        if self._group is not None:
            self._group.change(facts)
        return self.counting.tally.apply(facts)

    def on_trade(self, trade: TradeData) -> None:
        if trade.trading_day == self.trading_day and self.counting.trade(trade):
            self._look(trade.symbol, trade.exchange.value, "", ["self_trades"])

    def on_day(self, trading_day: str) -> None:
        """Another trading day: all counts begin anew; states stay."""
        if trading_day == self.trading_day:
            return
        self.trading_day = trading_day
        self.book.begin(parse_day(trading_day))
        self.counting.begin()
        if self._group is not None:
            self._group.begin_day()
            self._group.renew([])
        self.crossings.begin(trading_day)
        self.money.begin(trading_day)
        self.money.adopt(self.book.rules)

    def loaded(self) -> None:
        """The account has loaded: the counts anew."""
        self.counting.derive(self.trading_day)
        if self._group is not None:
            self._group.renew(self.counting.tally.orders())
        self._look_at_all()

    # ── crossings ──

    def _look(self, symbol: str, exchange: str, strategy: str, changed: Iterable[str]) -> None:
        """Whether a limit has been come to, or near to, with the counts that have changed."""
        changed_by = self.book.fitting(symbol, exchange, strategy).changed_by
        if not changed_by:
            return
        for count in changed:
            for measured in changed_by.get(count, ()):
                self.crossings.look(measured, self.counting.value(measured, symbol, strategy))

    def _look_at_all(self) -> None:
        for symbol, exchange, strategy in self.counting.tally.groups():
            for measured in self.book.fitting(symbol, exchange, strategy).watched:
                self.crossings.look(measured, self.counting.value(measured, symbol, strategy))

    def _on_crossing(self, measured: Measured, level: int, value: float) -> None:
        rule, (scope, name) = measured.rule, measured.key
        what = f"{name or '账户'} {rule.text} {value:g}，限 {rule.limit:g}"
        source = f"（{rule.source}）" if rule.source else ""
        more = {"rule": rule.id, "scope": scope, "name": name, "value": value, "limit": rule.limit}
        if level < 2:
            self.telling.say(WARNING, "RISK_WARNING", f"{what}：已到 {rule.warn:.0%}{source}", **more)
            return
        self.telling.say(LIMIT, "RISK_LIMIT", f"{what}：已到{source}", **more)
        state = risk.STATE_OF.get(rule.action)
        strategy = name if scope == STRATEGY else ""
        if state is not None and risk.STATES.index(state) > strictness(self.states.of(strategy)):
            self.change_state(strategy, state, f"规则 {rule.id}", what)

    def change_state(self, strategy: str, state: str, who: str, why: str) -> None:
        """Of the account ("") or of a strategy."""
        new = self.states.change(strategy, state, who, why)
        self._tell_state(strategy, new)

    def strategy_deleted(self, strategy: str) -> None:
        """Another of its name begins as any other does, whoever had stopped this one."""
        was = self.states.of(strategy)
        self.states.forget(strategy)
        if strictness(was):
            self._tell_state(strategy, State(who="删除策略", when=self.states.now_text()))

    def _tell_state(self, strategy: str, new: State) -> None:
        by = "，".join(filter(None, (new.who, new.why)))
        text = f"{whose(strategy)}：{risk.STATE_TEXT[new.state]}，{by}"
        scope = "strategy" if strategy else "account"
        self.telling.say(STATE, "RISK_STATE", text, scope=scope, name=strategy, **new._asdict())
