"""How the objective lies over the parameters: a map for each pair of them, and the neighbours of a point. A
best value among good neighbours is worth more than one that stands alone. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from app.backtest.search.space import Axis, Point, Space
from app.lib.strategy_parameters import Value

MOST_MAPS = 6
MOST_CELLS = 10_000  # of a map

ByPoint = Mapping[tuple[Value, ...], float | None]
"""The objective by a point's values in the order of the axes; None where it cannot be counted."""


def maps(space: Space, by_point: ByPoint) -> list[dict[str, Any]]:
    """Of each pair of axes, or of the only one: `values[y][x]` is the mean over all other parameters, `best`
    the highest, null where nothing is.
    """
    numbers = range(len(space.axes))
    pairs = list(combinations(numbers, 2)) if len(space.axes) > 1 else [(0, 0)]
    fitting = [(x, y) for x, y in pairs if len(space.axes[x].marks) * len(space.axes[y].marks) <= MOST_CELLS]
    return [_map(space, by_point, x, y) for x, y in fitting[:MOST_MAPS]]


def _map(space: Space, by_point: ByPoint, x: int, y: int) -> dict[str, Any]:
    across, up = space.axes[x], space.axes[y] if x != y else Axis("", ("",))
    cells: list[list[list[float]]] = [[[] for _ in across.marks] for _ in up.marks]
    for point, value in by_point.items():
        if value is not None:
            row = up.place(point[y]) if x != y else 0
            cells[row][across.place(point[x])].append(value)
    return {
        "x": across.name,
        "y": up.name,
        "xs": list(across.marks),
        "ys": list(up.marks),
        "values": [[mean(cell) for cell in row] for row in cells],
        "best": [[max(cell, default=None) for cell in row] for row in cells],
    }


def neighbours(space: Space, by_point: ByPoint, point: Point) -> dict[str, Any]:
    """The points one step away along one axis: how many were tried, their mean and the least."""
    found = []
    values = list(point.values())
    for number, axis in enumerate(space.axes):
        if axis.is_range or isinstance(values[number], str | bool):
            continue
        at = axis.place(values[number])
        for other in (at - 1, at + 1):
            if 0 <= other < len(axis.values):
                there = (*values[:number], axis.values[other], *values[number + 1 :])
                if (value := by_point.get(tuple(there))) is not None:
                    found.append(value)
    return {"count": len(found), "mean": mean(found), "least": min(found, default=None)}


def mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
