"""The ledger: what comes late, twice or in any order changes nothing, and the book follows."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from ctpbee.constant import Direction, OrderData, Status, TradeData
from hypothesis import given
from hypothesis import strategies as st

from app.bee.fields import Refusal, refusal_of
from app.bee.positions import BookPositions
from app.interfaces.ledger import Ledger
from app.lib.lots import cents
from app.lib.prices import exact
from app.wire.frames import OrderField, TradeField
from tests.fakes.front import DAY, account, detail, instrument, order, position, trade

ID = "1_7_1"


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.begin_day(DAY)
    ledger.set_contracts([instrument(), instrument("m2509", "DCE")])
    ledger.rebuild(account(), [], [], [])
    ledger.own(ID, "mine")
    return ledger


def statuses(changes: list[Any]) -> list[Status]:
    return [change.status for change in changes if isinstance(change, OrderData)]


# ── orders ──


def test_an_order_goes_from_submitted_to_filled_and_every_step_is_told_once(ledger: Ledger) -> None:
    told = []
    for step in (
        lambda: ledger.submit(order()),
        lambda: ledger.apply_order(order()),
        lambda: ledger.apply_order(order(status="3")),
        lambda: ledger.apply_trade(trade("t1")),
        lambda: ledger.apply_order(order(status="1", VolumeTraded=1)),
        lambda: ledger.apply_trade(trade("t2")),
        lambda: ledger.apply_order(order(status="0", VolumeTraded=2)),
    ):
        told += statuses(step())
    assert told == [Status.SUBMITTING, Status.NOTTRADED, Status.PARTTRADED, Status.ALLTRADED]
    shown = ledger.orders[ID]
    assert (shown.traded, shown.client_order_id, shown.trading_day, shown.order_sys_id) == (
        2,
        "mine",
        DAY,
        "1",
    )


def test_a_book_made_anew_freezes_for_the_orders_that_work(ledger: Ledger) -> None:
    ledger.apply_order(order(status="3"))
    frozen = ledger.book.money().frozen_margin
    ledger.rebuild(account(), [], [], [])
    assert ledger.book.money().frozen_margin == frozen > 0
    ledger.apply_trade(trade("t1"))
    assert ledger.book.money().frozen_margin == frozen / 2


def test_a_late_row_changes_nothing(ledger: Ledger) -> None:
    ledger.apply_order(order(status="5"))
    assert ledger.apply_order(order(status="3")) == []
    assert ledger.apply_order(order(status="a")) == []
    assert ledger.orders[ID].status is Status.CANCELLED


def test_a_final_state_is_final(ledger: Ledger) -> None:
    ledger.apply_order(order(status="0", VolumeTraded=2))
    assert ledger.apply_order(order(status="5", VolumeTraded=2)) == []
    assert ledger.orders[ID].status is Status.ALLTRADED


def test_an_unknown_status_is_logged_and_the_state_kept(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.apply_order(order(status="3"))
    assert ledger.apply_order(order(status="4")) == []
    assert ledger.orders[ID].status is Status.NOTTRADED
    assert "'4'" in caplog.text


def test_what_the_row_says_is_filled_is_shown_at_once_and_booked_with_the_trade(ledger: Ledger) -> None:
    ledger.submit(order())
    ledger.apply_order(order(status="1", VolumeTraded=1))
    assert (ledger.orders[ID].traded, ledger.orders[ID].status) == (1, Status.PARTTRADED)
    assert ledger.book.position("rb2510", "long") is None
    (told,) = ledger.apply_trade(trade("t1"))
    assert isinstance(told, TradeData)
    assert ledger.book.position("rb2510", "long").volume == 1


@pytest.mark.parametrize("filled", [0, 1, 2])
def test_a_fak_that_ended_partly_filled_is_never_told_with_less_than_was_filled(
    ledger: Ledger, filled: int
) -> None:
    ledger.submit(order(TimeCondition="1", VolumeTotalOriginal=3))
    row = order(status="5", TimeCondition="1", VolumeTotalOriginal=3, VolumeTraded=filled)
    told = ledger.apply_order(row) + ledger.apply_order(row)
    assert [(change.status, change.traded) for change in told] == [(Status.CANCELLED, filled)]
    for number in range(filled):
        assert [type(change) for change in ledger.apply_trade(trade(f"t{number}"))] == [TradeData]
    assert ledger.orders[ID].traded == filled


def test_the_counters_remark_is_shown_while_it_is_of_the_state_that_is_shown(ledger: Ledger) -> None:
    ledger.apply_order(order(status="3", StatusMsg="未成交"))
    for number, remark in ((1, "部分成交"), (2, "全部成交")):
        ledger.apply_trade(trade(f"t{number}"))  # before its order's row
        assert ledger.orders[ID].status_msg == ledger.orders[ID].status.value == remark
    assert ledger.apply_order(order(status="0", VolumeTraded=2, StatusMsg="全部成交")) == []


def test_a_row_of_another_trading_day_is_ignored(ledger: Ledger) -> None:
    assert ledger.apply_order(order(TradingDay="20250606")) == []
    assert ledger.apply_trade(trade(TradingDay="20250606")) == []
    assert not ledger.orders
    assert not ledger.trades


def test_orders_of_another_session_are_shown_as_not_ours(ledger: Ledger) -> None:
    ledger.apply_order(order(9, status="3", SessionID=55))
    assert ledger.orders["1_55_9"].is_local is False
    assert [shown.order_id for shown in ledger.active_orders()] == ["1_55_9"]


def test_what_was_told_stays_the_same_object_until_there_is_news(ledger: Ledger) -> None:
    (told,) = ledger.apply_order(order(status="3", StatusMsg="未成交"))
    ledger.apply_order(order(status="3", StatusMsg="未成交，等待"))
    assert ledger.orders[ID] is told


# ── refusals ──


def test_a_refusal_that_comes_twice_is_told_once(ledger: Ledger) -> None:
    ledger.submit(order())
    told = ledger.apply_refusal(order(), refusal_of(31, "资金不足")) + ledger.apply_refusal(
        order(), refusal_of(31, "资金不足")
    )
    assert [(shown.status, shown.error_code, shown.error_message) for shown in told] == [
        (Status.REJECTED, "CTP_31", "资金不足")
    ]


def test_a_foreign_sessions_refusal_with_our_order_ref_never_counts(ledger: Ledger) -> None:
    ledger.submit(order())
    assert ledger.apply_refusal(order(SessionID=55), refusal_of(31, "资金不足")) == []
    assert ledger.orders[ID].status is Status.SUBMITTING
    assert list(ledger.orders) == [ID]


def test_a_refusal_never_ends_an_order_that_the_counter_has(ledger: Ledger) -> None:
    ledger.apply_order(order(status="3"))
    assert ledger.apply_refusal(order(), refusal_of(22, "不允许重复报单")) == []
    assert ledger.orders[ID].status is Status.NOTTRADED


def test_an_order_taken_for_lost_that_lives_after_all_is_shown_alive(ledger: Ledger) -> None:
    ledger.submit(order())
    ledger.apply_refusal(order(), Refusal("NEVER_ARRIVED", "未到达"))
    assert statuses(ledger.apply_order(order(status="3"))) == [Status.NOTTRADED]
    assert ledger.orders[ID].error_code == ""


def test_an_order_taken_for_lost_that_lives_after_all_freezes_its_money_again(ledger: Ledger) -> None:
    ledger.submit(order())
    frozen = ledger.money().frozen_margin
    ledger.apply_refusal(order(), Refusal("NEVER_ARRIVED", "未到达"))
    assert ledger.money().frozen_margin == 0
    ledger.apply_order(order(status="3"))
    assert ledger.money().frozen_margin == frozen > 0


# ── trades ──


def test_a_trade_before_its_orders_sysid_waits_for_it(ledger: Ledger) -> None:
    ledger.apply_order(order())
    assert ledger.apply_trade(trade("t1")) == []
    assert ledger.apply_trade(trade("t1")) == []
    changes = ledger.apply_order(order(status="3"))
    assert [type(change) for change in changes] == [OrderData, TradeData, OrderData]
    assert (len(ledger.trades), ledger.orders[ID].traded) == (1, 1)


def test_equal_ids_of_two_exchanges_are_two_orders_and_two_trades(ledger: Ledger) -> None:
    other = {"InstrumentID": "m2509", "ExchangeID": "DCE", "OrderSysID": "           1"}
    ledger.apply_order(order(1, status="3", OrderSysID="           1"))
    ledger.apply_order(order(2, status="3", **other))
    ledger.apply_trade(trade("t1", OrderSysID="           1"))
    ledger.apply_trade(trade("t1", 2, **other))
    assert [(row.order_id, row.symbol) for row in ledger.trades] == [("1_7_1", "rb2510"), ("1_7_2", "m2509")]


def test_both_sides_of_a_self_trade_count(ledger: Ledger) -> None:
    ledger.apply_order(order(1, status="3"))
    ledger.apply_order(order(2, status="3", Direction="1"))
    ledger.apply_trade(trade("t1", 1))
    ledger.apply_trade(trade("t1", 2, Direction="1"))
    assert len(ledger.trades) == 2
    assert {position.direction for position in ledger.book.positions()} == {"long", "short"}


def day_of_rows() -> list[OrderField | TradeField]:
    return [
        order(1),
        order(1, status="3"),
        trade("t1", 1),
        order(1, status="1", VolumeTraded=1),
        trade("t2", 1),
        order(1, status="0", VolumeTraded=2),
        order(2, status="3", Direction="1", CombOffsetFlag="3"),
        trade("t3", 2, Direction="1", OffsetFlag="3", Price=3012.0),
        order(2, status="5", Direction="1", CombOffsetFlag="3", VolumeTraded=1),
    ]


def play(rows: list[OrderField | TradeField]) -> Ledger:
    ledger = Ledger()
    ledger.begin_day(DAY)
    ledger.set_contracts([instrument()])
    ledger.rebuild(account(), [], [], [])
    for row in rows:
        if isinstance(row, OrderField):
            ledger.apply_order(row)
        else:
            ledger.apply_trade(row)
    return ledger


@given(st.randoms(use_true_random=False), st.integers(1, 3))
def test_the_same_rows_in_any_order_and_more_than_once_give_the_same_account(
    chance: random.Random, times: int
) -> None:
    rows = day_of_rows() * times
    chance.shuffle(rows)
    expected, got = play(day_of_rows()), play(rows)
    for order_id in expected.orders:
        one, other = expected.orders[order_id], got.orders[order_id]
        assert (one.status, one.traded) == (other.status, other.traded)
    assert {row.trade_key for row in got.trades} == {row.trade_key for row in expected.trades}
    assert len(got.trades) == 3
    assert got.book.positions() == expected.book.positions()
    assert got.money() == expected.money()
    assert got.active_orders() == []


# ── the counter's core has restarted from its flow: the triples are others ──

LOCAL = {"TraderID": "9999cac", "OrderLocalID": f"{77:>12}"}
ANEW = {"FrontID": 2, "SessionID": 991, "OrderRef": "5"}


@pytest.mark.parametrize("known_by", ["its number at the exchange", "its number at the seat"])
def test_a_row_with_another_triple_is_of_the_order_that_its_lasting_numbers_name(
    ledger: Ledger, known_by: str
) -> None:
    ledger.own(ID, "mine", "双均线")
    ledger.submit(order())
    before = order(status="3") if known_by == "its number at the exchange" else order(status="a", **LOCAL)
    ledger.apply_order(before)
    frozen = ledger.money().frozen_margin
    ledger.apply_order(msgspec.structs.replace(before, **ANEW, OrderStatus="3", OrderSysID=f"{1:>12}"))
    assert list(ledger.orders) == [ID]
    assert ledger.money().frozen_margin == frozen
    told = ledger.apply_order(order(status="1", VolumeTraded=1, **LOCAL | ANEW)) + ledger.apply_trade(
        trade("t1", 1)
    )
    assert {(change.order_id, change.strategy) for change in told} == {(ID, "双均线")}
    row = ledger.order_row(ID)
    assert row is not None
    assert (row.FrontID, row.SessionID, row.OrderRef) == (
        2,
        991,
        "5",
    )
    assert ledger.order_of_triple("2_991_5") == ID
    ledger.apply_order(order(status="5", VolumeTraded=1, **ANEW))
    assert ledger.active_orders() == []
    assert ledger.money().frozen_margin == 0


def test_a_triple_that_another_order_had_before_does_not_make_one_order_of_two(ledger: Ledger) -> None:
    ledger.apply_order(order(1, status="3", **LOCAL))
    other = order(2, status="3", TraderID="9999cac", OrderLocalID=f"{78:>12}")
    ledger.apply_order(other)
    ledger.apply_order(msgspec.structs.replace(other, OrderRef="1"))  # the first one's
    stranger = order(1, status="3", OrderSysID=f"{3:>12}", TraderID="9999cac", OrderLocalID=f"{79:>12}")
    ledger.apply_order(stranger)
    assert list(ledger.orders) == [ID, "1_7_2", "1_7_1-SHFE-79"]
    assert [shown.order_sys_id for shown in ledger.orders.values()] == ["1", "2", "3"]
    assert not ledger.orders["1_7_1-SHFE-79"].is_local
    assert ledger.apply_order(stranger) == []


def test_a_triple_given_to_another_order_does_not_answer_one_of_ours_that_nobody_has_answered(
    ledger: Ledger,
) -> None:
    ledger.submit(order())
    ledger.apply_order(order(status="3", LimitPrice=2999.0, **LOCAL))
    assert ledger.is_unconfirmed(ID)
    assert list(ledger.orders) == [ID, "1_7_1-SHFE-77"]


@pytest.mark.parametrize("names", [("1", ""), ("", "9999cac/77")])
def test_what_an_earlier_process_knew_of_an_order_names_it_after_the_restart(
    ledger: Ledger, names: tuple[str, str]
) -> None:
    ledger.known_as(ID, "SHFE", *names)
    (told,) = ledger.apply_order(order(status="3", **LOCAL | ANEW))
    assert (told.order_id, told.client_order_id, told.is_local) == (ID, "mine", True)
    assert (told.order_sys_id, told.order_local_id) == ("1", "9999cac/77")


def test_another_order_under_a_triple_that_an_earlier_process_sent_under_is_not_that_one(
    ledger: Ledger,
) -> None:
    ledger.own(ID, "mine", "", order())
    ledger.apply_order(order(status="5", OrderSubmitStatus="4", LimitPrice=2999.0, OrderSysID="", **LOCAL))
    assert ledger.is_unconfirmed(ID)
    assert list(ledger.orders) == ["1_7_1-SHFE-77"]


def test_a_trade_finds_its_order_by_the_seats_number_too(ledger: Ledger) -> None:
    ledger.apply_order(order(status="a", **LOCAL))
    (told, shown) = ledger.apply_trade(trade("t1", 1, **LOCAL))
    assert (told.order_id, shown.status) == (ID, Status.PARTTRADED)


def test_a_trade_that_waits_under_both_numbers_is_counted_once(ledger: Ledger) -> None:
    assert ledger.apply_trade(trade("t1", 1, **LOCAL)) == ledger.apply_trade(trade("t1", 1, **LOCAL)) == []
    ledger.apply_order(order(status="a", **LOCAL))
    ledger.apply_order(order(status="1", VolumeTraded=1, **LOCAL))
    assert len(ledger.trades) == 1
    assert ledger.orders[ID].traded == 1
    assert ledger.reconcile(account(), []) != []  # nothing waits any more


def test_an_order_out_of_sight_freezes_nothing_and_the_next_row_counts_whatever_it_says(
    ledger: Ledger,
) -> None:
    ledger.apply_order(order(status="3"))
    (told,) = ledger.lose_sight(ID, order(), "柜台不再有这张报单")
    assert (told.status.value, told.status_msg) == ("状态未知", "柜台不再有这张报单")
    assert ledger.money().frozen_margin == 0
    (told,) = ledger.apply_order(order(status="a"))
    assert told.status is Status.SUBMITTING
    assert ledger.money().frozen_margin > 0


def test_an_order_out_of_sight_may_still_open_what_its_strategy_may_not_exceed(ledger: Ledger) -> None:
    ledger.own(ID, "mine", "pair")
    ledger.apply_order(order(status="1", VolumeTraded=1))
    assert ledger.opening("pair", "rb2510") == 2, "the fill that the row tells is not in the book yet"
    ledger.apply_trade(trade("t1", 1))
    assert ledger.opening("pair", "rb2510") == 1
    ledger.lose_sight(ID, order(), "柜台不再有这张报单")
    assert ledger.opening("pair", "rb2510") == 1, "it may live"
    assert ledger.opening("other", "rb2510") == ledger.opening("pair", "m2509") == 0
    ledger.apply_order(order(status="5", VolumeTraded=1))
    assert ledger.opening("pair", "rb2510") == 0


def test_an_order_out_of_sight_that_nobody_ever_answered_is_still_unanswered(ledger: Ledger) -> None:
    ledger.lose_sight(ID, order(), "柜台没有这张报单")
    assert ledger.is_unconfirmed(ID)
    (told,) = ledger.apply_refusal(order(), Refusal("NEVER_ARRIVED", "未到达"))
    assert told.status is Status.REJECTED


@pytest.mark.parametrize(
    ("changes", "is_alike"),
    [
        ({}, True),
        ({"Direction": "1"}, False),
        ({"CombOffsetFlag": "1"}, False),
        ({"LimitPrice": 3001.0}, False),
    ]
    + [({"VolumeTotalOriginal": 3}, False), ({"InstrumentID": "m2509", "ExchangeID": "DCE"}, False)],
)
def test_alike_is_what_asks_for_the_same_and_is_not_ours(
    ledger: Ledger, changes: dict[str, Any], is_alike: bool
) -> None:
    ledger.apply_order(order(status="3"))
    ledger.apply_order(order(9, status="3", SessionID=55, **changes))
    assert ledger.alike(order(4)) == (["1_55_9"] if is_alike else [])


# ── book and money ──


def test_money_is_frozen_at_submission_and_freed_by_fill_refusal_and_cancel(ledger: Ledger) -> None:
    ledger.submit(order())
    assert ledger.money().frozen_margin == Decimal("6000.00")
    ledger.apply_order(order(status="3"))
    ledger.apply_trade(trade("t1"))
    assert (ledger.money().frozen_margin, ledger.money().margin) == (Decimal("3000.00"), Decimal("3000.00"))
    ledger.apply_order(order(status="5", VolumeTraded=1))
    assert ledger.money().frozen_margin == 0
    ledger.own("1_7_2")
    ledger.submit(order(2))
    assert ledger.money().frozen_margin == Decimal("6000.00")
    ledger.apply_refusal(order(2), refusal_of(31, ""))
    assert ledger.money().frozen_margin == 0


def test_what_is_filled_stays_frozen_for_until_its_trade_is_heard(ledger: Ledger) -> None:
    ledger.apply_order(order(status="0", VolumeTraded=2))
    assert ledger.money().frozen_margin == Decimal("6000.00")
    ledger.apply_trade(trade("t1", Volume=2))
    assert (ledger.money().frozen_margin, ledger.money().margin) == (Decimal(0), Decimal("6000.00"))


def test_the_book_starts_with_the_lots_of_the_mornings_and_replays_the_day(ledger: Ledger) -> None:
    closed = order(1, status="0", Direction="1", CombOffsetFlag="4", VolumeTotalOriginal=1, VolumeTraded=1)
    fill = trade("t1", 1, Direction="1", OffsetFlag="4", Price=3020.0)
    details = [detail(volume=2, CloseVolume=1)]
    figures = account(CurrMargin=6000.0, Commission=2.0, CloseProfit=200.0)
    ledger.rebuild(figures, details, [closed], [fill])
    assert ledger.reconcile(figures, details) == []
    position = ledger.book.position("rb2510", "long")
    assert position is not None
    assert (position.volume, position.yd_volume, position.open_price) == (
        2,
        2,
        2950.0,
    )
    assert ledger.money().close_profit == Decimal("200.00")


def test_a_reconnect_on_the_same_day_tells_nothing_twice(ledger: Ledger) -> None:
    replayed_and_queried = [order(status="3")] * 2, [trade("t1")] * 2
    told = ledger.rebuild(account(), [], *replayed_and_queried)
    assert [type(change) for change in told] == [TradeData, OrderData]  # the order once, as it is
    assert ledger.rebuild(account(), [], *replayed_and_queried) == []
    position = ledger.book.position("rb2510", "long")
    assert position is not None
    assert position.volume == 1


def test_lots_that_only_the_counter_knows_are_taken_and_told(ledger: Ledger) -> None:
    details = [
        detail(volume=3),
        detail(volume=2, open_date=DAY, TradeID="d2", OpenPrice=3005.0, LastSettlementPrice=3000.0),
    ]
    figures = account(CurrMargin=15010.0, Commission=4.0)
    ledger.rebuild(figures, [], [], [])
    differences = ledger.reconcile(figures, details)
    assert [text for text, _ in differences if "rb2510" in text] == [
        "rb2510 多 今仓：账本 0 手，柜台 2 手，以柜台为准",
        "rb2510 多 昨仓：账本 0 手，柜台 3 手，以柜台为准",
    ]
    position = ledger.book.position("rb2510", "long")
    assert position is not None
    assert (position.volume, position.yd_volume, position.today_volume) == (5, 3, 2)
    assert ledger.reconcile(figures, details) == []


def test_money_that_the_counter_counts_differently_is_taken_and_told_once(ledger: Ledger) -> None:
    figures = account(Commission=12.5, CloseProfit=100.0)
    before = ledger.money()
    assert len(ledger.reconcile(figures, [])) == 2
    after = ledger.money()
    assert (after.commission, after.close_profit) == (Decimal("12.50"), Decimal("100.00"))
    assert after.balance - before.balance == after.available - before.available == Decimal("87.50")
    assert ledger.reconcile(figures, []) == []
    assert ledger.reconcile(account(), []) == []
    assert ledger.money() == before


def test_what_the_counter_withholds_is_not_available_whatever_is_traded_since_its_answer(
    ledger: Ledger,
) -> None:
    figures = account(
        Credit=-700_000.0,
        DeliveryMargin=40_000.0,
        FrozenCash=4_000.0,
        Reserve=6_000.0,
        WithdrawQuota=200_000.0,
    )
    ledger.hear_account(figures)
    ledger.rebuild(figures, [], [], [])
    assert ledger.reconcile(figures, [], is_complete=True) == []
    money = ledger.money()
    assert (money.available, money.withheld, money.withdraw_quota) == (
        Decimal(250_000),
        Decimal(750_000),
        Decimal(200_000),
    )
    assert money.balance == Decimal(1_000_000)
    ledger.submit(order())
    assert ledger.money().available == Decimal(250_000 - 6000 - 4)
    ledger.apply_order(order(status="3"))
    ledger.apply_trade(trade("t1", Volume=2))
    ledger.set_price("rb2510", 3010.0)
    money = ledger.money()
    assert (money.balance, money.available) == (
        Decimal(1_000_000 - 4 + 200),
        Decimal(250_000 - 6000 - 4 + 200),
    )
    ledger.submit(order(2, VolumeTotalOriginal=30))
    money = ledger.money()
    assert money.available < money.withdraw_quota + 1
    assert money.withdraw_quota == money.available


def test_a_premium_is_in_the_balance_and_in_nothing_else(ledger: Ledger) -> None:
    figures = account(CashIn=-1500.0)
    ledger.hear_account(figures)
    ledger.rebuild(figures, [], [], [])
    assert ledger.reconcile(figures, [], is_complete=True) == []
    money = ledger.money()
    assert (money.pre_balance, money.other_funds, money.balance) == (
        Decimal(1_000_000),
        Decimal(-1500),
        Decimal(998_500),
    )
    assert money.available == Decimal(998_500)


def test_what_the_counter_alone_knows_is_a_remark_when_it_changes_and_never_a_difference(
    ledger: Ledger,
) -> None:
    assert ledger.hear_account(account(Credit=-5000.0)) == []  # the first answer: nothing has changed
    figures = account(Credit=-5000.0, Deposit=50_000.0, CashIn=300.0)
    assert ledger.hear_account(figures) == ["入金：0.00 → 50000.00", "权利金：0.00 → 300.00"]
    assert ledger.reconcile(figures, []) == []
    assert (ledger.money().deposit, ledger.money().balance) == (Decimal(50_000), Decimal(1_050_300))
    assert ledger.hear_account(figures) == []
    assert ledger.hear_account(account(TradingDay="20250610")) == []


def test_what_is_frozen_for_orders_that_are_not_in_the_book_counts_once_two_answers_agree(
    ledger: Ledger,
) -> None:
    frozen = account(FrozenMargin=3500.0, FrozenCommission=5.0)  # a spread of another terminal
    ledger.hear_account(frozen)
    ledger.reconcile(frozen, [])
    assert ledger.money().frozen_margin == 0  # our own order's row may be on its way
    ledger.reconcile(frozen, [])
    money = ledger.money()
    assert (money.frozen_margin, money.frozen_commission, money.available) == (
        Decimal(3500),
        Decimal(5),
        Decimal(996_495),
    )
    ledger.submit(order())
    assert ledger.money().frozen_margin == Decimal(9500)
    for _ in range(3):  # it has not reached the counter: the answers say nothing of it
        ledger.reconcile(frozen, [])
    assert ledger.money().frozen_margin == Decimal(9500)
    ledger.apply_order(order(status="5"))
    for _ in range(2):
        ledger.reconcile(account(), [])
    assert ledger.money().frozen_margin == 0


def test_a_counter_that_does_not_round_is_taken_to_the_cent_and_never_told_of(ledger: Ledger) -> None:
    """The vendor's counter sums fees as they are (2710.714660018958), the book rounds each fill's to the
    cent.
    """
    ledger.set_contracts(
        [instrument(OpenRatioByMoney=0.000101, OpenRatioByVolume=0.0, LongMarginRatio=0.123456)]
    )
    ledger.apply_order(order(status="3", VolumeTotalOriginal=500))
    fees = margin = 0.0
    lots = []
    for number in range(1, 201):
        price = 3114.0  # a fee of 3.14514
        ledger.apply_trade(trade(f"t{number}", Price=price))
        lots.append(detail(1, DAY, TradeID=f"t{number}", OpenPrice=price))
        fees += price * 10 * 0.000101
        margin += price * 10 * 0.123456
        figures = account(Commission=fees, CurrMargin=margin)
        ledger.hear_account(figures)
        assert ledger.differences(figures, lots) == ledger.reconcile(figures, lots) == []
        assert ledger.money().commission == cents(exact(fees))
        assert ledger.money().margin == cents(exact(margin))
    assert ledger.book.money().commission != cents(exact(fees))  # or nothing was tried
    wrong = ledger.reconcile(
        account(Commission=fees + 3.2, CurrMargin=margin), lots
    )  # a fill's fee more than we know of
    assert [(difference.text[:3], difference.is_fault) for difference in wrong] == [("手续费", True)]


def test_a_margin_of_the_whole_portfolio_is_remarked_when_its_share_changes(ledger: Ledger) -> None:
    def compare(volume: int, share: float) -> list[tuple[str, bool]]:
        rows = [detail(volume)]
        ledger.rebuild(account(), rows, [], [])
        return [tuple(told) for told in ledger.reconcile(account(CurrMargin=3000.0 * volume * share), rows)]

    assert compare(10, 0.8) == [("保证金：账本 30000.00，柜台 24000.00，以柜台为准", False)]
    assert ledger.money().margin == Decimal(24_000)
    assert compare(11, 0.803) == compare(20, 0.797) == []
    assert ledger.money().margin == Decimal("47820.00")
    assert len(compare(20, 0.7)) == 1


RATES = {
    "LongMarginRatio": 0.2,
    "ShortMarginRatio": 0.2,
    "OpenRatioByMoney": 0.0001,
    "OpenRatioByVolume": 0.0,
}


def test_rates_that_come_apart_from_the_list_are_those_of_what_is_held_traded_and_frozen_already(
    ledger: Ledger,
) -> None:
    ledger.rates_come_apart = True
    ledger.rebuild(account(), [detail(1)], [order(status="3", VolumeTotalOriginal=3)], [trade("t1")])
    before = ledger.money()
    assert (before.margin, before.frozen_margin, before.commission) == (
        Decimal(6000),
        Decimal(6000),
        Decimal(2),
    )
    ledger.set_rates("rb2510", RATES)
    after = ledger.money()
    assert (after.margin, after.frozen_margin, after.commission) == (
        Decimal(12000),
        Decimal(12000),
        Decimal(3),
    )
    assert ledger.book.position("rb2510", "long").margin == 12000.0
    assert (
        ledger.reconcile(
            account(CurrMargin=12000.0, Commission=3.0),
            [detail(1), detail(1, DAY, TradeID="t1", OpenPrice=3000.0)],
        )
        == []
    )


def test_what_the_counter_said_of_the_money_stays_shown_when_the_rates_come_that_explain_it(
    ledger: Ledger,
) -> None:
    ledger.rates_come_apart = True
    ledger.rebuild(account(), [detail(1)], [], [])
    ledger.reconcile(account(CurrMargin=6000.0), [detail(1)])
    assert ledger.money().margin == Decimal(6000)
    ledger.set_rates("rb2510", RATES)
    assert ledger.money().margin == Decimal(6000)
    assert ledger.reconcile(account(CurrMargin=6000.0), [detail(1)]) == []
    assert ledger.money().margin == Decimal(6000)


# ── lots of a night ──


def night(
    exchange: str, evening: str, morning: str, closed: int = 0
) -> tuple[list[Any], list[Any], list[Any]]:
    """Orders, trades and lots of a Monday whose night was Friday's: two lots of Friday noon, one of the
    evening, two of after midnight, `closed` of which are closed. The dates are what the counter writes as
    OpenDate of the night.
    """
    symbol = {"SHFE": "rb2510", "DCE": "m2509"}[exchange]
    at = {"InstrumentID": symbol, "ExchangeID": exchange}
    orders = [order(1, "0", VolumeTotalOriginal=3, VolumeTraded=3, **at)]
    trades = [
        trade("t1", 1, Price=3000.0, TradeDate=evening, **at),
        trade("t2", 1, Price=3001.0, Volume=2, **at),
    ]
    if closed:
        how = {"Direction": "1", "CombOffsetFlag": "3" if exchange == "SHFE" else "1"}
        orders.append(order(2, "0", VolumeTotalOriginal=closed, VolumeTraded=closed, **at | how))
        trades.append(
            trade("t3", 2, Price=3001.0, Volume=closed, Direction="1", OffsetFlag=how["CombOffsetFlag"], **at)
        )
    lots = [
        detail(2, "20250606", **at),
        detail(1, evening, TradeID="t1", OpenPrice=3000.0, **at),
        detail(2, morning, TradeID="t2", OpenPrice=3001.0, **at),
    ]
    for lot in (
        [*lots[1:], lots[0]] if exchange == "SHFE" else lots
    ):  # first in, first out, of the bucket that is closed
        part = min(closed, lot.Volume)
        lot.Volume, lot.CloseVolume, closed = lot.Volume - part, part, closed - part
    return orders, trades, lots


@pytest.mark.parametrize("closed", [0, 2, 3])
@pytest.mark.parametrize("exchange", ["SHFE", "DCE"])
@pytest.mark.parametrize(("evening", "morning"), [(DAY, DAY), ("20250606", "20250607")])
def test_lots_of_a_night_are_todays_whichever_of_the_two_days_the_counter_dates_them_by(
    ledger: Ledger, evening: str, morning: str, exchange: str, closed: int
) -> None:
    orders, trades, lots = night(exchange, evening, morning, closed)
    symbol, (today, history) = trades[0].InstrumentID, (3, 2)
    if exchange == "SHFE":
        today -= closed
    else:
        today, history = today - max(0, closed - 2), max(0, 2 - closed)
    assert ledger.are_dates_doubtful(lots, trades) == (evening != DAY)
    ledger.hear_positions(position(today, history, symbol, exchange), lots)
    assert not ledger.are_dates_doubtful(lots, trades)
    ledger.rebuild(account(), lots, orders, trades)

    def check() -> None:
        assert [told for told in ledger.reconcile(account(), lots) if "手，" in told.text] == []
        held = ledger.book.position(symbol, "long")
        assert held is not None
        assert (held.today_volume, held.yd_volume) == (today, history)
        assert {lot.open_date for lot in ledger.book.open_lots()} <= {"20250606", DAY}

    check()
    ledger.rebuild(account(), lots, orders, trades)  # a new login in the day session
    check()


def test_a_lot_of_another_day_that_is_like_a_trade_of_today_is_told_apart_by_the_counters_positions(
    ledger: Ledger,
) -> None:
    """TradeIDs come again; the trade's own lot has the trading day for its date."""
    rows = [
        detail(1, "20250606", TradeID="t1", OpenPrice=3000.0),
        detail(1, DAY, TradeID="t1", OpenPrice=3000.0),
    ]
    orders, trades = [order(1, "0", VolumeTotalOriginal=1, VolumeTraded=1)], [trade("t1")]
    assert ledger.are_dates_doubtful(rows, trades)
    ledger.hear_positions(position(2, 1), rows)  # a fill between the two answers: they do not belong together
    assert ledger.are_dates_doubtful(rows)
    ledger.hear_positions(position(1, 1), rows)
    assert not ledger.are_dates_doubtful(rows)
    ledger.rebuild(account(), rows, orders, trades)
    assert [told for told in ledger.reconcile(account(), rows) if "手，" in told.text] == []
    held = ledger.book.position("rb2510", "long")
    assert held is not None
    assert (held.today_volume, held.yd_volume) == (1, 1)


