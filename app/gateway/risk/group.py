"""The accounts of this server that must not trade with each other: each gateway tells the others of its
resting orders, and judges its own by the table that it has of theirs. Gateway process; the tables in the
event thread, the connections in threads of their own.

Gateways speak to each other, without the host; an order's way asks a table in this process and waits for
nobody. What this cannot see: two orders that leave within the same moment, a millisecond or so. While another
gateway is away the last that it told counts on until the trading day is over: its orders may rest at the
counter still. Of one that has not been there since this process began nothing is known.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import orjson
from msgspec.structs import replace

from app.lib.errors import NotAllowed
from app.lib.risk_counts import AT_ONCE, Facts, Resting
from app.process.event_loop import EventLoop
from app.wire.channel import ChannelClosed
from app.wire.messages import Json, Push, WatchResting
from app.wire.peer import StandingConnection
from app.wire.registry import Entry
from app.wire.rpc import encode_push

RESTING = "resting"
"""The name of the push: `{"whole": bool, "orders": [[order_id, symbol, side, kind, price], …], "ended": [id,
…]}`; whole: these are all.
"""
OPENING_LIMIT = 3.0  # seconds until the other gateway has told what rests
UNKNOWN, CONNECTED, AWAY = "unknown", "connected", "away"

log = logging.getLogger("account.risk")


class Watcher(Protocol):
    """A connection, as far as pushes need it."""

    def send(self, data: bytes, key: str | None = None) -> None: ...


class Met(NamedTuple):
    """Another account's resting order."""

    account: str
    order_id: str
    price: float


class Others:
    """What rests of the other accounts. Pure."""

    def __init__(self) -> None:
        self._resting = Resting()
        self._orders: dict[str, dict[str, Facts]] = {}

    def take(self, account: str, told: dict[str, Any]) -> None:
        if told["whole"]:
            self.forget(account)
        orders = self._orders.setdefault(account, {})
        for order_id in told["ended"]:
            self._end(orders.pop(order_id, None))
        for order_id, symbol, side, kind, price in told["orders"]:
            facts = Facts(f"{account} {order_id}", symbol, "", side, True, kind, price, 0)
            orders[order_id] = facts
            self._resting.apply(facts)

    def forget(self, account: str) -> None:
        for facts in self._orders.pop(account, {}).values():
            self._end(facts)

    def count(self, account: str) -> int:
        return len(self._orders.get(account, ()))

    def met_by(self, symbol: str, side: str, price: float | None) -> Met | None:
        """The order of theirs that an order at this price (None: at any) would meet first."""
        name = self._resting.met_by(symbol, side, price)
        if not name:
            return None
        account, _, order_id = name.partition(" ")
        return Met(account, order_id, self._orders[account][order_id].price)

    def _end(self, facts: Facts | None) -> None:
        if facts is not None:
            self._resting.apply(replace(facts, end="ended"))


class Own:
    """What rests of this account, as the others have been told."""

    def __init__(self) -> None:
        self._told: dict[str, list[Any]] = {}

    def change(self, facts: Facts) -> dict[str, Any] | None:
        """What is to be told of this order; None for nothing."""
        rests = not facts.end and facts.rests and facts.kind not in AT_ONCE
        row = [facts.order_id, facts.symbol, facts.side, facts.kind, facts.price]
        if not rests:
            gone = self._told.pop(facts.order_id, None)
            return None if gone is None else {"whole": False, "orders": [], "ended": [facts.order_id]}
        if self._told.get(facts.order_id) == row:
            return None
        self._told[facts.order_id] = row
        return {"whole": False, "orders": [row], "ended": []}

    def renew(self, orders: Iterable[Facts]) -> dict[str, Any]:
        """All of them anew."""
        self._told = {}
        for facts in orders:
            self.change(facts)
        return self.whole()

    def whole(self) -> dict[str, Any]:
        return {"whole": True, "orders": list(self._told.values()), "ended": []}


class Group:
    """`find(account)` gives a member's gateway, None while there is none that its orders could meet.
    `told(account, text)` is called once when one is lost.
    """

    def __init__(
        self,
        account: str,
        members: Iterable[str],
        find: Callable[[str], Entry | None],
        loop: EventLoop,
        told: Callable[[str, str], None],
    ) -> None:
        self._own = Own()
        self._others = Others()
        self._watchers: dict[Watcher, None] = {}
        self._told = told
        self._states = dict.fromkeys(members, UNKNOWN)
        self._links = [_Link(account, member, find, loop, self) for member in self._states]

    def start(self) -> None:
        for link in self._links:
            link.start()

    def stop(self) -> None:
        for link in self._links:
            link.stop()

    # ── what the others hear ──

    def watch(self, watcher: Watcher, request: WatchResting) -> Json:
        """What rests here; what `watcher` gets from now on is newer. To be asked once the account has loaded:
        until then what it told last counts on. Raises NotAllowed.
        """
        if request.account not in self._states:
            raise NotAllowed(f"账户 {request.account} 不在本账户的组里", code="NOT_IN_GROUP")
        self._watchers[watcher] = None
        return Json(orjson.dumps(self._own.whole()))

    def forget(self, watcher: Any) -> None:
        """It has gone."""
        self._watchers.pop(watcher, None)

    def change(self, facts: Facts) -> None:
        """An order of this account has left, or has changed."""
        self._tell(self._own.change(facts))

    def renew(self, orders: Iterable[Facts]) -> None:
        """The account has loaded, or another trading day has begun: these are its orders."""
        self._tell(self._own.renew(orders))

    def _tell(self, told: dict[str, Any] | None) -> None:
        if told is None or not self._watchers:
            return
        frame = encode_push(Push(RESTING, orjson.dumps(told)))
        for watcher in list(self._watchers):
            try:
                watcher.send(frame)
            except ChannelClosed:
                self.forget(watcher)

    # ── what is heard of them ──

    def take(self, account: str, payload: bytes) -> None:
        self._states[account] = CONNECTED
        self._others.take(account, orjson.loads(payload))

    def lost(self, account: str) -> None:
        if self._states[account] == CONNECTED:
            self._states[account] = AWAY
            self._told(account, f"同组账户 {account} 的网关不在：以它最后所报的挂单防自成交，到本交易日为止")

    def begin_day(self) -> None:
        """The orders of who is away ended with their day."""
        for account, state in self._states.items():
            if state == AWAY:
                self._others.forget(account)
                self._states[account] = UNKNOWN

    def met_by(self, order: Facts, reach: float | None) -> Met | None:
        return self._others.met_by(order.symbol, order.side, reach)

    def shown(self) -> list[dict[str, Any]]:
        """Each member, how it stands, and how many resting orders of its are known."""
        return [
            {"account": account, "state": state, "orders": self._others.count(account)}
            for account, state in sorted(self._states.items())
        ]


class _Link(StandingConnection):
    """To one member's gateway."""

    def __init__(
        self,
        account: str,
        member: str,
        find: Callable[[str], Entry | None],
        loop: EventLoop,
        group: Group,
    ) -> None:
        super().__init__(f"group-{member}", lambda: find(member), WatchResting(account), OPENING_LIMIT)
        self._member = member
        self._loop = loop
        self._group = group

    def on_open(self, reply: Json) -> None:
        self._loop.post(self._group.take, self._member, reply.payload)

    def on_push(self, push: Push) -> None:
        if push.name == RESTING:
            self._loop.post(self._group.take, self._member, push.payload)

    def on_broken(self, _entry: Entry) -> None:
        self._loop.post(self._group.lost, self._member)
