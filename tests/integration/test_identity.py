"""Whose data an account's folder is and at which front it may log in: fixed by the first good login, changed
on the server alone.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app import data_dir
from app.commands import backup
from app.commands import export as moving
from app.commands.main import main
from app.gateway.gateway import Gateway
from app.interfaces.ctp import link, preflight
from app.lib.account_names import account_key, old_account_key
from app.lib.brokers import Brokers, Front
from app.lib.errors import AppError, LoginRefused
from app.model import open_store
from app.model.identity import Identity, account_of
from app.model.sqlite import SqliteStore
from app.settings import Settings
from app.wire.messages import AwaitLogin, CheckPassword, Login
from app.wire.rpc import RpcClient
from tests.fakes.native import Desk
from tests.support.kept_calendar import keep_calendar
from tests.support.waiting import eventually
from tests.unit.lib.test_account_names import COLLIDING

ACCOUNT = "ctp-9999-demo"
HOME, OTHER = (
    ("tcp://home.example:1", "tcp://home.example:2"),
    ("tcp://evil.example:1", "tcp://evil.example:2"),
)


class Running:
    """A gateway in this process, over a binding written by hand."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def ask(self, request: Any) -> Any:
        client = RpcClient(self.gateway.address)
        try:
            return client.call(request, 5)
        finally:
            client.close()

    @property
    def refused(self) -> LoginRefused | None:
        return self.gateway.logins.refusal

    @property
    def state(self) -> str:
        return self.gateway.fronts.state("td")


Start = Callable[..., Any]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    monkeypatch.setattr(link, "native_classes", desk.classes)
    monkeypatch.setattr(preflight, "of_this_machine", lambda: iter(()))
    monkeypatch.setattr(link, "_let_go", lambda api: api.exit())
    monkeypatch.setattr("app.lib.interface_names.find_spec", lambda _name: object())
    return desk


@pytest.fixture
def start(desk: Desk, tmp_path: Path) -> Start:
    keep_calendar(tmp_path)

    @contextmanager
    def run_gateway(td: str, md: str, **settings: Any) -> Iterator[Running]:
        desk.heard.clear()
        made = Settings.load(
            environment={}, data_dir=tmp_path, ctp_hours="always", ctp_query_interval=0, **settings
        )
        store = open_store(made, ACCOUNT)
        login = Login("ctp", "9999", "demo", "secret", td_address=td, md_address=md, account=ACCOUNT)
        gateway = Gateway(made, login, store, tmp_path / "accounts" / ACCOUNT, lambda _code: None)
        events = threading.Thread(target=gateway.loop.run, daemon=True)
        events.start()
        gateway.start()
        yield Running(gateway)
        gateway.loop.stop()
        events.join(30)
        gateway.stop()
        store.close()

    return run_gateway


def dialled(desk: Desk) -> set[str]:
    return {request["address"] for what, request in desk.heard if what.endswith(".registerFront")}


def test_the_front_of_the_first_good_login_is_kept_and_another_is_not_dialled(
    start: Start, desk: Desk, tmp_path: Path
) -> None:
    with start(*HOME) as gateway:
        eventually(lambda: gateway.state == "ready", "it is logged in")
    with start(*OTHER) as gateway:
        refused = eventually(lambda: gateway.refused, "it is refused")
        assert refused.code == "FRONT_NOT_ALLOWED"
        assert f'run.py fronts allow {ACCOUNT} "{" ".join(OTHER)}"' in refused.message
        assert dialled(desk) == set()
    with start(*HOME) as gateway:
        eventually(lambda: gateway.state == "ready", "it is logged in as ever")
    store = SqliteStore(tmp_path / "accounts" / ACCOUNT / "account.db")
    assert Identity(store).owner == ("ctp", "9999", "demo")
    store.close()


def test_a_front_that_refuses_is_not_kept(start: Start, desk: Desk) -> None:
    desk.errors["onRspUserLogin"] = {"ErrorID": 3, "ErrorMsg": "CTP:不合法的登录"}
    with start(*OTHER) as gateway:
        assert eventually(lambda: gateway.refused, "it is refused").code == "CTP_3"
    desk.errors.clear()
    with start(*HOME) as gateway:
        eventually(lambda: gateway.state == "ready", "the front of the first good login is the true one")


def test_a_listed_broker_is_kept_by_its_name_and_may_change_its_addresses(start: Start, desk: Desk) -> None:
    with start(*HOME, fronts={"home": " ".join(HOME)}) as gateway:
        eventually(lambda: gateway.state == "ready", "it is logged in")
    moved = "tcp://new.example:1,tcp://new.example:3", "tcp://new.example:2"
    with start(*moved, fronts={"home": " ".join(moved)}) as gateway:
        eventually(lambda: gateway.state == "ready", "it is logged in where the broker is now")
        assert dialled(desk) == {"tcp://new.example:1", "tcp://new.example:3", "tcp://new.example:2"}
    with start(*OTHER, fronts={"home": " ".join(moved), "other": " ".join(OTHER)}) as gateway:
        assert (
            'fronts allow ctp-9999-demo "other"'
            in eventually(lambda: gateway.refused, "another listed broker is another front").message
        )


