"""A strategy's own process against the gateway's and the counter's: it hears, trades, fails and ends
alone.
"""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.lib.errors import BadInput
from app.wire.messages import (
    CancelOrder,
    Done,
    Push,
    ReadEvents,
    ReadLists,
    ReadStatus,
    ReadStrategy,
    SetStrategyLimits,
    Watch,
    WriteConfig,
)
from app.wire.rpc import RpcClient
from tests.integration.test_gateway_service import ROOT, Page, World, a_contract, buy, held
from tests.support.strategy_world import Strategy
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For tests that leave the counter and the gateways alive; each takes an account of its own."""
    world = World(tmp_path_factory.mktemp("strategies") / "data")
    yield world
    world.close()


BARS = """
class Bars(CtpbeeApi):
    def __init__(self, name, code):
        super().__init__(name)
        self.instrument_set = {code}

    def on_bar(self, bar):
        inside = bar.low_price <= bar.close_price <= bar.high_price
        self.info(f"bar {bar.local_symbol} {bar.datetime:%H:%M:%S} {bar.interval.value} {inside}")

ext = Bars("bars", "{symbol}")
"""


class Market(NamedTuple):
    """One account for the tests that do not mind others' orders. `bars` listens from the beginning: a minute
    is soon over then.
    """

    page: Page
    symbol: str
    bars: Strategy


@pytest.fixture(scope="module", autouse=True)
def market(shared: World) -> Market:
    _, page = shared.log_in("many")
    symbol, _ = a_contract(page)
    return Market(page, symbol, Strategy(shared, "many", "看线", BARS.replace("{symbol}", symbol)).runs())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """For the test that turns the counter's day."""
    world = World(tmp_path / "data")
    yield world
    world.close()


# ── what it hears ──

HEARS = """
class Hears(CtpbeeApi):
    def __init__(self, name):
        super().__init__(name)
        self.heard = []
        self.seen = set()

    def note(self, what, *more):
        if what not in self.seen:
            self.seen.add(what)
            self.info(f"{what} replaying={self.app.replaying} {' '.join(map(str, more))}")

    def on_contract(self, contract):
        self.note("contract", type(contract.expire_date).__name__, contract.exchange)

    def on_position(self, position):
        self.note("position", position.local_symbol, position.direction, position.volume)

    def on_account(self, account):
        self.note("account", account.balance)

    def on_init(self, init):
        self.note("init", init, len(self.center.orders), len(self.center.trades), self.get_strategy("other"))
        available = self.center.account.available
        self.note("book", self.center.positions[0].volume, available > 0, self.app.td_login_status)

    def on_order(self, order):
        self.note("order", order.status)

    def on_realtime(self):
        self.note("realtime")

ext = Hears("hears")
"""


def test_it_hears_how_things_stand_before_on_init_and_no_order_of_before(shared: World) -> None:
    _, page = shared.log_in("hears")
    symbol, tick = a_contract(page)
    shared.buys(page, symbol, tick)
    strategy = Strategy(shared, "hears", "听", HEARS).runs()
    strategy.says("realtime replaying=False")
    notes = [line.split(" ")[0] for line in strategy.lines() if "replaying" in line]
    assert notes[:5] == ["contract", "position", "account", "init", "book"], strategy.lines()
    assert "order" not in notes, "what happened before the start is not news"
    assert strategy.says("contract").startswith("contract replaying=True date Exchange.")
    assert strategy.says("position") == f"position replaying=True {symbol} Direction.LONG 2"
    assert strategy.says("init ") == "init replaying=True True 1 1 None"
    assert strategy.says("book") == "book replaying=True 2 True True"
    strategy.child.terminate()
    assert strategy.ends() == 0


