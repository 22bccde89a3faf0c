"""Placing, cancelling and closing, and waiting for what becomes of it. Gateway process, event thread only.

An order is checked, then sent, then waited for: until the counter or the exchange has said yes or no, or
until `order_timeout` is over. Once it has left, it is never reported as failed; no word in time is an outcome
of its own, and nothing is ever sent twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec
from ctpbee.constant import ContractData, OrderData, OrderRequest, TickData

from app.gateway.futures import done
from app.gateway.journal import Journal
from app.gateway.order_check import (
    checked_client_order_id,
    checked_contract,
    checked_order,
    checked_volume,
)
from app.gateway.risk.verdict import GO, OPEN, Verdict
from app.gateway.voided import VoidedIds
from app.lib import rows
from app.lib.advice import error_id_of, refusal_text
from app.lib.book import Closable
from app.lib.errors import AppError, BadInput, NotFound, NotReady, OrderRefused
from app.lib.offsets import close_price, price_to_meet, split_close
from app.lib.prices import PriceLimits
from app.model.store import Intent, Store
from app.process.event_loop import EventLoop
from app.wire import deadlines
from app.wire.figures import Distribution
from app.wire.messages import (
    CancelAll,
    CancelOrder,
    CloseOutcome,
    ClosePosition,
    Counted,
    Done,
    OrderOutcome,
    PlaceOrder,
    VoidOrder,
)

UNKNOWN = "ORDER_STATE_UNKNOWN"
NEVER_ARRIVED = "NEVER_ARRIVED"  # an order that is taken for lost, and may live all the same
UNKNOWN_TEXT = "报单已发出，柜台未确认，请勿重复下单"
CANCEL_SENT_TEXT = "撤单已发出，柜台未确认"

log = logging.getLogger("account.order")
T = TypeVar("T")


class OrderGate(Protocol):
    """Judges every order before it is sent, and hears of all that leaves (app/gateway/risk/gate.py)."""

    def judge(
        self, request: OrderRequest, strategy: str, deadline: float = 0.0, has_turn: bool = False
    ) -> Verdict: ...

    def sent(self, order_id: str, request: OrderRequest, strategy: str, has_turn: bool = False) -> None: ...

    def cancel_sent(self, order_id: str) -> None: ...


class TradableAccount(Protocol):
    """What of the account is used here."""

    def is_ready(self) -> bool: ...

    def is_logged_in(self) -> bool: ...

    def front_reason(self) -> str: ...

    def contract(self, symbol: str) -> ContractData | None: ...

    def tick(self, local_symbol: str) -> TickData | None: ...

    def quote(self, local_symbol: str) -> TickData | None: ...

    def market_reason(self) -> str: ...

    def order(self, order_id: str) -> OrderData | None: ...

    def working_orders(self) -> list[OrderData]: ...


@dataclass
class _Wait:
    """Callers who wait for one order, and the timer that ends their wait."""

    timer: Any
    callers: list[Future[Any]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)


class _Turn(NamedTuple):
    """An order that the gate lets leave later, and what becomes of it."""

    request: PlaceOrder
    placed: Future[OrderOutcome]


def outcome_of(row: dict[str, Any]) -> OrderOutcome | None:
    """What an order's row says about it; None as long as neither counter nor exchange has decided."""
    order_id, status = row["order_id"], row["status"]
    if status == "提交中":
        return None
    if status == "拒单":
        code = row.get("error_code") or "EXCHANGE_REJECT"
        return OrderOutcome(
            order_id,
            "refused",
            code,
            refusal_text(code, row.get("error_message") or row.get("status_msg") or ""),
        )
    if status == rows.OtherStatus.UNKNOWN.value:
        return OrderOutcome(order_id, "unknown", UNKNOWN, row.get("status_msg") or UNKNOWN_TEXT)
    message = f"{status}，成交 {row['traded']:g}/{row['volume']:g} 手" if status == "已撤销" else status
    if status == "部分成交":
        message = f"部分成交 {row['traded']:g}/{row['volume']:g} 手"
    return OrderOutcome(order_id, "accepted", message=message, status=status, traded=row["traded"])