def test_a_second_page_may_write_the_brokers_addresses_in_another_order_but_no_others(start: Start) -> None:
    td = "tcp://home.example:1,tcp://home.example:3"
    with start(td, HOME[1]) as gateway:
        gateway.ask(AwaitLogin(10.0))
        gateway.ask(CheckPassword("secret", "tcp://home.example:3,tcp://home.example:1", HOME[1]))
        gateway.ask(CheckPassword("secret"))
        with pytest.raises(AppError) as refused:
            gateway.ask(CheckPassword("secret", *OTHER))
        assert refused.value.code == "FRONT_DIFFERS"


def test_on_the_server_another_front_is_allowed_listed_and_forgotten(tmp_path: Path) -> None:
    data = tmp_path / "data"
    settings = Settings.load(environment={}, data_dir=data)
    (data / "accounts" / ACCOUNT).mkdir(parents=True)

    def command(*arguments: str, **environment: str) -> Any:
        return CliRunner().invoke(main, ["fronts", *arguments, "--data-dir", str(data)], env=environment)

    def allowed(front: Front) -> bool:
        store = open_store(settings, ACCOUNT)
        try:
            return Identity(store).may_use(front, Brokers({}))
        finally:
            store.close()

    home, other = Front((HOME[0],), (HOME[1],)), Front((OTHER[0],), (OTHER[1],))
    assert "没有登录过真实账户" in command().output
    store = open_store(settings, ACCOUNT)
    Identity(store).logged_in("ctp", "9999", "demo", home, Brokers({}))
    store.close()
    assert not allowed(other)
    shown = command()
    assert shown.exit_code == 0
    assert ACCOUNT in shown.output
    assert str(home) in shown.output
    done = command("allow", ACCOUNT, str(other))
    assert done.exit_code == 0
    assert allowed(other)
    assert allowed(home)
    assert str(other) in command("list").output
    assert command("forget", ACCOUNT).exit_code == 0
    assert allowed(Front(("tcp://any:1",), ("tcp://any:2",)))
    for wrong in (["allow", ACCOUNT, "nobody"], ["allow", "ctp-9999-nobody", str(other)], ["allow", ACCOUNT]):
        failed = command(*wrong)
        assert failed.exit_code != 0, wrong
        assert failed.stderr, wrong
    assert command("allow", ACCOUNT, "home", CTPBEE_BACKEND_FRONTS=f"home={home}").exit_code == 0
    assert "home" in command("list", CTPBEE_BACKEND_FRONTS=f"home={home}").output


# ── folders of old, whose names have 40 bits ──


def old_folder(settings: Settings, who: tuple[str, str, str], owner: tuple[str, str, str] | None) -> str:
    old = old_account_key(*who)
    store = open_store(settings, old)
    store.put_setting("config", "CLOSE_PATTERN", "yesterday")
    if owner is not None:
        Identity(store).logged_in(*owner, None, Brokers({}))
    store.close()
    return old


FIRST, SECOND = (("sim", "9999", user) for user in COLLIDING)


def test_a_folder_of_old_is_his_whose_name_stands_in_it(tmp_path: Path) -> None:
    settings = Settings.load(environment={}, data_dir=tmp_path)
    assert account_of(settings, *FIRST) == account_key(*FIRST)
    old = old_folder(settings, FIRST, FIRST)
    assert account_of(settings, *FIRST) == old
    assert account_of(settings, *SECOND) == account_key(*SECOND)


def test_a_folder_that_names_nobody_is_the_first_accounts_that_the_counter_knows_by_it(
    tmp_path: Path,
) -> None:
    """Whoever finds a name with the same 40 bits can have an account there too: the built-in counter lets in
    everybody.
    """
    settings = Settings.load(environment={}, data_dir=tmp_path)
    old = old_folder(settings, FIRST, None)
    (tmp_path / "counter").mkdir()
    counter = sqlite3.connect(tmp_path / "counter" / "counter.db")
    with contextlib.closing(counter), counter:
        counter.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, broker TEXT, user TEXT)")
        counter.executemany(
            "INSERT INTO accounts (broker, user) VALUES (?, ?)", [("9999", "other"), FIRST[1:], SECOND[1:]]
        )
    assert account_of(settings, *SECOND) == account_key(*SECOND)
    assert account_of(settings, *FIRST) == old


def test_a_real_accounts_folder_that_names_nobody_is_his_whom_a_front_lets_in(tmp_path: Path) -> None:
    settings = Settings.load(environment={}, data_dir=tmp_path)
    who = ("ctp", "9999", "a.trader")
    old = old_folder(settings, who, None)
    assert account_of(settings, *who) == old


def test_a_folder_of_old_keeps_its_name_through_export_and_backup(tmp_path: Path) -> None:
    settings = Settings.load(environment={}, data_dir=tmp_path / "a", strategies_dir=tmp_path / "strategies")
    data_dir.prepare(settings.data_dir)
    old = old_folder(settings, FIRST, FIRST)
    moving.export(settings, tmp_path / "export", "csv", lambda _rows: None)
    moved = Settings.load(environment={}, data_dir=tmp_path / "b")
    moving.load(moved, tmp_path / "export", lambda _rows: None)
    backup.restore(
        restored := Settings.load(environment={}, data_dir=tmp_path / "c", strategies_dir=tmp_path / "more"),
        backup.back_up(settings, tmp_path / "one.tar.gz", lambda _text: None),
        False,
        lambda _text: None,
    )
    for there in (moved, restored):
        assert account_of(there, *FIRST) == old
        assert account_of(there, *SECOND) == account_key(*SECOND)