TRADES = """
class Trades(CtpbeeApi):
    def __init__(self, name, code):
        super().__init__(name)
        self.instrument_set = {code}
        self.sent = None
        self.orders = []

    def on_tick(self, tick):
        if self.sent is None:
            self.sent = self.action.buy_open(tick.limit_up, 1, tick)
            assert not self.orders, "an order is told after send_order has returned"
            self.info(f"sent {self.sent}")

    def on_order(self, order):
        self.orders.append(order.status.name)
        is_ours = order.local_order_id == self.sent
        self.info(f"order {is_ours} {order.status.name} {order.traded:g} {order.strategy}")

    def on_trade(self, trade):
        position = self.center.get_position(trade.local_symbol)
        self.info(f"trade {trade.offset.name} {trade.volume} long={position.long_volume if position else 0}")
        if trade.offset is Offset.OPEN:
            self.action.buy_close(trade.price - 20, 1, trade)

ext = Trades("买卖", "{symbol}")
"""


def test_it_trades_and_its_orders_carry_its_name(shared: World) -> None:
    _, page = shared.log_in("trades")
    symbol, _ = a_contract(page)
    strategy = Strategy(shared, "trades", "买卖", TRADES.replace("{symbol}", symbol)).runs()
    strategy.says("trade CLOSETODAY 1 long=0")
    assert strategy.says("sent sim.")
    assert "order True ALLTRADED 1 买卖" in strategy.lines()
    assert "trade OPEN 1 long=1" in strategy.lines()
    lists = page.json(ReadLists())
    assert {row["strategy"] for name in ("order_list", "trade_list") for row in lists[name]} == {"买卖"}
    assert any(
        line["owner"] == "买卖" and line["message"].startswith("sent ") for line in lists["log_history"]
    )
    events = page.json(ReadEvents(0))["events"]
    assert {event["data"]["strategy"] for event in events} == {"买卖"}


PAIR = """
import time

class Pair(CtpbeeApi):
    def __init__(self, name, near, far):
        super().__init__(name)
        self.near, self.far = near, far
        self.instrument_set = {near, far}
        self.sent, self.ticks, self.phase = [], 0, "opens"

    def on_tick(self, tick):
        getattr(self, self.phase)(tick)

    def opens(self, tick):
        near, far = self.center.get_tick(self.near), self.center.get_tick(self.far)
        if near and far and not self.center.positions and not self.center.active_orders:
            self.sent += [
                self.action.sell_open(near.limit_up, 1, near),
                self.action.buy_open(far.limit_down, 1, far),
            ]
            self.info(f"active {len(self.center.active_orders)} frozen {self.center.account.frozen > 0}")
            time.sleep(0.7)  # it computes
        self.ticks += bool(self.sent)
        if self.ticks == 8:
            self.info(f"sent {len(self.sent)}")
            self.action.cancel_all()
            self.phase = "cancels"

    def cancels(self, tick):
        if not self.center.active_orders:
            sent = self.action.buy_open(tick.limit_down, 1, tick)
            self.info(f"cancelled at once {self.action.cancel(sent)}")
            self.action.cancel_all()
            self.phase = "rests"

    def rests(self, tick):
        pass

ext = Pair("pair", "{near}", "{far}")
"""


def test_it_knows_its_orders_as_soon_as_they_are_sent(shared: World) -> None:
    """A pair is opened once although both ticks of a moment come together and the callback takes longer than
    the next needs, and an order can be cancelled in the callback that sent it.
    """
    _, page = shared.log_in("pair")
    (near, _), (far, _) = a_contract(page), a_contract(page, "hc")
    strategy = Strategy(shared, "pair", "一对", PAIR.replace("{near}", near).replace("{far}", far)).runs()
    assert strategy.says("active ") == "active 2 frozen True"
    assert strategy.says("sent ", 30.0) == "sent 2"
    assert strategy.says("cancelled at once") == "cancelled at once 0"
    eventually(
        lambda: [row["status"] for row in page.json(ReadLists())["order_list"]] == ["已撤销"] * 3,
        "all three are cancelled",
    )
    assert strategy.child.poll() is None
    assert strategy.error() == {}


STALLS = """
import os, signal

class Stalls(TwoTicks):
    stalled = False

    def on_tick(self, tick):
        sends = not self.stalled and tick.local_symbol == self.symbol
        if sends:
            self.stalled = True
            os.kill({pid}, signal.SIGSTOP)
        super().on_tick(tick)
        if sends:
            os.kill({pid}, signal.SIGCONT)
            active = [order.local_order_id for order in self.center.active_orders]
            self.info(f"waiting {self.waiting} active {active}")

    def on_order(self, order):
        super().on_order(order)
        self.info(f"order {order.local_order_id} {order.status.value}")

ext = Stalls("两跳", "{symbol}")
"""


