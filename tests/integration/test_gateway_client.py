"""The web's connections to host and gateways, over real channels to hand-written gateways."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import orjson
import pytest

from app.lib.errors import GatewayDown, LoginRefused, NeedsLogin, NotFound, NotReady
from app.settings import Settings
from app.web import gateways as client
from app.web import recent_bars
from app.web.gateways import NEEDS_LOGIN, Gateways
from app.wire import deadlines
from app.wire.messages import (
    Accounts,
    Beat,
    Counted,
    Done,
    Json,
    ListAccounts,
    LogIn,
    OrderOutcome,
    PlaceOrder,
    Push,
    PushContracts,
    ReadBacktests,
    ReadBars,
    ReadStatus,
)
from app.wire.registry import PROTOCOL
from tests.fakes.rpc_servers import FakeBacktests, FakeGateway, FakeHost
from tests.support.waiting import eventually

ACCOUNT = "sim-9999-demo"


class Heard:
    """What the web heard, in order."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str, object]] = []

    def push(self, account: str, push: Push) -> None:
        self.all.append((account, push.name, orjson.loads(push.payload).get("seq")))

    def snapshot(self, account: str, payload: bytes) -> None:
        self.all.append((account, "snapshot", orjson.loads(payload)["seq"]))

    def lost(self, account: str, reason: str) -> None:
        self.all.append((account, "lost", reason))

    def frozen(self, account: str, reason: str) -> None:
        self.all.append((account, "frozen", reason))

    def of(self, name: str, account: str = ACCOUNT) -> list[object]:
        return [value for who, what, value in list(self.all) if (who, what) == (account, name)]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def gateways(data_dir: Path, heard: Heard) -> Iterator[Gateways]:
    settings = Settings(data_dir=data_dir, order_timeout=0.1)
    made = Gateways(settings, heard.push, heard.snapshot, heard.lost, heard.frozen)
    yield made
    made.stop()


@pytest.fixture
def holding(gateways: Gateways, monkeypatch: pytest.MonkeyPatch) -> Gateways:
    """What is held of recent bars does not end by itself while a test runs."""
    monkeypatch.setattr(recent_bars, "HELD_SECONDS", 600.0)
    gateways.recent_bars = recent_bars.RecentBars()
    gateways.start()
    return gateways


@pytest.fixture
def gateway(data_dir: Path) -> Iterator[FakeGateway]:
    made = FakeGateway(data_dir, ACCOUNT, seq=5)
    yield made
    made.die()


@pytest.fixture
def host(data_dir: Path) -> Iterator[FakeHost]:
    made = FakeHost(data_dir)
    yield made
    for gateway in made.gateways.values():
        gateway.die()
    made.die()


def order(volume: int = 1) -> PlaceOrder:
    return PlaceOrder("rb2510.SHFE", "long", "open", "limit", 3000.0, volume)


def log_in(gateways: Gateways, password: str = "right") -> str:
    return gateways.log_in(LogIn("sim", "9999", "demo", password)).account


def test_living_gateways_are_found_at_the_start_with_no_host_there(
    gateways: Gateways, gateway: FakeGateway, heard: Heard
) -> None:
    gateways.start()
    eventually(lambda: heard.of("snapshot") == [5], "the snapshot")
    assert [entry.account for entry in gateways.accounts()] == [ACCOUNT]
    assert gateways.call(ACCOUNT, PushContracts()) == Counted(3)


def test_a_call_right_after_the_start_waits_for_the_connection(
    gateways: Gateways, gateway: FakeGateway
) -> None:
    gateways.start()
    assert gateways.call(ACCOUNT, PushContracts()) == Counted(3)


def test_a_gateway_that_somebody_else_starts_is_found_too(
    gateways: Gateways, data_dir: Path, heard: Heard
) -> None:
    gateways.start()
    late = FakeGateway(data_dir, ACCOUNT, seq=1)
    try:
        eventually(lambda: heard.of("snapshot") == [1], "the snapshot")
    finally:
        late.die()


def test_what_the_gateway_raises_comes_out_as_it_was(gateways: Gateways, gateway: FakeGateway) -> None:
    gateways.start()
    with pytest.raises(NotReady, match="账户正在加载"):
        gateways.call(ACCOUNT, ReadStatus())


