"""Processes die and nobody loses an order: each kill -9 of the design, and the ends that a user asks for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from app.lib import calendar
from tests.e2e.server import ROOT, BackendServer, Trader
from tests.support.waiting import eventually

RB = "rb2510.SHFE"


def test_kill_the_web_and_gateways_go_on_tokens_hold_and_pages_get_their_snapshot(
    server: BackendServer, trader: Trader
) -> None:
    page = trader.open_page()
    quote = trader.fix_quote(RB)
    order_id = trader.order(RB, "long", "open", quote.bid - 5 * quote.tick, 1)["order_id"]
    gateway = server.entry(f"gateway-{trader.key}")
    port = server.url.rpartition(":")[2]
    page.mark()
    server.wait_replaced(server.kill("web"))
    server.wait_ready()
    assert server.entry(f"gateway-{trader.key}") == gateway
    assert server.url.rpartition(":")[2] == port  # a page finds it where it was
    assert [row["order_id"] for row in trader.lists()["active_order_list"]] == [order_id]
    page.wait("active_order", lambda event: [row["order_id"] for row in event["data"]] == [order_id])
    server.faults().release_quote(quote.symbol)
    page.wait("tick")


def test_kill_the_host_and_the_next_one_adopts_what_runs(server: BackendServer, trader: Trader) -> None:
    gateway, counter = server.entry(f"gateway-{trader.key}"), server.entry("counter")
    old = server.kill("host")
    quote = trader.fix_quote(RB)
    assert trader.order(RB, "long", "open", quote.ask, 1)["success"]
    server.wait_replaced(old)
    assert (server.entry(f"gateway-{trader.key}"), server.entry("counter")) == (gateway, counter)
    first = trader.token
    trader.log_in()  # the adopted gateway knows its password, the new host learns it again
    assert trader.token != first
    assert server.entry(f"gateway-{trader.key}") == gateway
    server.wait_replaced(server.kill(f"gateway-{trader.key}"))
    eventually(lambda: trader.ask("GET", "/order_solve")["success"], "the account is back")


def test_kill_a_gateway_and_it_comes_back_logged_in_with_no_order_sent_twice(
    server: BackendServer, trader: Trader
) -> None:
    page = trader.open_page()
    quote = trader.fix_quote(RB)
    resting = trader.order(RB, "long", "open", quote.bid - 5 * quote.tick, 1, client_order_id="mine-1")[
        "order_id"
    ]
    filled = trader.order(RB, "long", "open", quote.ask, 2)["order_id"]
    page.mark()
    server.wait_replaced(server.kill(f"gateway-{trader.key}"))
    page.wait("status", lambda status: status["gateway"]["state"] == "lost")
    page.settles(
        "status",
        lambda status: status["td"]["state"] == "ready" and status["gateway"]["state"] == "connected",
    )
    page.wait("order", lambda event: len(event["data"]) == 2)
    again = trader.order(RB, "long", "open", quote.bid - 5 * quote.tick, 1, client_order_id="mine-1")
    assert (again["success"], again["order_id"]) == (True, resting)
    assert {row["order_id"]: row["status"] for row in trader.lists()["order_list"]} == {
        resting: "未成交",
        filled: "全部成交",
    }
    assert len(server.faults().books()[trader.userid]["orders"]) == 2
    assert trader.position(RB, "long")["volume"] == 2  # type: ignore[index]
    server.faults().release_quote(quote.symbol)
    page.wait("tick")  # subscriptions are back


def test_kill_a_gateway_while_an_order_is_on_its_way_and_it_is_found_again_not_sent_again(
    server: BackendServer, trader: Trader
) -> None:
    quote = trader.fix_quote(RB)
    faults = server.faults()
    faults.mute(trader.userid)
    answer = trader.order(RB, "long", "open", quote.ask, 1, client_order_id="on-its-way")
    assert (answer["success"], answer["error"], answer["status"]) == (True, "ORDER_STATE_UNKNOWN", 202)
    assert answer["msg"] == "报单已发出，柜台未确认，请勿重复下单"
    old = server.kill(f"gateway-{trader.key}")
    faults.unmute(trader.userid)
    server.wait_replaced(old)
    eventually(lambda: trader.ask("GET", "/order_solve")["success"], "the account is back")
    row = eventually(
        lambda: (found := trader.order_row(answer["order_id"]))["status"] == "全部成交" and found,
        "the order is found",
    )
    assert row["volume"] == 1
    again = trader.order(RB, "long", "open", quote.ask, 1, client_order_id="on-its-way")
    assert again["order_id"] == answer["order_id"]
    assert trader.position(RB, "long")["volume"] == 1  # type: ignore[index]


def test_stop_a_gateway_and_pages_know_what_was_on_its_way_is_not_sent_late_and_cancels_leave_when_it_wakes(
    server: BackendServer, trader: Trader
) -> None:
    page = trader.open_page()
    quote = trader.fix_quote(RB)
    low = quote.bid - 5 * quote.tick
    resting = trader.order(RB, "long", "open", low, 1)["order_id"]
    gateway = server.entry(f"gateway-{trader.key}")
    assert gateway is not None
    psutil.Process(gateway.pid).suspend()
    handed_over = trader.order(RB, "long", "open", low, 1, client_order_id="on-its-way")
    assert (handed_over["success"], handed_over["error"]) == (True, "ORDER_STATE_UNKNOWN")
    page.wait("status", lambda status: status["gateway"]["state"] == "frozen")
    turned_away = trader.order(RB, "long", "open", low, 1)
    assert (turned_away["success"], turned_away["error"], turned_away["status"]) == (
        False,
        "GATEWAY_FROZEN",
        503,
    )
    cancel = trader.ask("DELETE", "/order_solve", order_id=resting, local_symbol=RB, exchange="SHFE")
    assert cancel["error"] == "CANCEL_STATE_UNKNOWN"

    psutil.Process(gateway.pid).resume()
    page.settles("status", lambda status: status["gateway"]["state"] == "connected")
    told = page.wait("error", lambda error: error["error"] == "NEVER_SENT_TOO_LATE")
    again = trader.order(RB, "long", "open", low, 1, client_order_id="on-its-way")
    assert (again["success"], again["error"], again["order_id"]) == (
        False,
        "NEVER_SENT_TOO_LATE",
        told["order_id"],
    )
    eventually(lambda: trader.order_row(resting)["status"] == "已撤销", "the cancel has left")
    assert len(server.faults().books()[trader.userid]["orders"]) == 1


def test_kill_the_counter_and_paper_money_and_orders_are_as_they_were(
    server: BackendServer, trader: Trader
) -> None:
    quote = trader.fix_quote(RB)
    trader.order(RB, "short", "open", quote.bid, 2)
    resting = trader.order(RB, "long", "open", quote.bid - 5 * quote.tick, 1)["order_id"]
    before = server.faults().books()[trader.userid]
    server.wait_replaced(server.kill("counter"))
    after = server.faults().books()[trader.userid]
    assert after["orders"] == before["orders"]
    assert after["lots"] == before["lots"]
    assert {name: after["money"][name] for name in ("PreBalance", "CurrMargin", "Commission")} == {
        name: before["money"][name] for name in ("PreBalance", "CurrMargin", "Commission")
    }
    eventually(
        lambda: trader.ask("GET", "/healthz") and trader.lists()["active_order_list"], "the order is shown"
    )
    assert trader.position(RB, "short")["volume"] == 2  # type: ignore[index]
    cancelled = eventually(
        lambda: (
            (
                answer := trader.ask(
                    "DELETE", "/order_solve", order_id=resting, local_symbol=RB, exchange="SHFE"
                )
            )["success"]
            and answer
        ),
        "the gateway is at the counter again",
    )
    assert cancelled["success"]
    assert trader.order_row(resting)["status"] == "已撤销"


def test_ctrl_c_ends_every_process_within_five_seconds(server: BackendServer, trader: Trader) -> None:
    assert len(server.leftovers()) >= 5  # supervisor, web, host, counter, gateway
    assert server.stop(signal.SIGINT) < 5
    assert server.leftovers() == []


def test_sigterm_with_pages_open_and_orders_working_ends_within_five_seconds_and_loses_nothing(
    server: BackendServer, trader: Trader
) -> None:
    trader.open_page()
    quote = trader.fix_quote(RB)
    resting = trader.order(RB, "long", "open", quote.bid - 5 * quote.tick, 1)["order_id"]
    assert server.stop() < 5
    assert server.leftovers() == []
    server.start()
    trader.log_in()
    assert trader.order_row(resting)["status"] == "未成交"


def test_after_a_kill_of_run_py_itself_the_next_one_adopts_what_it_left(
    server: BackendServer, trader: Trader
) -> None:
    gateway = server.entry(f"gateway-{trader.key}")
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    assert trader.ask("GET", "/order_solve")["success"]  # web, host and gateway go on
    server.start()
    assert server.entry(f"gateway-{trader.key}") == gateway
    assert trader.ask("GET", "/order_solve")["success"]
    assert server.stop() < 5
    assert server.leftovers() == []


def test_run_py_stop_ends_what_a_kill_left(server: BackendServer, trader: Trader) -> None:
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    assert server.leftovers()
    command = [sys.executable, str(ROOT / "run.py"), "--data-dir", str(server.data_dir), "stop"]
    subprocess.run(command, check=True, timeout=30, capture_output=True, env=server.environment())
    assert server.leftovers() == []


@pytest.mark.skipif(
    os.name == "posix" and os.getuid() != 0, reason="which files a gateway has mapped only root may see"
)
def test_a_gateway_has_read_the_calendar_before_the_first_quote_comes(
    server: BackendServer, trader: Trader
) -> None:
    """Read at the first quote, it held up the event thread, and with it the first order, for seconds on a
    busy machine.
    """
    (
        server.data_dir / calendar.KEPT_FILE
    ).unlink()  # now that the counter runs: it would read the library for its gateways
    quiet = Trader(server, "quiet").log_in()  # subscribes to nothing
    gateway = server.entry(f"gateway-{quiet.key}")
    assert gateway is not None

    def libraries() -> set[str]:
        return {mapped.path for mapped in psutil.Process(gateway.pid).memory_maps()}

    eventually(
        lambda: any("/pandas/" in path for path in libraries()), "the calendar's library has been read", 30
    )
    eventually((server.data_dir / calendar.KEPT_FILE).exists, "its days are kept for the next gateway")
