"""The gateway's own process against the counter's own process: log in, watch, trade, restart, and what goes
wrong on the way.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.bee import entities
from app.gateway.preview import CLOSES
from app.lib.calendar import SHANGHAI
from app.lib.errors import (
    BadInput,
    FrontUnreachable,
    GatewayDown,
    LoginRefused,
    NotFound,
    NotReady,
    OrderRefused,
)
from app.model import open_store
from app.settings import Settings
from app.wire import channel, deadlines
from app.wire.messages import (
    AwaitLogin,
    CancelAll,
    CancelOrder,
    CheckPassword,
    CloseOutcome,
    ClosePosition,
    Counted,
    DescribeContract,
    Done,
    FindOrder,
    ListAccounts,
    ListContracts,
    OrderOutcome,
    PlaceOrder,
    PreviewOrder,
    Push,
    PushContracts,
    ReadAccount,
    ReadBars,
    ReadConfig,
    ReadEquity,
    ReadEvents,
    ReadLists,
    ReadStatus,
    ReadTick,
    ShutDown,
    Subscribe,
    Symbols,
    Unsubscribe,
    VoidOrder,
    Watch,
    WriteConfig,
)
from app.wire.registry import Registry
from app.wire.rpc import RpcClient
from tests.support.kept_calendar import keep_calendar
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
PASSWORD = "pass-word-4711"
CLOCK = "2025-06-06T10:00:50"  # a Friday morning, ten seconds before a minute ends


class Page:
    """A watcher of one account's gateway: its calls, its snapshot, and what was pushed to it."""

    def __init__(self, address: str) -> None:
        self.pushes: list[Push] = []
        self.client = RpcClient(address, self.pushes.append)

    def ask(self, request: Any, timeout: float = 15.0) -> Any:
        return self.client.call(request, timeout)

    def json(self, request: Any) -> Any:
        return json.loads(self.ask(request).payload)

    def events(self, name: str) -> list[Any]:
        return [json.loads(push.payload) for push in list(self.pushes) if push.name == name]

    def waits_for(self, name: str, fits: Callable[[Any], Any] = lambda _payload: True) -> Any:
        return eventually(
            lambda: next((payload for payload in self.events(name) if fits(payload)), None), f"event {name}"
        )


class World:
    """One data directory with a counter (its clock is set, its faults are on) and gateways."""

    def __init__(self, data_dir: Path, **options: Any) -> None:
        options = {"data_dir": data_dir, "counter_clock": CLOCK, "order_timeout": 10.0} | options
        self.settings = Settings.load(None, {}, **options)
        self.registry = Registry(data_dir)
        keep_calendar(data_dir)
        self.faults_at = channel.new_address(self.registry.run_dir, "faults")
        self.children: list[subprocess.Popen[bytes]] = []
        self.pages: list[Page] = []
        self.counter = self.start_counter()

    def _start(self, module: str, stdin: bytes = b"", **options: Any) -> subprocess.Popen[bytes]:
        settings = self.settings.model_copy(update=options)
        environment = settings.to_environment() | {"COUNTER_TEST_SOCKET": self.faults_at}
        child = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.children.append(child)
        assert child.stdin is not None
        child.stdin.write(stdin)
        child.stdin.close()  # whoever started it is gone, as far as it can see
        return child

    def start_counter(self) -> subprocess.Popen[bytes]:
        child = self._start("app.counter")
        self._registered("counter", child)
        return child

    def start_gateway(
        self, userid: str = "demo", password: str = PASSWORD, **options: Any
    ) -> subprocess.Popen[bytes]:
        """`options` are those of its settings that are other than the world's."""
        line = {
            "account": f"sim-9999-{userid}",
            "interface": "sim",
            "brokerid": "9999",
            "userid": userid,
            "password": password,
            "td_address": "tcp://td:1,tcp://td2:1",
            "md_address": "tcp://md:1",
            "counter_address": self._address("counter"),
        }
        child = self._start("app.gateway", json.dumps(line).encode() + b"\n", **options)
        self._registered(f"gateway-sim-9999-{userid}", child)
        return child

    def open_page(self, userid: str = "demo") -> Page:
        page = Page(self._address(f"gateway-sim-9999-{userid}"))
        self.pages.append(page)
        return page

    def log_in(self, userid: str = "demo", **options: Any) -> tuple[subprocess.Popen[bytes], Page]:
        child = self.start_gateway(userid, **options)
        page = self.open_page(userid)
        assert page.ask(AwaitLogin(15.0), 20.0) == Done()
        return child, page

    def near_minutes_end(self, forming: dict[str, Any]) -> None:
        """The counter's clock jumps to the last second of the minute of this `bar_update`."""
        moment = datetime.fromtimestamp(forming["data"][0] / 1000, SHANGHAI).replace(tzinfo=None, second=59)
        self.fault("set_clock", now=moment.isoformat())

    def buys(self, page: Page, symbol: str, tick: dict[str, Any], volume: int = 2) -> OrderOutcome:
        """A buy that fills at once and in one, which the generated market with its few lots does not
        promise.
        """
        with self.deep_market(page, symbol):
            outcome: OrderOutcome = page.ask(buy(symbol, tick["limit_up"], volume))
            eventually(lambda: (rows := held(page)) and rows[0]["volume"] == volume, "it is bought")
        return outcome

    def closes(self, page: Page, symbol: str, volume: int = 2) -> CloseOutcome:
        """A close that fills at once and in one."""
        with self.deep_market(page, symbol):
            outcome: CloseOutcome = page.ask(ClosePosition(symbol, "long", volume))
            eventually(lambda: not held(page), "the position is closed")
        return outcome

    @contextmanager
    def deep_market(self, page: Page, symbol: str) -> Iterator[None]:
        """Meanwhile a hundred lots are bid at the newest price, and as many asked one tick above it."""
        instrument = symbol.partition(".")[0]
        last = [event["data"] for event in page.events("tick") if event["data"]["local_symbol"] == symbol][
            -1
        ]["last_price"]
        ask = last + page.json(DescribeContract(symbol))["pricetick"]
        self.fault(
            "set_quote", symbol=instrument, bid=last, bid_volume=100, ask=ask, ask_volume=100, last=last
        )
        page.waits_for(
            "tick",
            lambda event: (event["data"]["bid_volume_1"], event["data"]["local_symbol"]) == (100, symbol),
        )
        try:
            yield
        finally:
            self.fault("release_quote", symbol=instrument)

    def fault(self, do: str, **arguments: Any) -> Any:
        connection = channel.connect(self.faults_at)
        try:
            connection.send(msgspec.msgpack.encode({"do": do} | arguments))
            answer = msgspec.msgpack.decode(next(connection.frames()))
        finally:
            connection.close()
        assert answer["ok"], answer
        return answer["result"]

    def _address(self, name: str) -> str:
        entry = self.registry.find(name, only_living=False)
        assert entry is not None
        return entry.address

    def _registered(self, name: str, child: subprocess.Popen[bytes]) -> None:
        def found() -> bool:
            assert child.poll() is None, f"{name} ended with {child.poll()}"
            entry = self.registry.find(name)
            return entry is not None and entry.pid == child.pid

        eventually(found, f"{name} listens", 30.0)

    def close(self) -> None:
        for page in self.pages:
            page.client.close()
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait(30)


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For tests that leave the processes alive; each takes an account of its own."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "days.toml").write_text("")
    world = World(folder / "data", calendar_file=folder / "days.toml")
    yield world
    world.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """For tests that end or kill something."""
    world = World(tmp_path / "data")
    yield world
    world.close()


