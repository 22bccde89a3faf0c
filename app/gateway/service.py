"""One account's gateway put together, and its answers to the calls of web, host and strategies. Gateway process.

Calls arrive in the channel's reader threads. What reads or changes the account runs in the event thread; what only reads the
store (bars, the journal) runs in a thread of its own, so that a long range holds up neither a tick nor an order.
"""

from __future__ import annotations

import contextvars
import hashlib
import hmac
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

import msgspec

from app.default_settings import AccountApi
from app.gateway import channel, door
from app.gateway.account import STATE_TEXT, AccountView, Fronts, Past
from app.gateway.bar_archive import BarArchive, Range
from app.gateway.bee import BackendApp
from app.gateway.channel import Connection
from app.gateway.dialer import Dialer
from app.gateway.identity import Identity
from app.gateway.interfaces import CTP_INTERFACES
from app.gateway.interfaces.ctp import NEWEST, SETTLEMENT_SCOPE
from app.gateway.interfaces.side import LOGGED_IN
from app.gateway.journal import Journal
from app.gateway.last_known import LastKnown, Lists
from app.gateway.ledger import Ledger
from app.gateway.logbook import LogBook
from app.gateway.loop import EventLoop, Timer
from app.gateway.messages import (
    BARS_SAVED,
    AnyReply,
    AnyRequest,
    AwaitLogin,
    CancelAll,
    CancelOrder,
    ChangePassword,
    CheckPassword,
    ClosePosition,
    ConfirmSettlement,
    Counted,
    DescribeContract,
    Done,
    FindOrder,
    GiveWay,
    JoinStrategy,
    Json,
    OrderOutcome,
    PlaceOrder,
    PushContracts,
    ReadBars,
    ReadConfig,
    ReadEvents,
    ReadLists,
    ReadMetrics,
    ReadSettlement,
    ReadStatus,
    ReadStrategy,
    SaveBars,
    SetStrategyLimits,
    ShutDown,
    StrategyChanged,
    StrategySaid,
    StrategyState,
    Subscribe,
    Symbols,
    Unsubscribe,
    Watch,
    WatchTicks,
    WriteConfig,
)
from app.gateway.meters import Meters
from app.gateway.orders import OrderDesk
from app.gateway.publisher import Publisher
from app.gateway.registry import PROTOCOL, Registry, other_version
from app.gateway.rpc import Last, RpcServer
from app.gateway.strategies import Strategies, StrategyFeed, said_rows
from app.gateway.subscriptions import Subscriptions
from app.lib import account_config, calendar, rows
from app.lib.advice import refusal_text, refused_by
from app.lib.bars import CUTS, INTERVALS, BarBuilder
from app.lib.brokers import Brokers, Front, addresses
from app.lib.calendar import SHANGHAI, compact, parse_day, trading_day_of
from app.lib.errors import AppError, BadInput, FrontUnreachable, LoginDelayed, LoginRefused, NotAllowed, NotFound, NotReady, SettingsError
from app.lib.market_orders import market_orders
from app.lib.sessions import hours_named
from app.lib.symbols import parse_symbol, product_of
from app.model.store import Store, StoreFailed, StoreState
from app.settings import Settings

CALENDAR_SECONDS = 1.0
OF_STRATEGIES = (PlaceOrder, CancelOrder, FindOrder, Subscribe, WatchTicks, StrategySaid)
"""What a strategy may ask."""
KEEP_SECONDS = 60.0  # between two times that what is shown is kept
CONFIG_SCOPE = "config"
DEFAULT_RANGE = timedelta(days=3)
LATEST = 1 << 53
MOST_EVENTS = 10_000
REFUSED_LINGER = 10.0
"""How long a refused gateway stays to tell who asks; whoever started it asks as soon as it listens."""
LOADING_LIMIT = 5.0
"""How long a call waits for lists that are loading."""
EXIT_LOGIN_REFUSED = 3
JUDGING = ("authenticating", "logging_in")
"""States of the trading front in which the counter has the password before it."""

log = logging.getLogger("account")


class Login(msgspec.Struct, forbid_unknown_fields=True):
    """The one line on stdin: whose gateway this is. The password lives here and nowhere else."""

    account: str
    interface: str
    brokerid: str
    userid: str
    password: str
    auth_code: str = ""
    appid: str = ""
    td_address: str = ""
    md_address: str = ""
    counter_address: str = ""
    new_password: str = ""  # to be set at this login
    password_taken: bool = False  # the counter has taken this password before: the host starts the gateway again

    def __repr__(self) -> str:
        return f"Login({self.account})"


