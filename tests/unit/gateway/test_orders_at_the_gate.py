"""The order desk behind a gate: what is refused never leaves, what waits for its turn leaves once at most."""

from __future__ import annotations

from typing import Any

import pytest
from ctpbee.constant import OrderRequest, Status

from app.gateway.risk.verdict import Verdict
from app.lib.book import Closable
from app.lib.errors import NotFound, OrderRefused
from app.wire import deadlines
from app.wire.messages import CancelAll, CancelOrder, ClosePosition, OrderOutcome
from tests.unit.gateway.test_orders import TIMEOUT, Desk, an_order, refusal

WAIT = Verdict(wait=1.0)


class Gate:
    """Says what the test tells it, and keeps what it hears."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict | OrderRefused] = []
        self.judged: list[tuple[OrderRequest, str, bool]] = []
        self.left: list[tuple[str, bool]] = []
        self.cancels: list[str] = []

    def judge(
        self, request: OrderRequest, strategy: str, _deadline: float = 0.0, has_turn: bool = False
    ) -> Verdict:
        self.judged.append((request, strategy, has_turn))
        verdict = self.verdicts.pop(0) if self.verdicts else Verdict()
        if isinstance(verdict, OrderRefused):
            raise verdict
        return verdict

    def sent(self, order_id: str, _request: OrderRequest, _strategy: str, has_turn: bool = False) -> None:
        self.left.append((order_id, has_turn))

    def cancel_sent(self, order_id: str) -> None:
        self.cancels.append(order_id)


@pytest.fixture
def house() -> Any:
    house = Desk()
    house.desk._gate = house.gate = Gate()  # type: ignore[attr-defined]
    return house


def test_what_the_gate_refuses_is_neither_journalled_nor_sent(house: Any) -> None:
    house.gate.verdicts = [OrderRefused("停", code="RISK_HALTED")]
    with pytest.raises(OrderRefused, match="停"):
        house.desk.place(an_order(client_order_id="c"))
    assert (house.sent, house.intents, house.gate.left) == ([], {}, [])
    house.desk.place(an_order(client_order_id="c"))  # the id is free
    assert house.gate.left == [("1_2_1", False)]


def test_what_never_left_is_not_counted(house: Any) -> None:
    house.line_is_down = True
    assert house.desk.place(an_order()).result(0).code == "NEVER_SENT"
    assert house.gate.left == []


def test_an_order_leaves_when_it_is_its_turn_having_been_judged_again(house: Any) -> None:
    house.gate.verdicts = [WAIT]
    placed = house.desk.place(an_order(strategy="a"))
    assert house.sent == []
    house.pass_time(0.9)
    assert house.sent == []
    house.pass_time(0.1)
    assert [(strategy, turn) for _request, strategy, turn in house.gate.judged] == [("a", False), ("a", True)]
    assert house.gate.left == [("1_2_1", True)]
    house.hear("1_2_1", Status.NOTTRADED)
    assert placed.result(0).state == "accepted"


def test_halted_while_it_waits_it_does_not_leave(house: Any) -> None:
    house.gate.verdicts = [WAIT, OrderRefused("停", code="RISK_HALTED")]
    placed = house.desk.place(an_order())
    house.pass_time(1.0)
    assert refusal(placed).code == "RISK_HALTED"
    assert house.sent == []


def test_a_front_that_is_lost_while_it_waits_lets_nothing_leave(house: Any) -> None:
    house.gate.verdicts = [WAIT]
    placed = house.desk.place(an_order())
    house.ready = False
    house.pass_time(1.0)
    assert refusal(placed).code == "NOT_READY"
    assert house.sent == []


def test_past_its_deadline_it_does_not_leave_and_all_are_told(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.gate.verdicts = [WAIT]
    placed = house.desk.place(an_order(deadline=100.0 + deadlines.now()))
    monkeypatch.setattr(deadlines, "now", lambda: 1e12)
    house.pass_time(1.0)
    assert placed.result(0) == OrderOutcome("1_2_1", "refused", deadlines.TOO_LATE, "报单迟到，未发出")
    assert [outcome.code for outcome in house.unheard] == [deadlines.TOO_LATE]


def test_the_same_client_order_id_waits_for_the_same_order(house: Any) -> None:
    house.gate.verdicts = [WAIT]
    first, second = (
        house.desk.place(an_order(client_order_id="c")),
        house.desk.place(an_order(client_order_id="c")),
    )
    with pytest.raises(Exception, match="另一张"):
        house.desk.place(an_order(client_order_id="c", volume=3))
    house.pass_time(1.0)
    house.pass_time(5.0)
    assert len(house.sent) == 1
    assert first.result(0) == second.result(0)


def test_who_asks_for_an_order_that_waits_is_told_that_it_was_not_sent_and_it_never_is(house: Any) -> None:
    house.gate.verdicts = [WAIT]
    placed = house.desk.place(an_order(client_order_id="c"))
    with pytest.raises(NotFound):
        house.desk.find("c")
    house.pass_time(1.0)
    assert refusal(placed).code == "RISK_FLOW"
    assert house.sent == []
    house.desk.place(an_order(client_order_id="c"))
    house.pass_time(5.0)
    assert len(house.sent) == 1


def test_the_resting_order_in_the_way_is_cancelled_first(house: Any) -> None:
    house.desk.place(an_order())
    house.hear("1_2_1", Status.NOTTRADED)
    house.gate.verdicts = [Verdict(cancel="1_2_1")]
    placed = house.desk.place(an_order(direction="short"))
    assert [request.order_id for request in house.cancels] == ["1_2_1"]
    assert len(house.sent) == 1
    house.hear("1_2_1", Status.CANCELLED)
    house.pass_time(0.0)
    assert len(house.sent) == 2
    house.hear("1_2_2", Status.NOTTRADED)
    assert placed.result(0).state == "accepted"


@pytest.mark.parametrize("refused", [True, False])
def test_where_its_cancel_is_refused_or_not_confirmed_nothing_leaves(house: Any, refused: bool) -> None:
    house.desk.place(an_order())
    house.hear("1_2_1", Status.NOTTRADED)
    house.gate.verdicts = [Verdict(cancel="1_2_1")]
    placed = house.desk.place(an_order(direction="short"))
    if refused:
        house.desk.on_cancel_refused("1_2_1", "CTP_26", "已成交")
    house.pass_time(10.0)
    assert refusal(placed).code == ("CTP_26" if refused else "RISK_SELF_TRADE")
    assert len(house.sent) == 1


def test_every_leg_of_a_close_is_judged_before_any_leaves(house: Any) -> None:
    house.closable = Closable(3, 2)
    close = ClosePosition("rb2501.SHFE", "long", 5)
    house.gate.verdicts = [Verdict(), OrderRefused("停", code="RISK_HALTED")]
    with pytest.raises(OrderRefused):
        house.desk.close_position(close)
    assert house.sent == []
    house.gate.verdicts = [Verdict(), WAIT]
    closed = house.desk.close_position(close)
    assert house.sent == []
    house.pass_time(1.0)
    assert [request.volume for request in house.sent] == [3, 2]
    for order_id in ("1_2_1", "1_2_2"):
        house.hear(order_id, Status.NOTTRADED)
    assert [outcome.state for outcome in closed.result(0).outcomes] == ["accepted", "accepted"]


def test_cancels_are_not_judged_and_are_heard_of(house: Any) -> None:
    house.desk.place(an_order())
    house.hear("1_2_1", Status.NOTTRADED)
    judged = len(house.gate.judged)
    house.desk.cancel(CancelOrder("1_2_1"))
    house.pass_time(TIMEOUT)
    house.desk.cancel_all(CancelAll())
    assert house.gate.cancels == ["1_2_1", "1_2_1"]
    assert len(house.gate.judged) == judged
