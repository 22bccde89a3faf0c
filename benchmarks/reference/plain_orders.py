"""The reference for orders, its way: the order is handed over, 200 ms are slept, and that is the answer. A
process of its own.

Flask under eventlet and a token checked like ours. The handing over is left out: it costs the reference
nothing here, and there is no counter behind it.
"""

from __future__ import annotations

import eventlet

eventlet.monkey_patch()

import sys  # noqa: E402
import time  # noqa: E402

import jwt  # noqa: E402
from eventlet import wsgi  # noqa: E402
from flask import Flask, Response, jsonify, request  # noqa: E402

from benchmarks.bars import KEY  # noqa: E402

SLEEP = 0.2


def main(port: int) -> None:
    app = Flask("plain")

    @app.post("/order_solve")
    def order() -> Response:
        jwt.decode(request.headers["Authorization"].removeprefix("Bearer "), KEY, algorithms=["HS256"])
        asked = request.get_json()
        time.sleep(SLEEP)
        return jsonify({"success": True, "msg": f"{asked['local_symbol']} 报单成功", "data": ""})

    wsgi.server(eventlet.listen(("127.0.0.1", port)), app, log_output=False, debug=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))
