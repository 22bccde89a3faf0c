"""Market and trader of a broker's or SimNow's CTP fronts: the two sides over the vendor's library. Gateway
process, event thread.

What the built-in counter does not ask for is here: authentication, settlement confirmation, a changed
password, queries one by one, rates that are fetched contract by contract. Each connection that the library
makes is authenticated and logged in anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from ctpbee.constant import EVENT_CONTRACT

from app.bee import fields
from app.interfaces.ctp import link, preflight, words
from app.interfaces.ctp.queries import Query, QueryQueue
from app.interfaces.front import LOGGED_IN, AccountFront, NotSent, Refused
from app.interfaces.ledger import Difference
from app.interfaces.market import Market
from app.interfaces.trader import Trader
from app.interfaces.wiring import Wiring
from app.lib.advice import refusal_text
from app.lib.calendar import SHANGHAI, parse_day, wall_time
from app.lib.errors import AppError, LoginDelayed, LoginRefused, NotReady, OrderRefused
from app.wire import frames
from app.wire.frames import DepthField, InstrumentField, PositionDetailField, TradingAccountField

log = logging.getLogger(__name__)

LOGIN_LIMIT = 120.0  # seconds from one answer of the load to the next
LIST_LIMIT = 100.0  # seconds; over twenty thousand contracts come through a slow line
MUST_CHANGE_PASSWORD = {131, 140, 141}
WAITS_FOR_TRADING = "等交易前置登录"
NEAR = timedelta(hours=1)
FAR = timedelta(days=15)  # no holiday is as long
HALF_DAY = timedelta(hours=12)
APART = timedelta(
    minutes=10
)  # an exchange's clock that the login shows further from the counter's is not believed
RATES = ("margin_rate", "exchange_margin_rate", "commission_rate")  # queries, in their order
RATES_SCOPE = "rates"
SETTLEMENT_SCOPE = "settlement"
NEWEST = "newest"  # beside the days in that scope: which of them it is
ANSWER_LIMIT = 8.0  # seconds
SUSPECT_AGAIN = 1.0  # seconds
LIST_AGAIN = 3.0  # seconds


class _Change(NamedTuple):
    """A password that is being changed while the account is logged in."""

    future: Future[None]
    new: str


def login_moment(trading_day: str, clock: str, now: datetime) -> datetime:
    """The counter's moment from the `HH:MM:SS` that it tells at a login, aware: of the host's date where
    their clocks agree, else, the host's being wrong or the counter's another, of the trading day. The host's
    own moment where it tells none.

    Clocks agree where the hour does and the trading day is not far: of a counter that replays another year
    the hour may agree by chance.
    """
    try:
        told = datetime.strptime(clock, "%H:%M:%S").time()
    except ValueError:
        return now
    today, day = now.astimezone(SHANGHAI).date(), parse_day(trading_day)
    for days in (0, -1, 1):
        moment = datetime.combine(today + timedelta(days=days), told, SHANGHAI)
        if abs(moment - now) < NEAR and abs(day - today) < FAR:
            return moment
    return wall_time(day, clock)


def clocks_ahead(frame: frames.RspUserLogin) -> dict[str, timedelta]:
    """What each exchange's clock shows beyond the counter's, as the login tells them; without those that it
    does not tell, GFEX's.
    """
    told = {
        "SHFE": frame.SHFETime,
        "DCE": frame.DCETime,
        "CZCE": frame.CZCETime,
        "CFFEX": frame.FFEXTime,
        "INE": frame.INETime,
    }
    ahead: dict[str, timedelta] = {}
    for exchange, clock in told.items():
        try:
            apart = datetime.strptime(clock, "%H:%M:%S") - datetime.strptime(frame.now, "%H:%M:%S")
        except ValueError:  # it was not connected to that one
            continue
        apart = (apart + HALF_DAY) % (2 * HALF_DAY) - HALF_DAY  # midnight may lie between the two
        if abs(apart) < APART:
            ahead[exchange] = apart
    return ahead


def _with_limits(row: InstrumentField, quote: DepthField | None) -> InstrumentField:
    if quote is None:
        return row
    return msgspec.structs.replace(
        row,
        UpperLimitPrice=quote.UpperLimitPrice,
        LowerLimitPrice=quote.LowerLimitPrice,
        PreSettlementPrice=quote.PreSettlementPrice,
    )


def _margin_of(rate: words.MarginRateField) -> dict[str, float]:
    """InstrumentField's names for it."""
    return {
        "LongMarginRatio": rate.LongMarginRatioByMoney,
        "ShortMarginRatio": rate.ShortMarginRatioByMoney,
        "LongMarginRatioByVolume": rate.LongMarginRatioByVolume,
        "ShortMarginRatioByVolume": rate.ShortMarginRatioByVolume,
    }


