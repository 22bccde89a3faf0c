"""The contract table: every futures product of the six exchanges, with its terms and default rates. Counter
process, tests.

The facts lie in products.csv beside this file, whose head says their date and where they are from; trading
hours lie in app/lib/sessions.toml, since bars need them too, and what products are called in
app/lib/product_names.py. Real accounts do not use this: their counter tells them.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from app.lib.lots import Fees
from app.lib.product_names import PRODUCT_NAMES

TABLE = Path(__file__).with_name("products.csv")

EVERY_MONTH = frozenset(range(1, 13))
MONTH_SETS = {
    "all": EVERY_MONTH,
    "odd": frozenset({1, 3, 5, 7, 9, 11}),
    "even": frozenset({2, 4, 6, 8, 10, 12}),
    "quarter": frozenset({3, 6, 9, 12}),
}


class Listing(NamedTuple):
    """Contracts of these delivery months, `first` to `last` (yyyymm), are listed when the one `ahead` months
    earlier has expired.
    """

    months: frozenset[int]
    ahead: int
    first: int = 0
    last: int = 999912

    def has(self, year: int, month: int) -> bool:
        return month in self.months and self.first <= year * 100 + month <= self.last


class Product(NamedTuple):
    """One line of the table. Ratios are fractions (0.09 is nine per cent), fees are in yuan or of the
    turnover.
    """

    exchange: str
    code: str
    name: str
    multiplier: int
    price_tick: float
    margin_ratio: float  # long and short alike
    splits_today: bool
    max_side: bool
    limit_ratio: float
    fees: Fees
    fee_source: str
    min_limit_volume: int
    max_limit_volume: int
    min_market_volume: int
    max_market_volume: int
    listings: tuple[Listing, ...]
    expiry: str
    first_month: int | None  # yyyymm
    reference_price: float  # where generated prices wander about

    def __hash__(self) -> int:
        """By its code alone: there are few, and what is kept by contract hashes them often."""
        return hash(self.code)


def product(code: str) -> Product:
    """The product of this code (`rb`, `AP`). Raises KeyError."""
    return products()[code]


@lru_cache(maxsize=1)
def products() -> dict[str, Product]:
    """The whole table by product code, in its order."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {row["product"]: _product(row) for row in rows}


def _product(row: dict[str, str]) -> Product:
    min_limit, max_limit = row["limit_order"].split("-")
    min_market, max_market = row["market_order"].split("-")
    return Product(
        exchange=row["exchange"],
        code=row["product"],
        name=PRODUCT_NAMES[row["product"]],
        multiplier=int(row["multiplier"]),
        price_tick=float(row["tick"]),
        margin_ratio=float(row["margin"]),
        splits_today=row["split"] == "1",
        max_side=row["side"] == "1",
        limit_ratio=float(row["limit"]),
        fees=Fees(*_fee(row["open"]), *_fee(row["close"]), *_fee(row["close_today"])),
        fee_source=row["fee_source"],
        min_limit_volume=int(min_limit),
        max_limit_volume=int(max_limit),
        min_market_volume=int(min_market),
        max_market_volume=int(max_market),
        listings=tuple(_listing(text) for text in row["months"].split()),
        expiry=row["expiry"],
        first_month=200000 + int(row["first"]) if row["first"] else None,
        reference_price=float(row["reference"]),
    )


def _fee(text: str) -> tuple[float, float]:
    """By money, by volume."""
    return (0.0, float(text.removesuffix("/lot"))) if text.endswith("/lot") else (float(text), 0.0)


def _listing(text: str) -> Listing:
    months, ahead, *bounds = text.split(":")
    first, _, last = bounds[0].partition("..") if bounds else ("", "", "")
    return Listing(
        MONTH_SETS.get(months) or frozenset(int(month) for month in months.split(",")),
        int(ahead),
        200000 + int(first) if first else Listing._field_defaults["first"],
        200000 + int(last) if last else Listing._field_defaults["last"],
    )
