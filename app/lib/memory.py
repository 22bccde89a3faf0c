"""A bound on this process's memory, for commands that read what somebody else has written. Any process; Linux
(elsewhere nothing is bounded).
"""

from __future__ import annotations

from pathlib import Path

ENOUGH = 4 << 30  # bytes, of address space

_half: int | None = None  # the address space at which half of what this process may grow by is used


def bound(more: int = ENOUGH) -> None:
    """From now on this process may grow by so many bytes: what wants more raises MemoryError, and the
    machine's others notice nothing.

    Who reads should not go that far: ask `is_half_used`. Without memory the interpreter has none to handle
    the error with, and may turn for ever.
    """
    global _half
    try:
        import resource

        held = _held()
    except (ImportError, OSError):
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = held + more
    resource.setrlimit(
        resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
    )
    _half = held + more // 2


def is_half_used() -> bool:
    """Whether half of what `bound` allows is used: the rest is for what is made of the rows that were read.
    Costs about 10 µs; False where nothing is bounded.
    """
    return _half is not None and _held() > _half


def _held() -> int:
    """This process's address space in bytes. Raises OSError where the system does not say."""
    import resource

    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
