"""Where a command finds 1-minute bars that are not in a file: an account's own store, and the reference's
database. A command's own process.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
from tqdm import tqdm

from app.backtest.engine.job import Job
from app.backtest.market_data.cache import FOLDER as COLUMNS
from app.backtest.market_data.cache import ColumnCache, How
from app.backtest.market_data.data import BarStore, NoData, Span, bars_from_store, bars_of_products
from app.commands.import_bars import find_account
from app.commands.import_mongo import Source
from app.data_dir import CACHE, ticks_folder
from app.files import write_whole
from app.gateway.tick_recorder import recorded_days
from app.lib import bar_columns, calendar
from app.lib.bar_files import read_bar_documents
from app.lib.bar_tables import given_columns
from app.lib.bars import Bar
from app.lib.errors import BadInput
from app.model import open_store
from app.settings import Settings

FILE = "store.bars"
REFERENCE = "ctp_bar"  # the reference's database


class Kept(NamedTuple):
    """What is to be taken out of a store, as the options say."""

    from_store: bool
    from_mongo: str
    recorded: bool
    account: str
    contracts: tuple[str, ...]
    main: tuple[str, ...]
    main_warm_up: int
    columns: str

    @property
    def is_wanted(self) -> bool:
        return self.from_store or bool(self.from_mongo) or self.recorded

    def of_job(self) -> dict[str, Any]:
        """What of it is the job's. A store has given the contracts alone."""
        contracts = () if self.from_store or self.from_mongo else self.contracts
        return {"contracts": contracts, "main": self.main, "main_warm_up": self.main_warm_up}


def store_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say it; the command gets them as one argument, `kept`."""

    @functools.wraps(function)
    def command(*arguments: Any, **options: Any) -> Any:
        kept = Kept(*(options.pop(name) for name in Kept._fields))
        return function(*arguments, kept=kept, **options)

    for option in reversed(
        [
            click.option(
                "--from-store", is_flag=True, help="用账户行情库里的 1 分钟 K 线，合约由 --contract 写明"
            ),
            click.option(
                "--from-mongo",
                metavar="URI",
                default="",
                help="用原后端 MongoDB（库 ctp_bar）里的，不导入；写 - 则取环境变量 SOURCE_MONGO_URI",
            ),
            click.option(
                "--map",
                "columns",
                metavar="OURS=COLUMN,…",
                default="",
                help="--data 的列名认不出时，同 import-bars",
            ),
            click.option("--recorded", is_flag=True, help="用账户的网关录下的 tick（设置 record_ticks）"),
            click.option(
                "--contract",
                "contracts",
                metavar="SYMBOL",
                multiple=True,
                help="只用哪个合约，如 rb2401.SHFE，可给几个",
            ),
            click.option(
                "--main",
                metavar="PRODUCT",
                multiple=True,
                help="主力连续：每天只用这个品种的主力合约，如 rb，可给几个；换月时持仓照价移仓",
            ),
            click.option(
                "--main-warm-up",
                metavar="DAYS",
                type=int,
                default=10,
                help="换月后先听几个交易日，缺省 10",
            ),
            click.option("--account", metavar="KEY", default="", help="哪个账户的行情库；只有一个账户时可省"),
        ]
    ):
        command = option(command)
    return command


class ReferenceBars:
    """The reference's database as a store of bars: a collection for each contract. Documents that are no bar
    are left out; raises SourceFailed, and BadBarFile where nobody can tell what the labels are.
    """

    def __init__(self, source: Source, label: str = "") -> None:
        self._source, self._label = source, label

    def series(self) -> list[tuple[str, str]]:
        return [(name, "1m") for name in self._source.collections()]

    def read_bars(
        self, local_symbol: str, interval: str, start: int = 0, end: int = 0, limit: int = 0
    ) -> list[Bar]:
        if interval != "1m" or local_symbol not in self._source.collections():
            return []
        _, found = read_bar_documents(local_symbol, self._source.documents(local_symbol), self._label)
        bars = [bar for bar in found.bars if bar.timestamp >= start and (not end or bar.timestamp < end)]
        return bars[-limit:] if limit else bars


@contextlib.contextmanager
def bar_store(settings: Settings, account: str = "", mongo: str = "", label: str = "") -> Iterator[BarStore]:
    """The account's store, or with `mongo` the reference's database at that URI. Nothing is written. Raises
    NotFound for no such account.
    """
    if mongo:
        with contextlib.closing(Source(mongo, REFERENCE)) as source:
            yield ReferenceBars(source, label)
        return
    with contextlib.closing(open_store(settings, find_account(settings, account))) as store:
        yield store


def files_of(settings: Settings, kept: Kept, job: Job, folder: Path) -> list[str]:
    """What the job's child is to read: what is kept, or the files that somebody names, as columns. Raises as
    those below.
    """
    if kept.recorded:
        return [str(path) for path in recorded_ticks(settings, kept, job)]
    if kept.is_wanted:
        return [str(stored_bars(settings, kept, job, folder))]
    return as_columns(settings, job, given_columns(kept.columns))


def as_columns(settings: Settings, job: Job, given: dict[str, str]) -> list[str]:
    """The job's files, each read once: the next run loads its columns."""
    calendar.use_overrides(settings.calendar_file)
    corrections = settings.calendar_file.read_text("utf-8") if settings.calendar_file is not None else ""
    how = How(job.symbol, job.label, given, corrections)
    cache = ColumnCache(cache_folder(settings) / COLUMNS)
    found = []
    for name in job.files:
        path = Path(name)
        with tqdm(desc=f"读取 {path.name}", unit=" 行", leave=False, disable=None) as progress:
            found.append(str(cache.columns_of(path, how, progress.update)))
    return found


