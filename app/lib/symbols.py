"""What people type: contract names and the words for direction, offset and order type, Chinese and English.
Pure, any process.

Words inside are long/short, open/close/closetoday/closeyesterday, limit/market/fak/fok. A word or a name that
is none raises BadInput naming the parameter. Whether a contract exists is the contract table's to say; here
only what it may look like.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from app.lib.errors import BadInput

EXCHANGES = ("CFFEX", "CZCE", "DCE", "GFEX", "INE", "SHFE")
_EXCHANGES = frozenset(EXCHANGES)

DIRECTION_TEXT = {"long": "多", "short": "空"}
OFFSET_TEXT = {"open": "开", "close": "平", "closetoday": "平今", "closeyesterday": "平昨"}
TYPE_TEXT = {"limit": "限价", "market": "市价", "fak": "FAK", "fok": "FOK"}
"""The words on the wire, as the pages show them."""

_LONGEST = 30
"""Of what is traded here; more of it is not shown in a message."""

_ANY_SYMBOL = re.compile(r"[A-Za-z0-9 &_-]{1,80}", re.ASCII)
"""CTP's InstrumentID is char[81]; a spread names two contracts: SPC a2601&m2601, an option its price:
IO2601-C-3900.
"""

SYMBOL_PATTERN = r"[A-Za-z]{1,6}[0-9]{1,2}(?:0[1-9]|1[0-2])F?"
"""Product, year (CZCE: one digit), month; F: monthly average."""

_SYMBOL = re.compile(SYMBOL_PATTERN, re.ASCII)


class LocalSymbol(NamedTuple):
    """A contract by name; `exchange` is empty where it was not said."""

    symbol: str
    exchange: str = ""

    def __str__(self) -> str:
        return f"{self.symbol}.{self.exchange}" if self.exchange else self.symbol


def parse_symbol(text: Any, parameter: str = "local_symbol") -> LocalSymbol:
    """`rb2501.SHFE` or `rb2501`."""
    name = _text(text, parameter, "合约名称")
    if not name:
        raise BadInput(parameter, "缺少合约名称")
    symbol, dot, suffix = name.partition(".")
    if "&" in symbol:
        raise BadInput(parameter, f"{_shown(symbol)} 是套利合约，本服务不支持交易", code="NOT_TRADABLE")
    if len(symbol) > _LONGEST or not _SYMBOL.fullmatch(symbol) or (dot and not suffix):
        raise BadInput(parameter, f"合约名称 {_shown(name)} 不合法，应形如 rb2501.SHFE 或 rb2501")
    return LocalSymbol(symbol, parse_exchange(suffix, parameter))


def parse_any_symbol(text: Any, parameter: str = "local_symbol") -> LocalSymbol:
    """Like `parse_symbol`, but of any name that CTP may have: of orders in spreads and options, which are met
    here and not placed.
    """
    name = _text(text, parameter, "合约名称")
    symbol, dot, suffix = name.partition(".")
    if not _ANY_SYMBOL.fullmatch(symbol) or (dot and not suffix):
        raise BadInput(parameter, f"合约名称 {_shown(name)} 不合法")
    return LocalSymbol(symbol, parse_exchange(suffix, parameter))


def agreed(contract: LocalSymbol, exchange: str) -> LocalSymbol:
    """The contract with the exchange that was given beside it, "" for none; two exchanges must be the
    same.
    """
    if contract.exchange and exchange and contract.exchange != exchange:
        raise BadInput("exchange", f"交易所 {exchange} 与合约 {contract} 不符")
    return contract if contract.exchange else LocalSymbol(contract.symbol, exchange)


def parse_exchange(text: Any, parameter: str = "exchange") -> str:
    """One of the six; empty or None is none given."""
    if isinstance(text, str) and text in _EXCHANGES:
        return text
    name = "" if text is None else _text(text, parameter, "交易所")
    if name and name not in EXCHANGES:
        raise BadInput(parameter, f"不认识的交易所 {_shown(name)}，应为 {' '.join(EXCHANGES)} 之一")
    return name


def product_of(symbol: str) -> str:
    """`rb2501` → `rb`: the letters in front, case kept (CZCE and CFFEX are upper case)."""
    return symbol[: next((at for at, letter in enumerate(symbol) if not letter.isalpha()), len(symbol))]


def parse_direction(text: Any, parameter: str = "direction") -> str:
    """long or short: of an order (who buys goes long) or of a position."""
    return _word(_DIRECTIONS, text, parameter)


def parse_offset(text: Any, parameter: str = "offset") -> str:
    """open, close, closetoday or closeyesterday."""
    return _word(_OFFSETS, text, parameter)


def parse_type(text: Any, parameter: str = "type") -> str:
    """limit, market, fak or fok."""
    return _word(_TYPES, text, parameter)


def right_way_round(direction: Any, offset: Any) -> tuple[Any, Any]:
    """Both as they were sent, put right where they came the wrong way round, as the reference describes
    them: no word means both things.
    """
    if _known(_OFFSETS, direction) and _known(_DIRECTIONS, offset):
        return offset, direction
    return direction, offset


def _by_all_names(texts: dict[str, str]) -> dict[str, str]:
    return {name: word for word, text in texts.items() for name in (word, text.lower())}


_DIRECTIONS = _by_all_names(DIRECTION_TEXT)
_OFFSETS = _by_all_names(OFFSET_TEXT)
_TYPES = _by_all_names(TYPE_TEXT)


def _known(words: dict[str, str], text: Any) -> bool:
    return isinstance(text, str) and text.strip(" ").lower() in words


def _word(words: dict[str, str], text: Any, parameter: str) -> str:
    if isinstance(text, str) and text in words:
        return words[text]
    if text is None or text == "":
        raise BadInput(parameter, f"缺少参数 {parameter}")
    word = words.get(_text(text, parameter, f"参数 {parameter}").lower())
    if word is None:
        raise BadInput(parameter, f"参数 {parameter} 的值 {_shown(text)} 不合法，应为 {' '.join(words)} 之一")
    return word


def _text(value: Any, parameter: str, what: str) -> str:
    """The value as text without blanks around it. No other kind of value, nothing unprintable."""
    if not isinstance(value, str):
        raise BadInput(parameter, f"{what}应为文字")
    if not value.isprintable():
        raise BadInput(parameter, f"{what}含有不可见字符")
    return value.strip(" ")


def _shown(text: str) -> str:
    """Somebody's input in our message: not at any length."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
