"""Stopping, and cancelling a selection: halted first, paced, a result for each."""

from __future__ import annotations

import json
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from ctpbee.constant import Direction, Exchange, Offset, OrderData

from app.gateway.risk.desk import RiskDesk
from app.gateway.risk.group import Group
from app.gateway.risk.states import State, States, put_offline
from app.gateway.risk.switches import Switches
from app.lib.errors import BadInput, NotFound, OrderRefused
from app.model.store import StoreFailed
from app.process.event_loop import EventLoop
from app.views.answers import Risk
from app.wire.messages import (
    Beat,
    CancelOrder,
    CancelSelected,
    Done,
    GiveSign,
    ReadRisk,
    SetRiskState,
    StrategyBeat,
    WriteRisk,
)
from tests.unit.gateway.test_risk_gate import NOW, World, asked, store

__all__ = ["store"]  # a fixture
TIMEOUT = 3.0


def working(order_id: str, **more: Any) -> OrderData:
    values: dict[str, Any] = {
        "symbol": "rb2510",
        "exchange": Exchange.SHFE,
        "order_id": order_id,
        "direction": Direction.LONG,
        "offset": Offset.OPEN,
        "volume": 2,
        "traded": 0,
        "strategy": "",
        "datetime": "2025-06-09 09:29:00.000",
        "gateway_name": "sim",
    }
    return OrderData(**values | more)


ORDERS = [
    working("1_1_1"),
    working("1_1_2", direction=Direction.SHORT, datetime="2025-06-09 09:28:00.000"),
    working("1_1_3", symbol="m2509", exchange=Exchange.DCE, traded=1),
    working("1_1_4", strategy="a", datetime="2025-06-09 09:29:58.000"),
]


class Room:
    """The desk in a house of fakes, with a real gate."""

    def __init__(self, world: World) -> None:
        self.now = 0.0
        self.loop = EventLoop(lambda: self.now)
        self.pace = 0.0
        self.asked: list[str] = []
        self.cancels: dict[str, Future[Done]] = {}
        self.refusing: dict[str, Exception] = {}
        self.pushed: list[dict[str, Any]] = []
        self.kept: list[list[str]] = []
        self.gate = world.gate
        self.desk = RiskDesk(
            desk=lambda: SimpleNamespace(cancel=self._cancel),  # type: ignore[arg-type,return-value]
            working=lambda: list(ORDERS),
            loop=self.loop,
            push=lambda payload: self.pushed.append(json.loads(payload)["data"]),
            pace=lambda: self.pace,
            now=lambda: NOW,
            timeout=TIMEOUT,
            keep=lambda order_ids: self.kept.append(order_ids),
        )
        self.desk.gate = world.gate
        self.desk.group = Group("sim-9999-a", [], lambda _account: None, self.loop, self.desk.lost_member)
        self.desk.switches = Switches(
            store=world.store,
            account=world,
            silent=self.desk.silent,
            heard=self.desk.heard,
            clock=lambda: self.now,
        )
        world.gate.telling.told = self.desk.told

    def _cancel(self, request: CancelOrder) -> Future[Done]:
        self.asked.append(request.order_id)
        if request.order_id in self.refusing:
            raise self.refusing[request.order_id]
        self.cancels[request.order_id] = Future()
        return self.cancels[request.order_id]

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.loop.run_due()


@pytest.fixture
def room(store: Any) -> Room:
    return Room(World(store))


