"""The dead man's switches: who has to give a sign of life, how often, and what happens when none comes. Pure;
gateway and web process.

Nothing is ever flattened: at most new positions are stopped and resting orders cancelled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from app.lib.errors import BadInput
from app.lib.risk import CANCEL, REDUCE_ONLY, WARN
from app.lib.symbols import parse_symbol

PAGE, SCRIPT, STRATEGY, MARKET = WATCHES = ("page", "script", "strategy", "market")
ACTIONS = (WARN, REDUCE_ONLY, CANCEL)
"""What happens, the harmless first. `cancel`: reduce_only, and the working orders are cancelled."""
WATCH_TEXT = {PAGE: "网页", SCRIPT: "程序", STRATEGY: "策略", MARKET: "行情"}
ACTION_TEXT = {WARN: "提醒", REDUCE_ONLY: "只可平仓", CANCEL: "只可平仓，并撤全部挂单"}
NAMED = (SCRIPT, STRATEGY)

SHORTEST = {PAGE: 5.0, SCRIPT: 2.0, STRATEGY: 5.0, MARKET: 10.0}
"""Seconds: signs come once a second, a quote of a contract that trades every half second."""
LONGEST = 86_400.0
MOST_SWITCHES = 50
MOST_CONTRACTS = 100
LONGEST_NAME = 64
_KEYS = ("watch", "name", "seconds", "action", "contracts")


class Switch(NamedTuple):
    """One that is set. `name`: which script or strategy; `contracts`: whose quotes count, () for all that are
    subscribed.
    """

    watch: str
    seconds: float
    action: str = WARN
    name: str = ""
    contracts: tuple[str, ...] = ()  # local symbols

    @property
    def key(self) -> str:
        """What there is one of at most."""
        return f"{self.watch} {self.name}" if self.name else self.watch

    @property
    def text(self) -> str:
        """Whom it watches, in words."""
        return f"{WATCH_TEXT[self.watch]} {self.name}" if self.name else WATCH_TEXT[self.watch]


def checked_switches(entries: Any) -> list[Switch]:
    """What a trader sends. Raises BadInput naming the entry, and as `number` and `field` what of it is wrong;
    nothing is taken then.
    """
    if not isinstance(entries, list) or len(entries) > MOST_SWITCHES:
        raise BadInput("switches", f"switches 应为至多 {MOST_SWITCHES} 个的列表")
    found: dict[str, Switch] = {}
    for number, entry in enumerate(entries, 1):
        switch = _switch(number, entry)
        if switch.key in found:
            raise _bad(number, f"{switch.text}写了两次", "name" if switch.name else "watch")
        found[switch.key] = switch
    return list(found.values())


def _switch(number: int, entry: Any) -> Switch:
    if not isinstance(entry, Mapping):
        raise _bad(number, "应为对象")
    unknown = sorted(entry.keys() - set(_KEYS))
    if unknown:
        raise _bad(number, f"不认识的 {unknown[0]}：可用 {'、'.join(_KEYS)}")
    watch = entry.get("watch")
    if watch not in WATCHES:
        raise _bad(number, f"watch 应为 {'、'.join(WATCHES)} 之一", "watch")
    action = entry.get("action", WARN)
    if action not in ACTIONS:
        raise _bad(number, f"action 应为 {'、'.join(ACTIONS)} 之一", "action")
    name = entry.get("name", "")
    if not isinstance(name, str) or len(name) > LONGEST_NAME or not name.isprintable():
        raise _bad(number, f"name 应为至多 {LONGEST_NAME} 个可见字符", "name")
    if bool(name) != (watch in NAMED):
        raise _bad(number, f"{watch} 应写 name" if watch in NAMED else f"{watch} 没有 name", "name")
    return Switch(watch, _seconds(number, watch, entry), action, name, _contracts(number, watch, entry))


def _seconds(number: int, watch: str, entry: Mapping[str, Any]) -> float:
    value, least = entry.get("seconds"), SHORTEST[watch]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _bad(number, "seconds 应为数字", "seconds")
    if not least <= value <= LONGEST:
        raise _bad(number, f"{watch} 的 seconds 应在 {least:g} 与 {LONGEST:g} 之间", "seconds")
    return float(value)


def _contracts(number: int, watch: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    value = entry.get("contracts", "")
    texts = value.split(",") if isinstance(value, str) else []
    if not isinstance(value, str) or len(texts) > MOST_CONTRACTS:
        raise _bad(number, f"contracts 应为至多 {MOST_CONTRACTS} 个合约，多个用逗号", "contracts")
    try:
        symbols = [parse_symbol(text.strip(), "switches") for text in texts if text.strip()]
    except BadInput as error:
        raise _bad(number, error.message, "contracts", error.code) from None
    if symbols and watch != MARKET:
        raise _bad(number, f"{watch} 没有 contracts", "contracts")
    if not all(symbol.exchange for symbol in symbols):
        raise _bad(number, "contracts 中的合约应带交易所，形如 rb2510.SHFE", "contracts")
    return tuple(dict.fromkeys(str(symbol) for symbol in symbols))


def _bad(number: int, why: str, field: str = "", code: str = "") -> BadInput:
    return BadInput("switches", f"第 {number} 个失联保护：{why}", code=code, number=number, field=field)
