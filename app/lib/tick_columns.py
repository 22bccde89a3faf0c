"""Snapshots in files of columns (app/lib/columns.py): what a gateway records, and what was read from a file
of ticks once. Any process; pure but for reading the file.

A block has the snapshots of one trading day (its note `day`, "" for several) of the contracts in its note
`symbols`, each a name and its exchange, in the order in which they came: the column `symbol` says which.
Everything else is CThostFtdcDepthMarketDataField, with its dates and times as the exchange stamped them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from app.lib import columns
from app.lib.columns import BadColumns, Block, Meta

KIND = "ticks"
NO_TEXT = -1
DATES = ("TradingDay", "ActionDay")
PRICES = (
    *("LastPrice", "Turnover", "OpenInterest", "OpenPrice", "HighestPrice", "LowestPrice"),
    *("PreSettlementPrice", "PreClosePrice", "PreOpenInterest", "UpperLimitPrice", "LowerLimitPrice"),
    *("BidPrice1", "AskPrice1", "AveragePrice", "SettlementPrice", "ClosePrice"),
)
VOLUMES = ("UpdateMillisec", "Volume", "BidVolume1", "AskVolume1")
TYPES = {
    "symbol": "i",
    **dict.fromkeys((*DATES, "UpdateTime"), "i"),
    "UpdateMillisec": "i",
    **dict.fromkeys(VOLUMES[1:], "q"),
    **dict.fromkeys(PRICES, "d"),
}
_FIGURES = attrgetter(*VOLUMES, *PRICES)


class Snapshot(Protocol):
    """What a block keeps of a snapshot; app/wire/frames.py's DepthField has it, and `_FIGURES` beside."""

    InstrumentID: str
    ExchangeID: str
    TradingDay: str
    ActionDay: str
    UpdateTime: str


class Found(NamedTuple):
    """A snapshot out of a file: `day` is its block's, and `values` are a DepthField's."""

    day: str
    values: dict[str, Any]


class Packer:
    """Snapshots on their way into a block; `add` does most of the work, a little each time."""

    def __init__(self) -> None:
        self._symbols: dict[tuple[str, str], int] = {}
        self._rows: list[tuple[Any, ...]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, tick: Snapshot) -> None:
        """Raises ValueError for a date or a time that is none."""
        symbol = tick.InstrumentID, tick.ExchangeID
        number = self._symbols.setdefault(symbol, len(self._symbols))
        dates = int(tick.TradingDay or NO_TEXT), int(tick.ActionDay or NO_TEXT)
        clock = int(tick.UpdateTime.replace(":", "") or NO_TEXT)
        self._rows.append((number, *dates, clock, *_FIGURES(tick)))

    def block(self, day: str = "", note: Mapping[str, Any] | None = None, level: int = 6) -> bytes:
        """All that was added, which is forgotten then."""
        rows, symbols = self._rows, self._symbols
        self._rows, self._symbols = [], {}
        note = {**(note or {}), "day": day, "symbols": [list(symbol) for symbol in symbols]}
        values = zip(*rows, strict=True) if rows else [[] for _ in TYPES]
        return columns.packed(KIND, "", TYPES, values, note, level)


def packed(ticks: Iterable[Snapshot], day: str = "", note: Mapping[str, Any] | None = None) -> bytes:
    """A block of these. Raises ValueError for a date or a time that is none."""
    packer = Packer()
    for tick in ticks:
        packer.add(tick)
    return packer.block(day, note)


def holds_ticks(path: Path) -> bool:
    """Whether it is such a file; an empty one that a recorder has just begun too. Raises OSError,
    BadColumns.
    """
    return columns.is_columns(path) and all(meta.kind == KIND for meta in columns.metas(path))


def read(path: Path, wanted: Sequence[str] = ()) -> Iterator[Found]:
    """In the order in which they came; of these contracts (`rb2401`) alone, where any are named. Raises
    BadColumns, OSError.
    """
    for block in columns.blocks(path, lambda meta: meta.kind == KIND and _has(meta, wanted)):
        try:
            yield from _rows(block, wanted)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise BadColumns(f"{path.name}: 不是行情的列：{error!r}") from None


def _has(meta: Meta, wanted: Sequence[str]) -> bool:
    return not wanted or any(name in wanted for name, _ in meta.note["symbols"])


def _rows(block: Block, wanted: Sequence[str]) -> Iterator[Found]:
    found, day = block.columns, str(block.meta.note["day"])
    symbols = [(str(name), str(exchange)) for name, exchange in block.meta.note["symbols"]]
    chosen = {number for number, (name, _) in enumerate(symbols) if not wanted or name in wanted}
    of_contract = found["symbol"]
    names = (*VOLUMES, *PRICES)
    figures = [found[name] for name in names]
    trading, action, clock = (found[name] for name in (*DATES, "UpdateTime"))
    for row in range(block.meta.rows):
        if of_contract[row] not in chosen:
            continue
        name, exchange = symbols[of_contract[row]]
        values: dict[str, Any] = {name: column[row] for name, column in zip(names, figures, strict=True)}
        values |= {"InstrumentID": name, "ExchangeID": exchange, "UpdateTime": _clock(clock[row])}
        values |= {"TradingDay": _date(trading[row]), "ActionDay": _date(action[row])}
        yield Found(day, values)


def _date(number: int) -> str:
    return f"{number:08d}" if number != NO_TEXT else ""


def _clock(number: int) -> str:
    if number == NO_TEXT:
        return ""
    return f"{number // 10000:02d}:{number // 100 % 100:02d}:{number % 100:02d}"
