"""The gateway's audit log and `run.py audit`: four kinds by day, a chain over restarts, nothing secret in
it.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.commands.audit import audit_command
from app.data_dir import account_folder, prepare
from app.gateway.audit import AuditBook
from app.gateway.logbook import Secret
from app.lib import audit
from app.lib.calendar import SHANGHAI
from app.model import open_store
from app.settings import Settings

ACCOUNT = "sim-9999-demo"
ROW = {
    "local_symbol": "rb2510.SHFE",
    "direction": "多",
    "offset": "开",
    "price": 3000.0,
    "volume": 2,
    "status": "未成交",
}


class World:
    def __init__(self, data_dir: Path) -> None:
        prepare(data_dir)
        self.settings = Settings.load(None, {}, data_dir=data_dir)
        self.folder = account_folder(data_dir, ACCOUNT)
        self.folder.mkdir(parents=True)
        self.written: list[Any] = []

    def run(self, *said: tuple[str, int, str], rows: int = 0) -> None:
        """One gateway's life."""
        store = open_store(self.settings, ACCOUNT)
        book = AuditBook(self.folder / "audit", store)
        book.addFilter(Secret("hunter2-secret"))
        for name, level, text in said:
            book.handle(logging.LogRecord(name, level, __file__, 1, text, (), None))
        heard = book.hearing(lambda *news: self.written.append(news))
        for seq in range(rows):
            heard("order_update", seq, ROW)
        assert book.close_book(10.0)
        store.close()

    def command(self, *args: str) -> Any:
        return CliRunner().invoke(audit_command, [*args, "--data-dir", str(self.settings.data_dir)])

    @property
    def file(self) -> Path:
        (found,) = (self.folder / "audit").glob("*.jsonl")
        return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "data")
    world.run(
        ("account", logging.INFO, "已登录，密码 hunter2-secret"),
        ("account.order", logging.INFO, "报单已发出"),
        ("account.risk", logging.WARNING, "风控：近了"),
        ("account.order", logging.ERROR, "报单被拒"),
        ("app.wire", logging.INFO, "不是给交易者看的"),
        rows=1,
    )
    return world


def test_each_kind_is_kept_and_the_journal_still_hears(world: World) -> None:
    kinds = [entry["kind"] for entry in audit.entries(world.file.read_bytes().splitlines())]
    assert kinds == ["run", "trade", "watch", "error", "trade"]
    assert world.written == [("order_update", 0, ROW)]
    assert b"hunter2" not in world.file.read_bytes()
    assert world.file.stat().st_mode & 0o077 == 0


def test_the_chain_goes_on_over_a_restart_and_a_half_written_line(world: World) -> None:
    with open(world.file, "ab") as file:
        file.write(b'{"seq": 6, "ti')
    world.run(("account", logging.INFO, "又登录"))
    answer = world.command("verify")
    assert (answer.exit_code, "共 6 条" in answer.output) == (0, True)


def test_what_a_killed_gateway_had_only_in_its_journal_is_written_at_the_next_start(world: World) -> None:
    def rows_of_journal() -> list[int]:
        entries = audit.entries(world.file.read_bytes().splitlines(), audit.TRADE)
        return [entry["data"]["journal"] for entry in entries if "journal" in entry["data"]]

    store = open_store(world.settings, ACCOUNT)
    for number in range(3):
        store.save_order("20250606", f"1_2_{number}", ROW | {"order_id": f"1_2_{number}"})
    store.close()
    world.run()
    assert rows_of_journal() == [0, 1, 2, 3]
    world.run()
    assert rows_of_journal() == [0, 1, 2, 3]  # once
    assert "完整" in world.command("verify").output


def test_a_log_that_is_only_begun_does_not_take_an_old_journal_for_news(tmp_path: Path) -> None:
    world = World(tmp_path / "data")
    store = open_store(world.settings, ACCOUNT)
    store.save_order("20250606", "1_2_3", ROW | {"order_id": "1_2_3"})
    store.close()
    for _ in range(2):  # nor at the next start, when nothing was traded since
        world.run(("account", logging.INFO, "登录"))
    store = open_store(world.settings, ACCOUNT)
    store.save_order("20250607", "1_2_4", ROW | {"order_id": "1_2_4"})
    store.close()
    world.run()
    entries = list(audit.entries(world.file.read_bytes().splitlines()))
    assert [entry["text"] for entry in entries] == ["登录", "登录", "委托（补记）"]
    assert entries[-1]["data"]["journal"] == 2


