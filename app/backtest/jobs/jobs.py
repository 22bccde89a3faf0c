"""What is kept of a backtest that the server runs, and its row as pages see it. The process of backtests;
pure.
"""

from __future__ import annotations

from typing import Any

import msgspec

from app.backtest.engine.fills import FillSettings
from app.backtest.engine.job import Failure, Progress
from app.backtest.running.units import MEGABYTE, Unit
from app.wire.channel import MAX_FRAME

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "排队", "运行", "完成", "失败", "已取消"
OPEN = (QUEUED, RUNNING)
RUN, SEARCH = "run", "search"
MOST_ROWS = 10**12  # of a run's data: what is beyond it is no count
MOST_RESULT = MAX_FRAME - MEGABYTE  # bytes: what travels to a page in one piece


class Record(msgspec.Struct, kw_only=True):
    """One job. `number` rises with each, and says whose turn it is."""

    id: str
    account: str
    number: int
    title: str
    kind: str  # RUN SEARCH
    strategy: str
    version: int
    contracts: list[str]
    main: list[str]
    files: list[str]
    by: str
    unit: Unit
    search: dict[str, Any] | None = None
    state: str = QUEUED
    created: str = ""  # YYYY-MM-DD HH:MM:SS, exchange time
    started: str = ""
    ended: str = ""
    tries: int = 0  # how often it has been begun
    error: Failure | None = None
    figures: dict[str, Any] | None = None
    warnings: list[str] = []
    size: int = 0  # bytes of what is kept of it

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


class Moving:
    """How far a job is, and how fast. `clock()`: seconds."""

    def __init__(self, units: int, now: float) -> None:
        self.units = units
        self.units_done = 0
        self._progress = Progress("reading")
        self._begun = now
        self._first: tuple[float, int] | None = None  # when, and how far, it was when it began to run

    def take(self, progress: Progress, now: float) -> None:
        """Of a run's child, which may say any number."""
        progress.done, progress.total = (
            min(max(count, 0), MOST_ROWS) for count in (progress.done, progress.total)
        )
        if progress.stage == "running" and self._first is None:
            self._first = now, progress.done
        self._progress = progress

    def as_row(self, now: float) -> dict[str, Any]:
        if self.units > 1:
            return self._of_units(now)
        stage, done, total = self._progress.stage, self._progress.done, self._progress.total
        share = min(max(done / total, 0.0), 1.0) if stage == "running" and total > 0 else 0.0
        rate = 0.0
        if self._first is not None and now > self._first[0]:
            rate = max(done - self._first[1], 0) / (now - self._first[0])
        return {
            "stage": "running" if stage == "running" else "reading",
            "percent": round(100 * share, 1),
            "trading_day": self._progress.trading_day[:8],
            "rate": round(rate),
            "rest": round(max(total - done, 0) / rate, 1) if rate > 0 else None,
            "units": 1,
            "units_done": 0,
        }

    def _of_units(self, now: float) -> dict[str, Any]:
        each = (now - self._begun) / self.units_done if self.units_done else 0.0
        return {
            "stage": "running",
            "percent": round(100 * self.units_done / self.units, 1),
            "trading_day": self._progress.trading_day[:8],
            "rate": 0,
            "rest": round(each * (self.units - self.units_done), 1) if each else None,
            "units": self.units,
            "units_done": self.units_done,
        }


def row_of(record: Record, progress: dict[str, Any] | None = None, place: int = 0) -> dict[str, Any]:
    """As pages see it: `place` in the queue, from 1."""
    unit = record.unit
    return {
        "id": record.id,
        "title": record.title,
        "kind": record.kind,
        "state": record.state,
        "strategy": record.strategy,
        "version": record.version,
        "contracts": record.contracts,
        "main": record.main,
        "files": record.files,
        "by": record.by,
        "start": unit.start,
        "end": unit.end,
        "capital": unit.capital,
        "parameters": unit.parameters.get(record.strategy, {}),
        "fills": msgspec.to_builtins(unit.fills),
        "rates": bool(unit.rates),
        "symbol": unit.symbol,
        "label": unit.label,
        "main_warm_up": unit.main_warm_up,
        "search": record.search,
        "created": record.created,
        "started": record.started,
        "ended": record.ended,
        "place": place,
        "progress": progress if record.state == RUNNING else None,
        "error": msgspec.to_builtins(record.error) if record.error is not None else None,
        "figures": record.figures,
        "warnings": record.warnings,
        "size": record.size,
    }


def fills_of(
    latency_ms: int | None, spread_ticks: int, slippage_ticks: int, participation: float
) -> FillSettings:
    return FillSettings(
        latency_ms=latency_ms,
        spread_ticks=spread_ticks,
        slippage_ticks=slippage_ticks,
        participation=participation,
    )
