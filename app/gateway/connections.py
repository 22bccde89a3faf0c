"""The account's connections that were cut: the two fronts, the store, the gateway's own process; each with
begin, end and reason, over restarts. Gateway process, event thread only.

A rest between sessions is no cut, nor is a logout. When a process was killed, nobody has written down: what
is known is when it was last there, to within `KEEP_SECONDS` of the gateway.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from app.lib import rows
from app.lib.calendar import SHANGHAI
from app.model.store import Store, StoreFailed
from app.wire.messages import Json, ReadConnections

SCOPE, CUTS, ALIVE = "connections", "cuts", "alive"
MOST = 300  # the newest are kept
GATEWAY = "gateway"
TEXT = {"td": "交易前置", "md": "行情前置", "store": "存储", GATEWAY: "网关"}
CUT = {"td": ("lost", "refused"), "md": ("lost", "refused"), "store": ("down", "refused")}
WHOLE = {"td": ("ready", "resting"), "md": ("ready", "resting"), "store": ("up",)}
KILLED = "网关进程中断；起点是它最后一次记下的时刻，误差一分钟以内"

log = logging.getLogger("account")


class ConnectionHistory:
    """`now` is this machine's clock, aware: the counter's may be that of a replay."""

    def __init__(self, store: Store, now: Callable[[], datetime] = lambda: datetime.now(SHANGHAI)) -> None:
        self._store = store
        self._now = now
        self._cuts: list[dict[str, Any]] = list(store.setting(SCOPE, CUTS, []))
        self._begin()

    def _begin(self) -> None:
        """How the process before this one ended."""
        last = self._store.setting(SCOPE, ALIVE)
        if last:
            self._cuts.append(_cut(GATEWAY, last, KILLED) | {"end": self._moment()})
            self._keep()
        self.alive()

    def alive(self) -> None:
        """Once in a while: the process is there."""
        self._put(ALIVE, self._moment())

    def close(self) -> None:
        """The process ends as it should: this is no cut."""
        self._put(ALIVE, "")

    def on_state(self, what: str, state: str, reason: str) -> None:
        """Of a front or the store, as the `status` event has it."""
        known = next((cut for cut in reversed(self._cuts) if cut["what"] == what), None)
        is_cut = known is not None and known["end"] is None
        if state in CUT.get(what, ()) and not is_cut:
            self._cuts.append(_cut(what, self._moment(), reason))
        elif known is not None and is_cut and state in WHOLE.get(what, ()):
            known["end"] = self._moment()
        else:
            return
        self._keep()

    def read(self, _request: ReadConnections) -> Json:
        return Json(rows.to_json({"connections": self._cuts[::-1]}))

    def _moment(self) -> str:
        return rows.time_text(self._now())

    def _keep(self) -> None:
        self._cuts = self._cuts[-MOST:]
        self._put(CUTS, self._cuts)

    def _put(self, key: str, value: Any) -> None:
        try:
            self._store.put_setting(SCOPE, key, value)
        except StoreFailed as error:
            log.warning("连接记录未能落盘：%s", error)


def _cut(what: str, begin: str, reason: str) -> dict[str, Any]:
    return {"what": what, "text": TEXT[what], "begin": begin, "end": None, "reason": reason}
