"""run.py: whichever Python reads it, the program runs, or one sentence says what to do."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import run

ROOT = Path(__file__).parents[2]
WITHOUT_PACKAGES = [sys.executable, "-I", "-S"]  # as Debian's python3 is

pytestmark = pytest.mark.skipif(os.name != "posix", reason="os.execv")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One without .venv."""
    folder = tmp_path / "检出 1"
    folder.mkdir()
    shutil.copy(ROOT / "run.py", folder)
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "app").symlink_to(ROOT / "app")
    return folder


def version(python: list[str], checkout: Path) -> subprocess.CompletedProcess[str]:
    command = [*python, "run.py", "--version"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60)


def test_a_python_without_packages_goes_on_with_that_of_the_environment(checkout: Path) -> None:
    (checkout / ".venv").symlink_to(sys.prefix)
    told = version(WITHOUT_PACKAGES, checkout)
    assert (told.stdout, told.stderr, told.returncode) == ("ctpbee_backend 0.1.0\n", "", 0)


def test_without_an_environment_one_sentence_says_make_run(checkout: Path) -> None:
    told = version(WITHOUT_PACKAGES, checkout)
    assert (told.stdout, told.returncode) == ("", 1)
    assert f"没有装 click 等依赖。请在 {checkout} 执行 make run" in told.stderr
    assert told.stderr.count("\n") == 1


def test_an_environment_that_is_not_complete_says_so_and_is_not_started_for_ever(checkout: Path) -> None:
    venv.create(checkout / ".venv", symlinks=True)
    told = version([str(checkout / ".venv/bin/python")], checkout)
    assert told.returncode == 1
    assert "执行 make run" in told.stderr


def test_a_python_that_is_too_old_is_told_the_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run, "OLDEST", (3, 99))
    monkeypatch.setattr(run, "VENV_PYTHON", str(tmp_path / "none"))
    with pytest.raises(SystemExit, match=r"需要 Python 3\.99 或更高.*执行 make run.*uv"):
        run.go_on_with_a_python_that_can()


def test_an_old_python_can_read_it_as_far_as_it_says_so() -> None:
    ast.parse((ROOT / "run.py").read_text("utf-8"), feature_version=(3, 8))
