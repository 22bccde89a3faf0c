"""The workshop with its real children: what pylint and we say of a text, and that nothing a text does when it
is run gets out or stays.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.lib.errors import RateLimited, RunCodeUnavailable
from app.lib.strategy_lib import BadCode
from app.process.child import ROOT
from app.settings import Settings
from app.workshop import sandbox, workshop
from app.workshop.workshop import Workshop
from tests.support.confinement import confined
from tests.support.waiting import eventually

ACCOUNT = "sim-9999-demo"
CLEAN = '''"""Waits for nothing."""
import math

import numpy as np
import pandas as pd
from ctpbee import CtpbeeApi
from ctpbee.constant import BarData, TickData


class Mine(CtpbeeApi):
    """One that does next to nothing."""

    def __init__(self, name: str, code: str) -> None:
        super().__init__(name)
        self.instrument_set = {code}
        self.closes: list = []

    def on_tick(self, tick: TickData) -> None:
        pass

    def on_bar(self, bar: BarData) -> None:
        self.closes.append(bar.close_price)
        if np.mean(self.closes) > math.pi and not pd.DataFrame(self.closes).empty:
            self.info("买开")
            self.action.buy_open(bar.close_price, 1, bar)


ext = Mine("双均线", "rb2510.SHFE")
'''

HOGS = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        x = bytearray(60_000_000)
        time.sleep(60)
time.sleep(60)
"""
ESCAPES = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
print('bye')
"""

OUTSIDE = """
import ctypes, os, socket, threading
libc = ctypes.CDLL(None, use_errno=True)
for flags in (0x10000000, 0x10000000 | 0x20000):
    print(libc.unshare(flags), ctypes.get_errno())
clone = 56 if os.uname().machine == "x86_64" else 220
print(libc.syscall(clone, 0x10000000 | 17, 0, 0, 0, 0), ctypes.get_errno())
for family in (40, 17, 38, 2, 1):
    try:
        print(family, socket.socket(family, socket.SOCK_STREAM if family != 38 else 5).fileno() > 0)
    except OSError as error:
        print(family, error.errno)
