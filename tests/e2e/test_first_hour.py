"""The first hour of a new user, on a minimal Debian 12, by exactly README.md's lines."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.bare_system import ROOT, BareSystem, Terminal, Unavailable
from tests.support.readme import README, block_with, cloned_from, line_with
from tests.support.waiting import eventually

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]

START = "快速开始"
WALK = "用 curl 走一遍"


@pytest.fixture(scope="module")
def readme() -> str:
    return README.read_text("utf-8")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, readme: str) -> Iterator[BareSystem]:
    """With what README.md's first line installs, and nothing else."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 5000)) == 0:
            pytest.skip("port 5000, which README.md's lines name, is taken on this machine")
    system = BareSystem(tmp_path_factory.mktemp("bare") / "debian")
    try:
        system.open()
    except Unavailable as why:
        pytest.skip(f"no bare Debian here: {why}")
    try:
        first = block_with(readme, START, "git clone").splitlines()[0]
        assert first.startswith("sudo apt-get"), first
        system.root("export DEBIAN_FRONTEND=noninteractive; " + first.replace("sudo ", ""))
        yield system
    finally:
        system.close()


@pytest.fixture(scope="module")
def address(bare: BareSystem) -> str:
    return bare.take_repository(ROOT)


@pytest.fixture(scope="module")
def began() -> float:
    return time.monotonic()


@pytest.fixture(scope="module")
def running(bare: BareSystem, readme: str, address: str, began: float) -> Terminal:
    """What README.md's lines from `git clone` on start."""
    lines = block_with(readme, START, "git clone").splitlines()[1:]
    terminal = bare.terminal(cloned_from("\n".join(lines), address))
    terminal.wait_for(r"地址 +http://127\.0\.0\.1:5000\n", 900)
    return terminal


def test_from_the_clone_to_the_first_tick_by_the_lines_of_the_readme(
    bare: BareSystem, readme: str, running: Terminal, began: float, capsys: pytest.CaptureFixture[str]
) -> None:
    log_in = running.wait_for(r"curl .*/login .*\n", 10)[0]
    assert json.loads(bare.user(log_in))["success"]
    walk = block_with(readme, WALK, "/login")
    variables = walk[: walk.index("curl -s -H")]
    subscribe, ask = line_with(walk, "/market"), line_with(block_with(readme, WALK, "/tick?"), "/tick?")
    assert json.loads(bare.user(f"{variables}{subscribe}"))["success"]
    tick = eventually(lambda: json.loads(bare.user(f"{variables}{ask}"))["data"], "a tick", 60)
    say(capsys, f"from git clone to the first tick: {time.monotonic() - began:.0f} s")
    assert tick["last_price"] > 0


def test_what_is_printed_to_be_opened_is_the_page(
    bare: BareSystem, running: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    address = running.wait_for(r"打开 +(http://\S+/) ", 10)[1]
    document = bare.user(f"curl -sf {address}")
    script = re.search(r'href="\./(assets/start-\S+\.js)"', document)
    assert script is not None, document
    sizes = bare.user(
        f"for how in identity gzip; do curl -sf -H Accept-Encoding:$how {address}{script[1]} | wc -c; done"
    )
    plain, packed = map(int, sizes.split())
    say(capsys, f"the page's largest script: {plain} bytes, {packed} on the line")
    assert packed < plain / 2
    assert "ctpbee_backend" in bare.user(f"curl -sf {address}docs")


def test_the_walk_with_curl_trades(bare: BareSystem, readme: str, running: Terminal) -> None:
    printed = bare.user(block_with(readme, WALK, "/login"))
    assert printed.count('"success":true') == 5, printed
    assert "多 开 1" in printed, printed


def test_make_stop_ends_what_make_run_started(bare: BareSystem, running: Terminal) -> None:
    bare.user("cd ctpbee_backend && make stop")
    assert running.wait(30) == 0, running.printed


# Those that a terminal could disturb, or that could leave something. All of `make test` took 500 s there
# (two cores, loaded): .ci/run calls it outside.
OF_TERMINALS = "tests/unit/commands tests/integration/test_run_commands.py tests/e2e/test_processes.py"


def test_make_test_passes_in_a_terminal_and_leaves_nothing(
    bare: BareSystem, running: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = bare.terminal(f"cd ctpbee_backend && make test ARGS='{OF_TERMINALS}'")
    code = terminal.wait(600)
    say(capsys, f"make test there: {terminal.printed.splitlines()[-1]}")
    assert code == 0, terminal.printed[-20000:]
    assert terminal.echoes()
    assert bare.root("find /tmp -mindepth 1 -maxdepth 1 -type d -not -name 'pytest-of-*'") == ""


def test_the_command_installs_by_pip_alone_without_a_compiler(
    bare: BareSystem, readme: str, address: str
) -> None:
    bare.user(f"git clone -q {address} own && python3 -m venv own/.venv")
    for line in ("pip install --no-deps -r requirements.lock", "pip install --no-deps ."):
        assert f"`{line}`" in readme
        bare.user(f"cd own && . .venv/bin/activate && {line}")
    assert "Usage: ctpbee-backend" in bare.user("own/.venv/bin/ctpbee-backend --help")


def say(capsys: pytest.CaptureFixture[str], sentence: str) -> None:
    with capsys.disabled():
        print(f"\n{sentence}")