def test_nothing_is_compared_while_a_trade_waits_for_its_order(ledger: Ledger) -> None:
    ledger.apply_trade(trade("t1"))
    assert ledger.reconcile(account(Commission=2.0), [detail(1, open_date=DAY)]) == []


def test_a_new_day_begins_with_empty_lists(ledger: Ledger) -> None:
    ledger.apply_order(order(status="3"))
    ledger.apply_trade(trade("t1"))
    ledger.begin_day("20250610")
    assert not ledger.orders
    assert not ledger.trades
    assert not ledger.is_own(ID)
    assert ledger.trading_day == "20250610"


def test_an_order_sent_while_the_day_turned_is_still_ours_whatever_becomes_of_it(ledger: Ledger) -> None:
    """It left before we heard of the new day; the counter took it, or refused it, on the new one."""
    ledger.submit(order())
    ledger.own("1_7_2", "refused")
    ledger.begin_day("20250610")
    (alive,) = ledger.apply_order(order(status="3", TradingDay="20250610"))
    assert (alive.is_local, alive.client_order_id) == (True, "mine")
    (refused,) = ledger.apply_refusal(order(2, TradingDay="20250610"), refusal_of(31, "资金不足"))
    assert (refused.status, refused.client_order_id) == (Status.REJECTED, "refused")


