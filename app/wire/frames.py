"""The counter's wire: what a trading or market front is asked and what it calls back, in CTP's words. Both
ends import this: gateway and counter processes.

Frames are msgpack maps `{"kind": <class name>, …}` on the channel of app/wire/channel.py, so that a stand-in
in another language can speak them too. Field names, enum characters and error ids are CTP's
(ThostFtdcUserApiStruct.h); prices are floats, an absent price is 0, volumes ints, dates `YYYYMMDD`, times
`HH:MM:SS`, text UTF-8. Order of frames on one connection is the order in which the counter did things: a
callback is sent after its state is on disk.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from app.lib.book import Fees, Terms


class Frame(msgspec.Struct, tag=True, tag_field="kind", kw_only=True, gc=False):
    """Base of all frames. None is part of a circle: the garbage collector need not know of them."""


# ── rows, as CTP's query answers and callbacks have them ──


class InstrumentField(Frame, kw_only=True):
    """A listed contract, with the rates that CTP answers apart (margin, commission) on board."""

    InstrumentID: str
    ExchangeID: str
    InstrumentName: str
    ProductID: str
    ProductClass: str = "1"
    DeliveryYear: int
    DeliveryMonth: int
    MaxMarketOrderVolume: int
    MinMarketOrderVolume: int
    MaxLimitOrderVolume: int
    MinLimitOrderVolume: int
    VolumeMultiple: int
    PriceTick: float
    CreateDate: str
    OpenDate: str
    ExpireDate: str
    StartDelivDate: str
    EndDelivDate: str
    InstLifePhase: str = "1"
    IsTrading: int = 1
    PositionType: str = "2"
    PositionDateType: str  # '1': today and yesterday apart (SHFE, INE), '2': not
    LongMarginRatio: float
    ShortMarginRatio: float
    LongMarginRatioByVolume: float = 0.0  # yuan a lot, beside the ratio
    ShortMarginRatioByVolume: float = 0.0
    MaxMarginSideAlgorithm: str = "0"  # '1': the larger side counts
    CombinationType: str = "0"
    OpenRatioByMoney: float = 0.0
    OpenRatioByVolume: float = 0.0
    CloseRatioByMoney: float = 0.0
    CloseRatioByVolume: float = 0.0
    CloseTodayRatioByMoney: float = 0.0
    CloseTodayRatioByVolume: float = 0.0
    UpperLimitPrice: float = 0.0  # of the trading day; 0: not known yet
    LowerLimitPrice: float = 0.0
    PreSettlementPrice: float = 0.0


def terms_of(row: InstrumentField) -> Terms:
    """What the book has to know of a contract."""
    terms = Terms(
        symbol=row.InstrumentID,
        exchange=row.ExchangeID,
        product=row.ProductID,
        multiplier=row.VolumeMultiple,
        price_tick=row.PriceTick,
        long_margin_ratio=row.LongMarginRatio,
        short_margin_ratio=row.ShortMarginRatio,
        splits_today=row.PositionDateType == "1",
        max_side=row.MaxMarginSideAlgorithm == "1",
        fees=Fees(
            row.OpenRatioByMoney,
            row.OpenRatioByVolume,
            row.CloseRatioByMoney,
            row.CloseRatioByVolume,
            row.CloseTodayRatioByMoney,
            row.CloseTodayRatioByVolume,
        ),
        long_margin_per_lot=row.LongMarginRatioByVolume,
        short_margin_per_lot=row.ShortMarginRatioByVolume,
    )
    return _same(terms)


@lru_cache(maxsize=4096)
def _same(terms: Terms) -> Terms:
    """Of equal ones the first: what Terms works out of itself is worked out once, and not each day anew."""
    return terms


class OrderField(Frame, kw_only=True):
    """State of an order. Keys: (FrontID, SessionID, OrderRef), given anew when the core restarts from its
    flow, and those that last, within a TradingDay: (ExchangeID, TraderID, OrderLocalID) once the counter has
    taken it, (ExchangeID, OrderSysID) once the exchange has.
    """

    BrokerID: str
    InvestorID: str
    InstrumentID: str
    ExchangeID: str
    OrderRef: str
    FrontID: int
    SessionID: int
    Direction: str  # '0' buy '1' sell
    CombOffsetFlag: str  # '0' open '1' close '3' close today '4' close yesterday ('2' '5' '6' forced)
    OrderPriceType: str  # '1' any price '2' limit
    TimeCondition: str  # '1' IOC '3' GFD
    VolumeCondition: str  # '1' any '3' complete
    LimitPrice: float
    VolumeTotalOriginal: int
    VolumeTraded: int = 0
    VolumeTotal: int = 0
    OrderStatus: str = (
        "a"  # 'a' unknown '3' queueing '1' part traded '0' all traded '5' canceled 'b' 'c' conditional
    )
    OrderSubmitStatus: str = "0"  # '0' submitted '3' accepted '4' insert rejected
    # blank-padded as the exchange gives it; keep verbatim. TJBD_n, the counter's own, of a conditional order
    OrderSysID: str = ""
    StatusMsg: str = ""
    TradingDay: str
    InsertDate: str = ""
    InsertTime: str = ""
    CancelTime: str = ""
    TraderID: str = ""  # the counter's seat at the exchange, and
    OrderLocalID: str = ""  # what the order is called there


class TradeField(Frame, kw_only=True):
    """A fill. Key: (TradingDay, ExchangeID, TradeID, Direction)."""

    BrokerID: str
    InvestorID: str
    InstrumentID: str
    ExchangeID: str
    OrderRef: str
    OrderSysID: str
    TradeID: str
    Direction: str
    OffsetFlag: str
    Price: float
    Volume: int
    TradingDay: str
    TradeDate: str
    TradeTime: str
    TraderID: str = ""  # as in OrderField
    OrderLocalID: str = ""


class PositionDetailField(Frame, kw_only=True):
    """A lot, closed ones included (Volume 0): OpenDate < TradingDay tells history from today."""

    BrokerID: str
    InvestorID: str
    InstrumentID: str
    ExchangeID: str
    Direction: str  # '0' long '1' short
    OpenDate: str
    TradeID: str
    TradingDay: str
    Volume: int
    OpenPrice: float
    LastSettlementPrice: float  # of the day before: the base of history's profit and margin
    CloseVolume: int = 0


class TradingAccountField(Frame, kw_only=True):
    """Money of an account, in yuan. Identities: docs/domain.md, Money 1."""

    BrokerID: str
    AccountID: str
    TradingDay: str
    PreBalance: float
    Deposit: float
    Withdraw: float
    CurrMargin: float
    FrozenMargin: float
    FrozenCommission: float
    Commission: float
    CloseProfit: float
    PositionProfit: float
    Balance: float
    Available: float
    WithdrawQuota: float = 0.0
    CashIn: float = 0.0  # premiums of options, received less paid
    Mortgage: float = 0.0
    Credit: float = 0.0  # funds that the broker froze, negative; those of the day before are in it
    FrozenCash: float = 0.0  # premiums that orders freeze
    DeliveryMargin: float = 0.0
    Reserve: float = 0.0


class DepthField(Frame, kw_only=True):
    """A market snapshot (CThostFtdcDepthMarketDataField); depth 1 only, 0 where there is no value."""

    InstrumentID: str
    ExchangeID: str
    TradingDay: str
    ActionDay: str
    UpdateTime: str
    UpdateMillisec: int
    LastPrice: float
    Volume: int
    Turnover: float
    OpenInterest: float
    OpenPrice: float
    HighestPrice: float
    LowestPrice: float
    PreSettlementPrice: float
    PreClosePrice: float
    PreOpenInterest: float
    UpperLimitPrice: float
    LowerLimitPrice: float
    BidPrice1: float = 0.0
    BidVolume1: int = 0
    AskPrice1: float = 0.0
    AskVolume1: int = 0
    AveragePrice: float = 0.0
    SettlementPrice: float = 0.0
    ClosePrice: float = 0.0


class PositionField(Frame, kw_only=True):
    """A position as CTP's query shows it (CThostFtdcInvestorPositionField): where lots are split two rows,
    else one.
    """

    BrokerID: str
    InvestorID: str
    InstrumentID: str
    ExchangeID: str
    PosiDirection: str  # '2' long '3' short
    PositionDate: str  # '1' today's (or all, where lots are not split) '2' history
    HedgeFlag: str = "1"
    TradingDay: str
    YdPosition: int  # of the start of the day: it never falls
    Position: int
    TodayPosition: int
    LongFrozen: int  # by working orders that buy
    ShortFrozen: int  # by working orders that sell
    OpenVolume: int
    CloseVolume: int
    PositionCost: float  # by date: history at the last settlement
    OpenCost: float
    UseMargin: float
    PositionProfit: float  # by date


class MarginRateField(Frame, kw_only=True):
    BrokerID: str
    InvestorID: str
    InstrumentID: str
    ExchangeID: str
    HedgeFlag: str = "1"
    LongMarginRatioByMoney: float
    LongMarginRatioByVolume: float = 0.0
    ShortMarginRatioByMoney: float
    ShortMarginRatioByVolume: float = 0.0


class CommissionRateField(Frame, kw_only=True):
    """InstrumentID is the product's id, as CTP answers where all its contracts pay the same."""

    BrokerID: str
    InvestorID: str
    InstrumentID: str
    ExchangeID: str
    OpenRatioByMoney: float
    OpenRatioByVolume: float
    CloseRatioByMoney: float
    CloseRatioByVolume: float
    CloseTodayRatioByMoney: float
    CloseTodayRatioByVolume: float


