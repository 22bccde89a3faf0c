"""The ways to a counter, chosen by name: `interface_classes(name)` gives one. Gateway process.

An interface is a pair of classes, market and trader, on ctpbee's interface seam; wiring.py says what they are
given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.lib.interface_names import CTP_INTERFACES, check_interface

if TYPE_CHECKING:
    from app.interfaces.market import Market
    from app.interfaces.trader import Trader


def interface_classes(name: str) -> tuple[type[Market], type[Trader]]:
    """Market and trader of the interface called `name`. Raises what `check_interface` raises."""
    check_interface(name)
    if name in CTP_INTERFACES:
        from app.interfaces.ctp.fronts import CtpMarket, CtpTrader

        return CtpMarket, CtpTrader
    from app.interfaces.sim.fronts import SimMarket, SimTrader

    return SimMarket, SimTrader
