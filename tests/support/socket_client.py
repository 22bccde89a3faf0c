"""A Socket.IO client that hears events in the order in which they came."""

from __future__ import annotations

import threading
from typing import Any

import engineio
import socketio


class EngineInOrder(engineio.Client):
    """python-engineio's client handles every message in a thread of its own: under load they overtake each
    other.
    """

    def _trigger_event(self, event: str, *args: Any, run_async: bool = False, **kwargs: Any) -> Any:
        return super()._trigger_event(event, *args, run_async=False, **kwargs)

    def disconnect(self, abort: bool = False, reason: str | None = None) -> None:
        """What a message asks for is done in the thread that reads: it cannot wait for its own end."""
        super().disconnect(abort or threading.current_thread() is self.read_loop_task, reason)

    def _read_loop_websocket(self) -> None:
        """It also leaves the socket open when the web dies under it."""
        websocket = self.ws
        try:
            super()._read_loop_websocket()
        finally:
            websocket.shutdown()


class ClientInOrder(socketio.Client):
    """Events are heard one after the other, and so is the end: not before `connect` has returned, where it
    would be passed over.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._returned = threading.Event()
        super().__init__(*args, **kwargs)

    def connect(self, *args: Any, **kwargs: Any) -> None:
        self._returned.clear()
        try:
            super().connect(*args, **kwargs)
        finally:
            self._returned.set()

    def _handle_disconnect(self, namespace: str | None) -> None:
        self._returned.wait(30)
        super()._handle_disconnect(namespace)

    def _engineio_client_class(self) -> type[engineio.Client]:
        return EngineInOrder
