"""The links to the vendor's fronts: its library, through ctpbee_api's binding, in the words of the counter's
frames. Gateway process.

The library connects, and connects again, by itself, in threads of its own. Its binding calls back in a
further thread, where a raised exception would be printed and lost: there the answer is only copied, and
handed to the event thread. The binding copies text into fixed buffers without looking at its length:
preflight.py has looked before.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import logging
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from app.bee import fields
from app.interfaces.ctp import words
from app.interfaces.front import NotSent
from app.lib import fronts
from app.lib.calendar import compact, parse_day, wall_time
from app.process.event_loop import EventLoop, Timer
from app.wire import frames
from app.wire.frames import (
    DepthField,
    InstrumentField,
    OrderField,
    PositionDetailField,
    PositionField,
    TradeField,
    TradingAccountField,
)

log = logging.getLogger(__name__)
T = TypeVar("T", bound=msgspec.Struct)

CONNECT_LIMIT = (
    5.0  # seconds after which a front that has not answered is called unreachable; the library goes on trying
)
SHORTEST_PAUSE, LONGEST_PAUSE = 5.0, 60.0  # seconds between two logins that the counter could not take

NOT_SENT = {
    -1: ("NEVER_SENT_NETWORK", "网络连接失败"),
    -2: ("NEVER_SENT_UNANSWERED", "未答复的请求已到上限"),
    -3: ("NEVER_SENT_TOO_FAST", "每秒请求数已到上限"),
}
"""What a request's return value says, when it is not 0."""

LOST = {
    0x1001: "网络读失败",
    0x1002: "网络写失败",
    0x2001: "接收心跳超时",
    0x2002: "发送心跳失败",
    0x2003: "收到错误报文",
}

OF_THE_ACCOUNT = {
    "position",
    "position_detail",
    "account",
    "order",
    "trade",
    "margin_rate",
    "exchange_margin_rate",
    "commission_rate",
    "settlement",
}

INSERT = {
    "CombHedgeFlag": "1",  # speculation
    "ContingentCondition": "1",  # at once
    "ForceCloseReason": "0",
    "IsAutoSuspend": 0,
    "UserForceClose": 0,
    "MinVolume": 1,
}
"""What every order of ours says beside what it was asked for."""


def native_classes() -> tuple[type, type]:
    """The binding's market and trading classes. Loads the vendor's libraries."""
    from ctpbee_api.ctp import MdApi, TdApi

    return MdApi, TdApi


# ── the binding's dicts ──


def clean(value: Any) -> Any:
    """A character that was not set is "", a price that there is not is 0."""
    if isinstance(value, float):
        return value if abs(value) < fields.ABSENT else 0.0
    return "" if value == "\0" else value


def row_of(kind: type[T], data: dict[str, Any]) -> T:
    """The binding's dict as a row of ours. Raises TypeError where a field is missing that has no default."""
    return kind(**{name: clean(data[name]) for name in kind.__struct_fields__ if name in data})


def natural_day(written: str, trading_day: str, clock: str, now: datetime | None) -> str:
    """The date on which `clock` was, of that trading day: some exchanges write a night's orders and trades
    with its natural date, some with the trading day.

    A date of its own is true, of weekends too. Else it is the calendar's; but where a front never rests its
    trading day may as well have gone on into the evening: then `now`, the counter's clock, has what is not to
    come, and is the nearer.
    """
    try:
        day = parse_day(trading_day)
        of_calendar = wall_time(day, clock)
    except ValueError:
        return trading_day
    with suppress(ValueError):
        if (own := parse_day(written)) != day:
            return compact(own)
    if now is None:
        return compact(of_calendar.date())
    latest, moment = now + fields.AHEAD, now
    of_day = datetime.combine(day, of_calendar.timetz())
    return compact(min(of_calendar, of_day, key=lambda other: (other > latest, abs(other - moment))).date())


def set_dates(frame: Any, now: datetime | None) -> None:
    """Give the orders and trades in it their natural dates; `now` as for `natural_day`."""
    match frame:
        case frames.RtnOrder():
            rows: list[Any] = [frame.order]
        case frames.RtnTrade():
            rows = [frame.trade]
        case frames.RspQry(what="order" | "trade"):
            rows = frame.rows
        case _:
            return
    for row in rows:
        if isinstance(row, OrderField):
            row.InsertDate = natural_day(row.InsertDate, row.TradingDay, row.InsertTime, now)
        else:
            row.TradeDate = natural_day(row.TradeDate, row.TradingDay, row.TradeTime, now)


