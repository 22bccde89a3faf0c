"""The tables of one scope on a MongoDB server. Only app/model/spool.py and the commands that move stores call
it.

Bars have a collection for each contract and interval, `bars.<scope>.<contract>.<interval>`, whose `_id` is
the timestamp: unique, and a range is read by the index that every collection has anyway (why not one for all:
docs/mongodb.md). Every other table is one collection for all scopes, whose `_id` is text, the scope and the
row's key joined with `/`, numbers padded to one length. Rows are inserted in batches and replaced where they
are there already: what is sent twice is there once. Writes wait for a majority. One client serves all scopes
of a process; it is made when first needed, never at import.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import bson
import orjson
import pymongo
from bson.codec_options import CodecOptions
from pymongo import ASCENDING, DESCENDING, MongoClient, ReplaceOne, ReturnDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, ConfigurationError, InvalidURI, OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from app.lib.bars import Bar
from app.lib.errors import SettingsError
from app.model.store import StoreFailed
from app.model.tables import BARS, EVENTS, ROWID, Row, Table

CONNECT_LIMIT = 3.0  # seconds
READ_LIMIT = 5.0
PING_LIMIT = 3.0
WRITE_LIMIT = 30.0
NO_ENTRY = {13, 18, 8000}  # Unauthorized, AuthenticationFailed, and what Atlas says for it
DUPLICATE = 11000
NO_COLLECTION = 26
SCOPE = "_scope"  # the field that says whose a document is; tables have columns called scope
BORN = "born"  # the collection of what `born` tells
DIGITS = 16
WRAPPED = "json"  # a value that BSON cannot hold as it is stands in a document of this one key, as JSON text
BAR_ID = "_id"
BAR_FIELDS = (BAR_ID, "open", "high", "low", "close", "volume", "turnover", "open_interest", "complete")

logging.getLogger("pymongo").setLevel(logging.WARNING)  # its debug lines quote every row


class Refused(StoreFailed):
    """The server does not let us in: the name or the password is wrong, or the rights are missing. Asking
    again soon is of no use.
    """


class _Clients:
    """One client per server for all scopes of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[MongoClient[dict[str, Any]], int]] = {}

    def get(self, uri: str) -> MongoClient[dict[str, Any]]:
        with self._lock:
            client, users = self._open.get(uri) or (_client(uri), 0)
            self._open[uri] = client, users + 1
            return client

    def give_back(self, uri: str) -> None:
        with self._lock:
            client, users = self._open.pop(uri)
            if users > 1:
                self._open[uri] = client, users - 1
            else:
                client.close()


_clients = _Clients()
_extents: dict[tuple[str, str, str], tuple[tuple[int, ...], tuple[int, int, int]]] = {}
"""Of each collection of bars: what was known of it when its extent was found, and the extent. Any thread."""


def _client(uri: str) -> MongoClient[dict[str, Any]]:
    limit = int(CONNECT_LIMIT * 1000)
    return MongoClient(
        uri,
        appname="ctpbee_backend",
        w="majority",
        retryWrites=True,
        connectTimeoutMS=limit,
        serverSelectionTimeoutMS=limit,
        socketTimeoutMS=int(WRITE_LIMIT * 1000),
        tz_aware=False,
    )


def _count_of(collection: Collection[dict[str, Any]]) -> int:
    """What the server keeps of it; FerretDB would count for estimated_document_count, by reading all."""
    try:
        found = list(collection.aggregate([{"$collStats": {"count": {}}}]))
    except OperationFailure as error:
        if error.code == NO_COLLECTION:
            return 0
        raise
    return sum(int(one["count"]) for one in found)  # one for each shard


def check_uri(uri: str) -> str:
    """The servers that `uri` names, for people: without name and password. Raises SettingsError."""
    try:
        parsed = (
            parse_uri(uri, validate=True, warn=False) if uri.startswith("mongodb://") else {"nodelist": []}
        )
    except (InvalidURI, ConfigurationError, ValueError) as error:
        raise SettingsError(
            f"MongoDB 的连接串不对：{_clean(str(error), uri)}", parameter="mongo_uri"
        ) from None
    return (
        ",".join(f"{host}:{port}" for host, port in parsed["nodelist"])
        or uri.rpartition("@")[2].partition("/")[0]
    )


