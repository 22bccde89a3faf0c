"""The gateway host with real processes: a small gateway and a small counter (tests/fakes) stand in for the
large ones.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.host import gateway_keeper
from app.host.gateway_keeper import GatewayKeeper
from app.host.host import Host
from app.lib.account_names import old_account_key
from app.lib.errors import (
    AppError,
    BadInput,
    FrontUnreachable,
    GatewayDown,
    LoginDelayed,
    LoginRefused,
    NotFound,
    TooManyAccounts,
)
from app.model import SERVER, open_store
from app.model.sessions import Sessions
from app.model.store import Store
from app.process.child import Lock, Process, end
from app.process.kept import Backoff
from app.settings import Settings
from app.wire.messages import Accounts, ListAccounts, LoggedIn, LogIn, LogOut, ShutDown, Visited
from app.wire.registry import Entry, Registry
from app.wire.rpc import RpcClient
from tests.fakes.host import COUNTER, GATEWAY
from tests.support.waiting import eventually
from tests.unit.lib.test_account_names import COLLIDING

ROOT = Path(__file__).parents[2]
PASSWORD = "fake-password-4711"


class World:
    """One data directory, with a space and Chinese in its name, and what runs on it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.settings = Settings.load(environment={}, data_dir=data_dir, login_timeout=5)
        self.registry = Registry(data_dir)
        self.hosts: list[Host] = []
        self.children: list[subprocess.Popen[bytes]] = []
        self.stores: list[Store] = []

    def set(self, **options: Any) -> None:
        """What the next host's settings are."""
        self.settings = Settings.load(environment={}, data_dir=self.data_dir, login_timeout=5, **options)

    def sessions(self) -> Sessions:
        """Those of the web, read anew."""
        store = open_store(self.settings, SERVER)
        self.stores.append(store)
        return Sessions(store)

    def host(self) -> Host:
        """A host in this process: it adopts and watches as any, and a test can ask it directly."""
        host = Host(self.settings, GATEWAY, COUNTER)
        host.start()
        self.hosts.append(host)
        return host

    def host_process(self) -> Entry:
        """A host that can be killed."""
        command = [sys.executable, "-m", "tests.fakes.host"]
        child = subprocess.Popen(
            command, cwd=ROOT, env=self.settings.to_environment(), start_new_session=True
        )
        self.children.append(child)

        def registered() -> Entry | None:
            entry = self.registry.find("host")
            return entry if entry is not None and entry.pid == child.pid else None

        return eventually(registered, "the host listens")

    def ask(self, request: Any) -> Any:
        entry = self.registry.find("host")
        assert entry is not None
        client = RpcClient(entry.address)
        try:
            return client.call(request, 30)
        finally:
            client.close()

    def gateway(self, userid: str = "demo") -> Entry | None:
        return self.registry.find(f"gateway-sim-9999-{userid}")

    def living_gateway(self, userid: str = "demo", unlike: int = 0) -> Entry:
        def found() -> Entry | None:
            entry = self.gateway(userid)
            return entry if entry is not None and entry.pid != unlike else None

        return eventually(found, f"a gateway of {userid} other than {unlike}")

    def starts(self, userid: str = "demo") -> list[dict[str, Any]]:
        """What each gateway of the account was told when it started."""
        path = self.data_dir / f"starts-sim-9999-{userid}"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def counter_starts(self) -> int:
        path = self.data_dir / "starts-counter"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def clean(self) -> None:
        for host in self.hosts:
            host.stop()
        for store in self.stores:
            store.close()
        for child in self.children:
            if child.poll() is None:
                child.terminate()
        for child in self.children:
            child.wait(30)
        end(
            [
                Process(entry.name, entry=entry)
                for entry in self.registry.living()
                if entry.pid != os.getpid()
            ],
            0.0,
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    data_dir = tmp_path / "数据 目录"
    data_dir.mkdir()
    made = World(data_dir)
    yield made
    made.clean()


def log_in(userid: str = "demo", password: str = PASSWORD, **more: str) -> LogIn:
    return LogIn(interface="sim", brokerid="9999", userid=userid, password=password, **more)


def log_in_at(front: str = "", td: str = "", md: str = "", userid: str = "demo") -> LogIn:
    return LogIn("ctp", "9999", userid, PASSWORD, td_address=td, md_address=md, front=front)


def state(world_or_host: Host, userid: str = "demo") -> str:
    found = [info for info in world_or_host.answer(ListAccounts()).accounts if info.userid == userid]
    return found[0].state if found else ""


def kill(entry: Entry) -> None:
    os.kill(entry.pid, signal.SIGKILL)
    eventually(lambda: not entry.alive, f"{entry.name} is dead")


def test_a_first_login_starts_the_counter_and_a_gateway(world: World) -> None:
    host = world.host()
    assert world.registry.find("counter") is None
    assert host.answer(log_in()) == LoggedIn("sim-9999-demo", fresh=True)
    entry = world.gateway()
    assert entry is not None
    counter = world.registry.find("counter")
    assert counter is not None
    assert world.starts()[0]["counter_address"] == counter.address
    (info,) = host.answer(ListAccounts()).accounts
    assert (info.account, info.state, info.pid, info.address) == (
        "sim-9999-demo",
        "ready",
        entry.pid,
        entry.address,
    )


def test_the_password_goes_by_stdin_alone(world: World) -> None:
    host = world.host()
    host.answer(log_in())
    entry = world.living_gateway()
    running = psutil.Process(entry.pid)
    assert PASSWORD not in " ".join(running.cmdline())
    assert PASSWORD not in " ".join(running.environ().values())
    assert world.starts()[0]["password"] == PASSWORD
    files = [
        path for path in world.data_dir.rglob("*") if path.is_file() and not path.name.startswith("starts-")
    ]
    assert files
    for path in files:
        assert PASSWORD.encode() not in path.read_bytes(), path


def test_a_second_login_asks_the_living_gateway_for_the_password(world: World) -> None:
    host = world.host()
    host.answer(log_in())
    assert host.answer(log_in()) == LoggedIn("sim-9999-demo", fresh=False)
    with pytest.raises(LoginRefused, match="密码与登录时不同"):
        host.answer(log_in(password="another"))
    assert len(world.starts()) == 1


def test_logins_of_one_account_at_once_start_one_gateway(world: World) -> None:
    host = world.host()
    replies: list[LoggedIn] = []
    threads = [threading.Thread(target=lambda: replies.append(host.answer(log_in()))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(reply.fresh for reply in replies) == [False, False, False, False, True]
    assert len(world.starts()) == 1
    assert world.counter_starts() == 1


def test_a_refused_login_passes_the_counters_text_on_and_leaves_no_gateway(world: World) -> None:
    host = world.host()
    with pytest.raises(LoginRefused, match="CTP:不合法的登录") as refusal:
        host.answer(log_in("refused"))
    assert refusal.value.code == "CTP_3"
    assert world.gateway("refused") is None
    assert host.answer(ListAccounts()) == Accounts([])
    eventually(lambda: len(world.starts("refused")) == 1, "it was started once")
    with pytest.raises(NotFound):
        host.answer(LogOut("sim-9999-refused"))


@pytest.mark.parametrize(("userid", "error"), [("silent", FrontUnreachable), ("broken", GatewayDown)])
def test_a_login_that_fails_otherwise_leaves_nothing_either(
    world: World, userid: str, error: type[AppError]
) -> None:
    host = world.host()
    with pytest.raises(error):
        host.answer(log_in(userid))
    assert world.gateway(userid) is None
    assert host.answer(ListAccounts()) == Accounts([])


def test_a_gateway_of_another_version_than_the_hosts_is_not_talked_to_but_ended(world: World) -> None:
    host = world.host()
    with pytest.raises(GatewayDown) as refused:
        host.answer(log_in("newer"))
    assert refused.value.code == "VERSION_MISMATCH"
    assert world.gateway("newer") is None
    assert host.answer(ListAccounts()).accounts == []


def test_a_counter_that_cannot_start_is_said_so(world: World) -> None:
    host = Host(world.settings, GATEWAY, (sys.executable, "-c", "raise SystemExit(1)"))
    host.start()
    world.hosts.append(host)
    with pytest.raises(FrontUnreachable, match="内置柜台未能启动"):
        host.answer(log_in())
    assert world.starts() == []


def test_logout_ends_the_gateway_and_says_how_many_orders_keep_working(world: World) -> None:
    host = world.host()
    host.answer(log_in())
    entry = world.living_gateway()
    assert host.answer(LogOut("sim-9999-demo")).working_orders == 2
    assert not entry.alive
    assert host.answer(ListAccounts()) == Accounts([])
    with pytest.raises(NotFound):
        host.answer(LogOut("sim-9999-demo"))
    assert host.answer(log_in()).fresh


def test_logout_ends_a_gateway_that_does_not_end_by_itself(world: World) -> None:
    host = world.host()
    host.answer(log_in("stubborn"))
    entry = world.living_gateway("stubborn")
    host.answer(LogOut("sim-9999-stubborn"))
    assert not entry.alive
    assert world.registry.find("gateway-sim-9999-stubborn", only_living=False) is None


def test_a_killed_gateway_is_started_again_with_the_password_in_memory(world: World) -> None:
    host = world.host()
    host.answer(log_in())
    old = world.living_gateway()
    kill(old)
    world.living_gateway(unlike=old.pid)
    eventually(lambda: state(host) == "ready", "it is logged in again")
    assert [start["password"] for start in world.starts()] == [PASSWORD, PASSWORD]
    assert [start["password_taken"] for start in world.starts()] == [False, True]


def test_a_login_while_the_gateway_is_being_started_again_joins_it(world: World) -> None:
    host = world.host()
    host.answer(log_in())
    kill(world.living_gateway())
    with pytest.raises(LoginRefused):
        host.answer(log_in(password="another"))
    assert host.answer(log_in()).account == "sim-9999-demo"
    eventually(lambda: state(host) == "ready", "it is logged in again")
    assert len(world.starts()) == 2


def test_a_password_is_not_changed_while_the_gateway_is_being_started_again_and_that_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway that comes up has been told of no new password, and the answer was that it is changed."""
    monkeypatch.setattr(gateway_keeper, "Backoff", lambda: Backoff(first=60.0))
    host = world.host()
    host.answer(log_in())
    kill(world.living_gateway())
    with pytest.raises(GatewayDown, match="密码没有修改"):
        host.answer(log_in(new_password="better"))
    assert host.answer(log_in()).fresh is False
    told = [(start["password"], start["new_password"]) for start in world.starts()]
    assert told == [(PASSWORD, ""), (PASSWORD, "")]


def test_a_new_password_that_the_counter_takes_later_is_the_one_from_then_on(world: World) -> None:
    """The login that brings it is delayed. With the old one the gateway that is started next would be
    refused, and some counters lock an account for that.
    """
    host = world.host()
    with pytest.raises(LoginDelayed):
        host.answer(log_in("early", new_password="better"))
    kill(first := world.living_gateway("early"))
    second = world.living_gateway("early", unlike=first.pid)
    (world.data_dir / "open").touch()
    eventually(lambda: state(host, "early") == "ready", "the counter has taken it")
    kill(second)
    world.living_gateway("early", unlike=second.pid)
    told = [(start["password"], start["new_password"]) for start in world.starts("early")]
    assert told == [(PASSWORD, "better"), (PASSWORD, "better"), ("better", "")]
    with pytest.raises(LoginRefused):
        host.answer(log_in("early"))
    assert host.answer(log_in("early", "better")).fresh is False


def test_a_login_that_no_counter_has_judged_shuts_no_other_out(world: World) -> None:
    host = world.host()
    with pytest.raises(LoginDelayed):
        host.answer(log_in("early", "mistyped"))
    first, sessions = world.living_gateway("early"), world.sessions()
    token = sessions.join("sim-9999-early")
    with pytest.raises(LoginDelayed) as delayed:
        host.answer(log_in("early"))
    assert delayed.value.extra["replaced"] is True, "that counts as an attempt"
    assert [start["password"] for start in world.starts("early")] == [
        "mistyped",
        PASSWORD,
    ]
    assert not first.alive
    assert world.sessions().current("sim-9999-early") != token, "whoever came before is out"
    assert len(host.answer(ListAccounts()).accounts) == 1
    (world.data_dir / "open").touch()
    eventually(lambda: state(host, "early") == "ready", "logged in by itself")


def test_a_login_that_no_counter_has_judged_shuts_no_other_out_when_its_gateway_is_dead_either(
    world: World,
) -> None:
    host = world.host()
    with pytest.raises(LoginDelayed):
        host.answer(log_in("early", "mistyped"))
    kill(world.living_gateway("early"))
    with pytest.raises(LoginDelayed) as delayed:
        host.answer(log_in("early"))
    assert delayed.value.extra["replaced"] is True, "that counts as an attempt"
    assert world.starts("early")[-1]["password"] == PASSWORD


def test_a_password_that_no_counter_has_judged_opens_nothing_however_often_it_is_said(world: World) -> None:
    host = world.host()
    for _ in range(3):
        with pytest.raises(LoginDelayed) as delayed:
            host.answer(log_in("early", "anybody's guess"))
        assert "replaced" not in delayed.value.extra
    assert len(world.starts("early")) == 1
    (world.data_dir / "open").touch()
    assert host.answer(log_in("early", "anybody's guess")).fresh is False, "the counter takes it: at once"
    eventually(lambda: state(host, "early") == "ready", "logged in by itself")


def test_a_password_that_the_counter_took_while_this_host_lives_is_good_at_rest(world: World) -> None:
    host, opened = world.host(), world.data_dir / "open"
    opened.touch()
    host.answer(log_in("early"))
    host.answer(LogOut("sim-9999-early"))
    opened.unlink()
    with pytest.raises(LoginDelayed):
        host.answer(log_in("early", "guessed"))
    assert host.answer(log_in("early")).fresh, "the guess gives way"
    assert host.answer(log_in("early")).fresh is False
    gateway, token = world.living_gateway("early"), world.sessions().join("sim-9999-early")
    with pytest.raises(LoginRefused):
        host.answer(log_in("early", "guessed"))
    assert gateway.alive, "what the counter took does not give way to a guess"
    kill(gateway)
    assert host.answer(log_in("early")).fresh is False
    assert world.sessions().current("sim-9999-early") == token


def test_a_password_is_known_to_be_good_as_long_as_the_counter_does_not_refuse_it_and_to_this_host_alone(
    world: World,
) -> None:
    host, opened, refusing = world.host(), world.data_dir / "open", world.data_dir / "refuse"

    def log_in_at_night() -> LoggedIn:
        opened.unlink()
        try:
            return host.answer(log_in("early"))
        finally:
            host.answer(LogOut("sim-9999-early"))
            opened.touch()

    opened.touch()
    host.answer(log_in("early"))
    host.answer(LogOut("sim-9999-early"))
    assert log_in_at_night().fresh
    refusing.touch()
    with pytest.raises(LoginRefused):
        host.answer(log_in("early"))
    refusing.unlink()
    with pytest.raises(LoginDelayed):
        log_in_at_night()
    host.answer(log_in("early"))
    host.answer(LogOut("sim-9999-early"))
    opened.unlink()
    with pytest.raises(LoginDelayed):  # the password is the right one, and nobody has changed it
        host.answer(log_in("early", new_password="better"))
    host.answer(LogOut("sim-9999-early"))
    host.stop()
    world.hosts.clear()
    host = world.host()
    with pytest.raises(LoginDelayed):
        host.answer(log_in("early"))


@pytest.mark.parametrize("userid", ["early", "racing"])
def test_a_password_that_the_counter_took_is_never_thrown_out_though_the_host_has_not_heard_of_it(
    world: World, userid: str
) -> None:
    host = world.host()
    with pytest.raises(LoginDelayed):
        host.answer(log_in(userid))
    gateway, token = world.living_gateway(userid), world.sessions().join(f"sim-9999-{userid}")
    if userid == "early":
        (world.data_dir / "open").touch()
    with pytest.raises(LoginRefused) as refused:
        host.answer(log_in(userid, "guessed"))
    assert refused.value.code == "PASSWORD_DIFFERS"
    assert "is_judged" not in refused.value.extra
    assert gateway.alive
    assert len(world.starts(userid)) == 1
    assert world.sessions().current(f"sim-9999-{userid}") == token


def test_a_password_that_is_refused_later_is_never_tried_again(world: World) -> None:
    host = world.host()
    host.answer(log_in())
    (world.data_dir / "refuse").touch()
    kill(world.living_gateway())
    eventually(lambda: state(host) == "needs_login", "the account needs a login")
    eventually(lambda: world.gateway() is None, "the refused gateway has ended")
    looks = world.counter_starts()
    kill(eventually(lambda: world.registry.find("counter"), "the counter"))
    (world.data_dir / "refuse").unlink()
    host.answer(
        log_in("other")
    )  # the host has been at work since: the counter is back, the refused account is not
    assert world.counter_starts() == looks + 1
    assert state(host) == "needs_login"
    assert len(world.starts()) == 2
    assert host.answer(log_in()).fresh  # a person may try


def test_a_refused_gateway_that_the_host_ends_is_not_taken_for_one_that_crashed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exit code is then that of the signal: the refused password was tried once more."""
    host = world.host()
    host.answer(log_in("stubborn"))
    found_dead, deaths, is_ended = GatewayKeeper._found_dead, list[int](), threading.Event()

    def counted(keeper: GatewayKeeper, account: Any, gateway: Process) -> None:
        deaths.append(gateway.pid)
        found_dead(keeper, account, gateway)

    def end_and_be_seen(processes: Any, seconds: float) -> None:
        for process in processes:
            os.kill(process.pid, signal.SIGKILL)
        eventually(lambda: len(deaths) == 2, "its death is seen too")
        is_ended.set()

    monkeypatch.setattr(GatewayKeeper, "_found_dead", counted)
    monkeypatch.setattr("app.host.gateway_keeper.child.end", end_and_be_seen)
    (world.data_dir / "refuse").touch()
    kill(world.living_gateway("stubborn"))
    eventually(is_ended.is_set, "the refused gateway is ended")
    eventually(lambda: state(host, "stubborn") == "needs_login", "the account needs a login")
    assert len(world.starts("stubborn")) == 2


def test_a_killed_counter_is_started_again_while_paper_accounts_exist(world: World) -> None:
    host = world.host()
    host.answer(log_in())
    old = world.registry.find("counter")
    assert old is not None
    kill(old)
    new = eventually(lambda: world.registry.find("counter"), "the counter is back")
    assert (new.pid != old.pid, new.address) == (True, old.address)
    assert world.living_gateway().alive


def test_a_killed_host_leaves_all_running_and_the_next_one_adopts_it(world: World) -> None:
    first = world.host_process()
    world.ask(log_in())
    gateway, counter = world.living_gateway(), world.registry.find("counter")
    assert counter is not None
    kill(first)
    assert gateway.alive
    assert counter.alive
    world.host_process()
    (info,) = world.ask(ListAccounts()).accounts
    assert (info.account, info.pid) == ("sim-9999-demo", gateway.pid)
    eventually(
        lambda: world.ask(ListAccounts()).accounts[0].state == "ready", "the adopted one is known to be ready"
    )
    assert world.ask(log_in()).fresh is False
    assert (len(world.starts()), world.counter_starts()) == (1, 1)
    kill(gateway)
    world.living_gateway(unlike=gateway.pid)  # the login has given the new host the password
    kill(counter)
    eventually(lambda: world.registry.find("counter"), "the adopted counter is watched too")


def test_an_adopted_gateway_that_dies_while_nobody_has_its_password_needs_a_login(world: World) -> None:
    kill_me = world.host_process()
    world.ask(log_in())
    kill(kill_me)
    host = world.host()
    kill(world.living_gateway())
    eventually(lambda: state(host) == "needs_login", "the account needs a login")
    assert len(world.starts()) == 1
    assert host.answer(log_in()).fresh
    assert state(host) == "ready"


def test_a_gateway_that_was_killed_while_no_host_ran_needs_a_login(world: World) -> None:
    kill_me = world.host_process()
    world.ask(log_in())
    kill(kill_me)
    kill(world.living_gateway())
    host = world.host()
    assert state(host) == "needs_login"
    host.answer(LogOut("sim-9999-demo"))
    assert host.answer(ListAccounts()) == Accounts([])


def test_an_adopted_gateway_that_ended_by_itself_may_have_been_refused_and_is_left_alone(
    world: World,
) -> None:
    kill_me = world.host_process()
    world.ask(log_in())
    kill(kill_me)
    host = world.host()
    assert not host.answer(log_in()).fresh  # now the host has the password
    os.kill(world.living_gateway().pid, signal.SIGTERM)
    eventually(lambda: state(host) == "needs_login", "the account needs a login")
    assert len(world.starts()) == 1


@pytest.mark.parametrize("how", ["signal", "call"])
def test_an_asked_host_ends_gateways_and_counter_in_time(world: World, how: str) -> None:
    host = world.host_process()
    for userid in ("demo", "stubborn"):
        world.ask(log_in(userid))
    entries = world.registry.living()
    assert len(entries) == 4
    began = time.monotonic()
    if how == "signal":
        os.kill(host.pid, signal.SIGTERM)
    else:
        world.ask(ShutDown())
    world.children[0].wait(30)
    assert time.monotonic() - began < 8.0  # four, on a machine that has nothing else to do
    assert not [entry for entry in entries if entry.alive]
    assert list(world.registry.run_dir.glob("*.json")) == []


def test_a_second_host_on_the_same_data_is_refused(world: World) -> None:
    world.host_process()
    command = [sys.executable, "-m", "tests.fakes.host"]
    second = subprocess.run(
        command, cwd=ROOT, env=world.settings.to_environment(), capture_output=True, timeout=30
    )
    assert second.returncode == 1
    assert "AlreadyRunning" in (world.data_dir / "logs" / "host.log").read_text("utf-8")


def test_a_gateway_holds_its_lock_as_long_as_it_lives(world: World) -> None:
    kill_me = world.host_process()
    world.ask(log_in())
    kill(kill_me)
    gateway = world.living_gateway()
    with pytest.raises(Exception, match=gateway.name):
        Lock(world.data_dir, gateway.name)
    kill(gateway)
    eventually(lambda: _lockable(world.data_dir, gateway.name), "the lock went with the gateway")


def _lockable(data_dir: Path, name: str) -> bool:
    try:
        Lock(data_dir, name).close()
    except Exception:
        return False
    return True


def test_an_interface_that_nobody_knows_is_refused_before_anything_starts(world: World) -> None:
    world.host()
    with pytest.raises(BadInput, match="ctp_se"):
        world.ask(LogIn("nonesuch", "9999", "real", PASSWORD))
    assert not world.starts("real")


# ── whose front checks the password ──

A, B, C = "tcp://a.example:1", "tcp://b.example:2", "tcp://c.example:3"


@pytest.fixture
def ctp(monkeypatch: pytest.MonkeyPatch) -> None:
    # its library is no matter here
    monkeypatch.setattr("app.host.gateway_keeper.check_interface", lambda _name: None)


@pytest.mark.usefixtures("ctp")
@pytest.mark.parametrize(
    "named",
    [
        log_in_at(td=A, md="tcp://evil.example:1"),
        log_in_at(td="tcp://evil.example:1", md=C),
        log_in_at("nobody"),
        log_in_at("two", A, C),
    ],
)
def test_a_login_at_a_front_that_is_not_listed_is_refused_before_anything_is_started(
    world: World, named: LogIn
) -> None:
    world.set(fronts={"one": {"td": [A, B], "md": C}})
    host = world.host()
    with pytest.raises(LoginRefused, match="one") as refused:
        host.answer(named)
    assert refused.value.code == "FRONT_NOT_LISTED"
    assert host.answer(ListAccounts()) == Accounts([])
    assert world.registry.living("gateway") == []


@pytest.mark.usefixtures("ctp")
@pytest.mark.parametrize(
    ("named", "td"),
    [
        (log_in_at("one"), f"{A},{B}"),
        (log_in_at(td=B, md=C), B),
        (log_in_at("one", "tcp://evil.example:1", C), f"{A},{B}"),
    ],
)
def test_a_listed_front_is_dialled_by_its_name_or_by_any_of_its_addresses(
    world: World, named: LogIn, td: str
) -> None:
    world.set(fronts={"one": {"td": [A, B], "md": C}}, public=True, origins=["https://desk.example"])
    assert world.host().answer(named).account == "ctp-9999-demo"
    (start,) = [
        json.loads(line) for line in (world.data_dir / "starts-ctp-9999-demo").read_text().splitlines()
    ]
    assert (start["td_address"], start["md_address"]) == (td, C)


@pytest.mark.usefixtures("ctp")
def test_a_public_server_without_listed_fronts_takes_no_real_login_but_paper(world: World) -> None:
    world.set(public=True, origins=["https://desk.example"])
    host = world.host()
    with pytest.raises(LoginRefused) as refused:
        host.answer(log_in_at(td=A, md=C))
    assert refused.value.code == "FRONTS_UNSET"
    assert world.registry.living("gateway") == []
    assert host.answer(log_in()).fresh


def test_two_accounts_that_would_share_a_folder_of_old_do_not_share_a_gateway(world: World) -> None:
    """Neither name stands in it yet, and the built-in counter is none that knows: nobody may come in by the
    other's gateway.
    """
    first, second = (("sim", "9999", user) for user in COLLIDING)
    open_store(world.settings, old_account_key(*first)).close()
    host = world.host()
    assert host.answer(log_in(first[2])).account == old_account_key(*first)
    with pytest.raises(LoginRefused) as refused:
        host.answer(log_in(second[2]))
    assert refused.value.code == "ACCOUNT_KEY_TAKEN"


# ── sessions ──


def test_a_login_that_starts_an_account_anew_ends_its_older_tokens_and_a_second_page_ends_none(
    world: World,
) -> None:
    sessions = world.sessions()
    host = world.host()
    old = sessions.join("sim-9999-demo")
    host.answer(log_in())
    assert sessions.current("sim-9999-demo") is None
    new = sessions.join("sim-9999-demo")
    assert new != old
    assert not host.answer(log_in()).fresh
    assert sessions.current("sim-9999-demo") == new


def test_a_gateway_that_is_started_again_by_the_host_keeps_the_tokens(world: World) -> None:
    host = world.host()
    host.answer(log_in())
    session = world.sessions().join("sim-9999-demo")
    old = world.living_gateway()
    kill(old)
    world.living_gateway(unlike=old.pid)
    eventually(lambda: state(host) == "ready", "it is logged in again")
    kill(world.living_gateway())
    assert not host.answer(log_in()).fresh  # by hand, a little earlier than by itself
    assert world.sessions().current("sim-9999-demo") == session


def test_an_account_that_is_refused_later_has_no_tokens_any_more(world: World) -> None:
    host = world.host()
    host.answer(log_in())
    sessions = world.sessions()
    sessions.join("sim-9999-demo")
    (world.data_dir / "refuse").touch()
    kill(world.living_gateway())
    eventually(lambda: state(host) == "needs_login", "the account needs a login")
    eventually(lambda: sessions.current("sim-9999-demo") is None, "its tokens have ended")


def test_a_new_host_ends_the_sessions_of_accounts_that_nobody_runs_and_no_others(world: World) -> None:
    """As after a restart of the machine. One whose gateway is just starting, its lock held, is not among
    them.
    """
    first = world.host_process()
    world.ask(log_in())
    sessions = world.sessions()
    kept = {
        account: sessions.join(account) for account in ("sim-9999-demo", "sim-9999-starting", "ctp-9999-gone")
    }
    starting = Lock(world.data_dir, "gateway-sim-9999-starting")
    kill(first)
    world.host()
    assert sessions.accounts() == ["sim-9999-demo", "sim-9999-starting"]
    assert sessions.current("sim-9999-demo") == kept["sim-9999-demo"]
    starting.close()


# ── how many, and for how long ──


@pytest.mark.usefixtures("ctp")
def test_beyond_the_limits_nothing_is_started_and_paper_accounts_leave_room_for_real_ones(
    world: World,
) -> None:
    world.set(max_accounts=3, max_paper_accounts=2)
    host = world.host()
    host.answer(log_in("one"))
    host.answer(log_in("two"))
    with pytest.raises(TooManyAccounts, match="模拟账户 2 个.*max_paper_accounts"):
        host.answer(log_in("three"))
    assert world.starts("three") == []
    assert len(host.answer(ListAccounts()).accounts) == 2
    assert not host.answer(log_in("one")).fresh  # who is in is not kept out
    host.answer(log_in_at(td=A, md=C, userid="real"))
    with pytest.raises(TooManyAccounts, match="账户 3 个"):
        host.answer(log_in_at(td=A, md=C, userid="more"))
    host.answer(LogOut("sim-9999-one"))
    assert host.answer(log_in("three")).fresh


def test_many_logins_at_once_do_not_slip_through_the_limit(world: World) -> None:
    world.set(max_paper_accounts=2)
    host = world.host()
    refused: list[AppError] = []

    def try_one(userid: str) -> None:
        try:
            host.answer(log_in(userid))
        except TooManyAccounts as error:
            refused.append(error)

    threads = [threading.Thread(target=try_one, args=(f"user{number}",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(refused) == 3
    assert len(world.registry.living("gateway")) == 2


def test_a_login_that_fails_gives_its_place_back(world: World) -> None:
    world.set(max_paper_accounts=1)
    host = world.host()
    with pytest.raises(LoginRefused):
        host.answer(log_in("refused"))
    assert host.answer(log_in()).fresh


class Machine:
    """The clock of a machine that has just started, where nobody need wait."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def monotonic(self) -> float:
        return time.monotonic() - self.began

    def pass_by(self, seconds: float) -> None:
        self.began -= seconds


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(gateway_keeper, "time", made)
    return made


def test_a_paper_account_at_which_nobody_looks_ends_and_comes_back_at_its_login(
    world: World, machine: Machine
) -> None:
    world.set(paper_idle_hours=0.1)
    host = world.host()
    host.answer(log_in("idle"))
    session = world.sessions()
    session.join("sim-9999-idle")
    machine.pass_by(361)  # less than there is between two looks: the first one waits for nothing
    eventually(
        lambda: world.gateway("idle") is None and host.answer(ListAccounts()) == Accounts([]), "it has ended"
    )
    assert session.current("sim-9999-idle") is None  # its token says so: the page goes to its login
    assert host.answer(log_in("idle")).fresh


@pytest.mark.usefixtures("ctp")
def test_an_account_with_orders_a_real_one_and_one_that_is_looked_at_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch, machine: Machine
) -> None:
    looks: list[str] = []
    end_if_idle = GatewayKeeper._end_if_idle

    def look(keeper: GatewayKeeper, account: Any, visited: float) -> None:
        end_if_idle(keeper, account, visited)
        looks.append(account.userid)

    monkeypatch.setattr(GatewayKeeper, "_end_if_idle", look)
    world.set(paper_idle_hours=1)
    host = world.host()
    host.answer(log_in_at(td=A, md=C, userid="idle"))
    host.answer(log_in("demo"))
    machine.pass_by(3601)
    eventually(lambda: looks == ["demo"], "the one with orders was looked at and goes on")
    host.answer(log_in("idle"))
    machine.pass_by(1900)
    host.answer(Visited(["sim-9999-idle", "sim-9999-nobody"]))
    eventually(lambda: looks == ["demo"] * 2, "another look")
    machine.pass_by(1900)  # two hours and more since the login, but somebody has been there
    eventually(lambda: looks == ["demo"] * 3, "and another one")
    assert len(host.answer(ListAccounts()).accounts) == 3
    assert len(world.registry.living("gateway")) == 3
