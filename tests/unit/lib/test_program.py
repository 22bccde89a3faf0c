"""app/lib/program.py: a command that a message names works where it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.lib import program


def test_in_the_checkout_it_is_run_py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(program.ROOT)
    assert program.command("auth-code") == "python3 run.py auth-code"
    assert program.command("") == "python3 run.py"


def test_elsewhere_run_py_has_its_folder_as_a_shell_takes_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    checkout = tmp_path / "检出 1"
    checkout.mkdir()
    (checkout / "pyproject.toml").touch()
    monkeypatch.setattr(program, "ROOT", checkout)
    monkeypatch.chdir(tmp_path)
    assert program.command("stop") == f"python3 '{checkout}/run.py' stop"


def test_where_no_checkout_is_it_is_the_installed_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(program, "ROOT", tmp_path)
    assert program.command("stop") == "ctpbee-backend stop"


def test_a_folder_that_is_gone_is_no_reason_to_say_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert program.command("stop") == f"python3 {program.ROOT}/run.py stop"
