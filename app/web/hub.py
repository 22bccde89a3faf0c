"""The fan-out: who looks at which account, and what each page hears. Web process.

Every event of an account passes through one `Hub`. A page (a socket) has an `Outbox` (app/web/outbox.py). A
page that lets more than `PageLimits` of what may not be dropped pile up in it is cut; it reconnects by itself
and gets a fresh snapshot.

Single events are the same for all pages of an account that want the same contracts, and quotes come in
bursts. They are gathered for each such `Group`, joined once, and leave when the gateway has no more to say
for the moment, a group at a time: one send a page instead of one for each event, and an order's answer does
not stand behind its own news on 200 pages. An account's whole lists grow with its day, and each goes to every
page: they leave a piece of the pages at a time, the newest of each kind, and hold up no event.

A page that never sent `subscribe` is taken for one of the reference's, which had positions with every tick
and whose page draws its quotes when they come: after ticks it gets the newest again, whether the contract is
held or not, not oftener than `refresh_seconds`.

A page that has just joined, or whose gateway was lost, awaits a snapshot: it hears no event before that, and
after it only what is newer. Nothing here knows Socket.IO, Flask or the async mode: the way out of a page is a
`PageLine` (app/web/engine.py).
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import orjson

from app.web.gateways import NEEDS_LOGIN
from app.web.outbox import LISTS, TYPED_LISTS, WHOLE, Event, Outbox, PageLine, Wish, batch_text, wanted
from app.wire.figures import Figure
from app.wire.messages import Push

RESTLESS = 0.002  # seconds; sending that took longer is followed by a rest
EVENTS_REST = 1.0  # as long as the sending
LISTS_REST = 3.0
LISTS_AT_A_TIME = 1024 * 1024  # bytes
FLUSH_ROUNDS = 10

log = logging.getLogger(__name__)


class PageLimits(NamedTuple):
    """How much may wait, and for how long."""

    queued_bytes: int = 8 * 1024 * 1024
    queued_packets: int = 5000
    flush_seconds: float = 0.01  # between two flushes; the first after a quiet moment leaves at once
    refresh_seconds: float = 0.5  # between two lists of positions that go out for ticks' sake
    anonymous_per_address: int = 20
    anonymous_seconds: float = 600.0
    check_seconds: float = 15.0  # how often tokens are looked at again and anonymous sockets counted


_raw_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])


class Group:
    """The pages of one account that want the same contracts in the same way: what these say is kept and
    encoded once for all of them.
    """

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.pages: set[Outbox] = set()
        self.run: list[Event] = []  # leaves as soon as there is no more
        self.ticks: dict[str, Event] = {}  # leaves as `ticks`, once an interval

    def add(self, event: Event) -> None:
        """Keep it for all of them."""
        if self.wish.batch and event.name == "tick":
            self.ticks[event.symbol] = event
        else:
            self.run.append(event)


class Listing:
    """The newest of an account's whole lists of one kind, on its way from page to page."""

    def __init__(self, event: Event) -> None:
        self.event = event
        self.pages: dict[Outbox, None] = {}  # who has not got it yet, in turn

    def renew(self, event: Event, pages: Iterable[Outbox]) -> None:
        """A newer one takes its place. Who has waited longest is still the next."""
        self.event = event
        self.pages |= dict.fromkeys(pages)


class Room:
    """One account: its pages, and what is known of its gateway and fronts."""

    def __init__(self) -> None:
        self.pages: dict[str, Outbox] = {}
        self.groups: dict[Wish, Group] = {}  # of the pages that await nothing
        self.fronts: dict[str, Any] = {}  # the gateway's last `status`
        self.position: Event | None = None  # the newest list, as far as a page is there
        self.gateway: dict[str, str] | None = None  # None: not heard of yet

    @property
    def connected(self) -> bool:
        return self.gateway is not None and self.gateway["state"] == "connected"

    @property
    def frozen(self) -> bool:
        return self.gateway is not None and self.gateway["state"] == "frozen"


class Member(NamedTuple):
    """A page that has shown a token."""

    sid: str
    account: str
    token: str


