"""CTP's fields as ctpbee's entities and back, for every interface that speaks CTP. Pure; gateway process.

Prices are yuan, volumes lots. `time` of orders and trades is naive exchange time as on the wire, `YYYY-MM-DD
HH:MM:SS.mmm`; `TickData.datetime` is aware (Asia/Shanghai). Rules are those of docs/domain.md: Orders 3, 5, 8
and Time 1.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from ctpbee.constant import (
    ContractData,
    Direction,
    Exchange,
    Offset,
    OrderData,
    OrderRequest,
    OrderType,
    Product,
    Status,
    TickData,
    TradeData,
)

from app.lib.advice import counter_text
from app.lib.book import Fill
from app.lib.calendar import SHANGHAI, compact, parse_day, previous_trading_day, wall_time, wire_clock
from app.lib.errors import BadInput
from app.lib.market_orders import PRICE_TYPES, Conditions, MarketOrders
from app.lib.rows import OtherStatus
from app.wire.frames import DepthField, InstrumentField, OrderField, TradeField

EXCHANGES = {code: Exchange[code] for code in ("SHFE", "DCE", "CZCE", "CFFEX", "INE", "GFEX")}
UNSERVED_CLASSES = {"2", "6", "3"}  # options, spot options, combinations: not traded here


def is_served(product_class: str, combination_type: str) -> bool:
    """Whether contracts of this ProductClass and CombinationType are offered here. Orders in others are shown
    and can be cancelled.
    """
    return product_class not in UNSERVED_CLASSES and combination_type in ("", "0")


DIRECTION_OF = {"0": Direction.LONG, "1": Direction.SHORT}
DIRECTION_CODE = {Direction.LONG: "0", Direction.SHORT: "1"}
SIDE_OF = {"0": "buy", "1": "sell"}
POSITION_SIDE_OF = {"0": "long", "1": "short"}  # of PositionDetailField
SIDE_OF_POSITION = {"1": "net", "2": "long", "3": "short"}  # of PositionField

OFFSET_OF = {
    "0": Offset.OPEN,
    "1": Offset.CLOSE,
    "3": Offset.CLOSETODAY,
    "4": Offset.CLOSEYESTERDAY,
    "2": Offset.CLOSE,  # forced by the broker or the exchange: a close like any other for the page
    "5": Offset.CLOSE,
    "6": Offset.CLOSE,
}
FORCED_OFFSETS = {"2": "强平", "5": "强减", "6": "本地强平"}
OFFSET_CODE = {Offset.OPEN: "0", Offset.CLOSE: "1", Offset.CLOSETODAY: "3", Offset.CLOSEYESTERDAY: "4"}
OFFSET_WORD = {
    Offset.OPEN: "open",
    Offset.CLOSE: "close",
    Offset.CLOSETODAY: "closetoday",
    Offset.CLOSEYESTERDAY: "closeyesterday",
}

DIRECTION_WORD = {Direction.LONG: "long", Direction.SHORT: "short"}
TYPE_WORD = {OrderType.LIMIT: "limit", OrderType.MARKET: "market", OrderType.FAK: "fak", OrderType.FOK: "fok"}

UNSENT, UNTOLD, TAKEN, WAITING, QUEUEING, PARTLY, FINAL = range(-1, 6)
STAGE_OF = {"a": TAKEN, "b": WAITING, "3": QUEUEING, "1": PARTLY, "0": FINAL, "5": FINAL, "c": FINAL}
"""How far an order is, by OrderStatus: it never goes back. 'b' is a conditional order that waits for its
price, 'c' one that has been triggered: what it triggered is an order of its own. Other characters (not
queueing) say nothing about how far: UNTOLD.
"""

FREEZING = STAGE_OF.keys() - {"b", "c"}
"""Statuses of orders that hold lots or money until they end, and until all their trades have been heard."""

EXCHANGE_REJECT = "EXCHANGE_REJECT"

PASSING_LOGIN_ERRORS = {1, 7, 8, 35, 90, 154}
"""Ids of a refused login that waiting mends."""

LOGIN_TOO_SOON = "login over limit freq"
"""In the text of a refused login that was one too many in its second (LoginFreq); the guide has no id of it
(HQLK 2).
"""

FINAL_LOGIN_ERRORS = {3, 12, 13, 49, 63, 64, 75, 131, 140, 141, 143, 144, 145, 3039, 4040, 4042, 4043, 4060}
"""Ids that lock, or that concern the password, the authentication or the user: a retry would lock the account
or the address.
"""

INVALID_LOGIN = 3
TOO_MANY_SESSIONS = 60


class Refusal(NamedTuple):
    """Why an order is 拒单."""

    code: str  # CTP_31, EXCHANGE_REJECT, NEVER_ARRIVED
    message: str


def refusal_of(error_id: int, text: str) -> Refusal:
    """The counter's id as our code, and its own text where it sends one."""
    return Refusal(f"CTP_{error_id}", text.strip() or counter_text(error_id))


