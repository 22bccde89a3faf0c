"""Our own backtest over benchmarks/backtest.py's market: `python -m benchmarks.parts.backtest_run MARKET
bars|ticks COUNT BAND`. A process of its own; prints one line of JSON.

`seconds` is CPU time of the run, `trial` that of the run and its result.json. With --profile cProfile's table
goes to stderr.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from app.backtest.engine.engine import Outcome, Plan, run
from app.backtest.engine.strategies import Program
from app.backtest.market_data.data import Data
from app.backtest.report import result
from app.counter.markets.readers import Row
from app.lib import memory
from app.lib.bars import Bar
from app.lib.calendar import SHANGHAI
from app.strategy.loader import prepare
from app.wire.frames import DepthField

STRATEGY = """
from benchmarks.parts.backtest_strategy import Averages

ext = Averages("averages", {local_symbol!r}, {band})
"""


def main() -> None:
    path, kind, count, band = sys.argv[1:5]
    market = json.loads(Path(path).read_text("utf-8"))
    data = data_of(market, kind, int(count))
    del market
    text = STRATEGY.format(local_symbol=data.local_symbols[0], band=float(band))
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        strategy = Path(folder) / "averages.py"
        strategy.write_text(text, "utf-8")
        plan = Plan([Program("averages", strategy)])
        run(
            data._replace(
                bars={name: bars[:500] for name, bars in data.bars.items()}, ticks=data.ticks[:500]
            ),
            plan,
        )
        memory.settle()  # as its process does (app/backtest/__main__.py)
        profile = cProfile.Profile()
        if "--profile" in sys.argv:
            profile.enable()
        began = time.process_time()
        outcome = run(data, plan)
        took = time.process_time() - began
        size = len(result.encoded(result.document(outcome, plan, data, result.Made("0", {"averages": text}))))
        trial = time.process_time() - began
        profile.disable()
    if "--profile" in sys.argv:
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(45).sort_stats(
            "cumtime"
        ).print_stats(70)
    print(json.dumps(told(outcome) | {"seconds": took, "trial": trial, "bytes": size}))


def told(outcome: Outcome) -> dict[str, Any]:
    account = outcome.account
    return {
        "events": outcome.events,
        "orders": len(account.orders) + len(account.not_sent),
        "trades": len(account.trades),
        "balance": float(outcome.days[-1].after.balance),
    }


def data_of(market: dict[str, Any], kind: str, count: int) -> Data:
    rows = market[kind][:count]
    if kind == "bars":
        return Data({f"{market['symbol']}.{market['exchange']}": [Bar(*row) for row in rows]}, [], {})
    return Data({}, [_row(market, row) for row in rows], {})


def _row(market: dict[str, Any], row: list[Any]) -> Row:
    epoch, day, last, volume, turnover, bid, bid_volume, ask, ask_volume = row
    moment, before = datetime.fromtimestamp(epoch / 1000, SHANGHAI), market["pre_settlement"]
    depth = DepthField(
        InstrumentID=market["symbol"],
        ExchangeID=market["exchange"],
        TradingDay=day,
        ActionDay=f"{moment:%Y%m%d}",
        UpdateTime=f"{moment:%H:%M:%S}",
        UpdateMillisec=moment.microsecond // 1000,
        LastPrice=last,
        Volume=volume,
        Turnover=turnover,
        OpenInterest=1.5e6,
        OpenPrice=before,
        HighestPrice=before + 150,
        LowestPrice=before - 150,
        PreSettlementPrice=before,
        PreClosePrice=before,
        PreOpenInterest=1.5e6,
        UpperLimitPrice=before + 190,
        LowerLimitPrice=before - 190,
        BidPrice1=bid,
        BidVolume1=bid_volume,
        AskPrice1=ask,
        AskVolume1=ask_volume,
    )
    return Row(moment, day, "tick", depth)


if __name__ == "__main__":
    main()
