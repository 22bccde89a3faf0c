import logging
import random
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from itertools import permutations
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from app.lib.book import Book, Closable, Fees, Fill, Lot, Terms, WorkingOrder

DAY, NEXT_DAY = "20250606", "20250609"
FREE = Fees(0, 0, 0, 0, 0, 0)


def terms_of(symbol, exchange, product, multiplier, tick, ratio, splits_today, max_side, fees):
    return Terms(symbol, exchange, product, multiplier, tick, ratio, ratio, splits_today, max_side, fees)


CONTRACTS = {
    terms.symbol: terms
    for terms in (
        # today apart, larger side, fee by money
        terms_of("rb2510", "SHFE", "rb", 10, 1, 0.08, True, True, Fees(0.0001, 0, 0.0001, 0, 0.00012, 0)),
        terms_of("rb2601", "SHFE", "rb", 10, 1, 0.1, True, True, Fees(0.0001, 0, 0.0001, 0, 0.00012, 0)),
        # one bucket, closing today is cheaper
        terms_of("c2509", "DCE", "c", 10, 1, 0.07, False, False, Fees(0, 1.2, 0, 1.2, 0, 0.6)),
        # one bucket, closing today is dearer, larger side, tick of 0.2
        terms_of(
            "IF2506", "CFFEX", "IF", 300, 0.2, 0.12, False, True, Fees(0.000023, 0, 0.000023, 0, 0.00023, 0)
        ),
        terms_of("ec2508", "INE", "ec", 50, 0.1, 0.2, True, False, FREE),
        terms_of("MA509", "CZCE", "MA", 10, 1, 0.1, False, False, FREE),
    )
}


def terms(symbol):
    return CONTRACTS[symbol]


def book(pre_balance=1_000_000, lots=(), **money):
    return Book(terms, DAY, pre_balance, lots, **money)


_DEFAULT_PRICE = {
    "rb2510": 3000.0,
    "rb2601": 3100.0,
    "c2509": 2300.0,
    "IF2506": 3900.0,
    "ec2508": 2000.0,
    "MA509": 2200.0,
}


def fill(trade_id, side, offset, volume, price=None, symbol="rb2510", order_id="", day=DAY):
    price = _DEFAULT_PRICE[symbol] if price is None else price
    return Fill(
        day,
        CONTRACTS[symbol].exchange,
        str(trade_id),
        side,
        order_id,
        symbol,
        offset,
        price,
        volume,
        "09:30:00",
    )


def lot(
    volume, open_price, base_price, symbol="rb2510", direction="long", open_date="20250604", trade_id="1"
):
    return Lot(symbol, direction, open_date, trade_id, volume, open_price, base_price)


def filled(*fills, lots=(), pre_balance=1_000_000):
    made = book(pre_balance, lots)
    for one in fills:
        assert made.apply_fill(one)
    return made


def yuan(text):
    return Decimal(text)


# ── fills make lots ──


def test_an_empty_book_has_the_money_of_the_day_before():
    made = book("1000000.00", deposit=500, withdraw="20.5")
    money = made.money()
    assert money.balance == money.available == yuan("1000479.50")
    assert made.positions() == made.open_lots() == made.fills() == []
    assert made.position("rb2510", "long") is None
    assert made.closable("rb2510", "long") == Closable(0, 0)


def test_an_open_makes_a_position_of_today():
    made = filled(fill(1, "buy", "open", 3, 3000))
    position = made.position("rb2510", "long")
    assert (position.exchange, position.volume, position.today_volume, position.yd_volume) == (
        "SHFE",
        3,
        3,
        0,
    )
    assert (position.frozen, position.available, position.price, position.open_price) == (0, 3, 3000, 3000)
    assert made.open_lots() == [Lot("rb2510", "long", DAY, "1", 3, 3000.0, 3000.0)]
    money = made.money()
    assert money.margin == yuan("7200.00") == yuan(position.margin)  # 3000 × 10 × 3 × 8 %
    assert money.commission == yuan("9.00")
    assert money.balance == yuan("999991.00")
    assert money.available == yuan("992791.00")


def test_history_counts_from_the_last_settlement_and_by_trade_from_the_open():
    made = book(lots=[lot(2, open_price=2900, base_price=2950)])
    assert made.position("rb2510", "long").position_profit == 0  # no price yet: at its base
    made.set_price("rb2510", 3000)
    position = made.position("rb2510", "long")
    assert (position.price, position.open_price) == (2950, 2900)
    assert (position.position_profit, position.float_pnl) == (1000, 2000)
    assert made.money().position_profit == 1000
    assert made.money().margin == yuan("4720.00")  # the base's, whatever the last price