# ── orders ──


CONDITIONS_OF = {
    OrderType.LIMIT: Conditions("2", "3", "1"),
    OrderType.FAK: Conditions("2", "1", "1"),
    OrderType.FOK: Conditions("2", "1", "3"),
}
"""At every exchange; those of market orders are each exchange's own."""


def conditions_of(kind: OrderType, exchange: str, markets: MarketOrders) -> Conditions:
    """How an order of this type is said there. Raises BadInput for a type that CTP, or the exchange, has
    not.
    """
    if kind is not OrderType.MARKET:
        usual = CONDITIONS_OF.get(kind)
        if usual is None:
            raise BadInput("type", f"不支持的报单类型：{kind}")
        return usual
    conditions = markets.get(exchange)
    if conditions is None:
        raise BadInput(
            "type",
            f"{exchange} 没有市价单，未发出：请改用限价，或见设置 market_orders",
            code="NO_MARKET_ORDERS",
        )
    return conditions


def order_type(price_type: str, time_condition: str, volume_condition: str) -> OrderType:
    """The type that an order was placed as, read back from its three conditions."""
    if price_type in PRICE_TYPES:
        return OrderType.MARKET
    if time_condition != "1":
        return OrderType.LIMIT
    return OrderType.FOK if volume_condition == "3" else OrderType.FAK


def _made(kind: Any, values: dict[str, Any]) -> Any:
    """ctpbee's entity with these values, past its `__init__`, which takes longer than all of the rest. They
    include what that one computes (`__name__` first, the local names last).
    """
    made = object.__new__(kind)
    object.__setattr__(made, "__dict__", values)
    return made


def order_id_of(row: OrderField) -> str:
    return f"{row.FrontID}_{row.SessionID}_{row.OrderRef.strip()}"


def local_id_of(row: OrderField | TradeField) -> str:
    """What the order is called at the counter's seat at its exchange, `TraderID/OrderLocalID`; "" before the
    counter has taken it.
    """
    seat, number = row.TraderID.strip(), row.OrderLocalID.strip()
    return f"{seat}/{number}" if seat and number else ""


def request_words(request: OrderRequest) -> dict[str, Any]:
    """The order as asked, in the words of app/gateway/messages.PlaceOrder: what the journal keeps of it."""
    return {
        "local_symbol": request.local_symbol,
        "direction": DIRECTION_WORD[request.direction],
        "offset": OFFSET_WORD[request.offset],
        "type": TYPE_WORD[request.type],
        "price": 0.0 if request.type is OrderType.MARKET else float(request.price),
        "volume": int(request.volume),
    }


def order_row(
    request: OrderRequest,
    *,
    broker: str,
    investor: str,
    exchange: str,
    key: tuple[int, int, str],
    trading_day: str,
    moment: datetime,
    conditions: Conditions,
) -> OrderField:
    """The order as CTP would show it before anybody has answered. Raises KeyError for a direction or offset
    CTP has not.
    """
    front, session, ref = key
    day, clock = wire_clock(moment)
    return OrderField(
        BrokerID=broker,
        InvestorID=investor,
        InstrumentID=request.symbol,
        ExchangeID=exchange,
        OrderRef=ref,
        FrontID=front,
        SessionID=session,
        Direction=DIRECTION_CODE[request.direction],
        CombOffsetFlag=OFFSET_CODE[request.offset],
        OrderPriceType=conditions.price_type,
        TimeCondition=conditions.time,
        VolumeCondition=conditions.volume,
        LimitPrice=0.0 if request.type is OrderType.MARKET else float(request.price),
        VolumeTotalOriginal=int(request.volume),
        VolumeTotal=int(request.volume),
        TradingDay=trading_day,
        InsertDate=day,
        InsertTime=clock,
    )


