"""CTP's fields as ctpbee's entities and back."""

from __future__ import annotations

from datetime import datetime

import pytest
from ctpbee.constant import Direction, Exchange, Offset, OrderRequest, OrderType, Status

from app.bee import fields
from app.bee.fields import Refusal
from app.lib import rows
from app.lib.calendar import SHANGHAI
from app.lib.errors import BadInput
from app.lib.market_orders import market_orders
from app.wire.frames import OrderField, terms_of
from tests.fakes.front import DAY, depth, instrument, order, trade

pytestmark = pytest.mark.filterwarnings(
    "ignore:Series.values:DeprecationWarning"
)  # of pandas, in exchange_calendars

NOW = datetime(2025, 6, 9, 9, 30, tzinfo=SHANGHAI)


def request(**changes: object) -> OrderRequest:
    values: dict[str, object] = {
        "symbol": "rb2510",
        "exchange": Exchange.SHFE,
        "direction": Direction.LONG,
        "offset": Offset.OPEN,
        "type": OrderType.LIMIT,
        "price": 3000.0,
        "volume": 2,
    }
    return OrderRequest(**values | changes)


def row_of(req: OrderRequest, exchange: str = "DCE") -> OrderField:
    conditions = fields.conditions_of(req.type, exchange, market_orders())
    key = (1, 7, "5")
    return fields.order_row(
        req,
        broker="9999",
        investor="demo",
        exchange=exchange,
        key=key,
        trading_day=DAY,
        moment=NOW,
        conditions=conditions,
    )


@pytest.mark.parametrize("kind", [OrderType.LIMIT, OrderType.MARKET, OrderType.FAK, OrderType.FOK])
def test_an_order_type_is_read_back_as_it_was_sent(kind: OrderType) -> None:
    row = row_of(request(type=kind))
    assert fields.order_of(row, gateway_name="sim", traded=0).type is kind


def test_a_market_order_has_no_price_and_does_not_rest() -> None:
    row = row_of(request(type=OrderType.MARKET, price=3000.0))
    assert (row.OrderPriceType, row.TimeCondition, row.LimitPrice) == ("1", "1", 0.0)


@pytest.mark.parametrize(
    ("exchange", "conditions"),
    [
        ("DCE", ("1", "1", "1")),
        ("GFEX", ("1", "1", "1")),
        ("CZCE", ("1", "3", "3")),
        ("CFFEX", ("G", "1", "1")),
    ],
)
def test_a_market_order_is_said_as_its_exchange_has_it_and_read_back(
    exchange: str, conditions: tuple[str, str, str]
) -> None:
    row = row_of(request(type=OrderType.MARKET), exchange)
    assert (row.OrderPriceType, row.TimeCondition, row.VolumeCondition) == conditions
    assert fields.order_of(row, gateway_name="sim", traded=0).type is OrderType.MARKET


@pytest.mark.parametrize("exchange", ["SHFE", "INE"])
def test_where_an_exchange_has_no_market_orders_that_is_said_unless_the_settings_know_better(
    exchange: str,
) -> None:
    with pytest.raises(BadInput, match="没有市价单") as refused:
        fields.conditions_of(OrderType.MARKET, exchange, market_orders())
    assert refused.value.code == "NO_MARKET_ORDERS"
    assert fields.conditions_of(OrderType.MARKET, exchange, market_orders([f"{exchange}=any"])) == (
        "1",
        "1",
        "1",
    )


@pytest.mark.parametrize("offset", [Offset.OPEN, Offset.CLOSE, Offset.CLOSETODAY, Offset.CLOSEYESTERDAY])
@pytest.mark.parametrize("direction", [Direction.LONG, Direction.SHORT])
def test_direction_and_offset_go_there_and_back(direction: Direction, offset: Offset) -> None:
    shown = fields.order_of(row_of(request(direction=direction, offset=offset)), gateway_name="sim", traded=0)
    assert (shown.direction, shown.offset) == (direction, offset)


@pytest.mark.parametrize("flag", ["2", "5", "6"])
def test_a_forced_close_is_shown_as_a_close(flag: str) -> None:
    assert fields.order_of(order(CombOffsetFlag=flag), gateway_name="sim", traded=0).offset is Offset.CLOSE
    assert (
        fields.trade_of(trade(OffsetFlag=flag), order_id="1_7_1", gateway_name="sim").offset is Offset.CLOSE
    )


@pytest.mark.parametrize(
    ("status", "submit", "traded", "shown"),
    [
        ("a", "0", 0, Status.SUBMITTING),
        ("3", "3", 0, Status.NOTTRADED),
        ("3", "3", 1, Status.PARTTRADED),
        ("1", "3", 1, Status.PARTTRADED),
        ("1", "3", 2, Status.ALLTRADED),
        ("0", "3", 2, Status.ALLTRADED),
        ("5", "3", 0, Status.CANCELLED),
        ("5", "3", 1, Status.CANCELLED),
        ("5", "4", 0, Status.REJECTED),
    ],
)
def test_the_state_follows_order_status_and_counted_fills(
    status: str, submit: str, traded: int, shown: Status
) -> None:
    assert fields.status_of(order(status=status, OrderSubmitStatus=submit), traded, None) is shown


def test_an_exchange_reject_keeps_the_exchanges_text() -> None:
    row = order(status="5", OrderSubmitStatus="4", StatusMsg="价格跌破跌停板")
    shown = fields.order_of(row, gateway_name="sim", traded=0)
    assert (shown.status, shown.error_code, shown.error_message) == (
        Status.REJECTED,
        "EXCHANGE_REJECT",
        "价格跌破跌停板",
    )


