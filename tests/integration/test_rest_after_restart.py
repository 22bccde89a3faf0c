"""A gateway that starts while its counter rests says until when, and shows what was known last, marked. The
binding is written by hand.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app.gateway.gateway import Gateway
from app.interfaces.ctp import link, preflight
from app.lib.calendar import SHANGHAI
from app.lib.errors import LoginDelayed, LoginRefused, NotFound, NotReady
from app.model.sqlite import SqliteStore
from app.settings import Settings
from app.wire.messages import (
    AwaitLogin,
    CheckPassword,
    DescribeContract,
    Done,
    GiveWay,
    JoinStrategy,
    ListContracts,
    Login,
    PlaceOrder,
    PushContracts,
    ReadAccount,
    ReadLists,
    Subscribe,
    Watch,
)
from tests.fakes.front import DAY, account, detail, order, trade
from tests.fakes.native import Desk, as_dict
from tests.integration.test_gateway_service import Page
from tests.support.in_loop import in_loop
from tests.support.waiting import eventually

MONDAY = datetime(2025, 6, 9, 20, 35, tzinfo=SHANGHAI)
UNTIL = "2025-06-09 20:35 再登录"


class Running:
    """One gateway in this process, its page beside it."""

    def __init__(self, folder: Path) -> None:
        self.store = SqliteStore(folder / "account.db")
        settings = Settings(data_dir=folder, ctp_hours="always", ctp_query_interval=0.0)
        login = Login(
            "ctp",
            "9999",
            "demo",
            "x",
            td_address="tcp://127.0.0.1:1",
            md_address="tcp://127.0.0.1:2",
            account="ctp-9999-demo",
        )
        self.ended: list[int] = []
        self.gateway = Gateway(settings, login, self.store, folder, self.ended.append)
        self._events = threading.Thread(target=self.gateway.loop.run, daemon=True)
        self._events.start()
        self.gateway.start()
        self.page = Page(self.gateway.address)

    def rest(self) -> None:
        app = self.gateway.app
        in_loop(self.gateway.loop, lambda: [front.rest(MONDAY) for front in (app.trader, app.market)])

    def end(self) -> None:
        self.page.client.close()
        self.gateway.loop.stop()
        self._events.join(30)
        self.gateway.stop()
        self.store.close()


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    monkeypatch.setattr(link, "native_classes", desk.classes)
    monkeypatch.setattr(link, "_let_go", lambda api: api.exit())
    monkeypatch.setattr(preflight, "of_this_machine", lambda: iter(()))
    monkeypatch.setattr("app.lib.interface_names.find_spec", lambda _name: object())
    return desk


@pytest.fixture
def start(desk: Desk, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def anew(folder: str = "account") -> Running:
        while running:
            running.pop().end()
        (tmp_path / folder).mkdir(exist_ok=True)
        running.append(Running(tmp_path / folder))
        return running[0]

    yield anew
    while running:
        running.pop().end()


def traded(desk: Desk) -> None:
    """What the account has done today: it bought a lot, and holds two of history."""
    desk.orders = [
        order(3, status="0", VolumeTotalOriginal=1, VolumeTraded=1, SessionID=50),
        order(4, status="5", SessionID=50),
    ]
    desk.trades = [trade("t1", ref=3)]
    desk.details = [as_dict(detail(2)), as_dict(detail(1, open_date=DAY, TradeID="t1", OpenPrice=3000.0))]
    desk.account = as_dict(
        account(
            PreBalance=900_000.0, Balance=900_000.0, Available=890_000.0, CurrMargin=9_000.0, Commission=2.0
        )
    )


def shown(page: Page) -> dict[str, Any]:
    lists: dict[str, Any] = page.json(ReadLists())
    del lists["log_history"]
    return lists


def test_what_was_known_last_is_shown_and_marked_until_the_account_has_loaded_again(
    desk: Desk, start: Callable[..., Running]
) -> None:
    traded(desk)
    first = start()
    first.page.ask(AwaitLogin(15.0), 20.0)
    live = shown(first.page)
    assert live.pop("as_of") == ""
    assert [row["volume"] for row in live["position_list"]] == [3]
    assert len(live["order_list"]) == 2
    first.rest()
    rested = shown(first.page)
    as_of = rested.pop("as_of")
    assert as_of[:10] == "2025-06-09"
    assert rested == live

    desk.reachable = False
    page = (second := start()).page
    second.rest()
    eventually(lambda: page.json(ReadLists())["as_of"], "the last known")
    lists = shown(page)
    assert lists.pop("as_of") == as_of
    assert lists == live
    picture = page.json(Watch())
    assert picture["position"][0]["volume"] == 3
    assert picture["contract"] == ["rb2510.SHFE"]
    assert {pair["key"]: pair["value"] for pair in picture["account"]}["balance"] == pytest.approx(
        900_000.0, abs=10
    )
    assert as_of[:16] in picture["status"]["td"]["reason"]
    contract = page.json(DescribeContract("rb2510"))
    assert (contract["pricetick"], contract["as_of"]) == (1.0, as_of)
    funds, listed = page.json(ReadAccount()), page.json(ListContracts())
    assert funds == {name: picture[name] for name in ("account", "account_detail")} | {"as_of": as_of}
    assert ([row["local_symbol"] for row in listed["contracts"]], listed["as_of"]) == (["rb2510.SHFE"], as_of)
    assert page.ask(Subscribe(["rb2510"])).symbols == ["rb2510.SHFE"]
    counted = page.ask(PushContracts())
    assert counted.count == 1
    assert as_of[:16] in counted.note
    with pytest.raises(NotFound):
        page.ask(DescribeContract("zz9999"))
    with pytest.raises(NotReady, match=UNTIL) as refused:
        page.ask(PlaceOrder("rb2510.SHFE", "long", "open", "limit", 3000.0, 1))
    assert "载入" not in refused.value.message
    with pytest.raises(
        NotReady, match="休市"
    ) as refused:  # a strategy would take what is not loaded for an empty account
        page.ask(JoinStrategy("双均线", 1))
    assert refused.value.code == "OUT_OF_HOURS"

    desk.reachable = True
    app = second.gateway.app
    in_loop(second.gateway.loop, lambda: [front.wake() for front in (app.trader, app.market)])
    page.ask(AwaitLogin(15.0), 20.0)
    assert page.json(ReadLists())["as_of"] == ""
    assert "as_of" not in page.json(DescribeContract("rb2510"))
    assert page.ask(PushContracts()).note == ""
    assert page.ask(JoinStrategy("双均线", 1))
    eventually(lambda: desk.asked("subscribeMarketData"), "what was subscribed meanwhile is streamed")


def test_who_was_never_in_is_told_at_once_that_it_is_out_of_hours_and_until_when(
    desk: Desk, start: Callable[..., Running]
) -> None:
    desk.reachable = False
    page = (running := start("new")).page
    running.rest()
    with pytest.raises(LoginDelayed):
        page.ask(AwaitLogin(15.0), 20.0)
    for request in (ReadLists(), DescribeContract("rb2510"), PushContracts(), Subscribe(["rb2510"])):
        with pytest.raises(NotReady, match=UNTIL) as refused:
            page.ask(request, 3.0)  # the wait for a load is five seconds
        assert refused.value.code == "OUT_OF_HOURS"
    assert json.loads(page.ask(Watch()).payload)["status"]["td"]["state"] == "resting"


def test_a_login_gives_way_to_another_password_until_the_counter_has_taken_its_own(
    desk: Desk, start: Callable[..., Running]
) -> None:
    desk.reachable = False
    page = (running := start("early")).page
    running.rest()
    for wrong in (CheckPassword("another"), CheckPassword("x", "tcp://127.0.0.1:8", "tcp://127.0.0.1:9")):
        with pytest.raises(LoginRefused) as differs:
            page.ask(wrong)
        assert differs.value.extra == {"is_judged": False}
    with pytest.raises(LoginDelayed, match="柜台尚未核对密码") as unjudged:
        page.ask(CheckPassword("x"))
    assert unjudged.value.code == "OUT_OF_HOURS"
    assert page.ask(GiveWay()) == Done()
    eventually(lambda: running.ended == [0], "it ends")

    desk.reachable = True
    page = (running := start("judged")).page
    page.ask(AwaitLogin(15.0), 20.0)
    running.rest()  # logged out for the night: its password is known to be good all the same
    for request in (CheckPassword("another"), GiveWay()):
        with pytest.raises(LoginRefused) as differs:
            page.ask(request)
        assert (differs.value.code, differs.value.extra) == ("PASSWORD_DIFFERS", {})
    assert running.ended == []


def test_a_gateway_that_was_killed_in_the_session_has_what_it_showed_shortly_before(
    desk: Desk, start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gateway.gateway.KEEP_SECONDS", 0.05)
    traded(desk)
    first = start()
    first.page.ask(AwaitLogin(15.0), 20.0)
    eventually(lambda: first.store.setting("last_known", "lists"), "kept")
    monkeypatch.setattr(
        "app.gateway.last_known.LastKnown.keep", lambda _self: ""
    )  # not at its end: it is killed
    desk.reachable = False
    page = (second := start()).page
    second.rest()
    assert [
        row["volume"] for row in eventually(lambda: page.json(ReadLists())["position_list"], "the last known")
    ] == [3]
