"""The counter's wire: what a trading or market front is asked and what it calls back, in CTP's words. Both ends import this.

Frames are msgpack maps `{"kind": <class name>, …}` on the channel of app/gateway/channel.py, so that a stand-in in another
language can speak them too. Field names, enum characters and error ids are CTP's (ThostFtdcUserApiStruct.h); prices are floats,
an absent price is 0, volumes ints, dates `YYYYMMDD`, times `HH:MM:SS`, text UTF-8. Order of frames on one connection is the
order in which the counter did things: a callback is sent after its state is on disk.
"""

from __future__ import annotations

import msgspec

from app.lib.book import Fees, Terms


class Frame(msgspec.Struct, tag=True, tag_field="kind", kw_only=True):
    """Base of all frames."""


# ── rows, as CTP's query answers and callbacks have them ─────────────────────────────────────────────────────────────


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
    return Terms(
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
    )


class OrderField(Frame, kw_only=True):
    """State of an order. Keys: (FrontID, SessionID, OrderRef) and (TradingDay, ExchangeID, OrderSysID)."""

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
    OrderStatus: str = "a"  # 'a' unknown '3' queueing '1' part traded '0' all traded '5' canceled
    OrderSubmitStatus: str = "0"  # '0' submitted '3' accepted '4' insert rejected
    OrderSysID: str = ""  # blank-padded as the exchange gives it; keep verbatim
    StatusMsg: str = ""
    TradingDay: str
    InsertDate: str = ""
    InsertTime: str = ""
    CancelTime: str = ""


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


# ── asked ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class ReqUserLogin(Frame, kw_only=True):
    """First frame of a connection, trading or market. A market connection needs no password (as at CTP)."""

    front: str  # "td" or "md"
    BrokerID: str
    UserID: str
    Password: str = ""


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
    RequestID: int = 0


class ReqOrderAction(Frame, kw_only=True):
    """Cancel, by the triple or by (ExchangeID, OrderSysID)."""

    InstrumentID: str
    ExchangeID: str
    OrderRef: str = ""
    FrontID: int = 0
    SessionID: int = 0
    OrderSysID: str = ""
    RequestID: int = 0


class ReqQry(Frame, kw_only=True):
    """`what`: instrument, order, trade, position_detail, account."""

    what: str
    RequestID: int = 0


class ReqSubMarketData(Frame, kw_only=True):
    InstrumentIDs: list[str]
    subscribe: bool = True


# ── called back ──────────────────────────────────────────────────────────────────────────────────────────────────────


class RspUserLogin(Frame, kw_only=True):
    """ErrorID 0: logged in. After it, on "td", the day's orders and trades are replayed as RtnOrder and RtnTrade (RESTART)."""

    front: str
    ErrorID: int = 0
    ErrorMsg: str = ""
    TradingDay: str = ""
    FrontID: int = 0
    SessionID: int = 0
    MaxOrderRef: str = "0"
    now: str = ""  # the counter's clock, `YYYY-MM-DDTHH:MM:SS.mmm`, naive exchange time


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
    RequestID: int = 0


class RspQry(Frame, kw_only=True):
    """All rows of an answer in frames of up to some hundred; `last` on the last one, which may be empty."""

    what: str
    RequestID: int
    rows: list[InstrumentField | OrderField | TradeField | PositionDetailField | TradingAccountField]
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


AnyRequestFrame = ReqUserLogin | ReqOrderInsert | ReqOrderAction | ReqQry | ReqSubMarketData
AnyCallbackFrame = (
    RspUserLogin
    | RtnOrder
    | RtnTrade
    | RspOrderInsert
    | ErrRtnOrderInsert
    | RspOrderAction
    | RspQry
    | RspSubMarketData
    | RtnDepthMarketData
    | Heartbeat
)

encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(AnyRequestFrame).decode
decode_callback = msgspec.msgpack.Decoder(AnyCallbackFrame).decode
