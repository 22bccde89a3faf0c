"""The values that a search tries: axes of parameters, all of their points or some drawn by a seed. Pure.

An axis is written `5:50:5` (first:last:step, both included where the step meets it), `0.1:0.9` (first:last,
any number between: only drawn, never all), or as a list of values.
"""

from __future__ import annotations

import itertools
import math
import operator
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from app.lib.errors import BadInput
from app.lib.strategy_parameters import Parameter, Value

MOST_TRIALS = 10_000
MOST_VALUES = 1_000  # of an axis
MOST_AXES = 8
MOST_POINTS = 5_000_000  # of a grid that conditions are tried on
BINS = 10  # of an axis without steps, on a map

_COMPARISONS = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(r"\s*([\w.+-]+)\s*(<=|>=|!=|<|>)\s*([\w.+-]+)\s*")

Point = dict[str, Value]


class Axis(NamedTuple):
    """The values of one parameter; without steps the two ends."""

    name: str
    values: tuple[Value, ...]
    is_range: bool = False

    @property
    def marks(self) -> tuple[Value, ...]:
        """Where a point can lie on a map: its values, or the middles of equal parts."""
        if not self.is_range:
            return self.values
        low, high = self._ends
        return tuple(round(low + (high - low) * (at + 0.5) / BINS, 10) for at in range(BINS))

    def place(self, value: Value) -> int:
        """Which of the marks is the value's."""
        if not self.is_range:
            return self.values.index(value)
        low, high = self._ends
        return min(int((float(value) - low) / (high - low) * BINS), BINS - 1)

    @property
    def _ends(self) -> tuple[float, float]:
        low, high = self.values
        return float(low), float(high)

    def draw(self, chance: random.Random) -> Value:
        if self.is_range:
            return round(chance.uniform(*self._ends), 10)
        return self.values[chance.randrange(len(self.values))]


