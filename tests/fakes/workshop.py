"""Stands where app.workshop.workshop.Workshop does: reads and checks in this process, and runs nothing."""

from __future__ import annotations

from typing import Any

from app.lib import strategy_check, strategy_lib, strategy_parameters
from app.lib.strategy_check import Finding
from app.workshop.workshop import Printed


class FakeWorkshop:
    """`ran` is what was to be run."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def read(self, account: str, text: str) -> str:
        return strategy_lib.parse(text).name

    def parameters(self, account: str, text: str) -> dict[str, Any]:
        found = strategy_parameters.parameters(text)
        rows = [{"name": one.name, "default": one.default, "kind": one.kind} for one in found]
        return {"name": strategy_lib.parse(text).name, "parameters": rows}

    def check(self, account: str, text: str) -> list[Finding]:
        return strategy_check.check(text)

    def run(self, account: str, text: str) -> Printed:
        self.ran.append(text)
        return Printed("printed\n", "", 0, "")
