"""Market and trader of the built-in counter: the two sides over its frames. Gateway process, event thread."""

from __future__ import annotations

from collections.abc import Callable

from app.interfaces.front import AccountFront
from app.interfaces.market import Market
from app.interfaces.sim.link import SimLink
from app.interfaces.trader import Trader


def _address_of(side: AccountFront) -> Callable[[], str]:
    address = side.info["counter_address"]
    return address if callable(address) else lambda: address


class SimTrader(Trader):
    """The trading front of the built-in counter."""

    def _make_link(self) -> SimLink:
        return SimLink(
            f"{self.name}-front", self._loop, _address_of(self), self._on_open, self._on_frame, self._on_lost
        )


class SimMarket(Market):
    """The market front of the built-in counter."""

    def _make_link(self) -> SimLink:
        return SimLink(
            f"{self.name}-front",
            self._loop,
            _address_of(self),
            self._on_open,
            self._on_frame,
            self._on_lost,
            self._intake,
        )
