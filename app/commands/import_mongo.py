"""`run.py import-mongo`: the bars that the reference has gathered in MongoDB, into an account's store. A
process of its own.

The reference keeps a collection per contract (`rb2001.SHFE`) in the database `ctp_bar`, of documents
`{timestamp, open_price, high_price, low_price, close_price, volume}`. A timestamp may be a date,
milliseconds, or text; one without a zone is exchange time (BSON dates, which have none of their own, too).
The source is only read. What has come in is noted beside the account's store, so that a second run, or one
after an interruption, reads only collections that have changed since.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click
import orjson
from pymongo import MongoClient
from tqdm import tqdm

from app.commands.common import minute, ready_settings, settings_options
from app.commands.import_bars import CannotSave, Save, account_writer, find_account, save_in_chunks
from app.data_dir import account_folder
from app.files import write_whole
from app.lib import calendar
from app.lib.bar_files import read_bar_documents
from app.lib.errors import AppError, SettingsError
from app.model.mongo import check_uri, translated
from app.model.store import StoreFailed

CONNECT_LIMIT = 5.0  # seconds
READ_LIMIT = 600.0  # for one collection
NOTES = "import-mongo.json"
MOST_NAMED = 20  # documents that are no bar, of one collection


@click.command("import-mongo")
@settings_options
@click.option(
    "--uri",
    metavar="URI",
    envvar="SOURCE_MONGO_URI",
    help="来源；含密码时写在环境变量 SOURCE_MONGO_URI；缺省为 mongo_uri",
)
@click.option(
    "--database", metavar="NAME", default="ctp_bar", show_default=True, help="来源的库：每个合约一个集合"
)
@click.option("--account", metavar="KEY", default="", help="账户，如 sim-9999-demo；只有一个账户时可省")
@click.option(
    "--label",
    type=click.Choice(["start", "end"]),
    help="时间是 K 线的开始还是结束；不给则由交易节首尾的 K 线判断",
)
@click.pass_context
def import_mongo_command(
    ctx: click.Context, uri: str | None, database: str, account: str, label: str | None, **options: Any
) -> None:
    """导入原后端存在 MongoDB 里的 1 分钟 K 线（不改动来源）。

    中断后再次执行即接着导入；没有变化的合约不再读。
    """
    settings = ready_settings(ctx, options)
    calendar.use_overrides(settings.calendar_file)
    account = find_account(settings, account)
    if not (uri or settings.mongo_uri):
        raise SettingsError("请用 --uri 指明来源", parameter="uri")
    with (
        closing(Source(uri or settings.mongo_uri, database)) as source,
        account_writer(settings, account) as save,
    ):
        notes = Notes(account_folder(settings.data_dir, account), source.name)
        results = [_import_one(source, name, label or "", save, notes) for name in source.collections()]
    click.echo(f"{source.name}：{len(results)} 个集合，导入 {sum(count for _, count in results)} 根")
    if not all(good for good, _ in results):
        sys.exit(1)


def _import_one(source: Source, name: str, label: str, save: Save, notes: Notes) -> tuple[bool, int]:
    """One collection, its progress on stderr where that is a terminal. Returns whether all of it is here now,
    and how many bars came in.
    """
    extent = source.extent(name)
    if notes.has(name, extent):
        click.echo(f"{name}：已导入，没有变化")
        return True, 0
    try:
        with (
            tqdm(desc=f"读取 {name}", unit=" 份", total=extent[0], leave=False, disable=None) as read,
            tqdm(desc=f"写入 {name}", unit=" 根", total=extent[0], leave=False, disable=None) as written,
        ):
            found = import_collection(source, name, label, save, read.update, written.update)
    except (SourceFailed, CannotSave):  # no other collection would fare better
        raise
    except AppError as error:
        click.echo(f"{name}：未导入：{error.message}", err=True)
        return False, 0
    for problem in found.problems[:MOST_NAMED]:
        click.echo(problem, err=True)
    left_out = f"，{len(found.problems)} 份不是 K 线，未导入" if found.problems else ""
    repeated = f"，{found.repeated} 份重复，以后写的为准" if found.repeated else ""
    if found.bars:
        span = f"，{minute(found.first)} 至 {minute(found.last)}"
        click.echo(f"{name}：{found.documents} 份，导入 {found.bars} 根{span}{repeated}{left_out}")
    else:
        click.echo(f"{name}：{found.documents} 份，没有可导入的 K 线{left_out}")
    if not found.problems:
        notes.add(name, extent)
    return not found.problems, found.bars


class SourceFailed(AppError):
    """The database to import from cannot be read: mend what the message says and run the import again; it
    goes on where it was.
    """

    default_code = "SOURCE_FAILED"


class Imported(NamedTuple):
    """One collection: `bars` came in, of `documents`; `first` and `last` in epoch ms, 0 for none."""

    local_symbol: str
    documents: int
    bars: int
    repeated: int
    problems: list[str]
    first: int
    last: int


class Source:
    """A database of the reference's. Raises SourceFailed, and SettingsError for a URI that makes no sense."""

    def __init__(self, uri: str, database: str) -> None:
        self.name = f"{check_uri(uri)}/{database}"
        self._uri = uri
        self._client: MongoClient[dict[str, Any]] = MongoClient(
            uri, serverSelectionTimeoutMS=int(CONNECT_LIMIT * 1000), tz_aware=False
        )
        self._database = self._client[database]

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def _asking(self, seconds: float) -> Iterator[None]:
        try:
            with translated(self._uri, seconds):
                yield
        except StoreFailed as error:
            raise SourceFailed(str(error)) from None

    def collections(self) -> list[str]:
        with self._asking(CONNECT_LIMIT):
            return sorted(
                name for name in self._database.list_collection_names() if not name.startswith("system.")
            )

    def extent(self, collection: str) -> tuple[int, str]:
        """How many documents, and the newest id: what changes when documents come or go."""
        with self._asking(READ_LIMIT):
            newest = self._database[collection].find_one({}, {"_id": True}, sort=[("_id", -1)])
            return self._database[collection].count_documents({}), repr(newest and newest["_id"])

    def documents(self, collection: str) -> Iterator[dict[str, Any]]:
        """In the order of their making."""
        with self._asking(READ_LIMIT):
            yield from self._database[collection].find({}).sort("_id", 1)