thread = threading.Thread(target=print, args=("a thread",))
thread.start()
thread.join()
os._exit(0 if os.fork() else 1)
"""
NOT_OUTSIDE = ["-1 1", "-1 1", "-1 1", "40 97", "17 97", "38 97", "2 True", "1 True", "a thread"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    data_dir = tmp_path_factory.mktemp("data")
    (data_dir / "secret.key").write_text("the secret")
    return Settings(data_dir=data_dir)


@pytest.fixture(scope="module")
def shop(settings: Settings) -> Workshop:
    with pytest.MonkeyPatch.context() as patient:
        patient.setattr(workshop, "CHECK_SECONDS", 120.0)  # how long a check waits for its turn
        return Workshop(settings)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time that a test can wait for, and a busy machine needs to start Python."""
    monkeypatch.setattr(workshop, "RUN_SECONDS", 5.0)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine reads slowly: a test that is about other things gives it time."""
    monkeypatch.setattr(workshop, "READ_SECONDS", 60.0)
    monkeypatch.setattr(workshop, "CHECK_SECONDS", 120.0)
    monkeypatch.setattr(workshop, "RUN_SECONDS", 60.0)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    eventually(lambda: not psutil.Process().children(recursive=True), "every child has ended")


# ── reading and checking ──


def test_a_clean_strategy_gives_nothing_to_say(shop: Workshop) -> None:
    assert shop.check(ACCOUNT, CLEAN) == []


def test_what_the_server_adds_to_ctpbees_api_is_known_and_nothing_else(shop: Workshop) -> None:
    text = CLEAN.replace('self.info("买开")', 'self.success(f"买开 {self.name}")\n            self.nothing()')
    assert [(row["error"], row["message"]) for row in shop.check(ACCOUNT, text)] == [
        ("no-member", "Instance of 'Mine' has no 'nothing' member")
    ]


def test_the_example_is_clean_too(shop: Workshop) -> None:
    assert shop.check(ACCOUNT, (ROOT / "strategies" / "double_average.py").read_text("utf-8")) == []


def test_the_one_that_readme_walks_through_is_clean_and_called_as_readme_calls_it(shop: Workshop) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    text = readme.partition("```python\n")[2].partition("```")[0]
    assert shop.check(ACCOUNT, text) == []
    assert f"-d name={shop.read(ACCOUNT, text)} -d operation=开启" in readme


def test_pylint_and_we_are_heard_together_with_explanations(shop: Workshop) -> None:
    text = CLEAN.replace("import math\n", "import math\nimport os\nimport nowhere\nimport time\n").replace(
        "        pass\n", "        time.sleep(nothing)\n"
    )
    found: list[Any] = shop.check(ACCOUNT, text)
    assert [(row["code"], row["error"], row["line"]) for row in found] == [
        ("W0611", "unused-import", 3),
        ("E0401", "import-error", 4),
        ("W0611", "unused-import", 4),
        ("B9020", "blocking-call", 22),
        ("E0602", "undefined-variable", 22),
    ]
    assert found[4] == {
        "code": "E0602",
        "error": "undefined-variable",
        "message": "Undefined variable 'nothing'",
        "line": 22,
        "error_info": "Used when an undefined variable is accessed.",
    }


def test_a_syntax_error_is_one_finding_with_its_line(shop: Workshop) -> None:
    (found,) = shop.check(ACCOUNT, "x = 1\nclass A(:\n    pass\n")
    assert (found["code"], found["error"], found["line"]) == ("E0001", "syntax-error", 2)
    assert "/" not in found["message"]


@pytest.mark.parametrize(
    "text",
    ["", "x = '\ud800'", "\0", "(" * 250_000, "-" * 250_000 + "1", "a." * 100_000 + "a", "9" * 250_000],
    ids=lambda text: repr(text[:5]),
)
def test_no_text_keeps_it_from_answering(shop: Workshop, text: str) -> None:
    assert shop.check(ACCOUNT, text)
    with pytest.raises(BadCode):
        shop.read(ACCOUNT, text)


def test_a_text_that_takes_too_long_is_refused(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "READ_SECONDS", 0.01)
    with pytest.raises(BadCode) as caught:
        shop.read(ACCOUNT, CLEAN)
    assert caught.value.code == "TOO_COMPLEX"


def test_two_checks_of_an_account_are_made_one_after_the_other(shop: Workshop) -> None:
    found: list[Any] = []
    pages = [threading.Thread(target=lambda: found.append(shop.check(ACCOUNT, "x = 1\n"))) for _ in range(2)]
    for page in pages:
        page.start()
    for page in pages:
        page.join()
    assert [rows[0]["error"] for rows in found] == ["no-ext", "no-ext"]


def test_the_name_is_read_in_a_child_and_errors_keep_their_line(shop: Workshop) -> None:
    assert shop.read(ACCOUNT, CLEAN) == "双均线"
    with pytest.raises(BadCode) as caught:
        shop.read(ACCOUNT, CLEAN + "ext = 1\n")
    assert (caught.value.code, caught.value.extra["line"]) == ("EXT_TWICE", 29)


# ── running ──


def test_it_is_off_for_the_public_and_by_its_setting(tmp_path: Path) -> None:
    for off in (
        Settings(data_dir=tmp_path, run_code=False),
        Settings(data_dir=tmp_path, public=True),
        Settings(data_dir=tmp_path, host="0.0.0.0"),
    ):
        with pytest.raises(RunCodeUnavailable) as caught:
            Workshop(off).run(ACCOUNT, "print(1)")
        assert caught.value.code == "RUN_CODE_OFF"


def test_root_never_runs_it_without_bubblewrap(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(os, "getuid", lambda: 0)
    with pytest.raises(RunCodeUnavailable) as caught:
        Workshop(settings).run(ACCOUNT, "print(1)")
    assert caught.value.code == "RUN_CODE_UNAVAILABLE"
    assert "bubblewrap" in caught.value.message


@confined
class TestConfined:
    def test_what_it_prints_comes_back_in_order(self, shop: Workshop) -> None:
        ran = shop.run(ACCOUNT, "import sys\nprint('一')\nprint('二', file=sys.stderr)\nprint('三')\n1 / 0\n")
        assert ran.output.startswith("一\n二\n三\nTraceback")
        assert ran.output.endswith("ZeroDivisionError: division by zero\n")
        assert "line 5, in <module>\n    1 / 0\n" in ran.output
        assert (ran.limit, ran.exit_code, ran.msg) == ("", 1, "")

    def test_ctpbee_and_pandas_can_be_imported_and_home_be_written(self, shop: Workshop) -> None:
        ran = shop.run(
            ACCOUNT,
            CLEAN + "import os\nopen(os.environ['HOME'] + '/x', 'w').write('x')\nprint(ext.extension_name)\n",
        )
        assert (ran.output, ran.exit_code) == ("双均线\n", 0)

    def test_nothing_of_ours_is_in_its_environment(
        self, shop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CTPBEE_BACKEND_SECRET", "the secret")
        monkeypatch.setenv("AWS_SECRET", "the secret")
        ran = shop.run(ACCOUNT, "import os\nprint(sorted(os.environ))\nprint(os.getcwd())")
        names = {
            "HOME",
            "PATH",
            "LANG",
            "PYTHONUNBUFFERED",
            "PYTHONDONTWRITEBYTECODE",
            "OPENBLAS_NUM_THREADS",
            "PWD",
        }
        assert set(eval(ran.output.splitlines()[0])) <= names | {"LC_CTYPE"}

    def test_the_data_directory_other_processes_and_the_network_are_not_there(
        self, shop: Workshop, settings: Settings
    ) -> None:
        ours = (settings.data_dir / "secret.key", settings.strategies_dir, ROOT / "run.py")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            text = f"""
