"""MongoDB as the store of a real server, and what becomes of trading when it is down, frozen, killed, slow,
or does not let us in.
"""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from app.commands.import_bars import account_writer
from app.lib.bars import Bar
from app.model import store_path
from app.model.mongo import CONNECT_LIMIT, MongoTables
from app.model.spool import RETRY_REFUSED
from app.model.sqlite import SqliteStore
from app.model.tables import BARS
from app.settings import Settings
from tests.e2e.server import BackendServer, Quote, Trader
from tests.support.mongodb import FerretDB, free_port
from tests.support.waiting import eventually

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]
DATABASE = "ctpbee_backend"
STRATEGY = 'from ctpbee import CtpbeeApi\n\n\nclass Still(CtpbeeApi):\n    pass\n\n\next = Still("still")\n'
SYMBOL = "rb2510.SHFE"
OTHER = "rb2601.SHFE"  # not subscribed to: its bars are those that the test brings


@pytest.fixture
def mongo(tmp_path: Path) -> Iterator[FerretDB]:
    server = FerretDB(tmp_path / "mongodb")
    yield server
    server.kill()


class World:
    """A server whose store is at `uri`, and a trader who trades one contract on it."""

    def __init__(self, make: Callable[..., BackendServer], uri: str) -> None:
        self.uri = uri
        self.server = make(mongo_uri=uri, counter_capital=1e11).start()
        self.trader = Trader(self.server).log_in()
        self.page = self.trader.open_page()
        self.quote: Quote = self.trader.fix_quote(SYMBOL, 1_000_000, 1_000_000)
        self.took: list[float] = []  # seconds, each order

    def trade(self, count: int = 1) -> None:
        """Buy at the ask, `count` times; each is filled at once. No two in a row have the same price: the
        fifth order that is alike within a second would be refused as a duplicate.
        """
        for _ in range(count):
            price = self.quote.ask + len(self.took) % 60 * self.quote.tick
            began = time.monotonic()
            answer = self.trader.order(SYMBOL, "long", "open", price, 1)
            self.took.append(time.monotonic() - began)
            assert answer["success"], answer

    def is_ready(self) -> dict[str, Any]:
        answer = requests.get(f"{self.server.url}/readyz", timeout=5)
        return answer.json()["data"] | {"status": answer.status_code}

    def save_bars(self) -> None:
        """500 of the last hours, by way of the gateway."""
        now = int(time.time() // 60)
        with account_writer(Settings(data_dir=self.server.data_dir), self.trader.key) as save:
            save(OTHER, [Bar(minute * 60_000, 10.0, 12.0, 9.0, 11.0, 5) for minute in range(now - 500, now)])

    def wait_store(self, state: str, seconds: float = 60) -> None:
        """Until both the web and the account's page are told so."""
        eventually(
            lambda: self.is_ready()["store"] == state, f"/readyz says that the store is {state}", seconds
        )
        self.page.settles("status", lambda status: status["store"]["state"] == state, seconds)

    def check_both_have_the_same(self, bars: int = 0) -> None:
        """Everything that is written stands at the server: every row once, every event in its order, none
        left out, and `bars` of OTHER.
        """
        here = SqliteStore(store_path(self.server.data_dir, self.trader.key))
        there = MongoTables(self.uri, DATABASE, self.trader.key)

        def same() -> bool:
            series = here._read("SELECT DISTINCT local_symbol, interval FROM bars")
            return (
                not here._read("SELECT 1 FROM spool LIMIT 1")
                and all(
                    list(there.rows(table)) == list(here.rows(table))
                    for name, table in here.tables().items()
                    if name != BARS
                )
                and all(there.read_bars(*one) == here.read_bars(*one) for one in series)
            )

        eventually(same, "the server has what the file has", 60)
        events = [row["seq"] for row in there.rows(here.tables()["events"])]
        assert events
        assert events == list(range(events[0], events[0] + len(events)))
        assert len(there.read_bars(OTHER, "1m")) == bars
        there.close()
        here.close()

    def settings(self, scope: str, kind: str) -> list[dict[str, Any]]:
        """What the server has of the settings of a scope whose name begins so."""
        there = MongoTables(self.uri, DATABASE, scope)
        here = SqliteStore(store_path(self.server.data_dir, self.trader.key))
        found = [row for row in there.rows(here.tables()["settings"]) if row["scope"].startswith(kind)]
        here.close()
        there.close()
        return found

    def orders_here(self) -> int:
        here = SqliteStore(store_path(self.server.data_dir, self.trader.key))
        found = len(list(here.rows(here.tables()["intents"])))
        here.close()
        return found


@pytest.fixture
def enter(make_server: Callable[..., BackendServer]) -> Iterator[Callable[[str], World]]:
    worlds: list[World] = []

    def make(uri: str) -> World:
        worlds.append(World(make_server, uri))
        return worlds[-1]

    yield make
    for world in worlds:
        world.trader.close_page()


def test_a_server_that_is_down_at_the_start_holds_up_nothing_and_gets_it_all_once_it_is_there(
    mongo: FerretDB, enter: Callable[[str], World]
) -> None:
    world = enter(mongo.uri())
    world.wait_store("down")
    assert world.is_ready()["status"] == 503
    assert world.is_ready()["host"] == "up"
    world.trade(5)
    mongo.start()
    world.wait_store("up")
    assert world.is_ready()["status"] == 200
    world.trade(2)
    world.check_both_have_the_same()


def test_a_server_that_is_frozen_and_killed_under_load_loses_no_row_and_no_order_waits_for_it(
    mongo: FerretDB, enter: Callable[[str], World]
) -> None:
    mongo.start()
    world = enter(mongo.uri())
    world.wait_store("up")
    world.trade(1)
    # FerretDB does not start again when it is killed while it makes its files
    world.check_both_have_the_same()
    done = threading.Event()
    failed: list[BaseException] = []

    def load() -> None:
        try:
            while not done.wait(
                0.2
            ):  # every order has the page read all of them again: hundreds are more than a busy machine's can
                world.trade()
        except BaseException as error:  # told in the main thread
            failed.append(error)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        traded = world.orders_here()
        eventually(lambda: failed or world.orders_here() > traded + 5, "orders go out", 30)
        mongo.freeze()
        world.wait_store("down")
        traded = world.orders_here()
        eventually(
            lambda: failed or world.orders_here() > traded + 5, "orders go out while the server is frozen", 30
        )
        world.save_bars()
        mongo.thaw()
        world.wait_store("up")
        mongo.kill()
        world.wait_store("down")
        mongo.start()
        world.wait_store("up")
    finally:
        done.set()
        thread.join()
    assert failed == []
    world.check_both_have_the_same(bars=500)
    assert max(world.took) < CONNECT_LIMIT  # nor for the shortest that anything is given to answer


def test_what_waited_when_the_gateway_was_killed_arrives_from_the_next_one(
    mongo: FerretDB, enter: Callable[[str], World]
) -> None:
    mongo.start()
    world = enter(mongo.uri())
    world.trade(2)
    # FerretDB does not start again when it is killed while it makes its files
    world.check_both_have_the_same()
    mongo.kill()
    world.wait_store("down")
    world.trade(3)
    world.save_bars()
    world.server.wait_replaced(world.server.kill(f"gateway-{world.trader.key}"))
    mongo.start()
    world.wait_store("up")
    eventually(lambda: len(world.trader.lists()["trade_list"]) == 5, "all trades are shown again", 30)
    world.check_both_have_the_same(bars=500)


class SlowLine:
    """A TCP proxy that keeps every piece back for a while, either way."""

    def __init__(self, port: int, delay: float) -> None:
        self.port = free_port()
        self._target, self._delay = port, delay
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", self.port), self._loop
        ).result(30)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(
            self._pass_on(reader, there_writer), self._pass_on(there_reader, writer), return_exceptions=True
        )

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await asyncio.sleep(self._delay)
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def test_a_server_that_answers_slowly_slows_no_order(mongo: FerretDB, enter: Callable[[str], World]) -> None:
    mongo.start()
    line = SlowLine(mongo.port, 0.4)
    try:
        world = enter(f"mongodb://127.0.0.1:{line.port}/")
        world.wait_store("up")
        world.took.clear()
        world.trade(10)
        assert statistics.median(world.took) < 0.8  # there and back takes as long for a single question
        world.uri = mongo.uri()
        world.check_both_have_the_same()
    finally:
        line.close()