class Notes:
    """What of which source has come in."""

    def __init__(self, folder: Path, source: str) -> None:
        self._path = folder / NOTES
        self._all: dict[str, dict[str, list[Any]]] = (
            orjson.loads(self._path.read_bytes()) if self._path.exists() else {}
        )
        self._known = self._all.setdefault(source, {})

    def has(self, collection: str, extent: tuple[int, str]) -> bool:
        return self._known.get(collection) == list(extent)

    def add(self, collection: str, extent: tuple[int, str]) -> None:
        self._known[collection] = list(extent)
        write_whole(self._path, orjson.dumps(self._all, option=orjson.OPT_INDENT_2))


def import_collection(
    source: Source,
    collection: str,
    label: str,
    save: Save,
    on_read: Callable[[], object],
    on_saved: Callable[[int], object],
) -> Imported:
    """Raises BadInput when its name is no contract's, BadBarFile when the labels cannot be told,
    SourceFailed.
    """
    count = 0

    def counted() -> Iterator[dict[str, Any]]:
        nonlocal count
        for document in source.documents(collection):
            count += 1
            on_read()
            yield document

    local_symbol, found = read_bar_documents(collection, counted(), label)
    for saved in save_in_chunks(save, local_symbol, found.bars):
        on_saved(saved)
    first, last = (found.bars[0].timestamp, found.bars[-1].timestamp) if found.bars else (0, 0)
    return Imported(local_symbol, count, len(found.bars), found.repeated, found.problems, first, last)
