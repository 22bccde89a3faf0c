"""The stand-in for CTP's libraries under the real binding: it says what a front says, by the built-in
counter's rules. `make test-full`.
"""

from __future__ import annotations

import itertools
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ctp_front.build import write_map
from tests.ctp_front.native import NativeClient
from tests.support.counter_process import BUY, CLOSE, OPEN, SELL, CounterProcess
from tests.support.waiting import eventually

pytestmark = pytest.mark.full


users = (f"user{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def counter() -> Iterator[CounterProcess]:
    with tempfile.TemporaryDirectory(prefix="counter") as folder:  # a socket's path has to be short
        process = CounterProcess(Path(folder))
        yield process
        process.end(signal.SIGTERM)


@pytest.fixture
def client(counter: CounterProcess, tmp_path: Path) -> Iterator[NativeClient]:
    """A user of its own for each test; queries are not held back."""
    native = NativeClient(counter.address, tmp_path, next(users), queries=0)
    yield native
    native.close()


def test_a_day_of_a_native_client_from_connecting_to_a_cancel(client: NativeClient) -> None:
    login = client.enter().data
    assert len(login["TradingDay"]) == 8
    assert login["SessionID"] > 0
    assert ":" in login["SHFETime"]
    contracts = {row["InstrumentID"]: row for row in client.query("reqQryInstrument")}
    symbol = min(name for name, row in contracts.items() if row["ProductID"] == "rb")
    assert contracts[symbol]["ExchangeID"] == "SHFE"
    assert contracts[symbol]["PriceTick"] == 1.0
    assert "螺纹钢" in contracts[symbol]["InstrumentName"]
    quote = client.query("reqQryDepthMarketData", {"InstrumentID": symbol})[0]

    client.order(symbol, "SHFE", BUY, OPEN, quote["UpperLimitPrice"], 2)
    assert client.wait_status("a")["OrderSubmitStatus"] == "0"
    filled = client.wait_status("0")
    trade = client.wait("onRtnTrade").data
    assert (trade["OrderSysID"], filled["VolumeTraded"]) == (filled["OrderSysID"], 2)
    assert len(filled["OrderSysID"]) == 12
    assert filled["OrderSysID"].startswith(" ")

    client.order(symbol, "SHFE", SELL, CLOSE, quote["LastPrice"], 1)  # a plain close is of yesterday's
    refused = client.wait("onRspOrderInsert")
    assert (refused.error["ErrorID"], refused.error["ErrorMsg"]) == (51, "CTP:平昨仓位不足")
    assert client.wait("onErrRtnOrderInsert").error["ErrorID"] == 51

    client.order(symbol, "SHFE", BUY, OPEN, quote["LowerLimitPrice"], 1)
    resting = client.wait_status("3")
    key = {name: resting[name] for name in ("InstrumentID", "ExchangeID", "OrderSysID")}
    assert client.ask("reqOrderAction", key | {"ActionFlag": "0"}) == 0
    assert client.wait_status("5")["StatusMsg"] == "已撤单"
    assert client.ask("reqOrderAction", key | {"ActionFlag": "0", "OrderActionRef": 7}) == 0
    twice = client.wait("onRspOrderAction")
    assert (twice.error["ErrorID"], twice.data["OrderActionRef"]) == (26, 7)

    client.order(symbol, "SHFE", BUY, OPEN, quote["UpperLimitPrice"] + 1, 1)
    rejected = client.wait_status("5")
    assert rejected["OrderSubmitStatus"] == "4"
    assert "涨停板" in rejected["StatusMsg"]

    (account,) = client.query("reqQryTradingAccount")
    assert account["CurrMargin"] > 0
    assert account["AccountID"] == client.user
    (position,) = client.query("reqQryInvestorPosition")
    assert (
        position["PositionDate"],
        position["Position"],
        position["TodayPosition"],
        position["YdPosition"],
    ) == ("1", 2, 2, 0)


def test_quotes_reach_a_native_client(counter: CounterProcess, client: NativeClient) -> None:
    client.enter()
    symbol, _ = a_contract(client, "rb")
    client.start("md")
    client.wait("onFrontConnected")
    assert client.log_in("md").error["ErrorID"] == 0
    assert client.call("md", "subscribeMarketData", symbol) == 0
    tick = client.wait("onRtnDepthMarketData").data
    assert tick["InstrumentID"] == symbol
    assert tick["ExchangeID"] == ""
    assert tick["BidPrice2"] > 1e308
    client.call("md", "subscribeMarketData", "nothing")
    assert client.wait("onRspSubMarketData").error["ErrorID"] == 16


def test_a_front_that_cannot_be_reached_connects_once_it_can(
    counter: CounterProcess, client: NativeClient
) -> None:
    front_map = Path(counter.address.removeprefix("unix:")).parent / "ctp_fronts.map"
    before = front_map.read_text()
    write_map(front_map, {})
    client.start()
    assert client.ask("reqUserLogin", {"Password": "secret"}) == -1
    assert client.heard == []
    front_map.write_text(before)
    client.wait("onFrontConnected")


def test_a_lost_front_says_why_and_comes_back_with_the_whole_day(
    counter: CounterProcess, client: NativeClient
) -> None:
    session = client.enter().data["SessionID"]
    symbol, quote = a_contract(client, "rb")
    client.order(symbol, "SHFE", BUY, OPEN, quote["UpperLimitPrice"], 1)
    client.wait_status("0")
    for reason in (0x1001, 0x2001):
        assert counter.faults.disconnect(reason, client.user) == 1
        assert client.wait("onFrontDisconnected").args == [reason]
        assert client.ask("reqQryTradingAccount", {}) == -1
        client.wait("onFrontConnected")
        again = client.log_in().data
        assert again["SessionID"] > session
        assert client.wait_status("0")["SessionID"] == session  # the order of the first session, told again
        client.wait("onRtnTrade")


def test_a_restart_of_the_core_from_its_flow_keeps_the_lasting_numbers_alone_and_tells_refused_cancels_again(
    counter: CounterProcess, client: NativeClient
) -> None:
    client.enter()
    symbol, quote = a_contract(client, "rb")
    client.order(symbol, "SHFE", BUY, OPEN, quote["LowerLimitPrice"], 1)
    before = client.wait_status("3")
    key = {name: before[name] for name in ("InstrumentID", "ExchangeID", "OrderSysID")}
    assert client.ask("reqOrderAction", key | {"OrderSysID": "77777", "ActionFlag": "0"}) == 0
    assert (
        client.wait("onRspOrderAction").error["ErrorID"]
        == client.wait("onErrRtnOrderAction").error["ErrorID"]
        == 25
    )
    assert counter.faults.disconnect(0x1001, client.user) == 1
    client.wait("onFrontConnected")
    client.log_in()
    assert client.wait("onErrRtnOrderAction").error["ErrorID"] == 25  # of the session before: RESTART
    counter.faults.restart_flow()
    client.wait("onFrontDisconnected")
    client.wait("onFrontConnected")
    client.log_in()
    after = client.wait_status("3")
    lasting, triple = (
        ("ExchangeID", "OrderSysID", "TraderID", "OrderLocalID"),
        ("FrontID", "SessionID", "OrderRef"),
    )
    assert [after[name] for name in lasting] == [before[name] for name in lasting]
    assert all(after[name] for name in lasting)
    assert [after[name] for name in triple] != [before[name] for name in triple]
    assert (
        client.ask(
            "reqOrderAction", {name: after[name] for name in ("InstrumentID", *triple)} | {"ActionFlag": "0"}
        )
        == 0
    )
    client.wait_status("5")


def test_requests_can_be_held_back_by_the_library(counter: CounterProcess, client: NativeClient) -> None:
    client.enter()
    counter.faults.refuse_sends("query", -2, 2, client.user)
    counter.faults.refuse_sends("order", -3, 1, client.user)
    counter.faults.refuse_sends("cancel", -1, 1, client.user)
    client.ask("reqSettlementInfoConfirm", {})
    client.wait("onRspSettlementInfoConfirm")  # what the counter sent before has come
    assert [client.ask("reqQryTradingAccount", {}) for _ in range(3)] == [-2, -2, 0]
    request = {
        "InstrumentID": "rb",
        "ExchangeID": "SHFE",
        "OrderRef": "1",
        "OrderSysID": "1",
        "ActionFlag": "0",
    }
    assert [client.ask("reqOrderInsert", request) for _ in range(2)] == [-3, 0]
    assert [client.ask("reqOrderAction", request) for _ in range(2)] == [-1, 0]


def test_one_query_is_in_flight_and_one_goes_out_a_second(counter: CounterProcess, tmp_path: Path) -> None:
    client = NativeClient(counter.address, tmp_path, next(users))
    try:
        client.enter()
        counter.faults.mute(client.user)
        assert [client.ask("reqQryTradingAccount", {}) for _ in range(2)] == [0, -2]
        counter.faults.unmute(client.user)
        client.wait("onRspQryTradingAccount")

        def within_a_second() -> list[int]:
            """What a second question returns, asked as soon as the first is answered; nothing where that took
            too long.
            """
            began = time.monotonic()
            if client.ask("reqQryTradingAccount", {}) != 0:
                return []
            client.wait("onRspQryTradingAccount")
            returned = client.ask("reqQryTradingAccount", {})
            if returned == 0:
                client.wait("onRspQryTradingAccount")
            return [returned] if time.monotonic() - began < 1.0 else []

        assert eventually(
            within_a_second, "a second has passed, and two questions come within the next", 60
        ) == [-3]
    finally:
        client.close()


def test_errors_that_the_counter_was_told_to_answer_arrive_with_their_words(
    counter: CounterProcess, client: NativeClient
) -> None:
    client.enter()
    symbol, quote = a_contract(client, "m")
    counter.faults.refuse_next("query", 90, "CTP：查询未就绪，请稍后重试")
    assert client.ask("reqQryTradingAccount", {}) == 0
    data, error, _, last = client.wait("onRspQryTradingAccount").args
    assert (data, error, last) == ({}, {"ErrorID": 90, "ErrorMsg": "CTP：查询未就绪，请稍后重试"}, True)
    counter.faults.refuse_next("confirm", 1, "CTP:综合交易平台：不在已同步状态")
    client.ask("reqSettlementInfoConfirm", {})
    assert client.wait("onRspSettlementInfoConfirm").error["ErrorID"] == 1
    counter.faults.delay_cancel()
    counter.faults.set_quote(symbol, quote["LastPrice"] - 1, 5, quote["LastPrice"] + 1, 5, quote["LastPrice"])
    client.order(symbol, "DCE", BUY, OPEN, quote["LastPrice"], 1)
    resting = client.wait_status("3")
    key = {name: resting[name] for name in ("InstrumentID", "ExchangeID", "OrderRef", "FrontID", "SessionID")}
    assert client.ask("reqOrderAction", key | {"ActionFlag": "0"}) == 0
    counter.faults.set_quote(
        symbol, quote["LastPrice"] - 2, 5, quote["LastPrice"] - 1, 5, quote["LastPrice"] - 1, 5
    )
    client.wait_status("0")
    counter.faults.release_cancel()  # the race: the fill wins
    refused = client.wait("onErrRtnOrderAction")
    assert (refused.error["ErrorID"], refused.data["OrderRef"]) == (26, resting["OrderRef"])
    counter.faults.release_quote(symbol)


def test_a_text_longer_than_its_field_is_cut_at_its_end_within_a_character(
    counter: CounterProcess, client: NativeClient
) -> None:
    client.enter()
    symbol, quote = a_contract(client, "rb")
    before = "已撤单报单被拒绝SHFE:"  # 21 bytes of StatusMsg's 80: an odd number is left
    for count, arrives in ((20, 20), (60, 29)):
        counter.faults.reject_next("拒" * count)
        client.order(symbol, "SHFE", BUY, OPEN, quote["LastPrice"], 1)
        assert (
            client.wait_status("5")["StatusMsg"] == before + "拒" * arrives
        )  # the binding leaves the half out


def test_callbacks_can_come_twice_and_in_another_order(counter: CounterProcess, client: NativeClient) -> None:
    client.enter()
    symbol, quote = a_contract(client, "rb")
    counter.faults.duplicate(client.user, 9)
    client.order(symbol, "SHFE", BUY, OPEN, quote["UpperLimitPrice"], 1)
    client.wait_status("0")
    client.wait_status("0")
    first, second = client.wait("onRtnTrade"), client.wait("onRtnTrade")
    assert first.data == second.data
    counter.faults.duplicate(client.user, 1)
    counter.faults.reorder(client.user)
    before = len(client.heard)
    client.order(symbol, "SHFE", BUY, OPEN, quote["UpperLimitPrice"], 1)
    client.wait_status("0")
    client.wait_status("a")
    statuses = [called.data["OrderStatus"] for called in client.heard[before:] if called.name == "onRtnOrder"]
    assert statuses[0] == "0"


def test_a_broker_closes_what_it_wants(counter: CounterProcess, client: NativeClient) -> None:
    client.enter()
    symbol, quote = a_contract(client, "m")
    client.order(symbol, "DCE", BUY, OPEN, quote["UpperLimitPrice"], 2)
    client.wait_status("0")
    client.wait("onRtnTrade")
    counter.faults.force_close(client.user, symbol, "long", 2)
    row = client.wait("onRtnOrder", lambda called: called.data["CombOffsetFlag"] == "2").data
    assert (row["FrontID"], row["SessionID"]) == (0, 0)
    client.wait(
        "onRtnOrder",
        lambda called: called.data["CombOffsetFlag"] == "2" and called.data["OrderStatus"] == "0",
    )
    assert client.wait("onRtnTrade").data["OffsetFlag"] == "2"
    assert [row["Position"] for row in client.query("reqQryInvestorPosition")] == [0]


def test_a_conditional_order_of_a_terminal_waits_is_cancelled_by_its_number_or_becomes_another(
    counter: CounterProcess, client: NativeClient
) -> None:
    client.enter()
    symbol, quote = a_contract(client, "m")
    client.order(symbol, "DCE", BUY, OPEN, quote["UpperLimitPrice"], 2)
    client.wait_status("0")
    stop = {"symbol": symbol, "direction": "long", "volume": 2, "price": quote["LowerLimitPrice"]}
    first, second, third = (counter.faults.place_conditional(client.user, **stop) for _ in range(3))
    for number in (first, second, third):
        assert client.wait_status("b")["OrderSysID"] == number
        assert number.startswith("TJBD_")
    assert [row["ShortFrozen"] for row in client.query("reqQryInvestorPosition")] == [0]
    client.ask(
        "reqOrderAction",
        {"InstrumentID": symbol, "ExchangeID": "DCE", "OrderSysID": first, "ActionFlag": "0"},
    )
    assert client.wait_status("5")["OrderSysID"] == first
    before = len(client.heard)
    counter.faults.trigger(client.user, second)
    triggered = client.wait("onRtnOrder", lambda called: called.data["OrderStatus"] == "0").data
    assert triggered["OrderSysID"] != second
    counter.faults.trigger(client.user, third)
    refused = client.wait("onRtnErrorConditionalOrder").data
    assert (refused["OrderSysID"], refused["ErrorID"], refused["ErrorMsg"]) == (
        third,
        30,
        "CTP:平仓量超过持仓量",
    )
    rows = [called.data for called in client.heard[before:] if called.name == "onRtnOrder"]
    assert [row["OrderStatus"] for row in rows if row["OrderSysID"] in (second, third)] == ["c", "c"]
    client.ask(
        "reqOrderAction",
        {"InstrumentID": symbol, "ExchangeID": "DCE", "OrderSysID": second, "ActionFlag": "0"},
    )
    assert client.wait("onRspOrderAction").error["ErrorID"] == 26


def test_what_a_broker_insists_on_is_answered_by_number(
    counter: CounterProcess, client: NativeClient
) -> None:
    client.enter()
    counter.faults.set_rules(app_ids={"app": "code"}, must_change={client.user: 140}, uninitialised=1)
    try:
        counter.faults.disconnect(0x1001, client.user)
        client.wait("onFrontConnected")
        assert client.log_in().error["ErrorID"] == 64
        client.ask("reqAuthenticate", {"AppID": "app", "AuthCode": "wrong"})
        assert client.wait("onRspAuthenticate").error["ErrorID"] == 63
        client.ask("reqAuthenticate", {"AppID": "app", "AuthCode": "code"})
        assert client.wait("onRspAuthenticate").error == {"ErrorID": 0, "ErrorMsg": ""}
        assert [client.log_in().error["ErrorID"] for _ in range(2)] == [7, 140]
        client.ask("reqUserPasswordUpdate", {"OldPassword": client.password, "NewPassword": "another"})
        assert client.wait("onRspUserPasswordUpdate").error["ErrorID"] == 0
        assert client.log_in().error["ErrorID"] == 3
        client.password = "another"
        assert client.log_in().error["ErrorID"] == 0
    finally:
        counter.faults.set_rules()


def test_a_new_trading_day_ends_the_session_and_has_a_statement_of_the_old(
    counter: CounterProcess, client: NativeClient
) -> None:
    old = client.enter().data["TradingDay"]
    symbol, quote = a_contract(client, "rb")
    client.order(symbol, "SHFE", BUY, OPEN, quote["UpperLimitPrice"], 2)
    client.wait_status("0")
    client.start("md")
    client.wait("onFrontConnected")
    client.log_in("md")
    new = counter.faults.turn_day({symbol: quote["PreSettlementPrice"]})
    assert {client.wait("onFrontDisconnected").front for _ in range(2)} == {"td", "md"}
    eventually(lambda: client.ask("reqUserLogin", {"Password": client.password}, "md") == 0, "md is back")
    assert (
        client.wait("onRspUserLogin").error["ErrorID"] == 3
    )  # LoginVerify: not before trading, on each day anew
    for front in ("td", "md"):
        eventually(
            lambda front=front: client.ask("reqUserLogin", {"Password": client.password}, front) == 0,
            f"{front} is back",
        )
        assert (
            client.wait("onRspUserLogin", lambda called, front=front: called.front == front).data[
                "TradingDay"
            ]
            == new
        )
    pieces = client.query("reqQrySettlementInfo", {"TradingDay": old})
    assert [piece["SequenceNo"] for piece in pieces] == list(range(1, len(pieces) + 1))
    assert len(pieces) > 1
    text = b"".join(piece["Content"].encode("latin-1") for piece in pieces).decode("gb18030")
    assert old in text
    assert symbol in text
    assert "交易结算单" in text
    assert client.query("reqQrySettlementInfo", {"TradingDay": "20200101"}) == []
    assert client.query("reqQrySettlementInfoConfirm")[0]["ConfirmDate"]
    client.order(symbol, "SHFE", SELL, CLOSE, quote["LastPrice"], 2)
    assert client.wait("onRspOrderInsert").error["ErrorID"] == 42
    (row,) = client.query("reqQryInvestorPosition")
    assert (row["PositionDate"], row["YdPosition"], row["TodayPosition"]) == ("2", 2, 0)


def test_ten_thousand_quotes_at_once_all_come_through_the_binding(
    counter: CounterProcess, client: NativeClient
) -> None:
    client.enter()
    symbol, _ = a_contract(client, "rb")
    client.start("md")
    client.wait("onFrontConnected")
    client.log_in("md")
    client.call("md", "subscribeMarketData", symbol)
    first = client.wait("onRtnDepthMarketData").data["Volume"]
    counter.faults.set_quote(symbol, 3000, 1, 3001, 1, 3000)
    counter.faults.burst(symbol, 10_000)
    last = client.wait(
        "onRtnDepthMarketData", lambda called: called.data["Volume"] >= first + 10_000, 60
    ).data["Volume"]
    volumes = [called.data["Volume"] for called in client.heard if called.name == "onRtnDepthMarketData"]
    assert volumes[-10_000:] == list(range(last - 9_999, last + 1))
    counter.faults.release_quote(symbol)


def test_a_hundred_logins_and_logouts_leave_nothing_behind(client: NativeClient) -> None:
    def round_trip() -> None:
        client.enter()
        assert client.ask("reqUserLogout", {}) == 0
        client.wait("onRspUserLogout")
        client.call("td", "renew")

    def used() -> tuple[int, int, int]:
        """Threads, descriptors, resident kB of the client's process."""
        process = Path("/proc") / str(client.process.pid)
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        return int(status["Threads"]), len(list((process / "fd").iterdir())), int(status["VmRSS"].split()[0])

    for _ in range(10):
        round_trip()
    threads, descriptors, memory = used()
    for _ in range(100):
        round_trip()
    assert used()[:2] == (threads, descriptors)
    assert used()[2] - memory < 4096


def test_what_the_counter_does_not_serve_is_not_sent(client: NativeClient) -> None:
    client.enter()
    assert client.ask("reqQryExchange", {}) == -1
    rates = client.query(
        "reqQryInstrumentMarginRate", {"InstrumentID": a_contract(client, "rb")[0], "HedgeFlag": "1"}
    )
    assert 0 < rates[0]["LongMarginRatioByMoney"] < 1


def a_contract(client: NativeClient, product: str) -> tuple[str, dict[str, Any]]:
    """The nearest contract of a product and its quote."""
    rows = [row for row in client.query("reqQryInstrument") if row["ProductID"] == product]
    symbol = min(rows, key=lambda row: row["ExpireDate"])["InstrumentID"]
    return symbol, client.query("reqQryDepthMarketData", {"InstrumentID": symbol})[0]
