"""What still waits on its way to one page: its `Outbox`, the events in it, and its way out, a `PageLine`
(app/web/engine.py). Web process, under the hub's lock.

As long as the page keeps up, events go straight into its line; when it does not, its outbox keeps what is
worth keeping:

- ticks: the newest of each contract;
- whole lists (position, order, …): the newest of each kind, at the place of the newest;
- everything else (order_update, trade_update, bar, log, …): all of it, in order. The hub cuts a page that
  lets too much of this pile up.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

TYPED_LISTS = ("account", "account_detail", "position", "active_order", "order", "trade")  # {"type", "data"}
LISTS = (*TYPED_LISTS, "contract")
WHOLE = frozenset({*LISTS, "status"})  # each event is the whole truth of its kind
BIG_BACKLOG = 4
"""Lists and batches are big: they wait, and are replaced, as soon as this many packets are on their way."""


class PageLine(Protocol):
    """One page's way out."""

    @property
    def capacity(self) -> int:
        """How many packets may be on their way to it at a time."""

    @property
    def joins(self) -> bool:
        """Whether it takes several packets joined in one."""

    def backlog(self) -> int:
        """How many packets are on their way to it."""

    def put(self, packet: Any) -> None:
        """Send; never blocks."""

    def cut(self) -> None:
        """Drop what is on its way and close it; the page will reconnect."""


class Event:
    """One event, encoded once for all who get it, when the first does."""

    __slots__ = ("name", "symbol", "size", "_encode", "_payload", "_packet", "_row")

    def __init__(self, name: str, payload: bytes, encode: Callable[[str], Any], symbol: str = "") -> None:
        self.name = name
        self.symbol = symbol
        self.size = len(payload)
        self._encode = encode
        self._payload = payload
        self._packet: Any = None
        self._row: bytes | None = None

    @property
    def packet(self) -> Any:
        """What all its recipients share."""
        if self._packet is None:
            self._packet = self._encode(event_text(self.name, self._payload))
        return self._packet

    @property
    def row(self) -> bytes:
        """A tick's `data` alone, as `ticks` has it."""
        if self._row is None:
            self._row = bytes(_enveloped.decode(self._payload).data)
        return self._row


class _Enveloped(msgspec.Struct):
    data: msgspec.Raw


_enveloped = msgspec.json.Decoder(_Enveloped)


class Wish(NamedTuple):
    """What pages must want alike to share what is encoded once."""

    symbols: frozenset[str] | None  # the contracts; None: all of the account's
    batch: bool  # `ticks` in place of `tick`
    picks: bool  # which minutes that form each page says for itself

    def has(self, symbol: str) -> bool:
        return wanted(symbol, self.symbols)


class Outbox:
    """What waits for one page, and what the page wants. Guarded by the hub's lock."""

    def __init__(self, sid: str, line: PageLine, encode: Callable[[str], Any]) -> None:
        self.sid = sid
        self.line = line
        self.account = ""  # empty: anonymous
        self.token = ""
        self.awaiting = False
        self.symbols: frozenset[str] | None = None
        self.batch = False
        self.forming: frozenset[str] | None = None  # whose forming minutes; None: of all that it wants
        self.subscribed = False  # it has said what it wants
        self.waiting_bytes = 0
        self.conflated = 0  # ticks that gave way to a newer one
        self._encode = encode
        self._ticks: dict[str, Event] = {}
        self._events: OrderedDict[str | int, Event] = OrderedDict()
        self._serial = 0

    @property
    def wish(self) -> Wish:
        return Wish(self.symbols, self.batch, self.forming is not None)

    @property
    def waiting(self) -> int:
        """How many packets wait that may not be dropped."""
        return len(self._events)

    @property
    def idle(self) -> bool:
        return not self._ticks and not self._events

    def offer(self, event: Event) -> bool:
        """Send it, or keep it until the line is free. Whether nothing waits: the same for the other
        offers.
        """
        if event.name == "tick":
            if event.symbol in self._ticks or self.line.backlog() >= self.line.capacity:
                self.keep_ticks({event.symbol: event})
            else:
                self.line.put(event.packet)
        elif self._events or self.line.backlog() >= self._room_for(event):
            self._keep(event)
        else:
            self.line.put(event.packet)
        return self.idle

    def flush(self) -> bool:
        """Send what waits as far as the line takes it. True when something was sent and something still
        waits.
        """
        free = self.line.capacity - self.line.backlog()
        sent = False
        while free > 0 and self._events:
            _, event = self._events.popitem(last=False)
            self.waiting_bytes -= event.size
            self.line.put(event.packet)
            free, sent = free - 1, True
        if self.batch:
            if self._ticks and self.line.backlog() < self._most_big:
                self.line.put(self._encode(batch_text(self._ticks.values())))
                self._ticks.clear()
            return sent and not self.idle
        while free > 0 and self._ticks:
            symbol = next(iter(self._ticks))
            self.line.put(self._ticks.pop(symbol).packet)
            free, sent = free - 1, True
        return sent and not self.idle

    def offer_run(self, events: Sequence[Event], packet: Any) -> bool:
        """Send these, which are joined in the packet, or each by itself as far as the line takes it."""
        if len(events) > 1 and self.line.joins and self.idle and self.line.backlog() < self._most_big:
            self.line.put(packet)
            return True
        for event in events:
            self.offer(event)
        return self.idle

    def offer_batch(self, ticks: Mapping[str, Event], packet: Any) -> bool:
        """Send this batch of ticks, or keep them until the line is free."""
        if self.idle and self.line.backlog() < self._most_big:
            self.line.put(packet)
        else:
            self.keep_ticks(ticks)
        return self.idle

    def keep_ticks(self, ticks: Mapping[str, Event]) -> None:
        """Keep these until the line is free."""
        self.conflated += len(self._ticks.keys() & ticks.keys())
        self._ticks.update(ticks)

    def clear(self) -> None:
        """Forget what waits."""
        self._ticks.clear()
        self._events.clear()
        self.waiting_bytes = 0

    def _room_for(self, event: Event) -> int:
        """How short the line must be for this event to go straight into it."""
        return self._most_big if event.name in WHOLE else self.line.capacity

    @property
    def _most_big(self) -> int:
        return min(self.line.capacity, BIG_BACKLOG)

    def _keep(self, event: Event) -> None:
        key: str | int = event.name
        if event.name in WHOLE:
            older = self._events.pop(event.name, None)
            self.waiting_bytes -= older.size if older is not None else 0
        else:
            self._serial += 1
            key = self._serial
        self._events[key] = event
        self.waiting_bytes += event.size


def wanted(symbol: str, symbols: frozenset[str] | None) -> bool:
    """Whether a contract is among these, which may be named with and without the exchange; None: all are."""
    return symbols is None or symbol in symbols or symbol.partition(".")[0] in symbols


def batch_text(ticks: Iterable[Event]) -> str:
    """The Socket.IO packet of several ticks in one."""
    return event_text("ticks", b"[" + b",".join([event.row for event in ticks]) + b"]")


def event_text(name: str, payload: bytes) -> str:
    """The Socket.IO packet of an event in the default namespace whose one argument is JSON already."""
    return f'2["{name}",{payload.decode()}]'
