"""What it costs the host to know the passwords that the counter took."""

from __future__ import annotations

import subprocess
import sys

LOGINS = """
import threading
import psutil
from app.host.taken_passwords import TakenPasswords

taken = TakenPasswords()
held = psutil.Process().memory_info().rss
for _ in range(2):  # the C library learns from the first round to keep what is given back
    threads = [threading.Thread(target=taken.remember, args=(name, "password")) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print((psutil.Process().memory_info().rss - held) // 1_000_000)
"""


def test_threads_that_log_accounts_in_together_leave_no_memory_behind() -> None:
    done = subprocess.run([sys.executable, "-c", LOGINS], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert int(done.stdout) < 12
