"""The engine of a Dask cluster: each unit is a task that only guards a sandboxed child (cluster_task.py). The
process of backtests and the commands, where the setting `backtest_scheduler` names one; any thread.

The scheduler's memory is no truth: whatever is lost there is LOST here, and may be run again. Data go to a
worker that lacks them, once, by their hashes. Who holds the cluster's certificates can run code on all of its
machines, this one too: docs/cluster.md.
"""

from __future__ import annotations

import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from app.backtest.engine.job import Failure, Progress
from app.backtest.running import cluster_task
from app.backtest.running.cluster_task import Answer
from app.backtest.running.units import (
    CANCELLED,
    FAILED,
    LOST,
    Depot,
    NotInDepot,
    OnProgress,
    Outcome,
    Piece,
    Unit,
)
from app.lib.errors import AppError
from app.settings import Settings

if TYPE_CHECKING:
    from distributed import Client

CONNECTING = 10.0  # seconds of one attempt
PATIENCE = 60.0  # that a unit waits for a scheduler which is away
BETWEEN = 1.0
COUNTED = 3.0  # seconds that the number of places is believed
PART = 8 * 1024 * 1024  # bytes of data in one message
SENDERS = 2

log = logging.getLogger(__name__)


class ClusterDown(AppError):
    """The cluster's scheduler cannot be reached, or what is needed for it is not installed: see the message,
    mend the setting or the cluster, and start again.
    """

    status = 503
    default_code = "CLUSTER_DOWN"


class _Task:
    """A unit at the cluster: a Handle of units.py."""

    def __init__(self, unit: Unit, on_progress: OnProgress, cancel: Callable[[_Task], object]) -> None:
        self.unit = unit
        self.on_progress = on_progress
        self.token = secrets.token_hex(8)
        self.future: Any = None
        self.is_cancelled = False
        self._cancel = cancel
        self._outcome: Outcome | None = None
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def wait(self, seconds: float | None = None) -> Outcome | None:
        self._ended.wait(seconds)
        return self._outcome

    def cancel(self) -> None:
        self.is_cancelled = True
        self._cancel(self)

    def end(self, outcome: Outcome) -> None:
        with self._lock:
            if self._outcome is None:
                self._outcome = outcome
        self._ended.set()


