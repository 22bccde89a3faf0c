"""A bound on this process's memory, for commands that read what somebody else has written (Linux; elsewhere
nothing is bounded), and rest from the garbage collector. Any process.
"""

from __future__ import annotations

import gc
from pathlib import Path

ENOUGH = 4 << 30  # bytes, of address space

GARBAGE = 20_000  # objects more than were freed, until the collector looks for circles

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


def settle() -> None:
    """What is in memory now (code, data) stays: the garbage collector looks at it no more, and comes less
    often.

    For a process that has read its data and is about to run through it; before it forks too, since pages that
    nobody touches stay shared.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE, 20, 20)


def is_half_used() -> bool:
    """Whether half of what `bound` allows is used: the rest is for what is made of the rows that were read.
    Costs about 10 µs; False where nothing is bounded.
    """
    return _half is not None and _held() > _half


def _held() -> int:
    """This process's address space in bytes. Raises OSError where the system does not say."""
    import resource

    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
