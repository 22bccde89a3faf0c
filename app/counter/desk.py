"""The front's desk: which terminals and users may log in, and how fast they may ask. Counter process, core
thread.

Paper accounts know no brokers' policies, but a client of CTP has to live with them. Every rule here is off
unless somebody sets it; what a real market front is right to insist on is on, for clients that come through
CTP's library. Error ids: docs/domain.md. Passwords themselves are the core's.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import dataclass, field

import msgspec


class Rules(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the broker and the counter insist on. Passwords' age and the number of sessions are those of
    trading fronts.
    """

    app_ids: dict[str, str] = {}  # AppID to AuthCode: only these terminals (63, 64); none: all
    login_verify: bool = True  # CTP's market fronts take only who has logged in to trading on this day (3)
    lock_after: int = 0  # wrong passwords in a row until the user is locked (75); 0: never
    max_sessions: int = 0  # trading sessions of a user (60); 0: any number
    uninitialised: int = 0  # so many logins from now on are answered 7: settlement is not done yet
    must_change: dict[
        str, int
    ] = {}  # user to 131 or 140: the password has to be changed before anything else
    requests_a_second: int = 0  # orders and cancels of a session (116); 0: any number


@dataclass(slots=True)
class Desk:
    """Who has passed, who has failed how often. Nothing of it outlives the process."""

    rules: Rules = field(default_factory=Rules)
    _authenticated: set[Hashable] = field(default_factory=set)
    _failures: Counter[str] = field(default_factory=Counter)
    _entered: dict[str, str] = field(default_factory=dict)  # the day of each user's last trading login

    def authenticate(self, link: Hashable, app_id: str, code: str) -> int:
        """0, or the error id."""
        if self.rules.app_ids and self.rules.app_ids.get(app_id) != code:
            return 63
        self._authenticated.add(link)
        return 0

    def before_password(self, link: Hashable, user: str, native: bool) -> int:
        """What speaks against a login whatever its password is: an error id, or 0."""
        if native and self.rules.app_ids and link not in self._authenticated:
            return 64
        if self.rules.uninitialised > 0:
            self.rules.uninitialised -= 1
            return 7
        return 75 if 0 < self.rules.lock_after <= self._failures[user] else 0

    def before_quotes(self, user: str, native: bool, trading_day: str) -> int:
        """What speaks against a login at the market front."""
        return 3 if native and self.rules.login_verify and self._entered.get(user) != trading_day else 0

    def entered(self, user: str, trading_day: str) -> None:
        """He has logged in to trading."""
        self._entered[user] = trading_day

    def wrong_password(self, user: str) -> None:
        self._failures[user] += 1

    def after_password(self, user: str, sessions: int) -> int:
        """What speaks against a login whose password is right; `sessions` are those the user has."""
        self._failures.pop(user, None)
        if user in self.rules.must_change:
            return self.rules.must_change[user]
        return 60 if 0 < self.rules.max_sessions <= sessions else 0

    def password_changed(self, user: str) -> None:
        self.rules.must_change.pop(user, None)

    def is_too_fast(self, asked: deque[float], now: float) -> bool:
        """Whether one more order or cancel of a session at `now` (seconds) is one too many; if not, it is
        added to `asked`.
        """
        if self.rules.requests_a_second <= 0:
            return False
        while asked and asked[0] <= now - 1:
            asked.popleft()
        if len(asked) >= self.rules.requests_a_second:
            return True
        asked.append(now)
        return False

    def gone(self, link: Hashable) -> None:
        self._authenticated.discard(link)