def a_contract(page: Page, product: str = "rb") -> tuple[str, dict[str, Any]]:
    """The second month of a product, subscribed, and its first tick."""
    contracts = page.json(Watch())["contract"]
    symbol = [name for name in contracts if name.rstrip("0123456789.ABCDEFGHIJKLMNOPQRSTUVWXYZ") == product][
        1
    ]
    page.ask(Subscribe([symbol]))
    tick = page.waits_for("tick", lambda event: event["data"]["local_symbol"] == symbol)
    return symbol, tick["data"]


def buy(symbol: str, price: float, volume: int = 2, **values: Any) -> PlaceOrder:
    fields: dict[str, Any] = {"direction": "long", "offset": "open", "type": "limit"}
    return PlaceOrder(symbol, price=price, volume=volume, **(fields | values))


def held(page: Page) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = page.json(ReadLists())["position_list"]
    return rows


def stop(child: subprocess.Popen[bytes]) -> int:
    child.send_signal(signal.SIGTERM)
    return child.wait(30.0)


# ── the main job ──


def test_a_trader_watches_buys_sells_and_finds_every_event(shared_world: World) -> None:
    _, page = shared_world.log_in("main")
    symbol, tick = a_contract(page)
    assert tick["datetime"].startswith("2025-06-06 10:0")
    assert tick["datetime"][-4] == "."
    assert tick["exchange"] == "SHFE"
    assert tick["symbol"] == symbol.partition(".")[0]

    bought = shared_world.buys(page, symbol, tick)
    assert bought.state == "accepted"
    page.waits_for("position", lambda event: event["data"] and event["data"][0]["volume"] == 2)
    row = held(page)[0]
    assert (row["direction"], row["available"], row["local_symbol"]) == ("long", 2, symbol)

    closed = shared_world.closes(page, symbol)
    assert [outcome.state for outcome in closed.outcomes] == ["accepted"]

    page.waits_for(
        "trade_update", lambda event: event["data"]["order_id"] == closed.outcomes[0].order_id
    )  # it comes after the order's row
    lists = page.json(ReadLists())
    assert [order["status"] for order in lists["order_list"]] == ["全部成交", "全部成交"]
    assert [trade["offset"] for trade in lists["trade_list"]] == ["开", "平今"]
    assert lists["active_order_list"] == []
    assert lists["log_history"]
    page.waits_for(
        "account_detail",
        lambda event: {pair["key"]: pair["value"] for pair in event["data"]}["commission"] > 0,
    )
    page.waits_for("trade", lambda event: len(event["data"]) == 2)

    def journaled() -> dict[str, Any] | None:
        seqs = sorted(
            event["seq"] for name in ("order_update", "trade_update") for event in page.events(name)
        )
        events: dict[str, Any] = page.json(ReadEvents(0))
        last = events["events"][-1]["data"]
        is_over = len(page.events("trade_update")) == 2 and last["order_id"] == order_id and "tradeid" in last
        return events if is_over and seqs == [event["seq"] for event in events["events"]] else None

    order_id = closed.outcomes[0].order_id
    events = eventually(journaled, "page and journal have the same, to the close's end")
    assert [event["seq"] for event in events["events"]] == list(range(1, events["seq"] + 1))


