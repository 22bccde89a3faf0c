"""The queue of the server's backtests: what runs when, what is told of it, what is kept, and what a process
that was killed leaves to the next. The engine is written by hand: units end when the test says so.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from app.backtest.engine.job import Failure, Progress
from app.backtest.jobs import keeper, results
from app.backtest.jobs.keeper import Keeper
from app.backtest.jobs.preparing import Preparing
from app.backtest.jobs.shelf import Shelf
from app.backtest.report import report
from app.backtest.running import guard
from app.backtest.running.units import CANCELLED, DONE, FAILED, LOST, OnProgress, Outcome, Unit
from app.lib.errors import BadInput, NotAllowed, NotDone, NotFound, RateLimited
from app.settings import Settings
from app.wire.channel import MAX_FRAME
from app.wire.messages import (
    CancelBacktest,
    CompareBacktests,
    DeleteBacktest,
    Json,
    ReadBacktest,
    ReadBacktests,
    SubmitBacktest,
)
from app.wire.rpc import Reply
from app.workshop import containment
from tests.support.waiting import eventually

TEXT = """from ctpbee import CtpbeeApi
class Mine(CtpbeeApi):
    every = 60
ext = Mine("mine")
"""
FILE = "bars.csv"


def result(net: float = 10.0, more: Any = None) -> bytes:
    """As little of result.json as a report can be made of."""
    figures: dict[str, Any] = {
        **dict.fromkeys(("capital", "balance", "commission", "turnover", "margin_peak"), 0.0),
        **{"net_profit": net, "trades": 2, "sharpe": None, "drawdown": {"amount": 1.0, "share": 0.1}},
        **{"by_month": {}, "by_contract": {}, "by_side": {}},
    }
    return orjson.dumps(
        {"figures": figures, "warnings": ["费率不是当时的"], "days": [], "settings": {}} | (more or {})
    )


class Handle:
    def __init__(self, unit: Unit, on_progress: OnProgress) -> None:
        self.unit, self.on_progress = unit, on_progress
        self.ended = threading.Event()
        self.outcome: Outcome | None = None
        self.cancelled = False

    def wait(self, seconds: float | None = None) -> Outcome | None:
        self.ended.wait(seconds)
        return self.outcome

    def cancel(self) -> None:
        self.cancelled = True
        self.end(Outcome(state=CANCELLED))

    def end(self, outcome: Outcome) -> None:
        if self.outcome is None:
            self.outcome = outcome
        self.ended.set()


class Engine:
    def __init__(self, width: int = 1) -> None:
        self.width = width
        self.handles: list[Handle] = []

    def submit(self, unit: Unit, on_progress: OnProgress) -> Handle:
        self.handles.append(Handle(unit, on_progress))
        return self.handles[-1]

    def close(self) -> None:
        for handle in self.handles:
            handle.cancel()

    @property
    def running(self) -> list[Handle]:
        return [handle for handle in self.handles if not handle.ended.is_set()]

    def one(self) -> Handle:
        return eventually(lambda: self.running[0] if self.running else None, "a unit runs")


class News:
    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def tell(self, account: str, job: str, data: Any) -> None:
        self.told.append((account, data))

    def states(self, job: str) -> list[str]:
        """Each once, in their order."""
        states = [data["state"] for _, data in self.told if data["id"] == job]
        return [state for at, state in enumerate(states) if not at or states[at - 1] != state]


class World:
    """A data directory, and one process of backtests after the other on it."""

    def __init__(self, data_dir: Path, **settings: Any) -> None:
        files = data_dir / "backtest" / "files"
        files.mkdir(parents=True)
        (files / FILE).write_text("datetime,open,high,low,close,volume\n")
        self.settings = Settings.load(environment={}, data_dir=data_dir, **settings)
        self.width = 1
        self.alive: list[Keeper] = []
        self.begin()

    def begin(self, stop: bool = True) -> None:
        """A new process; the one before was asked to end, or was killed."""
        if self.alive and stop:
            self.alive[-1].stop()
        self.shelf = Shelf(self.settings.data_dir)
        self.engine, self.news = Engine(self.width), News()
        preparing = Preparing(self.settings, self.shelf.depot, self.shelf.folder)
        keeper: Any = Keeper(self.settings, self.shelf, self.engine, self.news, preparing)  # type: ignore[arg-type]
        self.keeper: Keeper = keeper
        self.alive.append(keeper)
        keeper.start()

    def submit(self, account: str = "a", **more: Any) -> str:
        asked = SubmitBacktest(account=account, text=TEXT, files=[FILE], **more)
        return str(orjson.loads(self.keeper.submit(asked).payload)["id"])

    def jobs(self, account: str = "a") -> list[str]:
        return [one["id"] for one in orjson.loads(self.keeper.rows(ReadBacktests(account)).payload)["jobs"]]

    def row(self, job: str, account: str = "a") -> dict[str, Any]:
        return dict(orjson.loads(self.keeper.rows(ReadBacktests(account, [job])).payload)[0])

    def state(self, job: str, account: str = "a") -> str:
        return str(self.row(job, account)["state"])

    def becomes(self, job: str, state: str, account: str = "a") -> dict[str, Any]:
        eventually(lambda: self.state(job, account) == state, f"it becomes {state}")
        return self.row(job, account)

    def ends(self, job: str, account: str = "a") -> dict[str, Any]:
        eventually(lambda: self.state(job, account) not in ("排队", "运行"), "it ends", 60.0)
        return self.row(job, account)

    def finish(self, job: str, net: float = 10.0) -> dict[str, Any]:
        self.engine.one().end(Outcome(state=DONE, result=result(net)))
        return self.becomes(job, "完成")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make(**settings: Any) -> World:
        made.append(World(tmp_path / "data", **settings))
        return made[-1]

    yield make
    for world in made:
        for alive in world.alive:
            alive.stop()


@pytest.fixture
def world(make: Callable[..., World]) -> World:
    return make()


def test_one_runs_the_next_waits_and_the_result_is_there_when_it_is_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "page", lambda _document: "<!doctype html>")
    first, second = world.submit(title="一"), world.submit(parameters={"every": 40})
    handle = world.engine.one()
    eventually(lambda: world.state(first) == "运行", "the first runs")
    waiting = world.row(second)
    assert (waiting["state"], waiting["place"], waiting["parameters"]) == ("排队", 1, {"every": 40})
    with pytest.raises(NotDone, match="运行"):
        world.keeper.read(ReadBacktest("a", first))
    handle.on_progress(Progress("running", 0, 1000, "20240102"))
    handle.on_progress(Progress("running", 500, 1000, "20240103"))
    moving = world.row(first)["progress"]
    assert (moving["percent"], moving["trading_day"]) == (50.0, "20240103")
    assert moving["rate"] > 0
    found = world.finish(first)
    assert (found["figures"]["net_profit"], found["warnings"]) == (10.0, ["费率不是当时的"])
    assert "by_month" not in found["figures"]
    assert found["size"] > 0
    assert world.keeper.read(ReadBacktest("a", first)).payload == result()
    assert world.keeper.read(ReadBacktest("a", first, what="report")).payload.startswith(b"<!doctype html>")
    eventually(lambda: world.news.states(first)[-2:] == ["运行", "完成"], "pages are told")
    assert world.engine.one().unit.parameters == {"mine": {"every": 40}}
    assert world.state(second) == "运行"


def test_two_of_one_name_are_two_jobs_and_can_be_compared(world: World) -> None:
    jobs = [world.submit(), world.submit()]
    assert len(set(jobs)) == 2
    for job, net in zip(jobs, (1.0, 2.0), strict=True):
        world.finish(job, net)
    compared = orjson.loads(world.keeper.compare(CompareBacktests("a", jobs[::-1])).payload)
    assert [(one["row"]["id"], one["figures"]["net_profit"]) for one in compared] == [
        (jobs[1], 2.0),
        (jobs[0], 1.0),
    ]


def test_a_place_in_the_queue_is_the_turn_that_comes(world: World) -> None:
    running = world.submit()
    world.becomes(running, "运行")
    own = [world.submit(), world.submit()]
    other = world.submit("b")
    assert world.row(other, "b")["place"] == 1
    assert [world.row(job)["place"] for job in own] == [2, 3]
    world.finish(running)
    assert world.becomes(own[0], "运行")["place"] == 0
    assert world.row(other, "b")["place"] == 1


def test_whatever_may_be_kept_can_be_sent_to_who_asks_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest = Reply(1, Json(bytes(keeper.MOST_RESULT)))
    assert len(msgspec.msgpack.encode(largest)) <= MAX_FRAME
    size = len(result()) + 100
    monkeypatch.setattr(keeper, "MOST_RESULT", size)
    monkeypatch.setattr(report, "page", lambda _document: "x" * (size + 1))
    fits, other = world.submit(), world.submit()
    for job in (fits, other):
        world.finish(job)
    with pytest.raises(NotFound, match="没有报告"):
        world.keeper.read(ReadBacktest("a", fits, what="report"))
    world.keeper.compare(CompareBacktests("a", [fits]))
    with pytest.raises(BadInput, match="前 2 次.*少选几次"):
        world.keeper.compare(CompareBacktests("a", [fits, other]))
    large = world.submit()
    world.engine.one().end(Outcome(state=DONE, result=result(more={"more": "x" * 200})))
    assert world.becomes(large, "失败")["error"]["code"] == "RESULT_TOO_LARGE"


def test_the_report_of_a_large_result_is_made_elsewhere_and_is_none_where_it_cannot_be_made(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bytes] = []

    def report_of(written: bytes, *_: Any) -> bytes:
        made.append(written)
        if len(made) > 1:
            raise guard.BacktestFailed(Failure("内存不够", code="OUT_OF_MEMORY"))
        return b"<!doctype html>"

    monkeypatch.setattr(results, "LARGE", len(result()) - 1)
    monkeypatch.setattr(guard, "report_of", report_of)
    jobs = [world.submit(), world.submit()]
    for job in jobs:
        world.finish(job)
    assert made == [result(), result()]
    assert world.keeper.read(ReadBacktest("a", jobs[0], what="report")).payload == b"<!doctype html>"
    with pytest.raises(NotFound, match="没有报告"):
        world.keeper.read(ReadBacktest("a", jobs[1], what="report"))


def test_a_job_is_cancelled_while_its_report_is_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    def report_of(
        _written: bytes, _settings: Any, _limits: Any, stopped: Callable[[], bool], *_: Any
    ) -> bytes:
        begun.set()
        eventually(stopped, "nobody wants it any more")
        raise guard.Cancelled("已取消")

    monkeypatch.setattr(results, "LARGE", 0)
    monkeypatch.setattr(guard, "report_of", report_of)
    job = world.submit()
    world.engine.one().end(Outcome(state=DONE, result=result()))
    assert begun.wait(30.0)
    world.keeper.cancel(CancelBacktest("a", job))
    assert world.becomes(job, "已取消")["size"] == 0


def test_nobody_sees_or_touches_anothers(world: World) -> None:
    job = world.submit()
    for ask in (
        lambda: world.keeper.rows(ReadBacktests("b", [job])),
        lambda: world.keeper.read(ReadBacktest("b", job)),
        lambda: world.keeper.cancel(CancelBacktest("b", job)),
        lambda: world.keeper.delete(DeleteBacktest("b", job)),
        lambda: world.keeper.compare(CompareBacktests("b", [job])),
        lambda: world.keeper.read(ReadBacktest("a", "0" * 16)),
    ):
        with pytest.raises(NotFound):
            ask()
    assert world.jobs("b") == []
    assert {account for account, _ in world.news.told} == {"a"}


def test_cancelling_ends_what_runs_and_what_waits_and_leaves_alone_what_has_ended(world: World) -> None:
    first, second = world.submit(), world.submit()
    handle = world.engine.one()
    world.keeper.cancel(CancelBacktest("a", second))
    assert world.state(second) == "已取消"
    world.keeper.cancel(CancelBacktest("a", first))
    assert (world.state(first), handle.cancelled) == ("已取消", True)
    third = world.submit()
    world.finish(third)
    world.keeper.cancel(CancelBacktest("a", third))
    assert world.state(third) == "完成"
    assert len(world.engine.handles) == 2  # the second never ran


def test_deleting_takes_all_of_it_and_says_so(world: World) -> None:
    job = world.submit()
    world.finish(job)
    folder = world.shelf.folder_of(job)
    assert folder.exists()
    world.keeper.delete(DeleteBacktest("a", job))
    assert not folder.exists()
    assert world.news.told[-1][1]["deleted"] is True
    with pytest.raises(NotFound):
        world.row(job)
    world.begin()
    assert world.jobs() == []


def test_one_that_is_deleted_while_it_does_not_end_leaves_nothing_when_it_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "CANCEL_LIMIT", 0.05)
    job = world.submit()
    handle = world.engine.one()
    monkeypatch.setattr(handle, "cancel", lambda: None)
    world.keeper.delete(DeleteBacktest("a", job))
    handle.end(Outcome(state=DONE, result=result()))
    world.finish(world.submit())  # the one thread has come through with it
    assert not world.shelf.folder_of(job).exists()
    assert job not in [record.id for record in world.shelf.records()]
    assert world.news.told[-1][1].get("id") != job


def test_one_that_fails_tells_the_strategys_line(world: World) -> None:
    job = world.submit()
    failure = Failure("ZeroDivisionError: x", "Traceback", 12, "mine", "STRATEGY_FAILED")
    world.engine.one().end(Outcome(state=FAILED, failure=failure, log="printed"))
    error = world.becomes(job, "失败")["error"]
    assert (error["line"], error["strategy"], error["code"]) == (12, "mine", "STRATEGY_FAILED")
    assert world.keeper.read(ReadBacktest("a", job, what="log")).payload == b"printed"


@pytest.mark.parametrize(
    "left",
    [
        b"no json",
        b"[]",
        b"{}",
        result(more={"figures": []}),
        result(more={"figures": {"net_profit": {"deep": 1}}, "warnings": 5}),
        result(more={"warnings": 5}),
        result(more={"warnings": ["x" * results.MOST_PARSED]}),
        result(more={"trades": "X"}).replace(b"X", b"\xff"),
        result(more={"trades": "X"}).replace(b'"X"', b"[1,]"),
        result(more={"trades": "X"}).replace(b'"X"', b"[" * 100_000 + b"]" * 100_000),
    ],
    ids=[
        "text",
        "list",
        "empty",
        "no figures",
        "deep figures",
        "no warnings",
        "long",
        "bytes",
        "comma",
        "deep",
    ],
)
def test_a_result_that_is_none_is_a_failure_and_no_crash(world: World, left: bytes) -> None:
    """A strategy may have written it itself."""
    job = world.submit()
    world.engine.one().end(Outcome(state=DONE, result=left))
    assert world.becomes(job, "失败")["error"]["code"] == "BACKTEST_FAILED"
    world.finish(world.submit())  # the next one runs


def test_what_ran_when_the_process_was_killed_is_run_again_once(world: World) -> None:
    first, second = world.submit(), world.submit()
    world.engine.one()
    eventually(lambda: world.state(first) == "运行", "it runs")
    world.begin(stop=False)  # killed
    assert world.engine.one().unit.id == world.alive[0]._jobs[first].record.unit.id
    assert (world.state(first), world.state(second)) == ("运行", "排队")
    world.begin(stop=False)
    error = world.becomes(first, "失败")["error"]
    assert error["code"] == "INTERRUPTED"
    world.finish(second)


def test_what_ran_when_the_process_was_asked_to_end_waits_for_the_next_as_if_never_begun(
    world: World,
) -> None:
    job = world.submit()
    for _ in range(4):  # any number of times
        world.engine.one()
        world.begin()
    world.engine.one()
    eventually(lambda: world.state(job) == "运行", "it runs")
    world.begin(stop=False)  # killed, for the first time
    world.finish(job)


def test_a_unit_that_its_engine_lost_is_run_again_and_not_for_ever(world: World) -> None:
    job = world.submit()
    for _ in range(2):
        world.engine.one().end(Outcome(state=LOST))
    world.finish(job)
    lost = world.submit()
    for _ in range(3):
        world.engine.one().end(Outcome(state=LOST))
    assert world.becomes(lost, "失败")["error"]["code"] == "INTERRUPTED"


def test_an_account_with_many_that_wait_does_not_hold_up_another(world: World) -> None:
    world.width = 2
    world.begin()
    own = [world.submit("a") for _ in range(4)]
    other = world.submit("b")
    eventually(lambda: len(world.engine.running) == 2, "two run")
    world.engine.running[0].end(Outcome(state=DONE, result=result()))
    eventually(lambda: world.state(other, "b") == "运行", "it is the other account's turn")
    assert [world.state(job) for job in own].count("排队") == 2


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"backtest_jobs": 0}, "BACKTESTS_OFF"),
        ({"strategies": "off"}, "BACKTESTS_OFF"),
        ({"strategies": "contained"}, "STRATEGIES_OFF"),
    ],
)
def test_where_no_strategies_may_run_none_is_queued(
    make: Callable[..., World], monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], code: str
) -> None:
    monkeypatch.setattr(containment.shutil, "which", lambda _name: None)  # no bubblewrap
    with pytest.raises(NotAllowed) as caught:
        make(**settings).submit()
    assert caught.value.code == code


def test_no_more_than_twenty_wait(world: World) -> None:
    world.submit()
    world.engine.one()
    for _ in range(20):
        world.submit()
    with pytest.raises(RateLimited) as caught:
        world.submit()
    assert caught.value.code == "TOO_MANY_BACKTESTS"
    world.submit("b")


def test_the_oldest_results_go_when_there_are_too_many(make: Callable[..., World]) -> None:
    world = make(backtest_kept=2)
    jobs = []
    for _ in range(4):
        jobs.append(world.submit())
        world.finish(jobs[-1])
    eventually(
        lambda: len(orjson.loads(world.keeper.rows(ReadBacktests("a")).payload)["jobs"]) == 2, "two stay"
    )
    kept = [one["id"] for one in orjson.loads(world.keeper.rows(ReadBacktests("a")).payload)["jobs"]]
    assert kept == jobs[:1:-1]
    assert not world.shelf.folder_of(jobs[0]).exists()


def test_a_result_that_a_full_disk_does_not_take_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_job: str, _name: str, _content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(world.shelf, "write", full)
    job = world.submit()
    world.engine.one().end(Outcome(state=DONE, result=result()))
    error = world.becomes(job, "失败")["error"]
    assert error["code"] == "DISK_FULL"
    monkeypatch.undo()
    world.finish(world.submit())


# ── a search ──

SEARCH = {"kind": "grid", "space": {"every": [40, 50, 60]}}


def trial(net: float) -> Outcome:
    names = (
        *("net_profit", "return", "annual_return", "max_drawdown", "max_drawdown_share", "sharpe", "sortino"),
        *("calmar", "trading_days", "trades", "round_trips", "win_rate", "profit_factor", "expectancy"),
        *("commission", "turnover", "exposure", "slippage_cost"),
    )
    figures = dict.fromkeys(names, net)
    days = [{"trading_day": f"2024010{day}", "balance": 1_000_000.0 + day * net} for day in range(1, 6)]
    return Outcome(state=DONE, result=orjson.dumps({"figures": figures, "days": days, "settings": {}}))


def test_a_search_goes_through_its_units_and_after_a_kill_on_where_it_was(world: World) -> None:
    job = world.submit(search=SEARCH)
    world.engine.one().end(trial(1.0))
    eventually(
        lambda: (moving := world.row(job)["progress"]) is not None and moving["units_done"] == 1,
        "one has ended",
    )
    assert orjson.loads(world.keeper.read(ReadBacktest("a", job)).payload)["partial"] is True
    world.begin(stop=False)
    for net in (3.0, 2.0):
        world.engine.one().end(trial(net))
    found = world.becomes(job, "完成")
    assert [handle.unit.parameters["mine"]["every"] for handle in world.engine.handles] == [50, 60]
    document = orjson.loads(world.keeper.read(ReadBacktest("a", job)).payload)
    assert (document["partial"], document["done"]) == (False, 3)
    assert document["best"][0]["parameters"] == {"every": 50}
    assert found["figures"]["net_profit"] == 3.0
    with pytest.raises(BadInput, match="参数搜索"):
        world.keeper.compare(CompareBacktests("a", [job]))


def test_a_unit_of_a_search_that_its_engine_lost_is_run_again(world: World) -> None:
    job = world.submit(search=SEARCH)
    world.engine.one().end(Outcome(state=LOST))
    for net in (1.0, 2.0, 3.0):
        world.engine.one().end(trial(net))
    world.becomes(job, "完成")
    document = orjson.loads(world.keeper.read(ReadBacktest("a", job)).payload)
    assert (document["done"], document["failed"]) == (3, 0)


def test_a_search_that_is_cancelled_keeps_what_it_has(world: World) -> None:
    job = world.submit(search=SEARCH)
    world.engine.one().end(trial(1.0))
    eventually(lambda: len(world.engine.handles) == 3, "what the first has brought is taken")  # two at a time
    world.keeper.cancel(CancelBacktest("a", job))
    assert world.state(job) == "已取消"
    document = orjson.loads(world.keeper.read(ReadBacktest("a", job)).payload)
    assert (document["partial"], document["done"]) == (True, 1)


def test_a_search_of_which_nothing_comes_fails_with_the_first_reason(world: World) -> None:
    job = world.submit(search=SEARCH)
    for _ in range(3):
        world.engine.one().end(Outcome(state=FAILED, failure=Failure("坏了", code="STRATEGY_FAILED", line=3)))
    assert "坏了" in world.becomes(job, "失败")["error"]["message"]


RATES = "product,since,margin,open,close,close_today\nrb,2023-01-01,0.1,1/lot,2/lot,5/lot\n"


def test_a_job_asked_for_again_has_the_rates_that_it_was_run_with(make: Callable[..., World]) -> None:
    world = make()
    first = world.submit(rates=RATES, symbol="rb2401.SHFE", label="end", main_warm_up=3)
    unit = world.engine.one().unit
    row = world.finish(first)
    assert (row["rates"], row["symbol"], row["label"], row["main_warm_up"]) == (True, "rb2401.SHFE", "end", 3)
    world.begin()
    again = world.submit(rates_of=first, symbol=row["symbol"], label=row["label"], main_warm_up=3)
    assert world.engine.one().unit == unit, "and the same unit gives the same bytes"
    world.finish(again)


def test_rates_of_another_account_or_of_none_are_refused(make: Callable[..., World]) -> None:
    world = make()
    first = world.submit(rates=RATES)
    for account, asked in (("b", first), ("a", "0" * 16)):
        with pytest.raises(NotFound, match="费率文件"):
            world.submit(account, rates_of=asked)
    with pytest.raises(BadInput, match="只给一种"):
        world.submit(rates_of=first, rates=RATES)
