"""The history of what the account and its strategies are worth: a point a minute, and one of each trading
day. Gateway process.

Looked at once a second in the event thread, written in the archive's. A minute has a point only where all of
it is known: the account has loaded, its market is open, and quotes come for what it holds. Else there is a
gap: nothing is made up. A trading day's point is its newest minute's; on the next trading day it is given the
balance that the counter settled it with.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Any, Protocol

from app.lib import rows
from app.lib.bars import day_start
from app.lib.calendar import SHANGHAI, compact, parse_day, previous_trading_day
from app.lib.equity import ACCOUNT, STRATEGY, figures_of, names_of
from app.lib.errors import BadInput
from app.lib.sessions import ALWAYS_TURN, Hours
from app.model.store import EquityPoint, Store, StoreFailed
from app.wire.messages import Json, ReadEquity

INTERVALS = ("minute", "day")
DEFAULT_DAYS = timedelta(days=3)
LATEST = 1 << 53

log = logging.getLogger(__name__)


class ValuedAccount(Protocol):
    """The account as it is now. Event thread only, but for `now`."""

    def now(self) -> datetime: ...

    def trading_day(self) -> str: ...

    def is_valued(self) -> bool: ...

    def money(self) -> dict[str, Any]: ...

    def products(self) -> set[str]: ...


class EquityHistory:
    """`profits` gives each strategy's that runs or holds something. `look` and `loaded` run in the event
    thread, the rest in any.
    """

    def __init__(
        self,
        store: Store,
        account: ValuedAccount,
        profits: Callable[[], Mapping[str, dict[str, float]]],
        hours: Hours,
        archive: Executor,
    ) -> None:
        self._store = store
        self._account = account
        self._profits = profits
        self._hours = hours
        self._archive = archive
        self._minute: datetime | None = None

    def look(self) -> None:
        """A new minute of the counter's clock gets its point, if there is one to be had."""
        minute = self._account.now().replace(second=0, microsecond=0)
        if minute == self._minute or not self._account.is_valued():
            return
        self._minute = minute
        if self._hours.is_open(self._account.products(), self._account.trading_day(), minute):
            self._archive.submit(self._save, list(self._points(minute)))

    def _points(self, minute: datetime) -> Iterable[EquityPoint]:
        day, at = self._account.trading_day(), int(minute.timestamp() * 1000)
        owned = {"": figures_of(ACCOUNT, self._account.money())}
        owned |= {name: figures_of(STRATEGY, profit) for name, profit in self._profits().items()}
        for owner, figures in owned.items():
            yield EquityPoint(owner, "minute", at, day, figures)
            yield EquityPoint(owner, "day", day_start(day), day, figures if owner else [*figures, None])

    def loaded(self) -> None:
        """The counter has told the day's figures: what the day before was settled with is among them."""
        self._archive.submit(self._settle, self._account.trading_day(), self._account.money()["pre_balance"])

    def _settle(self, trading_day: str, settled: float) -> None:
        """Only the trading day just before: of an earlier one it says nothing."""
        before = day_start(compact(previous_trading_day(parse_day(trading_day))))
        found = self._store.equity("", "day", before, before + 1)
        self._save([point._replace(figures=[*point.figures[:-1], settled]) for point in found])

    def prune(self, trading_day: str, days: int) -> None:
        """Forget the minutes of all but so many trading days before this one."""
        first = parse_day(trading_day)
        for _ in range(days):
            first = previous_trading_day(first)
        begin = datetime.combine(previous_trading_day(first), ALWAYS_TURN, SHANGHAI)
        try:
            removed = self._store.prune_equity(int(begin.timestamp() * 1000))
        except StoreFailed as error:
            log.warning("old points of equity not removed: %s", error)
            return
        if removed:
            log.info("%d points of equity from before %s removed", removed, begin)

    def read(self, request: ReadEquity) -> Json:
        """Raises BadInput."""
        _check(request)
        start = request.start
        if request.interval == "minute" and not start and not request.limit:
            newest = request.end or int(self._account.now().timestamp() * 1000)
            start = max(0, newest - int(DEFAULT_DAYS.total_seconds() * 1000))
        found = self._store.equity(request.strategy, request.interval, start, request.end, request.limit)
        answer = {
            "fields": ["timestamp", "trading_day", *names_of(request.strategy, request.interval)],
            "rows": [[point.timestamp, point.trading_day, *point.figures] for point in found],
        }
        return Json(rows.to_json(answer))

    def _save(self, points: list[EquityPoint]) -> None:
        if not points:
            return
        try:
            self._store.save_equity(points)
        except StoreFailed as error:
            log.warning("a point of equity not kept: %s", error)


def _check(request: ReadEquity) -> None:
    if request.interval not in INTERVALS:
        raise BadInput("interval", f"interval 应为 {'、'.join(INTERVALS)} 之一")
    for name in ("start", "end", "limit"):
        if not 0 <= getattr(request, name) <= LATEST:
            raise BadInput(name, f"{name} 应为不小于 0 的整数")
    if request.end and request.start >= request.end:
        raise BadInput("start", "start 应早于 end")
