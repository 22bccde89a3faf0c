"""What is wrong with an order before it is sent: judged on the contract, the day's limits and nothing else.
Pure; gateway process.

Only what cannot be right for any account is refused here. Money, positions and rights are the counter's to
judge: its id and its text reach the trader. How an exchange wants its market orders said, if it has any, is
app/lib/market_orders.py's.
"""

from __future__ import annotations

import math
import re
from typing import TypeVar

from ctpbee.constant import ContractData, Direction, Offset, OrderRequest, OrderType, Product

from app.lib.calendar import parse_day
from app.lib.errors import BadInput
from app.lib.prices import PriceLimits, is_absent, on_tick
from app.wire.messages import PlaceOrder, PreviewOrder

DIRECTIONS = {"long": Direction.LONG, "short": Direction.SHORT}
OFFSETS = {
    "open": Offset.OPEN,
    "close": Offset.CLOSE,
    "closetoday": Offset.CLOSETODAY,
    "closeyesterday": Offset.CLOSEYESTERDAY,
}
TYPES = {"limit": OrderType.LIMIT, "market": OrderType.MARKET, "fak": OrderType.FAK, "fok": OrderType.FOK}

T = TypeVar("T")
_CLIENT_ORDER_ID = re.compile(r"[!-~]{1,64}")


def checked_client_order_id(text: str) -> str:
    """Raises BadInput unless it is "" or 1 to 64 printable ASCII characters without blanks."""
    if text and not _CLIENT_ORDER_ID.fullmatch(text):
        raise BadInput("client_order_id", "client_order_id 应为 1 到 64 个可见的 ASCII 字符，不含空格")
    return text


def checked_contract(contract: ContractData | None, trading_day: str) -> ContractData:
    """Raises BadInput unless it can be traded on this trading day (YYYYMMDD)."""
    if contract is None:
        raise BadInput("local_symbol", "不认识的合约", code="UNKNOWN_SYMBOL")
    if contract.product is Product.OPTION:
        raise BadInput(
            "local_symbol", f"{contract.local_symbol} 是期权，本服务不支持期权交易", code="NOT_TRADABLE"
        )
    expires = contract.expire_date
    if expires is not None and trading_day and expires < parse_day(trading_day):
        raise BadInput("local_symbol", f"{contract.local_symbol} 已于 {expires} 到期", code="NOT_TRADABLE")
    return contract


def checked_order(request: PlaceOrder, contract: ContractData, limits: PriceLimits) -> OrderRequest:
    """ctpbee's request of a sound order. Raises BadInput naming the parameter that is wrong."""
    direction, offset, kind = checked_words(request)
    volume = checked_volume(
        request.volume, contract, is_market=kind is OrderType.MARKET, is_open=offset is Offset.OPEN
    )
    price = 0.0 if kind is OrderType.MARKET else checked_price(request.price, contract, limits)
    made = object.__new__(OrderRequest)
    vars(made).update(  # past its `__init__`, which takes longer than all the checks
        __name__="OrderRequest",
        symbol=contract.symbol,
        exchange=contract.exchange,
        direction=direction,
        offset=offset,
        type=kind,
        price=price,
        volume=volume,
        local_symbol=contract.local_symbol,
    )
    return made


def checked_words(request: PlaceOrder | PreviewOrder) -> tuple[Direction, Offset, OrderType]:
    """What kind of order it is. Raises BadInput naming the parameter that is no such word."""
    return (
        _word("direction", request.direction, DIRECTIONS),
        _word("offset", request.offset, OFFSETS),
        _word("type", request.type, TYPES),
    )


def checked_volume(volume: int, contract: ContractData, *, is_market: bool, is_open: bool) -> int:
    """Lots between the contract's least and most; a close may be below the least (docs/domain.md, Orders
    10).
    """
    if isinstance(volume, bool) or not isinstance(volume, int) or volume <= 0:
        raise BadInput("volume", "手数应为正整数")
    most = contract.max_market_order_volume if is_market else contract.max_limit_order_volume
    least = contract.min_market_order_volume if is_market else contract.min_limit_order_volume
    if most > 0 and volume > most:
        raise BadInput("volume", f"手数 {_short(volume)} 超过 {contract.local_symbol} 每笔上限 {most} 手")
    if is_open and volume < least:
        raise BadInput("volume", f"手数 {volume} 低于 {contract.local_symbol} 每笔下限 {least} 手")
    return volume


def checked_price(price: float, contract: ContractData, limits: PriceLimits) -> float:
    """A price on the tick and inside the day's limits."""
    if isinstance(price, bool) or not isinstance(price, int | float) or not math.isfinite(price):
        raise BadInput("price", "价格应为有限的数字")
    if price <= 0:
        raise BadInput("price", "价格应大于 0")
    if is_absent(price):
        raise BadInput("price", f"价格 {_short(price)} 过大")
    if not on_tick(price, contract.pricetick):
        raise BadInput("price", f"价格 {_short(price)} 不是最小变动价位 {contract.pricetick:g} 的整数倍")
    if price > limits.upper and not is_absent(limits.upper):
        raise BadInput("price", f"价格 {_short(price)} 高于涨停价 {limits.upper:g}")
    if price < limits.lower and not is_absent(limits.lower):
        raise BadInput("price", f"价格 {_short(price)} 低于跌停价 {limits.lower:g}")
    return float(price)


def _word(parameter: str, word: str, words: dict[str, T]) -> T:
    found = words.get(word)
    if found is None:
        raise BadInput(parameter, f"{parameter} 应为 {'、'.join(words)} 之一")
    return found


def _short(number: float) -> str:
    return f"{number:.12g}" if isinstance(number, float) else str(number)[:20]
