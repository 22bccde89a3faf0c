"""The server's backtests: the queue, what runs, what came of it, and the answers to what pages ask. The
process of backtests.

A job's state is on the disk before anybody is told of it, so a process that is killed loses none: what waited
still waits, what ran is run again, once; a search goes on where it was. Threads: one per job that may run at
once, one that looks after the rest, one per caller of the RPC server, and the engine's.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import orjson

from app.backtest.engine.job import Failure, Progress
from app.backtest.jobs import driving, results
from app.backtest.jobs.jobs import (
    CANCELLED,
    DONE,
    FAILED,
    MOST_RESULT,
    QUEUED,
    RUN,
    RUNNING,
    Moving,
    Record,
    row_of,
)
from app.backtest.jobs.news import BacktestNews
from app.backtest.jobs.preparing import Preparing, search_of
from app.backtest.jobs.shelf import BRIEF, LOG, REPORT, RESULT, SEARCH, Shelf
from app.backtest.report import report
from app.backtest.running import guard
from app.backtest.running.embedded import code_of
from app.backtest.running.units import CANCELLED as UNIT_CANCELLED
from app.backtest.running.units import DONE as UNIT_DONE
from app.backtest.running.units import Engine, Outcome
from app.backtest.search import search_report
from app.backtest.search.search import Tried
from app.lib.calendar import SHANGHAI
from app.lib.errors import BadInput, NotAllowed, NotDone, NotFound, RateLimited, StoreDown
from app.settings import Settings
from app.wire.messages import (
    AnyReply,
    AnyRequest,
    CancelBacktest,
    CompareBacktests,
    DeleteBacktest,
    Done,
    Json,
    ReadBacktest,
    ReadBacktestData,
    ReadBacktests,
    SubmitBacktest,
)
from app.workshop.containment import Containment

MOST_WAITING = 20  # of one account
MOST_TRIES = 2  # a job that was under way when this process was killed is begun once more
MOST_BYTES = 1024**3  # of one account's results
MOST_DEPOT = 2 * 1024**3
TOLD = 0.5  # seconds from one word of progress to the next
CANCEL_LIMIT = 2.0
LOOK_EVERY = 1.0

log = logging.getLogger(__name__)


class _Job:
    """A record, and what there is of it only while it runs."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.moving: Moving | None = None
        self.search: Any = None  # the Search under way
        self.cancelled = threading.Event()
        self.ended = threading.Event()  # it has ended, or was never begun
        self.told = 0.0
        if not record.is_open:
            self.ended.set()


