"""`run.py export` and `run.py import`: everything that the stores of a data directory hold, as files. A
process of its own, on a stopped server.

A folder for each scope (`server`, `host`, `accounts/<account>`): its tables as JSON lines, its bars as one
file of CSV or Parquet for each contract and interval, in the layout that `import-bars` takes too.
An account's has its audit log beside them, which its newest entry in the settings belongs to: where the other
data directory has a log of its own, that one goes on and neither is brought in.
`manifest.json` is written last: without it an export is not whole. Rows are written in the order in which
they are kept, so that two exports of the same rows are the same bytes.
"""

from __future__ import annotations

import csv
import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click
import orjson
from tqdm import tqdm

from app.commands.common import ready_settings, settings_options
from app.data_dir import account_folder, accounts
from app.gateway.audit import SCOPE as AUDIT
from app.lib import audit
from app.lib.errors import AppError
from app.model import HOST, SERVER, open_store, store_path
from app.model.mongo import MongoTables
from app.model.store import Store, StoreFailed
from app.model.tables import BARS, ROWID, Row, Table
from app.process.child import AlreadyRunning, Lock
from app.settings import Settings
from app.wire.registry import Registry, gateway_of

FORMAT = 1
MANIFEST = "manifest.json"
CHUNK = 5000
FLUSH_LIMIT = 600.0
INTEGERS = ("timestamp", "volume", "complete")

OnRows = Callable[[int], object]


class CannotMove(AppError):
    """Nothing was begun, or it stopped half way: do what the message says and run the command again."""

    default_code = "CANNOT_MOVE"


class Moved(NamedTuple):
    """How many rows of one table of one scope."""

    scope: str
    table: str
    rows: int


@click.command("export")
@settings_options
@click.option(
    "--to",
    "target",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="写到哪里：空目录，或尚不存在",
)
@click.option(
    "--bars", type=click.Choice(["csv", "parquet"]), default="parquet", show_default=True, help="K 线的格式"
)
@click.pass_context
def export_command(ctx: click.Context, target: Path, bars: str, **options: Any) -> None:
    """导出全部账户的 K 线、流水、设置与策略（须先停止服务）。

    用于备份、换机器、换存储。
    """
    settings = ready_settings(ctx, options)
    with (
        stopped_server(settings),
        tqdm(desc="导出", unit=" 行", leave=False, disable=None) as progress,
    ):
        moved = export(settings, target, bars, progress.update)
    _say_moved(moved)
    click.echo(f"已导出到 {target}")


@click.command("import")
@settings_options
@click.argument("source", metavar="DIR", type=click.Path(path_type=Path))
@click.pass_context
def import_command(ctx: click.Context, source: Path, **options: Any) -> None:
    """导入 export 写的目录（须先停止服务）。

    已有的同键行以导入的为准，其余不动。可重复执行。
    """
    settings = ready_settings(ctx, options)
    total = sum(entry.rows for entry in read_manifest(source))
    with (
        stopped_server(settings),
        tqdm(desc="导入", unit=" 行", total=total, leave=False, disable=None) as progress,
    ):
        moved = load(settings, source, progress.update)
    _say_moved(moved)
    click.echo(f"已导入 {source}")


def _say_moved(moved: list[Moved]) -> None:
    for scope, entries in itertools.groupby(moved, key=lambda entry: entry.scope):
        click.echo(f"{scope}：{'，'.join(f'{entry.table} {entry.rows} 行' for entry in entries)}")


@contextmanager
def stopped_server(settings: Settings) -> Iterator[None]:
    """Nothing else of this data directory runs, nor is it started meanwhile. Raises CannotMove."""
    with ExitStack() as held:
        try:
            for name in (
                "supervisor",
                "web",
                "host",
                *(gateway_of(account) for account in accounts(settings.data_dir)),
            ):
                held.callback(Lock(settings.data_dir, name).close)
        except AlreadyRunning as error:
            raise CannotMove(
                f"服务正在运行（{error}）：请先停止（{settings.command('stop')}）再导出或导入"
            ) from None
        if Registry(settings.data_dir).living():
            raise CannotMove(f"仍有进程在运行：请先 {settings.command('stop')}")
        yield