def test_margin_by_the_lot_is_added_to_the_one_by_money():
    lotted = CONTRACTS["rb2510"]._replace(long_margin_per_lot=500.0, short_margin_per_lot=700.0)
    made = Book(lambda symbol: lotted, DAY, 1_000_000, [lot(2, 2900, 2950)])
    assert made.money().margin == yuan("5720.00")  # 2950 × 10 × 2 × 8 % and 2 × 500
    assert made.margin_of("rb2510", "sell", 3000, 3) == yuan("9300.00")


def test_a_short_position_gains_when_the_price_falls():
    made = filled(fill(1, "sell", "open", 2, 3000))
    made.set_price("rb2510", 2990)
    assert made.position("rb2510", "short").position_profit == 200
    made.apply_fill(fill(2, "buy", "closetoday", 2, 2985))
    assert made.money().close_profit == 300
    assert made.positions() == []


def test_both_sides_may_be_held_and_a_trade_with_oneself_is_two_fills():
    made = filled(fill(7, "buy", "open", 1), fill(7, "sell", "open", 1))
    assert [(position.direction, position.volume) for position in made.positions()] == [
        ("long", 1),
        ("short", 1),
    ]


def test_the_same_trade_id_on_another_exchange_is_another_fill():
    made = filled(fill(7, "buy", "open", 1), fill(7, "buy", "open", 1, symbol="c2509"))
    assert len(made.positions()) == 2


@pytest.mark.parametrize("offset", ["close", "closeyesterday"])
def test_where_today_is_apart_a_close_takes_history_and_only_history(offset):
    made = filled(fill(5, "buy", "open", 3), lots=[lot(2, 2900, 2950)])
    assert made.closable("rb2510", "long") == Closable(today=3, yesterday=2)
    made.apply_fill(fill(6, "sell", offset, 2))
    position = made.position("rb2510", "long")
    assert (position.yd_volume, position.today_volume) == (0, 3)
    assert made.money().close_profit == 1000  # against the settlement, not the open


def test_where_today_is_apart_close_today_takes_todays():
    made = filled(
        fill(5, "buy", "open", 3, 3000), fill(6, "sell", "closetoday", 2, 3010), lots=[lot(2, 2900, 2950)]
    )
    position = made.position("rb2510", "long")
    assert (position.yd_volume, position.today_volume) == (2, 1)
    assert made.money().close_profit == 200


def test_a_forced_close_takes_what_there_is_history_first_whatever_the_exchange_splits():
    made = filled(fill(5, "buy", "open", 3, 3000), lots=[lot(2, 2900, 2950)])
    made.apply_order(WorkingOrder("0_0_1", "rb2510", "sell", "forced", 3000, 3, 3))
    assert made.closable("rb2510", "long") == Closable(today=2, yesterday=0)
    assert made.money().frozen_commission == yuan(
        "10.80"
    )  # by the dearer fee: which lots it takes shows at the fill
    made.apply_fill(fill(6, "sell", "forced", 3, 3010, order_id="0_0_1"))
    assert [(left.open_date, left.volume) for left in made.open_lots()] == [(DAY, 2)]
    assert made.money().commission == yuan("9.00") + yuan("6.02") + yuan("3.61")
    made.apply_fill(fill(7, "sell", "forced", 2, 3010))
    assert made.positions() == []
    assert made.closable("rb2510", "long") == Closable(0, 0)


@pytest.mark.parametrize("offset", ["close", "closetoday", "closeyesterday"])
def test_elsewhere_every_close_takes_the_oldest_lots_first(offset):
    lots = [
        lot(1, 2200, 2250, "MA509", open_date="20250605", trade_id="3"),
        lot(1, 2100, 2240, "MA509", open_date="20250604", trade_id="8"),
    ]
    made = filled(
        fill(5, "buy", "open", 2, 2260, "MA509"), fill(6, "sell", offset, 3, 2300, "MA509"), lots=lots
    )
    assert made.open_lots() == [Lot("MA509", "long", DAY, "5", 1, 2260.0, 2260.0)]
    assert made.money().close_profit == (60 + 50 + 40) * 10


def test_lots_close_by_open_date_and_then_by_trade_id_as_numbers():
    lots = [
        lot(1, 3010, 3000, trade_id="        10"),
        lot(1, 3009, 3000, trade_id="         9"),
        lot(1, 3000, 3000, open_date="20250603", trade_id="99"),
    ]
    made = book(lots=lots)
    made.apply_fill(fill(6, "sell", "close", 1))
    assert [left.open_price for left in made.open_lots()] == [3009, 3010]
    made.apply_fill(fill(7, "sell", "close", 1))
    assert [left.open_price for left in made.open_lots()] == [3010]


# ── fees ──