@pytest.mark.full
def test_readmes_example_buys_one_lot_although_its_gateway_stalls_over_the_order(shared: World) -> None:
    """Longer than a call may take: the gateway does not send what it gets to so late, the strategy hears
    that, and buys then.
    """
    gateway, page = shared.log_in("stalls")
    symbol, _ = a_contract(page)
    (text,) = re.findall(
        r"```python\n(.*?class TwoTicks.*?)ext = ", (ROOT / "README.md").read_text("utf-8"), re.S
    )
    text = text.replace("tick.ask_price_1", "tick.limit_up").replace(
        "cost + 2", "cost + 2000"
    )  # it fills, and is kept
    strategy = Strategy(
        shared, "stalls", "两跳", text + STALLS.replace("{pid}", str(gateway.pid)).replace("{symbol}", symbol)
    ).runs()
    waiting = strategy.says("waiting ", 30.0)
    provisional = waiting.partition("['")[2].removesuffix("']")
    assert waiting.startswith("waiting True active"), "it is under way"
    assert provisional.startswith("sim.s"), "under the id it was given"
    strategy.says(f"order {provisional} 拒单", 30.0)
    strategy.says("多开 1 手")
    said = len(strategy.lines())
    eventually(
        lambda: len([row for row in page.events("tick") if row["data"]["local_symbol"] == symbol]) > 6,
        "the market goes on",
    )
    filled = [row for row in page.json(ReadLists())["order_list"] if row["status"] != "拒单"]
    assert [(row["offset"], row["volume"]) for row in filled] == [("开", 1)], strategy.lines()[:said]
    assert held(page)[0]["volume"] == 1, strategy.lines()[:said]
    assert strategy.child.poll() is None
    assert strategy.error() == {}


# ── what goes wrong in it ──

CALLBACK = "class Fails(CtpbeeApi):\n    def on_init(self, init):\n        {what}\n\next = Fails('fails')\n"


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        pytest.param(
            CALLBACK.format(what="raise ValueError('坏了')"),
            "ValueError: 坏了",
            5,
            id="an exception in a callback",
        ),
        pytest.param(
            CALLBACK.format(what="import sys; sys.exit(3)"), "策略调用了 sys.exit(3)", 5, id="sys.exit"
        ),
        pytest.param(
            CALLBACK.format(what="bytearray(5_000_000_000)"),
            "MemoryError",
            5,
            id="more address space than it may have",
        ),
        pytest.param("def broken(:\n    pass\n", "SyntaxError: ", 3, id="a syntax error"),
    ],
)
def test_what_it_fails_with_is_left_in_writing(
    shared: World, market: Market, text: str, message: str, line: int
) -> None:
    strategy = Strategy(shared, "many", "失败", text, address_space=4096)
    assert strategy.ends() == 5
    error = strategy.error()
    assert error["message"].startswith(message)
    assert error["line"] == line
    assert error["time"]
    assert not (strategy.folder / "ready").exists()
    page = market.page
    page.waits_for("log", lambda event: event["owner"] == "失败" and message in event["message"])


def test_one_that_cannot_be_started_says_so_by_its_exit_code(shared: World, market: Market) -> None:
    strategy = Strategy(shared, "many", "无文件", "", path="/nowhere/at/all.py")
    assert strategy.ends() == 2


LOOPS = """
class Loops(CtpbeeApi):
    def on_tick(self, tick):
        self.info("looping")
        while True:
            pass

ext = Loops("loops")
"""

COUNTS = """
import time

class Counts(CtpbeeApi):
    def __init__(self, name, code):
        super().__init__(name)
        self.instrument_set = {code}

    def on_tick(self, tick):
        if tick.local_symbol in self.instrument_set:
            self.info(f"tick {tick.datetime:%H:%M:%S.%f} {time.monotonic()}")

ext = Counts("counts", "{symbol}")
"""


