"""Orders at the built-in counter through the whole house: kinds, refusals, partial fills, races, close
today.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.server import BackendServer, Quote, Trader
from tests.support.waiting import eventually

RB, M, IF = "rb2510.SHFE", "m2509.DCE", "IF2506.CFFEX"


@pytest.fixture
def trader(either_server: BackendServer, request: pytest.FixtureRequest) -> Iterator[Trader]:
    """An account of this test's own on the shared server."""
    made = Trader(either_server, f"t{abs(hash(request.node.name)) % 10**9}").log_in()
    yield made
    made.close_page()


def buy(trader: Trader, quote: Quote, volume: int = 1, offset: str = "open", symbol: str = RB) -> str:
    answer = trader.order(symbol, "long", offset, quote.ask, volume)
    assert answer["success"], answer
    return answer["order_id"]


def test_an_order_larger_than_the_quoted_depth_fills_in_part_and_the_rest_can_be_cancelled(
    trader: Trader,
) -> None:
    quote = trader.fix_quote(RB, ask_volume=2)
    order_id = buy(trader, quote, 5)
    row = eventually(lambda: (found := trader.order_row(order_id))["traded"] and found, "a fill")
    assert (row["status"], row["traded"]) == ("部分成交", 2)
    assert trader.ask("DELETE", "/order_solve", order_id=f"sim.{order_id}", local_symbol=RB, exchange="SHFE")[
        "success"
    ]
    row = trader.order_row(order_id)
    assert (row["status"], row["traded"]) == ("已撤销", 2)
    assert trader.position(RB, "long")["volume"] == 2  # type: ignore[index]


@pytest.mark.parametrize(
    ("kind", "volume", "status", "traded"),
    [("fak", 5, "已撤销", 2), ("fok", 5, "已撤销", 0), ("fok", 2, "全部成交", 2)],
)
def test_fak_takes_what_is_there_and_fok_all_or_nothing(
    trader: Trader, kind: str, volume: int, status: str, traded: int
) -> None:
    quote = trader.fix_quote(RB, ask_volume=2)
    answer = trader.order(RB, "long", "open", quote.ask, volume, type=kind)
    assert answer["success"], answer
    row = eventually(
        lambda: (found := trader.order_row(answer["order_id"]))["status"] == status and found, status
    )
    assert (row["traded"], row["type"]) == (traded, kind.upper())


def test_a_market_order_fills_where_the_exchange_has_them_and_is_refused_where_not(trader: Trader) -> None:
    for symbol in (M, IF):  # each in its exchange's own words
        trader.fix_quote(symbol)
        filled = trader.order(symbol, "long", "open", 0, 1, type="market")
        assert filled["success"], filled
        row = eventually(
            lambda sent=filled: (row := trader.order_row(sent["order_id"]))["status"] == "全部成交" and row,
            "filled",
        )
        assert row["type"] == "市价"
    trader.fix_quote(RB)
    refused = trader.order(RB, "long", "open", 0, 1, type="market")
    assert (refused["success"], refused["error"], refused["parameter"]) == (False, "NO_MARKET_ORDERS", "type")
    assert trader.lists()["active_order_list"] == []


def test_without_money_the_counter_refuses_with_its_text_and_the_account_is_unchanged(trader: Trader) -> None:
    quote = trader.fix_quote(IF)
    answer = trader.order(IF, "long", "open", quote.ask, 20)
    assert (answer["success"], answer["error"], answer["status"]) == (False, "CTP_31", 200)
    assert "资金不足" in answer["msg"]
    assert trader.lists()["position_list"] == []


def test_words_may_stand_the_wrong_way_round_or_in_chinese(trader: Trader) -> None:
    quote = trader.fix_quote(RB)
    swapped = trader.order(RB, "open", "long", quote.ask, 1)
    chinese = trader.order(RB, "空", "开", quote.bid, 1, type="限价")
    assert swapped["success"], swapped
    assert chinese["success"], chinese
    assert [(row["direction"], row["offset"]) for row in trader.lists()["order_list"]] == [
        ("多", "开"),
        ("空", "开"),
    ]