def test_options_are_left_out_and_expired_contracts_go(ledger: Ledger) -> None:
    changed = ledger.set_contracts(
        [instrument(), instrument("m2509-C-3000", "DCE", ProductClass="2"), instrument("ag2512")]
    )
    assert [contract.local_symbol for contract in changed] == ["ag2512.SHFE"]
    assert sorted(ledger.contracts) == ["ag2512.SHFE", "rb2510.SHFE"]


def test_a_position_in_a_contract_that_is_not_listed_does_not_break_the_book(ledger: Ledger) -> None:
    option = detail(1, InstrumentID="m2509-C-3000", ExchangeID="DCE")
    ledger.rebuild(account(), [option, detail(1)], [], [])
    assert [position.symbol for position in ledger.book.positions()] == ["rb2510"]


# ── what other terminals do ──


def conditional(status: str, **changes: Any) -> OrderField:
    """A stop that closes 3 long lots, placed at another terminal; its number is CTP's own."""
    values: dict[str, Any] = {
        "SessionID": 55,
        "OrderSysID": "TJBD_1",
        "Direction": "1",
        "CombOffsetFlag": "3",
        "VolumeTotalOriginal": 3,
    }
    return order(9, status, **values | changes)


def holding(ledger: Ledger, volume: int = 3) -> None:
    """Today's lots of rb2510, long."""
    ledger.apply_order(order(status="0", VolumeTotalOriginal=volume, VolumeTraded=volume))
    ledger.apply_trade(trade("t1", Volume=volume))


