"""How often somebody may try to log in: per address, and per account with a wrong password. Web process, in its memory.

The counter and the brokers lock an account or an address after too many refusals (CTP 75, 143, 144, 4060): these limits fire
before theirs do. A restart forgets the counts, which is no gain to a guesser who cannot restart the server.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.lib.errors import LoginRefused, RateLimited

ACCOUNT_WINDOW = 10  # minutes


class LoginAttempts:
    """The two limits of the settings `login_per_address` and `login_per_account`."""

    def __init__(self, per_address: int, per_account: int) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._per_address = RateLimitItemPerMinute(per_address, namespace="address")
        self._per_account = RateLimitItemPerMinute(per_account, ACCOUNT_WINDOW, namespace="account")
        self._under_way: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count_address(self, address: str) -> None:
        """One more attempt from this address, right or wrong. Raises RateLimited."""
        if not self._limiter.hit(self._per_address, address):
            raise self._limited(self._per_address, address, "本地址登录尝试过于频繁")

    @contextmanager
    def count_if_refused(self, account: str) -> Iterator[None]:
        """Around a check of the account's password: a LoginRefused counts, nothing else does. Raises RateLimited.

        Attempts still under way count as if they were refused, or a burst of parallel guesses would slip through.
        """
        with self._lock:
            left = self._limiter.get_window_stats(self._per_account, account).remaining
            if left <= self._under_way[account]:
                raise self._limited(self._per_account, account, "该账户密码错误次数过多")
            self._under_way[account] += 1
        try:
            yield
        except LoginRefused:
            self._limiter.hit(self._per_account, account)
            raise
        finally:
            with self._lock:
                self._under_way[account] -= 1
                if not self._under_way[account]:
                    del self._under_way[account]

    def _limited(self, item: RateLimitItem, key: str, message: str) -> RateLimited:
        reset = self._limiter.get_window_stats(item, key).reset_time
        seconds = max(1, math.ceil(reset - time.time()))
        return RateLimited(f"{message}，请在 {seconds} 秒后再试", retry_after=seconds)