STATUS_OF = {
    "0": Status.ALLTRADED,
    "1": Status.PARTTRADED,
    "3": Status.NOTTRADED,
    "5": Status.CANCELLED,
    "a": Status.SUBMITTING,
    "b": OtherStatus.UNTRIGGERED,
    "c": OtherStatus.TRIGGERED,
}


_BOOK_OFFSETS = {
    flag: "forced" if flag in FORCED_OFFSETS else OFFSET_WORD[offset] for flag, offset in OFFSET_OF.items()
}


def book_offset(flag: str) -> str:
    """The book's word for an OffsetFlag. A close that was forced does not say of which lots it is."""
    return _BOOK_OFFSETS[flag]


def fill_of(row: TradeField, order_id: str) -> Fill:
    """The trade as a book counts it; `order_id`: what its order is called here, "" where that is all one."""
    return Fill(
        row.TradingDay,
        row.ExchangeID,
        row.TradeID.strip(),
        SIDE_OF[row.Direction],
        order_id,
        row.InstrumentID,
        _BOOK_OFFSETS[row.OffsetFlag],
        row.Price,
        row.Volume,
        row.TradeTime,
    )


def status_of(row: OrderField, traded: int, refusal: Refusal | None) -> Status | OtherStatus:
    """The state to show. Fills count as soon as they are heard, be it from a trade or from the order's own
    row.
    """
    if refusal is not None or (row.OrderStatus == "5" and row.OrderSubmitStatus == "4"):
        return Status.REJECTED
    if row.OrderStatus in STATUS_OF and row.OrderStatus != "5" and traded:
        return (
            Status.ALLTRADED
            if traded >= row.VolumeTotalOriginal or row.OrderStatus == "0"
            else Status.PARTTRADED
        )
    return STATUS_OF.get(row.OrderStatus, OtherStatus.UNKNOWN)


def order_of(
    row: OrderField,
    *,
    gateway_name: str,
    traded: int,
    order_id: str = "",
    refusal: Refusal | None = None,
    is_local: bool = True,
    client_order_id: str = "",
    strategy: str = "",
) -> OrderData:
    """The order as ctpbee has it, `traded` what is filled as far as it is known, `order_id` what it is called
    here where that is not its triple. Raises KeyError for an exchange or offset that CTP has not.

    The counter's remark is shown where it is of the state that is shown: one that a trade has overtaken says
    未成交 of a filled order.
    """
    status, told = status_of(row, traded, refusal), STATUS_OF.get(row.OrderStatus, OtherStatus.UNKNOWN)
    if refusal is None and status is Status.REJECTED:
        refusal = _rejection(row)
    symbol, order_id = row.InstrumentID, order_id or order_id_of(row)
    values = {
        "__name__": "OrderData",
        "symbol": symbol,
        "exchange": EXCHANGES[row.ExchangeID],
        "order_id": order_id,
        "type": order_type(row.OrderPriceType, row.TimeCondition, row.VolumeCondition),
        "direction": DIRECTION_OF[row.Direction],
        "offset": OFFSET_OF[row.CombOffsetFlag[:1]],
        "price": row.LimitPrice,
        "volume": row.VolumeTotalOriginal,
        "traded": traded,
        "status": status,
        "time": row.InsertTime,
        "datetime": wire_time(row.InsertDate or row.TradingDay, row.InsertTime),
        "gateway_name": gateway_name,
        "is_local": is_local,
        "trading_day": row.TradingDay,
        "order_sys_id": row.OrderSysID.strip(),
        "order_local_id": local_id_of(row),
        "status_msg": row.StatusMsg.strip() if status in (Status.REJECTED, told) else status.value,
        "error_code": refusal.code if refusal else "",
        "error_message": refusal.message if refusal else "",
        "client_order_id": client_order_id,
        "strategy": strategy,
        "local_symbol": f"{symbol}.{row.ExchangeID}",
        "local_order_id": f"{gateway_name}.{order_id}",
    }
    return _made(OrderData, values)


