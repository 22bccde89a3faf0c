"""A contract of the table as the instrument row that the counter answers. Counter process, tests. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import replace

from app.counter.contracts import Contract
from app.lib.calendar import compact, on_forget
from app.wire.frames import InstrumentField


class DayPrices(NamedTuple):
    """What holds of a contract for a whole trading day. 0: not known."""

    pre_settlement: float = 0.0
    upper_limit: float = 0.0
    lower_limit: float = 0.0


UNKNOWN = DayPrices()


def instrument_field(contract: Contract, prices: DayPrices = UNKNOWN) -> InstrumentField:
    """The row with the table's rates and the day's prices. Of a contract of which no price is known it is
    each day the same one.
    """
    row = _row_of(contract)
    if prices == UNKNOWN:
        return row
    return replace(
        row,
        UpperLimitPrice=prices.upper_limit,
        LowerLimitPrice=prices.lower_limit,
        PreSettlementPrice=prices.pre_settlement,
    )


@lru_cache(maxsize=8192)
def _row_of(contract: Contract) -> InstrumentField:
    product = contract.product
    start, end = contract.delivery
    return InstrumentField(
        InstrumentID=contract.instrument,
        ExchangeID=product.exchange,
        InstrumentName=contract.name,
        ProductID=product.code,
        DeliveryYear=contract.year,
        DeliveryMonth=contract.month,
        MaxMarketOrderVolume=product.max_market_volume,
        MinMarketOrderVolume=product.min_market_volume,
        MaxLimitOrderVolume=product.max_limit_volume,
        MinLimitOrderVolume=product.min_limit_volume,
        VolumeMultiple=product.multiplier,
        PriceTick=product.price_tick,
        CreateDate=compact(contract.open_day),
        OpenDate=compact(contract.open_day),
        ExpireDate=compact(contract.last_day),
        StartDelivDate=compact(start),
        EndDelivDate=compact(end),
        PositionDateType="1" if product.splits_today else "2",
        LongMarginRatio=product.margin_ratio,
        ShortMarginRatio=product.margin_ratio,
        MaxMarginSideAlgorithm="1" if product.max_side else "0",
        OpenRatioByMoney=product.fees.open_by_money,
        OpenRatioByVolume=product.fees.open_by_volume,
        CloseRatioByMoney=product.fees.close_by_money,
        CloseRatioByVolume=product.fees.close_by_volume,
        CloseTodayRatioByMoney=product.fees.close_today_by_money,
        CloseTodayRatioByVolume=product.fees.close_today_by_volume,
    )


on_forget(_row_of.cache_clear)