class SettlementInfoField(Frame, kw_only=True):
    """A piece of a statement. Content is GBK, at most 500 bytes, and may end within a character: join before
    decoding.
    """

    TradingDay: str
    SettlementID: int = 1
    BrokerID: str
    InvestorID: str
    SequenceNo: int
    Content: bytes


class SettlementConfirmField(Frame, kw_only=True):
    """The newest confirmation."""

    BrokerID: str
    InvestorID: str
    ConfirmDate: str
    ConfirmTime: str


class InstrumentStatusField(Frame, kw_only=True):
    """What an exchange does with a product just now."""

    ExchangeID: str
    InstrumentID: str  # the product's id
    InstrumentStatus: (
        str  # '0' before trading '1' not trading '2' continuous '3' auction ordering … '6' closed
    )
    TradingSegmentSN: int = 0
    EnterTime: str
    EnterReason: str = "1"  # automatic


# ── asked ──


class ReqUserLogin(Frame, kw_only=True):
    """First frame of a connection, trading or market. A market connection needs no password (as at CTP).

    A `native` client is CTP's library: it authenticates and confirms the settlement by itself, hears the
    instruments' status, and takes FrontControl. Any other has nothing to confirm.
    """

    front: str  # "td" or "md"
    BrokerID: str
    UserID: str
    Password: str = ""
    native: bool = False
    replay: bool = True  # RESTART: the day's orders and trades after the login; else what is new (QUICK)
    RequestID: int = 0


