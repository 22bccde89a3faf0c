"""`run.py import-bars` as a user types it: into the file of an account that is not logged in, and through a
living gateway.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from app.commands import import_bars as bar_import
from app.commands.import_bars import CannotSave, Save, account_writer
from app.lib.account_names import account_key
from app.lib.bars import Bar
from app.lib.calendar import SHANGHAI
from app.lib.errors import GatewayDown
from app.model import store_path
from app.model.sqlite import SqliteStore
from app.process.child import Lock
from app.settings import Settings
from app.wire.messages import ReadBars
from app.wire.registry import PROTOCOL, Registry
from tests.fakes.rpc_servers import FakeGateway
from tests.integration.test_gateway_service import ROOT, World
from tests.support.recorded import Recordings, on_each

ACCOUNT = "sim-9999-demo"
HEADER = "symbol,datetime,open,high,low,close,volume"


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1000)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """With one account that has been logged in."""
    folder = tmp_path / "data" / "accounts" / ACCOUNT
    folder.mkdir(parents=True)
    return tmp_path / "data"


def bars_file(folder: Path, *rows: str, name: str = "bars.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([HEADER, *(f"rb2510,2025-06-06 {row}" for row in rows)]) + "\n", "utf-8")
    return path


def importing(data_dir: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "run.py", "import-bars", "--data-dir", str(data_dir), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def kept(data_dir: Path, symbol: str = "rb2510.SHFE", account: str = ACCOUNT) -> list[Bar]:
    store = SqliteStore(store_path(data_dir, account))
    try:
        return store.read_bars(symbol, "1m")
    finally:
        store.close()


def test_the_same_file_again_changes_nothing_and_a_mended_one_replaces(
    data_dir: Path, tmp_path: Path
) -> None:
    path = bars_file(tmp_path, "09:00:00,1,3,1,2,5", "09:01:00,2,3,2,3,6")
    done = importing(data_dir, path)
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert said[-1] == f"{path}：rb2510.SHFE 2 根，2025-06-06 09:00 至 2025-06-06 09:01"
    assert "bars.csv：合约 rb2510 → rb2510.SHFE；时间标在开始（由交易节首尾的 K 线判断）" in said
    checked = importing(data_dir, "--check", path)
    assert checked.stdout.splitlines() == said[:-1]
    first = kept(data_dir)
    assert [(bar.timestamp, bar.close, bar.volume) for bar in first] == [
        (ms("2025-06-06 09:00"), 2, 5),
        (ms("2025-06-06 09:01"), 3, 6),
    ]
    assert importing(data_dir, path).returncode == 0
    assert kept(data_dir) == first
    importing(data_dir, bars_file(tmp_path, "09:01:00,2,9,2,9,60", name="mended.csv"), "--label", "start")
    assert [bar.close for bar in kept(data_dir)] == [2, 9]


def test_a_file_with_a_bad_row_is_named_and_left_out_and_the_others_come_in(
    data_dir: Path, tmp_path: Path
) -> None:
    bad = bars_file(tmp_path, "09:00:00,1,3,1,2,5", "09:01:00,2,1,2,3,6", name="bad.csv")
    good = bars_file(tmp_path, "09:02:00,1,3,1,2,5", name="good.csv")
    done = importing(data_dir, bad, good, "--label", "start")
    assert done.returncode == 1
    assert "bad.csv:3: 价格不成 K 线" in done.stderr
    assert f"{bad}：未导入" in done.stderr
    assert f"\n{good}：" in done.stdout
    assert [bar.timestamp for bar in kept(data_dir)] == [ms("2025-06-06 09:02")]


def test_the_account_is_named_by_its_key_by_its_parts_or_is_the_only_one(
    data_dir: Path, tmp_path: Path
) -> None:
    other = account_key("sim", "9999", "交易员")
    (data_dir / "accounts" / other).mkdir()
    path = bars_file(tmp_path, "09:00:00,1,3,1,2,5")
    unsaid = importing(data_dir, path)
    assert unsaid.returncode == 1
    assert ACCOUNT in unsaid.stderr
    assert other in unsaid.stderr
    wrong = importing(data_dir, path, "--account", "../demo")
    assert wrong.returncode == 1
    assert "没有账户" in wrong.stderr
    assert importing(data_dir, path, "--account", ACCOUNT).returncode == 0
    assert (
        importing(data_dir, path, "--interface", "sim", "--brokerid", "9999", "--userid", "交易员").returncode
        == 0
    )
    assert (
        importing(data_dir, path, "--userid", "demo").returncode == 0
    )  # as at /login, a paper account is one of broker 9999
    assert len(kept(data_dir)) == len(kept(data_dir, account=other)) == 1
    assert not (data_dir / "demo").exists()


def test_while_a_gateway_is_being_started_nothing_is_written_beside_it(
    data_dir: Path, tmp_path: Path
) -> None:
    path = bars_file(tmp_path, "09:00:00,1,3,1,2,5")
    lock = Lock(data_dir, f"gateway-{ACCOUNT}")
    try:
        done = importing(data_dir, path)
    finally:
        lock.close()
    assert done.returncode == 1
    assert "网关正在启动" in done.stderr
    assert not kept(data_dir)
    assert importing(data_dir, path).returncode == 0


def test_at_a_terminal_a_bar_shows_how_far_the_import_is(data_dir: Path, tmp_path: Path) -> None:
    path = bars_file(tmp_path, *(f"{9 + at // 60:02d}:{at % 60:02d}:00,1,3,1,2,5" for at in range(75)))
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, 80))
    command = [sys.executable, "run.py", "import-bars", "--data-dir", str(data_dir), str(path)]
    every_step = os.environ | {"TQDM_MININTERVAL": "0"}  # not ten a second
    with (
        os.fdopen(ours, "rb", buffering=0) as terminal,
        subprocess.Popen(command, cwd=ROOT, env=every_step, stdout=subprocess.PIPE, stderr=theirs) as import_,
    ):
        os.close(theirs)
        shown = b""
        try:
            while piece := terminal.read(4096):
                shown += piece
        except OSError:  # how Linux says that the other side is closed
            pass
        assert import_.wait(60) == 0
    text = shown.decode()
    assert "读取 bars.csv: 75 根" in text
    assert "写入 bars.csv:   0%" in text
    assert "75/75" in text
    assert len(kept(data_dir)) == 75


@on_each
def test_the_recorded_files_come_in_as_they_are_named_one_with_labels_of_ends(
    data_dir: Path, recorded: Recordings
) -> None:
    done = importing(data_dir, recorded.rubber_bars, recorded.rebar_bars)
    assert done.returncode == 0, done.stderr
    assert (len(kept(data_dir, "ru1901.SHFE")), len(kept(data_dir, "rb2401.SHFE"))) == (1725, 1830)


def test_a_gateway_of_another_version_is_given_nothing_and_nothing_is_written_beside_it(
    data_dir: Path,
) -> None:
    gateway = FakeGateway(data_dir, ACCOUNT)
    path = data_dir / "run" / f"gateway-{ACCOUNT}.json"
    path.write_bytes(json.dumps(json.loads(path.read_bytes()) | {"protocol": PROTOCOL + 1}).encode())
    try:
        with (
            pytest.raises(GatewayDown, match="账户的网关由另一版本的程序启动，须一并重启") as refused,
            account_writer(Settings(data_dir=data_dir), ACCOUNT) as save,
        ):
            save("rb2510.SHFE", [Bar(0, 1.0, 3.0, 1.0, 2.0, 5)])
        assert refused.value.code == "VERSION_MISMATCH"
        assert gateway.requests == []
    finally:
        gateway.die()
    assert kept(data_dir) == []


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "data")
    yield world
    world.close()


def test_a_living_gateway_writes_itself_and_serves_the_bars_at_once(world: World, tmp_path: Path) -> None:
    _, page = world.log_in("demo")
    assert page.json(ReadBars("rb2510")) == []  # the empty answer is in the cache now
    minutes = [f"{9 + at // 60:02d}:{at % 60:02d}:00,1,3,1,2,{at + 1}" for at in range(75)]
    assert Registry(world.settings.data_dir).find(f"gateway-{ACCOUNT}") is not None
    done = importing(world.settings.data_dir, bars_file(tmp_path, *minutes))
    assert (done.returncode, done.stderr) == (0, "")
    served = page.json(ReadBars("rb2510"))
    assert [row[5] for row in served] == list(range(1, 76))
    assert page.json(ReadBars("rb2510", "1h"))[0][5] == sum(range(1, 61))


def save_hours(save: Save, saved: list[int]) -> None:
    for hour in range(100):
        save(
            "rb2510.SHFE",
            [Bar((hour * 60 + minute) * 60_000, 1.0, 3.0, 1.0, 2.0, 5) for minute in range(60)],
        )
        saved.append(hour)


def test_a_living_gateway_whose_mongodb_is_away_is_given_no_more_than_may_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bar_import, "MOST_WAITING", 500)
    monkeypatch.setattr(bar_import, "STALL_LIMIT", 0.2)
    world = World(tmp_path / "data", mongo_uri="mongodb://127.0.0.1:1/")
    try:
        world.log_in("demo")
        saved: list[int] = []
        with account_writer(world.settings, ACCOUNT) as save, pytest.raises(CannotSave, match="行在等"):
            save_hours(save, saved)
        assert len(saved) * 60 <= 500
    finally:
        world.close()
