"""One account's gateway put together, and its answers to the calls of web, host and strategies. Gateway
process.

Calls arrive in the channel's reader threads. What reads or changes the account runs in the event thread; what
only reads the store (bars, the journal) runs in a thread of its own, so that a long range holds up neither a
tick nor an order.
"""

from __future__ import annotations

import contextvars
import hashlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from app.default_settings import AccountApi
from app.gateway.account import AccountDesk, AccountView, Fronts
from app.gateway.app import BackendApp, connect_info
from app.gateway.audit import AuditBook, kept_head
from app.gateway.audit_pages import AuditPages
from app.gateway.bars import BarArchive, BarDesk, kind_of_hours, trading_day_by
from app.gateway.config import AccountConfig
from app.gateway.connections import ConnectionHistory
from app.gateway.contracts import ContractDesk
from app.gateway.dialer import Dialer
from app.gateway.equity import EquityHistory
from app.gateway.journal import Journal
from app.gateway.last_known import LastKnown
from app.gateway.listener import AccountListener
from app.gateway.logbook import LogBook
from app.gateway.login import LoginDesk, NamedFront, described
from app.gateway.meters import Meters
from app.gateway.orders import OrderDesk
from app.gateway.preview import PreviewDesk
from app.gateway.publisher import Publisher
from app.gateway.risk.assembly import Risk
from app.gateway.risk.group import Group
from app.gateway.settlement import SettlementDesk
from app.gateway.strategies.doorkeeper import Doorkeeper
from app.gateway.strategies.joined import Strategies, StrategyFeed
from app.gateway.subscriptions import Subscriptions
from app.gateway.tick_recorder import recorder_of
from app.interfaces.ledger import Ledger
from app.lib import rows
from app.lib.account_groups import members_beside
from app.lib.bars import BarBuilder
from app.lib.brokers import Brokers
from app.lib.errors import BadInput
from app.lib.interface_names import CTP_INTERFACES
from app.lib.market_orders import market_orders
from app.lib.sessions import hours_named
from app.lib.symbols import product_of
from app.model.store import Store
from app.process.event_loop import EventLoop
from app.settings import Settings
from app.wire import channel, door
from app.wire import messages as m
from app.wire.channel import Connection
from app.wire.messages import AnyRequest, Done, Json, Login
from app.wire.registry import Entry, Registry, gateway_of
from app.wire.rpc import Last, Responder, RpcServer, respond

CALENDAR_SECONDS = 1.0
KEEP_SECONDS = 60.0  # between two times that what is shown is kept
EQUITY_SECONDS = 1.0  # between two looks whether a minute has begun

log = logging.getLogger("account")

Handler = Callable[[Connection, Any, Responder], object]


