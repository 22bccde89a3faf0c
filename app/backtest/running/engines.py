"""Which engine runs the units: this machine's, or a cluster's. The process of backtests and the commands."""

from __future__ import annotations

from pathlib import Path

from app.backtest.running.embedded import EmbeddedEngine
from app.backtest.running.units import Depot, Engine
from app.backtest.running.workers import Workers
from app.settings import Settings


def engine_of(settings: Settings, depot: Depot, width: int, inside: Path | None = None) -> Engine:
    """As the setting `backtest_scheduler` says: `width` units at once on this machine, in folders in
    `inside`, or as many as the cluster has room for.
    """
    if settings.backtest_scheduler:
        from app.backtest.running.cluster import DaskEngine

        return DaskEngine(settings, depot)
    workers = Workers(settings, depot, inside)
    return EmbeddedEngine(width, workers, workers.close)
