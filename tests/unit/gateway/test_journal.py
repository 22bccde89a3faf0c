"""app/gateway/journal.py: what is news, in which order it is written, and that a bad disk does not end it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.gateway import journal
from app.gateway.journal import Journal
from app.lib.bars import Bar
from app.model.sqlite import SqliteStore
from app.model.store import StoreFailed
from tests.support.waiting import eventually

DAY = "20241202"


class House:
    """A journal on a real store; what it posts is run at once and kept."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteStore(path / "account.db")
        self.written: list[tuple[str, int, dict[str, Any]]] = []
        self._lock = threading.Lock()
        self.journal = self.again()

    def again(self) -> Journal:
        """The journal of the next process on the same store."""
        self.journal = Journal(
            self.store, self._post, lambda event, seq, row: self.written.append((event, seq, row))
        )
        return self.journal

    def _post(self, function: Callable[..., None], *args: Any) -> None:
        with self._lock:
            function(*args)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.journal.close(5.0)
    house.store.close()


def a_row(status: str, traded: int = 0, order_id: str = "1_2_3", **more: Any) -> dict[str, Any]:
    return {"order_id": order_id, "status": status, "traded": traded, **more}


def test_rows_are_numbered_in_the_order_in_which_they_came(house: House) -> None:
    for number in range(20):
        house.journal.order(DAY, f"1_2_{number}", a_row("未成交", order_id=f"1_2_{number}"))
        house.journal.trade(DAY, str(number), {"trade_key": str(number)})
    assert house.journal.close(5.0)
    assert [seq for _, seq, _ in house.written] == list(range(1, 41))
    assert [row.get("order_id") or row.get("trade_key") for _, _, row in house.written[:4]] == [
        "1_2_0",
        "0",
        "1_2_1",
        "1",
    ]


def test_a_state_that_is_known_or_older_is_no_news(house: House) -> None:
    assert house.journal.order(DAY, "1_2_3", a_row("未成交"))
    assert not house.journal.order(DAY, "1_2_3", a_row("未成交"))
    assert house.journal.order(DAY, "1_2_3", a_row("部分成交", 2))
    assert not house.journal.order(DAY, "1_2_3", a_row("提交中"))
    assert not house.journal.order(DAY, "1_2_3", a_row("部分成交", 1))
    assert house.journal.order(DAY, "1_2_3", a_row("已撤销", 2))
    assert house.journal.close(5.0)
    assert [row["status"] for _, _, row in house.written] == ["未成交", "部分成交", "已撤销"]


@pytest.mark.parametrize(
    "after", [("提交中", 0), ("未成交", 0), ("部分成交", 1), ("已撤销", 1), ("全部成交", 2)]
)
def test_an_order_that_the_counter_shows_no_more_is_news_and_so_is_what_it_shows_next(
    house: House, after: tuple[str, int]
) -> None:
    assert house.journal.order(DAY, "1_2_3", a_row("未成交"))
    assert house.journal.order(DAY, "1_2_3", a_row("状态未知"))
    assert not house.journal.order(DAY, "1_2_3", a_row("状态未知"))
    assert house.journal.order(DAY, "1_2_3", a_row(*after))
    assert house.journal.close(5.0)
    assert [row["status"] for _, _, row in house.written] == ["未成交", "状态未知", after[0]]


def test_a_state_that_says_nothing_takes_nothing_back_of_an_order_that_has_ended_or_of_its_fills(
    house: House,
) -> None:
    assert house.journal.order(DAY, "1_2_3", a_row("部分成交", 2))
    assert not house.journal.order(DAY, "1_2_3", a_row("状态未知", 1))
    assert house.journal.order(DAY, "1_2_3", a_row("状态未知", 2))
    assert not house.journal.order(DAY, "1_2_3", a_row("未成交", 0))
    assert house.journal.order(DAY, "1_2_3", a_row("已撤销", 2))
    assert not house.journal.order(DAY, "1_2_3", a_row("状态未知", 2))


