"""The ways to a counter, chosen by name: `interface_classes(name)` is the only door. Gateway process.

An interface is a pair of classes, market and trader, on ctpbee's interface seam; wiring.py says what they are
given. `ctp_se` is what older pages send for `ctp`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from app.lib.errors import BadInput

if TYPE_CHECKING:
    from app.interfaces.market import Market
    from app.interfaces.trader import Trader

CTP_INTERFACES = ("ctp", "ctp_se")


def check_interface(name: str) -> None:
    """Raises BadInput for an interface that nobody knows; code INTERFACE_UNAVAILABLE for one that is not
    served here.
    """
    if name == "sim":
        return
    if name not in CTP_INTERFACES:
        raise BadInput("interface", f"不认识的接口 {name!r}：可用 sim, {', '.join(CTP_INTERFACES)}")
    if find_spec("ctpbee_api") is None:
        message = f"接口 {name} 需要 ctpbee_api，本机没有安装：请先执行 make ctp"
        raise BadInput("interface", message, code="INTERFACE_UNAVAILABLE")


def interface_classes(name: str) -> tuple[type[Market], type[Trader]]:
    """Market and trader of the interface called `name`. Raises what `check_interface` raises."""
    check_interface(name)
    if name in CTP_INTERFACES:
        from app.interfaces.ctp.fronts import CtpMarket, CtpTrader

        return CtpMarket, CtpTrader
    from app.interfaces.sim.fronts import SimMarket, SimTrader

    return SimMarket, SimTrader