def test_the_process_of_backtests_is_started_by_the_host_when_it_is_not_there(
    gateways: Gateways, host: FakeHost
) -> None:
    host.starts_backtests = False
    with pytest.raises(GatewayDown) as caught:
        gateways.ask_backtests(ReadBacktests(ACCOUNT))
    assert (caught.value.code, caught.value.extra["asked"]) == ("BACKTEST_DOWN", False)
    host.starts_backtests = True
    for _ in range(2):
        assert gateways.ask_backtests(ReadBacktests(ACCOUNT)).payload == b'{"jobs":[]}'
    (first,) = host.backtests
    first.die()
    gateways.ask_backtests(ReadBacktests(ACCOUNT))
    assert len(host.backtests) == 2
    host.backtests[-1].die()


def test_a_question_of_a_frozen_host_takes_no_longer_than_it_may(gateways: Gateways, host: FakeHost) -> None:
    host.frozen = True
    with pytest.raises(GatewayDown) as silence:
        gateways.ask_host(ListAccounts(), 0.05)
    assert silence.value.extra["asked"]
    host.frozen = False
    assert gateways.ask_host(ListAccounts()) == Accounts([])


def test_without_a_host_backtests_that_run_are_asked_all_the_same(gateways: Gateways, data_dir: Path) -> None:
    with pytest.raises(GatewayDown) as caught:
        gateways.ask_backtests(ReadBacktests(ACCOUNT))
    assert caught.value.code == "HOST_DOWN"
    running = FakeBacktests(data_dir)
    assert gateways.ask_backtests(ReadBacktests(ACCOUNT)).payload == b'{"jobs":[]}'
    running.die()


@pytest.mark.parametrize("falls", ["silent", "dead"])
def test_no_answer_of_the_process_of_backtests_is_not_said_of_the_gateway(
    gateways: Gateways, data_dir: Path, monkeypatch: pytest.MonkeyPatch, falls: str
) -> None:
    monkeypatch.setattr(client, "BACKTEST_TIMEOUT", 0.2)
    running = FakeBacktests(data_dir)
    running.falls = falls
    with pytest.raises(GatewayDown, match="^回测进程没有应答，所要求的可能已经做了") as caught:
        gateways.ask_backtests(ReadBacktests(ACCOUNT))
    assert (caught.value.code, caught.value.extra["asked"]) == ("BACKTEST_DOWN", True)
    running.die()


def test_recent_bars_are_asked_for_anew_as_soon_as_the_gateway_has_saved_one(
    holding: Gateways, gateway: FakeGateway, heard: Heard
) -> None:
    wanted = ReadBars("rb2510")
    assert holding.call(ACCOUNT, wanted) == holding.call(ACCOUNT, wanted) == Json(b"[[0]]")
    assert gateway.requests.count(wanted) == 1
    gateway.save_bars("rb2510.SHFE")
    gateway.update()
    eventually(lambda: heard.of("order_update"), "what was pushed after it")
    assert holding.call(ACCOUNT, wanted) == Json(b"[[0],[1]]")
    assert heard.of("bars_saved") == []  # no page hears of it


def test_recent_bars_are_not_shown_while_the_gateway_is_away(
    holding: Gateways, gateway: FakeGateway, heard: Heard
) -> None:
    holding.call(ACCOUNT, ReadBars("rb2510"))
    gateway.die()
    eventually(lambda: heard.of("lost"), "that it is gone")
    with pytest.raises(NeedsLogin):
        holding.call(ACCOUNT, ReadBars("rb2510"))


def test_an_order_takes_its_deadline_along_and_a_frozen_gateway_is_told_of_and_gets_none(
    gateways: Gateways, gateway: FakeGateway, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "BEAT", 0.2)  # thrice, and a gateway on a busy machine is frozen
    gateways.start()
    gateway.unanswered.set_result(OrderOutcome("1_1_1", "accepted"))
    before = deadlines.now()
    gateways.call(ACCOUNT, order())
    [taken] = [request for request in gateway.requests if isinstance(request, PlaceOrder)]
    assert before + 1.0 < taken.deadline <= deadlines.now() + deadlines.HAND_OVER

    gateway.is_frozen = True
    eventually(lambda: heard.of("frozen"), "that it does not answer")
    with pytest.raises(GatewayDown) as down:
        gateways.call(ACCOUNT, msgspec.structs.replace(order(2), client_order_id="mine"))
    assert down.value.code == "GATEWAY_FROZEN"
    # an earlier try may have left: nothing is said of the order, but of this try alone
    assert "这次没有发出，请稍后以同一个 client_order_id 再试" in down.value.message
    assert not down.value.extra["asked"]
    assert gateways.call(ACCOUNT, PushContracts()) == Counted(3)  # all else is handed over, cancels too
    gateway.thaw()
    eventually(lambda: heard.of("frozen")[-1] == "", "that it does again")
    assert heard.of("frozen")[1:] == [""]
    assert heard.of("lost") == []
    gateways.call(ACCOUNT, order(3))
    assert [request.volume for request in gateway.requests if isinstance(request, PlaceOrder)] == [1, 3]