def cache_folder(settings: Settings) -> Path:
    """In the data directory where there is one, else the user's place for such things (the XDG base directory
    specification).
    """
    if settings.data_dir.is_dir():
        return settings.data_dir / CACHE
    place = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(place) if place.startswith("/") else Path.home() / ".cache") / "ctpbee-backend"


def recorded_ticks(settings: Settings, kept: Kept, job: Job) -> list[Path]:
    """The days of the job that the account's gateway has recorded. Raises NoData, which says which there
    are.
    """
    account = find_account(settings, kept.account)
    days = recorded_days(ticks_folder(settings.data_dir, account))
    wanted = Span(job.start, job.end)
    found = [path for day, path in days.items() if wanted.has(day)]
    if not found:
        there = f"有的是 {min(days)} 至 {max(days)}" if days else "一天也没有，要先设 record_ticks = true"
        raise NoData(f"{account} 没有录下这段时间的 tick；{there}")
    return found


def source_uri(settings: Settings, given: str) -> str:
    """What --from-mongo says; with `-` what the environment or the settings say, which nobody sees in the
    list of processes. Raises BadInput.
    """
    if given != "-":
        return given
    uri = os.environ.get("SOURCE_MONGO_URI", "") or settings.mongo_uri
    if not uri:
        raise BadInput("from-mongo", "--from-mongo - 要求环境变量 SOURCE_MONGO_URI 或设置 mongo_uri")
    return uri


def stored_bars(settings: Settings, kept: Kept, job: Job, folder: Path) -> Path:
    """A file in `folder` of what the store has for this job, as its child reads it. Raises NoData, and
    BadInput that says which contracts there are.
    """
    calendar.use_overrides(settings.calendar_file)
    path = folder / FILE
    with bar_store(settings, kept.account, source_uri(settings, kept.from_mongo), job.label) as store:
        if kept.main:
            bars = bars_of_products(store, kept.main, Span(job.start, job.end))
        elif not kept.contracts:
            there = "、".join(name for name, interval in store.series() if interval == "1m")
            raise BadInput("contract", f"请用 --contract 写明合约；库里有：{there or '没有 K 线'}")
        else:
            bars = bars_from_store(store, kept.contracts, Span(job.start, job.end))
    write_whole(path, bar_columns.encoded(bars))
    return path
