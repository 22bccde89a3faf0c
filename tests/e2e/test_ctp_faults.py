"""What happens to an account behind CTP's library when fronts, brokers and processes do their worst: the real
binding, our stand-in.
"""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.ctp_server import CtpServer
from tests.e2e.server import Page, Trader
from tests.support.waiting import eventually

pytestmark = pytest.mark.full

RB, M = "rb2510.SHFE", "m2509.DCE"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CtpServer]:
    made = CtpServer(tmp_path_factory.mktemp("ctp"))
    made.start()
    yield made
    made.clean()


@pytest.fixture
def trader(server: CtpServer, request: pytest.FixtureRequest) -> Iterator[Trader]:
    """An account of its own for each test; it is logged out at the end."""
    made = Trader(server, f"u{abs(hash(request.node.name)) % 10**8}").log_in()
    yield made
    made.close_page()
    made.ask("POST", "/logout", authorization="000000")


def ready(page: Page) -> None:
    page.settles("status", lambda status: status["td"]["state"] == status["md"]["state"] == "ready")


def test_ten_thousand_quotes_at_once_are_all_counted(server: CtpServer, trader: Trader) -> None:
    page = trader.open_page()
    quote = trader.fix_quote(
        RB, 7777, 8888
    )  # volumes that no generated quote has: after this one no other comes
    page.settles(
        "tick", lambda event: (event["data"]["bid_volume_1"], event["data"]["ask_volume_1"]) == (7777, 8888)
    )

    def ticks() -> float:
        text = requests.get(f"{server.url}/metrics", timeout=10).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "ctpbee_ticks_total" and sample.labels.get("account") == trader.key
        )

    before = ticks()
    server.faults().burst("rb2510", 10_000)
    eventually(lambda: ticks() >= before + 10_000, "all are counted", 60)
    assert ticks() == before + 10_000
    server.faults().release_quote(quote.symbol)


def test_a_lost_trading_front_is_told_with_its_reason_and_comes_back_with_what_happened_meanwhile(
    server: CtpServer, trader: Trader
) -> None:
    page = trader.open_page()
    quote = trader.fix_quote(RB)
    resting = trader.order(RB, "long", "open", quote.bid, 1)["order_id"]
    ready(page)
    for reason in (0x1001, 0x1002, 0x2001):
        server.reach(td=False)
        page.mark()
        assert server.faults().disconnect(reason, trader.userid, "td") == 1
        lost = page.wait("status", lambda status: status["td"]["state"] == "lost")
        assert f"0x{reason:04x}" in lost["td"]["reason"]
        assert lost["md"]["state"] == "ready"
        refused = trader.order(RB, "long", "open", quote.ask, 1)
        assert refused["success"] is False
        server.reach()
        ready(page)
    server.reach(td=False)
    server.faults().disconnect(0x1001, trader.userid, "td")
    page.settles("status", lambda status: status["td"]["state"] == "lost")
    server.faults().set_quote(
        quote.symbol, quote.bid - quote.tick, 100, quote.bid, 100, quote.bid, 1
    )  # it fills meanwhile
    server.reach()
    page.wait("trade_update", lambda event: event["data"]["order_id"] == resting, 30)
    assert trader.order_row(resting)["status"] == "全部成交"
    assert len(server.faults().books()[trader.userid]["orders"]) == 1
    server.faults().release_quote(quote.symbol)


def test_a_lost_market_front_comes_back_with_its_quotes_and_orders_go_on_meanwhile(
    server: CtpServer, trader: Trader
) -> None:
    page = trader.open_page()
    quote = trader.fix_quote(RB)
    ready(page)
    page.mark()
    server.reach(md=False)
    assert server.faults().disconnect(0x2001, trader.userid, "md") == 1
    lost = page.wait("status", lambda status: status["md"]["state"] == "lost")
    assert "0x2001" in lost["md"]["reason"]
    assert lost["td"]["state"] == "ready"
    assert trader.order(RB, "long", "open", quote.ask, 1)["success"]
    server.reach()
    ready(page)
    page.mark()
    server.faults().set_quote(quote.symbol, quote.bid, 7, quote.ask, 9, quote.bid)
    page.wait("tick", lambda event: (event["data"]["bid_volume_1"], event["data"]["ask_volume_1"]) == (7, 9))
    server.faults().release_quote(quote.symbol)