def test_where_today_is_apart_the_fee_goes_by_the_bucket():
    made = filled(fill(5, "buy", "open", 2, 3000), lots=[lot(2, 2900, 2950)])
    assert made.money().commission == yuan("6.00")
    made.apply_fill(fill(6, "sell", "close", 2, 3000))
    assert made.money().commission == yuan("12.00")
    made.apply_fill(fill(7, "sell", "closetoday", 2, 3000))
    assert made.money().commission == yuan("19.20")


def test_where_closing_today_is_cheaper_todays_lots_count_first_for_the_fee():
    made = filled(fill(5, "buy", "open", 2, symbol="c2509"), lots=[lot(3, 2300, 2300, "c2509")])
    opened = made.money().commission
    made.apply_fill(fill(6, "sell", "close", 1, symbol="c2509"))
    assert made.money().commission - opened == yuan("0.60")
    assert made.position("c2509", "long").yd_volume == 2  # the lot that went is the oldest all the same
    made.apply_fill(fill(7, "sell", "close", 4, symbol="c2509"))
    assert made.money().commission - opened == yuan("0.60") + yuan("0.60") + 3 * yuan(
        "1.20"
    )  # one of today's was left to charge


def test_where_closing_today_is_dearer_history_counts_first_for_the_fee():
    made = filled(fill(5, "buy", "open", 1, 4000, "IF2506"), lots=[lot(1, 4000, 4000, "IF2506")])
    opened = made.money().commission
    assert opened == yuan("27.60")
    made.apply_fill(fill(6, "sell", "close", 1, 4000, "IF2506"))
    assert made.money().commission - opened == yuan("27.60")
    made.apply_fill(fill(7, "sell", "close", 1, 4000, "IF2506"))
    assert made.money().commission - opened == yuan("303.60")


def test_the_fee_of_each_fill_is_rounded_half_up_to_the_cent():
    made = book()
    for number in range(1, 4):
        made.apply_fill(fill(number, "buy", "open", 1, 3005))
    assert made.money().commission == 3 * yuan("3.01")  # 3.005 each
    assert book().fee_of("rb2510", "open", 3005, 1) == yuan("3.01")


# ── margin ──


def test_of_a_product_under_the_max_side_rule_only_the_larger_side_counts_over_all_its_contracts():
    made = filled(
        fill(1, "buy", "open", 2, 3000, "rb2510"),  # long 4800
        fill(2, "sell", "open", 1, 3000, "rb2510"),  # short 2400
        fill(3, "sell", "open", 1, 3100, "rb2601"),  # short 3100 more
    )
    assert made.money().margin == yuan("5500.00")
    assert sum(position.margin for position in made.positions()) == 4800 + 5500


def test_elsewhere_both_sides_count():
    made = filled(
        fill(1, "buy", "open", 1, 2000, "ec2508"),
        fill(2, "sell", "open", 1, 2000, "ec2508"),
        fill(3, "buy", "open", 1, 2200, "MA509"),
        fill(4, "sell", "open", 1, 2200, "MA509"),
    )
    assert made.money().margin == 2 * 20_000 + 2 * 2200


# ── working orders ──


def test_an_open_freezes_margin_and_commission_by_its_limit_price_until_it_is_filled_or_gone():
    made = book()
    order = WorkingOrder("1_1_1", "rb2510", "buy", "open", 3000, 5, 5)
    made.apply_order(order)
    money = made.money()
    assert (money.frozen_margin, money.frozen_commission) == (yuan("12000.00"), yuan("15.00"))
    assert money.available == money.balance - yuan("12015.00")
    assert money.frozen_margin == made.margin_of("rb2510", "buy", 3000, 5)
    made.apply_fill(fill(1, "buy", "open", 2, 2990, order_id="1_1_1"))
    assert made.money().frozen_margin == yuan("7200.00")
    made.apply_order(replace(order, remaining=3))
    assert made.money().frozen_margin == yuan("7200.00")
    assert made.money().margin == yuan("4784.00")
    made.apply_order(replace(order, remaining=0))
    assert made.money().frozen_margin == made.money().frozen_commission == 0


def test_a_fill_unfreezes_once_whether_its_orders_row_comes_before_or_after():
    order = WorkingOrder("1_1_1", "rb2510", "sell", "closetoday", 3000, 5, 5)
    trade = fill(2, "sell", "closetoday", 2, order_id="1_1_1")
    seen = []
    for row_first in (False, True):
        made = filled(fill(1, "buy", "open", 5))
        made.apply_order(order)
        steps = [
            lambda made=made: made.apply_fill(trade),
            lambda made=made: made.apply_order(replace(order, remaining=3)),
        ]
        for step in reversed(steps) if row_first else steps:
            step()
            assert made.position("rb2510", "long").frozen <= made.position("rb2510", "long").volume
        seen.append((made.positions(), made.money(), made.closable("rb2510", "long")))
    assert seen[0] == seen[1]
    assert seen[0][2] == Closable(today=0, yesterday=0)


