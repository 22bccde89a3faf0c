"""The fan-out: who hears what, what waits for a slow page, and what is never lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.gateways import NEEDS_LOGIN
from app.web.hub import LISTS_AT_A_TIME, Hub, PageLimits
from app.wire.messages import Push
from tests.support.waiting import eventually

NOW = datetime(2025, 6, 5, 10, 0, 0, 250000)


class FakeLine:
    """A page whose reading the test decides: `delivered` is what it has read, `queue` what is on its way."""

    def __init__(self, capacity: int = 8) -> None:
        self.capacity = capacity
        self.queue: list[str] = []
        self.delivered: list[tuple[str, Any]] = []
        self.puts = 0
        self.joins = True
        self.reads = True
        self.was_cut = False

    def backlog(self) -> int:
        return len(self.queue)

    def put(self, packet: str | list[str]) -> None:
        self.puts += 1
        self.queue.extend(packet if isinstance(packet, list) else [packet])
        if self.reads:
            self.read()

    def read(self) -> None:
        for packet in self.queue:
            name, data = orjson.loads(packet.removeprefix("2"))
            self.delivered.append((name, data))
        self.queue.clear()

    def cut(self) -> None:
        self.was_cut = True

    def names(self) -> list[str]:
        return [name for name, _ in self.delivered]

    def all(self, name: str) -> list[Any]:
        return [data for heard, data in self.delivered if heard == name]


def encode(text: str) -> str:
    return text


class PromptHub(Hub):
    """What is gathered leaves after every push: the gateway is always done for the moment."""

    def push(self, account: str, push: Push) -> None:
        super().push(account, push)
        send_gathered(self)


def send_gathered(hub: Hub) -> None:
    while hub.send_run() or hub.send_list():
        continue


@pytest.fixture
def hub() -> Hub:
    return PromptHub(encode, list, PageLimits(queued_packets=50, queued_bytes=20_000), now=lambda: NOW)


def tick(symbol: str, price: float) -> Push:
    return Push(
        "tick", orjson.dumps({"type": "tick", "data": {"local_symbol": symbol, "last_price": price}}), symbol
    )


def update(seq: int) -> Push:
    return Push(
        "order_update", orjson.dumps({"type": "order_update", "seq": seq, "data": {"order_id": f"1_1_{seq}"}})
    )


def whole(name: str, *rows: Any) -> Push:
    return Push(name, orjson.dumps({"type": name, "data": rows}))


def snapshot(seq: int = 1, **lists: Any) -> bytes:
    empty: dict[str, Any] = {
        name: [] for name in ("account", "position", "active_order", "order", "trade", "contract")
    }
    return orjson.dumps(
        {"seq": seq, **empty, "status": {"td": {"state": "ready", "reason": "", "since": ""}}, **lists}
    )


def page(hub: Hub, account: str = "a", sid: str = "p1", snap: bool = True, capacity: int = 8) -> FakeLine:
    line = FakeLine(capacity)
    hub.connect(sid, line)
    hub.join(sid, account, "token")
    if snap:
        hub.snapshot(account, snapshot())
        line.delivered.clear()
    return line


def flush_all(hub: Hub, line: FakeLine) -> None:
    while True:
        line.read()
        if not hub.flush() and not line.queue:
            return


def test_a_page_gets_its_snapshot_in_the_shapes_of_the_events_with_its_seq_last(hub: Hub) -> None:
    line = page(hub, snap=False)
    hub.snapshot(
        "a",
        snapshot(
            41,
            position=[{"symbol": "rb2510"}],
            account=[{"key": "balance", "value": 1}],
            contract=["rb2510.SHFE"],
        ),
    )
    assert line.delivered == [
        ("account", {"type": "account", "data": [{"key": "balance", "value": 1}]}),
        ("position", {"type": "position", "data": [{"symbol": "rb2510"}]}),
        ("active_order", {"type": "active_order", "data": []}),
        ("order", {"type": "order", "data": []}),
        ("trade", {"type": "trade", "data": []}),
        ("contract", ["rb2510.SHFE"]),
        (
            "status",
            {
                "td": {"state": "ready", "reason": "", "since": ""},
                "gateway": {"state": "connected", "reason": "", "since": "2025-06-05 10:00:00.250"},
            },
        ),
        ("snapshot", {"seq": 41}),
    ]


def test_a_page_gets_the_newest_event_of_each_strategy_with_its_snapshot(hub: Hub) -> None:
    line = page(hub, snap=False)
    events = [{"type": "strategy", "data": {"name": name, "state": "运行中"}} for name in ("甲", "乙")]
    hub.snapshot("a", snapshot(1, strategy=events))
    assert [event for event in line.delivered if event[0] == "strategy"] == [
        ("strategy", event) for event in events
    ]


def test_a_snapshot_tells_a_page_the_states_of_the_gate_with_its_seq(hub: Hub) -> None:
    line = page(hub, snap=False)
    hub.snapshot("a", snapshot(4, states={"account": {"state": "reduce_only"}, "strategies": {}}))
    assert line.all("snapshot") == [
        {"seq": 4, "states": {"account": {"state": "reduce_only"}, "strategies": {}}}
    ]


def test_nothing_reaches_a_page_before_its_snapshot_and_what_follows_is_newer(hub: Hub) -> None:
    line = page(hub, snap=False)
    hub.push("a", update(7))
    assert line.delivered == []
    hub.snapshot("a", snapshot(7))
    hub.push("a", update(8))
    assert line.names()[-2:] == ["snapshot", "order_update"]
    assert line.all("order_update")[0]["seq"] == 8


def test_a_snapshot_for_a_new_page_does_not_bother_the_others(hub: Hub) -> None:
    first = page(hub, sid="p1")
    second = page(hub, sid="p2", snap=False)
    hub.snapshot("a", snapshot(9))
    assert first.delivered == []
    assert second.all("snapshot") == [{"seq": 9}]


def test_two_accounts_never_see_each_others_events(hub: Hub) -> None:
    alice, bob = page(hub, "alice", "p1"), page(hub, "bob", "p2")
    hub.push("alice", update(2))
    hub.push("bob", tick("rb2510.SHFE", 3000))
    hub.lost("alice", "网关进程已退出")
    assert alice.names() == ["order_update", "status"]
    assert bob.names() == ["tick"]


def test_a_page_that_moves_to_another_account_leaves_the_first_behind(hub: Hub) -> None:
    line = page(hub, "alice", "p1", capacity=1)
    line.reads = False
    for seq in range(5):
        hub.push("alice", update(seq))
    hub.join("p1", "bob", "other")
    line.reads = True
    flush_all(hub, line)
    hub.push("alice", update(99))
    hub.snapshot("bob", snapshot(3))
    assert [event["seq"] for event in line.all("order_update")] == [0]  # what was on its way before it moved
    assert line.all("snapshot") == [{"seq": 3}]


def test_an_anonymous_page_hears_nothing(hub: Hub) -> None:
    line = FakeLine()
    hub.connect("p1", line)
    hub.push("a", tick("rb2510.SHFE", 1))
    hub.snapshot("a", snapshot())
    hub.lost("a", "x")
    assert line.delivered == []


def counted(hub: Hub) -> dict[str, float]:
    return {figure.name: figure.value for figure in hub.figures()}


def test_ticks_of_a_slow_page_conflate_to_the_newest_of_each_contract(hub: Hub) -> None:
    line = page(hub, capacity=2)
    line.reads = False
    for price in range(100):
        hub.push("a", tick("rb2510.SHFE", price))
        hub.push("a", tick("ag2512.SHFE", 1000 + price))
    assert line.backlog() == 2
    assert counted(hub)["ctpbee_pages_conflated"] == 196  # two are on their way, and the newest two wait
    flush_all(hub, line)
    last = {event["data"]["local_symbol"]: event["data"]["last_price"] for event in line.all("tick")}
    assert last == {"rb2510.SHFE": 99, "ag2512.SHFE": 1099}
    assert len(line.all("tick")) <= 4


def test_a_waiting_list_is_replaced_by_the_newer_one_and_updates_keep_their_order(hub: Hub) -> None:
    line = page(hub, capacity=1)
    line.reads = False
    hub.push("a", tick("rb2510.SHFE", 1))  # fills the line
    hub.push("a", whole("order", 1))
    hub.push("a", update(1))
    hub.push("a", whole("order", 1, 2))
    hub.push("a", update(2))
    flush_all(hub, line)
    assert line.names() == ["tick", "order_update", "order", "order_update"]
    assert line.all("order") == [{"type": "order", "data": [1, 2]}]


def test_a_page_that_does_not_read_is_cut_and_costs_the_others_nothing(hub: Hub) -> None:
    stuck, healthy = page(hub, sid="p1"), page(hub, sid="p2")
    stuck.reads = False
    for seq in range(200):
        hub.push("a", update(seq))
    assert stuck.was_cut
    assert not healthy.was_cut
    assert [event["seq"] for event in healthy.all("order_update")] == list(range(200))
    assert [member.sid for member in hub.members()] == ["p2"]
    assert (counted(hub)["ctpbee_pages_cut"], counted(hub)["ctpbee_pages"]) == (1, 1)


def test_a_page_is_cut_by_bytes_too(hub: Hub) -> None:
    line = page(hub, capacity=1)
    line.reads = False
    hub.push("a", update(0))
    for _ in range(5):
        hub.push("a", Push("log", orjson.dumps({"message": "x" * 5000})))
    assert line.was_cut


def test_lists_of_a_page_that_does_not_read_never_pile_up(hub: Hub) -> None:
    line = page(hub, capacity=8)
    line.reads = False
    for number in range(500):
        hub.push("a", whole("position", "x" * 900, number))
    assert not line.was_cut
    assert line.backlog() == 4
    flush_all(hub, line)
    assert line.all("position")[-1]["data"][-1] == 499


def test_symbols_narrow_the_ticks_and_null_widens_them_again(hub: Hub) -> None:
    line = page(hub)
    hub.subscribe("p1", ["rb2510", "IF2506.CFFEX"], batch=False)
    for symbol in ("rb2510.SHFE", "rb2511.SHFE", "IF2506.CFFEX"):
        hub.push("a", tick(symbol, 1))
    hub.push("a", update(1))
    assert [event["data"]["local_symbol"] for event in line.all("tick")] == ["rb2510.SHFE", "IF2506.CFFEX"]
    assert line.all("order_update")
    hub.subscribe("p1", None, batch=False)
    hub.push("a", tick("rb2511.SHFE", 1))
    assert line.all("tick")[-1]["data"]["local_symbol"] == "rb2511.SHFE"


def forming(symbol: str, close: int) -> Push:
    payload = {"local_symbol": symbol, "interval": "1m", "data": [0, 1, 1, 1, close, 1]}
    return Push("bar_update", orjson.dumps(payload), symbol)


def test_forming_minutes_go_to_the_pages_that_draw_the_contract_and_to_those_that_did_not_say() -> None:
    hub = gathering()
    lines = {sid: page(hub, sid=sid) for sid in ("draws", "other", "none", "all")}
    for sid, symbols in (("draws", ["rb2510"]), ("other", ["IF2506.CFFEX"]), ("none", []), ("all", None)):
        hub.subscribe(sid, None, batch=True, forming=symbols)
    hub.push("a", update(1))
    hub.push("a", forming("rb2510.SHFE", 5))
    hub.push("a", update(2))
    send_gathered(hub)
    told = {sid: [name for name in line.names() if name != "position"] for sid, line in lines.items()}
    assert told == {
        "draws": ["order_update", "bar_update", "order_update"],
        "other": ["order_update", "order_update"],
        "none": ["order_update", "order_update"],
        "all": ["order_update", "bar_update", "order_update"],
    }
    hub.subscribe("draws", None, batch=True, forming=["IF2506.CFFEX"])
    hub.push("a", forming("rb2510.SHFE", 6))
    hub.push("a", forming("IF2506.CFFEX", 7))
    assert [row["data"][4] for row in lines["draws"].all("bar_update")] == [5, 7]


def test_a_page_that_does_not_read_keeps_the_forming_minutes_it_wants_in_order(hub: Hub) -> None:
    line = page(hub, capacity=2)
    hub.subscribe("p1", None, batch=True, forming=["x"])
    line.reads = False
    for close in range(9):
        hub.push("a", forming("x", close))
        hub.push("a", forming("y", close))
    flush_all(hub, line)
    assert [row["data"][4] for row in line.all("bar_update")] == list(range(9))


def test_a_batch_page_gets_the_newest_of_each_contract_in_one_event(hub: Hub) -> None:
    line = page(hub)
    hub.subscribe("p1", None, batch=True)
    for price in (1, 2):
        hub.push("a", tick("rb2510.SHFE", price))
        hub.push("a", tick("ag2512.SHFE", price))
    assert line.delivered == []
    hub.flush()
    assert line.delivered == [
        (
            "ticks",
            [
                {"local_symbol": "rb2510.SHFE", "last_price": 2},
                {"local_symbol": "ag2512.SHFE", "last_price": 2},
            ],
        )
    ]
    hub.flush()
    assert len(line.delivered) == 1


HELD = [{"local_symbol": "ag2512.SHFE", "volume": 1}]


def old_page(hub: Hub, sid: str = "p1", capacity: int = 8) -> FakeLine:
    """One that says nothing but its token, as those of the reference do, and draws its quotes when it gets
    positions.
    """
    line = page(hub, sid=sid, snap=False, capacity=capacity)
    hub.snapshot("a", snapshot(position=HELD))
    line.delivered.clear()
    return line


def test_a_page_as_the_references_gets_positions_after_ticks_of_what_is_not_held_too(hub: Hub) -> None:
    line = old_page(hub)
    for price in range(20):
        hub.push("a", tick("rb2510.SHFE", price))
    assert line.all("position") == []
    hub.refresh()
    send_gathered(hub)
    assert line.names()[-2:] == ["tick", "position"]
    assert line.all("position") == [{"type": "position", "data": HELD}]
    hub.refresh()  # no tick since
    send_gathered(hub)
    assert len(line.all("position")) == 1
    hub.push("a", whole("position", {"local_symbol": "rb2510.SHFE"}))
    hub.push("a", tick("rb2510.SHFE", 5))
    hub.refresh()
    send_gathered(hub)
    assert line.all("position")[-1]["data"] == [{"local_symbol": "rb2510.SHFE"}]


def test_the_positions_come_behind_the_tick_that_they_are_to_show() -> None:
    hub = gathering()
    line = old_page(hub)
    hub.push("a", tick("rb2510.SHFE", 1))
    hub.refresh()
    send_gathered(hub)
    assert line.names() == ["tick", "position"]


def test_a_page_that_subscribes_knows_what_it_wants_and_gets_no_positions_with_ticks(hub: Hub) -> None:
    line, other, silent = old_page(hub), old_page(hub, "p2"), FakeLine()
    hub.connect("p3", silent)
    hub.subscribe("p1", None, batch=False)
    hub.push("a", tick("rb2510.SHFE", 1))
    hub.refresh()
    send_gathered(hub)
    assert line.names() == ["tick"]
    assert other.names() == ["tick", "position"]
    assert silent.names() == []


def test_a_slow_page_gets_its_positions_when_it_has_its_ticks_and_an_awaiting_one_none(hub: Hub) -> None:
    slow, awaiting = old_page(hub, capacity=1), page(hub, sid="p2", snap=False)
    slow.reads = False
    hub.push("a", tick("rb2510.SHFE", 1))
    hub.push("a", tick("rb2510.SHFE", 2))
    assert hub.refresh()
    slow.reads = True
    flush_all(hub, slow)
    assert slow.names() == ["tick", "tick"]
    assert not hub.refresh()
    send_gathered(hub)
    assert slow.names() == ["tick", "tick", "position"]
    assert awaiting.delivered == []


def test_positions_for_ticks_leave_by_themselves_and_not_too_often() -> None:
    hub = Hub(encode, list, PageLimits(refresh_seconds=0.05), now=lambda: NOW)
    line = old_page(hub)
    began = time.monotonic()
    hub.start()
    for price in range(200):
        hub.push("a", tick("rb2510.SHFE", price))
    eventually(
        lambda: line.names()[-1:] == ["position"] and len(line.all("tick")) == 200, "the last tick is shown"
    )
    assert len(line.all("position")) <= 2 + (time.monotonic() - began) / 0.05
    hub.stop()


def batch_page(hub: Hub, sid: str, symbols: list[str] | None = None, capacity: int = 8) -> FakeLine:
    line = page(hub, sid=sid, capacity=capacity)
    hub.subscribe(sid, symbols, batch=True)
    return line


def prices(line: FakeLine) -> list[list[float]]:
    return [[row["last_price"] for row in rows] for rows in line.all("ticks")]


def test_pages_that_want_the_same_share_one_packet_and_others_get_their_own() -> None:
    encoded: list[str] = []
    hub = PromptHub(lambda text: encoded.append(text) or text, list, now=lambda: NOW)  # type: ignore[func-returns-value]
    lines = [batch_page(hub, f"p{number}") for number in range(3)]
    narrow = batch_page(hub, "narrow", ["x"])
    encoded.clear()
    hub.push("a", tick("x.SHFE", 1))
    hub.push("a", tick("y.SHFE", 2))
    hub.flush()
    assert [prices(line) for line in lines] == [[[1, 2]]] * 3
    assert prices(narrow) == [[1]]
    assert len(encoded) == 2


def test_a_batch_page_that_does_not_read_holds_nobody_up_and_gets_the_newest_of_each_contract(
    hub: Hub,
) -> None:
    quick, slow = batch_page(hub, "quick"), batch_page(hub, "slow")
    slow.reads = False
    for price in range(20):
        hub.push("a", tick("x", price))
        hub.push("a", tick("y", -price))
        hub.flush()
    assert prices(quick) == [[price, -price] for price in range(20)]
    assert len(slow.queue) == 4
    slow.reads = True
    flush_all(hub, slow)
    assert prices(slow) == [[0, 0], [1, -1], [2, -2], [3, -3], [19, -19]]


def gathering() -> Hub:
    return Hub(encode, list, now=lambda: NOW)


def test_what_comes_together_leaves_in_one_and_in_order_for_all_who_want_the_same() -> None:
    hub = gathering()
    wide, narrow = page(hub, sid="wide"), page(hub, sid="narrow")
    hub.subscribe("narrow", ["x"], batch=False)
    before = wide.puts
    for number in range(3):
        hub.push("a", tick("x", number))
        hub.push("a", tick("y", -number))
    hub.push("a", update(5))
    assert wide.names() == narrow.names() == []
    send_gathered(hub)
    assert wide.names() == ["tick"] * 6 + ["order_update"]
    assert narrow.names() == ["tick"] * 3 + ["order_update"]
    assert [row["data"]["last_price"] for row in wide.all("tick")] == [0, 0, 1, -1, 2, -2]
    assert [row["data"]["last_price"] for row in narrow.all("tick")] == [0, 1, 2]
    assert wide.puts == before + 1


def test_a_contracts_events_keep_their_order() -> None:
    hub = gathering()
    line = page(hub)
    names = ["tick", "bar_update", "tick", "bar", "tick", "bar_update"]
    for name in names:
        hub.push("a", Push(name, orjson.dumps({"name": name}), "x"))
    send_gathered(hub)
    assert line.names() == names


@pytest.mark.parametrize("batch", [False, True])
def test_what_was_gathered_is_heard_by_who_changes_what_it_wants_and_not_by_who_comes_or_leaves(
    batch: bool,
) -> None:
    hub = gathering()
    stays, leaves = page(hub, sid="stays"), page(hub, sid="leaves")
    hub.subscribe("stays", None, batch)
    hub.subscribe("leaves", None, batch)
    hub.push("a", Push("bar", b'{"data":[1]}', "x"))
    comes = page(hub, sid="comes", snap=False)
    hub.leave("leaves")
    hub.subscribe("stays", ["y"], batch)
    hub.snapshot("a", snapshot())
    send_gathered(hub)
    assert stays.all("bar") == [{"data": [1]}]
    assert leaves.all("bar") == comes.all("bar") == []


def test_a_page_whose_line_does_not_join_gets_no_more_at_a_time_than_it_takes() -> None:
    hub = gathering()
    line = page(hub, capacity=4)
    line.joins = line.reads = False
    for number in range(20):
        hub.push("a", tick(f"x{number}", number))
    send_gathered(hub)
    assert len(line.queue) == 4
    flush_all(hub, line)
    assert [row["data"]["last_price"] for row in line.all("tick")] == list(range(20))


def test_a_slow_page_hears_every_bar_of_a_run_and_the_newest_tick() -> None:
    hub = gathering()
    line = page(hub, capacity=4)
    line.reads = False
    for number in range(30):
        hub.push("a", tick("x", number))
        hub.push("a", Push("bar", orjson.dumps({"data": [number]}), "x"))
        send_gathered(hub)
    line.reads = True
    flush_all(hub, line)
    assert [bar["data"][0] for bar in line.all("bar")] == list(range(30))
    assert line.all("tick")[-1]["data"]["last_price"] == 29


def test_a_big_list_goes_to_a_few_pages_at_a_time_and_a_newer_one_takes_its_place_longest_first() -> None:
    hub = gathering()
    lines = [page(hub, sid=f"p{number}") for number in range(5)]
    padding = "x" * (LISTS_AT_A_TIME // 2 - 1000)
    hub.push("a", whole("order", 1, padding))
    hub.push("a", update(7))
    assert not hub.send_run()
    assert [line.names() for line in lines] == [["order_update"]] * 5
    assert hub.send_list()
    assert [len(line.all("order")) for line in lines] == [1, 1, 0, 0, 0]
    hub.push("a", whole("order", 2, padding))
    hub.push("a", whole("trade", 3))
    send_gathered(hub)
    assert [[event["data"][0] for event in line.all("order")] for line in lines] == [
        [1, 2],
        [1, 2],
        [2],
        [2],
        [2],
    ]
    assert [[event["data"][0] for event in line.all("trade")] for line in lines] == [[3]] * 5
    assert lines[2].names()[1] == "order"


def test_a_list_of_before_a_snapshot_does_not_follow_it() -> None:
    hub = gathering()
    stays = page(hub, sid="stays")
    comes = page(hub, sid="comes", snap=False)
    hub.push("a", whole("order", 1))
    hub.snapshot("a", snapshot(2, order=[2]))
    hub.disconnect("stays")
    send_gathered(hub)
    assert [event["data"] for event in comes.all("order")] == [[2]]
    assert stays.all("order") == []


def test_no_list_of_before_a_loss_follows_it() -> None:
    hub = gathering()
    line = page(hub)
    hub.push("a", whole("order", 1))
    hub.lost("a", "gone")
    hub.snapshot("a", snapshot(2, order=[2]))
    send_gathered(hub)
    assert [event["data"] for event in line.all("order")] == [[2]]


def test_the_first_tick_after_a_quiet_moment_leaves_at_once_and_the_rest_waits_and_leaves_together() -> None:
    hub = Hub(encode, list, PageLimits(flush_seconds=600), now=lambda: NOW)
    hub.start()
    line = batch_page(hub, "p1")
    hub.push("a", tick("x", 1))
    eventually(lambda: prices(line), "the first left")
    for price in (2, 3):
        hub.push("a", tick("x", price))
        hub.push("a", tick("y", -price))
    assert prices(line) == [[1]]
    hub.flush()
    assert prices(line) == [[1], [3, -3]]
    hub.stop()


def test_what_waited_for_its_batch_leaves_by_itself() -> None:
    hub = Hub(encode, list, PageLimits(flush_seconds=0.05), now=lambda: NOW)
    hub.start()
    line = batch_page(hub, "p1")
    for price in range(1, 4):
        hub.push("a", tick("x", price))
        eventually(lambda price=price: prices(line)[-1:] == [[price]], "it left")  # type: ignore[misc]
    hub.stop()


def test_a_batch_page_that_has_just_come_gets_no_older_ticks_and_one_that_leaves_none_at_all(
    hub: Hub,
) -> None:
    first = batch_page(hub, "first")
    hub.push("a", tick("x", 1))
    second = batch_page(hub, "second")
    hub.push("a", tick("x", 2))
    hub.leave("first")
    hub.flush()
    assert prices(first) == [[1]]
    assert prices(second) == [[2]]


def test_a_tick_that_was_about_to_leave_is_not_lost_when_a_page_changes_what_it_wants(hub: Hub) -> None:
    line = batch_page(hub, "p1")
    hub.push("a", tick("x", 1))
    hub.subscribe("p1", ["x"], batch=True)
    hub.flush()
    hub.push("a", tick("x", 2))
    hub.lost("a", "gone")
    hub.flush()
    hub.push("a", tick("x", 3))
    hub.flush()
    assert prices(line) == [[1], [2]]


def test_a_lost_gateway_is_told_with_what_is_known_of_the_fronts(hub: Hub) -> None:
    line = page(hub)
    hub.push("a", Push("status", orjson.dumps({"td": {"state": "ready"}, "md": {"state": "loading"}})))
    hub.lost("a", "网关进程已退出")
    status = line.all("status")[-1]
    assert (status["td"], status["md"]) == ({"state": "ready"}, {"state": "loading"})
    assert status["gateway"] == {
        "state": "lost",
        "reason": "网关进程已退出",
        "since": "2025-06-05 10:00:00.250",
    }


def test_a_gateway_that_is_back_gives_every_page_its_status_and_a_fresh_snapshot(hub: Hub) -> None:
    pages = [page(hub, sid="p1"), page(hub, sid="p2")]
    hub.lost("a", "x")
    hub.push("a", update(5))  # cannot be newer than the snapshot to come
    hub.snapshot("a", snapshot(6))
    for line in pages:
        assert line.all("status")[-1]["gateway"]["state"] == "connected"
        assert line.all("snapshot") == [{"seq": 6}]
        assert line.all("order_update") == []


def test_every_page_is_told_of_a_gateway_that_does_not_answer_and_when_it_does_again_and_misses_nothing(
    hub: Hub,
) -> None:
    line, late = page(hub), page(hub, sid="p2", snap=False)
    hub.frozen("a", "网关没有应答")
    for each in (line, late):
        assert each.all("status")[-1]["gateway"]["state"] == "frozen"
    hub.push("a", update(1))
    hub.snapshot("a", snapshot(2))  # the answer to the late page is the first that it says
    hub.frozen("a", "")
    for each in (line, late):
        assert each.all("status")[-1]["gateway"] == {
            "state": "connected",
            "reason": "",
            "since": "2025-06-05 10:00:00.250",
        }
    assert len(line.all("order_update")) == 1
    assert line.all("snapshot") == []
    assert late.all("snapshot") == [{"seq": 2}]


def test_a_gateway_that_is_lost_is_not_said_to_be_there_by_its_last_beat(hub: Hub) -> None:
    line = page(hub)
    hub.frozen("a", "网关没有应答")
    hub.lost("a", "网关进程已退出")
    hub.frozen("a", "")
    assert line.all("status")[-1]["gateway"]["state"] == "lost"


def test_a_page_that_comes_while_the_gateway_is_lost_is_told_so(hub: Hub) -> None:
    hub.lost("a", NEEDS_LOGIN)
    line = page(hub, snap=False)
    assert line.names() == ["status"]
    assert line.all("status")[0]["gateway"]["state"] == "needs_login"


@pytest.mark.parametrize("wrap", [lambda status: status, lambda status: {"type": "status", "data": status}])
def test_a_status_is_flat_on_the_wire_however_the_gateway_wraps_it(
    hub: Hub, wrap: Callable[[Any], Any]
) -> None:
    line = page(hub)
    hub.push("a", Push("status", orjson.dumps(wrap({"td": {"state": "ready"}}))))
    status = line.all("status")[0]
    assert set(status) == {"td", "gateway"}


def test_a_page_that_left_hears_nothing_more(hub: Hub) -> None:
    line = page(hub)
    hub.leave("p1")
    hub.push("a", update(1))
    hub.send("p1", "error", {"error": "TOKEN_ERROR"})
    assert line.delivered == [("error", {"error": "TOKEN_ERROR"})]
    hub.disconnect("p1")
    hub.send("p1", "error", {"error": "TOKEN_ERROR"})
    assert len(line.delivered) == 1


def test_texts_pass_unharmed(hub: Hub) -> None:
    line = page(hub)
    hub.push("a", Push("log", orjson.dumps({"message": '报单被拒绝："资金不足" \u2028 \\'})))
    assert line.delivered == [("log", {"message": '报单被拒绝："资金不足" \u2028 \\'})]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("update"), st.integers()),
        st.tuples(st.just("tick"), st.sampled_from(["rb2510.SHFE", "ag2512.SHFE", "IF2506.CFFEX"])),
        st.tuples(st.just("order"), st.just("")),
        st.tuples(st.just("stall"), st.just("")),
        st.tuples(st.just("read"), st.just("")),
        st.tuples(st.just("flush"), st.just("")),
    ),
    max_size=120,
)


@given(steps, st.booleans(), st.integers(1, 10))
def test_however_slowly_a_page_reads_updates_are_whole_and_the_last_word_arrives(
    steps: Any, batch: bool, capacity: int
) -> None:
    hub = PromptHub(encode, list, now=lambda: NOW)
    try:
        line = page(hub, capacity=capacity)
        hub.subscribe("p1", None, batch)
        prices: dict[str, int] = {}
        sent = orders = 0
        for number, (step, symbol) in enumerate(steps):
            if step == "update":
                sent += 1
                hub.push("a", update(sent))
            elif step == "tick":
                prices[symbol] = number
                hub.push("a", tick(symbol, number))
            elif step == "order":
                orders += 1
                hub.push("a", whole("order", sent, orders))
            elif step == "flush":
                hub.flush()
            else:
                line.reads = step == "read"
                if line.reads:
                    line.read()
            assert line.backlog() <= capacity
        flush_all(hub, line)
        assert [event["seq"] for event in line.all("order_update")] == list(range(1, sent + 1))
        rows = [event["data"] for event in line.all("tick")] + [
            row for event in line.all("ticks") for row in event
        ]
        for symbol, price in prices.items():
            mine = [row["last_price"] for row in rows if row["local_symbol"] == symbol]
            assert mine == sorted(mine)
            assert mine[-1] == price
        lists = [event["data"][1] for event in line.all("order")]
        assert lists == sorted(lists)
        assert lists[-1:] == ([orders] if orders else [])
        check_no_list_is_ahead(line.delivered)
    finally:
        hub.stop()


def check_no_list_is_ahead(delivered: list[tuple[str, Any]]) -> None:
    """A list never comes before an update that it already includes."""
    heard = 0
    for name, data in delivered:
        if name == "order_update":
            heard = data["seq"]
        elif name == "order":
            assert data["data"][0] <= heard