class Gateway:
    """`start` from any thread; `on_end(exit code)` is called, in any thread, when the process is to end."""

    def __init__(
        self, settings: Settings, login: Login, store: Store, folder: Path, on_end: Callable[[int], None]
    ) -> None:
        self._settings, self._login, self._store, self._on_end = settings, login, store, on_end
        self._registry = Registry(settings.data_dir)
        self.loop = EventLoop()
        self._archive = ThreadPoolExecutor(1, "archive")
        self._make_account(folder)
        self._make_trading(folder)
        self._make_listener()
        self._handlers = _table(self)
        run_dir = self._registry.run_dir
        digest = hashlib.sha256(login.account.encode()).hexdigest()[:12]
        address = channel.new_address(run_dir, f"gw-{digest}.sock")
        self._server = RpcServer(address, self._handle, self._on_close)
        self._doorkeeper = Doorkeeper(run_dir, login.account, self._handle)
        self._door = RpcServer(door.address(run_dir, login.account), self._doorkeeper.handle, self._on_close)

    # ── putting together ──

    def _make_account(self, folder: Path) -> None:
        """ctpbee's app and what is known of the account; where it is told and kept."""
        login, store = self._login, self._store
        self._front = NamedFront(login, store, Brokers(self._settings.fronts))
        info = connect_info(login, self._settings, folder, self._front.why_barred(), self._counter_address)
        self.app = BackendApp(login.account, self.loop, store, Ledger(login.interface), login.interface, info)
        self.fronts = Fronts()
        kind = kind_of_hours(login.interface, self._settings)
        self._hours, day_of = hours_named(kind), trading_day_by(kind)
        self._account = AccountView(self.app, self.fronts, login.interface, login.userid, day_of)
        self._publisher = Publisher(self.loop, self._account.lists, store.last_seq())
        self.log_book = LogBook(
            login.account, self.loop.post, lambda line: self._publisher.push("log", rows.to_json(line))
        )
        self._history = ConnectionHistory(store)
        self._config = AccountConfig(store, self.app.config, self._on_config)
        self._last_known = LastKnown(
            store, self._account, self.app.ledger, lambda: self.app.trader.counter_now()
        )
        self._bars = BarArchive(store, day_of, self._hours.periods, self._on_bars_saved)
        self.audit = AuditBook(folder / "audit", store)
        heard = self.audit.hearing(self._publisher.journaled)
        self._journal = Journal(store, self.loop.post, heard, self._bars.save)
        self.app.ticks = recorder_of(self._settings, folder, lambda: self.app.market.day)

    def _make_trading(self, folder: Path) -> None:
        """What takes orders and subscriptions, and ctpbee's extensions in the order in which they hear."""
        self._subscriptions = Subscriptions(
            self._store,
            self._account.resolve,
            front=lambda: self.app.market,
            on_added=lambda local_symbols: self._api.on_subscribed(local_symbols),
            on_removed=lambda local_symbols: self._api.on_unsubscribed(local_symbols),
        )
        self._risk = _risk_of(self, folder)
        self._desk = OrderDesk(
            account=self._account,
            trader=lambda: self.app.trader,
            book=lambda: self.app.ledger.book,
            config=self.app.config,
            store=self._store,
            journal=self._journal,
            loop=self.loop,
            timeout=self._settings.order_timeout,
            subscribe=lambda symbol: self._subscriptions.add([symbol]),
            refused_unheard=self._publisher.refused,
            gate=self._risk.gate,
        )
        self._strategies = Strategies(
            name=self._login.account,
            app=self.app,
            account=self._account,
            fronts=self.fronts,
            desk=self._desk,
            store=self._store,
            loop=self.loop,
            config=self._config.current,
            log_book=self.log_book,
            publisher=self._publisher,
            limits=self._risk.gate.limits,
        )
        self._equity = EquityHistory(
            self._store, self._account, self._strategies.profits, self._hours, self._archive
        )
        self._api = AccountApi(
            "account",
            self.app,
            account=self._account,
            publisher=self._publisher,
            journal=self._journal,
            bars=BarBuilder(self._hours, product_of, self._account.size_of),
            desk=self._desk,
            on_bar=self._strategies.bar,
            folder=folder,
        )
        StrategyFeed("strategies", self.app, self._strategies, folder)

    def _make_listener(self) -> None:
        self.logins = LoginDesk(
            login=self._login,
            loop=self.loop,
            account=self._account,
            fronts=self.fronts,
            front=self._front,
            trader=lambda: self.app.trader,
            market=lambda: self.app.market,
            is_loading=lambda: self._publisher.muted,
            on_end=self._on_end,
        )
        self.listener = self.app.listener = AccountListener(
            app=self.app,
            api=self._api,
            fronts=self.fronts,
            account=self._account,
            publisher=self._publisher,
            strategies=self._strategies,
            subscriptions=self._subscriptions,
            login=self.logins,
            front=self._front,
            last_known=self._last_known,
            journal=self._journal,
            desk=self._desk,
            equity=self._equity,
            gate=self._risk.gate,
            history=self._history,
            settings=self._settings,
            archive=self._archive,
        )
        self.listener.on_store(self._store.state())
        self._store.on_state(lambda state: self.loop.post(self.listener.on_store, state))

    # ── life ──

    def start(self) -> None:
        """Listen, register, and begin to log in."""
        log.info("%s", described(self._login))
        self.loop.post(self.app.start)  # first of all: every call finds an app that has started
        if self._login.interface in CTP_INTERFACES and self._settings.ctp_hours == "exchange":
            self.loop.post(Dialer(self.loop, lambda: (self.app.trader, self.app.market)).start)
        self.loop.every(lambda: CALENDAR_SECONDS, self.listener.look_at_calendar)
        self.loop.every(lambda: KEEP_SECONDS, self._last_known.keep)
        self.loop.every(lambda: KEEP_SECONDS, self._history.alive)
        self.loop.every(lambda: EQUITY_SECONDS, self._equity.look)
        self._server.start()
        self._door.start()
        _register(self)
        self._risk.group.start()

    def stop(self) -> None:
        """Let go of everything; working orders stay at the counter. The event loop has stopped."""
        if self._account.is_ready():
            self._last_known.keep()
        self._history.close()
        self._registry.unregister(gateway_of(self._login.account))
        self._risk.group.stop()
        self.app.release()
        self._door.close(flush=0.3)
        self._server.close(flush=0.3)
        self._archive.shutdown(wait=False, cancel_futures=True)
        if not self._journal.close(1.0):
            log.error("日志未能在 1 秒内写完")

    @property
    def address(self) -> str:
        """Where webs and the host ask."""
        return self._server.address

    def _counter_address(self) -> str:
        """Where the counter listens now: after a restart it may be somewhere else."""
        entry = self._registry.find("counter")
        return entry.address if entry is not None else self._login.counter_address

    def _on_config(self, names: set[str]) -> None:
        if "REFRESH_INTERVAL" in names:
            self.app.restart_refresh()
        self._strategies.tell_config()

    def _on_bars_saved(self, local_symbol: str) -> None:
        self.loop.post(self._publisher.push, m.BARS_SAVED, b"{}", local_symbol)

    # ── calls ──

    def _handle(self, connection: Connection, request: AnyRequest, reply: Responder) -> None:
        handler = self._handlers.get(type(request))
        if handler is None:
            raise BadInput("request", f"网关不答 {type(request).__name__}")
        handler(connection, request, reply)

    def _in_event_thread(self, reply: Responder, answer: Callable[[], Any]) -> None:
        context = contextvars.copy_context()  # the request's id goes into what is logged there
        self.loop.post(context.run, respond, reply, answer)

    def _on_close(self, connection: Connection) -> None:
        self._doorkeeper.forget(connection)
        self.loop.post(self._publisher.forget, connection)
        self.loop.post(self._strategies.forget, connection)
        self.loop.post(self._risk.group.forget, connection)