@pytest.mark.parametrize("data", [b"", b', "data": null', b', "data": {"journal": "x"}'])
def test_a_line_that_somebody_has_spoilt_does_not_end_the_log(world: World, data: bytes) -> None:
    world.run(("account", logging.INFO, "又登录"))
    lines = world.file.read_bytes().splitlines(keepends=True)
    world.file.write_bytes(b"".join([*lines[:-1], b'{"kind": "trade"%b}\n' % data, lines[-1]]))
    world.run(("account", logging.INFO, "再登录"))
    assert "再登录".encode() in world.file.read_bytes().splitlines()[-1]


def test_what_two_threads_say_at_midnight_does_not_break_the_chain(world: World) -> None:
    store = open_store(world.settings, ACCOUNT)
    book = AuditBook(world.folder / "audit", store)
    tomorrow = datetime.now(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    for seconds in (-0.002, 0.001, -0.001, 0.002):  # who was first to say it is not first in the queue
        record = logging.LogRecord("account", logging.INFO, __file__, 1, "半夜", (), None)
        record.created = tomorrow.timestamp() + seconds
        book.handle(record)
    assert book.close_book(10.0)
    store.close()
    answer = world.command("verify")
    assert (answer.exit_code, "共 9 条" in answer.output) == (0, True), answer.output
    lines = [len(path.read_bytes().splitlines()) for path in sorted(world.folder.glob("audit/*.jsonl"))]
    assert lines == [6, 3]


def test_a_clock_that_is_put_back_over_midnight_while_the_gateway_is_away_does_not_break_the_chain(
    world: World,
) -> None:
    tomorrow = datetime.now(SHANGHAI) + timedelta(days=1)
    for moment in (tomorrow, tomorrow - timedelta(days=1)):  # each in a gateway's life of its own
        store = open_store(world.settings, ACCOUNT)
        book = AuditBook(world.folder / "audit", store)
        record = logging.LogRecord("account", logging.INFO, __file__, 1, "对时", (), None)
        record.created = moment.timestamp()
        book.handle(record)
        assert book.close_book(10.0)
        store.close()
    answer = world.command("verify")
    assert (answer.exit_code, "共 7 条" in answer.output) == (0, True), answer.output


def test_a_copy_that_somebody_keeps_beside_the_days_is_no_day(world: World) -> None:
    (world.file.with_name("保存.jsonl")).write_bytes(world.file.read_bytes())
    world.run(("account", logging.INFO, "又登录"))
    answer = world.command("verify")
    assert (answer.exit_code, "共 6 条" in answer.output) == (0, True), answer.output


def test_a_full_disk_loses_no_line_and_breaks_no_chain(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    write, full = AuditBook._put, [True, True]

    def fills(book: AuditBook, line: bytes) -> None:
        if full:
            full.pop()
            write(book, line[:10])  # as much as there was room for
            raise OSError(28, "No space left on device")
        write(book, line)

    monkeypatch.setattr(AuditBook, "_put", fills)
    monkeypatch.setattr("app.gateway.audit.RETRY", 0.01)
    world.run(("account", logging.INFO, "满了"), ("account", logging.INFO, "又有了"))
    answer = world.command("verify")
    assert (answer.exit_code, "共 7 条" in answer.output) == (0, True)


@pytest.mark.parametrize("cut", [True, False])
def test_a_change_in_the_middle_and_a_cut_end_are_told(world: World, cut: bool) -> None:
    lines = world.file.read_bytes().splitlines(keepends=True)
    if not cut:
        lines[2] = lines[2].replace("近了".encode(), "没事".encode())
    world.file.write_bytes(b"".join(lines[:-1] if cut else lines))
    answer = world.command("verify")
    assert answer.exit_code == 1
    assert ("第 5 条写过而不在了" if cut else "第 3 行") in answer.output


def test_a_day_is_exported_by_kind(world: World, tmp_path: Path) -> None:
    to = tmp_path / "out.csv"
    assert world.command("export", "--kind", "trade", "--to", str(to)).exit_code == 0
    head, *rows = to.read_text("utf-8-sig").splitlines()
    assert head.startswith("序号,时间,类别,内容,合约")
    assert len(rows) == 2
    assert rows[1].endswith("rb2510.SHFE,多,开,3000.0,2,未成交")
    lines = world.command("export", "--format", "jsonl", "--day", world.file.stem).output.splitlines()
    assert lines == world.file.read_text("utf-8").splitlines()
    assert world.command("export", "--day", "19990101").exit_code == 1
