"""The replayed market: a recorded file drives quotes, clock and trading day. Counter process.

The clock stands at the first row until something is watched, so that nobody misses the beginning; then it
runs at `counter_speed` times the recorded speed. Where the file is silent for more than a few seconds
(breaks, nights, weekends) it jumps. A new trading day in the file is the settlement of the old one, at the
next day's PreSettlementPrice. After the last row, or a row that cannot be read, the clock goes on at normal
speed and quotes stand still. Contracts that are not in the file are listed, without quotes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from app.counter.contracts import product_code_of
from app.counter.markets.listing import ListedDay
from app.counter.markets.market import DayTurn, Phase
from app.counter.markets.readers import BadFile, Row, opened, read_rows
from app.counter.markets.wall import SteadyWall
from app.lib import sessions
from app.lib.calendar import SHANGHAI
from app.lib.errors import SettingsError
from app.settings import Settings
from app.wire.frames import DepthField, InstrumentField

GAP = timedelta(seconds=5)  # of the file's time: a longer silence is jumped
CHECKED_ROWS = 1000  # of ticks, before the server starts
BATCH = 250  # rows in one poll at most, so that a poll at high speed does not block

log = logging.getLogger(__name__)


def check_replay(path: Path) -> None:
    """Whether this file can be replayed, as far as its beginning tells: bars are read whole, of ticks the
    header and the first rows. To be asked before anything is started. Raises SettingsError.
    """
    try:
        found = list(islice(read_rows(path), CHECKED_ROWS))
    except BadFile as error:
        raise _cannot_replay(error) from None
    if not found:
        raise _nothing_in(path)


def _cannot_replay(error: BadFile) -> SettingsError:
    return SettingsError(f"行情文件不能回放：{error.message}", parameter="counter_replay")


def _nothing_in(path: Path) -> SettingsError:
    return SettingsError(f"行情文件 {path} 没有可回放的数据", parameter="counter_replay")


class ReplayedMarket:
    """See app/counter/markets/market.py for what each method promises. Raises SettingsError when the file
    cannot be replayed.
    """

    def __init__(self, path: Path, speed: float = 1.0, wall: Callable[[], datetime] | None = None) -> None:
        self._path, self._speed = path, speed
        self._wall = wall or SteadyWall()
        self._watched: set[str] = set()
        self._file = self._opened()
        self._rows, self._taken = self._file(0), 0
        first = self._read()
        if first is None:
            raise _nothing_in(path)
        self._next: Row | None = first
        self._position = first.moment  # of the newest row taken
        self._started: tuple[datetime, datetime] | None = None  # the wall's time, and the file's at that time
        self._quotes: dict[str, DepthField] = {}
        self._begin(first.trading_day)

    @classmethod
    def open(cls, settings: Settings) -> ReplayedMarket:
        if settings.counter_replay is None:
            raise SettingsError("没有给出 counter_replay（行情文件）", parameter="counter_replay")
        return cls(settings.counter_replay, settings.counter_speed)

    def _opened(self) -> Callable[[int], Iterator[Row]]:
        try:
            return opened(self._path)
        except BadFile as error:
            raise _cannot_replay(error) from None

    def _read(self) -> Row | None:
        try:
            return next(self._rows, None)
        except BadFile as error:
            log.error("replay stops: %s", error.message)
            return None

    # clock and day

    def now(self) -> datetime:
        moment = self._file_time(self._wall())
        if self._next is not None:  # the clock never passes what has not been handed out
            moment = min(moment, self._next.moment, self._position + GAP)
        return max(moment, self._position)

    def _file_time(self, wall: datetime) -> datetime:
        if self._started is None:
            return self._position
        begun, file_begun = self._started
        return (file_begun + (wall - begun) * (self._speed if self._next is not None else 1.0)).astimezone(
            SHANGHAI
        )

    def trading_day(self) -> str:
        return self._day

    def phase(self, instrument: str) -> Phase:
        if instrument not in self._listed:
            return "closed"
        return sessions.phase_on(product_code_of(instrument), self._day, self.now())

    def _begin(self, day: str) -> None:
        self._day = day
        self._listed = ListedDay(day)
        if self._next is not None and self._next.trading_day == day:
            self._listed.learn(self._next.depth)

    def _turn(self, first: Row) -> DayTurn:
        last = {name: depth.LastPrice for name, depth in self._quotes.items() if depth.LastPrice}
        settlement = last | self._listed.settled | {first.depth.InstrumentID: first.depth.PreSettlementPrice}
        old_day = self._day
        self._begin(first.trading_day)
        return DayTurn(old_day, first.trading_day, settlement)

    # quotes

    def watch(self, instruments: set[str]) -> None:
        self._watched = set(instruments)
        if instruments and self._started is None:
            self._started = (self._wall(), self._position)

    def poll(self) -> list[DepthField | DayTurn]:
        found: list[DepthField | DayTurn] = []
        if self._started is None:
            return found
        wall = self._wall()
        for _ in range(BATCH):
            row = self._next
            if row is None or not self._is_due(row, wall):
                break
            if row.trading_day != self._day:
                return [*found, self._turn(row)]
            self._take(row, wall)
            if row.kind != "login" and row.depth.InstrumentID in self._watched:
                found.append(row.depth)
        return found

    def _is_due(self, row: Row, wall: datetime) -> bool:
        file_time = self._file_time(wall)
        if row.moment <= file_time:
            return True
        silence_over = self._position + GAP
        if row.moment <= silence_over or file_time < silence_over:
            return False
        begun, file_begun = self._started or (wall, self._position)
        self._started = (begun + (silence_over - file_begun) / self._speed, row.moment)
        return True

    def _take(self, row: Row, wall: datetime) -> None:
        self._quotes[row.depth.InstrumentID] = row.depth
        self._listed.learn(row.depth)
        self._position = max(self._position, row.moment)
        self._taken += 1
        self._next = self._read()
        if self._next is None:
            log.info("replay of %s is over at %s", self._path.name, self._position)
            self._started = (wall, self._position)

    def quote(self, instrument: str) -> DepthField | None:
        return self._quotes.get(instrument)

    def instruments(self) -> dict[str, InstrumentField]:
        return self._listed.instruments()

    # restarts

    def state(self) -> dict[str, Any]:
        return {
            "kind": "replay",
            "file": self._path.name,
            "taken": self._taken,
            "day": self._day,
            "now": self.now().isoformat(),
            "quotes": {name: msgspec.to_builtins(depth) for name, depth in self._quotes.items()},
        } | self._listed.state()

    def progress(self) -> int:
        return self._taken

    def resume(self, state: dict[str, Any], progress: int = 0) -> None:
        """Go on at the row after the last one handed out; until something is watched the clock stands
        there.
        """
        if state.get("kind") != "replay" or state.get("file") != self._path.name:
            return
        self._taken = state["taken"]
        self._rows = self._file(self._taken)
        self._next = self._read()
        self._position = datetime.fromisoformat(state["now"]).astimezone(SHANGHAI)
        self._quotes = {name: msgspec.convert(values, DepthField) for name, values in state["quotes"].items()}
        self._begin(state["day"])
        self._listed.resume(state)
        while self._taken < progress and self._next is not None and self._next.trading_day == self._day:
            self._take(self._next, self._wall())
        self._started = None if self._next is not None else (self._wall(), self._position)
