"""The gateway host: starts one gateway per account and the built-in counter, watches them, gives their addresses. A process of its own.

What it does about strategies is in strategy_keeper.py. It has no trading state: when it is killed, gateways, strategies and counter
go on, and the next host adopts them from the registry. All that is lost with it are the passwords, which live in its memory alone: a
gateway that dies while nobody holds its password needs a login. Threads: one per caller of the RPC server, one per login or call
about strategies under way, one that watches, and the keeper's.
"""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import msgspec
import orjson

from app.gateway import channel, process
from app.gateway.channel import Connection
from app.gateway.host.leftovers import Leftovers
from app.gateway.host.strategy_keeper import STRATEGY, Keeper
from app.gateway.identity import account_of
from app.gateway.interfaces import check_interface
from app.gateway.messages import (
    AccountInfo,
    Accounts,
    AnyReply,
    AnyRequest,
    AwaitLogin,
    ChangePassword,
    CheckPassword,
    DeleteStrategy,
    Done,
    GiveWay,
    ListAccounts,
    ListStrategies,
    LoggedIn,
    LoggedOut,
    LogIn,
    LogOut,
    ReadCode,
    ReadLists,
    ReadStrategyLog,
    RestartStrategy,
    SaveCode,
    ShutDown,
    StartStrategy,
    StopStrategy,
    Visited,
)
from app.gateway.process import AlreadyRunning, Backoff, Cage, Kept, Lock, Process
from app.gateway.registry import PROTOCOL, Entry, Registry, other_version
from app.gateway.rpc import Last, RpcClient, RpcServer
from app.lib.brokers import Brokers, Front, addresses
from app.lib.errors import AppError, BadInput, FrontUnreachable, GatewayDown, LoginDelayed, LoginRefused, NotFound, TooManyAccounts
from app.model import HOST, SERVER, open_store
from app.model.sessions import Sessions
from app.settings import FRONTS_UNSET, Settings

GATEWAY = (sys.executable, "-m", "app.gateway")
COUNTER = (sys.executable, "-m", "app.counter")
EXIT_LOGIN_REFUSED = 3  # of a gateway: never to be started again with the same password
START_LIMIT = 30.0  # seconds a child may take until it listens; imports on a busy machine take most of it
LOOK_EVERY = 0.2
ADOPT_EVERY = 5  # looks
GRACE_GATEWAY = 2.0
GRACE_COUNTER = 1.0
IDLE_LOOK = 600.0  # seconds between two looks at what an account lives for that nobody looks at
UNKNOWN = -1  # LoggedOut.working_orders when the gateway did not say

log = logging.getLogger(__name__)


class Account:
    """An account that the host watches. `lock` serialises all that starts or ends its gateway."""

    def __init__(self, key: str, interface: str, brokerid: str, userid: str) -> None:
        self.key = key
        self.interface = interface
        self.brokerid = brokerid
        self.userid = userid
        self.lock = threading.Lock()
        self.login: LogIn | None = None  # with the password: in memory, nowhere else
        self.is_taken = False  # that password, by the counter
        self.process: Process | None = None
        self.state = "needs_login"
        self.started = 0.0
        self.due: float | None = None  # when to start it again
        self.backoff = Backoff()
        self.visited = time.monotonic()  # when somebody last looked at it
        self.idle_look = 0.0  # when it was last asked whether it may be ended

    @property
    def gateway(self) -> str:
        """The name of its gateway in the registry."""
        return f"gateway-{self.key}"

    def needs_login(self) -> None:
        self.login, self.process, self.due, self.state = None, None, None, "needs_login"
        self.is_taken = False

    def ready(self) -> None:
        self.state, self.is_taken = "ready", True


