"""Files of text that a unit names, made into columns by a child of their own: the same result to the byte,
made once and anew when the file is another; what cannot be read, a file that is too large, and who cancels.
Real processes.
"""

from __future__ import annotations

import gzip
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from app.backtest.engine.job import Job, Progress
from app.backtest.running import guard
from app.backtest.running.units import CANCELLED, DONE, FAILED, Depot, Limits, Outcome, Unit
from app.backtest.running.workers import Workers
from app.lib import columns
from app.lib.program import version
from app.settings import Settings
from tests.integration.backtest.test_engines import STRATEGY
from tests.support.confinement import confined
from tests.support.kept_calendar import keep_calendar

RECORDINGS = Path(__file__).parents[2] / "recordings"
BARS = RECORDINGS / "SHFE.rb2401.1m.csv.gz"
TICKS = RECORDINGS / "SHFE.ru1901_20181008-20181012.ctp.csv.gz"
MANY = 400_000  # rows that take a parser some seconds, and hundreds of megabytes
NINE = 1_696_899_600_000  # 2023-10-10 09:00
pytestmark = [pytest.mark.full, confined]


class World:
    """A depot, and what has been made for it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        keep_calendar(folder / "data")
        self.folder = folder
        self.settings = Settings.load(None, {}, data_dir=folder / "data", log_to="stdout")
        self.depot = Depot(folder / "depot")
        self.inside = folder / "work"
        self.inside.mkdir()
        self.makers = 0
        self._before = set(psutil.Process().children(recursive=True))  # another test's browser, say
        start = guard.child.start

        def counted(command: list[str], *more: Any, **options: Any) -> Any:
            self.makers += guard.MAKE in command
            return start(command, *more, **options)

        monkeypatch.setattr(guard.child, "start", counted)

    def unit(self, *files: Path, **more: Any) -> Unit:
        pieces = tuple(self.depot.add(path) for path in files)
        return Unit(version=version(), strategies={"mine": STRATEGY}, data=pieces, **more)

    def run(self, unit: Unit, look: Callable[[Progress], object] = lambda _: None, **more: Any) -> Outcome:
        return guard.run_unit(unit, self.depot, self.settings, look, inside=self.inside, **more)

    def columns(self) -> list[Path]:
        return [path for path in (self.folder / "depot").glob("*/*") if columns.is_columns(path)]

    def is_clean(self) -> bool:
        """Whether nothing runs and nothing is left."""
        now = set(psutil.Process().children(recursive=True))
        return not list(self.inside.iterdir()) and now <= self._before


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(tmp_path, monkeypatch)
    yield made
    assert made.is_clean()


def of_text(world: World, file: Path) -> bytes:
    """What a child makes of the file as it is."""
    with guard.own_folder(world.settings.data_dir, world.inside) as folder:
        job = Job(version=version(), strategies={"mine": STRATEGY}, files=[str(file)], folder=str(folder))
        return guard.run(job, world.settings, None, world.settings.to_environment(), lambda _: None)


@pytest.mark.parametrize("file", [BARS, TICKS], ids=["bars", "ticks"])
def test_the_result_is_that_of_the_file_to_the_byte_and_columns_are_made_once(
    world: World, file: Path
) -> None:
    unit = world.unit(file)
    expected = of_text(world, file)
    assert world.run(unit).result == expected
    assert (world.makers, len(world.columns())) == (1, 1)
    assert world.run(unit).result == expected
    workers = Workers(world.settings, world.depot, world.inside)
    try:
        brief = workers(world.unit(file, keep="figures"), lambda _: None)
    finally:
        workers.close()
    assert orjson.loads(brief.result)["figures"] == orjson.loads(expected)["figures"]
    assert world.makers == 1


def test_a_file_that_has_changed_is_made_again_and_so_is_one_that_is_understood_otherwise(
    world: World,
) -> None:
    file = world.folder / BARS.name
    text = gzip.decompress(BARS.read_bytes()).splitlines(keepends=True)
    for part, more, makers in (
        (text, {}, 1),
        (text[:-300], {}, 2),
        (text[:-300], {"label": "start"}, 3),
        (text, {}, 3),
    ):
        file.write_bytes(gzip.compress(b"".join(part), mtime=0))
        assert world.run(world.unit(file, **more)).state == DONE
        assert world.makers == makers


def test_two_that_want_the_same_at_once_make_it_once(world: World) -> None:
    unit, found = world.unit(BARS), []
    threads = [threading.Thread(target=lambda: found.append(world.run(unit).result)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1] != b""
    assert world.makers == 1


@pytest.mark.parametrize("keep", ["result", "figures"])
def test_what_is_wrong_with_a_file_is_said_with_its_row(world: World, keep: str) -> None:
    bad = world.folder / "rb2401.SHFE.csv"
    bad.write_text("datetime,open,high,low,close,volume\n2023-10-10 09:01:00,1,2,1,2,7\nx,1,2,1,2,7\n")
    workers = Workers(world.settings, world.depot, world.inside)
    try:
        found = workers(world.unit(bad, keep=keep, label="end"), lambda _: None)
    finally:
        workers.close()
    assert found.state == FAILED
    assert found.failure is not None
    assert (found.failure.code, found.failure.strategy) == ("BAD_BAR_FILE", "")
    assert found.failure.message.startswith("rb2401.SHFE.csv:3: ")
    assert "x" in found.failure.message
    assert not world.columns()


def test_a_contract_that_the_files_have_not_is_said_in_a_search_too(world: World) -> None:
    workers = Workers(world.settings, world.depot, world.inside)
    try:
        found = workers(world.unit(BARS, keep="figures", contracts=("m2401.DCE",)), lambda _: None)
    finally:
        workers.close()
    assert found.failure is not None
    assert (found.failure.code, found.failure.message) == ("NO_DATA", "文件里没有 m2401.DCE这段时间的行情")


def large(folder: Path) -> Path:
    path = folder / "rb2401.SHFE.csv"
    with path.open("w") as file:
        file.write("timestamp,open,high,low,close,volume\n")
        file.writelines(f"{NINE + 60_000 * number},3700,3701,3699,3700,7\n" for number in range(MANY))
    return path


def test_it_is_cancelled_while_columns_are_made_and_so_is_who_waits_for_them(world: World) -> None:
    unit, wanted, found = world.unit(large(world.folder)), threading.Event(), []
    reading = threading.Event()

    def look(progress: Progress) -> None:
        if progress.done:
            reading.set()

    threads = [
        threading.Thread(target=lambda: found.append(world.run(unit, look, stopped=wanted.is_set)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    assert reading.wait(60.0)
    wanted.set()
    for thread in threads:
        thread.join()
    assert [one.state for one in found] == [CANCELLED, CANCELLED]
    assert not world.columns()


def test_a_file_that_takes_too_much_memory_ends_its_own_process_and_takes_none_of_ours(world: World) -> None:
    path = large(world.folder)
    before = high_water()
    found = world.run(world.unit(path, limits=Limits(memory=120)))
    assert found.failure is not None
    assert (found.failure.code, "120 MB" in found.failure.message) == ("OUT_OF_MEMORY", True)
    assert high_water() - before < 30
    assert not world.columns()


def high_water() -> float:
    """The most that this process has held, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    assert sys.platform == "linux"
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def test_a_file_of_which_columns_would_be_another_is_read_as_it_is(world: World) -> None:
    rows = [row.split(",") for row in gzip.decompress(TICKS.read_bytes()).decode().splitlines()]
    at = rows[0].index("UpdateTime")
    for row in rows[1:]:
        row[at] += ".500"
    path = world.folder / "SHFE.ru1901.csv"
    path.write_text("".join(f"{','.join(row)}\n" for row in rows))
    expected = of_text(world, path)
    for _ in range(2):
        assert world.run(world.unit(path)).result == expected
    assert (world.makers, world.columns()) == (1, [])