def test_a_gateway_killed_in_the_middle_of_an_order_finds_it_again_and_sends_nothing_twice(
    server: CtpServer, trader: Trader
) -> None:
    quote = trader.fix_quote(RB)
    faults = server.faults()
    faults.mute(trader.userid)
    answer = trader.order(RB, "long", "open", quote.ask, 1, client_order_id="on-its-way")
    assert answer["error"] == "ORDER_STATE_UNKNOWN"
    faults.refuse_next(
        "login", 60, "CTP:用户在线会话超出上限"
    )  # its session is still counted: that gives no account up
    old = server.kill(f"gateway-{trader.key}")
    faults.unmute(trader.userid)
    server.wait_replaced(old)
    eventually(lambda: trader.ask("GET", "/order_solve")["success"], "the account is back", 30)
    again = trader.order(RB, "long", "open", quote.ask, 1, client_order_id="on-its-way")
    assert again["success"]
    assert answer["order_id"] in (
        "",
        again["order_id"],
    )
    row = eventually(
        lambda: (found := trader.order_row(again["order_id"]))["status"] == "全部成交" and found,
        "the order is found",
    )
    assert row["volume"] == 1
    assert len(faults.books()[trader.userid]["orders"]) == 1
    faults.release_quote(quote.symbol)


@pytest.mark.parametrize("symbol", [M, RB], ids=["one bucket", "today apart"])
def test_a_brokers_forced_close_reaches_the_page(server: CtpServer, trader: Trader, symbol: str) -> None:
    page = trader.open_page()
    quote = trader.fix_quote(symbol)
    assert trader.order(symbol, "long", "open", quote.ask, 2)["success"]
    eventually(lambda: trader.position(symbol, "long"), "the position")
    server.faults().force_close(trader.userid, quote.symbol, "long", 2)
    forced = page.wait("trade_update", lambda event: event["data"]["direction"] == "空")["data"]
    assert (forced["volume"], forced["offset"], forced["forced"]) == (2, "平", "强平")
    assert "强平" in page.wait("error", lambda event: event["error"] == "FORCED_CLOSE")["msg"]
    eventually(lambda: trader.position(symbol, "long") is None, "the position is gone")
    assert not [event for event in page.all("error") if event["error"] == "BOOK_DIFFERENCE"]
    server.faults().release_quote(quote.symbol)


def test_a_stop_of_another_terminal_is_shown_blocks_no_close_and_its_refusal_is_told(
    server: CtpServer, trader: Trader
) -> None:
    page = trader.open_page()
    quote = trader.fix_quote(M)
    assert trader.order(M, "long", "open", quote.ask, 2)["success"]
    eventually(lambda: trader.position(M, "long"), "the position")
    number = server.faults().place_conditional(trader.userid, quote.symbol, "long", 2, quote.bid)
    shown = page.wait("order_update", lambda event: event["data"]["order_sys_id"] == number)["data"]
    assert (shown["status"], shown["is_local"]) == ("未触发", False)
    assert trader.position(M, "long")["frozen"] == 0  # type: ignore[index]
    other = server.faults().place_conditional(
        trader.userid, quote.symbol, "long", 2, quote.ask + 5 * quote.tick
    )
    server.faults().trigger(trader.userid, other)
    eventually(
        lambda: trader.position(M, "long")["frozen"] == 2, "what it triggered rests and holds the lots"
    )  # type: ignore[index]
    refused = trader.ask("POST", "/close_position", local_symbol=M, direction="long", volume=2)
    assert (refused["success"], refused["error"], refused["refused_by"]) == (False, "CTP_30", "counter")
    (resting,) = [row for row in trader.lists()["active_order_list"] if row["status"] == "未成交"]
    assert trader.ask("DELETE", "/order_solve", order_id=resting["order_id"], local_symbol=M)["success"]
    assert trader.ask("POST", "/close_position", local_symbol=M, direction="long", volume=2)["success"]
    eventually(lambda: trader.position(M, "long") is None, "the position is gone")
    server.faults().trigger(trader.userid, number)
    assert (
        "平仓量超过持仓量"
        in page.wait("error", lambda event: event["error"] == "CONDITIONAL_ORDER_REFUSED")["msg"]
    )
    eventually(lambda: trader.order_row(shown["order_id"])["status"] == "已触发", "it has ended")
    server.faults().release_quote(quote.symbol)


def test_the_race_between_a_cancel_and_a_fill_is_won_by_the_fill(server: CtpServer, trader: Trader) -> None:
    quote = trader.fix_quote(RB)
    faults = server.faults()
    order_id = trader.order(RB, "long", "open", quote.bid, 1)["order_id"]
    faults.delay_cancel()
    trader.ask("DELETE", "/order_solve", order_id=order_id, local_symbol=RB, exchange="SHFE", symbol="rb2510")
    faults.set_quote(quote.symbol, quote.bid - quote.tick, 100, quote.bid, 100, quote.bid, 1)
    eventually(lambda: trader.order_row(order_id)["status"] == "全部成交", "the fill")
    faults.release_cancel()
    assert trader.order_row(order_id)["status"] == "全部成交"
    assert trader.position(RB, "long")["volume"] == 1  # type: ignore[index]
    faults.release_quote(quote.symbol)