def closable(ledger: Ledger) -> int:
    return sum(ledger.book.closable("rb2510", "long"))


def test_a_conditional_order_that_waits_is_shown_so_can_be_cancelled_and_freezes_nothing(
    ledger: Ledger,
) -> None:
    holding(ledger)
    ledger.apply_order(conditional("b"))
    assert ledger.orders["1_55_9"].status.value == "未触发"
    assert [shown.order_id for shown in ledger.active_orders()] == ["1_55_9"]
    assert closable(ledger) == 3
    ledger.apply_order(conditional("b", CombOffsetFlag="0", OrderRef="10", OrderSysID="TJBD_2"))
    assert ledger.money().frozen_margin == 0
    assert statuses(ledger.apply_order(conditional("5"))) == [Status.CANCELLED]


def test_a_conditional_order_that_was_triggered_has_ended_and_what_it_triggered_is_an_order_of_its_own(
    ledger: Ledger,
) -> None:
    holding(ledger)
    ledger.apply_order(conditional("b"))
    ledger.apply_order(conditional("c"))
    assert (ledger.orders["1_55_9"].status.value, ledger.active_orders()) == ("已触发", [])
    triggered = {
        "SessionID": 0,
        "FrontID": 0,
        "Direction": "1",
        "CombOffsetFlag": "3",
        "VolumeTotalOriginal": 3,
    }
    ledger.apply_order(order(1, "3", **triggered, OrderSysID="          77"))
    assert closable(ledger) == 0
    ledger.apply_trade(trade("t2", OrderSysID="          77", Direction="1", OffsetFlag="3", Volume=2))
    ledger.apply_order(order(1, "5", **triggered, OrderSysID="          77", VolumeTraded=2))
    assert closable(ledger) == 1
    assert ledger.orders["1_55_9"].traded == 0
    assert ledger.apply_order(conditional("b")) == []  # the login tells the day again


