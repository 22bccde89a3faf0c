"""`run.py data`: what bars and ticks there are, by contract: from when to when, how many, and what is
missing or odd. Of the account's store and its recorded ticks, or of files. A process of its own; nothing is
changed.
"""

from __future__ import annotations

import contextlib
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import orjson
from tqdm import tqdm

from app.commands.common import settings_of, settings_options
from app.commands.import_bars import find_account
from app.counter.markets.readers import Row, holds_ticks, read_rows
from app.data_dir import ticks_folder
from app.gateway.tick_recorder import recorded_days
from app.lib import calendar, memory
from app.lib.bar_files import Reading, read_bar_file
from app.lib.bar_quality import Gaps, gaps_of, moment, quality
from app.lib.errors import AppError
from app.model import open_store
from app.settings import Settings

MINUTE = 60_000
HEADS = (
    "合约",
    "类",
    "来源",
    "首",
    "末",
    "数",
    "交易日",
    "缺日",
    "缺节",
    "缺分钟",
    "最长",
    "重复",
    "四价同",
    "说明",
)

OnRow = Callable[[int], object]


class Listed(NamedTuple):
    """A contract's bars or ticks from one place. Moments are exchange time to the minute; `flat`: bars with
    volume and one price; `outside`: of bars, those outside of the sections.
    """

    local_symbol: str
    kind: str  # 1m, tick
    source: str
    first: str
    last: str
    rows: int
    days: int
    missing_days: list[str]
    missing_sections: list[str]
    missing_minutes: int
    longest_gap: int  # minutes
    longest_gap_at: str
    repeated: int
    outside: int
    flat: int
    is_flat: bool
    remarks: list[str]