def test_callbacks_that_come_twice_or_out_of_order_count_once(server: CtpServer, trader: Trader) -> None:
    page = trader.open_page()
    quote = trader.fix_quote(RB)
    faults = server.faults()
    faults.duplicate(trader.userid, 1000)
    sent = []
    for _ in range(3):
        faults.reorder(trader.userid)
        sent.append(trader.order(RB, "long", "open", quote.ask, 2)["order_id"])
    faults.duplicate(trader.userid, -1000)
    for order_id in sent:
        eventually(
            lambda order_id=order_id: trader.order_row(order_id)["status"] == "全部成交", "it is filled"
        )
    eventually(lambda: len(trader.lists()["trade_list"]) == 3, "each fill is there once")
    assert trader.position(RB, "long")["volume"] == 6  # type: ignore[index]
    told = eventually(lambda: len(heard := page.all("trade_update")) >= 3 and heard, "each is told")
    assert len({event["data"]["tradeid"] for event in told}) == len(told) == 3
    faults.release_quote(quote.symbol)


def test_an_exchanges_words_that_are_cut_within_a_character_are_shown_as_far_as_they_go(
    server: CtpServer, trader: Trader
) -> None:
    quote = trader.fix_quote(RB)
    server.faults().reject_next("拒" * 60)
    answer = trader.order(RB, "long", "open", quote.ask, 1)
    assert (answer["success"], answer["error"]) == (False, "EXCHANGE_REJECT")
    assert "SHFE:" + "拒" * 29 in answer["msg"]
    assert trader.order_row(answer["order_id"])["status"] == "拒单"
    server.faults().release_quote(quote.symbol)


def test_a_new_trading_day_begins_with_yesterdays_lots_and_no_orders(
    server: CtpServer, trader: Trader
) -> None:
    page = trader.open_page()
    quote = trader.fix_quote(RB)
    assert trader.order(RB, "long", "open", quote.ask, 2)["success"]
    assert trader.order(RB, "long", "open", quote.bid - 5 * quote.tick, 1)["success"]
    eventually(lambda: trader.position(RB, "long"), "the position")
    page.mark()
    server.faults().turn_day({quote.symbol: quote.ask})
    page.wait("status", lambda status: status["td"]["state"] != "ready")
    ready(page)
    position = eventually(
        lambda: (row := trader.position(RB, "long")) and row["yd_volume"] == 2 and row, "yesterday's lots"
    )
    assert (position["volume"], position["available"]) == (2, 2)
    assert trader.lists()["order_list"] == trader.lists()["trade_list"] == []
    closed = trader.order(RB, "short", "closetoday", quote.bid, 1)
    assert (closed["success"], closed["error"]) == (False, "CTP_50")
    server.faults().release_quote(quote.symbol)


def used(server: CtpServer, *names: str) -> list[tuple[int, int, int]]:
    """Threads, descriptors and resident MB of processes."""
    parts = [psutil.Process(server.entry(name).pid) for name in names]  # type: ignore[union-attr]
    return [(part.num_threads(), part.num_fds(), part.memory_info().rss // 1_000_000) for part in parts]


def assert_flat(before: list[tuple[int, int, int]], after: list[tuple[int, int, int]]) -> None:
    for (threads, descriptors, memory), (threads_now, descriptors_now, memory_now) in zip(
        before, after, strict=True
    ):
        assert threads_now <= threads + 2, (before, after)
        assert descriptors_now <= descriptors + 4, (before, after)
        assert memory_now <= memory + 12, (before, after)


@pytest.mark.timeout(600)  # some 40 s on an idle machine
def test_a_gateway_that_logs_in_a_hundred_times_stays_as_it_is(server: CtpServer, trader: Trader) -> None:
    """Each loss of the trading front is a new login: authenticate, confirm, replay, queries."""
    page = trader.open_page()
    trader.order(RB, "long", "open", trader.contract(RB)["limit_down"], 1)
    ready(page)

    def lose_and_return() -> None:
        page.mark()
        server.faults().disconnect(0x1001, trader.userid, "td")
        page.wait("status", lambda status: status["td"]["state"] != "ready")
        ready(page)

    for _ in range(10):
        lose_and_return()
    before = used(server, f"gateway-{trader.key}")
    for _ in range(100):
        lose_and_return()
    assert_flat(before, used(server, f"gateway-{trader.key}"))
    assert len(trader.lists()["order_list"]) == 1


@pytest.mark.timeout(600)
def test_accounts_that_come_and_go_leave_nothing_behind(server: CtpServer) -> None:
    trader = Trader(server, "comesandgoes")

    def come_and_go() -> None:
        trader.log_in()
        trader.do("POST", "/logout", authorization="000000")
        eventually(lambda: server.entry(f"gateway-{trader.key}") is None, "the gateway has gone", 30)

    for _ in range(3):
        come_and_go()
    before = used(server, "host", "web")
    for _ in range(12):
        come_and_go()
    assert_flat(before, used(server, "host", "web"))
