"""Positions, funds and rates as CTP's queries show them. Pure; counter process.

Where lots are split by day (SHFE, INE) a position is two rows, today's and history's; elsewhere one.
YdPosition is what there was at the start of the day and never falls. Sources: docs/domain.md, Close today 2
and 3.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from app.counter.refusals import CLOSE_TODAY, OPEN
from app.lib.book import Book, Lot, Terms
from app.lib.prices import exact
from app.wire import frames as f

TODAY, HISTORY = "1", "2"


class Key(NamedTuple):
    """What one row is of."""

    symbol: str
    direction: str  # long short
    date: str  # TODAY (or all, where lots are not split) or HISTORY


@dataclass(slots=True)
class Holding:
    """What one row counts."""

    started: int = 0  # at the start of the day
    opened: int = 0
    closed: int = 0
    frozen: int = 0  # by working closes
    lots: list[Lot] = field(default_factory=list)  # that are open


class AccountDay(NamedTuple):
    """What an account has done and holds on a trading day."""

    broker: str
    user: str
    trading_day: str
    before: Iterable[Lot]  # at the start of the day
    trades: Iterable[f.TradeField]
    lots: Iterable[Lot]  # that are open
    working: Iterable[f.OrderField]


def position_rows(
    account: AccountDay, terms: Callable[[str], Terms], last_price: Callable[[str], float]
) -> list[f.PositionField]:
    """By contract, long before short, today's before history's. A row stays until the day ends, also when it
    is empty.
    """

    def key(symbol: str, direction: str, of_today: bool) -> Key:
        return Key(symbol, direction, TODAY if of_today or not terms(symbol).splits_today else HISTORY)

    holdings: dict[Key, Holding] = defaultdict(Holding)
    for lot in account.before:
        holdings[key(lot.symbol, lot.direction, False)].started += lot.volume
    for trade in account.trades:
        opens = trade.OffsetFlag == OPEN
        direction = "long" if (trade.Direction == "0") == opens else "short"
        holding = holdings[key(trade.InstrumentID, direction, opens or trade.OffsetFlag == CLOSE_TODAY)]
        if opens:
            holding.opened += trade.Volume
        else:
            holding.closed += trade.Volume
    for order in account.working:
        if order.CombOffsetFlag != OPEN:
            direction = "short" if order.Direction == "0" else "long"
            holdings[
                key(order.InstrumentID, direction, order.CombOffsetFlag == CLOSE_TODAY)
            ].frozen += order.VolumeTotal
    for lot in account.lots:
        holdings[key(lot.symbol, lot.direction, lot.open_date >= account.trading_day)].lots.append(lot)
    return [
        _row(account, key, holding, terms(key.symbol), last_price(key.symbol))
        for key, holding in sorted(holdings.items(), key=_place)
    ]


def _place(item: tuple[Key, Holding]) -> Key:
    return item[0]


def _row(account: AccountDay, key: Key, holding: Holding, terms: Terms, last: float) -> f.PositionField:
    long, lots = key.direction == "long", holding.lots
    volume = sum(lot.volume for lot in lots)
    cost = sum((exact(lot.base_price) * lot.volume * terms.multiplier for lot in lots), exact(0))
    profit = exact(last) * volume * terms.multiplier - cost if last else exact(0)
    return f.PositionField(
        BrokerID=account.broker,
        InvestorID=account.user,
        InstrumentID=key.symbol,
        ExchangeID=terms.exchange,
        PosiDirection="2" if long else "3",
        PositionDate=key.date,
        TradingDay=account.trading_day,
        YdPosition=holding.started,
        Position=volume,
        TodayPosition=sum(lot.volume for lot in lots if lot.open_date >= account.trading_day),
        LongFrozen=0 if long else holding.frozen,
        ShortFrozen=holding.frozen if long else 0,
        OpenVolume=holding.opened,
        CloseVolume=holding.closed,
        PositionCost=float(cost),
        OpenCost=float(sum(exact(lot.open_price) * lot.volume * terms.multiplier for lot in lots)),
        UseMargin=float(sum(terms.margin(key.direction, lot.base_price, lot.volume) for lot in lots)),
        PositionProfit=float(profit if long else -profit),
    )


def position_details(
    account: AccountDay, contract: Callable[[str], f.InstrumentField]
) -> list[f.PositionDetailField]:
    """History as it was at the day's start and what the day opened, each with what is left of it."""
    left = {(lot.symbol, lot.direction, lot.open_date, lot.trade_id): lot.volume for lot in account.lots}
    opened = [
        Lot(
            trade.InstrumentID,
            "long" if trade.Direction == "0" else "short",
            account.trading_day,
            trade.TradeID,
            trade.Volume,
            trade.Price,
            contract(trade.InstrumentID).PreSettlementPrice,
        )
        for trade in account.trades
        if trade.OffsetFlag == OPEN
    ]
    rows = []
    for lot in [*account.before, *opened]:
        volume = left.get((lot.symbol, lot.direction, lot.open_date, lot.trade_id), 0)
        row = f.PositionDetailField(
            BrokerID=account.broker,
            InvestorID=account.user,
            InstrumentID=lot.symbol,
            ExchangeID=contract(lot.symbol).ExchangeID,
            Direction="0" if lot.direction == "long" else "1",
            OpenDate=lot.open_date,
            TradeID=lot.trade_id,
            TradingDay=account.trading_day,
            Volume=volume,
            OpenPrice=lot.open_price,
            LastSettlementPrice=lot.base_price,
            CloseVolume=lot.volume - volume,
        )
        rows.append(row)
    return rows


