"""`run.py audit`: whether an account's audit log is whole, and its export. A command's own process; the
gateway may run meanwhile.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from app.commands.common import ready_settings, settings_options
from app.commands.import_bars import find_argument
from app.data_dir import account_folder
from app.gateway.audit import kept_head
from app.lib import audit
from app.lib.errors import NotFound
from app.model import open_store

BOM = b"\xef\xbb\xbf"  # Excel takes a CSV for UTF-8 by it


@click.command("audit")
@settings_options
@click.argument("action", metavar="verify|export", type=click.Choice(["verify", "export"]))
@click.argument("account", metavar="[账户]", default="")
@click.option("--day", metavar="YYYYMMDD", default="", help="只这一天（自然日）")
@click.option("--kind", type=click.Choice(audit.KINDS), help="只这一类：交易、运行、监测、错误")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", help="缺省 csv")
@click.option("--to", metavar="FILE", type=click.Path(path_type=Path), help="写到哪里，缺省为标准输出")
@click.pass_context
def audit_command(
    ctx: click.Context,
    action: str,
    account: str,
    day: str,
    kind: str | None,
    form: str,
    to: Path | None,
    **options: Any,
) -> None:
    """审计日志：核对是否被改过（verify），按日、按类导出（export）。

    日志在账户目录的 audit/，每天一个文件，只追加，每条带上一条的散列。verify 说出第一处不符，退出码 1。
    """
    settings = ready_settings(ctx, options)
    account = find_argument(settings, account)
    folder = account_folder(settings.data_dir, account) / "audit"
    if action == "verify":
        with closing(open_store(settings, account, ship=False)) as store:
            head = kept_head(store)  # first: what is written meanwhile comes after it
        _verify(folder, head)
        return
    files = [path for path in _files(folder) if not day or path.stem == day]
    if not files:
        raise NotFound(f"{account} {day or '各天'}没有审计日志")
    content = _exported(files, kind or "", form)
    if to is None:
        sys.stdout.buffer.write(content)
    else:
        to.write_bytes(content)
        click.echo(f"已写到 {to}")


def _verify(folder: Path, head: audit.Head | None) -> None:
    last, fault = audit.verify(_lines(folder), head)
    if fault is not None:
        where = f"{fault.file} 第 {fault.line} 行：" if fault.file else ""
        click.echo(f"审计日志不完整：{where}{fault.why}", err=True)
        sys.exit(1)
    click.echo(f"审计日志完整：共 {last.seq} 条，最后一条的散列 {last.hash or '（无）'}")


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(audit.FILES))


def _lines(folder: Path) -> Iterator[tuple[str, int, bytes]]:
    for path in _files(folder):
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                yield path.name, number, line


def _exported(files: list[Path], kind: str, form: str) -> bytes:
    found = (entry for path in files for entry in audit.entries(path.read_bytes().splitlines(), kind))
    text = io.StringIO(newline="")
    if form == "jsonl":
        text.writelines(f"{audit.line_of(entry)}\n" for entry in found)
        return text.getvalue().encode()
    writer = csv.writer(text)
    writer.writerow(audit.COLUMN_TEXT)
    writer.writerows(audit.csv_row(entry) for entry in found)
    return BOM + text.getvalue().encode()
