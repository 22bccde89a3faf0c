"""The rows of orders, trades and refused cancels as the counter writes them, and what an account's book needs
of an order. Pure; counter process.
"""

from __future__ import annotations

from datetime import datetime

from app.counter.accounts import Order, Session
from app.counter.refusals import CLOSE, CLOSE_TODAY, CLOSE_YESTERDAY, FORCED, OPEN, Refusal
from app.lib.book import Fill, WorkingOrder
from app.lib.calendar import wire_clock
from app.wire import frames as f

FRONT_ID = 1
SEAT = "seat1"  # TraderID: where the counter sits at every exchange
OFFSETS = {OPEN: "open", CLOSE: "close", CLOSE_TODAY: "closetoday", CLOSE_YESTERDAY: "closeyesterday"}


def order_row(
    request: f.ReqOrderInsert,
    session: Session | None,
    contract: f.InstrumentField | None,
    trading_day: str,
    now: datetime,
) -> f.OrderField:
    """`contract`: the listed one of the request's name, None where none is."""
    offset = request.CombOffsetFlag
    day, clock = wire_clock(now)
    splits = contract is None or contract.PositionDateType == "1"
    if not splits and offset in (CLOSE_TODAY, CLOSE_YESTERDAY):
        offset = CLOSE  # where lots are not split the counter makes one of the three
    return f.OrderField(
        BrokerID=session.broker if session else "",
        InvestorID=session.user if session else "",
        InstrumentID=request.InstrumentID,
        ExchangeID=request.ExchangeID or (contract.ExchangeID if contract else ""),
        OrderRef=request.OrderRef,
        FrontID=FRONT_ID,
        SessionID=session.number if session else 0,
        Direction=request.Direction,
        CombOffsetFlag=offset,
        OrderPriceType=request.OrderPriceType,
        TimeCondition=request.TimeCondition,
        VolumeCondition=request.VolumeCondition,
        LimitPrice=request.LimitPrice,
        VolumeTotalOriginal=request.VolumeTotalOriginal,
        VolumeTotal=request.VolumeTotalOriginal,
        TradingDay=trading_day,
        InsertDate=day,
        InsertTime=clock,
    )


def trade_row(
    row: f.OrderField, price: float, volume: int, number: int, trading_day: str, now: datetime
) -> f.TradeField:
    """A trade of an order's; `number` is the exchange's."""
    day, clock = wire_clock(now)
    return f.TradeField(
        BrokerID=row.BrokerID,
        InvestorID=row.InvestorID,
        InstrumentID=row.InstrumentID,
        ExchangeID=row.ExchangeID,
        OrderRef=row.OrderRef,
        OrderSysID=row.OrderSysID,
        TraderID=row.TraderID,
        OrderLocalID=row.OrderLocalID,
        TradeID=f"{number:>12}",
        Direction=row.Direction,
        OffsetFlag=row.CombOffsetFlag,
        Price=price,
        Volume=volume,
        TradingDay=trading_day,
        TradeDate=day,
        TradeTime=clock,
    )


def cancel_refused(request: f.ReqOrderAction, refusal: Refusal) -> f.RspOrderAction:
    """To the one who asked."""
    return f.RspOrderAction(
        InstrumentID=request.InstrumentID,
        ExchangeID=request.ExchangeID,
        OrderRef=request.OrderRef,
        FrontID=request.FrontID,
        SessionID=request.SessionID,
        OrderSysID=request.OrderSysID,
        ErrorID=refusal.error_id,
        ErrorMsg=refusal.text,
        OrderActionRef=request.OrderActionRef,
        RequestID=request.RequestID,
    )


def cancel_refused_to_all(request: f.ReqOrderAction, refusal: Refusal) -> f.ErrRtnOrderAction:
    """To all sessions of the user."""
    return f.ErrRtnOrderAction(
        InstrumentID=request.InstrumentID,
        ExchangeID=request.ExchangeID,
        OrderActionRef=request.OrderActionRef,
        OrderRef=request.OrderRef,
        FrontID=request.FrontID,
        SessionID=request.SessionID,
        OrderSysID=request.OrderSysID,
        ErrorID=refusal.error_id,
        ErrorMsg=refusal.text,
    )


def working_order(order: Order, contract: f.InstrumentField) -> WorkingOrder:
    row = order.row
    return WorkingOrder(
        order.id,
        row.InstrumentID,
        "buy" if row.Direction == "0" else "sell",
        _offset(row, contract),
        order.freeze_price,
        row.VolumeTotal if order.freezes else 0,
        row.VolumeTotalOriginal,
    )


def fill_of(trade: f.TradeField, order: Order, contract: f.InstrumentField) -> Fill:
    return Fill(
        trade.TradingDay,
        trade.ExchangeID,
        trade.TradeID,
        "buy" if trade.Direction == "0" else "sell",
        order.id,
        trade.InstrumentID,
        _offset(order.row, contract),
        trade.Price,
        trade.Volume,
        trade.TradeTime,
    )


def _offset(row: f.OrderField, contract: f.InstrumentField) -> str:
    """The book's word. Where lots are split, a plain close is of yesterday's, and a forced one takes what
    there is.
    """
    offset = row.CombOffsetFlag
    if offset in FORCED:
        return "forced"
    if offset == CLOSE and contract.PositionDateType == "1":
        return "closeyesterday"
    return OFFSETS[offset]
