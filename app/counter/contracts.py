"""Which contracts are listed on a day: months, opening and expiry by each product's rule. Counter process,
tests. Pure.

A contract opens on the trading day after the one that makes room for it has expired (table: `months`), at the
earliest when its product was listed, and its last day is its expiry. Years beyond the calendar's bound are
computed with weekdays. Codes repeat where the exchange's do: AP010 is October 2020 and 2030 (CZCE writes one
digit of the year), so a code means something only together with a day.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from functools import lru_cache
from string import digits
from typing import NamedTuple

from app.counter.products import Product, products
from app.lib import calendar, sessions
from app.lib.calendar import is_trading_day, next_trading_day, nth_trading_day, previous_trading_day

MONDAY, FRIDAY = 0, 4
DELIVERY_DAYS = 5
SURPLUS_MONTHS = 2  # looked at beyond the furthest listing: the calendar's month is not the delivery month


class Contract(NamedTuple):
    """A contract of one delivery month. `last_day` is the last on which it trades, both days included."""

    instrument: str
    product: Product
    year: int
    month: int
    open_day: date
    last_day: date

    @property
    def name(self) -> str:
        return f"{self.product.name}{self.year % 100:02d}{self.month:02d}"

    @property
    def delivery(self) -> tuple[date, date]:
        """First and last day of delivery: cash on the last day for the indices, else the trading days after
        it.
        """
        if self.product.expiry in ("fri3", "monday"):
            return self.last_day, self.last_day
        return _days_of_delivery(self.last_day)


def code_of(product: Product, year: int, month: int) -> str:
    """`rb2501`, `AP501`."""
    digits = 1 if product.exchange == "CZCE" else 2
    return f"{product.code}{year % 10**digits:0{digits}d}{month:02d}"


def product_code_of(instrument: str) -> str:
    """The letters in front: the product's code."""
    return instrument.rstrip(digits)


def contract_of(product: Product, year: int, month: int) -> Contract:
    """The contract of this delivery month, whether or not its product lists such a month."""
    ahead = [listing.ahead for listing in product.listings if listing.has(year, month)] or [12]
    before = year * 12 + month - 1 - max(ahead)
    room_made = expiry_of(product, before // 12, before % 12 + 1)
    opened = max(next_trading_day(room_made), sessions.listed_since(product.code))
    return Contract(
        code_of(product, year, month), product, year, month, opened, expiry_of(product, year, month)
    )


def contract_named(instrument: str, day: date) -> Contract | None:
    """The contract that this code meant on `day`: the one of that decade. None for a product not in the table
    or no such month.
    """
    product = products().get(product_code_of(instrument))
    if product is None:
        return None
    month_code = instrument[len(product.code) :]
    if len(month_code) != (3 if product.exchange == "CZCE" else 4) or not 1 <= int(month_code[-2:]) <= 12:
        return None
    span = 10 if product.exchange == "CZCE" else 100
    year = day.year - day.year % span + int(month_code[:-2])
    candidates = [
        contract_of(product, candidate, int(month_code[-2:]))
        for candidate in (year, year + span, year - span)
    ]
    alive = [contract for contract in candidates if contract.open_day <= day <= contract.last_day]
    return alive[0] if alive else min(candidates, key=lambda contract: abs((contract.last_day - day).days))


def listed_on(day: date, codes: Collection[str] | None = None) -> list[Contract]:
    """What is listed on `day`, in the table's order, near months first; of the products `codes` alone, where
    they are given. A day without trading lists what the next one does.
    """
    trading_day = day if is_trading_day(day) else next_trading_day(day)
    wanted = products() if codes is None else [code for code in products() if code in codes]
    return [contract for code in wanted for contract in _listed_of(code, trading_day)]


@lru_cache(maxsize=1024)
def _listed_of(code: str, day: date) -> tuple[Contract, ...]:
    if sessions.listed_since(code) > day:
        return ()
    due = _due_from(code, day.year * 12 + day.month - 1)
    return tuple([contract for contract in due if contract.open_day <= day <= contract.last_day])


@lru_cache(maxsize=1024)
def _due_from(code: str, start: int) -> tuple[Contract, ...]:
    """The product's contracts, of which some are listed on any day of this month (years * 12 + months)."""
    product = products()[code]
    found: list[Contract] = []
    furthest = max(listing.ahead for listing in product.listings) + SURPLUS_MONTHS
    for index in range(start, start + furthest + 1):
        year, month = index // 12, index % 12 + 1
        if not any(listing.has(year, month) for listing in product.listings) or (
            product.first_month and year * 100 + month < product.first_month
        ):
            continue
        found.append(contract_of(product, year, month))
    return tuple(found)


@lru_cache(maxsize=4096)
def _days_of_delivery(last_day: date) -> tuple[date, date]:
    first = end = next_trading_day(last_day)
    for _ in range(DELIVERY_DAYS - 1):
        end = next_trading_day(end)
    return first, end


@lru_cache(maxsize=65536)
def expiry_of(product: Product, year: int, month: int) -> date:
    """The last trading day of a delivery month, by the product's rule."""
    match product.expiry:
        case "day15":
            return _or_next(date(year, month, 15))
        case "td5":
            return nth_trading_day(year, month, 5)
        case "td10":
            return nth_trading_day(year, month, 10)
        case "last4":
            return nth_trading_day(year, month, -4)
        case "eve":
            return previous_trading_day(date(year, month, 1))
        case "fri2":
            return _or_next(_weekday(year, month, FRIDAY, 2))
        case "fri3":
            return _or_next(_weekday(year, month, FRIDAY, 3))
        case "monday":
            day = nth_trading_day(year, month, -1)
            while day.weekday() != MONDAY:
                day = previous_trading_day(day)
            return day
        case other:
            raise ValueError(f"{product.code}: unknown expiry rule {other!r}")


calendar.on_forget(_listed_of.cache_clear)
calendar.on_forget(_due_from.cache_clear)
calendar.on_forget(_days_of_delivery.cache_clear)
calendar.on_forget(expiry_of.cache_clear)


def _or_next(day: date) -> date:
    return day if is_trading_day(day) else next_trading_day(day)


def _weekday(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))