class ReqAuthenticate(Frame, kw_only=True):
    """The terminal's, before the login."""

    BrokerID: str
    UserID: str
    AppID: str
    AuthCode: str
    RequestID: int = 0


class ReqUserLogout(Frame, kw_only=True):
    RequestID: int = 0


class ReqUserPasswordUpdate(Frame, kw_only=True):
    """Taken before a login too: a login that was refused with 131 or 140 can be put right in no other way."""

    BrokerID: str
    UserID: str
    OldPassword: str
    NewPassword: str
    RequestID: int = 0


class ReqSettlementInfoConfirm(Frame, kw_only=True):
    """Confirm the settlement: orders of a native client are refused with 42 until it has, once a trading
    day.
    """

    RequestID: int = 0


class ReqOrderInsert(Frame, kw_only=True):
    InstrumentID: str
    ExchangeID: str
    OrderRef: str
    Direction: str
    CombOffsetFlag: str
    OrderPriceType: str
    TimeCondition: str
    VolumeCondition: str
    LimitPrice: float
    VolumeTotalOriginal: int
    CombHedgeFlag: str = "1"  # speculation, the only one
    ContingentCondition: str = "1"  # at once, the only one
    ForceCloseReason: str = "0"  # not forced, the only one
    RequestID: int = 0


