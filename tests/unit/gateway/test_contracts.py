"""What a page is told of a contract: when it trades, what may be sent, and whose rates its row has."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from ctpbee.constant import ContractData

from app.bee.fields import contract_of
from app.gateway.contracts import ContractDesk
from app.lib.market_orders import market_orders
from app.lib.sessions import hours_named
from app.wire.frames import InstrumentField
from app.wire.messages import DescribeContract, ListContracts

MONDAY, AFTER_HOLIDAY = "20250609", "20251009"
DAY = [["09:00", "10:15"], ["10:30", "11:30"], ["13:30", "15:00"]]


def contract(symbol: str, exchange: str, product: str) -> ContractData:
    row = InstrumentField(
        InstrumentID=symbol,
        ExchangeID=exchange,
        InstrumentName=symbol,
        ProductID=product,
        DeliveryYear=2025,
        DeliveryMonth=10,
        MaxMarketOrderVolume=30,
        MinMarketOrderVolume=1,
        MaxLimitOrderVolume=500,
        MinLimitOrderVolume=1,
        VolumeMultiple=10,
        PriceTick=1.0,
        CreateDate="20241016",
        OpenDate="20241016",
        ExpireDate="20251015",
        StartDelivDate="",
        EndDelivDate="",
        PositionDateType="1",
        LongMarginRatio=0.1,
        ShortMarginRatio=0.1,
    )
    return contract_of(row, "sim")


class Account:
    """Three contracts; the rates of all but `unrated` are known."""

    as_of = ""
    unrated = ("IF2510",)

    def __init__(self, day: str) -> None:
        self._day = day
        self._all = [
            contract("ag2510", "SHFE", "ag"),
            contract("IF2510", "CFFEX", "IF"),
            contract("m2511", "DCE", "m"),
        ]

    def contract(self, symbol: str) -> ContractData | None:
        return next((one for one in self._all if one.symbol == symbol), None)

    def listed_contracts(self) -> list[ContractData]:
        return self._all

    def trading_day(self) -> str:
        return self._day

    def has_rates(self, symbol: str) -> bool:
        return symbol not in self.unrated


def desk(day: str = MONDAY, *settings: str) -> ContractDesk:
    account = cast(Any, Account(day))
    return ContractDesk(account, cast(Any, None), hours_named("exchange"), market_orders(settings))


def described(symbol: str, of: ContractDesk) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads(of.describe_contract(DescribeContract(symbol)).payload))


def test_the_night_comes_first_and_is_fridays_on_a_monday() -> None:
    row = described("ag2510", desk())
    assert (row["trading_day"], row["sessions"]) == (MONDAY, [["21:00", "02:30"], *DAY])
    friday_evening, saturday = row["session_times"][0]
    assert (friday_evening, saturday) == (1_749_214_800_000, 1_749_234_600_000)  # 06-06 21:00 to 06-07 02:30
    assert [end - start for start, end in row["session_times"]][1:] == [75 * 60_000, 3_600_000, 90 * 60_000]


def test_a_day_without_its_night_and_a_product_without_any_have_none() -> None:
    assert described("ag2510", desk(AFTER_HOLIDAY))["sessions"] == DAY
    assert described("IF2510", desk())["sessions"] == [["09:30", "11:30"], ["13:00", "15:00"]]


@pytest.mark.parametrize(
    ("symbol", "settings", "types"),
    [
        ("ag2510", (), ["limit", "fak", "fok"]),
        ("ag2510", ("SHFE=any",), ["limit", "market", "fak", "fok"]),
        ("m2511", (), ["limit", "market", "fak", "fok"]),
        ("m2511", ("DCE=none",), ["limit", "fak", "fok"]),
    ],
)
def test_market_orders_are_offered_where_the_exchange_takes_them(
    symbol: str, settings: tuple[str, ...], types: list[str]
) -> None:
    assert described(symbol, desk(MONDAY, *settings))["order_types"] == types


def test_rates_that_are_not_the_accounts_own_are_said_to_be_the_lists() -> None:
    assert [described(symbol, desk())["rates"] for symbol in ("ag2510", "IF2510")] == ["account", "listed"]


def test_the_list_has_names_hours_and_the_last_day_of_each() -> None:
    listed = json.loads(desk().list_contracts(ListContracts()).payload)["contracts"]
    assert [(row["product_name"], row["sessions"][0]) for row in listed] == [
        ("白银", ["21:00", "02:30"]),
        ("沪深300指数", ["09:30", "11:30"]),
        ("豆粕", ["21:00", "23:00"]),
    ]
    assert {row["expire_date"] for row in listed} == {"2025-10-15"}
