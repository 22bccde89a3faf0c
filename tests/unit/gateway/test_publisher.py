"""app/gateway/publisher.py: watchers, whole lists, conflation, the cut. A loop with a hand-driven clock."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from app.gateway.publisher import LIST_INTERVAL, Publisher
from app.process.event_loop import EventLoop
from app.wire.channel import ChannelClosed
from app.wire.messages import BacktestChanged, Push, StrategyChanged

decode = msgspec.msgpack.Decoder(Push).decode


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Watcher:
    def __init__(self) -> None:
        self.pushes: list[Push] = []
        self.keys: list[str | None] = []
        self.gone = False
        self.conflated = 0
        self.waiting_bytes = 0

    def send(self, data: bytes, key: str | None = None) -> None:
        if self.gone:
            raise ChannelClosed("gone")
        self.pushes.append(decode(data))
        self.keys.append(key)

    def payloads(self, name: str) -> list[Any]:
        return [orjson.loads(push.payload) for push in self.pushes if push.name == name]


class House:
    """A publisher with a list of one number that tests change."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.loop = EventLoop(self.clock)
        self.number = 0
        self.publisher = Publisher(
            self.loop,
            {"position": lambda: [self.number], "contract": lambda: ["a", "b"], "status": dict},
            last_seq=7,
        )
        self.publisher.mute(False)
        self.pass_time(1.0)

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        self.loop.run_due()

    def change(self) -> None:
        self.number += 1
        self.publisher.changed("position")


def test_a_snapshot_carries_every_list_and_the_seq_it_stands_at() -> None:
    house = House()
    assert orjson.loads(house.publisher.watch(Watcher())) == {
        "seq": 7,
        "position": [0],
        "contract": ["a", "b"],
        "status": {},
    }


def test_a_snapshot_has_the_states_of_the_gate_while_the_account_loads_too() -> None:
    house = House()
    house.publisher.states = lambda: {"account": {"state": "halted"}}
    for is_loading in (False, True):
        house.publisher.mute(is_loading)
        assert orjson.loads(house.publisher.watch(Watcher()))["states"] == {"account": {"state": "halted"}}


def test_a_snapshot_has_the_newest_event_of_each_strategy_that_is_not_deleted() -> None:
    house, watcher = House(), Watcher()
    for name, state, deleted in (
        ("甲", "启动中", False),
        ("甲", "运行中", False),
        ("乙", "停止", False),
        ("乙", "停止", True),
    ):
        house.publisher.strategy(StrategyChanged(name, orjson.dumps({"name": name, "state": state}), deleted))
    assert orjson.loads(house.publisher.watch(watcher))["strategy"] == [{"name": "甲", "state": "运行中"}]
    house.publisher.strategy(StrategyChanged("甲", b'{"name":"x"}', False))
    assert watcher.payloads("strategy") == [{"name": "x"}]


def test_a_word_of_a_backtest_goes_to_all_who_watch_and_into_no_snapshot() -> None:
    house, watcher = House(), Watcher()
    house.publisher.watch(watcher)
    house.publisher.backtest(BacktestChanged(b'{"type":"backtest","data":{"id":"1"}}'))
    assert watcher.payloads("backtest") == [{"type": "backtest", "data": {"id": "1"}}]
    assert "backtest" not in orjson.loads(house.publisher.watch(Watcher()))


def test_while_an_account_is_loading_a_snapshot_has_no_lists_and_they_follow_when_it_has_loaded() -> None:
    house = House()
    house.publisher.mute(True)
    watcher = Watcher()
    assert orjson.loads(house.publisher.watch(watcher)) == {"seq": 7, "status": {}}
    assert not watcher.pushes
    house.publisher.mute(False)
    assert watcher.payloads("position") == [{"type": "position", "data": [0]}]


def test_what_follows_a_snapshot_is_above_its_seq() -> None:
    house = House()
    house.publisher.journaled("order_update", 8, {"order_id": "1"})
    watcher = Watcher()
    assert orjson.loads(house.publisher.watch(watcher))["seq"] == 8
    house.publisher.journaled("order_update", 9, {"order_id": "1"})
    assert watcher.payloads("order_update") == [{"type": "order_update", "seq": 9, "data": {"order_id": "1"}}]


def test_nobody_gets_anything_before_watching_or_after_leaving() -> None:
    house, watcher = House(), Watcher()
    house.change()
    house.publisher.watch(watcher)
    house.publisher.forget(watcher)
    house.change()
    house.pass_time(1.0)
    assert watcher.pushes == []


