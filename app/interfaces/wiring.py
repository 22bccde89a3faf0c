"""What an interface is given by the app that owns it, and what it tells of the account. Gateway process,
event thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ctpbee.signals import AppSignal

from app.interfaces.clock import CounterClock
from app.interfaces.ledger import Ledger
from app.model.store import Store
from app.process.event_loop import EventLoop
from app.wire.frames import DepthField


class Listener:
    """Hears what an interface tells of the account beside ctpbee's events. Each is called in the event
    thread, and does nothing unless it is written.
    """

    def on_status(self, front: str, state: str, reason: str) -> None:
        """`front`: td or md. States: connecting connected authenticating logging_in logged_in confirming
        loading ready lost refused resting.
        """

    def on_cancel_refused(self, order_id: str, code: str, message: str) -> None:
        """`code` as `CTP_26`."""

    def on_notice(self, code: str, message: str) -> None:
        """What the trader has to hear of."""

    def on_remark(self, text: str) -> None:
        """What the trader may want to know: no error."""

    def on_password(self, password: str) -> None:
        """The counter has taken this one in place of the old."""

    def on_difference(self, differences: list[str]) -> None:
        """Our book and the counter's differed; the counter's was taken."""

    def on_day(self, trading_day: str) -> None:
        """Another trading day than before begins: its lists start empty."""


def ignore(*_args: Any) -> None:
    """For whom a callback does not matter."""


@dataclass(frozen=True)
class Wiring:
    """Everything here is called in the event thread, but `record`."""

    name: str  # the interface's, ctpbee's gateway_name
    signals: AppSignal
    loop: EventLoop
    store: Store
    ledger: Ledger
    clock: CounterClock = field(default_factory=CounterClock)
    listener: Listener = field(default_factory=Listener)
    # of the app itself
    follow_trading: Callable[[str], None] = (
        ignore  # the trading front's state: some market fronts depend on it
    )
    forget_day: Callable[[], None] = ignore  # ctpbee's lists, before `on_day`
    hold: Callable[[Iterable[str]], None] = ignore  # these symbols' prices matter to the book
    record: Callable[[list[DepthField]], object] = ignore  # every snapshot, in the thread that has it
