"""How many connections there may be, in all and from one address. Web process; pure.

A connection counts as a stranger until its first request is whole: a browser needs a moment for that, an
attacker never gets there.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

RESERVE = 200  # descriptors for what is not a connection of a client: files, gateways, children
STRANGERS = 200  # of one address


class Places(NamedTuple):
    """How many there are. Behind a proxy everybody comes from one address: there the proxy counts, and
    `per_address` is `total`.
    """

    total: int
    per_address: int
    strangers: int  # of one address


def places(descriptors: int, has_proxy: bool) -> Places:
    """For a process that may have so many descriptors. A page needs one, and its requests some more."""
    total = max(64, descriptors - RESERVE)
    return (
        Places(total, total, total)
        if has_proxy
        else Places(total, total * 3 // 4, min(STRANGERS, total // 4))
    )


class Crowd:
    """The open connections by their address. One thread."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._all: Counter[str] = Counter()
        self._strangers: Counter[str] = Counter()
        self._total = 0

    def __len__(self) -> int:
        return self._total

    def enter(self, address: str) -> bool:
        """A new connection, a stranger; False, and it is not counted, when there is no place for it."""
        places = self._places
        if (
            self._total >= places.total
            or self._all[address] >= places.per_address
            or self._strangers[address] >= places.strangers
        ):
            return False
        self._total += 1
        self._all[address] += 1
        self._strangers[address] += 1
        return True

    def known(self, address: str) -> None:
        """A stranger's first request is whole."""
        self._less(self._strangers, address)

    def leave(self, address: str, is_stranger: bool) -> None:
        """It has gone."""
        if is_stranger:
            self._less(self._strangers, address)
        self._less(self._all, address)
        self._total -= 1

    @staticmethod
    def _less(counts: Counter[str], address: str) -> None:
        counts[address] -= 1
        if not counts[address]:
            del counts[address]
