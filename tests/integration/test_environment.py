"""tools/environment.sh, which the Makefile calls: what it tells a new user, with programs made up for it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
SCRIPT = str(ROOT / "tools/environment.sh")
OLD = """
case "$*" in
*version_info*print*|*print*version_info*) echo 3.10 ;;
*version_info*) exit 1 ;;
"-m venv"*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; cp "$(dirname "$0")/uv.made" "$3/bin/uv" ;;
esac
"""


class Machine:
    """A folder to make an environment in, and a PATH on which no Python is new enough."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "bin"
        for name in ("python3", "python3.11", "python3.12", "python3.13"):
            self.put(f"bin/{name}", OLD)
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "UV_", "PYTHON", "SSL_", "NODE_"))
        }
        self.environment |= {"PATH": f"{self.programs}:/usr/bin:/bin", "HOME": str(folder)}

    def put(self, name: str, script: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}")
        path.chmod(0o755)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", SCRIPT, *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=30,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_where_every_python_is_too_old_uv_brings_one(machine: Machine) -> None:
    machine.put("bin/uv.made", 'echo "$*" > asked; mkdir -p .venv/bin')
    done = machine.run("python")
    assert (done.returncode, done.stderr) == (0, "")
    assert (machine.folder / "asked").read_text() == "venv --python 3.11 .venv\n"
    assert done.stdout.splitlines() == [
        "== 系统的 Python 是 3.10，需要 3.11 或更高：用 uv 另取一个",
        "== 取 uv",
        "== 用 uv 取 Python 3.11，建立 .venv",
    ]


def test_where_uv_cannot_the_recipe_is_said_and_nothing_half_made_stays(machine: Machine) -> None:
    machine.put("bin/uv.made", "mkdir -p .venv/bin; echo 'error: dns error' >&2; exit 2")
    done = machine.run("python")
    assert done.returncode == 1
    assert "error: dns error" in done.stderr
    assert "apt-get install python3.11 python3.11-venv" in done.stderr.splitlines()[-1]
    assert "UV_PYTHON_INSTALL_MIRROR" in done.stderr.splitlines()[-1]
    assert not (machine.folder / ".venv").exists()


def test_a_uv_that_is_there_is_taken(machine: Machine) -> None:
    machine.put("bin/uv", 'echo "$*" > asked')
    done = machine.run("python")
    assert (done.returncode, done.stdout) == (0, "== 用 uv 取 Python 3.11，建立 .venv\n")
    assert (machine.folder / "asked").exists()


@pytest.mark.parametrize(
    ("environment", "configured", "index"),
    [
        ({}, "", ""),
        ({"PIP_INDEX_URL": "https://mirror.example/simple"}, "", "https://mirror.example/simple"),
        ({}, "https://of.pip/simple", "https://of.pip/simple"),
        (
            {"UV_DEFAULT_INDEX": "https://of.uv/simple", "PIP_INDEX_URL": "https://mirror.example/simple"},
            "https://of.pip/simple",
            "https://of.uv/simple",
        ),
    ],
)
def test_pips_index_is_uvs_too_and_a_line_a_step_is_all_that_is_shown(
    machine: Machine, environment: dict[str, str], configured: str, index: str
) -> None:
    machine.put(".venv/bin/python", f"echo {configured}" if configured else "exit 1")
    machine.put(".venv/bin/uv", 'echo "$UV_DEFAULT_INDEX" >> asked; echo "$*" >> asked; seq 69')
    done = machine.run("packages", "安装依赖", "-r", "requirements.txt", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    shown = f"，来自 {index}" if index else ""
    assert done.stdout.splitlines() == [f"== 安装依赖{shown}", "== 编译成字节码，约 10 秒"]
    asked = (machine.folder / "asked").read_text().splitlines()
    assert asked[0::2] == [index, index]
    assert ["--compile-bytecode" in line for line in asked[1::2]] == [False, True]


@pytest.mark.parametrize(
    ("environment", "configured", "handed_on"),
    [
        ({"PIP_CERT": "company.pem"}, "", "company.pem"),
        ({}, "company.pem", "company.pem"),
        ({"PIP_CERT": "company.pem", "SSL_CERT_FILE": "mine.pem"}, "", "mine.pem"),
        ({"PIP_CERT": "gone.pem"}, "", ""),
    ],
)
def test_pips_certificates_are_uvs_too(
    machine: Machine, environment: dict[str, str], configured: str, handed_on: str
) -> None:
    (machine.folder / "company.pem").touch()
    answers = f'case "$*" in *global.cert) echo {configured} ;; *) exit 1 ;; esac'
    machine.put(".venv/bin/python", answers if configured else "exit 1")
    machine.put(".venv/bin/uv", 'echo "$SSL_CERT_FILE" > asked')
    assert machine.run("packages", "安装依赖", "-r", "requirements.txt", **environment).returncode == 0
    assert (machine.folder / "asked").read_text().strip() == handed_on
    machine.put("tools/node.sh", 'echo "$NODE_EXTRA_CA_CERTS" > asked')
    (machine.folder / "page").mkdir()
    assert machine.run("page", "install", **environment).returncode == 0
    assert (machine.folder / "asked").read_text().strip() == handed_on


def test_a_password_of_the_index_is_not_shown(machine: Machine) -> None:
    machine.put(".venv/bin/python", "")
    machine.put(".venv/bin/uv", "")
    done = machine.run("packages", "安装", PIP_INDEX_URL="https://me:geheim@mirror.example/simple")
    assert "https://mirror.example/simple" in done.stdout
    assert "geheim" not in done.stdout


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("error sending request for url", "连不上软件源：检查网络与代理（https_proxy），或用镜像"),
        ("error sending request: invalid peer certificate: UnknownIssuer", "软件源的证书不被承认"),
        ("no version satisfies", "没有装成，原因见上面"),
    ],
)
def test_what_failed_is_shown_whole_and_one_sentence_says_what_to_do(
    machine: Machine, printed: str, said: str
) -> None:
    machine.put(".venv/bin/python", "exit 1")
    machine.put(".venv/bin/uv", f"echo {printed}; exit 2")
    done = machine.run("packages", "安装依赖")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == printed
    assert done.stderr.splitlines()[-1].startswith(said)


def test_in_a_terminal_the_seconds_are_counted_and_ctrl_c_ends_all_of_it(machine: Machine) -> None:
    machine.put(".venv/bin/python", "exit 1")
    machine.put(".venv/bin/uv", "echo $$ > pid; exec sleep 60")
    pid, terminal = pty.fork()
    if not pid:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # it is ignored in the background
        os.chdir(machine.folder)
        os.execve("/bin/sh", ["sh", SCRIPT, "packages", "安装依赖"], machine.environment)
    told = b""
    while "（1 秒）".encode() not in told:
        told += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) in (130, -2)
    child = int((machine.folder / "pid").read_text())
    eventually(lambda: not Path(f"/proc/{child}").exists(), "what it started is gone")
    os.close(terminal)