def test_closing_more_than_there_is_sends_nothing(trader: Trader) -> None:
    quote = trader.fix_quote(RB)
    buy(trader, quote, 2)
    eventually(lambda: trader.position(RB, "long"), "the position")
    answer = trader.close_position(quote, "long", 3, symbol="rb2510")
    assert (answer["success"], answer["error"]) == (False, "CLOSABLE_EXCEEDED"), answer
    assert len(trader.lists()["order_list"]) == 1


def test_shfe_closes_todays_lots_with_closetoday_and_refuses_a_plain_close(trader: Trader) -> None:
    quote = trader.fix_quote(RB)
    buy(trader, quote, 2)
    eventually(lambda: trader.position(RB, "long"), "the position")
    plain = trader.order(RB, "short", "close", quote.bid, 1)
    assert (plain["success"], plain["error"]) == (False, "CTP_51")
    today = trader.order(RB, "short", "closetoday", quote.bid, 1)
    assert today["success"], today
    eventually(lambda: trader.position(RB, "long")["volume"] == 1, "one lot is left")  # type: ignore[index]


def test_a_resting_close_freezes_its_lots(trader: Trader) -> None:
    quote = trader.fix_quote(RB)
    buy(trader, quote, 3)
    eventually(lambda: trader.position(RB, "long"), "the position")
    resting = trader.order(RB, "short", "closetoday", quote.ask + 5 * quote.tick, 2)
    assert resting["success"]
    row = eventually(
        lambda: (found := trader.position(RB, "long")) and found["frozen"] == 2 and found, "frozen"
    )
    assert row["available"] == 1
    answer = trader.close_position(quote, "long", 2)
    assert (answer["success"], answer["error"]) == (False, "CLOSABLE_EXCEEDED"), answer


def test_a_close_of_both_days_goes_in_two_legs_by_the_pattern(make_server) -> None:  # type: ignore[no-untyped-def]
    server = make_server().start()
    trader = Trader(server).log_in()
    quote = trader.fix_quote(RB)
    buy(trader, quote, 2)
    server.faults().turn_day({})
    eventually(lambda: (row := trader.position(RB, "long")) and row["yd_volume"] == 2, "yesterday's lots")
    quote = trader.fix_quote(RB)
    buy(trader, quote, 1)
    eventually(lambda: trader.position(RB, "long")["volume"] == 3, "today's lot")  # type: ignore[index]
    trader.do("PUT", "/config", CLOSE_PATTERN="yesterday")
    answer = trader.close_position(quote, "long", 3)
    assert answer["success"], answer
    assert len(answer["order_ids"]) == 2, answer
    eventually(lambda: trader.position(RB, "long") is None, "closed")
    closes = [(row["offset"], row["volume"]) for row in trader.lists()["order_list"] if row["offset"] != "开"]
    assert closes == [("平昨", 2), ("平今", 1)]


def test_the_same_client_order_id_twice_is_one_order_and_the_same_answer(trader: Trader) -> None:
    quote = trader.fix_quote(RB)
    first = trader.order(RB, "long", "open", quote.ask, 1, client_order_id="c-1")
    second = trader.order(RB, "long", "open", quote.ask, 1, client_order_id="c-1")
    assert first["order_id"] == second["order_id"]
    assert second["success"]
    assert len(trader.lists()["order_list"]) == 1
    other = trader.order(RB, "long", "open", quote.ask, 2, client_order_id="c-1")
    assert (other["success"], other["status"]) == (False, 400)


def test_an_order_without_an_answer_is_reported_as_unknown_and_shown_when_the_answer_comes(
    trader: Trader,
) -> None:
    quote = trader.fix_quote(RB)
    faults = trader.server.faults()
    faults.mute(trader.userid)
    answer = trader.order(RB, "long", "open", quote.ask, 1)
    assert (answer["success"], answer["error"], answer["status"]) == (True, "ORDER_STATE_UNKNOWN", 202)
    faults.unmute(trader.userid)
    eventually(lambda: trader.order_row(answer["order_id"])["status"] == "全部成交", "the answer comes late")


