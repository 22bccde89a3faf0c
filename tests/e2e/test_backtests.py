"""Backtests on the whole server: what a trader does with them, what becomes of them when processes die, and
that a disk that is full fails none for ever.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from app.process import family
from tests.e2e.server import BackendServer, Trader
from tests.support.waiting import eventually

pytestmark = pytest.mark.full

BARS = Path(__file__).parents[1] / "recordings" / "SHFE.rb2401.1m.csv.gz"
STRATEGY = """\
from ctpbee import CtpbeeApi


class Mine(CtpbeeApi):
    every = 60

    def __init__(self, name):
        super().__init__(name)
        self.count = 0

    def on_tick(self, tick): pass

    def on_bar(self, bar):
        self.count += 1
        position = self.center.get_position(bar.local_symbol)
        if self.count % self.every == 30:
            self.action.buy_open(bar.close_price + 2, 1, bar)
        elif self.count % self.every == 0 and position is not None and position.long_volume:
            self.action.buy_close(bar.close_price - 2, position.long_volume, bar)
        pass


ext = Mine("mine")
"""
ENDLESS = STRATEGY.replace("        pass\n", "        while True: pass\n")
LINE = STRATEGY[: STRATEGY.index("        pass\n")].count("\n") + 1


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendServer]:
    data = tmp_path_factory.mktemp("backtests") / "data"
    (data / "backtest" / "files").mkdir(parents=True)
    shutil.copy(BARS, data / "backtest" / "files")
    made = BackendServer(data).start()
    yield made
    made.clean()


@pytest.fixture(scope="module")
def trader(server: BackendServer) -> Trader:
    return Trader(server).log_in()


def begin(trader: Trader, text: str = STRATEGY, **more: Any) -> str:
    return str(trader.ask("POST", "/backtest", text=text, files=BARS.name, **more)["id"])


def row(trader: Trader, job: str) -> dict[str, Any]:
    return dict(trader.do("GET", "/backtest", id=job))


def ended(trader: Trader, job: str, seconds: float = 60.0) -> dict[str, Any]:
    return eventually(
        lambda: (found := row(trader, job))["state"] not in ("排队", "运行") and found, "it ends", seconds
    )


def child(server: BackendServer, module: str = "app.backtest") -> psutil.Process:
    """The one that runs a strategy, or what the module says, below the process of backtests."""

    def found() -> psutil.Process | None:
        keeper = server.entry("backtest")
        if keeper is None:
            return None
        with suppress(psutil.Error):
            for one in psutil.Process(keeper.pid).children(recursive=True):
                command = one.cmdline()
                if module in command and "bwrap" not in command[0]:
                    return one
        return None

    return eventually(found, "a child runs", 30.0)


def test_a_saved_strategy_runs_its_progress_and_result_are_there_and_nobody_elses(
    server: BackendServer, trader: Trader
) -> None:
    other = Trader(server, userid="other").log_in()
    page, foreign = trader.open_page(), other.open_page()
    trader.do("POST", "/code", text=STRATEGY)
    assert trader.do("POST", "/backtest/parameters", name="mine")["parameters"] == [
        {"name": "every", "default": 60, "kind": "int"}
    ]
    job = trader.ask("POST", "/backtest", name="mine", files=BARS.name, parameters='{"every": 40}')["id"]
    found = ended(trader, job)
    assert (found["state"], found["error"], found["version"]) == ("完成", None, 1)
    assert found["parameters"] == {"every": 40}
    states = page.wait("backtest", lambda event: event["data"]["state"] == "完成")
    assert states["data"]["id"] == job
    assert any(event["data"]["progress"] for event in page.all("backtest"))
    assert foreign.all("backtest") == []
    assert other.ask("GET", "/backtest", id=job)["error"] == "UNKNOWN_BACKTEST"
    result = trader.do("GET", "/backtest/result", id=job)
    assert result["settings"]["parameters"] == {"mine": {"every": 40}}
    assert result["figures"]["net_profit"] == found["figures"]["net_profit"]
    report = requests.get(
        f"{server.url}/backtest/report",
        params={"id": job},
        headers={"Authorization": f"Bearer {trader.token}"},
        timeout=10,
    )
    assert report.text.startswith("<!doctype html>")
    again = begin(trader, parameters='{"every": 40}')
    assert ended(trader, again)["figures"] == found["figures"]
    compared = trader.do("GET", "/backtest/compare", ids=f"{again},{job}")
    assert [one["row"]["id"] for one in compared] == [again, job]
    assert trader.ask("DELETE", "/backtest", id=job)["success"]
    page.wait("backtest", lambda event: event["data"].get("deleted") and event["data"]["id"] == job)
    assert job not in [one["id"] for one in trader.do("GET", "/backtest")["jobs"]]


def test_one_that_never_returns_is_cancelled_at_once_and_one_that_fails_tells_its_line(
    server: BackendServer, trader: Trader
) -> None:
    job = begin(trader, ENDLESS)
    inside = child(server)
    began = time.monotonic()
    assert trader.do("PUT", "/backtest", id=job, operation="取消")["state"] == "已取消"
    assert time.monotonic() - began < 2.0
    assert not inside.is_running()
    broken = ended(trader, begin(trader, STRATEGY.replace("        pass\n", "        1 / 0\n")))
    assert broken["state"] == "失败"
    assert (broken["error"]["code"], broken["error"]["line"]) == ("STRATEGY_FAILED", LINE)
    assert "ZeroDivisionError" in broken["error"]["message"]
    assert str(server.data_dir) not in broken["error"]["traceback"]


def test_what_is_wrong_with_a_file_is_said_and_one_that_is_being_read_can_be_cancelled(
    server: BackendServer, trader: Trader
) -> None:
    files, header = server.data_dir / "backtest" / "files", "timestamp,open,high,low,close,volume\n"
    rows = [f"{1_696_899_600_000 + 60_000 * at},3700,3701,3699,3700,7\n" for at in range(400_000)]
    (files / "rb2401.SHFE.csv").write_text(header + "".join(rows))
    (files / "rb2405.SHFE.csv").write_text(f"{header}{rows[0]}{rows[1].replace('3701', 'x')}")
    bad = ended(trader, trader.ask("POST", "/backtest", text=STRATEGY, files="rb2405.SHFE.csv")["id"])
    assert (bad["state"], bad["error"]["code"]) == ("失败", "BAD_BAR_FILE")
    assert bad["error"]["message"].startswith("rb2405.SHFE.csv:3: ")
    job = trader.ask("POST", "/backtest", text=STRATEGY, files="rb2401.SHFE.csv")["id"]
    reading = child(server, "app.backtest.child.columns")
    assert trader.do("PUT", "/backtest", id=job, operation="取消")["state"] == "已取消"
    assert not reading.is_running()


def test_kill_9_of_child_keeper_and_host_loses_no_job_and_leaves_nothing_running(
    server: BackendServer, trader: Trader
) -> None:
    job = begin(trader, ENDLESS)
    first = child(server)
    keeper = server.kill("backtest")
    server.wait_replaced(keeper)
    eventually(lambda: not first.is_running(), "the child has died with its guard")
    second = child(server)  # run again
    assert row(trader, job)["state"] == "运行"
    host = server.kill("host")
    server.wait_replaced(host)
    assert second.is_running()  # the next host takes over
    assert row(trader, job)["state"] == "运行"
    family.kill(second.pid)
    found = ended(trader, job)
    assert (found["state"], found["error"]["code"]) == ("失败", "OUT_OF_MEMORY")
    keeper = server.kill("backtest")
    server.wait_replaced(keeper)
    assert row(trader, job)["state"] == "失败"
    twice = begin(trader, ENDLESS)
    for _ in range(2):
        child(server)
        server.wait_replaced(server.kill("backtest"))
    found = ended(trader, twice)
    assert (found["state"], found["error"]["code"]) == ("失败", "INTERRUPTED")
    assert ended(trader, begin(trader))["state"] == "完成"


def test_a_search_that_is_killed_goes_on_where_it_was(server: BackendServer, trader: Trader) -> None:
    search = '{"kind": "grid", "space": {"every": [40, 50, 60]}}'
    job = begin(trader, search=search)
    eventually(
        lambda: (moving := row(trader, job)["progress"]) is not None and moving["units_done"] >= 1,
        "one of three has ended",
        60.0,
    )
    server.wait_replaced(server.kill("backtest"))
    found = ended(trader, job)
    assert found["state"] == "完成"
    document = trader.do("GET", "/backtest/result", id=job)
    assert (document["partial"], document["done"], len(document["best"])) == (False, 3, 3)


def test_the_end_of_the_server_ends_what_runs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "backtest" / "files").mkdir(parents=True)
    shutil.copy(BARS, data / "backtest" / "files")
    server = BackendServer(data).start()
    try:
        trader = Trader(server).log_in()
        begin(trader, ENDLESS)
        inside = child(server)
        server.stop(signal.SIGTERM)
        assert not inside.is_running()
        assert server.leftovers() == []
    finally:
        server.clean()


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a disk takes root")
def test_on_a_full_disk_a_run_fails_clearly_and_the_next_one_runs(tmp_path: Path) -> None:
    from tests.e2e.test_disk import Disk

    disk = Disk(tmp_path / "disk")
    try:
        data = disk.folder / "data"
        (data / "backtest" / "files").mkdir(parents=True)
        shutil.copy(BARS, data / "backtest" / "files")
        server = BackendServer(data).start()
        try:
            trader = Trader(server).log_in()
            filling = STRATEGY.replace("        pass\n", "        import time; time.sleep(0.002)\n")
            job = begin(trader, filling)
            child(server)
            disk.fill()
            refused = trader.ask("POST", "/backtest", text=STRATEGY, files=BARS.name)
            assert (refused["success"], refused["error"]) == (False, "STORE_FAILED")
            found = ended(trader, job, 90.0)
            assert (found["state"], found["error"]["code"]) == ("失败", "DISK_FULL")
            disk.free()
            assert ended(trader, begin(trader))["state"] == "完成"
        finally:
            server.clean()
    finally:
        disk.close()
