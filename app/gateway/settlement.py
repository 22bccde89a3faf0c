"""The account's settlement statements, as they are asked for. Gateway process, event thread only."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from app.gateway.futures import then
from app.interfaces.ctp.fronts import NEWEST, SETTLEMENT_SCOPE
from app.lib import rows
from app.lib.errors import NotFound
from app.model.store import Store
from app.wire.messages import ConfirmSettlement, Done, Json, ReadSettlement


class SettlementDesk:
    """`trader` is the trading front as it is now; what it has fetched once is in the store."""

    def __init__(self, store: Store, trader: Callable[[], Any]) -> None:
        self._store = store
        self._trader = trader

    def read(self, request: ReadSettlement) -> Json | Future[Json]:
        day = request.day or self._store.setting(SETTLEMENT_SCOPE, NEWEST, "")
        text = self._store.setting(SETTLEMENT_SCOPE, day, "") if day else ""
        if text:
            return _statement(day, text)

        def answer(found: tuple[str, str]) -> Json:
            if not found[1]:
                missing = "柜台没有这一天的结算单" if request.day else "柜台没有结算单"
                raise NotFound(missing, code="NO_SETTLEMENT")
            return _statement(*found)

        return then(self._trader().fetch_statement(request.day), answer)

    def confirm(self, _request: ConfirmSettlement) -> Future[Done]:
        return then(self._trader().confirm_settlement(), lambda _taken: Done())


def _statement(day: str, text: str) -> Json:
    return Json(rows.to_json({"day": day, "text": text}))
