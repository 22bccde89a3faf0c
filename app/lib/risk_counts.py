"""What an account's orders and trades of one trading day add up to, by contract, product, exchange, strategy
and together. Pure; gateway process.

The counts are a function of the orders as they are now and of the set of trades, whoever sent them: hearing
one again, late or in another order changes nothing, so that a restart and a replay find the same counts.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right, insort
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from app.lib.rows import WORKING, OtherStatus
from app.lib.symbols import product_of

ACCOUNT, STRATEGY, EXCHANGE, PRODUCT, CONTRACT = SCOPES = (
    "account",
    "strategy",
    "exchange",
    "product",
    "contract",
)
AT_ONCE = ("fak", "fok")
FILLED, CANCELLED, REJECTED, REFUSED, ENDED = "filled", "cancelled", "rejected", "refused", "ended"
"""How an order ended: rejected by the exchange, refused before it got there."""

_ENDS = {"全部成交": FILLED, "已撤销": CANCELLED}
_OFFSET_OPEN = "开"
BEYOND_THE_BOOK = (OtherStatus.UNTRIGGERED.value, OtherStatus.UNKNOWN.value)
"""Statuses of orders that nobody meets."""
_SIDES = {"多": "buy", "空": "sell"}
_KINDS = {"市价": "market", "FAK": "fak", "FOK": "fok"}

Key = tuple[str, str]
"""What is counted together: a scope and a name of it, `("contract", "rb2510")`; the account's name is ""."""


class Facts(msgspec.Struct, frozen=True, gc=False):
    """An order of the day as it is now, as far as it is counted."""

    order_id: str
    symbol: str
    exchange: str
    side: str  # buy or sell
    is_open: bool
    kind: str  # limit market fak fok
    price: float
    volume: int
    traded: int = 0
    end: str = ""  # "" while it may still trade
    strategy: str = ""
    rests: bool = True  # False for one that waits for its price, or is out of sight: nobody meets it


def facts_of(row: Mapping[str, Any]) -> Facts:
    """Those of an order's wire row (app/lib/rows.py)."""
    return Facts(
        order_id=row["order_id"],
        symbol=row["symbol"],
        exchange=row["exchange"],
        side=_SIDES[row["direction"]],
        is_open=row["offset"] == _OFFSET_OPEN,
        kind=kind_of(row["type"]),
        price=row["price"],
        volume=int(row["volume"]),
        traded=int(row.get("traded") or 0),
        end=end_of(row["status"], row.get("error_code") or ""),
        strategy=row.get("strategy") or "",
        rests=row["status"] not in BEYOND_THE_BOOK,
    )


def kind_of(type_word: str) -> str:
    """Of ctpbee's word for an order's type."""
    return _KINDS.get(type_word, "limit")


def end_of(status: str, error_code: str) -> str:
    """How an order of this status has ended; "" while it may still trade."""
    if status in WORKING:
        return ""
    if status == "拒单":
        return REJECTED if error_code == "EXCHANGE_REJECT" else REFUSED
    return _ENDS.get(status, ENDED)


class Counts:
    """Of one key. `messages` reached the exchange; `opening` are lots that working opens may add."""

    FIELDS = (
        "orders",
        "refusals",
        "cancels",
        "fak_cancels",
        "large_cancels",
        "opened",
        "filled",
        "messages",
        "working",
        "opening",
        "self_trades",
        "duplicates",
    )
    orders: int
    refusals: int
    cancels: int
    fak_cancels: int
    large_cancels: int
    opened: int
    filled: int
    messages: int
    working: int
    opening: int
    self_trades: int
    duplicates: int

    def __init__(self) -> None:
        for name in self.FIELDS:
            setattr(self, name, 0)

    @property
    def otr(self) -> float:
        """Messages for each order that was filled, less one."""
        return self.messages / max(1, self.filled) - 1 if self.messages else 0.0

    def as_dict(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in self.FIELDS} | {"otr": round(self.otr, 2)}


NOTHING = Counts()
SHARED = Counts.FIELDS[:10]
"""What one order adds to: the fields of its share, in their order."""
NO_SHARE = (0,) * len(SHARED)
LIKE_BEFORE = 4096
"""Most orders of a day add what others have added before them: so many different ones are remembered."""

Share = tuple[int, ...]
_Counted = tuple[Facts, Share, list[Counts]]
"""An order, what it has added, and to which."""


