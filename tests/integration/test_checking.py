"""The child that reads a strategy's text, as the web starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_text_is_checked_where_the_user_has_no_home_that_could_be_read() -> None:
    """Under supervisor HOME is root's, whoever the program runs as: pylint looked there for the results of
    its last run.
    """
    home = "/" + "x" * 300  # even root cannot look there
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "PYLINT"))
    } | {"HOME": home}
    command = [sys.executable, "-m", "app.workshop.checking", "check", str(os.getpid())]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, input="x = 1\n", capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert [row["error"] for row in json.loads(done.stdout)["findings"]] == ["no-ext"]
