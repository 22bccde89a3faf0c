"""The guard's side of workers (worker.py): units over the same data run in one child after the other, which
has imported and loaded once. Whoever runs units; one child for each thread that asks, since it dies with the
thread that started it.

What a unit does, it does to its run: when it fails, the child goes on with the next one; when it has to be
ended, or has ended the child, the next one gets a new child.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec

from app.backtest.engine.job import ENDED_FILE, MOST_BRIEF, PROGRESS_FILE, RESULT_FILE, Ended, Job
from app.backtest.running import guard
from app.backtest.running.guard import BacktestFailed, Cancelled, Watch
from app.backtest.running.units import CANCELLED, DONE, FAILED, Depot, Limits, OnProgress, Outcome, Unit
from app.process import child, family, left_behind
from app.process.child import Cage
from app.settings import Settings
from app.workshop.containment import Containment

LOOK = 0.02  # seconds between two looks: a run may take less than one
IDLE = 30.0  # seconds that a child is kept with nothing to do
UNSET = {"strategies": {}, "parameters": {}, "start": "", "end": "", "trade_from": "", "keep": "result"}
"""What may differ between units of one child."""


class Workers:
    """Called with a unit it runs it, like guard.run_unit. Of a search's (keep = figures) more will come over
    the same data: they run in a child that this thread has already, else in a new one, which ends when it has
    had nothing to do for a while. `close` ends them all, also those at work.
    """

    def __init__(
        self, settings: Settings, depot: Depot, inside: Path | None = None, idle: float = IDLE
    ) -> None:
        self._settings = settings
        self._idle = idle
        self._depot = depot
        self._inside = inside
        self._containment = Containment(settings)
        self._by_thread: dict[int, _Worker] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._reaper: threading.Thread | None = None

    def __call__(
        self, unit: Unit, on_progress: OnProgress, stopped: Callable[[], bool] = guard.never
    ) -> Outcome:
        """Never raises what is the unit's fault; raises NotInDepot, NotAllowed where no strategies may run,
        OSError.
        """
        if unit.keep != "figures":
            return guard.run_unit(
                unit, self._depot, self._settings, on_progress, stopped, inside=self._inside
            )
        try:
            worker = self._of_this_thread(unit, on_progress, stopped)
        except Cancelled:
            return Outcome(state=CANCELLED)
        except BacktestFailed as error:
            return Outcome(state=FAILED, failure=error.failure)
        try:
            return worker.run(unit, on_progress, stopped)
        except BaseException:
            worker.is_fit = False
            raise
        finally:
            if worker.is_fit:
                with self._lock:
                    worker.idle_since = time.monotonic()
            else:
                self._end(worker)

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            workers = list(self._by_thread.values())
            self._by_thread.clear()
        for worker in workers:
            worker.end()

    def _of_this_thread(self, unit: Unit, on_progress: OnProgress, stopped: Callable[[], bool]) -> _Worker:
        """Raises BacktestFailed and Cancelled while its data are read, and what a call does."""
        key, thread = _key(unit), threading.get_ident()
        with self._lock:
            found = self._by_thread.get(thread)
            if found is not None and found.key == key and found.is_fit:
                found.idle_since = None
                return found
        if found is not None:
            self._end(found)
        files = guard.files_of(unit, self._depot, self._settings, on_progress, stopped, self._inside)
        made = self._start(unit, key, files)
        with self._lock:
            self._by_thread[thread] = made
            if self._reaper is None:
                self._reaper = threading.Thread(target=self._reap, name="idle workers", daemon=True)
                self._reaper.start()
        return made

    def _reap(self) -> None:
        """End those that have nothing to do."""
        while not self._closed.wait(self._idle / 4):
            with self._lock:
                now = time.monotonic()
                idle = [
                    worker
                    for worker in self._by_thread.values()
                    if worker.idle_since is not None and now - worker.idle_since > self._idle
                ]
                self._by_thread = {at: one for at, one in self._by_thread.items() if one not in idle}
            for worker in idle:
                worker.end()

    def _start(self, unit: Unit, key: str, seen: list[Path]) -> _Worker:
        with ExitStack() as stack:
            folder = stack.enter_context(guard.own_folder(self._settings.data_dir, self._inside))
            job = guard.job_of(unit, seen, folder)
            cage, environment = guard.around(self._containment, folder, seen)
            return _Worker(key, job, self._settings, cage, environment, stack.pop_all())

    def _end(self, worker: _Worker) -> None:
        with self._lock:
            self._by_thread = {at: one for at, one in self._by_thread.items() if one is not worker}
        worker.end()


class _Worker:
    """One child. `kept`: what is let go of at its end, its folder among it."""

    def __init__(
        self,
        key: str,
        base: Job,
        settings: Settings,
        cage: Cage | None,
        environment: dict[str, str],
        kept: ExitStack,
    ) -> None:
        self.key = key
        self.is_fit = True
        self.idle_since: float | None = None  # None while it has a unit
        self._kept = kept
        self._folder = Path(base.folder)
        self._number = 0
        self._base = base = msgspec.structs.replace(base, parent=os.getpid() if cage is None else 0)
        try:
            self._process = child.start(
                [sys.executable, "-m", "app.backtest.child.worker"],
                settings,
                "backtest",
                stdin=msgspec.json.encode(base) + b"\n",
                environment=environment,
                cage=cage,
                keep_stdin=True,
            )
        except BaseException:
            kept.close()
            raise
        self._family = family.known([self._process.pid])

    def run(self, unit: Unit, on_progress: OnProgress, stopped: Callable[[], bool]) -> Outcome:
        self._number += 1
        folder = self._folder / f"run-{self._number}"
        folder.mkdir()
        job = msgspec.structs.replace(
            self._base,
            folder=str(folder),
            strategies=unit.strategies,
            parameters=unit.parameters,
            start=unit.start,
            end=unit.end,
            trade_from=unit.trade_from,
            keep=unit.keep,
        )
        try:
            exit_code = self._watched(job, folder, on_progress, unit.limits, stopped)
            if exit_code:
                raise BacktestFailed(guard.why(folder, exit_code))
            result = guard.read_left(folder / RESULT_FILE, MOST_BRIEF)
            return Outcome(state=DONE, result=result, log=guard.log_of(folder))
        except Cancelled:
            return Outcome(state=CANCELLED)
        except BacktestFailed as error:
            return Outcome(state=FAILED, failure=error.failure, log=guard.log_of(folder))
        finally:
            left_behind.remove(folder)

    def end(self) -> None:
        self.is_fit = False
        family.kill(self._process.pid, self._family, guard.ENDING)
        self._process.wait(guard.ENDING)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._kept.close()

    def _watched(
        self,
        job: Job,
        folder: Path,
        on_progress: OnProgress,
        limits: Limits,
        stopped: Callable[[], bool],
    ) -> int:
        """The run's exit code. Raises Cancelled and BacktestFailed; the child is not fit any more then."""
        watch = Watch(self._process, self._folder, limits, on_progress)
        fit, self.is_fit = self.is_fit, False
        self._tell(job)
        while (ended := self._ended()) is None:
            if stopped():
                raise Cancelled("已取消")
            if not self._process.alive:
                raise BacktestFailed(guard.why(self._folder, self._process.exit_code or 0))
            if watch.told_in is not folder and (folder / PROGRESS_FILE).exists():
                watch.told_in = folder  # it is loaded
            watch.look()
            self._family = watch.family
            time.sleep(LOOK)
        self.is_fit = fit
        return ended

    def _tell(self, job: Job) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(msgspec.json.encode(job) + b"\n")
            stdin.flush()
        except OSError:
            pass  # it has ended: that is seen next

    def _ended(self) -> int | None:
        try:
            content = guard.read_left(self._folder / ENDED_FILE, guard.MOST_SMALL)
            said = msgspec.json.decode(content, type=Ended)
        except (BacktestFailed, msgspec.DecodeError):
            return None  # nothing has ended yet
        return said.exit_code if said.number == self._number else None


def _key(unit: Unit) -> str:
    return msgspec.structs.replace(unit, **UNSET).id