class Tally:
    """Of one trading day. `is_large(facts)` says whether its cancel counts as a large one."""

    def __init__(self, is_large: Callable[[Facts], bool] = lambda _facts: False) -> None:
        self._is_large = is_large
        self._orders: dict[str, _Counted] = {}
        self._trades: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
        self._by: dict[Key, Counts] = {}
        self._groups: dict[tuple[str, str, str], list[Counts]] = {}  # by contract, exchange, strategy
        self.resting = Resting()
        self.duplicates: list[Facts] = []  # as they left
        self.symbols: dict[str, str] = {}  # that there is anything of → their exchange

    def knows(self, order_id: str) -> bool:
        return order_id in self._orders

    def order(self, order_id: str) -> Facts | None:
        known = self._orders.get(order_id)
        return known[0] if known is not None else None

    def orders(self) -> Iterator[Facts]:
        """All of the day."""
        return (facts for facts, _share, _counts in self._orders.values())

    def of(self, key: Key) -> Counts:
        """For reading."""
        return self._by.get(key, NOTHING)

    def keys(self, scope: str) -> list[str]:
        """The names of this scope that there is anything of."""
        return sorted(name for kind, name in self._by if kind == scope)

    def groups(self) -> list[tuple[str, str, str]]:
        """Contract, exchange and strategy of all that there is anything of."""
        return list(self._groups)

    def apply(self, facts: Facts) -> Collection[str]:
        """The order as it is now. Returns the counts that it changes, nothing where it is no news."""
        known = self._orders.get(facts.order_id)
        if known is not None and known[0] == facts:
            return ()
        share, counts = self._share(facts), self._counts(_group(facts))
        self._orders[facts.order_id] = facts, share, counts
        self.resting.apply(facts)
        if known is None:
            return _move(counts, NO_SHARE, share)
        _, share_before, counts_before = known
        if counts_before is counts:
            return _move(counts, share_before, share)
        return {*_move(counts_before, share_before, NO_SHARE), *_move(counts, NO_SHARE, share)}

    def trade(self, exchange: str, trade_id: str, symbol: str, side: str) -> bool:
        """One side of a trade. Returns whether it makes a self-trade: both sides of one number are ours."""
        sides = self._trades[exchange, trade_id, symbol]
        if side in sides:
            return False
        sides.add(side)
        if len(sides) < 2:
            return False
        for counts in self._counts((symbol, exchange, "")):
            counts.self_trades += 1
        return True

    def duplicate(self, facts: Facts) -> None:
        """This order is a duplicate of an earlier one."""
        self.duplicates.append(facts)
        for counts in self._counts(_group(facts)):
            counts.duplicates += 1

    def _counts(self, group: tuple[str, str, str]) -> list[Counts]:
        """All that an order of this contract, exchange and strategy counts for: the one list of the group."""
        found = self._groups.get(group)
        if found is None:
            symbol, exchange, _strategy = group
            self.symbols[symbol] = exchange
            found = self._groups[group] = [self._by.setdefault(key, Counts()) for key in keys_of(*group)]
        return found

    def _share(self, facts: Facts) -> Share:
        """What one order adds."""
        is_large = facts.end == CANCELLED and self._is_large(facts)
        return _share_of(facts.is_open, facts.kind, facts.volume, facts.traded, facts.end, is_large)


@lru_cache(LIKE_BEFORE)
def _share_of(is_open: bool, kind: str, volume: int, traded: int, end: str, is_large: bool) -> Share:
    """What an order adds, in the order of SHARED; `is_large` of one that is cancelled."""
    cancelled, at_once = end == CANCELLED, kind in AT_ONCE
    reached = end != REFUSED
    # an exchange hears of an order, of its cancel, and counts an unfilled FAK or FOK twice
    answered = cancelled and (not at_once or not traded)
    return (
        1,
        int(end in (REFUSED, REJECTED)),
        int(cancelled and not at_once),
        int(cancelled and at_once),
        int(is_large),
        traded if is_open else 0,
        int(traded > 0),
        int(reached) + int(answered),
        int(not end),
        max(0, volume - traded) if is_open and not end else 0,
    )


@lru_cache(LIKE_BEFORE)
def _changes(before: Share, now: Share) -> Mapping[str, int]:
    return {
        name: after - earlier
        for name, earlier, after in zip(SHARED, before, now, strict=True)
        if after != earlier
    }


def _move(counts: list[Counts], before: Share, now: Share) -> Collection[str]:
    """What an order adds to these has become another. Returns the counts that this changes."""
    changes = _changes(before, now)
    each = tuple(changes.items())
    for one in counts:
        values = vars(one)
        for name, change in each:
            values[name] += change
    return changes


def _group(facts: Facts) -> tuple[str, str, str]:
    return facts.symbol, facts.exchange, facts.strategy


