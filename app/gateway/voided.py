"""The client_order_ids that were declared dead: an order that comes with one later is not sent. Gateway
process, event thread only.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from app.lib.errors import BadInput, NotReady
from app.model.store import Store, StoreFailed

SCOPE = "voided_client_order_id"
KEPT = timedelta(days=30)
"""Longer than any trading day, holidays and all, and than any line keeps what it could not deliver."""


class VoidedIds:
    """Durable: an id is dead once `add` has returned, over a restart of the gateway too."""

    def __init__(self, store: Store, now: datetime) -> None:
        """`now`: aware, as every time here."""
        self._store = store
        self._ids: set[str] = set()
        for client_order_id, voided in store.settings(SCOPE).items():
            if now - datetime.fromisoformat(voided) > KEPT:
                store.delete_setting(SCOPE, client_order_id)
            else:
                self._ids.add(client_order_id)

    def add(self, client_order_id: str, now: datetime) -> None:
        """Raises NotReady when it could not be written: then the id is as alive as before."""
        if client_order_id in self._ids:
            return
        try:
            self._store.put_setting(SCOPE, client_order_id, now.isoformat())
        except StoreFailed as error:
            raise NotReady(
                "编号未能作废：请检查磁盘空间；以同一编号再试是安全的", code="JOURNAL_FAILED"
            ) from error
        self._ids.add(client_order_id)

    def check(self, client_order_id: str) -> None:
        """Raises BadInput for one that is dead."""
        if client_order_id in self._ids:
            raise BadInput(
                "client_order_id",
                f"client_order_id {client_order_id} 已作废，这次没有发出，请换一个编号",
                code="CLIENT_ORDER_ID_REUSED",
            )