def test_what_is_pushed_after_a_snapshot_is_newer_and_nothing_is_missing(
    gateways: Gateways, gateway: FakeGateway, heard: Heard
) -> None:
    gateways.start()
    eventually(lambda: heard.of("snapshot"), "the first snapshot")
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set() and gateway.seq < 20_000:
            gateway.update()

    pusher = threading.Thread(target=busy)
    pusher.start()
    for number in range(2, 22):
        gateways.request_snapshot(ACCOUNT)
        eventually(lambda wanted=number: len(heard.of("snapshot")) >= wanted, f"snapshot {number}")  # type: ignore[misc]
    stop.set()
    pusher.join()
    eventually(lambda: heard.of("order_update")[-1] == gateway.seq, "all updates")
    assert heard.of("order_update") == list(range(6, gateway.seq + 1))
    last = 5
    for _, name, seq in heard.all:
        if name == "snapshot":
            assert seq >= last  # type: ignore[operator]
        else:
            assert seq == last + 1
        last = max(last, seq)  # type: ignore[call-overload]


def test_a_broken_connection_is_told_at_once_and_made_again_with_a_fresh_snapshot(
    gateways: Gateways, gateway: FakeGateway, heard: Heard
) -> None:
    gateways.start()
    eventually(lambda: heard.of("snapshot"), "the first snapshot")
    gateway.seq = 9
    gateway.hang_up()
    eventually(lambda: heard.of("snapshot") == [5, 9], "the second snapshot")
    assert heard.of("lost") == ["与网关的连接中断"]
    assert [name for _, name, _ in heard.all] == ["snapshot", "lost", "snapshot"]
    assert gateways.call(ACCOUNT, PushContracts()) == Counted(3)


def test_a_gateway_that_is_being_restarted_is_down_and_then_found_again(
    gateways: Gateways, gateway: FakeGateway, host: FakeHost, data_dir: Path, heard: Heard
) -> None:
    host.states[ACCOUNT] = "restarting"
    gateways.start()
    eventually(lambda: heard.of("snapshot"), "the first snapshot")
    gateway.die()
    eventually(lambda: heard.of("lost"), "the loss")
    with pytest.raises(GatewayDown) as down:
        gateways.call(ACCOUNT, order())
    assert down.value.extra["asked"] is False
    successor = FakeGateway(data_dir, ACCOUNT, seq=77)
    try:
        eventually(lambda: heard.of("snapshot") == [5, 77], "the successor's snapshot")
        assert len(heard.of("lost")) == 1
    finally:
        successor.die()


@pytest.mark.parametrize("state", ["needs_login", None])
def test_an_account_that_nobody_brings_back_needs_a_login(
    state: str | None, gateways: Gateways, gateway: FakeGateway, host: FakeHost, heard: Heard
) -> None:
    if state is not None:
        host.states[ACCOUNT] = state
    gateways.start()
    eventually(lambda: heard.of("snapshot"), "the first snapshot")
    gateway.die()
    eventually(lambda: heard.of("lost")[-1:] == [NEEDS_LOGIN], "the web gives up")
    assert len(heard.of("lost")) == 2
    with pytest.raises(NeedsLogin):
        gateways.call(ACCOUNT, PushContracts())


def test_a_login_waits_for_a_host_that_is_just_being_started(gateways: Gateways, data_dir: Path) -> None:
    gateways.start()
    with ThreadPoolExecutor(1) as pool:
        login = pool.submit(log_in, gateways)
        host = FakeHost(data_dir)
        try:
            assert login.result(30) == ACCOUNT
        finally:
            for gateway in host.gateways.values():
                gateway.die()
            host.die()


class Strides:
    """A clock that goes on by a second with each look at it; `waited` is told of each."""

    def __init__(self, waited: Callable[[float], None]) -> None:
        self.now, self._waited = 0.0, waited

    def sleep(self, _seconds: float) -> None: ...

    def monotonic(self) -> float:
        self.now += 1.0
        self._waited(self.now)
        return self.now


