"""Sessions of accounts, in the server's store: a token is good as long as its account's session stands. Web
and host processes.

The web begins one with the first token of an account that has none. The host ends it where the account is
logged in no more, so that no token outlives the login that it came from: not a refusal, not a logout, not a
restart of the machine.
"""

from __future__ import annotations

import logging
import threading
import uuid

from app.model.store import Store, StoreFailed

SCOPE = "session"  # account → id of its session

log = logging.getLogger(__name__)


class Sessions:
    """Thread-safe. What the disk does not take holds in this process alone, so that a full one keeps nobody
    from cancelling.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._unwritten: dict[str, str | None] = {}

    def current(self, account: str) -> str | None:
        """The account's session, None for none."""
        if account in self._unwritten:
            return self._unwritten[account]
        session: str | None = self._store.setting(SCOPE, account)
        return session

    def join(self, account: str) -> str:
        """The account's session; a new one where there is none."""
        with self._lock:
            session = self.current(account)
            if session is None:
                session = uuid.uuid4().hex
                try:
                    self._store.put_setting(SCOPE, account, session)
                except StoreFailed as error:
                    self._keep(account, session, error)
                else:
                    self._unwritten.pop(account, None)
            return session

    def end(self, account: str) -> None:
        """No token of the account is good any more."""
        with self._lock:
            try:
                self._store.delete_setting(SCOPE, account)
            except StoreFailed as error:
                self._keep(account, None, error)
            else:
                self._unwritten.pop(account, None)

    def accounts(self) -> list[str]:
        """Those that have one."""
        return list(self._store.settings(SCOPE))

    def _keep(self, account: str, session: str | None, error: StoreFailed) -> None:
        log.error("the session of %s is not on the disk, and holds in this process alone: %s", account, error)
        self._unwritten[account] = session