def kind_of_hours(interface: str, settings: Settings) -> Literal["always", "exchange", "open"]:
    """Which hours the account's bars have, as app/lib/sessions.py names them."""
    if interface in CTP_INTERFACES:
        return "open" if settings.ctp_hours == "always" else "exchange"
    return settings.counter_hours if settings.counter_quotes == "generated" else "exchange"


class _Deferred(Future[Any]):
    """A future whose work begins when somebody listens to it: what the work sends comes after the answer."""

    def __init__(self, begin: Callable[[], None]) -> None:
        super().__init__()
        self._begin = begin

    def add_done_callback(self, fn: Callable[[Future[Any]], object]) -> None:
        super().add_done_callback(fn)
        begin, self._begin = self._begin, lambda: None
        begin()


def _front_of(named: Login | CheckPassword) -> Front | None:
    """The front that is named there; None for none, and for what is no address: the interface says so before it dials."""
    try:
        return Front(addresses(named.td_address), addresses(named.md_address))
    except ValueError:
        return None


def _still_loading() -> NoReturn:
    raise NotReady("账户正在载入，请稍候", code="LOADING")


def _then(asked: Future[Any], answer: Callable[[Any], Any]) -> Future[Any]:
    """What `answer` makes of the result, or raises; or what went wrong before."""
    future: Future[Any] = Future()

    def hand_on(done: Future[Any]) -> None:
        try:
            future.set_result(answer(done.result()))
        except AppError as error:
            future.set_exception(error)

    asked.add_done_callback(hand_on)
    return future


class _Awaiting(NamedTuple):
    """A call that is answered once the account has loaded."""

    future: Future[Any]
    answer: Callable[[], Any]
    timer: Timer


