"""What the gate says of an order that it does not refuse, and a gate that is open. Pure; gateway process."""

from __future__ import annotations

from typing import NamedTuple

from ctpbee.constant import OrderRequest


class Verdict(NamedTuple):
    """The order may leave: after so many seconds, and after this order of ours has been cancelled ("":
    none).
    """

    wait: float = 0.0
    cancel: str = ""


GO = Verdict()
"""It may leave now."""


class OpenGate:
    """Lets everything pass and counts nothing: for a desk that is looked at by itself."""

    def judge(
        self, _request: OrderRequest, _strategy: str, _deadline: float = 0.0, _has_turn: bool = False
    ) -> Verdict:
        return GO

    def sent(self, _order_id: str, _request: OrderRequest, _strategy: str, _has_turn: bool = False) -> None:
        """Nothing is counted."""

    def cancel_sent(self, _order_id: str) -> None:
        """Nothing is counted."""


OPEN = OpenGate()
