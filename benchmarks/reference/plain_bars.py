"""The reference for bars, its way: rows read for every request, dicts, a list of lists, the standard json
through Flask's jsonify.

Flask under eventlet like ours, a token checked like ours, the rows in SQLite like ours, one connection kept
open. A process of its own.
"""

from __future__ import annotations

import eventlet

eventlet.monkey_patch()

import sqlite3  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import jwt  # noqa: E402
from eventlet import wsgi  # noqa: E402
from flask import Flask, Response, jsonify, request  # noqa: E402

from benchmarks.bars import COLUMNS, KEY  # noqa: E402


def main(database: Path, port: int) -> None:
    app = Flask("plain")
    db = sqlite3.connect(database, check_same_thread=False)

    @app.post("/bar")
    def bar() -> Response:
        jwt.decode(request.headers["Authorization"].removeprefix("JWT "), KEY, algorithms=["HS256"])
        local_symbol = request.form["local_symbol"]
        since = int(request.form["since"])
        rows = db.execute(
            f"SELECT {', '.join(COLUMNS)} FROM bars WHERE local_symbol = ? AND timestamp >= ? ORDER BY "
            "timestamp",
            (local_symbol, since),
        )
        bars = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        data = [
            [
                one["timestamp"],
                one["open_price"],
                one["high_price"],
                one["low_price"],
                one["close_price"],
                one["volume"],
            ]
            for one in bars
        ]
        return jsonify({"success": True, "msg": "", "data": data})

    wsgi.server(eventlet.listen(("127.0.0.1", port)), app, log_output=False, debug=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
