"""Who watches this account, and how its events reach them. Gateway process, event thread only.

A watcher is a connection of the channel. Every event is encoded once for all of them. Ticks conflate per
contract while they wait for a slow watcher; nothing else is ever dropped. Whole lists go out at most once per
`LIST_INTERVAL`, and the last change always does. A snapshot and the first push that follows it come from one
cut: both are made here, in one step of the event loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson

from app.lib import rows
from app.lib.advice import refused_by
from app.wire.channel import ChannelClosed
from app.wire.messages import BacktestChanged, Done, OrderOutcome, Push, StrategyChanged
from app.wire.rpc import encode_push

LIST_INTERVAL = 0.1
DETAIL_OF = {"account": "account_detail"}  # lists of the same figures: they change together
FORMING_BAR_INTERVAL = 0.5

log = logging.getLogger(__name__)


class Loop(Protocol):
    """What of the event loop is used here."""

    def call_later(self, seconds: float, function: Callable[..., Any], *args: Any) -> Any: ...


class Watcher(Protocol):
    """A connection, as far as pushes need it."""

    conflated: int

    @property
    def waiting_bytes(self) -> int: ...

    def send(self, data: bytes, key: str | None = None) -> None: ...


class Throttle:
    """Calls `action(key)` at once, then at most once per `interval` per key; what came in between is made up
    for at its end.
    """

    def __init__(self, loop: Loop, interval: float, action: Callable[[str], None]) -> None:
        self._loop = loop
        self._interval = interval
        self._action = action
        self._resting: dict[str, bool] = {}  # key → whether something changed while it rested

    def __call__(self, key: str) -> None:
        if key in self._resting:
            self._resting[key] = True
            return
        self._resting[key] = False
        self._loop.call_later(self._interval, self._rested, key)
        self._action(key)

    def _rested(self, key: str) -> None:
        if self._resting.pop(key):
            self(key)


class Publisher:
    """`lists` gives the data of each whole-list event, `snapshot` the whole picture with its `seq`."""

    def __init__(self, loop: Loop, lists: Mapping[str, Callable[[], Any]], last_seq: int = 0) -> None:
        self._lists = dict(lists)
        self._watchers: dict[Watcher, None] = {}
        self._changed = Throttle(loop, LIST_INTERVAL, self._push_list)
        self.muted = True  # until the account has loaded
        self._latest_bars: dict[str, Callable[[], bytes | None]] = {}
        self._bar_changed = Throttle(loop, FORMING_BAR_INTERVAL, self._push_forming_bar)
        self.seq = last_seq
        """The journal's row number up to which events have left."""
        self.states: Callable[[], Any] | None = (
            None  # of the gate, set once there is one: snapshots have them
        )
        self._strategies: dict[str, bytes] = {}  # the newest `strategy` event of each
        self.ticks = 0
        self.cut = 0
        self._conflated = 0  # at watchers that have gone

    # ── watchers ──

    def watch(self, watcher: Watcher) -> bytes:
        """The snapshot; what `watcher` gets from now on is newer. While the account is loading it has no
        lists: they follow.
        """
        self._watchers[watcher] = None
        names = ("status",) if self.muted else self._lists
        picture = {"seq": self.seq, **{name: self._lists[name]() for name in names}}
        if self.states is not None:
            picture["states"] = self.states()
        if self._strategies:
            picture["strategy"] = [orjson.Fragment(payload) for payload in self._strategies.values()]
        return rows.to_json(picture)

    def forget(self, watcher: Watcher) -> None:
        """It has gone."""
        if watcher in self._watchers:
            del self._watchers[watcher]
            self._conflated += watcher.conflated

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    @property
    def waiting_bytes(self) -> int:
        return sum(watcher.waiting_bytes for watcher in self._watchers)

    @property
    def conflated(self) -> int:
        """How many events gave way to a newer one because a watcher was slow."""
        return self._conflated + sum(watcher.conflated for watcher in self._watchers)

    # ── events ──

    def push(self, name: str, payload: bytes, symbol: str = "", key: str | None = None) -> None:
        """One event to all who watch. With `key` a newer one takes the place of an older that still waits."""
        if not self._watchers:
            return
        frame = encode_push(Push(name, payload, symbol))
        for watcher in list(self._watchers):
            try:
                watcher.send(frame, key)
            except ChannelClosed:
                self.cut += 1
                self.forget(watcher)

    def tick(self, local_symbol: str, payload: bytes) -> None:
        self.ticks += 1
        self.push("tick", payload, local_symbol, f"tick:{local_symbol}")

    def strategy(self, changed: StrategyChanged) -> Done:
        """The `strategy` event of one; snapshots have the newest of each that is not deleted."""
        if changed.deleted:
            self._strategies.pop(changed.name, None)
        else:
            self._strategies[changed.name] = changed.payload
        self.push("strategy", changed.payload)
        return Done()

    def backtest(self, changed: BacktestChanged) -> Done:
        """The `backtest` event of one; who connects asks for the list."""
        self.push("backtest", changed.payload)
        return Done()

    def error(self, code: str, message: str, **more: Any) -> None:
        """What nobody asked for and the trader has to know."""
        self.push("error", rows.to_json({"error": code, "msg": message, **more}))

    def refused(self, outcome: OrderOutcome, client_order_id: str) -> None:
        """An order's or a cancel's refusal that nobody waits for. With the sender's own id of the order, if
        it had one: who never had an answer knows no other.
        """
        named = {"client_order_id": client_order_id} if client_order_id else {}
        told = {"order_id": outcome.order_id, "refused_by": refused_by(outcome.code)}
        self.error(outcome.code, outcome.message, **told, **named)

    def journaled(self, name: str, seq: int, row: Mapping[str, Any]) -> None:
        """`order_update` or `trade_update`: one row with its number in the journal, in the journal's
        order.
        """
        self.seq = max(self.seq, seq)
        self.push(name, rows.event(name, row, seq=seq))

    def changed(self, *names: str) -> None:
        """These lists are not what they were."""
        if not self.muted:
            for name in names:
                self._changed(name)
                if DETAIL_OF.get(name) in self._lists:
                    self._changed(DETAIL_OF[name])

    def mute(self, muted: bool) -> None:
        """While an account is loading its lists are half of the truth: no list leaves until that is over,
        then all do.
        """
        was, self.muted = self.muted, muted
        if was and not muted:
            self.changed(*(name for name in self._lists if name not in ("contract", "status")))

    def forming_bar(self, local_symbol: str, payload: Callable[[], bytes | None]) -> None:
        """The bar that is not closed yet has changed; `payload` is asked when it is this contract's turn."""
        self._latest_bars[local_symbol] = payload
        self._bar_changed(local_symbol)

    def _push_list(self, name: str) -> None:
        if self.muted:
            return  # it had rested since before that
        data = self._lists[name]()
        self.push(name, rows.to_json(data) if name == "contract" else rows.event(name, data))

    def _push_forming_bar(self, local_symbol: str) -> None:
        payload = self._latest_bars.pop(local_symbol)()
        if payload is not None:
            self.push("bar_update", payload, local_symbol)
