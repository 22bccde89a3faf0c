"""Faults on command, for tests: only there when the environment names an address in COUNTER_TEST_SOCKET.
Counter process.

A listener takes msgpack maps `{"do": <name>, …}` and answers each with `{"ok": true, "result": …}` or `{"ok":
false, "error": text}`. Commands are done in the core's thread, between two requests. `user` "" means every
user.

| do | arguments | |
| --- | --- | --- |
| drop | user, front ("td", "md", "") | close those connections; result: how many |
| restart_flow | | the core restarts from its flow: trading connections end, the day's orders have other
    triples and no refusals |
| mute, unmute | user | hold all callbacks but heartbeats back from those connections; release them in order |
| duplicate | user, count | send each of the next `count` RtnOrder and RtnTrade twice |
| reorder | user | swap the next two of RtnOrder and RtnTrade on one connection |
| refuse_next | kind (login authenticate password confirm order cancel query), error_id, text | the counter
    refuses the next one |
| reject_next | text | the exchange rejects the next order |
| hold, release | kind ("order", "cancel") | the next one stays on its way to the exchange (an order in 'a');
    send on what was held |
| set_quote | symbol, bid, bid_volume, ask, ask_volume, last, traded | its quote from now on;
    volume 0: side absent |
| release_quote | symbol | the market's own quotes again |
| turn_day | prices {symbol: price}, new_day ("": next weekday) | settle now at these prices |
| set_clock | now (ISO, exchange time) | where the market can |
| set_rules | of app/counter/desk.py's Rules, what is to be other than off | the broker's rules from now on |
| disconnect | reason, user, front | the stand-in for CTP's library loses the front for this reason
    (0x1001, 0x2001…); result: how many |
| refuse_sends | request, code, count, user, front | its next requests of that kind return
    -1, -2 or -3: frames.FrontControl |
| burst | symbol, count | so many snapshots at once to who subscribed it |
| force_close | user, symbol, direction ("long", "short"), volume, offset ("2", "5", "6") | the broker
    closes it, against what is quoted |
| place_conditional | user, symbol, direction ("long", "short"), volume, price | another
    terminal's stop to close it; result: its TJBD_n |
| trigger | user, number | the price that it waited for has come |
| books | | every account: money, lots, orders, fills, number of trades |
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from app.counter.accounts import WAITING, Order, PaperAccount, Session
from app.counter.core import Core, Link, Out
from app.counter.desk import Rules
from app.counter.markets.market import DayTurn, Market, Phase
from app.counter.orders import FRONT_ID, cancel_refused
from app.counter.refusals import CLOSE_TODAY, FORCED, Refusal, refusal_of
from app.counter.server import CounterServer, Outgoing
from app.lib.market_orders import MarketOrders
from app.wire import frames as f
from app.wire.channel import Connection, Server

log = logging.getLogger(__name__)

CALL_SECONDS = 10.0
CONDITIONAL = "TJBD_"  # what the numbers of conditional orders begin with


class FaultyMarket:
    """A market whose quotes can be fixed and whose day can be turned by hand. A Market itself; survives a
    restart.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._due: list[f.DepthField | DayTurn] = []
        self._fixed: dict[str, f.DepthField] = {}
        self._forced_day = ""
        self._settled: dict[str, float] = {}

    def now(self) -> datetime:
        return self._market.now()

    def trading_day(self) -> str:
        return max(self._forced_day, self._market.trading_day())

    def poll(self) -> list[f.DepthField | DayTurn]:
        due, self._due = self._due, []
        for event in self._market.poll():
            if isinstance(event, DayTurn):
                if event.new_day > self._forced_day:
                    due.append(event)
                    self._settled = {}
            elif event.InstrumentID not in self._fixed:
                due.append(self._dated(event))
        return due

    def watch(self, instruments: set[str]) -> None:
        self._market.watch(instruments)

    def quote(self, instrument: str) -> f.DepthField | None:
        quote = self._fixed.get(instrument) or self._market.quote(instrument)
        return self._dated(quote) if quote is not None else None

    def instruments(self) -> dict[str, f.InstrumentField]:
        return {
            symbol: replace(
                contract, PreSettlementPrice=self._settled.get(symbol, contract.PreSettlementPrice)
            )
            for symbol, contract in self._market.instruments().items()
        }

    def phase(self, instrument: str) -> Phase:
        return self._market.phase(instrument)

    def state(self) -> dict[str, Any]:
        fixed = {symbol: msgspec.to_builtins(quote) for symbol, quote in self._fixed.items()}
        return {
            "market": self._market.state(),
            "fixed": fixed,
            "forced_day": self._forced_day,
            "settled": self._settled,
        }

    def progress(self) -> int:
        return self._market.progress()

    def resume(self, state: dict[str, Any], progress: int = 0) -> None:
        self._market.resume(state.get("market", {}), progress)
        self._fixed = {
            symbol: msgspec.convert(quote, f.DepthField) for symbol, quote in state.get("fixed", {}).items()
        }
        self._forced_day, self._settled = state.get("forced_day", ""), state.get("settled", {})

    def set_quote(
        self,
        symbol: str,
        bid: float,
        bid_volume: int,
        ask: float,
        ask_volume: int,
        last: float,
        traded: int = 0,
    ) -> None:
        template = self.quote(symbol)
        if template is None:
            raise ValueError(f"no quote of {symbol} to start from")
        now = self.now()
        millisecond = now.microsecond // 1000
        if (template.UpdateTime, template.UpdateMillisec) == (f"{now:%H:%M:%S}", millisecond):
            millisecond = (millisecond + 1) % 1000  # a fresh snapshot even within the same millisecond
        quote = replace(
            template,
            BidPrice1=bid if bid_volume else 0.0,
            BidVolume1=bid_volume,
            AskPrice1=ask if ask_volume else 0.0,
            AskVolume1=ask_volume,
            LastPrice=last,
            Volume=template.Volume + traded,
            UpdateTime=f"{now:%H:%M:%S}",
            UpdateMillisec=millisecond,
        )
        self._fixed[symbol] = quote
        self._due.append(self._dated(quote))

    def release_quote(self, symbol: str) -> None:
        self._fixed.pop(symbol, None)

    def turn_day(self, prices: Mapping[str, float], new_day: str) -> str:
        old_day = self.trading_day()
        new_day = new_day or _next_weekday(old_day)
        if new_day <= old_day:
            raise ValueError(f"{new_day} is not after {old_day}")
        self._forced_day = new_day
        self._settled |= prices
        self._due.append(DayTurn(old_day, new_day, dict(prices)))
        return new_day

    def set_clock(self, now: str) -> None:
        setter = getattr(self._market, "set_clock", None)
        if setter is None:
            raise ValueError("this market's clock cannot be set")
        setter(datetime.fromisoformat(now).replace(tzinfo=self.now().tzinfo))

    def _dated(self, quote: f.DepthField) -> f.DepthField:
        return quote if quote.TradingDay >= self._forced_day else replace(quote, TradingDay=self._forced_day)