@pytest.mark.parametrize("status", ["2", "4", "?"])
def test_a_status_that_nobody_knows_freezes_nothing_until_a_known_one_comes(
    ledger: Ledger, status: str
) -> None:
    ledger.apply_order(order(status=status, OrderSysID="           1"))
    assert ledger.orders[ID].status.value == "状态未知"
    assert (ledger.money().frozen_margin, [shown.order_id for shown in ledger.active_orders()]) == (0, [ID])
    assert statuses(ledger.apply_order(order(status="3"))) == [Status.NOTTRADED]
    assert ledger.money().frozen_margin == Decimal("6000.00")


def test_a_status_that_nobody_knows_says_that_the_counter_has_the_order(ledger: Ledger) -> None:
    ledger.submit(order())
    ledger.apply_order(order(status="4"))
    assert (ledger.orders[ID].status, ledger.is_unconfirmed(ID)) == (Status.SUBMITTING, False)


def test_a_status_that_nobody_knows_revives_a_lost_order_without_freezing_for_it(ledger: Ledger) -> None:
    ledger.submit(order())
    ledger.apply_refusal(order(), Refusal("NEVER_ARRIVED", "未到达"))
    ledger.apply_order(order(status="4"))
    assert (ledger.orders[ID].status.value, ledger.money().frozen_margin) == ("状态未知", 0)


