"""`run.py import-bars`: files of bars into an account's store. A process of its own, for as long as it takes.

One process writes to an account's file: while the account's gateway lives the bars go through it, else they
are written here, under the lock that keeps a gateway from being started meanwhile. The same file again only
replaces what it has brought.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click
from tqdm import tqdm

from app.commands.common import minute, ready_settings, settings_options
from app.counter.markets.readers import BadFile, holds_ticks
from app.counter.markets.tick_bars import bars_of_ticks
from app.data_dir import accounts
from app.lib import calendar, memory
from app.lib.account_names import PAPER_BROKER
from app.lib.bar_files import Reading, Told, read_bar_file
from app.lib.bar_tables import TITLES, given_columns
from app.lib.bars import Bar
from app.lib.errors import AppError, GatewayDown, NotFound
from app.model import open_store
from app.model.identity import account_of
from app.model.store import StoreFailed
from app.process.child import AlreadyRunning, Lock
from app.settings import Settings
from app.wire import peer
from app.wire.messages import SaveBars
from app.wire.registry import Registry, gateway_of

CHUNK = 1000
"""Bars in one write: orders that the gateway has to write down wait no longer than for these."""

# rows on their way to MongoDB: the spool has room for no more than a million bars, and the market's must find
# it
MOST_WAITING = 50_000
STALL_LIMIT = 60.0  # seconds without one of them arriving
SHIPPING_LIMIT = 600.0  # seconds

Save = Callable[[str, list[Bar]], object]


class CannotSave(AppError):
    """The store does not take the bars: mend what the message says and import again."""

    default_code = "CANNOT_SAVE"


@click.command("import-bars")
@settings_options
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--account", metavar="KEY", default="", help="账户，如 sim-9999-demo；或用后两项；只有一个账户时可省"
)
@click.option("--brokerid", metavar="ID", default="", help="经纪商代码；模拟账户可省")
@click.option("--userid", metavar="ID", default="", help="用户代码")
@click.option("--symbol", metavar="SYMBOL", default="", help="文件中没有合约列时，是哪个合约，如 rb2401.SHFE")
@click.option(
    "--label",
    type=click.Choice(["start", "end"]),
    help="时间是 K 线的开始还是结束；不给则由交易节首尾的 K 线判断",
)
@click.option(
    "--map",
    "columns",
    metavar="OURS=COLUMN,…",
    default="",
    help="列名认不出或认错时指明，如 time=交易时间,open=Op,turnover=金额",
)
@click.option(
    "--turnover",
    type=click.Choice(["yuan", "wan"]),
    help="成交额的单位：元或万元；不给则由价格与成交量判断",
)
@click.option("--check", is_flag=True, help="只说明文件会怎样读，不导入")
@click.pass_context
def import_bars_command(
    ctx: click.Context,
    files: tuple[Path, ...],
    account: str,
    brokerid: str,
    userid: str,
    symbol: str,
    label: str | None,
    columns: str,
    turnover: str | None,
    check: bool,
    **options: Any,
) -> None:
    """导入 1 分钟 K 线：CSV（可压缩为 gz）与 Parquet；tick 文件合成 K 线。

    先说明每个文件怎样读：像是谁写的、哪一列是什么、时间标在首尾。可重复执行：相同时刻的以文件为准；有坏行的文件整个不导入。
    """
    memory.bound()
    settings = ready_settings(ctx, options)
    calendar.use_overrides(settings.calendar_file)
    wan = {"yuan": False, "wan": True}.get(turnover or "")
    asked = Asked(symbol, label or "", given_columns(columns), wan)
    if check:
        read = [_read(path, asked) for path in files]
        if None in read:
            sys.exit(1)
        return
    if not account and (brokerid or userid):
        paper = settings.interface == "sim"
        account = account_of(
            settings, "sim" if paper else "ctp", brokerid or (PAPER_BROKER if paper else ""), userid
        )
    account = find_account(settings, account)
    went_well = [_import_file(settings, account, path, asked) for path in files]
    if not all(went_well):
        sys.exit(1)


class Asked(NamedTuple):
    """How the files are to be read, as the options say."""

    symbol: str
    label: str
    given: dict[str, str]
    wan: bool | None


def _read(path: Path, asked: Asked) -> dict[str, list[Bar]] | None:
    """One file, its progress on stderr where that is a terminal, and in words how it was understood. None
    where it cannot be read; why is said.
    """
    told: list[Told] = []
    reading = Reading(asked.given, asked.wan, on_told=told.append)
    try:
        with tqdm(desc=f"读取 {path.name}", unit=" 根", leave=False, disable=None) as progress:
            if _has_ticks(path):
                series = bars_of_ticks(path, progress.update)
                click.echo(f"{path.name}：是 tick，合成 1 分钟 K 线")
            else:
                series = read_bar_file(path, asked.symbol, asked.label, progress.update, reading)
    except AppError as error:
        click.echo(error.message, err=True)
        return None
    for one in told:
        for line in understood(one):
            click.echo(f"{path.name}：{line}")
    return series


def _has_ticks(path: Path) -> bool:
    """What cannot be read at all is for the reader of bars to say."""
    try:
        return holds_ticks(path)
    except BadFile:
        return False


def understood(told: Told) -> list[str]:
    """In words, for who may know better."""
    named = f"合约 {told.named[0]} → {told.named[1]}" if told.named[0] else f"合约 {told.named[1]}"
    columns = "，".join(f"{TITLES[ours]} ← {theirs}" for ours, theirs in told.columns.items())
    label = f"时间标在{'结束' if told.label == 'end' else '开始'}（{told.why}）"
    return [
        f"像 {told.source} 的文件" if told.source else "看不出是谁写的",
        columns,
        f"{named}；{label}",
        *told.notes,
    ]


def _import_file(settings: Settings, account: str, path: Path, asked: Asked) -> bool:
    """Returns whether it went well."""
    series = _read(path, asked)
    if series is None:
        click.echo(f"{path}：未导入", err=True)
        return False
    try:
        total = sum(map(len, series.values()))
        with (
            tqdm(desc=f"写入 {path.name}", unit=" 根", total=total, leave=False, disable=None) as progress,
            account_writer(settings, account) as save,
        ):
            for local_symbol, bars in series.items():
                for count in save_in_chunks(save, local_symbol, bars):
                    progress.update(count)
    except AppError as error:
        click.echo(error.message, err=True)
        click.echo(f"{path}：未导入", err=True)
        return False
    for local_symbol, bars in series.items():
        click.echo(
            f"{path}：{local_symbol} {len(bars)} 根，{minute(bars[0].timestamp)} 至 "
            f"{minute(bars[-1].timestamp)}"
        )
    return True


def find_account(settings: Settings, account: str, how: str = "用 --account ") -> str:
    """The account that is named, or the only one there is. `how` it is to be named. Raises NotFound."""
    known = accounts(settings.data_dir)
    if not account and len(known) == 1:
        return known[0]
    if account and account in known:
        return account
    there = f"已有：{'、'.join(known)}" if known else "请先登录一次"
    if account:
        raise NotFound(f"没有账户 {account}；{there}", code="NO_SUCH_ACCOUNT")
    raise NotFound(f"请{how}指明账户；{there}", code="NO_SUCH_ACCOUNT")


def find_argument(settings: Settings, account: str) -> str:
    """As `find_account`, of a command that takes the account as a word of its own."""
    return find_account(settings, account, "在后面")


@contextmanager
def account_writer(settings: Settings, account: str) -> Iterator[Save]:
    """How to save 1-minute bars of the account. Raises GatewayDown while its gateway is just starting,
    when it is of another version, or when it is lost.
    """
    name = gateway_of(account)
    entry = Registry(settings.data_dir).find(name)
    if entry is not None:
        with contextlib.closing(peer.connect(entry)) as client:

            def save_there(local_symbol: str, bars: list[Bar]) -> int:
                return client.call(SaveBars(local_symbol, bars), 30.0).waiting

            yield lambda local_symbol, bars: _wait_for_room(
                save_there(local_symbol, bars), lambda: save_there(local_symbol, [])
            )
        return
    try:
        lock = Lock(settings.data_dir, name)
    except AlreadyRunning:
        raise GatewayDown("账户的网关正在启动，请稍后再导入") from None
    with contextlib.closing(lock), contextlib.closing(open_store(settings, account)) as store:

        def save_here(local_symbol: str, bars: list[Bar]) -> None:
            store.save_bars(local_symbol, "1m", bars)
            _wait_for_room(waiting(), waiting)

        def waiting() -> int:
            return store.state().waiting

        try:
            yield save_here
            store.flush(
                SHIPPING_LIMIT
            )  # what is not at MongoDB by then leaves with the account's next gateway
        except StoreFailed as error:
            raise CannotSave(str(error)) from None


def _wait_for_room(waiting: int, ask: Callable[[], int]) -> None:
    """Until not too many rows wait for MongoDB. Raises CannotSave when none arrives any more."""
    least, since = waiting, time.monotonic()
    pause = threading.Event()
    while waiting > MOST_WAITING:
        if time.monotonic() - since > STALL_LIMIT:
            raise CannotSave(
                f"MongoDB 没有收下：{waiting} 行在等。已写入的不会丢，MongoDB 恢复后再执行即接着导入"
            )
        pause.wait(0.1)
        waiting = ask()
        if waiting < least:
            least, since = waiting, time.monotonic()


def save_in_chunks(save: Save, local_symbol: str, bars: Sequence[Bar]) -> Iterator[int]:
    """Saves, and tells how many after each chunk."""
    for at in range(0, len(bars), CHUNK):
        chunk = list(bars[at : at + CHUNK])
        save(local_symbol, chunk)
        yield len(chunk)
