"""How a market order is said at each exchange: in which of CTP's conditions, or not at all. Pure; settings,
gateway and counter.

Source: the API guide of the exchange technology company, 6.7.8, QTYWGZ/GJYSTSZL. It has none for SHFE and
INE; these are said to take market orders since 2026-07-06, in conditions that no source at hand names: off,
until somebody who knows says them in the settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Conditions(NamedTuple):
    """What makes an order type in CTP: OrderPriceType, TimeCondition, VolumeCondition."""

    price_type: str
    time: str
    volume: str


WAYS: dict[str, Conditions | None] = {
    "none": None,
    "any": Conditions(
        "1", "1", "1"
    ),  # at any price, what is left is cancelled; with '3' for the volume DCE takes it for all or nothing
    "any-gfd": Conditions("1", "3", "3"),  # the same in CZCE's words: for the day, all of the volume
    "best": Conditions("3", "1", "1"),  # at the best opposite price, what is left is cancelled
    "five": Conditions("G", "1", "1"),  # at the best five
}
USUAL = {"CFFEX": "five", "CZCE": "any-gfd", "DCE": "any", "GFEX": "any", "INE": "none", "SHFE": "none"}
PRICE_TYPES = {conditions.price_type for conditions in WAYS.values() if conditions is not None}

MarketOrders = Mapping[str, Conditions | None]
"""By exchange; None: it has no market orders."""


def market_orders(rows: Iterable[str] = ()) -> dict[str, Conditions | None]:
    """The usual table with the settings' rows (`SHFE=any`) in place of its own. Raises ValueError for what is
    none.
    """
    ways = dict(USUAL)
    for row in rows:
        exchange, _, way = row.partition("=")
        if exchange not in USUAL or way not in WAYS:
            raise ValueError(f"{row!r} 应形如 SHFE=any：交易所 {' '.join(USUAL)}，写法 {' '.join(WAYS)}")
        ways[exchange] = way
    return {exchange: WAYS[way] for exchange, way in ways.items()}