def scopes(settings: Settings) -> list[str]:
    """All there are: in this data directory, and where MongoDB is the store those that only it knows."""
    found = {
        scope
        for scope in (SERVER, HOST, *accounts(settings.data_dir))
        if store_path(settings.data_dir, scope).exists()
    }
    if settings.mongo_uri:
        remote = MongoTables(settings.mongo_uri, settings.mongo_database, SERVER)
        try:
            found |= set(remote.scopes())
        except StoreFailed as error:
            raise CannotMove(str(error)) from None
        finally:
            remote.close()
    return sorted(found)


def export(settings: Settings, target: Path, bars: str, on_rows: OnRows) -> list[Moved]:
    """Write everything below `target`, a folder that is empty or not there. `bars`: `csv` or `parquet`."""
    if target.exists() and any(target.iterdir()):
        raise CannotMove(f"{target} 不是空目录")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)  # journals, and the hash of the authorization code
    moved = []
    for scope in scopes(settings):
        folder = target / _folder(scope)
        folder.mkdir(parents=True, exist_ok=True)
        with _opened(settings, scope) as store:
            for table in store.tables().values():
                write = _write_bars if table.name == BARS else _write_lines
                moved.append(Moved(scope, table.name, write(folder, table, store.rows(table), bars, on_rows)))
        _copy_audit(_audit_of(settings, scope), folder / "audit")
    manifest = {"format": FORMAT, "rows": [entry._asdict() for entry in moved]}
    (target / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    return moved


def load(settings: Settings, source: Path, on_rows: OnRows) -> list[Moved]:
    """Bring in what `export` wrote: rows that are here already are replaced, others stay. Counted against the
    manifest.
    """
    entries = read_manifest(source)
    found = []
    for scope, group in itertools.groupby(entries, key=lambda entry: entry.scope):
        its_own = _has_audit(_audit_of(settings, scope)) or not _has_audit(source / _folder(scope) / "audit")
        with _opened(settings, scope) as store:
            tables = store.tables()
            for entry in group:
                if entry.table not in tables:
                    raise CannotMove(f"{source} 有本版本不认识的表 {entry.table}：请用写它的版本导入")
                table, folder = tables[entry.table], source / _folder(scope)
                rows = _read_bars(folder, table) if table.name == BARS else _read_lines(folder, table)
                count = _load(store, table, rows, on_rows, _is_of_audit if its_own else _is_nothing)
                if count != entry.rows:
                    raise CannotMove(
                        f"{scope} 的 {entry.table} 应有 {entry.rows} 行，文件里是 {count} 行："
                        "导出的文件不完整"
                    )
                found.append(entry)
        if not its_own:  # last: done again, an import that ended half way begins with the rows
            _copy_audit(source / _folder(scope) / "audit", _audit_of(settings, scope))
    return found


def read_manifest(source: Path) -> list[Moved]:
    """What an export holds. Raises CannotMove when it is none, or not whole."""
    try:
        manifest = orjson.loads((source / MANIFEST).read_bytes())
        if manifest["format"] != FORMAT:
            raise CannotMove(f"{source} 的格式为 {manifest['format']}，本版本只认识 {FORMAT}")
        return [Moved(**entry) for entry in manifest["rows"]]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        raise CannotMove(f"{source} 里没有完整的 {MANIFEST}：不是导出的目录，或导出中断过") from None


# ── stores ──


def _folder(scope: str) -> Path:
    return Path(scope) if scope in (SERVER, HOST) else Path("accounts", scope)


@contextmanager
def _opened(settings: Settings, scope: str) -> Iterator[Store]:
    store = open_store(settings, scope)
    try:
        state = store.state()
        if state.state != "up" and not store.flush(10):
            raise CannotMove(state.reason)
        yield store
        if not store.flush(FLUSH_LIMIT):
            raise CannotMove(
                f"{scope} 还有 {store.state().waiting} 行没有到达 MongoDB：{store.state().reason}"
            )
    except StoreFailed as error:
        raise CannotMove(str(error)) from None
    finally:
        store.close()


def _load(
    store: Store, table: Table, rows: Iterator[Row], on_rows: OnRows, leaves: Callable[[Table, Row], bool]
) -> int:
    """How many there were, with those that are left out."""
    count = 0
    while chunk := list(itertools.islice(rows, CHUNK)):
        taken = [row for row in chunk if not leaves(table, row)]
        count += store.load(table, taken) + len(chunk) - len(taken)
        on_rows(len(chunk))
        if table.name == BARS and not store.flush(FLUSH_LIMIT):  # else years of them would wait on this disk
            raise CannotMove(f"MongoDB 没有收下：{store.state().reason}")
    return count


# ── files ──


def _audit_of(settings: Settings, scope: str) -> Path:
    """Where the scope's audit log is, if it is an account's."""
    return account_folder(settings.data_dir, scope) / "audit"


def _has_audit(folder: Path) -> bool:
    return any(folder.glob(audit.FILES))


def _is_of_audit(table: Table, row: Row) -> bool:
    return table.name == "settings" and row["scope"] == AUDIT


def _is_nothing(_table: Table, _row: Row) -> bool:
    return False


def _copy_audit(source: Path, target: Path) -> None:
    """All days or none."""
    days = [path for path in sorted(source.glob(audit.FILES)) if path.is_file() and not path.is_symlink()]
    if not days:
        return
    half = target.with_name("audit.new")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    for path in days:
        shutil.copyfile(path, half / path.name)
        (half / path.name).chmod(0o600)
    if target.is_dir():
        target.rmdir()  # it is empty
    half.rename(target)


def _write_lines(folder: Path, table: Table, rows: Iterable[Row], _bars: str, on_rows: OnRows) -> int:
    count = 0
    with (folder / f"{table.name}.jsonl").open("wb") as file:
        for row in rows:
            row.pop(ROWID, None)
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
            on_rows(1)
    return count


def _read_lines(folder: Path, table: Table) -> Iterator[Row]:
    with (folder / f"{table.name}.jsonl").open("rb") as file:
        for line in file:
            yield orjson.loads(line)


def _write_bars(folder: Path, table: Table, rows: Iterable[Row], bars: str, on_rows: OnRows) -> int:
    count = 0
    columns = [column for column in table.columns if column != "interval"]
    for (local_symbol, interval), series in itertools.groupby(
        rows, key=lambda row: (row["local_symbol"], row["interval"])
    ):
        path = folder / BARS / interval / f"{local_symbol}.{bars}"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = [[row[column] for column in columns] for row in series]
        if bars == "csv":
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(columns)
                writer.writerows(values)
        else:
            _write_parquet(path, columns, values)
        count += len(values)
        on_rows(len(values))
    return count


def _write_parquet(path: Path, columns: list[str], values: list[list[Any]]) -> None:
    import fastparquet  # with pandas: only who asks for it pays for it
    import pandas

    fastparquet.write(str(path), pandas.DataFrame(values, columns=columns), compression="GZIP")


def _read_bars(folder: Path, table: Table) -> Iterator[Row]:
    for path in sorted((folder / BARS).glob("*/*")) if (folder / BARS).is_dir() else []:
        interval = path.parent.name
        for values in _csv_rows(path) if path.suffix == ".csv" else _parquet_rows(path):
            yield {column: interval if column == "interval" else values[column] for column in table.columns}


def _csv_rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {
                name: text if name == "local_symbol" else int(text) if name in INTEGERS else float(text)
                for name, text in row.items()
            }


def _parquet_rows(path: Path) -> Iterator[Row]:
    import fastparquet

    with ExitStack() as opened:  # the library leaves its files to the garbage collector
        file = fastparquet.ParquetFile(
            str(path), open_with=lambda name, mode="rb": opened.enter_context(open(name, mode))
        )
        frame = file.to_pandas()
    names = list(frame.columns)
    for values in zip(*(frame[name].tolist() for name in names), strict=True):
        yield dict(zip(names, values, strict=True))