def test_an_order_more_is_counted_by_itself_however_many_stand():
    asked = []
    made = Book(lambda symbol: asked.append(symbol) or CONTRACTS[symbol], DAY, 1_000_000)
    orders = [WorkingOrder(f"1_1_{n}", "rb2510", "buy", "open", 2000.0 + n, 1, 1) for n in range(50)]
    for order in orders:
        made.apply_order(order)
    made.money()
    asked.clear()
    more = WorkingOrder("1_1_50", "rb2510", "buy", "open", 2050.0, 2, 2)
    made.apply_order(more)
    made.apply_order(replace(orders[7], remaining=0))
    money = made.money()
    assert len(asked) < 5
    at_once = book()
    for order in [*orders[:7], *orders[8:], more]:
        at_once.apply_order(order)
    assert money == at_once.money()


def test_an_older_row_that_comes_late_freezes_nothing_again():
    made = book()
    order = WorkingOrder("1_1_1", "rb2510", "buy", "open", 3000, 5, 5)
    for remaining in (5, 0, 5, 3):
        made.apply_order(replace(order, remaining=remaining))
    assert made.money() == book().money()


def test_an_order_that_was_none_frees_all_and_freezes_again_when_it_turns_up():
    made = book()
    order = WorkingOrder("1_1_1", "rb2510", "buy", "open", 3000, 5, 5)
    made.apply_order(order)
    made.forget_order("1_1_1")
    assert made.money() == book().money()
    made.apply_order(order)
    assert made.money().frozen_margin == yuan("12000.00")


def test_a_close_freezes_volume_in_its_bucket_and_commission_but_no_margin():
    made = filled(fill(1, "buy", "open", 3), lots=[lot(4, 2900, 2950)])
    made.apply_order(WorkingOrder("1_1_1", "rb2510", "sell", "close", 3000, 1))
    made.apply_order(WorkingOrder("1_1_2", "rb2510", "sell", "closetoday", 3000, 2))
    assert made.closable("rb2510", "long") == Closable(today=1, yesterday=3)
    position = made.position("rb2510", "long")
    assert (position.frozen, position.available) == (3, 4)
    money = made.money()
    assert (money.frozen_margin, money.frozen_commission) == (0, yuan("10.20"))
    assert made.closable("rb2510", "short") == Closable(0, 0)


def test_what_could_be_closed_without_some_of_the_orders_can_be_asked():
    made = filled(fill(1, "buy", "open", 3), lots=[lot(4, 2900, 2950)])
    made.apply_order(WorkingOrder("1_1_1", "rb2510", "sell", "close", 3000, 1))
    made.apply_order(WorkingOrder("1_1_2", "rb2510", "sell", "closetoday", 3000, 3, 3))
    made.apply_order(WorkingOrder("1_1_3", "rb2510", "buy", "open", 3000, 1))
    made.apply_fill(fill(2, "sell", "closetoday", 1, order_id="1_1_2"))
    assert made.closable("rb2510", "long") == Closable(today=0, yesterday=3)
    assert made.closable("rb2510", "long", apart_from=["1_1_2", "1_1_3", "9_9_9"]) == Closable(
        today=2, yesterday=3
    )
    assert made.closable("rb2510", "long") == Closable(today=0, yesterday=3)


def test_elsewhere_a_close_freezes_the_total_and_the_dearer_fee():
    made = filled(fill(1, "buy", "open", 3, symbol="IF2506"), lots=[lot(1, 3800, 3900, "IF2506")])
    made.apply_order(WorkingOrder("1_1_1", "IF2506", "sell", "closetoday", 4000, 2))
    assert made.closable("IF2506", "long") == Closable(today=2, yesterday=0)  # closes take history first
    assert made.position("IF2506", "long").frozen == 2
    assert made.money().frozen_commission == yuan("552.00")


def test_more_working_closes_than_position_freeze_the_position_and_no_more():
    made = filled(fill(1, "buy", "open", 2))
    made.apply_order(WorkingOrder("1_1_1", "rb2510", "sell", "closetoday", 3000, 5))
    assert made.closable("rb2510", "long") == Closable(0, 0)
    assert made.position("rb2510", "long").frozen == 2


# ── what should not be ──


def test_the_same_fill_twice_counts_once():
    made = filled(fill(1, "buy", "open", 2))
    before = made.money(), made.positions()
    assert not made.apply_fill(fill(1, "buy", "open", 2))
    assert not made.apply_fill(fill("    1 ", "buy", "open", 2))  # the blanks are the exchange's padding
    assert (made.money(), made.positions()) == before
    assert made.fills() == [fill(1, "buy", "open", 2)]


