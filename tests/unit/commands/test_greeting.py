"""app/commands/greeting.py: what is said once everything runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.commands import supervisor
from app.commands.greeting import greeting, taken_over
from app.lib.program import ROOT
from app.settings import Settings
from app.wire.registry import Entry

ADDRESS = "http://127.0.0.1:5000"
NOW = datetime(2026, 11, 28, 21, 16, 3, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def entry(kind: str, **more: str) -> Entry:
    return Entry(name=kind, kind=kind, pid=7, started=1.0, **more)


def said(settings: Settings, default_code: bool = True, with_page: bool = True) -> str:
    return "\n".join(greeting(settings, ADDRESS, default_code, with_page, NOW))


def test_it_says_when_where_and_what_to_do_next() -> None:
    text = said(Settings())
    assert text.splitlines()[0].endswith("已启动，2026-11-29 05:16:03（北京时间，UTC+8）")
    assert f"curl -s {ADDRESS}/login -d authorization=000000 -d userid=demo -d password=my-secret\n" in text
    assert "python3 run.py stop，或 make stop" in text
    assert "python3 run.py auth-code" in text
    assert str(Settings().data_dir / "logs") in text


def test_the_page_is_what_to_open_where_there_is_one() -> None:
    assert f"  打开    {ADDRESS}/ 在浏览器里" in said(Settings())
    without = said(Settings(), with_page=False)
    assert f"  打开    {ADDRESS}/readyz 在浏览器里" in without
    assert "网页还没有构建" in without


def test_a_code_of_ones_own_is_not_shown_and_paper_is_named_where_it_is_not_the_default() -> None:
    text = said(Settings(interface="ctp"), default_code=False)
    assert "000000" not in text
    assert " -d interface=sim" in text


def test_with_logs_on_stdout_no_folder_of_logs_is_named() -> None:
    assert "logs" not in said(Settings(log_to="stdout"))


def test_a_data_directory_of_ones_own_is_in_every_command(tmp_path: Path) -> None:
    folder = tmp_path / "数据 目录"
    text = said(Settings(data_dir=folder))
    assert f"python3 run.py --data-dir '{folder}' stop" in text
    assert "make stop" not in text


WEB = entry("web", address="http://127.0.0.1:8000", bound="127.0.0.1:8000")


@pytest.mark.parametrize(
    ("given", "without_effect"),
    [
        ({}, ""),
        ({"port": 8000, "host": "127.0.0.1"}, ""),
        ({"port": 0}, ""),
        ({"port": 5000}, "port = 5000"),
        ({"host": "0.0.0.0", "port": 8000}, "host = 0.0.0.0"),
        ({"port": 9000, "interface": "ctp"}, "port = 9000、interface = ctp"),
    ],
)
def test_settings_that_what_runs_does_not_have_are_named(
    given: dict[str, object], without_effect: str
) -> None:
    text = "\n".join(taken_over(Settings.model_validate(given), [WEB, entry("host")]))
    assert "接管了仍在运行的：web（pid 7）、host（pid 7）；网页服务仍在 http://127.0.0.1:8000" in text
    assert ("没有用上" in text) is bool(without_effect)
    assert without_effect in text
    assert "先停止（python3 run.py stop，或 make stop），再启动" in text


def test_where_no_web_runs_its_address_is_still_free_to_choose() -> None:
    assert "没有用上" not in "\n".join(taken_over(Settings(port=9000), [entry("host")]))


def test_nothing_is_said_where_nothing_ran() -> None:
    assert list(taken_over(Settings(port=9000), [])) == []


def test_a_terminal_that_has_gone_ends_nothing_that_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    def gone(_line: str) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    supervisor._say(gone, ["地址"])
    assert "Broken pipe" in caplog.text
