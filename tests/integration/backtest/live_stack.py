"""The live stack in one thread, unconflated, by the recorded clock: the real core on the replayed market, the
real gateway, the strategy's real runner. What is left out are the sockets between them, and the threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ctpbee.constant import Event
from ctpbee.signals import common_signals

from app.bee import entities
from app.counter.core import Core
from app.counter.markets import replay
from app.counter.state import State
from app.gateway.gateway import Gateway
from app.gateway.risk.gate import Gate
from app.interfaces.clock import CounterClock
from app.interfaces.sim.fronts import SimMarket, SimTrader
from app.lib.bars import CLOSE_GRACE, MINUTE
from app.lib.calendar import SHANGHAI
from app.model.sqlite import SqliteStore
from app.settings import Settings
from app.strategy import __main__ as strategy_process
from app.strategy.__main__ import Runner
from app.strategy.app import StrategyApp
from app.wire.messages import JoinStrategy, Login, Push, StrategyStart
from app.wire.registry import PROTOCOL
from app.wire.rpc import _answers

SILENCE = timedelta(seconds=70)  # beyond it nothing happens, and time jumps


class _Wall:
    """What the market's clock runs by; the stack sets it."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=SHANGHAI)

    def __call__(self) -> datetime:
        return self.now


class _Link:
    """A front's connection that is a call."""

    def __init__(self, stack: LiveStack, front: Any) -> None:
        self._stack, self._front = stack, front
        self.connection: Any = None

    def start(self) -> None:
        self.connection = self
        self._stack.links[self._front.name] = self._front
        self._front._loop.post(self._front._on_open)

    def settled(self) -> None: ...

    def drop(self) -> None: ...

    def close(self) -> None: ...

    closed = False

    def send(self, frame: Any) -> None:
        self._stack.route(self._stack.core.handle(self._front.name, frame))


class _Strategy:
    """The strategy's connection as the gateway has it."""

    closed = False

    def __init__(self) -> None:
        self.waiting: deque[Push] = deque()

    def send(self, data: bytes, key: str | None = None) -> None:
        push = _answers.decode(data)
        assert isinstance(push, Push)
        self.waiting.append(push)


class _Alone(StrategyApp):
    """ctpbee's signals of ticks, bars and timers are the process's: here two apps share one, and each hears
    its own.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        for event in common_signals.event:
            getattr(common_signals, f"{event}_signal").disconnect(self.recorder.get_func(event))

    def hear(self, name: str, entity: Any) -> None:
        self.recorder.get_func(name)(Event(type=name, data=entity))


class LiveStack:
    def __init__(
        self, folder: Path, recording: Path, strategy: Path, monkeypatch: pytest.MonkeyPatch, capital: float
    ) -> None:
        monkeypatch.setattr(replay, "GAP", SILENCE)
        monkeypatch.setattr(replay, "BATCH", 1)  # a row at a time: nothing is left out
        monkeypatch.setattr(strategy_process, "StrategyApp", _Alone)
        for front in (SimMarket, SimTrader):
            monkeypatch.setattr(front, "_make_link", lambda front: _Link(self, front))
        self.links: dict[str, Any] = {}
        self._wall = _Wall()
        self.market = replay.ReplayedMarket(recording, wall=self._wall)
        state = State(folder / "counter.db")
        state._db.execute("PRAGMA synchronous = OFF")  # nobody pulls the plug here
        self.core = Core(state, self.market, capital)
        self.store = SqliteStore(folder / "account.db")
        settings = Settings.load(None, {}, data_dir=folder, counter_quotes="replay", counter_replay=recording)
        login = Login(
            account="sim-9999-live",
            interface="sim",
            brokerid="9999",
            userid="live",
            password="secret",
            td_address="",
            md_address="",
            counter_address="",
        )
        self.failed: list[int] = []
        self._began = datetime(2000, 1, 1, tzinfo=SHANGHAI)
        # a second is one of the market's, however fast the recording is played
        monkeypatch.setitem(Gate.__init__.__kwdefaults__, "clock", self._seconds)
        self.gateway = Gateway(settings, login, self.store, folder, self.failed.append)
        self.gateway.loop._clock = self._seconds
        monkeypatch.setattr(CounterClock.__init__, "__defaults__", (self._seconds,))
        self.gateway.app.config["REFRESH_INTERVAL"] = 10**9
        self.gateway.loop.post(self.gateway.app.start)
        self._run()
        self._strategy = _Strategy()
        start = StrategyStart("sim-9999-live", "mine", str(strategy), "gateway")
        self.runner = Runner(start, lambda: None, folder, self.failed.append)
        self.runner.relay.call = self._ask  # type: ignore[method-assign]
        state = self._ask(JoinStrategy("mine", 1, "", PROTOCOL), 1.0)
        self.runner.on_state(msgspec.msgpack.decode(state.payload, type=entities.State))
        self._settle()

    def close(self) -> None:
        self.gateway.app.release()
        assert self.gateway._journal.close(10.0)
        self.store.close()

    def run(self) -> None:
        """All of the recording."""
        while self.market._next is not None:
            before = self.market.now()
            self._pass_to(self.market._next.moment)
            out = self.core.advance()
            if self.market.now() - before > MINUTE:  # over a break: the counter speaks each second
                self.route(self.core.heartbeat())
            self.route(out)
            self._settle()

    # ── how ──

    def _seconds(self) -> float:
        return (self.market.now() - self._began).total_seconds()

    def _pass_to(self, moment: datetime) -> None:
        """By way of the seconds at which a timer closes bars: two after each minute."""
        minute = self.market.now().replace(second=0, microsecond=0)
        for later in (minute + CLOSE_GRACE, minute + MINUTE + CLOSE_GRACE):
            if self.market.now() < later < moment:
                self._set_clock(later)
                self.route(self.core.heartbeat())
                self._settle()
        self._set_clock(moment)

    def _set_clock(self, moment: datetime) -> None:
        begun, file_begun = self.market._started or (self._wall.now, self.market._position)
        self._wall.now = max(self._wall.now, begun + (moment - file_begun))

    def route(self, out: list[tuple[Any, Any]]) -> None:
        for name, frame in out:
            front = self.links[name]
            if name != "md" or not front._intake(frame):
                self.gateway.loop.post(front._on_frame, frame)

    def _run(self) -> None:
        self.gateway.loop.run_due()

    def _settle(self) -> None:
        """Until nobody has anything to say."""
        self._run()
        while self._strategy.waiting:
            push = self._strategy.waiting.popleft()
            self.runner._run(self.runner.on_push, push.name, push.payload)
            self._run()
        assert not self.failed, self.runner

    def _ask(self, request: Any, _timeout: float, _late: Callable[[Any], None] | None = None) -> Any:
        answers: list[Any] = []
        self.gateway._handle(self._strategy, request, answers.append)  # type: ignore[arg-type]
        self._run()
        (answer,) = answers
        if isinstance(answer, BaseException):
            raise answer
        return answer