def keys_of(symbol: str, exchange: str, strategy: str) -> list[Key]:
    """All that an order in this contract counts for."""
    keys = [(CONTRACT, symbol), (PRODUCT, product_of(symbol)), (EXCHANGE, exchange), (ACCOUNT, "")]
    if strategy:
        keys.append((STRATEGY, strategy))
    return keys


class Resting:
    """Our own orders that may still trade, by contract and side, the one that is met first in front."""

    def __init__(self) -> None:
        self._prices: dict[str, float] = {}  # by order, as `_worth` has them
        self._heaps: defaultdict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)

    def apply(self, facts: Facts) -> None:
        if facts.end or not facts.rests or facts.kind in AT_ONCE:
            self._prices.pop(facts.order_id, None)
            return
        worth = _worth(facts.side, facts.price, facts.kind)
        if self._prices.get(facts.order_id) != worth:
            self._prices[facts.order_id] = worth
            heapq.heappush(self._heaps[facts.symbol, facts.side], (worth, facts.order_id))

    def met_by(self, symbol: str, side: str, price: float | None) -> str:
        """The order of ours on the other side that an order at this price (None: at any) would meet first; ""
        for none.
        """
        other = "sell" if side == "buy" else "buy"
        heap = self._heaps.get((symbol, other))
        while heap:
            worth, order_id = heap[0]
            if self._prices.get(order_id) != worth:
                heapq.heappop(heap)  # it has ended, or its price is another
                continue
            if price is None or worth == -_NO_PRICE:
                return order_id
            own = worth if other == "sell" else -worth
            meets = own <= price if other == "sell" else own >= price
            return order_id if meets else ""
        return ""


_NO_PRICE = float("inf")


def _worth(side: str, price: float, kind: str) -> float:
    """Lower is met earlier."""
    if kind == "market":
        return -_NO_PRICE
    return price if side == "sell" else -price


class Window:
    """How often something happened in the last seconds, by name."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._times: defaultdict[Hashable, list[float]] = defaultdict(list)

    def add(self, name: Hashable, now: float) -> None:
        times = self._times[name]
        times.append(now)
        if now - times[len(times) // 2] >= self._longest:  # half of them: each is moved once, on the average
            del times[: bisect_right(times, now - self._longest)]

    def recall(self, name: Hashable, moment: float) -> None:
        """One that happened earlier than others that are here."""
        insort(self._times[name], moment)

    def within(self, name: Hashable, seconds: float, now: float) -> int:
        """Of the last so many seconds, at most of the longest."""
        times = self._times.get(name, [])
        return len(times) - bisect_right(times, now - seconds)


class Slots:
    """A budget of so many messages in so many seconds, at most `longest`; who waits for his turn is first
    come, first served.
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._taken: list[float] = []

    def take(self, now: float) -> None:
        """One leaves then, be there room or not."""
        insort(self._taken, now)  # others may have their turn later
        if now - self._taken[len(self._taken) // 2] >= self._longest:
            del self._taken[: bisect_right(self._taken, now - self._longest)]

    def next(self, limit: int, seconds: float, now: float) -> float:
        """When there is room for one more: `now`, or later."""
        if len(self._taken) < limit:
            return now
        return max(now, self._taken[-limit] + seconds)


class Repeats:
    """Equal orders of the last seconds: same contract, side, offset, kind, price and lots."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._recent: deque[tuple[float, tuple[Any, ...], str]] = deque()
        self._ids: defaultdict[tuple[Any, ...], deque[tuple[float, str]]] = defaultdict(deque)

    def add(self, facts: Facts, now: float) -> None:
        self._forget(now)
        key = _alike(facts)
        self._recent.append((now, key, facts.order_id))
        self._ids[key].append((now, facts.order_id))

    def before(
        self, facts: Facts, seconds: float, now: float, counts: Callable[[str], bool] | None = None
    ) -> int:
        """How many there were in the last so many seconds, of those whose id `counts` takes."""
        found = 0
        for moment, order_id in reversed(self._ids.get(_alike(facts), ())):
            if now - moment >= seconds:
                break
            found += counts is None or counts(order_id)
        return found

    def _forget(self, now: float) -> None:
        while self._recent and now - self._recent[0][0] >= self._longest:
            _moment, key, _order_id = self._recent.popleft()
            self._ids[key].popleft()
            if not self._ids[key]:
                del self._ids[key]


def _alike(facts: Facts) -> tuple[Any, ...]:
    """Contract, side, offset, kind, price and lots."""
    return (
        facts.symbol,
        facts.exchange,
        facts.side,
        facts.is_open,
        facts.kind,
        facts.price,
        facts.volume,
    )
