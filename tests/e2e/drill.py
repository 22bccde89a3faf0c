"""A drill: two accounts trade while everything around them breaks. Traffic, chaos, and the audit that
compares all books.

The seed decides what is tried and broken, in which order; how it falls out between the processes is up to the
machine.
"""

from __future__ import annotations

import itertools
import logging
import math
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import requests

from app.model import store_path
from app.model.sqlite import SqliteStore
from app.wire.channel import ChannelClosed
from app.wire.registry import Entry
from tests.e2e.server import BackendServer, Refused, Trader
from tests.support.faults import FaultRefused
from tests.support.waiting import eventually

log = logging.getLogger(__name__)

SYMBOLS = (
    "rb2510.SHFE",
    "m2509.DCE",
    "ag2512.SHFE",
)  # two that split today from yesterday, one that does not
UNKNOWN = "ORDER_STATE_UNKNOWN"
OUT_OF_SIGHT = "状态未知"
RESTARTED = "restart the core from its flow"
UNSETTLED = ("sending", "sent", "unknown")
GONE = (
    requests.RequestException,
    AttributeError,
    ValueError,
)  # no web; AttributeError: none registered; ValueError: half an answer
DOOR_SHUT = (OSError, ChannelClosed, FaultRefused)  # the counter's test door, while the counter is down

COUNTER_STATUS = {"0": "全部成交", "1": "部分成交", "3": "未成交", "5": "已撤销", "a": "提交中"}
MONEY = {
    "PreBalance": "pre_balance",
    "Deposit": "deposit",
    "Withdraw": "withdraw",
    "CurrMargin": "margin",
    "FrozenMargin": "frozen_margin",
    "FrozenCommission": "frozen_commission",
    "Commission": "commission",
    "CloseProfit": "close_profit",
    "PositionProfit": "position_profit",
    "Balance": "balance",
    "Available": "available",
}


class Terms(NamedTuple):
    """An order as asked; no two of a drill are alike, so that it can be found at the counter without
    anybody's ids.
    """

    local_symbol: str
    direction: str
    offset: str
    type: str
    price: float
    volume: int


@dataclass
class Attempt:
    """One client_order_id and all answers to it, oldest first; None where there was none."""

    client_order_id: str
    terms: Terms
    answers: list[dict[str, Any] | None] = field(default_factory=list)
    abandoned: bool = False

    @property
    def final(self) -> dict[str, Any] | None:
        """The newest answer that says what has become of the order."""
        return next((answer for answer in reversed(self.answers) if is_final(answer)), None)

    @property
    def may_have_left(self) -> bool:
        return any(answer is None or answer["success"] for answer in self.answers)


def is_final(answer: dict[str, Any] | None) -> bool:
    """Accepted or refused. Not: no answer, unknown, 'not sent, try again', or 'log in first', which says
    nothing of the order.
    """
    return (
        answer is not None
        and answer["status"] not in (401, 503)
        and not (answer["success"] and answer.get("error") == UNKNOWN)
    )


class Prices:
    """Quotes at even ticks around a base; the drill's orders ask odd ones, so a close at the newest price is
    like none of them.
    """

    def __init__(self, trader: Trader, symbol: str, random: random.Random) -> None:
        details = trader.contract(symbol)
        self.symbol, self.tick = symbol, details["pricetick"]
        self._base = round(details["pre_settlement_price"] / self.tick)
        self._middle = self._base
        self._random = random

    def move(self, server: BackendServer, depth: int | None = None) -> None:
        self._middle = self._base + 2 * self._random.randint(-6, 6)
        bid = self._middle * self.tick
        bids, asks = (
            (self._random.choice((0, 1, 3, 50)) for _ in range(2)) if depth is None else (depth, depth)
        )
        with closing(server.faults()) as faults:
            faults.set_quote(self.symbol.partition(".")[0], bid, bids, bid + 2 * self.tick, asks, bid)

    def around(self, random: random.Random) -> float:
        return (self._middle + 2 * random.randint(-15, 15) + 1) * self.tick