ROWS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "order": functools.partial(row_of, OrderField),
    "trade": functools.partial(row_of, TradeField),
    "account": functools.partial(row_of, TradingAccountField),
    "instrument": functools.partial(row_of, InstrumentField),
    "position": functools.partial(row_of, PositionField),
    "position_detail": functools.partial(row_of, PositionDetailField),
    "depth": functools.partial(row_of, DepthField),
    "margin_rate": functools.partial(row_of, words.MarginRateField),
    "exchange_margin_rate": functools.partial(row_of, words.MarginRateField),
    "commission_rate": functools.partial(row_of, words.CommissionRateField),
    "settlement": functools.partial(row_of, words.SettlementPart),
}
"""How a row of each query's answer is made."""


def is_served(data: dict[str, Any]) -> bool:
    """Whether a contract is one of ours: options and combinations are not, nor what is listed elsewhere."""
    return data["ExchangeID"] in fields.EXCHANGES and fields.is_served(
        data["ProductClass"], clean(data["CombinationType"])
    )


def said(error: dict[str, Any]) -> dict[str, Any]:
    """ErrorID and ErrorMsg; of no error at all where the binding hands over an empty dict."""
    return {"ErrorID": error.get("ErrorID", 0), "ErrorMsg": error.get("ErrorMsg", "")}


def guarded(callback: Callable[..., None]) -> Callable[..., None]:
    """What goes wrong in a callback is logged: the binding would print it and nobody would know."""

    @functools.wraps(callback)
    def call(self: Any, *args: Any) -> None:
        try:
            callback(self, *args)
        except Exception:  # the edge of a foreign thread
            log.exception("callback %s failed", callback.__name__)

    return call


# ── the links ──


class NativeConnection:
    """The library's connection from one OnFrontConnected to its loss."""

    def __init__(self, ask: Callable[[Any], int]) -> None:
        self._ask = ask
        self.closed = False

    def send(self, frame: frames.AnyRequestFrame | words.AnyWord) -> None:
        """Raises NotSent, with what the library's return value says, when it has not left."""
        if self.closed:
            raise NotSent("与前置的连接已断开")
        result = self._ask(frame)
        if result:
            code, message = NOT_SENT.get(result, ("NEVER_SENT", f"发送失败（{result}）"))
            raise NotSent(message, code)


