"""The stand-in for CTP's libraries under the real binding: it says what a front says, by the built-in counter's rules. `make test-full`."""

from __future__ import annotations

import itertools
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ctp_front.native import NativeClient
from tests.integration.test_counter_process import BUY, CLOSE, OPEN, SELL, CounterProcess

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
    assert len(login["TradingDay"]) == 8 and login["SessionID"] > 0 and ":" in login["SHFETime"]
    contracts = {row["InstrumentID"]: row for row in client.query("reqQryInstrument")}
    symbol = min(name for name, row in contracts.items() if row["ProductID"] == "rb")
    assert contracts[symbol]["ExchangeID"] == "SHFE" and contracts[symbol]["PriceTick"] == 1.0
    assert "螺纹钢" in contracts[symbol]["InstrumentName"]
    quote = client.query("reqQryDepthMarketData", {"InstrumentID": symbol})[0]

    client.order(symbol, "SHFE", BUY, OPEN, quote["UpperLimitPrice"], 2)
    assert client.wait_status("a")["OrderSubmitStatus"] == "0"
    trade = client.wait("onRtnTrade").data
    filled = client.wait_status("0")
    assert (trade["OrderSysID"], filled["VolumeTraded"]) == (filled["OrderSysID"], 2)
    assert len(filled["OrderSysID"]) == 12 and filled["OrderSysID"].startswith(" ")

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
    assert rejected["OrderSubmitStatus"] == "4" and "涨停板" in rejected["StatusMsg"]

    (account,) = client.query("reqQryTradingAccount")
    assert account["CurrMargin"] > 0 and account["AccountID"] == client.user
    (position,) = client.query("reqQryInvestorPosition")
    assert (position["PositionDate"], position["Position"], position["TodayPosition"], position["YdPosition"]) == ("1", 2, 2, 0)


def test_quotes_reach_a_native_client(counter: CounterProcess, client: NativeClient) -> None:
    client.enter()
    symbol = min(row["InstrumentID"] for row in client.query("reqQryInstrument") if row["ProductID"] == "rb")
    client.start("md")
    client.wait("onFrontConnected")
    assert client.log_in("md").error["ErrorID"] == 0
    assert client.call("md", "subscribeMarketData", symbol) == 0
    tick = client.wait("onRtnDepthMarketData").data
    assert tick["InstrumentID"] == symbol and tick["ExchangeID"] == "" and tick["BidPrice2"] > 1e308
    client.call("md", "subscribeMarketData", "nothing")
    assert client.wait("onRspSubMarketData").error["ErrorID"] == 16