@pytest.mark.parametrize(
    ("login_timeout", "comes_after", "comes_in_time"),
    [(20.0, 8.0, True), (20.0, 60.0, False), (2.0, 8.0, False)],
)
def test_a_login_waits_for_a_host_that_starts_slowly_as_long_as_a_login_may_take(
    data_dir: Path,
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
    login_timeout: float,
    comes_after: float,
    comes_in_time: bool,
) -> None:
    """With a MongoDB that does not answer a host takes seven seconds before it listens."""
    hosts: list[FakeHost] = []
    monkeypatch.setattr(
        client,
        "time",
        Strides(lambda now: None if hosts or now < comes_after else hosts.append(FakeHost(data_dir))),
    )
    made = Gateways(
        Settings(data_dir=data_dir, login_timeout=login_timeout),
        heard.push,
        heard.snapshot,
        heard.lost,
        heard.frozen,
    )
    try:
        if comes_in_time:
            assert log_in(made) == ACCOUNT
        else:
            with pytest.raises(GatewayDown) as down:
                log_in(made)
            assert down.value.code == "HOST_DOWN"
    finally:
        made.stop()
        for host in hosts:
            for gateway in host.gateways.values():
                gateway.die()
            host.die()


def test_with_neither_host_nor_gateway_an_account_needs_a_login_and_a_login_says_that_the_host_is_down(
    gateways: Gateways, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateways, "_host_limit", 0.2)
    gateways.start()
    with pytest.raises(NeedsLogin):
        gateways.call(ACCOUNT, PushContracts())
    with pytest.raises(GatewayDown) as down:
        log_in(gateways)
    assert down.value.code == "HOST_DOWN"
    with pytest.raises(GatewayDown):
        gateways.log_out(ACCOUNT)


def test_without_a_host_a_lost_gateway_is_looked_for_until_it_is_back(
    gateways: Gateways, gateway: FakeGateway, data_dir: Path, heard: Heard
) -> None:
    gateways.start()
    eventually(lambda: heard.of("snapshot"), "the first snapshot")
    gateway.die()
    eventually(lambda: heard.of("lost"), "the loss")
    successor = FakeGateway(data_dir, ACCOUNT, seq=6)
    try:
        eventually(lambda: heard.of("snapshot") == [5, 6], "it is back")
        assert NEEDS_LOGIN not in heard.of("lost")
    finally:
        successor.die()


def test_a_login_connects_and_a_logout_ends_it(gateways: Gateways, host: FakeHost, heard: Heard) -> None:
    gateways.start()
    account = log_in(gateways)
    assert account == ACCOUNT
    assert gateways.call(account, PushContracts()) == Counted(3)
    assert gateways.log_out(account).working_orders == 2
    with pytest.raises(NeedsLogin):
        gateways.call(account, PushContracts())
    with pytest.raises(NotFound):
        gateways.log_out(account)
    log_in(gateways)
    assert gateways.call(account, PushContracts()) == Counted(3)


def test_a_refused_password_comes_with_the_counters_own_words(gateways: Gateways, host: FakeHost) -> None:
    with pytest.raises(LoginRefused, match="不合法的登录") as refused:
        log_in(gateways, "wrong")
    assert refused.value.code == "CTP_3"


def test_an_order_whose_gateway_dies_or_is_silent_has_been_asked(
    gateways: Gateways, gateway: FakeGateway
) -> None:
    gateways.start()
    with pytest.raises(GatewayDown) as silent:
        gateways.call(ACCOUNT, order(), timeout=0.05)
    assert silent.value.extra["asked"] is True
    outcome: list[GatewayDown] = []

    def place() -> None:
        try:
            gateways.call(ACCOUNT, order(2))
        except GatewayDown as down:
            outcome.append(down)

    caller = threading.Thread(target=place)
    caller.start()
    eventually(
        lambda: any(isinstance(asked, PlaceOrder) and asked.volume == 2 for asked in gateway.requests),
        "the order has left",
    )
    gateway.hang_up()
    caller.join(30)
    assert outcome[0].extra["asked"] is True
    gateway.unanswered.set_result(Done())