def test_an_endless_loop_in_one_stalls_no_other_and_ends_when_asked(shared: World, market: Market) -> None:
    page, symbol = market.page, market.symbol
    loops = Strategy(shared, "many", "死循环", LOOPS).runs()
    counts = Strategy(shared, "many", "计数", COUNTS.replace("{symbol}", symbol)).runs()
    loops.says("looping")
    seen: dict[str, float] = {}  # by the tick's time, when this process heard it

    def hear(push: Push) -> None:
        if push.name == "tick" and push.symbol == symbol:
            moment = json.loads(push.payload)["data"]["datetime"].partition(" ")[2]
            seen.setdefault(f"{moment}000", time.monotonic())

    entry = shared.registry.find("gateway-sim-9999-many")
    assert entry is not None
    watcher = RpcClient(entry.address, hear)
    watcher.call(Watch())

    def lags() -> list[float]:
        heard = [line.split(" ")[1:] for line in counts.lines() if line.startswith("tick ")]
        return [float(when) - seen[moment] for moment, when in heard if moment in seen]

    eventually(lambda: sum(lag < 0.2 for lag in lags()) >= 8, "it goes on hearing ticks within 200 ms", 60.0)
    watcher.close()
    assert page.json(ReadStatus())["td"]["state"] == "ready"
    loops.child.terminate()
    assert loops.ends() == 0
    counts.child.terminate()
    assert counts.ends() == 0


FLOODS = """
import os, sys, warnings

class Floods(CtpbeeApi):
    def on_init(self, init):
        print("先说一句")
        sys.stderr.write("到标准错误\\n")
        os.write(1, "绕过 print\\n".encode())
        warnings.warn("小心")
        print("长" * 10_000)
        for number in range(30_000):
            print("行", number)

ext = Floods("floods")
"""


def test_what_it_prints_is_kept_and_shown_within_bounds(shared: World, market: Market) -> None:
    page = market.page
    strategy = Strategy(shared, "many", "话多", FLOODS).runs()
    for part in ("先说一句", "到标准错误", "绕过 print", "小心", "（截断，共 10000 字符）", "行未写入日志"):
        strategy.says(part)
    shown = page.waits_for(
        "strategy_log", lambda line: line["name"] == "话多" and "行未显示" in line["message"]
    )
    assert shown["levelname"] == "WARNING"
    assert sum(file.stat().st_size for file in strategy.folder.glob("strategy.log*")) < 30_000_000
    strategy.child.terminate()
    assert strategy.ends() == 0


def test_it_hears_the_bars_that_have_closed(market: Market) -> None:
    said = market.bars.says("bar ", 75.0)
    assert said.startswith(f"bar {market.symbol} 10:0")
    assert said.endswith(":00 1m True")


# ── what happens around it ──

WAITS = """
class Waits(CtpbeeApi):
    def __init__(self, name, code):
        super().__init__(name)
        self.instrument_set = {code}
        self.ticks = 0

    def on_tick(self, tick):
        self.ticks += 1
        if self.ticks == 1:
            self.info("sent " + self.action.buy_open(tick.limit_down, 1, tick))

    def on_order(self, order):
        self.info(f"order {order.status.name}")

    def on_realtime(self):
        if not self.app.td_login_status:
            return
        self.info(f"slippage {self.app.config['SLIPPAGE_BUY']}")

ext = Waits("waits", "{symbol}")
"""


def test_it_survives_its_gateway_and_hears_what_came_meanwhile_once(shared: World) -> None:
    gateway, page = shared.log_in("survives")
    symbol, _ = a_contract(page)
    strategy = Strategy(shared, "survives", "等", WAITS.replace("{symbol}", symbol)).runs()
    strategy.says("order NOTTRADED")
    page.ask(WriteConfig({"SLIPPAGE_BUY": 1}))
    strategy.says("slippage 1")
    gateway.kill()
    gateway.wait(30)
    strategy.says("连接已断开")
    shared.start_gateway("survives")
    strategy.says("已重新连接账户网关")
    after = shared.open_page("survives")
    row = eventually(
        lambda: next(iter(after.json(ReadLists())["active_order_list"]), None), "the order is still there"
    )
    assert row["strategy"] == "等"
    assert [line for line in strategy.lines() if line.startswith("order ")] == [
        "order SUBMITTING",
        "order NOTTRADED",
    ]
    after.ask(CancelOrder(row["order_id"]))
    strategy.says("order CANCELLED")
    assert strategy.child.poll() is None