class Desk:
    """One account's orders, cancels and closes; after any unclear outcome the same client_order_id once
    more.
    """

    def __init__(self, server: BackendServer, userid: str, prices: dict[str, Prices], seed: str) -> None:
        self.trader = Trader(server, userid).log_in()
        self.attempts: list[Attempt] = []
        self.closes: list[dict[str, Any] | None] = []
        self.strange: list[str] = []
        self._prices = prices
        self._random = random.Random(seed)
        self._used: set[Terms] = set()
        self._numbers = itertools.count(1)
        self._clicks = ThreadPoolExecutor(2, f"clicks-{userid}")

    # ── while it breaks ──

    def trade(self, stop: threading.Event) -> None:
        while not stop.wait(self._random.uniform(0.02, 0.12)):
            kinds = (self.order, self.again, self.cancel, self.close, self.cancel_all)
            action = self._random.choices(kinds, (50, 20, 18, 10, 2))[0]
            try:
                action()
            except GONE as error:
                log.debug("%s: %r", self.trader.userid, error)
            except Exception as error:  # the edge of this thread: the test tells it
                log.exception("the drill itself failed")
                self.strange.append(f"{action.__name__}: {error!r}")

    def order(self) -> None:
        attempt = Attempt(f"{self.trader.userid}-{next(self._numbers)}", self._terms())
        self.attempts.append(attempt)
        if self._random.random() < 0.15:  # a double click
            attempt.answers += list(self._clicks.map(self._post, [attempt, attempt]))
        else:
            attempt.answers.append(self._post(attempt))
        if (
            not attempt.may_have_left and attempt.final is None
        ):  # told 'not sent': half of the traders leave it at that
            attempt.abandoned = self._random.random() < 0.5

    def again(self) -> None:
        waiting = self.unclear()
        if waiting:
            self.ask_again(self._random.choice(waiting))

    def ask_again(self, attempt: Attempt) -> None:
        attempt.answers.append(self._post(attempt))

    def unclear(self) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.final is None and not attempt.abandoned]

    def cancel(self) -> None:
        working = self._list("active_order_list")
        if working:
            row = self._random.choice(working)
            fields = {name: row[name] for name in ("order_id", "local_symbol", "exchange")}
            self._note(self.trader.ask("DELETE", "/order_solve", **fields))

    def cancel_all(self) -> None:
        self._note(self.trader.ask("DELETE", "/order_solve", all=1))

    def close(self) -> None:
        held = [row for row in self._list("position_list") if row["available"]]
        if not held:
            return
        row = self._random.choice(held)
        volume = self._random.randint(1, min(3, row["available"]))
        fields = {name: row[name] for name in ("local_symbol", "direction", "exchange")}
        self.closes.append(None)
        self.closes[-1] = self._note(self.trader.ask("POST", "/close_position", volume=volume, **fields))

    def _list(self, name: str) -> list[dict[str, Any]]:
        """As the server has it now; empty while it has none to give."""
        answer = self._note(self.trader.ask("GET", "/order_solve"))
        return answer["data"][name] if answer["success"] else []

    def _terms(self) -> Terms:
        pick = self._random
        while True:
            symbol = pick.choice(SYMBOLS)
            closes = ("closetoday", "closeyesterday") if symbol.endswith("SHFE") else ("close", "close")
            offset = pick.choices(("open", *closes), (3, 1, 1))[0]
            kind = pick.choices(("limit", "fak", "fok"), (8, 1, 1))[0]
            price = self._prices[symbol].around(pick)
            terms = Terms(symbol, pick.choice(("long", "short")), offset, kind, price, pick.randint(1, 4))
            if terms not in self._used:
                self._used.add(terms)
                return terms

    def _post(self, attempt: Attempt) -> dict[str, Any] | None:
        terms = attempt.terms
        exchange = terms.local_symbol.partition(".")[2]
        try:
            return self._note(
                self.trader.ask(
                    "POST",
                    "/order_solve",
                    **terms._asdict(),
                    exchange=exchange,
                    client_order_id=attempt.client_order_id,
                )
            )
        except GONE:
            return None

    def _note(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Every answer is one that a trader can use: no 500, no 4xx for what is right; and who is logged out
        logs in.
        """
        if answer.get("error") in ("NEEDS_LOGIN", "TOKEN_ERROR"):
            try:
                self.trader.log_in()
            except (*GONE, Refused) as error:
                log.debug("login: %r", error)
        if answer["status"] not in (200, 202, 404, 503) and answer.get("error") != "TOKEN_ERROR":
            self.strange.append(str(answer))
        return answer

    # ── afterwards ──

    def is_ready(self) -> bool:
        try:
            answer = self._note(self.trader.ask("GET", "/order_solve"))
        except GONE:
            return False
        status = self.trader.page.last("status") if self.trader.page else None
        fronts = [
            (status or {}).get(front, {}).get("state") for front in ("td", "md")
        ]  # of a lost gateway nothing is said
        return bool(answer["success"] and fronts == ["ready", "ready"])

    def settle(self) -> bool:
        """Ask for all that is unclear once more. True when nothing is, but for orders that are shown to be
        out of sight.
        """
        for attempt in self.unclear():
            self.ask_again(attempt)
        lost = {row["order_id"] for row in self._list("order_list") if row["status"] == OUT_OF_SIGHT}
        return all((attempt.answers[-1] or {}).get("order_id") in lost for attempt in self.unclear())

    def stop(self) -> None:
        self._clicks.shutdown()
        self.trader.close_page()


class Chaos:
    """Kills, stops, loses, doubles, swaps, delays and refuses, by the seed."""

    def __init__(
        self, server: BackendServer, desks: Iterable[Desk], prices: dict[str, Prices], seed: str
    ) -> None:
        self._server = server
        self._users = [desk.trader.userid for desk in desks]
        self._gateways = [f"gateway-{desk.trader.key}" for desk in desks]
        self._prices = prices
        self._random = random.Random(seed)
        self._later: list[tuple[float, Callable[[], object]]] = []
        self._halts: list[threading.Timer] = []
        self.done: Counter[str] = Counter()

    def run(self, seconds: float) -> None:
        actions: dict[Callable[[], str], int] = {
            self.kill: 5,
            self.halt: 5,
            self.mute: 6,
            self.drop: 4,
            self.double: 6,
            self.swap: 6,
            self.hold: 4,
            self.restart_flow: 2,
            self.refuse: 3,
            self.move: 14,
        }
        end, pause = time.monotonic() + seconds, threading.Event()
        while time.monotonic() < end:
            pause.wait(self._random.uniform(0.05, 0.4))
            self._do_due(time.monotonic())
            action = self._random.choices(list(actions), list(actions.values()))[0]
            try:
                self.done[action()] += 1
            except DOOR_SHUT as error:
                log.debug("chaos: %r", error)
        for halt in self._halts:
            halt.join()
        self._do_due(math.inf)

    def _do_due(self, now: float) -> None:
        due = [what for when, what in self._later if when <= now]
        self._later = [(when, what) for when, what in self._later if when > now]
        for what in due:
            try:
                what()
            except DOOR_SHUT as error:
                log.debug("chaos: %r", error)

    def _in(self, seconds: float, what: Callable[[], object]) -> None:
        self._later.append((time.monotonic() + seconds, what))

    def _do(self, command: str, **arguments: Any) -> None:
        with closing(self._server.faults()) as faults:
            getattr(faults, command)(**arguments)

    def _victim(self) -> Entry | None:
        name = self._random.choice(["web", "host", "counter", *self._gateways, *self._gateways])
        return self._server.entry(name)

    def kill(self) -> str:
        victim = self._victim()
        if victim is None or not victim.alive:
            return "nobody to kill"
        _signal(victim, signal.SIGKILL)
        return f"kill {victim.kind}"

    def halt(self) -> str:
        victim = self._victim()
        if victim is None or not victim.alive:
            return "nobody to halt"
        _signal(victim, signal.SIGSTOP)
        # by a thread of its own: this one may be waiting for the very process that is halted
        self._halts.append(threading.Timer(self._random.uniform(0.1, 2.0), _signal, (victim, signal.SIGCONT)))
        self._halts[-1].start()
        return f"halt {victim.kind}"

    def mute(self) -> str:
        user = self._random.choice(self._users)
        self._do("mute", user=user)
        self._in(self._random.uniform(0.1, 2.5), lambda: self._do("unmute", user=user))
        return "mute"

    def drop(self) -> str:
        front = self._random.choice(("td", "td", "md", ""))
        self._do("drop", user=self._random.choice(self._users), front=front)
        return f"drop {front or 'both'}"

    def double(self) -> str:
        self._do("duplicate", user=self._random.choice(self._users), count=self._random.randint(1, 10))
        return "duplicate"

    def swap(self) -> str:
        self._do("reorder", user=self._random.choice(self._users))
        return "reorder"

    def hold(self) -> str:
        kind = self._random.choice(("accept", "cancel"))
        self._do(f"delay_{kind}")
        self._in(self._random.uniform(0.1, 3.0), lambda: self._do(f"release_{kind}"))
        return f"hold {kind}"

    def restart_flow(self) -> str:
        self._do("restart_flow")
        return RESTARTED

    def refuse(self) -> str:
        if self._random.random() < 0.5:
            self._do("refuse_next", kind="order", error_id=31, text="CTP:资金不足")
            return "refuse an order"
        self._do("reject_next", text="已撤单报单被拒绝SHFE:当前状态禁止此项操作")
        return "reject an order"

    def move(self) -> str:
        self._prices[self._random.choice(SYMBOLS)].move(self._server)
        return "move a quote"


def _signal(entry: Entry, number: int) -> None:
    if entry.alive:
        try:
            os.kill(entry.pid, number)
        except ProcessLookupError:
            log.debug("%s has gone", entry.name)


class Drill:
    """The whole of it. `run`, then `quiet`, then `audit` tells everything that is not as it should be; then
    perhaps `next_day`.
    """

    def __init__(self, server: BackendServer, seed: int) -> None:
        self.server = server
        chance = random.Random(f"{seed}-quotes")
        first = Trader(server, "first").log_in()
        self.prices = {symbol: Prices(first, symbol, chance) for symbol in SYMBOLS}
        self.desks = [Desk(server, user, self.prices, f"{seed}-{user}") for user in ("first", "second")]
        self.chaos = Chaos(server, self.desks, self.prices, f"{seed}-chaos")
        for desk in self.desks:
            desk.trader.do("POST", "/market", symbol=",".join(SYMBOLS))
            desk.trader.open_page()
        self._quote(depth=50)
        with closing(server.faults()) as faults:
            self.days = [faults.books()["first"]["trading_day"]]

    def run(self, seconds: float) -> None:
        stop = threading.Event()
        threads = [
            threading.Thread(target=desk.trade, args=(stop,), name=desk.trader.userid) for desk in self.desks
        ]
        for thread in threads:
            thread.start()
        try:
            self.chaos.run(seconds)
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def quiet(self) -> None:
        """Nothing is broken any more, nothing is on its way, and everybody has asked for what was unclear."""
        eventually(self._opened, "the counter's test door is open", 60)
        for desk in self.desks:
            eventually(desk.is_ready, f"{desk.trader.userid} is ready", 60)
            eventually(partial(self._settled, desk), f"{desk.trader.userid} knows of every order", 30)
        for desk in self.desks:
            eventually(partial(self._pushed_through, desk), "an order goes through", 30)
        self._quote(depth=0)

    def next_day(self) -> None:
        """Settlement: what was traded is history, and the traders begin a new sheet."""
        with closing(self.server.faults()) as faults:
            self.days.append(faults.turn_day({}))
        for desk in self.desks:
            desk.attempts, desk.closes = [], []

    def _opened(self) -> bool:
        """Where host, gateways and counter were all killed, the counter runs again with the first login."""
        for desk in self.desks:
            desk.is_ready()  # which logs in who is not
        return self._mended()

    def _mended(self) -> bool:
        try:
            with closing(self.server.faults()) as faults:
                for desk in self.desks:
                    faults.unmute(desk.trader.userid)
                faults.release_accept()
                faults.release_cancel()
        except DOOR_SHUT:
            return False
        return True

    def _settled(self, desk: Desk) -> bool:
        return self._mended() and desk.settle()

    def _pushed_through(self, desk: Desk) -> bool:
        """One more order, which what is still armed (a swap, a hold) falls on."""
        desk.order()
        self._mended()
        return (desk.attempts[-1].final or {}).get("success", False)

    def _quote(self, depth: int) -> None:
        for prices in self.prices.values():
            prices.move(self.server, depth)

    # ── the audit ──

    def audit(self) -> list[str]:
        with closing(self.server.faults()) as faults:
            books = faults.books()
        return [
            fault
            for desk in self.desks
            for fault in Audit(self.server, desk, books[desk.trader.userid], self.days).faults()
        ]


class Audit:
    """One account: the counter's books of today, the gateway's (REST), the page's and the journal's, side by
    side.
    """

    def __init__(self, server: BackendServer, desk: Desk, book: dict[str, Any], days: list[str]) -> None:
        self._desk = desk
        self._book = book
        self._lists = desk.trader.lists()
        self._page = desk.trader.page
        self._ids = self._ids_of_the_counters_rows()
        self._unsure = self._out_of_sight()
        self._events = self._all_events()
        store = SqliteStore(store_path(server.data_dir, desk.trader.key))
        try:
            self._journal = {row["order_id"]: row for row in store.orders(book["trading_day"])}
            self._journal_trades = {row["trade_key"]: row for row in store.trades(book["trading_day"])}
            self._intents = [intent for day in days for intent in store.intents(day)]
        finally:
            store.close()

    def faults(self) -> list[str]:
        checks = (
            self._orders,
            self._trades,
            self._positions,
            self._money,
            self._page_lists,
            self._answers,
            self._intents_end,
            self._seqs,
        )
        return [f"{self._desk.trader.userid}: {fault}" for check in checks for fault in check()]

    def _ids_of_the_counters_rows(self) -> list[str]:
        """What the gateway calls each row: by the numbers that last, since a restart of the core gives out
        other triples.
        """
        shown = self._lists["order_list"]
        named = {
            (row["exchange"], row["order_local_id"]): row["order_id"]
            for row in shown
            if row.get("order_local_id")
        }
        return [
            named.get(
                (row["ExchangeID"], f"{row['TraderID']}/{row['OrderLocalID'].strip()}"),
                f"not shown: {row['ExchangeID']} {row['OrderLocalID']}",
            )
            for row in self._book["orders"]
        ]

    def _out_of_sight(self) -> dict[str, list[str]]:
        """Orders whose answer was lost with a core that then showed them under another triple, each with
        those that may be it.
        """
        return {
            row["order_id"]: [
                other["order_id"]
                for other in self._lists["order_list"]
                if not other["is_local"]
                and all(other[name] == row[name] for name in ("symbol", "direction", "price", "volume"))
            ]
            for row in self._lists["order_list"]
            if row["status"] == OUT_OF_SIGHT
        }

    def _orders(self) -> list[str]:
        counter = {
            order_id: (
                "拒单"
                if row["OrderStatus"] == "5" and row["OrderSubmitStatus"] == "4"
                else COUNTER_STATUS[row["OrderStatus"]],
                row["VolumeTraded"],
            )
            for order_id, row in zip(self._ids, self._book["orders"], strict=True)
        }
        shown = {row["order_id"]: (row["status"], row["traded"]) for row in self._lists["order_list"]}
        journal = {order_id: (row["status"], row["traded"]) for order_id, row in self._journal.items()}
        refused = {
            row["order_id"]
            for row in self._lists["order_list"]
            if row["status"] == "拒单" and row["error_code"] != "EXCHANGE_REJECT"
        }
        taken = {
            order_id: state
            for order_id, state in shown.items()
            if order_id not in refused | self._unsure.keys()
        }
        return [
            *_differences("orders, counter and gateway", counter, taken),
            *_differences("orders, gateway and journal", shown, journal),
            *(f"{order_id} is shown as refused, the counter has it" for order_id in refused & counter.keys()),
            *(
                f"{order_id} is out of sight, and nothing is like it"
                for order_id, alike in self._unsure.items()
                if len(alike) != 1
            ),
        ]

    def _trades(self) -> list[str]:
        counter = {
            "_".join((row["TradingDay"], row["ExchangeID"], row["TradeID"].strip(), row["Direction"])): (
                row["Price"],
                row["Volume"],
            )
            for row in self._book["fills"]
        }
        shown = {row["trade_key"]: (row["price"], row["volume"]) for row in self._lists["trade_list"]}
        journal = {key: (row["price"], row["volume"]) for key, row in self._journal_trades.items()}
        doubled = [
            key
            for key, count in Counter(row["trade_key"] for row in self._lists["trade_list"]).items()
            if count > 1
        ]
        return [
            *_differences("trades, counter and gateway", counter, shown),
            *_differences("trades, gateway and journal", shown, journal),
            *(f"trade {key} is listed twice" for key in doubled),
        ]

    def _positions(self) -> list[str]:
        counter: Counter[tuple[str, str, str]] = Counter()
        for lot in self._book["lots"]:
            day = "today" if lot["open_date"] >= self._book["trading_day"] else "yesterday"
            counter[lot["symbol"], lot["direction"], day] += lot["volume"]
        shown = Counter(
            {
                (row["symbol"], row["direction"], day): volume
                for row in self._lists["position_list"]
                for day, volume in (
                    ("yesterday", row["yd_volume"]),
                    ("today", row["volume"] - row["yd_volume"]),
                )
            }
        )
        return _differences("positions, counter and gateway", +counter, +shown)

    def _money(self) -> list[str]:
        shown = (
            {row["key"]: row["value"] for row in (self._page.last("account_detail") or {"data": []})["data"]}
            if self._page
            else {}
        )
        counter = {name: round(self._book["money"][theirs], 2) for theirs, name in MONEY.items()}
        page = {name: round(shown[name], 2) for name in MONEY.values() if name in shown}
        cent = (
            0.01 + 1e-6
        )  # a sum of rounded amounts and a rounded sum, where the counter does not round fees
        page = {
            name: counter[name] if abs(amount - counter[name]) <= cent else amount
            for name, amount in page.items()
        }
        return _differences("money, counter and page", counter, page)

    def _page_lists(self) -> list[str]:
        assert self._page is not None
        pushed = {
            name: (self._page.last(name) or {"data": []})["data"]
            for name in ("order", "active_order", "trade", "position")
        }
        faults = [
            f"the page's {name} is not the gateway's: {_brief(pushed[name])} / "
            f"{_brief(self._lists[f'{name}_list'])}"
            for name in ("order", "active_order", "trade")
            if pushed[name] != self._lists[f"{name}_list"]
        ]
        return faults + _differences(
            "positions, page and gateway",
            _volumes(pushed["position"]),
            _volumes(self._lists["position_list"]),
        )

    def _answers(self) -> list[str]:
        """What traders were told, beside what the counter has."""
        found = Counter(
            (
                row["InstrumentID"],
                {"0": "long", "1": "short"}[row["Direction"]],
                {"0": "open", "1": "close", "3": "closetoday", "4": "closeyesterday"}[
                    row["CombOffsetFlag"][0]
                ],
                row["LimitPrice"],
                row["VolumeTotalOriginal"],
                {"3": "limit"}.get(
                    row["TimeCondition"], {"1": "fak", "3": "fok"}.get(row["VolumeCondition"], "")
                ),
            )
            for row in self._book["orders"]
            if (row["OrderStatus"], row["OrderSubmitStatus"]) != ("5", "4")
        )
        faults = []
        for attempt in self._desk.attempts:
            terms = attempt.terms
            key = (
                terms.local_symbol.partition(".")[0],
                terms.direction,
                terms.offset,
                terms.price,
                terms.volume,
                terms.type,
            )
            told = f"{attempt.client_order_id} {tuple(terms)}: {attempt.answers}"
            ids = {
                answer["order_id"]
                for answer in attempt.answers
                if answer is not None and answer.get("order_id")
            }
            ends = {
                answer["success"] for answer in attempt.answers if answer is not None and is_final(answer)
            }
            if found[key] > 1:
                faults.append(f"{found[key]} orders for one client_order_id: {told}")
            if len(ids) > 1 or len(ends) > 1:
                faults.append(f"two different answers: {told}")
            if found[key] and False in ends:
                faults.append(f"told as failed, the counter has it: {told}")
            if not found[key] and True in ends:
                faults.append(f"told as accepted, the counter has it not: {told}")
            if found[key] and attempt.abandoned:
                faults.append(f"told as not sent, the counter has it: {told}")
            if attempt.final is None and not attempt.abandoned and not ids & self._unsure.keys():
                faults.append(f"unknown for ever: {told}")
        taken = {*self._ids, *self._unsure}
        for answer in self._desk.closes:
            ids = set(answer.get("order_ids", ())) if answer is not None and answer["success"] else set()
            if answer is not None and answer.get("error") == UNKNOWN:
                continue
            faults += [f"a close told as sent is not at the counter: {answer}" for order_id in ids - taken]
        return faults

    def _intents_end(self) -> list[str]:
        taken = set(self._ids)
        known = {intent.order_id for intent in self._intents} | {
            order_id for alike in self._unsure.values() for order_id in alike
        }
        return [
            *(f"no intent was written for {order_id}" for order_id in taken - known),
            *(
                f"intent {intent.order_id} has no end: {intent.state}"
                for intent in self._intents
                if intent.state in UNSETTLED and intent.code != "ORDER_ALIKE"
            ),
            *(
                f"intent {intent.order_id} is {intent.state}, the counter has it"
                for intent in self._intents
                if intent.order_id in taken
                and intent.state != "accepted"
                and self._journal[intent.order_id]["status"] != "拒单"
            ),
        ]

    def _seqs(self) -> list[str]:
        """The page's numbers rise by one from each snapshot on; with GET /events there is no hole, and both
        say the same.
        """
        assert self._page is not None
        faults = []
        seqs = list(self._events)
        if seqs != list(range(1, len(seqs) + 1)):
            faults.append(f"GET /events has holes: {_brief(seqs)}")
        due: int | None = None
        for name, data in list(self._page.events):
            if name == "snapshot":
                due = data["seq"] + 1
            elif name in ("order_update", "trade_update"):
                seq = data["seq"]
                if seq != due:
                    faults.append(f"the page heard {seq}, {due} was due")
                due = seq + 1
                if self._events.get(seq) != (name, data["data"]):
                    faults.append(
                        f"the page heard {_brief(data)} as {seq}, GET /events has "
                        f"{_brief(self._events.get(seq))}"
                    )
        if due is None or due != len(seqs) + 1:
            faults.append(f"the page stands before {due}, the journal at {len(seqs)}")
        return faults

    def _all_events(self) -> dict[int, tuple[str, Any]]:
        events: dict[int, tuple[str, Any]] = {}
        while True:
            more = self._desk.trader.do("GET", "/events", since=max(events, default=0), limit=1000)["events"]
            if not more:
                return events
            events |= {event["seq"]: (event["event"], event["data"]) for event in more}


def _differences(what: str, left: dict[Any, Any], right: dict[Any, Any]) -> list[str]:
    keys = sorted(left.keys() | right.keys())
    return [
        f"{what}: {key}: {left.get(key)} / {right.get(key)}"
        for key in keys
        if left.get(key) != right.get(key)
    ]


def _volumes(rows: Iterable[dict[str, Any]]) -> dict[Any, Any]:
    return {
        (row["symbol"], row["direction"]): (row["volume"], row["yd_volume"], row["frozen"]) for row in rows
    }


def _brief(value: object) -> str:
    text = str(value)
    return text if len(text) < 400 else f"{text[:400]}…"