@contextmanager
def translated(uri: str, seconds: float) -> Iterator[None]:
    """All calls in it within that time. Raises Refused, StoreFailed: never with the password, nor with the
    rows.
    """
    try:
        with pymongo.timeout(seconds):
            yield
    except BulkWriteError as error:
        first: dict[str, Any] = next(
            iter(error.details.get("writeErrors") or error.details.get("writeConcernErrors") or [{}]), {}
        )
        raise StoreFailed(f"MongoDB 没有收下：{_clean(str(first.get('errmsg', '')), uri)}") from None
    except OperationFailure as error:
        if error.code in NO_ENTRY:
            raise Refused(f"MongoDB 拒绝了用户名、密码或权限（{error.code}）") from None
        raise StoreFailed(
            f"MongoDB：{_clean(str(error.details and error.details.get('errmsg') or error), uri)}"
        ) from None
    except PyMongoError as error:
        raise StoreFailed(f"MongoDB 连不上或未按时应答：{_clean(str(error), uri)}") from None


def _clean(text: str, uri: str) -> str:
    """Short, and without the password of the URI."""
    login = uri.partition("://")[2].rpartition("@")[0]
    password = login.partition(":")[2]
    for secret in filter(None, (login, password, unquote(password))):
        text = text.replace(secret, "***")
    return text.partition(" (configured timeouts")[0].partition(", full error")[0][:300]


