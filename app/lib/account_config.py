"""The eight settings of an account that /config reads and writes: their defaults, types and limits. Pure;
gateway process.

The names are ctpbee's, the values what ctpbee and we use them as. A form sends text, JSON sends numbers and
booleans: both are taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from app.lib.errors import BadInput
from app.lib.truths import truth_of

MAX_REFRESH = 86_400.0
MAX_SLIPPAGE = 1e9


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadInput(key, f"{key} 应为数字")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise BadInput(key, f"{key} 应为数字") from None
    if not math.isfinite(number):
        raise BadInput(key, f"{key} 应为有限的数字")
    return int(number) if number.is_integer() and abs(number) < 1 << 53 else number


def _interval(key: str, value: Any) -> float:
    number = _number(key, value)
    if not 0 < number <= MAX_REFRESH:
        raise BadInput(key, f"{key} 应大于 0 且不超过 {MAX_REFRESH:.0f} 秒")
    return number


def _slippage(key: str, value: Any) -> float:
    number = _number(key, value)
    if abs(number) > MAX_SLIPPAGE:
        raise BadInput(key, f"{key} 的绝对值不应超过 {MAX_SLIPPAGE:.0f}")
    return number


def _switch(key: str, value: Any) -> bool:
    truth = truth_of(value)
    if truth is None:
        raise BadInput(key, f"{key} 应为 true 或 false")
    return truth


def _pattern(key: str, value: Any) -> str:
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in ("today", "yesterday"):
        raise BadInput(key, f"{key} 应为 today 或 yesterday")
    return word


_KEYS: dict[str, tuple[Any, Callable[[str, Any], Any]]] = {
    "REFRESH_INTERVAL": (3, _interval),
    "INSTRUMENT_INDEPEND": (False, _switch),
    "SLIPPAGE_SHORT": (0, _slippage),
    "SLIPPAGE_BUY": (0, _slippage),
    "SLIPPAGE_COVER": (0, _slippage),
    "SLIPPAGE_SELL": (0, _slippage),
    "CLOSE_PATTERN": ("today", _pattern),
    "SHARED_FUNC": (False, _switch),
}

DEFAULTS: dict[str, Any] = {key: default for key, (default, _) in _KEYS.items()}


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The known ones among `values`, typed; unknown keys are ignored. Raises BadInput naming the first that
    is wrong.
    """
    known = {key: check(key, values[key]) for key, (_, check) in _KEYS.items() if key in values}
    if not known:
        raise BadInput("", f"没有可修改的设置项：可用 {'、'.join(_KEYS)}")
    return known
