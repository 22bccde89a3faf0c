"""A MongoDB server for the tests: the one that TEST_MONGO_URI names, or FerretDB 1.24 over SQLite, built once
from the Go module proxy.

FerretDB speaks MongoDB's protocol on a free port, telemetry off, and is ended with the test. Its source is
compiled into build/ferretdb (git-ignored) by whoever first wants it, which takes a minute or two: with the go
of this machine if it is 1.22 or later, else with one that it fetches. `python -m tests.support.mongodb`
builds it, too: make test-full does, since a test may not take that long.
"""

from __future__ import annotations

import json
import os
import platform
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import eventually

VERSION = "v1.24.0"
FOLDER = Path(__file__).parents[2] / "build" / "ferretdb"
BINARY = FOLDER / f"ferretdb-{VERSION}"
NEWER_GO = "golang.org/toolchain@v0.0.1-go1.22.12.linux-amd64"
GIVEN = os.environ.get("TEST_MONGO_URI", "")


def build() -> Path:
    """The server's program, built if it is not there. Fails with what the compiler says."""
    if BINARY.exists():
        return BINARY
    import fcntl

    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be building it
        if not BINARY.exists():
            program = _compiler()
            source = _module(program, f"github.com/FerretDB/FerretDB@{VERSION}", FOLDER / "source")
            (source / "build" / "version" / "version.txt").write_text(VERSION)  # it will not run without
            _go(program, source, "build", "-o", str(BINARY.with_suffix(".new")), "./cmd/ferretdb")
            os.replace(BINARY.with_suffix(".new"), BINARY)
            for folder in (source, FOLDER / "go"):
                shutil.rmtree(folder, ignore_errors=True)
    return BINARY


def _compiler() -> str:
    """A go of 1.22 or later: the machine's, or one that the machine's fetches and checks as it does any
    module. Debian 12 packages 1.19.
    """
    assert shutil.which("go"), "go is needed to build FerretDB (Debian: apt-get install golang-go)"
    found = re.match(r"go(\d+)\.(\d+)", _go("go", FOLDER, "env", "GOVERSION"))
    if found and (int(found[1]), int(found[2])) >= (1, 22):
        return "go"
    assert (sys.platform, platform.machine()) == ("linux", "x86_64"), (
        "go 1.22 or later is needed to build FerretDB"
    )
    program = _module("go", NEWER_GO, FOLDER / "go") / "bin" / "go"
    for tool in [*program.parent.iterdir(), *(program.parents[1] / "pkg" / "tool").rglob("*")]:
        tool.chmod(0o755)
    return str(program)


def _module(program: str, module: str, target: Path) -> Path:
    """A copy of the module's files that can be written to."""
    # `go install` asks for the list of versions, which is not to be had of FerretDB; a download by version
    # does not.
    answer = _go(program, FOLDER, "mod", "download", "-json", module)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(json.loads(answer)["Dir"], target, copy_function=shutil.copyfile)
    for folder in [target, *(path for path in target.rglob("*") if path.is_dir())]:
        folder.chmod(0o755)
    return target


def _go(program: str, folder: Path, *arguments: str) -> str:
    environment = os.environ | {"GOFLAGS": "", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    done = subprocess.run(
        [program, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, f"{program} {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def free_port() -> int:
    """Below those that the system gives to outgoing connections: such a one could take the port of a server
    that is being restarted.
    """
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) != 0:
                return port


class FerretDB:
    """One server with a folder of its own, which can be stopped, frozen and started again where it was."""

    def __init__(self, folder: Path, password: str = "") -> None:
        """With `password` it wants user `trader` to show it."""
        self.folder = folder
        self.port = free_port()
        self.password = password
        self.process: subprocess.Popen[bytes] | None = None

    def uri(self, password: str | None = None) -> str:
        shown = self.password if password is None else password
        return f"mongodb://{f'trader:{shown}@' if shown else ''}127.0.0.1:{self.port}/"

    def start(self) -> FerretDB:
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        command = [
            str(build()),
            "--handler=sqlite",
            "--telemetry=disable",
            "--debug-addr=-",
            "--log-level=WARN",
        ]
        command += [
            f"--state-dir={self.folder}",
            f"--sqlite-url=file:{self.folder}/data/",
            f"--listen-addr=127.0.0.1:{self.port}",
        ]
        if self.password:
            command += [
                "--test-enable-new-auth",
                "--setup-database=admin",
                "--setup-username=trader",
                f"--setup-password={self.password}",
            ]
        with open(self.folder / "log", "ab") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        eventually(self._listens, f"FerretDB listens: {(self.folder / 'log').read_text()[-500:]}", 30)
        return self

    def _listens(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def refusals(self) -> int:
        """How often somebody showed it a wrong password."""
        return (self.folder / "log").read_text("utf-8", "replace").count("saslContinue: step failed")

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def any_server(folder: Path) -> Iterator[str]:
    """The URI of a server to write to: the given one, or a FerretDB."""
    if GIVEN:
        yield GIVEN
        return
    server = FerretDB(folder).start()
    try:
        yield server.uri()
    finally:
        server.kill()


def new_database() -> str:
    """The name of a database that nothing is in: FerretDB does not survive that one is dropped in use."""
    return f"test_{uuid.uuid4().hex[:16]}"


if __name__ == "__main__":
    build()