class Service:
    """`start` from any thread; `on_end(exit code)` is called, in any thread, when the process is to end."""

    def __init__(self, settings: Settings, login: Login, store: Store, folder: Path, on_end: Callable[[int], None]) -> None:
        self._settings = settings
        self._login = login
        self._store = store
        self._on_end = on_end
        self._registry = Registry(settings.data_dir)
        self.loop = EventLoop()
        self._archive = ThreadPoolExecutor(1, "archive")
        self._awaiting: list[_Awaiting] = []
        self._refused: LoginRefused | None = None
        self._identity = Identity(store)
        self._brokers = Brokers(settings.fronts)
        self._front = _front_of(login)

        ledger = Ledger(login.interface)
        self._fronts = Fronts()
        self._app = BackendApp(
            login.account,
            self.loop,
            store,
            ledger,
            login.interface,
            {
                "brokerid": login.brokerid,
                "userid": login.userid,
                "password": login.password,
                "auth_code": login.auth_code,
                "appid": login.appid,
                "td_address": login.td_address,
                "md_address": login.md_address,
                "barred": self._why_barred(),
                "new_password": login.new_password,
                "password_taken": login.password_taken,
                "counter_address": self._counter_address,
                "flow_dir": folder / "flow",
                "query_interval": settings.ctp_query_interval,
                "settlement_confirm": settings.settlement_confirm,
                "never_rests": settings.ctp_hours == "always",
                "market_orders": market_orders(settings.market_orders),
            },
            on_status=self._on_status,
            on_cancel_refused=self._on_cancel_refused,
            on_difference=self._on_difference,
            on_notice=self._on_notice,
            on_remark=self._on_remark,
            on_password=self._on_password,
            on_day=self._begin_day,
        )
        self._config = self._app.config
        self._config.update(account_config.DEFAULTS)
        self._config.update(self._stored_config())
        self._account = AccountView(self._app, self._fronts, login.interface, login.userid)
        self._last_known = LastKnown(store)
        self._publisher = Publisher(self.loop, self._account.lists, store.last_seq())
        kind = kind_of_hours(login.interface, settings)
        self._always_open, hours = kind == "always", hours_named(kind)
        self._bars = BarArchive(store, self._trading_day_of, hours.periods, self._on_bars_saved)
        self._journal = Journal(store, self.loop.post, self._publisher.journaled, self._bars.save)
        self._subscriptions = Subscriptions(store, self._account.resolve, lambda: self._app.market)
        self._desk = OrderDesk(
            account=self._account,
            trader=lambda: self._app.trader,
            book=lambda: ledger.book,
            config=self._config,
            store=store,
            journal=self._journal,
            loop=self.loop,
            timeout=settings.order_timeout,
            subscribe=lambda symbol: self._subscriptions.add([symbol]),
            refused_unheard=self._on_refused_unheard,
        )
        self._api = AccountApi(
            "account",
            self._app,
            account=self._account,
            publisher=self._publisher,
            journal=self._journal,
            bars=BarBuilder(hours, product_of, self._account.size_of),
            desk=self._desk,
            on_bar=lambda closed: self._strategies.bar(closed),
            folder=folder,
        )
        self._strategies = Strategies(
            app=self._app,
            account=self._account,
            fronts=self._fronts,
            desk=self._desk,
            store=store,
            loop=self.loop,
            config=self._current_config,
        )
        StrategyFeed("strategies", self._app, self._strategies, str(folder))
        self.log_book = LogBook(login.account, self.loop.post, lambda line: self._publisher.push("log", rows.to_json(line)))
        self._meters = Meters(
            fronts=self._fronts,
            publisher=self._publisher,
            loop=self.loop,
            journal=self._journal,
            store=store,
            bars=self._bars,
            desk=self._desk,
        )
        self._answers: dict[type, Callable[[Any], Any]] = {
            AwaitLogin: self._await_login,
            CheckPassword: self._check_password,
            GiveWay: self._give_way,
            ReadLists: self._read_lists,
            ChangePassword: self._change_password,
            ReadSettlement: self._read_settlement,
            ConfirmSettlement: lambda _request: _then(self._app.trader.confirm_settlement(), lambda _done: Done()),
            CancelOrder: self._desk.cancel,
            CancelAll: lambda _request: self._desk.cancel_all(),
            ClosePosition: self._desk.close_position,
            Subscribe: lambda request: self._once_shown(lambda: Symbols(self._subscriptions.add(request.symbols))),
            Unsubscribe: self._unsubscribe,
            ReadBars: self._read_bars,
            PushContracts: self._push_contracts,
            DescribeContract: self._describe_contract,
            ReadConfig: lambda _request: Json(rows.to_json(self._current_config())),
            WriteConfig: self._write_config,
            ReadMetrics: lambda _request: Json(msgspec.json.encode(self._meters.figures())),
            ReadStatus: lambda _request: Json(rows.to_json(self._fronts.data())),
            StrategySaid: self._strategy_said,
            StrategyChanged: self._push_strategy,
            ReadStrategy: self._read_strategy,
            SetStrategyLimits: self._strategies.limit,
            FindOrder: lambda request: self._once_loaded(lambda: self._strategies.find(request)),
        }
        self._on_store(store.state())
        store.on_state(lambda state: self.loop.post(self._on_store, state))
        name = f"gw-{hashlib.sha256(login.account.encode()).hexdigest()[:12]}.sock"
        self._server = RpcServer(channel.new_address(self._registry.run_dir, name), self._handle, self._on_close)
        door_address = door.address(self._registry.run_dir, login.account)
        self._came_by_door: dict[Connection, str] = {}  # the name of the strategy that each has proved to be
        self._door = RpcServer(door_address, self._handle_strategy, self._on_close)

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Listen, register, and begin to log in."""
        self.loop.post(self._app.start)  # first of all: every call finds an app that has started
        if self._login.interface in CTP_INTERFACES and self._settings.ctp_hours == "exchange":
            self.loop.post(Dialer(self.loop, lambda: (self._app.trader, self._app.market)).start)
        self.loop.every(lambda: CALENDAR_SECONDS, self.look_at_calendar)
        self.loop.every(lambda: KEEP_SECONDS, self._keep_lists)
        self._server.start()
        self._door.start()
        self._registry.register(
            name=self._name,
            kind="gateway",
            address=self._server.address,
            door=self._door.address,
            account=self._login.account,
            interface=self._login.interface,
            brokerid=self._login.brokerid,
            userid=self._login.userid,
            td_address=self._login.td_address,
            md_address=self._login.md_address,
        )

    def stop(self) -> None:
        """Let go of everything; working orders stay at the counter. The event loop has stopped."""
        if self._account.is_ready():
            self._keep_lists()
        self._registry.unregister(self._name)
        self._app.release()
        self._door.close(flush=0.3)
        self._server.close(flush=0.3)
        self._archive.shutdown(wait=False, cancel_futures=True)
        if not self._journal.close(1.0):
            log.error("日志未能在 1 秒内写完")

    @property
    def _name(self) -> str:
        return f"gateway-{self._login.account}"

    def _counter_address(self) -> str:
        """Where the counter listens now: after a restart it may be somewhere else."""
        entry = self._registry.find("counter")
        return entry.address if entry is not None else self._login.counter_address

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _handle(self, connection: Connection, request: AnyRequest) -> AnyReply | Future[Any] | Last:
        match request:
            case Watch():
                return self._in_event_thread(lambda: Json(self._publisher.watch(connection)))
            case PlaceOrder():
                return self._in_event_thread(lambda: self._strategies.place(connection, request))
            case JoinStrategy():
                return self._in_event_thread(lambda: self._join_strategy(connection, request))
            case WatchTicks():
                return self._in_event_thread(lambda: self._strategies.watch_ticks(connection, request))
            case SaveBars():
                return self._archive.submit(self._save_bars, request)
            case ReadEvents():
                return self._archive.submit(self._read_events, request)
            case ShutDown():
                return Last(Done(), lambda: self._on_end(0))
        answer = self._answers.get(type(request))
        if answer is None:
            raise BadInput("request", f"网关不答 {type(request).__name__}")
        return self._in_event_thread(lambda: answer(request))

    def _handle_strategy(self, connection: Connection, request: AnyRequest) -> AnyReply | Future[Any] | Last:
        """By the door: nobody but a strategy of this account comes in, and it asks in its own name for what a strategy needs."""
        if isinstance(request, JoinStrategy):
            if request.protocol != PROTOCOL:
                raise other_version("策略")
            known = door.secret(self._registry.run_dir, self._login.account, request.name)
            if not hmac.compare_digest(known.encode(), request.secret.encode()):
                log.error("有进程以策略 %s 的名义连接，而密钥不对", request.name)
                raise NotAllowed("这不是该策略的密钥", code="NOT_THIS_STRATEGY")
            self._came_by_door[connection] = request.name
            return self._handle(connection, request)
        name = self._came_by_door.get(connection)
        if name is None or not isinstance(request, OF_STRATEGIES):
            raise NotAllowed(f"策略不能向网关要求 {type(request).__name__}", code="NOT_FOR_STRATEGIES")
        if isinstance(request, PlaceOrder):
            request = msgspec.structs.replace(request, strategy=name)
        elif isinstance(request, StrategySaid):
            request = msgspec.structs.replace(request, name=name)
        return self._handle(connection, request)

    def _in_event_thread(self, answer: Callable[[], Any]) -> Future[Any]:
        """The answer, made in the event thread; one that is itself a future is waited for without holding anything up."""

        def run() -> None:
            try:
                result = answer()
            except Exception as error:  # noqa: BLE001 - the caller's: it crosses the channel as a fault
                outer.set_exception(error)
                return
            if isinstance(result, Future):
                result.add_done_callback(hand_on)
            else:
                outer.set_result(result)

        def hand_on(inner: Future[Any]) -> None:
            error = inner.exception()
            if error is not None:
                outer.set_exception(error)
            else:
                outer.set_result(inner.result())

        context = contextvars.copy_context()  # the request's id goes into what is logged there
        outer = _Deferred(lambda: self.loop.post(context.run, run))
        return outer

    def _on_close(self, connection: Connection) -> None:
        self._came_by_door.pop(connection, None)
        self.loop.post(self._publisher.forget, connection)
        self.loop.post(self._strategies.forget, connection)

    def look_at_calendar(self) -> None:
        """Its file may have changed, its end comes near: pages are told when that is news, the days that are left once a day."""
        try:
            if calendar.refresh():
                log.info("交易日历已按 %s 更正", self._settings.calendar_file)
            told = calendar.outlook(self._app.trader.counter_now().date())
        except SettingsError as error:
            told = calendar.Outlook("broken", f"{error.message}；先前的内容仍然有效")
        if not self._fronts.update("calendar", told.state, told.text):
            return
        self._publisher.push("status", rows.event("status", self._fronts.data()))
        if told.state != "sure":
            self._on_notice("CALENDAR", f"交易日历：{told.text}")

    def _begin_day(self, trading_day: str) -> None:
        calendar.confirm(parse_day(trading_day))
        self._account.forget_rows()
        self._strategies.tell_day(trading_day)
        if self._settings.journal_days:
            self._archive.submit(self._forget_old_days, trading_day)

    def _forget_old_days(self, trading_day: str) -> None:
        before = compact(datetime.strptime(trading_day, "%Y%m%d").date() - timedelta(days=self._settings.journal_days))
        try:
            removed = self._store.prune(before)
        except StoreFailed as error:
            log.warning("早于 %s 的流水未能清理：%s", before, error)
            return
        if removed:
            log.info("清理了早于 %s 的流水，%d 行", before, removed)

    def _read_lists(self, _request: ReadLists) -> Json | Future[Any]:
        return self._once_shown(self._lists)

    def _once_loaded(self, answer: Callable[[], Any]) -> Any:
        """Half lists would be half the truth: after a login or at a day's turn this takes a moment, while the counter rests until it
        is back: nobody waits for that. Raises NotReady."""
        if not self._publisher.muted and not self._account.is_past:
            return answer()
        if self._fronts.state("td") == "resting":
            raise NotReady(f"休市：{self._account.front_reason()}", code="OUT_OF_HOURS")
        return self._when_loaded(answer, LOADING_LIMIT, _still_loading)

    def _once_shown(self, answer: Callable[[], Any]) -> Any:
        """For those who look: what was known last will do, since it is marked."""
        return answer() if self._account.is_past and not self._publisher.muted else self._once_loaded(answer)

    # ── what was known last ──────────────────────────────────────────────────────────────────────────────────────────

    def _keep_lists(self) -> str:
        """For the process that comes after this one; returns the moment that they are of."""
        now = rows.time_text(self._app.trader.counter_now())
        if self._account.is_ready():
            self._last_known.keep(Lists(now, self._app.ledger.trading_day, self._account.money(), self._account.positions()))
        return now

    def _recall(self) -> None:
        """Show what an earlier process showed last: this one comes up while the counter rests."""
        lists = self._last_known.lists()
        if lists is None:
            return
        self._app.ledger.set_contracts(self._last_known.instruments())
        orders, trades = self._last_known.orders(lists.trading_day), self._last_known.trades(lists.trading_day)
        self._account.recall(Past(lists.money, lists.positions, orders, trades), lists.as_of)

    def _mark_past(self, front: str, was: str, state: str, reason: str) -> str:
        """The reason, with the moment that the lists are of while the trading front rests."""
        if front != "td":
            return reason
        if was == "ready" and state not in ("ready", "loading"):
            self._account.as_of = self._keep_lists()
        if state != "resting":
            return reason
        if not self._app.ledger.trading_day and not self._account.is_past:
            self._recall()
        as_of = self._account.as_of
        return f"{reason}；列表是 {as_of[:16]} 的" if as_of else reason

    def _lists(self) -> Json:
        return Json(
            rows.to_json(
                {
                    "position_list": self._account.positions(),
                    "active_order_list": self._account.active_orders(),
                    "trade_list": self._account.trades(),
                    "order_list": self._account.orders(),
                    "log_history": list(self.log_book.lines),
                    "as_of": self._account.as_of,
                }
            )
        )

    def _push_contracts(self, _request: PushContracts) -> Counted | Future[Any]:
        def push() -> Counted:
            contracts = self._account.contracts()
            self._publisher.push("contract", rows.to_json(contracts))
            as_of = self._account.as_of
            return Counted(len(contracts), note=f"休市或断线，合约是 {as_of[:16]} 的" if as_of else "")

        return self._once_shown(push)

    def _push_strategy(self, request: StrategyChanged) -> Done:
        self._publisher.strategy(request.name, request.payload, request.deleted)
        return Done()

    def _describe_contract(self, request: DescribeContract) -> Json | Future[Any]:
        def describe() -> Json:
            contract = self._account.contract(request.symbol)
            if contract is None:
                raise NotFound("不认识的合约", code="UNKNOWN_SYMBOL")
            marked = {"as_of": self._account.as_of} if self._account.as_of else {}
            return Json(rows.to_json(rows.contract_row(contract) | marked))

        return self._once_shown(describe)

    # ── strategies ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _join_strategy(self, connection: Connection, request: JoinStrategy) -> StrategyState | Future[Any]:
        return self._once_loaded(lambda: self._strategies.join(connection, request))

    def _read_strategy(self, request: ReadStrategy) -> Json | Future[Any]:
        return self._once_loaded(lambda: self._strategies.read(request))

    def _strategy_said(self, line: StrategySaid) -> Done:
        shown, own = said_rows(self._login.account, line)
        self.log_book.keep(shown)
        self._publisher.push("strategy_log", rows.to_json(own))
        return Done()

    # ── bars and events ──────────────────────────────────────────────────────────────────────────────────────────────

    def _read_bars(self, request: ReadBars) -> Json | Future[Json]:
        if request.interval not in INTERVALS:
            raise BadInput("interval", f"interval 应为 {'、'.join(INTERVALS)} 之一")
        if request.cut not in CUTS:
            raise BadInput("cut", f"cut 应为 {'、'.join(CUTS)} 之一")
        for name in ("start", "end", "limit"):
            if not 0 <= getattr(request, name) <= LATEST:
                raise BadInput(name, f"{name} 应为不小于 0 的整数")
        if request.end and request.start >= request.end:
            raise BadInput("start", "start 应早于 end")
        listed = self._account.resolve(request.local_symbol)
        local_symbol, start, recent = listed or request.local_symbol, request.start, False
        if not request.start and not request.limit:
            now = int(self._app.trader.counter_now().timestamp() * 1000)
            start, recent = max(0, (request.end or now) - int(DEFAULT_RANGE.total_seconds() * 1000)), not request.end
            cached = self._bars.recent(local_symbol, request.interval, start, request.cut) if recent else None
            if cached is not None:
                return Json(cached)

        def from_store() -> Json:
            if listed is None and not self._bars.has(local_symbol):  # one that is not listed any more may have bars from when it was
                raise BadInput("local_symbol", "不认识的合约", code="UNKNOWN_SYMBOL")
            if recent:
                return Json(self._bars.read_recent(local_symbol, request.interval, start, request.cut))
            return Json(self._bars.read(local_symbol, request.interval, Range(start, request.end, request.limit), request.cut))

        return self._archive.submit(from_store)

    def _save_bars(self, request: SaveBars) -> Counted:
        symbol = parse_symbol(request.local_symbol)
        if not symbol.exchange:
            raise BadInput("local_symbol", "合约名称应带交易所，形如 rb2501.SHFE")
        return Counted(self._bars.save(str(symbol), request.bars), self._store.state().waiting)

    def _on_bars_saved(self, local_symbol: str) -> None:
        self.loop.post(self._publisher.push, BARS_SAVED, b"{}", local_symbol)

    def _unsubscribe(self, request: Unsubscribe) -> Symbols | Future[Any]:
        def remove() -> Symbols:
            removed = self._subscriptions.remove(request.symbols)
            self._api.on_unsubscribed(removed)
            return Symbols(removed)

        return self._once_shown(remove)

    def _trading_day_of(self, timestamp: int) -> str:
        moment = datetime.fromtimestamp(timestamp / 1000, SHANGHAI)
        return compact(trading_day_of(moment, time(15, 30)) if self._always_open else trading_day_of(moment))

    def _read_events(self, request: ReadEvents) -> Json:
        if not 0 <= request.since <= LATEST:
            raise BadInput("since", "since 应为不小于 0 的整数")
        if not 1 <= request.limit <= MOST_EVENTS:
            raise BadInput("limit", f"limit 应为 1 到 {MOST_EVENTS} 的整数")
        newest = self._store.last_seq()
        events = self._store.events(request.since, request.limit)
        return Json(rows.to_json({"seq": newest, "events": [event._asdict() for event in events]}))

    # ── config ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _current_config(self) -> dict[str, Any]:
        return {key: self._config[key] for key in account_config.DEFAULTS}

    def _stored_config(self) -> dict[str, Any]:
        stored = self._store.settings(CONFIG_SCOPE)
        return account_config.checked(stored) if stored else {}

    def _write_config(self, request: WriteConfig) -> Done:
        values = account_config.checked(request.values)
        self._store.put_settings(CONFIG_SCOPE, values)
        self._config.update(values)
        if "REFRESH_INTERVAL" in values:
            self._app.restart_refresh()
        self._strategies.tell_config()
        log.info("设置已修改：%s", "、".join(f"{key}={value}" for key, value in values.items()))
        return Done()

    # ── login ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _await_login(self, request: AwaitLogin) -> Done | Future[Any]:
        if self._refused is not None:
            self._end_refused_soon()
            raise self._refused
        if self._account.is_ready():
            return Done()
        if self._app.trader.delay is not None:
            raise self._delayed(self._app.trader.delay)
        return self._when_loaded(Done, request.timeout, self._logged_in_by_now)

    def _logged_in_by_now(self) -> Done:
        """A front that has said yes has done so, however long its lists take. Raises FrontUnreachable."""
        if self._fronts.state("td") in LOGGED_IN:
            return Done()
        reason = self._fronts.data()["td"]["reason"]
        raise FrontUnreachable(f"前置未在限定时间内应答{f'：{reason}' if reason else ''}")

    def _when_loaded(self, answer: Callable[[], Any], seconds: float, late: Callable[[], Any]) -> Future[Any]:
        """`answer` once the account has loaded, or the refusal of its login, or what `late` answers or raises when neither comes in
        time."""
        future: Future[Any] = Future()

        def give_up() -> None:
            self._awaiting = [other for other in self._awaiting if other.future is not future]
            try:
                future.set_result(late())
            except AppError as error:
                future.set_exception(error)

        self._awaiting.append(_Awaiting(future, answer, self.loop.call_later(seconds, give_up)))
        return future

    def _check_password(self, request: CheckPassword) -> Done:
        judged = {} if self._app.trader.is_taken else {"is_judged": False}
        if not hmac.compare_digest(request.password.encode(), self._login.password.encode()):
            raise LoginRefused("账户已登录，密码与登录时不同", code="PASSWORD_DIFFERS", **judged)
        asked = _front_of(request)
        if asked is not None and self._front is not None and not self._brokers.are_same(str(self._front), asked):
            raise LoginRefused("账户已登录在另一组前置上，请先注销", code="FRONT_DIFFERS", **judged)
        return Done()

    def _give_way(self, _request: GiveWay) -> Done:
        """Looked at and done in one step of the event thread: a password that the counter takes is never thrown out for another."""
        trader = self._app.trader
        if trader.is_taken or trader.state in JUDGING:
            raise LoginRefused("账户已登录，密码与登录时不同", code="PASSWORD_DIFFERS")
        log.warning("柜台还没有验过这次登录的密码，账户以另一密码重新登录：本次登录结束")
        for front in (trader, self._app.market):
            front.close()
        self.loop.call_later(0.1, self._on_end, 0)
        return Done()

    def _change_password(self, request: ChangePassword) -> Future[Any]:
        if not hmac.compare_digest(request.old.encode(), self._login.password.encode()):
            raise LoginRefused("原密码不正确", code="PASSWORD_DIFFERS")
        return _then(self._app.trader.change_password(request.new), lambda _done: Done())

    def _read_settlement(self, request: ReadSettlement) -> Json | Future[Any]:
        day = request.day or self._store.setting(SETTLEMENT_SCOPE, NEWEST, "")
        text = self._store.setting(SETTLEMENT_SCOPE, day, "") if day else ""
        if text:
            return Json(rows.to_json({"day": day, "text": text}))

        def answer(found: tuple[str, str]) -> Json:
            if not found[1]:
                raise NotFound("柜台没有这一天的结算单" if request.day else "柜台没有结算单", code="NO_SETTLEMENT")
            return Json(rows.to_json({"day": found[0], "text": found[1]}))

        return _then(self._app.trader.fetch_statement(request.day), answer)

    def _on_status(self, front: str, state: str, reason: str) -> None:
        was = self._fronts.state(front)
        reason = self._mark_past(front, was, state, reason)
        if not self._fronts.update(front, state, reason):
            return
        self._publisher.push("status", rows.event("status", self._fronts.data()))
        self._strategies.tell_fronts()
        text = f"{'交易' if front == 'td' else '行情'}前置：{STATE_TEXT.get(state, state)}{f'（{reason}）' if reason else ''}"
        log.log(logging.WARNING if state in ("lost", "refused") else logging.INFO, text, extra={"owner": front})
        if front == "md" and state == "lost" and was != "lost":
            self._api.on_market_lost()
        if front == "td":
            if state in LOGGED_IN:
                self._keep_identity()
            if state in ("lost", "resting") and self._app.trader.delay is not None:
                self._on_login_delayed(self._app.trader.delay)
            elif state == "refused":
                self._on_login_refused(self._app.trader.refusal or LoginRefused(reason))
            elif state == "ready":
                self._on_ready()
            elif state == "loading":
                self._publisher.mute(True)
            if state == "resting" and self._account.is_past:
                self._publisher.mute(False)
                self._publisher.changed("contract")
        if front == "md" and state == "ready" and self._account.contracts():
            self._subscriptions.restore()

    def _why_barred(self) -> str:
        """What to do about a front that is not the account's; "" for one that may be dialled."""
        if self._front is None or self._identity.may_use(self._front, self._brokers):
            return ""
        front = self._brokers.text_of(self._front)
        return f'确要换，请在服务器上运行：python run.py fronts allow {self._login.account} "{front}"'

    def _keep_identity(self) -> None:
        """The front has taken the login: this is whose data it is, and its front."""
        login = self._login
        try:
            self._identity.logged_in(login.interface, login.brokerid, login.userid, self._front, self._brokers)
        except StoreFailed as error:
            log.error("账户的前置没能记下：%s", error)

    def _on_store(self, store: StoreState) -> None:
        """The store is there, or what is written waits on this disk: the log says so already."""
        if self._fronts.update("store", store.state, store.reason):
            self._publisher.push("status", rows.event("status", self._fronts.data()))

    def _on_ready(self) -> None:
        self._account.is_loaded()
        self._archive.submit(self._last_known.keep_contracts, self._app.ledger.trading_day, self._app.ledger.instruments())
        self._publisher.mute(False)
        self._publisher.changed("contract")
        self._strategies.loaded()
        self._subscriptions.restore()
        awaiting, self._awaiting = self._awaiting, []
        for future, answer, timer in awaiting:
            timer.cancel()
            future.set_result(answer())

    def _on_login_refused(self, refusal: LoginRefused) -> None:
        self._refused = LoginRefused(refusal_text(refusal.code, refusal.message), code=refusal.code)
        for future, _answer, timer in self._awaiting:
            timer.cancel()
            future.set_exception(self._refused)
        if self._awaiting:
            self._end_refused_soon()
        else:
            self.loop.call_later(REFUSED_LINGER, self._on_end, EXIT_LOGIN_REFUSED)
        self._awaiting = []

    def _on_login_delayed(self, delay: LoginDelayed) -> None:
        """Who waits is told now; the front is asked again by itself."""
        awaiting, self._awaiting = self._awaiting, []
        for future, _answer, timer in awaiting:
            timer.cancel()
            future.set_exception(self._delayed(delay))

    @staticmethod
    def _delayed(delay: LoginDelayed) -> LoginDelayed:
        return LoginDelayed(refusal_text(delay.code, delay.message), code=delay.code)

    def _end_refused_soon(self) -> None:
        self.loop.call_later(0.1, self._on_end, EXIT_LOGIN_REFUSED)

    # ── what nobody waits for ────────────────────────────────────────────────────────────────────────────────────────

    def _on_cancel_refused(self, order_id: str, code: str, message: str) -> None:
        self._desk.on_cancel_refused(order_id, code, message)

    def _on_refused_unheard(self, outcome: OrderOutcome) -> None:
        self._push_error(outcome.code, outcome.message, order_id=outcome.order_id, refused_by=refused_by(outcome.code))

    def _on_difference(self, differences: list[str]) -> None:
        for difference in differences:
            log.warning("对账差异：%s", difference)
        self._push_error("BOOK_DIFFERENCE", "；".join(differences))
        self._publisher.changed("position", "account")

    def _on_notice(self, code: str, message: str) -> None:
        log.warning("%s", message)
        self._push_error(code, message)

    def _on_remark(self, text: str) -> None:
        log.info("资金：%s", text)
        self._publisher.changed("account")

    def _on_password(self, password: str) -> None:
        self._login.password, self._login.new_password = password, ""
        log.info("账户密码已修改")

    def _push_error(self, code: str, message: str, **more: Any) -> None:
        self._publisher.push("error", rows.to_json({"error": code, "msg": message, **more}))
