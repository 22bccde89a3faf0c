"""What the account has sent, and what became of it: of the trading day, and of the last seconds. Gateway
process, event thread only.

The day's counts are derived from the orders that the ledger and the journal have of it
(app/lib/risk_counts.py), so that a restart, a replay and other terminals of the account change nothing of
them; rates remember for themselves, and take up the journal's intents and the cancels that are kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from ctpbee.constant import (
    ContractData,
    Direction,
    Offset,
    OrderData,
    OrderRequest,
    OrderType,
    TickData,
    TradeData,
)

from app.gateway.risk.rulebook import Measured, RuleBook
from app.lib import risk
from app.lib.risk_counts import (
    BEYOND_THE_BOOK,
    STRATEGY,
    Facts,
    Repeats,
    Tally,
    Window,
    end_of,
    facts_of,
    kind_of,
)
from app.model.store import Intent, Store

ORDERS, CANCELS = "order_rate", "cancel_rate"
SCOPE, KEPT = "risk", "cancels"

Row = Mapping[str, Any]


class RiskAccount(Protocol):
    """What of the account is asked here; `held` is lots in both directions, of a strategy or ("") of all."""

    def contract(self, symbol: str) -> ContractData | None: ...

    def quote(self, local_symbol: str) -> TickData | None: ...

    def orders(self) -> Iterable[OrderData]: ...

    def trades(self) -> Iterable[TradeData]: ...

    def journal_rows(self, trading_day: str) -> Iterable[Row]: ...

    def held(self, strategy: str, symbol: str) -> int: ...

    def opening(self, strategy: str, symbol: str) -> int: ...


def not_kept(_scope: str, _key: str, _value: Any) -> None:
    """For a gate without a restart."""


class Counting:
    """`now` is the counter's clock, `clock` a steady one. `keep(scope, key, value)` writes a setting soon."""

    def __init__(
        self,
        *,
        store: Store,
        account: RiskAccount,
        book: RuleBook,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        keep: Callable[[str, str, Any], None] = not_kept,
    ) -> None:
        self._store = store
        self._keep = keep
        self._account = account
        self._book = book
        self._now = now
        self._clock = clock
        self._window = Window(risk.LONGEST_WINDOW)
        self._recalled = False
        self._before: list[tuple[float, str]] = store.setting(SCOPE, KEPT, [])  # of an earlier process
        self._cancels = deque((moment, strategy) for moment, strategy in self._before)  # seconds, by whom
        self.tally = Tally(self._is_large)

    def begin(self) -> None:
        """Another trading day: its counts begin with nothing."""
        self.tally = Tally(self._is_large)

    def _is_large(self, facts: Facts) -> bool:
        contract = self._account.contract(facts.symbol)
        return self._book.is_large(facts, float(contract.max_limit_order_volume) if contract else 0.0)

    # ── what is counted ──

    def sent(self, measure: str, strategy: str, now: float) -> None:
        """An order or a cancel has left, for the rates."""
        self._window.add((measure, ""), now)
        if strategy:
            self._window.add((measure, strategy), now)

    def cancelled(self, strategy: str, now: float) -> None:
        """A cancel has left. No order's row says when: it is kept for as long as a rule looks back."""
        self.sent(CANCELS, strategy, now)
        moment, longest = self._now().timestamp(), self._book.longest(CANCELS)
        self._cancels.append((moment, strategy))
        while self._cancels and moment - self._cancels[0][0] >= longest:
            self._cancels.popleft()
        if longest:
            self._keep(SCOPE, KEPT, list(self._cancels))

    def trade(self, trade: TradeData) -> bool:
        """Returns whether it makes a self-trade."""
        return self.tally.trade(trade.exchange._value_, trade.tradeid, trade.symbol, trade.direction._value_)

    def derive(self, trading_day: str) -> None:
        """All counts of the day anew, from the journal's orders and the ledger's."""
        tally = Tally(self._is_large)
        newest = {row["order_id"]: facts_of(row) for row in self._account.journal_rows(trading_day)}
        newest |= {order.order_id: facts_of_order(order) for order in self._account.orders()}
        for facts in newest.values():
            tally.apply(facts)
        self.tally = tally
        for trade in self._account.trades():
            self.trade(trade)
        for facts in self._take_up(self._store.intents(trading_day)):
            tally.duplicate(facts)

    def _take_up(self, intents: Iterable[Intent]) -> list[Facts]:
        """The duplicates among the day's intents; what left just before this process began counts for its
        rates.
        """
        now, counter_now, seconds = self._clock(), self._now(), self._book.repeat_seconds
        left: list[tuple[str, float, str]] = []
        seen, found = Repeats(risk.LONGEST_WINDOW), []
        for intent in intents:
            if intent.state == "never_sent":
                continue
            facts, moment = facts_of_intent(intent), datetime.fromisoformat(intent.created)
            if seen.before(facts, seconds, moment.timestamp()):
                found.append(facts)
            seen.add(facts, moment.timestamp())
            left.append((ORDERS, moment.timestamp(), facts.strategy))
        if not self._recalled:
            self._recalled = True
            left += [(CANCELS, when, strategy) for when, strategy in self._before]
            for measure, when, strategy in left:
                age = counter_now.timestamp() - when
                if 0 <= age < risk.LONGEST_WINDOW:
                    for name in {"", strategy}:
                        self._window.recall((measure, name), now - age)
        return found

    # ── what it has come to ──

    def value(self, measured: Measured, symbol: str, strategy: str) -> float:
        rule, key = measured.rule, measured.key
        if measured.of == "day":
            counts = self.tally.of(key)
            value: float = getattr(counts, rule.measure)
            return value + counts.fak_cancels if rule.counts_fak else value
        if measured.of == "held":
            whose = strategy if rule.scope == STRATEGY else ""
            return self._account.held(whose, symbol) + self._account.opening(whose, symbol)
        return self.rate(rule.measure, key[1], rule.seconds)

    def rate(self, measure: str, strategy: str, seconds: float) -> int:
        return self._window.within((measure, strategy), seconds, self._clock())


def facts_of_request(request: OrderRequest, strategy: str, order_id: str = "") -> Facts:
    """Those of an order that is about to leave."""
    return Facts(
        order_id,
        request.symbol,
        request.exchange._value_,
        "buy" if request.direction is Direction.LONG else "sell",
        request.offset is Offset.OPEN,
        kind_of(request.type._value_),
        0.0 if request.type is OrderType.MARKET else float(request.price),
        int(request.volume),
        strategy=strategy,
    )


def facts_of_order(order: OrderData) -> Facts:
    """Those of an order of the ledger's, as `facts_of` has them of its row."""
    status = order.status._value_  # `value` is a property of Python's, and slow
    return Facts(
        order.order_id,
        order.symbol,
        order.exchange._value_,
        "buy" if order.direction is Direction.LONG else "sell",
        order.offset is Offset.OPEN,
        kind_of(order.type._value_),  # and not by the member: its hash is slow too
        order.price,
        order.volume,
        order.traded,
        end_of(status, order.error_code),
        order.strategy,
        status not in BEYOND_THE_BOOK,
    )


def facts_of_intent(intent: Intent) -> Facts:
    """Those of an order as it was journalled before it left."""
    request = intent.request
    symbol, _, exchange = request["local_symbol"].partition(".")
    return Facts(
        order_id=intent.order_id,
        symbol=symbol,
        exchange=exchange,
        side="buy" if request["direction"] == "long" else "sell",
        is_open=request["offset"] == "open",
        kind=request["type"],
        price=request["price"],
        volume=request["volume"],
        strategy=request.get("strategy", ""),
    )
