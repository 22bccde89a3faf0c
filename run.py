"""`python3 run.py` alone is all in one; `python3 run.py --help` lists the commands (app/commands/).
Each command is a process of its own.

Any Python from 3.8 on can read this file: one that cannot run the program goes on with the Python of .venv,
or says what to do. Nothing else is imported up here, and who imports this module (uWSGI) gets `wsgi_app`.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

OLDEST = (3, 11)
NEEDS = ("click", "ctpbee", "flask", "flask_socketio", "msgspec", "orjson", "psutil", "pydantic")
ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python")


def wsgi_app() -> Flask:
    """The web for uWSGI (uwsgi.ini) or gunicorn, which listens and ends it; settings by environment."""
    from app.commands.web import serve_under_another

    return serve_under_another()


def why_not_this_python() -> str:
    """What keeps this interpreter from running the program, and what to do; "" when it can."""
    if sys.version_info < OLDEST:
        needed, this = ".".join(map(str, OLDEST)), ".".join(map(str, sys.version_info[:3]))
        return (
            f"需要 Python {needed} 或更高，{sys.executable} 是 {this}。"
            f"请在 {ROOT} 执行 make run：它用 uv 另取一个 Python 到 .venv"
        )
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        return f"{sys.executable} 没有装 {missing[0]} 等依赖。请在 {ROOT} 执行 make run：它装在 .venv 里"
    return ""


def go_on_with_a_python_that_can() -> None:
    """Return when this one can; else become the one of .venv, or end with what to do."""
    problem = why_not_this_python()
    if not problem:
        return
    if os.access(VENV_PYTHON, os.X_OK) and os.path.realpath(sys.prefix) != os.path.realpath(VENV):
        os.execv(VENV_PYTHON, [VENV_PYTHON, *sys.argv])
    sys.exit(problem)


if __name__ == "__main__":
    go_on_with_a_python_that_can()
    from app.commands.main import program

    program()
