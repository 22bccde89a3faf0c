"""Who waits for a login is told what became of it, each of them; at which front the account may log in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.gateway.login import LOADING_LIMIT, REFUSED_LINGER, LoginDesk, NamedFront, described
from app.lib.brokers import Brokers
from app.lib.errors import FrontUnreachable, LoginDelayed, LoginRefused, NotFound, NotReady
from app.model.sqlite import SqliteStore
from app.process.event_loop import EventLoop
from app.wire.messages import EXIT_LOGIN_REFUSED, AwaitLogin, ChangePassword, CheckPassword, Done, Login

HOME = {"td_address": "tcp://home.example:1", "md_address": "tcp://home.example:2"}


class World:
    """A gateway whose trading front says what the test says, with a clock that the test moves."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.loop = EventLoop(lambda: self.now)
        self.state, self.reason = "connecting", ""
        self.is_loading, self.is_past = True, False
        self.delay: LoginDelayed | None = None
        self.is_taken = True
        self.ended: list[int] = []
        self.login = Login("ctp", "9999", "demo", "secret", account="ctp-9999-demo", **HOME)
        fronts: Any = SimpleNamespace(
            state=lambda _front: self.state, data=lambda: {"td": {"reason": self.reason}}
        )
        self.store = SqliteStore(folder / "account.db")
        self.front = NamedFront(self.login, self.store, Brokers({}))
        self.desk = LoginDesk(
            login=self.login,
            loop=self.loop,
            account=self,  # type: ignore[arg-type]
            fronts=fronts,
            front=self.front,
            trader=lambda: self,
            market=lambda: self,
            is_loading=lambda: self.is_loading,
            on_end=self.ended.append,
        )

    def is_ready(self) -> bool:
        return self.state == "ready"

    def front_reason(self) -> str:
        return self.reason

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        self.loop.run_due()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.store.close()


def test_the_log_says_who_logs_in_where_and_nothing_that_is_secret() -> None:
    login = Login("ctp", "9999", "demo", "secret-9", "code-7", "client_x_1", account="ctp-9999-demo", **HOME)
    text = described(login)
    for value in (*HOME.values(), "9999", "demo", "client_x_1"):
        assert value in text
    assert "secret-9" not in text
    assert "code-7" not in text


def test_who_waits_is_answered_once_the_account_has_loaded(world: World) -> None:
    waiting = world.desk.await_login(AwaitLogin(15.0))
    lists = world.desk.once_loaded(lambda request: f"lists for {request}")("a page")
    assert not waiting.done()
    world.desk.loaded()
    assert (waiting.result(0), lists.result(0)) == (Done(), "lists for a page")


def test_one_call_that_cannot_be_answered_keeps_no_other_waiting(world: World) -> None:
    def unknown(_request: Any) -> Any:
        raise NotFound("不认识的合约")

    asked = [world.desk.once_loaded(answer)(None) for answer in (unknown, lambda _request: "lists")]
    world.desk.loaded()
    assert isinstance(asked[0].exception(0), NotFound)
    assert asked[1].result(0) == "lists"


def test_a_front_that_does_not_answer_in_time_is_unreachable_and_one_that_loads_has_answered(
    world: World,
) -> None:
    world.reason = "连接不上前置"
    silent = world.desk.await_login(AwaitLogin(15.0))
    world.pass_(15.1)
    with pytest.raises(FrontUnreachable, match="连接不上前置"):
        silent.result(0)
    world.state = "loading"
    slow = world.desk.await_login(AwaitLogin(15.0))
    world.pass_(15.1)
    assert slow.result(0) == Done()


def test_a_refusal_is_told_to_who_waits_and_ends_the_process(world: World) -> None:
    waiting = world.desk.await_login(AwaitLogin(15.0))
    world.desk.refused(LoginRefused("不合法的登录", code="CTP_3"))
    assert waiting.exception(0).code == "CTP_3"
    world.pass_(0.2)
    assert world.ended == [EXIT_LOGIN_REFUSED]


def test_a_refusal_that_nobody_waits_for_is_there_for_a_while_for_who_asks(world: World) -> None:
    world.desk.refused(LoginRefused("不合法的登录", code="CTP_3"))
    world.pass_(REFUSED_LINGER - 1)
    assert world.ended == []
    with pytest.raises(LoginRefused):
        world.desk.await_login(AwaitLogin(15.0))
    world.pass_(0.2)
    assert world.ended == [EXIT_LOGIN_REFUSED]


