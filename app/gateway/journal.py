"""The account's journal of orders, trades and bars: written off the event thread, in order. Gateway process.

The event thread hands over, one writer thread writes (each row is on disk before its number is known), and
the event thread hears the number. What a login replays and the journal has already is dropped here: an order
in the journal only moves forward. While the disk is full, orders and trades wait and are written once there
is room; bars are given up.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from app.lib import rows
from app.lib.bars import Bar
from app.lib.calendar import compact, parse_day
from app.lib.errors import BadInput
from app.model.store import Store, StoreFailed
from app.wire.messages import Json, ReadEvents

RETRY = 1.0  # seconds between two attempts to write what must not be lost
BACKLOG = 20_000  # jobs that wait: above it no bar is taken
MOST_EVENTS = 10_000
LATEST = 1 << 53

log = logging.getLogger(__name__)
shown = logging.getLogger("account")  # to the trader, whatever the level

Row = dict[str, Any]


class Journal:
    """What keeps something is called in the event thread, `read`, `prune` and `close` in any. `post` runs a
    function in the event thread, where `on_written(event, seq, row)` hears.
    """

    def __init__(
        self,
        store: Store,
        post: Callable[..., None],
        on_written: Callable[[str, int, Row], None],
        save_bars: Callable[[str, Sequence[Bar]], object] | None = None,
    ) -> None:
        """`save_bars(local_symbol, bars)`, where bars are kept through somebody else than the bare store."""
        self._store = store
        self._save_bars = save_bars or (lambda local_symbol, bars: store.save_bars(local_symbol, "1m", bars))
        self._post = post
        self._on_written = on_written
        self._days: dict[str, dict[str, Row]] = {}
        self._settings: dict[tuple[str, str], Any] = {}  # that wait, each with its newest value
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How much is not written yet."""
        return self._jobs.qsize()

    def order(self, trading_day: str, order_id: str, row: Row) -> bool:
        """Keep the order's state unless the journal has this one, or a later one. Returns whether it is
        news.
        """
        known = self._known(trading_day)
        before = known.get(order_id)
        if before is not None and (before == row or rows.is_older(row, before)):
            return False
        known[order_id] = row
        self._keep(
            lambda: self._written("order_update", self._store.save_order(trading_day, order_id, row), row)
        )
        return True

    def orders(self, trading_day: str) -> list[Row]:
        """The newest row of each of the day's orders, those included that are not written yet."""
        return list(self._known(trading_day).values())

    def trade(self, trading_day: str, key: str, row: Row) -> None:
        """Keep the trade unless the journal has it."""
        self._keep(lambda: self._written("trade_update", self._store.save_trade(trading_day, key, row), row))

    def bars(self, local_symbol: str, bars: Sequence[Bar]) -> None:
        """Keep closed 1-minute bars, if the disk lets us."""
        if self._jobs.qsize() < BACKLOG:
            self._jobs.put(lambda: self._save_bars(local_symbol, bars))

    def settle_intent(self, order_id: str, state: str, code: str, message: str) -> None:
        """What became of an order that was sent."""
        self._keep(lambda: self._store.settle_intent(order_id, state, code, message))

    def setting(self, scope: str, key: str, value: Any) -> None:
        """Keep a setting that changes often: of what comes while it waits, the newest is written."""
        self._settings[scope, key] = value
        self._keep(lambda: self._put_setting(scope, key))

    def _put_setting(self, scope: str, key: str) -> None:
        if (scope, key) not in self._settings:
            return  # written already, with what came later
        value = self._settings.pop((scope, key))
        try:
            self._store.put_setting(scope, key, value)
        except StoreFailed:
            self._settings.setdefault((scope, key), value)  # for the next try, unless there is a newer one
            raise

    def read(self, request: ReadEvents) -> Json:
        """What is written by now."""
        if not 0 <= request.since <= LATEST:
            raise BadInput("since", "since 应为不小于 0 的整数")
        if not 1 <= request.limit <= MOST_EVENTS:
            raise BadInput("limit", f"limit 应为 1 到 {MOST_EVENTS} 的整数")
        newest = self._store.last_seq()
        events = self._store.events(request.since, request.limit)
        return Json(rows.to_json({"seq": newest, "events": [event._asdict() for event in events]}))

    def prune(self, trading_day: str, days: int) -> None:
        """Forget what is older than so many days before this trading day."""
        before = compact(parse_day(trading_day) - timedelta(days=days))
        try:
            removed = self._store.prune(before)
        except StoreFailed as error:
            shown.warning("早于 %s 的流水未能清理：%s", before, error)
            return
        if removed:
            shown.info("清理了早于 %s 的流水，%d 行", before, removed)

    def close(self, timeout: float) -> bool:
        """Write what waits and end. False when that took longer than `timeout` seconds. Any thread."""
        self._closing.set()
        self._jobs.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _known(self, trading_day: str) -> dict[str, Row]:
        if trading_day not in self._days:  # the newest day stays: an order of the one before may still end
            newest = max(self._days, default="")
            self._days = {day: known for day, known in self._days.items() if day == newest}
            self._days[trading_day] = {row["order_id"]: row for row in self._store.orders(trading_day)}
        return self._days[trading_day]

    def _written(self, event: str, seq: int, row: Row) -> None:
        if seq:
            self._post(self._on_written, event, seq, row)

    def _keep(self, job: Callable[[], None]) -> None:
        """Queue what must not be lost: it is tried until it is written, or until this process ends."""

        def stubborn() -> None:
            failed = False
            while True:
                try:
                    job()
                    break
                except StoreFailed as error:
                    if self._closing.is_set():
                        raise
                    if not failed:
                        log.error("日志写入失败，将重试：请检查磁盘空间（%s）", error)
                    failed = True
                    self._closing.wait(RETRY)
            if failed:
                log.warning("日志写入已恢复")

        self._jobs.put(stubborn)

    def _write(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except (
                StoreFailed
            ) as error:  # it says itself why: a full disk, or bars that wait for a MongoDB that is down
                log.error("没有写入流水：%s", error)
            except Exception:  # the edge of this thread: one row must not end the journal for good
                log.exception("没有写入流水")
