"""The strategies of a backtest, each in an app of its own as when it runs live. Backtest's child.

ctpbee's signals for ticks, bars and its timer are the process's: here an app hears what it is given and
nothing of its neighbours'.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ctpbee import CtpbeeApi
from ctpbee.constant import Event
from ctpbee.record import Recorder
from ctpbee.signals import common_signals

from app.lib.book import Position
from app.strategy.app import StrategyApp
from app.strategy.loader import load
from app.wire.messages import AnyRequest

_NOT_WRITTEN, _UNPACKS = CtpbeeApi.on_tick, CtpbeeApi.__call__


class Program(NamedTuple):
    """A strategy's file, and the name under which it trades."""

    name: str
    path: Path


class Answering(Protocol):
    """What is asked of the account."""

    def call(self, app: BacktestApp, request: AnyRequest) -> Any: ...

    def positions(self) -> list[Position]: ...

    def money(self) -> Any: ...


class _Recorder(Recorder):
    """ctpbee's, with the account's money made when somebody looks: most bars nobody does."""

    @property
    def account(self) -> Any:
        return self.app.money()

    @account.setter
    def account(self, _told: Any) -> None:
        """It is the account's own."""


class BacktestApp(StrategyApp):
    """`clock()`: seconds of the market's time. `wanted`: the contracts of which it hears, None for all."""

    def __init__(self, name: str, account: Answering, clock: Callable[[], float]) -> None:
        def call(request: AnyRequest, timeout: float, late: Any = None) -> Any:
            return account.call(self, request)

        self._account = account
        super().__init__(name, call, clock, order_prefix=name)
        self.recorder.__class__ = _Recorder
        self.wanted: frozenset[str] | None = frozenset()
        self._listening = dict.values(self._extensions)  # whoever is there when it is run through
        self._takes = {  # what ctpbee's recorder does itself, before it tells its extensions
            kind: self.recorder.get_func(kind).__wrapped__ for kind in ("order", "trade", "position")
        }

    @property
    def positions(self) -> list[Position]:
        return self._account.positions()

    @positions.setter
    def positions(self, _told: list[Position]) -> None:
        """They are the account's own, as they are now."""

    def money(self) -> Any:
        """ctpbee's AccountData as it is now."""
        return self._account.money()

    def hear(self, name: str, entity: Any) -> None:
        event = Event(name, entity)
        takes = self._takes.get(name)
        if takes is None:
            self.recorder.get_func(name)(event)
        else:
            takes(self.recorder, event)
            self._tell(name, entity.local_symbol, entity)

    def hear_market(self, name: str, local_symbol: str, entity: Any) -> None:
        """A `tick` or a `bar`, as ctpbee's recorder takes and tells it (its process_tick_event and
        process_bar_event), without what costs there as much as all the rest: this is on the way of each.
        """
        recorder = self.recorder
        (recorder.bar if name == "bar" else recorder.ticks)[local_symbol] = entity
        if self.tools:
            for tool in list(self.tools.values()):
                (tool.on_bar if name == "bar" else tool.on_tick)(entity)
        self._tell(name, local_symbol, entity)

    def _tell(self, name: str, local_symbol: str, entity: Any) -> None:
        """As ctpbee's `call` does it around its recorder, and an extension's own `__call__`: that one only
        unpacks an Event, which need not be made then. On the way of every bar and tick.
        """
        is_apart = self.config.get("INSTRUMENT_INDEPEND")
        for extension in tuple(self._listening):
            if is_apart and local_symbol not in extension.instrument_set:
                continue
            callback = extension.map[name]
            if callback is _NOT_WRITTEN:
                continue
            if type(extension).__call__ is not _UNPACKS:
                extension(Event(name, entity))
            elif not extension._CtpbeeApi__frozen:  # as suspend_extension leaves it
                callback(extension, entity)

    def on_timer(self) -> None:
        """A second of the market's time has passed: on_realtime."""
        self.recorder.process_timer_event(Event(type="timer"))
        self.watch()

    @property
    def watched(self) -> set[str]:
        """The contracts that its strategies name."""
        return {
            str(symbol) for extension in dict.values(self._extensions) for symbol in extension.instrument_set
        }

    @property
    def has_timer(self) -> bool:
        """Whether any of its strategies does something each second."""
        return any(
            type(extension).on_realtime is not CtpbeeApi.on_realtime
            for extension in dict.values(self._extensions)
        )

    def run_file(self, path: Path) -> None:
        """Load the strategy and begin. Raises what the file and its on_init raise."""
        self.add_extension(load(path))
        self.tell_found()
        self.begin()

    def release(self) -> None:
        """Let go of ctpbee's process-wide signals."""
        for event in common_signals.event:
            getattr(common_signals, f"{event}_signal").disconnect(self.recorder.get_func(event))
