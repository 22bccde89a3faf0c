"""What a strategy may do at most: kept per name, judged by the gate before anything is sent. Gateway process,
event thread only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from app.gateway.risk.telling import REFUSED, Finding
from app.lib.errors import BadInput
from app.lib.risk_counts import Facts
from app.lib.symbols import parse_symbol
from app.model.store import Store

SCOPE = "strategy_limits"
CODE = "STRATEGY_LIMIT"
MINUTE = 60.0
MOST = 1_000_000
MOST_CONTRACTS = 500


class Allowance(NamedTuple):
    """0 and an empty list: not limited."""

    contracts: tuple[str, ...] = ()  # local symbols
    max_order_volume: int = 0  # lots in one order
    max_position: int = 0  # lots of one contract, both directions together, working opens included
    max_orders_per_minute: int = 0


UNLIMITED = Allowance()


class StrategyLimits:
    """`held(name, symbol)`: lots that the strategy has; `opening(name, symbol)`: lots that its working opens
    may add; `sent(name, seconds)`: orders that left in its name in the last so many seconds.
    """

    def __init__(
        self,
        store: Store,
        held: Callable[[str, str], int],
        opening: Callable[[str, str], int],
        sent: Callable[[str, float], int],
    ) -> None:
        self._store = store
        self._held = held
        self._opening = opening
        self._sent = sent
        self._limits = {name: checked(values) for name, values in store.settings(SCOPE).items()}

    def of(self, name: str) -> Allowance:
        return self._limits.get(name, UNLIMITED)

    def put(self, name: str, values: dict[str, Any]) -> None:
        """In force at once and after a restart. Raises BadInput naming the key that is wrong."""
        limits = checked(values)
        self._store.put_setting(SCOPE, name, {**limits._asdict(), "contracts": list(limits.contracts)})
        self._limits[name] = limits

    def findings(self, order: Facts) -> Iterator[Finding]:
        """What of it goes beyond the strategy's limits, code STRATEGY_LIMIT."""
        name, limits = order.strategy, self.of(order.strategy)
        if limits == UNLIMITED:
            return
        local_symbol = f"{order.symbol}.{order.exchange}"
        if limits.contracts and local_symbol not in limits.contracts:
            yield _refused(f"只可交易 {'、'.join(limits.contracts)}")
        if 0 < limits.max_order_volume < order.volume:
            yield _refused(f"每笔至多 {limits.max_order_volume} 手，本笔 {order.volume} 手")
        if limits.max_position and order.is_open:
            held, opening = self._held(name, order.symbol), self._opening(name, order.symbol)
            if held + opening + order.volume > limits.max_position:
                yield _refused(
                    f"{local_symbol} 至多持有 {limits.max_position} 手：已有 {held} 手，挂单 {opening} 手，"
                    f"本笔 {order.volume} 手"
                )
        most = limits.max_orders_per_minute
        if most and self._sent(name, MINUTE) >= most:
            yield _refused(f"每分钟至多 {most} 笔报单")


def checked(values: dict[str, Any]) -> Allowance:
    """Raises BadInput naming the key."""
    unknown = sorted(values.keys() - set(Allowance._fields))
    if unknown:
        raise BadInput(unknown[0], f"不认识的限制 {unknown[0]!r}：可用 {'、'.join(Allowance._fields)}")
    contracts = values.get("contracts", [])
    if not isinstance(contracts, list | tuple) or len(contracts) > MOST_CONTRACTS:
        raise BadInput("contracts", f"contracts 应为至多 {MOST_CONTRACTS} 个合约的列表")
    for contract in contracts:
        if not parse_symbol(contract, parameter="contracts").exchange:
            raise BadInput("contracts", "contracts 中的合约应带交易所，形如 rb2510.SHFE")
    numbers = {}
    for name in Allowance._fields[1:]:
        value = values.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
            raise BadInput(name, f"{name} 应为 0（不限）到 {MOST} 的整数")
        numbers[name] = value
    return Allowance(tuple(dict.fromkeys(contracts)), **numbers)


def _refused(why: str) -> Finding:
    return Finding(REFUSED, CODE, f"超出策略限制：{why}")
