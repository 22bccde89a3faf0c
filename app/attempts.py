"""How often somebody may try to log in: per address, and per account with a wrong password. Web process.

The counter and the brokers lock an account or an address after too many refusals (CTP 75, 143, 144, 4060): these limits fire
before theirs do. Wrong passwords are counted for each account and address, so that whoever guesses from elsewhere does not keep the
trader out. Addresses that have not been in lately are counted together too, or many of them could go on guessing.

The attempts of the last minutes stand in a small file that all webs of one data directory share, so that the limits hold across
them and over a restart. It is a limit's memory, no record: it need not survive a power cut. A full disk keeps nobody out, who may
have orders to cancel: until it takes rows again each web counts in its own memory.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from app.lib.errors import AppError, LoginRefused, RateLimited

log = logging.getLogger(__name__)

LOCK_TIMEOUT = 2.0  # seconds
WRONG_PASSWORD = {"CTP_3", "PASSWORD_DIFFERS", LoginRefused.default_code}
"""Codes of a LoginRefused that is for the password, or may be: the last one's reason was lost with the gateway."""
STRANGERS = 2
"""How many times an account's limit all addresses have together that have not been in lately."""
KNOWN, KNOWN_SECONDS = "known", 30 * 86400
"""An address is known for an account so long after its last good login."""
WRONG_TOO_OFTEN = "该账户密码错误次数过多"
_SCHEMA = "CREATE TABLE IF NOT EXISTS logins (kind TEXT NOT NULL, who TEXT NOT NULL, at REAL NOT NULL, attempt TEXT NOT NULL)"


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
        self._memory: sqlite3.Connection | None = None  # while the file cannot be written
        self._per_address = Limit("address", per_address, 60, "本地址登录尝试过于频繁")
        self._per_account = Limit("account", per_account, 600, WRONG_TOO_OFTEN)
        self._strangers = Limit("strangers", per_account * STRANGERS, 600, WRONG_TOO_OFTEN)

    def count_address(self, address: str) -> None:
        """One more attempt from this address, right or wrong. Raises RateLimited."""
        self._do(lambda db: self._take(db, [(self._per_address, address)]))

    @contextmanager
    def count_if_refused(self, account: str, address: str) -> Iterator[None]:
        """Around a check of the account's password: one that is wrong counts, nothing else does. Raises RateLimited.

        An attempt still under way counts as if it were refused, or a burst of parallel guesses would slip through.
        """
        who = f"{account} {address}"
        attempt = uuid.uuid4().hex
        self._do(lambda db: self._take(db, self._limits_of(db, account, who), attempt))
        try:
            yield
        except BaseException as error:
            replaced = isinstance(error, AppError) and error.extra.get("replaced")  # another's login gave way: that has a limit too
            if not (replaced or isinstance(error, LoginRefused) and error.code in WRONG_PASSWORD):
                self._do(lambda db: self._give_back(db, attempt))
            raise
        self._do(lambda db: self._let_in(db, who, attempt))

    def _limits_of(self, db: sqlite3.Connection, account: str, who: str) -> list[tuple[Limit, str]]:
        now = self._clock()
        known = db.execute("SELECT 1 FROM logins WHERE kind = ? AND who = ? AND at > ?", (KNOWN, who, now - KNOWN_SECONDS)).fetchone()
        return [(self._per_account, who)] if known else [(self._per_account, who), (self._strangers, account)]

    def _take(self, db: sqlite3.Connection, limits: list[tuple[Limit, str]], attempt: str = "") -> None:
        """Count one more for each. Raises RateLimited when there were enough of one."""
        now = self._clock()
        for limit, who in limits:
            # Those of the future are from before the clock was set back: they must not lock anybody out until it gets there.
            db.execute("DELETE FROM logins WHERE kind = ? AND (at <= ? OR at > ?)", (limit.kind, now - limit.seconds, now + 1))
            times = [row[0] for row in db.execute("SELECT at FROM logins WHERE kind = ? AND who = ? ORDER BY at", (limit.kind, who))]
            if len(times) >= limit.most:
                seconds = max(1, math.ceil(times[-limit.most] + limit.seconds - now))
                raise RateLimited(f"{limit.message}，请在 {seconds} 秒后再试", retry_after=seconds)
        db.executemany("INSERT INTO logins VALUES (?, ?, ?, ?)", [(limit.kind, who, now, attempt) for limit, who in limits])

    def _give_back(self, db: sqlite3.Connection, attempt: str) -> None:
        db.execute("DELETE FROM logins WHERE attempt = ?", (attempt,))

    def _let_in(self, db: sqlite3.Connection, who: str, attempt: str) -> None:
        """The password was right: this address is known for this account from here on."""
        now = self._clock()
        self._give_back(db, attempt)
        db.execute("DELETE FROM logins WHERE kind = ? AND (who = ? OR at <= ? OR at > ?)", (KNOWN, who, now - KNOWN_SECONDS, now + 1))
        db.execute("INSERT INTO logins VALUES (?, ?, ?, '')", (KNOWN, who, now))

    def _do(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """In one transaction: of the file, or in memory where the file cannot be written."""
        with self._lock:
            try:
                self._in_file(work)
            except sqlite3.DatabaseError as error:
                if self._memory is None:
                    log.error("%s cannot be written (%s): attempts to log in are counted in memory", self._path, error)
                    self._memory = sqlite3.connect(":memory:", check_same_thread=False)
                    self._memory.execute(_SCHEMA)
                with self._memory:
                    work(self._memory)
            else:
                self._memory = None

    def _in_file(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """On a connection of its own: attempts are rare, and a file that was removed is made again."""
        db = sqlite3.connect(self._path, timeout=LOCK_TIMEOUT, isolation_level=None)
        try:
            db.execute("PRAGMA synchronous=OFF")
            db.execute("BEGIN IMMEDIATE")
            db.execute(_SCHEMA)
            work(db)
            db.execute("COMMIT")
        finally:
            db.close()  # what was not committed is undone