def _next_weekday(day: str) -> str:
    following = datetime.strptime(day, "%Y%m%d") + timedelta(days=1)
    while following.weekday() >= 5:
        following += timedelta(days=1)
    return f"{following:%Y%m%d}"


class FaultyCore(Core):
    """A core that refuses, rejects and holds back on command."""

    def __init__(self, state: Any, market: FaultyMarket, capital: float, market_orders: MarketOrders) -> None:
        self.market = market
        self.refusals: dict[str, Refusal] = {}
        self.rejection = ""
        self.holds: set[str] = set()
        self._held_cancels: list[tuple[Link, f.ReqOrderAction]] = []
        super().__init__(state, market, capital, market_orders)

    def _forced_refusal(self, kind: str) -> Refusal | None:
        return self.refusals.pop(kind, None)

    def _forced_rejection(self) -> str:
        text, self.rejection = self.rejection, ""
        return text

    def _is_held_back(self, kind: str) -> bool:
        held = kind in self.holds
        self.holds.discard(kind)
        return held

    def _cancel(self, link: Link, session: Session | None, request: f.ReqOrderAction) -> None:
        super()._cancel(link, session, request)
        order = self._find(session, request)
        if order is not None and order.cancelling:
            self._held_cancels.append((link, request))

    def release_orders(self) -> Out:
        """Send the orders that were held back on to the exchange."""
        with self._transaction():
            for account in self._accounts.values():
                for order in account.orders.values():
                    if order.freezes and not order.number:
                        self._send_to_exchange(order)
        return self._taken()

    def release_cancels(self) -> Out:
        """Let the cancels that were held back arrive: what was filled meanwhile cannot be cancelled any
        more.
        """
        with self._transaction():
            for link, request in self._held_cancels:
                session = self._sessions.get(link)
                order = self._find(session, request)
                if order is None or not order.cancelling:
                    continue
                order.cancelling = False
                if order.working:
                    self._finish_cancelled(order)
                elif session is not None and session.native:
                    self._tell_cancel_refused(order.account, request, refusal_of(26))
                else:
                    self._out.append((link, cancel_refused(request, refusal_of(26))))
            self._held_cancels.clear()
        return self._taken()

    def restart_flow(self) -> None:
        """What a restart of the core from its flow does to the day's orders: each gets the triple that
        another one had, the last a new one; refusals are in no exchange's flow, so they are gone, and so are
        cancels on their way. Sessions have to be ended before.
        """
        with self._transaction():
            self._last_session += 1
            self._state.put("session", self._last_session)
            for account in self._accounts.values():
                orders = list(account.orders.values())
                triples = [(order.row.FrontID, order.row.SessionID, order.row.OrderRef) for order in orders]
                for order, (front, session, ref) in zip(
                    orders, [*triples[1:], (FRONT_ID, self._last_session, "1")], strict=False
                ):
                    order.row = replace(order.row, FrontID=front, SessionID=session, OrderRef=ref)
                    self._save(order)
        self._held_cancels.clear()
        self._load()

    def burst(self, symbol: str, count: int) -> Out:
        """Snapshots that differ in volume and millisecond alone."""
        quote = self._exchange.newest(symbol)
        if quote is None:
            raise ValueError(f"no quote of {symbol} to start from")
        with self._transaction():
            self._publish(
                [
                    replace(quote, Volume=quote.Volume + n, UpdateMillisec=n % 1000)
                    for n in range(1, count + 1)
                ]
            )
        return self._taken()

    def force_close(self, user: str, symbol: str, direction: str, volume: int, offset: str) -> Out:
        """An order of the broker's, of no session: by its price it takes what is quoted, what is left is
        gone.
        """
        if offset not in FORCED:
            raise ValueError(f"not a forced offset: {offset}")
        lower, upper = self._exchange.limits(symbol)
        with self._transaction():
            account, row = self._close_row(
                user, symbol, direction, volume, lower if direction == "long" else upper
            )
            self._accept(account, replace(row, CombOffsetFlag=offset, TimeCondition="1"))
        return self._taken()

    def place_conditional(
        self, user: str, symbol: str, direction: str, volume: int, price: float
    ) -> tuple[str, Out]:
        """A stop of another terminal's: it waits in the counter, known to no exchange, under a number of the
        counter's own.
        """
        with self._transaction():
            account, row = self._close_row(user, symbol, direction, volume, price)
            waiting = sum(order.row.OrderSysID.startswith(CONDITIONAL) for order in account.orders.values())
            row = replace(
                row,
                FrontID=9,
                SessionID=99,
                OrderStatus=WAITING,
                OrderSubmitStatus="0",
                OrderSysID=f"{CONDITIONAL}{waiting + 1}",
            )
            self._last_place += 1
            order = account.orders[row.FrontID, row.SessionID, row.OrderRef] = Order(
                self._last_place, account, row, price
            )
            self._remember_contract(symbol)
            self._update(order, StatusMsg="尚未触发")
        return row.OrderSysID, self._taken()

    def trigger(self, user: str, number: str) -> Out:
        """Its price has come: the conditional order is over, and what it was for is checked and sent as an
        order of its own.
        """
        account = self._account_named(user)
        order = next(order for order in account.orders.values() if order.row.OrderSysID == number)
        if order.row.OrderStatus != WAITING:
            raise ValueError(f"{number} does not wait")
        with self._transaction():
            self._update(order, OrderStatus="c", StatusMsg="已触发")
            row = order.row
            refusal = self._check_position(account, row) or self._check_money(account, row)
            if refusal is not None:
                self._tell(
                    account,
                    f.RtnErrorConditionalOrder(order=row, ErrorID=refusal.error_id, ErrorMsg=refusal.text),
                )
            else:
                account, row = self._close_row(
                    user,
                    row.InstrumentID,
                    "long" if row.Direction == "1" else "short",
                    row.VolumeTotalOriginal,
                    row.LimitPrice,
                )
                self._accept(account, row)
        return self._taken()

    def _account_named(self, user: str) -> PaperAccount:
        return next(account for account in self._accounts.values() if account.stored.user == user)

    def _close_row(
        self, user: str, symbol: str, direction: str, volume: int, price: float
    ) -> tuple[PaperAccount, f.OrderField]:
        """An order of no session that closes a position: of today's lots where these are apart."""
        account = self._account_named(user)
        request = f.ReqOrderInsert(
            InstrumentID=symbol,
            ExchangeID="",
            OrderRef=str(len(account.orders) + 1),
            Direction="1" if direction == "long" else "0",
            CombOffsetFlag=CLOSE_TODAY,
            OrderPriceType="2",
            TimeCondition="3",
            VolumeCondition="1",
            LimitPrice=price,
            VolumeTotalOriginal=volume,
        )
        return account, replace(
            self._order_row(None, request), BrokerID=account.stored.broker, InvestorID=user, FrontID=0
        )

    def books(self) -> list[dict[str, Any]]:
        """Every account as it stands."""
        return [
            {
                "broker": account.stored.broker,
                "user": account.stored.user,
                "trading_day": self._trading_day,
                "money": msgspec.to_builtins(
                    self._money_of(account, native=bool(self.links(account.stored.user, native=True)))
                ),
                "lots": [lot._asdict() for lot in account.book.open_lots()],
                "orders": [msgspec.to_builtins(order.row) for order in account.orders.values()],
                "fills": [msgspec.to_builtins(trade) for trade in account.trades],
                "trades": len(account.trades),
            }
            for account in self._accounts.values()
        ]

    def user_of(self, link: Link) -> str:
        session = self._sessions.get(link)
        return session.user if session is not None else ""


