"""`run.py doctor`: what this machine and its data directory have for serving accounts, as a table. A
process of its own.

It reads and tries; it changes nothing that a running server uses. A warning is something to do soon, a
failure keeps something from working.
"""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import click

from app.commands.common import settings_of, settings_options
from app.data_dir import account_folder, accounts
from app.interfaces.ctp import preflight
from app.lib import fronts
from app.lib.calendar import SHANGHAI, outlook, use_overrides
from app.lib.errors import AppError
from app.model import open_store, store_path
from app.model.store import StoreFailed
from app.settings import FRONTS_UNSET, Settings
from app.workshop.containment import Containment

PATIENCE = 3.0  # seconds for a front
LOAD = "import ctpbee_api.ctp"
LOAD_LIMIT = 60.0  # seconds
LEAST_SPACE = 1 << 30  # bytes
CALENDAR_AHEAD = timedelta(days=45)
EARLIEST = datetime(2026, 1, 1, tzinfo=SHANGHAI)  # no clock that is right is before this
OK, WARNING, FAILED = "正常", "注意", "异常"


class Line(NamedTuple):
    """A row of the table."""

    state: str
    name: str
    text: str


@click.command("doctor")
@settings_options
@click.option(
    "--td-address",
    metavar="ADDRESS",
    help="要试连的交易前置，形如 tcp://180.168.146.187:10201，几个用逗号隔开",
)
@click.option("--md-address", metavar="ADDRESS", help="要试连的行情前置")
@click.pass_context
def doctor_command(
    ctx: click.Context, td_address: str | None, md_address: str | None, **options: Any
) -> None:
    """检查本机与数据目录：交易日历、时钟、磁盘、存储、CTP 所需的库与 locale。有异常则退出码为 1。"""
    given = {"交易前置": td_address, "行情前置": md_address}
    lines = examine(settings_of(ctx, options), {word: address for word, address in given.items() if address})
    for line in table(lines):
        click.echo(line)
    sys.exit(1 if failed(lines) else 0)


def examine(
    settings: Settings, given: Mapping[str, str] = MappingProxyType({}), now: Callable[[], float] = time.time
) -> list[Line]:
    """Everything, in the order in which it is shown. `given`: lists of fronts to try, by what they are."""
    moment = datetime.fromtimestamp(now(), SHANGHAI)
    lines = [
        _calendar(settings, moment.date()),
        _clock(moment),
        *_data(settings),
        _store(settings),
        _strategies(settings),
    ]
    lines += _listed_fronts(settings)
    lines += [
        _of(finding, needed=settings.interface != "sim")
        for finding in _native(list(preflight.of_this_machine()))
    ]
    return lines + list(fronts_tried(given))


def table(lines: list[Line]) -> Iterator[str]:
    """As it is printed."""
    width = max(_columns(line.name) for line in lines)
    for line in lines:
        yield f"{line.state}  {line.name}{' ' * (width - _columns(line.name))}  {line.text}"


def failed(lines: list[Line]) -> bool:
    return any(line.state == FAILED for line in lines)


def _of(finding: preflight.Finding, needed: bool) -> Line:
    if not finding.problem:
        return Line(OK, finding.name, finding.detail)
    text = f"{finding.problem}。{finding.remedy}"
    return Line(
        FAILED if needed else WARNING, finding.name, text if needed else f"{text}（只有 interface=ctp 需要）"
    )


def _native(findings: list[preflight.Finding]) -> Iterator[preflight.Finding]:
    """What the interface `ctp` needs; where all of it is there, whether it can be loaded: a file says nothing
    of what is in it.
    """
    is_there = not any(finding.problem for finding in findings)
    for finding in findings:
        if is_there and finding.name == "ctpbee_api":
            yield next(
                preflight.of_loading(_load_apart), finding._replace(detail=f"{finding.detail}，可以载入")
            )
        else:
            yield finding


