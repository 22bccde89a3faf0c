"""Strategies under the host with real processes: a small strategy, gateway and counter (tests/fakes) stand in
for the large ones.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.commands.supervisor import end_all
from app.host import strategy_keeper
from app.host.host import Host
from app.lib.errors import (
    AppError,
    BadInput,
    GatewayDown,
    NeedsLogin,
    NotAllowed,
    NotFound,
    StoreDown,
    StrategyFailed,
    StrategyRuns,
)
from app.model.sqlite import SqliteStore
from app.model.store import StoreFailed
from app.process.child import Process, end
from app.process.family import census, family_of
from app.settings import Settings
from app.wire.messages import (
    CodeSaved,
    DeleteStrategy,
    ListStrategies,
    LogIn,
    LogOut,
    ReadCode,
    ReadStrategyLog,
    RestartStrategy,
    SaveCode,
    StartStrategy,
    StopStrategy,
)
from app.wire.registry import PROTOCOL, Entry, Registry, strategy_name
from app.wire.rpc import RpcClient
from tests.fakes.host import COUNTER, GATEWAY, STRATEGY
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
ACCOUNT = "sim-9999-demo"
OTHER = "sim-9999-other"
LAST = "最后"


def code(name: str = "均线", does: str = "", remark: str = "") -> str:
    return (
        f"from ctpbee import CtpbeeApi\n# does: {does}\n# {remark}\nclass Mine(CtpbeeApi):\n    "
        f'pass\n\next = Mine("{name}")\n'
    )


class World:
    """One data directory, its strategies, and a host that is asked as the web asks it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.folder = data_dir / "策略"
        self.settings = Settings.load(
            environment={},
            data_dir=data_dir,
            strategies_dir=self.folder,
            login_timeout=5,
            strategy_memory=128,
            max_strategies=3,
            strategies="uncontained",
        )
        self.registry = Registry(data_dir)
        self.host: Host | None = None
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """A host in this process."""
        self.host = Host(self.settings, GATEWAY, COUNTER, STRATEGY)
        self.host.start()

    def stop(self) -> None:
        if self.host is not None:
            self.host.stop()
            self.host = None

    def start_process(self) -> None:
        """A host that can be killed."""
        command = [sys.executable, "-m", "tests.fakes.host"]
        self.child = subprocess.Popen(
            command, cwd=ROOT, env=self.settings.to_environment(), start_new_session=True
        )
        child = self.child
        eventually(
            lambda: (entry := self.registry.find("host")) and entry.pid == child.pid, "the host listens"
        )

    def kill_host(self) -> None:
        assert self.child is not None
        self.child.kill()
        self.child.wait()

    def ask(self, request: Any) -> Any:
        entry = self.registry.find("host")
        assert entry is not None
        client = RpcClient(entry.address)
        try:
            return client.call(request, 30)
        finally:
            client.close()

    def answer(self, request: Any) -> Any:
        """The reply, or the error."""
        try:
            return self.ask(request)
        except AppError as error:
            return error

    @contextmanager
    def asking(self, request: Any) -> Iterator[None]:
        """Ask it of a host that may die over it."""

        def ask() -> None:
            with contextlib.suppress(GatewayDown):
                self.ask(request)

        asking = threading.Thread(target=ask)
        asking.start()
        yield
        asking.join()

    def log_in(self, userid: str = "demo") -> None:
        self.ask(LogIn(interface="sim", brokerid="9999", userid=userid, password="p"))

    def save(self, *args: str, **how: str) -> CodeSaved:
        saved = self.ask(SaveCode(ACCOUNT, code(*args, **how)))
        assert isinstance(saved, CodeSaved)
        return saved

    def run(self, name: str = "均线", account: str = ACCOUNT) -> Entry:
        self.ask(StartStrategy(account, name))
        return self.entry(name, account)

    def entry(self, name: str = "均线", account: str = ACCOUNT) -> Entry:
        found = self.registry.find(strategy_name(account, name))
        assert found is not None
        return found

    def replaced(self, old: Entry) -> Entry:
        return eventually(
            lambda: (new := self.registry.find(old.name)) and (new if new.pid != old.pid else None),
            "another process",
        )

    def row(self, name: str = "均线", account: str = ACCOUNT) -> dict[str, Any]:
        return json.loads(self.ask(ListStrategies(account, name)).payload)

    def rows(self, account: str = ACCOUNT) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in json.loads(self.ask(ListStrategies(account)).payload)}

    def is_(self, state: str, name: str = "均线", account: str = ACCOUNT) -> dict[str, Any]:
        """The row, once it is in that state."""
        return eventually(
            lambda: (row := self.row(name, account))["state"] == state and row or None,
            f"{name} is {state}",
            30,
        )

    def starts(self) -> list[dict[str, Any]]:
        path = self.data_dir / "starts-strategies"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def told(self, account: str = ACCOUNT) -> list[dict[str, Any]]:
        path = self.data_dir / f"told-{account}"
        return (
            [json.loads(line)["data"] for line in path.read_text("utf-8").splitlines()]
            if path.exists()
            else []
        )

    def clean(self) -> None:
        if self.child is not None:
            self.child.terminate()
            self.child.wait(30)
        self.stop()
        end(
            [
                Process(entry.name, entry=entry)
                for entry in self.registry.living()
                if entry.pid != os.getpid()
            ],
            0.0,
        )

    def forget(self) -> None:
        """As new, but for the versions of what was saved."""
        for account in (ACCOUNT, OTHER):
            for name in self.rows(account):
                self.ask(StopStrategy(account, name))
                self.ask(DeleteStrategy(account, name))
        eventually(lambda: self.registry.living("strategy") == [], "no strategy runs")
        self.save(LAST)
        self.ask(DeleteStrategy(ACCOUNT, LAST))  # news comes later than answers, and in order
        eventually(
            lambda: any(row["name"] == LAST and row.get("deleted") for row in self.told()),
            "all news has come",
        )
        for path in ("starts-strategies", f"told-{ACCOUNT}", f"told-{OTHER}"):
            (self.data_dir / path).unlink(missing_ok=True)