def _words_of(finding: preflight.Finding) -> str:
    return f"{finding.name}：{finding.problem}。{finding.remedy}"


def _settle(future: Future[None] | None, error: AppError | None) -> None:
    """End who waits, if anybody does; nobody does then."""
    if future is not None and not future.done():
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


class _CtpFront(AccountFront):
    """Common to both: preflight first, each connection logged in anew, and the counter's clock, which it
    tells once a login.
    """

    title: str  # for the trader

    def __init__(self, wiring: Wiring) -> None:
        super().__init__(wiring)
        self._is_retrying = False

    def connect(self, info: dict[str, Any]) -> None:
        self.info, self.is_taken = info, info["password_taken"]
        finding = preflight.first_problem(info, link.native_classes)
        if finding is None:
            self._dial()
        else:
            self._refuse(LoginRefused(_words_of(finding), code=finding.code))

    def _dial(self) -> None:
        super().connect(self.info)

    def _on_open(self) -> None:
        """Each time that the library has connected, or the counter is to be asked again."""
        self._watch()
        self._say_unless_retrying("connected", self.info[f"{self.name}_address"])
        self._log_in()

    def _log_in(self) -> None:
        self._say_unless_retrying("logging_in")
        self._send_login()

    def _send_login(self) -> None:
        self._send_word(self._login())

    def _send_word(self, word: words.AnyWord | frames.ReqUserLogin) -> None:
        """Part of the login, which is begun anew should it not have left."""
        assert self._link is not None
        connection = self._link.connection
        assert isinstance(connection, link.NativeConnection)
        try:
            connection.send(word)
        except NotSent as error:
            log.warning("%s not sent: %s", type(word).__name__, error.message)
        except (
            Exception
        ) as error:  # the edge of a foreign library: whatever it cannot take, the login goes on
            log.exception("%s not sent", type(word).__name__)
            self._say("lost", f"CTP 库出错：{error}")
        else:
            return
        self._link.drop()

    def _say_unless_retrying(self, state: str, reason: str = "") -> None:
        """While it is asked again and again, each attempt's steps are no news: the state stays lost, with its
        reason.
        """
        if not self._is_retrying:
            self._say(state, reason)

    def _on_login_refused(self, frame: Refused) -> None:
        """Where the counter has taken the password before, what does not speak of it ends nothing: positions
        would be left alone.
        """
        self._is_retrying = self._passes(frame)
        if self._is_retrying and not self._is_ordinary(frame):
            assert isinstance(self._link, link.NativeLink)
            self._link.slow_down()
            code, message = fields.refusal_of(frame.ErrorID, frame.ErrorMsg)
            text = f"{self.title}不受理登录，{link.LONGEST_PAUSE:g} 秒后再试：{refusal_text(code, message)}"
            self._call(self._wiring.listener.on_notice, code, text)
        super()._on_login_refused(frame)

    def _passes(self, frame: Refused) -> bool:
        return self._is_ordinary(frame) or (self.is_taken and frame.ErrorID not in fields.FINAL_LOGIN_ERRORS)

    def _is_ordinary(self, frame: Refused) -> bool:
        """Whether it passes, and is no news. Whoever was in may have the counter still count the session that
        was lost.
        """
        return super()._passes(frame) or (self.is_taken and frame.ErrorID == fields.TOO_MANY_SESSIONS)

    def rest(self, until: datetime) -> None:
        """Log out, and do not dial before `until`."""
        self._put_down()
        self._say("resting", f"不在交易时段，{until.astimezone(SHANGHAI):%Y-%m-%d %H:%M} 再登录")

    def _put_down(self) -> None:
        self._unwatch()
        if isinstance(self._link, link.NativeLink):
            self._link.rest()
        self._link = None

    def wake(self) -> None:
        """Dial again; where something is wrong on this machine by now, rest on: an account is not given up
        for a full disk.
        """
        finding = preflight.first_problem(self.info, link.native_classes)
        if finding is None:
            self._dial()
        else:
            self._say("resting", _words_of(finding))

    def _hear_clock(self, frame: frames.RspUserLogin) -> None:
        self._is_retrying, self.is_taken = False, True
        self._clock.start(
            login_moment(frame.TradingDay, frame.now, datetime.now(SHANGHAI)), clocks_ahead(frame)
        )

    def _on_RspError(self, frame: words.RspError) -> None:
        log.warning("%s: request %d failed: %d %s", self.name, frame.RequestID, frame.ErrorID, frame.ErrorMsg)


