"""Strategies that take what they may not, in real processes: each ends with a clear reason, and nothing of it
is left.
"""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from app.backtest.engine.job import Failure, Progress
from app.backtest.running.guard import run_unit
from app.backtest.running.units import CANCELLED, DONE, FAILED, Depot, Limits, Outcome
from app.backtest.running.workers import Workers
from app.settings import Settings
from tests.integration.backtest.test_engines import unit_of
from tests.support.confinement import confined
from tests.support.kept_calendar import keep_calendar

pytestmark = [pytest.mark.full, confined]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    data = tmp_path_factory.mktemp("hostile") / "data"
    keep_calendar(data)
    return Settings.load(None, {}, data_dir=data, strategies="contained")


def run(settings: Settings, what: str, limits: Limits, stop_after: int = 0) -> tuple[Outcome, Path]:
    """Its outcome, and the folder in which it ran. `stop_after`: so many looks after it has begun to run."""
    inside = settings.data_dir / "work"
    inside.mkdir(exist_ok=True)
    looks = 0

    def look(progress: Progress) -> None:
        nonlocal looks
        looks += progress.stage == "running"

    unit = unit_of(Depot(settings.data_dir / "depot"), what, limits=limits)
    found = run_unit(
        unit,
        Depot(settings.data_dir / "depot"),
        settings,
        look,
        lambda: stop_after > 0 and looks >= stop_after,
        inside,
    )
    return found, inside


@pytest.mark.parametrize(
    ("what", "code", "said"),
    [
        ("x = []\nwhile True: x.append(bytearray(8_000_000))", "OUT_OF_MEMORY", "内存"),
        ("x = bytearray(6 * 2**30)", "STRATEGY_FAILED", "MemoryError"),
        (
            "for _ in range(50):\n    if not os.fork():\n        time.sleep(600)",
            "TOO_MANY_PROCESSES",
            "子进程",
        ),
        ("while True:\n    try: os.fork()\n    except OSError: pass", "", ""),
        ("f = open(__file__ + 'x', 'wb')\nwhile True: f.write(bytes(4_000_000))", "DISK_FULL", "100 MB"),
        (
            "p = __file__ + 'x'; f = open(p, 'wb'); os.unlink(p)\nwhile True: f.write(bytes(4_000_000))",
            "DISK_FULL",
            "100 MB",
        ),
        ("f = os.memfd_create('x')\nwhile True: os.write(f, bytes(4_000_000))", "DISK_FULL", "100 MB"),
        (
            "os.chdir(os.environ['HOME'])\nfor _ in 'x' * 3000: os.mkdir('d'); os.chdir('d')\ntime.sleep(60)",
            "DISK_FULL",
            "层以上",
        ),
        (
            "import mmap; k = []\nwhile True:\n    m = mmap.mmap(-1, 10**7); k += [m]; m.write(bytes(10**7))"
            "\n    m.madvise(mmap.MADV_DONTNEED); time.sleep(0.01)",
            "DISK_FULL",
            "共享内存",
        ),
        ("n = 0\nwhile True: n += 1; open(f'{__file__}{n}', 'wb').close()", "DISK_FULL", "个，已结束"),
        (
            "import ctypes; assert ctypes.CDLL(None).shmget(0, 4096, 0o1600) == -1; 1 / 0",
            "STRATEGY_FAILED",
            "ZeroDivisionError",
        ),
        ("time.sleep(600)", "TIMEOUT", "没有进展"),
        ("import socket; socket.create_connection(('127.0.0.1', 22), 5)", "STRATEGY_FAILED", "Error"),
        (
            "import urllib.request as u; u.urlopen('http://a.cn', timeout=5)",
            "STRATEGY_FAILED",
            "Error",
        ),
        ("open('/etc/shadow')", "STRATEGY_FAILED", "Error"),
    ],
    ids=[
        "memory",
        "one block",
        "forks",
        "bomb",
        "files",
        "unlinked",
        "memfd",
        "deep",
        "shared",
        "names",
        "segment",
        "silence",
        "socket",
        "web",
        "file",
    ],
)
def test_it_is_ended_with_a_reason_and_nothing_is_left(
    settings: Settings, what: str, code: str, said: str
) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    stall = 60.0 if code not in ("", "TIMEOUT") else 3.0  # a busy machine is silent for seconds too
    memory = 8000 if code == "TOO_MANY_PROCESSES" else 400  # that many processes are many megabytes too
    found, inside = run(settings, what, Limits(memory=memory, disk=100, stall=stall))
    assert found.state == FAILED
    assert isinstance(found.failure, Failure)
    if code:
        assert found.failure.code == code
    assert found.failure.code != "BACKTEST_FAILED"
    assert said in found.failure.message
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= before
    assert list(inside.iterdir()) == []


def test_what_it_prints_without_end_is_bounded_and_it_is_cancelled_all_the_same(settings: Settings) -> None:
    endless = "while True: print('x' * 1_000_000)"
    found, inside = run(settings, endless, Limits(memory=400, disk=100), stop_after=20)
    assert found.state == CANCELLED
    assert list(inside.iterdir()) == []
    past_python = "for _ in range(200): os.write(1, b'y' * 1_000_000)"
    found, _ = run(settings, past_python, Limits(memory=400, disk=100))
    assert found.state == DONE
    assert 0 < len(found.log) < 200_000


def test_a_result_that_is_larger_than_is_kept_is_not_even_read(settings: Settings) -> None:
    what = "open(os.path.dirname(__file__) + '/result.json', 'wb').truncate(200 * 2**20); os._exit(0)"
    found, _ = run(settings, what, Limits(result=31))
    assert found.state == FAILED
    assert found.failure is not None
    assert (found.failure.code, "31 MB" in found.failure.message) == ("RESULT_TOO_LARGE", True)
    assert run(settings, what, Limits())[0].state == DONE


def test_signals_are_no_way_out(settings: Settings) -> None:
    deaf = "for n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\nwhile True: pass"
    found, _ = run(settings, deaf, Limits(), stop_after=3)
    assert found.state == CANCELLED


def test_a_run_of_a_search_opens_nothing_that_its_worker_has_open(settings: Settings) -> None:
    depot = Depot(settings.data_dir / "depot")
    workers = Workers(settings, depot)
    what = "open(f'/proc/{os.getppid()}/fd/2', 'ab').write(b'written by a strategy')"
    try:
        found = workers(unit_of(depot, what, keep="figures"), lambda _progress: None)
    finally:
        workers.close()
    assert found.failure is not None
    assert "PermissionError" in found.failure.message
    assert b"written by" not in (settings.data_dir / "logs" / "backtest.out.log").read_bytes()
