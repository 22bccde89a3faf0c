"""What /readyz asks: named checks, each of which says whether its part of the server can do its work. Web
process.

Whoever brings a part along adds its check with `add_check` while the app is made.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from flask import Flask, current_app

LEAST_ROOM = 8 * 1024 * 1024  # bytes; a database's write-ahead log alone grows to half of it


class Part(NamedTuple):
    """One part of the server. `data` is what /readyz shows of it: states and counts, no account names, since
    it is open.
    """

    ready: bool
    data: Any


Check = Callable[[], Part]
"""Called inside a request; raises nothing."""


def add_check(app: Flask, name: str, check: Check) -> None:
    """Have /readyz ask this too."""
    app.extensions.setdefault("readiness", {})[name] = check


def check_all() -> dict[str, Part]:
    """What every part says, in the order of their names' adding."""
    checks: dict[str, Check] = current_app.extensions["readiness"]
    return {name: check() for name, check in checks.items()}


def up(is_up: bool) -> Part:
    """A part that is there or not."""
    return Part(is_up, "up" if is_up else "down")


def counted(states: list[bool]) -> Part:
    """A part of which there are several: ready when all are."""
    return Part(all(states), {"up": states.count(True), "down": states.count(False)})


def room(folder: Path) -> str:
    """Whether there can be written: `up`, `full` or `readonly`. An order is on the disk before it leaves."""
    if not os.access(folder, os.W_OK):
        return "readonly"
    return "up" if shutil.disk_usage(folder).free >= LEAST_ROOM else "full"