def _load_apart() -> None:
    """Load binding and libraries in a process of their own, which a bad one may end. Raises ImportError."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", LOAD], capture_output=True, text=True, timeout=LOAD_LIMIT
        )
    except subprocess.TimeoutExpired:
        raise ImportError(f"{LOAD_LIMIT:g} 秒内没有载入") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise ImportError(said[-1] if said else f"载入它的进程意外结束（{done.returncode}）")


def _calendar(settings: Settings, today: date) -> Line:
    name = "交易日历"
    try:
        use_overrides(settings.calendar_file)
    except AppError as error:
        return Line(FAILED, name, error.message)
    told = outlook(today, CALENDAR_AHEAD)
    return Line(OK if told.state == "sure" else WARNING, name, told.text)


def _clock(moment: datetime) -> Line:
    text = f"{moment:%Y-%m-%d %H:%M:%S}（北京时间）"
    return (
        Line(OK, "系统时钟", text)
        if moment > EARLIEST
        else Line(FAILED, "系统时钟", f"{text}：明显不对，请校时（NTP）")
    )


def _data(settings: Settings) -> Iterator[Line]:
    finding = preflight.writable(settings.data_dir, "数据目录")
    yield _of(finding, needed=True)
    if not finding.problem:
        yield _space(settings.data_dir)
    for account in accounts(settings.data_dir):
        flow = account_folder(settings.data_dir, account) / "flow"
        if account.startswith("ctp") and flow.exists():
            yield _of(preflight.writable(flow, f"流文件目录 {account}"), needed=True)


def _space(folder: Path) -> Line:
    free = shutil.disk_usage(folder).free
    text = f"剩余 {free / (1 << 30):.1f} GiB"
    return (
        Line(OK, "磁盘", text)
        if free >= LEAST_SPACE
        else Line(WARNING, "磁盘", f"{text}：不足 1 GiB，报单先落盘后发出，满了就不能下单")
    )


def _store(settings: Settings) -> Line:
    kind = "MongoDB，经本机 SQLite" if settings.mongo_uri else "SQLite"
    if not store_path(settings.data_dir, "server").exists():
        return Line(OK, "存储", f"{kind}，尚未建立")
    try:
        store = open_store(settings, "server", ship=False)
        try:
            store.setting("server", "authorization")
        finally:
            store.close()
    except (AppError, StoreFailed, OSError, sqlite3.Error) as error:
        return Line(FAILED, "存储", f"打不开：{error}")
    return Line(OK, "存储", kind)


def fronts_tried(given: Mapping[str, str]) -> Iterator[Line]:
    """A line for each address; `given` are lists of them, by what they are."""
    for word, text in given.items():
        yield from (_front(word, address) for address in fronts.split(text))


def _listed_fronts(settings: Settings) -> Iterator[Line]:
    """The list of brokers that a public server has to have before it takes a login with CTP."""
    if settings.fronts:
        yield Line(OK, "前置名单", "、".join(settings.fronts))
    elif settings.is_public:
        needed = settings.interface != "sim"
        yield Line(
            FAILED if needed else WARNING,
            "前置名单",
            f"对外服务{FRONTS_UNSET}{'' if needed else '；未写明时只能登录模拟账户'}",
        )


def _strategies(settings: Settings) -> Line:
    well, text = Containment(settings).said()
    return Line(OK if well else WARNING, "策略", text)


def _front(word: str, address: str) -> Line:
    finding = preflight.address(word, address)
    if finding.problem:
        return _of(finding, needed=True)
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except OSError as error:
        return Line(
            FAILED,
            word,
            f"{address} 连不上：{error.strerror or error}。请核对地址、网络与防火墙；休市时前置可能关闭",
        )
    return Line(OK, word, f"{address} 可连接")


def _columns(text: str) -> int:
    """How wide it is on a terminal: a Chinese character is two."""
    return sum(2 if ord(character) > 0x2E7F else 1 for character in text)
