"""A made-up market for benchmarks/backtest.py, the same for every engine, as one JSON file: a random walk
over the real sessions of a real contract. Any process; vnpy's Python has nothing of ours to read it with.

`bars`: `[epoch ms, open, high, low, close, volume, turnover, open interest]`, 1 minute each, of a contract's
year. `ticks`: `[epoch ms, trading day, last, day's volume and turnover, bid and its volume, ask and its]`,
two a second.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from app.lib.calendar import compact, next_trading_day, parse_day
from app.lib.sessions import sections

SYMBOL, EXCHANGE, SIZE, PRICE_TICK = "rb2401", "SHFE", 10, 1.0
FIRST, LAST = "20230117", "20240115"  # its first and last trading day
TICKS_FROM = "20230925"
HALF_A_SECOND = timedelta(seconds=0.5)
MINUTE = timedelta(minutes=1)
START = 3800.0


def write(path: Path, bars: int, ticks: int) -> None:
    """So many of each at the most."""
    found = {
        "symbol": SYMBOL,
        "exchange": EXCHANGE,
        "size": SIZE,
        "price_tick": PRICE_TICK,
        "pre_settlement": START,
        "bars": _first(_bars(), bars),
        "ticks": _first(_ticks(), ticks),
    }
    path.write_text(json.dumps(found), "utf-8")


def _first(rows: Iterator[list[Any]], count: int) -> list[list[Any]]:
    return [row for _, row in zip(range(count), rows, strict=False)]


def _moments(first: str, step: timedelta) -> Iterator[tuple[str, datetime]]:
    """Each trading day's, its night first."""
    day, last = parse_day(first), parse_day(LAST)
    while day <= last:
        for section in sections("rb", compact(day)):
            moment = section.start
            while moment < section.end:
                yield compact(day), moment
                moment += step
        day = next_trading_day(day)


def _bars() -> Iterator[list[Any]]:
    chance, last = random.Random(1), START
    for _, moment in _moments(FIRST, MINUTE):
        first = last + chance.choice((-1.0, 0.0, 0.0, 1.0))
        last = min(max(first + chance.randint(-3, 3), START - 150), START + 150)  # within the day's limits
        high = max(first, last) + chance.randint(0, 2)
        low = min(first, last) - chance.randint(0, 2)
        volume = chance.randint(200, 4000)
        average = (first + high + low + last) / 4
        turnover = round(average) * volume * SIZE
        yield [int(moment.timestamp() * 1000), first, high, low, last, volume, float(turnover), 1.5e6]


def _ticks() -> Iterator[list[Any]]:
    chance, last, day, volume, turnover = random.Random(2), START, "", 0, 0.0
    for trading_day, moment in _moments(TICKS_FROM, HALF_A_SECOND):
        if trading_day != day:
            day, volume, turnover = trading_day, 0, 0.0
        last = min(max(last + chance.choice((-1.0, 0.0, 0.0, 1.0)), START - 150), START + 150)
        traded = chance.randint(0, 40)
        volume += traded
        turnover += traded * last * SIZE
        bid = last - chance.randint(0, 1)
        depth = [bid, chance.randint(1, 500), bid + 1.0, chance.randint(1, 500)]
        yield [int(moment.timestamp() * 1000), day, last, volume, turnover, *depth]
