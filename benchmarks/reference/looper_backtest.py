"""ctpbee's looper over benchmarks/backtest.py's market: `python -m benchmarks.reference.looper_backtest
MARKET bars|ticks COUNT BAND`. A process of its own; prints one line of JSON. CPU time of the run alone.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ctpbee import CtpBee
from ctpbee.looper.interface import trade_day_of

from benchmarks.parts.backtest_strategy import Averages


def main() -> None:
    path, kind, count, band = sys.argv[1:]
    market = json.loads(Path(path).read_text("utf-8"))
    rows = market[kind][: int(count)]
    size = market["size"]
    local_symbol = f"{market['symbol']}.{market['exchange']}"
    history = [(bar if kind == "bars" else tick)(market, local_symbol, row) for row in rows]
    del market
    app = CtpBee("looper", __name__)
    app.config.from_mapping(
        {
            "PATTERN": "looper",
            "LOG_OUTPUT": False,
            "LOOPER": {
                "initial_capital": 1_000_000,
                "deal_pattern": "match",
                "margin_ratio": {local_symbol: 0.1},
                "commission_ratio": {local_symbol: {"close": 0.0001, "close_today": 0.0001}},
                "size_map": {local_symbol: size},
            },
        }
    )
    strategy = Averages("averages", local_symbol, float(band))
    app.add_extension(strategy)
    app.add_data(history)
    trade_day_of(history[0]["datetime"])  # its calendar is read once a process
    with contextlib.redirect_stdout(io.StringIO()):
        gc.collect()
        began = time.process_time()
        app.start()
        took = time.process_time() - began
    trades = len(app.trader.traded_order_mapping)
    print(json.dumps({"seconds": took, "events": len(rows), "orders": strategy.sent, "trades": trades}))


def bar(market: dict[str, Any], local_symbol: str, row: list[Any]) -> dict[str, Any]:
    return {
        "symbol": market["symbol"],
        "exchange": market["exchange"],
        "local_symbol": local_symbol,
        "datetime": at(row[0]),
        "open_price": row[1],
        "high_price": row[2],
        "low_price": row[3],
        "close_price": row[4],
        "volume": row[5],
    }


def tick(market: dict[str, Any], local_symbol: str, row: list[Any]) -> dict[str, Any]:
    return {
        "symbol": market["symbol"],
        "exchange": market["exchange"],
        "local_symbol": local_symbol,
        "datetime": at(row[0]),
        "last_price": row[2],
        "volume": row[3],
        "turnover": row[4],
        "bid_price_1": row[5],
        "bid_volume_1": row[6],
        "ask_price_1": row[7],
        "ask_volume_1": row[8],
    }


def at(milliseconds: int) -> datetime:
    """Naive exchange time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).replace(tzinfo=None) + timedelta(hours=8)


if __name__ == "__main__":
    main()