class NativeLink(ABC):
    """One front of the vendor's. `start`, `settled`, `drop`, `rest` and `close` in the event thread."""

    def __init__(
        self,
        api_class: type,
        info: dict[str, Any],
        loop: EventLoop,
        on_open: Callable[[], None],
        on_frame: Callable[[Any], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self._api_class = api_class
        self._info = info
        self._loop = loop
        self._on_open = on_open
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._closed = False
        self._connected = False  # the library's state, whatever we made of it
        self._logged_in = False  # on this connection
        self._pause = SHORTEST_PAUSE
        self._timers: list[Timer] = []
        self._request_ids = itertools.count(1)
        self._action_refs = itertools.count(1)
        self._rows: dict[int, list[Any]] = {}
        self._api: Any = None
        self.connection: NativeConnection | None = None

    def start(self) -> None:
        """Make the library's object and let it connect."""
        self._api = type(self._api_class.__name__, (self._callbacks, self._api_class), {})()
        self._api.link = self
        self._begin(self._api)
        self._timers.append(self._loop.call_later(CONNECT_LIMIT, self._find_unreachable))

    def settled(self) -> None:
        self._pause = SHORTEST_PAUSE
        self._logged_in = True

    def slow_down(self) -> None:
        """The next `drop` waits as long as any."""
        self._pause = LONGEST_PAUSE

    def drop(self) -> None:
        """The library keeps its connection: it is asked to log in anew, after a pause. A second login beside
        the first is refused (5).
        """
        if self._logged_in:
            self._logged_in = False
            self._log_out()
        if self.connection is not None:
            self.connection.closed = True
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE)
        self._timers.append(self._loop.call_later(pause, self._open_again))
        self._loop.post(self._tell_lost, "登录未完成")

    def close(self) -> None:
        """For good. The library's threads end with the process: to take it apart in a living one can hang."""
        self._closed = True
        for timer in self._timers:
            timer.cancel()
        if self.connection is not None and not self.connection.closed:
            self._log_out()
            self.connection.closed = True

    def rest(self) -> None:
        """For good too, and the library no longer dials: the session is let go, then, when all is quiet, the
        library itself.
        """
        self.close()
        api, self._api = self._api, None
        if api is not None:
            self._loop.call_later(1.0, _let_go, api)  # the answer to the logout may still come

    # called back, in the binding's thread

    def connected(self) -> None:
        self._loop.post(self._open)

    def disconnected(self, reason: int) -> None:
        if self.connection is not None:
            self.connection.closed = True
        self._loop.post(self._lose, f"与前置的连接已断开：{LOST.get(reason, '原因')} 0x{reason:04x}")

    def hear(self, frame: Any) -> None:
        if not self._closed:
            self._loop.post(self._hand_over, frame)

    def answer(
        self, what: str, data: dict[str, Any], error: dict[str, Any], request: int, last: bool
    ) -> None:
        """One row of a query's answer: handed over with the others once the last has come."""
        rows = self._rows.setdefault(request, [])
        if data and (what != "instrument" or is_served(data)):
            rows.append(ROWS[what](data))
        if last:
            del self._rows[request]
            self.hear(frames.RspQry(what=what, RequestID=request, rows=rows, last=True, **said(error)))

    # in the event thread

    def _open(self) -> None:
        self._connected = True
        if not self._closed:
            self._rows.clear()
            self._logged_in = False
            self.connection = NativeConnection(self._ask)
            self._on_open()

    def _open_again(self) -> None:
        if self._connected and not self._closed and (self.connection is None or self.connection.closed):
            self._open()

    def _lose(self, reason: str) -> None:
        self._connected = False
        self._tell_lost(reason)

    def _tell_lost(self, reason: str) -> None:
        if not self._closed:
            self._on_lost(reason)

    def _hand_over(self, frame: Any) -> None:
        if not self._closed:
            self._on_frame(frame)

    def _find_unreachable(self) -> None:
        if not self._connected:
            self._tell_lost(f"连接不上前置 {self._address}")

    def _identity(self) -> dict[str, Any]:
        return {"BrokerID": self._info["brokerid"], "UserID": self._info["userid"]}

    def _register_fronts(self, api: Any) -> None:
        """All of the side's: the library takes another one where it cannot connect."""
        for address in fronts.split(self._address):
            api.registerFront(address)

    def _flow(self, side: str) -> str:
        folder = Path(self._info["flow_dir"]) / side
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return f"{folder}/"  # the library takes it for a prefix of its files' names

    # each side's own

    _callbacks: type

    @property
    @abstractmethod
    def _address(self) -> str: ...

    @abstractmethod
    def _begin(self, api: Any) -> None: ...

    @abstractmethod
    def _ask(self, frame: Any) -> int: ...

    def _log_out(self) -> None:
        """Whether that leaves or not: nothing is to be done about it."""
        self._api.reqUserLogout(self._identity(), next(self._request_ids))


def _let_go(api: Any) -> None:
    """Take the library apart, which ends its threads and sockets. In a thread of its own: it waits for the
    binding's.

    The binding's `exit` waits for its calling thread with Python's lock held, which that thread may be
    waiting for; freeing an object that has not exited calls it too. The same C++ function, called through
    ctypes, is called without that lock, and once it has been, the object is freed without ado. Where its name
    is another (Windows), the library is left alone: logged out, it goes on dialling.
    """
    if sys.platform == "win32":
        _LEFT.append(api)
        return
    bound = type(api).__mro__[-3]  # the binding's own class: behind it are pybind11's and Python's objects
    leave = getattr(ctypes.CDLL(sys.modules[bound.__module__].__file__), f"_ZN5{bound.__name__}4exitEv")

    def run() -> None:
        leave(
            ctypes.c_void_p.from_address(id(api) + object.__basicsize__)
        )  # where pybind11 keeps the C++ object's address

    threading.Thread(target=run, name="library-exit", daemon=True).start()


_LEFT: list[Any] = []
"""Library objects that were not taken apart, and so must not be freed."""


class TraderCallbacks:
    """What the vendor's trading library calls, in the binding's thread."""

    link: NativeTraderLink

    @guarded
    def onFrontConnected(self) -> None:
        self.link.connected()

    @guarded
    def onFrontDisconnected(self, reason: int) -> None:
        self.link.disconnected(reason)

    @guarded
    def onRspError(self, error: dict[str, Any], request: int, last: bool) -> None:
        self.link.hear(words.RspError(RequestID=request, **said(error)))

    @guarded
    def onRspAuthenticate(
        self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool
    ) -> None:
        self.link.hear(words.RspAuthenticate(**said(error)))

    @guarded
    def onRspUserLogin(self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool) -> None:
        self.link.hear(login_of("td", data, error))

    @guarded
    def onRspSettlementInfoConfirm(
        self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool
    ) -> None:
        self.link.hear(words.RspSettlementInfoConfirm(**said(error)))

    @guarded
    def onRspUserPasswordUpdate(
        self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool
    ) -> None:
        self.link.hear(words.RspUserPasswordUpdate(**said(error)))

    @guarded
    def onRtnOrder(self, data: dict[str, Any]) -> None:
        self.link.hear(frames.RtnOrder(order=row_of(OrderField, data)))

    @guarded
    def onRtnTrade(self, data: dict[str, Any]) -> None:
        self.link.hear(frames.RtnTrade(trade=row_of(TradeField, data)))

    @guarded
    def onRtnErrorConditionalOrder(self, data: dict[str, Any]) -> None:
        self.link.hear(frames.RtnErrorConditionalOrder(order=row_of(OrderField, data), **said(data)))

    @guarded
    def onRspOrderInsert(self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool) -> None:
        """Comes to the session that asked, and does not say which that is. ErrRtnOrderInsert comes to all
        sessions and does not say either whose order it is, so that it cannot be told from another's: it is
        not listened to.
        """
        if data and error.get("ErrorID"):
            row = row_of(OrderField, {"FrontID": 0, "SessionID": 0, "TradingDay": "", **data})
            self.link.hear(frames.RspOrderInsert(order=row, **said(error)))

    @guarded
    def onRspOrderAction(self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool) -> None:
        if data and error.get("ErrorID"):
            self.link.hear(row_of(frames.RspOrderAction, data | said(error)))

    @guarded
    def onErrRtnOrderAction(self, data: dict[str, Any], error: dict[str, Any]) -> None:
        if data and error.get("ErrorID"):
            self.link.hear(row_of(frames.RspOrderAction, data | said(error)))

    @guarded
    def onRspQryInstrument(
        self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool
    ) -> None:
        self.link.answer("instrument", data, error, request, last)

    @guarded
    def onRspQryOrder(self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool) -> None:
        self.link.answer("order", data, error, request, last)

    @guarded
    def onRspQryTrade(self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool) -> None:
        self.link.answer("trade", data, error, request, last)

    @guarded
    def onRspQryInvestorPosition(
        self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool
    ) -> None:
        self.link.answer("position", data, error, request, last)

    @guarded
    def onRspQryInvestorPositionDetail(
        self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool
    ) -> None:
        self.link.answer("position_detail", data, error, request, last)

    @guarded
    def onRspQryTradingAccount(
        self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool
    ) -> None:
        self.link.answer("account", data, error, request, last)

    @guarded
    def onRspQryDepthMarketData(
        self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool
    ) -> None:
        self.link.answer("depth", data, error, request, last)

    @guarded
    def onRspQryInstrumentMarginRate(
        self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool
    ) -> None:
        self.link.answer("margin_rate", data, error, request, last)

    @guarded
    def onRspQryExchangeMarginRate(
        self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool
    ) -> None:
        self.link.answer("exchange_margin_rate", data, error, request, last)

    @guarded
    def onRspQryInstrumentCommissionRate(
        self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool
    ) -> None:
        self.link.answer("commission_rate", data, error, request, last)

    @guarded
    def onRspQrySettlementInfo(
        self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool
    ) -> None:
        self.link.answer("settlement", data, error, request, last)


class NativeTraderLink(NativeLink):
    """The trading front. The day's orders and trades come again at each login (RESTART)."""

    _callbacks = TraderCallbacks

    @property
    def _address(self) -> str:
        return str(self._info["td_address"])

    def _begin(self, api: Any) -> None:
        api.createFtdcTraderApi(self._flow("td"))
        api.subscribePrivateTopic(0)  # THOST_TERT_RESTART
        api.subscribePublicTopic(2)  # THOST_TERT_QUICK: what the exchanges said before does not matter
        self._register_fronts(api)
        api.init()

    def _ask(self, frame: Any) -> int:
        api, identity, request = self._api, self._identity(), next(self._request_ids)
        investor = {"BrokerID": identity["BrokerID"], "InvestorID": identity["UserID"]}
        match frame:
            case frames.ReqOrderInsert():
                row = msgspec.structs.asdict(frame) | INSERT | investor | identity | {"RequestID": request}
                return int(api.reqOrderInsert(row, request))
            case frames.ReqOrderAction():
                return int(api.reqOrderAction(self._action(frame) | investor | identity, request))
            case words.ReqQuery():
                asked = frame.asked | (investor if frame.what in OF_THE_ACCOUNT else {})
                return int(getattr(api, QUERIES[frame.what])(asked, frame.RequestID))
            case words.ReqAuthenticate():
                return int(api.reqAuthenticate(msgspec.structs.asdict(frame) | identity, request))
            case frames.ReqUserLogin():
                return int(api.reqUserLogin(identity | {"Password": frame.Password}, request))
            case words.ReqSettlementInfoConfirm():
                return int(api.reqSettlementInfoConfirm(investor, request))
            case words.ReqUserPasswordUpdate():
                return int(api.reqUserPasswordUpdate(msgspec.structs.asdict(frame) | identity, request))
        raise TypeError(f"no request for {type(frame).__name__}")

    def _action(self, frame: frames.ReqOrderAction) -> dict[str, Any]:
        """By the exchange's number once there is one, which works for orders of every session; else by the
        triple.
        """
        row = {
            "InstrumentID": frame.InstrumentID,
            "ExchangeID": frame.ExchangeID,
            "ActionFlag": "0",  # delete
            "OrderActionRef": next(self._action_refs),
        }
        if frame.OrderSysID.strip():
            return row | {"OrderSysID": frame.OrderSysID}
        return row | {"OrderRef": frame.OrderRef, "FrontID": frame.FrontID, "SessionID": frame.SessionID}


QUERIES = {
    "instrument": "reqQryInstrument",
    "order": "reqQryOrder",
    "trade": "reqQryTrade",
    "position": "reqQryInvestorPosition",
    "position_detail": "reqQryInvestorPositionDetail",
    "account": "reqQryTradingAccount",
    "depth": "reqQryDepthMarketData",
    "margin_rate": "reqQryInstrumentMarginRate",
    "exchange_margin_rate": "reqQryExchangeMarginRate",
    "commission_rate": "reqQryInstrumentCommissionRate",
    "settlement": "reqQrySettlementInfo",
}


class MarketCallbacks:
    """What the vendor's market library calls, in the binding's thread."""

    link: NativeMarketLink

    @guarded
    def onFrontConnected(self) -> None:
        self.link.connected()

    @guarded
    def onFrontDisconnected(self, reason: int) -> None:
        self.link.disconnected(reason)

    @guarded
    def onRspError(self, error: dict[str, Any], request: int, last: bool) -> None:
        self.link.hear(words.RspError(RequestID=request, **said(error)))

    @guarded
    def onRspUserLogin(self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool) -> None:
        self.link.hear(login_of("md", data, error))

    @guarded
    def onRspSubMarketData(
        self, data: dict[str, Any], error: dict[str, Any], request: int, last: bool
    ) -> None:
        if data and error.get("ErrorID"):
            self.link.hear(frames.RspSubMarketData(InstrumentID=data["InstrumentID"], **said(error)))

    @guarded
    def onRtnDepthMarketData(self, data: dict[str, Any]) -> None:
        self.link.take([row_of(DepthField, data)])


class NativeMarketLink(NativeLink):
    """The market front. `take` gets the snapshots in the binding's thread."""

    _callbacks = MarketCallbacks

    def __init__(self, *args: Any, take: Callable[[list[DepthField]], None]) -> None:
        super().__init__(*args)
        self.take = take

    @property
    def _address(self) -> str:
        return str(self._info["md_address"])

    def _begin(self, api: Any) -> None:
        api.createFtdcMdApi(self._flow("md"))
        self._register_fronts(api)
        api.init()

    def _ask(self, frame: Any) -> int:
        match frame:
            case frames.ReqUserLogin():
                return int(
                    self._api.reqUserLogin(
                        self._identity() | {"Password": frame.Password}, next(self._request_ids)
                    )
                )
            case frames.ReqSubMarketData():
                ask = self._api.subscribeMarketData if frame.subscribe else self._api.unSubscribeMarketData
                return next((int(result) for symbol in frame.InstrumentIDs if (result := ask(symbol))), 0)
        raise TypeError(f"no request for {type(frame).__name__}")


def login_of(front: str, data: dict[str, Any], error: dict[str, Any]) -> frames.RspUserLogin:
    """`now` is the counter's clock as `HH:MM:SS`: it does not say which date it has."""
    return frames.RspUserLogin(
        front=front,
        TradingDay=data.get("TradingDay", ""),
        FrontID=data.get("FrontID", 0),
        SessionID=data.get("SessionID", 0),
        MaxOrderRef=data.get("MaxOrderRef", "0").strip() or "0",
        now=data.get("LoginTime", ""),
        **{name: data.get(name, "") for name in ("SHFETime", "DCETime", "CZCETime", "FFEXTime", "INETime")},
        **said(error),
    )
