"""The gate: every order is judged here before the desk sends it, whoever sends it. Gateway process, event
thread only.

What it counts is derived from the orders that the ledger and the journal have of the trading day
(app/lib/risk_counts.py), so that a restart, a replay and other terminals of the account change nothing of
it; only rates remember for themselves, and take up the journal's intents. An order counts once it has left:
one that is judged and then not sent counts nowhere.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from ctpbee.constant import ContractData, Direction, Offset, OrderRequest, OrderType, TickData

from app.bee.fields import TYPE_WORD
from app.gateway.risk.crossings import Crossings
from app.gateway.risk.limits import StrategyLimits
from app.gateway.risk.money import MoneyWatch
from app.gateway.risk.states import States, strictness, whose, why_not
from app.gateway.risk.verdict import Verdict
from app.lib import risk
from app.lib.calendar import SHANGHAI, parse_day
from app.lib.errors import OrderRefused
from app.lib.risk import Rule
from app.lib.risk_counts import (
    CANCELLED,
    STRATEGY,
    Facts,
    Key,
    Repeats,
    Slots,
    Tally,
    Window,
    facts_of,
    keys_of,
)
from app.lib.symbols import product_of
from app.lib.thresholds import Threshold, Thresholds
from app.model.store import Store
from app.wire import deadlines

SCOPE, RULES = "risk", "rules"
OUT_OF_TURN = "RISK_FLOW"
ORDERS, CANCELS = "order_rate", "cancel_rate"
QUIET = 1.0  # seconds between two lines of the log that say the same of the same

log = logging.getLogger("account.risk")

Row = Mapping[str, Any]


class RiskAccount(Protocol):
    """What of the account is asked here; `held` is lots in both directions, of a strategy or ("") of all."""

    def contract(self, symbol: str) -> ContractData | None: ...

    def quote(self, local_symbol: str) -> TickData | None: ...

    def order_rows(self) -> Iterable[Row]: ...

    def trade_rows(self) -> Iterable[Row]: ...

    def journal_rows(self, trading_day: str) -> Iterable[Row]: ...

    def held(self, strategy: str, symbol: str) -> int: ...

    def opening(self, strategy: str, symbol: str) -> int: ...


class _Fitting(NamedTuple):
    """A rule, and what it counts for one contract and strategy. `floor`: below it there is nothing to tell;
    None: not of what is looked at.
    """

    rule: Rule
    key: Key
    floor: float | None


class Gate:
    """`now` is the counter's clock, `clock` a steady one. `told(event)` hears each crossing, refusal and
    change of state, as the `risk` event has it.
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
    ) -> None:
        self._store = store
        self._account = account
        self._rows_of_thresholds = tuple(thresholds)
        self._now = now
        self._told = told
        self._clock = clock
        self.trading_day = ""
        self.states = States(store, now)
        self.limits = StrategyLimits(
            store, account.held, account.opening, lambda name, seconds: self._rate(ORDERS, name, seconds)
        )
        self._window = Window(risk.LONGEST_WINDOW)
        self._slots = Slots()
        self._repeats = Repeats(risk.LONGEST_WINDOW)
        self._quiet_until: dict[tuple[str, ...], float] = {}
        self._recalled = False
        self.crossings = Crossings(store, self._on_crossing)
        self.money = MoneyWatch(store, self.crossings)
        self._own: list[dict[str, Any]] = store.setting(SCOPE, RULES, [])
        self.tally = Tally(self._is_large)
        self._adopt()

    # ── rules ──

    def write(self, entries: Any) -> None:
        """The trader's own rules anew. Raises BadInput; then all is as it was."""
        kept = risk.checked_rules(entries, self.defaults())
        self._store.put_setting(SCOPE, RULES, kept)
        self._own = kept
        self._adopt()
        log.info("风控规则已修改：%d 条", len(kept))

    def defaults(self) -> list[Rule]:
        """Those of nobody's own."""
        return risk.default_rules(self.thresholds.rows)

    def _adopt(self) -> None:
        """The rules in force for this day."""
        day = parse_day(self.trading_day) if self.trading_day else datetime.now(SHANGHAI).date()
        self.thresholds = Thresholds(self._rows_of_thresholds, day)
        self.rules = risk.merged(self._own, self.defaults())
        self._by_measure: dict[str, Rule] = {rule.measure: rule for rule in self.rules if rule.of != "day"}
        self._fits: dict[tuple[str, str], list[_Fitting]] = {}
        self.money.rules = [rule for rule in self.rules if rule.of == "money"]

    def fitting(self, symbol: str, exchange: str, strategy: str) -> list[_Fitting]:
        """The rules of counts and of orders that an order in this contract, by this strategy, is measured
        by.
        """
        found = self._fits.get((symbol, strategy))
        if found is None:
            keys = dict(keys_of(symbol, exchange, strategy))
            found = self._fits[symbol, strategy] = [
                _Fitting(rule, (rule.scope, keys[rule.scope]), _floor(rule))
                for rule in self.rules
                if rule.of != "money" and rule.fits(symbol, exchange, product_of(symbol), strategy)
            ]
        return found

    def _is_large(self, facts: Facts) -> bool:
        row = self.thresholds.of("large_cancels", facts.exchange, product_of(facts.symbol))
        if row is None:
            return False
        contract = self._account.contract(facts.symbol)
        largest = float(contract.max_limit_order_volume) if contract is not None else 0.0
        return row.is_large(facts.volume - facts.traded, largest)

    # ── judging ──

    def judge(
        self, request: OrderRequest, strategy: str, deadline: float = 0.0, has_turn: bool = False
    ) -> Verdict:
        """Before the order is journalled and sent. `has_turn`: it has waited for its turn already. Raises
        OrderRefused: nothing leaves then.
        """
        order = _facts(request, strategy)
        self._check_state(order)
        if strategy:
            self.limits.check(order)
        now, fitting = self._clock(), self.fitting(order.symbol, order.exchange, strategy)
        verdict = Verdict()
        for rule, key, _floor_of_it in fitting:
            if rule.measure == "self_trade":
                verdict = verdict._replace(cancel=self._check_self_trade(rule, order))
            elif rule.measure == "repeat":
                self._check_repeat(rule, order, now)
            elif rule.measure == "flow":
                if rule.action == risk.DELAY and not has_turn:
                    verdict = verdict._replace(wait=self._turn(rule, order, now, deadline))
            elif rule.of == "order":
                self._check_order(rule, order)
            elif rule.action == risk.REFUSE and order.is_open:
                self._check_count(rule, key, order, now)
        if order.is_open:
            self._check_money(order)
        return verdict

    def _check_state(self, order: Facts) -> None:
        name, state = self.states.judged(order.strategy)
        why = why_not(name, state, order.is_open)
        if why:
            code = "RISK_HALTED" if state.state == risk.HALTED else "RISK_REDUCE_ONLY"
            raise self._refusal(code, f"{why}，报单未发出", order)

    def _check_self_trade(self, rule: Rule, order: Facts) -> str:
        """The resting order that is to be cancelled first; "" for none."""
        met = self.tally.resting.met_by(order.symbol, order.side, self._reach(order))
        if not met:
            return ""
        if rule.action == risk.CANCEL:
            return met
        own = self.tally.order(met)
        price = f"，价 {own.price:g}" if own is not None else ""
        raise self._refusal(
            "RISK_SELF_TRADE",
            f"会与自己的挂单 {met}{price} 成交（自成交），报单未发出：请先撤那一张，或改价",
            order,
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

    def _check_repeat(self, rule: Rule, order: Facts, now: float) -> None:
        equal = self._repeats.before(order, rule.seconds, now, self._still_counts)
        if rule.action == risk.REFUSE and equal + 1 >= rule.limit:
            raise self._refusal(
                "RISK_DUPLICATE",
                f"{rule.seconds:g} 秒内第 {equal + 1} 张相同的报单（重复报单），报单未发出",
                order,
            )

    def _still_counts(self, order_id: str) -> bool:
        """One that is cancelled by now is out of the way: who places it again means it."""
        known = self.tally.order(order_id)
        return known is None or known.end != CANCELLED

    def _turn(self, rule: Rule, order: Facts, now: float, deadline: float) -> float:
        """Seconds until it is this order's turn, which is kept for it."""
        turn = self._slots.next(int(rule.limit), rule.seconds, now)
        if turn <= now:
            return 0.0
        if deadline and deadlines.now() + (turn - now) > deadline:
            raise self._refusal(OUT_OF_TURN, f"流控排队要 {turn - now:.1f} 秒，超过时限，报单未发出", order)
        self._slots.take(turn)
        return turn - now

    def _check_order(self, rule: Rule, order: Facts) -> None:
        value = self._value_of_order(rule.measure, order)
        if value <= rule.limit:
            if rule.warn and value > rule.warn * rule.limit:
                self._tell(
                    "warning",
                    "RISK_WARNING",
                    f"{rule.text} {value:g}，限 {rule.limit:g}",
                    order,
                    rule=rule.id,
                )
            return
        text = f"{rule.text} {value:g}，超过 {rule.limit:g}"
        if rule.action == risk.REFUSE:
            raise self._refusal("RISK_ORDER", f"{text}，报单未发出", order, rule)
        self._tell("limit", "RISK_LIMIT", text, order, rule=rule.id)

    def _value_of_order(self, measure: str, order: Facts) -> float:
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

    def _check_count(self, rule: Rule, key: Key, order: Facts, now: float) -> None:
        """Opens alone: what counts orders never keeps a position from being closed."""
        value = self._value(rule, key, order.symbol, order.strategy, now)
        if rule.measure in ("held", "opened"):
            beyond = value + order.volume > rule.limit
        else:
            beyond = value >= rule.limit
        if beyond:
            text = f"{rule.text} {value:g}，限 {rule.limit:g}"
            raise self._refusal("RISK_LIMIT", f"{text}，开仓报单未发出；平仓与撤单照常", order, rule)

    def _check_money(self, order: Facts) -> None:
        rule = self.money.refusing()
        if rule is not None:
            text = f"{rule.text}已到 {rule.limit:g}"
            raise self._refusal("RISK_LIMIT", f"{text}，开仓报单未发出；平仓与撤单照常", order, rule)

    def _refusal(self, code: str, text: str, order: Facts, rule: Rule | None = None) -> OrderRefused:
        self._tell("refused", code, text, order, rule=rule.id if rule else "")
        return OrderRefused(text, code=code)

    # ── what has left ──

    def sent(self, order_id: str, request: OrderRequest, strategy: str, has_turn: bool = False) -> None:
        """The order has left: it counts from now on, before anybody has said a word of it."""
        now, order = self._clock(), _facts(request, strategy, order_id)
        self._window.add(ORDERS, now)
        if strategy:
            self._window.add(f"{ORDERS} {strategy}", now)
        if not has_turn:
            self._slots.take(now)
        self._find_repeat(order, now)
        self._repeats.add(order, now)
        if not self.tally.knows(order_id):
            self.tally.apply(order)
        self._look(order.symbol, order.exchange, strategy)

    def _find_repeat(self, order: Facts, now: float) -> None:
        rule = self._by_measure.get("repeat")
        seconds = rule.seconds if rule is not None else 1.0
        equal = self._repeats.before(order, seconds, now, lambda _order_id: True)
        if not equal:
            return
        self.tally.duplicate(order)
        if (
            rule is not None
            and rule.level(equal + 1)
            and self._repeats.before(order, seconds, now, self._still_counts)
        ):
            text = f"{seconds:g} 秒内第 {equal + 1} 张相同的报单（重复报单）"
            self._tell("duplicate", "RISK_DUPLICATE", text, order, rule=rule.id, order_id=order.order_id)

    def cancel_sent(self, order_id: str) -> None:
        """A cancel has left. None is ever judged."""
        now = self._clock()
        order = self.tally.order(order_id)
        self._window.add(CANCELS, now)
        self._slots.take(now)
        if order is None:
            return
        if order.strategy:
            self._window.add(f"{CANCELS} {order.strategy}", now)
        self._look(order.symbol, order.exchange, order.strategy)

    # ── what is heard ──

    def on_order(self, row: Row) -> None:
        """An order of the day has changed, whoever sent it."""
        if row["trading_day"] != self.trading_day:
            return
        facts = facts_of(row)
        if self.tally.apply(facts):
            self._look(facts.symbol, facts.exchange, facts.strategy)

    def on_trade(self, row: Row) -> None:
        if row["trading_day"] == self.trading_day and self._count_trade(row):
            self._look(row["symbol"], row["exchange"], "")

    def _count_trade(self, row: Row) -> bool:
        return self.tally.trade(row["exchange"], row["tradeid"], row["symbol"], row["direction"])

    def on_day(self, trading_day: str) -> None:
        """Another trading day: all counts begin anew; states stay."""
        if trading_day == self.trading_day:
            return
        self.trading_day = trading_day
        self._adopt()
        self.tally = Tally(self._is_large)
        self.crossings.begin(trading_day)
        self.money.begin(trading_day)

    def loaded(self) -> None:
        """The account has loaded: the counts anew, from the journal's orders of the day and the ledger's."""
        repeats = self._intents_again()
        tally = Tally(self._is_large)
        newest = {row["order_id"]: row for row in self._account.journal_rows(self.trading_day)}
        newest |= {row["order_id"]: row for row in self._account.order_rows()}
        for row in newest.values():
            tally.apply(facts_of(row))
        self.tally = tally
        for row in self._account.trade_rows():
            self._count_trade(row)
        for facts in repeats:
            tally.duplicate(facts)
        for order in {(row["symbol"], row["exchange"], row.get("strategy") or "") for row in newest.values()}:
            self._look(*order)

    def _intents_again(self) -> list[Facts]:
        """The duplicates among the day's intents; what left just before this process began counts for its
        rates.
        """
        now, counter_now = self._clock(), self._now()
        rule = self._by_measure.get("repeat")
        seen, found = Repeats(risk.LONGEST_WINDOW), []
        for intent in self._store.intents(self.trading_day):
            if intent.state == "never_sent":
                continue
            facts = _facts_of_intent(intent.order_id, intent.request)
            moment = datetime.fromisoformat(intent.created)
            if seen.before(facts, rule.seconds if rule else 1.0, moment.timestamp(), lambda _order_id: True):
                found.append(facts)
            seen.add(facts, moment.timestamp())
            age = (counter_now - moment).total_seconds()
            if not self._recalled and 0 <= age < risk.LONGEST_WINDOW:
                self._window.add(ORDERS, now - age)
                if facts.strategy:
                    self._window.add(f"{ORDERS} {facts.strategy}", now - age)
        self._recalled = True
        return found

    # ── crossings ──

    def _look(self, symbol: str, exchange: str, strategy: str) -> None:
        """Whether a count has come to a limit, or near one."""
        now = self._clock()
        for rule, key, floor in self.fitting(symbol, exchange, strategy):
            if floor is not None:
                value = self._value(rule, key, symbol, strategy, now)
                if value >= floor or self.crossings.any:
                    self.crossings.look(rule, key, value)

    def value(self, fitting: _Fitting, symbol: str, strategy: str) -> float:
        """What a rule of counts has come to."""
        return self._value(fitting.rule, fitting.key, symbol, strategy, self._clock())

    def _value(self, rule: Rule, key: Key, symbol: str, strategy: str, now: float) -> float:
        if rule.of == "day":
            counts = self.tally.of(key)
            value: float = getattr(counts, rule.measure)
            return value + counts.fak_cancels if rule.counts_fak else value
        if rule.measure == "held":
            whose = strategy if rule.scope == STRATEGY else ""
            return self._account.held(whose, symbol) + self._account.opening(whose, symbol)
        name = strategy if rule.scope == STRATEGY else ""
        return self._rate(rule.measure, name, rule.seconds)

    def _rate(self, measure: str, strategy: str, seconds: float) -> int:
        return self._window.within(f"{measure} {strategy}" if strategy else measure, seconds, self._clock())

    def _on_crossing(self, rule: Rule, key: Key, level: int, value: float) -> None:
        scope, name = key
        what = f"{name or '账户'} {rule.text} {value:g}，限 {rule.limit:g}"
        source = f"（{rule.source}）" if rule.source else ""
        more = {"rule": rule.id, "scope": scope, "name": name, "value": value, "limit": rule.limit}
        if level < 2:
            self._say("warning", "RISK_WARNING", f"{what}：已到 {rule.warn:.0%}{source}", **more)
            return
        self._say("limit", "RISK_LIMIT", f"{what}：已到{source}", **more)
        state = risk.STATE_OF.get(rule.action)
        strategy = name if scope == STRATEGY else ""
        if state is not None and risk.STATES.index(state) > strictness(self.states.of(strategy)):
            self.change_state(strategy, state, f"规则 {rule.id}", what)

    def change_state(self, strategy: str, state: str, who: str, why: str) -> None:
        """Of the account ("") or of a strategy."""
        new = self.states.change(strategy, state, who, why)
        text = f"{whose(strategy)}：{risk.STATE_TEXT[state]}，{who}{f'，{why}' if why else ''}"
        self._say(
            "state",
            "RISK_STATE",
            text,
            scope="strategy" if strategy else "account",
            name=strategy,
            **new._asdict(),
        )

    # ── telling ──

    def _tell(self, what: str, code: str, text: str, order: Facts, **more: Any) -> None:
        """Of an order. The same of the same contract and strategy is said once a second."""
        about, now = (code, order.symbol, order.strategy, more.get("rule", "")), self._clock()
        if now < self._quiet_until.get(about, 0.0):
            return
        self._quiet_until[about] = now + QUIET
        asked = {
            "local_symbol": f"{order.symbol}.{order.exchange}",
            "side": order.side,
            "price": order.price,
            "volume": order.volume,
            "strategy": order.strategy,
        }
        name = (
            f"{order.symbol} {'买' if order.side == 'buy' else '卖'} {order.volume} 手："
            if order.symbol
            else ""
        )
        self._say(what, code, f"{name}{text}", **asked, **more)

    def _say(self, what: str, code: str, text: str, **more: Any) -> None:
        level = logging.ERROR if what == "refused" else logging.WARNING
        log.log(level, "风控：%s", text, extra={"owner": more.get("strategy") or "risk"})
        self._told({"what": what, "code": code, "msg": text, **more})


def _floor(rule: Rule) -> float | None:
    """The value from which a rule has something to tell, of those that are looked at as orders change."""
    if rule.of != "day" and rule.measure not in (ORDERS, CANCELS, "held"):
        return None
    return rule.limit * (rule.warn or 1.0)


def _facts(request: OrderRequest, strategy: str, order_id: str = "") -> Facts:
    return Facts(
        order_id=order_id,
        symbol=request.symbol,
        exchange=request.exchange.value,
        side="buy" if request.direction is Direction.LONG else "sell",
        is_open=request.offset is Offset.OPEN,
        kind=TYPE_WORD[request.type],
        price=0.0 if request.type is OrderType.MARKET else float(request.price),
        volume=int(request.volume),
        strategy=strategy,
    )


def _facts_of_intent(order_id: str, request: Mapping[str, Any]) -> Facts:
    symbol, _, exchange = request["local_symbol"].partition(".")
    return Facts(
        order_id=order_id,
        symbol=symbol,
        exchange=exchange,
        side="buy" if request["direction"] == "long" else "sell",
        is_open=request["offset"] == "open",
        kind=request["type"],
        price=request["price"],
        volume=request["volume"],
        strategy=request.get("strategy", ""),
    )
