"""`run.py filing`: what is wrong with what was asked is found before anything is started or sent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import docx
import pytest
from click.testing import CliRunner, Result

from app.commands import filing
from app.commands.main import main
from app.filing.outcome import Outcome
from app.filing.station import Ticket

SIMNOW = ["--td", "tcp://182.254.243.31:30001", "--md", "tcp://182.254.243.31:30011"]
REAL = ["--td", "tcp://101.1.2.3:41205", "--md", "tcp://101.1.2.3:41213"]
WHO = ["--brokerid", "9999", "--userid", "u1", "--appid", "client_x_1"]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Ticket]:
    """The tickets with which the checks would have been run; none is run."""
    tickets: list[Ticket] = []

    def run(folder: Path, ticket: Ticket, *_more: Any) -> tuple[list[Outcome], dict[str, str]]:
        tickets.append(ticket)
        (folder / "evidence.txt").write_text("seen")
        state = Outcome("1.1", "连通性", "登录", finished=True, evidence=["evidence.txt"])
        return [state], {"软件": "x"}

    monkeypatch.setattr(filing, "run_all", run)
    for name in list(os.environ):
        if name.startswith("CTPBEE_BACKEND_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv(filing.PASSWORD, "secret-9")
    monkeypatch.setenv(filing.AUTH_CODE, "code-7731")
    return tickets


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["filing", *map(str, arguments)])


def test_a_pack_of_what_was_passed_ends_with_0(ran: list[Ticket], tmp_path: Path) -> None:
    result = invoke("--sim", "--to", tmp_path / "out")
    assert (result.exit_code, result.output.splitlines()[-1][:8]) == (0, "1/1 项通过；"), result.output
    assert (tmp_path / "out.zip").is_file()
    assert ran[0].interface == "sim"
    assert ran[0].password not in result.output


def test_one_check_that_was_not_reached_ends_with_1(
    ran: list[Ticket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Outcome("1.1", "连通性", "登录", lacks=["没有登录"])
    monkeypatch.setattr(filing, "run_all", lambda *_more: ([bad], {}))
    result = invoke("--sim", "--to", tmp_path / "out")
    assert result.exit_code == 1
    assert "0/1 项通过" in result.output


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--sim"], "--to"),
        (["--to", "out"], "--sim 或 --ctp"),
        (["--ctp", "--to", "out", *WHO], "--td"),
        (["--ctp", "--to", "out", *SIMNOW[:2], *WHO], "--md"),
        (["--ctp", "--to", "out", "--td", "182.254.243.31:30001", *SIMNOW[2:], *WHO], "不是前置的地址"),
        (["--ctp", "--to", "out", *SIMNOW, *WHO[:4]], "--appid"),
        (["--ctp", "--to", "out", *SIMNOW, *WHO[2:]], "--brokerid"),
        (["--ctp", "--to", "out", *REAL, *WHO], "--i-know"),
        (["--sim", "--to", "out", "--template", "gone.docx"], "gone.docx 不能读取"),
        (["describe"], "--to"),
        (["template"], "--to"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_started(
    ran: list[Ticket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments)
    assert result.exit_code == 1
    assert why in result.output
    assert not ran
    assert list(tmp_path.iterdir()) == []


def test_who_says_that_he_knows_may_use_a_front_that_is_not_known(ran: list[Ticket], tmp_path: Path) -> None:
    result = invoke("--ctp", "--i-know", "--to", tmp_path / "out", *REAL, *WHO)
    assert result.exit_code == 0, result.output
    assert "--i-know" in ran[0].what
    assert (ran[0].password, ran[0].auth_code) == ("secret-9", "code-7731")
    assert "secret-9" not in repr(ran[0]) + result.output


def test_a_front_goes_by_its_name_in_the_settings(
    ran: list[Ticket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTPBEE_BACKEND_FRONTS", f"mine={SIMNOW[1]} {SIMNOW[3]}")
    assert invoke("--ctp", "--to", tmp_path / "out", "--td", "mine", *WHO).exit_code == 0
    assert (ran[0].td, ran[0].md, ran[0].what) == (SIMNOW[1], SIMNOW[3], "SimNow")


def test_a_password_is_not_asked_where_there_is_no_terminal(
    ran: list[Ticket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(filing.PASSWORD)
    result = invoke("--ctp", "--to", tmp_path / "out", *SIMNOW, *WHO)
    assert (result.exit_code, filing.PASSWORD in result.output) == (1, True)
    assert not ran
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_starts_nothing(ran: list[Ticket], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    result = invoke("--sim", "--to", tmp_path)
    assert (result.exit_code, "不是空的" in result.output) == (1, True)
    assert not ran


def test_the_blank_form_is_written_once(ran: list[Ticket], tmp_path: Path) -> None:
    assert invoke("template", "--to", tmp_path / "form.docx").exit_code == 0
    assert (
        "期货程序化交易系统功能测试过程记录报告"
        in docx.Document(str(tmp_path / "form.docx")).paragraphs[0].text
    )
    again = invoke("template", "--to", tmp_path / "form.docx")
    assert (again.exit_code, "不会覆盖" in again.output) == (1, True)


def test_a_description_is_written_and_says_what_has_changed(ran: list[Ticket], tmp_path: Path) -> None:
    place = ["--data-dir", tmp_path / "data"]
    first = invoke("describe", "--to", tmp_path / "one", "--appid", "client_x_1", *place)
    assert (first.exit_code, "第一次" in first.output) == (0, True), first.output
    again = invoke("describe", "--to", tmp_path / "two", "--appid", "client_x_2", *place)
    assert "client_x_1 → client_x_2" in again.output
    assert sorted(path.suffix for path in (tmp_path / "two").iterdir()) == [".docx", ".json"]


def test_without_docxtpl_it_says_how_to_install_it(
    ran: list[Ticket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "docxtpl", None)
    result = invoke("--sim", "--to", tmp_path / "out")
    assert (
        result.exit_code,
        "--no-deps --python .venv/bin/python -r requirements-filing.lock" in result.output,
    ) == (1, True)
    assert not ran
