"""A backup made while an account trades, and the server that comes out of it. `make test-full`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.server import BackendServer, Trader
from tests.support.commands import Commands
from tests.support.waiting import eventually

pytestmark = pytest.mark.full

RB = "rb2510.SHFE"


def test_a_backup_made_while_trading_brings_account_orders_and_config_back(
    make_server: Callable[..., BackendServer], tmp_path: Path
) -> None:
    first = make_server("first").start()
    trader = Trader(first).log_in()
    quote = trader.fix_quote(RB)
    filled = trader.order(RB, "long", "open", quote.ask, 2)["order_id"]
    resting = trader.order(RB, "long", "open", quote.bid - 5 * quote.tick, 1)["order_id"]
    trader.do("PUT", "/config", SLIPPAGE_COVER=3)
    commands = Commands(tmp_path)
    done = commands.run("backup", str(tmp_path / "b.tar.gz"), "--data-dir", str(first.data_dir))
    assert done.returncode == 0, done.stderr
    assert "已备份" in done.stdout, done.stderr
    later = trader.order(RB, "long", "open", quote.bid - 6 * quote.tick, 1)["order_id"]
    refused = commands.run(
        "restore", str(tmp_path / "b.tar.gz"), "--replace", "--data-dir", str(first.data_dir)
    )
    assert refused.returncode == 1
    assert "仍有进程在运行" in refused.stderr
    assert [row["order_id"] for row in trader.lists()["active_order_list"]] == [resting, later]
    first.stop()

    second = make_server("second")
    done = commands.run("restore", str(tmp_path / "b.tar.gz"), "--data-dir", str(second.data_dir), "--stop")
    assert done.returncode == 0, done.stderr
    second.start()
    again = Trader(second)
    again.token = trader.token  # the key and the session are the same
    assert again.ask("GET", "/order_solve")["error"] == "TOKEN_ERROR"
    again.log_in()
    eventually(lambda: again.lists()["position_list"], "the position")
    assert {row["order_id"]: row["status"] for row in again.lists()["order_list"]} == {
        filled: "全部成交",
        resting: "未成交",
    }
    assert again.do("GET", "/config")["SLIPPAGE_COVER"] == 3
    newest = again.order(RB, "long", "open", again.fix_quote(RB).ask, 1)
    assert newest["success"]
    assert newest["order_id"] not in (filled, resting)