def test_ticks_become_bars_that_are_pushed_kept_and_served(shared_world: World) -> None:
    _, page = shared_world.log_in("bars")
    symbol, _ = a_contract(page, "ag")
    forming = page.waits_for("bar_update", lambda event: event["local_symbol"] == symbol)
    assert forming["interval"] == "1m"
    assert len(forming["data"]) == 6
    shared_world.near_minutes_end(forming)
    closed = eventually(
        lambda: next((event for event in page.events("bar") if event["local_symbol"] == symbol), None),
        "a bar closes",
        75.0,
    )
    start, opened, high, low, last, volume = closed["data"]
    assert start % 60_000 == 0
    assert low <= opened <= high
    assert low <= last <= high
    assert volume >= 0
    bars = eventually(lambda: page.json(ReadBars(symbol)), "the bar is served")
    assert bars[0] == closed["data"]
    assert page.json(ReadBars(symbol, interval="5m"))[0][0] % 300_000 == 0
    assert page.json(ReadBars(symbol, start=start + 86_400_000)) == []


def test_two_accounts_see_nothing_of_each_other(shared_world: World) -> None:
    _, anna = shared_world.log_in("anna")
    _, bert = shared_world.log_in("bert")
    symbol, tick = a_contract(anna)
    bert.ask(Watch())
    order_id = anna.ask(buy(symbol, tick["limit_down"])).order_id
    anna.waits_for("order", lambda event: event["data"])
    with pytest.raises(NotFound):
        bert.ask(CancelOrder(order_id, symbol))
    assert bert.json(ReadLists())["order_list"] == []
    assert {push.name for push in bert.pushes} <= {"status", "account", "account_detail", "log", "position"}
    assert anna.json(ReadLists())["active_order_list"][0]["order_id"] == order_id


def test_what_a_watcher_gets_after_its_snapshot_is_newer(shared_world: World) -> None:
    _, page = shared_world.log_in("cut")
    symbol, tick = a_contract(page)
    page.ask(buy(symbol, tick["limit_down"]))
    eventually(lambda: page.json(ReadEvents(0))["seq"] >= 2, "the order is journaled")
    late = shared_world.open_page("cut")
    snapshot = late.json(Watch())
    assert snapshot["seq"] >= 2
    assert len(snapshot["order"]) == 1
    assert snapshot["active_order"] == snapshot["order"]
    assert set(snapshot) == {
        "seq",
        "account",
        "account_detail",
        "position",
        "active_order",
        "order",
        "trade",
        "contract",
        "status",
        "states",
    }
    page.ask(CancelAll())
    assert late.waits_for("order_update")["seq"] > snapshot["seq"]


def test_cancels_of_what_works_and_of_what_does_not(shared_world: World) -> None:
    _, page = shared_world.log_in("cancel")
    symbol, tick = a_contract(page)
    order_id = page.ask(buy(symbol, tick["limit_down"])).order_id
    assert page.ask(CancelOrder(f"sim.{order_id}", symbol)) == Done()
    assert page.json(ReadLists())["order_list"][0]["status"] == "已撤销"
    with pytest.raises(OrderRefused) as refused:
        page.ask(CancelOrder(order_id, symbol))
    assert refused.value.code == "ORDER_ENDED"
    with pytest.raises(NotFound):
        page.ask(CancelOrder("1_1_999"))
    for _ in range(3):
        page.ask(buy(symbol, tick["limit_down"]))
    assert page.ask(CancelAll()) == Counted(3)
    page.waits_for("active_order", lambda event: event["data"] == [])


def test_refusals_carry_the_counters_id_and_text(shared_world: World) -> None:
    _, page = shared_world.log_in("refused")
    symbol, tick = a_contract(page)
    poor = page.ask(buy(symbol, tick["limit_up"], 500))
    assert (poor.state, poor.code) == ("refused", "CTP_31")
    assert "资金不足" in poor.message
    nothing_to_close = page.ask(buy(symbol, tick["limit_up"], offset="closetoday"))
    assert nothing_to_close.code == "CTP_50"
    shared_world.fault("reject_next", text="SHFE:交易所说不")
    rejected = page.ask(buy(symbol, tick["limit_down"]))
    assert rejected.code == "EXCHANGE_REJECT"
    assert "交易所说不" in rejected.message
    assert [order["status"] for order in page.json(ReadLists())["order_list"]] == ["拒单"] * 3


def test_a_bad_order_is_named_and_the_counter_never_hears_of_it(shared_world: World) -> None:
    _, page = shared_world.log_in("bad")
    symbol, tick = a_contract(page)
    for parameter, order in [
        ("local_symbol", buy("rb9999.SHFE", 3000.0)),
        ("price", buy(symbol, tick["limit_up"] + 1)),
        ("price", buy(symbol, tick["last_price"] + 0.5)),
        ("volume", buy(symbol, tick["last_price"], 0)),
        ("volume", buy(symbol, tick["last_price"], 1 << 40)),
        ("direction", buy(symbol, tick["last_price"], direction="up")),
        ("client_order_id", buy(symbol, tick["last_price"], client_order_id="\x00")),
    ]:
        with pytest.raises(BadInput) as bad:
            page.ask(order)
        assert bad.value.extra["parameter"] == parameter
    assert page.json(ReadLists())["order_list"] == []
    assert page.json(ReadEvents(0))["seq"] == 0