class Hub:
    """All pages of this process. Every method may be called from any thread.

    `encode` makes a packet for a PageLine of the text of a Socket.IO packet, `join` one of several; `now` is
    for the `since` of what the web itself says. Until `start` nothing leaves by itself that waits.
    """

    def __init__(
        self,
        encode: Callable[[str], Any],
        join: Callable[[Sequence[Any]], Any],
        limits: PageLimits = PageLimits(),  # noqa: B008 - immutable
        now: Callable[[], datetime] = lambda: datetime.now(ZoneInfo("Asia/Shanghai")),
    ) -> None:
        self.limits = limits
        self._encode = encode
        self._join = join
        self._now = now
        self._pages: dict[str, Outbox] = {}
        self._rooms: dict[str, Room] = {}
        self._unflushed: set[Outbox] = set()
        self._running: dict[Group, None] = {}  # those with a run, the first to have one first
        self._unsent: set[Group] = set()  # those with ticks for a batch
        self._listings: dict[tuple[str, str], Listing] = {}  # by account and kind; none without pages
        self._lock = threading.RLock()
        self._ticked: set[str] = set()  # accounts with ticks since their positions last went out for these
        self._tick_is_there = threading.Event()
        self._list_is_there = threading.Event()
        self._run_is_there = threading.Event()
        self._work = threading.Event()
        self._started = False
        self._stopped = False
        self._conflated = 0  # at pages that have gone
        self._cut = 0

    def start(self) -> None:
        """From now on what waits leaves by itself. Only the first call does anything."""
        with self._lock:
            if self._started:
                return
            self._started = True
        runs = (self.send_run, self._run_is_there, EVENTS_REST)
        lists = (self.send_list, self._list_is_there, LISTS_REST)
        threading.Thread(target=self._send_forever, args=runs, name="push-runner", daemon=True).start()
        threading.Thread(target=self._send_forever, args=lists, name="push-lister", daemon=True).start()
        threading.Thread(target=self._flush_forever, name="push-flusher", daemon=True).start()
        threading.Thread(target=self._refresh_forever, name="push-refresher", daemon=True).start()

    # ── pages ──

    def connect(self, sid: str, line: PageLine) -> None:
        """A page is there; it is anonymous and hears nothing."""
        with self._lock:
            self._pages[sid] = Outbox(sid, line, self._encode)

    def join(self, sid: str, account: str, token: str) -> None:
        """The page has shown a token: it looks at this account alone from now on, beginning with the next
        snapshot.
        """
        with self._lock:
            page = self._pages.get(sid)
            if page is None:
                return  # it left while its token was looked at
            if page.account != account:
                self.leave(sid)
            self._ungroup(page)
            page.account, page.token, page.awaiting = account, token, True
            room = self._room(account)
            room.pages[sid] = page
            if room.gateway is not None and not room.connected:
                self._offer([page], self._status(room))  # no snapshot for now: it is told why

    def leave(self, sid: str) -> None:
        """The page is anonymous again; nothing that still waited for it is sent."""
        with self._lock:
            page = self._pages.get(sid)
            if page is None or not page.account:
                return
            self._leave_group(page)
            self._unlist(page)
            self._room(page.account).pages.pop(sid, None)
            page.account, page.token, page.awaiting = "", "", False
            page.clear()

    def disconnect(self, sid: str) -> None:
        """The page has gone."""
        with self._lock:
            self.leave(sid)
            page = self._pages.pop(sid, None)
            if page is not None:
                self._conflated += page.conflated
                self._unflushed.discard(page)

    def figures(self) -> list[Figure]:
        """What this web's pages come to."""
        with self._lock:
            pages = list(self._pages.values())
            waiting = sum(page.waiting for page in pages)
            conflated = self._conflated + sum(page.conflated for page in pages)
            return [
                Figure("ctpbee_pages", "gauge", "Pages that are connected.", len(pages)),
                Figure(
                    "ctpbee_pages_waiting_events",
                    "gauge",
                    "Events that wait for pages that are slow.",
                    waiting,
                ),
                Figure(
                    "ctpbee_pages_conflated",
                    "counter",
                    "Quotes that gave way to a newer one before a page had them.",
                    conflated,
                ),
                Figure(
                    "ctpbee_pages_cut", "counter", "Pages that were cut because they did not read.", self._cut
                ),
            ]

    def subscribe(
        self, sid: str, symbols: Iterable[str] | None, batch: bool, forming: Iterable[str] | None = None
    ) -> None:
        """Which contracts the page wants (None: all of its account's), whether as `ticks` instead of `tick`,
        and of which of them the minute that forms (None: of all).
        """
        with self._lock:
            page = self._pages.get(sid)
            if page is not None:
                self._ungroup(page)
                page.symbols = None if symbols is None else frozenset(symbols)
                page.batch = batch
                page.forming = None if forming is None else frozenset(forming)
                page.subscribed = True
                self._group(page)

    def members(self) -> list[Member]:
        """All pages that have shown a token."""
        with self._lock:
            return [
                Member(page.sid, page.account, page.token) for page in self._pages.values() if page.account
            ]

    def accounts(self) -> set[str]:
        """Those that have a page."""
        with self._lock:
            return {account for account, room in self._rooms.items() if room.pages}

    def send(self, sid: str, name: str, data: Any) -> None:
        """One event to one page, whether anonymous or not."""
        with self._lock:
            page = self._pages.get(sid)
            if page is not None:
                self._offer([page], self._event(name, orjson.dumps(data)))

    # ── what comes from the gateways ──

    def push(self, account: str, push: Push) -> None:
        """One event of one account, to its pages alone."""
        with self._lock:
            room = self._room(account)
            if push.name == "status":
                room.fronts = self._unwrapped(push.payload)
                event = self._status(room)
            elif not room.pages:
                return
            else:
                event = self._event(push.name, push.payload, push.symbol)
            pages = [page for page in room.pages.values() if not page.awaiting]
            if push.name in LISTS:
                if push.name == "position":
                    room.position = event
                self._list(account, event, pages)
            elif push.name in WHOLE:
                self._offer(pages, event)
            else:
                self._gather(room, event)
            if push.name == "tick" and account not in self._ticked:
                self._ticked.add(account)
                self._tick_is_there.set()

    def snapshot(self, account: str, payload: bytes) -> None:
        """The account as it is at one cut, to the pages that await it. What is pushed after this call is
        newer.
        """
        members = _raw_members.decode(payload)
        with self._lock:
            room = self._room(account)
            room.fronts = self._unwrapped(members["status"]) if "status" in members else {}
            if not (
                room.connected or room.frozen
            ):  # of a frozen one it is `frozen` that says when it is over: to every page
                room.gateway = self._gateway_state("connected", "")
            pages = [page for page in room.pages.values() if page.awaiting]
            if not pages:
                return
            for page in pages:
                page.awaiting = False
                self._group(page)
                self._unlist(page)
            for name in TYPED_LISTS:
                if name in members:
                    event = self._event(
                        name, b'{"type":"%s","data":%s}' % (name.encode(), bytes(members[name]))
                    )
                    room.position = event if name == "position" else room.position
                    self._offer(pages, event)
            if "contract" in members:
                self._offer(pages, self._event("contract", bytes(members["contract"])))
            for strategy in _raw_list.decode(members.get("strategy", b"[]")):
                self._offer(pages, self._event("strategy", bytes(strategy)))
            self._offer(pages, self._status(room))
            told = b",".join(
                b'"%s":%s' % (name.encode(), bytes(members[name]))
                for name in ("seq", "states")
                if name in members
            )
            self._offer(pages, self._event("snapshot", b"{%s}" % told))

    def lost(self, account: str, reason: str) -> None:
        """The gateway is gone: the pages are told at once, and await the snapshot of when it is back."""
        with self._lock:
            room = self._room(account)
            state, text = (
                ("needs_login", "网关已退出且无人持有密码，请重新登录")
                if reason == NEEDS_LOGIN
                else ("lost", reason)
            )
            room.gateway = self._gateway_state(state, text)
            pages = list(room.pages.values())
            for page in pages:
                self._ungroup(page)
                self._unlist(page)
                page.awaiting = True
            self._offer(pages, self._status(room))

    def frozen(self, account: str, reason: str) -> None:
        """The gateway is connected and does not answer; "": it does again, and nothing is missing."""
        with self._lock:
            room = self._room(account)
            if reason or room.frozen:
                room.gateway = self._gateway_state("frozen" if reason else "connected", reason)
                self._offer(list(room.pages.values()), self._status(room))

    # ── the way out ──

    def send_run(self) -> bool:
        """Send what has been gathered for one group. True when there is another."""
        with self._lock:
            if self._running:
                self._send_run(next(iter(self._running)))
            return bool(self._running)

    def send_list(self) -> bool:
        """Send the list that has waited longest to as many pages as get some of it at a time. True when more
        waits.
        """
        with self._lock:
            key = next(iter(self._listings), None)
            if key is not None:
                listing = self._listings[key]
                some = list(islice(listing.pages, max(1, LISTS_AT_A_TIME // max(1, listing.event.size))))
                for page in some:
                    del listing.pages[page]
                if not listing.pages:
                    del self._listings[key]
                self._offer(some, listing.event)
            return bool(self._listings)

    def flush(self) -> bool:
        """Send batches, and what waits for slow pages, as far as the lines take it. True when another round
        would move more.
        """
        more = False
        with self._lock:
            for group in list(self._unsent):
                self._send_batch(group)
            for page in list(self._unflushed):
                more |= page.flush()
                if page.idle:
                    self._unflushed.discard(page)
        return more

    def refresh(self) -> bool:
        """Send positions for the ticks since the last time. True when pages have to wait for that until they
        have read their ticks.
        """
        with self._lock:
            ticked, self._ticked = self._ticked, set()
            for account in ticked:
                room = self._room(account)
                group = room.groups.get(Wish(None, batch=False, picks=False))  # whoever has not subscribed
                if group is None or room.position is None:
                    continue
                self._send_run(group)  # the ticks go first
                pages = [page for page in group.pages if not page.subscribed]
                self._list(account, room.position, [page for page in pages if page.idle])
                if not all(page.idle for page in pages):
                    self._ticked.add(account)
            return bool(self._ticked)

    def stop(self) -> None:
        """End the threads."""
        self._stopped = True
        self._tick_is_there.set()
        self._run_is_there.set()
        self._list_is_there.set()
        self._work.set()

    def _send_forever(self, send: Callable[[], bool], is_there: threading.Event, rest: float) -> None:
        """Send bit by bit. The rest belongs to everybody else: an order does not queue behind quotes, nor
        quotes behind lists.
        """
        more = False
        while not self._stopped:
            if not more:
                is_there.wait()
                is_there.clear()
            began = time.monotonic()
            try:
                more = send()
            except Exception:  # the edge of this thread: it serves every page
                log.exception("sending failed")
            time.sleep(0)  # green threads: the writers empty their lines, and requests get their turn
            took = time.monotonic() - began
            if took > RESTLESS:
                time.sleep(took * rest)

    def _flush_forever(self) -> None:
        flushed = -math.inf
        while not self._stopped:
            self._work.wait()
            self._work.clear()
            while (self._unflushed or self._unsent) and not self._stopped:
                time.sleep(max(0.0, flushed + self.limits.flush_seconds - time.monotonic()))
                flushed = time.monotonic()
                try:
                    rounds = 1
                    while self.flush() and rounds < FLUSH_ROUNDS:
                        rounds += 1
                        time.sleep(0)  # lets the writers empty their lines
                except Exception:  # the edge of this thread: it serves every page
                    log.exception("flushing failed")

    def _refresh_forever(self) -> None:
        more = False
        while not self._stopped:
            if not more:
                self._tick_is_there.wait()
                self._tick_is_there.clear()
            try:
                more = self.refresh()
            except Exception:  # the edge of this thread: it serves every page
                log.exception("refreshing failed")
            time.sleep(self.limits.refresh_seconds)

    def _group(self, page: Outbox) -> None:
        """Let it share what is alike, and hear nothing older than this moment."""
        if page.account and not page.awaiting:
            group = self._room(page.account).groups.setdefault(page.wish, Group(page.wish))
            self._send_run(group)
            self._send_batch(group)
            group.pages.add(page)

    def _ungroup(self, page: Outbox) -> None:
        """The reverse; what it was about to get, it gets by itself."""
        group = self._leave_group(page)
        if group is None:
            return
        for event in group.run:
            self._offer([page], event)
        page.keep_ticks(group.ticks)
        if not page.idle:
            self._unflushed.add(page)
            self._work.set()

    def _leave_group(self, page: Outbox) -> Group | None:
        """The group that it was in."""
        groups = self._room(page.account).groups if page.account else {}
        group = groups.get(page.wish)
        if group is None or page not in group.pages:
            return None
        group.pages.remove(page)
        if not group.pages:
            del groups[page.wish]
            self._running.pop(group, None)
            self._unsent.discard(group)
        return group

    def _list(self, account: str, event: Event, pages: Sequence[Outbox]) -> None:
        if pages:
            self._listings.setdefault((account, event.name), Listing(event)).renew(event, pages)
            self._list_is_there.set()

    def _unlist(self, page: Outbox) -> None:
        """It gets no list of before this moment."""
        for name in LISTS:
            listing = self._listings.get((page.account, name))
            if listing is not None:
                listing.pages.pop(page, None)
                if not listing.pages:
                    del self._listings[page.account, name]

    def _gather(self, room: Room, event: Event) -> None:
        for group in room.groups.values():
            if event.symbol and not group.wish.has(event.symbol):
                continue
            if group.wish.picks and event.name == "bar_update":
                self._send_forming(group, event)
                continue
            group.add(event)
            if group.run and group not in self._running:
                self._running[group] = None
                self._run_is_there.set()
            if group.ticks and group not in self._unsent:
                self._unsent.add(group)
                self._work.set()

    def _send_forming(self, group: Group, event: Event) -> None:
        """To those of the group who draw this contract; what came before goes before."""
        pages = [page for page in group.pages if wanted(event.symbol, page.forming)]
        if pages:
            self._send_run(group)
            self._offer(pages, event)

    def _send_run(self, group: Group) -> None:
        self._running.pop(group, None)
        run, group.run = group.run, []
        if not run:
            return
        packet = run[0].packet if len(run) == 1 else self._join([event.packet for event in run])
        self._mind([page for page in group.pages if not page.offer_run(run, packet)])

    def _send_batch(self, group: Group) -> None:
        self._unsent.discard(group)
        ticks, group.ticks = group.ticks, {}
        if not ticks:
            return
        packet = self._encode(batch_text(ticks.values()))
        self._mind([page for page in group.pages if not page.offer_batch(ticks, packet)])

    def _offer(self, pages: Iterable[Outbox], event: Event) -> None:
        self._mind([page for page in pages if not page.offer(event)])

    def _mind(self, late: Iterable[Outbox]) -> None:
        """Something waits for these: it will leave when they read, and who lets too much pile up is cut."""
        for page in late:
            if page.waiting_bytes > self.limits.queued_bytes or page.waiting > self.limits.queued_packets:
                log.warning(
                    "a page of %s does not read: %d events wait, cutting it",
                    page.account or "nobody",
                    page.waiting,
                )
                self._cut += 1
                self.disconnect(page.sid)
                page.line.cut()
            else:
                self._unflushed.add(page)
                self._work.set()

    def _room(self, account: str) -> Room:
        return self._rooms.setdefault(account, Room())

    def _event(self, name: str, payload: bytes, symbol: str = "") -> Event:
        return Event(name, payload, self._encode, symbol)

    def _status(self, room: Room) -> Event:
        return self._event("status", orjson.dumps(room.fronts | {"gateway": room.gateway}))

    def _gateway_state(self, state: str, reason: str) -> dict[str, str]:
        since = self._now().replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
        return {"state": state, "reason": reason, "since": since}

    @staticmethod
    def _unwrapped(payload: bytes | msgspec.Raw) -> dict[str, Any]:
        status = orjson.loads(bytes(payload))
        inner = status.get("data") if status.get("type") == "status" else status
        return inner if isinstance(inner, dict) else {}
