"""Whether this machine lets bubblewrap confine anything: it may be missing, or a container may forbid it."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def _bubblewrap_works() -> bool:
    program = shutil.which("bwrap")
    if program is None:
        return False
    command = [program, "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    return subprocess.run(command, capture_output=True).returncode == 0


confined = pytest.mark.skipif(
    not _bubblewrap_works(), reason="bubblewrap is missing (apt-get install bubblewrap) or forbidden here"
)
