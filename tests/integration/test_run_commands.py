"""The commands of run.py as a user types them, in processes of their own and on a data directory with a space
in its name.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.commands.main import main
from app.wire.registry import Entry
from tests.support.commands import Commands, healthy
from tests.support.waiting import eventually


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    made = Commands(tmp_path)
    yield made
    made.clean()


def kill(entry: Entry) -> Entry:
    os.kill(entry.pid, signal.SIGKILL)
    eventually(lambda: not entry.alive, f"{entry.name} is dead")
    return entry


def test_help_names_every_option_and_command_and_version_is_told(commands: Commands) -> None:
    told = commands.run("--help").stdout
    for word in (
        "--host",
        "--port",
        "--data-dir",
        "--interface",
        "--config",
        "--version",
        "web",
        "host",
        "stop",
        "doctor",
        "auth-code",
    ):
        assert word in told
    assert commands.run("--version").stdout == "ctpbee_backend 0.1.0\n"
    assert not commands.data_dir.exists()


@pytest.mark.parametrize(
    "arguments", [["--port", "abc"], ["web", "--port", "abc"], ["--port", "abc", "stop"]]
)
def test_a_bad_setting_is_named_on_stderr_with_exit_code_2(commands: Commands, arguments: list[str]) -> None:
    done = commands.run(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        "设置错误：设置项 port 的值 'abc' 不合法：应为整数\n",
    )


def test_an_unknown_key_in_file_or_environment_is_named(commands: Commands, tmp_path: Path) -> None:
    config = tmp_path / "配置 1.toml"
    config.write_text("prot = 1")
    assert commands.run("--config", str(config)).stderr == "设置错误：不认识的设置项 prot\n"
    assert (
        commands.run("stop", CTPBEE_BACKEND_PROT="1").stderr
        == "设置错误：不认识的环境变量 CTPBEE_BACKEND_PROT\n"
    )


def test_whoever_may_not_read_the_data_directory_is_told_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(_settings: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "data"))

    monkeypatch.setattr(
        "app.commands.supervisor.end_all", refuse
    )  # root may read everything: it has to be made up
    done = CliRunner().invoke(main, ["--data-dir", str(tmp_path / "data"), "stop"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"没有权限：{tmp_path / 'data'}")
    assert done.stderr.count("\n") == 1


def test_doctor_prints_a_table_and_fails_on_what_keeps_the_server_from_working(
    commands: Commands, tmp_path: Path
) -> None:
    done = commands.run("doctor")
    assert done.returncode == 0
    assert "交易日历" in done.stdout
    assert "正常  磁盘" in done.stdout
    days = tmp_path / "days.toml"
    days.write_text("closed = 3")
    done = commands.run("doctor", CTPBEE_BACKEND_CALENDAR_FILE=str(days))
    assert done.returncode == 1
    assert "异常  交易日历" in done.stdout


def test_run_py_alone_starts_all_says_where_and_ctrl_c_ends_all(commands: Commands) -> None:
    child = commands.start("--port", "0")
    web, host, supervisor = commands.up("web", "host", "supervisor")
    assert supervisor.pid == child.pid
    assert healthy(web)
    printed = eventually(lambda: "auth-code" in (text := commands.printed()) and text, "all is said")
    greeted = printed.splitlines()
    assert greeted[0].startswith("ctpbee_backend 0.1.0 已启动，20")
    assert greeted[0].endswith("（北京时间，UTC+8）")
    for word in (web.address, str(commands.data_dir), str(commands.data_dir / "logs"), "000000", "Ctrl-C"):
        assert word in printed
    assert " INFO " not in printed, "the log is in its files"
    assert "Traceback" not in printed

    again = commands.run()
    assert again.returncode == 1
    assert str(web.pid) in again.stderr
    assert web.address in again.stderr
    assert f"run.py --data-dir '{commands.data_dir}' stop" in again.stderr

    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 0
    assert time.monotonic() - began < 5
    assert not [entry for entry in (web, host) if entry.alive]
    assert list(commands.registry.run_dir.iterdir()) == []
    assert commands.printed().endswith("\n已全部停止\n")
    assert "Traceback" not in commands.printed()


def test_what_dies_is_started_again_the_web_where_it_was(commands: Commands) -> None:
    child = commands.start("--port", "0")
    web, host = commands.up("web", "host")
    kill(web)
    kill(host)
    new_web, _ = commands.up("web", "host", unlike=(web, host))
    assert new_web.address == web.address
    eventually(lambda: healthy(new_web), "the new web answers")
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 0
    assert commands.registry.living() == []


def test_after_kill_9_the_next_run_py_adopts_and_ends_what_it_left(commands: Commands) -> None:
    first = commands.start("--port", "0")
    web, host = commands.up("web", "host")
    first.kill()
    first.wait()
    assert web.alive
    assert host.alive
    port = web.address.rpartition(":")[2]
    second = commands.start("--port", "1", "--interface", "ctp")
    commands.up("supervisor")
    assert commands.up("web", "host") == [web, host]
    said = eventually(
        lambda: "Ctrl-C" in (text := commands.printed().partition("接管了")[2]) and text, "all is said"
    )
    assert f"host（pid {host.pid}）、web（pid {web.pid}）；网页服务仍在 {web.address}" in said
    assert "这次给的 port = 1、interface = ctp 没有用上" in said
    assert said.rpartition("  地址")[2].splitlines()[0].endswith(port)
    kill(host)
    commands.up("host", unlike=(host,))  # the adopted ones are watched too
    second.send_signal(signal.SIGTERM)
    assert second.wait(30) == 0
    assert commands.registry.living() == []
    assert not web.alive


def test_stop_ends_what_runs_whoever_started_it(commands: Commands) -> None:
    assert "没有在运行的进程" in commands.run("stop").stdout
    commands.start("web", "--port", "0", CTPBEE_BACKEND_ASYNC_MODE="threading")
    (web,) = commands.up("web")
    commands.start("host")
    (host,) = commands.up("host")
    told = commands.run("stop").stdout
    assert f"已结束 web（pid {web.pid}）" in told
    assert f"已结束 host（pid {host.pid}）" in told
    assert commands.registry.living() == []


@pytest.mark.parametrize("mode", ["eventlet", "threading"])
def test_the_web_alone_serves_in_each_mode_and_sigterm_ends_it(commands: Commands, mode: str) -> None:
    child = commands.start("--port", "0", "web", CTPBEE_BACKEND_ASYNC_MODE=mode)
    (web,) = commands.up("web")
    assert healthy(web)
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 0
    assert commands.registry.find("web", only_living=False) is None
    assert "Traceback" not in commands.printed()


def test_a_second_web_on_the_same_data_is_refused(commands: Commands) -> None:
    commands.start("web", "--port", "0")
    (web,) = commands.up("web")
    second = commands.run("web", "--port", "0")
    assert second.returncode == 5
    assert str(web.pid) in second.stderr


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


@pytest.mark.parametrize("command", [[], ["web"]])
def test_a_port_that_is_taken_is_said_so_and_nothing_stays(
    commands: Commands, taken_port: int, command: list[str]
) -> None:
    done = commands.run("--port", str(taken_port), *command)
    assert done.returncode in (1, 4)
    assert f"无法监听 127.0.0.1:{taken_port}" in done.stderr
    assert "--port" in done.stderr
    assert commands.registry.living() == []


def test_run_py_gives_up_on_a_web_that_cannot_start_and_leaves_a_host_that_ran_before(
    commands: Commands,
) -> None:
    commands.start("host")
    (host,) = commands.up("host")
    (commands.data_dir / "secret.key").write_bytes(b"too short")
    done = commands.run("--port", "0")
    assert done.returncode == 2
    assert "令牌密钥" in done.stderr
    assert host.alive
    assert [entry.name for entry in commands.registry.living()] == ["host"]


def test_the_authorization_code_is_set_by_option_or_prompt_and_kept_as_a_hash(commands: Commands) -> None:
    assert commands.run("auth-code", "--code", "from-option-1").stdout == "授权码已修改\n"
    prompted = commands.run("auth-code", stdin="from-prompt-2\nfrom-prompt-2\n")
    assert prompted.returncode == 0
    too_short = commands.run("auth-code", "--code", "12345")
    assert (too_short.returncode, "6" in too_short.stderr) == (1, True)
    stored = b"".join(path.read_bytes() for path in commands.data_dir.rglob("*") if path.is_file())
    assert b"from-option-1" not in stored
    assert b"from-prompt-2" not in stored
    commands.start("--port", "0", "web")
    (web,) = commands.up("web")
    assert "000000" not in commands.printed()
    for code, wrong in (("000000", True), ("from-option-1", True), ("from-prompt-2", False)):
        assert (login_message(web, code) == "授权码错误") is wrong, code


def login_message(web: Entry, code: str) -> str:
    """What POST /login says to this code with a userid that no counter would take."""
    form = f"authorization={code}&userid=&password=&brokerid=9999".encode()
    with urllib.request.urlopen(f"{web.address}/login", form, timeout=10) as answer:
        return str(json.load(answer)["msg"])


def test_a_public_server_refuses_the_default_code_and_wants_origins(commands: Commands) -> None:
    for command in ([], ["web"]):
        refused = commands.run("--host", "0.0.0.0", "--port", "0", *command)
        assert (refused.returncode, "auth-code" in refused.stderr) == (2, True)
    assert commands.run("auth-code", "--code", "a-better-one").returncode == 0
    for command in ([], ["web"]):
        refused = commands.run("--host", "0.0.0.0", "--port", "0", *command)
        assert (refused.returncode, "origins" in refused.stderr) == (2, True)
    assert commands.registry.living() == []
    commands.start(
        "web", "--port", "0", CTPBEE_BACKEND_PUBLIC="true", CTPBEE_BACKEND_ORIGINS="https://a.example"
    )
    (web,) = commands.up("web")
    assert healthy(web)


def test_the_web_under_eventlet_is_green_from_the_ground_up(commands: Commands) -> None:
    """The patch comes before anything that would hold on to real threads and sockets, and complains of
    nothing.
    """
    script = """
        import run
        import app.commands.web
        from app.web.async_mode import patch
        print(patch(None))
        import threading
        from app.wire import channel, rpc
        from app.settings import Settings
        print(channel.socket.socket.__module__, threading.current_thread.__module__)
    """
    done = commands.python(script)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.split() == ["eventlet", "eventlet.greenio.base", "eventlet.green.threading"]


def test_the_app_for_uwsgi_takes_its_settings_from_the_environment_and_is_as_careful(
    commands: Commands,
) -> None:
    script = "import os, run; print(run.wsgi_app().name, flush=True); os._exit(0)"
    made = commands.python(script, CTPBEE_BACKEND_ASYNC_MODE="threading")
    assert (made.stdout, made.returncode) == ("app\n", 0), made.stderr
    refused = commands.python(script, CTPBEE_BACKEND_ASYNC_MODE="threading", CTPBEE_BACKEND_PUBLIC="1")
    assert refused.returncode == 1
    assert "000000" in refused.stderr


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("server.db", b"\0" * 5000, "restore"),
        ("secret.key", b"half a k", "令牌密钥"),
        ("version", b"", "已损坏"),
        ("version", b"99\n", "更新的程序"),
    ],
)
def test_what_a_power_cut_or_a_newer_version_left_is_said_in_one_line(
    commands: Commands, name: str, content: bytes, said: str
) -> None:
    commands.data_dir.mkdir(parents=True)
    (commands.data_dir / name).write_bytes(content)
    done = commands.run("web", "--port", "0")
    assert done.returncode == 2, done.stderr
    assert said in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert (commands.data_dir / name).read_bytes() == content


def test_several_webs_of_one_data_directory_have_a_number_each(commands: Commands) -> None:
    for number in ("1", "2"):
        commands.start("web", "--port", "0", "--instance", number, CTPBEE_BACKEND_ASYNC_MODE="threading")
    webs = commands.up("web-1", "web-2")
    assert all(healthy(web) for web in webs)
    assert webs[0].address != webs[1].address
    again = commands.run("web", "--port", "0", "--instance", "2")
    assert again.returncode != 0
    assert "web-2" in again.stderr
    stopped = commands.run("stop")
    assert stopped.returncode == 0
    assert "web-1" in stopped.stdout
    assert "web-2" in stopped.stdout


def test_with_json_on_stdout_every_line_of_every_process_is_an_object(commands: Commands) -> None:
    commands.start("--port", "0", CTPBEE_BACKEND_LOG_FORMAT="json", CTPBEE_BACKEND_LOG_TO="stdout")
    web, _, _ = commands.up("web", "host", "supervisor")
    assert healthy(web)
    assert commands.run("stop").returncode == 0
    lines = [json.loads(line) for line in commands.printed().splitlines()]
    assert {"web", "host", "supervisor"} <= {line["process"] for line in lines}
    assert any(web.address in line["message"] for line in lines)
    assert not (commands.data_dir / "logs").exists()
