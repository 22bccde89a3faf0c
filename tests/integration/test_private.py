"""app/process/private.py: what other processes of the same user cannot read."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = 65534

KEEPER = """
import os, resource, sys
import psutil
from app.process import private
from app.process.death import prctl
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
prctl(4, 1)  # as a process is that was started by this user: who changes his user is hidden from the start
private.keep_to_itself()
private.hide_memory()
psutil.Process().num_fds(), psutil.Process().memory_info()
open(sys.argv[1], "w").close()
print(resource.getrlimit(resource.RLIMIT_CORE), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="becomes another user")
def test_another_process_of_the_user_cannot_read_its_memory_and_it_still_reads_its_own_figures() -> None:
    """A strategy found every password in the memory of host and gateway."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are below what another user may not enter
        os.chown(folder, NOBODY, NOBODY)
        _keep(Path(folder) / "written")


def _keep(written: Path) -> None:
    keeper = subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(written), str(NOBODY)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert keeper.stdout is not None
    assert keeper.stdin is not None
    assert keeper.stdout.readline() == "(0, 0)\n"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    look = subprocess.run(
        ["head", "-c1", f"/proc/{keeper.pid}/mem"],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
    )
    assert b"Permission denied" in look.stderr  # one that may opens it, and then fails to read at 0
    keeper.stdin.close()
    assert keeper.wait(30) == 0
    keeper.stdout.close()
