"""Cancelling a selection of working orders: paced as the counter takes them, a result for each. Gateway
process, event thread only.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ctpbee.constant import OrderData

from app.lib import rows
from app.lib.calendar import SHANGHAI
from app.lib.errors import AppError, BadInput
from app.lib.symbols import parse_any_symbol
from app.process.event_loop import EventLoop
from app.wire.messages import CancelOrder, CancelSelected, Done

SECONDS = 1.0  # in which at most `pace` cancels of a selection leave
SENT, QUEUED, CANCELLED, FAILED = "sent", "queued", "cancelled", "failed"

log = logging.getLogger("account.risk")


class CancelDesk(Protocol):
    """What of the order desk is used here."""

    def cancel(self, request: CancelOrder) -> Future[Done]: ...


@dataclass(eq=False)
class _Batch:
    """A selection under way: what has become of each, and who is told of all of it, once."""

    results: dict[str, dict[str, Any]]
    left: deque[str]
    then: Callable[[list[dict[str, Any]]], None]
    unsettled: int
    answered: bool = False

    def answer(self) -> None:
        if not self.answered:
            self.answered = True
            self.then([dict(row) for row in self.results.values()])


class Batches:
    """`pace()` is how many cancels a second the counter takes, 0 for any number; `now` is the counter's
    clock; `told(event)` hears what became of those that are settled after the answer. `keep(order ids)`
    writes down whose cancels are still to leave: who was told so relies on it, and a process can be killed.
    """

    def __init__(
        self,
        *,
        desk: Callable[[], CancelDesk],
        working: Callable[[], list[OrderData]],
        loop: EventLoop,
        pace: Callable[[], float],
        now: Callable[[], datetime],
        timeout: float,
        told: Callable[[dict[str, Any]], None],
        keep: Callable[[list[str]], None],
    ) -> None:
        self._keep = keep
        self._waiting: list[_Batch] = []  # with cancels that are still to leave
        self._desk = desk
        self._working = working
        self._loop = loop
        self._pace = pace
        self._now = now
        self._timeout = timeout
        self._told = told

    def begin(self, request: CancelSelected, then: Callable[[list[dict[str, Any]]], None]) -> None:
        """A cancel for each order of the selection. `then` hears once, when all are settled or the time is
        over, what has become of each by then. Raises BadInput.
        """
        results = {order.order_id: _result(order) for order in self.selected(request)}
        batch = _Batch(results, deque(results), then, len(results))
        log.info("批量撤单：选中 %d 笔", len(results))
        self._loop.call_later(self._timeout, batch.answer)
        self._send_some(batch)

    def resume(self, left: list[str], then: Callable[[list[dict[str, Any]]], None]) -> None:
        """What an earlier process had no time for, as far as it works still."""
        log.warning("上一进程排队的撤单接着发出：%d 笔", len(left))
        self.begin(CancelSelected(order_ids=left), then)
        self._keep_waiting()

    def _keep_waiting(self) -> None:
        self._waiting = [batch for batch in self._waiting if batch.left]
        self._keep([order_id for batch in self._waiting for order_id in batch.left])

    def selected(self, request: CancelSelected) -> list[OrderData]:
        """Those that fit all that is asked, the oldest first. Raises BadInput."""
        if request.direction not in ("", "long", "short"):
            raise BadInput("direction", "direction 应为 long 或 short")
        if request.filled not in ("", "none", "part"):
            raise BadInput("filled", "filled 应为 none（未成交）或 part（部分成交）")
        if request.older < 0:
            raise BadInput("older", "older 应不小于 0")
        symbol = parse_any_symbol(request.local_symbol).symbol if request.local_symbol else ""
        wanted = set(request.order_ids)
        before = rows.time_text(datetime.fromtimestamp(self._now().timestamp() - request.older, SHANGHAI))
        found = [
            order
            for order in self._working()
            if (not symbol or order.symbol == symbol)
            and (
                not request.direction
                or order.direction.value == {"long": "多", "short": "空"}[request.direction]
            )
            and (not request.strategy or order.strategy == request.strategy)
            and (not request.filled or bool(order.traded) == (request.filled == "part"))
            and (not request.older or str(order.datetime) <= before)
            and (not wanted or order.order_id in wanted)
        ]
        return sorted(found, key=lambda order: str(order.datetime))

    def _send_some(self, batch: _Batch) -> None:
        """As many as the counter takes in a second; the rest a second later."""
        pace = self._pace()
        for _ in range(int(pace) if pace else len(batch.left)):
            if batch.left:
                self._send_one(batch, batch.left.popleft())
        if batch.left:
            self._loop.call_later(SECONDS, self._send_some, batch)
            if batch not in self._waiting:
                self._waiting.append(batch)
        if batch in self._waiting:
            self._keep_waiting()
        if not batch.unsettled:
            batch.answer()

    def _send_one(self, batch: _Batch, order_id: str) -> None:
        row = batch.results[order_id]
        row.update(state=SENT)
        try:
            cancel = self._desk().cancel(CancelOrder(order_id))
        except AppError as error:
            self._ended(batch, row, error)
        else:
            cancel.add_done_callback(lambda ended: self._ended(batch, row, ended.exception(), ended))

    def _ended(
        self,
        batch: _Batch,
        row: dict[str, Any],
        error: BaseException | None,
        ended: Future[Done] | None = None,
    ) -> None:
        note = ended.result().note if error is None and ended is not None else ""
        if error is not None:
            row.update(state=FAILED, **_why(error))
        else:
            row.update(state=SENT if note else CANCELLED, msg=note)
        batch.unsettled -= not note
        if batch.answered:  # who asked has his answer
            self._told({"what": "cancel", "code": "", **row})
        elif not batch.unsettled:
            batch.answer()


def _result(order: OrderData) -> dict[str, Any]:
    return {"order_id": order.order_id, "local_symbol": order.local_symbol, "state": QUEUED, "msg": ""}


def _why(error: BaseException) -> dict[str, str]:
    if isinstance(error, AppError):
        return {"error": error.code, "msg": error.message}
    return {"error": "INTERNAL", "msg": str(error)}
