"""The gateway's own numbers for /metrics, gathered when somebody asks. Gateway process, event thread."""

from __future__ import annotations

import msgspec

from app.gateway.account import Fronts
from app.gateway.bars import BarArchive
from app.gateway.journal import Journal
from app.gateway.orders import OrderDesk
from app.gateway.publisher import Publisher
from app.model.store import Store
from app.process.event_loop import EventLoop
from app.wire.figures import Figure
from app.wire.messages import Json, ReadMetrics


class Meters:
    """Reads what the gateway's parts have counted."""

    def __init__(
        self,
        *,
        fronts: Fronts,
        publisher: Publisher,
        loop: EventLoop,
        journal: Journal,
        store: Store,
        bars: BarArchive,
        desk: OrderDesk,
    ) -> None:
        self._fronts = fronts
        self._publisher = publisher
        self._loop = loop
        self._journal = journal
        self._store = store
        self._bars = bars
        self._desk = desk

    def read(self, _request: ReadMetrics) -> Json:
        """All figures, as they are now."""
        return Json(msgspec.json.encode([*self._of_fronts(), *self._of_queues(), *self._of_events()]))

    def _of_fronts(self) -> list[Figure]:
        text = "1 while the front is logged in and loaded."
        states = {front: self._fronts.state(front) for front in ("td", "md")}
        return [
            gauge("ctpbee_front_ready", text, float(state == "ready"), front=front, state=state)
            for front, state in states.items()
        ]

    def _of_queues(self) -> list[Figure]:
        waiting = {
            "events": self._loop.waiting,
            "journal": self._journal.waiting,
            "mongodb": self._store.state().waiting,
        }
        text = "How much waits in a queue of the gateway."
        return [
            gauge("ctpbee_queue_depth", text, float(depth), queue=name) for name, depth in waiting.items()
        ]

    def _of_events(self) -> list[Figure]:
        told, desk = self._publisher, self._desk
        conflated = "Quotes that gave way to a newer one on their way out."
        cut = "Connections that were cut or broke with events on their way."
        seconds = "Time from sending an order to the counter's first word on it."
        waiting = "Bytes on their way to webs and strategies."
        return [
            gauge("ctpbee_push_waiting_bytes", waiting, told.waiting_bytes),
            gauge("ctpbee_watchers", "Webs and strategies that hear this account.", told.watchers),
            counter("ctpbee_ticks", "Quotes taken from the market front.", told.ticks),
            counter("ctpbee_ticks_conflated", conflated, told.conflated),
            counter("ctpbee_watchers_cut", cut, told.cut),
            counter("ctpbee_bars_written", "1-minute bars written to the store.", self._bars.written),
            counter(
                "ctpbee_orders_unanswered", "Orders without the counter's word in time.", desk.unanswered
            ),
            desk.latency.figure("ctpbee_order_seconds", seconds),
        ]


def gauge(name: str, text: str, value: float, **labels: str) -> Figure:
    """What goes up and down."""
    return Figure(name, "gauge", text, value, labels)


def counter(name: str, text: str, value: float) -> Figure:
    """What has been counted since the gateway started."""
    return Figure(name, "counter", text, value)
