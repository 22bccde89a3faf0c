"""POST /bar of 3 days: `python -m benchmarks.bars`. The real server, with 1 and 16 connections, beside the
reference's way.

Cached: one contract, asked again and again. Cold: more contracts in turn than are kept, so that each has to
be read and encoded. Each way is measured in turn, several rounds; shown are its median, and the median of the
rounds' ratios.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import jwt

from app.lib.bars import Bar
from app.wire.messages import SaveBars
from benchmarks.parts.report import machine, ms, table, thousands
from benchmarks.parts.stage import SERVER_CORE, Part, Server, free_port

ROWS = 1665
KEY = "the reference's key, long enough for HS256"
COLUMNS = (
    "local_symbol",
    "timestamp",
    "open_price",
    "high_price",
    "low_price",
    "close_price",
    "volume",
    "turnover",
    "open_interest",
)
# far more than the 64 that gateway and web keep each: what comes out of turn is not found there either
CONTRACTS = 200
USER = "bars"


def made_up(seed: int) -> list[Bar]:
    """A minute each, up to now."""
    chance, price, bars = random.Random(seed), 3500.0, []
    first = (int(time.time()) // 60 - ROWS) * 60_000
    for number in range(ROWS):
        close = price + chance.randint(-3, 3)
        high, low = max(price, close) + chance.randint(0, 2), min(price, close) - chance.randint(0, 2)
        bars.append(
            Bar(first + number * 60_000, price, high, low, close, chance.randint(1, 3000), 1e7, 1.5e6, True)
        )
        price = close
    return bars


def fill(server: Server) -> list[str]:
    """Contracts with three days of bars each."""
    symbols = server.contracts(USER)[:CONTRACTS]
    with server.gateway(USER) as gateway:
        for number, symbol in enumerate(symbols):
            gateway.call(SaveBars(symbol, made_up(number)), 60)
    return symbols


def fill_reference(database: Path, symbols: list[str]) -> None:
    db = sqlite3.connect(database)
    db.execute(f"CREATE TABLE bars ({', '.join(COLUMNS)}, PRIMARY KEY (local_symbol, timestamp))")
    marks = ", ".join("?" * len(COLUMNS))
    for number, symbol in enumerate(symbols):
        db.executemany(f"INSERT INTO bars VALUES ({marks})", [(symbol, *bar[:8]) for bar in made_up(number)])
    db.commit()
    db.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16])
    parser.add_argument(
        "--rounds",
        type=int,
        default=5,
        help="each way in turn, so often: a busy moment of the machine hits all of them",
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    options = parser.parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="bars-") as folder, ExitStack() as stack:
        server = Server(Path(folder) / "data", everything=True)
        stack.callback(server.close)
        token = server.log_in(USER)
        symbols = fill(server)
        fill_reference(Path(folder) / "reference.db", symbols)
        port = free_port()
        plain = Part.module(
            "reference.plain_bars",
            str(Path(folder) / "reference.db"),
            str(port),
            core=SERVER_CORE,
            listens=port,
        )
        stack.callback(plain.close)
        load = Part.module("parts.http_load")
        stack.callback(load.close)
        since = int(time.time() * 1000) - 3 * 86_400_000
        theirs = {"port": port, "token": jwt.encode({"sub": "x"}, KEY, "HS256")}
        ours = {"port": server.port, "token": token}
        ways: list[tuple[str, dict[str, Any]]] = [
            (
                "参照：逐行读、dict、list、jsonify",
                theirs | {"bodies": [f"local_symbol={symbol}&since={since}" for symbol in symbols]},
            ),
            ("本项目，缓存未中", ours | {"bodies": [f"local_symbol={symbol}" for symbol in symbols]}),
            ("本项目，缓存命中", ours | {"bodies": [f"local_symbol={symbols[0]}"]}),
        ]
        rows = []
        for connections in options.connections:
            rounds = []
            for _, how in ways:
                load.ask("load", path="/bar", connections=connections, seconds=1.0, **how)
            for _ in range(options.rounds):
                rounds.append(
                    [
                        load.ask("load", path="/bar", connections=connections, seconds=options.seconds, **how)
                        for _, how in ways
                    ]
                )
            for number, (name, _) in enumerate(ways):
                got = sorted((answers[number] for answers in rounds), key=lambda one: one["rate"])[
                    options.rounds // 2
                ]
                compared = median(answers[number]["rate"] / answers[0]["rate"] for answers in rounds)
                times = f"{ms(got['p50'])} / {ms(got['p99'])}"
                rows.append(
                    (
                        str(connections),
                        name,
                        thousands(got["rate"]),
                        f"{compared:.2f} 倍",
                        times,
                        thousands(got["bytes"]),
                    )
                )
    print(
        table(
            f"POST /bar，3 天 {ROWS} 根", ("连接", "方式", "请求/s", "与参照", "p50 / p99 ms", "字节"), rows
        )
    )


if __name__ == "__main__":
    main()
