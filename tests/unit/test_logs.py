"""What a log line may hold: everything but secrets."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import logs
from app.settings import Settings

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzaW0ifQ.c2lnbmF0dXJl-_x"


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("password=geheim userid=demo", "password=*** userid=demo"),
        ("{'password': 'ge heim', 'userid': 'demo'}", "{'password': ***, 'userid': 'demo'}"),
        ('{"password":"ge\\"heim","appid":"x"}', '{"password":***,"appid":"x"}'),
        (
            "LogIn(userid='demo', password='geheim', auth_code='0001')",
            "LogIn(userid='demo', password=***, auth_code=***)",
        ),
        (f"Authorization: JWT {TOKEN}, Host: x", "Authorization: ***, Host: x"),
        (f"GET /x with Bearer {TOKEN}", "GET /x with Bearer ***"),
        ("authorization=000000&userid=demo", "authorization=***&userid=demo"),
        ("listens at tcp://127.0.0.1:4711#0123456789abcdef", "listens at tcp://127.0.0.1:4711#***"),
        ("Paſſword=geheim, PASSWORD=geheim", "Paſſword=***, PASSWORD=***"),
        ("token error", "token error"),
        ("the password is wrong", "the password is wrong"),
        ("密码错误 userid=demo", "密码错误 userid=demo"),
    ],
)
def test_secrets_are_masked_and_the_rest_is_left(line: str, masked: str) -> None:
    assert logs.mask(line) == masked


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hooks = root.handlers[:], root.level, (sys.excepthook, threading.excepthook)
    source = logging._srcfile
    yield
    for handler in root.handlers[:]:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks
    logging._srcfile = source
    logging.captureWarnings(False)


@pytest.mark.usefixtures("logging_restored")
def test_each_process_writes_its_own_file_and_tracebacks_are_masked_too(tmp_path: Path) -> None:
    data_dir = tmp_path / "数据 目录"
    logs.set_up(Settings(data_dir=data_dir), "gateway-sim-9999-demo", console=False)
    try:
        raise ValueError("password='geheim' is short")
    except ValueError:
        logging.getLogger("x").exception("登录失败")
    logging.getLogger("x").debug("not at INFO")
    text = (data_dir / "logs" / "gateway-sim-9999-demo.log").read_text("utf-8")
    assert "登录失败" in text
    assert "ValueError" in text
    assert "password=***" in text
    assert "geheim" not in text
    assert "not at INFO" not in text


@pytest.mark.usefixtures("logging_restored")
def test_the_console_has_warnings_alone_and_times_are_the_exchanges_and_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1764364603.25)  # 2025-11-28 21:16:43 UTC
    monkeypatch.setattr("time.time_ns", lambda: 1764364603_250_000_000)
    logs.set_up(Settings(data_dir=tmp_path), "web", console=True)
    logging.getLogger("x").info("started")
    logging.getLogger("x").warning("busy")
    shown = capsys.readouterr().err
    assert "started" not in shown
    assert shown.startswith("2025-11-29 05:16:43,250+08:00 WARNING x ")
    written = (tmp_path / "logs" / "web.log").read_text("utf-8")
    assert "05:16:43,250+08:00 INFO x [MainThread] started" in written


@pytest.mark.usefixtures("logging_restored")
def test_a_thread_that_dies_is_in_the_log(tmp_path: Path) -> None:
    logs.set_up(Settings(data_dir=tmp_path), "web", console=False)

    def fail() -> None:
        raise RuntimeError("no way on")

    thread = threading.Thread(target=fail, name="worker")
    thread.start()
    thread.join()
    text = (tmp_path / "logs" / "web.log").read_text("utf-8")
    assert "thread worker died" in text
    assert "no way on" in text


@pytest.mark.usefixtures("logging_restored")
def test_a_json_line_has_its_request_and_no_secret_and_goes_to_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up(Settings(data_dir=tmp_path / "data", log_format="json", log_to="stdout"), "web")
    shown = logs.request_id.set("0123456789abcdef")
    try:
        raise ValueError("password='geheim' is short")
    except ValueError:
        logging.getLogger("x").exception(
            '登录失败 {"password": "geheim"}', extra={"fields": {"path": "/a?token=geheim", "status": 200}}
        )
    finally:
        logs.request_id.reset(shown)
    logging.getLogger("x").info("另一行\n两段")
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["request_id"], first["level"], first["process"], first["status"]) == (
        "0123456789abcdef",
        "ERROR",
        "web",
        200,
    )
    assert "登录失败" in first["message"]
    assert "ValueError" in first["exception"]
    assert first["path"] == "/a?token=***"
    assert "geheim" not in str(first)
    assert second["message"] == "另一行\n两段"
    assert "request_id" not in second
    assert not (tmp_path / "data").exists()


@pytest.mark.usefixtures("logging_restored")
def test_a_text_line_has_its_request_too(tmp_path: Path) -> None:
    logs.set_up(Settings(data_dir=tmp_path), "web", console=False)
    shown = logs.request_id.set("0123456789abcdef")
    logging.getLogger("x").info("one")
    logs.request_id.reset(shown)
    logging.getLogger("x").info("two")
    one, two = (tmp_path / "logs" / "web.log").read_text("utf-8").splitlines()
    assert "[MainThread 0123456789abcdef] one" in one
    assert "[MainThread] two" in two


@pytest.mark.usefixtures("logging_restored")
def test_a_full_log_becomes_the_first_backup_and_the_next_line_begins_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 500)
    logs.set_up(Settings(data_dir=tmp_path), "web", console=False)
    for number in range(20):
        logging.getLogger("x").info("line %d %s", number, "." * 40)
    folder = tmp_path / "logs"
    assert len(list(folder.glob("web.log.*"))) >= 2
    text = "".join(
        (folder / name).read_text("utf-8")
        for name in sorted((file.name for file in folder.iterdir()), reverse=True)
    )
    assert [line.split("line ")[1].split()[0] for line in text.splitlines()] == [
        str(number) for number in range(20)
    ]


def test_what_strangers_bring_about_is_one_line_in_ten_seconds_that_counts_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0.0]
    seldom = logs.Seldom(logging.getLogger("stranger"), 10.0, lambda: now[0])
    for _ in range(1_000):
        seldom.warning("cut: %s", "4x")
        now[0] += 0.015
    assert [record.getMessage() for record in caplog.records] == [
        "cut: 4x",
        "cut: 4x (and 666 more like it before)",
    ]