@pytest.mark.parametrize("symbol", ["rb2510", "c2509", "IF2506"])
def test_a_close_before_its_open_waits_and_counts_when_the_open_is_there(symbol, caplog):
    early = [fill(2, "sell", "closetoday", 3, symbol=symbol), fill(1, "buy", "open", 5, symbol=symbol)]
    made = book()
    with caplog.at_level(logging.WARNING):
        assert made.apply_fill(early[0])
        assert made.positions() == []
    assert "wait for their open" in caplog.text
    assert made.money() == book().money()
    assert made.apply_fill(early[1])
    in_time = filled(*reversed(early))
    assert (made.money(), made.positions(), made.open_lots()) == (
        in_time.money(),
        in_time.positions(),
        in_time.open_lots(),
    )
    assert made.position(symbol, "long").volume == 2


def test_a_close_of_more_than_is_there_closes_what_there_is_and_never_goes_below_zero(caplog):
    made = filled(fill(1, "buy", "open", 2, 3000))
    with caplog.at_level(logging.WARNING):
        made.apply_fill(fill(2, "sell", "closetoday", 5, 3010))
        assert made.positions() == []
    assert "3 lots more" in caplog.text
    assert made.money().close_profit == 200
    made.apply_fill(fill(3, "buy", "open", 1, 3005))
    assert made.positions() == []
    assert made.money().close_profit == 250
    with caplog.at_level(logging.ERROR):
        settled = made.settle({}, NEXT_DAY)
    assert "2 lots never found their open" in caplog.text
    assert settled.open_lots() == []
    assert settled.money().balance == made.money().balance


def test_a_fill_of_another_day_is_not_counted(caplog):
    made = book()
    with caplog.at_level(logging.WARNING):
        assert not made.apply_fill(fill(1, "buy", "open", 1, day="20250605"))
    assert "is not counted" in caplog.text
    assert made.money() == book().money()
    assert made.fills() == []


def test_an_unknown_contract_comes_through_and_leaves_the_book_as_it_was():
    made = book()
    unknown = replace(fill(1, "buy", "open", 1), symbol="xx2501")
    with pytest.raises(KeyError):
        made.apply_fill(unknown)
    with pytest.raises(KeyError):
        made.apply_order(WorkingOrder("1_1_1", "xx2501", "buy", "open", 1, 1))
    assert made.money() == book().money()
    assert made.fills() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"side": "long"},
        {"offset": "forceclose"},
        {"volume": 0},
        {"volume": -1},
        {"price": float("nan")},
        {"price": float("inf")},
    ],
)
def test_what_is_no_fill_is_refused(wrong):
    with pytest.raises(ValueError, match="not a fill"):
        book().apply_fill(replace(fill(1, "buy", "open", 1), **wrong))


@pytest.mark.parametrize("price", [0, float("nan"), float("inf"), 1.7976931348623157e308, -1])
def test_a_price_that_is_none_changes_nothing(price):
    made = filled(fill(1, "buy", "open", 1, 3000))
    made.set_price("rb2510", price, 2990)
    assert made.money().position_profit == -100  # the last settlement until there is a price
    made.set_price("rb2510", 3010)
    made.set_price("rb2510", price, 2990)
    assert made.money().position_profit == 100


# ── settlement ──


def test_settlement_turns_profit_into_balance_and_today_into_history():
    made = filled(fill(1, "buy", "open", 2, 12700, "rb2510"), lots=[lot(1, 12500, 12600)])
    made.apply_order(WorkingOrder("1_1_1", "rb2510", "buy", "open", 12000, 5))
    made.set_price("rb2510", 12620)
    settled = made.settle({"rb2510": 12750}, NEXT_DAY)  # the settlement price is not the close
    assert settled.trading_day == NEXT_DAY
    money = settled.money()
    assert money.pre_balance == money.balance == 1_000_000 + 2 * 10 * 50 + 150 * 10 - yuan("25.40")
    assert money.commission == money.close_profit == money.position_profit == money.frozen_margin == 0
    assert settled.open_lots() == [
        Lot("rb2510", "long", "20250604", "1", 1, 12500, 12750),
        Lot("rb2510", "long", DAY, "1", 2, 12700, 12750),
    ]
    assert settled.position("rb2510", "long").yd_volume == 3
    assert settled.fills() == []
    assert made.money().position_profit == 20 * 10 - 80 * 20  # the old book stays as it was
    assert made.trading_day == DAY