def test_an_order_that_its_gateway_gets_to_too_late_is_not_sent_and_everybody_is_told(
    shared_world: World,
) -> None:
    child, page = shared_world.log_in("late")
    other = shared_world.open_page("late")
    other.ask(Watch())
    symbol, tick = a_contract(page)
    child.send_signal(signal.SIGSTOP)
    order = buy(symbol, tick["limit_down"], client_order_id="late-1", deadline=deadlines.from_now(0.2))
    close = ClosePosition(symbol, "long", 1, deadline=order.deadline)
    for request in (order, close):
        with pytest.raises(GatewayDown) as down:
            page.ask(request, 0.2)
        assert down.value.extra["asked"]  # it may leave yet: who asked has to take it for sent
    eventually(lambda: deadlines.is_over(order.deadline), "the deadline has passed")
    child.send_signal(signal.SIGCONT)

    told = other.waits_for("error", lambda event: event["error"] == "NEVER_SENT_TOO_LATE")
    assert (told["refused_by"], told["client_order_id"]) == ("us", "late-1")
    assert "未发出" in told["msg"]
    assert (
        len(eventually(lambda: (events := other.events("error"))[1:] and events, "the close is told of too"))
        == 2
    )
    again = page.ask(msgspec.structs.replace(order, deadline=deadlines.from_now()))
    assert (again.state, again.code, again.order_id) == ("refused", "NEVER_SENT_TOO_LATE", told["order_id"])
    assert page.json(ReadLists())["order_list"] == []
    assert page.json(ReadEvents(0))["seq"] == 0
    assert [book["orders"] for book in shared_world.fault("books") if book["user"] == "late"] == [[]]
    assert page.ask(buy(symbol, tick["limit_down"], deadline=deadlines.from_now())).state == "accepted"
    page.ask(CancelAll())


def test_an_order_that_the_counter_does_not_answer_is_unknown_then_found(shared_world: World) -> None:
    _, page = shared_world.log_in("silence", order_timeout=0.5)
    symbol, tick = a_contract(page)
    shared_world.fault("mute", user="silence")
    order = buy(symbol, tick["limit_down"], client_order_id="quiet-1")
    outcome = page.ask(order)
    assert (outcome.state, outcome.code) == ("unknown", "ORDER_STATE_UNKNOWN")
    assert outcome.order_id
    assert "请勿重复下单" in outcome.message
    assert page.ask(order).code == "ORDER_STATE_UNKNOWN"
    shared_world.fault("unmute", user="silence")
    eventually(lambda: page.ask(order).state == "accepted", "the answer comes late")
    assert [row["order_id"] for row in page.json(ReadLists())["order_list"]] == [outcome.order_id]


def test_a_refusal_that_comes_after_the_wait_is_pushed_as_an_error(shared_world: World) -> None:
    _, page = shared_world.log_in("behind", order_timeout=0.5)
    symbol, tick = a_contract(page)
    shared_world.fault("mute", user="behind")
    outcome = page.ask(buy(symbol, tick["limit_up"], 500))
    assert outcome.state == "unknown"
    shared_world.fault("unmute", user="behind")
    error = page.waits_for("error")
    assert error["error"] == "CTP_31"
    assert error["order_id"] == outcome.order_id


def test_a_close_needs_lots_and_a_fresh_price(shared_world: World) -> None:
    _, page = shared_world.log_in("close")
    symbol, tick = a_contract(page)
    with pytest.raises(OrderRefused) as none_held:
        page.ask(ClosePosition(symbol, "long", 1))
    assert none_held.value.code == "CLOSABLE_EXCEEDED"
    with pytest.raises(BadInput):
        page.ask(ClosePosition(symbol, "sideways", 1))
    assert page.json(ReadLists())["order_list"] == []


# ── subscriptions, config, the rest ──


def test_one_unknown_symbol_and_none_is_subscribed(shared_world: World) -> None:
    _, page = shared_world.log_in("subscriber")
    page.ask(Watch())
    with pytest.raises(BadInput) as bad:
        page.ask(Subscribe(["rb2510", "nope2510.SHFE"]))
    assert bad.value.code == "UNKNOWN_SYMBOL"
    assert "nope2510" in bad.value.message
    assert page.ask(Subscribe(["rb2510", "rb2510.SHFE"])) == Symbols(["rb2510.SHFE"])
    page.waits_for("tick", lambda event: event["data"]["symbol"] == "rb2510")
    assert page.ask(Unsubscribe(["rb2510"])) == Symbols(["rb2510.SHFE"])


def test_a_page_that_subscribes_what_is_streamed_already_is_told_its_newest_quote(
    shared_world: World,
) -> None:
    # a quiet contract would show nothing to a page that is loaded anew until the quote's next change
    _, page = shared_world.log_in("latecomer")
    page.ask(Watch())
    page.ask(Subscribe(["ag2510"]))
    page.waits_for("tick", lambda event: event["data"]["symbol"] == "ag2510")
    with shared_world.deep_market(page, "ag2510.SHFE"):
        newest = page.json(ReadTick("ag2510"))
        late = shared_world.open_page("latecomer")
        late.ask(Watch())
        late.ask(Subscribe(["ag2510"]))
        assert late.waits_for("tick")["data"] == newest
        page.ask(Unsubscribe(["ag2510"]))