def _register(gateway: Gateway) -> None:
    """Where it is found, and by whom. What was kept for it until then is read once more."""
    login = gateway._login
    gateway._registry.register(
        name=gateway_of(login.account),
        kind="gateway",
        address=gateway.address,
        door=gateway._door.address,
        account=login.account,
        interface=login.interface,
        brokerid=login.brokerid,
        userid=login.userid,
        td_address=login.td_address,
        md_address=login.md_address,
    )
    gateway.loop.post(gateway._risk.gate.states.read)


def _find_member(gateway: Gateway, account: str) -> Entry | None:
    """The gateway of an account of the same group. Paper orders and real ones never meet."""
    entry = gateway._registry.find(gateway_of(account))
    is_real = gateway._login.interface in CTP_INTERFACES
    return entry if entry is not None and (entry.interface in CTP_INTERFACES) == is_real else None


def _shut_down(gateway: Gateway, _connection: Connection, request: m.ShutDown, reply: Responder) -> None:
    if request.by:
        logging.getLogger("account.risk").warning("强制退出：%s", request.by)
    reply(Last(Done(), lambda: gateway._on_end(0)))


def _on_strategy(gateway: Gateway, changed: m.StrategyChanged) -> Done:
    gateway._risk.switches.strategy_is(changed.name, changed.stopped or changed.deleted)
    if changed.deleted:
        gateway._risk.gate.strategy_deleted(changed.name)
    return gateway._publisher.strategy(changed)


def _risk_of(gateway: Gateway, folder: Path) -> Risk:
    """The gate before the order desk, which is made after it."""
    made = Risk(
        app=gateway.app,
        account=gateway._account,
        journal=gateway._journal,
        store=gateway._store,
        subscribed=lambda: gateway._subscriptions,
        hours=gateway._hours,
        strategy_held=lambda name, symbol: gateway._strategies.held(name, symbol),
        orders=lambda: gateway._desk,
        push=lambda payload: gateway._publisher.push("risk", payload),
        override=gateway._settings.risk_thresholds,
        has_flow_control=gateway._login.interface in CTP_INTERFACES,
        timeout=gateway._settings.order_timeout,
        folder=folder,
        group=partial(
            Group,
            gateway._login.account,
            members_beside(gateway._login.account, gateway._settings.account_groups),
            partial(_find_member, gateway),
            gateway.loop,
        ),
    )
    gateway._publisher.states = made.gate.states.shown
    return made


