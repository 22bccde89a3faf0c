"""The last step into the confinement: take the text from stdin, take on the limits, become `python strategy.py`.

The keeper hands this file's source to an interpreter that is inside already, where nothing of ours can be imported: standard
library only. Arguments: bytes of address space, bytes of a file, processes, and the user to become (0: stay).
"""

from __future__ import annotations

import os
import resource
import sys


def main(memory: int, file_size: int, processes: int, user: int) -> None:
    with open("strategy.py", "wb") as file:
        file.write(sys.stdin.buffer.read())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.nice(10)
    if user:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    for kind, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))
    os.execv(sys.executable, [sys.executable, "strategy.py"])


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