class MongoTables:
    """See the module's docstring. Every call raises StoreFailed, or Refused of its kinds. Any thread."""

    def __init__(self, uri: str, database: str, scope: str) -> None:
        """Connects to nothing yet. Raises SettingsError for a URI that makes no sense."""
        self.server = check_uri(uri)
        self._uri = uri
        self._database = database
        self._prefix = _escaped(scope) + "/"
        self._scope = scope
        self._client: MongoClient[dict[str, Any]] | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                _clients.give_back(self._uri)
                self._client = None

    def ping(self) -> None:
        with translated(self._uri, PING_LIMIT):
            self._of("settings").find_one({"_id": self._prefix})  # unlike `ping` it needs the right to read

    def born(self) -> str:
        """What tells this scope's part of the database from any other, and from itself emptied: made by the
        first who asks.
        """
        with translated(self._uri, PING_LIMIT):
            made = {"$setOnInsert": {"born": uuid.uuid4().hex}}
            found = self._of(BORN).find_one_and_update(
                {"_id": self._scope}, made, upsert=True, return_document=ReturnDocument.AFTER
            )
        assert found is not None  # as it is after the update
        return str(found["born"])

    # ── rows ──

    def load(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert, or replace by key."""
        documents: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            if table.name == BARS:
                name = self._series(row["local_symbol"], row["interval"])
                document = {
                    BAR_ID if field == "timestamp" else field: row[field] for field in table.columns[2:]
                }
            else:
                name, document = table.name, self._document(table, row)
            documents.setdefault(name, []).append(document)
        for name, found in documents.items():
            self._put(name, found)

    def _put(self, name: str, documents: list[dict[str, Any]]) -> None:
        ordered = name == EVENTS  # of which none is there before the one in front of it
        with translated(self._uri, WRITE_LIMIT):
            try:
                self._of(name).insert_many(documents, ordered=ordered)
                return
            except BulkWriteError as error:
                failed = error.details["writeErrors"]
                if error.details["writeConcernErrors"] or any(one["code"] != DUPLICATE for one in failed):
                    raise
            again = (
                documents[failed[0]["index"] :] if ordered else [documents[one["index"]] for one in failed]
            )
            self._of(name).bulk_write(
                [ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in again], ordered=ordered
            )

    def remove(self, table: Table, keys: Sequence[Sequence[Any]]) -> None:
        with translated(self._uri, WRITE_LIMIT):
            self._of(table.name).delete_many({"_id": {"$in": [self._id(key) for key in keys]}})

    def rows(self, table: Table) -> Iterator[Row]:
        """Every row of this scope but bars, as `SqliteStore.rows` gives them."""
        with translated(self._uri, WRITE_LIMIT):
            found = self._of(table.name).find(
                {"_id": {"$gte": self._prefix, "$lt": self._prefix[:-1] + "0"}}
            )  # "0" comes after "/"
            rows = [self._row(table, document) for document in found]
        rows.sort(key=(lambda row: row[ROWID]) if table.ordered else table.key_of)
        return iter(rows)

    def scopes(self) -> list[str]:
        """Every scope that the database has rows of."""
        found = {name.split(".")[1] for name in self._collections() if name.startswith(f"{BARS}.")}
        for table in ("settings", "intents", "events"):
            after = ""
            while True:
                with translated(self._uri, WRITE_LIMIT):
                    one = self._of(table).find_one(
                        {"_id": {"$gte": after}}, {SCOPE: True}, sort=[("_id", ASCENDING)]
                    )
                if one is None:
                    break
                found.add(str(one[SCOPE]))
                after = _escaped(one[SCOPE]) + "0"  # behind all that begins with its name and "/"
        return sorted(found)

    # ── bars ──

    def read_bars(
        self,
        local_symbol: str,
        interval: str,
        start: int = 0,
        end: int = 0,
        limit: int = 0,
        seconds: float = READ_LIMIT,
    ) -> list[Bar]:
        """As Store.read_bars, within that time."""
        wanted = {"$gte": start} | ({"$lt": end} if end else {})
        with translated(self._uri, seconds):
            found = self._of(self._series(local_symbol, interval)).find({"_id": wanted})
            documents = list(found.sort("_id", DESCENDING).limit(limit))
        documents.reverse()
        return [
            Bar._make((*(one[name] for name in BAR_FIELDS[:-1]), bool(one["complete"]))) for one in documents
        ]

    def extent(self, local_symbol: str, interval: str, here: Sequence[int] = ()) -> tuple[int, int, int]:
        """As Store.extent, with the bars of these timestamps, oldest first. No bar is read for it: how many
        there are is the collection's own count, and what was found for that count holds until it changes.
        """
        name = self._series(local_symbol, interval)
        of = self._of(name)
        with translated(self._uri, READ_LIMIT):
            count = _count_of(of)
            known = count, len(here), *here[:1], *here[-1:]
            kept = _extents.get((self._uri, self._database, name))
            if kept is not None and kept[0] == known:
                return kept[1]
            ends = list(here[:1]) + list(here[-1:])
            for order in (ASCENDING, DESCENDING):
                one = of.find_one({}, {BAR_ID: True}, sort=[(BAR_ID, order)]) if count else None
                ends += [int(one[BAR_ID])] if one is not None else []
            both = 0
            if here and count:
                within = of.find({BAR_ID: {"$gte": here[0], "$lte": here[-1]}}, {BAR_ID: True})
                both = len({*here} & {int(one[BAR_ID]) for one in within})
        found = (min(ends), max(ends), count + len(here) - both) if ends else (0, 0, 0)
        _extents[self._uri, self._database, name] = known, found
        return found

    def series(self) -> list[tuple[str, str]]:
        """Which contracts and intervals there are."""
        first = f"{BARS}.{self._scope}."
        names = [
            name.removeprefix(first).rpartition(".") for name in self._collections() if name.startswith(first)
        ]
        return sorted((local_symbol, interval) for local_symbol, _, interval in names)

    def _series(self, local_symbol: str, interval: str) -> str:
        return f"{BARS}.{self._scope}.{local_symbol}.{interval}"

    # ── documents ──

    def _of(self, name: str) -> Collection[dict[str, Any]]:
        return self._there()[name]

    def _collections(self) -> list[str]:
        with translated(self._uri, READ_LIMIT):
            return self._there().list_collection_names()

    def _there(self) -> Database[dict[str, Any]]:
        with self._lock:
            if self._client is None:
                self._client = _clients.get(self._uri)
            return self._client[self._database]

    def _id(self, key: Iterable[Any]) -> str:
        return self._prefix + "/".join(
            f"{part:0{DIGITS}d}" if isinstance(part, int) else _escaped(part) for part in key
        )

    def _document(self, table: Table, row: Row) -> dict[str, Any]:
        values = {name: _to_bson(value) if name in table.json else value for name, value in row.items()}
        return {"_id": self._id(table.key_of(row)), SCOPE: self._scope, **values}

    @staticmethod
    def _row(table: Table, document: dict[str, Any]) -> Row:
        columns = (ROWID, *table.columns) if table.ordered else table.columns
        return {
            name: _from_bson(document[name]) if name in table.json else document[name] for name in columns
        }


def _escaped(part: str) -> str:
    return part.replace("%", "%25").replace("/", "%2F")


def _to_bson(value: Any) -> Any:
    """The value as it is, so that it can be asked for by its fields, where BSON gives the very same back."""
    try:
        if _is_plain(value) and bson.decode(bson.encode({"_": value}), _PLAIN)["_"] == value:
            return value
    except (bson.errors.BSONError, OverflowError, TypeError):
        pass
    return {WRAPPED: orjson.dumps(value).decode()}


def _from_bson(value: Any) -> Any:
    return orjson.loads(value[WRAPPED]) if isinstance(value, dict) and value.keys() == {WRAPPED} else value


_PLAIN: CodecOptions[dict[str, Any]] = CodecOptions()


def _is_plain(value: Any) -> bool:
    """Whether every key is one that a server takes, and none is ours."""
    if isinstance(value, dict):
        good = all(key and not key.startswith("$") and "." not in key for key in value)
        return good and value.keys() != {WRAPPED} and all(map(_is_plain, value.values()))
    return all(map(_is_plain, value)) if isinstance(value, list) else True
