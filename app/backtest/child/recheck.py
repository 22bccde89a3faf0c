"""The same run over the first half of the data alone: what it trades there has to be what the whole run
trades there. A strategy that looks ahead by whatever way (frames of the stack, memory), or whose doing hangs
on chance or on the machine's clock, comes to something else. Backtest's child.

It runs in a fork that is made before anything is read, beside the whole run, and is told only then how far it
may read: what comes later is never in its memory.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import orjson
import psutil

from app.backtest.engine.job import ERROR_FILE, RESULT_FILE, Failure, Job
from app.backtest.market_data.data import Data, TradingDays
from app.process.death import die_with

FOLDER = "first-half"
MOST = 400_000_000  # bytes, of a process that has read its data: two have to fit (setting backtest_memory)
PATIENCE = 3.0  # times as long as the whole run took it may go on after that one's end, and
LEAST = 10.0  # seconds, at the least
DIFFERS = "只用前一半行情（到 {day}）重跑，成交与全程的开头不同：策略看了后来的行情，或用了随机数、本机的钟"

Run = Callable[[Job], int]
"""Does a job and gives its exit code; what it leaves is in the job's folder."""


class Recheck:
    """To be made before the data are read, by a process that has no threads yet."""

    def __init__(self, job: Job, run: Run) -> None:
        self._folder, self._trade_from = Path(job.folder) / FOLDER, job.trade_from
        self._began = time.monotonic()
        self._day, self._is_large = "", False
        asked, self._tell = os.pipe()
        self._ended, ends = os.pipe()
        parent = os.getpid()
        self._pid = os.fork()
        if not self._pid:
            os.close(self._tell)
            os.close(self._ended)
            _first_half(job, self._folder, run, asked, parent)
        os.close(asked)
        os.close(ends)  # the fork alone has it now: it is heard when that one ends

    def begin(self, data: Data) -> None:
        """The data are read: run over their first half, if they have one."""
        self._is_large = psutil.Process().memory_info().rss > MOST
        self._day = "" if self._is_large else middle_of(data, self._trade_from)
        os.write(self._tell, self._day.encode())
        os.close(self._tell)
        self._began = time.monotonic()

    def warning(self, trades: Sequence[dict[str, Any]]) -> str:
        """What there is to say of the whole run's trades; "" where all is well. Waits for the other one."""
        if not self._day:
            self._end()
            return "数据较大，没有用前一半行情重跑核对" if self._is_large else ""
        patience = max(LEAST, PATIENCE * (time.monotonic() - self._began))
        if not select.select([self._ended], [], [], patience)[0]:
            self._end()
            return f"只用前一半行情（到 {self._day}）的重跑没有在时限内结束，没有核对"
        self._end()
        expected = [trade for trade in trades if trade["trading_day"] <= self._day]
        try:
            found = orjson.loads((self._folder / RESULT_FILE).read_bytes())["trades"]
        except OSError:
            return f"{DIFFERS.format(day=self._day)}（重跑没有完成：{self._why()}）"
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
        return "" if found == expected else DIFFERS.format(day=self._day)

    def _why(self) -> str:
        try:
            failed = msgspec.json.decode((self._folder / ERROR_FILE).read_bytes(), type=Failure)
        except (OSError, msgspec.DecodeError):
            return "它没有说为什么"
        return failed.message

    def _end(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._ended)


def middle_of(data: Data, trade_from: str = "") -> str:
    """The last trading day of the first half of those that trade; "" where there are not two."""
    if data.bars:
        of = TradingDays().of
        days = sorted({of(bar[0]) for bars in data.bars.values() for bar in bars})
    else:
        days = sorted({row.trading_day for row in data.ticks})
    days = [day for day in days if day >= trade_from]
    return days[len(days) // 2 - 1] if len(days) > 1 else ""


def _first_half(job: Job, folder: Path, run: Run, asked: int, parent: int) -> NoReturn:
    """All that the fork does."""
    exit_code = 1
    try:
        die_with(parent, signal.SIGKILL)
        day = os.read(asked, 64).decode()
        if day:
            folder.mkdir()
            end = min(job.end, day) if job.end else day
            exit_code = run(msgspec.structs.replace(job, folder=str(folder), end=end, recheck=False))
    finally:
        os._exit(exit_code)
