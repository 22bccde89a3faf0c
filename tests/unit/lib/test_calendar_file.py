"""The calendar's days that a data directory keeps: the library's own, spared the time, and never in the
way.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest

from app.lib import calendar


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Days are kept in it."""
    calendar.keep_in(tmp_path)
    yield tmp_path
    calendar.keep_in(None)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time that the library is asked."""
    times: list[str] = []
    ask = calendar._from_library
    monkeypatch.setattr(calendar, "_from_library", lambda: (times.append("asked"), ask())[1])
    return times


def test_the_days_that_were_kept_are_the_librarys_and_spare_asking_it(folder: Path, asked: list[str]) -> None:
    calendar.load()
    theirs = calendar._days()
    assert [path.name for path in folder.iterdir()] == [calendar.KEPT_FILE]
    calendar.forget()
    assert calendar._days() == theirs
    assert asked == ["asked"]
    assert calendar.is_trading_day(date(2025, 6, 6))
    assert not calendar.is_trading_day(date(2025, 6, 2))


def test_an_override_file_corrects_the_days_that_were_kept_and_is_not_kept_with_them(
    folder: Path, tmp_path: Path
) -> None:
    calendar.load()
    path = tmp_path / "override.toml"
    path.write_text("closed = [2025-06-06]\n")
    calendar.use_overrides(path)
    try:
        assert not calendar.is_trading_day(date(2025, 6, 6))
    finally:
        calendar.use_overrides(None)
    assert calendar.is_trading_day(date(2025, 6, 6))


def test_days_kept_by_an_older_release_do_not_hide_the_holidays_that_a_newer_one_brings(
    folder: Path, asked: list[str]
) -> None:
    calendar.load()
    kept = msgspec.json.decode((folder / calendar.KEPT_FILE).read_bytes())
    assert (
        max(kept["sessions"]) <= kept["sure_until"] < date(2027, 1, 1).toordinal()
    )  # as releases before the table wrote it
    calendar.forget()
    assert not calendar.is_trading_day(date(2027, 1, 1))
    assert not calendar.is_trading_day(date(2027, 2, 8))
    assert asked == ["asked"]


OURS = b'"library":"%s"' % version("exchange_calendars").encode()


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"{",
        b"[]",
        b'{"library":"x"}',
        b"\xff",
        b'{%s,"sessions":[],"sure_until":739000}' % OURS,
        b'{%s,"sessions":[0],"sure_until":739000}' % OURS,
        b'{%s,"sessions":[739000],"sure_until":1000000000000}' % OURS,
    ],
)
def test_a_file_that_is_broken_is_made_anew(folder: Path, asked: list[str], broken: bytes) -> None:
    calendar.load()
    whole = (folder / calendar.KEPT_FILE).read_bytes()
    (folder / calendar.KEPT_FILE).write_bytes(broken)
    calendar.forget()
    assert calendar.is_trading_day(date(2025, 6, 6))
    assert (folder / calendar.KEPT_FILE).read_bytes() == whole
    assert asked == ["asked", "asked"]


def test_another_version_of_the_library_is_asked_itself(
    folder: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar.load()
    monkeypatch.setattr(calendar, "version", lambda _name: "9.9")
    for _ in range(2):
        calendar.forget()
        calendar.load()
    assert asked == ["asked", "asked"]


def test_a_folder_that_takes_no_file_costs_the_time_and_nothing_else(
    tmp_path: Path, asked: list[str]
) -> None:
    calendar.keep_in(tmp_path / "not there")
    try:
        assert calendar.is_trading_day(date(2025, 6, 6))
    finally:
        calendar.keep_in(None)
    assert asked == ["asked"]
    assert list(tmp_path.iterdir()) == []
