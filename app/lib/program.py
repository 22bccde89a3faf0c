"""How this program's commands are typed, and which version it is. Any process.

In a checkout that is `python3 run.py …` (run.py finds the Python that has what it needs), where the package
is installed `ctpbee-backend …`.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

INSTALLED = "ctpbee-backend"
ROOT = Path(__file__).resolve().parents[2]


def is_checkout() -> bool:
    return (ROOT / "pyproject.toml").is_file()


def command(rest: str) -> str:
    """A command and what it is given, as a line that works in this process's folder."""
    if not is_checkout():
        return f"{INSTALLED} {rest}".strip()
    return f"python3 {'run.py' if _is_here(ROOT) else shlex.quote(str(ROOT / 'run.py'))} {rest}".strip()


def _is_here(folder: Path) -> bool:
    try:
        return Path(os.getcwd()).resolve() == folder
    except OSError:  # the folder was removed under us
        return False


def version() -> str:
    """The program's: what pyproject.toml says in a checkout, else the installed package."""
    import tomllib
    from importlib import metadata

    try:
        text = (ROOT / "pyproject.toml").read_text("utf-8")
    except OSError:
        return metadata.version("ctpbee_backend")
    return str(tomllib.loads(text)["project"]["version"])
