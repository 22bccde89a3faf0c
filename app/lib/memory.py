"""A bound on this process's memory, for commands that read what somebody else has written. Any process;
POSIX.
"""

from __future__ import annotations

ENOUGH = 4 << 30  # bytes, of address space


def bound(more: int = ENOUGH) -> None:
    """From now on this process may grow by so many bytes: what wants more raises MemoryError, and the
    machine's others notice nothing.
    """
    try:
        import resource
        from pathlib import Path

        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = held + more
    resource.setrlimit(
        resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
    )