def _table(gateway: Gateway) -> dict[type, Handler]:  # long: a line for each message
    """Which part of the gateway answers which call: in the event thread, but for what is only the store's."""

    def asked(answer: Callable[[Any], Any]) -> Handler:
        return lambda _connection, request, reply: events(reply, lambda: answer(request))

    def asked_by(answer: Callable[[Connection, Any], Any]) -> Handler:
        return lambda connection, request, reply: events(reply, lambda: answer(connection, request))

    def in_archive(answer: Callable[[Any], Any]) -> Handler:
        return lambda _connection, request, reply: archive(respond, reply, lambda: answer(request))

    events, archive = gateway._in_event_thread, gateway._archive.submit
    loaded, shown = gateway.logins.once_loaded, gateway.logins.once_shown
    taken = market_orders(gateway._settings.market_orders)
    lists = AccountDesk(gateway._account, gateway.log_book)
    contracts = ContractDesk(gateway._account, gateway._publisher, gateway._hours, taken)
    bars = BarDesk(
        gateway._bars,
        gateway._store,
        gateway._account.resolve,
        lambda: gateway.app.trader.counter_now(),
        archive,
    )
    preview = PreviewDesk(
        gateway._account,
        gateway.app.ledger,
        gateway._desk.checked,
        lambda symbol: gateway.app.trader.want_rates(symbol),
        taken,
        gateway._risk.gate.preview,
    )
    settlement = SettlementDesk(gateway._store, lambda: gateway.app.trader)
    meters = Meters(
        fronts=gateway.fronts,
        publisher=gateway._publisher,
        loop=gateway.loop,
        journal=gateway._journal,
        store=gateway._store,
        bars=gateway._bars,
        desk=gateway._desk,
    )
    return {
        m.AwaitLogin: asked(gateway.logins.await_login),
        m.CheckPassword: asked(gateway.logins.check_password),
        m.GiveWay: asked(gateway.logins.give_way),
        m.ChangePassword: asked(gateway.logins.change_password),
        m.ReadSettlement: asked(settlement.read),
        m.ConfirmSettlement: asked(settlement.confirm),
        m.Watch: asked_by(lambda connection, _request: Json(gateway._publisher.watch(connection))),
        m.ReadLists: asked(shown(lists.read_lists)),
        m.PushContracts: asked(shown(contracts.push_contracts)),
        m.ReadAccount: asked(shown(lists.read_account)),
        m.ReadTick: asked(shown(contracts.read_tick)),
        m.ListContracts: asked(shown(contracts.list_contracts)),
        m.DescribeContract: asked(shown(contracts.describe_contract)),
        m.PlaceOrder: asked_by(gateway._strategies.place),
        m.PreviewOrder: asked(loaded(preview.preview)),
        m.CancelOrder: asked(gateway._desk.cancel),
        m.CancelAll: asked(gateway._desk.cancel_all),
        m.ClosePosition: asked(gateway._desk.close_position),
        m.FindOrder: asked(loaded(gateway._strategies.find)),
        m.VoidOrder: asked(gateway._desk.void),
        m.Subscribe: asked(shown(gateway._subscriptions.subscribe)),
        m.Unsubscribe: asked(shown(gateway._subscriptions.unsubscribe)),
        m.ReadBars: asked(bars.read),
        m.SaveBars: in_archive(bars.save),
        m.ReadEvents: in_archive(gateway._journal.read),
        m.ReadEquity: in_archive(gateway._equity.read),
        m.ReadConfig: asked(gateway._config.read),
        m.WriteConfig: asked(gateway._config.write),
        m.ReadMetrics: asked(meters.read),
        m.ReadStatus: asked(lambda _request: Json(rows.to_json(gateway.fronts.data()))),
        m.JoinStrategy: asked_by(loaded(gateway._strategies.join)),
        m.WatchTicks: asked_by(gateway._strategies.watch_ticks),
        m.StrategySaid: asked(gateway._strategies.said),
        m.StrategyChanged: asked(partial(_on_strategy, gateway)),
        m.BacktestChanged: asked(gateway._publisher.backtest),
        m.StrategyBeat: asked(gateway._risk.desk.strategy_lives),
        m.ReadStrategy: asked(loaded(gateway._strategies.read)),
        m.SetStrategyLimits: asked(gateway._strategies.limit),
        m.ReadRisk: asked(shown(gateway._risk.desk.read)),
        m.WriteRisk: asked(gateway._risk.desk.write),
        m.SetRiskState: asked(gateway._risk.desk.change),
        m.CancelSelected: asked(gateway._risk.desk.cancel),
        m.GiveSign: asked(gateway._risk.desk.sign),
        m.ReadAudit: in_archive(AuditPages(gateway.audit.folder, lambda: kept_head(gateway._store)).read),
        m.ReadConnections: asked(gateway._history.read),
        m.WatchResting: asked_by(loaded(gateway._risk.group.watch)),
        m.Beat: asked(gateway._risk.desk.beat),
        m.ShutDown: partial(_shut_down, gateway),
    }