class CtpTrader(_CtpFront, Trader):
    """The trading front."""

    title = "交易前置"
    login_limit = LOGIN_LIMIT
    lists_contracts_once_a_day = True

    def __init__(self, wiring: Wiring) -> None:
        super().__init__(wiring)
        self._waiting: QueryQueue | None = None
        self._ledger.rates_come_apart = True
        self._is_authenticated = False  # on this connection
        self._suspected: list[Difference] = []  # that were seen once
        self._login_day = ""
        self._statement_of = ""  # the day on which the newest statement was asked for
        self._confirming: Future[None] | None = None
        self._change: _Change | None = None
        self._fetching: set[Future[tuple[str, str]]] = set()  # statements that are asked for

    @property
    def _queue(self) -> QueryQueue:
        if self._waiting is None:
            self._waiting = QueryQueue(self._loop, self._send_query, self.info["query_interval"])
        return self._waiting

    def _make_link(self) -> link.NativeTraderLink:
        _, api = link.native_classes()
        return link.NativeTraderLink(api, self.info, self._loop, self._on_open, self._on_frame, self._on_lost)

    def _on_frame(self, frame: Any) -> None:
        link.set_dates(frame, self._clock.now() if self.info["never_rests"] else None)
        super()._on_frame(frame)

    def rest(self, until: datetime) -> None:
        self._end_session()
        self._load = None
        text = f"不在交易时段，前置不可用；{until.astimezone(SHANGHAI):%m-%d %H:%M} 起自动登录"
        self.delay = LoginDelayed(text, code="OUT_OF_HOURS")
        super().rest(until)

    def wake(self) -> None:
        self.delay = None
        super().wake()

    # ── login ──

    def _log_in(self) -> None:
        if self.info["auth_code"] and not self._is_authenticated:
            self._say_unless_retrying("authenticating")
            self._send_word(words.ReqAuthenticate(AppID=self.info["appid"], AuthCode=self.info["auth_code"]))
        else:
            super()._log_in()

    def _on_RspAuthenticate(self, frame: words.RspAuthenticate) -> None:
        if frame.ErrorID:
            self._on_login_refused(frame)
        else:
            self._is_authenticated = True
            self._log_in()

    def _on_open(self) -> None:
        self._is_authenticated = False
        super()._on_open()

    def _on_login_refused(self, frame: Refused) -> None:
        new = self.info.get("new_password", "")
        if frame.ErrorID in MUST_CHANGE_PASSWORD and new:
            self._send_word(words.ReqUserPasswordUpdate(OldPassword=self.info["password"], NewPassword=new))
            return
        if self._passes(frame):
            code, message = fields.refusal_of(frame.ErrorID, frame.ErrorMsg)
            self.delay = LoginDelayed(message, code=code)
        super()._on_login_refused(frame)

    def _on_logged_in(self, trading_day: str) -> None:
        self.delay, self._login_day = None, trading_day
        new = self.info.get("new_password", "")
        if new:
            self._send_word(words.ReqUserPasswordUpdate(OldPassword=self.info["password"], NewPassword=new))
        elif self.info["settlement_confirm"]:
            self._say("confirming")
            self._send_word(words.ReqSettlementInfoConfirm())
        else:
            self._begin_load(trading_day)

    def _on_RspUserPasswordUpdate(self, frame: words.RspUserPasswordUpdate) -> None:
        code, message = fields.refusal_of(frame.ErrorID, frame.ErrorMsg)
        refusal = LoginRefused(f"密码未修改：{message}", code=code) if frame.ErrorID else None
        change, self._change = self._change, None
        if refusal is None:
            new = self.info["new_password"] if change is None else change.new
            self.info["password"], self.info["new_password"] = new, ""
            self._call(self._wiring.listener.on_password, new)
        if change is not None:
            _settle(change.future, refusal)
        elif refusal is not None:
            self._refuse(refusal)
        elif self.state == "logged_in":  # a second login beside the first would be refused
            self._on_logged_in(self._login_day)
        else:
            self._log_in()

    def _on_RspSettlementInfoConfirm(self, frame: words.RspSettlementInfoConfirm) -> None:
        code, message = fields.refusal_of(frame.ErrorID, frame.ErrorMsg)
        if frame.ErrorID:
            log.error("settlement not confirmed: %s %s", code, message)
        confirming, self._confirming = self._confirming, None
        _settle(confirming, OrderRefused(message, code=code) if frame.ErrorID else None)
        if self.state == "confirming":
            self._begin_load(self._login_day)

    def _is_ready(self) -> None:
        super()._is_ready()
        self._want_rates()
        self._keep_statement()

    def _on_lost(self, reason: str) -> None:
        super()._on_lost(self.delay.message if self.delay is not None else reason)

    # ── queries ──

    def _query(self, what: str, then: Callable[[list[Any]], None]) -> None:
        self._queue.add(Query(what, then))

    def _query_once(self, what: str, then: Callable[[list[Any]], None]) -> int:
        """Regular questions wait in line with the rates: they come so often that these would never have their
        turn.
        """
        if not self.ready or self._queue.has(what):
            return -1
        self._queue.add(Query(what, then), urgent=False)
        return 0

    def _end_session(self) -> None:
        super()._end_session()
        self._queue.clear()
        fetching, self._fetching = self._fetching, set()
        for future in fetching:
            future.set_exception(NotReady("交易前置已断开，请稍后再试"))
        change, self._change = self._change, None
        if change is not None:
            _settle(change.future, NotReady("交易前置已断开，密码是否已修改尚不知道"))

    def _on_RspQry(self, frame: frames.RspQry) -> None:
        if self._load is not None and frame.rows:
            self._watch()  # it goes on
        self._queue.answered(frame)

    def _on_RspError(self, frame: words.RspError) -> None:
        super()._on_RspError(frame)
        self._queue.answered(
            frames.RspQry(
                what="",
                RequestID=frame.RequestID,
                rows=[],
                last=True,
                ErrorID=frame.ErrorID,
                ErrorMsg=frame.ErrorMsg,
            )
        )

    def _send_query(self, query: words.ReqQuery) -> None:
        connection = self._link and self._link.connection
        if not isinstance(connection, link.NativeConnection):
            raise NotSent("前置未连接")
        connection.send(query)

    def _load_contracts(self, then: Callable[[list[InstrumentField]], None]) -> None:
        """The list has neither the day's limits nor the last settlement: those are in the quotes. A counter
        that will not tell all quotes at once leaves them to the ticks.
        """

        load = self._load

        def ask() -> None:
            if load is self._load:
                self._queue.add(Query("instrument", on_instruments, limit=LIST_LIMIT))

        def on_instruments(rows: list[InstrumentField]) -> None:
            if not rows:  # a counter that is only just up has no list yet
                self._loop.call_later(LIST_AGAIN, ask)
                return

            def on_quotes(quotes: list[DepthField]) -> None:
                by_symbol = {quote.InstrumentID: quote for quote in quotes}
                then([_with_limits(row, by_symbol.get(row.InstrumentID)) for row in rows])

            self._queue.add(Query("depth", on_quotes, is_optional=True))

        ask()

    # ── rates ──

    def _hold(self, symbols: Iterable[str]) -> None:
        super()._hold(symbols)
        if self.ready:
            self._want_rates()

    def _want_rates(self) -> None:
        """This account's own rates of what it holds or trades: from the day's store, else asked when nothing
        else is.
        """
        for symbol in self._held:
            row = self._lacks_rates(symbol)
            if row is not None and not any(self._queue.has(what, InstrumentID=symbol) for what in RATES):
                self._ask_rates(row)

    def want_rates(self, symbol: str) -> None:
        """They are asked once a day, when nothing else is, and of one contract at a time: whoever leafs
        through many must not hold up the questions for positions and money.
        """
        row = self._lacks_rates(symbol)
        if row is not None and self.ready and not any(map(self._queue.has, RATES)):
            self._ask_rates(row)

    def _lacks_rates(self, symbol: str) -> InstrumentField | None:
        """The contract, where its rates are not known: neither here nor in the day's store."""
        row = self._ledger.instrument(symbol)
        if row is None or self._ledger.has_rates(symbol):
            return None
        known = self._store.setting(RATES_SCOPE, symbol)
        if known is None or known["day"] != self.trading_day:
            return row
        self._take_rates(row, known["rates"])
        return None

    def _ask_rates(self, row: InstrumentField) -> None:
        asked = {"InstrumentID": row.InstrumentID, "ExchangeID": row.ExchangeID}
        speculation = asked | {"HedgeFlag": "1"}
        rates: dict[str, float] = {}

        def on_margin(answers: list[words.MarginRateField]) -> None:
            if answers:
                rates.update(_margin_of(answers[0]))
            if answers and answers[0].IsRelative:
                self._queue.add(
                    Query("exchange_margin_rate", on_exchange, speculation, is_optional=True), urgent=False
                )
            else:
                on_margin_known()

        def on_exchange(answers: list[words.MarginRateField]) -> None:
            """The guide calls IsRelative "whether charged relative to the exchange" and no more: taken as on
            top of it.
            """
            base = _margin_of(answers[0]) if answers else {name: getattr(row, name) for name in rates}
            rates.update({name: round(rate + base[name], 10) for name, rate in rates.items()})
            on_margin_known()

        def on_margin_known() -> None:
            self._queue.add(Query("commission_rate", on_commission, asked), urgent=False)

        def on_commission(answers: list[words.CommissionRateField]) -> None:
            if answers:
                rates.update(
                    {
                        name: value
                        for name, value in msgspec.structs.asdict(answers[0]).items()
                        if name != "InstrumentID"
                    }
                )
            self._store.put_setting(RATES_SCOPE, row.InstrumentID, {"day": self.trading_day, "rates": rates})
            self._take_rates(row, rates)

        self._queue.add(Query("margin_rate", on_margin, speculation), urgent=False)

    def _take_rates(self, row: InstrumentField, rates: dict[str, float]) -> None:
        self._emit(EVENT_CONTRACT, self._ledger.set_rates(row.InstrumentID, rates))
        self._compare_again()

    # ── comparing ──

    def _may_reconcile(self, account: TradingAccountField, details: list[PositionDetailField]) -> bool:
        """Fills come on one of CTP's flows and answers on another: a difference counts when it is there
        twice.
        """
        found = self._ledger.differences(account, details)
        is_confirmed = not found or found == self._suspected
        self._suspected = [] if is_confirmed else found
        if not is_confirmed:
            self._loop.call_later(SUSPECT_AGAIN, self._compare_again)
        return is_confirmed

    def _compare_again(self) -> None:
        self.query_position()
        self.query_account()

    # ── settlement statement ──

    def _keep_statement(self) -> None:
        """The newest one, once a day."""
        if self._statement_of != self.trading_day:
            self._statement_of = self.trading_day
            self._ask_statement("", urgent=False)

    def fetch_statement(self, day: str = "") -> Future[tuple[str, str]]:
        """Asked before what nobody waits for, and kept in the store by its day."""
        self._check_ready()
        return self._ask_statement(day, urgent=True)

    def _ask_statement(self, day: str, urgent: bool) -> Future[tuple[str, str]]:
        future: Future[tuple[str, str]] = Future()
        self._fetching.add(future)

        def on_parts(parts: list[words.SettlementPart]) -> None:
            found = next((part.TradingDay for part in parts if part.TradingDay), day)
            text = b"".join(part.Content for part in parts).decode("gb18030", "replace")
            if text:
                self._store.put_setting(SETTLEMENT_SCOPE, found, text)
                if not day:
                    self._store.put_setting(SETTLEMENT_SCOPE, NEWEST, found)
            self._fetching.discard(future)
            future.set_result((found, text) if text else ("", ""))

        self._queue.add(Query("settlement", on_parts, {"TradingDay": day}, is_optional=True), urgent)
        return future

    def confirm_settlement(self) -> Future[None]:
        self._check_ready()
        if self._confirming is not None:
            return self._confirming
        confirming = self._confirming = Future()
        self._ask_soon(words.ReqSettlementInfoConfirm(), confirming)
        return confirming

    def change_password(self, new: str) -> Future[None]:
        self._check_ready()
        if self._change is not None:
            raise NotReady("密码正在修改，请稍候")
        self._change = change = _Change(Future(), new)
        self._ask_soon(
            words.ReqUserPasswordUpdate(OldPassword=self.info["password"], NewPassword=new), change.future
        )
        return change.future

    def _check_ready(self) -> None:
        if not self.ready:
            raise NotReady("交易前置未就绪，请稍后再试")

    def _ask_soon(self, word: words.AnyWord, future: Future[None]) -> None:
        """Send it; the future fails where it did not leave, or is not answered in time: an answer that comes
        later counts.
        """
        try:
            session = self._session
            if session is None or not isinstance(session.connection, link.NativeConnection):
                raise NotSent("交易前置未就绪")
            session.connection.send(word)
        except NotSent as error:
            self._change = (
                None if self._change is not None and future is self._change.future else self._change
            )
            self._confirming = None if future is self._confirming else self._confirming
            _settle(future, NotReady(f"{error.message}，请稍后再试"))
        else:
            self._loop.call_later(ANSWER_LIMIT, self._give_up_waiting, future)

    def _give_up_waiting(self, future: Future[None]) -> None:
        self._confirming = None if future is self._confirming else self._confirming
        _settle(future, NotReady("柜台未应答，请稍后查看结果"))


