"""Who may ask what by the strategies' door (app/wire/door.py). Gateway process, in the
connections' reader threads.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from app.lib.errors import NotAllowed
from app.wire import door
from app.wire.channel import Connection
from app.wire.messages import (
    AnyRequest,
    CancelOrder,
    FindOrder,
    JoinStrategy,
    PlaceOrder,
    StrategyBeat,
    StrategySaid,
    Subscribe,
    WatchTicks,
)
from app.wire.peer import other_version
from app.wire.registry import PROTOCOL
from app.wire.rpc import Responder

OF_STRATEGIES = (PlaceOrder, CancelOrder, FindOrder, Subscribe, WatchTicks, StrategySaid, StrategyBeat)
"""What a strategy may ask."""

log = logging.getLogger("account")


class Doorkeeper:
    """Nobody but a strategy of this account comes in, and it asks in its own name for what a strategy
    needs. What it may ask goes on to `handle`.
    """

    def __init__(
        self, run_dir: Path, account: str, handle: Callable[[Connection, AnyRequest, Responder], None]
    ) -> None:
        self._run_dir = run_dir
        self._account = account
        self._handle = handle
        self._inside: dict[Connection, str] = {}  # the name of the strategy that each has proved to be

    def handle(self, connection: Connection, request: AnyRequest, reply: Responder) -> None:
        """Raises NotAllowed."""
        if isinstance(request, JoinStrategy):
            self._let_in(connection, request)
        else:
            request = self._in_its_name(connection, request)
        self._handle(connection, request, reply)

    def forget(self, connection: Connection) -> None:
        """It has gone."""
        self._inside.pop(connection, None)

    def _let_in(self, connection: Connection, request: JoinStrategy) -> None:
        if request.protocol != PROTOCOL:
            raise other_version("strategy")
        known = door.secret(self._run_dir, self._account, request.name)
        if not hmac.compare_digest(known.encode(), request.secret.encode()):
            log.error("有进程以策略 %s 的名义连接，而密钥不对", request.name)
            raise NotAllowed("这不是该策略的密钥", code="NOT_THIS_STRATEGY")
        self._inside[connection] = request.name

    def _in_its_name(self, connection: Connection, request: AnyRequest) -> AnyRequest:
        name = self._inside.get(connection)
        if name is None or not isinstance(request, OF_STRATEGIES):
            raise NotAllowed(f"策略不能向网关要求 {type(request).__name__}", code="NOT_FOR_STRATEGIES")
        if isinstance(request, PlaceOrder):
            return msgspec.structs.replace(request, strategy=name)
        if isinstance(request, StrategySaid | StrategyBeat):
            return msgspec.structs.replace(request, name=name)
        return request
