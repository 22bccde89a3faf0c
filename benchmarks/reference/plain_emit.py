"""The reference for ticks: Flask-SocketIO as its documentation has it, one `emit` of a dict per tick. A
process of its own.

The hop is the product's: the same channel, the same reader. That a plain server would have to make the dict
of what arrives is not held against it: the dicts are made once per contract, and only the stamp is renewed.
With `nodelay` its connections send at once, which Flask-SocketIO leaves off.
"""

from __future__ import annotations

import eventlet

eventlet.monkey_patch()

import socket  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import orjson  # noqa: E402
from eventlet import wsgi  # noqa: E402
from flask import Flask  # noqa: E402
from flask_socketio import SocketIO  # noqa: E402

from app.settings import Settings  # noqa: E402
from app.web.gateways import Gateways  # noqa: E402
from app.wire.messages import Push  # noqa: E402

STAMP_KEY = b'"turnover":'


def main(data_dir: Path, port: int, nodelay: bool) -> None:
    app = Flask("plain")
    socketio = SocketIO(app, async_mode="eventlet", cors_allowed_origins="*")
    known: dict[str, dict[str, Any]] = {}

    def on_push(_account: str, push: Push) -> None:
        if push.name != "tick":
            return
        event = known.get(push.symbol)
        if event is None:
            event = known[push.symbol] = orjson.loads(push.payload)
        at = push.payload.index(STAMP_KEY) + len(STAMP_KEY)
        event["data"]["turnover"] = int(push.payload[at : at + 16])
        socketio.emit("tick", event)

    Gateways(
        Settings(data_dir=data_dir), on_push, lambda _account, _payload: None, lambda _account, _reason: None
    ).start()
    listener = eventlet.listen(("127.0.0.1", port))
    if nodelay:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wsgi.server(listener, app, log_output=False, debug=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "nodelay")