class Host:
    """See the module. `gateway`, `counter` and `strategy` are the commands that start those."""

    def __init__(
        self,
        settings: Settings,
        gateway: Sequence[str] = GATEWAY,
        counter: Sequence[str] = COUNTER,
        strategy: Sequence[str] = STRATEGY,
    ) -> None:
        self._settings = settings
        self._registry = Registry(settings.data_dir)
        self._gateway_command = gateway
        self._counter_command = counter
        self._accounts: dict[str, Account] = {}
        self._counter = Kept(self._registry, "counter", self._launch_counter)
        self._counter_lock = threading.Lock()
        self._counting = threading.Lock()  # accounts, while one more is let in
        self._stopping = threading.Event()
        self._launching = threading.Lock()  # no child is started once stop() has begun
        self._brokers = Brokers(settings.fronts)
        self._store = open_store(settings, HOST)
        self._server_store = open_store(settings, SERVER, ship=False)
        self._sessions = Sessions(self._server_store)
        self._strategies = Keeper(settings, self._registry, self._store, self._launch, self._ready_accounts, strategy)
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._registry.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._server = RpcServer(channel.new_address(self._registry.run_dir, "host.sock"), self._handle)

    # ── its life ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Adopt what an earlier host left, watch, and listen."""
        self._remember_the_dead()
        self._adopt_the_living()
        self._end_sessions_of_the_dead()
        self._strategies.start()
        self._watcher.start()
        self._server.start()
        self._registry.register(name="host", kind="host", address=self._server.address)
        log.info("host listens, %d gateways adopted", sum(account.process is not None for account in self._accounts.values()))

    def ask_to_stop(self) -> None:
        self._stopping.set()

    def wait(self, asked: Callable[[], bool]) -> None:
        """Until told to stop by a call, or `asked` (a signal) says so."""
        while not asked() and not self._stopping.wait(0.1):
            pass

    def stop(self) -> None:
        """End strategies, gateways and counter, within 4 s, and leave no entry behind."""
        self._stopping.set()
        with self._launching:
            pass  # a child that is just being started is known from here on
        self._watcher.join(1.0)
        strategies = threading.Thread(target=self._strategies.end_all, name="end-strategies")
        strategies.start()  # beside the gateways: those that have to be killed must not add up
        gateways = {account.gateway: account.process for account in list(self._accounts.values()) if account.process is not None}
        for entry in self._registry.living("gateway"):
            gateways.setdefault(entry.name, Process(entry.name, entry=entry))
        process.end(gateways.values(), GRACE_GATEWAY)
        strategies.join()
        counter = self._counter.process or process.adopt(self._registry, "counter")
        if counter is not None:
            process.end([counter], GRACE_COUNTER)
        self._registry.forget_the_dead()
        self._server.close()
        self._registry.unregister("host")
        self._store.close()
        self._server_store.close()
        log.info("host ends")

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _handle(self, _connection: Connection, request: AnyRequest) -> AnyReply | Future[AnyReply] | Last:
        match request:
            case LogIn():
                return _in_a_thread(lambda: self.log_in(request))
            case LogOut():
                return _in_a_thread(lambda: self.log_out(request))
            case ListAccounts():
                return self.list_accounts()
            case Visited():
                return self.visited(request)
            case ShutDown():
                return Last(Done(), self.ask_to_stop)
        answer = self._about_strategies(request)
        if answer is not None:
            return _in_a_thread(answer)
        raise BadInput("request", f"网关主机不答 {type(request).__name__}")

    def _about_strategies(self, request: AnyRequest) -> Callable[[], AnyReply] | None:
        """The answer to a call about strategies; None for any other."""
        keeper = self._strategies
        match request:
            case ListStrategies():
                return lambda: keeper.rows(request.account, request.name)
            case StartStrategy():
                return lambda: keeper.run(request.account, request.name)
            case StopStrategy():
                return lambda: keeper.stop(request.account, request.name)
            case RestartStrategy():
                return lambda: keeper.run_again(request.account, request.name)
            case DeleteStrategy():
                return lambda: keeper.delete(request.account, request.name)
            case SaveCode():
                return lambda: keeper.save_code(request.account, request.text)
            case ReadCode():
                return lambda: keeper.read_code(request.account, request.name, request.version)
            case ReadStrategyLog():
                return lambda: keeper.read_log(request.account, request.name, request.before, request.limit)
        return None

    def log_in(self, request: LogIn) -> LoggedIn:
        check_interface(request.interface)
        request = self._at_a_listed_front(request)
        key = account_of(self._settings, request.interface, request.brokerid, request.userid)
        while True:
            account = self._accounts.setdefault(key, Account(key, request.interface, request.brokerid, request.userid))
            if (account.brokerid, account.userid) != (request.brokerid, request.userid):  # an older key, whose folder says no owner yet
                raise LoginRefused("另一账户正以同一目录登录，请稍后再试", code="ACCOUNT_KEY_TAKEN")
            with account.lock:
                if self._accounts.get(key) is not account:
                    continue  # it was forgotten while we waited for our turn
                account.visited = time.monotonic()
                entry = self._running(account)
                if entry is not None:
                    return self._log_in_again(account, request, entry)
                if account.login is not None:
                    return self._log_in_early(account, request)
                return self._log_in_fresh(account, request)

    def _at_a_listed_front(self, request: LogIn) -> LogIn:
        """The login with its front's addresses. Who names the front names who checks the password: not everybody may name any."""
        if request.interface == "sim":
            return request
        if not self._brokers and self._settings.is_public:
            log.error("no login with ctp: a public server has to have the setting fronts")
            raise LoginRefused(f"对外服务{FRONTS_UNSET}", code="FRONTS_UNSET")
        if request.front in self._brokers:
            front = self._brokers.front(request.front)
            return msgspec.structs.replace(request, td_address=",".join(front.td), md_address=",".join(front.md))
        named = None if request.front else Front(addresses(request.td_address), addresses(request.md_address))
        if named is None or (self._brokers and not self._brokers.name_of(named)):
            log.warning("a login of %s names a front that is not listed: %s", request.userid, named or request.front)
            known = f"名单上有：{'、'.join(self._brokers.names)}" if self._brokers else "没有设置 fronts"
            raise LoginRefused(f"这组前置不在本服务的名单里（{known}），没有连接它", code="FRONT_NOT_LISTED")
        return request

    def log_out(self, request: LogOut) -> LoggedOut:
        account = self._accounts.get(request.account)
        if account is None:
            raise NotFound("账户没有登录")
        with account.lock:
            if self._accounts.get(request.account) is not account:
                raise NotFound("账户没有登录")
            account.state = "needs_login"  # no strategy is started from here on
            self._strategies.log_out(account.key)
            entry = self._running(account)
            working = self._say_good_bye(account, entry) if entry is not None else 0
            self._needs_login(account)
            del self._accounts[account.key]
            self._forget_entry(account)
        log.info("%s logged out", account.key)
        return LoggedOut(working)

    def visited(self, request: Visited) -> Done:
        for key in request.accounts:
            account = self._accounts.get(key)
            if account is not None:
                account.visited = time.monotonic()
        return Done()

    def list_accounts(self) -> Accounts:
        return Accounts([self._describe(account) for _, account in sorted(self._accounts.items())])

    def _describe(self, account: Account) -> AccountInfo:
        entry = self._registry.find(account.gateway)
        return AccountInfo(
            account=account.key,
            interface=account.interface,
            brokerid=account.brokerid,
            userid=account.userid,
            state=account.state,
            pid=entry.pid if entry is not None else 0,
            address=entry.address if entry is not None else "",
        )

    # ── logging in and out ───────────────────────────────────────────────────────────────────────────────────────────

    def _running(self, account: Account) -> Entry | None:
        """The account's living gateway, adopted if it is not ours. Waits for one that is just coming up."""
        if account.process is None:
            account.process = process.adopt(self._registry, account.gateway)
        if account.process is not None:
            entry = self._registered(account, account.process)
            if entry is not None:
                return entry
            self._found_dead(account, account.process)
        return None

    def _log_in_fresh(self, account: Account, request: LogIn) -> LoggedIn:
        self._let_in(account)
        self._sessions.end(account.key)  # before anything starts: no older token is to speak to the new gateway
        account.login, account.backoff = request, Backoff()
        try:
            self._bring_up(account)
        except LoginDelayed:
            assert account.process is not None
            account.state = "starting"
            self._follow(account, account.process)
            raise
        except Exception:
            if account.process is not None:
                process.end([account.process], GRACE_GATEWAY)
            self._needs_login(account)
            del self._accounts[account.key]
            self._forget_entry(account)
            raise
        return LoggedIn(account.key, fresh=True)

    def _log_in_early(self, account: Account, request: LogIn) -> LoggedIn:
        """The gateway is dead and about to be started again: do that now. The account stays logged in whatever comes of it."""
        known = account.login
        assert known is not None
        if request.password != known.password:
            raise LoginRefused("账户已登录，密码与登录时不同", code="PASSWORD_DIFFERS")
        try:
            self._bring_up(account)
        except LoginRefused:
            self._needs_login(account)
            raise
        except AppError:
            account.state = "restarting"
            if account.process is None:
                account.due = time.monotonic() + account.backoff.after(0.0)
            else:
                self._follow(account, account.process)
            raise
        return LoggedIn(account.key, fresh=False)

    def _let_in(self, account: Account) -> None:
        """Give it one of the places that there are. Raises TooManyAccounts."""
        with self._counting:
            others = [other for other in list(self._accounts.values()) if other is not account and other.state != "needs_login"]
            paper = [other for other in others if other.interface == "sim"]
            is_paper = account.interface == "sim"
            if len(others) < self._settings.max_accounts and not (is_paper and len(paper) >= self._settings.max_paper_accounts):
                account.state = "starting"
                return
            del self._accounts[account.key]
        most = f"模拟账户 {len(paper)} 个" if is_paper and len(others) < self._settings.max_accounts else f"账户 {len(others)} 个"
        log.warning("%s is not let in: there are %d accounts, %d of them paper", account.key, len(others), len(paper))
        raise TooManyAccounts(f"本服务已登录{most}，到了上限：请先注销一个，或请管理者调高设置 max_accounts、max_paper_accounts")

    def _needs_login(self, account: Account) -> None:
        """Nobody brings its gateway back before the next login, and no token is good for it."""
        account.needs_login()
        self._sessions.end(account.key)

    def _bring_up(self, account: Account) -> None:
        """Start the account's gateway, and the counter if that is what it needs, and wait until it is logged in."""
        account.state, account.due = "starting", None
        if account.interface == "sim":
            self._counter_address()
        try:
            gateway = self._launch_gateway(account)
        except AlreadyRunning:
            raise GatewayDown("账户的网关正在启动，请稍后再试") from None
        self._await_login(account, gateway)
        _adopt_password(account)
        account.ready()
        log.info("%s logged in", account.key)

    def _log_in_again(self, account: Account, request: LogIn, entry: Entry) -> LoggedIn:
        try:
            _call(entry, CheckPassword(request.password, request.td_address, request.md_address), timeout=10.0)
        except LoginRefused as error:
            if error.extra.pop("is_judged", True):
                raise
            return self._log_in_instead(account, request, entry)
        if request.new_password:
            _call(entry, ChangePassword(request.password, request.new_password), timeout=10.0)
        if account.login is None:
            fronts = {"td_address": request.td_address or entry.td_address, "md_address": request.md_address or entry.md_address}
            account.login = msgspec.structs.replace(request, **fronts)
            account.is_taken = account.state == "ready"
        if request.new_password:
            account.login = msgspec.structs.replace(account.login, new_password=request.new_password)
            _adopt_password(account)
        return LoggedIn(account.key, fresh=False)

    def _log_in_instead(self, account: Account, request: LogIn, entry: Entry) -> LoggedIn:
        """Nobody knows whether the login that is there has the right password, so it must not shut out another one. The gateway has the
        last word: what its counter has taken by now stays. What comes of it says `replaced`: such attempts are counted."""
        _call(entry, GiveWay(), timeout=10.0)
        log.warning("%s logs in with another password, or at another front, than the login that no counter has judged", account.key)
        assert account.process is not None
        if not account.process.wait(GRACE_GATEWAY):
            process.end([account.process], 0.0)
        self._needs_login(account)
        self._forget_entry(account)
        try:
            return self._log_in_fresh(account, request)
        except AppError as error:
            error.extra["replaced"] = True
            raise

    def _await_login(self, account: Account, gateway: Process) -> None:
        """Wait until the gateway is logged in. Raises LoginRefused, FrontUnreachable, or GatewayDown when it did not come up."""
        limit = self._settings.login_timeout
        entry = self._registered(account, gateway)
        if entry is None:
            raise self._why_it_ended(account, gateway)
        try:
            _call(entry, AwaitLogin(limit), timeout=limit + 5.0)
        except GatewayDown as error:
            if entry.protocol != PROTOCOL:
                raise error
            gateway.wait(1.0)
            raise self._why_it_ended(account, gateway) from None

    def _say_good_bye(self, account: Account, entry: Entry) -> int:
        """End the account's gateway; returns how many orders keep working."""
        working = UNKNOWN
        try:
            lists = _call(entry, ReadLists(), timeout=2.0)
            working = len(orjson.loads(lists.payload)["active_order_list"])
        except AppError as error:
            log.warning("%s did not say how many orders keep working: %s", account.gateway, error.message)
        with contextlib.suppress(AppError):  # a gateway that does not answer is ended all the same
            _call(entry, ShutDown(), timeout=1.0)
        assert account.process is not None
        if not account.process.wait(GRACE_GATEWAY):
            process.end([account.process], 0.0)
        return working

    def _registered(self, account: Account, gateway: Process) -> Entry | None:
        """The gateway's entry, once it listens; None when it is dead. Raises GatewayDown when it takes too long."""
        deadline = time.monotonic() + START_LIMIT
        while True:
            entry = self._registry.find(account.gateway)
            if entry is not None:
                return entry
            if not gateway.alive:
                return None
            if time.monotonic() > deadline:
                raise self._why_it_ended(account, gateway)
            if self._stopping.wait(process.POLL):
                raise GatewayDown("服务正在停止")

    def _why_it_ended(self, account: Account, gateway: Process) -> AppError:
        if gateway.exit_code == EXIT_LOGIN_REFUSED:
            return LoginRefused("登录被柜台拒绝")
        log.error("%s (pid %d) did not come up, exit code %s", account.gateway, gateway.pid, gateway.exit_code)
        return GatewayDown(f"账户的网关未能启动，详见日志 {account.gateway}", code="GATEWAY_FAILED")

    def _launch_gateway(self, account: Account) -> Process:
        """Start the account's gateway with the password in memory. Raises AlreadyRunning, GatewayDown."""
        assert account.login is not None
        request = account.login
        line = {
            "account": account.key,
            "interface": request.interface,
            "brokerid": request.brokerid,
            "userid": request.userid,
            "password": request.password,
            "auth_code": request.auth_code,
            "appid": request.appid,
            "td_address": request.td_address,
            "md_address": request.md_address,
            "new_password": request.new_password,
            "password_taken": account.is_taken,
            "counter_address": self._known_counter_address() if request.interface == "sim" else "",
        }
        account.process = self._launch(account.gateway, self._gateway_command, orjson.dumps(line) + b"\n")
        account.started = time.monotonic()
        return account.process

    def _ready_accounts(self) -> dict[str, int]:
        """Those that are logged in, with the pid of their gateways."""
        accounts = [account for account in list(self._accounts.values()) if account.state == "ready"]
        return {account.key: gateway.pid for account in accounts if (gateway := account.process) is not None}

    def _launch(
        self,
        name: str,
        command: Sequence[str],
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        cage: Cage | None = None,
    ) -> Process:
        with self._launching:
            if self._stopping.is_set():
                raise GatewayDown("服务正在停止")
            lock = Lock(self._settings.data_dir, name)
            return process.start(command, self._settings, name, stdin=stdin, lock=lock, environment=environment, cage=cage)

    # ── the counter ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _launch_counter(self) -> Process:
        return self._launch("counter", self._counter_command)

    def _known_counter_address(self) -> str:
        entry = self._registry.find("counter", only_living=False)
        return entry.address if entry is not None else channel.new_address(self._registry.run_dir, "counter.sock")

    def _counter_address(self) -> str:
        """Where the counter listens; started if it does not run. Raises FrontUnreachable."""
        deadline = time.monotonic() + START_LIMIT
        launched: Process | None = None
        while time.monotonic() < deadline and not self._stopping.is_set():
            entry = self._registry.find("counter")
            if entry is not None and _listens(entry.address):
                return entry.address
            with self._counter_lock, contextlib.suppress(AlreadyRunning):
                if launched is not None and not launched.alive:
                    break
                known = self._counter.process
                if self._counter.ensure() is not known:
                    launched = self._counter.process
            self._stopping.wait(process.POLL)
        raise FrontUnreachable("内置柜台未能启动，详见日志 counter", code="COUNTER_FAILED")

    # ── watching ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _watch(self) -> None:
        rounds = itertools.count()
        while not self._stopping.wait(LOOK_EVERY):
            try:
                if next(rounds) % ADOPT_EVERY == 0:
                    self._adopt_the_living()
                    self._strategies.adopt_the_living()
                for account in list(self._accounts.values()):
                    if account.lock.acquire(blocking=False):  # else a login or logout is at it, and knows better
                        try:
                            self._look_at(account)
                        finally:
                            account.lock.release()
                self._look_for_the_idle()
                if any(account.interface == "sim" and account.state != "needs_login" for account in list(self._accounts.values())):
                    with self._counter_lock:
                        self._counter.look()
                self._strategies.look()
            except Exception:  # the edge of the thread: whatever it was, watching goes on
                log.exception("watching failed")

    def _look_at(self, account: Account) -> None:
        if self._accounts.get(account.key) is not account:
            return
        if account.process is not None and not account.process.alive:
            self._found_dead(account, account.process)
        elif account.due is not None and time.monotonic() >= account.due:
            self._start_again(account)

    def _look_for_the_idle(self) -> None:
        """Paper accounts at which nobody has looked for long are ended: a gateway costs as much as a trader's."""
        now, patience = time.monotonic(), self._settings.paper_idle_hours * 3600
        for account in list(self._accounts.values()):
            is_idle = account.interface == "sim" and account.state == "ready" and now - account.visited > patience > 0
            if is_idle and now - account.idle_look > IDLE_LOOK:
                account.idle_look = now
                threading.Thread(target=self._end_if_idle, args=(account, account.visited), name=f"idle-{account.key}", daemon=True).start()

    def _end_if_idle(self, account: Account, visited: float) -> None:
        """End its gateway, as a logout does, unless there is something that it lives for. A thread of its own."""
        try:
            with account.lock:
                entry = self._running(account)
                if self._accounts.get(account.key) is not account or entry is None or self._strategies.has_running(account.key):
                    return
                lists = orjson.loads(_call(entry, ReadLists(), timeout=10.0).payload)
                if lists["position_list"] or lists["active_order_list"] or account.visited != visited:
                    return
                log.info("%s is idle and ends", account.key)
                self._say_good_bye(account, entry)
                self._needs_login(account)
                del self._accounts[account.key]
                self._forget_entry(account)
        except AppError as error:
            log.warning("%s may be idle, but does not say so: %s", account.key, error.message)

    def _found_dead(self, account: Account, gateway: Process) -> None:
        log.warning("%s (pid %d) is dead, exit code %s", account.gateway, gateway.pid, gateway.exit_code)
        # Nobody tells us how an adopted process ended. One that was killed leaves its entry, one that ended by itself does not:
        # that may have been a refusal, and a refused password is never tried again.
        refused = gateway.exit_code == EXIT_LOGIN_REFUSED
        ended_itself = gateway.adopted and self._registry.find(account.gateway, only_living=False) is None
        if account.login is None or refused or ended_itself:
            self._needs_login(account)
            return
        pause = account.backoff.after(time.monotonic() - account.started)
        account.process, account.state, account.due = None, "restarting", time.monotonic() + pause

    def _start_again(self, account: Account) -> None:
        account.due = None
        try:
            gateway = self._launch_gateway(account)
        except (AlreadyRunning, OSError) as error:
            log.warning("%s cannot be started yet: %r", account.gateway, error)
            account.due = time.monotonic() + account.backoff.after(0.0)
            return
        self._follow(account, gateway)

    def _follow(self, account: Account, gateway: Process) -> None:
        """Learn in a thread of its own when a gateway that logs in by itself is ready."""
        threading.Thread(target=self._learn_state, args=(account, gateway), name=f"follow-{account.key}", daemon=True).start()

    def _learn_state(self, account: Account, gateway: Process) -> None:
        told = ""
        while gateway.alive and not self._stopping.is_set():
            try:
                self._await_login(account, gateway)
            except LoginRefused as error:
                log.error("%s was refused when it logged in again: %s", account.key, error.message)
                process.end([gateway], GRACE_GATEWAY)
                with account.lock:
                    if account.process is gateway:
                        self._needs_login(account)
                return
            except AppError as error:
                if error.message != told:
                    told = error.message
                    log.warning("%s is not ready: %s", account.key, told)
                self._stopping.wait(1.0)
                continue
            with account.lock:
                if account.process is gateway and gateway.alive:
                    account.ready()
                    log.info("%s is ready", account.key)
            return

    def _adopt_the_living(self) -> None:
        """Gateways that run without us: left by an earlier host, also those that were just being started when it died."""
        for entry in self._registry.living("gateway"):
            if entry.account in self._accounts:
                continue
            account = Account(entry.account, entry.interface, entry.brokerid, entry.userid)
            account.process, account.state = Process(entry.name, entry=entry), "starting"
            account.started = time.monotonic()
            if self._accounts.setdefault(entry.account, account) is account:
                log.info("%s adopted, pid %d", entry.name, entry.pid)
                self._follow(account, account.process)

    def _remember_the_dead(self) -> None:
        """Gateways that were killed while no host lived: their accounts need a login, and can be told so."""
        for path in self._registry.run_dir.glob("gateway-*.json"):
            entry = self._registry.find(path.stem, only_living=False)
            if entry is not None and not entry.alive and entry.account:
                self._accounts.setdefault(entry.account, Account(entry.account, entry.interface, entry.brokerid, entry.userid))

    def _end_sessions_of_the_dead(self) -> None:
        """No token outlives its account's gateway, as after a restart of the machine: their passwords are known to nobody any more."""
        for account in self._sessions.accounts():
            if not self._lives(f"gateway-{account}"):
                self._sessions.end(account)

    def _lives(self, name: str) -> bool:
        """Whether it runs, or is just being started: it holds its lock from the first moment."""
        if self._registry.find(name) is not None:
            return True
        try:
            Lock(self._settings.data_dir, name).close()
        except AlreadyRunning:
            return True
        return False

    def _forget_entry(self, account: Account) -> None:
        """Remove what a killed gateway left, lest the next host takes the account for one that needs a login."""
        if self._registry.find(account.gateway) is None:
            (self._registry.run_dir / f"{account.gateway}.json").unlink(missing_ok=True)


