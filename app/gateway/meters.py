"""The gateway's own numbers for /metrics, gathered when somebody asks. Gateway process, event thread."""

from __future__ import annotations

from app.gateway.account import Fronts
from app.gateway.bars import BarArchive
from app.gateway.journal import Journal
from app.gateway.orders import OrderDesk
from app.gateway.publisher import Publisher
from app.model.store import Store
from app.process.event_loop import EventLoop
from app.wire.figures import Figure


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

    def figures(self) -> list[Figure]:
        """All of them, as they are now."""
        fronts = [
            Figure(
                "ctpbee_front_ready",
                "gauge",
                "1 while the front is logged in and loaded.",
                float(state == "ready"),
                labels,
            )
            for front in ("td", "md")
            for state in [self._fronts.state(front)]
            for labels in [{"front": front, "state": state}]
        ]
        waiting = {
            "events": self._loop.waiting,
            "journal": self._journal.waiting,
            "mongodb": self._store.state().waiting,
        }
        queues = [
            Figure(
                "ctpbee_queue_depth",
                "gauge",
                "How much waits in a queue of the gateway.",
                float(depth),
                {"queue": name},
            )
            for name, depth in waiting.items()
        ]
        published = self._publisher
        return [
            *fronts,
            *queues,
            Figure(
                "ctpbee_push_waiting_bytes",
                "gauge",
                "Bytes on their way to webs and strategies.",
                published.waiting_bytes,
            ),
            Figure(
                "ctpbee_watchers", "gauge", "Webs and strategies that hear this account.", published.watchers
            ),
            Figure("ctpbee_ticks", "counter", "Quotes taken from the market front.", published.ticks),
            Figure(
                "ctpbee_ticks_conflated",
                "counter",
                "Quotes that gave way to a newer one on their way out.",
                published.conflated,
            ),
            Figure(
                "ctpbee_watchers_cut",
                "counter",
                "Connections that were cut or broke with events on their way.",
                published.cut,
            ),
            Figure(
                "ctpbee_bars_written", "counter", "1-minute bars written to the store.", self._bars.written
            ),
            Figure(
                "ctpbee_orders_unanswered",
                "counter",
                "Orders without the counter's word in time.",
                self._desk.unanswered,
            ),
            self._desk.latency.figure(
                "ctpbee_order_seconds", "Time from sending an order to the counter's first word on it."
            ),
        ]
