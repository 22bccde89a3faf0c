"""Which strategies run, and that they do: starts, watches, restarts and ends one process per account and
strategy. Host process.

What a strategy is meant to be (`wanted`) and what became of it are kept in the store, so that they survive
the host. A strategy runs from a copy of its file, made when it is started: what the trader saves meanwhile
takes effect when he starts it again, and not when a crash, a login or a new host brings it back. Calls come
in the host's threads, `look` from its watching one.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import orjson
import psutil

from app.data_dir import accounts, strategy_folder
from app.files import write_whole
from app.host import strategy_log
from app.host.launcher import Launcher
from app.host.strategy_files import CodeFile, StrategyFiles, Version
from app.host.strategy_news import StrategyNews
from app.host.strategy_records import (
    FAILED,
    RUNNING,
    STARTING,
    STATUS,
    STOPPED,
    STOPPING,
    Record,
    accounts_with_strategies,
    entry_of,
    scope,
)
from app.lib.calendar import SHANGHAI
from app.lib.errors import (
    AppError,
    BadInput,
    GatewayDown,
    NeedsLogin,
    NotAllowed,
    NotFound,
    NotReady,
    StrategyFailed,
    StrategyRuns,
)
from app.lib.strategy_lib import is_safe_name
from app.model.store import Store, StoreFailed
from app.process import child, family, left_behind
from app.process.child import AlreadyRunning, Process
from app.process.kept import Backoff
from app.settings import Settings
from app.wire import door
from app.wire.messages import (
    ERROR_FILE,
    EXIT_STRATEGY_FAILED,
    READY_FILE,
    CodeSaved,
    DeleteStrategy,
    Done,
    Json,
    ListStrategies,
    ReadCode,
    ReadStrategyLog,
    RestartStrategy,
    SaveCode,
    StartStrategy,
    StopStrategy,
    StrategyChanged,
    StrategyReport,
    StrategyStart,
)
from app.wire.registry import Entry, Registry, boot_id, gateway_of, start_ticks, strategy_name
from app.workshop.containment import Containment

STRATEGY = (sys.executable, "-m", "app.strategy")
MOST_RESTARTS = 3
RESTART_WINDOW = 600.0  # seconds
START_WAIT = 5.0  # how long a start waits to be able to say what came of it
GRACE = 0.8  # between SIGTERM and SIGKILL; an end takes 2 s at most, on a busy machine too
MOST_PROCESSES = 32  # that a strategy may have started
SAMPLE_EVERY = 0.5
MOST_REPORT = 1024 * 1024  # bytes
ADDRESS_SPACE = (
    4  # times the memory that is allowed: a backstop, since virtual memory is not what a strategy uses
)
MEGABYTE = 1024 * 1024

log = logging.getLogger(__name__)


class Strategy:
    """One strategy of one account. `lock` serialises all that starts or ends it."""

    def __init__(self, account: str, name: str, record: Record) -> None:
        self.account = account
        self.name = name
        self.record = record
        self.lock = threading.RLock()
        self.process: Process | None = None
        self.due: float | None = None  # when to start it again
        self.backoff = Backoff(first=0.2, last=2.0)
        self.memory = 0  # bytes, when last looked at
        self.family: list[psutil.Process] = []  # it and what it has started, when last looked at

    @property
    def entry_name(self) -> str:
        return strategy_name(self.account, self.name)

    @property
    def runs(self) -> bool:
        return self.process is not None or self.due is not None


class StrategyKeeper:
    """`command` is the one that is a strategy.

    `ready()` are the accounts that are logged in, each with the pid of its gateway.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        store: Store,
        launch: Launcher,
        ready: Callable[[], Mapping[str, int]],
        command: Sequence[str] = STRATEGY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._store = store
        self._launch_process = launch
        self._ready = ready
        self._command = command
        self._clock = clock
        self._containment = Containment(settings)
        self._files = StrategyFiles(
            settings.strategies_dir, store, settings.max_strategies, in_use=self._versions_in_use
        )
        self._strategies: dict[tuple[str, str], Strategy] = {}
        self._told: Mapping[str, int] = {}  # account → pid of its gateway when last looked
        self._sampled = 0.0
        self._news = StrategyNews(registry)

    # ── its life ──

    def start(self) -> None:
        """Remember what was, and adopt what an earlier host left running."""
        for account in accounts_with_strategies(self._settings.data_dir):
            for name, record in self._store.settings(scope(account)).items():
                strategy = Strategy(account, name, msgspec.convert(record, Record))
                self._strategies[account, name] = strategy
                self._files.go_on(account, name)
                with strategy.lock:
                    self._find_again(strategy)
        self.adopt_the_living()
        self._news.start()

    def adopt_the_living(self) -> None:
        """Strategies that run without us: also those that were just being started when an earlier host
        died.
        """
        for entry in self._registry.living("strategy"):
            strategy = self._strategy(entry.account, entry.strategy)
            if strategy.process is not None or not strategy.lock.acquire(blocking=False):
                continue
            try:
                if (
                    strategy.process is None and entry.alive
                ):  # it may have been ended since the registry was read
                    strategy.process, strategy.due = Process(entry.name, entry=entry), None
                    self._adopt(strategy, entry)
            finally:
                strategy.lock.release()

    def _adopt(self, strategy: Strategy, entry: Entry) -> None:
        if strategy.record.updated and not strategy.record.wanted:
            self._end([strategy])  # an earlier host was told to stop it, and died over it
            return
        who = {"pid": entry.pid, "pid_started": entry.started, "boot": entry.boot, "ticks": entry.ticks}
        self._set(strategy, RUNNING, wanted=True, version=entry.version, **who)
        log.info("strategy %s of %s adopted, pid %d", strategy.name, strategy.account, entry.pid)

    def look(self) -> None:
        """To be called often."""
        ready = self._ready()
        came = [account for account, pid in ready.items() if self._told.get(account) != pid]
        self._told = ready
        for strategy in list(self._strategies.values()):
            if strategy.lock.acquire(blocking=False):  # else somebody is at it, and knows better
                try:
                    if strategy.account in came:
                        self._account_is_ready(strategy)
                    self._look_at(strategy)
                finally:
                    strategy.lock.release()
        if time.monotonic() - self._sampled >= SAMPLE_EVERY:
            self._sampled = time.monotonic()
            self._sample()

    def log_out(self, account: str) -> None:
        """End the account's strategies; they run again at its next login."""
        self._end([strategy for strategy in list(self._strategies.values()) if strategy.account == account])

    def end_all(self) -> None:
        """End every strategy that runs; they run again when their accounts have logged in."""
        self.adopt_the_living()
        self._end(list(self._strategies.values()))
        self._news.stop()

    def has_running(self, account: str) -> bool:
        """Whether a strategy of the account runs, or is to."""
        return any(
            strategy.account == account and strategy.runs for strategy in list(self._strategies.values())
        )

    # ── calls ──

    def rows(self, request: ListStrategies) -> Json:
        """See ListStrategies."""
        account, name = request.account, request.name
        if name:
            strategy = self._known(account, name)
            versions = [_version_row(version) for version in self._files.versions(account, name)]
            return Json(
                orjson.dumps(self._row(strategy, self._file_of(account, name)) | {"versions": versions})
            )
        files = {file.name: file for file in self._files.listed(account)}
        running = {
            strategy.name
            for strategy in list(self._strategies.values())
            if strategy.account == account and strategy.runs
        }
        rows = [
            self._row(self._seen(account, each), files.get(each)) for each in sorted(files.keys() | running)
        ]
        return Json(orjson.dumps(rows))

    def run(self, request: StartStrategy) -> Done:
        """See StartStrategy."""
        strategy = self._known(request.account, request.name)
        with strategy.lock:
            if strategy.process is not None and strategy.process.alive:
                return Done("策略已在运行")
            self._run_the_file(strategy)
        return self._await_start(strategy)

    def stop(self, request: StopStrategy) -> Done:
        """See StopStrategy."""
        strategy = self._known(request.account, request.name)
        with strategy.lock:
            ran = strategy.runs
            strategy.record.wanted = False
            self._end([strategy])
            self._save(strategy)
        return Done("" if ran else "策略没有在运行")

    def run_again(self, request: RestartStrategy) -> Done:
        """See RestartStrategy."""
        strategy = self._known(request.account, request.name)
        with strategy.lock:
            self._check_startable(strategy)  # else a strategy that runs would be ended for nothing
            self._end([strategy])
            self._run_the_file(strategy)
        return self._await_start(strategy)

    def delete(self, request: DeleteStrategy) -> Done:
        """See DeleteStrategy."""
        account, name = request.account, request.name
        file = self._files.find(account, name)
        if file.shared and (self._settings.is_public or self._others(account)):
            raise NotAllowed(
                f"{name} 是各账户共享的策略，只能由管理员在服务器的策略目录中删除", code="SHARED_STRATEGY"
            )
        strategy = self._strategy(account, name)
        with strategy.lock:  # nobody starts it meanwhile
            if strategy.runs:
                raise StrategyRuns("运行中的策略请先停止", name=name)
            self._files.delete(account, name)
            self._strategies.pop((account, name), None)
            self._store.delete_setting(scope(account), name)
        left = self._file_of(account, name)
        self._tell(Strategy(account, name, Record()), deleted=left is None)
        return Done(f"删除{name}成功，同名的共享策略仍在" if left is not None else "")

    def save_code(self, request: SaveCode) -> CodeSaved:
        """See SaveCode."""
        name, version = self._files.save(request.account, request.text)
        strategy = self._seen(request.account, name)
        self._tell(strategy)
        return CodeSaved(name, version.version, strategy.runs and strategy.record.version != version.version)

    def read_code(self, request: ReadCode) -> Json:
        """See ReadCode."""
        if not request.account:
            raise NotFound("网页进程的版本较旧，请重启网页服务", code="VERSION_MISMATCH")
        source = self._files.source(request.account, request.name, request.version)
        return Json(orjson.dumps({request.name: source}))

    def read_log(self, request: ReadStrategyLog) -> Json:
        """See ReadStrategyLog."""
        account, name = request.account, request.name
        self._known(account, name)
        return Json(
            orjson.dumps(strategy_log.page(self._folder(account, name), request.before, request.limit))
        )

    # ── starting ──

    def _run_the_file(self, strategy: Strategy) -> None:
        """Start it by hand: with the file as it stands now, and as if it had never failed."""
        self._check_startable(strategy)
        version = self._files.take(strategy.account, strategy.name).version
        strategy.backoff = Backoff(first=0.2, last=2.0)
        strategy.record = msgspec.structs.replace(
            strategy.record, wanted=True, version=version, error=None, restarts=[]
        )
        try:
            self._launch(strategy)
        except AlreadyRunning:
            raise NotReady("策略的上一个进程还没有结束，请稍后再试") from None
        except OSError as error:
            raise AppError(f"策略不能启动：{error.strerror}", code="STRATEGY_NOT_STARTED") from error

    def _check_startable(self, strategy: Strategy) -> None:
        file = self._files.find(strategy.account, strategy.name)
        if file.problem:
            raise BadInput("name", f"策略不能启动：{file.problem}", code="BAD_CODE", line=file.line)
        self._containment.check()
        most = self._settings.max_strategies
        running = [
            each for each in list(self._strategies.values()) if each.account == strategy.account and each.runs
        ]
        if strategy not in running and len(running) >= most:
            raise BadInput(
                "name", f"策略不能启动：每个账户至多同时运行 {most} 个", code="TOO_MANY_STRATEGIES"
            )
        if strategy.account in self._ready():
            return
        if self._registry.find(gateway_of(strategy.account)) is None:
            raise NeedsLogin("账户没有登录，登录后才能启动策略")
        raise NotReady("账户的网关尚未就绪，请稍后再启动策略")

    def _launch(self, strategy: Strategy) -> None:
        """Start its process with the version in its record. Raises GatewayDown when the host is ending or the
        gateway has no door, NotAllowed when none may run, AlreadyRunning, OSError.
        """
        record, folder = strategy.record, self._folder(strategy.account, strategy.name)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{strategy.name}.py"
        write_whole(path, self._files.source(strategy.account, strategy.name, record.version).encode())
        for left in (ERROR_FILE, READY_FILE):
            (folder / left).unlink(missing_ok=True)
        contained = self._containment.check()
        address = self._door(strategy.account)
        seen = door.folder(address)
        cage = self._containment.cage(folder, [seen] if seen is not None else []) if contained else None
        start = StrategyStart(
            account=strategy.account,
            name=strategy.name,
            path=str(path),
            gateway=gateway_of(strategy.account),
            secret=door.secret(self._registry.run_dir, strategy.account, strategy.name),
            door=address if contained else "",
            version=record.version,
            address_space=ADDRESS_SPACE * self._settings.strategy_memory,
        )
        strategy.due = None
        environment = self._containment.environment(folder, contained)
        strategy.process = self._launch_process(
            strategy.entry_name, self._command, msgspec.json.encode(start) + b"\n", environment, cage
        )
        pid = strategy.process.pid
        ticks = start_ticks(pid)
        who = {"pid": pid, "pid_started": _start_of(pid), "boot": boot_id() if ticks else "", "ticks": ticks}
        self._set(strategy, STARTING, started=self._now(), contained=contained, **who)

    def _door(self, account: str) -> str:
        """Where its gateway listens for strategies. Raises GatewayDown."""
        entry = self._registry.find(gateway_of(account))
        if entry is None:
            raise GatewayDown("账户的网关没有在运行")
        if not entry.door:
            raise GatewayDown("账户的网关由较旧的程序启动，请注销后重新登录", code="VERSION_MISMATCH")
        return entry.door

    def _await_start(self, strategy: Strategy) -> Done:
        """Wait for what comes of a start, for as long as a caller does. Raises StrategyFailed."""
        deadline = time.monotonic() + START_WAIT
        while time.monotonic() < deadline:
            with strategy.lock:
                self._look_at(strategy)
                state, error = strategy.record.state, strategy.record.error
            if state == FAILED and error is not None:
                raise StrategyFailed(
                    f"策略启动失败：{error['message']}", line=error["line"], name=strategy.name
                )
            if state != STARTING:
                return Done()
            time.sleep(child.POLL)
        return Done("策略正在启动")

    def _account_is_ready(self, strategy: Strategy) -> None:
        """Its account has a gateway again, which has not heard of it yet."""
        if strategy.record.wanted and not strategy.runs:
            strategy.due = time.monotonic()
        self._tell(strategy)

    def _find_again(self, strategy: Strategy) -> None:
        """Its process, if an earlier host left it running, by the pid: it may not have registered yet."""
        record = strategy.record
        entry = entry_of(strategy.account, strategy.name, record)
        if record.state in (STARTING, RUNNING, STOPPING) and record.pid and entry.alive:
            strategy.process = Process(entry.name, entry=entry)
            if not record.wanted:
                self._end([strategy])  # it was about to be
        elif record.state in (STARTING, RUNNING, STOPPING):
            record.state = STOPPED  # whether it runs again is for its account's next login to say
            self._take_report(strategy)

    # ── watching ──

    def _look_at(self, strategy: Strategy) -> None:
        if strategy.process is not None:
            if not strategy.process.alive:
                self._found_dead(strategy, strategy.process)
            elif (
                strategy.record.state == STARTING
                and (self._folder(strategy.account, strategy.name) / READY_FILE).exists()
            ):
                self._registry.write(entry_of(strategy.account, strategy.name, strategy.record))
                self._set(strategy, RUNNING)
        elif (
            strategy.due is not None
            and time.monotonic() >= strategy.due
            and strategy.account in self._ready()
        ):
            try:
                self._launch(strategy)
            except (AlreadyRunning, OSError, GatewayDown) as error:  # GatewayDown: the host is ending
                log.warning(
                    "strategy %s of %s cannot be started yet: %r", strategy.name, strategy.account, error
                )
                strategy.due = time.monotonic() + strategy.backoff.after(0.0)
            except AppError as error:  # the version that ran is not in the store any more
                strategy.due = None
                self._fail(strategy, f"策略不能再启动：{error.message}")

    def _found_dead(self, strategy: Strategy, dead: Process) -> None:
        """It has ended by itself: its own code was at fault, or it is to run again."""
        log.warning(
            "strategy %s of %s (pid %d) is dead, exit code %s",
            strategy.name,
            strategy.account,
            dead.pid,
            dead.exit_code,
        )
        family.kill(dead.pid, strategy.family)  # what it had started
        self._let_go(strategy)
        if self._take_report(strategy):
            return
        if dead.exit_code == EXIT_STRATEGY_FAILED:
            self._fail(strategy, "策略异常，已停止；原因没能写下（磁盘已满？），见策略日志")
            return
        now = self._clock()
        recent = [moment for moment in strategy.record.restarts if now - moment < RESTART_WINDOW]
        why = f"策略进程意外结束（{_ending(dead.exit_code)}）"
        if len(recent) >= MOST_RESTARTS:
            minutes = int(RESTART_WINDOW / 60)
            self._fail(strategy, f"{why}；{minutes} 分钟内已重启 {MOST_RESTARTS} 次，不再重启")
            return
        strategy.due = time.monotonic() + strategy.backoff.after(0.0)
        self._set(strategy, STARTING, restarts=[*recent, now], error=self._error(f"{why}，已重启"))

    def _take_report(self, strategy: Strategy) -> bool:
        """Whether it has written down why it failed; it is marked as failed then."""
        path = self._folder(strategy.account, strategy.name) / ERROR_FILE
        try:
            with left_behind.opened(path) as file:
                report = msgspec.json.decode(file.read(MOST_REPORT), type=StrategyReport)
            path.unlink(missing_ok=True)
        except (OSError, msgspec.DecodeError):
            return False
        error = msgspec.to_builtins(report)
        self._set(strategy, FAILED, wanted=False, error=error)
        return True

    def _fail(self, strategy: Strategy, message: str) -> None:
        self._set(strategy, FAILED, wanted=False, error=self._error(message))

    def _error(self, message: str) -> dict[str, Any]:
        return {"message": message, "line": 0, "traceback": "", "time": self._now()}

    def _sample(self) -> None:
        """Look what the strategies take, and end those that take too much."""
        running = [
            (strategy, strategy.process)
            for strategy in list(self._strategies.values())
            if strategy.process is not None
        ]
        if not running:
            return
        everybody = family.census()
        for strategy, its in running:
            pids = family.family_of(its.pid, everybody)
            # what is in no process's memory and in no folder is held by its open files alone
            strategy.memory = family.resident(pids) + family.unlinked(pids)
            strategy.family = family.known(pids)
            limit = self._settings.strategy_memory
            excess = ""
            if len(pids) > MOST_PROCESSES + 1:
                excess = f"启动了 {len(pids) - 1} 个子进程，超过上限 {MOST_PROCESSES} 个，已结束"
            elif strategy.memory > limit * MEGABYTE:
                excess = f"内存 {strategy.memory // MEGABYTE} MB 超过上限 {limit} MB，已结束"
            if excess and strategy.lock.acquire(blocking=False):
                try:
                    if strategy.process is its:
                        log.warning(
                            "strategy %s of %s (pid %d): %s", strategy.name, strategy.account, its.pid, excess
                        )
                        family.kill(its.pid, strategy.family)
                        its.wait(1.0)
                        self._let_go(strategy)
                        self._fail(strategy, excess)
                finally:
                    strategy.lock.release()

    def _let_go(self, strategy: Strategy) -> None:
        """Its process has ended."""
        strategy.process, strategy.family = None, []
        self._registry.remove(strategy.entry_name)

    # ── ending ──

    def _end(self, strategies: Iterable[Strategy]) -> None:
        """End them together, within 2 s whatever they do; those that failed keep what is known of it."""
        held: list[Strategy] = []
        for strategy in strategies:
            strategy.lock.acquire()
            held.append(strategy)
        try:
            living = [(strategy, strategy.process) for strategy in held if strategy.process is not None]
            for strategy, _its in living:
                self._set(strategy, STOPPING)
            family.end([its for _strategy, its in living], GRACE)  # with what they had started
            for strategy in held:
                ended, strategy.due = strategy.runs, None
                if strategy.process is not None:
                    self._let_go(strategy)
                if ended and not self._take_report(strategy):
                    self._set(strategy, STOPPED)
        finally:
            for strategy in held:
                strategy.lock.release()

    # ── what is known, kept and told ──

    def _strategy(self, account: str, name: str) -> Strategy:
        return self._strategies.setdefault((account, name), Strategy(account, name, Record()))

    def _seen(self, account: str, name: str) -> Strategy:
        """It as it is, or as it would be: nothing is kept of what was only looked at."""
        return self._strategies.get((account, name)) or Strategy(account, name, Record())

    def _known(self, account: str, name: str) -> Strategy:
        """Raises NotFound when there is neither such a file nor such a process."""
        strategy = self._strategies.get((account, name))
        if strategy is None or not strategy.runs:
            self._files.find(account, name)
        return strategy or self._strategy(account, name)

    def _versions_in_use(self, account: str, name: str) -> set[int]:
        strategy = self._strategies.get((account, name))
        return {strategy.record.version} if strategy is not None else set()

    def _others(self, account: str) -> list[str]:
        """The other accounts that this server has ever had."""
        return [other for other in accounts(self._settings.data_dir) if other != account]

    def _file_of(self, account: str, name: str) -> CodeFile | None:
        try:
            return self._files.find(account, name)
        except AppError:
            return None

    def _row(self, strategy: Strategy, file: CodeFile | None) -> dict[str, Any]:
        """What is said of it: `status` is the reference's word, the rest is ours."""
        record = strategy.record
        versions = self._files.versions(strategy.account, strategy.name)
        newest = versions[-1].version if versions else 0
        state, error, broken = record.state, record.error, record.version
        if file is None:
            error = error or self._error("策略文件已不在")
        elif file.problem and not strategy.runs:
            state, broken = FAILED, newest
            error = {"message": file.problem, "line": file.line, "traceback": "", "time": file.updated}
        return {
            "name": strategy.name,
            "status": STATUS[state],
            "state": state,
            "version": newest,
            "running_version": record.version if strategy.runs else 0,
            "pid": strategy.process.pid if strategy.process is not None else 0,
            "memory": strategy.memory // MEGABYTE if strategy.process is not None else 0,
            "started": record.started,
            "updated": record.updated or (file.updated if file is not None else ""),
            "restarts": len(
                [moment for moment in record.restarts if self._clock() - moment < RESTART_WINDOW]
            ),
            "shared": file is not None and file.shared,
            "contained": strategy.record.contained and strategy.runs,
            "error": error and error | {"version": broken},
        }

    def _set(self, strategy: Strategy, state: str, **changes: Any) -> None:
        """Its state from now on, kept and told."""
        if state in (STOPPED, FAILED):
            changes |= {"pid": 0}
        strategy.record = msgspec.structs.replace(
            strategy.record, state=state, updated=self._now(), **changes
        )
        log.info("strategy %s of %s: %s", strategy.name, strategy.account, state)
        self._save(strategy)
        self._tell(strategy)

    def _save(self, strategy: Strategy) -> None:
        """A full disk keeps nobody from ending a strategy; what the next host then knows is what was kept
        last.
        """
        try:
            self._store.put_setting(
                scope(strategy.account), strategy.name, msgspec.to_builtins(strategy.record)
            )
        except StoreFailed as error:
            log.error(
                "the state of strategy %s of %s is not kept: %s", strategy.name, strategy.account, error
            )

    def _tell(self, strategy: Strategy, deleted: bool = False) -> None:
        row = self._row(strategy, self._file_of(strategy.account, strategy.name)) | (
            {"deleted": True} if deleted else {}
        )
        payload = orjson.dumps({"type": "strategy", "data": row})
        by_hand = strategy.record.state == STOPPED and not strategy.record.wanted
        news = StrategyChanged(strategy.name, payload, deleted, stopped=by_hand)
        self._news.tell(strategy.account, news)

    def _folder(self, account: str, name: str) -> Path:
        """Where a strategy of an account leaves what is its own."""
        assert is_safe_name(name)
        return strategy_folder(self._settings.data_dir, account, name)

    @staticmethod
    def _now() -> str:
        return datetime.now(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def _version_row(version: Version) -> dict[str, Any]:
    return {"version": version.version, "sha": version.sha, "time": version.time, "source": version.source}


def _start_of(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def _ending(exit_code: int | None) -> str:
    if exit_code is None:
        return "原因不明"
    if exit_code < 0:
        return f"信号 {signal.Signals(-exit_code).name}"
    return f"退出码 {exit_code}"
