"""Whose data this is, and at which fronts the account may log in: kept with the account. Gateway process; host and commands read it.

The first login that a front takes fixes both. From then on another front is a matter for who has the server: whoever names a front of
his own could otherwise log in as anybody.
"""

from __future__ import annotations

from app.lib.brokers import Brokers, Front
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
        """The names or addresses (`<td> <md>`) of the fronts that it may log in at; empty before the first good login: any."""
        return list(self._store.setting(SCOPE, FRONTS, []))

    def may_use(self, front: Front, brokers: Brokers) -> bool:
        """Whether the account may log in there."""
        kept = self.fronts
        return not kept or any(brokers.are_same(text, front) for text in kept)

    def logged_in(self, interface: str, brokerid: str, userid: str, front: Front | None, brokers: Brokers) -> None:
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