@pytest.mark.parametrize("offset", ["2", "5", "6"])
def test_a_forced_close_of_todays_lots_is_of_todays_lots_where_they_are_apart_too(
    ledger: Ledger, offset: str
) -> None:
    holding(ledger)
    forced = {
        "FrontID": 0,
        "SessionID": 0,
        "Direction": "1",
        "CombOffsetFlag": offset,
        "VolumeTotalOriginal": 3,
    }
    ledger.apply_order(order(8, "3", **forced))
    assert closable(ledger) == 0
    ledger.apply_order(order(8, "0", **forced, VolumeTraded=3))
    told, *_ = ledger.apply_trade(trade("t2", 8, Direction="1", OffsetFlag=offset, Volume=3))
    assert isinstance(told, TradeData)
    assert told.forced
    assert told.offset.value == "平"
    assert ledger.book.positions() == []


def spread(status: str, **changes: Any) -> OrderField:
    """Ten, bought at −35 at another terminal: its trades are those of its two legs."""
    values: dict[str, Any] = {
        "SessionID": 55,
        "InstrumentID": "SP m2509&m2601",
        "ExchangeID": "DCE",
        "CombOffsetFlag": "00",
        "LimitPrice": -35.0,
        "VolumeTotalOriginal": 10,
    }
    return order(9, status, **values | changes)


