"""What a Dask worker runs of a backtest: it guards one sandboxed child for each unit, as the machine itself
does it, and keeps the data by their hashes. A worker's process of a cluster (docs/cluster.md); nothing of a
strategy is run in it.

Dask knows these functions by their names, and hands them bytes.
"""

from __future__ import annotations

import atexit
import shutil
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from app.backtest.engine.job import Failure, Progress
from app.backtest.running.units import FAILED, Depot, NotInDepot, OnProgress, Outcome, Piece, Unit
from app.backtest.running.workers import Workers
from app.lib import calendar
from app.lib.errors import AppError
from app.lib.program import version
from app.settings import Settings

TOLD = 0.5  # seconds from one word of the progress to the next
MOST_CACHE = 8 << 30  # bytes of data that are kept


class Answer(msgspec.Struct, frozen=True):
    """Of a task: the outcome; or what data are missing, and where."""

    outcome: Outcome | None = None
    lacks: list[Piece] = []
    worker: str = ""


class _Here(NamedTuple):
    """This worker's own."""

    depot: Depot
    run_unit: Callable[[Unit, OnProgress, Callable[[], bool]], Outcome]
    incoming: Path


@lru_cache(maxsize=1)
def _here() -> _Here:
    """Raises SettingsError."""
    settings = Settings.load()
    calendar.keep_in(settings.data_dir)
    if settings.strategies == "auto":  # what others send is never run without a sandbox
        settings = settings.model_copy(update={"strategies": "contained"})
    folder = settings.data_dir / "backtest"
    depot = Depot(folder / "cache")
    incoming = folder / "incoming"
    incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
    workers = Workers(settings.model_copy(update={"log_to": "stdout"}), depot)
    atexit.register(workers.close)
    return _Here(depot, workers, incoming)


def run(encoded: bytes, topic: str, token: str) -> bytes:
    """An Answer. How far it is is told under `topic`, with `token`."""
    from distributed import get_worker

    worker = get_worker()
    unit = msgspec.msgpack.decode(encoded, type=Unit)
    if unit.version != version():
        return _failed(
            f"集群的 {worker.address} 上是程序 {version()}，发来的是 {unit.version}：请装成同一版本"
        )
    try:
        here = _here()
        lacks = [piece for piece in unit.data if not _has(here.depot, piece)]
        if lacks:
            return msgspec.msgpack.encode(Answer(lacks=lacks, worker=worker.address))
        outcome = here.run_unit(unit, _teller(worker, topic, token), _stopped(worker))
    except NotInDepot:  # gone meanwhile: sent again
        return msgspec.msgpack.encode(Answer(lacks=list(unit.data), worker=worker.address))
    except AppError as error:
        return _failed(f"集群的 {worker.address}：{error.message}", error.code)
    except OSError as error:
        return _failed(f"集群的 {worker.address}：回测进程起不了：{error.strerror}")
    return msgspec.msgpack.encode(Answer(outcome=outcome))


def has(sha256: str, name: str) -> bool:
    return _has(_here().depot, Piece(name, sha256))


def put(sha256: str, name: str, token: str, offset: int, chunk: bytes, is_last: bool) -> None:
    """A part of a file, in its order; whole, it is kept. Raises ValueError for one of another hash."""
    here = _here()
    piece = Piece(Path(name).name, sha256)
    folder = here.incoming / Path(token).name
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / piece.name
    try:
        with path.open("ab" if offset else "wb") as file:
            if file.tell() != offset:
                raise ValueError("parts out of order")
            file.write(chunk)
        if is_last and here.depot.add(path) != piece:
            raise ValueError("not what its hash says")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if is_last:
        shutil.rmtree(folder, ignore_errors=True)
        here.depot.prune(MOST_CACHE, {sha256})


def _has(depot: Depot, piece: Piece) -> bool:
    try:
        depot.path(piece)
    except NotInDepot:
        return False
    return True


def _stopped(worker: Any) -> Callable[[], bool]:
    """Whether nobody wants the task any more: Dask lets a task go that was cancelled, and never stops it."""
    key = worker.get_current_task()

    def stopped() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state != "executing"

    return stopped


def _teller(worker: Any, topic: str, token: str) -> OnProgress:
    told = [0.0]

    def tell(progress: Progress) -> None:
        now = time.monotonic()
        if now - told[0] >= TOLD:
            told[0] = now
            worker.log_event(topic, {"token": token, "progress": msgspec.to_builtins(progress)})

    return tell


def _failed(message: str, code: str = "BACKTEST_FAILED") -> bytes:
    outcome = Outcome(state=FAILED, failure=Failure(message, code=code))
    return msgspec.msgpack.encode(Answer(outcome=outcome))