class ReqOrderAction(Frame, kw_only=True):
    """Cancel, by the triple or by (ExchangeID, OrderSysID)."""

    InstrumentID: str
    ExchangeID: str
    OrderRef: str = ""
    FrontID: int = 0
    SessionID: int = 0
    OrderSysID: str = ""
    ActionFlag: str = "0"  # delete, the only one
    OrderActionRef: int = 0  # the client's own, given back
    RequestID: int = 0


class ReqQry(Frame, kw_only=True):
    """`what`: instrument, depth, order, trade, position, position_detail, account, margin_rate,
    commission_rate, settlement, settlement_confirm. InstrumentID and ExchangeID narrow the answer where it is
    by contract; "" is all.
    """

    what: str
    InstrumentID: str = ""
    ExchangeID: str = ""
    TradingDay: str = ""  # of the settlement: "" is the newest
    RequestID: int = 0


class ReqSubMarketData(Frame, kw_only=True):
    InstrumentIDs: list[str]
    subscribe: bool = True


Row = (
    InstrumentField
    | DepthField
    | OrderField
    | TradeField
    | PositionField
    | PositionDetailField
    | TradingAccountField
    | MarginRateField
    | CommissionRateField
    | SettlementInfoField
    | SettlementConfirmField
)


# ── called back ──


class RspUserLogin(Frame, kw_only=True):
    """ErrorID 0: logged in. After it, on "td", the day's orders and trades are replayed as RtnOrder and
    RtnTrade (RESTART).
    """

    front: str
    ErrorID: int = 0
    ErrorMsg: str = ""
    BrokerID: str = ""
    UserID: str = ""
    TradingDay: str = ""
    FrontID: int = 0
    SessionID: int = 0
    MaxOrderRef: str = "0"
    now: str = ""  # the counter's clock, `YYYY-MM-DDTHH:MM:SS.mmm`, naive exchange time
    RequestID: int = 0
    SHFETime: str = (
        ""  # each exchange's clock at that moment, `HH:MM:SS`; the built-in counter has one clock for all
    )
    DCETime: str = ""
    CZCETime: str = ""
    FFEXTime: str = ""
    INETime: str = ""


class RspAuthenticate(Frame, kw_only=True):
    BrokerID: str
    UserID: str
    AppID: str
    ErrorID: int = 0
    ErrorMsg: str = ""
    RequestID: int = 0


class RspUserLogout(Frame, kw_only=True):
    BrokerID: str
    UserID: str
    ErrorID: int = 0
    ErrorMsg: str = ""
    RequestID: int = 0


class RspUserPasswordUpdate(Frame, kw_only=True):
    BrokerID: str
    UserID: str
    ErrorID: int = 0
    ErrorMsg: str = ""
    RequestID: int = 0


class RspSettlementInfoConfirm(Frame, kw_only=True):
    BrokerID: str
    InvestorID: str
    ConfirmDate: str
    ConfirmTime: str
    ErrorID: int = 0
    ErrorMsg: str = ""
    RequestID: int = 0


