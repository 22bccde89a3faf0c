"""app/commands/main.py: every command is listed without being imported, and the list is right about them."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from app.commands.main import COMMANDS, main

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_in_the_file_that_is_listed_and_its_help_begins_as_listed(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name
    assert command.callback is not None
    assert command.callback.__module__ == f"app.commands.{COMMANDS[name].file}"
    assert (command.help or "").startswith(COMMANDS[name].help)


def test_every_command_that_is_written_is_listed() -> None:
    for path in (ROOT / "app/commands").glob("*.py"):
        written = path.read_text("utf-8").count("@click.command(")
        assert written == sum(listed.file == path.stem for listed in COMMANDS.values()), path.name


def test_a_command_that_is_none_is_told_which_there_are() -> None:
    done = CliRunner().invoke(main, ["import-bar"])
    assert done.exit_code == 2
    assert "没有命令 import-bar" in done.stderr
    assert "import-bars" in done.stderr


def test_a_recorded_file_that_is_gone_is_told_to_who_starts_and_keeps_nobody_from_stopping(
    tmp_path: Path,
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('counter_quotes = "replay"\ncounter_replay = "/no/such/file.csv"\n', "utf-8")
    options = ["--data-dir", str(tmp_path / "data"), "--config", str(config)]
    started = CliRunner().invoke(main, [*options, "--port", "0", "host"])
    assert started.exit_code == 2
    assert "/no/such/file.csv" in started.stderr
    assert CliRunner().invoke(main, [*options, "stop"]).exit_code == 0


@pytest.mark.parametrize("command", [[], ["host"]])
def test_what_starts_says_which_line_of_the_recorded_file_is_bad_and_starts_nothing(
    tmp_path: Path, command: list[str]
) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text(
        "symbol,datetime,open,high,low,close,volume\nrb2510,2025-06-09 09:00:00,3,2,1,1,1\n", "utf-8"
    )
    config = tmp_path / "config.toml"
    config.write_text(f'counter_quotes = "replay"\ncounter_replay = "{path.as_posix()}"\n', "utf-8")
    options = ["--data-dir", str(tmp_path / "data"), "--config", str(config), "--port", "0"]
    done = CliRunner().invoke(main, [*options, *command])
    assert done.exit_code == 2
    assert "quotes.csv:2: 价格不成 K 线" in done.stderr
    assert "docs/replay.md" in done.stderr
    assert not list((tmp_path / "data").glob("run/*"))


def test_who_has_several_accounts_and_names_none_is_told_how_to(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for account in ("sim-9999-one", "sim-9999-two"):
        (data / "accounts" / account).mkdir(parents=True)
    for arguments, how in (
        (["halt", "all"], "请在后面指明账户"),
        (["audit", "verify"], "请在后面指明账户"),
        (["import-bars", "none.csv"], "请用 --account 指明账户"),
    ):
        refused = CliRunner().invoke(main, [*arguments, "--data-dir", str(data)])
        assert (refused.exit_code, how in refused.output) == (1, True), refused.output
        assert "sim-9999-one、sim-9999-two" in refused.output
