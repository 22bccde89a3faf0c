"""What an interface is given by the app that owns it, and what it tells it. Gateway process, event thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ctpbee.signals import AppSignal

from app.interfaces.clock import CounterClock
from app.interfaces.ledger import Ledger
from app.model.store import Store
from app.process.event_loop import EventLoop

OnStatus = Callable[[str, str, str], None]
"""(front "td" or "md", state, reason). States:
 connecting connected authenticating logging_in logged_in confirming loading ready lost refused resting."""

OnCancelRefused = Callable[[str, str, str], None]
"""(order_id, code "CTP_26", message)."""


def ignore(*_args: Any) -> None:
    """For whom a callback does not matter."""


@dataclass(frozen=True)
class Wiring:
    """Everything here is called in the event thread."""

    name: str  # the interface's, ctpbee's gateway_name
    signals: AppSignal
    loop: EventLoop
    store: Store
    ledger: Ledger
    clock: CounterClock = field(default_factory=CounterClock)
    on_status: OnStatus = ignore
    on_cancel_refused: OnCancelRefused = ignore
    on_notice: Callable[[str, str], None] = ignore  # (code, message) of what the trader has to hear of
    on_remark: Callable[[str], None] = ignore  # what he may want to know: no error
    on_password: Callable[[str], None] = ignore  # the counter has taken this one in place of the old
    on_difference: Callable[[list[str]], None] = (
        ignore  # our book and the counter's differed; the counter's was taken
    )
    on_day: Callable[[str], None] = ignore  # another trading day than before begins: its lists start empty
    on_holding: Callable[[Iterable[str]], None] = (
        ignore  # the symbols that the account holds: their prices matter to the book
    )