def made_in(folder: Path) -> World:
    data_dir = folder / "数据 目录"
    data_dir.mkdir()
    return World(data_dir)


@pytest.fixture
def cold(tmp_path: Path) -> Iterator[World]:
    """Without a host, for the tests that start and kill it."""
    made = made_in(tmp_path)
    yield made
    made.clean()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = made_in(tmp_path_factory.mktemp("keeper"))
    made.start()
    for userid in ("demo", "other"):
        made.log_in(userid)
    yield made
    made.clean()


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    """With a host and two accounts that are logged in."""
    yield shared
    shared.forget()


def kill(entry: Entry) -> None:
    os.kill(entry.pid, signal.SIGKILL)
    eventually(lambda: not entry.alive, f"{entry.name} is dead")


# ── a strategy's life ──


def test_a_strategy_is_saved_started_stopped_and_deleted(world: World) -> None:
    saved = world.save()
    assert (saved.name, saved.running) == ("均线", False)
    row = world.row()
    assert (row["status"], row["state"], row["version"], row["pid"], row["error"]) == (
        "停止",
        "停止",
        saved.version,
        0,
        None,
    )
    entry = world.run()
    row = world.row()
    assert (row["status"], row["state"], row["running_version"], row["pid"]) == (
        "运行中",
        "运行中",
        saved.version,
        entry.pid,
    )
    with pytest.raises(StrategyRuns, match="请先停止"):
        world.ask(DeleteStrategy(ACCOUNT, "均线"))
    world.ask(StopStrategy(ACCOUNT, "均线"))
    assert not entry.alive
    assert (world.row()["state"], world.row()["pid"]) == ("停止", 0)
    world.ask(DeleteStrategy(ACCOUNT, "均线"))
    assert world.rows() == {}
    assert not (world.folder / ACCOUNT / "均线.py").exists()
    with pytest.raises(NotFound):
        world.row()
    assert json.loads(world.ask(ReadCode("均线", saved.version, ACCOUNT)).payload) == {
        "均线": code()
    }  # what it was stays


