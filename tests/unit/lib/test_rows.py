"""app/lib/rows.py: what pages get of ctpbee's entities and of the book."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal

import orjson
import pytest
from ctpbee.constant import (
    ContractData,
    Direction,
    Exchange,
    Offset,
    OrderData,
    OrderType,
    Product,
    Status,
    TickData,
    TradeData,
)
from hypothesis import given
from hypothesis import strategies as st

from app.bee.fields import contract_of
from app.lib import rows
from app.lib.book import Money, Position
from app.lib.calendar import SHANGHAI
from app.wire.frames import InstrumentField


def a_tick(**values: object) -> TickData:
    fields: dict[str, object] = {
        "symbol": "rb2501",
        "exchange": Exchange.SHFE,
        "datetime": datetime(2024, 12, 2, 21, 0, 0, 500_000, SHANGHAI),
        "last_price": 3300.0,
        "volume": 12,
        "gateway_name": "sim",
    }
    return TickData(**(fields | values))


def an_order(**values: object) -> OrderData:
    fields: dict[str, object] = {
        "symbol": "rb2501",
        "exchange": Exchange.SHFE,
        "order_id": "1_2_3",
        "type": OrderType.LIMIT,
        "direction": Direction.LONG,
        "offset": Offset.OPEN,
        "price": 3300.0,
        "volume": 2,
        "traded": 0,
        "status": Status.NOTTRADED,
        "time": "2024-12-02 21:00:00.000",
        "gateway_name": "sim",
        "error_code": "",
    }
    return OrderData(**(fields | values))


def test_a_tick_row_has_ctpbees_fields_and_plain_values() -> None:
    row = rows.row_of(a_tick())
    assert row["symbol"] == "rb2501"
    assert row["local_symbol"] == "rb2501.SHFE"
    assert row["exchange"] == "SHFE"
    assert row["datetime"] == "2024-12-02 21:00:00.500"
    assert row["last_price"] == 3300.0
    assert row["volume"] == 12


def test_a_row_has_every_field_that_ctpbees_own_dictionary_has() -> None:
    for entity in (a_tick(), an_order()):
        assert set(entity._to_dict()) <= set(rows.row_of(entity))


def test_fields_that_were_never_set_have_their_default() -> None:
    assert rows.row_of(a_tick())["bid_price_5"] == 0


def test_nothing_private_reaches_the_wire() -> None:
    assert not [name for name in rows.row_of(a_tick()) if name.startswith("_")]


def test_reading_a_row_does_not_change_the_entity() -> None:
    tick = a_tick()
    before = dict(vars(tick))
    rows.row_of(tick)["last_price"] = 1
    assert vars(tick) == before


@pytest.mark.parametrize(
    "absent", [math.nan, math.inf, -math.inf, 1.7976931348623157e308, -1.7976931348623157e308]
)
def test_a_value_that_is_absent_is_0(absent: float) -> None:
    assert rows.row_of(a_tick(bid_price_1=absent))["bid_price_1"] == 0


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_json_of_a_row_never_has_null_for_a_number(value: float) -> None:
    price = orjson.loads(rows.event("tick", rows.row_of(a_tick(last_price=value))))["data"]["last_price"]
    assert isinstance(price, int | float)
    assert math.isfinite(price)


def test_times_are_naive_exchange_time_wherever_the_moment_comes_from() -> None:
    assert rows.time_text(datetime(2024, 12, 2, 13, 0, tzinfo=UTC)) == "2024-12-02 21:00:00.000"
    assert rows.time_text(datetime(2024, 12, 2, 21, 0, 0, 1_999)) == "2024-12-02 21:00:00.001"


def test_order_and_trade_rows_use_the_pages_words() -> None:
    row = rows.row_of(an_order())
    assert (row["direction"], row["offset"], row["status"], row["type"]) == ("多", "开", "未成交", "限价")
    assert row["order_id"] == "1_2_3"
    assert row["local_order_id"] == "sim.1_2_3"
    assert row["error_code"] == ""
    trade = TradeData(
        symbol="rb2501",
        exchange=Exchange.SHFE,
        order_id="1_2_3",
        tradeid="7",
        direction=Direction.SHORT,
        offset=Offset.CLOSETODAY,
        gateway_name="sim",
    )
    assert (rows.row_of(trade)["direction"], rows.row_of(trade)["offset"]) == ("空", "平今")


def test_a_contract_row_has_dates_as_text() -> None:
    contract = ContractData(
        symbol="rb2501",
        exchange=Exchange.SHFE,
        name="螺纹钢2501",
        product=Product.FUTURES,
        size=10,
        pricetick=1.0,
        expire_date=date(2025, 1, 15),
        gateway_name="sim",
    )
    row = rows.row_of(contract)
    assert row["expire_date"] == "2025-01-15"
    assert row["product"] == "期货"
    orjson.dumps(row)


def test_a_position_row_says_long_and_has_both_profits() -> None:
    row = rows.position_row(
        Position("rb2501", "SHFE", "long", 5, 3, 2, 1, 4, 3300.0, 3290.0, 100.0, 150.0, 16500.0)
    )
    assert row["direction"] == "long"
    assert row["local_symbol"] == "rb2501.SHFE"
    assert row["symbol"] == "rb2501"
    assert (row["position_profit"], row["float_pnl"], row["available"], row["yd_volume"]) == (
        100.0,
        150.0,
        4,
        3,
    )


def test_the_account_is_a_list_of_keys_and_values() -> None:
    money = Money(
        *(Decimal(n) for n in ("1000", "0", "0", "200", "30", "1.50", "2", "0", "-10", "988", "756.50"))
    )
    row = rows.account_row(money, "demo", "sim", "20241203")
    assert rows.account_pairs(row) == [  # ctpbee's six, for which the page has labels
        {"key": "accountid", "value": "demo"},
        {"key": "available", "value": 756.5},
        {"key": "balance", "value": 988.0},
        {"key": "frozen", "value": 31.5},
        {"key": "gateway_name", "value": "sim"},
        {"key": "local_account_id", "value": "sim.demo"},
    ]
    detail = rows.account_detail(row)
    assert {one["key"]: one["value"] for one in detail} == row
    assert row["risk_degree"] == round(200 / 988, 6)
    assert all(re.fullmatch(r"[\u4e00-\u9fff]+", one["label"]) for one in detail)
    assert len({one["label"] for one in detail}) == len(detail)


def test_the_progress_of_an_order_never_goes_back() -> None:
    path = [("提交中", 0), ("未成交", 0), ("部分成交", 1), ("部分成交", 2), ("全部成交", 3)]
    steps = [rows.progress({"status": status, "traded": traded}) for status, traded in path]
    assert steps == sorted(steps)
    assert len(set(steps)) == len(steps)
    assert rows.progress({"status": "已撤销", "traded": 2}) > steps[3]


def test_a_contract_is_told_in_one_vocabulary_with_its_limits_and_fees() -> None:
    instrument = InstrumentField(
        InstrumentID="rb2510",
        ExchangeID="SHFE",
        InstrumentName="螺纹钢2510",
        ProductID="rb",
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
        StartDelivDate="20251016",
        EndDelivDate="20251022",
        PositionDateType="1",
        LongMarginRatio=0.16,
        ShortMarginRatio=0.16,
        OpenRatioByMoney=0.0001,
        UpperLimitPrice=3262.0,
        LowerLimitPrice=2951.0,
        PreSettlementPrice=3107.0,
    )
    row = rows.contract_row(contract_of(instrument, "sim"))
    assert not [name for name in row if not name[0].islower()]
    assert (row["local_symbol"], row["size"], row["pricetick"], row["expire_date"]) == (
        "rb2510.SHFE",
        10,
        1.0,
        "2025-10-15",
    )
    assert (row["limit_up"], row["limit_down"], row["pre_settlement_price"], row["open_fee_by_money"]) == (
        3262.0,
        2951.0,
        3107.0,
        0.0001,
    )