class OrderDesk:
    """`trader()` is the trading front as it is now; `refused_unheard(outcome, client_order_id)` hears of
    refusals that nobody waits for any more.
    """

    def __init__(
        self,
        *,
        account: TradableAccount,
        trader: Callable[[], Any],
        book: Callable[[], Any],
        config: dict[str, Any],
        store: Store,
        journal: Journal,
        loop: EventLoop,
        timeout: float,
        subscribe: Callable[[str], Any],
        refused_unheard: Callable[[OrderOutcome, str], None],
        gate: OrderGate = OPEN,
    ) -> None:
        self._gate = gate
        self._account = account
        self._trader = trader
        self._book = book
        self._config = config
        self._store = store
        self._journal = journal
        self._loop = loop
        self._timeout = timeout
        self._subscribe = subscribe
        self._refused_unheard = refused_unheard
        self._placing: dict[str, _Wait] = {}
        self._cancelling: dict[str, _Wait] = {}
        self.latency = Distribution()
        self.unanswered = 0
        self._settled: dict[str, str] = {}  # order id → the state its intent was given
        self._in_turn: dict[str, _Turn] = {}  # by client_order_id, of what waits to be sent
        self._voided = VoidedIds(store, datetime.now(UTC))

    # ── placing ──

    def place(self, request: PlaceOrder) -> Future[OrderOutcome]:
        """Send the order and wait. Raises BadInput and NotReady: then nothing was sent."""
        return self._told_if_late(request, lambda: self._place(request))

    def _place(self, request: PlaceOrder, has_turn: bool = False) -> Future[OrderOutcome]:
        client_order_id = checked_client_order_id(request.client_order_id)
        if client_order_id:
            self._voided.check(client_order_id)
            intent = self._store.intent_of_client(client_order_id)
            if intent is not None:
                return self._again(intent, request)
            if client_order_id in self._in_turn:
                return self._same_turn(client_order_id, request)
        self._check_ready()
        try:
            order = self.checked(request)
        except BadInput as refusal:
            log.error("报单未发出：%s %s 手：%s", request.local_symbol, request.volume, refusal.message)
            raise
        verdict = self._gate.judge(order, request.strategy, request.deadline, has_turn)
        if verdict != GO:
            return self._place_later(verdict, request, client_order_id)
        return self._send(order, client_order_id, request.strategy, request.wait, request.deadline, has_turn)

    def _place_later(
        self, verdict: Verdict, request: PlaceOrder, client_order_id: str
    ) -> Future[OrderOutcome]:
        def again(has_turn: bool) -> Future[OrderOutcome]:
            if client_order_id and self._in_turn.pop(client_order_id, None) is None:
                raise OrderRefused("排队中的报单已撤回，未发出", code="RISK_FLOW")
            return self._place(request, has_turn)

        placed = self._later(verdict, request, again)
        if client_order_id and not placed.done():
            self._in_turn[client_order_id] = _Turn(request, placed)
            placed.add_done_callback(lambda _placed: self._in_turn.pop(client_order_id, None))
        return placed

    def _same_turn(self, client_order_id: str, request: PlaceOrder) -> Future[OrderOutcome]:
        """The same client_order_id while its order waits for its turn."""
        turn = self._in_turn[client_order_id]
        if msgspec.structs.replace(turn.request, wait=request.wait, deadline=request.deadline) != request:
            raise BadInput(
                "client_order_id",
                f"client_order_id {client_order_id} 已用于另一张排队中的报单",
                code="CLIENT_ORDER_ID_REUSED",
            )
        return turn.placed

    def _later(
        self,
        verdict: Verdict,
        request: PlaceOrder | ClosePosition,
        again: Callable[[bool], Future[T]],
    ) -> Future[T]:
        """What `again` sends once the gate lets it: it is checked and judged anew then, and nothing is kept
        of it until it leaves.
        """
        future: Future[T] = Future()

        def settle(answer: Future[T]) -> None:
            error = answer.exception()
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(answer.result())

        def go() -> None:
            try:
                self._told_if_late(request, lambda: again(bool(verdict.wait))).add_done_callback(settle)
            except Exception as error:  # the edge of a call: it is the caller's
                future.set_exception(error)

        def cancelled(answer: Future[Done]) -> None:
            error = answer.exception()
            if error is None and answer.result().note:
                error = OrderRefused(
                    f"要先撤的挂单 {verdict.cancel} 未确认撤销，报单未发出", code="RISK_SELF_TRADE"
                )
            if error is not None:
                future.set_exception(error)
            else:
                self._loop.call_later(verdict.wait, go)  # after all have heard of the cancel

        if verdict.cancel:
            self.cancel(CancelOrder(verdict.cancel)).add_done_callback(cancelled)
        else:
            self._loop.call_later(verdict.wait, go)
        return future

    def _told_if_late(self, request: PlaceOrder | ClosePosition, answer: Callable[[], T]) -> T:
        """The answer; but who asked stops waiting at the deadline and is told not to send it again, so a
        refusal after that is told to all pages.
        """
        try:
            return answer()
        except AppError as error:
            if deadlines.is_over(request.deadline):
                outcome = OrderOutcome("", "refused", error.code, error.message)
                self._refused_unheard(outcome, request.client_order_id)
            raise

    def checked(self, request: PlaceOrder) -> OrderRequest:
        """The order as it would be sent. Raises BadInput for what cannot be right for any account."""
        contract = checked_contract(self._account.contract(request.local_symbol), self._trader().trading_day)
        return checked_order(request, contract, self._limits(contract))

    def _limits(self, contract: ContractData) -> PriceLimits:
        """Of the newest tick if it is of this trading day, else of the contract table."""
        tick = self._account.tick(contract.local_symbol)
        if tick is not None and tick.trading_day == self._trader().trading_day and tick.limit_up > 0:
            return PriceLimits(tick.limit_up, tick.limit_down)
        return PriceLimits(contract.UpperLimitPrice, contract.LowerLimitPrice)

    def _send(
        self,
        request: OrderRequest,
        client_order_id: str = "",
        strategy: str = "",
        wait: bool = True,
        deadline: float = 0.0,
        has_turn: bool = False,
    ) -> Future[OrderOutcome]:
        text = (
            f"{request.local_symbol} {request.direction.value}{request.offset.value} {request.volume} 手 "
            f"{request.type.value} {request.price:g}"
        )
        try:
            order_id = self._trader().send_order(
                request, client_order_id=client_order_id, strategy=strategy, deadline=deadline
            )
        except OrderRefused as refusal:
            log.error("报单未发出：%s：%s", text, refusal.message)
            outcome = OrderOutcome(
                str(refusal.extra.get("order_id", "")), "refused", refusal.code, refusal.message
            )
            if refusal.code == deadlines.TOO_LATE:
                self._refused_unheard(outcome, client_order_id)
            return done(outcome)
        self._gate.sent(order_id, request, strategy, has_turn)
        log.info("报单已发出：%s，编号 %s", text, order_id, extra={"owner": strategy} if strategy else None)
        answer = self._outcome(order_id)
        return answer if wait else done(OrderOutcome(order_id, "sent"))

    def _outcome(self, order_id: str) -> Future[OrderOutcome]:
        """What has become of a sent order, as soon as that is known, or that it is not known."""
        waiting = self._placing.get(order_id)
        if waiting is None:
            order = self._account.order(order_id)
            row = rows.row_of(order) if order is not None else {}
            outcome = outcome_of(row) if row else None
            if outcome is not None:
                self._settle(outcome, row)
                return done(outcome)
            waiting = self._placing[order_id] = _Wait(
                self._loop.call_later(self._timeout, self._give_up, order_id)
            )
        future: Future[OrderOutcome] = Future()
        waiting.callers.append(future)
        return future

    def _give_up(self, order_id: str) -> None:
        outcome = OrderOutcome(order_id, "unknown", UNKNOWN, UNKNOWN_TEXT)
        log.warning("报单 %s 在 %g 秒内没有回音", order_id, self._timeout)
        self.unanswered += 1
        self._journal.settle_intent(order_id, "unknown", UNKNOWN, UNKNOWN_TEXT)
        self._answer(self._placing, order_id, outcome)
        self._trader().remark(order_id, UNKNOWN_TEXT)

    def _settle(self, outcome: OrderOutcome, row: dict[str, Any]) -> None:
        """Write the intent's end, a refusal's with the counter's own text: what is shown of it after a
        restart is made of that. An order that is out of sight has no end, and its intent is the interface's
        to write.
        """
        if outcome.state == "unknown":
            self._settled.pop(outcome.order_id, None)
        elif (
            self._settled.get(outcome.order_id) != outcome.state
        ):  # an order that was taken for lost may live after all
            self._settled[outcome.order_id] = outcome.state
            message = row.get("error_message", "") if outcome.state == "refused" else outcome.message
            self._journal.settle_intent(outcome.order_id, outcome.state, outcome.code, message)

    def _again(self, intent: Intent, request: PlaceOrder) -> Future[OrderOutcome]:
        """The same client_order_id once more: the same order's outcome as it is now. Refused when it asks for
        something else, and on another trading day: an order of the day before is no answer to who wants one
        today, and his id sends none.
        """
        if not self._is_of_today(intent):
            raise self._of_another_day(intent)
        if not _same_order(intent.request, request):
            raise BadInput(
                "client_order_id",
                f"client_order_id {intent.client_order_id} 已用于另一张报单",
                code="CLIENT_ORDER_ID_REUSED",
                order_id=intent.order_id,
            )
        return self._present(intent)

    def _present(self, intent: Intent) -> Future[OrderOutcome]:
        """What has become of this order by now."""
        if intent.order_id in self._placing or self._account.order(intent.order_id) is not None:
            return self._outcome(intent.order_id)
        return done(self._journalled(intent))

    def void(self, request: VoidOrder) -> OrderOutcome:
        """What is known of this order now, of whatever day. One that never came is not sent when it comes
        after this, nor one that waits for its turn: then the outcome is `voided`. Raises BadInput, and
        NotReady when that could not be written.
        """
        client_order_id = checked_client_order_id(request.client_order_id)
        if not client_order_id:
            raise BadInput("client_order_id", "缺少参数 client_order_id")
        try:
            return self.find(client_order_id)
        except NotFound:
            self._voided.add(client_order_id, datetime.now(UTC))
            log.info("编号 %s 已作废：没有这样的报单，之后到达也不发出", client_order_id)
            return OrderOutcome("", "voided")

    def find(self, client_order_id: str) -> OrderOutcome:
        """What is known of this order now, of whatever day. Raises NotFound when the journal has none: then
        none was sent, and one that waited for its turn will not be.
        """
        intent = self._store.intent_of_client(client_order_id)
        if intent is None:
            self._in_turn.pop(client_order_id, None)
            raise NotFound("没有这样的报单：没有发出", code="ORDER_NOT_FOUND")
        return (
            OrderOutcome(intent.order_id, "sent")
            if self._account.order(intent.order_id) is not None
            else self._journalled(intent)
        )

    def _is_of_today(self, intent: Intent) -> bool:
        """By the orders that there are, then by its day: one that was sent as the day turned is the new day's
        at the counter.
        """
        if intent.order_id in self._placing or self._account.order(intent.order_id) is not None:
            return True
        trading_day = self._trader().trading_day
        if not trading_day:  # the gateway has just started
            text = (
                f"{self._account.front_reason() or '正在载入'}，还不能确定 client_order_id "
                f"{intent.client_order_id} 是哪个交易日的"
            )
            raise NotReady(f"{text}；这次没有发出，请稍后以同一编号再试")
        return bool(intent.trading_day == trading_day)

    def _of_another_day(self, intent: Intent) -> BadInput:
        row = self._store.order_row(intent.trading_day, intent.order_id)
        end = _end_of(row) if row is not None else self._journalled(intent).message
        used = (
            f"client_order_id {intent.client_order_id} 在交易日 {intent.trading_day} 已用于报单 "
            f"{intent.order_id}（{end}）"
        )
        return BadInput(
            "client_order_id",
            f"{used}，这次没有发出，请换一个编号",
            code="CLIENT_ORDER_ID_REUSED",
            order_id=intent.order_id,
            trading_day=intent.trading_day,
            end=end,
        )

    def _journalled(self, intent: Intent) -> OrderOutcome:
        """What the journal has of an order that is not among the day's."""
        row = self._store.order_row(intent.trading_day, intent.order_id)
        outcome = outcome_of(row) if row is not None else None
        if outcome is not None:
            return outcome
        if intent.state == "accepted":
            return OrderOutcome(intent.order_id, "accepted", intent.code, intent.message)
        if intent.state in ("refused", "never_sent"):
            return OrderOutcome(
                intent.order_id, "refused", intent.code, refusal_text(intent.code, intent.message)
            )
        return OrderOutcome(intent.order_id, "unknown", UNKNOWN, intent.message or UNKNOWN_TEXT)

    # ── cancelling ──

    def cancel(self, request: CancelOrder) -> Future[Done]:
        """Send the cancel, unless one is under way, and wait. Raises NotFound, BadInput, OrderRefused and
        NotReady: then nothing was sent.
        """
        order_id = request.order_id.strip().rpartition(".")[2]
        order = self._account.order(order_id)
        if order is None:
            raise NotFound("本账户没有这张报单", code="ORDER_NOT_FOUND")
        if request.local_symbol and request.local_symbol.partition(".")[0] != order.symbol:
            raise BadInput("local_symbol", f"报单 {order_id} 的合约是 {order.local_symbol}")
        if order.status.value not in rows.WORKING and order.error_code != NEVER_ARRIVED:
            raise OrderRefused(
                f"报单已经结束（{order.status.value}），不能再撤，未发出",
                code="ORDER_ENDED",
                order_id=order_id,
            )
        waiting = self._cancelling.get(order_id)
        if (
            waiting is None
        ):  # else one is under way: a second would be refused (CTP_24) and take the first's answer with it
            self._check_logged_in()
            self._trader().cancel_order(order.create_cancel_request())
            self._gate.cancel_sent(order_id)
            log.info("撤单已发出：%s", order_id)
            waiting = self._cancelling[order_id] = _Wait(
                self._loop.call_later(
                    self._timeout, self._answer, self._cancelling, order_id, Done(CANCEL_SENT_TEXT)
                )
            )
        if not request.wait:
            return done(Done(CANCEL_SENT_TEXT))
        future: Future[Done] = Future()
        waiting.callers.append(future)
        return future

    def cancel_all(self, _request: CancelAll) -> Counted:
        """Send a cancel for every working order that has none under way, and count both. Raises NotReady."""
        self._check_logged_in()
        count = 0
        for order in self._account.working_orders():
            try:
                self.cancel(CancelOrder(order.order_id, wait=False))
                count += 1
            except AppError as error:
                log.error("撤单 %s 未发出：%s", order.order_id, error.message)
        log.info("全部撤单：%d 笔", count)
        return Counted(count)

    # ── closing ──

    def close_position(self, request: ClosePosition) -> Future[CloseOutcome]:
        """Close by limit orders at the price that is given, or at the opposite side's best, less slippage.
        The same client_order_id once more sends nothing: it gets what has become of the legs.

        Raises BadInput, NotReady, OrderRefused: then nothing was sent.

        Two legs (today's and history apart) are sent one after the other without waiting: each takes lots
        that the other cannot reach, so what is refused to one says nothing of the other, and who wants to get
        out should not hold the rest of the position while the first leg's answer is awaited. Nothing is taken
        back either. The outcome has every leg, sent or not.
        """
        return self._told_if_late(request, lambda: self._close(request))

    def _close(self, request: ClosePosition, has_turn: bool = False) -> Future[CloseOutcome]:
        ids = _leg_ids(request.client_order_id)
        for leg_id in ids:
            self._voided.check(leg_id)
        earlier = [intent for leg_id in ids if (intent := self._store.intent_of_client(leg_id)) is not None]
        if earlier:
            return self._close_again(earlier, request)
        self._check_ready()
        contract = checked_contract(self._account.contract(request.local_symbol), self._trader().trading_day)
        if request.direction not in ("long", "short"):
            raise BadInput("direction", "direction 应为 long 或 short（持仓方向）")
        volume = checked_volume(request.volume, contract, is_market=False, is_open=False)
        closable = self._closable(contract.symbol, request.direction, volume)
        legs = split_close(
            volume, closable, self._config["CLOSE_PATTERN"], contract.position_date_type == "1"
        )
        price = request.price or self._closing_price(contract, request.direction)
        direction = "short" if request.direction == "long" else "long"
        limits = self._limits(contract)
        orders = [
            checked_order(
                PlaceOrder(contract.local_symbol, direction, leg.offset, "limit", price, leg.volume),
                contract,
                limits,
            )
            for leg in legs
        ]
        verdicts = [self._gate.judge(order, "", request.deadline, has_turn) for order in orders]
        for verdict in sorted(verdicts, reverse=True):
            if verdict != GO:  # nothing has left: all of it is done anew at the last leg's turn
                return self._later(verdict, request, lambda turn: self._close(request, turn))
        return _all_of(
            [
                self._send_leg(order, leg_id, request.deadline, has_turn)
                for order, leg_id in zip(orders, ids or [""] * len(orders), strict=False)
            ]
        )

    def _close_again(self, legs: list[Intent], request: ClosePosition) -> Future[CloseOutcome]:
        """As `_again`, of all legs. A leg that left no trace (its journal failed) is not sent now either."""
        for intent in legs:
            if not self._is_of_today(intent):
                raise self._of_another_day(intent)
        if not _same_close([intent.request for intent in legs], request):
            lots = sum(intent.request.get("volume", 0) for intent in legs)
            text = f"client_order_id {request.client_order_id} 已用于另一次报单（{lots:g} 手），这次没有发出"
            raise BadInput("client_order_id", text, code="CLIENT_ORDER_ID_REUSED", order_id=legs[0].order_id)
        return _all_of([self._present(intent) for intent in legs])

    def _closable(self, symbol: str, direction: str, volume: int) -> Closable:
        """What a close of so many lots may take. Lots that other sessions' orders hold count as free where
        the rest is not enough: whether they still hold them is the counter's to say, and its refusal harms
        nobody.
        """
        book = self._book()
        closable: Closable = book.closable(symbol, direction)
        if volume <= sum(closable):
            return closable
        others = [order.order_id for order in self._account.working_orders() if not order.is_local]
        freed: Closable = book.closable(symbol, direction, apart_from=others)
        return freed if volume <= sum(freed) else closable

    def _send_leg(
        self, order: OrderRequest, leg_id: str, deadline: float, has_turn: bool
    ) -> Future[OrderOutcome]:
        """Like `_send`, but what did not leave is an outcome: another leg may have."""
        try:
            return self._send(order, leg_id, deadline=deadline, has_turn=has_turn)
        except AppError as error:
            log.error("平仓报单未发出：%s", error.message)
            return done(OrderOutcome("", "refused", error.code, error.message))

    def _closing_price(self, contract: ContractData, direction: str) -> float:
        """Raises OrderRefused where no quote says what holds now; the contract is subscribed then, so that a
        retry works.
        """
        quote = self._account.quote(contract.local_symbol)
        if quote is None:
            self._subscribe(contract.local_symbol)
            trouble = self._account.market_reason()
            why = (
                f"行情前置{trouble}，没有可用的行情"
                if trouble
                else f"还没有 {contract.local_symbol} 当日的行情，已订阅"
            )
            raise OrderRefused(f"{why}，未发出；请稍后再试，或自己报限价", code="NO_FRESH_PRICE")
        price = price_to_meet(direction, quote.bid_price_1, quote.ask_price_1, quote.last_price)
        slippage = self._config["SLIPPAGE_COVER" if direction == "long" else "SLIPPAGE_SELL"]
        upper, lower = self._limits(contract)
        return close_price(price, direction, slippage, contract.pricetick, lower, upper)

    # ── what comes back ──

    def on_order(self, row: dict[str, Any], is_news: bool) -> None:
        """An order has changed. `is_news`: the journal did not know."""
        order_id = row["order_id"]
        outcome = outcome_of(row)
        if outcome is None:
            return
        if outcome.state == "refused" and is_news:
            number = error_id_of(outcome.code)
            by_id = f"，ErrorID {number}" if number else ""
            log.error("报单 %s 被拒%s：%s", order_id, by_id, outcome.message)
        if order_id in self._placing:
            self.latency.observe(time.monotonic() - self._placing[order_id].began)
            self._settle(outcome, row)
            self._answer(self._placing, order_id, outcome)
        elif is_news:
            self._settle(outcome, row)
            if outcome.state == "refused" and self._account.is_ready():
                self._refused_unheard(outcome, row.get("client_order_id", ""))
        if row["status"] == "已撤销":
            self._answer(self._cancelling, order_id, Done())

    def on_cancel_refused(self, order_id: str, code: str, message: str) -> None:
        """The counter or the exchange would not cancel it."""
        text = refusal_text(code, message)
        log.error("撤单 %s 被拒：%s", order_id, text)
        waiting = self._cancelling.get(order_id)
        self._answer(self._cancelling, order_id, OrderRefused(text, code=code, order_id=order_id))
        if waiting is None or not waiting.callers:
            self._refused_unheard(OrderOutcome(order_id, "refused", code, f"撤单被拒：{text}"), "")

    @staticmethod
    def _answer(waits: dict[str, _Wait], order_id: str, answer: Any) -> None:
        waiting = waits.pop(order_id, None)
        if waiting is None:
            return
        waiting.timer.cancel()
        for future in waiting.callers:
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def _check_ready(self) -> None:
        if not self._account.is_ready():
            raise self._not_ready("报单")

    def _check_logged_in(self) -> None:
        """What a cancel needs: it does not wait until the account has loaded."""
        if not self._account.is_logged_in():
            raise self._not_ready("撤单")

    def _not_ready(self, what: str) -> NotReady:
        reason = self._account.front_reason()
        return NotReady(f"交易前置未就绪{f'（{reason}）' if reason else ''}，{what}未发出，请稍后再试")