def test_a_gateway_of_another_version_is_told_nothing(world: World) -> None:
    path = world.data_dir / "run" / f"gateway-{OTHER}.json"
    entry = path.read_bytes()
    path.write_bytes(json.dumps(json.loads(entry) | {"protocol": PROTOCOL + 1}).encode())
    try:
        world.ask(SaveCode(OTHER, code()))
        world.save()
        eventually(world.told, "news that comes after it")
        assert world.told(OTHER) == []
    finally:
        path.write_bytes(entry)


def test_every_change_of_state_is_told_to_the_accounts_gateway_alone(world: World) -> None:
    world.save()
    world.run()
    world.ask(StopStrategy(ACCOUNT, "均线"))
    eventually(
        lambda: [row["state"] for row in world.told()] == ["停止", "启动中", "运行中", "停止中", "停止"],
        "all was told",
    )
    assert world.told(OTHER) == []


def test_two_accounts_run_a_shared_file_each_in_a_process_of_its_own_and_neither_deletes_it(
    world: World,
) -> None:
    world.folder.mkdir(exist_ok=True)
    shared = world.folder / "均线.py"
    shared.write_text(code(), "utf-8")
    first, second = world.run(), world.run(account=OTHER)
    assert first.pid != second.pid
    assert world.row()["shared"]
    world.ask(StopStrategy(ACCOUNT, "均线"))
    assert (world.row()["state"], world.row(account=OTHER)["state"]) == ("停止", "运行中")
    with pytest.raises(NotAllowed, match="共享"):
        world.ask(DeleteStrategy(ACCOUNT, "均线"))
    assert shared.exists()
    world.ask(StopStrategy(OTHER, "均线"))
    shared.unlink()


def test_one_account_neither_changes_nor_stops_what_runs_on_another(world: World) -> None:
    world.save(remark="mine")
    entry = world.run()
    theirs = world.ask(SaveCode(OTHER, code(remark="theirs")))
    assert not theirs.running
    world.ask(RestartStrategy(ACCOUNT, "均线"))  # what runs is what its own account has saved
    assert world.starts()[-1]["text"] == code(remark="mine")
    assert not entry.alive
    world.ask(DeleteStrategy(OTHER, "均线"))
    assert world.row()["state"] == "运行中"
    assert world.rows(OTHER) == {}


def test_an_account_runs_so_many_at_once_and_no_more(world: World) -> None:
    for name in ("甲", "乙", "丙"):
        world.save(name)
        world.run(name)
    world.folder.joinpath("丁.py").write_text(code("丁"), "utf-8")
    with pytest.raises(BadInput, match="至多同时运行 3 个"):
        world.run("丁")
    world.ask(RestartStrategy(ACCOUNT, "甲"))
    world.ask(StopStrategy(ACCOUNT, "乙"))
    world.run("丁")
    world.ask(StopStrategy(ACCOUNT, "丁"))
    world.folder.joinpath("丁.py").unlink()


def test_the_only_account_of_a_server_of_ones_own_deletes_shared_files_too(cold: World) -> None:
    cold.start()
    cold.folder.mkdir()
    cold.folder.joinpath("均线.py").write_text(code(), "utf-8")
    cold.save(remark="mine")
    assert "同名的共享策略仍在" in cold.ask(DeleteStrategy(ACCOUNT, "均线")).note
    assert cold.row()["shared"]
    cold.ask(DeleteStrategy(ACCOUNT, "均线"))
    assert cold.rows() == {}
    assert json.loads(cold.ask(ReadCode("均线", 2, ACCOUNT)).payload) == {"均线": code(remark="mine")}


def test_one_that_is_just_being_started_is_not_deleted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.save()
    starting, go_on = threading.Event(), threading.Event()
    launch = strategy_keeper.StrategyKeeper._launch

    def slowly(keeper: strategy_keeper.StrategyKeeper, strategy: strategy_keeper.Strategy) -> None:
        starting.set()
        go_on.wait(30)
        launch(keeper, strategy)

    monkeypatch.setattr(strategy_keeper.StrategyKeeper, "_launch", slowly)
    with world.asking(StartStrategy(ACCOUNT, "均线")):
        assert starting.wait(30)
        answers: list[Any] = []
        deleting = threading.Thread(
            target=lambda: answers.append(world.answer(DeleteStrategy(ACCOUNT, "均线")))
        )
        deleting.start()
        deleting.join(0.3)
        go_on.set()
        deleting.join()
    assert isinstance(answers[0], StrategyRuns)
    assert world.is_("运行中")["error"] is None