class FaultyOutgoing(Outgoing):
    """Callbacks held back, doubled or swapped."""

    def __init__(self, core: FaultyCore) -> None:
        self._core = core
        self._muted: set[str] = set()
        self._held: Out = []
        self._doubles: dict[str, int] = defaultdict(int)
        self._swaps: set[str] = set()
        self._waiting: dict[Link, f.Frame] = {}  # the first of two that are being swapped

    def send(self, out: Out) -> None:
        super().send(list(self._bent(out)))

    def mute(self, user: str) -> None:
        self._muted.add(user)

    def unmute(self, user: str) -> None:
        self._muted.discard(user)
        held, self._held = self._held, []
        self.send(held)  # what is still muted is held again

    def duplicate(self, user: str, count: int) -> None:
        self._doubles[user] += count

    def reorder(self, user: str) -> None:
        self._swaps.add(user)

    def _bent(self, out: Out) -> Iterator[tuple[Link, f.Frame]]:
        for link, frame in out:
            names = {"", self._core.user_of(link)}
            if names & self._muted and not isinstance(frame, f.Heartbeat):
                self._held.append((link, frame))
                continue
            if not isinstance(frame, f.RtnOrder | f.RtnTrade):
                yield link, frame
                continue
            first = self._waiting.pop(link, None)
            if first is None and names & self._swaps:
                self._swaps -= names
                self._waiting[link] = frame
                continue
            yield link, frame
            if first is not None:
                yield link, first
            for name in names:
                if self._doubles[name]:
                    self._doubles[name] -= 1
                    yield link, frame