def legs(number: str, volume: int) -> list[TradeField]:
    leg = {"ExchangeID": "DCE", "Volume": volume}
    return [
        trade(f"{number}a", 9, InstrumentID="m2509", **leg),
        trade(f"{number}b", 9, InstrumentID="m2601", Direction="1", **leg),
    ]


@pytest.fixture
def dce(ledger: Ledger) -> Ledger:
    ledger.set_contracts([instrument(), instrument("m2509", "DCE"), instrument("m2601", "DCE")])
    return ledger


def test_a_spread_half_filled_is_half_filled_and_can_still_be_cancelled(dce: Ledger) -> None:
    dce.apply_order(spread("3"))
    assert (dce.money().frozen_margin, dce.money().available) == (0, Decimal("1000000.00"))
    for row in legs("t1", 5):
        dce.apply_trade(row)
    dce.apply_order(spread("1", VolumeTraded=5))
    shown = dce.orders["1_55_9"]
    assert (shown.status, shown.traded, shown.volume, shown.price) == (Status.PARTTRADED, 5, 10, -35.0)
    assert [working.order_id for working in dce.active_orders()] == ["1_55_9"]
    assert [(held.symbol, held.direction, held.volume) for held in dce.book.positions()] == [
        ("m2509", "long", 5),
        ("m2601", "short", 5),
    ]
    for row in legs("t2", 5):
        dce.apply_trade(row)
    dce.apply_order(spread("0", VolumeTraded=10))
    shown = dce.orders["1_55_9"]
    assert (shown.status, shown.traded, dce.active_orders()) == (Status.ALLTRADED, 10, [])


