"""The counter's checks of an order by values alone: no core, no file."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from app.counter.contracts import contract_named
from app.counter.instruments import DayPrices, instrument_field
from app.counter.orders import order_row
from app.counter.refusals import (
    ERRORS,
    contract_refusal,
    is_well_formed,
    money_refusal,
    position_refusal,
    refusal_of,
    request_refusal,
)
from app.lib.book import Book, Lot
from app.lib.calendar import parse_day
from app.lib.market_orders import market_orders
from app.wire import frames as f

DAY = "20250609"


def listed(symbol: str) -> f.InstrumentField:
    contract = contract_named(symbol, parse_day(DAY))
    assert contract is not None
    return instrument_field(contract, DayPrices(3000.0, 3300.0, 2700.0))


def book(money: str = "100000", *lots: Lot) -> Book:
    return Book(lambda symbol: f.terms_of(listed(symbol)), DAY, Decimal(money), list(lots))


def asked(**changes: Any) -> f.ReqOrderInsert:
    fields: dict[str, Any] = {
        "InstrumentID": "rb2510",
        "ExchangeID": "SHFE",
        "OrderRef": "1",
        "Direction": "0",
        "CombOffsetFlag": "0",
        "OrderPriceType": "2",
        "TimeCondition": "3",
        "VolumeCondition": "1",
        "LimitPrice": 3000.0,
        "VolumeTotalOriginal": 1,
    }
    return f.ReqOrderInsert(**fields | changes)


def order(**changes: Any) -> f.OrderField:
    request = asked(**changes)
    return order_row(request, None, listed(request.InstrumentID), DAY, datetime(2025, 6, 9, 10))


def test_a_sound_order_is_refused_by_nothing() -> None:
    assert is_well_formed(order())
    assert contract_refusal(order(), listed("rb2510"), DAY, market_orders()) is None
    assert position_refusal(order(), listed("rb2510"), book()) is None
    assert money_refusal(order(), 3000.0, book()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"OrderRef": "x"},
        {"OrderRef": "1" * 13},
        {"Direction": "2"},
        {"CombOffsetFlag": "2"},
        {"VolumeTotalOriginal": 0},
        {"LimitPrice": float("nan")},
    ],
)
def test_fields_that_no_order_has_are_not_well_formed(changes: dict[str, Any]) -> None:
    assert not is_well_formed(order(**changes))


@pytest.mark.parametrize(
    ("changes", "known", "day", "error_id"),
    [
        ({}, False, DAY, 16),
        ({"ExchangeID": "DCE"}, True, DAY, 16),
        ({}, True, "20300101", 17),  # expired
        ({"OrderPriceType": "1", "LimitPrice": 0.0}, True, DAY, 80),
        ({"VolumeTotalOriginal": 10**6}, True, DAY, 15),
    ],
)
def test_the_contract_says_what_may_be_ordered(
    changes: dict[str, Any], known: bool, day: str, error_id: int
) -> None:
    contract = listed("rb2510") if known else None
    assert contract_refusal(order(**changes), contract, day, market_orders()) == refusal_of(error_id)


@pytest.mark.parametrize(
    ("symbol", "offset", "error_id"),
    [("rb2510", "3", 50), ("rb2510", "1", 51), ("rb2510", "4", 51), ("m2509", "1", 30)],
)
def test_more_cannot_be_closed_than_is_held(symbol: str, offset: str, error_id: int) -> None:
    row = order(InstrumentID=symbol, CombOffsetFlag=offset, Direction="1")
    assert position_refusal(row, listed(symbol), book()) == refusal_of(error_id)


def test_what_was_held_at_the_days_start_is_closed_as_yesterdays_alone() -> None:
    held = book("100000", Lot("rb2510", "long", "20250606", "1", 1, 3000.0, 3000.0))
    contract = listed("rb2510")
    assert position_refusal(order(CombOffsetFlag="4", Direction="1"), contract, held) is None
    assert position_refusal(order(CombOffsetFlag="3", Direction="1"), contract, held) == refusal_of(50)


def test_an_open_needs_its_margin_and_fee_and_an_absent_price_is_the_exchanges_to_refuse() -> None:
    assert money_refusal(order(), 3000.0, book("10")) == refusal_of(31)
    assert money_refusal(order(), 0.0, book("10")) is None


def test_who_is_not_logged_in_is_told_so_before_anything_else() -> None:
    assert request_refusal(asked(), None, DAY) == (6, ERRORS[6])
