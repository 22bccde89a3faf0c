"""The queue of an account's queries: a front answers one at a time and takes about one a
second. Gateway process, event thread.
"""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.interfaces.ctp import words
from app.interfaces.front import NotSent
from app.process.event_loop import EventLoop, Timer
from app.wire import frames

log = logging.getLogger(__name__)

ANSWER_LIMIT = 30.0  # seconds
# seconds; what the library does not take must not keep the event thread busy, whatever the setting says
SHORTEST_PAUSE = 0.01
BUSY = {90, 154}  # the counter's words for "not yet"
MOST_TRIES = 3  # of a query that the counter refuses for another reason


@dataclass
class Query:
    what: str
    then: Callable[[list[Any]], None]
    asked: dict[str, Any] = field(default_factory=dict)
    is_optional: bool = False  # refused for good, or not answered, it counts as answered with nothing
    limit: float = ANSWER_LIMIT  # seconds that its answer may take
    tries: int = 0
    is_urgent: bool = True


class QueryQueue:
    """`send` hands a words.ReqQuery to the front or raises NotSent. What waits for nothing urgent goes behind
    everything else.

    A query that the library did not take (-2, -3), that the counter was too busy for (90, 154), or that
    nobody answered, is asked again, at its old place. One that may be left out is not waited for twice: it
    would hold up all others.
    """

    def __init__(self, loop: EventLoop, send: Callable[[words.ReqQuery], None], interval: float) -> None:
        self._loop = loop
        self._send = send
        self._interval = max(SHORTEST_PAUSE, interval)
        self._urgent: deque[Query] = deque()
        self._idle: deque[Query] = deque()
        self._request_ids = itertools.count(1_000_000)  # apart from those of orders
        self._asked: tuple[int, Query] | None = None  # on its way
        self._pausing = False
        self._limit: Timer | None = None

    def add(self, query: Query, urgent: bool = True) -> None:
        query.is_urgent = urgent
        (self._urgent if urgent else self._idle).append(query)
        self._pump()

    def has(self, what: str, **asked: Any) -> bool:
        """Whether this waits, or is being answered."""
        waiting = [*self._urgent, *self._idle, *([self._asked[1]] if self._asked else [])]
        return any(query.what == what and asked.items() <= query.asked.items() for query in waiting)

    def clear(self) -> None:
        """Forget everything: the session has ended, or the account is loaded anew. The pause between two
        queries stays.
        """
        self._urgent.clear()
        self._idle.clear()
        self._settle()

    def answered(self, frame: frames.RspQry) -> None:
        """All rows of one query, or the counter's refusal."""
        if self._asked is None or self._asked[0] != frame.RequestID:
            return  # of a session or a load that has been given up
        query = self._asked[1]
        self._settle()
        if not frame.ErrorID:
            self._pump()
            query.then(frame.rows)
            return
        query.tries += 1
        busy = frame.ErrorID in BUSY
        log.log(
            logging.INFO if busy else logging.WARNING,
            "query %s not answered: %d %s",
            query.what,
            frame.ErrorID,
            frame.ErrorMsg,
        )
        if busy or query.tries < MOST_TRIES:
            self._put_back(query)
            return
        self._pump()
        if query.is_optional:
            query.then([])

    def _pump(self) -> None:
        if self._asked is not None or self._pausing or not (self._urgent or self._idle):
            return
        query = (self._urgent or self._idle).popleft()
        request = next(self._request_ids)
        self._pausing = True
        self._loop.call_later(self._interval, self._go_on)
        self._asked = request, query
        try:
            self._send(words.ReqQuery(what=query.what, RequestID=request, asked=query.asked))
        except NotSent as error:
            log.debug("query %s not sent: %s", query.what, error.message)
            self._settle()
            self._put_back(query)
            return
        self._limit = self._loop.call_later(query.limit, self._unanswered, request)

    def _go_on(self) -> None:
        self._pausing = False
        self._pump()

    def _unanswered(self, request: int) -> None:
        if self._asked is not None and self._asked[0] == request:
            query = self._asked[1]
            log.warning("query %s was not answered in %g s", query.what, query.limit)
            self._settle()
            if query.is_optional:
                self._pump()
                query.then([])
            else:
                self._put_back(query)

    def _put_back(self, query: Query) -> None:
        (self._urgent if query.is_urgent else self._idle).appendleft(query)
        self._pump()

    def _settle(self) -> None:
        self._asked = None
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