def gist_of(row: OrderField, traded: int, refusal: Refusal | None) -> tuple[object, ...]:
    """`gist` of what `order_of` makes of these, without making it."""
    status = status_of(row, traded, refusal)
    if refusal is None and status is Status.REJECTED:
        refusal = _rejection(row)
    return (
        status,
        traded,
        row.VolumeTotalOriginal,
        row.LimitPrice,
        row.OrderSysID.strip(),
        refusal.code if refusal else "",
        refusal.message if refusal else "",
    )


def _rejection(row: OrderField) -> Refusal:
    return Refusal(EXCHANGE_REJECT, row.StatusMsg.strip() or "交易所拒绝了该报单")


def gist(order: OrderData) -> tuple[object, ...]:
    """What makes news of an order; the counter's remarks on a living one (未成交, 全部成交报单已提交…) do
    not.
    """
    return (
        order.status,
        order.traded,
        order.volume,
        order.price,
        order.order_sys_id,
        order.error_code,
        order.error_message,
    )


def trade_of(
    row: TradeField, *, order_id: str, gateway_name: str, is_local: bool = True, strategy: str = ""
) -> TradeData:
    symbol, trade_id = row.InstrumentID, row.TradeID.strip()
    key = f"{row.TradingDay}_{row.ExchangeID}_{trade_id}_{row.Direction}"
    values = {
        "__name__": "TradeData",
        "symbol": symbol,
        "exchange": EXCHANGES[row.ExchangeID],
        "order_id": order_id,
        "tradeid": trade_id,
        "direction": DIRECTION_OF[row.Direction],
        "offset": OFFSET_OF[row.OffsetFlag],
        "price": row.Price,
        "volume": row.Volume,
        "time": row.TradeTime,
        "datetime": wire_time(row.TradeDate or row.TradingDay, row.TradeTime),
        "gateway_name": gateway_name,
        "is_local": is_local,
        "trading_day": row.TradingDay,
        "trade_key": key,
        "strategy": strategy,
        "forced": FORCED_OFFSETS.get(row.OffsetFlag, ""),
        "local_symbol": f"{symbol}.{row.ExchangeID}",
        "local_order_id": f"{gateway_name}.{order_id}",
        # ctpbee keys its table of trades by this; both sides of a self-trade, and two exchanges, may have one
        # TradeID
        "local_trade_id": f"{gateway_name}.{key}",
    }
    return _made(TradeData, values)


def wire_time(day: str, time: str) -> str:
    """`20250606`, `21:00:01` as on the wire; "" where there is no time."""
    return f"{day[:4]}-{day[4:6]}-{day[6:8]} {time}.000" if time and len(day) == 8 else ""


# ── contracts ──


def contract_of(row: InstrumentField, gateway_name: str) -> ContractData:
    """The contract under ctpbee's names and, on the same object, under CTP's."""
    values = {
        "__name__": "ContractData",
        **msgspec.structs.asdict(row),
        "symbol": row.InstrumentID,
        "exchange": EXCHANGES[row.ExchangeID],
        "name": row.InstrumentName,
        "product": Product.FUTURES,
        "size": row.VolumeMultiple,
        "pricetick": row.PriceTick,
        "min_volume": row.MinLimitOrderVolume,
        "max_limit_order_volume": row.MaxLimitOrderVolume,
        "min_limit_order_volume": row.MinLimitOrderVolume,
        "max_market_order_volume": row.MaxMarketOrderVolume,
        "min_market_order_volume": row.MinMarketOrderVolume,
        "delivery_year": row.DeliveryYear,
        "delivery_month": row.DeliveryMonth,
        "create_date": _date(row.CreateDate),
        "open_date": _date(row.OpenDate),
        "expire_date": _date(row.ExpireDate),
        "start_delivery_date": _date(row.StartDelivDate),
        "end_delivery_date": _date(row.EndDelivDate),
        "inst_life_phase": row.InstLifePhase,
        "is_trading": bool(row.IsTrading),
        "position_type": row.PositionType,
        "position_date_type": row.PositionDateType,
        "long_margin_ratio": row.LongMarginRatio,
        "short_margin_ratio": row.ShortMarginRatio,
        "max_margin_side_algorithm": row.MaxMarginSideAlgorithm == "1",
        "combination_type": row.CombinationType,
        "gateway_name": gateway_name,
        "local_symbol": f"{row.InstrumentID}.{row.ExchangeID}",
    }
    return _made(ContractData, values)


