"""How many connections there may be, in all and from one address, and how long letting them in may hold up the others. Web process; pure.

A connection counts as a stranger until its first request is whole: a browser needs a moment for that, an attacker never gets there. One
that goes as a stranger keeps its place among them for a second: to let one in costs ten times what turning it away does.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

RESERVE = 200  # descriptors for what is not a connection of a client: files, gateways, children
STRANGERS = 200  # of one address
KEPT_SECONDS = 1.0  # the place of one that went without having asked: with STRANGERS, so many a second are let in at most


class Places(NamedTuple):
    """How many there are. Behind a proxy everybody comes from one address: there the proxy counts, and `per_address` is `total`."""

    total: int
    per_address: int
    strangers: int  # of one address


def places(descriptors: int, has_proxy: bool) -> Places:
    """For a process that may have so many descriptors. A page needs one, and its requests some more."""
    total = max(64, descriptors - RESERVE)
    return Places(total, total, total) if has_proxy else Places(total, total * 3 // 4, min(STRANGERS, total // 4))


class Crowd:
    """The open connections by their address. One thread. `clock`: monotonic seconds."""

    def __init__(self, places: Places, clock: Callable[[], float]) -> None:
        self._places = places
        self._clock = clock
        self._kept: deque[tuple[float, str]] = deque()  # until when, whose
        self._all: Counter[str] = Counter()
        self._strangers: Counter[str] = Counter()
        self._total = 0

    def __len__(self) -> int:
        return self._total

    def enter(self, address: str) -> bool:
        """A new connection, a stranger; False, and it is not counted, when there is no place for it."""
        places = self._places
        while self._kept and self._kept[0][0] <= self._clock():
            self._less(self._strangers, self._kept.popleft()[1])
        if self._total >= places.total or self._all[address] >= places.per_address or self._strangers[address] >= places.strangers:
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
            self._kept.append((self._clock() + KEPT_SECONDS, address))
        self._less(self._all, address)
        self._total -= 1

    @staticmethod
    def _less(counts: Counter[str], address: str) -> None:
        counts[address] -= 1
        if not counts[address]:
            del counts[address]


class Turn:
    """How long one green thread may go on before it is the others' turn. Between two turns it may also have waited: that counts too, and
    costs no more than one turn that would not have been needed."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._began = clock()

    def is_over(self) -> bool:
        return self._clock() - self._began >= self._seconds

    def begin(self) -> None:
        """After the others have had theirs."""
        self._began = self._clock()
