"""The main job, as a trader does it: log in, see the market, trade, see the result, and find it all again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.server import BackendServer, Page, Trader
from tests.support.waiting import eventually

RB = "rb2510.SHFE"
TIME = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$")


@pytest.fixture
def page(either_server: BackendServer) -> Iterator[Page]:
    trader = Trader(either_server, "looker").log_in()
    made = trader.open_page()
    yield made
    made.close()


def test_a_page_gets_its_snapshot_when_it_has_shown_its_token(page: Page) -> None:
    account = {row["key"]: row["value"] for row in page.wait("account")["data"]}
    assert account["balance"] == account["available"] == 1_000_000
    for name in ("position", "active_order", "order", "trade"):
        assert page.wait(name) == {"type": name, "data": []}
    assert page.wait("status")


def test_a_subscribed_contract_ticks_in_the_shape_of_the_contract(
    either_server: BackendServer, page: Page
) -> None:
    Trader(either_server, "looker").log_in().do("POST", "/market", symbol=RB)
    tick = page.wait("tick", lambda event: event["data"]["local_symbol"] == RB)
    assert tick["type"] == "tick"
    data = tick["data"]
    assert (data["symbol"], data["exchange"]) == ("rb2510", "SHFE")
    assert TIME.match(data["datetime"]), data["datetime"]
    assert data["datetime"].startswith("2025-06-05 10:")
    assert data["trading_day"] == "20250605"
    assert data["limit_down"] <= data["bid_price_1"] < data["ask_price_1"] <= data["limit_up"]
    assert all(value == value for value in data.values())  # never NaN


def test_forming_bars_and_closed_bars_arrive(make_server: Callable[..., BackendServer]) -> None:
    server = make_server().start()
    trader = Trader(server).log_in()
    page = trader.open_page()
    trader.do("POST", "/market", symbol=RB)
    forming = page.wait("bar_update", lambda event: event["local_symbol"] == RB)
    assert forming["interval"] == "1m"
    server.near_minutes_end(forming)
    closed = page.wait("bar", lambda event: event["local_symbol"] == RB)
    timestamp, opened, high, low, close, volume = closed["data"]
    assert timestamp % 60_000 == 0
    assert low <= min(opened, close) <= max(opened, close) <= high
    assert volume >= 0
    assert eventually(lambda: trader.do("POST", "/bar", local_symbol=RB), "the bar is served") == [
        closed["data"]
    ]
    trader.close_page()


def test_an_order_fills_and_becomes_a_position_that_closes_again(either_server: BackendServer) -> None:
    trader = Trader(either_server, "roundtrip").log_in()
    page = trader.open_page()
    quote = trader.fix_quote(RB)
    opened = trader.order(RB, "long", "open", quote.ask, 3)
    assert (opened["success"], opened["msg"], opened["data"], opened["status"]) == (True, "成功下单", "", 200)
    row = page.wait(
        "order_update",
        lambda event: (
            event["data"]["order_id"] == opened["order_id"] and event["data"]["status"] == "全部成交"
        ),
    )["data"]
    assert (row["direction"], row["offset"], row["type"], row["price"], row["volume"], row["traded"]) == (
        "多",
        "开",
        "限价",
        quote.ask,
        3,
        3,
    )
    fill = page.wait("trade_update", lambda event: event["data"]["order_id"] == opened["order_id"])["data"]
    assert fill["price"] == quote.ask
    assert fill["volume"] == 3
    position = eventually(lambda: trader.position(RB, "long"), "the position")
    assert (position["volume"], position["yd_volume"], position["frozen"], position["available"]) == (
        3,
        0,
        0,
        3,
    )

    closed = trader.close_position(quote, "long", 3, symbol="rb2510")
    assert (closed["success"], closed["data"]) == (True, ""), closed
    eventually(lambda: trader.position(RB, "long") is None, "the position is gone")
    offsets = [trade["offset"] for trade in trader.lists()["trade_list"]]
    assert offsets == ["开", "平今"]
    trader.close_page()


def test_an_orders_request_id_is_in_the_log_of_web_and_gateway(either_server: BackendServer) -> None:
    trader = Trader(either_server, "traced").log_in()
    quote = trader.fix_quote(RB)
    headers = {"Authorization": f"Bearer {trader.token}", "X-Request-ID": "trace-4711-abc"}
    form = {
        "local_symbol": RB,
        "exchange": "SHFE",
        "direction": "long",
        "offset": "open",
        "type": "limit",
        "price": quote.ask,
        "volume": 1,
    }
    answer = requests.post(f"{either_server.url}/order_solve", data=form, headers=headers, timeout=30)
    assert answer.headers["X-Request-Id"] == "trace-4711-abc"
    logs = either_server.data_dir / "logs"

    def traced(name: str) -> list[str]:
        return [line for line in (logs / name).read_text("utf-8").splitlines() if "trace-4711-abc" in line]

    assert [answer.json()["order_id"] in line for line in traced(f"gateway-{trader.key}.log")] == [True]
    eventually(lambda: any("POST '/order_solve' 200" in line for line in traced("web.log")), "the access log")


def test_prometheus_sees_ticks_orders_and_fronts(either_server: BackendServer) -> None:
    trader = Trader(either_server, "measured").log_in()
    page = trader.open_page()
    quote = trader.fix_quote(RB)
    trader.order(RB, "long", "open", quote.ask, 1)
    page.wait("tick")

    def samples() -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families(
            requests.get(f"{either_server.url}/metrics", timeout=10).text
        )
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
        }

    eventually(lambda: samples()["ctpbee_ticks_total", trader.key] >= 1, "a tick is counted")
    seen = samples()
    assert seen["ctpbee_order_seconds_count", trader.key] == 1
    assert seen["ctpbee_order_seconds_bucket", trader.key, "3.0"] == 1
    assert (
        seen["ctpbee_front_ready", trader.key, "td", "ready"]
        == seen["ctpbee_front_ready", trader.key, "md", "ready"]
        == 1
    )
    assert seen["ctpbee_http_request_seconds_count", "POST", "/order_solve", "200"] >= 1
    assert seen["ctpbee_pages",] >= 1
    assert seen["ctpbee_watchers", trader.key] == 1
    assert ("ctpbee_queue_depth", trader.key, "events") in seen
    assert (
        "ctpbee_bars_written_total",
        trader.key,
    ) in seen
    assert trader.ask("GET", "/readyz")["data"]["fronts"]["down"] == 0
    trader.close_page()


def test_a_resting_order_is_shown_and_can_be_cancelled(either_server: BackendServer) -> None:
    trader = Trader(either_server, "rester").log_in()
    page = trader.open_page()
    quote = trader.fix_quote(RB)
    order_id = trader.order(RB, "long", "open", quote.bid - 5 * quote.tick, 2)["order_id"]
    assert [row["order_id"] for row in trader.lists()["active_order_list"]] == [order_id]
    page.wait("active_order", lambda event: [row["order_id"] for row in event["data"]] == [order_id])
    cancelled = trader.ask("DELETE", "/order_solve", local_symbol=RB, order_id=order_id, exchange="SHFE")
    assert cancelled["success"], cancelled
    assert trader.order_row(order_id)["status"] == "已撤销"
    page.wait("active_order", lambda event: event["data"] == [])
    again = trader.ask("DELETE", "/order_solve", local_symbol=RB, order_id=order_id, exchange="SHFE")
    assert not again["success"]
    assert again["error"] == "ORDER_ENDED"
    trader.close_page()


def test_everything_is_there_after_a_restart(make_server: Callable[..., BackendServer]) -> None:
    server = make_server().start()
    trader = Trader(server).log_in()
    page = trader.open_page()
    quote = trader.fix_quote(RB)
    filled = trader.order(RB, "short", "open", quote.bid, 2)["order_id"]
    resting = trader.order(RB, "long", "open", quote.bid - 10 * quote.tick, 1)["order_id"]
    server.near_minutes_end(page.wait("bar_update", lambda event: event["local_symbol"] == RB))
    page.wait("bar", lambda event: event["local_symbol"] == RB)
    page.close()
    before, config = trader.lists(), trader.do("GET", "/config")
    bars = trader.do("POST", "/bar", local_symbol=RB)
    assert server.stop() < 5
    assert server.leftovers() == []

    server.start()
    assert trader.ask("GET", "/order_solve")["status"] == 401  # no token outlives the login that it came from
    trader.log_in()
    after = trader.lists()
    assert {row["order_id"]: row["status"] for row in after["order_list"]} == {
        filled: "全部成交",
        resting: "未成交",
    }
    assert [row["order_id"] for row in after["active_order_list"]] == [resting]
    assert after["trade_list"] == before["trade_list"]
    assert [(row["direction"], row["volume"]) for row in after["position_list"]] == [("short", 2)]
    assert trader.do("GET", "/config") == config
    assert trader.do("POST", "/bar", local_symbol=RB)[: len(bars)] == bars
    assert trader.ask("DELETE", "/order_solve", order_id=resting, local_symbol=RB, exchange="SHFE")["success"]


def test_the_contract_list_is_pushed_sorted(either_server: BackendServer, page: Page) -> None:
    Trader(either_server, "looker").log_in().do("PUT", "/market")
    contracts = page.wait("contract")
    assert contracts == sorted(contracts, key=str.upper)
    assert RB in contracts
    assert "IF2506.CFFEX" in contracts
    assert "rb2410.SHFE" not in contracts  # expired on the day of the counter's clock
