"""A data directory as its second start finds it: each of the tests' many processes would read the calendar
with pandas otherwise.
"""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

from app.lib import calendar


def keep_calendar(data_dir: Path) -> None:
    """Have the calendar kept there already."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    (data_dir / calendar.KEPT_FILE).write_bytes(_kept())


@lru_cache(maxsize=1)
def _kept() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        calendar.keep_in(Path(folder))
        try:
            calendar.load()
            return (Path(folder) / calendar.KEPT_FILE).read_bytes()
        finally:
            calendar.keep_in(None)