def test_spreads_are_left_out_of_the_contracts(ledger: Ledger) -> None:
    listed = [
        instrument("m2509", "DCE"),
        instrument("SP m2509&m2601", "DCE", ProductClass="3"),
        instrument("SPC a2509&m2509", "DCE", CombinationType="3"),
    ]
    ledger.set_contracts(listed)
    assert sorted(ledger.contracts) == ["m2509.DCE"]
    ledger.apply_order(spread("3"))
    assert ledger.holdings() == []  # its quotes move nothing here


# ── ctpbee's view of the positions ──


class App:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def get_contract(self, local_symbol: str) -> Any:
        return self.ledger.contracts.get(local_symbol)


def test_the_position_manager_is_a_view_of_the_book(ledger: Ledger) -> None:
    ledger.rebuild(account(), [detail(2)], [order(status="3")], [trade("t1")])
    ledger.set_price("rb2510", 3010.0, 3000.0)
    view = BookPositions(App(ledger), lambda: ledger.book.positions())
    held = view.get_position_by_ld("rb2510.SHFE", Direction.LONG)
    assert held is not None
    assert (held.volume, held.yd_volume, held.available, held.pnl, held.float_pnl) == (3, 2, 3, 300.0, 1300.0)
    other = view.get_position_by_ld("rb2510.SHFE", Direction.SHORT)
    assert other is not None
    assert other.volume == 0
    assert view.get_position_by_ld("m2509.DCE", Direction.LONG) is None
    (row,) = view.get_all_positions()
    assert (row["direction"], row["volume"], row["position_profit"]) == ("long", 3, 300.0)
    assert [position.local_symbol for position in view.get_all_positions(obj=True)] == ["rb2510.SHFE"]
    holding = view.get_position("rb2510.SHFE")
    assert (holding.long_pos, holding.long_yd, holding.long_td, holding.short_pos) == (3, 2, 1, 0)
    assert list(view) == ["rb2510.SHFE"]
    assert "rb2510.SHFE" in view
    assert len(view) == 1


def test_options_that_are_held_are_shown_as_the_counter_has_them_and_stay_out_of_the_book(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    option = {"InstrumentID": "rb2510C3000"}
    rows = [
        detail(2, OpenPrice=50.0, **option),
        detail(1, open_date=DAY, TradeID="d2", OpenPrice=80.0, **option),
        detail(0, Direction="1", **option),
    ]
    for _ in range(2):
        assert ledger.reconcile(account(), rows) == []
    (shown,) = ledger.untraded
    assert (shown.symbol, shown.direction, shown.volume, shown.yd_volume, shown.today_volume) == (
        "rb2510C3000",
        "long",
        3,
        2,
        1,
    )
    assert (shown.available, shown.price) == (0, 60.0)
    assert ledger.book.positions() == []
    assert caplog.text.count("rb2510C3000") == 1
    assert ledger.reconcile(account(), []) == []
    assert ledger.untraded == []
