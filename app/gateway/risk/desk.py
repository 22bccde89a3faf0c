"""What is asked of the gate: states, counts and use; rules; stopping; cancelling a selection. Gateway
process, event thread only.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ctpbee.constant import OrderData

from app.gateway.futures import done
from app.gateway.risk.gate import Gate
from app.gateway.risk.rulebook import Measured
from app.lib import risk, rows
from app.lib.calendar import SHANGHAI
from app.lib.errors import AppError, BadInput
from app.lib.risk_counts import ACCOUNT, CONTRACT, PRODUCT, STRATEGY
from app.lib.symbols import parse_any_symbol, product_of
from app.lib.thresholds import CAVEAT
from app.process.event_loop import EventLoop
from app.wire.messages import CancelOrder, CancelSelected, Done, Json, ReadRisk, SetRiskState, WriteRisk

KEPT = 200  # crossings, refusals and changes of state that GET /risk shows
SECONDS = 1.0  # in which at most `pace` cancels of a selection leave
SENT, QUEUED, CANCELLED, FAILED = "sent", "queued", "cancelled", "failed"

log = logging.getLogger("account.risk")


class CancelDesk(Protocol):
    """What of the order desk is used here."""

    def cancel(self, request: CancelOrder) -> Future[Done]: ...


@dataclass
class _Batch:
    """A selection under way: what has become of each, and who is told of all of it, once."""

    results: dict[str, dict[str, Any]]
    left: deque[str]
    then: Callable[[list[dict[str, Any]]], None]
    answered: bool = False

    def is_over(self) -> bool:
        return all(row["state"] in (CANCELLED, FAILED) for row in self.results.values())

    def answer(self) -> None:
        if not self.answered:
            self.answered = True
            self.then([dict(row) for row in self.results.values()])


class RiskDesk:
    """`push(payload)` sends the `risk` event; `pace()` is how many cancels a second the counter takes, 0 for
    any number; `now` is the counter's clock.
    """

    def __init__(
        self,
        *,
        desk: Callable[[], CancelDesk],
        working: Callable[[], list[OrderData]],
        loop: EventLoop,
        push: Callable[[bytes], None],
        pace: Callable[[], float],
        now: Callable[[], datetime],
        timeout: float,
    ) -> None:
        self.gate: Gate  # set once there is one: it tells what happens here
        self._desk = desk
        self._working = working
        self._loop = loop
        self._push = push
        self._pace = pace
        self._now = now
        self._timeout = timeout
        self._recent: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def told(self, event: dict[str, Any]) -> None:
        """Something has happened: kept and pushed, with the states as they are now."""
        event = {"time": rows.time_text(self._now()), **event}
        self._recent.append(event)
        self._push(rows.event("risk", event | {"states": self.gate.states.shown()}))

    # ── reading ──

    def read(self, _request: ReadRisk) -> Json:
        gate, uses = self.gate, list(self._uses())
        strategies = gate.counting.tally.keys(STRATEGY)
        shown = {
            "trading_day": gate.trading_day,
            "states": gate.states.shown(),
            "own": gate.book.own,
            "rules": [rule.shown() for rule in gate.book.rules],
            "account": gate.counting.tally.of((ACCOUNT, "")).as_dict(),
            "contracts": [
                self._contract(symbol, exchange, uses)
                for symbol, exchange in sorted(gate.counting.tally.symbols.items())
            ],
            "strategies": [
                {"name": name, **gate.counting.tally.of((STRATEGY, name)).as_dict()} for name in strategies
            ],
            "uses": uses,
            "money": gate.money.values,
            "thresholds": [self._threshold(row) for row in gate.book.thresholds.rows],
            "caveat": CAVEAT,
            "recent": list(self._recent),
        }
        return Json(rows.to_json(shown))

    def _contract(self, symbol: str, exchange: str, uses: list[dict[str, Any]]) -> dict[str, Any]:
        """Its counts, what they would cost, and how far the limits of it and of its product are used."""
        counts = self.gate.counting.tally.of((CONTRACT, symbol))
        row = {"local_symbol": f"{symbol}.{exchange}", **counts.as_dict()}
        product = product_of(symbol)
        fee = self.gate.book.thresholds.of("messages", exchange, product)
        own = {(CONTRACT, symbol), (PRODUCT, product)}
        return row | {
            "fee": fee.cost(counts.messages, counts.otr) if fee is not None else None,
            "uses": [use for use in uses if (use["scope"], use["name"]) in own],
        }

    def _uses(self) -> Iterator[dict[str, Any]]:
        """How far each rule of counts is used, by what it counts, once each."""
        gate, seen = self.gate, set()
        for symbol, exchange in sorted(gate.counting.tally.symbols.items()):
            for strategy in ("", *gate.counting.tally.keys(STRATEGY)):
                for measured in gate.book.fitting(symbol, exchange, strategy).watched:
                    if measured.name not in seen:
                        seen.add(measured.name)
                        yield _use(measured, gate.counting.value(measured, symbol, strategy))
        for measured in gate.money.watched:
            if measured.rule.measure in gate.money.values:
                yield _use(measured, gate.money.values[measured.rule.measure])

    @staticmethod
    def _threshold(row: Any) -> dict[str, Any]:
        return {"id": row.id, **row.model_dump(mode="json")}

    # ── changing ──

    def write(self, request: WriteRisk) -> Done:
        """All or nothing; in force at once and after a restart. Raises BadInput."""
        self.gate.write(request.rules)
        return Done()

    def change(self, request: SetRiskState) -> Future[Json]:
        """Halt first, then cancel: nothing new comes in between. Raises BadInput."""
        if request.state not in risk.STATES:
            raise BadInput("state", f"state 应为 {'、'.join(risk.STATES)} 之一")
        self.gate.change_state(request.strategy, request.state, request.who, request.why)
        if not request.cancel:
            return done(self._states([]))
        selection = CancelSelected(strategy=request.strategy)
        answer: Future[Json] = Future()
        self._begin(selection, lambda results: answer.set_result(self._states(results)))
        return answer

    def _states(self, results: list[dict[str, Any]]) -> Json:
        return Json(rows.to_json({"states": self.gate.states.shown(), "orders": results}))

    # ── cancelling a selection ──

    def cancel(self, request: CancelSelected) -> Future[Json]:
        """A cancel for each order of the selection, paced; the answer has what became of each by then, and
        what comes of the rest is told by `risk` events. Raises BadInput.
        """
        answer: Future[Json] = Future()
        self._begin(request, lambda results: answer.set_result(Json(rows.to_json({"orders": results}))))
        return answer

    def _begin(self, request: CancelSelected, then: Callable[[list[dict[str, Any]]], None]) -> None:
        results = {order.order_id: _result(order) for order in self.selected(request)}
        batch = _Batch(results, deque(results), then)
        log.info("批量撤单：选中 %d 笔", len(results))
        self._loop.call_later(self._timeout, batch.answer)
        self._send_some(batch)

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
        if batch.is_over():
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
        if batch.answered:  # who asked has his answer
            self.told({"what": "cancel", "code": "", **row})
        elif batch.is_over():
            batch.answer()


def _result(order: OrderData) -> dict[str, Any]:
    return {"order_id": order.order_id, "local_symbol": order.local_symbol, "state": QUEUED, "msg": ""}


def _why(error: BaseException) -> dict[str, str]:
    if isinstance(error, AppError):
        return {"error": error.code, "msg": error.message}
    return {"error": "INTERNAL", "msg": str(error)}


def _use(measured: Measured, value: float) -> dict[str, Any]:
    rule, (scope, name) = measured.rule, measured.key
    return {
        "rule": rule.id,
        "measure": rule.measure,
        "text": rule.text,
        "scope": scope,
        "name": name,
        "value": value,
        "limit": rule.limit,
        "share": round(value / rule.limit, 4) if rule.limit else None,
        "level": rule.level(value),
        "action": rule.action,
        "source": rule.source,
        "date": rule.date,
    }
