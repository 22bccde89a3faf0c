"""The gate in a real gateway on the counter's process: stopped by `run.py halt` without any web, over a kill
too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from app.commands.audit import audit_command
from app.commands.halt import halt_command
from app.lib.errors import BadInput, OrderRefused
from app.wire.messages import (
    AwaitLogin,
    CancelSelected,
    Done,
    PlaceOrder,
    ReadAudit,
    ReadConnections,
    ReadLists,
    ReadRisk,
    Watch,
    WatchResting,
    WriteRisk,
)
from app.wire.registry import gateway_of
from tests.integration.test_gateway_service import Page, World, a_contract, buy
from tests.integration.test_strategy_process import LOOPS
from tests.support.strategy_world import Strategy
from tests.support.waiting import eventually

ACCOUNT = "sim-9999-demo"
QUIET = """
class Quiet(CtpbeeApi):
    pass

ext = Quiet("quiet")
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "data")
    yield world
    world.close()


def run(world: World, command: Any, *args: str) -> str:
    answer = CliRunner().invoke(command, [*args, "--data-dir", str(world.settings.data_dir)])
    assert answer.exit_code == 0, answer.output
    return answer.output


def refused(page: Page, order: Any) -> str:
    with pytest.raises(OrderRefused) as refusal:
        page.ask(order)
    return refusal.value.code


@pytest.mark.full
def test_accounts_of_one_group_do_not_trade_with_each_other(tmp_path: Path) -> None:
    world = World(tmp_path / "data", account_groups=["sim-9999-one+sim-9999-two"])
    try:
        first, one = world.log_in("one")
        _, two = world.log_in("two")
        symbol, tick = a_contract(one)
        a_contract(two)
        low = tick["limit_down"]

        def knows(state: str, orders: int) -> bool:
            member = {"account": "sim-9999-one", "state": state, "orders": orders}
            return bool(two.json(ReadRisk())["group"] == [member])

        def meets() -> PlaceOrder:
            return buy(symbol, low, 1, direction="short")

        eventually(lambda: knows("connected", 0), "they know each other")
        one.ask(buy(symbol, low, 1))
        eventually(lambda: knows("connected", 1), "it is told")
        assert refused(two, meets()) == "RISK_SELF_TRADE"
        first.kill()
        first.wait()
        eventually(lambda: knows("away", 1), "the kill is seen")
        assert refused(two, meets()) == "RISK_SELF_TRADE"  # it rests at the counter still
        one = loads_late(world, lambda: refused(two, meets()))
        eventually(lambda: knows("connected", 1), "they know each other again")
        cut = one.json(ReadConnections())["connections"][0]
        assert (cut["what"], cut["end"] is None) == ("gateway", False)
        one.json(CancelSelected(local_symbol=symbol))
        eventually(lambda: knows("connected", 0), "the cancel is told")
        two.ask(buy(symbol, tick["limit_up"], 1, direction="short"))
        assert two.json(ReadRisk())["account"]["orders"] == 1
    finally:
        world.close()


def loads_late(world: World, refusal: Callable[[], str]) -> Page:
    """The page of a gateway of "one" that is started again at a silent counter: until it knows its own orders
    it tells the others of none, and what it told before its end counts.
    """
    world.fault("mute", user="one")
    world.start_gateway("one")
    page = world.open_page("one")
    told: list[dict[str, Any]] = []
    asking = WatchResting("sim-9999-two")
    page.client.ask(asking, lambda answer: told.append(orjson.loads(answer.result().payload)))
    assert page.json(Watch())["seq"]  # asked later and answered, as all that waits for nothing
    assert told == []
    assert refusal() == "RISK_SELF_TRADE"
    world.fault("unmute", user="one")
    assert page.ask(AwaitLogin(15.0), 20.0) == Done()
    eventually(lambda: told, "it tells once it has loaded")
    assert len(told[0]["orders"]) == 1
    return page


def counts(page: Page) -> dict[str, Any]:
    account: dict[str, Any] = page.json(ReadRisk())["account"]
    return account


