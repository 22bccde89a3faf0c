"""The trading side of an account, on ctpbee's interface seam, over any link. Gateway process.

Everything runs in the event thread; `send_order` and `cancel_order` may be called from any. The rules of
orders and trades are the ledger's (app/interfaces/ledger.py); what only the vendor's fronts have is in
ctp/fronts.py.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from ctpbee.constant import (
    EVENT_ACCOUNT,
    EVENT_CONTRACT,
    EVENT_INIT_FINISHED,
    EVENT_ORDER,
    EVENT_POSITION,
    EVENT_TRADE,
    AccountData,
    CancelRequest,
    OrderData,
    OrderRequest,
    Status,
)

from app.bee import fields
from app.bee.fields import Refusal
from app.bee.positions import position_data
from app.interfaces.front import NEVER_SENT, AccountFront, FrontConnection, NotSent
from app.interfaces.ledger import Change, Difference
from app.interfaces.wiring import Wiring
from app.lib.errors import BadInput, LoginDelayed, NotFound, NotReady, OrderRefused
from app.lib.rows import OtherStatus, is_working
from app.model.store import OPEN_INTENT, Intent, StoreFailed
from app.wire import deadlines, frames
from app.wire.frames import (
    InstrumentField,
    OrderField,
    PositionDetailField,
    PositionField,
    TradeField,
    TradingAccountField,
)

log = logging.getLogger(__name__)

QUERY_AGAIN = 1.0  # seconds before a query that the counter could not take is asked again
ARRIVAL_GRACE = 2.0  # seconds from one look for an order that the counter does not show to the next
LOOKS = 2  # how many answered questions have to lack it before anything is made of that
MOST_RELOADS = 5  # how often the figures are asked again because a trade came in between
NEVER_ARRIVED = "NEVER_ARRIVED"
ORDER_FORGOTTEN = "ORDER_FORGOTTEN"
ORDER_ALIKE = "ORDER_ALIKE"
ENDED_WITH_DAY = "ENDED_WITH_DAY"

Row = frames.Row


class _Session(NamedTuple):
    """One login: what is sent belongs to it and goes over its connection alone."""

    connection: FrontConnection
    front: int
    session: int


@dataclass
class _Query:
    what: str
    then: Callable[[list[Any]], None]
    rows: list[Row] = field(default_factory=list)


@dataclass
class _Load:
    """What comes in while the account is being loaded."""

    orders: list[OrderField] = field(default_factory=list)
    trades: list[TradeField] = field(default_factory=list)
    instruments: list[InstrumentField] = field(default_factory=list)
    details: list[PositionDetailField] = field(default_factory=list)
    known_at_details: int = 0
    tries: int = 0

    def known_trades(self) -> int:
        return len({(trade.ExchangeID, trade.TradeID, trade.Direction) for trade in self.trades})


class Trader(AccountFront):
    """The trading front. `refusal` is set once the counter has refused the login for good."""

    name = "td"
    lists_contracts_once_a_day = False  # a long list is not asked for again at each login of the day

    def __init__(self, wiring: Wiring) -> None:
        super().__init__(wiring)
        self._store = wiring.store
        self.delay: LoginDelayed | None = (
            None  # set while the counter cannot take logins, and is asked again by itself
        )
        self._sending = threading.Lock()
        self._session: _Session | None = None  # None: not ready, nothing can be sent
        # that has logged in, while the ledger's orders are of its day
        self._connection_in: FrontConnection | None = None
        self._logged_in = (0, 0)
        self._order_ref = 0
        self._request_id = 0
        self._queries: dict[int, _Query] = {}
        self._load: _Load | None = None
        self._initialised = False
        self._held: set[str] = set()
        self._forced: set[str] = set()  # orders that were told of as forced
        self._missing: set[str] = (
            set()
        )  # orders that should be at the counter, and that it has not shown since the login
        self._ended: set[str] = set()  # orders of the day of which the journal of an earlier process says so
        self._carried: set[str] = (
            set()
        )  # orders that were sent on an earlier day and are, or may be, this day's
        self._overdue: list[Intent] = []  # those of earlier days without an end, which are not
        self._cancels: set[str] = set()  # orders of which a cancel has left, and nobody has said no
        self._details: tuple[int, list[PositionDetailField]] | None = (
            None  # trades known when the counter answered
        )

    # ── what ctpbee and the gateway ask ──

    @property
    def td_status(self) -> bool:
        return self.ready

    @property
    def trading_day(self) -> str:
        return self._ledger.trading_day

    def counter_now(self) -> datetime:
        """The counter's clock, aware."""
        return self._clock.now()

    def send_order(
        self,
        req: OrderRequest,
        client_order_id: str = "",
        strategy: str = "",
        deadline: float = 0.0,
        **_more: Any,
    ) -> str:
        """Journal the intent, then send; returns the order id, whose 提交中 is told after this call.

        Raises NotReady and BadInput (nothing journalled, nothing sent), DuplicateIntent (nothing sent),
        OrderRefused NEVER_SENT… What goes wrong once it has left is logged and not raised: it would look like
        an order that was not sent.
        """
        exchange = self._exchange(req)
        if req.offset not in fields.OFFSET_CODE or req.direction not in fields.DIRECTION_CODE:
            raise BadInput("offset", f"不支持的报单：{req.direction} {req.offset}")
        with self._sending:
            session = self._session
            if session is None:
                raise NotReady("交易前置未就绪，报单未发出，请稍后再试")
            conditions = fields.conditions_of(req.type, exchange, self.info["market_orders"])
            self._order_ref += 1
            row = fields.order_row(
                req,
                broker=self.info["brokerid"],
                investor=self.info["userid"],
                exchange=exchange,
                key=(session.front, session.session, str(self._order_ref)),
                trading_day=self.trading_day,
                moment=self.counter_now(),
                conditions=conditions,
            )
            order_id = fields.order_id_of(row)
            request = fields.request_words(req) | {"strategy": strategy, "row": msgspec.to_builtins(row)}
            try:
                self._store.write_intent(
                    Intent(order_id, client_order_id, row.TradingDay, self.counter_now().isoformat(), request)
                )
            except StoreFailed as error:
                log.error("order %s not journalled, so not sent: %s", order_id, error)
                raise NotReady(
                    "报单日志写入失败，报单未发出：请检查磁盘空间", code="JOURNAL_FAILED"
                ) from error
            self._ledger.own(order_id, client_order_id, strategy, row)
            try:
                if deadlines.is_over(deadline):  # looked at last: the disk may have been what took so long
                    raise NotSent(deadlines.TOO_LATE_TEXT, deadlines.TOO_LATE)
                session.connection.send(insert_of(row))
            except NotSent as error:
                message = (
                    error.message if error.code == deadlines.TOO_LATE else f"{error.message}，报单未发出"
                )
                self._call(self._store.settle_intent, order_id, "never_sent", error.code, message)
                raise OrderRefused(message, code=error.code, order_id=order_id) from None
        if self._loop.is_current:
            self._call(self._submitted, row)
        else:
            self._loop.post(self._submitted, row)
        return order_id

    def want_rates(self, symbol: str) -> None:
        """Somebody is about to trade this contract: its margin and fees matter. Here the list has them."""

    def remark(self, order_id: str, text: str) -> None:
        """Tell of an order that is still 提交中 with these words, until the counter has others."""
        self._tell(self._ledger.remark(order_id, text))

    def cancel_order(self, req: CancelRequest, **_more: Any) -> int:
        """Ask for the cancel of an order of the day; 0 once it has left. Raises NotFound and NotReady:
        nothing was sent.
        """
        order_id = req.order_id.rpartition(".")[2]
        row = self._ledger.order_row(order_id)
        if row is None:
            raise NotFound("本账户没有这张报单", code="ORDER_NOT_FOUND")
        if not row.OrderSysID.strip() and self._ledger.order_of_triple(fields.order_id_of(row)) not in (
            "",
            order_id,
        ):
            raise NotFound("柜台没有这张报单，它的编号现在是另一张的，撤单未发出", code="ORDER_NOT_FOUND")
        connection = self._connection_for_cancel(row)
        if connection is None:
            raise NotReady("交易前置未就绪，撤单未发出，请稍后再试")
        self._cancels.add(order_id)
        try:
            connection.send(
                frames.ReqOrderAction(
                    InstrumentID=row.InstrumentID,
                    ExchangeID=row.ExchangeID,
                    OrderRef=row.OrderRef,
                    FrontID=row.FrontID,
                    SessionID=row.SessionID,
                    OrderSysID=row.OrderSysID,
                )
            )
        except NotSent as error:
            self._cancels.discard(order_id)
            raise NotReady(
                f"{error.message}，撤单未发出，请稍后再试",
                code=error.code if error.code != NEVER_SENT else "",
            ) from None
        return 0

    def _connection_for_cancel(self, row: OrderField) -> FrontConnection | None:
        """The counter takes cancels from the login on. Until the account has loaded, those by the exchange's
        number alone: what the order's triple means by now is not known yet.
        """
        if self._session is not None:
            return self._session.connection
        return self._connection_in if row.OrderSysID.strip() else None

    def query_account(self) -> int:
        """Ask the counter; the answer is compared with the book and told as ctpbee's account event. -1: not
        now.
        """
        return self._query_once("account", self._on_account)

    def query_position(self) -> int:
        """Ask the counter for the lots; then each position of the book is told. -1: not now."""
        return self._query_once("position_detail", self._on_details)

    def change_password(self, new: str) -> Future[None]:
        """Done when the counter has taken it. Raises BadInput; the future LoginRefused or NotReady."""
        raise BadInput(
            "interface", "内置柜台的密码在第一次登录时定下，不能修改", code="INTERFACE_UNAVAILABLE"
        )

    def fetch_statement(self, day: str = "") -> Future[tuple[str, str]]:
        """(day, text) of the settlement statement of `day`, or the newest; ("", "") where there is none.
        Raises BadInput, NotReady.
        """
        raise BadInput("interface", "内置柜台没有结算单", code="INTERFACE_UNAVAILABLE")

    def confirm_settlement(self) -> Future[None]:
        """Done when the counter has taken it. Raises BadInput, NotReady; the future OrderRefused or
        NotReady.
        """
        raise BadInput("interface", "内置柜台不需要确认结算单", code="INTERFACE_UNAVAILABLE")

    # ── login and loading ──

    def _password(self) -> str:
        return self.info["password"]

    def _tell_status(self, state: str, reason: str) -> None:
        super()._tell_status(state, reason)
        self._call(self._wiring.follow_trading, state)

    def _on_lost(self, reason: str) -> None:
        self._connection_in = None
        self._end_session()
        self._load = None
        super()._on_lost(reason)

    def _end_session(self) -> None:
        with self._sending:
            self._session = None
        self._queries.clear()
        self._details = None

    def _on_RspUserLogin(self, frame: frames.RspUserLogin) -> None:
        if frame.ErrorID:
            self._on_login_refused(frame)
            return
        assert self._link is not None
        self._link.settled()
        self._hear_clock(frame)
        self._logged_in = (frame.FrontID, frame.SessionID)
        self._order_ref = max(
            self._order_ref, self._store.max_order_ref(), int(frame.MaxOrderRef.strip() or 0)
        )
        self._connection_in = self._link.connection if frame.TradingDay == self._ledger.trading_day else None
        self._say("logged_in")
        self._on_logged_in(frame.TradingDay)

    def _on_logged_in(self, trading_day: str) -> None:
        """What is done between the login and the loading: nothing."""
        self._begin_load(trading_day)

    def _begin_load(self, trading_day: str, reason: str = "") -> None:
        """Ask for everything; what comes in meanwhile waits. A day that is new to the ledger begins empty."""
        self._end_session()
        is_known = (
            self.lists_contracts_once_a_day
            and trading_day == self._ledger.trading_day
            and bool(self._ledger.contracts)
        )
        if trading_day != self._ledger.trading_day:
            self._forced.clear()
            self._cancels.clear()
            self._turn(trading_day)
            self._call(self._wiring.forget_day)
            self._call(self._wiring.listener.on_day, trading_day)
        for intent in self._intents():
            self._ledger.own(
                intent.order_id, intent.client_order_id, intent.request.get("strategy", ""), _row_of(intent)
            )
        self._watch()
        self._say("loading", reason)
        load = self._load = _Load()

        def on_instruments(rows: list[InstrumentField]) -> None:
            load.instruments = rows
            self._query("order", on_orders)

        def on_orders(rows: list[OrderField]) -> None:
            load.orders += rows
            self._query("trade", on_trades)

        def on_trades(rows: list[TradeField]) -> None:
            load.trades += rows
            self._load_figures()

        if is_known:
            on_instruments(self._ledger.instruments())
        else:
            self._load_contracts(on_instruments)

    def _turn(self, trading_day: str) -> None:
        """Begin this day. Of the orders of earlier days that have no end, those that nobody has answered may
        have been in flight as the day turned: they are looked for in this one. Any other ended with its day.
        """
        open_intents = self._store.open_intents(trading_day)
        if not self._ledger.trading_day:  # the ledger of this process has not heard of them
            for intent in open_intents:
                if not self._was_answered(intent):
                    self._ledger.own(intent.order_id, row=_row_of(intent))
        unanswered = self._ledger.begin_day(trading_day)
        lost = {intent.order_id for intent in open_intents if intent.code in (ORDER_FORGOTTEN, ORDER_ALIKE)}
        self._carried = (unanswered & {intent.order_id for intent in open_intents}) - lost
        self._recall(trading_day)
        self._overdue = [intent for intent in open_intents if intent.order_id not in self._carried]

    def _was_answered(self, intent: Intent) -> bool:
        """Whether the counter had this order on its day, as far as the journal knows: its first answer may
        leave it 提交中.
        """
        row = self._store.order_row(intent.trading_day, intent.order_id)
        return row is not None and bool(
            row["status"] != Status.SUBMITTING.value or row.get("order_local_id") or row.get("order_sys_id")
        )

    def _intents(self) -> list[Intent]:
        """The day's, and those of earlier days that are or may be its own."""
        carried = (self._store.intent(order_id) for order_id in sorted(self._carried))
        return [*self._store.intents(self.trading_day), *(intent for intent in carried if intent is not None)]

    def _recall(self, trading_day: str) -> None:
        """What an earlier process has heard of the day's orders: by which names the exchanges call them,
        which have ended, and which had been sent the day before.
        """
        journaled = self._store.orders(trading_day)
        for row in journaled:
            self._ledger.known_as(
                row["order_id"], row["exchange"], row.get("order_sys_id", ""), row.get("order_local_id", "")
            )
        self._ended = {row["order_id"] for row in journaled if not is_working(row)}
        sent_today = {intent.order_id for intent in self._store.intents(trading_day)}
        self._carried |= {row["order_id"] for row in journaled if row.get("is_local")} - sent_today

    def _load_contracts(self, then: Callable[[list[InstrumentField]], None]) -> None:
        self._query("instrument", then)

    def _load_figures(self) -> None:
        """Lots, then money. They belong together only if no trade came between the two answers."""
        load = self._load
        assert load is not None

        def on_details(rows: list[PositionDetailField]) -> None:
            load.details, load.known_at_details = rows, load.known_trades()
            if self._ledger.are_dates_doubtful(rows, load.trades):
                self._query("position", on_positions)
            else:
                self._query("account", on_account)

        def on_positions(rows: list[PositionField]) -> None:
            self._ledger.hear_positions(rows, load.details)
            self._query("account", on_account)

        def on_account(rows: list[TradingAccountField]) -> None:
            if not rows:  # a real counter that is only just up
                self._loop.call_later(QUERY_AGAIN, self._load_again, load)
                return
            load.tries += 1
            if load.known_trades() != load.known_at_details and load.tries < MOST_RELOADS:
                self._load_figures()
            else:
                self._finish_load(rows[0])

        self._query("position_detail", on_details)

    def _load_again(self, load: _Load) -> None:
        if load is self._load:
            self._load_figures()

    def _finish_load(self, account: TradingAccountField) -> None:
        load = self._load
        assert load is not None
        assert self._link is not None
        assert self._link.connection is not None
        if (
            account.TradingDay < self._ledger.trading_day and load.tries < MOST_RELOADS
        ):  # queries may be of the day before for a moment
            self._loop.call_later(QUERY_AGAIN, self._load_again, load)
            return
        if account.TradingDay != self._ledger.trading_day:
            self._begin_load(account.TradingDay, f"新交易日 {account.TradingDay}")
            return
        self._load = None
        for contract in self._ledger.set_contracts(load.instruments):
            self._emit(EVENT_CONTRACT, contract)
        self._remark(self._ledger.hear_account(account))
        changes = self._ledger.rebuild(account, load.details, load.orders, load.trades)
        self._tell_differences(self._ledger.reconcile(account, load.details, is_complete=True))
        with self._sending:
            self._session = _Session(self._link.connection, *self._logged_in)
        self._tell(changes)
        self._hold(self._ledger.holdings())
        self._tell_positions()
        self._tell_account()
        self._is_ready()
        if not self._initialised:
            self._initialised = True
            self._emit(EVENT_INIT_FINISHED, True)
        self._look_for_orders({self._ledger.id_of(row) for row in load.orders})
        overdue, self._overdue = self._overdue, []
        for intent in overdue:
            self._end_with_day(intent)

    # ── orders that the counter does not show ──

    def _look_for_orders(self, shown: set[str]) -> None:
        """What of the journal's open intents the counter knows is settled. For what it has not shown, be it
        that it never answered or that it has forgotten an order, it is asked again, a little later.
        """
        self._missing = {order.order_id for order in self._ledger.active_orders()} - shown
        for intent in self._intents():
            order_id, order = intent.order_id, self._ledger.orders.get(intent.order_id)
            if intent.state == "refused" and self._ledger.is_unconfirmed(order_id):
                self._missing.discard(order_id)
                self._show_refused(
                    intent, Refusal(intent.code, intent.message)
                )  # not in the counter's queries: shown from the journal
            elif order_id in self._missing:
                continue
            elif order is None and (
                intent.state in OPEN_INTENT or intent.state == "accepted" and order_id not in self._ended
            ):
                self._missing.add(order_id)
            elif order is not None and intent.state in OPEN_INTENT:
                state = "refused" if order.error_code else "accepted"
                self._call(self._store.settle_intent, order_id, state, order.error_code, order.error_message)
        if self._missing:
            log.warning("%d orders are not at the counter (yet)", len(self._missing))
            self._loop.call_later(ARRIVAL_GRACE, self._look_again, self._session, LOOKS)

    def _look_again(self, session: _Session | None, looks: int) -> None:
        """Another session has begun: its load looks for them again."""
        if session is None or session is not self._session or not self._missing:
            return

        def on_orders(rows: list[OrderField]) -> None:
            for row in rows:
                self._hear_order(row)
            if looks > 1:
                self._loop.call_later(ARRIVAL_GRACE, self._look_again, session, looks - 1)
            else:
                self._give_up_missing()

        self._query("order", on_orders)

    def _give_up_missing(self) -> None:
        """An order of ours that was never answered, and that looks like nothing that is there, never arrived.
        Any other may live: the counter's core has restarted and shows it under another triple, or has
        forgotten it while the exchange has it.
        """
        missing, self._missing = sorted(self._missing), set()
        intents = {intent.order_id: intent for intent in self._intents()}
        for order_id in missing:
            intent = intents.get(order_id)
            if (
                intent is None
                or intent.state == "accepted"
                or intent.code == ORDER_FORGOTTEN
                or not self._ledger.is_unconfirmed(order_id)
            ):
                self._lose_sight(
                    order_id,
                    intent,
                    ORDER_FORGOTTEN,
                    "柜台不再显示这张报单，结局不明：请向期货公司核对，勿重复下单",
                )
                continue
            alike = self._ledger.alike(_row_of(intent))
            if alike:
                text = f"柜台没有这个编号的报单，但有一张同样的（{alike[0]}），可能就是它：请核对，勿重复下单"
                self._lose_sight(order_id, intent, ORDER_ALIKE, text)
                continue
            if intent.trading_day != self.trading_day:
                self._end_with_day(intent)
                text = (
                    f"报单 {order_id}（{_row_of(intent).InstrumentID}）在 {intent.trading_day} "
                    f"发出后没有回音：{self._day_over(intent)}"
                )
                self._call(self._wiring.listener.on_notice, ENDED_WITH_DAY, text)
                continue
            message = f"柜台 {intent.trading_day} 的委托中没有这笔报单：未到达柜台或未被受理"
            log.warning("order %s is not at the counter: settled as refused", order_id)
            self._call(self._store.settle_intent, order_id, "refused", NEVER_ARRIVED, message)
            self._show_refused(intent, Refusal(NEVER_ARRIVED, message))

    def _day_over(self, intent: Intent) -> str:
        return (
            f"交易日 {intent.trading_day} 已结束，{self.trading_day} 的委托中没有它，不会再成交；"
            "当日是否成交过，请核对持仓"
        )

    def _end_with_day(self, intent: Intent) -> None:
        """An order of a day that is over, whose end nobody has heard: nothing can become of it any more
        (CTP's orders are good for their day). What had become of it by then nobody can say, but that is in
        the positions by now.
        """
        order_id = intent.order_id
        row = self._store.order_row(intent.trading_day, order_id)
        if order_id in self._ledger.orders or (row is None and order_id not in self._carried):
            # against all reason the counter has it, or what this process heard of it is not written yet: at a
            # later turn
            return
        self._carried.discard(order_id)
        row = row or {}
        if row.get("status", Status.SUBMITTING.value) not in (
            Status.SUBMITTING.value,
            OtherStatus.UNKNOWN.value,
        ):
            state = "refused" if row.get("error_code") else "accepted"
            self._call(
                self._store.settle_intent,
                order_id,
                state,
                row.get("error_code") or "",
                row.get("error_message") or "",
            )
            return
        text = self._day_over(intent)
        log.warning("order %s ended with its day %s", order_id, intent.trading_day)
        self._call(self._store.settle_intent, order_id, "accepted", "", text)
        order = fields.order_of(
            msgspec.structs.replace(
                _row_of(intent), OrderStatus="5", StatusMsg=text, OrderSysID=row.get("order_sys_id") or ""
            ),
            order_id=order_id,
            gateway_name=self.gateway_name,
            traded=int(row.get("traded") or 0),
            client_order_id=intent.client_order_id,
            strategy=intent.request.get("strategy", ""),
        )
        self._emit(EVENT_ORDER, order)

    def _lose_sight(self, order_id: str, intent: Intent | None, code: str, text: str) -> None:
        """It is shown as what it is, unknown, and told of once."""
        row = self._ledger.order_row(order_id)
        if row is None and intent is not None:
            row = msgspec.structs.replace(_row_of(intent), TradingDay=self.trading_day)
        if row is None:
            return
        is_news = row.StatusMsg != text and (intent is None or intent.message != text)
        if intent is not None:
            self._call(self._store.settle_intent, order_id, "unknown", code, text)
        self._tell(self._ledger.lose_sight(order_id, row, text))
        if is_news:
            log.error("order %s: %s", order_id, code)
            self._call(
                self._wiring.listener.on_notice,
                code,
                f"报单 {order_id}（{row.InstrumentID} {row.VolumeTotalOriginal} 手）：{text}",
            )

    def _hear_order(self, row: OrderField) -> None:
        self._missing.discard(self._ledger.id_of(row))
        self._tell(self._ledger.apply_order(row))

    def _show_refused(self, intent: Intent, refusal: Refusal) -> None:
        self._tell(self._ledger.apply_refusal(_row_of(intent), refusal))

    # ── what the counter says ──

    def _on_Heartbeat(self, frame: frames.Heartbeat) -> None:
        self._clock.set(frame.now)
        if self.state in ("loading", "ready") and frame.TradingDay != self._ledger.trading_day:
            self._begin_load(frame.TradingDay, f"新交易日 {frame.TradingDay}")

    def _on_RtnOrder(self, frame: frames.RtnOrder) -> None:
        if frame.order.CombOffsetFlag[:1] in fields.FORCED_OFFSETS:
            self._tell_forced(frame.order)
        self._look_at_day(frame.order.TradingDay)
        if self._load is not None:
            self._load.orders.append(frame.order)
        else:
            self._hear_order(frame.order)

    def _look_at_day(self, trading_day: str) -> None:
        """A front that is not restarted goes on to its next day without a word: what is of a newer one says
        so, and all is loaded anew.
        """
        if self._load is None and self.ready and trading_day > self.trading_day:
            self._begin_load(trading_day, f"新交易日 {trading_day}")

    def _tell_forced(self, row: OrderField) -> None:
        """The broker or the exchange closes what the account holds: the trader has to hear of it, once."""
        order_id = self._ledger.id_of(row)
        if order_id not in self._forced:
            self._forced.add(order_id)
            text = (
                f"{fields.FORCED_OFFSETS[row.CombOffsetFlag[:1]]}：{row.InstrumentID} "
                f"{row.VolumeTotalOriginal} 手 {row.StatusMsg.strip()}"
            )
            self._call(self._wiring.listener.on_notice, "FORCED_CLOSE", text.rstrip())

    def _on_RtnErrorConditionalOrder(self, frame: frames.RtnErrorConditionalOrder) -> None:
        """Another terminal's stop was triggered and came to nothing: who relies on it has to hear. Each login
        tells the day's again.
        """
        row = frame.order
        what = f"{fields.DIRECTION_OF[row.Direction].value}{fields.OFFSET_OF[row.CombOffsetFlag[:1]].value}"
        text = (
            f"条件单触发后被拒：{row.InstrumentID} {what} {row.VolumeTotalOriginal} 手，"
            f"{frame.ErrorMsg.strip()}"
        )
        log.warning("%s", text)
        if self._load is None and self.ready:
            self._call(self._wiring.listener.on_notice, "CONDITIONAL_ORDER_REFUSED", text)

    def _on_RtnTrade(self, frame: frames.RtnTrade) -> None:
        if self._load is not None:
            self._load.trades.append(frame.trade)
        else:
            self._tell(self._ledger.apply_trade(frame.trade))

    def _on_RspOrderInsert(self, frame: frames.RspOrderInsert) -> None:
        row = frame.order
        if (
            not row.FrontID and not row.SessionID
        ):  # CTP's own answer has neither: it comes to the asking session alone
            front, session = self._logged_in
            row = msgspec.structs.replace(
                row, FrontID=front, SessionID=session, TradingDay=row.TradingDay or self.trading_day
            )
        self._tell(self._ledger.apply_refusal(row, fields.refusal_of(frame.ErrorID, frame.ErrorMsg)))

    def _on_ErrRtnOrderInsert(self, frame: frames.ErrRtnOrderInsert) -> None:
        self._tell(self._ledger.apply_refusal(frame.order, fields.refusal_of(frame.ErrorID, frame.ErrorMsg)))

    def _on_RspOrderAction(self, frame: frames.RspOrderAction) -> None:
        """The private flow tells refusals of the whole day at each login, and those of other terminals'
        cancels: news is what answers a cancel that left from here, while the order is not cancelled. The
        counter's and the exchange's may both come: the first counts.
        """
        code, message = fields.refusal_of(frame.ErrorID, frame.ErrorMsg)
        triple = f"{frame.FrontID}_{frame.SessionID}_{frame.OrderRef.strip()}"
        ledger = self._ledger
        order_id = (
            ledger.order_of_sys_id(frame.ExchangeID, frame.OrderSysID)
            or ledger.order_of_triple(triple)
            or triple
        )
        order = ledger.orders.get(order_id)
        if order_id not in self._cancels or (order is not None and order.status is Status.CANCELLED):
            log.info("refusal %s of a cancel of order %s is old, or another session's", code, order_id)
            return
        self._cancels.discard(order_id)
        self._call(self._wiring.listener.on_cancel_refused, order_id, code, message)

    def _on_RspQry(self, frame: frames.RspQry) -> None:
        query = self._queries.get(frame.RequestID)
        if query is None:
            return  # of a session or a load that has been given up
        query.rows += frame.rows
        if not frame.last:
            return
        del self._queries[frame.RequestID]
        if frame.ErrorID:
            log.warning("query %s refused: %d %s", query.what, frame.ErrorID, frame.ErrorMsg)
            self._loop.call_later(
                QUERY_AGAIN, self._ask_again, self._link and self._link.connection, self._load, query
            )
        else:
            query.then(query.rows)

    def _on_details(self, rows: list[PositionDetailField]) -> None:
        self._details = (len(self._ledger.trades), rows)
        if self._ledger.are_dates_doubtful(rows):
            self._query_once("position", lambda positions: self._ledger.hear_positions(positions, rows))
        self._tell_positions()

    def _on_account(self, rows: list[TradingAccountField]) -> None:
        if not rows:
            return
        self._look_at_day(rows[0].TradingDay)
        if self._load is not None:
            return
        if rows[0].TradingDay == self.trading_day:
            self._remark(self._ledger.hear_account(rows[0]))
            if self._details is not None:
                known, details = self._details
                if known == len(self._ledger.trades) and self._may_reconcile(rows[0], details):
                    self._tell_differences(self._ledger.reconcile(rows[0], details))
        self._tell_account()

    def _may_reconcile(self, _account: TradingAccountField, _details: list[PositionDetailField]) -> bool:
        """Whether both answers are of one moment with what was heard: on one connection they are."""
        return True

    # ── asking and telling ──

    def _query(self, what: str, then: Callable[[list[Any]], None]) -> None:
        self._request_id += 1
        self._queries[self._request_id] = _Query(what, then)
        self._send(frames.ReqQry(what=what, RequestID=self._request_id))

    def _query_once(self, what: str, then: Callable[[list[Any]], None]) -> int:
        if not self.ready or any(query.what == what for query in self._queries.values()):
            return -1
        self._query(what, then)
        return 0

    def _ask_again(self, connection: FrontConnection | None, load: _Load | None, query: _Query) -> None:
        same = self._link is not None and connection is self._link.connection and load is self._load
        if same and connection is not None and not connection.closed:
            self._query(query.what, query.then)

    def _exchange(self, req: OrderRequest) -> str:
        """The contract's exchange; ctpbee's helper loses GFEX on the way."""
        instrument = self._ledger.instrument(req.symbol)
        if instrument is not None:
            return instrument.ExchangeID
        exchange = getattr(req.exchange, "value", req.exchange)
        if exchange not in fields.EXCHANGES:
            raise BadInput("exchange", f"不认识的合约 {req.symbol}")
        return exchange

    def _submitted(self, row: OrderField) -> None:
        for order in self._ledger.submit(row):
            self._loop.post(self._tell_submitted, order)  # after whoever sent it has its id

    def _tell_submitted(self, order: OrderData) -> None:
        if self._ledger.orders.get(order.order_id) is order:  # else the counter was faster
            self._tell([order])

    def _tell(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if change.symbol not in self._held:
                self._hold(self._ledger.holdings())
            self._emit(EVENT_ORDER if isinstance(change, OrderData) else EVENT_TRADE, change)

    def _hold(self, symbols: Iterable[str]) -> None:
        self._held = set(symbols)
        self._call(self._wiring.hold, self._held)

    def _tell_positions(self) -> None:
        for position in self._ledger.book.positions():
            self._emit(EVENT_POSITION, position_data(position))

    def _tell_account(self) -> None:
        money = self._ledger.money()
        amounts = {name: float(amount) for name, amount in msgspec.structs.asdict(money).items()}
        frozen = amounts["frozen_margin"] + amounts["frozen_commission"]
        self._emit(
            EVENT_ACCOUNT,
            AccountData(
                accountid=self.info["userid"], gateway_name=self.gateway_name, frozen=frozen, **amounts
            ),
        )

    def _tell_differences(self, differences: list[Difference]) -> None:
        faults = [difference.text for difference in differences if difference.is_fault]
        if faults:
            log.error("our book and the counter differ: %s", "; ".join(faults))
            self._call(self._wiring.listener.on_difference, faults)
        self._remark([difference.text for difference in differences if not difference.is_fault])

    def _remark(self, texts: list[str]) -> None:
        """What the trader may want to know of the money, and nobody has to do anything about."""
        for text in texts:
            self._call(self._wiring.listener.on_remark, text)


def _row_of(intent: Intent) -> OrderField:
    """The order as it was sent."""
    return msgspec.convert(intent.request["row"], OrderField)


def insert_of(row: OrderField) -> frames.ReqOrderInsert:
    """What asks a counter for this order."""
    return frames.ReqOrderInsert(
        InstrumentID=row.InstrumentID,
        ExchangeID=row.ExchangeID,
        OrderRef=row.OrderRef,
        Direction=row.Direction,
        CombOffsetFlag=row.CombOffsetFlag,
        OrderPriceType=row.OrderPriceType,
        TimeCondition=row.TimeCondition,
        VolumeCondition=row.VolumeCondition,
        LimitPrice=row.LimitPrice,
        VolumeTotalOriginal=row.VolumeTotalOriginal,
    )