def test_a_snapshot_asked_for_where_no_gateway_is_ends_in_a_word_of_loss(
    gateways: Gateways, heard: Heard, host: FakeHost
) -> None:
    gateways.start()
    gateways.request_snapshot(ACCOUNT)
    eventually(lambda: heard.of("lost") == [NEEDS_LOGIN], "the page can be told")


def test_two_accounts_have_a_connection_each(
    gateways: Gateways, gateway: FakeGateway, data_dir: Path, heard: Heard
) -> None:
    other = FakeGateway(data_dir, "sim-9999-other", seq=100)
    try:
        gateways.start()
        eventually(lambda: heard.of("snapshot") and heard.of("snapshot", "sim-9999-other"), "both snapshots")
        other.update()
        gateway.update()
        eventually(lambda: heard.of("order_update") == [6], "the one's update")
        eventually(lambda: heard.of("order_update", "sim-9999-other") == [101], "the other's update")
        other.hang_up()
        eventually(lambda: len(heard.of("snapshot", "sim-9999-other")) == 2, "the other is back")
        assert heard.of("lost") == []
    finally:
        other.die()


def test_a_handler_that_fails_does_not_stop_the_stream(
    data_dir: Path, gateway: FakeGateway, heard: Heard
) -> None:
    def fail_once(account: str, push: Push) -> None:
        heard.push(account, push)
        if len(heard.of("order_update")) == 1:
            raise RuntimeError("a handler's own fault")

    gateways = Gateways(Settings(data_dir=data_dir), fail_once, heard.snapshot, heard.lost)
    gateways.start()
    try:
        eventually(lambda: heard.of("snapshot"), "the snapshot")
        gateway.update()
        gateway.update()
        eventually(lambda: heard.of("order_update") == [6, 7], "both updates")
        assert heard.of("lost") == []
    finally:
        gateways.stop()


def test_stopping_closes_the_connections_and_leaves_the_gateways(
    gateways: Gateways, gateway: FakeGateway, heard: Heard
) -> None:
    gateways.start()
    eventually(lambda: gateway.watchers == 1, "it is watched")
    gateways.stop()
    eventually(lambda: gateway.watchers == 0, "it is watched no more")
    assert heard.of("lost") == []
    assert [entry.account for entry in gateways.accounts()] == [ACCOUNT]


@pytest.mark.usefixtures("gateway", "host")
def test_a_web_of_another_version_than_host_and_gateways_says_that_they_must_be_restarted(
    gateways: Gateways, data_dir: Path, heard: Heard
) -> None:
    for path in (data_dir / "run").glob("*.json"):
        path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | {"protocol": PROTOCOL + 1}))
    gateways.start()
    for ask in (
        lambda: gateways.call(ACCOUNT, ReadStatus()),
        lambda: gateways.log_in(LogIn("sim", "9999", "demo", "p")),
    ):
        with pytest.raises(GatewayDown, match="重启") as refused:
            ask()
        assert refused.value.code == "VERSION_MISMATCH"
    assert heard.of("snapshot") == []


def test_a_gateway_is_told_every_second_whether_a_page_of_its_account_is_there(
    data_dir: Path, gateway: FakeGateway
) -> None:
    heard, with_pages = Heard(), {"sim-9999-page"}
    made = Gateways(
        Settings(data_dir=data_dir), heard.push, heard.snapshot, heard.lost, pages=lambda: with_pages
    )
    made.start()
    try:
        eventually(lambda: Beat(False) in gateway.requests, "a beat without a page")
        with_pages.add(ACCOUNT)
        eventually(lambda: Beat(True) in gateway.requests, "a beat with one")
    finally:
        made.stop()


def test_the_host_is_told_which_accounts_have_pages_or_were_asked_for_but_not_of_machines(
    data_dir: Path, gateway: FakeGateway
) -> None:
    heard = Heard()
    with_pages = ["sim-9999-page"]
    made = Gateways(
        Settings(data_dir=data_dir), heard.push, heard.snapshot, heard.lost, pages=lambda: with_pages
    )
    made.tell_visited()  # without a host: it is told later
    host = FakeHost(data_dir)
    try:
        with pytest.raises(NotReady):
            made.call(ACCOUNT, ReadStatus())
        made.tell_visited()
        made.call(ACCOUNT, PushContracts())
        made.tell_visited()
        with_pages.clear()
        made.tell_visited()
        assert host.visited == [["sim-9999-page"], [ACCOUNT, "sim-9999-page"]]
    finally:
        made.stop()
        host.die()
