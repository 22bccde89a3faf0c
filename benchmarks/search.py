"""Trials of a search for parameters: `python -m benchmarks.search`. A contract-year of 1-minute bars that is
cached in columns, an order every ~90, as the workers of a search run it: one child that has imported and
loaded, forks for each trial.

Shown: seconds until the first trial has ended, then of each further one; two workers beside one, turn by
turn, as the median of the rounds' ratios; and what memory a worker takes with its run (PSS: what forks share
counts once), the greatest seen.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import psutil

from app.backtest.running.embedded import EmbeddedEngine
from app.backtest.running.units import DONE, Depot, Piece, Unit
from app.backtest.running.workers import Workers
from app.lib import bar_columns, calendar
from app.lib.bars import Bar
from app.lib.program import version
from app.settings import Settings
from benchmarks.parts import backtest_market
from benchmarks.parts.report import machine, table

STRATEGY = Path(__file__).parent / "parts" / "backtest_strategy.py"
SYMBOL = f"{backtest_market.SYMBOL}.{backtest_market.EXCHANGE}"
YEAR = 100_000  # bars; there are fewer
BAND = 6.4  # an order every ~90 bars
MEGABYTE = 1024 * 1024
SAMPLED = 0.1  # seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=8, help="of each worker and round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="search-") as name:
        folder = Path(name)
        settings = Settings.load(None, {}, data_dir=folder / "data", log_to="stdout")
        settings.data_dir.mkdir()
        calendar.keep_in(settings.data_dir)
        calendar.load()
        depot = Depot(folder / "depot")
        units = trials(depot.put(f"{SYMBOL}.bars", columns(folder)))
        print(measured(settings, depot, units, options.trials, options.rounds))


def columns(folder: Path) -> bytes:
    market = folder / "market.json"
    backtest_market.write(market, YEAR, 0)
    rows = json.loads(market.read_text("utf-8"))["bars"]
    return bar_columns.encoded({SYMBOL: [Bar(*row) for row in rows]})


def trials(piece: Piece) -> Iterator[Unit]:
    """As many as are wanted, each with other parameters, at the same cost."""
    text = STRATEGY.read_text("utf-8") + f'\n\next = Averages("mine", "{SYMBOL}", {BAND})\n'
    number = 0
    while True:
        number += 1
        values = {"mine": {"band": BAND + number / 100_000}}
        yield Unit(
            version=version(), strategies={"mine": text}, parameters=values, data=(piece,), keep="figures"
        )


def measured(settings: Settings, depot: Depot, units: Iterator[Unit], count: int, rounds: int) -> str:
    firsts, ones, twos, ratios, peaks = [], [], [], [], []
    for _ in range(rounds):
        each = {}
        for width in (1, 2):
            workers = Workers(settings, depot)
            engine = EmbeddedEngine(width, workers, workers.close)
            firsts.append(seconds(engine, units, width))
            with _Memory() as memory:
                each[width] = seconds(engine, units, count * width) / count
            peaks.append(memory.peak / width)
            engine.close()
        ones.append(each[1])
        twos.append(each[2])
        ratios.append(2 * each[1] / each[2])
    rows = [
        ("一个 worker：第一次试算（起进程、载入在内）", f"{median(firsts):.2f} 秒"),
        ("其后每次试算", f"{median(ones):.2f} 秒"),
        ("两个 worker：各自每次试算", f"{median(twos):.2f} 秒"),
        ("两个 ÷ 一个", f"{median(ratios):.2f} 倍"),
        ("每个 worker 连同它的一次试算，内存（PSS）至多", f"{max(peaks) / MEGABYTE:.0f} MB"),
    ]
    return table("参数搜索：一个合约一年的 1 分钟 K 线，约 90 根一张报单", ("", ""), rows)


def seconds(engine: EmbeddedEngine, units: Iterator[Unit], count: int) -> float:
    began = time.perf_counter()
    handles = [engine.submit(next(units), lambda _progress: None) for _ in range(count)]
    outcomes = [handle.wait() for handle in handles]
    assert all(outcome is not None and outcome.state == DONE for outcome in outcomes), outcomes
    return time.perf_counter() - began


class _Memory:
    """The most that our children took together, looked at now and then."""

    def __init__(self) -> None:
        self.peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLED):
            total = 0
            for child in psutil.Process().children(recursive=True):
                try:
                    if "bwrap" not in child.name():
                        total += child.memory_full_info().pss
                except psutil.Error:
                    continue  # it has just ended
            self.peak = max(self.peak, total)


if __name__ == "__main__":
    main()
