"""run.py on a data directory of its own, as a user types its commands."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path

from app.process.child import Process, end
from app.wire.registry import Entry, Registry
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
RUN = str(ROOT / "run.py")


class Commands:
    """run.py on one data directory."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "数据 目录"
        self.output = folder / "output.txt"
        self.registry = Registry(self.data_dir)
        self.started: list[subprocess.Popen[bytes]] = []
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("CTPBEE_BACKEND_")
        }
        self.environment |= {"CTPBEE_BACKEND_DATA_DIR": str(self.data_dir), "PYTHONWARNINGS": "ignore"}

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself, without our terminal: a password is asked for there, whatever stdin
        is.
        """
        return subprocess.run(
            [sys.executable, RUN, *arguments],
            cwd=self.output.parent,
            env=self.environment | environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            start_new_session=True,
        )

    def python(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """One that stays."""
        with self.output.open("ab") as output:
            child = subprocess.Popen(
                [sys.executable, RUN, *arguments],
                cwd=self.output.parent,
                env=self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.started.append(child)
        return child

    def up(self, *names: str, unlike: tuple[Entry, ...] = ()) -> list[Entry]:
        """The entries of those processes once they are there, none of them one of `unlike`."""
        old = {entry.pid for entry in unlike}

        def entries() -> list[Entry] | None:
            assert self.started[-1].poll() is None, self.printed()
            found = [
                entry
                for name in names
                if (entry := self.registry.find(name)) is not None and entry.pid not in old
            ]
            return found if len(found) == len(names) else None

        return eventually(entries, f"{names} run", 30)

    def printed(self) -> str:
        return self.output.read_text("utf-8")

    def clean(self) -> None:
        for child in self.started:
            if child.poll() is None:
                child.terminate()
        for child in self.started:
            child.wait(30)
        end([Process(entry.name, entry=entry) for entry in self.registry.living()], 0.0)


def healthy(web: Entry) -> bool:
    try:
        with urllib.request.urlopen(f"{web.address}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
