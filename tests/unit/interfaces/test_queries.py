"""The line of queries, by a clock that the test sets: one in flight, one a second, and what is asked
again.
"""

from __future__ import annotations

from typing import Any

import pytest

from app.interfaces.ctp import queries, words
from app.interfaces.ctp.queries import Query, QueryQueue
from app.interfaces.front import NotSent
from app.process.event_loop import EventLoop
from app.wire import frames


class Line:
    """A line whose front answers when the test says so."""

    def __init__(self, interval: float = 1.0) -> None:
        self.now = 0.0
        self.sent: list[tuple[float, words.ReqQuery]] = []
        self.answered: list[tuple[str, list[Any]]] = []
        self.not_taken: list[NotSent] = []
        self.loop = EventLoop(lambda: self.now)
        self.queue = QueryQueue(self.loop, self._send, interval)

    def _send(self, query: words.ReqQuery) -> None:
        if self.not_taken:
            raise self.not_taken.pop(0)
        self.sent.append((self.now, query))

    def ask(self, what: str, **more: Any) -> None:
        self.queue.add(
            Query(
                what,
                lambda rows: self.answered.append((what, rows)),
                is_optional=more.pop("is_optional", False),
            ),
            **more,
        )

    def answer(self, error_id: int = 0, rows: tuple[Any, ...] = ()) -> None:
        query = self.sent[-1][1]
        self.queue.answered(
            frames.RspQry(
                what=query.what,
                RequestID=query.RequestID,
                rows=list(rows),
                last=True,
                ErrorID=error_id,
                ErrorMsg="text",
            )
        )

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.now = round(self.now + 0.1, 1)
            self.loop.run_due()

    def times(self) -> list[tuple[float, str]]:
        return [(when, query.what) for when, query in self.sent]


@pytest.fixture
def line() -> Line:
    return Line()


def test_one_is_in_flight_and_the_next_leaves_a_second_after_the_last(line: Line) -> None:
    line.ask("instrument")
    line.ask("order")
    line.wait(3)
    assert line.times() == [(0.0, "instrument")]
    line.answer()
    assert line.times() == [(0.0, "instrument"), (3.0, "order")]
    line.ask("trade")
    line.answer()
    line.wait(2)
    assert line.times()[2] == (4.0, "trade")


def test_what_waits_for_nothing_goes_behind_what_a_load_needs_and_in_its_own_order(line: Line) -> None:
    for what, urgent in (("order", True), ("margin_rate", False), ("account", False), ("trade", True)):
        line.ask(what, urgent=urgent)
    for _ in range(4):
        line.answer()
        line.wait(1)
    assert [what for _, what in line.times()] == ["order", "trade", "margin_rate", "account"]


@pytest.mark.parametrize("code", ["NEVER_SENT_UNANSWERED", "NEVER_SENT_TOO_FAST", "NEVER_SENT_NETWORK"])
def test_what_the_library_did_not_take_is_asked_again_at_its_place(line: Line, code: str) -> None:
    line.not_taken = [NotSent("no", code), NotSent("no", code)]
    line.ask("order")
    line.ask("trade")
    line.wait(3)
    assert line.times() == [(2.0, "order")]


@pytest.mark.parametrize("busy", [90, 154])
def test_a_busy_counter_is_asked_again_as_often_as_it_takes(line: Line, busy: int) -> None:
    line.ask("account")
    for _ in range(10):
        line.answer(busy)
        line.wait(1)
    line.answer(rows=(1,))
    assert line.answered == [("account", [1])]


def test_another_refusal_is_tried_three_times_and_what_is_optional_then_counts_as_empty(line: Line) -> None:
    line.ask("depth", is_optional=True)
    line.ask("order")
    for _ in range(3):
        line.answer(27)
        line.wait(1)
    assert line.answered == [("depth", [])]
    assert [what for _, what in line.times()] == ["depth", "depth", "depth", "order"]


def test_what_nobody_answers_is_asked_again_and_a_late_answer_counts_for_nothing(line: Line) -> None:
    line.ask("order")
    late = line.sent[0][1]
    line.wait(queries.ANSWER_LIMIT + 1)
    assert [what for _, what in line.times()] == ["order", "order"]
    line.queue.answered(frames.RspQry(what="order", RequestID=late.RequestID, rows=[], last=True))
    assert line.answered == []
    line.answer()
    assert line.answered == [("order", [])]


def test_a_long_list_has_more_time(line: Line) -> None:
    line.queue.add(Query("instrument", lambda rows: line.answered.append(("instrument", rows)), limit=100.0))
    line.wait(99)
    line.answer(rows=(1,))
    assert line.answered == [("instrument", [1])]
    assert len(line.sent) == 1


def test_what_may_be_left_out_and_is_not_answered_holds_up_the_others_only_once(line: Line) -> None:
    line.ask("depth", is_optional=True)
    line.ask("order")
    line.wait(queries.ANSWER_LIMIT)
    assert line.answered == [("depth", [])]
    assert [what for _, what in line.times()] == ["depth", "order"]


def test_without_a_pause_between_queries_what_the_library_never_takes_does_not_keep_the_loop_busy() -> None:
    line = Line(interval=0.0)
    line.not_taken = [NotSent("no") for _ in range(1000)]
    line.ask("order")
    assert line.loop.run_due() is not None
    assert len(line.not_taken) == 999


def test_a_cleared_queue_forgets_what_waits_and_what_is_under_way_but_not_its_pace(line: Line) -> None:
    line.ask("order")
    line.ask("trade")
    assert line.queue.has("order")
    assert line.queue.has("trade")
    line.queue.clear()
    assert not line.queue.has("order")
    assert not line.queue.has("trade")
    line.ask("account")
    assert line.times() == [(0.0, "order")]
    line.wait(1)
    assert line.times() == [(0.0, "order"), (1.0, "account")]
