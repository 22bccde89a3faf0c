"""Brokers and their fronts: how the setting `fronts` is written, and which fronts are the same broker's.
Pure; any process.

A side (trading or market) has one address or several (fronts.py), in any order. A front is both sides. Who
names the front names who checks the password: a login may choose among the brokers that the server's owner
has listed, and no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from app.lib import fronts

_NAME = re.compile(r"[^\s;=,:/]{1,64}")


class Front(NamedTuple):
    """The addresses of both sides, as they were written."""

    td: tuple[str, ...]
    md: tuple[str, ...]

    def covers(self, other: Front) -> bool:
        """Whether all of the other's addresses are among these."""
        return set(other.td) <= set(self.td) and set(other.md) <= set(self.md)

    def __str__(self) -> str:
        """As `front_of` reads it: `tcp://td:1,tcp://td:2 tcp://md:1`."""
        return f"{','.join(self.td)} {','.join(self.md)}"


def addresses(text: str) -> tuple[str, ...]:
    """The addresses of one side. Raises ValueError."""
    found = fronts.split(text)
    if len(text) > fronts.LONGEST or not all(map(fronts.is_address, found)):
        raise ValueError(f"应形如 {fronts.EXAMPLE}")
    return tuple(found)


def front_of(text: str) -> Front:
    """The front written as `<td> <md>`. Raises ValueError."""
    sides = text.split()
    if len(sides) != 2:
        raise ValueError(
            f"{text!r} 应为交易前置与行情前置，中间一个空格，如 tcp://180.168.146.187:10201 "
            "tcp://180.168.146.187:10211"
        )
    return Front(addresses(sides[0]), addresses(sides[1]))


def listed(value: Any) -> dict[str, str]:
    """The setting as it is kept, name → `<td> <md>`: out of a TOML table, `{name = {td = …, md = …}}` with an
    address or a list of them, or out of the environment, `name=<td> <md>;name=<td> <md>`. Raises ValueError,
    which names the broker.
    """
    if isinstance(value, str):
        rows = [row.partition("=") for row in value.split(";") if row.strip()]
        pairs: Iterable[tuple[Any, Any]] = [(name.strip(), text) for name, _, text in rows]
    elif isinstance(value, Mapping):
        pairs = value.items()
    else:
        raise ValueError('应为 名字 = { td = "…", md = "…" } 的表')
    found: dict[str, str] = {}
    for name, row in pairs:
        if not _NAME.fullmatch(str(name)):
            raise ValueError(f"名字 {name!r} 应为 1 至 64 个字符，不含空白与 ; = , : /")
        if name in found:
            raise ValueError(f"{name} 写了两次")
        try:
            found[name] = str(front_of(row if isinstance(row, str) else _row(row)))
        except ValueError as error:
            raise ValueError(f"{name}：{error}") from None
    return found


def _row(row: Any) -> str:
    if not isinstance(row, Mapping) or set(row) != {"td", "md"}:
        raise ValueError('应有 td 与 md 两项，如 { td = "tcp://…", md = "tcp://…" }')
    return " ".join(_joined(row[side]) for side in ("td", "md"))


def _joined(side: Any) -> str:
    parts = [side] if isinstance(side, str) else side
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError("地址应为文字，几个则为列表")
    return ",".join("".join(part.split()) for part in parts)


class Brokers:
    """The listed fronts, by their brokers' names."""

    def __init__(self, rows: Mapping[str, str]) -> None:
        self._fronts = {name: front_of(text) for name, text in rows.items()}

    def __bool__(self) -> bool:
        return bool(self._fronts)

    def __contains__(self, name: str) -> bool:
        return name in self._fronts

    @property
    def names(self) -> list[str]:
        return list(self._fronts)

    def front(self, name: str) -> Front:
        """That of a listed broker. Raises KeyError."""
        return self._fronts[name]

    def name_of(self, front: Front) -> str:
        """The broker whose addresses these are; "" for none."""
        return next((name for name, known in self._fronts.items() if known.covers(front)), "")

    def are_same(self, kept: str, front: Front) -> bool:
        """Whether what is kept with an account, a broker's name or addresses, is this front: among its
        addresses, or one broker's.
        """
        known = self._fronts.get(kept)
        if known is None:
            if " " not in kept:
                return False  # a broker that is listed no more
            known = front_of(kept)
        return known.covers(front) or any(
            broker.covers(known) and broker.covers(front) for broker in self._fronts.values()
        )

    def text_of(self, front: Front) -> str:
        """What is kept of a front: its broker's name, which outlives a change of its addresses, or the
        addresses.
        """
        return self.name_of(front) or str(front)