def test_an_order_outlives_the_kill_of_its_strategy_and_stays_its_own(shared: World) -> None:
    gateway, page = shared.log_in("outlives")
    symbol, _ = a_contract(page)
    strategy = Strategy(shared, "outlives", "等", WAITS.replace("{symbol}", symbol)).runs()
    strategy.says("order NOTTRADED")
    strategy.child.send_signal(signal.SIGKILL)
    strategy.ends()
    assert [row["strategy"] for row in page.json(ReadLists())["active_order_list"]] == ["等"]
    gateway.kill()
    gateway.wait(30)
    _, again = shared.log_in("outlives")
    assert [row["strategy"] for row in again.json(ReadLists())["active_order_list"]] == ["等"]


# ── what it has and may do ──

LIMITED = """
class Limited(CtpbeeApi):
    def __init__(self, name, code):
        super().__init__(name)
        self.instrument_set = {code}
        self.done = False

    def on_tick(self, tick):
        if not self.done:
            self.done = True
            sent = [self.action.buy_open(tick.limit_up, volume, tick) for volume in (5, 1, 1)]
            self.info(f"sent {[bool(order_id) for order_id in sent]}")

    def on_trade(self, trade):
        self.info("trade")

ext = Limited("limited", "{symbol}")
"""


def test_its_limits_hold_and_what_it_has_outlives_gateway_and_day(world: World) -> None:
    gateway, page = world.log_in()
    symbol, tick = a_contract(page)
    manual = buy(symbol, tick["limit_up"], 1, client_order_id="morning-entry")
    bought = page.ask(manual)
    assert (
        page.ask(SetStrategyLimits("限", {"max_order_volume": 4, "max_position": 1, "contracts": [symbol]}))
        == Done()
    )
    strategy = Strategy(world, "demo", "限", LIMITED.replace("{symbol}", symbol)).runs()
    strategy.says("sent [False, True, False]")
    assert strategy.says("每笔至多 4 手")
    assert strategy.says("至多持有 1 手")
    strategy.says("trade")

    def mine(page: Page) -> dict[str, Any]:
        row: dict[str, Any] = page.json(ReadStrategy("限"))
        return row

    eventually(lambda: [order["status"] for order in mine(page)["orders"]] == ["全部成交"], "it has bought")
    row = mine(page)
    assert [(lot["local_symbol"], lot["direction"], lot["volume"]) for lot in row["positions"]] == [
        (symbol, "long", 1)
    ]
    assert len(row["trades"]) == 1
    assert row["limits"] == {
        "contracts": [symbol],
        "max_order_volume": 4,
        "max_position": 1,
        "max_orders_per_minute": 0,
    }
    assert held(page)[0]["volume"] == 2
    gateway.kill()
    gateway.wait(30)
    _, page = world.log_in()
    again = mine(page)
    assert again["trades"] == row["trades"]
    assert again["limits"] == row["limits"]
    assert [(order["order_id"], order["status"]) for order in again["orders"]] == [
        (row["orders"][0]["order_id"], "全部成交")
    ]
    assert [lot["volume"] for lot in again["positions"]] == [1]
    assert again["profit"]["commission"] == row["profit"]["commission"]
    world.fault("turn_day", prices={}, new_day="20250609")
    eventually(lambda: mine(page)["orders"] == [] and held(page)[0]["yd_volume"] == 2, "the next day")
    assert [(lot["volume"], lot["open_date"]) for lot in mine(page)["positions"]] == [(1, "20250606")]
    with pytest.raises(BadInput) as reused:
        page.ask(manual)
    assert reused.value.code == "CLIENT_ORDER_ID_REUSED"
    assert page.json(ReadLists())["order_list"] == []
    told = {name: reused.value.extra[name] for name in ("order_id", "trading_day", "end")}
    assert told == {"order_id": bought.order_id, "trading_day": "20250606", "end": "全部成交，成交 1/1 手"}
    assert mine(page)["profit"]["commission"] == row["profit"]["commission"]
    assert strategy.child.poll() is None
    assert strategy.error() == {}