def test_a_list_goes_out_at_once_then_at_most_once_per_interval_and_the_last_change_always_does() -> None:
    house, watcher = House(), Watcher()
    house.publisher.watch(watcher)
    for _ in range(50):
        house.change()
    assert watcher.payloads("position") == [{"type": "position", "data": [1]}]
    house.pass_time(LIST_INTERVAL)
    assert [payload["data"] for payload in watcher.payloads("position")] == [[1], [50]]
    house.pass_time(LIST_INTERVAL)
    house.pass_time(LIST_INTERVAL)
    assert len(watcher.payloads("position")) == 2  # nothing changed: nothing is sent


def test_a_second_of_constant_change_makes_at_most_eleven_lists() -> None:
    house, watcher = House(), Watcher()
    house.publisher.watch(watcher)
    for _ in range(1000):
        house.change()
        house.pass_time(0.001)
    house.pass_time(LIST_INTERVAL)
    lists = watcher.payloads("position")
    assert len(lists) <= 12
    assert lists[-1]["data"] == [1000]


def test_no_list_leaves_while_the_account_loads_and_all_do_afterwards() -> None:
    house, watcher = House(), Watcher()
    house.publisher.watch(watcher)
    house.publisher.mute(True)
    house.change()
    house.pass_time(1.0)
    assert watcher.pushes == []
    house.publisher.mute(False)
    assert watcher.payloads("position") == [{"type": "position", "data": [1]}]


def test_a_list_that_rested_when_the_account_began_to_load_waits_until_it_has_loaded() -> None:
    house, watcher = House(), Watcher()
    house.publisher.watch(watcher)
    for _ in range(2):
        house.change()  # the second would leave a moment later
    house.publisher.mute(True)
    house.pass_time(LIST_INTERVAL)
    assert [payload["data"] for payload in watcher.payloads("position")] == [[1]]
    house.publisher.mute(False)
    house.pass_time(LIST_INTERVAL)
    assert [payload["data"] for payload in watcher.payloads("position")] == [[1], [2]]


def test_ticks_conflate_by_contract_and_nothing_else_does() -> None:
    house, watcher = House(), Watcher()
    house.publisher.watch(watcher)
    house.publisher.tick("rb2501.SHFE", b'{"type":"tick"}')
    house.publisher.push("bar", b"{}", "rb2501.SHFE")
    house.change()
    assert watcher.keys == ["tick:rb2501.SHFE", None, None]
    assert watcher.pushes[0].symbol == "rb2501.SHFE"
    assert watcher.pushes[0].payload == b'{"type":"tick"}'


def test_the_accounts_detail_goes_out_with_the_account() -> None:
    house, watcher = House(), Watcher()
    lists = {name: lambda: [house.number] for name in ("account", "account_detail", "status")}
    publisher = Publisher(house.loop, lists)
    publisher.watch(watcher)
    publisher.mute(False)
    house.pass_time(1.0)
    watcher.pushes.clear()
    house.number = 5
    publisher.changed("account")
    house.pass_time(LIST_INTERVAL)
    assert [watcher.payloads(name)[-1]["data"] for name in ("account", "account_detail")] == [[5], [5]]


def test_the_contract_event_is_the_bare_list() -> None:
    house, watcher = House(), Watcher()
    house.publisher.watch(watcher)
    house.publisher.changed("contract")
    assert watcher.payloads("contract") == [["a", "b"]]


def test_the_forming_bar_goes_out_twice_a_second_per_contract_in_its_newest_state() -> None:
    house, watcher = House(), Watcher()
    house.publisher.watch(watcher)
    newest = 0
    for newest in range(20):
        house.publisher.forming_bar("a", lambda: b"%d" % newest)  # noqa: B023
        house.publisher.forming_bar("b", lambda: None)  # closed meanwhile
        house.pass_time(0.05)
    house.pass_time(0.5)
    sent = [int(push.payload) for push in watcher.pushes if push.name == "bar_update"]
    assert sent[0] == 0
    assert sent[-1] == 19
    assert len(sent) <= 4
    assert {push.symbol for push in watcher.pushes} == {"a"}


def test_a_watcher_that_has_gone_is_forgotten_and_stops_nobody_else() -> None:
    house, dead, alive = House(), Watcher(), Watcher()
    house.publisher.watch(dead)
    house.publisher.watch(alive)
    dead.gone = True
    house.publisher.push("error", b"{}")
    house.publisher.push("error", b"{}")
    assert len(alive.pushes) == 2