def test_without_a_settlement_price_the_last_one_counts_and_without_any_the_base():
    made = book(lots=[lot(1, 3000, 3000), lot(1, 2300, 2300, "c2509")])
    made.set_price("rb2510", 3010)
    settled = made.settle({"rb2510": 0}, NEXT_DAY)
    assert settled.money().pre_balance == 1_000_100
    assert [left.base_price for left in settled.open_lots()] == [2300, 3010]


# ── under random trading ──

CENT = Decimal("0.01")
SYMBOLS = ("rb2510", "rb2601", "c2509", "IF2506")


def price_at(symbol, ticks):
    return float(Decimal(str(_DEFAULT_PRICE[symbol])) + ticks * Decimal(str(CONTRACTS[symbol].price_tick)))


class Step(NamedTuple):
    """What a trader or the market does next; numbers are taken modulo what is possible."""

    kind: str  # open close fill cancel price
    symbol: str
    side: str
    offset: str
    ticks: int
    volume: int


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from(["open", "open", "close", "close", "fill", "fill", "fill", "cancel", "price"]),
        st.sampled_from(SYMBOLS),
        st.sampled_from(["buy", "sell"]),
        st.sampled_from(["close", "closetoday", "closeyesterday"]),
        st.integers(-50, 50),
        st.integers(1, 9),
    ),
    max_size=30,
)


class Trading:
    """Drives a book as a counter does: closes within what is closable, fills within what works. Remembers all
    that it said.
    """

    def __init__(self, start):
        self.book = start
        self.said = []  # (method, argument) in order
        self.working = {}
        self.prices = {}
        self.sent = 0
        self.traded = 0

    def say(self, method, argument):
        self.said.append((method, argument))
        return getattr(self.book, method)(argument)

    def do(self, step):
        if step.kind == "price":
            self.prices[step.symbol] = price_at(step.symbol, step.ticks)
            self.book.set_price(step.symbol, self.prices[step.symbol])
        elif step.kind == "open":
            self.order(step.symbol, step.side, "open", step.ticks, step.volume)
        elif step.kind == "close":
            closable = self.book.closable(step.symbol, "long" if step.side == "sell" else "short")
            room = sum(closable)
            if CONTRACTS[step.symbol].splits_today:
                room = closable.today if step.offset == "closetoday" else closable.yesterday
            if room:
                self.order(step.symbol, step.side, step.offset, step.ticks, 1 + step.volume % room)
        elif self.working:
            order = list(self.working.values())[step.ticks % len(self.working)]
            if step.kind == "cancel":
                self.update(replace(order, remaining=0))
            else:
                self.fill(order, 1 + step.volume % order.remaining)

    def order(self, symbol, side, offset, ticks, volume):
        self.sent += 1
        self.update(
            WorkingOrder(f"1_1_{self.sent}", symbol, side, offset, price_at(symbol, ticks), volume, volume)
        )

    def update(self, order):
        self.say("apply_order", order)
        self.working.pop(order.order_id, None)
        if order.remaining:
            self.working[order.order_id] = order

    def fill(self, order, volume):
        self.traded += 1
        one = fill(
            self.traded,
            order.side,
            order.offset,
            volume,
            order.price,
            order.symbol,
            order.order_id,
            self.book.trading_day,
        )
        assert self.say("apply_fill", one)
        self.update(replace(order, remaining=order.remaining - volume))

    def close_all(self):
        for order in list(self.working.values()):
            self.update(replace(order, remaining=0))
        for position in self.book.positions():
            side = "sell" if position.direction == "long" else "buy"
            for offset, volume in (
                ("closetoday", position.today_volume),
                ("closeyesterday", position.yd_volume),
            ):
                if volume:
                    self.order(position.symbol, side, offset, 0, volume)
                    self.fill(self.working[f"1_1_{self.sent}"], volume)

    def settle(self, next_day):
        """Settle at the last prices, then hear them again on the new day."""
        self.book = self.book.settle(self.prices, next_day)
        self.said, self.working = [], {}
        for symbol, price in self.prices.items():
            self.book.set_price(symbol, price)


def worth(fills, prices):
    """Profit by trade of a life of fills, from cash alone and so without any pairing of lots: what came in
    less what went out, and what is left at its price.
    """
    cash, left = Decimal(0), defaultdict(int)
    for one in fills:
        amount = Decimal(str(one.price)) * one.volume * CONTRACTS[one.symbol].multiplier
        cash += amount if one.side == "sell" else -amount
        left[one.symbol] += one.volume if one.side == "buy" else -one.volume
    for symbol, volume in left.items():
        if volume:
            cash += volume * CONTRACTS[symbol].multiplier * Decimal(str(prices[symbol]))
    return cash


