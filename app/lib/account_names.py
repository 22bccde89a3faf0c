"""What an account is called in files, rooms and tokens: by who it is, and at which counter. Pure."""

from __future__ import annotations

import hashlib
import re

PAPER_BROKER = "9999"
"""The broker of paper accounts that name none, at /login and elsewhere."""


def account_key(interface: str, brokerid: str, userid: str) -> str:
    """The account's name in files, rooms and tokens: readable, one account's alone, safe as a file name."""
    return _key(interface, brokerid, userid, digits=32)


def old_account_key(interface: str, brokerid: str, userid: str) -> str:
    """Its name before it had 128 bits: others' names with the same 40 can be found in seconds."""
    return _key(interface, brokerid, userid, digits=10)


def _key(*parts: str, digits: int) -> str:
    plain = [re.sub(r"[^A-Za-z0-9_]", "_", part)[:24] for part in parts]
    key = "-".join(plain)
    if plain != list(parts):
        key += "-" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:digits]
    return key