import os, socket
for path in {[str(path) for path in ours]} + ["/etc/passwd", "/root/.bashrc", "/home"]:
    print(os.path.exists(path))
print([name for name in os.listdir("/proc") if name.isdigit() and int(name) > 20])
try:
    socket.create_connection(("127.0.0.1", {listener.getsockname()[1]}), 1)
except OSError as error:
    print(type(error).__name__)
for path in ("/x", "/dev/x", "/usr/x", "/etc/x"):
    try:
        open(path, "w")
    except OSError as error:
        print(error.errno)
print(os.getuid() == 0)
"""
            ran = shop.run(ACCOUNT, text)
        assert ran.output.splitlines() == ["False"] * 6 + ["[]", "ConnectionRefusedError"] + ["30"] * 4 + [
            "False"
        ]

    def test_a_data_directory_below_what_is_shown_is_hidden(self, tmp_path: Path) -> None:
        below = Path(sys.base_prefix) / "share" / f"test-{os.getpid()}"
        try:
            below.mkdir(parents=True)
        except OSError:
            pytest.skip("Python's own directory is not writable here")
        try:
            (below / "secret.key").write_text("the secret")
            ran = Workshop(Settings(data_dir=below)).run(
                ACCOUNT, f"import os\nprint(os.listdir({str(below)!r}))"
            )
        finally:
            shutil.rmtree(below)
        assert ran.output == "[]\n"

    def test_no_user_namespace_is_made_and_no_socket_leaves_by_another_family(self, shop: Workshop) -> None:
        ran = shop.run(ACCOUNT, OUTSIDE)
        assert ran.output.splitlines() == NOT_OUTSIDE

    def test_an_endless_loop_is_ended_and_that_is_said(self, shop: Workshop, short: None) -> None:
        ran = shop.run(ACCOUNT, "print('on it', flush=True)\nwhile True:\n    pass")
        assert ran.limit == "time"
        assert ran.output.startswith("on it\n[运行超过")
        assert ran.msg in ran.output

    def test_endless_output_is_cut_off(self, shop: Workshop) -> None:
        ran = shop.run(ACCOUNT, "import sys\nwhile True:\n    sys.stdout.write('x' * 1_000_000)")
        assert ran.limit == "output"
        assert workshop.RUN_OUTPUT < len(ran.output) < workshop.RUN_OUTPUT + 100

    def test_memory_is_counted_over_all_its_processes(
        self, shop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(workshop, "RUN_MEMORY", 128 * 1024**2)
        assert shop.run(ACCOUNT, HOGS).limit == "memory"

    def test_files_do_not_fill_the_machine(self, shop: Workshop) -> None:
        text = (
            "for n in range(100):\n    with open(f'{n}', 'wb') as file:\n        "
            "file.write(bytes(10_000_000))"
        )
        ran = shop.run(ACCOUNT, text)
        assert "No space left" in ran.output

    def test_a_fork_bomb_ends_with_it(self, shop: Workshop, short: None) -> None:
        ran = shop.run(
            ACCOUNT, "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
        )
        assert ran.limit in ("time", "memory")

    def test_a_grandchild_in_a_session_of_its_own_ends_with_it(self, shop: Workshop) -> None:
        ran = shop.run(ACCOUNT, ESCAPES)
        assert (ran.output, ran.limit) == ("bye\n", "")

    def test_one_at_a_time_of_an_account(self, shop: Workshop) -> None:
        def run_long() -> None:
            with contextlib.suppress(Exception):  # it is killed below
                shop.run(ACCOUNT, "import time\ntime.sleep(60)")

        def ended() -> bool:
            for process in psutil.Process().children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            return not first.is_alive()

        first = threading.Thread(target=run_long)
        first.start()
        eventually(lambda: psutil.Process().children(), "the first one runs")
        with pytest.raises(RateLimited) as caught:
            shop.run(ACCOUNT, "print(1)")
        assert caught.value.code == "RUN_CODE_BUSY"
        assert shop.run("sim-9999-another", "print(1)").output == "1\n"
        eventually(ended, "the first one has ended")


@pytest.mark.skipif(sandbox.landlock_version() < 1, reason="Landlock is an option of the kernel, from 5.13")
class TestWithoutBubblewrap:
    @pytest.fixture
    def shop(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Workshop:
        """As it is for an ordinary user where there is none, whoever runs the tests."""
        made = Workshop(settings)
        monkeypatch.setattr(made, "_confinement", lambda: "")
        return made

    def test_no_user_namespace_is_made_and_no_socket_leaves_by_another_family(self, shop: Workshop) -> None:
        assert [
            line for line in shop.run(ACCOUNT, OUTSIDE).output.splitlines() if not line.startswith("2 ")
        ] == [line for line in NOT_OUTSIDE if not line.startswith("2 ")]

    def test_everything_is_ended_too(self, shop: Workshop, short: None) -> None:
        ran = shop.run(
            ACCOUNT,
            "import os\nprint(os.getcwd() == os.environ['HOME'], flush=True)\n" + ESCAPES + "time.sleep(60)",
        )
        assert ran.limit == "time"
        assert ran.output.startswith("True\nbye\n")

    def test_ctpbee_and_pandas_can_be_imported_and_home_be_written(self, shop: Workshop) -> None:
        ran = shop.run(
            ACCOUNT,
            CLEAN + "import os\nopen(os.environ['HOME'] + '/x', 'w').write('x')\nprint(ext.extension_name)\n",
        )
        assert (ran.output, ran.exit_code) == ("双均线\n", 0)

    def test_other_files_are_out_of_reach(self, shop: Workshop, settings: Settings, tmp_path: Path) -> None:
        others = [
            settings.data_dir / "secret.key",
            ROOT / "run.py",
            Path("/etc/passwd"),
            Path(f"/proc/{os.getpid()}/environ"),
        ]
        text = f"""