def test_a_calendar_that_is_corrected_counts_without_a_restart_and_what_is_wrong_with_it_is_told(
    shared_world: World,
) -> None:
    _, page = shared_world.log_in("almanac")
    page.json(Watch())

    def state_is(state: str) -> bool:
        return page.json(ReadStatus())["calendar"]["state"] == state

    file = shared_world.settings.calendar_file
    assert file is not None
    eventually(lambda: state_is("sure"), "the calendar is known")
    file.write_text("closed = [2025-06-09")
    error = page.waits_for("error", lambda told: told["error"] == "CALENDAR")
    assert "days.toml" in error["msg"]
    assert state_is("broken")
    status = page.waits_for("status", lambda told: told["data"]["calendar"]["state"] == "broken")
    assert status["data"]["calendar"]["reason"] in error["msg"]
    file.write_text("")
    eventually(lambda: state_is("sure"), "the calendar is mended")
    assert len([told for told in page.events("error") if told["error"] == "CALENDAR"]) == 1


def test_the_contract_list_and_a_contract_can_be_asked_for(shared_world: World) -> None:
    _, page = shared_world.log_in("contracts")
    contracts = page.json(Watch())["contract"]
    assert contracts == sorted(contracts, key=str.upper) != sorted(contracts)
    assert page.ask(PushContracts()) == Counted(len(contracts))
    assert page.waits_for("contract") == contracts
    row = page.json(DescribeContract("rb2510"))
    assert (row["local_symbol"], row["size"], row["pricetick"]) == ("rb2510.SHFE", 10, 1.0)
    assert (row["product_name"], row["order_types"], row["rates"]) == (
        "螺纹钢",
        ["limit", "fak", "fok"],
        "account",
    )
    assert row["sessions"] == [["15:30", "15:30"]]  # the world's counter never pauses
    ((start, end),) = row["session_times"]
    assert start < end
    last = datetime.fromtimestamp(end / 1000, SHANGHAI)
    assert last.strftime("%Y%m%d %H:%M") == f"{row['trading_day']} 15:30"
    with pytest.raises(NotFound):
        page.ask(DescribeContract("rb2510.DCE"))


def test_a_preview_is_what_the_order_then_freezes_and_a_lot_more_than_the_largest_is_refused(
    shared_world: World,
) -> None:
    _, page = shared_world.log_in("preview")
    row = page.json(DescribeContract("au2512"))
    resting = ("au2512.SHFE", "long", "open", "limit", row["limit_down"])
    first = page.json(PreviewOrder(*resting, 1))
    largest = first["largest"]["long"]["open"]
    assert 0 < largest < first["order_limit"]
    assert (first["rates"], first["problem"], first["price"]) == ("account", None, row["limit_down"])
    told = page.json(PreviewOrder(*resting, largest))
    assert told["margin"] + told["fee"] <= told["available"] < told["margin"] / largest * (largest + 1)
    assert page.json(ReadLists())["order_list"] == []
    refused = page.ask(PlaceOrder(*resting, largest + 1))
    assert (refused.state, refused.code) == ("refused", "CTP_31")
    outcome = page.ask(PlaceOrder(*resting, largest))
    assert outcome.status == "未成交"
    funds = {pair["key"]: pair["value"] for pair in page.json(ReadAccount())["account_detail"]}
    assert (funds["frozen_margin"], funds["frozen_commission"]) == (told["margin"], told["fee"])
    assert page.json(PreviewOrder(*resting, 1))["largest"]["long"]["open"] == 0
    page.ask(CancelOrder(outcome.order_id))


def test_a_preview_of_a_close_counts_the_lots_of_the_other_side_and_their_fee(shared_world: World) -> None:
    _, page = shared_world.log_in("preview2")
    symbol, tick = a_contract(page, "zn")
    shared_world.buys(page, symbol, tick, 3)
    close = page.json(PreviewOrder(symbol, "short", "closetoday", "limit", tick["last_price"], 3))
    assert (close["margin"], close["problem"]) == (0.0, None)
    closes = {way: [lots[offset] for offset in CLOSES] for way, lots in close["largest"].items()}
    assert closes == {"short": [0, 3, 0], "long": [0, 0, 0]}  # SHFE: a plain close is of history
    selling = page.ask(PlaceOrder(symbol, "short", "closetoday", "limit", tick["limit_up"], 2))
    left = page.json(PreviewOrder(symbol, "short", "closetoday", "limit", tick["last_price"], 3))
    assert left["largest"]["short"]["closetoday"] == 1
    page.ask(CancelOrder(selling.order_id))


def test_a_preview_says_why_an_order_would_not_be_sent(shared_world: World) -> None:
    _, page = shared_world.log_in("preview")
    row = page.json(DescribeContract("rb2510"))
    beyond = page.json(PreviewOrder("rb2510", "long", "open", "limit", row["limit_up"] + row["pricetick"], 1))
    assert (beyond["problem"]["parameter"], beyond["problem"]["error"]) == ("price", "BAD_INPUT")
    market = page.json(PreviewOrder("rb2510", "long", "open", "market", 0.0, 1))
    assert market["problem"]["error"] == "NO_MARKET_ORDERS"
    assert market["price"] == row["limit_up"]  # by which the counter freezes what buys at any price
    assert market["order_limit"] == row["max_market_order_volume"]
    with pytest.raises(BadInput) as refused:
        page.ask(PreviewOrder("rb9999", "long", "open", "limit", 1.0, 1))
    assert refused.value.code == "UNKNOWN_SYMBOL"


