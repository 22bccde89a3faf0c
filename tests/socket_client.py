"""A Socket.IO client that hears events in the order in which they came."""

from __future__ import annotations

from typing import Any

import engineio
import socketio


class EngineInOrder(engineio.Client):
    """python-engineio's client handles every message in a thread of its own: under load they overtake each other."""

    def _trigger_event(self, event: str, *args: Any, run_async: bool = False, **kwargs: Any) -> Any:
        return super()._trigger_event(event, *args, run_async=False, **kwargs)

    def _read_loop_websocket(self) -> None:
        """It also leaves the socket open when the web dies under it."""
        websocket = self.ws
        try:
            super()._read_loop_websocket()
        finally:
            websocket.shutdown()


class ClientInOrder(socketio.Client):
    def _engineio_client_class(self) -> type[engineio.Client]:
        return EngineInOrder