@pytest.mark.full
def test_a_strategy_in_an_endless_loop_is_silent_and_its_orders_are_cancelled(world: World) -> None:
    _, page = world.log_in()
    symbol, tick = a_contract(page)
    low = tick["limit_down"]
    Strategy(world, "demo", "活着", QUIET).runs()
    Strategy(world, "demo", "死循环", LOOPS).runs().says("looping")
    for strategy in ("活着", "死循环"):
        page.ask(buy(symbol, low, 1, strategy=strategy))
    watched = {"watch": "strategy", "seconds": 5, "action": "cancel"}
    page.ask(WriteRisk(switches=[watched | {"name": name} for name in ("活着", "死循环")]))
    page.waits_for("risk", lambda event: event["data"]["what"] == "switch")

    def working() -> list[str]:
        return [row["strategy"] for row in page.json(ReadLists())["active_order_list"]]

    eventually(lambda: working() == ["活着"], "its order is cancelled, and the other's is not")
    shown = page.json(ReadRisk())
    assert list(shown["states"]["strategies"]) == ["死循环"]
    assert {row["name"]: row["state"] for row in shown["switches"]} == {
        "活着": "watching",
        "死循环": "silent",
    }


def changed_at_once(page: Page) -> list[dict[str, Any]]:
    """The rules in force after many have set theirs at the same time, some of them bad ones: those of one."""

    def rules_of(number: int) -> list[dict[str, Any]]:
        return [
            {"measure": "order_lots", "limit": 100 + number},
            {"measure": "order_value", "limit": 1e9 + number if number % 4 else -1},
        ]

    def write(number: int) -> bool:
        try:
            return bool(page.ask(WriteRisk(rules_of(number))) == Done())
        except BadInput:
            return False

    with ThreadPoolExecutor(8) as several:
        taken = list(several.map(write, range(24)))
    assert taken == [bool(number % 4) for number in range(24)]
    own: list[dict[str, Any]] = page.json(ReadRisk())["own"]
    assert own in [rules_of(number) for number in range(24) if number % 4]
    return own


def test_an_account_is_stopped_by_command_and_its_counts_outlive_its_process(world: World) -> None:
    child, page = world.log_in()
    page.json(ReadRisk())
    symbol, tick = a_contract(page)
    low = tick["limit_down"]
    for lots in (1, 2, 3):
        page.ask(buy(symbol, low, lots))
    assert "撤单" in run(world, halt_command, "all", ACCOUNT, "--why", "试")
    assert {row["status"] for row in page.json(ReadLists())["order_list"]} == {"已撤销"}
    assert refused(page, buy(symbol, low)) == "RISK_HALTED"
    assert "试" in run(world, halt_command, "status", ACCOUNT)
    rules = changed_at_once(page)
    before = counts(page)
    assert (before["orders"], before["cancels"]) == (3, 3)
    child.kill()
    child.wait()
    run(world, halt_command, "opens", ACCOUNT)  # nobody there: in force at the next login
    _, page = world.log_in()
    assert counts(page) == before
    assert page.json(ReadRisk())["own"] == rules
    assert refused(page, buy(symbol, low)) == "RISK_REDUCE_ONLY"
    run(world, halt_command, "resume", ACCOUNT)
    page.ask(buy(symbol, low))
    assert page.json(CancelSelected(local_symbol=symbol))["orders"][0]["state"] == "cancelled"
    eventually(lambda: counts(page)["cancels"] == 4, "the cancel is counted")

    def written() -> bool:
        newest = page.json(ReadAudit(of_kind="trade", limit=2))["entries"]  # with the log
        return any(entry["data"].get("status") == "已撤销" for entry in newest)

    eventually(written, "it is written down")
    run(world, halt_command, "logout", ACCOUNT, "--why", "收工")
    assert world.registry.find(gateway_of(ACCOUNT)) is None
    assert "完整" in run(world, audit_command, "verify", ACCOUNT)
    watched = run(world, audit_command, "export", ACCOUNT, "--kind", "watch", "--format", "jsonl")
    assert "强制退出：命令行" in watched.splitlines()[-1]
    assert "收工" in watched.splitlines()[-1]
