"""How often somebody may try to log in: per address, and per account with a wrong password. Web process.

The counter and the brokers lock an account or an address after too many refusals (CTP 75, 143, 144, 4060): these limits fire
before theirs do. The attempts of the last minutes stand in a small file that all webs of one data directory share, so that the
limits hold across them and over a restart. It is a limit's memory, no record: it need not survive a power cut.
"""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from app.lib.errors import LoginRefused, RateLimited
from app.model.store import StoreFailed

LOCK_TIMEOUT = 2.0  # seconds
WRONG_PASSWORD = {"CTP_3", "PASSWORD_DIFFERS", LoginRefused.default_code}
"""Codes of a LoginRefused that is for the password, or may be: the last one's reason was lost with the gateway."""
_SCHEMA = "CREATE TABLE IF NOT EXISTS attempts (kind TEXT NOT NULL, who TEXT NOT NULL, at REAL NOT NULL)"


class Limit(NamedTuple):
    """At most `most` attempts of one address or account in `seconds`."""

    kind: str
    most: int
    seconds: float
    message: str


class LoginAttempts:
    """The two limits of the settings `login_per_address` and `login_per_account`. `clock` is the wall's, which all processes share."""

    def __init__(self, path: Path, per_address: int, per_account: int, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._per_address = Limit("address", per_address, 60, "本地址登录尝试过于频繁")
        self._per_account = Limit("account", per_account, 600, "该账户密码错误次数过多")

    def count_address(self, address: str) -> None:
        """One more attempt from this address, right or wrong. Raises RateLimited."""
        self._take(self._per_address, address)

    @contextmanager
    def count_if_refused(self, account: str) -> Iterator[None]:
        """Around a check of the account's password: one that is wrong counts, nothing else does. Raises RateLimited.

        An attempt still under way counts as if it were refused, or a burst of parallel guesses would slip through.
        """
        attempt = self._take(self._per_account, account)
        try:
            yield
        except BaseException as error:
            if not (isinstance(error, LoginRefused) and error.code in WRONG_PASSWORD):
                self._give_back(attempt)
            raise
        self._give_back(attempt)

    def _take(self, limit: Limit, who: str) -> int:
        """Count one more, and return its number. Raises RateLimited when there were enough."""
        now = self._clock()
        with self._writing() as db:
            # Those of the future are from before the clock was set back: they must not lock anybody out until it gets there.
            db.execute("DELETE FROM attempts WHERE kind = ? AND (at <= ? OR at > ?)", (limit.kind, now - limit.seconds, now + 1))
            times = [row[0] for row in db.execute("SELECT at FROM attempts WHERE kind = ? AND who = ? ORDER BY at", (limit.kind, who))]
            if len(times) < limit.most:
                number = db.execute("INSERT INTO attempts VALUES (?, ?, ?)", (limit.kind, who, now)).lastrowid
                assert number is not None
                return number
        seconds = max(1, math.ceil(times[-limit.most] + limit.seconds - now))
        raise RateLimited(f"{limit.message}，请在 {seconds} 秒后再试", retry_after=seconds)

    def _give_back(self, attempt: int) -> None:
        with self._writing() as db:
            db.execute("DELETE FROM attempts WHERE rowid = ?", (attempt,))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction on a connection of its own: attempts are rare, and a file that was removed is made again.

        Raises StoreFailed.
        """
        try:
            with self._lock:
                db = sqlite3.connect(self._path, timeout=LOCK_TIMEOUT, isolation_level=None)
                try:
                    db.execute("PRAGMA synchronous=OFF")
                    db.execute("BEGIN IMMEDIATE")
                    db.execute(_SCHEMA)
                    yield db
                    db.execute("COMMIT")
                finally:
                    db.close()  # what was not committed is undone
        except sqlite3.DatabaseError as error:
            raise StoreFailed(f"{self._path}: {error}") from error