for path in {[str(path) for path in others]}:
    try:
        open(path)
    except OSError as error:
        print(error.errno)
for path in ({str(tmp_path / "x")!r}, "/usr/x", {str(settings.data_dir / "secret.key")!r}):
    try:
        open(path, "w")
    except OSError as error:
        print(error.errno)
"""
        assert shop.run(ACCOUNT, text).output.split() == ["13"] * 7

    @pytest.mark.skipif(sandbox.landlock_version() < 6, reason="from Linux 6.12")
    def test_tcp_and_signals_are_out_of_reach(self, shop: Workshop) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            text = f"""
import os, socket
for act in (
    lambda: socket.create_connection(("127.0.0.1", {listener.getsockname()[1]}), 1),
    lambda: os.kill({os.getpid()}, 0),
):
    try:
        act()
    except OSError as error:
        print(type(error).__name__)
"""
            assert shop.run(ACCOUNT, text).output.split() == ["PermissionError"] * 2


def test_where_nothing_confines_it_it_is_not_run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    inside = Settings(data_dir=Path(sys.prefix) / "data")
    monkeypatch.setattr(sandbox, "landlock_version", lambda: 0)
    with pytest.raises(RunCodeUnavailable):
        Workshop(settings).run(ACCOUNT, "print(1)")
    monkeypatch.setattr(sandbox, "landlock_version", lambda: 6)
    with pytest.raises(RunCodeUnavailable):
        Workshop(inside).run(ACCOUNT, "print(1)")


@confined
def test_the_project_and_its_data_are_hidden_where_they_lie_below_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python, project = tmp_path / "python", tmp_path / "python" / "project"
    prefix = project / ".venv"
    data = prefix / "data"
    data.mkdir(parents=True)
    for folder in (python, project, prefix, data):
        (folder / "x").touch()
    monkeypatch.setattr(sys, "base_prefix", str(python))
    monkeypatch.setattr(sys, "prefix", str(prefix))
    monkeypatch.setattr(sandbox, "ROOT", project)
    command = sandbox.bubblewrap(str(shutil.which("bwrap")), [data])
    done = subprocess.run(
        [*command, "/usr/bin/find", str(python), "-name", "x"], capture_output=True, text=True
    )
    assert sorted(done.stdout.split()) == [str(prefix / "x"), str(python / "x")]
