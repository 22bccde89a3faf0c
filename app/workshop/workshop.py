"""The web's side of the workshop: starts the children, bounds how many and how long, and understands their
answers. Web process.

Plain subprocess and threading: under eventlet and gevent the web's monkey patching makes waiting for a child
green, and quotes go on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from app.lib.errors import RateLimited, RunCodeUnavailable
from app.lib.program import is_checkout
from app.lib.strategy_check import Finding
from app.lib.strategy_lib import BadCode
from app.process.child import ROOT
from app.settings import PREFIX, Settings
from app.workshop import sandbox
from app.workshop.keeper import ENDING, Job, Ran

READ_SECONDS = 10.0
CHECK_SECONDS = 20.0
RUN_SECONDS = 10.0
RUN_MEMORY = 512 * 1024**2
RUN_OUTPUT = 256 * 1024
CHECKS_AT_ONCE = 4  # of the server
RUNS_AT_ONCE = 2
BUSY_SECONDS = 5  # how long others are told to wait
_LIMITS = {
    "time": f"运行超过 {RUN_SECONDS:g} 秒，已终止",
    "memory": f"内存超过 {RUN_MEMORY // 1024**2} MB，已终止",
    "output": f"输出超过 {RUN_OUTPUT // 1024} KB，其余已丢弃，已终止",
}


class Printed(NamedTuple):
    """What a text did when it was run."""

    output: str
    """What it wrote to stdout and stderr, in order; where a limit fired, a last line says so."""
    limit: str
    """time, memory, output, or empty."""
    exit_code: int
    msg: str
    """Which limit fired, for people."""


class Workshop:
    """Reads, checks and tries out texts. One per server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._checks = _Turns(
            CHECKS_AT_ONCE, CHECK_SECONDS, "同时检查的代码过多，请稍后再试", "CHECK_CODE_BUSY"
        )
        self._runs = _Turns(RUNS_AT_ONCE, 0.0, "正在试运行的代码过多，请等上一次结束", "RUN_CODE_BUSY")
        self._probing = threading.Lock()
        self._bubblewrap: str | None = None  # None: not known yet

    def read(self, account: str, text: str) -> str:
        """The name of the strategy in `text`. Raises BadCode, RateLimited."""
        with self._checks.one(account):
            answer = self._ask_checking("parse", text, READ_SECONDS)
        if "name" in answer:
            return str(answer["name"])
        raise BadCode.rebuild("BadCode", answer["code"], answer["message"], answer["extra"])

    def parameters(self, account: str, text: str) -> dict[str, Any]:
        """The strategy's name and what of it can be set: {name, parameters: [{name, default, kind}, …]}.
        Raises BadCode, RateLimited.
        """
        with self._checks.one(account):
            answer = self._ask_checking("parameters", text, READ_SECONDS)
        if "name" in answer:
            return answer
        raise BadCode.rebuild("BadCode", answer["code"], answer["message"], answer["extra"])

    def check(self, account: str, text: str) -> list[Finding]:
        """pylint's findings and ours, in the order of the lines. Raises BadCode where the text is too much
        for either, RateLimited.
        """
        with self._checks.one(account):
            findings: list[Finding] = self._ask_checking("check", text, CHECK_SECONDS)["findings"]
            return findings

    def run(self, account: str, text: str) -> Printed:
        """Run `text` within its limits. Raises RunCodeUnavailable, RateLimited, BadCode (not UTF-8)."""
        if not self._settings.run_code:
            raise RunCodeUnavailable("本服务关闭了试运行（设置 run_code）", code="RUN_CODE_OFF")
        if self._settings.is_public:
            raise RunCodeUnavailable("对外服务不提供试运行", code="RUN_CODE_OFF")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise BadCode("代码不是 UTF-8", code="NOT_UTF8") from None
        with self._runs.one(account):
            hidden = [str(self._settings.data_dir), str(self._settings.strategies_dir)]
            job = Job(text, os.getpid(), self._confinement(), hidden, RUN_SECONDS, RUN_MEMORY, RUN_OUTPUT)
            answer = self._child(["app.workshop.keeper"], msgspec.json.encode(job), RUN_SECONDS + 2 * ENDING)
            ran = msgspec.json.decode(answer, type=Ran)
        msg = _LIMITS.get(ran.limit, "")
        line_end = "" if ran.output.endswith("\n") or not ran.output else "\n"
        return Printed(
            f"{ran.output}{line_end}[{msg}]\n" if msg else ran.output, ran.limit, ran.exit_code, msg
        )

    def _confinement(self) -> str:
        """bubblewrap's path; empty where Landlock has to do. Raises RunCodeUnavailable. bubblewrap is tried
        once.
        """
        with self._probing:
            if self._bubblewrap is None:
                self._bubblewrap = self._working_bubblewrap()
        if self._bubblewrap:
            return self._bubblewrap
        if sys.platform != "linux":
            raise RunCodeUnavailable("试运行需要 Linux")
        if os.getuid() == 0:
            raise RunCodeUnavailable(
                "以 root 运行的服务需要 bubblewrap 才能试运行，而它没有安装或在此不能使用"
            )
        hidden = [self._settings.data_dir, self._settings.strategies_dir, *([ROOT] if is_checkout() else [])]
        if not sandbox.landlock_hides(hidden):
            raise RunCodeUnavailable(
                "试运行需要 bubblewrap：它没有安装或在此不能使用，而 Landlock 在此不足以隔离"
            )
        return ""

    def _working_bubblewrap(self) -> str:
        program = shutil.which("bwrap")
        if program is None or sys.platform != "linux":
            return ""
        command = [*sandbox.bubblewrap(program, [self._settings.data_dir]), sandbox.python(), "-I", "-c", ""]
        try:
            _answer_of(command, b"", READ_SECONDS, stderr=subprocess.DEVNULL)
        except TookTooLong:  # says nothing of whether it works
            raise RunCodeUnavailable("bubblewrap 没有及时应答，请稍后再试") from None
        except subprocess.CalledProcessError:
            return ""
        return program

    def _ask_checking(self, task: str, text: str, seconds: float) -> dict[str, Any]:
        module = ["app.workshop.checking", task, str(os.getpid())]
        with tempfile.TemporaryDirectory(
            prefix="check-"
        ) as folder:  # a child that is killed clears nothing away
            try:
                written = self._child(module, text.encode("utf-8", "surrogatepass"), seconds, TMPDIR=folder)
                answer: dict[str, Any] = msgspec.json.decode(written)
            except (TookTooLong, subprocess.CalledProcessError, msgspec.DecodeError):
                raise BadCode("代码过于复杂，没能读完", code="TOO_COMPLEX") from None
        return answer

    def _child(self, module: list[str], stdin: bytes, seconds: float, **environment: str) -> bytes:
        """What `python -m module` answers. Raises TookTooLong, CalledProcessError."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        return _answer_of(
            [sandbox.python(), "-m", *module], stdin, seconds, cwd=ROOT, env=inherited | environment
        )


class TookTooLong(Exception):
    """The child was ended, since it took longer than it may."""


def _answer_of(command: list[str], stdin: bytes, seconds: float, **more: Any) -> bytes:
    """What it wrote to stdout. Raises CalledProcessError for an exit code other than 0, TookTooLong when we
    have ended it.

    With a timer of our own: under eventlet the TimeoutExpired of subprocess is of a second copy of that
    module.
    """
    late = threading.Event()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, **more
    ) as child:

        def end() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(seconds, end)
        timer.start()
        try:
            output: bytes = child.communicate(stdin)[0]
        except BaseException:  # the web ends, or the connection of who asked
            child.kill()
            raise
        finally:
            timer.cancel()
    if late.is_set():
        raise TookTooLong
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return output


class _Turns:
    """How many at once, of the server and of an account (one). Who waits longer than `patience` is told to
    come again.
    """

    def __init__(self, most: int, patience: float, message: str, code: str) -> None:
        self._most = most
        self._patience = patience
        self._message = message
        self._code = code
        self._busy: set[str] = set()
        self._freed = threading.Condition()

    @contextmanager
    def one(self, account: str) -> Iterator[None]:
        """While inside it is the account's turn. Raises RateLimited when it does not come in time."""
        with self._freed:
            if not self._freed.wait_for(
                lambda: account not in self._busy and len(self._busy) < self._most, self._patience
            ):
                raise RateLimited(self._message, BUSY_SECONDS, code=self._code)
            self._busy.add(account)
        try:
            yield
        finally:
            with self._freed:
                self._busy.discard(account)
                self._freed.notify_all()
