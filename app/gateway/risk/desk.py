"""What is asked of the gate: states, counts and use; rules; stopping; cancelling a selection. Gateway
process, event thread only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import datetime
from typing import Any

from ctpbee.constant import OrderData

from app.gateway.futures import done
from app.gateway.risk.batches import Batches, CancelDesk
from app.gateway.risk.gate import Gate
from app.gateway.risk.group import Group
from app.gateway.risk.rulebook import Measured
from app.gateway.risk.states import strictness
from app.gateway.risk.switches import Switches, kept_switches
from app.lib import risk, rows
from app.lib.errors import BadInput
from app.lib.risk_counts import ACCOUNT, CONTRACT, PRODUCT, STRATEGY, Facts
from app.lib.switches import ACTION_TEXT, PAGE, SCRIPT, Switch, checked_switches
from app.lib.switches import STRATEGY as STRATEGY_SWITCH
from app.lib.symbols import product_of
from app.lib.thresholds import CAVEAT
from app.process.event_loop import EventLoop
from app.wire.messages import (
    Beat,
    CancelSelected,
    Done,
    GiveSign,
    Json,
    ReadRisk,
    SetRiskState,
    StrategyBeat,
    WriteRisk,
)

KEPT = 200  # crossings, refusals and changes of state that GET /risk shows


class RiskDesk:
    """`push(payload)` sends the `risk` event; `pace()` is how many cancels a second the counter takes, 0 for
    any number; `now` is the counter's clock; `keep(order ids)` writes down which cancels are still to leave.
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
        keep: Callable[[list[str]], None],
    ) -> None:
        self.gate: Gate  # set once there is one: it tells what happens here
        self.switches: Switches  # as well
        self.group: Group  # as well
        self.batches = Batches(
            desk=desk,
            working=working,
            loop=loop,
            pace=pace,
            now=now,
            timeout=timeout,
            told=self.told,
            keep=keep,
        )
        self._push = push
        self._now = now
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
            "measures": risk.MEASURES_SHOWN,
            "account": gate.counting.tally.of((ACCOUNT, "")).as_dict(),
            "contracts": [
                self._contract(symbol, exchange, uses)
                for symbol, exchange in sorted(gate.counting.tally.symbols.items())
            ],
            "strategies": [
                {"name": name, **gate.counting.tally.of((STRATEGY, name)).as_dict()} for name in strategies
            ],
            "duplicates": [_named(facts) for facts in gate.counting.tally.duplicates[-KEPT:]],
            "uses": uses,
            "money": gate.money.values,
            "thresholds": [self._threshold(row) for row in gate.book.thresholds.rows],
            "caveat": CAVEAT,
            "recent": list(self._recent),
            "switches": self.switches.shown(),
            "group": self.group.shown(),
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
        """All or nothing; in force at once and after a restart. Raises BadInput and StoreFailed."""
        switches = checked_switches(request.switches) if request.switches is not None else None
        if request.rules is not None:
            self.gate.write(request.rules, kept_switches(switches) if switches is not None else None)
            if switches is not None:
                self.switches.adopt(switches)
        elif switches is not None:
            self.switches.write(switches)
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
        self.batches.begin(selection, lambda results: answer.set_result(self._states(results)))
        return answer

    def _states(self, results: list[dict[str, Any]]) -> Json:
        return Json(rows.to_json({"states": self.gate.states.shown(), "orders": results}))

    # ── signs of life ──

    def beat(self, request: Beat) -> Done:
        if request.has_pages:
            self.switches.sign(PAGE)
        return Done()

    def sign(self, request: GiveSign) -> Json:
        switch = self.switches.sign(SCRIPT, request.name)
        due = {"watched": switch is not None, "seconds": switch.seconds if switch is not None else None}
        return Json(rows.to_json(due))

    def strategy_lives(self, request: StrategyBeat) -> Done:
        self.switches.sign(STRATEGY_SWITCH, request.name)
        return Done()

    def silent(self, switch: Switch, seconds: float) -> None:
        """What the switch says, of the strategy that it watches or else of the account. Nothing is flattened:
        at most no position is opened and no order rests any more.
        """
        strategy = switch.name if switch.watch == STRATEGY_SWITCH else ""
        why = f"{seconds:.0f} 秒没有{switch.text}的动静"
        self.gate.telling.say(
            "switch",
            "RISK_SILENT",
            f"失联保护：{why}，{ACTION_TEXT[switch.action]}",
            watch=switch.watch,
            name=switch.name,
            strategy=strategy,
        )
        if switch.action == risk.WARN:
            return
        if strictness(self.gate.states.of(strategy)) < risk.STATES.index(risk.REDUCE_ONLY):
            self.gate.change_state(strategy, risk.REDUCE_ONLY, "失联保护", why)
        if switch.action == risk.CANCEL:
            self.batches.begin(CancelSelected(strategy=strategy), self._tell_results)

    def heard(self, switch: Switch) -> None:
        """A sign after all; what was done stays until somebody undoes it."""
        self.gate.telling.say(
            "switch", "RISK_HEARD", f"失联保护：又有{switch.text}的动静", watch=switch.watch, name=switch.name
        )

    def lost_member(self, account: str, text: str) -> None:
        """The gateway of another account of the group is away."""
        self.gate.telling.say("group", "RISK_GROUP", text, name=account)

    def resume(self, left: list[str]) -> None:
        """The cancels that an earlier process was still to send."""
        self.batches.resume(left, self._tell_results)

    def _tell_results(self, results: list[dict[str, Any]]) -> None:
        for row in results:
            self.told({"what": "cancel", "code": "", **row})

    # ── cancelling a selection ──

    def cancel(self, request: CancelSelected) -> Future[Json]:
        """A cancel for each order of the selection, paced; the answer has what became of each by then, and
        what comes of the rest is told by `risk` events. Raises BadInput.
        """
        answer: Future[Json] = Future()
        self.batches.begin(
            request, lambda results: answer.set_result(Json(rows.to_json({"orders": results})))
        )
        return answer


def _named(facts: Facts) -> dict[str, Any]:
    return {
        "order_id": facts.order_id,
        "local_symbol": f"{facts.symbol}.{facts.exchange}",
        "side": facts.side,
        "price": facts.price,
        "volume": facts.volume,
        "strategy": facts.strategy,
    }


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
