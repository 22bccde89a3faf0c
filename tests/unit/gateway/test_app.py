"""The event loop, with a clock that the test moves, and the ctpbee app around it, without a counter."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ctpbee import CtpbeeApi
from ctpbee.constant import (
    EVENT_CONTRACT,
    EVENT_ORDER,
    EVENT_TICK,
    CancelRequest,
    Direction,
    Event,
    Exchange,
    Offset,
    OrderRequest,
    OrderType,
    TickData,
)
from ctpbee.signals import common_signals

from app.bee import fields
from app.bee.extensions import Everything
from app.gateway.app import BackendApp
from app.interfaces import interface_classes
from app.interfaces.clock import CounterClock
from app.interfaces.ledger import Ledger
from app.interfaces.wiring import Listener
from app.lib.calendar import SHANGHAI
from app.lib.errors import BadInput, NotFound, NotReady
from app.lib.market_orders import market_orders
from app.model.sqlite import SqliteStore
from app.model.store import Store
from app.process.event_loop import EventLoop
from tests.fakes.front import DAY, account, detail, instrument, order, trade
from tests.support.in_loop import in_loop
from tests.support.waiting import eventually


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def loop(clock: Clock) -> EventLoop:
    return EventLoop(clock)


# ── the event loop ──


def test_what_is_posted_runs_in_order_and_what_it_posts_comes_last(loop: EventLoop) -> None:
    seen: list[str] = []

    def first() -> None:
        seen.append("a")
        loop.post(seen.append, "c")

    loop.post(first)
    loop.post(seen.append, "b")
    loop.run_due()
    assert seen == ["a", "b", "c"]


def test_a_failing_handler_is_logged_by_name_and_stops_nothing(
    loop: EventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    def on_bad_day() -> None:
        raise RuntimeError("bad day")

    loop.post(on_bad_day)
    loop.post(seen.append, "next")
    loop.run_due()
    assert seen == ["next"]
    assert "on_bad_day failed" in caplog.text
    assert "bad day" in caplog.text


def test_a_timer_runs_once_when_due_and_not_when_cancelled(loop: EventLoop, clock: Clock) -> None:
    seen: list[str] = []
    loop.call_later(2.0, seen.append, "late")
    loop.call_later(1.0, seen.append, "early")
    loop.call_later(1.5, seen.append, "never").cancel()
    assert loop.run_due() == pytest.approx(1.0)
    clock.now += 5
    assert loop.run_due() is None
    assert seen == ["early", "late"]


def test_a_repeated_timer_asks_for_its_period_each_time(loop: EventLoop, clock: Clock) -> None:
    seen: list[float] = []
    period = [1.0]
    timer = loop.every(lambda: period[0], lambda: seen.append(clock.now))
    for _ in range(4):
        clock.now += 1
        loop.run_due()
    period[0] = 3.0
    for _ in range(7):
        clock.now += 1
        loop.run_due()
    assert seen == [101, 102, 103, 104, 105, 108, 111]
    timer.cancel()
    clock.now += 10
    loop.run_due()
    assert len(seen) == 7


def test_a_repeated_timer_goes_on_after_its_function_has_failed(loop: EventLoop, clock: Clock) -> None:
    seen: list[float] = []

    def fail() -> None:
        seen.append(clock.now)
        raise RuntimeError("again")

    loop.every(lambda: 1.0, fail)
    for _ in range(3):
        clock.now += 1
        loop.run_due()
    assert len(seen) == 3


def test_a_running_loop_wakes_for_posts_and_runs_what_was_posted_before_the_stop() -> None:
    loop = EventLoop()
    thread = threading.Thread(target=loop.run)
    thread.start()
    seen: list[int] = []
    assert in_loop(loop, lambda: loop.is_current)
    assert not loop.is_current
    for number in range(100):
        loop.post(seen.append, number)
    loop.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert seen == list(range(100))


def test_a_reader_is_held_back_while_the_loop_is_behind() -> None:
    loop = EventLoop()
    for _ in range(10):
        loop.post(lambda: None)
    passed = threading.Event()

    def read() -> None:
        loop.throttle(5)
        passed.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert not passed.wait(0.05)
    loop.run_due()
    assert passed.wait(30)
    reader.join(30)


# ── the counter's clock ──


def test_the_counters_clock_runs_on_for_a_second_between_two_words(clock: Clock) -> None:
    counter = CounterClock(clock)
    counter.set("2025-06-09T09:30:00.000")
    clock.now += 0.4
    assert counter.now().isoformat() == "2025-06-09T09:30:00.400000+08:00"
    clock.now += 30
    assert counter.now().isoformat() == "2025-06-09T09:30:01+08:00"
    counter.lost()
    assert counter.now().isoformat() == "2025-06-09T09:30:30.400000+08:00"


def test_one_quote_ahead_moves_no_clock_that_nothing_would_put_back(clock: Clock) -> None:
    counter = CounterClock(clock)
    start = datetime(2025, 6, 9, 9, 30, tzinfo=SHANGHAI)
    counter.start(start)
    for ahead in (40 * 60, 40 * 60, -1, 3, -1, 3600):
        counter.advance(start + timedelta(seconds=ahead))
    assert counter.now() == start
    counter.advance(start + timedelta(seconds=4))
    assert counter.now() == start + timedelta(seconds=4)  # the one before said so too, and more
    assert counter.believed(start + timedelta(minutes=40), "SHFE") == start + timedelta(seconds=4)
    assert counter.believed(start + timedelta(seconds=60), "SHFE") == start + timedelta(seconds=60)


def test_a_counter_that_speaks_each_second_may_run_an_hour_between_two_words(clock: Clock) -> None:
    counter = CounterClock(clock)
    counter.set("2025-06-09T09:30:00.000")
    ahead = datetime(2025, 6, 9, 10, 10, tzinfo=SHANGHAI)
    counter.advance(ahead)
    assert counter.now() == ahead == counter.believed(ahead, "SHFE")


def test_quotes_are_judged_by_their_own_exchanges_clock(clock: Clock) -> None:
    counter = CounterClock(clock)
    start = datetime(2025, 6, 9, 9, 30, tzinfo=SHANGHAI)
    counter.start(start, {"DCE": timedelta(seconds=90), "SHFE": timedelta(seconds=-30)})
    early = start + timedelta(seconds=89)
    for _ in range(2):
        counter.advance(early, "DCE")
        counter.advance(start - timedelta(seconds=31), "SHFE")
    assert counter.now() == start
    assert counter.now("SHFE") == start - timedelta(seconds=30)
    assert counter.believed(early, "DCE") == early
    assert counter.believed(early, "SHFE") == start - timedelta(seconds=30)


# ── the app ──


class Heard(CtpbeeApi):
    """Notes what it hears; fails when told to."""

    def __init__(self, name: str, bee: BackendApp, folder: Path, failing: bool = False) -> None:
        super().__init__(name, bee, cache_path=str(folder))
        self.heard: list[str] = []
        self.failing = failing

    def _hear(self, what: str) -> None:
        self.heard.append(what)
        if self.failing:
            raise RuntimeError(f"{self.extension_name} cannot take it")

    def on_tick(self, tick: TickData) -> None:
        self._hear(f"tick {tick.local_symbol}")

    def on_order(self, order: Any) -> None:
        self._hear(f"order {order.status.value}")

    def on_contract(self, contract: Any) -> None:
        self._hear(f"contract {contract.local_symbol}")

    def on_realtime(self) -> None:
        self._hear("timer")


class Deaf(CtpbeeApi):
    """Overrides nothing: the base's on_tick would raise TypeError."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = SqliteStore(tmp_path / "account.db")
    yield store
    store.close()