class RtnOrder(Frame, kw_only=True):
    order: OrderField


class RtnTrade(Frame, kw_only=True):
    trade: TradeField


class RspOrderInsert(Frame, kw_only=True):
    """Refused by the counter: no RtnOrder follows, nothing is frozen. Comes once to the asking session…"""

    order: OrderField
    ErrorID: int
    ErrorMsg: str
    RequestID: int = 0


class ErrRtnOrderInsert(Frame, kw_only=True):
    """…and once more in this shape to all sessions of the user, the asking one included."""

    order: OrderField
    ErrorID: int
    ErrorMsg: str


class RspOrderAction(Frame, kw_only=True):
    """A cancel refused by the counter: 24, 25, 26."""

    InstrumentID: str
    ExchangeID: str
    OrderRef: str
    FrontID: int
    SessionID: int
    OrderSysID: str
    ErrorID: int
    ErrorMsg: str
    OrderActionRef: int = 0
    RequestID: int = 0


class ErrRtnOrderAction(Frame, kw_only=True):
    """A cancel refused by the counter or the exchange, to all sessions of the user that are CTP's library.
    Told again at each login.
    """

    InstrumentID: str
    ExchangeID: str
    OrderRef: str
    FrontID: int
    SessionID: int
    OrderSysID: str
    ErrorID: int
    ErrorMsg: str
    OrderActionRef: int = 0


class RtnErrorConditionalOrder(Frame, kw_only=True):
    """What a conditional order triggered was refused by the counter; `order` is the conditional one. To all
    sessions of the user.
    """

    order: OrderField
    ErrorID: int
    ErrorMsg: str


class RspQry(Frame, kw_only=True):
    """All rows of an answer in frames of up to some hundred; `last` on the last one, which may be empty."""

    what: str
    RequestID: int
    rows: list[Row]
    last: bool
    ErrorID: int = 0
    ErrorMsg: str = ""


class RspSubMarketData(Frame, kw_only=True):
    """Only for contracts that do not exist: ErrorID 16."""

    InstrumentID: str
    ErrorID: int
    ErrorMsg: str


class RtnDepthMarketData(Frame, kw_only=True):
    """All snapshots of one moment, in order."""

    ticks: list[DepthField]


class Heartbeat(Frame, kw_only=True):
    """Once a second of the counter's clock on every connection, and when the trading day turns."""

    now: str
    TradingDay: str


class RtnInstrumentStatus(Frame, kw_only=True):
    """All that changed at one moment; after a native login, of all products."""

    rows: list[InstrumentStatusField]


class FrontControl(Frame, kw_only=True):
    """From a test to the stand-in for CTP's library, which obeys instead of calling back: end this connection
    with `reason`, or have the next `count` requests of a kind (order, cancel, query, subscribe, other) return
    `code` unsent.
    """

    reason: int = 0
    request: str = ""
    code: int = 0
    count: int = 0


AnyRequestFrame = (
    ReqUserLogin
    | ReqAuthenticate
    | ReqUserLogout
    | ReqUserPasswordUpdate
    | ReqSettlementInfoConfirm
    | ReqOrderInsert
    | ReqOrderAction
    | ReqQry
    | ReqSubMarketData
)
AnyCallbackFrame = (
    RspUserLogin
    | RspAuthenticate
    | RspUserLogout
    | RspUserPasswordUpdate
    | RspSettlementInfoConfirm
    | RtnOrder
    | RtnTrade
    | RspOrderInsert
    | ErrRtnOrderInsert
    | RspOrderAction
    | ErrRtnOrderAction
    | RtnErrorConditionalOrder
    | RspQry
    | RspSubMarketData
    | RtnDepthMarketData
    | RtnInstrumentStatus
    | FrontControl
    | Heartbeat
)

encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(AnyRequestFrame).decode
decode_callback = msgspec.msgpack.Decoder(AnyCallbackFrame).decode
