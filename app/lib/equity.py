"""Which figures a history of equity has, in their order. Pure; gateway process.

More may come behind them: an older point has fewer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

ACCOUNT = (
    *("balance", "available", "margin", "pre_balance", "deposit", "withdraw"),
    *("close_profit", "position_profit", "commission"),
)
"""Of an account, in yuan; all but the first three are of the trading day."""
SETTLED = "settled"
"""Of an account's day, behind the others: the balance after settlement, null until the counter has told
it.
"""
STRATEGY = ("net", "close_profit", "float_pnl", "commission")
"""Of a strategy, in yuan since it first traded."""


def figures_of(names: Iterable[str], row: Mapping[str, Any]) -> list[float | None]:
    """These of a row that has them by name."""
    return [float(row[name]) for name in names]


def names_of(owner: str, interval: str) -> tuple[str, ...]:
    """What the figures of such a point are called; `owner` is "" for the account."""
    if owner:
        return STRATEGY
    return (*ACCOUNT, SETTLED) if interval == "day" else ACCOUNT