def money_row(broker: str, user: str, trading_day: str, book: Book, native: bool) -> f.TradingAccountField:
    """To the cent, as this counter counts; to a `native` client with fees as CTP sums them, which rounds
    none. The book is valued at the newest prices already.
    """
    money = book.money()
    commission = book.exact_commission() if native else money.commission
    rounding = money.commission - commission
    available = money.available + rounding
    return f.TradingAccountField(
        BrokerID=broker,
        AccountID=user,
        TradingDay=trading_day,
        PreBalance=float(money.pre_balance),
        Deposit=float(money.deposit),
        Withdraw=float(money.withdraw),
        CurrMargin=float(money.margin),
        FrozenMargin=float(money.frozen_margin),
        FrozenCommission=float(money.frozen_commission),
        Commission=float(commission),
        CloseProfit=float(money.close_profit),
        PositionProfit=float(money.position_profit),
        Balance=float(money.balance + rounding),
        Available=float(available),
        WithdrawQuota=float(max(Decimal(0), available - max(Decimal(0), money.position_profit))),
    )


def margin_rate(broker: str, user: str, contract: f.InstrumentField) -> f.MarginRateField:
    return f.MarginRateField(
        BrokerID=broker,
        InvestorID=user,
        InstrumentID=contract.InstrumentID,
        ExchangeID=contract.ExchangeID,
        LongMarginRatioByMoney=contract.LongMarginRatio,
        LongMarginRatioByVolume=contract.LongMarginRatioByVolume,
        ShortMarginRatioByMoney=contract.ShortMarginRatio,
        ShortMarginRatioByVolume=contract.ShortMarginRatioByVolume,
    )


def commission_rate(broker: str, user: str, contract: f.InstrumentField) -> f.CommissionRateField:
    return f.CommissionRateField(
        BrokerID=broker,
        InvestorID=user,
        InstrumentID=contract.ProductID,
        ExchangeID=contract.ExchangeID,
        OpenRatioByMoney=contract.OpenRatioByMoney,
        OpenRatioByVolume=contract.OpenRatioByVolume,
        CloseRatioByMoney=contract.CloseRatioByMoney,
        CloseRatioByVolume=contract.CloseRatioByVolume,
        CloseTodayRatioByMoney=contract.CloseTodayRatioByMoney,
        CloseTodayRatioByVolume=contract.CloseTodayRatioByVolume,
    )