@pytest.fixture
def bee(loop: EventLoop, store: Store) -> Iterator[BackendApp]:
    ledger = Ledger()
    ledger.begin_day(DAY)
    ledger.set_contracts([instrument(), instrument("si2509", "GFEX")])
    ledger.rebuild(
        account(), [detail(2)], [order(9, status="0", VolumeTotalOriginal=3)], [trade("t9", 9, Volume=3)]
    )
    info = {"brokerid": "9999", "userid": "demo", "password": "x", "market_orders": market_orders()}
    bee = BackendApp("test", loop, store, ledger, "sim", info)
    yield bee
    bee.release()


class NoteTaker:
    """A trader that only writes down."""

    def __init__(self, sent: list[OrderRequest]) -> None:
        self._sent = sent

    def send_order(self, req: OrderRequest) -> str:
        self._sent.append(req)
        return f"1_7_{len(self._sent)}"

    def close(self) -> None:
        """Nothing is open."""


def tick() -> TickData:
    return TickData(
        symbol="rb2510",
        exchange=Exchange.SHFE,
        last_price=3010.0,
        pre_settlement_price=3000.0,
        trading_day=DAY,
    )


def test_a_failing_extension_is_logged_and_the_next_one_still_hears(
    bee: BackendApp, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Heard("bad", bee, tmp_path, failing=True), Heard("good", bee, tmp_path)
    common_signals.tick_signal.send(Event(EVENT_TICK, tick()))
    common_signals.timer_signal.send(Event("timer"))
    bee.app_signal.contract_signal.send(Event(EVENT_CONTRACT, bee.get_contract("rb2510.SHFE")))
    assert good.heard == bad.heard == ["tick rb2510.SHFE", "timer", "contract rb2510.SHFE"]
    assert "extension bad failed on tick" in caplog.text


def test_an_extension_without_on_tick_is_not_called_for_ticks(
    bee: BackendApp, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Deaf("deaf", bee, cache_path=str(tmp_path))
    common_signals.tick_signal.send(Event(EVENT_TICK, tick()))
    assert "failed" not in caplog.text


def test_instrument_independent_silences_others_but_not_who_hears_everything(
    bee: BackendApp, tmp_path: Path
) -> None:
    all_ears, narrow = Heard("all", bee, tmp_path), Heard("narrow", bee, tmp_path)
    all_ears.instrument_set = Everything()
    narrow.instrument_set = {"ag2512.SHFE"}
    bee.config["INSTRUMENT_INDEPEND"] = True
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        common_signals.tick_signal.send(Event(EVENT_TICK, tick()))
    assert (all_ears.heard, narrow.heard) == (["tick rb2510.SHFE"], [])


def test_a_released_app_hears_no_more_ticks(loop: EventLoop, store: Store, tmp_path: Path) -> None:
    gone = BackendApp("gone", loop, store, Ledger(), "sim", {})
    heard = Heard("x", gone, tmp_path)
    gone.release()
    common_signals.tick_signal.send(Event(EVENT_TICK, tick()))
    assert heard.heard == []


def test_start_makes_no_thread_of_ctpbees_own(bee: BackendApp, loop: EventLoop) -> None:
    bee._connect_info["counter_address"] = "unix:/nowhere/at/all"
    before = set(threading.enumerate())
    bee.start()
    new = {thread.name for thread in set(threading.enumerate()) - before}
    assert new <= {"td-front", "md-front"}
    assert bee.r is False


def test_closing_helpers_of_ctpbee_work_on_our_book(bee: BackendApp, loop: EventLoop) -> None:
    sent: list[OrderRequest] = []
    bee.trader = NoteTaker(sent)
    position = bee.center.positions[0]
    bee.action.cover(3010, 4, position)
    assert [(req.direction, req.offset, req.volume) for req in sent] == [
        (Direction.SHORT, Offset.CLOSETODAY, 3),
        (Direction.SHORT, Offset.CLOSEYESTERDAY, 1),
    ]
    model = bee.center.get_position("rb2510.SHFE")
    assert (model.long_volume, model.long_yd_volume, model.short_volume) == (5, 2, 0)


def test_an_order_told_twice_by_ctpbee_does_not_move_the_position(bee: BackendApp, tmp_path: Path) -> None:
    shown = fields.order_of(order(status="3"), gateway_name="sim", traded=0)
    for _ in range(2):
        bee.app_signal.order_signal.send(Event(EVENT_ORDER, shown))
    assert bee.recorder.position_manager.get_position_by_ld("rb2510.SHFE", Direction.LONG).volume == 5


def test_nothing_is_sent_before_the_front_is_ready(bee: BackendApp, loop: EventLoop, store: Store) -> None:
    bee._connect_info["counter_address"] = "unix:/nowhere/at/all"
    bee.start()
    request = OrderRequest(
        symbol="rb2510",
        exchange=Exchange.SHFE,
        direction=Direction.LONG,
        offset=Offset.OPEN,
        type=OrderType.LIMIT,
        price=3000.0,
        volume=1,
    )
    with pytest.raises(NotReady):
        bee.send_order(request)
    with pytest.raises(NotFound):
        bee.cancel_order(CancelRequest(order_id="1_7_1", symbol="rb2510", exchange=None))
    assert store.intents(DAY) == []


def test_an_unreachable_front_is_reported_as_lost(loop: EventLoop, store: Store) -> None:
    told: list[tuple[str, str, str]] = []
    bee = BackendApp(
        "far",
        loop,
        store,
        Ledger(),
        "sim",
        {"brokerid": "9999", "userid": "demo", "password": "x", "counter_address": "unix:/nowhere/at/all"},
    )

    class Told(Listener):
        def on_status(self, front: str, state: str, reason: str) -> None:
            told.append((front, state, reason))

    bee.listener = Told()
    bee.start()
    lost = {("td", "lost", "连接不上前置"), ("md", "lost", "连接不上前置")}

    def both_told() -> bool:
        loop.run_due()
        return lost <= set(told)

    eventually(both_told, "both fronts told as lost")
    bee.release()


# ── interfaces by name ──


def test_ctp_without_its_native_part_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.lib.interface_names.find_spec", lambda _name: None)
    with pytest.raises(BadInput, match="make ctp") as error:
        interface_classes("ctp")
    assert error.value.code == "INTERFACE_UNAVAILABLE"


def test_ctp_se_is_the_older_pages_name_of_ctp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.lib.interface_names.find_spec", lambda _name: object())
    assert interface_classes("ctp_se") == interface_classes("ctp")
    assert interface_classes("ctp") != interface_classes("sim")


def test_an_unknown_interface_is_an_error() -> None:
    with pytest.raises(BadInput, match="nonesuch"):
        interface_classes("nonesuch")


def test_ctpbees_log_goes_to_the_standard_logging_with_its_owner(
    bee: BackendApp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bee.action.info("hello")
    (record,) = [record for record in caplog.records if record.getMessage() == "hello"]
    assert vars(record)["owner"] == "Action"
