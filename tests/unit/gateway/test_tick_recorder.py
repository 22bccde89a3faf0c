"""Recorded ticks: by trading day, each once, as they came; torn tails, full disks and old days."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import dropwhile, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs

from app.backtest.market_data.data import load
from app.counter.markets.readers import BadFile, Row, read_rows
from app.gateway import tick_recorder
from app.gateway.tick_recorder import TickRecorder, prune, recorded_days
from app.lib import columns, tick_columns
from app.wire.frames import DepthField
from tests.support.waiting import eventually

RECORDINGS = Path(__file__).parents[2] / "recordings"
RU = RECORDINGS / "SHFE.ru1901_20181008-20181012.ctp.csv.gz"


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """The end of a Monday and the night of the Tuesday that follows."""
    first = dropwhile(lambda row: f"{row.moment:%H:%M}" < "14:59" or row.moment.hour > 15, read_rows(RU))
    return list(islice(first, 1000))


class Recording:
    """A recorder that writes when it is told to: its thread is not started."""

    def __init__(self, folder: Path, day: str = "20181009", days: int = 0, most: int = 0) -> None:
        self.day, self.folder = day, folder
        self.recorder = TickRecorder(folder, lambda: self.day, days, most)

    def take(self, *ticks: DepthField) -> None:
        self.recorder.take(ticks)
        self.recorder._write_safely(at_once=True)


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    made = Recording(tmp_path / "ticks")
    yield made
    made.recorder.close(1.0)
    made.recorder._give_up()


def test_a_day_comes_back_as_it_came_without_what_a_front_repeats(
    recording: Recording, rows: list[Row]
) -> None:
    of_day = [row for row in rows if row.trading_day == "20181009"]
    before = next(row for row in rows if row.trading_day == "20181008")
    recording.take(before.depth)  # what is still the newest, of a day before
    for at in range(0, len(of_day), 500):
        part = [row.depth for row in of_day[at : at + 500]]
        recording.take(*part, part[-1])
    path = recording.folder / "20181009.ticks"
    assert list(read_rows(path)) == of_day
    assert load([path]).ticks == of_day
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_came_before_the_turn_is_of_its_day_though_it_is_packed_after_it(
    recording: Recording, rows: list[Row]
) -> None:
    for day in ("20181008", "20181009"):
        recording.day = day
        recording.recorder.take([row.depth for row in rows if row.trading_day == day])
    last = next(row.depth for row in reversed(rows) if row.trading_day == "20181008")
    recording.take(last)  # a front says it again after the turn: no news, and not of this day
    found = {day: list(read_rows(path)) for day, path in recorded_days(recording.folder).items()}
    assert found == {day: [row for row in rows if row.trading_day == day] for day in found}
    assert list(found) == ["20181008", "20181009"]


def test_each_trading_day_has_its_own_file_and_the_rows_before_one_is_known_wait(
    recording: Recording, rows: list[Row]
) -> None:
    recording.day = ""
    recording.take(rows[0].depth)
    assert not recording.folder.exists()
    for day in ("20181008", "20181009"):
        recording.day = day
        recording.take(*(row.depth for row in rows if row.trading_day == day))
    assert list(recorded_days(recording.folder)) == ["20181008", "20181009"]
    assert load(list(recorded_days(recording.folder).values())).ticks == rows


def test_what_a_kill_left_half_written_is_cut_and_the_file_goes_on(tmp_path: Path, rows: list[Row]) -> None:
    ticks = [row.depth for row in rows if row.trading_day == "20181009"]
    first = Recording(tmp_path)
    first.take(*ticks[:100])
    path = tmp_path / "20181009.ticks"
    sound = path.stat().st_size
    first.take(*ticks[100:200])
    os.truncate(path, path.stat().st_size - 7)
    assert [found.depth for found in read_rows(path)] == ticks[:100]
    again = Recording(tmp_path)
    again.take(*ticks[200:300])
    assert [found.depth for found in read_rows(path)] == ticks[:100] + ticks[200:300]
    assert columns.sound_length(path) == path.stat().st_size > sound
    first.recorder._give_up()
    again.recorder._give_up()


def test_a_disk_that_is_full_costs_ticks_and_is_told_once(
    recording: Recording, rows: list[Row], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ticks = [row.depth for row in rows if row.trading_day == "20181009"]
    recording.take(ticks[0])
    part = tick_columns.packed(ticks[:2])[:50]

    def full(*_args: Any) -> bytes:
        recording.recorder._file.write(part)  # type: ignore[union-attr]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tick_columns.Packer, "block", full)
    recording.take(ticks[1])
    recording.take(ticks[2])
    monkeypatch.undo()
    recording.take(ticks[3])
    path = recording.folder / "20181009.ticks"
    assert [row.depth for row in read_rows(path)] == [ticks[0], ticks[3]]
    assert [record.message[:6] for record in caplog.records] == ["行情录制写不", "行情录制恢复"]


def test_a_disk_that_is_full_over_the_turn_costs_ticks_and_moves_none_to_another_day(
    tmp_path: Path, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = {day: [row.depth for row in rows if row.trading_day == day] for day in ("20181008", "20181009")}
    monkeypatch.setattr(tick_recorder, "MOST_WAITING", 50)
    recording = Recording(tmp_path / "ticks", day="20181008")
    recording.take(*ticks["20181008"][:20])
    recording.day = "20181009"
    for at in range(0, 200, 20):  # more than may wait, until the disk takes them again
        recording.recorder.take(ticks["20181009"][at : at + 20])
    recording.recorder._write_safely(at_once=True)
    recording.recorder._give_up()
    found = {
        day: [row.depth for row in read_rows(path)] for day, path in recorded_days(recording.folder).items()
    }
    assert found == {"20181008": ticks["20181008"][:20], "20181009": ticks["20181009"][150:200]}


def test_a_disk_that_takes_half_a_block_leaves_no_half_block_in_the_middle(
    recording: Recording, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = [row.depth for row in rows if row.trading_day == "20181009"]
    recording.take(ticks[0])
    file = recording.recorder._file
    assert file is not None
    half = SimpleNamespace(
        write=lambda data: file.write(data[:50]), close=file.close
    )  # no error, as write(2)
    recording.recorder._file = half  # type: ignore[assignment]
    recording.take(ticks[1])
    recording.take(ticks[2])
    assert [row.depth for row in read_rows(recording.folder / "20181009.ticks")] == [ticks[0], ticks[2]]


def test_a_snapshot_with_a_stamp_that_is_none_costs_itself_alone_and_is_told_once(
    recording: Recording, rows: list[Row], caplog: pytest.LogCaptureFixture
) -> None:
    ticks = [row.depth for row in rows if row.trading_day == "20181009"]
    odd = [structs.replace(ticks[at], UpdateTime="早上好") for at in (1, 2)]
    recording.take(ticks[0], *odd, structs.replace(ticks[3], ActionDay="soon"), ticks[4])
    assert [row.depth for row in read_rows(recording.folder / "20181009.ticks")] == [ticks[0], ticks[4]]
    assert [record.message[:14] for record in caplog.records] == ["行情录制：ru1901 的时"[:14]]


def test_figures_that_no_column_takes_cost_their_block_and_not_the_recorder(
    tmp_path: Path, rows: list[Row], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tick_recorder, "RETRY_SECONDS", 0.01)
    ticks = [row.depth for row in rows if row.trading_day == "20181009"]
    recorder = TickRecorder(tmp_path, lambda: "20181009", 0, 0, seconds=0.01)
    recorder.start()
    recorder.take([structs.replace(ticks[0], UpdateMillisec=1 << 40)])
    eventually(lambda: "行情录制写不了" in caplog.text, "the failure")
    recorder.take(ticks[1:3])
    recorder.close(5.0)
    assert [row.depth for row in read_rows(tmp_path / "20181009.ticks")] == ticks[1:3]


def test_its_thread_writes_by_itself_and_the_rest_when_it_closes(tmp_path: Path, rows: list[Row]) -> None:
    ticks = [row.depth for row in rows if row.trading_day == "20181009"]
    recorder = TickRecorder(tmp_path, lambda: "20181009", 0, 0, seconds=0.01)
    recorder.start()
    recorder.take(ticks[:5])
    path = tmp_path / "20181009.ticks"
    eventually(lambda: path.exists() and len(list(read_rows(path))) == 5, "the first block")
    recorder.take(ticks[5:9])
    recorder.close(5.0)
    assert [row.depth for row in read_rows(path)] == ticks[:9]


def test_old_days_go_by_number_and_by_size_but_never_the_present_one(tmp_path: Path) -> None:
    for day in range(1, 6):
        (tmp_path / f"2018100{day}.ticks").write_bytes(b"x" * 100)
    (tmp_path / "notes.txt").write_text("mine")
    prune(tmp_path, 4, 0, keep=tmp_path / "20181005.ticks")
    assert list(recorded_days(tmp_path)) == [f"2018100{day}" for day in range(2, 6)]
    prune(tmp_path, 4, 250, keep=tmp_path / "20181005.ticks")
    assert list(recorded_days(tmp_path)) == ["20181004", "20181005"]
    prune(tmp_path, 0, 1, keep=tmp_path / "20181005.ticks")
    assert list(recorded_days(tmp_path)) == ["20181005"]
    assert (tmp_path / "notes.txt").exists()


def test_what_is_no_recording_any_more_is_told(tmp_path: Path, rows: list[Row]) -> None:
    recording = Recording(tmp_path)
    path = tmp_path / "20181009.ticks"
    path.write_bytes(b"something else, and long enough")
    recording.take(rows[0].depth)
    assert path.read_bytes().startswith(b"something")  # left alone
    path.write_bytes(
        columns.WHOLE + columns.packed("ticks", "", {"a": "i"}, [[1]], {"day": "", "symbols": []})
    )
    with pytest.raises(BadFile, match="不是行情的列"):
        list(read_rows(path))


def test_nothing_waits_without_end(rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick_recorder, "MOST_WAITING", 3)
    recorder = TickRecorder(tmp_path, lambda: "", 0, 0)
    recorder.take([row.depth for row in rows[:10]])
    assert len(recorder._taken) == 3
