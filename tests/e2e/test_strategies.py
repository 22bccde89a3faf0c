"""Strategies on the whole server: what a trader does with them, and what becomes of them when processes
die.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from app.wire.registry import Entry, strategy_name
from tests.e2e.server import BackendServer, Page, Trader
from tests.support.confinement import confined
from tests.support.waiting import eventually

RB = "rb2510.SHFE"
BUYER = """\
from ctpbee import CtpbeeApi


class Buyer(CtpbeeApi):
    def __init__(self, name):
        super().__init__(name)
        self.instrument_set = {"rb2510.SHFE"}
        self.sent = False

    def on_init(self, init):
        self.info("准备好了")

    def on_tick(self, tick):
        if not self.sent:
            self.sent = True
            print("买入", self.action.buy_open(tick.last_price - 20, 1, tick))


ext = Buyer("买入")
"""
LOOPER = (
    BUYER.replace("买入", "死循环")
    .replace("if not self.sent:", "while True:")
    .replace("self.sent = True", "continue")
)
BROKEN = BUYER.replace("买入", "坏的").replace("if not self.sent:", "if 1 / 0:")

HOG = (
    BUYER.replace("买入", "吃内存")
    .replace("if not self.sent:", "while True:")
    .replace("self.sent = True", "self.sent = self.sent or bytearray(600 * 2**20)")
)
BOMB = BUYER.replace("买入", "炸弹").replace(
    "self.sent = True", "import os, time; [os.fork() for _ in range(6)]; time.sleep(60)"
)
HIDER = BUYER.replace("买入", "躲藏").replace(
    "self.sent = True", "import os; os.system('setsid sleep 4711 & setsid setsid sleep 4711 &')"
)


def keep(server: BackendServer, trader: Trader, name: str, text: str) -> None:
    """The trader puts a file into his folder."""
    folder = Path(str(server.settings["strategies_dir"])) / trader.key
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(text, "utf-8")


def entry(server: BackendServer, trader: Trader, name: str) -> Entry:
    return eventually(lambda: server.entry(strategy_name(trader.key, name)), f"{name} runs")


def state(trader: Trader, name: str) -> str:
    return trader.do("GET", "/strategy", name=name)["state"]


def wait_for(trader: Trader, name: str, wanted: str, seconds: float = 30) -> dict[str, Any]:
    row: dict[str, Any] = eventually(
        lambda: (row := trader.do("GET", "/strategy", name=name))["state"] == wanted and row or None,
        f"{name} is {wanted}",
        seconds,
    )
    return row


def start(trader: Trader, name: str) -> None:
    trader.do("PUT", "/strategy", name=name, operation="开启")
    wait_for(trader, name, "运行中")


def states(page: Page, name: str) -> list[str]:
    return [event["data"]["state"] for event in page.all("strategy") if event["data"]["name"] == name]


PROBE = """\
import glob, json, os
from pathlib import Path
from ctpbee import CtpbeeApi
from app.wire import door
from app.wire.messages import CancelAll, JoinStrategy, PlaceOrder, ReadLists, StrategySaid
from app.wire.registry import PROTOCOL
from app.wire.rpc import RpcClient

RUN = DATA / "run"


def asked(client, request):
    try:
        return type(client.call(request, 5)).__name__
    except Exception as error:
        return getattr(error, "code", type(error).__name__)


