"""What a process has loaded when it begins, seen in one of its own: no more than it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from app.commands.main import COMMANDS

ROOT = Path(__file__).parents[2]


def test_a_gateway_loads_neither_the_web_nor_the_native_part() -> None:
    program = (
        "import sys, app.gateway.app, app.interfaces.sim.fronts;"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'flask', 'eventlet', 'gevent', "
        "'ctpbee_api', 'flask_socketio'}))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert output.stdout.strip() == "[]"


def test_help_lists_every_command_and_imports_none() -> None:
    script = (
        "import sys, app.commands.main as m; m.main(['--help'], standalone_mode=False); print(*sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    *shown, modules = told.splitlines()
    for name, listed in COMMANDS.items():
        assert [line for line in shown if line.split()[:1] == [name] and listed.help in line], name
    imported = {name for name in modules.split() if name.startswith("app.")}
    assert imported <= {
        *("app.commands", "app.commands.common", "app.commands.main"),
        *("app.lib", "app.lib.errors", "app.lib.program"),
    }
    assert not {"flask", "pydantic", "msgspec"} & set(modules.split())