def states(answer: Future[Any]) -> dict[str, str]:
    return {row["order_id"]: row["state"] for row in json.loads(answer.result(0).payload)["orders"]}


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({}, ["1_1_2", "1_1_1", "1_1_3", "1_1_4"]),
        ({"local_symbol": "m2509.DCE"}, ["1_1_3"]),
        ({"direction": "short"}, ["1_1_2"]),
        ({"strategy": "a"}, ["1_1_4"]),
        ({"older": 60.0}, ["1_1_2", "1_1_1", "1_1_3"]),
        ({"older": 61.0}, ["1_1_2"]),
        ({"filled": "part"}, ["1_1_3"]),
        ({"filled": "none", "local_symbol": "rb2510", "direction": "long"}, ["1_1_1", "1_1_4"]),
        ({"order_ids": ["1_1_1", "1_1_9"]}, ["1_1_1"]),
    ],
)  # fmt: skip
def test_a_selection_fits_all_that_is_asked(
    room: Room, selection: dict[str, Any], expected: list[str]
) -> None:
    assert [order.order_id for order in room.desk.batches.selected(CancelSelected(**selection))] == expected


@pytest.mark.parametrize("bad", [{"direction": "up"}, {"filled": "half"}, {"older": -1.0}])
def test_a_bad_selection_cancels_nothing(room: Room, bad: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        room.desk.cancel(CancelSelected(**bad))
    assert room.asked == []


def test_each_has_its_result_once_all_are_known(room: Room) -> None:
    room.refusing["1_1_3"] = NotFound("没有", code="ORDER_NOT_FOUND")
    answer = room.desk.cancel(CancelSelected())
    room.cancels["1_1_1"].set_result(Done())
    room.cancels["1_1_2"].set_exception(OrderRefused("报单已全成交", code="CTP_26"))
    assert not answer.done()
    room.cancels["1_1_4"].set_result(Done())
    assert states(answer) == {
        "1_1_2": "failed",
        "1_1_1": "cancelled",
        "1_1_3": "failed",
        "1_1_4": "cancelled",
    }
    rows = {row["order_id"]: row for row in json.loads(answer.result().payload)["orders"]}
    assert (rows["1_1_2"]["error"], rows["1_1_2"]["msg"]) == ("CTP_26", "报单已全成交")


def test_cancels_leave_as_the_counter_takes_them_and_what_comes_later_is_told(room: Room) -> None:
    room.pace = 1.0
    answer = room.desk.cancel(CancelSelected())
    assert room.asked == ["1_1_2"]
    for count in (2, 3):
        room.wait(1.0)
        assert len(room.asked) == count
    room.cancels["1_1_2"].set_result(Done())
    room.cancels["1_1_1"].set_result(Done("撤单已发出，柜台未确认"))
    room.wait(0.9)
    assert not answer.done()
    room.wait(0.1)
    assert states(answer)["1_1_2"] == "cancelled"
    assert states(answer)["1_1_1"] == "sent"
    assert set(room.asked) == {order.order_id for order in ORDERS}
    room.cancels["1_1_4"].set_result(Done())
    assert [(one["what"], one["order_id"], one["state"]) for one in room.pushed] == [
        ("cancel", "1_1_4", "cancelled")
    ]


def test_cancels_that_a_killed_process_was_still_to_send_are_sent_by_the_next(room: Room) -> None:
    room.pace = 1.0
    room.desk.cancel(CancelSelected())
    room.desk.cancel(CancelSelected(local_symbol="m2509.DCE"))  # leaves at once: nothing of it waits
    room.wait(1.0)
    assert room.asked == ["1_1_2", "1_1_3", "1_1_1"]
    assert room.kept[-1] == ["1_1_3", "1_1_4"]
    again = Room(World(room.gate.states._store))
    again.desk.resume(["1_1_4", "1_1_99"])  # the second has ended meanwhile
    assert again.asked == ["1_1_4"]
    assert again.kept == [[]]
    again.cancels["1_1_4"].set_result(Done())
    assert [(one["order_id"], one["state"]) for one in again.pushed] == [("1_1_4", "cancelled")]
    room.wait(1.0)
    room.wait(1.0)
    assert room.kept[-1] == []
    count = len(room.kept)
    room.desk.cancel(CancelSelected(local_symbol="m2509.DCE"))
    assert len(room.kept) == count


def test_halting_stops_what_is_new_before_it_cancels(room: Room) -> None:
    sent: list[str] = []
    cancel = room._cancel

    def look(request: CancelOrder) -> Future[Done]:
        sent.append(room.gate.states.of().state)
        return cancel(request)

    room._cancel = look  # type: ignore[method-assign]
    answer = room.desk.change(SetRiskState("halted", why="试", who="页面", cancel=True))
    assert sent == ["halted"] * 4
    for future in room.cancels.values():
        future.set_result(Done())
    assert json.loads(answer.result(0).payload)["states"]["account"]["state"] == "halted"
    assert room.pushed[0]["what"] == "state"
    assert room.pushed[0]["states"]["account"]["who"] == "页面"


def test_pausing_a_strategy_cancels_its_own_alone_and_nothing_without_being_asked(room: Room) -> None:
    room.desk.change(SetRiskState("halted", strategy="a", cancel=True))
    assert room.asked == ["1_1_4"]
    room.desk.change(SetRiskState("reduce_only"))
    assert room.asked == ["1_1_4"]
    with pytest.raises(BadInput):
        room.desk.change(SetRiskState("asleep"))


def test_the_picture_has_states_counts_use_and_where_the_numbers_are_from(store: Any) -> None:
    world = World(store)
    room = Room(world)
    world.rules({"measure": "order_lots", "limit": 9, "action": "refuse"})
    world.send(asked())
    world.end("1_7_1")
    shown = json.loads(room.desk.read(SimpleNamespace()).payload)  # type: ignore[arg-type]
    (row,) = shown["contracts"]
    assert (row["local_symbol"], row["orders"], row["cancels"], row["messages"], row["fee"]) == (
        "rb2510.SHFE",
        1,
        1,
        2,
        0.0,
    )
    (use,) = [one for one in shown["uses"] if one["rule"] == "cancels.SHFE"]
    assert (use["value"], use["limit"], use["share"], use["level"]) == (1, 500, 0.002, 0)
    assert "上期所" in use["source"]
    assert use["date"] == "2019-01-01"
    assert use in row["uses"]
    msgspec.convert(shown, Risk)
    assert shown["caveat"] == "以交易所、期货公司通知为准"
    assert {"source", "date", "confidence"} <= set(shown["thresholds"][0])
    assert "order_lots.account.refuse" in {rule["id"] for rule in shown["rules"]}


# ── silence ──


def silence(room: Room, **switch: Any) -> list[dict[str, Any]]:
    """What is pushed once the watched one has been silent for long enough."""
    room.desk.write(WriteRisk(switches=[{"watch": "page", "seconds": 10, **switch}]))
    for _ in range(12):
        room.now += 1
        room.desk.switches.look()
    return room.pushed


@pytest.mark.parametrize(
    ("action", "state", "cancels"),
    [("warn", "active", 0), ("reduce_only", "reduce_only", 0), ("cancel", "reduce_only", 4)],
)
def test_a_silence_does_what_its_switch_says_and_no_more(
    room: Room, action: str, state: str, cancels: int
) -> None:
    pushed = silence(room, action=action)
    assert (pushed[0]["what"], pushed[0]["code"], pushed[0]["watch"]) == ("switch", "RISK_SILENT", "page")
    assert "10 秒没有网页的动静" in pushed[0]["msg"]
    assert room.gate.states.of().state == state
    assert len(room.asked) == cancels
    assert [one["what"] for one in pushed] == ["switch", "state"][: 1 if action == "warn" else 2]
    room.desk.beat(Beat(has_pages=False))
    assert pushed[-1]["code"] != "RISK_HEARD"
    room.desk.beat(Beat(has_pages=True))
    assert pushed[-1]["code"] == "RISK_HEARD"
    assert room.gate.states.of().state == state  # somebody lets it go on


def test_what_became_of_the_cancels_after_a_silence_is_told(room: Room) -> None:
    pushed = silence(room, action="cancel")
    for cancel in room.cancels.values():
        cancel.set_result(Done())
    assert sorted(one["order_id"] for one in pushed if one["what"] == "cancel") == sorted(room.cancels)


def test_a_silent_strategy_is_stopped_alone(room: Room) -> None:
    silence(room, watch="strategy", name="a", action="cancel")
    assert room.gate.states.of("a").state == "reduce_only"
    assert room.gate.states.of().state == "active"
    assert room.asked == ["1_1_4"]
    room.desk.strategy_lives(StrategyBeat("a"))
    assert room.pushed[-1]["code"] == "RISK_HEARD"


def test_a_silence_does_not_let_a_halted_account_go_on(room: Room) -> None:
    room.desk.change(SetRiskState("halted", who="人"))
    silence(room, action="reduce_only")
    assert room.gate.states.of().state == "halted"


def test_a_script_is_told_how_often_its_sign_is_due(room: Room) -> None:
    room.desk.write(WriteRisk(switches=[{"watch": "script", "name": "套利", "seconds": 5}]))
    due = [json.loads(room.desk.sign(GiveSign(name)).payload) for name in ("套利", "别的")]
    assert due == [{"watched": True, "seconds": 5.0}, {"watched": False, "seconds": None}]


def test_a_bad_switch_changes_neither_switches_nor_rules(room: Room) -> None:
    with pytest.raises(BadInput):
        room.desk.write(
            WriteRisk(
                rules=[{"measure": "order_lots", "limit": 3, "action": "refuse"}],
                switches=[{"watch": "page", "seconds": -1}],
            )
        )
    shown = json.loads(room.desk.read(ReadRisk()).payload)
    assert (shown["own"], shown["switches"]) == ([], [])


def test_a_full_disk_changes_neither_rules_nor_switches(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    put, left = type(room.gate.book._store)._writing, [1]  # room for one more write

    def fills(store: Any) -> Any:
        if not left:
            raise StoreFailed("disk full")
        left.pop()
        return put(store)

    def shown() -> tuple[Any, Any]:
        read = json.loads(room.desk.read(ReadRisk()).payload)
        return [rule["id"] for rule in read["own"]], [switch["watch"] for switch in read["switches"]]

    monkeypatch.setattr(type(room.gate.book._store), "_writing", fills)
    rule = {"id": "fast", "measure": "order_rate", "limit": 10, "seconds": 1, "action": "warn"}
    both = WriteRisk(rules=[rule], switches=[{"watch": "page", "seconds": 10}])
    room.desk.write(both)  # one write for both
    assert shown() == (["fast"], ["page"])
    for request in (WriteRisk(rules=[], switches=[]), WriteRisk(rules=[]), WriteRisk(switches=[])):
        with pytest.raises(StoreFailed):
            room.desk.write(request)
        assert shown() == (["fast"], ["page"])


def test_a_deleted_strategys_halt_ends_with_it_and_that_is_told(room: Room) -> None:
    room.desk.change(SetRiskState("halted", "均线", "失控", "网页"))
    room.pushed.clear()
    room.gate.strategy_deleted("均线")
    room.gate.strategy_deleted("别的")
    (told,) = room.pushed
    assert (told["code"], told["name"], told["state"]) == ("RISK_STATE", "均线", "active")
    assert told["states"]["strategies"] == {}
    again = States(room.gate.states._store, lambda: NOW)
    assert again.of("均线") == State()
    assert again.shown()["strategies"] == {}


def test_a_halt_that_is_kept_while_the_gateway_starts_is_in_force_once_it_can_be_found(room: Room) -> None:
    put_offline(room.gate.states._store, "", State("halted", "命令行（root）", "", "急"))
    assert room.gate.states.of().state == "active"
    room.gate.states.read()
    assert room.gate.states.of() == State("halted", "命令行（root）", "", "急")
