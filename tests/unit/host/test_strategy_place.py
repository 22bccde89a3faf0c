"""app/host/strategy_place.py: a user's strategies are found, copied once, never lost and never shadowed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.host import strategy_place
from app.lib.errors import SettingsError
from app.settings import Settings

ACCOUNT = "sim-9999-demo"


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkout's strategies/, as it was used up to now."""
    folder = tmp_path / "checkout" / "strategies"
    (folder / ACCOUNT).mkdir(parents=True)
    (folder / "double_average.py").write_text("# given", "utf-8")
    (folder / "README.md").write_text("given", "utf-8")
    monkeypatch.setattr(strategy_place, "GIVEN", folder)
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "数据")


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_new_user_finds_the_example_beside_the_data_directory(
    before: Path, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    strategy_place.make_ready(settings)
    assert settings.strategies_dir == tmp_path / "数据-strategies"
    assert files(settings.strategies_dir) == {"double_average.py"}
    assert settings.strategies_dir.stat().st_mode & 0o077 == 0
    assert caplog.text == ""


def test_what_a_user_has_in_the_checkout_is_copied_and_said(
    before: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    (before / "双均线.py").write_text("# shared", "utf-8")
    (before / ACCOUNT / "mine.py").write_text("# mine", "utf-8")
    assert strategy_place.in_use(settings) == before
    strategy_place.make_ready(settings)
    assert strategy_place.in_use(settings) == settings.strategies_dir
    assert files(settings.strategies_dir) == {"double_average.py", "双均线.py", f"{ACCOUNT}/mine.py"}
    assert (before / ACCOUNT / "mine.py").read_text("utf-8") == "# mine"
    assert "2 个策略已复制过去" in caplog.text
    assert list(settings.strategies_dir.parent.glob(".*")) == []


def test_a_later_start_leaves_the_folder_as_it_is(
    before: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    (before / "mine.py").write_text("# old", "utf-8")
    strategy_place.make_ready(settings)
    (settings.strategies_dir / "mine.py").write_text("# new", "utf-8")
    (settings.strategies_dir / "double_average.py").unlink()
    caplog.clear()
    strategy_place.make_ready(settings)
    assert files(settings.strategies_dir) == {"mine.py"}
    assert (settings.strategies_dir / "mine.py").read_text("utf-8") == "# new"
    assert caplog.text == ""


def test_a_file_that_is_put_or_edited_in_the_old_place_later_is_named(
    before: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    (before / "mine.py").write_text("# old", "utf-8")
    strategy_place.make_ready(settings)
    caplog.clear()
    (before / "late.py").touch()
    newer = (settings.strategies_dir / "mine.py").stat().st_mtime + 1
    os.utime(before / "mine.py", (newer, newer))
    strategy_place.make_ready(settings)
    assert "late.py、mine.py 没有用上" in caplog.text


def test_a_folder_that_the_settings_name_is_left_alone(before: Path, tmp_path: Path) -> None:
    (before / "mine.py").touch()
    settings = Settings(data_dir=tmp_path / "data", strategies_dir=tmp_path / "own")
    strategy_place.make_ready(settings)
    assert not settings.strategies_dir.exists()
    assert strategy_place.in_use(settings) == settings.strategies_dir


@pytest.mark.parametrize("has_files", [True, False])
def test_a_place_that_cannot_be_made_is_said_and_refused_where_files_would_be_left_behind(
    before: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    has_files: bool,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.copytree", full)
    if has_files:
        (before / "mine.py").touch()
        with pytest.raises(SettingsError, match="strategies_dir.*原来的策略在"):
            strategy_place.make_ready(settings)
    else:
        strategy_place.make_ready(settings)
        assert "strategies_dir" in caplog.text
    assert not settings.strategies_dir.exists()
    assert list(settings.data_dir.parent.glob(".*")) == []


def test_the_examples_are_those_of_the_checkout() -> None:
    assert {path.name for path in strategy_place.GIVEN.glob("*.py")} >= strategy_place.EXAMPLES