def test_a_counters_refusal_shows_its_id_and_text() -> None:
    shown = fields.order_of(
        order(), gateway_name="sim", traded=0, refusal=fields.refusal_of(31, "CTP:资金不足")
    )
    assert (shown.status, shown.error_code, shown.error_message) == (
        Status.REJECTED,
        "CTP_31",
        "CTP:资金不足",
    )


def test_a_refusal_without_text_gets_ours_and_an_unknown_id_is_named() -> None:
    assert fields.refusal_of(31, "") == Refusal("CTP_31", "资金不足")
    assert "9876" in fields.refusal_of(9876, " ").message


def test_both_sides_of_a_self_trade_stay_apart_in_ctpbees_table() -> None:
    bought = fields.trade_of(trade(Direction="0"), order_id="1_7_1", gateway_name="sim")
    sold = fields.trade_of(trade(Direction="1"), order_id="1_7_2", gateway_name="sim")
    assert bought.tradeid == sold.tradeid == "t1"
    assert bought.local_trade_id != sold.local_trade_id


def test_times_of_orders_and_trades_are_ctpbees_and_stand_there_with_date_and_fraction_too() -> None:
    ours = fields.order_of(order(), gateway_name="sim", traded=0)
    assert (ours.time, rows.row_of(ours)["datetime"]) == ("09:30:01", "2025-06-09 09:30:01.000")
    theirs = fields.trade_of(trade(), order_id="1_7_1", gateway_name="sim")
    assert (theirs.time, rows.row_of(theirs)["datetime"]) == ("09:30:02", "2025-06-09 09:30:02.000")


def test_a_contract_has_ctpbees_names_and_ctps() -> None:
    contract = fields.contract_of(instrument("si2509", "GFEX"), "sim")
    assert (contract.local_symbol, contract.exchange, contract.size, contract.pricetick) == (
        "si2509.GFEX",
        Exchange.GFEX,
        10,
        1.0,
    )
    assert (contract.ProductID, contract.UpperLimitPrice, str(contract.expire_date)) == (
        "si",
        3300.0,
        "2025-10-15",
    )


def test_the_split_of_today_is_read_from_the_position_date_type() -> None:
    assert terms_of(instrument(PositionDateType="1")).splits_today
    assert not terms_of(instrument(PositionDateType="2")).splits_today


@pytest.mark.parametrize(
    ("exchange", "action_day"),
    [("SHFE", "20250606"), ("DCE", "20250609"), ("CZCE", "20250606")],
)
def test_a_friday_night_tick_has_fridays_date_and_mondays_trading_day(exchange: str, action_day: str) -> None:
    row = depth(
        "m2509",
        exchange,
        ActionDay=action_day,
        TradingDay=action_day,
        UpdateTime="21:00:00",
        UpdateMillisec=500,
    )
    now = datetime(2025, 6, 6, 21, 0, 0, tzinfo=SHANGHAI)
    tick = fields.tick_of(
        row, name="x", exchange=Exchange[exchange], trading_day="20250609", now=now, gateway_name="sim"
    )
    assert tick.datetime == datetime(2025, 6, 6, 21, 0, 0, 500_000, SHANGHAI)
    assert tick.trading_day == "20250609"


def test_a_stale_night_tick_of_dce_is_dated_by_the_calendar() -> None:
    row = depth("m2509", "DCE", ActionDay="20250609", UpdateTime="22:59:59", UpdateMillisec=0)
    sunday = datetime(2025, 6, 8, 12, 0, tzinfo=SHANGHAI)
    assert fields.tick_time(row, "20250609", sunday) == datetime(2025, 6, 6, 22, 59, 59, tzinfo=SHANGHAI)


def test_where_sessions_run_all_day_a_dce_stamp_of_the_small_hours_is_true() -> None:
    row = depth("m2509", "DCE", ActionDay="20250609", UpdateTime="01:00:00", UpdateMillisec=0)
    monday = datetime(2025, 6, 9, 1, 0, tzinfo=SHANGHAI)
    assert fields.tick_time(row, "20250609", monday) == monday


@pytest.mark.parametrize(
    ("exchange", "trading_day", "clock", "is_of_day"),
    [
        ("SHFE", "20250609", "21:00:00", True),
        ("SHFE", "20250606", "15:00:00", False),  # a front's first answer before anything has happened today
        ("CZCE", "20250606", "21:00:00", True),  # its night has the natural date
        ("CZCE", "20250606", "14:59:59", False),
        ("CZCE", "20250607", "00:30:00", True),
        ("CZCE", "20250609", "09:00:00", True),
        ("CZCE", "20250605", "21:30:00", False),
        ("DCE", "", "09:00:00", True),  # not told
    ],
)
def test_a_snapshot_of_the_day_before_is_known_by_its_trading_day_or_czces_natural_date(
    exchange: str, trading_day: str, clock: str, is_of_day: bool
) -> None:
    row = depth("m2509", exchange, TradingDay=trading_day, UpdateTime=clock)
    assert fields.day_of(row, "20250609") == ("20250609" if is_of_day else trading_day)


@pytest.mark.parametrize("absent", [1.7976931348623157e308, float("nan"), float("inf")])
def test_an_absent_price_becomes_zero(absent: float) -> None:
    tick = fields.tick_of(
        depth(AskPrice1=absent, SettlementPrice=absent),
        name="x",
        exchange=Exchange.SHFE,
        trading_day=DAY,
        now=NOW,
        gateway_name="sim",
    )
    assert (tick.ask_price_1, tick.settlement_price, tick.bid_price_1) == (0.0, 0.0, 3009.0)