def test_who_waits_hears_at_once_that_the_counter_cannot_take_logins(world: World) -> None:
    waiting = world.desk.await_login(AwaitLogin(15.0))
    world.desk.delayed(LoginDelayed("休市", code="OUT_OF_HOURS"))
    assert waiting.exception(0).code == "OUT_OF_HOURS"
    world.delay = LoginDelayed("休市", code="OUT_OF_HOURS")
    with pytest.raises(LoginDelayed):
        world.desk.await_login(AwaitLogin(15.0))
    assert world.ended == []


def test_lists_that_load_too_long_are_not_waited_for_and_at_rest_not_at_all(world: World) -> None:
    waiting = world.desk.once_loaded(lambda _request: "lists")(None)
    world.pass_(LOADING_LIMIT + 0.1)
    assert waiting.exception(0).code == "LOADING"
    world.state, world.reason = "resting", "20:35 再登录"
    with pytest.raises(NotReady, match="20:35 再登录") as resting:
        world.desk.once_loaded(lambda _request: "lists")(None)
    assert resting.value.code == "OUT_OF_HOURS"


def test_what_was_known_last_will_do_for_who_looks_and_not_for_who_acts(world: World) -> None:
    world.state, world.is_past, world.is_loading = "resting", True, False
    assert world.desk.once_shown(lambda _request: "as of yesterday")(None) == "as of yesterday"
    with pytest.raises(NotReady):
        world.desk.once_loaded(lambda _request: "as of yesterday")(None)


def test_the_password_that_counts_is_the_newest(world: World) -> None:
    assert world.desk.check_password(CheckPassword("secret")) == Done()
    world.desk.password_changed("another")
    with pytest.raises(LoginRefused) as refused:
        world.desk.check_password(CheckPassword("secret"))
    assert refused.value.code == "PASSWORD_DIFFERS"
    with pytest.raises(LoginRefused):
        world.desk.change_password(ChangePassword("secret", "third"))


def test_a_password_proves_nothing_before_the_counter_has_taken_it(world: World) -> None:
    world.is_taken, world.delay = False, LoginDelayed("休市", code="OUT_OF_HOURS")
    with pytest.raises(LoginDelayed, match="休市.*柜台尚未核对密码.*再登录即可取得令牌") as unjudged:
        world.desk.check_password(CheckPassword("secret"))
    assert unjudged.value.code == "OUT_OF_HOURS"
    world.delay = None  # the session has begun
    with pytest.raises(LoginDelayed, match="柜台正在核对密码"):
        world.desk.check_password(CheckPassword("secret"))
    world.desk.refused(LoginRefused("不合法的登录", code="CTP_3"))
    with pytest.raises(LoginRefused, match="不合法的登录"):
        world.desk.check_password(CheckPassword("secret"))


def test_what_was_taken_before_is_not_said_to_be_unjudged(world: World) -> None:
    world.delay = LoginDelayed("休市", code="OUT_OF_HOURS")
    with pytest.raises(LoginDelayed) as resting:
        world.desk.await_login(AwaitLogin(15.0))
    assert resting.value.message == "休市"
    assert world.desk.check_password(CheckPassword("secret")) == Done()


def test_other_fronts_than_those_of_the_login_are_refused(world: World) -> None:
    assert world.desk.check_password(CheckPassword("secret", **HOME)) == Done()
    other = CheckPassword("secret", "tcp://evil.example:1", "tcp://evil.example:2")
    with pytest.raises(LoginRefused) as refused:
        world.desk.check_password(other)
    assert refused.value.code == "FRONT_DIFFERS"


def test_only_the_front_of_the_first_good_login_may_be_dialled(world: World) -> None:
    world.front.keep()
    assert world.front.why_barred() == ""
    other = Login(
        "ctp",
        "9999",
        "demo",
        "secret",
        account="ctp-9999-demo",
        td_address="tcp://evil:1",
        md_address="tcp://evil:2",
    )
    barred = NamedFront(other, world.store, Brokers({})).why_barred()
    assert "fronts allow ctp-9999-demo" in barred
