"""One gateway per account: starts, watches, restarts and ends them, and logs accounts in and out. Host
process.

A gateway outlives its host, and the next host takes it over by the registry. What is lost with a host are the
passwords, which live in its memory alone: a gateway that dies while nobody holds its password needs a login.
Calls come in the host's threads, `look` from its watching one; a thread follows each gateway that logs in by
itself.
"""

from __future__ import annotations

import contextlib
import logging
import math
import sys
import threading
import time
from collections.abc import Sequence

import msgspec
import orjson

from app.host.admission import at_a_listed_front, check_room
from app.host.counter_keeper import CounterKeeper
from app.host.launcher import START_LIMIT, Launcher
from app.host.strategy_keeper import StrategyKeeper
from app.host.taken_passwords import TakenPasswords
from app.lib.brokers import Brokers
from app.lib.errors import AppError, GatewayDown, LoginDelayed, LoginRefused, NotFound, TooManyAccounts
from app.lib.interface_names import check_interface
from app.model.identity import account_of
from app.model.sessions import Sessions
from app.process import child
from app.process.child import AlreadyRunning, Lock, Process
from app.process.kept import Backoff, adopt
from app.settings import Settings
from app.wire import peer
from app.wire.messages import (
    EXIT_LOGIN_REFUSED,
    AccountInfo,
    Accounts,
    AwaitLogin,
    ChangePassword,
    CheckPassword,
    Done,
    GiveWay,
    ListAccounts,
    LoggedIn,
    LoggedOut,
    LogIn,
    Login,
    LogOut,
    ReadLists,
    ShutDown,
    Visited,
)
from app.wire.registry import Entry, Registry, gateway_of

GATEWAY = (sys.executable, "-m", "app.gateway")
GRACE = 2.0
IDLE_LOOK = 600.0  # seconds between two looks at what an account lives for that nobody looks at
UNKNOWN = -1  # LoggedOut.working_orders when the gateway did not say

log = logging.getLogger(__name__)


class HostedAccount:
    """An account that the host watches. `lock` serialises all that starts or ends its gateway."""

    def __init__(self, key: str, interface: str, brokerid: str, userid: str) -> None:
        self.key = key
        self.interface = interface
        self.brokerid = brokerid
        self.userid = userid
        self.lock = threading.Lock()
        self.login: LogIn | None = None  # with the password: in memory, nowhere else
        self.is_taken = False  # that password, by the counter, since this host lives
        self.process: Process | None = None
        self.state = "needs_login"
        self.started = 0.0
        self.due: float | None = None  # when to start it again
        self.backoff = Backoff()
        self.visited = time.monotonic()  # when somebody last looked at it
        self.idle_look = -math.inf  # when it was last asked whether it may be ended

    @property
    def gateway(self) -> str:
        """The name of its gateway in the registry."""
        return gateway_of(self.key)

    def needs_login(self) -> None:
        self.login, self.process, self.due, self.state = None, None, None, "needs_login"
        self.is_taken = False

    def ready(self) -> None:
        self.state, self.is_taken = "ready", True