def _date(text: str) -> date | None:
    try:
        return parse_day(text)
    except ValueError:
        return None  # some contracts have none


# ── quotes ──

ABSENT = 1e300  # CTP writes the largest double where there is no price
AHEAD = timedelta(hours=1)  # more than a quote is ahead of the counter's clock as we know it


def tick_time(row: DepthField, trading_day: str, now: datetime) -> datetime:
    """When the snapshot was made, aware. `trading_day` and `now` are the counter's.

    Only DCE's nights need them: it stamps those with the trading day, which the calendar turns into the
    evening before. Where sessions run all day the stamp may be true all the same: the one that the clock does
    not contradict is taken.
    """
    stamp = _second(row.ActionDay or trading_day, row.UpdateTime)
    if row.UpdateMillisec:
        stamp = stamp.replace(microsecond=row.UpdateMillisec * 1000)
    if row.ExchangeID == "DCE" and row.ActionDay == trading_day:
        evening = wall_time(stamp.date(), row.UpdateTime, row.UpdateMillisec)
        return min(stamp, evening, key=lambda moment: (moment > now + AHEAD, abs(moment - now)))
    return stamp


@lru_cache(maxsize=256)
def _second(day: str, clock: str) -> datetime:
    """`20250606`, `21:00:01`, aware. Whatever trades does so in the same few seconds."""
    moment = time(int(clock[0:2]), int(clock[3:5]), int(clock[6:8]))
    return datetime.combine(parse_day(day), moment, SHANGHAI)


def day_of(row: DepthField, trading_day: str) -> str:
    """The snapshot's own trading day where it is of an earlier one than the counter's, `trading_day`, as the
    first answer to a subscription may be: its limits and its volume are not this day's.

    CZCE writes the natural date (docs/domain.md, Time 1): there the evening before belongs to the day.
    """
    if not row.TradingDay or row.TradingDay >= trading_day:
        return trading_day
    if row.ExchangeID == "CZCE":
        day_before = compact(previous_trading_day(parse_day(trading_day)))
        if (row.TradingDay, row.UpdateTime) >= (day_before, "19:00:00"):
            return trading_day
    return row.TradingDay


def tick_of(
    row: DepthField, *, name: str, exchange: Exchange, trading_day: str, now: datetime, gateway_name: str
) -> TickData:
    """The snapshot as ctpbee has it; `trading_day` is its true one, `day_of`."""
    symbol = row.InstrumentID
    values = {
        "__name__": "TickData",
        "symbol": symbol,
        "exchange": exchange,
        "datetime": tick_time(row, trading_day, now),
        "name": name,
        "trading_day": trading_day,
        "volume": row.Volume,
        "turnover": row.Turnover,
        "open_interest": row.OpenInterest,
        "pre_open_interest": row.PreOpenInterest,
        "bid_volume_1": row.BidVolume1,
        "ask_volume_1": row.AskVolume1,
        "gateway_name": gateway_name,
        "last_price": row.LastPrice,
        "limit_up": row.UpperLimitPrice,
        "limit_down": row.LowerLimitPrice,
        "open_price": row.OpenPrice,
        "high_price": row.HighestPrice,
        "low_price": row.LowestPrice,
        "pre_close": row.PreClosePrice,
        "average_price": row.AveragePrice,
        "settlement_price": row.SettlementPrice,
        "pre_settlement_price": row.PreSettlementPrice,
        "bid_price_1": row.BidPrice1,
        "ask_price_1": row.AskPrice1,
        "local_symbol": f"{symbol}.{exchange.value}",
    }
    for name in _MAY_BE_ABSENT:
        if not -ABSENT < values[name] < ABSENT:  # NaN too
            values[name] = 0.0
    return _made(TickData, values)


_MAY_BE_ABSENT = (
    "last_price",
    "limit_up",
    "limit_down",
    "open_price",
    "high_price",
    "low_price",
    "pre_close",
    "average_price",
    "settlement_price",
    "pre_settlement_price",
    "bid_price_1",
    "ask_price_1",
)