def margin_from(lots):
    """Margin recomputed from the lots alone."""
    sides = defaultdict(lambda: {"long": Decimal(0), "short": Decimal(0)})
    for one in lots:
        contract = CONTRACTS[one.symbol]
        exact = (
            Decimal(str(one.base_price))
            * contract.multiplier
            * one.volume
            * Decimal(str(contract.long_margin_ratio))
        )
        sides[contract.product][one.direction] += exact.quantize(CENT, ROUND_HALF_UP)
    larger = {contract.product for contract in CONTRACTS.values() if contract.max_side}
    return sum(
        (max(both.values()) if product in larger else sum(both.values()) for product, both in sides.items()),
        Decimal(0),
    )


def check_invariants(made):
    money, positions = made.money(), made.positions()
    assert money.balance == (
        money.pre_balance
        + money.deposit
        - money.withdraw
        + money.close_profit
        + money.position_profit
        - money.commission
    )
    assert money.available == money.balance - money.margin - money.frozen_margin - money.frozen_commission
    assert all(
        amount >= 0
        for amount in (money.margin, money.frozen_margin, money.frozen_commission, money.commission)
    )
    assert all(amount == amount.quantize(CENT) for amount in astuple(money))
    assert money.margin == margin_from(made.open_lots())
    assert money.position_profit == sum(
        (Decimal(str(position.position_profit)) for position in positions), Decimal(0)
    )
    for position in positions:
        assert 0 <= position.frozen <= position.volume == position.yd_volume + position.today_volume
        assert (
            position.available
            == position.volume - position.frozen
            == sum(made.closable(position.symbol, position.direction))
        )
        lots = [
            one
            for one in made.open_lots()
            if (one.symbol, one.direction) == (position.symbol, position.direction)
        ]
        assert sum(one.volume for one in lots) == position.volume
        assert all(one.volume > 0 for one in lots)


START = [
    lot(3, 2950, 2990, "rb2510", trade_id="5"),
    lot(2, 2940, 2990, "rb2510", open_date="20250605", trade_id="2"),
    lot(2, 3150, 3110, "rb2601", "short"),
    lot(4, 2310, 2290, "c2509"),
    lot(1, 3870.2, 3890.4, "IF2506", "short"),
]


@settings(max_examples=150, deadline=None)
@given(steps)
def test_money_margin_and_frozen_volume_add_up_after_every_step(script):
    trading = Trading(book(lots=START))
    check_invariants(trading.book)
    for step in script:
        trading.do(step)
        check_invariants(trading.book)


@settings(max_examples=150, deadline=None)
@given(steps, st.randoms(use_true_random=False))
def test_the_same_events_twice_or_in_any_order_make_the_same_book(script, chance: random.Random):
    trading = Trading(book(lots=START))
    for step in script:
        trading.do(step)
    events = trading.said + chance.choices(trading.said, k=len(trading.said)) if trading.said else []
    chance.shuffle(events)
    again = Book(terms, DAY, 1_000_000, chance.sample(START, len(START)))
    for symbol, price in trading.prices.items():
        again.set_price(symbol, price)
    seen = set()
    for method, argument in events:
        changed = getattr(again, method)(argument)
        if method == "apply_fill":
            assert changed == (argument.key not in seen)
            seen.add(argument.key)
    assert again.money() == trading.book.money()
    assert again.positions() == trading.book.positions()
    assert again.open_lots() == trading.book.open_lots()
    by_key = {fill.key: fill for fill in again.fills()}
    assert by_key == {fill.key: fill for fill in trading.book.fills()}
    for symbol in SYMBOLS:
        for direction in ("long", "short"):
            assert again.closable(symbol, direction) == trading.book.closable(symbol, direction)


@settings(max_examples=100, deadline=None)
@given(steps, st.lists(st.integers(0, 40), max_size=3))
def test_terms_that_come_late_make_the_book_that_they_would_have_made_from_the_start(script, moments):
    """Margin and fee rates of an account are told contract by contract, when it holds and trades already."""
    trading = Trading(book(lots=START))
    for step in script:
        trading.do(step)
    free = {
        symbol: contract._replace(long_margin_ratio=0.5, fees=FREE) for symbol, contract in CONTRACTS.items()
    }
    known = dict(free)
    again = Book(known.__getitem__, DAY, 1_000_000, START)
    for symbol, price in trading.prices.items():
        again.set_price(symbol, price)
    for number, (method, argument) in enumerate(trading.said):
        getattr(again, method)(argument)
        if number in moments:  # somebody has looked, and some rates are there
            again.money()
            again.positions()
            known["rb2510"] = CONTRACTS["rb2510"]
            again.renew_terms("rb2510")
    again.money()
    known.update(CONTRACTS)
    for symbol in CONTRACTS:
        again.renew_terms(symbol)
    assert again.money() == trading.book.money()
    assert again.positions() == trading.book.positions()
    assert again.open_lots() == trading.book.open_lots()