@click.command("data")
@settings_options
@click.argument("files", metavar="[FILE…]", nargs=-1, type=click.Path(path_type=Path))
@click.option("--account", metavar="KEY", default="", help="哪个账户的；只有一个账户时可省")
@click.option("--symbol", metavar="SYMBOL", default="", help="文件中没有合约列时，是哪个合约，如 rb2401.SHFE")
@click.option("--label", type=click.Choice(["start", "end"]), help="文件里的时间是 K 线的开始还是结束")
@click.option("--json", "as_json", is_flag=True, help="写成 JSON，供程序读")
@click.pass_context
def data_command(
    ctx: click.Context,
    files: tuple[Path, ...],
    account: str,
    symbol: str,
    label: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """列出有哪些行情：各合约的首末、数量，缺的日、节与分钟，重复与四价相同的。

    不给文件时是账户行情库里的 1 分钟 K 线与录下的 tick；给了文件就看文件，格式同 import-bars 与回放。
    """
    memory.bound()
    settings = settings_of(ctx, options)
    calendar.use_overrides(settings.calendar_file)
    problems: list[str] = []
    if files:
        found = [one for path in files for one in _of_file(path, symbol, label or "", problems)]
    else:
        found = [*_stored(settings, account), *_recorded(settings, account, problems)]
    if as_json:
        click.echo(orjson.dumps([one._asdict() for one in found], option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo(table(HEADS, [_row(one) for one in found]) if found else "没有行情")
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        sys.exit(1)


# ── what there is ──


def _stored(settings: Settings, account: str) -> Iterator[Listed]:
    account = find_account(settings, account)
    with contextlib.closing(open_store(settings, account)) as store:
        series = [name for name, interval in store.series() if interval == "1m"]
        for local_symbol in tqdm(series, desc="行情库", unit=" 个合约", leave=False, disable=None):
            yield of_bars(local_symbol, store.read_bars(local_symbol, "1m"), account)


def _recorded(settings: Settings, account: str, problems: list[str]) -> Iterator[Listed]:
    """All its days together."""
    account = find_account(settings, account)
    days = recorded_days(ticks_folder(settings.data_dir, account))
    yield from _of_ticks(list(days.values()), account, problems)


def _of_file(path: Path, symbol: str, label: str, problems: list[str]) -> list[Listed]:
    try:
        if holds_ticks(path):
            return _of_ticks([path], path.name, problems)
        repeated: Counter[str] = Counter()
        reading = Reading(on_repeated=lambda local_symbol: repeated.update([local_symbol]))
        with tqdm(desc=f"读取 {path.name}", unit=" 根", leave=False, disable=None) as progress:
            series = read_bar_file(path, symbol, label, progress.update, reading)
    except AppError as error:
        problems.append(error.message)
        return []
    return [of_bars(name, bars, path.name, repeated[name]) for name, bars in series.items() if bars]


def of_bars(local_symbol: str, bars: Sequence[Any], source: str, repeated: int = 0) -> Listed:
    """Of at least one bar, oldest first."""
    found = quality(local_symbol, bars, repeated)
    return Listed(
        local_symbol,
        "1m",
        source,
        moment(found.first),
        moment(found.last),
        found.bars,
        found.days,
        *_of_gaps(found.gaps),
        repeated,
        found.outside,
        found.flat,
        found.is_flat,
        found.remarks,
    )


class _Ticks:
    """What has come of one contract."""

    def __init__(self) -> None:
        self.count = self.repeated = 0
        self.minutes: set[int] = set()
        self.days: set[str] = set()
        self._last: object = None

    def take(self, row: Row) -> None:
        if row.kind != "tick":
            return
        self.count += 1
        self.repeated += row.depth == self._last
        self._last = row.depth
        stamp = int(row.moment.timestamp() * 1000)
        self.minutes.add(stamp - stamp % MINUTE)
        self.days.add(row.trading_day)

    def listed(self, local_symbol: str, source: str) -> Listed:
        gaps = gaps_of(local_symbol, self.minutes)
        remarks = [f"缺整个交易日：{len(gaps.days)} 个"] if gaps.days else []
        first, last = moment(min(self.minutes)), moment(max(self.minutes))
        return Listed(
            local_symbol,
            "tick",
            source,
            first,
            last,
            self.count,
            len(self.days),
            *_of_gaps(gaps),
            self.repeated,
            0,
            0,
            False,
            remarks,
        )


def _of_ticks(paths: Sequence[Path], source: str, problems: list[str]) -> list[Listed]:
    found: dict[str, _Ticks] = {}
    with tqdm(desc=f"读取 {source} 的 tick", unit=" 笔", leave=False, disable=None) as progress:
        for path in paths:
            try:
                for row in read_rows(path):
                    progress.update(1)
                    name = f"{row.depth.InstrumentID}.{row.depth.ExchangeID}"
                    found.setdefault(name, _Ticks()).take(row)
            except AppError as error:
                problems.append(error.message)
    return [ticks.listed(name, source) for name, ticks in sorted(found.items()) if ticks.count]


def _of_gaps(gaps: Gaps) -> tuple[list[str], list[str], int, int, str]:
    sections = [moment(start) for start in gaps.sections]
    at = moment(gaps.longest.start) if gaps.longest.minutes else ""
    return gaps.days, sections, gaps.minutes, gaps.longest.minutes, at


# ── how it is shown ──


def _row(one: Listed) -> list[str]:
    longest = f"{one.longest_gap}（{one.longest_gap_at}）" if one.longest_gap else "0"
    cells = [one.local_symbol, one.kind, one.source, one.first, one.last, one.rows, one.days]
    cells += [len(one.missing_days), len(one.missing_sections), one.missing_minutes, longest]
    cells += [one.repeated, one.flat, "；".join(one.remarks) or "—"]
    return [str(cell) for cell in cells]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under each other in a terminal, where a Chinese character is two wide."""
    lines = [heads, *rows]
    widths = [max(_width(line[at]) for line in lines) for at in range(len(heads) - 1)]
    return "\n".join(
        "  ".join(
            [
                *(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=False)),
                line[-1],
            ]
        )
        for line in lines
    )


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
