"""Whose data this is, and at which fronts the account may log in: kept with the account. Gateway process;
host and commands read it.

The first login that a front takes fixes both. From then on another front is a matter for who has the server:
whoever names a front of his own could otherwise log in as anybody.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from app.lib.account_names import account_key, old_account_key
from app.lib.brokers import Brokers, Front
from app.model import StoreSettings, open_store, store_path
from app.model.store import Store

SCOPE = "identity"
OWNER, FRONTS = "owner", "fronts"


class Identity:
    """What an account's store says of it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def owner(self) -> tuple[str, ...]:
        """Interface, broker and user; empty before the first good login."""
        return tuple(self._store.setting(SCOPE, OWNER, []))

    @property
    def fronts(self) -> list[str]:
        """The names or addresses (`<td> <md>`) of the fronts that it may log in at; empty before the first
        good login: any.
        """
        return list(self._store.setting(SCOPE, FRONTS, []))

    def may_use(self, front: Front, brokers: Brokers) -> bool:
        """Whether the account may log in there."""
        kept = self.fronts
        return not kept or any(brokers.are_same(text, front) for text in kept)

    def logged_in(
        self, interface: str, brokerid: str, userid: str, front: Front | None, brokers: Brokers
    ) -> None:
        """A front has taken the login: what was open till now is fixed. Raises StoreFailed."""
        if not self.owner:
            self._store.put_setting(SCOPE, OWNER, [interface, brokerid, userid])
        if front is not None and not self.fronts:
            self._store.put_setting(SCOPE, FRONTS, [brokers.text_of(front)])

    def allow(self, text: str) -> None:
        """One more front, by its name or addresses."""
        if text not in self.fronts:
            self._store.put_setting(SCOPE, FRONTS, [*self.fronts, text])

    def forget(self) -> None:
        """The next good login fixes the front anew."""
        self._store.delete_setting(SCOPE, FRONTS)


def account_of(settings: StoreSettings, interface: str, brokerid: str, userid: str) -> str:
    """The account's key: `account_key`, or the older, shorter one where its folder is called that.

    Such a folder is this account's when it says so inside. One from before folders did is that of the first
    whom a front lets in under its name; the built-in counter lets in everybody, so there it is that of the
    first account that the counter has under it.
    """
    who = (interface, brokerid, userid)
    key, old = account_key(*who), old_account_key(*who)
    if (
        old == key
        or store_path(settings.data_dir, key).exists()
        or not store_path(settings.data_dir, old).exists()
    ):
        return key
    with contextlib.closing(open_store(settings, old, ship=False)) as store:
        owner = Identity(store).owner
    if not owner and interface == "sim":
        owner = next((known for known in _paper_accounts(settings) if old_account_key(*known) == old), who)
    return old if owner in ((), who) else key


def _paper_accounts(settings: StoreSettings) -> Iterator[tuple[str, str, str]]:
    """Those of the built-in counter, the oldest first."""
    path = settings.data_dir / "counter" / "counter.db"
    if not path.exists():
        return
    with contextlib.closing(sqlite3.connect(path.as_uri() + "?mode=ro", uri=True, timeout=5.0)) as counter:
        for broker, user in counter.execute("SELECT broker, user FROM accounts ORDER BY id"):
            yield "sim", broker, user