@pytest.mark.parametrize("symbol", ["rb2510", "c2509", "IF2506"])
def test_every_order_of_arrival_of_two_round_trips_ends_the_same(symbol):
    fills = [
        fill(8, "buy", "open", 2, symbol=symbol),
        fill(9, "sell", "closetoday", 1, symbol=symbol),
        fill(10, "buy", "open", 1, symbol=symbol),
        fill(11, "sell", "close", 3, symbol=symbol),
    ]
    ends = {
        (made.money(), *made.open_lots())
        for made in (filled(*way, lots=[lot(4, 2900, 2950, symbol)]) for way in permutations(fills))
    }
    assert len(ends) == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, min_size=1, max_size=4))
def test_over_a_life_with_settlements_profit_by_date_is_profit_by_trade(days):
    trading = Trading(book())
    for symbol in SYMBOLS:
        trading.do(Step("price", symbol, "", "", 0, 1))
    life, fees = [], Decimal(0)
    for number, script in enumerate(days):
        for step in script:
            trading.do(step)
        money = trading.book.money()
        life += trading.book.fills()
        fees += money.commission
        assert money.balance == 1_000_000 + worth(life, trading.prices) - fees
        by_trade = sum(
            (Decimal(str(position.float_pnl)) for position in trading.book.positions()), Decimal(0)
        )
        assert by_trade == sum(
            (
                (Decimal(str(trading.prices[one.symbol])) - Decimal(str(one.open_price)))
                * (one.volume if one.direction == "long" else -one.volume)
                * CONTRACTS[one.symbol].multiplier
                for one in trading.book.open_lots()
            ),
            Decimal(0),
        )
        trading.settle(str(int(DAY) + number + 1))
        assert trading.book.money().balance == money.balance
        check_invariants(trading.book)


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, min_size=1, max_size=3))
def test_a_whole_round_trip_returns_what_was_there_less_fees_plus_profit(days):
    trading = Trading(book())
    life, fees = [], Decimal(0)
    for number, script in enumerate(days):
        for step in script:
            trading.do(step)
        if number == len(days) - 1:
            trading.close_all()
            assert trading.book.positions() == []
            money = trading.book.money()
            assert (
                money.margin == money.frozen_margin == money.frozen_commission == money.position_profit == 0
            )
        life += trading.book.fills()
        fees += trading.book.money().commission
        trading.settle(str(int(DAY) + number + 1))
    money = trading.book.money()
    assert money.balance == money.available == 1_000_000 + worth(life, {}) - fees


@settings(max_examples=100, deadline=None)
@given(steps)
def test_settlement_carries_the_money_over_to_the_cent(script):
    trading = Trading(book(lots=START, deposit=1000, pre_balance="999999.99"))
    for step in script:
        trading.do(step)
    for symbol in SYMBOLS:
        trading.do(Step("price", symbol, "", "", 7, 1))
    before = trading.book.money()
    volumes = {
        (position.symbol, position.direction): position.volume for position in trading.book.positions()
    }
    costs = {
        (position.symbol, position.direction): position.open_price for position in trading.book.positions()
    }
    trading.settle(NEXT_DAY)
    after = trading.book.money()
    assert after.pre_balance == after.balance == before.balance
    assert (
        after.position_profit
        == after.close_profit
        == after.commission
        == after.deposit
        == after.frozen_margin
        == 0
    )
    positions = trading.book.positions()
    assert {(position.symbol, position.direction): position.volume for position in positions} == volumes
    assert {(position.symbol, position.direction): position.open_price for position in positions} == costs
    assert all(position.today_volume == position.frozen == 0 for position in positions)
    assert all(position.price == trading.prices[position.symbol] for position in positions)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 9), st.integers(-50, 50)), max_size=20
    )
)
def test_where_all_fees_are_alike_the_commission_is_the_sum_over_the_fills(trades):
    alike = CONTRACTS["rb2510"]._replace(
        splits_today=False, fees=Fees(0.00005, 0.3, 0.00005, 0.3, 0.00005, 0.3)
    )
    made = Book(lambda symbol: alike, DAY, 0)
    expected = Decimal(0)
    for number, (side, volume, ticks) in enumerate(trades):
        held = made.position("rb2510", "short" if side == "buy" else "long")
        offset = "close" if held is not None and held.volume >= volume else "open"
        made.apply_fill(fill(number, side, offset, volume, 3000 + ticks))
        fee = (Decimal(3000 + ticks) * 10 * Decimal("0.00005") + Decimal("0.3")) * volume
        expected += fee.quantize(CENT, ROUND_HALF_UP)
    assert made.money().commission == expected