class GatewayKeeper:
    """`command` is the one that is a gateway."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        launch: Launcher,
        counter: CounterKeeper,
        strategies: StrategyKeeper,
        sessions: Sessions,
        command: Sequence[str] = GATEWAY,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._launch = launch
        self._stopping = launch.stopping
        self._counter = counter
        self._strategies = strategies
        self._sessions = sessions
        self._command = command
        self._brokers = Brokers(settings.fronts)
        self._accounts: dict[str, HostedAccount] = {}
        self._taken = TakenPasswords()
        self._counting = threading.Lock()  # accounts, while one more is let in

    # ── its life ──

    def start(self) -> None:
        """Remember what was, and adopt what an earlier host left running."""
        self._remember_the_dead()
        self.adopt_the_living()
        self._end_sessions_of_the_dead()

    def look(self) -> None:
        """To be called often."""
        for account in list(self._accounts.values()):
            if account.lock.acquire(blocking=False):  # else a login or logout is at it, and knows better
                try:
                    self._look_at(account)
                finally:
                    account.lock.release()
        self._look_for_the_idle()
        if any(
            account.interface == "sim" and account.state != "needs_login"
            for account in list(self._accounts.values())
        ):
            self._counter.look()

    def end_all(self) -> None:
        gateways = {
            account.gateway: account.process
            for account in list(self._accounts.values())
            if account.process is not None
        }
        for entry in self._registry.living("gateway"):
            gateways.setdefault(entry.name, Process(entry.name, entry=entry))
        child.end(gateways.values(), GRACE)

    def adopt_the_living(self) -> None:
        """Gateways that run without us: left by an earlier host, also those that were just being started when
        it died.
        """
        for entry in self._registry.living("gateway"):
            if entry.account in self._accounts:
                continue
            account = HostedAccount(entry.account, entry.interface, entry.brokerid, entry.userid)
            account.process, account.state = Process(entry.name, entry=entry), "starting"
            account.started = time.monotonic()
            if self._accounts.setdefault(entry.account, account) is account:
                log.info("%s adopted, pid %d", entry.name, entry.pid)
                self._follow(account, account.process)

    def ready(self) -> dict[str, int]:
        """Those that are logged in, with the pid of their gateways."""
        accounts = [account for account in list(self._accounts.values()) if account.state == "ready"]
        return {account.key: gateway.pid for account in accounts if (gateway := account.process) is not None}

    # ── calls ──

    def log_in(self, request: LogIn) -> LoggedIn:
        """See LogIn."""
        check_interface(request.interface)
        request = at_a_listed_front(request, self._brokers, self._settings.is_public)
        key = account_of(self._settings, request.interface, request.brokerid, request.userid)
        while True:
            account = self._accounts.setdefault(
                key, HostedAccount(key, request.interface, request.brokerid, request.userid)
            )
            if (account.brokerid, account.userid) != (
                request.brokerid,
                request.userid,
            ):  # an older key, whose folder says no owner yet
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

    def log_out(self, request: LogOut) -> LoggedOut:
        """See LogOut."""
        account = self._accounts.get(request.account)
        if account is None:
            raise NotFound("账户没有登录")
        with account.lock:
            if self._accounts.get(request.account) is not account:
                raise NotFound("账户没有登录")
            account.state = "needs_login"  # no strategy is started from here on
            self._strategies.log_out(account.key)
            entry = self._running(account)
            working = self._end_gateway(account, entry, request.by) if entry is not None else 0
            self._forget(account)
        log.info("%s logged out %s", account.key, f"by force: {request.by}" if request.by else "")
        return LoggedOut(working)

    def visited(self, request: Visited) -> Done:
        """See Visited."""
        for key in request.accounts:
            account = self._accounts.get(key)
            if account is not None:
                account.visited = time.monotonic()
        return Done()

    def list_accounts(self, _request: ListAccounts) -> Accounts:
        """See ListAccounts."""
        return Accounts([self._describe(account) for _, account in sorted(self._accounts.items())])

    def _describe(self, account: HostedAccount) -> AccountInfo:
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

    # ── logging in and out ──

    def _running(self, account: HostedAccount) -> Entry | None:
        """The account's living gateway, adopted if it is not ours. Waits for one that is just coming up."""
        if account.process is None:
            account.process = adopt(self._registry, account.gateway)
        if account.process is not None:
            entry = self._registered(account, account.process)
            if entry is not None:
                return entry
            self._found_dead(account, account.process)
        return None

    def _log_in_fresh(self, account: HostedAccount, request: LogIn) -> LoggedIn:
        self._give_room(account)
        # before anything starts: no older token is to speak to the new gateway
        self._sessions.end(account.key)
        account.login, account.backoff = request, Backoff()
        account.is_taken = self._taken.is_known(account.key, request.password)
        try:
            self._bring_up(account)
        except LoginDelayed:
            assert account.process is not None
            account.state = "starting"
            self._follow(account, account.process)
            if not _is_good_at_rest(account, request):
                raise
        except Exception:
            if account.process is not None:
                child.end([account.process], GRACE)
            self._forget(account)
            raise
        return LoggedIn(account.key, fresh=True)

    def _log_in_early(self, account: HostedAccount, request: LogIn) -> LoggedIn:
        """The gateway is dead and about to be started again: do that now. The account stays logged in
        whatever comes of it.
        """
        known = account.login
        assert known is not None
        if request.password != known.password:
            if not account.is_taken:
                return self._replace(account, request)
            raise LoginRefused("账户已登录，密码与登录时不同", code="PASSWORD_DIFFERS")
        if request.new_password:
            raise GatewayDown("账户的网关正在启动，密码没有修改，请稍后再试")
        try:
            self._bring_up(account)
        except LoginRefused:
            self._needs_login(account)
            raise
        except AppError as error:
            account.state = "restarting"
            if account.process is None:
                account.due = time.monotonic() + account.backoff.after(0.0)
            else:
                self._follow(account, account.process)
            if not (isinstance(error, LoginDelayed) and _is_good_at_rest(account, request)):
                raise
        return LoggedIn(account.key, fresh=False)

    def _log_in_again(self, account: HostedAccount, request: LogIn, entry: Entry) -> LoggedIn:
        try:
            peer.call(
                entry, CheckPassword(request.password, request.td_address, request.md_address), timeout=10.0
            )
        except LoginRefused as error:
            if error.extra.pop("is_judged", True):
                raise
            return self._log_in_instead(account, request, entry)
        if request.new_password:
            peer.call(entry, ChangePassword(request.password, request.new_password), timeout=10.0)
        account.is_taken = True  # says its gateway
        if account.login is None:
            fronts = {
                "td_address": request.td_address or entry.td_address,
                "md_address": request.md_address or entry.md_address,
            }
            account.login = msgspec.structs.replace(request, **fronts)
        if request.new_password:
            account.login = msgspec.structs.replace(account.login, new_password=request.new_password)
            _adopt_password(account)
        self._taken.remember(account.key, account.login.password)
        return LoggedIn(account.key, fresh=False)

    def _log_in_instead(self, account: HostedAccount, request: LogIn, entry: Entry) -> LoggedIn:
        """Nobody knows whether the login that is there has the right password, so it must not shut out
        another one. The gateway has the last word: what its counter has taken by now stays. What comes of it
        says `replaced`: such attempts are counted.
        """
        peer.call(entry, GiveWay(), timeout=10.0)
        log.warning(
            "%s logs in with another password, or at another front, than the login that no counter has "
            "judged",
            account.key,
        )
        assert account.process is not None
        if not account.process.wait(GRACE):
            child.end([account.process], 0.0)
        self._forget_entry(account)
        return self._replace(account, request)

    def _replace(self, account: HostedAccount, request: LogIn) -> LoggedIn:
        """Log in in the place of a login that no counter has judged, whose gateway is gone."""
        self._needs_login(account)
        try:
            return self._log_in_fresh(account, request)
        except AppError as error:
            error.extra["replaced"] = True
            raise

    def _bring_up(self, account: HostedAccount) -> None:
        """Start the account's gateway, and the counter if that is what it needs, and wait until it is logged
        in.
        """
        account.state, account.due = "starting", None
        if account.interface == "sim":
            self._counter.ensure()
        try:
            gateway = self._launch_gateway(account)
        except AlreadyRunning:
            raise GatewayDown("账户的网关正在启动，请稍后再试") from None
        self._await_login(account, gateway)
        self._is_in(account)
        log.info("%s logged in", account.key)

    def _is_in(self, account: HostedAccount) -> None:
        """The counter has taken its login."""
        _adopt_password(account)
        account.ready()
        if account.login is not None:
            self._taken.remember(account.key, account.login.password)

    def _was_refused(self, account: HostedAccount) -> None:
        """The counter has refused its password."""
        if account.login is not None:
            self._taken.refused(account.key, account.login.password)

    def _launch_gateway(self, account: HostedAccount) -> Process:
        """Start the account's gateway with the password in memory. Raises AlreadyRunning, GatewayDown."""
        assert account.login is not None
        start = Login.of(
            account.login,
            account=account.key,
            counter_address=self._counter.known_address() if account.interface == "sim" else "",
            password_taken=account.is_taken,
        )
        line = msgspec.json.encode(start) + b"\n"
        account.process = self._launch(account.gateway, self._command, line)
        account.started = time.monotonic()
        return account.process

    def _await_login(self, account: HostedAccount, gateway: Process) -> None:
        """Wait until the gateway is logged in. Raises LoginRefused, FrontUnreachable, or GatewayDown when it
        did not come up.
        """
        limit = self._settings.login_timeout
        entry = self._registered(account, gateway)
        if entry is None:
            raise self._why_it_ended(account, gateway)
        try:
            peer.call(entry, AwaitLogin(limit), timeout=limit + 5.0)
        except LoginRefused:
            self._was_refused(account)
            raise
        except GatewayDown as error:
            if error.code == "VERSION_MISMATCH":
                raise
            gateway.wait(1.0)
            raise self._why_it_ended(account, gateway) from None

    def _registered(self, account: HostedAccount, gateway: Process) -> Entry | None:
        """The gateway's entry, once it listens; None when it is dead. Raises GatewayDown when it takes too
        long.
        """
        deadline = time.monotonic() + START_LIMIT
        while True:
            entry = self._registry.find(account.gateway)
            if entry is not None:
                return entry
            if not gateway.alive:
                return None
            if time.monotonic() > deadline:
                raise self._why_it_ended(account, gateway)
            if self._stopping.wait(child.POLL):
                raise GatewayDown("服务正在停止")

    def _why_it_ended(self, account: HostedAccount, gateway: Process) -> AppError:
        if gateway.exit_code == EXIT_LOGIN_REFUSED:
            self._was_refused(account)
            return LoginRefused("登录被柜台拒绝")
        log.error(
            "%s (pid %d) did not come up, exit code %s", account.gateway, gateway.pid, gateway.exit_code
        )
        return GatewayDown(f"账户的网关未能启动，详见日志 {account.gateway}", code="GATEWAY_FAILED")

    def _end_gateway(self, account: HostedAccount, entry: Entry, by: str = "") -> int:
        """End the account's gateway; returns how many orders keep working."""
        working = UNKNOWN
        try:
            lists = peer.call(entry, ReadLists(), timeout=2.0)
            working = len(orjson.loads(lists.payload)["active_order_list"])
        except AppError as error:
            log.warning("%s did not say how many orders keep working: %s", account.gateway, error.message)
        with contextlib.suppress(AppError):  # a gateway that does not answer is ended all the same
            peer.call(entry, ShutDown(by), timeout=1.0)
        assert account.process is not None
        if not account.process.wait(GRACE):
            child.end([account.process], 0.0)
        return working

    def _give_room(self, account: HostedAccount) -> None:
        """Give it one of the places that there are. Raises TooManyAccounts."""
        with self._counting:
            others = [
                other.interface
                for other in list(self._accounts.values())
                if other is not account and other.state != "needs_login"
            ]
            try:
                check_room(account.interface, others, self._settings)
            except TooManyAccounts:
                del self._accounts[account.key]
                log.warning("%s is not let in: there are %d accounts", account.key, len(others))
                raise
            account.state = "starting"

    def _needs_login(self, account: HostedAccount) -> None:
        """Nobody brings its gateway back before the next login, and no token is good for it."""
        account.needs_login()
        self._sessions.end(account.key)

    def _forget(self, account: HostedAccount) -> None:
        """It is logged out."""
        self._needs_login(account)
        del self._accounts[account.key]
        self._forget_entry(account)

    def _forget_entry(self, account: HostedAccount) -> None:
        """Remove what a killed gateway left, lest the next host takes the account for one that needs a
        login.
        """
        if self._registry.find(account.gateway) is None:
            self._registry.remove(account.gateway)

    # ── watching ──

    def _look_at(self, account: HostedAccount) -> None:
        if self._accounts.get(account.key) is not account:
            return
        if account.process is not None and not account.process.alive:
            self._found_dead(account, account.process)
        elif account.due is not None and time.monotonic() >= account.due:
            self._start_again(account)

    def _look_for_the_idle(self) -> None:
        """Paper accounts at which nobody has looked for long are ended: a gateway costs as much as a
        trader's.
        """
        now, patience = time.monotonic(), self._settings.paper_idle_hours * 3600
        for account in list(self._accounts.values()):
            is_idle = (
                account.interface == "sim"
                and account.state == "ready"
                and now - account.visited > patience > 0
            )
            if is_idle and now - account.idle_look > IDLE_LOOK:
                account.idle_look = now
                threading.Thread(
                    target=self._end_if_idle,
                    args=(account, account.visited),
                    name=f"idle-{account.key}",
                    daemon=True,
                ).start()

    def _end_if_idle(self, account: HostedAccount, visited: float) -> None:
        """End its gateway, as a logout does, unless there is something that it lives for. A thread of its
        own.
        """
        try:
            with account.lock:
                entry = self._running(account)
                if (
                    self._accounts.get(account.key) is not account
                    or entry is None
                    or self._strategies.has_running(account.key)
                ):
                    return
                lists = orjson.loads(peer.call(entry, ReadLists(), timeout=10.0).payload)
                if lists["position_list"] or lists["active_order_list"] or account.visited != visited:
                    return
                log.info("%s is idle and ends", account.key)
                self._end_gateway(account, entry)
                self._forget(account)
        except AppError as error:
            log.warning("%s may be idle, but does not say so: %s", account.key, error.message)

    def _found_dead(self, account: HostedAccount, gateway: Process) -> None:
        log.warning("%s (pid %d) is dead, exit code %s", account.gateway, gateway.pid, gateway.exit_code)
        # Nobody tells us how an adopted process ended. One that was killed leaves its entry, one that ended
        # by itself does not: that may have been a refusal, and a refused password is never tried again.
        refused = gateway.exit_code == EXIT_LOGIN_REFUSED
        ended_itself = gateway.adopted and self._registry.find(account.gateway, only_living=False) is None
        if account.login is None or refused or ended_itself:
            if refused:
                self._was_refused(account)
            self._needs_login(account)
            return
        pause = account.backoff.after(time.monotonic() - account.started)
        account.process, account.state, account.due = None, "restarting", time.monotonic() + pause

    def _start_again(self, account: HostedAccount) -> None:
        account.due = None
        try:
            gateway = self._launch_gateway(account)
        except (AlreadyRunning, OSError) as error:
            log.warning("%s cannot be started yet: %r", account.gateway, error)
            account.due = time.monotonic() + account.backoff.after(0.0)
            return
        self._follow(account, gateway)

    def _follow(self, account: HostedAccount, gateway: Process) -> None:
        """Learn in a thread of its own when a gateway that logs in by itself is ready."""
        threading.Thread(
            target=self._learn_state, args=(account, gateway), name=f"follow-{account.key}", daemon=True
        ).start()

    def _learn_state(self, account: HostedAccount, gateway: Process) -> None:
        told = ""
        while gateway.alive and not self._stopping.is_set():
            try:
                self._await_login(account, gateway)
            except LoginRefused as error:
                log.error("%s was refused when it logged in again: %s", account.key, error.message)
                with account.lock:
                    if account.process is gateway:
                        account.login = None  # whoever sees it dead before we do starts no other one
                child.end([gateway], GRACE)
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
                    self._is_in(account)
                    log.info("%s is ready", account.key)
            return

    # ── what an earlier host left ──

    def _remember_the_dead(self) -> None:
        """Gateways that were killed while no host lived: their accounts need a login, and can be told so."""
        for entry in self._registry.killed("gateway"):
            account = HostedAccount(entry.account, entry.interface, entry.brokerid, entry.userid)
            self._accounts.setdefault(entry.account, account)

    def _end_sessions_of_the_dead(self) -> None:
        """No token outlives its account's gateway, as after a restart of the machine: their passwords are
        known to nobody any more.
        """
        for account in self._sessions.accounts():
            if not self._lives(gateway_of(account)):
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


def _is_good_at_rest(account: HostedAccount, request: LogIn) -> bool:
    """Whether this login is good though its counter judges nobody just now: it has taken the password
    before. A change of the password is never: it is done by the counter.
    """
    return account.is_taken and not request.new_password


def _adopt_password(account: HostedAccount) -> None:
    """The counter has taken the new password: it is the one from now on."""
    if account.login is not None and account.login.new_password:
        account.login = msgspec.structs.replace(
            account.login, password=account.login.new_password, new_password=""
        )