class Probe(CtpbeeApi):
    def on_init(self, init):
        secret = [DATA / name for name in ("secret.key", "server.db", "host.db")]
        secret += [RUN / name for name in ("strategies.key", "host.json")]
        seen = {str(path): path.exists() for path in secret}
        others = [path for path in glob.glob(str(RUN / "*")) if not path.startswith(str(RUN / "strategies-"))]
        ours = glob.glob(str(RUN / "strategies-*" / "*"))
        client = RpcClient("unix:" + ours[0])
        facts = {
            "files": sorted(path for path, there in seen.items() if there),
            "others": others,
            "doors": len(ours),
            "accounts": os.listdir(DATA / "accounts"),
            "strategies": Path(STRATEGIES).exists(),
            "environment": sorted(
                name for name in os.environ if name.startswith(("CTPBEE_BACKEND", "MONGO", "SECRET"))
            ),
            "processes": [
                name for name in os.listdir("/proc") if name.isdigit() and name != str(os.getpid())
            ],
            "before joining": asked(client, ReadLists()),
            "as another": asked(client, JoinStrategy("another", 1, "0" * 64, PROTOCOL)),
            "without": asked(client, JoinStrategy("probe", protocol=PROTOCOL)),
            "as a page": asked(client, PlaceOrder("rb2510.SHFE", "long", "open", "limit", 3000.0, 1)),
            "cancel all": asked(client, CancelAll()),
            "said": asked(client, StrategySaid("another", "INFO", "2026-01-01 00:00:00", "not mine")),
        }
        (DATA / "accounts" / "x").write_text("in its own /tmp") if str(DATA).startswith("/tmp/") else None
        for path in ("/x", "/usr/x", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger"):
            try:
                open(path, "w")
                facts["wrote"] = path
            except OSError:
                pass
        (Path(os.environ["HOME"]) / "mine").write_text("x")
        self.info("FACTS " + json.dumps(facts))


ext = Probe("probe")
"""


@pytest.fixture
def own(shared_server: BackendServer, request: pytest.FixtureRequest) -> Iterator[Trader]:
    """An account for this test alone."""
    made = Trader(shared_server, hashlib.sha256(request.node.name.encode()).hexdigest()[:8]).log_in()
    made.do("POST", "/market", symbol=RB)
    yield made
    made.close_page()


def test_a_strategy_is_started_watched_stopped_and_deleted_and_its_order_is_its_own(
    shared_server: BackendServer, own: Trader
) -> None:
    server, trader = shared_server, own
    page = trader.open_page()
    page.wait("snapshot")
    assert trader.ask("POST", "/code", text=BUYER)["msg"] == "添加成功"
    assert ("买入", "停止") in [(row["name"], row["status"]) for row in trader.do("GET", "/strategy")]
    start(trader, "买入")
    order = page.wait("order_update", lambda event: event["data"]["status"] == "未成交")["data"]
    assert order["strategy"] == "买入"
    page.wait("strategy_log", lambda line: line["name"] == "买入" and line["message"].startswith("买入"))
    page.wait("log", lambda line: line["owner"] == "买入" and line["message"] == "准备好了")
    assert [row["order_id"] for row in trader.do("GET", "/strategy", name="买入")["orders"]] == [
        order["order_id"]
    ]
    lines = eventually(lambda: trader.do("GET", "/strategy/log", name="买入")["lines"], "the log can be read")
    assert any(line["message"] == "准备好了" for line in lines)
    old = entry(server, trader, "买入")
    os.kill(old.pid, signal.SIGKILL)  # while its order is open
    eventually(lambda: (new := server.entry(old.name)) and new.pid != old.pid, "it runs again")
    assert trader.order_row(order["order_id"])["strategy"] == "买入"
    assert order["order_id"] in [
        row["order_id"] for row in trader.do("GET", "/strategy", name="买入")["orders"]
    ]
    refused = trader.ask("DELETE", "/strategy", name="买入")
    assert (refused["success"], refused["msg"]) == (False, "删除买入失败：运行中的策略请先停止")
    late = Page(server.url, trader.token)
    late.wait("snapshot")
    assert states(late, "买入")  # a page that comes later knows how things stand
    late.close()
    trader.do("PUT", "/strategy", name="买入", operation="关闭")
    page.wait("strategy", lambda event: event["data"]["state"] == "停止" and event["data"]["restarts"])
    trader.do("DELETE", "/strategy", name="买入")
    assert "买入" not in [row["name"] for row in trader.do("GET", "/strategy")]
    assert trader.order_row(order["order_id"])["status"] == "未成交"


@pytest.mark.parametrize("leaving", [1, 5, 9])
def test_code_is_checked_although_connections_have_just_gone(
    shared_server: BackendServer, own: Trader, leaving: int
) -> None:
    """The web's connection to its host was closed while its reader waited on it: a child's pipe with that
    number was never readable.
    """
    headers = {"Authorization": f"Bearer {own.token}"}
    pages = [requests.Session() for _ in range(leaving)]
    for page in pages:
        page.get(f"{shared_server.url}/healthz", timeout=10)
    assert pages[-1].get(f"{shared_server.url}/strategy", headers=headers, timeout=10).status_code == 200
    for page in pages:
        page.close()
    answers = [own.ask("POST", "/check_code", text='print("hello")') for _ in range(2)]
    assert [answer["status"] for answer in answers] == [200, 200]


def test_an_endless_loop_is_stopped_within_two_seconds_and_hurts_nobody(
    shared_server: BackendServer, own: Trader
) -> None:
    server, trader = shared_server, own
    keep(server, trader, "死循环", LOOPER)
    start(trader, "死循环")
    looping = psutil.Process(entry(server, trader, "死循环").pid)
    used = looping.cpu_times().user
    eventually(lambda: looping.cpu_times().user > used + 0.5, "it loops", 60)
    assert trader.lists()["position_list"] == []
    began = time.monotonic()
    assert trader.ask("PUT", "/strategy", name="死循环", operation="关闭")["msg"] == "关闭死循环成功"
    assert time.monotonic() - began < 2.0
    assert state(trader, "死循环") == "停止"
    assert not looping.is_running()


def test_one_that_fails_as_it_starts_is_said_at_once_with_its_line(
    shared_server: BackendServer, own: Trader
) -> None:
    text = BUYER.replace("买入", "导入错").replace("class Buyer", "import no_such_module\n\n\nclass Buyer", 1)
    assert own.do("POST", "/code", text=text) == ""
    answer = own.ask("PUT", "/strategy", name="导入错", operation="开启")
    if answer["success"]:  # on a busy machine it is still starting when the answer is due
        assert answer["msg"] == "策略正在启动"
    else:
        assert (answer["error"], answer["line"]) == ("STRATEGY_FAILED", 4)
    row = wait_for(own, "导入错", "异常")
    assert row["error"]["message"] == "ModuleNotFoundError: No module named 'no_such_module'"
    assert own.ask("DELETE", "/strategy", name="导入错")["msg"] == "删除导入错成功"


def test_an_exception_in_a_callback_is_shown_with_its_line(shared_server: BackendServer, own: Trader) -> None:
    server, trader = shared_server, own
    page = trader.open_page()
    keep(server, trader, "坏的", BROKEN)
    trader.do("PUT", "/strategy", name="坏的", operation="开启")
    row = wait_for(trader, "坏的", "异常")
    assert (row["error"]["message"], row["error"]["line"]) == ("ZeroDivisionError: division by zero", 14)
    assert "if 1 / 0:" in row["error"]["traceback"]
    eventually(lambda: states(page, "坏的")[-1:] == ["异常"], "the page hears of it")


@confined
def test_a_strategy_reads_nothing_of_the_server_and_speaks_for_nobody_but_itself(
    shared_server: BackendServer, own: Trader
) -> None:
    """It read the keys, forged tokens, and placed an order through another account's gateway."""
    data_dir = shared_server.data_dir
    places = f"DATA, STRATEGIES = Path({str(data_dir)!r}), {str(shared_server.settings['strategies_dir'])!r}"
    assert own.do("POST", "/code", text=PROBE.replace("RUN = DATA", f"{places}\nRUN = DATA")) == ""
    own.do("PUT", "/strategy", name="probe", operation="开启")
    line = eventually(
        lambda: next(
            (
                line
                for line in own.do("GET", "/strategy/log", name="probe")["lines"]
                if "FACTS" in line["message"]
            ),
            None,
        ),
        "it has looked around",
        30,
    )
    facts = json.loads(line["message"].removeprefix("FACTS "))
    assert facts == {
        "files": [],
        "others": [],
        "doors": 1,
        "accounts": [own.key],
        "strategies": False,
        "environment": ["CTPBEE_BACKEND_DATA_DIR", "CTPBEE_BACKEND_LOG_LEVEL"],
        "processes": [],
        "before joining": "NOT_FOR_STRATEGIES",
        "as another": "NOT_THIS_STRATEGY",
        "without": "NOT_THIS_STRATEGY",
        "as a page": "NOT_FOR_STRATEGIES",
        "cancel all": "NOT_FOR_STRATEGIES",
        "said": "NOT_FOR_STRATEGIES",
    }
    assert not (data_dir / "accounts" / "x").exists()
    row = own.do("GET", "/strategy", name="probe")
    assert row["contained"]
    assert psutil.Process(row["pid"]).name().startswith("python")
    assert (data_dir / "accounts" / own.key / "strategies" / "probe" / "mine").read_text() == "x"
    began = time.monotonic()
    own.do("PUT", "/strategy", name="probe", operation="关闭")
    assert time.monotonic() - began < 2.0
    assert not psutil.pid_exists(row["pid"])
    lines = own.do("GET", "/strategy/log", name="probe")["lines"]
    assert "停止" in lines[0]["message"]  # it was asked to end, and had the time to say so


@pytest.mark.full
def test_strategies_live_through_the_deaths_of_host_gateway_and_web_and_come_back_with_their_account(
    server: BackendServer, trader: Trader
) -> None:
    trader.do("POST", "/market", symbol=RB)
    keep(server, trader, "买入", BUYER)
    start(trader, "买入")
    running = entry(server, trader, "买入")
    server.wait_replaced(server.kill("host"))
    server.wait_replaced(server.kill("web"))
    server.wait_ready()
    trader.log_in()  # the new host learns the password
    server.wait_replaced(server.kill(f"gateway-{trader.key}"))
    eventually(lambda: trader.ask("GET", "/order_solve")["success"], "the account is back")
    assert running.alive
    assert state(trader, "买入") == "运行中"
    trader.do("POST", "/logout", authorization="000000")
    assert not running.alive
    trader.log_in()
    assert wait_for(trader, "买入", "运行中")["pid"] != running.pid
    server.stop()
    assert server.leftovers() == []
    server.start()
    trader.log_in()
    wait_for(trader, "买入", "运行中")


@pytest.mark.full
def test_what_takes_too_much_or_hides_is_ended_with_all_that_it_started(
    make_server: Callable[..., BackendServer],
) -> None:
    server = make_server(strategy_memory=512).start()
    trader = Trader(server).log_in()
    trader.do("POST", "/market", symbol=RB)
    for name, text, why in (("吃内存", HOG, "超过上限 512 MB"), ("炸弹", BOMB, "超过上限")):
        keep(server, trader, name, text)
        trader.do("PUT", "/strategy", name=name, operation="开启")
        assert why in wait_for(trader, name, "异常")["error"]["message"]
    keep(server, trader, "躲藏", HIDER)
    start(trader, "躲藏")
    eventually(lambda: len(sleepers()) == 2, "its children hide")
    trader.do("PUT", "/strategy", name="躲藏", operation="关闭")
    assert sleepers() == []
    server.stop()
    assert server.leftovers() == []


def sleepers() -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] == ["sleep", "4711"]
    ]