def _adopt_password(account: Account) -> None:
    """The counter has taken the new password: it is the one from now on."""
    if account.login is not None and account.login.new_password:
        account.login = msgspec.structs.replace(account.login, password=account.login.new_password, new_password="")


def _call(entry: Entry, request: AnyRequest, timeout: float) -> Any:
    """Ask a gateway. Raises what it raised, or GatewayDown; VERSION_MISMATCH for one that this host would misunderstand."""
    if entry.protocol != PROTOCOL:
        raise other_version("账户的网关")
    try:
        client = RpcClient(entry.address)
    except OSError as error:
        raise GatewayDown("网关连接不上", asked=False) from error
    try:
        return client.call(request, timeout)
    finally:
        client.close()


def _in_a_thread(function: Callable[[], AnyReply]) -> Future[AnyReply]:
    """What `function` returns or raises, later. A daemon thread: a login that waits for a front does not hold up the end."""
    future: Future[AnyReply] = Future()

    def work() -> None:
        try:
            future.set_result(function())
        except Exception as error:  # the edge of the thread: it becomes a Fault
            future.set_exception(error)

    context = contextvars.copy_context()  # the request's id goes into what is logged there
    threading.Thread(target=context.run, args=(work,), name="call", daemon=True).start()
    return future


def _listens(address: str) -> bool:
    try:
        channel.connect(address, timeout=1.0).close()
    except OSError:
        return False
    return True


def run(
    settings: Settings,
    gateway: Sequence[str] = GATEWAY,
    counter: Sequence[str] = COUNTER,
    strategy: Sequence[str] = STRATEGY,
) -> None:
    """The host process, until SIGTERM, SIGINT or ShutDown. Raises AlreadyRunning."""
    claim = Lock(settings.data_dir, "host")
    server = open_store(settings, SERVER) if settings.mongo_uri else None  # the web's file: it writes there, this process ships
    host = Host(settings, gateway, counter, strategy)
    stop = process.StopSignal()
    leftovers = Leftovers(settings, server) if server is not None else None
    host.start()
    if leftovers is not None:
        leftovers.start()
    host.wait(lambda: stop.asked)
    if leftovers is not None:
        leftovers.stop()
    host.stop()
    if server is not None:
        server.close()
    claim.close()
