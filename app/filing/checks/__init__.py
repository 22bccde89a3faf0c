"""The eleven checks of the broker's test, in its order. Command's own process."""

from __future__ import annotations

from app.filing.checks import connection, counts, logbooks, orders, stopping
from app.filing.checks.base import Bench, Check, run_check

CHECKS: tuple[Check, ...] = (
    *connection.CHECKS,
    *counts.CHECKS,
    *orders.CHECKS,
    *stopping.CHECKS,
    *logbooks.CHECKS,
)

__all__ = ["CHECKS", "Bench", "Check", "run_check"]
