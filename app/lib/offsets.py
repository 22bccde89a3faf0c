"""How a position is closed: into which legs, and at which price. Pure; gateway process."""

from __future__ import annotations

from typing import NamedTuple

from app.lib.book import Closable
from app.lib.errors import BadInput, OrderRefused
from app.lib.prices import exact, is_absent, round_to_tick


class CloseLeg(NamedTuple):
    """One order's share of a close."""

    offset: str  # close closetoday closeyesterday
    volume: int


def split_close(volume: int, closable: Closable, pattern: str, splits_today: bool) -> list[CloseLeg]:
    """The legs that close `volume` lots, in the order to send them, none of them empty.

    Where today's and history are apart (SHFE, INE) the bucket that `pattern` (CLOSE_PATTERN: today,
    yesterday) names goes first; elsewhere one plain close, and the exchange picks the lots. More than is
    closable is refused as a whole (OrderRefused, code CLOSABLE_EXCEEDED): refused by us, nothing is sent.
    """
    if volume <= 0:
        raise BadInput("volume", "手数应为正整数")
    if volume > closable.today + closable.yesterday:
        raise OrderRefused(_shortage(volume, closable, splits_today), code="CLOSABLE_EXCEEDED")
    if not splits_today:
        return [CloseLeg("close", volume)]
    buckets = [("closetoday", closable.today), ("closeyesterday", closable.yesterday)]
    if pattern == "yesterday":
        buckets.reverse()
    (first, most), (second, _) = buckets
    taken = min(volume, most)
    return [leg for leg in (CloseLeg(first, taken), CloseLeg(second, volume - taken)) if leg.volume]


def _shortage(volume: int, closable: Closable, splits_today: bool) -> str:
    """In the words of the counter's own refusals 30, 50 and 51."""
    today, yesterday = closable
    if splits_today and today and not yesterday:
        return f"平今仓位不足：可平今 {today} 手，要平 {volume} 手，未发出"
    if splits_today and yesterday and not today:
        return f"平昨仓位不足：可平昨 {yesterday} 手，要平 {volume} 手，未发出"
    return f"平仓量超过持仓量：可平 {today + yesterday} 手，要平 {volume} 手，未发出"


def price_to_meet(direction: str, bid: float, ask: float, last: float) -> float:
    """Where the close of a `direction` position finds somebody: the best bid for a long one, the best ask for
    a short one.

    Where nobody stands there (a locked limit, a far month) it is the last price, or the best of its own side
    where that goes further; 0 where there is none of the three.
    """
    opposite, own = (bid, ask) if direction == "long" else (ask, bid)
    if not is_absent(opposite):
        return opposite
    left = [price for price in (own, last) if not is_absent(price)]
    return (min if direction == "long" else max)(left, default=0.0)


def close_price(
    price: float, direction: str, slippage: float, tick: float, lower: float = 0.0, upper: float = 0.0
) -> float:
    """The limit price that closes a position at once: a long one sells `slippage` below `price`, a short one
    buys above it.

    `slippage` is SLIPPAGE_COVER for a long position, SLIPPAGE_SELL for a short one. What is off the tick
    moves on in its own direction, and the price stays inside the day's limits where they are known (0: not).
    """
    if is_absent(price):
        raise OrderRefused(
            "没有买卖盘，也没有最新价，定不出平仓价，未发出：请自己报限价", code="NO_LAST_PRICE"
        )
    sells = direction == "long"
    wanted = exact(price) - exact(slippage) if sells else exact(price) + exact(slippage)
    limit = round_to_tick(wanted, tick, "down" if sells else "up")
    if not is_absent(upper):
        limit = min(limit, upper)
    return max(limit, tick if is_absent(lower) else lower)