class Keeper:
    """`clock()`: seconds for what is measured."""

    def __init__(
        self,
        settings: Settings,
        shelf: Shelf,
        engine: Engine,
        news: BacktestNews,
        preparing: Preparing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._shelf = shelf
        self._engine = engine
        self._news = news
        self._preparing = preparing
        self._containment = Containment(settings)
        self._one_by_one = threading.Lock()  # who asks for years of bars ten times at once gets them in turn
        self._clock = clock
        self._jobs: dict[str, _Job] = {}
        self._changed = threading.Condition(threading.RLock())
        self._stopping = threading.Event()
        self._numbers = itertools.count(1)
        self._threads: list[threading.Thread] = []
        self._handlers: dict[type[AnyRequest], Callable[[Any], AnyReply]] = {
            SubmitBacktest: self.submit,
            ReadBacktests: self.rows,
            CompareBacktests: self.compare,
            ReadBacktest: self.read,
            CancelBacktest: self.cancel,
            DeleteBacktest: self.delete,
            ReadBacktestData: self.data,
        }

    # ── its life ──

    def start(self) -> None:
        """Take up what an earlier process left."""
        self._shelf.clean()
        for record in self._shelf.records():
            if record.state == RUNNING:
                self._found_under_way(record)
            self._jobs[record.id] = _Job(record)
            self._numbers = itertools.count(record.number + 1)
        for number in range(self._engine.width):
            thread = threading.Thread(target=self._run_forever, name=f"job-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)
        threading.Thread(target=self._look_forever, name="look", daemon=True).start()

    def stop(self) -> None:
        """What runs is ended, and waits for the next process."""
        with self._changed:
            self._stopping.set()
            self._changed.notify_all()
        self._engine.close()
        for thread in self._threads:
            thread.join(CANCEL_LIMIT)
        self._shelf.settle()

    def answer(self, request: AnyRequest) -> AnyReply:
        """Raises what the message says."""
        handler = self._handlers.get(type(request))
        if handler is None:
            raise BadInput("request", f"回测进程不答 {type(request).__name__}")
        return handler(request)

    def _found_under_way(self, record: Record) -> None:
        """The process before this one was killed over it."""
        if record.tries >= MOST_TRIES:
            text = "运行它的进程两次中途被结束，不再重试；若是内存不够，请缩短范围或加大机器"
            record.state, record.error = FAILED, Failure(text, code="INTERRUPTED")
            record.ended = _now()
        else:
            record.state, record.started = QUEUED, ""
        self._shelf.keep(record)

    # ── calls ──

    def submit(self, asked: SubmitBacktest) -> Json:
        """See SubmitBacktest."""
        if self._settings.backtest_jobs == 0 or self._settings.strategies == "off":
            text = "本服务不回测（设置 backtest_jobs = 0 或 strategies = off）"
            raise NotAllowed(text, code="BACKTESTS_OFF")
        self._containment.check()
        self._check_waiting(asked.account)
        asked = self._with_rates(asked)
        try:
            with self._one_by_one:
                record = self._preparing.record(asked, next(self._numbers))
        except OSError as error:
            log.error("a backtest of %s cannot be prepared: %s", asked.account, error)
            raise StoreDown from None
        with self._changed:
            self._check_waiting(asked.account)
            self._shelf.add(record)
            self._jobs[record.id] = job = _Job(record)
            self._changed.notify()
        self._tell(job)
        return Json(orjson.dumps(self._row(job)))

    def _with_rates(self, asked: SubmitBacktest) -> SubmitBacktest:
        """With the rates that the earlier one which it names was run with. Raises BadInput, NotFound."""
        if not asked.rates_of:
            return asked
        if asked.rates:
            raise BadInput("rates_of", "rates（费率文件的内容）与 rates_of（用哪一次的）请只给一种")
        earlier = self._jobs.get(asked.rates_of)
        if earlier is None or earlier.record.account != asked.account:
            text = "要用它的费率文件的那次回测已删除或不存在，请重新选择费率文件"
            raise NotFound(text, code="UNKNOWN_BACKTEST", parameter="rates_of")
        return msgspec.structs.replace(asked, rates=earlier.record.unit.rates, rates_of="")

    def rows(self, request: ReadBacktests) -> Json:
        """See ReadBacktests."""
        if request.ids:
            return Json(orjson.dumps([self._row(self._known(request.account, one)) for one in request.ids]))
        jobs = self._of(request.account)
        document = {
            "jobs": [self._row(job) for job in reversed(jobs)],
            "most_kept": self._settings.backtest_kept,
            "kept_bytes": sum(job.record.size for job in jobs),
            "most_bytes": MOST_BYTES,
            "at_once": self._settings.backtest_jobs,
        }
        return Json(orjson.dumps(document))

    def compare(self, request: CompareBacktests) -> Json:
        """See CompareBacktests."""
        found: list[orjson.Fragment] = []
        size = 0
        for one in request.ids:
            job = self._known(request.account, one)
            if job.record.kind != RUN:
                raise BadInput("ids", f"{job.record.title} 是参数搜索，不能与单次回测比较")
            self._check_done(job)
            brief = self._left(job, BRIEF)
            size += len(brief)
            if size > MOST_RESULT:
                text = f"前 {len(found) + 1} 次合起来超过 {MOST_RESULT // 1024**2} MB，请少选几次"
                raise BadInput("ids", text)
            found.append(results.compared(self._row(job), brief))
        return Json(orjson.dumps(found))

    def read(self, request: ReadBacktest) -> Json:
        """See ReadBacktest."""
        job = self._known(request.account, request.id)
        if request.what == "result":
            return Json(self._result(job))
        if request.what == "log":
            return Json(self._left(job, LOG, b""))
        try:
            return Json(self._shelf.read(job.record.id, REPORT))
        except OSError:
            self._check_done(job)
            raise NotFound("这次回测没有报告", code="NO_REPORT") from None

    def cancel(self, request: CancelBacktest) -> Json:
        """See CancelBacktest."""
        job = self._known(request.account, request.id)
        self._cancel(job)
        return Json(orjson.dumps(self._row(job)))

    def delete(self, request: DeleteBacktest) -> Done:
        """See DeleteBacktest."""
        job = self._known(request.account, request.id)
        self._cancel(job)
        self._remove(job)
        return Done()

    def data(self, request: ReadBacktestData) -> Json:
        """See ReadBacktestData."""
        return Json(orjson.dumps(self._preparing.data(request.account)))

    # ── running ──

    def _run_forever(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._run(job)
            except Exception as error:  # the edge of the thread: it goes on with the next job
                log.exception("backtest %s failed here", job.record.id)
                self._end(job, FAILED, Failure(f"服务内部出错：{error!r}", code="INTERNAL"))

    def _next(self) -> _Job | None:
        """Whose turn it is, marked as running: of the accounts with the fewest that run, the first that
        waits.
        """
        with self._changed:
            while not self._stopping.is_set():
                running = [job.record.account for job in self._jobs.values() if job.record.state == RUNNING]
                waiting = [job for job in self._jobs.values() if job.record.state == QUEUED]
                if waiting:
                    job = min(waiting, key=lambda one: (running.count(one.record.account), one.record.number))
                    job.record.state, job.record.started = RUNNING, _now()
                    job.record.tries += 1
                    job.moving = Moving(1, self._clock())
                    break
                self._changed.wait()
            else:
                return None
        self._shelf.keep(job.record)
        self._tell(job)
        return job

    def _run(self, job: _Job) -> None:
        if job.record.search is not None:
            self._run_search(job)
            return
        outcome = driving.drive(
            job.record.unit,
            self._engine,
            lambda progress: self._on_progress(job, progress),
            lambda: job.cancelled.is_set() or self._stopping.is_set(),
        )
        self._took(job, outcome)

    def _took(self, job: _Job, outcome: Outcome) -> None:
        """A run has ended."""
        if outcome.state == UNIT_CANCELLED:
            self._end_cancelled(job)
        elif outcome.state != UNIT_DONE:
            self._keep_log(job, outcome.log)
            self._end(job, FAILED, outcome.failure or Failure("回测没有结果"))
        elif len(outcome.result) > MOST_RESULT:
            text = f"结果有 {len(outcome.result) // 1024**2} MB，至多 {MOST_RESULT // 1024**2} MB：请缩短范围"
            self._end(job, FAILED, Failure(text, code="RESULT_TOO_LARGE"))
        else:
            self._keep_result(job, outcome)

    def _keep_result(self, job: _Job, outcome: Outcome) -> None:
        record = job.record
        try:
            understood = results.understood(outcome.result)
        except ValueError as error:
            log.info("backtest %s left no result: %s", record.id, error)
            self._end(job, FAILED, Failure("回测没有留下可用的结果", code="BACKTEST_FAILED"))
            return
        pages = {RESULT: outcome.result, BRIEF: understood.brief}
        try:
            pages |= _report(record.id, lambda: self._page(job, outcome.result))
        except guard.Cancelled:
            self._end_cancelled(job)
            return
        if self._kept(job, pages):
            self._keep_log(job, outcome.log)
            record.figures, record.warnings = understood.figures, understood.warnings
            self._end(job, DONE)

    def _page(self, job: _Job, result: bytes) -> bytes:
        """The report of a run. Raises Cancelled, and anything: the result may be."""
        if len(result) <= results.LARGE:
            return _encoded(report.page(orjson.loads(result)))
        limits, stopped = job.record.unit.limits, job.cancelled.is_set
        return guard.report_of(result, self._settings, limits, stopped, self._shelf.work)

    def _kept(self, job: _Job, files: dict[str, bytes]) -> bool:
        """Whether they could be written; else it has failed, and says why."""
        try:
            for name, content in files.items():
                job.record.size = self._shelf.write(job.record.id, name, content)
        except OSError as error:
            log.error("the result of backtest %s cannot be kept: %s", job.record.id, error)
            text = f"结果写不下：{error.strerror}；请检查磁盘空间后重新回测"
            self._end(job, FAILED, Failure(text, code=code_of(error)))
            return False
        return True

    def _keep_log(self, job: _Job, text: str) -> None:
        """What its strategies printed last: worth no failure."""
        if text:
            try:
                job.record.size = self._shelf.write(job.record.id, LOG, text.encode("utf-8", "replace"))
            except OSError as error:
                log.warning("the output of backtest %s is not kept: %s", job.record.id, error)

    def _run_search(self, job: _Job) -> None:
        record = job.record
        assert record.search is not None
        search = search_of(record.search, record.unit)
        for unit, kept in self._shelf.trials(record.id).items():
            search.take(unit, kept)
        with self._changed:
            job.search, job.moving = search, Moving(max(search.count, 2), self._clock())

        def ended(unit: str, found: Tried) -> None:
            self._shelf.keep_trial(record.id, unit, found)
            with self._changed:
                if job.moving is not None:
                    job.moving.units, job.moving.units_done = max(search.count, 2), search.ended
            self._on_progress(job, None)

        driving.drive_search(
            search,
            self._engine,
            ended,
            lambda _progress: None,
            lambda: job.cancelled.is_set() or self._stopping.is_set(),
            record.unit.capital,
        )
        self._search_ended(job)

    def _search_ended(self, job: _Job) -> None:
        document = job.search.document()
        record = job.record
        if document["partial"] and self._stopping.is_set() and not job.cancelled.is_set():
            self._end_cancelled(job)
            return
        pages = {SEARCH: orjson.dumps(document)} | _report(
            record.id, lambda: _encoded(search_report.page(document))
        )
        if not self._kept(job, pages):
            return
        record.warnings = list(document["warnings"])
        if document["best"]:
            record.figures = document["best"][0]["in_sample"]
        elif document["walk_forward"] and document["walk_forward"]["figures"]:
            record.figures = document["walk_forward"]["figures"]
        if document["partial"]:
            self._end_cancelled(job)
        elif not document["done"]:
            first = next((row.get("error", "") for row in document["trials"]), "")
            self._end(job, FAILED, Failure(f"没有一组跑成：{first}", code="BACKTEST_FAILED"))
        else:
            self._end(job, DONE)

    def _end_cancelled(self, job: _Job) -> None:
        """By who asked for it, or because this process ends: then it waits for the next one."""
        if job.cancelled.is_set():
            self._end(job, CANCELLED)
            return
        with self._changed:
            job.record.state, job.record.started = QUEUED, ""
            job.record.tries -= 1
            job.moving = job.search = None
            is_wanted = job.record.id in self._jobs
        if is_wanted:
            self._shelf.keep(job.record)

    def _end(self, job: _Job, state: str, error: Failure | None = None) -> None:
        with self._changed:
            job.record.state, job.record.error, job.record.ended = state, error, _now()
            job.moving = job.search = None
            is_wanted = job.record.id in self._jobs
            if is_wanted:
                self._shelf.keep(job.record)
        if not is_wanted:
            self._shelf.remove(job.record.id)  # deleted meanwhile: what it has left since then goes too
        log.info("backtest %s of %s: %s", job.record.id, job.record.account, state)
        job.ended.set()
        if is_wanted:
            self._tell(job)
            self._keep_within(job.record.account)

    def _on_progress(self, job: _Job, progress: Progress | None) -> None:
        now = self._clock()
        with self._changed:
            if job.moving is None:
                return
            if progress is not None:
                job.moving.take(progress, now)
            if now - job.told < TOLD:
                return
            job.told = now
        self._tell(job)

    # ── ending ──

    def _cancel(self, job: _Job) -> None:
        """Within CANCEL_LIMIT; one that has ended stays what it is."""
        with self._changed:
            job.cancelled.set()
            waits = job.record.state == QUEUED
            if waits:
                job.record.state = CANCELLED  # nobody begins it any more
        if waits:
            self._end(job, CANCELLED)
        elif not job.ended.wait(CANCEL_LIMIT):
            log.warning("backtest %s has not ended yet", job.record.id)

    def _remove(self, job: _Job) -> None:
        with self._changed:
            self._jobs.pop(job.record.id, None)
        self._shelf.remove(job.record.id)
        self._news.tell(job.record.account, job.record.id, self._row(job) | {"deleted": True})

    def _keep_within(self, account: str) -> None:
        """The oldest that have ended go first; never the newest."""
        ended = [job for job in self._of(account) if not job.record.is_open]
        total = sum(job.record.size for job in ended)
        surplus = len(ended) - self._settings.backtest_kept
        for job in ended[:-1]:
            if surplus <= 0 and total <= MOST_BYTES:
                return
            surplus -= 1
            total -= job.record.size
            self._remove(job)

    def _look_forever(self) -> None:
        while not self._stopping.wait(LOOK_EVERY):
            try:
                self._shelf.settle()
                with self._changed:
                    units = [job.record.unit for job in self._jobs.values() if job.record.is_open]
                self._shelf.depot.prune(MOST_DEPOT, {piece.sha256 for unit in units for piece in unit.data})
            except Exception:  # the edge of this thread
                log.exception("looking after the backtests failed")

    # ── what is known ──

    def _of(self, account: str) -> list[_Job]:
        """The oldest first."""
        with self._changed:
            found = [job for job in self._jobs.values() if job.record.account == account]
        return sorted(found, key=lambda job: job.record.number)

    def _known(self, account: str, job_id: str) -> _Job:
        job = self._jobs.get(job_id)
        if job is None or job.record.account != account:
            raise NotFound("没有这次回测：它不存在或已删除", code="UNKNOWN_BACKTEST")
        return job

    def _check_waiting(self, account: str) -> None:
        if sum(job.record.state == QUEUED for job in self._of(account)) >= MOST_WAITING:
            raise RateLimited(
                f"排队的回测已有 {MOST_WAITING} 个，请等它们跑完，或取消不用的", code="TOO_MANY_BACKTESTS"
            )

    def _check_done(self, job: _Job) -> None:
        if job.record.state != DONE:
            raise NotDone(f"这次回测还没有结果：{job.record.state}")

    def _result(self, job: _Job) -> bytes:
        """Of a search also what there is so far, and what there was when it ended otherwise."""
        if job.record.search is not None:
            with self._changed:
                search = job.search
            if search is not None:
                return orjson.dumps(search.document())
        else:
            self._check_done(job)
        return self._left(job, RESULT if job.record.search is None else SEARCH)

    def _left(self, job: _Job, name: str, default: bytes | None = None) -> bytes:
        """A file of its own. Raises NotDone where there is none and no default."""
        try:
            return self._shelf.read(job.record.id, name)
        except OSError:
            if default is None:
                raise NotDone(f"这次回测没有结果：{job.record.state}") from None
            return default

    def _row(self, job: _Job) -> dict[str, Any]:
        with self._changed:
            progress = job.moving.as_row(self._clock()) if job.moving is not None else None
            place = self._turns().index(job.record.number) + 1 if job.record.state == QUEUED else 0
            return row_of(job.record, progress, place)

    def _turns(self) -> list[int]:
        """The numbers of those that wait, as `_next` would take them if none came and none ended."""
        records = [job.record for job in self._jobs.values()]
        running = Counter(record.account for record in records if record.state == RUNNING)
        turns = []
        for number, account in sorted((one.number, one.account) for one in records if one.state == QUEUED):
            turns.append((running[account], number))
            running[account] += 1
        return [number for _, number in sorted(turns)]

    def _tell(self, job: _Job) -> None:
        self._news.tell(job.record.account, job.record.id, self._row(job))


def _report(job: str, made: Callable[[], bytes]) -> dict[str, bytes]:
    """The report's file; none where it cannot be made: what a strategy has written itself may be anything.
    Raises Cancelled.
    """
    try:
        page = made()
    except guard.Cancelled:
        raise
    except Exception:
        log.warning("backtest %s has no report", job, exc_info=True)
        return {}
    if len(page) > MOST_RESULT:
        log.warning("backtest %s has no report: it would have %d bytes", job, len(page))
        return {}
    return {REPORT: page}


def _encoded(page: str) -> bytes:
    return page.encode("utf-8", "replace")


def _now() -> str:
    return datetime.now(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
