"""Strategies in processes of their own, beside a gateway and a counter in theirs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from app.wire import door
from tests.integration.test_gateway_service import ROOT, World
from tests.support.waiting import eventually

HEAD = "from ctpbee import CtpbeeApi\nfrom ctpbee.constant import *\n"


class Strategy:
    """One that was started as the host would start it. `text` is its file's."""

    def __init__(self, world: World, userid: str, name: str, text: str, **line: Any) -> None:
        self.world = world
        self.account = f"sim-9999-{userid}"
        self.name = name
        self.folder = world.settings.data_dir / "accounts" / self.account / "strategies" / name
        self.path = world.settings.data_dir / f"{userid}-{name}.py"
        self.path.write_text(HEAD + text, "utf-8")
        self.line = {
            "account": self.account,
            "name": name,
            "path": str(self.path),
            "gateway": f"gateway-{self.account}",
        } | line
        self.line = {"secret": door.secret(world.registry.run_dir, self.account, name)} | self.line
        self.child = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-m", "app.strategy"],
            cwd=ROOT,
            env=self.world.settings.to_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.world.children.append(child)
        assert child.stdin is not None
        child.stdin.write(json.dumps(self.line).encode() + b"\n")
        child.stdin.close()
        self.child = child
        return child

    def runs(self) -> Strategy:
        """Once on_init has returned."""

        def ready() -> bool:
            assert self.child.poll() is None, f"ended with {self.child.poll()}: {self.error()}"
            return (self.folder / "ready").exists()

        eventually(ready, f"strategy {self.name} runs", 30.0)
        return self

    def ends(self, seconds: float = 30.0) -> int:
        return self.child.wait(seconds)

    def lines(self) -> list[str]:
        file = self.folder / "strategy.log"
        if not file.exists():
            return []
        whole, _, _half = file.read_bytes().rpartition(b"\n")  # it may be writing just now
        return [json.loads(line)["message"] for line in whole.splitlines()]

    def says(self, part: str, seconds: float = 30.0) -> str:
        return eventually(
            lambda: next((line for line in self.lines() if part in line), None), f"it says {part!r}", seconds
        )

    def error(self) -> dict[str, Any]:
        file: Path = self.folder / "error.json"
        return json.loads(file.read_text("utf-8")) if file.exists() else {}
