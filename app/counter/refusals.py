"""What the counter refuses, and why: CTP's error ids, and the checks of an order's fields, contract, position
and money. Pure; counter process.

Rules: docs/domain.md. What the exchange refuses is app/counter/exchange.py's.
"""

from __future__ import annotations

from typing import NamedTuple

from app.counter.accounts import Session
from app.counter.exchange import ANY_VOLUME, COMPLETE, GFD, IOC, LIMIT_PRICE
from app.lib.book import Book
from app.lib.market_orders import WAYS, MarketOrders
from app.lib.prices import HIGHEST, is_absent
from app.wire import frames as f

ERRORS = {
    3: "CTP:不合法的登录",
    6: "CTP:还没有登录",
    7: "CTP:还没有初始化",
    15: "CTP:报单字段有误",
    16: "CTP:找不到合约",
    17: "CTP:合约不能交易",
    22: "CTP:不允许重复报单",
    24: "CTP:撤单已报送，不允许重复撤单",
    25: "CTP:撤单找不到相应报单",
    26: "CTP:报单已全成交或已撤销，不能再撤",
    27: "CTP:不支持的功能",
    30: "CTP:平仓量超过持仓量",
    31: "CTP:资金不足",
    42: "CTP:结算结果未确认",
    50: "CTP:平今仓位不足",
    51: "CTP:平昨仓位不足",
    60: "CTP:用户在线会话超出上限",
    63: "CTP:客户端认证失败",
    64: "CTP:客户端未认证",
    75: "CTP:连续登录失败次数超限，登录被禁止",
    80: "CTP:交易所不支持的价格类型",
    116: "CTP:报单流控超限",
    131: "CTP:密码已过期，必须修改密码",
    140: "CTP:首次登录必须修改密码，请修改密码后重新登录",
    142: "CTP:新密码不能与旧密码相同",
}
ORDER_TYPES = {  # price type, time condition, volume condition
    (LIMIT_PRICE, GFD, ANY_VOLUME),  # limit
    (LIMIT_PRICE, IOC, ANY_VOLUME),  # FAK
    (LIMIT_PRICE, IOC, COMPLETE),  # FOK
} | set(WAYS.values())  # market, each exchange's own
OPEN, CLOSE, CLOSE_TODAY, CLOSE_YESTERDAY = "0", "1", "3", "4"
FORCED = {"2", "5", "6"}  # closes by the broker or the exchange


class Refusal(NamedTuple):
    error_id: int
    text: str


def refusal_of(error_id: int) -> Refusal:
    return Refusal(error_id, ERRORS[error_id])


def request_refusal(request: f.ReqOrderInsert, session: Session | None, trading_day: str) -> Refusal | None:
    """What speaks against a request before its order is looked at."""
    if session is None or session.account is None:
        return refusal_of(6)
    if session.native and session.account.confirmed.trading_day != trading_day:
        return refusal_of(42)
    if (request.CombHedgeFlag, request.ContingentCondition, request.ForceCloseReason) != ("1", "1", "0"):
        return refusal_of(15)
    return None


def is_well_formed(row: f.OrderField) -> bool:
    return (
        row.OrderRef.isascii()
        and row.OrderRef.isdigit()
        and len(row.OrderRef) <= 12
        and row.Direction in ("0", "1")
        and row.CombOffsetFlag in (OPEN, CLOSE, CLOSE_TODAY, CLOSE_YESTERDAY)
        and (row.OrderPriceType, row.TimeCondition, row.VolumeCondition) in ORDER_TYPES
        and abs(row.LimitPrice) < HIGHEST  # NaN compares false
        and (row.OrderPriceType == LIMIT_PRICE or row.LimitPrice == 0)
        and row.VolumeTotalOriginal >= 1
    )


def contract_refusal(
    row: f.OrderField, contract: f.InstrumentField | None, trading_day: str, market_orders: MarketOrders
) -> Refusal | None:
    """`contract`: the listed one of the order's name, None where none is."""
    if contract is None or contract.ExchangeID != row.ExchangeID:
        return refusal_of(16)
    if not contract.IsTrading or contract.InstLifePhase != "1" or contract.ExpireDate < trading_day:
        return refusal_of(17)
    market_order = row.OrderPriceType != LIMIT_PRICE
    conditions = row.OrderPriceType, row.TimeCondition, row.VolumeCondition
    if market_order and conditions != market_orders[contract.ExchangeID]:
        return refusal_of(80)
    least = contract.MinMarketOrderVolume if market_order else contract.MinLimitOrderVolume
    most = contract.MaxMarketOrderVolume if market_order else contract.MaxLimitOrderVolume
    if row.VolumeTotalOriginal > most or row.CombOffsetFlag == OPEN and row.VolumeTotalOriginal < least:
        return refusal_of(15)
    return None


def position_refusal(row: f.OrderField, contract: f.InstrumentField, book: Book) -> Refusal | None:
    if row.CombOffsetFlag == OPEN:
        return None
    closable = book.closable(row.InstrumentID, "short" if row.Direction == "0" else "long")
    splits_today, of_today = contract.PositionDateType == "1", row.CombOffsetFlag == CLOSE_TODAY
    if row.VolumeTotalOriginal <= closable.by("closetoday" if of_today else "close", splits_today):
        return None
    return refusal_of(30 if not splits_today else 50 if of_today else 51)


def money_refusal(row: f.OrderField, freeze_price: float, book: Book) -> Refusal | None:
    """Of an open; the book's positions are valued at the newest prices already."""
    if is_absent(freeze_price):
        return None  # no such price: the exchange's to refuse
    side, volume = "buy" if row.Direction == "0" else "sell", row.VolumeTotalOriginal
    needed = book.margin_of(row.InstrumentID, side, freeze_price, volume) + book.fee_of(
        row.InstrumentID, "open", freeze_price, volume
    )
    return refusal_of(31) if needed > book.money().available else None