class DaskEngine:
    """`depot` has the data of the units that are submitted. It connects when it has something to do."""

    def __init__(self, settings: Settings, depot: Depot) -> None:
        self._settings = settings
        self._depot = depot
        self._topic = f"backtest-{secrets.token_hex(8)}"
        self._client: Client | None = None
        self._connecting = threading.Lock()
        self._tasks: dict[str, _Task] = {}
        self._counted = (0.0, 1)
        self._closed = threading.Event()
        self._work: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._sending: dict[tuple[str, str], threading.Lock] = {}
        self._threads = [
            threading.Thread(target=self._send, name=f"cluster-{number}", daemon=True)
            for number in range(SENDERS)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def width(self) -> int:
        at, width = self._counted
        if time.monotonic() - at > COUNTED and self._client is not None:
            try:
                width = max(1, sum(self._client.nthreads().values()))
            except Exception as error:  # whatever Dask raises of a lost scheduler: the next unit will tell
                log.debug("the cluster's places are not known: %r", error)
            self._counted = time.monotonic(), width
        return width

    def submit(self, unit: Unit, on_progress: OnProgress) -> _Task:
        task = _Task(unit, on_progress, self._cancel)
        if self._closed.is_set():
            task.end(Outcome(state=CANCELLED))
            return task
        self._tasks[task.token] = task
        self._work.put(lambda: self._hand_over(task))
        return task

    def connect(self) -> Client:
        """The connection; a new one where the last is gone. Raises ClusterDown."""
        with self._connecting:
            if self._client is not None and self._client.status == "running":
                return self._client
            if self._client is not None:
                self._let_go(self._client)
                self._client = None
            self._client = self._connected()
            return self._client

    def close(self) -> None:
        self._closed.set()
        for task in list(self._tasks.values()):
            task.cancel()
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join(BETWEEN)
        with self._connecting:
            if self._client is not None:
                self._let_go(self._client)
                self._client = None

    # ── the connection ──

    def _connected(self) -> Client:
        address = self._settings.backtest_scheduler
        try:
            from distributed import Client
        except ImportError:
            raise ClusterDown(
                f"设置 backtest_scheduler = {address} 要装 Dask："
                "pip install --no-deps -r requirements-dask.lock"
            ) from None
        try:
            client = Client(
                address,
                timeout=CONNECTING,
                set_as_default=False,
                security=security_of(self._settings),
                name="ctpbee-backtest",
            )
            client.subscribe_topic(self._topic, self._on_event)
        except Exception as error:  # Dask raises OSError, its own, and what TLS and asyncio raise
            raise ClusterDown(f"连不上 {address}：{error!r}") from None
        return client

    @staticmethod
    def _let_go(client: Client) -> None:
        try:
            client.close(timeout=2)
        except Exception as error:
            log.debug("the connection to the cluster did not close: %r", error)

    # ── a unit's way ──

    def _send(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except Exception:
                log.exception("a unit could not be handed over")

    def _hand_over(self, task: _Task) -> None:
        deadline = time.monotonic() + PATIENCE
        while not task.is_cancelled:
            try:
                client = self.connect()
                task.future = client.submit(
                    cluster_task.run,
                    msgspec.msgpack.encode(task.unit),
                    self._topic,
                    task.token,
                    key=f"backtest-{task.unit.id}-{secrets.token_hex(4)}",
                    pure=False,
                )
                task.future.add_done_callback(lambda _future: self._on_done(task))
                break
            except Exception as error:  # no connection, or one that breaks just now
                if time.monotonic() > deadline:
                    log.warning("unit %s: %s", task.unit.id, error)
                    self._end(task, _lost(str(error)))
                    return
                self._closed.wait(BETWEEN)
        if task.is_cancelled:
            self._cancel(task)

    def _on_done(self, task: _Task) -> None:
        """A thread of Dask's."""
        future = task.future
        if task.is_cancelled:
            self._end(task, Outcome(state=CANCELLED))
        elif future.status == "finished":
            try:
                answer = msgspec.msgpack.decode(future.result(timeout=CONNECTING), type=Answer)
            except Exception as error:  # its worker has died with the result
                log.warning("unit %s: the result is lost: %r", task.unit.id, error)
                self._end(task, _lost(f"结果随它的 worker 没有了：{error!r}"))
                return
            if answer.outcome is not None:
                self._end(task, answer.outcome)
            else:
                self._work.put(lambda: self._supply(task, answer))
        else:
            self._end(task, self._lost_or_wrong(task))

    def _lost_or_wrong(self, task: _Task) -> Outcome:
        from distributed.scheduler import KilledWorker

        error = task.future.exception(timeout=CONNECTING) if task.future.status == "error" else None
        log.warning("unit %s ended at the cluster as %s: %r", task.unit.id, task.future.status, error)
        if error is None or isinstance(error, KilledWorker | OSError):
            return _lost(f"集群里的 worker 或 scheduler 没有了：{error!r}")
        return _failed(f"集群里出错：{error!r}"[:500], "INTERNAL")

    def _supply(self, task: _Task, answer: Answer) -> None:
        """Send the worker the data that it lacks, then the unit again."""
        try:
            for piece in answer.lacks:
                with self._sending.setdefault((answer.worker, piece.sha256), threading.Lock()):
                    self._send_piece(self.connect(), answer.worker, piece)
        except NotInDepot:
            self._end(task, _failed("行情的副本已不在，请重新开始这次回测", "NO_DATA"))
        except Exception as error:  # the worker has gone meanwhile
            log.warning("data did not reach %s: %r", answer.worker, error)
            self._end(task, _lost(f"行情没有送到 {answer.worker}：{error!r}"))
        else:
            self._hand_over(task)

    def _send_piece(self, client: Client, worker: str, piece: Piece) -> None:
        path = self._depot.path(piece)
        if _only(client.run(cluster_task.has, piece.sha256, piece.name, workers=[worker])):
            return
        token, size, offset = secrets.token_hex(8), path.stat().st_size, 0
        with path.open("rb") as file:
            while True:
                part = file.read(PART)
                is_last = offset + len(part) >= size
                about = (piece.sha256, piece.name, token, offset, part, is_last)
                client.run(cluster_task.put, *about, workers=[worker])
                offset += len(part)
                if is_last:
                    return

    def _cancel(self, task: _Task) -> None:
        """Its guard at the worker sees that nobody wants it any more, and ends the child."""
        future = task.future
        if future is not None:
            try:
                future.cancel()
            except Exception as error:
                log.debug("unit %s could not be cancelled there: %r", task.unit.id, error)
        self._end(task, Outcome(state=CANCELLED))

    def _end(self, task: _Task, outcome: Outcome) -> None:
        self._tasks.pop(task.token, None)
        task.end(outcome)

    def _on_event(self, event: tuple[float, dict[str, Any]]) -> None:
        said = event[1]
        task = self._tasks.get(str(said.get("token")))
        if task is not None:
            task.on_progress(msgspec.convert(said["progress"], type=Progress))


def security_of(settings: Settings) -> Any:
    """Of the connection; None for a scheduler on this machine without TLS."""
    from distributed.security import Security

    folder = settings.backtest_tls
    if not settings.backtest_scheduler.startswith("tls://") or folder is None:
        return None
    return Security(
        tls_ca_file=str(folder / "ca.pem"),
        tls_client_cert=str(folder / "cert.pem"),
        tls_client_key=str(folder / "key.pem"),
        require_encryption=True,
    )


def _only(answers: dict[str, Any]) -> Any:
    (answer,) = answers.values()
    return answer


def _lost(message: str) -> Outcome:
    return Outcome(state=LOST, failure=Failure(message[:500], code="CLUSTER_DOWN"))


def _failed(message: str, code: str) -> Outcome:
    return Outcome(state=FAILED, failure=Failure(message, code=code))