def test_contracts_are_listed_with_their_products_names(shared_world: World) -> None:
    _, page = shared_world.log_in("contracts")
    listed = page.json(ListContracts())
    names = page.json(Watch())["contract"]
    assert [row["local_symbol"] for row in listed["contracts"]] == names
    assert listed["as_of"] == ""
    steel = page.json(ListContracts("SHFE", "rb"))["contracts"]
    assert {(row["exchange"], row["product"], row["product_name"]) for row in steel} == {
        ("SHFE", "rb", "螺纹钢")
    }
    assert page.json(ListContracts(product="螺纹钢"))["contracts"] == steel
    row = next(row for row in steel if row["symbol"] == "rb2510")
    assert (row["name"], row["size"], row["pricetick"]) == ("螺纹钢2510", 10, 1.0)
    assert {row["exchange"] for row in page.json(ListContracts("CZCE"))["contracts"]} == {"CZCE"}
    for unknown in (ListContracts(product="RB"), ListContracts("DCE", "rb")):
        with pytest.raises(BadInput) as refused:
            page.ask(unknown)
        assert refused.value.extra["parameter"] == "product"


def test_the_last_tick_and_the_funds_are_as_their_events_have_them(shared_world: World) -> None:
    _, page = shared_world.log_in("reader")
    with pytest.raises(NotFound) as refused:
        page.ask(ReadTick("rb2512.SHFE"))
    assert refused.value.code == "NO_TICK"
    with pytest.raises(NotFound) as refused:
        page.ask(ReadTick("zz9912"))
    assert refused.value.code == "UNKNOWN_SYMBOL"
    picture = page.json(Watch())
    funds = page.json(ReadAccount())
    assert funds == {name: picture[name] for name in ("account", "account_detail")} | {"as_of": ""}
    page.ask(Subscribe(["rb2510"]))
    page.waits_for("tick")
    told = page.json(ReadTick("rb2510"))
    assert told["datetime"] >= page.events("tick")[0]["data"]["datetime"]
    assert eventually(
        lambda: page.json(ReadTick("rb2510")) in [event["data"] for event in page.events("tick")], "that tick"
    )


def test_what_the_account_is_worth_has_a_point_a_minute_and_a_new_gateway_goes_on_with_it(
    world: World,
) -> None:
    gateway, page = world.log_in("worth")
    symbol, tick = a_contract(page)
    world.buys(page, symbol, tick)
    told = eventually(lambda: (read := page.json(ReadEquity())) and read["rows"] and read, "the first point")
    first = dict(zip(told["fields"], told["rows"][0], strict=True))
    assert (first["timestamp"] % 60_000, first["pre_balance"], first["deposit"]) == (0, 1_000_000.0, 0.0)
    world.near_minutes_end(page.waits_for("bar_update", lambda event: event["local_symbol"] == symbol))
    told = eventually(
        lambda: (read := page.json(ReadEquity())) and len(read["rows"]) > 1 and read, "the next"
    )
    last = dict(zip(told["fields"], told["rows"][-1], strict=True))
    assert last["margin"] > 0
    assert last["commission"] > 0
    made = last["close_profit"] + last["position_profit"] - last["commission"]
    assert last["balance"] == pytest.approx(1_000_000.0 + made)
    day = page.json(ReadEquity("day"))
    assert [row[1:] for row in day["rows"]] == [[*told["rows"][-1][1:], None]]
    gateway.kill()
    gateway.wait(30)
    _, page = world.log_in("worth")
    again = page.json(ReadEquity())["rows"]
    assert again[: len(told["rows"]) - 1] == told["rows"][:-1]


def test_config_is_all_or_nothing_and_in_force_at_once(shared_world: World) -> None:
    _, page = shared_world.log_in("config")
    symbol, tick = a_contract(page)
    with pytest.raises(BadInput) as bad:
        page.ask(WriteConfig({"SLIPPAGE_COVER": "1", "CLOSE_PATTERN": "whenever"}))
    assert bad.value.extra["parameter"] == "CLOSE_PATTERN"
    assert page.json(ReadConfig())["SLIPPAGE_COVER"] == 0
    page.ask(WriteConfig({"SLIPPAGE_COVER": "3", "SHARED_FUNC": "true", "INSTRUMENT_INDEPEND": 1}))
    assert page.json(ReadConfig())["SLIPPAGE_COVER"] == 3
    shared = page.waits_for("shared")
    assert shared["type"] == "shared"
    assert shared["data"]["local_symbol"] == symbol
    assert tick["limit_down"] <= shared["data"]["average_price"] <= tick["limit_up"]
    shared_world.buys(page, symbol, tick)
    page.ask(ClosePosition(symbol, "long", 2))
    last = page.json(ReadLists())["order_list"][-1]
    prices = {event["data"]["last_price"] for event in page.events("tick")}
    assert last["price"] + 3 in prices


def test_a_shorter_refresh_interval_counts_at_once(shared_world: World) -> None:
    _, page = shared_world.log_in("refresh")
    page.ask(WriteConfig({"REFRESH_INTERVAL": 3600}))
    page.ask(Watch())
    page.ask(WriteConfig({"REFRESH_INTERVAL": "0.2"}))
    eventually(lambda: len(page.events("account")) >= 3, "the account is queried and published")


