"""Yes and no as forms, query strings, JSON and settings write them. Pure; any process."""

from __future__ import annotations

from typing import Any, Final

_WORDS: Final = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def truth_of(value: Any) -> bool | None:
    """What it says; None where it says neither."""
    if isinstance(value, bool):
        return value
    return _WORDS.get(str(value).strip().lower()) if isinstance(value, str | int) else None
