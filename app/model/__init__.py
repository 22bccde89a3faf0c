"""The store: one interface, backends chosen by name. `open_store(url)` is the only door."""

from __future__ import annotations

from app.lib.errors import SettingsError
from app.model.store import Store


def open_store(url: str) -> Store:
    """The store at `url`: `sqlite:///path/to/file.db`. An unknown scheme is an error, never a silent fallback."""
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        from app.model.sqlite import SqliteStore

        return SqliteStore(url.removeprefix("sqlite:///"))
    raise SettingsError(f"不认识的存储 {scheme!r}：可用 sqlite", parameter="store")