@pytest.mark.parametrize(
    "request_",
    [
        ReadBars("nope"),
        ReadBars("rb2510", interval="7m"),
        ReadBars("rb2510", start=-1),
        ReadBars("rb2510", limit=-5),
        ReadBars("rb2510", start=10, end=5),
        ReadBars("rb2510", end=1 << 62),
        ReadEvents(-1),
        ReadEvents(0, limit=0),
        ReadEvents(1 << 63),
        WriteConfig({}),
        Subscribe([]),
        Subscribe(["\x00" * 5000]),
        ListAccounts(),
    ],
)
def test_a_bad_question_is_refused_and_the_gateway_goes_on(shared_world: World, request_: Any) -> None:
    if shared_world.registry.find("gateway-sim-9999-questions") is None:
        shared_world.log_in("questions")
    page = shared_world.open_page("questions")
    with pytest.raises(BadInput):
        page.ask(request_)
    assert page.json(ReadStatus())["td"]["state"] == "ready"


def test_another_password_or_other_fronts_are_refused(shared_world: World) -> None:
    _, page = shared_world.log_in("doorman")
    for same in ("tcp://td2:1, tcp://td:1", "tcp://td:1"):  # in another order, and one of them
        assert page.ask(CheckPassword(PASSWORD, same, "tcp://md:1")) == Done()
    other = CheckPassword(PASSWORD, "tcp://td:1,tcp://other:1", "tcp://md:1")
    for wrong in (CheckPassword("wrong"), CheckPassword(""), CheckPassword("密码"), other):
        with pytest.raises(LoginRefused):
            page.ask(wrong)


# ── ends and beginnings ──


def test_after_a_restart_everything_is_as_it_was_and_nothing_happens_twice(world: World) -> None:
    child, page = world.log_in()
    symbol, tick = a_contract(page)
    page.ask(WriteConfig({"CLOSE_PATTERN": "yesterday"}))
    world.buys(page, symbol, tick)
    resting = buy(symbol, tick["limit_down"], client_order_id="rest-1")
    working = page.ask(resting)
    page.ask(buy(symbol, tick["limit_up"], 500))  # refused: 31
    eventually(lambda: len(page.events("trade_update")) == 1, "the trade is journaled")
    before = page.json(ReadLists())

    assert stop(child) == 0
    assert world.registry.find("gateway-sim-9999-demo", only_living=False) is None

    _, again = world.log_in()
    snapshot = again.json(Watch())
    assert snapshot["status"]["td"]["state"] == "ready"
    after = again.json(ReadLists())
    for name in ("order_list", "trade_list", "active_order_list"):
        key = "trade_key" if name == "trade_list" else "order_id"
        assert sorted(row[key] for row in after[name]) == sorted(row[key] for row in before[name])
    assert [row["status"] for row in after["order_list"]].count("拒单") == 1
    assert [(row["direction"], row["volume"]) for row in after["position_list"]] == [("long", 2)]
    assert again.json(ReadConfig())["CLOSE_PATTERN"] == "yesterday"
    again.waits_for("tick", lambda event: event["data"]["local_symbol"] == symbol)
    events = again.json(ReadEvents(0))["events"]
    assert len([event for event in events if event["event"] == "trade_update"]) == 1
    same = again.ask(resting)
    assert (same.order_id, same.state) == (working.order_id, "accepted")
    assert len(again.json(ReadLists())["order_list"]) == 3
    assert again.ask(CancelOrder(working.order_id, symbol)) == Done()
    assert not again.events("error")


def test_a_killed_gateway_sends_no_order_twice(world: World) -> None:
    child, page = world.log_in()
    symbol, tick = a_contract(page)
    order = buy(symbol, tick["limit_down"], client_order_id="once")
    world.fault("hold", kind="order")  # the counter has it, the exchange has not
    page.client.ask(order, lambda _answer: None)
    eventually(lambda: world.fault("books")[0]["orders"], "the counter has the order")
    os.kill(child.pid, signal.SIGKILL)
    child.wait(30)
    _, again = world.log_in(order_timeout=0.5)
    first = again.ask(order)
    world.fault("release", kind="order")
    eventually(lambda: again.ask(order).state == "accepted", "the order is accepted")
    assert first.order_id == again.ask(order).order_id
    assert len(again.json(ReadLists())["order_list"]) == 1
    found = again.ask(FindOrder("once"))
    shown = entities.decode(found.order)
    assert (found.order_id, shown.client_order_id, shown.status.value) == (
        first.order_id,
        "once",
        "未成交",
    )
    assert found.book
    with pytest.raises(NotFound):
        again.ask(FindOrder("never"))
    assert again.ask(VoidOrder("once")) == OrderOutcome(first.order_id, "sent")
    assert again.ask(VoidOrder("never")).state == "voided"
    with pytest.raises(BadInput, match="已作废"):
        again.ask(buy(symbol, tick["limit_down"], client_order_id="never"))
    assert len(again.json(ReadLists())["order_list"]) == 1