def test_an_order_of_the_day_before_that_ends_leaves_what_is_known_of_today(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.journal.order(DAY, "1_2_3", a_row("提交中"))
    house.journal.order("20241203", "1_2_4", a_row("未成交", order_id="1_2_4"))
    assert house.journal.order(DAY, "1_2_3", a_row("已撤销"))
    monkeypatch.setattr(house.store, "orders", lambda _day: [])  # what is not written yet
    assert not house.journal.order("20241203", "1_2_4", a_row("未成交", order_id="1_2_4"))


def test_an_order_that_was_refused_in_error_is_journalled_when_it_turns_up(house: House) -> None:
    assert house.journal.order(DAY, "1_2_3", a_row("提交中"))
    assert house.journal.order(DAY, "1_2_3", a_row("拒单", error_code="NEVER_ARRIVED"))
    assert house.journal.order(DAY, "1_2_3", a_row("未成交"))
    assert not house.journal.order(DAY, "1_2_3", a_row("拒单", error_code="NEVER_ARRIVED"))
    assert house.journal.order(DAY, "1_2_3", a_row("已撤销"))


def test_what_a_login_replays_after_a_restart_is_no_news(house: House) -> None:
    steps = [a_row("提交中"), a_row("未成交"), a_row("全部成交", 3)]
    for row in steps:
        house.journal.order(DAY, "1_2_3", row)
    house.journal.trade(DAY, "t", {"trade_key": "t"})
    house.journal.close(5.0)
    count = len(house.written)
    journal = house.again()
    assert [journal.order(DAY, "1_2_3", row) for row in steps] == [False, False, False]
    journal.trade(DAY, "t", {"trade_key": "t"})
    assert journal.close(5.0)
    assert len(house.written) == count
    assert house.store.last_seq() == count


def test_the_same_order_id_on_another_day_is_another_order(house: House) -> None:
    house.journal.order(DAY, "1_2_3", a_row("全部成交", 3))
    assert house.journal.order("20241203", "1_2_3", a_row("未成交"))


def test_bars_are_kept(house: House) -> None:
    bar = Bar(60_000, 1.0, 2.0, 0.5, 1.5, 7)
    house.journal.bars("rb2501.SHFE", [bar])
    assert house.journal.close(5.0)
    assert house.store.read_bars("rb2501.SHFE", "1m") == [bar]


def test_a_write_that_fails_is_logged_and_the_next_one_is_written(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.journal.trade(DAY, "bad", {"trade_key": object()})
    house.journal.trade(DAY, "good", {"trade_key": "good"})
    assert house.journal.close(5.0)
    assert [row["trade_key"] for _, _, row in house.written] == ["good"]
    assert "没有写入流水" in caplog.text
    assert "Traceback" in caplog.text


def test_bars_that_the_store_does_not_take_are_one_line_that_says_why(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def waiting(*_args: Any) -> int:
        raise StoreFailed("等待送往 MongoDB 的 K 线已满")

    with monkeypatch.context() as patched:
        patched.setattr(house.store, "save_bars", waiting)
        house.journal.bars("rb2501.SHFE", [Bar(60_000, 1.0, 2.0, 0.5, 1.5, 7)])
        assert house.journal.close(5.0)
    assert [record.getMessage() for record in caplog.records] == [
        "没有写入流水：等待送往 MongoDB 的 K 线已满"
    ]
    assert "Traceback" not in caplog.text


def test_what_a_full_disk_did_not_take_is_written_and_told_once_there_is_room(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal, "RETRY", 0.01)
    attempts = threading.Semaphore(0)

    def full(*_args: Any) -> int:
        attempts.release()
        raise StoreFailed("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(house.store, "save_order", full)
        house.journal.order(DAY, "1_2_3", a_row("未成交"))
        house.journal.trade(DAY, "t", {"trade_key": "t"})
        assert all(attempts.acquire(timeout=5) for _ in range(3))
        assert house.written == []
    eventually(lambda: len(house.written) == 2, "written")
    assert house.journal.close(5.0)
    assert [(event, seq) for event, seq, _ in house.written] == [("order_update", 1), ("trade_update", 2)]
    assert caplog.text.count("日志写入失败") == 1
    assert "已恢复" in caplog.text


def test_a_disk_that_stays_full_does_not_hold_up_the_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: Any) -> int:
        raise StoreFailed("database or disk is full")

    monkeypatch.setattr(house.store, "save_order", full)
    house.journal.order(DAY, "1_2_3", a_row("未成交"))
    house.journal.trade(DAY, "t", {"trade_key": "t"})
    assert house.journal.close(5.0)
    assert [event for event, _, _ in house.written] == ["trade_update"]


STEPS = st.lists(
    st.tuples(st.sampled_from(["提交中", "未成交", "部分成交", "全部成交", "已撤销"]), st.integers(0, 5)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_whatever_comes_in_whatever_order_the_journal_only_moves_forward(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    house = House(tmp_path_factory.mktemp("journal"))
    for status, traded in steps:
        house.journal.order(DAY, "1_2_3", a_row(status, traded))
    assert house.journal.close(5.0)
    from app.lib.rows import progress

    way = [progress(row) for _, _, row in house.written]
    assert way == sorted(way)
    assert way[-1] == max(progress(a_row(*step)) for step in steps)
    house.store.close()


def test_of_a_setting_that_changes_often_the_newest_is_written_in_the_end(house: House) -> None:
    written: list[Any] = []
    put, full = house.store.put_setting, threading.Event()
    house.store.put_setting = lambda scope, key, value: (written.append(value), put(scope, key, value))  # type: ignore
    house.journal._jobs.put(full.wait)  # a disk that takes its time
    for value in range(100):
        house.journal.setting("risk", "cancels", value)
    full.set()
    assert house.journal.close(5.0)
    assert house.store.setting("risk", "cancels") == 99
    assert written == [99]


def test_a_setting_waits_for_a_full_disk(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "RETRY", 0.01)
    put, fails = house.store.put_setting, [True, True]

    def full(scope: str, key: str, value: Any) -> None:
        if fails:
            fails.pop()
            house.journal.setting(scope, key, "newer")
            raise StoreFailed("disk full")
        put(scope, key, value)

    monkeypatch.setattr(house.store, "put_setting", full)
    house.journal.setting("risk", "cancels", "older")
    eventually(lambda: house.store.setting("risk", "cancels") == "newer", "the newest is written")