def _end_of(row: dict[str, Any]) -> str:
    """How an order of an earlier trading day ended: what still worked ended with its day, which no row
    says.
    """
    end = "当日结束时未成交部分已失效" if row["status"] in rows.WORKING else row["status"]
    return f"{end}，成交 {row['traded']:g}/{row['volume']:g} 手"


def _same_order(journaled: dict[str, Any], request: PlaceOrder) -> bool:
    """Whether the journal's request asks for the same as this one. Without the contract list, which may be
    loading or newer.
    """
    symbol = request.local_symbol.strip()
    named = journaled.get("local_symbol", "")
    asked = {
        "local_symbol": named if symbol == named.partition(".")[0] else symbol,
        "direction": request.direction,
        "offset": request.offset,
        "type": request.type,
        "price": 0.0 if request.type == "market" else request.price,
        "volume": request.volume,
    }
    return all(journaled.get(name) == value for name, value in asked.items())


def _leg_ids(client_order_id: str) -> list[str]:
    """What the legs of a close are journalled as, none where it has no id. Raises BadInput."""
    ids = [client_order_id, f"{client_order_id}.2"] if client_order_id else []
    return [checked_client_order_id(leg_id) for leg_id in ids]


def _same_close(journaled: list[dict[str, Any]], request: ClosePosition) -> bool:
    """Whether these legs close what this request asks for."""
    symbol = request.local_symbol.strip()
    direction = "short" if request.direction == "long" else "long"
    return sum(leg.get("volume", 0) for leg in journaled) == request.volume and all(
        symbol in (leg.get("local_symbol", ""), leg.get("local_symbol", "").partition(".")[0])
        and leg.get("direction") == direction
        and leg.get("offset") != "open"
        and request.price in (0, leg.get("price"))
        for leg in journaled
    )


def _all_of(outcomes: Iterable[Future[OrderOutcome]]) -> Future[CloseOutcome]:
    """One future of all legs, in their order. They all end in the event thread."""
    legs = list(outcomes)
    together: Future[CloseOutcome] = Future()

    def check(_leg: Future[OrderOutcome]) -> None:
        if not together.done() and all(leg.done() for leg in legs):
            together.set_result(CloseOutcome([leg.result() for leg in legs]))

    for leg in legs:
        leg.add_done_callback(check)
    return together
