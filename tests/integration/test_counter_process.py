"""The counter as a process: it answers over its socket, keeps everything over kill -9, and does the tests'
faults.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from app.counter.server import CounterServer, Outgoing
from app.lib import calendar
from app.wire import frames as f
from app.wire.channel import connect, new_address
from tests.support.counter_process import BUY, DEADLINE, OPEN, ROOT, SELL, CounterProcess, Session
from tests.support.faults import FaultRefused
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def counter():
    with tempfile.TemporaryDirectory(prefix="counter") as folder:
        made = CounterProcess(Path(folder))
        yield made
        if made.process is not None and made.process.poll() is None:
            made.end(signal.SIGTERM)


@pytest.fixture
def rb(counter):
    """A SHFE contract with a fixed quote, and its middle."""
    rows = Session(counter.address, "looker").query("instrument")
    row = max((row for row in rows if row.ProductID == "rb"), key=lambda row: row.ExpireDate)
    middle = row.PreSettlementPrice
    counter.faults.set_quote(row.InstrumentID, middle - row.PriceTick, 5, middle + row.PriceTick, 5, middle)
    return row


def test_a_wrong_password_is_refused(counter):
    Session(counter.address, "keeper", "right")
    assert Session(counter.address, "keeper", "wrong").login.ErrorID == 3


def test_a_subscriber_hears_ticks_and_heartbeats(counter, rb):
    md = Session(counter.address, "watcher", "", "md")
    md.ask(f.ReqSubMarketData(InstrumentIDs=[rb.InstrumentID]))
    tick = md.wait(lambda frame: isinstance(frame, f.RtnDepthMarketData)).ticks[0]
    assert (tick.InstrumentID, tick.BidVolume1) == (rb.InstrumentID, 5)
    md.wait(lambda frame: isinstance(frame, f.Heartbeat))
    counter.faults.release_quote(rb.InstrumentID)
    md.wait(lambda frame: isinstance(frame, f.RtnDepthMarketData))


def test_after_kill_9_everything_is_as_it_was_and_no_number_is_given_twice(counter, rb):
    td = Session(counter.address)
    td.order(rb.InstrumentID, "SHFE", BUY, OPEN, rb.PreSettlementPrice + rb.PriceTick, 7)
    td.wait_status("1")
    before = counter.faults.books()["trader"]
    assert before["orders"][0]["VolumeTraded"] == 5
    assert before["lots"][0]["volume"] == 5
    assert counter.end(signal.SIGKILL) == -signal.SIGKILL
    td.wait(lambda frame: frame is None)
    counter.start()
    again = Session(counter.address)
    assert again.login.SessionID > td.login.SessionID
    assert counter.faults.books()["trader"] == before
    again.wait(lambda frame: isinstance(frame, f.RtnTrade))
    assert again.told() == ["1", "T"]
    counter.faults.set_quote(
        rb.InstrumentID,
        rb.PreSettlementPrice - 2 * rb.PriceTick,
        9,
        rb.PreSettlementPrice,
        9,
        rb.PreSettlementPrice,
    )
    row = again.wait_status("0")
    assert row.VolumeTraded == 7
    assert row.SessionID == td.login.SessionID
    again.order(rb.InstrumentID, "SHFE", SELL, OPEN, rb.PreSettlementPrice - 2 * rb.PriceTick, 1)
    again.wait_status("0")
    trades, orders = again.query("trade"), again.query("order")
    assert len({trade.TradeID for trade in trades}) == len(trades) == 3
    assert len({order.OrderSysID for order in orders}) == len(orders) == 2


def test_garbage_costs_only_the_connection_it_came_from(counter):
    td, bad = Session(counter.address, "calm"), connect(counter.address)
    bad.send(b"\xc1 this is no msgpack")
    assert list(bad.frames()) == []
    assert td.query("account")[0].Available == 1_000_000.0


def test_a_second_counter_on_the_same_data_does_not_start(counter):
    environment = {
        name: value for name, value in counter.environment.items() if name != "COUNTER_TEST_SOCKET"
    }
    second = subprocess.run(
        [sys.executable, "-m", "app.counter"], cwd=ROOT, env=environment, timeout=DEADLINE
    )
    assert second.returncode == 1
    assert "柜台数据库打不开" in counter.log.read_text("utf-8")
    assert Session(counter.address, "calm").login.ErrorID == 0


# ── faults ──


def test_dropped_connections_end(counter):
    td, other = Session(counter.address, "dropped"), Session(counter.address, "stays")
    assert counter.faults.drop("dropped", "td") == 1
    td.wait(lambda frame: frame is None)
    assert other.query("account")


def test_what_is_muted_comes_in_order_when_it_is_not_muted_any_more(counter, rb):
    td = Session(counter.address, "muted")
    counter.faults.mute("muted")
    td.order(rb.InstrumentID, "SHFE", BUY, OPEN, rb.PreSettlementPrice + rb.PriceTick, 1)
    loud = Session(counter.address, "loud")
    loud.query("account")  # behind the order in the counter's queue
    deadline = time.monotonic() + DEADLINE
    while not counter.faults.books()["muted"]["orders"]:
        assert time.monotonic() < deadline
    td.wait(lambda frame: isinstance(frame, f.Heartbeat))
    assert td.told() == []
    counter.faults.unmute("muted")
    td.wait_trade()
    assert td.told() == ["a", "0", "T"]


def test_rows_come_twice_or_swapped_on_demand(counter, rb):
    td = Session(counter.address, "twice")
    counter.faults.duplicate("twice", 2)
    td.order(rb.InstrumentID, "SHFE", BUY, OPEN, rb.PreSettlementPrice + rb.PriceTick, 1)
    td.wait_trade()
    assert td.told() == ["a", "a", "0", "0", "T"]
    counter.faults.reorder("twice")
    td.order(rb.InstrumentID, "SHFE", BUY, OPEN, rb.PreSettlementPrice + rb.PriceTick, 1)
    td.wait_trade()
    assert td.told()[5:] == ["0", "a", "T"]


def test_the_next_login_order_or_cancel_is_refused_on_demand(counter, rb):
    td = Session(counter.address, "refused")
    counter.faults.refuse_next("order", 116, "CTP:下单流控")
    td.order(rb.InstrumentID, "SHFE", BUY, OPEN, rb.LowerLimitPrice, 1)
    assert td.wait(lambda frame: isinstance(frame, f.RspOrderInsert)).ErrorID == 116
    counter.faults.reject_next("品种不在交易时间")
    td.order(rb.InstrumentID, "SHFE", BUY, OPEN, rb.LowerLimitPrice, 1)
    assert td.wait_status("5").StatusMsg == "已撤单报单被拒绝SHFE:品种不在交易时间"
    td.order(rb.InstrumentID, "SHFE", BUY, OPEN, rb.LowerLimitPrice, 1)
    row = td.wait_status("3")
    counter.faults.refuse_next("cancel", 24, "CTP:撤单已报送")
    td.cancel(row)
    assert td.wait(lambda frame: isinstance(frame, f.RspOrderAction)).ErrorID == 24
    counter.faults.refuse_next("login", 7, "CTP:还没有初始化")
    assert Session(counter.address, "refused").login.ErrorID == 7


def test_an_order_can_be_left_on_its_way_and_sent_on(counter, rb):
    td = Session(counter.address, "late")
    counter.faults.delay_accept()
    td.order(rb.InstrumentID, "SHFE", BUY, OPEN, rb.LowerLimitPrice, 1)
    assert td.wait_status("a").OrderSysID == ""
    assert td.query("order")[0].OrderStatus == "a"
    assert td.query("account")[0].FrozenMargin > 0
    counter.faults.release_accept()
    td.wait_status("3")


def test_an_order_that_is_filled_while_its_cancel_is_on_the_way_is_filled(counter, rb):
    td = Session(counter.address, "racer")
    td.order(rb.InstrumentID, "SHFE", BUY, OPEN, rb.PreSettlementPrice, 1)
    row = td.wait_status("3")
    counter.faults.delay_cancel()
    td.cancel(row)
    td.cancel(row)
    assert td.wait(lambda frame: isinstance(frame, f.RspOrderAction)).ErrorID == 24
    counter.faults.set_quote(
        rb.InstrumentID,
        rb.PreSettlementPrice - 2 * rb.PriceTick,
        5,
        rb.PreSettlementPrice,
        5,
        rb.PreSettlementPrice,
    )
    td.wait_status("0")
    counter.faults.release_cancel()
    assert td.wait(lambda frame: isinstance(frame, f.RspOrderAction)).ErrorID == 26


def test_the_day_turns_on_demand_and_stays_turned_after_a_restart(counter, rb):
    td = Session(counter.address, "sleeper")
    td.order(rb.InstrumentID, "SHFE", BUY, OPEN, rb.PreSettlementPrice + rb.PriceTick, 2)
    td.wait_status("0")
    settlement = rb.PreSettlementPrice + 10 * rb.PriceTick
    new_day = counter.faults.turn_day({rb.InstrumentID: settlement})
    td.wait(lambda frame: isinstance(frame, f.Heartbeat) and frame.TradingDay == new_day)
    book = counter.faults.books()["sleeper"]
    assert book["lots"][0]["base_price"] == settlement
    assert book["orders"] == []
    assert book["trading_day"] == new_day
    assert book["money"]["PreBalance"] > 1_000_000
    assert book["money"]["PositionProfit"] == -200.0, (
        "2 lots of 10 t from the settlement down to the quote that is still fixed"
    )
    with pytest.raises(FaultRefused):
        counter.faults.turn_day({}, "20000101")
    counter.end(signal.SIGKILL)
    counter.start()
    assert counter.faults.books()["sleeper"] == book


class IdleCore:
    """Nothing happens at it."""

    def advance(self) -> list[Any]:
        return []

    def heartbeat(self) -> list[Any]:
        return []

    def keep_market(self) -> None:
        pass


def test_a_running_counter_reads_a_calendar_that_was_corrected_and_a_broken_one_does_not_stop_it(
    tmp_path, caplog
):
    file, day = tmp_path / "days.toml", date(2025, 6, 9)
    file.write_text("")
    calendar.use_overrides(file)
    server = CounterServer(IdleCore(), new_address(tmp_path, "counter.sock"), Outgoing())  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert calendar.is_trading_day(day)
        file.write_text("closed = 3")
        eventually(lambda: "days.toml" in caplog.text, "the broken file is named")
        file.write_text("closed = [2025-06-09]")
        eventually(lambda: not calendar.is_trading_day(day), "the counter has read it")
        assert caplog.text.count("先前的内容仍然有效") == 1
    finally:
        server.stop()
        thread.join()
        calendar.use_overrides(None)


def test_sigterm_ends_it_within_a_second_with_connections_open_and_takes_its_entry_away(counter):
    td = Session(counter.address, "last")
    begun = time.monotonic()
    assert counter.end(signal.SIGTERM) == 0
    took = time.monotonic() - begun
    assert took < 1.0, counter.log.read_text()[-2000:]
    assert counter.registry.find("counter", only_living=False) is None
    td.wait(lambda frame: frame is None)
    counter.start()
    assert Session(counter.address, "last").login.ErrorID == 0
