"""A MongoDB server for the tests: the one that TEST_MONGO_URI names, or FerretDB 1.24 over SQLite, built once from the Go module proxy.

FerretDB speaks MongoDB's protocol on a free port, telemetry off, and is ended with the test. Its source is compiled into build/ferretdb
(git-ignored) by the first test that wants it, which takes a minute or two; go 1.22 or later is needed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import eventually

VERSION = "v1.24.0"
FOLDER = Path(__file__).parents[1] / "build" / "ferretdb"
BINARY = FOLDER / f"ferretdb-{VERSION}"
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
            # `go install` asks the proxy for the list of versions, which it does not have of this module; a download by version does not.
            answer = _go(FOLDER, "mod", "download", "-json", f"github.com/FerretDB/FerretDB@{VERSION}")
            source = FOLDER / "source"
            shutil.rmtree(source, ignore_errors=True)
            shutil.copytree(json.loads(answer)["Dir"], source, copy_function=shutil.copyfile)
            for folder in [source, *(path for path in source.rglob("*") if path.is_dir())]:
                folder.chmod(0o755)
            (source / "build" / "version" / "version.txt").write_text(VERSION)  # it will not run without
            _go(source, "build", "-o", str(BINARY.with_suffix(".new")), "./cmd/ferretdb")
            os.replace(BINARY.with_suffix(".new"), BINARY)
            shutil.rmtree(source)
    return BINARY


def _go(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"GOFLAGS": "", "CGO_ENABLED": "0"}
    done = subprocess.run(["go", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"go {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


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
        command = [str(build()), "--handler=sqlite", "--telemetry=disable", "--debug-addr=-", "--log-level=WARN"]
        command += [f"--state-dir={self.folder}", f"--sqlite-url=file:{self.folder}/data/", f"--listen-addr=127.0.0.1:{self.port}"]
        if self.password:
            command += ["--test-enable-new-auth", "--setup-database=admin", "--setup-username=trader", f"--setup-password={self.password}"]
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
