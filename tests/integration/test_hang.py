"""app/web/hang.py where no server is needed; the web of each mode is made to hang in
tests/integration/test_async_modes.py.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import ctypes, sys, time
from app.web import hang
hang.LIMIT = 0.6
{before}
watch = hang.HangWatch()
watch.start()
time.sleep(0.1)
{then}
ctypes.PyDLL(None).usleep(1_000_000)  # keeps the interpreter's lock for longer than it may
print("still here")
"""


def run(before: str = "", then: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT.format(before=before, then=then)]
    return subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=30)


def test_it_ends_a_process_that_hangs_and_says_where() -> None:
    done = run()
    assert (done.stdout, done.returncode) == ("", 1)
    assert 'File "<string>", line 10' in done.stderr


def test_the_end_of_a_process_may_take_its_time() -> None:
    done = run(then="watch.stop()")
    assert (done.stdout, done.returncode, done.stderr) == ("still here\n", 0, "")


def test_nothing_is_watched_by_a_clock_that_jumps_when_the_machine_wakes() -> None:
    done = run(
        before="import sysconfig; sysconfig.get_config_var = lambda name: None; sys.platform = 'darwin'"
    )
    assert (done.stdout, done.returncode, done.stderr) == ("still here\n", 0, "")


def test_without_a_stderr_to_write_to_nothing_is_watched() -> None:
    done = run(before="sys.stderr = None")
    assert (done.stdout, done.returncode) == ("still here\n", 0)
