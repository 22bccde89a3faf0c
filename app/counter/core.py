"""The built-in counter's front and core: logins, checks, the life of orders, positions and money, the trading
day. Counter process.

Requests and moments of the market go in, (link, callback frame) pairs come out; clock and quotes are the
market's. A link is whatever names a connection. One thread calls; when a call returns, what it did is on
disk, so its frames may leave. When a call raises, nothing of it is on disk and memory has been brought back
to what is.

Rules and error ids: docs/domain.md. What the counter refuses (fields, contract, position, money) has no
OrderField row and freezes nothing; what the exchange refuses (price, phase) was accepted first and ends as
status '5', submit status '4'.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

import msgspec
from msgspec.structs import replace

from app.counter import holdings
from app.counter.accounts import Confirmation, Order, PaperAccount, Session, hash_password, password_fits
from app.counter.desk import Desk
from app.counter.exchange import LIMIT_PRICE, Exchange, ends_at_once
from app.counter.markets.market import DayTurn, Market
from app.counter.matching import Deal
from app.counter.orders import (
    FRONT_ID,
    SEAT,
    cancel_refused,
    cancel_refused_to_all,
    fill_of,
    order_row,
    trade_row,
    working_order,
)
from app.counter.refusals import (
    OPEN,
    Refusal,
    contract_refusal,
    is_well_formed,
    money_refusal,
    position_refusal,
    refusal_of,
    request_refusal,
)
from app.counter.state import CounterState, StoredAccount, StoredOrder, StoredTrade
from app.counter.statement import Settled, statement_of, statement_rows
from app.lib.book import Book, Fill, Lot, Terms
from app.lib.market_orders import MarketOrders
from app.lib.market_orders import market_orders as usual_market_orders
from app.lib.prices import is_absent
from app.wire import frames as f

log = logging.getLogger(__name__)

QUERY_CHUNK = 200
TICK_CHUNK = 2000

TELL_AT_ONCE = {"SHFE", "INE", "CFFEX"}
"""Exchanges whose first word about an order is what became of it at its arrival: filled, or, of a FAK, how it
ended. The others first say that it queues, then each step. Everywhere the order's row comes before the trade
(the vendor's guide, 单笔回报, scenes 1-10).
"""

NOTHING_ELSE: Mapping[str, str | int] = MappingProxyType({})

Link = Hashable
Out = list[tuple[Link, f.Frame]]


class Core:
    """See the module's docstring."""

    def __init__(
        self,
        state: CounterState,
        market: Market,
        capital: float,
        market_orders: MarketOrders | None = None,
    ) -> None:
        """`market_orders`: what the exchanges take, the usual where it is None."""
        self._market_orders = usual_market_orders() if market_orders is None else market_orders
        self._state = state
        self._market = market
        self._capital = capital
        self._sessions: dict[Link, Session] = {}
        self._statuses: dict[tuple[str, str], f.InstrumentStatusField] = {}
        self.desk = Desk()
        self._out: Out = []
        self._pending: list[f.DepthField | DayTurn] = []
        self._touched = False  # something was written: how far the market is goes into the same transaction
        self._turned = False  # another day: the market's whole state does
        self._known_terms: dict[str, tuple[f.InstrumentField, Terms]] = {}
        self._watched: set[str] | None = None
        self._watch_is_stale = True  # what is subscribed, held or working may be another set now
        market.resume(state.get("market", {}), state.get("progress", 0))
        self._load()
        with self._transaction():
            self._catch_up()
            self._turned = True
        self._out.clear()
        self._watch()

    # ── the doors ──

    def handle(self, link: Link, request: f.AnyRequestFrame) -> Out:
        """A request of a connection."""
        with self._transaction():
            session = self._sessions.get(link)
            match request:
                case f.ReqUserLogin():
                    self._log_in(link, request)
                case f.ReqAuthenticate():
                    self._authenticate(link, request)
                case f.ReqUserPasswordUpdate():
                    self._change_password(link, request)
                case f.ReqUserLogout():
                    self._log_out(link, session, request)
                case f.ReqSettlementInfoConfirm():
                    self._confirm(link, session, request)
                case f.ReqOrderInsert():
                    self._insert(link, session, request)
                case f.ReqOrderAction():
                    self._cancel(link, session, request)
                case f.ReqQry():
                    self._query(link, session, request)
                case f.ReqSubMarketData():
                    self._subscribe(link, session, request)
        self._watch()
        return self._taken()

    def advance(self) -> Out:
        """All that the market did since the last call."""
        self._pending += self._market.poll()
        if not self._pending:
            return []
        try:
            with self._transaction():
                ticks: list[f.DepthField] = []
                for event in self._pending:
                    if isinstance(event, DayTurn):
                        self._publish(ticks)
                        ticks = []
                        self._turn_day(event.new_day, event.settlement)
                    else:
                        ticks.append(event)
                        self._apply_deals(event.InstrumentID, self._exchange.on_snapshot(event))
                        self._leave_auction(event.InstrumentID)
                self._publish(ticks)
        except BaseException:
            self._pending = [
                event for event in self._pending if isinstance(event, DayTurn)
            ]  # a settlement must happen, ticks go on
            raise
        self._pending = []
        self._watch()
        return self._taken()

    def heartbeat(self) -> Out:
        """What every connection hears once a second."""
        beat = f.Heartbeat(now=self._now_text(), TradingDay=self._market.trading_day())
        out: Out = [(link, beat) for link in self._sessions]
        natives = self._natives()
        changed = self._changed_statuses() if natives else []
        if changed:
            out += [(link, f.RtnInstrumentStatus(rows=changed)) for link in natives]
        return out

    def keep_market(self) -> None:
        """Write down where the market is, so that a restart goes on from here. To be called once a second and
        at the end.
        """
        with self._transaction():
            self._turned = True

    def disconnected(self, link: Link) -> None:
        """A connection is gone: that cancels nothing."""
        self._sessions.pop(link, None)
        self.desk.gone(link)
        self._watch_is_stale = True
        self._watch()

    def links(self, user: str = "", front: str = "", native: bool = False) -> list[Link]:
        """The logged-in connections, of one user and one front where given, or of CTP's library alone."""
        return [
            link
            for link, session in self._sessions.items()
            if user in ("", session.user) and front in ("", session.front) and (session.native or not native)
        ]

    # ── seams for the tests' faults (app/counter/faults.py); in production they say no ──

    def _forced_refusal(self, kind: str) -> Refusal | None:
        """Refuse this request (login, authenticate, password, confirm, order, cancel, query) whatever it
        says.
        """
        return None

    def _forced_rejection(self) -> str:
        """The exchange's text to reject this order with."""
        return ""

    def _is_held_back(self, kind: str) -> bool:
        """Leave this order, or this cancel, on its way to the exchange."""
        return False

    # ── memory and disk ──

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of a request or a moment, on disk when the block is left; or none of it, and memory as the disk
        has it.
        """
        self._touched = self._turned = False
        self._out = []
        try:
            with self._state.transaction():
                yield
                if self._turned:
                    self._state.put("market", self._market.state())
                if self._turned or self._touched:
                    self._state.put("progress", self._market.progress())
        except BaseException:
            self._out = []
            self._load()
            raise

    def _load(self) -> None:
        """Memory as the disk has it. Sessions stay, they are not on disk."""
        state = self._state
        self._watch_is_stale = True
        self._day: int = state.get("day", 0)
        self._trading_day: str = state.get("trading_day", "")
        self._last_session: int = state.get("session", 0)
        self._last_number = state.last_order_number()
        self._last_trade_number = state.last_trade_number()
        self._known_contracts = state.contracts()
        self._exchange = Exchange(
            self._market, msgspec.convert(state.get("day_before", {}), dict[str, f.DepthField])
        )
        self._accounts: dict[tuple[str, str], PaperAccount] = {}
        self._by_number: dict[int, Order] = {}
        self._in_auction: set[int] = set()
        self._last_place = self._last_trade_place = 0
        by_id: dict[int, PaperAccount] = {}
        for stored in state.accounts():
            by_id[stored.id] = self._accounts[stored.broker, stored.user] = self._open_account(
                stored, state.lots(stored.id)
            )
        for order in state.orders(self._day):
            self._load_order(by_id[order.account], order)
        for trade in state.trades(self._day):
            account, row = by_id[trade.account], trade.row
            account.trades.append(row)
            account.book.apply_fill(self._fill_of(row, self._by_number[int(row.OrderSysID)]))
            self._last_trade_place = trade.place
        for session in self._sessions.values():
            session.account = (
                self._accounts.get((session.broker, session.user)) if session.front == "td" else None
            )

    def _load_order(self, account: PaperAccount, stored: StoredOrder) -> None:
        row = stored.row
        order = Order(stored.place, account, row, 0.0, stored.number, stored.from_auction)
        order.freeze_price = self._freeze_price(row) if order.working else row.LimitPrice
        account.orders[row.FrontID, row.SessionID, row.OrderRef] = order
        self._last_place = order.place
        if order.number:
            self._by_number[order.number] = order
        self._index(order)
        if order.working:
            account.book.apply_order(working_order(order, self._contract(order.row.InstrumentID)))
            if order.number and row.InstrumentID in self._exchange.contracts:
                self._exchange.rest(order.number, row, order.from_auction)
                if order.from_auction:
                    self._in_auction.add(order.number)

    def _open_account(self, stored: StoredAccount, lots: list[Lot]) -> PaperAccount:
        book = Book(self._terms, self._trading_day, Decimal(stored.pre_balance), lots)
        return PaperAccount(stored, book, lots, Confirmation(*self._state.get(f"confirmed/{stored.id}", ())))

    @staticmethod
    def _index(order: Order) -> None:
        """Among those that work, or not any more: nobody has to go through all of the day's orders for
        them.
        """
        working, symbol = order.account.working, order.row.InstrumentID
        if order.working:
            working.setdefault(symbol, {})[order.place] = order
        elif symbol in working:
            working[symbol].pop(order.place, None)
            if not working[symbol]:
                del working[symbol]

    def _note_watched(self, account: PaperAccount, symbol: str) -> None:
        """Something works or is held of it, or does no more. Where it is as it was, nothing is counted."""
        if self._watch_is_stale or self._watched is None:
            self._watch_is_stale = True
        elif symbol in account.working or account.book.holds(symbol):
            self._watch_is_stale = symbol not in self._watched
        else:
            self._watch_is_stale = symbol in self._watched  # somebody else may want it

    def _save(self, order: Order) -> None:
        self._index(order)
        self._note_watched(order.account, order.row.InstrumentID)
        self._state.save_order(
            self._day,
            StoredOrder(order.place, order.account.stored.id, order.number, order.from_auction, order.row),
        )
        self._touched = True

    def _save_trade(self, account: PaperAccount, trade: f.TradeField, number: int) -> None:
        self._last_trade_place += 1
        self._state.save_trade(
            self._day, StoredTrade(self._last_trade_place, account.stored.id, number, trade)
        )

    def _taken(self) -> Out:
        out, self._out = self._out, []
        return out

    def _tell(self, account: PaperAccount, callback: f.Frame) -> None:
        """To all trading sessions of the account's user."""
        for link, session in self._sessions.items():
            if session.account is account:
                self._out.append((link, callback))

    # ── login ──

    def _log_in(self, link: Link, request: f.ReqUserLogin) -> None:
        self._sessions.pop(link, None)
        self._watch_is_stale = True
        account, refusal = self._let_in(link, request)
        if refusal is not None:
            log.info(
                "login refused: %s/%s at %s: %s",
                request.BrokerID,
                request.UserID,
                request.front,
                refusal.text,
            )
            answer = f.RspUserLogin(
                front=request.front,
                ErrorID=refusal.error_id,
                ErrorMsg=refusal.text,
                BrokerID=request.BrokerID,
                UserID=request.UserID,
                RequestID=request.RequestID,
            )
            self._out.append((link, answer))
            return
        self._last_session += 1
        self._state.put("session", self._last_session)
        self._touched = True
        self._sessions[link] = Session(
            request.front, request.BrokerID, request.UserID, self._last_session, account, request.native
        )
        refs = [int(ref) for _, _, ref in account.orders] if account is not None else []
        answer = f.RspUserLogin(
            front=request.front,
            BrokerID=request.BrokerID,
            UserID=request.UserID,
            TradingDay=self._trading_day,
            FrontID=FRONT_ID,
            SessionID=self._last_session,
            MaxOrderRef=str(max(refs, default=0)),
            now=self._now_text(),
            RequestID=request.RequestID,
        )
        self._out.append((link, answer))
        log.info(
            "login: %s/%s at %s, session %d",
            request.BrokerID,
            request.UserID,
            request.front,
            self._last_session,
        )
        if account is None:
            return
        if request.replay:
            self._out += [(link, f.RtnOrder(order=order.row)) for order in account.orders.values()]
            self._out += [(link, f.RtnTrade(trade=trade)) for trade in account.trades]
            self._out += [(link, refusal) for refusal in account.refusals if request.native]
        if request.native:
            self._changed_statuses()
            self._out.append((link, f.RtnInstrumentStatus(rows=list(self._statuses.values()))))

    def _let_in(self, link: Link, request: f.ReqUserLogin) -> tuple[PaperAccount | None, Refusal | None]:
        """The account of a trading login, made at its first one; or why there is no login."""
        refusal = self._forced_refusal("login")
        if refusal is not None:
            return None, refusal
        if request.front == "md":
            error_id = self.desk.before_quotes(request.UserID, request.native, self._trading_day)
            return None, refusal_of(error_id) if error_id else None
        if request.front != "td":
            return None, refusal_of(3)
        error_id = self.desk.before_password(link, request.UserID, request.native)
        if error_id:
            return None, refusal_of(error_id)
        account = self._account_of(request)
        if account is None:
            self.desk.wrong_password(request.UserID)
            return None, refusal_of(3)
        sessions = sum(session.account is account for session in self._sessions.values())
        error_id = self.desk.after_password(request.UserID, sessions)
        if error_id:
            return None, refusal_of(error_id)
        self.desk.entered(request.UserID, self._trading_day)
        return account, None

    def _account_of(self, request: f.ReqUserLogin) -> PaperAccount | None:
        """The account, made at its first login; None when the password is not its own."""
        if not request.UserID or not request.Password:
            return None
        account = self._accounts.get((request.BrokerID, request.UserID))
        if account is not None:
            return account if password_fits(request.Password, account.stored.password) else None
        capital = str(Decimal(str(self._capital)))
        stored = self._state.add_account(
            request.BrokerID, request.UserID, hash_password(request.Password), capital
        )
        account = self._accounts[stored.broker, stored.user] = self._open_account(stored, [])
        log.info("paper account made: %s/%s", stored.broker, stored.user)
        return account

    def _authenticate(self, link: Link, request: f.ReqAuthenticate) -> None:
        refusal = self._forced_refusal("authenticate")
        if refusal is None and (error_id := self.desk.authenticate(link, request.AppID, request.AuthCode)):
            refusal = refusal_of(error_id)
        error_id, text = refusal or (0, "")
        answer = f.RspAuthenticate(
            BrokerID=request.BrokerID,
            UserID=request.UserID,
            AppID=request.AppID,
            ErrorID=error_id,
            ErrorMsg=text,
            RequestID=request.RequestID,
        )
        self._out.append((link, answer))

    def _change_password(self, link: Link, request: f.ReqUserPasswordUpdate) -> None:
        refusal = self._forced_refusal("password")
        account = self._accounts.get((request.BrokerID, request.UserID))
        if refusal is not None:
            pass
        elif account is None or not password_fits(request.OldPassword, account.stored.password):
            refusal = refusal_of(3)
        elif request.NewPassword == request.OldPassword:
            refusal = refusal_of(142)
        elif not request.NewPassword:
            refusal = refusal_of(15)
        else:
            account.stored = account.stored._replace(password=hash_password(request.NewPassword))
            self._state.set_password(account.stored.id, account.stored.password)
            self.desk.password_changed(request.UserID)
        error_id, text = refusal or (0, "")
        answer = f.RspUserPasswordUpdate(
            BrokerID=request.BrokerID,
            UserID=request.UserID,
            ErrorID=error_id,
            ErrorMsg=text,
            RequestID=request.RequestID,
        )
        self._out.append((link, answer))

    def _log_out(self, link: Link, session: Session | None, request: f.ReqUserLogout) -> None:
        self._sessions.pop(link, None)
        self._watch_is_stale = True
        error_id, text = (0, "") if session is not None else refusal_of(6)
        broker, user = (session.broker, session.user) if session is not None else ("", "")
        self._out.append(
            (
                link,
                f.RspUserLogout(
                    BrokerID=broker, UserID=user, ErrorID=error_id, ErrorMsg=text, RequestID=request.RequestID
                ),
            )
        )

    def _confirm(self, link: Link, session: Session | None, request: f.ReqSettlementInfoConfirm) -> None:
        refusal = self._forced_refusal("confirm")
        account = session.account if session is not None else None
        if account is None:
            refusal = refusal_of(6)
        elif refusal is None:
            now = self._market.now()
            account.confirmed = Confirmation(self._trading_day, f"{now:%Y%m%d}", f"{now:%H:%M:%S}")
            self._state.put(f"confirmed/{account.stored.id}", account.confirmed)
        error_id, text = refusal or (0, "")
        answer = f.RspSettlementInfoConfirm(
            BrokerID=session.broker if session is not None else "",
            InvestorID=session.user if session is not None else "",
            ConfirmDate=account.confirmed.date if account is not None else "",
            ConfirmTime=account.confirmed.time if account is not None else "",
            ErrorID=error_id,
            ErrorMsg=text,
            RequestID=request.RequestID,
        )
        self._out.append((link, answer))

    # ── orders: the counter ──

    def _insert(self, link: Link, session: Session | None, request: f.ReqOrderInsert) -> None:
        row = self._order_row(session, request)
        refusal = request_refusal(request, session, self._trading_day) or self._check(session, row)
        if refusal is not None or session is None or session.account is None:
            error_id, text = refusal or refusal_of(6)
            row = replace(row, OrderStatus="5", OrderSubmitStatus="4", StatusMsg=text)
            self._out.append(
                (
                    link,
                    f.RspOrderInsert(order=row, ErrorID=error_id, ErrorMsg=text, RequestID=request.RequestID),
                )
            )
            if session is not None and session.account is not None:
                refused = f.ErrRtnOrderInsert(order=row, ErrorID=error_id, ErrorMsg=text)
                session.account.refusals.append(refused)
                self._tell(session.account, refused)
            return
        self._accept(session.account, row)

    def _accept(self, account: PaperAccount, row: f.OrderField) -> None:
        """The counter takes an order, gives it a number of its seat's and sends it on to the exchange."""
        self._last_place += 1
        row = replace(row, TraderID=SEAT, OrderLocalID=f"{self._last_place:>12}", StatusMsg="报单已提交")
        order = Order(self._last_place, account, row, self._freeze_price(row))
        account.orders[row.FrontID, row.SessionID, row.OrderRef] = order
        self._remember_contract(row.InstrumentID)
        self._update(order)
        if not self._is_held_back("order"):
            self._send_to_exchange(order)

    def _order_row(self, session: Session | None, request: f.ReqOrderInsert) -> f.OrderField:
        contract = self._exchange.contracts.get(request.InstrumentID)
        return order_row(request, session, contract, self._trading_day, self._market.now())

    def _check(self, session: Session | None, row: f.OrderField) -> Refusal | None:
        """Why the counter does not take this order; None when it does."""
        if session is None or session.account is None:
            return refusal_of(6)
        if not is_well_formed(row):
            return refusal_of(15)
        if int(row.OrderRef) <= session.last_ref:
            return refusal_of(22)
        session.last_ref = int(row.OrderRef)
        forced = self._forced_refusal("order")
        if forced is not None:
            return forced
        if self._is_too_fast(session):
            return refusal_of(116)
        return (
            contract_refusal(
                row,
                self._exchange.contracts.get(row.InstrumentID),
                self._trading_day,
                self._market_orders,
            )
            or self._check_position(session.account, row)
            or self._check_money(session.account, row)
        )

    def _is_too_fast(self, session: Session) -> bool:
        if not self.desk.rules.requests_a_second:
            return False
        return self.desk.is_too_fast(session.asked, self._market.now().timestamp())

    def _check_position(self, account: PaperAccount, row: f.OrderField) -> Refusal | None:
        return position_refusal(row, self._exchange.contracts[row.InstrumentID], account.book)

    def _check_money(self, account: PaperAccount, row: f.OrderField) -> Refusal | None:
        if row.CombOffsetFlag != OPEN:
            return None
        self._value(account)
        return money_refusal(row, self._freeze_price(row), account.book)

    # ── orders: to the exchange and back ──

    def _send_to_exchange(self, order: Order) -> None:
        row = order.row
        reason = self._forced_rejection() or self._exchange.refusal(row)
        if reason:
            text = f"已撤单报单被拒绝{row.ExchangeID}:{reason}"
            self._update(order, OrderStatus="5", OrderSubmitStatus="4", StatusMsg=text)
            return
        self._apply_deals(row.InstrumentID, self._exchange.refresh(row.InstrumentID))
        self._leave_auction(row.InstrumentID)
        self._last_number += 1
        order.number = self._last_number
        order.from_auction = self._market.phase(row.InstrumentID) == "auction"
        self._by_number[order.number] = order
        if order.from_auction:
            self._in_auction.add(order.number)
        deals = self._exchange.insert(order.number, row, order.from_auction)
        taken: dict[str, str | int] = {
            "OrderStatus": "3",
            "OrderSubmitStatus": "3",
            "OrderSysID": f"{order.number:>12}",
            "StatusMsg": "未成交",
        }
        if row.ExchangeID in TELL_AT_ONCE:
            self._advance(order, sum(deal.volume for deal in deals), ends_at_once(row), taken)
            self._apply_deals(row.InstrumentID, deals, told=order)
        else:
            self._update(order, **taken)
            self._apply_deals(row.InstrumentID, deals)
            if ends_at_once(row) and order.working:
                self._finish_cancelled(order)

    def _apply_deals(self, symbol: str, deals: Iterable[Deal], told: Order | None = None) -> None:
        """Each side's row, but for the one that has told of all its deals already, then its trade."""
        for deal in deals:
            self._last_trade_number += 1
            for number in (deal.buyer, deal.seller):
                if number is not None:
                    order = self._by_number[number]
                    if order is not told:
                        self._advance(order, deal.volume)
                    self._trade(
                        order, self._exchange.price(symbol, deal.price), deal.volume, self._last_trade_number
                    )

    def _advance(
        self, order: Order, volume: int, ends: bool = False, taken: Mapping[str, str | int] = NOTHING_ELSE
    ) -> None:
        """The row of an order that has filled so many lots more; with `ends`, what is left of it is gone.
        `taken`: what else has become of it.
        """
        row = order.row
        traded = row.VolumeTraded + volume
        left = row.VolumeTotalOriginal - traded
        changes = {**taken, "VolumeTraded": traded, "VolumeTotal": left}
        if ends and left:
            self._finish_cancelled(order, changes)
            return
        if not left:
            changes |= {"OrderStatus": "0", "StatusMsg": "全部成交"}
        elif traded:
            changes |= {"OrderStatus": "1", "StatusMsg": "部分成交"}
        self._update(order, **changes)

    def _leave_auction(self, symbol: str) -> None:
        """Note which orders the exchange has taken out of the auction with this snapshot."""
        if not self._in_auction:
            return
        for number in list(self._in_auction):
            order = self._by_number[number]
            if order.row.InstrumentID == symbol and not self._exchange.is_in_auction(number, symbol):
                self._in_auction.discard(number)
                order.from_auction = False
                self._save(order)

    def _trade(self, order: Order, price: float, volume: int, trade_number: int) -> None:
        trade = trade_row(order.row, price, volume, trade_number, self._trading_day, self._market.now())
        account = order.account
        account.trades.append(trade)
        account.book.apply_fill(self._fill_of(trade, order))
        self._note_watched(account, trade.InstrumentID)
        self._save_trade(account, trade, trade_number)
        self._tell(account, f.RtnTrade(trade=trade))

    def _update(self, order: Order, **changes: str | int) -> None:
        """The order's new row: into book and file, and to its user's sessions."""
        if changes:
            order.row = replace(order.row, **changes)
        order.account.book.apply_order(working_order(order, self._contract(order.row.InstrumentID)))
        self._save(order)
        self._tell(order.account, f.RtnOrder(order=order.row))

    # ── cancels ──

    def _cancel(self, link: Link, session: Session | None, request: f.ReqOrderAction) -> None:
        order = self._find(session, request)
        refusal = self._forced_refusal("cancel")
        if session is None or session.account is None:
            refusal = refusal_of(6)
        elif request.ActionFlag != "0":
            refusal = refusal or refusal_of(27)
        elif self._is_too_fast(session):
            refusal = refusal or refusal_of(116)
        elif order is None:
            refusal = refusal or refusal_of(25)
        elif not order.working:
            refusal = refusal or refusal_of(26)
        elif order.cancelling:
            refusal = refusal or refusal_of(24)
        if refusal is not None or order is None:
            refusal = refusal or refusal_of(25)
            self._out.append((link, cancel_refused(request, refusal)))
            if session is not None and session.account is not None:
                self._tell_cancel_refused(session.account, request, refusal)
        elif self._is_held_back("cancel"):
            order.cancelling = True
        else:
            self._finish_cancelled(order)

    def _tell_cancel_refused(
        self, account: PaperAccount, request: f.ReqOrderAction, refusal: Refusal
    ) -> None:
        """To all sessions of the user, as CTP's library hears it: of the counter's refusals too, and again at
        each login.
        """
        refused = cancel_refused_to_all(request, refusal)
        account.refusals.append(refused)
        self._out += [(link, refused) for link in self._natives() if self._sessions[link].account is account]

    @staticmethod
    def _find(session: Session | None, request: f.ReqOrderAction) -> Order | None:
        """The account's own order, by (ExchangeID, OrderSysID) or by the triple."""
        if session is None or session.account is None:
            return None
        if not request.OrderSysID.strip():
            key = (request.FrontID or FRONT_ID, request.SessionID or session.number, request.OrderRef)
            return session.account.orders.get(key)
        for order in session.account.orders.values():
            if (
                order.row.OrderSysID.strip() == request.OrderSysID.strip()
                and order.row.ExchangeID == request.ExchangeID
            ):
                return order
        return None

    def _finish_cancelled(self, order: Order, changes: Mapping[str, str | int] = NOTHING_ELSE) -> None:
        self._exchange.cancel(order.number, order.row.InstrumentID)
        order.cancelling = False
        ended = {
            "OrderStatus": "5",
            "OrderSubmitStatus": "3",
            "StatusMsg": "已撤单",
            "CancelTime": f"{self._market.now():%H:%M:%S}",
        }
        self._update(order, **{**changes, **ended})

    # ── queries and subscriptions ──

    def _query(self, link: Link, session: Session | None, request: f.ReqQry) -> None:
        refusal = self._forced_refusal("query")
        rows: Sequence[f.Row] = []
        if session is None or session.account is None:
            refusal = refusal_of(6)
        elif refusal is None:
            found = self._rows(session.account, request, session.native)
            rows, refusal = (found, None) if found is not None else ([], refusal_of(27))
        error_id, text = refusal or (0, "")
        for start in range(0, max(len(rows), 1), QUERY_CHUNK):
            chunk: list[f.Row] = list(rows[start : start + QUERY_CHUNK])
            last = start + QUERY_CHUNK >= len(rows)
            answer = f.RspQry(
                what=request.what,
                RequestID=request.RequestID,
                rows=chunk,
                last=last,
                ErrorID=error_id,
                ErrorMsg=text,
            )
            self._out.append((link, answer))

    def _rows(self, account: PaperAccount, request: f.ReqQry, native: bool) -> Sequence[f.Row] | None:  # noqa: C901 - a list, one case per query
        """All that is asked for; None for what the counter does not know."""
        broker, user = account.stored.broker, account.stored.user
        match request.what:
            case "instrument":
                return self._asked(request)
            case "margin_rate":
                return [holdings.margin_rate(broker, user, contract) for contract in self._asked(request)]
            case "commission_rate":
                return [holdings.commission_rate(broker, user, contract) for contract in self._asked(request)]
            case "depth":
                quotes = (self._exchange.newest(contract.InstrumentID) for contract in self._asked(request))
                return [quote for quote in quotes if quote is not None]
            case "order":
                return [
                    order.row
                    for order in account.orders.values()
                    if request.InstrumentID in ("", order.row.InstrumentID)
                ]
            case "trade":
                return [trade for trade in account.trades if request.InstrumentID in ("", trade.InstrumentID)]
            case "position":
                positions = holdings.position_rows(
                    self._day_of(account), self._terms, self._exchange.last_price
                )
                return [row for row in positions if request.InstrumentID in ("", row.InstrumentID)]
            case "position_detail":
                details = holdings.position_details(self._day_of(account), self._contract)
                return [row for row in details if request.InstrumentID in ("", row.InstrumentID)]
            case "account":
                return [self._money_of(account, native)]
            case "settlement":
                day, text = self._state.statement(account.stored.id, request.TradingDay)
                return statement_rows(broker, user, day, text)
            case "settlement_confirm":
                if not account.confirmed.date:
                    return []
                _, date, time = account.confirmed
                return [
                    f.SettlementConfirmField(
                        BrokerID=broker, InvestorID=user, ConfirmDate=date, ConfirmTime=time
                    )
                ]
        return None

    def _asked(self, request: f.ReqQry) -> list[f.InstrumentField]:
        """The listed futures that a query is about."""
        if request.InstrumentID:
            contract = self._exchange.contracts.get(request.InstrumentID)
            found = [contract] if contract is not None else []
        else:
            found = list(self._exchange.contracts.values())
        return [
            contract
            for contract in found
            if contract.ProductClass == "1" and request.ExchangeID in ("", contract.ExchangeID)
        ]

    def _money_of(self, account: PaperAccount, native: bool = False) -> f.TradingAccountField:
        self._value(account)
        return holdings.money_row(
            account.stored.broker, account.stored.user, self._trading_day, account.book, native
        )

    def _day_of(self, account: PaperAccount) -> holdings.AccountDay:
        working = [
            order.row for orders in account.working.values() for order in orders.values() if order.freezes
        ]
        return holdings.AccountDay(
            broker=account.stored.broker,
            user=account.stored.user,
            trading_day=self._trading_day,
            before=account.lots,
            trades=account.trades,
            lots=account.book.open_lots(),
            working=working,
        )

    def _subscribe(self, link: Link, session: Session | None, request: f.ReqSubMarketData) -> None:
        if session is None or session.front != "md":
            refused, refusal = request.InstrumentIDs, refusal_of(6)
        else:
            refused, refusal = (
                [symbol for symbol in request.InstrumentIDs if symbol not in self._exchange.contracts],
                refusal_of(16),
            )
            known = [
                symbol
                for symbol in dict.fromkeys(request.InstrumentIDs)
                if symbol in self._exchange.contracts
            ]
            if request.subscribe:
                new = [symbol for symbol in known if symbol not in session.subscribed]
                session.subscribed.update(new)
                self._watch_is_stale = True
                self._watch()  # before the quotes are asked for: the stream goes on from them
                quotes = [quote for symbol in new if (quote := self._exchange.newest(symbol)) is not None]
                if quotes:
                    self._out.append((link, f.RtnDepthMarketData(ticks=quotes)))
            else:
                session.subscribed.difference_update(request.InstrumentIDs)
                self._watch_is_stale = True
                refused = []
        for symbol in refused:
            self._out.append(
                (
                    link,
                    f.RspSubMarketData(InstrumentID=symbol, ErrorID=refusal.error_id, ErrorMsg=refusal.text),
                )
            )

    def _publish(self, ticks: list[f.DepthField]) -> None:
        """The snapshots of one moment, to each market connection what it subscribed."""
        for link, session in self._sessions.items():
            wanted = [tick for tick in ticks if tick.InstrumentID in session.subscribed]
            for start in range(0, len(wanted), TICK_CHUNK):
                self._out.append((link, f.RtnDepthMarketData(ticks=wanted[start : start + TICK_CHUNK])))

    def _natives(self) -> list[Link]:
        """The trading connections of CTP's library."""
        return self.links(front="td", native=True)

    def _changed_statuses(self) -> list[f.InstrumentStatusField]:
        """What the exchanges do with the products now, where it is not what they did when this was asked
        last.
        """
        changed: list[f.InstrumentStatusField] = []
        now = f"{self._market.now():%H:%M:%S}"
        products = {
            (contract.ExchangeID, contract.ProductID): symbol
            for symbol, contract in self._exchange.contracts.items()
        }
        for (exchange, product), symbol in products.items():
            status = {"auction": "3", "continuous": "2", "closed": "1"}[self._market.phase(symbol)]
            before = self._statuses.get((exchange, product))
            if before is None or before.InstrumentStatus != status:
                row = f.InstrumentStatusField(
                    ExchangeID=exchange, InstrumentID=product, InstrumentStatus=status, EnterTime=now
                )
                self._statuses[exchange, product] = row
                changed.append(row)
        return changed

    def _watch(self) -> None:
        """Tell the market whose stream is needed: subscribed, held or with working orders. Counted again
        only where that may have changed: this is on the way of every order and every tick.
        """
        if not self._watch_is_stale:
            return
        self._watch_is_stale = False
        wanted = {symbol for session in self._sessions.values() for symbol in session.subscribed}
        for account in self._accounts.values():
            wanted |= account.book.held()
            wanted.update(account.working)
        wanted &= self._exchange.contracts.keys()
        if wanted != self._watched:
            self._watched = wanted
            self._market.watch(wanted)

    # ── the trading day ──

    def _catch_up(self) -> None:
        """At start: the day may have turned, or another market been chosen, while nobody was there."""
        day = self._market.trading_day()
        if not self._trading_day:
            self._begin_day(day)
        elif day != self._trading_day:
            # The new day's pre-settlement is the old day's settlement, if the market went on.
            listed = self._exchange.contracts.values() if day > self._trading_day else []
            self._turn_day(day, {contract.InstrumentID: contract.PreSettlementPrice for contract in listed})

    def _turn_day(self, new_day: str, settlement: Mapping[str, float]) -> None:
        """Settle every account, end what works (without a push), begin the new day."""
        log.info("settlement of %s, next trading day %s", self._trading_day, new_day)
        settled = []
        for account in self._accounts.values():
            for order in account.orders.values():
                if order.working:  # only for the file's history
                    order.row = replace(
                        order.row, OrderStatus="5", OrderSubmitStatus="3", StatusMsg="交易日结束"
                    )
                    self._save(order)
            prices = {symbol: self._settlement_price(symbol, settlement) for symbol in account.book.held()}
            book = account.book.settle(prices, new_day)
            self._write_statement(account, book)
            settled.append((account, book))
        self._state.put("day_before", self._exchange.begin_day())
        for account, book in settled:
            lots = [
                self._dated_before(lot, new_day)
                for lot in book.open_lots()
                if lot.symbol in self._exchange.contracts
            ]
            for symbol in sorted({lot.symbol for lot in book.open_lots()} - self._exchange.contracts.keys()):
                log.info(
                    "%s/%s: %s is not listed any more, closed at settlement",
                    account.stored.broker,
                    account.stored.user,
                    symbol,
                )
            self._state.begin_day(account.stored.id, str(book.money().pre_balance), lots)
        self._begin_day(new_day)
        self._reload_accounts()
        for link in self._sessions:
            self._out.append((link, f.Heartbeat(now=self._now_text(), TradingDay=new_day)))

    def _write_statement(self, account: PaperAccount, settled: Book) -> None:
        lots = settled.open_lots()
        symbols = {lot.symbol for lot in lots} | {trade.InstrumentID for trade in account.trades}
        text = statement_of(
            Settled(
                broker=account.stored.broker,
                user=account.stored.user,
                trading_day=self._trading_day,
                before=account.book.money(),
                after=settled.money(),
                trades=account.trades,
                lots=lots,
                contracts={symbol: self._contract(symbol) for symbol in symbols},
            )
        )
        self._state.save_statement(account.stored.id, self._trading_day, text)

    def _begin_day(self, trading_day: str) -> None:
        self._day += 1
        self._trading_day = trading_day
        self._state.put("day", self._day)
        self._state.put("trading_day", trading_day)
        self._turned = self._watch_is_stale = True
        self._by_number.clear()
        self._in_auction.clear()
        self._last_place = self._last_trade_place = 0

    def _reload_accounts(self) -> None:
        for stored in self._state.accounts():
            account = self._accounts[stored.broker, stored.user]
            lots = self._state.lots(stored.id)
            fresh = self._open_account(stored, lots)
            account.stored, account.book, account.lots = stored, fresh.book, lots
            account.orders, account.working, account.trades, account.refusals = {}, {}, [], []
            for symbol in {lot.symbol for lot in lots}:
                self._remember_contract(symbol)

    def _settlement_price(self, symbol: str, settlement: Mapping[str, float]) -> float:
        """The settlement price; where the market knows none, the last price seen; 0 for no change."""
        price = settlement.get(symbol, 0.0)
        if not is_absent(price):
            return price
        seen = self._exchange.last_seen(symbol)
        return 0.0 if seen is None else seen.LastPrice

    @staticmethod
    def _dated_before(lot: Lot, day: str) -> Lot:
        """History is older than the day, also where a replay has taken the counter back in time."""
        if lot.open_date < day:
            return lot
        return lot._replace(open_date=f"{datetime.strptime(day, '%Y%m%d') - timedelta(days=1):%Y%m%d}")

    # ── contracts and prices ──

    def _contract(self, symbol: str) -> f.InstrumentField:
        return self._exchange.contracts.get(symbol) or self._known_contracts[symbol]

    def _remember_contract(self, symbol: str) -> None:
        contract = self._exchange.contracts[symbol]
        if self._known_contracts.get(symbol) != contract:
            self._known_contracts[symbol] = contract
            self._state.save_contract(contract)

    def _terms(self, symbol: str) -> Terms:
        contract = self._contract(symbol)
        known = self._known_terms.get(symbol)
        if known is None or known[0] is not contract:
            known = self._known_terms[symbol] = contract, f.terms_of(contract)
        return known[1]

    def _value(self, account: PaperAccount) -> None:
        """Value the account's positions at the newest prices."""
        for symbol in account.book.held():
            account.book.set_price(
                symbol, self._exchange.last_price(symbol), self._contract(symbol).PreSettlementPrice
            )

    def _freeze_price(self, row: f.OrderField) -> float:
        """What an open freezes by: its limit; a market order to buy the upper limit, to sell the newest
        price.
        """
        if row.OrderPriceType == LIMIT_PRICE:
            return row.LimitPrice
        _, upper = self._exchange.limits(row.InstrumentID)
        last = (
            self._exchange.last_price(row.InstrumentID) or self._contract(row.InstrumentID).PreSettlementPrice
        )
        return upper or last if row.Direction == "0" else last

    def _fill_of(self, trade: f.TradeField, order: Order) -> Fill:
        return fill_of(trade, order, self._contract(trade.InstrumentID))

    def _now_text(self) -> str:
        return self._market.now().replace(tzinfo=None).isoformat(timespec="milliseconds")
