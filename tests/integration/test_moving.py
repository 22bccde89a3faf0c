"""`run.py export` and `run.py import`: what is written out comes in again as it was, over SQLite and over
MongoDB.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from app.commands import export as moving
from app.commands.audit import audit_command
from app.commands.export import CannotMove
from app.data_dir import account_folder
from app.gateway.audit import AuditBook
from app.lib.bar_files import read_bar_file
from app.lib.bars import Bar
from app.model import HOST, SERVER, open_store
from app.model.store import Intent
from app.process.child import Lock
from app.settings import Settings
from tests.support.mongodb import any_server, new_database

ROOT = Path(__file__).parents[2]
ACCOUNTS = ("sim-9999-demo", "sim-9999-other")


def filled(settings: Settings) -> Settings:
    """A data directory with something in every table of every scope."""
    for scope in (SERVER, HOST, *ACCOUNTS):
        store = open_store(settings, scope)
        store.put_settings("config", {"float": 1.0, "int": 1, "true": True, "none": None, "text": "二\n行"})
        store.put_setting("config", "deep", {"$a.b": [1, {"json": "x"}], "": {"json": 2**63}})
        store.put_setting("code:双均线", "1", "def on_tick(self, tick):\n    pass\n")
        if scope in ACCOUNTS:
            for ref in (9, 3, 12, 1):  # their order is none that a key tells
                asked = {"price": 3000.5, "volume": 1}
                store.write_intent(
                    Intent(f"1_2_{ref}", f"mine-{ref}", "20250606", "2025-06-06T10:00:00.000", asked)
                )
                store.settle_intent(f"1_2_{ref}", "accepted")
                store.save_order("20250606", f"1_2_{ref}", {"order_id": f"1_2_{ref}", "status": "提交中"})
                store.save_trade("20250606", f"SHFE|{ref}|0", {"price": 3000.0, "big": 2**53})
                store.save_order("20250606", f"1_2_{ref}", {"order_id": f"1_2_{ref}", "status": "全部成交"})
            for symbol in ("rb2510.SHFE", "IF2506.CFFEX"):
                first = Bar(1749171600000, 3000.1, 3001.7, 2999.9, 3000.3, 1, 0.1 + 0.2, 1e6)
                bars = [
                    first._replace(timestamp=first.timestamp + at * 60_000, volume=at, complete=at % 7 > 0)
                    for at in range(300)
                ]
                store.save_bars(symbol, "1m", bars)
        assert store.flush(30)
        store.close()
    return settings


def exported(settings: Settings, target: Path, bars: str = "csv") -> dict[str, bytes]:
    with moving.stopped_server(settings):
        moving.export(settings, target, bars, lambda _rows: None)
    return {
        str(path.relative_to(target)): path.read_bytes()
        for path in sorted(target.rglob("*"))
        if path.is_file()
    }


def imported(settings: Settings, source: Path) -> Settings:
    with moving.stopped_server(settings):
        moving.load(settings, source, lambda _rows: None)
    return settings


def parquet_blind(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: b"" if name.endswith(".parquet") else data for name, data in files.items()}


@pytest.mark.parametrize("bars", ["csv", "parquet"])
def test_what_is_exported_comes_in_again_as_it_was(tmp_path: Path, bars: str) -> None:
    first = exported(filled(Settings(data_dir=tmp_path / "a")), tmp_path / "1", bars)
    assert f"accounts/{ACCOUNTS[0]}/bars/1m/rb2510.SHFE.{bars}" in first
    assert "host/settings.jsonl" in first
    other = imported(Settings(data_dir=tmp_path / "b"), tmp_path / "1")
    assert parquet_blind(exported(other, tmp_path / "2", bars)) == parquet_blind(first)
    imported(other, tmp_path / "1")  # and once more
    assert exported(other, tmp_path / "3") == exported(Settings(data_dir=tmp_path / "a"), tmp_path / "4")
    store = open_store(other, ACCOUNTS[0])
    assert store.save_order("20250607", "1_3_1", {}) == 13  # events go on where they were
    store.close()


def said(settings: Settings, *texts: str) -> None:
    """Written down in the first account's audit log by one gateway's life."""
    store = open_store(settings, ACCOUNTS[0])
    book = AuditBook(account_folder(settings.data_dir, ACCOUNTS[0]) / "audit", store)
    for text in texts:
        book.handle(logging.LogRecord("account", logging.INFO, __file__, 1, text, (), None))
    assert book.close_book(10.0)
    store.close()


def verified(settings: Settings) -> str:
    asked = ["verify", ACCOUNTS[0], "--data-dir", str(settings.data_dir)]
    answer = CliRunner().invoke(audit_command, asked)
    return answer.output.split("，")[0] if answer.exit_code == 0 else f"{answer.exit_code}: {answer.output}"


def test_the_audit_log_goes_along_where_there_is_none_and_leaves_one_that_there_is_alone(
    tmp_path: Path,
) -> None:
    first = filled(Settings(data_dir=tmp_path / "a"))
    said(first, "一", "二", "三")
    exported(first, tmp_path / "1")
    new = imported(imported(Settings(data_dir=tmp_path / "b"), tmp_path / "1"), tmp_path / "1")
    assert verified(new) == "审计日志完整：共 3 条"
    said(new, "四")  # it goes on there
    assert verified(new) == "审计日志完整：共 4 条"
    own = filled(Settings(data_dir=tmp_path / "c"))
    said(own, "自己的")
    assert verified(imported(own, tmp_path / "1")) == "审计日志完整：共 1 条"
    for path in (tmp_path / "1").rglob("audit/*"):
        path.unlink()  # as of a version that left it out
    old = imported(Settings(data_dir=tmp_path / "d"), tmp_path / "1")
    assert verified(old) == "审计日志完整：共 0 条"


@pytest.fixture(scope="module")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with any_server(tmp_path_factory.mktemp("mongodb")) as uri:
        yield uri


@pytest.mark.full
def test_from_sqlite_to_mongodb_and_back_nothing_has_changed(tmp_path: Path, mongo_uri: str) -> None:
    database = new_database()
    first = exported(filled(Settings(data_dir=tmp_path / "sqlite")), tmp_path / "1")
    imported(
        Settings(data_dir=tmp_path / "mongo", mongo_uri=mongo_uri, mongo_database=database), tmp_path / "1"
    )
    elsewhere = Settings(
        data_dir=tmp_path / "elsewhere", mongo_uri=mongo_uri, mongo_database=database
    )  # it has only what the server has
    assert exported(elsewhere, tmp_path / "2") == first
    back = imported(Settings(data_dir=tmp_path / "back"), tmp_path / "2")
    assert exported(back, tmp_path / "3") == first


def test_bars_that_were_exported_are_files_that_import_bars_takes(tmp_path: Path) -> None:
    exported(filled(Settings(data_dir=tmp_path / "a")), tmp_path / "1")
    (found,) = read_bar_file(
        tmp_path / "1" / "accounts" / ACCOUNTS[0] / "bars" / "1m" / "rb2510.SHFE.csv"
    ).values()
    assert len(found) == 300
    assert found[0].close == 3000.3


def test_a_server_that_runs_is_named_and_left_alone(tmp_path: Path) -> None:
    settings = filled(Settings(data_dir=tmp_path / "a"))
    lock = Lock(settings.data_dir, f"gateway-{ACCOUNTS[0]}")
    with pytest.raises(CannotMove, match=f"gateway-{ACCOUNTS[0]}"):
        exported(settings, tmp_path / "1")
    lock.close()
    assert exported(settings, tmp_path / "1")


def test_an_export_that_is_not_whole_is_not_imported(tmp_path: Path) -> None:
    exported(filled(Settings(data_dir=tmp_path / "a")), tmp_path / "1")
    orders = tmp_path / "1" / "accounts" / ACCOUNTS[0] / "orders.jsonl"
    orders.write_bytes(b"".join(orders.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(CannotMove, match="应有 4 行，文件里是 3 行"):
        imported(Settings(data_dir=tmp_path / "b"), tmp_path / "1")
    (tmp_path / "1" / moving.MANIFEST).unlink()
    with pytest.raises(CannotMove, match="manifest"):
        imported(Settings(data_dir=tmp_path / "b"), tmp_path / "1")
    with pytest.raises(CannotMove, match="不是空目录"):
        exported(Settings(data_dir=tmp_path / "a"), tmp_path / "1")


def test_what_clashes_with_what_is_there_is_named_and_left_alone(tmp_path: Path) -> None:
    exported(filled(Settings(data_dir=tmp_path / "a")), tmp_path / "1")
    other = Settings(data_dir=tmp_path / "b")
    store = open_store(other, ACCOUNTS[0])
    own = Intent(
        "7_7_1", "mine-9", "20250606", "2025-06-06T10:00:00.000", {"price": 1.0}
    )  # that name is taken by another order there
    store.write_intent(own)
    store.close()
    with pytest.raises(CannotMove, match="intents 与已有的行冲突.*client_order_id"):
        imported(other, tmp_path / "1")
    store = open_store(other, ACCOUNTS[0])
    assert store.intents("20250606") == [own]
    store.close()


def test_an_export_of_a_later_format_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / moving.MANIFEST).write_bytes(orjson.dumps({"format": 2, "rows": []}))
    with pytest.raises(CannotMove, match="格式为 2"):
        moving.read_manifest(tmp_path)


@pytest.mark.full
def test_the_commands_say_what_they_moved_and_refuse_beside_a_server_that_runs(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "run.py", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    filled(Settings(data_dir=tmp_path / "a"))
    target = tmp_path / "export"
    done = run("export", "--to", str(target), "--data-dir", str(tmp_path / "a"))
    assert (done.returncode, done.stderr) == (0, "")
    rows = "bars 600 行，equity 0 行，events 12 行，intents 4 行，orders 4 行，settings 7 行，trades 4 行"
    assert [line for line in done.stdout.splitlines() if rows in line] == [
        f"{account}：{rows}" for account in ACCOUNTS
    ]
    assert target.stat().st_mode & 0o077 == 0
    done = run("import", str(target), "--data-dir", str(tmp_path / "b"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(rows) == 2
    lock = Lock(tmp_path / "b", "host")
    done = run("import", str(target), "--data-dir", str(tmp_path / "b"))
    lock.close()
    assert done.returncode == 1
    assert "服务正在运行（host）" in done.stderr
