"""The store: one interface, two backends. `open_store(settings, scope)` is the only way to one. Any process
that owns a store.

A scope is `server` (authorization, sessions), `host` (strategies) or an account's key. Without `mongo_uri`
its store is one SQLite file; with it the same file, and a thread that ships what is written there to MongoDB
(app/model/spool.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from app.data_dir import account_folder
from app.model.sqlite import SqliteStore
from app.model.store import Store

SERVER = "server"
HOST = "host"


class StoreSettings(Protocol):
    """What of the settings says where things are kept."""

    @property
    def data_dir(self) -> Path: ...

    @property
    def mongo_uri(self) -> str: ...

    @property
    def mongo_database(self) -> str: ...


def store_path(data_dir: Path, scope: str) -> Path:
    """The scope's file."""
    return (
        data_dir / f"{scope}.db"
        if scope in (SERVER, HOST)
        else account_folder(data_dir, scope) / "account.db"
    )


def open_store(settings: StoreSettings, scope: str, ship: bool = True) -> Store:
    """The scope's store. With `ship` off the file is read and written as ever, and another process brings it
    to MongoDB: the web, whose threads are green ones, leaves that to the host.
    """
    path = store_path(settings.data_dir, scope)
    if not settings.mongo_uri:
        return SqliteStore(path)
    from app.model.mongo import MongoTables  # pymongo is loaded by those who need it
    from app.model.spool import SpooledStore

    remote = MongoTables(settings.mongo_uri, settings.mongo_database, scope) if ship else None
    return SpooledStore(path, remote)
