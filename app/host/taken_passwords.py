"""Which password the counter took last for each account, for as long as this host lives. Host process, any
thread.

In the hours when a counter judges nobody, this is how a password can be known to be right. Kept in memory
alone, never on the disk, and as digests: those of accounts that are logged out stay here too.
"""

from __future__ import annotations

import hashlib
import hmac
import os

# About 50 ms and 1 MB. The usual 16 MB are never given back: each thread that logs somebody in keeps its own.
COST = {"n": 2**10, "r": 8, "p": 16}


class TakenPasswords:
    """One an account, by its key."""

    def __init__(self) -> None:
        self._salt = os.urandom(16)
        self._digests: dict[str, bytes] = {}

    def remember(self, account: str, password: str) -> None:
        """The counter has taken it: it took the place of any other."""
        self._digests[account] = self._digest(password)

    def is_known(self, account: str, password: str) -> bool:
        """Whether it is the last one that the counter took."""
        known = self._digests.get(account)
        return known is not None and hmac.compare_digest(known, self._digest(password))

    def refused(self, account: str, password: str) -> None:
        """The counter has refused it: if it is the known one, it is good no more."""
        if self.is_known(account, password):
            self._digests.pop(account, None)  # two threads may hear of one refusal

    def _digest(self, password: str) -> bytes:
        return hashlib.scrypt(password.encode(), salt=self._salt, **COST)