class CtpMarket(_CtpFront, Market):
    """The market front. With `LoginVerify` it takes only who has logged in to trading on this day from the
    same address: it is dialled when that has been done, and again then where it was refused (the guide's HQLK
    1).
    """

    title = "行情前置"
    _trading_is_in = False

    @property
    def is_given_up(self) -> bool:
        return False

    def follow(self, state: str) -> None:
        self._trading_is_in = state in LOGGED_IN
        self.is_taken = self.is_taken or self._trading_is_in
        if self._link is None and self.state != "resting":
            if state == "logged_in":
                self._dial()
            elif state == "lost" and self.state == "connecting":
                self._say("lost", WAITS_FOR_TRADING)

    def _dial(self) -> None:
        if self._trading_is_in:
            super()._dial()
        else:
            self._say("connecting", WAITS_FOR_TRADING)

    def _on_login_refused(self, frame: Refused) -> None:
        if frame.ErrorID == fields.INVALID_LOGIN and not self._trading_is_in:
            self._put_down()
            self._say("lost", WAITS_FOR_TRADING)
        else:
            super()._on_login_refused(frame)

    def _is_ordinary(self, frame: Refused) -> bool:
        """Trading is in: the password is right, and this front has only not heard of it yet."""
        return super()._is_ordinary(frame) or frame.ErrorID == fields.INVALID_LOGIN

    def _refuse(self, refusal: LoginRefused) -> None:
        super()._refuse(refusal)
        self._put_down()

    def rest(self, until: datetime) -> None:
        self._stop_streaming()
        super().rest(until)

    def _make_link(self) -> link.NativeMarketLink:
        api, _ = link.native_classes()
        return link.NativeMarketLink(
            api, self.info, self._loop, self._on_open, self._on_frame, self._on_lost, take=self._take
        )

    def _password(self) -> str:
        return str(self.info["password"])