def test_a_lost_counter_is_told_and_comes_back(world: World) -> None:
    _, page = world.log_in()
    symbol, tick = a_contract(page)
    order_id = page.ask(buy(symbol, tick["limit_down"])).order_id
    os.kill(world.counter.pid, signal.SIGKILL)
    world.counter.wait(30)
    page.waits_for(
        "status",
        lambda event: event["data"]["td"]["state"] == "lost" and event["data"]["md"]["state"] == "lost",
    )
    with pytest.raises(NotReady):
        page.ask(buy(symbol, tick["limit_down"]))
    with pytest.raises(NotReady):
        page.ask(CancelOrder(order_id))
    seen = len(page.events("tick"))
    world.counter = world.start_counter()
    eventually(lambda: page.json(ReadStatus())["td"]["state"] == "ready", "the account is ready again")
    eventually(lambda: len(page.events("tick")) > seen, "ticks flow again")
    assert page.ask(CancelOrder(order_id)) == Done()
    assert [row["order_id"] for row in page.json(ReadLists())["order_list"]] == [order_id]


def test_when_the_trading_day_turns_orders_end_and_todays_lots_become_yesterdays(world: World) -> None:
    _, page = world.log_in()
    symbol, tick = a_contract(page)
    world.buys(page, symbol, tick)
    page.ask(buy(symbol, tick["limit_down"]))
    seen = len(page.pushes)
    world.fault("turn_day", prices={}, new_day="")
    eventually(lambda: (rows := held(page)) and rows[0]["yd_volume"] == 2, "the lots are yesterday's")
    lists = page.json(ReadLists())
    assert lists["order_list"] == []
    assert lists["trade_list"] == []
    assert lists["active_order_list"] == []
    eventually(
        lambda: any(
            push.name == "order" and json.loads(push.payload)["data"] == [] for push in page.pushes[seen:]
        ),
        "the empty list is pushed",
    )
    assert not page.events("error")
    fresh = page.waits_for("tick", lambda event: event["data"]["trading_day"] > tick["trading_day"])
    closed = page.ask(ClosePosition(symbol, "long", 2))
    assert [outcome.state for outcome in closed.outcomes] == ["accepted"], fresh
    assert page.json(ReadLists())["order_list"][0]["offset"] == "平昨"


def test_a_refused_login_is_told_with_its_text_and_the_process_ends_with_3(world: World) -> None:
    child, _ = world.log_in()
    assert stop(child) == 0
    child = world.start_gateway(password="wrong")
    page = world.open_page()
    with pytest.raises(LoginRefused) as refused:
        page.ask(AwaitLogin(10.0), 15.0)
    assert refused.value.code == "CTP_3"
    assert "不合法的登录" in refused.value.message
    assert child.wait(30) == 3
    assert world.registry.find("gateway-sim-9999-demo", only_living=False) is None


def test_a_front_that_does_not_answer_is_unreachable(world: World) -> None:
    os.kill(world.counter.pid, signal.SIGKILL)
    world.counter.wait(30)
    child = world.start_gateway()
    page = world.open_page()
    with pytest.raises(FrontUnreachable):
        page.ask(AwaitLogin(0.5))
    assert page.ask(ShutDown()) == Done()
    assert child.wait(30) == 0


def test_the_password_is_nowhere_on_disk(world: World) -> None:
    child, page = world.log_in()
    with pytest.raises(LoginRefused):
        page.ask(CheckPassword(f"{PASSWORD}x"))
    assert stop(child) == 0
    files = [path for path in world.settings.data_dir.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []


def test_a_busy_gateway_ends_within_five_seconds(world: World) -> None:
    child, page = world.log_in()
    symbol, tick = a_contract(page)
    order_id = page.ask(buy(symbol, tick["limit_down"])).order_id
    for name in page.json(Watch())["contract"][:60]:
        page.ask(Subscribe([name]))
    began = time.monotonic()
    assert stop(child) == 0
    assert time.monotonic() - began < 5.0  # two, on a machine that has nothing else to do
    _, again = world.log_in()
    assert [row["order_id"] for row in again.json(ReadLists())["active_order_list"]] == [order_id]


def test_whatever_else_is_on_stdin_the_process_says_what_it_wants(tmp_path: Path) -> None:
    environment = Settings.load(environment={}, data_dir=tmp_path / "data").to_environment()
    for line in (b"", b'{"account": "x", "password": "pass-word-4711"\n'):
        run = subprocess.run(
            [sys.executable, "-m", "app.gateway"],
            cwd=ROOT,
            env=environment,
            input=line,
            capture_output=True,
            timeout=30,
            check=False,
        )
        assert run.returncode == 2
        assert "stdin" in run.stderr.decode()
        assert PASSWORD not in run.stderr.decode()


def test_an_accepted_order_is_answered_with_its_id(shared_world: World) -> None:
    _, page = shared_world.log_in("plain")
    symbol, tick = a_contract(page, "m")
    outcome = page.ask(buy(symbol, tick["limit_down"]))
    assert outcome == OrderOutcome(outcome.order_id, "accepted", message="未成交", status="未成交")
    assert outcome.order_id.count("_") == 2


def test_a_journal_of_years_ago_is_forgotten_when_a_day_begins(shared_world: World) -> None:
    store = open_store(shared_world.settings, "sim-9999-old")
    for day in ("20200102", "20250604"):
        store.save_order(day, f"1_1_{day}", {"order_id": f"1_1_{day}", "status": "已撤销"})
    store.close()
    _, page = shared_world.log_in("old")
    kept = ["1_1_20250604"]
    eventually(
        lambda: [event["data"]["order_id"] for event in page.json(ReadEvents(0))["events"]] == kept,
        "the old row is gone",
    )
    assert page.json(ReadEvents(0))["seq"] == 2