def test_starting_what_runs_and_stopping_what_does_not_are_said_and_do_nothing(world: World) -> None:
    world.save()
    assert world.ask(StopStrategy(ACCOUNT, "均线")).note
    entry = world.run()
    assert world.ask(StartStrategy(ACCOUNT, "均线")).note
    assert world.entry().pid == entry.pid


def test_a_strategy_needs_its_account_logged_in(cold: World) -> None:
    cold.start()
    cold.save()
    with pytest.raises(NeedsLogin):
        cold.ask(StartStrategy(ACCOUNT, "均线"))
    assert cold.row()["state"] == "停止"
    assert cold.starts() == []


@pytest.mark.parametrize("name", ["没有", "../host", "a\x00b", "x" * 300, "class", "", "a/b", ".", "con"])
def test_a_name_that_is_none_is_not_found_and_reaches_no_path(world: World, name: str) -> None:
    for kind in (StartStrategy, StopStrategy, RestartStrategy, DeleteStrategy, ReadStrategyLog):
        with pytest.raises(NotFound):
            world.ask(kind(ACCOUNT, name))
    with pytest.raises(NotFound):
        world.ask(ReadCode(name, 0, ACCOUNT))
    assert world.rows() == {}
    assert world.starts() == []


def test_new_code_of_a_running_strategy_runs_when_it_is_restarted_and_not_before(world: World) -> None:
    first = world.save().version
    old = world.run()
    assert world.save(remark="new") == CodeSaved("均线", first + 1, running=True)
    kill(old)  # brought back as it was: nobody has asked for the new one
    back = world.replaced(old)
    assert (world.is_("运行中")["running_version"], world.row()["version"]) == (first, first + 1)
    world.ask(RestartStrategy(ACCOUNT, "均线"))
    assert not back.alive
    assert world.row()["running_version"] == first + 1
    assert [start["text"] for start in world.starts()] == [code(), code(), code(remark="new")]
    assert world.save(remark="newer") == CodeSaved("均线", first + 2, running=True)


def test_a_restart_of_a_broken_file_leaves_the_running_one_alone(world: World) -> None:
    world.save()
    entry = world.run()
    (world.folder / ACCOUNT / "均线.py").write_text("def (")
    with pytest.raises(BadInput, match="语法错误"):
        world.ask(RestartStrategy(ACCOUNT, "均线"))
    assert entry.alive
    assert world.row()["state"] == "运行中"


# ── failing ──


def test_an_exception_in_its_code_leaves_it_failed_with_line_and_traceback_and_not_restarted(
    world: World,
) -> None:
    world.save(does="fails")
    with pytest.raises(StrategyFailed, match="坏了") as failed:
        world.ask(StartStrategy(ACCOUNT, "均线"))
    assert failed.value.extra["line"] == 7
    row = world.row()
    assert (row["status"], row["state"], row["error"]["line"], row["restarts"]) == ("停止", "异常", 7, 0)
    assert row["error"]["traceback"].startswith("Traceback")
    world.save(remark="mended")
    row = world.row()
    assert row["error"]["version"] == row["version"] - 1, "the line is of the text that ran"
    world.run()
    assert world.row()["error"] is None
    assert len(world.starts()) == 2


def test_one_that_failed_and_could_not_leave_word_of_why_is_failed_all_the_same(world: World) -> None:
    world.save(does="quits")
    with pytest.raises(StrategyFailed, match="原因没能写下"):
        world.ask(StartStrategy(ACCOUNT, "均线"))
    row = world.is_("异常")
    assert (row["status"], row["pid"], row["restarts"]) == ("停止", 0, 0)
    assert len(world.starts()) == 1


def test_a_killed_strategy_is_started_again(world: World) -> None:
    world.save()
    old = world.run()
    kill(old)
    world.replaced(old)
    row = world.is_("运行中")
    assert row["restarts"] == 1
    assert "SIGKILL" in row["error"]["message"]