class FaultListener:
    """The test's door. See the module's docstring for the commands."""

    def __init__(
        self, address: str, server: CounterServer, core: FaultyCore, outgoing: FaultyOutgoing
    ) -> None:
        self._server, self._core, self._outgoing = server, core, outgoing
        self._channel = Server(address, self._on_frame)

    def start(self) -> None:
        self._channel.start()

    def _on_frame(self, connection: Connection, data: bytes) -> None:
        try:
            arguments = msgspec.msgpack.decode(data)
            command: Callable[..., Any] = getattr(self, "do_" + arguments.pop("do"))
            answer = {
                "ok": True,
                "result": self._server.call(lambda: command(**arguments)).result(CALL_SECONDS),
            }
        except Exception as error:  # the edge of a test's command: its sender is told
            log.exception("fault command failed")
            answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        connection.send(msgspec.msgpack.encode(answer))

    # ── each in the core's thread ──

    def do_drop(self, user: str = "", front: str = "") -> int:
        links = self._core.links(user, front)
        for link in links:
            link.close()  # type: ignore[attr-defined]
            self._core.disconnected(link)
        return len(links)

    def do_restart_flow(self) -> None:
        self.do_drop(front="td")
        self._core.restart_flow()

    def do_mute(self, user: str = "") -> None:
        self._outgoing.mute(user)

    def do_unmute(self, user: str = "") -> None:
        self._outgoing.unmute(user)

    def do_duplicate(self, user: str = "", count: int = 1) -> None:
        self._outgoing.duplicate(user, count)

    def do_reorder(self, user: str = "") -> None:
        self._outgoing.reorder(user)

    def do_refuse_next(self, kind: str, error_id: int, text: str) -> None:
        self._core.refusals[kind] = Refusal(error_id, text)

    def do_reject_next(self, text: str) -> None:
        self._core.rejection = text

    def do_hold(self, kind: str) -> None:
        self._core.holds.add(kind)

    def do_release(self, kind: str) -> None:
        self._core.holds.discard(kind)
        self._outgoing.send(self._core.release_orders() if kind == "order" else self._core.release_cancels())

    def do_set_rules(self, **rules: Any) -> None:
        self._core.desk.rules = msgspec.convert(rules, Rules)

    def do_disconnect(self, reason: int, user: str = "", front: str = "") -> int:
        return self._control(f.FrontControl(reason=reason), user, front)

    def do_refuse_sends(
        self, request: str, code: int, count: int = 1, user: str = "", front: str = ""
    ) -> int:
        return self._control(f.FrontControl(request=request, code=code, count=count), user, front)

    def _control(self, control: f.FrontControl, user: str, front: str) -> int:
        links = self._core.links(user, front, native=True)
        self._outgoing.send([(link, control) for link in links])
        return len(links)

    def do_burst(self, symbol: str, count: int) -> None:
        self._outgoing.send(self._core.burst(symbol, count))

    def do_force_close(self, user: str, symbol: str, direction: str, volume: int, offset: str = "2") -> None:
        self._outgoing.send(self._core.force_close(user, symbol, direction, volume, offset))

    def do_place_conditional(self, user: str, symbol: str, direction: str, volume: int, price: float) -> str:
        number, out = self._core.place_conditional(user, symbol, direction, volume, price)
        self._outgoing.send(out)
        return number

    def do_trigger(self, user: str, number: str) -> None:
        self._outgoing.send(self._core.trigger(user, number))

    def do_set_quote(self, **quote: Any) -> None:
        self._core.market.set_quote(**quote)
        self._server.advance()

    def do_release_quote(self, symbol: str) -> None:
        self._core.market.release_quote(symbol)

    def do_turn_day(self, prices: Mapping[str, float], new_day: str = "") -> str:
        new_day = self._core.market.turn_day(prices, new_day)
        self._server.advance()
        return new_day

    def do_set_clock(self, now: str) -> None:
        self._core.market.set_clock(now)
        self._server.advance()

    def do_books(self) -> list[dict[str, Any]]:
        return self._core.books()
