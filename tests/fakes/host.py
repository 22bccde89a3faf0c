"""The real host as a process of its own, with the fake gateway, counter and strategy."""

from __future__ import annotations

import sys

from app import logs
from app.host.host import run
from app.settings import Settings

GATEWAY = (sys.executable, "-m", "tests.fakes.gateway_program")
COUNTER = (sys.executable, "-m", "tests.fakes.counter")
STRATEGY = (sys.executable, "-m", "tests.fakes.strategy")

if __name__ == "__main__":
    settings = Settings.load()
    logs.set_up(settings, "host")
    run(settings, GATEWAY, COUNTER, STRATEGY)