def test_a_strategy_that_dies_again_and_again_is_left_failed_after_three_restarts(world: World) -> None:
    world.save(does="crashes")
    with contextlib.suppress(StrategyFailed):  # it may have been given up before the start was answered
        world.ask(StartStrategy(ACCOUNT, "均线"))
    row = world.is_("异常")
    assert len(world.starts()) == 4
    assert "已重启 3 次" in row["error"]["message"]
    assert world.registry.living("strategy") == []


def test_restarts_of_long_ago_do_not_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategy_keeper, "RESTART_WINDOW", 0.0)
    world.save()
    entry = world.run()
    for _ in range(4):
        kill(entry)
        entry = world.replaced(entry)
    assert world.is_("运行中")["pid"] == entry.pid


def test_one_that_is_ended_while_the_host_looks_around_stays_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.save()
    stale = [world.run()]
    world.ask(StopStrategy(ACCOUNT, "均线"))
    looked: list[str] = []

    def as_it_was(_registry: Registry, kind: str = "") -> list[Entry]:
        looked.append(kind)
        return stale if kind == "strategy" else []

    with monkeypatch.context() as late:
        late.setattr(Registry, "living", as_it_was)
        eventually(lambda: looked.count("strategy") > 1, "the host has looked twice")
    assert world.row()["state"] == "停止"
    assert len(world.starts()) == 1


def test_on_a_full_disk_what_runs_can_be_stopped_and_nothing_half_is_saved(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise StoreFailed("disk full")

    world.save()
    entry = world.run()
    with monkeypatch.context() as broken:
        broken.setattr(SqliteStore, "put_settings", full)
        with pytest.raises(StoreDown):
            world.save(remark="never kept")
        world.ask(StopStrategy(ACCOUNT, "均线"))
        assert not entry.alive
        assert world.row()["state"] == "停止"
    assert json.loads(world.ask(ReadCode("均线", 0, ACCOUNT)).payload) == {"均线": code()}


def test_one_that_hears_nothing_is_stopped_in_time(world: World) -> None:
    world.save(does="loops")
    entry = world.run()
    began = time.monotonic()
    world.ask(StopStrategy(ACCOUNT, "均线"))
    assert time.monotonic() - began < 5.0  # two, on a machine that has nothing else to do
    assert not entry.alive


def test_one_that_takes_its_time_to_start_is_starting_and_can_be_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy_keeper, "START_WAIT", 0.5)
    world.save(does="waits")
    assert world.ask(StartStrategy(ACCOUNT, "均线")).note == "策略正在启动"
    row = world.row()
    assert (row["state"], row["status"]) == ("启动中", "运行中")
    world.ask(StopStrategy(ACCOUNT, "均线"))
    assert world.row()["state"] == "停止"
    assert not family_of(row["pid"], census())


@pytest.mark.parametrize(
    ("does", "why"),
    [("eats", "超过上限 128 MB"), ("hides", "超过上限 128 MB"), ("breeds", "子进程，超过上限 32")],
)
def test_one_that_takes_too_much_is_ended_and_failed(world: World, does: str, why: str) -> None:
    world.save(does=does)
    with contextlib.suppress(StrategyFailed):  # it may have been ended before the start was answered
        world.ask(StartStrategy(ACCOUNT, "均线"))
    row = world.is_("异常")
    assert why in row["error"]["message"]
    (start,) = world.starts()
    assert not family_of(start["pid"], census())


def test_what_it_has_started_ends_with_it_in_a_session_of_its_own_too(world: World) -> None:
    world.save(does="parents")
    entry = world.run()
    (child,) = eventually(lambda: psutil.Process(entry.pid).children(), "it has a child")
    world.ask(StopStrategy(ACCOUNT, "均线"))
    assert child.pid not in census()


# ── the host, logins and logouts ──


def test_what_ran_at_the_logout_runs_again_at_the_next_login_and_nothing_else_does(world: World) -> None:
    for name in ("甲", "乙"):
        world.save(name)
    running, stopped = world.run("甲"), world.run("乙")
    world.ask(StopStrategy(ACCOUNT, "乙"))
    world.ask(LogOut(ACCOUNT))
    assert not running.alive
    assert not stopped.alive
    assert {name: row["state"] for name, row in world.rows().items()} == {"甲": "停止", "乙": "停止"}
    world.log_in()
    world.is_("运行中", "甲")
    assert world.row("乙")["state"] == "停止"


