"""Rows of accounts that are logged out, where MongoDB was away when their gateway ended: brought there as
soon as it is back. Host process.

A gateway ships its own account's rows (app/model/spool.py); this thread looks after those that have none.
Should one log in meanwhile, the lock of the file says who of the two ships.
"""

from __future__ import annotations

import logging
import threading
from contextlib import closing

from app.data_dir import accounts
from app.model import open_store, store_path
from app.model.sqlite import StoreBroken
from app.model.store import Store, StoreFailed
from app.settings import Settings
from app.wire.registry import Registry, gateway_of

LOOK_EVERY = 30.0  # seconds
SHIP_LIMIT = 20.0  # seconds for one account in one look

log = logging.getLogger(__name__)


class Leftovers:
    """`server` tells whether MongoDB is there. From `start` to `stop` a thread of its own."""

    def __init__(self, settings: Settings, server: Store) -> None:
        self._settings = settings
        self._server = server
        self._registry = Registry(settings.data_dir)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leftovers", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY):
            try:
                self.look()
            except Exception:  # the edge of this thread
                log.exception("已注销账户的数据未能送到 MongoDB，稍后再试")

    def look(self) -> None:
        """Ship what waits, of one account after the other; a file that cannot be opened holds up no other."""
        for account in accounts(self._settings.data_dir):
            if not store_path(self._settings.data_dir, account).exists():
                continue
            if self._stopping.is_set() or self._server.state().state != "up":
                return
            try:
                if self._registry.find(gateway_of(account)) is None and self._waits(account):
                    with closing(open_store(self._settings, account)) as store:
                        store.flush(SHIP_LIMIT)
            except (StoreBroken, StoreFailed) as error:  # or its gateway is just writing, or the disk is full
                log.warning("账户 %s 的数据未能送到 MongoDB，稍后再试：%s", account, error)

    def _waits(self, account: str) -> bool:
        with closing(open_store(self._settings, account, ship=False)) as store:
            return store.state().waiting > 0
