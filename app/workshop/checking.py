"""`python -m app.workshop.checking parse|parameters|check PARENT`: a text on stdin, what is to be said of it
on stdout as JSON. A child of the web.

A process of its own since pylint takes its time and hostile text may take the interpreter with it; whoever
started it sets the limit.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from app.lib import pylint_lib, strategy_check, strategy_lib, strategy_parameters
from app.lib.strategy_lib import BadCode
from app.process.death import die_with

MEMORY = 1024**3  # of address space


def main(task: str, parent: int) -> None:
    die_with(parent, signal.SIGKILL)
    _limit_memory()
    text = sys.stdin.buffer.read().decode("utf-8", "surrogatepass")
    tasks = {"parse": _parse, "parameters": _parameters, "check": _check}
    json.dump(tasks[task](text), sys.stdout)


def _parse(text: str) -> dict[str, Any]:
    try:
        return {"name": strategy_lib.parse(text).name}
    except BadCode as error:
        return {"code": error.code, "message": error.message, "extra": error.extra}


def _parameters(text: str) -> dict[str, Any]:
    answer = _parse(text)
    if "name" in answer:
        found = strategy_parameters.parameters(text)
        rows = [{"name": one.name, "default": one.default, "kind": one.kind} for one in found]
        answer["parameters"] = rows
    return answer


def _check(text: str) -> dict[str, Any]:
    findings = strategy_check.check(text)
    if not any(finding["code"] == strategy_check.UNREADABLE for finding in findings):
        with tempfile.TemporaryDirectory(prefix="check-") as folder:
            os.environ["PYLINTHOME"] = (
                folder  # it reads what it knows of earlier runs, and HOME may be somebody else's
            )
            findings += pylint_lib.lint(text, Path(folder) / "strategy.py")
    return {"findings": sorted(findings, key=lambda finding: (finding["line"], finding["code"]))}


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not POSIX
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