def test_an_exchange_refusal_is_a_rejection_with_its_text_not_a_cancel(trader: Trader) -> None:
    quote = trader.fix_quote(RB)
    trader.server.faults().reject_next("已撤单报单被拒绝SHFE:当前状态禁止此项操作")
    answer = trader.order(RB, "long", "open", quote.ask, 1)
    assert (answer["success"], answer["error"]) == (False, "EXCHANGE_REJECT")
    assert "当前状态禁止此项操作" in answer["msg"]
    assert trader.lists()["order_list"][0]["status"] == "拒单"


def test_callbacks_that_come_twice_or_swapped_change_nothing(trader: Trader) -> None:
    quote = trader.fix_quote(RB)
    faults = trader.server.faults()
    faults.duplicate(trader.userid, 20)
    buy(trader, quote, 2)
    faults.reorder(trader.userid)
    buy(trader, quote, 1)
    eventually(lambda: (row := trader.position(RB, "long")) and row["volume"] == 3, "three lots")
    assert len(trader.lists()["trade_list"]) == 2
    assert [row["status"] for row in trader.lists()["order_list"]] == ["全部成交", "全部成交"]


def test_a_lost_front_is_told_and_orders_are_refused_at_once_and_the_replay_changes_nothing(
    trader: Trader,
) -> None:
    page = trader.open_page()
    quote = trader.fix_quote(RB)
    buy(trader, quote, 1)
    eventually(lambda: trader.position(RB, "long"), "the position")
    before = trader.lists()
    page.wait("status", lambda status: status["td"]["state"] == "ready")
    page.mark()
    trader.server.faults().drop(user=trader.userid)
    page.wait("status", lambda status: status["td"]["state"] == "lost")
    page.settles(
        "status",
        lambda status: status["td"]["state"] == "ready" and status["gateway"]["state"] == "connected",
    )
    after = trader.lists()
    assert after["trade_list"] == before["trade_list"]
    assert after["order_list"] == before["order_list"]
    buy(trader, quote, 1)


def test_events_since_n_are_what_came_after_n(trader: Trader) -> None:
    page = trader.open_page()
    quote = trader.fix_quote(RB)
    buy(trader, quote, 1)
    page.wait("trade_update")
    seq = trader.do("GET", "/events", since=0)["seq"]
    buy(trader, quote, 1)
    missed = eventually(
        lambda: [
            event
            for event in trader.do("GET", "/events", since=seq)["events"]
            if event["event"] == "trade_update"
        ],
        "a fill",
    )
    assert len(missed) == 1
    assert missed[0]["seq"] > seq
    assert (
        page.wait("trade_update", lambda event: event["seq"] == missed[0]["seq"])["data"] == missed[0]["data"]
    )


def test_config_is_in_force_at_once_and_after_a_restart(server: BackendServer) -> None:
    trader = Trader(server).log_in()
    quote = trader.fix_quote(RB)
    buy(trader, quote, 2)
    eventually(lambda: trader.position(RB, "long"), "the position")
    trader.do("PUT", "/config", SLIPPAGE_COVER=3, REFRESH_INTERVAL=0.5, SHARED_FUNC="true")
    bad = trader.ask("PUT", "/config", SLIPPAGE_COVER=9, CLOSE_PATTERN="tomorrow")
    assert (bad["status"], bad["parameter"]) == (400, "CLOSE_PATTERN")
    closed = trader.close_position(quote, "long", 1)
    assert closed["success"], closed
    closing = [row for row in trader.lists()["order_list"] if row["offset"] != "开"]
    assert closing[0]["price"] == quote.bid - 3
    server.stop()
    server.start()
    trader.log_in()
    config = trader.do("GET", "/config")
    assert (config["SLIPPAGE_COVER"], config["REFRESH_INTERVAL"], config["SHARED_FUNC"]) == (3, 0.5, True)