def test_a_killed_host_leaves_strategies_running_and_the_next_one_adopts_them(cold: World) -> None:
    cold.start_process()
    cold.log_in()
    cold.save()
    entry = cold.run()
    cold.kill_host()
    assert entry.alive
    cold.start_process()
    row = cold.is_("运行中")
    assert (row["pid"], row["running_version"]) == (entry.pid, 1)
    kill(entry)
    cold.replaced(entry)  # the adopted one is watched too
    assert len(cold.starts()) == 2


def test_one_that_was_starting_when_the_host_died_is_known_to_the_next(cold: World) -> None:
    cold.start_process()
    cold.log_in()
    cold.save(does="waits")
    with cold.asking(StartStrategy(ACCOUNT, "均线")):
        eventually(cold.starts, "its process has begun")
        cold.kill_host()
    cold.start_process()
    assert cold.row()["state"] == "启动中"
    (cold.data_dir / "go").touch()
    cold.is_("运行中")
    assert len(cold.starts()) == 1


@pytest.mark.parametrize(
    "does", [pytest.param("", marks=pytest.mark.full), pytest.param("loops", marks=pytest.mark.full), "waits"]
)
def test_what_a_killed_host_left_running_is_ended_by_run_py_stop(cold: World, does: str) -> None:
    cold.start_process()
    cold.log_in()
    cold.save(does=does)
    with cold.asking(StartStrategy(ACCOUNT, "均线")):
        (start,) = eventually(cold.starts, "its process has begun")
        if does != "waits":
            eventually(lambda: cold.registry.living("strategy"), "it runs")
        cold.kill_host()
    end_all(cold.settings)
    assert not family_of(start["pid"], census())
    assert cold.registry.living() == []


def test_one_that_was_killed_while_no_host_lived_runs_again(cold: World) -> None:
    cold.start_process()
    cold.log_in()
    cold.save()
    entry = cold.run()
    cold.kill_host()
    kill(entry)
    cold.start_process()
    cold.replaced(entry)
    cold.is_("运行中")


def test_after_the_power_has_failed_what_ran_runs_again_at_the_login_and_nothing_else_does(
    cold: World,
) -> None:
    cold.start_process()
    cold.log_in()
    for name in ("甲", "乙"):
        cold.save(name)
        cold.run(name)
    cold.ask(StopStrategy(ACCOUNT, "乙"))
    cold.kill_host()
    for entry in cold.registry.living():
        kill(entry)
    cold.start_process()
    assert {name: row["state"] for name, row in cold.rows().items()} == {"甲": "停止", "乙": "停止"}
    cold.log_in()
    cold.is_("运行中", "甲")
    assert cold.row("乙")["state"] == "停止"
    assert len(cold.starts()) == 3


def test_an_ended_host_ends_strategies_which_run_again_at_the_login(cold: World) -> None:
    cold.start()
    cold.log_in()
    cold.save()
    entry = cold.run()
    cold.stop()
    assert not entry.alive
    assert cold.registry.living() == []
    cold.start()
    assert cold.row()["state"] == "停止"
    cold.log_in()
    cold.is_("运行中")


# ── its log ──


def test_the_log_is_read_back_by_page(world: World) -> None:
    world.save()
    folder = world.data_dir / "accounts" / ACCOUNT / "strategies" / "均线"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({"created": "2025-06-05 10:00:00", "levelname": "INFO", "message": f"第 {n} 行"})
        for n in range(5)
    ]
    (folder / "strategy.log").write_text("\n".join(lines) + "\n", "utf-8")
    seen, before = [], ""
    for _ in range(3):
        page = json.loads(world.ask(ReadStrategyLog(ACCOUNT, "均线", before, 2)).payload)
        seen += [line["message"] for line in page["lines"]]
        before = page["before"]
    assert seen == [f"第 {n} 行" for n in (4, 3, 2, 1, 0)]
    assert before == ""
    with pytest.raises(AppError, match="before"):
        world.ask(ReadStrategyLog(ACCOUNT, "均线", "nonsense", 2))
