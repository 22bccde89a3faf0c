"""Each cut has begin, end and reason, and is kept over restarts; a rest and a logout are none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.gateway.connections import KILLED, MOST, ConnectionHistory
from app.lib.calendar import SHANGHAI
from app.model.sqlite import SqliteStore
from app.wire.messages import ReadConnections


class Process:
    """One gateway's, that begins at a minute past nine."""

    def __init__(self, store: SqliteStore, minute: int = 0) -> None:
        self.minute = minute
        self.history = ConnectionHistory(store, self._now)

    def _now(self) -> datetime:
        return datetime(2025, 6, 9, 9, tzinfo=SHANGHAI) + timedelta(minutes=self.minute)

    def goes(self, minute: int, what: str, *states: str, reason: str = "") -> None:
        self.minute = minute
        for state in states:
            self.history.on_state(what, state, reason)

    def cuts(self) -> list[tuple[Any, ...]]:
        """The newest first."""
        found = orjson.loads(self.history.read(ReadConnections()).payload)["connections"]
        return [(cut["what"], cut["begin"][14:16], (cut["end"] or "")[14:16], cut["reason"]) for cut in found]


LOGIN = ("connecting", "connected", "authenticating", "logging_in", "logged_in", "loading", "ready")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "account.db")
    yield store
    store.close()


def test_a_cut_of_each_is_kept_with_begin_end_and_reason(store: SqliteStore) -> None:
    process = Process(store)
    process.goes(0, "td", *LOGIN)
    process.goes(0, "md", *LOGIN)
    assert process.cuts() == []
    process.goes(5, "td", "lost", reason="网络读失败")
    process.goes(6, "md", "lost", reason="心跳超时")
    process.goes(7, "td", "connecting", "lost", "connecting", reason="又没连上")
    assert process.cuts() == [("md", "06", "", "心跳超时"), ("td", "05", "", "网络读失败")]
    process.goes(8, "td", *LOGIN)
    process.goes(9, "td", "lost", reason="再一次")
    assert [cut[:3] for cut in process.cuts()] == [("td", "09", ""), ("md", "06", ""), ("td", "05", "08")]
    process.goes(10, "store", "down", reason="MongoDB 没有应答")
    process.goes(11, "store", "up")
    assert process.cuts()[0] == ("store", "10", "11", "MongoDB 没有应答")


def test_a_rest_is_no_cut_and_ends_one(store: SqliteStore) -> None:
    process = Process(store)
    process.goes(0, "td", *LOGIN, "resting", *LOGIN)
    process.goes(0, "calendar", "assumed", "broken")
    assert process.cuts() == []
    process.goes(5, "td", "lost", reason="断")
    process.goes(6, "td", "resting")
    assert process.cuts() == [("td", "05", "06", "断")]


def test_a_cut_that_is_open_when_the_process_is_killed_ends_when_the_next_is_ready(
    store: SqliteStore,
) -> None:
    process = Process(store)
    process.goes(5, "td", "lost", reason="断")
    process.minute = 6
    process.history.alive()
    again = Process(store, 8)
    assert again.cuts() == [("gateway", "06", "08", KILLED), ("td", "05", "", "断")]
    again.goes(9, "td", *LOGIN)
    assert again.cuts()[1] == ("td", "05", "09", "断")


def test_a_process_that_ends_as_it_should_leaves_no_cut(store: SqliteStore) -> None:
    process = Process(store)
    process.history.close()
    assert Process(store, 5).cuts() == []


def test_only_the_newest_are_kept(store: SqliteStore) -> None:
    process = Process(store)
    for minute in range(MOST + 7):
        process.goes(minute, "md", "lost", "ready", reason=str(minute))
    process.history.close()
    cuts = Process(store).cuts()
    assert (len(cuts), cuts[0][3], cuts[-1][3]) == (MOST, str(MOST + 6), "7")