class Space(NamedTuple):
    """The axes, and what must hold between them."""

    axes: tuple[Axis, ...]
    conditions: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Points of the grid, before the conditions."""
        return math.prod(len(axis.values) for axis in self.axes)

    def grid(self, most: int = MOST_TRIALS) -> list[Point]:
        """All points, the last axis fastest. Raises BadInput for more than `most`."""
        ranges = [axis.name for axis in self.axes if axis.is_range]
        if ranges:
            raise BadInput("search", f"网格要步长：{'、'.join(ranges)} 应形如 first:last:step，或随机抽取")
        if self.size > MOST_POINTS or (not self.conditions and self.size > most):
            raise BadInput("search", f"网格有 {self.size} 组参数，至多 {most} 组：加大步长，或随机抽取")
        points = list(itertools.islice(self._allowed(), most + 1))
        if len(points) > most:
            raise BadInput("search", f"网格有多于 {most} 组参数：加大步长，或随机抽取")
        return self._some(points)

    def drawn(self, count: int, seed: int, most: int = MOST_TRIALS) -> list[Point]:
        """So many different points by the seed, or all where there are fewer. Raises BadInput."""
        if not 1 <= count <= most:
            raise BadInput("search", f"随机抽取的组数应为 1 至 {most}，现在是 {count}")
        if not any(axis.is_range for axis in self.axes) and self.size <= max(2 * count, 1000):
            points = list(self._allowed())
            return self._some(points if len(points) <= count else random.Random(seed).sample(points, count))
        chance, found = random.Random(seed), dict[tuple[Value, ...], Point]()
        for _ in range(100 * count):  # where few are allowed, not for ever
            point = {axis.name: axis.draw(chance) for axis in self.axes}
            if self.allows(point):
                found.setdefault(tuple(point.values()), point)
            if len(found) == count:
                break
        return self._some(list(found.values()))

    def allows(self, point: Point) -> bool:
        return all(_holds(condition, point) for condition in self.conditions)

    def _allowed(self) -> Iterator[Point]:
        names = [axis.name for axis in self.axes]
        points = (
            dict(zip(names, values, strict=True))
            for values in itertools.product(*(axis.values for axis in self.axes))
        )
        return (point for point in points if self.allows(point))

    def _some(self, points: list[Point]) -> list[Point]:
        if not points:
            raise BadInput("search", f"没有一组参数满足条件 {'、'.join(self.conditions)}")
        return points


def space_of(
    written: Mapping[str, str | Sequence[object]],
    parameters: Iterable[Parameter],
    conditions: Sequence[str] = (),
) -> Space:
    """The axes as they were written, of a strategy that has these parameters. Raises BadInput."""
    known = {one.name: one for one in parameters}
    if not 1 <= len(written) <= MOST_AXES:
        raise BadInput("search", f"要搜索的参数应有 1 至 {MOST_AXES} 个，现在是 {len(written)} 个")
    axes = []
    for name, values in written.items():
        if name not in known:
            has = "、".join(known) or "没有参数"
            raise BadInput("search", f"策略没有参数 {str(name)[:80]}；它的参数：{has}")
        axes.append(_axis(known[name], values))
    for condition in conditions:
        _parsed(condition, known)
    return Space(tuple(axes), tuple(conditions))


# ── one axis ──


def _axis(parameter: Parameter, written: str | Sequence[object]) -> Axis:
    name = parameter.name
    if not isinstance(written, str):
        values = [parameter.checked(value) for value in written]
    elif ":" in written and parameter.kind in ("int", "float"):
        ends = _numbers(name, written)
        if len(ends) == 2 and parameter.kind == "float":
            return Axis(name, (float(ends[0]), float(ends[1])), is_range=True)
        values = [parameter.checked(float(one)) for one in _stepped(name, ends)]
    else:
        values = [parameter.checked(part.strip()) for part in written.split(",")]
    if not values or len(values) > MOST_VALUES:
        raise BadInput("search", f"参数 {name} 应有 1 至 {MOST_VALUES} 个值，现在是 {len(values)} 个")
    if len(set(values)) < len(values):
        raise BadInput("search", f"参数 {name} 的值重复了")
    return Axis(name, tuple(values))


def _numbers(name: str, written: str) -> list[Decimal]:
    try:
        ends = [Decimal(part.strip()) for part in written.split(":")]
    except InvalidOperation:
        ends = []
    if len(ends) not in (2, 3) or not all(one.is_finite() and abs(one) < 10**15 for one in ends):
        raise BadInput("search", f"参数 {name} 的范围应形如 5:50:5，现在是 {written[:80]!r}")
    if ends[0] >= ends[1]:
        raise BadInput("search", f"参数 {name} 的范围 {written[:80]}：前一个应小于后一个")
    return ends


def _stepped(name: str, ends: list[Decimal]) -> list[Decimal]:
    first, last, step = (*ends, Decimal(1))[:3]
    if step <= 0 or (last - first) / step >= MOST_VALUES:
        raise BadInput("search", f"参数 {name} 的步长 {step} 应大于 0，且至多 {MOST_VALUES} 个值")
    return [first + step * at for at in range(int((last - first) / step) + 1)]


# ── conditions ──


def _parsed(condition: str, known: Mapping[str, object]) -> tuple[str, str, str]:
    match = _CONDITION.fullmatch(condition)
    sides = (match[1], match[3]) if match else ()
    if match is None or not all(side in known or _number(side) is not None for side in sides):
        raise BadInput("search", f"条件 {condition[:80]!r} 应形如 fast<slow，两边是参数或数字")
    return match[1], match[2], match[3]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _holds(condition: str, point: Point) -> bool:
    match = _CONDITION.fullmatch(condition)
    assert match is not None  # looked at by space_of
    left, right = (point.get(side, _number(side)) for side in (match[1], match[3]))
    if left is None or right is None:
        return True  # a parameter that is not searched for: nothing to say of it
    if isinstance(left, str) or isinstance(right, str):
        return match[2] != "!=" or left != right
    return bool(_COMPARISONS[match[2]](left, right))