def test_a_refused_password_is_said_clearly_not_tried_again_soon_and_stands_nowhere(
    tmp_path: Path, enter: Callable[[str], World]
) -> None:
    mongo = FerretDB(tmp_path / "locked", password="right-one")
    mongo.start()
    try:
        began = time.monotonic()
        world = enter(mongo.uri("Wr0ng-One"))
        world.wait_store("refused")
        world.trade(3)
        page = world.page.last("status")["store"]
        assert "MongoDB 拒绝了用户名、密码或权限" in page["reason"]
        assert mongo.refusals() > 0
        since = time.monotonic()
        eventually(lambda: time.monotonic() - since > 5, "five seconds of trading on", 10)
        world.trade(3)
        rounds = 1 + (time.monotonic() - began) // RETRY_REFUSED
        assert (
            mongo.refusals() <= 4 * rounds
        )  # run.py, the host for its two files, and the gateway: each once
        logs = world.server.logs()
        assert "MongoDB 拒绝了用户名、密码或权限" in logs
        assert "Wr0ng-One" not in logs
    finally:
        mongo.kill()


def test_the_right_password_lets_us_in(tmp_path: Path, enter: Callable[[str], World]) -> None:
    mongo = FerretDB(tmp_path / "locked", password="right-one")
    mongo.start()
    try:
        world = enter(mongo.uri())
        world.trade(1)
        world.wait_store("up")
        world.check_both_have_the_same()
        assert world.trader.ask("POST", "/code", text=STRATEGY)["msg"] == "添加成功"
        eventually(
            lambda: world.settings("host", "code/") and world.settings("server", "session"),
            "code and session are there, too",
        )
    finally:
        mongo.kill()
